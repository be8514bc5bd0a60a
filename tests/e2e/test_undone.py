"""
What the trail says was done and PostgreSQL did not keep: outside BEGIN no statement tells, so an event does. Every case asks PostgreSQL which rows
are there, and the trail must be able to tell the same: rows that records of INSERT say were made, without those that the events take back.
"""
import json
import time

import missions_walk
import pytest
import wire

SQL = """
CREATE TABLE public.first_marks (n int PRIMARY KEY);
INSERT INTO public.first_marks VALUES (0);
CREATE TABLE public.later_marks (n int PRIMARY KEY, first int NOT NULL REFERENCES public.first_marks DEFERRABLE INITIALLY DEFERRED);
GRANT SELECT, INSERT ON public.later_marks, public.first_marks TO pgvigil_owner;
"""
POLICY = [("90-undone.cfg", """
tables = ( { name = "public.later_marks"; columns = { all = [ "n", "first" ]; }; } );
rules = ( { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "public.later_marks" ]; columns = { all = "show"; };
            insert = [ "all" ]; } );
users = ( { name = "marker"; auth = "scram"; secret = "%s"; roles = [ "receptionist" ]; } );
""" % missions_walk.secret("marker"))]
GOOD, MISSING = "INSERT INTO later_marks VALUES (%d, 0)", "INSERT INTO later_marks VALUES (%d, 7)"
EVENTS = ("rolled-back", "commit-unknown")


@pytest.fixture(scope="module")
def world(make_stack):
    return make_stack(extra_sql=SQL, extra_policy=POLICY, unrestricted=False)


def line_of(record):
    """Two records of one chain are never alike: each has a number."""
    return json.dumps(record)


@pytest.fixture
def told(world):
    """Of the test's session: rows that records of INSERT say were made, and the events behind them; and PostgreSQL's own answer."""
    with world.superuser() as c:
        c.execute("TRUNCATE later_marks")
    seen = {line_of(r) for r in world.audit_records()}

    def ask(expected_events):
        deadline = time.monotonic() + 20
        while True:
            records = [r for r in world.audit_records() if line_of(r) not in seen]
            events = [(r["event"], r["detail"]) for r in records if r.get("event") in EVENTS]
            if len(events) >= expected_events and any(r.get("event") == "disconnect" for r in records):
                break
            assert time.monotonic() < deadline, events
            time.sleep(0.02)
        made = sum(int(r["tag"].split()[-1]) for r in records if r.get("tag", "").startswith("INSERT 0 ") and r["type"] in ("end", "whole"))
        assert all(r["person"] == "marker" for r in records if r.get("event") in EVENTS)
        with world.superuser() as c:
            there = c.execute("SELECT count(*) FROM later_marks").fetchone()[0]
        return made, [(e, int(d.rsplit(" ", 1)[1])) for e, d in events], [d for _, d in events], there

    return ask


def group(*statements, sync=True):
    parts = [p for s in statements for p in (wire.parse(s), wire.bind(), wire.execute())]
    return b"".join(parts + ([wire.SYNC if sync else wire.message("H")]))


def opened(world):
    return wire.open_session(world, "marker")


def run(world, *sends):
    """Each answered; the last one's messages."""
    with opened(world) as raw:
        for send in sends:
            raw.send(send)
            answer = raw.until()
        raw.send(wire.message("X"))
    return answer


@pytest.mark.parametrize("how", ["sync", "sync-two", "later", "query"])
def test_what_an_error_undoes_is_told(world, told, how):
    send, made, sqlstate = {
        "sync": (group(MISSING % 1), 1, "23503"),
        "sync-two": (group(GOOD % 1, MISSING % 2), 2, "23503"),
        "later": (group(GOOD % 1, GOOD % 1), 1, "23505"),
        "query": (wire.query("; ".join((GOOD % 1, GOOD % 2, GOOD % 1))), 2, "23505"),
    }[how]
    error = wire.error_of(run(world, send))
    assert error["C"] == sqlstate
    said, events, details, there = told(1)
    assert (said, events, there) == (made, [("rolled-back", made)], 0)
    assert sqlstate in details[0]


@pytest.mark.parametrize("sends, there", [
    ([group(GOOD % 1)], 1),
    ([group(GOOD % 1, GOOD % 2)], 2),
    ([wire.query(GOOD % 1 + ";" + GOOD % 2)], 2),
    ([group(GOOD % 1), group("SELECT n FROM later_marks WHERE n / 0 = 1")], 1),  # a group of its own failed
    ([group("SELECT n FROM later_marks", GOOD % 1), group("SELECT 1/0")], 1),
], ids=["one", "two", "query", "then", "read"])
def test_what_is_committed_is_not_told(world, told, sends, there):
    run(world, *sends)
    assert told(0) == (there, [], [], there)


def test_a_read_that_is_undone_is_not_told(world, told):
    assert wire.error_of(run(world, group("SELECT n FROM later_marks", GOOD % 1 + " RETURNING 1/0")))["C"] == "22012"
    assert told(0) == (0, [], [], 0)


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_block_has_its_own_record(world, told, end):
    """The record of COMMIT or ROLLBACK tells, also where the commit fails."""
    bad = MISSING if end == "COMMIT" else GOOD
    run(world, wire.query("BEGIN"), group(bad % 1), wire.query(end))
    said, events, _, there = told(0)
    assert (said, events, there) == (1, [], 0)
    records = [r for r in world.audit_records() if r.get("person") == "marker" and r.get("sql") == end]
    assert records and records[-1].get("sqlstate") == ("23503" if end == "COMMIT" else None)


def test_a_block_that_begins_in_the_group_takes_it_in(world, told):
    """PostgreSQL makes what came before BEGIN a part of the block: ROLLBACK has the record."""
    run(world, group(GOOD % 1, "BEGIN", "SELECT 1/0"), wire.query("ROLLBACK"))
    assert told(0)[1:] == ([], [], 0)


def test_a_commit_in_the_group_keeps_it(world, told):
    """COMMIT outside a block commits the group's transaction: what fails behind it undoes nothing of that."""
    run(world, wire.query("; ".join((GOOD % 1, "COMMIT", GOOD % 1))))
    said, events, _, there = told(0)
    assert (said, events, there) == (1, [], 1)


@pytest.mark.parametrize("who", ["server", "client"])
def test_a_connection_that_ends_before_sync(world, told, who):
    """CommandComplete has come, ReadyForQuery has not."""
    raw = opened(world)
    raw.send(group(GOOD % 1, sync=False))
    assert raw.until("C")[-1][1].startswith(b"INSERT 0 1")
    if who == "server":
        with world.superuser() as c:
            c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil' AND xact_start IS NOT NULL AND query ~ 'INSERT'")
        raw.drain()
    raw.close()
    said, events, _, there = told(1)
    assert (said, events, there) == (1, [("commit-unknown", 1)], 0)
