# nurse care
INSERT INTO patients (id) VALUES (1)
=> refused 42501 write: rows of relation "public.patients" may not be inserted for role "nurse" in mission "care"

UPDATE patients SET phone = 'x'
=> refused 42501 write: rows of relation "public.patients" may not be updated for role "nurse" in mission "care"

DELETE FROM patients
=> refused 42501 write: rows of relation "public.patients" may not be deleted for role "nurse" in mission "care"

# nurse writing
INSERT INTO patients (id, ward_id, phone) VALUES (1, 2, '06')
=> INSERT INTO "G:"."public.patients" AS "patients" (id, ward_id, phone) VALUES (1, 2, '06')
-- public.patients(id+ ward_id+ phone+)

INSERT INTO public.patients AS p (id, ward_id) SELECT id + 1000, ward_id FROM patients WHERE phone IS NULL RETURNING p.id, family_name
=> INSERT INTO "G:"."public.patients" AS p (id, ward_id) SELECT id + 1000, ward_id FROM "G:"."public.patients" AS "patients" WHERE phone IS NULL RETURNING p.id, family_name
-- public.patients(id& ward_id& family_name* phone)

INSERT INTO patients DEFAULT VALUES RETURNING *
=> INSERT INTO "G:"."public.patients" AS "patients" DEFAULT VALUES RETURNING *
-- public.patients(id ward_id family_name* phone diagnosis notes)

INSERT INTO patients VALUES (1, 2)
=> INSERT INTO "G:"."public.patients" AS "patients" VALUES (1, 2)
-- public.patients(id+ ward_id+)

INSERT INTO patients VALUES (1, 2, 'x', 'y')
=> refused 42501 write: column "family_name" of relation "public.patients" may not be inserted for role "nurse" in mission "writing"

INSERT INTO patients SELECT * FROM patients
=> refused 42501 write: column "family_name" of relation "public.patients" may not be inserted for role "nurse" in mission "writing"

INSERT INTO stays SELECT * FROM stays
=> INSERT INTO "G:"."public.stays" AS "stays" SELECT * FROM "G:"."public.stays" AS "stays"
-- public.stays(id& patient_id& admitted_at& reason&)

INSERT INTO stays TABLE stays
=> INSERT INTO "G:"."public.stays" AS "stays" SELECT * FROM "G:"."public.stays" AS "stays"
-- public.stays(id& patient_id& admitted_at& reason&)

INSERT INTO patients (id, nir) VALUES (1, 'x')
=> refused 42703 column: column "nir" of relation "patients" does not exist

INSERT INTO patients (id, family_name) VALUES (1, 'x')
=> refused 42501 write: column "family_name" of relation "public.patients" may not be inserted for role "nurse" in mission "writing"

INSERT INTO patients (id, nosuch) VALUES (1, 'x')
=> refused 42703 column: column "nosuch" of relation "patients" does not exist

INSERT INTO patients (id, diagnosis) VALUES (1, DEFAULT)
=> refused 42501 write: column "diagnosis" of relation "public.patients" may not be inserted for role "nurse" in mission "writing"

INSERT INTO observations (id) VALUES (1)
=> refused 42501 write: rows of relation "public.observations" may not be inserted for role "nurse" in mission "writing"

INSERT INTO secrets (id) VALUES (1)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "writing"

INSERT INTO nowhere (id) VALUES (1)
=> refused 42P01 relation: relation "nowhere" does not exist

INSERT INTO pg_class (oid) VALUES (1)
=> refused 42501 write: system catalog "pg_catalog.pg_class" cannot be written for role "nurse" in mission "writing"

INSERT INTO pg_am (amname) VALUES ('x')
=> refused 42501 write: system catalog "pg_catalog.pg_am" cannot be written for role "nurse" in mission "writing"

INSERT INTO patient_stays (patient_id) VALUES (1)
=> refused 42501 write: "public.patient_stays" is not a table and cannot be written for role "nurse" in mission "writing"

WITH patients AS (SELECT 7 AS id) INSERT INTO patients (id) SELECT id FROM patients
=> WITH patients AS (SELECT 7 AS id) INSERT INTO "G:"."public.patients" AS "patients" (id) SELECT id FROM patients
-- public.patients(id+)

WITH n AS (INSERT INTO stays (id) VALUES (1) RETURNING id, patient_id AS p) SELECT n.p, n.id FROM n
=> WITH n AS (INSERT INTO "G:"."public.stays" AS "stays" (id) VALUES (1) RETURNING id, patient_id AS p) SELECT n.p, n.id FROM n
-- public.stays(id& patient_id)

WITH d AS (DELETE FROM stays s USING patients p WHERE p.id = s.patient_id RETURNING s.*) INSERT INTO stays SELECT * FROM d
=> WITH d AS (DELETE FROM "G:"."public.stays" s USING "G:"."public.patients" p WHERE p.id = s.patient_id RETURNING s.*) INSERT INTO "G:"."public.stays" AS "stays" SELECT * FROM d
-- public.stays(id& patient_id& admitted_at& reason&) public.patients(id)

INSERT INTO stays (id, reason) OVERRIDING SYSTEM VALUE VALUES (1, DEFAULT), (2, 'x')
=> INSERT INTO "G:"."public.stays" AS "stays" (id, reason) OVERRIDING SYSTEM VALUE VALUES (1, DEFAULT), (2, 'x')
-- public.stays(id+ reason+)

INSERT INTO stays (id, patient_id) VALUES (1, patients.id)
=> INSERT INTO "G:"."public.stays" AS "stays" (id, patient_id) VALUES (1, patients.id)
-- public.stays(id+ patient_id+)

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT DO NOTHING
=> INSERT INTO "G:"."public.patients" AS "patients" (id, phone) VALUES (1, '06') ON CONFLICT DO NOTHING
-- public.patients(id+ phone+)

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET phone = excluded.phone RETURNING phone
=> INSERT INTO "G:"."public.patients" AS "patients" (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET phone = excluded.phone RETURNING phone
-- public.patients(id& phone&)

INSERT INTO patients AS p (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET phone = p.phone
=> refused 0A000 write: a reference to the existing row in ON CONFLICT DO UPDATE is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET phone = (SELECT family_name FROM stays WHERE patients.id = 1)
=> refused 0A000 write: a reference to the existing row in ON CONFLICT DO UPDATE is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET phone = patients::text
=> refused 0A000 write: a reference to the existing row in ON CONFLICT DO UPDATE is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET phone = patients.to_json
=> refused 0A000 write: a reference to the existing row in ON CONFLICT DO UPDATE is not supported for role "nurse" in mission "writing"

INSERT INTO patients AS p (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET phone = excluded.phone WHERE p.to_jsonb->>'phone' = '1'
=> refused 0A000 write: a reference to the existing row in ON CONFLICT DO UPDATE is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET phone = excluded.phone WHERE patients.family_name::int > 0
=> refused 0A000 write: a reference to the existing row in ON CONFLICT DO UPDATE is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET ward_id = 1
=> refused 0A000 write: ON CONFLICT DO UPDATE SET "ward_id" is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET (phone, ward_id) = (excluded.phone, 1)
=> refused 0A000 write: ON CONFLICT DO UPDATE SET "ward_id" is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET diagnosis = excluded.phone
=> refused 42501 write: column "diagnosis" of relation "public.patients" may not be updated for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (id) DO UPDATE SET nir = excluded.phone
=> refused 42703 column: column "nir" of relation "patients" does not exist

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT patients_pkey DO NOTHING
=> INSERT INTO "G:"."public.patients" AS "patients" (id, phone) VALUES (1, '06') ON CONFLICT ("id") DO NOTHING
-- public.patients(id& phone+)

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT phone_and_ward /* two */ DO UPDATE SET phone = excluded.phone RETURNING id
=> INSERT INTO "G:"."public.patients" AS "patients" (id, phone) VALUES (1, '06') ON CONFLICT ("ward_id", "phone") /* two */ DO UPDATE SET phone = excluded.phone RETURNING id
-- public.patients(id& ward_id phone&)

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT U&"ph!006fne_and_ward" UESCAPE '!' DO UPDATE SET ward_id = 1
=> refused 0A000 write: ON CONFLICT DO UPDATE SET "ward_id" is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT "patients_pkey" DO UPDATE SET phone = patients.phone
=> refused 0A000 write: a reference to the existing row in ON CONFLICT DO UPDATE is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT patients_nir_key DO NOTHING
=> refused 42704 constraint: constraint "patients_nir_key" for table "patients" does not exist

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT patients_name_key DO NOTHING
=> refused 42704 constraint: constraint "patients_name_key" for table "patients" does not exist

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT phone_key DO NOTHING
=> refused 0A000 write: ON CONFLICT ON CONSTRAINT "phone_key", which is not the only unique index on its columns, is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT wards_apart DO NOTHING
=> refused 0A000 write: ON CONFLICT ON CONSTRAINT "wards_apart", an exclusion constraint, is not supported for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT nosuch DO NOTHING
=> refused 42704 constraint: constraint "nosuch" for table "patients" does not exist

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT stays_pkey DO NOTHING
=> refused 42704 constraint: constraint "stays_pkey" for table "patients" does not exist

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT Patients_PKey DO NOTHING
=> INSERT INTO "G:"."public.patients" AS "patients" (id, phone) VALUES (1, '06') ON CONFLICT ("id") DO NOTHING
-- public.patients(id& phone+)

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT ON CONSTRAINT excluded DO NOTHING
=> refused 42704 constraint: constraint "excluded" for table "patients" does not exist

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (lower(phone)) WHERE ward_id > 2 DO NOTHING
=> refused 42501 function: function "public.lower" is not available for role "nurse" in mission "writing"

INSERT INTO patients (id, phone) VALUES (1, '06') ON CONFLICT (phone COLLATE "C") DO NOTHING
=> refused 0A000 write: a collation or operator class in ON CONFLICT is not supported for role "nurse" in mission "writing"

INSERT INTO stays (id, reason) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET reason = stays.reason || excluded.reason WHERE stays.id > 1
=> INSERT INTO "G:"."public.stays" AS "stays" (id, reason) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET reason = stays.reason || excluded.reason WHERE stays.id > 1
-- public.stays(id& reason&)

INSERT INTO stays (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = 'x' RETURNING excluded.id
=> INSERT INTO "G:"."public.stays" AS "stays" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = 'x' RETURNING excluded.id
-- public.stays(id& reason+)

UPDATE patients SET phone = '06', notes = DEFAULT WHERE id = 1 RETURNING id, phone
=> UPDATE "G:"."public.patients" AS "patients" SET phone = '06', notes = DEFAULT WHERE id = 1 RETURNING id, phone
-- public.patients(id phone& notes+)

UPDATE patients p SET phone = s.reason FROM stays s WHERE s.patient_id = p.id AND p.diagnosis = 'x'
=> UPDATE "G:"."public.patients" p SET phone = s.reason FROM "G:"."public.stays" s WHERE s.patient_id = p.id AND p.diagnosis = 'x'
-- public.patients(id phone+ diagnosis) public.stays(patient_id reason)

UPDATE ONLY patients * SET phone = NULL
=> refused 42601 syntax: syntax error at or near "*"

UPDATE patients SET (phone, notes) = (SELECT s.reason, s.reason FROM stays s WHERE s.patient_id = patients.id)
=> UPDATE "G:"."public.patients" AS "patients" SET (phone, notes) = (SELECT s.reason, s.reason FROM "G:"."public.stays" s WHERE s.patient_id = patients.id)
-- public.patients(id phone+ notes+) public.stays(patient_id reason)

UPDATE patients SET (phone, notes) = ROW('a', DEFAULT), ward_id = 3
=> UPDATE "G:"."public.patients" AS "patients" SET (phone, notes) = ROW('a', DEFAULT), ward_id = 3
-- public.patients(ward_id+ phone+ notes+)

UPDATE patients SET (phone, nir) = ('a', 'b')
=> refused 42703 column: column "nir" of relation "patients" does not exist

UPDATE patients SET nir = 'x'
=> refused 42703 column: column "nir" of relation "patients" does not exist

UPDATE patients SET family_name = 'x'
=> refused 42501 write: column "family_name" of relation "public.patients" may not be updated for role "nurse" in mission "writing"

UPDATE patients SET diagnosis = 'x'
=> refused 42501 write: column "diagnosis" of relation "public.patients" may not be updated for role "nurse" in mission "writing"

UPDATE patients SET phone = pg_read_file('/etc/passwd')
=> refused 42501 function: function "pg_read_file" is not available for role "nurse" in mission "writing"

UPDATE patients SET phone = (SELECT value FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "writing"

UPDATE patients SET phone = 'x' WHERE CURRENT OF c
=> refused 0A000 node: WHERE CURRENT OF is not supported here for role "nurse" in mission "writing"

UPDATE patients SET ctid = '(0,1)'
=> refused 42703 column: column "ctid" of relation "patients" does not exist

UPDATE patients SET phone = 'x' RETURNING ctid
=> refused 42501 column: system column "ctid" is not available for role "nurse" in mission "writing"

UPDATE patients SET phone = 'x' WHERE xmin = '1'
=> refused 42501 column: system column "xmin" is not available for role "nurse" in mission "writing"

UPDATE public.patients SET phone = patients.family_name WHERE public.patients.id = 1
=> UPDATE "G:"."public.patients" AS "patients" SET phone = patients.family_name WHERE "patients".id = 1
-- public.patients(id family_name* phone+)

UPDATE ONLY observations SET value = 'x'
=> UPDATE ONLY "G:"."public.observations!only" AS "observations" SET value = 'x'
-- public.observations(value+)

UPDATE observations_2026 SET value = 'x'
=> UPDATE "G:"."public.observations_2026" AS "observations_2026" SET value = 'x'
-- public.observations_2026(value+)

UPDATE stays SET reason[1] = 'x', reason[patient_id] = 'y'
=> UPDATE "G:"."public.stays" AS "stays" SET reason[1] = 'x', reason[patient_id] = 'y'
-- public.stays(patient_id reason+)

UPDATE stays SET id = lower(reason)
=> refused 42501 function: function "public.lower" is not available for role "nurse" in mission "writing"

UPDATE stays SET reason = current_user
=> UPDATE "G:"."public.stays" AS "stays" SET reason = "C:"."current_user"()
-- public.stays(reason+)

DELETE FROM patients
=> DELETE FROM "G:"."public.patients" AS "patients"
-- public.patients()

DELETE FROM patients p USING stays s WHERE s.patient_id = p.id RETURNING *
=> DELETE FROM "G:"."public.patients" p USING "G:"."public.stays" s WHERE s.patient_id = p.id RETURNING *
-- public.patients(id ward_id family_name* phone diagnosis notes) public.stays(id patient_id admitted_at reason)

DELETE FROM ONLY (patients) WHERE id = 1
=> DELETE FROM ONLY ("G:"."public.patients") AS "patients" WHERE id = 1
-- public.patients(id)

DELETE FROM observations
=> refused 42501 write: rows of relation "public.observations" may not be deleted for role "nurse" in mission "writing"

DELETE FROM patients WHERE CURRENT OF c
=> refused 0A000 node: WHERE CURRENT OF is not supported here for role "nurse" in mission "writing"

DELETE FROM "pgvigil:nurse/writing@00000000"."public.patients"
=> refused 42501 relation: schema "pgvigil:nurse/writing@00000000" is not available for role "nurse" in mission "writing"

MERGE INTO patients p USING stays s ON s.patient_id = p.id WHEN MATCHED THEN DELETE
=> refused 0A000 statement: MERGE is not supported for role "nurse" in mission "writing"

INSERT INTO stays (id) VALUES (1); UPDATE stays SET reason = 'x'; DELETE FROM stays
=> INSERT INTO "G:"."public.stays" AS "stays" (id) VALUES (1); UPDATE "G:"."public.stays" AS "stays" SET reason = 'x'; DELETE FROM "G:"."public.stays" AS "stays"
-- public.stays(id+) public.stays(reason+) public.stays()

