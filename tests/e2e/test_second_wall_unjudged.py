"""
The second wall behind a pgvigil whose judgement is switched off (unjudged.c): what restricted sessions send reaches PostgreSQL as
it is, on pgvigil's real server connections, with the session's role and identity in force, SET ROLE to anything among it.
test_second_wall.py tries the same statements on a connection of its own; here everything but the judgement is the product.
"""
import os

import harness
import psycopg
import pytest
from test_second_wall import CLOSED, FUNCTIONS, SUPER, pairs, refused, tables  # noqa: F401 (fixtures)

USERS = ("nurse1", "reception1", "research1", "dr.martin")
OTHER = ("42809", "0A000", "25P02", "0LP01", "42P16", "42601", "42703", "55000", "42883", "42P13")


@pytest.fixture(scope="module")
def stack(make_stack):
    unjudged = os.environ.get("PGVIGIL_UNJUDGED") or harness.binary() + "-unjudged"
    with harness.running(unjudged):
        return make_stack(pool=1)  # everybody on the connection of the one before


def ask(stack, user, text):
    """SQLSTATE and rows of a text on a session of its own: what it leaves behind must not help the next one."""
    with stack.connect(user, prepare_threshold=None) as c:
        try:
            return refused(c, text)
        except psycopg.OperationalError as error:  # the session ended with the refusal
            return error.sqlstate or "08006", 0


def test_judgement_is_off(stack):
    """The denied twin of every test here: what pgvigil itself always refuses does reach PostgreSQL."""
    with stack.connect("nurse1", prepare_threshold=None) as c:
        assert c.execute("EXPLAIN SELECT 1").fetchall()
        assert c.execute("SELECT count(*) FROM pg_catalog.pg_stat_activity").fetchone()[0] > 0
        assert c.execute("SELECT current_user").fetchone()[0].startswith("pgvigil:nurse/care@")


@pytest.mark.parametrize("user", USERS)
def test_no_table_is_reached(user, stack, tables, pairs):
    for table in tables:
        for before in ("", "RESET ROLE; ", "SET ROLE NONE; ", "SET ROLE pgvigil_owner; ", "SET SESSION AUTHORIZATION DEFAULT; "):
            state, rows = ask(stack, user, before + "SELECT * FROM %s LIMIT 1" % table)
            assert state == "42501" and rows == 0, (user, before, table, state, rows)


def test_no_table_is_reached_as_any_pair(stack, tables, pairs):
    for pair in pairs:
        for table in tables:
            state, rows = ask(stack, "nurse1", 'SET ROLE "%s"; SELECT * FROM %s LIMIT 1' % (pair, table))
            assert state == "42501" and rows == 0, (pair, table, state, rows)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_or_statement_reaches_a_table(name, stack):
    for table in ("public.patients", "public.staff_salaries", "public.documents"):
        state, rows = ask(stack, "nurse1", FUNCTIONS[name].format(table))
        if name == "analyze then stats":
            assert rows == 0, table
        else:
            assert state in CLOSED + OTHER and rows == 0, (table, state, rows)


@pytest.mark.parametrize("text", SUPER, ids=lambda t: t[:50])
def test_nothing_beyond_sql_is_reached(text, stack):
    state, rows = ask(stack, "nurse1", text)
    assert state in CLOSED + ("58P01", "0A000", "55000", "22023") and rows == 0, state


def test_forged_identity_reaches_only_what_some_pair_may_see(stack, pairs):
    """Settings can be forged here; the columns and tables that no rule gives stay closed all the same."""
    nurse = next(p for p in pairs if p.startswith("pgvigil:nurse/care@"))
    wide = "SELECT set_config('pgvigil.u_wards', '{%s}', false); " % ",".join(map(str, range(1, 50)))
    state, rows = ask(stack, "nurse1", wide + 'SELECT id FROM "%s"."public.patients"' % nurse)
    assert state is None and rows > 1, "the forged setting did not even widen the filter: %s" % state
    with stack.superuser() as c:
        warded = c.execute("SELECT count(*) FROM public.patients WHERE ward_id IS NOT NULL").fetchone()[0]
    assert rows - 1 <= warded
    for column in ("nir", "preferences"):
        state, rows = ask(stack, "nurse1", wide + 'SELECT %s FROM "%s"."public.patients"' % (column, nurse))
        assert state == "42703", (column, state)


@pytest.mark.parametrize("text", ("DEALLOCATE ALL", "DEALLOCATE ALL; PREPARE \"pgvigil identity\" AS SELECT 1", "PREPARE \"pgvigil identity\" AS SELECT 1",
                                  "DEALLOCATE \"pgvigil identity\"", "DISCARD ALL", "RESET ALL", "RESET ROLE"))
def test_connection_is_the_next_persons_whatever_was_done_on_it(text, stack):
    """By the names of pgvigil's own statements, too."""
    with stack.superuser() as c:
        roles = [row[0] for row in c.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^pgvigil:nurse/care@'")]
    who = "SELECT current_user || ' ' || current_setting('pgvigil.u_rpps')"
    with stack.connect("nurse1", prepare_threshold=None) as first, stack.connect("nurse2", prepare_threshold=None) as second:
        for _ in range(3):
            assert first.execute(who).fetchone()[0] in [role + " 10000000611" for role in roles]
            try:
                first.execute(text)
            except psycopg.Error:
                pass
            assert second.execute(who).fetchone()[0] in [role + " 10000000637" for role in roles]
            assert second.execute(who + " WHERE true").fetchone()[0] in [role + " 10000000637" for role in roles]
