"""Limits with clear errors: connections in all, for a user, from an address; failed logins that slow down; each with what still works."""
import time

import psycopg
import pytest
import wire


def test_connections_of_one_user_are_limited(make_stack):
    own = make_stack(config="limits = { connections_per_user = 3; };")
    open_ones = [own.connect("nurse1") for _ in range(3)]
    with pytest.raises(psycopg.OperationalError) as refused:
        own.connect("nurse1")
    assert "too many connections" in str(refused.value) and "user" in str(refused.value)
    with own.connect("nurse2") as other:
        assert other.execute("SELECT 1").fetchone() == (1,)
    open_ones.pop().close()
    deadline = time.monotonic() + 5
    while True:
        try:
            open_ones.append(own.connect("nurse1"))
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "a place that is free again is not given"
            time.sleep(0.05)
    for connection in open_ones:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        connection.close()


@pytest.mark.parametrize("limit", ["connections = 4", "connections_per_address = 4"])
def test_connections_in_all_and_from_an_address_are_limited(limit, make_stack):
    own = make_stack(config="limits = { %s; };" % limit)
    silent = []
    refused = 0
    for _ in range(8):  # those that say nothing count too
        try:
            silent.append(wire.Raw(own.port, own.tls_context()))
        except (wire.Closed, OSError):
            refused += 1
    assert refused >= 3 and len(silent) >= 3
    with pytest.raises(psycopg.OperationalError):
        own.connect("admin1")
    for raw in silent:
        raw.close()
    time.sleep(0.5)
    with own.connect("admin1") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_failed_logins_slow_down(make_stack):
    own = make_stack(config="limits = { failed_logins = 2; };")

    def seconds(password):
        started = time.monotonic()
        with wire.Raw(own.port, own.tls_context(), timeout=40) as raw:
            got = raw.login("nurse1", "records", password)
        return time.monotonic() - started, got[-1][0] == "Z"

    quick, worked = seconds("nurse1-demo")
    assert worked and quick < 2
    for _ in range(4):
        seconds("wrong")
    slow, worked = seconds("wrong")
    assert not worked and slow > 0.8 and slow > quick, slow


def test_idle_client_is_ended(make_stack):
    own = make_stack(config="limits = { idle_seconds = 2; };")
    with wire.open_session(own, "nurse1") as raw, wire.open_session(own, "nurse1") as busy:
        raw.socket.settimeout(12)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            busy.query("SELECT 1")
            time.sleep(0.5)
        error = wire.error_of(raw.drain())
        assert error and error["C"] in ("57P05", "57P01", "25P03"), error
        assert wire.rows_of(busy.query("SELECT 2")) == [(b"2",)]
