"""
Tables made to be written: defaults of every kind, identity, generated columns, triggers, foreign keys, partitions,
inheritance, a domain, an enum, odd names; the policy for them; and, written from the policy by hand, the views through
which PostgreSQL itself does the same writes.
"""

EXTRA_SQL = """
CREATE SCHEMA w;
CREATE DOMAIN w.code AS text CHECK (value ~ '^[A-Z]{2}[0-9]*$');
CREATE TYPE w.state AS ENUM ('new', 'open', 'done');
CREATE SEQUENCE w.tickets START 1000;
CREATE FUNCTION w.next_ticket() RETURNS text LANGUAGE sql AS $$ SELECT 'T' || nextval('w.tickets') $$;
CREATE TABLE w.persons (
    id serial PRIMARY KEY, ward int NOT NULL DEFAULT 1, name text NOT NULL, nir text UNIQUE, phone text,
    code w.code DEFAULT 'AA1', state w.state NOT NULL DEFAULT 'new', tags text[] NOT NULL DEFAULT '{}', info jsonb,
    amount numeric(8,2) DEFAULT 0 CHECK (amount >= 0), twice numeric GENERATED ALWAYS AS (amount * 2) STORED,
    born date DEFAULT date '2000-01-01', ticket text DEFAULT w.next_ticket(), secret text NOT NULL DEFAULT 'S3CR3T',
    version int NOT NULL DEFAULT 0, lot serial);
CREATE TABLE w.visits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int NOT NULL REFERENCES w.persons ON DELETE CASCADE,
    note text, at date NOT NULL DEFAULT date '2024-05-01', "Mixed Case" text DEFAULT 'm', UNIQUE (person, at));
CREATE TABLE w.items (id int NOT NULL, region int NOT NULL, label text, secret text DEFAULT 'S3CR3T', PRIMARY KEY (id, region))
    PARTITION BY LIST (region);
CREATE TABLE w.items_1 PARTITION OF w.items FOR VALUES IN (1);
CREATE TABLE w.items_2 PARTITION OF w.items FOR VALUES IN (2);
CREATE TABLE w.items_rest PARTITION OF w.items DEFAULT;
CREATE TABLE w.devices (id int PRIMARY KEY, ward int NOT NULL, label text);
CREATE TABLE w.pumps (rate int) INHERITS (w.devices);
CREATE TABLE w."Odd Name" ("Id" int PRIMARY KEY, "select" text, "été" int DEFAULT 7);
CREATE TABLE w.log (at serial, who text, what text, secret text);
CREATE FUNCTION w.count_version() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.version := OLD.version + 1; RETURN NEW; END $$;
CREATE TRIGGER persons_version BEFORE UPDATE ON w.persons FOR EACH ROW EXECUTE FUNCTION w.count_version();
CREATE FUNCTION w.write_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS
    $$ BEGIN INSERT INTO w.log (who, what) VALUES ('trigger', TG_OP || ' ' || COALESCE(NEW.name, OLD.name)); RETURN NULL; END $$;
CREATE TRIGGER persons_log AFTER INSERT OR UPDATE OR DELETE ON w.persons FOR EACH ROW EXECUTE FUNCTION w.write_log();
INSERT INTO w.persons (ward, name, nir, phone, amount, info)
    SELECT 1 + n % 4, 'Name' || n, 'NIR' || n, CASE WHEN n % 3 <> 0 THEN '06' || n END, n, jsonb_build_object('n', n)
    FROM generate_series(1, 24) AS n;
INSERT INTO w.visits (person, note, at) SELECT 1 + n % 24, 'visit ' || n, date '2024-01-01' + n FROM generate_series(1, 48) AS n;
INSERT INTO w.items SELECT n, 1 + n % 3, 'item ' || n FROM generate_series(1, 18) AS n;
INSERT INTO w.devices SELECT n, 1 + n % 4, 'device ' || n FROM generate_series(1, 8) AS n;
INSERT INTO w.pumps SELECT n, 1 + n % 4, 'pump ' || n, n FROM generate_series(101, 108) AS n;
INSERT INTO w."Odd Name" SELECT n, 's' || n FROM generate_series(1, 5) AS n;
GRANT USAGE ON SCHEMA w TO pgvigil_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA w TO pgvigil_owner;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA w TO pgvigil_owner;
"""

POLICY = """
tables = (
  { name = "w.persons"; columns = {
      who = [ "id", "ward", "name" ]; secretive = [ "nir" ]; contact = [ "phone" ];
      detail = [ "code", "state", "tags", "info", "amount", "twice", "born", "ticket" ]; inner = [ "secret", "version", "lot" ]; }; },
  { name = "w.visits"; columns = { all = [ "id", "person", "note", "at", "Mixed Case" ]; }; },
  { name = "w.items"; columns = { all = [ "id", "region", "label" ]; inner = [ "secret" ]; }; },
  { name = "w.devices"; columns = { all = [ "id", "ward", "label" ]; }; },
  { name = "w.Odd Name"; columns = { all = [ "Id", "select", "été" ]; }; }
);
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "w.persons" ]; rows = "persons.ward = ANY(:user.wards)";
    columns = { who = "show"; contact = "show"; detail = "show"; born = "null"; };
    insert = [ "who", "contact", "code", "state", "tags", "info", "amount" ];
    update = [ "ward", "name", "contact", "code", "state", "tags", "info", "amount" ]; delete = true; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "w.visits" ];
    rows = "EXISTS (SELECT 1 FROM w.persons p WHERE p.id = visits.person AND p.ward = ANY(:user.wards))";
    columns = { all = "show"; }; insert = [ "person", "note", "at", "Mixed Case", "id" ]; update = [ "note", "at" ]; delete = true; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "w.items" ]; rows = "items.region < 3";
    columns = { all = "show"; }; insert = [ "all" ]; update = [ "all" ]; delete = true; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "w.devices" ]; rows = "devices.ward = ANY(:user.wards)";
    columns = { all = "show"; }; update = [ "label" ]; delete = true; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "w.Odd Name" ];
    columns = { all = "show"; }; insert = [ "all" ]; update = [ "all" ]; delete = true; },

  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "w.persons" ];
    columns = { who = "show"; nir = "show"; phone = "show"; code = "show"; born = "show"; ticket = "show"; };
    insert = [ "name", "nir", "phone", "ward" ]; update = [ "phone", "nir" ]; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "w.visits" ];
    columns = { id = "show"; person = "show"; at = "show"; }; insert = [ "person", "at" ]; delete = true; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "w.items", "w.devices" ];
    columns = { all = "show"; label = "null"; }; insert = [ "id" ]; update = [ "id" ]; }
);
"""

OWN = "WITH (security_barrier, check_option = cascaded)"
PERSON_1_2 = "EXISTS (SELECT 1 FROM raw.persons p WHERE p.id = v.person AND p.ward = ANY(ARRAY[1,2]))"


def nurse():
    return {
        "persons": ("SELECT id, ward, name, phone, code, state, tags, info, amount, twice, NULL::date AS born, ticket FROM raw.persons "
                    "WHERE ward = ANY(ARRAY[1,2])"),
        "visits": 'SELECT id, person, note, at, "Mixed Case" FROM raw.visits v WHERE ' + PERSON_1_2,
        "items": "SELECT id, region, label FROM raw.items WHERE region < 3",
        "items_1": "SELECT id, region, label FROM raw.items_1 WHERE region < 3",
        "items_rest": "SELECT id, region, label FROM raw.items_rest WHERE region < 3",
        "devices": "SELECT id, ward, label FROM raw.devices WHERE ward = ANY(ARRAY[1,2])",
        "only_devices": "SELECT id, ward, label FROM ONLY raw.devices WHERE ward = ANY(ARRAY[1,2])",
        "pumps": "SELECT id, ward, label FROM raw.pumps WHERE ward = ANY(ARRAY[1,2])",
        '"Odd Name"': 'SELECT "Id", "select", "été" FROM raw."Odd Name"',
    }


def receptionist():
    return {
        "persons": "SELECT id, ward, name, nir, phone, code, born, ticket FROM raw.persons",
        "visits": "SELECT id, person, at FROM raw.visits",
        "items": "SELECT id, region, NULL::text AS label FROM raw.items",
        "devices": "SELECT id, ward, NULL::text AS label FROM raw.devices",
    }


TABLES = ("persons", "visits", "items", "devices", "pumps", '"Odd Name"', "log")


def oracle_sql(pair):
    text = "ALTER SCHEMA w RENAME TO raw; CREATE SCHEMA w;\n"
    # The functions named their schema: what they do is the same under its new name.
    text += """
CREATE OR REPLACE FUNCTION raw.write_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS
    $$ BEGIN INSERT INTO raw.log (who, what) VALUES ('trigger', TG_OP || ' ' || COALESCE(NEW.name, OLD.name)); RETURN NULL; END $$;
CREATE OR REPLACE FUNCTION raw.next_ticket() RETURNS text LANGUAGE sql AS $$ SELECT 'T' || nextval('raw.tickets') $$;
"""
    for name, body in {"nurse": nurse, "receptionist": receptionist}[pair]().items():
        text += "CREATE VIEW w.%s %s AS %s;\n" % (name, OWN, body)
    return text
