"""
FHIR R4 AuditEvent: every record of a real trail becomes valid resources that say what the record says; what was refused, failed, was cut
off or has no end is not told as success; patients, Bundles, periods and positions.

Valid is what fhir_check.py says, which is HL7's schema and what its page adds to it.
"""
import base64
import collections
import copy
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import fhir_check
import harness
import psycopg
import pytest
import trails
import wire

OUTCOMES = {"whole", "begin", "event", "recovery"}
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


def lines_of(directory):
    """(chain, line's bytes, record) of each line, in order."""
    for path in sorted(pathlib.Path(directory).glob("audit-*.jsonl")):
        for line in path.read_bytes().splitlines(keepends=True):
            yield path.name.split("-")[1], line, json.loads(line)


def export(directory, *options, code=0, env=None, every=1):
    """The resources that `audit export` writes, every so many checked, and what it tells on standard error."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    done = subprocess.run([harness.binary(), "audit", "export", *map(str, options), str(directory)], capture_output=True, timeout=120,
                          env=environment, check=False)
    told = done.stderr.decode()
    assert done.returncode == code, told
    found = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    for one in found[::every]:
        assert not fhir_check.complaints(one), (fhir_check.complaints(one), one)
    return found, told


def position(told):
    return told.splitlines()[-1].split()[1]


def entities(event, role):
    return [e for e in event.get("entity", []) if e["role"]["code"] == role]


def details(event):
    (job,) = entities(event, "20")
    return {d["type"]: d["valueString"] for d in job.get("detail", [])}


def patients(event):
    return [e["what"]["identifier"]["value"] for e in entities(event, "1")]


def by_line(events):
    """Resources by the hash of their record's line."""
    found = collections.defaultdict(list)
    for event in events:
        found[details(event)["line"]].append(event)
    return found


def hash_of(line):
    return hashlib.sha256(line).hexdigest()


def without_patient(event):
    return {k: [e for e in v if e["role"]["code"] != "1"] if k == "entity" else v for k, v in event.items() if k != "id"}


def expanded(records):
    """The patients of a statement's records, each once."""
    found = {}
    for record in records:
        for element in record.get("patients", []):
            found.update(dict.fromkeys([element] if isinstance(element, str) else map(str, range(element[0], element[1] + 1))))
    return list(found)


def parts_of(directory):
    """(hash of its first line, the records) of each statement and event."""
    found = {}
    for chain, line, record in lines_of(directory):
        if record["type"] in OUTCOMES:
            found[chain, record["seq"]] = (hash_of(line), [record])
        elif "begin" in record:
            found[chain, record["begin"]][1].append(record)
    return list(found.values())


def the_one(directory, events, **wanted):
    """The record with these fields, and its resource: the first of those that differ in the patient only."""
    matching = [(line, r) for _, line, r in lines_of(directory) if all(r.get(k) == v for k, v in wanted.items())]
    assert len(matching) == 1, (wanted, matching)
    found = by_line(events)[hash_of(matching[0][0])]
    assert all(without_patient(e) == without_patient(found[0]) for e in found)
    return matching[0][1], found[0]


def subtypes(event):
    return [c["code"] for c in event.get("subtype", [])]


REASON = "Arrêt\u00a0cardiaque, salle \"4\" \u2014 l'équipe est prévenue"
ODD = "odd \"quotes\" \\ \x01\x1f\x7f\t\u00a0\u3000\u2028 \u00e9\U0001f600"


@pytest.fixture(scope="module")
def trail(make_stack):
    """A closed trail with everything in it; `marks` are the columns' names by which statements are found."""
    stack = make_stack()
    marks = {name: "%s_%d" % (name, random.randrange(10**9)) for name in ("shown", "wrong", "cut", "long", "odd")}
    with stack.connect("nurse1", application_name="fhir") as c:
        c.execute("SELECT id AS %(shown)s, family_name FROM patients WHERE id < 5" % marks).fetchall()
        for refused in ("SELECT nir FROM patients", "SELECT * FROM staff_salaries", "SELEC broken", "SET ROLE postgres"):
            with pytest.raises(psycopg.Error):
                c.execute(refused)
        with pytest.raises(psycopg.Error):
            c.execute("SELECT 1/0 AS %(wrong)s" % marks)
        c.execute("SET pgvigil.patient = '3'")
        c.execute("SET pgvigil.reason = '%s'" % REASON.replace("'", "''"))
        c.execute("SET pgvigil.mission = 'emergency'")
        c.execute("SELECT id FROM patients").fetchall()
    time.sleep(1.1)  # periods are told apart by the second, and this trail must have two
    with wire.open_session(stack, "reception1", application_name="fhir-long") as raw:
        raw.query("SELECT a.id AS %(long)s, repeat('x', 500) FROM patients a, wards b, wards c, wards d WHERE a.id < 4" % marks)
    raw = wire.open_session(stack, "reception1", application_name="fhir-cut")
    raw.send(wire.query("SELECT a.id AS %(cut)s, repeat('x', 5000) FROM patients a, wards b, wards c, wards d WHERE a.id < 4" % marks))
    while raw.receive()[0] != "D":
        pass
    raw.close()
    with wire.open_session(stack, "reception1", application_name=ODD) as raw:
        raw.query("SELECT id AS \"%(odd)s \x01\x1f \u2028 \"\"é\"\"\" FROM patients LIMIT 1" % marks)
    with pytest.raises(psycopg.Error):
        stack.connect("nurse1", password="wrong")
    with stack.connect("admin1", application_name="fhir-admin") as c:
        for statement in ("CREATE TABLE fhir_t (i int)", "INSERT INTO fhir_t VALUES (1)", "UPDATE fhir_t SET i = 2", "DELETE FROM fhir_t",
                          "TRUNCATE fhir_t", "SELECT count(*) FROM fhir_t"):
            c.execute(statement)
        with c.cursor().copy("COPY fhir_t FROM STDIN") as incoming:
            incoming.write_row((1,))
        with c.cursor().copy("COPY (SELECT i AS \"from\" FROM fhir_t) TO STDOUT") as outgoing:
            list(outgoing)
        c.execute("DROP TABLE fhir_t")
    deadline = time.monotonic() + 15
    while not [r for r in stack.audit_records() if r["type"] == "end" and r.get("unfinished")] and time.monotonic() < deadline:
        time.sleep(0.1)
    stack.proxy.stop()
    return stack.audit_dir, marks


@pytest.fixture(scope="module")
def exported(trail):
    return export(trail[0])[0]


@pytest.fixture
def edited(trail, tmp_path):
    """A copy of the trail to be edited: change(function of a record, True when it was changed)."""
    directory = tmp_path / "audit"
    shutil.copytree(trail[0], directory)

    def change(function):
        changed = 0
        for path in directory.glob("*.jsonl"):
            lines = []
            for line in path.read_bytes().splitlines():
                record = json.loads(line)
                new = function(record)
                changed += new is not None
                for one in [record] if new is None else new:
                    lines.append(json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode())
            path.write_bytes(b"\n".join(lines) + b"\n")
        assert changed
        return directory
    return change


# ---- every record, and what it says ----------------------------------------------------------------------------------------

def test_every_record_is_exported_once(trail, exported):
    """The ids are those of the lines: a resource leads back to its line, and no line is left out or doubled."""
    wanted = {}
    for line, parts in parts_of(trail[0]):
        for number, patient in enumerate(expanded(parts) or [None]):
            wanted["%s-%d" % (line[:32], number)] = (parts[0], patient)
    assert {e["id"] for e in exported} == set(wanted) and len(exported) == len(wanted) > 30
    for event in exported:
        record, patient = wanted[event["id"]]
        assert patients(event) == [p for p in [patient or record.get("patient")] if p]
        assert event["recorded"] == record["time"] and event["source"]["observer"]["display"] == "pgvigil"
        assert entities(event, "20")[0]["name"].split(":")[1] == str(record["seq"])
        users = [a for a in event["agent"] if a["requestor"]]
        if "person" not in record:
            assert not users and event["agent"][0]["type"]["coding"][0]["code"] == "110150"
            continue
        (user,) = users
        assert user["who"]["identifier"]["value"] == record["person"] == user["name"] and user["altId"] == record["login"]
        assert user["network"] == {"address": "127.0.0.1", "type": "2"}
        assert [r["coding"][0]["code"] for r in user.get("role", [])] == [record[k] for k in ("role",) if k in record]
        if "purpose" in record:
            code = {"system": ACT_REASON, "code": record["purpose"]}
            assert user["purposeOfUse"][0]["coding"] == [code] and event["purposeOfEvent"][0]["coding"] == [code]
            assert event["purposeOfEvent"][0]["text"] == record["mission"]
        agents = {a["type"]["coding"][0]["code"]: a for a in event["agent"] if not a["requestor"]}
        assert "110153" in agents and ("110152" in agents) == ("database" in record)
        if "database" in record:
            assert agents["110152"]["who"]["identifier"]["value"] == record["database"]


def test_query_entity_is_the_statement(trail, exported):
    by = by_line(exported)
    seen = 0
    for _, line, record in lines_of(trail[0]):
        if "sql" not in record:
            continue
        event = by[hash_of(line)][0]
        (query,) = entities(event, "24")
        assert query["type"]["code"] == "2" and set(query) == {"type", "role", "query"}
        assert base64.b64decode(query["query"]).decode("utf-8") == record["sql"]
        tables = {e["name"]: {d["type"]: d["valueString"] for d in e.get("detail", [])} for e in entities(event, "22")}
        assert set(tables) == {".".join(filter(None, (r["schema"], r["name"]))) for r in record.get("relations", [])}
        for relation in record.get("relations", []):
            told = tables[".".join(filter(None, (relation["schema"], relation["name"])))]
            for kind in ("shown", "masked"):
                assert told.get(kind, "") == ", ".join(relation[kind])
        seen += 1
    assert seen > 15


def test_statements_have_types_and_actions(trail, exported):
    found = {}
    for event in exported:
        for code in event.get("subtype", []):
            if code["system"] == "urn:pgvigil:statement" and details(event).get("tag", "COPY") != "SELECT 0":
                found.setdefault(code["code"], set()).add((event["type"]["code"], event["action"]))
    assert found["SELECT"] == {("110112", "R")} and found["INSERT"] == {("110110", "C")} and found["UPDATE"] == {("110110", "U")}
    assert found["DELETE"] == {("110110", "D")} and found["TRUNCATE"] == {("110110", "D")}
    assert found["COPY"] == {("110110", "C"), ("110112", "R")}
    assert found["CREATE TABLE"] == {("110100", "E")} == found["SET"]


def test_success_and_the_denied_twins(trail, exported):
    directory, marks = trail
    by = by_line(exported)
    told = collections.Counter()
    for _, line, record in lines_of(directory):
        if "statement" not in record or record["type"] != "whole":
            continue
        event = by[hash_of(line)][0]
        if record["decision"] == "deny":
            assert event["outcome"] == "4" and event["outcomeDesc"].startswith("refused")
            assert record.get("refused", "") in event["outcomeDesc"] and record["sqlstate"] in event["outcomeDesc"]
            told[record.get("refused")] += 1
        elif "sqlstate" in record:
            assert event["outcome"] == "4" and record["sqlstate"] in event["outcomeDesc"]
            told["error"] += 1
        else:
            assert event["outcome"] == "0" and "outcomeDesc" not in event
            told["fine"] += 1
    assert told["relation public.staff_salaries"] and told["column public.patients.nir"] and told["error"] == 1 and told["fine"] >= 4
    shown = [e for e in exported if entities(e, "24") and marks["shown"] in base64.b64decode(entities(e, "24")[0]["query"]).decode()]
    assert len(shown) in (1, 4) and {e["outcome"] for e in shown} == {"0"}


def test_statement_of_several_records_is_one_event(trail, exported):
    directory, marks = trail
    begin = [r for _, _, r in lines_of(directory) if marks["long"] in r.get("sql", "")][0]
    end = [r for _, _, r in lines_of(directory) if r["type"] == "end" and r["begin"] == begin["seq"] and r["session"] == begin["session"]][0]
    _, event = the_one(directory, exported, seq=begin["seq"], sql=begin["sql"])
    assert event["outcome"] == "0" and event["period"] == {"start": begin["time"], "end": end["time"]}
    assert details(event)["rows"] == "5184" and details(event)["tag"] == "SELECT 5184" and details(event)["bytes"] == str(end["bytes"])


def test_unfinished_statement_is_a_failure(trail, exported):
    directory, marks = trail
    begin = [r for _, _, r in lines_of(directory) if marks["cut"] in r.get("sql", "")][0]
    _, event = the_one(directory, exported, seq=begin["seq"], sql=begin["sql"])
    assert event["outcome"] == "8" and event["outcomeDesc"].startswith("unfinished") and int(details(event)["rows"]) > 0


def test_break_glass_begins_and_ends(trail, exported):
    directory, _ = trail
    for word, code in (("break-glass-begin", "110127"), ("break-glass-end", "110138")):
        record, event = the_one(directory, exported, event=word)
        assert event["type"]["code"] == "110113" and subtypes(event) == [code, word] and event["outcome"] == "0"
        assert record["reason"] == REASON and event["purposeOfEvent"][1]["text"] == REASON.replace("\u00a0", " ")
        assert event["purposeOfEvent"][0]["coding"][0]["code"] == "ETREAT"
        assert patients(event) == ["3"] and entities(event, "1")[0]["type"]["code"] == "1"
    _, event = the_one(directory, exported, break_glass=True, statement="SELECT")
    assert "break-glass" in subtypes(event) and event["action"] == "R" and event["purposeOfEvent"][1]["text"].startswith("Arrêt cardiaque")
    other = [e for e in exported if e.get("purposeOfEvent", [{}])[0].get("text") == "care"]
    assert other and not any("break-glass" in subtypes(e) for e in other)


def test_logins_and_the_servers_life(trail, exported):
    directory, _ = trail
    for word, kind, code, outcome in (("auth-failed", "110114", "110122", "4"), ("start", "110100", "110120", "0"), ("stop", "110100", "110121", "0")):
        record, event = the_one(directory, exported, event=word)
        assert (event["type"]["code"], subtypes(event), event["outcome"]) == (kind, [code, word], outcome)
        if outcome != "0":
            assert event["outcomeDesc"] == record["detail"]
    for application in ("fhir", "fhir-admin"):
        for word, code in (("connect", "110122"), ("disconnect", "110123")):
            _, event = the_one(directory, exported, event=word, application=application)
            assert (event["type"]["code"], subtypes(event), event["outcome"]) == ("110114", [code, word], "0")


def test_odd_texts_stay_readable(trail, exported):
    """What a client may send and FHIR not hold: control characters are U+FFFD, other spaces plain; the statement is exact."""
    directory, marks = trail
    record = [r for _, _, r in lines_of(directory) if marks["odd"] in r.get("sql", "")][0]
    _, event = the_one(directory, exported, seq=record["seq"], sql=record["sql"])
    assert "\x01" in record["sql"] and base64.b64decode(entities(event, "24")[0]["query"]).decode() == record["sql"]
    application = [a for a in event["agent"] if a.get("type", {}).get("coding", [{}])[0].get("code") == "110153"][0]["who"]["display"]
    wanted = "".join(" " if c in "\u00a0\u3000\u2028" else "\ufffd" if ord(c) < 32 and c != "\t" or c == "\x7f" else c for c in record["application"])
    assert application == wanted and '"quotes"' in application


# ---- patients ----------------------------------------------------------------------------------------------------------------

def on(mark, **fields):
    """A change: the record whose SQL has the mark gets fields."""
    def function(record):
        if mark not in record.get("sql", ""):
            return None
        record.update(fields)
        return [record]
    return function


def test_resource_for_each_patient(trail, edited):
    mark = trail[1]["shown"]
    directory = edited(on(mark, patients=["A-17", [3, 5], "B \u00e9 \"17\"", [-1, 0], [9223372036854775806, 9223372036854775807]]))
    line = [line for _, line, r in lines_of(directory) if mark in r.get("sql", "")][0]
    found = by_line(export(directory)[0])[hash_of(line)]
    assert [patients(e) for e in found] == [[p] for p in ("A-17", "3", "4", "5", "B \u00e9 \"17\"", "-1", "0", "9223372036854775806", "9223372036854775807")]
    assert [e["id"] for e in found] == ["%s-%d" % (hash_of(line)[:32], n) for n in range(9)]
    for event in found:
        (patient,) = entities(event, "1")
        assert patient["type"]["code"] == "1" and "detail" not in patient and patient["what"] == {
            "type": "Patient", "identifier": {"value": patients(event)[0]}}
        rest = copy.deepcopy(event)
        rest["entity"] = [e for e in rest["entity"] if e["role"]["code"] != "1"]
        rest.pop("id")
        assert rest == {k: v for k, v in dict(found[0], entity=[e for e in found[0]["entity"] if e["role"]["code"] != "1"]).items() if k != "id"}
    # One patient's: by text and by number, under the ids of the whole export; not as a part of another's.
    for wanted, numbers in (("A-17", [0]), ("4", [2]), ("9223372036854775807", [8]), ("17", []), ("04", []), ("6", []), ("A", [])):
        mine = [e for e in export(directory, "--patient", wanted)[0] if details(e)["line"] == hash_of(line)]
        assert [e["id"] for e in mine] == [found[n]["id"] for n in numbers], wanted
    glass = export(directory, "--patient", "3")[0]
    assert {"break-glass-begin", "break-glass-end"} <= {s for e in glass for s in subtypes(e)} and all(patients(e) == ["3"] for e in glass)


def test_patients_of_more_records_belong_to_their_statement(trail, edited):
    """Also more of them than are kept in memory."""
    mark = trail[1]["long"]
    begins = [r for _, _, r in lines_of(trail[0]) if mark in r.get("sql", "")]
    count = 0

    def function(record):
        nonlocal count
        if mark in record.get("sql", ""):
            record["patients"] = ["begin", [1, 2]]
            record["subjects"] = "aggregate"
            return [record]
        if record["type"] == "more" and (record["begin"], record["session"]) == (begins[0]["seq"], begins[0]["session"]):
            record["patients"] = ["%d-%s" % (count, "p" * 6000), [10 * count + 100, 10 * count + 109]] + ["x%d-%d" % (count, n) for n in range(20)]
            count += 1
            return [record]
        return None
    directory = edited(function)
    line = [line for _, line, r in lines_of(directory) if mark in r.get("sql", "")][0]
    found = by_line(export(directory)[0])[hash_of(line)]
    assert count > 30 and len(found) == 3 + count * 31
    wanted = ["begin", "1", "2"]
    for n in range(count):
        wanted += ["%d-%s" % (n, "p" * 6000)] + [str(10 * n + 100 + i) for i in range(10)] + ["x%d-%d" % (n, i) for i in range(20)]
    assert [patients(e)[0] for e in found] == wanted and len({e["id"] for e in found}) == len(found)
    assert all(e["outcome"] == "0" and details(e)["rows"] == "5184" for e in found[:20])
    assert entities(found[0], "1")[0]["detail"] == [{"type": "subjects", "valueString": "aggregate"}] and details(found[0])["subjects"] == "aggregate"


@pytest.mark.parametrize("seed", [1, 2])
def test_every_patient_of_many_overlapping_statements(seed, tmp_path):
    """Files of several chains, statements that overlap, span files and never end; then the same, compressed."""
    records = trails.make(tmp_path / "audit", seed, records=120, files=3)
    hashes = {}
    for path in (tmp_path / "audit").glob("*.jsonl"):
        for line in path.read_bytes().splitlines(keepends=True):
            hashes[int(path.name.split("-")[1]), json.loads(line)["seq"]] = hash_of(line)
    found, told = export(tmp_path / "audit", every=60)
    by = by_line(found)
    answers = trails.answers(records)
    assert len(by) == len(answers) > 60 and len({e["id"] for e in found}) == len(found)
    open_ones = 0
    for key, parts in answers.items():
        events = by[hashes[key]]
        wanted = expanded(parts)
        if not wanted and "patient" in parts[0]:
            assert patients(events[0]) == [parts[0]["patient"]] and entities(events[0], "1")[0]["detail"][0]["valueString"] == "given"
        else:
            assert [p for e in events for p in patients(e)] == wanted
        assert len(events) == max(len(wanted), 1)
        last = parts[-1]
        ended = parts[0]["type"] != "begin" or last["type"] == "end"
        open_ones += not ended
        failed = parts[0].get("decision") == "deny" or "sqlstate" in last
        assert {e.get("outcome") for e in events} == {None if not ended else "4" if failed else "0"}
        assert {details(e).get("subjects") for e in events} == {"aggregate" if any("subjects" in p for p in parts) else None}
    assert "%d statement(s) without an end" % open_ones in told and open_ones
    done = subprocess.run([harness.binary(), "audit", "compress", tmp_path / "audit"], capture_output=True, text=True, check=True)
    assert len(list((tmp_path / "audit").glob("*.zst"))) == 4, done
    assert export(tmp_path / "audit", every=1000)[0] == found
    wanted = collections.Counter(p for e in found for p in patients(e)).most_common(1)[0][0]
    assert export(tmp_path / "audit", "--patient", wanted, every=20)[0] == [e for e in found if patients(e) == [wanted]]


def test_systems_and_references(trail, edited):
    mark = trail[1]["shown"]
    directory = edited(on(mark, patients=["A-17", "not an id"]))
    line = [line for _, line, r in lines_of(directory) if mark in r.get("sql", "")][0]
    options = ("--patient-system", "urn:oid:1.2.250.1.213.1.4.8", "--patient-reference", "Patient/", "--user-system", "https://clinic.example/people",
               "--site", "Hôpital \"Nord\"")
    one, other = by_line(export(directory, *options)[0])[hash_of(line)]
    assert entities(one, "1")[0]["what"] == {"reference": "Patient/A-17", "type": "Patient",
                                             "identifier": {"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "A-17"}}
    assert "reference" not in entities(other, "1")[0]["what"] and patients(other) == ["not an id"]
    assert one["agent"][0]["who"]["identifier"] == {"system": "https://clinic.example/people", "value": "nurse1"}
    assert one["source"]["site"] == "Hôpital \"Nord\""


def test_what_is_no_record_is_told_and_the_rest_exported(trail, edited):
    mark = trail[1]["shown"]
    whole = export(trail[0])[0]
    directory = edited(on(mark, patients=["good", [5, 3], [1], 7, None, {"a": 1}, ["x", "y"], "also good"]))
    path = sorted(directory.glob("*.jsonl"))[0]
    path.write_bytes(path.read_bytes() + b"not a line\n" + b'{"seq":1,"prev":"' + b"0" * 64 + b'","time":"2026-01-31T12:00:00.000000Z","type":"whole",broken\n')
    found, told = export(directory, code=1)
    assert len(found) == len(whole) + 1 and told.count("not exported") == 8
    assert "%s:%d: not exported: this does not begin" % (path.name, len(path.read_bytes().splitlines()) - 1) in told
    line = [r for r in path.read_bytes().splitlines(keepends=True) if mark.encode() in r] or \
        [r for p in directory.glob("*.jsonl") for r in p.read_bytes().splitlines(keepends=True) if mark.encode() in r]
    assert [patients(e) for e in by_line(found)[hash_of(line[0])]] == [["good"], ["also good"]]


def test_unknown_codes_are_texts(trail, edited):
    """A purpose that HL7 does not have, a role that is no code: said as text, never as a code."""
    mark = trail[1]["shown"]
    directory = edited(on(mark, purpose="CURIOSITY", role="infirmière de nuit", subjects="aggregate", decision="perhaps"))
    line = [line for _, line, r in lines_of(directory) if mark in r.get("sql", "")][0]
    (event,) = by_line(export(directory)[0])[hash_of(line)]
    assert event["purposeOfEvent"] == [{"text": "care: CURIOSITY"}] and event["agent"][0]["role"] == [{"text": "infirmière de nuit"}]
    assert event["outcome"] == "4" and details(event)["subjects"] == "aggregate"  # what is not "allow" is not allowed


def test_new_kinds_of_records_are_exported(trail, edited):
    """A reader must not mind what later versions write: nothing is left out."""
    def function(record):
        if record.get("event") == "start":
            return [record, dict(record, event="audit-read", person="auditor", patient="3"), dict(record, event="something new"), {k: v for k, v in dict(record, type="tombstone").items() if k != "event"}]
        return None
    found = export(edited(function))[0]
    (used,) = [e for e in found if "audit-read" in subtypes(e)]
    assert used["type"]["code"] == "110101" and used["action"] == "R" and used["agent"][0]["name"] == "auditor" and patients(used) == ["3"]
    (gone,) = [e for e in found if "tombstone" in subtypes(e)]
    assert gone["type"]["code"] == "110101" and gone["action"] == "D"
    assert [e["type"]["code"] for e in found if "something new" in subtypes(e)] == ["110100"] and len([e for e in found if subtypes(e)[-1:] == ["start"]]) == 1


ROOT = pathlib.Path(__file__).resolve().parents[2]


def events_that_commands_write():
    """Every word that looks like one of their events, in the source of what writes them."""
    text = "".join(p.read_text() for p in sorted((ROOT / "tools").glob("*.c")))
    found = set(re.findall(r'"((?:retention|subject|right|request|requests)-[a-z]+(?:-[a-z]+)*)"', text))
    assert {"retention-archive-undone", "subject-erase", "right-lifted", "requests-listed"} <= found and len(found) > 20
    return found


def test_what_is_done_to_records_is_no_activity_of_the_application(trail, edited):
    """Each event of retention, erase, rectify, rights and requests: what was done, to whom, and whether it was."""
    words = sorted(events_that_commands_write())

    def function(record):
        if record.get("event") == "start":
            return [record] + [dict(record, event=word, person="anne and paul", patient="3", detail="d") for word in words]
        return None
    found = export(edited(function))[0]
    documented = (ROOT / "docs" / "audit.md").read_text()
    for word in words:
        (event,) = [e for e in found if word in subtypes(e)]
        assert event["type"]["code"] != "110100", word
        assert event["outcome"] == ("4" if word.endswith(("-undone", "-refused")) else "0"), word
        destroyed = word.startswith(("retention-destroy", "subject-erase")) and not word.endswith(("-plan", "-refused"))
        assert (event["action"] == "D") == destroyed, word
        assert patients(event) == ["3"] and "`%s`" % word in documented, word
    (other,) = [e for e in found if subtypes(e)[-1:] == ["start"]]
    assert other["type"]["code"] == "110100"


def test_rest_of_a_statement_whose_beginning_is_elsewhere_is_told(trail, edited):
    """The file with the begin line was archived: its patients cannot be exported, and that is said."""
    mark = trail[1]["long"]
    directory = edited(on(mark, patients=["x"]))
    for path in directory.glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        if mark.encode() in path.read_bytes():
            at = [n for n, line in enumerate(lines) if mark.encode() in line][0]
            path.write_bytes(b"".join(lines[at + 1:]))
    found, told = export(directory, code=1)
    assert "began with is in a file that is not here" in told and found


def test_reading_is_on_record_too(make_stack):
    stack = make_stack()
    with stack.connect("nurse1") as c:
        c.execute("SELECT count(*) FROM wards")
    found, _ = export(stack.audit_dir, "-c", stack.config_file, "--patient", "17")
    (used,) = [e for e in found if "audit-read" in subtypes(e)]
    assert used["type"]["code"] == "110101" and patients(used) == ["17"] and "export" in details(used)["detail"]
    assert stack.command("audit", "verify", stack.audit_dir).returncode == 0
    denied, told = export(stack.audit_dir, "--require-record", code=3)
    assert not denied and "no record" in told


def test_patients_are_those_of_the_rows(trail, exported):
    """Whoever PostgreSQL's answer was about, once each, however often a long result went over them."""
    directory, marks = trail
    for mark, wanted in ((marks["long"], {"1", "2", "3"}), (marks["cut"], {"1", "2", "3"})):
        mine = [e for e in exported if entities(e, "24") and mark in base64.b64decode(entities(e, "24")[0]["query"]).decode()]
        told = [p for e in mine for p in patients(e)]
        assert len(told) == len(set(told)) and set(told) <= wanted and (set(told) == wanted or mark == marks["cut"])
    parts = [parts for _, parts in parts_of(directory) if marks["long"] in parts[0].get("sql", "")][0]
    # Whether the last rows came with `end` or with a `more` before it is as they arrived.
    assert parts[-1]["type"] == "end" and len([p for p in parts if p.get("patients")]) > 5


# ---- periods, positions, Bundles -------------------------------------------------------------------------------------------------

def test_periods_meet_without_a_gap(trail, exported):
    seconds = sorted({e["recorded"][:19] for e in exported})
    assert len(seconds) > 1
    for last, first in zip(seconds, seconds[1:]):
        before, after = export(trail[0], "--to", last)[0], export(trail[0], "--from", first)[0]
        assert {e["id"] for e in before} == {e["id"] for e in exported if e["recorded"][:19] <= last}
        assert {e["id"] for e in after} == {e["id"] for e in exported if e["recorded"][:19] >= first} and before and after
        assert len(before) + len(after) == len(exported)
    assert not export(trail[0], "--to", "2001")[0] and export(trail[0], "--from", "2001-01", "--to", seconds[0][:4])[0] == exported


@pytest.mark.parametrize("options", [("--from", "yesterday"), ("--from", "2026-01-"), ("--to", "31.1.2026"), ("--bundle", "0"), ("--bundle", "5x"),
                                     ("--after", "0:1,"), ("--after", "x"), ("--after", "0:1,0:2"), ("--after", "0:1+2"), ("--after", "0:99999999999999999999"),
                                     ("--format", "csv"), ("--patient-system", "no uri"), ("--lang", "de"), ("--nonsense",)])
def test_wrong_usage(options, trail):
    found, told = export(trail[0], *options, code=2)
    assert not found and told


def test_what_cannot_be_done(trail, tmp_path):
    assert "cannot" not in export(trail[0])[1]
    assert "No such file" in export(tmp_path / "nothing", code=3)[1]
    assert "no audit file" in export(tmp_path, code=3)[1]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([harness.binary(), "audit", "export", str(trail[0])], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3 and b"No space" in done.stderr and b"--after" not in done.stderr


@pytest.mark.parametrize("size", [1, 7, 100000])
def test_bundles_hold_every_resource(size, trail, exported):
    bundles = export(trail[0], "--bundle", size)[0]
    assert [len(b["entry"]) for b in bundles[:-1]] == [size] * (len(bundles) - 1) and 0 < len(bundles[-1]["entry"]) <= size
    assert [entry["resource"] for b in bundles for entry in b["entry"]] == exported
    assert all(e["request"] == {"method": "PUT", "url": "AuditEvent/" + e["resource"]["id"]} for b in bundles for e in b["entry"])
    assert all(b["type"] == "transaction" for b in bundles)


def test_french(trail, exported):
    found = export(trail[0], "--lang", "fr")[0]
    assert found == export(trail[0], env={"LC_ALL": "fr_FR.UTF-8"})[0] and [e["id"] for e in found] == [e["id"] for e in exported]
    assert {e["language"] for e in found} == {"fr"} and any(e.get("outcomeDesc", "").startswith("refusé : ") or e.get("outcomeDesc", "").startswith("refusé")
                                                            for e in found)


# ---- a server at work -------------------------------------------------------------------------------------------------------------

def test_exports_go_on_where_they_stopped(make_stack):
    """While the server works: each record is exported once; a statement that was open has its outcome the next time, under its id."""
    stack = make_stack()
    mark = "open_%d" % random.randrange(10**9)
    with wire.open_session(stack, "reception1") as raw:
        raw.send(wire.query("SELECT a.id AS %s, repeat('x', 5000) FROM patients a, wards b, wards c, wards d WHERE a.id < 4" % mark))
        while raw.receive()[0] != "D":
            pass
        first, told = export(stack.audit_dir)
        open_then = [e for e in first if entities(e, "24") and mark in base64.b64decode(entities(e, "24")[0]["query"]).decode()]
        assert open_then and not any("outcome" in e for e in open_then) and open_then[0]["outcomeDesc"].startswith("outcome unknown") and "+" in position(told)
        with stack.connect("nurse1") as c:
            c.execute("SELECT count(*) FROM wards")
        raw.until("Z")
    second, told = export(stack.audit_dir, "--after", position(told))
    closed = [e for e in second if e["id"] in {o["id"] for o in open_then}]
    assert len(closed) == len(open_then) and {e["outcome"] for e in closed} == {"0"} and "+" not in position(told)
    stack.proxy.stop()
    third, told = export(stack.audit_dir, "--after", position(told))
    assert not export(stack.audit_dir, "--after", position(told))[0]
    parts = {e["id"]: e for part in (first, second, third) for e in part}
    assert parts == {e["id"]: e for e in export(stack.audit_dir)[0]} and len(first) + len(second) + len(third) == len(parts) + len(open_then)


def test_statement_that_pgvigils_end_cut_off(make_stack):
    """kill -9 in a result: nobody knows how it went, and nobody ever will: a major failure once the server was started again."""
    stack = make_stack()
    mark = "killed_%d" % random.randrange(10**9)
    raw = wire.open_session(stack, "reception1")
    raw.send(wire.query("SELECT a.id AS %s, repeat('x', 5000) FROM patients a, wards b, wards c, wards d WHERE a.id < 4" % mark))
    while raw.receive()[0] != "D":
        pass
    stack.proxy.process.send_signal(signal.SIGKILL)
    stack.proxy.process.wait(10)
    raw.close()
    stack.proxy.process = None

    def the_event(events):
        return [e for e in events if entities(e, "24") and mark in base64.b64decode(entities(e, "24")[0]["query"]).decode()][0]
    first, told = export(stack.audit_dir)
    assert "outcome" not in the_event(first)
    stack.serve()
    event = the_event(export(stack.audit_dir, "--after", position(told))[0])
    assert event["outcome"] == "12" and event["id"] == the_event(first)["id"] and event["outcomeDesc"].startswith("outcome unknown")
    assert event == the_event(export(stack.audit_dir)[0])


@pytest.mark.skipif(os.environ.get("PGVIGIL_SANITIZED", "OFF") not in ("", "OFF", "0"), reason="a sanitizer's memory is its own")
def test_memory_is_bounded(trail, edited):
    """A statement about 200,000 patients makes 600 MB of resources, in less than 64 MB of memory."""
    mark = trail[1]["shown"]
    directory = edited(on(mark, patients=[[1, 200000]]))
    done = subprocess.Popen([harness.binary(), "audit", "export", str(directory)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    count, size, peak = 0, 0, 0
    for line in done.stdout:
        count, size = count + 1, size + len(line)
        if count % 20000 == 0 and count <= 180000:  # it waits for us to read: it is there
            assert not fhir_check.complaints(json.loads(line))
            status = pathlib.Path("/proc/%d/status" % done.pid).read_text(encoding="ascii")
            peak = int(status.partition("VmHWM:")[2].split()[0])
    assert done.wait(60) == 0 and count > 200000 and size > 400 << 20 and 0 < peak < 64 << 10


class Repository(http.server.BaseHTTPRequestHandler):
    """What a FHIR server does with a transaction of PUTs; `refuse` so many first."""
    events, refuse, taken = {}, 0, 0

    def do_POST(self):
        bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = self.headers["Content-Type"] == "application/fhir+json" and not fhir_check.complaints(bundle)
        good = good and Repository.refuse == 0
        Repository.refuse = max(Repository.refuse - 1, 0)
        if good:
            Repository.taken += 1
            for entry in bundle["entry"]:
                Repository.events[entry["request"]["url"]] = entry["resource"]
        self.send_response(200 if good else 400)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_events_are_sent_to_a_server(trail, exported, tmp_path):
    """examples/fhir-post: what the server refuses is sent again, what it has is not, and everything is there once."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Repository)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def post(*options):
        return subprocess.run([harness.ROOT / "examples" / "fhir-post", trail[0], "http://127.0.0.1:%d/r4" % server.server_port, tmp_path / "position",
                               *options], env=dict(os.environ, PGVIGIL=harness.binary(), LC_ALL="C.UTF-8"), capture_output=True, timeout=60, check=False)
    try:
        Repository.refuse = 1
        assert post("--bundle", "10").returncode == 3 and not Repository.events and not (tmp_path / "position").exists()
        done = post("--bundle", "10")
        assert done.returncode == 0, done.stderr
        assert Repository.events == {"AuditEvent/" + e["id"]: e for e in exported} and Repository.taken == (len(exported) + 9) // 10
        assert post().returncode == 0 and Repository.taken == (len(exported) + 9) // 10  # nothing is new
    finally:
        server.shutdown()
        server.server_close()


# ---- the check itself ---------------------------------------------------------------------------------------------------------------

def spoilt(path, value):
    def function(event):
        *way, last = path
        for step in way:
            event = event[step]
        if value is None:
            del event[last]
        else:
            event[last] = value
    return function


@pytest.mark.parametrize("spoil", [
    spoilt(["type"], None), spoilt(["recorded"], None), spoilt(["recorded"], "2026-01-31"), spoilt(["agent"], []), spoilt(["agent", 0, "requestor"], None),
    spoilt(["agent", 0, "requestor"], "true"), spoilt(["source"], None), spoilt(["source", "observer"], None), spoilt(["outcome"], "5"), spoilt(["outcome"], 0),
    spoilt(["action"], "S"), spoilt(["subtype"], {"system": "x:y", "code": "z"}), spoilt(["subtype"], []), spoilt(["entity", 0, "name"], "x"),
    spoilt(["entity", 0, "query"], "no base64"), spoilt(["entity", 0, "detail"], [{"type": "a", "valueString": "b"}]), spoilt(["id"], "a b"),
    spoilt(["agent", 0, "name"], " "), spoilt(["agent", 0, "name"], "a\u00a0b\x01"), spoilt(["agent", 0, "surname"], "x"), spoilt(["type", "code"], "110999"),
    spoilt(["agent", 0, "network", "type"], "9"), spoilt(["entity", 0, "role", "code"], "99"), spoilt(["purposeOfEvent", 0, "coding", 0, "code"], "FUN"),
    spoilt(["agent", 0, "who"], {"type": "Device"}), spoilt(["entity", -1, "detail", 0, "valueString"], None), spoilt(["resourceType"], "Patient")])
def test_the_check_finds_what_is_wrong(spoil, exported):
    event = copy.deepcopy([e for e in exported if entities(e, "24") and e["agent"][0].get("network")][0])
    assert not fhir_check.complaints(event)
    spoil(event)
    assert fhir_check.complaints(event)
