"""
Tables and a policy for temporary tables: the nurse and the physician have the word, the receptionist has not; and the same tables for
PostgreSQL itself, as views that are written from the policy by hand.
"""
import wire

EXTRA_SQL = """
CREATE SCHEMA m;
CREATE TABLE m.persons (id int PRIMARY KEY, ward int NOT NULL, name text NOT NULL, nir text DEFAULT 'S3CR3T-NIR', score numeric(8,2), born date);
CREATE TABLE m.visits (id int PRIMARY KEY, person int, note text, secret text DEFAULT 'S3CR3T');
CREATE TABLE m.notes (id int PRIMARY KEY, note text);
CREATE TABLE m.closed (id int, secret text DEFAULT 'S3CR3T');
INSERT INTO m.persons SELECT n, 1 + n % 4, 'name ' || n, 'S3CR3T-' || n, n * 1.5, date '1950-01-01' + n FROM generate_series(1, 40) n;
INSERT INTO m.visits SELECT n, 1 + n % 40, 'visit ' || n FROM generate_series(1, 80) n;
INSERT INTO m.notes SELECT n, 'note ' || n FROM generate_series(1, 5) n;
INSERT INTO m.closed VALUES (1);
CREATE FUNCTION m.leaves_table() RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$BEGIN CREATE TEMP TABLE IF NOT EXISTS left_behind AS SELECT 'S3CR3T'::text AS what; RETURN 1; END$$;
GRANT USAGE ON SCHEMA m TO pgvigil_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA m TO pgvigil_owner;
"""

POLICY = """
tables = (
  { name = "m.persons"; columns = { open = [ "id", "ward", "name", "score", "born" ]; inner = [ "nir" ]; }; },
  { name = "m.visits"; columns = { open = [ "id", "person", "note" ]; inner = [ "secret" ]; }; },
  { name = "m.notes"; columns = { open = [ "id", "note" ]; }; },
  { name = "m.closed"; columns = { inner = [ "id", "secret" ]; }; }
);
rules = (
  { roles = [ "nurse", "physician", "receptionist" ]; missions = [ "care", "admission" ]; tables = [ "m.persons" ];
    rows = "persons.ward IN (1, 2)"; columns = { open = "show"; name = "initial"; }; },
  { roles = [ "physician" ]; missions = [ "research" ]; tables = [ "m.persons" ];
    columns = { id = "show"; ward = "show"; name = "null"; }; },
  { roles = [ "nurse", "physician" ]; missions = [ "care" ]; tables = [ "m.visits" ]; columns = { open = "show"; }; },
  { roles = [ "nurse", "physician" ]; missions = [ "care" ]; tables = [ "m.notes" ]; columns = { open = "show"; };
    insert = [ "open" ]; update = [ "note" ]; delete = true; }
);
functions = ( { name = "m.leaves_table"; } );
"""

ORACLE_SQL = """
ALTER SCHEMA m RENAME TO raw; CREATE SCHEMA m;
CREATE VIEW m.persons WITH (security_barrier) AS SELECT id, ward, left(name, 1) || '.' AS name, score, born FROM raw.persons WHERE ward IN (1, 2);
CREATE VIEW m.visits AS SELECT id, person, note FROM raw.visits;
CREATE VIEW m.notes AS SELECT id, note FROM raw.notes;
"""

TEMPORARY = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname LIKE 'pg_temp_%' ORDER BY 2"
WORD = 'allow = [ "temporary" ]; }'


def allow(stack, roles=("nurse", "physician")):
    path = stack.policy / "30-missions-roles.cfg"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for i, line in enumerate(lines):
        if any('{ name = "%s";' % role in line and "default" in line for role in roles):
            at = line.rindex("}")
            lines[i] = line[:at] + WORD + line[at + 1:]
    text = "".join(lines)
    assert text.count(WORD) == len(roles)
    path.write_text(text, encoding="utf-8")


def make(make_stack, extra_policy=(), **more):
    stack = make_stack(serve=False, deploy=False, extra_sql=EXTRA_SQL, extra_policy=[("90-temporary.cfg", POLICY)] + list(extra_policy), **more)
    allow(stack)
    stack.deploy()
    stack.serve()
    return stack


def ask(raw, step):
    raw.send(wire.query(step) if isinstance(step, str) else step)
    return raw.until("Z")


def rows(raw, sql):
    got = ask(raw, sql)
    assert wire.error_of(got) is None, (sql, wire.error_of(got))
    return [tuple(None if v is None else v.decode() for v in row) for row in wire.rows_of(got)]


def refused(raw, step, sqlstate):
    error = wire.error_of(ask(raw, step))
    assert error is not None and error["C"] == sqlstate, (step, error)
    return error["M"]


def on_server(stack):
    with stack.superuser() as c:
        return [row[1] for row in c.execute(TEMPORARY)]


def nurse(stack, user="nurse1", **settings):
    raw = wire.open_session(stack, user, **settings)
    raw.socket.settimeout(10)
    return raw
