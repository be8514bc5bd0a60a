"""
`pgvigil test`: tests of a policy, from files alone and against a database; and the saved catalog that they need.

The clinic's own tests (examples/clinic/tests.cfg) must be ok both ways; and each kind of expectation must fail when what
it says is not so, or it would be worth nothing.
"""
import re
import shutil
import subprocess

import harness
import pytest

CLINIC = harness.CLINIC
TESTS = CLINIC / "tests.cfg"
CATALOG = CLINIC / "catalog.cfg"


def pgvigil(*args, cwd=None):
    done = subprocess.run([harness.binary()] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def failed(out):
    return set(re.findall(r"^FAILED  (.*) \(\S+:\d+\)$", out, re.M))


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(serve=False, extra_sql="""
CREATE TABLE public.notes (note text);
CREATE FUNCTION app.note() RETURNS integer LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog
    AS $$ INSERT INTO public.notes VALUES ('written'); SELECT 1 $$;
""", extra_policy=[("60-note.cfg", 'functions = ( { name = "app.note"; roles = [ "biller" ]; } );\n')])


def live(stack, file, *more):
    return pgvigil("test", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), file, *more)


def write_tests(folder, text, policy=CLINIC / "policy", catalog=CATALOG):
    file = folder / "tests.cfg"
    file.write_text('policy = "%s"; catalog = "%s";\ntests = (\n%s\n);\n' % (policy, catalog, text), encoding="utf-8")
    return file


def one(folder, what, sql, user="nurse1", more=""):
    """A file of one test that stands in line 3."""
    return write_tests(folder, '{ name = "it"; user = "%s"; %s sql = "%s"; %s }' % (user, more, sql.replace('"', '\\"'), what))


# ---- the clinic ------------------------------------------------------------------------------------------------------------

def test_the_clinics_tests_are_ok_from_files_alone(tmp_path):
    """No configuration, no database: as in the pipeline of the repository that holds the policy."""
    status, out, err = pgvigil("test", TESTS, cwd=tmp_path)
    assert status == 0 and err == "" and not failed(out), out + err
    count = int(re.search(r"^(\d+) tests: \1 ok, 0 failed$", out, re.M).group(1))
    assert count >= 30 and len(re.findall("^ok ", out, re.M)) == count
    assert re.search(r"^the rows of \d+ were not looked at", out, re.M)


def test_the_clinics_tests_are_ok_with_their_rows(stack):
    """Those that write too; and nothing is left of it."""
    before = state(stack)
    status, out, err = live(stack, TESTS)
    assert status == 0 and err == "" and not failed(out), out + err
    assert "not looked at" not in out
    assert state(stack) == before
    assert len(re.findall(r'sql = "(?:INSERT|UPDATE|DELETE)', TESTS.read_text(encoding="utf-8"))) >= 8


def test_every_pair_of_the_clinic_has_something_given_and_something_refused():
    text = TESTS.read_text(encoding="utf-8")
    entries = re.findall(r"\{ name = \"(\w+)[^\"]*\";(.*?\}; \})", text, re.S)
    given, refused = set(), set()
    for _, entry in entries:
        user = re.search(r'user = "([^"]+)"', entry).group(1)
        mission = re.search(r'mission = "([^"]+)"', entry)
        (refused if "refused = {" in entry else given).add((user, mission.group(1) if mission else None))
    users = {user for user, _ in given}
    assert users == {"dr.martin", "nurse1", "nurse2", "reception1", "billing1", "research1", "audit1", "admin1", "svc-lab", "nurse3"}
    assert {user for user, _ in refused} == users | {"ward-app"}
    assert {("dr.martin", "care"), ("dr.martin", "research")} <= given & refused


WIDER = {
    "a hidden column shown": ("40-rules-care.cfg", 'nir = "hide"', 'nir = "show"', {"nurse: all columns but two", "nurse: no social-security number", "nurse: not in a condition either"}),
    "a mask taken away": ("41-rules-office.cfg", 'contact = "show"; nir = "last_two"; };\n    update', 'contact = "show"; };\n    update', {"reception: the end of a social-security number"}),
    "a column that may be written": ("41-rules-office.cfg", 'update = [ "contact" ]', 'update = [ "contact", "family_name" ]', {"reception: not a name"}),
    "rows that may be deleted": ("40-rules-care.cfg", 'update = [ "dose", "route", "ends_on" ];', 'update = [ "dose", "route", "ends_on" ]; delete = true;', {"physician: nor takes it from the file"}),
    "a relation opened": ("41-rules-office.cfg", 'tables = [ "public.invoices", "public.ActesCCAM" ]', 'tables = [ "public.invoices", "public.ActesCCAM", "public.prescriptions" ]', {"billing: no prescriptions"}),
    "a function opened": ("30-missions-roles.cfg", '{ name = "app.bmi"; roles = [ "physician", "nurse" ]; missions = [ "care" ]; }', '{ name = "app.bmi"; }', {"reception: no body mass index"}),
    "a mission given": ("30-missions-roles.cfg", 'missions = [ "care", "emergency" ];             default', 'missions = [ "care", "emergency", "research" ]; default', {"nurse: no research"}),
    "a pseudonym taken away": ("42-rules-research.cfg", 'columns = { id = "pseudonym"; sex', 'columns = { id = "show"; sex', {"physician in research: pseudonyms", "research: pseudonyms still join"}),
}


@pytest.mark.parametrize("name", WIDER)
def test_a_policy_that_gives_more_fails_the_clinics_tests(name, tmp_path):
    file, old, new, wanted = WIDER[name]
    shutil.copytree(CLINIC / "policy", tmp_path / "policy")
    text = (tmp_path / "policy" / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (tmp_path / "policy" / file).write_text(text.replace(old, new), encoding="utf-8")
    status, out, err = pgvigil("test", "--policy", tmp_path / "policy", TESTS)
    assert status == 1 and failed(out) == wanted, out + err


def test_rows_that_a_wider_filter_lets_through_fail_the_clinics_tests(make_stack, tmp_path):
    """The decision is the same: only rows can tell."""
    shutil.copytree(CLINIC / "policy", tmp_path / "policy")
    path = tmp_path / "policy" / "40-rules-care.cfg"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("patients.ward_id = ANY(:user.wards)", "patients.ward_id IS NOT NULL"), encoding="utf-8")
    own = make_stack(serve=False, policy_dir=tmp_path / "policy")
    assert pgvigil("test", "--policy", tmp_path / "policy", TESTS)[0] == 0
    status, out, err = live(own, TESTS)
    assert status == 1 and failed(out) == {"nurse: her wards and no other", "nurse: the night's ward of another nurse",
                                             "application: not another ward's patients"}, out + err


# ---- each expectation, and its twin ----------------------------------------------------------------------------------------

READS = "SELECT id, family_name FROM patients"
MASKED = "SELECT id, nir FROM patients WHERE id <= 9"
DECISIONS = [
    ("nurse1", READS, "gives = { };", True),
    ("nurse1", READS, 'refused = { reason = "relation"; };', False),
    ("nurse1", READS, 'gives = { relations = [ "public.patients" ]; };', True),
    ("nurse1", READS, "gives = { relations = [ ]; };", False),
    ("nurse1", READS, 'gives = { relations = [ "public.patients", "public.wards" ]; };', False),
    ("nurse1", READS, 'gives = { relations = [ "patients" ]; };', False),
    ("nurse1", READS, 'gives = { shown = [ "public.patients.id", "patients.family_name" ]; };', True),
    ("nurse1", READS, 'gives = { shown = [ "id" ]; };', False),
    ("nurse1", READS, 'gives = { shown = [ "id", "family_name", "given_name" ]; };', False),
    ("nurse1", READS, 'gives = { shown = [ "stays.id", "family_name" ]; };', False),
    ("nurse1", READS, "gives = { masked = [ ]; };", True),
    ("reception1", MASKED, "gives = { masked = [ ]; };", False),
    ("reception1", MASKED, 'gives = { masked = [ "nir" ]; shown = [ "id" ]; };', True),
    ("reception1", MASKED, 'gives = { masked = [ "id", "nir" ]; };', False),
    ("nurse1", READS, 'gives = { hidden = [ "nir", "public.patients.preferences" ]; };', True),
    ("nurse1", READS, 'gives = { hidden = [ "phone" ]; };', False),
    ("nurse1", READS, 'gives = { hidden = [ "no_such_column" ]; };', False),
    ("nurse1", "SELECT * FROM documents", 'refused = { reason = "relation"; object = "public.documents"; sqlstate = "42501"; };', True),
    ("nurse1", "SELECT * FROM documents", 'refused = { reason = "relation"; };', True),
    ("nurse1", "SELECT * FROM documents", "gives = { };", False),
    ("nurse1", "SELECT * FROM documents", 'refused = { reason = "column"; };', False),
    ("nurse1", "SELECT * FROM documents", 'refused = { reason = "relation"; object = "public.invoices"; };', False),
    ("nurse1", "SELECT * FROM documents", 'refused = { reason = "relation"; sqlstate = "42P01"; };', False),
    ("nurse1", "SELECT * FROM dokuments", 'refused = { reason = "relation"; sqlstate = "42P01"; };', True),
    ("nurse1", "SELECT FROM FROM", 'refused = { reason = "syntax"; sqlstate = "42601"; };', True),
    ("nurse1", "SELECT FROM FROM", "gives = { };", False),
    ("reception1", "UPDATE patients SET phone = '1' WHERE id = 1", 'gives = { written = [ "phone" ]; shown = [ "id" ]; };', True),
    ("reception1", "UPDATE patients SET phone = '1' WHERE id = 1", 'gives = { written = [ ]; };', False),
    ("reception1", "UPDATE patients SET phone = '1' WHERE id = 1", 'gives = { written = [ "phone", "email" ]; };', False),
    ("reception1", "UPDATE patients SET phone = '1' WHERE id = 1", 'gives = { shown = [ "id", "phone" ]; };', False),
    ("reception1", "UPDATE patients SET sex = 'F'", 'refused = { reason = "write"; object = "sex"; sqlstate = "42501"; };', True),
    ("reception1", "UPDATE patients SET sex = 'F'", "gives = { };", False),
    ("reception1", "COPY (SELECT id, nir FROM patients) TO STDOUT", 'gives = { masked = [ "nir" ]; };', True),
    ("reception1", "COPY (SELECT id, nir FROM patients) TO STDOUT", 'gives = { shown = [ "nir" ]; };', False),
    # A hidden column does not exist; what only looks like one does.
    ("nurse1", "SELECT p.nir FROM patients p", 'refused = { reason = "column"; object = "public.patients.nir"; sqlstate = "42703"; };', True),
    ("nurse1", "SELECT p.nir FROM patients p", "gives = { };", False),
    ("nurse1", "SELECT 1 FROM patients GROUP BY nir", 'refused = { reason = "column"; };', True),
    ("nurse1", "SELECT nir FROM (SELECT family_name AS nir FROM patients) x", "gives = { };", True),
    ("nurse1", "SELECT x.nir FROM (VALUES (1)) AS x (nir), patients", "gives = { };", True),
    ("nurse1", "SELECT (SELECT diagnosis FROM wards LIMIT 1) FROM stays", "gives = { };", True),
    ("nurse1", "SELECT p.* FROM patients p", "gives = { };", True),
    ("nurse1", "SELECT p FROM patients p", "gives = { };", True),
]


def many(folder, entries, what="%s"):
    """A file with a test for each entry, named by its number."""
    rows = ['{ name = "%d"; user = "%s"; sql = "%s"; %s }' % (i, user, sql.replace('"', '\\"'), what % said) for i, (user, sql, said, _) in enumerate(entries)]
    return write_tests(folder, ",\n".join(rows))


def wrong_ones(entries):
    return {str(i) for i, entry in enumerate(entries) if not entry[3]}


def told(entries, names):
    return [(entries[int(name)][1], entries[int(name)][2]) for name in sorted(names, key=int)]


def test_decisions_are_compared(tmp_path, stack):
    """Alike from files alone and where the statements run, so PostgreSQL itself says whether a column exists."""
    file = many(tmp_path, DECISIONS)
    for status, out, err in (pgvigil("test", file), live(stack, file)):
        assert told(DECISIONS, failed(out)) == told(DECISIONS, wrong_ones(DECISIONS)), out
        assert status == 1 and err == "" and "%d tests: " % len(DECISIONS) in out
        assert "FAILED  1 (%s:4)" % file in out


ROWS = [
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "rows = 2;", True),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "rows = 3;", False),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "rows = 0;", False),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "rows_at_least = 2; rows_at_most = 2;", True),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "rows_at_least = 3;", False),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "rows_at_most = 1;", False),
    ("nurse1", "SELECT id FROM patients WHERE ward_id = 3", "rows = 0;", True),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "contains = ( { ward_id = 2; } ); lacks = ( { ward_id = 3; } );", True),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "contains = ( { ward_id = 3; } );", False),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "lacks = ( { ward_id = 3; }, { ward_id = 1; } );", False),
    ("nurse1", "SELECT DISTINCT ward_id FROM patients", "lacks = ( { ward = 3; } );", False),
    ("nurse1", "SELECT ward_id, 'x' AS y FROM patients", "contains = ( { ward_id = 1; y = \"x\"; } ); lacks = ( { ward_id = 1; y = \"z\"; } );", True),
    ("nurse1", "SELECT NULL AS n, id FROM patients", 'null = [ "n" ];', True),
    ("nurse1", "SELECT NULL AS n, id FROM patients", 'null = [ "id" ];', False),
    ("nurse1", "SELECT NULL AS n FROM patients WHERE false", 'null = [ "n" ];', False),
    ("reception1", MASKED, 'differs = [ "nir" ];', True),
    ("reception1", MASKED, 'differs = [ "id" ];', False),
    ("reception1", "SELECT nir FROM patients WHERE false", 'differs = [ "nir" ];', False),
    ("research1", "SELECT id FROM patients", 'differs = [ "id" ];', True),
    ("research1", "SELECT date '2025-03-01' AS d, id FROM patients", 'differs = [ "id" ];', True),
    ("research1", "SELECT date '2025-03-01' AS d, id FROM patients", 'differs = [ "d" ];', False),
    ("research1", "SELECT postcode FROM patients", 'differs = [ "postcode" ];', False),  # some end in 000 as they are
    ("admin1", "SELECT id FROM public.patients WHERE id = 1", "rows = 1;", True),
    ("admin1", "SELECT id FROM public.patients WHERE id = 1", "rows = 2;", False),
    ("admin1", "SHOW search_path", "rows = 1;", False),
    ("nurse1", "SELECT 1; SELECT 2", "rows = 1;", False),
    ("nurse1", "BEGIN", "rows = 0;", False),
    ("reception1", "UPDATE patients SET phone = NULL WHERE id < 4", "rows = 3;", True),
    ("reception1", "UPDATE patients SET phone = NULL WHERE id < 4", "rows = 2;", False),
    ("reception1", "UPDATE patients SET phone = 'x' WHERE id = 1 RETURNING id, phone", 'rows = 1; contains = ( { id = 1; phone = "x"; } );', True),
    ("reception1", "UPDATE patients SET phone = 'x' WHERE id = 1 RETURNING id, phone", 'contains = ( { id = 1; phone = "y"; } );', False),
    ("reception1", "COPY (SELECT id FROM patients) TO STDOUT", "rows = 600;", False),
]


def test_rows_are_compared(tmp_path, stack):
    file = many(tmp_path, ROWS, "gives = { %s };")
    status, out, err = live(stack, file)
    assert told(ROWS, failed(out)) == told(ROWS, wrong_ones(ROWS)), out
    assert status == 1 and err == ""
    # Without a database they are not, and this is said.
    status, out, err = pgvigil("test", file)
    assert status == 0 and "the rows of %d were not looked at" % len(ROWS) in out, out + err


def test_pseudonyms_are_those_of_the_configured_key(tmp_path, stack):
    with stack.superuser() as c:
        (number,) = c.execute("SELECT min(s.patient_id) FROM stays s WHERE NOT EXISTS (SELECT FROM objections o WHERE o.patient_id = s.patient_id AND o.purpose = 'research')").fetchone()
    right = harness.pseudonym("research", number, "bigint")
    assert live(stack, one(tmp_path, "gives = { contains = ( { id = %dL; } ); };" % right, "SELECT id FROM patients", "research1"))[0] == 0
    assert live(stack, one(tmp_path, "gives = { contains = ( { id = %dL; } ); };" % (right ^ 1), "SELECT id FROM patients", "research1"))[0] == 1


def test_postgresqls_own_refusal(tmp_path, stack):
    file = one(tmp_path, 'refused = { reason = "database"; sqlstate = "22012"; };', "SELECT 1 / (id - id) FROM patients")
    assert live(stack, file)[0] == 0
    status, out, _ = pgvigil("test", file)
    assert status == 0 and "not looked at" in out
    status, out, _ = live(stack, one(tmp_path, "gives = { };", "SELECT 1 / (id - id) FROM patients"))
    assert status == 1 and "22012" in out
    assert live(stack, one(tmp_path, 'refused = { reason = "database"; sqlstate = "22012"; };', "SELECT id FROM patients"))[0] == 1


def test_the_missions_limit_is_a_refusal(tmp_path, make_stack):
    own = make_stack(serve=False)
    path = own.policy / "30-missions-roles.cfg"
    path.write_text(path.read_text(encoding="utf-8").replace("max_rows = 10000", "max_rows = 5"), encoding="utf-8")
    sql = "SELECT sex FROM patients LIMIT %d"
    assert live(own, one(tmp_path, 'refused = { reason = "rows"; object = "research"; sqlstate = "54000"; };', sql % 6, "research1"))[0] == 0
    assert live(own, one(tmp_path, "gives = { rows = 5; };", sql % 5, "research1"))[0] == 0
    assert live(own, one(tmp_path, "gives = { rows = 6; };", sql % 6, "research1"))[0] == 1


# ---- sessions --------------------------------------------------------------------------------------------------------------

def test_settings_reach_filters(tmp_path, make_stack):
    """:session.patient and :client.address, in the decision and in the rows."""
    more = [("60-more.cfg", """
missions = ( { name = "one-patient"; }, { name = "desk"; } );
roles = ( { name = "reader"; missions = [ "one-patient", "desk" ]; } );
rules = ( { roles = [ "reader" ]; missions = [ "one-patient" ]; tables = [ "public.patients" ]; rows = "patients.id = :session.patient::bigint"; columns = { id = "show"; }; },
          { roles = [ "reader" ]; missions = [ "desk" ]; tables = [ "public.patients" ]; rows = ":client.address = '10.1.2.3'::inet"; columns = { id = "show"; }; } );
users = ( { name = "reader1"; auth = "cert"; certificate_cn = "reader1"; roles = [ "reader" ]; } );
""")]
    own = make_stack(serve=False, extra_policy=more)
    cases = [
        ('mission = "one-patient"; settings = { patient = "7"; };', 'gives = { rows = 1; contains = ( { id = "7"; } ); };', True),
        ('mission = "one-patient"; settings = { patient = 7; reason = "x"; };', 'gives = { rows = 1; };', True),
        ('mission = "one-patient"; settings = { patient = "7"; };', 'gives = { contains = ( { id = "8"; } ); };', False),
        ('mission = "one-patient";', 'refused = { reason = "attribute"; object = "patient"; };', True),
        ('mission = "one-patient";', "gives = { };", False),
        ('mission = "desk"; address = "10.1.2.3";', "gives = { rows_at_least = 600; };", True),
        ('mission = "desk"; address = "10.1.2.4";', "gives = { rows = 0; };", True),
        ('mission = "desk"; address = "::1";', "gives = { rows = 0; };", True),
        ("", 'refused = { reason = "role"; };', True),  # two missions and no default: none is taken
    ]
    entries = [("reader1", "SELECT id FROM patients", session + what, wanted) for session, what, wanted in cases]
    file = many(tmp_path, entries)
    status, out, err = live(own, file)
    assert told(entries, failed(out)) == told(entries, wrong_ones(entries)), out + err
    status, out, err = pgvigil("test", "--policy", own.policy, file)
    assert told(entries, failed(out)) == [("SELECT id FROM patients", 'mission = "one-patient";gives = { };')], out + err


def test_the_search_path_is_the_sessions(tmp_path, stack):
    sql = "SELECT bmi(72, 178)"
    for more, what in (('path = [ "app" ];', "gives = { };"), ('path = [ "app" ];', "gives = { rows = 1; };"), ("", 'refused = { reason = "function"; object = "bmi"; };')):
        file = one(tmp_path, what, sql, "nurse1", more)
        for status, out, err in (pgvigil("test", file), live(stack, file)):
            assert status == 0, (more, what, out, err)
    sql = "SELECT beds FROM wards"
    file = one(tmp_path, 'refused = { reason = "relation"; sqlstate = "42P01"; };', sql, "nurse1", 'path = [ "app" ];')
    assert pgvigil("test", file)[0] == 0 and live(stack, file)[0] == 0
    file = one(tmp_path, 'refused = { reason = "relation"; };', sql, "nurse1", 'path = [ "public" ];')
    assert pgvigil("test", file)[0] == 1 and live(stack, file)[0] == 1


@pytest.mark.parametrize("who,reason,object_", [('user = "nobody";', "user", "nobody"), ('user = "nurse1"; role = "biller";', "role", "biller"), ('user = "nurse1"; mission = "billing";', "mission", "billing"), ('user = "nurse1"; mission = "no-such";', "mission", "no-such")])
def test_a_session_that_cannot_be(who, reason, object_, tmp_path, stack):
    good = write_tests(tmp_path, '{ name = "it"; %s sql = "SELECT 1"; refused = { reason = "%s"; object = "%s"; }; }' % (who, reason, object_))
    assert pgvigil("test", good)[0] == 0 and live(stack, good)[0] == 0
    bad = write_tests(tmp_path, '{ name = "it"; %s sql = "SELECT 1"; gives = { }; }' % who)
    assert pgvigil("test", bad)[0] == 1 and live(stack, bad)[0] == 1


# ---- nothing stays, nothing is told ----------------------------------------------------------------------------------------

def test_what_a_statement_writes_is_rolled_back(tmp_path, stack):
    file = one(tmp_path, "gives = { rows = 1; };", "SELECT app.note() AS done", "billing1")
    status, out, err = live(stack, file)
    assert status == 0, out + err
    with stack.superuser() as c:
        assert c.execute("SELECT count(*) FROM notes").fetchone() == (0,)
        # Its twin: it does write, when nothing rolls it back.
        c.execute("BEGIN")
        c.execute("SELECT app.note()")
        assert c.execute("SELECT count(*) FROM notes").fetchone() == (1,)
        c.execute("ROLLBACK")


@pytest.mark.parametrize("sql", ["UPDATE public.patients SET phone = '1' WHERE id = 1", "DELETE FROM public.invoices", "COMMIT", "SELECT 1; COMMIT; DELETE FROM public.invoices", "DROP TABLE public.invoices"])
def test_what_an_unrestricted_role_writes_is_not_run(sql, tmp_path, stack):
    before = state(stack)
    status, out, _ = live(stack, one(tmp_path, "gives = { rows = 1; };", sql, "admin1"))
    assert status == 1 and "only one SELECT is run" in out
    status, out, _ = live(stack, one(tmp_path, "gives = { };", sql, "admin1"))
    assert status == 0, out
    assert state(stack) == before


def state(stack):
    with stack.superuser() as c:
        return [c.execute("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM %s t" % table).fetchone() for table in ("patients", "invoices", "prescriptions", "observations", "appointments", "notes")]


def test_no_value_is_printed(tmp_path, stack):
    """Failing tests are what gets mailed around."""
    with stack.superuser() as c:
        names = {row[0] for row in c.execute("SELECT family_name FROM patients WHERE ward_id IN (1, 2)")}
    assert len(names) > 10
    files = ['gives = { rows = 0; null = [ "family_name" ]; differs = [ "family_name" ]; lacks = ( { ward_id = 1; } ); };', 'refused = { reason = "column"; };']
    for what in files:
        status, out, err = live(stack, one(tmp_path, what, "SELECT family_name, ward_id FROM patients"))
        assert status == 1 and not any(re.search(r"\b%s\b" % re.escape(name), out + err) for name in names), out
    # PostgreSQL's own message quotes the value: it is not repeated.
    status, out, err = live(stack, one(tmp_path, "gives = { };", "SELECT family_name::int FROM patients"))
    assert status == 1 and "22P02" in out and not any(re.search(r"\b%s\b" % re.escape(name), out + err) for name in names), out


# ---- files and usage -------------------------------------------------------------------------------------------------------

T = '{ name = "a"; user = "nurse1"; sql = "SELECT 1"; gives = { }; }'
BAD = {
    "syntax": ('tests = ( { name = "a" user = "b"; } );', "tests.cfg:1:"),
    "no tests": ("", "no tests"),
    "unknown key": ('tests = (\n%s,\n%s );' % (T, T.replace("user", "usr").replace('"a"', '"b"')), 'tests.cfg:3: unknown key "usr" in a test (did you mean "user"?)'),
    "unknown expectation": ("tests = ( %s );" % T.replace("{ }", '{ show = [ "a" ]; }'), 'did you mean "shown"'),
    "no statement": ('tests = ( { name = "a"; user = "b"; gives = { }; } );', '"sql"'),
    "neither": ("tests = ( %s );" % T.replace("gives = { };", ""), "either gives"),
    "both": ("tests = ( %s );" % T.replace("gives = { };", 'gives = { }; refused = { reason = "x"; };'), "either gives"),
    "refused for anything": ("tests = ( %s );" % T.replace("gives = { }", "refused = { }"), '"reason"'),
    "sqlstate": ("tests = ( %s );" % T.replace("gives = { }", 'refused = { reason = "x"; sqlstate = "42"; }'), "SQLSTATE"),
    "twice": ("tests = (\n%s,\n%s );" % (T, T), "tests.cfg:3: a test of that name is in"),
    "rows and bounds": ("tests = ( %s );" % T.replace("{ }", "{ rows = 1; rows_at_least = 1; }"), "exact"),
    "rows in words": ("tests = ( %s );" % T.replace("{ }", '{ rows = "1"; }'), "whole number"),
    "forgotten comma": ("tests = ( %s );" % T.replace("{ }", '{ hidden = [ "a" "b" ]; }'), "comma"),
    "row is no group": ("tests = ( %s );" % T.replace("{ }", '{ lacks = ( "a" ); }'), "a row is a group"),
    "setting": ("tests = ( %s );" % T.replace("gives", 'settings = { patients = "1"; }; gives'), 'did you mean "patient"'),
    "address": ("tests = ( %s );" % T.replace("gives", 'address = "here"; gives'), "IPv4"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_2_and_nothing_is_run(name, tmp_path):
    text, wanted = BAD[name]
    (tmp_path / "tests.cfg").write_text('policy = "%s"; catalog = "%s"; %s\n' % (CLINIC / "policy", CATALOG, text))
    status, out, err = pgvigil("test", tmp_path / "tests.cfg", TESTS)
    assert status == 2 and wanted in err and out == "", (out, err)


def test_files_that_are_not_there(tmp_path):
    good = one(tmp_path, "gives = { };", "SELECT 1")
    for args in ([tmp_path / "none.cfg"], ["--policy", tmp_path / "none", good], ["--catalog", tmp_path / "none.cfg", good], ["-c", tmp_path / "none.cfg", good]):
        status, out, err = pgvigil("test", *args)
        assert status == 2 and "none" in err and out == "", (args, out, err)
    (tmp_path / "tests.cfg").write_text('policy = "%s"; tests = ( %s );' % (CLINIC / "policy", T))
    status, out, err = pgvigil("test", tmp_path / "tests.cfg")
    assert status == 2 and "--save-catalog" in err


@pytest.mark.parametrize("text,wanted", [
    ("format = 2;", "from 1 to 1"), ("relations = ( { schema = \"a\"; } );", '"kind"'), ("relations = ( { schema = \"a\"; name = \"b\"; kind = \"x\"; } );", "relkind"),
    ("relations = ( { schema = \"a\"; name = \"b\"; kind = \"r\"; columns = ( [ \"c\", \"text\", \"shiny\" ] ); } );", "shiny"),
    ("relations = ( { schema = \"a\"; name = \"b\"; kind = \"r\"; constraints = ( [ \"c\", \"glossy\", \"d\" ] ); } );", "glossy"), ("tables = ( );", "unknown key")])
def test_a_bad_catalog_is_2(text, wanted, tmp_path):
    (tmp_path / "catalog.cfg").write_text(text)
    status, out, err = pgvigil("test", "--catalog", tmp_path / "catalog.cfg", TESTS)
    assert status == 2 and "catalog.cfg:1:" in err and wanted in err and out == "", (out, err)


def test_a_policy_that_could_not_be_deployed_is_2(tmp_path):
    shutil.copytree(CLINIC / "policy", tmp_path / "policy")
    (tmp_path / "policy" / "60.cfg").write_text('rules = ( { roles = [ "auditor" ]; missions = [ "audit" ]; tables = [ "public.ActesCCAM" ]; columns = { Tarif = "pseudonym"; }; } );')
    status, out, err = pgvigil("test", "--policy", tmp_path / "policy", TESTS)
    assert status == 2 and "60.cfg:1:" in err and out == "", err


def test_guards_that_are_not_deployed_cannot_be_tested(make_stack):
    own = make_stack(serve=False, deploy=False)
    status, out, err = live(own, TESTS)
    assert status == 3 and "not deployed" in err and "pgvigil deploy" in err, (out, err)


def test_a_database_out_of_reach_is_3(tmp_path, stack):
    text = stack.config_file.read_text()
    config = tmp_path / "pgvigil.cfg"
    config.write_text(re.sub(r"port=\d+", "port=1", text).replace('"policy"', '"%s"' % stack.policy))
    config.chmod(0o600)
    status, out, err = pgvigil("test", "-c", config, "--database", "records", TESTS)
    assert status == 3 and err and out == "", (out, err)


def test_differs_without_somebody_who_sees_the_tables(tmp_path, stack):
    file = one(tmp_path, 'gives = { differs = [ "nir" ]; };', MASKED, "reception1")
    status, out, _ = pgvigil("test", "-c", stack.config_file, "--database", "records", file)
    assert status == 1 and "--as CONNINFO" in out


def test_the_configurations_policy_when_it_is_named(tmp_path, stack):
    """-c beats the file, --policy beats both."""
    narrow = tmp_path / "narrow"
    shutil.copytree(CLINIC / "policy", narrow)
    (narrow / "42-rules-research.cfg").unlink()
    file = one(tmp_path, 'refused = { reason = "relation"; };', "SELECT sex FROM patients", "research1")
    assert pgvigil("test", file)[0] == 1
    assert pgvigil("test", "--policy", narrow, file)[0] == 0
    file = write_tests(tmp_path, '{ name = "it"; user = "research1"; sql = "SELECT sex FROM patients"; gives = { }; }', policy=narrow)
    assert pgvigil("test", file)[0] == 1
    assert pgvigil("test", "-c", stack.config_file, file)[0] == 0
    assert pgvigil("test", "-c", stack.config_file, "--policy", narrow, file)[0] == 1


def test_tap(tmp_path):
    file = write_tests(tmp_path, '{ name = "one # 1"; user = "nurse1"; sql = "SELECT 1"; gives = { }; },\n{ name = "two"; user = "nurse1"; sql = "SELECT * FROM documents"; gives = { }; }')
    status, out, err = pgvigil("test", "--tap", file, file)
    lines = out.splitlines()
    assert status == 1 and err == "" and lines[:2] == ["TAP version 13", "1..4"]
    assert [line for line in lines[2:] if not line.startswith("# ")] == ["ok 1 - one   1", "not ok 2 - two", "ok 3 - one   1", "not ok 4 - two"]
    assert any(line.startswith("# expected allowed; came refused (relation public.documents, 42501)") for line in lines)


def test_tests_may_stand_in_several_files(tmp_path):
    (tmp_path / "more.inc").write_text('tests = ( %s );\n' % T.replace('"a"', '"more"'))
    (tmp_path / "tests.cfg").write_text('policy = "%s"; catalog = "%s";\n@include "more.inc"\ntests = ( %s );\n' % (CLINIC / "policy", CATALOG, T))
    status, out, _ = pgvigil("test", tmp_path / "tests.cfg")
    assert status == 0 and re.findall(r"^ok +(\S+)$", out, re.M) == ["more", "a"]


# ---- the saved catalog -----------------------------------------------------------------------------------------------------

def saved(stack, path):
    done = stack.command("check", "-c", stack.config_file, "--database", "records", "--as", stack.dba(), "--save-catalog", path, check=False)
    assert "written" in done.stdout, done.stdout + done.stderr
    return path.read_text(encoding="utf-8")


def test_the_clinics_saved_catalog_is_that_of_its_schema(make_stack, tmp_path):
    clean = make_stack(serve=False, deploy=False)
    steady = re.compile(r'^(database|server_version) = .*$', re.M)
    now = saved(clean, tmp_path / "now.cfg")
    assert steady.sub("", now) == steady.sub("", CATALOG.read_text(encoding="utf-8")), "write it anew: see the head of examples/clinic/tests.cfg"
    # Guards are not in it: it does not change when they are deployed.
    clean.deploy()
    assert saved(clean, tmp_path / "then.cfg") == now


ODD = r'"Odd Sché\ma"'
ODD_TABLE = ODD + r'."a.b \ c"'
ODD_SQL = r"""
CREATE SCHEMA @;
CREATE TABLE @."a.b \ c" (id bigint CONSTRAINT "p \ k" PRIMARY KEY, "Libellé "" long" text, secret text DEFAULT 'x', nir app.nir, "text" text);
CREATE VIEW @.v AS SELECT id, secret FROM @."a.b \ c" WHERE "text" <> E'\n';
CREATE SEQUENCE public.loose;
CREATE SEQUENCE public.lost;
CREATE TABLE public.parts (id serial, kind int NOT NULL, label text, PRIMARY KEY (id, kind), CONSTRAINT twice UNIQUE (kind, label), UNIQUE (label, kind)) PARTITION BY LIST (kind);
CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES IN (1);
CREATE FUNCTION app.eq(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE OPERATOR app.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = app.eq);
GRANT USAGE ON SCHEMA @ TO pgvigil_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA @ TO pgvigil_owner;
GRANT SELECT, INSERT ON public.parts, public.parts_1 TO pgvigil_owner;
""".replace("@", ODD)
ODD_POLICY = r"""
tables = ( { name = "Odd Sché\\ma.a.b \\ c"; columns = { admin = [ "id", "Libellé \" long", "text" ]; identifier = [ "nir" ]; private = [ "secret" ]; }; },
           { name = "public.parts"; columns = { admin = [ "id", "kind", "label" ]; }; } );
rules = ( { roles = [ "biller" ]; missions = [ "billing" ]; tables = [ "Odd Sché\\ma.a.b \\ c" ]; columns = { admin = "show"; }; },
          { roles = [ "biller" ]; missions = [ "billing" ]; tables = [ "public.parts" ]; columns = { admin = "show"; }; insert = [ "admin" ]; } );
sequences = ( { name = "public.loose"; roles = [ "biller" ]; } );
"""
ODD_CASES = [
    ("SELECT * FROM " + ODD_TABLE, r'gives = { relations = [ "Odd Sché\\ma.a.b \\ c" ]; shown = [ "id", "Libellé \" long", "text" ]; hidden = [ "secret", "nir" ]; };'),
    ("SELECT nir FROM " + ODD_TABLE, r'refused = { reason = "column"; object = "Odd Sché\\ma.a.b \\ c.nir"; };'),
    ("SELECT * FROM %s.v" % ODD, 'gives = { shown = [ "id" ]; };'),
    ('SELECT "text" FROM %s GROUP BY id' % ODD_TABLE, "gives = { };"),
    ("INSERT INTO parts (id, kind) VALUES (1, 1) ON CONFLICT ON CONSTRAINT parts_pkey DO NOTHING", 'gives = { relations = [ "public.parts" ]; };'),
    ('INSERT INTO %s (id) VALUES (1) ON CONFLICT ON CONSTRAINT "p \\ k" DO NOTHING' % ODD_TABLE, 'refused = { reason = "write"; };'),
    ("INSERT INTO parts (id, kind) VALUES (1, 1) ON CONFLICT ON CONSTRAINT twice DO NOTHING", 'refused = { reason = "write"; };'),
    ("INSERT INTO parts (id, kind) VALUES (1, 1) ON CONFLICT ON CONSTRAINT parts_key DO NOTHING", 'refused = { reason = "constraint"; };'),
    ("SELECT nextval('parts_id_seq'), nextval('loose')", "gives = { };"),
    ("SELECT nextval('lost')", 'refused = { reason = "sequence"; object = "lost"; };'),
    ("SELECT id FROM parts_1", 'gives = { relations = [ "public.parts_1" ]; };'),
    ("SELECT id FROM ONLY parts", 'gives = { relations = [ "public.parts" ]; };'),
    ("SELECT 'a' OPERATOR(app.===) 'b'", 'refused = { reason = "operator"; };'),
    ("SELECT app.eq('a', 'b')", 'refused = { reason = "function"; object = "app.eq"; };'),
    ("SELECT relname FROM pg_class", 'gives = { relations = [ "pg_catalog.pg_class" ]; };'),
    ("SELECT table_name FROM information_schema.tables", 'gives = { relations = [ "information_schema.tables" ]; };'),
    ("SELECT NULL::app.nir", "gives = { };"),
    ("SELECT NULL::app.no_such_type", 'refused = { reason = "type"; };'),
]


@pytest.fixture(scope="module")
def odd(make_stack, tmp_path_factory):
    """Names with everything in them, a partition, a view, a domain, an operator; and the saved catalog."""
    own = make_stack(serve=False, extra_sql=ODD_SQL, extra_policy=[("60-odd.cfg", ODD_POLICY)])
    path = tmp_path_factory.mktemp("odd") / "odd.cfg"
    saved(own, path)
    return own, path


def test_a_saved_catalog_decides_as_the_database(odd, tmp_path):
    own, path = odd
    entries = [("billing1", sql.replace("\\", "\\\\"), what, True) for sql, what in ODD_CASES]
    file = many(tmp_path, entries)
    for status, out, err in (pgvigil("test", "--policy", own.policy, "--catalog", path, file), live(own, file)):
        assert status == 0 and err == "", out + err


def test_what_the_database_does_not_have_a_saved_catalog_does_not_have(odd, tmp_path):
    own, path = odd
    file = one(tmp_path, "gives = { };", "SELECT * FROM parts_2", "billing1")
    assert pgvigil("test", "--policy", own.policy, "--catalog", path, file)[0] == 1 and live(own, file)[0] == 1


def test_saving_needs_a_database_and_a_place(stack, tmp_path):
    status, _, err = pgvigil("check", "-c", stack.config_file, "--save-catalog", tmp_path / "x")
    assert status == 2 and "--database" in err
    done = stack.command("check", "-c", stack.config_file, "--database", "records", "--save-catalog", tmp_path / "no" / "x", check=False)
    assert done.returncode == 3 and "cannot be written" in done.stderr, done.stderr
