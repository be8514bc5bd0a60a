"""
`pgvigil retention`: plan to the day, archive to another database, destroy with a certificate; killed at any moment, every row is
in exactly one place, or destroyed with its certificate.

What is due is reckoned by rights_schema.py; what is where is counted by asking both databases directly.
"""
import datetime
import json
import os
import random
import signal
import subprocess
import time

import harness
import pytest
import rights_schema

KILLS = int(os.environ.get("PGVIGIL_RETENTION_KILLS", "12"))
SEED = int(os.environ.get("PGVIGIL_SEED", "20261126"))

POLICY = rights_schema.POLICY.replace('except = [ "public.invoices" ];', 'destroy = [ "auditor", "biller" ];')
FILES = [("30-missions-roles.cfg", rights_schema.missions()), ("95-rights.cfg", POLICY)]
TABLES = ("patients", "stays", "appointments", "care_team", "observations", "lab_results", "prescriptions", "documents", "invoices",
          "consents", "objections")
SUBJECT = {t: "t.patient_id" for t in TABLES}
SUBJECT.update(patients="t.id", lab_results="(SELECT s.patient_id FROM stays s WHERE s.id = t.stay_id)")


class World:
    def __init__(self, stack, extra_sql=rights_schema.EXTRA_SQL):
        self.stack, self.number, self.extra_sql = stack, 0, extra_sql
        self.archive = None
        self.certificates = stack.folder / "certificates"

    def renew(self):
        """The database as it was, an archive without a row."""
        cluster, real = self.stack.cluster, self.stack.databases["records"]
        self.close()
        template = cluster.template(extra_sql=self.extra_sql)
        self.number += 1
        self.archive = cluster.create("archive_%d" % self.number, template, "TRUNCATE %s;" % ", ".join("public." + t for t in TABLES))
        copies = "BEGIN; SET session_replication_role = replica; TRUNCATE %s;" % ", ".join("public." + t for t in TABLES)
        cluster.sql(real, copies + "COMMIT; DROP SCHEMA IF EXISTS pgvigil_retention CASCADE;")
        for table in TABLES:
            columns = self.columns(table)
            dump = cluster.psql(template, "-c", "COPY (SELECT %s FROM public.%s) TO STDOUT" % (columns, table))
            text = "SET session_replication_role = replica;\nCOPY public.%s (%s) FROM STDIN;\n%s\\.\n" % (table, columns, dump)
            cluster.psql(real, "-f", "-", text=text)
        for path in self.certificates.glob("*"):
            path.unlink()
        assert self.run("init", "--apply").returncode == 0
        return self

    def columns(self, table):
        with self.stack.superuser() as c:
            return ", ".join('"%s"' % n for n, in c.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' "
                "ORDER BY attnum", ("public." + table,)))

    def close(self):
        if self.archive:
            self.stack.cluster.drop(self.archive)
            self.archive = None

    def arguments(self, what, *more):
        cluster = self.stack.cluster
        return ["retention", what, "-c", self.stack.config_file, "--as", self.stack.dba(), "--archive",
                cluster.conninfo(self.archive, "postgres", harness.SUPER_PASSWORD), *more]

    def run(self, what, *more, check=False, text=None):
        return self.stack.command(*self.arguments(what, *more), check=check, text=text)

    def destroy(self, *more, people=("audit1", "billing1")):
        words = "".join(p + "-demo\n" for p in people)
        return self.run("destroy", "--apply", "--by", people[0], "--and-by", people[1], "--certificates", self.certificates, *more, text=words)

    def both(self):
        return (("database", self.stack.databases["records"]), ("archive", self.archive))

    def rows(self):
        """{(table, row as text): [where it is]}, whose it is beside it."""
        found = {}
        for where, name in self.both():
            with self.stack.cluster.superuser(name) as c:
                for table in TABLES:
                    for subject, text in c.execute("SELECT (%s)::text, t::text FROM %s t" % (SUBJECT[table], table)):
                        found.setdefault((table, subject, text), []).append(where)
        return found

    def set_expired(self, patients):
        """Were last seen thirty years ago, and nothing else is known of them."""
        with self.stack.superuser() as c:
            c.execute("DELETE FROM deaths WHERE patient_id = ANY(%s)", (patients,))
            c.execute("DELETE FROM legal_holds WHERE patient_id = ANY(%s)", (patients,))


@pytest.fixture(scope="module")
def world(make_stack):
    made = World(make_stack(extra_sql=rights_schema.EXTRA_SQL, extra_policy=FILES))
    yield made
    made.close()


def known(world, where=0, today=None):
    with world.stack.cluster.superuser(world.both()[where][1]) as c:
        return rights_schema.ages(c, today)


def test_plan_says_what_python_reckons(world):
    world.renew()
    for on in (None, "2031-02-28", "2031-03-01", "2045-12-31", "2046-01-01", "2060-06-15"):
        done = world.run("plan", "--format", "json", *(["--on", on] if on else []))
        plan = json.loads(done.stdout)
        ages = known(world, today=datetime.date.fromisoformat(on) if on else None)
        counts = {age: sum(1 for a in ages.values() if a == age) for age in ("active", "archived", "expired")}
        assert {age: plan["database"][age] for age in counts} == counts, on
        assert {int(d["subject"]): d["age"] for d in plan["database"]["due"]} == {p: a for p, a in ages.items() if a != "active"}
        assert done.returncode == (1 if plan["database"]["due"] else 0)


DAYS = [datetime.date(2020, 2, 29), datetime.date(2020, 3, 1), datetime.date(2019, 2, 28), datetime.date(2004, 2, 29), datetime.date(2021, 12, 31)]


def test_plan_is_exact_to_the_day(world):
    """Every boundary of many records, the day before it, on it and after it, leap days among them, against Python's reckoning."""
    world.renew()
    random.seed(SEED)
    cases = {}
    with world.stack.superuser() as c:
        c.execute("DELETE FROM deaths")
        c.execute("DELETE FROM legal_holds")
        patients = [p for p, in c.execute("SELECT p.id FROM patients p WHERE EXISTS (SELECT FROM stays s WHERE s.patient_id = p.id) ORDER BY 1 LIMIT 120")]
        for number, patient in enumerate(patients):
            last = DAYS[number % 5] if number % 3 else datetime.date(2000, 1, 1) + datetime.timedelta(random.randrange(9000))
            born = random.choice((datetime.date(2004, 2, 29), datetime.date(1950, 1, 1), last - datetime.timedelta(random.randrange(1, 9000))))
            death = last + datetime.timedelta(random.randrange(0, 6000)) if number % 4 == 0 else None
            if number % 20 == 0:
                death = rights_schema.years_on(last, 10) - datetime.timedelta(number // 20 % 2)
            held = number % 15 == 0
            cases[patient] = (last, born, death, held)
            c.execute("UPDATE stays SET admitted_at = '1990-01-01', discharged_at = NULL WHERE patient_id = %s", (patient,))
            c.execute("UPDATE stays SET admitted_at = %s WHERE id = (SELECT max(id) FROM stays WHERE patient_id = %s)",
                      (datetime.datetime.combine(last, datetime.time(0, 30), rights_schema.PARIS), patient))
            c.execute("UPDATE patients SET birth_date = %s WHERE id = %s", (born, patient))
            if death:
                c.execute("INSERT INTO deaths VALUES (%s, %s)", (patient, death))
            if held:
                c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (patient,))
    days = set()
    for last, born, death, _ in list(cases.values())[:11]:
        for edge in (rights_schema.years_on(last, 5), rights_schema.years_on(last, 20), rights_schema.years_on(born, 28),
                     rights_schema.years_on(death or last, 10)):
            days.update(edge + datetime.timedelta(d) for d in (-1, 0, 1))
    checked = 0
    for day in sorted(days):
        done = world.run("plan", "--format", "json", "--on", day.isoformat())
        due = {int(d["subject"]): d["age"] for d in json.loads(done.stdout)["database"]["due"]}
        for patient, (last, born, death, held) in cases.items():
            assert due.get(patient, "active") == rights_schema.age_of(last, born, death, held, day), (day, patient, cases[patient])
            checked += 1
    assert checked > 9000


def test_archive_moves_what_is_due_and_nothing_else(world):
    world.renew()
    before, ages = world.rows(), known(world)
    dry = world.run("archive")
    assert dry.returncode == 1 and world.rows() == before
    done = world.run("archive", "--apply")
    assert done.returncode == 0, done.stderr
    after = world.rows()
    assert set(after) == set(before)
    for (table, subject, text), where in after.items():
        expected = "archive" if subject is not None and ages[int(subject)] == "archived" else "database"
        assert where == [expected], (table, subject)
    moved = [p for p, a in ages.items() if a == "archived"]
    assert "%d records moved" % len(moved) in done.stdout and len(moved) > 50
    events = [r for r in world.stack.audit_records() if r.get("event") == "retention-archive"]
    assert {e["patient"] for e in events} >= {str(p) for p in moved}
    assert world.run("archive", "--apply").stdout.startswith("0 records moved")


def test_a_copy_that_is_not_the_same_deletes_nothing(world):
    """A trigger of the archive's that changes a value, or swallows a row."""
    world.renew()
    before = world.rows()
    with world.stack.cluster.superuser(world.archive) as c:
        for body in ("NEW.dose := NEW.dose || '.'; RETURN NEW", "RETURN NULL"):
            c.execute("CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s; END $$" % body)
            c.execute("CREATE TRIGGER spoil BEFORE INSERT ON prescriptions FOR EACH ROW EXECUTE FUNCTION spoil()")
            c.execute("ALTER TABLE prescriptions ENABLE ALWAYS TRIGGER spoil")
            done = world.run("archive", "--apply")
            c.execute("DROP FUNCTION spoil() CASCADE")
            assert done.returncode == 3 and "public.prescriptions: the archive has not the same rows" in done.stderr, done.stderr
            assert world.rows() == before
    assert world.run("archive", "--apply").returncode == 0 and world.rows() != before


def test_destroy_takes_two_people_and_leaves_a_certificate(world):
    world.renew()
    assert world.run("archive", "--apply").returncode == 0
    before, ages = world.rows(), known(world)
    for people, code in ((("audit1", "audit1"), 2), (("audit1", "nurse1"), 1), (("nobody", "billing1"), 1)):
        assert world.destroy(people=people).returncode == code
    wrong = world.run("destroy", "--apply", "--by", "audit1", "--and-by", "billing1", text="audit1-demo\nguess\n")
    assert wrong.returncode == 1 and "guess" not in wrong.stdout + wrong.stderr
    assert world.run("destroy").returncode == 1 and world.rows() == before
    done = world.destroy()
    assert done.returncode == 0, done.stderr
    after = world.rows()
    gone = {str(p) for p, a in ages.items() if a == "expired"}
    assert len(gone) > 20
    assert set(after) == {k for k in before if k[1] not in gone}
    files = list(world.certificates.glob("*.json"))
    counted = {}
    for path in files:
        checked = world.stack.command("retention", "verify", path, "--key", world.stack.certs.audit_public)
        assert checked.returncode == 0
        body = json.loads(path.read_text())["certificate"]
        assert body["by"] == ["audit1", "billing1"]
        for table in body["tables"]:
            counted[table["table"]] = counted.get(table["table"], 0) + table["rows"]
    really = {}
    for (table, subject, _) in before:
        if subject in gone:
            really["public." + table] = really.get("public." + table, 0) + 1
    assert counted == really
    content = "".join(p.read_text() for p in files)
    for name in ("Martin", "Dubois", "Durand"):
        assert name not in content
    forged = world.stack.folder / "forged.json"
    for change in (lambda c: c["certificate"].update(records=0), lambda c: c.update(key="0"), lambda c: c["certificate"].update(what="lift"),
                   lambda c: c.update(signature=("1" if c["signature"][0] == "0" else "0") + c["signature"][1:])):
        changed = json.loads(files[0].read_text())
        change(changed)
        forged.write_text(json.dumps(changed))
        assert world.stack.command("retention", "verify", forged, "--key", world.stack.certs.audit_public, check=False).returncode == 1
    # What somebody has put into the table is neither signed nor written, wherever its name points.
    with world.stack.superuser() as c:
        c.execute("INSERT INTO pgvigil_retention.certificates VALUES ('../evil', '{\"what\": \"destruction\", \"id\": \"x\"}', 'aa'), "
                  "('fake', '{\"what\": \"destruction\", \"id\": \"fake\"}', 'bb')")
    assert world.destroy().returncode == 1
    assert not (world.stack.folder / "evil.json").exists() and not (world.certificates / "fake.json").exists()
    refused = [r for r in world.stack.audit_records() if r.get("event") == "retention-refused"]
    assert len(refused) >= 3 and all("guess" not in json.dumps(r) for r in refused)
    events = [r for r in world.stack.audit_records() if r.get("event") == "retention-destroy"]
    assert {e["patient"] for e in events} >= gone and all(e["person"] == "audit1 and billing1" for e in events)


def test_the_archive_destroys_only_what_the_database_lets_go(world):
    """A hold made after the move, and a patient who came back, are known to the database alone."""
    world.renew()
    assert world.run("archive", "--apply").returncode == 0
    with world.stack.cluster.superuser(world.archive) as archive, world.stack.superuser() as live:
        archived = [p for p, in archive.execute("SELECT id FROM patients ORDER BY id LIMIT 6")]
        archive.execute("UPDATE stays SET admitted_at = '1990-05-05', discharged_at = NULL WHERE patient_id = ANY(%s)", (archived,))
        archive.execute("UPDATE patients SET birth_date = '1940-01-01' WHERE id = ANY(%s)", (archived,))
        archive.execute("DELETE FROM deaths; DELETE FROM legal_holds")
        held, back = archived[:2], archived[2:4]
        for patient in held:
            live.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (patient,))
        live.execute("SET session_replication_role = replica")
        columns = world.columns("patients")
        with archive.cursor().copy("COPY (SELECT %s FROM patients WHERE id = ANY('{%s}')) TO STDOUT" % (columns, ",".join(map(str, back)))) as out:
            data = b"".join(bytes(piece) for piece in out)
        with live.cursor().copy("COPY patients (%s) FROM STDIN" % columns) as into:
            into.write(data)
    assert world.destroy().returncode == 0
    with world.stack.cluster.superuser(world.archive) as archive:
        left = {p for p, in archive.execute("SELECT id FROM patients WHERE id = ANY(%s)", (archived,))}
    assert left == set(held + back)


def test_what_would_be_torn_apart_stays(world):
    """A table that refers to a patient's rows and is nobody's, with a cascade: neither those rows nor the patient go."""
    world.renew()
    with world.stack.superuser() as c:
        ages = known(world)
        patient = min(p for p, a in ages.items() if a == "archived")
        c.execute("CREATE TABLE notes (id int, patient bigint REFERENCES patients ON DELETE CASCADE)")
        c.execute("INSERT INTO notes VALUES (1, %s)", (patient,))
        done = world.run("archive", "--apply")
        assert done.returncode == 1 and "public.notes refers to public.patients" in done.stderr
        assert c.execute("SELECT count(*) FROM notes").fetchone() == (1,)
        assert c.execute("SELECT count(*) FROM patients WHERE id = %s", (patient,)).fetchone() == (1,)
        c.execute("DROP TABLE notes")
        assert world.run("archive", "--apply").returncode == 0
        assert c.execute("SELECT count(*) FROM patients WHERE id = %s", (patient,)).fetchone() == (0,)


def test_the_database_is_no_archive_of_itself(world):
    done = world.stack.command("retention", "archive", "-c", world.stack.config_file, "--as", world.stack.dba(), "--archive",
                               world.stack.dba(), "--apply", check=False)
    assert done.returncode == 2 and "copied onto themselves" in done.stderr


def wait_for_batch(stack, process, name):
    """Until it is in its first transaction, or has ended."""
    with stack.superuser() as c:
        while process.poll() is None:
            if c.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND query ~ 'ISOLATION|FOR UPDATE|^COPY|^DELETE'",
                         (name,)).fetchone()[0]:
                return
            time.sleep(0.002)


def test_killed_at_any_moment_every_row_is_in_one_place(world):
    """archive and destroy die at random; after the next run that ends, each row is in one place, or certified as destroyed.

    While they die, a row may be in both places, but never in none."""
    rng = random.Random(SEED)
    world.renew()
    started = time.monotonic()
    assert world.run("archive", "--apply", "--batch", "2").returncode == 0
    took = time.monotonic() - started  # moments of a run are a part of it, however slow the machine is
    world.renew()
    before, ages = world.rows(), known(world)
    killed = {"archive": 0, "destroy": 0}
    attempts, torn, partly = 0, 0, 0  # how often a kill left rows in both places, and a run half done
    while sum(killed.values()) < KILLS and attempts < 20 * KILLS:
        attempts += 1
        what = "archive" if killed["archive"] <= killed["destroy"] else "destroy"
        now = world.rows()
        due = {"archive": "archived", "destroy": "expired"}[what]
        if not any(where == ["database"] and key[1] and ages[int(key[1])] == due for key, where in now.items()):
            world.renew()
        more = ["--apply", "--batch", str(rng.choice((1, 2, 5)))]
        if what == "destroy":
            more += ["--by", "audit1", "--and-by", "billing1", "--certificates", str(world.certificates)]
        name = "retention %d" % attempts
        process = subprocess.Popen([str(a) for a in [harness.binary()] + world.arguments(what, *more)], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=str(world.stack.folder),
                                   env=dict(os.environ, PGAPPNAME=name), preexec_fn=harness.end_with_parent(signal.SIGKILL))
        process.stdin.write(b"audit1-demo\nbilling1-demo\n")
        process.stdin.close()
        wait_for_batch(world.stack, process, name)
        time.sleep(rng.random() * rng.choice((0.02, 0.1, 0.4)) * took)
        if process.poll() is None:
            killed[what] += 1
        process.kill()
        process.wait(20)
        now = world.rows()
        torn += any(len(places) == 2 for places in now.values())
        partly += len({tuple(now.get(key, ())) for key in before if key[1] and ages[int(key[1])] == {"archive": "archived", "destroy": "expired"}[what]}) > 1
        for key in before:
            places = now.get(key, [])
            expired = key[1] is not None and ages[int(key[1])] == "expired"
            assert places or expired, "lost: %r" % (key[:2],)
    print("killed %r, %d times rows were in both places, %d times a run was half done" % (killed, torn, partly))
    assert sum(killed.values()) >= KILLS and min(killed.values()) > 0 and partly > 0
    assert torn > 0 or KILLS < 100
    assert world.run("archive", "--apply").returncode == 0
    assert world.destroy().returncode == 0
    after = world.rows()
    destroyed = 0
    for key in before:
        age = "active" if key[1] is None else ages[int(key[1])]
        expected = {"active": ["database"], "archived": ["archive"], "expired": None}[age]
        assert after.get(key) == expected, key[:2]
        destroyed += expected is None
    certified = 0
    for path in world.certificates.glob("*.json"):
        assert world.stack.command("retention", "verify", path, "--key", world.stack.certs.audit_public).returncode == 0
        certified += sum(t["rows"] for t in json.loads(path.read_text())["certificate"]["tables"])
    assert certified == destroyed > 0


def test_a_run_that_failed_between_the_commits_is_finished_by_the_next(world):
    """Copied, committed there, and then not deleted: the next run copies again, which changes nothing, and deletes."""
    world.renew()
    before, ages = world.rows(), known(world)
    with world.stack.superuser() as c:
        c.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
        c.execute("CREATE TRIGGER refuse BEFORE DELETE ON patients FOR EACH ROW EXECUTE FUNCTION refuse()")
        assert world.run("archive", "--apply").returncode == 3
        twice = sum(1 for places in world.rows().values() if len(places) == 2)
        assert twice > 50
        c.execute("DROP TRIGGER refuse ON patients; DROP FUNCTION refuse()")
    done = world.run("archive", "--apply")
    assert done.returncode == 0, done.stderr
    after = world.rows()
    assert set(after) == set(before) and all(len(places) == 1 for places in after.values())
    assert any(places == ["archive"] for places in after.values()) and "archived" in ages.values()


def test_a_copy_is_taken_back_when_the_record_became_active_meanwhile(world):
    world.renew()
    before, ages = world.rows(), known(world)
    with world.stack.superuser() as c:
        c.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
        c.execute("CREATE TRIGGER refuse BEFORE DELETE ON patients FOR EACH ROW EXECUTE FUNCTION refuse()")
        assert world.run("archive", "--apply").returncode == 3
        c.execute("DROP TRIGGER refuse ON patients; DROP FUNCTION refuse()")
        patient = next(int(k[1]) for k, places in world.rows().items() if len(places) == 2)
        c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (patient,))
    assert world.run("archive", "--apply").returncode == 0
    after = world.rows()
    assert set(after) == set(before) and all(len(places) == 1 for places in after.values())
    assert all(places == ["database"] for key, places in after.items() if key[1] == str(patient))
    with world.stack.superuser() as c:
        c.execute("DELETE FROM legal_holds WHERE patient_id = %s AND lifted_on IS NULL", (patient,))
    assert ages[patient] == "archived"
