"""
prove.py [--seed N] [--statements N] [--per-universe N] [--record FILE]: the generated proof.

For each universe (universe.py) random statements (statements.py) run through pgvigil and, on views that the generator
wrote from the policy, in PostgreSQL itself: same rows, same tags, the same SQLSTATE, and after each write the same rows in
every table, hidden columns too; and in a twin database that differs only in what the pair may not see: the same answer,
byte for byte. With --record it goes on where the file left off, and every failure is a line there.
"""
import argparse
import collections
import itertools
import json
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import psycopg  # noqa: E402
import ways  # noqa: E402
from psycopg import pq  # noqa: E402
from statements import Statements  # noqa: E402
from universe import Universe, q  # noqa: E402
from ways import Answer  # noqa: E402

# Refusals of pgvigil's own that PostgreSQL does not make: each is documented in docs/sql-support.md.
NAMED = ("is not supported",)
RESET_AFTER = 25  # writes
REFUSED = "refused by name, which PostgreSQL does not"
TWINS_OWN = re.compile("CANARY|777|4321|1901|[0-9a-f]{8}-[0-9a-f]{4}-")  # Universe.other


def secrets():
    text = (harness.CLINIC / "policy" / "50-users.cfg").read_text(encoding="utf-8")
    return {name: re.search(r'name = "%s".*?secret = "([^"]+)"' % name, text, re.S).group(1) for name in ("nurse1", "admin1")}


class World:
    """One universe on a cluster: the database and its twins behind one pgvigil, and an oracle for each pair."""

    def __init__(self, cluster, seed):
        self.universe = Universe(seed)
        users = secrets()
        self.universe.secrets = {"person1": users["nurse1"], "person2": users["nurse1"], "admin1": users["admin1"]}
        self.cluster, self.seed, self.made = cluster, seed, []
        self.stack = None
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self):
        universe, cluster = self.universe, self.cluster
        folder = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / ("pgvigil-proof-%d-%d" % (os.getpid(), self.seed))
        folder.mkdir(exist_ok=True)
        (folder / "10-all.cfg").write_text(universe.policy(), encoding="utf-8")
        template = "proof_%d" % self.seed
        if not cluster.has_roles:
            cluster.template(patients=600)
        with cluster.superuser() as c:
            c.execute("DROP DATABASE IF EXISTS %s" % template)
            c.execute("CREATE DATABASE %s OWNER clinic" % template)
        self.made.append(template)
        owner = "GRANT USAGE ON SCHEMA {0} TO pgvigil_owner; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {0} TO pgvigil_owner;"
        cluster.psql(template, "-f", "-", text=universe.schema_sql() + owner.format("public") + owner.format(q("Étage 2")), role="clinic")
        cluster.sql(template, universe.rows_sql())
        cluster.templates[(universe.seed, "proof")] = template
        names = ["one"] + ["twin%d" % n for n in range(len(universe.PAIRS))]
        changes = {"twin%d" % n: universe.twin_sql(pair) for n, pair in enumerate(universe.PAIRS)}
        self.stack = harness.Stack(cluster=_Fixed(cluster, template), databases=names, policy_dir=folder, changes=changes, pool=4)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        self.pairs = []
        for number, pair in enumerate(universe.PAIRS):
            name = "oracle_%d_%d" % (self.seed, number)
            cluster.create(name, template, universe.oracle_sql(pair))
            self.made.append(name)
            oracle = cluster.superuser(name)
            mine = self.stack.connect(pair[2], database="one", password="nurse1-demo")
            twin = self.stack.connect(pair[2], database="twin%d" % number, password="nurse1-demo")
            self.pairs.append((pair, number, mine, twin, oracle))
        self.whole = self.stack.superuser("one")

    def reset(self, number, oracle):
        """The rows as they were, in the database, its twin and the oracle."""
        universe = self.universe
        with self.stack.superuser("twin%d" % number) as twin:
            for connection in (self.whole, twin, oracle):
                for table in universe.tables:
                    connection.execute("TRUNCATE %s CASCADE" % (table.raw if connection is oracle else table.q))
            rows = universe.rows_sql()
            self.whole.execute(rows)
            twin.execute(rows)
            twin.execute(universe.twin_sql(universe.PAIRS[number]))
            for table in universe.tables:
                rows = rows.replace("INSERT INTO %s " % table.q, "INSERT INTO %s " % table.raw)
                for child in table.children:
                    rows = rows.replace("INSERT INTO %s " % child.q, "INSERT INTO %s " % child.raw)
            oracle.execute(rows)

    def contents(self, connection, raw):
        parts = ["(SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM %s t)" % (t.raw if raw else t.q) for t in self.universe.tables]
        return connection.execute("SELECT " + ", ".join(parts)).fetchone()

    def look(self, session):
        return [Answer(session.pgconn.exec_(("SELECT * FROM %s" % relation.q).encode())).key() for relation, _ in self.universe.visible(session_pair(self, session))]

    def close(self):
        for one in getattr(self, "pairs", []):
            for connection in one[2:]:
                connection.close()
        if hasattr(self, "whole"):
            self.whole.close()
        if self.stack is not None:
            self.stack.close(check=False)
        for name in self.made:
            self.cluster.drop(name)


def session_pair(world, session):
    return next(p[0] for p in world.pairs if session in p)


class _Fixed:
    """A cluster whose template is the universe's."""

    def __init__(self, cluster, template):
        self.cluster, self.template_name = cluster, template

    def template(self, *_):
        return self.template_name

    def __getattr__(self, name):
        return getattr(self.cluster, name)

    def __setattr__(self, name, value):
        if name == "count":
            self.cluster.count = value
        else:
            object.__setattr__(self, name, value)


def compare(mine, theirs, counts):
    """None, or what differs."""
    if mine.state is None and theirs.state is None:
        counts["fine"] += 1
        return None if mine.key() == theirs.key() else "another answer"
    if mine.state is not None and theirs.state is not None:
        counts["failed alike"] += 1
        # pgvigil's own refusals may come before PostgreSQL's other error.
        return None if mine.state == theirs.state or mine.state in ("42501", "0A000") else "another error"
    if mine.state is not None and any(word in mine.message for word in NAMED):
        counts["refused: " + re.sub(r'"[^"]*"', "...", mine.message.split(" is not supported")[0])] += 1
        return REFUSED
    return "one fails, the other does not"


JOINS = ("enable_hashjoin", "enable_mergejoin", "enable_nestloop")
# Join orders as written, PostgreSQL's choice, and at random.
ORDERS = [{"join_collapse_limit": "1", "from_collapse_limit": "1"}, {}] + \
    [{"geqo_threshold": "2", "geqo_pool_size": "2", "geqo_generations": "1", "geqo_seed": "0.%d" % seed} for seed in range(10)]


def another_plan(way, oracle, sql, *answers):
    """Whether an error of a value (1/0) comes from a join with nothing is the plan's choice: does PostgreSQL, too, give each
    of these answers?"""
    wanted = [answer.key() for answer in answers]
    names = {"enable_material"}.union(JOINS, *ORDERS)
    try:
        for order in ORDERS:
            for keep, material in itertools.product(JOINS, ("on", "off")):
                for name in names:
                    oracle.execute("RESET " + name)
                settings = dict(order, enable_material=material, **{name: "on" if name == keep else "off" for name in JOINS})
                for name, value in settings.items():
                    oracle.execute("SET %s = %s" % (name, value))
                got = way(oracle.pgconn, sql).key()
                wanted = [key for key in wanted if key != got]
                if not wanted:
                    return True
        return False
    finally:
        for name in names:
            oracle.execute("RESET " + name)


def run_universe(cluster, seed, count, report):
    """Runs `count` statements; returns what was counted. report(failure as a dict)."""
    counts = collections.Counter()
    world = World(cluster, seed)
    try:
        each = count // len(world.pairs)
        for pair, number, mine, twin, oracle in world.pairs:
            made = Statements(world.universe, pair, seed * 31 + number)
            writes = 0
            world.reset(number, oracle)
            for index in range(each):
                sql, theirs, kind = made.statement()
                way = ways.choose((world.seed * 7 + number) * 100003 + index, kind)
                counts["statements"] += 1
                if kind == "copy":
                    kind, data = "write", made.data
                    first, second = (ways.copy_in(session.pgconn, sql, data) for session in (mine, twin))
                    expected = ways.simple(oracle.pgconn, theirs)
                    counts["by copy_in"] += 1
                else:
                    first, second, expected = (way(session.pgconn, text) for session, text in ((mine, sql), (twin, sql), (oracle, theirs)))
                    counts["by " + way.__name__] += 1
                wrong = compare(first, expected, counts)
                refused = wrong == REFUSED
                if refused:
                    wrong = None
                if wrong and kind == "read" and (first.state or expected.state or "")[:2] == "22" and another_plan(way, oracle, theirs, first):
                    wrong = None
                    counts["another plan's error"] += 1
                if first.key() + (first.message,) != second.key() + (second.message,):
                    wrong = "the twins differ"
                    # Statistics of hidden rows choose the plan too, and where they lie the order in which rows are met: what is
                    # met must still be in what the oracle shows, and a text that an error tells be none of the twin's own.
                    errors = [answer for answer in (first, second) if answer.state]
                    if errors and all(e.state[:2] == "22" and not TWINS_OWN.search(e.message) for e in errors) and \
                            (first.state == second.state or (kind == "read" and another_plan(way, oracle, theirs, second, first))):
                        wrong = None
                        counts["another plan's error in the twin"] += 1
                if "CANARY" in str(second.rows) + str(second.message) or getattr(second, "detail", None):
                    wrong = "a hidden value, or a DETAIL"
                if kind == "write" and refused:
                    writes += RESET_AFTER - 1 - writes % RESET_AFTER  # the oracle has done it
                elif kind == "write" and wrong is None:
                    writes += 1
                    counts["writes"] += 1
                    if world.contents(world.whole, False) != world.contents(oracle, True):
                        wrong = "the tables differ afterwards"
                    elif world.look(mine) != world.look(twin):
                        wrong = "the twins' rows differ afterwards"
                if wrong:
                    report({"seed": seed, "pair": number, "index": index, "wrong": wrong, "way": way.__name__, "sql": sql, "oracle": theirs, "mine": first.text()[:600],
                            "expected": expected.text()[:600], "twin": second.text()[:600]})
                    counts["wrong"] += 1
                    for session in (mine, twin, oracle):
                        if session.info.transaction_status != pq.TransactionStatus.IDLE:
                            session.rollback()
                if wrong or writes % RESET_AFTER == RESET_AFTER - 1:
                    writes += 1
                    world.reset(number, oracle)
        if not world.stack.proxy.alive():
            report({"seed": seed, "wrong": "pgvigil is gone"})
            counts["wrong"] += 1
    finally:
        world.close()
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the first universe's")
    parser.add_argument("--statements", type=int, default=5000)
    parser.add_argument("--per-universe", type=int, default=250)
    parser.add_argument("--record", help="a file of results: what stands there already is not run again")
    options = parser.parse_args()
    record = pathlib.Path(options.record) if options.record else None
    done = {json.loads(line)["seed"] for line in record.read_text().splitlines() if "counts" in line} if record and record.exists() else set()
    total, failures = collections.Counter(), []
    with harness.Cluster() as cluster:
        for seed in range(options.seed, options.seed + max(1, options.statements // options.per_universe)):
            if seed in done:
                continue
            started = time.monotonic()
            mine = []
            counts = run_universe(cluster, seed, options.per_universe, mine.append)
            total += counts
            failures += mine
            if record:
                with record.open("a", encoding="utf-8") as out:
                    for one in mine:
                        out.write(json.dumps(one, ensure_ascii=False) + "\n")
                    out.write(json.dumps({"seed": seed, "counts": counts}) + "\n")
            print("universe %d: %d statements, %d writes, %d fine, %d failed alike, %d wrong, %.0f s"
                  % (seed, counts["statements"], counts["writes"], counts["fine"], counts["failed alike"], counts["wrong"], time.monotonic() - started), flush=True)
            for one in mine[:5]:
                print(json.dumps(one, indent=1, ensure_ascii=False), flush=True)
    print(dict(total))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
