"""
`pgvigil dpia`: what the CNIL's tool imports (pia_schema.json says of which source), filled with what files know and with nothing else.
"""
import copy
import json
import re

import documents
import jsonschema
import pytest

SCHEMA = json.loads((documents.harness.ROOT / "tests" / "e2e" / "pia_schema.json").read_text(encoding="utf-8"))
JUDGED = {122, 214, 221, 222} | {hundreds + n for hundreds in (320, 330, 340) for n in range(1, 7)}
KNOWN = {111, 112, 113, 121, 123, 211, 212, 213, 215, 223, 224, 226, 227}  # and 225, where the policy has rights


def dpia(practice, lang="fr", code=1):
    status, out, err = practice.run("dpia", "--made", "2026-11-26T10:00:00Z", "--lang", lang)
    assert status == code, err
    return json.loads(out), err


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    return documents.Practice(tmp_path_factory.mktemp("dpia"))


def valid(file):
    jsonschema.validate(file, SCHEMA)
    return file


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_tools_import_takes_it(practice, lang):
    file, _ = dpia(practice, lang)
    valid(file)
    assert {a["reference_to"] for a in file["answers"]} == KNOWN and len(file["answers"]) == len(KNOWN)
    assert file["pia"]["created_at"] == "2026-11-26T10:00:00Z" and file["pia"]["status"] == 0
    assert len({m["id"] for m in file["measures"]}) == len(file["measures"]) and len({m["title"] for m in file["measures"]}) == len(file["measures"]) > 8
    assert {m["pia_id"] for m in file["measures"]} | {a["pia_id"] for a in file["answers"]} == {file["pia"]["id"]}


def test_the_schema_refuses_what_the_import_would_trip_over(practice):
    file, _ = dpia(practice)

    def broken(change):
        other = copy.deepcopy(file)
        change(other)
        with pytest.raises(jsonschema.ValidationError):
            valid(other)

    broken(lambda f: f.pop("evaluations"))
    broken(lambda f: f.update(comments=None))
    broken(lambda f: f["pia"].pop("name"))
    broken(lambda f: f["answers"][0].update(reference_to=119))
    broken(lambda f: f["answers"][0].update(reference_to="111"))
    broken(lambda f: f["answers"][0].update(reference_to=324))
    broken(lambda f: f["answers"][0]["data"].update(text=""))
    broken(lambda f: f["measures"][0].pop("title"))
    broken(lambda f: f["pia"].update(created_at="yesterday"))


def test_what_needs_judgement_is_left(practice):
    file, _ = dpia(practice)
    assert file["evaluations"] == [] == file["comments"] and not JUDGED & {a["reference_to"] for a in file["answers"]}
    assert all(a["data"]["gauge"] is None and a["data"]["list"] is None for a in file["answers"])
    pia = file["pia"]
    assert [pia[key] for key in ("dpo_status", "dpo_opinion", "people_names", "concerned_people_opinion", "concerned_people_status", "concerned_people_searched_opinion")] == [None] * 6
    assert pia["author_name"] == pia["evaluator_name"] == pia["validator_name"] == "" and pia["dpos_names"] == "Paul Martin"


def answers(file):
    return {a["reference_to"]: a["data"]["text"] for a in file["answers"]} | {m["title"]: m["content"] for m in file["measures"]}


def test_an_edit_changes_the_answers_that_it_should(tmp_path):
    practice = documents.Practice(tmp_path)
    before = answers(dpia(practice)[0])
    practice.edit('purpose = "HPAYMT";\n    legal_basis = "6.1.c"', 'purpose = "HPAYMT";\n    legal_basis = "6.1.f"')
    after = answers(dpia(practice)[0])
    assert {key for key in before if before[key] != after[key]} == {212} and set(before) == set(after)
    assert "intérêt légitime" in after[212] and "intérêt légitime" not in before[212]
    practice.edit('legal_basis = "6.1.f"', 'legal_basis = "6.1.c"')
    practice.edit('minutes = 60; require', 'minutes = 30; require')
    after = answers(dpia(practice)[0])
    assert {key for key in before if before[key] != after[key]} == {"Bris de glace"} and "30 minutes" in after["Bris de glace"]
    practice.edit('minutes = 30; require', 'minutes = 60; require')
    practice.edit('description    = "Exploiter et réparer la base des dossiers."', 'description    = "Exploiter la base."')
    after = answers(dpia(practice)[0])
    assert {key for key in before if before[key] != after[key]} == {111, 211}


RIGHTS = """
rights = (
  { name = "recherche"; kind = "objection"; tables = [ "public.stays" ]; hide = "false"; },
  { name = "gel"; kind = "restriction"; tables = [ "public.stays" ]; hide = "false"; }
);
"""


@pytest.mark.parametrize("lang, words", [("fr", ("opposition (article 21", "limitation du traitement (article 18")), ("en", ("objection (article 21", "restriction of processing (article 18"))])
def test_rights_of_the_policy_are_an_answer_of_their_own(tmp_path, lang, words):
    practice = documents.Practice(tmp_path)
    before = answers(dpia(practice, lang)[0])
    (tmp_path / "policy" / "95-rights.cfg").write_text(RIGHTS, encoding="utf-8")
    after = answers(valid(dpia(practice, lang)[0]))
    assert set(after) - set(before) == {225} and 225 not in before
    said = after[225]
    assert "recherche" in said and "gel" in said and all(word in said for word in words), said
    assert ("documents" in said) is False
    assert all(before[key] == after[key] for key in before if key not in ("Cloisonnement des dossiers", "Separation of files"))


@pytest.mark.parametrize("lang, words", [("fr", "effacées à la demande"), ("en", "erased when the person asks")])
def test_what_may_be_erased_is_said(tmp_path, lang, words):
    practice = documents.Practice(tmp_path)
    before = answers(dpia(practice, lang)[0])
    assert words not in before[224] and "R1112-7" in before[224]
    practice.edit('subject = "stays.patient_id";', 'subject = "stays.patient_id"; erasable = true;')
    after = answers(valid(dpia(practice, lang)[0]))
    assert words in after[224] and {key for key in before if before[key] != after[key]} == {224}


def test_a_mission_of_groups_is_a_measure(tmp_path):
    practice = documents.Practice(tmp_path)
    before = answers(dpia(practice)[0])
    practice.edit('purpose = "HRESCH"; max_rows = 10000;', 'purpose = "HRESCH"; max_rows = 10000; aggregate_only = { k = 12; statements_per_day = 34; };')
    after = answers(valid(dpia(practice)[0]))
    added = set(after) - set(before)
    assert len(added) == 1 and "research" in added.copy().pop()
    text = after[added.pop()]
    assert "au moins 12 patients" in text and "34 questions" in text


def test_names_with_markup_are_text_in_the_tools_html(tmp_path):
    evil = "<script>alert(1)</script><img src=x onerror=y>"
    practice = documents.Practice(tmp_path, documents.ORGANISATION.replace("Hébergeur Exemple SAS", evil))
    practice.edit('description    = "Exploiter et réparer la base des dossiers."', 'description    = "%s"' % evil)
    file = valid(dpia(practice)[0])
    texts = [a["data"]["text"] for a in file["answers"]] + [m["content"] for m in file["measures"]]
    for text in texts:
        assert not {"script", "img"} & set(documents.Reader(text).tags)
    assert sum(evil in " ".join(documents.Reader(text).lines) for text in texts) >= 3


def test_what_no_file_says_is_marked_and_told(tmp_path):
    practice = documents.Practice(tmp_path, organisation="", audit="")
    file, err = dpia(practice)
    valid(file)
    told = set(re.findall(r"to be completed: (.*)", err))
    assert {"pgvigil.cfg: organisation.name", "pgvigil.cfg: organisation.hosting.country", "policy: retention"} <= told
    assert file["pia"]["name"] == "Dossiers des patients – À COMPLÉTER" and file["pia"]["dpos_names"] == "À COMPLÉTER"
    assert 113 not in answers(file) and "À COMPLÉTER" in answers(file)[227] and "Tilleuls" not in json.dumps(file)


def test_no_officer_is_said(tmp_path):
    practice = documents.Practice(tmp_path, 'organisation = { name = "Cabinet"; dpo = { not_designated = "médecin seule"; }; };')
    file, err = dpia(practice)
    assert file["pia"]["dpos_names"] == "Non désigné\u00a0: médecin seule" and "médecin seule" in answers(file)[112] and "dpo" not in err


@pytest.mark.parametrize("args", [["--format", "html"], ["x"], ["--lang", "de"]], ids=str)
def test_wrong_usage_is_2(practice, args):
    code, out, err = practice.run("dpia", *args)
    assert code == 2 and out == "" and err
