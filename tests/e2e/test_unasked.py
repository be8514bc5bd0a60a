"""
What a server says unasked (ParameterStatus, NotificationResponse): a restricted session hears of a fixed list of parameters, as
PostgreSQL tells them, and of nobody's notifications; the login of the shared connection and its other users do not show.
"""
import struct

import pytest
import relay
import wire

OWN = {"application_name", "is_superuser", "session_authorization"}
LISTEN = """
CREATE FUNCTION app.hear() RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'LISTEN ward'; RETURN 'heard'; END $$;
"""
CHANGES = [
    "SET TimeZone = 'Asia/Tokyo'", "SET DateStyle = 'German'", "SET IntervalStyle = 'iso_8601'", "SET client_encoding = 'UTF8'",
    "SET default_transaction_read_only = on", "SET default_transaction_read_only = off", "SET standard_conforming_strings = on",
    "BEGIN; SET LOCAL TimeZone = 'America/Lima'", "ROLLBACK", "BEGIN", "SET DateStyle = 'SQL, DMY'", "ROLLBACK",
    "RESET TimeZone", "RESET DateStyle", "SET statement_timeout = 60000", "SET extra_float_digits = 0",
]


def parameters(messages):
    """[(name, value)] of the ParameterStatus messages."""
    return [tuple(p.decode() for p in body.split(b"\0")[:2]) for kind, body in messages if kind == "S"]


def kinds(messages):
    return [kind for kind, _ in messages]


def open_raw(port, context, user, password, database, **settings):
    raw = wire.Raw(port, context)
    got = raw.login(user, database, password, **settings)
    assert got[-1][0] == "Z", got
    return raw, got


def open_direct(stack, **settings):
    """A login of PostgreSQL's own."""
    return open_raw(stack.cluster.port, stack.tls_context(), "plain", "plain-test", stack.databases["records"], **settings)


def open_nurse(stack, user="nurse1", **settings):
    return open_raw(stack.port, stack.tls_context(), user, user + "-demo", "records", **settings)


@pytest.fixture(scope="module")
def own(make_stack, cluster):
    stack = make_stack(serve=False, extra_sql=LISTEN)
    text = (stack.policy / "30-missions-roles.cfg").read_text(encoding="utf-8")
    text = text.replace("functions = (", 'functions = (\n  { name = "app.hear"; roles = [ "nurse" ]; missions = [ "care" ]; },')
    (stack.policy / "30-missions-roles.cfg").write_text(text, encoding="utf-8")
    stack.pool = 2  # one server for each of the two workers: sessions share it
    stack.config_file.write_text(stack.config_text("", "", ""), encoding="utf-8")
    stack.deploy()
    stack.serve()
    with cluster.superuser() as c:
        c.execute("CREATE ROLE plain LOGIN PASSWORD 'plain-test'")
    return stack


def nurses(stack):
    """One session on each worker and one more, so that some share a server."""
    return [open_nurse(stack, user)[0] for user in ("nurse2", "nurse1", "nurse2")]


def test_parameters_of_the_start_are_postgresqls(own):
    settings = {"TimeZone": "Asia/Tokyo", "application_name": "chart", "client_encoding": "UTF8"}
    for given in ({}, settings):
        direct, expected = open_direct(own, **given)
        nurse, got = open_nurse(own, **given)
        with direct, nurse:
            expected, got = dict(parameters(expected)), dict(parameters(got))
            assert set(got) == set(expected)
            assert {n: v for n, v in got.items() if n not in OWN} == {n: v for n, v in expected.items() if n not in OWN}
            assert got["application_name"] == expected["application_name"] == given.get("application_name", "")
            assert got["is_superuser"] == expected["is_superuser"] == "off"
            assert got["session_authorization"] == "nurse1"  # as it would be with a login of her own


def test_parameter_changes_are_postgresqls_and_ones_own(own):
    others = nurses(own)
    direct, nurse = open_direct(own)[0], open_nurse(own)[0]
    for sql in CHANGES:
        expected, got = parameters(direct.query(sql)), parameters(nurse.query(sql))
        assert got == expected, sql
    nurse.query("SET DateStyle = 'German'")
    nurse.close()  # its server is reset and goes to the others
    direct.close()
    for _ in range(3):
        for other in others:
            got = other.query("SELECT count(*), date '2026-02-03' FROM patients")
            assert kinds(got) == ["T", "D", "C", "Z"], got
            assert wire.rows_of(got)[0][1] == b"2026-02-03", got
    for other in others:
        other.close()


def test_parameters_within_a_transaction_stay_with_their_session(own):
    others = nurses(own)
    with open_nurse(own)[0] as nurse:
        for _ in range(2):
            assert parameters(nurse.query("BEGIN; SET LOCAL TimeZone = 'America/Lima'")) == [("TimeZone", "America/Lima")]
            assert [n for n, _ in parameters(nurse.query("COMMIT"))] == ["TimeZone"]
            for other in others:
                assert kinds(other.query("SELECT 1")) == ["T", "D", "C", "Z"]
    for other in others:
        other.close()


def notify(stack, payload):
    with stack.superuser() as c:
        c.execute("SELECT pg_notify('ward', %s)", (payload,))


def test_notification_reaches_who_may_listen_and_nobody_else(own):
    restricted = nurses(own)
    for raw in restricted:
        error = wire.error_of(raw.query("LISTEN ward"))
        assert error and error["C"] == "42501", error
        # A function of the database's does what the session may not.
        assert wire.rows_of(raw.query("SELECT app.hear()")) == [(b"heard",)]
    with own.superuser() as c:
        (listening,) = c.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pgvigil' AND query LIKE '%hear%'").fetchone()
        assert listening > 0
    admin = wire.open_session(own, "admin1")
    admin.query("LISTEN ward")
    for raw in restricted + [admin]:
        raw.query("BEGIN")
        notify(own, "room 12")  # delivered with the answer to COMMIT at the latest
        got = raw.query("COMMIT")
        assert kinds(got) == (["C", "A", "Z"] if raw is admin else ["C", "Z"]), got
    assert got[1][1][4:] == b"ward\0room 12\0"
    for raw in restricted:
        for sql in ("SELECT 1", "SELECT count(*) FROM patients"):
            notify(own, "room 13")
            assert kinds(raw.query(sql)) == ["T", "D", "C", "Z"]
        assert b"room 1" not in bytes(raw.received)
        raw.close()
    admin.close()


def put(name, value):
    return wire.message("S", wire.cstr(name) + wire.cstr(value))


UNASKED = [
    put("session_authorization", "pgvigil"), put("is_superuser", "on"), put("application_name", "pgvigil"),
    put("search_path", "secret"), put("other.session", "secret"), put("", "secret"), put("timezone", "secret"),
    put("server_version ", "secret"),
    wire.message("A", struct.pack("!I", 4711) + wire.cstr("ward") + wire.cstr("secret")),
]


@pytest.fixture(scope="module")
def relayed(make_stack, cluster):
    with relay.Relay(cluster) as between:
        stack = make_stack(serve=False)
        text = stack.config_file.read_text(encoding="utf-8")
        stack.config_file.write_text(text.replace("port=%d " % cluster.port, "port=%d " % between.port), encoding="utf-8")
        stack.serve()
        yield stack, between
        stack.proxy.stop()


def test_unasked_messages_of_a_taken_server_are_not_passed_on(relayed):
    stack, between = relayed
    statements = ["SELECT 1", "BEGIN", "SELECT count(*) FROM patients", "SELECT nothing", "ROLLBACK", "SHOW TimeZone"]
    nurse, first = open_nurse(stack)
    plain = [nurse.query(sql) for sql in statements]
    assert not any("secret" in repr(m) for m in plain)
    for unasked in UNASKED:
        between.before_ready = unasked
        try:
            for sql, expected in zip(statements, plain):
                assert nurse.query(sql) == expected, unasked
            with open_nurse(stack)[0] as second:  # and what was said before it came
                assert b"secret" not in bytes(second.received)
                assert sorted(parameters(second_start(second))) == sorted(parameters(first)), unasked
            with wire.open_session(stack, "admin1") as admin:  # the twin: an unrestricted role hears its server
                got = admin.query("SELECT 1")
                assert (unasked[:1].decode(), unasked[5:]) in got, unasked
        finally:
            between.before_ready = b""
    nurse.close()


def second_start(raw):
    """The messages of a login, once more from what was received."""
    data, found = bytes(raw.received), []
    while data:
        size = 1 + struct.unpack_from("!I", data, 1)[0]
        found.append((data[:1].decode(), data[5:size]))
        data = data[size:]
    return found


def test_listed_parameters_of_a_server_are_passed_on(relayed):
    """The twin: a change that the session must know of (the server became a standby) reaches it."""
    stack, between = relayed
    with open_nurse(stack)[0] as nurse:
        for name, value in (("in_hot_standby", "on"), ("default_transaction_read_only", "on"), ("server_version", "15.99")):
            between.before_ready = put(name, value)
            try:
                assert (name, value) in parameters(nurse.query("SELECT 1"))
            finally:
                between.before_ready = b""
