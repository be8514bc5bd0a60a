"""
Tables made to be locked: a queue, compound keys, partitions, inheritance, keys of every type, masks, no key at all; the
policy for them; and, written from the policy by hand, plain tables that hold just what the pair may see. What PostgreSQL
locks in those is what a session may lock.
"""

# Primary keys of these types are looked for below a row filter: (name, SQL type, expression over n).
KEY_TYPES = [
    ("t_bigint", "bigint", "n"), ("t_int", "int", "n"), ("t_smallint", "smallint", "n"), ("t_text", "text", "'k' || n"),
    ("t_varchar", "varchar(20)", "'k' || n"), ("t_char", "char(8)", "'k' || n"), ("t_inner_char", '"char"', "chr(96 + n)"),
    ("t_name", "name", "'k' || n"), ("t_uuid", "uuid", "md5(n::text)::uuid"), ("t_bool", "boolean", "n = 1"),
    ("t_bytea", "bytea", "decode(md5(n::text), 'hex')"), ("t_date", "date", "date '2024-01-01' + n"),
    ("t_ts", "timestamp(3)", "timestamp '2024-01-01' + n * interval '1 hour'"),
    ("t_tstz", "timestamptz", "timestamptz '2024-01-01 00:00+00' + n * interval '1 hour'"),
    ("t_time", "time", "time '01:00' + n * interval '1 minute'"), ("t_timetz", "timetz(0)", "(time '01:00' + n * interval '1 minute')::timetz"),
    ("t_real", "real", "n + 0.5"), ("t_double", "double precision", "n + 0.1"), ("t_oid", "oid", "n::oid"),
    ("t_inet", "inet", "inet '10.0.0.0' + n"), ("t_cidr", "cidr", "(inet '10.0.0.0' + n)::cidr"),
    ("t_macaddr", "macaddr", "('08:00:2b:01:02:' || lpad(to_hex(n), 2, '0'))::macaddr"),
    ("t_domain", "k.code", "'K' || n"),
]
# PostgreSQL compares these only behind the filter.
OTHER_KEYS = [("t_numeric", "numeric(10,2)", "n"), ("t_enum", "k.state", "(ARRAY['new','open','done'])[n]::k.state"),
              ("t_jsonb", "jsonb", "to_jsonb(n)"), ("t_array", "int[]", "ARRAY[n, n]"), ("t_range", "int4range", "int4range(n, n + 1)")]

EXTRA_SQL = """
CREATE SCHEMA k;
CREATE DOMAIN k.code AS varchar(20) CHECK (value ~ '^K');
CREATE TYPE k.state AS ENUM ('new', 'open', 'done');
CREATE TABLE k.wards (id int PRIMARY KEY, open boolean NOT NULL, label text NOT NULL);
INSERT INTO k.wards SELECT n, n <> 2, 'ward ' || n FROM generate_series(1, 6) AS n;
CREATE TABLE k.jobs (id bigint PRIMARY KEY, ward int NOT NULL, state text NOT NULL, prio int, amount numeric, note text,
    code varchar(10) UNIQUE, secret text NOT NULL DEFAULT 'S3CR3T');
INSERT INTO k.jobs SELECT n, 1 + n % 5, CASE WHEN n % 3 = 0 THEN 'ready' WHEN n % 3 = 1 THEN 'done' ELSE 'Ready?' END,
    CASE WHEN n % 7 > 0 THEN n % 7 END, n * 1.25, 'note ' || n % 11, 'c' || n FROM generate_series(1, 200) AS n;
CREATE INDEX ON k.jobs (state);
CREATE TABLE k.parts (id int NOT NULL, region int NOT NULL, label text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE k.parts_1 PARTITION OF k.parts FOR VALUES IN (1);
CREATE TABLE k.parts_2 PARTITION OF k.parts FOR VALUES IN (2);
CREATE TABLE k.parts_rest PARTITION OF k.parts DEFAULT;
INSERT INTO k.parts SELECT n, 1 + n % 4, 'part ' || n % 5 FROM generate_series(1, 40) AS n;
CREATE TABLE k.devices (id int PRIMARY KEY, ward int NOT NULL, label text);
CREATE TABLE k.pumps (rate int, PRIMARY KEY (id)) INHERITS (k.devices);
INSERT INTO k.devices SELECT n, 1 + n % 4, 'device ' || n FROM generate_series(1, 12) AS n;
INSERT INTO k.pumps SELECT n, 1 + n % 4, 'pump ' || n, n FROM generate_series(7, 18) AS n;
CREATE TABLE k.free (id int PRIMARY KEY, ward int, nir text, name text, note text);
INSERT INTO k.free SELECT n, 1 + n % 4, 'NIR' || n, 'Name' || n, 'note ' || n % 5 FROM generate_series(1, 40) AS n;
CREATE TABLE k.nokey (id int, ward int, label text);
INSERT INTO k.nokey SELECT n, 1 + n % 4, 'x' || n % 3 FROM generate_series(1, 12) AS n;
CREATE TABLE k.late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, ward int, label text);
INSERT INTO k.late SELECT n, 1 + n % 4, 'x' || n FROM generate_series(1, 8) AS n;
CREATE TABLE k.masked (id text PRIMARY KEY, ward int, label text);
INSERT INTO k.masked SELECT 'id' || n, 1 + n % 4, 'x' || n FROM generate_series(1, 8) AS n;
CREATE TABLE k.removed (id int PRIMARY KEY, ward int);
INSERT INTO k.removed SELECT n, 1 + n % 4 FROM generate_series(1, 8) AS n;
CREATE VIEW k.job_notes AS SELECT id, note FROM k.jobs;
CREATE FUNCTION k.urgent(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1 > 4 $$;
CREATE FUNCTION k.touch(bigint) RETURNS boolean LANGUAGE sql VOLATILE AS $$ SELECT true $$;
CREATE FUNCTION k.both(int) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS $$ VALUES ($1), (-$1) $$;
""" + "".join(
    "CREATE TABLE k.%s (id %s PRIMARY KEY, n int NOT NULL, keep boolean NOT NULL);\n"
    "INSERT INTO k.%s SELECT %s, n, n <> 2 FROM generate_series(1, %d) AS n;\n"
    % (name, kind, name, key, 2 if name == "t_bool" else 3) for name, kind, key in KEY_TYPES + OTHER_KEYS) + """
GRANT USAGE ON SCHEMA k TO pgvigil_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA k TO pgvigil_owner;
"""

TYPED = ", ".join('"k.%s"' % t[0] for t in KEY_TYPES + OTHER_KEYS)

POLICY = """
tables = (
  { name = "k.wards"; columns = { all = [ "id", "open", "label" ]; }; },
  { name = "k.jobs"; columns = { all = [ "id", "ward", "state", "prio", "amount", "note", "code" ]; inner = [ "secret" ]; }; },
  { name = "k.parts"; columns = { all = [ "id", "region", "label" ]; }; },
  { name = "k.devices"; columns = { all = [ "id", "ward", "label" ]; }; },
  { name = "k.free"; columns = { all = [ "id", "ward", "nir", "name", "note" ]; }; },
  { name = "k.nokey"; columns = { all = [ "id", "ward", "label" ]; }; },
  { name = "k.late"; columns = { all = [ "id", "ward", "label" ]; }; },
  { name = "k.masked"; columns = { all = [ "id", "ward", "label" ]; }; },
  { name = "k.removed"; columns = { all = [ "id", "ward" ]; }; },
  { name = "k.t_*"; columns_like = ( { match = "*"; category = "all"; } ); }
);
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.wards" ]; rows = "wards.id < 5"; columns = { all = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.jobs" ]; rows = "jobs.ward = ANY(:user.wards)";
    columns = { all = "show"; note = "initial"; }; update = [ "state", "prio" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.parts" ]; rows = "parts.region < 3";
    columns = { all = "show"; }; update = [ "label" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.devices" ];
    rows = "EXISTS (SELECT 1 FROM k.wards w WHERE w.id = devices.ward AND w.id = ANY(:user.wards))";
    columns = { all = "show"; }; update = [ "label" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.free" ];
    columns = { all = "show"; nir = "pseudonym"; name = "initial"; }; update = [ "note" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.nokey", "k.late" ]; rows = ":user.wards @> ARRAY[ward]";
    columns = { all = "show"; }; update = [ "label" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.masked" ]; rows = "masked.ward = ANY(:user.wards)";
    columns = { all = "show"; id = "pseudonym"; }; update = [ "label" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.removed" ]; rows = "removed.ward = ANY(:user.wards)";
    columns = { all = "show"; }; delete = true; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "k.t_*" ]; rows = "keep"; columns = { all = "show"; }; update = [ "n" ]; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "k.jobs", "k.free" ]; columns = { id = "show"; ward = "show"; }; }
);
functions = ( { name = "k.urgent"; roles = [ "nurse" ]; }, { name = "k.touch"; roles = [ "nurse" ]; },
              { name = "k.both"; roles = [ "nurse" ]; } );
"""

# (table, permitted rows as the pair sees them, key)
PLAIN = [
    ("wards", "SELECT id, open, label FROM raw.wards WHERE id < 5", "id"),
    ("jobs", "SELECT id, ward, state, prio, amount, (left(note, 1) || '.')::text AS note, code FROM raw.jobs WHERE ward IN (1, 2)", "id"),
    ("only_devices", "SELECT id, ward, label FROM ONLY raw.devices WHERE ward IN (1, 2)", "id"),
    ("pumps", "SELECT id, ward, label FROM raw.pumps WHERE ward IN (1, 2)", "id"),
    ("free", "SELECT id, ward, NULL::text AS nir, (left(name, 1) || '.')::text AS name, note FROM raw.free", "id"),
] + [(name, "SELECT id, n, keep FROM raw.%s WHERE keep" % name, "id") for name, _, _ in KEY_TYPES]
KEYS = dict([(name, key) for name, _, key in PLAIN] + [("parts", "region, id"), ("parts_1", "region, id")])


def oracle_sql():
    text = "ALTER SCHEMA k RENAME TO raw; CREATE SCHEMA k;\n"
    for name in ("urgent", "touch", "both"):
        text += "ALTER FUNCTION raw.%s SET SCHEMA k;\n" % name
    for name, body, key in PLAIN:
        text += "CREATE TABLE k.%s AS %s;\nALTER TABLE k.%s ADD PRIMARY KEY (%s);\n" % (name, body, name, key)
    return text + """
CREATE TABLE k.parts (id int NOT NULL, region int NOT NULL, label text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE k.parts_1 PARTITION OF k.parts FOR VALUES IN (1);
CREATE TABLE k.parts_2 PARTITION OF k.parts FOR VALUES IN (2);
INSERT INTO k.parts SELECT id, region, label FROM raw.parts WHERE region < 3;
"""
