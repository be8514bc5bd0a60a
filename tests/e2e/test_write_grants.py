"""
The second wall and writes: what the grants on guards let a pair do when pgvigil's own judgement is out of the way. On the
bare login, as the pair's role: exactly the columns that the policy names can be written, each tried for real.
"""
import psycopg
import pytest
import write_schema

import harness

PAIRS = {"nurse": "nurse/care", "receptionist": "receptionist/admission"}
# From write_schema.POLICY, by hand: (insert, update, delete).
NONE = (set(), set(), False)
ALL_ITEMS = {"id", "region", "label"}
EXPECTED = {
    "nurse": {
        "w.persons": ({"id", "ward", "name", "phone", "code", "state", "tags", "info", "amount"},
                      {"ward", "name", "phone", "code", "state", "tags", "info", "amount"}, True),
        "w.visits": ({"person", "note", "at", "Mixed Case", "id"}, {"note", "at"}, True),
        "w.items": (ALL_ITEMS, ALL_ITEMS, True), "w.items_1": (ALL_ITEMS, ALL_ITEMS, True), "w.items_2": (ALL_ITEMS, ALL_ITEMS, True),
        "w.items_rest": (ALL_ITEMS, ALL_ITEMS, True), "w.items!only": (set(), ALL_ITEMS, True),
        "w.devices": (set(), {"label"}, True), "w.devices!only": (set(), {"label"}, True), "w.pumps": (set(), {"label"}, True),
        "w.Odd Name": ({"Id", "select", "été"}, {"Id", "select", "été"}, True),
    },
    "receptionist": {
        "w.persons": ({"name", "nir", "phone", "ward"}, {"phone", "nir"}, False), "w.visits": ({"person", "at"}, set(), True),
        "w.items": ({"id"}, {"id"}, False), "w.items_1": ({"id"}, {"id"}, False), "w.items_2": ({"id"}, {"id"}, False),
        "w.items_rest": ({"id"}, {"id"}, False), "w.items!only": (set(), {"id"}, False),
        "w.devices": ({"id"}, {"id"}, False), "w.devices!only": (set(), {"id"}, False), "w.pumps": ({"id"}, {"id"}, False),
    },
}


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=write_schema.EXTRA_SQL, extra_policy=[("90-write.cfg", write_schema.POLICY)])


@pytest.fixture(scope="module")
def wall(stack):
    with stack.direct(user="pgvigil", password=harness.LOGIN_PASSWORD) as c:
        yield c


def schema_of(stack, pair):
    with stack.superuser() as c:
        return c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", ("pgvigil:" + PAIRS[pair] + "@%",)).fetchone()[0]


@pytest.mark.parametrize("pair", PAIRS)
def test_grants_are_what_the_policy_names(pair, stack):
    schema = schema_of(stack, pair)
    with stack.superuser() as c:
        views = [r[0] for r in c.execute("SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'v' AND relname LIKE 'w.%%'",
                                         ('"%s"' % schema,)).fetchall()]
        assert set(views) == set(EXPECTED[pair])
        for view in views:
            insert, update, delete = EXPECTED[pair][view]
            name = '"%s"."%s"' % (schema, view)
            rows = c.execute("SELECT attname, has_column_privilege(%s, %s::regclass, attnum, 'INSERT'), has_column_privilege(%s, %s::regclass, attnum, 'UPDATE'), "
                             "has_column_privilege(%s, %s::regclass, attnum, 'REFERENCES') FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
                             (schema, name) * 3 + (name,)).fetchall()
            assert {r[0] for r in rows if r[1]} == insert, (view, "INSERT")
            assert {r[0] for r in rows if r[2]} == update, (view, "UPDATE")
            assert not any(r[3] for r in rows)
            for right in ("DELETE", "TRUNCATE", "TRIGGER"):
                assert c.execute("SELECT has_table_privilege(%s, %s::regclass, %s)", (schema, name, right)).fetchone()[0] is (right == "DELETE" and delete), (view, right)


@pytest.mark.parametrize("pair", PAIRS)
def test_every_other_column_is_permission_denied(pair, stack, wall):
    """Tried, not asked for: each column of each guard, written as the pair's role."""
    schema = schema_of(stack, pair)
    wall.execute('SET ROLE "%s"' % schema)
    tried = {"denied": 0, "let in": 0}
    for view, (insert, update, delete) in EXPECTED[pair].items():
        name = '"%s"."%s"' % (schema, view)
        columns = [c.name for c in wall.execute("SELECT * FROM %s LIMIT 0" % name).description]
        tries = [("INSERT INTO %s (\"%s\") SELECT \"%s\" FROM %s WHERE false" % (name, c, c, name), c in insert) for c in columns]
        tries += [("UPDATE %s SET \"%s\" = \"%s\" WHERE false" % (name, c, c), c in update) for c in columns]
        tries += [("DELETE FROM %s WHERE false" % name, delete), ("TRUNCATE %s" % name, False)]
        for sql, may in tries:
            try:
                wall.execute(sql)
                state = None
            except psycopg.Error as error:
                state = error.sqlstate
            # Before it asks for rights PostgreSQL says what nobody can do: write a column that the view computes (0A000),
            # or an identity without OVERRIDING (428C9), or truncate a view (42809).
            if state == "428C9" and may:
                continue
            assert (state is None) is may, (sql, state)
            assert may or state in ("42501", "0A000", "428C9", "42809"), (sql, state)
            tried["let in" if may else "denied"] += 1
    wall.execute("RESET ROLE")
    assert tried["denied"] > 30 and tried["let in"] > 15, tried


@pytest.mark.parametrize("pair", PAIRS)
def test_tables_and_sequences_themselves_are_closed(pair, stack, wall):
    wall.execute('SET ROLE "%s"' % schema_of(stack, pair))
    for table in write_schema.TABLES:
        for sql in ("INSERT INTO w.%s DEFAULT VALUES", "DELETE FROM w.%s", "TRUNCATE w.%s"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                wall.execute(sql % table)
    for sql in ("UPDATE w.persons SET phone = phone", "UPDATE w.visits SET note = note", "SELECT setval('w.persons_id_seq', 1)", "SELECT * FROM w.persons_id_seq", "ALTER SEQUENCE w.persons_id_seq RESTART"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            wall.execute(sql)
    wall.execute("RESET ROLE")


def test_check_option_stands_without_the_judge(stack, wall):
    schema = schema_of(stack, "nurse")
    wall.execute('SET ROLE "%s"' % schema)
    wall.execute("SELECT set_config('pgvigil.u_wards', '{1,2}', false)")
    for sql in ("INSERT INTO %s (name, ward) VALUES ('x', 3)", "UPDATE %s SET ward = 3"):
        with pytest.raises(psycopg.errors.WithCheckOptionViolation):
            wall.execute(sql % ('"%s"."w.persons"' % schema))
    assert wall.execute('UPDATE "%s"."w.persons" SET phone = phone WHERE ward > 2' % schema).rowcount == 0
    wall.execute("RESET ROLE")
