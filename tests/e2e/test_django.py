"""
A small Django application (tests/apps/django) whose administrator migrates and fills its database through pgvigil, and whose nurse
reads it through the ORM: the rows are those that PostgreSQL gives for the same ORM calls on what views of this test's own leave over.

Writes as the nurse belong here too, once INSERT, UPDATE and DELETE are judged.
"""
import json
import os
import re
import subprocess

import harness
import pytest
from test_apps import EMPTY

pytest.importorskip("django", reason="DJANGO IS NOT INSTALLED: apt-get install python3-django python3-psycopg2 (scripts/test does)")
APP = harness.ROOT / "tests" / "apps" / "django"

POLICY = """
tables = (
  { name = "public.clinic_ward"; columns = { admin = [ "id", "code", "name", "beds" ]; }; },
  { name = "public.clinic_practitioner"; columns = { admin = [ "id", "rpps", "family_name", "specialty", "ward_id" ]; }; },
  { name = "public.clinic_allergy"; columns = { admin = [ "id", "name" ]; }; },
  { name = "public.clinic_patient"; subject = "clinic_patient.id";
    columns = { admin = [ "id", "ward_id" ]; identifier = [ "family_name", "given_name", "sex", "birth_date", "email", "nir" ]; medical = [ "extra" ]; }; },
  { name = "public.clinic_patient_allergies"; subject = "clinic_patient_allergies.patient_id"; columns = { admin = [ "id", "patient_id", "allergy_id" ]; }; },
  { name = "public.clinic_stay"; subject = "clinic_stay.patient_id";
    columns = { admin = [ "id", "patient_id", "ward_id", "attending_id", "admitted_at", "discharged_at" ]; medical = [ "diagnosis" ]; }; },
  { name = "public.clinic_result"; subject = "(SELECT s.patient_id FROM public.clinic_stay s WHERE s.id = clinic_result.stay_id)";
    columns = { admin = [ "id", "stay_id" ]; medical = [ "loinc", "value", "abnormal" ]; }; }
);
attributes = ( { name = "rpps"; type = "text"; }, { name = "wards"; type = "int[]"; } );
filters = { own = "EXISTS (SELECT 1 FROM public.clinic_patient p WHERE p.id = :subject AND p.ward_id = ANY(:user.wards))"; };
missions = ( { name = "care"; title = "Care"; purpose = "TREAT"; }, { name = "maintenance"; title = "Maintenance"; purpose = "HSYSADMIN"; } );
roles = (
  { name = "nurse"; missions = [ "care" ]; default = "care"; },
  { name = "it-admin"; missions = [ "maintenance" ]; default = "maintenance"; unrestricted = true; }
);
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.clinic_ward", "public.clinic_practitioner", "public.clinic_allergy" ]; columns = { admin = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.clinic_patient" ]; rows = "clinic_patient.ward_id = ANY(:user.wards)";
    columns = { admin = "show"; identifier = "show"; medical = "show"; nir = "hide"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.clinic_patient_allergies" ]; filter = "own"; columns = { admin = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.clinic_stay", "public.clinic_result" ]; filter = "own"; columns = { admin = "show"; medical = "show"; }; }
);
users = ( %s );
"""
# What the nurse of wards 1 and 2 may see: views, and tables of them, since GROUP BY of a primary key wants a table.
ORACLE = """
CREATE SCHEMA oracle_views; CREATE SCHEMA oracle;
CREATE VIEW oracle_views.clinic_ward AS TABLE public.clinic_ward;
CREATE VIEW oracle_views.clinic_practitioner AS TABLE public.clinic_practitioner;
CREATE VIEW oracle_views.clinic_allergy AS TABLE public.clinic_allergy;
CREATE VIEW oracle_views.clinic_patient AS SELECT id, ward_id, family_name, given_name, sex, birth_date, email, extra FROM public.clinic_patient WHERE ward_id IN (1, 2);
CREATE VIEW oracle_views.clinic_patient_allergies AS SELECT * FROM public.clinic_patient_allergies a WHERE a.patient_id IN (SELECT id FROM oracle_views.clinic_patient);
CREATE VIEW oracle_views.clinic_stay AS SELECT * FROM public.clinic_stay s WHERE s.patient_id IN (SELECT id FROM oracle_views.clinic_patient);
CREATE VIEW oracle_views.clinic_result AS SELECT * FROM public.clinic_result r WHERE r.stay_id IN (SELECT id FROM oracle_views.clinic_stay);
CREATE TABLE oracle.clinic_ward AS TABLE oracle_views.clinic_ward; ALTER TABLE oracle.clinic_ward ADD PRIMARY KEY (id);
CREATE TABLE oracle.clinic_practitioner AS TABLE oracle_views.clinic_practitioner; ALTER TABLE oracle.clinic_practitioner ADD PRIMARY KEY (id);
CREATE TABLE oracle.clinic_allergy AS TABLE oracle_views.clinic_allergy; ALTER TABLE oracle.clinic_allergy ADD PRIMARY KEY (id);
CREATE TABLE oracle.clinic_patient AS TABLE oracle_views.clinic_patient; ALTER TABLE oracle.clinic_patient ADD PRIMARY KEY (id);
CREATE TABLE oracle.clinic_patient_allergies AS TABLE oracle_views.clinic_patient_allergies; ALTER TABLE oracle.clinic_patient_allergies ADD PRIMARY KEY (id);
CREATE TABLE oracle.clinic_stay AS TABLE oracle_views.clinic_stay; ALTER TABLE oracle.clinic_stay ADD PRIMARY KEY (id);
CREATE TABLE oracle.clinic_result AS TABLE oracle_views.clinic_result; ALTER TABLE oracle.clinic_result ADD PRIMARY KEY (id);
"""
REFUSED = {"hidden table": "clinic_salary", "hidden table of a relation": "clinic_salary", "hidden table in a subquery": "clinic_salary", "hidden table in raw": "clinic_salary"}


def python(stack, script, user, port, database, password, options="", check=True):
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "DJANGO_SETTINGS_MODULE": "settings", "CLINIC_DATABASE": database, "CLINIC_USER": user,
           "CLINIC_PASSWORD": password, "CLINIC_PORT": str(port), "CLINIC_CA": str(stack.certs.ca), "CLINIC_OPTIONS": options, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["/usr/bin/python3"] + script, cwd=str(APP), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def stack(make_stack, tmp_path_factory):
    """An empty database, migrated and filled by the administrator through pgvigil, then guarded."""
    folder = tmp_path_factory.mktemp("policy")
    clinic = "".join(path.read_text(encoding="utf-8") for path in sorted((harness.CLINIC / "policy").glob("*.cfg")))
    users = re.findall(r'\{ name = "(?:admin1|nurse1)";.*?"; \}', clinic, re.S)
    assert len(users) == 2
    (folder / "policy.cfg").write_text(POLICY % ", ".join(users), encoding="utf-8")
    made = make_stack(databases=("records",), changes={"records": EMPTY}, policy_dir=folder, deploy=False)
    python(made, ["-m", "django", "migrate", "-v", "0"], "admin1", made.port, "records", "admin1-demo")
    python(made, ["fill.py"], "admin1", made.port, "records", "admin1-demo")
    with made.superuser() as c:
        c.execute("GRANT USAGE ON SCHEMA public TO pgvigil_owner")
        for table in ("ward", "practitioner", "allergy", "patient", "patient_allergies", "stay", "result"):
            c.execute("GRANT SELECT ON public.clinic_%s TO pgvigil_owner" % table)
    made.deploy()
    size = made.proxy.log_size()
    made.proxy.hup()
    made.proxy.wait_log("event=(reload|policy|catalog)", since=size)
    with made.superuser() as c:
        c.execute(ORACLE)
    return made


@pytest.fixture(scope="module")
def answers(stack):
    """(through pgvigil as the nurse, on what the oracle's views leave)."""
    mine = python(stack, ["reads.py"], "nurse1", stack.port, "records", "nurse1-demo")
    theirs = python(stack, ["reads.py"], "postgres", stack.cluster.port, stack.databases["records"], harness.SUPER_PASSWORD, options="-csearch_path=oracle")
    return json.loads(mine), json.loads(theirs)


def test_administrator_migrated_through_pgvigil(stack):
    with stack.superuser() as c:
        assert c.execute("SELECT count(*) FROM public.clinic_patient").fetchone() == (200,)
        applied = c.execute("SELECT app, name FROM public.django_migrations ORDER BY id").fetchall()
    assert ("clinic", "0001_initial") in applied
    out = python(stack, ["-m", "django", "migrate", "--check"], "admin1", stack.port, "records", "admin1-demo")
    assert "Traceback" not in out
    assert "No changes" in python(stack, ["-m", "django", "makemigrations", "--check", "--dry-run"], "admin1", stack.port, "records", "admin1-demo")


def test_reads_give_what_postgresql_gives(answers):
    mine, theirs = answers
    different = {n: (mine[n], theirs[n]) for n in mine if not (n.startswith("hidden") or n.startswith("deferred")) and mine[n] != theirs[n]}
    assert different == {}
    failed = [n for n, a in mine.items() if isinstance(a, dict) and "error" in a and not n.startswith(("hidden", "deferred"))]
    assert failed == []
    # Not a comparison of nothing.
    assert len(mine) >= 75 and sum(1 for a in theirs.values() if a) >= 70
    assert len(mine["all"]) == 75 or 50 < len(mine["all"]) < 200


def test_what_is_hidden_is_refused_by_name(answers):
    mine, theirs = answers
    names = [n for n in mine if n.startswith("hidden") or n.startswith("deferred")]
    assert len(names) >= 12
    for name in names:
        error = mine[name]
        assert isinstance(error, dict) and error["error"] in ("ProgrammingError", "InternalError"), (name, error)
        assert isinstance(theirs[name], dict) or name in REFUSED  # the oracle's search path ends before public
        word = REFUSED.get(name, "nir")
        assert word in error["text"] and "NIR0" not in error["text"], (name, error)
        if name not in REFUSED:
            assert error["state"] == theirs[name]["state"] == "42703", (name, error)
        else:
            assert error["state"] == "42501" and "nurse" in error["text"] and "care" in error["text"], (name, error)
