"""
`pgvigil incident`: counts against going through the trail's lines by other means; the clock of 72 hours in time zones that change; the letter, the list.
"""
import collections
import csv
import datetime
import io
import json
import re
import subprocess
import zoneinfo

import documents
import harness
import pytest
import trails

SAID = ("--aware", "2026-03-28T14:30:00Z", "--nature", "vol d’un poste", "--cause", "session ouverte", "--consequences", "hameçonnage", "--measures", "mot de passe changé")


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    made = documents.Practice(tmp_path_factory.mktemp("incident"))
    made.records = trails.make(made.trail, seed=34)
    # Reading appends records of readers: what is compared is what stood there before.
    return made


def incident(practice, *args, form=None, lang="fr", env=None):
    code, out, err = practice.run("incident", "--lang", lang, *args, *(["--form", form] if form else []), practice.trail, env=env)
    return code, out, err


def report(practice, *args, **kw):
    code, out, err = incident(practice, *args, "--format", "json", *SAID, **kw)
    assert code in (0, 1), err
    return json.loads(out)


# ---- the independent count ---------------------------------------------------------------------------------------------------

TABLES = {"patients": dict(admin=["id", "ward_id", "created_at", "updated_at"], identifier=["nir", "family_name", "given_name", "sex", "birth_date"]),
          "stays": dict(admin=["id", "patient_id"])}


def category(schema, table, column):
    """From the clinic's tables as they are written there; None: in no category."""
    if schema != "public":
        return None
    return next((name for name, columns in TABLES[table].items() if column in columns), None)


def patients(parts):
    found = set()
    for record in parts:
        for element in record.get("patients", []):
            if isinstance(element, list):
                found |= {str(n) for n in range(element[0], element[1] + 1)}
            else:
                found.add(element)
    return found


def counted(records, **wanted):
    """Patients, rows and so on of what meets the filters, statement by statement."""
    total = dict(patients=set(), statements=0, rows=0, refused=0, inexact=0, uncertain=0)
    of = collections.defaultdict(set)
    uses = collections.Counter()
    people = collections.defaultdict(lambda: [0, 0, set()])
    for parts in trails.expect(records, **wanted).values():
        first, last = parts[0], parts[-1]
        if first["type"] not in ("whole", "begin"):
            continue
        if first["decision"] == "deny":
            total["refused"] += 1
            continue
        those = patients(parts)
        total["patients"] |= those
        total["statements"] += 1
        rows = last.get("rows", 0)
        total["rows"] += rows
        total["inexact"] += any("subjects" in p for p in parts)
        total["uncertain"] += first["type"] == "begin" and last["type"] != "end"
        one = people[first["person"], first["login"]]
        one[0], one[1] = one[0] + 1, one[1] + rows
        one[2].update(those)
        for relation in first["relations"]:
            for use in ("shown", "masked", "written"):
                for column in relation.get(use, []):
                    name = category(relation["schema"], relation["name"], column)
                    of[name] |= those | {("statement", first["chain"], first["seq"])}
                    uses[name, "%s.%s.%s" % (relation["schema"], relation["name"], column), use] += 1
    return total, of, uses, people


@pytest.mark.parametrize("args, wanted", [
    (["--user", "nurse1"], dict(person="nurse1")),
    (["--address", "10.0.0.2"], dict(address="10.0.0.2")),
    (["--from", "2026-01", "--to", "2026-02"], {"from": "2026-01", "to": "2026-02"}),
    (["--user", "dr.martin", "--from", "2026-02-03", "--break-glass"], {"person": "dr.martin", "from": "2026-02-03", "break_glass": True}),
    (["--table", "lab.patients"], dict(table="lab.patients")),
    (["--user", "nobody"], dict(person="nobody")),
], ids=str)
def test_counts_are_those_of_the_lines(practice, args, wanted):
    total, of, uses, people = counted(practice.records, **wanted)
    found = report(practice, *args)
    counts = found["counts"]
    assert {key: counts[key] for key in ("statements", "rows", "refused", "inexact", "uncertain")} == {key: total[key] for key in ("statements", "rows", "refused", "inexact", "uncertain")}
    assert counts["patients"] == len(total["patients"]) == len(patients([found]))
    assert patients([found]) == total["patients"] and counts["at_least"] == (total["inexact"] > 0)
    categories = {c.get("name"): c for c in found["categories"]}
    assert set(categories) == set(of)
    for name, those in of.items():
        statements = {t for t in those if isinstance(t, tuple)}
        assert (categories[name]["statements"], categories[name]["patients"]) == (len(statements), len(those - statements))
        assert {(name, c["column"], c["use"]): c["statements"] for c in categories[name]["columns"]} == {key: n for key, n in uses.items() if key[0] == name}
    assert {(p["person"], p["login"]): [p["statements"], p["rows"], p["patients"]] for p in found["persons"] if p["statements"]} \
        == {key: [one[0], one[1], len(one[2])] for key, one in people.items()}
    lines = found["timeline"]
    assert sum(line["statements"] for line in lines if "event" not in line) == total["statements"] and sum(line["refused"] for line in lines) == total["refused"]
    assert [line["first"] for line in lines] == sorted(line["first"] for line in lines)
    glasses = sum(parts[0].get("event") == "break-glass-begin" for parts in trails.expect(practice.records, **wanted).values())
    assert {line["event"]: 0 for line in lines if "event" in line} == ({"break-glass-begin": 0} if glasses else {})
    assert sum(line["statements"] for line in lines if "event" in line) == glasses


def test_enough_is_counted(practice):
    """The comparison is of something: statements, refusals, glasses, ends that nobody knows, patients by ranges and by names."""
    total, of, _, people = counted(practice.records)
    assert min(total["statements"], total["refused"], len(total["patients"])) > 200 and min(total["inexact"], total["uncertain"], len(people)) > 10 and len(of) == 3
    assert sum(parts[0].get("event") == "break-glass-begin" for parts in trails.expect(practice.records).values()) > 10


def test_what_was_written_is_told(tmp_path):
    """A statement that wrote, beside one that was to and was refused, and one that only read."""
    practice = documents.Practice(tmp_path)
    practice.trail.mkdir()
    chain = trails.Chain(practice.trail, 0)
    chain.file(trails.stamp(0))
    for minute, (person, decision, written) in enumerate([("nurse1", "allow", ["phone"]), ("nurse2", "deny", ["phone"]), ("nurse2", "allow", None)]):
        relation = dict(schema="public", name="patients", shown=["id"], masked=[], **({"written": written} if written else {}))
        chain.line(trails.stamp(minute), "whole", session=1, person=person, login=person, role="nurse", mission="care", address="10.0.0.1", statement="UPDATE" if written else "SELECT",
                   decision=decision, relations=[relation], rows=1, bytes=1, microseconds=1, patients=[[minute, minute]])
    chain.close()
    for person, writes, says in (("nurse1", 1, "(requêtes d’écriture : 1)"), ("nurse2", 0, "Aucune écriture.")):
        found = report(practice, "--user", person)
        assert found["counts"]["writes"] == writes and [t["written"] for t in found["tables"]] == [bool(writes)]
        assert [(c["column"], c["use"]) for one in found["categories"] for c in one["columns"]] == [("public.patients.id", "shown")] + ([("public.patients.phone", "written")] if writes else [])
        assert says in incident(practice, "--user", person, *SAID)[1]


def test_a_statement_of_many_patients_is_counted_whole(tmp_path):
    """More than a search lists of one statement: an export of everybody is what matters most."""
    practice = documents.Practice(tmp_path)
    practice.trail.mkdir()
    chain = trails.Chain(practice.trail, 0)
    chain.file(trails.stamp(0))
    who = dict(session=1, person="nurse1", login="nurse1", role="nurse", mission="care", address="10.0.0.1")
    seq = chain.line(trails.stamp(1), "begin", **who, statement="SELECT", decision="allow", relations=[dict(schema="public", name="patients", shown=["nir"], masked=[])])
    for part in range(4):
        numbers = [[n * 3, n * 3] for n in range(part * 10000, (part + 1) * 10000)]
        chain.line(trails.stamp(2), "more", begin=seq, session=1, person="nurse1", login="nurse1", rows=(part + 1) * 10000, bytes=9, patients=numbers)
    chain.line(trails.stamp(3), "end", begin=seq, session=1, person="nurse1", login="nurse1", rows=40001, bytes=9, patients=[[7, 7], "X"])
    chain.close()
    found = report(practice, "--user", "nurse1")
    assert found["counts"]["patients"] == 40002 and found["counts"]["rows"] == 40001 and found["counts"]["left_out"] == 0
    _, out, _ = incident(practice, "--user", "nurse1", "--format", "csv", form="list")
    assert len(list(csv.reader(io.StringIO(out, newline="")))) == 40003


def test_the_trail_alone_without_columns_counts_all_that_the_table_holds(tmp_path):
    practice = documents.Practice(tmp_path)
    practice.trail.mkdir()
    chain = trails.Chain(practice.trail, 0)
    chain.file(trails.stamp(0))
    chain.line(trails.stamp(1), "whole", session=1, person="admin1", login="admin1", role="it-admin", mission="maintenance", statement="COPY", decision="allow",
               relations=[dict(schema="public", name="consents")], rows=9, bytes=9, microseconds=1, subjects="aggregate")
    chain.line(trails.stamp(2), "whole", session=1, person="admin1", login="admin1", role="it-admin", mission="maintenance", statement="SELECT", decision="deny",
               relations=[dict(schema="public", name="patients")], refused="relation public.patients", rows=0, bytes=0, microseconds=1)
    chain.close()
    found = report(practice, "--user", "admin1")
    assert {c["name"] for c in found["categories"]} == {"admin", "legal"} and found["counts"]["columns_unknown"] == 1
    assert found["counts"]["at_least"] and [t["name"] for t in found["tables"]] == ["public.consents"]


def test_the_list_has_each_patient_once_with_what_was_touched(practice):
    total, of, _, _ = counted(practice.records, person="nurse1")
    code, out, err = incident(practice, "--user", "nurse1", "--format", "csv", form="list")
    rows = list(csv.reader(io.StringIO(out, newline="")))[1:]
    assert code == 0, err
    titles = {"admin": "données de gestion du séjour", "identifier": "identité", None: "autres données"}
    plain = [(row[0].removeprefix("'"), set(row[1].split(", "))) for row in rows]
    assert len(plain) == len(total["patients"]) and {p for p, _ in plain} == total["patients"]
    for patient, words in plain:
        assert words == {titles[name] for name, those in of.items() if patient in those}, patient
    code, out, _ = incident(practice, "--user", "nurse1", "--format", "json", form="list")
    assert code == 0 and patients([json.loads(out)]) == total["patients"]


# ---- the clock ---------------------------------------------------------------------------------------------------------------

def clock(practice, aware, zone, made=None):
    args = ["--user", "nurse1", "--aware", aware] + (["--made", made] if made else [])
    code, out, err = incident(practice, *args, "--format", "json", env={"TZ": zone})
    return code, json.loads(out)["clock"] if code in (0, 1) else None, err


@pytest.mark.parametrize("zone", ["Europe/Paris", "Pacific/Noumea", "America/Cayenne", "Indian/Reunion", "Pacific/Marquesas", "America/Miquelon", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("aware", ["2026-03-26T12:00", "2026-03-27T23:59:59", "2026-03-28T14:30", "2026-10-22T09:15", "2026-10-24T23:00", "2026-10-25T04:00", "2026-12-30T12:00", "2028-02-27T12:00"])
def test_the_deadline_is_72_hours_later_in_every_zone(practice, aware, zone):
    _, found, _ = clock(practice, aware, zone)
    local = datetime.datetime.fromisoformat(aware).replace(tzinfo=zoneinfo.ZoneInfo(zone))
    instant = local.astimezone(datetime.timezone.utc)
    deadline = instant + datetime.timedelta(hours=72)
    assert datetime.datetime.fromisoformat(found["aware"]) == instant and found["aware_utc"] == instant.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert datetime.datetime.fromisoformat(found["deadline"]) == deadline and found["deadline_utc"] == deadline.strftime("%Y-%m-%dT%H:%M:%SZ")
    # As the clocks on that wall show it, with the offset of that day.
    wall = deadline.astimezone(zoneinfo.ZoneInfo(zone))
    assert found["deadline"][:19] == wall.strftime("%Y-%m-%dT%H:%M:%S") and datetime.datetime.fromisoformat(found["deadline"]).utcoffset() == wall.utcoffset()


def test_over_a_change_of_clocks_the_wall_shows_an_hour_more_or_less(practice):
    assert clock(practice, "2026-03-28T14:30", "Europe/Paris")[1]["deadline"] == "2026-03-31T15:30:00+02:00"
    assert clock(practice, "2026-10-24T14:30", "Europe/Paris")[1]["deadline"] == "2026-10-27T13:30:00+01:00"


@pytest.mark.parametrize("zone, aware, says", [
    ("Europe/Paris", "2026-03-29T02:30", "never show"), ("Europe/Paris", "2026-10-25T02:30", "twice"), ("Europe/Paris", "2026-10-25T02:00", "twice"), ("Europe/Paris", "2026-03-29T02:00", "never show"),
    ("Australia/Lord_Howe", "2026-04-05T01:45", "twice"), ("America/Miquelon", "2026-03-08T02:10", "never show")])
def test_a_time_that_is_none_or_two_is_refused_until_its_offset_is_said(practice, zone, aware, says):
    code, _, err = clock(practice, aware, zone)
    assert code == 2 and says in err
    code, found, _ = clock(practice, aware + "+02:00", zone)
    assert code == 1 and found["aware_utc"] == (datetime.datetime.fromisoformat(aware) - datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("zone, aware", [("Europe/Paris", "2026-03-29T01:59:59"), ("Europe/Paris", "2026-03-29T03:00"), ("Europe/Paris", "2026-10-25T03:00"), ("Europe/Paris", "2026-10-25T01:59"),
                                         ("Pacific/Noumea", "2026-03-29T02:30"), ("Pacific/Noumea", "2026-10-25T02:30")])
def test_the_minutes_beside_are_taken(practice, zone, aware):
    _, found, err = clock(practice, aware, zone)
    assert found and datetime.datetime.fromisoformat(found["aware"]) == datetime.datetime.fromisoformat(aware).replace(tzinfo=zoneinfo.ZoneInfo(zone)), err


@pytest.mark.parametrize("made, left, late", [("2026-03-28T14:30:00Z", 72 * 3600, False), ("2026-03-31T14:30:00Z", 0, False), ("2026-03-31T14:30:01Z", -1, True), ("2026-04-01T00:00:00+02:00", -27000, True)])
def test_what_is_left_is_to_the_second(practice, made, left, late):
    _, found, _ = clock(practice, "2026-03-28T14:30:00Z", "Pacific/Noumea", made)
    assert (found["left_seconds"], found["late"]) == (left, late)


@pytest.mark.parametrize("aware", ["yesterday", "2026-02-29", "2026-03-28T24:00", "2026-03-28T14", "2026-03-28T14:30+1", "2026-03-28 14:30 ", "28/03/2026", ""])
def test_what_is_no_time_is_refused(practice, aware):
    code, out, err = incident(practice, "--user", "nurse1", "--aware", aware)
    assert code == 2 and out == "" and "a time is" in err


# ---- pages -------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("form, least, most", [("report", 3, 30), ("letter", 1, 2)])
def test_pages_print_on_a4_with_their_text(practice, tmp_path, lang, form, least, most):
    code, out, err = incident(practice, "--user", "nurse1", "--from", "2026-03", "--to", "2026-03", *SAID, form=form, lang=lang, env={"TZ": "Europe/Paris"})
    assert code == 0, err
    pages, width, height, text = documents.print_pdf(out, tmp_path)
    assert least <= pages <= most and abs(width - 595.3) < 1.5 and abs(height - 841.9) < 1.5
    printed = re.sub(r"\s+", "", text)
    for said in ("vol d’un poste", "hameçonnage", "mot de passe changé", "Paul Martin", "www.cybermalveillance.gouv.fr"):
        assert said.replace(" ", "") in printed
    if form == "report":
        assert ("31mars2026à16h30(UTC+02:00)" if lang == "fr" else "31March2026,16:30(UTC+02:00)") in printed
    read = documents.Reader(out)
    assert ("html", "lang", lang) in read.attributes and not {"script", "img", "link"} & set(read.tags)
    assert read.tags.count("th") == len([a for a in read.attributes if a[0] == "th" and a[1] == "scope"])


def test_what_was_typed_stays_text(tmp_path):
    practice = documents.Practice(tmp_path)
    practice.trail.mkdir()
    chain = trails.Chain(practice.trail, 0)
    chain.file(trails.stamp(0))
    evil = "<script>alert(1)</script>"
    chain.line(trails.stamp(1), "whole", session=1, person=evil, login=evil, role="nurse", mission="care", address="10.0.0.1", application="a\x1b[31m\u202eb", statement="SELECT", decision="allow",
               relations=[dict(schema="public", name="<b>", shown=["<i>"], masked=[])], rows=1, bytes=1, microseconds=1, patients=["<u>", "=1+1"])
    chain.close()
    _, out, _ = incident(practice, "--user", evil, *SAID, "--nature", evil)
    read = documents.Reader(out)
    assert not {"script", "b", "i", "u"} & set(read.tags) and "\x1b" not in out and "\u202e" not in out
    assert any(evil in line for line in read.lines) and any("a\\u{1b}[31m\\u{202e}b" in line for line in read.lines)
    _, out, _ = incident(practice, "--user", evil, "--format", "csv", form="list")
    assert "'=1+1" in out


def test_what_must_be_judged_is_marked(practice):
    code, out, err = incident(practice, "--user", "nurse1")
    assert code == 1 and set(re.findall(r"to be completed: (.*)", err)) == {"--aware", "--nature", "--cause", "--consequences", "--measures"}
    assert out.count("À COMPLÉTER") == 5
    code, out, err = incident(practice, "--user", "nurse1", form="letter")
    assert code == 1 and set(re.findall(r"to be completed: (.*)", err)) == {"--nature", "--consequences", "--measures"}


def test_reading_is_on_record(practice):
    before = len(audit_reads(practice))
    code, _, err = incident(practice, "--user", "nurse1", *SAID)
    reads = audit_reads(practice)
    assert code == 0 and "no record" not in err and len(reads) == before + 1
    assert reads[-1]["detail"].startswith("incident ") and "--user nurse1" in reads[-1]["detail"]
    code, out, err = incident(practice, "--user", "nurse1", "--key", practice.folder / "none.pem", "--require-record")
    assert code == 3 and "nothing is read" in err


def audit_reads(practice):
    lines = [json.loads(line) for path in sorted(practice.trail.glob("audit-1*.jsonl")) for line in path.read_text().splitlines()]
    return [line for line in lines if line.get("event") == "audit-read"]


def test_damage_is_told_and_3(tmp_path):
    practice = documents.Practice(tmp_path)
    trails.make(practice.trail, seed=3, records=300)
    path = sorted(practice.trail.glob("audit-0-*.jsonl"))[0]
    lines = path.read_bytes().split(b"\n")
    lines[4] = b"rubbish"
    path.write_bytes(b"\n".join(lines))
    code, out, err = incident(practice, "--from", "2026", *SAID)
    assert code == 3 and path.name + ":5:" in err and "n’a pas pu être lue" in out and "</html>" in out


@pytest.mark.parametrize("args", [[], ["--user", "x", "--form", "poem"], ["--user", "x", "--form", "list"], ["--user", "x", "--format", "csv"], ["--user", "x", "--form", "list", "--format", "html"], ["--from", "x"]], ids=str)
def test_wrong_usage_is_2(practice, args):
    code, out, err = incident(practice, *args)
    assert code == 2 and out == "" and err


def test_no_record_is_1_and_no_trail_3(practice, tmp_path):
    code, out, err = incident(practice, "--user", "nobody", *SAID)
    assert code == 1 and "to be completed" not in err and "</html>" in out
    assert "n’a pas pu être lue" not in out
    for nothing in (tmp_path, tmp_path / "none"):
        done = subprocess.run([harness.binary(), "incident", "-c", practice.config, "--user", "x", nothing], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 3 and done.stdout == b"" and done.stderr


def test_a_timeline_that_is_cut_says_so_and_the_numbers_are_whole(tmp_path):
    practice = documents.Practice(tmp_path)
    practice.trail.mkdir()
    chain = trails.Chain(practice.trail, 0)
    chain.file(trails.stamp(0))
    for n in range(20010):
        chain.line(trails.stamp(n), "whole", session=1, person="nurse1", login="nurse1", role="nurse", mission="care", address="10.0.0.1", application="a%d" % n, statement="SELECT",
                   decision="deny" if n == 20009 else "allow", relations=[], rows=1, bytes=1, microseconds=1, patients=[[n, n]])
    chain.close()
    found = report(practice, "--user", "nurse1")
    assert (found["counts"]["statements"], found["counts"]["patients"], found["counts"]["refused"]) == (20009, 20009, 1)
    assert len(found["timeline"]) == 20000 and found["timeline_cut"] == 10 and found["persons"][0]["statements"] == 20009
    _, out, _ = incident(practice, "--user", "nurse1", *SAID)
    assert out.count("<tr>") < 2100 and "20 000 lignes" in out and "18000 lignes de plus" in " ".join(documents.Reader(out).lines)


# ---- of a real server --------------------------------------------------------------------------------------------------------

def test_a_session_of_the_clinics_is_told_as_postgresql_has_it(make_stack):
    """What nurse1 reads through pgvigil, against whose rows PostgreSQL itself says these are."""
    stack = make_stack(config=documents.ORGANISATION)
    with stack.connect("nurse1", mission="care") as nurse:
        rows = nurse.execute("SELECT p.id, p.family_name, o.value FROM patients p JOIN observations o ON o.patient_id = p.id WHERE p.id % 7 = 0").fetchall()
        own = nurse.execute("SELECT id, allergies FROM patients WHERE ward_id = 2").fetchall()
        for hidden in ("SELECT nir FROM patients", "SELECT * FROM staff_salaries"):
            with pytest.raises(Exception):
                nurse.execute(hidden).fetchall()
    with stack.connect("reception1", mission="admission") as other:
        other.execute("SELECT family_name FROM patients").fetchall()
    with stack.cluster.superuser(stack.databases["records"]) as c:
        joined = c.execute("SELECT p.id FROM patients p JOIN observations o ON o.patient_id = p.id WHERE p.id % 7 = 0 AND p.ward_id IN (1, 2)").fetchall()
        second = c.execute("SELECT id FROM patients WHERE ward_id = 2").fetchall()
    assert len(rows) == len(joined) > 10 and len(own) == len(second) > 10
    touched = {str(i) for (i,) in joined + second}
    done = stack.command("incident", "-c", stack.config_file, "--user", "nurse1", "--format", "json", "--lang", "fr", *SAID, stack.folder / "audit", check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert patients([found]) == touched and found["counts"]["patients"] == len(touched) and not found["counts"]["at_least"]
    assert found["counts"]["rows"] == len(rows) + len(own) and found["counts"]["refused"] == 2
    assert {c["name"] for c in found["categories"]} == {"admin", "identifier", "medical"}
    medical = next(c for c in found["categories"] if c["name"] == "medical")
    assert medical["sensitive"] and {c["column"] for c in medical["columns"]} == {"public.observations.value", "public.patients.allergies"}
    assert [p["person"] for p in found["persons"]] == ["nurse1"] and {t["name"] for t in found["tables"]} == {"public.patients", "public.observations"}
    # The clinic's register and review, from the same files as the server that is running.
    for command in (["register"], ["review", stack.folder / "audit"], ["notice"]):
        done = stack.command(command[0], "-c", stack.config_file, "--lang", "fr", *command[1:], check=False)
        assert done.returncode in (0, 1) and "</html>" in done.stdout, done.stderr
