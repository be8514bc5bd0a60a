"""
SQL's PREPARE, EXECUTE, DEALLOCATE by restricted roles: as PostgreSQL does them on the views that the test writes, by both protocols and
mixed with the protocol's own named statements, of which they share the names; across servers, missions and people.
"""
import threading

import pytest
import wire
from test_cursors import reads, records
from side_by_side import Both, extended
from test_oracle import PAIRS, oracles, stack  # noqa: F401

NURSE, DESK, RESEARCH = PAIRS
SYNC = wire.SYNC
Q = "SELECT id, sex FROM patients WHERE id > $1 ORDER BY id LIMIT 3"


def bound(name, *values, portal="", rows=0):
    return wire.bind(values, portal, name) + wire.describe("P", portal) + wire.execute(portal, rows)


FAILS = "SELECT id + true FROM patients"  # at the server
SCRIPTS = {
    "plain": ["PREPARE q AS SELECT count(*) FROM patients", "EXECUTE q", "EXECUTE q", "DEALLOCATE q", "EXECUTE q"],
    "types": ["PREPARE q (int) AS " + Q, "EXECUTE q(3)", "EXECUTE q('4')", "EXECUTE q(1 + 2)", "EXECUTE q(NULL)", "EXECUTE q('x')", "EXECUTE q(3000000000)",
              "EXECUTE q(DATE '2020-01-01')"],
    "no types": ["PREPARE q AS " + Q, "EXECUTE q(3)", "EXECUTE q('4')"],
    "many types": ["PREPARE q (int, text, varchar(3), numeric(5,2), date, timestamptz, bool, int[], text[], jsonb, bytea, \"char\", char(4), interval, uuid, _float8, "
                   "double precision, bit(3), time, name) AS SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20",
                   "EXECUTE q(1, 'a', 'abcdef', 1.239, '2020-01-02', '2020-01-02 03:04+00', 't', '{1,2}', ARRAY['x', 'y'], '{\"a\": 1}', '\\x01', 'z', 'ab', '1 day', "
                   "'00000000-0000-4000-8000-000000000000', '{1.5}', 2.5, '101', '10:11', 'n')"],
    "arguments": ["PREPARE q (int) AS SELECT $1 + 1", "EXECUTE q", "EXECUTE q()", "EXECUTE q(1, 2)", "EXECUTE q(abs(-4))", "EXECUTE q(length('abc') * 2)",
                  "EXECUTE q((SELECT 1))", "EXECUTE q(count(*))", "EXECUTE q(nosuch)", "EXECUTE q($1)", "EXECUTE q(now())", "EXECUTE nosuch(1)"],
    "kinds": ["PREPARE a AS VALUES (1), (2)", "EXECUTE a", "PREPARE b AS TABLE wards", "PREPARE c AS WITH p AS (SELECT id FROM patients) SELECT count(*) FROM p", "EXECUTE c",
              "PREPARE d AS (SELECT 1)", "EXECUTE d", "PREPARE e AS SELECT 1 UNION SELECT 2 ORDER BY 1", "EXECUTE e"],
    "names": ["PREPARE Q AS SELECT 1", "EXECUTE q", 'EXECUTE "Q"', 'PREPARE "Q" AS SELECT 2', 'EXECUTE "Q"', 'PREPARE "a""; SELECT 3 --" AS SELECT 3', 'EXECUTE "a""; SELECT 3 --"',
              'PREPARE U&"\\00E9t\\00E9" AS SELECT 4', 'EXECUTE "été"', 'EXECUTE U&"!00E9t!00E9" UESCAPE \'!\'', 'PREPARE "as" AS SELECT 5', 'EXECUTE "as"',
              "PREPARE " + "n" * 70 + " AS SELECT 6", "EXECUTE " + "n" * 63, 'EXECUTE/**/"Q"', 'EXECUTE q;', "PREPARE prepare AS SELECT 7", "EXECUTE prepare",
              "DEALLOCATE PREPARE prepare", "EXECUTE prepare", "DEALLOCATE ALL", "EXECUTE q"],
    "names are taken": ["PREPARE q AS SELECT 1", "PREPARE q AS SELECT 2", "EXECUTE q", wire.parse("SELECT 3", "q") + SYNC, "EXECUTE q", "DEALLOCATE q", "PREPARE q AS SELECT 4", "EXECUTE q"],
    "errors": ["PREPARE q AS SELECT nosuch FROM patients", "EXECUTE q", "PREPARE q (int) AS SELECT 6 / $1", "EXECUTE q(0)", "EXECUTE q(3)"],
    "in a transaction": ["BEGIN", "PREPARE q AS SELECT 1", "EXECUTE q", "ROLLBACK", "EXECUTE q", "BEGIN", "SELECT 1/0", "EXECUTE q", "PREPARE r AS SELECT 2", "PREPARE q AS SELECT 3", "DEALLOCATE q", "ROLLBACK",
                         "EXECUTE q", "EXECUTE r", "BEGIN", "EXECUTE nosuch", "EXECUTE q", "ROLLBACK", "BEGIN", "SELECT 1/0", "ROLLBACK; EXECUTE q"],
    "in one text": ["PREPARE a AS SELECT 1; EXECUTE a", "EXECUTE a", "BEGIN; PREPARE b (int) AS " + Q + "; EXECUTE b(3); COMMIT; SELECT 2", "EXECUTE b(4)",
                    "PREPARE c AS SELECT 1; PREPARE d AS SELECT nosuch FROM patients; PREPARE e AS SELECT 1", "EXECUTE c", "EXECUTE e", "PREPARE a AS SELECT 2; SELECT 3",
                    "BEGIN; PREPARE f AS SELECT 1; SELECT 1/0; PREPARE g AS SELECT 2", "ROLLBACK; EXECUTE f", "EXECUTE g", "BEGIN; PREPARE h AS SELECT nosuch FROM patients; SELECT 1", "SELECT 1", "ROLLBACK",
                    "DEALLOCATE a; PREPARE a AS SELECT 5; EXECUTE a", "PREPARE i AS SELECT 1/0; EXECUTE i; SELECT 7", "EXECUTE i", "PREPARE j AS SELECT 1; BEGIN; EXECUTE j; COMMIT; EXECUTE j"],
    "several statements": ["PREPARE q (int) AS SELECT $1", "BEGIN; EXECUTE q(1); SELECT 2; EXECUTE q(3); COMMIT", "EXECUTE q(4); EXECUTE q(1, 2); EXECUTE q(5)", "EXECUTE q(6)"],
    "fetched": ["BEGIN", "PREPARE q AS SELECT 1", "DECLARE c CURSOR FOR SELECT 2", "EXECUTE q", "FETCH c", "EXECUTE q; FETCH c", "COMMIT"],
    "bound by the protocol": ["PREPARE q (int) AS " + Q, bound("q", "5") + SYNC, wire.describe("S", "q") + SYNC, bound("q", "x") + SYNC, bound("q", "6") + bound("q", "7") + SYNC,
                              wire.close("S", "q") + SYNC, bound("q", "8") + SYNC, "EXECUTE q(9)"],
    "parsed by the protocol": [wire.parse(Q, "q") + SYNC, "EXECUTE q(5)", "PREPARE q AS SELECT 1", "DEALLOCATE q", "EXECUTE q(5)", wire.parse(Q, "q", types=(25,)) + SYNC,
                               "EXECUTE q('5')", wire.parse(Q, "r", types=(23,)) + SYNC, "EXECUTE r(5)"],
    "execute by the protocol": [
        "PREPARE q (int) AS " + Q, extended("EXECUTE q(3)") + SYNC, extended("EXECUTE q(3)", formats=(1,)) + SYNC,
        wire.parse("EXECUTE q(4)", "e") + wire.describe("S", "e") + SYNC, bound("e") + bound("e") + SYNC, extended("EXECUTE q(2)", rows=1) + wire.execute() + SYNC],
    "prepare by the protocol": [extended("PREPARE q (int) AS " + Q) + SYNC, extended("EXECUTE q(3)") + SYNC, extended("PREPARE q AS SELECT 1") + SYNC, extended("DEALLOCATE q") + SYNC,
                                wire.parse("PREPARE q AS SELECT 1", "p") + bound("p") + SYNC, "EXECUTE q", "DEALLOCATE q", bound("p") + SYNC, "EXECUTE q",
                                extended("PREPARE r AS SELECT nosuch FROM patients") + SYNC, "SELECT 1"],
    "all at once": [extended("PREPARE q (int) AS " + Q) + extended("SELECT 7") + bound("q", "3") + SYNC,
                    extended("SELECT 1") + extended("PREPARE x AS SELECT nosuch FROM patients") + extended("SELECT 2") + SYNC, "EXECUTE x"],
    "closed behind what fails": [
        wire.parse(FAILS, "q") + wire.close("S", "q") + SYNC, wire.parse("SELECT 1", "q") + SYNC, bound("q") + SYNC,
        wire.parse(FAILS, "r") + wire.parse("SELECT 2", "s") + wire.close("S", "s") + wire.close("S", "r") + wire.parse("SELECT 3", "r") + SYNC,
        bound("r") + SYNC, bound("s") + SYNC, wire.parse("SELECT 4", "s") + SYNC, wire.parse("SELECT 5", "r") + SYNC, bound("s") + SYNC, bound("r") + SYNC,
        wire.close("S", "q") + wire.parse(FAILS, "q") + wire.close("S", "q") + wire.parse("SELECT 6", "q") + SYNC, bound("q") + SYNC, wire.parse("SELECT 7", "q") + SYNC,
        bound("q") + SYNC, wire.parse(FAILS, "t") + wire.close("S", "q") + SYNC, bound("q") + SYNC],
    "prepared anew": ["PREPARE q AS SELECT 1", wire.parse("EXECUTE q", "e") + SYNC, bound("e") + SYNC, "DEALLOCATE q", "PREPARE q AS SELECT 2", bound("e") + SYNC],
}
@pytest.mark.parametrize("pair", [NURSE, RESEARCH])
@pytest.mark.parametrize("name", SCRIPTS)
def test_as_postgresql_does(name, pair, stack, oracles):  # noqa: F811
    with Both(stack, oracles[pair].info.dbname, PAIRS[pair][0]) as both:
        both.run(*SCRIPTS[name])


def test_search_path_of_the_moment(stack, oracles):  # noqa: F811
    """As in PostgreSQL: a prepared text is read anew under another search_path."""
    with Both(stack, oracles[NURSE].info.dbname, "nurse1") as both:
        both.run("PREPARE q AS SELECT count(*), min(id) FROM patients", "EXECUTE q", 'SET search_path = "Étage", public', "EXECUTE q", bound("q") + SYNC,
                 "RESET search_path", "EXECUTE q")


# ---- what is on record ---------------------------------------------------------------------------------------------------

BIRTHS = "SELECT id, birth_date FROM patients WHERE id > $1 AND family_name <> 'SECRET-LITERAL' ORDER BY id LIMIT 4"
RECORDED = {
    "simple": ["PREPARE q (int) AS " + BIRTHS, "EXECUTE q(7700770)", "EXECUTE q(1)"],
    "extended": [extended("PREPARE q (int) AS " + BIRTHS) + SYNC, extended("EXECUTE q(7700770)") + SYNC, extended("EXECUTE q(1)") + SYNC],
    "one text": ["PREPARE q (int) AS " + BIRTHS, "SELECT 1; EXECUTE q(7700770); EXECUTE q('1')"],
    "parsed": [wire.parse(BIRTHS, "q", types=(23,)) + SYNC, "EXECUTE q(7700770)", "EXECUTE q(1)"],
}


@pytest.mark.parametrize("name", RECORDED)
def test_execute_is_on_record_with_what_it_reads(name, stack):  # noqa: F811
    application = "execute-record-" + name
    with wire.open_session(stack, "nurse1", application_name=application) as raw:
        for step in RECORDED[name]:
            raw.send(wire.query(step) if isinstance(step, str) else step)
            assert wire.error_of(raw.until("Z")) is None
    kept = records(stack, application, "EXECUTE")
    assert [r["rows"] for r in kept] == [0, 4]
    for record in kept:
        assert reads(record) == {"patients": {"id", "birth_date", "family_name"}} and "40-rules-care.cfg" in record["rule"]
    every = str(records(stack, application))
    assert "SECRET-LITERAL" not in every and "7700770" not in every


def test_writing_execute_is_on_record_before_it_goes(stack):  # noqa: F811
    with wire.open_session(stack, "reception1", application_name="execute-write") as raw:
        assert wire.error_of(raw.query("PREPARE u (text) AS UPDATE patients SET city = $1 WHERE id = 1 RETURNING id, city")) is None
        assert wire.rows_of(raw.query("EXECUTE u('Lyon')")) == [(b"1", b"Lyon")]
        assert wire.rows_of(raw.extended("EXECUTE u('Paris')")) == [(b"1", b"Paris")]
        assert wire.error_of(raw.query("PREPARE n (text) AS UPDATE patients SET family_name = $1"))["C"] == "42501"
    kept = [r for r in records(stack, "execute-write") if r.get("statement") == "EXECUTE" or r["type"] == "end"]
    assert [r["type"] for r in kept] == ["begin", "end"] * 2 and kept[1]["rows"] == 1
    with stack.superuser() as c:
        assert c.execute("SELECT city FROM patients WHERE id = 1").fetchone() == ("Paris",)


def test_max_rows_of_an_execute(stack):  # noqa: F811
    with wire.open_session(stack, "research1") as raw:
        raw.keep = False
        raw.query("PREPARE q (int) AS SELECT n FROM generate_series(1, $1) n")
        for _ in range(2):
            assert len(wire.rows_of(raw.query("EXECUTE q(10000)"))) == 10000
            assert wire.error_of(raw.query("EXECUTE q(10001)"))["C"] == "54000"
            assert wire.error_of(raw.extended("EXECUTE q(10001)"))["C"] == "54000"


# ---- missions, people, servers -----------------------------------------------------------------------------------------------

def test_execute_follows_the_mission(stack):  # noqa: F811
    with wire.open_session(stack, "dr.martin") as raw:
        count = "SELECT count(*), min(id) FROM patients"
        raw.query("PREPARE q AS " + count)
        raw.query("PREPARE names AS SELECT family_name FROM patients ORDER BY id LIMIT 2")
        raw.query("PREPARE documents AS SELECT count(*) FROM documents")
        raw.send(wire.parse("EXECUTE q", "e") + SYNC)
        raw.until("Z")
        answers = {}
        for mission in ("care", "research", "care", "research", "care"):
            assert wire.error_of(raw.query("SET pgvigil.mission = '%s'" % mission)) is None
            expected = wire.rows_of(raw.query(count))
            assert wire.rows_of(raw.query("EXECUTE q")) == expected
            raw.send(bound("e") + SYNC + extended("EXECUTE q") + SYNC + bound("q") + SYNC)
            assert [wire.rows_of(raw.until("Z")) for _ in range(3)] == [expected] * 3
            assert answers.setdefault(mission, expected) == expected
            for ask in (raw.query, raw.extended):
                names, documents = ask("EXECUTE names"), ask("EXECUTE documents")
                assert len([1 for kind, _ in names if kind in "EC"]) == 1  # one answer, not two
                if mission == "care":
                    assert len(wire.rows_of(names)) == 2 and len(wire.rows_of(documents)) == 1
                else:
                    assert wire.error_of(names)["C"] == "42703" and wire.error_of(documents)["C"] == "42501"
                    assert not wire.rows_of(names) and not wire.rows_of(documents)
        assert answers["care"] != answers["research"]


def test_execute_in_a_transaction_after_the_mission_fails_it(stack):  # noqa: F811
    """What is prepared on the server at hand fails there: one error, a failed transaction, and nothing after it."""
    with wire.open_session(stack, "dr.martin") as raw:
        raw.query("PREPARE names AS SELECT family_name FROM patients ORDER BY id LIMIT 2")
        raw.query("SET pgvigil.mission = 'research'")
        raw.query("BEGIN")
        got = raw.query("SELECT 1; EXECUTE names; SELECT 2")
        assert wire.error_of(got)["C"] == "42703" and got[-1] == ("Z", b"E") and not wire.rows_of(got)
        assert wire.error_of(raw.query("SELECT 1"))["C"] == "25P02"
        raw.query("ROLLBACK")
        assert wire.rows_of(raw.query("SELECT 1")) == [(b"1",)]


def test_policy_that_changes_is_followed(make_stack):
    own = make_stack()
    with wire.open_session(own, "nurse1") as raw:
        raw.query("PREPARE q AS SELECT allergies FROM patients WHERE allergies IS NOT NULL ORDER BY id LIMIT 1")
        assert wire.rows_of(raw.query("EXECUTE q"))
        rules = own.policy / "40-rules-care.cfg"
        text = rules.read_text(encoding="utf-8")
        rules.write_text(text.replace('medical = "show"; nir = "hide"; }; },', 'medical = "null"; nir = "hide"; }; },', 1), encoding="utf-8")
        own.deploy()
        since = own.proxy.log_size()
        own.proxy.hup()
        own.proxy.wait_log("event=reload", since=since)
        with wire.open_session(own, "nurse1") as other:
            while wire.rows_of(other.query("SELECT 1 FROM patients WHERE allergies IS NOT NULL LIMIT 1")):
                pass
        assert wire.rows_of(raw.query("EXECUTE q")) == []


def test_more_sessions_than_servers(make_stack):
    """Each session's names are its own, wherever its EXECUTE comes to run."""
    own = make_stack(pool=2)
    wrong = []

    def work(number, user):
        with wire.open_session(own, user) as raw:
            raw.keep = False
            count = wire.rows_of(raw.query("SELECT count(*) FROM patients"))
            raw.query("PREPARE q (int) AS SELECT %d, $1, count(*) FROM patients" % (number % 5))
            for n in range(30):
                expected = [(b"%d" % (number % 5), b"%d" % n) + count[0]]
                got = wire.rows_of(raw.query("EXECUTE q(%d)" % n)) if n % 3 else wire.rows_of(raw.extended("EXECUTE q(%d)" % n))
                if got != expected:
                    wrong.append((user, got, expected))

    threads = [threading.Thread(target=work, args=(n, ("nurse1", "nurse2")[n % 2])) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- what is refused -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sqlstate,sql", [
    ("42501", "PREPARE q AS SELECT * FROM staff_salaries"), ("42703", "PREPARE q AS SELECT nir FROM patients"), ("42501", "PREPARE q AS SELECT ctid FROM patients"),
    ("42501", "PREPARE q AS SELECT pg_sleep(1)"), ("0A000", "PREPARE q AS SELECT 1 INTO x"), ("42501", "PREPARE q AS SELECT * FROM patients FOR UPDATE"),
    ("42501", "PREPARE q AS UPDATE patients SET city = 'x'"), ("42501", "PREPARE q AS INSERT INTO wards DEFAULT VALUES"),
    ("42501", "PREPARE q (regclass) AS SELECT $1"), ("42501", "PREPARE q (patients) AS SELECT $1"), ("42501", "PREPARE q (public._staff_salaries) AS SELECT $1"),
    ("42501", "PREPARE q (regrole[]) AS SELECT $1"), ("42501", "PREPARE q (regconfig) AS SELECT $1"), ("42501", "PREPARE q (xid) AS SELECT $1"),
    ("42601", "PREPARE q AS EXPLAIN SELECT 1"), ("42601", "PREPARE q AS EXECUTE known"), ("42601", "PREPARE q AS COPY patients TO STDOUT"), ("42601", "PREPARE q AS BEGIN"),
    ("42501", "EXECUTE known(pg_sleep(1)::text)"), ("42501", "EXECUTE known((SELECT gross::text FROM staff_salaries LIMIT 1))"),
    ("42501", "EXECUTE known(pg_read_file('/etc/passwd'))"), ("42501", "EXECUTE known('x'::regoper::text)"),
    ("42501", "EXPLAIN EXECUTE known('x')"), ("42501", "EXPLAIN ANALYZE EXECUTE known('x')"), ("0A000", "CREATE TABLE t AS EXECUTE known('x')"),
    ("42501", "CREATE TEMP TABLE t AS EXECUTE known('x')"), ("26000", "EXECUTE nosuch"), ("26000", 'EXECUTE "known; SELECT 1"'), ("26000", "EXECUTE \"\"\"known\"\"\""),
    ("26000", "EXECUTE KNOWN2"), ("42601", 'EXECUTE ""'), ("26000", "DEALLOCATE nosuch"), ("0A000", "SELECT 1; PREPARE a AS SELECT 1"),
])
def test_outside_the_policy_is_refused(sqlstate, sql, stack):  # noqa: F811
    for protocol in ("query", "extended"):
        with wire.open_session(stack, "nurse1") as raw:
            raw.query("PREPARE known (text) AS SELECT $1")
            got = raw.query(sql) if protocol == "query" else raw.extended(sql)
            error = wire.error_of(got)
            assert error["C"] in (sqlstate, "42601" if ";" in sql and protocol == "extended" else sqlstate), error
            assert not wire.rows_of(got) and "pgv_" not in str(error)
            assert wire.rows_of(raw.query("EXECUTE known('still there')")) == [(b"still there",)]


@pytest.mark.parametrize("sql", ["BEGIN", "COMMIT", "FETCH c", "DECLARE c CURSOR FOR SELECT 1", "SHOW server_version", "SET datestyle = iso", "SHOW pgvigil.mission", "DISCARD ALL", "",
                                 "COPY patients TO STDOUT", "PREPARE y AS SELECT 1", "EXECUTE known('1')", "DEALLOCATE ALL"])
def test_execute_runs_queries_only(sql, stack):  # noqa: F811
    """A name of the protocol may stand for any statement; EXECUTE must not run one past its own record."""
    with wire.open_session(stack, "nurse1") as raw:
        raw.query("PREPARE known (text) AS SELECT $1")
        raw.send(wire.parse(sql, "x") + SYNC)
        assert wire.error_of(raw.until("Z")) is None
        for ask in (raw.query, raw.extended):
            assert wire.error_of(ask("EXECUTE x"))["C"] == "0A000"
        assert raw.query("SELECT 1")[-1] == ("Z", b"I")


def test_names_that_the_server_has_are_not_the_clients(stack):  # noqa: F811
    """The name on the server is a hash that anybody can compute; it opens nothing that the session did not prepare."""
    with stack.superuser() as c:
        with wire.open_session(stack, "reception1") as raw:
            raw.query("PREPARE q AS SELECT nir FROM patients")
            raw.query("EXECUTE q")
        names = [line.split('EXECUTE "')[1].split('"')[0] for line in stack.cluster.tail(400).splitlines() if 'EXECUTE "pgv_' in line]
        assert c.execute("SELECT 1").fetchone() == (1,)
    with wire.open_session(stack, "nurse1") as raw:
        for name in names + ["pgv_00112233445566778899aabbccddeeff"]:
            assert wire.error_of(raw.query('EXECUTE "%s"' % name))["C"] == "26000"
            raw.send(wire.bind((), "", name) + wire.execute() + SYNC)
            assert wire.error_of(raw.until("Z"))["C"] == "26000"
        raw.query('PREPARE "pgv_00112233445566778899aabbccddeeff" AS SELECT 5')
        assert wire.rows_of(raw.query('EXECUTE "pgv_00112233445566778899aabbccddeeff"')) == [(b"5",)]


@pytest.mark.parametrize("body", [b"EXECUTE \"q\0\"\0", b"PREPARE \"\xff\" AS SELECT 1\0", b"EXECUTE q('\xc3')\0", b"EXECUTE \"\xed\xa0\x80\"\0"])
def test_names_that_are_no_text(body, stack):  # noqa: F811
    raw = wire.open_session(stack, "nurse1")
    raw.query("PREPARE q (text) AS SELECT $1")
    raw.send(wire.message("Q", body))
    try:
        got = raw.until("Z")
    except wire.Closed:
        got = []
    assert not wire.rows_of(got)
    raw.close()


def test_unrestricted_roles_prepare_as_before(stack):  # noqa: F811
    with wire.open_session(stack, "admin1") as raw:
        assert wire.error_of(raw.query("PREPARE q (int) AS SELECT $1; EXECUTE q(4)")) is None
        assert wire.rows_of(raw.extended("EXECUTE q(5)")) == [(b"5",)]
