"""The spine of serve, as an unrestricted role sees it: what PostgreSQL does, and a record of everything."""
import contextlib
import subprocess
import threading
import time

import psycopg
import pytest
from psycopg import errors

import wire


@pytest.fixture
def admin(stack):
    with stack.connect("admin1") as c:
        yield c


def test_select_and_insert(admin):
    admin.execute("CREATE TEMP TABLE t (a int, b text)")
    assert admin.execute("INSERT INTO t VALUES (1, 'x'), (2, NULL)").rowcount == 2
    assert admin.execute("SELECT a, b FROM t ORDER BY a").fetchall() == [(1, "x"), (2, None)]


def test_parameters_text_and_binary(admin):
    for binary in (False, True):
        cursor = admin.cursor(binary=binary)
        row = cursor.execute("SELECT %s::int4, %s::text, %s::float8", (42, "é", 1.5)).fetchone()
        assert row == (42, "é", 1.5)


def test_prepared_statements_survive_many_uses(admin):
    for i in range(20):
        assert admin.execute("SELECT %s::int + 1", (i,), prepare=True).fetchone() == (i + 1,)


def test_error_keeps_its_sqlstate_and_position(admin):
    with pytest.raises(errors.UndefinedColumn) as caught:
        admin.execute("SELECT nothing_here FROM patients")
    assert caught.value.diag.statement_position == "8"
    assert admin.execute("SELECT 1").fetchone() == (1,)


def test_transaction_block_and_failed_block(stack):
    with stack.connect("admin1", autocommit=False) as c:
        c.execute("CREATE TEMP TABLE t (a int)")
        c.execute("INSERT INTO t VALUES (1)")
        c.commit()
        with pytest.raises(errors.DivisionByZero):
            c.execute("SELECT 1/0")
        with pytest.raises(errors.InFailedSqlTransaction):
            c.execute("SELECT 1")
        c.rollback()
        assert c.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_pipeline_with_an_error_in_the_middle(admin):
    with admin.pipeline() as pipeline:
        first = admin.execute("SELECT 1")
        pipeline.sync()
        bad = admin.execute("SELECT 1/0")
        # PostgreSQL sends an error at once: psycopg may meet it before the Sync, in whatever it does next.
        with pytest.raises(errors.DivisionByZero):
            admin.execute("SELECT 2")
            pipeline.sync()
        with contextlib.suppress(errors.PipelineAborted):
            pipeline.sync()
        last = admin.execute("SELECT 3")
        pipeline.sync()
        assert first.fetchone() == (1,)
        assert last.fetchone() == (3,)
    del bad


def test_large_result_arrives_whole(admin):
    rows = admin.execute("SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i").fetchall()
    assert len(rows) == 50000 and rows[-1][0] == 50000


def test_one_row_of_many_megabytes(admin):
    (text,) = admin.execute("SELECT repeat('0123456789', 2000000)").fetchone()
    assert len(text) == 20000000


def test_long_parameter(admin):
    assert admin.execute("SELECT length(%s::text)", ("y" * 5000000,)).fetchone() == (5000000,)


def test_server_side_cursor(stack):
    with stack.connect("admin1", autocommit=False) as c:
        with c.cursor("many") as cursor:
            cursor.execute("SELECT i FROM generate_series(1, 1000) i")
            assert sum(row[0] for row in cursor) == 500500


def test_copy_both_ways(admin):
    admin.execute("CREATE TEMP TABLE t (a int, b text)")
    with admin.cursor().copy("COPY t FROM STDIN") as copy:
        for i in range(10000):
            copy.write_row((i, "row %d" % i))
    assert admin.execute("SELECT count(*), sum(a) FROM t").fetchone() == (10000, 49995000)
    with admin.cursor().copy("COPY t TO STDOUT") as copy:
        assert len(list(copy.rows())) == 10000
    with pytest.raises(errors.InvalidTextRepresentation):
        with admin.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write(b"not a number\tx\n")
    assert admin.execute("SELECT 1").fetchone() == (1,)


def test_notices_and_notifications(admin):
    notices = []
    admin.add_notice_handler(lambda n: notices.append(n.message_primary))
    admin.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
    assert notices == ["hello"]
    heard = []
    admin.add_notify_handler(lambda n: heard.append(n.payload))
    admin.execute("LISTEN here")
    admin.execute("NOTIFY here, 'payload'")
    admin.execute("SELECT 1")
    assert heard == ["payload"]


def test_cancel_reaches_the_statement(admin):
    timer = threading.Timer(0.4, admin.cancel)
    timer.start()
    begin = time.monotonic()
    with pytest.raises(errors.QueryCanceled):
        admin.execute("SELECT pg_sleep(20)")
    assert time.monotonic() - begin < 10
    timer.join()
    assert admin.execute("SELECT 1").fetchone() == (1,)


def test_wrong_cancel_key_does_nothing(stack, admin):
    raw = wire.Raw(stack.port, tls=False)
    raw.send(wire.cancel(admin.info.backend_pid, 12345))
    assert admin.execute("SELECT pg_sleep(0.3), 7").fetchone()[1] == 7


def test_wrong_password_and_unknown_user_hear_the_same(stack):
    said = []
    for user in ("admin1", "nobody-here"):
        with pytest.raises(psycopg.OperationalError) as caught:
            stack.connect(user, password="wrong")
        said.append(str(caught.value).replace(user, "USER").split("FATAL")[1])
    assert said[0] == said[1] and "password authentication failed" in said[0]


def test_plaintext_is_refused(stack):
    with pytest.raises(psycopg.OperationalError, match="TLS"):
        stack.connect("admin1", sslmode="disable", sslrootcert="")


def test_unknown_database(stack):
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        stack.connect("admin1", database="nowhere")


def test_every_statement_has_a_record(stack):
    with stack.connect("admin1", application_name="recorded") as c:
        c.execute("SELECT 41 + 1")
        c.execute("CREATE TEMP TABLE audited (a int)")
    deadline = time.monotonic() + 5
    while True:
        records = stack.audit_records()
        sessions = {r["session"] for r in records if r.get("application") == "recorded"}
        mine = [r for r in records if r.get("session") in sessions]
        if any(r.get("event") == "disconnect" for r in mine) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    types = [r["type"] if r["type"] != "event" else r["event"] for r in mine]
    assert types == ["connect", "whole", "begin", "end", "disconnect"]
    assert "41" not in str(mine[1].get("sql"))


def test_psql(stack):
    info = stack.conninfo("admin1")
    env = {"PGPASSWORD": info["password"], "PATH": "/usr/bin:/bin"}
    conninfo = "host=127.0.0.1 port=%s user=admin1 dbname=%s sslmode=verify-full sslrootcert=%s" % (
        info["port"], info["dbname"], info["sslrootcert"])
    done = subprocess.run(["psql", "-XAt", conninfo, "-c", "SELECT count(*) FROM patients"], env=env,
                          capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "600"


def test_names_deallocated_by_sql_can_be_used_again(stack):
    raw = wire.Raw(stack.port, stack.tls_context())
    raw.login("admin1", next(iter(stack.databases)), "admin1-demo")
    use = wire.bind(statement="s") + wire.execute() + wire.SYNC
    for end in ("DISCARD ALL", "DEALLOCATE s", "DEALLOCATE ALL"):
        raw.send(wire.parse("SELECT 1", "s") + use)
        assert "".join(k for k, _ in raw.until("Z")) == "12DCZ"
        raw.send(wire.parse("SELECT 2", "s") + wire.SYNC)
        assert wire.fields(raw.until("Z")[0][1])["C"] == "42P05"
        raw.send(use)
        assert wire.row(raw.until("Z")[1][1])[0] == b"1"
        raw.query(end)
        raw.send(use)
        assert wire.fields(raw.until("Z")[0][1])["C"] == "26000"
