"""
`pgvigil minimise`: what it calls unused against what pgvigil and PostgreSQL let each person do, asked column by column, less what this
test's own statements used; the diff applied with patch(1), loaded, deployed, and the same statements run again.
"""
import datetime
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import documents
import harness
import minimise_policy as odd
import psycopg
import pytest
import trails

# The guards' owner may do what the policy says.
RIGHTS = "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO pgvigil_owner;"

N, P, R = ("nurse", "care"), ("physician", "care"), ("receptionist", "admission")

# (pair, statement, {table: {right: columns}})
STATEMENTS = [
    (N, "SELECT id, family_name FROM patients WHERE birth_date > '1950-01-01' ORDER BY id", {"public.patients": {"read": "id family_name birth_date"}}),
    (N, "SELECT p.family_name, s.bed FROM patients p JOIN stays s ON s.patient_id = p.id ORDER BY s.id", {"public.patients": {"read": "family_name id"}, "public.stays": {"read": "bed patient_id id"}}),
    (N, "SELECT w.id, (SELECT count(*) FROM patients p WHERE p.ward_id = w.id) FROM wards w ORDER BY 1", {"public.wards": {"read": "id"}, "public.patients": {"read": "ward_id"}}),
    (N, "INSERT INTO observations (id, patient_id, stay_id, taken_on, taken_at, practitioner, loinc, label, value, unit) "
        "SELECT 900001, patient_id, id, '2024-01-02', '2024-01-02', '10000000017', '8867-4', 'pulse', 60, '/min' FROM stays WHERE id = 1",
     {"public.observations": {"insert": "id patient_id stay_id taken_on taken_at practitioner loinc label value unit"}, "public.stays": {"read": "patient_id id"}}),
    (N, "UPDATE patients SET phone = '0102030405' WHERE id = 2", {"public.patients": {"update": "phone", "read": "id"}}),
    (N, "SELECT nir IS NULL FROM patients ORDER BY id LIMIT 1", {"public.patients": {"read": "nir id"}}),
    (N, "SELECT count(*) FROM appointments", {"public.appointments": {}}),
    (P, "SELECT id, allergies FROM patients WHERE id < 9 ORDER BY id", {"public.patients": {"read": "id allergies"}}),
    (P, "SELECT * FROM stays ORDER BY id LIMIT 3", {"public.stays": {"read": "id patient_id ward_id bed admitted_at discharged_at attending reason diagnosis diagnosis_label"}}),
    (P, "WITH x AS (SELECT dose FROM prescriptions) SELECT count(DISTINCT dose) FROM x", {"public.prescriptions": {"read": "dose"}}),
    (P, "INSERT INTO prescriptions (id, patient_id, stay_id, prescriber, starts_on, atc, label, dose, route) SELECT 900001, patient_id, id, '10000000017', '2024-01-02', 'N02BE01', 'x', '1 g', 'oral' FROM stays WHERE id = 1",
     {"public.prescriptions": {"insert": "id patient_id stay_id prescriber starts_on atc label dose route"}, "public.stays": {"read": "patient_id id"}}),
    (R, "SELECT family_name FROM patients WHERE id = 3", {"public.patients": {"read": "family_name id"}}),
    (R, "SELECT ward_id, count(*) FROM stays GROUP BY 1 ORDER BY 1", {"public.stays": {"read": "ward_id"}}),
    (R, "SELECT extract(year from birth_date) FROM patients WHERE id = 3", {"public.patients": {"read": "birth_date id"}}),
]


def used():
    all_of = odd.Used()
    for pair, _, tables in STATEMENTS:
        for table, rights in tables.items():
            for right, columns in rights.items():
                all_of.add(pair, table, right, columns)
    return all_of.all


def run_all(stack):
    """Every statement on a session of its own, as bytes."""
    answers = []
    for pair, sql, _ in STATEMENTS:
        with stack.connect(odd.PEOPLE[pair], role=pair[0], mission=pair[1]) as c:
            result = c.pgconn.exec_(sql.encode())
            rows = [[result.get_value(i, k) for k in range(result.nfields)] for i in range(result.ntuples)]
            answers.append((result.status, result.error_message, result.command_status, rows))
    return answers


class Scene:
    def __init__(self, make_stack, folder):
        self.policy = odd.make(folder)
        self.probe = make_stack(policy_dir=self.policy, changes={"records": RIGHTS})
        self.tables = odd.tables_of(self.probe)
        self.before = odd.granted(self.probe, self.tables)
        self.stack = make_stack(policy_dir=self.policy, changes={"records": RIGHTS})
        self.answers = run_all(self.stack)
        self.catalog = self.stack.folder / "catalog.cfg"
        self.stack.command("check", "-c", self.stack.config_file, "--database", "records", "--as", self.stack.dba(), "--save-catalog", self.catalog, check=False)
        self.report = odd.report(self.stack, "--catalog", self.catalog, code=1)
        self.smaller = folder / "smaller"
        shutil.copytree(self.policy, self.smaller)
        (folder / "one.diff").write_text(self.report["diff"], encoding="utf-8")
        self.patch = subprocess.run(["patch", "-p1", "--fuzz=0", "-i", folder / "one.diff"], cwd=self.smaller, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.after_stack = make_stack(policy_dir=self.smaller, changes={"records": RIGHTS})
        self.answers_after = run_all(self.after_stack)
        self.after = odd.granted(self.after_stack, self.tables)


@pytest.fixture(scope="module")
def scene(make_stack, tmp_path_factory):
    return Scene(make_stack, tmp_path_factory.mktemp("minimise"))


def expected_unused(scene):
    """What is given less what was used, by what this file knows alone."""
    taken = used()
    # What is written is read, as far as rights go; a default may be needed where rows are inserted.
    taken |= {(pair, table, "read", column) for pair, table, right, column in taken if right in ("insert", "update")}
    for pair, table in {(pair, table) for pair, table, right, _ in taken if right == "insert"}:
        taken |= {(pair, table, "read", column) for column in odd.defaults_of(scene.stack, table)}
    kept = {("auditor", "audit")}
    return {right for right in scene.before - taken if right[0] not in kept}


def test_what_is_unused_is_what_is_given_less_what_was_used(scene):
    found = odd.told(scene.report, scene.before)
    expected = expected_unused(scene)
    # Of a table whose rows were only counted one column stays, or the count would fail.
    counted = {right for right in expected if right[:3] == (N, "public.appointments", "read")}
    missing = expected - set(found)
    assert set(found) <= expected and missing <= counted and len(missing) == 1, (sorted(set(found) - expected), sorted(missing))
    assert len(found) > 100


def test_what_is_said_to_be_cut_is_refused_and_nothing_else(scene):
    cut = {right for right, is_cut in odd.told(scene.report, scene.before).items() if is_cut}
    assert scene.after == scene.before - cut and len(cut) > 60, (sorted(scene.before - cut - scene.after), sorted(scene.after - (scene.before - cut)))


def test_what_was_used_still_answers_byte_for_byte(scene):
    assert all(status in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK) for status, *_ in scene.answers), scene.answers
    assert scene.answers_after == scene.answers


def test_patch_applies_without_fuzz_and_the_policy_loads(scene):
    assert scene.patch.returncode == 0 and "fuzz" not in scene.patch.stdout and "offset" not in scene.patch.stdout, scene.patch.stdout
    config = scene.stack.folder / "smaller.cfg"
    config.write_text(scene.stack.config_file.read_text(encoding="utf-8").replace('policy = "policy"', 'policy = "%s"' % scene.smaller), encoding="utf-8")
    assert scene.stack.command("check", "-c", config, check=False).returncode == 0
    diff = json.loads(scene.stack.command("diff", "--json", scene.policy, scene.smaller, check=False).stdout)
    assert {d["direction"] for d in diff["changes"]} == {"loss"}


def test_diff_is_what_diff_itself_finds(scene):
    """The changed files and lines are those that diff(1) tells, and each line of the proposal stands in the files."""
    done = subprocess.run(["diff", "-ru", scene.policy, scene.smaller], stdout=subprocess.PIPE, text=True)
    def changed(text):
        return sorted(line for line in text.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---"))
    assert changed(done.stdout) == changed(scene.report["diff"]) and changed(done.stdout)


def test_comments_and_layout_stay(scene):
    """Every comment is still there but those inside a rule or a list that went; what is not cut is not touched."""
    for name in ("40 care.cfg", "shared/office rules.inc", "shared/medical.inc"):
        before, after = ((d / name).read_text(encoding="utf-8") for d in (scene.policy, scene.smaller))
        for comment in ('{ roles = [ "nobody" ]; } in a comment is no rule. */', '# A nurse ("{ [ (" in a comment changes nothing)', "/* no semicolon behind it */", "// two strings are one",
                        "# keys", "/* The end, without a line end. */", "# Included at the top: a document of its own.", "# What is known of the body.", "# She notes observations."):
            assert (comment in before) == (comment in after), comment
    untouched = set(p.name for p in scene.policy.glob("*.cfg")) - {"30-missions-roles.cfg", "40 care.cfg", "42-rules-research.cfg"}
    for name in untouched:
        assert (scene.policy / name).read_bytes() == (scene.smaller / name).read_bytes()
    assert (scene.smaller / "40 care.cfg").read_text(encoding="utf-8").endswith("/* The end, without a line end. */")


def test_rules_that_serve_several_are_cut_only_where_none_uses_them(scene):
    by_hand = {(o["role"], o["mission"], o.get("table"), o["right"], o.get("column")): o for o in scene.report["unused"] if not o["cut"]}
    # The rule for patients serves nurses and physicians: one reads allergies, the other names.
    one = by_hand["nurse", "care", "public.patients", "read", "allergies"]
    assert one["by_hand"] == "shared" and (one["used_by"]["role"], one["used_by"]["mission"]) == P and one["rule"].startswith("40 care.cfg:")
    assert by_hand["physician", "care", "public.patients", "read", "family_name"]["used_by"]["role"] == "nurse"


def test_rare_missions_are_left_as_they_are(scene):
    kept = {(k["role"], k["mission"]): k["why"] for k in scene.report["kept"]}
    assert kept[("nurse", "emergency")] == kept[("physician", "emergency")] == "break_glass" and kept[("auditor", "audit")] == "purpose"
    assert (scene.smaller / "43-rules-emergency.cfg").read_bytes() == (scene.policy / "43-rules-emergency.cfg").read_bytes()
    assert {r for r in scene.before if r[0] == ("auditor", "audit")} == {r for r in scene.after if r[0] == ("auditor", "audit")} != set()


def test_a_mission_that_was_never_entered_goes_from_the_role(scene):
    assert {"role": "physician", "mission": "research", "right": "mission", "cut": True} in scene.report["unused"]
    with pytest.raises(psycopg.Error):
        scene.after_stack.connect("dr.martin", mission="research").close()
    with scene.stack.connect("dr.martin") as c:
        assert c.execute("SHOW pgvigil.mission").fetchone() == ("care",)


def test_rows_are_told_as_the_records_have_them(scene):
    rows = {(r["role"], r["mission"]): r for r in scene.report["rows"]}
    with scene.stack.superuser() as c:
        (patients,) = c.execute("SELECT count(*) FROM patients").fetchone()
    assert rows[N]["patients"] == patients and rows[R]["patients_exact"] is False
    assert rows[R]["every_patient_of"] == ["public.patients", "public.stays"] and "public.stays" not in rows[N]["every_patient_of"]


def test_a_second_run_has_nothing_more_to_cut(scene):
    again = odd.report(scene.stack, "--catalog", scene.catalog, policy=scene.smaller, code=0)
    assert again["diff"] == "" and not [o for o in again["unused"] if o["cut"]]


def test_without_a_catalog_no_relation_is_closed(scene, tmp_path):
    """A child follows its parent's rule, and a view shows what its tables do: files alone cannot tell what closing would open."""
    plain = odd.report(scene.stack, code=1)
    shutil.copytree(scene.policy, tmp_path / "policy")
    assert subprocess.run(["patch", "-p1"], input=plain["diff"], cwd=tmp_path / "policy", stdout=subprocess.PIPE, text=True).returncode == 0
    changes = json.loads(scene.stack.command("diff", "--json", scene.policy, tmp_path / "policy", check=False).stdout)["changes"]
    assert {(c["role"], c["mission"]) for c in changes if c["kind"] == "relation"} == {("physician", "research")}
    assert {c["direction"] for c in changes} == {"loss"} and [o for o in plain["unused"] if o.get("by_hand") == "shared"]
    lost = odd.told(plain, scene.before)
    assert {r for r, cut in lost.items() if cut} <= set(odd.told(scene.report, scene.before))


def test_diff_alone_goes_into_patch(scene, tmp_path):
    done = scene.stack.command("minimise", "-c", scene.stack.config_file, "--short-trail", "--catalog", scene.catalog, "--diff", check=False)
    assert done.returncode == 1 and done.stdout == scene.report["diff"]
    shutil.copytree(scene.policy, tmp_path / "policy")
    applied = subprocess.run(["patch", "-p1"], input=done.stdout, cwd=tmp_path / "policy", stdout=subprocess.PIPE, text=True)
    assert applied.returncode == 0 and (tmp_path / "policy" / "40 care.cfg").read_bytes() == (scene.smaller / "40 care.cfg").read_bytes()
    out = tmp_path / "out.diff"
    scene.stack.command("minimise", "-c", scene.stack.config_file, "--short-trail", "--catalog", scene.catalog, "--diff", "-o", out, check=False)
    assert out.read_text(encoding="utf-8") == done.stdout and out.stat().st_mode & 0o777 == 0o600


def test_text_is_french_or_english_and_names_places(scene):
    english = scene.stack.command("minimise", "-c", scene.stack.config_file, "--short-trail", "--catalog", scene.catalog, "--lang", "en", check=False).stdout
    french = scene.stack.command("minimise", "-c", scene.stack.config_file, "--short-trail", "--catalog", scene.catalog, "--lang", "fr", check=False).stdout
    assert re.match(r"Granted and not used since \d{4}-\d\d-\d\d \(days: 90\)\n", english) and "never touched" in english and "(40 care.cfg:" in english
    assert re.match(r"Accordé et non utilisé depuis le \d{4}-\d\d-\d\d \(jours : 90\)\n", french) and "jamais consultée" in french and "never" not in french.split("---")[0]
    assert english[english.index("--- a/"):] == french[french.index("--- a/"):] == scene.report["diff"]


def test_what_is_asked_to_be_kept_is(scene):
    kept = odd.report(scene.stack, "--catalog", scene.catalog, "--keep", "nurse/care,/research")
    assert not [o for o in kept["unused"] if (o["role"], o["mission"]) == N or o["mission"] == "research"]
    assert {(k["role"], k["mission"]) for k in kept["kept"] if k["why"] == "asked"} == {N, ("physician", "research"), ("researcher", "research")}
    assert "30-missions-roles.cfg" not in kept["diff"] and "42-rules" not in kept["diff"]


def test_what_the_older_policy_did_not_give_is_too_young(scene, tmp_path):
    """--was: the nurses' right to delete observations, and the biller's mission, came after it."""
    was = tmp_path / "was"
    shutil.copytree(scene.policy, was)
    care = (was / "40 care.cfg").read_text(encoding="utf-8")
    assert care.count("delete  = true; },") == 1
    (was / "40 care.cfg").write_text(care.replace("delete  = true; },", "},"), encoding="utf-8")
    deletes = [o for o in scene.report["unused"] if o["right"] == "delete" and o["role"] == "nurse" and o["table"] == "public.observations"]
    assert len(deletes) == 1 and deletes[0]["cut"]
    later = odd.report(scene.stack, "--catalog", scene.catalog, "--was", was)
    assert not [o for o in later["unused"] if o["right"] == "delete" and o["table"] == "public.observations"]
    assert "delete  = false" in scene.report["diff"] and "delete  = false" not in later["diff"]


# ---- what the trail does not tell ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sql, why", [
    ("SELECT id FROM observations WHERE id = 1 FOR UPDATE", "SELECT"), ("SELECT id FROM observations WHERE id = 1 FOR SHARE", "SELECT"),
    ("INSERT INTO observations (id, patient_id, stay_id, taken_on, taken_at, practitioner, loinc, label, value, unit) SELECT 1, 1, 1, '2024-01-02', '2024-01-02', '10000000017', '8867-4', 'pulse', 60, '/min' WHERE false "
     "ON CONFLICT (id, taken_on) DO NOTHING", "INSERT"), ("LOCK TABLE observations IN ACCESS SHARE MODE", None),
    ("PREPARE p AS SELECT value FROM observations; EXECUTE p", "EXECUTE"),
    ("SELECT b FROM observations x(a, b) LIMIT 1", "SELECT"), ("SELECT a FROM (observations o JOIN (SELECT 1 AS one) p ON true) AS j(a) LIMIT 1", "SELECT"),
    ("SELECT id FROM observations NATURAL JOIN (SELECT 'x' AS unit, 1 AS more) o", "SELECT"),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT b FROM observations x(a, b)", "DECLARE CURSOR"),
    ("WITH gone AS (DELETE FROM observations WHERE id = -1 RETURNING id) SELECT id FROM gone", "SELECT")], ids=["for update", "for share", "on conflict", "lock", "execute", "aliases", "aliases of a join", "natural join", "cursor", "with"])
def test_what_needs_more_than_it_names_keeps_the_relation_whole(make_stack, tmp_path, sql, why):
    policy = odd.make(tmp_path)
    stack = make_stack(policy_dir=policy, changes={"records": RIGHTS})
    with stack.connect("nurse1") as c:
        try:
            c.execute(sql)
        except psycopg.Error:
            assert why is None  # refused: it used nothing
    found = odd.report(stack)
    unused = [o for o in found["unused"] if o["role"] == "nurse" and o.get("table") == "public.observations"]
    kept = [k for k in found["kept"] if k.get("table") == "public.observations"]
    if why is None:
        assert unused and not kept
    else:
        assert not unused and [k["detail"] for k in kept] == [why], (unused, kept)


def test_columns_that_are_taken_by_place_stay_the_ones_they_were(make_stack, tmp_path):
    """x(a, b): the second column that is shown. With another one cut, b would be a column that nobody meant to read."""
    asked = ["SELECT b::text FROM patients x(a, b) ORDER BY a LIMIT 3", "SELECT count(*) FROM patients NATURAL JOIN (SELECT 'x' AS phone, 1 AS more) o"]
    def answers(stack):
        with stack.connect("reception1", role=R[0], mission=R[1]) as c:
            return [c.execute(sql).fetchall() for sql in asked]
    stack = make_stack(policy_dir=odd.make(tmp_path))
    before = answers(stack)
    with stack.connect("nurse1") as c:  # its twin: names of things that are no columns of a table
        c.execute("SELECT g.n, d.id FROM documents d, generate_series(1, 2) g(n), (SELECT 1) s(one) LIMIT 1")
    path = stack.folder / "catalog.cfg"
    stack.command("check", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), "--save-catalog", path, check=False)
    found = odd.report(stack, "--catalog", path, code=1)
    assert not [o for o in found["unused"] if o["role"] == "receptionist" and o.get("table") == "public.patients" and o["right"] == "read"]
    assert [o for o in found["unused"] if o["role"] == "nurse" and o.get("table") == "public.documents" and o.get("column") == "title"]
    shutil.copytree(stack.policy, tmp_path / "smaller")
    assert subprocess.run(["patch", "-p1"], input=found["diff"], cwd=tmp_path / "smaller", stdout=subprocess.PIPE, text=True).returncode == 0
    assert answers(make_stack(policy_dir=tmp_path / "smaller")) == before


def test_a_cursor_reads_what_it_names(make_stack, tmp_path):
    stack = make_stack(policy_dir=odd.make(tmp_path))
    with stack.connect("nurse1") as c:
        c.execute("DECLARE c CURSOR WITH HOLD FOR SELECT value FROM observations WHERE unit = 'x'")
        c.execute("FETCH ALL FROM c")
    read = {o["column"] for o in odd.report(stack)["unused"] if o["role"] == "nurse" and o.get("table") == "public.observations" and o["right"] == "read"}
    assert read and read.isdisjoint({"value", "unit"}) and {"id", "label", "loinc"} <= read


def test_what_is_read_through_a_view_is_used(make_stack, tmp_path):
    policy = odd.make(tmp_path)
    stack = make_stack(policy_dir=policy)
    with stack.connect("nurse1") as c:
        assert c.execute("SELECT count(*) FROM patient_stays").fetchone()
    catalog = stack.folder / "catalog.cfg"
    stack.command("check", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), "--save-catalog", catalog, check=False)
    with_catalog = odd.report(stack, "--catalog", catalog)
    assert not [o for o in with_catalog["unused"] if o["role"] == "nurse" and o.get("table") in ("public.patients", "public.stays")]
    assert [o for o in with_catalog["unused"] if o["role"] == "nurse" and o.get("table") == "public.documents"]
    # Without it nobody knows what the view is made of.
    without = odd.report(stack)
    assert not [o for o in without["unused"] if o["role"] == "nurse"]
    assert [k for k in without["kept"] if k["role"] == "nurse" and k["why"] == "not_told" and k["detail"] == "public.patient_stays"]


def test_a_refused_statement_is_no_use(make_stack, tmp_path):
    policy = odd.make(tmp_path)
    stack = make_stack(policy_dir=policy)
    with stack.connect("nurse1") as c:
        with pytest.raises(psycopg.Error):
            c.execute("SELECT title FROM documents JOIN staff_salaries ON true")
        c.execute("SELECT id FROM documents LIMIT 1")
    found = odd.report(stack)
    assert [o for o in found["unused"] if o.get("table") == "public.documents" and o.get("column") == "title"]
    assert not [o for o in found["unused"] if o["role"] == "nurse" and o.get("table") == "public.documents" and o.get("column") == "id"]


# ---- is the trail enough? -------------------------------------------------------------------------------------------------------

def stamp(days):
    return (datetime.datetime(2026, 11, 1) - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def clinic(tmp_path):
    """The clinic's policy and configuration, without a database."""
    practice = documents.Practice(tmp_path)
    shutil.rmtree(practice.trail, ignore_errors=True)
    practice.trail.mkdir()
    return practice


def statement(chain, days, pair, table, shown, **more):
    schema, name = table.split(".")
    chain.line(stamp(days), "whole", session=1, person="x", login="x", role=pair[0], mission=pair[1], statement="SELECT", decision="allow", sql="SELECT $1",
               relations=[dict(schema=schema, name=name, shown=shown, masked=[])], rows=1, **more)


@pytest.fixture(scope="module")
def generation(tmp_path_factory):
    """Of the clinic's policy."""
    return clinic(tmp_path_factory.mktemp("generation")).run("check")[1].split("generation ")[1].split(",")[0]


def start(chain, days, generation):
    chain.line(stamp(days), "event", event="start", detail="0.1.0, policy generation %s in force" % generation)


def end(chain, days=1):
    chain.sign(stamp(days))
    chain.close()


def began(practice, generation, days=400, number=0, **told):
    """A chain that begins so many days ago, under the policy."""
    chain = trails.Signed(practice.trail, number, practice.folder, **told)
    chain.file(stamp(days))
    start(chain, days - 1, generation)
    return chain


def old_trail(tmp_path, generation, loaded=None, days=400, first_file=1):
    practice = clinic(tmp_path)
    chain = trails.Signed(practice.trail, 0, tmp_path)
    if first_file > 1:  # what came before is archived
        chain.number, chain.seq, chain.prev = first_file - 1, 5000, "ab" * 32
    chain.file(stamp(days))
    start(chain, days - 1, generation)
    if loaded is not None:
        chain.line(stamp(loaded[0]), "event", event="reload", detail="policy generation %s in force" % loaded[1])
    statement(chain, min(200, days - 2), N, "public.patients", ["phone"])
    statement(chain, min(95, days - 2), N, "public.patients", ["email"])
    statement(chain, 5, N, "public.patients", ["id"])
    end(chain)
    return practice


def minimise(practice, *args):
    return practice.run("minimise", "--until", "2026-11-01T00:00:00Z", *args, practice.trail)


def test_only_the_days_that_were_asked_for_count(tmp_path, generation):
    practice = old_trail(tmp_path, generation)
    def unused(days):
        code, out, err = minimise(practice, "--days", str(days), "--json")
        assert code == 1, err
        return {o["column"] for o in json.loads(out)["unused"] if o["role"] == "nurse" and o.get("table") == "public.patients" and o["right"] == "read"} & {"id", "phone", "email"}
    assert unused(90) == {"phone", "email"} and unused(100) == {"phone"} and unused(300) == set()


@pytest.mark.parametrize("days, first_file, loaded, words", [
    (30, 1, None, "reaches back to"), (400, 7, None, None), (80, 7, None, "reaches back to"), (400, 1, (60, "same"), None),
    (400, 1, (60, "other"), "loaded last is another"), (89, 1, None, "reaches back to")], ids=str)
def test_too_short_a_trail_or_too_young_a_policy_proposes_nothing(tmp_path, generation, days, first_file, loaded, words):
    loaded = loaded and (loaded[0], generation if loaded[1] == "same" else "0badcafe")
    practice = old_trail(tmp_path, generation, loaded, days, first_file)
    if first_file > 1:
        assert "archived elsewhere" in subprocess.run([harness.binary(), "audit", "verify", practice.trail], stdout=subprocess.PIPE, text=True).stdout
    code, out, err = minimise(practice, "--json")
    if words is None:
        assert code == 1 and json.loads(out)["policy_in_force"] == stamp(399), err
        return
    assert code == 3 and words in err and out == ""
    code, out, err = minimise(practice, "--json", "--short-trail")
    assert code == 1 and json.loads(out)["diff"], err


def test_a_policy_that_was_changed_in_the_period_is_young(tmp_path, generation):
    practice = old_trail(tmp_path, "0badcafe", (60, generation))
    code, out, err = minimise(practice)
    assert code == 3 and out == "" and "in force since " + stamp(60) in err and "--was" in err
    assert minimise(practice, "--days", "50")[0] == 1
    assert minimise(practice, "--was", practice.policy)[0] == 1


def test_purged_records_are_missed(tmp_path, generation):
    """care_years = 1: what was used before is not on record any longer, and the trail is whole all the same."""
    practice = documents.Practice(tmp_path, audit="retention = { technical_days = 365; care_years = 1; };")
    practice.trail.mkdir()
    shutil.copy(tmp_path / "audit.pem", tmp_path / "trail.pem")
    chain = began(practice, generation, 900)
    statement(chain, 395, N, "public.patients", ["phone"])
    chain.sign(stamp(394))
    chain.file(stamp(393))
    statement(chain, 20, N, "public.patients", ["id"])
    end(chain)
    def phone(*args):
        code, out, err = minimise(practice, "--days", "400", "--json", *args)
        assert code == 1, err
        return "phone" in {o.get("column") for o in json.loads(out)["unused"] if o["role"] == "nurse" and o.get("table") == "public.patients" and o["right"] == "read"}
    assert not phone()
    assert subprocess.run([harness.binary(), "audit", "purge", "-c", practice.config, "--yes"], stdout=subprocess.DEVNULL).returncode == 0
    code, out, err = minimise(practice, "--days", "400", "--was", practice.policy)
    assert code == 3 and out == "" and "reaches back to " + stamp(395) in err, err
    assert phone("--short-trail") and minimise(practice, "--days", "390", "--was", practice.policy)[0] == 1


def test_a_chain_that_begins_later_is_missed(tmp_path, generation):
    practice = clinic(tmp_path)
    for number, days in ((0, 60), (1, 400)):
        chain = began(practice, generation, days, number)
        statement(chain, 20, N, "public.patients", ["id"])
        end(chain)
    code, out, err = minimise(practice)
    assert code == 3 and out == "" and "reaches back to " + stamp(60) in err, err
    assert minimise(practice, "--days", "50")[0] == 1


@pytest.mark.parametrize("detail", [None, "0.1.0", "0.1.0, policy generation %s in force"], ids=["no start", "no generation", "generation"])
def test_a_trail_that_does_not_tell_of_the_policy_proposes_nothing(tmp_path, generation, detail):
    """The policy that lies there may be of this morning."""
    practice = clinic(tmp_path)
    chain = trails.Signed(practice.trail, 0, tmp_path)
    chain.file(stamp(400))
    statement(chain, 399, N, "public.patients", ["id"])
    if detail:
        chain.line(stamp(398), "event", event="start", detail=detail.replace("%s", generation))
    statement(chain, 20, N, "public.patients", ["id"])
    end(chain)
    code, out, err = minimise(practice)
    if detail and "generation" in detail:
        assert code == 1 and "--- a/" in out, err
    else:
        assert code == 3 and out == "" and "in force since an unknown day" in err, err
        assert minimise(practice, "--was", practice.policy)[0] == minimise(practice, "--short-trail")[0] == 1


def test_a_trail_that_is_not_whole_proposes_nothing(tmp_path, generation):
    practice = old_trail(tmp_path, generation)
    assert minimise(practice)[0] == 1
    (path,) = practice.trail.glob("audit-0-*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    code, out, err = minimise(practice)
    assert code == 3 and out == "" and "not whole" in err and "missing" in err


@pytest.mark.parametrize("ended, fine", [(150, False), (1.1, False), (1, True), (0, True)], ids=str)
def test_a_trail_that_ends_before_the_days_do_proposes_nothing(tmp_path, generation, ended, fine):
    """Since its end people may have used anything."""
    practice = clinic(tmp_path)
    chain = began(practice, generation)
    statement(chain, 200, N, "public.patients", ["phone"])
    end(chain, ended)
    code, out, err = minimise(practice)
    if fine:
        assert code == 1 and "--- a/" in out, err
    else:
        assert code == 3 and out == "" and "the trail ends at " + stamp(ended) in err and "--short-trail" in err, err
        assert minimise(practice, "--days", "300")[0] == 3  # nor with days that do have uses
        assert minimise(practice, "--short-trail")[0] == 1
        until = stamp(ended)[:19] + "Z"
        assert practice.run("minimise", "--until", until, practice.trail)[0] == 1
    # The record of this very read, in a chain of the readers', is no end of the trail.
    assert list(practice.trail.glob("audit-1??????-*"))


def test_days_that_are_still_to_come_are_refused(tmp_path, generation):
    practice = old_trail(tmp_path, generation)
    tomorrow = (datetime.datetime.utcnow() + datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for until in (tomorrow, "2096-11-01T00:00:00Z"):
        for more in ([], ["--short-trail"]):
            code, out, err = practice.run("minimise", "--until", until, *more, practice.trail)
            assert code == 3 and out == "" and "still to come" in err, err


@pytest.mark.parametrize("gone, chains, missing", [([], None, None), ([], 3, None), ([0], None, 0), ([1], None, 1), ([2], None, None), ([2], 3, 2), ([1, 2], 3, 1), ([1], 4, 1)], ids=str)
def test_a_chain_that_is_missing_as_a_whole_is_missed(tmp_path, generation, gone, chains, missing):
    """The others are whole. What only its sessions used would be cut."""
    practice = clinic(tmp_path)
    for number in set(range(3)) - set(gone):
        chain = began(practice, generation, number=number, **({"chains": chains} if chains else {}))
        statement(chain, 20, N, "public.patients", [["phone"], ["email"], ["id"]][number])
        end(chain)
    for more in ([], ["--short-trail"]):
        code, out, err = minimise(practice, *more)
        if missing is None:
            assert code == 1, err
        else:
            assert code == 3 and out == "" and "of chain %d to begin with" % missing in err, err


def test_a_server_tells_how_many_chains_it_writes(make_stack):
    stack = make_stack()
    stack.connect("nurse1").close()
    audit = stack.folder / "audit"
    def files():
        return {int(path.name.split("-")[1]): path for path in audit.glob("audit-*-00000001.jsonl") if int(path.name.split("-")[1]) < 1000}
    written = files()
    assert len(written) > 1 and {json.loads(path.read_bytes().splitlines()[0])["chains"] for path in written.values()} == {len(written)}
    odd.report(stack, code=1)
    written[max(written)].unlink()  # the last one: no later chain tells of it
    done = stack.command("minimise", "-c", stack.config_file, "--short-trail", check=False)
    assert done.returncode == 3 and not done.stdout and "of chain %d to begin" % max(written) in done.stderr


def test_a_catalog_is_of_one_database(tmp_path, generation):
    practice = old_trail(tmp_path, generation)
    text = practice.config.read_text(encoding="utf-8")
    second = ', { name = "other"; owner = "o"; conninfo = "host=127.0.0.1 dbname=other user=u sslmode=verify-full"; } );'
    practice.config.write_text(text.replace(" );\npolicy", second + "\npolicy"), encoding="utf-8")
    code, out, err = minimise(practice, "--catalog", harness.CLINIC / "catalog.cfg")
    assert code == 3 and out == "" and "for 2" in err
    assert minimise(practice)[0] == 1


@pytest.mark.parametrize("args", [["--days", "0"], ["--days", "x"], ["--days", "1.5"], ["--json", "--diff"], ["--until", "tomorrow"], ["--lang", "de"], ["a", "b"]], ids=" ".join)
def test_wrong_usage(args):
    done = subprocess.run([harness.binary(), "minimise"] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 2 and done.stderr and not done.stdout


# ---- what would open by another way ----------------------------------------------------------------------------------------------

FAMILY = """
CREATE TABLE public.notes (id int PRIMARY KEY, body text, secret text);
CREATE TABLE public.notes_old () INHERITS (public.notes);
CREATE TABLE public.notes_new (id int PRIMARY KEY, body text, secret text);
CREATE VIEW public.note_list AS SELECT id, body, secret FROM public.notes;
CREATE TABLE public.diary_a (id int PRIMARY KEY, body text, secret text);
CREATE TABLE public.diary_b (id int PRIMARY KEY, body text, secret text);
GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgvigil_owner;
"""
FAMILY_POLICY = """tables = (
  { name = "public.notes"; columns = { plain = [ "id", "body" ]; hidden = [ "secret" ]; }; },
  { name = "public.notes_old"; columns = { plain = [ "id", "body" ]; hidden = [ "secret" ]; }; },
  { name = "public.notes_new"; columns = { plain = [ "id", "body" ]; hidden = [ "secret" ]; }; },
  { name = "public.note_list"; columns = { plain = [ "id", "body" ]; hidden = [ "secret" ]; }; },
  { name = "public.diary_*"; columns_like = ( { match = "*"; category = "text"; } ); }
);
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.notes" ]; columns = { plain = "show"; hidden = "show"; }; },
  # A child: without this rule it would follow its parent's, secret and all.
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.notes_old" ]; columns = { id = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.notes_new" ]; columns = { plain = "show"; }; },
  # A view: without this rule it would show what its tables do.
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.note_list" ]; columns = { id = "show"; }; },
  # Narrower than the pattern of the lab's other rule.
  { roles = [ "physician" ]; missions = [ "care" ]; tables = [ "public.diary_a" ]; columns = { id = "show"; }; },
  { roles = [ "physician" ]; missions = [ "care" ]; tables = [ "public.diary_*" ]; columns = { text = "show"; }; }
);
"""
FAMILY_TABLES = {"public." + t: ["id", "body", "secret"] for t in ("notes", "notes_old", "notes_new", "note_list", "diary_a", "diary_b")}


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "files"])
def test_what_would_open_by_another_way_is_not_closed(make_stack, tmp_path, catalog):
    """A child's rule, a view's, and one that is narrower than a pattern: nobody uses them, and without them more would be seen."""
    more = dict(extra_policy=[("60-family.cfg", FAMILY_POLICY)], changes={"records": FAMILY})
    stack = make_stack(**more)
    before = odd.granted(stack, FAMILY_TABLES)
    audit = stack.folder / "audit"
    stack.proxy.stop()
    shutil.rmtree(audit)  # what was asked so far is no use
    stack.serve()
    with stack.connect("nurse1") as c:
        c.execute("SELECT id, body, secret FROM notes")
    with stack.connect("dr.martin") as c:
        c.execute("SELECT body FROM diary_b")
    path = stack.folder / "catalog.cfg"
    stack.command("check", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), "--save-catalog", path, check=False)
    found = odd.report(stack, *(["--catalog", path] if catalog else []), code=1)
    shutil.copytree(stack.policy, tmp_path / "smaller")
    assert subprocess.run(["patch", "-p1"], input=found["diff"], cwd=tmp_path / "smaller", stdout=subprocess.PIPE, text=True).returncode == 0
    smaller = make_stack(policy_dir=tmp_path / "smaller", changes=more["changes"])
    after = odd.granted(smaller, FAMILY_TABLES)
    assert after <= before and after < before
    # Which relations a pattern of `tables` matches, files alone do not tell: what is not known is left.
    named = ["notes_old", "note_list"] + (["diary_a"] if catalog else [])
    hidden = {right for right in before if right[1].split(".")[1] in named + ["notes_new"]}
    assert hidden and not hidden & after, hidden & after
    kept = (tmp_path / "smaller" / "60-family.cfg").read_text(encoding="utf-8")
    for table in named:  # still named: a rule that shows nothing
        assert '"public.%s" ]; columns = { }' % table in kept
    assert ('tables = [ "public.notes_new" ]' in kept) != catalog
    assert (("nurse", "care"), "public.notes", "read", "secret") in after and (("physician", "care"), "public.diary_b", "read", "body") in after


# ---- files of all kinds ----------------------------------------------------------------------------------------------------------

def patched(practice, folder, args=()):
    code, out, err = minimise(practice, "--diff", *args)
    assert code in (0, 1), err
    shutil.copytree(practice.policy, folder)
    done = subprocess.run(["patch", "-p1", "--fuzz=0"], input=out, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 or not out, done.stdout
    return out


def test_a_file_that_is_included_twice_is_left_to_hands(tmp_path, generation):
    practice = old_trail(tmp_path, generation)
    shared = practice.policy / "shared.inc"
    shared.write_text('admin = "show";\nidentifier = "show";\n', encoding="utf-8")
    rules = practice.policy / "40-rules-care.cfg"
    rules.write_text("""rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.patients" ]; columns = {
@include "shared.inc"
    medical = "show";
  }; },
  { roles = [ "physician" ]; missions = [ "care" ]; tables = [ "public.patients" ]; columns = {
@include "shared.inc"
  }; }
);
""", encoding="utf-8")
    out = patched(practice, tmp_path / "smaller", ["--short-trail"])
    assert "--- a/shared.inc" not in out and '-    medical = "show";' in out
    code, told, _ = minimise(practice, "--short-trail", "--json")
    hand = [o for o in json.loads(told)["unused"] if o["role"] == "nurse" and o.get("table") == "public.patients" and not o["cut"]]
    assert {o["column"] for o in hand} >= {"family_name", "nir"} and {o["by_hand"] for o in hand} == {"text"} and {o["rule"].split(":")[0] for o in hand} == {"40-rules-care.cfg"}


@pytest.mark.parametrize("name", ["41\tcare.cfg", "41\ncare.cfg", "41 care.cfg"], ids=["tab", "line end", "blank"])
def test_a_file_whose_name_no_diff_can_hold_is_left_to_hands(tmp_path, generation, name):
    practice = old_trail(tmp_path / "second", generation)
    (practice.policy / "40-rules-care.cfg").rename(practice.policy / name)
    out = patched(practice, tmp_path / "smaller", ["--short-trail"])
    assert "--- a/" in out and ("care.cfg" in out) == (name == "41 care.cfg")


def test_numbers_of_patients_end_at_the_greatest(tmp_path, generation):
    practice = clinic(tmp_path / "second")
    chain = trails.Signed(practice.trail, 0, tmp_path / "second")
    chain.file(stamp(400))
    start(chain, 399, generation)
    statement(chain, 20, N, "public.patients", ["id"], patients=[[9223372036854775800, 9223372036854775807]])
    chain.sign(stamp(1))
    chain.close()
    code, out, err = minimise(practice, "--json")
    assert code == 1 and [r["patients"] for r in json.loads(out)["rows"] if (r["role"], r["mission"]) == N] == [8], err


@pytest.mark.parametrize("pair", [("n" * 5000, "care"), ("nurse", "c" * 5000), ("n" * 9000, "c" * 9000), ("n" * 254, "care")], ids=["role", "mission", "cut", "pair"])
def test_names_in_the_trail_that_no_policy_has_change_nothing(tmp_path, generation, pair):
    found = []
    for folder, more in (("without", False), ("with", True)):
        practice = clinic(tmp_path / folder)
        chain = trails.Signed(practice.trail, 0, tmp_path / folder)
        chain.file(stamp(400))
        start(chain, 399, generation)
        statement(chain, 20, N, "public.patients", ["id"])
        if more:
            statement(chain, 19, pair, "public.patients", ["phone"])
        chain.sign(stamp(1))
        chain.close()
        code, out, err = minimise(practice, "--json")
        assert code == 1, err
        found.append(json.loads(out)["unused"])
    assert found[0] == found[1] and "phone" in {o.get("column") for o in found[1]}


def test_texts_that_come_again_count_as_the_first_time(tmp_path, generation):
    """What takes columns by their places keeps its table whole, also when its text was seen before, in another pair or this one."""
    placed, plain = "SELECT x.a FROM public.patients x(a, b) WHERE x.a = $1", "SELECT id FROM public.patients WHERE id = $1"
    def unused(folder, texts):
        practice = clinic(tmp_path / folder)
        chain = began(practice, generation)
        for pair, sql in texts:
            chain.line(stamp(20), "whole", session=1, person="x", login="x", role=pair[0], mission=pair[1], statement="SELECT", decision="allow", sql=sql,
                       relations=[dict(schema="public", name="patients", shown=["id"], masked=[])], rows=1)
        end(chain)
        code, out, err = minimise(practice, "--json")
        assert code == 1, err
        return {(o["role"], o["mission"], o["column"]) for o in json.loads(out)["unused"] if o.get("table") == "public.patients" and o["right"] == "read" and "column" in o}
    once = unused("once", [(N, placed), (P, plain)])
    again = unused("again", [(N, placed), (P, plain)] * 3)
    assert once == again and {pair[:2] for pair in once} & {N, P} == {P}
    assert {pair[:2] for pair in unused("both", [(N, placed), (P, plain), (P, placed), (N, plain)])} & {N, P} == set()
    assert {pair[:2] for pair in unused("plain", [(P, plain), (N, plain)] * 2)} & {N, P} == {N, P}


def test_a_policy_of_one_file_outside_the_configurations_folder(tmp_path, generation):
    practice = old_trail(tmp_path / "second", generation)
    one = tmp_path / "elsewhere" / "all rules.cfg"
    one.parent.mkdir()
    one.write_text("\n".join('@include "../second/policy/%s"' % path.name for path in sorted(practice.policy.glob("*.cfg")) if path.name != "40-rules-care.cfg")
                   + "\n" + (practice.policy / "40-rules-care.cfg").read_text(encoding="utf-8"), encoding="utf-8")
    link = tmp_path / "second" / "linked.cfg"
    link.symlink_to(one)
    practice.config.write_text(practice.config.read_text(encoding="utf-8").replace('policy = "policy"', 'policy = "linked.cfg"'), encoding="utf-8")
    code, out, err = minimise(practice, "--diff", "--short-trail")
    assert code == 1, err
    # Files of another folder are not this policy's to change.
    assert [line for line in out.splitlines() if line.startswith("--- ")] == ["--- a/all rules.cfg\t"]
    assert subprocess.run(["patch", "-p1"], input=out, cwd=one.parent, stdout=subprocess.PIPE, text=True).returncode == 0
    code, out, err = practice.run("check")
    assert "policy " in out and "fine" in out, out


def test_the_copy_is_gone_afterwards(tmp_path, generation):
    """It holds secrets."""
    practice = old_trail(tmp_path, generation)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        code, _, err = practice.run("minimise", "--until", "2026-11-01T00:00:00Z", practice.trail, env={"TMPDIR": folder})
        took = time.monotonic() - started
        assert code == 1 and not os.listdir(folder), err
        ended = 0
        for number in range(30):  # ended from outside, at any moment
            one = subprocess.Popen([harness.binary(), "minimise", "-c", practice.config, "--until", "2026-11-01T00:00:00Z", practice.trail],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, TMPDIR=folder))
            time.sleep(took * number / 30)
            one.terminate()
            ended += one.wait(30) < 0
            assert not os.listdir(folder), number
        assert ended > 5
        os.chmod(folder, 0o500)
        if os.geteuid() != 0:  # nobody holds root up
            code, out, err = practice.run("minimise", "--until", "2026-11-01T00:00:00Z", practice.trail, env={"TMPDIR": folder})
            assert code == 3 and out == "" and "cannot make a directory" in err
        os.chmod(folder, 0o700)
        code, out, err = practice.run("minimise", "--until", "2026-11-01T00:00:00Z", practice.trail, env={"TMPDIR": folder + "/none"})
        assert code == 3 and out == "" and "cannot make a directory" in err


def test_a_part_that_would_break_what_ran_is_left_out_and_the_rest_is_proposed(make_stack, tmp_path):
    """A type of the database's own is there for who sees a column of it: the statement names the type and no relation."""
    changes = "CREATE TYPE public.mood AS ENUM ('low', 'high'); CREATE TABLE public.feelings (id int PRIMARY KEY, feeling public.mood, note text); GRANT SELECT ON public.feelings TO pgvigil_owner;"
    policy = """tables = ( { name = "public.feelings"; columns = { all = [ "id", "feeling", "note" ]; }; } );
rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.feelings" ]; columns = { all = "show"; }; } );
"""
    stack = make_stack(extra_policy=[("60-feelings.cfg", policy)], changes={"records": changes})
    sql = "SELECT 'low'::public.mood < 'high'::public.mood"
    with stack.connect("nurse1") as c:
        assert c.execute(sql).fetchone() == (True,)
    path = stack.folder / "catalog.cfg"
    stack.command("check", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), "--save-catalog", path, check=False)
    found = odd.report(stack, "--catalog", path, code=1)
    (one,) = [o for o in found["unused"] if o.get("table") == "public.feelings"]
    assert not one["cut"] and one["by_hand"] == "refused" and one["detail"] == "what nurse/care ran would not run as before: SELECT $1::public.mood < $2::public.mood"
    assert "60-feelings.cfg" not in found["diff"] and len([o for o in found["unused"] if o["cut"]]) > 20
    shutil.copytree(stack.policy, tmp_path / "smaller")
    assert subprocess.run(["patch", "-p1"], input=found["diff"], cwd=tmp_path / "smaller", stdout=subprocess.PIPE, text=True).returncode == 0
    with make_stack(policy_dir=tmp_path / "smaller", changes={"records": changes}).connect("nurse1") as c:
        assert c.execute(sql).fetchone() == (True,)
        with pytest.raises(psycopg.Error):  # its denied twin: what was cut beside it
            c.execute("SELECT id FROM documents")


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "files"])
def test_columns_with_defaults_stay_where_rows_are_inserted(make_stack, tmp_path, catalog):
    """A default that only its owner may work out comes from the guard, where that shows the column."""
    changes = """CREATE FUNCTION public.kind_of() RETURNS text LANGUAGE sql AS $$SELECT 'ticket'::text$$; REVOKE EXECUTE ON FUNCTION public.kind_of() FROM PUBLIC;
CREATE TABLE public.tickets (id serial PRIMARY KEY, body text, made_by text DEFAULT public.kind_of(), spare text, other text DEFAULT 'x');
CREATE TABLE public.plain (id int, body text, made_by text DEFAULT public.kind_of());
GRANT EXECUTE ON FUNCTION public.kind_of() TO pgvigil_owner; GRANT SELECT, INSERT ON public.tickets, public.plain TO pgvigil_owner; GRANT USAGE ON SEQUENCE public.tickets_id_seq TO pgvigil_owner;"""
    policy = """tables = ( { name = "public.tickets"; columns = { all = [ "id", "body", "made_by", "spare", "other" ]; }; },
           { name = "public.plain"; columns = { all = [ "id", "body", "made_by" ]; }; } );
rules = ( { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.tickets" ]; columns = { all = "show"; }; insert = [ "all" ]; },
          { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.plain" ]; columns = { all = "show"; }; insert = [ "all" ]; } );
"""
    stack = make_stack(extra_policy=[("60-tickets.cfg", policy)], changes={"records": changes})
    sql = "INSERT INTO tickets (body) VALUES ('x')"
    with stack.connect("nurse1") as c:
        assert c.execute(sql).rowcount == 1
        c.execute("SELECT id FROM plain")
    path = stack.folder / "catalog.cfg"
    stack.command("check", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), "--save-catalog", path, check=False)
    found = odd.report(stack, *(["--catalog", path] if catalog else []), code=1)
    shutil.copytree(stack.policy, tmp_path / "smaller")
    assert subprocess.run(["patch", "-p1"], input=found["diff"], cwd=tmp_path / "smaller", stdout=subprocess.PIPE, text=True).returncode == 0
    smaller = make_stack(policy_dir=tmp_path / "smaller", changes={"records": changes})
    with smaller.connect("nurse1") as c:
        assert c.execute(sql).rowcount == 1
        with pytest.raises(psycopg.Error):
            c.execute("INSERT INTO tickets (other) VALUES ('y')")
        with pytest.raises(psycopg.Error):
            c.execute("SELECT made_by FROM plain")
    with smaller.superuser() as c:
        assert c.execute("SELECT id, body, made_by, other FROM tickets").fetchall() == [(1, "x", "ticket", "x")]
    read = {o["column"] for o in found["unused"] if o.get("table") == "public.tickets" and o["right"] == "read"}
    assert read == ({"spare"} if catalog else set())
