"""
Who a session is stands ready in words for 512 sessions of an event loop; more than that share places. Here people meet in one place
again and again, put each other out of it, and leave it to sessions that come after them: each reads what her own role and mission
show, as before the crowd came, and each record names who asked.
"""
import random
import socket

import pytest

PLACES = 512
PEOPLE = (("nurse1", "care"), ("nurse2", "care"), ("dr.martin", "care"), ("reception1", "admission"), ("billing1", "billing"),
          ("research1", "research"))
QUESTIONS = ("SELECT count(*) FROM patients", "SELECT * FROM patients ORDER BY id LIMIT 2", "SHOW pgvigil.mission")


@pytest.fixture(scope="module")
def one_loop(make_stack):
    return make_stack(pool=3, workers=1)


def answers(connection):
    return [connection.execute(q).fetchall() for q in QUESTIONS]


def pass_by(stack, count):
    """Connections that say nothing: each takes a session's number."""
    for _ in range(count):
        socket.create_connection(("127.0.0.1", stack.port)).close()


def number_of(stack, application):
    return next(r["session"] for r in stack.audit_records() if r.get("event") == "connect" and r.get("application") == application)


def come(stack, who, application):
    return stack.connect(who[0], mission=who[1], autocommit=True, application_name=application)


def test_people_who_share_a_place_stay_themselves(one_loop):
    expected = {}
    for who in PEOPLE:
        with come(one_loop, who, "alone") as c:
            expected[who] = answers(c)
    assert len({str(e) for e in expected.values()}) == len(PEOPLE), "the questions do not tell the people apart"
    rnd, present, step = random.Random(4), {}, 16
    # Rows of sessions whose numbers are a multiple of the places apart, within a few: some meet in each place.
    for row in range(3):
        for i in range(step):
            name = "p%d-%d" % (row, i)
            who = PEOPLE[(row * 2 + i) % len(PEOPLE)]
            present[name] = (who, come(one_loop, who, name))
        pass_by(one_loop, PLACES - step)
    numbers = {name: number_of(one_loop, name) % PLACES for name in present}
    shared = [a for a in present for b in present if a != b and numbers[a] == numbers[b] and present[a][0] != present[b][0]]
    assert len(set(shared)) > step, "too few people meet in a place"
    names = list(present)
    for _ in range(12):
        rnd.shuffle(names)
        for name in names:
            who, connection = present[name]
            assert answers(connection) == expected[who], (name, who)
    # Half of them go, and others come into their places.
    for name in names[::2]:
        present.pop(name)[1].close()
    pass_by(one_loop, PLACES - step)
    for i in range(step):
        who = PEOPLE[i % len(PEOPLE)]
        present["late-%d" % i] = (who, come(one_loop, who, "late-%d" % i))
    for _ in range(6):
        for name, (who, connection) in present.items():
            assert answers(connection) == expected[who], (name, who)
    for who, connection in present.values():
        connection.close()
    told = one_loop.audit_records()
    people = {name: who for name, (who, _) in present.items()}
    people.update({"p%d-%d" % (row, i): PEOPLE[(row * 2 + i) % len(PEOPLE)] for row in range(3) for i in range(step)})
    seen = dict.fromkeys(people, 0)
    for record in told:
        who = people.get(record.get("application"))
        if who is None or "sql" not in record:
            continue
        assert (record["person"], record["login"], record["mission"]) == (who[0], who[0], who[1]), record
        seen[record["application"]] += 1
    assert all(count >= 12 for count in seen.values()), seen


def test_one_who_changes_is_not_who_she_was(one_loop):
    """What stands ready is of a moment: a mission, a reason and a name of hers that she changes are the next statement's."""
    with come(one_loop, ("dr.martin", "care"), "changing") as c, come(one_loop, ("nurse1", "care"), "other") as other:
        for turn in range(30):
            mission = ("care", "research")[turn % 2]
            c.execute("SET pgvigil.mission = '%s'" % mission)
            c.execute("SET application_name = 'turn-%d'" % turn)
            rows = c.execute("SELECT count(*) FROM patients").fetchall()
            other.execute("SELECT 1 FROM patients LIMIT 1")
            with come(one_loop, ("dr.martin", mission), "alone") as alone:
                assert rows == alone.execute("SELECT count(*) FROM patients").fetchall()
    told = {r["application"]: r for r in one_loop.audit_records() if "sql" in r and "count" in r["sql"] and str(r.get("application")).startswith("turn-")}
    assert len(told) == 30
    for name, record in told.items():
        assert record["mission"] == ("care", "research")[int(name[5:]) % 2] and record["person"] == "dr.martin", record
