"""The spine under stress: bytes split and spoilt, clients that do not read, audit that cannot be written, reloads."""
import os
import re
import socket
import struct
import subprocess
import time

import psycopg
import pytest
from psycopg import errors

import harness
import wire

TWELVE_LOGIN_TRIES = 12


def raw_login(stack, user="admin1", **kw):
    raw = wire.Raw(stack.port, stack.tls_context(), **kw)
    raw.login(user, next(iter(stack.databases)), harness.password_of(user))
    return raw


def alive(stack):
    with stack.connect("admin1") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_messages_split_at_every_byte(stack):
    raw = raw_login(stack)
    group = (wire.parse("SELECT $1::int + 1", types=(23,)) + wire.describe("S") + wire.bind((41,)) + wire.describe("P")
             + wire.execute() + wire.SYNC)
    expected = None
    for cut in range(1, len(group)):
        raw.send(group[:cut])
        raw.send(group[cut:])
        got = raw.until("Z")
        expected = expected or got
        assert got == expected


def test_login_split_at_every_byte(stack):
    def one_by_one(raw, data):
        for i in range(len(data)):
            raw.send(data[i:i + 1])

    raw = wire.Raw(stack.port, stack.tls_context())
    raw.login("admin1", next(iter(stack.databases)), "admin1-demo", send=one_by_one)
    assert raw.query("SELECT 1")[-1] == ("Z", b"I")


def test_bytes_behind_ssl_request_end_the_connection(stack):
    raw = wire.Raw(stack.port, tls=False)
    raw.send(wire.SSL_REQUEST + wire.startup("admin1", "records"))
    got = raw.drain()
    assert not got or got[0][0] != "R"
    alive(stack)


def test_gss_request_is_declined(stack):
    raw = wire.Raw(stack.port, tls=False)
    raw.send(wire.GSS_REQUEST)
    assert raw.socket.recv(1) == b"N"


def test_direct_tls(stack):
    context = stack.tls_context()
    context.set_alpn_protocols(["postgresql"])
    raw = wire.Raw(stack.port, context, direct=True)
    raw.login("admin1", next(iter(stack.databases)), "admin1-demo")
    assert raw.query("SELECT 1")[-1] == ("Z", b"I")


def test_direct_tls_without_alpn_is_refused(stack):
    with pytest.raises(Exception):
        raw = wire.Raw(stack.port, stack.tls_context(), direct=True)
        raw.login("admin1", next(iter(stack.databases)), "admin1-demo")


@pytest.mark.parametrize("data", [
    b"\xff\xff\xff\xff", struct.pack("!I", 4), struct.pack("!II", 8, 1), b"\0" * 20, b"GET / HTTP/1.1\r\n\r\n",
    struct.pack("!II", 12, 0x00020000) + b"abcd", b"\x16\x03\x01\x00\x05hello"])
def test_garbage_before_login(stack, data):
    raw = wire.Raw(stack.port, tls=False)
    raw.send(data)
    raw.socket.shutdown(socket.SHUT_WR)
    raw.drain()
    alive(stack)


@pytest.mark.parametrize("spoil", ["mechanism", "nonce", "proof", "gs2", "binding"])
def test_wrong_scram_at_each_step(stack, spoil):
    raw = wire.Raw(stack.port, stack.tls_context())
    got = raw.login("admin1", next(iter(stack.databases)), "admin1-demo", spoil=spoil)
    assert got[-1][0] == "E" and wire.fields(got[-1][1])["C"] in ("28P01", "08P01", "28000")
    alive(stack)


@pytest.mark.parametrize("data", [
    wire.message("y"), b"Q\xff\xff\xff\xff", b"Q\0\0\0\3", b"S\0\0\1\0" + b"x" * 252, wire.message("Q", b"no end"),
    wire.message("B", b"\0"), wire.message("P", b"x"), wire.message("E", b"p"), wire.message("D", b"Xname\0"),
    wire.message("p", b"again"), wire.message("S", b"body"), b"P\x7f\xff\xff\xff"])
def test_malformed_message_is_a_protocol_error(stack, data):
    raw = raw_login(stack)
    raw.send(data)
    got = raw.drain()
    assert got and got[-1][0] == "E" and wire.fields(got[-1][1])["C"] == "08P01"
    alive(stack)


def test_copy_messages_outside_copy_are_ignored(stack):
    raw = raw_login(stack)
    raw.send(wire.message("d", b"data") + wire.message("c") + wire.message("f", b"x\0"))
    assert raw.query("SELECT 1")[-1] == ("Z", b"I")


def test_sync_alone_and_empty_texts(stack):
    raw = raw_login(stack, "nurse1")
    raw.send(wire.SYNC)
    assert raw.until("Z") == [("Z", b"I")]
    assert [k for k, _ in raw.query("")] == ["I", "Z"]
    assert [k for k, _ in raw.query(" ; ")] == ["I", "Z"]
    raw.send(wire.parse("") + wire.bind() + wire.execute() + wire.SYNC)
    assert [k for k, _ in raw.until("Z")] == ["1", "2", "I", "Z"]


def test_many_queries_at_once(stack):
    raw = raw_login(stack, "nurse1")
    raw.send(b"".join(wire.query("SELECT %d" % i) for i in range(500)))
    for i in range(500):
        got = raw.until("Z")
        assert wire.row(got[1][1])[0] == str(i).encode()


def test_client_that_does_not_read_is_bounded(stack):
    before = stack.proxy.rss_kb()
    raw = raw_login(stack)
    raw.send(wire.query("SELECT repeat('x', 1000) FROM generate_series(1, 300000)"))
    time.sleep(3)
    grown = stack.proxy.rss_kb() - before
    assert grown < 30000, "%d kB" % grown
    alive(stack)
    size, tail = 0, b""
    while not tail.endswith(b"Z\0\0\0\5I"):
        data = raw.socket.recv(1 << 20)
        assert data
        size, tail = size + len(data), (tail + data)[-6:]
    assert size > 300000 * 1000


def test_client_that_vanishes_in_a_result(stack):
    for _ in range(5):
        raw = raw_login(stack)
        raw.send(wire.query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"))
        raw.receive()
        raw.socket.close()
    alive(stack)


def test_vanished_client_frees_the_server(stack):
    raw = raw_login(stack)
    raw.send(wire.query("SELECT pg_sleep(60)"))
    time.sleep(0.3)
    raw.socket.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with stack.superuser() as su:
            (left,) = su.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                                 "AND pid <> pg_backend_pid()").fetchone()
        if left == 0:
            return
        time.sleep(0.1)
    raise AssertionError("the statement still runs")


def test_owed_answers_never_reach_the_next_session(stack):
    for cut in range(30):
        raw = raw_login(stack, "nurse1")
        raw.send(wire.query("SELECT 'owed to nurse1', count(*) FROM patients a, patients b")
                 + wire.query("SELECT 'owed too'") * (cut % 3))
        time.sleep(0.002 * (cut % 10))
        raw.socket.close()
        with stack.connect("nurse2") as c:
            assert c.execute("SELECT 'nurse2'").fetchall() == [("nurse2",)]


def test_deep_and_huge_statements(stack):
    raw = raw_login(stack, "nurse1")
    for text in ("SELECT 1" + "+1" * 20000, "SELECT " + "(" * 10000 + "1" + ")" * 10000,
                 "SELECT 1" + " UNION SELECT 1" * 10000, "SELECT " + "NOT " * 20000 + "true"):
        got = raw.query(text)
        assert got[-1] == ("Z", b"I")
    assert raw.query("SELECT 1 WHERE 1 IN (" + ",".join(["1"] * 20000) + ")")[-2][0] == "C"


def test_reload_of_a_bad_policy_keeps_the_good_one(stack):
    path = stack.policy / "zz-bad.cfg"
    mark = stack.proxy.log_size()
    path.write_text("roles = ( { name = \"x\"; missions = [ \"no-such\" ]; } );\n")
    try:
        stack.proxy.hup()
        stack.proxy.wait_log("reload-failed", since=mark)
        with stack.connect("nurse1") as c:
            assert c.execute("SELECT count(*) FROM patients").fetchone()[0] > 0
    finally:
        path.unlink()
    assert any(r.get("event") == "reload-failed" for r in stack.audit_records())


def test_reload_of_an_undeployed_policy_says_what_to_run(stack):
    path = stack.policy / "zz-more.cfg"
    mark = stack.proxy.log_size()
    path.write_text("masks = { shout = \"upper(:col)\"; };\n")
    try:
        stack.proxy.hup()
        assert "pgvigil deploy" in stack.proxy.wait_log("reload-failed.*", since=mark).group(0)
        with stack.connect("nurse1") as c:
            assert c.execute("SELECT count(*) FROM patients").fetchone()[0] > 0
    finally:
        path.unlink()


def test_reload_removes_a_user_from_running_sessions(stack):
    path = stack.policy / "50-users.cfg"
    text = path.read_text()
    with stack.connect("nurse2") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)
        mark = stack.proxy.log_size()
        path.write_text(text.replace('"nurse2"', '"nurse2-gone"'))
        try:
            stack.proxy.hup()
            stack.proxy.wait_log("event=reload ", since=mark)
            with pytest.raises(psycopg.OperationalError):
                for _ in range(50):
                    c.execute("SELECT 1")
                    time.sleep(0.05)
        finally:
            path.write_text(text)
            mark = stack.proxy.log_size()
            stack.proxy.hup()
            stack.proxy.wait_log("event=reload ", since=mark)
    with stack.connect("nurse2") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_failed_logins_slow_down(make_stack):
    stack = make_stack(config="limits = { failed_logins = 2; };", deploy=True)
    took = []
    for _ in range(4):
        begin = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            stack.connect("nurse1", password="wrong")
        took.append(time.monotonic() - begin)
    assert took[0] < 1 and took[-1] > 0.9, took


def test_full_audit_disk(make_stack, tmp_path):
    place = tmp_path / "audit"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(place)],
                                           check=False).returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        stack = make_stack(audit_dir=place, audit="reserve_bytes = 0")
        with stack.connect("admin1") as c, stack.connect("nurse1") as nurse:
            assert nurse.execute("SELECT 1").fetchone() == (1,)
            filler = place / "filler"
            with open(filler, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 4096)
                except OSError:
                    pass
            failed = 0
            for _ in range(200):
                try:
                    nurse.execute("SELECT 1").fetchone()
                except errors.IoError as error:
                    failed += 1
                    assert "audit" in str(error)
            assert failed > 100
            with pytest.raises(errors.IoError):
                for _ in range(200):
                    c.execute("SELECT 1")
            with pytest.raises(errors.IoError):
                c.execute("CREATE TABLE must_not_exist (a int)")
            filler.unlink()
            time.sleep(0.2)
            deadline = time.monotonic() + 10
            while True:
                try:
                    assert c.execute("SELECT to_regclass('must_not_exist')").fetchone() == (None,)
                    break
                except errors.IoError:
                    assert time.monotonic() < deadline
            for _ in range(20):
                try:
                    nurse.execute("SELECT 1")
                except errors.IoError:
                    pass
            assert nurse.execute("SELECT 1").fetchone() == (1,)
        stack.proxy.stop()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_server_that_cannot_be_reached_is_said(make_stack):
    stack = make_stack(serve=False)
    text = stack.config_file.read_text()
    stack.config_file.write_text(re.sub(r"port=%d" % stack.cluster.port, "port=1", text))
    stack.proxy.start()
    with pytest.raises(psycopg.OperationalError, match="cannot be reached"):
        stack.connect("admin1")


def test_undeployed_policy_is_told_without_inner_names(make_stack):
    # A policy of its own: roles belong to the whole cluster, and another test may have deployed the clinic's.
    stack = make_stack(deploy=False, extra_policy=[("99-own.cfg", 'masks = { never_deployed = "left(:col, 1)"; };\n')])
    with pytest.raises(psycopg.OperationalError) as told:
        stack.connect("nurse1")
    assert "not deployed" in str(told.value) and "pgvigil deploy" in str(told.value)
    assert "pgvigil:" not in str(told.value)
    stack.deploy()
    deadline = time.monotonic() + 30
    while True:  # the twin: it takes the guards up by itself
        try:
            with stack.connect("nurse1") as c:
                assert c.execute("SELECT count(*) FROM patients").fetchone()[0] > 0
            return
        except psycopg.Error:
            assert time.monotonic() < deadline
            time.sleep(0.5)


LATE = """
CREATE FUNCTION public.refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'too late'; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.observations DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.value = -1) EXECUTE FUNCTION public.refuse_late();
"""


def test_commit_that_fails_at_sync_is_an_error_like_another(make_stack):
    """A check that is deferred fails when the implicit transaction ends: behind the answer of the statement, before ReadyForQuery."""
    stack = make_stack(changes={"records": LATE})
    with stack.superuser() as c:
        patient, stay = c.execute("SELECT s.patient_id, s.id FROM stays s JOIN patients p ON p.id = s.patient_id WHERE p.ward_id = 1 LIMIT 1").fetchone()
    write = ("INSERT INTO observations (id, patient_id, stay_id, taken_on, taken_at, practitioner, loinc, label, value, unit) VALUES"
             " (9999999, %d, %d, '2025-03-01', '2025-03-01 10:00', '10000000611', '8867-4', 'late', %%s, 'bpm')" % (patient, stay))
    with wire.open_session(stack, "nurse1") as raw:
        for value, expected in ((-1, "P0001"), (-1, "P0001"), (1, None), (1, "23505")):
            for form in (lambda sql: raw.query(sql), lambda sql: raw.extended(sql)):
                got = form(write % value)
                error = wire.error_of(got)
                assert (error["C"] if error else None) == expected, got
                assert got[-1] == ("Z", b"I")
                if expected is None:
                    break
            assert wire.rows_of(raw.extended("SELECT count(*) > 0 FROM patients")) == [(b"t",)]
