"""
Twin databases: what each pair may see is equal, what it may not differs in values, in number, in size and in statistics.

Canaries stand in hidden cells: not one byte of them may reach a client. Rows are put back in the order of their keys
(CLUSTER), so that which row meets an error first is equal too.
"""

CANARIES = (b"zzcanary", b"1850175", b"2440713", b"zzcanary".hex().encode(), b"ZZCANARY".hex().encode())

HEAD = """
SET session_replication_role = replica;
CREATE FUNCTION pg_temp.keyed(number bigint) RETURNS text LANGUAGE sql AS $$ SELECT number || lpad((97 - number %% 97)::text, 2, '0') $$;
-- A number with a given key: what shows its last two digits shows nothing else.
CREATE FUNCTION pg_temp.same_key(base bigint, id bigint, key int) RETURNS text LANGUAGE sql AS
  $$ SELECT pg_temp.keyed(base + id * 97 + (((97 - key) - base %% 97) + 97) %% 97) $$;
-- Tables and columns that no policy mentions.
UPDATE public.staff_salaries SET gross = gross + %(n)d;
DELETE FROM public.staff_salaries WHERE id %% %(n)d = 0;
UPDATE public.patients SET preferences = jsonb_build_object('x', 'ZZCANARY%(L)s' || id);
UPDATE public.practitioners SET email = 'zzcanary%(L)s' || id;
UPDATE public.documents SET title = 'ZZCANARY%(L)s' || id, body = repeat('ZZCANARY%(L)s ', %(n)d * 10);
COMMENT ON TABLE public.staff_salaries IS 'ZZCANARY%(L)s';
COMMENT ON COLUMN public.patients.preferences IS 'ZZCANARY%(L)s';
"""

ONLY_B = """
CREATE TABLE public.zzcanary_b (id int PRIMARY KEY, zzcanary_column text DEFAULT 'ZZCANARYB');
INSERT INTO public.zzcanary_b SELECT n, 'ZZCANARYB' FROM generate_series(1, 500) AS n;
CREATE VIEW public.zzcanary_view AS SELECT * FROM public.zzcanary_b WHERE zzcanary_column = 'ZZCANARYB';
ALTER TABLE public.patients ADD COLUMN zzcanary_late text DEFAULT 'ZZCANARYB';
ALTER TABLE public.staff_salaries ADD CONSTRAINT zzcanary_check CHECK (gross <> 18501.75);
CREATE INDEX zzcanary_index ON public.staff_salaries (gross);
CREATE STATISTICS public.zzcanary_stat ON practitioner_id, month FROM public.staff_salaries;
CREATE SCHEMA zzcanary_schema;
CREATE TABLE zzcanary_schema.patients (id int);
CREATE PUBLICATION zzcanary_pub FOR TABLE public.staff_salaries;
"""

# {hidden}: a condition over patients p. More of them in B, so that sizes, counts and statistics differ.
HIDDEN_ROWS = """
UPDATE public.patients p SET family_name = 'ZZCANARY%(L)s' || p.id, given_name = 'ZZCANARY%(L)s', phone = 'ZZCANARY%(L)s', email = 'ZZCANARY%(L)s',
  address = 'ZZCANARY%(L)s', city = 'ZZCANARY%(L)s', postcode = '%(n)d%(n)d%(n)d00', birth_date = date '1900-01-01' + %(n)d, sex = '%(sex)s',
  allergies = ARRAY['ZZCANARY%(L)s'], blood_group = '%(blood)s', created_at = timestamptz '2001-01-0%(n)d', updated_at = timestamptz '2001-01-0%(n)d'
  WHERE %(hidden)s;
INSERT INTO public.patients (id, ward_id, nir, family_name, given_name, sex, birth_date, address, postcode, city, created_at, updated_at)
  SELECT 100000 + n, %(new_ward)s, pg_temp.keyed(1850175000000 + 900000 + n), 'ZZCANARY%(L)s', 'ZZCANARY%(L)s', 'F', '1900-01-01', 'ZZCANARY%(L)s', '99999', 'ZZCANARY%(L)s',
         timestamptz '2001-01-01', timestamptz '2001-01-01' FROM generate_series(1, %(more)d) AS n;
UPDATE public.stays s SET reason = 'ZZCANARY%(L)s', diagnosis = 'ZZCANARY%(L)s' || s.id, diagnosis_label = 'ZZCANARY%(L)s', bed = 'ZZCANARY%(L)s',
  ward_id = %(n)d, admitted_at = timestamptz '2001-01-0%(n)d', discharged_at = NULL WHERE EXISTS (SELECT 1 FROM public.patients p WHERE p.id = s.patient_id AND %(hidden)s);
UPDATE public.observations o SET label = 'ZZCANARY%(L)s', loinc = 'ZZCANARY%(L)s', unit = 'ZZCANARY%(L)s', value = value + %(n)d
  WHERE EXISTS (SELECT 1 FROM public.patients p WHERE p.id = o.patient_id AND %(hidden)s);
UPDATE public.lab_results l SET label = 'ZZCANARY%(L)s', unit = 'ZZCANARY%(L)s', value = value + %(n)d
  WHERE EXISTS (SELECT 1 FROM public.patients p JOIN public.stays s ON s.patient_id = p.id WHERE s.id = l.stay_id AND %(hidden)s);
UPDATE public.prescriptions r SET label = 'ZZCANARY%(L)s', dose = 'ZZCANARY%(L)s', route = 'ZZCANARY%(L)s'
  WHERE EXISTS (SELECT 1 FROM public.patients p WHERE p.id = r.patient_id AND %(hidden)s);
UPDATE public.appointments a SET motive = 'ZZCANARY%(L)s', minutes = %(n)d * 100 WHERE EXISTS (SELECT 1 FROM public.patients p WHERE p.id = a.patient_id AND %(hidden)s);
UPDATE public.care_team t SET part = 'ZZCANARY%(L)s' WHERE EXISTS (SELECT 1 FROM public.patients p WHERE p.id = t.patient_id AND %(hidden)s);
"""

OFFICE = """
UPDATE public.invoices SET number = 'ZZCANARY%(L)s' || id, amount = amount + %(n)d;
DELETE FROM public.invoices WHERE id %% 5 = %(n)d;
UPDATE public.consents SET purpose = 'ZZCANARY%(L)s';
UPDATE public."ActesCCAM" SET "Libelle" = 'ZZCANARY%(L)s', "Tarif" = "Tarif" + %(n)d;
"""

NURSE = OFFICE + """
UPDATE public.patients SET nir = pg_temp.keyed(%(nir)d + id);
UPDATE public.objections SET reason = 'ZZCANARY%(L)s', purpose = 'ZZCANARY%(L)s';
""" + HIDDEN_ROWS

RECEPTIONIST = OFFICE + """
UPDATE public.patients SET nir = pg_temp.same_key(%(nir)d, id, right(nir, 2)::int), blood_group = '%(blood)s', allergies = ARRAY['ZZCANARY%(L)s'],
  created_at = timestamptz '2001-01-0%(n)d', updated_at = timestamptz '2001-01-0%(n)d';
UPDATE public.stays SET reason = 'ZZCANARY%(L)s', diagnosis = 'ZZCANARY%(L)s', diagnosis_label = 'ZZCANARY%(L)s';
UPDATE public.appointments SET motive = 'ZZCANARY%(L)s';
UPDATE public.observations SET label = 'ZZCANARY%(L)s', value = value + %(n)d;
UPDATE public.lab_results SET label = 'ZZCANARY%(L)s', value = value + %(n)d;
UPDATE public.prescriptions SET label = 'ZZCANARY%(L)s';
UPDATE public.care_team SET part = 'ZZCANARY%(L)s';
UPDATE public.objections SET reason = 'ZZCANARY%(L)s', purpose = 'ZZCANARY%(L)s';
DELETE FROM public.observations WHERE id %% 3 = %(n)d;
"""

RESEARCHER = OFFICE + HIDDEN_ROWS + """
INSERT INTO public.objections (id, patient_id, purpose, registered_on) SELECT 100000 + n, 100000 + n, 'research', '2024-01-01' FROM generate_series(1, %(more)d) AS n;
UPDATE public.objections SET reason = 'ZZCANARY%(L)s', registered_on = date '2020-01-01' + %(n)d;
UPDATE public.patients SET nir = pg_temp.keyed(%(nir)d + id), family_name = 'ZZCANARY%(L)s' || id, given_name = 'ZZCANARY%(L)s', phone = 'ZZCANARY%(L)s', email = 'ZZCANARY%(L)s',
  address = 'ZZCANARY%(L)s', city = 'ZZCANARY%(L)s', ward_id = %(n)d, birth_date = make_date(extract(year FROM birth_date)::int, %(n)d, %(n)d),
  postcode = left(postcode, 2) || '%(n)d%(n)d%(n)d', created_at = timestamptz '2001-01-0%(n)d', updated_at = timestamptz '2001-01-0%(n)d';
UPDATE public.stays SET reason = 'ZZCANARY%(L)s', bed = 'ZZCANARY%(L)s', discharged_at = NULL,
  admitted_at = date_trunc('month', admitted_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '%(n)d days';
UPDATE public.observations SET taken_at = timestamptz '2001-01-0%(n)d', taken_on = make_date(extract(year FROM taken_on)::int, extract(month FROM taken_on)::int, %(n)d);
UPDATE public.lab_results SET taken_at = date_trunc('month', taken_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '%(n)d days';
UPDATE public.prescriptions SET starts_on = make_date(extract(year FROM starts_on)::int, extract(month FROM starts_on)::int, %(n)d), ends_on = NULL;
UPDATE public.wards SET code = 'ZZCANARY%(L)s' || id, building = 'ZZCANARY%(L)s', floor = %(n)d, phone = 'ZZCANARY%(L)s';
UPDATE public.practitioners SET family_name = 'ZZCANARY%(L)s', given_name = 'ZZCANARY%(L)s', specialty = 'ZZCANARY%(L)s';
UPDATE public.appointments SET motive = 'ZZCANARY%(L)s';
UPDATE public.care_team SET part = 'ZZCANARY%(L)s';
"""

TAIL = """
CLUSTER public.patients USING patients_pkey; CLUSTER public.stays USING stays_pkey; CLUSTER public.appointments USING appointments_pkey;
CLUSTER public.care_team USING care_team_pkey; CLUSTER public.lab_results USING lab_results_pkey; CLUSTER public.prescriptions USING prescriptions_pkey;
CLUSTER public.practitioners USING practitioners_pkey; CLUSTER public.wards USING wards_pkey;
CLUSTER public.observations_2022 USING observations_2022_pkey; CLUSTER public.observations_2023 USING observations_2023_pkey;
CLUSTER public.observations_2024 USING observations_2024_pkey; CLUSTER public.observations_2025 USING observations_2025_pkey;
CLUSTER public.observations_other USING observations_other_pkey;
"""

WHERE_HIDDEN = {
    "nurse": ("(p.ward_id IS NULL OR p.ward_id NOT IN (1, 2))", "7"),
    "receptionist": ("false", "7"),
    "researcher": ("EXISTS (SELECT 1 FROM public.objections ob WHERE ob.patient_id = p.id AND ob.purpose = 'research')", "7"),
}
BODY = {"nurse": NURSE, "receptionist": RECEPTIONIST, "researcher": RESEARCHER}


def twin_sql(pair, twin):
    """What makes a copy of the clinic the twin 'a' or 'b' of a pair."""
    hidden, ward = WHERE_HIDDEN[pair]
    first = twin == "a"
    values = {"L": twin.upper(), "n": 1 if first else 2, "sex": "F" if first else "M", "blood": "O+" if first else "AB-",
              "nir": 2440713000000 if first else 1850175000000, "hidden": hidden, "new_ward": ward, "more": 3 if first else 4000}
    if first or pair == "receptionist":
        values["more"] = 0
    return HEAD % values + BODY[pair] % values + ("" if first else ONLY_B) + TAIL
