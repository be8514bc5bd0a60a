# nurse care
DECLARE c CURSOR FOR SELECT id, phone FROM patients
=> DECLARE c CURSOR FOR SELECT id, phone FROM "G:"."public.patients" AS "patients"
-- public.patients(id phone)

DECLARE "C ""x""" BINARY INSENSITIVE SCROLL CURSOR WITH HOLD FOR TABLE stays
=> DECLARE "C ""x""" BINARY INSENSITIVE SCROLL CURSOR WITH HOLD FOR SELECT * FROM "G:"."public.stays" AS "stays"
-- public.stays(id patient_id admitted_at reason)

DECLARE U&"\0063" NO SCROLL CURSOR WITHOUT HOLD FOR WITH p AS (SELECT * FROM patients) SELECT * FROM p
=> DECLARE U&"\0063" NO SCROLL CURSOR WITHOUT HOLD FOR WITH p AS (SELECT * FROM "G:"."public.patients" AS "patients") SELECT * FROM p
-- public.patients(id ward_id family_name* phone diagnosis notes)

DECLARE cursor CURSOR FOR (VALUES (1))
=> DECLARE cursor CURSOR FOR (VALUES (1))

DECLARE "for" ASENSITIVE CURSOR FOR SELECT upper(phone) FROM patients
=> DECLARE "for" ASENSITIVE CURSOR FOR SELECT pg_catalog.upper(phone) FROM "G:"."public.patients" AS "patients"
-- public.patients(phone)

BEGIN; DECLARE c CURSOR FOR SELECT id FROM stays; FETCH 2 FROM c; CLOSE c; COMMIT
=> BEGIN; DECLARE c CURSOR FOR SELECT id FROM "G:"."public.stays" AS "stays"; FETCH 2 FROM c; CLOSE c; COMMIT
-- public.stays(id)

FETCH FORWARD ALL IN "C"
=> FETCH FORWARD ALL IN "C"

FETCH ABSOLUTE -3 c
=> FETCH ABSOLUTE -3 c

MOVE RELATIVE 4 FROM c
=> MOVE RELATIVE 4 FROM c

CLOSE "C"
=> CLOSE "C"

CLOSE ALL
=> CLOSE ALL

DECLARE c CURSOR FOR SELECT nir FROM patients
=> refused 42703 column: column "nir" does not exist

DECLARE c CURSOR FOR SELECT * FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

DECLARE c CURSOR FOR SELECT pg_sleep(1)
=> refused 42501 function: function "pg_sleep" is not available for role "nurse" in mission "care"

DECLARE c CURSOR FOR SELECT * FROM patients FOR UPDATE
=> refused 42501 lock: rows of relation "public.patients" may not be locked for role "nurse" in mission "care"

DECLARE c CURSOR FOR SELECT 1 INTO x
=> refused 0A000 statement: DECLARE CURSOR of SELECT INTO is not supported for role "nurse" in mission "care"

DECLARE "pgvigil refused" CURSOR FOR SELECT 1
=> refused 42602 statement: cursor "pgvigil refused" is a reserved name

DECLARE U&"pgvigil\0020x" CURSOR FOR SELECT 1
=> refused 42602 statement: cursor "pgvigil x" is a reserved name

UPDATE patients SET phone = '1' WHERE CURRENT OF c
=> refused 42501 write: rows of relation "public.patients" may not be updated for role "nurse" in mission "care"

# dba maintenance
FETCH ALL c
=> FETCH ALL c

# nurse writing
UPDATE patients SET phone = '1' WHERE CURRENT OF c
=> refused 0A000 node: WHERE CURRENT OF is not supported here for role "nurse" in mission "writing"

DELETE FROM stays WHERE CURRENT OF c
=> refused 0A000 node: WHERE CURRENT OF is not supported here for role "nurse" in mission "writing"
