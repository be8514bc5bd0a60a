"""
EXPLAIN by restricted roles whose `allow` has the word: the types of the plan's nodes, which are those of PostgreSQL's own plan for the
statement that is sent, and nothing else: no name, condition, constant, key or number.
"""
import re

import allow_schema
import pytest
import wire
from side_by_side import extended
from test_cursors import records

SYNC = wire.SYNC
# What may be seen: words of PostgreSQL's node types, arrows and spaces.
SEEN = re.compile(r"( *->  )?[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*")
ROOT = re.compile(r"[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*")


@pytest.fixture(scope="module")
def stack(make_stack):
    return allow_schema.make(make_stack)


def plan(messages):
    assert wire.error_of(messages) is None, messages
    return [row[0].decode() for row in wire.rows_of(messages)]


STATEMENTS = [
    "SELECT * FROM patients", "SELECT p.id FROM patients p JOIN stays s ON s.patient_id = p.id WHERE p.family_name LIKE 'Mar%' ORDER BY p.birth_date LIMIT 5",
    "SELECT count(*) FROM observations WHERE value > 3 GROUP BY loinc HAVING count(*) > 1", "TABLE u.stays", "VALUES (1), (2)", "(SELECT 1) UNION ALL SELECT 2",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) SELECT * FROM t, generate_series(1, 3)", "SELECT * FROM u.logs WHERE region = 1",
    "SELECT DISTINCT ON (ward) ward, label, rank() OVER (PARTITION BY ward) FROM u.beds ORDER BY ward, id DESC", "SELECT * FROM u.beds WHERE id = 3 FOR UPDATE",
    "SELECT * FROM u.beds ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED", "INSERT INTO u.notes VALUES (99, 'SECRET-LITERAL')", "UPDATE u.notes SET note = 'x' WHERE id = 1", "DELETE FROM u.logs",
    "SELECT * FROM pg_class WHERE relname = 'patients'", "SELECT id FROM u.tools EXCEPT SELECT id FROM u.logs", "SELECT E'\n->  Sort', '\n->  S3CR3T on x' FROM u.tools WHERE label = E'a\n->  Hash Join on secret'",
]
HIDDEN = ["pgvigil", "care_team", "ward_id", "secret", "S3CR3T", "SECRET", "current_setting", "Filter", "Cond", "{1,2}", "patients", "stays", "teams", "rows=", "cost", "Key", "(", "'", ":", "0"]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_types_of_nodes_are_all_that_is_seen(sql, stack):
    with wire.open_session(stack, "nurse1") as raw:
        simple = plan(raw.query("EXPLAIN " + sql))
        assert simple and ROOT.fullmatch(simple[0]) and all(SEEN.fullmatch(line) for line in simple), simple
        for way in (raw.query("explain (costs) " + sql), raw.query("EXPLAIN (FORMAT text, COSTS off)" + sql), raw.query("SELECT 1; EXPLAIN/**/ " + sql), raw.extended("EXPLAIN " + sql)):
            assert plan(way)[-len(simple):] == simple
        text = "\n".join(simple)
        assert not [word for word in HIDDEN if word in text]
    with stack.superuser() as c:
        assert c.execute("SELECT count(*) FROM u.notes WHERE id = 99").fetchone() == (0,)  # nothing has run


def test_nodes_are_postgresqls(stack):
    """For tables that are seen whole: the same nodes as PostgreSQL's plan on the table."""
    with wire.open_session(stack, "nurse1") as raw, stack.superuser() as c:
        for sql in ("SELECT id, label FROM u.tools", "SELECT count(*) FROM u.tools t JOIN u.logs l USING (id)", "SELECT * FROM u.logs ORDER BY what LIMIT 3"):
            theirs = [row[0] for row in c.execute("EXPLAIN (COSTS off) " + sql).fetchall()]
            nodes = [re.sub(r" (on|using) .*", "", line) for n, line in enumerate(theirs) if n == 0 or "->" in line]
            assert plan(raw.query("EXPLAIN " + sql)) == nodes


def test_protocol(stack):
    with wire.open_session(stack, "nurse1") as raw:
        got = raw.query("EXPLAIN SELECT 1")
        assert [kind for kind, _ in got] == ["T", "D", "C", "Z"] and wire.tag_of(got) == "EXPLAIN" and wire.columns(got[0][1])[0][0] == "QUERY PLAN"
        raw.send(wire.parse("EXPLAIN SELECT * FROM u.beds WHERE id = $1", "e"), wire.describe("S", "e"), wire.bind(("3",), "", "e"), wire.execute("", 1), wire.execute(), SYNC)
        got = raw.until("Z")
        assert wire.error_of(got) is None and all(SEEN.fullmatch(row[0].decode()) for row in wire.rows_of(got))
        raw.send(wire.parse("EXPLAIN SELECT * FROM u.beds", "e2"), wire.bind((), "", "e2", result_formats=(1,)), wire.execute(), SYNC)
        assert all(SEEN.fullmatch(row[0].decode()) for row in wire.rows_of(raw.until("Z")))
        raw.query("BEGIN")
        assert plan(raw.query("EXPLAIN SELECT 1; EXPLAIN SELECT count(*) FROM u.beds")) != []
        raw.query("ROLLBACK")
        # By other ways: a portal that FETCH reads, SQL's EXECUTE.
        assert wire.error_of(raw.query("EXECUTE e(1)"))["C"] in ("0A000", "26000")
        raw.query("BEGIN")
        raw.send(wire.parse("EXPLAIN SELECT * FROM u.beds", ""), wire.bind((), "p", ""), SYNC)
        raw.until("Z")
        assert wire.error_of(raw.query("FETCH ALL FROM p"))["C"] in ("0A000", "34000")
        raw.query("ROLLBACK")
        for n in (1000, 400000):
            long = "SELECT 1 FROM u.beds WHERE label = '%s'" % ("x" * n)
            assert all(SEEN.fullmatch(line) for line in plan(raw.query("EXPLAIN " + long)))


DENIED = [
    ("nurse1", "EXPLAIN ANALYZE SELECT 1", "0A000"), ("nurse1", "EXPLAIN (ANALYZE) DELETE FROM u.logs", "0A000"), ("nurse1", "EXPLAIN (ANALYZE off) SELECT 1", "0A000"),
    ("nurse1", "EXPLAIN VERBOSE SELECT 1", "0A000"), ("nurse1", "EXPLAIN (VERBOSE) SELECT 1", "0A000"), ("nurse1", "EXPLAIN (FORMAT json) SELECT 1", "0A000"),
    ("nurse1", "EXPLAIN (FORMAT yaml) SELECT 1", "0A000"), ("nurse1", "EXPLAIN (BUFFERS) SELECT 1", "0A000"), ("nurse1", "EXPLAIN (SETTINGS) SELECT 1", "0A000"),
    ("nurse1", "EXPLAIN (COSTS off, SUMMARY) SELECT 1", "0A000"), ("nurse1", "EXPLAIN (nosuch) SELECT 1", "0A000"),
    ("nurse1", "EXPLAIN SELECT * FROM u.closed", "42501"), ("nurse1", "EXPLAIN SELECT secret FROM u.beds", "42703"), ("nurse1", "EXPLAIN SELECT * FROM u.nosuch", "42P01"),
    ("nurse1", "EXPLAIN DELETE FROM u.notes", "42501"), ("nurse1", "EXPLAIN SELECT pg_sleep(1)", "42501"), ("nurse1", "EXPLAIN DECLARE c CURSOR FOR SELECT 1", "0A000"),
    ("nurse1", "EXPLAIN CREATE TABLE x AS SELECT 1", "0A000"), ("nurse1", "EXPLAIN EXECUTE q", "0A000"), ("nurse1", "EXPLAIN SELECT nosuch FROM u.beds", "42703"),
    ("reception1", "EXPLAIN SELECT 1", "42501"), ("reception1", "EXPLAIN SELECT * FROM u.logs", "42501"),
]


@pytest.mark.parametrize("user, sql, code", DENIED)
def test_outside_the_policy_it_is_refused(user, sql, code, stack):
    with wire.open_session(stack, user) as raw:
        for way in (raw.query, raw.extended):
            error = wire.error_of(way(sql))
            assert error and error["C"] == code, error
            assert "pgvigil:" not in str(error)
    with stack.superuser() as c:
        assert c.execute("SELECT count(*) FROM u.logs").fetchone() == (8,)


def test_unrestricted_role_sees_the_plan(stack):
    with stack.connect("admin1") as c:
        text = str(c.execute("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM u.beds WHERE secret = 'x'").fetchall())
        assert "Filter" in text and "rows=" in text


def test_explain_is_on_record(stack):
    with wire.open_session(stack, "nurse1", application_name="explain-record") as raw:
        raw.query("EXPLAIN SELECT label FROM u.beds WHERE label = 'SECRET-LITERAL'")
        raw.query("EXPLAIN DELETE FROM u.logs")
    kept = records(stack, "explain-record")
    first = [r for r in kept if r.get("statement") == "EXPLAIN"]
    assert [r["type"] for r in first] == ["whole", "begin"] and first[0]["relations"][0]["name"] == "beds" and first[1]["relations"][0]["name"] == "logs"
    assert "SECRET-LITERAL" not in str(kept)
