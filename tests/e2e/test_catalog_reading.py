"""
pgvigil's reading of the catalogs beside a migration: pg_get_viewdef locks what a view reads, and PostgreSQL ends one of two that wait
for each other. It is never the migration that ends, and the reading is whole afterwards. Where there is always something locked, as
with jobs that truncate one partition after the other, a reading ends all the same, without what it found locked and with all the rest.
"""
import contextlib
import json
import random
import re
import subprocess
import threading
import time

import harness
import test_observe

# A view of `early` is read first and one of `late` last; those between take the reading some hundred milliseconds.
BETWEEN = 3000
VIEWS = """
CREATE SCHEMA slow;
CREATE TABLE slow.early (id int);
CREATE VIEW slow.reads_early AS SELECT id FROM slow.early;
CREATE TABLE slow.wide (%s);
DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('CREATE VIEW slow.between_%%s AS SELECT * FROM slow.wide WHERE c1 = %%s', i, i); END LOOP; END $$;
CREATE TABLE slow.late (id int);
CREATE VIEW slow.reads_late AS SELECT id FROM slow.late;
""" % (", ".join("c%d int" % i for i in range(1, 61)), BETWEEN)


def reading(stack):
    return subprocess.Popen([harness.binary(), "explain", "-c", str(stack.config_file), "--user", "nurse1", "--database", "records",
                             "SELECT count(*) FROM slow.reads_late"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(connection, sql, seconds=30):
    until = time.monotonic() + seconds
    while not connection.execute(sql).fetchone()[0]:
        assert time.monotonic() < until, sql


def test_migration_is_never_the_victim(make_stack):
    own = make_stack(serve=False)
    with own.superuser() as c:
        c.execute(VIEWS)
        login = re.search(r"user=(\w+)", own.config_file.read_text(encoding="utf-8")).group(1)
        # Whoever looks first ends the other's wait: the migration is to be the one, if anybody.
        c.execute("ALTER ROLE %s SET deadlock_timeout = '60s'" % login)
        alone = reading(own)
        said = alone.communicate(timeout=60)[0]
        assert "slow.reads_late" in said, said  # known by name, so the catalogs were read to the end
        with own.superuser(autocommit=False) as migration:
            migration.execute("SET deadlock_timeout = '2s'")
            other = reading(own)
            wait_until(c, "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'slow.early'::regclass AND mode = 'AccessShareLock' AND granted)")
            migration.execute("LOCK TABLE slow.late IN ACCESS EXCLUSIVE MODE")
            held = c.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'slow.early'::regclass AND mode = 'AccessShareLock')").fetchone()[0]
            assert held, "the reading was over before it met the migration"
            migration.execute("LOCK TABLE slow.early IN ACCESS EXCLUSIVE MODE")  # 40P01 would be here
            # It ends while both are held: what is altered has no definition in it, the rest has.
            assert other.communicate(timeout=60)[0] == said
            migration.execute("DROP VIEW slow.reads_late")
            migration.commit()
        gone = reading(own)
        assert gone.communicate(timeout=60)[0] != said


def test_reading_that_waits_does_not_stop_a_migration(make_stack):
    """serve itself: a migration's second table is there as soon as the reading has given up, and statements are judged by what there is then."""
    own = make_stack()
    with own.superuser(autocommit=False) as migration, own.connect("nurse1") as nurse:
        migration.execute("LOCK TABLE patients IN ACCESS EXCLUSIVE MODE")
        own.proxy.hup()
        time.sleep(1)
        migration.execute("SET lock_timeout = '5s'")
        for name in ("wards", "stays"):
            migration.execute("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE" % name)
        migration.commit()
        assert nurse.execute("SELECT count(*) FROM patients").fetchone()[0] > 0


CHURNED, LOCKERS = 40, 10
# Other views stand between, so that what was not locked when the reading began is when it comes there.
CHURN = """
CREATE SCHEMA churn;
CREATE TABLE churn.wide (%s);
DO $$ BEGIN FOR i IN 1..%d LOOP
    EXECUTE format('CREATE TABLE churn.t%%s (id int); CREATE VIEW churn.v%%s AS SELECT id FROM churn.t%%s', i, i, i);
    FOR k IN 1..15 LOOP EXECUTE format('CREATE VIEW churn.between_%%s_%%s AS SELECT * FROM churn.wide', i, k); END LOOP;
END LOOP; END $$;
CREATE VIEW public.quiet AS SELECT w.id AS quiet_id FROM public.wards w;
CREATE VIEW public.closed AS SELECT s.id AS closed_id FROM public.staff_salaries s;
GRANT SELECT ON public.quiet, public.closed TO PUBLIC;
""" % (", ".join("c%d int" % i for i in range(1, 61)), CHURNED)


@contextlib.contextmanager
def churn(stack):
    """Tables of `churn` are locked all the time, a quarter of them at each moment, none for long."""
    ended = threading.Event()

    def lock_one_after_the_other(connection):
        while not ended.is_set():
            connection.execute("LOCK TABLE churn.t%d IN ACCESS EXCLUSIVE MODE" % random.randint(1, CHURNED))
            time.sleep(0.06)
            connection.rollback()

    with contextlib.ExitStack() as connections:
        threads = [threading.Thread(target=lock_one_after_the_other, args=(connections.enter_context(stack.superuser(autocommit=False)),))
                   for _ in range(LOCKERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def observed(stack, view):
    """What is recorded of a statement about a view that has no rule: it is judged by the guard that its definition makes."""
    mark = "asks-%d" % time.monotonic_ns()
    with stack.connect("nurse1", mission="care", application_name=mark) as nurse:
        assert nurse.execute("SELECT %s_id FROM public.%s LIMIT 1" % (view, view)).fetchone()
    record = test_observe.observed(stack, lambda one: one.get("application") == mark and view in json.dumps(one))[-1]
    return record["observed"]["decision"], record["observed"].get("reason")


def restart(stack):
    """Whether all definitions were read at the start."""
    stack.proxy.stop()
    since = stack.proxy.log_size()
    stack.proxy.start()
    stack.wait_ready()
    return "event=views-unread" not in stack.proxy.log.read_text()[since:]


def test_reading_ends_where_something_is_always_locked(make_stack):
    own = make_stack(database='mode = "observe";', deploy=False)
    with own.superuser() as c:
        c.execute(CHURN)
    assert restart(own)
    quiet, closed = observed(own, "quiet"), observed(own, "closed")
    assert quiet == ("allow", None) and closed[0] == "deny"
    with churn(own):
        for _ in range(3):
            done = own.command("explain", "-c", own.config_file, "--user", "nurse1", "--database", "records", "SELECT count(*) FROM wards", check=False)
            assert done.returncode == 1 and "pgvigil deploy" in done.stdout, done.stderr  # it was read: nothing is deployed in it
        assert not restart(own)
        assert (observed(own, "quiet"), observed(own, "closed")) == (quiet, closed), "what nobody locks is read whole"
        since = own.proxy.log_size()
        own.proxy.hup()
        told = own.proxy.wait_log(r'event=views-unread database="records" count=(\d+) views="(.*?)" detail', since=since)
        assert 0 < int(told.group(1)) < CHURNED and re.fullmatch(r"churn\.v\d+(, churn\.v\d+)*", told.group(2))
    assert restart(own), "they are read again"
