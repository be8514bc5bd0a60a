"""
What is left as proof when rows of a person went: a certificate that says by which rule, what nobody looked at, and a request that is
settled only when nothing stays. What somebody else has put among the certificates stops nobody's erasure.

Signatures are made and hashes reckoned beside pgvigil, by OpenSSL's program and Python.
"""
import hashlib
import json
import re
import subprocess

import documents
import erase_schema
import harness
import pytest
from meddle import refused_commit
from test_subject_erase import ask, certificates, erase, events, plan, request_of

SQL = erase_schema.SQL
VIEWS = """
CREATE MATERIALIZED VIEW public.reminder_totals AS SELECT patient_id, count(*) AS n FROM public.reminders GROUP BY 1;
CREATE VIEW public.reminder_list AS SELECT id, patient_id FROM public.reminders;
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE public.reminders_elsewhere (id bigint, patient_id bigint) SERVER elsewhere;
GRANT SELECT ON public.reminder_totals, public.reminder_list TO pgvigil_owner;
"""
UNSEEN = """
tables = (
  { name = "public.reminder_totals"; subject = "reminder_totals.patient_id"; columns = { admin = [ "patient_id", "n" ]; }; },
  { name = "public.reminder_list"; subject = "reminder_list.patient_id"; columns = { admin = [ "id", "patient_id" ]; }; },
  { name = "public.reminders_elsewhere"; subject = "reminders_elsewhere.patient_id"; columns = { admin = [ "id", "patient_id" ]; }; },
  { name = "public.nowhere"; subject = "nowhere.patient_id"; columns = { admin = [ "patient_id" ]; }; }
);
"""
KINDS = {"public.reminder_totals": "materialized-view", "public.reminder_list": "view", "public.reminders_elsewhere": "foreign-table", "public.nowhere": "missing"}


@pytest.fixture(scope="module")
def stack(make_stack):
    """Without what nobody looks at; `unseen` has it."""
    made = make_stack(extra_sql=SQL, extra_policy=erase_schema.FILES, config=documents.ORGANISATION)
    with made.superuser() as c:
        c.execute(VIEWS)
        c.execute("DELETE FROM legal_holds; DELETE FROM deaths; UPDATE stays SET admitted_at = now() - interval '1 year', discharged_at = NULL")
    return made


@pytest.fixture(scope="module")
def archive(stack):
    name = stack.cluster.create("archive_of_proof", stack.cluster.template(extra_sql=SQL), "TRUNCATE %s;" % ", ".join("public." + t for t in erase_schema.TABLES_ALL))
    conninfo = stack.cluster.conninfo(name, "postgres", harness.SUPER_PASSWORD)
    stack.command("retention", "init", "-c", stack.config_file, "--as", stack.dba(), "--archive", conninfo, "--apply")
    yield conninfo
    stack.cluster.drop(name)


@pytest.fixture(scope="module")
def take(stack):
    left = iter(range(401, 600))
    return lambda: next(left)


@pytest.fixture
def unseen(stack):
    path = stack.policy / "97-unseen.cfg"
    path.write_text(UNSEEN)
    yield
    path.unlink()


@pytest.fixture
def tidy(stack):
    """What a test puts among the certificates is gone after it."""
    with stack.superuser() as c:
        yield c
        c.execute("DELETE FROM pgvigil_retention.certificates WHERE id LIKE 'foreign%'")


def left(stack, patient, table="reminders"):
    with stack.superuser() as c:
        return c.execute("SELECT count(*) FROM %s WHERE patient_id = %%s" % table, (patient,)).fetchone()[0]


def newest(stack):
    return max((f["certificate"] for f in certificates(stack).values()), key=lambda b: (b["time"], b["id"]))


def of(stack, patient):
    """The certificate that the trail names for the last erasure of a patient."""
    detail = events(stack, patient, "subject-erase")[-1]["detail"]
    return detail, next(f["certificate"] for f in certificates(stack).values() if f["certificate"]["id"] in detail)


# ---- certificates of somebody else ----

def sign(folder, key, body):
    text = folder / "to-sign"
    text.write_bytes(b"pgvigil certificate 1\n" + body.encode())
    return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", str(text)], check=True, stdout=subprocess.PIPE).stdout.hex()


def plant(stack, connection, key, name, **more):
    body = json.dumps(dict({"id": name, "what": "erasure", "time": "2026-01-01T00:00:00Z"}, **more), sort_keys=True, separators=(",", ":"))
    connection.execute("INSERT INTO pgvigil_retention.certificates VALUES (%s, %s, %s)", (name, body, sign(stack.folder, key, body)))


@pytest.fixture(scope="module")
def other_key(stack):
    key = stack.folder / "other.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], check=True)
    return key, subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout"], check=True, stdout=subprocess.PIPE).stdout


def test_a_certificate_of_another_key_is_told_and_stops_nothing(stack, take, tidy, other_key):
    patient, next_one = take(), take()
    erase(stack, take())  # so that the table is there
    plant(stack, tidy, other_key[0], "foreign-1")
    count = len(certificates(stack))
    for one in (patient, next_one):
        done = erase(stack, one)
        assert done.returncode == 1 and done.stderr.count("certificate foreign-1") == 1, done.stderr
        assert left(stack, one) == 0 and "row(s) erased" in done.stdout
    assert len(certificates(stack)) == count + 2 and not (stack.folder / "certificates" / "foreign-1.json").exists()


def test_one_of_an_earlier_key_of_the_trail_is_a_certificate(stack, take, tidy, other_key):
    """The twin: the same text, signed with the same key, which stands in public.pem, as a changed key does."""
    erase(stack, take())
    plant(stack, tidy, other_key[0], "foreign-2")
    public = stack.audit_dir / "public.pem"
    before = public.read_bytes()
    public.write_bytes(other_key[1] + before)
    try:
        patient = take()
        done = erase(stack, patient)
        assert done.returncode == 0 and left(stack, patient) == 0, done.stderr
        path = stack.folder / "certificates" / "foreign-2.json"
        assert stack.command("subject", "verify", path, "--key", public).returncode == 0
        path.unlink()
    finally:
        public.write_bytes(before)


@pytest.mark.parametrize("name", ["foreign name", "../foreign-up", "foreign-" + 70 * "x"])
def test_one_under_no_name_of_pgvigils_is_told_and_stops_nothing(stack, take, tidy, name):
    erase(stack, take())
    tidy.execute("INSERT INTO pgvigil_retention.certificates VALUES (%s, '{}', 'aa')", (name,))
    patient = take()
    try:
        done = erase(stack, patient)
        assert done.returncode == 1 and "under a name that pgvigil gives none" in done.stderr and left(stack, patient) == 0
        assert not (stack.folder / "foreign-up.json").exists()
    finally:
        tidy.execute("DELETE FROM pgvigil_retention.certificates WHERE id = %s", (name,))


def test_a_good_certificate_under_another_name_is_none(stack, take, tidy):
    erase(stack, take())
    tidy.execute("INSERT INTO pgvigil_retention.certificates SELECT 'foreign-3', body, signature FROM pgvigil_retention.certificates LIMIT 1")
    patient = take()
    done = erase(stack, patient)
    assert done.returncode == 1 and "foreign-3" in done.stderr and left(stack, patient) == 0
    assert not (stack.folder / "certificates" / "foreign-3.json").exists()


@pytest.mark.parametrize("content", ["", "{", '{"certificate": {}, "signature": "aa"}'])
def test_another_file_with_a_certificates_name_is_told_and_stays(stack, take, content):
    one, other = take(), take()
    assert erase(stack, one).returncode == 0
    detail, body = of(stack, one)
    path = stack.folder / "certificates" / (body["id"] + ".json")
    good = path.read_text()
    path.write_text(content)
    done = erase(stack, other)
    assert done.returncode == 1 and "%s is there" % path.name in done.stderr and left(stack, other) == 0, done.stderr
    assert path.read_text() == content
    path.write_text(json.dumps(json.loads(good)))  # the same, laid out otherwise
    assert erase(stack, take()).returncode == 0
    path.write_text(good)


# ---- what nobody looks at ----

def test_what_is_no_table_is_named_in_plan_and_certificate(stack, take, unseen):
    patient, plain = take(), take()
    with stack.superuser() as c:
        c.execute("REFRESH MATERIALIZED VIEW reminder_totals")
    english, french = plan(stack, patient).stdout, plan(stack, patient, "--lang", "fr").stdout
    (side,) = json.loads(plan(stack, patient, "--format", "json").stdout)["sides"]
    assert {t["table"]: t["is"] for t in side["not_looked_at"]} == KINDS
    for name in KINDS:
        assert name in english and name in french
    assert "REFRESH MATERIALIZED VIEW afterwards" in english and "vue matérialisée) ; elle garde ce qu’elle a lu" in french
    done = erase(stack, patient)
    assert done.returncode == 0 and "public.reminder_totals (materialized view)" in done.stdout, done.stderr
    _, body = of(stack, patient)
    assert {t["table"]: t["is"] for t in body["not_looked_at"]} == KINDS
    with stack.superuser() as c:
        totals = "SELECT count(*) FROM reminder_totals WHERE patient_id = %s"
        assert c.execute(totals, (patient,)).fetchone() == (1,) and left(stack, patient) == 0
        c.execute("REFRESH MATERIALIZED VIEW reminder_totals")
        assert c.execute(totals, (patient,)).fetchone() == (0,)
    (stack.policy / "97-unseen.cfg").write_text("")
    assert erase(stack, plain).returncode == 0 and of(stack, plain)[1]["not_looked_at"] == [] and "not looked at" not in plan(stack, plain).stdout


# ---- a request ----

def test_of_what_the_law_keeps_the_register_tells_and_people_answer(stack, take, archive):
    patient = take()
    number = ask(stack, patient)
    done = erase(stack, patient, "--request", number, "--archive", archive, reason=False)
    assert done.returncode == 0 and "stays open" in done.stderr and "subject settle --id %s" % number in done.stderr, done.stderr
    closed, outcome = request_of(stack, number)
    _, body = of(stack, patient)
    assert not closed and body["id"] in outcome and "archive" not in outcome
    (side, _) = json.loads(plan(stack, patient, "--archive", archive, "--format", "json").stdout)["sides"]
    assert side["tables"]
    reasons = {t["why_stays"] for t in side["tables"]}
    for reason in reasons:
        wanted = ["%d of %s" % (t["stays"], t["table"]) for t in side["tables"] if t["why_stays"] == reason]
        (group,) = [g for g in re.split(r"(?<=\)), |kept: database: ", outcome) if wanted[0] in g]
        assert group.startswith(", ".join(wanted) + " (") and ("up to and with %s" % side["until"] in group) == (reason == "term"), outcome
    shown = subject_requests(stack, "--lang", "en")
    assert outcome in shown and "request %s noted" % number not in done.stdout
    assert [r["detail"].split(",")[0] for r in events(stack, patient, "request-noted")] == ["request %s noted" % number]
    assert not events(stack, patient, "request-settled")
    stack.command("subject", "settle", "-c", stack.config_file, "--as", stack.dba(), "--id", number, "--outcome", "told")
    assert request_of(stack, number) == (True, "told")


def subject_requests(stack, *more):
    return stack.command("subject", "requests", "-c", stack.config_file, "--as", stack.dba(), *more).stdout


def test_a_request_does_not_spoil_the_json(stack, take):
    patient = take()
    done = erase(stack, patient, "--request", ask(stack, patient), "--format", "json", reason=False)
    assert done.returncode == 0 and json.loads(done.stdout)["applied"], done.stderr


def test_when_nothing_stays_it_is_settled(stack, take, archive):
    """The same patient's rows, past their term: everything goes, everywhere was looked."""
    patient = take()
    with stack.superuser() as c:
        c.execute("UPDATE stays SET admitted_at = '1950-01-01' WHERE patient_id = %s" % patient)
        c.execute("UPDATE patients SET birth_date = '1920-01-01' WHERE id = %s" % patient)
        c.execute("DELETE FROM invoices WHERE patient_id = %s" % patient)
    number = ask(stack, patient)
    done = erase(stack, patient, "--request", number, "--archive", archive, reason=False)
    assert done.returncode == 0, done.stderr
    assert request_of(stack, number) == (True, "erased, certificate %s" % of(stack, patient)[1]["id"])
    assert "Request %s is settled" % number in done.stderr and number not in done.stdout.splitlines()[-1].split()
    again = erase(stack, patient, "--request", number, "--archive", archive, "--format", "json", reason=False)
    assert again.returncode == 0 and request_of(stack, number)[0], again.stderr
    assert len(events(stack, patient, "request-settled")) == 1 and not events(stack, patient, "request-noted")


def expired(stack, patient):
    with stack.superuser() as c:
        c.execute("UPDATE stays SET admitted_at = '1950-01-01' WHERE patient_id = %s" % patient)
        c.execute("UPDATE patients SET birth_date = '1920-01-01' WHERE id = %s" % patient)
        c.execute("DELETE FROM invoices WHERE patient_id = %s" % patient)
    return ask(stack, patient)


def test_an_archive_that_nobody_looked_at_leaves_it_open(stack, take, archive):
    patient = take()
    number = expired(stack, patient)
    assert erase(stack, patient, "--request", number, reason=False).returncode == 0
    closed, outcome = request_of(stack, number)
    assert not closed and outcome.endswith("not looked at: the archive") and "kept" not in outcome
    done = erase(stack, patient, "--request", number, "--archive", archive, reason=False)
    assert done.returncode == 0 and request_of(stack, number)[0], done.stderr


def test_a_row_that_another_refers_to_leaves_it_open_and_is_named(stack, take, archive):
    patient, other = take(), take()
    number = expired(stack, patient)
    with stack.superuser() as c:
        c.execute("INSERT INTO portal_proxies VALUES (%s, %s, %s)", (patient, 1000 + patient, other))
        done = erase(stack, patient, "--request", number, "--archive", archive, "--lang", "fr", reason=False)
        closed, outcome = request_of(stack, number)
        assert done.returncode == 0 and not closed, done.stderr
        assert "1 de public.portal_accounts (une ligne conservée s’y rapporte : public.portal_proxies" in outcome and "effacé, certificat" in outcome
        assert "La demande %s reste ouverte" % number in done.stderr
        c.execute("DELETE FROM portal_proxies WHERE patient_id = %s", (other,))
    assert erase(stack, patient, "--request", number, "--archive", archive, reason=False).returncode == 0
    closed, outcome = request_of(stack, number)
    # Both certificates; with her visits went what said until when the rest is kept: that is not a birthday long ago.
    assert not closed and outcome.count("-") >= 2 and outcome.endswith("kept: database: 1 of public.patients (to be kept, nobody can say until when)"), outcome


def test_a_materialized_view_leaves_it_open(stack, take, archive, unseen):
    patient = take()
    number = expired(stack, patient)
    assert erase(stack, patient, "--request", number, "--archive", archive, reason=False).returncode == 0
    closed, outcome = request_of(stack, number)
    assert not closed and "public.reminder_totals (materialized view)" in outcome and "public.reminder_list" not in outcome


def test_a_certificate_that_nobody_signed_answers_no_request(stack, take, archive, tidy, other_key):
    patient = take()
    number = expired(stack, patient)
    erase(stack, patient, "--archive", archive)
    plant(stack, tidy, other_key[0], "foreign-4", request=number)
    done = erase(stack, patient, "--request", number, "--archive", archive, reason=False)
    assert done.returncode == 1 and request_of(stack, number) == (False, None), done.stderr


# ---- by which rule ----

def digest(rule):
    return hashlib.sha256(json.dumps(rule, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def test_the_certificate_has_the_rule_and_the_trail_its_hash(stack, take):
    patient = take()
    assert plan(stack, patient).returncode == 1
    assert erase(stack, patient).returncode == 0
    detail, body = of(stack, patient)
    rule = body["rule"]
    assert rule["subjects"]["public.reminders"] == "reminders.patient_id" and rule["erasable"] == sorted(rule["erasable"])
    assert sorted(rule["erasable"]) == sorted("public." + t for t in erase_schema.ERASABLE) and rule["except"] == ["public.invoices"]
    assert [rule[k] for k in ("active_years", "archive_years", "minor_years", "death_years")] == [5, 15, 28, 10]
    assert rule["people"] == "public.patients" and "lifted_on IS NULL" in rule["hold"] and "died_on" in rule["death"]
    assert set(rule["subjects"]) == {"public." + t for t in erase_schema.TABLES_ALL}
    assert body["rule_sha256"] == digest(rule) and "rule " + digest(rule) in detail
    assert "rule " + digest(rule) in events(stack, patient, "subject-erase-plan")[-1]["detail"]


@pytest.mark.parametrize("old,new", [
    ('name = "public.contacts"; subject = "contacts.patient_id"; erasable = true;', 'name = "public.contacts"; subject = "contacts.patient_id";'),
    ('except = [ "public.invoices" ]', 'except = [ "public.invoices", "public.documents" ]'),
    ("AND h.lifted_on IS NULL)", "AND h.lifted_on IS NULL AND true)")])
def test_another_rule_has_another_hash_and_another_comment_has_not(stack, take, old, new):
    path = stack.policy / "95-erase.cfg"
    text = path.read_text()
    assert text.count(old) == 1
    one, other, third = take(), take(), take()
    assert erase(stack, one).returncode == 0
    first = of(stack, one)[1]
    try:
        path.write_text("# a comment\n" + text)
        assert erase(stack, other).returncode == 0
        assert of(stack, other)[1]["rule_sha256"] == first["rule_sha256"]
        path.write_text(text.replace(old, new))
        assert erase(stack, third).returncode == 0
        assert of(stack, third)[1]["rule_sha256"] != first["rule_sha256"] and of(stack, third)[1]["rule"] != first["rule"]
    finally:
        path.write_text(text)


# ---- in which words it fails ----

@pytest.mark.parametrize("state,again", [("40001", True), ("40P01", True), ("23514", False), ("40002", False)])
def test_a_conflict_at_the_commit_says_to_run_it_again(stack, take, state, again):
    patient = take()
    with stack.superuser() as c, refused_commit(c, "reminders", state):
        for lang, words in (("en", "run it again"), ("fr", "relancez la commande")):
            done = erase(stack, patient, "--lang", lang)
            assert done.returncode == 3 and left(stack, patient) == 2 and state in done.stderr, done.stderr
            assert (words in done.stderr) == again and "a value of hers" not in done.stderr, done.stderr
    assert len(events(stack, patient, "subject-erase-undone")) == 2
    assert erase(stack, patient).returncode == 0 and left(stack, patient) == 0


def test_a_conflict_at_the_settlement_says_to_run_it_again(stack, take):
    """The rows are gone by then, and the next run notes it."""
    patient = take()
    number = ask(stack, patient)
    with stack.superuser() as c:
        c.execute("CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'x' USING ERRCODE = '40P01'; END $$;"
                  "CREATE TRIGGER clash BEFORE UPDATE ON pgvigil_rights.requests FOR EACH ROW EXECUTE FUNCTION clash()")
        try:
            english = erase(stack, patient, "--request", number, reason=False)
            french = erase(stack, patient, "--request", number, "--lang", "fr", reason=False)
        finally:
            c.execute("DROP TRIGGER clash ON pgvigil_rights.requests; DROP FUNCTION clash()")
    assert english.returncode == 3 and "run it again" in english.stderr and left(stack, patient) == 0
    assert french.returncode == 3 and "relancez la commande" in french.stderr
    assert erase(stack, patient, "--request", number, reason=False).returncode == 0 and "erased, certificate" in request_of(stack, number)[1]


def test_what_is_refused_is_told_in_the_language_asked_for(stack, take):
    patient = take()
    told = {}
    for lang in ("en", "fr"):
        told[lang] = [erase(stack, patient, "--lang", lang, reason=False).stderr,
                      erase(stack, patient, "--lang", lang, people=("audit1", "audit1")).stderr,
                      erase(stack, patient, "--lang", lang, people=("audit1", "nurse1")).stderr,
                      erase(stack, patient, "--lang", lang, passwords=("audit1-demo", "guess")).stderr,
                      erase(stack, 987654, "--lang", lang).stderr,
                      erase(stack, patient, "--lang", lang, "--archive", stack.dba()).stderr,
                      erase(stack, patient, "--lang", lang, "--request", "98765", reason=False).stderr]
    assert left(stack, patient) == 2
    for number, word in enumerate(("il manque --reason", "la même personne", "ne peut pas effacer", "mot de passe", "il n’y a rien sur le patient", "la base elle-même", "il n’y a pas de demande")):
        assert word in told["fr"][number] and word not in told["en"][number] and told["en"][number], told["fr"][number]
    assert all(not any(w in text for w in (" the ", " is ", "nothing")) for text in told["fr"]), told["fr"]
    done = erase(stack, patient, "--lang", "fr")
    assert done.returncode == 0 and "ligne(s) effacée(s)" in done.stdout and "rows" not in done.stdout + done.stderr
