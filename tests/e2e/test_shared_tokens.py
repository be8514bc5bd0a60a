"""
Shared logins whose people are proven by tokens: what a token opens, when it ends, and where it is never seen. Then what a newer policy does
to people who are acted for, and what observe mode makes of them. Forged tokens are in tests/attacks/test_token_attacks.py.
"""
import contextlib
import json
import time

import psycopg
import pytest
import tokens
import wire
from psycopg import errors
from shared_people import ROWS, SQL, on_record, own_rows, policy, seen, set_token


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return tokens.Key(tmp_path_factory.mktemp("keys"), "idp", "EC")


@pytest.fixture(scope="module")
def stack(make_stack, key):
    logged = "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET log_statement = ''all''', current_database()); END$$;"
    return make_stack(extra_policy=policy({"keys": [key.jwk(kid="k1", alg="ES256", use="sig")]}), extra_sql=SQL, pool=4, changes={"records": logged})


# ---- tokens ----------------------------------------------------------------------------------------------------------------------

def test_token_names_and_proves_the_person(stack, key):
    two, three = (tokens.token(key, tokens.claims(p)) for p in ("w02", "w03"))
    with stack.connect("ehr-token", application_name="proven") as c:
        set_token(c, two)
        assert c.execute(ROWS).fetchall() == own_rows(stack, "w02")
        with c.transaction():
            set_token(c, three, " LOCAL")
            assert c.execute(ROWS).fetchall() == own_rows(stack, "w03")
            c.execute("SAVEPOINT x")
            set_token(c, two, " LOCAL")
            c.execute("ROLLBACK TO x")
            assert seen(c) == {"w03"}
        assert seen(c) == {"w02"}
        assert (c.execute("SHOW pgvigil.token").fetchone(), c.execute("SHOW pgvigil.user").fetchone()) == (("",), ("w02",))
        with pytest.raises(errors.InsufficientPrivilege, match="named by pgvigil.token, not pgvigil.user"):
            c.execute("SET pgvigil.user = 'w03'")
    kinds = {(r["person"], r["identity"]) for r in on_record(stack, login="ehr-token", type="whole", application="proven") if "FROM w" in r.get("sql", "")}
    assert kinds == {("w02", "proven"), ("w03", "proven")}
    with stack.connect("ehr-token", options="-c pgvigil.token=" + three) as c:
        assert seen(c) == {"w03"}


@pytest.mark.parametrize("login", ["ehr-token", "ehr-token-desk"])
def test_person_ends_with_her_token(stack, key, login):
    with stack.connect(login) as c:
        ends = int(time.time()) + 6  # seconds to spare: a loaded machine must be through with what comes before
        set_token(c, tokens.token(key, tokens.claims("w02", exp=ends)))
        assert seen(c) == {"w02"}
        c.execute("BEGIN; DECLARE mine CURSOR FOR " + ROWS)
        assert c.execute("FETCH 1 FROM mine").fetchone()[1] == "w02"
        while time.time() < ends:
            time.sleep(0.05)
        with pytest.raises(errors.InvalidAuthorizationSpecification, match="expired"):
            c.execute("FETCH 1 FROM mine")
        assert c.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        c.execute("ROLLBACK")
        for _ in range(2):  # a login that has a role of its own does not slip into it
            with pytest.raises(errors.InvalidAuthorizationSpecification, match="expired"):
                c.execute(ROWS)
        set_token(c, tokens.token(key, tokens.claims("w03")))
        assert seen(c) == {"w03"}
        c.execute("RESET pgvigil.token")
        if login == "ehr-token-desk":
            assert seen(c) == {"ehr-token-desk"}
        else:
            with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody"):
                c.execute(ROWS)
    assert [r for r in on_record(stack, login=login, event="mission") if "the token has expired" in r["detail"]]


def test_nothing_that_was_sent_ahead_runs_when_the_token_is_over(stack, key):
    """Behind something slow in the same text, in the same group, in the next message. And its twin in time."""
    slow, read = "UPDATE w SET note = note WHERE id > 0", "SELECT person FROM w LIMIT 1"

    def ran(text):
        return wire.parse(text) + wire.bind() + wire.execute()

    ways = {"text": (wire.query(slow + "; " + read), 1), "block": (wire.query("BEGIN; %s; %s; COMMIT" % (slow, read)), 1), "query": (wire.query(slow) + wire.query(read), 2),
            "group": (ran(slow) + ran(read) + wire.SYNC, 1), "groups": (ran(slow) + wire.SYNC + ran(read) + wire.SYNC, 2)}
    sessions = {(way, late): wire.open_session(stack, "ehr-token") for way in ways for late in (True, False)}
    ends = int(time.time()) + 6
    given = {late: tokens.token(key, tokens.claims("w02", exp=ends if late else ends + 600)) for late in (True, False)}
    with stack.superuser(autocommit=False) as su:
        su.execute("SELECT FROM w WHERE person = 'w02' FOR UPDATE")
        for (way, late), raw in sessions.items():
            raw.socket.settimeout(30)
            assert wire.error_of(raw.query("SET pgvigil.token = '%s'" % given[late])) is None
            raw.send(ways[way][0])
        time.sleep(max(0, ends - time.time()) + 2.5)
        su.rollback()
    for (way, late), raw in sessions.items():
        got = [m for _ in range(ways[way][1]) for m in raw.until("Z")]
        error = wire.error_of(got)
        assert len(wire.rows_of(got)) == (0 if late else 1), (way, late)
        assert (error and error["C"]) in (("57014", "28000") if late else (None,)), (way, late, error)
        raw.close()


def test_new_token_for_the_same_person_only_prolongs(stack, key):
    with stack.connect("ehr-token") as c:
        ends = int(time.time()) + 5
        set_token(c, tokens.token(key, tokens.claims("w02", exp=ends)))
        c.execute("BEGIN; DECLARE mine CURSOR FOR " + ROWS)
        set_token(c, tokens.token(key, tokens.claims("w02", exp=ends + 600)))
        time.sleep(max(0, ends - time.time()) + 0.2)
        assert c.execute("FETCH 1 FROM mine").fetchone()[1] == "w02"


def test_token_is_nowhere_but_in_the_clients_text(stack, cluster, key):
    token = tokens.token(key, tokens.claims("w02"))
    with stack.connect("ehr-token") as c:
        set_token(c, token)
        assert seen(c) == {"w02"}
        for text in ("SET pgvigil.token = '%s" % token, "SET pgvigil.token '%s'" % token, "SET pgvigil.token = %s" % token, "SET pgvigil.tokens = '%s'" % token,
                     "SELECT set_config('pgvigil.token', '%s', true)" % token, "SET pgvigil.token = '%sA'" % token, "SET pgvigil.user = '%s'" % token,
                     "BEGIN; SET LOCAL pgvigil.token = '%s'; SELECT no_such FROM w; COMMIT" % token, "SET pgvigil.token = '%s', 'b'" % token):
            with pytest.raises(psycopg.Error):
                c.execute(text)
            c.execute("ROLLBACK")
    with stack.connect("ehr-token", options="-c pgvigil.token=" + token) as c:
        assert seen(c) == {"w02"}
    with pytest.raises(psycopg.OperationalError):
        stack.connect("ehr-token", options="-c pgvigil.token=%sA" % token)
    with pytest.raises(psycopg.OperationalError):  # in the wrong place
        stack.connect("ehr-app", options="-c pgvigil.user=" + token)
    part = token.split(".")[1]
    assert "pgvigil.u_name" in cluster.log.read_text(errors="replace"), "the server's log has the statements"
    for file in [cluster.log, stack.proxy.log, *stack.audit_dir.glob("*.jsonl")]:
        assert part not in file.read_text(errors="replace"), file


# ---- a newer policy ------------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def changed(stack, name, change):
    file = stack.policy / name
    before, since = file.read_text(), stack.proxy.log_size()
    file.write_text(change(before))
    stack.proxy.hup()
    stack.proxy.wait_log("event=reload ", since=since)
    yield
    since = stack.proxy.log_size()
    file.write_text(before)
    stack.proxy.hup()
    stack.proxy.wait_log("event=reload ", since=since)


def test_changed_keys_end_who_was_proven_by_them(stack, key, tmp_path):
    other = tokens.Key(tmp_path, "other", "EC")
    old = tokens.token(key, tokens.claims("w02"))
    with stack.connect("ehr-token") as c, stack.connect("ehr-app", options="-c pgvigil.user=w02") as asserted:
        set_token(c, old)
        with changed(stack, "90-shared.cfg", lambda text: text + "\n"):  # the same keys: nothing ends
            assert seen(c) == {"w02"}
        with changed(stack, "keys.json", lambda _: json.dumps({"keys": [other.jwk(kid="k1", alg="ES256")]})):
            with pytest.raises(errors.InvalidAuthorizationSpecification, match="expired"):
                c.execute(ROWS)
            with pytest.raises(errors.InvalidAuthorizationSpecification, match="signature"):
                set_token(c, old)
            set_token(c, tokens.token(other, tokens.claims("w03")))
            assert seen(c) == {"w03"} and seen(asserted) == {"w02"}


def test_policy_with_keys_that_cannot_be_used_is_not_taken(stack, tmp_path):
    private = tokens.Key(tmp_path, "private", "EC").private.read_text()
    for text, what in ((private, "private key"), ('{"keys":[{"kty":"oct","k":"AAAA"}]}', "symmetric"), ("", "empty"), ("not a key", "neither a PEM")):
        file, since = stack.policy / "keys.json", stack.proxy.log_size()
        before = file.read_text()
        file.write_text(text)
        stack.proxy.hup()
        said = stack.proxy.wait_log("event=reload-failed .*", since=since).group(0)
        done = stack.command("check", "-c", stack.config_file, check=False)
        file.write_text(before)
        assert what in said and "90-shared.cfg:" in said and "keys.json" in said, said
        assert done.returncode == 1 and what in done.stdout
    with stack.connect("ehr-app", options="-c pgvigil.user=w02") as c:
        assert seen(c) == {"w02"}


def test_person_who_is_gone_from_the_policy_ends_the_session(stack):
    with stack.connect("ehr-app", options="-c pgvigil.user=w33") as gone, stack.connect("ehr-app", options="-c pgvigil.user=w34") as other:
        assert seen(gone) == {"w33"}
        with changed(stack, "90-shared.cfg", lambda text: text.replace('{ name = "w33"; auth = "none"; roles = [ "clerk", "ward-nurse" ]', '{ name = "w33"; auth = "none"; roles = [ "warden" ]')):
            with pytest.raises(psycopg.OperationalError, match="policy has changed"):
                gone.execute(ROWS)
            assert seen(other) == {"w34"}


# ---- observe mode ----------------------------------------------------------------------------------------------------------------

def test_observed_database_records_the_person_and_stops_nobody(make_stack, key):
    stack = make_stack(extra_policy=policy({"keys": [key.jwk()]}), extra_sql=SQL + "GRANT SELECT ON public.w TO pgvigil_dba;", database='mode = "observe";')
    with stack.connect("ehr-app", application_name="watched") as c:
        assert len(c.execute("SELECT person AS early FROM w").fetchall()) == 542
        c.execute("SET pgvigil.user = 'w02'")
        assert len(c.execute("SELECT person AS late FROM w").fetchall()) == 542
    with stack.connect("ehr-name", application_name="w05") as c:
        c.execute("SELECT person AS first FROM w")
        c.execute("SET application_name = 'w08'")
        c.execute("SELECT person AS second FROM w")
    found = {}
    for r in on_record(stack, type="whole"):
        for word in ("early", "late", "first", "second"):
            if " AS " + word in r.get("sql", ""):
                found[word] = (r["person"], r["identity"], r["observed"]["decision"])
    assert found == {"early": ("ehr-app", "nobody", "deny"), "late": ("w02", "asserted", "allow"), "first": ("w05", "asserted", "allow"),
                     "second": ("w08", "asserted", "allow")}
