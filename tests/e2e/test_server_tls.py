"""
sslmode=verify-full in a conninfo: another server that answers in the database's place gets neither a password nor a statement. The
client hears that the database cannot be reached, the log why; when the right server answers again, so does pgvigil.
"""
import contextlib
import datetime
import shutil
import signal
import ssl
import time

import harness
import psycopg
import pytest
import relay
import wire

REASONS = {
    "another authority": "certificate verify failed",
    "another name": "does not match host name",
    "expired": "certificate verify failed",
}


def impostor(certs, kind, folder):
    """(certificate, key) of a server that is not the one the conninfo names."""
    if kind == "another authority":
        other = harness.Certificates(folder / "other")
        return other.server, other.server_key
    if kind == "another name":
        return certs.issue("other-name", "db.elsewhere.example", "subjectAltName=DNS:db.elsewhere.example,IP:127.0.0.9")
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    index = folder / "index.txt"
    index.write_text("")
    (folder / "serial").write_text("7001\n")
    conf = folder / "ca.cnf"
    conf.write_text("[ca]\ndefault_ca = c\n[c]\ndatabase = %s\nserial = %s\nnew_certs_dir = %s\ndefault_md = sha256\npolicy = p\n"
                    "copy_extensions = none\n[p]\ncommonName = supplied\n[x]\nsubjectAltName = DNS:localhost,IP:127.0.0.1\n"
                    % (index, folder / "serial", folder))
    _, key = certs.issue("expired", "localhost")
    cert = folder / "expired.crt"
    harness.run(["openssl", "ca", "-batch", "-notext", "-config", conf, "-extensions", "x", "-cert", certs.ca, "-keyfile",
                 certs.folder / "ca.key", "-in", certs.folder / "expired.csr", "-out", cert, "-startdate",
                 (past - datetime.timedelta(days=2)).strftime("%y%m%d%H%M%SZ"), "-enddate", past.strftime("%y%m%d%H%M%SZ")])
    return cert, key


def presented(cluster):
    """The certificate that the server shows now."""
    with wire.Raw(cluster.port, relay.unchecked()) as raw:
        return raw.socket.getpeercert(binary_form=True)


def show_certificate(cluster, cert, key):
    """PostgreSQL itself answers with that certificate from now on."""
    for source, name in ((cert, "pg-server.crt"), (key, "pg-server.key")):
        target = cluster.folder / name
        with open(source, "rb") as new, open(target, "r+b") as old:  # owner and mode stay
            old.truncate()
            shutil.copyfileobj(new, old)
    wanted = ssl.PEM_cert_to_DER_cert(open(cert, encoding="ascii").read())
    cluster.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while presented(cluster) != wanted:
        assert time.monotonic() < deadline, "PostgreSQL does not show the new certificate"
        time.sleep(0.05)


@contextlib.contextmanager
def impersonated(cluster, kind, folder):
    show_certificate(cluster, *impostor(cluster.certs, kind, folder))
    try:
        yield
    finally:
        show_certificate(cluster, cluster.certs.server, cluster.certs.server_key)


def end_servers(stack):
    """pgvigil must open its server connections anew."""
    with stack.superuser() as c:
        c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('pgvigil', 'pgvigil_dba')")
        while c.execute("SELECT count(*) FROM pg_stat_activity WHERE usename IN ('pgvigil', 'pgvigil_dba')").fetchone()[0]:
            time.sleep(0.05)


def reached(cluster):
    """Logins that PostgreSQL let in."""
    return cluster.log.read_text(errors="replace").count("connection authorized: user=pgvigil")


def login_error(stack, user):
    with wire.Raw(stack.port, stack.tls_context()) as raw:
        return wire.error_of(raw.login(user, "records", user + "-demo", plus=True))


@pytest.fixture(scope="module", autouse=True)
def logged(cluster):
    with cluster.superuser() as c:
        c.execute("ALTER SYSTEM SET log_connections = on")
        c.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("kind", sorted(REASONS))
def test_another_server_is_refused(kind, make_stack, cluster, tmp_path):
    stack = make_stack()
    with stack.connect("nurse1") as c:
        before = c.execute("SELECT count(*) FROM patients").fetchone()
    assert reached(cluster) > 0
    with impersonated(cluster, kind, tmp_path):
        end_servers(stack)
        with pytest.raises(psycopg.OperationalError) as direct:  # what PostgreSQL's own client says
            stack.direct()
        assert REASONS[kind] in str(direct.value)
        since, logins = stack.proxy.log_size(), reached(cluster)
        for user in ("nurse1", "admin1"):
            error = login_error(stack, user)
            assert error["S"] == "FATAL" and error["C"] == "08006", error
            told = " ".join(error.values())
            assert "cannot be reached" in told, told
            for secret in ("certificate", "127.0.0.1", str(cluster.port), "password"):
                assert secret not in told, told
        told = [line for line in stack.proxy.log.read_text()[since:].splitlines() if "event=server-open-failed" in line]
        assert len(told) >= 2 and all(REASONS[kind] in line for line in told), told
        assert reached(cluster) == logins, "the other server was given a login"
    deadline = time.monotonic() + 20
    while True:
        try:
            with stack.connect("nurse1") as c:
                assert c.execute("SELECT count(*) FROM patients").fetchone() == before
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the right server is not used again"
            time.sleep(0.2)


def test_serve_that_starts_before_another_server_opens_nothing(make_stack, cluster, tmp_path):
    stack = make_stack(serve=False)
    logins = reached(cluster)
    with impersonated(cluster, "another authority", tmp_path):
        stack.proxy.start()
        stack.proxy.wait_log("certificate verify failed")
        for user in ("nurse1", "admin1"):
            error = login_error(stack, user)
            assert error["S"] == "FATAL" and "cannot be reached" in error["M"], error
        assert reached(cluster) == logins
    stack.wait_ready("nurse1")
    with stack.connect("nurse1") as c:
        deadline = time.monotonic() + 20
        while True:  # its catalog is looked for every two seconds
            try:
                assert c.execute("SELECT count(*) FROM patients").fetchone()[0] > 0
                return
            except psycopg.Error:
                assert time.monotonic() < deadline
                time.sleep(0.2)
