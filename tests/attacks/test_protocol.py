"""
Raw bytes: what no driver sends. pgvigil must not crash, leak or hang, must answer as the protocol says, and other sessions must
not notice. Run with a sanitizer build in PGVIGIL_BINARY its log is searched for reports when the stack ends.

Every test ends with `unharmed`: the process is the same one, a bystander's session (opened before everything) still answers.
"""
import contextlib
import os
import socket
import ssl
import struct
import threading
import time

import harness
import psycopg
import pytest
import wire

USER, PASSWORD = "admin1", "admin1-demo"
SANITIZED = bool(os.environ.get("PGVIGIL_SANITIZED"))


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(config='limits = { failed_logins = 1000000; login_seconds = 4; message_bytes = 1048576; };')


@pytest.fixture(scope="module")
def bystander(stack):
    with stack.connect(USER) as connection:
        yield connection, stack.proxy.pid


@pytest.fixture(autouse=True)
def unharmed(stack, bystander):
    connection, pid = bystander
    yield
    assert stack.proxy.alive() and stack.proxy.pid == pid
    assert connection.execute("SELECT 40 + 2").fetchone() == (42,)
    with stack.connect(USER) as fresh:
        assert fresh.execute("SELECT count(*) FROM wards").fetchone() == (12,)


def database(stack):
    return next(iter(stack.databases))


def connect(stack, **kw):
    return wire.Raw(stack.port, stack.tls_context(), **kw)


def expect_error(raw, sqlstate=None, fatal=None):
    """Everything up to the end or ReadyForQuery; the error in it."""
    messages = []
    with contextlib.suppress(wire.Closed, socket.timeout, TimeoutError):
        while not messages or messages[-1][0] != "Z":
            messages.append(raw.receive())
    error = wire.error_of(messages)
    assert error, "no error but %r" % (messages[:5],)
    if sqlstate:
        assert error["C"] in ([sqlstate] if isinstance(sqlstate, str) else sqlstate), error
    if fatal is not None:
        assert (error["S"] == "FATAL") == fatal, error
    return error


def is_closed(raw, seconds=8):
    raw.socket.settimeout(seconds)
    try:
        while True:
            raw.receive()
    except wire.Closed:
        return True
    except (socket.timeout, TimeoutError):
        return False


# ---- split messages ----------------------------------------------------------------------------------------------------

def in_two(at):
    def send(raw, data):
        raw.send(data[:at])
        time.sleep(0.001)
        raw.send(data[at:])
    return send


def test_startup_and_authentication_split_at_every_byte(stack):
    longest = max(len(wire.startup(USER, database(stack))), 200)
    for at in range(1, longest, 1 if longest < 260 else 2):
        with connect(stack) as raw:
            got = raw.login(USER, database(stack), PASSWORD, plus=at % 2 == 0, send=in_two(at))
            assert got[-1] == ("Z", b"I"), (at, got[-1])
            assert wire.rows_of(raw.query("SELECT 7")) == [(b"7",)]


def test_login_one_byte_at_a_time(stack):
    def each(raw, data):
        for i in range(len(data)):
            raw.send(data[i:i + 1])
    with connect(stack) as raw:
        assert raw.login(USER, database(stack), PASSWORD, plus=True, send=each)[-1] == ("Z", b"I")


def test_ssl_request_split_at_every_byte(stack):
    for at in range(1, 8):
        raw = socket.create_connection(("127.0.0.1", stack.port), 10)
        raw.sendall(wire.SSL_REQUEST[:at])
        time.sleep(0.02)
        raw.sendall(wire.SSL_REQUEST[at:])
        assert raw.recv(1) == b"S"
        raw.close()


EXCHANGES = [
    (wire.query("SELECT 1 AS a, 'x'"), [(b"1", b"x")]),
    (wire.query("SELECT 2; SELECT 3"), [(b"2",), (b"3",)]),
    (wire.parse("SELECT $1::int + 1", "s1") + wire.bind([4], "p1", "s1") + wire.describe("P", "p1") + wire.execute("p1")
     + wire.close("P", "p1") + wire.close("S", "s1") + wire.FLUSH + wire.SYNC, [(b"5",)]),
    (wire.parse("SELECT g FROM generate_series(1, 3) g") + wire.describe("S") + wire.bind() + wire.execute("", 2) + wire.execute()
     + wire.SYNC, [(b"1",), (b"2",), (b"3",)]),
]


@pytest.mark.parametrize("number", range(len(EXCHANGES)))
def test_messages_split_at_every_byte(number, stack):
    data, rows = EXCHANGES[number]
    with wire.open_session(stack) as raw:
        for at in range(1, len(data)):
            raw.send(data[:at])
            if at % 3 == 0:
                time.sleep(0.001)
            raw.send(data[at:])
            assert wire.rows_of(raw.until("Z")) == rows, at
        for i in range(len(data)):
            raw.send(data[i:i + 1])
        assert wire.rows_of(raw.until("Z")) == rows


def test_restricted_messages_split_at_every_byte(stack):
    data = wire.parse("SELECT name FROM wards WHERE id = $1") + wire.bind([1]) + wire.execute() + wire.SYNC
    with wire.open_session(stack, "nurse1") as raw:
        for at in range(1, len(data)):
            raw.send(data[:at])
            raw.send(data[at:])
            assert wire.rows_of(raw.until("Z")) == [("Cardiologie".encode(),)], at
        # The twin: a refusal in pieces is a refusal, and what follows works.
        data = wire.parse("SELECT nir FROM patients") + wire.bind() + wire.execute() + wire.SYNC
        for at in range(1, len(data), 7):
            raw.send(data[:at])
            raw.send(data[at:])
            assert wire.error_of(raw.until("Z"))["C"] == "42703"


def test_many_messages_in_one_record(stack):
    one = wire.parse("SELECT $1::int") + wire.bind([9]) + wire.execute() + wire.SYNC
    with wire.open_session(stack) as raw:
        raw.send(one * 200 + wire.query("SELECT 'end'"))
        for _ in range(200):
            assert wire.rows_of(raw.until("Z")) == [(b"9",)]
        assert wire.rows_of(raw.until("Z")) == [(b"end",)]


# ---- lengths and types -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("length", [0, 1, 3, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFF, 0x3FFFFFFF, 2 << 20])
@pytest.mark.parametrize("kind", ["Q", "P", "B", "S", "X", "p", "d"])
def test_bad_length_after_login_ends_the_session(kind, length, stack):
    with wire.open_session(stack) as raw:
        raw.send(kind.encode() + struct.pack("!I", length))
        error = expect_error(raw, ("08P01", "54000", "53200"))
        assert error["S"] == "FATAL"
        assert is_closed(raw)


@pytest.mark.parametrize("length", [0, 1, 4, 7, 10001, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFF])
def test_bad_startup_length_is_refused(length, stack):
    with connect(stack) as raw:
        raw.send(struct.pack("!I", length) + b"\0\3\0\0")
        assert is_closed(raw)


@pytest.mark.parametrize("length", [0, 3, 70000, 0x80000000, 0xFFFFFFFF])
def test_bad_password_length_is_refused(length, stack):
    with connect(stack) as raw:
        raw.send(wire.startup(USER, database(stack)))
        assert raw.receive()[0] == "R"
        raw.send(b"p" + struct.pack("!I", length))
        expect_error(raw, ("08P01", "54000"), fatal=True)
        assert is_closed(raw)


def test_every_unknown_type_is_a_protocol_error(stack):
    known = set(b"QPBEDCSHXFdcfp")
    for code in range(256):
        if code in known:
            continue
        with wire.open_session(stack) as raw:
            raw.send(bytes([code]) + struct.pack("!I", 4))
            error = expect_error(raw, "08P01", fatal=True)
            assert "SELECT" not in error["M"]
            assert is_closed(raw)


def test_message_at_the_limit_works_and_one_beyond_does_not(stack):
    pad = 1048576 - len("SELECT ''") - 1
    with wire.open_session(stack) as raw:
        assert len(wire.rows_of(raw.query("SELECT '" + "x" * (pad - 8) + "'"))[0][0]) == pad - 8
        raw.send(wire.query("SELECT '" + "x" * (pad + 64) + "'")[:9000])
        expect_error(raw, ("54000", "08P01", "53200"))


# ---- malformed bodies --------------------------------------------------------------------------------------------------

def u16(n):
    return struct.pack("!H", n)


MALFORMED = {
    "query without NUL": wire.message("Q", b"SELECT 1"), "query of two strings": wire.message("Q", b"SELECT 1\0SELECT 2\0"), "query empty body": wire.message("Q"),
    "query not UTF-8": wire.message("Q", b"SELECT '\xff\xfe'\0"), "query NUL inside": wire.message("Q", b"SELECT '\0'\0"),
    "parse without type count": wire.message("P", b"\0SELECT 1\0"), "parse types missing": wire.message("P", b"\0SELECT 1\0" + u16(5)),
    "parse types beyond": wire.message("P", b"\0SELECT 1\0" + u16(65535) + b"\0" * 8), "parse trailing": wire.message("P", b"\0SELECT 1\0" + u16(0) + b"x"),
    "bind short": wire.message("B", b"\0"), "bind values missing": wire.message("B", b"\0\0" + u16(0) + u16(3)), "bind negative length": wire.message("B", b"\0\0" + u16(0) + u16(1) + struct.pack("!i", -2) + u16(0)),
    "bind long value": wire.message("B", b"\0\0" + u16(0) + u16(1) + struct.pack("!i", 1 << 30) + b"x"), "bind format 7": wire.message("B", b"\0\0" + u16(1) + u16(7) + u16(0) + u16(0)),
    "bind two formats one value": wire.message("B", b"\0\0" + u16(2) + u16(0) + u16(0) + u16(1) + struct.pack("!i", -1) + u16(0)), "bind trailing": wire.message("B", b"\0\0" + u16(0) + u16(0) + u16(0) + b"y"),
    "describe of nothing": wire.message("D"), "describe kind Z": wire.message("D", b"Z\0"), "describe without NUL": wire.message("D", b"Sabc"), "close kind 0": wire.message("C", b"\0\0"), "execute short": wire.message("E", b"\0\0\0"),
    "execute without portal": wire.message("E"), "sync with a body": wire.message("S", b"x"), "flush with a body": wire.message("H", b"xyz"), "terminate with a body": wire.message("X", b"x"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_message_is_refused(name, stack):
    with wire.open_session(stack) as raw:
        with contextlib.suppress(wire.Closed):
            raw.send(MALFORMED[name] + wire.SYNC)
        messages = []
        raw.socket.settimeout(8)
        with contextlib.suppress(wire.Closed):
            while len(messages) < 30 and not (messages and messages[-1][0] == "Z"):
                messages.append(raw.receive())
        if name != "terminate with a body":
            error = wire.error_of(messages)
            assert error and error["C"] in ("08P01", "22021", "42601", "26000"), (error, messages)
        assert not wire.rows_of(messages)


STARTUPS = {
    "no user": struct.pack("!HH", 3, 0) + b"\0", "no end": struct.pack("!HH", 3, 0) + b"user\0admin1", "value missing": struct.pack("!HH", 3, 0) + b"user\0admin1\0database\0",
    "after the end": struct.pack("!HH", 3, 0) + b"user\0admin1\0\0x", "protocol 2": struct.pack("!HH", 2, 0) + b"\0" * 288, "protocol 4": struct.pack("!HH", 4, 0) + b"user\0admin1\0\0",
    "protocol 0": struct.pack("!HH", 0, 0) + b"user\0admin1\0\0", "user twice": struct.pack("!HH", 3, 0) + b"user\0admin1\0user\0nurse1\0\0x", "long user": struct.pack("!HH", 3, 0) + b"user\0" + b"u" * 9000 + b"\0\0",
    "not UTF-8": struct.pack("!HH", 3, 0) + b"user\0\xff\xfe\0database\0records\0\0", "many settings": struct.pack("!HH", 3, 0) + b"user\0admin1\0" + b"a\0b\0" * 2000 + b"\0",
    "replication": struct.pack("!HH", 3, 0) + b"user\0admin1\0database\0records\0replication\0database\0\0",
}


@pytest.mark.parametrize("name", STARTUPS)
def test_malformed_startup_never_logs_in(name, stack):
    with connect(stack) as raw:
        body = STARTUPS[name]
        raw.send(struct.pack("!I", len(body) + 4) + body)
        raw.socket.settimeout(8)
        messages = []
        with contextlib.suppress(wire.Closed):
            messages.append(raw.receive())
            if messages[-1][0] == "R":  # the name is asked for its password like any other
                scram = wire.Scram(PASSWORD)
                raw.send(scram.initial())
                messages.append(raw.receive())
                if messages[-1][0] == "R":
                    raw.send(scram.final(messages[-1][1][4:]))
                    while True:
                        messages.append(raw.receive())
        assert ("Z", b"I") not in messages, messages
        assert not any(kind == "R" and body == b"\0\0\0\0" for kind, body in messages) or wire.error_of(messages)


def test_startup_option_that_is_refused(stack):
    for settings in ({"options": "-csession_authorization=postgres"}, {"options": "-crole=postgres"}, {"options": "-cpgvigil.u_wards={1,2,3}"},
                     {"session_replication_role": "replica"}, {"options": "-cpgvigil.mission=nothing"}):
        with connect(stack) as raw:
            got = raw.login("nurse1", database(stack), "nurse1-demo", **settings)
            assert got[-1][0] != "Z" and wire.error_of(got), settings


def test_negotiate_protocol_version(stack):
    with connect(stack) as raw:
        got = raw.login(USER, database(stack), PASSWORD, minor=2, **{"_pq_.future": "on"})
        assert got[0][0] == "v"
        newest, count = struct.unpack_from("!II", got[0][1])
        assert newest in (0, 3 << 16) and count == 1 and got[0][1][8:] == b"_pq_.future\0"
        assert got[-1] == ("Z", b"I")


# ---- messages in the wrong state ---------------------------------------------------------------------------------------

BEFORE_LOGIN = {"query": wire.query("SELECT 1"), "parse": wire.parse("SELECT 1"), "sync": wire.SYNC, "copy data": wire.message("d", b"x"), "terminate": wire.TERMINATE, "second startup": wire.startup("admin1", "records"),
                "function call": wire.message("F", struct.pack("!IHHH", 1, 0, 0, 0))}


@pytest.mark.parametrize("name", BEFORE_LOGIN)
def test_message_before_authentication_runs_nothing(name, stack):
    for asked in (False, True):  # instead of the start-up packet; instead of the password
        with connect(stack) as raw:
            if asked:
                raw.send(wire.startup(USER, database(stack)))
                assert raw.receive()[0] == "R"
            if not asked and name == "second startup":
                continue
            with contextlib.suppress(wire.Closed):
                raw.send(BEFORE_LOGIN[name])
            messages = []
            raw.socket.settimeout(8)
            with contextlib.suppress(wire.Closed):
                while True:
                    messages.append(raw.receive())
            assert all(kind in "EN" for kind, _ in messages), messages


def test_password_message_after_login_is_a_protocol_error(stack):
    with wire.open_session(stack) as raw:
        raw.send(wire.Scram(PASSWORD).initial())
        expect_error(raw, "08P01", fatal=True)
        assert is_closed(raw)


@pytest.mark.parametrize("kind", "dcf")
def test_copy_messages_without_copy_change_nothing(kind, stack):
    with wire.open_session(stack) as raw:
        raw.send(wire.message(kind, b"x\0" if kind == "f" else b""))
        messages = None
        with contextlib.suppress(wire.Closed):
            messages = raw.query("SELECT 5")
        assert messages is None or wire.rows_of(messages) == [(b"5",)] or wire.error_of(messages)["C"] == "08P01"


def test_names_that_do_not_exist(stack):
    with wire.open_session(stack) as raw:
        for data, state in ((wire.bind(statement="none"), "26000"), (wire.execute("none"), "34000"), (wire.describe("S", "none"), "26000"), (wire.describe("P", "none"), "34000")):
            raw.send(data + wire.SYNC)
            assert wire.error_of(raw.until("Z"))["C"] == state
        raw.send(wire.close("S", "none") + wire.close("P", "none") + wire.SYNC)
        assert [k for k, _ in raw.until("Z")] == ["3", "3", "Z"]
        raw.send(wire.parse("SELECT 1", "twice") + wire.parse("SELECT 2", "twice") + wire.SYNC)
        assert wire.error_of(raw.until("Z"))["C"] == "42P05"


def test_after_an_error_everything_is_skipped_to_sync(stack):
    with wire.open_session(stack) as raw:
        raw.send(wire.parse("SELECT 1/0") + wire.bind() + wire.execute() + wire.parse("SELECT 2") + wire.bind() + wire.execute() + wire.describe("S", "none") + wire.SYNC
                 + wire.parse("SELECT 3") + wire.bind() + wire.execute() + wire.SYNC)
        first, second = raw.until("Z"), raw.until("Z")
        assert wire.error_of(first)["C"] == "22012" and not wire.rows_of(first)
        assert wire.rows_of(second) == [(b"3",)]


def test_refusal_in_a_pipeline_skips_to_sync(stack):
    with wire.open_session(stack, "nurse1") as raw:
        good = wire.parse("SELECT id FROM wards WHERE id = 2") + wire.bind() + wire.execute()
        bad = wire.parse("SELECT nir FROM patients") + wire.bind() + wire.execute()
        raw.send(good + bad + good + wire.SYNC + good + wire.SYNC + wire.query("SELECT 1; SELECT nir FROM patients; SELECT 2") + wire.query("SELECT 4"))
        first, second, third, fourth = (raw.until("Z") for _ in range(4))
        assert wire.error_of(first)["C"] == "42703" and wire.rows_of(first) in ([], [(b"2",)])
        assert wire.rows_of(second) == [(b"2",)]
        assert wire.error_of(third)["C"] == "42703" and (b"2",) not in wire.rows_of(third)
        assert wire.rows_of(fourth) == [(b"4",)]


def test_failed_transaction_stays_failed(stack):
    for user, bad in ((USER, "SELECT 1/0"), ("nurse1", "SELECT nir FROM patients")):
        with wire.open_session(stack, user) as raw:
            assert raw.query("BEGIN")[-1] == ("Z", b"T")
            assert raw.query(bad)[-1] == ("Z", b"E")
            assert wire.error_of(raw.query("SELECT 1"))["C"] == "25P02"
            assert raw.query("ROLLBACK")[-1] == ("Z", b"I")
            assert wire.rows_of(raw.query("SELECT 1")) == [(b"1",)]


# ---- TLS ---------------------------------------------------------------------------------------------------------------

def test_bytes_behind_ssl_request_are_an_attack(stack):
    raw = socket.create_connection(("127.0.0.1", stack.port), 10)
    raw.sendall(wire.SSL_REQUEST + wire.startup(USER, database(stack)))
    got = b""
    with contextlib.suppress(OSError):
        while True:
            data = raw.recv(4096)
            if not data:
                break
            got += data
    assert b"R\0\0\0" not in got[1:] and not got.startswith(b"R")
    raw.close()
    # The twin: the same bytes, the second half inside TLS, are a login.
    with connect(stack) as good:
        assert good.login(USER, database(stack), PASSWORD)[-1] == ("Z", b"I")


def test_bytes_behind_gss_request_are_an_attack(stack):
    raw = socket.create_connection(("127.0.0.1", stack.port), 10)
    raw.sendall(wire.GSS_REQUEST + wire.startup(USER, database(stack)))
    got = b""
    with contextlib.suppress(OSError):
        while True:
            data = raw.recv(4096)
            if not data:
                break
            got += data
    assert b"\0\0\0\x0a" not in got
    raw.close()


def test_gss_request_then_ssl_request(stack):
    raw = wire.Raw(stack.port, stack.tls_context(), tls=False)
    raw.socket.sendall(wire.GSS_REQUEST)
    assert raw.socket.recv(1) == b"N"
    raw.socket.sendall(wire.SSL_REQUEST)
    assert raw.socket.recv(1) == b"S"
    raw.wrap()
    assert raw.login(USER, database(stack), PASSWORD)[-1] == ("Z", b"I")
    raw.close()


def test_requests_without_end_are_cut_off(stack):
    raw = socket.create_connection(("127.0.0.1", stack.port), 10)
    with contextlib.suppress(OSError):
        for _ in range(50):
            raw.sendall(wire.GSS_REQUEST)
            if raw.recv(1) != b"N":
                break
        else:
            pytest.fail("fifty GSSENCRequests were answered")
    raw.close()


def test_plaintext_startup_is_refused(stack):
    with wire.Raw(stack.port, tls=False) as raw:
        raw.send(wire.startup(USER, database(stack)))
        error = expect_error(raw, fatal=True)
        assert error["C"] in ("28000", "08P01") and ("TLS" in error["M"] or "SSL" in error["M"])


def test_direct_tls_with_alpn(stack):
    context = stack.tls_context()
    context.set_alpn_protocols(["postgresql"])
    with wire.Raw(stack.port, context, direct=True) as raw:
        assert raw.socket.selected_alpn_protocol() == "postgresql"
        assert raw.login(USER, database(stack), PASSWORD, plus=True)[-1] == ("Z", b"I")
    wrong = stack.tls_context()
    wrong.set_alpn_protocols(["h2"])
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError, wire.Closed)):
        with wire.Raw(stack.port, wrong, direct=True) as raw:
            got = raw.login(USER, database(stack), PASSWORD)
            assert got[-1] == ("Z", b"I")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions_that_work(version, stack):
    with wire.Raw(stack.port, stack.tls_context(version=version)) as raw:
        assert raw.login(USER, database(stack), PASSWORD, plus=True)[-1] == ("Z", b"I")


def test_tls_1_1_is_refused(stack):
    context = stack.tls_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        wire.Raw(stack.port, context)


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\0" * 100, os.urandom(2000), b"\x80\x2e\x01\x03\x01" + b"\0" * 60])
def test_junk_instead_of_a_start(junk, stack):
    for behind_ssl_request in (False, True):
        raw = socket.create_connection(("127.0.0.1", stack.port), 10)
        with contextlib.suppress(OSError):
            if behind_ssl_request:
                raw.sendall(wire.SSL_REQUEST)
                raw.recv(1)
            raw.sendall(junk)
            raw.shutdown(socket.SHUT_WR)
            got = b""
            while True:
                data = raw.recv(4096)
                if not data:
                    break
                got += data
            assert b"R\0\0\0" not in got
        raw.close()


def test_silence_is_ended(stack):
    """login_seconds: a client that says nothing, at each stage, is not kept."""
    stages = [wire.Raw(stack.port, tls=False), connect(stack), connect(stack)]
    half = socket.create_connection(("127.0.0.1", stack.port), 10)
    half.sendall(wire.SSL_REQUEST)
    half.recv(1)
    stages[2].send(wire.startup(USER, database(stack)))
    started = time.monotonic()
    for raw in stages:
        assert is_closed(raw, 12)
    half.settimeout(12)
    with contextlib.suppress(ConnectionError):
        assert half.recv(1) == b""
    assert time.monotonic() - started < 12
    half.close()


# ---- SCRAM -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("spoil", ["gs2", "mechanism", "binding", "nonce", "proof"])
def test_wrong_scram_step_is_refused(spoil, plus, stack):
    with connect(stack) as raw:
        got = raw.login(USER, database(stack), PASSWORD, plus=plus, spoil=spoil)
        error = wire.error_of(got)
        assert error and error["S"] == "FATAL" and error["C"] in ("28P01", "28000", "08P01"), got
        assert is_closed(raw)
    with connect(stack) as raw:
        assert raw.login(USER, database(stack), PASSWORD, plus=plus)[-1] == ("Z", b"I")


def test_unknown_user_looks_like_a_wrong_password(stack):
    errors, kinds = [], []
    for user in (USER, "nobody-of-that-name", "svc-lab"):
        with connect(stack) as raw:
            got = raw.login(user, database(stack), "wrong")
            error = wire.error_of(got)
            errors.append({k: v.replace(user, "USER") for k, v in error.items()})
            kinds.append([k for k, _ in got])
            first = got[1][1][4:].decode()
            assert "i=4096" in first and len(first.split("s=")[1].split(",")[0]) == 24
    assert errors[0] == errors[1] and kinds[0] == kinds[1]
    # Salts of unknown users are stable, and differ by name, as real ones do.
    salts = []
    for user in ("nobody-a", "nobody-a", "nobody-b"):
        with connect(stack) as raw:
            salts.append(raw.login(user, database(stack), "x")[1][1][4:].decode().split("s=")[1].split(",")[0])
    assert salts[0] == salts[1] != salts[2]


SASL = {
    "empty": b"", "no data": b"SCRAM-SHA-256\0\xff\xff\xff\xff", "length beyond": b"SCRAM-SHA-256\0\0\0\1\0n,,n=,r=x", "no gs2": b"SCRAM-SHA-256\0\0\0\0\7n=,r=xy", "authzid": b"SCRAM-SHA-256\0\0\0\0\x11n,a=root,n=,r=abc",
    "no nonce": b"SCRAM-SHA-256\0\0\0\0\5n,,n=", "extension": b"SCRAM-SHA-256\0\0\0\0\x0fn,,m=x,n=,r=abc", "binary nonce": b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=\x01\x02\xff", "long nonce": b"SCRAM-SHA-256\0" + struct.pack("!i", 60008) + b"n,,n=,r=" + b"a" * 60000,
}


@pytest.mark.parametrize("name", SASL)
def test_malformed_sasl_is_refused(name, stack):
    with connect(stack) as raw:
        raw.send(wire.startup(USER, database(stack)))
        raw.receive()
        raw.send(wire.message("p", SASL[name]))
        messages = []
        raw.socket.settimeout(8)
        with contextlib.suppress(wire.Closed, socket.timeout, TimeoutError):
            while True:
                messages.append(raw.receive())
                if messages[-1][0] == "R":
                    raw.send(wire.message("p", b"c=biws,r=x,p=AAAA"))
        assert wire.error_of(messages) and not any(b == b"\0\0\0\0" for k, b in messages if k == "R")


def test_client_final_twice_is_refused(stack):
    with connect(stack) as raw:
        raw.send(wire.startup(USER, database(stack)))
        raw.receive()
        scram = wire.Scram(PASSWORD)
        raw.send(scram.initial())
        final = scram.final(raw.receive()[1][4:])
        raw.send(final + final)
        messages = []
        with contextlib.suppress(wire.Closed):
            raw.socket.settimeout(5)
            while not messages or messages[-1][0] not in "ZE":
                messages.append(raw.receive())
        # A message behind the end of authentication is one of the session's: 'p' is a protocol error there.
        assert messages[-1][0] == "E" or wire.error_of(raw.until("E"))["C"] == "08P01"


# ---- slow, dead, and foreign -------------------------------------------------------------------------------------------

def test_client_that_stops_reading_is_held_back(stack):
    """A result of some 120 MB to a client that does not read: pgvigil must not take it all into memory."""
    before = stack.proxy.rss_kb()
    with wire.open_session(stack) as raw:
        raw.keep = False
        raw.send(wire.query("SELECT repeat('x', 4000) FROM generate_series(1, 30000)"))
        for _ in range(30):
            time.sleep(0.1)
            assert stack.proxy.rss_kb() - before < (200 if SANITIZED else 64) * 1024
        # Others are served meanwhile; then it reads on, and nothing is lost.
        with stack.connect(USER) as other:
            assert other.execute("SELECT 1").fetchone() == (1,)
        assert sum(1 for kind, _ in raw.until("Z") if kind == "D") == 30000
    assert stack.proxy.rss_kb() - before < (300 if SANITIZED else 64) * 1024


def test_client_that_stops_reading_and_goes_away(stack):
    for _ in range(3):
        raw = wire.open_session(stack)
        raw.send(wire.query("SELECT repeat('x', 4000) FROM generate_series(1, 50000)"))
        time.sleep(0.2)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
    # Its server's work ends too.
    deadline = time.monotonic() + 15
    with stack.superuser() as c:
        while c.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT repeat%%' AND state = 'active'").fetchone()[0]:
            assert time.monotonic() < deadline, "the statement of a client that is gone runs on"
            time.sleep(0.2)


@pytest.mark.parametrize("user", [USER, "nurse1"])
def test_pipelining_client_that_never_reads_is_held_back(user, stack):
    """Short statements, long answers, nothing read: neither bytes nor judged statements may pile up."""
    before = stack.proxy.rss_kb()
    one = wire.query("SELECT repeat('y', 10000)")
    with wire.open_session(stack, user) as raw:
        raw.socket.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError, socket.timeout, ssl.SSLError, wire.Closed):
            while sent < 20 << 20:
                raw.socket.sendall(one * 100)
                sent += len(one) * 100
        time.sleep(1)
        assert sent < 20 << 20, "everything was taken"
        assert stack.proxy.rss_kb() - before < (300 if SANITIZED else 96) * 1024


@pytest.mark.parametrize("user", [USER, "nurse1"])
def test_long_pipeline_without_sync_is_answered(user, stack):
    """The twin: thousands of messages before the first Sync are not a reason to stand still."""
    count = 5000
    with wire.open_session(stack, user) as raw:
        raw.socket.settimeout(60)
        raw.send(wire.parse("SELECT $1::int", "s") + wire.SYNC)
        raw.until("Z")
        raw.send((wire.bind([7], statement="s") + wire.execute()) * count + wire.SYNC)
        assert wire.rows_of(raw.until("Z")) == [(b"7",)] * count
        raw.send(b"".join(wire.query("SELECT %d" % n) for n in range(count)))
        for n in range(count):
            assert wire.rows_of(raw.until("Z")) == [(b"%d" % n,)]


def test_server_dies_in_the_middle_of_a_row(stack):
    """The backend is killed while rows are on their way: an error, an end, and nobody else notices."""
    for user, sql in ((USER, "SELECT pg_backend_pid(), repeat('x', 100000) FROM generate_series(1, 20000)"),
                      ("nurse1", "SELECT repeat('x', 100000) FROM patients a, patients b")):
        with wire.open_session(stack, user) as raw:
            raw.send(wire.query(sql))
            while not any(k == "D" for k, _ in [raw.receive()]):
                pass
            with stack.superuser() as c:
                killed = c.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%100000%%' "
                                   "AND pid <> pg_backend_pid()").fetchone()[0]
            assert killed >= 1
            messages = []
            with contextlib.suppress(wire.Closed):
                while not (messages and messages[-1][0] == "Z"):
                    messages.append(raw.receive())
            error = wire.error_of(messages)
            assert error and error["C"] in ("57P01", "08006", "08003", "57P02"), error
            assert not any(kind == "C" for kind, _ in messages), "told complete"


def test_server_killed_without_a_word(stack):
    with wire.open_session(stack) as raw:
        pid = int(wire.rows_of(raw.query("SELECT pg_backend_pid()"))[0][0])
        raw.send(wire.query("SELECT pg_sleep(20)"))
        time.sleep(0.3)
        with stack.superuser() as c:
            c.execute("SELECT pg_terminate_backend(%s)", (pid,))
        started = time.monotonic()
        expect_error(raw)
        assert time.monotonic() - started < 10


def test_cancel_with_the_right_key(stack):
    for user, sql in ((USER, "SELECT pg_sleep(20)"), ("nurse1", "SELECT count(*) FROM patients a, patients b, patients c, patients d, patients e")):
        with wire.open_session(stack, user) as raw:
            raw.send(wire.query(sql))
            time.sleep(0.4)
            with connect(stack) as canceller:
                canceller.send(wire.cancel(*raw.key))
                assert is_closed(canceller)
            started = time.monotonic()
            assert wire.error_of(raw.until("Z"))["C"] == "57014"
            assert time.monotonic() - started < 10
            assert wire.rows_of(raw.query("SELECT 1")) == [(b"1",)]


def test_cancel_with_anothers_key_does_nothing(stack):
    with wire.open_session(stack) as raw, wire.open_session(stack, "nurse1") as other:
        raw.send(wire.query("SELECT pg_sleep(1.5), 'done'"))
        time.sleep(0.2)
        process_id, secret = raw.key
        for key in ((process_id, secret ^ 1), (process_id, 0), (process_id ^ 1, secret), other.key, (0, 0), (0xFFFFFFFF, 0xFFFFFFFF)):
            with connect(stack) as canceller:
                canceller.send(wire.cancel(*key))
                is_closed(canceller)
        assert wire.rows_of(raw.until("Z"))[0][1] == b"done"
        assert wire.rows_of(other.query("SELECT 1")) == [(b"1",)]


def test_cancel_without_a_statement_does_nothing(stack):
    with wire.open_session(stack) as raw:
        with connect(stack) as canceller:
            canceller.send(wire.cancel(*raw.key))
            is_closed(canceller)
        time.sleep(0.2)
        for _ in range(5):
            assert wire.rows_of(raw.query("SELECT 1")) == [(b"1",)]


def test_malformed_cancel_is_dropped(stack):
    for packet in (struct.pack("!II", 8, 80877102), struct.pack("!III", 12, 80877102, 1), struct.pack("!IIII", 16, 80877102, 1, 2) + b"more", struct.pack("!IIIII", 20, 80877102, 1, 2, 3)):
        with connect(stack) as raw:
            raw.send(packet)
            assert is_closed(raw)


# ---- depth and size of statements --------------------------------------------------------------------------------------

DEEP = {
    "additions": "SELECT " + "+".join(["1"] * 20000), "unions": " UNION ".join(["SELECT 1"] * 8000), "parentheses": "SELECT " + "(" * 30000 + "1" + ")" * 30000,
    "casts": "SELECT 1" + "::int" * 15000, "joins": "SELECT 1 FROM wards" + " JOIN wards USING (id)" * 6000, "nots": "SELECT " + "NOT " * 30000 + "true", "arrays": "SELECT " + "ARRAY[" * 20000 + "1" + "]" * 20000,
    "sub-queries": "SELECT * FROM " + "(SELECT * FROM " * 4000 + "wards" + ") x" * 4000, "cases": "SELECT " + "CASE WHEN true THEN " * 5000 + "1" + " END" * 5000, "indirection": "SELECT a" + ".b" * 30000 + " FROM wards a",
    "functions": "SELECT " + "abs(" * 8000 + "1" + ")" * 8000, "ctes": "WITH " + ",".join("c%d AS (SELECT 1)" % i for i in range(3000)) + " SELECT 1", "minus": "SELECT " + "- " * 40000 + "1", "collate": "SELECT 'a'" + ' COLLATE "C"' * 20000,
    "subscripts": "SELECT ('{1}'::int[])" + "[1]" * 20000, "nested ctes": "WITH a AS (" * 3000 + "SELECT 1" + ") SELECT 1" * 3000,
}


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("user", ["nurse1", USER])
def test_deep_statement_ends_in_an_answer(name, user, stack):
    with wire.open_session(stack, user) as raw:
        raw.socket.settimeout(60)
        for extended in (False, True):
            messages = raw.extended(DEEP[name]) if extended else raw.query(DEEP[name])
            assert messages[-1][0] == "Z"
        assert wire.rows_of(raw.query("SELECT 1")) == [(b"1",)]


FLAT = {"and": "SELECT count(*) FROM wards WHERE " + " AND ".join(["id > 0"] * 5000), "or": "SELECT count(*) FROM wards WHERE " + " OR ".join(["id = %d" % i for i in range(5000)]),
        "in": "SELECT count(*) FROM wards WHERE id IN (" + ",".join(map(str, range(20000))) + ")", "values": "SELECT count(*) FROM (VALUES " + ",".join("(%d)" % i for i in range(10000)) + ") v"}


@pytest.mark.parametrize("name", FLAT)
def test_long_flat_statement_works(name, stack):
    with wire.open_session(stack, "nurse1") as raw:
        raw.socket.settimeout(60)
        messages = raw.query(FLAT[name])
        assert wire.error_of(messages) is None
        assert wire.rows_of(messages) == [(b"10000",)] if name == "values" else wire.rows_of(messages) == [(b"12",)]


# ---- many ------------------------------------------------------------------------------------------------------------

def test_many_sessions_at_once(stack):
    problems = []

    def work(n):
        try:
            with stack.connect("nurse1" if n % 2 else USER) as c:
                for i in range(10):
                    if c.execute("SELECT count(*) + %s FROM wards", (i,)).fetchone() != (12 + i,):
                        problems.append("wrong answer")
        except psycopg.Error as error:
            problems.append(str(error))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems


def test_memory_does_not_grow_with_sessions_and_statements(stack):
    def round_of_sessions():
        for n in range(40):
            with wire.open_session(stack, "nurse1" if n % 2 else USER) as raw:
                for i in range(10):
                    raw.extended("SELECT %d FROM wards" % i)
                raw.query("SELECT nothing FROM wards")

    round_of_sessions()
    before = stack.proxy.rss_kb()
    for _ in range(3):
        round_of_sessions()
    assert stack.proxy.rss_kb() - before < (60 if SANITIZED else 12) * 1024


def test_stack_ends_cleanly(make_stack):
    """SIGTERM with sessions open: exit status 0, and leak and address sanitizers (when built in) have nothing to say."""
    own = make_stack()
    idle = wire.open_session(own)
    busy = wire.open_session(own)
    busy.send(wire.query("SELECT pg_sleep(30)"))
    time.sleep(0.3)
    assert own.proxy.stop() == 0
    idle.close()
    busy.close()
    with pytest.raises((harness.HarnessError, OSError, psycopg.Error)):
        own.connect(USER)
