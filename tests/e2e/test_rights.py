"""
Retention and patients' rights (policy keys `retention`, `rights`, a mission's `retention`): what they hide does not exist, in
every form of the oracle's statements, and from the next statement on.

The oracle is PostgreSQL itself over tables from which this test has taken what rights_schema.py reckons must not be there.
"""
import datetime

import harness
import oracle_schema
import psycopg
import pytest
import rights_schema
from oracle_statements import STATEMENTS
from test_oracle import PAIRS, WAYS, Refused, answer, label, same_types

CASES = [(pair, statement) for statement in STATEMENTS for pair in statement.pairs]
EXTRA = oracle_schema.EXTRA_SQL + rights_schema.EXTRA_SQL
seen = {}


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_sql=EXTRA, extra_policy=rights_schema.files())


@pytest.fixture(scope="module")
def oracles(stack):
    made, names = {}, []
    template = stack.cluster.template(extra_sql=EXTRA)
    with stack.superuser() as c:
        known = rights_schema.ages(c)
    for pair in PAIRS:
        sql = rights_schema.oracle_sql(pair, harness.pseudonym_mission_key("research"), known)
        names.append(stack.cluster.create("rights_" + pair, template, sql))
        made[pair] = stack.cluster.superuser(names[-1])
    yield made
    for pair, name in zip(PAIRS, names):
        made[pair].close()
        stack.cluster.drop(name)


@pytest.fixture(scope="module")
def sessions(stack):
    made = {pair: stack.connect(user, mission=mission) for pair, (user, mission) in PAIRS.items()}
    yield made
    for connection in made.values():
        connection.close()


@pytest.mark.parametrize("case", CASES, ids=label)
def test_read_gives_what_postgresql_gives_without_the_hidden(case, stack, sessions, oracles):
    pair, statement = case
    mine = statement.sql.replace("{db}", stack.databases["records"])
    for way in WAYS:
        if way == "simple" and statement.params:
            continue
        theirs = statement.oracle.replace("{db}", oracles[pair].info.dbname)
        expected = answer(oracles[pair], theirs, statement.params, way)
        try:
            got = answer(sessions[pair], mine, statement.params, way)
        except Refused as error:
            pytest.fail("refused: %s" % error, pytrace=False)
        if not statement.rowtype:
            assert same_types(oracles[pair], got[0], expected[0])
        if not statement.rowtype or way != "binary":
            order = lambda row: tuple((v is None, v or b"") for v in row)  # noqa: E731
            if statement.ordered:
                assert got[1] == expected[1], way
            else:
                assert sorted(got[1], key=order) == sorted(expected[1], key=order), way
        assert got[2] == expected[2], way
        seen.setdefault(pair, []).append(len(expected[1]))


def test_something_is_hidden_of_everything(stack, sessions):
    """The comparison can fail: there are active, archived and expired records, restrictions and objections, and each hides."""
    with stack.superuser() as c:
        known = rights_schema.ages(c)
        restricted = {p for p, in c.execute("SELECT patient_id FROM restrictions WHERE lifted_on IS NULL")}
    counts = {age: sum(1 for a in known.values() if a == age) for age in ("active", "archived", "expired")}
    assert min(counts.values()) > 20, counts
    everyone = {p for p, in sessions["receptionist"].execute("SELECT id FROM patients")}
    assert everyone == {p for p, a in known.items() if a == "active"} - restricted
    assert len(restricted) > 20


def patient_of(stack, ward=1):
    """One of nurse1's, active and free of any right."""
    with stack.superuser() as c:
        known = rights_schema.ages(c)
        rows = c.execute("SELECT id FROM patients p WHERE ward_id = %s AND NOT EXISTS (SELECT FROM restrictions r WHERE r.patient_id = p.id) "
                         "AND NOT EXISTS (SELECT FROM objections o WHERE o.patient_id = p.id) AND EXISTS (SELECT FROM observations o "
                         "WHERE o.patient_id = p.id) ORDER BY id", (ward,)).fetchall()
    return next(p for p, in rows if known[p] == "active")


READS = ("SELECT count(*) FROM patients WHERE id = %d", "SELECT count(*) FROM stays WHERE patient_id = %d",
         "SELECT count(*) FROM observations WHERE patient_id = %d",
         "SELECT count(*) FROM lab_results l JOIN stays s ON s.id = l.stay_id WHERE s.patient_id = %d",
         "SELECT count(*) FROM patient_stays WHERE patient_id = %d")


@pytest.mark.parametrize("way", ["autocommit", "transaction", "prepared"])
def test_a_change_takes_effect_on_the_next_statement(way, stack):
    patient = patient_of(stack)
    with stack.connect("nurse1", mission="care", autocommit=way != "transaction") as c, stack.superuser() as dba:

        def counts():
            return [c.execute(sql % patient, prepare=way == "prepared").fetchone()[0] for sql in READS]

        before = counts()
        assert before[0] == 1 and min(before) > 0
        dba.execute("INSERT INTO restrictions VALUES (%s)", (patient,))
        assert counts() == [0] * len(READS)
        dba.execute("UPDATE restrictions SET lifted_on = current_date WHERE patient_id = %s", (patient,))
        assert counts() == before
        dba.execute("DELETE FROM restrictions WHERE patient_id = %s", (patient,))
        assert counts() == before


def test_what_is_archived_is_there_for_missions_that_say_so(stack):
    """The same patient: not for the nurse's care, not for admission, but for research, and gone from it once expired."""
    patient = patient_of(stack, 2)
    with stack.superuser() as dba:
        stays = dba.execute("SELECT id, admitted_at FROM stays WHERE patient_id = %s", (patient,)).fetchall()
        dba.execute("DELETE FROM deaths WHERE patient_id = %s", (patient,))
        dba.execute("UPDATE patients SET birth_date = '1950-02-28' WHERE id = %s", (patient,))
        dba.execute("DELETE FROM legal_holds WHERE patient_id = %s", (patient,))
        days = {}
        with stack.connect("nurse1", mission="care") as care, stack.connect("research1", mission="research") as research:
            for years, days_more in ((5, 0), (5, 1), (20, 0), (20, 1)):
                today = datetime.datetime.now(rights_schema.PARIS).date()
                wanted = rights_schema.years_on(today, -years) - datetime.timedelta(days_more)
                dba.execute("UPDATE stays SET admitted_at = %s WHERE patient_id = %s",
                            (datetime.datetime.combine(wanted, datetime.time(0, 30), rights_schema.PARIS), patient))
                total = dba.execute("SELECT count(*) FROM stays WHERE patient_id = %s", (patient,)).fetchone()[0]
                mine = care.execute("SELECT count(*) FROM stays WHERE patient_id = %s", (patient,)).fetchone()[0]
                diagnoses = "SELECT count(*) FROM stays"
                days[years, days_more] = (mine == total, research.execute(diagnoses).fetchone()[0])
        for stay, at in stays:
            dba.execute("UPDATE stays SET admitted_at = %s WHERE id = %s", (at, stay))
    assert [days[key][0] for key in sorted(days)] == [True, False, False, False]
    assert days[5, 0][1] == days[5, 1][1] == days[20, 0][1] == days[20, 1][1] + total


def test_no_row_can_be_written_for_who_is_hidden(stack):
    patient = patient_of(stack)
    insert = ("INSERT INTO observations (id, patient_id, stay_id, taken_on, taken_at, loinc, label, value, unit, practitioner) SELECT "
              "%d, %d, min(id), '2025-05-05', '2025-05-05', '8867-4', 'Fréquence cardiaque', 70, '/min', '10000000611' FROM stays WHERE patient_id = %d")
    with stack.superuser() as dba, stack.connect("nurse1", mission="care") as c:
        (stay,) = dba.execute("SELECT min(id) FROM stays WHERE patient_id = %s", (patient,)).fetchone()
        values = insert.replace("min(id)", str(stay)).replace(" FROM stays WHERE patient_id = %d", "")
        c.execute(values % (9000001, patient))  # its twin
        dba.execute("INSERT INTO restrictions VALUES (%s)", (patient,))
        with pytest.raises(psycopg.Error) as caught:
            c.execute(values % (9000002, patient))
        assert caught.value.sqlstate == "44000" and str(patient) not in str(caught.value)
        dba.execute("DELETE FROM restrictions WHERE patient_id = %s", (patient,))
        assert dba.execute("SELECT count(*) FROM observations WHERE id IN (9000001, 9000002)").fetchone() == (1,)
        dba.execute("DELETE FROM observations WHERE id = 9000001")


def test_breaking_the_glass_does_not_break_a_restriction(stack):
    with stack.superuser() as dba:
        known = rights_schema.ages(dba)
        rows = dba.execute("SELECT patient_id FROM restrictions WHERE lifted_on IS NULL AND patient_id NOT IN (SELECT patient_id FROM objections "
                           "WHERE purpose = 'emergency') ORDER BY 1").fetchall()
        restricted = next(p for p, in rows if known[p] == "active")
    free = patient_of(stack, 3)
    for patient, expected in ((free, 1), (restricted, 0)):
        with stack.connect("nurse1") as c:
            c.execute("SET pgvigil.patient = '%d'" % patient)
            c.execute("SET pgvigil.reason = 'arrêt cardiaque aux urgences, patient %d'" % patient)
            c.execute("SET pgvigil.mission = 'emergency'")
            assert c.execute("SELECT count(*) FROM patients").fetchone() == (expected,)


UNSURE = """
rights = ( { name = "old"; kind = "objection"; tables = [ "public.stays" ]; hide = "stays.discharged_at < timestamptz '2000-01-01 00:00+00'"; } );
"""


def test_a_right_that_cannot_be_told_hides(make_stack):
    """Who is still there has no day of discharge: the right is NULL, neither true nor false."""
    sure = make_stack(extra_policy=[("95-unsure.cfg", UNSURE)])
    with sure.superuser() as c:
        told, unsure = c.execute("SELECT count(*) FILTER (WHERE discharged_at >= '2000-01-01'), count(*) FILTER (WHERE discharged_at IS NULL) FROM stays").fetchone()
    with sure.connect("reception1", mission="admission") as c:
        assert c.execute("SELECT count(*) FROM stays").fetchone() == (told,) and told > 100 and unsure > 0


def test_an_unrestricted_role_sees_everything(stack):
    with stack.connect("admin1") as c, stack.superuser() as dba:
        for table in ("patients", "stays", "observations"):
            sql = "SELECT count(*) FROM public." + table
            assert c.execute(sql).fetchone() == dba.execute(sql).fetchone()


def test_explain_names_what_hides_rows(stack):
    done = stack.command("explain", "-c", stack.config_file, "--user", "nurse1", "SELECT id FROM observations")
    assert "also      restriction, hidden-observations, retention (active)" in done.stdout, done.stdout
    other = stack.command("explain", "-c", stack.config_file, "--user", "nurse1", "SELECT id FROM wards")
    assert "also" not in other.stdout


HEAD = "tables = ( { name = \"public.observations_2022\"; columns = { admin = [ \"id\", \"taken_on\" ]; }; } );\n" \
       "rules = ( { roles = [ \"nurse\" ]; missions = [ \"care\" ]; tables = [ \"public.observations_2022\" ]; columns = { admin = \"show\"; }; } );\n"
SLIPS = {
    "a partition with an entry of its own": (HEAD + 'rights = ( { name = "r"; kind = "restriction"; hide = "EXISTS (SELECT 1 FROM public.restrictions x '
                                             'WHERE x.patient_id = :subject)"; } );', "hides rows of public.observations, and not of public.observations_2022"),
    "a function that captures the subject": ('rights = ( { name = "r"; kind = "restriction"; hide = "EXISTS (SELECT 1 FROM public.patients(5) WHERE id = :subject)"; } );',
                                             "hides the table it is about"),
    "a time zone that is none": ('retention = { table = "public.patients"; last = "patients.birth_date"; time_zone = "Europe/Pariss"; };', 'no time zone "Europe/Pariss"'),
    "a date that is a time": ('retention = { table = "public.patients"; last = "patients.created_at"; };', "date_pli(timestamp with time zone"),
}


@pytest.mark.parametrize("slip", sorted(SLIPS))
def test_a_slip_that_would_open_rows_is_not_deployed(slip, make_stack):
    policy, told = SLIPS[slip]
    extra = rights_schema.EXTRA_SQL + "CREATE FUNCTION public.patients(n int) RETURNS TABLE (id bigint) LANGUAGE sql STABLE AS 'SELECT n::bigint';"
    bad = make_stack(extra_sql=extra, extra_policy=[("95-rights.cfg", policy)], deploy=False, serve=False)
    done = bad.deploy(check=False)
    assert done.returncode != 0 and told in done.stderr, done.stderr
    good = policy.replace("public.observations_2022", "public.wards").replace('"id", "taken_on"', '"id"').replace("FROM public.patients(5)", "FROM public.patients(5) AS x")
    if "capture" in slip:
        (bad.policy / "95-rights.cfg").write_text(good.replace("WHERE id", "WHERE x.id"))
        assert bad.deploy(check=False).returncode == 0
