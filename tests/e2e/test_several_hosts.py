"""
Several hosts in conninfo, and target_session_attrs: a primary and its streaming standby. pgvigil is where the attributes say, and when
the primary dies and the standby takes its place, sessions that have nothing open go on there.
"""
import contextlib
import os
import pwd
import shutil
import signal
import socket
import time

import harness
import psycopg
import pytest
from test_restart import finish, in_threads

LIMIT = 60
WRITE = "UPDATE patients SET phone = '0600000000' WHERE id = (SELECT min(id) FROM patients WHERE ward_id = 1)"


class Standby(harness.Cluster):
    """A copy of a Cluster that follows it."""

    def __init__(self, primary):
        self.primary = primary
        super().__init__()

    def _start(self):
        self.certs = self.primary.certs
        for name in ("server.crt", "server.key"):
            shutil.copy(self.certs.folder / name, self.folder / ("pg-" + name))
        (self.folder / "pg-server.key").chmod(0o600)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (self.folder, self.folder / "pg-server.crt", self.folder / "pg-server.key"):
                os.chown(path, user.pw_uid, user.pw_gid)
        self.folder.chmod(0o755)
        data = self.folder / "data"
        harness.run(self._as_postgres() + [harness.PG_BIN / "pg_basebackup", "-h", self.primary.folder, "-p", self.primary.port, "-U",
                                           "postgres", "-D", data, "-c", "fast", "-X", "stream", "-R", "--no-sync"], cwd="/")
        with open(data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("\nport = %d\nunix_socket_directories = '%s'\nssl_cert_file = '%s/pg-server.crt'\nssl_key_file = '%s/pg-server.key'\n"
                       % (self.port, self.folder, self.folder, self.folder))
        self.log = self.folder / "postgresql.log"
        self.launch()


@pytest.fixture(scope="module")
def cluster():
    with harness.Cluster() as made:
        with open(made.folder / "data" / "pg_hba.conf", "a", encoding="utf-8") as hba:
            hba.write("local replication postgres trust\n")
        with made.superuser() as c:
            c.execute("SELECT pg_reload_conf()")
        yield made


@pytest.fixture(scope="module")
def standby(cluster):
    with Standby(cluster) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_stack, standby):
    """Deployed; each test has its own hosts and attributes."""
    return make_stack(serve=False, config="limits = { connect_seconds = 60; };")


def caught_up(stack, standby):
    """What is in the primary's log has been replayed."""
    with stack.superuser() as c:
        (there,) = c.execute("SELECT pg_current_wal_lsn()").fetchone()
    deadline = time.monotonic() + LIMIT
    with standby.superuser() as c:
        while not c.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (there,)).fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def serve(stack, ports, attributes, start=True):
    text = stack.config_text("limits = { connect_seconds = 60; };", "", "")
    hosts = "host=%s port=%s target_session_attrs=%s " % (",".join(["127.0.0.1"] * len(ports)), ",".join(map(str, ports)), attributes)
    stack.config_file.write_text(text.replace("host=127.0.0.1 port=%d " % stack.cluster.port, hosts), encoding="utf-8")
    if start:
        stack.serve()


@pytest.fixture
def ended(stack):
    yield
    if stack.proxy.process is not None:
        stack.proxy.stop()


def connections(server, stack):
    with server.superuser(stack.databases["records"]) as c:
        return c.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pgvigil' AND datname = current_database()").fetchone()[0]


def all_patients(stack, server):
    """PostgreSQL's own answer for nurse1."""
    with server.superuser(stack.databases["records"]) as c:
        return c.execute("SELECT id, family_name, phone FROM patients WHERE ward_id IN (1, 2) ORDER BY id").fetchall()


def seen(connection):
    return connection.execute("SELECT id, family_name, phone FROM patients ORDER BY id").fetchall()


@pytest.mark.parametrize("attributes", ["read-write", "primary"])
def test_the_primary_is_found_behind_its_standby(attributes, stack, cluster, standby, ended):
    caught_up(stack, standby)
    serve(stack, (standby.port, cluster.port), attributes)
    with stack.connect("nurse1") as nurse, stack.connect("reception1") as reception:
        assert seen(nurse) == all_patients(stack, cluster)
        assert reception.execute(WRITE).statusmessage == "UPDATE 1"
        assert connections(cluster, stack) > 0 and connections(standby, stack) == 0


@pytest.mark.parametrize("attributes", ["standby", "read-only", "prefer-standby"])
def test_the_standby_is_found_behind_its_primary(attributes, stack, cluster, standby, ended):
    caught_up(stack, standby)
    serve(stack, (cluster.port, standby.port), attributes)
    with stack.connect("nurse1") as nurse, stack.connect("reception1") as reception:
        assert seen(nurse) == all_patients(stack, standby)
        assert connections(standby, stack) > 0 and connections(cluster, stack) == 0
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):  # the denied twin, by PostgreSQL itself
            reception.execute(WRITE)
        assert seen(nurse) == all_patients(stack, standby)


def test_nobody_fits(stack, standby, ended):
    """The denied twin: a standby alone is no place to write; who logs in is told."""
    serve(stack, (standby.port,), "read-write", start=False)
    stack.proxy.start()
    with pytest.raises(psycopg.OperationalError) as told:
        stack.connect("nurse1").execute("SELECT 1")
    assert str(standby.port) not in str(told.value)
    stack.proxy.wait_log("session is read-only|not read-write|could not be loaded")


@pytest.fixture
def nowhere():
    """A host that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_host_that_says_nothing_is_passed_over(stack, cluster, nowhere, ended):
    serve(stack, (nowhere, cluster.port), "read-write connect_timeout=2")
    with stack.connect("nurse1") as c:
        assert seen(c) == all_patients(stack, cluster)


def test_end_while_the_only_host_says_nothing(stack, nowhere, ended):
    serve(stack, (nowhere,), "any connect_timeout=2", start=False)
    stack.proxy.start()
    with pytest.raises(psycopg.OperationalError):
        stack.connect("nurse1")
    stack.proxy.stop()  # fails when it does not end


def test_end_does_not_wait_for_openings_nobody_has_begun(stack, cluster, ended):
    """Each would take as long as the first: the trail's last checkpoint would be late, or lost to an impatient supervisor."""
    serve(stack, (cluster.port,), "any connect_timeout=4")
    sessions = [stack.connect("nurse1") for _ in range(16)]
    expected = seen(sessions[0])
    with stack.superuser() as c, contextlib.ExitStack() as later:
        os.kill(cluster.process.pid, signal.SIGSTOP)  # it takes no more connections, and says nothing
        later.callback(os.kill, cluster.process.pid, signal.SIGCONT)
        c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil'")
        answers, threads = in_threads(seen, sessions)
        time.sleep(2)
        since = stack.proxy.log_size()
        stack.proxy.stop()
        assert finish(threads) == 0
    text = stack.proxy.log.read_bytes()[since:].decode()
    assert text.count("timeout expired") <= 4 and text.count("pgvigil is stopping") >= 8, text
    assert all(isinstance(a, psycopg.Error) for a in answers), expected
    stack.command("audit", "verify", stack.audit_dir)


def test_failover_is_not_noticed_by_who_has_nothing_open(stack, cluster, standby, ended):
    """The last one: the primary does not come back."""
    serve(stack, (cluster.port, standby.port), "read-write")
    idle = [stack.connect(user) for user in ("nurse1", "nurse1", "reception1")]
    kept = stack.connect("nurse1")
    expected = seen(idle[0])
    assert seen(idle[1]) == expected and idle[2].execute(WRITE).statusmessage == "UPDATE 1"
    kept.execute("BEGIN")
    assert seen(kept)
    caught_up(stack, standby)
    expected = all_patients(stack, cluster)
    cluster.halt(signal.SIGQUIT)
    with standby.superuser() as c:
        assert c.execute("SELECT pg_promote()").fetchone() == (True,)
    assert seen(idle[0]) == expected == all_patients(stack, standby)
    assert seen(idle[1]) == expected
    assert idle[2].execute(WRITE.replace("0600000000", "0611111111")).statusmessage == "UPDATE 1"
    assert all_patients(stack, standby) == seen(idle[0]) != expected
    assert connections(standby, stack) > 0
    with pytest.raises(psycopg.OperationalError):
        kept.execute("SELECT 1")
    assert kept.closed
    with stack.connect("nurse1") as c:
        assert seen(c) == seen(idle[0])
    for c in idle:
        c.close()
