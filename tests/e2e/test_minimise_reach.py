"""
`pgvigil minimise --as`: how many patients are in reach of whom, against counts that this test writes in SQL itself, and attribute
values that are said to be spare, against the same statements under a policy without them.
"""
import json
import re
import shutil

import harness
import psycopg
import pytest

RIGHTS = "GRANT INSERT ON public.observations TO pgvigil_owner;"
WARDS = ("1", "2", "3", "4", "5")
FEW = "SELECT id FROM patients WHERE ward_id = 1 ORDER BY id LIMIT 7"
STAYS = "SELECT s.id, s.patient_id FROM stays s JOIN patients p ON p.id = s.patient_id WHERE p.ward_id = 2 ORDER BY 1 LIMIT 5"
NOTE = ("INSERT INTO observations (id, patient_id, stay_id, taken_on, taken_at, practitioner, loinc, label, value, unit) "
        "VALUES (%d, %d, %d, '2024-01-02', '2024-01-02', '10000000017', '8867-4', 'pulse', 60, '/min')")


def policy_of(folder, wards=WARDS, more=""):
    """The clinic's, with these wards for nurse1, and `more` attributes."""
    shutil.copytree(harness.CLINIC / "policy", folder)
    users = folder / "50-users.cfg"
    text = users.read_text(encoding="utf-8")
    users.write_text(re.sub(r'(name = "nurse1".*?wards = )\[[^]]*\]', r"\1[ %s ]%s" % (", ".join('"%s"' % w for w in wards), more), text, flags=re.S), encoding="utf-8")
    return folder


def stay_of(stack, ward):
    """(patient, stay)."""
    with stack.superuser() as c:
        return c.execute("SELECT s.patient_id, s.id FROM stays s JOIN patients p ON p.id = s.patient_id WHERE p.ward_id = %s ORDER BY s.id LIMIT 1", [ward]).fetchone()


def work(stack):
    """What nurse1 does, of wards 1, 2 and 3; the answers."""
    answers = []
    with stack.connect("nurse1", mission="care", autocommit=True) as c:
        for sql in (FEW, STAYS, NOTE % ((900001,) + stay_of(stack, 3))):
            try:
                got = c.execute(sql)
                answers.append(got.fetchall() if got.description else got.rowcount)
            except psycopg.Error as error:
                answers.append(error.sqlstate)
    return answers


def counter(stack, database="records"):
    """The conninfo of a login that may become the guards' owner, and no superuser."""
    with stack.superuser(database) as c:
        if not c.execute("SELECT FROM pg_roles WHERE rolname = 'counter'").fetchall():
            c.execute("CREATE ROLE counter LOGIN PASSWORD 'counter'; GRANT pgvigil_owner TO counter")
    return stack.cluster.conninfo(stack.databases[database], "counter", "counter")


def report(stack, *more, code=(0, 1)):
    done = stack.command("minimise", "-c", stack.config_file, "--short-trail", "--json", "--as", counter(stack), *more, check=False)
    assert done.returncode in code, done.stderr
    return json.loads(done.stdout)


def people(told, role, mission):
    pair = [r for r in told["rows"] if (r["role"], r["mission"]) == (role, mission)]
    return {p["person"]: p for p in pair[0]["people"]}


@pytest.fixture(scope="module")
def scene(make_stack, tmp_path_factory):
    stack = make_stack(policy_dir=policy_of(tmp_path_factory.mktemp("reach") / "policy"), changes={"records": RIGHTS})
    stack.answers = work(stack)
    with stack.connect("reception1", mission="admission") as c:
        stack.received = c.execute("SELECT id FROM patients ORDER BY id LIMIT 11").fetchall()
    with stack.connect("research1", mission="research") as c:
        stack.researched = c.execute("SELECT id, birth_date FROM patients LIMIT 9").fetchall()
    return stack


def test_what_is_in_reach_is_what_sql_counts(scene):
    with scene.superuser() as c:
        wards = c.execute("SELECT count(*) FROM patients WHERE ward_id = ANY(%s)", [[int(w) for w in WARDS]]).fetchone()[0]
        seen = c.execute("SELECT count(DISTINCT p) FROM unnest(%s::int[] || %s::int[] || %s::int[]) p",
                         [[r[0] for r in scene.answers[0]], [r[1] for r in scene.answers[1]], [stay_of(scene, 3)[0]]]).fetchone()[0]
        everybody = c.execute("SELECT count(*) FROM patients").fetchone()[0]
    told = report(scene)
    nurse = people(told, "nurse", "care")["nurse1"]
    assert (nurse["in_reach"], nurse["seen"], nurse["exact"], nurse["session_decides"]) == (wards, seen, True, False)
    assert 0 < seen < wards < everybody
    with scene.connect("nurse1", mission="care") as c:
        assert c.execute("SELECT count(*) FROM (SELECT id FROM patients UNION SELECT patient_id FROM stays) u").fetchone()[0] == wards


def test_reach_of_a_desk_is_everybody(scene):
    desk = people(report(scene), "receptionist", "admission")["reception1"]
    with scene.superuser() as c:
        assert desk["in_reach"] == c.execute("SELECT count(*) FROM patients").fetchone()[0]
    assert desk["seen"] == len(scene.received) == 11


def test_reach_behind_pseudonyms_is_counted_by_person(scene):
    """Rows are shown under pseudonyms there; the trail and the count know whose they are."""
    found = people(report(scene), "researcher", "research")["research1"]
    with scene.superuser() as c:
        free = c.execute("SELECT count(*) FROM patients p WHERE NOT EXISTS (SELECT FROM objections o WHERE o.patient_id = p.id AND o.purpose = 'research')").fetchone()[0]
        assert free < c.execute("SELECT count(*) FROM patients").fetchone()[0]
    assert (found["in_reach"], found["seen"]) == (free, len(scene.researched)) == (free, 9)


def test_spare_values_are_those_that_nothing_needs(make_stack, tmp_path):
    """And without them the same statements answer the same; without one more they do not."""
    own = make_stack(policy_dir=policy_of(tmp_path / "policy"), changes={"records": RIGHTS})
    answers = work(own)
    told = report(own)
    spare = {s["value"]: s for s in told["spare_values"]}
    assert set(spare) == {"4", "5"} and {(s["person"], s["attribute"]) for s in spare.values()} == {("nurse1", "wards")}, told["spare_values"]
    with own.superuser() as c:
        for ward, one in spare.items():
            assert one["patients"] == c.execute("SELECT count(*) FROM patients WHERE ward_id = %s", [int(ward)]).fetchone()[0] > 0
    assert re.match(r"50-users.cfg:\d+$", spare["4"]["user"])
    line = (tmp_path / "policy" / "50-users.cfg").read_text(encoding="utf-8").splitlines()[int(spare["4"]["user"].split(":")[1]) - 1]
    assert '"nurse1"' in line

    less = make_stack(policy_dir=policy_of(tmp_path / "less", [w for w in WARDS if w not in spare]), changes={"records": RIGHTS})
    assert work(less) == answers
    for needed in ("1", "2", "3"):
        fewer = make_stack(policy_dir=policy_of(tmp_path / needed, [w for w in WARDS if w not in spare and w != needed]), changes={"records": RIGHTS})
        assert work(fewer) != answers

    # As the rows are today: who was seen in ward 1 is in ward 4 now.
    with own.superuser() as c:
        c.execute("UPDATE patients SET ward_id = 4 WHERE id = %s", [answers[0][0][0]])
    assert {s["value"] for s in report(own)["spare_values"]} == {"5"}


def test_what_is_not_exact_makes_nothing_spare(make_stack, tmp_path):
    own = make_stack(policy_dir=policy_of(tmp_path / "policy"), changes={"records": RIGHTS})
    work(own)
    with own.connect("nurse1", mission="care") as c:
        c.execute("SELECT count(*) FROM patients WHERE length(family_name) > 3").fetchall()
    told = report(own)
    nurse = people(told, "nurse", "care")["nurse1"]
    assert nurse["exact"] is False and told["spare_values"] == [] and nurse["in_reach"] > nurse["seen"] > 0
    out = own.command("minimise", "-c", own.config_file, "--short-trail", "--as", counter(own), "--lang", "fr", check=False).stdout
    assert re.search(r"nurse1\s: patients accessibles %d, dont vus au moins %d\n" % (nurse["in_reach"], nurse["seen"]), out), out


def test_what_the_client_says_is_not_counted(make_stack, tmp_path):
    folder = policy_of(tmp_path / "policy")
    rules = folder / "40-rules-care.cfg"
    text = rules.read_text(encoding="utf-8")
    changed = text.replace('rows = "patients.ward_id = ANY(:user.wards)"', "rows = \"patients.ward_id = ANY(:user.wards) AND (:session.patient = '' OR patients.id::text = :session.patient)\"")
    assert changed != text
    rules.write_text(changed, encoding="utf-8")
    own = make_stack(policy_dir=folder, changes={"records": RIGHTS})
    with own.connect("nurse1", mission="care", autocommit=True) as c:
        c.execute("SET pgvigil.patient = '1'")
        c.execute(FEW)
    told = report(own)
    nurse = people(told, "nurse", "care")["nurse1"]
    assert nurse["session_decides"] is True and "in_reach" not in nurse and told["spare_values"] == []


def test_without_as_nothing_is_asked(scene):
    done = scene.command("minimise", "-c", scene.config_file, "--short-trail", "--json", check=False)
    told = json.loads(done.stdout)
    assert "spare_values" not in told and not any("people" in r for r in told["rows"])
    assert scene.command("minimise", "-c", scene.config_file, "--short-trail", "--database", "records", check=False).returncode == 2


def test_login_that_may_not_read_counts_nothing(scene):
    """One that may not become the guards' owner is told so, and nothing looks unused."""
    with scene.superuser() as c:
        c.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    done = scene.command("minimise", "-c", scene.config_file, "--short-trail", "--json", "--as", scene.cluster.conninfo(scene.databases["records"], "stranger", "stranger"), check=False)
    assert done.returncode == 3 and "permission denied" in done.stderr and "cannot be counted" in done.stderr and done.stdout == "", done


def test_live_catalog_stands_in_for_the_file(scene, tmp_path):
    file = tmp_path / "catalog.cfg"
    scene.command("check", "-c", scene.config_file, "--database", "records", "--as", scene.dba(), "--save-catalog", file, check=False)
    live, saved = report(scene), report(scene, "--catalog", file)
    assert live["unused"] == saved["unused"] and live["diff"] == saved["diff"] != ""


# ---- what could be taken for spare, and is not


def edited(folder, *edits, wards=WARDS, more=""):
    """The policy with these changes: (file, old, new); `more`: further attributes of nurse1."""
    policy_of(folder, wards, more)
    for name, old, new in edits:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    return folder


def attribute(name):
    return ("20-masks-filters.cfg", '{ name = "wards"; type = "int[]"; }', '{ name = "wards"; type = "int[]"; }, { name = "%s"; type = "int[]"; }' % name)


BY_WARD = 'rows = "patients.ward_id = ANY(:user.wards)"'
HOUSE = ("40-rules-care.cfg", 'tables = [ "public.wards", "public.ward_occupancy" ];\n    columns = { admin = "show"; }; },\n',
         'tables = [ "public.ward_occupancy" ];\n    columns = { admin = "show"; }; },\n'
         '  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "public.wards" ]; rows = "wards.id = ANY(:user.wards)"; columns = { admin = "show"; }; },\n')
ROUND = (("30-missions-roles.cfg", '{ name = "admission";', '{ name = "round"; title = "R"; title_en = "R"; purpose = "TREAT"; legal_basis = "6.1.e"; special_basis = "9.2.h"; description = "x"; description_en = "x"; },\n  { name = "admission";'),
         ("30-missions-roles.cfg", 'title_en = "Nurse"; missions = [ "care", "emergency" ]', 'title_en = "Nurse"; missions = [ "care", "round", "emergency" ]'))


def in_round(rule):
    return ROUND + (("40-rules-care.cfg", "  # Laboratory: whose", '  { roles = [ "nurse" ]; missions = [ "round" ]; %s },\n  # Laboratory: whose' % rule),)


CASES = {
    "plain": ((), {}, [("care", FEW)], {("wards", w) for w in "2345"}),
    "another relation": ((HOUSE,), {}, [("care", FEW), ("care", "SELECT name FROM wards WHERE id = 3")], set()),
    "another relation, unused": ((HOUSE,), {}, [("care", FEW)], {("wards", w) for w in "2345"}),
    "a mission without patients": (in_round('tables = [ "public.wards" ]; rows = "wards.id = ANY(:user.wards)"; columns = { admin = "show"; };'), {}, [("care", FEW), ("round", "SELECT name FROM wards WHERE id = 3")], set()),
    "the client's address": (in_round('tables = [ "public.patients" ]; rows = "patients.ward_id = ANY(:user.wards) AND :client.address = \'127.0.0.1\'"; columns = { admin = "show"; };'), {},
                             [("care", FEW), ("round", "SELECT id FROM patients WHERE ward_id = 3 ORDER BY 1 LIMIT 3")], set()),
    "either of two": ((attribute("sites"), ("40-rules-care.cfg", BY_WARD, 'rows = "(patients.ward_id = ANY(:user.wards) OR patients.ward_id = ANY(:user.sites))"')),
                      {"wards": ("1", "2"), "more": '; sites = [ "1", "2" ]'}, [("care", FEW)], set()),
    "what it closes": ((attribute("closed"), ("40-rules-care.cfg", BY_WARD, 'rows = "patients.ward_id = ANY(:user.wards) AND patients.ward_id <> ALL(:user.closed)"')),
                       {"more": '; closed = [ "4", "5" ]'}, [("care", FEW)], {("wards", w) for w in "2345"}),  # stays are by `wards` alone
    "what closes more than it opens": ((("40-rules-care.cfg", BY_WARD, 'rows = "(patients.ward_id = ANY(:user.wards) OR (patients.ward_id IS NULL AND patients.id % 50 = 0 AND 4 <> ALL(:user.wards)))"'),), {},
                                       [("care", FEW)], {("wards", w) for w in "235"}),
    "twice": ((), {"wards": ("1", "1", "2", "2")}, [("care", FEW)], {("wards", "2")}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_somebody_needed_is_not_spare(make_stack, tmp_path, case):
    edits, how, asked, expected = CASES[case]
    own = make_stack(policy_dir=edited(tmp_path / "policy", *edits, **how))
    for mission, sql in asked:
        with own.connect("nurse1", mission=mission) as c:
            assert c.execute(sql).fetchall()
    told = report(own)["spare_values"]
    found = {(s["attribute"], s["value"]) for s in told}
    assert found == expected and len(told) == len(expected), told


def test_work_in_another_database_is_not_unneeded(make_stack, tmp_path):
    own = make_stack(policy_dir=policy_of(tmp_path / "policy"), databases=("records", "annex"))
    for database, ward in (("records", 1), ("annex", 3)):
        with own.connect("nurse1", mission="care", database=database) as c:
            assert c.execute("SELECT id FROM patients WHERE ward_id = %d ORDER BY id LIMIT 3" % ward).fetchall()
    for database in ("records", "annex"):
        done = own.command("minimise", "-c", own.config_file, "--short-trail", "--json", "--as", counter(own, database), "--database", database, check=False)
        assert json.loads(done.stdout)["spare_values"] == [], done.stderr


def test_superuser_is_not_asked(make_stack, tmp_path):
    """The attack: a function that a filter calls is written anew by its owner, and sends a file out as soon as a superuser calls it."""
    mark = tmp_path / "owned"
    function = "CREATE FUNCTION app.in_wards(w integer, l integer[]) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN %s RETURN w = ANY(l); END $$;"
    own = make_stack(policy_dir=edited(tmp_path / "policy", ("40-rules-care.cfg", BY_WARD, 'rows = "app.in_wards(patients.ward_id, :user.wards)"')),
                     changes={"records": function % "" + "ALTER FUNCTION app.in_wards OWNER TO clinic; GRANT EXECUTE ON FUNCTION app.in_wards TO PUBLIC;"})
    with own.connect("nurse1", mission="care") as c:
        assert c.execute(FEW).fetchall()
    with own.superuser() as c:
        c.execute("SET ROLE clinic")
        c.execute((function % ("IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN EXECUTE 'RESET ROLE'; EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch %s'''; END IF;" % mark)).replace("CREATE", "CREATE OR REPLACE", 1))
    as_superuser = "host=%s port=%d user=postgres dbname=%s" % (own.cluster.folder, own.cluster.port, own.databases["records"])
    done = own.command("minimise", "-c", own.config_file, "--short-trail", "--json", "--as", as_superuser, check=False)
    assert done.returncode == 3 and "--as is a superuser's" in done.stderr and done.stdout == "" and not mark.exists(), done
    assert {s["value"] for s in report(own)["spare_values"]} == set("2345")


def test_row_security_is_counted_as_it_is_for_the_guards(make_stack, tmp_path):
    own = make_stack(policy_dir=policy_of(tmp_path / "policy"), changes={"records": "ALTER TABLE patients ENABLE ROW LEVEL SECURITY; CREATE POLICY one ON patients USING (ward_id = 1);"})
    with own.connect("nurse1", mission="care") as c:
        c.execute(FEW).fetchall()
        shown = c.execute("SELECT id FROM patients").fetchall()
        shown_else = c.execute("SELECT DISTINCT patient_id FROM stays").fetchall()
    nurse = people(report(own), "nurse", "care")["nurse1"]
    assert nurse["in_reach"] == len(set(shown) | set(shown_else)) > 0
    with own.superuser() as c:
        assert nurse["in_reach"] < c.execute("SELECT count(*) FROM patients WHERE ward_id = ANY(%s)", [[int(w) for w in WARDS]]).fetchone()[0]


@pytest.mark.parametrize("way", ["--as {}", "--as={}", "--a {}"])
def test_the_record_of_the_read_holds_no_password(scene, way):
    words = [word.format(counter(scene)) for word in way.split(" ", 1)]
    scene.command("minimise", "-c", scene.config_file, "--short-trail", *words, "--days", "77", check=False)
    trail = "".join(path.read_text() for path in (scene.folder / "audit").glob("audit-*.jsonl"))
    assert "--days 77" in trail and "password=" not in trail
