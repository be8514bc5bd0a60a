"""
One login, many people: whom a statement runs as, and who is on record for it. The same programs go to pgvigil and to PostgreSQL, where the
person is a setting of PostgreSQL's own and `w_oracle`, a view that this file writes, is what she sees.
"""
import collections
import contextlib
import json
import threading
import time

import harness
import missions_walk
import psycopg
import pytest
import tokens
import wire
from psycopg import errors

PEOPLE = ["w%02d" % i for i in range(1, 51)]
CONNECTIONS = 5
STATEMENTS = 10000

# Whom no login of this file may act for: w51 to w60 have another role than those of its ceiling.
SQL = """
CREATE TABLE public.w (id int PRIMARY KEY, person text, mission text, unit text, note text);
INSERT INTO public.w SELECT row_number() OVER (), 'w' || lpad(p::text, 2, '0'), m, 'u' || (p % 7), 'note ' || p
  FROM generate_series(1, 60) p, unnest('{ward,office,night}'::text[]) m, generate_series(1, 3);
INSERT INTO public.w SELECT 10000 + p, 'ehr-desk', 'office', 'u9', 'desk' FROM generate_series(1, 2) p;
GRANT SELECT, UPDATE ON public.w TO pgvigil_owner WITH GRANT OPTION;
CREATE TABLE public.w_people (person text PRIMARY KEY, mission text, unit text);
INSERT INTO public.w_people SELECT 'w' || lpad(p::text, 2, '0'), CASE WHEN p % 3 = 0 THEN 'office' ELSE 'ward' END, 'u' || (p % 7)
  FROM generate_series(1, 50) p;
INSERT INTO public.w_people VALUES ('ehr-desk', 'office', 'u9');
CREATE VIEW public.w_oracle AS SELECT w.id, w.person, w.mission, w.unit FROM public.w JOIN public.w_people p USING (person, mission, unit)
  WHERE p.person = current_setting('my.person', true);
"""


def roles_of(number):
    if number > 50:
        return ["warden"]
    return ["clerk", "ward-nurse"] if number % 3 == 0 else ["ward-nurse", "clerk"] if number % 3 == 1 else ["ward-nurse"]


def rule(role, mission, rows, more=""):
    return """{ roles = [ "%s" ]; missions = [ "%s" ]; tables = [ "public.w" ]; columns = { all = "show"; %s;
      rows = "w.person = :user.name AND w.mission = '%s' AND w.unit = :user.unit"; }""" % (role, mission, more or "}", rows)


def login(name, how, attributes=""):
    return """{ name = "%s"; auth = "scram"; secret = "%s"; %s on_behalf = { roles = [ "ward-nurse", "clerk" ]; %s }; }""" % (
        name, missions_walk.secret(name), attributes, how)


TOKEN = 'from = "pgvigil.token"; proof = "jwt"; keys = "keys.json"; issuer = "https://idp.test"; audience = "records"; '
NOTES = 'notes = "show"; }; update = [ "notes" ]'


def policy(keys):
    people = ["""{ name = "w%02d"; auth = "none"; roles = [ %s ]; attributes = { unit = "u%d"; }; }""" % (
        i, ", ".join('"%s"' % r for r in roles_of(i)), i % 7) for i in range(1, 61)]
    logins = [login("ehr-app", 'from = "pgvigil.user"; proof = "none";'),
              login("ehr-desk", 'from = "pgvigil.user"; proof = "none"; absent = "clerk";', 'attributes = { unit = "u9"; };'),
              login("ehr-name", 'from = "application_name"; proof = "none";'), login("ehr-token", TOKEN),
              login("ehr-token-desk", TOKEN + 'absent = "clerk";', 'attributes = { unit = "u9"; };')]
    rules = [rule("ward-nurse", "ward", "ward", NOTES), rule("ward-nurse", "limited", "ward"), rule("ward-nurse", "night", "night"),
             rule("clerk", "office", "office"), rule("warden", "ward", "ward")]
    return [("keys.json", json.dumps(keys)), ("90-shared.cfg", """
attributes = ( { name = "unit"; type = "text"; } );
tables = ( { name = "public.w"; columns = { all = [ "id", "person", "mission", "unit" ]; notes = [ "note" ]; }; } );
missions = ( { name = "ward"; }, { name = "office"; }, { name = "limited"; rows_per_hour = 5; },
             { name = "night"; break_glass = { reason_min = 20; minutes = 30; require = [ "patient" ]; }; } );
roles = ( { name = "ward-nurse"; missions = [ "ward", "limited", "night" ]; default = "ward"; }, { name = "clerk"; missions = [ "office" ]; },
          { name = "warden"; missions = [ "ward" ]; } );
rules = ( %s );
users = ( %s );
""" % (",\n".join(rules), ",\n".join(logins + people)))]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return tokens.Key(tmp_path_factory.mktemp("keys"), "idp", "EC")


@pytest.fixture(scope="module")
def stack(make_stack, key):
    return make_stack(extra_policy=policy({"keys": [key.jwk(kid="k1", alg="ES256", use="sig")]}), extra_sql=SQL, pool=4)


def on_record(stack, **wanted):
    return [r for r in stack.audit_records() if all(r.get(k) == v for k, v in wanted.items())]


def seen(connection):
    """Whose rows come."""
    return {person for (person,) in connection.execute("SELECT person FROM w").fetchall()}


def own_rows(stack, person):
    """PostgreSQL's answer for a person."""
    with stack.superuser() as c:
        c.execute("SELECT set_config('my.person', %s, false)", (person,))
        return c.execute("SELECT id, person, mission, unit FROM w_oracle ORDER BY id").fetchall()


ROWS = "SELECT id, person, mission, unit FROM w ORDER BY id"


# ---- fifty people over one login --------------------------------------------------------------------------------------------

class Walk(missions_walk.Walk):
    """Programs of SET, SET LOCAL, RESET of the person, savepoints, texts, groups and pipelines. Each SELECT names itself, for the record."""

    def __init__(self, seed):
        super().__init__(seed)
        self.seed, self.count, self.statements = seed, 0, 0

    def setting(self):
        if self.random.random() < 0.15:
            return self.pick("SET application_name = 'x'", "SET LOCAL application_name = 'y'", "RESET application_name")
        if self.random.random() < 0.2:
            return self.pick("RESET $S.user", "SET $S.user TO DEFAULT", "SET LOCAL $S.user TO DEFAULT")
        return self.pick("SET $S.user = '%s'", "SET LOCAL $S.user = '%s'", "SET LOCAL $S.user = '%s'", "SET SESSION $S.user TO '%s'") % self.pick(*PEOPLE)

    def statement(self):
        self.statements += 1
        dice = self.random.random()
        if dice < 0.36:
            self.count += 1
            marker = "q%d_%d" % (self.seed, self.count)
            return "SELECT id, person, mission, unit, '%s'::text AS %s FROM $W ORDER BY id" % (marker, marker)
        if dice < 0.66:
            return self.setting()
        if dice < 0.9:
            return self.control()
        return self.pick("SHOW $S.user", "SHOW application_name", "SELECT 1/0", "SELECT no_such", "")


class Side(missions_walk.Side):
    """As the other; USER is a reserved word of PostgreSQL's, which pgvigil takes in its own setting's name."""

    def text(self, sql):
        return sql.replace("$S.user", self.prefix).replace("$W", self.table)


def open_pair(stack, cluster, start="w01", user="ehr-app"):
    ours = wire.open_session(stack, user, application_name="start", options="-c pgvigil.user=%s" % start)
    theirs = wire.Raw(cluster.port, stack.tls_context())
    got = theirs.login("postgres", next(iter(stack.databases.values())), harness.SUPER_PASSWORD, application_name="start",
                       options="-c my.person=%s -c search_path=public" % start)
    assert got[-1][0] == "Z", got
    return Side(ours, "pgvigil.user", "w"), Side(theirs, "my.person", "w_oracle")


def note_selects(answers, found):
    """(marker, person) of each SELECT that was answered whole; PostgreSQL's words."""
    rows = []
    for item in answers:
        if item[0] == "D" and len(item) == 6:
            rows.append(item[1:])
        elif item[0] in "CEZ":
            if rows and item[0] == "C":
                assert len({(r[1], r[4]) for r in rows}) == 1
                found[(rows[0][4].decode(), rows[0][1].decode())] += 1
            rows = []


def walk(stack, cluster, seed, found, problems, counts):
    try:
        sides = open_pair(stack, cluster, PEOPLE[seed])
        program, done = Walk(seed), []
        while program.statements < STATEMENTS // CONNECTIONS:
            items, units = program.step()
            done.append(items)
            for side in sides:
                side.send(items)
            ours, theirs = (side.receive(units) for side in sides)
            if ours != theirs:
                problems.append("connection %d: %r\nours   %r\ntheirs %r" % (seed, done[-8:], ours, theirs))
                return
            program.status = theirs[-1][1].decode()
            note_selects(theirs, found)
        counts.append(program.statements)
        for side in sides:
            side.raw.close()
    except Exception as error:  # pylint: disable=broad-except
        problems.append("connection %d: %r" % (seed, error))


def test_fifty_people_over_one_login_are_never_each_other(stack, cluster):
    found, problems, counts = [collections.Counter() for _ in range(CONNECTIONS)], [], []
    threads = [threading.Thread(target=walk, args=(stack, cluster, i, found[i], problems, counts)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, "\n".join(problems)
    assert sum(counts) >= STATEMENTS
    answered = sum(found, collections.Counter())
    assert len({person for _, person in answered}) == len(PEOPLE) and sum(answered.values()) > STATEMENTS / 10
    recorded = collections.Counter()
    for r in stack.audit_records():
        marker = r.get("sql", "").partition(" AS q")[2].partition(" ")[0]
        if marker and r["type"] in ("whole", "begin") and r["decision"] == "allow" and "sqlstate" not in r:
            assert (r["login"], r["identity"]) == ("ehr-app", "asserted"), r
            recorded[("q" + marker, r["person"])] += 1
    assert recorded == answered


A, B, LOCAL_A, LOCAL_B = ("SET%s $S.user = '%s'" % (how, who) for how in ("", " LOCAL") for who in ("w02", "w03"))
W = "SELECT id, person, mission, unit FROM $W ORDER BY id"
# As in test_mission_transactions.py: what is sent at once.
PROGRAMS = {
    "set, local, commit": [A, "BEGIN", LOCAL_B, W, "COMMIT", W],
    "local undone by rollback to": ["BEGIN", LOCAL_A, W, "SAVEPOINT s", LOCAL_B, W, "ROLLBACK TO s", W, "COMMIT", W],
    "set undone by rollback": ["BEGIN", A, W, "ROLLBACK", W],
    "set over local": ["BEGIN", LOCAL_A, B, W, "COMMIT", W],
    "local over set": ["BEGIN", A, LOCAL_B, W, "COMMIT", W],
    "error undoes": ["BEGIN", A, "SAVEPOINT s", B, "SELECT 1/0", "ROLLBACK TO s", W, "COMMIT", W],
    "text": ["BEGIN; " + LOCAL_A + "; " + W + "; COMMIT", W, A + "; " + W, "BEGIN; " + B + "; ROLLBACK; " + W],
    "group": [[LOCAL_A, W], W, [A, W, "SELECT 1/0"], W, ["BEGIN", LOCAL_B, W, "COMMIT", W], W],
    "reset": [A, W, "RESET $S.user", W, B, "RESET ALL", W, B, "DISCARD ALL", W],
    "reset in a block": ["BEGIN", A, "RESET $S.user", W, "ROLLBACK", W, "BEGIN", LOCAL_B, "RESET $S.user", W, "COMMIT", W],
    "commit and chain": ["BEGIN", LOCAL_A, B, "COMMIT AND CHAIN", W, LOCAL_A, "ROLLBACK AND CHAIN", W, "COMMIT"],
    "prepared as one, executed as another": [A, "PREPARE p AS " + W, "EXECUTE p", B, "EXECUTE p", "BEGIN", LOCAL_A, "EXECUTE p", "ROLLBACK", "EXECUTE p"],
}


@pytest.mark.parametrize("way", ["one by one", "all at once"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_answered_as_by_postgresql(stack, cluster, name, way):
    ours, theirs = open_pair(stack, cluster)
    program = [[("query", step)] if isinstance(step, str) else [("run", text) for text in step] + [("sync",)] for step in PROGRAMS[name]]
    if way == "all at once":
        program = [[item for step in program for item in step]]
    with ours.raw, theirs.raw:
        for items in program:
            for side in (ours, theirs):
                side.send(items)
            units = sum(item[0] != "run" for item in items)
            assert ours.receive(units) == theirs.receive(units), items
