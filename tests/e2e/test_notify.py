"""
LISTEN, NOTIFY, UNLISTEN and pg_notify() by restricted roles: what is answered and what is heard is PostgreSQL's own, message by message;
with real drivers; what is not of the role's channels is neither sent nor heard; a connection that listened is nobody else's before it is reset.
"""
import glob
import json
import os
import select
import shutil
import struct
import subprocess
import time

import allow_schema
import psycopg
import pytest
import wire
from allow_schema import Sides
from side_by_side import extended
from test_cursors import records
from test_drivers import HERE, JDBC, NODE_PATH, run, through_info

SYNC = wire.SYNC


@pytest.fixture(scope="module")
def stack(make_stack):
    made = allow_schema.make(make_stack, pool=4)
    with made.superuser() as c:
        c.execute("CREATE FUNCTION u.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('lab_results', NEW.secret); RETURN NULL; END $$")
        c.execute("CREATE TRIGGER tell AFTER INSERT ON u.notes FOR EACH ROW EXECUTE FUNCTION u.tell()")
    return made


@pytest.fixture(scope="module")
def oracle(stack):
    made = allow_schema.make_oracle(stack, "oracle_notify", allow_schema.TABLES_SQL)
    yield made
    allow_schema.drop_oracle(stack, made)


def heard(messages):
    """(channel, payload) of the NotificationResponses."""
    return [tuple(body[4:].split(b"\0")[:2]) for kind, body in messages if kind == "A"]


def step(raw, sql):
    """The answer, notifications included, without process numbers."""
    raw.send(wire.query(sql) if isinstance(sql, str) else sql)
    got = raw.until("Z")
    shown = [(kind, body[4:] if kind == "A" else (wire.fields(body)["C"], wire.fields(body)["M"]) if kind == "E" else wire.row(body) if kind == "D" else
              None if kind == "T" else body) for kind, body in got if kind not in "SN"]
    return shown


def both(stack, oracle, *steps):
    with Sides(stack, oracle) as sides:
        for sql in steps:
            expected, got = step(sides.theirs, sql), step(sides.mine, sql)
            assert got == expected, sql
        return got


SCRIPTS = {
    "itself": ["LISTEN lab_results", "NOTIFY lab_results", "NOTIFY lab_results, 'room 12'", "SELECT 1", "UNLISTEN lab_results", "NOTIFY lab_results, 'x'", "UNLISTEN *"],
    "names": ["LISTEN Lab_Results", 'LISTEN "lab_results"', "LISTEN ward_3", "NOTIFY LAB_RESULTS, 'a'", 'LISTEN "Été.+(x)"', "NOTIFY \"Été.+(x)\", 'é'",
              "SELECT * FROM pg_listening_channels() ORDER BY 1", "UNLISTEN nosuch"],
    "in a transaction": ["BEGIN", "LISTEN lab_results", "NOTIFY lab_results, 'a'", "SELECT 1", "COMMIT", "BEGIN", "NOTIFY lab_results, 'b'", "ROLLBACK", "SELECT 2",
                         "BEGIN", "UNLISTEN *", "ROLLBACK", "NOTIFY lab_results, 'c'", "BEGIN", "UNLISTEN *", "COMMIT", "NOTIFY lab_results, 'd'"],
    "undone": ["BEGIN", "LISTEN lab_results", "ROLLBACK", "NOTIFY lab_results, 'a'", "BEGIN", "SAVEPOINT s", "LISTEN lab_results", "ROLLBACK TO s", "COMMIT", "NOTIFY lab_results, 'b'",
               "LISTEN lab_results", "BEGIN", "SAVEPOINT s", "UNLISTEN *", "ROLLBACK TO s", "COMMIT", "NOTIFY lab_results, 'c'", "UNLISTEN *; SELECT 1/0", "NOTIFY lab_results, 'd'"],
    "twice in one": ["LISTEN lab_results", "BEGIN", "NOTIFY lab_results, 'a'", "NOTIFY lab_results, 'a'", "NOTIFY lab_results, 'b'", "COMMIT"],
    "one text": ["LISTEN lab_results; NOTIFY lab_results, 'x'; SELECT 1", "UNLISTEN *; LISTEN ward_1; NOTIFY ward_1", "BEGIN; NOTIFY ward_1, 'y'; COMMIT; SELECT 2"],
    "extended": [extended("LISTEN lab_results") + SYNC, extended("NOTIFY lab_results, 'x'") + extended("SELECT 1") + SYNC, extended("SELECT pg_notify($1, $2)", ("ward_2", "y")) + SYNC,
                 extended("LISTEN ward_2") + extended("SELECT pg_notify($1, $2)", ("ward_2", "z")) + SYNC, extended("UNLISTEN *") + SYNC + extended("LISTEN ward_2") + SYNC,
                 "NOTIFY ward_2, 'still'"],
    "function": ["LISTEN lab_results", "LISTEN ward_7", "SELECT pg_notify('lab_results', 'a')", "SELECT pg_catalog.pg_notify('lab_results'::text, upper('b'))",
                 "SELECT pg_notify('ward_' || id, label) FROM u.tools WHERE id = 1", "SELECT pg_notify(lower('WARD_7'), 'c')", "SELECT pg_notify((SELECT 'ward_7'), (SELECT 'd'))",
                 "SELECT pg_notify(CASE WHEN true THEN 'ward_7' ELSE concat('a', ',', 'b') END, 'e')", "SELECT pg_notify('lab_results', NULL)",
                 "SELECT pg_notify('ward_7', 'x'), 1/0", "SELECT pg_notify(NULL, 'x')", "SELECT pg_notify('lab_results', repeat('x', 9000))"],
    "failed": ["LISTEN lab_results", "BEGIN", "NOTIFY lab_results", "SELECT 1/0", "NOTIFY lab_results", "LISTEN ward_1", "COMMIT", "SELECT 1"],
    "long": ["LISTEN " + "ward_" + "x" * 80, "NOTIFY ward_" + "x" * 58 + ", 'long'", "NOTIFY lab_results, '" + "y" * 8000 + "'"],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_postgresql_does(name, stack, oracle):
    both(stack, oracle, *SCRIPTS[name])


def notify(stack, channel, payload):
    with stack.superuser() as c:
        c.execute("SELECT pg_notify(%s, %s)", (channel, payload))


def notifies(connection, seconds=10):
    """libpq's own, without a statement."""
    deadline = time.monotonic() + seconds
    found = []
    while not found and time.monotonic() < deadline:
        select.select([connection.pgconn.socket], [], [], 0.1)
        connection.pgconn.consume_input()
        while True:
            one = connection.pgconn.notifies()
            if one is None:
                break
            found.append((one.relname.decode(), one.extra.decode(), one.be_pid))
    return found


def test_it_is_heard_while_idle_and_by_who_listens_only(stack):
    with stack.connect("nurse1") as one, stack.connect("nurse2") as two, stack.connect("nurse1") as silent:
        one.execute("LISTEN lab_results")
        two.execute("LISTEN ward_1")
        for n in range(3):
            notify(stack, "lab_results", "result %d" % n)
            assert [(c, p) for c, p, _ in notifies(one)] == [("lab_results", "result %d" % n)]
        notify(stack, "ward_1", "w")
        assert [(c, p) for c, p, _ in notifies(two)] == [("ward_1", "w")]
        silent.execute("SELECT pg_notify('ward_1', 'from a nurse')")
        found = notifies(two)
        assert [(c, p) for c, p, _ in found] == [("ward_1", "from a nurse")] and found[0][2] == 0  # others have no number
        own = []
        two.add_notify_handler(lambda n: own.append((n.channel, n.payload, n.pid)))
        two.execute("NOTIFY ward_1, 'own'")
        assert own == [("ward_1", "own", two.info.backend_pid)]
        assert notifies(silent, 0.3) == [] and notifies(one, 0.1) == []


def test_what_the_role_does_not_list_is_not_heard(stack):
    """On the same connection a function may have listened for more: the policy decides when it comes."""
    with stack.superuser() as c:
        c.execute("CREATE OR REPLACE FUNCTION app.age(date) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'LISTEN secrets'; EXECUTE 'LISTEN ward_9'; RETURN 1; END $$")
    with stack.connect("nurse1") as raw:
        raw.execute("LISTEN lab_results")
        raw.execute("SELECT app.age(date '2000-01-01')")
        assert {c for (c,) in raw.execute("SELECT pg_listening_channels()").fetchall()} == {"lab_results", "secrets", "ward_9"}
        for channel in ("secrets", "ward_9", "lab_results"):
            notify(stack, channel, channel)
        time.sleep(0.2)
        assert [c for c, _, _ in notifies(raw)] in (["ward_9", "lab_results"], ["ward_9"])


def events_of(stack, application):
    sessions = {r["session"] for r in records(stack, application)}
    return [r for r in stack.audit_records() if r.get("session") in sessions and r.get("event") == "notification"]


def test_trigger_tells_what_it_sees_where_the_policy_says_so(stack):
    """What a channel carries is the policy's answer: a hidden value comes through by a trigger, on a channel that is listed, and on record."""
    with stack.connect("nurse1", application_name="notify-trigger") as raw:
        raw.execute("LISTEN lab_results")
        with stack.superuser() as c:
            c.execute("INSERT INTO u.notes VALUES (77, 'n', 'VIA-TRIGGER')")
            c.execute("DELETE FROM u.notes WHERE id = 77")
        assert [p for _, p, _ in notifies(raw)] == ["VIA-TRIGGER"]
    events = events_of(stack, "notify-trigger")
    assert [e["detail"] for e in events] == ["channel lab_results, 11 bytes"] and "VIA-TRIGGER" not in json.dumps(events)


def test_mission_of_the_moment_decides_what_is_heard(stack):
    """LISTEN stays; without a mission, or in another role, nothing is heard; back again, it is."""
    with stack.connect("nurse1") as raw:
        raw.execute("LISTEN lab_results")
        raw.execute("SET pgvigil.patient = '1'")
        raw.execute("SET pgvigil.reason = 'a reason that is long enough to be one'")
        raw.execute("SET pgvigil.mission = 'emergency'")
        notify(stack, "lab_results", "in emergency")
        assert [p for _, p, _ in notifies(raw)] == ["in emergency"]
        raw.execute("SET pgvigil.mission = 'care'")
        assert raw.execute("SELECT count(*) FROM u.beds").fetchone() == (4,)
        notify(stack, "lab_results", "in care")
        assert [p for _, p, _ in notifies(raw)] == ["in care"]
        assert raw.execute("SELECT pg_listening_channels()").fetchall() == [("lab_results",)]


def test_shared_login_hears_for_the_person_of_the_moment(stack):
    """LISTEN is of the connection; who is named when something arrives decides, and nobody hears nothing."""
    with stack.connect("ward-app") as c:
        heard_by = {}
        for person in ("nurse1", "dr.martin", None, "nurse2"):
            c.execute("RESET pgvigil.user" if person is None else "SET pgvigil.user = '%s'" % person)
            if person == "nurse1":
                c.execute("LISTEN lab_results")
            notify(stack, "lab_results", str(person))
            heard_by[person] = [p for _, p, _ in notifies(c, 10 if person in ("nurse1", "nurse2") else 0.5)]
        assert heard_by == {"nurse1": ["nurse1"], "dr.martin": [], None: [], "nurse2": ["nurse2"]}


def channels_everywhere(stack, user="nurse1"):
    """What the pool's free connections listen to: as many sessions as there are connections, at once."""
    connections = [stack.connect(user) for _ in range(4)]
    found = set()
    for c in connections:
        c.execute("BEGIN")
    for c in connections:
        found |= {row[0] for row in c.execute("SELECT pg_listening_channels()").fetchall()}
    for c in connections:
        c.close()
    return found


@pytest.mark.parametrize("end", ["UNLISTEN *", "DISCARD ALL", "close", "BEGIN; UNLISTEN *; COMMIT"])
def test_connection_that_listened_is_clean_for_the_next(end, make_stack, stack):
    raw = wire.open_session(stack, "nurse1")
    assert wire.error_of(raw.query("LISTEN ward_5")) is None
    if end == "close":
        raw.close()
    else:
        assert wire.error_of(raw.query(end)) is None
    deadline = time.monotonic() + 10
    while True:
        found = channels_everywhere(stack)
        if "ward_5" not in found or time.monotonic() > deadline:
            break
    assert "ward_5" not in found
    if end != "close":
        assert raw.query("SELECT 1")[-1][0] == "Z"
        raw.close()


def test_listeners_do_not_starve_each_other(stack):
    """A listener holds a connection of the pool: that is what it costs. UNLISTEN * gives it back."""
    holders = [wire.open_session(stack, "nurse1") for _ in range(2)]
    for raw in holders:
        assert wire.error_of(raw.query("LISTEN lab_results")) is None
    for _ in range(3):
        for raw in holders:
            assert wire.rows_of(raw.query("SELECT pg_listening_channels()")) == [(b"lab_results",)]
    for raw in holders:
        assert wire.error_of(raw.query("UNLISTEN *")) is None
        assert wire.rows_of(raw.query("SELECT count(*) FROM pg_listening_channels()")) == [(b"0",)]
        raw.close()


def test_listener_whose_server_is_gone_hears_of_it(stack):
    """It would wait for ever: the session ends, as with PostgreSQL."""
    with stack.connect("nurse1") as c:
        c.execute("LISTEN ward_5")
        with stack.superuser() as su:
            su.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil' AND query LIKE '%LISTEN ward_5%'")
        deadline = time.monotonic() + 10
        with pytest.raises(psycopg.OperationalError):
            while time.monotonic() < deadline:
                notifies(c, 0.2)
    with stack.connect("nurse1") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_settings_beside_listen(stack):
    with wire.open_session(stack, "nurse1") as raw:
        raw.query("LISTEN lab_results")
        raw.query("SET DateStyle = 'German'")
        assert wire.error_of(raw.query("RESET ALL"))["C"] == "0A000"
        raw.query("RESET DateStyle")
        assert wire.rows_of(raw.query("SELECT pg_listening_channels()")) == [(b"lab_results",)]
        assert wire.error_of(raw.query("DISCARD ALL")) is None
        assert wire.rows_of(raw.query("SELECT count(*) FROM pg_listening_channels()")) == [(b"0",)]


DENIED = [("nurse1", sql) for sql in (
    "LISTEN secrets", "LISTEN lab_result", "LISTEN lab_results_2", 'LISTEN "Lab_Results"', 'LISTEN "ward"', "NOTIFY secrets", "NOTIFY secrets, 'x'",
    "SELECT pg_notify('secrets', 'x')", "SELECT pg_notify('secrets'::text, 'x')", "SELECT pg_notify(concat('sec', 'rets'), 'x')", "SELECT pg_notify(E'lab_results\\nx', 'x')",
    "SELECT pg_notify('x' || E'\\nlab_results', 'x')", "SELECT pg_notify('Été.+(x)y' || '', 'x')", "SELECT pg_notify('ÉtéX(x)' || '', 'x')", "SELECT pg_notify('a', 'b', 'c')",
    "SELECT pg_notify(VARIADIC ARRAY['secrets', 'x'])", "SELECT * FROM u.tools WHERE pg_notify('secrets', 'x') IS NULL",
    "SELECT f FROM pg_notify(concat('secrets'), 'x') f")] + [("reception1", sql) for sql in (
        "LISTEN lab_results", "UNLISTEN *", "NOTIFY lab_results", "SELECT pg_notify('lab_results', 'x')", "SELECT pg_listening_channels()")]


@pytest.mark.parametrize("user, sql", DENIED)
def test_outside_the_policy_it_is_refused(user, sql, stack):
    with wire.open_session(stack, user) as raw, wire.open_session(stack, "admin1") as admin:
        for channel in ("secrets", "lab_results", '"Été.+(x)"', '"lab_results\nx"'):
            admin.query("LISTEN " + channel)
        for way in (raw.query, raw.extended):
            error = wire.error_of(way(sql))
            assert error and error["C"] in ("42501", "22023", "42883"), error
        assert wire.rows_of(raw.query("SELECT 1")) == [(b"1",)]
        assert heard(admin.query("SELECT 1")) == []


def test_unrestricted_roles_listen_and_tell_without_asking(stack):
    with wire.open_session(stack, "admin1") as admin:
        admin.query("LISTEN secrets")
        got = admin.query("NOTIFY secrets, 'x'")
        assert heard(got) == [(b"secrets", b"x")]
        (pid,) = struct.unpack_from("!I", [body for kind, body in got if kind == "A"][0])
        assert pid == admin.key[0]
        with stack.connect("admin1") as c:
            c.execute("LISTEN secrets")
            notify(stack, "secrets", "to all")
            assert [(n, p) for n, p, _ in notifies(c)] == [("secrets", "to all")]
            assert ("secrets",) in c.execute("SELECT pg_listening_channels()").fetchall()


def test_listen_is_on_record_before_anything_is_heard(stack):
    with wire.open_session(stack, "nurse1", application_name="notify-record") as raw:
        raw.query("LISTEN lab_results")
        raw.query("NOTIFY lab_results, 'SECRET-LITERAL'")
        raw.query("SELECT pg_notify('lab_results', 'SECRET-LITERAL')")
    kept = records(stack, "notify-record")
    assert [(r["type"], r.get("statement")) for r in kept if r["type"] == "begin"] == [("begin", "LISTEN"), ("begin", "NOTIFY"), ("begin", "SELECT")]
    kept += events_of(stack, "notify-record")
    assert [r["detail"] for r in kept if r.get("event") == "notification"] == ["channel lab_results, 14 bytes"] * 2
    assert "SECRET-LITERAL" not in json.dumps(kept)


# ---- drivers ----

def test_psycopg_notifies(stack):
    """psycopg 3's own generator."""
    with stack.connect("nurse1") as c, stack.connect("nurse2") as other:
        c.execute("LISTEN ward_4")
        other.execute("SELECT pg_notify(%s, %s)", ("ward_4", "one"))
        for one in c.notifies():
            assert (one.channel, one.payload) == ("ward_4", "one")
            break


def test_psql_tells_of_a_notification(stack):
    environment = dict(PGPASSWORD="nurse1-demo", PATH="/usr/bin:/bin")
    out = subprocess.run(["psql", "-X", "host=127.0.0.1 port=%d user=nurse1 dbname=records sslmode=verify-full sslrootcert=%s" % (stack.port, stack.certs.ca), "-c", "LISTEN ward_6",
                          "-c", "NOTIFY ward_6, 'hello'"], capture_output=True, text=True, env=environment, timeout=30, check=True).stdout
    assert 'Asynchronous notification "ward_6" with payload "hello"' in out


def test_jdbc_hears_while_idle(stack):
    if not shutil.which("java") or not os.path.exists(JDBC):
        pytest.skip("JAVA OR ITS DRIVER IS NOT INSTALLED: apt-get install default-jdk-headless libpostgresql-jdbc-java (scripts/test does)")
    info = through_info(stack, "nurse1")
    scram = [p for name in ("scram-client", "scram-common", "stringprep", "saslprep", "ongres-scram-client", "ongres-scram-common", "ongres-stringprep",
                            "ongres-saslprep") for p in glob.glob("/usr/share/java/%s.jar" % name)]
    url = "jdbc:postgresql://%s:%s/%s?sslmode=verify-full&sslrootcert=%s" % (info["host"], info["port"], info["dbname"], stack.certs.ca)
    status, out, err = run(["java", "-cp", ":".join([JDBC] + scram), HERE / "test_notify_java.java", url, info["user"], info["password"]], timeout=180)
    assert status == 0, err
    assert out.splitlines() == ["ward_8 from another other", "ward_8 own own"]


def test_node_hears_while_idle(stack):
    if not shutil.which("node") or not glob.glob(NODE_PATH.split(":")[0] + "/pg/package.json"):
        pytest.skip("NODE-PG IS NOT INSTALLED: apt-get install nodejs node-pg (scripts/test does)")
    info = through_info(stack, "nurse1")
    status, out, err = run(["node", HERE / "test_notify_node.js", info["host"], info["port"], info["dbname"], info["user"], info["password"], stack.certs.ca],
                           env={"NODE_PATH": NODE_PATH})
    assert status == 0, err
    assert out.splitlines() == ["ward_8 from another", "ward_8 by text"]
