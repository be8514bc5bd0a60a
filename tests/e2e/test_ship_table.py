"""
Records to a central PostgreSQL: a server of its own has every record exactly once, whoever was restarted or killed meanwhile, and the login
that brings them can do nothing else there.
"""
import random
import signal
import subprocess
import time

import psycopg
import pytest

import harness
from receivers import SECONDS, Shipper, config_with, some_statements, trail

PASSWORD = "ship-test"


class Central:
    """A server of its own, with examples/central.sql in a database."""

    def __init__(self):
        self.cluster = harness.Cluster(bare=True)
        self.count = 0
        self.has_role = False

    def create(self):
        self.count += 1
        name = "audit_%d" % self.count
        with self.cluster.superuser() as c:
            c.execute("CREATE DATABASE " + name)
        text = (harness.ROOT / "examples" / "central.sql").read_text(encoding="utf-8")
        if self.has_role:
            text = text.replace("CREATE ROLE pgvigil_ship", "ALTER ROLE pgvigil_ship")
        self.has_role = True
        self.cluster.psql(name, "-v", "writer_password=" + PASSWORD, "-f", "-", text=text)
        return name

    def conninfo(self, name, **changes):
        info = {"host": "localhost", "port": self.cluster.port, "dbname": name, "user": "pgvigil_ship", "password": PASSWORD,
                "sslmode": "verify-full", "sslrootcert": self.cluster.certs.ca}
        info.update(changes)
        return " ".join("%s=%s" % pair for pair in info.items() if pair[1] is not None)

    def records(self, name):
        with self.cluster.superuser(name) as c:
            rows = c.execute("SELECT chain, seq, line FROM pgvigil_audit.record").fetchall()
        found = {(chain, seq): line.encode() for chain, seq, line in rows}
        assert len(found) == len(rows), "records are there twice"
        return found


@pytest.fixture(scope="module")
def central():
    made = Central()
    yield made
    made.cluster.close()


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(audit="file_bytes = 65536; checkpoint_seconds = 1")


def entry(conninfo, site="proxy1"):
    return '{ kind = "postgresql"; site = "%s"; conninfo = "%s"; }' % (site, conninfo)


def test_every_record_is_there_as_it_stands_in_the_trail(stack, central):
    name = central.create()
    config = config_with(stack, "table.cfg", entry(central.conninfo(name)))
    for _ in range(2):
        some_statements(stack)
        Shipper(stack, config).once()
    with pytest.raises(psycopg.Error), stack.connect("nurse1", application_name="tab\there \\N 'quoted' é") as c:
        c.execute('SELECT "a\\nb\tc" FROM patients')
    stack.proxy.stop()
    Shipper(stack, config).once()
    there = trail(stack.audit_dir)
    stack.serve()
    assert central.records(name) == there
    with central.cluster.superuser(name) as c:
        (wrong,) = c.execute("""SELECT count(*) FROM pgvigil_audit.record WHERE
            encode(sha256(convert_to(line || E'\\n', 'UTF8')), 'hex') <> hash
            OR seq <> (line::jsonb ->> 'seq')::bigint OR time <> (line::jsonb ->> 'time')::timestamptz OR type <> line::jsonb ->> 'type'
            OR person IS DISTINCT FROM line::jsonb ->> 'person' OR role IS DISTINCT FROM line::jsonb ->> 'role'
            OR mission IS DISTINCT FROM line::jsonb ->> 'mission' OR event IS DISTINCT FROM line::jsonb ->> 'event'
            OR decision IS DISTINCT FROM line::jsonb ->> 'decision' OR site <> 'proxy1'
            OR tableoid::regclass::text <> 'pgvigil_audit.record_' || to_char(time AT TIME ZONE 'UTC', 'YYYYMMDD')""").fetchone()
        (denied,) = c.execute("SELECT count(*) FROM pgvigil_audit.record WHERE decision = 'deny' AND person = 'nurse1'").fetchone()
    assert wrong == 0 and denied > 0


def test_exactly_once_whoever_is_killed(make_stack, central):
    """The central server is stopped or crashes, the shipper and pgvigil are killed, at random times, while people work."""
    seed = random.randrange(10**9)
    dice = random.Random(seed)
    print("seed", seed)
    own = make_stack(audit="file_bytes = 65536; checkpoint_seconds = 1")
    name = central.create()
    central.cluster.sql("postgres", "ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();")
    config = config_with(own, "killed.cfg", entry(central.conninfo(name)))
    counts = {}
    with Shipper(own, config) as ship:
        until = time.monotonic() + SECONDS
        work = []
        while time.monotonic() < until:
            who = dice.choice(["central", "ship", "ship", "ship", "serve", "session"])
            work.append(subprocess.Popen(["/usr/lib/postgresql/15/bin/psql", "-qAt", "-f", "-",
                                          " ".join("%s='%s'" % pair for pair in own.conninfo("nurse1").items())],
                                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            work[-1].stdin.write(b"".join(b"SELECT id, %d FROM patients LIMIT 5;\n" % n for n in range(800)))
            work[-1].stdin.close()
            time.sleep(dice.random() * 1.2)
            if who == "central":
                central.cluster.process.send_signal(dice.choice([signal.SIGINT, signal.SIGQUIT]))
                central.cluster.process.wait(30)
                time.sleep(dice.random() * 0.5)
                central.cluster.launch()
            elif who == "session":
                with central.cluster.superuser() as c:
                    c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil_ship'")
            elif who == "ship":
                ship.end(dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                ship.start()
            else:
                own.proxy.process.kill()
                own.proxy.process.wait()
                own.proxy.start()
            counts[who] = counts.get(who, 0) + 1
        for one in work:
            one.kill()
            one.wait()
        assert ship.end() == 0, ship.text()
    own.proxy.stop()
    Shipper(own, config).once()
    there = trail(own.audit_dir)
    print("killed or restarted", counts, "records", len(there))
    assert len(there) > 1000
    assert central.records(name) == there


def test_shipper_killed_within_batches_neither_loses_nor_doubles(stack, central):
    """Killed ever later into the same work, from nothing on."""
    with stack.connect("nurse1") as c, c.pipeline():
        for n in range(3000):
            c.execute("SELECT id, %d, family_name FROM patients WHERE id > 0 ORDER BY id LIMIT 3" % n)
    stack.proxy.stop()
    there = trail(stack.audit_dir)
    name = central.create()
    caught = 0
    for n in range(12):
        with central.cluster.superuser(name) as c:
            c.execute("TRUNCATE pgvigil_audit.record, pgvigil_audit.position")
        config = config_with(stack, "within.cfg", entry(central.conninfo(name)))
        with Shipper(stack, config):
            time.sleep(0.02 + 0.015 * n)
        some = central.records(name)
        caught += 0 <= len(some) < len(there)
        assert all(there[key] == line for key, line in some.items())
        Shipper(stack, config).once()
        assert central.records(name) == there
    stack.serve()
    assert caught, "it was never caught in the middle"


def test_two_proxies_share_the_table(stack, make_stack, central):
    name = central.create()
    other = make_stack()
    some_statements(other, 3)
    for one, site in ((stack, "proxy1"), (other, "proxy2")):
        one.proxy.stop()
        Shipper(one, config_with(one, "fleet.cfg", entry(central.conninfo(name), site))).once()
        one.serve()
    with central.cluster.superuser(name) as c:
        counts = dict(c.execute("SELECT site, count(*) FROM pgvigil_audit.record GROUP BY site").fetchall())
    assert set(counts) == {"proxy1", "proxy2"}
    # The same site twice: refused, as another trail. Nothing is mixed.
    done = Shipper(other, config_with(other, "mixed.cfg", entry(central.conninfo(name), "proxy1"))).once(check=False)
    assert done.returncode == 3 and "another trail" in done.stderr, done.stderr
    with central.cluster.superuser(name) as c:
        assert counts == dict(c.execute("SELECT site, count(*) FROM pgvigil_audit.record GROUP BY site").fetchall())


def test_login_can_add_records_and_keep_its_place_and_nothing_else(central):
    name = central.create()
    with psycopg.connect(central.conninfo(name), autocommit=True) as c:
        c.execute("SELECT pgvigil_audit.make_partition(current_date)")
        row = "('x', 0, 1, now(), 'h', 'event', false, '{}')"
        c.execute("INSERT INTO pgvigil_audit.record (site, chain, seq, time, hash, type, break_glass, line) VALUES " + row)
        for refused in ("SELECT line FROM pgvigil_audit.record", "UPDATE pgvigil_audit.record SET line = ''",
                        "DELETE FROM pgvigil_audit.record", "TRUNCATE pgvigil_audit.record", "DELETE FROM pgvigil_audit.position",
                        "DROP TABLE pgvigil_audit.record", "CREATE TABLE pgvigil_audit.mine ()",
                        "SELECT line FROM pgvigil_audit.record_" + time.strftime("%Y%m%d", time.gmtime()),
                        "ALTER TABLE pgvigil_audit.record DETACH PARTITION pgvigil_audit.record_" + time.strftime("%Y%m%d", time.gmtime())):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                c.execute(refused)
        for day in ("'1999-01-01'", "current_date + 30", "NULL", "'infinity'"):
            with pytest.raises(psycopg.errors.RaiseException):
                c.execute("SELECT pgvigil_audit.make_partition(%s)" % day)


def test_server_that_does_not_prove_who_it_is_gets_nothing(stack, central, tmp_path):
    name = central.create()
    other = harness.Certificates(tmp_path / "other")
    for file, conninfo, words in (("ca.cfg", central.conninfo(name, sslrootcert=other.ca), "certificate verify failed"),
                                  ("name.cfg", central.conninfo(name, host="pgvigil.invalid", hostaddr="127.0.0.1"), "does not match host name"),
                                  ("password.cfg", central.conninfo(name, password="wrong"), "password authentication failed")):
        done = Shipper(stack, config_with(stack, file, entry(conninfo))).once(check=False)
        assert done.returncode == 3 and words in done.stderr, done.stderr
    assert central.records(name) == {}
    for file, conninfo in (("require.cfg", central.conninfo(name, sslmode="require")), ("none.cfg", central.conninfo(name, sslmode=None))):
        done = Shipper(stack, config_with(stack, file, entry(conninfo))).once(check=False)
        assert done.returncode == 3 and "needs sslmode=verify-full" in done.stderr and ".cfg:" in done.stderr
    # The twin: as it should be.
    Shipper(stack, config_with(stack, "right.cfg", entry(central.conninfo(name)))).once()
    assert central.records(name)


@pytest.mark.parametrize("lines, words", [
    ('{ kind = "kafka"; }', 'kind is "syslog" or "postgresql", not "kafka"'),
    ('{ kind = "syslog"; }', 'host is missing: kind "syslog" needs it'),
    ('{ kind = "postgresql"; }', 'conninfo is missing: kind "postgresql" needs it'),
    ('{ kind = "postgresql"; conninfo = "host=/tmp user=a dbname=b"; ca = "x"; }', 'ca has no meaning where kind is "postgresql"'),
    ('{ kind = "syslog"; hots = "a"; }', 'unknown key "hots"; did you mean "host"?'),
    ('{ kind = "syslog"; host = "a"; facility = "kern"; }', 'facility is "audit" (13)'),
    ('{ kind = "syslog"; host = "a"; records = "some"; }', 'records is "all" or "checkpoints", not "some"'),
    ('{ kind = "syslog"; host = "a"; max_message_bytes = 100; }', "max_message_bytes"),
    ('{ kind = "syslog"; host = "a"; site = "a b"; }', 'site "a b" must be'),
    ('{ kind = "syslog"; host = "a"; certificate = "x"; }', "certificate and key come together"),
    ("3", "an entry of ship must be a group"),
])
def test_wrong_entries_are_told_with_their_line(stack, lines, words):
    config = config_with(stack, "wrong.cfg", "\n" + lines)
    done = stack.command("check", "-c", config, check=False)
    where = 1 + next(n for n, line in enumerate(config.read_text().splitlines()) if line.startswith(lines))
    told = [line for line in (done.stdout + done.stderr).splitlines() if words in line]
    assert done.returncode == 1 and told and ":%d: " % where in told[0], done.stdout + done.stderr
