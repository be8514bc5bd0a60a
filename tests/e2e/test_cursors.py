"""
Cursors of restricted roles: DECLARE, FETCH, MOVE, CLOSE as PostgreSQL does them on the views that the test writes, by both protocols and
mixed; what each FETCH reads is on record; cursors end with the mission and the person.
"""
import time

import pytest
import wire
from side_by_side import Both, extended
from test_oracle import PAIRS, oracles, stack  # noqa: F401

NURSE, DESK, RESEARCH = PAIRS
SYNC = wire.SYNC
Q = "SELECT id, sex FROM patients ORDER BY id"

# Steps: SQL, or bytes. Each list is a session of its own, on both sides.
SCRIPTS = {
    "forward": ["BEGIN", "DECLARE c CURSOR FOR " + Q, "FETCH c", "FETCH 3 FROM c", "FETCH FORWARD 2 IN c", "FETCH NEXT c", "FETCH ALL c", "FETCH c",
                "CLOSE c", "FETCH c", "COMMIT"],
    "scroll": ["BEGIN", "DECLARE c SCROLL CURSOR FOR " + Q, "FETCH LAST c", "FETCH FIRST c", "FETCH ABSOLUTE 5 c", "FETCH RELATIVE -2 c", "FETCH PRIOR c",
               "FETCH BACKWARD ALL c", "FETCH 0 c", "MOVE 4 c", "FETCH c", "MOVE FORWARD ALL IN c", "MOVE BACKWARD 2 c", "FETCH c", "MOVE ABSOLUTE 0 c",
               "FETCH 2 c", "COMMIT"],
    "no scroll": ["BEGIN", "DECLARE c NO SCROLL CURSOR FOR " + Q, "FETCH 2 c", "FETCH PRIOR c", "FETCH c", "ROLLBACK"],
    "options": ["BEGIN", "DECLARE a ASENSITIVE CURSOR WITHOUT HOLD FOR " + Q, "DECLARE b INSENSITIVE SCROLL CURSOR FOR " + Q, "FETCH 2 a", "FETCH LAST b",
                "DECLARE d BINARY INSENSITIVE CURSOR FOR " + Q, "FETCH 2 d", "CLOSE ALL", "FETCH a", "ROLLBACK"],
    "binary": ["BEGIN", "DECLARE c BINARY CURSOR FOR " + Q, "FETCH 2 c", extended("FETCH 2 c") + SYNC, extended("FETCH 2 c", formats=(1,)) + SYNC, "COMMIT"],
    "queries": ["BEGIN", "DECLARE c CURSOR FOR WITH p AS (" + Q + ") SELECT count(*) FROM p", "FETCH c", "DECLARE d CURSOR FOR VALUES (1), (2)", "FETCH ALL d",
                "DECLARE e CURSOR FOR SELECT id FROM wards ORDER BY 1", "FETCH 5 e", "COMMIT"],
    "outside a transaction": ["DECLARE c CURSOR FOR SELECT 1", "FETCH c", "CLOSE c", "CLOSE ALL", "MOVE c"],
    "one text": ["BEGIN; DECLARE c CURSOR FOR " + Q + "; FETCH 2 c; MOVE 1 c; FETCH c; CLOSE c; COMMIT", "FETCH c",
                 "DECLARE c CURSOR FOR " + Q + "; FETCH 2 c; CLOSE c; DECLARE c CURSOR FOR SELECT 7; FETCH c", "FETCH c"],
    "two of one name": ["BEGIN", "DECLARE c CURSOR FOR SELECT 1", "DECLARE c CURSOR FOR SELECT 2", "FETCH c", "ROLLBACK", "BEGIN",
                        "DECLARE c CURSOR FOR SELECT 3", "FETCH c", "COMMIT"],
    "names": ["BEGIN", 'DECLARE "C" CURSOR FOR SELECT 1', "DECLARE C CURSOR FOR SELECT 2", 'FETCH "C"', "FETCH c", 'FETCH "c"',
              'DECLARE "a""; FETCH ALL FROM ""c" CURSOR FOR SELECT 3', 'FETCH "a""; FETCH ALL FROM ""c"', 'DECLARE U&"\\00E9t\\00E9" CURSOR FOR SELECT 4', 'FETCH "été"',
              'FETCH U&"!00E9t!00E9" UESCAPE \'!\'', 'DECLARE "for" CURSOR FOR SELECT 5', 'FETCH "for"', "DECLARE cursor CURSOR FOR SELECT 6", "FETCH cursor",
              'DECLARE "all" CURSOR FOR SELECT 8', 'FETCH ALL "all"', 'CLOSE "all"', "FETCH ALL FROM c", "COMMIT"],
    "long names": ["BEGIN", "DECLARE " + "n" * 70 + " CURSOR FOR SELECT 1", "FETCH " + "n" * 63, "CLOSE " + "n" * 64, "COMMIT"],
    "savepoints": ["BEGIN", "DECLARE a CURSOR FOR SELECT 1 FROM generate_series(1, 9)", "SAVEPOINT s", "DECLARE b CURSOR FOR SELECT 2 FROM generate_series(1, 9)",
                   "FETCH a", "FETCH b", "ROLLBACK TO s", "FETCH a", "FETCH b", "ROLLBACK TO s", "DECLARE b CURSOR FOR SELECT 3 FROM generate_series(1, 9)", "FETCH b",
                   "SAVEPOINT t", "DECLARE d CURSOR FOR SELECT 4 FROM generate_series(1, 9)", "RELEASE t", "FETCH d", "CLOSE a", "ROLLBACK TO s", "FETCH d",
                   "ROLLBACK TO s", "FETCH a", "ROLLBACK"],
    "savepoints of one name": ["BEGIN", "SAVEPOINT s", "DECLARE a CURSOR FOR SELECT 1 FROM generate_series(1, 9)", "SAVEPOINT s",
                               "DECLARE b CURSOR FOR SELECT 2 FROM generate_series(1, 9)", "ROLLBACK TO s", "FETCH a", "FETCH b", "ROLLBACK TO s", "RELEASE s", "FETCH a",
                               "ROLLBACK TO s", "FETCH a", "ROLLBACK"],
    "failed": ["BEGIN", "DECLARE c CURSOR FOR SELECT 1", "SELECT 1/0", "FETCH c", "FETCH nosuch", "ROLLBACK", "FETCH c"],
    "error in a cursor": ["BEGIN", "DECLARE c CURSOR FOR SELECT 6 / (n - 3) FROM generate_series(1, 5) n", "FETCH 2 c", "SAVEPOINT s", "FETCH c", "ROLLBACK TO s", "FETCH c", "ROLLBACK"],
    "hold": ["DECLARE c CURSOR WITH HOLD FOR " + Q, "FETCH 2 c", "SELECT 1", "BEGIN", "FETCH c", "ROLLBACK", "FETCH c", "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
             "FETCH c", "CLOSE c", "FETCH c", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "FETCH c", "CLOSE ALL", "FETCH c"],
    "hold in a transaction": ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR " + Q, "DECLARE d CURSOR FOR " + Q, "FETCH c", "COMMIT", "FETCH c", "FETCH d", "BEGIN",
                              "DECLARE e CURSOR WITH HOLD FOR " + Q, "FETCH e", "ROLLBACK", "FETCH e", "FETCH c", "BEGIN", "CLOSE c", "ROLLBACK", "FETCH c"],
    "hold that fails to commit": ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT 1 / (n - 3) FROM generate_series(1, 5) n", "FETCH 1 c", "COMMIT", "FETCH c", "SELECT 1"],
    "commit of what failed": ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT 1/0", "COMMIT", "FETCH c"],
    "hold and chain": ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR " + Q, "COMMIT AND CHAIN", "FETCH c", "DECLARE d CURSOR FOR SELECT 1", "ROLLBACK AND CHAIN", "FETCH c",
                       "FETCH d", "ROLLBACK", "CLOSE c"],
    "hold in one text": ["DECLARE c CURSOR WITH HOLD FOR SELECT 1; SELECT 1/0", "FETCH c", "DECLARE c CURSOR WITH HOLD FOR SELECT 2; SELECT 1", "FETCH c", "CLOSE c",
                         "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 3; COMMIT; SELECT 1/0", "FETCH c"],
    "extended": [extended("BEGIN") + SYNC, extended("DECLARE c CURSOR FOR " + Q) + SYNC, extended("FETCH 2 FROM c") + SYNC, extended("MOVE c") + SYNC,
                 extended("FETCH ALL FROM c", rows=5) + wire.execute(rows=3) + wire.execute() + SYNC, extended("CLOSE c") + SYNC, extended("FETCH c") + SYNC, "ROLLBACK"],
    "extended at once": [extended("BEGIN") + extended("DECLARE c CURSOR FOR " + Q) + extended("FETCH 2 c", describe=False) + extended("CLOSE c") + extended("COMMIT") + SYNC,
                         extended("BEGIN") + extended("DECLARE c CURSOR FOR " + Q) + extended("FETCH c", describe=False) + extended("CLOSE c")
                         + extended("DECLARE c CURSOR FOR SELECT 7") + extended("FETCH c", describe=False) + SYNC, "FETCH c", "COMMIT"],
    "prepared": ["BEGIN", "DECLARE c CURSOR FOR " + Q, wire.parse("FETCH 2 FROM c", "f") + wire.describe("S", "f") + SYNC] + [
        wire.bind((), "", "f") + wire.describe("P") + wire.execute() + SYNC] * 3 + ["CLOSE c", "DECLARE c CURSOR FOR SELECT 7"] + [
        wire.bind((), "", "f") + wire.execute() + SYNC, "COMMIT", wire.bind((), "", "f") + wire.execute() + SYNC],
    "execute of a cursor": ["BEGIN", "DECLARE c CURSOR FOR " + Q, wire.describe("P", "c") + wire.execute("c", 2) + SYNC, "FETCH c", wire.execute("c", 2) + wire.execute("c") + SYNC,
                            wire.close("P", "c") + SYNC, "FETCH c", "ROLLBACK"],
    "execute of a cursor that is gone": ["BEGIN", "DECLARE c CURSOR FOR " + Q, "COMMIT", wire.execute("c", 2) + SYNC, wire.describe("P", "c") + SYNC],
    "fetch of a portal": ["BEGIN", wire.parse(Q) + wire.bind((), "p") + wire.execute("p", 2) + SYNC, "FETCH 2 FROM p", wire.execute("p", 2) + SYNC, "MOVE p", "FETCH p", "CLOSE p",
                          "FETCH p", "ROLLBACK"],
    "declare over a portal": ["BEGIN", "SAVEPOINT s", wire.parse(Q) + wire.bind((), "p") + SYNC, "DECLARE p CURSOR FOR SELECT 1", "ROLLBACK TO s",
                              "DECLARE p CURSOR FOR SELECT 7", "FETCH p", "COMMIT"],
    "bind over a cursor": ["BEGIN", "DECLARE c CURSOR FOR SELECT 1", "SAVEPOINT s", wire.parse(Q) + wire.bind((), "c") + wire.execute("c") + SYNC, "ROLLBACK TO s",
                           "FETCH c", wire.execute("c") + SYNC, "ROLLBACK"],
    "close by the protocol": ["BEGIN", "DECLARE c CURSOR FOR SELECT 1", wire.close("P", "c") + SYNC, "FETCH c", "ROLLBACK", wire.close("P", "nosuch") + SYNC],
    "close all ends portals": ["BEGIN", wire.parse(Q) + wire.bind((), "p") + wire.execute("p", 1) + SYNC, "CLOSE ALL", "FETCH p", "ROLLBACK"],
    "a fetched portal of a fetch": ["BEGIN", "DECLARE c CURSOR FOR " + Q, wire.parse("FETCH 6 FROM c") + wire.bind((), "p") + wire.execute("p", 2) + SYNC, "CLOSE c",
                                    "DECLARE c CURSOR FOR SELECT 7", wire.execute("p", 2) + SYNC, "FETCH c", wire.execute("p") + SYNC, "COMMIT"],
    "no such": ["FETCH nosuch", "BEGIN", "FETCH nosuch", "ROLLBACK", "CLOSE nosuch", extended("MOVE nosuch") + SYNC, 'FETCH "pgvigil refused"'],
    "parameters": ["BEGIN", extended("DECLARE c CURSOR FOR SELECT id FROM patients WHERE id > $1 ORDER BY id", ("5",)) + SYNC, "FETCH c", "ROLLBACK"],
}


@pytest.mark.parametrize("pair", [NURSE, RESEARCH])
@pytest.mark.parametrize("name", SCRIPTS)
def test_as_postgresql_does(name, pair, stack, oracles):  # noqa: F811
    with Both(stack, oracles[pair].info.dbname, PAIRS[pair][0]) as both:
        both.run(*SCRIPTS[name])


def test_the_scripts_read_something(stack, oracles):  # noqa: F811
    rows = 0
    with Both(stack, oracles[NURSE].info.dbname, "nurse1") as both:
        for script in SCRIPTS.values():
            both.run(*script)
            both.run("ROLLBACK; CLOSE ALL")
            both.run("DEALLOCATE ALL")
        rows = sum(1 for got in both.answers for kind, _ in got if kind == "D")
    assert rows > 300


# ---- what is on record ---------------------------------------------------------------------------------------------------

def records(stack, application, statement=None, seconds=5):  # noqa: F811
    """The session's statements with their ends, in order."""
    deadline = time.monotonic() + seconds
    while True:
        every = stack.audit_records()
        mine = {r["session"] for r in every if r.get("application") == application and "session" in r}
        found = [r for r in every if r.get("session") in mine and r["type"] in ("whole", "begin", "end", "more")
                 and (statement is None or r.get("statement") == statement)]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def reads(record):
    return {r["name"]: set(r.get("shown", [])) | set(r.get("masked", [])) for r in record.get("relations", [])}


BIRTHS = "SELECT id, birth_date FROM patients ORDER BY id"
# (steps, the statement whose records are looked at, what they read, their rows)
RECORDED = {
    "fetch": (["BEGIN", "DECLARE c CURSOR FOR " + BIRTHS, "FETCH 3 c", "COMMIT"], "FETCH", {"patients": {"id", "birth_date"}}, [3]),
    "move": (["BEGIN", "DECLARE c CURSOR FOR " + BIRTHS, "MOVE 3 c", "COMMIT"], "MOVE", {"patients": {"id", "birth_date"}}, [3]),
    "declare": (["BEGIN", "DECLARE c CURSOR FOR " + BIRTHS, "COMMIT"], "DECLARE CURSOR", {"patients": {"id", "birth_date"}}, [0]),
    "one text": (["BEGIN; DECLARE a CURSOR FOR SELECT id FROM wards; DECLARE c CURSOR FOR " + BIRTHS + "; FETCH 2 c; FETCH 3 c; COMMIT"], "FETCH",
                 {"patients": {"id", "birth_date"}}, [2, 3]),
    "extended": ([extended("BEGIN") + extended("DECLARE c CURSOR FOR " + BIRTHS) + extended("FETCH 3 c", describe=False) + SYNC, "COMMIT"], "FETCH",
                 {"patients": {"id", "birth_date"}}, [3]),
    "execute": (["BEGIN; DECLARE a CURSOR FOR SELECT id FROM wards; DECLARE c CURSOR FOR " + BIRTHS, wire.execute("c", 4) + SYNC, "COMMIT"], "FETCH",
                {"patients": {"id", "birth_date"}}, [4]),
    "portal": (["BEGIN", wire.parse(BIRTHS) + wire.bind((), "p") + SYNC, "FETCH 5 FROM p", "COMMIT"], "FETCH", {"patients": {"id", "birth_date"}}, [5]),
    "hold": (["DECLARE c CURSOR WITH HOLD FOR " + BIRTHS, "FETCH 2 c", "FETCH 2 c", "CLOSE c"], "FETCH", {"patients": {"id", "birth_date"}}, [2, 2]),
}


@pytest.mark.parametrize("name", RECORDED)
def test_fetch_is_on_record_with_what_it_reads(name, stack):  # noqa: F811
    steps, statement, wanted, rows = RECORDED[name]
    application = "cursor-record-" + name
    with wire.open_session(stack, "nurse1", application_name=application) as raw:
        for step in steps:
            raw.send(wire.query(step) if isinstance(step, str) else step)
            assert wire.error_of(raw.until("Z")) is None
    kept = records(stack, application, statement)
    assert [r["rows"] for r in kept] == rows
    for record in kept:
        assert reads(record) == wanted and record["decision"] == "allow" and "40-rules-care.cfg" in record["rule"], record


def test_long_fetch_is_on_record_before_it_leaves(stack):  # noqa: F811
    with wire.open_session(stack, "reception1", application_name="long-fetch") as raw:
        raw.query("BEGIN; DECLARE c CURSOR FOR SELECT a.id, repeat('x', 500) FROM patients a, wards")
        raw.send(wire.query("FETCH ALL c"))
        while raw.receive()[0] != "D":
            pass
        (begin,) = [r for r in records(stack, "long-fetch", "FETCH") if r["type"] == "begin"]
        assert reads(begin).keys() == {"patients", "wards"}
        raw.until("Z")


OTHER = "SELECT s.id, s.patient_id, 1 FROM stays s ORDER BY s.id"
ANEW = {
    "a cursor": (["DECLARE c CURSOR FOR " + BIRTHS], ["CLOSE c", "DECLARE c CURSOR FOR " + OTHER]),
    "a cursor of the same text": (["DECLARE c CURSOR FOR " + BIRTHS], ["CLOSE c", "DECLARE c CURSOR FOR " + BIRTHS]),
    "a cursor of another savepoint": (["SAVEPOINT s", "DECLARE c CURSOR FOR " + BIRTHS], ["ROLLBACK TO s", "DECLARE c CURSOR FOR " + OTHER]),
    "none before": ([], ["DECLARE c CURSOR FOR " + OTHER]),
    "a portal": ([wire.parse(BIRTHS) + wire.bind((), "c") + SYNC], [wire.close("P", "c") + wire.parse(OTHER) + wire.bind((), "c") + SYNC]),
    "a portal, then a cursor": ([wire.parse(BIRTHS) + wire.bind((), "c") + SYNC], [wire.close("P", "c") + SYNC, "DECLARE c CURSOR FOR " + OTHER]),
    "all in one": (["DECLARE c CURSOR FOR " + BIRTHS], [extended("CLOSE c", describe=False) + extended("DECLARE c CURSOR FOR " + OTHER, describe=False) + SYNC]),
}


@pytest.mark.parametrize("name", ANEW)
@pytest.mark.parametrize("word", ["FETCH 2 FROM c", "FETCH ALL FROM c", "MOVE 1 IN c"])
def test_fetch_reads_what_it_was_bound_for_or_nothing(word, name, stack):  # noqa: F811
    """PostgreSQL 15 reads the other cursor's rows as the first one's columns and ends with a segmentation fault, all sessions with it."""
    before, between = ANEW[name]
    with wire.open_session(stack, "nurse1") as raw, stack.superuser() as watch:
        for step in ["BEGIN"] + before + [wire.parse(word, "f") + wire.bind((), "p", "f", result_formats=(0,)) + SYNC] + between:
            raw.send(wire.query(step) if isinstance(step, str) else step)
            assert wire.error_of(raw.until("Z")) is None, step
        raw.send(wire.execute("p") + SYNC)
        answer = raw.until("Z")
        assert wire.error_of(answer)["C"] == "34000" and not wire.rows_of(answer) and "Bind it again" in wire.error_of(answer)["H"]
        raw.query("ROLLBACK")
        assert watch.execute("SELECT 1").fetchone() == (1,)


def test_fetch_that_has_begun_goes_on(stack):  # noqa: F811
    """Its twin: bound, run in parts, and run on when the cursor is gone, as PostgreSQL does."""
    with wire.open_session(stack, "nurse1") as raw:
        ids = [row[0] for row in wire.rows_of(raw.query("SELECT id FROM patients ORDER BY id LIMIT 3"))]
        raw.query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM patients ORDER BY id")
        raw.send(wire.parse("FETCH 4 FROM c", "f") + wire.bind((), "p", "f") + SYNC)
        raw.until("Z")
        got = []
        for step in (None, "CLOSE c", "DECLARE c CURSOR FOR " + OTHER):
            if step:
                assert wire.error_of(raw.query(step)) is None
            raw.send(wire.execute("p", 1) + SYNC)
            answer = raw.until("Z")
            assert wire.error_of(answer) is None
            got += [row[0] for row in wire.rows_of(answer)]
        assert got == ids and len(ids) == 3


def test_refused_fetch_is_on_record(stack):  # noqa: F811
    with wire.open_session(stack, "nurse1", application_name="refused-fetch") as raw:
        assert wire.error_of(raw.query("FETCH nosuch"))["C"] == "34000"
        assert wire.error_of(raw.extended("FETCH nosuch"))["C"] == "34000"
    kept = records(stack, "refused-fetch", "FETCH")
    assert [(r["decision"], r["sqlstate"]) for r in kept] == [("deny", "34000")] * 2


# In one go, without waiting: the name changes its meaning on the way. Wards have two columns, patients three.
WARDS, PATIENTS = "SELECT id, beds FROM wards", "SELECT id, sex, birth_date FROM patients"
RUSHED = {
    "declared anew": extended("BEGIN") + extended("DECLARE c CURSOR FOR " + WARDS) + wire.execute("c", 1) + extended("CLOSE c")
    + extended("DECLARE c CURSOR FOR " + PATIENTS) + wire.execute("c", 1) + extended("FETCH 2 c", describe=False) + SYNC,
    "bound, rolled back, declared": extended("BEGIN") + extended("SAVEPOINT s") + wire.parse(WARDS) + wire.bind((), "c") + wire.execute("c", 1)
    + extended("ROLLBACK TO s") + extended("DECLARE c CURSOR FOR " + PATIENTS) + wire.execute("c", 1) + extended("FETCH 2 c", describe=False) + SYNC,
    "declared, rolled back, bound": extended("BEGIN") + extended("SAVEPOINT s") + extended("DECLARE c CURSOR FOR " + WARDS) + wire.execute("c", 1)
    + extended("ROLLBACK TO s") + wire.parse(PATIENTS) + wire.bind((), "c") + wire.execute("c", 1) + extended("FETCH 2 c", describe=False) + SYNC,
    "closed by the protocol, bound": extended("BEGIN") + extended("DECLARE c CURSOR FOR " + WARDS) + wire.execute("c", 1) + wire.close("P", "c") + wire.parse(PATIENTS)
    + wire.bind((), "c") + wire.execute("c", 1) + extended("FETCH 2 c", describe=False) + SYNC,
    "declared again after an error": extended("BEGIN") + extended("DECLARE c CURSOR FOR " + WARDS) + wire.execute("c", 1) + extended("SAVEPOINT s") + SYNC
    + extended("DECLARE c CURSOR FOR " + PATIENTS) + SYNC + extended("ROLLBACK TO s") + wire.execute("c", 1) + SYNC,
    "bound over a cursor": extended("BEGIN") + extended("DECLARE c CURSOR FOR " + WARDS) + extended("SAVEPOINT s") + SYNC + wire.parse(PATIENTS) + wire.bind((), "c")
    + wire.execute("c", 1) + SYNC + extended("ROLLBACK TO s") + wire.execute("c", 1) + extended("FETCH 2 c", describe=False) + SYNC,
    "queries one after the other": wire.query("BEGIN") + wire.query("DECLARE c CURSOR FOR " + WARDS) + wire.query("FETCH 2 c") + wire.query("CLOSE c")
    + wire.query("DECLARE c CURSOR FOR " + PATIENTS) + wire.query("FETCH 2 c") + wire.query("COMMIT") + wire.query("FETCH c"),
    "the transaction ends in between": extended("BEGIN") + extended("DECLARE c CURSOR FOR " + WARDS) + wire.execute("c", 1) + extended("COMMIT") + extended("BEGIN")
    + extended("DECLARE c CURSOR FOR " + PATIENTS) + wire.execute("c", 1) + extended("FETCH 2 c", describe=False) + SYNC,
    "a fetched portal keeps its rows": extended("BEGIN") + extended("DECLARE c CURSOR FOR " + WARDS) + wire.parse("FETCH 6 c") + wire.bind((), "p") + wire.execute("p", 1)
    + extended("CLOSE c") + extended("DECLARE c CURSOR FOR " + PATIENTS) + wire.execute("p", 1) + wire.execute("c", 1) + SYNC,
}


@pytest.mark.parametrize("name", RUSHED)
def test_record_names_what_was_read_however_it_was_rushed(name, stack):  # noqa: F811
    application = "rushed-" + name
    with wire.open_session(stack, "nurse1", application_name=application) as raw:
        raw.send(RUSHED[name] + wire.query("ROLLBACK; SELECT 'end'"))
        got = []
        while ("D", b"\0\1\0\0\0\3end") not in got:
            got.append(raw.receive())
        raw.until("Z")
    rows = [wire.row(body) for kind, body in got if kind == "D"]
    given = {"wards": sum(1 for r in rows if len(r) == 2), "patients": sum(1 for r in rows if len(r) == 3)}
    recorded = {"wards": 0, "patients": 0}
    for record in records(stack, application):
        read = reads(record)
        assert len(read) < 2
        for relation in read:
            if record.get("statement") in ("FETCH", "SELECT"):
                recorded[relation] += record["rows"]
    assert recorded == given and given["wards"] > 0


# ---- limits --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fetch", ["FETCH %d c", "extended", "execute", "portal"])
def test_max_rows_is_of_the_cursor(fetch, stack):  # noqa: F811
    """10,000 rows in the clinic's research, however many FETCHes ask for them."""
    with wire.open_session(stack, "research1") as raw:
        raw.keep = False
        raw.query("BEGIN")
        query = "SELECT n FROM generate_series(1, 20000) n"
        raw.query("DECLARE c SCROLL CURSOR FOR " + query)
        raw.send(wire.parse(query) + wire.bind((), "p") + SYNC)
        raw.until("Z")

        def take(count):
            if fetch == "extended":
                raw.send(extended("FETCH %d c" % count) + SYNC)
            elif fetch == "execute":
                raw.send(wire.execute("c", count) + SYNC)
            else:
                raw.send(wire.query("FETCH %d p" % count if fetch == "portal" else fetch % count))
            return raw.until("Z")

        for _ in range(4):
            assert len(wire.rows_of(take(2500))) == 2500
        assert wire.error_of(take(1))["C"] == "54000"
        raw.query("ROLLBACK")
        raw.query("BEGIN; DECLARE c CURSOR FOR " + query)
        assert len(wire.rows_of(raw.query("FETCH 2500 c"))) == 2500


def test_moves_count_for_nothing(stack):  # noqa: F811
    with stack.connect("research1", autocommit=False) as c:
        c.execute("DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 30000) n")
        c.execute("MOVE 20000 c")
        assert len(c.execute("FETCH 10000 c").fetchall()) == 10000


def test_too_many_cursors(stack):  # noqa: F811
    with wire.open_session(stack, "nurse1") as raw:
        raw.query("BEGIN")
        for part in range(10):
            got = raw.query(";".join("DECLARE c%d CURSOR FOR SELECT 1" % (part * 100 + n) for n in range(100)))
            assert wire.error_of(got) is None
        assert wire.error_of(raw.query("DECLARE more CURSOR FOR SELECT 1"))["C"] == "54000"
        raw.query("ROLLBACK")
        assert wire.error_of(raw.query("BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT")) is None


# ---- cursors end with the mission, the role and the session ----------------------------------------------------------------

def hold(raw, query="SELECT id FROM patients"):
    assert wire.error_of(raw.query("DECLARE c CURSOR WITH HOLD FOR " + query)) is None
    assert wire.rows_of(raw.query("FETCH 1 c"))


ENDS = {
    "mission": ("dr.martin", ["SET pgvigil.mission = 'research'"]),
    "mission and back": ("dr.martin", ["SET pgvigil.mission = 'research'", "SET pgvigil.mission = 'care'"]),
    "role": ("nurse2", ["SET pgvigil.role = 'receptionist'"]),
    "reason": ("dr.martin", ["SET pgvigil.reason = 'another one'"]),
    "patient": ("dr.martin", ["SET pgvigil.patient = '7'"]),
    "discard": ("nurse1", ["DISCARD ALL"]),
}


@pytest.mark.parametrize("between", ["", "SELECT 1"])
@pytest.mark.parametrize("name", ENDS)
def test_cursor_of_before_is_not_read(name, between, stack):  # noqa: F811
    user, steps = ENDS[name]
    for fetch in ("FETCH c", "extended", "execute", "describe", "close"):
        with wire.open_session(stack, user) as raw:
            hold(raw)
            for step in steps + ([between] if between else []):
                assert wire.error_of(raw.query(step)) is None
            messages = {"extended": extended("FETCH c") + SYNC, "execute": wire.execute("c") + SYNC, "describe": wire.describe("P", "c") + SYNC,
                        "close": wire.query("CLOSE c")}.get(fetch, wire.query(fetch))
            raw.send(messages)
            got = raw.until("Z")
            assert wire.error_of(got)["C"] == "34000" and not wire.rows_of(got)
            hold(raw, "SELECT id FROM wards")  # the name is free again
            assert wire.error_of(raw.query("CLOSE c")) is None


def test_reset_all_leaves_no_cursor_that_is_not_known(stack):  # noqa: F811
    with wire.open_session(stack, "nurse1") as raw:
        hold(raw)
        raw.query("RESET ALL")
        assert wire.error_of(raw.query("FETCH c")) is None, "as in PostgreSQL"
        raw.query("CLOSE c")
        # A setting of PostgreSQL's goes with the connection that has it, and so does a cursor.
        raw.query("SET DateStyle = 'German'")
        hold(raw)
        raw.query("RESET ALL")
        assert wire.error_of(raw.query("FETCH c"))["C"] == "34000"
        hold(raw)


def test_cursor_ends_with_the_policy(make_stack):
    """A policy that is taken into force ends what was declared under the one before."""
    own = make_stack()
    with wire.open_session(own, "nurse1") as raw:
        hold(raw)
        rules = own.policy / "40-rules-care.cfg"
        text = rules.read_text(encoding="utf-8")
        rules.write_text(text.replace('medical = "show"; nir = "hide"; }; },', 'medical = "null"; nir = "hide"; }; },', 1), encoding="utf-8")
        own.deploy()
        since = own.proxy.log_size()
        own.proxy.hup()
        own.proxy.wait_log("event=reload", since=since)
        deadline = time.monotonic() + 10
        while wire.error_of(raw.query("FETCH 1 c")) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert wire.error_of(raw.query("FETCH 1 c"))["C"] == "34000"
        hold(raw)


def test_cursor_of_another_session_is_not_there(make_stack):
    """More sessions than servers: who gets a server finds no cursor on it, neither by name nor in the way of her own."""
    own = make_stack(pool=1)
    for _ in range(6):
        with wire.open_session(own, "nurse1") as raw:
            hold(raw)
        with wire.open_session(own, "reception1") as raw:
            assert wire.error_of(raw.query("FETCH c"))["C"] == "34000"
            assert wire.error_of(raw.query("BEGIN; FETCH c"))["C"] == "34000"
            raw.query("ROLLBACK")
            hold(raw)


def test_server_is_given_back_when_the_last_held_cursor_is_closed(make_stack):
    own = make_stack(pool=1)
    opened = []
    for number in range(6):
        raw = wire.open_session(own, "nurse1")
        hold(raw)
        raw.query(["CLOSE c", "CLOSE ALL", "BEGIN; CLOSE c; COMMIT"][number % 3])
        opened.append(raw)
    for raw in opened:
        assert wire.rows_of(raw.query("SELECT count(*) FROM patients"))
        raw.close()


# ---- what is refused -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sqlstate,sql", [
    ("42501", "DECLARE c CURSOR FOR SELECT * FROM staff_salaries"), ("42703", "DECLARE c CURSOR FOR SELECT nir FROM patients"),
    ("42501", "DECLARE c CURSOR FOR SELECT ctid FROM patients"), ("42501", "DECLARE c CURSOR FOR SELECT pg_sleep(1)"),
    ("42501", "DECLARE c CURSOR FOR SELECT * FROM patients FOR UPDATE"), ("0A000", "DECLARE c CURSOR FOR SELECT 1 INTO x"),
    ("42602", 'DECLARE "pgvigil refused" CURSOR FOR SELECT 1'), ("42602", 'DECLARE U&"pgvigil\\0020refused" CURSOR FOR SELECT 1'),
    ("42501", "SELECT cursor_to_xml('c', 1, true, true, '')"), ("42501", "SELECT 'c'::refcursor"), ("42501", "SELECT * FROM pg_cursors"),
    ("34000", 'FETCH "<unnamed portal 1>"'), ("42601", 'FETCH ""'), ("42601", "DECLARE c CURSOR FOR SELECT 1; SELECT 2 FROM"),
])
def test_outside_the_policy_is_refused(sqlstate, sql, stack):  # noqa: F811
    with wire.open_session(stack, "nurse1") as raw:
        for ask in (raw.query, raw.extended):
            raw.query("BEGIN; DECLARE d CURSOR FOR SELECT id FROM patients")
            got = ask(sql)
            if wire.error_of(got) is None and sql.startswith("DECLARE"):
                got = ask("FETCH c")
            assert wire.error_of(got)["C"] == sqlstate, wire.error_of(got)
            assert not wire.rows_of(got)
            raw.query("ROLLBACK")


def test_where_current_of_is_refused_by_name(stack):  # noqa: F811
    with wire.open_session(stack, "reception1") as raw:
        for ask in (raw.query, raw.extended):
            raw.query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM patients; FETCH c")
            assert wire.tag_of(ask("UPDATE patients SET city = city WHERE id = 1")) == "UPDATE 1"
            error = wire.error_of(ask("UPDATE patients SET city = 'x' WHERE CURRENT OF c"))
            assert error["C"] == "0A000" and "WHERE CURRENT OF" in error["M"]
            raw.query("ROLLBACK")


def test_refusals_still_fail_a_transaction_with_cursors(stack):  # noqa: F811
    with wire.open_session(stack, "nurse1") as raw:
        raw.query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM patients")
        assert raw.query("SELECT * FROM staff_salaries")[-1] == ("Z", b"E")
        assert wire.error_of(raw.query("FETCH c"))["C"] == "25P02"
        raw.query("ROLLBACK")


@pytest.mark.parametrize("body", [b"FETCH \"c\0\"\0", b"DECLARE \"\xff\" CURSOR FOR SELECT 1\0", b"DECLARE \"\xc3\" CURSOR FOR SELECT 1\0", b"FETCH \"\xed\xa0\x80\"\0"])
def test_names_that_are_no_text(body, stack):  # noqa: F811
    raw = wire.open_session(stack, "nurse1")
    raw.query("BEGIN")
    raw.send(wire.message("Q", body))
    try:
        got = raw.until("Z")
    except wire.Closed:
        got = []
    assert not wire.rows_of(got)
    raw.close()


# ---- drivers ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("withhold", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_server_side_cursor(withhold, binary, stack, oracles):  # noqa: F811
    expected = oracles[NURSE].execute("SELECT id, birth_date FROM patients WHERE id > 3 ORDER BY id").fetchall()
    with stack.connect("nurse1", autocommit=withhold) as c:
        for _ in range(2):
            with c.cursor(name="server side", withhold=withhold, binary=binary) as cursor:
                cursor.itersize = 7
                cursor.execute("SELECT id, birth_date FROM patients WHERE id > %s ORDER BY id", (3,))
                assert cursor.fetchmany(5) == expected[:5]
                if withhold and not c.autocommit:
                    c.commit()
                assert list(cursor) == expected[5:]
        with c.cursor(name="scroll", scrollable=True, withhold=withhold) as cursor:
            cursor.execute("SELECT id FROM patients ORDER BY id")
            cursor.scroll(3)
            assert cursor.fetchone()[0] == oracles[NURSE].execute("SELECT id FROM patients ORDER BY id OFFSET 3 LIMIT 1").fetchone()[0]
