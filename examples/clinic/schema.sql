-- The records database of a small French clinic: what `scripts/demo` shows and what the tests read.
--
-- Plain PostgreSQL 15, nothing of pgvigil's: the point is that an existing schema is not changed. Run it as the
-- role that shall own the tables, in an empty database; data.sql fills it, always with the same rows.

\set ON_ERROR_STOP on
SET client_min_messages = warning;

CREATE SCHEMA app;
COMMENT ON SCHEMA app IS 'Types and functions of the clinic''s applications';

CREATE TYPE app.sex AS ENUM ('F', 'M');
CREATE TYPE app.blood_group AS ENUM ('O+', 'O-', 'A+', 'A-', 'B+', 'B-', 'AB+', 'AB-');
CREATE TYPE app.appointment_status AS ENUM ('booked', 'arrived', 'done', 'missed', 'cancelled');

-- 13 characters and a two-digit key: 97 - (number mod 97), where Corsica's 2A counts as 19 and 2B as 18.
CREATE DOMAIN app.nir AS text
    CHECK (VALUE ~ '^[12][0-9]{2}(0[1-9]|1[0-2])([0-9]{2}|2A|2B)[0-9]{8}$')
    CONSTRAINT nir_key CHECK (substr(VALUE, 14, 2)::int =
        97 - (replace(replace(substr(VALUE, 1, 13), '2A', '19'), '2B', '18')::bigint % 97));
COMMENT ON DOMAIN app.nir IS 'Numéro d''inscription au répertoire (social-security number), with its key';

CREATE DOMAIN app.postcode AS text CHECK (VALUE ~ '^[0-9]{5}$');

CREATE FUNCTION app.luhn_valid(digits text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT sum(CASE WHEN (length(digits) - i) % 2 = 0 THEN d ELSE (d * 2) / 10 + (d * 2) % 10 END) % 10 = 0
    FROM (SELECT i, substr(digits, i, 1)::int AS d FROM generate_series(1, length(digits)) AS i) AS each_digit
    $$;
COMMENT ON FUNCTION app.luhn_valid(text) IS 'Check digit of RPPS numbers and of LOINC codes (without the hyphen)';

CREATE FUNCTION app.bmi(weight_kg numeric, height_cm numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT round(weight_kg / nullif((height_cm / 100) ^ 2, 0), 1) $$;
COMMENT ON FUNCTION app.bmi(numeric, numeric) IS 'Body mass index (kg/m²)';

CREATE FUNCTION app.age(birth date, at date) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT extract(year FROM age(at, birth))::int $$;
COMMENT ON FUNCTION app.age(date, date) IS 'Completed years on a given day';

-- The house ------------------------------------------------------------------------------------------

CREATE TABLE public.wards (
    id       integer PRIMARY KEY,
    code     text NOT NULL UNIQUE,
    name     text NOT NULL,
    building text NOT NULL,
    floor    integer NOT NULL,
    beds     integer NOT NULL CHECK (beds >= 0),
    phone    text NOT NULL
);
COMMENT ON TABLE public.wards IS 'Services de soins';

CREATE TABLE public.practitioners (
    id          bigint PRIMARY KEY,
    rpps        text NOT NULL UNIQUE CHECK (rpps ~ '^[0-9]{11}$' AND app.luhn_valid(rpps)),
    family_name text NOT NULL,
    given_name  text NOT NULL,
    profession  text NOT NULL,
    specialty   text,
    ward_id     integer NOT NULL REFERENCES public.wards (id),
    email       text NOT NULL
);
COMMENT ON TABLE public.practitioners IS 'Professionnels de santé, par leur numéro RPPS';

CREATE TABLE public.staff_salaries (
    id              bigint PRIMARY KEY,
    practitioner_id bigint NOT NULL REFERENCES public.practitioners (id),
    month           date NOT NULL,
    gross           numeric(10, 2) NOT NULL
);
COMMENT ON TABLE public.staff_salaries IS 'Payroll. No policy mentions it: nobody reaches it through pgvigil';

CREATE TABLE public."ActesCCAM" (
    "Code"    text PRIMARY KEY,
    "Libelle" text NOT NULL,
    "Tarif"   numeric(8, 2) NOT NULL
);
COMMENT ON TABLE public."ActesCCAM" IS 'Acts that can be billed (mixed-case names, as vendors make them)';

-- The patients ---------------------------------------------------------------------------------------

CREATE TABLE public.patients (
    id           bigint PRIMARY KEY,
    ward_id      integer REFERENCES public.wards (id),
    nir          app.nir NOT NULL UNIQUE,
    family_name  text NOT NULL,
    given_name   text NOT NULL,
    sex          app.sex NOT NULL,
    birth_date   date NOT NULL,
    phone        text,
    email        text,
    address      text NOT NULL,
    postcode     app.postcode NOT NULL,
    city         text NOT NULL,
    blood_group  app.blood_group,
    allergies    text[] NOT NULL DEFAULT '{}',
    preferences  jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
COMMENT ON TABLE public.patients IS 'Dossiers';
COMMENT ON COLUMN public.patients.nir IS 'Social-security number with its key';
COMMENT ON COLUMN public.patients.ward_id IS 'The ward that follows the patient; none for visitors of the consultations';
CREATE INDEX patients_ward ON public.patients (ward_id);
CREATE INDEX patients_name ON public.patients (family_name, given_name);
CREATE INDEX patients_birth ON public.patients (birth_date);

CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
CREATE TRIGGER patients_touch BEFORE UPDATE ON public.patients
    FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TABLE public.stays (
    id              bigint PRIMARY KEY,
    patient_id      bigint NOT NULL REFERENCES public.patients (id),
    ward_id         integer NOT NULL REFERENCES public.wards (id),
    bed             text NOT NULL,
    admitted_at     timestamptz NOT NULL,
    discharged_at   timestamptz,
    attending       text NOT NULL REFERENCES public.practitioners (rpps),
    reason          text NOT NULL,
    diagnosis       text NOT NULL,
    diagnosis_label text NOT NULL,
    CHECK (discharged_at > admitted_at)
);
COMMENT ON TABLE public.stays IS 'Séjours';
COMMENT ON COLUMN public.stays.diagnosis IS 'Main diagnosis, CIM-10';
CREATE INDEX stays_patient ON public.stays (patient_id);
CREATE INDEX stays_ward ON public.stays (ward_id, admitted_at);

CREATE TABLE public.care_team (
    id           bigint PRIMARY KEY,
    patient_id   bigint NOT NULL REFERENCES public.patients (id),
    practitioner text NOT NULL REFERENCES public.practitioners (rpps),
    part         text NOT NULL,
    starts_on    date NOT NULL,
    ends_on      date,
    UNIQUE (patient_id, practitioner)
);
COMMENT ON TABLE public.care_team IS 'Équipe de soins: who takes part in whose care';
CREATE INDEX care_team_practitioner ON public.care_team (practitioner, patient_id);

CREATE TABLE public.appointments (
    id           bigint PRIMARY KEY,
    patient_id   bigint NOT NULL REFERENCES public.patients (id),
    practitioner text NOT NULL REFERENCES public.practitioners (rpps),
    ward_id      integer NOT NULL REFERENCES public.wards (id),
    starts_at    timestamptz NOT NULL,
    minutes      integer NOT NULL CHECK (minutes > 0),
    status       app.appointment_status NOT NULL,
    motive       text NOT NULL
);
CREATE INDEX appointments_patient ON public.appointments (patient_id);
CREATE INDEX appointments_day ON public.appointments (ward_id, starts_at);

-- Care -----------------------------------------------------------------------------------------------

CREATE TABLE public.observations (
    id           bigint NOT NULL,
    patient_id   bigint NOT NULL REFERENCES public.patients (id),
    stay_id      bigint NOT NULL REFERENCES public.stays (id),
    taken_on     date NOT NULL,
    taken_at     timestamptz NOT NULL,
    loinc        text NOT NULL,
    label        text NOT NULL,
    value        numeric(8, 2) NOT NULL,
    unit         text NOT NULL,
    practitioner text NOT NULL REFERENCES public.practitioners (rpps),
    PRIMARY KEY (id, taken_on)
) PARTITION BY RANGE (taken_on);
COMMENT ON TABLE public.observations IS 'Constantes au lit du patient, one partition a year';
CREATE TABLE public.observations_2022 PARTITION OF public.observations
    FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
CREATE TABLE public.observations_2023 PARTITION OF public.observations
    FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE public.observations_2024 PARTITION OF public.observations
    FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.observations_2025 PARTITION OF public.observations
    FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.observations_other PARTITION OF public.observations DEFAULT;
CREATE INDEX observations_patient ON public.observations (patient_id, taken_on);
CREATE INDEX observations_stay ON public.observations (stay_id);

CREATE TABLE public.lab_results (
    id         bigint PRIMARY KEY,
    stay_id    bigint NOT NULL REFERENCES public.stays (id),
    loinc      text NOT NULL CHECK (loinc ~ '^[0-9]{1,7}-[0-9]$'),
    label      text NOT NULL,
    value      numeric(10, 2) NOT NULL,
    unit       text NOT NULL,
    low        numeric(10, 2) NOT NULL,
    high       numeric(10, 2) NOT NULL,
    abnormal   boolean NOT NULL GENERATED ALWAYS AS (value < low OR value > high) STORED,
    taken_at   timestamptz NOT NULL
);
COMMENT ON TABLE public.lab_results IS 'Results of the laboratory, by LOINC code; the patient is the stay''s';
CREATE INDEX lab_results_stay ON public.lab_results (stay_id);
CREATE INDEX lab_results_loinc ON public.lab_results (loinc, taken_at);

CREATE TABLE public.prescriptions (
    id         bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES public.patients (id),
    stay_id    bigint NOT NULL REFERENCES public.stays (id),
    prescriber text NOT NULL REFERENCES public.practitioners (rpps),
    atc        text NOT NULL CHECK (atc ~ '^[A-Z][0-9]{2}[A-Z]{2}[0-9]{2}$'),
    label      text NOT NULL,
    dose       text NOT NULL,
    route      text NOT NULL,
    starts_on  date NOT NULL,
    ends_on    date
);
CREATE INDEX prescriptions_patient ON public.prescriptions (patient_id);
CREATE INDEX prescriptions_atc ON public.prescriptions (atc);

CREATE TABLE public.documents (
    id         bigint PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES public.patients (id),
    stay_id    bigint REFERENCES public.stays (id),
    kind       text NOT NULL,
    title      text NOT NULL,
    author     text NOT NULL REFERENCES public.practitioners (rpps),
    written_at timestamptz NOT NULL,
    body       text NOT NULL
);
COMMENT ON TABLE public.documents IS 'Letters and reports, free text';
CREATE INDEX documents_patient ON public.documents (patient_id);

-- The office -----------------------------------------------------------------------------------------

CREATE TABLE public.invoices (
    id          bigint PRIMARY KEY,
    patient_id  bigint NOT NULL REFERENCES public.patients (id),
    stay_id     bigint NOT NULL REFERENCES public.stays (id),
    number      text NOT NULL UNIQUE,
    act         text NOT NULL REFERENCES public."ActesCCAM" ("Code"),
    amount      numeric(10, 2) NOT NULL CHECK (amount >= 0),
    reimbursed  numeric(10, 2) NOT NULL,
    issued_on   date NOT NULL,
    paid_on     date
);
CREATE INDEX invoices_patient ON public.invoices (patient_id);

CREATE TABLE public.consents (
    id           bigint PRIMARY KEY,
    patient_id   bigint NOT NULL REFERENCES public.patients (id),
    purpose      text NOT NULL,
    given_on     date NOT NULL,
    withdrawn_on date
);
CREATE INDEX consents_patient ON public.consents (patient_id);

CREATE TABLE public.objections (
    id            bigint PRIMARY KEY,
    patient_id    bigint NOT NULL REFERENCES public.patients (id),
    purpose       text NOT NULL,
    registered_on date NOT NULL,
    reason        text
);
COMMENT ON TABLE public.objections IS 'Oppositions: research never sees these patients';
CREATE INDEX objections_patient ON public.objections (patient_id, purpose);

-- Views ----------------------------------------------------------------------------------------------

CREATE VIEW public.patient_stays AS
    SELECT p.id AS patient_id, p.nir, p.family_name, p.given_name, p.birth_date,
           s.id AS stay_id, s.ward_id, s.admitted_at, s.discharged_at, s.diagnosis
    FROM public.patients p
    JOIN public.stays s ON s.patient_id = p.id;
COMMENT ON VIEW public.patient_stays IS 'A view of the applications; its rules are those of its tables';

CREATE MATERIALIZED VIEW public.ward_occupancy AS
    SELECT w.id AS ward_id, w.code, w.beds, count(s.id) AS occupied,
           round(100.0 * count(s.id) / nullif(w.beds, 0), 1) AS percent
    FROM public.wards w
    LEFT JOIN public.stays s ON s.ward_id = w.id AND s.discharged_at IS NULL
    GROUP BY w.id, w.code, w.beds
    WITH NO DATA;
CREATE UNIQUE INDEX ward_occupancy_ward ON public.ward_occupancy (ward_id);
