"""
Everything that sessions do with a server connection (copying, cursors, listening, temporary tables, prepared statements, groups, DDL,
cancelling), while connections are killed all the time and the database restarts once: what is answered is right, the rest is an error
of the kind that PostgreSQL gives, nobody hangs, nothing is left over, and pgvigil goes on.
"""
import contextlib
import os
import random
import signal
import threading
import time

import allow_schema
import harness
import psycopg
import pytest
import wire
from test_restart import LIMIT, at_rest, finish, in_threads, last_words

SECONDS = int(os.environ.get("PGVIGIL_CHAOS_SECONDS", "12"))
THREADS = 20
# Broken protocol and internal errors are never the answer to a lost server.
NEVER = {"XX000", "08P01", "53200", "0A000", "42601"}


@pytest.fixture(scope="module")
def cluster():
    with harness.Cluster() as made:
        yield made


@pytest.fixture(scope="module")
def world(make_stack):
    made = make_stack(serve=False, deploy=False, pool=6, extra_sql=allow_schema.EXTRA_SQL, extra_policy=[("90-allow.cfg", allow_schema.POLICY)],
                      config="limits = { connect_seconds = 8; server_check_seconds = 1; };")
    allow_schema.policy(made)
    path = made.policy / "30-missions-roles.cfg"
    path.write_text(path.read_text(encoding="utf-8").replace('allow = [ "lock",', 'allow = [ "temporary", "lock",'), encoding="utf-8")
    made.deploy()
    return made.serve()


@pytest.fixture
def again(cluster):
    yield
    if cluster.process.poll() is not None:
        cluster.launch()


READS = ("SELECT id, family_name FROM patients ORDER BY id", "SELECT id, ward, label FROM u.beds ORDER BY id", "SELECT id, beds FROM wards ORDER BY id")


class Person:
    def __init__(self, stack, number, expected):
        self.stack, self.number, self.expected = stack, number, expected
        self.random = random.Random(number)
        self.done, self.errors, self.wrong = {}, [], []

    def check(self, i, got):
        if got != self.expected[i]:
            self.wrong.append((READS[i], str(got)[:200]))

    def read(self, c):
        i = self.random.randrange(len(READS))
        self.check(i, c.execute(READS[i], prepare=self.random.random() < 0.5).fetchall())

    def transaction(self, c):
        with c.transaction():
            self.read(c)
            try:
                with c.transaction():
                    c.execute("SELECT 1 / 0")
            except psycopg.errors.DivisionByZero:
                pass
            self.read(c)

    def group(self, c):
        with c.pipeline():
            cursors = [c.execute(READS[i]) for i in (0, 1, 2, 0, 1, 2)]
            for i, cursor in enumerate(cursors):
                self.check(i % 3, cursor.fetchall())

    def copy_out(self, c):
        with c.cursor().copy("COPY (SELECT o.* FROM observations o, generate_series(1, 20)) TO STDOUT") as copy:
            for _ in copy:
                pass

    def copy_in(self, c):
        with c.cursor().copy("COPY u.logs (id, region, what) FROM STDIN") as copy:
            for n in range(2000):
                copy.write_row((n, n % 3, "x" * 50))

    def held_cursor(self, c):
        c.execute("DECLARE held CURSOR WITH HOLD FOR " + READS[0])
        got = []
        while True:
            rows = c.execute("FETCH 7 FROM held").fetchall()
            got += rows
            if len(rows) < 7:
                break
        self.check(0, got)
        c.execute("CLOSE held")

    def cursor(self, c):
        with c.transaction():
            with c.cursor(name="named") as cursor:
                cursor.itersize = 5
                cursor.execute(READS[2])
                self.check(2, list(cursor))

    def listen(self, c):
        c.execute("LISTEN lab_results")
        c.execute("NOTIFY lab_results, 'x'")
        self.read(c)
        c.execute("UNLISTEN *")

    def temporary(self, c):
        c.execute("CREATE TEMPORARY TABLE mine (a int)")
        c.execute("INSERT INTO mine SELECT generate_series(1, 100)")
        assert c.execute("SELECT count(*) FROM mine").fetchone() == (100,)
        c.execute("DROP TABLE mine")

    def prepared(self, c):
        c.execute("PREPARE mine AS " + READS[1])
        for _ in range(3):
            self.check(1, c.execute("EXECUTE mine").fetchall())
        c.execute("DEALLOCATE mine")

    def setting(self, c):
        c.execute("SET TimeZone = 'Asia/Tokyo'")
        self.read(c)
        assert c.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",)

    def lock(self, c):
        with c.transaction():
            c.execute("LOCK TABLE u.tools IN SHARE MODE")
            self.read(c)

    def cancelled(self, c):
        timer = threading.Timer(0.05 * self.random.random(), c.cancel)
        timer.start()
        try:
            c.execute("SELECT count(*) FROM observations a, observations b WHERE a.value > b.value")
        except psycopg.errors.QueryCanceled:
            pass
        finally:
            timer.join()

    def ddl(self, _):
        name = "chaos_%d" % self.number
        with contextlib.closing(self.stack.connect("admin1")) as c:
            c.execute("DROP TABLE IF EXISTS public.%s" % name)
            c.execute("CREATE TABLE public.%s (a int)" % name)
            c.execute("ALTER TABLE public.%s ADD b text" % name)

    def work(self, stop):
        deeds = [self.read, self.read, self.transaction, self.group, self.copy_out, self.copy_in, self.held_cursor, self.cursor, self.listen,
                 self.temporary, self.prepared, self.setting, self.lock, self.cancelled] + ([self.ddl] if self.number < 2 else [])
        while not stop.is_set():
            c = None
            try:
                c = self.stack.connect("nurse1", connect_timeout=LIMIT)
                for _ in range(self.random.randrange(1, 8)):
                    if not self.goes_on(c, self.random.choice(deeds)):
                        break
            except psycopg.Error as error:
                self.errors.append(("connect", error))
            finally:
                if c is not None:
                    c.close()

    def goes_on(self, c, deed):
        """Does it, and says whether the connection is good for more."""
        try:
            deed(c)
            self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1
            return True
        except AssertionError as error:
            if error.args or c.pgconn.status == psycopg.pq.ConnStatus.OK:  # psycopg's own have no words, and come where a connection is lost
                raise
            return False
        except psycopg.Error as error:
            self.errors.append((deed.__name__, error))
        # psycopg believes to be in a block whose BEGIN has failed.
        return not c.closed and deed not in (self.transaction, self.cursor, self.lock) and c.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def kill(stack, until):
    rnd, killed = random.Random(3), 0
    while time.monotonic() < until:
        with stack.superuser() as c:
            pids = [p for (p,) in c.execute("SELECT pid FROM pg_stat_activity WHERE usename IN ('pgvigil', 'pgvigil_dba')"
                                            " AND datname = current_database()").fetchall()]
            for pid in rnd.sample(pids, min(len(pids), rnd.randrange(3))):
                killed += c.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchone()[0]
        time.sleep(rnd.random() * 0.25)
    return killed


KEPT = {"held cursor": ("DECLARE held CURSOR WITH HOLD FOR SELECT id FROM wards",), "temporary table": ("CREATE TEMPORARY TABLE mine (a int)",),
        "setting": ("SET TimeZone = 'Asia/Tokyo'",), "listening": ("LISTEN lab_results",), "transaction": ("BEGIN", "SELECT id FROM wards")}


@pytest.mark.parametrize("what", list(KEPT))
def test_what_is_kept_on_a_server_is_not_lost_in_silence(what, world):
    """A session that went on without it would work with other settings, hear nothing, or not find its table."""
    with wire.open_session(world, "nurse1") as raw, wire.open_session(world, "nurse1") as bare:
        for sql in KEPT[what] + ("SELECT id FROM wards",):
            assert wire.error_of(raw.query(sql)) is None
        assert wire.error_of(bare.query("SELECT id FROM wards")) is None
        with world.superuser() as c:
            c.execute("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE usename = 'pgvigil' AND datname = current_database()")
        assert last_words(raw) == [("E", "FATAL", "57P01", "terminating connection due to administrator command")]
        assert wire.error_of(bare.query("SELECT id FROM wards")) is None  # the twin: it kept nothing there


def test_chaos(world, cluster, again):
    with world.connect("nurse1") as c:
        expected = [c.execute(q).fetchall() for q in READS]
    assert all(expected)
    before = at_rest(world)
    stop, people = threading.Event(), [Person(world, i, expected) for i in range(THREADS)]
    results, threads = in_threads(lambda p: p.work(stop), people)
    killed = kill(world, time.monotonic() + SECONDS / 2)
    cluster.halt(signal.SIGQUIT)
    cluster.launch()
    killed += kill(world, time.monotonic() + SECONDS / 2)
    stop.set()
    hanging = finish(threads)
    assert world.proxy.alive() and hanging == 0 and results == [None] * THREADS, (hanging, [r for r in results if r])
    assert not [p.wrong for p in people if p.wrong]
    assert not [(deed, repr(e)) for p in people for deed, e in p.errors if e.sqlstate in NEVER]
    done = {}
    for p in people:
        for deed, count in p.done.items():
            done[deed] = done.get(deed, 0) + count
    assert killed > SECONDS and set(done) >= {"read", "group", "copy_out", "copy_in", "held_cursor", "cursor", "temporary", "prepared", "setting"}, done
    with world.connect("nurse1") as c:  # and it is as it was
        assert [c.execute(q).fetchall() for q in READS] == expected
    assert at_rest(world) <= before
    assert "event=bug" not in world.proxy.log.read_text(errors="replace")
    world.command("audit", "verify", world.audit_dir)
