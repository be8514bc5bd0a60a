"""
What PostgreSQL itself took away, when rows of a person go: whatever takes more than was decided, of any table, in the policy or not,
undoes everything and is named; `subject erase`, `retention destroy` and `retention archive` alike.

Whole databases are compared, by reading every table beside pgvigil: what is refused has changed no row of any.
"""
import documents
import erase_schema
import pytest
import rights_schema
from meddle import junior, trigger
from test_retention import FILES, World, known
from test_subject_erase import erase, events

SQL = erase_schema.SQL + """
CREATE TABLE public.index_words (id bigint PRIMARY KEY, word text);
CREATE TABLE public.index_places (word bigint NOT NULL REFERENCES public.index_words ON DELETE CASCADE, place int);
CREATE TABLE public.index_year (id bigint, year int) PARTITION BY LIST (year);
CREATE TABLE public.index_year_1 PARTITION OF public.index_year FOR VALUES IN (1);
CREATE SCHEMA side; CREATE TABLE side.later (id bigint PRIMARY KEY);
CREATE TABLE public.keys (id bigint PRIMARY KEY, patient_id bigint NOT NULL);
CREATE TABLE public.locks (id bigint PRIMARY KEY, key bigint REFERENCES public.keys ON DELETE SET NULL, turns int NOT NULL DEFAULT 0);
CREATE TABLE public.boxes (id bigint PRIMARY KEY, key bigint DEFAULT 0 REFERENCES public.keys ON DELETE SET DEFAULT);
INSERT INTO public.index_words SELECT n, 'w' FROM generate_series(1, 5) n; INSERT INTO public.index_places SELECT n, n FROM generate_series(1, 5) n;
INSERT INTO public.index_year SELECT n, 1 FROM generate_series(1, 5) n; INSERT INTO side.later SELECT n FROM generate_series(1, 5) n;
INSERT INTO public.keys SELECT n, 401 FROM generate_series(1, 3) n; INSERT INTO public.keys VALUES (0, 402), (9, 402);
INSERT INTO public.locks VALUES (1, 9), (2, NULL); INSERT INTO public.boxes VALUES (1, 9);
GRANT SELECT ON public.keys TO pgvigil_owner;
"""
MORE = """
tables = ( { name = "public.keys"; subject = "keys.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id" ]; }; } );
"""
ONE, OTHER = 401, 402

# What a trigger on her reminders does beside: the table that the refusal must name, or None where nothing is taken.
TAKES = {
    "a row of a table that the policy does not know": ("DELETE FROM public.index_places WHERE place = 1;", "public.index_places"),
    "a cascade that a trigger sets off": ("DELETE FROM public.index_words WHERE id = 2;", "public.index_"),
    "a row of a partition": ("DELETE FROM public.index_year WHERE id = 1;", "public.index_year_1"),
    "a row in another schema": ("DELETE FROM side.later WHERE id = 1;", "side.later"),
    "another patient's row of a table of the plan": ("DELETE FROM public.contacts WHERE patient_id = 402;", "contacts"),
    "another patient's row of a table that is not erasable": ("DELETE FROM public.care_team WHERE patient_id = 402;", "care_team"),
    "a table, emptied": ("TRUNCATE side.later;", "side.later"),
    "a row, and then the table emptied": ("DELETE FROM side.later; TRUNCATE side.later;", "side.later"),
    "a table, dropped": ("DROP TABLE IF EXISTS side.later;", "side.later"),
    "a row behind an exception": ("BEGIN DELETE FROM side.later WHERE id = 1; BEGIN RAISE 'x'; EXCEPTION WHEN OTHERS THEN NULL; END; END;", "side.later"),
}
HARMLESS = {
    "a row that is written": "UPDATE public.index_words SET word = 'other';",
    "a row that is new": "INSERT INTO side.later VALUES (100 + OLD.id) ON CONFLICT DO NOTHING;",
    "a counter of another's row with a key": "UPDATE public.locks SET turns = turns + 1 WHERE key IS NOT NULL;",
    "a row that finds nothing": "DELETE FROM side.later WHERE id < 0;",
}


def everything(connection):
    """{table: its rows, sorted} of the whole database, but for pgvigil's own and the system's."""
    tables = connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' "
        "AND n.nspname !~ '^(pg_|information_schema|pgvigil)' ORDER BY 1").fetchall()
    return {t: sorted(text for text, in connection.execute("SELECT t::text FROM ONLY %s t" % t)) for t, in tables}


@pytest.fixture(scope="module")
def stack(make_stack):
    made = make_stack(extra_sql=SQL, extra_policy=erase_schema.FILES + [("96-toll.cfg", MORE)], config=documents.ORGANISATION, serve=False)
    with made.superuser() as c:
        c.execute("DELETE FROM legal_holds; DELETE FROM deaths; UPDATE stays SET admitted_at = now() - interval '1 year', discharged_at = NULL")
    return made


@pytest.fixture
def hers(stack):
    """Two reminders that may go; all is there again for the next."""
    with stack.superuser() as c:
        c.execute("DELETE FROM reminders; INSERT INTO reminders VALUES (1, 1, %s, 'sms'), (2, 1, %s, 'sms'), (3, 1, %s, 'sms')" % (ONE, ONE, OTHER))
        yield c


@pytest.mark.parametrize("deferred", [False, True], ids=["at once", "deferred"])
@pytest.mark.parametrize("what", TAKES)
def test_what_takes_more_undoes_everything_and_is_named(stack, hers, what, deferred):
    body, table = TAKES[what]
    if deferred and ("TRUNCATE" in body or "DROP" in body):
        body = "IF OLD.id = 1 THEN %s END IF;" % body
    before, told = everything(hers), len(events(stack, ONE, "subject-erase"))
    with trigger(hers, "reminders", body, deferred):
        done = erase(stack, ONE)
        assert everything(hers) == before
    assert done.returncode == 3 and table in done.stderr and "nothing is changed" in done.stderr, done.stderr
    assert len(events(stack, ONE, "subject-erase")) == told


@pytest.mark.parametrize("what", HARMLESS)
def test_what_takes_nothing_does_not_stop_it(stack, hers, what):
    with trigger(hers, "reminders", HARMLESS[what]):
        before = everything(hers)
        done = erase(stack, ONE)
        assert done.returncode == 0, done.stderr
        after = everything(hers)
    assert after["reminders"] == ["(3,1,402,sms)"]
    assert {t: len(rows) for t, rows in after.items() if t not in ("reminders", "side.later", "keys", "contacts_mail", "contacts_phone", "portal_accounts")} == \
        {t: len(rows) for t, rows in before.items() if t not in ("reminders", "side.later", "keys", "contacts_mail", "contacts_phone", "portal_accounts")}


@pytest.mark.parametrize("table,body", [("public.locks", "UPDATE public.locks SET key = 3 WHERE id = 1;"), ("public.boxes", "UPDATE public.boxes SET key = 3 WHERE id = 1;")])
def test_a_row_that_would_be_torn_loose_undoes_everything(stack, hers, table, body):
    """When it was decided nothing referred to her key; a trigger makes a row refer to it, and the key's SET NULL or SET DEFAULT empties that."""
    hers.execute("INSERT INTO keys SELECT n, %d FROM generate_series(1, 3) n ON CONFLICT DO NOTHING; INSERT INTO contacts VALUES (%d, %d, 'mail', 'a') "
                 "ON CONFLICT DO NOTHING" % (ONE, ONE, ONE))
    before = everything(hers)
    with trigger(hers, "contacts", body):  # they go before her keys
        done = erase(stack, ONE)
        assert everything(hers) == before
    assert done.returncode == 3 and table in done.stderr, done.stderr
    assert erase(stack, ONE).returncode == 0 and hers.execute("SELECT key FROM %s WHERE id = 1" % table).fetchone() == (9,)


def test_a_rule_that_deletes_beside_is_seen(stack, hers):
    before = everything(hers)
    hers.execute("CREATE RULE beside AS ON DELETE TO reminders DO ALSO DELETE FROM side.later")
    try:
        done = erase(stack, ONE)
        assert done.returncode == 3 and "side.later" in done.stderr and everything(hers) == before, done.stderr
    finally:
        hers.execute("DROP RULE beside ON reminders")
    assert erase(stack, ONE).returncode == 0


def test_it_is_told_in_french(stack, hers):
    before = everything(hers)
    with trigger(hers, "reminders", TAKES["a row in another schema"][0]):
        done = erase(stack, ONE, "--lang", "fr")
        assert done.returncode == 3 and "side.later seraient supprimées aussi" in done.stderr and everything(hers) == before, done.stderr


def test_where_the_server_does_not_count_nothing_goes(stack, hers):
    """A superuser's run counts nevertheless; another DBA cannot, and is refused; with the setting back she may."""
    name = stack.databases["records"]
    assert erase(stack, OTHER).returncode == 0  # pgvigil's own schema is there
    owned = ["SCHEMA pgvigil_retention"] + ["TABLE pgvigil_retention.%s" % t for t in ("open", "archive_of", "certificates")]
    give = lambda whom: "; ".join("ALTER %s OWNER TO %s" % (one, whom) for one in owned)
    with junior(stack, hers, "GRANT USAGE ON SCHEMA side TO junior; GRANT ALL ON ALL TABLES IN SCHEMA side TO junior; " + give("junior")) as conninfo:
        try:
            hers.execute("ALTER DATABASE \"%s\" SET track_counts = off" % name)
            before = everything(hers)
            refused = erase(stack, ONE, "--as", conninfo)
            assert refused.returncode == 3 and "track_counts" in refused.stderr and everything(hers) == before, refused.stderr
            with trigger(hers, "reminders", TAKES["a row in another schema"][0]):
                done = erase(stack, ONE)
                assert done.returncode == 3 and "side.later" in done.stderr and everything(hers) == before, done.stderr
            hers.execute("ALTER DATABASE \"%s\" RESET track_counts" % name)
            done = erase(stack, ONE, "--as", conninfo)
            assert done.returncode == 0 and everything(hers)["reminders"] == [], done.stderr
        finally:
            hers.execute("ALTER DATABASE \"%s\" RESET track_counts; %s" % (name, give("postgres")))


# ---- retention ----

RETAINED = rights_schema.EXTRA_SQL + "CREATE SCHEMA side; CREATE TABLE side.later (id bigint PRIMARY KEY); INSERT INTO side.later SELECT n FROM generate_series(1, 5) n;\n"


@pytest.fixture(scope="module")
def world(make_stack):
    made = World(make_stack(extra_sql=RETAINED, extra_policy=FILES, serve=False), RETAINED)
    yield made
    made.close()


@pytest.mark.parametrize("body,table", [("DELETE FROM side.later WHERE id = 1;", "side.later"), ("TRUNCATE side.later;", "side.later"), ("DELETE FROM public.deaths;", "public.deaths")])
@pytest.mark.parametrize("what", ["archive", "destroy"])
def test_retention_takes_no_more_than_what_is_due(world, what, body, table):
    world.renew()
    run = world.destroy if what == "destroy" else lambda: world.run("archive", "--apply")
    told = lambda: len([r for r in world.stack.audit_records() if r.get("event") == "retention-" + what])
    with world.stack.superuser() as c:
        before, records = everything(c), told()
        due = [p for p, age in known(world).items() if age == {"archive": "archived", "destroy": "expired"}[what]]
        assert len(before["side.later"]) == 5 and before["deaths"] and due
        with trigger(c, "care_team", body):
            done = run()
            assert everything(c) == before
        assert done.returncode == 3 and table in done.stderr and told() == records, done.stderr
        assert run().returncode == 0
        assert c.execute("SELECT count(*) FROM patients WHERE id = ANY(%s)", (due,)).fetchone() == (0,)


def test_a_copy_that_is_taken_back_takes_nothing_along(world):
    """The record became active again after it was copied; rows of the archive refer to the copy, with a cascade: both stay."""
    world.renew()
    with world.stack.superuser() as c, world.stack.cluster.superuser(world.archive) as archive:
        with trigger(c, "patients", "RAISE 'no';"):
            assert world.run("archive", "--apply").returncode == 3
        open_now = [p for p, in archive.execute("SELECT subject FROM pgvigil_retention.open ORDER BY 1")]
        one, other = int(open_now[0]), int(open_now[1])
        archive.execute("CREATE TABLE remarks (patient bigint REFERENCES patients ON DELETE CASCADE, what text); INSERT INTO remarks VALUES (%d, 'older')" % one)
        c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (one,))
        done = world.run("archive", "--apply")
        assert done.returncode == 0, done.stderr
        assert archive.execute("SELECT * FROM remarks").fetchall() == [(one, "older")]
        assert archive.execute("SELECT count(*) FROM patients WHERE id = %s", (one,)).fetchone() == (1,)
        assert c.execute("SELECT count(*) FROM patients WHERE id = ANY(%s)", ([one, other],)).fetchone() == (1,)
        archive.execute("DROP TABLE remarks")
        assert world.run("archive", "--apply").returncode == 0
        assert archive.execute("SELECT count(*) FROM patients WHERE id = %s", (one,)).fetchone() == (0,)
