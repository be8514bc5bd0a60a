"""
One login, many people: whom a statement runs as, and who is on record for it. The same programs go to pgvigil and to PostgreSQL, where the
person is a setting of PostgreSQL's own and `w_oracle`, a view that shared_people.py writes, is what she sees.
"""
import collections
import threading

import harness
import missions_walk
import psycopg
import psycopg.sql
import pytest
import tokens
import wire
from psycopg import errors
from shared_people import ROWS, SQL, on_record, own_rows, policy, seen

PEOPLE = ["w%02d" % i for i in range(1, 51)]
CONNECTIONS = 5
STATEMENTS = 10000


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return tokens.Key(tmp_path_factory.mktemp("keys"), "idp", "EC")


@pytest.fixture(scope="module")
def stack(make_stack, key):
    return make_stack(extra_policy=policy({"keys": [key.jwk(kid="k1", alg="ES256", use="sig")]}), extra_sql=SQL, pool=4)


# ---- fifty people over one login --------------------------------------------------------------------------------------------

class Walk(missions_walk.Walk):
    """Programs of SET, SET LOCAL, RESET of the person, savepoints, texts, groups and pipelines. Each SELECT names itself, for the record."""

    def __init__(self, seed):
        super().__init__(seed)
        self.seed, self.count, self.statements = seed, 0, 0

    def setting(self):
        if self.random.random() < 0.15:
            return self.pick("SET application_name = 'x'", "SET LOCAL application_name = 'y'", "RESET application_name")
        if self.random.random() < 0.2:
            return self.pick("RESET $S.user", "SET $S.user TO DEFAULT", "SET LOCAL $S.user TO DEFAULT")
        return self.pick("SET $S.user = '%s'", "SET LOCAL $S.user = '%s'", "SET LOCAL $S.user = '%s'", "SET SESSION $S.user TO '%s'") % self.pick(*PEOPLE)

    def statement(self):
        self.statements += 1
        dice = self.random.random()
        if dice < 0.36:
            self.count += 1
            marker = "q%d_%d" % (self.seed, self.count)
            return "SELECT id, person, mission, unit, '%s'::text AS %s FROM $W ORDER BY id" % (marker, marker)
        if dice < 0.66:
            return self.setting()
        if dice < 0.9:
            return self.control()
        return self.pick("SHOW $S.user", "SHOW application_name", "SELECT 1/0", "SELECT no_such", "")


class Side(missions_walk.Side):
    """As the other; USER is a reserved word of PostgreSQL's, which pgvigil takes in its own setting's name."""

    def text(self, sql):
        return sql.replace("$S.user", self.prefix).replace("$W", self.table)


def open_pair(stack, cluster, start="w01", user="ehr-app"):
    ours = wire.open_session(stack, user, application_name="start", options="-c pgvigil.user=%s" % start)
    theirs = wire.Raw(cluster.port, stack.tls_context())
    got = theirs.login("postgres", next(iter(stack.databases.values())), harness.SUPER_PASSWORD, application_name="start",
                       options="-c my.person=%s -c search_path=public" % start)
    assert got[-1][0] == "Z", got
    return Side(ours, "pgvigil.user", "w"), Side(theirs, "my.person", "w_oracle")


def note_selects(answers, found):
    """(marker, person) of each SELECT that was answered whole; PostgreSQL's words."""
    rows = []
    for item in answers:
        if item[0] == "D" and len(item) == 6:
            rows.append(item[1:])
        elif item[0] in "CEZ":
            if rows and item[0] == "C":
                assert len({(r[1], r[4]) for r in rows}) == 1
                found[(rows[0][4].decode(), rows[0][1].decode())] += 1
            rows = []


def walk(stack, cluster, seed, found, problems, counts):
    try:
        sides = open_pair(stack, cluster, PEOPLE[seed])
        program, done = Walk(seed), []
        while program.statements < STATEMENTS // CONNECTIONS:
            items, units = program.step()
            done.append(items)
            for side in sides:
                side.send(items)
            ours, theirs = (side.receive(units) for side in sides)
            if ours != theirs:
                problems.append("connection %d: %r\nours   %r\ntheirs %r" % (seed, done[-8:], ours, theirs))
                return
            program.status = theirs[-1][1].decode()
            note_selects(theirs, found)
        counts.append(program.statements)
        for side in sides:
            side.raw.close()
    except Exception as error:  # pylint: disable=broad-except
        problems.append("connection %d: %r" % (seed, error))


def test_fifty_people_over_one_login_are_never_each_other(stack, cluster):
    found, problems, counts = [collections.Counter() for _ in range(CONNECTIONS)], [], []
    threads = [threading.Thread(target=walk, args=(stack, cluster, i, found[i], problems, counts)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, "\n".join(problems)
    assert sum(counts) >= STATEMENTS
    answered = sum(found, collections.Counter())
    assert len({person for _, person in answered}) == len(PEOPLE) and sum(answered.values()) > STATEMENTS / 10
    recorded = collections.Counter()
    for r in stack.audit_records():
        marker = r.get("sql", "").partition(" AS q")[2].partition(" ")[0]
        if marker and r["type"] in ("whole", "begin") and r["decision"] == "allow" and "sqlstate" not in r:
            assert (r["login"], r["identity"]) == ("ehr-app", "asserted"), r
            recorded[("q" + marker, r["person"])] += 1
    assert recorded == answered


A, B, LOCAL_A, LOCAL_B = ("SET%s $S.user = '%s'" % (how, who) for how in ("", " LOCAL") for who in ("w02", "w03"))
W = "SELECT id, person, mission, unit FROM $W ORDER BY id"
# As in test_mission_transactions.py: what is sent at once.
PROGRAMS = {
    "set, local, commit": [A, "BEGIN", LOCAL_B, W, "COMMIT", W],
    "local undone by rollback to": ["BEGIN", LOCAL_A, W, "SAVEPOINT s", LOCAL_B, W, "ROLLBACK TO s", W, "COMMIT", W],
    "set undone by rollback": ["BEGIN", A, W, "ROLLBACK", W],
    "set over local": ["BEGIN", LOCAL_A, B, W, "COMMIT", W],
    "local over set": ["BEGIN", A, LOCAL_B, W, "COMMIT", W],
    "error undoes": ["BEGIN", A, "SAVEPOINT s", B, "SELECT 1/0", "ROLLBACK TO s", W, "COMMIT", W],
    "text": ["BEGIN; " + LOCAL_A + "; " + W + "; COMMIT", W, A + "; " + W, "BEGIN; " + B + "; ROLLBACK; " + W],
    "group": [[LOCAL_A, W], W, [A, W, "SELECT 1/0"], W, ["BEGIN", LOCAL_B, W, "COMMIT", W], W],
    "reset": [A, W, "RESET $S.user", W, B, "RESET ALL", W, B, "DISCARD ALL", W],
    "reset in a block": ["BEGIN", A, "RESET $S.user", W, "ROLLBACK", W, "BEGIN", LOCAL_B, "RESET $S.user", W, "COMMIT", W],
    "commit and chain": ["BEGIN", LOCAL_A, B, "COMMIT AND CHAIN", W, LOCAL_A, "ROLLBACK AND CHAIN", W, "COMMIT"],
    "prepared as one, executed as another": [A, "PREPARE p AS " + W, "EXECUTE p", B, "EXECUTE p", "BEGIN", LOCAL_A, "EXECUTE p", "ROLLBACK", "EXECUTE p"],
}


@pytest.mark.parametrize("way", ["one by one", "all at once"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_answered_as_by_postgresql(stack, cluster, name, way):
    ours, theirs = open_pair(stack, cluster)
    program = [[("query", step)] if isinstance(step, str) else [("run", text) for text in step] + [("sync",)] for step in PROGRAMS[name]]
    if way == "all at once":
        program = [[item for step in program for item in step]]
    with ours.raw, theirs.raw:
        for items in program:
            for side in (ours, theirs):
                side.send(items)
            units = sum(item[0] != "run" for item in items)
            assert ours.receive(units) == theirs.receive(units), items


# ---- who may be named -------------------------------------------------------------------------------------------------------

def test_nobody_touches_no_data(stack):
    with stack.connect("ehr-app") as c:
        assert c.execute("SHOW pgvigil.user").fetchone() == ("",)
        for text in (ROWS, "TABLE w", "UPDATE w SET note = 'x'", "SELECT count(*) FROM pg_class", "DECLARE c CURSOR FOR " + ROWS, "PREPARE p AS " + ROWS,
                     "COPY w TO STDOUT", "SELECT 1 FROM no_such", "SET pgvigil.mission = 'ward'", "SET pgvigil.role = 'clerk'",
                     "SET pgvigil.reason = 'x'"):
            with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody") as caught:
                c.execute(text)
            assert caught.value.diag.message_hint
        # What drivers and pools send on the way.
        assert c.execute("SELECT 1").fetchone() == (1,)
        for text in ("SET TIME ZONE 'UTC'", "SET application_name = 'pool'", "BEGIN; SELECT 2; COMMIT", "SHOW server_version", "", "DISCARD ALL"):
            c.execute(text)
        with c.transaction():
            c.execute("SET LOCAL pgvigil.user = 'w01'")
            assert c.execute(ROWS).fetchall() == own_rows(stack, "w01")
        with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody"):
            c.execute(ROWS)
    denied = [r for r in on_record(stack, login="ehr-app", identity="nobody", decision="deny") if "w" in r.get("sql", "")]
    assert denied and all(r["person"] == "ehr-app" and "role" not in r for r in denied)


@pytest.mark.parametrize("person, what", [
    ("nobody-at-all", "no such user"), ("W01", "no such user"), ("w01 ", "no such user"), ("w51", "none of its roles"), ("nurse1", "none of its roles"),
    ("admin1", "none of its roles"), ("ehr-app", "none of its roles"), ("ehr-desk", "none of its roles"), ("x'; DROP TABLE w; --", "no such user")])
def test_person_that_may_not_be_acted_for_is_refused(stack, person, what):
    with stack.connect("ehr-app") as c:
        c.execute("SET pgvigil.user = 'w02'")
        text = psycopg.sql.SQL("SET{} pgvigil.user = {}")
        for local in ("", " LOCAL"):
            with pytest.raises(errors.InsufficientPrivilege, match=what):
                c.execute(text.format(psycopg.sql.SQL(local), psycopg.sql.Literal(person)))
            assert seen(c) == {"w02"} and c.execute("SHOW pgvigil.user").fetchone() == ("w02",)
            assert c.execute("SELECT current_user, session_user").fetchone() == ("w02", "w02")
    if "'" not in person:
        with pytest.raises(psycopg.OperationalError, match=what):
            stack.connect("ehr-app", options="-c pgvigil.user=" + person.replace(" ", "\\ "))


def test_roles_are_hers_within_the_ceiling(stack):
    with stack.connect("ehr-app", options="-c pgvigil.user=w01") as c:
        assert c.execute("SHOW pgvigil.role").fetchone() == ("ward-nurse",)
        c.execute("SET pgvigil.role = 'clerk'")
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("office",) and {m for (m,) in c.execute("SELECT mission FROM w")} == {"office"}
        c.execute("SET pgvigil.user = 'w04'")  # has the role that was chosen
        assert c.execute("SHOW pgvigil.role").fetchone() == ("clerk",) and seen(c) == {"w04"}
        c.execute("SET pgvigil.user = 'w02'")  # has not
        assert c.execute("SHOW pgvigil.role").fetchone() == ("ward-nurse",) and c.execute(ROWS).fetchall() == own_rows(stack, "w02")
        with pytest.raises(errors.InsufficientPrivilege, match="w02"):
            c.execute("SET pgvigil.role = 'clerk'")
        c.execute("SET pgvigil.user = 'w50'")
        for role in ("warden", "nurse", "dba"):  # hers, but not the login's; nobody's here
            with pytest.raises(errors.InsufficientPrivilege, match='"ehr-app" may not act for "w50" in' if role == "warden" else '"w50" does not have'):
                c.execute("SET pgvigil.role = '%s'" % role)
        assert c.execute(ROWS).fetchall() == own_rows(stack, "w50")


def test_who_logs_in_herself_acts_for_nobody_else(stack):
    with stack.connect("nurse1") as c:
        assert c.execute("SHOW pgvigil.user").fetchone() == ("nurse1",)
        for text in ("SET pgvigil.user = 'w01'", "SET LOCAL pgvigil.user = 'nurse1'", "SET pgvigil.token = 'x.y.z'"):
            with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody but herself"):
                c.execute(text)
        c.execute("RESET pgvigil.user")
    with stack.connect("ehr-app") as c:
        with pytest.raises(errors.InsufficientPrivilege, match="named by pgvigil.user, not pgvigil.token"):
            c.execute("SET pgvigil.token = 'x.y.z'")
    assert not [r for r in stack.audit_records() if r.get("login") == "nurse1" and "identity" in r]


def test_who_is_only_acted_for_cannot_log_in(stack):
    told = []
    for user in ("w01", "unknown-user"):
        with pytest.raises(psycopg.OperationalError) as caught:
            stack.connect(user, password="w01-demo")
        told.append(str(caught.value).replace(user, "USER").split("FATAL")[-1])
    assert told[0] == told[1]


@pytest.mark.parametrize("text", [
    "SELECT set_config('pgvigil.user', 'w02', false)", "SELECT set_config('pgvigil.u_name', 'w02', true)", "SELECT current_setting('pgvigil.u_name')",
    "SET pgvigil.u_name = 'w02'", "SET LOCAL pgvigil.u_unit = 'u2'", 'SET "pgvigil.u_name" = \'w02\'', "SET pgvigil.address = '::1'", "SHOW pgvigil.u_name",
    "SET SESSION AUTHORIZATION w02", "SET ROLE w02", "SET pgvigil.person = 'w02'", "SET pgvigil.login = 'w02'", "SELECT set_config('role', 'none', false)",
    "SET pgvigil.user FROM CURRENT", "SET pgvigil.user = w02, w03", "ALTER ROLE pgvigil SET pgvigil.user = 'w02'", "DO 'BEGIN END'"])
def test_other_ways_to_be_someone_are_refused(stack, text):
    with stack.connect("ehr-app", options="-c pgvigil.user=w01") as c:
        for way in (c.execute, lambda t: c.execute("BEGIN; %s" % t)):
            with pytest.raises(psycopg.Error):
                way(text)
            c.execute("ROLLBACK")
            assert c.execute(ROWS).fetchall() == own_rows(stack, "w01")


@pytest.mark.parametrize("option", ["pgvigil.u_name=w02", "pgvigil.u_unit=u2", "pgvigil.login=w02", "role=none", "session_authorization=w02"])
def test_other_ways_at_start_are_refused(stack, option):
    with pytest.raises(psycopg.OperationalError, match="refused"):
        stack.connect("ehr-app", options="-c pgvigil.user=w01 -c " + option)


# ---- what one person leaves ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("other", ["w03", "w05"])  # of another role; of the same
def test_portal_of_one_is_not_anothers(stack, other):
    with wire.open_session(stack, "ehr-app", options="-c pgvigil.user=w02") as raw:
        raw.query("BEGIN")
        raw.send(wire.parse(ROWS, "s") + wire.bind([], "p", "s") + wire.execute("p", 1) + wire.SYNC)
        assert [r[1] for r in wire.rows_of(raw.until("Z"))] == [b"w02"]
        raw.query("SAVEPOINT x")
        raw.query("SET LOCAL pgvigil.user = '%s'" % other)
        raw.send(wire.execute("p", 1) + wire.SYNC)
        got = raw.until("Z")
        assert wire.error_of(got)["C"] == "34000" and not wire.rows_of(got)
        raw.query("ROLLBACK TO x")
        raw.send(wire.execute("p", 1) + wire.SYNC)  # not again either
        assert wire.error_of(raw.until("Z"))["C"] == "34000"
        raw.query("ROLLBACK")
        # The twin: as the same person it goes on.
        raw.query("BEGIN")
        raw.send(wire.bind([], "p", "s") + wire.execute("p", 1) + wire.SYNC)
        assert [r[1] for r in wire.rows_of(raw.until("Z"))] == [b"w02"]
        raw.query("SET LOCAL pgvigil.user = 'w02'")
        raw.send(wire.execute("p", 1) + wire.SYNC)
        assert [r[1] for r in wire.rows_of(raw.until("Z"))] == [b"w02"]


@pytest.mark.parametrize("other", ["w03", "w05"])
@pytest.mark.parametrize("hold", ["", " WITH HOLD"])
def test_cursor_of_one_is_not_anothers(stack, hold, other):
    with stack.connect("ehr-app", options="-c pgvigil.user=w02") as c:
        for back in ("SET LOCAL pgvigil.user = 'w02'", "ROLLBACK TO x"):
            c.execute("BEGIN; DECLARE mine CURSOR%s FOR %s" % (hold, ROWS))
            assert c.execute("FETCH 1 FROM mine").fetchone()[1] == "w02"
            c.execute("SAVEPOINT x")
            c.execute("SET LOCAL pgvigil.user = '%s'" % other)
            with pytest.raises(errors.InvalidCursorName):
                c.execute("FETCH 1 FROM mine")
            c.execute("ROLLBACK TO x")
            c.execute(back)
            with pytest.raises(errors.InvalidCursorName):
                c.execute("FETCH 1 FROM mine")
            c.execute("ROLLBACK")
        if hold:
            c.execute("DECLARE kept CURSOR WITH HOLD FOR " + ROWS)
            c.execute("SET pgvigil.user = '%s'" % other)
            for text in ("FETCH 1 FROM kept", "MOVE 1 FROM kept", "CLOSE kept"):
                with pytest.raises(errors.InvalidCursorName):
                    c.execute(text)
            c.execute("DECLARE kept CURSOR WITH HOLD FOR " + ROWS)
            assert c.execute("FETCH 1 FROM kept").fetchone()[1] == other


def test_prepared_statement_is_judged_for_whoever_executes_it(stack):
    with stack.connect("ehr-app", options="-c pgvigil.user=w02") as c:
        notes = "SELECT person, note FROM w WHERE id > %s"
        assert {p for p, _ in c.execute(notes, (0,), prepare=True)} == {"w02"}
        c.execute("SET pgvigil.user = 'w03'")  # a clerk, who sees no notes
        with pytest.raises(errors.UndefinedColumn, match="note.*clerk"):
            c.execute(notes, (0,), prepare=True)
        c.execute("SET pgvigil.user = 'w05'")
        assert {p for p, _ in c.execute(notes, (0,), prepare=True)} == {"w05"}
        c.execute("PREPARE q AS SELECT person, note FROM w")
        assert {p for p, _ in c.execute("EXECUTE q")} == {"w05"}
        c.execute("SET pgvigil.user = 'w03'")
        with pytest.raises(errors.UndefinedColumn, match="note.*clerk"):
            c.execute("EXECUTE q")


def test_broken_glass_stays_with_who_broke_it(stack):
    reason = "a patient of another ward collapses"
    with stack.connect("ehr-app", options="-c pgvigil.user=w02") as c:
        def enter():
            c.execute("SET pgvigil.patient = '1'")
            c.execute("SET pgvigil.reason = '%s'" % reason)
            c.execute("SET pgvigil.mission = 'night'")

        def shown(*names):
            return [c.execute("SHOW pgvigil." + name).fetchone()[0] for name in names]

        enter()
        assert {m for (m,) in c.execute("SELECT mission FROM w")} == {"night"}
        c.execute("SET pgvigil.user = 'w05'")
        assert shown("user", "mission", "reason", "patient") == ["w05", "ward", "", ""] and c.execute(ROWS).fetchall() == own_rows(stack, "w05")
        with pytest.raises(errors.InsufficientPrivilege, match="reason"):
            c.execute("SET pgvigil.mission = 'night'")
        c.execute("RESET pgvigil.user")
        assert shown("user", "mission", "reason", "patient") == ["w02", "ward", "", ""]
        with pytest.raises(errors.InsufficientPrivilege):  # and her reason was used
            enter()
        reason = "a second patient of another ward collapses"
        with c.transaction():
            enter()
            c.execute("SET LOCAL pgvigil.user = 'w05'")
            assert shown("mission", "reason") == ["ward", ""]
            c.execute("SET pgvigil.reason = 'hers alone, for the session'")
        assert shown("user", "mission", "reason") == ["w02", "night", reason]
    ends = [r for r in on_record(stack, login="ehr-app", event="break-glass-end")]
    assert ends and all(r["person"] == "w02" and r["identity"] == "asserted" for r in ends)
    assert not [r for r in stack.audit_records() if r.get("person") == "w05" and (r.get("break_glass") or r.get("patient"))]


def test_rows_of_an_hour_are_each_persons(stack):
    with stack.connect("ehr-app") as c:
        for person in ("w08", "w11", "w14"):
            c.execute("SET pgvigil.user = '%s'" % person)
            c.execute("SET pgvigil.mission = 'limited'")
            assert len(c.execute(ROWS).fetchall()) == 3
            with pytest.raises(psycopg.Error, match="rows_per_hour"):
                c.execute(ROWS)
        with c.transaction():
            for person in ("w17", "w20"):
                c.execute("SET LOCAL pgvigil.user = '%s'" % person)
                c.execute("SET LOCAL pgvigil.mission = 'limited'")
                assert len(c.execute(ROWS).fetchall()) == 3


def test_what_one_drew_is_not_told_to_the_next(stack):
    draw, told = "INSERT INTO w_log (person) VALUES ('%s') RETURNING id", "SELECT currval('w_log_id_seq')"

    def untold(c):
        for text in (told, "SELECT lastval()"):
            with pytest.raises(errors.ObjectNotInPrerequisiteState), c.transaction():
                c.execute(text)

    with stack.connect("ehr-app", options="-c pgvigil.user=w08") as c:
        with c.transaction():
            c.execute("SET LOCAL pgvigil.user = 'w02'")
            drawn = c.execute(draw % "w02").fetchone()
            assert c.execute(told).fetchone() == c.execute("SELECT lastval()").fetchone() == drawn
            c.execute("SET LOCAL pgvigil.user = 'w05'")
            untold(c)
            drawn = c.execute(draw % "w05").fetchone()
            assert c.execute(told).fetchone() == drawn
        untold(c)
        for person in ("w02", "w05", "w02"):
            c.execute("SET pgvigil.user = '%s'" % person)
            untold(c)
            drawn = c.execute(draw % person).fetchone()
            assert c.execute(told).fetchone() == drawn
        c.execute("RESET pgvigil.user")
        untold(c)


def test_writes_are_hers_and_on_record_for_her(stack):
    with stack.connect("ehr-app") as c:
        with c.transaction():
            c.execute("SET LOCAL pgvigil.user = 'w26'")
            assert c.execute("UPDATE w SET note = 'from w26 for all'").rowcount == 3
        with c.transaction(force_rollback=True):
            c.execute("SET LOCAL pgvigil.user = 'w27'")
            with pytest.raises(errors.InsufficientPrivilege, match="clerk"):
                c.execute("UPDATE w SET note = 'from w27 for all'")
    with stack.superuser() as c:
        assert c.execute("SELECT DISTINCT person FROM w WHERE note LIKE 'from w2%'").fetchall() == [("w26",)]
    begun = [r for r in on_record(stack, type="begin", person="w26") if r["sql"].startswith("UPDATE w")]
    assert len(begun) == 1 and begun[0]["login"] == "ehr-app"
    (end,) = [r for r in on_record(stack, type="end", begin=begun[0]["seq"], session=begun[0]["session"])]
    assert (end["person"], end["login"]) == ("w26", "ehr-app")


def test_cancel_is_on_record_for_who_was_acted_for(stack):
    with stack.connect("ehr-app") as c, stack.superuser() as blocker:
        with blocker.transaction(), c.transaction(force_rollback=True):
            blocker.execute("SELECT FROM w WHERE person = 'w29' FOR UPDATE")
            c.execute("SET LOCAL pgvigil.user = 'w29'")
            timer = threading.Timer(0.5, c.cancel)
            timer.start()
            with pytest.raises(errors.QueryCanceled):
                c.execute("UPDATE w SET note = 'cancelled'")
            timer.join()
        with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody"):
            c.execute(ROWS)
    assert {(r["person"], r["identity"]) for r in on_record(stack, event="cancel", login="ehr-app")} == {("w29", "asserted")}


# ---- the login's own part --------------------------------------------------------------------------------------------------------

def test_login_with_a_role_of_its_own(stack):
    with stack.connect("ehr-desk") as c:
        assert c.execute(ROWS).fetchall() == own_rows(stack, "ehr-desk") != []
        with c.transaction():
            c.execute("SET LOCAL pgvigil.user = 'w02'")
            assert c.execute(ROWS).fetchall() == own_rows(stack, "w02")
        assert seen(c) == {"ehr-desk"}
        with pytest.raises(errors.InsufficientPrivilege):  # the ceiling is for others
            c.execute("SET pgvigil.role = 'ward-nurse'")
        c.execute("SET pgvigil.user = 'w03'")
        assert seen(c) == {"w03"}
        c.execute("SET pgvigil.user = ''")
        assert seen(c) == {"ehr-desk"}
    kinds = {(r["person"], r["identity"]) for r in on_record(stack, login="ehr-desk", type="whole") if "FROM w" in r.get("sql", "")}
    assert kinds == {("ehr-desk", "login"), ("w02", "asserted"), ("w03", "asserted")}


def test_person_is_the_applications_name(stack):
    with stack.connect("ehr-name", application_name="w02") as c:
        assert c.execute(ROWS).fetchall() == own_rows(stack, "w02")
        with c.transaction():
            c.execute("SET LOCAL application_name = 'w03'")
            assert c.execute(ROWS).fetchall() == own_rows(stack, "w03")
        assert seen(c) == {"w02"}
        for name in ("psql", "", "w55", "nurse1"):
            c.execute("SET application_name = '%s'" % name)
            with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody"):
                c.execute(ROWS)
        c.execute("RESET application_name")
        assert seen(c) == {"w02"}
        with pytest.raises(errors.InsufficientPrivilege, match="named by application_name"):
            c.execute("SET pgvigil.user = 'w03'")
    with stack.connect("ehr-name", application_name="some driver") as c:
        assert c.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody"):
            c.execute(ROWS)
        c.execute("SET application_name = 'w05'")
        assert seen(c) == {"w05"}


def test_every_change_of_person_is_an_event(stack):
    with stack.connect("ehr-app", application_name="events") as c:
        c.execute("SET pgvigil.user = 'w30'")
        with c.transaction():
            c.execute("SET LOCAL pgvigil.user = 'w31'")
        c.execute("RESET pgvigil.user")
    told = [(r["event"], r["person"], r["identity"], r.get("detail")) for r in on_record(stack, application="events", login="ehr-app") if "event" in r]
    assert told[:5] == [
        ("connect", "ehr-app", "nobody", None),
        ("mission", "w30", "asserted", "person w30, asserted, role clerk, mission office"),
        ("mission", "w31", "asserted", "person w31, asserted, role ward-nurse, mission ward"),
        ("mission", "w30", "asserted", "person w30, asserted, role clerk, mission office, after SET LOCAL"),
        ("mission", "ehr-app", "nobody", "person none, nobody, role none, mission none")]
