# nurse writing
COPY patients (id, phone) FROM STDIN
=> CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT "id", "phone" FROM "G:"."public.patients" WITH NO DATA; COPY pg_temp."pgvigil copy" (id, phone) FROM STDIN 
; INSERT INTO "G:"."public.patients" ("id", "phone") SELECT "id", "phone" FROM pg_temp."pgvigil copy"; DROP TABLE pg_temp."pgvigil copy"
-- public.patients(id+ phone+)

copy"stays"from stdin with csv header; -- comment
=> CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT "id", "patient_id", "admitted_at", "reason" FROM "G:"."public.stays" WITH NO DATA; copy pg_temp."pgvigil copy"from stdin with csv header 
; INSERT INTO "G:"."public.stays" ("id", "patient_id", "admitted_at", "reason") SELECT "id", "patient_id", "admitted_at", "reason" FROM pg_temp."pgvigil copy"; DROP TABLE pg_temp."pgvigil copy"; -- comment
-- public.stays(id+ patient_id+ admitted_at+ reason+)

COPY public.patients ("phone", id, ward_id) FROM STDIN (FORMAT csv, DELIMITER ';', NULL 'x', QUOTE '''', ESCAPE '\', HEADER match, FORCE_NULL (phone), FORCE_NOT_NULL (id), ENCODING 'UTF8')
=> CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT "phone", "id", "ward_id" FROM "G:"."public.patients" WITH NO DATA; COPY pg_temp."pgvigil copy" ("phone", id, ward_id) FROM STDIN (FORMAT csv, DELIMITER ';', NULL 'x', QUOTE '''', ESCAPE '\', HEADER match, FORCE_NULL (phone), FORCE_NOT_NULL (id), ENCODING 'UTF8') 
; INSERT INTO "G:"."public.patients" ("phone", "id", "ward_id") SELECT "phone", "id", "ward_id" FROM pg_temp."pgvigil copy"; DROP TABLE pg_temp."pgvigil copy"
-- public.patients(id+ ward_id+ phone+)

COPY BINARY stays FROM STDOUT
=> CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT "id", "patient_id", "admitted_at", "reason" FROM "G:"."public.stays" WITH NO DATA; COPY BINARY pg_temp."pgvigil copy" FROM STDOUT 
; INSERT INTO "G:"."public.stays" ("id", "patient_id", "admitted_at", "reason") SELECT "id", "patient_id", "admitted_at", "reason" FROM pg_temp."pgvigil copy"; DROP TABLE pg_temp."pgvigil copy"
-- public.stays(id+ patient_id+ admitted_at+ reason+)

COPY stays (id) FROM STDIN USING DELIMITERS 'x' WITH NULL AS '' -- what for
=> CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT "id" FROM "G:"."public.stays" WITH NO DATA; COPY pg_temp."pgvigil copy" (id) FROM STDIN USING DELIMITERS 'x' WITH NULL AS '' -- what for 
; INSERT INTO "G:"."public.stays" ("id") SELECT "id" FROM pg_temp."pgvigil copy"; DROP TABLE pg_temp."pgvigil copy"
-- public.stays(id+)

/* a */ COPY U&"\0073tays" (U&"\0069d") FROM STDIN /* b */ ; /* c */
=> /* a */ CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT "id" FROM "G:"."public.stays" WITH NO DATA; COPY pg_temp."pgvigil copy" (U&"\0069d") FROM STDIN /* b */ 
; INSERT INTO "G:"."public.stays" ("id") SELECT "id" FROM pg_temp."pgvigil copy"; DROP TABLE pg_temp."pgvigil copy"; /* c */
-- public.stays(id+)

COPY patients FROM STDIN
=> refused 42501 write: column "family_name" of relation "public.patients" may not be inserted for role "nurse" in mission "writing"

COPY patients (id, nir) FROM STDIN
=> refused 42703 column: column "nir" of relation "patients" does not exist

COPY patients (id, nosuch) FROM STDIN
=> refused 42703 column: column "nosuch" of relation "patients" does not exist

COPY patients (id, notes) FROM STDIN
=> refused 42501 write: column "notes" of relation "public.patients" may not be inserted for role "nurse" in mission "writing"

COPY stays (id, id) FROM STDIN
=> refused 42701 column: column "id" specified more than once

COPY patients (patients) FROM STDIN
=> refused 42703 column: column "patients" of relation "patients" does not exist

COPY observations (id) FROM STDIN
=> refused 42501 write: rows of relation "public.observations" may not be inserted for role "nurse" in mission "writing"

COPY secrets FROM STDIN
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "writing"

COPY nowhere FROM STDIN
=> refused 42P01 relation: relation "nowhere" does not exist

COPY pg_class FROM STDIN
=> refused 42501 write: system catalog "pg_catalog.pg_class" cannot be written for role "nurse" in mission "writing"

COPY pg_temp."pgvigil copy" FROM STDIN
=> refused 42501 relation: schema "pg_temp" is not available for role "nurse" in mission "writing"

COPY "pgvigil copy" FROM STDIN
=> refused 42P01 relation: relation "pgvigil copy" does not exist

COPY stays FROM STDIN (FREEZE)
=> refused 0A000 option: the option "freeze" of COPY is not supported for role "nurse" in mission "writing"

COPY stays FROM STDIN WHERE id > 1
=> refused 0A000 statement: COPY with WHERE is not supported for role "nurse" in mission "writing"

COPY stays FROM STDIN (ENCODING 'latin1')
=> refused 0A000 option: the option "encoding" of COPY with another encoding than UTF8 is not supported for role "nurse" in mission "writing"

COPY stays FROM STDIN (FORCE_QUOTE *)
=> refused 0A000 option: the option "force_quote" of COPY is not supported for role "nurse" in mission "writing"

COPY stays FROM STDIN (nosuch 'secret')
=> refused 0A000 option: the option "nosuch" of COPY is not supported for role "nurse" in mission "writing"

COPY stays FROM '/etc/passwd'
=> refused 42501 statement: COPY with a file of the server is not available for role "nurse" in mission "writing"

COPY stays FROM ''
=> refused 42501 statement: COPY with a file of the server is not available for role "nurse" in mission "writing"

COPY stays FROM PROGRAM 'id'
=> refused 42501 statement: COPY with a program of the server is not available for role "nurse" in mission "writing"

SELECT 1; COPY stays FROM STDIN
=> refused 0A000 statement: COPY FROM must be sent by itself, not with other statements

COPY stays FROM STDIN; DROP TABLE stays
=> refused 0A000 statement: DROP TABLE is not supported for role "nurse" in mission "writing"

BEGIN; COPY stays FROM STDIN; COMMIT
=> refused 0A000 statement: COPY FROM must be sent by itself, not with other statements

# nurse writing extended
COPY stays FROM STDIN
=> refused 0A000 statement: COPY FROM in the extended protocol is not supported for role "nurse" in mission "writing"

# nurse care
COPY patients (id) FROM STDIN
=> refused 42501 write: rows of relation "public.patients" may not be inserted for role "nurse" in mission "care"

# dba maintenance
COPY patients FROM STDIN
=> COPY patients FROM STDIN
-- public.patients()

# doctor care
COPY stays (id, patient_id) FROM STDIN
=> CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT "id", "patient_id" FROM "G:"."public.stays" WITH NO DATA; COPY pg_temp."pgvigil copy" (id, patient_id) FROM STDIN 
; INSERT INTO "G:"."public.stays!subject" AS "pgvigil rows" ("id", "patient_id") SELECT "id", "patient_id" FROM pg_temp."pgvigil copy" RETURNING "pgvigil rows"."pgvigil subject" AS "pgvigil subject 1"; DROP TABLE pg_temp."pgvigil copy"
-- public.stays(id+ patient_id+)
-- subjects: 1

# doctor exact
COPY stays FROM STDIN WITH (FORMAT csv)
=> CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT "id", "patient_id", "admitted_at", "reason" FROM "G:"."public.stays" WITH NO DATA; COPY pg_temp."pgvigil copy" FROM STDIN WITH (FORMAT csv) 
; INSERT INTO "G:"."public.stays!subject" AS "pgvigil rows" ("id", "patient_id", "admitted_at", "reason") SELECT "id", "patient_id", "admitted_at", "reason" FROM pg_temp."pgvigil copy" RETURNING "pgvigil rows"."pgvigil subject" AS "pgvigil subject 1"; DROP TABLE pg_temp."pgvigil copy"
-- public.stays(id+ patient_id+ admitted_at+ reason+)
-- subjects: 1

