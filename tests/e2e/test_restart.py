"""
The database stopped and started again under load, and its processes killed one by one: who has nothing open there does not notice,
who has is told with PostgreSQL's own SQLSTATE, no statement runs twice, nothing hangs and nothing is left over.
"""
import datetime
import os
import random
import signal
import threading
import time

import harness
import missions_walk
import psycopg
import pytest
import wire

POOL = 8
WRITERS = 12
KILLING_SECONDS = int(os.environ.get("PGVIGIL_KILLING_SECONDS", "8"))
LIMIT = 60  # within which everything answers, or hangs
ENDS = {signal.SIGINT: "fast", signal.SIGQUIT: "immediate"}
# What a client hears whose transaction or statement went with the server: its own word where it said one.
LOST = {"terminating connection due to administrator command": "57P01", "the connection to the database server was lost": "08006",
        "the database server cannot be reached": "08006"}
# What libpq says that was just writing when its connection ended: it does not read any more what that had said.
CUT = ("SSL connection has been closed unexpectedly", "EOF detected")

SQL = """
CREATE TABLE public.marks (n bigint NOT NULL, who text NOT NULL);  -- without a key: twice would be seen
GRANT SELECT, INSERT, UPDATE ON public.marks TO pgvigil_owner;
"""


def policy():
    users = ",".join('{ name = "mark%02d"; auth = "scram"; secret = "%s"; roles = [ "receptionist" ]; }' % (i, missions_walk.secret("mark%02d" % i))
                     for i in range(WRITERS))
    return [("90-marks.cfg", """
tables = ( { name = "public.marks"; columns = { all = [ "n", "who" ]; }; } );
rules = ( { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "public.marks" ]; rows = "marks.who = :user.name";
            columns = { all = "show"; }; insert = [ "all" ]; update = [ "all" ]; } );
users = ( %s );
""" % users)]


@pytest.fixture(scope="module")
def cluster():
    """Of this module alone: it goes down."""
    with harness.Cluster() as made:
        yield made


@pytest.fixture(scope="module")
def world(make_stack):
    return make_stack(pool=POOL, workers=2, extra_sql=SQL, extra_policy=policy(), unrestricted=False, config="limits = { connect_seconds = 40; };")


@pytest.fixture
def again(cluster):
    """The server is there afterwards, whatever became of the test."""
    yield
    if cluster.process.poll() is not None:
        cluster.launch()


def known(error):
    """Is it one of LOST? A driver that was not reading keeps its words, but not its SQLSTATE."""
    if error.sqlstate is None and any(words in str(error) for words in CUT):
        return True
    return any(words in str(error) and error.sqlstate in (None, sqlstate) for words, sqlstate in LOST.items())


def servers(stack, *logins):
    """Server connections, by PostgreSQL's word."""
    with stack.superuser() as c:
        return c.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = ANY(%s) AND application_name = 'pgvigil'",
                         (list(logins or ("pgvigil",)),)).fetchone()[0]


def descriptors(stack):
    """
    Of the proxy, without those of server connections, of which there may be more or fewer: one that was opened for an
    unrestricted session that got another meanwhile waits for the next.
    """
    return len(os.listdir("/proc/%d/fd" % stack.proxy.pid)) - servers(stack, "pgvigil", "pgvigil_dba")


def sessions_open(stack):
    text = stack.proxy.log.read_bytes().decode(errors="replace")
    return text.count(" event=accept ") - sum(1 for line in text.splitlines() if " session=" in line and " event=end " in line)


def at_rest(stack):
    """Descriptors with nobody there: the fewest of a while, since the catalogs are read now and then."""
    deadline = time.monotonic() + LIMIT
    while sessions_open(stack) != 0:
        assert time.monotonic() < deadline, "a session is still open"
        time.sleep(0.1)
    counts = []
    for _ in range(5):
        counts.append(descriptors(stack))
        time.sleep(0.1)
    return min(counts)


def settled(stack, before):
    """As before: no session, and no more descriptors."""
    assert at_rest(stack) <= before
    assert servers(stack) <= POOL


def finish(threads):
    deadline = time.monotonic() + LIMIT
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return sum(t.is_alive() for t in threads)


def in_threads(work, things):
    """work(thing) for each at the same time; what came of it, in order. A thread that hangs fails."""
    found = [None] * len(things)

    def one(i):
        try:
            found[i] = work(things[i])
        except BaseException as error:  # noqa: BLE001: looked at by the caller
            found[i] = error

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(len(things))]
    for thread in threads:
        thread.start()
    return found, threads


QUESTIONS = ("SELECT count(*), min(family_name) FROM patients WHERE id < 300", "SELECT id, name FROM wards ORDER BY id",
             "SELECT count(*) FROM stays")


def ask(connection):
    return [connection.execute(q).fetchall() for q in QUESTIONS]


class Busy:
    """A session that is never idle, in and out of transactions; it comes back when it was ended."""

    def __init__(self, stack, number):
        self.stack, self.random = stack, random.Random(number)
        self.right, self.wrong, self.errors, self.number = 0, [], [], number

    def work(self, stop, expected):
        while not stop.is_set():
            try:
                with self.stack.connect("nurse1", connect_timeout=LIMIT) as c:
                    while not stop.is_set():
                        self.step(c, expected)
            except psycopg.Error as error:
                self.errors.append(error)
                time.sleep(0.05)

    def step(self, c, expected):
        i = self.random.randrange(len(QUESTIONS))
        if self.random.random() < 0.5:
            got = c.execute(QUESTIONS[i], prepare=self.random.random() < 0.3).fetchall()
        else:
            with c.transaction():
                c.execute("SELECT 1")
                got = c.execute(QUESTIONS[i]).fetchall()
        if got == expected[i]:
            self.right += 1
        else:
            self.wrong.append((i, got))


def opened(stack, user, *statements):
    raw = wire.open_session(stack, user)
    for sql in statements:
        assert wire.error_of(raw.query(sql)) is None
    return raw


def last_words(raw):
    """All that is said up to the end of the connection: what kind, how bad, SQLSTATE, words."""
    raw.socket.settimeout(LIMIT)
    found = [(kind, wire.fields(body)) for kind, body in raw.drain()]
    return [(kind, f["S"], f["C"], f["M"]) for kind, f in found]


@pytest.mark.parametrize("sig", list(ENDS), ids=lambda s: ENDS[s])
def test_restart_under_load(sig, world, cluster, again):
    with world.connect("nurse1") as c:
        expected = ask(c)
    before_all = at_rest(world)
    idle = [world.connect("nurse1") for _ in range(30)]
    assert all(ask(c) == expected for c in idle)
    # In a transaction; with a setting that the server holds; in a transaction of PostgreSQL's own.
    kept = [opened(world, "nurse1", "BEGIN", "SELECT count(*) FROM wards"), opened(world, "nurse1", "SET TimeZone = 'Asia/Tokyo'")]
    direct = wire.Raw(cluster.port, world.tls_context())
    assert direct.login("pgvigil", world.databases["records"], harness.LOGIN_PASSWORD)[-1][0] == "Z"
    direct.query("BEGIN")
    # One whose statement is under way: it waits for a lock that somebody else has.
    world.superuser().execute("INSERT INTO marks VALUES (1, 'mark00')")
    locker = world.superuser()
    locker.execute("BEGIN")
    locker.execute("UPDATE marks SET n = n")
    kept.append(opened(world, "mark00"))
    kept[-1].send(wire.query("UPDATE marks SET n = 2 WHERE n = 1"))
    stop, busy = threading.Event(), [Busy(world, i) for i in range(30)]
    _, busy_threads = in_threads(lambda b: b.work(stop, expected), busy)
    while min(b.right for b in busy) < 3:
        assert all(t.is_alive() for t in busy_threads)
        time.sleep(0.05)

    cluster.halt(sig)
    mine, theirs = [last_words(raw) for raw in kept], last_words(direct)
    # Statements that come while it is away wait for it; who comes new is told.
    before, early_threads = in_threads(ask, idle[:10])
    raw = wire.Raw(world.port, world.tls_context())
    error = wire.error_of(raw.login("nurse1", "records", "nurse1-demo", TimeZone="Asia/Tokyo"))
    assert (error["S"], error["C"]) == ("FATAL", "08006") and "cannot be reached" in error["M"], error
    assert all(t.is_alive() for t in early_threads), before
    cluster.launch()
    assert finish(early_threads) == 0

    # Nothing open there: nothing noticed.
    assert before == [expected] * 10
    assert [ask(c) for c in idle] == [expected] * 30
    # What was open there is over, in PostgreSQL's words; an end without any of its own gets one.
    assert theirs[-1][2] == "57P01"
    lost = [] if sig == signal.SIGINT else [("E", "FATAL", "08006", "the connection to the database server was lost")]
    assert mine == [theirs + lost] * 3
    counts = [b.right for b in busy]
    deadline = time.monotonic() + LIMIT
    while any(b.right < n + 3 for b, n in zip(busy, counts)):
        assert time.monotonic() < deadline, "busy sessions do not come back"
        time.sleep(0.05)
    stop.set()
    assert finish(busy_threads) == 0
    assert not [b.wrong for b in busy if b.wrong]
    assert not [repr(e) for b in busy for e in b.errors if not known(e)]
    assert any(b.errors for b in busy)
    with world.superuser() as c:
        assert c.execute("SELECT n FROM marks").fetchall() == [(1,)]
        c.execute("DELETE FROM marks")
    for c in idle + kept + [raw, locker, direct]:
        c.close()
    settled(world, before_all)


class Writer:
    def __init__(self, stack, number):
        self.stack, self.name, self.number = stack, "mark%02d" % number, number
        self.acknowledged, self.failed, self.errors = [], [], []

    def work(self, stop):
        rnd, n = random.Random(self.number), self.number * 1000000
        c = None
        while not stop.is_set():
            try:
                c = c if c is not None and not c.closed else self.stack.connect(self.name, connect_timeout=LIMIT)
            except psycopg.Error as error:
                self.errors.append(error)
                continue
            n += 1
            try:
                if rnd.random() < 0.5:
                    done = c.execute("INSERT INTO marks VALUES (%s, %s)", (n, self.name), prepare=True)
                else:
                    done = c.execute("INSERT INTO marks VALUES (%d, '%s')" % (n, self.name))
                assert done.statusmessage == "INSERT 0 1"
                self.acknowledged.append(n)
            except psycopg.Error as error:
                self.failed.append(n)
                self.errors.append(error)
        c.close()


def kill_some(stack, seconds):
    rnd, killed, until = random.Random(7), 0, time.monotonic() + seconds
    with stack.superuser() as c:
        while time.monotonic() < until:
            pids = [p for (p,) in c.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'pgvigil' AND application_name = 'pgvigil'").fetchall()]
            for pid in pids if rnd.random() < 0.1 else rnd.sample(pids, min(1, len(pids))):
                killed += c.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchone()[0]
            time.sleep(rnd.random() * 0.15)
    return killed


def test_no_insert_runs_twice_or_is_lost(world, again):
    with world.connect("nurse1") as c:
        expected = ask(c)
    before_all = at_rest(world)
    idle = [world.connect("nurse1") for _ in range(10)]
    assert all(ask(c) == expected for c in idle)
    stop, writers = threading.Event(), [Writer(world, i) for i in range(WRITERS)]
    results, threads = in_threads(lambda w: w.work(stop), writers)
    killed = kill_some(world, KILLING_SECONDS)
    stop.set()
    assert finish(threads) == 0
    assert results == [None] * WRITERS
    assert killed > KILLING_SECONDS
    with world.superuser() as c:
        there = dict(c.execute("SELECT n, count(*) FROM marks GROUP BY n").fetchall())
    acknowledged = {n for w in writers for n in w.acknowledged}
    failed = {n for w in writers for n in w.failed}
    assert set(there.values()) == {1}
    assert acknowledged <= set(there) <= acknowledged | failed
    assert all(w.acknowledged for w in writers)
    assert not [repr(e) for w in writers for e in w.errors if not known(e)]
    assert failed  # it did hurt: the test has something to tell
    assert [ask(c) for c in idle] == [expected] * 10
    for c in idle:
        c.close()
    settled(world, before_all)
    the_trail_agrees(world, writers, set(there))


def the_trail_agrees(stack, writers, there):
    """
    A record for each statement that was acknowledged, and one alone; what failed has a beginning at most, but where it was done: PostgreSQL ended between
    CommandComplete and ReadyForQuery, or before the commit that Sync stands for, which the trail tells.
    """
    stack.command("audit", "verify", stack.audit_dir)
    records = [r for r in stack.audit_records() if r.get("sql", "").startswith("INSERT INTO marks") or r.get("tag") == "INSERT 0 1"]
    unknown_events = [r for r in stack.audit_records() if r.get("event") == "commit-unknown"]
    for w in writers:
        mine = [r for r in records if r.get("person") == w.name]
        begun = [r for r in mine if r["type"] == "begin"]
        done = [r for r in mine if r["type"] in ("end", "whole") and r.get("tag") == "INSERT 0 1"]
        stand = there & set(w.failed)
        unknown = sum(1 for r in unknown_events if r["person"] == w.name)
        assert len(w.acknowledged) <= len(done) <= len(w.acknowledged) + len(stand) + unknown, (w.name, len(done), len(w.acknowledged), stand, unknown)
        assert len(w.acknowledged) <= len(begun) <= len(w.acknowledged) + len(w.failed), (w.name, len(begun))


def test_end_in_time_while_the_database_is_away(world, cluster, again):
    c = world.connect("nurse1")
    ask(c)
    cluster.halt(signal.SIGQUIT)
    answers, threads = in_threads(ask, [c])
    time.sleep(1)
    assert threads[0].is_alive(), answers
    world.proxy.stop()  # fails when it does not end, or not cleanly
    assert finish(threads) == 0
    assert isinstance(answers[0], psycopg.Error) and known(answers[0]), answers
    cluster.launch()
    world.proxy.start()
    world.wait_ready("nurse1")


def test_statement_waits_for_its_limit_only(make_stack, cluster, again):
    stack = make_stack(unrestricted=False, config="limits = { connect_seconds = 2; };", pool=2)
    with stack.connect("nurse1") as c:
        expected = ask(c)
        cluster.halt(signal.SIGQUIT)
        for _ in range(2):
            with pytest.raises(psycopg.OperationalError) as told:
                c.execute("SELECT count(*) FROM wards")
            assert told.value.sqlstate == "08006" and "cannot be reached" in str(told.value)
            assert not c.closed
        cluster.launch()
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                assert ask(c) == expected
                break
            except psycopg.OperationalError:
                assert not c.closed and time.monotonic() < deadline


def test_server_that_ends_an_idle_transaction_says_why(make_stack, cluster):
    stack = make_stack(unrestricted=False, pool=2)
    with cluster.superuser() as c:
        c.execute("ALTER DATABASE %s SET idle_in_transaction_session_timeout = '1s'" % stack.databases["records"])
    words = []
    for port, user, database, password in ((stack.port, "nurse1", "records", "nurse1-demo"),
                                           (cluster.port, "pgvigil", stack.databases["records"], harness.LOGIN_PASSWORD)):
        with wire.Raw(port, stack.tls_context()) as raw:
            assert raw.login(user, database, password)[-1][0] == "Z"
            raw.query("BEGIN")
            assert wire.error_of(raw.query("SELECT 1")) is None
            words.append(last_words(raw))
    assert words[0] == words[1] and words[0][-1][1:3] == ("FATAL", "25P03"), words


def test_one_tries_for_all_who_wait(make_stack, cluster, again):
    """A database that starts is not kept from it, nor the log filled, by as many attempts as there are sessions."""
    stack = make_stack(unrestricted=False, pool=8, config="limits = { connect_seconds = 60; };")
    sessions = [stack.connect("nurse1") for _ in range(16)]
    expected = ask(sessions[0])
    cluster.halt(signal.SIGQUIT)
    answers, threads = in_threads(ask, sessions)
    time.sleep(5)
    cluster.launch()
    assert finish(threads) == 0 and answers == [expected] * 16
    failed = {}
    for line in stack.proxy.log.read_text(errors="replace").splitlines():
        if "event=server-open-failed" in line:
            at = datetime.datetime.strptime(line.split("time=")[1].split()[0], "%Y-%m-%dT%H:%M:%S.%fZ").timestamp()
            failed.setdefault(line.split("worker=")[1].split()[0], []).append(at)
    assert failed
    for times in failed.values():
        later = [t for t in times if t > times[0] + 0.5]  # those of the first moment were on their way together
        assert later and all(b - a > 0.5 for a, b in zip(later, later[1:])), times
    for c in sessions:
        c.close()
