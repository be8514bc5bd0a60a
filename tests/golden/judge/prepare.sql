# nurse care
PREPARE q AS SELECT id FROM patients WHERE id = $1
=> PREPARE q AS SELECT id FROM "G:"."public.patients" AS "patients" WHERE id = $1
-- public.patients(id)

PREPARE "Q ""as""" (int, text[], varchar(3), nir, double precision, _date, "char", public.nir) AS TABLE stays
=> PREPARE "Q ""as""" (int, pg_catalog.text[], varchar(3), "public".nir, double precision, pg_catalog._date, pg_catalog."char", public.nir) AS SELECT * FROM "G:"."public.stays" AS "stays"
-- public.stays(id patient_id admitted_at reason)

PREPARE U&"\0061s" (timestamp with time zone) AS WITH p AS (SELECT * FROM patients) SELECT * FROM p -- as
=> PREPARE U&"\0061s" (timestamp with time zone) AS WITH p AS (SELECT * FROM "G:"."public.patients" AS "patients") SELECT * FROM p -- as
-- public.patients(id ward_id family_name* phone diagnosis notes)

PREPARE as_is AS VALUES (1)
=> PREPARE as_is AS VALUES (1)

EXECUTE q
=> EXECUTE "pgv_00112233445566778899aabbccddeeff"

EXECUTE "Q"(1, 'x' || 'y', ARRAY[1]::int[], NULL)
=> EXECUTE "pgv_00112233445566778899aabbccddeeff"(1, 'x' || 'y', ARRAY[1]::int[], NULL)

EXECUTE U&"!0071uery" UESCAPE '!' (upper('a'))
=> EXECUTE "pgv_00112233445566778899aabbccddeeff" (pg_catalog.upper('a'))

EXECUTE /* which */ q /* with */ (1)
=> EXECUTE /* which */ "pgv_00112233445566778899aabbccddeeff" /* with */ (1)

BEGIN; EXECUTE q(1); EXECUTE q2(2); COMMIT
=> BEGIN; EXECUTE "pgv_00112233445566778899aabbccddeeff"(1); EXECUTE "pgv_00112233445566778899aabbccddeeff"(2); COMMIT

DEALLOCATE q
=> DEALLOCATE q

EXECUTE nosuch(1)
=> refused 26000 statement: prepared statement "nosuch" does not exist

PREPARE q AS SELECT * FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

PREPARE q AS SELECT pg_sleep(1)
=> refused 42501 function: function "pg_sleep" is not available for role "nurse" in mission "care"

PREPARE q AS SELECT 1 INTO x
=> refused 0A000 statement: PREPARE of SELECT INTO is not supported for role "nurse" in mission "care"

PREPARE q AS DELETE FROM patients
=> refused 42501 write: rows of relation "public.patients" may not be deleted for role "nurse" in mission "care"

PREPARE q (regclass) AS SELECT $1
=> refused 42501 type: type "regclass" is not available for role "nurse" in mission "care"

PREPARE q (patients) AS SELECT $1
=> refused 42501 type: type "patients" is not available for role "nurse" in mission "care"

PREPARE q (regconfig) AS SELECT $1
=> refused 42501 type: a parameter of type "regconfig" is not available for role "nurse" in mission "care"

PREPARE q (pg_catalog.regrole[]) AS SELECT $1
=> refused 42501 type: type "regrole" is not available for role "nurse" in mission "care"

PREPARE q (nosuch) AS SELECT $1
=> refused 42501 type: type "nosuch" is not available for role "nurse" in mission "care"

PREPARE q (SETOF int) AS SELECT $1
=> refused 0A000 type: this form of type is not supported

PREPARE q (patients.id%TYPE) AS SELECT $1
=> refused 42601 syntax: syntax error at or near "%"

EXECUTE q(pg_read_file('/etc/passwd'))
=> refused 42501 function: function "pg_read_file" is not available for role "nurse" in mission "care"

EXECUTE q((SELECT gross FROM secrets))
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

EXECUTE q('patients'::regclass)
=> EXECUTE "pgv_00112233445566778899aabbccddeeff"("C:"."regclass_in"('patients' ))

PREPARE q AS SELECT 1; EXECUTE q
=> refused 0A000 statement: PREPARE must be sent by itself, not with other statements

SELECT 1; PREPARE q AS SELECT 1
=> refused 0A000 statement: PREPARE must be sent by itself, not with other statements

EXPLAIN EXECUTE q
=> refused 42501 statement: EXPLAIN is not allowed for role "nurse" in mission "care"

CREATE TABLE t AS EXECUTE q
=> refused 0A000 statement: CREATE TABLE is not supported for role "nurse" in mission "care"

# nurse writing
PREPARE q (bigint) AS INSERT INTO patients (id, phone) VALUES ($1, 'x') RETURNING id
=> PREPARE q (bigint) AS INSERT INTO "G:"."public.patients" AS "patients" (id, phone) VALUES ($1, 'x') RETURNING id
-- public.patients(id& phone+)

# dba maintenance
EXECUTE q('x')
=> EXECUTE q('x')
