"""The commands that need no database: exit codes, passwd, check of files, certs/make."""
import os
import pathlib
import pty
import re
import select
import signal
import stat
import subprocess
import time

import pytest

import harness

SECRET = re.compile(r"SCRAM-SHA-256\$(\d+):[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=")
COMMANDS = ("serve", "check", "explain", "passwd", "deploy", "audit")


def pgvigil(*args, stdin="", cwd=None):
    return subprocess.run([harness.binary(), *args], input=stdin, capture_output=True, text=True, cwd=cwd, timeout=60)


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    subprocess.run([str(harness.ROOT / "certs" / "make"), str(folder), "db.example"], check=True, capture_output=True)
    return folder


@pytest.fixture()
def site(tmp_path, certs):
    """A folder with a configuration that is fine."""
    os.symlink(certs, tmp_path / "certs")
    (tmp_path / "pgvigil.cfg").write_text("""
listen = { certificate = "certs/server.crt"; key = "certs/server.key"; client_ca = "certs/ca.crt"; };
databases = ( { name = "records"; owner = "o"; conninfo = "host=127.0.0.1 dbname=records user=pgvigil sslmode=verify-full"; } );
policy = "%s";
audit = { directory = "audit"; key = "certs/audit.pem"; };
pseudonym_key = "certs/pseudonym.key";
""" % (harness.CLINIC / "policy"))
    os.chmod(tmp_path / "pgvigil.cfg", 0o600)
    return tmp_path


def change(site, old, new):
    path = site / "pgvigil.cfg"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_fine_and_unknown_options_are_usage_errors(command):
    good = pgvigil(command, "--help")
    assert good.returncode == 0 and "usage: pgvigil " + command in good.stdout and good.stderr == ""
    bad = pgvigil(command, "--no-such-option")
    assert bad.returncode == 2 and bad.stdout == "" and "--no-such-option" in bad.stderr


def test_version_help_and_unknown_commands():
    assert pgvigil("--version").stdout.startswith("pgvigil ")
    assert all(name in pgvigil("--help").stdout for name in COMMANDS)
    assert pgvigil().returncode == 2
    assert pgvigil("bogus").returncode == 2
    assert pgvigil("explain", "SELECT 1").returncode == 2  # whose?
    assert pgvigil("explain", "-u", "x", "SELECT 1", "SELECT 2").returncode == 2
    assert pgvigil("check", "-c").returncode == 2


def test_passwd_reads_one_line_from_a_pipe():
    made = pgvigil("passwd", stdin="correct horse\nnot this\n")
    assert made.returncode == 0 and SECRET.fullmatch(made.stdout.strip())
    stronger = pgvigil("passwd", "--iterations=10000", stdin="été €\n")
    assert SECRET.fullmatch(stronger.stdout.strip()).group(1) == "10000"
    assert pgvigil("passwd", stdin="same\n").stdout != pgvigil("passwd", stdin="same\n").stdout


@pytest.mark.parametrize("stdin,code", [("", 3), ("\n", 1), ("tab\there\n", 1), ("e\u0301\n", 1), ("x" * 513 + "\n", 1),
                                        ("x" * 5000 + "\n", 3), ("nul\0here\n", 3)])
def test_passwd_refuses_what_it_cannot_use(stdin, code):
    refused = pgvigil("passwd", stdin=stdin)
    assert refused.returncode == code and refused.stdout == "" and refused.stderr


@pytest.mark.parametrize("number", ["4095", "10000001", "many", "", "-1"])
def test_passwd_refuses_unreasonable_iterations(number):
    assert pgvigil("passwd", "-i", number, stdin="x\n").returncode == 2


def on_terminal(*typed):
    """(output, wait status) of passwd on a terminal of its own."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(harness.binary(), ["pgvigil", "passwd"])
    output = b""
    waiting = list(typed)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if waiting and output.count(b": ") == len(typed) - len(waiting) + 1:
            os.write(fd, waiting.pop(0))
        ready, _, _ = select.select([fd], [], [], 0.1)
        if not ready:
            continue
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        output += piece
    os.close(fd)
    return output.decode(), os.waitpid(pid, 0)[1]


def test_passwd_on_a_terminal_asks_twice_and_shows_nothing():
    output, status = on_terminal(b"hidden1\n", b"hidden1\n")
    assert os.waitstatus_to_exitcode(status) == 0
    assert "hidden1" not in output and SECRET.search(output)
    output, status = on_terminal(b"hidden1\n", b"hidden2\n")
    assert os.waitstatus_to_exitcode(status) == 1
    assert "hidden" not in output and not SECRET.search(output)


def test_passwd_interrupted_ends_by_the_signal():
    output, status = on_terminal(b"hidd\x03")
    assert os.waitstatus_to_exitcode(status) == -signal.SIGINT
    assert "hidd" not in output


def test_check_of_good_files_is_fine(site):
    fine = pgvigil("check", cwd=site)
    assert fine.returncode == 0 and "warning" not in fine.stdout, fine.stdout
    assert pgvigil("check", "--policy", str(harness.CLINIC / "policy")).returncode == 0


@pytest.mark.parametrize("old,new,told", [
    ("certs/server.key", "certs/client.key", "key"),
    ("certs/ca.crt", "certs/ca.key", "client_ca"),
    ("certs/audit.pem", "certs/server.key", "Ed25519"),
    ("certs/pseudonym.key", "certs/audit.pem", "64 hexadecimal"),
    ("certs/server.crt", "gone.crt", "certs/make"),
    ("user=pgvigil", "", "user"),
    ("listen", "listens", "did you mean"),
])
def test_check_tells_what_is_wrong_with_its_line(site, old, new, told):
    change(site, old, new)
    found = pgvigil("check", cwd=site)
    assert found.returncode == 1 and told in found.stdout, found.stdout


def test_check_warns_of_an_unverified_server(site):
    change(site, "verify-full", "require")
    warned = pgvigil("check", cwd=site)
    assert warned.returncode == 0 and "pgvigil.cfg:3: warning: conninfo" in warned.stdout


def test_check_of_a_broken_policy_finds_it(site):
    (site / "p.cfg").write_text("tables = ( { name = 5; } );\n")
    change(site, str(harness.CLINIC / "policy"), "p.cfg")
    found = pgvigil("check", cwd=site)
    assert found.returncode == 1 and "p.cfg:1: " in found.stdout


def test_missing_files_cannot_be_read(tmp_path):
    assert pgvigil("check", cwd=tmp_path).returncode == 3
    assert pgvigil("serve", cwd=tmp_path).returncode == 3
    assert pgvigil("explain", "-u", "nurse1", "SELECT 1", cwd=tmp_path).returncode == 3


def test_serve_refuses_a_wrong_configuration(site):
    change(site, "certs/server.key", "certs/client.key")
    refused = pgvigil("serve", cwd=site)
    assert refused.returncode == 3


def test_certs_make_keeps_what_exists_and_hides_keys(certs):
    before = {path.name: path.read_bytes() for path in certs.iterdir()}
    again = subprocess.run([str(harness.ROOT / "certs" / "make"), str(certs)], check=True, capture_output=True, text=True)
    assert again.stdout == ""
    assert before == {path.name: path.read_bytes() for path in certs.iterdir()}
    for name in ("ca.key", "server.key", "client.key", "audit.pem", "pseudonym.key"):
        assert stat.S_IMODE((certs / name).stat().st_mode) == 0o600
    assert re.fullmatch(r"[0-9a-f]{64}\n", (certs / "pseudonym.key").read_text())


def test_certs_make_makes_certificates_that_verify(certs):
    def openssl(*args):
        return subprocess.run(["openssl", *args], cwd=certs, check=True, capture_output=True, text=True).stdout

    assert openssl("verify", "-CAfile", "ca.crt", "-purpose", "sslserver", "server.crt") == "server.crt: OK\n"
    assert openssl("verify", "-CAfile", "ca.crt", "-purpose", "sslclient", "client.crt") == "client.crt: OK\n"
    names = openssl("x509", "-in", "server.crt", "-noout", "-ext", "subjectAltName")
    assert all(name in names for name in ("DNS:localhost", "IP Address:127.0.0.1", "DNS:db.example"))
    assert "CN = lab.clinic.example" in openssl("x509", "-in", "client.crt", "-noout", "-subject")
    for key, kind in (("server.key", "prime256v1"), ("audit.pem", "ED25519")):
        assert kind in openssl("pkey", "-in", key, "-noout", "-text")


def test_no_key_is_tracked():
    listed = subprocess.run(["git", "ls-files", "certs"], cwd=harness.ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        assert {pathlib.Path(name).name for name in listed.stdout.split()} <= {"make", ".gitignore"}
