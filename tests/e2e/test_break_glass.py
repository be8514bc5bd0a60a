"""Missions that break the glass: what entering takes, what is seen, what ends them, and who is told."""
import os
import stat
import subprocess
import time

import missions_walk
import psycopg
import pytest
import wire
from psycopg import errors

GOOD = "cardiac arrest in the emergency room"
# Nobody's ward is the medics'; of the rest only what an emergency opens. Minutes are as few as may be.
POLICY = """
missions = (
  { name = "glass";  purpose = "ETREAT"; break_glass = { reason_min = 20; minutes = 60; require = [ "patient" ]; }; },
  { name = "minute"; purpose = "ETREAT"; break_glass = { reason_min = 20; minutes = 1; require = [ "patient" ]; }; },
  { name = "plain";  purpose = "TREAT"; }
);
roles = (
  { name = "medic"; missions = [ "plain", "glass", "minute" ]; default = "plain"; },
  { name = "doctor"; missions = [ "plain", "glass" ]; default = "plain"; },
  { name = "visitor"; missions = [ "minute", "plain" ]; }
);
rules = (
  { roles = [ "medic", "doctor", "visitor" ]; missions = [ "plain" ]; tables = [ "public.patients" ]; rows = "patients.ward_id = 2"; columns = { admin = "show"; }; },
  { roles = [ "medic", "doctor" ]; missions = [ "glass" ]; tables = [ "public.patients" ]; filter = "broken_glass"; columns = { admin = "show"; family_name = "show"; }; },
  { roles = [ "medic", "visitor" ]; missions = [ "minute" ]; tables = [ "public.patients" ]; filter = "broken_glass"; columns = { admin = "show"; family_name = "show"; }; }
);
"""
MEDICS = ["medic%d" % n for n in range(50)]
LOCKED = 5


def users():
    return "users = ( " + ",".join('{ name = "%s"; auth = "scram"; secret = "%s"; roles = [ "medic", "doctor" ]; }' % (name, missions_walk.secret(name))
                                   for name in MEDICS) + \
        ', { name = "visitor1"; auth = "scram"; secret = "%s"; roles = [ "visitor" ]; } );\n' % missions_walk.secret("visitor1")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A folder where the alert program leaves a file with its environment for each alert."""
    folder = tmp_path_factory.mktemp("told")
    program = folder / "program"
    program.write_text("#!/bin/sh\nenv -0 > %s/$$.new && mv %s/$$.new %s/$$.told\n" % ((folder,) * 3))
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def stack(make_stack, told):
    return make_stack(extra_policy=[("80-glass.cfg", POLICY + users())], config='alert = { command = "%s/program"; };' % told, env={"PGPASSWORD": "not to be told"},
                      changes={"records": "INSERT INTO objections VALUES (100000, %d, 'emergency', '2024-01-01', NULL);" % LOCKED})


@pytest.fixture
def medic(stack, request):
    """A connection of a medic of this test's own: reasons are remembered."""
    name = MEDICS[stack.__dict__.setdefault("medics_used", 12)]  # the first ones are for tests that need several
    stack.medics_used += 1
    with stack.connect(name, application_name=request.node.name[-60:]) as c:
        yield c


def give(c, reason=GOOD, patient=1, local=""):
    c.execute("SET %s pgvigil.reason = '%s'" % (local, reason))
    c.execute("SET %s pgvigil.patient = '%s'" % (local, patient))


def enter(c, mission="glass", local="", **kw):
    give(c, local=local, **kw)
    c.execute("SET %s pgvigil.mission = '%s'" % (local, mission))


def mission(c):
    return c.execute("SHOW pgvigil.mission").fetchone()[0]


def seen(c):
    return [row[0] for row in c.execute("SELECT id FROM patients ORDER BY id").fetchall()]


def reload(own):
    since = own.proxy.log_size()
    own.proxy.hup()
    own.proxy.wait_log(r"event=reload\s", since=since, seconds=60)


def plain_rows(stack):
    with stack.superuser() as su:
        return [row[0] for row in su.execute("SELECT id FROM patients WHERE ward_id = 2 ORDER BY id").fetchall()]


def events(stack, request, *names):
    return [r for r in stack.audit_records() if r.get("event") in names and r.get("application") == request.node.name[-60:]]


# ---- entering ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("reason,patient,what", [
    (None, 1, "characters"), ("", 1, "characters"), ("too short a one", 1, "characters"), (" " * 30, 1, "characters"),
    ("emergency emergency emergency", 1, "different words"), ("aaaaaaaaaaa bbbbbbbbbbb cccccccccc", 1, "different words"),
    (GOOD, None, "pgvigil.patient"), (GOOD, "  ", "pgvigil.patient"),
])
def test_glass_is_not_broken_without_what_it_takes(stack, medic, request, reason, patient, what):
    if reason is not None:
        medic.execute("SET pgvigil.reason = '%s'" % reason)
    if patient is not None:
        medic.execute("SET pgvigil.patient = '%s'" % patient)
    with pytest.raises(errors.InsufficientPrivilege, match=what) as caught:
        medic.execute("SET pgvigil.mission = 'glass'")
    assert '"glass"' in str(caught.value) and '"medic"' in str(caught.value) and caught.value.diag.message_hint
    with pytest.raises(errors.InsufficientPrivilege), medic.transaction():
        medic.execute("SET LOCAL pgvigil.mission = 'glass'")
    assert mission(medic) == "plain" and seen(medic) == plain_rows(stack)
    assert not events(stack, request, "break-glass-begin", "break-glass-end")


def test_glass_is_broken_for_one_patient(stack, medic):
    enter(medic, patient=1)
    assert mission(medic) == "glass" and seen(medic) == [1]
    with stack.superuser() as su:
        assert medic.execute("SELECT family_name FROM patients").fetchone() == su.execute("SELECT family_name FROM patients WHERE id = 1").fetchone()
    medic.execute("SET pgvigil.mission = 'plain'")
    assert seen(medic) == plain_rows(stack)
    with pytest.raises(errors.UndefinedColumn):
        medic.execute("SELECT family_name FROM patients")


def test_what_the_policy_locks_stays_locked(stack, medic):
    enter(medic, patient=LOCKED)
    assert mission(medic) == "glass" and seen(medic) == []
    enter(medic, patient=LOCKED + 1, reason="another patient, another reason, another minute")
    assert seen(medic) == [LOCKED + 1]


def test_the_reason_of_the_last_time_is_refused(medic, stack):
    enter(medic)
    medic.execute("SET pgvigil.mission = 'plain'")
    for reason in (GOOD, "  Cardiac ARREST, in the emergency room!"):
        with pytest.raises(errors.InsufficientPrivilege, match="last time"):
            enter(medic, reason=reason)
    # Somebody else may have the same; the same person another one, on any connection.
    with stack.connect(medic.info.user) as again:
        with pytest.raises(errors.InsufficientPrivilege, match="last time"):
            enter(again)
        enter(again, reason="the patient came back in the afternoon")
        assert seen(again) == [1]
    with stack.connect("medic9") as other:
        enter(other)
        assert seen(other) == [1]


def test_glass_is_not_broken_at_start_up(stack):
    with pytest.raises(psycopg.OperationalError, match="break-glass"):
        stack.connect("medic0", options="-c pgvigil.mission=glass -c pgvigil.patient=1 -c pgvigil.reason=" + GOOD.replace(" ", "\\ "))
    with stack.connect("medic0", options="-c pgvigil.patient=1 -c pgvigil.reason=" + ("started " + GOOD).replace(" ", "\\ ")) as c:
        c.execute("SET pgvigil.mission = 'glass'")
        assert seen(c) == [1]


def test_role_without_the_mission_cannot_break_the_glass(stack):
    with stack.connect("visitor1", options="-c pgvigil.mission=plain") as c:
        give(c)
        with pytest.raises(errors.InsufficientPrivilege, match="may not take"):
            c.execute("SET pgvigil.mission = 'glass'")
        assert mission(c) == "plain"


# ---- what ends it --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", ["SET pgvigil.patient = '2'", "RESET pgvigil.patient", "SET pgvigil.reason = 'something else entirely, really'", "RESET ALL",
                                    "SET pgvigil.role = 'doctor'", "DISCARD ALL", "RESET pgvigil.mission", "BEGIN; SET pgvigil.patient = '2'; COMMIT"])
def test_a_change_of_what_it_was_entered_with_ends_it(stack, medic, request, change):
    enter(medic, reason=GOOD + " before " + change.replace("'", ""))
    assert seen(medic) == [1]
    medic.execute(change)
    assert mission(medic) == "plain" and seen(medic) == plain_rows(stack)
    assert [r["event"] for r in events(stack, request, "break-glass-begin", "break-glass-end")] == ["break-glass-begin", "break-glass-end"]


def test_the_same_again_ends_nothing(medic, stack, request):
    enter(medic)
    give(medic)
    medic.execute("SET pgvigil.mission = 'glass'")
    medic.execute("SET search_path = public")
    assert seen(medic) == [1]
    assert [r["event"] for r in events(stack, request, "break-glass-begin", "break-glass-end")] == ["break-glass-begin"]


def test_transactions_undo_and_keep_it(stack, medic, request):
    plain = plain_rows(stack)
    with medic.transaction(force_rollback=True):
        enter(medic)
        assert seen(medic) == [1]
    assert mission(medic) == "plain" and seen(medic) == plain
    with medic.transaction():
        enter(medic, local="LOCAL", reason="the second reason of this very test")
        assert seen(medic) == [1]
    assert mission(medic) == "plain" and seen(medic) == plain
    with medic.transaction():
        enter(medic, reason="the third reason of this very test")
        with medic.transaction(force_rollback=True):
            medic.execute("SET LOCAL pgvigil.mission = 'plain'")
            assert seen(medic) == plain
        assert mission(medic) == "glass" and seen(medic) == [1]
        with pytest.raises(errors.DivisionByZero), medic.transaction():
            medic.execute("SET pgvigil.patient = '2'")
            assert mission(medic) == "plain" and seen(medic) == plain
            medic.execute("SELECT 1/0")
        assert seen(medic) == [1]
    assert mission(medic) == "glass" and seen(medic) == [1]
    names = [r["event"][12:] for r in events(stack, request, "break-glass-begin", "break-glass-end")]
    assert names == ["begin", "end"] * 2 + ["begin", "end"] * 2 + ["begin"]


def test_a_patient_of_the_transaction_only_does_not_outlive_it_with_the_mission(stack, medic):
    with medic.transaction():
        medic.execute("SET pgvigil.reason = '%s'" % GOOD)
        medic.execute("SET LOCAL pgvigil.patient = '1'")
        medic.execute("SET pgvigil.mission = 'glass'")
        assert seen(medic) == [1]
    assert mission(medic) == "plain" and seen(medic) == plain_rows(stack)


def test_it_ends_by_itself(stack, request):
    """Sessions in all situations, in the same minute."""
    name = request.node.name[-60:]
    plain = plain_rows(stack)
    kw = {"application_name": name}
    with stack.connect("medic0", **kw) as idle, stack.connect("medic1", **kw) as block, stack.connect("medic2", **kw) as nested, \
            stack.connect("visitor1", options="-c pgvigil.mission=plain", **kw) as none, stack.connect("medic3", **kw) as prepared, \
            stack.connect("medic4", **kw) as text, stack.connect("medic6", **kw) as silent, wire.open_session(stack, "medic5", application_name=name) as raw:
        reason = "the minute in which everything ends, for %s"
        enter(idle, "minute", reason=reason % "idle")
        enter(text, "minute", reason=reason % "text")
        block.execute("BEGIN")
        enter(block, "minute", reason=reason % "block")
        nested.execute("BEGIN")
        enter(nested, "minute", reason=reason % "nested")
        nested.execute("SAVEPOINT a")
        none.execute("BEGIN")
        enter(none, "minute", reason=reason % "none")
        enter(prepared, "minute", reason=reason % "prepared")
        enter(silent, "minute", reason=reason % "silent")
        question = "SELECT id FROM patients WHERE id > %s ORDER BY id"
        assert prepared.execute(question, (0,), prepare=True).fetchall() == [(1,)]
        for text_ in ("SET pgvigil.patient = '1'", "SET pgvigil.reason = '%s'" % (reason % "raw"), "SET pgvigil.mission = 'minute'", "BEGIN"):
            raw.query(text_)
        raw.send(wire.parse("SELECT id FROM patients, generate_series(1, 3)") + wire.bind([], "p") + wire.execute("p", 1) + wire.SYNC)
        assert wire.rows_of(raw.until("Z")) == [(b"1",)]
        for c in (idle, text, block, nested, none):
            assert seen(c) == [1]
        # A result that is under way may finish.
        flood = psycopg.connect(**stack.conninfo("medic7", autocommit=True, **kw))
        enter(flood, "minute", reason=reason % "flood")
        stream = flood.cursor().stream("SELECT p.id, n FROM patients p, generate_series(1, 400000) AS n")
        assert next(stream)[0] == 1
        time.sleep(62)
        assert sum(1 for row in stream if row[0] == 1) == 399999

        def refused(c, again=seen):
            with pytest.raises(errors.InsufficientPrivilege, match='"minute" has ended after its 1 minutes'):
                again(c)

        refused(flood)
        assert mission(flood) == "plain" and seen(flood) == plain
        flood.close()
        refused(idle)
        assert mission(idle) == "plain" and seen(idle) == plain and idle.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        refused(block)
        assert block.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        block.execute("ROLLBACK")
        assert mission(block) == "plain" and seen(block) == plain
        # Nothing brings it back.
        refused(nested)
        nested.execute("ROLLBACK TO a")
        assert mission(nested) == "plain" and seen(nested) == plain
        nested.execute("COMMIT")
        assert mission(nested) == "plain" and seen(nested) == plain
        # Where there is no default, there is none; the transaction can be ended all the same.
        none.execute("COMMIT")
        refused(none)
        assert mission(none) == ""
        with pytest.raises(errors.InsufficientPrivilege, match="no mission"):
            seen(none)
        refused(prepared, lambda c: c.execute(question, (0,), prepare=True))
        assert [r[0] for r in prepared.execute(question, (0,), prepare=True).fetchall()] == [p for p in plain if p > 0]
        refused(text, lambda c: c.execute("BEGIN; SELECT id FROM patients; COMMIT"))
        raw.send(wire.execute("p", 1) + wire.SYNC)
        got = raw.until("Z")
        assert wire.error_of(got)["C"] == "42501" and "minute" in wire.error_of(got)["M"] and not wire.rows_of(got)
        # Another one takes another reason.
        with pytest.raises(errors.InsufficientPrivilege, match="last time"):
            enter(idle, "minute", reason=reason % "idle")
        enter(idle, "minute", reason="and now something else has happened")
        assert seen(idle) == [1]
        # Also of one that said nothing since: the end is on record.
        ends = [r for r in events(stack, request, "break-glass-end") if r["person"] == "medic6"]
        assert len(ends) == 1 and "time is over" in ends[0]["detail"] and ends[0]["mission"] == "minute" and ends[0]["patient"] == "1"


# ---- who is told -----------------------------------------------------------------------------------------------------------------

def test_begin_end_and_everything_between_is_on_record(stack, medic, request):
    assert seen(medic) == plain_rows(stack)
    enter(medic, patient=4)
    seen(medic)
    with pytest.raises(errors.InsufficientPrivilege):
        medic.execute("SELECT * FROM stays")
    medic.execute("SET pgvigil.mission = 'plain'")
    seen(medic)
    mine = [r for r in stack.audit_records() if r.get("application") == request.node.name[-60:]]
    begin, end = (next(r for r in mine if r.get("event") == name) for name in ("break-glass-begin", "break-glass-end"))
    for record in (begin, end):
        assert (record["person"], record["role"], record["mission"], record["purpose"], record["reason"], record["patient"], record["break_glass"]) == (
            medic.info.user, "medic", "glass", "ETREAT", GOOD, "4", True)
        assert "60 minutes" in record["detail"]
    statements = [r for r in mine if "statement" in r]
    assert [("break_glass" in r, r["mission"], r["decision"]) for r in statements if r["statement"] == "SELECT"] == [
        (False, "plain", "allow"), (True, "glass", "allow"), (True, "glass", "deny"), (False, "plain", "allow")]
    assert mine.index(begin) < mine.index(next(r for r in statements if "break_glass" in r))
    assert all(r.get("patient") == "4" for r in mine if r.get("break_glass"))


def test_end_of_the_session_ends_it_on_record(stack, request):
    with stack.connect("medic8", application_name=request.node.name[-60:]) as c:
        enter(c, reason=GOOD + " when the session ended")
    deadline = time.monotonic() + 10
    while not events(stack, request, "disconnect") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [r["event"] for r in events(stack, request, "break-glass-begin", "break-glass-end", "disconnect")] == [
        "break-glass-begin", "break-glass-end", "disconnect"]


def test_alert_has_the_facts_and_nothing_else(stack, medic, told):
    since = stack.proxy.log_size()
    before = set(told.glob("*.told"))
    reason = GOOD + "; $(touch %s/evil) `id` \n second line" % told
    enter(medic, reason=reason, patient=4)
    deadline = time.monotonic() + 20
    while not set(told.glob("*.told")) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    (fact,) = set(told.glob("*.told")) - before
    facts = dict(pair.split("=", 1) for pair in fact.read_text().split("\0") if pair)
    wanted = {"EVENT": "break-glass", "PERSON": medic.info.user, "LOGIN": medic.info.user, "ROLE": "medic", "MISSION": "glass", "PURPOSE": "ETREAT",
              "REASON": reason, "PATIENT": "4", "MINUTES": "60", "DATABASE": "records", "ADDRESS": "127.0.0.1"}
    assert {k: facts.get("PGVIGIL_" + k) for k in wanted} == wanted
    assert "PGPASSWORD" not in facts and not (told / "evil").exists()
    line = stack.proxy.wait_log(r"event=break-glass [^\n]*", since=since).group()
    assert "person=" in line and medic.info.user in line and "mission=glass" in line
    assert GOOD not in stack.proxy.log.read_text(), "reasons are the audit's, not the log's"


def test_alert_that_fails_is_in_the_log_and_stops_nobody(make_stack, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    own = make_stack(extra_policy=[("80-glass.cfg", POLICY + users())], config='alert = { command = "%s"; };' % program)
    with own.connect("medic0") as c:
        enter(c)
        assert seen(c) == [1]
        own.proxy.wait_log("event=alert-failed pid=[0-9]+ exit=3")
        program.unlink()
        enter(c, reason="the program has gone in the meantime")
        own.proxy.wait_log("event=alert-failed why=")
        assert seen(c) == [1]
        # A loop of them neither fills the process table nor waits.
        program.write_text("#!/bin/sh\nsleep 600\n")
        program.chmod(stat.S_IRWXU)
        for n in range(90):
            enter(c, reason="the alert that never ends, number %d of many" % n)
        own.proxy.wait_log("event=alert-dropped")
        assert seen(c) == [1]


def test_alert_that_is_no_program_is_an_error_in_the_file(make_stack, tmp_path):
    own = make_stack(serve=False, deploy=False, config='alert = { command = "%s"; };' % tmp_path)
    done = own.command("check", "-c", own.config_file, check=False)
    assert done.returncode == 1 and "alert.command" in done.stdout, done.stdout


def test_policy_that_takes_the_mission_away_ends_it(make_stack):
    own = make_stack(extra_policy=[("80-glass.cfg", POLICY + users())])
    with own.connect("medic0", application_name="policy") as c:
        enter(c)
        assert seen(c) == [1]
        path = own.policy / "80-glass.cfg"
        path.write_text(path.read_text().replace('{ name = "glass";  purpose = "ETREAT"; break_glass = { reason_min = 20; minutes = 60; require = [ "patient" ]; }; }',
                                                 '{ name = "glass";  purpose = "ETREAT"; }'))
        reload(own)
        assert seen(c) == [1]  # it is an ordinary mission now
        path.write_text(path.read_text().replace('{ name = "glass";  purpose = "ETREAT"; }',
                                                 '{ name = "glass";  purpose = "ETREAT"; break_glass = { reason_min = 20; minutes = 60; require = [ "patient" ]; }; }'))
        reload(own)
        assert mission(c) == "plain" and seen(c) != [1]
        assert [r["event"] for r in own.audit_records() if r.get("event", "").startswith("break-glass")] == ["break-glass-begin", "break-glass-end"]


def test_glass_is_not_broken_without_its_record(make_stack, tmp_path, told):
    place = tmp_path / "audit"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(place)], check=False).returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        own = make_stack(audit_dir=place, audit="reserve_bytes = 0", extra_policy=[("80-glass.cfg", POLICY + users())], config='alert = { command = "%s/program"; };' % told)
        with own.connect("medic0") as c:
            give(c)
            filler = place / "filler"
            with open(filler, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 4096)
                except OSError:
                    pass
            failed = 0
            while failed < 20:  # until not even one record fits
                try:
                    c.execute("SELECT 1")
                    failed = 0
                except errors.IoError:
                    failed += 1
            before = set(told.glob("*.told"))
            with pytest.raises(errors.IoError):
                c.execute("SET pgvigil.mission = 'glass'")
            for text in ("SET pgvigil.mission = 'glass'; SELECT 1", "BEGIN; SET LOCAL pgvigil.mission = 'glass'; COMMIT"):
                with pytest.raises(errors.IoError):
                    c.execute(text)
            filler.unlink()
            deadline = time.monotonic() + 15
            while True:
                try:
                    assert mission(c) == "plain" and 1 not in seen(c)
                    break
                except errors.IoError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            enter(c, reason="there is room for the record again")
            assert seen(c) == [1]
            deadline = time.monotonic() + 20
            while not set(told.glob("*.told")) - before and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(set(told.glob("*.told")) - before) == 1
        own.proxy.stop()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
