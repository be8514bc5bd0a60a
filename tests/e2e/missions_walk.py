"""
Random walks through transactions: the same program goes to pgvigil and to PostgreSQL, message by message, and every answer must be
the same one. On PostgreSQL the settings are my.mission and my.patient, and `w` is a view that this file writes; on pgvigil they are
pgvigil.mission and pgvigil.patient, and `w` is what the policy makes of it. Every (person, mission, patient, path) has rows of its own.
"""
import random
import subprocess

import harness
import wire

MISSIONS = ("alpha", "beta")
PATIENTS = ("p1", "p2")
PEOPLE = ("walker1", "walker2")
PATHS = ("public", "walk")

SQL = """
CREATE SCHEMA walk;
GRANT USAGE ON SCHEMA walk TO pgvigil_owner WITH GRANT OPTION;
""" + "".join("""
CREATE TABLE {schema}.w (id int PRIMARY KEY, mission text, person text, patient text);
INSERT INTO {schema}.w SELECT row_number() OVER () + {base}, m, u, p FROM unnest('{{alpha,beta}}'::text[]) m,
  unnest('{{walker1,walker2}}'::text[]) u, unnest('{{p1,p2}}'::text[]) p, generate_series(1, 2);
GRANT SELECT ON {schema}.w TO pgvigil_owner;
CREATE VIEW {schema}.w_oracle AS SELECT id, mission, person, patient FROM {schema}.w WHERE mission = current_setting('my.mission', true)
  AND person = current_setting('my.person', true) AND patient = current_setting('my.patient', true);
""".format(schema=schema, base=base) for schema, base in (("public", 0), ("walk", 100)))


def secret(user):
    return subprocess.run([harness.binary(), "passwd"], input=user + "-demo\n", capture_output=True, text=True, check=True).stdout.strip()


def policy():
    rules = "".join("""
  { roles = [ "walker" ]; missions = [ "%s" ]; tables = [ "public.w", "walk.w" ];
    rows = "w.mission = '%s' AND w.person = :user.name AND w.patient = :session.patient"; columns = { all = "show"; }; },""" % (m, m)
                    for m in MISSIONS).rstrip(",")
    tables = ",".join("""{ name = "%s.w"; columns = { all = [ "id", "mission", "person", "patient" ]; }; }""" % s for s in PATHS)
    users = ",".join("""{ name = "%s"; auth = "scram"; secret = "%s"; roles = [ "walker", "dba2" ]; }""" % (u, secret(u)) for u in PEOPLE)
    return [("90-walk.cfg", """
tables = ( %s );
missions = ( { name = "alpha"; }, { name = "beta"; } );
roles = ( { name = "walker"; missions = [ "alpha", "beta" ]; default = "alpha"; },
          { name = "dba2"; unrestricted = true; missions = [ "alpha" ]; } );
rules = ( %s );
users = ( %s );
""" % (tables, rules, users))]


class Side:
    """One connection, and how its answers look with what is only its own taken out."""

    def __init__(self, raw, prefix, table):
        self.raw, self.prefix, self.table = raw, prefix, table

    def text(self, sql):
        return sql.replace("$S.", self.prefix).replace("$W", self.table)

    def message(self, item):
        kind, *rest = item
        if kind == "query":
            return wire.query(self.text(rest[0]))
        if kind == "run":
            return wire.parse(self.text(rest[0])) + wire.bind() + wire.describe() + wire.execute()
        if kind == "parse":
            return wire.parse(self.text(rest[1]), rest[0])
        if kind == "prepared":
            return wire.bind([], "", rest[0]) + wire.execute()
        return wire.SYNC

    def send(self, items):
        self.raw.send(b"".join(self.message(item) for item in items))

    def look(self, messages):
        seen = []
        for kind, body in messages:
            if kind in "EN":
                seen.append((kind, wire.fields(body)["C"]))
            elif kind == "D":
                seen.append((kind,) + wire.row(body))
            elif kind == "T":
                seen.append((kind,) + tuple(c[0].replace(self.prefix, "$S.") for c in wire.columns(body)))
            elif kind == "S":
                if body.startswith(b"application_name\0"):
                    seen.append((kind, body))
            elif kind in "CZ":
                seen.append((kind, body))
            else:
                seen.append((kind,))
        return seen

    def receive(self, units):
        got = []
        for _ in range(units):
            got += self.raw.until("Z")
        return self.look(got)


def open_pair(stack, cluster, person):
    """(pgvigil, PostgreSQL) for one person, in the same state."""
    options = "-c {0}mission=alpha -c {0}patient=p1"
    ours = Side(wire.open_session(stack, person, options=options.format("pgvigil."), application_name="start"), "pgvigil.", "w")
    raw = wire.Raw(cluster.port, stack.tls_context())
    got = raw.login("postgres", next(iter(stack.databases.values())), harness.SUPER_PASSWORD, application_name="start",
                    options=options.format("my.") + " -c my.person=%s -c search_path=public" % person)
    assert got[-1][0] == "Z", got
    return ours, Side(raw, "my.", "w_oracle")


class Walk:
    """Makes programs. `block`: what ReadyForQuery said last, which only matters where a text of several statements is made."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.named = 0
        self.status = "I"

    def pick(self, *choices):
        return self.random.choice(choices)

    def setting(self):
        name, value = self.pick(("$S.mission", self.pick(*MISSIONS)), ("$S.patient", self.pick(*PATIENTS)),
                                ("application_name", self.pick("x", "y")), ("search_path", self.pick(*PATHS)))
        return self.pick("SET %s = '%s'", "SET LOCAL %s = '%s'", "SET SESSION %s TO '%s'") % (name, value) if self.random.random() < 0.8 else \
            self.pick("RESET %s", "SET %s TO DEFAULT", "SET LOCAL %s TO DEFAULT") % name

    def control(self):
        name = self.pick("a", "b", "c")
        return self.pick("BEGIN", "BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK", "ROLLBACK", "SAVEPOINT " + name, "SAVEPOINT " + name,
                         "SAVEPOINT " + name, "ROLLBACK TO " + name, "ROLLBACK TO " + name, "RELEASE " + name, "COMMIT AND CHAIN", "ROLLBACK AND CHAIN",
                         "START TRANSACTION", "END", "ABORT")

    def statement(self):
        dice = self.random.random()
        if dice < 0.34:
            return "SELECT id, mission, person, patient FROM $W ORDER BY id"
        if dice < 0.62:
            return self.setting()
        if dice < 0.86:
            return self.control()
        if dice < 0.95:
            return "SHOW " + self.pick("$S.mission", "$S.patient", "application_name", "search_path")
        return self.pick("SELECT 1/0", "SELECT no_such", "SET DateStyle = 'nonsense'", "")

    def local(self, statement):
        return statement.startswith(("SHOW", "RESET")) or (statement.startswith("SET") and "DateStyle" not in statement)

    def text(self):
        """Several statements in one query, of a form that pgvigil does not refuse: what is its own comes first or in a block."""
        block, begun, parts = self.status != "I", False, []
        for _ in range(self.random.randrange(1, 6)):
            statement = self.statement()
            if statement == "" or (self.local(statement) and begun and not block):
                continue
            parts.append(statement)
            if self.local(statement):
                continue
            if statement.startswith(("BEGIN", "START")):
                block = True
            elif statement.startswith(("COMMIT", "ROLLBACK", "END", "ABORT")) and " TO " not in statement:
                block, begun = "CHAIN" in statement, False
            else:
                begun = True
        return ("query", self.pick("; ", " ;\n-- not the end; really\n").join(parts))

    def group(self):
        """One extended group: parse, bind, execute of some statements, then Sync."""
        items = []
        for _ in range(self.random.randrange(1, 5)):
            if self.random.random() < 0.2:
                self.named += 1
                items.append(("parse", "s%d" % self.named, self.statement()))
            elif self.named and self.random.random() < 0.3:
                items.append(("prepared", "s%d" % self.random.randrange(1, self.named + 1)))
            else:
                items.append(("run", self.statement()))
        return items + [("sync",)]

    def unit(self, first):
        dice = self.random.random()
        if dice < 0.35:
            return [("query", self.statement())]
        if dice < 0.55 and first:
            return [self.text()]
        return self.group()

    def step(self):
        """Some units sent at once; how many ReadyForQuery they bring."""
        units = self.pick(1, 1, 1, 2, 3, 6)
        items = []
        if self.status == "E" and self.random.random() < 0.6:
            return [("query", self.pick("ROLLBACK", "COMMIT", "ROLLBACK TO a", "ROLLBACK TO b", "ROLLBACK TO c"))], 1
        for i in range(units):
            items += self.unit(i == 0)
        return items, units
