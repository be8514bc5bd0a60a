"""
Documents of configuration and policy: what they say against the policy read by other means, nothing invented, everything escaped, both languages,
printed on A4 by a browser.
"""
import csv
import io
import json
import re
import xml.etree.ElementTree

import documents
import harness
import pytest

MADE = ("--made", "2026-11-26")
# Commands that make a page, and how many A4 pages it may take.
PAGES = {("register",): (3, 6), ("notice", "--form", "poster"): (1, 1), ("notice", "--form", "leaflet"): (2, 3)}


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    return documents.Practice(tmp_path_factory.mktemp("documents"))


@pytest.fixture
def changed(tmp_path):
    return documents.Practice(tmp_path)


def page(practice, *args, lang="fr", status=None):
    code, out, err = practice.run(args[0], *MADE, "--lang", lang, *args[1:])
    assert code in (0, 1) if status is None else code == status, err
    return out


def data(practice, *args, lang="fr"):
    return json.loads(page(practice, *args, "--format", "json", lang=lang))


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("args", PAGES, ids=" ".join)
def test_printed_by_a_browser_on_a4_its_text_comes_out_again(practice, tmp_path, args, lang):
    made = page(practice, *args, lang=lang)
    least, most = PAGES[args]
    pages, width, height, text = documents.print_pdf(made, tmp_path)
    assert least <= pages <= most
    assert abs(width - 595.3) < 1.5 and abs(height - 841.9) < 1.5
    printed = re.sub(r"\s+", "", text)
    for line in documents.Reader(made).lines:
        for word in re.sub(r"[|]", " ", line).split():
            assert word in printed, word
    assert ("Maison de santé des Tilleuls" in text) and ("Paul Martin" in text)


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("args", PAGES, ids=" ".join)
def test_page_is_whole_accessible_and_fetches_nothing(practice, args, lang):
    made = page(practice, *args, lang=lang)
    read = documents.Reader(made)
    assert made.startswith("<!DOCTYPE html>") and ("html", "lang", lang) in read.attributes
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & set(read.tags)
    assert not [a for a in read.attributes if a[1] == "src" or a[1].startswith("on")]
    assert all(a[2].startswith(("https://", "mailto:")) for a in read.attributes if a[1] == "href")
    assert "url(" not in made and "@import" not in made
    assert read.tags.count("h1") == 1 and read.tags.count("title") == 1 and "main" in read.tags
    assert read.tags.count("th") == len([a for a in read.attributes if a[0] == "th" and a[1] == "scope"])
    whole = "\n".join(read.lines)
    assert "DPO" in whole and "Paul Martin" in whole
    assert re.search(r"26 novembre 2026" if lang == "fr" else r"26 November 2026", whole)
    assert data(practice, "register")["generation"] in re.findall(r"(?:génération|generation) ([0-9a-f]{8})", whole)


@pytest.mark.parametrize("args", PAGES, ids=" ".join)
def test_names_with_markup_stay_text(tmp_path, args):
    evil = "<script>alert(1)</script>&amp;\\\"<b>"
    practice = documents.Practice(tmp_path, documents.ORGANISATION.replace("Paul Martin", evil).replace("Maison de santé des Tilleuls", evil))
    practice.edit('title = "Prise en charge"', 'title = "%s"' % evil)
    made = page(practice, *args)
    read = documents.Reader(made)
    assert "script" not in read.tags and "b" not in read.tags
    assert any("<script>alert(1)</script>&amp;\"<b>" in line for line in read.lines)


@pytest.mark.parametrize("lang, word", [("fr", "À COMPLÉTER"), ("en", "TO BE COMPLETED")])
@pytest.mark.parametrize("args", PAGES, ids=" ".join)
def test_what_no_file_says_is_marked_and_told(tmp_path, args, lang, word):
    practice = documents.Practice(tmp_path, organisation="", audit="")
    code, out, err = practice.run(args[0], *args[1:], "--lang", lang)
    told = set(re.findall(r"to be completed: (.*)", err))
    assert code == 1 and {"pgvigil.cfg: organisation.name", "pgvigil.cfg: organisation.dpo.name or dpo.not_designated"} <= told
    assert word in out and not {"Tilleuls", "Martin"} & set(re.findall(r"\w+", out))
    # Each is told where it stands in the page, and nothing that stands there is not told.
    marked = set(re.findall(r"(?:COMPLÉTER|COMPLETED) \(([^)]*)\)", " ".join(documents.Reader(out).lines)))
    assert marked and marked <= told


def test_no_officer_is_said_and_why(tmp_path):
    practice = documents.Practice(tmp_path, 'organisation = { name = "Cabinet"; dpo = { not_designated = "médecin seule, sans grande échelle"; }; };')
    for args in PAGES:
        _, out, err = practice.run(args[0], *args[1:], "--lang", "fr")
        assert "médecin seule, sans grande échelle" in out and "organisation.dpo" not in err


def test_every_sentence_is_in_both_languages():
    text = "{urn:pgvigil:text}"
    for path in sorted((harness.ROOT / "texts").glob("*.xsl")):
        source = path.read_text(encoding="utf-8")
        assert "disable-output-escaping" not in source and "document(" not in source
        for parent in xml.etree.ElementTree.fromstring(source).iter():
            names = [child.tag for child in parent if child.tag.startswith(text)]
            assert names == [text + "fr", text + "en"] * (len(names) // 2), (path.name, names)
        # A French colon, semicolon and question mark have a space that does not break before them.
        for french in re.findall(r"<t:fr>(.*?)</t:fr>", source, re.S):
            words = re.sub(r"<[^>]*>", "", french).replace("&#160;", "\u00a0").replace("&#8239;", "\u202f").replace("&amp;", "").replace("&gt;", "").replace("&lt;", "")
            assert not re.search(r"(?<![\u00a0\u202f])[;?!»]", words) and not re.search(r"[^\u00a0\u202fa-z0-9]:", words), words
            assert "'" not in words, words


# ---- the register ------------------------------------------------------------------------------------------------------------

def seen_by_rules(practice):
    """Which categories a mission's roles see, by going through the rules in the files as they stand: the clinic's have no patterns."""
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sorted(practice.policy.glob("*.cfg")))
    texts = re.sub(r"(?m)^\s*#.*$", "", texts)
    category = {}
    for name, columns in re.findall(r'\{ name = "(public\.\w+)";[^{}]*?columns = \{(.*?)\}; \}', texts, re.S):
        for word, names in re.findall(r"(\w+)\s*= \[([^\]]*)\]", columns):
            category.update({(name, column): word for column in re.findall(r'"([^"]*)"', names)})
    seen = {}
    for roles, missions, tables, body in re.findall(r'\{ roles = \[([^\]]*)\];\s*missions = \[([^\]]*)\];\s*tables = \[([^\]]*)\];(.*?)\}; ?(?:[^{}]*?)\}', texts, re.S):
        columns = dict(re.findall(r'(\w+) = "(\w+)"', body.split("columns = {")[1]))
        for table in re.findall(r'"([^"]*)"', tables):
            for (of, column), word in category.items():
                mask = columns.get(column, columns.get(word, "hide")) if of == table else "hide"
                if mask not in ("hide", "null"):
                    for role in re.findall(r'"([^"]*)"', roles):
                        for mission in re.findall(r'"([^"]*)"', missions):
                            seen.setdefault((mission, role), set()).add(word)
    return seen


def test_register_says_what_rules_let_people_see(practice):
    expected = seen_by_rules(practice)
    register = data(practice, "register")
    assert [a["name"] for a in register["activities"]] == ["care", "admission", "billing", "research", "emergency", "audit", "maintenance"]
    found = {(a["name"], r["name"]): {c["name"] for c in r["categories"]} for a in register["activities"] for r in a["recipients"] if not r["unrestricted"]}
    assert found == expected and len(found) == 10
    for activity in register["activities"]:
        union = set().union(*[{c["name"] for c in r["categories"]} for r in activity["recipients"]])
        assert {c["name"] for c in activity["categories"]} == union
        assert activity["sensitive"] == bool(union & {"medical", "billing"})


def test_register_as_csv_has_a_row_for_each_processing(practice):
    _, out, _ = practice.run("register", "--format", "csv", "--lang", "fr")
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert [row[0] for row in rows[1:]] == [a["name"] for a in data(practice, "register")["activities"]] and {len(row) for row in rows} == {9}
    assert rows[1][1] == "Prise en charge" and rows[1][3] == "6.1.e"


def test_register_lists_the_measures_that_are_on_and_no_others(practice, tmp_path):
    on = {m["name"] for m in data(practice, "register")["security"]["measures"]}
    off = documents.Practice(tmp_path, audit="")
    plain = data(off, "register")["security"]
    assert on - {m["name"] for m in plain["measures"]} == {"trail-retention"}
    assert {"tls-database", "break-glass", "pseudonyms", "masks", "trail"} <= on and not on & {"tls-clients", "ship", "alert", "client-certificates"}
    assert [w["name"] for w in plain["weaknesses"]] == ["plaintext"]


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_an_edit_of_the_policy_changes_the_sentences_that_it_should(changed, lang):
    def lines(args):
        return [line for line in documents.Reader(page(changed, *args, lang=lang)).lines if not re.search(r"[0-9a-f]{8} (de la politique|of the access)|generation [0-9a-f]{8}", line)]

    def difference(old, new):
        """Where lines differ, each with what stands there now: none comes and none goes."""
        assert len(old) == len(new)
        return {i: (one, other) for i, (one, other) in enumerate(zip(old, new)) if one != other}

    before = {args: lines(args) for args in PAGES}
    # A title in the other language changes nothing here; in this one, the lines that have it.
    key = "title" if lang == "fr" else "title_en"
    word, other = ("Facturation", "Règlement") if lang == "fr" else ("Billing", "Payment")
    changed.edit('name = "billing"; title = "Facturation"; title_en = "Billing"', 'name = "billing"; title = "%s"; title_en = "%s"'
                 % ((other, "Billing") if lang == "fr" else ("Facturation", other)))
    for args in PAGES:
        found = difference(before[args], lines(args))
        assert found and all(one.replace(word, other, 1) == now for one, now in found.values()), (args, key)
    changed.edit('title = "%s"; title_en = "Billing"' % other if lang == "fr" else 'title_en = "%s"' % other,
                 'title = "Facturation"; title_en = "Billing"' if lang == "fr" else 'title_en = "Billing"')
    assert {args: lines(args) for args in PAGES} == before
    # The legal basis of one mission: one line of each page, which is that mission's.
    changed.edit('purpose = "HPAYMT";\n    legal_basis = "6.1.c"', 'purpose = "HPAYMT";\n    legal_basis = "6.1.f"')
    law, interest = ("une obligation légale", "un intérêt légitime") if lang == "fr" else ("a legal obligation", "a legitimate interest")
    for args in PAGES:
        (at, (one, now)), = difference(before[args], lines(args)).items()
        assert one.replace(law, interest).replace("6.1.c", "6.1.f") == now and word in " ".join(before[args][at - 2:at + 1]), (args, one, now)
    changed.edit('legal_basis = "6.1.f"', 'legal_basis = "6.1.c"')
    # How long records are kept: said nowhere, then by the policy, and each number of it in its place.
    rule = changed.policy / "95-retention.cfg"
    said = 'retention = { table = "public.patients"; last = "patients.created_at::date"; birth = "patients.birth_date"; active_years = %d; };\n'
    rule.write_text(said % 5, encoding="utf-8")
    five = {args: lines(args) for args in PAGES}
    for args in PAGES:
        found = difference(before[args], five[args])
        assert found and all("À COMPLÉTER" in one or "TO BE COMPLETED" in one for one, _ in found.values())
        assert all({"5", "15", "28"} <= set(re.findall(r"\d+", now)) for _, now in found.values())
    rule.write_text(said % 7, encoding="utf-8")
    for args in PAGES:
        found = difference(five[args], lines(args))
        assert found and all(one.replace(" 5 ", " 7 ", 1) == now for one, now in found.values()), args
    rule.unlink()


def test_rights_follow_the_legal_bases(changed):
    def rights():
        read = documents.Reader(page(changed, "notice", "--form", "leaflet", lang="en")).lines
        return [line for line in read if line.startswith("to ")]

    before = rights()
    assert [line for line in before if "object" in line] and not [line for line in before if "withdraw" in line or "receive your data" in line]
    changed.edit('purpose = "HRESCH"; max_rows = 10000;\n    legal_basis = "6.1.e"', 'purpose = "HRESCH"; max_rows = 10000;\n    legal_basis = "6.1.a"')
    consent = rights()
    assert [line for line in consent if line not in before] == ["to receive your data in a form that can be used again", "to withdraw at any time a consent that you have given"]
    for mission in ("TREAT", "PATADMIN", "HSYSADMIN"):
        changed.edit('purpose = "%s";\n    legal_basis = "6.1.e"' % mission, 'purpose = "%s";\n    legal_basis = "6.1.c"' % mission)
    assert [line for line in consent if line not in rights()] == [line for line in before if "object" in line]


def test_poster_names_who_hosts_and_where(tmp_path):
    practice = documents.Practice(tmp_path, documents.ORGANISATION.replace('country = "FR";', 'country = "US"; outside_eea_reason = "clauses contractuelles types";'))
    text = " ".join(documents.Reader(page(practice, "notice")).lines)
    assert "Hébergeur Exemple SAS" in text and "HDS-2024-0001" in text and "hors de l’Espace économique européen (US) : clauses contractuelles types" in text
    register = " ".join(documents.Reader(page(practice, "register")).lines)
    assert "Oui : clauses contractuelles types" in register


def test_an_expired_certificate_is_told_in_the_register(practice):
    _, before, _ = practice.run("register", "--lang", "fr", "--made", "2027-06-30")
    _, after, _ = practice.run("register", "--lang", "fr", "--made", "2027-07-01T12:00:00Z")
    assert "EXPIRÉ" not in before and "EXPIRÉ" in after


def test_a_rule_taken_away_leaves_the_register(changed):
    before = data(changed, "register")
    changed.edit('''  { roles = [ "biller" ]; missions = [ "billing" ]; tables = [ "public.patients" ];
    columns = { id = "show"; nir = "show"; family_name = "show"; given_name = "show"; birth_date = "show";
                address = "show"; postcode = "show"; city = "show"; }; },
''', "")
    after = data(changed, "register")
    one, other = ({c["name"] for a in d["activities"] if a["name"] == "billing" for c in a["categories"]} for d in (before, after))
    assert one - other == {"identifier", "contact"} and not other - one
    rest = [[a for a in d["activities"] if a["name"] != "billing"] for d in (before, after)]
    assert rest[0] == rest[1] and before["generation"] != after["generation"]


def test_texts_for_documents_are_not_in_the_generation(changed):
    before = data(changed, "register")["generation"]
    changed.edit('description    = "Établir les feuilles', 'description    = "Faire les feuilles')
    changed.edit('title = "Médecin"', 'title = "Médecins"')
    changed.edit('sensitive = true; },\n  { name = "billing"', 'sensitive = false; },\n  { name = "billing"')
    assert data(changed, "register")["generation"] == before


# ---- check -------------------------------------------------------------------------------------------------------------------

def checked(tmp_path, **replaced):
    text = documents.ORGANISATION
    for old, new in replaced.values():
        assert old in text
        text = text.replace(old, new)
    practice = documents.Practice(tmp_path, text)
    return practice.run("check")


def day(offset):
    import datetime
    return (datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=offset)).isoformat()


@pytest.mark.parametrize("offset, says", [(91, None), (90, "in 90 days"), (0, "in 0 days"), (-1, "expired on")])
def test_check_warns_before_the_certificate_ends(tmp_path, offset, says):
    _, out, _ = checked(tmp_path, day=("2027-06-30", day(offset)))
    lines = [line for line in out.splitlines() if "HDS" in line]
    assert len(lines) == (says is not None) and all(says in line and re.match(r".*pgvigil\.cfg:10: warning:", line) for line in lines)


@pytest.mark.parametrize("country, reason, refused", [("FR", "", False), ("US", "", True), ("US", 'outside_eea_reason = "clauses types";', False)])
def test_check_refuses_a_host_outside_the_eea_without_a_reason(tmp_path, country, reason, refused):
    code, out, err = checked(tmp_path, country=('country = "FR";', 'country = "%s"; %s' % (country, reason)))
    assert ("outside the European Economic Area" in out + err) == refused and (code != 0 or not refused)


def test_check_knows_the_hosts_people(tmp_path):
    _, out, _ = checked(tmp_path)
    assert "staff" not in out
    code, out, _ = checked(tmp_path, staff=('"admin1"', '"admin1", "gone1"'))
    assert code == 1 and re.search(r'pgvigil\.cfg:\d+: organisation\.hosting\.staff: "gone1" is no user', out)


@pytest.mark.parametrize("args", [["--format", "pdf"], ["--lang", "de"], ["--made", "yesterday"], ["more"]], ids=str)
def test_wrong_usage_is_2(practice, args):
    code, out, err = practice.run("register", *args)
    assert code == 2 and out == "" and err


def test_a_file_that_is_written_is_its_owners(practice, tmp_path):
    target = tmp_path / "register.html"
    _, out, _ = practice.run("register", *MADE, "--lang", "fr", "-o", target)
    assert out == "" and target.stat().st_mode & 0o777 == 0o600 and target.read_text(encoding="utf-8") == page(practice, "register")
    code, _, err = practice.run("register", "-o", tmp_path / "none" / "x")
    assert code == 3 and "none/x" in err
