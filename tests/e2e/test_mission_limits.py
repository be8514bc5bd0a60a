"""Limits of a mission: rows in a statement and in an hour, hours, addresses: asked when it is chosen and at each statement."""
import datetime
import threading
import time

import missions_walk
import psycopg
import pytest
import wire
from psycopg import errors


def at(minutes):
    return (datetime.datetime.now() + datetime.timedelta(minutes=minutes)).strftime("%H:%M")


def policy():
    """Missions that are open and closed now, here and elsewhere, whatever the time."""
    return """
missions = (
  { name = "open";    hours = [ "%(soon)s-%(later)s", "%(ago)s-%(next)s" ]; addresses = [ "10.0.0.0/8", "127.0.0.0/8" ]; },
  { name = "closed";  hours = [ "%(soon)s-%(later)s" ]; },
  { name = "away";    addresses = [ "10.0.0.0/8", "::1", "::/0" ]; },
  { name = "few";     rows_per_hour = 1000; },
  { name = "fewer";   rows_per_hour = 50; max_rows = 20; },
  { name = "glass";   addresses = [ "10.0.0.0/8" ]; break_glass = { reason_min = 1; minutes = 1; }; }
);
roles = ( { name = "clerk"; missions = [ "open", "closed", "away", "few", "fewer", "glass" ]; default = "open"; },
          { name = "late"; missions = [ "closed" ]; },
          { name = "root"; unrestricted = true; missions = [ "away", "open", "few" ]; default = "open"; } );
rules = ( { roles = [ "clerk", "late" ]; missions = [ "open", "closed", "away", "fewer" ]; tables = [ "public.patients" ]; columns = { admin = "show"; }; },
  { roles = [ "clerk" ]; missions = [ "few" ]; tables = [ "public.patients" ]; columns = { admin = "show"; contact = "show"; }; update = [ "phone" ]; } );
users = ( %(users)s );
""" % {"soon": at(120), "later": at(180), "ago": at(-60), "next": at(60), "users": ",".join(
        '{ name = "%s"; auth = "scram"; secret = "%s"; roles = [ "clerk", "late", "root" ]; }' % (u, missions_walk.secret(u))
        for u in ["clerk%d" % n for n in range(8)])}


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_policy=[("80-limits.cfg", policy())])


def count(c):
    return c.execute("SELECT count(*) FROM patients").fetchone()[0]


def read(c, rows):
    return len(c.execute("SELECT p.id FROM patients p, generate_series(1, 10) LIMIT %d" % rows).fetchall())


def reload(own, old, new):
    path = own.policy / "80-limits.cfg"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    since = own.proxy.log_size()
    own.proxy.hup()
    own.proxy.wait_log(r"event=reload\s", since=since, seconds=60)


# ---- hours and addresses --------------------------------------------------------------------------------------------------------

def test_open_mission_works(stack):
    with stack.connect("clerk0") as c:
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("open",) and count(c) == 600
        c.execute("SET pgvigil.mission = 'open'")
        assert count(c) == 600
    with stack.connect("clerk0", mission="open") as c:
        assert count(c) == 600


@pytest.mark.parametrize("mission,limit", [("closed", "hours"), ("away", "addresses")])
def test_closed_mission_cannot_be_chosen(stack, mission, limit):
    with stack.connect("clerk0") as c:
        for text in ("SET pgvigil.mission = '%s'", "BEGIN; SET LOCAL pgvigil.mission = '%s'; SELECT count(*) FROM patients; COMMIT"):
            with pytest.raises(errors.InsufficientPrivilege) as caught:
                c.execute(text % mission)
            for word in (limit, '"%s"' % mission, '"clerk"'):
                assert word in str(caught.value)
            c.execute("ROLLBACK")
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("open",) and count(c) == 600
    with pytest.raises(psycopg.OperationalError, match=limit):
        stack.connect("clerk0", mission=mission)


def test_closed_mission_by_default_lets_in_and_gives_nothing(stack):
    with stack.connect("clerk0", role="late") as c:
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("closed",)
        with pytest.raises(errors.InsufficientPrivilege, match="hours"):
            count(c)
        with pytest.raises(errors.InsufficientPrivilege, match="hours"):
            c.execute("SELECT count(*) FROM patients WHERE id > %s", (0,), prepare=True)
        c.execute("BEGIN")
        c.execute("ROLLBACK")
        c.execute("SET pgvigil.role = 'clerk'")
        c.execute("SET pgvigil.mission = 'open'")
        assert count(c) == 600


def test_addresses_hold_for_unrestricted_roles_and_broken_glasses_too(stack):
    with stack.connect("clerk0", role="root") as c:
        assert c.execute("SELECT count(*) FROM public.patients").fetchone() == (600,)
        with pytest.raises(errors.InsufficientPrivilege, match="addresses"):
            c.execute("SET pgvigil.mission = 'away'")
        c.execute("SET pgvigil.role = 'clerk'")
        c.execute("SET pgvigil.reason = 'three different words'")
        with pytest.raises(errors.InsufficientPrivilege, match="addresses"):
            c.execute("SET pgvigil.mission = 'glass'")


def test_mission_that_closes_gives_no_further_statement(make_stack):
    own = make_stack(extra_policy=[("80-limits.cfg", policy())])
    question = "SELECT count(*) FROM patients WHERE id > %s"
    with own.connect("clerk0") as idle, own.connect("clerk1") as block, own.connect("clerk2") as prepared, \
            wire.open_session(own, "clerk3") as raw:
        # Until the end of the next minute; a portal and a prepared statement are not judged again by then.
        text = (own.policy / "80-limits.cfg").read_text()
        hours = text[text.index('name = "open"'):text.index("; addresses")]
        reload(own, hours, 'name = "open"; hours = [ "%s-%s" ]' % (at(-5), at(2)))
        assert count(idle) == 600
        block.execute("BEGIN")
        assert count(block) == 600
        assert prepared.execute(question, (0,), prepare=True).fetchone() == (600,)
        raw.query("BEGIN")
        raw.send(wire.parse("SELECT id FROM patients ORDER BY id") + wire.bind([], "p") + wire.execute("p", 1) + wire.SYNC)
        assert wire.rows_of(raw.until("Z")) == [(b"1",)]
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            try:
                count(idle)
                time.sleep(0.2)
            except errors.InsufficientPrivilege as error:
                assert "hours" in str(error)
                break
        else:
            raise AssertionError("the mission does not close")
        with pytest.raises(errors.InsufficientPrivilege, match="hours"):
            prepared.execute(question, (0,), prepare=True)
        with pytest.raises(errors.InsufficientPrivilege, match="hours"):
            count(block)
        block.execute("COMMIT")
        raw.send(wire.execute("p", 1) + wire.SYNC)
        got = raw.until("Z")
        assert wire.error_of(got)["C"] == "42501" and not wire.rows_of(got)


# ---- rows -------------------------------------------------------------------------------------------------------------------------

def test_rows_of_a_statement(stack):
    with stack.connect("clerk0", mission="fewer") as c:
        assert read(c, 20) == 20
        with pytest.raises(errors.ProgramLimitExceeded) as caught:
            read(c, 21)
        for word in ("max_rows", '"fewer"', '"clerk"', "20 rows"):
            assert word in str(caught.value)


def test_rows_of_an_hour_are_a_persons_over_all_sessions(stack):
    got = 0
    with stack.connect("clerk1", mission="few") as one, stack.connect("clerk1", mission="few") as two, stack.connect("clerk1", mission="few") as three:
        for c in (one, two, three):
            got += read(c, 300)
        assert got == 900
        with pytest.raises(errors.ProgramLimitExceeded) as caught:
            read(two, 200)
        for word in ("rows_per_hour", '"few"', '"clerk"', "1000 rows"):
            assert word in str(caught.value)
        for c in (one, two, three):
            with pytest.raises(errors.ProgramLimitExceeded, match="rows_per_hour"):
                count(c)
            with pytest.raises(errors.ProgramLimitExceeded, match="rows_per_hour"):
                c.execute("SELECT count(*) FROM patients WHERE id > %s", (0,), prepare=True)
        # A failed block can be ended, another mission has its own, and so has another person.
        one.execute("BEGIN")
        with pytest.raises(errors.ProgramLimitExceeded):
            count(one)
        one.execute("ROLLBACK")
        one.execute("SET pgvigil.mission = 'open'")
        assert count(one) == 600
    with stack.connect("clerk1", mission="few") as again, pytest.raises(errors.ProgramLimitExceeded):
        count(again)
    with stack.connect("clerk2", mission="few") as other:
        assert read(other, 1000) == 1000
        with pytest.raises(errors.ProgramLimitExceeded):
            read(other, 1)


def test_rows_of_an_hour_hold_for_many_sessions_at_once(stack):
    sums = [0] * 8

    def work(number):
        with stack.connect("clerk3", mission="few") as c:
            for _ in range(20):
                try:
                    sums[number] += read(c, 15)
                except errors.ProgramLimitExceeded:
                    return

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(sums))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 500 < sum(sums) <= 1000, sums


def test_rows_that_did_not_come_are_not_counted(stack):
    with stack.connect("clerk4", mission="fewer") as c:
        for _ in range(60):
            assert c.execute("SELECT id FROM patients WHERE id < 0").fetchall() == []
            with pytest.raises(errors.DivisionByZero):
                c.execute("SELECT 1/0")
        assert read(c, 20) + read(c, 20) + read(c, 10) == 50
        with pytest.raises(errors.ProgramLimitExceeded, match="rows_per_hour"):
            c.execute("SELECT id FROM patients WHERE id < 0")


def test_rows_of_unrestricted_roles_are_not_limited(stack):
    with stack.connect("clerk5", role="root", mission="few") as c:
        assert len(c.execute("SELECT generate_series(1, 3000)").fetchall()) == 3000


def test_what_writes_returns_no_rows_of_an_hour(stack):
    """The error in their place would say of a write that it failed, which the server commits."""
    def written():
        with stack.superuser() as su:
            return su.execute("SELECT count(*) FROM patients WHERE phone = 'hourly'").fetchone()[0]

    write = "UPDATE patients SET phone = 'hourly' WHERE id < 10"
    with stack.connect("clerk6", mission="few") as c:
        for text in (write + " RETURNING id", "WITH w AS (%s) SELECT id FROM patients" % write, write + "; SELECT id FROM patients"):
            with pytest.raises(errors.FeatureNotSupported, match="rows_per_hour"):
                c.execute(text)
            assert written() == 0
        c.execute(write)
        assert written() == 9


def test_rows_of_cursors_and_copies_count(stack):
    with stack.connect("clerk7", mission="few") as c:
        with c.transaction():
            c.execute("DECLARE r CURSOR FOR SELECT p.id FROM patients p, generate_series(1, 10)")
            assert len(c.execute("FETCH 700 FROM r").fetchall()) == 700
            with c.cursor().copy("COPY (SELECT id FROM patients ORDER BY id LIMIT 200) TO STDOUT") as copy:
                assert len(list(copy.rows())) == 200
            with pytest.raises(errors.ProgramLimitExceeded, match="rows_per_hour"), c.transaction():
                c.execute("FETCH 200 FROM r")
            with pytest.raises(errors.ProgramLimitExceeded, match="rows_per_hour"):
                c.execute("FETCH 1 FROM r")
                c.execute("FETCH 100 FROM r")
        with pytest.raises(errors.ProgramLimitExceeded, match="rows_per_hour"):
            c.execute("COPY (SELECT id FROM patients) TO STDOUT")
