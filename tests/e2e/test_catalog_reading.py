"""
pgvigil's reading of the catalogs beside a migration: pg_get_viewdef locks what a view reads, and PostgreSQL ends one of two that wait
for each other. It is never the migration that ends, and the reading is whole afterwards.
"""
import re
import subprocess
import time

import harness

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
