"""
What a worker has judged once is used again by other sessions: each gets what it would get alone. Every script runs twice, on a pgvigil that
keeps nothing and on one that keeps all (one worker, so that all sessions share), statement by statement in the same order; the answers of
the two must be the same, and the person-dependent ones what PostgreSQL says of that person's rows.
"""
import random
import re

import harness
import psycopg
import pytest
import wire

SECRET = re.search(r'name = "nurse1".*?secret = "([^"]+)"', (harness.CLINIC / "policy" / "50-users.cfg").read_text(encoding="utf-8"), re.S).group(1)
USERS = """users = (
  { name = "nurse7"; auth = "scram"; secret = "%s"; roles = [ "nurse" ]; attributes = { rpps = "10000000652"; }; }
);
""" % SECRET


@pytest.fixture(scope="module")
def stacks(make_stack):
    made = [make_stack(extra_policy=[("60-more.cfg", USERS)], config=line, workers=1) for line in
            ("limits = { statement_cache_bytes = 0; };", "limits = { statement_cache_bytes = 33554432; };")]
    return made


def answers(stack, script):
    """Of (person, statement or (statement, parameters)) in turn, each person's in one session."""
    sessions = {}
    told = []
    try:
        for person, sql in script:
            if person not in sessions:
                sessions[person] = stack.connect(person, password="nurse1-demo") if person == "nurse7" else stack.connect(person)
            c = sessions[person]
            sql, parameters = (sql, None) if isinstance(sql, str) else sql
            try:
                cursor = c.execute(sql, parameters)
                told.append((person, sql, cursor.statusmessage, sorted(map(repr, cursor.fetchall())) if cursor.description else None))
            except psycopg.Error as error:
                told.append((person, sql, error.sqlstate, str(error).splitlines()[0]))
    finally:
        for c in sessions.values():
            c.close()
    return told


def both(stacks, script):
    without, kept = (answers(stack, script) for stack in stacks)
    assert kept == without
    return kept


PATIENTS = "SELECT id, family_name FROM patients WHERE id < 200"


def test_people_of_a_pair_share_and_see_their_own_rows(stacks):
    told = both(stacks, [(person, PATIENTS) for person in ("nurse1", "nurse2", "nurse1", "nurse2", "nurse1")])
    assert told[0][3] == told[2][3] and told[1][3] == told[3][3] and told[0][3] != told[1][3]
    for person, wards in (("nurse1", "(1, 2)"), ("nurse2", "(3)")):
        with stacks[1].superuser() as c:
            expected = sorted(map(repr, c.execute("SELECT id, family_name FROM patients WHERE id < 200 AND ward_id IN %s" % wards).fetchall()))
        assert [t[3] for t in told if t[0] == person][0] == expected


@pytest.mark.parametrize("order", [("nurse1", "nurse7"), ("nurse7", "nurse1")])
def test_person_without_the_attribute_is_refused_whoever_came_before(stacks, order):
    told = both(stacks, [(person, PATIENTS + " AND true") for person in order * 2])
    for person, _, status, _ in told:
        assert (status == "42501") == (person == "nurse7"), told


def test_other_roles_and_missions_are_judged_for_themselves(stacks):
    sql = "SELECT phone FROM patients WHERE id = 7"
    told = both(stacks, [("nurse1", sql), ("research1", sql), ("reception1", sql), ("nurse1", sql), ("admin1", sql), ("research1", sql)])
    assert len({repr(t[2:]) for t in told}) > 1
    # Two roles in one mission, of which one sees the number: in either order.
    sql = "SELECT nir FROM patients WHERE id < 400"
    told = both(stacks, [("dr.martin", sql), ("nurse1", sql), ("dr.martin", sql)])
    assert told[0][3] and told[0][2:] == told[2][2:] and told[1][2] == "42703"
    told = both(stacks, [("nurse1", sql + " AND true"), ("dr.martin", sql + " AND true")])
    assert told[0][2] == "42703" and told[1][3]


def test_mission_changes_what_the_same_text_gives(stacks):
    sql = "SELECT count(*) FROM patients"
    script = [("nurse1", sql), ("nurse1", "SET pgvigil.reason = 'Arret cardiaque chambre 12, patient inconscient'"), ("nurse1", "SET pgvigil.patient = '7'"),
              ("nurse1", "SET pgvigil.mission = 'emergency'"), ("nurse1", sql), ("nurse2", sql), ("nurse1", "RESET pgvigil.mission"), ("nurse1", sql)]
    told = both(stacks, script)
    assert told[0][3] == told[-1][3]


def test_search_path_is_part_of_what_was_judged(stacks):
    sql = "SELECT count(*) FROM patients"
    told = both(stacks, [("nurse1", sql), ("nurse1", "SET search_path = pg_catalog"), ("nurse1", sql), ("nurse2", sql), ("nurse1", "SET search_path = public"), ("nurse1", sql)])
    assert told[2][2] == "42P01" and told[5][3] == told[0][3]


def test_parameter_types_are_part_of_what_was_judged(stacks):
    for stack in stacks:
        with wire.open_session(stack, "nurse1") as raw:
            text = b"SELECT $1 IS NULL"
            for oid, allowed in ((23, True), (1033, False), (25, True), (1033, False), (23, True)):
                raw.send(wire.message("P", b"\0" + text + b"\0" + b"\0\1" + oid.to_bytes(4, "big")) + wire.SYNC)
                got = raw.until("Z")
                assert (wire.error_of(got) is None) == allowed, (oid, got)


def test_one_text_by_both_protocols(stacks):
    for stack in stacks:
        with wire.open_session(stack, "nurse1") as raw:
            for extended in (False, True, False, True):
                raw.send(wire.message("P", b"\0SELECT 1; SELECT 2\0\0\0") + wire.SYNC if extended else wire.query("SELECT 1; SELECT 2"))
                assert (wire.error_of(raw.until("Z")) or {}).get("C") == ("42601" if extended else None)


SHAPES = ["SELECT id, family_name FROM patients WHERE id = %d AND birth_date > '%s'::date ORDER BY 1", "SELECT count(*) FROM stays WHERE patient_id IN (%d, %d, %d)",
          "SELECT id FROM patients WHERE family_name = 'x%s' OR id BETWEEN %d AND %d ORDER BY id LIMIT %d", "UPDATE patients SET phone = '%s' WHERE id = %d",
          # errors of PostgreSQL's, with their places
          "SELECT id FROM patients WHERE id > %d AND family_name = %d", "SELECT id FROM patients WHERE id = '%s' AND ward_id = 1", "SELECT %d / 0 FROM wards WHERE id < %d"]


def test_other_constants_give_what_judging_them_gives(stacks):
    """Places and all; each shape many times, by two people."""
    draw = random.Random(20261126)
    script = []
    for _ in range(12):
        for shape in SHAPES:
            values = tuple(draw.choice(["1980-01-01", "O''Brien", "é", "--", "12", "a;b", ""]) if kind == "s" else draw.choice([0, 7, 42, 123456, 999999999])
                           for kind in re.findall("%([ds])", shape))
            script.append((draw.choice(["nurse1", "nurse2"]), shape % values))
    told = []
    for stack in stacks:
        raw = {person: wire.open_session(stack, person) for person in ("nurse1", "nurse2")}
        got = []
        for person, sql in script:
            raw[person].send(wire.query(sql))
            got.append((person, sql, sorted((kind, wire.fields(body) if kind == "E" else body) if kind != "E" else (kind, tuple(sorted(wire.fields(body).items())))
                                            for kind, body in raw[person].until("Z") if kind not in "SN")))
        for one in raw.values():
            one.close()
        told.append(got)
    for without, kept in zip(*told):
        assert [m for m in kept[2] if m[0] != "T"] == [m for m in without[2] if m[0] != "T"], kept[:2]
    assert sum(1 for _, _, messages in told[1] for kind, body in messages if kind == "E" and any(k == "P" for k, _ in body)) > 10


def test_unnamed_statement_known_to_the_server_fails_as_it_would(stacks):
    """A text that is sent twice in a row is not parsed by the server twice: not in a failed transaction either, and not after DDL."""
    texts = [b"SELECT count(*) FROM wards", b"SELECT 1 / (id - id) FROM wards", b"SELECT count(*) FROM wards", b"SELECT count(*) FROM wards"]
    told = []
    for stack in stacks:
        with wire.open_session(stack, "nurse1") as raw:
            got = []
            for text in [b"BEGIN"] + texts + [b"ROLLBACK"] + texts:
                raw.send(wire.message("P", b"\0" + text + b"\0" + b"\0\0") + wire.message("B", b"\0\0" + b"\0" * 6) + wire.message("E", b"\0" + b"\0" * 4) + wire.SYNC)
                got.append([(kind, wire.fields(body)["C"] if kind == "E" else body) for kind, body in raw.until("Z") if kind not in "SN"])
            told.append(got)
    assert told[0] == told[1]
    assert [kind for kind, _ in told[1][3]][0] == "E"  # Parse in the failed block


def test_own_answers_leave_with_a_flush_and_with_the_rest(stacks):
    """The Parse of a text that is known is answered here: at once where the client asked, and never later than its group's rest."""
    stack, _ = stacks
    sql = "SELECT id, ward_id FROM patients ORDER BY id LIMIT 1"
    with wire.open_session(stack, "nurse1") as raw:
        for _ in range(3):
            raw.send(wire.parse(sql) + wire.bind() + wire.execute() + wire.SYNC)
            assert [kind for kind, _ in raw.until("Z")] == ["1", "2", "D", "C", "Z"]
            # Nothing is owed behind it.
            raw.send(wire.parse(sql) + wire.FLUSH)
            assert raw.receive()[0] == "1"
            # Asked for before something that the server owes and nobody asks it for yet.
            raw.send(wire.bind() + wire.parse(sql, "other") + wire.FLUSH + wire.parse(sql) + wire.bind())
            assert [raw.receive()[0] for _ in range(2)] == ["2", "1"]
            raw.send(wire.FLUSH)
            assert [raw.receive()[0] for _ in range(2)] == ["1", "2"]
            raw.send(wire.parse(sql) + wire.FLUSH + wire.describe())
            assert raw.receive()[0] == "1"
            raw.send(wire.execute() + wire.close("S", "other") + wire.SYNC)
            assert [kind for kind, _ in raw.until("Z")] == ["T", "D", "C", "3", "Z"]
            # A refusal of pgvigil's own behind them.
            raw.send(wire.parse(sql) + wire.bind() + wire.parse("SELECT nir FROM patients") + wire.SYNC)
            assert [kind for kind, _ in raw.until("Z")] == ["1", "2", "E", "Z"]


def test_reload_forgets(stacks):
    stack = stacks[1]
    rule = stack.policy / "40-rules-care.cfg"
    good = rule.read_text(encoding="utf-8")
    sql = "SELECT phone FROM patients WHERE id = 7"
    with stack.connect("nurse1") as c, stack.connect("nurse2") as other:
        for session in (c, other, c):
            session.execute(sql)
        found = re.search(r'contact = "show"; (?=[^}]*}; }[^}]*\{ roles = \[ "nurse" \])', good) or re.search(r'contact = "show"; ', good)
        rule.write_text(good.replace(found.group(0), ""), encoding="utf-8")
        try:
            stack.deploy()
            since = stack.proxy.log_size()
            stack.proxy.hup()
            stack.proxy.wait_log(r"event=reload\s", since=since, seconds=60)
            for session in (c, other):
                with pytest.raises(psycopg.errors.UndefinedColumn):
                    session.execute(sql)
        finally:
            rule.write_text(good, encoding="utf-8")
            stack.deploy()
            since = stack.proxy.log_size()
            stack.proxy.hup()
            stack.proxy.wait_log(r"event=reload\s", since=since, seconds=60)
        for session in (c, other):
            session.execute(sql)
