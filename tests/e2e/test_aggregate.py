"""
Missions that are aggregate_only: groups of at least k patients and nothing else; what answers tell together; the day's budget.

What is right is asked of PostgreSQL directly, over the base tables (aggregate_policy.py). Each refused form has its twin that is
answered, where there is one. That the attacks are attacks is shown, too: against the threshold alone they work.
"""
import datetime
import os
import signal
import time

import aggregate_policy
import harness
import psycopg
import pytest
from aggregate_policy import K, relation


@pytest.fixture(scope="module")
def stack(make_stack, tmp_path_factory):
    return make_stack(policy_dir=aggregate_policy.policy(tmp_path_factory.mktemp("aggregate")))


@pytest.fixture(scope="module")
def direct(stack):
    with stack.superuser() as connection:
        connection.autocommit = True
        yield connection


def forget(stack):
    """As if nobody had asked anything: the files go while pgvigil is down."""
    stack.proxy.stop()
    for path in stack.audit_dir.glob("aggregate-*"):
        path.unlink()
    stack.proxy.start()
    stack.wait_ready()


class Asker:
    """One person's connection, which notes what is left out."""

    def __init__(self, stack, mission, user="research1", **kw):
        self.connection = stack.connect(user, mission=mission, autocommit=True, **kw)
        self.notices = []
        self.connection.add_notice_handler(lambda notice: self.notices.append(notice.message_primary))

    def ask(self, sql, values=None, **kw):
        self.notices.clear()
        return sorted(self.connection.execute(sql, values, **kw).fetchall(), key=repr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


@pytest.fixture
def asker(stack):
    forget(stack)
    with Asker(stack, "stats") as made:
        yield made


# ---- what may be asked ----

P, S = "FROM patients", "FROM stays"
REFUSED = [  # (what is refused, why, its twin or None)
    ("SELECT * " + P, "select list|whole rows|output column", "SELECT count(*) " + P),
    ("SELECT sex " + P, "reading rows", "SELECT sex, count(*) " + P + " GROUP BY sex"),
    ("SELECT 1 " + P, "no column", "SELECT sex, count(*) FROM patients GROUP BY 1"),
    ("SELECT patients " + P, "whole rows|column", None),
    ("SELECT count(patients) " + P, "whole rows|column", "SELECT count(sex) " + P),
    ("SELECT count(p.*) FROM patients p", "whole rows|column", "SELECT count(p.sex) FROM patients p"),
    ("TABLE patients", "select list|whole rows|output column", "TABLE wards"),
    ("SELECT id, count(*) " + P + " GROUP BY id", '"id"', "SELECT city, count(*) " + P + " GROUP BY city"),
    ("SELECT nir, count(*) " + P + " GROUP BY nir", '"nir"', None),
    ("SELECT count(*) " + P + " GROUP BY id", '"id"', "SELECT count(*) " + P + " GROUP BY city"),
    ("SELECT count(*) AS id " + P + " GROUP BY patients.id", '"id"', None),
    ("SELECT count(*) " + P + " WHERE id = 5", '"id"', "SELECT count(*) " + P + " WHERE ward_id = 5"),
    ("SELECT count(*) " + P + " WHERE id <> 5", '"id"', "SELECT count(*) " + P + " WHERE sex <> 'F'"),
    ("SELECT count(*) " + P + " WHERE id IN (1, 2, 3)", '"id"', "SELECT count(*) " + P + " WHERE ward_id IN (1, 2, 3)"),
    ("SELECT count(*) " + P + " WHERE NOT id BETWEEN 5 AND 5", '"id"', "SELECT count(*) " + P + " WHERE ward_id NOT BETWEEN 5 AND 7"),
    ("SELECT count(*) " + P + " WHERE nir > '2'", '"nir"', None),
    ("SELECT count(*) " + S + " WHERE patient_id > 300", '"patient_id"', "SELECT count(*) " + S + " WHERE ward_id > 3"),
    ("SELECT count(*) " + S + " WHERE id > 300", '"id"', None),
    ("SELECT sum(id) " + P, '"id"', "SELECT sum(ward_id) " + P),
    ("SELECT avg(patient_id) " + S, '"patient_id"', "SELECT avg(ward_id) " + S),
    ("SELECT max(birth_date) " + P, r"max\(\)", "SELECT count(birth_date) " + P),
    ("SELECT min(birth_date) " + P, r"min\(\)", None),
    ("SELECT array_agg(birth_date) " + P, r"array_agg\(\)", "SELECT count(DISTINCT birth_date) " + P),
    ("SELECT string_agg(city, ',') " + P, r"string_agg\(\)", None),
    ("SELECT json_agg(city) " + P, r"json_agg\(\)", None),
    ("SELECT bool_or(ward_id = 5) " + P, r"bool_or\(\)", None),
    ("SELECT every(ward_id = 5) " + P, r"every\(\)", None),
    ("SELECT bit_or(ward_id) " + P, r"bit_or\(\)", None),
    ("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ward_id) " + P, r"percentile_disc\(\)", "SELECT stddev(ward_id) " + P),
    ("SELECT mode() WITHIN GROUP (ORDER BY city) " + P, r"mode\(\)", "SELECT variance(ward_id), var_pop(ward_id), stddev_pop(ward_id) " + P),
    ("SELECT corr(ward_id, ward_id) " + P, r"corr\(\)", None),
    ("SELECT sum(CASE WHEN city = 'Lyon' THEN 1 ELSE 0 END) " + P, "no column", "SELECT count(*) " + P + " WHERE city = 'Lyon'"),
    ("SELECT sum(ward_id * 2) " + P, "no column", "SELECT sum(patients.ward_id) " + P),
    ("SELECT sum(1000000) " + P, "no column", None),
    ("SELECT count(NULLIF(ward_id, 5)) " + P, "no column", "SELECT count(ward_id) " + P),
    ("SELECT count(*) FILTER (WHERE ward_id = 5) " + P, "FILTER", None),
    ("SELECT sum(DISTINCT ward_id) " + P, "this form", "SELECT count(DISTINCT ward_id) " + P),
    ("SELECT sum(ward_id ORDER BY city) " + P, "this form", None),
    ("SELECT count(*) OVER () " + P, "OVER", None),
    ("SELECT sex, sum(count(*)) OVER () " + P + " GROUP BY sex", "no column|OVER", None),
    ("SELECT row_number() OVER () " + P, r"row_number\(\)", None),
    ("SELECT count(*) + 0 " + P, "no column", None),
    ("SELECT count(*)::text " + P, "no column", None),
    ("SELECT round(avg(ward_id)) " + P, r"round\(\)", "SELECT avg(ward_id) " + P),
    ("SELECT avg(ward_id) > 5 " + P, "no column", None),
    ("SELECT (SELECT count(*) FROM patients)", "FROM of several", None),
    ("SELECT sex, (SELECT count(*) FROM stays) " + P + " GROUP BY sex", "no column", None),
    ("SELECT count(*) " + P + " HAVING count(*) > 500", "HAVING", None),
    ("SELECT sex, count(*) " + P + " GROUP BY sex HAVING avg(ward_id) > 3", "HAVING", None),
    ("SELECT sex, count(*) " + P + " GROUP BY sex ORDER BY avg(ward_id)", "ORDER BY", "SELECT sex, count(*) " + P + " GROUP BY sex ORDER BY count"),
    ("SELECT sex, count(*) " + P + " GROUP BY sex ORDER BY count(*) > 300", "ORDER BY", "SELECT sex, count(*) " + P + " GROUP BY sex ORDER BY 2 DESC, 1"),
    ("SELECT sex, count(*) " + P + " GROUP BY sex LIMIT (SELECT count(*) FROM stays WHERE ward_id = 3)", "LIMIT", "SELECT sex, count(*) " + P + " GROUP BY sex LIMIT 1 OFFSET 1"),
    ("SELECT sex, count(*) " + P + " GROUP BY ROLLUP (sex)", "no column", None),
    ("SELECT sex, count(*) " + P + " GROUP BY GROUPING SETS ((sex), ())", "no column", None),
    ("SELECT count(*) " + P + " GROUP BY sex = 'F'", "no column", None),
    ("SELECT count(*) " + P + " GROUP BY left(city, 1)", "no column", None),
    ("SELECT DISTINCT city " + P, "DISTINCT", None),
    ("SELECT DISTINCT ON (sex) sex, count(*) " + P + " GROUP BY sex", "DISTINCT", None),
    ("SELECT count(*) " + P + " UNION ALL SELECT count(*) " + S, "set operation", None),
    ("SELECT sex, count(*) FROM patients GROUP BY sex EXCEPT SELECT 'F', 5", "set operation", None),
    ("WITH q AS (SELECT * FROM patients) SELECT count(*) FROM q", "WITH", None),
    ("SELECT count(*) FROM (SELECT * FROM patients LIMIT 5) q", "q", None),
    ("SELECT count(*) FROM patients p, LATERAL (SELECT 1) x", "FROM of several", None),
    ("SELECT count(*) FROM patients, stays", "FROM of several", "SELECT count(*) FROM patients JOIN stays ON stays.patient_id = patients.id"),
    ("SELECT count(*) FROM patients CROSS JOIN stays", "JOIN", None),
    ("SELECT count(*) FROM patients p LEFT JOIN stays s ON s.patient_id = p.id", "JOIN", "SELECT count(*) FROM patients p JOIN stays s ON s.patient_id = p.id"),
    ("SELECT count(*) FROM patients p FULL JOIN stays s ON s.patient_id = p.id", "JOIN", None),
    ("SELECT count(*) FROM patients NATURAL JOIN stays", "JOIN", None),
    ("SELECT count(*) FROM patients JOIN stays USING (ward_id)", "JOIN", "SELECT count(*) FROM patients p JOIN wards w ON w.id = p.ward_id"),
    ("SELECT count(*) FROM patients p JOIN stays s ON s.patient_id = p.id AND s.ward_id = 3", "no column", "SELECT count(*) FROM patients p JOIN stays s ON s.patient_id = p.id WHERE s.ward_id = 3"),
    ("SELECT count(*) FROM patients p JOIN patients q ON p.ward_id < q.ward_id", "equal", None),
    ("SELECT count(*) FROM patients p JOIN stays s ON s.patient_id = p.id OR p.id = 5", "equal", None),
    ("SELECT count(*) FROM patients p JOIN (VALUES (1)) v (x) ON p.ward_id = v.x", "FROM|together", None),
    ("SELECT count(*) FROM patients p JOIN generate_series(1, 3) g ON p.ward_id = g", "FROM|together", None),
    ("SELECT count(*) FROM patients p JOIN pg_class c ON c.relname = p.city", "together", None),
    ("SELECT sum(w.beds) FROM wards w JOIN patients p ON p.ward_id = w.id", "of no patient", "SELECT w.beds, count(*) FROM wards w JOIN patients p ON p.ward_id = w.id GROUP BY w.beds"),
    ("SELECT count(*) FROM patients p JOIN wards w ON w.id = p.id", "number with another value", "SELECT count(*) FROM wards w JOIN patients p ON p.ward_id = w.id"),
    ("SELECT count(*) FROM patients p JOIN patients q ON q.ward_id = p.id WHERE q.ward_id = 5", "number with another value", "SELECT count(*) FROM patients p JOIN patients q ON q.id = p.id WHERE q.ward_id = 5"),
    ("SELECT count(*) FROM patients TABLESAMPLE SYSTEM (1)", "TABLESAMPLE", None),
    ("SELECT count(*) FROM patients p (a, b)", "alias|whole", "SELECT count(*) FROM patients p"),
    ("SELECT count(*) FROM patient_stays", "together", None),
    ("SELECT count(*) " + P + " WHERE 1 / (ward_id - 5) > 0", "comparison|no column", None),
    ("SELECT count(*) " + P + " WHERE (ward_id || 'x')::int = 3", "no column", None),
    ("SELECT count(*) " + P + " WHERE sqrt(ward_id) > 2", "no column", None),
    ("SELECT count(*) " + P + " WHERE ward_id = 10 / (ward_id - 5)", "comparison", "SELECT count(*) " + P + " WHERE ward_id = 10"),
    ("SELECT count(*) " + P + " WHERE city LIKE 'L%'", "comparison", "SELECT count(*) " + P + " WHERE city >= 'L' AND city < 'M'"),
    ("SELECT count(*) " + P + " WHERE city ~ 'L('", "comparison", None),
    ("SELECT count(*) " + P + " WHERE city = postcode", "comparison", None),
    ("SELECT count(*) " + P + " WHERE ward_id = ANY (ARRAY[1, 2])", "comparison", "SELECT count(*) " + P + " WHERE ward_id = ANY ('{1,2}')"),
    ("SELECT count(*) " + P + " WHERE (city, ward_id) = ('Lyon', 3)", "comparison|no column", "SELECT count(*) " + P + " WHERE city = 'Lyon' AND ward_id = 3"),
    ("SELECT count(*) " + P + " WHERE CASE WHEN ward_id = 5 THEN true END", "comparison", "SELECT count(*) " + P + " WHERE ward_id = 5 OR ward_id = 6"),
    ("SELECT count(*) " + P + " WHERE EXISTS (SELECT 1 FROM stays s WHERE s.ward_id = 3)", "comparison", "SELECT count(*) " + P + " WHERE blood_group IS NOT NULL"),
    ("SELECT count(*) " + P + " WHERE ward_id IN (SELECT ward_id FROM stays)", "comparison", "SELECT count(*) " + P + " WHERE ward_id NOT IN (1, 2)"),
    ("SELECT count(*) " + P + " WHERE ward_id = (SELECT 5)", "comparison", "SELECT count(*) " + P + " WHERE ward_id IS NOT DISTINCT FROM 5"),
    ("SELECT count(*) " + P + " WHERE random() > 0.5", "no column", None),
    ("SELECT count(*) " + P + " WHERE app.age(birth_date, '2026-01-01') > 5", "function of the database", None),
    ("SELECT app.age('2000-01-01', '2026-01-01')", "function of the database", "SELECT age('2000-01-01'::date)"),
    ("SELECT count(*) " + P + " WHERE allergies = '{}'", "allergies", None),
    ("SELECT count(*) " + P + " FOR UPDATE", "FOR UPDATE|locked", None),
    ("SELECT count(*) FROM patients, pg_sleep(1)", "pg_sleep", "SELECT 1"),
    ("SELECT family_name " + P, "does not exist", None),
    ("SELECT count(family_name) " + P, "does not exist", None),
    ("UPDATE wards SET beds = 1", "UPDATE", None),
    ("DELETE FROM patients", "DELETE", None),
    ("DECLARE c CURSOR FOR SELECT count(*) FROM patients", "DECLARE", None),
    ("COPY (SELECT count(*) FROM patients) TO STDOUT", "COPY", None),
    ("COPY patients TO STDOUT", "COPY", None),
    ("EXPLAIN SELECT count(*) FROM patients", "EXPLAIN", None),
    ("SELECT count(*) INTO TEMPORARY t FROM patients", "SELECT", None),
    ("LOCK TABLE patients", "LOCK", None),
    ('SELECT count(*) FROM patients ORDER BY "pgvigil subject"', "ORDER BY|does not exist", None),
    ('SELECT "pgvigil subject", count(*) FROM patients GROUP BY 1', "does not exist", None),
]


def test_there_are_enough_refused_forms():
    assert len({sql for sql, _, _ in REFUSED}) >= 60
    assert sum(twin is not None for _, _, twin in REFUSED) >= 30


@pytest.fixture(scope="module")
def refusals(stack):
    with Asker(stack, "free") as made:
        yield made


@pytest.mark.parametrize("sql, why, twin", REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refused_forms_and_their_twins(sql, why, twin, refusals):
    with pytest.raises(psycopg.Error, match=why) as refused:
        refusals.connection.execute(sql)
    assert refused.value.sqlstate in ("0A000", "42501", "42703", "42P01")
    if twin is not None:
        refusals.connection.execute(twin)  # what it answers: other tests


# ---- k ----

def groups_of(direct, sql):
    return {row[0]: row[1:] for row in direct.execute(sql).fetchall()}


def test_groups_of_fewer_than_k_do_not_exist(asker, direct):
    true = groups_of(direct, "SELECT p.birth_date, count(DISTINCT own_patient) FROM %s GROUP BY 1" % relation("patients", "p"))
    small = {year for year, (patients,) in true.items() if patients < K}
    assert small and len(small) < len(true)
    answered = dict(asker.ask("SELECT birth_date, count(*) FROM patients GROUP BY birth_date"))
    assert answered == {year: patients for year, (patients,) in true.items() if year not in small}
    assert not asker.notices


def test_total_of_fewer_than_k_is_as_of_none(asker, direct):
    year = direct.execute("SELECT birth_date FROM %s GROUP BY 1 HAVING count(*) BETWEEN 1 AND %d LIMIT 1" % (relation("patients", "p"), K - 1)).fetchone()[0]
    for day in (year, datetime.date(1700, 1, 1)):
        cursor = asker.connection.execute("SELECT count(*), avg(ward_id) FROM patients WHERE birth_date = %s", [day])
        assert (cursor.fetchall(), cursor.statusmessage) == ([], "SELECT 0")
    assert not asker.notices


def test_many_rows_of_few_patients_are_no_group(asker, direct):
    sql = "SELECT p.birth_date, p.city, count(*) FROM %s JOIN %s ON o.own_patient = p.own_patient GROUP BY 1, 2 HAVING count(*) >= %d AND count(DISTINCT o.own_patient) < %d ORDER BY 3 DESC LIMIT 5"
    many = direct.execute(sql % (relation("observations", "o"), relation("patients", "p"), 2 * K, K)).fetchall()
    assert many, "no group has many rows of few patients: the case is not tested"
    for birth, city, _ in many:
        assert asker.ask("SELECT count(*), avg(o.value) FROM observations o JOIN patients p ON p.id = o.patient_id WHERE p.birth_date = %s AND p.city = %s", [birth, city]) == []
    assert not asker.notices


def test_cells_of_few_values_are_null(stack, direct):
    forget(stack)
    direct.execute("UPDATE public.stays SET discharged_at = admitted_at + interval '1 day' WHERE discharged_at IS NULL")
    sql = "SELECT s.ward_id, count(*), count(DISTINCT own_patient), count(DISTINCT own_patient) FILTER (WHERE discharged_at IS NOT NULL), " \
          "count(DISTINCT own_patient) FILTER (WHERE discharged_at IS NULL), count(discharged_at) FROM %s GROUP BY 1" % relation("stays", "s")
    wards = [ward for ward, row in groups_of(direct, sql).items() if row[1] >= 4 * K]
    direct.execute("UPDATE public.stays SET discharged_at = NULL WHERE ward_id = %s AND id NOT IN (SELECT min(id) FROM public.stays WHERE ward_id = %s)", [wards[0], wards[0]])
    direct.execute("UPDATE public.stays SET discharged_at = NULL WHERE id = (SELECT s.own_key FROM " + relation("stays", "s") + " WHERE s.ward_id = %s LIMIT 1)", [wards[1]])
    true = groups_of(direct, sql)
    few_with, few_without, all_with = true[wards[0]], true[wards[1]], true[wards[2]]
    assert few_with[2] < K and 0 < few_without[3] < K and all_with[3] == 0
    with Asker(stack, "stats") as asker:
        answered = {ward: count for ward, count in asker.ask("SELECT ward_id, count(discharged_at) AS n FROM stays GROUP BY ward_id")}
        assert [answered[ward] for ward in wards[:3]] == [None, None, all_with[4]]


def test_joins_count_patients_of_each_table(asker, direct):
    """Everybody of a ward beside one patient's stay: many patients there, one here."""
    of_few = direct.execute("SELECT s.attending, s.admitted_at, count(DISTINCT p.own_patient) FROM %s JOIN %s ON p.ward_id = s.ward_id GROUP BY 1, 2 HAVING count(DISTINCT s.own_patient) = 1 ORDER BY 3 DESC LIMIT 1"
                            % (relation("stays", "s"), relation("patients", "p"))).fetchone()
    assert of_few[2] >= K, "no single stay in a ward of many: the case is not tested"
    asked = "SELECT count(*), count(p.sex) FROM stays s JOIN patients p ON p.ward_id = s.ward_id WHERE s.attending = %s AND s.admitted_at = %s"
    assert asker.ask(asked, of_few[:2]) == [] and not asker.notices
    ward = direct.execute("SELECT ward_id FROM %s GROUP BY 1 ORDER BY count(DISTINCT own_patient) DESC LIMIT 1" % relation("stays", "s")).fetchone()
    assert len(asker.ask("SELECT count(*) FROM stays s JOIN patients p ON p.id = s.patient_id WHERE s.ward_id = %s", ward)) <= 1


def test_masks_and_filters_hold_below(asker, direct):
    true = direct.execute("SELECT count(*) FROM %s" % relation("patients", "p")).fetchone()[0]
    everybody = direct.execute("SELECT count(*) FROM public.patients").fetchone()[0]
    assert true < everybody, "nobody has objected: the case is not tested"
    assert asker.ask("SELECT count(*) FROM patients") == [(true,)]
    years = asker.ask("SELECT birth_date, count(*) FROM patients GROUP BY birth_date")
    assert years and all((day.month, day.day) == (1, 1) for day, _ in years)


def test_what_is_about_nobody_is_read_as_ever(asker):
    assert len(asker.ask("SELECT * FROM wards")) > 3
    assert asker.ask("SELECT count(*), max(beds) FROM wards WHERE id = 1")[0][0] == 1


def test_check_tells_what_is_read_row_by_row(stack):
    said = stack.command("check", "-c", str(stack.config_file), "--database", "records", check=False).stdout
    lines = [line for line in said.splitlines() if "aggregate_only" in line]
    assert len(lines) == len(aggregate_policy.MISSIONS) and all("public.wards" in line and "95-aggregate.cfg:" in line for line in lines), said


# ---- what answers tell together ----

def target_of(direct):
    """Somebody whom year of birth, place and sex single out, with a blood group."""
    return direct.execute("SELECT birth_date, city, sex::text, blood_group::text, ward_id FROM (SELECT *, count(*) OVER (PARTITION BY birth_date, city, sex) AS alike FROM %s) t "
                          "WHERE alike = 1 AND blood_group IS NOT NULL AND ward_id IS NOT NULL ORDER BY own_key LIMIT 1" % relation("patients", "p")).fetchone()


def threshold_only(direct):
    """The answers of somebody who enforces k and nothing else."""
    def ask(where, group="blood_group"):
        rows = direct.execute("SELECT %s::text, count(*) FROM %s WHERE %s GROUP BY 1 HAVING count(DISTINCT own_patient) >= %d" % (group, relation("patients", "p"), where, K)).fetchall()
        return dict(rows)
    return ask


def through_pgvigil(asker):
    def ask(where, group="blood_group"):
        try:
            return dict(asker.ask("SELECT %s, count(*) FROM patients WHERE %s GROUP BY 1" % (group, where)))
        except psycopg.errors.ProgramLimitExceeded:
            return {}
    return ask


def difference(ask, target):
    """Everybody, and everybody but one."""
    birth, city, sex, _, _ = target
    all_of_them = ask("ward_id IS NOT NULL OR ward_id IS NULL")
    others = ask("NOT (birth_date = '%s' AND city = '%s' AND sex = '%s')" % (birth, city, sex))
    return [group for group, count in all_of_them.items() if group in others and others[group] == count - 1]


def tracker(ask, target):
    """q(C or T) + q(C or not T) - q(all), where C is the target and T about half of all: no two of these are alike."""
    birth, city, sex, _, ward = target
    one = "(birth_date = '%s' AND city = '%s' AND sex = '%s')" % (birth, city, sex)
    half = "(ward_id IS NULL OR ward_id <= %d)" % (ward - 1)
    rest = "(ward_id > %d)" % (ward - 1)
    first, second = ask("%s OR %s" % (one, half)), ask("%s OR %s" % (one, rest))
    halves = ask(half), ask(rest)
    return [group for group in first if group in second and group in halves[0] and group in halves[1]
            and first[group] + second[group] - halves[0][group] - halves[1][group] == 1]


def both_sides(ask, target):
    """A slice with the target in it and the same slice without her, each with conditions of its own."""
    birth, city, sex, _, _ = target
    wide = ask("birth_date >= '%s'" % birth)
    narrow = ask("birth_date > '%s' OR (birth_date = '%s' AND (city <> '%s' OR sex <> '%s'))" % (birth, birth, city, sex))
    return [group for group, count in wide.items() if group in narrow and narrow[group] == count - 1]


@pytest.mark.parametrize("attack", [difference, tracker, both_sides])
def test_attacks_by_differences_find_nobody(attack, asker, direct):
    target = target_of(direct)
    assert attack(threshold_only(direct), target) == [target[3]], "it is no attack"
    assert attack(through_pgvigil(asker), target) == []


@pytest.mark.parametrize("attack", [difference, tracker, both_sides])
def test_attacks_in_another_order_find_nobody(attack, asker, direct):
    target = target_of(direct)
    asked = []
    attack(lambda where, group="blood_group": asked.append(where) or {}, target)
    ask = through_pgvigil(asker)
    answers = {where: ask(where) for where in reversed(asked)}
    assert any(answers.values())
    assert attack(lambda where, group="blood_group": answers[where], target) == []


def test_rows_of_one_patient_are_not_told_apart(asker, direct):
    """One stay of somebody who has another: the patients stay the same, the rows do not."""
    ward, month, attending = direct.execute(
        "SELECT s.ward_id, s.admitted_at, s.attending FROM %s WHERE (SELECT count(*) FROM %s WHERE o.own_patient = s.own_patient) > 1 "
        "AND (SELECT count(DISTINCT own_patient) FROM %s WHERE (q.ward_id, q.admitted_at, q.attending) = (s.ward_id, s.admitted_at, s.attending)) = 1 LIMIT 1"
        % (relation("stays", "s"), relation("stays", "o"), relation("stays", "q"))).fetchone()
    but_one = "SELECT count(*) FROM stays WHERE NOT (ward_id = %s AND admitted_at = %s AND attending = %s)"
    assert len(asker.ask("SELECT count(*) FROM stays")) == 1
    assert asker.ask(but_one, [ward, month, attending]) == []
    assert asker.notices and "left out" in asker.notices[0]


def test_what_another_table_says_is_not_told_apart(asker, direct):
    """Everybody by one table, everybody but one by another."""
    birth, city, sex, _, _ = target_of(direct)
    assert len(asker.ask("SELECT count(*) FROM patients")) == 1
    assert asker.ask("SELECT count(*) FROM observations o JOIN patients p ON p.id = o.patient_id WHERE NOT (p.birth_date = %s AND p.city = %s AND p.sex = %s)", [birth, city, sex]) == []


def test_missing_values_are_not_told_apart(asker, direct):
    """count(*) and count(x) tell how many have no x: of fewer than k, neither."""
    direct.execute("UPDATE public.patients SET ward_id = 1 WHERE ward_id IS NULL AND id NOT IN (SELECT id FROM public.patients WHERE ward_id IS NULL ORDER BY id LIMIT 2)")
    without = direct.execute("SELECT count(*) FROM %s WHERE ward_id IS NULL" % relation("patients", "p")).fetchone()[0]
    assert 0 < without < K
    total = direct.execute("SELECT count(*) FROM %s" % relation("patients", "p")).fetchone()[0]
    assert asker.ask("SELECT count(*), count(ward_id), avg(ward_id) FROM patients") == [(total, None, None)]
    assert asker.ask("SELECT count(*) FROM patients WHERE ward_id IS NOT NULL") == []


def test_time_does_not_tell_newcomers(asker, direct):
    """The same question before and after one patient's discharge."""
    before = asker.ask("SELECT ward_id, count(*) FROM stays GROUP BY ward_id")
    ward = before[0][0]
    direct.execute("INSERT INTO public.stays (id, patient_id, ward_id, bed, admitted_at, attending, reason, diagnosis, diagnosis_label) "
                   "SELECT 900001, own_patient, %s, 'X', now(), attending, 'r', 'd', 'l' FROM " % ward + relation("stays", "s") + " LIMIT 1")
    try:
        after = asker.ask("SELECT ward_id, count(*) FROM stays GROUP BY ward_id")
        assert ward not in dict(after) and dict(after) == {w: n for w, n in before if w != ward}
    finally:
        direct.execute("DELETE FROM public.stays WHERE id = 900001")
    assert asker.ask("SELECT ward_id, count(*) FROM stays GROUP BY ward_id") == before


def test_unions_of_what_was_told_are_free(asker):
    asker.ask("SELECT sex, count(*) FROM patients GROUP BY sex")
    told = asker.ask("SELECT count(*) FROM patients")
    assert len(told) == 1 and not asker.notices
    assert asker.ask("SELECT count(*) FROM patients WHERE sex = 'F' OR sex = 'M'") == told


@pytest.mark.parametrize("setting", ["DateStyle = 'SQL, DMY'", "TimeZone = 'Pacific/Auckland'", "extra_float_digits = 0", "bytea_output = 'escape'",
                                     "IntervalStyle = 'iso_8601'", "client_encoding = 'LATIN1'", "search_path = pg_catalog, public"])
def test_settings_make_no_other_rows(setting, asker, direct):
    """What tells rows apart must not hang on what a client can set: earlier answers would be forgotten."""
    birth, city, sex, _, _ = target_of(direct)
    asker.ask("SELECT count(*) FROM patients")
    try:
        asker.connection.execute("SET " + setting)
    except psycopg.Error as error:
        assert error.sqlstate in ("42501", "0A000", "22023")
    assert len(asker.ask("SELECT count(*) FROM patients")) == 1 and not asker.notices
    assert asker.ask("SELECT count(*) FROM patients WHERE NOT (birth_date = '%s'::date AND city = '%s' AND sex = '%s')" % (birth.isoformat(), city, sex)) == []
    assert asker.notices


# ---- the budget, and what outlives what ----

def spend(asker, count):
    """As many answers that tell something new: by city and ward, one after the other."""
    given = 0
    while given < count:
        given += 1
        asker.ask("SELECT count(*) FROM patients WHERE city = %s", ["No such place %d" % given])


def test_budget_ends_the_day(stack):
    forget(stack)
    with Asker(stack, "tight") as asker:
        spend(asker, 12)
        for sql in ("SELECT count(*) FROM patients", "SELECT sex, count(*) FROM patients GROUP BY sex"):
            with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="answers_per_day"):
                asker.ask(sql)
        assert asker.ask("SELECT count(*) FROM wards")[0][0] > 3  # about nobody
        with Asker(stack, "stats") as other_mission, Asker(stack, "tight", user="dr.martin") as other_person:
            assert len(other_mission.ask("SELECT count(*) FROM patients")) == 1
            assert len(other_person.ask("SELECT count(*) FROM patients")) == 1
        with Asker(stack, "tight") as again:
            with pytest.raises(psycopg.errors.ProgramLimitExceeded):
                again.ask("SELECT count(*) FROM patients")


def test_repeats_are_free_and_what_is_withheld_is_not(stack, direct):
    forget(stack)
    birth, city, sex, _, _ = target_of(direct)
    with Asker(stack, "tight") as asker:  # 12
        for _ in range(30):
            assert len(asker.ask("SELECT count(*) FROM patients")) == 1  # 1 in all
        for _ in range(3):  # 5 each
            assert asker.ask("SELECT count(*) FROM patients WHERE NOT (birth_date = %s AND city = %s AND sex = %s)", [birth, city, sex]) == []
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            asker.ask("SELECT count(*) FROM patients")


def test_budget_ends_statements_that_ask_about_many_small_groups(stack, direct):
    """By city: what is withheld of each is a bit; the budget ends in the middle, and so does the statement."""
    forget(stack)
    with Asker(stack, "tight") as asker:
        years = dict(asker.ask("SELECT birth_date, count(*) FROM patients GROUP BY birth_date"))
        assert len(years) > 5
        first, *others = years
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="answers_per_day"):
            for _ in range(3):
                asker.ask("SELECT birth_date, count(*) FROM patients WHERE sex = 'F' OR birth_date = %s GROUP BY birth_date", [first])
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            asker.ask("SELECT count(*) FROM patients")


def test_execute_asks_for_answers_too(stack):
    forget(stack)
    with Asker(stack, "tight") as asker:
        asker.connection.execute("PREPARE q AS SELECT count(*) FROM patients WHERE city = $1")
        for i in range(12):
            assert asker.ask("EXECUTE q ('No such place %d')" % i) == []
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="answers_per_day"):
            asker.ask("EXECUTE q ('No such place')")
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="answers_per_day"):
            asker.ask("EXECUTE q ('No such place')")


def test_a_scripted_attack_runs_out_of_answers(stack, direct):
    """Bit by bit: each question asks, by what is withheld, whether there is somebody of that kind. The bits of a day are few."""
    forget(stack)
    targets = direct.execute("SELECT birth_date, city, sex::text FROM %s GROUP BY 1, 2, 3 HAVING count(*) = 1 ORDER BY 1, 2 LIMIT 200" % relation("patients", "p")).fetchall()
    learned = asked = 0
    with Asker(stack, "tight") as asker:
        asker.ask("SELECT count(*) FROM patients")
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            for target in targets:
                asked += 1
                asker.ask("SELECT count(*) FROM patients WHERE NOT (birth_date = %s AND city = %s AND sex = %s)", target)
                learned += len(asker.notices)
    assert asked < len(targets) and learned <= 12 / 5 + 1
    # Where answers do not run out, they are all there to be learned.
    forget(stack)
    with Asker(stack, "free") as asker:
        asker.ask("SELECT count(*) FROM patients")
        for target in targets[:40]:
            asker.ask("SELECT count(*) FROM patients WHERE NOT (birth_date = %s AND city = %s AND sex = %s)", target)
            assert asker.notices


def test_restart_forgets_nothing(stack, direct):
    forget(stack)
    birth, city, sex, _, _ = target_of(direct)
    with Asker(stack, "tight") as asker:
        asker.ask("SELECT count(*) FROM patients")
        spend(asker, 3)
    os.kill(stack.proxy.process.pid, signal.SIGKILL)
    stack.proxy.process.wait()
    stack.proxy.start()
    stack.wait_ready()
    with Asker(stack, "tight") as asker:
        assert asker.ask("SELECT count(*) FROM patients WHERE NOT (birth_date = %s AND city = %s AND sex = %s)", [birth, city, sex]) == []
        assert asker.notices
        spend(asker, 3)
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            asker.ask("SELECT count(*) FROM patients")


def test_damaged_memory_answers_nothing(stack):
    forget(stack)
    with Asker(stack, "stats") as asker:
        assert len(asker.ask("SELECT count(*) FROM patients")) == 1
    stack.proxy.stop()
    (path,) = stack.audit_dir.glob("aggregate-*.cells")
    whole = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    for damaged in (whole[:-1], whole[:60] + bytes([whole[60] ^ 1]) + whole[61:], whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], b"", whole + whole):
        path.write_bytes(damaged)
        stack.proxy.start()
        stack.wait_ready()
        with Asker(stack, "stats") as asker:
            with pytest.raises(psycopg.Error, match="is not known") as refused:
                asker.ask("SELECT count(*) FROM patients")
            assert refused.value.sqlstate == "58030"
        stack.proxy.stop()
    path.write_bytes(whole)
    stack.proxy.start()
    stack.wait_ready()
    with Asker(stack, "stats") as asker:
        assert len(asker.ask("SELECT count(*) FROM patients")) == 1


def test_memory_that_cannot_be_written_withholds_the_answer(stack):
    forget(stack)
    with Asker(stack, "stats") as asker:
        blocked = stack.audit_dir / "blocked"
        asker.ask("SELECT count(*) FROM patients")
        (path,) = stack.audit_dir.glob("aggregate-*.cells")
        blocked = path.with_name(path.name + ".new")
        blocked.mkdir()
        try:
            with pytest.raises(psycopg.Error) as refused:
                asker.ask("SELECT sex, count(*) FROM patients GROUP BY sex")
            assert refused.value.sqlstate == "58030"
        finally:
            blocked.rmdir()
        assert len(asker.ask("SELECT sex, count(*) FROM patients GROUP BY sex")) == 2


def test_sessions_share_what_was_told(stack, direct):
    """Several sessions, on both workers: the second half of an attack in another session."""
    forget(stack)
    birth, city, sex, _, _ = target_of(direct)
    askers = [Asker(stack, "stats") for _ in range(6)]
    try:
        assert len(askers[0].ask("SELECT count(*) FROM patients")) == 1
        for asker in askers[1:]:
            assert asker.ask("SELECT count(*) FROM patients WHERE NOT (birth_date = %s AND city = %s AND sex = %s)", [birth, city, sex]) == []
    finally:
        for asker in askers:
            asker.connection.close()


def test_errors_cost(stack):
    """Whatever can still fail in the middle of rows answers by it: at the price of a withheld group."""
    forget(stack)
    with Asker(stack, "tight") as asker:
        for _ in range(20):
            with pytest.raises(psycopg.Error):
                asker.ask("SELECT count(*) FROM patients WHERE ward_id = 'x'")  # before any row is read
        assert len(asker.ask("SELECT count(*) FROM patients")) == 1


# ---- by every way ----

def test_binary_prepared_and_parameters(asker, direct):
    true = dict(direct.execute("SELECT sex::text, count(*) FROM %s WHERE ward_id >= 0 GROUP BY 1" % relation("patients", "p")).fetchall())
    for _ in range(7):  # past psycopg's threshold: prepared on the server, too
        cursor = asker.connection.cursor(binary=True)
        cursor.execute("SELECT sex, count(*) FROM patients WHERE ward_id >= %s GROUP BY sex", [0], prepare=True)
        assert [column.name for column in cursor.description] == ["sex", "count"]
        assert {sex.decode(): count for sex, count in cursor.fetchall()} == true
        assert cursor.statusmessage == "SELECT 2"
    assert asker.connection.cursor(binary=True).execute("SELECT count(*) FROM patients WHERE ward_id < %s", [-1], prepare=True).fetchall() == []


def test_sql_prepare_and_execute(asker, direct):
    birth, city, sex, _, _ = target_of(direct)
    asker.connection.execute("PREPARE q AS SELECT count(*) FROM patients WHERE NOT (birth_date = $1 AND city = $2 AND sex = $3)")
    everybody = asker.ask("EXECUTE q ('1800-01-01', 'x', 'F')")
    assert len(everybody) == 1 and everybody == asker.ask("SELECT count(*) FROM patients")
    assert asker.ask("EXECUTE q ('%s', '%s', '%s')" % (birth, city, sex)) == []
    assert asker.notices


def test_same_text_other_constants(asker, direct):
    """The cache of judged statements stands for all constants: what is told hangs on each of them."""
    birth, city, sex, _, _ = target_of(direct)
    text = "SELECT count(*) FROM patients WHERE NOT (birth_date = '%s' AND city = '%s' AND sex = '%s')"
    assert len(asker.ask(text % ("1800-01-01", "x", "F"))) == 1
    assert asker.ask(text % (birth, city, sex)) == []
    assert len(asker.ask(text % ("1801-01-01", "y", "M"))) == 1


def test_row_limits_of_portals(asker, stack, direct):
    """Execute with a row limit: each row is looked at, however they come."""
    rows = []
    with asker.connection.cursor() as cursor:
        for row in cursor.stream("SELECT ward_id, count(*) FROM stays GROUP BY ward_id"):
            rows.append(row)
    true = direct.execute("SELECT ward_id, count(*) FROM %s GROUP BY 1 HAVING count(DISTINCT own_patient) >= %d" % (relation("stays", "s"), K)).fetchall()
    assert sorted(rows) == sorted(true)


def test_pipeline(asker, direct):
    birth, city, sex, _, _ = target_of(direct)
    with asker.connection.pipeline():
        first = asker.connection.execute("SELECT count(*) FROM patients")
        second = asker.connection.execute("SELECT count(*) FROM patients WHERE NOT (birth_date = %s AND city = %s AND sex = %s)", [birth, city, sex])
        third = asker.connection.execute("SELECT count(*) FROM wards")
    assert len(first.fetchall()) == 1 and second.fetchall() == [] and len(third.fetchall()) == 1


def test_text_of_several_statements(asker, direct):
    birth, city, sex, _, _ = target_of(direct)
    cursor = asker.connection.execute("SELECT count(*) FROM patients; SELECT count(*) FROM patients WHERE NOT (birth_date = '%s' AND city = '%s' AND sex = '%s'); SELECT sex, count(*) FROM patients GROUP BY sex"
                                      % (birth, city, sex))
    counts = [len(cursor.fetchall())]
    while cursor.nextset():
        counts.append(len(cursor.fetchall()))
    assert counts == [1, 0, 2] and len(asker.notices) == 1


def test_mission_is_the_sessions(stack, direct):
    """What was told under one mission binds that mission: the other has its own memory, and rows are not to be had by changing back."""
    forget(stack)
    with Asker(stack, "stats") as asker:
        assert len(asker.ask("SELECT count(*) FROM patients")) == 1
        asker.connection.execute("SET pgvigil.mission = 'research'")
        assert len(asker.ask("SELECT sex FROM patients LIMIT 3")) == 3
        asker.connection.execute("SET pgvigil.mission = 'stats'")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            asker.ask("SELECT sex FROM patients LIMIT 3")


# ---- what is on record ----

def records_of(stack, mission):
    """Of statements, in the order of time: workers have files of their own."""
    return sorted((r for r in stack.audit_records() if r.get("mission") == mission and r.get("sql")), key=lambda r: r["time"])


def test_records_name_whose_groups_left(stack, direct):
    forget(stack)
    city = direct.execute("SELECT city FROM %s GROUP BY 1 HAVING count(*) BETWEEN %d AND 900 ORDER BY count(*) DESC LIMIT 1" % (relation("patients", "p"), K)).fetchone()[0]
    true = {row[0] for row in direct.execute("SELECT own_patient FROM %s WHERE city = %%s" % relation("patients", "p"), [city])}
    with Asker(stack, "stats") as asker:
        assert asker.ask("SELECT count(*) FROM patients WHERE city = %s", [city]) == [(len(true),)]
    record = [r for r in records_of(stack, "stats") if "city" in r["sql"]][-1]
    named = {number for first, last in record["patients"] for number in range(first, last + 1)}
    assert named == true and "subjects" not in record and record["rows"] == 1


def test_records_tell_what_was_withheld_and_refused(stack, direct):
    forget(stack)
    birth, city, sex, _, _ = target_of(direct)
    with Asker(stack, "stats") as asker:
        asker.ask("SELECT count(*) FROM patients")
        asker.ask("SELECT count(*) FROM patients WHERE NOT (birth_date = %s AND city = %s AND sex = %s)", [birth, city, sex])
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            asker.ask("SELECT city FROM patients")
    everybody, withheld, refused = records_of(stack, "stats")[-3:]
    assert everybody["rows"] == 1 and everybody["patients"]
    assert withheld["rows"] == 0 and "NOT" in withheld["sql"] and "patients" not in withheld
    assert refused["decision"] == "deny" and "reading rows of patients" in refused["refused"]


def test_without_the_guard_that_tells_patients_nothing_is_told(stack, direct):
    """The last: it takes away a guard that was deployed."""
    forget(stack)
    views = direct.execute("SELECT format('%I.%I', schemaname, viewname) FROM pg_views WHERE schemaname LIKE 'pgvigil:researcher/free@%' AND viewname LIKE 'public.patients%' AND viewname LIKE '%subject%'").fetchall()
    assert len(views) == 1
    with Asker(stack, "free") as asker:
        assert len(asker.ask("SELECT count(*) FROM patients")) == 1
    direct.execute("DROP VIEW %s CASCADE" % views[0][0])
    forget(stack)
    with Asker(stack, "free") as asker:
        with pytest.raises(psycopg.Error, match="cannot be told|not deployed") as refused:
            asker.ask("SELECT count(*) FROM patients")
        assert refused.value.sqlstate in ("0A000", "55000")
        assert len(asker.ask("SELECT count(*) FROM stays")) == 1
