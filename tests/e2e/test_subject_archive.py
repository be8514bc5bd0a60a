"""
`pgvigil subject access` and `portability` with --archive: what was moved is in the dossier too, and it says where it stands.

What is where is counted by asking both databases directly.
"""
import json

import documents
import fhir_patient_check
import harness
import pytest
import rights_schema
from test_retention import FILES, SUBJECT, TABLES, World

MAPPING = """
fhir_patient = { table = "public.patients"; family = "patients.family_name"; birthDate = "patients.birth_date"; };
"""


@pytest.fixture(scope="module")
def world(make_stack):
    made = World(make_stack(extra_sql=rights_schema.EXTRA_SQL, extra_policy=FILES + [("96-fhir.cfg", MAPPING)], config=documents.ORGANISATION))
    made.renew()
    assert made.run("archive", "--apply").returncode == 0
    yield made
    made.close()


def patients(world, where):
    with world.stack.cluster.superuser(world.both()[where][1]) as c:
        return [p for p, in c.execute("SELECT id FROM patients ORDER BY id")]


def everything(world, patient):
    """{(table, where): number of rows}."""
    found = {}
    for where, name in world.both():
        with world.stack.cluster.superuser(name) as c:
            for table in TABLES:
                count = c.execute("SELECT count(*) FROM %s t WHERE %s = %d" % (table, SUBJECT[table], patient)).fetchone()[0]
                if count:
                    found["public." + table, where] = count
    return found


def subject(world, what, patient, *more, archive=True):
    words = ["--archive", world.stack.cluster.conninfo(world.archive, "postgres", harness.SUPER_PASSWORD)] if archive else []
    return world.stack.command("subject", what, "-c", world.stack.config_file, "--as", world.stack.dba(), "--patient", patient, *words, *more, check=False)


def told(done):
    return {(t["table"], t.get("stands", "database")): len(t["rows"]) for t in json.loads(done.stdout)["tables"]}


def test_what_was_moved_is_in_the_dossier_and_says_where(world):
    for patient in patients(world, 1)[:3]:
        done = subject(world, "access", patient, "--format", "json")
        assert done.returncode == 0, done.stderr
        assert told(done) == everything(world, patient) and {w for _, w in told(done)} == {"archive"}
        alone = subject(world, "access", patient, "--format", "json", archive=False)
        assert alone.returncode == 1 and alone.stdout == "" and "is in the archive" in alone.stderr


def test_what_was_not_moved_is_as_without_an_archive(world):
    patient = patients(world, 0)[5]
    done, alone = subject(world, "access", patient, "--format", "json"), subject(world, "access", patient, "--format", "json", archive=False)
    assert json.loads(done.stdout)["tables"] == json.loads(alone.stdout)["tables"] and told(done) == everything(world, patient)


def test_who_came_back_is_in_both_and_so_is_the_page(world):
    patient = patients(world, 1)[4]
    with world.stack.superuser() as live, world.stack.cluster.superuser(world.archive) as archive:
        columns = world.columns("patients")
        with archive.cursor().copy("COPY (SELECT %s FROM patients WHERE id = %d) TO STDOUT" % (columns, patient)) as out:
            data = b"".join(bytes(piece) for piece in out)
        with live.cursor().copy("COPY patients (%s) FROM STDIN" % columns) as into:
            into.write(data)
    found = told(subject(world, "access", patient, "--format", "json"))
    assert found == everything(world, patient) and found["public.patients", "database"] == found["public.patients", "archive"] == 1
    for lang, word, kept in (("fr", "public.patients (archives)", "actifs 5 ans"), ("en", "public.patients (archive)", "active for 5 years")):
        page = subject(world, "access", patient, "--lang", lang).stdout
        assert page.count(word) == 1 and page.count("<h3>public.patients</h3>") == 1 and page.count(kept) == 1


def test_portability_reads_it_too(world):
    patient = patients(world, 1)[6]
    done = subject(world, "portability", patient)
    assert done.returncode == 0 and told(done) == everything(world, patient), done.stderr
    bundle = json.loads(done.stdout)["fhir"]
    assert fhir_patient_check.complaints(bundle) == []
    with world.stack.cluster.superuser(world.archive) as c:
        name, birth = c.execute("SELECT family_name, birth_date::text FROM patients WHERE id = %s", (patient,)).fetchone()
    (entry,) = bundle["entry"]
    assert entry["resource"] == {"resourceType": "Patient", "name": [{"family": name}], "birthDate": birth}
    assert json.loads(subject(world, "portability", patient, "--format", "fhir").stdout)["entry"][0]["resource"] == entry["resource"]


def test_what_is_no_archive_of_this_database_is_not_read(world):
    patient = patients(world, 0)[7]
    other = world.stack.cluster.create("hospital_c", world.stack.cluster.template(extra_sql=rights_schema.EXTRA_SQL))
    try:
        for conninfo, code in ((world.stack.cluster.conninfo(other, "postgres", harness.SUPER_PASSWORD), 3), (world.stack.dba(), 2), ("host=/nowhere", 3)):
            done = subject(world, "access", patient, "--archive", conninfo, archive=False)
            assert done.returncode == code and done.stdout == "", done.stderr
    finally:
        world.stack.cluster.drop(other)


def test_nobody_is_in_neither(world):
    done = subject(world, "access", 987654321, "--format", "json")
    assert done.returncode == 1 and done.stdout == "" and "there is nothing" in done.stderr
