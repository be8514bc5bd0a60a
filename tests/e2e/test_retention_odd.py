"""
`pgvigil retention` where a database is not as one would have made it: keys that are used again, references to partitions and to
persons who stay, row security, an archive that is none, a second run, a hold made in the middle. No row may be lost, overwritten
or taken along; what cannot be done is refused by name.
"""
import collections
import subprocess
import time

import harness
import psycopg
import pytest
import rights_schema
import test_retention
from meddle import blocked, junior, refused_commit, trigger
from test_retention import World, known

SQL = rights_schema.EXTRA_SQL + """
CREATE TABLE public.beds (bed int PRIMARY KEY, patient_id bigint, remark text, ward int GENERATED ALWAYS AS IDENTITY);
GRANT SELECT ON public.beds TO pgvigil_owner;
"""
POLICY = test_retention.POLICY + """
tables = ( { name = "public.beds"; subject = "beds.patient_id"; columns = { admin = [ "bed", "patient_id", "remark", "ward" ]; }; } );
"""


@pytest.fixture(scope="module")
def world(make_stack):
    made = World(make_stack(extra_sql=SQL, extra_policy=[("30-missions-roles.cfg", rights_schema.missions()), ("95-rights.cfg", POLICY)]), SQL)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fresh(world):
    world.renew()
    with world.stack.superuser() as c:
        c.execute("DELETE FROM beds")


def archived(world):
    return sorted(p for p, age in known(world).items() if age == "archived")


def test_a_key_that_is_used_again_overwrites_nobody(world):
    one, other = archived(world)[:2]
    with world.stack.superuser() as c:
        c.execute("INSERT INTO beds VALUES (12, %s, 'the first')", (one,))
        c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (other,))
        assert world.run("archive", "--apply").returncode == 0
        c.execute("INSERT INTO beds VALUES (12, %s, 'the second')", (other,))
        c.execute("DELETE FROM legal_holds WHERE patient_id = %s", (other,))
        done = world.run("archive", "--apply")
        assert done.returncode == 3 and "public.beds: the archive has another person's row" in done.stderr
        assert c.execute("SELECT patient_id FROM beds").fetchall() == [(other,)]
    with world.stack.cluster.superuser(world.archive) as archive:
        assert archive.execute("SELECT patient_id, remark FROM beds").fetchall() == [(one, "the first")]


def test_an_identity_column_outside_the_key_is_moved(world):
    patient = archived(world)[0]
    with world.stack.superuser() as c, world.stack.cluster.superuser(world.archive) as archive:
        c.execute("INSERT INTO beds VALUES (13, %s, 'x')", (patient,))
        row = c.execute("SELECT * FROM beds").fetchone()
        assert world.run("archive", "--apply").returncode == 0
        assert archive.execute("SELECT * FROM beds").fetchone() == row and c.execute("SELECT count(*) FROM beds").fetchone() == (0,)


def test_what_is_no_archive_of_this_database_is_not_written_to(world):
    other = world.stack.cluster.create("hospital_b", world.stack.cluster.template(extra_sql=SQL), "UPDATE patients SET family_name = 'Other';")
    try:
        conninfo = world.stack.cluster.conninfo(other, "postgres", harness.SUPER_PASSWORD)
        words = ["-c", world.stack.config_file, "--as", world.stack.dba(), "--archive", conninfo, "--apply"]
        for what in ("archive", "init"):
            done = world.stack.command("retention", what, *words, check=False)
            assert done.returncode == 3 and "no archive" in done.stderr, done.stderr
        with world.stack.cluster.superuser(other) as c:
            assert c.execute("SELECT count(*) FROM patients WHERE family_name <> 'Other'").fetchone() == (0,)
            assert c.execute("SELECT to_regnamespace('pgvigil_retention')").fetchone() == (None,)
    finally:
        world.stack.cluster.drop(other)


def test_a_reference_to_a_partition_holds_back(world):
    with world.stack.superuser() as c:
        partition, number, day, patient = c.execute(
            "SELECT tableoid::regclass::text, id, taken_on, patient_id FROM observations WHERE patient_id = ANY(%s) LIMIT 1", (archived(world),)).fetchone()
        c.execute("CREATE TABLE notes (id int, o bigint, d date, FOREIGN KEY (o, d) REFERENCES %s (id, taken_on) ON DELETE CASCADE)" % partition)
        try:
            c.execute("INSERT INTO notes VALUES (1, %s, %s)", (number, day))
            assert world.run("archive", "--apply").returncode == 1
            assert c.execute("SELECT count(*) FROM notes").fetchone() == (1,)
            assert c.execute("SELECT count(*) FROM patients WHERE id = %s", (patient,)).fetchone() == (1,)
        finally:
            c.execute("DROP TABLE notes")


def test_rows_that_row_security_hides_from_the_dba_are_an_error(world):
    patient = archived(world)[0]
    with world.stack.superuser() as c:
        c.execute("CREATE TABLE notes (id int PRIMARY KEY, patient bigint REFERENCES patients ON DELETE CASCADE); INSERT INTO notes VALUES (1, %s)" % patient)
        c.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
        try:
            with junior(world.stack, c, "GRANT EXECUTE ON FUNCTION pg_control_system() TO junior") as conninfo:
                done = world.stack.command("retention", "archive", "-c", world.stack.config_file, "--as", conninfo,
                                           "--archive", world.stack.cluster.conninfo(world.archive, "postgres", harness.SUPER_PASSWORD), "--apply", check=False)
            assert done.returncode == 3 and "row-level security" in done.stderr, done.stderr
            assert c.execute("SELECT count(*) FROM notes").fetchone() == (1,)
        finally:
            c.execute("DROP TABLE notes")


def test_somebody_who_refers_to_a_person_who_stays_stays_too(world):
    patients = archived(world)
    with world.stack.superuser() as c, world.stack.cluster.superuser(world.archive) as archive:
        active = min(p for p, age in known(world).items() if age == "active")
        for one in (c, archive):
            one.execute("ALTER TABLE patients ADD COLUMN mother bigint REFERENCES patients")
        try:
            c.execute("UPDATE patients SET mother = %s WHERE id = %s", (active, patients[0]))
            done = world.run("archive", "--apply")
            assert done.returncode == 1 and "1 records stay" in done.stderr, done.stderr
            assert [p for p, in c.execute("SELECT id FROM patients WHERE id = ANY(%s)", (patients,))] == [patients[0]]
        finally:
            c.execute("ALTER TABLE patients DROP COLUMN mother")


def test_a_person_who_stands_there_twice_is_refused(world):
    with world.stack.superuser() as c:
        c.execute("SELECT pg_advisory_lock(1)")
        c.execute("CREATE TABLE keep AS SELECT conname, conrelid::regclass::text AS t, pg_get_constraintdef(oid) AS d FROM pg_constraint "
                  "WHERE contype = 'f' AND confrelid = 'patients'::regclass AND conparentid = 0")
        c.execute("ALTER TABLE patients DROP CONSTRAINT patients_pkey CASCADE")
        try:
            for what in ("plan", "archive"):
                done = world.run(what)
                assert done.returncode == 3 and "needs a primary key or a UNIQUE constraint" in done.stderr, done.stderr
        finally:
            c.execute("ALTER TABLE patients ADD PRIMARY KEY (id)")
            for name, table, text in c.execute("SELECT conname, t, d FROM keep").fetchall():
                c.execute("ALTER TABLE %s ADD CONSTRAINT %s %s" % (table, name, text))
            c.execute("DROP TABLE keep")


def start(world, what, *more):
    process = subprocess.Popen([str(a) for a in [harness.binary()] + world.arguments(what, "--apply", *more)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=str(world.stack.folder))
    if what == "destroy":
        process.stdin.write("audit1-demo\nbilling1-demo\n")
    process.stdin.close()
    process.stdin = None
    return process


def test_a_hold_made_in_the_middle_keeps_the_record(world):
    """It waits for a row when the hold is made and committed: what it then does is by what holds then."""
    with world.stack.superuser() as c:
        ages = known(world)
        expired = sorted(p for p, age in ages.items() if age == "expired")
        with world.stack.superuser(autocommit=False) as locker:
            locker.execute("SELECT FROM care_team WHERE patient_id = ANY(%s) FOR UPDATE", (expired,))
            process = start(world, "destroy", "--by", "audit1", "--and-by", "billing1", "--certificates", str(world.certificates), "--batch", "10000")
            blocked(c)
            c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (expired[0],))
            locker.rollback()
        _, told = process.communicate(timeout=60)
        assert process.returncode == 3 and "changed meanwhile" in told, told
        assert c.execute("SELECT count(*) FROM patients WHERE id = ANY(%s)", (expired,)).fetchone() == (len(expired),)
        assert world.destroy().returncode == 0
        assert [p for p, in c.execute("SELECT id FROM patients WHERE id = ANY(%s)", (expired,))] == [expired[0]]


def test_two_runs_at_once_are_one_too_many(world):
    with world.stack.superuser() as c:
        patients = archived(world)
        with world.stack.superuser(autocommit=False) as locker:
            locker.execute("SELECT FROM care_team WHERE patient_id = ANY(%s) FOR UPDATE", (patients,))
            process = start(world, "archive", "--batch", "10000")
            blocked(c)
            second = world.run("archive", "--apply")
            assert second.returncode == 3 and "another run" in second.stderr
            with pytest.raises(psycopg.Error):
                locker.execute("SELECT FROM nothing")
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told


@pytest.mark.parametrize("what", ["archive", "destroy"])
def test_a_commit_that_is_refused_all_the_same_is_on_record_as_undone(world, what):
    """A trigger on what goes defers another one again, which fires in the COMMIT, after the records: one "undone" for each."""
    run = world.destroy if what == "destroy" else lambda: world.run("archive", "--apply")
    told = lambda more: sorted(r["patient"] for r in world.stack.audit_records() if r.get("event") == "retention-" + what + more)
    due = sorted(str(p) for p, age in known(world).items() if age == {"archive": "archived", "destroy": "expired"}[what])
    count = lambda more: collections.Counter(told(more))
    with world.stack.superuser() as c:
        before, undone, there = count(""), count("-undone"), c.execute("SELECT count(*) FROM patients").fetchone()
        with refused_commit(c, "patients"):
            done = run()
            assert done.returncode == 3 and c.execute("SELECT count(*) FROM patients").fetchone() == there, done.stderr
        new = count("") - before
        assert new == count("-undone") - undone and set(new) <= set(due) and set(new.values()) == {1}
        assert run().returncode == 0 and count("-undone") == undone + new


def test_certificates_of_nobody_stop_no_destruction(world):
    """What somebody has put among them is told, and the exit code says so; what is due goes, and has its own."""
    expired = [p for p, age in known(world).items() if age == "expired"]
    with world.stack.superuser() as c:
        c.execute("CREATE SCHEMA IF NOT EXISTS pgvigil_retention; CREATE TABLE IF NOT EXISTS pgvigil_retention.certificates (id text PRIMARY KEY, body text NOT NULL, "
                  "signature text NOT NULL, at timestamptz NOT NULL DEFAULT now()); INSERT INTO pgvigil_retention.certificates VALUES ('fake', '{\"id\": \"fake\"}', 'bb')")
        done = world.destroy()
        assert done.returncode == 1 and done.stderr.count("certificate fake") == 1, done.stderr
        assert c.execute("SELECT count(*) FROM patients WHERE id = ANY(%s)", (expired,)).fetchone() == (0,)
        assert any(world.certificates.glob("*.json")) and not (world.certificates / "fake.json").exists()
        c.execute("DELETE FROM pgvigil_retention.certificates WHERE id = 'fake'")
    assert world.destroy().returncode == 0


@pytest.mark.parametrize("what", ["archive", "destroy"])
def test_a_constraint_that_is_checked_at_the_commit_leaves_no_record_of_it(world, what):
    """No row goes, and the trail says of nobody that they went; the twin, without it, does both."""
    event = "retention-" + what
    run = world.destroy if what == "destroy" else lambda: world.run("archive", "--apply")
    told = lambda: len([r for r in world.stack.audit_records() if r.get("event") == event])
    with world.stack.superuser() as c:
        before, there = told(), c.execute("SELECT count(*) FROM patients").fetchone()
        with trigger(c, "patients", "RAISE 'no';", deferred=True):
            assert run().returncode == 3
            assert c.execute("SELECT count(*) FROM patients").fetchone() == there and told() == before
        assert run().returncode == 0 and told() > before and c.execute("SELECT count(*) FROM patients").fetchone() < there
