"""
`pgvigil review`: who has what and used it when, against going through the trail's lines; and `pgvigil audit report host-staff`.
"""
import collections
import json
import re
import subprocess

import documents
import harness
import pytest
import trails


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    made = documents.Practice(tmp_path_factory.mktemp("review"), documents.ORGANISATION.replace('staff = [ "admin1" ]', 'staff = [ "nurse2", "ward-app" ]'))
    made.records = trails.make(made.trail, seed=77)
    return made


def review(practice, *args, lang="fr"):
    code, out, err = practice.run("review", "--lang", lang, *args, practice.trail)
    assert code == 0, err
    return out


def statements(records, **wanted):
    """(first record, last record) of each statement, with refused ones."""
    return [(parts[0], parts[-1]) for parts in trails.expect(records, **wanted).values() if parts[0]["type"] in ("whole", "begin")]


@pytest.mark.parametrize("args, wanted", [([], {}), (["--from", "2026-03", "--to", "2026-05-10"], {"from": "2026-03", "to": "2026-05-10"})], ids=str)
def test_every_right_has_its_use(practice, args, wanted):
    uses = collections.defaultdict(list)
    refused = collections.Counter()
    for first, _ in statements(practice.records, **wanted):
        for key in {("person", first["person"], first["role"], first["mission"]), ("login", first["login"], first["role"], first["mission"])}:
            if first["decision"] == "deny":
                refused[key] += 1
            else:
                uses[key].append(first["time"])
    found = json.loads(review(practice, *args, "--format", "json"))
    names = re.findall(r'\{ name = "([^"]+)"; auth', (practice.policy / "50-users.cfg").read_text(encoding="utf-8"))
    assert [a["name"] for a in found["accounts"]] == names
    seen = 0
    for account in found["accounts"]:
        by = "login" if account["acts_for_others"] else "person"
        assert account["acts_for_others"] == (account["name"] == "ward-app") and account["hosts"] == (account["name"] in ("nurse2", "ward-app"))
        for right in account["rights"]:
            times = uses[by, account["name"], right["role"], right["mission"]]
            assert right["statements"] == len(times) and right["refused"] == refused[by, account["name"], right["role"], right["mission"]]
            assert (right.get("first"), right.get("last")) == ((min(times), max(times)) if times else (None, None))
            seen += len(times)
    assert seen > 300
    rights = {a["name"]: [(r["role"], r["mission"]) for r in a["rights"]] for a in found["accounts"]}
    assert rights["nurse2"] == [("nurse", "care"), ("nurse", "emergency"), ("receptionist", "admission")] and rights["admin1"] == [("it-admin", "maintenance")]
    assert {g["name"] for g in found["gone"]} == {first["person"] for first, _ in statements(practice.records, **wanted)} - set(names)


def test_an_account_that_comes_or_goes_changes_its_lines_alone(tmp_path):
    practice = documents.Practice(tmp_path)
    trails.make(practice.trail, seed=5, records=400)
    before = documents.Reader(review(practice, "--made", "2026-11-26")).lines
    practice.edit('  { name = "research1"; auth = "scram"; roles = [ "researcher" ];', '  { name = "research9"; auth = "scram"; roles = [ "researcher" ];')
    after = documents.Reader(review(practice, "--made", "2026-11-26")).lines
    assert [line.replace("research1", "research9") for line in before] == after and before != after


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_page_prints_on_a4_to_be_signed(practice, tmp_path, lang):
    out = review(practice, lang=lang)
    pages, width, height, text = documents.print_pdf(out, tmp_path)
    assert pages in (2, 3) and abs(width - 595.3) < 1.5 and abs(height - 841.9) < 1.5
    assert "Signature" in text and "Paul Martin" in text and "dr.martin" in text and "☐" in text
    read = documents.Reader(out)
    assert read.tags.count("th") == len([a for a in read.attributes if a[0] == "th" and a[1] == "scope"])


def test_reading_is_on_record(practice):
    def reads():
        return [json.loads(line) for path in sorted(practice.trail.glob("audit-1*.jsonl")) for line in path.read_text().splitlines() if '"event":"audit-read"' in line]

    before = len(reads())
    review(practice)
    assert len(reads()) == before + 1 and reads()[-1]["detail"].startswith("review ")


def test_a_trail_that_cannot_be_read_makes_nobody_look_unused(practice, tmp_path):
    done = subprocess.run([harness.binary(), "review", "-c", practice.config, tmp_path / "none"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 3 and done.stdout == b"" and done.stderr


@pytest.mark.parametrize("args", [["--from", "x"], ["--format", "csv"]], ids=str)
def test_wrong_usage_is_2(practice, args):
    code, out, _ = practice.run("review", *args, practice.trail)
    assert code == 2 and out == ""
    assert practice.run("review")[0] == 2


# ---- the host's people -------------------------------------------------------------------------------------------------------

def staff_report(practice, *args):
    done = subprocess.run([harness.binary(), "audit", "report", "host-staff", "-c", practice.config, *args, practice.trail], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, done.stderr


def test_host_staff_tells_what_the_hosts_people_did(practice):
    counts = collections.Counter()
    for first, last in statements(practice.records):
        if first["person"] in ("nurse2", "ward-app") or first["login"] in ("nurse2", "ward-app"):
            key = (first["time"][:10], first["person"], first["login"], first["role"], first["mission"])
            counts[key + ("statements",)] += 1
            counts[key + ("rows",)] += last.get("rows", 0)
            counts[key + ("refused",)] += first["decision"] == "deny"
    code, out, err = staff_report(practice, "--format", "json")
    assert code == 0, err
    found = collections.Counter()
    for row in json.loads(out)["rows"]:
        for name in ("statements", "rows", "refused"):
            found[row["day"], row["person"], row["login"], row["role"], row["mission"], name] += row[name]
    assert found == counts and len(counts) > 100


def test_host_staff_without_staff_says_which_key_names_them(tmp_path):
    practice = documents.Practice(tmp_path, organisation="")
    trails.make(practice.trail, seed=5, records=100)
    code, out, err = staff_report(practice)
    assert code == 3 and "organisation.hosting.staff" in err
