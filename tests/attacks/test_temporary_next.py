"""
Temporary tables and who has the server connection next: other sessions of a pool of one and of two, what functions leave there, a policy
that changes under a session, and twin databases, which must answer alike.
"""
import time

import psycopg
import pytest
import temporary_schema
import wire
from side_by_side import extended
from temporary_schema import ask, nurse, on_server, refused, rows

SYNC = wire.SYNC
SECRET = "CREATE TEMP TABLE kept AS SELECT * FROM m.visits"


@pytest.fixture(scope="module")
def stack(make_stack):
    return temporary_schema.make(make_stack, pool=2, config="limits = { connect_seconds = 3; };")


@pytest.fixture(scope="module")
def one(make_stack):
    """One connection for each of the two workers; sessions here go to the same worker."""
    return temporary_schema.make(make_stack, pool=1, config="limits = { connect_seconds = 3; };")


# ---- the next session ---------------------------------------------------------------------------------------------------------

def on_one_worker(stack, user="nurse1"):
    """Two sessions that share the one connection: workers take sessions in turn, so some are tried."""
    first = nurse(stack, user)
    rows(first, "SELECT 1")
    backend = "SELECT pg_backend_pid()"
    made = []
    while True:
        other = nurse(stack, user)
        made.append(other)
        if rows(other, "SELECT 1") and _worker(stack, first) == _worker(stack, other):
            break
    for extra in made[:-1]:
        extra.close()
    return first, made[-1], backend


def _worker(stack, raw):
    port = raw.socket.getsockname()[1]
    text = stack.proxy.log.read_text(errors="replace")
    line = [x for x in text.splitlines() if "event=accept" in x and x.endswith("port=%d" % port)][-1]  # ports come again
    return line.split("worker=")[1].split()[0]


def test_table_is_not_there_for_the_next_session(one):
    first, second, _ = on_one_worker(one)
    rows(first, SECRET)
    error = wire.error_of(ask(second, "SELECT 1"))
    assert error is not None and error["C"] == "53300", "the connection is the first session's while it has tables"
    first.close()
    assert rows(second, "SELECT 2") == [("2",)]
    refused(second, "SELECT * FROM kept", "42P01")
    refused(second, "SELECT * FROM pg_temp.kept", "42P01")
    assert on_server(one) == []
    rows(second, "CREATE TEMP TABLE kept (a int)")
    assert rows(second, "SELECT * FROM kept") == []
    second.close()


@pytest.mark.parametrize("end", ["DROP TABLE kept", "DISCARD TEMP", "DISCARD ALL", "SET pgvigil.mission = 'care'; SELECT 1"])
def test_connection_is_free_when_the_last_table_is_gone(one, end):
    first, second, _ = on_one_worker(one)
    rows(first, SECRET)
    for part in end.split("; "):
        rows(first, part)
    if "mission" in end:
        assert rows(first, "SELECT count(*) FROM kept") == [("80",)]
        rows(first, "DROP TABLE kept")
    assert rows(second, "SELECT 2") == [("2",)]
    refused(first, "SELECT * FROM kept", "42P01")
    first.close()
    second.close()


def test_on_commit_drop_frees_the_connection_by_itself(one):
    first, second, _ = on_one_worker(one)
    ask(first, "BEGIN")
    rows(first, SECRET.replace(" AS", " ON COMMIT DROP AS"))
    ask(first, "COMMIT")
    assert rows(second, "SELECT 2") == [("2",)]
    ask(second, "BEGIN")
    rows(second, SECRET)
    ask(second, "ROLLBACK")
    refused(first, "SELECT * FROM kept", "42P01")
    first.close()
    second.close()


def test_two_sessions_of_one_name_have_a_table_each(stack):
    with nurse(stack) as first, nurse(stack, "nurse2") as second:
        rows(first, "CREATE TEMP TABLE twice AS SELECT 1 AS a")
        rows(second, "CREATE TEMP TABLE twice AS SELECT 2 AS b")
        assert rows(first, "SELECT a FROM twice") == [("1",)]
        assert rows(second, "SELECT b FROM twice") == [("2",)]
        refused(second, "SELECT a FROM twice", "42703")


def test_what_a_function_left_for_another_session_is_not_read(one):
    first, second, _ = on_one_worker(one)
    rows(first, "SELECT m.leaves_table()")
    assert on_server(one) == ["left_behind"]
    refused(second, "SELECT * FROM left_behind", "42P01")
    rows(second, "CREATE TEMP TABLE mine (a int)")
    assert on_server(one) == ["mine"], "it was dropped before the first own table"
    refused(second, "SELECT * FROM left_behind", "42P01")
    rows(second, "SELECT m.leaves_table()")
    assert rows(second, "SELECT count(*) FROM left_behind") == [("1",)], "the session's own function"
    first.close()
    second.close()


def test_reload_of_the_policy_ends_the_tables(make_stack):
    own = temporary_schema.make(make_stack)
    with nurse(own) as raw:
        rows(raw, SECRET)
        path = own.policy / "90-temporary.cfg"
        path.write_text(path.read_text(encoding="utf-8").replace('name = "initial"', 'name = "show"'), encoding="utf-8")
        own.deploy()
        since = own.proxy.log_size()
        own.proxy.hup()
        own.proxy.wait_log("event=reload", since=since)
        for _ in range(50):
            error = wire.error_of(ask(raw, "SELECT * FROM kept"))
            if error is not None:
                break
        assert error["C"] == "42P01" and on_server(own) == []
        rows(raw, "CREATE TEMP TABLE kept AS SELECT name FROM m.persons WHERE id = 1")
        assert rows(raw, "SELECT * FROM kept") == [("name 1",)]


def test_word_taken_away_takes_the_tables(make_stack):
    own = temporary_schema.make(make_stack)
    with nurse(own) as raw:
        rows(raw, SECRET)
        path = own.policy / "30-missions-roles.cfg"
        path.write_text(path.read_text(encoding="utf-8").replace(temporary_schema.WORD, "}"), encoding="utf-8")
        since = own.proxy.log_size()
        own.proxy.hup()
        own.proxy.wait_log("event=reload", since=since)
        for _ in range(50):
            error = wire.error_of(ask(raw, "SELECT * FROM kept"))
            if error is not None:
                break
        assert error["C"] == "42P01"
        refused(raw, "CREATE TEMP TABLE again (a int)", "42501")


def test_twins_answer_alike(make_stack):
    """Two databases that differ in hidden rows and columns only: byte for byte the same, OIDs in descriptions too."""
    twin = "UPDATE m.persons SET nir = 'other' || id || repeat('x', 9000), name = name || '{0}'; INSERT INTO m.persons SELECT n, 3, 'hidden', '{0}' FROM generate_series(100, 100 + {1}) n; CREATE TABLE m.more{1} (a text); CREATE TABLE m.even{1} (a text);"
    own = temporary_schema.make(make_stack, databases=("a", "b"), changes={"a": twin.format("A", 3), "b": twin.format("B", 50) + "CREATE TABLE m.x (a text); CREATE TABLE m.y (b text);"})
    script = ["CREATE TEMP TABLE t AS SELECT * FROM m.persons", "SELECT * FROM t ORDER BY id", "SELECT t FROM t ORDER BY id LIMIT 2", "SELECT array_agg(t) FROM (SELECT 1) x, t WHERE id < 4", "CREATE TEMP TABLE t (a int)", "CREATE INDEX ON t (name)", "INSERT INTO t (id) VALUES ('x')",
              "SELECT name::int FROM t", "SELECT * FROM t_name_idx", "CREATE TEMP TABLE u (LIKE t)", "CREATE TEMP TABLE u (a t)", "DROP TABLE IF EXISTS nosuch", "ANALYZE t", "SELECT * FROM t, m.persons p WHERE p.id = t.id AND p.name = t.name ORDER BY 1 LIMIT 3", "BEGIN", "DROP TABLE t", "SELECT 1 FROM t", "ROLLBACK",
              "COPY t TO STDOUT", "INSERT INTO t SELECT * FROM m.persons RETURNING id", "CREATE TEMP TABLE v (a int UNIQUE CHECK (a > 0)); INSERT INTO v VALUES (1), (1)", "CREATE TEMP TABLE v (a int UNIQUE CHECK (a > 0))", "INSERT INTO v VALUES (1), (1)", "INSERT INTO v VALUES (-1)", "DROP TABLE t, v"]
    answers = []
    for database in ("a", "b"):
        with nurse(own, database=database) as raw:
            answers.append([ask(raw, step) for sql in script for step in (sql, extended(sql) + SYNC)])
    for sql, a, b in zip([s for s in script for _ in (0, 1)], *answers):
        assert a == b, sql
    assert "pg_temp_" not in str(answers) and "S3CR3T" not in str(answers)


def test_too_many_end_the_session_not_the_proxy(stack):
    with stack.connect("nurse1", mission="care") as c:
        columns = ", ".join("c%d int" % n for n in range(1500))
        with pytest.raises(psycopg.Error):
            for n in range(20):
                c.execute("CREATE TEMP TABLE wide%d (%s)" % (n, columns))
                c.execute("SELECT 1")
    with stack.connect("nurse1", mission="care") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)
    assert stack.proxy.alive()
    for _ in range(100):
        if not [n for n in on_server(stack) if n.startswith("wide")]:
            return
        time.sleep(0.05)
    raise AssertionError("the session's tables are there still")
