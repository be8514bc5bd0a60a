"""
ddl_schema.py: tables whose definitions change, a policy over them, and what a nurse must then see of them, for test_ddl*.py.

What she sees is computed here from the policy and from the columns that PostgreSQL says there are; pgvigil is not asked.
"""

TABLES = """
CREATE SCHEMA ddl;
CREATE TYPE ddl.mood AS ENUM ('good', 'bad');
CREATE TYPE ddl.place AS (x int, y int);
CREATE DOMAIN ddl.short AS varchar(20);
CREATE FUNCTION ddl.visible(int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 > 1';
CREATE TABLE ddl.a (id serial PRIMARY KEY, ward int, name text, secret text, mood ddl.mood DEFAULT 'good', n numeric(6,2), at ddl.place,
    tag ddl.short);
INSERT INTO ddl.a (ward, name, secret, mood, n, at, tag) SELECT g % 4, 'name ' || g, 'secret ' || g, CASE WHEN g % 2 = 0 THEN 'good'
    ELSE 'bad' END::ddl.mood, g * 1.5, (g, g)::ddl.place, 't' || g FROM generate_series(1, 12) g;
CREATE TABLE ddl.b (id int PRIMARY KEY, a int, note text, hidden text);
INSERT INTO ddl.b SELECT g, g, 'note ' || g, 'hidden ' || g FROM generate_series(1, 12) g;
CREATE TABLE ddl.c (id int PRIMARY KEY, label text);
INSERT INTO ddl.c VALUES (1, 'one'), (2, 'two');
CREATE TABLE ddl.f (id int PRIMARY KEY, label text);
INSERT INTO ddl.f VALUES (1, 'one'), (2, 'two'), (3, 'three');
CREATE TABLE ddl.w (ward int PRIMARY KEY, open boolean);
INSERT INTO ddl.w VALUES (1, true), (2, false);
CREATE TABLE ddl.by_w (id int PRIMARY KEY, ward int, label text);
INSERT INTO ddl.by_w SELECT g, g % 3, 'label ' || g FROM generate_series(1, 9) g;
CREATE TABLE ddl.part (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE ddl.part1 PARTITION OF ddl.part FOR VALUES FROM (0) TO (10);
CREATE TABLE ddl.part2 PARTITION OF ddl.part FOR VALUES FROM (10) TO (20);
INSERT INTO ddl.part SELECT g, 'v' || g FROM generate_series(1, 15) g;
CREATE TABLE ddl.parent (id int, v text);
CREATE TABLE ddl.loose (id int, v text, extra text);
INSERT INTO ddl.parent VALUES (1, 'p');
INSERT INTO ddl.loose VALUES (2, 'l', 'x');
CREATE VIEW ddl.joined AS SELECT b.id, b.note FROM ddl.b b;
CREATE FUNCTION ddl.sneaky() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE ddl.c RENAME label TO marking; END $$;
"""

# As a superuser, in the database alone: the owner of the guards reads what there is and what will be.
RIGHTS = """
GRANT USAGE ON SCHEMA ddl TO pgvigil_owner WITH GRANT OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA ddl TO pgvigil_owner;
GRANT INSERT ON ddl.a TO pgvigil_owner;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA ddl TO pgvigil_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE pgvigil_dba GRANT SELECT ON TABLES TO pgvigil_owner;
"""

POLICY = """
tables = (
  { name = "ddl.a"; columns = { admin = [ "id", "ward", "name", "mood", "n", "at", "tag" ]; }; },
  { name = "ddl.b"; columns = { admin = [ "id", "a", "note" ]; }; },
  { name = "ddl.c"; columns = { admin = [ "id", "label" ]; }; },
  { name = "ddl.f"; columns = { admin = [ "id", "label" ]; }; },
  { name = "ddl.by_w"; columns = { admin = [ "id", "ward", "label" ]; }; },
  { name = "ddl.part"; columns = { admin = [ "id", "v" ]; }; },
  { name = "ddl.parent"; columns = { admin = [ "id", "v" ]; }; },
  { name = "ddl.new_*"; columns_like = ( { match = "open_*"; category = "admin"; } ); }
);
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "ddl.a" ]; rows = "a.ward = ANY(:user.wards)";
    columns = { admin = "show"; }; insert = [ "name", "ward" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "ddl.b", "ddl.c", "ddl.part", "ddl.parent", "ddl.new_*" ];
    columns = { admin = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "ddl.f" ]; rows = "ddl.visible(f.id)"; columns = { admin = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "ddl.by_w" ];
    rows = "EXISTS (SELECT 1 FROM ddl.w w WHERE w.ward = by_w.ward AND w.open)"; columns = { admin = "show"; }; }
);
"""

# table: the columns that the policy shows (a function of the name), and its rows
WARDS = "t.ward IN (1, 2)"


def among(*names):
    return lambda name: name in names


SEEN = {
    "ddl.a": (among("id", "ward", "name", "mood", "n", "at", "tag"), WARDS),
    "ddl.b": (among("id", "a", "note"), "true"),
    "ddl.c": (among("id", "label"), "true"),
    "ddl.f": (among("id", "label"), "t.id > 1"),
    "ddl.by_w": (among("id", "ward", "label"), "EXISTS (SELECT FROM ddl.w w WHERE w.ward = t.ward AND w.open)"),
    "ddl.part": (among("id", "v"), "true"),
    "ddl.part1": (among("id", "v"), "true"),
    "ddl.part2": (among("id", "v"), "true"),
    "ddl.parent": (among("id", "v"), "true"),
    "ddl.loose": (None, None),  # no rule, unless it is a child of ddl.parent
    "ddl.new_one": (lambda name: name.startswith("open_"), "true"),
    "ddl.new_two": (lambda name: name.startswith("open_"), "true"),
    "ddl.other": (None, None),
}
CHILDREN = {"ddl.part1": "ddl.part", "ddl.part2": "ddl.part", "ddl.loose": "ddl.parent"}


def governed_by(connection, table):
    """Its own entry, or that of what it is a child of at the moment; None: nothing."""
    if table not in CHILDREN:
        return SEEN[table]
    row = connection.execute("SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = to_regclass(%s)", (table,)).fetchone()
    return SEEN[row[0]] if row and row[0] in SEEN else (None, None)


def expected(connection, table):
    """(names, rows) of what a nurse sees, read as the superuser; None: it does not exist for her."""
    columns = connection.execute("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
                                 " ORDER BY attnum", (table,)).fetchall()
    shown, rows = governed_by(connection, table)
    names = [name for (name,) in columns if shown and shown(name)]
    if not names:
        return None
    got = connection.execute('SELECT %s FROM %s t WHERE %s' % (", ".join('t."%s"::text' % n for n in names), table, rows)).fetchall()
    return names, sorted(got, key=repr)


def seen(connection, table):
    """The same, asked by a nurse."""
    import psycopg
    try:
        cursor = connection.execute("SELECT * FROM %s" % table)
        names = [column.name for column in cursor.description]
        got = connection.execute("SELECT %s FROM %s" % (", ".join('"%s"::text' % n for n in names), table)).fetchall()
    except psycopg.Error as error:
        assert error.sqlstate in ("42501", "42P01", "55000"), error
        return None
    return names, sorted(got, key=repr)
