"""
The clinic with missions that are aggregate_only, and what PostgreSQL itself says of a group: for test_aggregate.py and
test_aggregate_generated.py. What a group is of is asked of the base tables, by their own keys: nothing of pgvigil's is used.
"""
import re
import shutil

import harness

K = 5
NO_OBJECTION = "NOT EXISTS (SELECT 1 FROM public.objections o WHERE o.patient_id = %s AND o.purpose = 'research')"
# Columns of the missions, the same in all: as SQL over the base tables. birth_date and admitted_at are masked.
COLUMNS = {
    "patients": {"sex": "t.sex", "ward_id": "t.ward_id", "birth_date": "make_date(extract(year from t.birth_date)::int, 1, 1)",
                 "postcode": "t.postcode", "blood_group": "t.blood_group", "city": "t.city"},
    "stays": {"ward_id": "t.ward_id", "diagnosis": "t.diagnosis", "attending": "t.attending",
              "admitted_at": "date_trunc('month', t.admitted_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'",
              "discharged_at": "t.discharged_at", "patient_id": "t.patient_id"},
    "observations": {"loinc": "t.loinc", "value": "t.value", "unit": "t.unit", "patient_id": "t.patient_id", "practitioner": "t.practitioner"},
}
PATIENT = {"patients": "t.id", "stays": "t.patient_id", "observations": "t.patient_id"}
MISSIONS = {
    "stats": "k = %d; answers_per_day = 100000;" % K,
    "free": "k = %d; answers_per_day = 100000;" % K,
    "tight": "k = %d; answers_per_day = 12;" % K,
}


def rules(missions):
    names = ", ".join('"%s"' % name for name in missions)
    head = '{ roles = [ "researcher", "physician" ]; missions = [ %s ]; tables = [ "public.%%s" ]; ' % names
    return """rules = (
  %s columns = { admin = "show"; }; },
  %s filter = "no_objection"; columns = { id = "show"; nir = "show"; sex = "show"; ward_id = "show"; birth_date = "year"; postcode = "show"; city = "show"; medical = "show"; }; },
  %s filter = "no_objection"; columns = { admin = "show"; medical = "show"; admitted_at = "month_utc"; }; },
  %s filter = "no_objection"; columns = { admin = "show"; medical = "show"; }; },
  %s filter = "no_objection"; columns = { admin = "show"; medical = "show"; }; }
);
functions = ( { name = "app.age"; roles = [ "researcher" ]; missions = [ %s ]; } );
""" % (head % "wards", head % "patients", head % "stays", head % "observations", head % "lab_results", names)


def policy(folder, missions=None):
    """A directory: the clinic's policy and these."""
    missions = missions or MISSIONS
    made = folder / "policy"
    shutil.copytree(harness.CLINIC / "policy", made)
    path = made / "30-missions-roles.cfg"
    text = path.read_text(encoding="utf-8")
    names = "".join(', "%s"' % name for name in missions)
    text, found = re.subn(r'(missions = \[ (?:"care", )?"research")', r"\1" + names, text)
    assert found == 2
    listed = "".join('  { name = "%s"; purpose = "HRESCH"; aggregate_only = { %s }; },\n' % (name, keys) for name, keys in missions.items())
    text, found = re.subn(r"(missions = \(\n)", lambda match: match.group(1) + listed, text)
    assert found == 1
    path.write_text(text, encoding="utf-8")
    (made / "95-aggregate.cfg").write_text(rules(missions), encoding="utf-8")
    return made


def relation(name, alias):
    """A FROM entry over the base table that has what the missions show, the row's own key and its patient."""
    columns = ", ".join("%s AS %s" % (sql, column) for column, sql in COLUMNS[name].items())
    return "(SELECT t.id AS own_key, %s AS own_patient, %s FROM public.%s t WHERE %s) %s" % (
        PATIENT[name], columns, name, NO_OBJECTION % PATIENT[name], alias)
