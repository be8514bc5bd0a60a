"""
Generated questions about groups, asked under an aggregate_only mission: no answer is about fewer than k patients, each is
PostgreSQL's own, and all that was answered together tells no fewer than k patients apart.

    PGVIGIL_AGGREGATES=50000 pytest test_aggregate_generated.py

Each statement is made of the seed and its number alone, so PGVIGIL_AGGREGATES_FROM goes on where a run was left. After EACH of
them another person or mission asks, of whom nothing is remembered, or little would be given after a while.
"""
import itertools
import os
import random
import re
from collections import Counter, defaultdict

import aggregate_policy
import psycopg
import pytest
from aggregate_policy import K, relation

COUNT = int(os.environ.get("PGVIGIL_AGGREGATES", "300"))
FROM = int(os.environ.get("PGVIGIL_AGGREGATES_FROM", "0"))
SEED = int(os.environ.get("PGVIGIL_SEED", "1"))
EACH = 10
GROUPS_MAX = 1000  # of one statement
MISSIONS = {"g%d" % i: "k = %d; answers_per_day = 100000;" % K for i in range(8)}
PEOPLE = list(itertools.product(("research1", "dr.martin"), MISSIONS))

# (alias, table)s, what joins them through pgvigil, and over the base tables.
SHAPES = [
    ([("p", "patients")], [], []),
    ([("s", "stays")], [], []),
    ([("o", "observations")], [], []),
    ([("p", "patients"), ("s", "stays")], ["s.patient_id = p.id"], ["s.own_patient = p.own_patient"]),
    ([("p", "patients"), ("o", "observations")], ["o.patient_id = p.id"], ["o.own_patient = p.own_patient"]),
    ([("s", "stays"), ("o", "observations")], ["o.patient_id = s.patient_id"], ["o.own_patient = s.own_patient"]),
    ([("s", "stays"), ("p", "patients")], ["p.ward_id = s.ward_id"], ["p.ward_id = s.ward_id"]),
    ([("p", "patients"), ("q", "patients")], ["p.city = q.city AND p.birth_date = q.birth_date"], ["p.city = q.city AND p.birth_date = q.birth_date"]),
]
GROUPS = {"patients": ["sex", "ward_id", "birth_date", "postcode", "blood_group", "city"], "stays": ["ward_id", "diagnosis", "attending", "admitted_at"],
          "observations": ["loinc", "unit", "practitioner"]}
NUMBERS = {"patients": ["ward_id"], "stays": ["ward_id"], "observations": ["value"]}
COUNTED = {"patients": ["blood_group", "city", "ward_id"], "stays": ["discharged_at", "diagnosis", "patient_id"], "observations": ["loinc", "value"]}


def literal(value):
    return "NULL" if value is None else "'%s'" % str(value).replace("'", "''")


class Question:
    """One statement, for pgvigil and, over the base tables, for PostgreSQL itself."""

    def __init__(self, number, values):
        self.random = random.Random("%d %d" % (SEED, number))
        self.values = values
        self.items, joins, true_joins = self.random.choice(SHAPES)
        self.groups = [self.column(GROUPS) for _ in range(self.random.choice([0, 0, 1, 1, 1, 2]))]
        self.cells = []  # (SQL, alias, column or None)
        for _ in range(self.random.randint(1, 3)):
            self.cells.append(self.cell())
        where = self.condition(2) if self.random.random() < 0.75 else None
        listed = ["%s AS g%d" % (column, i) for i, column in enumerate(self.groups)] + ["%s AS c%d" % (cell[0], i) for i, cell in enumerate(self.cells)]
        tail = (" WHERE " + where if where else "") + (" GROUP BY " + ", ".join(self.groups) if self.groups else "")
        order = " ORDER BY %d" % self.random.randint(1, len(listed)) if self.random.random() < 0.2 else ""
        self.sql = "SELECT %s FROM %s%s%s" % (", ".join(listed), self.joined(joins, lambda table, alias: "%s %s" % (table, alias)), tail, order)
        told = ["count(DISTINCT %s.own_patient)" % alias for alias, _ in self.items]
        told += ["string_agg(%s.own_key::text, ',')" % alias for alias, _ in self.items]
        for _, alias, column in self.cells:
            told += ["string_agg(%s.own_key::text, ',') FILTER (WHERE %s.%s IS %sNULL)" % (alias, alias, column, word) if column else "NULL" for word in ("NOT ", "")]
        self.true = "SELECT %s FROM %s%s" % (", ".join(listed + told), self.joined(true_joins, relation), tail)

    def joined(self, joins, entry):
        text = entry(self.items[0][1], self.items[0][0])
        for (alias, table), on in zip(self.items[1:], joins):
            text += " JOIN %s ON %s" % (entry(table, alias), on)
        return text

    def column(self, of):
        alias, table = self.random.choice(self.items)
        return "%s.%s" % (alias, self.random.choice(of[table]))

    def cell(self):
        kind = self.random.choice(["*", "*", "count", "count", "distinct", "sum", "avg", "stddev", "variance"])
        if kind == "*":
            return "count(*)", None, None
        alias, column = self.column(COUNTED if kind in ("count", "distinct") else NUMBERS).split(".")
        form = {"count": "count(%s)", "distinct": "count(DISTINCT %s)"}.get(kind, kind + "(%s)")
        return form % ("%s.%s" % (alias, column)), alias, column

    def comparison(self):
        alias, table = self.random.choice(self.items)
        column = self.random.choice(GROUPS[table])
        known = self.values[table, column]
        some = lambda: literal(self.random.choice(known))
        name = "%s.%s" % (alias, column)
        form = self.random.choice(["=", "=", "<>", "<", ">=", "in", "between", "null"])
        if form == "in":
            return "%s %sIN (%s)" % (name, self.random.choice(["", "NOT "]), ", ".join(some() for _ in range(self.random.randint(1, 4))))
        if form == "between":
            return "%s %sBETWEEN %s AND %s" % (name, self.random.choice(["", "NOT "]), some(), some())
        if form == "null":
            return "%s IS %sNULL" % (name, self.random.choice(["", "NOT ", "NOT "]))
        return "%s %s %s" % (name, form, some())

    def condition(self, depth):
        form = self.random.random()
        if depth == 0 or form < 0.35:
            return self.comparison()
        if form < 0.55:  # all but somebody
            return "NOT (%s)" % " AND ".join(self.comparison() for _ in range(self.random.randint(1, 3)))
        word = self.random.choice([" AND ", " OR "])
        return word.join("(%s)" % self.condition(depth - 1) for _ in range(2))


class Told:
    """What all answers of a batch tell apart: by the rows' own keys, from PostgreSQL's own lists."""

    def __init__(self, patient_of):
        self.patient_of = patient_of
        self.signatures = defaultdict(lambda: defaultdict(list))  # table -> key -> [(answer, how often)]
        self.sets = set()  # of patients, as bits
        self.answers = 0

    def vector(self, table, keys):
        self.answers += 1
        for key, count in Counter(keys).items():
            self.signatures[table][key].append((self.answers, min(count, 2)))

    def check(self):
        for table, keys in self.signatures.items():
            cells = defaultdict(set)
            for key, signature in keys.items():
                cells[tuple(signature)].add(self.patient_of[table][key])
            small = [(signature, patients) for signature, patients in cells.items() if len(patients) < K]
            assert not small, "%s: rows of %r are told apart by %r" % (table, small[0][1], small[0][0][:9])
        for a, b in itertools.permutations(self.sets, 2):
            assert not 0 < (a & ~b).bit_count() < K, "patients %x are told apart" % (a & ~b)


@pytest.fixture(scope="module")
def stack(make_stack, tmp_path_factory):
    return make_stack(policy_dir=aggregate_policy.policy(tmp_path_factory.mktemp("generated"), MISSIONS))


@pytest.fixture(scope="module")
def direct(stack):
    with stack.superuser() as connection:
        connection.autocommit = True
        connection.execute("UPDATE public.stays SET discharged_at = NULL WHERE id % 7 = 0")
        yield connection


@pytest.fixture(scope="module")
def values(direct):
    return {(table, column): [row[0] for row in direct.execute("SELECT DISTINCT %s FROM %s WHERE %s IS NOT NULL ORDER BY 1" % (column, relation(table, "t1"), column))]
            for table, columns in GROUPS.items() for column in columns}


@pytest.fixture(scope="module")
def patient_of(direct):
    return {table: dict(direct.execute("SELECT own_key, own_patient FROM %s" % relation(table, "t1")).fetchall()) for table in GROUPS}


def few(patients):
    return 0 < len(patients) < K


def judge_answer(question, rows, withheld, truth, told, patient_of):
    """Each answer is of a group of k or more, and PostgreSQL's own; what is not there was to be left out."""
    shown = len(question.groups) + len(question.cells)
    large = {}
    for row in truth:
        counts = row[shown:shown + len(question.items)]
        if min(counts) < K:
            continue
        listed = [None if text is None else [int(key) for key in text.split(",")] for text in row[shown + len(question.items):]]
        keys, cells = listed[:len(question.items)], listed[len(question.items):]
        wanted, vectors = list(row[:shown]), list(zip((table for _, table in question.items), keys))
        for i, (_, alias, column) in enumerate(question.cells):
            table = dict(question.items).get(alias)
            with_value, without = ({patient_of[table][key] for key in part or ()} for part in cells[2 * i:2 * i + 2]) if column else (set(), set())
            if column and (len(with_value) < K or few(without)):
                wanted[len(question.groups) + i] = None
            elif column:
                vectors.append((table, cells[2 * i]))
        large[tuple(row[:len(question.groups)])] = (tuple(wanted), vectors, keys)
    for row in rows:
        wanted, vectors, keys = large.pop(tuple(row[:len(question.groups)]))  # KeyError: a group of fewer than k
        assert tuple(row) == wanted, question.sql
        for table, part in vectors:
            told.vector(table, part)
        for (_, table), part in zip(question.items, keys):
            told.sets.add(sum(1 << patient for patient in {patient_of[table][key] for key in part}))
    assert len(large) == withheld, question.sql


def forget(stack):
    stack.proxy.stop()
    for path in stack.audit_dir.glob("aggregate-*"):
        path.unlink()
    stack.proxy.start()
    stack.wait_ready()


def answers_too_much(connection, question):
    """Refused in the middle, so that nothing of it is read here."""
    try:
        connection.execute(question.sql)
    except psycopg.errors.ProgramLimitExceeded as error:
        assert "groups at most" in str(error)
        return True
    return False


def run_batch(stack, who, direct, numbers, values, patient_of):
    notices = []
    told = Told(patient_of)
    given = left_out = 0
    with stack.connect(who[0], mission=who[1], autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        for number in numbers:
            question = Question(number, values)
            notices.clear()
            try:
                truth = direct.execute(question.true).fetchall()
                if len(truth) > GROUPS_MAX and answers_too_much(connection, question):
                    continue
                notices.clear()
                rows = connection.execute(question.sql).fetchall()
                withheld = sum(int(re.match(r"(\d+) groups? ", notice).group(1)) for notice in notices)
                judge_answer(question, rows, withheld, truth, told, patient_of)
            except (psycopg.Error, AssertionError, KeyError) as error:
                raise AssertionError("statement %d of seed %d: %s" % (number, SEED, question.sql)) from error
            given += len(rows)
            left_out += withheld
    told.check()
    return given, left_out


def test_no_answer_is_about_fewer(stack, direct, values, patient_of):
    given = left_out = 0
    for batch, start in enumerate(range(FROM, FROM + COUNT, EACH)):
        if batch % len(PEOPLE) == 0:
            forget(stack)
            print("from %d: %d groups given, %d withheld" % (start, given, left_out), flush=True)
        numbers = range(start, min(start + EACH, FROM + COUNT))
        more = run_batch(stack, PEOPLE[batch % len(PEOPLE)], direct, numbers, values, patient_of)
        given, left_out = given + more[0], left_out + more[1]
    print("%d statements: %d groups given, %d withheld" % (COUNT, given, left_out), flush=True)
    # Neither everything nor nothing: else it would show nothing.
    assert given > COUNT / 10 and left_out > COUNT / 10
