"""
harness.py: one private PostgreSQL 15, the clinic in it, and a pgvigil before it, for tests.

    with Stack(databases=("records",)) as s:
        with s.connect("nurse1", mission="care") as c:
            c.execute("SELECT count(*) FROM patients").fetchone()

A Cluster is a server of its own (a data directory of its own, 127.0.0.1 and a free port, TLS with a certificate
authority of its own, fsync off). Databases are copies of a template that holds examples/clinic, by default cut down to
600 patients. A Proxy is one `pgvigil serve`. A Stack is both, with the policy deployed. All of them end what they
started, by pid, also when the test fails; a process whose test died ends with it (pdeathsig).

What is read from outside: PGVIGIL_BINARY (the program under test), PGVIGIL_KEEP=1 (leave the folders for a look).
"""
import contextlib
import ctypes
import fcntl
import hashlib
import hmac
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[2]
PG_BIN = pathlib.Path(os.environ.get("PGVIGIL_PG_BIN", "/usr/lib/postgresql/15/bin"))
CLINIC = ROOT / "examples" / "clinic"
PATIENTS = 600
SUPER_PASSWORD = "super-test"
LOGIN_PASSWORD = "login-test"
DBA_PASSWORD = "dba-test"
MASTER_KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"


# One event: key=value, a value bare or quoted with escapes; a line that was too long says so.
EVENT = re.compile(r'time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warning|error)'
                   r'( [a-z_]+=("(\\["\\]|\\x[0-9a-f]{2}|[^"\\])*"|[^\s"]+))+( [a-z_]+="?.* cut=true)?')


class HarnessError(Exception):
    pass


def no_events(text):
    """The lines of a log of serve's that are no events."""
    return [line for line in text.splitlines() if not EVENT.fullmatch(line)]


def binary():
    """The program under test."""
    given = os.environ.get("PGVIGIL_BINARY")
    candidates = [given] if given else [str(ROOT / "build" / p / "pgvigil") for p in ("dev", "release", "asan")]
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    raise HarnessError("no pgvigil to test: set PGVIGIL_BINARY, or build one (looked at %s)" % ", ".join(candidates))


@contextlib.contextmanager
def running(other):
    """Another build of pgvigil is the binary meanwhile, for what is made and started."""
    before = os.environ.get("PGVIGIL_BINARY")
    os.environ["PGVIGIL_BINARY"] = other
    try:
        yield
    finally:
        if before is None:
            del os.environ["PGVIGIL_BINARY"]
        else:
            os.environ["PGVIGIL_BINARY"] = before


def password_of(user):
    return user + "-demo"


def free_port():
    """Below those that the kernel gives out: one of these may be an outgoing connection's by the time that a server wants it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        given_out = int(f.read().split()[0])
    for _ in range(200):
        port = random.SystemRandom().randrange(10000, max(given_out, 11000))
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise HarnessError("no port is free below %d" % given_out)


def end_with_parent(sig):
    """For preexec_fn: the child gets `sig` when this process dies."""
    parent = os.getpid()

    def prepare():
        ctypes.CDLL(None).prctl(1, sig, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def run(args, **kw):
    """A command that must succeed; its output is in the error when it does not."""
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.STDOUT)
    kw.setdefault("timeout", 300)
    kw.setdefault("text", True)
    done = subprocess.run([str(a) for a in args], **kw)
    if done.returncode != 0:
        raise HarnessError("%s\nended with %d\n%s" % (" ".join(map(str, args)), done.returncode, done.stdout))
    return done.stdout


class Certificates:
    """A certificate authority, a server certificate for 127.0.0.1 and client certificates, in a folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = self.folder / "ca.crt"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                      "-subj", "/CN=pgvigil test CA", "-keyout", self.folder / "ca.key", "-out", self.ca)
        self.server, self.server_key = self.issue("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.lab, self.lab_key = self.issue("lab", "lab.clinic.example")
        self.audit_key = self.folder / "audit.pem"
        self._openssl("genpkey", "-algorithm", "ed25519", "-out", self.audit_key)
        self.audit_public = self.folder / "audit.pub"
        self._openssl("pkey", "-in", self.audit_key, "-pubout", "-out", self.audit_public)
        self.pseudonym_key = self.folder / "pseudonym.key"
        self.pseudonym_key.write_text(MASTER_KEY + "\n")
        self.pseudonym_key.chmod(0o600)

    def _openssl(self, *args):
        run(["openssl"] + list(args))

    def issue(self, name, common_name, extension=None):
        """(certificate, key) of a new leaf signed by the CA."""
        key, request, cert = (self.folder / (name + end) for end in (".key", ".csr", ".crt"))
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      "/CN=" + common_name, "-keyout", key, "-out", request)
        sign = ["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
                "-days", "30", "-out", cert]
        if extension:
            ext = self.folder / (name + ".ext")
            ext.write_text(extension + "\n")
            sign += ["-extfile", ext]
        self._openssl(*sign)
        key.chmod(0o600)
        return cert, key


def pseudonym_mission_key(mission, master=MASTER_KEY):
    """The key of a mission, derived from the master key as docs/operations.md says."""
    return hmac.new(bytes.fromhex(master), b"pgvigil pseudonym " + mission.encode(), hashlib.sha256).digest()


def pseudonym(mission, value, kind):
    """What "pseudonym" shows for a value (kind: text or bigint), computed here and not by pgvigil."""
    data = value.encode() if kind == "text" else int(value).to_bytes(8, "big", signed=True)
    digest = hmac.new(pseudonym_mission_key(mission), data, hashlib.sha256).digest()
    if kind == "text":
        return digest.hex()[:32]
    return int.from_bytes(digest[:8], "big") & 0x7FFFFFFFFFFFFFFF


def cut_down(sql, patients):
    """examples/clinic/data.sql for fewer patients: its row counts are in proportion to 20,000 of them."""
    if patients == 20000:
        return sql
    scale = {"20000": patients, "40000": patients * 2, "45000": patients * 9 // 4, "160000": patients * 8,
             "100000": patients * 5, "50000": patients * 5 // 2}
    sql = re.sub(r"(?<!['\d.])\b(20000|40000|45000|160000|100000|50000)\b(?!')", lambda m: str(scale[m.group(1)]), sql)
    return sql.replace("generate_series(1, 800)", "generate_series(1, %d)" % max(patients // 25, 8))


def initialised():
    """
    A data folder with the clinic in it as template_0, made once for a build and kept there: the servers of the tests begin as
    copies of it. Its name is a hash of all that is in it.
    """
    parts = [subprocess.check_output([str(PG_BIN / "initdb"), "--version"]), str(PATIENTS).encode(), pathlib.Path(__file__).read_bytes()]
    parts += [(CLINIC / name).read_bytes() for name in ("schema.sql", "data.sql", "roles.sql")]
    kept = ROOT / "build" / "clusters"
    folder = kept / hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
    kept.mkdir(parents=True, exist_ok=True)
    with open(kept / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in kept.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            with Cluster(bare=True) as cluster:
                cluster.template()
                cluster.stop()
                run(["cp", "-a", cluster.folder / "data", kept / "making"])
            (kept / "making").rename(folder)
    return folder


def cluster_folder():
    """
    A folder for a server's data: in memory where there is plenty, since databases are copied, truncated and dropped all the time,
    files by the hundred. What a test that was killed left there goes when the next one begins; on a disk it may stay.
    """
    memory, wanted = pathlib.Path("/dev/shm"), 4 << 30
    if not {"TMPDIR", "PGVIGIL_KEEP"} & set(os.environ) and memory.is_mount():
        for left in memory.glob("pgvigil-pg-*"):
            with contextlib.suppress(ValueError):
                if not pathlib.Path("/proc/%d" % int(left.name.split("-")[2])).exists():
                    shutil.rmtree(left, ignore_errors=True)
        room = os.statvfs(memory)
        (available,) = re.findall(r"MemAvailable: +(\d+) kB", pathlib.Path("/proc/meminfo").read_text(encoding="ascii"))
        if room.f_bavail * room.f_frsize > wanted and int(available) * 1024 > 2 * wanted:
            return pathlib.Path(tempfile.mkdtemp(prefix="pgvigil-pg-%d-" % os.getpid(), dir=memory))
    return pathlib.Path(tempfile.mkdtemp(prefix="pgvigil-pg-"))


class Cluster:
    """A PostgreSQL server. `with Cluster() as cluster:` bare: without the clinic, from nothing."""

    def __init__(self, settings=(), bare=False):
        self.bare = bare
        self.folder = cluster_folder()
        self.port = free_port()
        self.settings = list(settings)
        self.process = None
        self.templates = {} if bare else {(PATIENTS, ""): "template_0"}
        self.count = 0
        self.has_roles = not bare
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _as_postgres(self):
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "INT"]

    def _start(self):
        self.certs = Certificates(self.folder / "certs")
        data = self.folder / "data"
        if self.bare:
            data.mkdir(mode=0o700)
        else:
            run(["cp", "-a", initialised(), data])
        secret = self.folder / "super"
        secret.write_text(SUPER_PASSWORD)
        for name in ("server.crt", "server.key"):
            shutil.copy(self.certs.folder / name, data.parent / ("pg-" + name))
        owned = [self.folder, data, secret, self.folder / "pg-server.crt", self.folder / "pg-server.key"]
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in owned:
                os.chown(path, user.pw_uid, user.pw_gid)
        self.folder.chmod(0o755)
        (self.folder / "pg-server.key").chmod(0o600)
        if self.bare:
            run(self._as_postgres() + [PG_BIN / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
                                       "-A", "scram-sha-256", "--pwfile", secret, "--no-sync"], cwd="/")
        (data / "pg_hba.conf").write_text(
            "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        with open(data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("""
listen_addresses = '127.0.0.1'
port = %d
unix_socket_directories = '%s'
ssl = on
ssl_cert_file = '%s/pg-server.crt'
ssl_key_file = '%s/pg-server.key'
fsync = off
full_page_writes = off
synchronous_commit = off
autovacuum = off
jit = off
max_connections = 200
shared_buffers = 64MB
timezone = 'Europe/Paris'
logging_collector = off
log_line_prefix = '%%m [%%p] %%q%%u@%%d '
""" % (self.port, self.folder, self.folder, self.folder))
            conf.write("\n".join(self.settings) + "\n")
        self.log = self.folder / "postgresql.log"
        self.launch()

    def launch(self):
        """The server of the data folder, new or again; until it answers."""
        data = self.folder / "data"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(a) for a in self._as_postgres() + [PG_BIN / "postgres", "-D", data]],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
        deadline = time.monotonic() + 60
        while True:
            try:
                self.superuser().close()
                return
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise HarnessError("PostgreSQL does not start: %s\n%s" % (error, self.tail())) from error
                time.sleep(0.05)

    def tail(self, lines=40):
        if not getattr(self, "log", None) or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def superuser(self, database="postgres", **kw):
        """A connection as the superuser, over the Unix socket, autocommit."""
        kw.setdefault("autocommit", True)
        return psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database, **kw)

    def conninfo(self, database, user, password):
        return ("host=127.0.0.1 port=%d dbname=%s user=%s password=%s sslmode=verify-full sslrootcert=%s"
                % (self.port, database, user, password, self.certs.ca))

    def direct(self, database, user="pgvigil_dba", password=DBA_PASSWORD, **kw):
        """A TLS connection to PostgreSQL itself as a login, autocommit."""
        kw.setdefault("autocommit", True)
        return psycopg.connect(self.conninfo(database, user, password), **kw)

    def psql(self, database, *args, text=None, role=None, env=None):
        environment = dict(os.environ, PGTZ="", **(env or {}))
        environment.pop("PGTZ")
        if role:
            environment["PGOPTIONS"] = "-c role=" + role
        return run([PG_BIN / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", self.port, "-U",
                    "postgres", "-d", database, *args], input=text, env=environment)

    def sql(self, database, text):
        """Statements as the superuser, outside a transaction."""
        return self.psql(database, "-f", "-", text=text)

    def template(self, patients=PATIENTS, extra_sql=""):
        """The name of a database that holds the clinic (and extra_sql on top): made once."""
        key = (patients, extra_sql)
        if key in self.templates:
            return self.templates[key]
        name = "template_%d" % len(self.templates)
        plain = self.templates.get((patients, ""))
        if plain:
            self.sql("postgres", "CREATE DATABASE %s OWNER clinic TEMPLATE %s;" % (name, plain))
        else:
            self._load_clinic(name, patients)
        if extra_sql:
            self.psql(name, "-f", "-", text=extra_sql, role="clinic")
        with self.superuser(name) as c:
            (there,) = c.execute("SELECT count(*) FROM public.patients").fetchone()
            if there != patients:
                raise HarnessError("data.sql has changed: %d patients where %d were asked for" % (there, patients))
        self.templates[key] = name
        return name

    def _load_clinic(self, name, patients):
        if not self.has_roles:
            self.sql("postgres", "CREATE ROLE clinic NOLOGIN;")
        self.sql("postgres", "CREATE DATABASE %s OWNER clinic;" % name)
        self.psql(name, "-f", CLINIC / "schema.sql", role="clinic")
        data = cut_down((CLINIC / "data.sql").read_text(encoding="utf-8"), patients)
        self.psql(name, "-f", "-", text=data, role="clinic")
        roles = (CLINIC / "roles.sql").read_text(encoding="utf-8")
        if self.has_roles:
            roles = re.sub(r"(?ms)^(CREATE ROLE|GRANT clinic)\b.*?;", "", roles)
        self.psql(name, "-v", "login_password=" + LOGIN_PASSWORD, "-v", "dba_password=" + DBA_PASSWORD, "-f", "-",
                  text=roles)
        self.has_roles = True

    def create(self, name, template, change_sql=""):
        """A copy of a template, changed, with its statistics gathered."""
        with self.superuser() as c:
            c.execute('CREATE DATABASE "%s" TEMPLATE "%s" OWNER clinic' % (name, template))
        if change_sql:
            self.sql(name, change_sql)
        self.sql(name, "ANALYZE;")
        return name

    def drop(self, name):
        with self.superuser() as c:
            c.execute("SET statement_timeout = '20s'")  # a backend that somebody does not read from holds it up
            c.execute('DROP DATABASE IF EXISTS "%s" WITH (FORCE)' % name)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(20)

    def halt(self, sig):
        """SIGINT: as `pg_ctl stop -m fast`; SIGQUIT: `-m immediate`. launch() starts it again.

        What was committed is written first: synchronous_commit is off, and a deployment would be lost."""
        with self.superuser() as c:
            c.execute("CHECKPOINT")
        self.process.send_signal(sig)
        self.process.wait(30)

    def close(self):
        self.stop()
        if not os.environ.get("PGVIGIL_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Proxy:
    """One `pgvigil serve` of a configuration file."""

    def __init__(self, config, port, folder, env=None):
        self.config, self.port, self.folder = config, port, pathlib.Path(folder)
        self.log = self.folder / "pgvigil.log"
        self.env = dict(os.environ, **(env or {}))
        self.env.setdefault("ASAN_OPTIONS", "abort_on_error=0:detect_leaks=1:exitcode=99")
        self.env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        self.process = None

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([binary(), "serve", "-c", str(self.config)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.env, cwd=str(self.folder),
                                            preexec_fn=end_with_parent(signal.SIGKILL))
        if wait:
            self.wait_listening()
        return self

    def wait_listening(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise HarnessError("pgvigil ended with %d:\n%s" % (self.process.returncode, self.tail()))
            try:
                socket.create_connection(("127.0.0.1", self.port), 2).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise HarnessError("pgvigil does not listen:\n" + self.tail()) from None
                time.sleep(0.02)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def rss_kb(self):
        text = pathlib.Path("/proc/%d/status" % self.pid).read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    def tail(self, lines=60):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def hup(self):
        self.process.send_signal(signal.SIGHUP)

    def wait_log(self, pattern, seconds=15, since=0):
        """Waits until the log, from byte `since` on, matches; returns the match."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.log.read_bytes()[since:].decode(errors="replace"))
            if found:
                return found
            if time.monotonic() > deadline or not self.alive():
                raise HarnessError("the log says nothing like %r:\n%s" % (pattern, self.tail()))
            time.sleep(0.05)

    def log_size(self):
        return self.log.stat().st_size

    def stop(self, check=True):
        """SIGTERM; its exit status. check: it must be a clean end without a sanitizer's report."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                if check:
                    raise HarnessError("pgvigil does not end on SIGTERM:\n" + self.tail()) from None
        status = self.process.returncode
        self.process = None
        if check:
            self.check_log()
            if status != 0:
                raise HarnessError("pgvigil ended with %d:\n%s" % (status, self.tail()))
        return status

    def check_log(self):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        for sign in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "ThreadSanitizer", "Assertion `"):
            if sign in text:
                at = text.index(sign)
                raise HarnessError("pgvigil's log has %s:\n%s" % (sign, text[max(0, at - 500):at + 6000]))
        strays = no_events(text)
        if strays:
            raise HarnessError("pgvigil's log has lines that are no events:\n" + "\n".join(strays[:20]))


class Stack:
    """Databases with the clinic, the policy deployed in each, and pgvigil before them."""

    def __init__(self, cluster=None, databases=("records",), policy_dir=None, extra_policy=(), extra_sql="",
                 changes=None, patients=PATIENTS, config="", listen="", audit="", audit_dir=None, deploy=True,
                 serve=True, unrestricted=True, env=None, pool=20, database="", workers=2, durability="written"):
        """
        databases: names, each a copy of the clinic; changes: {name: SQL that makes the copy differ}.
        policy_dir: instead of examples/clinic/policy; extra_policy: [(file name, text)] on top.
        config, listen, audit, database: further lines for pgvigil.cfg, its listen, its audit group and each database.
        """
        self.own_cluster = cluster is None
        self.pool, self.workers, self.durability = pool, workers, durability
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgvigil-test-"))
        self.cluster = cluster or Cluster()
        self.proxy = None
        self.databases = {}
        self.changes = changes or {}
        self.port = free_port()
        self.certs = self.cluster.certs
        self.unrestricted = unrestricted
        self.database_lines = database
        try:
            template = self.cluster.template(patients, extra_sql)
            for name in databases:
                self.cluster.count += 1
                real = "%s_%d" % (name, self.cluster.count)
                self.databases[name] = self.cluster.create(real, template, self.changes.get(name, ""))
            self.policy = self.folder / "policy"
            shutil.copytree(policy_dir or CLINIC / "policy", self.policy)
            for name, text in extra_policy:
                (self.policy / name).write_text(text, encoding="utf-8")
            self.audit_dir = pathlib.Path(audit_dir) if audit_dir else self.folder / "audit"
            self.config_file = self.folder / "pgvigil.cfg"
            self.config_file.write_text(self.config_text(config, listen, audit), encoding="utf-8")
            if deploy:
                self.deploy()
            self.proxy = Proxy(self.config_file, self.port, self.folder, env)
            if serve:
                self.serve()
        except BaseException:
            self.close(check=False)
            raise

    def config_text(self, config, listen, audit):
        rows = []
        for name, real in self.databases.items():
            unrestricted = ""
            if self.unrestricted:
                unrestricted = '\n    unrestricted = "%s";' % self.cluster.conninfo(real, "pgvigil_dba", DBA_PASSWORD)
            rows.append('  { name = "%s"; pool = %d;\n    conninfo = "%s";\n    owner = "pgvigil_owner";%s %s }'
                        % (name, self.pool, self.cluster.conninfo(real, "pgvigil", LOGIN_PASSWORD), unrestricted,
                           self.database_lines))
        return """listen = { address = "127.0.0.1"; port = %d; certificate = "%s"; key = "%s"; client_ca = "%s"; %s };
databases = (
%s
);
policy = "policy";
audit = { directory = "%s"; key = "%s"; durability = "%s"; %s };
workers = %d;
worker_fill = 1;
pseudonym_key = "%s";
%s
""" % (self.port, self.certs.server, self.certs.server_key, self.certs.ca, listen, ",\n".join(rows), self.audit_dir,
            self.certs.audit_key, self.durability, audit, self.workers, self.certs.pseudonym_key, config)

    def command(self, *args, check=True, text=None, timeout=120):
        """A run of pgvigil; CompletedProcess with stdout and stderr."""
        done = subprocess.run([binary()] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, input=text, timeout=timeout, cwd=str(self.folder))
        if check and done.returncode != 0:
            raise HarnessError("pgvigil %s ended with %d\n%s%s" % (" ".join(map(str, args)), done.returncode,
                                                                 done.stdout, done.stderr))
        return done

    def deploy(self, *more, names=None, check=True):
        done = None
        for name in names or self.databases:
            done = self.command("deploy", "-c", self.config_file, "--database", name, "--as", self.dba(name), *more,
                                check=check)
        return done

    def dba(self, name="records"):
        """The conninfo of a DBA, for deploy --as."""
        return self.cluster.conninfo(self.databases[name], "postgres", SUPER_PASSWORD)

    def serve(self):
        self.proxy.start()
        if self.unrestricted:
            self.wait_ready()
        return self

    def wait_ready(self, user="admin1", seconds=20):
        """Until every database answers."""
        deadline = time.monotonic() + seconds
        for name in self.databases:
            while True:
                try:
                    with self.connect(user, database=name) as c:
                        c.execute("SELECT 1")
                    break
                except psycopg.Error as error:
                    if time.monotonic() > deadline or not self.proxy.alive():
                        raise HarnessError("pgvigil does not answer: %s\n%s" % (error, self.proxy.tail())) from error
                    time.sleep(0.2)

    def conninfo(self, user, database=None, mission=None, role=None, password=None, **kw):
        """libpq keywords for a connection through pgvigil."""
        options = []
        if mission:
            options.append("-cpgvigil.mission=" + mission)
        if role:
            options.append("-cpgvigil.role=" + role)
        info = {"host": "127.0.0.1", "port": self.port, "user": user, "dbname": database or next(iter(self.databases)),
                "password": password_of(user) if password is None else password, "sslmode": "verify-full",
                "sslrootcert": str(self.certs.ca), "connect_timeout": 20}
        if options:
            info["options"] = " ".join(options)
        info.update(kw)
        return info

    def connect(self, user, database=None, mission=None, role=None, password=None, **kw):
        """psycopg through pgvigil, autocommit. Further keywords: psycopg.connect's and libpq's."""
        kw.setdefault("autocommit", True)
        return psycopg.connect(**self.conninfo(user, database, mission, role, password, **kw))

    def direct(self, name=None, user="pgvigil_dba", password=DBA_PASSWORD, **kw):
        return self.cluster.direct(self.databases[name or next(iter(self.databases))], user, password, **kw)

    def superuser(self, name=None, **kw):
        return self.cluster.superuser(self.databases[name or next(iter(self.databases))], **kw)

    def tls_context(self, certificate=None, key=None, version=None):
        context = ssl.create_default_context(cafile=str(self.certs.ca))
        context.check_hostname = False
        if certificate:
            context.load_cert_chain(str(certificate), str(key))
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def audit_records(self):
        """Every record of every file, in the order of each file."""
        records = []
        for path in sorted(self.audit_dir.rglob("audit-*")):
            if path.is_file():
                packed = path.suffix == ".zst"
                text = subprocess.run(["zstd", "-dqc", str(path)], check=True, capture_output=True).stdout if packed else path.read_bytes()
                for line in text.splitlines():
                    with contextlib.suppress(ValueError):
                        records.append(json.loads(line))
        return records

    def close(self, check=True):
        problem = None
        if self.proxy is not None and self.proxy.process is not None:
            try:
                self.proxy.stop(check=check)
            except HarnessError as error:
                problem = error
        for real in self.databases.values():
            with contextlib.suppress(psycopg.Error):
                self.cluster.drop(real)
        if self.own_cluster:
            self.cluster.close()
        if not os.environ.get("PGVIGIL_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        if problem:
            raise problem

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(check=kind is None)
