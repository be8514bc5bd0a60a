"""
kills.py: pgvigil is killed (SIGKILL) at random moments under load, and whatever its clients had received must stand in the trail.

Each client notes, for every statement it sent, the bytes of rows that came (of a row that was cut, those that came), whose rows they
were, and whether it was refused. After each kill the trail must verify as it lies and again after the next start, and the records
of a statement (its mark is a column's name, which records keep) must count at least those bytes and name at least those patients.
What stands in the database must have been announced by a record.

python3 kills.py --count 2000 [--seed N] [--record FILE]: the long form (scripts/kills); a FILE that has lines goes on behind them.
"""
import argparse
import collections
import contextlib
import json
import pathlib
import random
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import harness
import wire

CLIENTS = 5
FRESH_TRAIL = 40  # kills, after which a new trail begins
MARK = re.compile(r"\bmark_(\d+)_(\d+)\b")
LONG = "FROM patients a, wards b, wards c WHERE a.id < %d"  # more than is held for one record
REFUSED = ("42501", "42703")  # the latter: a hidden column
AUDIT = "file_bytes = 131072; checkpoint_seconds = 1"


class Sent:
    """A statement, and what came of it."""

    def __init__(self, mark, sql, patient_column=True):
        self.mark, self.sql, self.names = mark, sql, patient_column
        self.bytes, self.patients, self.refused = 0, set(), False


class Client(threading.Thread):
    """Sends until the connection ends, by both protocols, one statement or some at once."""

    def __init__(self, stack, number, seed, ids):
        super().__init__(daemon=True)
        self.stack, self.number, self.dice, self.ids = stack, number, random.Random(seed), ids
        self.user = "reception1" if number % 2 else "nurse1"
        self.sent, self.problem, self.ended = [], None, threading.Event()

    def statement(self):
        mark = "mark_%d_%d" % (self.number, len(self.sent))
        kind = self.dice.choice(["one", "one", "list", "long", "refused", "count", "write" if self.user == "reception1" else "one"])
        sql = {"one": "SELECT id AS %s, family_name FROM patients WHERE id = %d" % (mark, self.dice.choice(self.ids)),
               "list": "SELECT id AS %s, family_name FROM patients ORDER BY id" % mark,
               "long": "SELECT a.id AS %s, repeat('x', %d) " % (mark, self.dice.choice([40, 400, 4000])) + LONG % self.dice.choice([5, 9, 14]),
               "refused": "SELECT nir AS %s FROM patients" % mark,
               "count": "SELECT count(*) AS %s FROM patients" % mark}.get(kind)
        if kind == "write":  # each client has a patient of its own, and what is written tells by which statement it was
            patient = self.ids[0]
            sql = "UPDATE patients SET phone = '%s' WHERE id = %d RETURNING id AS %s" % (mark, patient, mark)
        self.sent.append(Sent(mark, sql, kind != "count"))
        return self.sent[-1]

    def took(self, one, kind, body, cut=0):
        """A message, or the beginning of one of which `cut` bytes are missing."""
        if kind == "D":
            one.bytes += 5 + len(body)
            with contextlib.suppress(struct.error, ValueError):
                size = struct.unpack_from("!i", body, 2)[0]
                if one.names and 0 < size <= len(body) - 6:
                    one.patients.add(int(body[6:6 + size]))
        elif kind == "E" and not cut:
            code = wire.fields(body).get("C")
            one.refused = code in REFUSED
            # 57P01, 08006: pgvigil or PostgreSQL is going; 55000 and the like would be a bug of the test.
            if code not in REFUSED + ("57P01", "08006", "57P03", "53300"):
                self.problem = "%s: %s" % (one.sql, wire.fields(body))

    def answers(self, raw, these):
        """What comes for these statements, to the ReadyForQuery that ends them all."""
        at = 0
        while True:
            try:
                kind, body = raw.receive()
            except wire.Closed:
                rest = bytes(raw.buffer)
                if len(rest) >= 5 and at < len(these):
                    self.took(these[at], chr(rest[0]), rest[5:], cut=1)
                raise
            if at < len(these):
                self.took(these[at], kind, body)
            if kind == "Z":
                return
            at += kind in "CE"
            if kind == "E" and len(these) > 1:
                at = len(these)  # the rest of the group was skipped

    def work(self):
        with wire.open_session(self.stack, self.user) as raw:
            raw.keep = False
            while True:
                these = [self.statement() for _ in range(self.dice.choice([1, 1, 1, 4]))]
                if len(these) == 1 and self.dice.random() < 0.5:
                    raw.send(wire.query(these[0].sql))
                else:
                    raw.send(b"".join(wire.parse(one.sql) + wire.bind() + wire.describe() + wire.execute() for one in these) + wire.SYNC)
                self.answers(raw, these)

    def run(self):
        try:
            while not self.ended.is_set():
                try:
                    self.work()
                except (wire.Closed, ConnectionError, AssertionError, ssl.SSLError, socket.timeout):
                    time.sleep(0.02)  # killed, or not there yet
        except Exception as error:  # pylint: disable=broad-except
            self.problem = repr(error)


class Trail:
    """What the records of marks say."""

    def __init__(self, records):
        self.of = collections.defaultdict(lambda: {"bytes": 0, "patients": [], "aggregate": False, "deny": False})
        begun = {}
        for record in records:
            if record["type"] in ("whole", "begin"):
                found = MARK.search(record.get("sql", ""))
                if not found:
                    continue
                about = self.of[found.group(0)]
                about["deny"] |= record["decision"] == "deny"
                if record["type"] == "begin":
                    begun[(record["chain"], record["seq"])] = about
            elif record["type"] in ("more", "end"):
                about = begun.get((record["chain"], record["begin"]))
                if about is None:
                    continue
            else:
                continue
            about["bytes"] += record.get("bytes", 0)
            about["patients"] += record.get("patients", [])
            about["aggregate"] |= record.get("subjects") == "aggregate"

    def uncovered(self, one):
        """Why what came of a statement is not covered, or None."""
        if not one.bytes and not one.refused:
            return None
        if one.mark not in self.of:
            return "no record"
        about = self.of[one.mark]
        if one.refused and not about["deny"]:
            return "refused, and no record says so"
        if about["bytes"] < one.bytes:
            return "%d bytes of rows came, records have %d" % (one.bytes, about["bytes"])
        if about["aggregate"] or not one.names:
            return None
        missing = [p for p in one.patients if not any(first <= p <= last for first, last in about["patients"])]
        return "patients %s came and are not named" % missing if missing else None


class Run:
    """One server, killed again and again."""

    def __init__(self, stack, seed):
        self.stack, self.dice, self.count, self.totals = stack, random.Random(seed), 0, collections.Counter()
        self.whole = False  # the trail has had a file of each chain: one that is gone from now on was taken away
        self.marks = seed * 1000  # no two runs' are the same
        with stack.superuser() as c:
            self.ids = [row[0] for row in c.execute("SELECT id FROM patients ORDER BY id LIMIT 60")]
        self.phones = self.marked_phones()

    def marked_phones(self):
        with self.stack.superuser() as c:
            return dict(c.execute("SELECT id, phone FROM patients WHERE phone LIKE 'mark%'").fetchall())

    def records(self):
        """Of all whole lines, with the chain that each is of."""
        found = []
        for path in sorted(self.stack.audit_dir.glob("*.jsonl*")):
            if path.suffix not in (".jsonl", ".zst"):
                continue
            data = path.read_bytes() if path.suffix == ".jsonl" else subprocess.run(["zstd", "-dqc", str(path)], check=True, stdout=subprocess.PIPE).stdout
            chain = path.name.split("-")[1]
            for line in data.split(b"\n")[:-1]:
                record = json.loads(line)
                record["chain"] = chain
                found.append(record)
        return found

    def verify(self, when, torn=False):
        """torn: a chain's last file may stop in the middle of its last line, which the next start puts right."""
        done = self.stack.command("audit", "verify", "--public-key", self.stack.certs.audit_public, self.stack.audit_dir, check=False)
        *findings, _ = done.stdout.splitlines()
        last = {}
        for path in sorted(self.stack.audit_dir.glob("audit-*.jsonl")):
            last[path.name.split("-")[1]] = (path.name, path.read_bytes().count(b"\n") + 1)
        allowed = {"%s:%d: truncated: the file stops in the middle of this line; 0 more record(s) are missing" % one for one in last.values()}
        assert done.returncode == 0 or (torn and done.returncode == 1 and findings and set(findings) <= allowed), (
            "%s: verify ends with %d\n%s%s" % (when, done.returncode, done.stdout, done.stderr))
        self.totals["torn"] += done.returncode

    def written(self, clients):
        """What stands in the database was announced, and is one of the statements of whose patient it is."""
        trail = Trail(self.records())
        phones = self.marked_phones()
        marks = {one.mark for client in clients for one in client.sent}
        for patient, phone in phones.items():
            assert phone in marks or self.phones.get(patient) == phone, (patient, phone)
            assert self.phones.get(patient) == phone or phone in trail.of, "%s is in the database and in no record" % phone
        self.phones = phones

    def once(self):
        """Start, load, kill at a random moment, look."""
        stack = self.stack
        numbers = range(self.marks, self.marks + CLIENTS)
        clients = [Client(stack, n, self.dice.random(), self.ids) for n in numbers]
        for at, client in enumerate(clients):
            client.ids = self.ids[at:] + self.ids[:at]
        self.marks += CLIENTS
        early = self.dice.random() < 0.1
        stack.proxy.start(wait=not early)
        for client in clients:
            client.start()
        if early:
            time.sleep(self.dice.random() * 0.3)
        else:
            deadline = time.monotonic() + 20
            while not any(one.bytes for client in clients for one in client.sent[:1]) and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(self.dice.random() ** 2 * 0.6)
        stack.proxy.process.kill()
        stack.proxy.process.wait()
        for client in clients:
            client.ended.set()
        for client in clients:
            client.join(60)
            assert not client.is_alive()
        self.count += 1
        self.look(clients, early)

    def look(self, clients, early):
        problems = [client.problem for client in clients if client.problem]
        assert not problems, problems
        chains = {path.name.split("-")[1] for path in self.stack.audit_dir.glob("*.jsonl*")}
        self.whole = self.whole or len(chains) == self.stack.workers + 1
        # A kill while the first start of a trail makes its chains: the last that is there tells of those that are not yet.
        assert self.whole or early, "the server was ready, and has no file of each chain: %s" % sorted(chains)
        if self.whole:
            self.verify("as the kill left it", torn=True)
        trail = Trail(self.records())
        sent = [one for client in clients for one in client.sent]
        for one in sent:
            why = trail.uncovered(one)
            assert why is None, "%s: %s" % (why, one.sql)
        self.written(clients)
        self.totals.update(kills=1, early=early, statements=len(sent), answered=sum(1 for one in sent if one.bytes or one.refused),
                           refused=sum(1 for one in sent if one.refused), bytes=sum(one.bytes for one in sent),
                           cut=sum(1 for one in sent if one.bytes and one.bytes < trail.of[one.mark]["bytes"]))

    def fresh_trail(self):
        """What there is must verify once more, its last kill recovered from; then another begins, now and then of the other durability."""
        self.stack.proxy.start()
        self.stack.proxy.stop(check=False)
        self.verify("at the end")
        shutil.rmtree(self.stack.audit_dir)
        self.whole = False
        text = self.stack.config_file.read_text(encoding="utf-8")
        synced = self.dice.random() < 0.5
        text = re.sub(r'durability = "\w+"', 'durability = "%s"' % ("synced" if synced else "written"), text)
        self.stack.config_file.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--record", type=pathlib.Path)
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.record.read_text().splitlines()] if options.record and options.record.exists() else []
    done = sum(line["kills"] for line in lines)
    seed = options.seed if options.seed is not None else (lines[0]["first"] if lines else random.randrange(10**6))
    with harness.Stack(audit=AUDIT, unrestricted=False) as stack:
        stack.proxy.stop()
        shutil.rmtree(stack.audit_dir)
        turn = len(lines)
        while done < options.count:
            run, begin = Run(stack, seed + turn), time.monotonic()
            line = {"first": seed, "seed": seed + turn}
            try:
                for _ in range(min(FRESH_TRAIL, options.count - done)):
                    run.once()
                    print("\r%d of %d kills, seed %d: %s " % (done + run.count, options.count, seed + turn, dict(run.totals)), end="", file=sys.stderr, flush=True)
                run.fresh_trail()
            except AssertionError as error:
                line["failed"] = str(error)
                kept = pathlib.Path("build") / ("kills-%d" % (seed + turn))
                shutil.copytree(stack.audit_dir, kept, dirs_exist_ok=True)
                print("\nseed %d, kill %d: %s\nthe trail is in %s" % (seed + turn, run.count, error, kept), file=sys.stderr)
            line.update(run.totals, seconds=round(time.monotonic() - begin))
            lines.append(line)
            if options.record:
                with open(options.record, "a", encoding="utf-8") as out:
                    out.write(json.dumps(line) + "\n")
            if "failed" in line:
                sys.exit(1)
            done, turn = done + run.count, turn + 1
        print("\n%s" % json.dumps(dict(sum((collections.Counter({k: v for k, v in one.items() if k not in ("first", "seed", "failed")}) for one in lines), collections.Counter()))))
        stack.proxy.start()


if __name__ == "__main__":
    main()
