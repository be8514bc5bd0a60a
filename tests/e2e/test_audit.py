"""
The trail: a record before the first byte of what it covers; refusals, logins and their ends as records; tampering found and named; a full
disk refuses and comes back by itself.
"""
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time

import psycopg
import pytest
import wire


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack()


def records_of(stack, **wanted):
    return [r for r in stack.audit_records() if all(r.get(k) == v for k, v in wanted.items())]


def wait_for(stack, seconds=5, **wanted):
    deadline = time.monotonic() + seconds
    while True:
        found = records_of(stack, **wanted)
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def relation_names(record):
    return {(r.get("schema"), r["name"]) for r in record.get("relations", [])}


# ---- before the first byte ---------------------------------------------------------------------------------------------

def test_record_is_there_when_the_first_row_is(stack):
    """The file is read after the first byte of the answer, before the rest: the record that covers it stands in it."""
    with wire.open_session(stack, "nurse1", application_name="first-byte") as raw:
        for n in range(30):
            marker = "marker_%d_%d" % (n, random.randrange(10**9))
            sql = "SELECT id AS %s FROM patients WHERE id > 0" % marker
            if n % 2:
                raw.send(wire.query(sql))
            else:
                raw.send(wire.parse(sql) + wire.bind() + wire.describe() + wire.execute() + wire.SYNC)
            while True:
                kind, body = raw.receive()
                assert kind != "E", wire.fields(body)
                if kind in "DC":
                    break
            covered = [r for r in stack.audit_records() if marker in r.get("sql", "")]
            raw.until("Z")
            assert covered, "rows left before their record"
            record = covered[0]
            assert record["type"] in ("whole", "begin") and record["decision"] == "allow"
            assert (record["person"], record["role"], record["mission"], record["purpose"]) == ("nurse1", "nurse", "care", "TREAT")
            assert ("public", "patients") in relation_names(record)
            assert "rule" in record and re.search(r"40-rules-care\.cfg:\d+", record["rule"]), record


def test_long_result_has_begin_more_end(stack):
    """What does not fit the buffer: begin and more stand in the file while rows are still owed; then end, with all rows."""
    with wire.open_session(stack, "reception1") as raw:
        marker = "long_%d" % random.randrange(10**9)
        raw.send(wire.query("SELECT a.id AS %s, repeat('x', 500) FROM patients a, wards b" % marker))
        first = raw.receive()
        while first[0] != "D":
            first = raw.receive()
        (begin,) = [r for r in stack.audit_records() if marker in r.get("sql", "")]
        assert begin["type"] == "begin"
        rows = [body for kind, body in [first] + raw.until("Z") if kind == "D"]
        assert len(rows) == 7200
    files = {}
    for path in stack.audit_dir.glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        if any(marker in r.get("sql", "") for r in lines):
            files[path] = lines
    (lines,) = files.values()
    mine = [r for r in lines if r.get("begin") == begin["seq"]]
    ends = [r for r in mine if r["type"] == "end"]
    assert len(ends) == 1 and ends[0]["rows"] == 7200 and ends[0]["tag"] == "SELECT 7200" and "sqlstate" not in ends[0]
    assert ends[0]["bytes"] == sum(5 + len(body) for body in rows)
    assert len([r for r in mine if r["type"] == "more"]) >= 10


def test_unfinished_result_is_on_record(stack):
    marker = "cut_%d" % random.randrange(10**9)
    raw = wire.open_session(stack, "reception1")
    raw.send(wire.query("SELECT a.id AS %s, repeat('x', 5000) FROM patients a, patients b" % marker))
    while raw.receive()[0] != "D":
        pass
    raw.close()
    deadline = time.monotonic() + 15
    while True:
        begins = [r for r in stack.audit_records() if marker in r.get("sql", "")]
        ends = [r for r in stack.audit_records() if r["type"] == "end" and begins and r.get("begin") == begins[0]["seq"] and r.get("session") == begins[0]["session"]]
        if ends or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert ends and ends[0].get("unfinished") is True
    assert ends[0]["rows"] < 360000


def test_end_of_pgvigil_in_a_result_is_on_record(make_stack):
    """SIGTERM while rows leave: what the client got is covered, the outcome is known, the trail is whole."""
    own = make_stack()
    marker = "term_%d" % random.randrange(10**9)
    raw = wire.open_session(own, "reception1")
    raw.send(wire.query("SELECT a.id AS %s, repeat('x', 5000) FROM patients a, patients b" % marker))
    while raw.receive()[0] != "D":
        pass
    own.proxy.stop()
    raw.close()
    begins = [r for r in own.audit_records() if marker in r.get("sql", "")]
    assert len(begins) == 1 and begins[0]["type"] == "begin"
    ends = [r for r in own.audit_records() if r["type"] == "end" and r.get("begin") == begins[0]["seq"] and r.get("session") == begins[0]["session"]]
    assert len(ends) == 1 and ends[0].get("unfinished") is True and ends[0]["rows"] >= 1
    assert own.command("audit", "verify", own.audit_dir).returncode == 0


# ---- what is on record ---------------------------------------------------------------------------------------------------

REFUSALS = [("nurse1", "SELECT * FROM staff_salaries", "staff_salaries"), ("nurse1", "UPDATE patients SET city = 'x'", "UPDATE"), 
            ("nurse1", "SELECT pg_read_file('x')", "pg_read_file"), ("nurse1", "SET ROLE postgres", "role"), ("nurse1", "EXPLAIN SELECT 1", "EXPLAIN"), ("nurse1", "COPY patients TO '/tmp/x'", "COPY")]


@pytest.mark.parametrize("user,sql,word", REFUSALS)
@pytest.mark.parametrize("extended", [False, True])
def test_refusal_is_on_record(user, sql, word, extended, stack):
    before = records_of(stack, decision="deny")
    with wire.open_session(stack, user) as raw:
        messages = raw.extended(sql) if extended else raw.query(sql)
        assert wire.error_of(messages)
        denied = records_of(stack, decision="deny")
    (record,) = [r for r in denied if r not in before]  # each worker has a file of its own: the last line is not the latest
    assert record["person"] == user and record["type"] == "whole" and record["sqlstate"] == wire.error_of(messages)["C"]
    assert word.lower() in json.dumps(record.get("refused", "")).lower() + json.dumps(record.get("statement", "")).lower(), record
    assert record.get("rows", 0) == 0


@pytest.mark.parametrize("user,sql", [("nurse1", "SELECT nir FROM patients"), ("reception1", "SELECT diagnosis FROM stays")])
def test_hidden_column_is_on_record(user, sql, stack):
    """A hidden column does not exist; the attempt is on record as a refusal that names it, and without a row."""
    with wire.open_session(stack, user, application_name="hidden-column") as raw:
        assert wire.error_of(raw.query(sql))["C"] == "42703"
        mine = [r for r in stack.audit_records() if r.get("sql", "").lower() == sql.lower() and r.get("application") == "hidden-column"]
    assert len(mine) == 1 and mine[0]["sqlstate"] == "42703" and not mine[0].get("rows") and mine[0]["person"] == user
    assert mine[0]["decision"] == "deny" and mine[0]["refused"] == "column public.%s.%s" % (sql.split()[3], sql.split()[1])


def test_literals_are_not_on_record(stack):
    secret = "SECRETLITERAL%d" % random.randrange(10**9)
    with wire.open_session(stack, "nurse1") as raw:
        raw.query("SELECT id FROM patients WHERE family_name = '%s'" % secret)
        raw.query("SELECT nothing_here FROM patients WHERE family_name = '%s'" % secret)
        raw.query("SELECT nir FROM patients WHERE family_name = '%s'" % secret)
        raw.query("SELECT '%s'::int" % secret)
        raw.query("SELECT syntax error '%s'" % secret)
        raw.extended("SELECT id FROM patients WHERE family_name = $1", [secret])
    with wire.open_session(stack, "admin1") as raw:
        raw.query("SELECT id FROM patients WHERE family_name = '%s'" % secret)
        raw.query("DO $$ BEGIN PERFORM '%s'; END $$" % secret)
        raw.query("SELECT broken '%s" % secret)
    for path in stack.audit_dir.glob("*.jsonl"):
        assert secret not in path.read_text(encoding="utf-8")
    assert secret not in stack.proxy.log.read_text(errors="replace")


def test_statement_fields(stack):
    with stack.connect("dr.martin", mission="research", application_name="fields") as c:
        c.execute("SELECT count(*), min(birth_date) FROM patients WHERE sex = 'F'")
    record = [r for r in wait_for(stack, application="fields", type="whole") if r["statement"] == "SELECT"][0]
    assert record["purpose"] == "HRESCH" and record["role"] == "physician" and record["mission"] == "research" and record["login"] == "dr.martin"
    assert record["auth"] in ("scram-sha-256", "scram-sha-256-plus") and record["database"] == "records" and record["tls"].startswith("TLS")
    assert record["address"] == "127.0.0.1" and record["rows"] == 1 and record["tag"] == "SELECT 1" and record["microseconds"] > 0 and record["bytes"] > 0
    assert re.fullmatch(r"[0-9a-f]{16}", record["fingerprint"]) and "'F'" not in record["sql"] and "$1" in record["sql"]
    (relation,) = record["relations"]
    assert "birth_date" in relation["masked"] and "sex" in relation["shown"] and "family_name" not in relation["shown"] + relation["masked"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record["time"])


def test_connect_and_disconnect_are_on_record(stack):
    with stack.connect("billing1", application_name="comes-and-goes") as c:
        c.execute("SELECT 1")
        (connect,) = records_of(stack, event="connect", application="comes-and-goes")
        assert connect["person"] == "billing1" and connect["mission"] == "billing" and connect["port"] > 0
        assert not records_of(stack, event="disconnect", session=connect["session"])
    (end,) = wait_for(stack, event="disconnect", session=connect["session"])
    assert end["person"] == "billing1"


@pytest.mark.parametrize("user", ["nurse1", "nobody-there"])
def test_failed_login_is_on_record_before_it_is_told(user, stack):
    before = len(records_of(stack, event="auth-failed"))
    with wire.Raw(stack.port, stack.tls_context()) as raw:
        assert wire.error_of(raw.login(user, "records", "mot-de-passe-faux"))["C"] == "28P01"
        failed = records_of(stack, event="auth-failed")
    assert len(failed) == before + 1
    assert failed[-1].get("login") == user and "mot-de-passe-faux" not in json.dumps(failed[-1])


def test_mission_change_and_cancel_are_on_record(stack):
    with stack.connect("dr.martin", application_name="changes") as c:
        c.execute("SET pgvigil.mission = 'research'")
        c.execute("SELECT 1")
    assert wait_for(stack, event="mission", application="changes")
    with wire.open_session(stack, "admin1", application_name="cancelled") as raw:
        raw.send(wire.query("SELECT pg_sleep(20)"))
        time.sleep(0.3)
        with wire.Raw(stack.port, stack.tls_context()) as canceller:
            canceller.send(wire.cancel(*raw.key))
        assert wire.error_of(raw.until("Z"))["C"] == "57014"
    assert wait_for(stack, event="cancel", application="cancelled")


def test_unrestricted_statements_are_on_record_before_they_run(stack):
    """What can write has its begin record before it goes upstream: the table itself can say so."""
    marker = "written_%d" % random.randrange(10**9)
    with wire.open_session(stack, "admin1") as raw:
        raw.send(wire.query("CREATE TABLE public.%s AS SELECT 1 AS x FROM pg_sleep(0.7)" % marker))
        time.sleep(0.35)
        begins = [r for r in stack.audit_records() if marker in r.get("sql", "")]
        assert begins and begins[0]["type"] == "begin", begins
        raw.until("Z")
        raw.query("DROP TABLE public.%s" % marker)


# ---- verification --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def trail(make_stack):
    """A trail that was closed, with enough lines in it, to be tampered with in copies."""
    own = make_stack(audit="checkpoint_seconds = 1;")
    with own.connect("nurse1") as c:
        for n in range(60):
            c.execute("SELECT %d, count(*) FROM wards" % n)
            if n in (20, 40):
                time.sleep(1.3)
    own.proxy.stop()
    kept = pathlib.Path(tempfile.mkdtemp(prefix="pgvigil-trail-"))
    shutil.copytree(own.audit_dir, kept / "audit")
    yield own, kept / "audit"
    shutil.rmtree(kept, ignore_errors=True)


def verify(own, folder):
    done = own.command("audit", "verify", "--public-key", own.certs.audit_public, folder, check=False)
    return done.returncode, done.stdout + done.stderr


def biggest(folder):
    return max(folder.glob("audit-*.jsonl"), key=lambda p: p.stat().st_size)


def test_whole_trail_is_verified(trail):
    own, folder = trail
    status, text = verify(own, folder)
    assert status == 0, text
    # And independently: each line holds the hash of the one before.
    for path in folder.glob("audit-*.jsonl"):
        previous = None
        for line in path.read_bytes().splitlines(keepends=True):
            record = json.loads(line)
            if previous is not None:
                assert record["prev"] == hashlib.sha256(previous).hexdigest()
            previous = line


def change(lines):
    lines[30] = lines[30].replace(b'"decision":"allow"', b'"decision":"deny"') if b'"decision":"allow"' in lines[30] else lines[30].replace(b"nurse1", b"nurse2")


def change_one_byte(lines):
    lines[31] = lines[31].replace(b"nurse1", b"nurse3", 1)


def remove(lines):
    del lines[30]


def remove_many(lines):
    del lines[20:35]


def add(lines):
    record = json.loads(lines[30])
    lines.insert(30, json.dumps(dict(record, person="nobody")).encode() + b"\n")


def copy_line(lines):
    lines.insert(40, lines[30])


def move(lines):
    lines.insert(40, lines.pop(30))


def swap(lines):
    lines[30], lines[31] = lines[31], lines[30]


def cut_line(lines):
    lines[-1] = lines[-1][:len(lines[-1]) // 2]


def first_line(lines):
    del lines[0]


def junk(lines):
    lines.insert(25, b"not a record\n")


def empty_line(lines):
    lines.insert(25, b"\n")


def rehash(lines):
    """The clever one: a record changed and every later hash computed anew; only the signatures tell."""
    change_one_byte(lines)
    for n in range(1, len(lines)):
        prev = hashlib.sha256(lines[n - 1]).hexdigest().encode()
        lines[n] = re.sub(rb'"prev":"[0-9a-f]{64}"', b'"prev":"' + prev + b'"', lines[n], count=1)


TAMPER = {change: "changed", change_one_byte: "changed", remove: "missing", remove_many: "missing", add: "added", copy_line: "added", move: "moved", swap: "moved", cut_line: "truncated",
          first_line: "missing", junk: "added", empty_line: "added", rehash: "bad signature"}


@pytest.mark.parametrize("tamper", TAMPER, ids=lambda f: f.__name__)
def test_tampering_is_found_and_named(tamper, trail, tmp_path):
    own, folder = trail
    shutil.copytree(folder, tmp_path / "audit")
    path = biggest(tmp_path / "audit")
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) > 60
    tamper(lines)
    path.write_bytes(b"".join(lines))
    status, text = verify(own, tmp_path / "audit")
    assert status == 1, text
    assert path.name in text and TAMPER[tamper] in text, text
    if tamper in (change, change_one_byte, remove, swap, junk):
        number = int(re.search(re.escape(path.name) + r":(\d+):", text).group(1))
        assert 20 <= number <= 45, text


def test_whole_files_removed_or_exchanged_are_found(trail, tmp_path):
    own, folder = trail
    shutil.copytree(folder, tmp_path / "audit")
    files = sorted((tmp_path / "audit").glob("audit-*.jsonl"), key=lambda p: p.stat().st_size)
    big, other = files[-1], files[-2]
    big.rename(tmp_path / "aside")
    shutil.copy(other, big)
    status, text = verify(own, tmp_path / "audit")
    assert status == 1 and big.name in text, text


def test_another_key_does_not_verify(trail, tmp_path):
    own, folder = trail
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(tmp_path / "k")], check=True)
    subprocess.run(["openssl", "pkey", "-in", str(tmp_path / "k"), "-pubout", "-out", str(tmp_path / "k.pub")], check=True)
    done = own.command("audit", "verify", "--public-key", tmp_path / "k.pub", folder, check=False)
    assert done.returncode == 1 and "key" in done.stdout + done.stderr


def test_nothing_to_verify_is_not_a_whole_trail(trail, tmp_path):
    own, _ = trail
    assert verify(own, tmp_path)[0] == 3
    assert verify(own, tmp_path / "missing")[0] == 3


def test_trail_goes_on_after_a_restart_and_a_crash(make_stack):
    own = make_stack()
    for crash in (False, True, False):
        with own.connect("nurse1") as c:
            c.execute("SELECT count(*) FROM wards")
        if crash:
            own.proxy.process.kill()
            own.proxy.process.wait()
            newest = biggest(own.audit_dir)
            with open(newest, "ab") as f:
                f.write(b'{"seq":99,"prev":"half a li')  # as a power failure leaves it
        else:
            own.proxy.stop()
        own.serve()
    own.proxy.stop()
    assert any(r["type"] == "recovery" for r in own.audit_records())
    status, text = verify(own, own.audit_dir)
    assert status == 0, text


# ---- a full disk ---------------------------------------------------------------------------------------------------------


def fill(disk):
    with open(disk / "filler", "wb", buffering=0) as filler:
        for size in (4096, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                pass


def until_service_returns(own, nurse):
    """Her connection, or another where it has ended."""
    deadline = time.monotonic() + 10
    while True:
        try:
            assert nurse.execute("SELECT count(*) FROM patients").fetchone()[0] > 50
            return nurse
        except psycopg.Error:
            assert time.monotonic() < deadline, "service does not return"
            time.sleep(0.2)
            if nurse.closed:
                nurse = own.connect("nurse1")


@pytest.mark.parametrize("durability", ["written", "synced"])
def test_reserve_records_the_refusals_of_a_full_disk(make_stack, small_disk, durability):
    """Nothing is run once the disk is full, and what was refused is on record, with who and what; then service returns by itself."""
    own = make_stack(audit_dir=small_disk / "audit", audit="reserve_bytes = 65536", workers=1, durability=durability)
    nurse, admin = own.connect("nurse1"), own.connect("admin1")
    admin.execute("CREATE TABLE public.reserve_used (x int)")
    assert (small_disk / "audit" / "audit-0.reserve").stat().st_size == 65536
    fill(small_disk)
    refused = answered = 0
    for n in range(100):
        try:
            if n % 2:
                nurse.execute("SELECT family_name AS kept_%d FROM patients" % n).fetchall()
            else:  # by the extended protocol
                nurse.execute("SELECT family_name AS kept_%d FROM patients WHERE id > %%s" % n, (0,)).fetchall()
            answered += 1
            assert not refused, "a statement ran behind one that was refused"
        except psycopg.Error as error:
            assert error.sqlstate == "58030" and "not run" in str(error), error
            refused += 1
    with pytest.raises(psycopg.Error) as told:
        admin.execute("INSERT INTO public.reserve_used VALUES (1)")
    assert told.value.sqlstate == "58030"
    with own.connect("reception1") as late, pytest.raises(psycopg.Error):  # a login is on record as well
        late.execute("SELECT 1 AS late")
    records = own.audit_records()
    kept = [r for r in records if "kept_" in r.get("sql", "")]
    denied = [r for r in kept if r["decision"] == "deny"]
    assert refused > 20 and len(denied) == refused and len(kept) - refused == answered, (refused, answered, len(kept))
    assert {r["person"] for r in denied} == {"nurse1"} and {r["sqlstate"] for r in denied} == {"58030"}
    assert [r for r in records if r.get("event") == "audit-reserve"] and [r for r in records if r.get("event") == "connect" and r["person"] == "reception1"]
    (small_disk / "filler").unlink()
    nurse = until_service_returns(own, nurse)
    assert admin.execute("SELECT count(*) FROM public.reserve_used").fetchone() == (0,)
    assert [r for r in own.audit_records() if r.get("event") == "audit-restored"]
    assert (small_disk / "audit" / "audit-0.reserve").stat().st_size == 65536
    nurse.close()
    admin.close()
    own.proxy.stop()
    status, text = verify(own, small_disk / "audit")
    assert status == 0, text


def test_full_disk_refuses_and_service_returns_by_itself(make_stack, small_disk):
    own = make_stack(audit_dir=small_disk / "audit", audit="reserve_bytes = 0")
    nurse, admin = own.connect("nurse1"), own.connect("admin1")
    assert nurse.execute("SELECT count(*) FROM wards").fetchone() == (12,)
    admin.execute("CREATE TABLE public.full_disk (x int)")
    fill(small_disk)
    errors, answered = [], 0
    for _ in range(60):  # what the last page still holds may be written first
        try:
            nurse.execute("SELECT family_name FROM patients").fetchall()
            answered += 1
        except psycopg.Error as error:
            errors.append(error)
    assert errors, "statements ran with a full disk (%d)" % answered
    assert all("audit" in str(e).lower() or "record" in str(e).lower() for e in errors), errors[:3]
    assert all(e.sqlstate and e.sqlstate[:2] in ("53", "58") for e in errors), errors[0].sqlstate
    # Rows that were answered have their records; those that were refused sent none.
    names = [r for r in own.audit_records() if r.get("type") == "whole" and "family_name" in r.get("sql", "") and "sqlstate" not in r]
    assert len(names) == answered
    written = 0  # each worker has a file of its own, with its own last page
    with pytest.raises(psycopg.Error):
        for _ in range(60):
            admin.execute("INSERT INTO public.full_disk VALUES (1)")
            written += 1
    with pytest.raises(psycopg.Error):
        for _ in range(60):
            own.connect("nurse1").close()
    assert own.proxy.alive()
    (small_disk / "filler").unlink()
    nurse = until_service_returns(own, nurse)
    if admin.closed:
        admin = own.connect("admin1")
    # A write whose begin fitted and whose end did not has run, with its outcome unknown to the trail; none ran without its begin.
    (ran,) = admin.execute("SELECT count(*) FROM public.full_disk").fetchone()
    begins = [r for r in own.audit_records() if r["type"] in ("begin", "whole") and "INSERT INTO public.full_disk" in r.get("sql", "")]
    assert written <= ran <= len(begins), "a write ran without its record"
    assert [r for r in own.audit_records() if r.get("event") == "audit-restored"]
    nurse.close()
    admin.close()
    own.proxy.stop()
    status, text = verify(own, small_disk / "audit")
    assert status == 0, text


@pytest.mark.parametrize("sql", [
    "PREPARE secret_q (text) AS SELECT count(*) FROM patients WHERE family_name = $1 OR nir = 'SECRET-LITERAL' OR ward_id = 7700770077",
    "EXECUTE secret_q ('SECRET-LITERAL')", "EXECUTE secret_n (7700770077)", "COPY (SELECT 1) TO STDOUT (NULL 'SECRET-LITERAL')",
    "COMMENT ON TABLE nosuch IS E'SECRET-LITERAL'", "NOTIFY nobody, $$SECRET-LITERAL$$", "CREATE VIEW nosuch.v AS SELECT U&'SECRET-LITERAL'",
])
def test_no_literal_of_any_statement_is_on_record(sql, stack):
    """Also of those that libpg_query's normaliser leaves as they are; unrestricted sessions send all of them."""
    name = "literals-%d" % random.randrange(10**9)
    with wire.open_session(stack, "admin1", application_name=name) as raw:
        if "EXECUTE" in sql:
            raw.query("PREPARE secret_n (bigint) AS SELECT $1; PREPARE secret_q (text) AS SELECT $1")
        raw.query(sql)
    kept = wait_for(stack, application=name)
    kept = [r for r in stack.audit_records() if r.get("session") == kept[0]["session"]]
    assert any(r.get("sql", "").startswith(sql.split()[0]) for r in kept), kept
    assert "SECRET-LITERAL" not in json.dumps(kept) and "7700770077" not in json.dumps(kept)
