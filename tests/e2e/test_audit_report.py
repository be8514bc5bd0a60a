"""
`pgvigil audit report`: tables against counting by other means; unused grants against what PostgreSQL shows to a session; French and English.
"""
import collections
import csv
import io
import json
import subprocess

import harness
import pytest
import trails


def pgvigil(*args, env=None):
    done = subprocess.run([harness.binary(), "audit"] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, cwd="/", env=env)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def report(kind, directory, *args):
    status, out, err = pgvigil("report", kind, "--format", "json", *args, directory)
    whole = json.loads(out)
    assert whole["report"] == kind and status == (0 if whole["rows"] else 1), err
    return whole["rows"]


@pytest.fixture(scope="module")
def trail(tmp_path_factory):
    directory = tmp_path_factory.mktemp("report") / "trail"
    return directory, trails.make(directory, seed=21)


def tables_of(parts):
    return {r["schema"] + "." + r["name"] for r in parts[0].get("relations", [])}


def is_statement(parts):
    return parts[0]["type"] in ("whole", "begin")


@pytest.mark.parametrize("patient", ["17", "A-3", "250", "nobody"])
def test_patient_tells_who_when_as_what_and_how_often(trail, patient):
    directory, records = trail
    times, tables, uncertain = collections.Counter(), collections.defaultdict(set), collections.Counter()
    for parts in trails.expect(records, patient=patient).values():
        first = parts[0]
        opening = first.get("event") == "break-glass-begin"
        if not (is_statement(parts) or opening) or first.get("decision") == "deny":
            continue
        key = (first["time"][:10], first["person"], first["role"], first["mission"], bool(first.get("break_glass")) or opening)
        times[key] += not opening
        tables[key] |= tables_of(parts) if not opening else set()
        uncertain[key] += is_statement(parts) and first["type"] == "begin" and parts[-1]["type"] != "end"
    rows = report("patient", directory, "--patient", patient)
    assert bool(rows) == (patient != "nobody")
    assert {(r["day"], r["person"], r["role"], r["mission"], r["break_glass"] == "yes"): (r["times"], set(r["tables"]), r["uncertain"]) for r in rows} \
        == {key: (times[key], tables[key], uncertain[key]) for key in times}
    assert [r["first"] for r in rows] == sorted(r["first"] for r in rows)
    # Of other patients the one who gets this table learns nothing.
    assert "patients" not in rows[0] if rows else True


def test_user_counts_what_one_person_did(trail):
    directory, records = trail
    counts = collections.Counter()
    for parts in trails.expect(records, person="nurse1").values():
        first, last = parts[0], parts[-1]
        if is_statement(parts):
            key = (first["time"][:10], first["login"], first["mission"])
            counts[key + ("statements",)] += 1
            counts[key + ("rows",)] += last.get("rows", 0)
            counts[key + ("refused",)] += first["decision"] == "deny"
    found = collections.Counter()
    for row in report("user", directory, "--user", "nurse1"):
        assert row["role"] == "nurse"
        for name in ("statements", "rows", "refused"):
            found[row["day"], row["login"], row["mission"], name] += row[name]
    assert found == counts and sum(counts.values()) > 100


def test_refusals_are_counted_by_person_and_object(trail):
    directory, records = trail
    counts = collections.Counter((r["person"], r["mission"], r["refused"]) for r in records if r.get("decision") == "deny")
    rows = report("refusals", directory)
    assert collections.Counter({(r["person"], r["mission"], r["reason"] + " " + r["object"]): r["count"] for r in rows}) == counts
    assert [r["count"] for r in rows] == sorted((r["count"] for r in rows), reverse=True)


@pytest.fixture
def glasses(tmp_path):
    """nurse1 breaks a glass, reads, is refused, ends; nurse2's never ends; another's began before the files."""
    directory = tmp_path / "trail"
    directory.mkdir()
    chain = trails.Chain(directory, 0)
    chain.file(trails.stamp(0))

    def who(session, person, patient, mission="emergency"):
        more = dict(reason="=1+1", break_glass=True, patient=patient) if mission == "emergency" else {}
        return dict(session=session, person=person, login=person, role="nurse", mission=mission, **more)

    def line(minute, kind="whole", **fields):
        return chain.line(trails.stamp(minute), kind, **fields)

    read = dict(statement="SELECT", decision="allow", relations=[dict(schema="public", name="stays", shown=["id"], masked=[])])
    line(5, **who(9, "late", "5"), **read, patients=["B"], rows=1)
    line(10, "event", event="break-glass-begin", **who(1, "nurse1", "17"), detail="60 minutes")
    line(11, **who(1, "nurse1", "17"), **read, patients=[[17, 17], [20, 22]], rows=4)
    seq = line(12, "begin", **who(1, "nurse1", "17"), **read)
    line(12, **who(2, "nurse1", "", "care"), **read, patients=["other"], rows=9)
    line(13, "event", event="break-glass-begin", **who(2, "nurse2", "18"), detail="60 minutes")
    line(14, "more", begin=seq, session=1, person="nurse1", login="nurse1", rows=2, bytes=2, patients=["C"])
    line(15, "end", begin=seq, session=1, person="nurse1", login="nurse1", rows=3, bytes=3)
    line(16, **who(1, "nurse1", "17"), statement="SELECT", decision="deny", refused="relation public.x", rows=0)
    line(17, "event", event="break-glass-end", **who(1, "nurse1", "17"), detail="left")
    line(18, "event", event="break-glass-begin", **who(1, "nurse1", "19"), detail="60 minutes")
    chain.close()
    return directory


def test_each_broken_glass_with_what_was_read_and_its_end(glasses):
    rows = {(r["person"], r["patient"]): r for r in report("break-glass", glasses)}
    assert set(rows) == {("nurse1", "17"), ("nurse1", "19"), ("nurse2", "18"), ("late", "5")}
    one = rows["nurse1", "17"]
    assert (one["opened"], one["closed"], one["end"]) == (trails.stamp(10), trails.stamp(17), "left")
    assert (one["statements"], one["rows"], one["refused"]) == (3, 7, 1)
    assert one["tables"] == ["public.stays"] and one["patients"] == ["17", "20-22", "C"] and one["reason"] == "=1+1"
    assert rows["late", "5"]["opened"] is None and rows["late", "5"]["patients"] == ["B"]
    assert rows["nurse2", "18"]["statements"] == 0 and rows["nurse2", "18"]["closed"] is None
    status, out, _ = pgvigil("report", "break-glass", "--format", "csv", glasses)
    table = list(csv.reader(io.StringIO(out, newline="")))
    assert status == 0 and "'=1+1" in table[1] and {len(r) for r in table} == {14}


def test_language_is_the_locales_or_as_asked(glasses):
    _, french, _ = pgvigil("report", "break-glass", "--lang", "fr", glasses)
    _, by_locale, _ = pgvigil("report", "break-glass", glasses, env={"LANG": "en_US.UTF-8", "LC_ALL": "fr_FR.UTF-8"})
    _, english, _ = pgvigil("report", "break-glass", glasses, env={"LANG": "C"})
    assert french == by_locale and french.startswith("Bris de glace\n") and "Motif donné" in french
    assert english.startswith("Broken glasses\n") and "Reason given" in english and "Motif" not in english
    assert {len(line.split("  ")) > 1 for line in french.splitlines()[3:6]} == {True}


@pytest.mark.parametrize("args", [["patient"], ["user"], ["nothing"], ["patient", "--patient", "1", "--lang", "de"], ["refusals", "--format", "pdf"], []], ids=str)
def test_wrong_usage_is_2(glasses, args):
    status, out, err = pgvigil("report", *args, *([glasses] if args else []))
    assert status == 2 and out == "" and err


def test_damage_is_told_and_3(glasses):
    path = next(glasses.glob("*.jsonl"))
    lines = path.read_bytes().split(b"\n")
    lines[3] = b"rubbish"
    path.write_bytes(b"\n".join(lines))
    status, out, err = pgvigil("report", "break-glass", glasses)
    assert status == 3 and "nurse2" in out and path.name + ":4:" in err


# ---- grants that nobody uses -------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack()


def seen_by(connection):
    """What exists for the session, as PostgreSQL tells it; partitions are read through their parents, views over what they show."""
    rows = connection.execute("SELECT n.nspname, c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                              " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped"
                              " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')").fetchall()
    return {("%s.%s" % (s, t), c) for s, t, c in rows}


def test_unused_grants_are_what_a_session_sees_less_what_it_read(stack, tmp_path):
    catalog = tmp_path / "catalog.cfg"
    stack.command("check", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), "--save-catalog", catalog, check=False)
    with stack.connect("nurse1") as connection:
        connection.execute("SELECT p.id, p.family_name FROM patients p JOIN stays s ON s.patient_id = p.id LIMIT 3").fetchall()
        connection.execute("SELECT count(*) FROM wards").fetchall()
        nurse = seen_by(connection)
    with stack.connect("dr.martin", mission="research") as connection:
        connection.execute("SELECT * FROM patients LIMIT 1").fetchall()
        physician = seen_by(connection)
    used = collections.defaultdict(set)
    for record in stack.audit_records():
        for r in record.get("relations", []) if record.get("decision") == "allow" else []:
            used[record["role"], record["mission"]] |= {(r["schema"] + "." + r["name"], c) for c in r["shown"] + r["masked"] + r.get("written", []) + [""]}
    with stack.superuser() as connection:
        views = {s + "." + n for s, n in connection.execute("SELECT schemaname, viewname FROM pg_views").fetchall()}
    rows = report("unused-grants", stack.audit_dir, "-c", stack.config_file, "--catalog", catalog)
    for pair, seen in ((("nurse", "care"), nurse), (("physician", "research"), physician)):
        mine = [r for r in rows if (r["role"], r["mission"]) == pair and r["table"] not in views]
        assert {(r["table"], c) for r in mine for c in r["columns"]} == seen - used[pair]
        for row in mine:
            assert row["unused"] == len(row["columns"]) and row["granted"] == len([c for t, c in seen if t == row["table"]])
            assert (row["whole"] == "yes") == ((row["table"], "") not in used[pair])
            assert row["rule"]
    tables = {r["table"]: r for r in rows if (r["role"], r["mission"]) == ("nurse", "care")}
    assert "family_name" not in tables["public.patients"]["columns"] and tables["public.patients"]["whole"] is None
    assert not [r for r in rows if r["role"] == "it-admin"]
    without = report("unused-grants", stack.audit_dir, "-c", stack.config_file)
    named = {(r["role"], r["mission"], r["table"]): r["columns"] for r in without}
    assert named["nurse", "care", "public.patients"] == tables["public.patients"]["columns"]


def test_unused_grants_need_the_policy(stack, tmp_path):
    status, _, err = pgvigil("report", "unused-grants", "-c", tmp_path / "none.cfg", stack.audit_dir)
    assert status == 3 and err


# ---- patients of a running server's rows -------------------------------------------------------------------------------------

def test_patient_is_found_by_who_really_got_the_rows(stack):
    """PostgreSQL says which patients the rows were about; nobody else appears in the answer, and a patient whom nobody read has none."""
    with stack.connect("nurse1") as connection:
        few = [i for i, in connection.execute("SELECT id FROM patients WHERE id > 10 AND id < 60 ORDER BY id LIMIT 3").fetchall()]
    with stack.connect("reception1") as connection:
        # Long enough for begin, more and end.
        many = [i for i, _ in connection.execute("SELECT id, repeat('x', 2000) AS long_one FROM patients WHERE id > 60 ORDER BY id LIMIT 90").fetchall()]
    assert len(many) == 90
    with stack.superuser() as connection:
        (unread,) = connection.execute("SELECT max(id) FROM patients").fetchone()
    assert unread not in few + many
    for patient in few:
        rows = report("patient", stack.audit_dir, "--patient", str(patient))
        assert {"nurse1"} == {r["person"] for r in rows} - {"dr.martin"} and all(r["tables"] and r["times"] >= 1 for r in rows)
    for patient in (many[0], many[50], many[-1]):
        _, out, _ = pgvigil("search", "--format", "json", "--user", "reception1", "--patient", str(patient), stack.audit_dir)
        (answer,) = [json.loads(line) for line in out.splitlines()]
        assert answer["outcome"] == "done" and answer["rows"] == 90 and "long_one" in answer["sql"]
        assert all(first <= patient <= last for first, last in answer["patients"])
    assert report("patient", stack.audit_dir, "--patient", str(unread)) == []
