"""
`pgvigil subject erase`: what a patient may have erased goes, by two people, with a certificate; everything else of hers, and every
row of others, stands as it stood.

What must go is reckoned here from the policy's words, by asking the database directly; a run that is killed leaves all of it or
nothing.
"""
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import documents
import erase_schema
import harness
import missions_walk
import pytest
import rights_schema
from meddle import blocked

KILLS = int(os.environ.get("PGVIGIL_ERASE_KILLS", "8"))
SEED = int(os.environ.get("PGVIGIL_SEED", "20261127"))


def user(name, auth, more, secret=None):
    return '{ name = "%s"; auth = "%s"; secret = "%s"; %s }' % (name, auth, secret or missions_walk.secret(name), more)


def secret_of(name):
    """As the clinic's policy has it."""
    return re.search(r'name = "%s";[^}]*secret = "([^"]*)"' % name, (harness.CLINIC / "policy" / "50-users.cfg").read_text(encoding="utf-8")).group(1)


def users():
    """Each may erase by role and has a password of its own: only what kind of user it is differs."""
    return "users = (%s);\n" % ",\n".join([
        user("audit2", "scram", 'roles = [ "auditor" ];'),
        user("AUDIT1", "scram", 'roles = [ "auditor" ];'),
        user("audit1-bis", "scram", 'roles = [ "auditor" ];', secret_of("audit1")),
        user("vendor-app", "scram", 'on_behalf = { roles = [ "auditor", "biller" ]; from = "pgvigil.user"; proof = "none"; absent = "refuse"; };'),
        user("desk-app", "scram", 'on_behalf = { roles = [ "auditor", "biller" ]; from = "pgvigil.user"; proof = "none"; absent = "biller"; };'),
        user("audit3", "cert+scram", 'certificate_cn = "audit3"; roles = [ "auditor" ];')])


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=erase_schema.SQL, extra_policy=erase_schema.FILES + [("96-people.cfg", users())], config=documents.ORGANISATION)


@pytest.fixture(scope="module")
def ages(stack):
    with stack.superuser() as c:
        return rights_schema.ages(c)


@pytest.fixture(scope="module")
def take(stack, ages):
    """A patient of an age, whom no test had before; the free ones are held by nobody."""
    with stack.superuser() as c:
        billed = {p for p, in c.execute("SELECT patient_id FROM invoices")}
        held = {p for p, in c.execute("SELECT patient_id FROM legal_holds WHERE lifted_on IS NULL")}
        seen = {p for p, in c.execute("SELECT patient_id FROM stays")}
    left = [p for p in sorted(ages) if p not in held and p in seen]

    def one(age, with_invoices=False):
        patient = next(p for p in left if ages[p] == age and (p in billed) == with_invoices)
        left.remove(patient)
        return patient

    return one


def arguments(stack, patient, *more):
    return ["subject", "erase", "-c", stack.config_file, "--as", stack.dba(), "--patient", patient, "--lang", "en", *more]


def plan(stack, patient, *more, check=False):
    return stack.command(*arguments(stack, patient, *more), check=check)


def erase(stack, patient, *more, people=("audit1", "billing1"), passwords=None, reason=True):
    words = "".join(p + "\n" for p in (passwords or [p + "-demo" for p in people]))
    more = list(more) + (["--reason", "demande du 3 mars"] if reason else [])
    return stack.command(*arguments(stack, patient, "--apply", "--by", people[0], "--and-by", people[1], "--certificates",
                                    stack.folder / "certificates", *more), check=False, text=words)


def read(stack):
    with stack.superuser() as c:
        return erase_schema.rows(c)


def without(found, patient, tables):
    return {t: {k: n for k, n in there.items() if not (t in tables and k[0] == str(patient))} for t, there in found.items()}


def certificates(stack):
    return {p: json.loads(p.read_text()) for p in sorted((stack.folder / "certificates").glob("*.json"))}


def events(stack, patient, *names):
    return [r for r in stack.audit_records() if r.get("event") in names and r.get("patient") == str(patient)]


def test_a_plan_says_what_would_go_and_changes_nothing(stack, take):
    patient, before = take("active", with_invoices=True), read(stack)
    done = plan(stack, patient, "--format", "json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    (side,) = told["sides"]
    mine = erase_schema.of(before, patient)
    assert {t["table"]: t["goes"] for t in side["tables"] if t["goes"]} == {"public." + t: n for t, n in mine.items() if t in erase_schema.ERASABLE}
    assert {t["table"]: t["stays"] for t in side["tables"] if t["stays"]} == {"public." + t: n for t, n in mine.items() if t not in erase_schema.ERASABLE}
    why = {t["table"]: t.get("why_stays") for t in side["tables"]}
    assert why["public.stays"] == "term" and why["public.invoices"] == "other-time" and why["public.reminders"] is None
    assert not told["applied"] and read(stack) == before
    with stack.superuser() as c:
        last = c.execute("SELECT max((admitted_at AT TIME ZONE 'Europe/Paris')::date) FROM stays WHERE patient_id = %s", (patient,)).fetchone()[0]
        born = c.execute("SELECT birth_date FROM patients WHERE id = %s", (patient,)).fetchone()[0]
        died = c.execute("SELECT died_on FROM deaths WHERE patient_id = %s", (patient,)).fetchone()
    until = max(rights_schema.years_on(last, 20), rights_schema.years_on(born, 28))
    if died and died[0] < rights_schema.years_on(last, 10):
        until = rights_schema.years_on(max(died[0], last), 10)
    assert side["until"] == until.isoformat()
    (event,) = events(stack, patient, "subject-erase-plan")
    assert "2 of public.reminders" in event["detail"]


def test_a_plan_is_for_people_in_both_languages(stack, take):
    patient = take("active", with_invoices=True)
    english = plan(stack, patient).stdout
    french = plan(stack, patient, "--lang", "fr").stdout
    assert "to be erased: the policy declares it erasable" in english and "R. 1112-7" in english and "kept for another time" in english
    assert "à effacer : la politique le déclare effaçable" in french and "20 ans après la dernière consultation" in french and "28e anniversaire" in french
    until = json.loads(plan(stack, patient, "--format", "json").stdout)["sides"][0]["until"]
    assert "up to and with %s," % until in english and "jusqu’au %s inclus" % "/".join(reversed(until.split("-"))) in french
    assert plan(stack, patient, "--format", "html").returncode == 2


def test_what_is_erasable_goes_and_nothing_else(stack, take):
    patient, before = take("active", with_invoices=True), read(stack)
    mine = erase_schema.of(before, patient)
    done = erase(stack, patient)
    assert done.returncode == 0, done.stderr
    assert read(stack) == without(before, patient, erase_schema.ERASABLE)
    files = certificates(stack)
    path, found = next((p, f) for p, f in files.items() if f["certificate"]["id"] in events(stack, patient, "subject-erase")[0]["detail"])
    body = found["certificate"]
    assert body["what"] == "erasure" and body["by"] == ["audit1", "billing1"]
    assert {t["table"]: t["rows"] for t in body["tables"]} == {"public." + t: mine[t] for t in erase_schema.ERASABLE}
    assert {t["table"]: t["rows"] for t in body["kept"]} == {"public." + t: n for t, n in mine.items() if t not in erase_schema.ERASABLE}
    for verb in ("retention", "subject"):
        assert stack.command(verb, "verify", path, "--key", stack.certs.audit_public).returncode == 0
    forged = stack.folder / "forged.json"
    found["certificate"]["kept"] = []
    forged.write_text(json.dumps(found))
    assert stack.command("subject", "verify", forged, "--key", stack.certs.audit_public, check=False).returncode == 1
    (event,) = events(stack, patient, "subject-erase")
    assert event["person"] == "audit1 and billing1" and event["reason"] == "demande du 3 mars"
    assert "2 of public.reminders" in event["detail"] and "login %d" % patient not in json.dumps(event)
    again = erase(stack, patient)
    assert again.returncode == 1 and "Nothing (more) may be erased" in again.stdout
    assert len(certificates(stack)) == len(files)


def signed(stack, text):
    """Ed25519 by OpenSSL's own program."""
    path = stack.folder / "text"
    path.write_bytes(text)
    return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(stack.certs.audit_key), "-in", str(path)],
                          check=True, stdout=subprocess.PIPE).stdout


def test_the_certificate_has_no_content_not_even_as_a_hash(stack, take):
    """A reminder has few possible rows: their SHA-256 would tell which it was. The keeper of the key can still prove it."""
    patient = take("active")
    with stack.superuser() as c:
        c.execute("SET search_path = ''")
        texts = [t for t, in c.execute("SELECT ROW(id, slot, patient_id, channel)::text FROM public.reminders WHERE patient_id = %s", (patient,))]
    assert erase(stack, patient).returncode == 0
    detail = events(stack, patient, "subject-erase")[0]["detail"]
    path, found = next((p, f) for p, f in certificates(stack).items() if f["certificate"]["id"] in detail)
    hashes = sorted(hashlib.sha256(t.encode()).digest() for t in texts)
    plain = hashlib.sha256(b"".join(hashes)).hexdigest()
    text = path.read_text()
    assert plain not in text and all(h.hex() not in text for h in hashes) and "patient" not in found["certificate"]
    body = found["certificate"]
    seal = next(t["seal"] for t in body["tables"] if t["table"] == "public.reminders")
    line = "pgvigil seal 1\n%s\npublic.reminders\n%s" % (body["id"], plain)
    assert seal == hashlib.sha256(signed(stack, line.encode())).hexdigest()


@pytest.mark.parametrize("people,passwords,code", [
    (("audit1", "audit1"), None, 2), (("audit1", "AUDIT1"), None, 2), (("audit1", "audit1-bis"), ("audit1-demo", "audit1-demo"), 2), (("audit1", "nurse1"), None, 1), (("nobody", "billing1"), None, 1),
    (("audit1", "billing1"), ("audit1-demo", "guess"), 1), (("audit1", "billing1"), ("guess", "billing1-demo"), 1)])
def test_two_people_or_nobody(people, passwords, code, stack, take):
    before = read(stack)
    patient = min(int(k[0]) for k in before["reminders"])
    done = erase(stack, patient, people=people, passwords=passwords)
    assert done.returncode == code and read(stack) == before
    if code == 1:
        refused = events(stack, patient, "subject-erase-refused")
        assert refused and "guess" not in json.dumps(refused)
    assert not events(stack, patient, "subject-erase")


@pytest.mark.parametrize("name,told", [("vendor-app", "acts for others"), ("desk-app", "acts for others"), ("audit3", "with a password alone")])
def test_an_applications_login_and_half_a_proof_are_nobody(name, told, stack, take):
    """Their roles may erase and the password is right: what is refused is the kind of user."""
    before, patient = read(stack), take("active")
    one, other = "billing1-demo", name + "-demo"
    for people, words in ((("billing1", name), (one, other)), ((name, "billing1"), (other, one))):
        done = erase(stack, patient, people=people, passwords=words)
        assert done.returncode == 1 and told in done.stderr and "96-people.cfg:" in done.stderr, done.stderr
        assert read(stack) == before
    assert len(events(stack, patient, "subject-erase-refused")) == 2 and not events(stack, patient, "subject-erase")
    assert erase(stack, patient, people=("billing1", "audit2"), passwords=(one, "audit2-demo")).returncode == 0


def test_a_reason_is_needed(stack, take):
    patient, before = take("active"), read(stack)
    assert erase(stack, patient, reason=False).returncode == 2 and read(stack) == before
    assert erase(stack, patient).returncode == 0


def test_a_hold_keeps_everything_whatever_is_erasable(stack, take):
    patient = take("active")
    with stack.superuser() as c:
        c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (patient,))
        before = read(stack)
        done = plan(stack, patient, "--format", "json")
        (side,) = json.loads(done.stdout)["sides"]
        assert done.returncode == 0 and side["held"] and {t["why_stays"] for t in side["tables"]} == {"hold"}
        assert erase(stack, patient).returncode == 1 and read(stack) == before
        c.execute("UPDATE legal_holds SET lifted_on = current_date WHERE patient_id = %s", (patient,))
    assert erase(stack, patient).returncode == 0
    assert read(stack) == without(before, patient, erase_schema.ERASABLE)


def test_rows_that_share_a_key_with_anothers_are_told_apart(stack, take):
    """The same slot, the same day: ten patients share one; only hers goes."""
    patient, before = take("active"), read(stack)
    with stack.superuser() as c:
        slot = c.execute("SELECT DISTINCT slot FROM reminders WHERE patient_id = %s", (patient,)).fetchone()[0]
        others = c.execute("SELECT count(*) FROM reminders WHERE slot = %s AND patient_id <> %s", (slot, patient)).fetchone()[0]
        assert others > 50 and erase(stack, patient).returncode == 0
        assert c.execute("SELECT count(*) FROM reminders WHERE slot = %s", (slot,)).fetchone()[0] == others
    assert read(stack) == without(before, patient, erase_schema.ERASABLE)


def test_a_row_that_anothers_row_refers_to_stays(stack, take):
    """A proxy of another patient stands on her account, with a cascade: both stay, the rest goes."""
    patient, other = take("active"), take("active")
    with stack.superuser() as c:
        c.execute("INSERT INTO portal_proxies VALUES (%s, %s, %s)", (patient, 1000 + patient, other))
    before = read(stack)
    side = json.loads(plan(stack, patient, "--format", "json").stdout)["sides"][0]
    (account,) = [t for t in side["tables"] if t["table"] == "public.portal_accounts"]
    assert account == {"table": "public.portal_accounts", "goes": 0, "stays": 1, "why_stays": "referred",
                       "needed_by": "public.portal_proxies"}, account
    done = erase(stack, patient)
    assert done.returncode == 0 and "since a row that stays needs it" in done.stdout and "public.portal_accounts (by public.portal_proxies)" in done.stdout
    assert read(stack) == without(before, patient, ("reminders", "contacts"))
    with stack.superuser() as c:
        c.execute("DELETE FROM portal_proxies")
    assert erase(stack, patient).returncode == 0
    assert not set(erase_schema.of(read(stack), patient)) & set(erase_schema.ERASABLE)


def test_rows_whose_subject_is_read_through_one_that_goes_stop_it(stack, take):
    patient = take("active")
    with stack.superuser() as c:
        c.execute("INSERT INTO portal_log VALUES (1, %s, 'x')", (1000 + patient,))
        before = read(stack)
        done = erase(stack, patient)
        assert done.returncode == 3 and "public.portal_log were to stay" in done.stderr, done.stderr
        assert read(stack) == before
        c.execute("DELETE FROM portal_log")
    assert erase(stack, patient).returncode == 0


def test_a_trigger_that_takes_more_or_less_stops_it(stack, take):
    patient = take("active")
    bodies = ("RETURN NULL;", "DELETE FROM public.care_team WHERE patient_id = OLD.patient_id; RETURN OLD;", "RAISE 'no';")
    with stack.superuser() as c:
        for body in bodies:
            c.execute("CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s END $$" % body)
            c.execute("CREATE TRIGGER meddle BEFORE DELETE ON reminders FOR EACH ROW EXECUTE FUNCTION meddle()")
            before = read(stack)
            assert before["care_team"] and str(patient) in {k[0] for k in before["care_team"]}
            done = erase(stack, patient)
            c.execute("DROP TRIGGER meddle ON reminders; DROP FUNCTION meddle()")
            assert done.returncode == 3 and read(stack) == before, body
    assert not events(stack, patient, "subject-erase", "subject-erase-undone")
    assert erase(stack, patient).returncode == 0


def test_a_record_past_its_term_goes_wholly(stack, take):
    patient, before = take("expired"), read(stack)
    done = erase(stack, patient)
    assert done.returncode == 0, done.stderr
    after = read(stack)
    assert after == without(before, patient, erase_schema.TABLES_ALL) and not erase_schema.of(after, patient)
    assert plan(stack, patient).returncode == 1
    billed = take("expired", with_invoices=True)
    before = read(stack)
    assert erase(stack, billed).returncode == 0
    after = read(stack)
    stayed = erase_schema.of(after, billed)  # invoices keep another time, and what they refer to stays with them
    assert stayed["invoices"] == erase_schema.of(before, billed)["invoices"] and stayed["patients"] == 1
    assert set(stayed) <= {"invoices", "patients", "stays", "lab_results", "observations", "prescriptions", "documents"}
    for table in ("care_team", "appointments", "consents", "objections") + erase_schema.ERASABLE:
        assert table not in stayed
    assert {t: {k: n for k, n in there.items() if k[0] != str(billed)} for t, there in after.items()} == \
        {t: {k: n for k, n in there.items() if k[0] != str(billed)} for t, there in before.items()}


def test_a_policy_without_retention_erases_nothing(make_stack):
    stack = make_stack(extra_sql=erase_schema.SQL, extra_policy=erase_schema.WITHOUT_RETENTION, config=documents.ORGANISATION, serve=False)
    before = read(stack)
    done = plan(stack, 11, "--format", "json")
    (side,) = json.loads(done.stdout)["sides"]
    assert {t["table"] for t in side["tables"] if t["goes"]} == {"public." + t for t in erase_schema.ERASABLE}
    assert {t["why_stays"] for t in side["tables"] if t["stays"]} == {"no-retention"}
    refused = erase(stack, 11)
    assert refused.returncode == 3 and 'no "retention"' in refused.stderr and read(stack) == before


def test_check_warns_of_medical_data_that_are_erasable(stack):
    folder = stack.folder / "medical"
    folder.mkdir()
    for path in stack.policy.glob("*.cfg"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    text = (folder / "10-tables.cfg").read_text(encoding="utf-8")
    old = '{ name = "public.documents";'
    assert text.count(old) == 1
    (folder / "10-tables.cfg").write_text(text.replace(old, old + " erasable = true;"), encoding="utf-8")
    done = stack.command("check", "--policy", folder, "-c", stack.config_file, check=False)
    warnings = [line for line in done.stdout.splitlines() if "is erasable" in line]
    assert done.returncode == 0 and len(warnings) == 1 and 'public.documents is erasable, and its category "medical"' in warnings[0]
    assert "is erasable" not in stack.command("check", "-c", stack.config_file, check=False).stdout


def start(stack, patient, *more, name="erase", passwords=True):
    words = arguments(stack, patient, "--apply", "--by", "audit1", "--and-by", "billing1", "--certificates", stack.folder / "certificates",
                      "--reason", "x", *more)
    process = subprocess.Popen([harness.binary()] + [str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               cwd=str(stack.folder), env=dict(os.environ, PGAPPNAME=name), preexec_fn=harness.end_with_parent(signal.SIGKILL))
    if not passwords:
        return process
    process.stdin.write(b"audit1-demo\nbilling1-demo\n")
    process.stdin.close()
    process.stdin = None
    return process


def test_two_runs_at_once_are_one_too_many(stack, take):
    patient, other = take("active"), take("active")
    before = read(stack)
    with stack.superuser() as c, stack.superuser(autocommit=False) as locker:
        locker.execute("SELECT FROM reminders WHERE patient_id = %s FOR UPDATE", (patient,))
        process = start(stack, patient)
        blocked(c)
        for one in (patient, other):
            second = erase(stack, one)
            assert second.returncode == 3 and "another run" in second.stderr
        locker.rollback()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert read(stack) == without(before, patient, erase_schema.ERASABLE)


def test_a_hold_made_in_the_middle_keeps_everything(stack, take):
    patient, before = take("active"), read(stack)
    with stack.superuser() as c, stack.superuser(autocommit=False) as locker:
        locker.execute("SELECT FROM reminders WHERE patient_id = %s FOR UPDATE", (patient,))
        process = start(stack, patient)
        blocked(c)
        c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (patient,))
        locker.rollback()
        _, told = process.communicate(timeout=60)
        assert process.returncode == 3 and b"changed meanwhile" in told, told
        assert read(stack) == before
        c.execute("DELETE FROM legal_holds WHERE patient_id = %s", (patient,))


def test_a_row_that_changes_in_the_middle_is_not_erased_unread(stack, take):
    patient = take("active")
    with stack.superuser() as c, stack.superuser(autocommit=False) as locker:
        locker.execute("UPDATE reminders SET channel = 'letter' WHERE patient_id = %s", (patient,))
        process = start(stack, patient)
        blocked(c)
        locker.commit()
        process.communicate(timeout=60)
        assert process.returncode == 3
        assert c.execute("SELECT count(*) FROM reminders WHERE patient_id = %s AND channel = 'letter'", (patient,)).fetchone() == (2,)
    assert erase(stack, patient).returncode == 0


def ask(stack, patient, kind="erasure"):
    done = stack.command("subject", "request", "-c", stack.config_file, "--as", stack.dba(), "--patient", patient, "--kind", kind)
    return done.stdout.split()[1]


def request_of(stack, number):
    with stack.superuser() as c:
        return c.execute("SELECT closed IS NOT NULL, outcome FROM pgvigil_rights.requests WHERE id = %s", (number,)).fetchone()


def test_a_request_has_what_has_come_of_it(stack, take):
    patient, other = take("active"), take("active")
    number, elsewhere, access = ask(stack, patient), ask(stack, other), ask(stack, patient, "access")
    before = read(stack)
    for wrong in (elsewhere, access, "98765", "x"):
        assert erase(stack, patient, "--request", wrong, reason=False).returncode in (2, 3)
    assert read(stack) == before
    assert plan(stack, patient, "--request", number).returncode == 1 and request_of(stack, number) == (False, None)
    done = erase(stack, patient, "--request", "0" + number, reason=False)
    assert done.returncode == 0, done.stderr
    closed, outcome = request_of(stack, number)  # the law keeps her record: people tell her so, and settle it
    assert not closed and any(f["certificate"]["id"] in outcome and f["certificate"]["request"] == number for f in certificates(stack).values())
    assert [r["detail"] for r in events(stack, patient, "request-noted")] and request_of(stack, elsewhere) == (False, None)
    again = erase(stack, patient, "--request", number, reason=False)
    assert again.returncode == 0 and read(stack) == without(before, patient, erase_schema.ERASABLE)


def test_a_run_that_dies_after_the_commit_is_finished_by_the_next(stack, take):
    """The certificate cannot be written, since its folder is a file: rows are gone, the next run writes it and notes it with the request."""
    for age in ("active", "expired"):
        patient, folder = take(age), pathlib.Path(stack.folder / ("in the way " + age))
        number = ask(stack, patient)
        erase(stack, 1)  # so that no earlier certificate is missing
        folder.write_text("")
        with stack.superuser() as c:
            before = set(certificates(stack))
            c.execute("ALTER TABLE pgvigil_rights.requests RENAME COLUMN outcome TO away")
            done = erase(stack, patient, "--request", number, reason=False)
            c.execute("ALTER TABLE pgvigil_rights.requests RENAME COLUMN away TO outcome")
            assert done.returncode == 3
            assert c.execute("SELECT count(*) FROM pgvigil_retention.certificates").fetchone()[0] == len(before) + 1
            assert c.execute("SELECT count(*) FROM reminders WHERE patient_id = %s", (patient,)).fetchone() == (0,)
        newest, = set(certificates(stack)) - before
        newest.unlink()
        assert request_of(stack, number) == (False, None)
        again = erase(stack, patient, "--request", number, reason=False)
        assert again.returncode == 0, again.stderr
        assert newest.exists() and json.loads(newest.read_text())["certificate"]["id"] in request_of(stack, number)[1]


def test_killed_at_any_moment_all_is_there_or_certified(stack, take):
    rng = random.Random(SEED)
    killed, erased, kept, attempts = 0, 0, 0, 0
    while killed < KILLS and attempts < 10 * KILLS:
        attempts += 1
        patient, before = take("active"), read(stack)
        name = "erase %d" % attempts
        process = start(stack, patient, name=name)
        with stack.superuser() as c:
            while process.poll() is None and not c.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND query ~ 'ISOLATION|picked|certificates'", (name,)).fetchone()[0]:
                time.sleep(0.002)
        time.sleep(rng.random() * rng.choice((0.005, 0.02, 0.1)))
        killed += process.poll() is None
        process.kill()
        process.communicate(timeout=20)
        with stack.superuser() as c:  # the server ends what was open, or has committed it
            while c.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (name,)).fetchone()[0]:
                time.sleep(0.01)
            certified = c.execute("SELECT count(*) FROM pgvigil_retention.certificates").fetchone()[0]
        after = read(stack)
        if after == before:
            kept += 1
        else:
            assert after == without(before, patient, erase_schema.ERASABLE)
            erased += 1
        done = erase(stack, patient)
        assert done.returncode == (0 if after == before else 1), done.stderr
        with stack.superuser() as c:
            now = c.execute("SELECT count(*) FROM pgvigil_retention.certificates").fetchone()[0]
        assert now == certified + (after == before) and now == len(certificates(stack))
        assert read(stack) == without(before, patient, erase_schema.ERASABLE)
    print("killed %d of %d: %d times all was there, %d times it was erased" % (killed, attempts, kept, erased))
    assert killed >= KILLS and kept > 0


# ---- the archive ----

@pytest.fixture(scope="module")
def moved(stack, take):
    """An archive, to which what is due has gone."""
    cluster = stack.cluster
    name = cluster.create("archive_of_erase", cluster.template(extra_sql=erase_schema.SQL),
                          "TRUNCATE %s;" % ", ".join("public." + t for t in erase_schema.TABLES_ALL))
    words = ["-c", stack.config_file, "--as", stack.dba(), "--archive", cluster.conninfo(name, "postgres", harness.SUPER_PASSWORD), "--apply"]
    stack.command("retention", "init", *words)
    done = stack.command("retention", "archive", *words, check=False)
    assert done.returncode in (0, 1), done.stderr
    with cluster.superuser(name) as c:
        there = [p for p, in c.execute("SELECT id FROM patients ORDER BY id")]
    assert len(there) > 10
    yield name, words[5], there
    cluster.drop(name)


def both(stack, name):
    with stack.superuser() as live, stack.cluster.superuser(name) as archive:
        return erase_schema.rows(live), erase_schema.rows(archive)


def test_what_was_archived_is_erased_there(stack, moved):
    name, conninfo, there = moved
    patient = there[0]
    with stack.superuser() as c:  # she has opened a new account since
        c.execute("INSERT INTO reminders VALUES (%s, 1, %s, 'sms')", (900000 + patient, patient))
    live, archive = both(stack, name)
    alone = erase(stack, patient)
    assert alone.returncode == 1 and "--archive" in alone.stdout and both(stack, name) == (live, archive)
    shown = plan(stack, patient, "--archive", conninfo, "--format", "json")
    assert "NOTICE" not in shown.stderr, shown.stderr
    dry = json.loads(shown.stdout)
    assert [s["where"] for s in dry["sides"]] == ["database", "archive"]
    done = erase(stack, patient, "--archive", conninfo)
    assert done.returncode == 0, done.stderr
    assert both(stack, name) == (without(live, patient, erase_schema.ERASABLE), without(archive, patient, erase_schema.ERASABLE))
    assert len(events(stack, patient, "subject-erase")) == 2


def test_a_hold_made_after_the_move_keeps_what_is_in_the_archive(stack, moved):
    name, conninfo, there = moved
    patient = there[1]
    with stack.superuser() as c:
        c.execute("INSERT INTO reminders VALUES (%s, 1, %s, 'sms')", (900000 + patient, patient))
        c.execute("INSERT INTO legal_holds VALUES (%s, NULL)", (patient,))
        before = both(stack, name)
        assert erase(stack, patient, "--archive", conninfo).returncode == 1 and both(stack, name) == before
        c.execute("DELETE FROM legal_holds WHERE patient_id = %s AND lifted_on IS NULL", (patient,))
    assert erase(stack, patient, "--archive", conninfo).returncode == 0


def test_a_record_that_expires_in_the_archive_goes_wholly_unless_she_came_back(stack, moved):
    name, conninfo, there = moved
    gone, back = there[2], there[3]
    with stack.cluster.superuser(name) as archive, stack.superuser() as live:
        for patient in (gone, back):
            archive.execute("DELETE FROM invoices WHERE patient_id = %s", (patient,))
            archive.execute("UPDATE stays SET admitted_at = '1990-05-05', discharged_at = NULL WHERE patient_id = %s", (patient,))
            archive.execute("UPDATE patients SET birth_date = '1940-01-01' WHERE id = %s", (patient,))
        columns = ", ".join(n for n, in live.execute("SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'patients'::regclass AND attnum > 0"))
        with archive.cursor().copy("COPY (SELECT %s FROM patients WHERE id = %d) TO STDOUT" % (columns, back)) as out:
            data = b"".join(bytes(piece) for piece in out)
        with live.cursor().copy("COPY patients (%s) FROM STDIN" % columns) as into:
            into.write(data)
    before = both(stack, name)
    for patient in (gone, back):
        done = erase(stack, patient, "--archive", conninfo)
        assert done.returncode == 0, done.stderr
    after = both(stack, name)
    assert not erase_schema.of(after[1], gone)
    assert erase_schema.of(after[1], back) == {t: n for t, n in erase_schema.of(before[1], back).items() if t not in erase_schema.ERASABLE}
    assert after[0] == without(without(before[0], back, erase_schema.ERASABLE), gone, erase_schema.ERASABLE)


def test_a_database_that_is_no_archive_is_not_written_to(stack, take):
    patient, before = take("active"), read(stack)
    done = erase(stack, patient, "--archive", stack.dba())
    assert done.returncode == 2 and read(stack) == before
