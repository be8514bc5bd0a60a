"""
The chains of a trail tell of each other: what somebody takes away who can write the files and cannot sign (a chain whole, its end, what
was written before a restart) is told by `pgvigil audit verify`, with which chain it was; what is right to be gone is not.
"""
import hashlib
import json
import re
import shutil
import subprocess
import threading
import time

import harness
import pytest
from test_minimise import clinic, stamp
from trails import Signed

CHAINS = [0, 1, 2]  # two workers' and the service's
SIGN = "checkpoint_seconds = 1"


def work(stack, seconds=0.0, least=40):
    """Of several sessions, so that each worker has some."""
    until = time.monotonic() + seconds
    def one(n):
        with stack.connect("nurse1") as connection:
            done = 0
            while done < least or time.monotonic() < until:
                connection.execute("SELECT count(*) FROM wards WHERE id > %d" % n).fetchall()
                done += 1
                if seconds:
                    time.sleep(0.02)
    threads = [threading.Thread(target=one, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def verify(stack, folder):
    done = stack.command("audit", "verify", "--public-key", stack.certs.audit_public, folder, check=False)
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(workers=2, audit=SIGN)


@pytest.fixture(scope="module")
def trail(stack, tmp_path_factory):
    """Of two runs of a server, so that each chain has signed behind the others."""
    for _ in range(2):
        if stack.proxy.process is None:
            stack.proxy.start()
            stack.wait_ready()
        work(stack, 2.5)
        stack.proxy.stop()
    folder = tmp_path_factory.mktemp("chains") / "audit"
    shutil.copytree(stack.audit_dir, folder)
    assert verify(stack, folder)[0] == 0
    assert {int(path.name.split("-")[1]) for path in folder.glob("audit-*.jsonl")} == set(CHAINS)
    return folder


@pytest.fixture
def copy(trail, tmp_path):
    shutil.copytree(trail, tmp_path / "audit")
    return tmp_path / "audit"


def records(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_checkpoints_name_what_the_other_chains_had(trail):
    """Compared with the records themselves: each is there, and none was written after the signature."""
    written = {chain: {json.loads(line)["seq"]: (json.loads(line)["time"], hashlib.sha256(line).hexdigest())
                       for path in sorted(trail.glob("audit-%d-*.jsonl" % chain)) for line in path.read_bytes().splitlines(keepends=True)} for chain in CHAINS}
    named, runs = 0, set()
    for chain in CHAINS:
        for path in trail.glob("audit-%d-*.jsonl" % chain):
            for r in records(path):
                for other, seq, digest in r.get("beside", []):
                    assert r["type"] == "checkpoint" and other != chain
                    time, whole = written[other][seq]
                    assert time <= r["time"] and digest == whole[:32], (chain, r["seq"], other, seq)
                    runs.add(r["since"])
                    named += 1
    assert named >= 6 and len(runs) == 2


@pytest.mark.parametrize("gone", [[0], [1], [2], [0, 1], [1, 2], [0, 2]], ids=str)
def test_each_chain_that_is_gone_is_told(stack, copy, gone):
    for chain in gone:
        for path in copy.glob("audit-%d-*" % chain):
            path.unlink()
    code, out = verify(stack, copy)
    assert code == 1 and sorted(int(n) for n in re.findall(r"missing: of chain (\d+) there is no file", out)) == gone, out
    done = stack.command("minimise", "-c", stack.config_file, "--short-trail", copy, check=False)
    assert done.returncode == 3 and not done.stdout, done.stderr


READERS = [["search", "--user", "nobody"], ["report", "refusals"], ["report", "patient", "--patient", "1"], ["report", "unused-grants"], ["export"]]


@pytest.mark.parametrize("chain", [None, *CHAINS])
@pytest.mark.parametrize("args", READERS, ids=" ".join)
def test_who_reads_the_trail_is_told_that_a_chain_is_not_there(stack, copy, args, chain):
    for path in copy.glob("audit-%s-*" % chain):
        path.unlink()
    done = stack.command("audit", args[0], *args[1:], *([] if args[0] == "search" else ["-c", stack.config_file]), copy, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert ("of 1 chain(s) no file is there, of chain %s to begin with" % chain in done.stderr) == (chain is not None), done.stderr
    assert "no file is there" not in done.stdout


@pytest.mark.parametrize("command", ["incident", "review"])
def test_incident_and_review_are_told_too(stack, copy, command):
    args = {"incident": ["--role", "nurse", "--from", "2026", "--to", "2099"], "review": ["--from", "2026"]}[command]
    for gone in (False, True):
        if gone:
            for path in copy.glob("audit-1-*"):
                path.unlink()
        done = stack.command(command, "-c", stack.config_file, *args, copy, check=False)
        assert ("of chain 1 to begin with" in done.stderr) == gone, (done.returncode, done.stderr)


@pytest.mark.parametrize("chain", CHAINS)
def test_an_end_that_is_cut_off_is_told(stack, copy, chain):
    """Behind a signature, so that the chain itself is whole."""
    path = copy / ("audit-%d-00000001.jsonl" % chain)
    lines = path.read_bytes().splitlines(keepends=True)
    signed = [n for n, line in enumerate(lines) if json.loads(line)["type"] == "checkpoint"]
    path.write_bytes(b"".join(lines[:signed[0] + 1]))
    code, out = verify(stack, copy)
    assert code == 1 and out.count("truncated: chain %d ends with record %d," % (chain, signed[0] + 1)) == 1 and "1 finding(s)" in out, out
    path.write_bytes(b"".join(lines))
    assert verify(stack, copy)[0] == 0


@pytest.mark.parametrize("how", ["nothing", "whole", "end"])
@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_what_went_before_a_restart_is_known_after_it(make_stack, how, kill):
    """The chain begins anew, or grows over the place."""
    own = make_stack(workers=2, audit=SIGN)
    work(own, 2.5)
    if kill:
        own.proxy.process.kill()
        own.proxy.process.wait(10)
        own.proxy.process = None
    else:
        own.proxy.stop()
    path = own.audit_dir / "audit-1-00000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    signed = [n for n, line in enumerate(lines) if json.loads(line)["type"] == "checkpoint"]
    if how == "whole":
        path.unlink()
    elif how == "end":
        path.write_bytes(b"".join(lines[:signed[0] + 1]))
    before = own.proxy.log_size()
    own.proxy.start()
    own.wait_ready()
    work(own, 1.5, least=2 * len(lines))
    own.proxy.stop()
    told = [r for r in own.audit_records() if r.get("event") == "audit-behind"]
    code, out = verify(own, own.audit_dir)
    said = b"event=audit-behind" in own.proxy.log.read_bytes()[before:]
    if how == "nothing":
        assert (code, told, said) == (0, [], False), out
    else:
        assert len(records(path)) > len(lines), "it has grown over the place"
        assert code == 1 and said and "records of chain 1 that had been signed were gone" in out, out
        assert len(told) == 1 and told[0]["detail"].startswith("chain 1 has %d record(s)" % (0 if how == "whole" else signed[0] + 1))


def fill_up(path, keep, to):
    """The first `keep` lines stay; lines of somebody's own, each with the hash of the one before, up to that number."""
    lines = path.read_bytes().splitlines(keepends=True)[:keep]
    time, digest = json.loads(lines[-1])["time"], hashlib.sha256(lines[-1]).hexdigest()
    for seq in range(json.loads(lines[-1])["seq"] + 1, to + 1):
        line = json.dumps({"seq": seq, "prev": digest, "time": time, "type": "event", "event": "connect", "person": "nurse1"}, separators=(",", ":")).encode() + b"\n"
        digest = hashlib.sha256(line).hexdigest()
        lines.append(line)
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("more", [0, 25], ids=["to the same number", "beyond it"])
def test_a_chain_that_is_filled_up_again_is_told(make_stack, more):
    """Behind a signature, with lines that fit: before the next start, after it, and after another one, when all have signed since."""
    own = make_stack(workers=2, audit=SIGN)
    work(own, 2.5)
    own.proxy.stop()
    path = own.audit_dir / "audit-1-00000001.jsonl"
    before = records(path)
    signed = [n for n, r in enumerate(before) if r["type"] == "checkpoint"]
    assert verify(own, own.audit_dir)[0] == 0
    fill_up(path, signed[0] + 1, before[-1]["seq"] + more)
    changed = re.compile(r"audit-1-00000001.jsonl:\d+: changed: this is not the record \d+ of chain 1 that audit-")
    code, out = verify(own, own.audit_dir)
    assert code == 1 and len(changed.findall(out)) == 1 and "1 finding(s)" in out, out
    for _ in range(2):
        own.proxy.start()
        own.wait_ready()
        work(own, 1.5)
        own.proxy.stop()
        code, out = verify(own, own.audit_dir)
        assert code == 1 and len(changed.findall(out)) == 1 and "or others stood in their place" in out and "2 finding(s)" in out, out
    told = [r for r in own.audit_records() if r.get("event") == "audit-behind"]
    assert len(told) == 1 and told[0]["detail"].startswith("chain 1 has another record "), told


def chains_that_name(practice, tmp_path, beside):
    """Two chains, each of which names the other as `beside` says it."""
    chains = [Signed(practice.trail, number, tmp_path, chains=2) for number in range(2)]
    for chain in chains:
        chain.file(stamp(10))
        chain.line(stamp(9), "event", event="connect", session=1, person="nurse1")
        chain.line(stamp(9), "event", event="disconnect", session=1, person="nurse1")
    for chain, other in zip(chains, reversed(chains)):
        chain.sign(stamp(8), beside=beside(other))
        chain.close()
    return chains


def test_trails_that_name_numbers_only_are_read(tmp_path):
    practice = clinic(tmp_path)
    chains_that_name(practice, tmp_path, lambda other: [[other.chain, other.seq]])
    assert verify_practice(practice)[0] == 0
    path = practice.trail / "audit-1-00000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    code, out = verify_practice(practice)
    assert code == 1 and "truncated: chain 1 ends with record 2" in out, out


def test_a_signed_checkpoint_that_cannot_be_read_is_a_finding(tmp_path):
    """As an older version signed what a file said that somebody had put there; what is kept elsewhere of it is genuine."""
    practice = clinic(tmp_path)
    chains_that_name(practice, tmp_path, lambda other: [[other.chain, other.seq], [777, 9999999999999999998]])
    code, out = verify_practice(practice)
    assert code == 1 and out.count("unreadable: this checkpoint is signed") == 2 and "2 finding(s)" in out, out
    kept = tmp_path / "kept"
    kept.write_bytes(b"".join(line for path in sorted(practice.trail.glob("*.jsonl")) for line in path.read_bytes().splitlines(keepends=True) if b"checkpoint" in line.split(b",")[3]))
    done = subprocess.run([harness.binary(), "audit", "verify", "--heads", kept, practice.trail], stdout=subprocess.PIPE, text=True)
    assert "2 checkpoint(s) that were sent" in done.stdout and "all there" in done.stdout, done.stdout


def test_an_archive_and_a_copy_are_checked_with_the_option(make_stack, tmp_path):
    """Without it they are findings: a trail of which somebody took the same away is no different."""
    own = make_stack(workers=2, audit=SIGN + "; file_bytes = 65536")
    copied, archive = tmp_path / "copied", tmp_path / "archive"
    copied.mkdir()
    archive.mkdir()

    def files(chain):
        return sorted(own.audit_dir.glob("audit-%d-*.jsonl" % chain))

    def named(chain):
        """How far another chain has signed that this one is."""
        return max((seq for other in CHAINS if other != chain for path in files(other) for line in path.read_bytes().splitlines(keepends=True)
                    if line.endswith(b"\n") for number, seq, _ in json.loads(line).get("beside", []) if number == chain), default=-1)

    copied_to = None
    until = time.monotonic() + 120
    while copied_to is None or named(0) <= copied_to or any(len(files(chain)) < 2 for chain in (0, 1)):
        assert time.monotonic() < until, (copied_to, [files(chain) for chain in CHAINS])
        work(own, least=20)
        if copied_to is None and files(0):  # one chain is taken, and the others have signed more of it when they are
            for path in files(0):
                shutil.copy(path, copied)
            copied_to = json.loads((copied / files(0)[-1].name).read_bytes().splitlines(keepends=True)[-1])["seq"]
    for path in (path for chain in CHAINS[1:] for path in files(chain)):
        shutil.copy(path, copied)
    own.proxy.stop()
    for chain in CHAINS:
        for path in files(chain)[:-1]:
            shutil.copy(path, archive)
    assert verify(own, own.audit_dir)[0] == 0
    for folder in (copied, archive):
        code, out = verify(own, folder)
        assert code == 1 and "with --copy)" in out, out
        done = own.command("audit", "verify", "--copy", "--public-key", own.certs.audit_public, folder, check=False)
        assert done.returncode == 0 and ": note: " in done.stdout and done.stdout.endswith("whole, as far as it goes (a copy: ends were not compared)\n"), done.stdout
    # What is there is compared all the same.
    path = sorted(archive.glob("audit-0-*.jsonl*"))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    done = own.command("audit", "verify", "--copy", "--public-key", own.certs.audit_public, archive, check=False)
    assert done.returncode == 1 and "finding(s) (a copy: ends were not compared)" in done.stdout, done.stdout


def test_beside_a_server_that_writes_nothing_is_found(make_stack):
    """Chains are read one after the other, while all of them grow and sign."""
    own = make_stack(workers=2, audit=SIGN + "; file_bytes = 65536")
    worker = threading.Thread(target=work, args=(own, 8))
    worker.start()
    runs = 0
    while worker.is_alive():
        code, out = verify(own, own.audit_dir)
        assert code == 0, out
        runs += 1
    worker.join()
    assert runs >= 5


def test_readers_that_are_gone_are_told_from_the_next_start_on(make_stack):
    own = make_stack(workers=2, audit=SIGN)
    own.command("audit", "search", "-c", own.config_file, "--user", "nobody", own.audit_dir, check=False)
    readers = [path for path in own.audit_dir.glob("audit-*.jsonl") if int(path.name.split("-")[1]) >= 1000]
    assert len(readers) == 1
    own.proxy.stop()
    own.proxy.start()
    own.wait_ready()
    work(own, 1.5)
    own.proxy.stop()
    assert verify(own, own.audit_dir)[0] == 0
    chain = int(readers[0].name.split("-")[1])
    readers[0].unlink()
    code, out = verify(own, own.audit_dir)
    assert code == 1 and "missing: of chain %d there is no file" % chain in out, out


def purge(practice, *args):
    done = subprocess.run([harness.binary(), "audit", "purge", "-c", str(practice.config), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout + done.stderr


def verify_practice(practice):
    done = subprocess.run([harness.binary(), "audit", "verify", str(practice.trail)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_chain_of_an_earlier_start_may_be_purged_and_must_stay(tmp_path):
    practice = clinic(tmp_path)
    shutil.copy(practice.folder / "audit.pem", tmp_path / "trail.pem")  # purge signs with the server's key
    for number in range(3):
        chain = Signed(practice.trail, number, tmp_path, chains=3)
        chain.file(stamp(900))
        for day in range(890, 860, -1):
            chain.line(stamp(day), "event", event="connect", session=1, person="nurse1")
        chain.sign(stamp(860))
        chain.file(stamp(860))
        chain.line(stamp(859), "event", event="connect", session=2, person="nurse1")
        chain.sign(stamp(858))
        if number == 0:  # the only one that the server writes since
            chain.told = {"chains": 1}
            chain.file(stamp(100))
            chain.line(stamp(99), "event", event="start", detail="0.1.0")
            chain.sign(stamp(98))
        chain.close()
    assert verify_practice(practice)[0] == 0
    code, out = purge(practice, "--yes")
    assert code == 0, out
    code, out = verify_practice(practice)
    assert code == 0 and "were purged" in out, out
    for path in practice.trail.glob("audit-2-*"):
        path.unlink()
    code, out = verify_practice(practice)
    assert code == 1 and "missing: of chain 2 there is no file, though audit-0-0000000" in out and "writes 3 chains" in out, out
