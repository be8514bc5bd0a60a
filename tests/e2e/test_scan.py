"""
`pgvigil scan`: what it finds on the clinic and on two schemas that nobody of this project designed, that random columns are never taken
for people's, that no value leaves it, that nothing of others' is run, and --check. Figures of docs/scan.md: scan_figures.py.
"""
import csv
import io
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time

import harness
import pytest
import scan_data
import scan_schemas

CLINIC_POLICY = harness.CLINIC / "policy"


def pgvigil(*args, env=None):
    done = subprocess.run([harness.binary()] + [str(a) for a in args], capture_output=True, text=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})})
    return done.returncode, done.stdout, done.stderr


def conninfo(cluster, database, user="postgres"):
    return "host=%s port=%d user=%s dbname=%s" % (cluster.folder, cluster.port, user, database)


def scan(cluster, database, *more):
    status, out, err = pgvigil("scan", "--as", conninfo(cluster, database), *more)
    assert status == 0, err
    return out


def scan_json(cluster, database, *more):
    return json.loads(scan(cluster, database, "--format", "json", *more))


def columns_of(scanned):
    return {"%s.%s.%s" % (t["schema"], t["name"], c["name"]): c for t in scanned["tables"] for c in t["columns"]}


@pytest.fixture(scope="module")
def clinic(cluster):
    return cluster.create("scan_clinic", cluster.template())


@pytest.fixture(scope="module")
def empty(cluster):
    """A function that makes an empty database."""
    made = []

    def make(sql):
        name = "scan_%d" % len(made)
        made.append(name)
        cluster.sql("postgres", "CREATE DATABASE %s;" % name)
        cluster.sql(name, sql)
        return name

    return make


# ---- the clinic ----

def clinic_truth():
    """What examples/clinic/policy says, read by eye's rules and not by pgvigil: {"schema.table.column": category}."""
    text = re.sub(r"#.*", "", (CLINIC_POLICY / "10-tables.cfg").read_text(encoding="utf-8"))
    said = {}
    for table, body in re.findall(r'name = "([^"]+)";(.*?)\}; \}', text, re.S):
        for category, names in re.findall(r"(\w+)\s*= \[(.*?)\]", body, re.S):
            for column in re.findall(r'"([^"]+)"', names):
                said["%s.%s" % (table, column)] = category
    return said


def test_clinic_identifiers_are_all_found(cluster, clinic):
    found = columns_of(scan_json(cluster, clinic))
    said = clinic_truth()
    people = {key: category for key, category in said.items() if category in ("identifier", "contact", "staff")}
    assert len(people) == 13 and set(said) <= set(found)
    for key, category in people.items():
        assert found[key]["category"] == category, (key, found[key])
    sensitive = {key for key, c in found.items() if c["category"] in scan_schemas.SENSITIVE}
    wrong = {key for key in sensitive if said.get(key) in ("admin", None)}
    # RPPS numbers that point to a professional, which the clinic calls admin, are not wrong; neither is what nobody has classified.
    wrong -= {key for key in wrong if found[key]["detector"] == "rpps"} | {"public.staff_salaries.gross"}
    assert wrong == {"public.wards.phone"}  # a telephone, of a ward
    assert len(wrong) / len(found) < 0.02


def test_clinic_subjects_are_the_policys(cluster, clinic):
    """The same patient for every table that has a subject there."""
    scanned = {"%s.%s" % (t["schema"], t["name"]): t for t in scan_json(cluster, clinic)["tables"]}
    text = re.sub(r"#.*", "", (CLINIC_POLICY / "10-tables.cfg").read_text(encoding="utf-8"))
    subjects = dict(re.findall(r'name = "([^"]+)";\s*subject = "([^"]+)"', text))
    assert len(subjects) == 11
    with cluster.superuser(clinic) as c:
        for table, subject in subjects.items():
            (differing,) = c.execute("SELECT count(*) FROM %s WHERE (%s) IS DISTINCT FROM (%s)" % (table, subject, scanned[table]["subject"])).fetchone()
            assert differing == 0, (table, scanned[table]["subject"])
    assert {name for name, t in scanned.items() if t["subject"]} == set(subjects)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_proposal_is_a_policy(cluster, clinic, lang, tmp_path):
    """`check` takes it; what it classifies is what --format json says."""
    file = tmp_path / "tables.cfg"
    assert scan(cluster, clinic, "--lang", lang, "-o", file) == ""
    assert oct(file.stat().st_mode & 0o777) == "0o640"
    status, out, _ = pgvigil("check", "-p", file)
    assert status == 0 and "16 tables" in out
    text = file.read_text(encoding="utf-8")
    assert ("à classer" in text) == (lang == "fr") and ("to be classified" in text) == (lang == "en")
    status, out, err = pgvigil("scan", "--as", conninfo(cluster, clinic), "--check", "-p", file)
    proposed = columns_of(scan_json(cluster, clinic))
    left = {key for key, c in proposed.items() if c["category"] is None}
    told = set(re.findall(r": (public\.\w+\.\w+): ", out))
    assert status == 1 and left and told == left, (out, err)


# ---- other people's schemas ----

@pytest.mark.parametrize("name, make", [("gnumed", scan_schemas.gnumed), ("rt", scan_schemas.rt), ("roundcube", scan_schemas.roundcube)], ids=["gnumed", "rt", "roundcube"])
def test_other_schemas_have_few_false_positives(cluster, name, make, tmp_path):
    try:
        database = make(cluster, "scan_" + name)
    except scan_schemas.Unavailable as error:
        pytest.skip(str(error))
    said = scan_schemas.truth(name)
    bare = scan_schemas.judge(scan_json(cluster, database), said)
    with cluster.superuser(database) as c:
        assert scan_schemas.fill(c, said, 1) > 10
    full = scan_schemas.judge(scan_json(cluster, database), said)
    for figures in (bare, full):
        assert len(figures["wrong"]) / figures["columns"] < 0.02, figures["wrong"]
        assert not figures["wrong_high"], figures["wrong_high"]
    assert full["identifiers_found"] / full["identifiers"] > 0.6, full["missed"]
    assert full["identifiers_found"] > bare["identifiers_found"]
    scan(cluster, database, "-o", tmp_path / "tables.cfg")
    status, out, _ = pgvigil("check", "-p", tmp_path / "tables.cfg")
    assert status == 0, out


# ---- columns of nobody ----

def random_tables(seeds):
    """SQL that makes a table a seed with a column of every generator."""
    sql = []
    kinds = [("text", n, m) for n, m in {**scan_data.TEXTS, **scan_data.MACHINES}.items()] + [("bigint", n, m) for n, m in scan_data.WIDE.items()] + [("date", n, m) for n, m in scan_data.DAYS.items()]
    makers = [("c%d" % i, t, m) for i, (t, _, m) in enumerate(kinds)]  # names that say nothing
    for seed in seeds:
        r = random.Random(seed)
        sql.append("CREATE TABLE r%d (%s);" % (seed, ", ".join('"%s" %s' % (n, t) for n, t, _ in makers)))
        sql.append("COPY r%d FROM STDIN;" % seed)
        sql += ["\t".join(str(m(r, i)) for _, _, m in makers) for i in range(scan_data.ROWS)] + ["\\.", ""]
    return "\n".join(sql), {"c%d" % i: n for i, (_, n, _) in enumerate(kinds)}


def test_random_columns_are_never_flagged(cluster, empty):
    sql, names = random_tables(range(20))
    found = columns_of(scan_json(cluster, empty(sql)))
    assert len(found) > 20 * 55
    for key, column in found.items():
        name = names[key.split(".")[2]]
        assert column["category"] == ("technical" if name in scan_data.MACHINES else None), (key, name, column)


def test_genuine_columns_of_the_same_size_are_flagged(cluster, empty):
    """The twin: names of columns that say nothing, values that say it all."""
    kinds = {"nir": "identifier", "iban": "billing", "email": "contact", "phone": "contact", "rpps": "staff", "siret": "admin", "cip13": "medical", "loinc": "medical", "atc": "medical",
             "street": "contact", "given": "identifier", "full": "identifier", "letter": "free_text"}
    r = random.Random(5)
    rows = ["\t".join(scan_data.PEOPLE[kind](r) for kind in kinds) for _ in range(scan_data.ROWS)]
    sql = "CREATE TABLE t (%s);\nCOPY t FROM STDIN;\n%s\n\\.\n" % (", ".join("c%d text" % i for i in range(len(kinds))), "\n".join(rows))
    found = columns_of(scan_json(cluster, empty(sql)))
    for i, (kind, category) in enumerate(kinds.items()):
        assert found["public.t.c%d" % i]["category"] == category, (kind, found["public.t.c%d" % i])


# ---- no value leaves ----

SECRETS = ["284058832102532", "jeanne.secrete@courriel.example", "Secretissime", "06 98 76 54 32"]


@pytest.fixture(scope="module")
def secretive(cluster, empty):
    """Every value that is read is a secret."""
    return empty("""
        CREATE TABLE patients (id int PRIMARY KEY, nir text, email text, nom text, tel text, note text, data jsonb, many text[], nir_unique text UNIQUE);
        INSERT INTO patients SELECT n, '284058832102532', 'jeanne.secrete@courriel.example', 'Secretissime', '06 98 76 54 32',
          'Vu Mme Secretissime, à rappeler au 06 98 76 54 32 dès que possible, merci', '{"nom": "Secretissime"}', '{Secretissime}', 'Secretissime' || n FROM generate_series(1, 100) n;
        CREATE SCHEMA app;
        CREATE TABLE app.other (v text, w text);
        INSERT INTO app.other SELECT 'Secretissime', 'Secretissime' FROM generate_series(1, 100);""")


@pytest.mark.parametrize("arguments", [["--format", f, "--lang", l] for f in ("policy", "text", "json", "csv") for l in ("en", "fr")] + [["--check", "-p", str(CLINIC_POLICY)]], ids=" ".join)
def test_no_value_is_told(cluster, secretive, arguments):
    with cluster.superuser(secretive) as c:
        c.execute("ALTER DATABASE %s SET log_statement = 'all'" % secretive)
        c.execute("ALTER DATABASE %s SET log_min_duration_statement = 0" % secretive)
    before = cluster.log.stat().st_size
    _, out, err = pgvigil("scan", "--as", conninfo(cluster, secretive), *arguments)
    assert "patients" in out
    with open(cluster.log, encoding="utf-8", errors="replace") as log:
        log.seek(before)
        logged = log.read()
    assert "TABLESAMPLE" in logged or "LIMIT" in logged
    for secret in SECRETS:
        assert secret not in out and secret not in err and secret not in logged, secret


# ---- what a scan costs, and whom it trusts ----

def test_big_table_is_sampled_by_pages(cluster, empty):
    database = empty("CREATE TABLE big AS SELECT n AS id, 'x' || n AS v, repeat('y', 100) AS filler FROM generate_series(1, 200000) n; ANALYZE big;")
    before = cluster.log.stat().st_size
    with cluster.superuser(database) as c:
        c.execute("ALTER DATABASE %s SET log_statement = 'all'" % database)
        read = "SELECT heap_blks_read + heap_blks_hit FROM pg_statio_user_tables WHERE relname = 'big'"
        c.execute("SELECT pg_stat_reset()")
        scanned = scan_json(cluster, database)
        deadline = time.monotonic() + 10
        while not c.execute(read).fetchone()[0] and time.monotonic() < deadline:
            time.sleep(0.1)
        (blocks,) = c.execute(read).fetchone()
        (pages,) = c.execute("SELECT pg_relation_size('big') / 8192").fetchone()
    assert 300 <= scanned["tables"][0]["rows_read"] <= 1000
    assert 0 < blocks < pages / 20, (blocks, pages)
    with open(cluster.log, encoding="utf-8", errors="replace") as log:
        log.seek(before)
        assert "TABLESAMPLE SYSTEM" in log.read()


def test_locked_table_is_left_out_and_said(cluster, empty, tmp_path):
    database = empty("CREATE TABLE held (nir text); CREATE TABLE free (nir text);")
    policy = tmp_path / "p.cfg"
    policy.write_text('tables = ( { name = "public.held"; columns = { identifier = [ "nir" ]; }; }, { name = "public.free"; columns = { identifier = [ "nir" ]; }; } );\n')
    with cluster.superuser(database, autocommit=False) as c:
        c.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        status, out, err = pgvigil("scan", "--as", conninfo(cluster, database), "--format", "json")
        assert status == 0 and time.monotonic() - begun < 5
        assert {t["name"]: t["state"] for t in json.loads(out)["tables"]} == {"free": "empty", "held": "slow"}
        assert "public.held" in err and "55P03" in err
        assert pgvigil("scan", "--as", conninfo(cluster, database), "--check", "-p", policy)[0] == 3
    status, out, _ = pgvigil("scan", "--as", conninfo(cluster, database), "--check", "-p", policy)
    assert status == 0 and "2 columns" in out


def test_nothing_of_others_is_run(cluster, empty):
    """Traps in every place where PostgreSQL would call what an owner of a schema wrote: each would write a row, or fail."""
    database = empty("""
        CREATE ROLE scan_mallory; CREATE SCHEMA trap AUTHORIZATION scan_mallory;
        SET ROLE scan_mallory;
        CREATE FUNCTION trap.spring() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'SPRUNG as %', current_user; RETURN true; END $$;
        CREATE TYPE trap.mood AS ENUM ('good', 'bad');
        CREATE FUNCTION trap.as_text(trap.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN 'x'; END $$;
        CREATE FUNCTION trap.as_text(trap.mood[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN 'x'; END $$;
        CREATE CAST (trap.mood AS text) WITH FUNCTION trap.as_text(trap.mood);
        CREATE CAST (trap.mood[] AS text) WITH FUNCTION trap.as_text(trap.mood[]);
        CREATE TYPE trap.pair AS (a int, b int);
        CREATE FUNCTION trap.as_text(trap.pair) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN 'x'; END $$;
        CREATE CAST (trap.pair AS text) WITH FUNCTION trap.as_text(trap.pair);
        CREATE TABLE trap.t (m trap.mood, ms trap.mood[], p trap.pair, v text);
        INSERT INTO trap.t SELECT 'good', '{good}', '(1,2)', 'v' || n FROM generate_series(1, 60) n;
        CREATE TABLE trap.secured (v text);
        INSERT INTO trap.secured SELECT 'v' FROM generate_series(1, 60);
        ALTER TABLE trap.secured ENABLE ROW LEVEL SECURITY; ALTER TABLE trap.secured FORCE ROW LEVEL SECURITY;
        CREATE POLICY p ON trap.secured USING (trap.spring());
        CREATE VIEW trap.v AS SELECT v FROM trap.t WHERE trap.spring();
        CREATE FUNCTION trap.left(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring(); RETURN 'x'; END $$;
        RESET ROLE;
        CREATE ROLE scan_reader LOGIN IN ROLE pg_read_all_data;""")
    with cluster.superuser(database) as c:
        c.execute("ALTER DATABASE %s SET search_path = trap, pg_catalog" % database)
        c.execute("SELECT m::text FROM trap.t LIMIT 1")  # the trap works
        c.execute("ALTER ROLE scan_reader PASSWORD 'reader'")
    assert "SPRUNG" in cluster.tail()
    before = cluster.log.stat().st_size
    as_reader = cluster.conninfo(database, "scan_reader", "reader")
    status, out, err = pgvigil("scan", "--as", as_reader, "--format", "json")
    assert status == 0, err
    states = {t["name"]: t["state"] for t in json.loads(out)["tables"]}
    assert states == {"t": "read", "secured": "refused"} and "trap.secured" in err
    with open(cluster.log, encoding="utf-8", errors="replace") as log:
        log.seek(before)
        assert "SPRUNG" not in log.read()
    with cluster.superuser() as c:
        c.execute("DROP DATABASE %s WITH (FORCE)" % database)
        c.execute("DROP ROLE scan_reader")
        c.execute("DROP ROLE scan_mallory")


def test_hostile_names_stay_names(cluster, empty, tmp_path):
    """A name cannot end a comment or a string and add a line to the policy, nor move a terminal's cursor."""
    database = empty("""
        CREATE TABLE "x""; columns = { identifier = [ ""y"" ]; }; },{ name = ""public.y" (id int, "a
 evil = true; #" text, "b"" ]; c = [ ""d" text, "Libellé long" text, contact text, email text, E text);
        CREATE TABLE "dotted.name" (id int);
        CREATE TABLE "star*" (id int);
        CREATE TABLE plain (id int, contact text, email text, "é\x1b[31m" text);
        CREATE TABLE nothing ();""")
    for lang in ("en", "fr"):
        file = tmp_path / (lang + ".cfg")
        scan(cluster, database, "--lang", lang, "-o", file)
        status, out, _ = pgvigil("check", "-p", file)
        assert "errors" not in out and status == 0, (out, file.read_text(encoding="utf-8"))
        text = file.read_text(encoding="utf-8")
        assert "\x1b" not in text and not re.search(r"^ evil", text, re.M)
        assert "contact_data = [" in text  # a category may not be called like a column
    assert "\x1b" not in scan(cluster, database, "--format", "text")
    assert {row[1] for row in csv.reader(io.StringIO(scan(cluster, database, "--format", "csv")))} >= {"star*", "dotted.name", "plain"}


# ---- files and options ----

def test_output_is_not_overwritten_without_force(cluster, clinic, tmp_path):
    file = tmp_path / "tables.cfg"
    file.write_text("mine")
    status, out, err = pgvigil("scan", "--as", conninfo(cluster, clinic), "-o", file)
    assert status == 3 and "--force" in err and file.read_text() == "mine"
    assert pgvigil("scan", "--as", conninfo(cluster, clinic), "-o", file, "--force")[0] == 0
    assert "tables = (" in file.read_text(encoding="utf-8") and list(tmp_path.iterdir()) == [file]
    assert pgvigil("scan", "--as", conninfo(cluster, clinic), "-o", tmp_path / "none" / "x")[0] == 3


def test_language_is_the_locales(cluster, clinic):
    french = pgvigil("scan", "--as", conninfo(cluster, clinic), env={"LC_ALL": "fr_FR.UTF-8"})[1]
    assert "à classer" in french and french == scan(cluster, clinic, "--lang", "fr")
    assert "to be classified" in scan(cluster, clinic)
    assert pgvigil("scan", "--as", "x", "--lang", "de")[0] == 2


def test_formats_agree(cluster, clinic):
    by_json = columns_of(scan_json(cluster, clinic))
    rows = list(csv.DictReader(io.StringIO(scan(cluster, clinic, "--format", "csv"))))
    assert {"%s.%s.%s" % (r["schema"], r["table"], r["column"]): r["category"] or None for r in rows} == {k: c["category"] for k, c in by_json.items()}
    text = scan(cluster, clinic, "--format", "text", "--lang", "fr")
    assert len(re.findall("^  ", text, re.M)) == len(by_json)
    assert len(re.findall(" à classer ", text)) == sum(c["category"] is None for c in by_json.values())


def test_without_rights_it_cannot_be_done(cluster, clinic):
    status, out, err = pgvigil("scan", "--as", conninfo(cluster, "no_such_database"))
    assert status == 3 and "no_such_database" in err and out == ""


# ---- --check ----

@pytest.fixture
def policy_copy(tmp_path):
    copy = tmp_path / "policy"
    shutil.copytree(CLINIC_POLICY, copy)
    return copy


def check(cluster, database, policy, *more):
    status, out, err = pgvigil("scan", "--as", conninfo(cluster, database), "--check", "-p", policy, *more)
    return status, [line for line in out.splitlines() if ": public." in line], err


COMPLETE = """tables = ( { name = "public.staff_salaries"; columns = { staff = [ "id", "practitioner_id", "month", "gross" ]; }; } );\n"""


def complete(policy):
    (policy / "11-more.cfg").write_text(COMPLETE)
    file = policy / "10-tables.cfg"
    file.write_text(file.read_text(encoding="utf-8").replace('"created_at", "updated_at"', '"created_at", "updated_at", "preferences"'), encoding="utf-8")


def test_check_tells_every_column_without_category(cluster, clinic, policy_copy):
    """Those that an independent reading of policy and catalog finds, one line each; none when they have one."""
    said = clinic_truth()
    with cluster.superuser(clinic) as c:
        live = {row[0] for row in c.execute("""SELECT format('%s.%s.%s', n.nspname, c.relname, a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
            WHERE relkind IN ('r', 'p', 'm') AND NOT relispartition AND attnum > 0 AND NOT attisdropped AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'""")}
    status, lines, _ = check(cluster, clinic, CLINIC_POLICY)
    told = {re.search(r": (public\.\S+): ", line).group(1) for line in lines}
    assert status == 1 and told == live - set(said) and len(lines) == len(told) == 5
    assert any(re.match(r".*10-tables\.cfg:\d+: public\.patients\.preferences: ", line) for line in lines)
    complete(policy_copy)
    assert check(cluster, clinic, policy_copy)[:2] == (0, [])


def test_check_follows_what_it_says(cluster, empty, tmp_path):
    """Writing what a line says where it says makes the line go."""
    database = empty("CREATE TABLE t (id int PRIMARY KEY, mail text);")
    policy = tmp_path / "p.cfg"
    policy.write_text('tables = ( );\n')
    status, lines, _ = check(cluster, database, policy)
    assert status == 1 and len(lines) == 2
    entry = re.search(r"write (\{.*\}; \}) into tables", [line for line in lines if ".mail:" in line][0]).group(1)
    policy.write_text("tables = ( %s );\n" % entry)
    status, lines, _ = check(cluster, database, policy)
    assert status == 1 and len(lines) == 1 and "p.cfg:1: public.t.id: " in lines[0]
    policy.write_text('tables = ( { name = "public.t"; columns = { contact = [ "mail" ]; %s }; } );\n' % re.search(r"in columns: (.*?;)", lines[0]).group(1))
    assert check(cluster, database, policy)[:2] == (0, [])


def test_check_tells_a_category_that_is_too_weak(cluster, clinic, policy_copy):
    complete(policy_copy)
    file = policy_copy / "10-tables.cfg"
    text = file.read_text(encoding="utf-8")
    weaker = text.replace('identifier = [ "nir", ', 'identifier = [ ').replace('"created_at", "updated_at",', '"created_at", "updated_at", "nir",').replace('medical = [ "atc", ', 'medical = [ ').replace('"prescriber", "starts_on"', '"prescriber", "atc", "starts_on"')
    assert weaker.count('"nir"') == 1 and weaker.count('"atc"') == 1 and weaker != text
    file.write_text(weaker, encoding="utf-8")
    for other in policy_copy.glob("[2-9]*.cfg"):
        other.unlink()  # rules speak of nir
    status, lines, err = check(cluster, clinic, policy_copy, "--lang", "fr")
    assert status == 1 and len(lines) == 2, (lines, err)
    assert "public.patients.nir" in lines[0] and "« admin »" in lines[0] and 'identifier = [ "nir" ];' in lines[0]
    assert "public.prescriptions.atc" in lines[1] and "medical" in lines[1]


def test_check_believes_words_of_its_own(cluster, clinic, policy_copy):
    """A category that is called otherwise may mean as much."""
    complete(policy_copy)
    file = policy_copy / "10-tables.cfg"
    file.write_text(file.read_text(encoding="utf-8").replace("identifier = [", "traits = ["), encoding="utf-8")
    for other in policy_copy.glob("[2-9]*.cfg"):
        other.unlink()
    assert check(cluster, clinic, policy_copy)[:2] == (0, [])


def test_check_with_a_wrong_policy_or_none(cluster, clinic, tmp_path):
    bad = tmp_path / "bad.cfg"
    bad.write_text("tables = (\n")
    status, out, _ = pgvigil("scan", "--as", conninfo(cluster, clinic), "--check", "-p", bad)
    assert status == 1 and re.search(r"bad\.cfg:\d+: ", out)
    assert pgvigil("scan", "--as", conninfo(cluster, clinic), "--check", "-p", tmp_path / "none.cfg")[0] == 3


def test_partitions_follow_their_parent(cluster, clinic):
    names = {t["name"] for t in scan_json(cluster, clinic)["tables"]}
    assert "observations" in names and not any(name.startswith("observations_") for name in names)


def test_configuration_names_the_database(make_stack):
    stack = make_stack(databases=("records",))
    as_dba = conninfo(stack.cluster, stack.databases["records"])
    config = stack.config_file
    status, out, err = pgvigil("scan", "-c", config, "--database", "records", "--as", as_dba, "--check")
    assert status == 1 and "preferences" in out, err
    # Guards of the deployed policy are no tables of the database.
    assert "pgvigil:" not in out
    assert pgvigil("scan", "-c", config, "--database", "none", "--as", as_dba)[0] == 3
    assert pgvigil("scan", "-c", config, "--database", "records", "--as", conninfo(stack.cluster, "postgres"))[0] == 2
