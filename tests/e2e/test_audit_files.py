"""
Files of the trail in a server's life: they are closed, compressed and purged while statements run and pgvigil is killed, and no
record is lost or doubled on the way.
"""
import os
import random
import re
import signal
import time

import harness
import pytest
import test_group_commit

RETENTION = "file_bytes = 65536; retention = { technical_days = 180; care_years = 20; };"


@pytest.fixture
def made(make_stack):
    return lambda **kw: make_stack(workers=2, unrestricted=False, **kw)


def markers(records):
    """Of each statement that run() sent, how often it is on record."""
    found = [m for r in records for m in re.findall(r"AS (marker_\w+)", r.get("sql", ""))]
    return {m: found.count(m) for m in found}


def run(stack, name, count):
    with stack.connect("nurse1") as client:
        for i in range(count):
            client.execute("SELECT id AS marker_%s_%d FROM public.patients LIMIT 1" % (name, i)).fetchall()
    return {"marker_%s_%d" % (name, i) for i in range(count)}


def closed(stack, suffix):
    return sorted(p.name for p in stack.audit_dir.glob("audit-*.jsonl" + suffix))


def eventually(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_closed_files_are_compressed_by_the_server_and_nothing_is_lost(made):
    own = made(audit=RETENTION)
    sent = run(own, "first", 400)
    assert len(closed(own, "")) >= 5
    own.proxy.stop()
    own.serve()
    chains = len({name.split("-")[1] for name in closed(own, "")})
    eventually(lambda: len(closed(own, "")) == chains)
    assert len(closed(own, ".zst")) >= 3
    sent |= run(own, "second", 50)
    own.proxy.stop()
    assert markers(own.audit_records()) == {m: 1 for m in sent}
    test_group_commit.verified(own)
    # What reads a trail reads it in this form, too.
    done = own.command("replay", "--json", "-c", own.config_file, "--database", "records", own.audit_dir, check=False)
    assert done.returncode in (0, 1), done.stderr


def test_killed_again_and_again_while_files_are_compressed(made):
    own = made(audit=RETENTION)
    chance = random.Random(5)
    sent = set()
    for turn in range(8):
        sent |= run(own, "turn%d" % turn, 120)
        time.sleep(chance.random() / 20)
        os.kill(own.proxy.pid, signal.SIGKILL)
        own.proxy.process.wait(30)
        test_group_commit.verified(own)
        own.serve()
        time.sleep(chance.random() / 10)
    own.proxy.stop()
    test_group_commit.verified(own)
    done = own.command("audit", "compress", own.audit_dir)
    assert "compressed" in done.stdout
    assert markers(own.audit_records()) == {m: 1 for m in sent}
    test_group_commit.verified(own)


def test_purge_says_what_is_due_beside_a_running_server(made):
    own = made(audit=RETENTION)
    run(own, "young", 200)
    done = own.command("audit", "purge", "-c", own.config_file)
    assert "0 technical and 0 care record(s) in 0 file(s) are due" in done.stdout
    done = own.command("audit", "purge", "--yes", "-c", own.config_file)
    assert "0 technical and 0 care record(s) in 0 file(s) were purged" in done.stdout
    done = own.command("audit", "purge", "--yes", "--dry-run", "-c", own.config_file, check=False)
    assert done.returncode == 2
    own.proxy.stop()
    test_group_commit.verified(own)


def test_purge_without_retention_is_refused(made):
    own = made()
    done = own.command("audit", "purge", "-c", own.config_file, check=False)
    assert done.returncode == 3 and "audit.retention" in done.stderr


@pytest.fixture
def lone(made):
    """All stacks share the key: it comes back."""
    own = made()
    kept = own.certs.audit_key.read_bytes()
    yield own
    own.certs.audit_key.write_bytes(kept)


def test_new_key_is_on_record_and_noted(lone):
    own = lone
    run(own, "old", 5)
    own.proxy.stop()
    harness.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", own.certs.audit_key])
    own.serve()
    run(own, "new", 5)
    own.proxy.stop()
    changed = [r for r in own.audit_records() if r.get("event") == "key-changed"]
    assert changed and all(r["previous_key"] != r["key"] for r in changed)
    done = own.command("audit", "verify", own.audit_dir)
    assert done.stdout.count("note: from here on signed with key " + changed[0]["key"]) == len(changed)
    # Who was not given the new one is told of it.
    done = own.command("audit", "verify", "--public-key", own.certs.audit_public, own.audit_dir, check=False)
    assert done.returncode == 1 and "unknown key" in done.stdout
