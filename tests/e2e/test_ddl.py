"""
DDL of an unrestricted role through pgvigil, beside the same DDL in a database without guards: the answers are equal message by
message, and after each a nurse sees what the policy says of the tables as they are then.
"""
import contextlib

import psycopg
import pytest

import ddl_schema
import harness
import side_by_side
import wire


@pytest.fixture(scope="module")
def guarded(make_stack):
    return make_stack(extra_sql=ddl_schema.TABLES, changes={"records": ddl_schema.RIGHTS}, extra_policy=[("60-ddl.cfg", ddl_schema.POLICY)])


@pytest.fixture(scope="module")
def plain(guarded):
    """The same database, without guards."""
    template = guarded.cluster.template(harness.PATIENTS, ddl_schema.TABLES)
    name = guarded.cluster.create("plain_ddl", template, ddl_schema.RIGHTS)
    yield name
    guarded.cluster.drop(name)


def open_dba(guarded, plain):
    raw = wire.Raw(guarded.cluster.port, guarded.tls_context())
    got = raw.login("pgvigil_dba", plain, harness.DBA_PASSWORD)
    assert got[-1][0] == "Z", got
    return raw


def ask(raw, step):
    """Every message of the answer, notices too."""
    raw.send(wire.query(step) if isinstance(step, str) else step)
    shown = []
    for kind, body in raw.until("Z"):
        if kind == "N":
            fields = wire.fields(body)
            shown.append((kind, fields["S"], fields["C"], fields["M"]))
        elif kind not in "SA":
            shown.append((kind, side_by_side.shown(kind, body)))
    return shown


class Both:
    """The administrator on each side, and what a nurse sees between."""

    def __init__(self, guarded, plain):
        self.stack = guarded
        self.mine = wire.open_session(guarded, "admin1")
        self.theirs = open_dba(guarded, plain)
        self.nurse = guarded.connect("nurse1", mission="care")
        self.super = guarded.superuser()

    def run(self, *steps):
        for step in steps:
            want, got = ask(self.theirs, step), ask(self.mine, step)
            assert got == want, step
        return got

    def compare(self):
        """What a nurse sees of every table, in a session that was there before."""
        for table in ddl_schema.SEEN:
            assert ddl_schema.seen(self.nurse, table) == ddl_schema.expected(self.super, table), table

    def close(self):
        for connection in (self.mine, self.theirs, self.nurse, self.super):
            connection.close()


@pytest.fixture
def both(guarded, plain):
    with contextlib.closing(Both(guarded, plain)) as made:
        yield made


def guards(stack):
    """{schema.view: oid}"""
    with stack.superuser() as c:
        return dict(c.execute("SELECT n.nspname || '.' || c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                              " WHERE n.nspname LIKE 'pgvigil:%/%' AND c.relkind = 'v'").fetchall())


def of(oids, table):
    return {name: oid for name, oid in oids.items() if name.split(".", 1)[1].split("!")[0] == table}


def ext(sql):
    return side_by_side.extended(sql) + wire.message("S")


# Each changes what the ones before have left, in both databases.
STEPS = [
    ["ALTER TABLE ddl.a ALTER COLUMN name TYPE varchar(80)"],
    ["ALTER TABLE ddl.a ALTER COLUMN n TYPE numeric(10,4), ALTER COLUMN id TYPE bigint"],
    ["ALTER TABLE ddl.a ALTER COLUMN name TYPE int USING 0 / 0"],
    ["ALTER TABLE ddl.a ALTER COLUMN tag TYPE text", "DROP DOMAIN ddl.short"],
    ["ALTER TABLE ddl.a ADD COLUMN later text DEFAULT 'x'"],
    ["ALTER TABLE ddl.a RENAME COLUMN name TO called", "ALTER TABLE ddl.a RENAME secret TO name"],
    ["ALTER TABLE ddl.a RENAME name TO secret; ALTER TABLE ddl.a RENAME called TO name"],
    ["ALTER TABLE ddl.a DROP COLUMN n, ADD COLUMN n int DEFAULT 7"],
    ["ALTER TABLE ddl.a DROP COLUMN nothing"],
    ["ALTER TABLE ddl.nothing DROP COLUMN nothing", "DROP TABLE nowhere.nothing", "DROP TABLE IF EXISTS ddl.nothing"],
    ["ALTER TYPE ddl.mood RENAME VALUE 'bad' TO 'poor'", "ALTER TYPE ddl.mood ADD VALUE 'fair'"],
    ["ALTER TYPE ddl.place RENAME ATTRIBUTE x TO abscissa CASCADE"],
    ["ALTER TYPE ddl.mood RENAME TO temper", "ALTER TYPE ddl.temper SET SCHEMA app", "ALTER TYPE app.temper SET SCHEMA ddl"],
    ["DROP TYPE ddl.temper", "DROP TYPE ddl.temper CASCADE"],
    ["BEGIN", "ALTER TABLE ddl.b ADD COLUMN x int", "SAVEPOINT s", "ALTER TABLE ddl.b DROP COLUMN note", "ROLLBACK TO s",
     "ALTER TABLE ddl.b RENAME note TO remark", "ALTER TABLE ddl.b RENAME remark TO note", "RELEASE s", "COMMIT"],
    ["BEGIN; ALTER TABLE ddl.b ALTER a TYPE bigint; INSERT INTO ddl.b VALUES (90, 90, 'n', 'h'); COMMIT"],
    ["ALTER TABLE ddl.b ALTER a TYPE int; UPDATE ddl.b SET note = 'changed' WHERE id = 1; SELECT count(*), max(note) FROM ddl.b; SELECT 1 / 0",
     "SELECT note FROM ddl.b WHERE id = 1"],
    ["SET TimeZone = 'Asia/Tokyo'; ALTER TABLE ddl.b ALTER a TYPE bigint; SHOW TimeZone", "SHOW TimeZone", "SHOW search_path", "SHOW DateStyle"],
    ["SET search_path = ddl, public", "ALTER TABLE b ALTER a TYPE int", "SHOW search_path", "SELECT current_user, session_user", "RESET search_path"],
    ["SET ROLE clinic", "ALTER TABLE ddl.b ALTER a TYPE bigint", "SELECT current_user", "RESET ROLE"],
    ["BEGIN", "SET LOCAL ROLE clinic", "SET LOCAL search_path = ddl", "ALTER TABLE b ALTER a TYPE int", "SELECT current_user, current_schema",
     "COMMIT", "SELECT current_user, current_schema"],
    ["BEGIN", "ALTER TABLE ddl.b DROP COLUMN wrong", "ALTER TABLE ddl.b DROP COLUMN note", "SELECT 1", "COMMIT"],
    ["BEGIN", "ALTER TABLE ddl.b DROP COLUMN note", "ROLLBACK"],
    ["CREATE OR REPLACE VIEW ddl.joined AS SELECT b.id, b.note, b.a FROM ddl.b b WHERE b.id < 5", "ALTER VIEW ddl.joined RENAME COLUMN a TO aa",
     "ALTER TABLE ddl.b DROP COLUMN note", "DROP VIEW ddl.joined", "ALTER TABLE ddl.b RENAME a TO a2", "ALTER TABLE ddl.b RENAME a2 TO a"],
    ["CREATE TABLE ddl.new_one (id int, open_x text, closed_y text)", "INSERT INTO ddl.new_one VALUES (1, 'o', 'c')",
     "ALTER TABLE ddl.new_one RENAME closed_y TO open_y"],
    ["ALTER TABLE ddl.new_one RENAME TO new_two"],
    ["ALTER TABLE ddl.new_two RENAME TO other", "ALTER TABLE ddl.other RENAME TO new_one"],
    ["ALTER TABLE ddl.new_one SET SCHEMA app", "ALTER TABLE app.new_one SET SCHEMA ddl"],
    ["DROP TABLE ddl.new_one"],
    ["CREATE TABLE ddl.new_one AS SELECT 1 AS open_a, 2 AS b", "CREATE TEMPORARY TABLE new_t (a int)", "DROP TABLE new_t"],
    ["ALTER TABLE ddl.part ALTER v TYPE varchar(30)", "ALTER TABLE ddl.part ADD COLUMN w int"],
    ["ALTER TABLE ddl.part DETACH PARTITION ddl.part2"],
    ["ALTER TABLE ddl.part ATTACH PARTITION ddl.part2 FOR VALUES FROM (10) TO (20)"],
    ["ALTER TABLE ddl.part DETACH PARTITION ddl.part2 CONCURRENTLY"],
    ["BEGIN", "ALTER TABLE ddl.part DETACH PARTITION ddl.part1 CONCURRENTLY", "ROLLBACK"],
    ["ALTER TABLE ddl.loose DROP COLUMN extra", "ALTER TABLE ddl.loose INHERIT ddl.parent"],
    ["ALTER TABLE ddl.parent ALTER v TYPE varchar(12)"],
    ["ALTER TABLE ddl.loose NO INHERIT ddl.parent"],
    ["CREATE INDEX CONCURRENTLY by_note ON ddl.b (note)", "REINDEX INDEX CONCURRENTLY ddl.by_note", "VACUUM ddl.b", "DROP INDEX CONCURRENTLY ddl.by_note"],
    ["VACUUM ddl.b; ALTER TABLE ddl.b ADD y int", "ALTER TABLE ddl.b ADD y int; VACUUM ddl.b"],
    ["DO $$ BEGIN ALTER TABLE ddl.b ADD COLUMN z int; END $$"],
    [ext("ALTER TABLE ddl.b DROP COLUMN z"), ext("ALTER TABLE ddl.b DROP COLUMN z")],
    [ext("BEGIN"), ext("ALTER TABLE ddl.b ADD COLUMN z int"), ext("ALTER TABLE ddl.b DROP COLUMN note"), ext("ROLLBACK")],
    [side_by_side.extended("BEGIN") + ext("ALTER TABLE ddl.b DROP COLUMN hidden"), ext("COMMIT")],
    [wire.parse("ALTER TABLE ddl.b ALTER a TYPE bigint", "ddl") + wire.message("S"),
     wire.bind((), "p", "ddl") + wire.execute("p") + wire.message("S"), wire.bind((), "p", "ddl") + wire.execute("p") + wire.message("S")],
    # As migration tools do: one transaction, rows among the definitions, a table of versions.
    ["BEGIN", "CREATE TABLE IF NOT EXISTS ddl.versions (v text)", "CREATE TABLE ddl.new_two (id int, open_n text)",
     "ALTER TABLE ddl.new_two ADD CONSTRAINT k PRIMARY KEY (id)", "INSERT INTO ddl.new_two VALUES (1, 'n')",
     "ALTER TABLE ddl.b ADD COLUMN fk int", "UPDATE ddl.b SET fk = 1 WHERE id = 1", "ALTER TABLE ddl.b ALTER fk TYPE bigint",
     "ALTER TABLE ddl.b ADD FOREIGN KEY (fk) REFERENCES ddl.new_two", "INSERT INTO ddl.versions VALUES ('1')", "COMMIT"],
    ["BEGIN; UPDATE ddl.b SET fk = NULL; ALTER TABLE ddl.b DROP COLUMN fk; DELETE FROM ddl.versions; COMMIT",
     "ALTER TABLE ddl.b DROP COLUMN fk; DROP TABLE ddl.new_two; UPDATE ddl.versions SET v = '2'"],
    ["DROP TABLE ddl.parent, ddl.loose"],
    ["DROP SCHEMA ddl"],
    ["BEGIN; DROP SCHEMA ddl CASCADE; SELECT 1", "ROLLBACK"],
    ["BEGIN", "DROP OWNED BY clinic CASCADE", "ROLLBACK"],
    ["DROP FUNCTION ddl.nothing()", "ALTER FUNCTION ddl.sneaky() RENAME TO sneaked", "ALTER FUNCTION ddl.sneaked() RENAME TO sneaky"],
]


@pytest.mark.parametrize("steps", STEPS, ids=range(len(STEPS)))
def test_answers_are_postgresqls_and_guards_follow(both, guarded, steps):
    untouched = of(guards(guarded), "ddl.c")
    assert untouched
    both.run(*steps)
    both.compare()
    after = guards(guarded)
    assert of(after, "ddl.c") == untouched or "DROP" in str(steps)  # a schema dropped and rolled back has them as well
    assert of(after, "ddl.c")


def test_an_insert_works_behind_a_changed_serial(guarded):
    with guarded.connect("nurse1", mission="care") as nurse:
        (number,) = nurse.execute("INSERT INTO ddl.a (ward, name) VALUES (1, 'new') RETURNING id").fetchone()
    with guarded.superuser() as c:
        assert c.execute("SELECT name FROM ddl.a WHERE id = %s", (number,)).fetchone() == ("new",)


def test_the_audit_tells(guarded):
    with guarded.connect("admin1") as c:
        c.execute("ALTER TABLE ddl.c ADD COLUMN audited int")
    records = guarded.audit_records()
    events = [r for r in records if r.get("event") == "guards-redeployed" and r.get("person") == "admin1"]
    assert any(r["detail"].startswith("ALTER TABLE: ") and r["detail"].endswith(", committed") for r in events)
    assert [r for r in records if "audited" in r.get("sql", "") and r.get("decision") == "allow"]


def test_a_dba_who_rolls_back_leaves_every_guard_as_it_was(guarded):
    before = guards(guarded)
    with guarded.connect("admin1", autocommit=False) as c:
        c.execute("ALTER TABLE ddl.a DROP COLUMN name")
        c.execute("ALTER TABLE ddl.b RENAME note TO other")
        c.execute("DROP TABLE ddl.c")
        c.rollback()
    assert guards(guarded) == before


def test_prepared_statements_go_by_what_is(guarded):
    with guarded.connect("nurse1", mission="care") as nurse, guarded.connect("admin1") as dba, guarded.superuser() as truth:
        read = "SELECT id, name FROM ddl.a WHERE id < %s ORDER BY id"
        for _ in range(7):
            first = nurse.execute(read, (9,), prepare=True).fetchall()
        dba.execute("ALTER TABLE ddl.a RENAME name TO kept; ALTER TABLE ddl.a RENAME secret TO hidden_for_good")
        with pytest.raises(psycopg.Error) as error:
            nurse.execute(read, (9,), prepare=True)
        assert error.value.sqlstate == "42703"
        for hidden in ("kept", "hidden_for_good", "secret"):
            with pytest.raises(psycopg.errors.UndefinedColumn):
                nurse.execute("SELECT %s FROM ddl.a" % hidden)
        dba.execute("ALTER TABLE ddl.a RENAME kept TO name; ALTER TABLE ddl.a RENAME hidden_for_good TO secret")
        assert nurse.execute(read, (9,), prepare=True).fetchall() == first == truth.execute(
            "SELECT id, name FROM ddl.a WHERE ward IN (1, 2) AND id < 9 ORDER BY id").fetchall()


def test_who_prepares_after_a_change_meets_no_plan_of_before(make_stack):
    """
    One server connection, on which somebody had the statement prepared when a column got another type. She hears PostgreSQL's
    error, as on a connection of her own; whoever prepares the same text afterwards does not, be it by the protocol or in SQL.
    """
    stack = make_stack(pool=1, workers=1)
    ask_for, change = "SELECT id, postcode FROM patients ORDER BY id LIMIT %s", "ALTER TABLE patients ALTER COLUMN postcode TYPE varchar(%d)"
    with stack.superuser() as before, stack.connect("dr.martin", mission="care", autocommit=True) as early:
        rows = [c.execute(ask_for, (3,), prepare=True).fetchall() for c in (before, early)]
        assert all(rows)
        early.execute("PREPARE mine AS SELECT id, postcode FROM patients WHERE id > 0")
        early.execute("EXECUTE mine")
        with stack.connect("admin1", autocommit=True) as dba:
            dba.execute(change % 40)
        told = []
        for c in (before, early):
            with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
                c.execute(ask_for, (3,), prepare=True)
            told.append(caught.value.diag.message_primary)
            c.rollback()
        assert told[0] == told[1]
        for width in (41, 42):
            for prepare in (True, False, True):
                with stack.connect("dr.martin", mission="care", autocommit=True) as late:
                    got = late.execute(ask_for, (3,), prepare=prepare)
                    assert got.fetchall() == rows[1] and got.description[1].display_size == width - 1
                    late.execute("PREPARE mine AS SELECT id, postcode FROM patients WHERE id > 0")
                    assert late.execute("EXECUTE mine").description[1].display_size == width - 1
            with stack.connect("admin1", autocommit=True) as dba:
                dba.execute(change % width)
