"""
Server connections are counted for the whole process: never more than `pool`, whichever workers the sessions are on, and nobody waits while
one is idle with another worker.
"""
import threading
import time

import psycopg
import pytest

POOL = 2
SESSIONS = 10


@pytest.fixture(scope="module")
def small(make_stack):
    return make_stack(pool=POOL, workers=2, config="limits = { connect_seconds = 15; };")


def ours(stack):
    """PIDs of the connections that serve sessions; the catalog's own is another application."""
    with stack.superuser() as c:
        return {row[0] for row in c.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'pgvigil' AND datname = current_database() AND backend_type = 'client backend'").fetchall()}


def workers_of(stack):
    text = stack.proxy.log.read_bytes().decode(errors="replace")
    return [line.split("worker=")[1].split()[0] for line in text.splitlines() if "event=accept" in line]


def test_sessions_of_all_workers_share_the_pool(small):
    people = ["nurse1", "nurse2", "dr.martin"]
    failures, most, done = [], [0], threading.Event()

    def work(number):
        try:
            with small.connect(people[number % 3]) as c:
                expected = None
                for _ in range(25):
                    with c.transaction():
                        rows = c.execute("SELECT id FROM patients ORDER BY id LIMIT 20").fetchall()
                        assert expected in (None, rows)
                        expected = rows
                        time.sleep(0.002)
        except Exception as error:  # noqa: BLE001
            failures.append(repr(error))

    def watch():
        with small.superuser() as c:
            while not done.is_set():
                count = c.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pgvigil' AND datname = current_database()").fetchone()[0]
                most[0] = max(most[0], count)
                time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(SESSIONS)]
    watcher = threading.Thread(target=watch)
    watcher.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    done.set()
    watcher.join()
    assert not failures
    assert 0 < most[0] <= POOL
    assert len(set(workers_of(small))) == 2


def test_idle_connection_of_another_worker_is_used(small):
    """One session after another, on both workers: each finds what the others have left."""
    with small.connect("nurse1") as c:
        c.execute("SELECT 1")
    before = ours(small)
    assert before
    for person in ("nurse1", "nurse2") * 4:
        with small.connect(person) as c:
            c.execute("SELECT count(*) FROM patients")
    assert len(set(workers_of(small)[-8:])) == 2 or len(set(workers_of(small))) == 2
    assert len(ours(small)) <= POOL
    assert ours(small) & before


def test_who_waits_gets_what_another_worker_gives_back(small):
    holders = [small.connect("nurse1") for _ in range(POOL)]
    try:
        for c in holders:
            c.execute("BEGIN")
            c.execute("SELECT 1")
        got = []

        def wait(person):
            with small.connect(person) as c:
                got.append(c.execute("SELECT count(*) FROM wards").fetchone()[0])

        # As many on each worker: the acceptor gives to the less loaded.
        waiters = [threading.Thread(target=wait, args=(person,)) for person in ("nurse1", "nurse2", "nurse1", "dr.martin")]
        for thread in waiters:
            thread.start()
        time.sleep(0.5)
        assert not got
        holders[0].execute("COMMIT")
        for thread in waiters:
            thread.join(20)
        assert len(got) == 4
    finally:
        for c in holders:
            c.close()


def test_nobody_gets_more_than_there_is(small):
    """The denied twin: with all in use by transactions, who comes is told so after her time."""
    holders = [small.connect("nurse1") for _ in range(POOL)]
    try:
        for c in holders:
            c.execute("BEGIN")
            c.execute("SELECT 1")
        started = time.monotonic()
        with pytest.raises(psycopg.Error) as refused:
            small.connect("nurse2", connect_timeout=40).execute("SELECT 1")
        assert "no server connection became free in time" in str(refused.value)
        assert time.monotonic() - started > 10
        assert len(ours(small)) <= POOL + 1
    finally:
        for c in holders:
            c.close()
    with small.connect("nurse2") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_killed_connections_give_their_places_back(small):
    for _ in range(3):
        with small.superuser() as c:
            c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil' AND datname = current_database()")
        deadline = time.monotonic() + 20
        answers = 0
        while answers < 6 and time.monotonic() < deadline:
            try:
                with small.connect("nurse1") as c:
                    c.execute("SELECT 1")
                    answers += 1
            except psycopg.Error:
                time.sleep(0.2)
        assert answers == 6


def test_old_connections_are_closed_between_transactions(make_stack):
    stack = make_stack(pool=1, workers=1, config="limits = { server_lifetime_seconds = 2; };")
    with stack.connect("nurse1") as c:
        with c.transaction():
            c.execute("SELECT 1")
            first = ours(stack)
            time.sleep(3)
            assert c.execute("SELECT count(*) FROM patients WHERE id < 10").fetchone()
            assert ours(stack) & first  # not in the middle of one
        for _ in range(100):
            if not ours(stack) & first:
                break
            time.sleep(0.1)
        assert not ours(stack) & first
        assert c.execute("SELECT 1").fetchone() == (1,)
        second = ours(stack)
        assert c.execute("SELECT 2").fetchone() == (2,) and ours(stack) & second
