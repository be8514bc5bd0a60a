"""
A server connection turns to another person by an identity that is sent ahead of her first statement, in the same implicit
transaction: no round trip, and never a statement under the identity of whoever had the connection before. Not when the identity
fails (then nothing that was sent behind it runs), not when the statement fails (which takes the identity back), not when a cancel
request hits the one or the other.
"""
import contextlib
import itertools
import random
import threading

import held_disk
import psycopg
import pytest
import relay
import wire

COUNT = "SELECT count(*) FROM patients"
# A check at the end of the transaction, after the statement's own answer in the extended protocol.
LATE = """
CREATE FUNCTION public.refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'too late'; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.observations DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.value = -1) EXECUTE FUNCTION public.refuse_late();
"""


@pytest.fixture(scope="module")
def one(make_stack):
    """One server connection for everybody."""
    return make_stack(pool=1, changes={"records": LATE})


@pytest.fixture(scope="module")
def facts(one):
    """What each nurse counts, asked in the database; a patient and a stay of nurse1's."""
    with one.superuser() as c:
        counts = {who: c.execute("SELECT count(*) FROM patients WHERE ward_id = ANY(%s)", (wards,)).fetchone()[0]
                  for who, wards in (("nurse1", [1, 2]), ("nurse2", [3]))}
        hers = {who: c.execute("SELECT s.patient_id, s.id FROM stays s JOIN patients p ON p.id = s.patient_id WHERE p.ward_id = ANY(%s)"
                               " ORDER BY s.id LIMIT 1", (wards,)).fetchone() for who, wards in (("nurse1", [1, 2]), ("nurse2", [3]))}
    assert counts["nurse1"] != counts["nurse2"]
    return counts, hers


numbers = itertools.count(10000000)


def note(of, label, value=1):
    """The text that notes an observation of a patient."""
    patient, stay = of
    return ("INSERT INTO observations (id, patient_id, stay_id, taken_on, taken_at, practitioner, loinc, label, value, unit) VALUES"
            " (%d, %d, %d, '2025-03-01', '2025-03-01 10:00', '10000000611', '8867-4', '%s', %s, 'bpm')"
            % (next(numbers), patient, stay, label, value))


def noted(stack, label):
    with stack.superuser() as c:
        return c.execute("SELECT count(*) FROM observations WHERE label = %s", (label,)).fetchone()[0]


def failed(stack):
    """Statements that failed since an identity did, as the audit has them."""
    return sum(r.get("sqlstate") == "55000" and r["type"] in ("whole", "end") for r in stack.audit_records())


def simple(raw, sql):
    return raw.query(sql)


def extended(raw, sql):
    raw.send(wire.parse(sql) + wire.bind() + wire.describe("P") + wire.execute() + wire.SYNC)
    return raw.until("Z")


def named(raw, sql):
    """A statement that was prepared before; its name is made anew each time."""
    named.count += 1
    name = "s%d" % named.count
    raw.send(wire.parse(sql, name) + wire.SYNC)
    first = raw.until("Z")
    if wire.error_of(first):
        return first
    raw.send(wire.bind(statement=name) + wire.execute() + wire.SYNC)
    return raw.until("Z")


named.count = 0
FORMS = (simple, extended, named)


def count(raw, form=simple):
    rows = wire.rows_of(form(raw, COUNT))
    return int(rows[0][0]) if rows else None


@contextlib.contextmanager
def two(stack):
    with wire.open_session(stack, "nurse1") as first, wire.open_session(stack, "nurse2") as second:
        yield first, second


def test_turning_costs_no_round_trip(make_stack, cluster):
    with relay.Relay(cluster) as between:
        stack = make_stack(serve=False, pool=1, workers=1)
        text = stack.config_file.read_text(encoding="utf-8").replace("port=%d " % cluster.port, "port=%d " % between.port)
        stack.config_file.write_text(text, encoding="utf-8")
        stack.serve()
        with two(stack) as sessions:
            for form in (simple, extended):
                for raw in sessions:
                    assert count(raw, form)
                for raw in sessions * 2:
                    between.heard.clear()
                    assert count(raw, form)
                    assert between.turns() == "cs", (form, between.turns())
            for raw in sessions * 2:
                between.heard.clear()
                assert wire.tag_of(raw.query("BEGIN")) == "BEGIN" and between.turns() == "cs"
                assert count(raw) and wire.tag_of(raw.query("COMMIT")) == "COMMIT" and between.turns() == "cscscs"
            # The twin: what may neither share a transaction with the identity nor run as somebody else waits for it.
            between.heard.clear()
            assert wire.error_of(sessions[0].query("SAVEPOINT a"))["C"] == "25P01" and between.turns() == "cscs"
        stack.proxy.stop()


@contextlib.contextmanager
def no_member(stack):
    """The login may not become any pair; the connection that it has stays what it was."""
    with stack.superuser() as c:
        roles = [row[0] for row in c.execute("SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
                                             " WHERE m.member = 'pgvigil'::regrole AND r.rolname LIKE 'pgvigil:%nurse/care%'").fetchall()]
        assert roles
        for role in roles:
            c.execute('REVOKE "%s" FROM pgvigil' % role)
        try:
            yield
        finally:
            for role in roles:
                c.execute('GRANT "%s" TO pgvigil' % role)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_runs_behind_an_identity_that_failed(one, facts, form):
    """The attack: it would run as the person before, whose role in the same pair needs no word to stay."""
    counts, hers = facts
    label = "behind " + form.__name__
    before = failed(one)
    with two(one) as (first, second):
        assert count(first) == counts["nurse1"]
        with no_member(one):
            for sql in (note(hers["nurse1"], label), COUNT):
                got = form(second, sql)
                error = wire.error_of(got)
                assert error["S"] == "ERROR" and error["C"] == "55000" and "deploy" in error["M"], error
                assert got[-1] == ("Z", b"I") and not wire.rows_of(got) and wire.tag_of(got) is None
        assert noted(one, label) == 0
        assert count(second, form) == counts["nurse2"]
        # A write was begun, on record, and is ended there; one Execute or query has one record.
        assert failed(one) == before + 2
        # The twin: without the attack she may not, and whose patient it is may.
        assert wire.error_of(form(second, note(hers["nurse1"], label)))["C"] == "44000"
        assert wire.tag_of(form(first, note(hers["nurse1"], label))) == "INSERT 0 1" and noted(one, label) == 1


def test_nothing_of_a_pipeline_runs_behind_an_identity_that_failed(one, facts):
    counts, hers = facts
    write = note(hers["nurse1"], "pipeline")
    group = wire.parse(write) + wire.bind() + wire.execute()
    with two(one) as (first, second):
        # In one group, in several, in several queries, with and without a Flush: each Sync and query gets its own error and end.
        block = wire.query("BEGIN") + wire.query(write) + wire.query("COMMIT")
        for parts, ends in ((block, 3), (wire.query("BEGIN"), 1), (group * 3 + wire.SYNC, 1), ((group + wire.SYNC) * 3, 3), (wire.query(write) * 3, 3),
                            (group + wire.FLUSH + group + wire.SYNC, 1), (wire.query(write) + group + wire.SYNC + wire.query(write), 3)):
            assert count(first) == counts["nurse1"]
            with no_member(one):
                second.send(parts)
                for _ in range(ends):
                    got = second.until("Z")
                    assert [kind for kind, _ in got if kind in "CD"] == [] and wire.error_of(got)["C"] == "55000", got
                    assert got[-1] == ("Z", b"I")
            assert noted(one, "pipeline") == 0
            assert count(second) == counts["nurse2"]


def test_group_without_its_sync_is_skipped_up_to_it(one, facts):
    counts, hers = facts
    with two(one) as (first, second):
        assert count(first) == counts["nurse1"]
        with no_member(one):
            second.send(wire.parse(note(hers["nurse1"], "no sync")) + wire.bind() + wire.execute() + wire.FLUSH)
            assert wire.error_of(second.until("E"))["C"] == "55000"
        second.send(wire.parse(COUNT) + wire.bind() + wire.execute())  # skipped
        second.send(wire.SYNC)
        assert second.until("Z") == [("Z", b"I")]
        assert noted(one, "no sync") == 0 and count(second, extended) == counts["nurse2"]


FAILING = ("SELECT 1 / (count(*) - count(*)) FROM patients", "SELECT 'x' || CAST(family_name AS int) FROM patients",
           "INSERT INTO observations (patient_id, stay_id) VALUES (1, 1)")


@pytest.mark.parametrize("form", FORMS)
def test_statement_that_fails_takes_the_identity_back(one, facts, form):
    """The next statement is under the right one all the same: of the same session, and of another on the same connection."""
    counts, hers = facts
    late = note(hers["nurse2"], "late", -1)
    with two(one) as (first, second):
        for sql in FAILING + (late,):
            assert count(first, form) == counts["nurse1"]
            error = wire.error_of(form(second, sql))
            assert error["C"] == ("P0001" if sql == late else error["C"]) != "55000", (sql, error)
            assert count(second, form) == counts["nurse2"], sql
            assert count(first, form) == counts["nurse1"]
            assert wire.error_of(form(second, sql))["C"] == error["C"]
            assert count(first, form) == counts["nurse1"], sql
        assert noted(one, "late") == 0


def test_pipeline_behind_a_statement_that_fails_is_its_own_persons(one, facts):
    """The attack: the first one is meant to fail, and the second is sent before that is known."""
    counts, hers = facts
    fails = [(wire.query(sql), wire.parse(sql) + wire.bind() + wire.execute() + wire.SYNC) for sql in FAILING + (note(hers["nurse2"], "late", -1),)]
    asks = (wire.query(COUNT), wire.parse(COUNT) + wire.bind() + wire.execute() + wire.SYNC)
    with two(one) as (first, second):
        for both in fails:
            for fail in both:
                for ask in asks:
                    assert count(first) == counts["nurse1"]
                    second.send(fail + ask + ask)
                    assert wire.error_of(second.until("Z"))
                    for _ in range(2):
                        assert wire.rows_of(second.until("Z")) == [(str(counts["nurse2"]).encode(),)]


def test_block_that_begins_in_the_group_takes_the_identity_back(one, facts):
    """ROLLBACK undoes the whole of it, and what comes behind it in the same group is under the right identity still."""
    counts, _ = facts
    ask = wire.parse(COUNT) + wire.bind() + wire.execute()

    def word(sql):
        return wire.parse(sql) + wire.bind() + wire.execute()

    hers = [(str(counts["nurse2"]).encode(),)]
    with two(one) as (first, second):
        for end in ("ROLLBACK", "COMMIT"):
            for parts in (ask + word("BEGIN") + word(end) + ask + wire.SYNC, ask + word("BEGIN") + wire.SYNC + word(end) + wire.SYNC + ask + wire.SYNC,
                          ask + word("BEGIN") + word("SAVEPOINT a") + word("ROLLBACK TO a") + word(end) + ask + wire.SYNC,
                          ask + word(end) + ask + wire.SYNC):
                assert count(first) == counts["nurse1"]
                second.send(parts)
                got = []
                for _ in range(parts.count(wire.SYNC)):
                    got += second.until("Z")
                assert wire.error_of(got) is None and wire.rows_of(got) == hers * 2, (end, got)
                assert count(second) == counts["nurse2"]
                assert count(first) == counts["nurse1"]


ALONE = ("BEGIN ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION READ ONLY", "DECLARE c CURSOR FOR SELECT id FROM wards", "SAVEPOINT a",
         "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "COMMIT", "ROLLBACK",
         "SELECT id FROM wards WHERE id = 1; SELECT count(*) FROM wards")


@pytest.mark.parametrize("form", (simple, extended))
def test_what_must_begin_its_transaction_does(one, form):
    """As PostgreSQL answers it: the identity is in no transaction of the client's."""
    with two(one) as (first, second), one.superuser() as c:
        for sql in ALONE:
            if form is extended and ";" in sql:
                continue
            assert count(first)
            got = form(second, sql)
            second.query("ROLLBACK")
            try:
                c.execute(sql)
                expected = None
            except psycopg.Error as error:
                expected = error.sqlstate
            c.rollback()
            found = wire.error_of(got)
            assert (found["C"] if found else None) == expected, (sql, found)


@pytest.fixture
def slow_disk(make_stack, tmp_path):
    """A stack whose records are on the disk when a test lets them; a write waits for its own between the identity and itself."""
    return held_disk.make(make_stack, tmp_path / "disk", pool=1, workers=1)


def test_identity_that_fails_while_a_write_waits_for_its_record(slow_disk, facts):
    counts, hers = facts
    with two(slow_disk) as (first, second):
        for text in (wire.query, lambda sql: wire.parse(sql) + wire.bind() + wire.execute() + wire.SYNC):
            assert count(first) == counts["nurse1"]
            with no_member(slow_disk):
                with slow_disk.disk.held():
                    since = slow_disk.proxy.log_size()
                    second.send(text(note(hers["nurse1"], "waits")))
                    slow_disk.proxy.wait_log("state=active event=own-statement-failed", since=since)
                got = second.until("Z")
                assert wire.error_of(got)["C"] == "55000" and got[-1] == ("Z", b"I"), got
            assert noted(slow_disk, "waits") == 0 and count(second) == counts["nurse2"]
            # The twin: nothing fails, and it runs when its record is there.
            assert count(first) == counts["nurse1"]
            with slow_disk.disk.held():
                second.send(text(note(hers["nurse2"], "waited")))
            assert wire.tag_of(second.until("Z")) == "INSERT 0 1"
        assert noted(slow_disk, "waited") == 2


def test_cancels_at_full_load_never_mix_people(make_stack):
    """At random moments, on sessions whose connections turn each time: an answer is hers, or it is the cancel's error."""
    stack = make_stack(pool=3)
    people = ("nurse1", "nurse2", "dr.martin", "reception1")
    texts = (COUNT, "SELECT min(id), max(id), count(*) FROM patients", "SELECT count(*) FROM patients, generate_series(1, 30)")
    expected = {}
    for who in people:
        with wire.open_session(stack, who) as raw:
            expected[who] = [wire.rows_of(raw.query(sql)) for sql in texts]
    assert len({str(expected[who]) for who in people}) == len(people)
    keys, problems, tally, stop = [], [], {"rows": 0, "cancelled": 0}, threading.Event()

    def ask(number):
        rnd = random.Random(number)
        who = people[number % len(people)]
        try:
            with wire.open_session(stack, who) as raw:
                raw.keep = False
                keys.append(raw.key)
                for _ in range(120):
                    i = rnd.randrange(len(texts))
                    many = rnd.randrange(1, 4)
                    parts = [rnd.choice((wire.query(texts[i]), wire.parse(texts[i]) + wire.bind() + wire.execute() + wire.SYNC))] * many
                    if rnd.randrange(3) == 0:
                        parts = [wire.query("BEGIN")] + parts + [wire.query("COMMIT")]
                    raw.send(b"".join(parts))
                    for part in parts:
                        got = raw.until("Z")
                        error = wire.error_of(got)
                        if part in (wire.query("BEGIN"), wire.query("COMMIT")):
                            assert not wire.rows_of(got) and (error is None or error["C"] in ("57014", "25P02")), got
                        elif error is not None and error["C"] == "25P02" and not wire.rows_of(got):
                            tally["cancelled"] += 1  # in a block that a cancel has failed
                        elif error is None and wire.rows_of(got) == expected[who][i]:
                            tally["rows"] += 1
                        elif error is not None and error["C"] == "57014" and wire.rows_of(got) in ([], expected[who][i]):
                            tally["cancelled"] += 1
                        else:
                            problems.append((who, texts[i], str(got)[:200]))
        except Exception as error:  # a thread's failure is the test's
            problems.append((who, "%s: %s" % (type(error).__name__, error)))

    def cancel_upstream():
        """What runs on pgvigil's connections, whoever it is for: many more, and faster than requests of clients can be."""
        with stack.superuser() as c:
            while not stop.wait(0.002):
                c.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil' AND datname = current_database()"
                          " AND state = 'active'")

    def cancel():
        rnd = random.Random(0)
        while not stop.is_set():
            with contextlib.suppress(wire.Closed, OSError):
                with wire.Raw(stack.port, stack.tls_context()) as raw:
                    raw.send(wire.cancel(*rnd.choice(keys)))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for t in threads:
        t.start()
    while len(keys) < 12 and not problems:
        stop.wait(0.01)
    cancels = [threading.Thread(target=work) for work in (cancel, cancel_upstream)]
    for t in cancels:
        t.start()
    for t in threads:
        t.join()
    stop.set()
    for t in cancels:
        t.join()
    assert not problems, problems[:5]
    assert tally["rows"] > 1000 and tally["cancelled"] > 10, tally
