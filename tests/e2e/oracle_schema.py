"""
What the oracle needs on top of the clinic: odd names, one name in two schemas, inheritance, a tree, many types; the policy
for it; and, written from the policy by hand, the views that PostgreSQL itself answers from.
"""

# In the database, as the tables' owner.
EXTRA_SQL = """
CREATE SCHEMA "Étage";
CREATE TABLE "Étage"."Chambres" (
    "Numéro" int PRIMARY KEY, "Niveau" int NOT NULL, nom text NOT NULL, "select" text, secret text NOT NULL,
    tags text[] NOT NULL, info jsonb, prix numeric(8,2) NOT NULL, ouvert boolean NOT NULL, depuis timestamptz NOT NULL,
    "Mixed Case" varchar(20));
INSERT INTO "Étage"."Chambres"
SELECT n, n % 4, 'Chambre ' || n, CASE WHEN n % 5 <> 0 THEN 's' || n % 3 END, 'SECRET' || n,
       CASE WHEN n % 4 = 0 THEN '{}' ELSE ARRAY['t' || n % 3, 'u' || n % 2, 'v'] END,
       CASE WHEN n % 6 <> 0 THEN jsonb_build_object('lit', n % 3, 'vue', jsonb_build_object('sur', 'cour'),
                                                    'liste', jsonb_build_array(n, n + 1)) END,
       n * 10.25, n % 3 <> 0, timestamptz '2024-01-01 08:00+01' + n * interval '37 hours',
       CASE WHEN n % 2 = 0 THEN 'Été ' || n END
FROM generate_series(1, 60) AS n;
CREATE TABLE "Étage".patients (id bigint PRIMARY KEY, note text NOT NULL, cote int, secret text NOT NULL);
INSERT INTO "Étage".patients SELECT n, 'note ' || n, n % 7, 'SECRET' || n FROM generate_series(1, 40) AS n;
CREATE TABLE "Étage".appareil (id int PRIMARY KEY, nom text NOT NULL, ward int NOT NULL, serie text NOT NULL);
CREATE TABLE "Étage".pompe (debit numeric(6,2) NOT NULL) INHERITS ("Étage".appareil);
INSERT INTO "Étage".appareil SELECT n, 'Appareil ' || n, 1 + n % 4, 'A' || n FROM generate_series(1, 20) AS n;
INSERT INTO "Étage".pompe SELECT n, 'Pompe ' || n, 1 + n % 4, 'P' || n, n / 4.0 FROM generate_series(101, 115) AS n;
CREATE TABLE "Étage".unites (id int PRIMARY KEY, parent int, nom text NOT NULL, lits int NOT NULL);
INSERT INTO "Étage".unites SELECT n, CASE WHEN n > 1 THEN n / 2 END, 'Unité ' || n, n * 3 % 11 FROM generate_series(1, 31) AS n;
CREATE TABLE "Étage".mesures (id int PRIMARY KEY, chambre int NOT NULL, le date NOT NULL, heure time NOT NULL, duree interval NOT NULL,
    valeur double precision, octets bytea NOT NULL, plage int4range NOT NULL, adr inet, u uuid NOT NULL, code char(4), r real, c "char");
INSERT INTO "Étage".mesures
SELECT n, 1 + n % 60, date '2024-02-20' + n, time '06:30' + n * interval '7 minutes', n * interval '1 day 2 hours',
       CASE WHEN n % 9 <> 0 THEN n / 8.0 END, decode(lpad(to_hex(n), 8, '0'), 'hex'), int4range(n, n + n % 5),
       CASE WHEN n % 3 = 0 THEN ('10.0.0.' || n)::inet END, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
       'c' || n % 10, n / 4.0, chr(65 + n % 26)::"char"
FROM generate_series(1, 80) AS n;
CREATE VIEW "Étage"."Ouvertes" AS SELECT c."Numéro", c.nom, c.prix, c.secret FROM "Étage"."Chambres" c WHERE c.ouvert;
GRANT USAGE ON SCHEMA "Étage" TO pgvigil_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA "Étage" TO pgvigil_owner;
"""

POLICY = """
tables = (
  { name = "Étage.Chambres"; columns = { piece = [ "Numéro", "Niveau", "nom", "select", "tags", "info", "prix", "ouvert", "depuis" ]; mixte = [ "Mixed Case" ]; coffre = [ "secret" ]; }; },
  { name = "Étage.patients"; columns = { piece = [ "id", "note", "cote" ]; coffre = [ "secret" ]; }; },
  { name = "Étage.appareil"; columns = { piece = [ "id", "nom", "ward", "serie" ]; }; },
  { name = "Étage.unites"; columns = { piece = [ "id", "parent", "nom", "lits" ]; }; },
  { name = "Étage.mesures"; columns = { piece = [ "id", "chambre", "le", "heure", "duree", "valeur", "octets", "plage", "adr", "u", "code", "r", "c" ]; }; }
);
masks = { dizaine = "round(:col, -1)"; };
rules = (
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "Étage.Chambres" ]; rows = "\\"Chambres\\".\\"Niveau\\" < 3"; columns = { piece = "show"; mixte = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "Étage.patients" ]; rows = "patients.cote > 0"; columns = { piece = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "Étage.appareil" ]; rows = "appareil.ward = ANY(:user.wards)"; columns = { piece = "show"; }; },
  { roles = [ "nurse" ]; missions = [ "care" ]; tables = [ "Étage.unites", "Étage.mesures" ]; columns = { piece = "show"; }; },

  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "Étage.Chambres" ]; rows = "\\"Chambres\\".ouvert";
    columns = { piece = "show"; mixte = "show"; nom = "initial"; prix = "dizaine"; }; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "Étage.patients" ]; columns = { piece = "show"; note = "null"; }; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "Étage.appareil" ]; columns = { piece = "show"; serie = "last_two"; }; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "Étage.unites" ]; rows = "unites.lits <> 5"; columns = { piece = "show"; }; },
  { roles = [ "receptionist" ]; missions = [ "admission" ]; tables = [ "Étage.mesures" ]; rows = "mesures.id % 2 = 0"; columns = { piece = "show"; }; },

  { roles = [ "researcher" ]; missions = [ "research" ]; tables = [ "Étage.Chambres" ]; columns = { piece = "show"; mixte = "null"; depuis = "month_utc"; }; },
  { roles = [ "researcher" ]; missions = [ "research" ]; tables = [ "Étage.patients" ]; columns = { id = "pseudonym"; cote = "show"; note = "pseudonym"; }; },
  { roles = [ "researcher" ]; missions = [ "research" ]; tables = [ "Étage.appareil" ]; rows = "appareil.ward > 1"; columns = { piece = "show"; }; },
  { roles = [ "researcher" ]; missions = [ "research" ]; tables = [ "Étage.unites", "Étage.mesures" ]; columns = { piece = "show"; }; }
);
"""

WARDS_12 = "ARRAY[1,2]"
LAST_TWO = "repeat('*', greatest(length({0}) - 2, 0)) || right({0}, 2)"

# {pair: {view: SELECT}}, raw tables in raw and raw_e. Columns stand in the tables' own order, as SELECT * shows them.
# ONLY variants are named only_*, for the parallel texts.
OWN_WARD = "EXISTS (SELECT 1 FROM raw.patients p WHERE p.id = {0} AND p.ward_id = ANY(" + WARDS_12 + "))"
NO_OBJECTION = "NOT EXISTS (SELECT 1 FROM raw.objections o WHERE o.patient_id = {0} AND o.purpose = 'research')"
DEPARTMENT = "left({0}, 2) || '000'"
YEAR = "make_date(extract(year from {0})::int, 1, 1)"
MONTH = "make_date(extract(year from {0})::int, extract(month from {0})::int, 1)"
MONTH_UTC = "date_trunc('month', {0} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"

OBSERVATIONS = ("observations", "observations_2022", "observations_2023", "observations_2024", "observations_2025",
                "observations_other")


def nurse():
    views = {
        "public.wards": "SELECT * FROM raw.wards",
        "public.ward_occupancy": "SELECT * FROM raw.ward_occupancy",
        "public.practitioners": "SELECT id, rpps, family_name, given_name, profession, specialty, ward_id FROM raw.practitioners",
        "public.patients": "SELECT id, ward_id, family_name, given_name, sex, birth_date, phone, email, address, postcode, city, "
                           "blood_group, allergies, created_at, updated_at FROM raw.patients WHERE ward_id = ANY(%s)" % WARDS_12,
        "public.stays": "SELECT * FROM raw.stays t WHERE " + OWN_WARD.format("t.patient_id"),
        "public.appointments": "SELECT * FROM raw.appointments t WHERE " + OWN_WARD.format("t.patient_id"),
        "public.care_team": "SELECT * FROM raw.care_team t WHERE " + OWN_WARD.format("t.patient_id"),
        "public.prescriptions": "SELECT * FROM raw.prescriptions t WHERE " + OWN_WARD.format("t.patient_id"),
        "public.lab_results": "SELECT * FROM raw.lab_results t WHERE " + OWN_WARD.format(
            "(SELECT s.patient_id FROM raw.stays s WHERE s.id = t.stay_id)"),
        "public.patient_stays": "SELECT p.id AS patient_id, p.family_name, p.given_name, p.birth_date, s.id AS stay_id, s.ward_id, "
                                "s.admitted_at, s.discharged_at, s.diagnosis FROM public.patients p JOIN public.stays s ON s.patient_id = p.id",
        '"Étage"."Chambres"': 'SELECT "Numéro", "Niveau", nom, "select", tags, info, prix, ouvert, depuis, "Mixed Case" '
                              'FROM raw_e."Chambres" WHERE "Niveau" < 3',
        '"Étage".patients': "SELECT id, note, cote FROM raw_e.patients WHERE cote > 0",
        '"Étage".appareil': "SELECT * FROM raw_e.appareil WHERE ward = ANY(%s)" % WARDS_12,
        '"Étage".only_appareil': "SELECT * FROM ONLY raw_e.appareil WHERE ward = ANY(%s)" % WARDS_12,
        '"Étage".pompe': "SELECT id, nom, ward, serie FROM raw_e.pompe WHERE ward = ANY(%s)" % WARDS_12,
        '"Étage".unites': "SELECT * FROM raw_e.unites",
        '"Étage".mesures': "SELECT * FROM raw_e.mesures",
    }
    for name in OBSERVATIONS:
        views["public." + name] = "SELECT * FROM raw.%s t WHERE " % name + OWN_WARD.format("t.patient_id")
    views["public.only_observations"] = "SELECT * FROM ONLY raw.observations t WHERE " + OWN_WARD.format("t.patient_id")
    return views


def receptionist():
    return {
        "public.wards": "SELECT * FROM raw.wards",
        "public.ward_occupancy": "SELECT * FROM raw.ward_occupancy",
        "public.practitioners": "SELECT id, rpps, family_name, given_name, profession, specialty, ward_id FROM raw.practitioners",
        "public.patients": "SELECT id, ward_id, (" + LAST_TWO.format("nir::text") + ")::text AS nir, family_name, given_name, sex, birth_date, "
                           "phone, email, address, postcode, city FROM raw.patients",
        "public.stays": "SELECT id, patient_id, ward_id, bed, admitted_at, discharged_at, attending FROM raw.stays",
        "public.appointments": "SELECT id, patient_id, practitioner, ward_id, starts_at, minutes, status FROM raw.appointments",
        "public.patient_stays": "SELECT p.id AS patient_id, p.nir, p.family_name, p.given_name, p.birth_date, s.id AS stay_id, s.ward_id, "
                                "s.admitted_at, s.discharged_at FROM public.patients p JOIN public.stays s ON s.patient_id = p.id",
        '"Étage"."Chambres"': 'SELECT "Numéro", "Niveau", left(nom, 1) || \'.\' AS nom, "select", tags, info, '
                              'round(prix, -1)::numeric(8,2) AS prix, ouvert, depuis, "Mixed Case" FROM raw_e."Chambres" WHERE ouvert',
        '"Étage".patients': "SELECT id, NULL::text AS note, cote FROM raw_e.patients",
        '"Étage".appareil': "SELECT id, nom, ward, " + LAST_TWO.format("serie") + " AS serie FROM raw_e.appareil",
        '"Étage".only_appareil': "SELECT id, nom, ward, " + LAST_TWO.format("serie") + " AS serie FROM ONLY raw_e.appareil",
        '"Étage".pompe': "SELECT id, nom, ward, " + LAST_TWO.format("serie") + " AS serie FROM raw_e.pompe",
        '"Étage".unites': "SELECT * FROM raw_e.unites WHERE lits <> 5",
        '"Étage".mesures': "SELECT * FROM raw_e.mesures WHERE id % 2 = 0",
    }


def researcher():
    int_of, text_of = "raw.pseudo_int({0})", "raw.pseudo_text({0})"
    views = {
        "public.wards": "SELECT id, name, beds FROM raw.wards",
        "public.patients": "SELECT %s AS id, sex, (%s)::date AS birth_date, (%s)::text AS postcode, blood_group, allergies FROM raw.patients t WHERE %s"
                           % (int_of.format("id"), YEAR.format("birth_date"), DEPARTMENT.format("postcode::text"), NO_OBJECTION.format("t.id")),
        "public.stays": "SELECT %s AS id, %s AS patient_id, ward_id, %s AS admitted_at, %s AS attending, diagnosis, diagnosis_label "
                        "FROM raw.stays t WHERE %s" % (int_of.format("id"), int_of.format("patient_id"), MONTH_UTC.format("admitted_at"),
                                                      text_of.format("attending"), NO_OBJECTION.format("t.patient_id")),
        "public.lab_results": "SELECT %s AS id, %s AS stay_id, loinc, label, value, unit, low, high, abnormal, %s AS taken_at FROM raw.lab_results t WHERE %s"
                              % (int_of.format("id"), int_of.format("stay_id"), MONTH_UTC.format("taken_at"),
                                 NO_OBJECTION.format("(SELECT s.patient_id FROM raw.stays s WHERE s.id = t.stay_id)")),
        "public.prescriptions": "SELECT %s AS id, %s AS patient_id, %s AS stay_id, atc, label, dose, route, %s AS starts_on FROM raw.prescriptions t WHERE %s"
                                % (int_of.format("id"), int_of.format("patient_id"), int_of.format("stay_id"), MONTH.format("starts_on"),
                                   NO_OBJECTION.format("t.patient_id")),
        "public.patient_stays": "SELECT p.id AS patient_id, p.birth_date, s.id AS stay_id, s.ward_id, s.admitted_at, s.diagnosis "
                                "FROM public.patients p JOIN public.stays s ON s.patient_id = p.id",
        '"Étage"."Chambres"': 'SELECT "Numéro", "Niveau", nom, "select", tags, info, prix, ouvert, %s AS depuis, NULL::varchar(20) AS "Mixed Case" '
                              'FROM raw_e."Chambres"' % MONTH_UTC.format("depuis"),
        '"Étage".patients': "SELECT %s AS id, %s AS note, cote FROM raw_e.patients" % (int_of.format("id"), text_of.format("note")),
        '"Étage".appareil': "SELECT * FROM raw_e.appareil WHERE ward > 1",
        '"Étage".only_appareil': "SELECT * FROM ONLY raw_e.appareil WHERE ward > 1",
        '"Étage".pompe': "SELECT id, nom, ward, serie FROM raw_e.pompe WHERE ward > 1",
        '"Étage".unites': "SELECT * FROM raw_e.unites",
        '"Étage".mesures': "SELECT * FROM raw_e.mesures",
    }
    for name in OBSERVATIONS:
        views["public." + name] = (
            "SELECT %s AS id, %s AS patient_id, %s AS stay_id, %s AS taken_on, loinc, label, value, unit, %s AS practitioner FROM raw.%s t WHERE %s"
            % (int_of.format("id"), int_of.format("patient_id"), int_of.format("stay_id"), MONTH.format("taken_on"),
               text_of.format("practitioner"), name, NO_OBJECTION.format("t.patient_id")))
    views["public.only_observations"] = views["public.observations"].replace("FROM raw.obs", "FROM ONLY raw.obs")
    return views


def views_of(pair):
    views = {"nurse": nurse, "receptionist": receptionist, "researcher": researcher}[pair]()
    shown = '"Numéro", nom, prix'
    views['"Étage"."Ouvertes"'] = 'SELECT %s FROM "Étage"."Chambres" WHERE ouvert' % shown
    return views


def oracle_sql(pair, research_key):
    """The SQL that turns a copy of the database into the oracle for one pair."""
    inner = bytes(b ^ 0x36 for b in research_key.ljust(64, b"\0")).hex()
    outer = bytes(b ^ 0x5C for b in research_key.ljust(64, b"\0")).hex()
    hashed = "sha256('\\x%s'::bytea || sha256('\\x%s'::bytea || {0}))" % (outer, inner)
    text = """
SET standard_conforming_strings = on;
ALTER SCHEMA public RENAME TO raw; CREATE SCHEMA public;
ALTER SCHEMA "Étage" RENAME TO raw_e; CREATE SCHEMA "Étage";
CREATE FUNCTION raw.pseudo_text(v text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT substr(encode(%s, 'hex'), 1, 32) $$;
CREATE FUNCTION raw.pseudo_int(v bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
  $$ SELECT ('x' || substr(encode(%s, 'hex'), 1, 16))::bit(64)::bigint & ((1::numeric * 9223372036854775807)::bigint) $$;
""" % (hashed.format("convert_to(v, 'UTF8')"), hashed.format("int8send(v)"))
    views = views_of(pair)
    late = [n for n in views if n in ("public.patient_stays", '"Étage"."Ouvertes"')]
    for name in [n for n in views if n not in late] + late:
        text += "CREATE VIEW %s AS %s;\n" % (name, views[name])
    return text
