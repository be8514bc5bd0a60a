"""
Tables and a policy for what a role's `allow` opens (LOCK TABLE, TRUNCATE, NOTIFY...): the nurse has every word, the receptionist none;
and the same for PostgreSQL itself: views written from the policy by hand, with the rights that the rules give, for a login of its own.
"""
import re

import wire
from side_by_side import Both

EXTRA_SQL = """
CREATE SCHEMA u;
CREATE TABLE u.beds (id int PRIMARY KEY, ward int NOT NULL, label text, secret text DEFAULT 'S3CR3T');
CREATE TABLE u.notes (id int PRIMARY KEY, note text, secret text DEFAULT 'S3CR3T');
CREATE TABLE u.teams (ward int, who text);
CREATE TABLE u.stays (id int PRIMARY KEY, ward int NOT NULL);
CREATE TABLE u.logs (id int NOT NULL, region int NOT NULL, what text) PARTITION BY LIST (region);
CREATE TABLE u.logs_1 PARTITION OF u.logs FOR VALUES IN (1);
CREATE TABLE u.logs_2 PARTITION OF u.logs DEFAULT;
CREATE TABLE u.tools (id int PRIMARY KEY, label text);
CREATE TABLE u.drills (speed int) INHERITS (u.tools);
CREATE TABLE u.closed (id int);
CREATE TABLE u."Odd Name" (id int);
CREATE TABLE u.wards (id int PRIMARY KEY);
CREATE TABLE u.rooms (id int, ward int REFERENCES u.wards);
CREATE TABLE u.numbered (id serial, note text);
CREATE VIEW u.seen AS SELECT id, label FROM u.beds;
INSERT INTO u.beds SELECT n, 1 + n % 4, 'bed ' || n FROM generate_series(1, 8) n;
INSERT INTO u.notes SELECT n, 'note ' || n FROM generate_series(1, 8) n;
INSERT INTO u.logs SELECT n, 1 + n % 2, 'log ' || n FROM generate_series(1, 8) n;
INSERT INTO u.tools SELECT n, 'tool ' || n FROM generate_series(1, 4) n;
INSERT INTO u.drills SELECT n, 'drill ' || n, n FROM generate_series(11, 14) n;
GRANT USAGE ON SCHEMA u TO pgvigil_owner;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA u TO pgvigil_owner;
"""

POLICY = """
tables = (
  { name = "u.beds"; columns = { all = [ "id", "ward", "label" ]; inner = [ "secret" ]; }; },
  { name = "u.notes"; columns = { all = [ "id", "note" ]; inner = [ "secret" ]; }; },
  { name = "u.stays"; columns = { all = [ "id", "ward" ]; }; },
  { name = "u.logs"; columns = { all = [ "id", "region", "what" ]; }; },
  { name = "u.tools"; columns = { all = [ "id", "label" ]; }; },
  { name = "u.wards"; columns = { all = [ "id" ]; }; },
  { name = "u.numbered"; columns = { all = [ "id", "note" ]; }; },
  { name = "u.closed"; columns = { all = [ "id" ]; }; },
  { name = "u.Odd Name"; columns = { all = [ "id" ]; }; }
);
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "u.beds" ]; rows = "beds.ward = ANY(:user.wards)";
    columns = { all = "show"; }; update = [ "label" ]; delete = true; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "u.notes" ]; columns = { all = "show"; }; update = [ "all" ]; insert = [ "all" ]; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "u.stays" ];
    rows = "EXISTS (SELECT 1 FROM u.teams t WHERE t.ward = stays.ward)"; columns = { all = "show"; }; delete = true; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "u.logs", "u.tools", "u.Odd Name", "u.wards", "u.numbered" ];
    columns = { all = "show"; }; insert = [ "all" ]; delete = true; truncate = true; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "u.logs", "u.tools", "u.Odd Name" ];
    columns = { all = "show"; }; insert = [ "all" ]; delete = true; }
);
"""
ALLOW = ["lock", "listen", "notify", "prepared-transactions", "explain"]
CHANNELS = ["lab_results", "ward_*", "Été.+(x)"]

# For PostgreSQL: who may do on views what the policy gives the nurse on tables.
ORACLE_SQL = """
ALTER SCHEMA u RENAME TO raw; CREATE SCHEMA u;
CREATE VIEW u.beds WITH (security_barrier, check_option = cascaded) AS SELECT id, ward, label FROM raw.beds WHERE ward = ANY(ARRAY[1,2]);
CREATE VIEW u.notes AS SELECT id, note FROM raw.notes;
CREATE VIEW u.stays WITH (security_barrier) AS SELECT id, ward FROM raw.stays s WHERE EXISTS (SELECT 1 FROM raw.teams t WHERE t.ward = s.ward);
CREATE VIEW u.logs AS SELECT * FROM raw.logs;
CREATE VIEW u.logs_1 AS SELECT * FROM raw.logs_1;
CREATE VIEW u.tools AS SELECT * FROM raw.tools;
CREATE VIEW u."Odd Name" AS SELECT * FROM raw."Odd Name";
CREATE TABLE u.closed (id int);
CREATE ROLE plain_u LOGIN PASSWORD 'plain-test';
GRANT USAGE ON SCHEMA u TO plain_u;
GRANT SELECT ON u.beds, u.notes, u.stays, u.logs, u.logs_1, u.tools, u."Odd Name" TO plain_u;
GRANT UPDATE (label) ON u.beds TO plain_u;
GRANT UPDATE (id, note), INSERT (id, note) ON u.notes TO plain_u;
GRANT DELETE ON u.beds, u.stays, u.logs, u.logs_1, u.tools, u."Odd Name" TO plain_u;
"""


# The same rights on the tables themselves.
TABLES_SQL = """
CREATE ROLE plain_t LOGIN PASSWORD 'plain-test';
GRANT USAGE ON SCHEMA u TO plain_t;
GRANT SELECT, INSERT, DELETE, TRUNCATE ON u.logs, u.logs_1, u.logs_2, u.tools, u.drills, u."Odd Name", u.wards, u.numbered TO plain_t;
GRANT SELECT (id, ward, label), DELETE ON u.beds TO plain_t;
GRANT SELECT, INSERT, UPDATE ON u.notes TO plain_t;
"""


def policy(stack):
    """The nurse's `allow`, in a stack that is not served yet."""
    path = stack.policy / "30-missions-roles.cfg"
    text = path.read_text(encoding="utf-8")
    words = ", ".join('"%s"' % word for word in ALLOW)
    (old,) = re.findall(r'\{ name = "nurse"; .*default = "care"; \}', text)
    path.write_text(text.replace(old, old[:-1] + "allow = [ %s ]; channels = [ %s ]; }" % (words, ", ".join('"%s"' % c for c in CHANNELS))), encoding="utf-8")


def make(make_stack, **more):
    stack = make_stack(serve=False, deploy=False, extra_sql=EXTRA_SQL, extra_policy=[("90-allow.cfg", POLICY)], **more)
    policy(stack)
    stack.deploy()
    stack.serve()
    return stack


class Sides(Both):
    """A session of the nurse's, and one of PostgreSQL's own with her rights."""

    def __init__(self, stack, oracle, user="nurse1"):
        self.mine = wire.open_session(stack, user)
        self.theirs = wire.Raw(stack.cluster.port, stack.tls_context())
        got = self.theirs.login(*oracle, "plain-test")
        assert got[-1][0] == "Z", got
        self.answers = []


def make_oracle(stack, name, sql=ORACLE_SQL):
    """(login, database)"""
    login = "plain_u" if sql == ORACLE_SQL else "plain_t"
    stack.cluster.create(name, stack.cluster.template(extra_sql=EXTRA_SQL), sql)
    return login, name


def drop_oracle(stack, oracle):
    stack.cluster.drop(oracle[1])
    with stack.cluster.superuser() as c:
        c.execute("DROP ROLE " + oracle[0])
