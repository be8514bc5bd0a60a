"""
TRUNCATE by restricted roles: as PostgreSQL does it on the tables, for a login that has the rights that the rules give: answers and rows
that are left, in both protocols and with several sessions; the right on the table that deploy gives and takes; and what is refused.
"""
import allow_schema
import pytest
import wire
from allow_schema import Sides
from side_by_side import extended
from test_cursors import reads, records

SYNC = wire.SYNC
TABLES = ["beds", "notes", "logs", "logs_1", "logs_2", "tools", "drills", '"Odd Name"', "wards", "rooms", "numbered"]


@pytest.fixture(scope="module")
def stack(make_stack):
    return allow_schema.make(make_stack)


@pytest.fixture(scope="module")
def oracle(stack):
    made = allow_schema.make_oracle(stack, "oracle_truncate", allow_schema.TABLES_SQL)
    yield made
    allow_schema.drop_oracle(stack, made)


FILL = """TRUNCATE u.beds, u.notes, u.logs, u.tools, u."Odd Name", u.wards, u.rooms, u.numbered;
INSERT INTO u.beds SELECT n, 1 + n % 4, 'bed ' || n FROM generate_series(1, 8) n;
INSERT INTO u.notes SELECT n, 'note ' || n FROM generate_series(1, 8) n;
INSERT INTO u.logs SELECT n, 1 + n % 2, 'log ' || n FROM generate_series(1, 8) n;
INSERT INTO u.tools SELECT n, 'tool ' || n FROM generate_series(1, 4) n;
INSERT INTO u.drills SELECT n, 'drill ' || n, n FROM generate_series(11, 14) n;
INSERT INTO u."Odd Name" VALUES (1);
INSERT INTO u.numbered (note) VALUES ('a'), ('b');"""


def left(cluster, database):
    with cluster.superuser(database) as c:
        return [c.execute("SELECT count(*) FROM u.%s" % table).fetchone()[0] for table in TABLES]


def fill(stack, oracle):
    for database in (oracle[1], stack.databases["records"]):
        stack.cluster.sql(database, FILL)


SCRIPTS = {
    "one": ["TRUNCATE u.logs", "SELECT count(*) FROM u.logs"],
    "words": ["TRUNCATE TABLE u.logs CONTINUE IDENTITY", "TRUNCATE TABLE u.tools RESTRICT", "TRUNCATE u.tools *"],
    "several": ['TRUNCATE u.logs, u.tools, u."Odd Name"'],
    "a partition": ["TRUNCATE u.logs_1", "TRUNCATE u.logs_1, u.logs_2"],
    "only": ["TRUNCATE ONLY u.tools", "TRUNCATE ONLY (u.tools)", "TRUNCATE ONLY u.logs"],
    "path": ["SET search_path = u", 'TRUNCATE "Odd Name", tools'],
    "undone": ["BEGIN", "TRUNCATE u.logs", "SELECT count(*) FROM u.logs", "ROLLBACK", "SELECT count(*) FROM u.logs"],
    "savepoint": ["BEGIN", "SAVEPOINT a", "TRUNCATE u.logs", "ROLLBACK TO a", "TRUNCATE u.tools", "COMMIT"],
    "unknown": ["TRUNCATE u.nosuch", "TRUNCATE u.logs, u.nosuch"],
    "referenced": ["TRUNCATE u.wards"],
    "twice": ["TRUNCATE u.logs, u.logs, u.logs_1"],
    "one text": ["TRUNCATE u.logs; SELECT count(*) FROM u.logs; SELECT 1/0", "SELECT count(*) FROM u.logs", "BEGIN; TRUNCATE u.logs; COMMIT; SELECT count(*) FROM u.logs"],
    "extended": [extended("TRUNCATE u.logs") + SYNC, extended("TRUNCATE u.tools") + extended("SELECT count(*) FROM u.tools") + SYNC,
                 wire.parse("TRUNCATE u.logs", "t") + wire.describe("S", "t") + SYNC, wire.bind((), "", "t") + wire.execute() + SYNC],
    "failed pipeline": [extended("TRUNCATE u.logs") + extended("SELECT 1/0") + SYNC, "SELECT count(*) FROM u.logs"],
    "read only": ["BEGIN READ ONLY", "TRUNCATE u.logs", "ROLLBACK"],
    "open cursor": ["BEGIN", "DECLARE c CURSOR FOR SELECT count(*) FROM u.logs", "TRUNCATE u.tools", "FETCH c", "COMMIT"],
    "sequence goes on": ["TRUNCATE u.numbered", "INSERT INTO u.numbered (note) VALUES ('c')", "SELECT count(*) FROM u.numbered WHERE id > 2"],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_postgresql_does(name, stack, oracle):
    fill(stack, oracle)
    with Sides(stack, oracle) as both:
        both.run(*SCRIPTS[name])
    assert left(stack.cluster, stack.databases["records"]) == left(stack.cluster, oracle[1])


# (person, statement, SQLSTATE). Nothing has changed afterwards.
DENIED = [
    ("nurse1", "TRUNCATE u.beds", "42501"),  # a row filter
    ("nurse1", "TRUNCATE u.notes", "42501"),  # a rule without the word
    ("nurse1", "TRUNCATE u.closed", "42501"),  # no rule
    ("nurse1", "TRUNCATE u.rooms", "42501"),
    ("nurse1", "TRUNCATE u.logs, u.beds", "42501"),
    ("nurse1", "TRUNCATE u.wards CASCADE", "0A000"),  # takes rooms with it
    ("nurse1", "TRUNCATE u.logs CASCADE", "0A000"),
    ("nurse1", "TRUNCATE u.numbered RESTART IDENTITY", "0A000"),
    ("nurse1", "TRUNCATE u.seen", "42501"),
    ("nurse1", "TRUNCATE pg_catalog.pg_class", "42501"),
    ("nurse1", "BEGIN; TRUNCATE u.logs; TRUNCATE u.closed; COMMIT", "42501"),
    ("reception1", "TRUNCATE u.logs", "42501"),  # DELETE it may
    ("reception1", "TRUNCATE u.logs_1", "42501"),
]


@pytest.mark.parametrize("user, sql, code", DENIED)
def test_truncate_outside_the_policy_is_refused(user, sql, code, stack, oracle):
    fill(stack, oracle)
    before = left(stack.cluster, stack.databases["records"])
    with wire.open_session(stack, user) as raw:
        for way in (raw.query, raw.extended):
            error = wire.error_of(way(sql))
            assert error and error["C"] in (code, "42601"), error
            assert "pgvigil:" not in str(error)
    assert left(stack.cluster, stack.databases["records"]) == before


def test_hidden_table_answers_as_select_does(stack):
    with wire.open_session(stack, "nurse1") as raw:
        for table in ("u.closed", "u.teams", "u.nosuch", "nosuch.x"):
            assert wire.error_of(raw.query("TRUNCATE " + table))["M"] == wire.error_of(raw.query("SELECT 1 FROM " + table))["M"]


def test_second_wall_is_a_grant_on_the_table(stack):
    """Who may truncate has that right on the table, and no other; whom the policy does not let has none."""
    with stack.superuser() as c:
        rows = c.execute(
            "SELECT c.relname, split_part(g.rolname, '@', 1), string_agg(a.privilege_type, ',') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "CROSS JOIN LATERAL aclexplode(c.relacl) a JOIN pg_roles g ON g.oid = a.grantee "
            "WHERE n.nspname IN ('u', 'public') AND c.relkind IN ('r', 'p') AND g.rolname LIKE 'pgvigil:%' GROUP BY 1, 2 ORDER BY 1").fetchall()
    want = ["Odd Name", "drills", "logs", "logs_1", "logs_2", "numbered", "tools", "wards"]
    assert sorted(rows) == sorted((table, "pgvigil:nurse/care", "TRUNCATE") for table in want)


def test_truncate_is_on_record_before_it_runs(stack):
    with wire.open_session(stack, "nurse1", application_name="truncate-record") as raw:
        assert wire.error_of(raw.query("TRUNCATE u.logs, u.tools")) is None
    kept = records(stack, "truncate-record")
    begin = [r for r in kept if r.get("statement") == "TRUNCATE TABLE"]
    assert [r["type"] for r in begin] == ["begin"] and set(reads(begin[0])) == {"logs", "tools"}
    assert [r["type"] for r in kept if r.get("id") == begin[0].get("id") or r["type"] == "end"].count("end") == 1


def test_remove_takes_the_right_away(make_stack):
    stack = make_stack(serve=False, deploy=False, extra_sql=allow_schema.EXTRA_SQL, extra_policy=[("90-allow.cfg", allow_schema.POLICY)])
    acls = "SELECT c.oid::regclass::text, c.relacl::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'u' AND c.relkind <> 'S' ORDER BY 1"
    with stack.superuser() as c:
        before = c.execute(acls).fetchall()
        stack.deploy()
        assert c.execute(acls).fetchall() != before
        stack.deploy()
        stack.deploy("--remove")
        assert c.execute(acls).fetchall() == before
        script = stack.command("deploy", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), "--dry-run").stdout
        stack.cluster.psql(stack.databases["records"], "-f", "-", text=script)
        assert "TRUNCATE" in str(c.execute(acls).fetchall()) or "D" in str(c.execute(acls).fetchall())
        stack.deploy("--remove")
        assert c.execute(acls).fetchall() == before
