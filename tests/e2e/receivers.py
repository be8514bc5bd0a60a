"""
receivers.py: what `pgvigil audit ship` sends records to: a real rsyslog, a central database, the shipper itself; and what came.
"""
import collections
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg
import pytest

import harness

NEEDS_RSYSLOG = pytest.mark.skipif(not os.access("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so", os.R_OK),
                                   reason="NO RSYSLOG HERE: install rsyslog and rsyslog-gnutls")
# Of the tests that kill at random; more for a longer run.
SECONDS = int(os.environ.get("PGVIGIL_SHIP_SECONDS", "12"))
RSYSLOG_CONF = """
global(workDirectory="{folder}" maxMessageSize="{size}"
       defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{cert}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name"
       permittedPeer=["{peer}"])
template(name="whole" type="string" string="%rawmsg%\\n")
ruleset(name="pgvigil" queue.type="LinkedList" queue.fileName="pgvigil" queue.saveOnShutdown="on"
        queue.timeoutShutdown="10000" queue.maxDiskSpace="1g") {{
    action(type="omfile" file="{out}" template="whole")
}}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="pgvigil")
"""
MESSAGE = re.compile(rb'<(\d+)>1 (\S+) (\S+) pgvigil - (\w+) \[pgvigil@32473 chain="(\d+)" seq="(\d+)" hash="([0-9a-f]{64})"'
                     rb'(?: part="(\d+)" parts="(\d+)")?\] \xef\xbb\xbf(.*)', re.S)


class Rsyslog:
    """Debian's rsyslog, of these certificates. The file that it writes is `out`."""

    def __init__(self, certs, size="128k", peer="pgvigil.clinic.example", certificate=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgvigil-rsyslog-"))
        self.out = self.folder / "records.log"
        self.port = harness.free_port()
        self.process = None
        cert, key = certificate or (certs.server, certs.server_key)
        self.conf = self.folder / "rsyslog.conf"
        self.conf.write_text(RSYSLOG_CONF.format(folder=self.folder, size=size, ca=certs.ca, cert=cert, key=key, peer=peer,
                                                 out=self.out, port=self.port))
        self.log = self.folder / "log"

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["/usr/sbin/rsyslogd", "-n", "-f", str(self.conf), "-i", str(self.folder / "pid")],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            preexec_fn=harness.end_with_parent(signal.SIGKILL))
        deadline = time.monotonic() + 30
        listening = ":%04X " % self.port
        while not any(listening in line and " 0A " in line for line in open("/proc/net/tcp", encoding="ascii")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise harness.HarnessError("rsyslog does not start:\n" + self.log.read_text(errors="replace"))
            time.sleep(0.02)
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(sig)
            self.process.wait(40)
            self.process = None

    def messages(self):
        """Whole messages, in the order in which they came."""
        if not self.out.exists():
            return []
        return self.out.read_bytes().split(b"\n")[:-1]

    def close(self):
        self.stop(signal.SIGKILL)
        if not os.environ.get("PGVIGIL_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def received(messages):
    """
    {(chain, seq): the record's bytes} of what syslog has, less repetitions as docs/operations.md tells to remove them: messages that are
    the same byte for byte. Each record's hash is checked. Also how many messages were repetitions.
    """
    seen = set()
    parts = collections.defaultdict(dict)
    repeated = 0
    for message in messages:
        if message in seen:
            repeated += 1
            continue
        seen.add(message)
        found = MESSAGE.fullmatch(message)
        assert found, message[:300]
        key = (int(found[5]), int(found[6]))
        part, of = int(found[8] or 1), int(found[9] or 1)
        assert part not in parts[key], "two messages for one part of %s differ" % (key,)
        found[10].decode("utf-8")
        parts[key][part] = (of, found[7], found[10])
    records = {}
    for key, pieces in parts.items():
        assert {of for of, _, _ in pieces.values()} == {len(pieces)}, "parts of %s are missing" % (key,)
        records[key] = b"".join(pieces[part][2] for part in sorted(pieces))
        assert hashlib.sha256(records[key] + b"\n").hexdigest().encode() == pieces[1][1]
    return records, repeated


def trail(directory):
    """{(chain, seq): the line's bytes} of the files."""
    records = {}
    for path in sorted(pathlib.Path(directory).glob("audit-*.jsonl*")):
        chain = int(path.name.split("-")[1])
        packed = path.name.endswith(".zst")
        if packed and path.with_suffix("").exists():
            continue
        text = subprocess.check_output(["zstd", "-dcq", path]) if packed else path.read_bytes()
        for line in text.split(b"\n")[:-1]:
            seq = int(re.match(rb'\{"seq":(\d+),', line)[1])
            assert (chain, seq) not in records
            records[chain, seq] = line
    return records


class Shipper:
    """One `pgvigil audit ship` of a stack's configuration."""

    def __init__(self, stack, config=None):
        self.stack = stack
        self.config = config or stack.config_file
        self.log = stack.folder / ("ship-%s.log" % pathlib.Path(self.config).stem)
        self.process = None
        self.starts = 0

    def start(self):
        self.starts = self.text().count("event=ship-start") + 1
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([harness.binary(), "audit", "ship", "-c", str(self.config)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, preexec_fn=harness.end_with_parent(signal.SIGKILL))
        return self

    def end(self, sig=signal.SIGTERM):
        """Its exit status. A clean end is for one that has begun."""
        if self.process is None:
            return None
        while sig == signal.SIGTERM and self.text().count("event=ship-start") < self.starts and self.process.poll() is None:
            time.sleep(0.02)
        self.process.send_signal(sig)
        status = self.process.wait(100)
        self.process = None
        return status

    def once(self, check=True):
        """Everything that is there is sent now."""
        return self.stack.command("audit", "ship", "-c", self.config, "--once", check=check)

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.end(signal.SIGKILL)


def ship_entry(stack, client, port, state, more="", host="localhost", ca=None):
    """An entry of audit.ship for a Rsyslog."""
    return ('{ kind = "syslog"; host = "%s"; port = %d; ca = "%s"; certificate = "%s"; key = "%s"; site = "proxy1"; '
            'state = "%s"; %s }' % (host, port, ca or stack.certs.ca, client[0], client[1], state, more))


def config_with(stack, name, *entries):
    """A configuration beside the stack's, with these receivers."""
    path = stack.folder / name
    text = stack.config_file.read_text(encoding="utf-8")
    path.write_text(text.replace("durability =", "ship = ( %s ); durability =" % ", ".join(entries), 1), encoding="utf-8")
    return path


def some_statements(stack, count=20):
    for user in ("nurse1", "reception1"):
        with stack.connect(user) as c:
            for n in range(count):
                c.execute("SELECT id AS n%d, %d FROM patients LIMIT 3" % (n, n)).fetchall()
            with pytest.raises(psycopg.Error):
                c.execute("SELECT * FROM payroll_%d" % n)
