"""
Missions that are aggregate_only against two databases that differ in everything but numbers about whole cells: who is in a cell,
which row has which value, where rows lie, and all there is in cells of fewer than K patients. Whatever is asked, and however many
answers are put together, both say the same: so nothing else can be learnt. What is answered is PostgreSQL's own answer over the
cells that exist, by tables that the test fills.

PGVIGIL_AGGREGATE_SEED, PGVIGIL_AGGREGATE_STATEMENTS: other statements, and more.
"""
import os
import time

import aggregate_schema
import pytest
import wire
from aggregate_statements import Generator
from twin_answers import Session, normal

SEED = int(os.environ.get("PGVIGIL_AGGREGATE_SEED", "1"))
STATEMENTS = int(os.environ.get("PGVIGIL_AGGREGATE_STATEMENTS", "900"))


@pytest.fixture(scope="module")
def twins(make_stack):
    return make_stack(databases=["a", "b"], extra_sql=aggregate_schema.SCHEMA + aggregate_schema.DATA, extra_policy=aggregate_schema.files(),
                      changes={which: aggregate_schema.twin(which) for which in "ab"})


@pytest.fixture(scope="module")
def direct(twins):
    with twins.superuser("a") as one, twins.superuser("b") as other:
        for connection in (one, other):
            connection.execute("SET statement_timeout = '20s'")
        yield one, other


@pytest.fixture(scope="module")
def sessions(twins):
    made = [Session(twins, "research1", which, "stats") for which in "ab"]
    yield made
    for session in made:
        session.close()


def test_the_twins_are_what_they_are_said_to_be(direct):
    one, other = direct
    assert aggregate_schema.same_numbers(one, other) is None
    for cube, (_, _, measures) in aggregate_schema.CUBES.items():
        person = aggregate_schema.SUBJECTS[cube]
        rows = "SELECT %s, %s FROM told.%s" % (person, ", ".join(measures), cube)
        first, second = set(one.execute(rows).fetchall()), set(other.execute(rows).fetchall())
        assert len(first & second) < len(first) / 4, cube
        left_out = "SELECT (SELECT count(*) FROM epi.%s) - (SELECT count(*) FROM told.%s)" % (cube, cube)
        assert one.execute(left_out).fetchone()[0] > 10
        least = "SELECT min(c) FROM (SELECT count(DISTINCT %s) c FROM told.%s GROUP BY %s) x" % (person, cube, ", ".join(aggregate_schema.CUBES[cube][1]))
        assert one.execute(least).fetchone()[0] >= aggregate_schema.K


def test_guards_show_the_same_rows_in_the_same_order(direct):
    """The second wall: there is nothing else to read, whatever a statement that is let through does."""
    for cube in aggregate_schema.CUBES:
        rows = []
        for connection in direct:
            name, = connection.execute("SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                       "WHERE n.nspname LIKE 'pgvigil:researcher/stats@%%' AND c.relname = %s", ("epi." + cube,)).fetchone()
            rows.append(connection.execute("SELECT g::text, g.* FROM %s g" % name).fetchall())
        assert rows[0] == rows[1] and len(rows[0]) == direct[0].execute("SELECT count(*) FROM told.%s" % cube).fetchone()[0]


def own_answer(connection, sql):
    """PostgreSQL's, over the cells that exist; None: an error."""
    connection.execute("BEGIN")
    try:
        cursor = connection.execute(sql.replace("epi.", "told.").encode())
        return sorted((tuple(None if v is None else str(v) for v in row) for row in cursor.fetchall()), key=repr)
    except Exception:  # which one it is the twins compare
        return None
    finally:
        connection.execute("ROLLBACK")


def test_generated_statements_tell_of_whole_cells_only(twins, direct, sessions):
    generator = Generator(SEED)
    answered = refused = errors = rows = compared = 0
    shown = time.monotonic()
    for number in range(STATEMENTS):
        sql, hostile = generator.statement()
        first, second = (session.ask(sql, number % 2 == 1) for session in sessions)
        assert normal(first, b"^$") == normal(second, b"^$"), "seed %d, statement %d: %s" % (SEED, number, sql)
        for session in sessions:
            assert b"ZZCANARY" not in session.last or "ZZCANARY" in sql, sql
        error = wire.error_of(first)
        if error is not None:
            refused += error["C"] in ("0A000", "42501", "42703", "42P01")
            errors += error["C"] not in ("0A000", "42501", "42703", "42P01")
            assert error["C"] not in ("XX000", "55000", "54000"), (sql, error)
            continue
        assert not hostile, "answered: seed %d, statement %d: %s" % (SEED, number, sql)
        answered += 1
        told = sorted((tuple(None if v is None else v.decode() for v in wire.row(body)) for kind, body in first if kind == "D"), key=repr)
        rows += len(told)
        expected = own_answer(direct[0], sql) if number % 3 == 0 or STATEMENTS < 2000 else None
        if expected is not None:
            compared += 1
            assert [tuple(spoken(v) for v in row) for row in told] == [tuple(spoken(v) for v in row) for row in expected] or \
                sorted((tuple(spoken(v) for v in row) for row in told), key=repr) == sorted((tuple(spoken(v) for v in row) for row in expected), key=repr), sql
        if time.monotonic() - shown > 60:
            shown = time.monotonic()
            print("%d of %d: %d answered, %d refused, %d errors" % (number + 1, STATEMENTS, answered, refused, errors), flush=True)
    print("seed %d: %d statements, %d answered with %d rows, %d of these compared with PostgreSQL's own answers, %d refused, %d errors" % (
        SEED, STATEMENTS, answered, rows, compared, refused, errors))
    assert answered > STATEMENTS * 0.4 and refused > STATEMENTS * 0.2 and compared > answered * 0.3
    assert twins.proxy.alive()


def spoken(value):
    """psycopg's values and the protocol's texts alike."""
    return {"True": "t", "False": "f"}.get(value, value)
