"""
TimeZone, DateStyle and their kin give constants their meaning when a text is prepared, and sessions share what a server connection has
prepared. So sessions of one role and mission with different settings prepare and run the same texts over few server connections, in
random order; each hears what a session of PostgreSQL's own hears that does the same.
"""
import random

import harness
import pytest
import wire
from side_by_side import Both, answer, extended, open_oracle
from test_oracle import PAIRS, oracle_schema, oracles  # noqa: F401

SYNC = wire.SYNC
CLIENTS, STEPS, SEEDS = 3, 260, (1, 2, 3)
TEXTS = ("SELECT extract(epoch FROM timestamptz '2020-01-01 00:00')", "SELECT date '03/04/2020' - date '2020-01-01'",
         "SELECT count(*), min(id) FROM patients WHERE birth_date < '05/11/1975'", "SELECT extract(epoch FROM interval '-1 2:03:04')",
         "SELECT extract(epoch FROM timestamptz $$03/04/2020 00:00$$)", "SELECT count(*) FROM patients WHERE birth_date > $1 AND birth_date < '01/12/1980'")
VALUES = {"TimeZone": ("UTC", "Asia/Tokyo", "America/New_York"), "DateStyle": ("ISO, DMY", "ISO, MDY"), "IntervalStyle": ("postgres", "sql_standard")}
STARTS = ({}, {"TimeZone": "Asia/Tokyo"}, {"DateStyle": "ISO, DMY"}, {"DateStyle": "ISO, DMY", "TimeZone": "UTC"}, {"extra_float_digits": "2"})


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=oracle_schema.EXTRA_SQL, extra_policy=[("90-oracle.cfg", oracle_schema.POLICY)], pool=CLIENTS, workers=1)


class Client:
    """The same session twice, and what it may do next."""

    def __init__(self, stack, oracle, rnd, count):
        self.rnd, self.names, self.count, self.block, self.log = rnd, [], count, None, []
        settings = rnd.choice(STARTS)
        self.mine = wire.open_session(stack, "nurse1", **settings)
        self.theirs = wire.Raw(stack.cluster.port, stack.tls_context())
        assert self.theirs.login("postgres", oracle, harness.SUPER_PASSWORD, **settings)[-1][0] == "Z"

    def close(self):
        self.mine.close()
        self.theirs.close()

    def both(self, step):
        expected, got = answer(self.theirs, step), answer(self.mine, step)
        assert got == expected, (step, self.log)
        return not any(kind == "E" for kind, _ in got), got

    def set(self):
        name = self.rnd.choice(sorted(VALUES))
        what = self.rnd.choice(("SET {n} TO '{v}'", "SET LOCAL {n} TO '{v}'", "SET {n} TO '{v}'", "RESET {n}", "SET {n} TO DEFAULT"))
        value = self.rnd.choice(VALUES[name])
        # A list that stands in one string is one word to SET.
        return what.format(n=name, v=value).replace("'ISO, DMY'", "ISO, DMY").replace("'ISO, MDY'", "ISO, MDY")

    def values(self, text):
        return ("1950-01-02",) if "$1" in text else ()

    def prepare(self, text):
        name = "q%d" % self.count[0]
        self.count[0] += 1
        self.names.append((name, text))
        if self.rnd.random() < 0.5:
            return wire.parse(text, name) + SYNC
        return "PREPARE %s%s AS %s" % (name, " (date)" if "$1" in text else "", text)

    def run(self, name, text):
        if self.rnd.random() < 0.5:
            return wire.bind(self.values(text), "", name) + wire.describe("P", "") + wire.execute() + SYNC
        return "EXECUTE %s%s" % (name, "('1950-01-02')" if "$1" in text else "")

    def turn(self):
        kind, text = self.rnd.random(), self.rnd.choice(TEXTS)
        plain = [t for t in TEXTS if "$1" not in t]
        if kind < 0.14:
            steps, self.names = [self.set()], []
        elif kind < 0.22 and self.block is None:
            steps, self.block = ["BEGIN"], ["open"]
        elif kind < 0.30 and self.block is not None:
            steps = [self.rnd.choice(("COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "ROLLBACK"))]
            self.names = [] if steps[0] != "SAVEPOINT s" else self.names
            self.block = None if steps[0] in ("COMMIT", "ROLLBACK") else self.block
        elif kind < 0.50:
            steps = [self.prepare(text)]
        elif kind < 0.68 and self.names:
            steps = [self.run(*self.rnd.choice(self.names))]
        elif kind < 0.80:
            steps = [extended(text, self.values(text)) + SYNC]
        elif kind < 0.86:
            steps = [self.rnd.choice(plain)]
        elif kind < 0.94:  # in one group, which may fail and undo the setting
            steps = [extended(self.set()) + extended(text, self.values(text)) + (extended("SELECT 1/0") if self.rnd.random() < 0.5 else b"") + SYNC]
            self.names = []
        else:  # all that was set so far is sent ahead of its answer
            name, other = "p%d" % self.count[0], self.rnd.choice(plain)
            self.count[0] += 1
            steps = [wire.parse(self.set()) + wire.bind() + wire.execute() + wire.parse(other, name) + wire.bind((), "", name) + wire.execute() + SYNC]
            self.names = []
        for step in steps:
            self.log.append(step)
            if not self.both(step)[0]:
                self.names = []  # of what failed nothing is known by a name


@pytest.mark.parametrize("seed", SEEDS)
def test_each_reads_constants_by_her_own_settings(seed, stack, oracles):  # noqa: F811
    rnd, count = random.Random(seed), [0]
    oracle = oracles["nurse"].info.dbname
    clients = [Client(stack, oracle, rnd, count) for _ in range(CLIENTS)]
    try:
        for _ in range(STEPS):
            i = rnd.randrange(CLIENTS)
            if rnd.random() < 0.04:
                clients[i].close()
                clients[i] = Client(stack, oracle, rnd, count)
            clients[i].turn()
    finally:
        for client in clients:
            client.close()


DAYS = "SELECT date '05/11/1975' - date '1975-01-01' FROM patients LIMIT 1"


@pytest.mark.parametrize("way", ("simple", "extended"))
def test_what_postgresql_reads_anew_under_set_local_is_nobody_elses(way, stack, oracles):  # noqa: F811
    """A table that somebody alters has its statements read again, by the settings of who comes next."""
    def prepare(raw, name):
        return answer(raw, "PREPARE %s AS %s" % (name, DAYS) if way == "simple" else wire.parse(DAYS, name) + SYNC)

    def run(raw, name):
        return answer(raw, "EXECUTE " + name if way == "simple" else wire.bind((), "", name) + wire.execute() + SYNC)

    heard = []
    for sides in range(2):
        def come():
            if sides == 0:
                return open_oracle(stack, oracles["nurse"].info.dbname)
            return wire.open_session(stack, "nurse1")
        first, database = come(), (oracles["nurse"].info.dbname, next(iter(stack.databases.values())))[sides]
        got = [prepare(first, "q"), run(first, "q")]
        with stack.cluster.superuser(database) as super_:
            super_.autocommit = True
            table = super_.execute("SELECT oid::regclass::text FROM pg_class WHERE relname = 'patients' AND relkind = 'r'").fetchone()[0]
            super_.execute("ALTER TABLE %s ALTER COLUMN sex SET STATISTICS 99" % table)
        got += [answer(first, "BEGIN"), answer(first, "SET LOCAL DateStyle TO ISO, DMY"), run(first, "q"), answer(first, "COMMIT")]
        with come() as second:
            got += [prepare(second, "r"), run(second, "r")]
        first.close()
        heard.append(got)
    assert heard[0] == heard[1]
    days = [wire_row for answered in heard[0] for kind, wire_row in answered if kind == "D"]
    assert days == [(b"130",), (b"308",), (b"130",)], "PostgreSQL has not read it again"


def bound(name, *values):
    return wire.bind(values, "", name) + wire.execute()


UNDONE = {
    # The unnamed statement is read in a group that fails, and asked for again in the next.
    "unnamed": [wire.parse("SELECT 1 / $1", "fails", types=(23,)) + SYNC, wire.parse("SET DateStyle TO ISO, DMY", "set") + SYNC,
                bound("set") + extended(DAYS) + bound("fails", "0") + SYNC, extended(DAYS) + SYNC],
    "rolled back": ["BEGIN", "SET DateStyle TO ISO, DMY", "PREPARE a AS " + DAYS, "EXECUTE a", "ROLLBACK", "PREPARE b AS " + DAYS, "EXECUTE b"],
    "local": ["BEGIN", "SET LOCAL DateStyle TO ISO, DMY", wire.parse(DAYS, "a") + SYNC, bound("a") + SYNC, "COMMIT", wire.parse(DAYS, "b") + SYNC, bound("b") + SYNC],
    "savepoint": ["BEGIN", "SAVEPOINT s", "SET DateStyle TO ISO, DMY", "PREPARE a AS " + DAYS, "ROLLBACK TO s", "PREPARE b AS " + DAYS, "EXECUTE b", "COMMIT"],
    "failed": [wire.parse("SET DateStyle TO ISO, DMY", "set") + SYNC, bound("set") + wire.parse(DAYS, "a") + bound("a") + extended("SELECT 1/0") + SYNC,
               wire.parse(DAYS, "b") + bound("b") + SYNC],
}


@pytest.mark.parametrize("name", UNDONE)
def test_a_setting_that_is_undone_reads_nothing_any_more(name, stack, oracles):  # noqa: F811
    with Both(stack, oracles["nurse"].info.dbname, "nurse1") as both:
        last = both.run(*UNDONE[name])
        if name == "savepoint":
            last = both.answers[-2]
        assert ("D", (b"130",)) in last


def test_what_is_prepared_on_another_connection_under_set_local_is_nobody_elses(make_stack):
    stack = make_stack(pool=2, workers=1)
    with wire.open_session(stack, "nurse1") as mover, wire.open_session(stack, "nurse1") as holder, wire.open_session(stack, "nurse1") as third:
        assert wire.rows_of(mover.query("PREPARE q AS " + DAYS) + mover.query("EXECUTE q")) == [(b"130",)]
        holder.query("BEGIN")
        holder.query("SELECT 1")  # has the connection where it is prepared
        mover.query("BEGIN")
        mover.query("SET LOCAL DateStyle TO ISO, DMY")
        moved = mover.query("EXECUTE q")
        assert wire.error_of(moved) is None and wire.rows_of(moved) == [(b"308",)]  # read anew; PostgreSQL's own session would keep 130
        mover.query("COMMIT")
        assert wire.error_of(third.query("PREPARE q AS " + DAYS)) is None
        assert wire.rows_of(third.query("EXECUTE q")) == [(b"130",)]


INLINED = """
CREATE FUNCTION days_since(date) RETURNS int LANGUAGE sql STABLE AS $$ SELECT $1 - date '05/11/1975' $$;
GRANT EXECUTE ON FUNCTION days_since(date) TO PUBLIC;
"""
ALLOWED = 'functions = ( { name = "public.days_since"; roles = [ "nurse" ]; missions = [ "care" ]; } );'


def test_strings_in_functions_that_become_part_of_a_plan(make_stack):
    """The policy allows it, PostgreSQL puts its text into the plan, and no quote stands in the statement."""
    ask = "SELECT public.days_since(current_date) - (current_date - make_date(1975, 1, 1))"
    heard = []
    for sides in range(2):
        stack = make_stack(extra_sql=INLINED, extra_policy=[("90-own.cfg", ALLOWED)], pool=1, workers=1)
        for style in ("ISO, MDY", "ISO, DMY", "ISO, MDY"):
            if sides == 0:
                raw = open_oracle(stack, next(iter(stack.databases.values())))
                answer(raw, "SET DateStyle TO " + style)
            else:
                raw = wire.open_session(stack, "nurse1", DateStyle=style)
            with raw:
                heard.append([answer(raw, "PREPARE q AS " + ask)] + [answer(raw, "EXECUTE q") for _ in range(3)])
    assert heard[:3] == heard[3:] and heard[0] != heard[1] == heard[4], heard
