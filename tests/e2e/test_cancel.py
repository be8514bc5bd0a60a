"""A cancel goes upstream as private as the connection it cancels, and reaches nobody else."""
import re
import threading
import time

import pytest
import wire
from psycopg import errors

SLOW = "SELECT count(*) FROM generate_series(1, 20000000) a, generate_series(1, 1000) b"


@pytest.fixture(scope="module")
def logging(cluster):
    """The server logs connections; gives a function that reads those of a user since the last call."""
    with cluster.superuser() as su:
        su.execute("ALTER SYSTEM SET log_connections = on")
        su.execute("SELECT pg_reload_conf()")
    seen = [cluster.log.stat().st_size]

    def fresh():
        text = cluster.log.read_text(errors="replace")[seen[0]:]
        seen[0] += len(text)
        return re.findall(r"connection authorized: user=(\w+) .*", text), text

    time.sleep(0.5)
    yield fresh
    with cluster.superuser() as su:
        su.execute("ALTER SYSTEM RESET log_connections")
        su.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("user,login", [("nurse1", "pgvigil"), ("admin1", "pgvigil_dba")])
def test_cancel_is_sent_over_tls_and_stops_the_statement(stack, logging, user, login):
    with stack.connect(user) as one, stack.connect(user) as other:
        assert other.execute("SELECT 1").fetchone() == (1,)
        one.execute("SELECT 1")
        time.sleep(0.5)  # a connection that the pool was opening is in the log then, and not taken for the cancel's
        logging()
        timer = threading.Timer(0.5, one.cancel)
        timer.start()
        begin = time.monotonic()
        with pytest.raises(errors.QueryCanceled):
            one.execute(SLOW)
        assert time.monotonic() - begin < 10
        timer.join()
        one.rollback()
        users, text, deadline = [], "", time.monotonic() + 20
        while not users and time.monotonic() < deadline:  # PostgreSQL writes when it comes to it
            time.sleep(0.3)
            more = logging()
            users, text = users + more[0], text + more[1]
        assert users == [login], text
        assert "SSL enabled" in text
        assert one.execute("SELECT 2").fetchone() == (2,)
        assert other.execute("SELECT 3").fetchone() == (3,)


def test_cancel_leaves_the_other_session_alone(stack):
    with stack.connect("nurse1") as one, stack.connect("nurse1") as other:
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(other.execute("SELECT count(*) FROM generate_series(1, 6000000)").fetchone()))
        thread.start()
        timer = threading.Timer(0.2, one.cancel)
        timer.start()
        with pytest.raises(errors.QueryCanceled):
            one.execute(SLOW)
        thread.join()
        timer.join()
        assert answers == [(6000000,)]


def test_cancel_of_an_idle_session_does_nothing(stack):
    with stack.connect("nurse1") as one:
        one.execute("SELECT 1")
        one.cancel()
        time.sleep(0.5)
        assert one.execute("SELECT count(*) FROM generate_series(1, 100000)").fetchone() == (100000,)


SLEEPERS = 12  # more than threads that cancel


def sleeping(stack):
    with stack.superuser() as c:
        return c.execute("SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep' AND state = 'active' AND datname = current_database()"
                         " AND pid <> pg_backend_pid()").fetchone()[0]


def wait_until(what):
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stop_ends_what_still_runs(make_stack):
    """Each of them, not only the few that threads had in hand: PostgreSQL itself would let them run on, for nobody."""
    own = make_stack()
    sessions = [wire.open_session(own, "admin1") for _ in range(SLEEPERS)]
    for session in sessions:
        session.send(wire.query("SELECT pg_sleep(600)"))
    wait_until(lambda: sleeping(own) == SLEEPERS)
    own.proxy.stop()
    wait_until(lambda: sleeping(own) == 0)
    assert own.proxy.log.read_text().count("event=cancel-failed") == 0
    for session in sessions:
        session.close()
