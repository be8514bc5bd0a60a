# nurse care
SELECT * FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM unlisted
=> refused 42501 relation: relation "public.unlisted" is not open for role "nurse" in mission "care"

SELECT * FROM nowhere
=> refused 42P01 relation: relation "nowhere" does not exist

SELECT NULL::hidden_kind
=> refused 42501 type: type "hidden_kind" is not available for role "nurse" in mission "care"

SELECT enum_range(NULL::public.hidden_kind)
=> refused 42501 type: type "hidden_kind" is not available for role "nurse" in mission "care"

SELECT * FROM public.nowhere
=> refused 42P01 relation: relation "public.nowhere" does not exist

SELECT * FROM undeployed
=> refused 55000 guard: the guard of relation "public.undeployed" is not deployed for role "nurse" in mission "care"

SELECT * FROM team
=> refused 42501 attribute: relation "public.team" needs the attribute "rpps", which has no value, for role "nurse" in mission "care"

SELECT * FROM "pgvigil:nurse/care@00000000"."public.patients"
=> refused 42501 relation: schema "pgvigil:nurse/care@00000000" is not available for role "nurse" in mission "care"

SELECT * FROM pg_temp.x
=> refused 42501 relation: schema "pg_temp" is not available for role "nurse" in mission "care"

SELECT * FROM pg_temp_3.x
=> refused 42501 relation: schema "pg_temp_3" is not available for role "nurse" in mission "care"

SELECT * FROM pg_toast.pg_toast_1
=> refused 42501 relation: schema "pg_toast" is not available for role "nurse" in mission "care"

SELECT * FROM pg_authid
=> refused 42501 relation: system catalog "pg_catalog.pg_authid" is not available for role "nurse" in mission "care"

SELECT * FROM pg_catalog.pg_statistic
=> refused 42501 relation: system catalog "pg_catalog.pg_statistic" is not available for role "nurse" in mission "care"

SELECT pg_read_file('/etc/passwd')
=> refused 42501 function: function "pg_read_file" is not available for role "nurse" in mission "care"

SELECT pg_catalog.query_to_xml('select 1', true, true, '')
=> refused 42501 function: function "query_to_xml" is not available for role "nurse" in mission "care"

SELECT set_config('pgvigil.u_wards', '{}', false)
=> refused 42501 function: function "set_config" is not available for role "nurse" in mission "care"

SELECT pg_sleep(1)
=> refused 42501 function: function "pg_sleep" is not available for role "nurse" in mission "care"

SELECT evil(1)
=> refused 42501 function: function "public.evil" is not available for role "nurse" in mission "care"

SELECT public.evil(1)
=> refused 42501 function: function "public.evil" is not available for role "nurse" in mission "care"

SELECT nosuchfunction(1)
=> refused 42501 function: function "nosuchfunction" is not available for role "nurse" in mission "care"

SELECT public.lower('x')
=> refused 42501 function: function "public.lower" is not available for role "nurse" in mission "care"

SELECT information_schema._pg_truetypid(a, t) FROM patients
=> refused 42501 function: function "information_schema._pg_truetypid" is not available for role "nurse" in mission "care"

SELECT a.b.c.d(1)
=> refused 42501 function: function "d" is not available for role "nurse" in mission "care"

SELECT family_name(p) FROM patients p
=> refused 42501 function: function "family_name" is not available for role "nurse" in mission "care"

SELECT p.pg_sleep FROM patients p
=> refused 42501 function: "pg_sleep" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT (p).pg_read_file FROM patients p
=> refused 42501 function: "pg_read_file" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT p.evil FROM patients p
=> refused 42501 function: "evil" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT ctid FROM patients
=> refused 42501 column: system column "ctid" is not available for role "nurse" in mission "care"

SELECT p.xmin FROM patients p
=> refused 42501 column: system column "xmin" is not available for role "nurse" in mission "care"

SELECT p.nir FROM patients p
=> refused 42703 column: column p.nir does not exist

SELECT nir FROM patients
=> refused 42703 column: column "nir" does not exist

SELECT public.stays.id FROM patients
=> refused 42P01 column: missing FROM-clause entry for table "stays"

SELECT public.p.id FROM patients p
=> refused 42P01 column: missing FROM-clause entry for table "p"

SELECT 'x'::regoper
=> refused 42501 type: type "regoper" is not available for role "nurse" in mission "care"

SELECT 1::regcollation
=> refused 42501 type: type "regcollation" is not available for role "nurse" in mission "care"

SELECT '{x}'::regclass[]
=> refused 42501 type: type "regclass" is not available for role "nurse" in mission "care"

SELECT ARRAY['x']::_regclass
=> refused 42501 type: type "_regclass" is not available for role "nurse" in mission "care"

SELECT regclass 'patients'
=> refused 42501 type: type "regclass" is not available for role "nurse" in mission "care"

SELECT null::patients, '(1)'::public.patients
=> refused 42501 type: type "patients" is not available for role "nurse" in mission "care"

SELECT '(1)'::public.patients
=> refused 42501 type: type "patients" is not available for role "nurse" in mission "care"

SELECT 'x'::ehr.nothing
=> refused 42501 type: type "nothing" is not available for role "nurse" in mission "care"

SELECT 'x'::pg_catalog.pg_authid
=> refused 42501 type: type "pg_authid" is not available for role "nurse" in mission "care"

SELECT 'x'::aclitem
=> refused 42501 type: type "aclitem" is not available for role "nurse" in mission "care"

SELECT box '(1,1),(0,0)' <-> box '(1,1),(0,0)'
=> refused 42501 operator: operator <-> also exists outside pg_catalog and is not available for role "nurse" in mission "care"

SELECT family_name || 'x' || public.nir 'y' FROM patients
=> refused 42501 operator: operator || also exists outside pg_catalog and is not available for role "nurse" in mission "care"

SELECT app.bmi(1, 2) || 'x'
=> refused 42501 operator: operator || also exists outside pg_catalog and is not available for role "nurse" in mission "care"

SELECT 1 OPERATOR(public.+) 1
=> refused 42501 operator: operator "public".+ is not available for role "nurse" in mission "care"

SELECT 'a' COLLATE public.mine
=> refused 42501 collation: a collation outside pg_catalog ("public") is not available for role "nurse" in mission "care"

SELECT * FROM patients TABLESAMPLE system (1)
=> refused 0A000 node: TABLESAMPLE is not supported here for role "nurse" in mission "care"

SELECT * FROM patients FOR UPDATE
=> refused 42501 lock: rows of relation "public.patients" may not be locked for role "nurse" in mission "care"

SELECT * FROM (SELECT * FROM patients FOR SHARE) x
=> refused 42501 lock: rows of relation "public.patients" may not be locked for role "nurse" in mission "care"

SELECT * INTO t FROM patients
=> refused 0A000 statement: SELECT INTO is not supported for role "nurse" in mission "care"

WITH x AS (DELETE FROM patients RETURNING *) SELECT * FROM x
=> refused 42501 write: rows of relation "public.patients" may not be deleted for role "nurse" in mission "care"

INSERT INTO patients VALUES (1)
=> refused 42501 write: rows of relation "public.patients" may not be inserted for role "nurse" in mission "care"

UPDATE patients SET phone = ''
=> refused 42501 write: rows of relation "public.patients" may not be updated for role "nurse" in mission "care"

DELETE FROM patients
=> refused 42501 write: rows of relation "public.patients" may not be deleted for role "nurse" in mission "care"

MERGE INTO patients p USING stays s ON true WHEN MATCHED THEN DELETE
=> refused 0A000 statement: MERGE is not supported for role "nurse" in mission "care"

EXPLAIN SELECT 1
=> refused 42501 statement: EXPLAIN is not allowed for role "nurse" in mission "care"

COPY (SELECT 1) TO PROGRAM 'id'
=> refused 42501 statement: COPY with a program of the server is not available for role "nurse" in mission "care"

LOCK TABLE patients
=> refused 42501 statement: LOCK is not allowed for role "nurse" in mission "care"

DO 'begin end'
=> refused 0A000 statement: DO is not supported for role "nurse" in mission "care"

CALL p()
=> refused 0A000 statement: CALL is not supported for role "nurse" in mission "care"

CREATE TEMP TABLE t AS SELECT 1
=> refused 42501 statement: CREATE TEMPORARY TABLE is not allowed for role "nurse" in mission "care"

CREATE OR REPLACE VIEW v AS SELECT 1
=> refused 0A000 statement: CREATE VIEW is not supported for role "nurse" in mission "care"

DROP TABLE patients
=> refused 0A000 statement: DROP TABLE is not supported for role "nurse" in mission "care"

TRUNCATE patients
=> refused 42501 write: relation "public.patients" may not be truncated for role "nurse" in mission "care"

GRANT SELECT ON patients TO public
=> refused 0A000 statement: GRANT is not supported for role "nurse" in mission "care"

LISTEN x
=> refused 42501 statement: LISTEN is not allowed for role "nurse" in mission "care"

NOTIFY x
=> refused 42501 statement: NOTIFY is not allowed for role "nurse" in mission "care"

VACUUM
=> refused 0A000 statement: VACUUM is not supported for role "nurse" in mission "care"

CHECKPOINT
=> refused 0A000 statement: CHECKPOINT is not supported for role "nurse" in mission "care"

ALTER SYSTEM SET x = 1
=> refused 0A000 statement: ALTER SYSTEM is not supported for role "nurse" in mission "care"

PREPARE TRANSACTION 'x'
=> refused 42501 statement: PREPARE TRANSACTION is not allowed for role "nurse" in mission "care"

COMMIT PREPARED 'x'
=> refused 42501 statement: COMMIT PREPARED is not allowed for role "nurse" in mission "care"

SET ROLE postgres
=> refused 42501 setting: setting "role" may not be changed for role "nurse" in mission "care"

SET SESSION AUTHORIZATION postgres
=> refused 42501 setting: setting "session_authorization" may not be changed for role "nurse" in mission "care"

RESET ROLE
=> refused 42501 setting: setting "role" may not be changed for role "nurse" in mission "care"

SET LOCAL role = 'x'
=> refused 42501 setting: setting "role" may not be changed for role "nurse" in mission "care"

SET row_security = off
=> refused 42501 setting: setting "row_security" may not be changed for role "nurse" in mission "care"

SET standard_conforming_strings = off
=> refused 42501 setting: setting "standard_conforming_strings" may not get that value for role "nurse" in mission "care"

SET client_encoding = 'SJIS'
=> refused 42501 setting: setting "client_encoding" may not get that value for role "nurse" in mission "care"

SET NAMES 'latin1'
=> refused 42501 setting: setting "client_encoding" may not get that value for role "nurse" in mission "care"

SET client_min_messages = debug1
=> refused 42501 setting: setting "client_min_messages" may not get that value for role "nurse" in mission "care"

SET pgvigil.u_wards = '{1,2,3}'
=> refused 42501 setting: setting "pgvigil.u_wards" may not be changed for role "nurse" in mission "care"

SET "PGVIGIL.U_wards" = '{1,2,3}'
=> refused 42501 setting: setting "pgvigil.u_wards" may not be changed for role "nurse" in mission "care"

SET pgvigil.key_care = 'x'
=> refused 42501 setting: setting "pgvigil.key_care" may not be changed for role "nurse" in mission "care"

SET pgvigil.search_path = 'x'
=> refused 42501 setting: setting "pgvigil.search_path" may not be changed for role "nurse" in mission "care"

SHOW pgvigil.s_patient
=> refused 42501 setting: setting "pgvigil.s_patient" may not be shown for role "nurse" in mission "care"

SET search_path = pg_temp, public
=> refused 42501 setting: setting "search_path" may not get that value for role "nurse" in mission "care"

SET search_path = "pgvigil:nurse/care@00000000"
=> refused 42501 setting: setting "search_path" may not get that value for role "nurse" in mission "care"

SET statement_timeout FROM CURRENT
=> refused 42501 setting: setting "statement_timeout" may not be set FROM CURRENT for role "nurse" in mission "care"

SET TRANSACTION SNAPSHOT '00000003-0000001B-1'
=> refused 42501 setting: setting "TRANSACTION SNAPSHOT" may not be changed for role "nurse" in mission "care"

SET TIME ZONE INTERVAL '1' HOUR TO MINUTE
=> refused 42501 setting: setting "timezone" takes a plain constant here for role "nurse" in mission "care"

SHOW ALL
=> refused 42501 setting: setting "all" may not be shown for role "nurse" in mission "care"

SHOW data_directory
=> refused 42501 setting: setting "data_directory" may not be shown for role "nurse" in mission "care"

SHOW session_authorization
=> refused 42501 setting: setting "session_authorization" may not be shown for role "nurse" in mission "care"

DISCARD PLANS
=> refused 0A000 statement: DISCARD PLANS is not supported for role "nurse" in mission "care"

SELECT 1; SET pgvigil.mission = 'care'
=> refused 0A000 statement: SET pgvigil.mission must be sent by itself, not with other statements

SELECT 1; SHOW search_path
=> refused 0A000 statement: SHOW search_path must be sent by itself, not with other statements

DISCARD ALL; SELECT 1
=> refused 0A000 statement: DISCARD ALL must be sent by itself, not with other statements

BEGIN; DEALLOCATE ALL
=> refused 0A000 statement: DEALLOCATE ALL must be sent by itself, not with other statements

SELECT 1; DELETE FROM patients
=> refused 42501 write: rows of relation "public.patients" may not be deleted for role "nurse" in mission "care"

SELECT FROM WHERE
=> refused 42601 syntax: syntax error at or near "WHERE"

SELECT 'abc
=> refused 42601 syntax: unterminated quoted string at or near "'abc"

SELECT é FROM patients WHERE )
=> refused 42601 syntax: syntax error at or near ")"

SELECT $0
=> refused 42P02 node: there is no parameter $0

SELECT ?
=> refused 42601 syntax: syntax error at end of input

SELECT * FROM patients WHERE CURRENT OF c
=> refused 42601 syntax: syntax error at or near "OF"

SELECT a.b.c.d.e FROM patients
=> refused 42601 column: improper qualified name (too many dotted names)

# nurse billing
SELECT ward_id FROM patients
=> refused 42501 attribute: relation "public.patients" needs the session setting "patient", which has no value, for role "nurse" in mission "billing"

SELECT * FROM stays
=> refused 42501 relation: relation "public.stays" is not open for role "nurse" in mission "billing"

# nurse care extended
SELECT 1; SELECT 2
=> refused 42601 syntax: cannot insert multiple commands into a prepared statement

# dba maintenance
SELECT 1; SET pgvigil.mission = 'maintenance'
=> refused 0A000 statement: SET pgvigil.mission must be sent by itself, not with other statements

SET pgvigil.u_wards = 'x'
=> refused 42501 setting: setting "pgvigil.u_wards" may not be changed for role "dba" in mission "maintenance"
