"""
The oracle under load: fifty people of different roles and missions share three server connections of two workers, and each reads,
writes and rolls back in an order that a seed gives. Every answer must be PostgreSQL's own, on the views that oracle_schema.py writes
for that pair with the person's wards and name put in: what another session left on the connection would show as a difference.

A trigger of the database notes which of its own processes wrote for whom; so it is PostgreSQL that says how connections changed hands.
PGVIGIL_SEED=n walks in another order.
"""
import os
import random
import threading

import harness
import missions_walk
import oracle_schema
import pytest
from oracle_statements import DENIED, STATEMENTS
from psycopg import errors, pq
from test_oracle import Refused, same_types

SEED = int(os.environ.get("PGVIGIL_SEED", "41"))
POOL = 3
TURNS = 60
MISSIONS = {"nurse": "care", "receptionist": "admission", "researcher": "research"}
PAIRS = tuple(MISSIONS)
WAYS = ("simple", "text", "binary", "prepared")
WARDS = ((1,), (2,), (1, 2), (3,), (4, 5), (), (1, 6), (7, 8, 9), (2, 3), (10,))
# (name, roles in the order of the policy, wards): the first role is the one she starts with.
PEOPLE = ([("crowd-n%02d" % i, ("nurse",), WARDS[i % len(WARDS)]) for i in range(20)]
          + [("crowd-a%02d" % i, ("receptionist",), ()) for i in range(10)] + [("crowd-r%02d" % i, ("researcher",), ()) for i in range(8)]
          + [("crowd-s%02d" % i, PAIRS[i % 3:] + PAIRS[:i % 3], WARDS[(i * 3) % len(WARDS)]) for i in range(12)])

EXTRA_SQL = oracle_schema.EXTRA_SQL + """
CREATE TABLE public.lockers (id int PRIMARY KEY, person text NOT NULL, note text);
INSERT INTO public.lockers SELECT p * 10 + n, (ARRAY[%s])[p], 'note ' || n FROM generate_series(1, %d) p, generate_series(1, 4) n;
GRANT SELECT, INSERT, UPDATE ON public.lockers TO pgvigil_owner WITH GRANT OPTION;
CREATE TABLE public.turns (pid int, person text, role text);
CREATE FUNCTION public.note_turn() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN INSERT INTO public.turns VALUES (pg_backend_pid(), NEW.person, current_setting('role')); RETURN NEW; END $$;
CREATE TRIGGER note_turn AFTER UPDATE ON public.lockers FOR EACH ROW EXECUTE FUNCTION public.note_turn();
""" % (",".join("'%s'" % name for name, _, _ in PEOPLE), len(PEOPLE))
RULE = """{ roles = [ "%s" ]; missions = [ "%s" ]; tables = [ "public.lockers" ]; rows = "lockers.person = :user.name";
    columns = { all = "show"; }; insert = [ "all" ]; update = [ "all" ]; }"""
LOCKERS = ("SELECT * FROM lockers ORDER BY id", "SELECT count(*), min(person), max(person), min(id) FROM lockers",
           "SELECT person, array_agg(note ORDER BY id) FROM lockers GROUP BY person")
OWN_VIEW = """CREATE VIEW public.lockers AS SELECT * FROM raw.lockers WHERE person = current_setting('my.person')
  WITH CASCADED CHECK OPTION;
DROP TRIGGER note_turn ON raw.lockers;"""


def policy():
    users = ",".join("""
  { name = "%s"; auth = "scram"; secret = "%s"; roles = [ %s ]; attributes = { wards = [ %s ]; }; }""" % (
        name, missions_walk.secret(name), ", ".join('"%s"' % r for r in roles), ", ".join('"%d"' % w for w in wards))
                     for name, roles, wards in PEOPLE)
    return [("90-oracle.cfg", oracle_schema.POLICY), ("91-crowd.cfg", """
tables = ( { name = "public.lockers"; columns = { all = [ "id", "person", "note" ]; }; } );
rules = ( %s );
users = ( %s );
""" % (",".join(RULE % pair for pair in MISSIONS.items()), users))]


@pytest.fixture(scope="module")
def crowd(make_stack):
    return make_stack(extra_sql=EXTRA_SQL, extra_policy=policy(), pool=POOL, unrestricted=False)


@pytest.fixture(scope="module")
def oracles(crowd):
    """{pair: a copy of the database whose tables are the pair's views, for whoever my.person and my.wards say}"""
    template = crowd.cluster.template(extra_sql=EXTRA_SQL)
    made = {}
    for pair in PAIRS:
        text = oracle_schema.oracle_sql(pair, harness.pseudonym_mission_key("research"))
        text = text.replace(oracle_schema.WARDS_12, "(current_setting('my.wards')::int[])")
        made[pair] = crowd.cluster.create("crowd_" + pair, template, text + OWN_VIEW)
    yield made
    for name in made.values():
        crowd.cluster.drop(name)


def answer(connection, sql, params, way):
    raw = connection.pgconn
    values = [None if p is None else p.encode() for p in params]
    if way == "simple":
        result = raw.exec_(sql.encode())
    elif way == "prepared":
        # By one name for one text: the second time it is only bound, on whichever connection the session has then.
        names = connection.__dict__.setdefault("crowd_names", {})
        if sql not in names:
            names[sql] = b"s%d" % len(names)
            made = raw.prepare(names[sql], sql.encode())
            if made.status != pq.ExecStatus.COMMAND_OK:
                del names[sql]
                raise Refused(made.error_field(pq.DiagnosticField.SQLSTATE))
        result = raw.exec_prepared(names[sql], values)
    else:
        result = raw.exec_params(sql.encode(), values, result_format=1 if way == "binary" else 0)
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise Refused(result.error_field(pq.DiagnosticField.SQLSTATE))
    columns = [(result.fname(i).decode(), result.ftype(i), result.fmod(i)) for i in range(result.nfields)]
    rows = [tuple(result.get_value(r, i) for i in range(result.nfields)) for r in range(result.ntuples)]
    return columns, rows, result.command_status


class Member:
    """One person's session through pgvigil, and beside it one with each oracle of hers."""

    def __init__(self, crowd, oracles, person):
        self.name, self.roles, wards = person
        self.random = random.Random("%d %s" % (SEED, self.name))
        self.mine = crowd.connect(self.name, role=self.roles[0], connect_timeout=60)
        self.real = crowd.databases["records"]
        self.oracles = {}
        for role in self.roles:
            self.oracles[role] = c = crowd.cluster.superuser(oracles[role])
            c.execute("SELECT set_config('my.person', %s, false), set_config('my.wards', %s, false)", (self.name, str(list(wards)).replace("[", "{").replace("]", "}")))
        self.role, self.compared, self.rows, self.lockers = self.roles[0], 0, 0, None

    def both(self, sql, way, params=(), oracle=None, ordered=True, rowtype=False):
        """The statement here and there; the answers, or the SQLSTATEs, must be the same."""
        there = self.oracles[self.role]
        got, expected = [], []
        for answers, connection, text, name in ((expected, there, oracle or sql, there.info.dbname), (got, self.mine, sql, self.real)):
            try:
                answers += answer(connection, text.replace("{db}", name), params, way)
            except Refused as error:
                answers.append(error.args)
        what = (self.name, self.role, way, sql)
        assert len(got) == len(expected) == 3 or got == expected, (what, got[:1], expected[:1])
        if len(expected) == 3:
            assert [c[0] for c in got[0]] == [c[0] for c in expected[0]], what
            assert rowtype or same_types(there, got[0], expected[0]), what
            order = (lambda rows: rows) if ordered else (lambda rows: sorted(rows, key=lambda row: tuple((v is None, v or b"") for v in row)))
            assert (rowtype and way == "binary") or order(got[1]) == order(expected[1]), (what, str(got[1])[:300], str(expected[1])[:300])
            assert got[2] == expected[2], what
            self.rows += len(got[1])
        self.compared += 1
        return got

    def read(self):
        statement = self.random.choice([s for s in STATEMENTS if self.role in s.pairs])
        way = self.random.choice(WAYS[1:] if statement.params else WAYS)
        self.both(statement.sql, way, statement.params, statement.oracle, statement.ordered, statement.rowtype)

    def own(self):
        self.both(self.random.choice(LOCKERS), self.random.choice(WAYS))

    def transaction(self):
        self.both("BEGIN", "simple")
        for _ in range(self.random.randrange(1, 4)):
            self.random.choice((self.read, self.own))()
        if self.random.random() < 0.3:
            got = self.both("SELECT 1 / count(*) FROM lockers WHERE person = 'nobody'", self.random.choice(WAYS[:3]))
            assert got == [(b"22012",)]
            self.both("SELECT 1", "text")  # 25P02 on both sides
        self.both(self.random.choice(("COMMIT", "ROLLBACK")), "simple")
        self.own()

    def returning(self, columns):
        """Not in a mission with max_rows, which has none."""
        return "" if self.role == "researcher" else " RETURNING " + columns

    def write_and_go_back(self):
        way = self.random.choice(WAYS[:3])
        self.both("BEGIN", "simple")
        self.both("UPDATE lockers SET note = note || '+'" + self.returning("id, person, note"), way, ordered=False)
        self.both("INSERT INTO lockers (id, person, note) SELECT max(id) + 5, min(person), 'new' FROM lockers" + self.returning("*"), way)
        self.both("SELECT * FROM lockers ORDER BY id", way)
        self.both("ROLLBACK", "simple")
        self.both("SELECT * FROM lockers ORDER BY id", way)

    def write(self):
        sql = "UPDATE lockers SET note = 'kept %d' WHERE id %% 10 < 3" % self.random.randrange(1000)
        self.both(sql + self.returning("*"), self.random.choice(WAYS[:3]), ordered=False)
        self.both("SELECT * FROM lockers ORDER BY id", "simple")

    def reach_out(self):
        """Rows of others are not there, and cannot be made; columns outside the policy are refused."""
        other = self.random.choice(PEOPLE)[0]
        if other != self.name:
            self.both("SELECT * FROM lockers WHERE person = '%s'" % other, "text")
            self.both("INSERT INTO lockers (id, person) VALUES (%d, '%s')" % (self.random.randrange(10 ** 6, 10 ** 7), other), "simple")
        sql = self.random.choice([s for pair, s in DENIED if pair == self.role])
        with pytest.raises(Refused):
            answer(self.mine, sql, (), self.random.choice(WAYS))

    def change_role(self):
        if len(self.roles) == 1:
            return
        self.role = self.random.choice(self.roles)
        # What rows she has in a role's oracle is only hers to know: the next writes begin alike in all of them.
        self.mine.execute("SET pgvigil.role = '%s'" % self.role)
        self.mine.execute("UPDATE lockers SET note = 'moved'")
        self.oracles[self.role].execute("UPDATE lockers SET note = 'moved'")
        assert self.mine.execute("SHOW pgvigil.mission").fetchone() == (MISSIONS[self.role],)

    def walk(self):
        for _ in range(TURNS):
            self.random.choice((self.read, self.read, self.read, self.own, self.transaction, self.write_and_go_back, self.write,
                                self.reach_out, self.change_role))()
        self.write()
        self.lockers = self.both("SELECT * FROM lockers ORDER BY id", "text")[1]

    def close(self):
        for c in [self.mine] + list(self.oracles.values()):
            c.close()


def watch(crowd, done, most):
    with crowd.superuser() as c:
        while not done.wait(0.02):
            (count,) = c.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pgvigil' AND datname = current_database()"
                                 " AND application_name = 'pgvigil'").fetchone()
            most.append(count)


def test_each_of_fifty_gets_what_postgresql_gives_her(crowd, oracles):
    members, failures, most, done = [Member(crowd, oracles, p) for p in PEOPLE], [], [], threading.Event()

    def walk(member):
        try:
            member.walk()
        except BaseException as error:  # noqa: BLE001: a thread's failure is the test's
            failures.append("PGVIGIL_SEED=%d %s: %r" % (SEED, member.name, error))
        finally:
            member.close()

    threads = [threading.Thread(target=walk, args=(m,)) for m in members]
    watcher = threading.Thread(target=watch, args=(crowd, done, most))
    for thread in threads + [watcher]:
        thread.start()
    for thread in threads:
        thread.join(300)
    hanging = [m.name for m, t in zip(members, threads) if t.is_alive()]
    done.set()
    watcher.join()
    assert not hanging and not failures, "\n".join(hanging + failures[:3])
    assert 0 < max(most) <= POOL
    # The comparison could fail: nobody's last answer is another's.
    assert len({str(m.lockers) for m in members}) == len(PEOPLE)
    assert all(len(m.lockers) == 4 for m in members)
    assert min(m.compared for m in members) >= TURNS / 2 and sum(m.rows for m in members) > 100 * len(PEOPLE)


def test_connections_changed_hands(crowd):
    """By PostgreSQL's own word: few processes, each of which worked for many people and for every role."""
    with crowd.superuser() as c:
        turns = c.execute("SELECT pid, count(DISTINCT person), count(DISTINCT role) FROM turns GROUP BY pid").fetchall()
        (people, wrong) = c.execute("SELECT count(DISTINCT person), count(*) FILTER (WHERE role NOT LIKE 'pgvigil:%%') FROM turns").fetchone()
    assert people == len(PEOPLE) and wrong == 0
    assert 1 <= len(turns) <= POOL
    for pid, persons, roles in turns:
        assert persons > len(PEOPLE) / 4 and roles == len(PAIRS), turns


def test_records_are_each_persons_own(crowd):
    allowed = {name: {(r, MISSIONS[r]) for r in roles} for name, roles, _ in PEOPLE}
    seen = set()
    for record in crowd.audit_records():
        if record.get("person") in allowed and record["type"] in ("whole", "begin"):
            assert (record["role"], record["mission"]) in allowed[record["person"]], record
            seen.add((record["person"], record["role"]))
    assert {name for name, _ in seen} == set(allowed)
    assert {role for _, role in seen} == set(PAIRS)


def test_somebody_elses_role_is_refused(crowd):
    """The denied twin: who has one role stays in it."""
    with crowd.connect("crowd-n00") as c:
        before = c.execute("SELECT * FROM lockers ORDER BY id").fetchall()
        with pytest.raises(errors.Error):
            c.execute("SET pgvigil.role = 'researcher'")
        assert c.execute("SELECT * FROM lockers ORDER BY id").fetchall() == before
