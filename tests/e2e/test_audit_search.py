"""
`pgvigil audit search` and `audit index`: against going through the whole trail by other means; with damage, with forged and stale indexes,
with what a terminal or a spreadsheet would take for more than a text.
"""
import csv
import io
import json
import os
import random
import re
import shutil
import subprocess

import harness
import pytest
import trails


def pgvigil(*args, cwd="/"):
    done = subprocess.run([harness.binary(), "audit"] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, cwd=cwd)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def search(directory, *args):
    """The answers as JSON; damage is none."""
    status, out, err = pgvigil("search", "--format", "json", *args, directory)
    found = [json.loads(line) for line in out.splitlines()]
    assert status == (0 if found else 1), err
    return found


def options(wanted):
    args = []
    for key, value in wanted.items():
        name = "--" + {"person": "user"}.get(key, key.replace("_", "-"))
        args += [name] if value is True else ["%s=%s" % (name, value)]
    return args


@pytest.fixture(scope="module")
def trail(tmp_path_factory):
    directory = tmp_path_factory.mktemp("search") / "trail"
    return directory, trails.make(directory, seed=7)


@pytest.fixture(scope="module")
def indexed(trail, tmp_path_factory):
    """The same, its indexes in a directory of the auditor's."""
    place = tmp_path_factory.mktemp("indexes")
    status, out, _ = pgvigil("index", "--index", place, trail[0])
    assert status == 0 and "index(es) made" in out
    assert len(list(place.glob("*.idx"))) == len(list(trail[0].glob("*.jsonl")))
    return place


def same(found, expected):
    """As sets of statements, and each with its last figures and its end."""
    assert {(a["chain"], a["seq"]) for a in found} == set(expected)
    assert len(found) == len(expected)
    for answer in found:
        parts = expected[answer["chain"], answer["seq"]]
        first, last = parts[0], parts[-1]
        assert answer["time"] == first["time"] and answer["file"] == first["file"] and answer.get("person") == first.get("person")
        if first["type"] not in ("whole", "begin"):
            assert answer["type"] == first["type"]
            continue
        over = first["type"] == "whole" or last["type"] == "end"
        outcome = "unknown" if not over else "refused" if first["decision"] == "deny" else "error" if "sqlstate" in last else "done"
        assert answer["type"] == "statement" and answer["outcome"] == outcome, answer
        if len(parts) > 1:
            assert answer["rows"] == last["rows"]
        if last["type"] == "end":
            assert answer["ended"] == last["time"]


QUERIES = [dict(), dict(patient="17"), dict(patient="A-3"), dict(patient="é\"4"), dict(patient="017"), dict(patient="399"), dict(patient="17", inexact=True),
           dict(person="nurse1"), dict(person="o\"brien\\"), dict(person="Zoë"), dict(person="nurse"), dict(login="ward-app", role="physician"),
           dict(mission="emergency"), dict(break_glass=True), dict(table="patients"), dict(table="lab.patients"), dict(table="staff_salaries"),
           dict(column="birth_date"), dict(table="lab.patients", column="nir"), dict(column="nir"), dict(table="public.patients", column="nir"),
           dict(decision="deny"), dict(sqlstate="57014"), dict(sqlstate="42501"), dict(event="break-glass-begin"), dict(address="10.0.0.2"), dict(statement="UPDATE"),
           {"from": "2026-03"}, {"to": "2026-02"}, {"from": "2026-03-05", "to": "2026-03-05"}, {"from": "2026-04-01T10", "to": "2026-04-02T11:30"},
           {"patient": "20", "from": "2026-02", "to": "2026-06"}, {"person": "nurse2", "from": "2026-02", "to": "2026-02-09"}, dict(patient="33", person="dr.martin")]


@pytest.mark.parametrize("wanted", QUERIES, ids=str)
def test_search_finds_what_going_through_finds(trail, indexed, wanted):
    directory, records = trail
    expected = trails.expect(records, **wanted)
    same(search(directory, *options(wanted)), expected)
    same(search(directory, "--index", indexed, *options(wanted)), expected)


def test_random_queries_with_and_without_index(trail, indexed):
    directory, records = trail
    rng = random.Random(11)
    some = 0
    for _ in range(60):
        wanted = {}
        if rng.random() < 0.7:
            wanted["patient"] = rng.choice([str(rng.randrange(620)), "A-%d" % rng.randrange(60)])
        if rng.random() < 0.4:
            wanted["person"] = rng.choice(trails.PEOPLE)
        if rng.random() < 0.4:
            wanted["from"] = trails.stamp(rng.randrange(480000))[:rng.choice([7, 10, 16])]
        if rng.random() < 0.3:
            wanted["to"] = trails.stamp(rng.randrange(480000))[:rng.choice([7, 10, 16])]
        if rng.random() < 0.2:
            wanted["table"] = rng.choice(["patients", "lab.results"])
        expected = trails.expect(records, **wanted)
        some += bool(expected)
        same(search(directory, *options(wanted)), expected)
        same(search(directory, "--index", indexed, *options(wanted)), expected)
    assert some > 20


def test_subjects_are_all_or_only_the_one_asked_for(trail):
    directory, records = trail
    everything = trails.expect(records)
    for answer in search(directory):
        wanted = [e for p in everything[answer["chain"], answer["seq"]] for e in p.get("patients", [])]
        assert answer.get("patients", []) == wanted
    for answer in search(directory, "--patient=17"):
        assert all(trails.names(e, "17") for e in answer.get("patients", []))


def test_answers_come_in_the_order_of_their_ends(trail):
    times = [a.get("ended", a["time"]) for a in search(trail[0]) if a.get("outcome") != "unknown"]
    assert times == sorted(times) and len(times) > 1000


@pytest.mark.parametrize("args", [["--from", "yesterday"], ["--from", "2026-1"], ["--from", "2026-01-01T00:00:00+01:00"], ["--to", "2026-01-"], ["--inexact"],
                                  ["--format", "xml"], ["--user", b"\xff"]], ids=str)
def test_wrong_usage_is_2(trail, args):
    done = subprocess.run([harness.binary(), "audit", "search", trail[0]] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2 and done.stderr and not done.stdout


def test_no_trail_is_3(tmp_path):
    for directory in (tmp_path, tmp_path / "none"):
        status, out, err = pgvigil("search", directory)
        assert status == 3 and err and out == ""
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", ["search", "index", "report", "follow"])
def test_manual_page_has_every_option(command):
    status, out, err = pgvigil(command, "--help")
    assert status == 0 and err == "" and "Exit status" in out and all(len(line) < 130 for line in out.splitlines())
    page = (harness.ROOT / "man" / ("pgvigil-audit-%s.1" % command)).read_text(encoding="utf-8").replace("\\-", "-")
    told = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", out, re.M)) - {"--help", "--version"}
    assert told <= set(re.findall(r"--[a-z-]+", page)) and told
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
        assert "\n.SH %s\n" % section in page


# ---- what is printed ---------------------------------------------------------------------------------------------------------

def test_csv_is_rfc_4180_and_no_formula(trail):
    status, out, _ = pgvigil("search", "--format", "csv", trail[0])
    assert status == 0 and out.count("\r\n") == out.count("\n")
    rows = list(csv.reader(io.StringIO(out, newline=""), strict=True))
    found = search(trail[0])
    assert len(rows) == len(found) + 1 and {len(r) for r in rows} == {len(rows[0])}
    for row, answer in zip(rows[1:], found):
        cells = dict(zip(rows[0], row))
        assert cells["person"] == answer.get("person", "") and cells["seq"] == str(answer["seq"])
        assert cells["tables"] == ", ".join(r["schema"] + "." + r["name"] for r in answer.get("relations", []))
    cells = [c for r in rows for c in r]
    assert any(c.startswith("'=cmd") for c in cells) and not any(c.lstrip()[:1] in list("=+-@") and c.strip() for c in cells)
    assert "\x1b" not in out and "\u202e" not in out and "\\u{1b}[31m" in out


def test_text_holds_no_control_character(trail):
    status, out, _ = pgvigil("search", trail[0])
    assert status == 0 and "\\u{1b}[31m" in out and "ward\\u{202e}" in out
    assert not [c for c in out if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or c == "\u202e"]
    assert "    patients: " in out and "BREAK-GLASS" in out and "refused: relation public.staff_salaries" in out


# ---- damage ------------------------------------------------------------------------------------------------------------------

@pytest.fixture
def copy(trail, tmp_path):
    shutil.copytree(trail[0], tmp_path / "copy")
    return tmp_path / "copy", trail[1]


def test_damaged_lines_are_told_and_passed_over(copy):
    directory, records = copy
    first = sorted(directory.glob("audit-0-*"))[0]
    lines = first.read_bytes().split(b"\n")
    for n, bad in ((5, b"rubbish"), (9, lines[9][:-1]), (12, b"\0" * 40)):
        lines[n] = bad
    first.write_bytes(b"\n".join(lines))
    status, out, err = pgvigil("search", "--format", "json", directory)
    assert status == 3 and all("%s:%d: " % (first.name, n + 1) in err for n in (5, 9, 12)), err
    assert "may not be all" in err
    lost = {(0, n + 1) for n in (5, 9, 12)}
    kept = [r for r in records if (r["chain"], r["seq"]) not in lost]
    whole = {key for key, parts in trails.answers(kept).items()}
    assert {(a["chain"], a["seq"]) for a in map(json.loads, out.splitlines())} == whole


def test_broken_json_is_told_when_it_is_wanted(copy):
    directory, _ = copy
    first = sorted(directory.glob("audit-0-*"))[0]
    text = first.read_bytes()
    lines = text.split(b"\n")
    n = next(i for i, line in enumerate(lines) if b'"type":"whole"' in line)
    lines[n] = lines[n].replace(b',"port":5000', b',"port":', 1)
    first.write_bytes(b"\n".join(lines))
    status, _, err = pgvigil("search", directory)
    assert status == 3 and "%s:%d: " % (first.name, n + 1) in err


def test_half_a_line_at_the_end_is_being_written(copy):
    directory, records = copy
    last = sorted(directory.glob("audit-0-*"))[-1]
    whole = last.read_bytes()
    last.write_bytes(whole[:-20])
    found = {(a["chain"], a["seq"]) for a in search(directory)}
    assert found == set(trails.answers([r for r in records if not (r["chain"] == 0 and r["seq"] == max(x["seq"] for x in records if x["chain"] == 0))]))
    closed = sorted(directory.glob("audit-0-*"))[0]
    closed.write_bytes(closed.read_bytes()[:-20])
    status, _, err = pgvigil("search", directory)
    assert status == 3 and closed.name in err


def test_statement_without_its_begin_is_not_hidden(copy):
    """The file with the begin is gone, as after a purge: what is left names the patient, and the person."""
    directory, records = copy
    removed = sorted(directory.glob("audit-0-*"))[0]
    removed.unlink()
    kept = [r for r in records if r["file"] != removed.name]
    parts = {key: p for key, p in trails.answers(kept).items() if p[0]["type"] == "more" and p[0].get("patients")}
    assert parts
    for key, p in parts.items():
        element = p[0]["patients"][0]
        patient = element if isinstance(element, str) else str(element[0])
        status, out, err = pgvigil("search", "--format", "json", "--role", "nurse", "--patient=" + patient, directory)
        assert status in (0, 3) and "begin is not in these files" in err
        (answer,) = [a for a in map(json.loads, out.splitlines()) if (a["chain"], a["seq"]) == key]
        assert answer["headless"] is True and answer["person"] == p[0]["person"]


def is_json(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_costs_the_damaged_lines_only(copy, seed):
    """Bytes changed anywhere in the files: every record whose line is as it was is found; what is no record any more is told."""
    directory, _ = copy
    rng = random.Random(seed)
    intact, broken = set(), False
    for path in sorted(directory.glob("*.jsonl")):
        before = path.read_bytes()
        after = bytearray(before)
        for _ in range(rng.randrange(1, 12)):
            after[rng.randrange(len(after))] = rng.choice([0, 10, 34, 91, 92, 93, 123, 125, 255, rng.randrange(256)])
        path.write_bytes(after)
        kept = set(before.split(b"\n")) & set(bytes(after).split(b"\n"))
        chain = int(path.name.split("-")[1])
        for line in bytes(after).split(b"\n"):
            if line in kept and line:
                record = json.loads(line)
                if record["type"] in ("whole", "event"):
                    intact.add((chain, record["seq"]))
            elif line and b'"type":"header"' not in line:
                broken = broken or not is_json(line.decode("utf-8", "replace")) or b"\0" in line
    status, out, err = pgvigil("search", "--format", "json", directory)
    assert status in (0, 3), (status, err)
    assert status == 3 or not broken
    assert intact <= {(a["chain"], a["seq"]) for a in map(json.loads, out.splitlines())}
    for args in (["search", "--patient=17", directory], ["report", "patient", "--patient=17", directory], ["report", "break-glass", directory], ["index", directory], ["search", "--patient=17", directory]):
        assert pgvigil(*args)[0] in (0, 1, 3)


def memory_of(command):
    """KiB. A process counts what it was forked from, too: that must be small."""
    small = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    return int(subprocess.run(["/usr/bin/python3", "-S", "-c", small] + command, stdout=subprocess.PIPE, check=True, timeout=120).stdout)


def test_memory_does_not_grow_with_the_trail(tmp_path):
    """Thirty times the records, less than 8 MiB more; with many statements under way."""
    used = []
    for records in (1000, 30000):
        directory = tmp_path / str(records)
        trails.make(directory, seed=1, records=records)
        for args in (["search", "--format", "json"], ["index"], ["search", "--patient=17"], ["report", "refusals"]):
            used.append(memory_of([harness.binary(), "audit"] + args + [str(directory)]))
    grown = max(b - a for a, b in zip(used[:4], used[4:]))
    assert os.environ.get("PGVIGIL_SANITIZED") or grown < 8 * 1024, used


# ---- indexes -----------------------------------------------------------------------------------------------------------------

def test_index_of_another_file_is_told_and_not_used(copy, indexed):
    directory, records = copy
    shutil.copytree(indexed, directory, dirs_exist_ok=True)
    expected = trails.expect(records, patient="17")
    same(search(directory, "--patient=17"), expected)
    one, two = sorted(directory.glob("audit-0-*.idx"))[:2]
    two.write_bytes(one.read_bytes())
    status, out, err = pgvigil("search", "--format", "json", "--patient=17", directory)
    assert status == 0 and two.name.replace(".idx", ".jsonl") in err and "another file" in err
    same([json.loads(line) for line in out.splitlines()], expected)


def test_what_comes_behind_an_index_is_read(copy, indexed):
    """A file that has grown since it was indexed, and one whose half line at the end was completed."""
    directory, records = copy
    for cut in (0.4, 0.9):
        shorter = directory / "shorter"
        shutil.copytree(trail_of(directory), shorter, dirs_exist_ok=True)
        for path in shorter.glob("*.jsonl"):
            path.write_bytes(path.read_bytes()[:int(path.stat().st_size * cut)])
        assert pgvigil("index", "--anew", "--index", directory, shorter)[0] == 0
        for wanted in (dict(patient="17"), dict(patient="A-3"), dict(person="nurse1"), {"from": "2026-03", "to": "2026-05"}, {"patient": "20", "from": "2026-02"}):
            same(search(directory, *options(wanted)), trails.expect(records, **wanted))
        shutil.rmtree(shorter)
    status, out, _ = pgvigil("index", directory)
    assert status == 0 and "0 were there" in out
    status, out, _ = pgvigil("index", directory)
    assert status == 0 and out.startswith("0 index(es) made")


def trail_of(directory):
    """A directory with the trail's files alone."""
    other = directory.parent / "files"
    shutil.rmtree(other, ignore_errors=True)
    other.mkdir()
    for path in directory.glob("*.jsonl"):
        shutil.copy(path, other)
    return other


def test_changed_file_makes_its_index_stale(copy, indexed):
    directory, records = copy
    shutil.copytree(indexed, directory, dirs_exist_ok=True)
    first = sorted(directory.glob("audit-0-*.jsonl"))[0]
    lines = first.read_bytes().split(b"\n")
    shown = next(line for line in lines if b'"type":"whole"' in line and b'"person":"nurse1"' in line)
    for text in (b"\n".join(lines[:-2] + [shown, b""]), b"\n".join([shown] + lines[1:]), b"\n".join(lines[:30] + [b""])):
        first.write_bytes(text)
        _, _, err = pgvigil("search", "--patient=17", directory)
        assert first.name in err and "read without it" in err, err


@pytest.mark.parametrize("seed", range(6))
def test_damaged_index_hides_nothing(copy, indexed, seed):
    """Bytes changed anywhere in an index: what is found stays the same, or what is wrong is told and the file is read without it."""
    directory, records = copy
    rng = random.Random(seed)
    expected = {p: trails.expect(records, patient=p) for p in ("17", "A-3", "250")}
    for name in sorted(p.name for p in indexed.glob("*.idx")):
        bytes_ = bytearray((indexed / name).read_bytes())
        for _ in range(3):
            bytes_[rng.randrange(len(bytes_))] ^= 1 << rng.randrange(8)
        (directory / name).write_bytes(bytes_[:rng.choice([len(bytes_), len(bytes_), rng.randrange(len(bytes_))])])
    for patient, wanted in expected.items():
        same(search(directory, "--patient=" + patient), wanted)


def test_forged_index_hides_and_check_tells(copy, indexed):
    """What the manual says of forged indexes is so: one that fits its file is believed; --no-index and --check show it."""
    directory, records = copy
    shutil.copytree(indexed, directory, dirs_exist_ok=True)
    assert pgvigil("index", "--check", directory)[0] == 0
    victim = sorted(directory.glob("audit-0-*.jsonl"))[0]
    # An index of the same file without its records of the patient: first, last line and size are the same.
    text = victim.read_bytes()
    forged = text.replace(b"[17,", b"[18,").replace(b'"A-17"', b'"A-18"')
    victim.write_bytes(forged)
    (directory / (victim.stem + ".idx")).unlink()
    assert pgvigil("index", directory)[0] == 0
    victim.write_bytes(text)
    hidden = {(a["chain"], a["seq"]) for a in search(directory, "--patient=A-17")}
    shown = {(a["chain"], a["seq"]) for a in search(directory, "--no-index", "--patient=A-17")}
    assert shown == set(trails.expect(records, patient="A-17")) and hidden <= shown
    status, out, _ = pgvigil("index", "--check", directory)
    assert status == 1 and victim.stem + ".idx" in out


def test_index_goes_with_its_file(copy):
    directory, _ = copy
    assert pgvigil("index", directory)[0] == 0
    first = sorted(directory.glob("audit-1-*.jsonl"))[0]
    assert first.with_suffix(".idx").exists() and (first.with_suffix(".idx").stat().st_mode & 0o77) == 0
    first.unlink()
    status, out, _ = pgvigil("index", directory)
    assert status == 0 and "0 index(es) made" in out and not first.with_suffix(".idx").exists()


def test_compressed_files_are_searched_alike(copy, indexed):
    """Without an index, with one made of the plain files, and with one made of the compressed ones."""
    directory, records = copy
    assert pgvigil("compress", directory)[0] == 0
    assert list(directory.glob("*.jsonl.zst"))

    def check(*more):
        for wanted in (dict(), dict(patient="17"), dict(person="nurse1"), {"patient": "20", "from": "2026-02", "to": "2026-06"}):
            expected = {key: [dict(p, file=p["file"] if (directory / p["file"]).exists() else p["file"] + ".zst") for p in parts]
                        for key, parts in trails.expect(records, **wanted).items()}
            same(search(directory, *more, *options(wanted)), expected)

    check("--no-index")
    check("--index", indexed)
    status, out, _ = pgvigil("index", directory)
    assert status == 0 and "0 were there" in out
    for path in indexed.iterdir():
        assert path.read_bytes() == (directory / path.name).read_bytes()
    check()


def test_files_that_are_compressed_while_they_are_searched(copy):
    """The output is not read until the files behind the first are compressed: the search goes on in those."""
    directory, records = copy
    process = subprocess.Popen([harness.binary(), "audit", "search", "--format", "json", directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = process.stdout.readline()
    assert pgvigil("compress", directory)[0] == 0
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=60) == 0, err
    assert {(a["chain"], a["seq"]) for a in map(json.loads, [first] + out.splitlines())} == set(trails.expect(records))


def test_index_that_cannot_be_written_is_3(copy):
    directory, _ = copy
    status, _, err = pgvigil("index", "--index", directory / "none", directory)
    assert status == 3 and "none" in err
