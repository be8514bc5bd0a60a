"""
Retention and patients' rights on top of the clinic and of oracle_schema: the tables that say who has which right, a policy
that names them, and, reckoned here in Python from the policy's words alone, who exists for whom.
"""
import datetime
import zoneinfo

import harness
import oracle_schema

PARIS = zoneinfo.ZoneInfo("Europe/Paris")

# Some patients were last seen six, and some thirty, years ago; a few are dead, some objected, some are held.
EXTRA_SQL = """
CREATE TABLE public.restrictions (patient_id bigint NOT NULL, lifted_on date);
CREATE TABLE public.deaths (patient_id bigint PRIMARY KEY, died_on date NOT NULL);
CREATE TABLE public.legal_holds (patient_id bigint NOT NULL, lifted_on date);
CREATE TABLE public.hidden_rows (observation_id bigint NOT NULL, from_whom text NOT NULL);
INSERT INTO public.restrictions SELECT n, CASE WHEN n % 4 = 0 THEN date '2025-01-01' END FROM generate_series(3, 600, 11) AS n;
INSERT INTO public.deaths SELECT n, date '2019-03-01' + n::int FROM generate_series(7, 600, 13) AS n;
INSERT INTO public.legal_holds SELECT n, CASE WHEN n % 3 = 0 THEN date '2025-01-01' END FROM generate_series(5, 600, 8) AS n;
INSERT INTO public.hidden_rows SELECT o.id, CASE WHEN o.id % 2 = 0 THEN '10000000611' ELSE '10000000637' END FROM public.observations o WHERE o.id % 5 = 0;
UPDATE public.stays SET admitted_at = admitted_at - interval '6 years', discharged_at = discharged_at - interval '6 years' WHERE patient_id % 7 = 1;
UPDATE public.stays SET admitted_at = admitted_at - interval '30 years', discharged_at = discharged_at - interval '30 years' WHERE patient_id % 7 = 2;
DELETE FROM public.lab_results l USING public.stays s WHERE s.id = l.stay_id AND s.patient_id % 50 = 9;
UPDATE public.invoices SET stay_id = stay_id WHERE false;
GRANT SELECT ON public.restrictions, public.deaths, public.legal_holds, public.hidden_rows TO pgvigil_owner;
"""

POLICY = """
retention = {
  table = "public.patients";
  last  = "(SELECT max((s.admitted_at AT TIME ZONE 'Europe/Paris')::date) FROM public.stays s WHERE s.patient_id = patients.id)";
  birth = "patients.birth_date";
  death = "(SELECT d.died_on FROM public.deaths d WHERE d.patient_id = patients.id)";
  hold  = "EXISTS (SELECT 1 FROM public.legal_holds h WHERE h.patient_id = patients.id AND h.lifted_on IS NULL)";
  except = [ "public.invoices" ];
};
rights = (
  { name = "sharing"; kind = "objection"; missions = [ "admission" ]; tables = [ "public.stays", "public.appointments" ];
    hide = "EXISTS (SELECT 1 FROM public.objections o WHERE o.patient_id = :subject AND o.purpose = 'messaging')"; },
  { name = "restriction"; kind = "restriction"; except = [ "audit" ];
    hide = "EXISTS (SELECT 1 FROM public.restrictions r WHERE r.patient_id = :subject AND r.lifted_on IS NULL)"; },
  { name = "hidden-observations"; kind = "hidden"; tables = [ "public.observations" ]; roles = [ "nurse" ];
    hide = "EXISTS (SELECT 1 FROM public.hidden_rows h WHERE h.observation_id = observations.id AND h.from_whom = :user.rpps)"; }
);
"""

AGES = {"nurse": {"active"}, "receptionist": {"active"}, "researcher": {"active", "archived"}}
RPPS = {"nurse": "10000000611", "receptionist": None, "researcher": None}
PATIENT_TABLES = {
    "patients": "t.id", "stays": "t.patient_id", "appointments": "t.patient_id", "care_team": "t.patient_id",
    "prescriptions": "t.patient_id", "lab_results": "(SELECT s.patient_id FROM raw.stays_all s WHERE s.id = t.stay_id)",
}
PATIENT_TABLES.update({name: "t.patient_id" for name in oracle_schema.OBSERVATIONS})


def missions():
    """The clinic's own file, with research reaching into the archive."""
    text = (harness.CLINIC / "policy" / "30-missions-roles.cfg").read_text()
    old = 'purpose = "HRESCH";'
    assert text.count(old) == 1
    return text.replace(old, old + ' retention = [ "active", "archived" ];')


def files():
    return [("30-missions-roles.cfg", missions()), ("90-oracle.cfg", oracle_schema.POLICY), ("95-rights.cfg", POLICY)]


def years_on(day, years):
    """The same day of a later year; of 29 February, where there is none, the 28th (code de procédure civile, 641)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def age_of(last, birth, death, held, today, active=5, archive=15, minor=28, dead=10, knows_birth=True):
    """Where a record stands, by the words of the rules."""
    if held or last is None:
        return "active"
    if today <= years_on(last, active):
        return "active"
    if death is not None and death < years_on(last, dead):
        until = years_on(max(death, last), dead)
    elif knows_birth and birth is None:
        return "archived"  # nobody can say when the 28th birthday is
    else:
        until = max([years_on(last, active + archive)] + ([years_on(birth, minor)] if knows_birth else []))
    return "archived" if today <= until else "expired"


def ages(connection, today=None):
    """{patient: age} of a database that holds EXTRA_SQL, read plainly and reckoned here."""
    today = today or datetime.datetime.now(PARIS).date()
    born = dict(connection.execute("SELECT id, birth_date FROM public.patients").fetchall())
    seen = {}
    for patient, at in connection.execute("SELECT patient_id, admitted_at FROM public.stays").fetchall():
        day = at.astimezone(PARIS).date()
        seen[patient] = max(day, seen.get(patient, day))
    died = dict(connection.execute("SELECT patient_id, died_on FROM public.deaths").fetchall())
    held = {p for p, in connection.execute("SELECT patient_id FROM public.legal_holds WHERE lifted_on IS NULL").fetchall()}
    return {p: age_of(seen.get(p), b, died.get(p), p in held, today) for p, b in born.items()}


def oracle_sql(pair, research_key, known):
    """As oracle_schema's, over tables that lack what nobody of the pair may see. `known`: what ages() told."""
    gone = [p for p, age in known.items() if age not in AGES[pair]]
    body = oracle_schema.oracle_sql(pair, research_key)
    head, views = body.split("CREATE VIEW ", 1)
    head += "CREATE TABLE raw.gone (p bigint PRIMARY KEY);\n"
    if gone:
        head += "INSERT INTO raw.gone VALUES %s;\n" % ", ".join("(%d)" % p for p in gone)
    for table in PATIENT_TABLES:
        head += "ALTER TABLE raw.%s RENAME TO %s_all;\n" % (table, table)
    for table, subject in PATIENT_TABLES.items():
        where = ("NOT EXISTS (SELECT 1 FROM raw.gone g WHERE g.p = {0}) AND "
                 "NOT EXISTS (SELECT 1 FROM raw.restrictions r WHERE r.patient_id = {0} AND r.lifted_on IS NULL)").format(subject)
        if pair == "receptionist" and table in ("stays", "appointments"):
            where += " AND NOT EXISTS (SELECT 1 FROM raw.objections o WHERE o.patient_id = %s AND o.purpose = 'messaging')" % subject
        if pair == "nurse" and table.startswith("observations"):
            where += (" AND NOT EXISTS (SELECT 1 FROM raw.hidden_rows h WHERE h.observation_id = t.id AND h.from_whom = '%s')" % RPPS[pair])
        head += "CREATE VIEW raw.%s AS SELECT * FROM raw.%s_all t WHERE %s;\n" % (table, table, where)
    return head + "CREATE VIEW " + views.replace("FROM ONLY raw.observations", "FROM ONLY raw.observations_all")
