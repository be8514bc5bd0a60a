"""
test_deploy.py: the guards by themselves, against PostgreSQL's own answer; pgvigil serve is not running.

Sessions here are what pgvigil's server connections are: the login, SET ROLE to a pair, an empty search path, and the
settings that guards read. Expected rows come from SQL that this file writes from the policy, as the superuser.
"""
import contextlib
import re
import subprocess

import psycopg
import pytest

import harness

NEW_VIEWS = '''
CREATE VIEW public.ward_patients AS
    SELECT w.name AS ward, p.id, p.nir, upper(p.family_name) AS name, p.preferences FROM public.patients p
    JOIN public.wards w ON w.id = p.ward_id WHERE p.city <> '';
CREATE VIEW public.over_view AS SELECT ward, id, nir || '!' AS secret FROM public.ward_patients;
CREATE VIEW public.by_nir AS SELECT p.id FROM public.patients p WHERE p.nir LIKE '1%';
CREATE VIEW public.salaries AS SELECT gross FROM public.staff_salaries;
CREATE VIEW public.both AS SELECT id FROM public.patients UNION SELECT id FROM public.stays;
CREATE VIEW public."Öd d" AS SELECT "Code" AS "code ""x""" FROM public."ActesCCAM" WHERE "Tarif" > 1;
CREATE VIEW public.in_stay AS SELECT p.id, (SELECT count(*) FROM public.stays s WHERE s.patient_id = p.id) AS n,
    (SELECT count(*) FROM public.stays s WHERE s.patient_id = p.id AND p.nir = '') AS h FROM public.patients p;
'''


@pytest.fixture(scope="module")
def cluster():
    with harness.Cluster() as made:
        yield made


@pytest.fixture(scope="module")
def stack(cluster):
    with contextlib.closing(harness.Stack(cluster, serve=False, extra_sql=NEW_VIEWS)) as made:
        yield made


@pytest.fixture()
def fresh(cluster):
    with contextlib.closing(harness.Stack(cluster, serve=False, deploy=False)) as made:
        yield made


def generation(stack, name="records"):
    with stack.cluster.superuser(stack.databases[name]) as c:
        rows = c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgvigil:catalog@%'").fetchall()
    assert len(rows) == 1
    return rows[0][0].split("@")[1]


SETTINGS = {"u_name": "dr.martin", "u_rpps": "10000000017", "u_wards": "{1,2}", "address": "127.0.0.1",
            "search_path": "{public,app}"}


def mission_key(mission):
    key = harness.pseudonym_mission_key(mission).ljust(64, b"\0")
    return bytes(b ^ 0x36 for b in key).hex() + bytes(b ^ 0x5C for b in key).hex()


def session(stack, pair, keys=("research",), **settings):
    """A connection as pgvigil's, working as the pair."""
    options = "".join(" -c pgvigil.key_%s=%s" % (m, mission_key(m)) for m in keys)
    real = stack.databases["records"]
    c = psycopg.connect(stack.cluster.conninfo(real, "pgvigil", harness.LOGIN_PASSWORD), autocommit=True,
                        options="-c search_path=" + options)
    for name, value in dict(SETTINGS, **settings).items():
        if value is not None:
            c.execute("SELECT set_config(%s, %s, false)", ("pgvigil." + name, value))
    c.execute('SET ROLE "pgvigil:%s@%s"' % (pair, generation(stack)))
    return c


def guard(stack, pair, relation):
    return '"pgvigil:%s@%s"."%s"' % (pair, generation(stack), relation)


CARE = ("EXISTS (SELECT 1 FROM public.care_team t WHERE t.patient_id = %s AND t.practitioner = '10000000017' "
        "AND (t.ends_on IS NULL OR t.ends_on >= current_date))")
WARDS = "EXISTS (SELECT 1 FROM public.patients p WHERE p.id = %s AND p.ward_id IN (1, 2))"
NO_OBJECTION = "NOT EXISTS (SELECT 1 FROM public.objections o WHERE o.patient_id = %s AND o.purpose = 'research')"
OF_LAB = "(SELECT s.patient_id FROM public.stays s WHERE s.id = x.stay_id)"

# pair, guard, what the policy says, written by hand
TWINS = [
    ("physician/care", "public.patients",
     "SELECT id, ward_id, repeat('*', 13) || right(nir, 2) AS nir, family_name, given_name, sex, birth_date, phone, email,"
     " address, postcode, city, blood_group, allergies, created_at, updated_at FROM public.patients x WHERE "
     + CARE % "x.id"),
    ("nurse/care", "public.patients",
     "SELECT id, ward_id, family_name, given_name, sex, birth_date, phone, email, address, postcode, city,"
     " blood_group, allergies, created_at, updated_at FROM public.patients x WHERE x.ward_id IN (1, 2)"),
    ("physician/care", "public.lab_results", "SELECT * FROM public.lab_results x WHERE " + CARE % OF_LAB),
    ("nurse/care", "public.lab_results", "SELECT * FROM public.lab_results x WHERE " + WARDS % OF_LAB),
    ("nurse/care", "public.observations", "SELECT * FROM public.observations x WHERE " + WARDS % "x.patient_id"),
    ("nurse/care", "public.observations_2024",
     "SELECT * FROM public.observations_2024 x WHERE " + WARDS % "x.patient_id"),
    ("nurse/care", "public.observations!only", "SELECT * FROM public.observations x WHERE false"),
    ("nurse/care", "public.care_team", "SELECT * FROM public.care_team x WHERE " + WARDS % "x.patient_id"),
    ("lab/care", "public.patients",
     "SELECT id, sex, date_trunc('year', birth_date)::date AS birth_date FROM public.patients"),
    ("receptionist/admission", "public.stays",
     "SELECT id, patient_id, ward_id, bed, admitted_at, discharged_at, attending FROM public.stays"),
    ("biller/billing", "public.ActesCCAM", 'SELECT * FROM public."ActesCCAM"'),
    ("physician/care", "public.patient_stays",
     "SELECT p.id AS patient_id, repeat('*', 13) || right(p.nir, 2) AS nir, p.family_name, p.given_name, p.birth_date,"
     " x.id AS stay_id, x.ward_id, x.admitted_at, x.discharged_at, x.diagnosis FROM public.patients p JOIN"
     " public.stays x ON x.patient_id = p.id WHERE " + CARE % "p.id"),
    ("nurse/care", "public.patient_stays",
     "SELECT p.id AS patient_id, p.family_name, p.given_name, p.birth_date, x.id AS stay_id, x.ward_id, x.admitted_at,"
     " x.discharged_at, x.diagnosis FROM public.patients p JOIN public.stays x ON x.patient_id = p.id"
     " WHERE p.ward_id IN (1, 2)"),
    ("nurse/care", "public.ward_patients",
     "SELECT w.name AS ward, p.id, upper(p.family_name) AS name FROM public.patients p JOIN public.wards w"
     " ON w.id = p.ward_id WHERE p.ward_id IN (1, 2)"),
    ("nurse/care", "public.over_view",
     "SELECT w.name AS ward, p.id FROM public.patients p JOIN public.wards w ON w.id = p.ward_id WHERE p.ward_id IN (1, 2)"),
    ("nurse/care", "public.in_stay",
     "SELECT p.id, (SELECT count(*) FROM public.stays s WHERE s.patient_id = p.id) AS n FROM public.patients p"
     " WHERE p.ward_id IN (1, 2)"),
    ("biller/billing", "public.Öd d",
     'SELECT "Code" AS "code ""x""" FROM public."ActesCCAM" WHERE "Tarif" > 1'),
]


@pytest.mark.parametrize("pair,name,by_hand", TWINS, ids=[t[0] + " " + t[1] for t in TWINS])
def test_guard_shows_what_the_policy_says(stack, pair, name, by_hand):
    with session(stack, pair) as c:
        got = c.execute("SELECT * FROM " + guard(stack, pair, name))
        columns = [d.name for d in got.description]
        rows = sorted(map(repr, got.fetchall()))
    with stack.cluster.superuser(stack.databases["records"]) as c:
        expected = c.execute(by_hand)
        expected_columns = [d.name for d in expected.description]
        expected_rows = sorted(map(repr, expected.fetchall()))
    assert columns == expected_columns
    assert rows == expected_rows
    if not name.endswith("only"):
        assert rows, "the comparison of nothing with nothing shows nothing"


def test_view_without_a_rule_that_cannot_be_expanded_does_not_exist(stack):
    with session(stack, "nurse/care") as c:
        for name in ("public.by_nir", "public.salaries", "public.both"):
            with pytest.raises(psycopg.errors.UndefinedTable):
                c.execute("SELECT * FROM " + guard(stack, "nurse/care", name))


def test_views_left_out_are_named_with_what_they_need(cluster):
    with contextlib.closing(harness.Stack(cluster, serve=False, deploy=False, extra_sql=NEW_VIEWS)) as made:
        said = made.deploy().stderr
    assert re.search(r"nurse/care: view public\.by_nir is left out, it needs its own rule: .*hidden column \"nir\"", said)
    assert re.search(r"nurse/care: view public\.both is left out.*UNION", said)
    assert "salaries" not in said


def pairs(stack):
    with stack.cluster.superuser(stack.databases["records"]) as c:
        return [r[0] for r in c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgvigil:%/%' ORDER BY 1")]


def test_pair_reaches_neither_tables_nor_other_pairs(stack):
    with stack.cluster.superuser(stack.databases["records"]) as c:
        tables = [r[0] for r in c.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname IN ('public', 'app')")]
        views = c.execute("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                          " WHERE n.nspname LIKE 'pgvigil:%/%'").fetchall()
    assert len(tables) > 20 and len(views) > 50
    for pair in pairs(stack):
        with session(stack, pair.split(":")[1].split("@")[0]) as c:
            for table in tables:
                name = table if "." in table else "public." + table
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    c.execute("SELECT count(*) FROM " + name)
            for schema, view in views:
                if schema != pair:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        c.execute('SELECT count(*) FROM "%s"."%s"' % (schema, view))
            for registry in ("relations", "functions"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    c.execute('SELECT count(*) FROM "pgvigil:catalog@%s".%s' % (generation(stack), registry))


def test_login_without_a_pair_reaches_nothing(stack):
    with session(stack, "nurse/care") as c:
        c.execute("RESET ROLE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            c.execute("SELECT count(*) FROM public.patients")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            c.execute("SELECT count(*) FROM " + guard(stack, "nurse/care", "public.patients"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            c.execute("SET ROLE pgvigil_owner")


def test_filter_follows_its_settings_and_fails_without(stack):
    count = "SELECT count(*), coalesce(max(ward_id), 0) FROM " + guard(stack, "nurse/care", "public.patients")
    with session(stack, "nurse/care", u_wards="{3}") as c:
        rows, ward = c.execute(count).fetchone()
        assert rows > 0 and ward == 3
        c.execute("SELECT set_config('pgvigil.u_wards', '{}', false)")
        assert c.execute(count).fetchone() == (0, 0)
        c.execute("SELECT set_config('pgvigil.u_wards', '', false)")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            c.execute(count)
    with session(stack, "nurse/care", u_wards=None) as c:
        with pytest.raises(psycopg.errors.UndefinedObject):
            c.execute(count)


def test_pseudonyms_are_the_hmac_and_join(stack):
    pair = "researcher/research"
    with session(stack, pair) as c:
        shown = {r[0] for r in c.execute("SELECT id FROM " + guard(stack, pair, "public.patients"))}
        attending = {r[0] for r in c.execute("SELECT attending FROM " + guard(stack, pair, "public.stays"))}
        (joined,) = c.execute("SELECT count(*) FROM %s s JOIN %s p ON p.id = s.patient_id" % (
            guard(stack, pair, "public.stays"), guard(stack, pair, "public.patients"))).fetchone()
    with stack.cluster.superuser(stack.databases["records"]) as c:
        ids = [r[0] for r in c.execute("SELECT id FROM public.patients x WHERE " + NO_OBJECTION % "x.id")]
        rpps = {r[0] for r in c.execute("SELECT attending FROM public.stays x WHERE " + NO_OBJECTION % "x.patient_id")}
        (stays,) = c.execute("SELECT count(*) FROM public.stays x WHERE " + NO_OBJECTION % "x.patient_id").fetchone()
    assert shown == {harness.pseudonym("research", i, "bigint") for i in ids}
    assert attending == {harness.pseudonym("research", r, "text") for r in rpps}
    assert joined == stays > 0


@pytest.mark.parametrize("key", [None, "", "00", "00" * 127, "0" * 257, "zz" * 128])
def test_pseudonym_without_a_whole_key_is_an_error(stack, key):
    pair = "researcher/research"
    with session(stack, pair, keys=()) as c:
        if key is not None:
            c.execute("SELECT set_config('pgvigil.key_research', %s, false)", (key,))
        with pytest.raises(psycopg.Error):
            c.execute("SELECT id FROM %s LIMIT 1" % guard(stack, pair, "public.patients")).fetchall()


def test_other_missions_key_gives_other_pseudonyms(stack):
    assert harness.pseudonym("research", 1, "bigint") != harness.pseudonym("care", 1, "bigint")


def test_writes_reach_the_columns_of_the_rule_only(stack):
    pair = "receptionist/admission"
    name = guard(stack, pair, "public.patients")
    with session(stack, pair) as c, c.transaction(force_rollback=True):
        assert c.execute("UPDATE %s SET phone = '0100000000' WHERE id = 1" % name).rowcount == 1
        assert c.execute("SELECT phone FROM %s WHERE id = 1" % name).fetchone() == ("0100000000",)
        for sql in ("UPDATE %s SET family_name = 'x' WHERE id = 1", "UPDATE %s SET nir = 'x' WHERE id = 1",
                    "DELETE FROM %s WHERE id = 1", "INSERT INTO %s (id, phone) VALUES (0, 'x')", "TRUNCATE %s"):
            with pytest.raises(psycopg.Error) as error, c.transaction():
                c.execute(sql % name)
            assert error.value.sqlstate in ("42501", "0A000", "55000", "42809"), sql
    with session(stack, "nurse/care") as c:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            c.execute("UPDATE %s SET phone = 'x'" % guard(stack, "nurse/care", "public.patients"))


def test_predicates_do_not_see_rows_behind_the_filter(stack):
    """A function that is cheap and tells what it is given must be given permitted rows only."""
    pair = "nurse/care"
    with session(stack, pair) as c:
        c.execute("SELECT count(*) FROM " + guard(stack, pair, "public.patients"))
        # 1 / (ward - 3) fails on a row of ward 3, which the filter hides.
        got = c.execute("SELECT count(*) FROM %s WHERE 1 / (ward_id - 3) < 100" % guard(stack, pair, "public.patients"))
        assert got.fetchone()[0] > 0
        with pytest.raises(psycopg.errors.DivisionByZero):
            c.execute("SELECT count(*) FROM %s WHERE 1 / (ward_id - 2) < 100" % guard(stack, pair, "public.patients"))


# ---- deploying ----

def state(stack):
    """Everything a dump tells of the database, and the cluster's roles."""
    dump = harness.run([harness.PG_BIN / "pg_dump", "-s", "-h", stack.cluster.folder, "-p", stack.cluster.port, "-U",
                        "postgres", stack.databases["records"]])
    dump = re.sub(r"\\(un)?restrict \S+", "", dump)
    with stack.cluster.superuser() as c:
        roles = c.execute("SELECT rolname FROM pg_roles ORDER BY 1").fetchall()
        members = c.execute("SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2").fetchall()
    return dump, [r for r in roles if "pgvigil:" in r[0]], [m for m in members if "pgvigil:" in m[0]]


def test_remove_leaves_no_trace(cluster):
    with harness.Cluster() as own, contextlib.closing(harness.Stack(own, serve=False, deploy=False)) as made:
        before = state(made)
        made.deploy()
        between = state(made)
        assert between[1] and between[0] != before[0]
        made.deploy("--remove")
        assert state(made) == before
        assert "nothing to do" in made.deploy("--remove").stdout


def test_deploy_again_changes_only_what_differs(fresh):
    assert "guards made" in fresh.deploy().stdout
    assert "nothing to do" in fresh.deploy().stdout
    real = fresh.databases["records"]
    fresh.cluster.sql(real, """
        CREATE TABLE public.observations_2026 PARTITION OF public.observations
            FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        GRANT SELECT ON public.observations_2026 TO pgvigil_owner;
        ALTER TABLE public.wards ADD COLUMN motto text DEFAULT 'secret';""")
    with session(fresh, "nurse/care") as c:
        got = c.execute("SELECT * FROM " + guard(fresh, "nurse/care", "public.wards"))
        assert "motto" not in [d.name for d in got.description]
        with pytest.raises(psycopg.errors.UndefinedTable):
            c.execute("SELECT * FROM " + guard(fresh, "nurse/care", "public.observations_2026"))
    said = fresh.deploy().stdout
    assert re.search(r"[1-9]\d* guards made, 0 replaced, 0 things dropped", said), said
    with session(fresh, "nurse/care") as c:
        assert c.execute("SELECT count(*) FROM " + guard(fresh, "nurse/care", "public.observations_2026")).fetchone() == (0,)
    fresh.cluster.sql(real, "DROP TABLE public.observations_2026 CASCADE;")
    with session(fresh, "nurse/care") as c:
        with pytest.raises(psycopg.errors.UndefinedTable):
            c.execute("SELECT * FROM " + guard(fresh, "nurse/care", "public.observations_2026"))
    fresh.deploy()
    assert "nothing to do" in fresh.deploy().stdout


def test_view_that_is_dropped_and_made_again_is_what_it_is_now(fresh):
    real = fresh.databases["records"]
    fresh.cluster.sql(real, "CREATE VIEW public.some AS SELECT p.id FROM public.patients p; CREATE VIEW public.over_some AS SELECT s.id FROM public.some s;"
                            "GRANT SELECT ON public.some, public.over_some TO pgvigil_owner;")
    fresh.deploy()
    with session(fresh, "nurse/care") as c:
        before = c.execute("SELECT count(*) FROM " + guard(fresh, "nurse/care", "public.some")).fetchone()[0]
    fresh.cluster.sql(real, "DROP VIEW public.some CASCADE; CREATE VIEW public.some AS SELECT p.id FROM public.patients p WHERE p.id < 30;"
                            "CREATE VIEW public.over_some AS SELECT s.id FROM public.some s; GRANT SELECT ON public.some, public.over_some TO pgvigil_owner;")
    assert "some is left out" not in fresh.deploy().stderr
    with session(fresh, "nurse/care") as c:
        for name in ("public.some", "public.over_some"):
            assert 0 < c.execute("SELECT count(*) FROM " + guard(fresh, "nurse/care", name)).fetchone()[0] < before
    assert "nothing to do" in fresh.deploy().stdout
    same = "CREATE VIEW public.some AS SELECT p.id FROM public.patients p WHERE p.id < 30; GRANT SELECT ON public.some TO pgvigil_owner;"
    fresh.cluster.sql(real, "DROP VIEW public.some CASCADE; " + same)
    script = fresh.deploy("--dry-run").stdout  # drops no guard that it does not make
    assert len(re.findall(r'DROP VIEW \S* ?\S* ?"[^"]+"\."public.some[!"]', script)) == len(re.findall(r'CREATE VIEW "[^"]+"\."public.some[!"]', script)) > 0
    assert "left out" not in fresh.deploy().stderr and "nothing to do" in fresh.deploy().stdout
    # The name is another's now, and what had it has another.
    fresh.cluster.sql(real, "ALTER VIEW public.some RENAME TO same; " + same)
    assert "left out" not in fresh.deploy().stderr and "nothing to do" in fresh.deploy().stdout
    with session(fresh, "nurse/care") as c:
        for name in ("public.some", "public.same"):
            assert c.execute("SELECT count(*) FROM " + guard(fresh, "nurse/care", name)).fetchone()[0] > 0
    fresh.cluster.sql(real, "DROP VIEW public.some CASCADE;")
    fresh.deploy()
    with session(fresh, "nurse/care") as c:
        with pytest.raises(psycopg.errors.UndefinedTable):
            c.execute("SELECT * FROM " + guard(fresh, "nurse/care", "public.some"))


def test_view_with_a_cast_by_a_function_needs_its_own_rule(fresh):
    """The cast stands in no text: PostgreSQL's dependencies tell of it."""
    fresh.cluster.sql(fresh.databases["records"], """
        CREATE TYPE public.mood AS ENUM ('fine');
        CREATE FUNCTION public.mood_text(public.mood) RETURNS text LANGUAGE sql SECURITY DEFINER AS
            $$ SELECT pg_catalog.string_agg(family_name, ',') FROM public.patients $$;
        CREATE CAST (public.mood AS text) WITH FUNCTION public.mood_text(public.mood) AS IMPLICIT;
        CREATE VIEW public.moods AS SELECT p.id, upper('fine'::public.mood) AS says FROM public.patients p;
        GRANT SELECT ON public.moods TO pgvigil_owner;""")
    assert re.search("public.moods is left out, it needs its own rule: its definition uses a type that a function of the database's may cast", fresh.deploy().stderr)
    with session(fresh, "nurse/care") as c:
        with pytest.raises(psycopg.errors.UndefinedTable):
            c.execute("SELECT * FROM " + guard(fresh, "nurse/care", "public.moods"))


def test_guard_that_someone_dropped_or_replaced_comes_back(fresh):
    fresh.deploy()
    name = guard(fresh, "nurse/care", "public.patients")
    real = fresh.databases["records"]
    fresh.cluster.sql(real, "DROP VIEW %s CASCADE;" % name)
    assert "guards made" in fresh.deploy().stdout
    with session(fresh, "nurse/care") as c:
        assert c.execute("SELECT count(*) FROM " + name).fetchone()[0] > 0
        assert c.execute("SELECT count(*) FROM " + guard(fresh, "nurse/care", "public.patient_stays")).fetchone()[0] > 0


def test_dry_run_is_what_deploy_does(fresh):
    before = state(fresh)
    script = fresh.deploy("--dry-run").stdout
    assert state(fresh) == before
    fresh.cluster.sql(fresh.databases["records"], script)
    assert "nothing to do" in fresh.deploy().stdout


def test_new_policy_stands_beside_the_old_until_pruned(fresh):
    fresh.deploy()
    old = generation(fresh)
    with open(fresh.policy / "99-more.cfg", "w", encoding="utf-8") as more:
        more.write('rules = ( { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.stays" ];\n'
                   '  columns = { id = "show"; }; } );\n')
    fresh.deploy()
    with fresh.cluster.superuser(fresh.databases["records"]) as c:
        names = {r[0].split("@")[1] for r in c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgvigil:%'")}
        assert old in names and len(names) == 2
        # A server connection that works for the old generation says so.
        c.execute("SELECT pg_advisory_lock_shared(1886221927, ('x' || %s)::bit(32)::int)", (old,))
        assert "still used" in fresh.deploy("--prune").stderr
        c.execute("SELECT pg_advisory_unlock_all()")
        fresh.deploy("--prune")
        names = {r[0].split("@")[1] for r in c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgvigil:%'")}
        assert old not in names and len(names) == 1


def test_two_databases_share_roles_and_remove_respects_the_other(cluster):
    with contextlib.closing(harness.Stack(cluster, databases=("records", "second"), serve=False)) as made:
        made.deploy("--remove", names=["second"])
        with session(made, "nurse/care") as c:
            assert c.execute("SELECT count(*) FROM " + guard(made, "nurse/care", "public.patients")).fetchone()[0] > 0


def test_schema_of_someone_else_under_our_name_stops_deploy(fresh):
    script = fresh.deploy("--dry-run").stdout
    name = re.search(r'CREATE SCHEMA ("pgvigil:nurse/care@\w+")', script).group(1)
    fresh.cluster.sql(fresh.databases["records"], "CREATE SCHEMA %s;" % name)
    done = fresh.deploy(check=False)
    assert done.returncode == 1 and "not pgvigil's" in done.stderr
    fresh.cluster.sql(fresh.databases["records"], "DROP SCHEMA %s;" % name)


def test_role_of_someone_else_under_our_name_stops_deploy(cluster):
    with harness.Cluster() as own, contextlib.closing(harness.Stack(own, serve=False, deploy=False)) as made:
        script = made.deploy("--dry-run").stdout
        name = re.search(r'CREATE SCHEMA ("pgvigil:nurse/care@\w+")', script).group(1)
        own.sql("postgres", "CREATE ROLE %s; GRANT clinic TO %s;" % (name, name))
        done = made.deploy(check=False)
        assert done.returncode == 3 and "rights of its own" in done.stderr


def test_dba_need_not_be_superuser(fresh):
    real = fresh.databases["records"]
    fresh.cluster.sql(real, """
        CREATE ROLE deployer LOGIN CREATEROLE PASSWORD 'd';
        GRANT CREATE ON DATABASE "%s" TO deployer; GRANT pgvigil_owner TO deployer;""" % real)
    fresh.deploy("--remove")
    as_deployer = fresh.cluster.conninfo(real, "deployer", "d")
    done = fresh.command("deploy", "-c", fresh.config_file, "--as", as_deployer, check=False)
    assert done.returncode == 0, done.stderr
    assert "the owner must run: GRANT USAGE ON SCHEMA app" in done.stderr
    with session(fresh, "nurse/care") as c:
        assert c.execute("SELECT count(*) FROM " + guard(fresh, "nurse/care", "public.patients")).fetchone()[0] > 0
    fresh.cluster.sql(real, "REVOKE pgvigil_owner FROM deployer;")
    done = fresh.command("deploy", "-c", fresh.config_file, "--as", as_deployer, check=False)
    assert done.returncode == 1 and "member of pgvigil_owner" in done.stderr


@pytest.mark.parametrize("policy,says", [
    ('filters = { other = "EXISTS (SELECT 1 FROM public.stays WHERE stays.patient_id = :subject)"; };\n'
     'rules = ( { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.stays" ]; filter = "other";\n'
     '  columns = { id = "show"; }; } );', "hides the table"),
    ('rules = ( { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.stays" ];\n'
     '  columns = { ward_id = "pseudonym"; }; } );', "needs text, uuid or bigint"),
])
def test_rule_that_cannot_be_a_guard_stops_deploy(fresh, policy, says):
    (fresh.policy / "99-more.cfg").write_text(policy + "\n", encoding="utf-8")
    done = fresh.deploy(check=False)
    assert done.returncode == 1 and says in done.stderr and "99-more.cfg:" in done.stderr


# ---- check --database ----

def test_check_finds_the_holes(fresh):
    clean = fresh.command("check", "-c", fresh.config_file, "--database", "records", "--as", fresh.dba())
    assert "no errors" in clean.stdout
    assert 'column "preferences" of public.patients is in no category' in clean.stdout
    fresh.cluster.sql(fresh.databases["records"], """
        GRANT SELECT (nir) ON public.patients TO PUBLIC;
        GRANT SELECT ON public.stays TO pgvigil;
        CREATE FUNCTION public.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.patients';
        REVOKE SELECT ON public.invoices FROM pgvigil_owner;""")
    (fresh.policy / "99-more.cfg").write_text(
        'tables = ( { name = "public.nowhere"; columns = { a = [ "b" ]; }; },\n'
        '           { name = "ehr.*"; columns = { }; } );\n'
        'masks = { hour = "date_trunc(\'day\', :col)"; };\n'
        'rules = ( { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.stays" ];\n'
        '  rows = "stays.nothing = 1"; columns = { admitted_at = "hour"; }; } );\n', encoding="utf-8")
    done = fresh.command("check", "-c", fresh.config_file, "--database", "records", "--as", fresh.dba(), check=False)
    assert done.returncode == 1
    for line in (r"10-tables.cfg:\d+: error: PUBLIC has rights of its own on public\.patients",
                 r"error: pgvigil has rights of its own on public\.stays",
                 r"warning: public\.peek\(\) is SECURITY DEFINER",
                 r"error: the guard of public\.invoices for biller/billing does not work as pgvigil_owner: permission denied",
                 r"99-more.cfg:1: error: there is no table public\.nowhere",
                 r"99-more.cfg:2: warning: ehr\.\* matches no table",
                 r"99-more.cfg:3: error: mask \"hour\" .*immutable",
                 r"99-more.cfg:4: error: the guard of public\.stays .*stays\.nothing"):
        assert re.search(line, done.stdout), (line, done.stdout)


def test_check_finds_views_that_do_not_say_whose_rows_they_are(fresh):
    fresh.cluster.sql(fresh.databases["records"], """
        CREATE VIEW public.told AS SELECT patient_id, ward_id FROM public.stays; CREATE VIEW public.untold AS SELECT patient_id FROM public.patient_stays;
        CREATE VIEW public.nobody AS SELECT name FROM public.wards;""")
    (fresh.policy / "99-more.cfg").write_text(
        'tables = ( { name = "public.told"; subject = "patient_id"; columns = { a = [ "ward_id" ]; }; },\n'
        '           { name = "public.untold"; columns = { a = [ "patient_id" ]; }; },\n'
        '           { name = "public.nobody"; columns = { a = [ "name" ]; }; } );\n', encoding="utf-8")
    done = fresh.command("check", "-c", fresh.config_file, "--database", "records", "--as", fresh.dba(), check=False)
    said = [line for line in done.stdout.splitlines() if 'has no "subject"' in line]
    said = [line for line in said if "ward_occupancy" not in line]  # the clinic's own, which counts beds
    assert len(said) == 1 and re.search(r"99-more.cfg:2: info: public\.untold reads public\.(patients|stays), whose rows are of patients", said[0]), done.stdout


# ---- the system catalogs ----

META = ["\\d", "\\dt", "\\dv", "\\dm", "\\di", "\\ds", "\\dn", "\\df", "\\l", "\\du", "\\dT", "\\dt+", "\\d+", "\\dn+", "\\l+",
        "\\d patients", "\\d+ patients", "\\d public.stays", "\\d observations", "\\d+ observations", "\\d observations_2024",
        "\\d patient_stays", "\\d+ ward_occupancy", "\\dt public.*", "\\d ward*", "\\df app.*", "\\dT+ app.*", "\\d wards_pkey",
        "\\dp", "\\d+ lab_results", "\\dx", "\\dD"]
HIDDEN = ["staff_salaries", "nir", "preferences", "invoices", "by_nir", "luhn_valid", "pgvigil", "documents"]


def psql_queries(stack, command):
    out = subprocess.run([str(harness.PG_BIN / "psql"), "-X", "-E", "-h", str(stack.cluster.folder), "-p",
                          str(stack.cluster.port), "-U", "postgres", "-d", stack.databases["records"], "-c", command],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    return re.findall(r"\*{9} QUERY \*{10}\n(.*?)\n\*{24,}", out, re.S)


def guarded(sql, schema, views, functions):
    """A psql query as pgvigil's rewriting makes it (enough of it for these)."""
    sql = re.sub(r"\(?([a-z]+\.[a-z]+|oid|conrelid|inhparent)::pg_catalog\.regclass(::pg_catalog\.text)?",
                 lambda m: ("(" if m.group(0)[0] == "(" else "") + '%s."regclass_out"(%s)' % (schema, m.group(1)), sql)
    sql = re.sub(r"'(\d+)'::pg_catalog\.regclass(::pg_catalog\.text)?", r"\1::pg_catalog.regclass", sql)
    sql = re.sub(r"([a-z]+\.[a-z]+)::pg_catalog\.regtype::pg_catalog\.text", r'%s."regtype_out"(\1)' % schema, sql)
    sql = re.sub(r"pg_catalog\.(\w+)\s*\(",
                 lambda m: '%s."%s"(' % (schema, m.group(1)) if m.group(1) in functions else m.group(0), sql)
    return re.sub(r"pg_catalog\.(\w+)\b(?!\s*\()",
                  lambda m: '%s."pg_catalog.%s"' % (schema, m.group(1)) if "pg_catalog." + m.group(1) in views
                  else m.group(0), sql)


@pytest.fixture(scope="module")
def built_in(stack):
    schema = "pgvigil:catalog@" + generation(stack)
    with stack.cluster.superuser(stack.databases["records"]) as c:
        views = {r[0] for r in c.execute("SELECT viewname FROM pg_views WHERE schemaname = %s", (schema,))}
        functions = {r[0] for r in c.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)", (schema,))}
    return '"%s"' % schema, views, functions


@pytest.mark.parametrize("command", META)
def test_psql_queries_work_and_name_nothing_hidden(stack, built_in, command):
    queries = psql_queries(stack, command)
    assert queries
    schema, views, functions = built_in
    rows = []
    with session(stack, "nurse/care") as c:
        for query in queries:
            rows.append(c.execute(guarded(query, schema, views, functions)).fetchall())
    text = repr(rows)
    for name in HIDDEN:
        assert not re.search(r"\b%s\b" % name, text), (command, name, text)
    if command in ("\\d", "\\dt", "\\d public.*"):
        assert "observations_2024" in text and "patients" in text


def test_catalog_views_can_all_be_read_and_show_nothing_hidden(stack, built_in):
    schema, views, _ = built_in
    with session(stack, "nurse/care") as c:
        for view in sorted(views):
            # pg_proc and the like speak of PostgreSQL itself at length.
            text = repr(c.execute('SELECT * FROM %s."%s"' % (schema, view)).fetchall())
            for name in HIDDEN:
                if view != "visible" or name != "pgvigil":
                    found = view != "pg_catalog.pg_settings" and re.search(r"\b%s\b" % name, text)
                    assert not found, (view, name, text[max(0, found.start() - 200):found.end() + 200])


CALLS = ["{0}.current_user()", "{0}.session_user()", "{0}.user()", "{0}.current_role()", "{0}.current_catalog()",
         "{0}.current_schemas(true)", "{0}.current_schema()", "{0}.current_setting('server_version')",
         "{0}.pg_get_userbyid(10::oid)", "{0}.pg_table_is_visible({1})", "{0}.pg_type_is_visible(23::oid)",
         "{0}.pg_function_is_visible(1317::oid)", "{0}.format_type(23::oid, -1)", "{0}.format_type(1043::oid, 24)",
         "{0}.to_regclass('patients')", "{0}.regclass_in('public.patients')", "{0}.regclass_out({1})",
         "{0}.to_regtype('int4')", "{0}.regtype_in('text')", "{0}.regtype_out(25::oid)", "{0}.regproc_in('now')",
         "{0}.regproc_out('pg_catalog.now'::pg_catalog.regproc)", "{0}.regprocedure_in('lower(text)')",
         "{0}.regprocedure_out('pg_catalog.lower(text)'::pg_catalog.regprocedure)", "{0}.to_regnamespace('public')",
         "{0}.regnamespace_in('public')", "{0}.regnamespace_out(11::oid)", "{0}.regrole_in('\"dr.martin\"')",
         "{0}.regrole_out(10::oid)", "{0}.obj_description({1}, 'pg_class')", "{0}.obj_description({1})",
         "{0}.col_description({1}, 2)", "{0}.has_table_privilege({1}, 'SELECT')",
         "{0}.has_table_privilege('patients', 'SELECT')", "{0}.has_any_column_privilege('patients', 'SELECT')",
         "{0}.has_column_privilege('patients', 'phone', 'SELECT')", "{0}.has_schema_privilege('public', 'USAGE')",
         "{0}.has_database_privilege(pg_catalog.current_database()::text, 'CONNECT')",
         "{0}.has_function_privilege(1317::oid, 'EXECUTE')", "{0}.pg_has_role('dr.martin'::name, 'USAGE')",
         "{0}.pg_partition_ancestors('observations_2024')", "{0}.pg_partition_root('observations_2024')",
         "{0}.pg_relation_is_publishable('patients')", "{0}.pg_get_partkeydef({2})",
         "{0}.pg_get_function_result(1317::oid)", "{0}.pg_get_function_arguments(1317::oid)"]


@pytest.mark.parametrize("call", CALLS)
def test_catalog_function_answers(stack, built_in, call):
    with stack.cluster.superuser(stack.databases["records"]) as c:
        (patients, observations) = c.execute(
            "SELECT 'public.patients'::regclass::oid, 'public.observations'::regclass::oid").fetchone()
    call = re.sub(r"\{0\}\.(\w+)\(", lambda m: '{0}."%s"(' % m.group(1), call)
    call = call.format(built_in[0], "%d::oid" % patients, "%d::oid" % observations)
    with session(stack, "nurse/care") as c:
        (answer,) = c.execute("SELECT " + call).fetchone()
    assert answer is not None


DENIED = [("{0}.pg_table_is_visible({1})", None), ("{0}.regclass_out({1})", "number"), ("{0}.to_regclass('staff_salaries')", None),
          ("{0}.to_regclass('public.staff_salaries')", None), ("{0}.format_type({2}, -1)", "???"),
          ("{0}.has_table_privilege({1}, 'SELECT')", None), ("{0}.obj_description({1}, 'pg_class')", None),
          ("{0}.obj_description({1})", None), ("{0}.col_description({1}, 1)", None),
          ("{0}.pg_get_constraintdef({3})", None), ("{0}.pg_get_indexdef({4})", None),
          ("{0}.current_setting('data_directory', true)", None), ("{0}.pg_get_viewdef({1})", None),
          ("{0}.pg_total_relation_size({1})", None), ("{0}.pg_function_is_visible({5})", None),
          ("{0}.pg_get_function_result({5})", None), ("{0}.regproc_out({5})", "number")]


@pytest.mark.parametrize("call,answer", DENIED)
def test_catalog_function_knows_nothing_of_hidden_things(stack, built_in, call, answer):
    with stack.cluster.superuser(stack.databases["records"]) as c:
        oids = c.execute("""SELECT c.oid, c.reltype, (SELECT k.oid FROM pg_constraint k WHERE k.conrelid = c.oid LIMIT 1),
            (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid LIMIT 1), 'app.luhn_valid(text)'::regprocedure::oid
            FROM pg_class c WHERE c.oid = 'public.staff_salaries'::regclass""").fetchone()
    call = re.sub(r"\{0\}\.(\w+)\(", lambda m: '{0}."%s"(' % m.group(1), call)
    sql = "SELECT " + call.format(built_in[0], *("%d::oid" % o for o in oids))
    with session(stack, "nurse/care") as c:
        row = c.execute(sql).fetchone()
    got = row[0] if row else None
    assert got.isdigit() if answer == "number" else got == answer


@pytest.mark.parametrize("call,error", [
    ("{0}.current_setting('data_directory')", psycopg.errors.UndefinedObject),
    ("{0}.current_setting('pgvigil.key_research')", psycopg.errors.UndefinedObject),
    ("{0}.regclass_in('staff_salaries')", psycopg.errors.UndefinedTable),
    ("{0}.regclass_in('public.staff_salaries')", psycopg.errors.UndefinedTable),
    ("{0}.regproc_in('app.luhn_valid')", psycopg.Error),
    ("{0}.regrole_in('postgres')", psycopg.errors.UndefinedObject)])
def test_catalog_function_refuses_hidden_names(stack, built_in, call, error):
    call = re.sub(r"\{0\}\.(\w+)\(", lambda m: '{0}."%s"(' % m.group(1), call)
    with session(stack, "nurse/care") as c:
        with pytest.raises(error):
            c.execute("SELECT " + call.format(built_in[0]))


def test_view_in_a_schema_that_the_owner_may_not_use_is_left_out_by_name(fresh):
    """The rest is deployed; the view is refused to restricted roles, and made once the owner may use its schema."""
    with fresh.cluster.superuser(fresh.databases["records"]) as c:
        c.execute("CREATE SCHEMA closed; CREATE VIEW closed.names AS SELECT id, family_name FROM public.patients")
    done = fresh.deploy()
    assert re.search(r"warning: guard nurse/care closed\.names is left out, .*permission denied for schema closed", done.stderr)
    with session(fresh, "nurse/care") as c:
        assert c.execute("SELECT count(*) FROM " + guard(fresh, "nurse/care", "public.patients")).fetchone()[0] > 0
        with pytest.raises(psycopg.errors.UndefinedTable):
            c.execute("SELECT * FROM " + guard(fresh, "nurse/care", "closed.names"))
    fresh.proxy = harness.Proxy(fresh.config_file, fresh.port, fresh.folder).start()
    with fresh.connect("nurse1") as c:
        assert c.execute("SELECT count(*) FROM patients").fetchone()[0] > 0
        with pytest.raises(psycopg.Error) as error:
            c.execute("SELECT * FROM closed.names")
        assert error.value.sqlstate == "42501"
    with fresh.cluster.superuser(fresh.databases["records"]) as c:
        c.execute("GRANT USAGE ON SCHEMA closed TO pgvigil_owner")
    assert "left out, restricted" not in fresh.deploy().stderr
    with session(fresh, "nurse/care") as c:
        assert c.execute("SELECT count(*) FROM " + guard(fresh, "nurse/care", "closed.names")).fetchone()[0] > 0
