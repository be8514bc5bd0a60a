"""
LOCK TABLE by restricted roles: answered as PostgreSQL answers on views with the rights that the rules give, message by message; who
waits for whom, with several sessions; and what is refused.
"""
import threading
import time

import allow_schema
import pytest
import wire
from allow_schema import Sides
from side_by_side import extended
from test_cursors import reads, records

SYNC = wire.SYNC
MODES = ["ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"]


@pytest.fixture(scope="module")
def stack(make_stack):
    return allow_schema.make(make_stack)


@pytest.fixture(scope="module")
def oracle(stack):
    made = allow_schema.make_oracle(stack, "oracle_lock_table")
    yield made
    allow_schema.drop_oracle(stack, made)


SCRIPTS = {
    "simple": ["BEGIN", "LOCK TABLE u.beds", "LOCK u.beds", "LOCK TABLE ONLY u.beds", "LOCK u.beds *", "COMMIT"],
    "outside a transaction": ["LOCK TABLE u.beds", "LOCK u.beds IN ACCESS SHARE MODE NOWAIT", extended("LOCK u.beds") + SYNC],
    "several": ["BEGIN", 'LOCK TABLE u.beds, u.logs, ONLY u.tools, u."Odd Name", u.logs_1 IN SHARE MODE NOWAIT', "COMMIT"],
    "path": ["SET search_path = u, public", "BEGIN", 'LOCK beds, "Odd Name" IN EXCLUSIVE MODE', "COMMIT"],
    "unknown": ["BEGIN", "LOCK u.beds, u.nosuch", "LOCK u.beds", "ROLLBACK"],
    "one text": ["BEGIN; LOCK u.beds; SELECT count(*) FROM u.beds; COMMIT", "SELECT 1; LOCK u.beds; SELECT 2", "LOCK u.beds; SELECT 1"],
    "extended": ["BEGIN", extended("LOCK u.beds IN SHARE MODE") + extended("SELECT count(*) FROM u.beds") + SYNC, "COMMIT",
                 wire.parse("LOCK u.tools", "l") + wire.describe("S", "l") + SYNC, "BEGIN", wire.bind((), "", "l") + wire.execute() + SYNC, "ROLLBACK"],
    "failed block": ["BEGIN", "SELECT 1/0", "LOCK u.beds", "ROLLBACK"],
    "savepoint": ["BEGIN", "SAVEPOINT a", "LOCK u.beds", "ROLLBACK TO a", "LOCK u.beds IN SHARE MODE", "COMMIT"],
    "read only": ["BEGIN READ ONLY", "LOCK u.beds IN ACCESS SHARE MODE", "LOCK u.beds IN ROW EXCLUSIVE MODE", "LOCK u.beds IN SHARE MODE", "ROLLBACK"],
    "odd": ["BEGIN", "LOCK TABLE u.beds IN NOSUCH MODE", "ROLLBACK", "LOCK", "LOCK TABLE u.beds AS b", "LOCK/**/TABLE/**/u . beds"],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_postgresql_does(name, stack, oracle):
    with Sides(stack, oracle) as both:
        both.run(*SCRIPTS[name])


@pytest.mark.parametrize("mode", MODES)
def test_modes_take_the_rights_that_postgresql_asks(mode, stack, oracle):
    for table in ("u.beds", "u.notes", "u.logs", "u.closed"):
        with Sides(stack, oracle) as both:
            answers = []
            for raw in (both.theirs, both.mine):
                raw.query("BEGIN")
                error = wire.error_of(raw.query("LOCK TABLE %s IN %s MODE" % (table, mode)))
                answers.append(error["C"] if error else None)
            assert answers[0] == answers[1], (table, mode)
            assert (answers[0] is None) == (table in ("u.beds", "u.logs") or (table == "u.notes" and mode == MODES[0])), (table, mode)


@pytest.mark.parametrize("mode", MODES)
def test_it_locks_the_table_and_no_other(mode, stack):
    """What PostgreSQL holds: the table (and its children), in this mode, with the guard above it."""
    want = mode.title().replace(" ", "") + "Lock"
    with wire.open_session(stack, "nurse1") as raw, stack.superuser() as su:
        for table, tables in (("u.beds", {"beds"}), ("u.tools", {"tools", "drills"}), ("ONLY u.tools", {"tools"}), ("u.logs", {"logs", "logs_1", "logs_2"})):
            raw.query("BEGIN")
            assert wire.error_of(raw.query("LOCK TABLE %s IN %s MODE" % (table, mode))) is None
            held = su.execute("SELECT DISTINCT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace "
                              "WHERE l.mode = %s AND l.granted AND n.nspname = 'u' AND c.relkind IN ('r', 'p') AND l.pid <> pg_backend_pid()", (want,)).fetchall()
            assert {name for (name,) in held} == tables, table
            raw.query("COMMIT")


def test_others_wait_and_nowait_says_so(stack, oracle):
    """Between two sessions, and against PostgreSQL's own message."""
    with Sides(stack, oracle) as both, Sides(stack, oracle) as other:
        both.run("BEGIN", "LOCK u.beds")
        other.run("BEGIN", "SELECT 1", "LOCK u.tools", "COMMIT", "BEGIN")
        errors = [wire.error_of(raw.query("LOCK u.beds IN ACCESS SHARE MODE NOWAIT")) for raw in (other.theirs, other.mine)]
        assert [e["C"] for e in errors] == ["55P03", "55P03"] and errors[1]["M"] == errors[0]["M"].replace("u.beds", "beds")
        other.run("SELECT 1", "ROLLBACK")
        done = []
        thread = threading.Thread(target=lambda: done.append(other.mine.query("SELECT count(*) FROM u.beds")))
        thread.start()
        with stack.superuser() as su:
            deadline = time.monotonic() + 20
            while not su.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:
                assert time.monotonic() < deadline and not done
        both.run("COMMIT")
        thread.join(20)
        assert wire.rows_of(done[0]) == [(b"4",)]


def test_lock_outside_the_policy_is_refused(stack):
    """The denied twins: the role without the word; no rule; a view; a catalog; a filter that reads another table; each changes nothing."""
    with wire.open_session(stack, "nurse1") as nurse, wire.open_session(stack, "reception1") as desk, wire.open_session(stack, "admin1") as admin:
        select = wire.error_of(nurse.query("SELECT 1 FROM u.closed"))
        for raw, sql, code in ((desk, "LOCK u.logs", "42501"), (desk, "LOCK u.nosuch", "42501"), (nurse, "LOCK u.closed", "42501"), (nurse, "LOCK u.seen IN SHARE MODE", "42501"),
                               (nurse, "LOCK pg_catalog.pg_class IN ACCESS SHARE MODE", "42501"), (nurse, "LOCK u.stays", "42501"), (nurse, "LOCK u.teams", "42501"),
                               (nurse, "LOCK u.beds, u.teams IN ACCESS SHARE MODE", "42501"), (nurse, 'LOCK "pgvigil:nurse/care".x', "42501")):
            raw.query("BEGIN")
            error = wire.error_of(raw.query(sql))
            assert error and error["C"] == code and "pgvigil:" not in error["M"].replace('"pgvigil:nurse/care"', ""), (sql, error)
            assert wire.error_of(raw.query("SELECT 1"))["C"] == "25P02"
            raw.query("ROLLBACK")
        assert wire.error_of(nurse.query("LOCK u.closed"))["M"] == select["M"]
        nurse.query("BEGIN")
        assert wire.error_of(nurse.query("LOCK u.stays IN ACCESS SHARE MODE")) is None
        admin.query("BEGIN")
        assert wire.error_of(admin.query("LOCK u.closed, u.stays IN ACCESS SHARE MODE")) is None  # an unrestricted role asks nobody


def test_lock_is_on_record_before_it_waits(stack):
    with wire.open_session(stack, "nurse1", application_name="lock-record") as raw:
        raw.query("BEGIN")
        assert wire.error_of(raw.query("LOCK TABLE u.beds, u.logs IN SHARE MODE")) is None
        raw.query("COMMIT")
    kept = [r for r in records(stack, "lock-record") if r.get("statement") == "LOCK TABLE"]
    assert [r["type"] for r in kept] == ["begin"] and set(reads(kept[0])) == {"beds", "logs"}
    assert kept[0]["sql"] == "LOCK TABLE u.beds, u.logs IN SHARE MODE"
