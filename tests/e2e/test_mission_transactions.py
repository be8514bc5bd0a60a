"""
pgvigil's own settings inside transactions: as PostgreSQL's own, and never a statement under another mission, person or path than the one
it was judged for.
"""
import time

import missions_walk
import psycopg
import pytest
import wire
from psycopg import errors

STEPS = 260


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_policy=missions_walk.policy(), extra_sql=missions_walk.SQL, pool=6)


def on_record(stack, **wanted):
    return [r for r in stack.audit_records() if all(r.get(k) == v for k, v in wanted.items())]


def missions_of(stack, application):
    return [r["detail"] for r in on_record(stack, event="mission", application=application)]


def walker(stack, **kw):
    kw.setdefault("options", "-c pgvigil.mission=alpha -c pgvigil.patient=p1")
    return stack.connect("walker1", **kw)


def whose(connection):
    """The (mission, patient) that the server answers for."""
    return set(connection.execute("SELECT mission, patient FROM w").fetchall())


# ---- the same program on both sides ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(12))
def test_random_walk_is_answered_as_by_postgresql(stack, cluster, seed):
    pairs = [missions_walk.open_pair(stack, cluster, person) for person in missions_walk.PEOPLE]
    walks = [missions_walk.Walk(seed * 2 + i) for i in range(len(pairs))]
    done, selected = [[] for _ in pairs], set()
    for step in range(STEPS):
        i = walks[0].random.randrange(len(pairs))
        items, units = walks[i].step()
        done[i].append(items)
        for side in pairs[i]:
            side.send(items)
        ours, theirs = (side.receive(units) for side in pairs[i])
        assert ours == theirs, "seed %d, step %d: %r" % (seed, step, done[i][-8:])
        walks[i].status = theirs[-1][1].decode()
        selected |= {row[2:] for row in theirs if row[0] == "D" and len(row) == 5}
    assert len(selected) >= 6, "the walk saw too little"
    for ours, theirs in pairs:
        ours.raw.close()
        theirs.raw.close()


W = "SELECT id, mission, person, patient FROM $W ORDER BY id"
BETA, LOCAL_BETA, P2, LOCAL_P2 = ("SET $S.mission = 'beta'", "SET LOCAL $S.mission = 'beta'", "SET $S.patient = 'p2'", "SET LOCAL $S.patient = 'p2'")
# Each a list of what is sent at once: a text (simple query), or a list of texts (one extended group).
PROGRAMS = {
    "commit keeps": ["BEGIN", BETA, W, "COMMIT", W],
    "rollback undoes": ["BEGIN", BETA, W, "ROLLBACK", W],
    "local ends with commit": ["BEGIN", LOCAL_BETA, W, "COMMIT", W],
    "local ends with rollback": ["BEGIN", LOCAL_BETA, W, "ROLLBACK", W],
    "local over set": ["BEGIN", BETA, "SET LOCAL $S.mission = 'alpha'", W, "COMMIT", W],
    "set over local": ["BEGIN", LOCAL_BETA, "SET $S.mission = 'alpha'", W, "COMMIT", W],
    "local, savepoint, set, rollback to": ["BEGIN", LOCAL_P2, "SAVEPOINT a", BETA, P2, "ROLLBACK TO a", W, "COMMIT", W],
    "local, savepoint, set, release": ["BEGIN", LOCAL_P2, "SAVEPOINT a", BETA, "SET $S.patient = 'p1'", "RELEASE a", W, "COMMIT", W],
    "set, savepoint, local, rollback to, commit": ["BEGIN", P2, "SAVEPOINT a", LOCAL_BETA, "SET LOCAL $S.patient = 'p1'", W, "ROLLBACK TO a", W, "COMMIT", W],
    "local kept by outer savepoint": ["BEGIN", LOCAL_P2, "SAVEPOINT a", P2, "SAVEPOINT b", LOCAL_BETA, "ROLLBACK TO a", W, "COMMIT", W],
    "same savepoint name twice": ["BEGIN", "SAVEPOINT a", BETA, "SAVEPOINT a", P2, "ROLLBACK TO a", W, "RELEASE a", "ROLLBACK TO a", W, "COMMIT", W],
    "quoted savepoints": ["BEGIN", 'SAVEPOINT "A"', BETA, "SAVEPOINT a", P2, 'ROLLBACK TO "A"', W, "COMMIT"],
    "error undoes at rollback to": ["BEGIN", BETA, "SAVEPOINT a", P2, W, "SELECT 1/0", "SHOW $S.patient", BETA, "ROLLBACK TO a", W, "COMMIT", W],
    "error undoes at rollback": ["BEGIN", BETA, W, "SELECT 1/0", W, "ROLLBACK", W],
    "error and commit": ["BEGIN", BETA, W, "SELECT 1/0", "COMMIT", W],
    "error and commit and chain": ["BEGIN", BETA, W, "SELECT 1/0", "COMMIT AND CHAIN", W, "COMMIT", W],
    "commit and chain": ["BEGIN", LOCAL_BETA, P2, W, "COMMIT AND CHAIN", W, BETA, "ROLLBACK AND CHAIN", W, "COMMIT", W],
    "local outside": [LOCAL_BETA, W, "SHOW $S.mission"],
    "local outside in a group": [[LOCAL_BETA, W], W],
    "local outside behind something in a group": [[W, LOCAL_BETA, W], W],
    "local then begin in a group": [[LOCAL_BETA, "BEGIN", W], W, "COMMIT", W],
    "local in a text": [LOCAL_BETA + "; " + W, W],
    "set in a text that fails": [BETA + "; SELECT 1/0", W],
    "set in a group that fails": [[BETA, "SELECT 1/0"], W],
    "set in a group that fails later": [[BETA, W, "SELECT 1/0"], W],
    "set behind a select in a group that fails": [[W, BETA, W, "SELECT 1/0"], W],
    "begin, local, select, commit in a text": ["BEGIN; " + LOCAL_BETA + "; " + W + "; COMMIT", W],
    "begin, local, error, commit in a text": ["BEGIN; " + LOCAL_BETA + "; " + W + "; SELECT 1/0; COMMIT; " + W, W, "ROLLBACK", W],
    "select and begin and set in a text": [W + "; BEGIN; " + BETA + "; " + W + "; ROLLBACK; " + W, W],
    "set before begin in a text": [BETA + "; BEGIN; " + W + "; ROLLBACK; " + W, W],
    "set, commit, error in a text": [BETA + "; COMMIT; SELECT 1/0", W],
    "set, rollback in a text": [BETA + "; " + W + "; ROLLBACK; " + W, W],
    "rollback and select in a text": ["BEGIN", BETA, W, "ROLLBACK; " + W],
    "rollback to and select in a text": ["BEGIN", "SAVEPOINT a", BETA, W, "ROLLBACK TO a; " + W, "COMMIT"],
    "commit and select in a text": ["BEGIN", LOCAL_BETA, W, "COMMIT; " + W],
    "error, rollback and select in a text": ["BEGIN", BETA, W, "SELECT 1/0", "ROLLBACK; " + W],
    "rollback and select in a group": ["BEGIN", BETA, W, ["ROLLBACK", W], W],
    "rollback to and select in a group": ["BEGIN", "SAVEPOINT a", BETA, W, ["ROLLBACK TO a", W, "COMMIT", W], W],
    "error, rollback and select in a group": ["BEGIN", BETA, W, "SELECT 1/0", ["ROLLBACK", W], W],
    "identity set again in a group that fails": [[P2, "ROLLBACK", "ROLLBACK TO a"], [W], W],
    "identity set in a group, undone, set again": [[W, P2, W, "SELECT 1/0"], [W, BETA, W, "SELECT 1/0"], [W]],
    "savepoint outside": [[BETA, "SAVEPOINT a"], W],
    "reset in a transaction": ["BEGIN", BETA, P2, W, "RESET $S.mission", W, "ROLLBACK", W],
    "reset of a local one": [BETA, "BEGIN", "SET LOCAL $S.mission = 'alpha'", "RESET $S.mission", "COMMIT", W],
    "reset all in a transaction": [BETA, P2, "BEGIN", "RESET ALL", W, "ROLLBACK", W, "RESET ALL", W],
    "path": ["BEGIN", "SET LOCAL search_path = walk", W, "SAVEPOINT a", "SET search_path = public", W, "ROLLBACK TO a", W, "COMMIT", W, "SHOW search_path"],
    "application name": ["BEGIN", "SET application_name = 'x'", "SAVEPOINT a", "SET LOCAL application_name = 'y'", "SELECT 1/0", "ROLLBACK TO a", "COMMIT",
                         "SET application_name = 'z'; SELECT 1/0", "SHOW application_name"],
    "two begins": ["BEGIN", BETA, "BEGIN", W, "ROLLBACK", W],
    "transaction in a transaction's text": ["BEGIN; " + BETA + "; BEGIN; COMMIT; " + P2 + "; " + W + "; COMMIT; " + W, W],
    "discard all in a transaction": ["BEGIN", BETA, "DISCARD ALL", "ROLLBACK", W],
    "discard all in a text": ["DISCARD ALL; " + W],
    "discard all": [BETA, P2, "DISCARD ALL", W],
    "position of an error in a part": ["BEGIN; " + BETA + "; SELECT é, no_such FROM $W; COMMIT", "ROLLBACK"],
}


def sent_as(step):
    return [("query", step)] if isinstance(step, str) else [("run", text) for text in step] + [("sync",)]


@pytest.mark.parametrize("way", ["one by one", "all at once"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_answered_as_by_postgresql(stack, cluster, name, way):
    ours, theirs = missions_walk.open_pair(stack, cluster, "walker1")
    program = [sent_as(step) for step in PROGRAMS[name]]
    if way == "all at once":
        program = [[item for step in program for item in step]]
    with ours.raw, theirs.raw:
        for items in program:
            for side in (ours, theirs):
                side.send(items)
            units = sum(item[0] != "run" for item in items)
            assert ours.receive(units) == theirs.receive(units), items


def test_error_positions_in_a_part_are_the_texts(stack, cluster):
    ours, theirs = missions_walk.open_pair(stack, cluster, "walker1")
    told = []
    for side in (ours, theirs):
        with side.raw:
            # Of equal length on both sides.
            text = "BEGIN; SET application_name = 'é'; SELECT 1, 2, no_such; COMMIT"
            told.append(wire.error_of(side.raw.query(text))["P"])
    assert told[0] == told[1]


# ---- drivers ----------------------------------------------------------------------------------------------------------------

def test_psycopg_without_autocommit(stack):
    with walker(stack, autocommit=False) as c:
        assert whose(c) == {("alpha", "p1")}
        c.execute("SET pgvigil.mission = 'beta'")
        assert whose(c) == {("beta", "p1")}
        c.rollback()
        assert whose(c) == {("alpha", "p1")}
        c.execute("SET pgvigil.mission = 'beta'")
        c.commit()
        assert whose(c) == {("beta", "p1")}
        c.commit()
        c.execute("SET LOCAL pgvigil.patient = 'p2'")
        assert whose(c) == {("beta", "p2")}
        c.commit()
        assert whose(c) == {("beta", "p1")}


def test_psycopg_nested_transactions(stack):
    with walker(stack) as c:
        with c.transaction():
            c.execute("SET pgvigil.mission = 'beta'")
            with pytest.raises(errors.DivisionByZero), c.transaction():
                c.execute("SET pgvigil.patient = 'p2'")
                assert whose(c) == {("beta", "p2")}
                c.execute("SELECT 1/0")
            assert whose(c) == {("beta", "p1")}
            with c.transaction():
                c.execute("SET LOCAL pgvigil.patient = 'p2'")
            assert whose(c) == {("beta", "p2")}
        assert whose(c) == {("beta", "p1")}


def test_psycopg_pipeline_and_prepared_statements(stack):
    question = "SELECT DISTINCT mission, patient FROM w WHERE id > %s"
    with walker(stack) as c:
        for _ in range(3):
            with c.pipeline(), c.transaction():
                first = c.execute(question, (0,), prepare=True)
                c.execute("SET LOCAL pgvigil.mission = 'beta'")
                second = c.execute(question, (0,), prepare=True)
            assert (first.fetchall(), second.fetchall()) == ([("alpha", "p1")], [("beta", "p1")])
            assert c.execute(question, (0,), prepare=True).fetchall() == [("alpha", "p1")]


def test_a_mission_of_ones_own_in_a_role_without_a_default(make_stack):
    policy = missions_walk.policy()[0][1].replace('default = "alpha";', "")
    with make_stack(extra_policy=[("90-walk.cfg", policy)], extra_sql=missions_walk.SQL).connect(
            "walker1", autocommit=False, options="-c pgvigil.patient=p1") as c:
        c.execute("SET pgvigil.mission = 'beta'")
        assert whose(c) == {("beta", "p1")}
        c.rollback()
        with pytest.raises(errors.InsufficientPrivilege, match="no mission"):
            whose(c)
        c.rollback()
        c.execute("SET pgvigil.mission = 'beta'")
        c.commit()
        assert whose(c) == {("beta", "p1")}


# ---- what is refused ----------------------------------------------------------------------------------------------------------

def test_refusals_in_a_transaction_leave_the_mission_as_it_was(stack):
    with walker(stack) as c:
        for bad in ("SET pgvigil.mission = 'care'", "SET LOCAL pgvigil.role = 'nurse'", "SET LOCAL pgvigil.nothing = '1'", "RESET pgvigil.u_wards"):
            with pytest.raises(psycopg.Error), c.transaction():
                c.execute("SET pgvigil.patient = 'p2'")
                c.execute(bad)
            assert whose(c) == {("alpha", "p1")}


def test_own_statements_in_the_middle_of_an_implicit_transaction_are_refused_as_a_whole(stack):
    with walker(stack) as c:
        for text in ("SELECT 1; SET pgvigil.mission = 'beta'; SELECT 2", "SET pgvigil.mission = 'beta'; SELECT 1; SHOW pgvigil.mission",
                     "BEGIN; COMMIT; SELECT 1; SET LOCAL pgvigil.mission = 'beta'"):
            with pytest.raises(errors.FeatureNotSupported, match="middle of a text"):
                c.execute(text)
            assert whose(c) == {("alpha", "p1")} and c.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        c.execute("BEGIN; SELECT 1; SET LOCAL pgvigil.mission = 'beta'; SELECT 2; COMMIT")


def test_what_does_not_parse_runs_nothing(stack):
    with walker(stack) as c:
        with pytest.raises(errors.SyntaxError):
            c.execute("SET pgvigil.mission = 'beta'; SELECT 1 FROM FROM")
        assert whose(c) == {("alpha", "p1")}


def test_role_of_the_other_kind_is_refused_in_a_transaction_and_taken_outside(stack):
    with walker(stack) as c:
        with pytest.raises(errors.ActiveSqlTransaction, match="unrestricted") as caught, c.transaction():
            c.execute("SET pgvigil.role = 'dba2'")
        assert "BEGIN" in caught.value.diag.message_hint
        assert c.execute("SELECT count(*) FROM w").fetchone() == (2,)
        c.execute("SET pgvigil.role = 'dba2'")
        assert c.execute("SELECT count(*) FROM public.w").fetchone() == (16,)
        with pytest.raises(errors.ActiveSqlTransaction), c.transaction():
            c.execute("SET LOCAL pgvigil.role = 'walker'")
        # Undone with the text that it stands in: the guarded server is the session's again.
        c.execute("SET pgvigil.role = 'walker'")
        with pytest.raises(errors.DivisionByZero):
            c.execute("SET pgvigil.role = 'dba2'; SELECT 1/0")
        assert c.execute("SELECT count(*) FROM w").fetchone() == (2,)


def test_role_follows_the_transaction(make_stack):
    with make_stack().connect("nurse2") as c:
        both = {}
        for role in ("nurse", "receptionist"):
            c.execute("SET pgvigil.role = '%s'" % role)
            both[role] = c.execute("SELECT count(*) FROM patients").fetchone()
        assert both["nurse"] != both["receptionist"]
        with c.transaction(force_rollback=True):
            c.execute("SET pgvigil.role = 'nurse'")
            assert c.execute("SHOW pgvigil.mission").fetchone() == ("care",)
            assert c.execute("SELECT count(*) FROM patients").fetchone() == both["nurse"]
            with pytest.raises(errors.UndefinedTable), c.transaction():
                c.execute("SELECT * FROM invoices_of_nobody")
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("admission",)
        assert c.execute("SELECT count(*) FROM patients").fetchone() == both["receptionist"]
        with c.transaction():
            c.execute("SET LOCAL pgvigil.role = 'nurse'")
            c.execute("SET pgvigil.mission = 'care'")  # which the role that comes back does not have
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("admission",)


# ---- portals, connections ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", ["SET LOCAL pgvigil.mission = 'beta'", "SET pgvigil.patient = 'p2'"])
def test_portals_end_with_mission_and_identity_inside_a_transaction(stack, change):
    with wire.open_session(stack, "walker1", options="-c pgvigil.mission=alpha -c pgvigil.patient=p1") as raw:
        raw.query("BEGIN")
        raw.send(wire.parse("SELECT id, mission, patient FROM w ORDER BY id", "s") + wire.bind([], "p", "s") + wire.execute("p", 1) + wire.SYNC)
        assert [r[1:] for r in wire.rows_of(raw.until("Z"))] == [(b"alpha", b"p1")]
        raw.send(wire.execute("p", 1) + wire.SYNC)
        assert [r[1:] for r in wire.rows_of(raw.until("Z"))] == [(b"alpha", b"p1")]
        raw.query("SAVEPOINT a")
        raw.query(change)
        raw.send(wire.execute("p", 1) + wire.SYNC)
        assert wire.error_of(raw.until("Z"))["C"] == "34000"
        raw.query("ROLLBACK TO a")
        raw.send(wire.execute("p", 1) + wire.SYNC)
        assert wire.error_of(raw.until("Z"))["C"] == "34000"
        # Its twin: another search path ends no portal.
        raw.query("ROLLBACK"), raw.query("BEGIN")
        raw.send(wire.bind([], "p", "s") + wire.execute("p", 1) + wire.SYNC)
        raw.until("Z")
        raw.query("SET LOCAL search_path = walk")
        raw.send(wire.execute("p", 1) + wire.SYNC)
        assert [r[1:] for r in wire.rows_of(raw.until("Z"))] == [(b"alpha", b"p1")]


def test_a_connection_that_dies_after_a_change_takes_its_session_along(stack):
    with walker(stack, autocommit=False) as c, walker(stack) as other:
        c.execute("SET pgvigil.mission = 'beta'")
        assert whose(c) == {("beta", "p1")}
        with stack.superuser() as dba:
            dba.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil' AND state = 'idle in transaction'")
        with pytest.raises(psycopg.OperationalError):
            whose(c)
        assert whose(other) == {("alpha", "p1")}


def test_settings_of_postgresqls_own_outlive_a_change_of_mission(stack):
    with walker(stack, options="-c pgvigil.mission=alpha -c pgvigil.patient=p1 -c TimeZone=Asia/Tokyo") as c:
        c.execute("SET TimeZone = 'Pacific/Apia'")
        c.execute("SET pgvigil.mission = 'beta'")
        assert c.execute("SHOW TimeZone").fetchone() == ("Pacific/Apia",) and whose(c) == {("beta", "p1")}
        c.execute("RESET ALL")
        assert c.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",) and whose(c) == {("alpha", "p1")}


def test_client_that_goes_with_a_changed_mission_leaves_nothing_to_the_next(stack):
    for sent in (wire.query("BEGIN; SET pgvigil.mission = 'beta'; SELECT 1"), wire.query("BEGIN") + wire.query("SET pgvigil.patient = 'p2'") + wire.query(
            "SELECT * FROM w") + wire.query("ROLLBACK"), wire.parse("SET pgvigil.mission = 'beta'") + wire.bind() + wire.execute() + wire.parse(
                "SELECT * FROM w") + wire.bind() + wire.execute() + wire.FLUSH):
        for pause in (0, 0.05):
            with wire.open_session(stack, "walker2", options="-c pgvigil.mission=alpha -c pgvigil.patient=p1") as raw:
                raw.send(sent)
                time.sleep(pause)
            with walker(stack) as c:
                assert whose(c) == {("alpha", "p1")}


# ---- the trail -------------------------------------------------------------------------------------------------------------------

def test_every_effective_change_is_on_record(stack):
    with walker(stack, application_name="events") as c:
        c.execute("SET pgvigil.mission = 'alpha'")  # changes nothing
        with c.transaction(force_rollback=True):
            c.execute("SET pgvigil.mission = 'beta'")
            with pytest.raises(errors.DivisionByZero), c.transaction():
                c.execute("SET LOCAL pgvigil.mission = 'alpha'")
                c.execute("SELECT 1/0")
        with c.transaction():
            c.execute("SET LOCAL pgvigil.mission = 'beta'")
            c.execute("SELECT 4712 FROM w LIMIT 1")
    assert [d.replace("role walker, mission ", "") for d in missions_of(stack, "events")] == [
        "beta", "alpha", "beta, undone with the transaction", "alpha, undone with the transaction", "beta", "alpha, after SET LOCAL"]


def test_records_name_the_mission_that_a_statement_ran_under(stack):
    with walker(stack, application_name="under") as c:
        c.execute("BEGIN")
        c.execute("SELECT id FROM w")
        c.execute("SET pgvigil.mission = 'beta'")
        c.execute("SELECT id FROM w")
        c.execute("ROLLBACK; SELECT id FROM w")
    seen = [(r["mission"], r["statement"]) for r in on_record(stack, application="under", type="whole")]
    assert seen == [("alpha", "BEGIN"), ("alpha", "SELECT"), ("beta", "SELECT"), ("beta", "ROLLBACK"), ("alpha", "SELECT")]


def test_what_a_person_may_not_take_she_may_not_take_in_a_transaction_either(make_stack):
    with make_stack().connect("nurse1") as c:
        for taken in ("pgvigil.mission = 'research'", "pgvigil.role = 'it-admin'", "pgvigil.u_wards = '{1,2,3}'"):
            for text in ("BEGIN; SET %s; SELECT * FROM invoices; COMMIT", "BEGIN; SET LOCAL %s; SELECT * FROM invoices; COMMIT", "SET %s; SELECT * FROM invoices"):
                with pytest.raises(errors.InsufficientPrivilege):
                    c.execute(text % taken)
                c.execute("ROLLBACK")
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("care",)


def test_unrestricted_reset_all_resets_what_is_pgvigils_too(stack):
    with stack.connect("walker1", role="dba2") as c:
        for reset in ("RESET ALL", "DISCARD ALL"):
            c.execute("SET pgvigil.reason = 'for a while'")
            c.execute(reset)
            assert c.execute("SHOW pgvigil.reason").fetchone() == ("",) and c.execute("SHOW pgvigil.role").fetchone() == ("dba2",)
        c.execute("SET pgvigil.reason = 'for longer'")
        with c.transaction(force_rollback=True):
            c.execute("RESET ALL")
            assert c.execute("SHOW pgvigil.reason").fetchone() == ("",)
        assert c.execute("SHOW pgvigil.reason").fetchone() == ("for longer",)
