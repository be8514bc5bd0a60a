"""
Whose rows left: the patients of each record are those that PostgreSQL itself finds for the same statement (subject_statements.py,
oracle_schema.py), by every way a client can ask; and nobody sees the column that carries them.
"""
import json
import os
import re
import shutil
from datetime import date

import harness
import oracle_schema
import psycopg
import pytest
import wire
from copies import copy_out
from subject_statements import Statements

PAIRS = {"nurse": ("nurse1", "care"), "receptionist": ("reception1", "admission")}
COUNT = int(os.environ.get("PGVIGIL_SUBJECTS", "300"))  # of each pair
SEED = int(os.environ.get("PGVIGIL_SEED", "1"))
BATCH = 100


GROUPS = {"nurse"}  # whose mission has group_subjects


def changed_policy(folder, missions):
    """The clinic's, where each of the missions has the keys as well: {mission: keys}."""
    policy = folder / "policy"
    shutil.copytree(harness.CLINIC / "policy", policy)
    changed = 0
    for path in policy.glob("*.cfg"):
        text = path.read_text(encoding="utf-8")
        for mission, keys in missions.items():
            text, found = re.subn(r'(\{ name = "%s";)' % mission, r"\1 " + keys, text)
            changed += found
        path.write_text(text, encoding="utf-8")
    assert changed == len(missions)
    return policy


@pytest.fixture(scope="module")
def stack(make_stack, tmp_path_factory):
    policy = changed_policy(tmp_path_factory.mktemp("groups"), {"care": "group_subjects = 50000;", "research": "group_subjects = 50000;"})
    return make_stack(extra_sql=oracle_schema.EXTRA_SQL, policy_dir=policy, extra_policy=[("90-oracle.cfg", oracle_schema.POLICY)])


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
            mark = next((w for w in record.get("sql", "").replace(",", " ").replace(".", " ").replace("(", " ").replace(")", " ").replace("\n", " ").split() if w.startswith("mk_")), None)
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
    """Each value is one patient's number, or those of a group."""
    return {one for row in connection.execute(sql).fetchall() for v in row if v is not None for one in str(v).split()}


COPIES = {"copy": "", "copy csv": " (FORMAT csv, HEADER, FORCE_QUOTE *)", "copy binary": " (FORMAT binary)"}
WAYS = ("simple", "text", "binary", "named", "prepare", "rows", "cursor", "binary cursor", *COPIES)


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
    elif way in ("cursor", "binary cursor"):
        binary = way != "cursor"
        results = [raw.exec_(b"BEGIN"), raw.exec_(("DECLARE %s %s CURSOR FOR %s" % (mark, "BINARY" if binary else "SCROLL", sql)).encode()),
                   raw.exec_(("FETCH 3 FROM %s" % mark).encode()), raw.exec_params(("FETCH 1 FROM %s" % mark).encode(), [], result_format=binary),
                   raw.exec_params(("FETCH ALL FROM %s" % mark).encode(), [], result_format=binary), raw.exec_(b"COMMIT")]
        assert results[2].nfields == results[4].nfields > 0
    elif way in COPIES:
        results = [raw.prepare(b"", sql.encode()), raw.describe_prepared(b"")]
        data, _, (_, formats) = copy_out(connection, "COPY (%s) TO STDOUT%s" % (sql, COPIES[way]))
        assert len(formats) == results[1].nfields, sql
        assert not any(b"pgvigil" in line for line in data), sql
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
    made = Statements(SEED, pair, pair in GROUPS)
    asked, kinds = {}, {"exact": 0, "some": 0, "open": 0, "groups": 0, "unsure": 0}
    for start in range(0, COUNT, BATCH):
        with stack.connect(user, mission=mission) as c:
            for n in range(start, min(start + BATCH, COUNT)):
                mark = "mk_%s_%d" % (pair, n)
                way = WAYS[n % len(WAYS)]
                if n % 9 == 8:
                    way = "text" if "cursor" in way or "copy" in way else way
                    asked[mark] = write(c, oracles[pair], made, mark, way)
                    continue
                query = (made.aside(mark) if n % 18 == 7 else made.grouped(2, mark=mark) if n % 9 in (3, 7) else made.union(1, mark=mark) if n % 9 == 5
                         else made.with_query(mark) if n % 9 == 6 else made.select(2, mark=mark))
                run(c, way, query.text, mark)
                asked[mark] = (query.text, truth(oracles[pair], query.truth), query.exact, query.unsure)
    with stack.superuser() as c:  # without what was rolled back: how large a table is decides by which way PostgreSQL reads it
        for table in ("appointments", "patients", "observations"):
            c.execute("VACUUM FULL " + table)
    trail = Trail(stack)
    for mark, (text, patients, exact, unsure) in asked.items():
        found = trail.patients.get(mark)
        assert found is not None, text
        kinds["unsure"] += exact and not trail.exact[mark]
        exact = exact and (not unsure or trail.exact[mark])
        if exact:
            assert trail.exact[mark], text
            assert found == patients, (text, sorted(found ^ patients)[:10])
        else:
            assert not trail.exact[mark], text
            named = {n for numbers in re.findall(r"IN \(([0-9, ]+)\)", text) for n in numbers.split(", ")}
            assert found <= patients | named, (text, sorted(found - patients - named)[:10])
        kinds["exact" if exact else "open"] += 1
        kinds["some"] += bool(found)
        kinds["groups"] += exact and bool(found) and re.search(r"count\(|DISTINCT|UNION", text) is not None
    # The comparison is about something.
    assert kinds["exact"] > 0.4 * COUNT and kinds["some"] > 0.4 * COUNT and kinds["open"] > 0.05 * COUNT, kinds
    assert kinds["unsure"] < 0.1 * COUNT, kinds
    assert (kinds["groups"] > 0.15 * COUNT) == (pair in GROUPS), kinds


def write(connection, oracle, made, mark, way):
    sql, asks, exact = made.written(mark) if made.maybe(0.3) else (*made.write(mark), True)
    if "{patient}" in sql:
        patient, stay = oracle.execute(asks).fetchone()
        sql, patients = sql.format(patient=patient, stay=stay), {str(patient)}
    else:
        patients = truth(oracle, asks)
    connection.pgconn.exec_(b"BEGIN")
    result = run(connection, way, sql, mark)
    assert ("RETURNING" in sql or "SELECT " in sql) == (result.nfields > 0), (sql, result.error_message)
    connection.pgconn.exec_(b"ROLLBACK")
    return sql, patients, exact, False


# ---- nobody sees it ----------------------------------------------------------------------------------------------------

READ = "SELECT id, family_name, birth_date FROM patients WHERE id < 60 ORDER BY id"
STAR = "SELECT * FROM stays s JOIN patients p ON p.id = s.patient_id WHERE s.id < 30 ORDER BY s.id, p.id"
# The rows of a RETURNING come as they lie in the table: of rows that the same transaction has written before, where there was
# room. So ASKED is the first to write its rows, in a transaction of its own, and CALM writes others.
CALM = "UPDATE appointments SET minutes = 30 WHERE id BETWEEN 40 AND 79"
ASKED = "UPDATE appointments SET minutes = 30 WHERE id < 40 RETURNING id, minutes"


def extended(sql, formats=(), rows=0, describe="P", name="", portal=""):
    """describe: of the statement, the portal, both, or neither."""
    return (wire.parse(sql, name) + (wire.describe("S", name) if "S" in describe else b"") + wire.bind((), portal, name, result_formats=formats)
            + (wire.describe("P", portal) if "P" in describe else b"") + wire.execute(portal, rows))


PROTOCOL = {
    "no description": [extended(READ, describe="") + wire.SYNC],
    "both descriptions": [extended(READ, describe="SP") + wire.SYNC, extended(STAR, describe="SP") + wire.SYNC],
    "formats": [extended(READ, formats=f) + wire.SYNC for f in ((0,), (1,), (0, 1, 0), (1, 0, 1), (1, 1, 1))],
    "formats not described": [extended(READ, formats=f, describe="") + wire.SYNC for f in ((1,), (1, 0, 1))],
    "a portal in parts": ["BEGIN", extended(READ, rows=3, portal="a") + wire.execute("a", 2) + wire.execute("a", 0) + wire.SYNC, "COMMIT"],
    "two portals in turn": ["BEGIN", extended(READ, rows=1, portal="a") + extended(STAR, rows=1, portal="b") + wire.execute("a", 2)
                            + wire.execute("b", 2) + wire.SYNC, "COMMIT"],
    "FETCH of a portal": ["BEGIN", extended(READ, rows=1, portal="a", formats=(0,)) + wire.SYNC, "FETCH 2 FROM a", "MOVE 1 IN a", "FETCH ALL FROM a", "CLOSE a", "COMMIT"],
    "FETCH of a portal, by the protocol": ["BEGIN", extended(STAR, rows=1, portal="a") + wire.SYNC, extended("FETCH 3 FROM a", describe="SP") + wire.SYNC,
                                           extended(READ, rows=1, portal="b") + wire.SYNC, extended("FETCH 3 FROM b", formats=(1, 0, 1)) + wire.SYNC, "COMMIT"],
    "cursors": ["BEGIN", "DECLARE c SCROLL CURSOR FOR " + READ, "FETCH 3 FROM c", "FETCH BACKWARD 1 FROM c", extended("FETCH ALL FROM c", describe="SP") + wire.SYNC, "COMMIT"],
    "cursors with formats one by one": ["BEGIN", "DECLARE c CURSOR FOR " + READ, extended("FETCH 3 FROM c", formats=(1, 0, 1)) + wire.SYNC,
                                        extended("FETCH 3 FROM c", formats=(1, 1, 1), describe="") + wire.SYNC, "ROLLBACK"],
    "cursors by the protocol": ["BEGIN", extended("DECLARE c CURSOR FOR " + STAR, describe="SP") + wire.SYNC, wire.describe("P", "c") + wire.execute("c", 2) + wire.SYNC,
                                extended("FETCH 2 FROM c", portal="f", describe="") + wire.execute("c", 3) + wire.SYNC, wire.close("P", "c") + wire.SYNC, "ROLLBACK"],
    "cursors that bring formats": ["BEGIN", extended("DECLARE c CURSOR FOR " + READ, formats=(1, 0)) + wire.SYNC, "ROLLBACK"],
    "cursors held and declared anew": ["DECLARE c CURSOR WITH HOLD FOR " + READ, "FETCH 2 FROM c", "BEGIN", "MOVE 3 IN c", "FETCH RELATIVE 2 FROM c", "CLOSE c", "DECLARE c CURSOR FOR " + STAR,
                                       "FETCH 2 FROM c", "COMMIT", "FETCH 1 FROM c"],
    "cursors declared among others": ["BEGIN", "%s; SAVEPOINT a; DECLARE c CURSOR FOR %s" % (CALM, READ), wire.describe("P", "c") + wire.execute("c", 2) + wire.SYNC, "FETCH 1 FROM c",
                                      wire.execute("c", 2) + wire.execute("c", 1) + wire.SYNC, "ROLLBACK TO a", "FETCH 1 FROM c", "ROLLBACK",
                                      "ROLLBACK; BEGIN; DECLARE d CURSOR WITH HOLD FOR %s; COMMIT" % STAR, wire.execute("d", 2) + wire.SYNC, "FETCH 1 FROM d", wire.execute("d", 2) + wire.SYNC,
                                      "FETCH 1 FROM d", "CLOSE d", "ROLLBACK; BEGIN; DECLARE d CURSOR FOR %s" % READ, wire.execute("d", 1) + wire.SYNC, "FETCH 1 FROM d", "COMMIT", wire.execute("d", 1) + wire.SYNC],
    "PREPARE and EXECUTE": ["PREPARE one AS " + READ, "EXECUTE one", extended("EXECUTE one", describe="SP") + wire.SYNC,
                            extended("EXECUTE one", describe="") + wire.SYNC, extended("EXECUTE one", formats=(1,)) + wire.SYNC, extended("EXECUTE one", formats=(0, 1, 1)) + wire.SYNC, "DEALLOCATE one"],
    "EXECUTE of the protocol's": [wire.parse(STAR, "two") + wire.describe("S", "two") + wire.SYNC, "EXECUTE two", extended("EXECUTE two", describe="SP") + wire.SYNC,
                                  wire.close("S", "two") + wire.SYNC],
    "many statements": ["SELECT 1; %s; SELECT 2; %s" % (READ, STAR), "BEGIN; %s; ROLLBACK" % READ],
    "COPY": ["COPY (%s) TO STDOUT" % READ, "COPY (%s) TO STDOUT (FORMAT csv, HEADER)" % STAR, "COPY (%s) TO STDOUT (FORMAT binary)" % READ],
    "COPY's forms": ["COPY (%s) TO STDOUT%s" % (READ, form) for form in
                     (" WITH (DELIMITER '|', NULL 'x')", " (DELIMITER ' ', HEADER)", " (FORMAT csv)", " CSV HEADER DELIMITER ';' QUOTE '''' ESCAPE '\\'", " (FORMAT csv, NULL 'x', FORCE_QUOTE (family_name))",
                      " (FORMAT csv, FORCE_QUOTE *, HEADER true)", " (FORMAT csv, DELIMITER E'\\t', HEADER)", " (FORMAT csv, DELIMITER 'a', QUOTE '0')", " (FORMAT csv, DELIMITER ' ', HEADER)", " BINARY", " (HEADER)",
                      " (ENCODING 'UTF8')", " (FORMAT csv, QUOTE E'\\x01')", " WITH DELIMITER AS ',' NULL AS ''")]
                    + ["COPY (SELECT id FROM patients WHERE id < 0) TO STDOUT" + form for form in ("", " (FORMAT csv, HEADER)", " (FORMAT binary)", " (HEADER)")]
                    + ["COPY (SELECT id, repeat('x', 1500000) FROM patients WHERE id < 3) TO STDOUT" + form for form in ("", " (FORMAT csv)", " (FORMAT binary)")]
                    + ["COPY (SELECT '\\.' FROM patients WHERE id < 4) TO STDOUT CSV", "COPY (SELECT '\\.', id FROM patients WHERE id < 4 ORDER BY 2) TO STDOUT CSV",
                       "COPY (UPDATE appointments SET minutes = 30 WHERE id < 4) TO STDOUT", "COPY (SELECT id, sex FROM patients WHERE id < 4) TO STDOUT (FORMAT csv, FORCE_QUOTE (\"pgvigil subject 1\"))"]
                    + ["COPY (SELECT s.id, p.family_name FROM stays s LEFT JOIN patients p ON p.id = s.patient_id AND p.id < 5 WHERE s.id < 40 ORDER BY 1) TO STDOUT" + form for form in ("", " CSV", " BINARY")],
    "COPY by the protocol": [extended("COPY (%s) TO STDOUT" % READ, describe=d, formats=f) + wire.SYNC for d in ("SP", "") for f in ((), (1,), (0, 0))],
    "COPY among others": ["SELECT 1; COPY (%s) TO STDOUT; COPY (%s) TO STDOUT (FORMAT csv); SELECT 2" % (READ, STAR)],
    "COPY that fails on the way": ["COPY (SELECT id, 1 / (id - 30) FROM patients WHERE id < 60 ORDER BY id) TO STDOUT" + form for form in ("", " (FORMAT binary)")],
    "COPY of what is written": ["BEGIN", "COPY (%s) TO STDOUT" % ASKED, "ROLLBACK", "BEGIN", "COPY (%s) TO STDOUT (FORMAT binary)" % ASKED, "ROLLBACK"],
    "an error on the way": [extended("SELECT id, 1 / (id - 30) FROM patients WHERE id < 60 ORDER BY id", describe="SP") + wire.SYNC,
                            "SELECT id, 1 / (id - 30) FROM patients WHERE id < 60 ORDER BY id", READ],
    "no rows": ["SELECT id FROM patients WHERE id < 0", extended("SELECT id FROM patients WHERE id < 0", describe="SP") + wire.SYNC],
    "a write that gives nothing": ["BEGIN", CALM, extended(CALM, describe="SP") + wire.SYNC, extended(CALM, describe="SP", rows=1) + wire.SYNC,
                                   extended(CALM, describe="", formats=(1,)) + wire.SYNC, "ROLLBACK"],
    "a write that gives rows": ["BEGIN", ASKED, "ROLLBACK", "BEGIN", extended(ASKED, describe="SP", formats=(1, 0)) + wire.SYNC, "ROLLBACK", "BEGIN", extended(ASKED, rows=2, portal="r") + wire.execute("r", 0) + wire.SYNC, "ROLLBACK"],
    "writes by name": ["BEGIN", "PREPARE w AS " + CALM, "EXECUTE w", extended("EXECUTE w", describe="SP") + wire.SYNC, "DEALLOCATE w",
                       "PREPARE w AS " + ASKED, "EXECUTE w", "ROLLBACK", "BEGIN", extended("EXECUTE w", describe="SP") + wire.SYNC, "DEALLOCATE w", "ROLLBACK"],
    "a write's formats and numbers of rows": ["BEGIN", extended(CALM, formats=(0, 1)) + wire.SYNC, "PREPARE v AS " + CALM, extended("EXECUTE v", rows=1) + wire.SYNC, "DEALLOCATE v", "ROLLBACK"],
    "aggregates without parentheses": ["SELECT p.count FROM patients p", "SELECT (SELECT p.count) FROM patients p", "SELECT rank(9) WITHIN GROUP (ORDER BY id) FROM patients"],
    "ORDER BY what is not there": ["SELECT id FROM patients ORDER BY %d" % n for n in (0, -1, 2, 2147483647)],
    "as many columns as there can be": ["SELECT %s FROM patients WHERE id = 4" % ", ".join(["id"] * n) for n in (1663, 1664, 1665)],
    "rows that are locked": ["BEGIN", *("SELECT %s FROM %s a%s%s%s" % (what, table, where, order, lock) for what in ("*", "a.*, 1", "id AS n, a.*") for table in ("appointments", "patients", "ONLY appointments")
                                        for where, order in ((" WHERE id < 20", " ORDER BY id"), (" WHERE a.id < 40", " ORDER BY 1 DESC LIMIT 3"))
                                        for lock in (" FOR UPDATE", " FOR NO KEY UPDATE OF a", " FOR SHARE SKIP LOCKED")),
                             extended("SELECT * FROM appointments WHERE id < 20 ORDER BY id FOR UPDATE", describe="SP", formats=(1,)) + wire.SYNC,
                             "SELECT a.id, p.id FROM appointments a JOIN patients p ON p.id = a.patient_id WHERE a.id < 40 ORDER BY a.id FOR UPDATE OF a", "SELECT * FROM (SELECT * FROM appointments WHERE id < 9 ORDER BY id FOR UPDATE) q ORDER BY 1",
                             "DECLARE c CURSOR FOR SELECT * FROM appointments WHERE id < 20 ORDER BY id FOR UPDATE", "FETCH 2 FROM c", "FETCH ALL FROM c", "ROLLBACK", "SELECT count(*) FROM appointments FOR UPDATE"],
    "what is written in WITH": [step for what in ("SELECT w.*, 1 FROM w", "SELECT id FROM w ORDER BY id DESC", "SELECT count(*) FROM w", "SELECT DISTINCT minutes FROM w", "SELECT 1", "SELECT w FROM w LIMIT 1", "SELECT x.id FROM w JOIN w x USING (id)")
                                for sql in ["WITH w AS (%s) %s" % (ASKED, what)] for step in ("BEGIN", sql, "ROLLBACK", "BEGIN", extended(sql, describe="SP", formats=(1,)) + wire.SYNC, "ROLLBACK")],
    "writes among others": ["BEGIN; %s; SELECT 1; %s; ROLLBACK" % (CALM, ASKED)],
}


# Of the nurse's, whose rows of groups bring lists.
COUNTS = "SELECT ward_id, count(*) AS n, max(birth_date) FROM patients GROUP BY 1 ORDER BY 1"
WARDS = "SELECT DISTINCT sex, ward_id FROM patients ORDER BY 2, sex DESC"
BOTH_ARMS = "SELECT id, family_name FROM patients WHERE id < 60 UNION ALL SELECT count(*), 'stays' FROM stays UNION ALL (SELECT DISTINCT id, name FROM wards ORDER BY 1 LIMIT 1) ORDER BY 1, 2"

# Set operations whose rows are there once.
LEFT, RIGHT = "SELECT id, family_name FROM patients WHERE id < 60", "SELECT patient_id AS other, bed FROM stays WHERE id < 90"
ONCE = "%s UNION %s ORDER BY 1, 2" % (LEFT, RIGHT)
SETS = [
    ONCE, "%s UNION DISTINCT %s ORDER BY id, family_name DESC LIMIT 9 OFFSET 2" % (LEFT, RIGHT), "(%s) UNION (%s) ORDER BY 1, 2" % (LEFT, RIGHT),
    "(%s UNION %s) ORDER BY 1, 2 LIMIT 5" % (LEFT, RIGHT), "((%s) UNION %s) ORDER BY family_name, id" % (LEFT, RIGHT), "%s union -- here\n/* and */ %s -- there\n ORDER BY 2, 1 -- the end" % (LEFT, RIGHT),
    "SELECT id FROM patients INTERSECT SELECT patient_id FROM stays ORDER BY 1", "SELECT id FROM patients EXCEPT SELECT patient_id FROM stays WHERE ward_id = 1 ORDER BY 1",
    "SELECT id FROM patients EXCEPT DISTINCT (SELECT patient_id FROM stays INTERSECT DISTINCT SELECT patient_id FROM observations) ORDER BY 1",
    "SELECT id FROM patients WHERE id < 9 UNION SELECT patient_id FROM stays INTERSECT SELECT patient_id FROM observations ORDER BY 1",
    "(SELECT id FROM patients WHERE id < 9 UNION SELECT patient_id FROM stays) INTERSECT SELECT patient_id FROM observations ORDER BY 1",
    "SELECT patient_id FROM stays INTERSECT SELECT patient_id FROM observations UNION SELECT id FROM patients WHERE id < 9 EXCEPT SELECT 4 ORDER BY 1",
    "SELECT id FROM patients WHERE id < 9 UNION SELECT 1 UNION SELECT 2 UNION (SELECT 3 UNION SELECT patient_id FROM stays WHERE id < 5) ORDER BY 1",
    "SELECT id FROM patients WHERE id < 9 UNION ALL SELECT 4 UNION SELECT 4 UNION ALL SELECT 4 ORDER BY 1", "(SELECT id FROM patients ORDER BY birth_date, id LIMIT 3) UNION (SELECT patient_id FROM stays ORDER BY id LIMIT 3) ORDER BY 1",
    "(SELECT id FROM patients WHERE id < 9 UNION SELECT 1 ORDER BY 1 LIMIT 2) UNION SELECT 400 ORDER BY 1", "WITH q AS (SELECT id FROM patients WHERE id < 60) SELECT id FROM q UNION SELECT patient_id FROM stays WHERE id < 9 ORDER BY 1",
    "WITH q AS (SELECT id FROM patients WHERE id < 60 UNION SELECT 5) SELECT * FROM q ORDER BY 1", "(WITH q AS (SELECT id FROM patients WHERE id < 9) SELECT id FROM q) UNION (WITH q AS (SELECT 4 AS x UNION SELECT 4) SELECT x FROM q) ORDER BY 1",
    "SELECT * FROM (%s) q JOIN patients p USING (id) WHERE id < 30 ORDER BY 1, 2" % ONCE, "SELECT q.*, p.sex FROM patients p, LATERAL (SELECT p.id UNION SELECT s.id FROM stays s WHERE s.patient_id = p.id) q WHERE p.id < 30 ORDER BY 1, 2",
    "SELECT q, q.* FROM (%s) q ORDER BY 2, 3" % ONCE, "SELECT count(*) FROM (%s) q" % ONCE, "SELECT DISTINCT family_name FROM (%s) q ORDER BY 1" % ONCE, "SELECT id, (SELECT max(x) FROM (SELECT p.id AS x UNION SELECT 4) q) FROM patients p WHERE id < 9 ORDER BY 1",
    "SELECT DISTINCT sex FROM patients UNION SELECT DISTINCT ON (1) bed FROM stays ORDER BY 1", "SELECT sex, count(*) FROM patients GROUP BY 1 INTERSECT SELECT sex, count(*) FROM patients GROUP BY sex ORDER BY 1 DESC",
    "SELECT * FROM wards UNION SELECT * FROM wards ORDER BY 1", "SELECT p.* FROM patients p WHERE id < 9 EXCEPT SELECT p.* FROM patients p WHERE id < 6 ORDER BY 1",
    "SELECT count(*), max(birth_date), 'x', min(ward_id)::text, CASE WHEN true THEN 1 END, (SELECT 1 AS deep), ARRAY[1], coalesce(1, 2), nullif(1, 2), greatest(1, 2), current_date, EXISTS (SELECT 1), 1 + 1, NULL, (ROW(1, 2)) IS NULL, now() IS NULL, upper('x') COLLATE \"C\" "
    "FROM patients UNION SELECT 1, NULL, 'x', 'y', 1, 2, ARRAY[2], 3, 4, 5, current_date, true, 6, 'z', false, true, 'u' ORDER BY 1, 3, 4",
    "SELECT NULL, id FROM patients WHERE id < 20 UNION SELECT 'x', id FROM patients WHERE id < 30 ORDER BY 2, 1", "SELECT 'a' FROM patients UNION SELECT 'b' ORDER BY 1", "SELECT 1.0 AS n, id FROM patients WHERE id < 9 UNION SELECT 1, 2 ORDER BY n, 2",
    "SELECT 1 AS \"union\", id AS \"ORDER\" FROM patients WHERE id < 9 UNION SELECT 2, 3 ORDER BY \"union\", \"ORDER\"", "SELECT id AS union, sex AS except FROM patients WHERE id < 9 EXCEPT SELECT 4, 'x' ORDER BY 1",
    "SELECT id FROM patients WHERE id < 60 UNION SELECT id FROM patients WHERE id < 60 ORDER BY id FETCH FIRST 3 ROWS WITH TIES", "SELECT id FROM patients WHERE id < 9 INTERSECT ALL SELECT id FROM patients ORDER BY 1",
    "SELECT id FROM patients WHERE id < 9 EXCEPT ALL SELECT 4 ORDER BY 1", "VALUES (1) UNION SELECT id FROM patients WHERE id < 9 ORDER BY 1", "TABLE wards UNION TABLE wards ORDER BY 1", "SELECT id FROM patients WHERE id < 0 UNION SELECT patient_id FROM stays WHERE id < 0",
    # PostgreSQL's to refuse.
    "SELECT id FROM patients UNION SELECT family_name FROM patients", "SELECT id FROM patients UNION SELECT id, id FROM patients", "SELECT id FROM patients UNION SELECT id FROM patients ORDER BY id + 1",
    "SELECT id FROM patients UNION SELECT id FROM patients ORDER BY \"1\"", "SELECT id FROM patients UNION SELECT id FROM patients ORDER BY 2", "SELECT id FROM patients UNION SELECT id FROM patients ORDER BY family_name",
    "SELECT id FROM patients INTERSECT SELECT id, id FROM patients", "SELECT id FROM patients EXCEPT SELECT 1, 2", "SELECT id FROM patients UNION SELECT 1 LIMIT \"1\"", "SELECT id FROM patients UNION SELECT 1 LIMIT \"pgvigil 1\"",
    "SELECT q.* FROM (SELECT 3 AS \"1\") o, LATERAL (SELECT id FROM patients WHERE id < 30 UNION SELECT 1 ORDER BY 1 LIMIT \"1\") q ORDER BY 1", "SELECT id FROM patients UNION SELECT 1 LIMIT sum(\"1\")",
    "SELECT x FROM (SELECT family_name COLLATE \"C\" AS x FROM patients) q UNION SELECT y FROM (SELECT bed COLLATE \"POSIX\" AS y FROM stays) r", "SELECT collation for ('a') FROM patients UNION SELECT 'x' ORDER BY 1",
    "SELECT id AS x, id AS x FROM patients UNION SELECT 1, 2 ORDER BY x", "SELECT id FROM patients INTERSECT SELECT id FROM patients ORDER BY 1 FOR UPDATE", "SELECT 1 / (id - id) FROM patients UNION SELECT 1", "SELECT id FROM patients p UNION SELECT p.id",
]

GROUPED = {
    **{"set operation %d" % i: [sql] for i, sql in enumerate(SETS)},
    "set operations by the protocol": [extended(sql, describe=d, formats=f) + wire.SYNC for sql in (ONCE, SETS[6], SETS[7]) for d, f in (("SP", ()), ("P", (1,)), ("", (1,)))],
    "set operations by name": ["BEGIN", "DECLARE c SCROLL CURSOR FOR " + ONCE, "FETCH 2 FROM c", "FETCH BACKWARD 1 FROM c", "FETCH ALL FROM c", "COMMIT", "PREPARE once AS " + ONCE, "EXECUTE once",
                               extended("EXECUTE once", describe="SP", formats=(1,)) + wire.SYNC, "DEALLOCATE once", "SELECT 1; %s; SELECT 2; %s; SELECT 3" % (ONCE, SETS[5])],
    "COPY of set operations": ["COPY (%s) TO STDOUT%s" % (sql, form) for sql in (ONCE, SETS[9], SETS[11]) for form in ("", " (FORMAT csv, HEADER)", " (FORMAT binary)")],
    "the first of each": ["SELECT DISTINCT ON (ward_id) id, ward_id FROM patients ORDER BY ward_id, id DESC", "SELECT DISTINCT ON (2) id, ward_id FROM patients ORDER BY 2, 1", "SELECT DISTINCT ON (2, sex) * FROM patients ORDER BY 2, sex, id LIMIT 3",
                          "SELECT DISTINCT ON (ward_id) ward_id, sex, count(*) FROM patients GROUP BY 1, 2 ORDER BY 1, 2", "SELECT DISTINCT ON (2) id FROM patients", "SELECT DISTINCT ON (0) id FROM patients", "SELECT DISTINCT ON (sex) id FROM patients ORDER BY id",
                          "SELECT DISTINCT ON (s.patient_id) s.patient_id, rank() OVER (ORDER BY s.id) FROM stays s ORDER BY s.patient_id, s.id", "SELECT * FROM (SELECT DISTINCT ON (ward_id) * FROM patients ORDER BY ward_id, id) q ORDER BY 1"],
    "both descriptions": [extended(sql, describe="SP") + wire.SYNC for sql in (COUNTS, WARDS, BOTH_ARMS)],
    "formats": [extended(sql, formats=f, describe=d) + wire.SYNC for sql, f in ((COUNTS, (1,)), (COUNTS, (0, 1, 1)), (WARDS, (1, 0)), (BOTH_ARMS, (1, 1)), (BOTH_ARMS, (0, 1))) for d in ("P", "")],
    "a portal in parts": ["BEGIN", extended(COUNTS, rows=1, portal="a") + wire.execute("a", 1) + wire.execute("a", 0) + wire.SYNC, "COMMIT"],
    "cursors": ["BEGIN", "DECLARE c SCROLL CURSOR FOR " + COUNTS, "FETCH 1 FROM c", "FETCH BACKWARD 1 FROM c", extended("FETCH ALL FROM c", describe="SP", formats=(0, 1, 1)) + wire.SYNC,
                "DECLARE d CURSOR WITH HOLD FOR " + WARDS, "COMMIT", "FETCH 2 FROM d", "CLOSE d"],
    "PREPARE and EXECUTE": ["PREPARE one AS " + BOTH_ARMS, "EXECUTE one", extended("EXECUTE one", describe="SP", formats=(1, 1)) + wire.SYNC, "DEALLOCATE one"],
    "many statements": ["SELECT 1; %s; SELECT 2; %s; %s" % (COUNTS, WARDS, BOTH_ARMS)],
    "COPY": ["COPY (%s) TO STDOUT%s" % (sql, form) for sql in (COUNTS, WARDS, BOTH_ARMS) for form in ("", " (FORMAT csv, HEADER)", " (FORMAT binary)")],
    "an error on the way": ["SELECT ward_id, 1 / (count(*) - count(*)) FROM patients GROUP BY 1", "SELECT DISTINCT 1 / (ward_id - ward_id) FROM patients"],
    "errors of the text": ["SELECT DISTINCT ward_id FROM patients ORDER BY sex", "SELECT DISTINCT ward_id FROM patients ORDER BY ward_id + 1",
                           "SELECT ward_id FROM patients GROUP BY 2", "SELECT ward_id FROM patients GROUP BY 0", "SELECT id FROM patients UNION ALL SELECT family_name FROM patients",
                           "SELECT id FROM patients UNION ALL SELECT id, id FROM patients", "SELECT id FROM patients UNION ALL SELECT id FROM patients ORDER BY 2",
                           "SELECT id FROM patients UNION ALL SELECT id FROM patients ORDER BY family_name",
                           "SELECT count(*) FROM patients WHERE count(*) > 1", "SELECT max(count(*)) FROM patients", "SELECT q.c FROM patients p, LATERAL (SELECT count(p.id) AS c) q"],
    "stars in parentheses, with names": ["SELECT (p.*) FROM patients p WHERE id < 60 ORDER BY 1", "SELECT (patients.*), 1 FROM patients WHERE id < 60 ORDER BY 1", "SELECT p.* AS x FROM patients p WHERE id < 60 ORDER BY id",
                                         "SELECT DISTINCT (p.*) FROM patients p WHERE id < 60 ORDER BY id", "SELECT ((w.*)) AS x FROM wards w ORDER BY 1",
                                         "SELECT * FROM (SELECT (p.*) FROM patients p WHERE id < 60) q ORDER BY id", "SELECT (p.*) FROM patients p WHERE id < 60 UNION ALL SELECT (p.*) FROM patients p WHERE id < 20 ORDER BY 1"],
    "numbers of no column": ["SELECT * FROM patients ORDER BY 99", "SELECT * FROM patients GROUP BY 99", "SELECT p.* FROM patients p UNION ALL SELECT p.* FROM patients p ORDER BY 99", "SELECT DISTINCT * FROM patients ORDER BY 99"],
    "in the order of a sub-query": ["SELECT %s, %s FROM (SELECT * FROM patients ORDER BY birth_date, id) q GROUP BY %s ORDER BY 1" % (by, what, by) for by in ("sex", "ward_id")
                                    for what in ("string_agg(family_name, ',')", "array_agg(id)", "json_agg(family_name)")] + ["SELECT string_agg(family_name, ',') FROM (SELECT * FROM patients ORDER BY birth_date, id) q"],
    "what PostgreSQL's catalogs hold": ["SELECT DISTINCT (SELECT c.relfrozenxid FROM pg_class c WHERE c.relname = 'nothing') FROM patients", "SELECT (SELECT c.relfrozenxid FROM pg_class c WHERE c.relname = 'nothing'), count(*) FROM patients GROUP BY 1",
                                        "WITH q AS (SELECT c.relfrozenxid AS x FROM pg_class c WHERE c.relname = 'nothing') SELECT DISTINCT x FROM q, patients p WHERE p.id = 4"],
    "what windows and lists sort by": ["SELECT id, row_number() OVER (ORDER BY %s) FROM patients WHERE id < 20 ORDER BY id" % ", ".join("id + %d" % i for i in range(1662)),
                                       "SELECT count(*) FROM patients GROUP BY (%s) ORDER BY 1 LIMIT 3" % ", ".join("id + %d" % i for i in range(1663)),
                                       "SELECT count(*) FROM patients GROUP BY GROUPING SETS ((%s)) ORDER BY 1 LIMIT 3" % ", ".join("id + %d" % i for i in range(1663))],
    "as many as there can be": ["SELECT %s FROM patients WHERE id < 60 ORDER BY family_name || '', id" % ", ".join(["id"] * n) for n in (1600, 1661, 1662)]
                               + ["SELECT %s FROM patients GROUP BY sex ORDER BY 1" % ", ".join("max(id + %d)" % i for i in range(n)) for n in (1600, 1663)],
    "words that end nothing": ["SELECT DISTINCT collation for ('a') FROM patients", "SELECT DISTINCT collation for ('a') AS \"for\", sex FROM patients ORDER BY 2"],
    "types without an order": ["SELECT DISTINCT c.relfrozenxid::text FROM pg_class c JOIN patients p ON p.id < 10 WHERE c.relname = 'nothing'"],
    "no rows": ["SELECT count(*), max(id) FROM patients WHERE id < 0", "SELECT DISTINCT id FROM patients WHERE id < 0", "SELECT ward_id, count(*) FROM patients WHERE id < 0 GROUP BY 1",
                "SELECT count(*) FROM patients HAVING false", "SELECT 1 FROM patients HAVING true"],
    "forms": ["SELECT ward_id, sex, count(*) FROM patients GROUP BY ROLLUP (1, 2) ORDER BY 1, 2", "SELECT ward_id, count(*) FROM patients GROUP BY CUBE (ward_id) ORDER BY 1",
              "SELECT sex, rank() OVER (ORDER BY count(*) DESC) FROM patients GROUP BY sex ORDER BY 1", "SELECT mode() WITHIN GROUP (ORDER BY sex) FROM patients", "SELECT DISTINCT 1 FROM patients",
              "SELECT DISTINCT NULL, 'x' FROM patients", "SELECT DISTINCT generate_series(1, 3) FROM patients ORDER BY 1", "SELECT ward_id, generate_series(1, 2) FROM patients GROUP BY 1 ORDER BY 1, 2",
              "SELECT DISTINCT p.* FROM patients p JOIN stays s ON s.patient_id = p.id WHERE p.id < 90 ORDER BY p.id", "SELECT DISTINCT sex AS \"order\", ward_id AS \"limit\" FROM patients ORDER BY 1, 2",
              "SELECT DISTINCT sex\nFROM patients -- the end\n", "SELECT * FROM (SELECT DISTINCT ward_id /* here */ FROM patients /* and here */) q ORDER BY 1",
              "SELECT id, count(*) FROM patients GROUP BY id HAVING count(*) > 1",
              "SELECT max(n) FROM (SELECT ward_id, count(*) AS n FROM patients GROUP BY ward_id) q", "WITH q AS (SELECT ward_id, count(*) AS n FROM patients GROUP BY 1) SELECT p.id, q.n FROM patients p JOIN q USING (ward_id) ORDER BY 1"],
}


@pytest.mark.parametrize("case", GROUPED)
def test_answers_of_groups_are_postgresqls_message_by_message(case, stack, oracles):
    from side_by_side import Both
    with Both(stack, oracles["nurse"].info.dbname, "nurse1") as both:
        both.run(*GROUPED[case])


@pytest.mark.parametrize("case", PROTOCOL)
def test_answers_are_postgresqls_message_by_message(case, stack, oracles):
    from side_by_side import Both
    with Both(stack, oracles["receptionist"].info.dbname, "reception1") as both:
        both.run(*PROTOCOL[case])


NAMES = [
    'SELECT "pgvigil subject" FROM patients', 'SELECT patients."pgvigil subject" FROM patients', 'SELECT p."pgvigil subject" FROM patients p',
    'SELECT (p)."pgvigil subject" FROM patients p', 'SELECT (p.*)."pgvigil subject" FROM patients p', 'SELECT "pgvigil subject"(p) FROM patients p',
    'SELECT "pgvigil subject" FROM patients, generate_series(1, 1) g', 'SELECT "pgvigil subject 1" FROM (SELECT id FROM patients) q',
    'SELECT q."pgvigil subject 1" FROM (SELECT id FROM patients) q', 'WITH q AS (SELECT id FROM patients) SELECT "pgvigil subject 1" FROM q',
    'SELECT p.sex FROM patients p JOIN patients o USING ("pgvigil subject")', 'SELECT sex FROM patients ORDER BY "pgvigil subject"',
    'SELECT sex FROM patients GROUP BY sex, "pgvigil subject"', 'SELECT sex FROM patients WHERE "pgvigil subject" = \'9\'',
    'SELECT sex FROM patients p WHERE EXISTS (SELECT 1 WHERE p."pgvigil subject" = \'9\')', 'SELECT 1 AS "pgvigil subject 1"',
    'COPY patients ("pgvigil subject") TO STDOUT', 'SELECT * FROM "public.patients!subject"', 'SELECT * FROM patients p(a, b, c) JOIN LATERAL (SELECT p."pgvigil subject") z ON true',
    # A name of the client's in an outer level; PostgreSQL looks in the inner one first.
    'SELECT q.* FROM (VALUES (1)) AS g("pgvigil subject"), LATERAL (SELECT "pgvigil subject" AS x FROM patients p) q',
    'SELECT q.* FROM generate_series(1, 1) AS "pgvigil subject", LATERAL (SELECT sex FROM patients p WHERE "pgvigil subject" = \'9\') q',
    'SELECT sex FROM patients ORDER BY 0', 'SELECT sex FROM patients ORDER BY -1', 'SELECT sex FROM patients ORDER BY 2',
    'SELECT * FROM generate_series(1, 1) AS "pgvigil subject"', 'SELECT * FROM json_to_record(\'{}\') AS g("pgvigil subject" text)',
]


@pytest.mark.parametrize("sql", NAMES)
def test_it_cannot_be_named(sql, stack):
    with stack.connect("research1", mission="research") as c:
        for binary in (False, True):
            with pytest.raises(psycopg.Error):
                c.execute(sql, prepare=binary)
        assert c.execute("SELECT count(*) FROM patients").fetchone()[0] > 0  # the session goes on


WHOLE = [
    "SELECT * FROM patients", "SELECT p FROM patients p", "SELECT to_json(p) FROM patients p", "SELECT row(p.*) FROM patients p", "SELECT p::text FROM patients p",
    "SELECT row_to_json(q) FROM (SELECT * FROM patients) q", "SELECT array_agg(p) FROM patients p", "SELECT * FROM patients p(a, b, c, d)", "SELECT (p).* FROM patients p",
    "SELECT jsonb_agg(to_jsonb(p)) FROM patients p", "SELECT * FROM (SELECT * FROM patients) q", "WITH q AS (SELECT * FROM patients) SELECT q FROM q",
    "SELECT * FROM patients a NATURAL JOIN patients b", "SELECT a.* FROM patients a, LATERAL (SELECT a.*) b", "SELECT b FROM patients a, LATERAL (SELECT a.*) b",
    "SELECT count(DISTINCT p) FROM patients p", "SELECT max(p::text) FROM patients p", "SELECT p IS DISTINCT FROM NULL, p.* FROM patients p",
    "SELECT * FROM patients p LEFT JOIN stays s ON false", "SELECT coalesce(p, p) FROM patients p", "SELECT * FROM ROWS FROM (generate_series(1, 2)) g, patients",
    # item.function
    "SELECT p.to_json FROM patients p", "SELECT patients.row_to_json FROM patients", "SELECT q.to_jsonb FROM (SELECT sex FROM patients) q", "SELECT p.json_agg FROM patients p",
    "SELECT l.* FROM patients p, LATERAL (SELECT p.to_json) l", "SELECT p.to_jsonb->>'pgvigil subject' AS s FROM patients p WHERE p.to_jsonb ? 'pgvigil subject'",
]


@pytest.mark.parametrize("sql", WHOLE)
def test_whole_rows_are_those_of_the_guard(sql, stack):
    """A researcher sees no patient's number: a database in which they are others gives the same answers."""
    with stack.connect("research1", mission="research") as c:
        cursor = c.cursor()
        try:
            cursor.execute(sql)
        except psycopg.Error as error:
            assert "pgvigil subject" not in str(error)
            return
        names = [d.name for d in cursor.description]
        assert not any(n.startswith("pgvigil") for n in names)
        rows = cursor.fetchall()
        assert "pgvigil" not in repr(rows)
    with stack.superuser() as c:
        columns = {r[0] for r in c.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'public.patients'::regclass AND attnum > 0").fetchall()}
    for row in rows[:50]:
        for name, value in zip(names, row):
            for one in (value if isinstance(value, list) else [value]):
                if isinstance(one, dict):
                    assert set(one) <= columns, one


def test_a_subject_that_is_hidden_is_in_the_record_and_nowhere_else(stack):
    with stack.connect("research1", mission="research", application_name="subject-hidden") as c:
        got = c.execute("SELECT id, sex AS mk_hidden FROM patients ORDER BY id").fetchall()
    with stack.superuser() as c:
        ids = {str(r[0]) for r in c.execute("SELECT p.id FROM patients p WHERE NOT EXISTS (SELECT 1 FROM objections o WHERE o.patient_id = p.id AND o.purpose = 'research')").fetchall()}
    trail = Trail(stack)
    assert trail.patients["mk_hidden"] == ids and trail.exact["mk_hidden"]
    assert len(got) == len(ids) and not ids & {str(r[0]) for r in got}


OTHERS = {  # mark: (statement, SQLSTATE, exact)
    "mk_window": ("SELECT id, array_agg(family_name) OVER () AS mk_window FROM patients ORDER BY id LIMIT 1", None, False),
    "mk_lag": ("SELECT q.* FROM (SELECT lag(family_name) OVER (ORDER BY id) AS mk_lag, id FROM patients) q ORDER BY id OFFSET 1 LIMIT 1", None, False),
    "mk_numbers": ("SELECT row_number() OVER (ORDER BY id) AS mk_numbers FROM patients ORDER BY id LIMIT 1", None, True),
    "mk_error": ("SELECT family_name::int AS mk_error FROM patients WHERE id = 7", "22P02", False),
    "mk_slip": ("SELECT family_nam AS mk_slip FROM patients WHERE id = 7", "42703", True),
}


def test_what_other_rows_hold_is_not_called_exact(stack):
    """In a row of somebody's, or in an error's message."""
    with stack.connect("reception1", mission="admission") as c:
        for sql, sqlstate, _ in OTHERS.values():
            result = c.pgconn.exec_(sql.encode())
            assert (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode() == (sqlstate or ""), sql
    with wire.open_session(stack, "reception1") as raw:
        for mark, rows in (("mk_part", 2), ("mk_all", 0)):
            sql = "UPDATE appointments AS %s SET minutes = 30 WHERE id < 9 RETURNING id" % mark
            raw.send(wire.query("BEGIN") + extended(sql, rows=rows) + wire.SYNC + wire.query("ROLLBACK"))
            for _ in range(3):
                raw.until("Z")
    trail = Trail(stack)
    assert not trail.exact["mk_part"] and trail.exact["mk_all"]  # all of them were written
    for mark, (sql, _, exact) in OTHERS.items():
        assert trail.exact[mark] == exact, sql


def test_long_lists_go_on_in_further_records(stack):
    """More patients than one record names, and a row that passes in pieces."""
    with stack.superuser() as c:
        columns = [r[0] for r in c.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'patients'::regclass AND attnum > 0 AND NOT attisdropped").fetchall()]
        values = {"id": "100000 + 2 * n", "nir": "('2840588' || lpad(n::text, 6, '0')) || lpad((97 - ('2840588' || lpad(n::text, 6, '0'))::bigint % 97)::text, 2, '0')"}
        c.execute("INSERT INTO patients (%s) SELECT %s FROM patients, generate_series(1, 15000) n WHERE id = (SELECT min(id) FROM patients)" % (
            ", ".join(columns), ", ".join(values.get(column, column) for column in columns)))
        ids = {str(r[0]) for r in c.execute("SELECT id FROM patients").fetchall()}
    try:
        with stack.connect("reception1", mission="admission") as c:
            assert len(c.execute("SELECT id, family_name AS mk_long FROM patients").fetchall()) == len(ids)
        with stack.superuser() as c:
            seen = {str(r[0]) for r in c.execute("SELECT p.id FROM patients p WHERE NOT EXISTS (SELECT 1 FROM objections o WHERE o.patient_id = p.id AND o.purpose = 'research')").fetchall()}
            assert len(seen) > 15000
        with stack.connect("research1", mission="research") as c:  # as one list, in front of a row that comes in pieces
            for binary in (False, True):
                row = c.execute("SELECT repeat('x', 3000000), count(*) AS mk_list%d FROM patients" % binary, binary=binary).fetchone()
                assert len(row[0]) == 3000000 and row[1] == len(seen)
        with stack.connect("reception1", mission="admission") as c:
            wide = c.execute("SELECT repeat('x', 3000000) AS mk_wide, id FROM patients ORDER BY id LIMIT 2").fetchall()
        assert [len(r[0]) for r in wide] == [3000000] * 2
    finally:
        with stack.superuser() as c:
            c.execute("DELETE FROM patients WHERE id > 100000")
    trail = Trail(stack)
    assert trail.patients["mk_long"] == ids and trail.exact["mk_long"]
    assert len(trail.whole["mk_long"]) > 2  # begin, more..., end
    assert all(len(expand(r.get("patients", []))) <= 20000 for r in trail.whole["mk_long"])
    for mark in ("mk_list0", "mk_list1"):
        assert trail.patients[mark] == seen and trail.exact[mark]
        assert len(trail.whole[mark]) > 2 and all(len(expand(r.get("patients", []))) <= 10000 for r in trail.whole[mark])
    assert trail.patients["mk_wide"] == {str(r[1]) for r in wide} and trail.exact["mk_wide"]


def test_first_rows_of_a_long_answer_are_on_record_while_the_rest_is_waited_for(stack):
    """More than is held comes at once, then the server is busy with one row: whose the first rows are is on record by then."""
    busy = "CASE WHEN id = 90 THEN (SELECT count(*) FROM generate_series(1, 20000000)) END"
    with wire.open_session(stack, "reception1") as raw:
        raw.send(wire.query("SELECT id, repeat('x', 500), %s AS mk_waits FROM (SELECT id FROM patients ORDER BY id OFFSET 0) q" % busy))
        while raw.receive()[0] != "D":
            pass
        parts = Trail(stack).whole["mk_waits"]
        first = set().union(*(expand(r.get("patients", [])) for r in parts))
        assert [r["type"] for r in parts] == ["begin", "more"] and "1" in first and "90" not in first, parts
        raw.until("Z")


def test_patients_are_on_record_before_the_rows_that_tell_of_them(stack):
    """The file is read after the first byte of each answer that is longer than what is held."""
    with wire.open_session(stack, "reception1") as raw:
        raw.send(wire.query("SELECT id, repeat('x', 500) AS mk_first FROM patients"))
        seen = set()
        for _ in range(400):
            kind, body = raw.receive()
            if kind == "D":
                seen.add(wire.row(body)[0].decode())
                if len(seen) % 50 == 0:
                    assert seen <= Trail(stack).patients["mk_first"]
            if kind == "C":
                break
        assert len(seen) > 100


# ---- COPY of a table -----------------------------------------------------------------------------------------------------

TABLES = {  # what is copied: (the same as a query, whose rows)
    "appointments": ("SELECT * FROM appointments", "SELECT patient_id FROM appointments"),
    "public.patients (id, family_name)": ("SELECT id, family_name FROM patients", "SELECT id FROM patients"),
    "stays (id, ward_id)": ("SELECT id, ward_id FROM stays", "SELECT patient_id FROM stays"),
}


@pytest.mark.parametrize("form", ["", " (FORMAT csv, HEADER)", " (FORMAT binary)", " (DELIMITER ' ', HEADER)", " CSV DELIMITER ';'"])
@pytest.mark.parametrize("table", TABLES)
def test_copies_of_tables_are_those_of_the_query_and_name_everybody(table, form, stack):
    query, subjects = TABLES[table]
    name = "copy-%s" % abs(hash((table, form)))
    with stack.connect("reception1", mission="admission", application_name=name) as c:
        whose = {str(r[0]) for r in c.execute(subjects).fetchall()}
        data, *told = copy_out(c, "COPY %s TO STDOUT%s" % (table, form))
        same, *other = copy_out(c, "COPY (%s) TO STDOUT%s" % (query, form))
    assert data == same and told == other and len(data) > 100
    records = [r for r in stack.audit_records() if r.get("application") == name and r.get("statement", "").startswith("COPY")]
    assert len(records) == 2 and all("subjects" not in r for r in records)
    begun = {(r["session"], r["seq"]) for r in records}
    more = [r for r in stack.audit_records() if (r.get("session"), r.get("begin")) in begun]
    for one in records:
        mine = [one] + [r for r in more if r["begin"] == one["seq"] and r["session"] == one["session"]]
        assert set().union(*(expand(r.get("patients", [])) for r in mine)) == whose and not any("subjects" in r for r in mine)


# ---- cursors: what is told beside their rows ---------------------------------------------------------------------------------

TELLS = {"MOVE": (["BEGIN", "DECLARE mk_{0} CURSOR FOR SELECT id FROM patients", "MOVE ALL IN mk_{0}", "COMMIT"], False),
         "HOLD": (["DECLARE mk_{0} CURSOR WITH HOLD FOR SELECT id FROM patients", "CLOSE mk_{0}"], False),
         "FETCH": (["BEGIN", "DECLARE mk_{0} CURSOR FOR SELECT id FROM patients", "FETCH ALL FROM mk_{0}", "COMMIT"], True)}


def test_copies_into_tables_name_whose_rows_went_in(stack):
    """And the client sees no row of it. One that fails has not told of anybody."""
    columns = "id, patient_id, stay_id, taken_on, taken_at, practitioner, loinc, label, value, unit"
    row = (date(2024, 3, 1), "2024-03-01 10:00+01", "10000000017", "8310-5", "x", 37, "Cel")
    with stack.connect("nurse1", mission="care") as c:
        stays = c.execute("SELECT id, patient_id FROM stays ORDER BY id LIMIT 300").fetchall()
        for mark, numbers in (("mk_into", range(700000, 700000 + len(stays))), ("mk_into_again", [700000]), ("mk_into_nothing", [])):
            with c.transaction(force_rollback=mark == "mk_into_nothing"):
                try:
                    with c.cursor() as cursor, cursor.copy("COPY observations (%s) FROM STDIN -- %s" % (columns, mark)) as copy:
                        for number, (stay, patient) in zip(numbers, stays):
                            copy.write_row((number, patient, stay, *row))
                    assert mark != "mk_into_again"
                except psycopg.errors.UniqueViolation:
                    assert mark == "mk_into_again"
                    raise psycopg.Rollback from None
        assert c.execute("SELECT count(*) FROM observations WHERE id BETWEEN 700000 AND 700999").fetchone()[0] == len(stays)
    with stack.superuser() as c:
        c.execute("DELETE FROM observations WHERE id BETWEEN 700000 AND 700999")
    trail = Trail(stack)
    assert trail.exact["mk_into"] and trail.patients["mk_into"] == {str(patient) for _, patient in stays}
    assert trail.exact["mk_into_nothing"] and trail.patients["mk_into_nothing"] == set()
    assert not trail.exact["mk_into_again"] and trail.patients["mk_into_again"] == set()


@pytest.mark.parametrize("name", TELLS)
def test_cursors_are_called_exact_only_where_rows_say_it_all(name, stack):
    steps, exact = TELLS[name]
    with stack.connect("reception1") as c:
        for step in steps:
            c.execute(step.format(name.lower()))
    assert Trail(stack).exact["mk_" + name.lower()] == exact


# ---- whom a statement asks about, where its rows do not tell ------------------------------------------------------------

NAMED = {  # statement (a receptionist's): whom it names
    "SELECT count(*) AS {m} FROM patients WHERE id = 7": {"7"},
    "SELECT count(*) AS {m} FROM patients p WHERE 8 = p.id AND family_name = '9'": {"8"},
    "SELECT count(*) AS {m} FROM public.patients WHERE public.patients.id = 9": {"9"},
    "SELECT count(*) AS {m} FROM patients WHERE id IN (10, 11, 12 + 1) OR ward_id = 14": {"10", "11"},
    "SELECT count(*) AS {m} FROM patients WHERE id = ANY('{{15, 16}}')": {"15", "16"},
    "SELECT count(*) AS {m} FROM patients WHERE id = ANY(ARRAY[17, 18])": {"17", "18"},
    "SELECT count(*) AS {m} FROM patients WHERE id = ' 0019 '": {"19"},
    "SELECT count(*) AS {m} FROM patients WHERE id = '20'::int OR id = 21::bigint": {"20", "21"},
    "SELECT name AS {m} FROM wards w WHERE w.id = 2 AND EXISTS (SELECT 1 FROM stays s WHERE s.patient_id = 22 AND s.ward_id = w.id AND s.id = 23)": {"22"},
    "SELECT id AS {m} FROM patients WHERE id = 24 UNION SELECT patient_id FROM stays WHERE patient_id = 25": {"24", "25"},
    "SELECT (SELECT max(starts_at) FROM appointments a WHERE a.patient_id <> p.id) AS {m} FROM patients p WHERE p.id = 26": {"26"},
    "SELECT count(*) AS {m} FROM patients WHERE id = -27 OR id <> 28 OR id > 29 OR id + 0 = 30 OR id = 31 + 0": set(),
    "SELECT count(*) AS {m} FROM (SELECT id + 1 AS id FROM patients) q WHERE q.id = 32": set(),
    "SELECT count(*) AS {m} FROM patients WHERE 33 = 33 AND NULL = id AND id = NULL AND id = '34x'::text::int": set(),
    "SELECT count(*) AS {m} FROM patients p(ward_id, id) WHERE p.id = 35": set(),
    "SELECT count(*) AS {m} FROM patients WHERE id OPERATOR(pg_catalog.=) 36": {"36"},
    "SELECT count(*) AS {m} FROM patients WHERE id = ANY(' {{ 37 , NULL, \"38\" }} ') OR id = ANY('{{{{39,40}},{{41,42}}}}') OR id = ANY('[0:1]={{43,44}}')": {str(n) for n in range(37, 45)},
    "SELECT count(*) AS {m} FROM patients p WHERE EXISTS (SELECT 1 FROM generate_series(1, 3) AS id WHERE id = 45)": set(),
    "SELECT count(*) AS {m} FROM patients p, LATERAL (SELECT 1 FROM unnest(ARRAY[1, 2]) id WHERE id = 46) z": set(),
    "SELECT count(*) AS {m} FROM patients p WHERE EXISTS (SELECT 1 FROM json_to_record('{{\"id\":1}}') AS v(id int) WHERE id = 47)": set(),
}


def asked(stack, number, sql):
    return sql.replace("{m}", "mk_named_%s" % number).replace("{{", "{").replace("}}", "}")


def test_statements_that_do_not_tell_name_whom_they_ask_about(stack):
    with stack.connect("reception1", mission="admission") as c:
        for number, sql in enumerate(NAMED):
            for way in ("simple", "text", "binary", "named", "prepare"):
                result = run_any(c, way, asked(stack, "%s_%s" % (number, way), sql))
                assert not result.error_message or "'34x'" in sql, (sql, result.error_message)
    trail = Trail(stack)
    for number, (sql, named) in enumerate(NAMED.items()):
        for way in ("simple", "text", "binary", "named", "prepare"):
            mark = "mk_named_%s_%s" % (number, way)
            found = trail.patients[mark]
            if "SELECT (SELECT" in sql:
                assert found == {"26"}, sql
            elif "id = -27" in sql:
                assert found <= {"-27"}, sql
            else:
                assert found == named, (sql, way)
            assert not trail.exact[mark], sql


def run_any(connection, way, sql):
    raw, name = connection.pgconn, re.search(r"mk_\w+", sql).group(0).encode()
    if way == "simple":
        return raw.exec_(sql.encode())
    if way in ("text", "binary"):
        return raw.exec_params(sql.encode(), [], result_format=way == "binary")
    if way == "named":
        raw.prepare(name, sql.encode())
        return raw.exec_prepared(name, [])
    raw.exec_(b"PREPARE " + name + b" AS " + sql.encode())
    return raw.exec_(b"EXECUTE " + name)


def test_texts_that_differ_in_constants_name_their_own(stack):
    """The second of them is not judged again."""
    with stack.connect("reception1", mission="admission") as c:
        for number in (41, 42, 1043, 7):
            for form in ("%d", "'%d'", "' 0%d'", "%d::int"):
                value = form % number
                c.pgconn.exec_(("SELECT count(*) AS mk_alike_%d FROM patients WHERE id = %s AND family_name = 'O''Brien %d'" % (number, value, number)).encode())
        for name in ("'12'", "'4''2'", "'13 '"):
            c.pgconn.exec_(("SELECT 'mk_quoted', count(*) AS mk_quoted FROM patients WHERE id::text = '1' OR id = %s" % name).encode())
    trail = Trail(stack)
    for number in (41, 42, 1043, 7):
        assert trail.patients["mk_alike_%d" % number] == {str(number)} and not trail.exact["mk_alike_%d" % number]
    assert trail.patients["mk_quoted"] == {"12", "13"}


def test_parameters_name_whom_they_are(stack):
    from psycopg.types.numeric import Int2, Int8
    with stack.connect("reception1", mission="admission") as c:
        for binary in (False, True):
            for prepare in (False, True):
                mark = "mk_param_%d%d" % (binary, prepare)
                cursor = c.cursor(binary=binary)
                for n, value in enumerate((Int2(51), 52, Int8(53), "54" if not binary else 54)):
                    form = "%b" if binary else "%s"
                    cursor.execute("SELECT count(*) AS %s_%d FROM patients WHERE id = %s" % (mark, n, form), (value,), prepare=prepare)
                cursor.execute("SELECT count(*) AS %s_list FROM patients WHERE id = ANY(%s) AND ward_id = %s" % (mark, form, form), ([61, 62], 63), prepare=prepare)
                cursor.execute("SELECT count(*) AS %s_none FROM patients WHERE id = %s" % (mark, form), (None,), prepare=prepare)
        c.execute("PREPARE mk_execute (int, int) AS SELECT count(*) FROM patients WHERE ward_id = $1 AND id = $2")
        c.execute("EXECUTE mk_execute (71, 72)")
        c.execute("EXECUTE mk_execute (73, '74')")
        c.execute("BEGIN")
        c.execute("DECLARE mk_declared CURSOR FOR SELECT count(*) FROM patients WHERE id = 75")
        c.execute("FETCH ALL FROM mk_declared")
        c.execute("COMMIT")
        assert copy_out(c, "COPY (SELECT count(*) AS mk_copied FROM patients WHERE id = 76) TO STDOUT")[0] == [b"1\n"]
    trail = Trail(stack)
    for binary in (0, 1):
        for prepare in (0, 1):
            mark = "mk_param_%d%d" % (binary, prepare)
            assert [trail.patients["%s_%d" % (mark, n)] for n in range(4)] == [{"51"}, {"52"}, {"53"}, {"54"}]
            assert trail.patients[mark + "_list"] == {"61", "62"} and trail.patients[mark + "_none"] == set()
    assert trail.patients["mk_execute"] == {"72", "74"} and trail.patients["mk_declared"] == {"75"} and trail.patients["mk_copied"] == {"76"}
    assert not trail.exact["mk_execute"] and not trail.exact["mk_declared"] and not trail.exact["mk_copied"]


def test_statements_that_turn_out_not_to_tell_name_whom_they_ask_about(stack, bound):
    """An error may show what a row holds, MOVE tells how many there are, a group may have too many."""
    with stack.connect("reception1", mission="admission") as c:
        for sql, values in (("SELECT family_name::int AS mk_turns_0 FROM patients WHERE id = 7", None), ("SELECT family_name::int AS mk_turns_1 FROM patients WHERE id = %s", (8,)),
                            ("SELECT id / 0 AS mk_turns_2 FROM patients WHERE id IN (9, 10)", None),
                            ("SELECT id AS mk_turns_7 FROM patients WHERE id = 13 AND (family_name || ' x')::tsquery IS NULL", None)):
            with pytest.raises(psycopg.Error):
                c.execute(sql, values)
        c.execute("BEGIN")
        c.execute("DECLARE mk_turns_3 CURSOR FOR SELECT id FROM patients WHERE id = 11")
        c.execute("MOVE ALL IN mk_turns_3")
        c.execute("COMMIT")
        c.execute("SELECT id AS mk_turns_4 FROM patients WHERE id = 12 AND ward_id = 0")
    with bound.connect("reception1") as c:
        c.execute("SELECT count(*) AS mk_turns_5 FROM patients WHERE id IN (%s)" % ", ".join(map(str, range(1, 40))))
        c.execute("SELECT count(*) AS mk_turns_6 FROM patients WHERE id = %s OR id > 20", (7,))
    trail = Trail(stack)
    assert trail.patients["mk_turns_7"] == {"13"} and not trail.exact["mk_turns_7"]  # 42601, of a value
    for number, named in enumerate(({"7"}, {"8"}, {"9", "10"}, {"11"})):
        assert trail.patients["mk_turns_%d" % number] == named and not trail.exact["mk_turns_%d" % number], number
    assert trail.patients["mk_turns_4"] == set() and trail.exact["mk_turns_4"]  # nothing was read, and it is exact
    trail = Trail(bound)
    assert trail.patients["mk_turns_5"] == {str(n) for n in range(1, 40)} and not trail.exact["mk_turns_5"]
    assert trail.patients["mk_turns_6"] == {"7"} and not trail.exact["mk_turns_6"]


def test_values_of_types_that_nobody_declared_are_not_guessed(stack):
    """In binary, behind a cast: four characters are no number."""
    def name(number, sql, value):
        with wire.open_session(stack, "reception1") as raw:
            raw.send(wire.parse("SELECT count(*) AS mk_guess_%d FROM patients WHERE %s" % (number, sql)) + wire.bind((value,), formats=(1,)) + wire.execute("") + wire.SYNC)
            raw.until("Z")
    name(0, "family_name = $1 OR id = $1::int", b"1234")
    name(1, "id = $1::float8", bytes.fromhex("401c000000000000"))
    name(2, "id = $1", (9).to_bytes(8, "big"))
    trail = Trail(stack)
    assert trail.patients["mk_guess_0"] == trail.patients["mk_guess_1"] == set() and trail.patients["mk_guess_2"] == {"9"}


def test_a_long_list_is_named_by_a_text_that_was_not_judged_itself(stack):
    lists = ["1", ",".join(map(str, range(2, 600)))]
    with stack.connect("reception1", mission="admission") as c:
        for number, numbers in enumerate(lists):
            c.pgconn.exec_(("SELECT 'mk_lists_%d', count(*) AS mk_lists FROM patients WHERE id = ANY('{%s}')" % (number, numbers)).encode())
    assert Trail(stack).patients["mk_lists"] == {str(n) for n in range(1, 600)}


def test_a_portal_names_whom_its_own_parameters_are(stack):
    """Two portals of one statement, executed and fetched from in turn."""
    sql = "SELECT count(*) AS mk_portal_%s FROM patients WHERE id = $1"
    with wire.open_session(stack, "reception1") as raw:
        raw.send(wire.query("BEGIN") + wire.parse(sql % "a", "s") + wire.bind((b"81",), "a", "s") + wire.bind((b"82",), "b", "s") + wire.execute("b") + wire.SYNC)
        raw.until("Z")
        raw.until("Z")
        first = Trail(stack).patients["mk_portal_a"]
        raw.send(wire.query("FETCH 1 FROM a"))
        raw.until("Z")
        raw.send(wire.query("COMMIT"))
        raw.until("Z")
    assert first == {"82"}
    fetched = [r for r in stack.audit_records() if r.get("statement") == "FETCH" and expand(r.get("patients", [])) == {"81"}]
    assert len(fetched) == 1 and fetched[0]["subjects"] == "aggregate"


def test_pseudonyms_name_nobody(stack):
    with stack.connect("research1", mission="research") as c:
        pseudonym = c.execute("SELECT patient_id FROM stays LIMIT 1").fetchone()[0]
        c.execute("SELECT ward_id AS mk_pseudonym FROM stays WHERE patient_id = '%s' EXCEPT ALL SELECT 1" % pseudonym)
    trail = Trail(stack)
    assert trail.patients["mk_pseudonym"] == set() and not trail.exact["mk_pseudonym"]


def test_unrestricted_roles_are_recorded_with_whom_they_ask_about(stack):
    cases = {"SELECT family_name AS mk_dba0 FROM patients WHERE id = 91": {"91"}, "SELECT p.* , 1 AS mk_dba1 FROM patients p, wards id WHERE p.id = 92 AND id.id = 1": {"92"},
             "UPDATE patients AS mk_dba2 SET phone = phone WHERE id IN (93, 94)": {"93", "94"}, "SELECT 1 AS mk_dba3 FROM patients p JOIN wards w ON true WHERE w.id = 95": set(),
             "SELECT 1 AS mk_dba4 FROM wards WHERE id = 96 AND EXISTS (SELECT 1 FROM patients)": set(), "SELECT 1 AS mk_dba5 FROM stays WHERE patient_id = 97 AND EXISTS (SELECT 1 FROM wards)": {"97"},
             "SELECT count(*) AS mk_dba6 FROM (SELECT p.ward_id AS id FROM patients p) p WHERE p.id = 3": set(), "WITH q(id) AS (SELECT ward_id FROM patients) SELECT count(*) AS mk_dba7 FROM q WHERE id = 4": set(),
             "SELECT count(*) AS mk_dba8 FROM observations_2024 WHERE patient_id = 99": {"99"}, "SELECT count(*) AS mk_dba9 FROM patient_stays WHERE patient_id = 7": set(),
             "PREPARE mk_dba10 AS SELECT family_name FROM patients WHERE id = $1": set(), "EXECUTE mk_dba10 (7)": set(), "EXPLAIN ANALYZE EXECUTE mk_dba10 (7)": set()}
    with stack.connect("admin1", mission="maintenance") as c:
        for sql in cases:
            c.pgconn.exec_(sql.encode())
        c.execute("SELECT family_name AS mk_dbaparam FROM patients WHERE id = %s", (98,))
    trail = Trail(stack)
    for number, named in enumerate(list(cases.values())[:11]):
        assert trail.patients["mk_dba%d" % number] == named and not trail.exact["mk_dba%d" % number], number
    records = stack.audit_records()
    executed = {(r["session"], r["seq"]) for r in records if "EXECUTE mk_dba10" in r.get("sql", "")}
    ends = [r for r in records if r["type"] == "end" and (r["session"], r["begin"]) in executed]
    assert not [r for r in records if re.search(r"EXECUTE mk_dba10 \((?!\$)", r.get("sql", ""))]
    assert len(ends) == len(executed) == 2 and all(r["subjects"] == "aggregate" for r in ends), ends
    assert trail.patients["mk_dbaparam"] == {"98"}


# ---- what nobody sees in the text ---------------------------------------------------------------------------------------

CASTS = """
CREATE TYPE public.mood AS ENUM ('fine');
CREATE TABLE public.moods (id bigint PRIMARY KEY, patient_id bigint NOT NULL, mood public.mood NOT NULL);
INSERT INTO public.moods SELECT p.id, p.id, 'fine' FROM public.patients p WHERE p.id < 9;
CREATE FUNCTION public.mood_text(public.mood) RETURNS text LANGUAGE sql SECURITY DEFINER AS
    $$ SELECT pg_catalog.string_agg(family_name, ',') FROM (SELECT family_name FROM public.patients ORDER BY id LIMIT 4) q $$;
CREATE FUNCTION public.moods_text(public.mood[]) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN public.mood_text('fine'); END $$;
CREATE TYPE public.mood_range AS RANGE (subtype = public.mood);
CREATE DOMAIN public.mood_domain AS public.mood;
CREATE TYPE public.mood_row AS (m public.mood);
CREATE TYPE public.other AS ENUM ('else');
CREATE TABLE public.plain_moods (id bigint PRIMARY KEY, mood public.mood NOT NULL, r public.mood_range, d public.mood_domain[], c public.mood_row[], o public.other);
INSERT INTO public.plain_moods VALUES (1, 'fine', '[fine,fine]', ARRAY['fine']::public.mood_domain[], ARRAY[ROW('fine')::public.mood_row], 'else');
CREATE VIEW public.before AS SELECT m.id, m.mood::text AS says FROM public.moods m;
CREATE CAST (public.mood AS text) WITH FUNCTION public.mood_text(public.mood) AS IMPLICIT;
CREATE CAST (public.mood[] AS text) WITH FUNCTION public.moods_text(public.mood[]) AS IMPLICIT;
GRANT SELECT ON public.moods, public.plain_moods, public.before TO pgvigil_owner;
"""
CASTS_POLICY = """
tables = ( { name = "public.moods"; subject = "patient_id"; columns = { humeur = [ "id", "patient_id", "mood" ]; }; },
           { name = "public.plain_moods"; columns = { humeur = [ "id", "mood", "r", "d", "c", "o" ]; }; } );
rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.moods", "public.plain_moods" ]; columns = { humeur = "show"; }; } );
"""


def test_casts_by_functions_of_the_databases_are_called_aggregate(make_stack):
    """What such a function reads is anybody's, and it stands nowhere in the statement."""
    stack = make_stack(extra_sql=CASTS, extra_policy=[("90-casts.cfg", CASTS_POLICY)])
    with stack.connect("nurse1", mission="care") as c:
        casts = ["upper(mood) AS mk_0 FROM moods", "upper(mood) AS mk_1 FROM plain_moods", "upper('fine'::mood) AS mk_2", "upper(ARRAY[mood]) AS mk_3 FROM plain_moods",
                 "upper(lower(r)) AS mk_4 FROM plain_moods", "upper(d[1]) AS mk_5 FROM plain_moods", "upper((c[1]).m) AS mk_6 FROM plain_moods"]
        for cast in casts:
            assert "," in c.execute("SELECT " + cast).fetchone()[0], cast
        c.execute("SELECT id AS mk_plain FROM patients")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):  # left out
            c.execute("SELECT says FROM before")
    trail = Trail(stack)
    for i, cast in enumerate(casts):
        assert not trail.exact["mk_%d" % i], cast
    assert trail.exact["mk_plain"] and trail.patients["mk_plain"]


# ---- rows of groups, within a bound ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def bound(make_stack, tmp_path_factory):
    """The clinic: receptionists' rows of groups name 20 patients at most, nurses' name everybody."""
    policy = changed_policy(tmp_path_factory.mktemp("bound"), {"admission": "group_subjects = 20;", "care": "group_subjects = 20; exact_subjects = true;"})
    return make_stack(policy_dir=policy)


def test_groups_of_more_than_the_bound_are_called_aggregate(bound):
    below = "SELECT %s FROM patients WHERE id < 150 GROUP BY family_name, postcode, ward_id %s"
    with bound.superuser() as c:
        groups = [set(map(str, r[0])) for r in c.execute("SELECT array_agg(id) FROM patients WHERE id < 150 GROUP BY GROUPING SETS ((id), (sex))").fetchall()]
        small = set().union(*(g for g in groups if len(g) <= 20))
    assert any(len(g) > 20 for g in groups) and small
    with bound.connect("reception1") as c:
        c.execute("SELECT id AS mk_few, count(*) FROM patients WHERE id < 150 GROUP BY id")
        c.execute("SELECT sex AS mk_many, count(*) FROM patients WHERE id < 150 GROUP BY GROUPING SETS ((id), (sex))")
        c.execute("SELECT max(n) AS mk_lists FROM (SELECT id, count(*) AS n FROM patients WHERE id < 11 GROUP BY id) q")
        c.execute("SELECT max(n) AS mk_inner FROM (SELECT sex, count(*) AS n FROM patients WHERE id < 150 GROUP BY sex) q")
        c.execute("SELECT max(n) AS mk_outer FROM (SELECT id, count(*) AS n FROM patients GROUP BY id) q")
        c.execute("SELECT sex AS mk_after, count(*) FROM patients WHERE id < 150 GROUP BY 1; SELECT count(*) AS mk_then FROM patients WHERE id = 7")
    trail = Trail(bound)
    every = {str(n) for n in range(1, 150)}
    assert trail.exact["mk_few"] and trail.patients["mk_few"] == every == small
    assert not trail.exact["mk_many"] and trail.patients["mk_many"] == every
    assert trail.exact["mk_lists"] and trail.patients["mk_lists"] == {str(n) for n in range(1, 11)}
    assert not trail.exact["mk_inner"] and not trail.exact["mk_outer"] and not trail.exact["mk_after"]
    assert trail.exact["mk_then"] and trail.patients["mk_then"] == {"7"}  # the statement behind it is judged by itself


def test_missions_with_exact_subjects_have_no_bound(bound):
    with bound.connect("nurse1", mission="care") as c:
        seen = {str(r[0]) for r in c.execute("SELECT id FROM patients").fetchall()}
        c.execute("SELECT count(*) AS mk_exact FROM patients")
        assert len(c.execute("SELECT id AS mk_once FROM patients UNION SELECT 0 UNION SELECT patient_id FROM stays").fetchall()) == len(seen) + 1
        for sql in ("SELECT ward_id FROM patients INTERSECT ALL SELECT 1", "SELECT 1 EXCEPT SELECT ward_id FROM patients", "SELECT max(n) FROM (SELECT ward_id, count(*) AS n FROM patients GROUP BY 1) q"):
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                c.execute(sql)
    trail = Trail(bound)
    assert len(seen) > 20
    for mark in ("mk_exact", "mk_once"):
        assert trail.exact[mark] and trail.patients[mark] == seen


def test_cursors_declared_among_others_are_recorded_as_what_they_are(stack):
    """Executed by the protocol: not as the first statement of the text that declared them."""
    with wire.open_session(stack, "reception1") as raw:
        raw.send(wire.query("BEGIN; UPDATE appointments SET minutes = minutes WHERE id = 1; DECLARE mk_among CURSOR FOR SELECT id FROM patients WHERE id < 4 ORDER BY id"))
        raw.until("Z")
        raw.send(wire.execute("mk_among", 2) + wire.SYNC + wire.query("COMMIT"))
        raw.until("Z")
        raw.until("Z")
    read = [r for r in stack.audit_records() if "mk_among" in r.get("sql", "") and r.get("rows") == 2]
    assert len(read) == 1 and read[0]["statement"] == "FETCH" and "subjects" not in read[0] and expand(read[0]["patients"]) == {"1", "2"}, read


# ---- a mission that asks for it ------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def exact(make_stack, tmp_path_factory):
    """The clinic, where the receptionists' mission has exact_subjects."""
    policy = changed_policy(tmp_path_factory.mktemp("exact"), {"admission": "exact_subjects = true;"})
    return make_stack(policy_dir=policy)


UNTIED = [  # a sub-query elsewhere says nothing of rows that it does not hold for; NULL would tell it from false
    "SELECT p.id, (SELECT string_agg(s.patient_id::text, ',') FROM stays s WHERE s.id IN (40, 41) AND (true OR EXISTS (SELECT 1 WHERE s.patient_id = p.id))) FROM patients p WHERE p.id = 7",
    "SELECT p.id, (SELECT count(*) FROM stays s WHERE NOT EXISTS (SELECT 1 WHERE s.patient_id = p.id)) FROM patients p WHERE p.id = 7",
    "SELECT p.id, (SELECT count(*) FROM stays s LEFT JOIN LATERAL (SELECT 1 AS one WHERE s.patient_id = p.id) q ON true) FROM patients p WHERE p.id = 7",
    "SELECT p.id, q.n FROM patients p, LATERAL (SELECT string_agg(s.patient_id::text, ',') AS n FROM stays s WHERE s.id < 12 AND (EXISTS (SELECT 1 WHERE s.patient_id = p.id) OR true)) q WHERE p.id = 7",
    "SELECT p.id, (SELECT count(*) FROM stays s WHERE s.patient_id NOT IN (SELECT o.patient_id FROM stays o WHERE o.patient_id = p.id)) FROM patients p WHERE p.id = 7",
    "SELECT p.id, (SELECT count(*) FROM stays s WHERE s.patient_id IN (SELECT o.patient_id FROM stays o WHERE o.patient_id = p.id) IS NOT TRUE) FROM patients p WHERE p.id = 7",
    "UPDATE appointments a SET minutes = (SELECT count(*) FROM stays s WHERE NOT EXISTS (SELECT 1 WHERE s.patient_id = a.patient_id)) WHERE a.id = 1 RETURNING minutes",
    "SELECT w.id, p.id IN (SELECT o.patient_id FROM stays o WHERE o.id = 40) FROM wards w LEFT JOIN patients p ON false WHERE w.id = 1",
    "SELECT w.id FROM wards w LEFT JOIN patients p ON false WHERE w.id = 1 AND p.id NOT IN (SELECT o.patient_id FROM stays o WHERE o.id = 40)",
    "SELECT p.id, p.id IN (SELECT o.patient_id FROM wards w LEFT JOIN stays o ON o.id = 40 WHERE w.id = 1) FROM patients p WHERE p.id = 7",
]
# A bare name behind JOIN ... USING is of neither side: patient 7 is the client's own number here.
UNTIED += [
    "SELECT (SELECT x.family_name FROM patients x WHERE x.id = patient_id) FROM stays s RIGHT JOIN (VALUES (7, -1)) AS v(patient_id, id) USING (patient_id, id)",
    "SELECT v.n, patient_id FROM stays s RIGHT JOIN (VALUES (7, -1, 1), (8, -1, 2)) AS v(patient_id, id, n) USING (patient_id, id) WHERE patient_id IN (SELECT x.id FROM patients x WHERE x.family_name = 'Lecomte')",
    "SELECT q.t FROM (SELECT a::text AS t, s.id AS sid FROM stays s RIGHT JOIN appointments a USING (patient_id, id) WHERE patient_id = a.patient_id) q LIMIT 3",
    "SELECT q.t FROM (SELECT x::text AS t FROM (stays s RIGHT JOIN (VALUES (7, -1), (8, -1)) AS v(patient_id, id) USING (patient_id, id)) CROSS JOIN patients x WHERE x.id = patient_id) q",
    "SELECT v.*, q.f FROM stays s RIGHT JOIN (VALUES (7, -1)) AS v(patient_id, id) USING (patient_id, id), LATERAL (SELECT (SELECT x.family_name FROM patients x WHERE x.id = patient_id) AS f) q",
    "SELECT (SELECT string_agg(x.family_name, ',') FROM patients x WHERE x.id = patient_id) FROM stays s FULL JOIN (VALUES (7, -1), (8, -1)) AS v(patient_id, id) USING (patient_id, id) WHERE s.patient_id IS NULL",
    "SELECT (SELECT x.family_name FROM patients x WHERE x.id = patient_id) FROM generate_series(7, 7) AS patient_id LEFT JOIN stays s USING (patient_id)",
]
TIED = [
    "SELECT (SELECT x.family_name FROM patients x WHERE x.id = s.patient_id) FROM stays s JOIN appointments a USING (patient_id) WHERE s.id < 5",
    "SELECT p.id, (SELECT count(*) FROM stays s WHERE s.patient_id = p.id) FROM patients p WHERE p.id = 7",
    "SELECT p.id FROM patients p WHERE p.id IN (SELECT patient_id FROM stays WHERE ward_id = 2) AND p.id < 30",
    "SELECT p.id FROM patients p WHERE NOT EXISTS (SELECT 1 FROM stays s, appointments a WHERE s.patient_id = a.patient_id AND a.patient_id = p.id)",
]


@pytest.mark.parametrize("sql", UNTIED + TIED)
def test_only_sub_queries_of_the_same_patient_are_exact(sql, exact):
    with exact.connect("reception1") as c:
        if sql in TIED:
            c.execute(sql)
        else:
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                c.execute(sql)


OPEN = ["SELECT count(*) FROM patients", "SELECT DISTINCT ward_id FROM patients", "SELECT ward_id, count(*) FROM patients GROUP BY ward_id", "COPY (SELECT count(*) FROM patients) TO STDOUT", "COPY patients (id) TO STDOUT (FORMAT csv, DELIMITER '0')",
        "SELECT id FROM patients UNION SELECT id FROM patients", "SELECT (SELECT max(id) FROM patients)", "SELECT id FROM wards WHERE EXISTS (SELECT 1 FROM patients)",
        "DECLARE c CURSOR WITH HOLD FOR SELECT count(*) FROM patients", "PREPARE p AS SELECT count(*) FROM patients"]
TOLD = ["COPY patients (id) TO STDOUT", "COPY (SELECT id, ward_id FROM patients) TO STDOUT (FORMAT csv, HEADER)",
        "SELECT id, family_name FROM patients ORDER BY id", "SELECT count(*) FROM wards", "SELECT s.id FROM stays s JOIN patients p ON p.id = s.patient_id", "SELECT 1",
        "UPDATE appointments SET minutes = minutes WHERE id < 10", "WITH q AS (SELECT id FROM patients) SELECT * FROM q"]


@pytest.mark.parametrize("sql", OPEN)
def test_mission_with_exact_subjects_refuses_what_does_not_tell(sql, exact, stack):
    with exact.connect("reception1") as c, pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
        c.execute(sql)
    assert "exact_subjects" in refused.value.diag.message_hint and "receptionist" in str(refused.value) and "admission" in str(refused.value)
    (record,) = [r for r in exact.audit_records() if r.get("decision") == "deny"][-1:]
    assert record["refused"].startswith("subject") and record["sqlstate"] == "0A000"
    with stack.connect("reception1") as c:  # and without it, not
        c.execute(sql) if not sql.startswith("COPY") else c.cursor().copy(sql).__enter__().read()


@pytest.mark.parametrize("sql", TOLD)
def test_mission_with_exact_subjects_runs_what_tells(sql, exact):
    with exact.connect("reception1") as c:
        copy_out(c, sql) if sql.startswith("COPY") else c.execute(sql)
    assert not [r for r in exact.audit_records() if r.get("subjects")]
