"""
Renames that pgvigil does not see: PostgreSQL's views follow them silently, so a guard that reads what has another name now is
no guard until it is made again. What a restricted session gets is compared with SQL that this file writes, as the superuser.
"""
import contextlib

import psycopg
import pytest

NURSE = "SELECT count(*), min(%s::text), max(%s::text) FROM public.patients WHERE ward_id IN (1, 2)"


def reread(stack):
    """Has pgvigil read its policy and the catalogs again."""
    since = stack.proxy.log_size()
    stack.proxy.hup()
    stack.proxy.wait_log(r"event=reload\s", since=since, seconds=60)
    return since


@pytest.fixture
def own(make_stack):
    return make_stack()


def phones(stack, column="phone"):
    with stack.connect("nurse1") as c:
        return c.execute("SELECT count(*), min({0}::text), max({0}::text) FROM patients".format(column)).fetchone()


def truth(stack, column):
    with stack.superuser() as c:
        return c.execute(NURSE % (column, column)).fetchone()


def refused(stack, statement, user="nurse1"):
    with stack.connect(user) as c, pytest.raises(psycopg.Error) as error:
        c.execute(statement)
    return error.value


def guard_oids(stack):
    with stack.superuser() as c:
        return dict(c.execute("SELECT n.nspname || '.' || c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                              " WHERE n.nspname LIKE 'pgvigil:%/%' AND c.relkind = 'v'").fetchall())


def test_hidden_column_that_takes_a_shown_name(own):
    before = phones(own)
    assert before == truth(own, "phone")
    refused(own, "SELECT nir FROM patients")
    with own.connect("nurse1") as running:
        prepared = running.cursor()
        for _ in range(7):
            prepared.execute("SELECT max(phone) FROM patients WHERE id > %s", (0,), prepare=True)
        with own.superuser() as c:
            c.execute("ALTER TABLE public.patients RENAME phone TO phone_of_old; ALTER TABLE public.patients RENAME nir TO phone")
        # Until somebody looks, the guard shows what it was made of; never the column that has the name now.
        value = prepared.execute("SELECT max(phone) FROM patients WHERE id > %s", (0,), prepare=True).fetchone()[0]
        assert value == before[2] != truth(own, "phone")[2]
        since = reread(own)
        own.proxy.wait_log(r"event=guards-stale", since=since)
        with pytest.raises(psycopg.Error) as error:
            prepared.execute("SELECT max(phone) FROM patients WHERE id > %s", (0,), prepare=True)
        assert error.value.sqlstate == "55000"
    assert refused(own, "SELECT phone FROM patients").sqlstate == "55000"
    assert refused(own, "SELECT count(*) FROM patients").sqlstate == "55000"
    # What did not read it goes on.
    with own.connect("nurse1") as c:
        assert c.execute("SELECT count(*) FROM wards").fetchone()[0] > 0
    untouched = guard_oids(own)
    own.deploy()
    reread(own)
    # The policy speaks of names: what is called phone now is what it shows.
    assert phones(own) == truth(own, "phone") != before
    assert refused(own, "SELECT phone_of_old FROM patients").sqlstate == "42703"
    after = guard_oids(own)
    changed = {name for name in untouched if after.get(name) != untouched[name]}
    assert changed and not [name for name in changed if name.endswith(".public.wards")]


RENAMES = [
    ("ALTER TABLE public.stays RENAME TO stays_of_old", "ALTER TABLE public.stays_of_old RENAME TO stays", "SELECT count(*) FROM stays",
     "SELECT count(*) FROM lab_results"),
    ("ALTER TABLE public.care_team SET SCHEMA app", "ALTER TABLE app.care_team SET SCHEMA public", "SELECT count(*) FROM patients", None),
    ("ALTER TABLE public.care_team RENAME practitioner TO whoever", "ALTER TABLE public.care_team RENAME whoever TO practitioner",
     "SELECT count(*) FROM patients", None),
    ("ALTER SCHEMA public RENAME TO elsewhere", "ALTER SCHEMA elsewhere RENAME TO public", "SELECT count(*) FROM public.patients", None),
]


@pytest.mark.parametrize("change, back, statement, other", RENAMES, ids=[r[0] for r in RENAMES])
def test_other_renames(stack, change, back, statement, other):
    with stack.connect("dr.martin") as c:
        expected = c.execute(statement).fetchone()
    with contextlib.ExitStack() as stop:
        with stack.superuser() as c:
            c.execute(change)
            stop.callback(reread, stack)
            stop.callback(lambda: stack.superuser().execute(back))
        reread(stack)
        refused(stack, statement, "dr.martin")
        if other:
            refused(stack, other, "dr.martin")
    # Renamed back, it is what it was made of: nothing needs to be deployed.
    with stack.connect("dr.martin") as c:
        assert c.execute(statement).fetchone() == expected


def test_what_changes_no_name_makes_no_guard_stale(stack):
    with stack.superuser() as c:
        c.execute("ALTER TABLE public.patients ADD COLUMN later text; CREATE INDEX ON public.patients (later);"
                  " ALTER TABLE public.patients ALTER COLUMN phone SET DEFAULT ''; COMMENT ON TABLE public.patients IS 'p'")
    since = reread(stack)
    assert phones(stack) == truth(stack, "phone")
    assert "guards-stale" not in stack.proxy.log.read_bytes()[since:].decode()
    assert refused(stack, "SELECT later FROM patients").sqlstate == "42703"
