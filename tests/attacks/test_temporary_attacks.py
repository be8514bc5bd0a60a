"""
Temporary tables as a weapon: names that hide guards, catalogs, builtins and functions; tables that outlive their mission, by way of
transactions and savepoints too, or their session; expressions that a table keeps; statements prepared before a table existed.
"""
import time

import pytest
import temporary_schema
import wire
from side_by_side import extended
from temporary_schema import TEMPORARY, ask, nurse, on_server, refused, rows

SYNC = wire.SYNC


@pytest.fixture(scope="module")
def stack(make_stack):
    return temporary_schema.make(make_stack, pool=2, config="limits = { connect_seconds = 3; };")


# ---- names ---------------------------------------------------------------------------------------------------------------

def test_table_named_as_a_governed_one_is_the_sessions_own(stack):
    with nurse(stack) as raw, nurse(stack, "nurse2") as other:
        rows(raw, "SET search_path = m")
        ask(raw, "CREATE TEMP TABLE persons (id int, nir text)")
        assert rows(raw, "SELECT nir FROM persons") == []
        refused(raw, "SELECT nir FROM m.persons", "42703")
        assert rows(raw, "SELECT count(*) FROM m.persons") == [("20",)]
        rows(other, "SET search_path = m")
        assert rows(other, "SELECT count(*) FROM persons") == [("20",)], "another session's names are not hidden"
        refused(other, "SELECT nir FROM persons", "42703")


def test_table_named_as_a_guard_is_not_the_guard(stack):
    with stack.superuser() as c:
        schema = c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgvigil:nurse/care@%'").fetchone()[0]
    with nurse(stack) as raw:
        assert rows(raw, 'CREATE TEMP TABLE "m.persons" AS SELECT 1 AS id, \'mine\'::text AS name') == []
        assert len(rows(raw, "SELECT * FROM m.persons")) == 20
        assert rows(raw, 'SELECT name FROM "m.persons"') == [("mine",)]
        refused(raw, 'CREATE TEMP TABLE "%s" (a int)' % schema, "42602")
        refused(raw, 'CREATE TEMP TABLE "%s"."m.persons" (a int)' % schema, "42P16")
        refused(raw, 'SELECT * FROM "%s"."m.persons"' % schema, "42501")


def test_table_named_as_a_catalog_misleads_no_guard_of_catalogs(stack):
    with nurse(stack) as raw:
        before = rows(raw, "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2")
        settings = rows(raw, "SELECT current_user, current_schema, has_table_privilege('m.persons', 'select')")
        for name in ("pg_class", "pg_namespace", "pg_attribute", "pg_type", "pg_roles", "pg_database", "columns", "tables"):
            rows(raw, "CREATE TEMP TABLE %s AS SELECT 1 AS oid, 'm'::text AS relname, 'public'::text AS nspname, 1 AS relnamespace" % name)
        assert rows(raw, "SELECT relname FROM pg_class") == [("m",)]
        after = rows(raw, "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2")
        assert after == before
        assert rows(raw, "SELECT current_user, current_schema, has_table_privilege('m.persons', 'select')") == settings


def test_row_type_does_not_stand_in_for_a_builtin_type(stack):
    """PostgreSQL looks for types in pg_temp first as well, in the texts of functions too: the guards' own cast to text and regclass."""
    asked = "SELECT 'x'::text, '7'::int4 + 1, lower('A'), count(*), current_setting('search_path'), 'm.notes'::regclass::oid > 0, current_schemas(true)::text FROM m.notes"
    with nurse(stack) as raw:
        before = rows(raw, asked)
        for name in ("text", "int4", "_text", "date", "regclass", "regnamespace", "name", "oid", "record", "bool"):
            for sql in ('CREATE TEMP TABLE "%s" (a int)', 'CREATE TEMP TABLE IF NOT EXISTS pg_temp."%s" AS SELECT 1 AS a', 'SELECT 1 AS a INTO TEMP "%s"'):
                refused(raw, sql % name, "0A000")
        for name in ("lower", "count", "integer", "regclas"):
            rows(raw, 'CREATE TEMP TABLE "%s" (a int)' % name)
        assert rows(raw, asked) == before
        for sql in ("SELECT NULL::lower", "SELECT '(1)'::pg_temp.lower", "SELECT lower(1)", "CREATE TEMP TABLE z (a lower)", "SELECT pg_temp.lower(1)", "SELECT 'x'.lower"):
            assert wire.error_of(ask(raw, sql)) is not None, sql


def test_column_named_as_a_function_is_a_column_or_nothing(stack):
    with nurse(stack) as raw:
        rows(raw, "CREATE TEMP TABLE f AS SELECT 5 AS pg_sleep, 'c' AS current_user")
        assert rows(raw, "SELECT f.pg_sleep, f.current_user FROM f") == [("5", "c")]
        ask(raw, "BEGIN")
        rows(raw, "DROP TABLE f")
        rows(raw, "CREATE TEMP TABLE f AS SELECT 600::float8 AS seconds")
        # The column has gone: what is left would be the call.
        refused(raw, "SELECT f.pg_sleep FROM f", "42501")
        ask(raw, "ROLLBACK")
        assert rows(raw, "SELECT f.pg_sleep FROM f") == [("5",)]


def test_column_that_a_text_takes_away_is_gone_for_its_rest(stack):
    with nurse(stack) as raw:
        rows(raw, "CREATE TEMP TABLE f AS SELECT 5 AS pg_sleep")
        for text in ("DROP TABLE f; CREATE TEMP TABLE f (a int); SELECT f.pg_sleep FROM f", "BEGIN; DROP TABLE f; CREATE TEMP TABLE f (a float8); SELECT f.pg_sleep FROM f",
                     "SAVEPOINT s; SELECT f.pg_sleep FROM f; DROP TABLE f; SELECT 1 FROM f"):
            assert wire.error_of(ask(raw, text)) is not None, text
            ask(raw, "ROLLBACK")


def test_prepared_before_the_table_existed(stack):
    """The name meant the guard: from then on it means the table, and after it is gone the guard again."""
    with nurse(stack) as raw:
        rows(raw, "SET search_path = m")
        ask(raw, wire.parse("SELECT id FROM persons WHERE id < 3", "s") + wire.parse("SELECT 1 AS one", "t") + SYNC)
        run = wire.bind((), "", "s") + wire.execute() + SYNC
        guarded = wire.rows_of(ask(raw, run))
        rows(raw, "PREPARE p AS SELECT * FROM persons WHERE id < 3")
        rows(raw, "CREATE TEMP TABLE persons (id int, nir text)")
        assert wire.rows_of(ask(raw, run)) == []
        rows(raw, "INSERT INTO persons VALUES (1, 'own')")
        assert rows(raw, "EXECUTE p") == [("1", "own")]
        rows(raw, "DROP TABLE persons")
        assert wire.rows_of(ask(raw, run)) == guarded
        assert "nir" not in str(ask(raw, "EXECUTE p"))


# ---- expressions that a table keeps ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("column", [
    "a int CHECK (m.leaves_table() = a)", "a int DEFAULT m.leaves_table()", "a int GENERATED ALWAYS AS (m.leaves_table()) STORED", "a text CHECK (pg_read_file(a) IS NULL)", "a text DEFAULT query_to_xml('SELECT 1', true, true, '')",
    "a text CHECK (a.pg_ls_dir IS NULL)", "a text CHECK ((a).pg_read_file = '')", "a text DEFAULT current_user", "a text DEFAULT current_setting('pgvigil.u_name')", "a oid DEFAULT 'm.closed'::regclass", "a text DEFAULT (1 OPERATOR(m.+) 1)"])
def test_expressions_call_nothing_but_builtins(stack, column):
    with nurse(stack) as raw:
        for sql in ("CREATE TEMP TABLE kept (%s)" % column, "CREATE TEMP TABLE kept (%s, b int)" % column):
            assert wire.error_of(ask(raw, sql)) is not None, sql
        assert "kept" not in on_server(stack)


def test_nothing_but_temporary_tables_is_made(stack):
    with stack.superuser() as c:
        before = c.execute("SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_t'").fetchone()
        with nurse(stack) as raw:
            for sql in ("CREATE TABLE x (a int)", "SELECT 1 INTO x", "SELECT * INTO m.x FROM m.persons", "CREATE TABLE m.x AS SELECT 1", "CREATE TEMP TABLE m.x (a int)", "SELECT 1 INTO TEMP m.x", "SELECT 1 INTO TABLE x", "CREATE TABLE \"pg_temp_1\".x (a int)",
                        "SELECT 1 INTO UNLOGGED x", "CREATE SCHEMA pg_temp CREATE TABLE x (a int)", "CREATE FOREIGN TABLE x (a int) SERVER s", "CREATE MATERIALIZED VIEW x AS SELECT 1", "DROP TABLE m.persons", "DROP TABLE m.closed", "TRUNCATE m.persons", "DROP TABLE pg_temp_3.x"):
                for step in (sql, extended(sql) + SYNC):
                    assert wire.error_of(ask(raw, step)) is not None, sql
        assert c.execute("SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_t'").fetchone() == before


# ---- missions ------------------------------------------------------------------------------------------------------------

SECRET = "CREATE TEMP TABLE kept AS SELECT * FROM m.visits"  # research has no rule for visits


def test_table_of_one_mission_is_not_read_in_another(stack):
    with nurse(stack, "dr.martin") as raw:
        rows(raw, SECRET)
        rows(raw, "SET pgvigil.mission = 'research'")
        refused(raw, "SELECT * FROM kept", "42P01")
        assert on_server(stack) == []
        refused(raw, "SELECT * FROM pg_temp.kept", "42P01")
        rows(raw, "CREATE TEMP TABLE kept AS SELECT name FROM m.persons")
        rows(raw, "SET pgvigil.mission = 'care'")
        refused(raw, "SELECT * FROM kept", "42P01")


@pytest.mark.parametrize("change", ["SET pgvigil.mission = 'research'", "SET pgvigil.patient = '7'", "SET pgvigil.reason = 'because it is so'", "DISCARD ALL", "SET pgvigil.mission = 'research'; SET pgvigil.mission = 'care'"])
def test_whatever_ends_the_standing_ends_the_tables(stack, change):
    with nurse(stack, "dr.martin") as raw:
        rows(raw, SECRET)
        assert rows(raw, "SELECT count(*) FROM kept") == [("80",)]
        for part in change.split("; "):
            rows(raw, part)
        refused(raw, "SELECT * FROM kept", "42P01")
        # DISCARD ALL gives the connection back, to be reset before anybody has it.
        for _ in range(100 if change == "DISCARD ALL" else 1):
            left = on_server(stack)
            if not left:
                break
            time.sleep(0.05)
        assert left == []


def test_pipelined_behind_the_change_of_mission(stack):
    with nurse(stack, "dr.martin") as raw:
        rows(raw, SECRET)
        raw.send(extended("SET pgvigil.mission = 'research'"), extended("SELECT * FROM kept"), SYNC, extended("SELECT * FROM pg_temp.kept"), SYNC)
        first, second = raw.until("Z"), raw.until("Z")
        assert wire.error_of(first)["C"] == "42P01" and wire.error_of(second)["C"] in ("42P01",) and wire.rows_of(first) == wire.rows_of(second) == []


def test_portal_over_the_table_ends_with_the_mission(stack):
    with nurse(stack, "dr.martin") as raw:
        rows(raw, SECRET)
        ask(raw, "BEGIN")
        rows(raw, "DECLARE c CURSOR FOR SELECT * FROM kept")
        raw.send(wire.parse("SELECT * FROM kept", "k"), wire.bind((), "p", "k"), wire.execute("p", 1), SYNC)
        assert len(wire.rows_of(raw.until("Z"))) == 1
        rows(raw, "SET LOCAL pgvigil.mission = 'research'")
        refused(raw, "FETCH c", "34000")
        ask(raw, "ROLLBACK")


def test_local_mission_in_a_transaction_that_made_the_table(stack):
    with nurse(stack, "dr.martin") as raw:
        for end in ("ROLLBACK", "COMMIT"):
            ask(raw, "BEGIN")
            rows(raw, SECRET)
            rows(raw, "SET LOCAL pgvigil.mission = 'research'")
            rows(raw, "SELECT 1")
            refused(raw, "SELECT * FROM kept", "42P01")
            ask(raw, end)
            refused(raw, "SELECT * FROM kept", "42P01")
            assert on_server(stack) == []


def test_savepoint_does_not_bring_the_table_into_the_other_mission(stack):
    """DISCARD TEMP runs inside the savepoint, the change of mission before it: undoing the one leaves the other."""
    for number, between in enumerate((["SELECT 1"], ["CREATE TEMP TABLE u (a int)", "SELECT * FROM u"], ["SELECT 1/0"], ["SAVEPOINT t", "SELECT 1", "RELEASE t"])):
        with nurse(stack, "dr.martin") as raw:
            rows(raw, SECRET)
            ask(raw, "BEGIN")
            rows(raw, "SET LOCAL pgvigil.mission = 'research'")
            ask(raw, "SAVEPOINT s")
            for sql in between:
                ask(raw, sql)
            ask(raw, "ROLLBACK TO s")
            assert rows(raw, "SHOW pgvigil.mission") == [("research",)]
            if number % 2 == 0:
                refused(raw, "SELECT * FROM kept", "42P01")
            else:
                rows(raw, "CREATE TEMP TABLE kept (research int)")
                assert rows(raw, "SELECT * FROM kept") == []
            ask(raw, "ROLLBACK")
            assert rows(raw, "SHOW pgvigil.mission") == [("care",)]
            refused(raw, "SELECT * FROM kept", "42P01")
            assert on_server(stack) == []


def test_one_text_does_not_carry_it_over(stack):
    with nurse(stack, "dr.martin") as raw:
        rows(raw, SECRET)
        got = ask(raw, "BEGIN; SET LOCAL pgvigil.mission = 'research'; SAVEPOINT s; SELECT 1; ROLLBACK TO s; SELECT note FROM kept; COMMIT")
        assert wire.error_of(got) is not None and "visit" not in str(got)
        ask(raw, "ROLLBACK")
        got = ask(raw, "SELECT count(*) FROM kept; SELECT 2")
        assert wire.error_of(got)["C"] == "42P01"


def test_masked_stays_masked(stack):
    with nurse(stack) as raw:
        rows(raw, "CREATE TEMP TABLE masked AS SELECT * FROM m.persons")
        rows(raw, "CREATE INDEX ON masked (name)")
        rows(raw, "ANALYZE masked")
        assert {r[0] for r in rows(raw, "SELECT DISTINCT name FROM masked")} == {"n."}
        refused(raw, "SELECT nir FROM masked", "42703")
        with stack.superuser() as c:
            (schema, name), = [r for r in c.execute(TEMPORARY).fetchall() if r[1] == "masked"]
            assert "S3CR3T" not in str(c.execute("SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE schemaname = %s", (schema,)).fetchall())
