"""
What outlives what: an attacker makes client, pgvigil and PostgreSQL disagree about which statement a name means, which answer
belongs to which request and whose connection it is. Each try looks at the audit trail and at the next session, not at errors only.
"""
import contextlib
import time

import pytest
import wire

A = "SELECT 4711 AS harmless"
B = "SELECT id AS hidden_read FROM wards ORDER BY id LIMIT 3"
FAILS = wire.parse("SELECT $1::int") + wire.bind(["x"]) + wire.execute()


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(pool=2, config="limits = { failed_logins = 1000000; connect_seconds = 5; };")


@pytest.fixture(autouse=True)
def unharmed(stack):
    pid = stack.proxy.pid
    yield
    assert stack.proxy.alive() and stack.proxy.pid == pid
    with stack.connect("nurse1", autocommit=True) as fresh:
        assert fresh.execute("SELECT 40 + 2").fetchone() == (42,)


def session(stack, user="nurse1", **settings):
    raw = wire.open_session(stack, user, **settings)
    raw.socket.settimeout(4)
    return raw


def on_record(stack, text, kinds=("whole", "begin"), since=0):
    return [r for r in stack.audit_records()[since:] if text in r.get("sql", "") and r["type"] in kinds
            and r.get("decision") == "allow"]


def read_is_recorded(stack, messages, before):
    """Rows of B came only if B is on record (a number more than before)."""
    values = [v for r in wire.rows_of(messages) for v in r]
    if any(v != b"4711" for v in values):
        assert len(on_record(stack, "hidden_read")) > before, "rows of a statement that the trail does not name"


# ---- names that mean another text upstream --------------------------------------------------------------------------------

@pytest.mark.parametrize("user", ["nurse1", "admin1"])
def test_unnamed_statement_of_a_skipped_parse_is_not_the_one_before(stack, user):
    with session(stack, user) as raw:
        raw.send(wire.parse(B) + wire.SYNC)
        raw.until("Z")
        before = len(on_record(stack, "hidden_read"))
        raw.send(wire.parse("SELECT $1::int", "f") + wire.bind(["x"], "", "f") + wire.parse(A) + wire.SYNC
                 + wire.bind() + wire.execute() + wire.SYNC)
        first, second = raw.until("Z"), raw.until("Z")
        assert wire.error_of(first)["C"] == "22P02"
        read_is_recorded(stack, second, before)
        # Its twin, asked for in the same way but rightly, is answered and recorded.
        raw.send(wire.parse(B) + wire.bind() + wire.execute() + wire.SYNC)
        assert len(wire.rows_of(raw.until("Z"))) == 3
        assert len(on_record(stack, "hidden_read")) > before


def test_named_statement_of_a_refused_parse_is_not_the_new_text_on_record(stack):
    with session(stack, "admin1") as raw:
        raw.send(wire.parse(B, "s1") + wire.SYNC)
        raw.until("Z")
        before = len(on_record(stack, "hidden_read"))
        raw.send(wire.parse(A, "s1") + wire.SYNC + wire.bind([], "", "s1") + wire.execute() + wire.SYNC)
        first, second = raw.until("Z"), raw.until("Z")
        assert wire.error_of(first)["C"] == "42P05"
        read_is_recorded(stack, second, before)


def test_named_statement_of_a_skipped_close_is_still_on_record(stack):
    with session(stack, "admin1") as raw:
        raw.send(wire.parse(B, "s2") + wire.SYNC)
        raw.until("Z")
        before = len(on_record(stack, "hidden_read"))
        raw.send(FAILS + wire.close("S", "s2") + wire.SYNC + wire.bind([], "", "s2") + wire.execute() + wire.SYNC)
        first, second = raw.until("Z"), raw.until("Z")
        assert wire.error_of(first)["C"] == "22P02"
        assert len(wire.rows_of(second)) == 3
        read_is_recorded(stack, second, before)


@pytest.mark.parametrize("user", ["nurse1", "admin1"])
def test_portal_that_a_refused_bind_did_not_replace_is_not_recorded_as_the_new_one(stack, user):
    with session(stack, user) as raw:
        raw.query("BEGIN")
        raw.send(wire.parse(B, "b") + wire.parse(A, "a") + wire.bind([], "p", "b") + wire.SYNC)
        assert wire.error_of(raw.until("Z")) is None
        raw.query("SAVEPOINT s")
        before = len(on_record(stack, "hidden_read"))
        raw.send(FAILS + wire.SYNC + wire.query("ROLLBACK TO s") + FAILS + wire.bind([], "p", "a") + wire.SYNC
                 + wire.query("ROLLBACK TO s") + wire.execute("p") + wire.SYNC)
        got = [raw.until("Z") for _ in range(5)]
        read_is_recorded(stack, got[-1], before)


def test_setting_that_ran_under_another_statements_name_is_not_left_to_the_next(stack):
    with session(stack, "nurse1") as raw:
        raw.send(wire.parse("SET DateStyle = 'German, DMY'") + wire.SYNC)
        raw.until("Z")
        raw.send(wire.parse("SELECT $1::int", "f") + wire.bind(["x"], "", "f") + wire.parse(A) + wire.SYNC
                 + wire.bind() + wire.execute() + wire.SYNC)
        raw.until("Z"), raw.until("Z")
    for user in ("nurse1", "reception1", "nurse1"):
        with session(stack, user) as other:
            assert wire.rows_of(other.query("SELECT '2020-02-01'::date")) == [(b"2020-02-01",)]


# ---- settings -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("setting", [
    "SET DateStyle = 'German, DMY'", "SET TimeZone = 'Pacific/Apia'", "SET statement_timeout = 1",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET TIME ZONE 5", "SET client_encoding = 'LATIN1'",
    "SET extra_float_digits = -10", "SET IntervalStyle = 'iso_8601'", "BEGIN; SET DateStyle = 'German, DMY'; COMMIT",
    "SET standard_conforming_strings = off", "SET bytea_output = 'escape'",
])
def test_setting_of_one_session_is_never_the_next_ones(stack, setting):
    shown = ["DateStyle", "TimeZone", "statement_timeout", "transaction_read_only", "client_encoding",
             "extra_float_digits", "IntervalStyle", "standard_conforming_strings", "bytea_output"]

    def values():
        found = []
        with session(stack, "nurse1") as raw:
            for name in shown:
                got = raw.query("SHOW " + name)
                found.append(wire.rows_of(got) or wire.error_of(got)["C"])
        return found

    before = values()
    with session(stack, "nurse1") as raw:
        raw.query(setting)
        # Who logs in meanwhile is told of no setting of someone else's.
        with contextlib.ExitStack() as others:
            for _ in range(4):  # held open: every worker gets one
                other = others.enter_context(wire.Raw(stack.port, stack.tls_context()))
                told = dict(body[:-1].split(b"\0") for kind, body in other.login(
                    "reception1", next(iter(stack.databases)), "reception1-demo") if kind == "S")
                assert (told[b"DateStyle"], told[b"IntervalStyle"]) == (b"ISO, MDY", b"postgres"), told
                assert told[b"standard_conforming_strings"] == b"on" and told[b"client_encoding"] == b"UTF8"
                assert told[b"TimeZone"] not in (b"Pacific/Apia", b"<+05>-05")
    time.sleep(0.05)
    assert [values() for _ in range(2)] == [before] * 2


# ---- requests and answers ---------------------------------------------------------------------------------------------------

def test_query_in_a_failed_group_leaves_no_deaf_connection_in_the_pool(stack):
    for _ in range(6):
        with session(stack, "nurse1") as raw:
            raw.send(FAILS + wire.query("SELECT 1") + wire.SYNC)
            raw.socket.settimeout(2)
            got = raw.until("Z")
            assert [kind for kind, _ in got] == ["1", "E", "Z"], got
            raw.send(wire.SYNC + wire.query("SELECT 2"))
            assert raw.until("Z")[-1] == ("Z", b"I")
            assert wire.rows_of(raw.until("Z")) == [(b"2",)]
    for user in ("reception1", "nurse1", "reception1", "nurse1"):
        with stack.connect(user, connect_timeout=5) as other:
            other.execute("SET statement_timeout = '3s'")
            assert other.execute("SELECT 5").fetchone() == (5,)


def test_query_in_an_open_group_is_answered_once(stack):
    with session(stack, "nurse1") as raw:
        raw.send(wire.parse("SELECT 7") + wire.bind() + wire.execute() + wire.query("SELECT 8") + wire.SYNC
                 + wire.query("SELECT 9"))
        assert wire.rows_of(raw.until("Z")) == [(b"7",), (b"8",)]
        assert raw.until("Z") == [("Z", b"I")]
        assert wire.rows_of(raw.until("Z")) == [(b"9",)]


def test_portal_of_pgvigils_own_name_cannot_be_made(stack):
    for user in ("nurse1", "admin1"):
        with session(stack, user) as raw:
            raw.query("BEGIN")
            before = len(on_record(stack, "hidden_read"))
            raw.send(wire.parse(B) + wire.bind([], "pgvigil refused") + wire.SYNC)
            assert wire.error_of(raw.until("Z")), "that name makes a refused statement run the portal, unrecorded"
            assert len(on_record(stack, "hidden_read")) == before
            raw.query("ROLLBACK")
            assert wire.rows_of(raw.query("SELECT 3")) == [(b"3",)]


def test_answers_stay_with_their_requests_through_errors_floods_and_unknown_names(stack):
    with session(stack, "nurse1") as raw:
        raw.send(b"".join(
            FAILS + wire.SYNC + wire.close("S", "nobody") + wire.close("P", "nobody") + wire.SYNC * 5
            + wire.parse("SELECT %d" % i) + wire.bind() + wire.execute() + wire.SYNC + wire.query("") for i in range(60)))
        for i in range(60):
            assert wire.error_of(raw.until("Z"))["C"] == "22P02"
            assert [k for k, _ in raw.until("Z")] == ["3", "3", "Z"]
            assert [raw.until("Z") for _ in range(4)] == [[("Z", b"I")]] * 4
            assert wire.rows_of(raw.until("Z")) == [(str(i).encode(),)]
            assert [k for k, _ in raw.until("Z")] == ["I", "Z"]


# ---- ends in the middle -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sent", [
    wire.parse(B), wire.parse(B) + wire.bind() + wire.FLUSH, wire.query("BEGIN"), FAILS, FAILS + wire.FLUSH,
    wire.query("SELECT * FROM patients, patients p2"), wire.query("SELECT pg_sleep(3)"),
    wire.query("BEGIN; SET LOCAL TimeZone = 'Pacific/Apia'"), wire.parse(B) + wire.bind() + wire.execute("", 1) + wire.FLUSH,
])
def test_client_that_goes_in_the_middle_leaves_nothing(stack, sent):
    for pause in (0, 0.05):
        for _ in range(2):
            with session(stack, "nurse1") as raw:
                raw.send(sent)
                time.sleep(pause)
        with session(stack, "reception1") as other:
            assert wire.rows_of(other.query("SELECT '2020-02-01'::date")) == [(b"2020-02-01",)]
            assert wire.rows_of(other.query("SHOW TimeZone")) != [(b"Pacific/Apia",)]
            assert raw is not other and other.query("ROLLBACK")[-1] == ("Z", b"I")


def test_cancel_and_loss_while_an_identity_is_set_never_give_anothers(stack):
    """Missions change, cancels and terminated backends come in between: who answers is who asked."""
    with session(stack, "nurse1") as one, session(stack, "reception1") as two, stack.superuser() as dba:
        for i in range(25):
            for raw, name in ((one, b"nurse1"), (two, b"reception1")):
                raw.send(wire.query("SET pgvigil.reason = 'r%d'" % i) + wire.query("SELECT current_user, %d" % i))
                if i % 3 == 0:
                    with wire.Raw(stack.port, stack.tls_context()) as killer:
                        killer.send(wire.cancel(*raw.key))
                if i % 5 == 4:
                    dba.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil'")
                try:
                    raw.until("Z")
                    got = raw.until("Z")
                except wire.Closed:
                    return  # the connection went with its server, which is right
                if wire.error_of(got) is None:
                    assert wire.rows_of(got) == [(name, str(i).encode())], got
