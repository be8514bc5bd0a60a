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


def policy_of(folder, wards=WARDS):
    """The clinic's, with these wards for nurse1."""
    shutil.copytree(harness.CLINIC / "policy", folder)
    users = folder / "50-users.cfg"
    text = users.read_text(encoding="utf-8")
    users.write_text(re.sub(r'(name = "nurse1".*?wards = )\[[^]]*\]', r"\1[ %s ]" % ", ".join('"%s"' % w for w in wards), text, flags=re.S), encoding="utf-8")
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


def report(stack, *more, code=(0, 1)):
    done = stack.command("minimise", "-c", stack.config_file, "--short-trail", "--json", "--as", stack.dba(), *more, check=False)
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
    out = own.command("minimise", "-c", own.config_file, "--short-trail", "--as", own.dba(), "--lang", "fr", check=False).stdout
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
    """It is the DBA's connection that counts: one without rights is told so, and nothing looks unused."""
    with scene.superuser() as c:
        c.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    done = scene.command("minimise", "-c", scene.config_file, "--short-trail", "--json", "--as", scene.cluster.conninfo(scene.databases["records"], "stranger", "stranger"), check=False)
    assert done.returncode == 3 and "permission denied" in done.stderr and "cannot be counted" in done.stderr and done.stdout == "", done


def test_live_catalog_stands_in_for_the_file(scene, tmp_path):
    file = tmp_path / "catalog.cfg"
    scene.command("check", "-c", scene.config_file, "--database", "records", "--as", scene.dba(), "--save-catalog", file, check=False)
    live, saved = report(scene), report(scene, "--catalog", file)
    assert live["unused"] == saved["unused"] and live["diff"] == saved["diff"] != ""
