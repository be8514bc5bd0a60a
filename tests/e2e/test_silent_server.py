"""
A server process that is there and does not answer (SIGSTOP) while pgvigil itself has asked it something: making a session's role and
settings its own, resetting it after one, the first Sync. It is given up after limits.connect_seconds; its session hears so, its place
in the pool is free again. A statement of the client's may take as long as it likes.
"""
import contextlib
import os
import signal
import time

import pytest
import relay
import wire

CONFIG = "limits = { connect_seconds = 2; };"
SILENT = "did not answer in time"


@contextlib.contextmanager
def stopped(stack):
    """The server processes that pgvigil has open for pairs, stopped."""
    with stack.superuser() as c:
        pids = [row[0] for row in c.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'pgvigil' AND datname = current_database()"
                                            " AND backend_type = 'client backend'").fetchall()]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def alive(stack, pids):
    with stack.superuser() as c:
        return c.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", (pids,)).fetchone()[0]


def works(raw):
    got = raw.query("SELECT count(*) > 0 FROM patients")
    return wire.rows_of(got) == [(b"t",)]


def both_workers(stack):
    """Sessions on both workers, each of which has opened its one server."""
    found = [wire.open_session(stack, "nurse1") for _ in range(2)]
    assert all(works(raw) for raw in found)
    return found


@pytest.fixture
def own(make_stack):
    stack = make_stack(config=CONFIG, serve=False)
    stack.pool = 2  # one server for each of the two workers
    stack.config_file.write_text(stack.config_text(CONFIG, "", ""), encoding="utf-8")
    return stack.serve()


def test_session_whose_server_stays_silent_hears_so_and_goes_on(own):
    with wire.open_session(own, "nurse2") as raw:
        assert works(raw)
        with stopped(own) as pids:
            since = own.proxy.log_size()
            assert wire.error_of(raw.query("SET pgvigil.role = 'receptionist'")) is None  # its server must become another pair's
            got = raw.query("SET TimeZone = 'Asia/Tokyo'")  # which waits until it has; a SELECT would go with that, and be the client's
            error = wire.error_of(got)
            assert error["S"] == "ERROR" and error["C"] == "08006" and SILENT in error["M"], error
            assert got[-1] == ("Z", b"I")
            own.proxy.wait_log("state=preparing event=server-silent seconds=2", since=since)
            assert works(raw)  # on a connection of its own
        deadline = time.monotonic() + 20
        while alive(own, pids):
            assert time.monotonic() < deadline, "the silent connection is still open"
            time.sleep(0.1)
        assert works(raw)


def test_login_whose_server_stays_silent_is_refused(own):
    sessions = both_workers(own)
    with stopped(own):
        with wire.Raw(own.port, own.tls_context()) as raw:
            # A setting of the start makes the login wait for the server's word on it.
            error = wire.error_of(raw.login("reception1", "records", "reception1-demo", plus=True, TimeZone="Asia/Tokyo"))
            assert error["S"] == "FATAL" and error["C"] == "08006" and SILENT in error["M"], error
    for raw in sessions:
        assert works(raw)
        raw.close()
    with wire.open_session(own, "reception1", TimeZone="Asia/Tokyo") as raw:
        assert works(raw)


def test_server_that_does_not_become_clean_gives_its_place_back(own):
    sessions = both_workers(own)
    for raw in sessions:
        assert wire.error_of(raw.query("SET TimeZone = 'Asia/Tokyo'")) is None  # theirs from now on, and to be reset after them
    since = own.proxy.log_size()
    with stopped(own):
        for raw in sessions:
            raw.close()
        for worker in range(2):
            own.proxy.wait_log("(?s)(state=resetting event=server-silent seconds=2.*){%d}" % (worker + 1), since=since)
        for raw in both_workers(own):
            raw.close()


def test_server_that_does_not_answer_the_first_sync_gives_its_place_back(make_stack, cluster):
    with relay.Relay(cluster) as between:
        stack = make_stack(config=CONFIG, serve=False)
        stack.pool = 1  # a second one would be opened beside it, and tell the next session its parameters
        text = stack.config_text(CONFIG, "", "").replace("port=%d " % cluster.port, "port=%d " % between.port)
        stack.config_file.write_text(text, encoding="utf-8")
        between.deaf_to = wire.SYNC
        stack.proxy.start()
        for _ in range(2):
            with wire.Raw(stack.port, stack.tls_context()) as raw:
                error = wire.error_of(raw.login("nurse1", "records", "nurse1-demo", plus=True))
                assert error["S"] == "FATAL" and error["C"] == "53300", error
        stack.proxy.wait_log("state=syncing event=server-silent seconds=2")
        between.deaf_to = None
        stack.wait_ready("nurse1")
        for raw in both_workers(stack):
            raw.close()
        stack.proxy.stop()


def test_statement_may_take_longer_than_a_connection(own):
    """The twin: the limit is not for what the client asked."""
    with wire.open_session(own, "nurse1") as raw:
        assert works(raw)
        with stopped(own):
            raw.send(wire.query("SELECT count(*) > 0 FROM patients"))
            raw.socket.settimeout(5)
            with pytest.raises(TimeoutError):
                raw.receive()
            raw.socket.settimeout(20)
        assert wire.rows_of(raw.until("Z")) == [(b"t",)]
