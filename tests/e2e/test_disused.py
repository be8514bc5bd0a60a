"""
A session that keeps its server connection (a transaction, a cursor WITH HOLD) prepares and closes without end: PostgreSQL keeps no more of
its statements than it would without pgvigil, within a bound, and what is still open answers as it does there. Beside PostgreSQL itself,
message by message; the memory is what PostgreSQL says of its own process.
"""
import random
import re
import time

import pytest
import wire
from side_by_side import IGNORED, Both, extended, shown
from test_oracle import oracle_schema, oracles  # noqa: F401

SYNC = wire.SYNC
PREPARED = 500  # PREPARED_MAX of proxy/disused.h
MANY = 2500  # some 14 kB each
KEEPERS = {"transaction": ["BEGIN"], "cursor": ["BEGIN", "DECLARE held CURSOR WITH HOLD FOR SELECT id FROM wards", "COMMIT"]}
DAYS = "SELECT date '05/11/1975' - date '1975-01-01' FROM patients LIMIT 1"


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=oracle_schema.EXTRA_SQL, extra_policy=[("90-oracle.cfg", oracle_schema.POLICY)], pool=1, workers=1)


@pytest.fixture
def both(stack, oracles):  # noqa: F811
    with Both(stack, oracles["nurse"].info.dbname, "nurse1") as sides:
        yield sides


def memory(stack):
    """Bytes of the one server connection that serves pairs."""
    log, database = stack.cluster.log, next(iter(stack.databases.values()))
    before = log.stat().st_size
    with stack.cluster.superuser(database) as super_:
        pids = [pid for pid, in super_.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s AND usename = 'pgvigil' AND backend_type = 'client backend'", (database,))]
        assert len(pids) == 1, pids
        assert super_.execute("SELECT pg_log_backend_memory_contexts(%s)", pids).fetchone()[0]
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = re.search(r"\[%d\].*Grand total: (\d+) bytes" % pids[0], log.read_bytes()[before:].decode(errors="replace"))
        if found:
            return int(found.group(1))
        time.sleep(0.05)
    raise AssertionError("PostgreSQL has not said what its memory is")


def text(n):
    return "SELECT count(*) + %d, min(id) FROM patients WHERE id < $1" % n


def turn(n, way):
    """Prepared, run and closed."""
    name = "q%d" % n
    if way == "extended":
        return [wire.parse(text(n), name) + wire.bind(("1",), "", name) + wire.execute() + wire.close("S", name) + SYNC]
    return ["PREPARE %s (int) AS %s" % (name, text(n)), "EXECUTE %s(1)" % name, "DEALLOCATE " + name]


@pytest.mark.parametrize("way", ("extended", "simple"))
@pytest.mark.parametrize("keeper", KEEPERS)
def test_what_is_closed_does_not_stay_in_postgresql(keeper, way, stack, both):
    both.run(*KEEPERS[keeper], wire.parse(DAYS, "days") + wire.parse(text(-1), "mine") + SYNC, wire.bind((), "", "days") + wire.execute() + SYNC)
    first = None
    for n in range(MANY):
        both.run(*turn(n, way))
        if n % 10 == 0:  # prepared by pgvigil, which nobody has a name for
            both.run("SELECT id, sex FROM patients WHERE id = %d" % n)
        if n == 600:
            first = memory(stack)
    assert memory(stack) < first + (4 << 20)
    # What is open stays, with what was read when it was prepared.
    ran = both.run("SET DateStyle TO ISO, DMY", wire.bind(("1",), "", "mine") + wire.execute() + SYNC)
    assert any(kind == "D" for kind, _ in ran)
    assert ("D", (b"130",)) in both.run(wire.bind((), "", "days") + wire.execute() + SYNC)


def test_what_is_open_stays_there(stack, both):
    """The twin: PostgreSQL's memory tells of statements, and none of those that the client may run again is taken away."""
    both.run(*KEEPERS["transaction"], *(wire.parse(text(n), "q%d" % n) + SYNC for n in range(600)))
    first = memory(stack)
    both.run(*(wire.parse(text(n), "q%d" % n) + SYNC for n in range(600, 1400)))
    assert memory(stack) > first + (4 << 20)
    before = memory(stack)
    both.run(*(wire.bind(("1",), "", "q%d" % n) + wire.execute() + SYNC for n in range(0, 1400, 7)))
    assert memory(stack) < before + (4 << 20), "they were prepared again"


def test_a_refusal_among_it_is_not_forgotten(stack, both):
    """The transaction has failed for the client, though PostgreSQL knows nothing of it: what is closed then does not end that."""
    refused = "SELECT ssn FROM patients"  # there is none for her
    both.run("BEGIN")
    both.mine.send(b"".join(wire.parse(text(n), "q%d" % n) + wire.bind(("1",), "", "q%d" % n) + wire.close("S", "q%d" % n) for n in range(PREPARED + 20))
                   + wire.parse(refused) + SYNC)
    got = both.mine.until("Z")
    assert wire.error_of(got)["C"] == "42703" and got[-1] == ("Z", b"E"), got[-2:]
    for ask in ("SELECT 1", refused, "SELECT 1"):
        got = both.mine.query(ask)
        assert wire.error_of(got)["C"] == "25P02" and got[-1] == ("Z", b"E"), (ask, got)
    assert both.mine.query("ROLLBACK")[-1] == ("Z", b"I")
    assert wire.rows_of(both.mine.query("SELECT 1")) == [(b"1",)]


@pytest.mark.parametrize("keeper", KEEPERS)
def test_what_is_answered_here_does_not_wait_for_it(keeper, stack, both):
    """A CloseComplete that came while the server was closing what is disused is there at the client's Flush, without a Sync."""
    both.run(*KEEPERS[keeper], *(wire.parse(text(n), "q") + wire.close("S", "q") + SYNC for n in range(PREPARED - 20)))
    for n in range(PREPARED - 20, PREPARED + 20):
        both.mine.send(wire.parse(text(n), "q") + wire.close("S", "q") + SYNC + wire.parse(text(0), "other"))
        both.mine.until("Z")
        time.sleep(0.02)
        both.mine.send(wire.close("S", "other"))
        time.sleep(0.02)
        both.mine.send(wire.FLUSH)
        assert both.mine.until("3")[-1][0] == "3"
        both.mine.send(SYNC)
        both.mine.until("Z")


def unsynced(both, group):
    """The same on both sides without a Sync: every message's answer, of which there is one with each of these types."""
    found = []
    for raw in (both.theirs, both.mine):
        raw.send(group + wire.FLUSH)
        found.append([])
        while sum(kind in "123TnC" for kind, _ in found[-1]) < sum(kind in b"PBCDE" for kind in kinds(group)):
            message = raw.receive()
            if message[0] not in IGNORED:
                found[-1].append((message[0], shown(*message)))
    assert found[1] == found[0]
    return found[1]


def kinds(group):
    while group:
        yield group[0]
        group = group[1 + int.from_bytes(group[1:5], "big"):]


@pytest.mark.parametrize("keeper", ("none", "transaction"))
def test_a_client_that_sends_no_sync(keeper, stack, both):
    """Flush instead: what it closes does not stay either, and its group, with the transaction that it is, goes on."""
    both.run("SELECT 1", *KEEPERS.get(keeper, []))
    first, asked = None, extended("SELECT now()", describe=False)
    both.mine.send(asked + wire.FLUSH)
    began = [wire.row(body) for kind, body in both.mine.until("C") if kind == "D"]
    assert len(began) == 1
    for n in range(MANY):
        name = "q%d" % n
        unsynced(both, wire.parse(text(n), name) + wire.bind(("1",), "", name) + wire.execute() + wire.close("S", name))
        if n == 600:
            first = memory(stack)
    assert memory(stack) < first + (4 << 20)
    both.mine.send(asked + wire.FLUSH)
    assert [wire.row(body) for kind, body in both.mine.until("C") if kind == "D"] == began
    # It fails for both, and goes on for both.
    both.run(wire.parse("SELECT 1/0") + wire.bind() + wire.execute() + SYNC)
    if keeper == "transaction":
        both.run("SELECT 1", "ROLLBACK")
    both.run(wire.parse(text(0), "q0") + wire.bind(("1",), "", "q0") + wire.execute() + SYNC)


def test_what_is_open_stays_without_a_sync(both):
    """The twin; with a portal of the group that is read on, whose statement was closed long ago."""
    rows = "SELECT id FROM patients ORDER BY id"
    unsynced(both, b"".join(wire.parse(text(n), "mine%d" % n) for n in range(5)) + wire.parse(rows, "rows") + wire.bind((), "held", "rows") + wire.close("S", "rows"))
    for n in range(PREPARED + 50):
        unsynced(both, wire.parse(text(n), "q") + wire.close("S", "q"))
    for n in range(5):
        unsynced(both, wire.bind(("3",), "", "mine%d" % n) + wire.execute())
    both.run(wire.execute("held", 3) + wire.execute("held", 2) + SYNC)
    both.run(*(wire.bind(("3",), "", "mine%d" % n) + wire.execute() + SYNC for n in range(5)))


@pytest.mark.parametrize("seed", (1, 2))
def test_random_programs_in_a_kept_session(seed, stack, both):
    """Pipelines go on while what is disused is being closed; texts come again under the names of before, in groups that fail too."""
    rnd = random.Random(seed)
    keeper = rnd.choice(sorted(KEEPERS))
    both.run(*KEEPERS[keeper])
    names, count = {}, 0
    for step in range(900):
        group = b""
        for _ in range(rnd.randrange(1, 6)):
            kind = rnd.random()
            if kind < 0.45 or not names:
                n = count if rnd.random() < 0.8 else rnd.randrange(count + 1)
                count = max(count, n + 1)
                name = "q%d" % n
                group += wire.close("S", name) if name in names else b""
                group += wire.parse(text(n), name)
                names[name] = n
            elif kind < 0.75:
                group += wire.bind((str(rnd.randrange(9)),), "", rnd.choice(sorted(names))) + wire.describe("P", "") + wire.execute()
            else:
                name = rnd.choice(sorted(names))
                group += wire.close("S", name)
                del names[name]
        if keeper == "cursor" and rnd.random() < 0.1:
            before = set(names)
            group += extended("SELECT 1/0")
            both.run(group + SYNC)
            # Who is known is asked for: a group that failed gives back what it took.
            for name in sorted(before | {"q%d" % n for n in range(max(0, count - 30), count)}):
                known = not any(kind == "E" for kind, _ in both.run(wire.describe("S", name) + SYNC))
                names.pop(name, None)
                if known:
                    names[name] = 0
            continue
        if rnd.random() < 0.5:
            unsynced(both, group)
        else:
            both.run(group + SYNC)
    assert count > 900
