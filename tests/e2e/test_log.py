"""
What serve says on its standard error is events, one a line, key=value: from its start to its end, whatever goes wrong, and whatever
libraries say by themselves. (The harness looks at the log of every run of every test in the same way.)
"""
import shutil
import socket
import subprocess
import threading
import time

import harness
import psycopg
import pytest
import relay


def serve_that_cannot(own, seconds=30):
    """The standard error of a serve that ends by itself."""
    done = subprocess.run([harness.binary(), "serve", "-c", str(own.config_file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=seconds, cwd=str(own.folder))
    assert done.returncode == 3 and done.stdout == "", done
    assert done.stderr and not harness.no_events(done.stderr), done.stderr
    return done.stderr


def event(name, text):
    """The lines of that event."""
    return [line for line in text.splitlines() if " event=%s " % name in line]


@pytest.fixture
def stopped(make_stack):
    return make_stack(serve=False)


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_events_are_told_from_other_lines():
    good = 'time=2026-01-02T03:04:05.678Z level=info session=1 event=end reason="a \\"b\\" \\x0a \\\\"'
    assert harness.no_events(good + "\n") == []
    for bad in (good + " x", "WARNING:  PID 7 is none", 'x' + good, good.replace('\\"b', '"b'), good.replace("session=1", "session="),
                good[:-1], "", good.replace("level=info", "level=fatal")):
        assert harness.no_events(bad + "\n") == [bad], bad


def test_configuration_that_is_wrong_is_told_in_events(stopped):
    change(stopped.config_file, "workers = 2;", 'wrokers = 2;\nnothing = "a \\"b\\"";')
    told = event("configuration", serve_that_cannot(stopped))
    assert any("pgvigil.cfg:" in line and "wrokers" in line for line in told), told
    assert any("nothing" in line for line in told), told
    stopped.config_file.unlink()
    assert "pgvigil.cfg" in serve_that_cannot(stopped)


def test_policy_that_is_wrong_is_told_in_events(stopped):
    change(stopped.policy / "40-rules-care.cfg", '"nurse"', '"nrse"')
    told = event("start-failed", serve_that_cannot(stopped))
    assert any('40-rules-care.cfg:' in line and '\\"nrse\\"' in line for line in told), told
    assert len(told) > 1  # everything at once, a line each


def test_start_that_fails_is_told_in_events(stopped):
    with socket.create_server(("127.0.0.1", stopped.port)):
        assert event("listen-failed", serve_that_cannot(stopped))
    shutil.rmtree(stopped.audit_dir)
    stopped.audit_dir.write_text("a file")
    told = event("audit-open-failed", serve_that_cannot(stopped))
    assert told and str(stopped.audit_dir) in told[0], told


def test_database_that_is_not_ready_is_told_in_events(make_stack):
    own = make_stack(serve=False, deploy=False)
    own.proxy.start()
    own.proxy.wait_log("event=database-not-ready .*pgvigil deploy")
    own.deploy()
    own.wait_ready("nurse1")
    own.proxy.stop()  # looks at every line


def test_warnings_that_come_with_every_connection_are_events(make_stack, cluster):
    """As after an upgrade of the system: the collation's version is not the one on record."""
    own = make_stack(serve=False)
    with cluster.superuser() as c:
        c.execute("UPDATE pg_database SET datcollversion = '1' WHERE datname = %s", (own.databases["records"],))
    own.serve()
    with own.connect("nurse1") as c:
        assert c.execute("SELECT count(*) FROM patients").fetchone()[0] > 0
    own.proxy.stop()
    told = event("library-message", own.proxy.log.read_text())
    assert len(told) >= 3 and all("collation version" in line for line in told), told  # its catalog, a pair's server, a DBA's


def test_cancel_that_comes_too_late_says_nothing(make_stack, cluster):
    """The server process is gone when the cancel request reaches PostgreSQL, which warns of it."""
    with relay.Relay(cluster) as between:
        own = make_stack(serve=False)
        change(own.config_file, "port=%d " % cluster.port, "port=%d " % between.port)
        own.serve()
        with own.connect("admin1") as c, own.superuser() as dba:
            (pid,) = c.execute("SELECT pg_backend_pid()").fetchone()
            running = threading.Thread(target=lambda: pytest.raises(psycopg.Error, c.execute, "SELECT pg_sleep(60)"))
            running.start()
            deadline = time.monotonic() + 20
            while not dba.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", (pid,)).fetchone():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            between.open.clear()
            c.cancel()
            while between.waiting == 0:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            dba.execute("SELECT pg_terminate_backend(%s)", (pid,))
            running.join()
            between.open.set()
            warning = "PID %d is not a PostgreSQL backend process" % pid
            while warning not in cluster.log.read_text(errors="replace"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        own.proxy.stop()
        assert str(pid) not in own.proxy.log.read_text()
