"""
Tables for missions that are aggregate_only, the policy over them, and what PostgreSQL itself says of their cells: for
test_aggregate.py, test_aggregate_twins.py and aggregate_statements.py.

What exists for such a mission is asked of the base tables here, by window functions over the patients of each cell: nothing of
pgvigil's text is used. The twin differs in everything that is not a number about a whole cell: who is in it, which row has which
value, how rows lie on the disk, and all that is in cells of fewer than K.
"""
import re

import harness

K = 4

SCHEMA = """
CREATE SCHEMA epi;
CREATE TYPE epi.way AS ENUM ('emergency', 'planned', 'transfer');
CREATE TABLE epi.wards (id int PRIMARY KEY, name text NOT NULL, floor int NOT NULL);
CREATE TABLE epi.people (id int PRIMARY KEY, city text, sex text NOT NULL, born date NOT NULL, weight int NOT NULL, name text NOT NULL);
CREATE TABLE epi.stays (id int PRIMARY KEY, person int NOT NULL, ward int, sex text NOT NULL, way epi.way NOT NULL, admitted date NOT NULL,
  price numeric, days int, cost numeric, note text NOT NULL);
CREATE TABLE epi.readings (id int NOT NULL, person int, kind text NOT NULL, year int NOT NULL, value int) PARTITION BY LIST (year);
CREATE TABLE epi.readings_2023 PARTITION OF epi.readings FOR VALUES IN (2023);
CREATE TABLE epi.readings_2024 PARTITION OF epi.readings FOR VALUES IN (2024);
CREATE FUNCTION epi.flip(x int) RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT random() < 0.5';
INSERT INTO epi.wards SELECT n, 'ward ' || n, n % 3 FROM generate_series(1, 9) n;
GRANT USAGE ON SCHEMA epi TO pgvigil_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA epi TO pgvigil_owner;
"""

# Cells of every size: ward 8 and 9 and some cities are rare, some wards are not known, some measures neither.
DATA = """
INSERT INTO epi.people SELECT n, CASE WHEN n % 37 = 0 THEN 'Rare ' || n % 4 WHEN n % 11 = 0 THEN NULL ELSE 'City ' || n % 3 END,
  CASE WHEN n % 4 = 0 THEN 'F' ELSE 'M' END, date '1930-05-05' + (n * 53) % 29000, 40 + n * 7 % 60, 'Name ' || n
  FROM generate_series(1, 320) n;
INSERT INTO epi.stays SELECT n, 1 + (n * 7919) % 320, CASE WHEN n % 211 = 0 THEN 9 WHEN n % 43 = 0 THEN NULL WHEN n % 41 = 0 THEN 8 ELSE 1 + (n / 3) % 3 END,
  CASE WHEN (1 + (n * 7919) % 320) % 4 = 0 THEN 'F' ELSE 'M' END, (enum_range(NULL::epi.way))[1 + (n / 7) % 3],
  date '2022-01-01' + (n * 17) % 700, CASE WHEN n % 25 = 0 THEN 1.00 WHEN n % 6 = 0 THEN 2 ELSE 1.0 END, CASE WHEN n % 6 > 0 THEN 1 + n % 23 END,
  CASE WHEN n % 7 > 0 THEN n % 1000 END, 'note ' || n
  FROM generate_series(1, 1000) n;
INSERT INTO epi.readings SELECT n, CASE WHEN n % 61 = 0 THEN NULL ELSE 1 + (n * 31) % 320 END, 'kind ' || n % 4 + (n % 157 = 0)::int * 10, 2023 + n % 2,
  CASE WHEN n % 3 > 0 THEN n % 500 END FROM generate_series(1, 600) n;
"""

YEAR = "date_trunc('year', t.admitted)::date"
GENERATION = "make_date(extract(year from t.born)::int / 40 * 40, 1, 1)"
# Of each cube: its patient, its dimensions and its measures as the mission shows them.
CUBES = {
    "people": ("t.id", {"city": "t.city", "sex": "t.sex", "born": GENERATION}, {"weight": "t.weight"}),
    "stays": ("t.person", {"ward": "t.ward", "sex": "t.sex", "way": "t.way", "admitted": YEAR, "price": "t.price"}, {"days": "t.days", "cost": "t.cost"}),
    "readings": ("t.person", {"kind": "t.kind"}, {"value": "t.value"}),
}
SUBJECTS = {"people": "id", "stays": "person", "readings": "person"}

POLICY = """
tables = (
  { name = "epi.wards"; columns = { place = [ "id", "name", "floor" ]; }; },
  { name = "epi.people"; subject = "people.id"; dimensions = [ "city", "sex", "born" ]; measures = [ "weight" ];
    columns = { key = [ "id" ]; fact = [ "city", "sex", "born", "weight" ]; identity = [ "name" ]; }; },
  { name = "epi.stays"; subject = "stays.person"; dimensions = [ "ward", "sex", "way", "admitted", "price" ]; measures = [ "days", "cost" ];
    columns = { key = [ "id", "person" ]; fact = [ "ward", "sex", "way", "admitted", "price", "days", "cost" ]; text = [ "note" ]; }; },
  { name = "epi.readings"; subject = "readings.person"; dimensions = [ "kind" ]; measures = [ "value" ];
    columns = { key = [ "id", "person" ]; fact = [ "kind", "year", "value" ]; }; }
);
masks = { year_only = "make_date(extract(year from :col)::int, 1, 1)"; generation = "make_date(extract(year from :col)::int / 40 * 40, 1, 1)"; };
rules = (
  { roles = [ "researcher" ]; missions = [ "stats", "tight" ]; tables = [ "epi.wards" ]; columns = { place = "show"; }; },
  { roles = [ "researcher" ]; missions = [ "stats", "tight" ]; tables = [ "epi.people" ]; columns = { key = "show"; fact = "show"; identity = "show"; born = "generation"; }; },
  { roles = [ "researcher" ]; missions = [ "stats", "tight" ]; tables = [ "epi.stays" ]; columns = { key = "show"; fact = "show"; text = "show"; admitted = "year_only"; }; },
  { roles = [ "researcher" ]; missions = [ "stats", "tight" ]; tables = [ "epi.readings" ]; columns = { key = "show"; fact = "show"; }; }
);
functions = ( { name = "epi.flip"; roles = [ "researcher" ]; missions = [ "stats" ]; } );
"""
MISSIONS = {"stats": "k = %d; statements_per_day = 100000;" % K, "tight": "k = %d; statements_per_day = 12;" % K}


def missions_file(missions=None):
    """The clinic's own file, with these for the researcher."""
    missions = missions or MISSIONS
    text = (harness.CLINIC / "policy" / "30-missions-roles.cfg").read_text(encoding="utf-8")
    listed = "".join('  { name = "%s"; purpose = "HRESCH"; aggregate_only = { %s }; },\n' % item for item in missions.items())
    text, found = re.subn(r"(?m)^(missions = \(\n)", lambda m: m.group(1) + listed, text)
    assert found == 1
    names = "".join(', "%s"' % name for name in missions)
    text, found = re.subn(r'(name = "researcher";.*missions = \[ "research")', lambda m: m.group(1) + names, text)
    assert found == 1
    return text


def files(policy=POLICY, missions=None):
    return [("30-missions-roles.cfg", missions_file(missions)), ("95-aggregate.cfg", policy)]


def _sized(cube, more=""):
    """The base table's rows as the mission shows them, with the patients of each one's cell."""
    subject, dimensions, measures = CUBES[cube]
    shown = ", ".join("%s AS %s" % (sql, name) for name, sql in {**dimensions, **measures}.items())
    # The text beside the value: 1.0 and 1.00 are equal, and two values to whoever asks for the text.
    cell = ", ".join(["%s, (%s)::text COLLATE \"C\"" % (d, d) for d in dimensions] + ["%s IS NULL" % m for m in measures])
    return """(SELECT r.*, (SELECT max(x) FROM unnest(r.ranks) x) FROM (SELECT q.*, array_agg(q.rank) OVER (PARTITION BY %s) AS ranks FROM
  (SELECT w.*, dense_rank() OVER (PARTITION BY %s ORDER BY w.own_patient) AS rank
   FROM (SELECT t.id AS own_key, %s AS own_patient, %s%s FROM epi.%s t WHERE %s IS NOT NULL) w) q) r)""" % (
        cell, cell, subject, shown, more, cube, subject)


def tables():
    """SQL that makes, in schema told, what the mission shows of each table: for the test's own questions to PostgreSQL."""
    made = ["CREATE SCHEMA told;", "CREATE TABLE told.wards AS SELECT * FROM epi.wards;"]
    for cube, (subject, dimensions, measures) in CUBES.items():
        columns = ", ".join([*dimensions, *measures])
        made.append("CREATE TABLE told.%s AS SELECT %s, own_patient AS %s FROM %s AS s WHERE s.max >= %d;" % (
            cube, columns, SUBJECTS[cube], _sized(cube), K))
    return "\n".join(made) + "\nANALYZE;"


def twin(which):
    """SQL that changes nothing in twin a, and in b all that no number about a whole cell tells."""
    if which == "a":
        return tables()
    changes = []
    for cube, (subject, dimensions, measures) in CUBES.items():
        cell = ", ".join(["%s, (%s)::text COLLATE \"C\"" % (d, d) for d in dimensions])
        pattern = ", ".join("%s IS NULL" % m for m in measures)
        whole = "PARTITION BY %s, %s" % (cell, pattern)
        patient = SUBJECTS[cube]
        changes.append("CREATE TEMP TABLE was AS SELECT * FROM %s s;" % _sized(cube))
        # Each measure by itself goes round among the rows of its cell; patients get other numbers, in each cell others.
        rotated = ", ".join(
            "first_value(%(m)s) OVER (%(w)s ORDER BY own_key DESC) AS z_%(m)s, lag(%(m)s) OVER (%(w)s ORDER BY own_key DESC) AS y_%(m)s, "
            "row_number() OVER (%(w)s ORDER BY own_key DESC) AS n_%(m)s, lead(%(m)s, 1) OVER (%(w)s ORDER BY own_key) AS l_%(m)s"
            % {"m": m, "w": whole} for m in measures)
        changes.append("CREATE TEMP TABLE turned AS SELECT own_key, max >= %d AS told, dense_rank() OVER (ORDER BY %s) AS cell, own_patient, %s FROM was;"
                       % (K, cell, rotated))
        sets = ", ".join("%(m)s = CASE WHEN u.told THEN COALESCE(u.l_%(m)s, u.z_last_%(m)s) ELSE t.%(m)s + 1000 END" % {"m": m} for m in measures)
        first = ", ".join("first_value(%(m)s) OVER (%(w)s ORDER BY own_key) AS z_last_%(m)s" % {"m": m, "w": whole} for m in measures)
        changes[-1] = changes[-1].replace(", own_patient, ", ", own_patient, %s, " % first, 1)
        if cube == "people":  # one row each: the number is the key
            changes.append("UPDATE epi.people t SET id = -u.own_key, name = 'ZZCANARY', %s FROM turned u WHERE t.id = u.own_key;" % sets)
        else:
            new = "CASE WHEN u.told THEN u.cell::int * 100000 + u.own_patient ELSE u.own_patient + 50 END"
            note = ", note = 'ZZCANARY'" if cube == "stays" else ""
            changes.append("UPDATE epi.%s t SET %s = %s, %s%s FROM turned u WHERE t.id = u.own_key;" % (cube, patient, new, sets, note))
        changes.append("DROP TABLE was, turned;")
    # Cells that do not exist: fewer rows, others, and new ones.
    changes.append("""
DELETE FROM epi.stays WHERE ward = 9 AND id % 2 = 0;
UPDATE epi.stays SET ward = 77 WHERE ward = 9;
DELETE FROM epi.people WHERE city = 'Rare 1';
UPDATE epi.people SET city = 'ZZCANARY' WHERE city LIKE 'Rare%';
DELETE FROM epi.readings WHERE person IS NULL AND id % 2 = 0;
UPDATE epi.readings SET value = 99999 WHERE person IS NULL;
INSERT INTO epi.stays SELECT 100000 + n, 100000 + n, 66, 'M', 'planned', '2023-01-01', 1, 77777, 77777, 'ZZCANARY' FROM generate_series(1, 3) n;
""")
    # And all rows lie elsewhere.
    for cube in CUBES:
        changes.append("CREATE TEMP TABLE kept AS TABLE epi.%s; DELETE FROM epi.%s; INSERT INTO epi.%s SELECT * FROM kept ORDER BY md5(id::text); DROP TABLE kept;"
                       % (cube, cube, cube))
    return "\n".join(changes) + tables()


def same_numbers(first, second):
    """Do the two databases (superuser's connections) agree in every number about a whole cell that exists?"""
    for cube, (_, dimensions, measures) in CUBES.items():
        cell = ", ".join(dimensions)
        sums = ", ".join("count(%s), sum(%s)" % (m, m) for m in measures)
        sql = "SELECT %s, count(*), count(DISTINCT %s), %s FROM told.%s GROUP BY %s ORDER BY %s" % (
            cell, SUBJECTS[cube], sums, cube, cell, cell)
        one, other = first.execute(sql).fetchall(), second.execute(sql).fetchall()
        if one != other or len(one) < 4:
            return "%s: %r, %r" % (cube, [r for r in one if r not in other][:3], [r for r in other if r not in one][:3])
    return None
