"""
policy/functions.list against a live PostgreSQL, and every function that it allows called by a hostile session.

The list: each function of pg_catalog is in it, each name that it allows is there, each reason is explained in docs/, each guard is
deployed, and what is not in it is refused. The calls: in twin databases that differ only in hidden data nothing differs, no hidden
value comes out, and a server connection is afterwards what it was.
"""
import pathlib
import re

import function_calls
import harness
import psycopg
import pytest
import twins_schema
import wire
from twin_answers import Session, normal

LIST = harness.ROOT / "policy" / "functions.list"
TWINS = ("a", "b")
# Names that are in the list for another minor or major version than the one that is tested. {name: which}
OTHER_VERSIONS = {"binary_upgrade_set_next_attribute_versions": "never released; denied whatever it may be"}


# The second as initdb would have made it: with an OID that is the server's own.
UNLISTED = """
CREATE TYPE app.zz_kind AS ENUM ('zzcanary', 'other');
CREATE DOMAIN app.zz_code AS text CHECK (VALUE <> 'ZZCANARY');
CREATE TABLE public.zz_kinds (id int PRIMARY KEY, kind app.zz_kind, code app.zz_code, rest app.zz_kind[]);
CREATE FUNCTION pg_catalog.zz_of_a_superuser(text) RETURNS text LANGUAGE sql AS $$ SELECT 'ran' $$;
CREATE FUNCTION pg_catalog.zz_of_a_newer_server(text) RETURNS text LANGUAGE sql AS $$ SELECT 'ran' $$;
SET allow_system_table_mods = on;
UPDATE pg_proc SET oid = 9876 WHERE proname = 'zz_of_a_newer_server';
RESET allow_system_table_mods;
"""
# SQL value functions that pg_proc does not know and guards answer.
GRAMMAR = {"current_catalog", "current_role", "user"}


def entries():
    """{name: (verdict, reason)}."""
    found = {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, verdict, *reason = line.split()
            assert name not in found, "%s is there twice" % name
            found[name] = (verdict, " ".join(reason))
    return found


def of_verdict(*verdicts):
    return {name for name, (verdict, _) in entries().items() if verdict in verdicts}


@pytest.fixture(scope="module")
def twins(make_stack):
    names = ["nurse_" + twin for twin in TWINS]
    return make_stack(databases=names, changes={"nurse_" + t: twins_schema.twin_sql("nurse", t) + UNLISTED for t in TWINS})


@pytest.fixture(scope="module")
def sessions(twins):
    made = [Session(twins, "nurse1", "nurse_" + twin, "care") for twin in TWINS]
    yield made
    for session in made:
        session.close()


@pytest.fixture(scope="module")
def catalog_schema(twins):
    with twins.superuser("nurse_a") as c:
        (name,) = c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgvigil:catalog@%'").fetchone()
    return name


# ---- the list ---------------------------------------------------------------------------------------------------------------

def test_list_holds_every_function_of_pg_catalog(cluster):
    with cluster.superuser("template1") as c:
        live = {r[0] for r in c.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace")}
    listed = entries()
    assert len(live) > 2500
    assert live - set(listed) == set()
    # What is allowed or guarded exists: a name with a mistake in it would leave the function closed, or open another's.
    assert {n for n in set(listed) - live if listed[n][0] != "deny"} == set()
    assert {n for n in set(listed) - live if listed[n][0] == "deny"} <= set(OTHER_VERSIONS)


def test_every_reason_is_explained():
    reasons = {reason for verdict, reason in entries().values() if verdict == "deny"}
    assert all(reasons) and len(reasons) >= 14
    assert not {name for name, (verdict, reason) in entries().items() if verdict != "deny" and reason}
    head = "".join(line for line in LIST.read_text(encoding="utf-8").splitlines(True) if line.startswith("#"))
    docs = (harness.ROOT / "docs" / "sql-support.md").read_text(encoding="utf-8")
    for reason in reasons:
        assert re.search(r"^#   %s +\S" % re.escape(reason), head, re.M), "%s is not explained in functions.list" % reason
        assert re.search(r"^\| `%s` \| .{20,} \|$" % re.escape(reason), docs, re.M), "%s is not explained in docs" % reason
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", docs, re.M))
    assert reasons <= explained


def test_every_guard_is_deployed_and_nothing_else_is_called_one(twins, catalog_schema):
    source = (harness.ROOT / "policy" / "guard_catalog.c").read_text(encoding="utf-8")
    (block,) = re.findall(r"guard_functions\[\] = \{(.*?)\};", source, re.S)
    compiled = set(re.findall(r'"(\w+)"', block))
    with twins.superuser("nurse_a") as c:
        deployed = {r[0] for r in c.execute("SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace",
                                            ('"%s"' % catalog_schema,))}
    assert compiled - GRAMMAR == of_verdict("guard")
    assert compiled <= deployed
    helpers = {"%s_%s" % (t, way) for t in ("regclass", "regtype", "regproc", "regprocedure", "regnamespace", "regrole", "regoperator")
               for way in ("in", "out")} | {"is_class", "is_type"}
    assert deployed - compiled <= helpers


def test_guards_have_the_forms_of_the_functions_they_stand_for(twins, catalog_schema):
    """Each overload, reg* as text; but for the one of age that counts transactions, and where a wider type takes the same values."""
    wider = {("pg_database_size", ("name",)), ("pg_tablespace_size", ("name",)), ("pg_typeof", ('"any"',))}
    overloads = """SELECT p.proname, ARRAY(SELECT CASE WHEN t::regtype::text LIKE 'reg%%' THEN 'text' ELSE t::regtype::text END FROM unnest(p.proargtypes) t)
                   FROM pg_proc p WHERE p.pronamespace = %s::regnamespace AND p.proname = ANY(%s)"""
    with twins.superuser("nurse_a") as c:
        theirs = {(r[0], tuple(r[1])) for r in c.execute(overloads, ("pg_catalog", sorted(of_verdict("guard"))))}
        mine = {(r[0], tuple(r[1])) for r in c.execute(overloads, ('"%s"' % catalog_schema, sorted(of_verdict("guard"))))}
    assert theirs - mine == {("age", ("xid",))} | wider


def ask(session, sql):
    messages = session.ask(sql, False)
    return wire.error_of(messages), wire.rows_of(messages)


@pytest.mark.parametrize("name", ["zz_of_a_superuser", "zz_of_a_newer_server"])
def test_function_that_is_not_in_the_list_is_refused(name, twins, sessions):
    with twins.superuser("nurse_a") as c:
        assert c.execute("SELECT %s('x'), ('x'::text).%s" % (name, name)).fetchone() == ("ran", "ran")
    for session in sessions:
        for sql in ("SELECT {}('x')", "SELECT pg_catalog.{}('x')", "SELECT * FROM {}('x')", "SELECT 1 WHERE {}('x') = 'ran'",
                    "SELECT (city).{} FROM patients", "SELECT (w.name).{} FROM wards w", "SELECT w.name.{} FROM wards w", "SELECT ('x'::text).{}",
                    "SELECT x.{} FROM CAST('x' AS text) x", "SELECT \"text\".{} FROM CAST('x' AS text)"):
            error, rows = ask(session, sql.format(name))
            assert error and error["C"] in ("42501", "42703", "42P01") and not rows, sql
        # The twin: a function that is in the list is not refused in these forms.
        for sql in ("SELECT lower('X')", "SELECT pg_catalog.lower('X')", "SELECT * FROM lower('X')", "SELECT ('x'::text).lower"):
            assert ask(session, sql) == (None, [(b"x",)]), sql


def test_type_of_hidden_columns_alone_is_not_available(twins, sessions):
    """Its labels, its CHECK: by name, as an array, and as the type of a parameter."""
    with twins.superuser("nurse_a") as c:
        hidden = [c.execute("SELECT %s::regtype::oid", (t,)).fetchone()[0] for t in ("app.zz_kind", "app.zz_kind[]", "app.zz_code", "app.nir")]
        shown = [c.execute("SELECT %s::regtype::oid", (t,)).fetchone()[0] for t in ("app.sex", "app.sex[]", "app.postcode")]
    for sql in ("SELECT enum_range(NULL::app.zz_kind)", "SELECT 'zzcanary'::app.zz_kind", "SELECT NULL::app.zz_kind[]", "SELECT NULL::app._zz_kind",
                "SELECT 'ZZCANARY'::app.zz_code", "SELECT CAST('x' AS app.nir)", "SELECT app.zz_kind 'other'", "SELECT x FROM jsonb_to_record('{}') AS (x app.zz_kind)"):
        error, rows = ask(sessions[0], sql)
        assert error and error["C"] == "42501" and not rows, (sql, error, rows)
    for sql in ("SELECT enum_range(NULL::app.sex)", "SELECT NULL::app.sex[]", "SELECT NULL::app._sex", "SELECT '69001'::app.postcode"):
        assert ask(sessions[0], sql)[0] is None, sql
    for oid in hidden + shown:
        sessions[0].ask("SELECT 1", False)
        raw = sessions[0].raw
        raw.send(wire.parse("SELECT $1 IS NULL", types=[oid]) + wire.bind([None]) + wire.execute() + wire.SYNC)
        error = wire.error_of(raw.until("Z"))
        assert (error is None) == (oid in shown), (oid, error)


def test_cast_of_a_cast_to_a_name_is_the_name(sessions):
    for sql in ("SELECT CAST(CAST(c.oid AS regclass) AS regclass) FROM pg_class c WHERE c.relname = 'patients'", "SELECT 'patients'::regclass::oid::regclass::regclass"):
        assert ask(sessions[0], sql) == (None, [(b"patients",)]), sql
    assert ask(sessions[0], "SELECT (CAST(0 AS regclass))::regclass")[1] == [(b"-",)]


def test_every_denied_function_is_refused_with_its_reason(sessions):
    """Each by its name, with a number of arguments that does not matter: it is refused before it is looked up."""
    listed = entries()
    wrong = []
    for name, (verdict, reason) in sorted(listed.items()):
        if verdict != "deny":
            continue
        error, rows = ask(sessions[0], 'SELECT pg_catalog."%s"(NULL)' % name)
        if rows or not error or error["C"] != "42501" or name not in error["M"] or reason not in error.get("H", ""):
            wrong.append((name, error, rows))
    assert wrong == []


def test_who_am_i_is_the_person(twins, sessions):
    for session in sessions:
        for form in ("current_user", "session_user", "user", "current_role", "CURRENT_USER", "pg_catalog.current_user()", "(SELECT user)",
                     "(SELECT max(current_user::text))", "current_setting('role')", "current_setting('session_authorization')"):
            error, rows = ask(session, "SELECT %s" % form)
            if form == "pg_catalog.current_user()":
                assert error is None or error["C"] in ("42501", "42601"), error
                if error:
                    continue
            assert error is None and rows == [(b"nurse1",)], (form, error, rows)
        error, rows = ask(session, "SELECT * FROM current_user, session_user, current_role")
        assert error is None and rows == [(b"nurse1",) * 3]
        # The same name and type of column as PostgreSQL's own.
        for form in ("current_user", "session_user", "user", "current_role"):
            (columns,) = [wire.columns(body) for kind, body in session.ask("SELECT %s" % form, False) if kind == "T"]
            with twins.superuser("nurse_a") as c:
                cursor = c.execute("SELECT %s" % form)
                assert (columns[0][0], columns[0][3]) == (cursor.description[0].name, cursor.description[0].type_code)
    with twins.connect("admin1", database="nurse_a") as c:
        assert c.execute("SELECT current_user").fetchone() != ("nurse1",)


# ---- the calls --------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def oids(twins):
    """OIDs of what the nurse may not see: of a table and its row type in both, and of what only B has."""
    with twins.superuser("nurse_b") as c:
        hidden = c.execute("SELECT oid, reltype FROM pg_class WHERE oid = 'public.staff_salaries'::regclass").fetchone()
        only = c.execute("SELECT oid, reltype FROM pg_class WHERE oid = 'public.zzcanary_b'::regclass").fetchone()
    return {"hidden_oid": hidden[0], "hidden_type": hidden[1], "b_only": only[0], "b_type": only[1]}


@pytest.fixture(scope="module")
def allowed_calls(twins, oids):
    with twins.superuser("nurse_b") as c:
        return function_calls.calls(c, of_verdict("allow") - function_calls.UNSTEADY, oids=oids)


@pytest.fixture(scope="module")
def guard_calls(twins, oids, catalog_schema):
    """The guards' own forms, called as pg_catalog's: with every OID that is of interest and the names of what is hidden."""
    with twins.superuser("nurse_b") as c:
        return function_calls.calls(c, of_verdict("guard"), schema='"%s"' % catalog_schema, oids=oids)


def check_alike(twins, sessions, statements):
    names = b"|".join(re.escape(n.encode()) for t in TWINS for n in (twins.databases["nurse_" + t], "nurse_" + t))
    answered, wrong = set(), []
    for name, sql in statements:
        try:
            first, second = (s.ask(sql, False) for s in sessions)
        except TimeoutError:
            pytest.fail("no answer to " + sql)
        if wire.error_of(first) is None:
            answered.add(name)
        if normal(first, names) != normal(second, names):
            wrong.append((sql, "differs", normal(first, names), normal(second, names)))
        for session in sessions:
            for canary in twins_schema.CANARIES:
                if (canary in session.last or canary in session.last.lower()) and canary not in sql.lower().encode():
                    wrong.append((sql, "shows", canary))
        error = wire.error_of(first)
        if error and error["C"] in ("08006", "57P01"):
            wrong.append((sql, "breaks", error))
        assert twins.proxy.alive()
    assert wrong == [], "%d of %d" % (len(wrong), len(statements))
    return answered


def test_allowed_functions_tell_twins_nothing(twins, sessions, allowed_calls):
    answered = check_alike(twins, sessions, allowed_calls)
    names = {name for name, _ in allowed_calls}
    assert len(names) >= 400 and len(allowed_calls) > 3000
    # Not a comparison of errors: nearly every function gave an answer to some call.
    silent = names - answered
    assert len(silent) <= 12, sorted(silent)


def test_guard_functions_tell_twins_nothing(twins, sessions, guard_calls):
    answered = check_alike(twins, sessions, guard_calls)
    assert len(answered) >= 40 and len(guard_calls) > 250


STATE = """
SELECT 'setting ' || name || '=' || coalesce(setting, '') FROM pg_settings WHERE name <> 'transaction_isolation'
UNION ALL SELECT 'lock ' || locktype || ' ' || mode || ' ' || coalesce(relation::regclass::text, '') || coalesce(objid::text, '') FROM pg_locks
  WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid' AND NOT (locktype = 'relation' AND mode = 'AccessShareLock')
UNION ALL SELECT 'prepared ' || name FROM pg_prepared_statements
UNION ALL SELECT 'cursor ' || name FROM pg_cursors
UNION ALL SELECT 'listens ' || c FROM pg_listening_channels() c
UNION ALL SELECT 'temporary ' || pg_my_temp_schema()
UNION ALL SELECT 'role ' || current_user || ' ' || session_user
"""


@pytest.fixture(scope="module")
def server(twins, catalog_schema):
    """A connection like pgvigil's own, as the nurse's pair, on which nothing is judged."""
    pair = catalog_schema.replace("pgvigil:catalog@", "pgvigil:nurse/care@")
    with twins.direct("nurse_a", user="pgvigil", password=harness.LOGIN_PASSWORD, prepare_threshold=None) as c:
        c.execute('SET ROLE "%s"' % pair)
        c.execute("SET search_path = ''")
        for setting, text in (("u_name", "nurse1"), ("u_rpps", "10000000611"), ("u_wards", "{1,2}"), ("search_path", "{public}")):
            c.execute("SELECT set_config('pgvigil.' || %s, %s, false)", (setting, text))
        yield c


def state(server):
    return sorted(r[0] for r in server.execute(STATE))


def role_of(lines):
    (line,) = [line for line in lines if line.startswith("role ")]
    return line.split()[1]


@pytest.mark.parametrize("call", ["set_config('work_mem', '5MB', false)", "pg_advisory_lock_shared(7)", "set_config('role', 'none', false)"])
def test_what_a_function_leaves_behind_would_be_seen(call, server):
    before = state(server)
    server.execute("SELECT pg_catalog." + call)
    assert state(server) != before
    server.execute("RESET work_mem")
    server.execute("SELECT pg_advisory_unlock_all()")
    server.execute('SET ROLE "%s"' % role_of(before))
    assert state(server) == before


def test_allowed_functions_leave_nothing_on_the_connection(server, allowed_calls):
    before, ran, last = state(server), 0, None
    pair = role_of(before)
    for name, sql in allowed_calls + [("", "SELECT 1")]:
        if name != last:
            assert state(server) == before, last
            last = name
        try:
            # The guard in the table's place, as pgvigil would put it there.
            server.execute(sql.replace("FROM patients", 'FROM "%s"."public.patients"' % pair))
            ran += 1
        except psycopg.Error:
            pass
    assert ran > 1500

