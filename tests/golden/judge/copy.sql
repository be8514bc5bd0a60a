# nurse care
COPY (SELECT id, phone FROM patients WHERE phone = 'x') TO STDOUT
=> COPY (SELECT id, phone FROM "G:"."public.patients" AS "patients" WHERE phone = 'x') TO STDOUT
-- public.patients(id phone)

COPY (SELECT id FROM patients ORDER BY 1) TO STDOUT (FORMAT csv, HEADER, DELIMITER ';', FORCE_QUOTE (id), ENCODING 'utf-8')
=> COPY (SELECT id FROM "G:"."public.patients" AS "patients" ORDER BY 1) TO STDOUT (FORMAT csv, HEADER, DELIMITER ';', FORCE_QUOTE (id), ENCODING 'utf-8')
-- public.patients(id)

COPY ( (TABLE ehr.patients) ) TO STDOUT WITH BINARY
=> COPY ( (SELECT * FROM "G:"."ehr.patients" AS "patients") ) TO STDOUT WITH BINARY
-- ehr.patients(id ward_id)

COPY (VALUES (upper('A'))) TO STDIN CSV HEADER NULL AS 'n' FORCE QUOTE *
=> COPY (VALUES (pg_catalog.upper('A'))) TO STDIN CSV HEADER NULL AS 'n' FORCE QUOTE *

COPY (WITH p AS (SELECT * FROM stays) SELECT * FROM p) TO STDOUT (FORMAT "binary")
=> COPY (WITH p AS (SELECT * FROM "G:"."public.stays" AS "stays") SELECT * FROM p) TO STDOUT (FORMAT "binary")
-- public.stays(id patient_id admitted_at reason)

COPY patients TO STDOUT
=> COPY (SELECT "patients"."id", "patients"."ward_id", "patients"."family_name", "patients"."phone", "patients"."diagnosis", "patients"."notes" FROM "G:"."public.patients" AS "patients" ) TO STDOUT
-- public.patients(id ward_id family_name* phone diagnosis notes)

COPY public.patients (phone, id) TO STDOUT WITH (FORMAT csv)
=> COPY (SELECT "patients"."phone", "patients"."id" FROM "G:"."public.patients" AS "patients" ) TO STDOUT WITH (FORMAT csv)
-- public.patients(id phone)

copy"patients"("id","phone")to stdout
=> copy (SELECT "patients"."id", "patients"."phone" FROM "G:"."public.patients" AS "patients" )to stdout
-- public.patients(id phone)

COPY U&"p\0061tients" (U&"\0069d") TO STDOUT;
=> COPY (SELECT "patients"."id" FROM "G:"."public.patients" AS "patients" ) TO STDOUT;
-- public.patients(id)

COPY /* a */ patients -- b
 ( /* c */ id ) -- d
TO STDOUT -- e
=> COPY (SELECT "patients"."id" FROM /* a */ "G:"."public.patients" AS "patients" -- b
 ) -- d
TO STDOUT -- e
-- public.patients(id)

COPY "Weird Name" ("select", "Id") TO STDOUT
=> COPY (SELECT "Weird Name"."select", "Weird Name"."Id" FROM "G:"."public.Weird Name" AS "Weird Name" ) TO STDOUT
-- public.Weird Name(Id select)

COPY BINARY stays TO STDOUT
=> COPY (SELECT "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason" FROM "G:"."public.stays" AS "stays" ) TO STDOUT BINARY
-- public.stays(id patient_id admitted_at reason)

COPY BINARY stays (id) TO STDOUT WITH
=> COPY (SELECT "stays"."id" FROM "G:"."public.stays" AS "stays" ) TO STDOUT BINARY 
-- public.stays(id)

COPY BINARY stays (id) TO STDIN USING DELIMITERS 'x' WITH NULL 'y'
=> COPY (SELECT "stays"."id" FROM "G:"."public.stays" AS "stays" ) TO STDOUT BINARY  DELIMITER 'x'  NULL 'y'
-- public.stays(id)

COPY stays TO STDOUT DELIMITERS 'x'
=> COPY (SELECT "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason" FROM "G:"."public.stays" AS "stays" ) TO STDOUT DELIMITER 'x'
-- public.stays(id patient_id admitted_at reason)

COPY stays TO STDOUT DELIMITERS 'x' WITH CSV QUOTE AS 'q'
=> COPY (SELECT "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason" FROM "G:"."public.stays" AS "stays" ) TO STDOUT DELIMITER 'x'  CSV QUOTE AS 'q'
-- public.stays(id patient_id admitted_at reason)

COPY clinic.ehr.patients TO STDOUT
=> COPY (SELECT "patients"."id", "patients"."ward_id" FROM "G:"."ehr.patients" AS "patients" ) TO STDOUT
-- ehr.patients(id ward_id)

COPY pg_class TO STDOUT
=> COPY (SELECT "pg_class".* FROM "C:"."pg_catalog.pg_class" AS "pg_class" ) TO STDOUT
-- pg_catalog.pg_class(oid relname relnamespace relkind reltuples)

COPY pg_catalog.pg_am (amname) TO STDOUT
=> COPY (SELECT "pg_am"."amname" FROM "pg_catalog"."pg_am" AS "pg_am" ) TO STDOUT
-- pg_catalog.pg_am(amname)

COPY patients TO STDOUT; COPY stays (id) TO STDOUT
=> COPY (SELECT "patients"."id", "patients"."ward_id", "patients"."family_name", "patients"."phone", "patients"."diagnosis", "patients"."notes" FROM "G:"."public.patients" AS "patients" ) TO STDOUT; COPY (SELECT "stays"."id" FROM "G:"."public.stays" AS "stays" ) TO STDOUT
-- public.patients(id ward_id family_name* phone diagnosis notes) public.stays(id)

# nurse care path=ehr
COPY patients TO STDOUT
=> COPY (SELECT "patients"."id", "patients"."ward_id" FROM "G:"."ehr.patients" AS "patients" ) TO STDOUT
-- ehr.patients(id ward_id)

# nurse care
COPY patients (nir) TO STDOUT
=> refused 42703 column: column "nir" of relation "patients" does not exist

COPY patients (id, family_name, id) TO STDOUT
=> refused 42701 column: column "id" specified more than once

COPY patients (nosuch) TO STDOUT
=> refused 42703 column: column "nosuch" of relation "patients" does not exist

COPY patients (patients) TO STDOUT
=> refused 42703 column: column "patients" of relation "patients" does not exist

COPY patients (ctid) TO STDOUT
=> refused 42703 column: column "ctid" of relation "patients" does not exist

COPY (SELECT ctid FROM patients) TO STDOUT
=> refused 42501 column: system column "ctid" is not available for role "nurse" in mission "care"

COPY secrets TO STDOUT
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

COPY (SELECT * FROM secrets) TO STDOUT
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

COPY nowhere TO STDOUT
=> refused 42P01 relation: relation "nowhere" does not exist

COPY observations TO STDOUT
=> refused 42809 relation: cannot copy from partitioned table "observations"

COPY pg_authid TO STDOUT
=> refused 42501 relation: system catalog "pg_catalog.pg_authid" is not available for role "nurse" in mission "care"

COPY "pgvigil:nurse/care@00000000"."public.patients" TO STDOUT
=> refused 42501 relation: schema "pgvigil:nurse/care@00000000" is not available for role "nurse" in mission "care"

COPY pg_temp.x TO STDOUT
=> refused 42501 relation: schema "pg_temp" is not available for role "nurse" in mission "care"

COPY information_schema.tables TO STDOUT
=> refused 42809 relation: cannot copy from view "tables"

COPY patients TO '/tmp/x'
=> refused 42501 statement: COPY with a file of the server is not available for role "nurse" in mission "care"

COPY patients TO ''
=> refused 42501 statement: COPY with a file of the server is not available for role "nurse" in mission "care"

COPY (SELECT 1) TO '/tmp/x' WITH CSV
=> refused 42501 statement: COPY with a file of the server is not available for role "nurse" in mission "care"

COPY patients TO PROGRAM 'cat'
=> refused 42501 statement: COPY with a program of the server is not available for role "nurse" in mission "care"

COPY (SELECT 1) TO PROGRAM 'cat'
=> refused 42501 statement: COPY with a program of the server is not available for role "nurse" in mission "care"

COPY patients FROM '/etc/passwd'
=> refused 42501 statement: COPY with a file of the server is not available for role "nurse" in mission "care"

COPY patients FROM PROGRAM 'cat'
=> refused 42501 statement: COPY with a program of the server is not available for role "nurse" in mission "care"

COPY patients TO STDOUT (FREEZE)
=> refused 0A000 option: the option "freeze" of COPY is not supported for role "nurse" in mission "care"

COPY patients TO STDOUT (ENCODING 'latin1')
=> refused 0A000 option: the option "encoding" of COPY with another encoding than UTF8 is not supported for role "nurse" in mission "care"

COPY patients TO STDOUT (ENCODING)
=> refused 0A000 option: the option "encoding" of COPY with another encoding than UTF8 is not supported for role "nurse" in mission "care"

COPY patients TO STDOUT (FORMAT csv, nosuch 'secret')
=> refused 0A000 option: the option "nosuch" of COPY is not supported for role "nurse" in mission "care"

COPY patients TO STDOUT WITH FREEZE
=> refused 0A000 option: the option "freeze" of COPY is not supported for role "nurse" in mission "care"

COPY patients TO STDOUT (FORCE_NULL (id))
=> refused 0A000 option: the option "force_null" of COPY is not supported for role "nurse" in mission "care"

COPY BINARY patients TO STDOUT (HEADER)
=> refused 0A000 option: COPY BINARY or DELIMITERS with options in () is not supported for role "nurse" in mission "care"

COPY (SELECT pg_read_file('/etc/passwd')) TO STDOUT
=> refused 42501 function: function "pg_read_file" is not available for role "nurse" in mission "care"

COPY (SELECT 1 INTO x) TO STDOUT
=> refused 0A000 statement: COPY of SELECT INTO is not supported for role "nurse" in mission "care"

COPY (SELECT * FROM patients FOR UPDATE) TO STDOUT
=> refused 42501 lock: rows of relation "public.patients" may not be locked for role "nurse" in mission "care"

COPY (UPDATE patients SET phone = 'x' WHERE CURRENT OF c RETURNING id) TO STDOUT
=> refused 42501 write: rows of relation "public.patients" may not be updated for role "nurse" in mission "care"

# dba maintenance
COPY patients TO '/tmp/x'
=> COPY patients TO '/tmp/x'
-- public.patients()

# nurse writing
COPY (DELETE FROM stays WHERE id < 3 RETURNING id) TO STDOUT
=> COPY (DELETE FROM "G:"."public.stays" AS "stays" WHERE id < 3 RETURNING id) TO STDOUT
-- public.stays(id)

COPY (INSERT INTO patients (id, phone) VALUES (1, '2') RETURNING id, phone) TO STDOUT (FORMAT csv)
=> COPY (INSERT INTO "G:"."public.patients" AS "patients" (id, phone) VALUES (1, '2') RETURNING id, phone) TO STDOUT (FORMAT csv)
-- public.patients(id& phone&)

COPY (UPDATE patients SET phone = 'x' WHERE CURRENT OF c RETURNING id) TO STDOUT
=> refused 0A000 node: WHERE CURRENT OF is not supported here for role "nurse" in mission "writing"
