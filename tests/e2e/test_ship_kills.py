"""
Records to syslog, while rsyslog is restarted and the shipper and pgvigil are killed: each record of the trail is there once. Repetitions are the same message byte
for byte. PGVIGIL_SHIP_SECONDS: how long the random part takes.
"""
import random
import signal
import subprocess
import time

import pytest

from receivers import NEEDS_RSYSLOG, SECONDS, Rsyslog, Shipper, config_with, ship_entry, received, trail

pytestmark = NEEDS_RSYSLOG


@pytest.fixture(scope="module")
def client(cluster):
    return cluster.certs.issue("ship", "pgvigil.clinic.example")


def test_exactly_once_whoever_is_killed(make_stack, client, cluster):
    """rsyslog is restarted, the shipper and pgvigil are killed, at random times, while people work."""
    seed = random.randrange(10**9)
    dice = random.Random(seed)
    print("seed", seed)
    own = make_stack(audit="file_bytes = 65536; checkpoint_seconds = 1")
    with Rsyslog(cluster.certs) as receiver:
        config = config_with(own, "killed.cfg", ship_entry(own, client, receiver.port, own.folder / "killed.state"))
        counts = {"receiver": 0, "ship": 0, "serve": 0}
        with Shipper(own, config) as ship:
            until = time.monotonic() + SECONDS
            work = []
            while time.monotonic() < until:
                who = dice.choice(["receiver", "ship", "ship", "serve", "nobody"])
                work.append(subprocess.Popen(["/usr/lib/postgresql/15/bin/psql", "-qAt", "-f", "-",
                                              " ".join("%s='%s'" % pair for pair in own.conninfo("nurse1").items())],
                                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                work[-1].stdin.write(b"".join(b"SELECT id, %d FROM patients LIMIT 5;\n" % n for n in range(800)))
                work[-1].stdin.close()
                time.sleep(dice.random() * 1.2)
                if who == "receiver":
                    receiver.stop()
                    time.sleep(dice.random())
                    receiver.start()
                elif who == "ship":
                    ship.end(dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                    ship.start()
                elif who == "serve":
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
        receiver.stop()
        there = trail(own.audit_dir)
        records, repeated = received(receiver.messages())
        print("killed or restarted", counts, "records", len(there), "repeated messages", repeated)
        assert len(there) > 1000
        assert set(records) == set(there), (len(records), len(there), sorted(set(there) - set(records))[:5])
        assert records == there
        assert own.command("audit", "verify", "--public-key", own.certs.audit_public, own.audit_dir).returncode == 0


@pytest.fixture(scope="module")
def long_trail(make_stack):
    """Some batches' worth of records, of a server that has ended."""
    own = make_stack(audit="file_bytes = 1048576; compress = false")
    for _ in range(2):
        with own.connect("nurse1") as c, c.pipeline():
            for n in range(4500):
                c.execute("SELECT id, %d, family_name, ward_id AS %s FROM patients WHERE id > 0 AND ward_id > 0 AND family_name <> 'x' AND id < 1000000 AND ward_id < 100000 ORDER BY id LIMIT 3" % (n, "p" * 60))
    own.proxy.stop()
    assert sum(p.stat().st_size for p in own.audit_dir.glob("*.jsonl")) > (6 << 20)
    return own


def until_it_has(receiver, size):
    deadline = time.monotonic() + 20
    while (receiver.out.stat().st_size if receiver.out.exists() else 0) < size and time.monotonic() < deadline:
        time.sleep(0.001)


@pytest.mark.parametrize("round_", range(4))
def test_receiver_that_ends_within_a_batch_loses_nothing(long_trail, client, cluster, round_):
    """SIGTERM while megabytes are on their way. What it had not read is sent again."""
    with Rsyslog(cluster.certs) as receiver:
        config = config_with(long_trail, "within.cfg",
                             ship_entry(long_trail, client, receiver.port, long_trail.folder / ("within%d.state" % round_)))
        with Shipper(long_trail, config) as ship:
            until_it_has(receiver, random.randrange(6 << 20))
            receiver.stop()
            receiver.start()
            assert ship.end() == 0
        Shipper(long_trail, config).once()
        receiver.stop()
        records, repeated = received(receiver.messages())
        print("repeated", repeated)
        assert records == trail(long_trail.audit_dir)


def test_shipper_that_is_killed_within_a_batch_sends_it_again(long_trail, client, cluster):
    """Until it has happened: messages came twice, each the same as before byte for byte; without them the trail is there once."""
    with Rsyslog(cluster.certs) as receiver:
        for n in range(20):
            config = config_with(long_trail, "again.cfg",
                                 ship_entry(long_trail, client, receiver.port, long_trail.folder / ("again%d.state" % n)))
            receiver.out.unlink(missing_ok=True)
            receiver.stop()
            receiver.start()
            with Shipper(long_trail, config):
                until_it_has(receiver, 1 + random.randrange(3 << 20))
            Shipper(long_trail, config).once()
            receiver.stop()
            records, repeated = received(receiver.messages())
            assert records == trail(long_trail.audit_dir)
            if repeated:
                break
        assert repeated, "no batch was ever interrupted"
