"""
What `allow`, `channels` and `truncate` open, used for more: each case is a way that somebody who has every word (nurse1), or none
(reception1), might try.

CASES: (name, who, [SQL], what must be). The statements are sent one after the other, by both protocols. What must be:
    a set of SQLSTATEs    the last one is refused with one of them
    None                  all of them are answered; what they did is looked at all the same
Afterwards every table has its rows, nothing is prepared, nobody hears anything on a channel that is not listed, and no answer has a word of
HIDDEN_NAMES. The transaction is rolled back.
"""
import allow_schema
import harness
import pytest
import wire

NO = {"42501"}
UNSUPPORTED = {"0A000"}
NOT_THERE = {"42704"}
GONE = {"42P01"}
EMPTY = {"22023"}
HIDDEN_NAMES = [b"S3CR3T", b"pgvigil:", b"teams"]

CASES = [
    # ---- LOCK TABLE
    ("lock_without_the_word", "reception1", ["LOCK u.logs"], NO),
    ("lock_without_the_word_of_nothing", "reception1", ["LOCK u.nosuch"], NO),
    ("lock_of_what_only_a_filter_reads", "nurse1", ["LOCK u.teams IN ACCESS SHARE MODE"], NO),
    ("lock_of_what_only_a_filter_reads_by_its_guard", "nurse1", ["LOCK u.stays IN ROW SHARE MODE"], NO),
    ("lock_of_a_guard_by_its_own_name", "nurse1", ['LOCK "pgvigil:nurse/care@00000000"."u.beds"'], NO),
    ("lock_of_a_catalog", "nurse1", ["LOCK pg_catalog.pg_authid IN ACCESS EXCLUSIVE MODE"], NO),
    ("lock_of_a_catalog_by_a_bare_name", "nurse1", ["LOCK pg_class"], NO),
    ("lock_of_the_second_of_two", "nurse1", ["LOCK u.beds, u.closed"], NO),
    ("lock_by_a_unicode_name", "nurse1", ['LOCK U&"\\0075".U&"cl\\006fsed"'], NO),
    ("lock_by_the_path", "nurse1", ["SET LOCAL search_path = u", "LOCK closed"], NO),
    ("lock_of_another_database", "nurse1", ["LOCK template1.u.beds"], UNSUPPORTED),
    ("lock_with_rights_on_columns_only", "nurse1", ["LOCK u.notes IN EXCLUSIVE MODE"], NO),
    ("lock_of_a_temporary_name", "nurse1", ["LOCK pg_temp.beds"], NO),
    # ---- TRUNCATE
    ("truncate_with_delete_only", "reception1", ["TRUNCATE u.logs"], NO),
    ("truncate_under_a_filter", "nurse1", ["TRUNCATE ONLY u.beds"], NO),
    ("truncate_of_what_references", "nurse1", ["TRUNCATE u.wards, u.rooms"], NO),
    ("truncate_of_what_references_by_cascade", "nurse1", ["TRUNCATE u.wards CASCADE"], UNSUPPORTED),
    ("truncate_in_a_comment", "nurse1", ["TRUNCATE u.wards /*; */ CASCADE -- RESTRICT"], UNSUPPORTED),
    ("truncate_that_restarts_a_sequence", "nurse1", ["TRUNCATE u.numbered RESTART IDENTITY"], UNSUPPORTED),
    ("truncate_by_a_view", "nurse1", ["TRUNCATE u.seen"], NO),
    ("truncate_by_the_guards_name", "nurse1", ['TRUNCATE "pgvigil:nurse/care@00000000"."u.logs"'], NO),
    ("truncate_by_explain_analyze", "nurse1", ["EXPLAIN ANALYZE DELETE FROM u.logs"], UNSUPPORTED),
    # ---- LISTEN, NOTIFY
    ("listen_without_the_word", "reception1", ["LISTEN lab_results"], NO),
    ("listen_to_a_channel_that_begins_alike", "nurse1", ["LISTEN lab_results2"], NO),
    ("listen_to_a_channel_by_its_pattern", "nurse1", ['LISTEN "ward*"'], NO),
    ("notify_without_the_word", "reception1", ["SELECT pg_catalog.pg_notify('lab_results', 'x')"], NO),
    ("notify_by_a_function_in_from", "nurse1", ["SELECT * FROM pg_notify('sec' || 'rets', 'x') AS f"], EMPTY),
    ("notify_in_rows_from", "nurse1", ["SELECT * FROM ROWS FROM (pg_notify(lower('SECRETS'), 'x')) AS f"], EMPTY),
    ("notify_in_where", "nurse1", ["SELECT 1 FROM u.tools WHERE pg_notify(concat('secrets'), label) IS NOT NULL"], EMPTY),
    ("notify_in_returning", "nurse1", ["INSERT INTO u.wards VALUES (7) RETURNING pg_notify(concat('secrets'), 'x')"], EMPTY),
    ("notify_by_a_cursor", "nurse1", ["DECLARE c CURSOR FOR SELECT pg_notify(concat('secrets'), 'x')", "FETCH c"], EMPTY),
    ("notify_by_execute", "nurse1", ["PREPARE q (text) AS SELECT pg_notify($1, 'x')", "EXECUTE q('secrets')"], EMPTY),
    ("notify_by_a_name_with_a_line_in_it", "nurse1", ["SELECT pg_notify(concat('lab_results', chr(10), 'x'), 'x')"], EMPTY),
    ("notify_by_a_name_that_the_pattern_would_match", "nurse1", ["SELECT pg_notify(concat('ÉtéÉÉÉ(x)'), 'x')"], EMPTY),
    ("notify_by_a_name_of_another_type", "nurse1", ["SELECT pg_notify('secrets'::name::text, 'x')"], EMPTY),
    ("notify_by_a_name_with_a_collation", "nurse1", ['SELECT pg_notify(\'secrets\' COLLATE "C", \'x\')'], EMPTY),
    ("notify_by_a_sub_select", "nurse1", ["SELECT pg_notify((SELECT 'secrets' LIMIT 1), 'x')"], EMPTY),
    ("notify_by_an_aggregate", "nurse1", ["SELECT pg_notify(max('secrets'), 'x') FROM u.tools"], EMPTY),
    ("notify_of_hidden_columns", "nurse1", ["SELECT pg_notify('lab_results', secret) FROM u.beds"], {"42703"}),
    ("notify_by_explain", "nurse1", ["EXPLAIN SELECT pg_notify('lab_results', 'x')"], None),
    ("channels_of_others", "reception1", ["SELECT * FROM pg_listening_channels()"], NO),
    ("queue_of_notifications", "nurse1", ["SELECT pg_notification_queue_usage()"], NO),
    # ---- two-phase commit
    ("prepare_without_the_word", "reception1", ["PREPARE TRANSACTION 'x'"], NO),
    ("commit_of_the_admins", "nurse1", ["ROLLBACK", "COMMIT PREPARED 'of the admin'"], NOT_THERE),
    ("rollback_of_the_admins_by_another_form", "nurse1", ["ROLLBACK", "ROLLBACK PREPARED U&'of the \\0061dmin'"], NOT_THERE),
    ("commit_of_the_other_nurses", "nurse1", ["ROLLBACK", "COMMIT PREPARED '{gid}'"], NOT_THERE),
    ("commit_of_the_other_nurses_out_of_the_prefix", "nurse1", ["ROLLBACK", "COMMIT PREPARED '../../{gid}'"], NOT_THERE),
    ("commit_in_a_comment", "nurse1", ["ROLLBACK", "COMMIT PREPARED /* 'x' */ 'of the admin' -- 'y'"], NOT_THERE),
    ("list_of_prepared", "nurse1", ["SELECT * FROM pg_prepared_xacts"], NO),
    ("list_of_prepared_by_the_function", "nurse1", ["SELECT pg_prepared_xact()"], NO),
    # ---- EXPLAIN
    ("explain_without_the_word", "reception1", ["EXPLAIN SELECT 1"], NO),
    ("explain_of_a_filter", "nurse1", ["EXPLAIN SELECT * FROM u.stays"], None),
    ("explain_with_columns", "nurse1", ["EXPLAIN (VERBOSE, COSTS off) SELECT * FROM u.beds"], UNSUPPORTED),
    ("explain_twice_of_an_option", "nurse1", ["EXPLAIN (COSTS off, FORMAT text, FORMAT xml) SELECT 1"], UNSUPPORTED),
    ("explain_with_a_line_in_a_constant", "nurse1", ["EXPLAIN SELECT * FROM u.tools WHERE label = E'\\n->  S3CR3T'"], None),
    ("explain_of_a_hidden_table", "nurse1", ["EXPLAIN SELECT * FROM u.closed"], NO),
    ("explain_by_execute", "nurse1", ["EXPLAIN EXECUTE q"], UNSUPPORTED),
]


@pytest.fixture(scope="module")
def cluster():
    with harness.Cluster(settings=["max_prepared_transactions = 10"]) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_stack):
    return allow_schema.make(make_stack)


@pytest.fixture(scope="module")
def gid(stack):
    """The server's name of what another nurse has prepared; the admin has prepared something too."""
    with stack.connect("nurse2") as c:
        c.execute("BEGIN")
        c.execute("PREPARE TRANSACTION 'of the other nurse'")
    with stack.connect("admin1") as c:
        c.execute("BEGIN")
        c.execute("PREPARE TRANSACTION 'of the admin'")
    with stack.superuser() as c:
        (name,) = c.execute("SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'pgv/%'").fetchone()
    yield name
    with stack.superuser() as c:
        for (left,) in c.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
            c.execute("ROLLBACK PREPARED '%s'" % left)


@pytest.fixture(scope="module")
def ear(stack):
    """Hears what comes on channels that the nurse's role does not list."""
    with wire.open_session(stack, "admin1") as raw:
        for channel in ("secrets", '"ÉtéÉÉÉ(x)"', '"lab_results\nx"', "lab_results"):
            raw.query("LISTEN " + channel)
        yield raw


def state(stack):
    with stack.superuser() as c:
        rows = c.execute("SELECT (SELECT count(*) FROM u.beds), (SELECT count(*) FROM u.logs), (SELECT count(*) FROM u.wards), (SELECT count(*) FROM u.numbered), "
                         "(SELECT array_agg(gid ORDER BY gid) FROM pg_prepared_xacts)").fetchone()
        return rows


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("name, who, statements, must", CASES, ids=[c[0] for c in CASES])
def test_attack(name, who, statements, must, extended, stack, gid, ear):
    before = state(stack)
    with wire.open_session(stack, who) as raw:
        ask = raw.extended if extended else raw.query
        raw.query("BEGIN")
        raw.received = bytearray()
        errors = []
        for sql in statements:
            errors.append(wire.error_of(ask(sql.format(gid=gid))))
        received = bytes(raw.received)
        asked = "".join(statements).encode()
        for word in HIDDEN_NAMES:
            assert word not in received or word in asked, received[:400]
        assert errors[:-1] == [None] * (len(errors) - 1), errors
        if must is None:
            assert errors[-1] is None, errors
        else:
            assert errors[-1] and errors[-1]["C"] in must, errors
        if name.startswith("explain_with_a_line"):
            assert b"S3CR3T" not in received
        raw.query("ROLLBACK")
    assert state(stack) == before
    assert [kind for kind, _ in ear.query("SELECT 1")] == ["T", "D", "C", "Z"]


def test_there_are_enough_cases_with_names_of_their_own():
    names = [c[0] for c in CASES]
    assert len(names) == len(set(names)) and len(CASES) >= 50


def test_the_cases_can_fail(stack):
    """PostgreSQL, asked directly, does most of what is refused above: inside a transaction that is rolled back."""
    done = 0
    with stack.superuser(autocommit=False) as c:
        for _, _, statements, must in CASES:
            if must is None or "PREPARED" in statements[-1]:
                continue
            try:
                for sql in statements:
                    c.execute(sql)
                done += 1
            except Exception:  # noqa: BLE001 - some need what only pgvigil has
                pass
            c.rollback()
    assert done >= 25
