"""
Missions that are aggregate_only: cells of at least k patients and nothing else, by every way of asking; attacks by differences, which
find nobody, though against the threshold alone they do; the day's statements; what may not be deployed.

What is right is asked of PostgreSQL, over what the test made itself (aggregate_schema.py). Each refused form has its twin.
"""
import concurrent.futures
import contextlib
import hashlib
import json
import re
import socket
import stat
import struct
import subprocess
import time

import aggregate_schema
import harness
import held_disk
import psycopg
import pytest
import rights_schema
import test_audit
import wire
from aggregate_schema import K


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=aggregate_schema.SCHEMA + aggregate_schema.DATA, extra_policy=aggregate_schema.files(),
                      changes={"records": aggregate_schema.tables()})


@pytest.fixture(scope="module")
def direct(stack):
    with stack.superuser() as connection:
        yield connection


@pytest.fixture(scope="module")
def asker(stack):
    with stack.connect("research1", mission="stats") as connection:
        yield connection


# To who counts columns carelessly it has one more, of that name: USING has `id` once.
PHANTOM = "(SELECT * FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS %s) b USING (id)) AS q(x, y)"
S, P = "FROM epi.stays s", "FROM epi.people"
REFUSED = [  # (what is refused, why, its twin)
    ("SELECT * " + S, "a whole row", "SELECT sex, count(*) " + S + " GROUP BY sex"),
    ("SELECT s " + S, "a whole row", "SELECT s.sex " + S + " GROUP BY s.sex"),
    ("SELECT count(s) " + S, "a whole row", "SELECT count(s.ward) " + S),
    ("SELECT count(s.*) " + S, "a whole row", "SELECT count(*) " + S),
    ("SELECT s.count " + S, "a whole row", "SELECT count(s.days) " + S),
    ("TABLE epi.stays", "a whole row", "TABLE epi.wards"),
    ("SELECT ward " + S, "one by one", "SELECT DISTINCT ward " + S),
    ("SELECT ward " + S + " LIMIT 3", "one by one", "SELECT ward " + S + " GROUP BY ward ORDER BY ward LIMIT 3"),
    ("SELECT DISTINCT ON (ward) sex " + S, "one by one", "SELECT DISTINCT ON (ward) ward, sex " + S + " GROUP BY ward, sex ORDER BY ward, sex"),
    ("SELECT DISTINCT row_number() OVER () " + S, "one by one", "SELECT sex, rank() OVER (ORDER BY count(*)) " + S + " GROUP BY sex"),
    ("SELECT count(*) FROM (SELECT ward " + S + " LIMIT 9) q", "one by one", "SELECT count(*) FROM (SELECT ward " + S + " GROUP BY ward) q"),
    ("SELECT (SELECT v.sex FROM epi.stays v LIMIT 1) FROM epi.wards", "one by one", "SELECT (SELECT count(*) FROM epi.stays v WHERE v.ward = w.id) FROM epi.wards w"),
    ("SELECT (SELECT v.sex || count(s.ward)::text FROM epi.stays v LIMIT 1) " + S, "an aggregate of a sub-query", "SELECT (SELECT count(*) FROM epi.wards z WHERE z.id > s.ward) " + S + " GROUP BY s.ward"),
    ("SELECT (SELECT sum(s.days) FILTER (WHERE z.floor > 0) FROM epi.wards z) " + S, "an aggregate of a sub-query", "SELECT sum(s.days) FILTER (WHERE s.ward > 1) " + S),
    ("SELECT DISTINCT ward, (SELECT array_agg(s.sex) FROM epi.wards) " + S, "an aggregate of a sub-query", "SELECT ward, (SELECT array_agg(name ORDER BY name) FROM epi.wards) " + S + " GROUP BY ward"),
    ("SELECT id, count(*) " + S + " GROUP BY id", 'column "id"', "SELECT way, count(*) " + S + " GROUP BY way"),
    ("SELECT count(*) " + S + " WHERE person <> 5", 'column "person"', "SELECT count(*) " + S + " WHERE ward <> 5"),
    ("SELECT count(*) " + S + " WHERE days > 5", 'column "days"', "SELECT count(days) " + S + " WHERE ward > 1"),
    ("SELECT count(*) " + S + " WHERE days IS NULL", 'column "days"', "SELECT count(*) - count(days) " + S),
    ("SELECT count(*) " + S + " GROUP BY days", 'column "days"', "SELECT count(*) " + S + " GROUP BY ward"),
    ("SELECT count(*) " + S + " HAVING max(days) > 3", 'column "days"', "SELECT count(*) " + S + " HAVING sum(days) > 3"),
    ("SELECT ward " + S + " GROUP BY ward ORDER BY max(days)", 'column "days"', "SELECT ward " + S + " GROUP BY ward ORDER BY avg(days)"),
    ("SELECT note " + S + " GROUP BY 1", 'column "note"', "SELECT way::text " + S + " GROUP BY 1"),
    ("SELECT name, count(*) " + P + " GROUP BY name", 'column "name"', "SELECT city, count(*) " + P + " GROUP BY city"),
    ("SELECT stddev(days) " + S, "stddev", "SELECT sum(1), count(1) " + S),
    ("SELECT min(days) " + S, 'column "days"', "SELECT min(ward) " + S),
    ("SELECT array_agg(days) " + S, "array_agg", "SELECT avg(days) " + S),
    ("SELECT array_agg(ward) " + S, "array_agg", "SELECT array_agg(q.ward ORDER BY q.ward) FROM (SELECT ward " + S + " GROUP BY ward) q"),
    ("SELECT mode() WITHIN GROUP (ORDER BY ward) " + S, "mode", "SELECT max(ward) " + S),
    ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY days) " + S, "percentile_cont", "SELECT avg(days) " + S),
    ("SELECT sum(days + 0) " + S, 'column "days"', "SELECT sum(ward + 0) " + S),
    ("SELECT sum(CASE WHEN days > 5 THEN 1 END) " + S, 'column "days"', "SELECT sum(CASE WHEN ward > 2 THEN 1 END) " + S),
    ("SELECT sum(DISTINCT days) " + S, 'column "days"', "SELECT sum(DISTINCT ward) " + S),
    ("SELECT count(DISTINCT days) " + S, 'column "days"', "SELECT count(DISTINCT ward) " + S),
    ("SELECT count(DISTINCT person) " + S, "a number of patients", "SELECT count(DISTINCT id) FROM epi.people GROUP BY city, sex, born"),
    ("SELECT count(DISTINCT person) " + S + " GROUP BY ward, sex, way, admitted, price", "may be missing|equal values may be", "SELECT born, count(DISTINCT p.id) FROM epi.people p WHERE sex = 'M' GROUP BY 1, p.city, sex"),
    ("SELECT count(DISTINCT person) FROM epi.readings GROUP BY kind", '"value" may be missing', "SELECT count(*) FROM epi.readings GROUP BY kind"),
    ("SELECT (SELECT v.sex || count(1 ORDER BY o.x) FROM epi.stays v LIMIT 1) FROM (SELECT 1 AS x) o", "one by one", "SELECT (SELECT v.sex || count(1) FROM epi.stays v GROUP BY v.sex LIMIT 1)"),
    ("SELECT count(DISTINCT person) " + S + " WHERE ward = 1 GROUP BY sex", "a number of patients", "SELECT city, count(DISTINCT id) FROM epi.people WHERE sex = 'F' GROUP BY sex, born, 1"),
    ("SELECT count(DISTINCT person) " + S + " GROUP BY ROLLUP (ward, sex, way, admitted, price)", "GROUPING SETS", "SELECT count(*) " + S + " GROUP BY ROLLUP (ward, sex)"),
    ("SELECT sum(days) OVER () " + S, 'column "days"', "SELECT sum(sum(days)) OVER () " + S + " GROUP BY ward"),
    ("SELECT count(*) FILTER (WHERE days > 5) " + S, 'column "days"', "SELECT count(*) FILTER (WHERE ward > 1) " + S),
    ("SELECT count(*) " + S + " WHERE random() < 0.5", "random", "SELECT count(*) " + S + " WHERE now() > '2020-01-01'"),
    ("SELECT count(*) " + S + " WHERE clock_timestamp() > '2020-01-01'", "clock_timestamp", "SELECT count(*) " + S + " WHERE current_date > '2020-01-01'"),
    ("SELECT count(*) " + S + " WHERE pg_column_size(ward) > 3", "pg_column_size", "SELECT count(*) " + S + " WHERE length(ward::text) > 0"),
    ("SELECT count(*) " + S + " WHERE epi.flip(1)", "of the database's own", "SELECT count(*) FROM epi.wards WHERE epi.flip(1) OR true"),
    ("SELECT count(*) " + S + " WHERE s.ctid > '(0,5)'", "ctid|system column|whole row", "SELECT count(*) " + S + " WHERE s.ward::text > '2'"),
    ("SELECT count(*) " + S + " TABLESAMPLE BERNOULLI (50)", "TABLESAMPLE", "SELECT count(*) FROM epi.wards"),
    ("SELECT count(*) FROM ONLY epi.readings", "ONLY|a part of", "SELECT count(*) FROM epi.readings"),
    ("SELECT count(*) FROM epi.readings_2023", "a part of", "SELECT kind, count(*) FROM epi.readings GROUP BY kind"),
    ("SELECT count(*) FROM epi.readings WHERE year = 2023", 'column "year"', "SELECT count(*) FROM epi.readings WHERE kind = 'kind 1'"),
    ("SELECT count(*) " + S + " NATURAL JOIN epi.wards", "NATURAL|column", "SELECT count(*) " + S + " JOIN epi.wards w ON w.id = s.ward"),
    ("SELECT count(*) FROM epi.stays a JOIN epi.stays b USING (person)", 'column "person"', "SELECT count(*) FROM epi.stays a JOIN epi.stays b USING (sex)"),
    ("SELECT count(*) FROM (epi.stays a JOIN epi.wards b ON true) j", "alias of its own", "SELECT count(*) FROM epi.stays a JOIN epi.wards b ON true"),
    ("SELECT count(*) FROM epi.stays s, LATERAL (SELECT s.days) x", 'column "days"', "SELECT count(*) FROM epi.stays s, LATERAL (SELECT s.ward) x"),
    ("SELECT sex " + S + " GROUP BY sex FOR UPDATE", "FOR UPDATE", "SELECT sex " + S + " GROUP BY sex"),
    ("COPY epi.stays TO STDOUT", "one by one|a whole row", "COPY (SELECT sex, count(*) FROM epi.stays GROUP BY sex) TO STDOUT"),
    ("COPY epi.stays (sex) TO STDOUT", "one by one", "COPY epi.wards (name) TO STDOUT"),
    ("EXPLAIN SELECT count(*) " + S, "of patients|EXPLAIN", "SELECT count(*) " + S),
    ("DELETE FROM epi.stays", "DELETE|delete", "SELECT 1"),
    ("UPDATE epi.wards SET name = 'x' FROM epi.stays", "update|UPDATE", "SELECT 1"),
    ("PREPARE one AS SELECT days FROM epi.stays", 'column "days"', "PREPARE two AS SELECT sum(days) FROM epi.stays"),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT ward FROM epi.stays", "one by one", "DECLARE c CURSOR WITH HOLD FOR SELECT ward FROM epi.stays GROUP BY ward"),
    ("SELECT (SELECT s::text FROM %s), count(*) FROM epi.stays s GROUP BY 1" % PHANTOM % "s", "a whole row|column", "SELECT (SELECT x FROM %s), count(*) FROM epi.stays s" % PHANTOM % "s"),
    ("SELECT count(*), (SELECT person FROM %s) FROM epi.stays s GROUP BY 2" % PHANTOM % "person", 'column "person"', "SELECT count(*), (SELECT y FROM %s) FROM epi.stays s" % PHANTOM % "person"),
    ("SELECT count(*) FROM epi.stays s WHERE (SELECT days FROM %s) > 5" % PHANTOM % "days", 'column "days"', "SELECT count(*) FROM epi.stays s WHERE (SELECT ward FROM %s) > 5" % PHANTOM % "ward"),
    ("SELECT count(*) FROM epi.stays s WHERE (SELECT days FROM (SELECT * FROM (SELECT 1 AS id) a NATURAL JOIN (SELECT 1 AS id, 2 AS days) b) AS q(x, y)) > 5", 'column "days"', "SELECT 1"),
    ("WITH q(x, y) AS (SELECT * FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS days) b USING (id)) SELECT count(*) FROM epi.stays s WHERE (SELECT days FROM q) > 5", 'column "days"', "SELECT 1"),
    ("SELECT (SELECT v.sex || max(floor) FROM epi.stays v, %s LIMIT 1) FROM epi.wards" % PHANTOM % "floor", "one by one|sub-query", "SELECT (SELECT max(v.sex) FROM epi.stays v) FROM epi.wards"),
    ("SELECT s.ward, s.way, w.count FROM epi.stays s, (SELECT count(*) FROM epi.wards) w LIMIT 5", "one by one|count", "SELECT s.ward, w.c FROM epi.stays s, (SELECT count(*) AS c FROM epi.wards) w GROUP BY 1, 2"),
    ("SELECT s.way, x.sum FROM epi.stays s, json_to_record('{\"sum\":1}') AS x(sum int) LIMIT 3", "one by one|sum", "SELECT s.way, x.a FROM epi.stays s, json_to_record('{\"a\":1}') AS x(a int) GROUP BY 1, 2"),
    ("SELECT count(*), (s.ward).array_agg FROM epi.stays s", "array_agg", "SELECT count(*), max(s.ward) FROM epi.stays s"),
    ("SELECT DISTINCT w.array_agg FROM epi.stays s, LATERAL (SELECT s.ward) w", "array_agg", "SELECT DISTINCT w.ward FROM epi.stays s, LATERAL (SELECT s.ward) w"),
    ("SELECT count(*) FROM epi.stays s WHERE (s.price).pg_column_size > 3", "pg_column_size", "SELECT count(*) FROM epi.stays s WHERE scale(s.price) > 3"),
    ("SELECT count(*), (SELECT array_agg(w.x) FROM epi.wards z LIMIT 1) FROM epi.stays s, LATERAL (SELECT s.ward AS x) w", "an aggregate of a sub-query", "SELECT count(*), (SELECT array_agg(z.id ORDER BY z.id) FROM epi.wards z) FROM epi.stays s"),
    ("SELECT count(*), (SELECT string_agg(w.name, ',')) FROM epi.stays s JOIN epi.wards w ON w.id = s.ward", "an aggregate of a sub-query", "SELECT count(*) FROM epi.stays s HAVING true"),
]


@pytest.mark.parametrize("refused, why, twin", REFUSED, ids=lambda value: str(value)[:60])
def test_refused_forms_and_their_twins(stack, refused, why, twin):
    with stack.connect("research1", mission="stats") as connection:
        with pytest.raises(psycopg.Error) as caught:
            run(connection, refused)
        assert caught.value.sqlstate in ("0A000", "42501", "42703"), caught.value
        assert re.search(why, str(caught.value)), caught.value
        run(connection, twin)


def run(connection, sql):
    if sql.startswith("COPY"):
        with connection.cursor().copy(sql) as copy:
            return b"".join(copy)
    cursor = connection.execute(sql)
    return cursor.fetchall() if cursor.description else None


def test_other_missions_read_rows_as_ever(stack):
    """The same person, in a mission that is none of these."""
    with stack.connect("research1", mission="research") as connection:
        assert connection.execute("SELECT * FROM patients LIMIT 3").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT count(*) FROM epi.stays")


def test_a_refusal_says_what_the_administrator_could_change(asker):
    with pytest.raises(psycopg.Error) as caught:
        asker.execute("SELECT note, count(*) FROM epi.stays GROUP BY note")
    assert 'neither among the "dimensions" of epi.stays nor among its "measures" (95-aggregate.cfg:6)' in caught.value.diag.message_hint
    with pytest.raises(psycopg.Error) as caught:
        asker.execute("SELECT max(days) FROM epi.stays")
    assert "count(days), sum(days)" in str(caught.value) and 'role "researcher" in mission "stats"' in str(caught.value)


ANSWERED = [
    "SELECT count(*) FROM {stays}",
    "SELECT ward, count(*), sum(days), avg(cost) FROM {stays} GROUP BY ward",
    "SELECT sex, way, sum(cost) AS cost FROM {stays} GROUP BY sex, way ORDER BY cost DESC LIMIT 3",
    "SELECT w.name, count(s.days) FROM {stays} s RIGHT JOIN {wards} w ON w.id = s.ward WHERE w.floor < 2 GROUP BY w.name",
    "SELECT extract(year from admitted), price::text, count(*) FROM {stays} GROUP BY 1, 2",
    "SELECT city, born, avg(weight) FROM {people} WHERE sex = 'M' GROUP BY city, born HAVING count(*) > 5",
    "WITH t AS (SELECT ward, sum(days) AS d FROM {stays} GROUP BY ward) SELECT a.ward, a.d - b.d FROM t a JOIN t b ON a.ward = b.ward + 1",
    "SELECT kind, count(*) * 100 / sum(count(*)) OVER () FROM {readings} GROUP BY kind",
    "SELECT city, sex, born, count(DISTINCT id) FROM {people} GROUP BY 1, 2, 3",
    "SELECT ward IS NULL, count(*) FROM {stays} GROUP BY CUBE (1)",
    "SELECT s.sex, count(*) FROM {stays} s JOIN {people} p USING (sex) GROUP BY s.sex",
]


@pytest.mark.parametrize("sql", ANSWERED)
def test_answers_are_postgresqls_over_cells_that_exist(sql, asker, direct):
    told = asker.execute(sql.format(**{t: "epi." + t for t in ("stays", "people", "readings", "wards")})).fetchall()
    own = direct.execute(sql.format(**{t: "told." + t for t in ("stays", "people", "readings", "wards")})).fetchall()
    assert sorted(map(str, told)) == sorted(map(str, own)) and told
    over_all = direct.execute(sql.format(**{t: "epi." + t for t in ("stays", "people", "readings", "wards")})).fetchall()
    assert "readings" in sql or sorted(map(str, own)) != sorted(map(str, over_all)), "nothing is left out of this one"


def test_every_driver_form_gives_the_same(stack, asker):
    sql = "SELECT ward, count(*) FROM epi.stays WHERE sex = %s GROUP BY ward ORDER BY ward"
    expected = asker.execute(sql, ("M",), prepare=False).fetchall()
    assert expected == asker.execute(sql, ("M",), prepare=True).fetchall() == asker.execute(sql.replace("%s", "'M'")).fetchall()
    asker.execute("PREPARE q(text) AS SELECT ward, count(*) FROM epi.stays WHERE sex = $1 GROUP BY ward ORDER BY ward")
    assert asker.execute("EXECUTE q('M')").fetchall() == expected
    with asker.transaction():
        asker.execute("DECLARE c CURSOR FOR " + sql.replace("%s", "'M'"))
        assert asker.execute("FETCH ALL FROM c").fetchall() == expected


# ---- attacks ----

def targets(direct):
    """Patients who are alone by ward, sex, way, year and price among all rows of stays: the threshold alone would betray each."""
    return direct.execute("""SELECT min(person), ward, sex, way::text, date_trunc('year', admitted)::date, price, sum(days) FROM epi.stays
      WHERE ward IS NOT NULL GROUP BY ward, sex, way, date_trunc('year', admitted)::date, price HAVING count(DISTINCT person) = 1""").fetchall()


def test_attacks_by_differences_find_nobody(asker, direct):
    """Everybody, less everybody but one: it works on numbers over all rows with a threshold, and not here."""
    found = targets(direct)
    assert len(found) >= 3
    for person, ward, sex, way, year, price, days in found:
        but_one = "SELECT sum(days), count(%%s) FROM epi.stays WHERE ward IS NULL OR NOT (ward = %s AND sex = '%s' AND way = '%s' AND %%s = '%s' AND price = %s)" % (
            ward, sex, way, year, price)
        everybody = direct.execute("SELECT sum(days), count(DISTINCT person) FROM epi.stays").fetchone()
        less = direct.execute(but_one % ("DISTINCT person", "date_trunc('year', admitted)")).fetchone()
        assert everybody[0] - less[0] == (days or 0) and less[1] >= K, "the attack is none"
        one = asker.execute("SELECT sum(days), count(*) FROM epi.stays").fetchone()
        assert one == asker.execute(but_one % ("*", "admitted")).fetchone(), "the difference tells of patient %d" % person


def test_no_sum_of_answers_is_about_fewer(asker, direct):
    """Trackers: every answer is a sum over whole cells, so what cells are asked, in one statement or by adding many up, is the same."""
    cells = {}
    for row in asker.execute("SELECT ward, sex, way, admitted, price, count(*), sum(days) FROM epi.stays GROUP BY 1, 2, 3, 4, 5"):
        cells[row[:5]] = row[5:]
    patients = dict((row[:5], row[5]) for row in direct.execute(
        "SELECT ward, sex, way, date_trunc('year', admitted)::date, price, count(DISTINCT person) FROM epi.stays GROUP BY 1, 2, 3, 4, 5"))
    assert len(cells) > 20 and all(patients[cell] >= K for cell in cells) and len(patients) > len(cells)
    for column, name in enumerate(("ward", "sex", "way", "admitted")):
        for value, count, days in asker.execute("SELECT %s, count(*), sum(days) FROM epi.stays GROUP BY 1" % name).fetchall():
            mine = [numbers for cell, numbers in cells.items() if cell[column] == value]
            assert (count, days) == (sum(n[0] for n in mine), sum(n[1] or 0 for n in mine) if any(n[1] is not None for n in mine) else None)


def test_errors_tell_nothing_of_what_does_not_exist(asker, direct):
    """1 / (ward - 9) fails for rows of ward 9, of which there are some, and too few."""
    assert 0 < direct.execute("SELECT count(DISTINCT person) FROM epi.stays WHERE ward = 9").fetchone()[0]
    assert direct.execute("SELECT count(*) FROM told.stays WHERE ward = 9").fetchone()[0] == 0
    assert asker.execute("SELECT count(*) FROM epi.stays WHERE 1 / (ward - 9) = 0").fetchall()
    with pytest.raises(psycopg.errors.DivisionByZero):
        asker.execute("SELECT count(*) FROM epi.stays WHERE 1 / (ward - 1) = 0")


def test_which_error_comes_first_tells_nothing(make_stack):
    """Two errors in one statement: which is raised hangs on the row that comes first, and rows come by cells."""
    twins = make_stack(databases=["a", "b"], extra_sql=aggregate_schema.SCHEMA + aggregate_schema.DATA, extra_policy=aggregate_schema.files(),
                       changes={which: aggregate_schema.twin(which) for which in "ab"})
    for sql in ("SELECT sum(CASE ward WHEN 1 THEN 1 / (ward - 1) WHEN 2 THEN ('x' || ward)::int END) FROM epi.stays", "SELECT max((sex || way)::int) FROM epi.stays",
                "SELECT x::text, count(*) FROM epi.stays s, LATERAL (SELECT CASE WHEN s.ward = 1 THEN 1.0 ELSE 1.00 END AS x) q GROUP BY x",
                "SELECT sum(price::float8 / 3), avg(ward::float8 * 0.1) FROM epi.stays",
                "SELECT string_agg(x::text, ',') FROM (SELECT ward, g x FROM epi.stays, generate_series(1, 1000) g GROUP BY 1, 2) q"):
        said = []
        for which in "ab":
            with twins.connect("research1", database=which, mission="stats") as connection:
                try:
                    said.append(connection.execute(sql).fetchall())
                except psycopg.Error as error:
                    said.append((error.sqlstate, error.diag.message_primary))
        assert said[0] == said[1], sql


def test_the_digits_of_one_value_are_not_told(asker, direct):
    direct.execute("UPDATE epi.stays SET cost = cost::numeric(30, 6) WHERE id = (SELECT min(id) FROM epi.stays WHERE cost > 0)")
    assert "." in direct.execute("SELECT sum(cost)::text FROM epi.stays").fetchone()[0]
    assert "." not in asker.execute("SELECT sum(cost)::text FROM epi.stays").fetchone()[0]


def test_equal_values_that_can_be_told_apart_are_two(asker, direct):
    """1.0 and 1.00: cells are made of both, or the text would cut them again."""
    rows = asker.execute("SELECT price::text, count(*) FROM epi.stays GROUP BY 1 ORDER BY 1").fetchall()
    own = direct.execute("SELECT price::text, count(*) FROM told.stays GROUP BY 1 ORDER BY 1").fetchall()
    assert rows == own and {"1.0", "2"} <= {price for price, _ in rows}
    for price, _ in rows:
        least = direct.execute("SELECT min(c) FROM (SELECT count(DISTINCT person) c FROM told.stays WHERE price::text = %s GROUP BY ward, sex, way, admitted) x", (price,))
        assert least.fetchone()[0] >= K


# ---- the day's statements ----

@pytest.fixture
def fresh(stack):
    """As if nobody had asked anything today."""
    with restarted(stack):
        (stack.audit_dir / "budget.day").unlink(missing_ok=True)


@contextlib.contextmanager
def restarted(stack, kill=False):
    """Something is done while pgvigil is not there."""
    if kill:
        stack.proxy.process.kill()
        stack.proxy.process.wait(10)
        stack.proxy.process = None
    else:
        stack.proxy.stop()
    yield
    stack.proxy.start()
    stack.wait_ready()


def ask_all(stack, most=20, mission="tight"):
    """How many answers there are, and what is said then."""
    with stack.connect("research1", mission=mission) as connection:
        for number in range(most):
            try:
                connection.execute("SELECT count(*) FROM epi.stays").fetchone()
            except psycopg.Error as error:
                return number, error
    return most, None


def used_up(caught):
    return caught.value.sqlstate == "54000" and "12 answers about patients at most in a day" in str(caught.value)


def test_a_scripted_attack_runs_out_of_statements(stack, direct, fresh):
    """A cell that is watched: each change of it would tell of whoever came. Other sessions, missions' other names and errors do not help."""
    told = []
    with stack.connect("research1", mission="tight") as connection:
        with pytest.raises(psycopg.Error) as caught:
            for number in range(100):
                told.append(connection.execute("SELECT count(*) FROM epi.stays WHERE ward = 1").fetchone()[0])
                direct.execute("INSERT INTO epi.stays SELECT 200000 + %s, 1 + %s, ward, sex, way, admitted, price, days, cost, '' FROM epi.stays WHERE id = 3", (number, number))
        assert used_up(caught) and len(told) == 12
        assert "UTC" in caught.value.diag.message_hint
        assert connection.execute("SELECT count(*) FROM epi.wards").fetchone() == (9,), "what is about nobody costs nothing"
    with stack.connect("research1", mission="tight") as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("SELECT count(*) FROM epi.stays")
        assert used_up(caught)
    with stack.connect("research1", mission="stats") as connection:
        assert connection.execute("SELECT count(*) FROM epi.stays").fetchall(), "another mission has its own"
    direct.execute("DELETE FROM epi.stays WHERE id >= 200000")


WAYS = {
    "simple": lambda c: c.query("SELECT count(*) FROM epi.stays"),
    "extended": lambda c: c.extended("SELECT count(*) FROM epi.stays"),
    "two of a text": lambda c: c.query("SELECT count(*) FROM epi.stays; SELECT 1"),
    "error": lambda c: c.query("SELECT count(*) / 0 FROM epi.stays"),
    "copy": lambda c: c.query("COPY (SELECT count(*) FROM epi.stays) TO STDOUT"),
    "execute": lambda c: c.query("EXECUTE q"),
    "cursor": lambda c: c.query("BEGIN; DECLARE k CURSOR FOR SELECT count(*) FROM epi.stays; COMMIT"),
    "cancelled": lambda c: c.query("SET statement_timeout = '1ms'; SELECT count(*) FROM epi.stays a JOIN epi.stays b USING (sex) JOIN epi.stays d USING (sex)"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_asking_costs(stack, fresh, way):
    session = wire.open_session(stack, "research1", options="-cpgvigil.mission=tight")
    session.query("PREPARE q AS SELECT count(*) FROM epi.stays")
    errors = [wire.error_of(WAYS[way](session)) for _ in range(14)]
    session.close()
    states = [error["C"] if error else None for error in errors]
    assert "54000" not in states[:12] and states[12:] == ["54000", "54000"] or (way == "cursor" and states[12] == "54000"), states


def test_sessions_side_by_side_have_the_day_together(stack, fresh):
    def ask(_):
        with stack.connect("research1", mission="tight") as connection:
            got = 0
            for _ in range(6):
                try:
                    connection.execute("SELECT count(*) FROM epi.stays")
                    got += 1
                except psycopg.Error as error:
                    assert error.sqlstate == "54000"
            return got

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 12


def test_pipelined_statements_cost_one_by_one(stack, fresh):
    with stack.connect("research1", mission="tight") as connection:
        got = 0
        with connection.pipeline():
            cursors = []
            for _ in range(30):
                cursor = connection.cursor()
                cursors.append(cursor)
                try:
                    cursor.execute("SELECT count(*) FROM epi.stays")
                except psycopg.Error:
                    break
            for cursor in cursors:
                try:
                    got += cursor.fetchone() is not None
                except psycopg.Error:
                    break
        assert got <= 12


def test_the_day_outlives_restarts_and_kills(stack, fresh):
    assert ask_all(stack, 5) == (5, None)
    with restarted(stack):
        pass
    assert ask_all(stack, 4) == (4, None)
    with restarted(stack, kill=True):
        pass
    got, error = ask_all(stack)
    assert got == 3 and error.sqlstate == "54000" and "12 answers" in str(error)
    with restarted(stack, kill=True):
        assert stat.S_IMODE((stack.audit_dir / "budget.day").stat().st_mode) == 0o600
        assert b"research" not in (stack.audit_dir / "budget.day").read_bytes()
    got, error = ask_all(stack)
    assert got == 0 and error.sqlstate == "54000"
    assert ask_all(stack, 3, mission="stats") == (3, None), "another mission has its own"
    with stack.connect("research1", mission="research") as connection:
        assert connection.execute("SELECT count(*) FROM patients").fetchone()


def test_nobody_waits_for_the_disk_of_the_day(make_stack, tmp_path):
    """One event loop: while the disk takes nothing, others are still let in, and what was counted is there after a kill."""
    own = held_disk.make(make_stack, tmp_path / "disk", workers=1, extra_sql=aggregate_schema.SCHEMA + aggregate_schema.DATA,
                         extra_policy=aggregate_schema.files(), changes={"records": aggregate_schema.tables()})
    own.connect("research1", mission="tight").close()
    with contextlib.ExitStack() as askers, concurrent.futures.ThreadPoolExecutor(3) as pool:
        # The first makes the file, the second is a new entry, the third one more of an entry.
        sessions = [askers.enter_context(own.connect("research1", mission=mission)) for mission in ("tight", "stats", "tight")]
        with own.disk.held():
            asked = []
            for session in sessions:
                asked.append(pool.submit(session.execute, "SELECT count(*) FROM epi.stays"))
                time.sleep(0.3)
                with socket.create_connection(("127.0.0.1", own.port), 5) as other:
                    other.settimeout(5)
                    other.sendall(struct.pack("!ii", 8, 80877103))
                    assert other.recv(1) == b"S"
            assert not any(one.done() for one in asked), "the disk is held: no answer leaves"
            own.proxy.process.kill()
            own.proxy.process.wait(10)
        for one in asked:
            assert one.exception(20) is not None
    own.proxy.process = None
    with harness.running(held_disk.BINARY):
        own.proxy.start()
        own.wait_ready()
    assert ask_all(own)[0] == 12 - 2, "both of the statements that were sent count"


def test_killed_while_it_answers_it_gives_no_more_than_the_day(stack, fresh):
    """Several sessions ask without a pause; whatever was answered before each kill has been counted."""
    def ask(_):
        got = 0
        with contextlib.suppress(psycopg.Error), stack.connect("research1", mission="tight") as connection:
            while True:
                connection.execute("SELECT count(*) FROM epi.stays").fetchone()
                got += 1
        return got

    total = 0
    for wait in (0.02, 0.05, 0.1):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            running = [pool.submit(ask, n) for n in range(4)]
            time.sleep(wait)
            with restarted(stack, kill=True):
                total += sum(one.result() for one in running)
    got, error = ask_all(stack)
    assert total + got <= 12 and error.sqlstate == "54000"


def moved_to(path, days):
    """The file as docs/aggregate-missions.md has it, with its entries of another day."""
    bytes_ = path.read_bytes()
    out = bytes_[:64]
    for place, at in enumerate(range(64, len(bytes_), 64)):
        body = bytes_[at:at + 32] + struct.pack("<QQ", int(time.time() // 86400) + days, struct.unpack_from("<Q", bytes_, at + 40)[0])
        out += body + hashlib.sha256(struct.pack("<Q", place) + body).digest()[:16]
    path.write_bytes(out)


@pytest.mark.parametrize("days, left", [(-1, 12), (0, 0), (1, 0)], ids=["yesterday", "today", "clock set back"])
def test_each_day_has_its_own(stack, fresh, days, left):
    assert ask_all(stack)[0] == 12
    with restarted(stack):
        before = (stack.audit_dir / "budget.day").read_bytes()
        moved_to(stack.audit_dir / "budget.day", days)
        assert (before == (stack.audit_dir / "budget.day").read_bytes()) == (days == 0)
        size = len(before)
    assert ask_all(stack)[0] == left
    assert (stack.audit_dir / "budget.day").stat().st_size == size, "the entry is used again"


@pytest.mark.parametrize("place", [3, 64, 100, 127, None], ids=["header", "who", "count", "hash", "cut"])
def test_a_damaged_file_is_a_day_that_is_used_up(stack, fresh, place):
    path = stack.audit_dir / "budget.day"
    assert ask_all(stack, 2) == (2, None)
    for _ in range(2):
        with restarted(stack):
            damaged = bytearray(path.read_bytes())
            if place is None:
                del damaged[100:]
            else:
                damaged[place] ^= 0x55 if _ == 0 else 0
            path.write_bytes(damaged)
        got, error = ask_all(stack)
        assert got == 0 and error.sqlstate == "54000" and "budget.day was damaged" in str(error) and "moves it away" in error.diag.message_hint
        assert "event=day-budget-damaged" in stack.proxy.tail(200)
        with stack.connect("nurse1") as nurse:  # care goes on
            assert nurse.execute("SELECT count(*) FROM patients").fetchone()[0] > 0
    with restarted(stack):
        path.rename(path.with_suffix(".looked-at"))
    assert ask_all(stack)[0] == 12


def test_what_cannot_be_counted_is_not_answered(make_stack, small_disk):
    own = make_stack(extra_sql=aggregate_schema.SCHEMA + aggregate_schema.DATA, extra_policy=aggregate_schema.files(),
                     changes={"records": aggregate_schema.tables()}, audit_dir=small_disk / "audit", workers=1, audit="reserve_bytes = 65536")
    with own.connect("research1", mission="tight"):
        pass
    test_audit.fill(small_disk)
    refused = [ask_all(own, 1) for _ in range(3)]
    assert {(got, error.sqlstate) for got, error in refused} == {(0, "58030")}
    (small_disk / "filler").unlink()
    test_audit.until_service_returns(own, own.connect("nurse1")).close()
    got, error = ask_all(own)
    assert error.sqlstate == "54000" and 9 <= got <= 12


# ---- on record ----

def test_the_record_says_that_nobody_can_be_named(stack, fresh):
    """Answered, refused by the policy, refused since the day is used up; and the same question in a mission that is none of these."""
    def ask(mission, mark, table="epi.stays", what="count(*)"):
        with stack.connect("research1", mission=mission) as connection:
            try:
                connection.execute("SELECT %s AS %s FROM %s" % (what, mark, table)).fetchall()
            except psycopg.Error as error:
                return error.sqlstate

    assert ask("stats", "m_answered") is None
    assert ask("stats", "m_refused", what="max(days)") == "0A000"
    assert ask_all(stack)[0] == 12 and ask("tight", "m_used_up") == "54000"
    assert ask("research", "m_rows", "patients", "id") is None
    found = {mark: [r for r in stack.audit_records() if r.get("mission") and mark in r.get("sql", "")] for mark in ("m_answered", "m_refused", "m_used_up", "m_rows")}
    assert all(len(records) == 1 for records in found.values()), found
    answered, refused, used_up, rows = (records[0] for records in found.values())
    assert answered["decision"] == "allow" and answered["subjects"] == "aggregate" and "patients" not in answered
    assert refused["decision"] == used_up["decision"] == "deny" and (refused["sqlstate"], used_up["sqlstate"]) == ("0A000", "54000")
    for record in (refused, used_up):  # nothing was told of anybody
        assert not {"patients", "subjects"} & set(record) and record["rows"] == 0
    assert rows["decision"] == "allow" and "subjects" not in rows and rows["patients"], rows


def test_the_auditors_report_counts_them_when_it_is_asked_to(stack, fresh):
    """A patient's own report: nobody read her by name, and whoever counted everybody counted her."""
    def report(*more):
        done = stack.command("audit", "report", "patient", "-c", stack.config_file, "--patient", "777777", "--format", "json", *more, stack.audit_dir, check=False)
        rows = json.loads(done.stdout)["rows"]
        assert done.returncode == (0 if rows else 1), done.stderr
        return rows

    def counted():
        rows = [row for row in report("--inexact") if row["mission"] == "stats"]
        assert all(row["times"] == row["inexact"] and row["person"] == "research1" for row in rows)
        return sum(row["times"] for row in rows)

    before = counted()
    with stack.connect("research1", mission="stats") as connection:
        for sql in ("SELECT count(*) FROM epi.stays", "SELECT ward, sum(days) FROM epi.stays GROUP BY ward", "SELECT count(*) FROM epi.wards"):
            connection.execute(sql).fetchall()
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT max(days) FROM epi.stays")
    assert counted() == before + 2, "wards are about nobody, and what was refused told of nobody"
    assert report() == [], "no row of hers, of whom there is none, was read"
    about_nobody = [r for r in stack.audit_records() if r.get("mission") == "stats" and {rel["name"] for rel in r.get("relations", [])} == {"wards"}]
    assert about_nobody and not any("subjects" in r for r in about_nobody)


# ---- what may not be ----

def broken(make_stack, policy=aggregate_schema.POLICY, sql="", missions=None, **kw):
    """What deploy says of it."""
    made = make_stack(extra_sql=aggregate_schema.SCHEMA + aggregate_schema.DATA + sql, deploy=False, serve=False,
                      extra_policy=aggregate_schema.files(policy, missions), **kw)
    name = next(iter(made.databases))
    done = made.command("deploy", "-c", made.config_file, "--database", name, "--as", made.dba(name), check=False)
    return done.returncode, done.stdout + done.stderr


VIEW = """CREATE VIEW epi.joined AS SELECT s.id, s.person, s.ward, p.city FROM epi.stays s JOIN epi.people p ON p.id = s.person;
CREATE VIEW epi.open AS SELECT s.ward, s.days FROM epi.stays s; GRANT SELECT ON epi.joined, epi.open TO pgvigil_owner;"""


def with_table(entry, rule):
    text = aggregate_schema.POLICY.replace("tables = (", "tables = (\n  %s," % entry, 1)
    return text.replace("rules = (", 'rules = (\n  { roles = [ "researcher" ]; missions = [ "stats" ]; %s },' % rule, 1)


def test_rows_may_not_be_in_two_cubes(make_stack):
    """Of what a cell of one leaves out, the other may tell."""
    status, said = broken(make_stack, sql=VIEW, policy=with_table(
        '{ name = "epi.joined"; subject = "joined.person"; dimensions = [ "ward", "city" ]; columns = { fact = [ "ward", "city", "person" ]; }; }',
        'tables = [ "epi.joined" ]; columns = { fact = "show"; };'))
    assert status != 0 and "both show rows of epi." in said and "stats" in said


def test_views_of_patients_say_whose_they_are(make_stack):
    status, said = broken(make_stack, sql=VIEW, policy=with_table(
        '{ name = "epi.open"; columns = { fact = [ "ward", "days" ]; }; }', 'tables = [ "epi.open" ]; columns = { fact = "show"; };'))
    assert status != 0 and 'epi.open reads epi.stays, and has no "subject"' in said


TURNED = {
    "a mask by the time zone": ("date_trunc('year', :col)::date", "extract(year from :col)", "date_trunc"),
    "a mask by the format of dates": ("make_date(left(:col::text, 4)::int, 1, 1)", "date_trunc('year', :col::timestamp)::date", "a cast by the text of date"),
    "a mask that is a function of the database's": ("epi.turn(:col)", "date_trunc('year', :col::timestamp)::date", "epi.turn"),
}
TURN = "CREATE FUNCTION epi.turn(d date) RETURNS date LANGUAGE sql STABLE AS 'SELECT date_trunc(''year'', d)::date';"


@pytest.mark.parametrize("what", TURNED)
def test_cells_do_not_follow_what_a_client_sets(make_stack, what):
    turned, steady, said = TURNED[what]
    old = 'year_only = "make_date(extract(year from :col)::int, 1, 1)"'
    assert old in aggregate_schema.POLICY
    steady = steady if "date" in steady else "make_date(%s::int, 1, 1)" % steady
    status, out = broken(make_stack, sql=TURN, policy=aggregate_schema.POLICY.replace(old, 'year_only = "%s"' % turned))
    assert status != 0 and said in out and "epi.stays" in out and "aggregate_only" in out, out
    status, out = broken(make_stack, sql=TURN, policy=aggregate_schema.POLICY.replace(old, 'year_only = "%s"' % steady))
    assert status == 0, out


ODD = """CREATE DOMAIN epi.small AS float8;
CREATE TABLE epi.odd (id int PRIMARY KEY, person int, c bpchar, f epi.small, d date, ts timestamptz, x float8, t text);
INSERT INTO epi.odd SELECT n, n, CASE WHEN n = 7 THEN 'a   ' ELSE 'a' END, n, '2024-01-01', '2024-01-01', n / 7.0, 't' FROM generate_series(1, 40) n;
CREATE VIEW epi.zoned AS SELECT id, person, date_trunc('year', ts)::date AS y FROM epi.odd;
CREATE TABLE epi.p1 (id int, person int, ward int); CREATE TABLE epi.p2 (id int, person int, sex text); CREATE TABLE epi.kid () INHERITS (epi.p1, epi.p2);
GRANT SELECT ON epi.odd, epi.zoned, epi.p1, epi.p2, epi.kid TO pgvigil_owner;"""
ALL = 'columns = { fact = [ "id", "person", "c", "f", "d", "ts", "x", "t", "y", "ward", "sex" ]; }; }'


def odd(name, parts, mask="show", column="c", rows="true", more=""):
    text = with_table('{ name = "epi.%s"; subject = "%s.person"; %s %s' % (name, name, parts, ALL),
                      'tables = [ "epi.%s" ]; rows = "%s"; columns = { fact = "show"; %s = "%s"; };' % (name, rows, column, mask))
    return text.replace("masks = {", "masks = { %s" % more, 1)


@pytest.mark.parametrize("what, policy, said", [
    ("a filter by the day here", odd("odd", 'dimensions = [ "c" ];', rows="odd.d < current_date"), "current_date"),
    ("a comparison of rows", odd("odd", 'dimensions = [ "c" ];', rows="(odd.ts, 1) < (now(), 1)"), "a comparison of rows"),
    ("a setting", odd("odd", 'dimensions = [ "c" ];', rows="odd.d < (now() AT TIME ZONE current_setting('TimeZone'))"), "current_setting"),
    ("a domain's text", odd("odd", 'dimensions = [ "f" ];', mask="digits", column="f", more='digits = "length(:col::text)::float8";'), "a cast by the text of"),
    ("a view with a zone", odd("zoned", 'dimensions = [ "y" ];'), "date_trunc"),
    ("a child of two parents", odd("p1", 'dimensions = [ "ward" ];'), "a child of several tables"),
    ("a measure that is no number", odd("odd", 'measures = [ "t" ];'), "only numbers"),
], ids=lambda value: str(value)[:24])
def test_odd_policies_are_not_deployed(make_stack, what, policy, said):
    status, out = broken(make_stack, sql=ODD, policy=policy)
    assert status != 0 and said in out, out


@pytest.mark.parametrize("policy", [
    odd("odd", 'dimensions = [ "c" ]; measures = [ "x", "f" ];'),
    odd("odd", 'dimensions = [ "t" ];', mask="pseudonym", column="t"),
    odd("odd", 'dimensions = [ "ts" ];', mask="zone", column="ts", more="zone = \"date_trunc('year', :col, 'Europe/Paris')\";"),
    odd("odd", 'dimensions = [ "c" ];', rows="odd.ts < now() AND odd.d < (now() AT TIME ZONE 'Europe/Paris')::date"),
], ids=["numbers", "pseudonym", "zone", "now"])
def test_everyday_policies_are_deployed(make_stack, policy):
    status, out = broken(make_stack, sql=ODD, policy=policy)
    assert status == 0, out


def test_blanks_make_no_cell_of_one(make_stack):
    """'a' and 'a   ' are equal, and their texts as well; their bytes are not."""
    odd_stack = make_stack(extra_sql=aggregate_schema.SCHEMA + aggregate_schema.DATA + ODD,
                           extra_policy=aggregate_schema.files(odd("odd", 'dimensions = [ "c" ]; measures = [ "x" ];')))
    with odd_stack.connect("research1", mission="stats") as connection:
        assert connection.execute("SELECT octet_length(c), count(*) FROM epi.odd GROUP BY 1").fetchall() == [(1, 39)]
        total = connection.execute("SELECT sum(x), avg(x) FROM epi.odd").fetchone()
    with odd_stack.superuser() as direct:
        own = direct.execute("SELECT sum(x::numeric)::float8, avg(x) FROM epi.odd WHERE id <> 7").fetchone()
    assert total[0] == own[0] and abs(total[1] - own[1]) < 1e-9


NUMBERS = """CREATE TABLE epi.numbers (id int PRIMARY KEY, person int, d int, i int, b bigint, s smallint, n numeric(10, 2), r real, f float8);
INSERT INTO epi.numbers SELECT n, n, n % 3, (n % 7 - 3) * 300000000, (n % 5 - 2) * 4000000000000000000, n % 65000 - 32000, n * 1.25 - 40, 123456.7, CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN 0.1 ELSE n END
  FROM generate_series(1, 90) n;
INSERT INTO epi.numbers SELECT 1000 + n, 1000 + n, 9, 2147483647, 9223372036854775807, 32767, 99999999.99, 'NaN', 1e308 FROM generate_series(1, 12) n;
GRANT SELECT ON epi.numbers TO pgvigil_owner;"""


def test_sums_are_those_of_the_rows(make_stack):
    """Negative, beyond the type, missing, infinite: what is dealt out adds up to what there is."""
    parts = 'dimensions = [ "d" ]; measures = [ "i", "b", "s", "n", "r", "f" ];'
    policy = with_table('{ name = "epi.numbers"; subject = "numbers.person"; %s columns = { fact = [ "d", "i", "b", "s", "n", "r", "f" ]; }; }' % parts,
                        'tables = [ "epi.numbers" ]; columns = { fact = "show"; };')
    made = make_stack(extra_sql=aggregate_schema.SCHEMA + aggregate_schema.DATA + NUMBERS, extra_policy=aggregate_schema.files(policy))
    whole = "SELECT d, count(*), count(f), sum(i), avg(i), sum(b), avg(b), sum(s), avg(s), sum(n), avg(n) FROM epi.numbers GROUP BY d ORDER BY d"
    floats = "SELECT d, sum(r::float8), sum(f) FROM epi.numbers WHERE d < 9 GROUP BY d ORDER BY d"
    with made.connect("research1", mission="stats") as connection, made.superuser() as direct:
        assert connection.execute(whole).fetchall() == direct.execute(whole).fetchall()
        told, own = connection.execute(floats.replace("sum(r::float8)", "sum(r)")).fetchall(), direct.execute(floats).fetchall()
        assert all(abs(one[k] - other[k]) < 1e-6 * abs(other[k]) for one, other in zip(told, own) for k in (1, 2)) and len(told) == len(own) == 3
        assert str(connection.execute("SELECT sum(r), sum(f), count(f) FROM epi.numbers WHERE d = 9").fetchone()) == "(nan, inf, 12)"


def test_filters_do_not_follow_it_either(make_stack):
    rule = 'tables = [ "epi.stays" ]; columns'
    assert aggregate_schema.POLICY.count(rule) == 1
    for rows, fine in (("stays.admitted < current_date", False), ("stays.admitted + interval '1 day' < now()", False),
                       ("stays.admitted < (now() AT TIME ZONE 'Europe/Paris')", True)):
        status, out = broken(make_stack, policy=aggregate_schema.POLICY.replace(rule, 'tables = [ "epi.stays" ]; rows = "%s"; columns' % rows))
        assert (status == 0) == fine, (rows, out)


def test_the_guard_shows_what_may_be_asked_by(stack, direct):
    """The second wall: were a statement let through that groups nothing, it would read dimensions and measures of rows in cells."""
    shown = direct.execute("""SELECT c.relname, array_agg(a.attname::text ORDER BY a.attname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE n.nspname LIKE 'pgvigil:researcher/stats@%' AND c.relkind = 'v' GROUP BY 1""").fetchall()
    shown = {name: set(columns) for name, columns in shown}
    assert not [name for name in shown if "!cells" in name or "!only" in name or "readings_2" in name]
    for cube, (_, dimensions, measures) in aggregate_schema.CUBES.items():
        assert shown["epi." + cube] == set(dimensions) | set(measures) | {aggregate_schema.SUBJECTS[cube]}
    assert shown["epi.wards"] == {"id", "name", "floor"}


def test_a_dimension_that_is_no_column_is_said(make_stack):
    status, said = broken(make_stack, policy=aggregate_schema.POLICY.replace('dimensions = [ "kind" ]', 'dimensions = [ "kinds" ]'))
    assert status != 0 and 'it has no column "kinds", which is among its "dimensions"' in said


def test_cells_are_of_records_that_rights_and_retention_leave(make_stack):
    """Restricted, archived and expired patients are in no cell: reckoned in Python from the policy's words."""
    tables = (harness.CLINIC / "policy" / "10-tables.cfg").read_text(encoding="utf-8")
    old = 'subject = "stays.patient_id";'
    assert tables.count(old) == 1
    rule = ('rules = ( { roles = [ "researcher" ]; missions = [ "stats" ]; tables = [ "public.patients", "public.stays" ]; '
            'columns = { admin = "show"; identifier = "show"; contact = "show"; medical = "show"; }; } );')
    files = [("30-missions-roles.cfg", aggregate_schema.missions_file({"stats": "k = 5;"})), ("95-rights.cfg", rights_schema.POLICY),
             ("96-aggregate.cfg", rule), ("10-tables.cfg", tables.replace(old, old + ' dimensions = [ "ward_id" ];'))]
    made = make_stack(extra_sql=rights_schema.EXTRA_SQL, extra_policy=files)
    with made.superuser() as direct:
        known = rights_schema.ages(direct)
        restricted = {p for p, in direct.execute("SELECT patient_id FROM restrictions WHERE lifted_on IS NULL")}
        left = [p for p, age in known.items() if age == "active" and p not in restricted]
        assert 100 < len(left) < len(known) - 100
        own = direct.execute("SELECT ward_id, count(*) FROM stays WHERE patient_id = ANY(%s) GROUP BY 1 HAVING count(DISTINCT patient_id) >= 5 ORDER BY 1", (left,)).fetchall()
        people, = direct.execute("SELECT count(*) FROM patients WHERE id = ANY(%s)", (left,)).fetchone()
    with made.connect("research1", mission="stats") as connection:
        assert connection.execute("SELECT ward_id, count(*) FROM stays GROUP BY 1 ORDER BY 1").fetchall() == own and own
        assert connection.execute("SELECT count(*) FROM patients").fetchone()[0] == people
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT count(*) FROM patients WHERE ward_id = 3")
