"""
instructions.py: how many instructions of its own pgvigil executes for a statement, counted by valgrind's callgrind.

Unlike times, counts hardly drift: not with what else the machine does, and little with which machine it is. The kernel's part
(system calls) is not in them, waiting neither. What does not come from statements cancels out: two runs of pgbench differ in
nothing but their length, so the difference of their counts belongs to the statements that one has more.
"""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import types

import crowd
from measures import people

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests" / "e2e"))
import harness  # noqa: E402

CEILINGS = HERE / "ceilings"
MODES = ("simple", "extended", "prepared")
LIMITS = "limits = { connections = 12000; connections_per_user = 0; connections_per_address = 0; login_seconds = 600; };"


class Counted(harness.Proxy):
    """pgvigil under callgrind: slower by fifty."""

    def start(self, wait=True):
        words = ["valgrind", "--tool=callgrind", "--separate-threads=yes", "--callgrind-out-file=%s" % (self.folder / "callgrind"), harness.binary(), "serve",
                 "-c", str(self.config)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=str(self.folder),
                                            preexec_fn=harness.end_with_parent(9))
        self.dumps, self.loops = 0, []
        self.wait_listening(120)
        return self

    def instructions(self):
        """
        Of the event loops, since this was last asked. Other threads open server connections and read the catalogs, now and then
        and not by the statement.
        """
        done = subprocess.run(["callgrind_control", "--dump", str(self.pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120)
        self.dumps += 1
        texts = {path.name.rpartition("-")[2]: path.read_text() for path in self.folder.glob("callgrind.%d-*" % self.dumps)}
        self.loops = self.loops or [thread for thread, text in texts.items() if "worker_main" in text]
        if not self.loops or not set(self.loops) <= set(texts):
            raise harness.HarnessError("callgrind_control: %s\n%s" % (done.stdout, sorted(texts)))
        return sum(int(re.search(r"^totals: (\d+)", texts[thread], re.M).group(1)) for thread in self.loops)


class Count:
    """`with Count(...) as count:` the benchmark's database and policy, and pgvigil under callgrind before it."""

    def __init__(self, workers=1, pool=20):
        self.runs = 0
        self.stack = harness.Stack(policy_dir=HERE / "policy", config=LIMITS, deploy=False, serve=False, pool=pool)
        stack = self.stack
        secret = re.search(r'secret = "([^"]*)"', (HERE / "policy" / "bench.cfg").read_text(encoding="utf-8")).group(1)
        (stack.policy / "people.cfg").write_text(people.policy(secret), encoding="utf-8")
        try:
            text = stack.config_file.read_text(encoding="utf-8").replace("workers = 2;", "workers = %d;" % workers)
            stack.config_file.write_text(text, encoding="utf-8")
            database, cluster = stack.databases["records"], stack.cluster
            harness.run([harness.PG_BIN / "pgbench", "-q", "-i", "-s", "1", "-h", cluster.folder, "-p", cluster.port, "-U", "postgres", database])
            cluster.psql(database, "-v", "samples=1", "-v", "secret=" + secret, "-f", HERE / "setup.sql")
            stack.deploy()
            stack.proxy = Counted(stack.config_file, stack.port, stack.folder)
            stack.proxy.start()
        except BaseException:
            stack.close(check=False)
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stack.close(check=False)  # valgrind's own lines are no events

    def _pgbench(self, mode, clients, transactions):
        self.runs += 1  # the same for each count, and other literals in each run
        environment = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(self.stack.port), PGUSER="bench1", PGPASSWORD="bench",
                           PGDATABASE="records", PGSSLMODE="verify-full", PGSSLROOTCERT=str(self.stack.certs.ca))
        done = subprocess.run([str(harness.PG_BIN / "pgbench"), "-n", "-S", "-s", "1", "-M", mode, "-c", str(clients), "-t",
                               str(transactions), "--random-seed=%d" % self.runs], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise harness.HarnessError("pgbench: %s\n%s" % (done.stderr, self.stack.proxy.tail()))

    def per_statement(self, mode, clients=2, more=100, rounds=1):
        """
        The median of `rounds`. Each client sends `more` statements more in the long run than in the short one; caches are warm.
        New catalogs, taken into use once a minute, can fall into one round.
        """
        proxy = self.stack.proxy
        self._pgbench(mode, clients, 5)
        proxy.instructions()
        counts = []
        for _ in range(rounds):
            self._pgbench(mode, clients, 5)
            short = proxy.instructions()
            self._pgbench(mode, clients, 5 + more)
            counts.append((proxy.instructions() - short) / (clients * more))
        return statistics.median(counts)


    def _crowd(self, sql, connect, statements):
        world = types.SimpleNamespace(build=harness.ROOT / "build" / "release", ca=str(self.stack.certs.ca))
        target = types.SimpleNamespace(name="pgvigil", port=self.stack.port, pid=0, log=self.stack.proxy.log, cpu=lambda: 0.0)
        with crowd.Crowd(world, target, sql) as clients:
            connect(clients)
            clients.send(200, 20)
            self.stack.proxy.instructions()
            clients.send(statements, 20)
            return self.stack.proxy.instructions() / statements

    def per_statement_among(self, connected, statements=400):
        """Of `statements` in the simple protocol, 20 at once, while so many clients are connected and take turns."""
        return self._crowd("SELECT abalance FROM pgbench_accounts WHERE aid = ?", lambda clients: clients.open(connected, "bench1"),
                           statements)

    def per_statement_of(self, who, statements=400):
        """The same of 200 clients over 20 server connections: "people" of 8 pairs of role and mission, or "one person"."""
        return self._crowd("SELECT family_name FROM public.patients WHERE id = ? % 600", lambda clients: people.connect(clients, who),
                           statements)


def ceilings():
    """{mode: instructions} of bench/ceilings."""
    lines = [line.split() for line in CEILINGS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {mode: int(count) for mode, count in lines}
