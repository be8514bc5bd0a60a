"""
The second wall alone: what PostgreSQL itself refuses to the login `pgvigil` when pgvigil's judgement is out of the way. Every
statement here goes to PostgreSQL directly, as on one of pgvigil's server connections, after SET ROLE to every pair in turn and to
none. Whatever SQL pgvigil might let through by mistake meets this wall.
"""
import harness
import psycopg
import pytest
from psycopg import sql

CLOSED = ("42501", "42P01", "3F000")
FUNCTIONS = {  # what runs SQL text, reads files or writes, with the table as its text
    "query_to_xml": "SELECT query_to_xml('SELECT * FROM {0}', true, false, '')",
    "query_to_xml_and_xmlschema": "SELECT query_to_xml_and_xmlschema('SELECT * FROM {0}', true, false, '')",
    "query_to_xmlschema": "SELECT query_to_xmlschema('SELECT * FROM {0}', true, false, '')",
    "table_to_xml": "SELECT table_to_xml('{0}', true, false, '')",
    "table_to_xml_and_xmlschema": "SELECT table_to_xml_and_xmlschema('{0}', true, false, '')",
    "ts_stat": "SELECT ts_stat('SELECT to_tsvector(x::text) FROM {0} x')",
    "ts_rewrite": "SELECT ts_rewrite('a'::tsquery, 'SELECT plainto_tsquery(x::text), plainto_tsquery(x::text) FROM {0} x')",
    "refcursor": "DO $do$ DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT * FROM {0}' LOOP RAISE EXCEPTION '%', r; END LOOP; RAISE insufficient_privilege; END $do$",
    "explain analyze": "EXPLAIN ANALYZE SELECT * FROM {0}",
    "prepare": "PREPARE wall AS SELECT * FROM {0}; EXECUTE wall",
    "cursor": "BEGIN; DECLARE c CURSOR FOR SELECT * FROM {0}; FETCH c; ROLLBACK",
    "copy to": "COPY {0} TO STDOUT", "copy query": "COPY (SELECT * FROM {0}) TO STDOUT",
    "create temp view": "CREATE TEMP VIEW v AS SELECT * FROM {0}; SELECT * FROM v",
    "function": "CREATE FUNCTION pg_temp.f() RETURNS SETOF {0} LANGUAGE sql AS 'SELECT * FROM {0}'; SELECT * FROM pg_temp.f()",
    "row count": "SELECT count(*) FROM {0}", "exists": "SELECT EXISTS (SELECT 1 FROM {0})", "whole row": "SELECT x FROM {0} x", "ctid": "SELECT ctid, xmin FROM {0}",
    "sample": "SELECT * FROM {0} TABLESAMPLE SYSTEM (100)", "lock": "BEGIN; LOCK TABLE {0} IN ACCESS SHARE MODE", "for update": "SELECT * FROM {0} FOR UPDATE",
    "update": "UPDATE {0} SET id = id", "delete": "DELETE FROM {0}", "insert": "INSERT INTO {0} DEFAULT VALUES", "truncate": "TRUNCATE {0}",
    "merge": "MERGE INTO {0} t USING (SELECT 1) s ON false WHEN MATCHED THEN DELETE", "drop": "DROP TABLE {0}", "alter": "ALTER TABLE {0} OWNER TO pgvigil", "trigger": "ALTER TABLE {0} DISABLE TRIGGER ALL",
    "grant": "GRANT SELECT ON {0} TO pgvigil", "analyze then stats": "SELECT most_common_vals FROM pg_stats WHERE schemaname || '.' || tablename = '{0}'", "size of rows": "SELECT pg_column_size(x) FROM {0} x",
    "rule": "CREATE RULE r AS ON SELECT TO {0} DO INSTEAD NOTHING", "index": "CREATE INDEX ON {0} ((1))",
}
SUPER = [
    "SELECT pg_read_file('PG_VERSION')", "SELECT pg_read_binary_file('PG_VERSION')", "SELECT pg_ls_dir('.')", "SELECT pg_stat_file('PG_VERSION')", "SELECT pg_ls_logdir()", "SELECT lo_import('/etc/passwd')", "SELECT lo_export(1, '/tmp/pgvigil-wall')",
    "COPY (SELECT 1) TO '/tmp/pgvigil-wall'", "COPY (SELECT 1) TO PROGRAM 'id'", "CREATE TEMP TABLE t (x text); COPY t FROM '/etc/passwd'", "CREATE TEMP TABLE t (x text); COPY t FROM PROGRAM 'id'", "CREATE EXTENSION dblink", "CREATE EXTENSION file_fdw",
    "LOAD 'auto_explain'", "ALTER SYSTEM SET ssl = off", "SET session_replication_role = replica", "SELECT * FROM pg_authid", "SELECT * FROM pg_shadow", "SELECT * FROM pg_statistic", "SELECT * FROM pg_hba_file_rules", "SELECT pg_reload_conf()",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE c AS 'x', 'y'", "CREATE ROLE wall", "ALTER ROLE pgvigil SUPERUSER", "ALTER ROLE pgvigil_owner LOGIN", "CREATE SCHEMA wall", "CREATE TABLE public.wall (x int)", "CREATE DATABASE wall", "GRANT pgvigil_owner TO pgvigil",
    "SELECT pg_switch_wal()", "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", "SELECT pg_logical_slot_get_changes('x', NULL, NULL)", "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION app.touch()",
]


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(serve=False)


@pytest.fixture(scope="module")
def pairs(stack):
    with stack.superuser() as c:
        rows = c.execute("SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles g ON g.oid = m.member WHERE g.rolname = 'pgvigil'").fetchall()
    names = [r[0] for r in rows]
    assert len(names) >= 8 and all(n.startswith("pgvigil:") for n in names), "the login is a member of %s" % names
    return names


@pytest.fixture(scope="module")
def tables(stack):
    """Every table and materialized view of the clinic, partitions too, as text that a statement can name."""
    with stack.superuser() as c:
        rows = c.execute("SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                         "WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname IN ('public', 'app') ORDER BY 1").fetchall()
    names = [r[0] for r in rows]
    assert len(names) >= 18
    return names


@pytest.fixture(scope="module")
def server(stack):
    """A connection like pgvigil's own."""
    with stack.direct(user="pgvigil", password=harness.LOGIN_PASSWORD, prepare_threshold=None) as connection:
        yield connection


def refused(connection, text):
    """The SQLSTATE of what a statement ends in, or None when it ran; rows are looked at."""
    raw = connection.pgconn
    raw.send_query(text.encode())
    state, rows = None, 0
    while True:
        result = raw.get_result()
        if result is None:
            break
        status = psycopg.pq.ExecStatus(result.status)
        if status in (psycopg.pq.ExecStatus.COPY_OUT,):
            rows += 1
            while raw.get_copy_data(0)[0] > 0:
                pass
        elif status == psycopg.pq.ExecStatus.FATAL_ERROR:
            state = state or result.error_field(psycopg.pq.DiagnosticField.SQLSTATE).decode()
        else:
            rows += result.ntuples
    if raw.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.execute("ROLLBACK")
    connection.execute("DISCARD TEMP")
    connection.execute("DEALLOCATE ALL")
    return state, rows


def become(connection, pair):
    connection.execute("RESET ROLE")
    if pair:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(pair)))


def test_no_pair_reaches_a_table(server, pairs, tables):
    """Plain reads of every relation, as the login and as every pair: permission denied."""
    for pair in [None] + pairs:
        become(server, pair)
        for table in tables:
            state, rows = refused(server, "SELECT * FROM %s LIMIT 1" % table)
            assert state == "42501" and rows == 0, (pair, table, state, rows)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_or_statement_reaches_a_table(name, server, pairs, tables):
    for pair in [None] + pairs:
        become(server, pair)
        for table in tables:
            state, rows = refused(server, FUNCTIONS[name].format(table))
            if name == "analyze then stats":
                assert rows == 0, (pair, table)
            elif name == "alter":
                assert state in ("42501", "42809"), (pair, table, state)
            else:
                assert state in CLOSED + ("42809", "0A000", "25P02", "0LP01", "42P16", "42601", "42703", "55000", "42883", "42P13"), (pair, table, state)
                assert state is not None and rows == 0, (pair, table, state, rows)


def test_the_same_statements_work_for_who_may(stack, tables):
    """The twin: as the superuser most of them run, so it is the rights that stop them."""
    with stack.superuser(prepare_threshold=None) as c:
        for name in ("query_to_xml", "table_to_xml", "copy to", "prepare", "cursor", "create temp view", "row count", "whole row", "explain analyze"):
            state, rows = refused(c, FUNCTIONS[name].format("public.patients"))
            assert state is None and rows > 0, (name, state, rows)


@pytest.mark.parametrize("text", SUPER, ids=lambda t: t[:50])
def test_nothing_beyond_sql_is_reached(text, server, pairs):
    for pair in [None] + pairs:
        become(server, pair)
        state, rows = refused(server, text)
        assert state in CLOSED + ("58P01", "0A000", "55000", "22023"), (pair, state)
        assert state is not None and rows == 0


def test_no_other_role_can_be_taken(stack, server, pairs):
    with stack.superuser() as c:
        roles = [r[0] for r in c.execute("SELECT rolname FROM pg_roles").fetchall()]
    others = [r for r in roles if r not in pairs and r != "pgvigil"]
    assert {"postgres", "clinic", "pgvigil_owner", "pgvigil_dba", "pg_read_all_data"} <= set(others)
    for pair in [None] + pairs:
        for other in others:
            for form in ("SET ROLE {}", "SET SESSION AUTHORIZATION {}"):
                become(server, pair)
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    server.execute(sql.SQL(form).format(sql.Identifier(other)))
    become(server, None)


def test_pairs_have_no_rights_but_on_guards(stack, pairs):
    """By the catalogs: nothing owned; no right on anything in a schema that is not a guard's own."""
    with stack.superuser() as c:
        for pair in pairs + ["pgvigil"]:
            owned = c.execute("SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", (sql.Identifier(pair).as_string(c),)).fetchone()[0]
            assert owned == 0
            flags = c.execute("SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin, rolinherit FROM pg_roles WHERE rolname = %s", (pair,)).fetchone()
            assert flags[:5] == (False,) * 5 and flags[5] == (pair == "pgvigil")
            reached = c.execute(
                "SELECT n.nspname || '.' || k.relname FROM pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace WHERE k.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') "
                "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pgvigil:%%' AND n.nspname NOT LIKE 'pg_temp%%' "
                "AND (has_table_privilege(%s, k.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') OR (k.relkind <> 'S' AND has_any_column_privilege(%s, k.oid, 'SELECT, INSERT, UPDATE, REFERENCES')))",
                (pair, pair)).fetchall()
            assert reached == [], (pair, reached)


def test_login_itself_reaches_no_guard(stack, server, pairs):
    become(server, None)
    with stack.superuser() as c:
        guards = [r[0] for r in c.execute("SELECT format('%I.%I', n.nspname, k.relname) FROM pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace WHERE n.nspname LIKE 'pgvigil:%/%'").fetchall()]
    assert len(guards) > 50
    for guard in guards:
        state, rows = refused(server, "SELECT * FROM %s LIMIT 1" % guard)
        assert state == "42501" and rows == 0, guard


def test_pair_reaches_its_own_guards_only(stack, server, pairs):
    with stack.superuser() as c:
        guards = c.execute("SELECT n.nspname, format('%I.%I', n.nspname, k.relname) FROM pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace WHERE n.nspname LIKE 'pgvigil:%/%'").fetchall()
    own = 0
    for pair in pairs:
        become(server, pair)
        for schema, guard in guards:
            state, rows = refused(server, "SELECT * FROM %s LIMIT 1" % guard)
            if schema == pair:
                assert state != "42501", guard
                own += 1
            else:
                assert state == "42501" and rows == 0, (pair, guard)
    assert own == len(guards)


def test_guards_show_no_column_that_no_pair_may_see(stack, server, pairs):
    """The policy classifies neither patients.preferences nor staff_salaries: no guard has them."""
    with stack.superuser() as c:
        found = c.execute("SELECT n.nspname, k.relname, a.attname FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid JOIN pg_namespace n ON n.oid = k.relnamespace "
                          "WHERE n.nspname LIKE 'pgvigil:%/%' AND (a.attname IN ('preferences', 'gross') OR k.relname LIKE '%staff_salaries%')").fetchall()
        assert found == []
        nurse = c.execute("SELECT a.attname FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid JOIN pg_namespace n ON n.oid = k.relnamespace "
                          "WHERE n.nspname LIKE 'pgvigil:nurse/care@%' AND k.relname = 'public.patients' AND a.attnum > 0").fetchall()
    names = [r[0] for r in nurse]
    assert "family_name" in names and "nir" not in names


def test_guard_without_an_identity_shows_no_filtered_row(server, pairs):
    """A server connection whose settings were never sent: an error or no row, never the rows of somebody."""
    (nurse,) = [p for p in pairs if p.startswith("pgvigil:nurse/care@")]
    become(server, nurse)
    state, rows = refused(server, sql.SQL("SELECT * FROM {}.{}").format(sql.Identifier(nurse), sql.Identifier("public.patients")).as_string(server))
    assert rows == 0
    server.execute("SELECT set_config('pgvigil.u_wards', '{1}', false)")
    state, rows = refused(server, sql.SQL("SELECT * FROM {}.{}").format(sql.Identifier(nurse), sql.Identifier("public.patients")).as_string(server))
    assert state is None and rows > 0
    server.execute("SELECT set_config('pgvigil.u_wards', '', false)")
    server.execute("RESET ALL")


def test_nobody_can_write_into_guard_schemas(stack, server, pairs):
    for pair in [None] + pairs:
        become(server, pair)
        for schema in pairs:
            for text in ("CREATE VIEW {}.w AS SELECT 1", "CREATE FUNCTION {}.w() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP SCHEMA {} CASCADE", "ALTER SCHEMA {} RENAME TO w", "CREATE TABLE {}.w (x int)"):
                state, _ = refused(server, text.format('"' + schema + '"'))
                assert state == "42501", (pair, text, state)
        for guard in ('"%s"."public.patients"' % p for p in pairs):
            for text in ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "DROP VIEW {}", "CREATE OR REPLACE VIEW {} AS SELECT 1 AS id", "TRUNCATE {}"):
                state, _ = refused(server, text.format(guard))
                assert state in ("42501", "42P01", "42809"), (pair, text, state)
