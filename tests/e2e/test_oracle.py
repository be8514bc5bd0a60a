"""
The oracle: what a session reads through pgvigil is what PostgreSQL itself gives against views that this test writes from the
policy (oracle_schema.py), independently of pgvigil's code: rows (in order where the order is total), names and types of columns.

Each statement goes three ways: simple protocol, extended protocol with text results, extended protocol with binary ones.
"""
import harness
import oracle_schema
import pytest
from oracle_statements import DENIED, STATEMENTS
from psycopg import pq

PAIRS = {"nurse": ("nurse1", "care"), "receptionist": ("reception1", "admission"), "researcher": ("research1", "research")}
CASES = [(pair, statement) for statement in STATEMENTS for pair in statement.pairs]
WAYS = ("simple", "text", "binary")
seen = {}


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=oracle_schema.EXTRA_SQL, extra_policy=[("90-oracle.cfg", oracle_schema.POLICY)])


@pytest.fixture(scope="module")
def oracles(stack):
    """{pair: connection to a copy of the database whose tables are the pair's views}."""
    made, names = {}, []
    template = stack.cluster.template(extra_sql=oracle_schema.EXTRA_SQL)
    for pair in PAIRS:
        name = stack.cluster.create("oracle_" + pair, template,
                                    oracle_schema.oracle_sql(pair, harness.pseudonym_mission_key("research")))
        names.append(name)
        made[pair] = stack.cluster.superuser(name)
    yield made
    for pair, name in zip(PAIRS, names):
        made[pair].close()
        stack.cluster.drop(name)


@pytest.fixture(scope="module")
def sessions(stack):
    made = {}
    for pair, (user, mission) in PAIRS.items():
        made[pair] = stack.connect(user, mission=mission)
    yield made
    for connection in made.values():
        connection.close()


class Refused(Exception):
    pass


def answer(connection, sql, params, way):
    """(columns, rows) as bytes, by libpq itself."""
    raw = connection.pgconn
    if way == "simple":
        result = raw.exec_(sql.encode())
    else:
        values = [None if p is None else p.encode() for p in params]
        result = raw.exec_params(sql.encode(), values, result_format=1 if way == "binary" else 0)
    if result.status not in (pq.ExecStatus.TUPLES_OK,):
        raise Refused(pq.error_message(result))
    columns = [(result.fname(i).decode(), result.ftype(i), result.fmod(i)) for i in range(result.nfields)]
    rows = [tuple(result.get_value(r, i) for i in range(result.nfields)) for r in range(result.ntuples)]
    return columns, rows, result.command_status


def same_types(connection, one, other):
    """Equal names, types and modifiers; a row type may be that of either's own view."""
    if len(one) != len(other):
        return False
    for (a, at, am), (b, bt, bm) in zip(one, other):
        if a != b:
            return False
        if at != bt or am != bm:
            kinds = connection.execute("SELECT coalesce((SELECT typtype FROM pg_type WHERE oid = %s), 'c')", (bt,)).fetchone()
            if kinds[0] != "c":
                return False
    return True


def label(case):
    return "%s-%s" % (case[0], " ".join(case[1].sql.split())[:60]) if isinstance(case, tuple) else str(case)


@pytest.mark.parametrize("case", CASES, ids=label)
def test_read_gives_what_postgresql_gives(case, stack, sessions, oracles):
    pair, statement = case
    mine = statement.sql.replace("{db}", stack.databases["records"])
    for way in WAYS:
        if way == "simple" and statement.params:
            continue
        oracle = oracles[pair]
        theirs = statement.oracle.replace("{db}", oracle.info.dbname)
        expected = answer(oracle, theirs, statement.params, way)  # an error here is the test's own mistake
        try:
            got = answer(sessions[pair], mine, statement.params, way)
        except Refused as error:
            pytest.fail("refused: %s" % error, pytrace=False)
        if statement.rowtype:
            assert [c[0] for c in got[0]] == [c[0] for c in expected[0]]
        else:
            assert same_types(oracle, got[0], expected[0]), (got[0], expected[0])
        if not statement.rowtype or way != "binary":  # a row's binary form holds no names, but its OIDs may differ
            if statement.ordered:
                assert got[1] == expected[1], way
            else:
                order = lambda row: tuple((v is None, v or b"") for v in row)  # noqa: E731
                assert sorted(got[1], key=order) == sorted(expected[1], key=order), way
        assert got[2] == expected[2], way
        seen.setdefault(pair, []).append(len(expected[1]))


def test_there_are_enough_statements_and_they_read_something():
    """Not an oracle of empty results: for each pair at least 150 statements, most of them with rows."""
    for pair in PAIRS:
        mine = [s for s in STATEMENTS if pair in s.pairs]
        assert len({s.sql for s in mine}) >= 150
        ran = seen.get(pair, [])
        if len(ran) < 2 * len(mine):
            pytest.skip("only a part of this file was run")
        assert sum(1 for n in ran if n) > 0.8 * len(ran), "%s: %d of %d gave rows" % (pair, sum(1 for n in ran if n), len(ran))


@pytest.mark.parametrize("pair,sql", DENIED, ids=lambda v: v[:50])
def test_read_outside_the_policy_is_refused(pair, sql, sessions, oracles):
    for way in WAYS:
        with pytest.raises(Refused):
            answer(oracles[pair], sql, (), way)
        with pytest.raises(Refused) as caught:
            answer(sessions[pair], sql, (), way)
        assert "SECRET" not in str(caught.value)


def test_oracle_differs_between_pairs_and_from_the_tables(stack, sessions, oracles):
    """The comparison can fail: pairs see different patients, and none sees them all as they are."""
    answers = {pair: answer(sessions[pair], "SELECT * FROM patients", (), "text") for pair in PAIRS}
    with stack.superuser() as c:
        whole = answer(c, "SELECT * FROM patients", (), "text")
    for pair in PAIRS:
        assert answers[pair] != whole
        for other in PAIRS:
            assert other == pair or answers[pair] != answers[other]


def test_columns_come_from_the_table_itself(stack, sessions):
    """RowDescription names the table's OID and column numbers, not the guard's."""
    with stack.superuser() as c:
        (table,) = c.execute("SELECT 'public.patients'::regclass::oid").fetchone()
        numbers = dict(c.execute("SELECT attname, attnum FROM pg_attribute WHERE attrelid = %s", (table,)).fetchall())
    for pair in PAIRS:
        result = sessions[pair].pgconn.exec_params(b"SELECT id, sex, birth_date, 1 AS one FROM patients", [])
        assert [result.ftable(i) for i in range(4)] == [table, table, table, 0]
        assert [result.ftablecol(i) for i in range(4)] == [numbers["id"], numbers["sex"], numbers["birth_date"], 0]
