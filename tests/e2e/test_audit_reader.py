"""
Who reads the trail is on record: in a chain that verifies, beside a running server, from several readers at once; and it is said when that
cannot be.
"""
import getpass
import json
import os
import shutil
import subprocess

import harness
import pytest
import trails


def pgvigil(*args, cwd="/"):
    done = subprocess.run([harness.binary(), "audit"] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, cwd=cwd)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack()


def reads(directory, *args):
    status, out, _ = pgvigil("search", "--event", "audit-read", "--format", "json", *args, directory)
    assert status in (0, 1)
    return [json.loads(line) for line in out.splitlines()]


def directory_of(stack):
    return stack.audit_dir


def make_key(path):
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, stderr=subprocess.DEVNULL)
    return path


def test_search_beside_the_server_is_on_record_and_verifies(stack):
    with stack.connect("nurse1") as connection:
        connection.execute("SELECT id FROM patients LIMIT 1")
    directory = directory_of(stack)
    status, _, err = pgvigil("search", "-c", stack.config_file, "--patient=4711", "--user", "nurse1", directory)
    assert status == 1 and "no record" not in err, err
    (record,) = [r for r in reads(directory) if r.get("patient") == "4711"]
    assert record["login"] == getpass.getuser() and record["person"] and record["detail"].startswith("search -c ") and "--patient=4711" in record["detail"]
    assert record["chain"] >= 1000000
    found = pgvigil("search", "--patient=4711", "--format", "json", directory)[1].splitlines()
    assert [json.loads(line)["event"] for line in found] == ["audit-read"]
    status, out, _ = pgvigil("verify", directory)
    assert status == 0, out


def test_many_readers_take_turns(stack):
    directory = directory_of(stack)
    before = len(reads(directory))
    running = [subprocess.Popen([harness.binary(), "audit", "search", "-c", stack.config_file, "--require-record", "--user", "turn%d" % n, directory],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for n in range(8)]
    for reader in running:
        _, err = reader.communicate(timeout=60)
        assert reader.returncode == 1, err
    assert len(reads(directory)) == before + 8
    assert pgvigil("verify", directory)[0] == 0


def test_key_of_the_auditors_own_has_its_own_chain(stack, tmp_path):
    directory = directory_of(stack)
    for name in ("one.pem", "two.pem", "one.pem", "two.pem"):
        key = tmp_path / name
        if not key.exists():
            make_key(key)
        status, _, err = pgvigil("search", "--key", key, "--require-record", "--user", name, directory)
        assert status == 1, err
    chains = {}
    for record in reads(directory):
        for name in ("one.pem", "two.pem"):
            if "--user " + name in record["detail"]:
                chains.setdefault(name, set()).add((record["chain"], record["file"]))
    # The keys' chains could be the same by chance (1 in 4096).
    assert {len(files) for files in chains.values()} == {1}, chains
    assert pgvigil("verify", directory)[0] == 0


def copied(stack, tmp_path):
    shutil.copytree(directory_of(stack), tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("case", ["no key", "another server's", "not a key", "read-only"])
def test_it_is_said_when_nothing_can_be_recorded(stack, tmp_path, case):
    directory = copied(stack, tmp_path)
    args = {"no key": [], "another server's": ["-c", stack.config_file], "not a key": ["--key", directory / "public.pem"], "read-only": ["--key", make_key(tmp_path / "k.pem")]}[case]
    run = lambda *more: pgvigil("search", *args, *more, "--user", "nurse1", directory)
    if case == "read-only":
        if os.geteuid() == 0:
            if shutil.which("setpriv") is None:
                pytest.skip("root writes everywhere, and there is no setpriv")
            for path in [tmp_path, *tmp_path.parents[:2], directory, *directory.iterdir(), tmp_path / "k.pem"]:
                path.chmod(path.stat().st_mode | 0o555)

            def run(*more):
                done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", harness.binary(), "audit", "search"] + [str(a) for a in args] + list(more) + ["--user", "nurse1", str(directory)],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
                return done.returncode, done.stdout.decode(), done.stderr.decode()
        else:
            directory.chmod(0o500)
    before = sorted(p.name for p in directory.iterdir())
    status, out, err = run()
    assert status == 0 and out and "this read leaves no record" in err
    status, out, err = run("--require-record")
    assert status == 3 and out == "" and "nothing is read" in err
    assert sorted(p.name for p in directory.iterdir()) == before


def test_root_leaves_files_to_the_owner(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    directory = tmp_path / "trail"
    trails.make(directory, seed=3, records=60)
    key = make_key(tmp_path / "k.pem")
    for path in (directory, *directory.iterdir(), key):
        os.chown(path, 65534, 65534)
    for path in [tmp_path, *tmp_path.parents[:2]]:
        path.chmod(path.stat().st_mode | 0o111)
    status, _, err = pgvigil("search", "--key", key, "--require-record", directory)
    assert status == 0, err
    made = [p for p in directory.iterdir() if p.name.startswith("audit-1")] + [directory / "public.pem"]
    assert len(made) >= 2 and {p.stat().st_uid for p in made if "audit-1-" not in p.name} == {65534}
