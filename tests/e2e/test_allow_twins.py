"""
What a role's `allow` opens, on two databases that differ only in what the nurse may not see: hidden rows, hidden columns, a table without a
rule. Every answer, and everything that is heard, is the same. EXPLAIN is left out where PostgreSQL chooses by statistics: the threat
model says so, and the last test shows it.
"""
import allow_schema
import harness
import pytest
import test_lock_table
import test_notify
import test_truncate
import test_two_phase
import wire

OTHER = """
INSERT INTO u.beds SELECT n, 3 + n % 2, 'hidden ' || n, 'OTHER' FROM generate_series(100, 4000) n;
UPDATE u.beds SET secret = 'OTHER' || id;
UPDATE u.notes SET secret = repeat('OTHER', 500);
INSERT INTO u.closed SELECT generate_series(1, 500);
INSERT INTO u.teams SELECT 99, 'nobody' FROM generate_series(1, 3000);
INSERT INTO u.rooms SELECT n, NULL FROM generate_series(1, 50) n;
"""
SCRIPTS = {"%s %s" % (module.__name__[5:], name): steps for module in (test_lock_table, test_truncate, test_notify, test_two_phase)
           for name, steps in module.SCRIPTS.items()}


@pytest.fixture(scope="module")
def cluster():
    with harness.Cluster(settings=["max_prepared_transactions = 30"]) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_stack):
    return allow_schema.make(make_stack, databases=("one", "two"), changes={"two": OTHER})


def answer(raw, step):
    raw.send(wire.query(step) if isinstance(step, str) else step)
    return [(kind, body) for kind, body in raw.until("Z") if kind != "S"]


def without_oids(kind, body):
    return (kind, [(c[0], c[3], c[6]) for c in wire.columns(body)]) if kind == "T" else (kind, body)


def answers(stack, database, steps):
    """One after the other: names of prepared transactions are the server's, not a database's."""
    with wire.open_session(stack, "nurse1", database=database) as raw:
        found = [[without_oids(*m) if m[0] != "A" else (m[0], m[1][4:]) for m in answer(raw, step)] for step in steps]
    with stack.cluster.superuser(stack.databases[database]) as c:
        for (gid,) in c.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()").fetchall():
            c.execute("ROLLBACK PREPARED '%s'" % gid.replace("'", "''"))
    return found


@pytest.mark.parametrize("name", SCRIPTS)
def test_twins_answer_alike(name, stack):
    one, two = (answers(stack, database, SCRIPTS[name]) for database in ("one", "two"))
    for step, first, second in zip(SCRIPTS[name], one, two):
        assert first == second, step


def test_twins_differ(stack):
    """Or nothing would have been compared."""
    counts = []
    for database in stack.databases.values():
        with stack.cluster.superuser(database) as c:
            counts.append(c.execute("SELECT (SELECT count(*) FROM u.beds), (SELECT count(*) FROM u.closed), (SELECT max(secret) FROM u.notes)").fetchone())
    assert counts[0] != counts[1] and counts[0][0] < counts[1][0]


def test_explain_tells_twins_apart(stack):
    """What its word gives away: the size of the whole table chooses the nodes. No more is said than their types."""
    plans = []
    for database in ("one", "two"):
        with wire.open_session(stack, "nurse1", database=database) as raw:
            plans.append([row[0] for row in wire.rows_of(raw.query("EXPLAIN SELECT label FROM u.beds WHERE id = 3"))])
    assert plans[0] != plans[1] and b"Seq Scan" in b"".join(plans[0]) and b"Index Scan" in b"".join(plans[1])
