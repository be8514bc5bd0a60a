"""
Trails that a test makes: lines with the fields and the hash chain of real ones, subjects among them, and what a search must find in them,
told by going through all of it. Checkpoints are signed where the chain is `Signed`.
"""
import hashlib
import json
import random
import subprocess

import harness

PEOPLE = ["nurse1", "nurse2", "dr.martin", "o\"brien\\", "Zoë", "svc=1+1"]
ROLES = {"nurse1": "nurse", "nurse2": "nurse", "dr.martin": "physician", "o\"brien\\": "physician", "Zoë": "lab", "svc=1+1": "lab"}
TABLES = [("public", "patients", ["id", "family_name"], ["birth_date"]), ("public", "stays", ["id", "patient_id"], []), ("lab", "results", ["value"], []), ("lab", "patients", ["nir"], [])]


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Chain:
    """Writes the files of one chain; `records` keeps every record with the file that it is in."""

    key, told = "0" * 64, {}  # what headers have: whose key, and what else

    def __init__(self, directory, chain):
        self.directory, self.chain, self.seq, self.prev, self.number, self.records, self.out = directory, chain, 0, "0" * 64, 0, [], None

    def line(self, time, kind, **fields):
        self.seq += 1
        record = {"seq": self.seq, "prev": self.prev, "time": time, "type": kind, **fields}
        text = (dump(record) + "\n").encode()
        self.prev = hashlib.sha256(text).hexdigest()
        self.out.write(text)
        record.update(chain=self.chain, file=self.name)
        self.records.append(record)
        return self.seq

    def file(self, time):
        if self.out:
            self.out.close()
        self.number += 1
        self.name = "audit-%d-%08d.jsonl" % (self.chain, self.number)
        self.out = open(self.directory / self.name, "wb")
        self.line(time, "header", format=1, chain=self.chain, file=self.number, key=self.key, checkpoint_seconds=60, **self.told, version="0.1.0")

    def close(self):
        self.out.close()


class Signed(Chain):
    """A chain whose files end with a checkpoint that is signed with a key of its own, as docs/audit.md has it; `folder`: for the key."""

    def __init__(self, directory, chain, folder, **told):
        super().__init__(directory, chain)
        self.folder, self.told, self.pem = folder, told, folder / "trail.pem"
        if not self.pem.exists():
            harness.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(self.pem)])
        harness.run(["openssl", "pkey", "-in", str(self.pem), "-pubout", "-out", str(directory / "public.pem")])
        der = subprocess.run(["openssl", "pkey", "-in", str(self.pem), "-pubout", "-outform", "DER"], stdout=subprocess.PIPE, check=True).stdout
        self.key = hashlib.sha256(der).hexdigest()

    def sign(self, time, **others):
        """`others`: what it names of the other chains."""
        more = {"chain": self.chain, "file": self.number, "reason": "close", "lines": 0, **others, "key": self.key}
        text = dump({"seq": self.seq + 1, "prev": self.prev, "time": time, "type": "checkpoint", **more})[:-1]
        (self.folder / "text").write_bytes(b"pgvigil audit checkpoint 1\n" + text.encode())
        harness.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(self.pem), "-in", str(self.folder / "text"), "-out", str(self.folder / "signature")])
        self.line(time, "checkpoint", **more, signature=(self.folder / "signature").read_bytes().hex())


def stamp(minute):
    return "2026-%02d-%02dT%02d:%02d:%02d.%06dZ" % (1 + minute // 40320 % 12, 1 + minute // 1440 % 28, minute // 60 % 24, minute % 60, minute % 59, minute % 999983)


def session(rng, person):
    glass = rng.random() < 0.1
    who = dict(session=rng.randrange(50), person=person, login=rng.choice([person, "ward-app"]), auth="scram-sha-256", database="records", role=ROLES[person],
               mission="emergency" if glass else "care", purpose="ETREAT" if glass else "TREAT")
    if glass:
        who.update(reason="=cmd|' /C calc'!A0 \x1b[31m", break_glass=True, patient=str(rng.randrange(60)))
    who.update(address="10.0.0.%d" % rng.randrange(4), port=5000, application=rng.choice(["psql", "ward\u202e"]), tls="TLSv1.3")
    return who


def subjects(rng):
    elements = []
    for _ in range(rng.choice([0, 1, 1, 2, 5])):
        first = rng.randrange(400)
        elements.append(rng.choice([[first, first], [first, first + rng.randrange(4)], [first, first + 200], "A-%d" % rng.randrange(60), str(rng.randrange(400)), "é\"%d" % rng.randrange(9)]))
    more = {"patients": elements} if elements else {}
    if rng.random() < 0.05:
        more["subjects"] = "aggregate"
    return more


def statement(rng, allow=True):
    if not allow:
        return dict(statement="SELECT", decision="deny", rule="10.cfg:3", refused=rng.choice(["relation public.staff_salaries", "column public.patients.nir"]))
    chosen = rng.sample(TABLES, rng.randrange(1, 3))
    return dict(statement=rng.choice(["SELECT", "UPDATE"]), decision="allow", rule="10.cfg:12",
                relations=[dict(schema=s, name=n, shown=shown, masked=masked) for s, n, shown, masked in chosen])


TAIL = dict(fingerprint="50fde20626009aba", sql="SELECT \"patients\":[ FROM t WHERE note = $1 -- ,\"person\":\"nurse1\"")


def outcome(rng):
    rows = rng.randrange(100)
    done = dict(rows=rows, bytes=rows * 9, microseconds=100)
    return {"sqlstate": "57014", **done} if rng.random() < 0.1 else {"tag": "SELECT %d" % rows, **done}


def make(directory, seed, records=4000, chains=2, files=4):
    """The records of all chains. Statements overlap, span files, and some never end."""
    rng = random.Random(seed)
    directory.mkdir(exist_ok=True)
    writers = [Chain(directory, n) for n in range(chains)]
    running = {w: {} for w in writers}
    for i in range(records):
        writer, time = rng.choice(writers), stamp(i * 120)
        if writer.number == 0 or (writer.number < files and len(writer.records) >= writer.number * records // files // chains):
            writer.file(time)
        kind = rng.random()
        if kind < 0.6:
            allow = rng.random() < 0.9
            writer.line(time, "whole", **session(rng, rng.choice(PEOPLE)), **statement(rng, allow), **TAIL,
                        **(outcome(rng) if allow else dict(sqlstate="42501", rows=0, bytes=0, microseconds=1)), **(subjects(rng) if allow else {}))
        elif kind < 0.7:
            person = rng.choice(PEOPLE)
            who = session(rng, person)
            seq = writer.line(time, "begin", **who, **statement(rng), **TAIL, **(subjects(rng) if rng.random() < 0.2 else {}))
            running[writer][seq] = dict(begin=seq, session=who["session"], person=person, login=who["login"])
        elif kind < 0.95 and running[writer]:
            seq = rng.choice(list(running[writer]))
            reference = running[writer][seq]
            if rng.random() < 0.6:
                writer.line(time, "more", **reference, rows=rng.randrange(50), bytes=9, **subjects(rng))
            elif rng.random() < 0.9:
                writer.line(time, "end", **reference, **outcome(rng), **subjects(rng))
                del running[writer][seq]
        else:
            event = rng.choice(["connect", "break-glass-begin", "mission"])
            writer.line(time, "event", event=event, **session(rng, rng.choice(PEOPLE)), detail="role nurse")
    for writer in writers:
        writer.close()
    return [r for w in writers for r in w.records]


# ---- what a search must find: the same, told in another way -----------------------------------------------------------------

def is_number(text):
    return text == str(int(text)) if text.lstrip("-").isdigit() else False


def names(element, patient):
    if isinstance(element, str):
        return element == patient
    return is_number(patient) and element[0] <= int(patient) <= element[1]


def answers(records):
    """Statements and events, a statement's parts together: (chain, seq) and its records."""
    found = {}
    for record in records:
        if record["type"] in ("header", "checkpoint"):
            continue
        found.setdefault((record["chain"], record.get("begin", record["seq"])), []).append(record)
    return found


def matches(parts, **wanted):
    first = parts[0]
    for key, value in wanted.items():
        if key in ("person", "login", "role", "mission", "decision", "address", "statement", "event", "application"):
            if first.get(key) != value:
                return False
        elif key == "sqlstate":
            if parts[-1].get("sqlstate") != value:
                return False
        elif key == "break_glass" and not first.get("break_glass"):
            return False
    # One record must be in the period and name the patient.
    patient, low, high = wanted.get("patient"), wanted.get("from", ""), wanted.get("to", "9")

    def meets(p):
        if not (p["time"][:len(low)] >= low and p["time"][:len(high)] <= high):
            return False
        return patient is None or p.get("patient") == patient or any(names(e, patient) for e in p.get("patients", [])) or bool(wanted.get("inexact") and "subjects" in p)

    if not any(map(meets, parts)):
        return False
    table, column = wanted.get("table"), wanted.get("column")
    if table or column:
        for r in first.get("relations", []):
            if table in (None, r["name"], r["schema"] + "." + r["name"]) and (not column or column in r["shown"] + r["masked"]):
                return True
        refused = first.get("refused", " ").split(" ")[1].split(".")
        if first.get("refused", "").startswith("column"):
            if column and column != refused[-1]:
                return False
            refused = refused[:-1]
        elif column:
            return False
        return bool(first.get("refused")) and (not table or table in (".".join(refused), refused[-1]))
    return True


def expect(records, **wanted):
    return {key: parts for key, parts in answers(records).items() if matches(parts, **wanted)}
