"""A broken glass in the hands of somebody who has a login and knows the source: it outlives its minutes, tells nobody, says nothing."""
import time

import missions_walk
import pytest
import wire
from psycopg import errors

GLASS = 'break_glass = { reason_min = 20; minutes = 60; require = [ "patient" ]; };'
POLICY = """
missions = ( { name = "plain"; }, { name = "glass"; purpose = "ETREAT"; %s }, { name = "minute"; purpose = "ETREAT"; %s } );
roles = ( { name = "medic"; missions = [ "plain", "glass", "minute" ]; default = "plain"; } );
rules = (
  { roles = [ "medic" ]; missions = [ "plain" ]; tables = [ "public.patients" ]; rows = "patients.ward_id = 2"; columns = { admin = "show"; }; },
  { roles = [ "medic" ]; missions = [ "glass", "minute" ]; tables = [ "public.patients" ]; rows = "patients.id = :session.patient::bigint";
    columns = { admin = "show"; contact = "show"; }; update = [ "phone" ]; },
  { roles = [ "medic" ]; missions = [ "glass", "minute" ]; tables = [ "public.care_team" ]; columns = { admin = "show"; }; insert = [ "admin" ]; }
);
users = ( %s );
""" % (GLASS, GLASS.replace("60", "1"), ",".join('{ name = "medic%d"; auth = "scram"; secret = "%s"; roles = [ "medic" ]; }' % (n, missions_walk.secret("medic%d" % n))
                                                 for n in range(20)))
GOOD = "cardiac arrest in the emergency room"


def enter(c, mission="glass", reason=GOOD, patient=1):
    c.execute("SET pgvigil.patient = '%s'" % patient)
    c.execute("SET pgvigil.reason = '%s'" % reason)
    c.execute("SET pgvigil.mission = '%s'" % mission)


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_policy=[("80-glass.cfg", POLICY)], changes={"records": "GRANT INSERT ON public.care_team TO pgvigil_owner;"})


def reload(own):
    since = own.proxy.log_size()
    own.proxy.hup()
    own.proxy.wait_log(r"event=reload\s", since=since, seconds=60)


def test_policy_that_ends_a_glass_and_moves_all_names_is_survived_and_on_record(make_stack):
    """The end is recorded under the names of the policy that it was broken under: of the next one the numbers mean others, or none."""
    own = make_stack(extra_policy=[("80-glass.cfg", POLICY)])
    pid = own.proxy.pid
    with own.connect("medic0", application_name="moved") as c:
        enter(c)
        assert c.execute("SELECT id FROM patients").fetchall() == [(1,)]
        path = own.policy / "80-glass.cfg"
        path.write_text(path.read_text().replace('"glass"; purpose = "ETREAT"; ' + GLASS, '"glass"; purpose = "ETREAT";'))
        (own.policy / "00-first.cfg").write_text("missions = ( %s );\nroles = ( %s );\n" % tuple(
            ",".join(form % n for n in range(40)) for form in ('{ name = "zero%d"; }', '{ name = "nobody%d"; missions = [ "zero1" ]; }')))
        own.deploy()
        reload(own)
        assert c.execute("SELECT id FROM patients").fetchall() == [(1,)]
        assert own.proxy.alive() and own.proxy.pid == pid
        ends = [r for r in own.audit_records() if r.get("event") == "break-glass-end"]
        assert [(r["person"], r["role"], r["mission"], r["patient"]) for r in ends] == [("medic0", "medic", "glass", "1")]


@pytest.mark.parametrize("reason", [
    "\u200b\u200c\u200d\u2060\ufeff\u200b\u200c \u200c\u200b\u200d\u200b\u200c\u200d\u200b \u200d\u200c\u200d\u200b\u200c\u200d\u200b", "\u3164\uffa0" * 4 + " " + "\uffa0" * 8 + " " + "\u3164" * 8,
    "\xe9" * 8 + " " + "\xe0" * 8 + " " + "\xe8" * 8, "urgence ur\u200bgence urg\u200bence", "\xa0\u2003" * 10])
def test_reason_that_nobody_can_read_is_none(stack, reason):
    with stack.connect("medic15") as c:
        with pytest.raises(errors.InsufficientPrivilege, match="pgvigil.reason"):
            enter(c, reason=reason)
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("plain",)


def test_reason_of_the_last_time_is_not_another_by_what_nobody_sees(stack):
    with stack.connect("medic16") as c:
        enter(c, reason="arr\xeat cardiaque aux urgences")
        for reason in ("ARR\xcaT cardiaque aux urgences", "arr\xeat\xa0cardiaque aux urgences", "arr\xeat car\u200bdiaque aux urgences\ufeff", "arr\xeat card iaque auxurgences"):
            c.execute("SET pgvigil.mission = 'plain'")
            with pytest.raises(errors.InsufficientPrivilege, match="last time"):
                enter(c, reason=reason)
        enter(c, reason="arr\xeat respiratoire aux urgences")
        assert c.execute("SELECT id FROM patients").fetchall() == [(1,)]


def test_reason_too_long_for_the_alert_program_breaks_no_glass(make_stack, tmp_path):
    """One string of the environment has 128 KiB at most: with more nobody was told. As long as it may be, it is."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nenv -0 > %s/new && mv %s/new %s/told\n" % ((tmp_path,) * 3))
    program.chmod(0o755)
    own = make_stack(extra_policy=[("80-glass.cfg", POLICY)], config='alert = { command = "%s"; };' % program)
    long = (GOOD + ", and so on, ") * 4000
    with own.connect("medic0", application_name="a" * 60 + "\xe9" * 1000) as c:
        assert c.execute("SHOW application_name").fetchone() == ("a" * 60 + "\xe9",)
        for name, value in (("reason", long), ("patient", "1" * 4097)):
            with pytest.raises(errors.ProgramLimitExceeded, match="pgvigil." + name):
                c.execute("SET pgvigil.%s = '%s'" % (name, value))
        with pytest.raises(errors.ProgramLimitExceeded, match="search_path"):
            c.execute("SET search_path = " + ", ".join("public" for _ in range(1000)))
        assert c.execute("SHOW search_path").fetchone() == ("public",)
        c.execute("SET application_name = '%s'" % ("b" * 200000))
        enter(c, reason=long[:4096])
        assert c.execute("SELECT id FROM patients").fetchall() == [(1,)]
        deadline = time.monotonic() + 20
        while not (tmp_path / "told").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        facts = dict(pair.split("=", 1) for pair in (tmp_path / "told").read_text().split("\0") if pair)
        assert facts["PGVIGIL_REASON"] == long[:4096] and facts["PGVIGIL_APPLICATION"] == "b" * 63
        (begin,) = [r for r in own.audit_records() if r.get("event") == "break-glass-begin"]
        assert begin["reason"] == long[:4096]
    assert "alert-failed" not in own.proxy.log.read_text()


SLOW = "UPDATE patients SET phone = phone WHERE id = 1"  # waits for a lock
READ = "SELECT id, phone FROM patients"
COPY = "COPY care_team (id, patient_id, practitioner, part, starts_on) FROM STDIN"


def ran(sql):
    return wire.parse(sql) + wire.bind() + wire.execute()


def test_nothing_that_was_sent_ahead_runs_when_the_minutes_are_over(stack):
    """Behind something slow in the same text, in the same group, in the next message; a COPY that was left open. And its twin in time."""
    ways = {"text": wire.query(SLOW + "; " + READ), "block": wire.query("BEGIN; %s; %s; COMMIT" % (SLOW, READ)), "query": wire.query(SLOW) + wire.query(READ),
            "group": ran(SLOW) + ran(READ) + wire.SYNC, "groups": ran(SLOW) + wire.SYNC + ran(READ) + wire.SYNC}
    answers = {"text": 1, "block": 1, "query": 2, "group": 1, "groups": 2}
    sessions = {}
    with stack.superuser(autocommit=False) as su:
        (rpps,) = su.execute("SELECT rpps FROM practitioners WHERE rpps NOT IN (SELECT practitioner FROM care_team WHERE patient_id = 1) LIMIT 1").fetchone()
        su.execute("SELECT FROM patients WHERE id = 1 FOR UPDATE")
        for number, (mission, way) in enumerate((m, w) for m in ("minute", "glass") for w in [*ways, "copy"]):
            raw = wire.open_session(stack, "medic%d" % number)
            raw.socket.settimeout(30)
            for text in ("SET pgvigil.patient = '1'", "SET pgvigil.reason = '%s'" % GOOD, "SET pgvigil.mission = '%s'" % mission):
                assert wire.error_of(raw.query(text)) is None
            raw.send(ways.get(way, wire.query(COPY)))
            if way == "copy":
                raw.until("G")
            sessions[mission, way] = raw
        time.sleep(63)
        su.rollback()
    for mission in ("glass", "minute"):
        for way in ways:
            got = [m for _ in range(answers[way]) for m in sessions[mission, way].until("Z")]
            rows = [int(r[0]) for r in wire.rows_of(got)]
            assert rows == ([1] if mission == "glass" else []), (mission, way)
            error = wire.error_of(got)
            assert (error and error["C"]) == (None if mission == "glass" else "57014" if way in ("text", "block") else "42501"), (mission, way)
        raw = sessions[mission, "copy"]
        row = "\t".join(["9000001", "1", rpps, "attending", "2024-01-01"]) + "\n"
        raw.send(wire.message("d", row.encode()) + wire.message("c"))
        got = raw.until("Z")
        with stack.superuser() as su:
            count = su.execute("SELECT count(*) FROM care_team WHERE id = 9000001").fetchone()[0]
            assert count == (1 if mission == "glass" else 0)
            assert (wire.tag_of(got) == "COPY 1") == (mission == "glass"), got
            su.execute("DELETE FROM care_team WHERE id = 9000001")
        # What stands in the way of an answer is gone, and the mission with it.
        raw.query("ROLLBACK")
        got = raw.query("SHOW pgvigil.mission")
        assert wire.rows_of(got) == [(b"glass" if mission == "glass" else b"plain",)]
    for raw in sessions.values():
        raw.close()
