"""
Two-phase commit by restricted roles: answered as PostgreSQL does, message by message; a prepared transaction is its person's, in that role
and mission, and nobody else can name it; settings, cursors and locks at PREPARE TRANSACTION.
"""
import allow_schema
import harness
import psycopg
import pytest
import wire
from allow_schema import Sides
from side_by_side import extended
from test_cursors import records

SYNC = wire.SYNC


@pytest.fixture(scope="module")
def cluster():
    with harness.Cluster(settings=["max_prepared_transactions = 30"]) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_stack):
    return allow_schema.make(make_stack)


@pytest.fixture(scope="module")
def oracle(stack):
    made = allow_schema.make_oracle(stack, "oracle_two_phase", allow_schema.TABLES_SQL)
    yield made
    allow_schema.drop_oracle(stack, made)


@pytest.fixture(autouse=True)
def nothing_prepared(stack):
    yield
    with stack.cluster.superuser() as c:
        left = c.execute("SELECT gid, database FROM pg_prepared_xacts").fetchall()
    for gid, database in left:
        with stack.cluster.superuser(database) as c:
            c.execute("ROLLBACK PREPARED '%s'" % gid.replace("'", "''"))


ADD = "INSERT INTO u.\"Odd Name\" VALUES (%d)"
COUNT = "SELECT count(*) FROM u.\"Odd Name\" WHERE id = %d"
LONG = "x" * 174
SCRIPTS = {
    "commit": ["BEGIN", ADD % 1, "PREPARE TRANSACTION 'a'", COUNT % 1, "COMMIT PREPARED 'a'", COUNT % 1, "COMMIT PREPARED 'a'"],
    "rollback": ["BEGIN", ADD % 2, "PREPARE TRANSACTION 'a'", "ROLLBACK PREPARED 'a'", COUNT % 2, "ROLLBACK PREPARED 'a'"],
    "names": ["BEGIN", "PREPARE TRANSACTION 'it''s \" x'", "COMMIT PREPARED E'it\\'s \" x'", "BEGIN", "PREPARE TRANSACTION $$a$$ -- c", "COMMIT PREPARED U&'!0061' UESCAPE '!' /* c */;",
              "BEGIN", "PREPARE TRANSACTION 'a'\n'b'", "COMMIT PREPARED 'ab'", "BEGIN", "PREPARE TRANSACTION ''", "ROLLBACK PREPARED ''", "BEGIN", "PREPARE TRANSACTION 'été'", "COMMIT PREPARED 'été'"],
    "long names": ["BEGIN", "PREPARE TRANSACTION '%s'" % LONG, "COMMIT PREPARED '%s'" % LONG, "BEGIN", "PREPARE TRANSACTION '%s'" % (LONG + "yy"), "COMMIT PREPARED '%sy'" % LONG,
                   "COMMIT PREPARED '%syy'" % LONG, "BEGIN", "PREPARE TRANSACTION '%s'" % ("z" * 199), "COMMIT PREPARED '%s'" % ("z" * 199), "BEGIN",
                   "PREPARE TRANSACTION '%s'" % ("z" * 200), "COMMIT", "COMMIT PREPARED '%s'" % ("z" * 200)],
    "taken": ["BEGIN", "PREPARE TRANSACTION 'a'", "BEGIN", ADD % 3, "PREPARE TRANSACTION 'a'", COUNT % 3, "COMMIT", "COMMIT PREPARED 'a'"],
    "not there": ["COMMIT PREPARED 'nosuch'", "ROLLBACK PREPARED 'nosuch'", "BEGIN", "COMMIT PREPARED 'nosuch'", "SELECT 1", "ROLLBACK"],
    "outside": ["PREPARE TRANSACTION 'a'", "COMMIT PREPARED 'a'", extended("PREPARE TRANSACTION 'a'") + SYNC],
    "failed": ["BEGIN", "SELECT 1/0", "PREPARE TRANSACTION 'a'", "SELECT 1", "COMMIT PREPARED 'a'"],
    "inside": ["BEGIN", "PREPARE TRANSACTION 'a'", "BEGIN", "COMMIT PREPARED 'a'", "ROLLBACK", "ROLLBACK PREPARED 'a'"],
    "one text": ["BEGIN; %s; PREPARE TRANSACTION 'a'; SELECT 1" % (ADD % 4), "SELECT 1; COMMIT PREPARED 'a'", "COMMIT PREPARED 'a'; SELECT 1", COUNT % 4, "COMMIT PREPARED 'a'"],
    "extended": [extended("BEGIN") + extended(ADD % 5) + extended("PREPARE TRANSACTION 'a'") + extended("SELECT 1") + SYNC, extended("COMMIT PREPARED 'a'") + SYNC, COUNT % 5,
                 "BEGIN", extended("PREPARE TRANSACTION 'b'") + SYNC + extended("ROLLBACK PREPARED 'b'") + SYNC, extended("ROLLBACK PREPARED 'b'") + extended("SELECT 1") + SYNC,
                 wire.parse("PREPARE TRANSACTION 'c'", "p") + wire.describe("S", "p") + SYNC, "BEGIN", wire.bind((), "", "p") + wire.execute() + SYNC, "COMMIT PREPARED 'c'"],
    "settings": ["SET DateStyle = 'ISO'", "BEGIN", "SET DateStyle = 'German'", "PREPARE TRANSACTION 'a'", "SHOW DateStyle", "ROLLBACK PREPARED 'a'", "SHOW DateStyle",
                 "BEGIN", "SET LOCAL DateStyle = 'ISO'", "PREPARE TRANSACTION 'a'", "SHOW DateStyle", "COMMIT PREPARED 'a'"],
    "cursors": ["BEGIN", "DECLARE c CURSOR FOR SELECT 1", "PREPARE TRANSACTION 'a'", "FETCH c", "COMMIT PREPARED 'a'", "BEGIN", "DECLARE h CURSOR WITH HOLD FOR SELECT 1", "PREPARE TRANSACTION 'b'", "FETCH h",
                "ROLLBACK PREPARED 'b'"],
    "listen": ["BEGIN", "LISTEN lab_results", "PREPARE TRANSACTION 'a'", "SELECT 1", "BEGIN", "NOTIFY lab_results", "PREPARE TRANSACTION 'a'", "SELECT * FROM pg_listening_channels()"],
    "savepoints": ["BEGIN", ADD % 6, "SAVEPOINT s", ADD % 7, "ROLLBACK TO s", "PREPARE TRANSACTION 'a'", "COMMIT PREPARED 'a'", COUNT % 6, COUNT % 7, "ROLLBACK TO s"],
    "odd": ["PREPARE TRANSACTION", "PREPARE TRANSACTION a", "COMMIT PREPARED a", "COMMIT PREPARED 'a' AND CHAIN"],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_postgresql_does(name, stack, oracle):
    with Sides(stack, oracle) as both:
        both.run(*SCRIPTS[name])


def test_pgvigils_settings_count_from_prepare_on(stack):
    """As PostgreSQL's: what SET said stays, also when the prepared transaction is rolled back; SET LOCAL is over."""
    with stack.connect("nurse1") as c:
        for end in ("COMMIT", "ROLLBACK"):
            c.execute("SET search_path = public")
            c.execute("BEGIN")
            c.execute("SET search_path = u")
            c.execute("SELECT count(*) FROM beds")
            c.execute("PREPARE TRANSACTION 's'")
            assert c.execute("SHOW search_path").fetchone() == ("u",)
            c.execute("%s PREPARED 's'" % end)
            assert c.execute("SHOW search_path").fetchone() == ("u",)
            c.execute("BEGIN")
            c.execute("SET LOCAL search_path = public")
            c.execute("PREPARE TRANSACTION 's'")
            assert c.execute("SHOW search_path").fetchone() == ("u",)
            c.execute("ROLLBACK PREPARED 's'")


def gids(stack):
    with stack.superuser() as c:
        return [gid for (gid,) in c.execute("SELECT gid FROM pg_prepared_xacts ORDER BY 1").fetchall()]


def code(connection, sql):
    try:
        connection.execute(sql)
        return None
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary


def test_nobody_finishes_anothers(stack):
    """By its name, by the name that the server has, by every guess: for others it does not exist, and they can use the name themselves."""
    with stack.connect("nurse1") as one, stack.connect("nurse2") as two, stack.connect("admin1") as admin:
        one.execute("BEGIN")
        one.execute("INSERT INTO u.\"Odd Name\" VALUES (50)")
        one.execute("PREPARE TRANSACTION 'a'")
        (gid,) = gids(stack)
        assert gid != "a" and gid.endswith("/a")
        for name in ("a", gid, gid[:-2], "/a", "%", "A"):
            for verb in ("COMMIT", "ROLLBACK"):
                assert code(two, "%s PREPARED '%s'" % (verb, name)) == ("42704", 'prepared transaction with identifier "%s" does not exist' % name)
        assert code(one, "COMMIT PREPARED '%s'" % gid)[0] == "42704"
        assert code(admin, "COMMIT PREPARED 'a'")[0] == "42704"
        two.execute("BEGIN")
        two.execute("INSERT INTO u.\"Odd Name\" VALUES (51)")
        two.execute("PREPARE TRANSACTION 'a'")  # no twin tells that the name is taken
        assert len(gids(stack)) == 2
        two.execute("COMMIT PREPARED 'a'")
        assert gids(stack) == [gid]
        with stack.connect("nurse1") as again:  # another session of hers
            again.execute("ROLLBACK PREPARED 'a'")
        assert one.execute("SELECT array_agg(id) FROM u.\"Odd Name\" WHERE id IN (50, 51)").fetchone() == ([51],)


def test_another_mission_does_not_finish_it(stack):
    with stack.connect("nurse1") as c:
        c.execute("BEGIN")
        c.execute("PREPARE TRANSACTION 'm'")
        c.execute("SET pgvigil.patient = '1'")
        c.execute("SET pgvigil.reason = 'a reason that is long enough to be one'")
        c.execute("SET pgvigil.mission = 'emergency'")
        assert code(c, "COMMIT PREPARED 'm'")[0] == "42704"
        c.execute("SET pgvigil.mission = 'care'")
        assert code(c, "COMMIT PREPARED 'm'") is None


def test_second_wall_between_pairs(stack):
    """PostgreSQL itself lets the pair's role finish what it prepared, and no other."""
    with stack.connect("nurse1") as c, stack.direct(user="pgvigil", password=harness.LOGIN_PASSWORD) as login:
        c.execute("BEGIN")
        c.execute("PREPARE TRANSACTION 'w'")
        (gid,) = gids(stack)
        roles = [r for (r,) in login.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'pgvigil:%/%@%' AND pg_has_role(oid, 'MEMBER')").fetchall()]
        assert len(roles) > 3
        for role in roles:
            login.execute('SET ROLE "%s"' % role)
            if not role.startswith("pgvigil:nurse/care@"):
                assert code(login, "COMMIT PREPARED '%s'" % gid)[0] == "42501"
        c.execute("COMMIT PREPARED 'w'")


def test_outside_the_policy_it_is_refused(stack):
    with stack.connect("reception1") as desk, stack.connect("nurse1") as nurse, stack.connect("admin1") as admin:
        for sql in ("COMMIT PREPARED 'a'", "ROLLBACK PREPARED 'a'", "PREPARE TRANSACTION 'a'"):
            assert code(desk, sql)[0] == "42501", sql
        desk.execute("BEGIN")
        assert code(desk, "PREPARE TRANSACTION 'a'")[0] == "42501"
        assert code(desk, "SELECT 1")[0] == "25P02"
        desk.execute("ROLLBACK")
        for person in (desk, nurse):
            assert code(person, "SELECT * FROM pg_prepared_xacts")[0] == "42501"
            assert code(person, "SELECT * FROM pg_prepared_xact()")[0] == "42501"
        # An unrestricted role's names are PostgreSQL's own.
        admin.execute("BEGIN")
        admin.execute("PREPARE TRANSACTION 'of the admin'")
        assert gids(stack) == ["of the admin"]
        assert ("of the admin",) in admin.execute("SELECT gid FROM pg_prepared_xacts").fetchall()
        assert code(nurse, "ROLLBACK PREPARED 'of the admin'")[0] == "42704"
        admin.execute("SET DateStyle = 'German'")
        admin.execute("COMMIT PREPARED 'of the admin'")


def test_they_are_on_record_before_they_run(stack):
    with wire.open_session(stack, "nurse1", application_name="two-phase-record") as raw:
        for sql in ("BEGIN", "PREPARE TRANSACTION 'SECRET-LITERAL'", "COMMIT PREPARED 'SECRET-LITERAL'"):
            assert wire.error_of(raw.query(sql)) is None
    kept = records(stack, "two-phase-record")
    assert [r["statement"] for r in kept if r["type"] == "begin"] == ["PREPARE TRANSACTION", "COMMIT PREPARED"]
    assert "SECRET-LITERAL" not in str(kept) and [r["type"] for r in kept].count("end") == 2


def test_without_room_the_answer_is_postgresqls(make_stack, stack, oracle):
    """max_prepared_transactions used up."""
    with Sides(stack, oracle) as both:
        with stack.cluster.superuser() as c:
            for n in range(30):
                c.execute("BEGIN")
                c.execute("PREPARE TRANSACTION 'filler %d'" % n)
            both.run("BEGIN", "PREPARE TRANSACTION 'a'", "SELECT 1")
