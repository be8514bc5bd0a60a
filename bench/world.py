"""
world.py: what bench/run measures: PostgreSQL itself and the proxies before it, each a process of its own with TLS on both legs
and the same P-256 certificate (certs/make). Proxies are started when a measure asks for one and ended with it.
"""
import contextlib
import ctypes
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import time

DATABASE, USER, PASSWORD = "records", "bench1", "bench"
HERE = os.path.dirname(os.path.abspath(__file__))


def cpu_seconds(pid):
    """Time on a CPU of all threads there are or were, in seconds: the clock of the process, as clock_getcpuclockid makes it."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_kb(pid):
    """(proportional set size, anonymous part of it): the second does not hang on who else maps a library."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        text = f.read()
    return tuple(int(re.search(r"^%s: +(\d+) kB" % name, text, re.M).group(1)) for name in ("Pss", "Pss_Anon"))


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as s:
        return s.getsockname()[1]


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Target:
    """A way to the database. pid: whose CPU time is charged (0: nobody's). environment: what clients need for it."""

    def __init__(self, name, port, process=None, environment=None, log=None):
        self.name, self.port, self.process, self.log = name, port, process, log
        self.admin = None  # the port of pgvigil's figures
        self.pid = process.pid if process else 0
        self.environment = environment or {}

    def cpu(self):
        return cpu_seconds(self.pid) if self.pid else 0.0


class World:
    def __init__(self, options):
        self.work, self.certs, self.build = options.work, options.certs, options.build
        self.pg_bin, self.pg_port, self.socket = options.pg_bin, options.pg_port, options.socket
        self.binaries = {"pgvigil": os.path.join(self.build, "pgvigil")}
        if options.vs:
            self.binaries["vs"] = os.path.abspath(options.vs)
        self.running = []
        self.count = 0
        self.workers = options.workers
        self.policy = os.path.join(options.work, "policy")
        with open(os.path.join(HERE, "policy", "bench.cfg")) as f:
            self.secret = re.search(r'secret = "([^"]*)"', f.read()).group(1)
        self.ca = os.path.join(self.certs, "ca.crt")

    # --- clients

    def environment(self, target=None, **more):
        settings = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": self.ca, "PGPASSWORD": PASSWORD, "PGUSER": USER,
                    "PGDATABASE": DATABASE, "PGHOST": "localhost", "PGPORT": str(target.port if target else self.pg_port)}
        settings.update(target.environment if target else {})
        settings.update(more)
        return dict(os.environ, **settings)

    def superuser(self, sql, database=DATABASE):
        """What psql prints for it, as the superuser over the socket."""
        done = subprocess.run([os.path.join(self.pg_bin, "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.socket,
                               "-p", str(self.pg_port), "-U", "postgres", "-d", database, "-f", "-"],
                              input=sql, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        return done.stdout.strip()

    # --- processes

    def _start(self, name, words, port, environment=None):
        self.count += 1
        log = os.path.join(self.work, "logs", "%s-%d.log" % (name.replace(" ", "-"), self.count))
        with open(log, "wb") as f:
            process = subprocess.Popen(words, stdout=f, stderr=f, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent)
        target = Target(name, port, process, environment, log)
        self.running.append(target)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 2).close()
                return target
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    with open(log, errors="replace") as f:
                        sys.exit("%s did not start:\n%s" % (name, f.read()[-3000:]))
                time.sleep(0.05)

    def stop(self, *targets):
        for target in targets:
            if target in self.running:
                self.running.remove(target)
                target.process.terminate()
                try:
                    target.process.wait(20)
                except subprocess.TimeoutExpired:
                    target.process.kill()
                    target.process.wait()

    def stop_all(self):
        self.stop(*list(self.running))

    def direct(self):
        return Target("direct", self.pg_port)

    def relay(self):
        port = free_port()
        words = [os.path.join(self.build, "bench", "relay"), str(port), os.path.join(self.certs, "server.crt"),
                 os.path.join(self.certs, "server.key"), str(self.pg_port), self.ca]
        # Two certificates' hashes cannot agree with one client's: a relay of bytes has no other way.
        return self._start("relay", words, port, {"PGCHANNELBINDING": "disable"})

    def pgbouncer(self, mode="transaction", pool=40, forced=False):
        """forced: all users are the one at the server, as where many share a pool."""
        port = free_port()
        folder = os.path.join(self.work, "bouncer-%d" % port)
        os.mkdir(folder)
        for name in ("ca.crt", "server.crt", "server.key"):
            with open(os.path.join(self.certs, name), "rb") as source, open(os.path.join(folder, name), "wb") as copy:
                copy.write(source.read())
        with open(os.path.join(folder, "users.txt"), "w") as f:
            f.write('"%s" "%s"\n' % (USER, self.secret))
        with open(os.path.join(folder, "pgbouncer.ini"), "w") as f:
            f.write(INI.format(pg_port=self.pg_port, port=port, folder=folder, mode=mode, pool=pool, database=DATABASE))
        words = ["/usr/sbin/pgbouncer", os.path.join(folder, "pgbouncer.ini")]
        if os.geteuid() == 0:  # it refuses to be root
            user = pwd.getpwnam("postgres")
            for name in [""] + os.listdir(folder):
                os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid)
            words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "TERM", "--"] + words
        return self._start("pgbouncer", words, port)

    def config(self, port, durability="written", workers=None, pool=40, more=""):
        folder = os.path.join(self.work, "pgvigil-%d" % port)
        os.mkdir(folder, 0o700)
        path = os.path.join(folder, "pgvigil.cfg")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(CFG.format(pg_port=self.pg_port, port=port, certs=self.certs, durability=durability,
                               workers=self.workers if workers is None else workers,
                               pool=pool, policy=self.policy, database=DATABASE, folder=folder, more=more))
        return path

    def pgvigil(self, name="pgvigil", binary=None, prefix=(), admin=False, **config):
        port, figures = free_port(), free_port() if admin else None
        if admin:
            config["more"] = config.get("more", "") + "admin = { port = %d; };" % figures
        path = self.config(port, **config)
        target = self._start(name, list(prefix) + [binary or self.binaries[name], "serve", "-c", path], port)
        target.admin = figures
        return target

    def pgvigils(self, **config):
        """pgvigil, and the build that it is compared with."""
        return [self.pgvigil(name, **config) for name in self.binaries]

    def deploy(self):
        for name, binary in self.binaries.items():
            done = subprocess.run([binary, "deploy", "-c", self.config(free_port()), "--database", DATABASE, "--as",
                                   "host=%s port=%d dbname=%s user=postgres" % (self.socket, self.pg_port, DATABASE)],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                sys.exit("%s deploy:\n%s" % (name, done.stdout))


INI = """[databases]
{database} = host=localhost port={pg_port} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = {mode}
default_pool_size = {pool}
max_client_conn = 6000
client_tls_sslmode = require
client_tls_key_file = {folder}/server.key
client_tls_cert_file = {folder}/server.crt
client_tls_ca_file = {folder}/ca.crt
server_tls_sslmode = verify-full
server_tls_ca_file = {folder}/ca.crt
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = options
"""

CFG = """listen = {{ address = "127.0.0.1"; port = {port}; certificate = "{certs}/server.crt"; key = "{certs}/server.key"; }};
databases = ( {{ name = "{database}"; pool = {pool}; owner = "pgvigil_owner";
  conninfo = "host=localhost port={pg_port} dbname={database} user=pgvigil password=login sslmode=verify-full sslrootcert={certs}/ca.crt";
  unrestricted = "host=localhost port={pg_port} dbname={database} user=pgvigil_dba password=dba sslmode=verify-full sslrootcert={certs}/ca.crt"; }} );
policy = "{policy}";
audit = {{ directory = "{folder}/audit"; key = "{certs}/audit.pem"; durability = "{durability}"; }};
workers = {workers};
limits = {{ connections = 12000; connections_per_user = 0; connections_per_address = 0; login_seconds = 600; }};
{more}
"""
