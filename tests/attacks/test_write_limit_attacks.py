"""
max_rows and writes: the rows of RETURNING come when everything is written. The error that would take their place would
say, to the client and on record, that a write had failed which the server commits.
"""
import re

import pytest

import harness
import wire

POLICY = """
missions = ( { name = "few"; title = "Few"; purpose = "TREAT"; max_rows = 5; } );
roles = ( { name = "limited"; missions = [ "few" ]; default = "few"; } );
rules = ( { roles = [ "limited" ]; missions = [ "few" ]; tables = [ "public.patients" ];
            columns = { id = "show"; contact = "show"; }; update = [ "phone" ]; } );
users = ( { name = "few1"; auth = "scram"; roles = [ "limited" ]; secret = "%s"; } );
"""
MANY = "SELECT id FROM patients LIMIT 9"
WRITE = "UPDATE patients SET phone = 'limit' WHERE id < 10"


@pytest.fixture(scope="module")
def few(make_stack):
    users = (harness.CLINIC / "policy" / "50-users.cfg").read_text(encoding="utf-8")
    secret = re.search(r'name = "research1".*?secret = "([^"]+)"', users, re.S).group(1)
    return make_stack(extra_policy=[("90-few.cfg", POLICY % secret)])


@pytest.fixture
def raw(few):
    with wire.Raw(few.port, few.tls_context()) as session:
        assert session.login("few1", "records", "research1-demo")[-1][0] == "Z"
        yield session
        session.query("UPDATE patients SET phone = 'before' WHERE id < 10")


def written(stack):
    with stack.superuser() as c:
        return c.execute("SELECT count(*) FROM patients WHERE phone = 'limit'").fetchone()[0]


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("sql", [
    WRITE + " RETURNING id", "WITH w AS (%s RETURNING 1) SELECT * FROM w" % WRITE, "WITH w AS (%s) %s" % (WRITE, MANY),
    "COPY (%s RETURNING id) TO STDOUT" % WRITE, "%s; %s" % (MANY, WRITE), "%s; %s" % (WRITE, MANY),
    "%s; COPY (%s) TO STDOUT" % (WRITE, MANY), "BEGIN; %s; %s; COMMIT" % (MANY, WRITE)])
def test_what_is_answered_by_an_error_is_not_written(few, raw, sql, extended):
    error = wire.error_of(raw.extended(sql) if extended else raw.query(sql))
    assert error["C"] in ("0A000", "42601") and "max_rows" in error["M"] + "max_rows" * (error["C"] == "42601"), error
    assert written(few) == 0


@pytest.mark.parametrize("sql", [WRITE, "BEGIN; %s; COMMIT" % WRITE])
def test_what_returns_no_rows_is_written(few, raw, sql):
    assert wire.error_of(raw.query(sql)) is None
    assert written(few) == 9


def test_fewer_rows_are_given(raw):
    assert len(wire.rows_of(raw.query("SELECT id FROM patients LIMIT 5; SELECT id FROM patients LIMIT 5"))) == 10
    assert wire.error_of(raw.query(MANY))["C"] == "54000"


@pytest.mark.parametrize("sql", ["EXECUTE w; EXECUTE r", "EXECUTE r; EXECUTE w", "EXECUTE r; " + WRITE, "%s; EXECUTE r" % WRITE, "EXECUTE w; " + MANY,
                                 "BEGIN; EXECUTE r; EXECUTE w; COMMIT", "PREPARE x AS %s; EXECUTE x; %s" % (WRITE, MANY)])
def test_execute_writes_or_returns_rows_too(few, raw, sql):
    for text in ("PREPARE w AS " + WRITE, "PREPARE r AS " + MANY):
        assert wire.error_of(raw.query(text)) is None
    error = wire.error_of(raw.query(sql))
    assert error["C"] == "0A000" and "max_rows" in error["M"], error
    assert written(few) == 0
    assert wire.error_of(raw.query("PREPARE y AS %s RETURNING id" % WRITE))["C"] == "0A000"
    assert wire.error_of(raw.query("EXECUTE w; EXECUTE w")) is None
    assert written(few) == 9
    assert wire.error_of(raw.query("EXECUTE r"))["C"] == "54000"


def ran(sql):
    return wire.parse(sql) + wire.bind() + wire.execute()


@pytest.mark.parametrize("parts", [(MANY, WRITE), (WRITE, MANY), (WRITE, MANY, WRITE), (MANY, "EXECUTE w"), ("EXECUTE w", "EXECUTE r")])
@pytest.mark.parametrize("pause", ["", "flush", "query"])
@pytest.mark.parametrize("block", [False, True])
def test_group_that_was_answered_by_an_error_is_not_written(few, raw, parts, pause, block):
    """In one group of the extended protocol as well; a query that ends the group instead of Sync is skipped, as in PostgreSQL."""
    for text in ("PREPARE w AS " + WRITE, "PREPARE r AS " + MANY) + ("BEGIN",) * block:
        assert wire.error_of(raw.query(text)) is None
    raw.send(b"".join(ran(sql) + (wire.FLUSH if pause == "flush" else b"") for sql in parts) + (wire.query("SELECT 1") if pause == "query" else b"") + wire.SYNC)
    got = raw.until("Z")
    assert wire.error_of(got)["C"] == "54000" and wire.rows_of(got) == []
    if block:
        assert got[-1][1] == b"E"
        assert wire.tag_of(raw.query("COMMIT")) == "ROLLBACK"
    assert written(few) == 0
    assert wire.rows_of(raw.query("SELECT 40 + 2")) == [(b"42",)]


def test_group_within_the_limit_is_written(few, raw):
    raw.send(ran("SELECT id FROM patients LIMIT 5") + ran(WRITE) + ran("SELECT id FROM patients LIMIT 5") + wire.SYNC)
    got = raw.until("Z")
    assert wire.error_of(got) is None and len(wire.rows_of(got)) == 10
    assert written(few) == 9
