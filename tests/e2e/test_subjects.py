"""
Whose rows left: the patients of each record are those that PostgreSQL itself finds for the same statement (subject_statements.py,
oracle_schema.py), by every way a client can ask; and nobody sees the column that carries them.
"""
import json
import os

import harness
import oracle_schema
import psycopg
import pytest
import wire
from subject_statements import Statements

PAIRS = {"nurse": ("nurse1", "care"), "receptionist": ("reception1", "admission")}
COUNT = int(os.environ.get("PGVIGIL_SUBJECTS", "300"))  # of each pair
SEED = int(os.environ.get("PGVIGIL_SEED", "1"))
BATCH = 100


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=oracle_schema.EXTRA_SQL, extra_policy=[("90-oracle.cfg", oracle_schema.POLICY)])


@pytest.fixture(scope="module")
def oracles(stack):
    made, names = {}, []
    template = stack.cluster.template(extra_sql=oracle_schema.EXTRA_SQL)
    for pair in PAIRS:
        name = stack.cluster.create("subjects_" + pair, template, oracle_schema.oracle_sql(pair, harness.pseudonym_mission_key("research")))
        names.append(name)
        made[pair] = stack.cluster.superuser(name)
        made[pair].execute("SET synchronous_commit = off")
    yield made
    for pair, name in zip(PAIRS, names):
        made[pair].close()
        stack.cluster.drop(name)


def expand(patients):
    """As docs/audit.md says: texts, and runs of numbers."""
    found = set()
    for one in patients:
        found.update([one] if isinstance(one, str) else map(str, range(one[0], one[1] + 1)))
    return found


class Trail:
    """{mark: (patients, exact)} of the statements that bear one."""

    def __init__(self, stack):
        self.patients, self.exact, self.whole = {}, {}, {}
        begun = {}
        for record in stack.audit_records():
            mark = next((w for w in record.get("sql", "").replace(",", " ").replace(".", " ").replace("(", " ").replace("\n", " ").split() if w.startswith("mk_")), None)
            if record["type"] == "begin" and mark:
                begun[(record["session"], record["seq"])] = mark
            if record["type"] in ("more", "end"):
                mark = begun.get((record["session"], record["begin"]))
            if mark is None:
                continue
            self.patients.setdefault(mark, set()).update(expand(record.get("patients", [])))
            self.exact[mark] = self.exact.get(mark, True) and record.get("subjects") is None
            self.whole.setdefault(mark, []).append(record)


def truth(connection, sql):
    return {str(v) for row in connection.execute(sql).fetchall() for v in row if v is not None}


WAYS = ("simple", "text", "binary", "named", "prepare", "rows")


def run(connection, way, sql, mark):
    """The statement, by that way; every row is read."""
    raw = connection.pgconn
    if way == "simple":
        results = [raw.exec_(sql.encode())]
    elif way in ("text", "binary"):
        results = [raw.exec_params(sql.encode(), [], result_format=way == "binary")]
    elif way == "named":
        results = [raw.prepare(mark.encode(), sql.encode()), raw.describe_prepared(mark.encode()), raw.exec_prepared(mark.encode(), [])]
        assert results[1].nfields == results[2].nfields
    elif way == "prepare":
        results = [raw.exec_(("PREPARE %s AS %s" % (mark, sql)).encode()), raw.exec_(("EXECUTE %s" % mark).encode())]
    else:
        raw.send_query_params(sql.encode(), [])
        raw.set_single_row_mode()
        results = []
        while True:
            result = raw.get_result()
            if result is None:
                break
            results.append(result)
    for result in results:
        assert not result.error_message, (sql, result.error_message)
        for column in range(result.nfields):
            assert b"pgvigil" not in result.fname(column), sql
    return results[-1]


@pytest.mark.parametrize("pair", PAIRS)
def test_records_name_the_patients_that_postgresql_finds(pair, stack, oracles):
    user, mission = PAIRS[pair]
    made = Statements(SEED, pair)
    asked, kinds = {}, {"exact": 0, "some": 0, "open": 0}
    for start in range(0, COUNT, BATCH):
        with stack.connect(user, mission=mission) as c:
            for n in range(start, min(start + BATCH, COUNT)):
                mark = "mk_%s_%d" % (pair, n)
                way = WAYS[n % len(WAYS)]
                if n % 9 == 8:
                    asked[mark] = write(c, oracles[pair], made, mark, way)
                    continue
                query = made.grouped(mark) if n % 9 == 7 else made.with_query(mark) if n % 9 == 6 else made.select(2, mark=mark)
                run(c, way, query.text, mark)
                asked[mark] = (query.text, truth(oracles[pair], query.truth), query.exact)
    trail = Trail(stack)
    for mark, (text, patients, exact) in asked.items():
        found = trail.patients.get(mark)
        assert found is not None, text
        if exact:
            assert trail.exact[mark], text
            assert found == patients, (text, sorted(found ^ patients)[:10])
        else:
            assert not trail.exact[mark], text
            assert found <= patients, (text, sorted(found - patients)[:10])
        kinds["exact" if exact else "open"] += 1
        kinds["some"] += bool(found)
    # The comparison is about something.
    assert kinds["exact"] > 0.5 * COUNT and kinds["some"] > 0.4 * COUNT and kinds["open"] > 0.05 * COUNT, kinds


def write(connection, oracle, made, mark, way):
    sql, asks = made.write(mark)
    if "{patient}" in sql:
        patient, stay = oracle.execute(asks).fetchone()
        sql, patients = sql.format(patient=patient, stay=stay), {str(patient)}
    else:
        patients = truth(oracle, asks)
    connection.pgconn.exec_(b"BEGIN")
    result = run(connection, way, sql, mark)
    assert ("RETURNING" in sql) == (result.nfields > 0), sql
    connection.pgconn.exec_(b"ROLLBACK")
    return sql, patients, True
