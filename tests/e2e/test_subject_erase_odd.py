"""
`pgvigil subject erase` where a database is not as one would have made it: keys that go round, children by inheritance, partitions with
an entry of their own, tables without a key, rows that refer to a partition, row security, deferred constraints, large objects, rows
that come in meanwhile, a trail that cannot be written. What cannot be told stays, and nothing is half done.
"""
import json
import time

import documents
import erase_schema
import psycopg
import pytest
from meddle import blocked, junior, refused_commit, trigger
from test_subject_erase import erase, events, plan, start

SQL = erase_schema.SQL + """
CREATE TABLE public.friends (id bigint PRIMARY KEY, patient_id bigint NOT NULL, best bigint REFERENCES public.friends);
CREATE TABLE public.base (id bigint, patient_id bigint);
CREATE TABLE public.derived (more text) INHERITS (public.base);
CREATE TABLE public.bequeathed (more text) INHERITS (public.base);
CREATE TABLE public.bills (id bigint, kind text, patient_id bigint, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE public.bills_tax PARTITION OF public.bills FOR VALUES IN ('tax');
CREATE TABLE public.bills_other PARTITION OF public.bills DEFAULT;
CREATE TABLE public.mixed (id bigint, patient_id bigint, kind text) PARTITION BY LIST (kind);
CREATE TABLE public.mixed_legal PARTITION OF public.mixed FOR VALUES IN ('legal');
CREATE TABLE public.mixed_other PARTITION OF public.mixed DEFAULT;
CREATE TABLE public.nokey (patient_id bigint, word text);
CREATE TABLE public.ev (id bigint, kind text, patient_id bigint, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE public.ev_a PARTITION OF public.ev FOR VALUES IN ('a');
CREATE TABLE public.ev_b PARTITION OF public.ev DEFAULT;
CREATE TABLE public.gifts (id bigint PRIMARY KEY, ev bigint, kind text, patient_id bigint, FOREIGN KEY (ev, kind) REFERENCES public.ev_a ON DELETE CASCADE);
CREATE TABLE public.wishes (id bigint PRIMARY KEY, ev bigint, kind text, patient_id bigint, FOREIGN KEY (ev, kind) REFERENCES public.ev ON DELETE CASCADE);
CREATE TABLE public.threads (id bigint PRIMARY KEY, patient_id bigint, posts int NOT NULL DEFAULT 0, first bigint);
CREATE TABLE public.posts (id bigint PRIMARY KEY, patient_id bigint, thread bigint REFERENCES public.threads);
CREATE FUNCTION public.count_posts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.threads SET posts = posts - 1 WHERE id = OLD.thread; RETURN OLD; END $$;
CREATE TRIGGER count_posts AFTER DELETE ON public.posts FOR EACH ROW EXECUTE FUNCTION public.count_posts();
CREATE TABLE public.keys (id bigint PRIMARY KEY, patient_id bigint);
CREATE TABLE public.locks (id bigint PRIMARY KEY, patient_id bigint, key bigint REFERENCES public.keys ON DELETE SET NULL);
ALTER TABLE public.keys ADD lock bigint REFERENCES public.locks ON DELETE SET NULL;
GRANT SELECT ON public.threads, public.posts, public.keys, public.locks TO pgvigil_owner;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE TABLE public.logins (login citext PRIMARY KEY, patient_id bigint);
CREATE TABLE public.login_uses (id bigint PRIMARY KEY, login citext REFERENCES public.logins ON DELETE CASCADE, patient_id bigint);
GRANT SELECT ON public.logins, public.login_uses, public.friends, public.base, public.derived, public.bequeathed, public.bills, public.bills_tax, public.mixed, public.nokey, public.ev_a, public.gifts, public.wishes TO pgvigil_owner;
"""
MORE = """
tables = (
  { name = "public.friends"; subject = "friends.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id", "best" ]; }; },
  { name = "public.base"; subject = "base.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id" ]; }; },
  { name = "public.derived"; subject = "derived.patient_id"; columns = { admin = [ "id", "patient_id", "more" ]; }; },
  { name = "public.bills"; subject = "bills.patient_id"; columns = { admin = [ "id", "kind", "patient_id" ]; }; },
  { name = "public.bills_tax"; subject = "bills_tax.patient_id"; columns = { admin = [ "id", "kind", "patient_id" ]; }; },
  { name = "public.mixed"; subject = "mixed.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id", "kind" ]; }; },
  { name = "public.mixed_legal"; subject = "mixed_legal.patient_id"; columns = { admin = [ "id", "patient_id", "kind" ]; }; },
  { name = "public.nokey"; subject = "nokey.patient_id"; erasable = true; columns = { admin = [ "patient_id", "word" ]; }; },
  { name = "public.logins"; subject = "logins.patient_id"; erasable = true; columns = { admin = [ "login", "patient_id" ]; }; },
  { name = "public.login_uses"; subject = "login_uses.patient_id"; columns = { admin = [ "id", "login", "patient_id" ]; }; },
  { name = "public.threads"; subject = "threads.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id", "posts", "first" ]; }; },
  { name = "public.posts"; subject = "posts.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id", "thread" ]; }; },
  { name = "public.keys"; subject = "keys.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id", "lock" ]; }; },
  { name = "public.locks"; subject = "locks.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id", "key" ]; }; },
  { name = "public.ev_a"; subject = "ev_a.patient_id"; erasable = true; columns = { admin = [ "id", "kind", "patient_id" ]; }; },
  { name = "public.gifts"; subject = "gifts.patient_id"; columns = { admin = [ "id", "ev", "kind", "patient_id" ]; }; },
  { name = "public.wishes"; subject = "wishes.patient_id"; columns = { admin = [ "id", "ev", "kind", "patient_id" ]; }; }
);
"""
FILES = [(name, text.replace('except = [ "public.invoices" ]', 'except = [ "public.invoices", "public.bills_tax" ]')) for name, text in erase_schema.FILES]
ONE, OTHER, EXPIRED = 401, 402, 406


@pytest.fixture(scope="module")
def stack(make_stack):
    made = make_stack(extra_sql=SQL, extra_policy=FILES + [("96-odd.cfg", MORE)], config=documents.ORGANISATION, serve=False)
    with made.superuser() as c:
        c.execute("DELETE FROM legal_holds; DELETE FROM deaths; UPDATE stays SET admitted_at = now() - interval '1 year', discharged_at = NULL")
        c.execute("UPDATE stays SET admitted_at = '1950-01-01' WHERE patient_id = %s", (EXPIRED,))
        c.execute("UPDATE patients SET birth_date = '1920-01-01' WHERE id = %s", (EXPIRED,))
    return made


@pytest.fixture(autouse=True)
def fresh(stack):
    with stack.superuser() as c:
        for table in ("friends", "base", "derived", "bequeathed", "bills", "mixed", "nokey", "gifts", "wishes", "ev", "posts", "threads", "keys", "locks", "logins", "portal_proxies", "reminders"):
            c.execute("DELETE FROM " + table)
        c.execute("INSERT INTO reminders VALUES (1, 1, %s, 'sms'), (2, 1, %s, 'sms')", (ONE, OTHER))
        c.execute("INSERT INTO contacts VALUES (%s, %s, 'mail', 'a'), (%s, %s, 'phone', 'b') ON CONFLICT DO NOTHING", (ONE,) * 4)
        c.execute("INSERT INTO portal_accounts VALUES (%s, %s, 'x') ON CONFLICT DO NOTHING", (1000 + ONE, ONE))
        yield


def all_of(stack, table):
    with stack.superuser() as c:
        return sorted(t for t, in c.execute("SELECT t::text FROM %s t" % table))


def test_rows_that_refer_to_each_other_in_a_circle_go_together(stack):
    with stack.superuser() as c:
        c.execute("INSERT INTO friends VALUES (1, %s, NULL), (2, %s, 1), (3, %s, 2), (4, %s, NULL)", (ONE, ONE, ONE, OTHER))
        c.execute("UPDATE friends SET best = 3 WHERE id = 1")
    assert erase(stack, ONE).returncode == 0 and all_of(stack, "friends") == ["(4,402,)"]


def test_a_chain_that_ends_in_anothers_row_stays_as_far_as_it_reaches(stack):
    """4 is another's and refers to 3, which refers to 2: these stay; 1 goes, to which nobody refers."""
    with stack.superuser() as c:
        c.execute("INSERT INTO friends VALUES (2, %s, NULL), (3, %s, 2), (4, %s, 3), (1, %s, 3)", (ONE, ONE, OTHER, ONE))
    done = erase(stack, ONE)
    assert done.returncode == 0 and all_of(stack, "friends") == ["(2,401,)", "(3,401,2)", "(4,402,3)"], done.stderr


def test_children_by_inheritance_are_tables_of_their_own(stack):
    with stack.superuser() as c:
        c.execute("INSERT INTO base VALUES (1, %s), (2, %s)", (ONE, OTHER))
        c.execute("INSERT INTO derived VALUES (1, %s, 'kept')", (ONE,))
    assert erase(stack, ONE).returncode == 0
    assert all_of(stack, "base") == ["(1,401)", "(2,402)"] and all_of(stack, "ONLY base") == ["(2,402)"] and all_of(stack, "derived") == ["(1,401,kept)"]


def test_a_child_by_inheritance_is_erasable_only_by_an_entry_of_its_own(stack):
    with stack.superuser() as c:
        c.execute("INSERT INTO base VALUES (1, %s)", (ONE,))
        c.execute("INSERT INTO bequeathed VALUES (2, %s, 'kept')", (ONE,))
    assert erase(stack, ONE).returncode == 0
    assert all_of(stack, "ONLY base") == [] and all_of(stack, "bequeathed") == ["(2,401,kept)"]


def test_a_partition_that_is_kept_for_another_time_keeps_its_parent(stack):
    """The record is past its term; retention.except names one partition. What is about nobody else of it goes, the twin."""
    with stack.superuser() as c:
        c.execute("INSERT INTO bills VALUES (1, 'tax', %s), (2, 'x', %s)", (EXPIRED, EXPIRED))
        c.execute("INSERT INTO friends VALUES (7, %s, NULL)", (EXPIRED,))
    side = json.loads(plan(stack, EXPIRED, "--format", "json").stdout)["sides"][0]
    assert {t["table"]: (t["goes"], t["why_stays"]) for t in side["tables"] if t["stays"]}["public.bills"] == (0, "other-time")
    assert erase(stack, EXPIRED).returncode == 0
    assert len(all_of(stack, "bills")) == 2 and all_of(stack, "friends") == []
    with stack.superuser() as c:
        assert c.execute("SELECT count(*) FROM appointments WHERE patient_id = %s", (EXPIRED,)).fetchone() == (0,)


def test_a_partition_that_is_not_erasable_keeps_its_parent(stack):
    with stack.superuser() as c:
        c.execute("INSERT INTO mixed VALUES (1, %s, 'legal'), (2, %s, 'x')", (ONE, ONE))
    side = json.loads(plan(stack, ONE, "--format", "json").stdout)["sides"][0]
    assert {t["table"]: t["stays"] for t in side["tables"]}["public.mixed"] == 2
    assert erase(stack, ONE).returncode == 0 and len(all_of(stack, "mixed")) == 2


@pytest.mark.parametrize("table", ["gifts", "wishes"])
def test_a_key_to_a_partition_with_an_entry_of_its_own_keeps_its_row(stack, table):
    """The partitioned table has none; the key refers to the partition, or to the whole. The twin, to which nobody refers, goes."""
    with stack.superuser() as c:
        c.execute("INSERT INTO ev VALUES (1, 'a', %s), (2, 'a', %s), (3, 'b', %s)", (ONE,) * 3)
        c.execute("INSERT INTO %s VALUES (1, 1, 'a', %d)" % (table, OTHER))
    assert erase(stack, ONE).returncode == 0
    assert all_of(stack, table) == ["(1,1,a,402)"] and all_of(stack, "ev") == ["(1,a,401)", "(3,b,401)"]


def test_a_key_over_a_type_with_an_operator_of_its_own_keeps_its_row(stack):
    """Anne and anne are the same to citext, and were not to the = of text."""
    with stack.superuser() as c:
        c.execute("INSERT INTO logins VALUES ('Anne', %s), ('Paul', %s)", (ONE, ONE))
        c.execute("INSERT INTO login_uses VALUES (1, 'anne', %s)", (OTHER,))
    assert erase(stack, ONE).returncode == 0
    assert all_of(stack, "login_uses") == ["(1,anne,402)"] and all_of(stack, "logins") == ["(Anne,401)"]


def test_a_subject_of_a_type_with_an_operator_of_its_own_is_refused(stack):
    with stack.superuser() as c:
        c.execute("ALTER TABLE nokey ALTER patient_id TYPE citext")
        try:
            done = erase(stack, ONE)
            assert done.returncode == 3 and "public.nokey is of type citext" in done.stderr and "erased" not in done.stdout, done.stderr
        finally:
            c.execute("ALTER TABLE nokey ALTER patient_id TYPE bigint USING patient_id::text::bigint")
    assert erase(stack, ONE).returncode == 0


@pytest.mark.parametrize("key", ["reminders (id)", "friends (id)"])
def test_a_key_that_comes_while_the_passwords_are_typed_stops_it(stack, key):
    """Somebody adds a cascade, with another patient's row, after the tables were looked at and before anything goes."""
    before = all_of(stack, "reminders")
    with stack.superuser() as c:
        c.execute("INSERT INTO friends VALUES (1, %s, NULL)", (ONE,))
        process = start(stack, ONE, name="slow", passwords=False)
        waits_for_passwords(c, "slow")
        c.execute("CREATE TABLE late (n int, r bigint REFERENCES %s ON DELETE CASCADE); INSERT INTO late VALUES (1, 1)" % key)
        try:
            _, told = process.communicate(b"audit1-demo\nbilling1-demo\n", timeout=60)
            assert process.returncode == 3 and b"a foreign key of database" in told and b"run it again" in told, told
            assert all_of(stack, "late") == ["(1,1)"] and all_of(stack, "reminders") == before
        finally:
            c.execute("DROP TABLE late")
    assert erase(stack, ONE).returncode == 0 and not events(stack, ONE, "subject-erase-undone")


def waits_for_passwords(c, name):
    """Until the command has been idle for a while: it asks the database nothing more."""
    deadline = time.monotonic() + 30
    while not c.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state = 'idle' AND state_change < clock_timestamp() - interval '1s'",
                        (name,)).fetchone()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_counter_that_a_trigger_keeps_does_not_stop_it(stack):
    """Each post that goes writes its thread anew, which goes too; another's thread keeps its posts and its count."""
    with stack.superuser() as c:
        c.execute("INSERT INTO threads VALUES (1, %s, 3), (2, %s, 1), (3, %s, 1)", (ONE, OTHER, OTHER))
        c.execute("INSERT INTO posts VALUES (1, %s, 1), (2, %s, 1), (3, %s, 1), (4, %s, 2), (5, %s, 3)", (ONE, ONE, ONE, OTHER, ONE))
    done = erase(stack, ONE)
    assert done.returncode == 0, done.stderr
    assert all_of(stack, "threads") == ["(2,402,1,)", "(3,402,0,)"] and all_of(stack, "posts") == ["(4,402,2)"]


def test_two_tables_that_refer_to_each_other_go_together(stack):
    with stack.superuser() as c:
        c.execute("INSERT INTO keys VALUES (1, %s), (2, %s), (3, %s); INSERT INTO locks VALUES (1, %s, 1), (2, %s, 2), (3, %s, 3); UPDATE keys SET lock = id"
                  % (ONE, OTHER, ONE, ONE, OTHER, OTHER))
    done = erase(stack, ONE)
    assert done.returncode == 0, done.stderr
    assert all_of(stack, "keys") == ["(2,402,2)", "(3,401,3)"] and all_of(stack, "locks") == ["(2,402,2)", "(3,402,3)"]


def test_a_row_that_a_trigger_gives_to_another_is_not_taken(stack):
    """It has the key that was picked, and is another's by then: nothing is done."""
    with stack.superuser() as c:
        c.execute("CREATE FUNCTION give() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.threads SET patient_id = 402 WHERE id = OLD.thread; RETURN OLD; END $$;"
                  "CREATE TRIGGER give AFTER DELETE ON posts FOR EACH ROW EXECUTE FUNCTION give()")
        try:
            c.execute("INSERT INTO threads VALUES (1, %s, 1); INSERT INTO posts VALUES (1, %s, 1)" % (ONE, ONE))
            done = erase(stack, ONE)
            assert done.returncode == 3 and "public.threads" in done.stderr and all_of(stack, "threads") == ["(1,401,1,)"], done.stderr
        finally:
            c.execute("DROP TRIGGER give ON posts; DROP FUNCTION give()")
    assert erase(stack, ONE).returncode == 0


def test_equal_rows_without_a_key_go_by_whose_they_are(stack):
    with stack.superuser() as c:
        c.execute("INSERT INTO nokey VALUES (%s, 'a'), (%s, 'a'), (%s, 'a'), (NULL, 'a')", (ONE, ONE, OTHER))
    assert erase(stack, ONE).returncode == 0 and all_of(stack, "nokey") == ["(,a)", "(402,a)"]


def test_a_reference_to_a_partition_keeps_the_row(stack):
    with stack.superuser() as c:
        c.execute("ALTER TABLE contacts_mail ADD UNIQUE (id)")
        c.execute("CREATE TABLE letters (n int, contact bigint REFERENCES contacts_mail (id) ON DELETE CASCADE)")
        try:
            c.execute("INSERT INTO letters VALUES (1, %s)", (ONE,))
            assert erase(stack, ONE).returncode == 0
            assert c.execute("SELECT kind FROM contacts WHERE patient_id = %s", (ONE,)).fetchall() in ([("mail",)], [("mail",), ("phone",)])
            assert c.execute("SELECT count(*) FROM letters").fetchone() == (1,)
        finally:
            c.execute("DROP TABLE letters")


def test_rows_that_row_security_hides_from_the_dba_are_an_error(stack):
    with stack.superuser() as c, junior(stack, c) as conninfo:
        c.execute("ALTER TABLE reminders ENABLE ROW LEVEL SECURITY")
        try:
            done = stack.command("subject", "erase", "-c", stack.config_file, "--as", conninfo, "--patient", ONE, check=False)
            assert done.returncode == 3 and "to go" not in done.stdout, done.stdout
        finally:
            c.execute("ALTER TABLE reminders DISABLE ROW LEVEL SECURITY")


def test_a_constraint_that_is_checked_at_the_commit_undoes_it_all(stack):
    with stack.superuser() as c, trigger(c, "reminders", "RAISE 'no';", deferred=True):
        before, gone = all_of(stack, "reminders"), len(events(stack, ONE, "subject-erase"))
        count = c.execute("SELECT count(*) FROM pgvigil_retention.certificates").fetchone()
        done = erase(stack, ONE)
        assert done.returncode == 3 and all_of(stack, "reminders") == before
        assert c.execute("SELECT count(*) FROM pgvigil_retention.certificates").fetchone() == count
        assert len(events(stack, ONE, "subject-erase")) == gone and not events(stack, ONE, "subject-erase-undone")
    assert erase(stack, ONE).returncode == 0


def test_a_commit_that_is_refused_all_the_same_is_on_record_as_undone(stack):
    with stack.superuser() as c, refused_commit(c, "reminders"):
        before, gone = all_of(stack, "reminders"), len(events(stack, ONE, "subject-erase"))
        done = erase(stack, ONE)
        assert done.returncode == 3 and all_of(stack, "reminders") == before, done.stderr
        assert len(events(stack, ONE, "subject-erase")) == gone + 1 and len(events(stack, ONE, "subject-erase-undone")) == 1


def test_a_hold_made_while_deferred_triggers_run_is_seen(stack):
    """A deferred trigger that takes a second; the hold is made meanwhile, by somebody whose table refers to nothing."""
    with stack.superuser() as c:
        c.execute("CREATE TABLE parked AS SELECT * FROM legal_holds; ALTER TABLE legal_holds DROP CONSTRAINT IF EXISTS legal_holds_patient_id_fkey")
        c.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$")
        c.execute("CREATE CONSTRAINT TRIGGER slow AFTER DELETE ON reminders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()")
        try:
            process = start(stack, ONE, name="held")
            deadline = time.monotonic() + 30
            while not c.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'held' AND wait_event = 'PgSleep'").fetchone()[0]:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.02)
            c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (ONE,))
            _, told = process.communicate(timeout=60)
            assert process.returncode == 3 and b"changed meanwhile" in told and "(1,1,401,sms)" in all_of(stack, "reminders"), told
        finally:
            c.execute("DROP TRIGGER slow ON reminders; DROP FUNCTION slow(); DELETE FROM legal_holds; INSERT INTO legal_holds SELECT * FROM parked; DROP TABLE parked")
    assert erase(stack, ONE).returncode == 0


def test_a_row_that_comes_in_meanwhile_and_refers_to_hers_is_not_torn_along(stack):
    """Another patient's proxy, with a cascade, is written while the erasure waits: it comes through, or waits and finds nothing."""
    with stack.superuser() as c, stack.superuser(autocommit=False) as locker:
        locker.execute("SELECT FROM reminders WHERE patient_id = %s FOR UPDATE", (ONE,))
        process = start(stack, ONE)
        blocked(c)
        c.execute("SET lock_timeout = '500ms'")
        try:
            c.execute("INSERT INTO portal_proxies VALUES (1, %s, %s)", (1000 + ONE, OTHER))
            came = True
        except psycopg.errors.LockNotAvailable:
            came = False
        locker.rollback()
        _, told = process.communicate(timeout=60)
        there = c.execute("SELECT count(*) FROM portal_accounts WHERE patient_id = %s", (ONE,)).fetchone()[0]
        proxies = c.execute("SELECT count(*) FROM portal_proxies").fetchone()[0]
        assert proxies == came and (there == 1 if came else process.returncode == 0 and there == 0), told


def test_without_its_record_nothing_goes(stack):
    before = all_of(stack, "reminders")
    config = stack.folder / "broken.cfg"
    config.write_text(stack.config_file.read_text().replace(str(stack.audit_dir), "/proc/nowhere"))
    words = ["subject", "erase", "-c", config, "--as", stack.dba(), "--patient", ONE]
    assert stack.command(*words, check=False).returncode == 3
    done = stack.command(*words, "--apply", "--by", "audit1", "--and-by", "billing1", "--reason", "x", "--certificates", stack.folder / "c", check=False,
                         text="audit1-demo\nbilling1-demo\n")
    assert done.returncode == 3 and all_of(stack, "reminders") == before


def test_a_column_that_may_name_a_large_object_stops_it(stack):
    with stack.superuser() as c:
        c.execute("ALTER TABLE reminders ADD COLUMN picture oid")
        try:
            done = erase(stack, ONE)
            assert done.returncode == 3 and "large object" in done.stderr and len(all_of(stack, "reminders")) == 2
        finally:
            c.execute("ALTER TABLE reminders DROP COLUMN picture")


def test_a_patient_who_is_in_no_people_table_keeps_what_a_hold_could_be_about(stack):
    with stack.superuser() as c:
        c.execute("INSERT INTO reminders VALUES (3, 1, 987654, 'sms')")
    side = json.loads(plan(stack, 987654, "--format", "json").stdout)["sides"][0]
    assert [(t["table"], t["stays"], t["why_stays"]) for t in side["tables"]] == [("public.reminders", 1, "unknown")]
    assert erase(stack, 987654).returncode == 1 and len(all_of(stack, "reminders")) == 3
    assert not events(stack, 987654, "subject-erase")
