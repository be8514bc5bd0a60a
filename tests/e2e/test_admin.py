"""
The admin port: figures that are what the test did, health, and nothing else for nobody else.
"""
import contextlib
import socket
import subprocess
import threading
import time

import figures
import harness
import psycopg
import pytest

USERS = 'users = [ "admin1" ];'


def with_port(make_stack, more="", **kw):
    port = harness.free_port()
    own = make_stack(config='admin = { port = %d; %s %s };' % (port, USERS, more), **kw)
    own.admin = port
    return own


@pytest.fixture(scope="module")
def stack(make_stack):
    return with_port(make_stack, databases=("records", "other"))


def settled(stack, name, value, **labels):
    """What is looked at once a second: the figures of a moment at which it was so."""
    deadline = time.monotonic() + 20
    while True:
        found = figures.Figures(stack.admin)
        if found.sum(name, **labels) == value:
            return found
        assert time.monotonic() < deadline, "%s%s is %s, not %s" % (name, labels, found.sum(name, **labels), value)
        time.sleep(0.1)


class Grown:
    """How much each figure of a database has grown."""

    def __init__(self, stack, database="records"):
        self.stack, self.labels, self.before = stack, {"database": database}, figures.Figures(stack.admin)

    def __call__(self, name, **labels):
        now = figures.Figures(self.stack.admin)
        return now.sum(name, **self.labels, **labels) - self.before.sum(name, **self.labels, **labels)


# ---- what is counted --------------------------------------------------------------------------------------------------------

def test_statements_rows_transactions_and_bytes_are_what_was_done(stack):
    with stack.connect("nurse1") as c:
        c.execute("SELECT 1")
        grown = Grown(stack)
        rows = 0
        for _ in range(7):
            rows += len(c.execute("SELECT id FROM patients ORDER BY id LIMIT 11").fetchall())
        with c.transaction():
            rows += len(c.execute("SELECT id FROM patients ORDER BY id LIMIT 3").fetchall())
        c.execute("SELECT repeat('x', 100000)")
        assert grown("pgvigil_statements_total") == 7 + 3 + 1
        assert grown("pgvigil_statement_duration_seconds_count") == 7 + 3 + 1
        assert grown("pgvigil_statement_duration_seconds_sum") > 0
        assert grown("pgvigil_rows_total") == rows + 1
        assert grown("pgvigil_transactions_total") == 7 + 1 + 1
        assert grown("pgvigil_transaction_seconds_total") > 0
        assert grown("pgvigil_statement_errors_total") == grown("pgvigil_refusals_total") == 0
        assert grown("pgvigil_server_wait_seconds_count") >= 1
        assert grown("pgvigil_client_sent_bytes_total") > 100000 < grown("pgvigil_server_received_bytes_total")
        assert 0 < grown("pgvigil_client_received_bytes_total") < 100000 > grown("pgvigil_server_sent_bytes_total") > 0


def test_pipelined_and_prepared_statements_are_each_counted(stack):
    with stack.connect("nurse1") as c:
        c.execute("SELECT 1")
        grown = Grown(stack)
        with c.pipeline():
            for n in range(20):
                c.execute("SELECT id FROM patients WHERE id > %s LIMIT 1", (n,), prepare=True)
        assert grown("pgvigil_statements_total") == grown("pgvigil_statement_duration_seconds_count") == 20


def test_verdicts_that_were_there_already_are_told(stack):
    column = "c%d" % time.monotonic_ns()
    with stack.connect("nurse1", prepare_threshold=None) as c:
        c.execute("SELECT 1")
        grown = Grown(stack)
        for _ in range(9):
            c.execute('SELECT id AS "%s" FROM patients LIMIT 1' % column)
        assert (grown("pgvigil_cache_misses_total"), grown("pgvigil_cache_hits_total")) == (1, 8)
        with pytest.raises(psycopg.Error):
            c.execute("SELECT * FROM staff_salaries")
        assert (grown("pgvigil_cache_misses_total"), grown("pgvigil_cache_hits_total")) == (2, 8)


def test_refusals_and_errors_are_told_apart(stack):
    with stack.connect("nurse1") as c:
        c.execute("SELECT 1")
        grown = Grown(stack)
        for _ in range(3):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                c.execute("SELECT * FROM staff_salaries")
        for _ in range(2):
            with pytest.raises(psycopg.errors.DivisionByZero):
                c.execute("SELECT 1 / (id - id) FROM patients LIMIT 1")
        assert grown("pgvigil_refusals_total") == 3
        assert grown("pgvigil_statement_errors_total") == 2
        assert grown("pgvigil_statements_total") == grown("pgvigil_statement_duration_seconds_count") == 2


def test_refusals_are_the_trails_own_number(stack):
    def denied():
        return len([r for r in stack.audit_records() if r.get("decision") == "deny"])

    grown = Grown(stack)
    before = denied()
    with stack.connect("reception1") as c:
        for sql in ("SELECT blood_group FROM patients", "DELETE FROM patients", "SELECT pg_sleep(1)", "SELEC", "COPY patients TO '/tmp/x'"):
            with pytest.raises(psycopg.Error):
                c.execute(sql)
    assert denied() - before == grown("pgvigil_refusals_total") > 0


def test_databases_are_counted_apart(stack):
    mine, others = Grown(stack), Grown(stack, "other")
    with stack.connect("nurse1", database="other") as c:
        for _ in range(4):
            c.execute("SELECT 1")
    assert mine("pgvigil_statements_total") == 0 and others("pgvigil_statements_total") == 4
    assert mine("pgvigil_logins_total") == 0 and others("pgvigil_logins_total") == 1


def test_logins_and_failed_ones_are_counted(stack):
    grown = Grown(stack)
    before = figures.Figures(stack.admin).sum("pgvigil_login_failures_total")
    for user, password in (("nurse1", "wrong"), ("nobody", "wrong")):
        with pytest.raises(psycopg.OperationalError):
            stack.connect(user, password=password)
    stack.connect("nurse1").close()
    assert figures.Figures(stack.admin).sum("pgvigil_login_failures_total") - before == 2
    assert grown("pgvigil_logins_total") == 1


def test_two_workers_are_summed(stack):
    """Clients that are there at the same time are spread; each worker counts its own."""
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(stack.connect("nurse1")) for _ in range(4)]
        grown = Grown(stack)
        for c in clients:
            for _ in range(5):
                c.execute("SELECT 1")
        assert grown("pgvigil_statements_total") == 20
        each = [grown("pgvigil_statements_total", worker=worker) for worker in ("0", "1")]
        assert sum(each) == 20 and min(each) > 0


def test_turns_are_those_of_persons_and_pairs(make_stack):
    own = with_port(make_stack, pool=1, workers=1)
    with own.connect("nurse1") as nurse, own.connect("nurse2") as other, own.connect("dr.martin") as physician:
        nurse.execute("SELECT 1")
        grown = Grown(own)
        for _ in range(5):
            nurse.execute("SELECT count(*) FROM wards")
        assert grown("pgvigil_server_turns_total") == 0
        for c in (other, nurse, physician, physician, nurse):
            c.execute("SELECT count(*) FROM wards")
        assert grown("pgvigil_server_turns_total") == 4
        with nurse.transaction():
            nurse.execute("SELECT count(*) FROM wards")
        assert grown("pgvigil_server_turns_total") == 4
        with other.transaction():  # BEGIN goes first
            other.execute("SELECT count(*) FROM wards")
        assert grown("pgvigil_server_turns_total") == 5


def test_connections_are_those_that_are_there(make_stack):
    own = with_port(make_stack, pool=4)  # two for each worker
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(own.connect("nurse1", autocommit=False)) for _ in range(6)]
        settled(own, "pgvigil_client_connections", 6, state="idle", database="records")
        waited = figures.Figures(own.admin).sum("pgvigil_server_waits_total")
        for c in clients[:4]:
            c.execute("SELECT 1")
        settled(own, "pgvigil_client_connections", 4, state="active", database="records")
        busy = threading.Thread(target=clients[4].execute, args=("SELECT 1",))
        busy.start()
        settled(own, "pgvigil_client_connections", 1, state="waiting", database="records")
        found = settled(own, "pgvigil_server_connections", 4, state="active", database="records")
        assert found.sum("pgvigil_server_waits_total") > waited
        for c in clients[:4]:
            c.rollback()
        busy.join(30)
        clients[4].rollback()
        found = settled(own, "pgvigil_server_connections", 0, state="active", database="records")
        assert found.sum("pgvigil_server_connections", state="idle", database="records") >= 1
    settled(own, "pgvigil_client_connections", 0)


def test_audit_flushes_are_timed_and_nothing_lags(stack):
    before = figures.Figures(stack.admin)
    with stack.connect("nurse1") as c:
        c.execute("SELECT 1")
    after = figures.Figures(stack.admin)
    assert after.sum("pgvigil_audit_flush_seconds_count") > before.sum("pgvigil_audit_flush_seconds_count")
    assert after.sum("pgvigil_audit_flush_failures_total") == 0
    settled(stack, "pgvigil_audit_lag_seconds", 0)


def test_nothing_in_the_figures_names_a_person_a_table_or_an_application(stack):
    with stack.connect("nurse1", application_name="the-application") as c:
        c.execute("SELECT family_name FROM patients LIMIT 1")
        with pytest.raises(psycopg.Error):
            c.execute("SELECT * FROM staff_salaries")
        text = figures.Figures(stack.admin).text
    for word in ("nurse", "patients", "salaries", "the-application", "admin1", "care"):
        assert word not in text, word


# ---- the port ---------------------------------------------------------------------------------------------------------------

def test_healthz_is_ok_while_it_serves(stack):
    status, headers, text = figures.get(stack.admin, "/healthz")
    assert (status, text) == (200, "ok\n") and headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"])
@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_other_methods_are_refused(stack, method, path):
    body = "x=1" if method in ("POST", "PUT", "PATCH") else None
    status, headers, text = figures.get(stack.admin, path, method, body=body)
    assert status == 405 and headers["Allow"] == "GET" and "pgvigil_" not in text


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics2", "/METRICS", "//metrics", "/../metrics", "/%2e/metrics", "/config", "/healthz/x", "*"])
def test_other_paths_are_not_there(stack, path):
    status, _, text = figures.get(stack.admin, path)
    assert status in (400, 404) and "pgvigil_" not in text


def raw(stack, data, seconds=30):
    """All that the port answers to these bytes."""
    with socket.create_connection(("127.0.0.1", stack.admin), seconds) as s:
        s.settimeout(seconds)
        with contextlib.suppress(OSError):
            s.sendall(data)
            got = b""
            while True:
                piece = s.recv(65536)
                if not piece:
                    return got
                got += piece
        return b""


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x02\x00" + b"\0" * 600,
    b"GET\r\n\r\n",
    b"FOO /metrics HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"z" * 1000000,
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" + b"z" * 100000,
    b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
], ids=range(10))
def test_hostile_requests_get_no_figures_and_end_nothing(stack, data):
    assert b"pgvigil_" not in raw(stack, data)
    assert figures.get(stack.admin, "/healthz")[0] == 200


def test_a_connection_gets_one_answer(stack):
    answer = raw(stack, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 1 and b"pgvigil_" not in answer


def accepted(port):
    """Connections to a port of this machine that somebody has accepted: the others have no inode yet."""
    count = 0
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            _, local, _, state, _, _, _, _, _, inode = line.split()[:10]
            count += local.endswith(":%04X" % port) and state != "0A" and inode != "0"
    return count


def test_silent_connections_are_bounded_and_give_way(stack):
    """More than there may be, none of which says anything: few are accepted, statements go on, and the port comes back."""
    with stack.connect("nurse1", autocommit=False) as c, contextlib.ExitStack() as open_ones:
        silent = [open_ones.enter_context(socket.create_connection(("127.0.0.1", stack.admin), 20)) for _ in range(60)]
        for s in silent[:30]:
            s.sendall(b"GET /met")
        seen, until = [], time.monotonic() + 3
        while time.monotonic() < until:
            seen.append(accepted(stack.admin))
            time.sleep(0.02)
        assert 0 < max(seen) <= 20  # the table is not of one moment: one that ends and its successor may both be in it
        assert c.execute("SELECT 1").fetchone() == (1,)
    assert figures.get(stack.admin, "/healthz")[0] == 200


def test_ipv6_loopback(make_stack):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip("NO IPV6 HERE: %s" % error)
    own = with_port(make_stack, 'address = "::1";')
    assert figures.get(own.admin, "/healthz", host="::1")[0] == 200
    with pytest.raises(OSError):
        figures.get(own.admin, "/healthz")


def test_without_the_group_nothing_listens(make_stack):
    own = make_stack()
    assert "admin-ready" not in own.proxy.log.read_text()
    listening = subprocess.run(["ss", "-ltnpH"], stdout=subprocess.PIPE, text=True, check=True).stdout
    ours = [line for line in listening.splitlines() if "pid=%d," % own.proxy.pid in line]
    assert len(ours) == 1 and ":%d" % own.port in ours[0]


# ---- health -----------------------------------------------------------------------------------------------------------------

def test_healthz_says_when_the_audit_cannot_be_written(make_stack, small_disk):
    own = with_port(make_stack, audit_dir=small_disk / "audit", audit="reserve_bytes = 0")
    assert figures.get(own.admin, "/healthz")[0] == 200
    ballast = small_disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 65536)
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 64)
    deadline = time.monotonic() + 30
    while figures.get(own.admin, "/healthz")[0] == 200:
        with contextlib.suppress(psycopg.Error):
            own.connect("nurse1").close()
        assert time.monotonic() < deadline
    status, _, text = figures.get(own.admin, "/healthz")
    assert (status, text) == (503, "the audit cannot be written\n")
    found = figures.Figures(own.admin)
    assert found.sum("pgvigil_audit_flush_failures_total") > 0 and found.sum("pgvigil_audit_lag_seconds") > 0
    ballast.unlink()
    deadline = time.monotonic() + 30
    while figures.get(own.admin, "/healthz")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    settled(own, "pgvigil_audit_lag_seconds", 0)
    with own.connect("nurse1") as c:
        c.execute("SELECT 1")


# ---- configuration ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("admin,says", [
    ('address = "0.0.0.0"; port = 9187;', 'admin.address "0.0.0.0" is not a loopback address'),
    ('address = "*"; port = 9187;', 'admin.address "*" is not a loopback address'),
    ('address = "::"; port = 9187;', 'admin.address "::" is not a loopback address'),
    ('users = [ "nobody-there" ];', 'admin.users: "nobody-there" is no user of the policy'),
], ids=["any", "star", "any6", "user"])
def test_check_tells_what_must_not_be(make_stack, admin, says):
    own = make_stack(serve=False, deploy=False, config="admin = { %s };" % admin)
    done = own.command("check", "-c", own.config_file, check=False)
    assert done.returncode == 1 and says in done.stdout, done.stdout
    if "users" not in admin:
        served = own.command("serve", "-c", own.config_file, check=False)
        assert served.returncode != 0 and says.replace('"', '\\"') in served.stderr


def test_check_warns_of_a_port_for_all(make_stack):
    own = make_stack(serve=False, deploy=False, config='admin = { address = "0.0.0.0"; port = 9187; unauthenticated = true; };')
    done = own.command("check", "-c", own.config_file)
    assert "admin.unauthenticated = true lets everybody who reaches 0.0.0.0:9187 read the figures" in done.stdout


def test_port_in_use_is_told_and_nothing_is_served(make_stack):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        own = make_stack(serve=False, config="admin = { port = %d; };" % taken.getsockname()[1])
        own.proxy.start(wait=False)
        assert own.proxy.process.wait(60) != 0
        assert "listen-failed" in own.proxy.log.read_text()
        own.proxy.process = None


# ---- which worker has whom ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fill, shares", [(3, [3, 2]), (1, [3, 2]), (4, [4, 1]), (16, [5, 0])])
def test_workers_are_filled_one_after_the_other(make_stack, fill, shares):
    port = harness.free_port()
    own = make_stack(config="admin = { port = %d; %s };" % (port, USERS), serve=False)
    text = own.config_file.read_text(encoding="utf-8")
    assert "worker_fill = 1;" in text
    own.config_file.write_text(text.replace("worker_fill = 1;", "worker_fill = %d;" % fill), encoding="utf-8")
    own.serve()
    own.admin = port
    with contextlib.ExitStack() as sessions:
        for _ in range(5):
            sessions.enter_context(own.connect("nurse1")).execute("SELECT 1")
        found = settled(own, "pgvigil_client_connections", 5, database="records")
        assert [found.sum("pgvigil_client_connections", database="records", worker=str(i)) for i in (0, 1)] == shares
