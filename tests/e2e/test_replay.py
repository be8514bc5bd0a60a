"""
pgvigil replay: the log that PostgreSQL itself wrote while statements ran says of each what observe mode has recorded of it, and
so what enforcing does (test_observe.py compares those two).
"""
import collections
import json
import os
import re
import resource
import shutil
import subprocess
import time

import harness
import oracle_schema
import pytest
import test_observe
import wire
from hostile_statements import EXISTENCE, HOSTILE
from oracle_statements import DENIED, STATEMENTS

PREFIX = "%m [%p] %q%u@%d app=%a %c "
LOGGING = ["logging_collector = on", "log_destination = 'stderr,csvlog,jsonlog'", "log_directory = 'log'", "log_filename = 'pg.log'",
           "log_rotation_size = 0", "log_rotation_age = 0", "log_statement = 'all'", "log_line_prefix = '%s'" % PREFIX]
PAIRS = test_observe.PAIRS


@pytest.fixture(scope="module")
def logged():
    """A server that logs in all three forms, and pgvigil in observe mode before it."""
    with harness.Cluster(settings=LOGGING) as cluster:
        with harness.Stack(cluster=cluster, database=test_observe.OBSERVE, deploy=False, **test_observe.CLINIC) as stack:
            stack.command("check", "-c", stack.config_file, "--database", "records", "--save-catalog", "catalog.cfg", check=False)
            stack.logs = cluster.folder / "data" / "log"
            yield stack


def files(stack):
    return {"csv": ["pg.csv"], "json": ["pg.json"], "stderr": ["--prefix", PREFIX, "pg.log"]}


def replay(stack, *args, policy=None):
    done = subprocess.run([harness.binary(), "replay"] + ([] if "--observed" in args else ["--policy", str(policy or stack.policy), "--catalog", str(stack.folder / "catalog.cfg")]) + [str(a) for a in args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, cwd=stack.logs)
    return done.returncode, done.stdout, done.stderr


def settle(stack, mark):
    """Until the collector has written what was asked last."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if all(mark.encode() in (stack.logs / name).read_bytes() for name in ("pg.csv", "pg.json", "pg.log")):
            return
        time.sleep(0.05)
    raise AssertionError("the log does not have %s" % mark)


@pytest.fixture(scope="module")
def ran(logged):
    """The statements of three pairs, in observe mode; {mark: record}."""
    texts = [s.sql for s in STATEMENTS if not s.params] + [s for _, s in DENIED] + [s for _, s in HOSTILE] + EXISTENCE
    texts = [t for t in dict.fromkeys(texts) if not test_observe.OWN.search(t) and "pg_sleep" not in t and "backend(" not in t]
    for user, mission in PAIRS.values():
        session = test_observe.Marked(logged, user, mission)
        for sql in texts:
            session.ask(sql.replace("{db}", logged.databases["records"]))
        session.raw.query("SET application_name = 'over-%s'" % user)
        session.raw.query("SELECT 'over-%s'" % user)
        session.raw.close()
        settle(logged, "over-%s" % user)
        assert test_observe.observed(logged, lambda r, name="over-%s" % user: r.get("application") == name)
    return test_observe.by_mark(logged)


def each(output):
    """{mark: line} of --each; the statement is the one between SAVEPOINT and ROLLBACK."""
    found = {}
    for line in output.splitlines():
        one = json.loads(line)
        if re.fullmatch(r"[\w.]+-\d+", one.get("application", "")) and not re.match(r"SAVEPOINT|ROLLBACK", one.get("sql", "")):
            found.setdefault(one["application"], one)
    return found


def statements_of(stack):
    """{mark: how many statements its text has}."""
    return collections.Counter(r.get("application") for r in stack.audit_records() if "observed" in r and r["statement"] not in ("SAVEPOINT", "ROLLBACK"))


def findings_of(record):
    """What a record's observation amounts to, in the words of the report."""
    seen, found = record["observed"], []
    if seen["decision"] == "deny":
        return [("refused", seen["reason"], seen["object"], None)]
    for relation in seen.get("relations", []):
        name = relation["schema"] + "." + relation["name"]
        for kind in ("hidden", "masked"):
            if relation[kind]:
                found.append((kind, None, name, ", ".join(relation[kind])))
        if relation.get("filtered"):
            found.append(("filtered", None, name, None))
    return found


def shown(one):
    return [(f["kind"], f.get("reason"), f["object"], f.get("columns")) for f in one["findings"]]


@pytest.mark.parametrize("form", ["csv", "json", "stderr"])
@pytest.mark.parametrize("pair", PAIRS)
def test_log_says_what_was_observed(pair, form, logged, ran):
    user, mission = PAIRS[pair]
    status, out, err = replay(logged, "--each", "--skip", "pgvigil,postgres", "--user", user, "--mission", mission, *files(logged)[form])
    assert status == 1, err
    told, wrong, refused, compared, alone = each(out), [], 0, 0, statements_of(logged)
    for mark, record in ran.items():
        if record["person"] != user:
            continue
        seen = record["observed"]
        if mark not in told:  # what does not parse is not logged
            assert seen.get("reason") == "syntax", record
            continue
        one, compared = told[mark], compared + 1
        refused += one["decision"] == "deny"
        # A text of several statements has a record for each.
        same = one["decision"] == seen["decision"] and one.get("sqlstate") == seen.get("sqlstate") and one["user"] == user and one["mission"] == mission
        if not same or (shown(one) != findings_of(record) and alone[mark] == 1):
            wrong.append((mark, record.get("sql"), one, seen))
    assert not wrong, wrong[:3]
    assert compared > 500 and refused > 150


def test_trail_says_what_was_observed(logged, ran):
    """Normalised texts, judged again: as they were, or counted as unreadable."""
    status, out, err = replay(logged, "--each", logged.audit_dir)
    assert status == 1, err
    told, wrong, missing = each(out), [], 0
    alone = statements_of(logged)
    for mark, record in ran.items():
        if alone[mark] > 1:
            continue  # in the trail the statements of a text stand one by one
        if mark not in told:
            missing += 1
        elif told[mark]["decision"] != record["observed"]["decision"] or told[mark].get("sqlstate") != record["observed"].get("sqlstate"):
            wrong.append((mark, record["sql"], told[mark], record["observed"]))
    # What hangs on a constant's value cannot be told without it: the names and values of settings.
    wrong = [w for w in wrong if not re.match(r"(SET|SHOW|RESET) ", w[1])]
    assert not wrong, wrong[:3]
    assert missing < len(ran) / 10, missing
    status, out, err = replay(logged, "--json", logged.audit_dir)
    left = json.loads(out)["not_judged"]
    assert left["unparsed"] + left["clipped"] >= missing > 0


def test_observed_report_is_the_records(logged, ran):
    status, out, err = replay(logged, "--observed", "--json", logged.audit_dir)
    assert status == 1, err
    report = json.loads(out)
    sums, found = collections.Counter(), collections.Counter()
    records = [r for r in logged.audit_records() if "observed" in r]
    for record in records:
        who = tuple(record.get(k) or None for k in ("application", "person", "role", "mission"))
        sums[who] += 1
        for finding in findings_of(record):
            found[who + finding] += 1
    assert report["statements"] == len(records) == sum(sums.values())
    assert report["refused"] == sum(1 for r in records if r["observed"]["decision"] == "deny")
    got = {tuple(g.get(k) or None for k in ("application", "user", "role", "mission")): g for g in report["groups"]}
    assert {who: g["statements"] for who, g in got.items()} == dict(sums)
    counted = {who + (f["kind"], f.get("reason"), f["object"], f.get("columns")): f["count"] for who, g in got.items() for f in g["findings"]}
    assert counted == dict(found)
    assert [g["refused"] for g in report["groups"]] == sorted((g["refused"] for g in report["groups"]), reverse=True)
    for group in report["groups"]:
        for one, other in zip(group["findings"], group["findings"][1:]):
            assert one["kind"] != other["kind"] or one["count"] >= other["count"]
    hints = [f["hint"] for g in report["groups"] for f in g["findings"] if f.get("reason") in ("relation", "column") and f["object"] in ("public.invoices", "public.patients.nir")]
    assert hints and all(re.search(r"in the policy|The rule at 4\d-rules-\w+\.cfg:\d+", h) for h in hints), hints


def test_no_literal_is_printed(logged):
    """Nor any other constant, whatever the form of the log or of the output."""
    with logged.connect("nurse1", application_name="secret") as c:
        for sql in ("SELECT * FROM staff_salaries WHERE gross = 987612345", "SELECT * FROM patients WHERE city = 'ZZSECRET' AND nir LIKE E'ZZ\\x53ECRET%'", "SELECT 'ZZSECRET'::regclass",
                    "PREPARE zz AS SELECT 'ZZSECRET', 987612345", "EXECUTE zz", "SET search_path = 'ZZSECRET'", "COPY (SELECT 'ZZSECRET') TO STDOUT (DELIMITER 'Z')", "DO 'BEGIN PERFORM ''ZZSECRET''; END'",
                    "SELECT $$ZZSECRET$$ || $x$ZZSECRET$x$ /* ZZSECRET */ -- ZZSECRET", "SELECT nothing_there('ZZSECRET')", "CREATE TABLE zz (a text DEFAULT 'ZZSECRET')", "COMMENT ON TABLE zz IS 'ZZSECRET'", "DROP TABLE zz"):
            c.pgconn.exec_(sql.encode())
        c.pgconn.exec_params(b"SELECT * FROM staff_salaries WHERE gross = $1 AND $2::text <> ''", [b"987612345", b"ZZSECRET"])
        c.execute("SET application_name = 'secret-over'")
        c.execute("SELECT 1")
    settle(logged, "secret-over")
    for name, args in dict(files(logged), trail=[logged.audit_dir], observed=["--observed", logged.audit_dir]).items():
        for more in ([], ["--json"], ["--each"]):
            status, out, err = replay(logged, *more, "--map", "pgvigil_dba=nurse1", *args)
            assert status == 1, err
            assert name == "trail" or "staff_salaries" in out
            # A comment is kept by the normaliser, as in the trail; a name that the client made up too.
            assert not re.search(r"(?<!/\* )(?<!-- )ZZSECRET", re.sub(r"/\* ZZSECRET|-- ZZSECRET", "", out)) and "987612345" not in out + err, (name, more, out[out.find("ZZSECRET") - 300:][:400])


def run(stack, *statements, user="postgres"):
    """As the superuser, directly: [(protocol, text)] with a duration's threshold instead of log_statement."""
    with stack.superuser() as c:
        c.execute("SET log_statement = 'none'; SET log_min_duration_statement = 0; SET application_name = 'durations'")
        for way, sql in statements:
            if way == "simple":
                c.pgconn.exec_(sql.encode())
            else:
                c.pgconn.exec_params(sql.encode(), [])
        c.execute("SET application_name = 'durations-over'")
        c.execute("SELECT 'durations-over'")
    settle(stack, "durations-over")


def test_durations_hold_each_statement_once(logged):
    run(logged, ("simple", "SELECT id FROM wards -- s1"), ("extended", "SELECT nir FROM patients -- e1"), ("simple", "SELECT * FROM staff_salaries\n\twhere id = 1 -- s2"))
    for name, args in files(logged).items():
        _, out, err = replay(logged, "--each", "--user", "nurse1", *args)
        lines = [json.loads(x) for x in out.splitlines()]
        mine = [(one["decision"], one["sql"]) for one in lines if one.get("application") == "durations" and "FROM" in one["sql"]]
        assert [(d, s.split("-- ")[1]) for d, s in mine] == [("allow", "s1"), ("deny", "e1"), ("deny", "s2")], (name, mine)


def test_sessions_keep_their_path_and_mission(logged):
    with logged.connect("nurse1", application_name="path") as c:
        c.execute("SELECT count(*) FROM patients -- 1")
        c.execute("BEGIN")
        c.execute('SET LOCAL search_path = "Étage"')
        c.execute("SELECT cote FROM patients -- 2")
        c.execute("COMMIT")
        c.execute("SELECT family_name FROM patients -- 3")
        c.execute('SET search_path = "Étage", public')
        c.execute("SELECT cote FROM patients -- 4")
        c.execute("BEGIN; SET search_path = public")
        c.execute("SELECT family_name FROM patients -- 5")
        c.execute("ROLLBACK")
        c.execute("SELECT cote FROM patients -- 6")
        c.execute("RESET search_path")
        c.execute("SELECT family_name FROM patients -- 7")
        c.execute("SET application_name = 'path-over'")
        c.execute("SELECT 1")
    settle(logged, "path-over")
    for name, args in files(logged).items():
        _, out, _ = replay(logged, "--each", "--user", "nurse1", *args)
        mine = [json.loads(x) for x in out.splitlines()]
        got = {one["sql"].split("-- ")[1]: one["decision"] for one in mine if one.get("application") == "path" and "-- " in one.get("sql", "")}
        assert got == {str(n): "allow" for n in range(1, 8)}, (name, got)
    status, _, _ = replay(logged, "--each", "--user", "nurse1", "--path", "app", "pg.csv")
    assert status == 1


def test_report_is_for_people(logged, ran):
    status, out, err = replay(logged, "--map", "pgvigil_dba=nurse1/nurse/care", "--skip", "pgvigil,postgres", "pg.csv")
    assert status == 1 and err == ""
    assert re.match(r"\d+ statement\(s\), \d+ would be refused; from 20\d\d-.* to 20\d\d-", out)
    assert re.search(r"not judged: \d+ statement\(s\) are of other databases", out) and "--skip" in out
    assert re.search(r"\napplication nurse1-\d+, user nurse1, role nurse, mission care: \d+ statement\(s\), 1 refused", out)
    assert re.search(r"  refused         1x  relation public\.staff_salaries\n             change: No rule for roles", out)
    assert "\x1b" not in out


def write(path, *lines):
    path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def csv_line(message, user="nurse1", application="app", database="DB", stamp="2026-01-02 03:04:05.678 UTC", session="s.1"):
    quote = lambda text: '"' + text.replace('"', '""') + '"'  # noqa: E731
    fields = [stamp, quote(user), quote(database), "1", '"127.0.0.1:1"', session, "1", '"SELECT"', stamp, "3/1", "0", "LOG", "00000", quote(message)] + [""] * 8 + [quote(application), '"client backend"', "", "0"]
    return ",".join(fields) + "\n"


def decisions(stack, path, *args):
    status, out, err = replay(stack, "--each", "--log-database", "*", *args, path)
    assert status in (0, 1), err
    return [(json.loads(x)["decision"], json.loads(x).get("sql")) for x in out.splitlines()]


def test_broken_lines_are_left_out(logged, tmp_path):
    """A file that begins in the middle of a record, lines of something else, the end cut off."""
    good, bad = csv_line('statement: SELECT id\nFROM "wards"'), csv_line("statement: SELECT * FROM invoices")
    path = write(tmp_path / "a.csv", 'FROM x WHERE y = "z"""\nmore", and, more\n', good, "garbage\n", "2026-01-02 03:04:05 UTC,too,few\n", b"\xff\xfe\n", bad, good[:40])
    assert [d for d, _ in decisions(logged, path)] == ["allow", "deny"]
    _, out, _ = replay(logged, "--json", "--log-database", "*", path)
    assert json.loads(out)["not_judged"]["broken"] == 6
    lines = [json.dumps({"timestamp": "2026-01-02 03:04:05.678 UTC", "user": "nurse1", "dbname": "DB", "message": "statement: " + sql}) + "\n" for sql in ("SELECT id FROM wards", "SELECT * FROM invoices")]
    path = write(tmp_path / "a.json", lines[0], "{broken\n", "[]\n", "\n", lines[1], lines[1][:30])
    assert [d for d, _ in decisions(logged, path)] == ["allow", "deny"]
    path = write(tmp_path / "empty.csv")
    assert decisions(logged, path) == []
    path = write(tmp_path / "a.log", "no prefix\n\tnor this\n", "2026-01-02 03:04:05.678 UTC [7] nurse1@DB LOG:  statement: SELECT id\n\tFROM wards\n", "2026-01-02 03:04:05.678 UTC [7] nurse1@DB ERROR:  no\n", "\tmore\n",
                 "2026-01-02 03:04:05.678 UTC [7] nurse1@DB LOG:  statement: SELECT * FROM invoices\n")
    assert [d for d, _ in decisions(logged, path, "--prefix", "%m [%p] %u@%d ")] == ["allow", "deny"]


@pytest.mark.parametrize("message,count", [("instruction : SELECT * FROM invoices", 1), ("durée : 0.123 ms, instruction : SELECT * FROM invoices", 1), ("exécute S_1/C_2: SELECT * FROM invoices", 1),
                                           ("exécute fetch à partir de S_1/C_2: SELECT * FROM invoices", 0), ("Dauer: 1.5 ms  Anweisung: SELECT * FROM invoices", 1), ("Ausführen <unnamed>: SELECT * FROM invoices", 1),
                                           ("duration: 1.5 ms  execute <unnamed>: SELECT * FROM invoices", 1), ("duration: 1.5 ms  parse <unnamed>: SELECT * FROM invoices", 0), ("duration: 1.5 ms  bind a: SELECT * FROM invoices", 0),
                                           ("execute fetch from S/C: SELECT * FROM invoices", 0), ("duration: 1.5 ms", 0), ("disconnection: session time: 0:00:00.1 user=x", 0), ('fastpath function call: "abs" (OID 1397)', 1), ("istruzione: SELECT * FROM invoices", 1),
                                           ("duración: 7.1 ms  sentencia: SELECT * FROM invoices", 1)])
def test_messages_in_several_languages(message, count, logged, tmp_path):
    status, out, err = replay(logged, "--json", "--log-database", "*", write(tmp_path / "a.csv", csv_line(message)))
    assert json.loads(out)["refused"] == json.loads(out)["statements"] == count and status == (1 if count else 0), err


def test_prefixes_of_many_forms(logged, tmp_path):
    text = "LOG:  statement: SELECT * FROM invoices\n"
    for prefix, line in (("%t:%r:%u@%d:[%p]: ", "2026-01-02 03:04:05 UTC:10.0.0.1(55):nurse1@DB:[77]: "), ("%m %-10u|%10d|%a|%c|", "2026-01-02 03:04:05.678 CET nurse1    |        DB|my app|65a.b1|"),
                         ("<%u %% %d> ", "<nurse1 % DB> "), ("%n %e %i %q[%s] %v %x u=%u,d=%d,Q=%Q ", "1700000000.123 00000 SELECT [2026-01-02 03:04:05 UTC] 3/4 0 u=nurse1,d=DB,Q=-77 "), ("user=%u,db=%d,app=%a,client=%h ", "user=nurse1,db=DB,app=a,b=c,client=::1 ")):
        path = write(tmp_path / "a.log", line + text)
        status, out, err = replay(logged, "--json", "--log-database", "DB", "--prefix", prefix, path)
        report = json.loads(out)
        assert report["refused"] == 1 and report["groups"][0]["user"] == "nurse1", (prefix, out, err)
    status, _, err = replay(logged, "--prefix", "%y", path)
    assert status == 2 and "log_line_prefix" in err


def test_who_is_judged(logged, tmp_path):
    path = write(tmp_path / "a.csv", csv_line("statement: SELECT diagnosis FROM stays", user="ehr"), csv_line("statement: SELECT diagnosis FROM stays", user="desk"), csv_line("statement: SELECT diagnosis FROM stays", user="nurse1"))
    by_user = lambda *args: {g["user"]: g["refused"] for g in json.loads(replay(logged, "--json", "--log-database", "*", *args, path)[1])["groups"]}  # noqa: E731
    assert by_user() == {"ehr": 1, "desk": 1, "nurse1": 0}
    assert by_user("--map", "ehr=nurse1,desk=reception1") == {"nurse1": 0, "reception1": 1}
    assert by_user("--map", "desk=reception1/receptionist/admission", "--user", "research1") == {"reception1": 1, "research1": 0}
    assert by_user("--skip", "desk,ehr") == {"nurse1": 0}
    one = json.loads(replay(logged, "--json", "--log-database", "*", path)[1])
    unknown = [g for g in one["groups"] if g["user"] == "ehr"][0]["findings"][0]
    assert unknown["reason"] == "user" and "--map" in unknown["hint"]
    # nurse2 has two roles
    for role, refused in (("nurse", 0), ("receptionist", 1)):
        report = json.loads(replay(logged, "--json", "--log-database", "*", "--user", "nurse2", "--role", role, path)[1])
        assert report["refused"] == 3 * refused and report["groups"][0]["role"] == role


def test_exit_statuses_and_usage(logged, tmp_path):
    good, bad = write(tmp_path / "good.csv", csv_line("statement: SELECT id FROM wards")), write(tmp_path / "bad.csv", csv_line("statement: SELECT * FROM invoices"))
    for args, wanted in (((good,), 0), ((bad,), 1), ((good, bad), 1), ((tmp_path / "none.csv",), 3), ((tmp_path,), 3), (("--each", "--json", good), 2), (("--role", "nurse", good), 2), (("--format", "xml", good), 2), (("--map", "x", good), 2),
                         (("--map", "a=nobody", good), 2), (("--user", "nobody", good), 2), (("--database", "x", good), 2), (("--observed", "--catalog", "x", good), 2)):
        status, out, err = replay(logged, "--log-database", "*", *args)
        assert status == wanted, (args, out, err)
        assert wanted < 2 or "pgvigil replay: " in err
    done = logged.command("replay", "--policy", logged.policy, good, check=False)
    assert done.returncode == 2 and "--save-catalog" in done.stderr
    with open(good, encoding="utf-8") as text:
        done = subprocess.run([harness.binary(), "replay", "-p", str(logged.policy), "--catalog", str(logged.folder / "catalog.cfg"), "--log-database", "*", "-"], stdin=text, stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("1 statement(s), 0 would be refused")


def test_live_catalog_and_configuration(logged, ran):
    """--database: the catalog as it is, the name from the conninfo; guards need not be there."""
    shutil.copy(logged.logs / "pg.csv", logged.logs / "pg-then.csv")  # pgvigil itself goes on to log there
    done = logged.command("replay", "-c", logged.config_file, "--database", "records", "--json", "--skip", "pgvigil,postgres", "--user", "nurse1", logged.logs / "pg-then.csv", check=False)
    assert done.returncode == 1, done.stderr
    saved = replay(logged, "--json", "--skip", "pgvigil,postgres", "--user", "nurse1", "pg-then.csv")
    assert json.loads(done.stdout) == json.loads(saved[1])


def test_long_log_takes_little_memory(logged, tmp_path):
    """Distinct texts, long texts, a line without an end: what is kept is bounded."""
    path = tmp_path / "long.csv"
    with open(path, "w", encoding="utf-8") as out:
        for n in range(20000):
            out.write(csv_line("statement: SELECT id FROM patients WHERE family_name = '%d' AND city IN (%s)" % (n, ",".join("'%d'" % k for k in range(n % 40 + 1))), application="app %d" % n, session="s.%d" % n))
        for n in range(20):
            out.write(csv_line("statement: SELECT '%s'" % ("x" * 3000000)))
        out.write(csv_line("statement: " + "SELECT id FROM wards " * 2000000))
        out.write("y" * 60000000 + "\n")
    size = os.path.getsize(path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    status, out, err = replay(logged, "--json", "--log-database", "*", path)
    report = json.loads(out)
    assert report["statements"] == 20021 and report["not_judged"]["broken"] == 1, (status, err)
    assert report["refused"] == 21 and len(report["groups"]) == 10000 + 1
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert size > 150000000
    if not os.environ.get("PGVIGIL_SANITIZED"):
        assert peak == before or peak < 400000, (before, peak)


def test_progress_is_for_a_terminal_only(logged, ran):
    """On a terminal it is drawn and wiped; elsewhere nothing is."""
    import pty
    main, side = pty.openpty()
    done = subprocess.Popen([harness.binary(), "replay", "-p", str(logged.policy), "--catalog", str(logged.folder / "catalog.cfg"), "--user", "nurse1", "--json", "pg.csv"], cwd=logged.logs, stdout=subprocess.DEVNULL, stderr=side)
    os.close(side)
    drawn = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:
            break
        if not data:
            break
        drawn += data
    assert done.wait(60) == 1
    os.close(main)
    assert re.search(rb"\r *\d+% of \d+ MiB, \d+ statements, \d+ would be refused", drawn) and drawn.endswith(b"\r\x1b[K")
    assert replay(logged, "--user", "nurse1", "pg.csv")[2] == ""


def test_hostile_names_move_no_cursor(logged, tmp_path):
    path = write(tmp_path / "a.csv", csv_line('statement: SELECT * FROM "\x1b[2Jx\r\n\x7f"', application="\x1b[31m\x9b\u0085app\rx\n" + "é" * 400), csv_line("statement: SELECT 1", user="\x1b]0;x\x07"))
    status, out, _ = replay(logged, "--log-database", "*", path)
    assert status == 1 and "é" in out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", out), out
    for more in ("--json", "--each"):
        _, out, _ = replay(logged, more, "--log-database", "*", path)
        assert out.isascii() and "\x1b" not in out and [json.loads(x) for x in ([out] if more == "--json" else out.splitlines())]


def test_damaged_logs_are_survived(logged, ran, tmp_path):
    """Bytes changed, taken and doubled at random: read to their end, and not one constant comes out."""
    import random
    chance, paths = random.Random(7), []
    trail = sorted(logged.audit_dir.glob("audit-*.jsonl"), key=lambda p: p.stat().st_size)[-1]
    for name, source in (("csv", logged.logs / "pg.csv"), ("json", logged.logs / "pg.json"), ("audit", trail)):
        whole = source.read_bytes()
        for number in range(12):
            at = chance.randrange(max(len(whole) - 60000, 1))
            data = bytearray(whole[at:at + 60000])
            for _ in range(chance.choice((1, 20, 300))):
                place = chance.randrange(len(data))
                kind = chance.randrange(3)
                if kind == 0:
                    data[place] = chance.choice(b'",\n\\{}[]\x00\xff\t ' + bytes([chance.randrange(256)]))
                elif kind == 1:
                    del data[place:place + chance.randrange(1, 50)]
                else:
                    data[place:place] = data[place:place + chance.randrange(1, 50)]
            paths.append(write(tmp_path / ("%s-%d" % (name, number)), bytes(data)))
        _, out, err = replay(logged, "--json", "--format", name, "--user", "nurse1", "--log-database", "*", *paths[-12:])
        report = json.loads(out)
        assert report["statements"] > 100, (name, err, report["not_judged"])
    text = write(tmp_path / "stderr", (logged.logs / "pg.log").read_bytes()[12345:200000].replace(b"LOG", b"L\x00G", 20))
    status, out, err = replay(logged, "--user", "nurse1", "--prefix", PREFIX, text)
    assert status == 1, err
