"""
Idle server connections that are none any more: ended by the server, or silent. Nobody gets one that has ended, not even when its end
and the next statement come at the same moment; one that hangs is found out while nobody has it (limits.server_check_seconds).
"""
import os
import pathlib
import signal
import time

import pytest
import wire

LIMIT = 40


@pytest.fixture(scope="module")
def plain(make_stack):
    return make_stack(pool=4, workers=2)


@pytest.fixture(scope="module")
def checking(make_stack):
    return make_stack(pool=2, workers=1, config="limits = { server_check_seconds = 1; connect_seconds = 2; }; log_level = \"debug\";")


@pytest.fixture(scope="module")
def trusting(make_stack):
    return make_stack(pool=1, workers=1, config="limits = { server_check_seconds = 0; connect_seconds = 2; };")


def servers(stack):
    with stack.superuser() as c:
        return [row[0] for row in c.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'pgvigil' AND application_name = 'pgvigil'"
                                            " AND datname = current_database()").fetchall()]


def count(raw):
    got = raw.query("SELECT count(*) FROM patients")
    assert wire.error_of(got) is None, wire.error_of(got)
    return wire.rows_of(got)


def terminate(stack):
    pids = servers(stack)
    assert pids
    with stack.superuser() as c:
        c.execute("SELECT pg_terminate_backend(p) FROM unnest(%s::int[]) p", (pids,))
        deadline = time.monotonic() + LIMIT
        while c.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", (pids,)).fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    return pids


class stopped:
    """Processes that take no part for a while."""

    def __init__(self, *pids):
        self.pids = pids

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + LIMIT
        while not all(self._still(pid) for pid in self.pids):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    @staticmethod
    def _still(pid):
        """Each of its threads: the signal only begins it."""
        tasks = pathlib.Path("/proc/%d/task" % pid).iterdir()
        return all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks)

    def __exit__(self, *_):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


def test_ended_connections_are_dropped_at_once(plain):
    with wire.open_session(plain, "nurse1") as raw:
        expected = count(raw)
        since = plain.proxy.log_size()
        gone = terminate(plain)
        plain.proxy.wait_log("event=server-close state=idle", since=since)
        assert count(raw) == expected
        assert not set(servers(plain)) & set(gone)


@pytest.mark.parametrize("first", ["statement", "end"])
def test_end_and_statement_at_the_same_moment(first, plain):
    """pgvigil is stopped meanwhile, so that it finds both at once, in either order; for people who were on it before and others."""
    people = ("nurse1", "nurse1", "reception1", "research1")
    for _ in range(3):
        sessions = [wire.open_session(plain, person) for person in people]
        expected = [count(raw) for raw in sessions]
        time.sleep(0.05)
        with stopped(plain.proxy.pid):
            if first == "end":
                terminate(plain)
            for raw in sessions:
                raw.send(wire.query("SELECT count(*) FROM patients"))
            if first == "statement":
                terminate(plain)
        for raw, rows in zip(sessions, expected):
            got = raw.until("Z")
            assert wire.error_of(got) is None and wire.rows_of(got) == rows, (got, rows)
            raw.close()


def test_statement_that_was_sent_is_not_sent_again(plain):
    """The twin: what the server may have begun ends with it, and the session."""
    with wire.open_session(plain, "nurse1") as raw:
        count(raw)
        with plain.superuser() as c:
            c.execute("BEGIN")
            c.execute("LOCK TABLE wards IN ACCESS EXCLUSIVE MODE")
            raw.send(wire.query("SELECT count(*) FROM wards"))
            deadline = time.monotonic() + LIMIT
            with plain.superuser() as other:
                while not other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            terminate(plain)
            error = wire.error_of(raw.drain())
            assert (error["S"], error["C"]) == ("FATAL", "57P01")


def test_silent_idle_connection_is_found_out(checking):
    with wire.open_session(checking, "nurse1") as raw:
        expected = count(raw)
        since = checking.proxy.log_size()
        before = servers(checking)
        with stopped(*before):
            checking.proxy.wait_log("state=checking event=server-silent seconds=2", since=since)
            assert count(raw) == expected  # on another
        deadline = time.monotonic() + LIMIT
        while set(servers(checking)) & set(before):
            assert time.monotonic() < deadline, "the silent connection is still open"
            time.sleep(0.1)
        assert count(raw) == expected


def test_session_that_comes_meanwhile_gets_another(checking):
    with wire.open_session(checking, "nurse1") as raw:
        expected = count(raw)
        while len(servers(checking)) > 1:
            terminate(checking)
            count(raw)
        before = servers(checking)
        with stopped(*before):
            time.sleep(1.5)  # whoever comes now has it asked first, if nobody has yet
            assert count(raw) == expected
            assert set(servers(checking)) > set(before)


def test_connection_that_answers_is_kept(checking):
    """The denied twin of giving up: asked again and again, it stays the same."""
    with wire.open_session(checking, "nurse1") as raw:
        expected = count(raw)
        before = servers(checking)
        time.sleep(5)
        assert servers(checking) == before
        assert count(raw) == expected
        assert servers(checking) == before


def test_without_checks_the_statement_waits_for_its_server(trusting):
    """What the check is for, and that 0 switches it off: the same person's next statement goes to the silent one."""
    with wire.open_session(trusting, "nurse1") as raw:
        expected = count(raw)
        since = trusting.proxy.log_size()
        with stopped(*servers(trusting)):
            time.sleep(4)
            raw.send(wire.query("SELECT count(*) FROM patients"))
            raw.socket.settimeout(4)
            with pytest.raises(TimeoutError):
                raw.receive()
            raw.socket.settimeout(LIMIT)
        assert wire.rows_of(raw.until("Z")) == expected
        assert b"server-silent" not in trusting.proxy.log.read_bytes()[since:]
