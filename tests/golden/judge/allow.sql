# clerk writing
LOCK stays
=> LOCK "G:"."public.stays"
-- public.stays()

LOCK TABLE ONLY "Weird Name", public.stays *, devices IN ROW EXCLUSIVE MODE NOWAIT
=> LOCK TABLE ONLY "G:"."public.Weird Name", "G:"."public.stays" *, "G:"."public.devices" IN ROW EXCLUSIVE MODE NOWAIT
-- public.Weird Name() public.stays() public.devices()

LOCK/* a */TABLE/* b */public . stays/* c */IN SHARE MODE;LOCK jobs
=> LOCK/* a */TABLE/* b */ "G:"."public.stays"/* c */IN SHARE MODE;LOCK "G:"."public.jobs"
-- public.stays() public.jobs()

LOCK marks IN ACCESS SHARE MODE
=> LOCK "G:"."public.marks" IN ACCESS SHARE MODE
-- public.marks()

LOCK marks
=> refused 42501 write: relation "public.marks" may not be locked but in ACCESS SHARE MODE for role "clerk" in mission "writing"

LOCK bills IN ACCESS SHARE MODE
=> LOCK "G:"."public.bills" IN ACCESS SHARE MODE
-- public.bills()

LOCK bills
=> refused 42501 write: relation "public.bills" may not be locked but in ACCESS SHARE MODE for role "clerk" in mission "writing"

LOCK secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "clerk" in mission "writing"

LOCK nosuch
=> refused 42P01 relation: relation "nosuch" does not exist

LOCK pg_class
=> refused 42501 write: "pg_catalog.pg_class" is not a table and cannot be locked for role "clerk" in mission "writing"

TRUNCATE stays
=> TRUNCATE "public"."stays"
-- public.stays()

TRUNCATE TABLE ONLY (devices), "Weird Name" CONTINUE IDENTITY RESTRICT
=> TRUNCATE TABLE ONLY ("public"."devices"), "public"."Weird Name" CONTINUE IDENTITY RESTRICT
-- public.devices() public.Weird Name()

TRUNCATE TABLE public.stays *, U&"\0057eird Name"
=> TRUNCATE TABLE "public"."stays" *, "public"."Weird Name"
-- public.stays() public.Weird Name()

TRUNCATE jobs
=> refused 42501 write: relation "public.jobs" may not be truncated for role "clerk" in mission "writing"

TRUNCATE stays, secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "clerk" in mission "writing"

TRUNCATE marks
=> refused 42501 write: relation "public.marks" may not be truncated for role "clerk" in mission "writing"

TRUNCATE stays CASCADE
=> refused 0A000 statement: TRUNCATE ... CASCADE is not supported for role "clerk" in mission "writing"

TRUNCATE stays RESTART IDENTITY
=> refused 0A000 statement: TRUNCATE ... RESTART IDENTITY is not supported for role "clerk" in mission "writing"

TRUNCATE pg_class
=> refused 42501 write: relation "pg_catalog.pg_class" may not be truncated for role "clerk" in mission "writing"

LISTEN lab_results
=> LISTEN lab_results

LISTEN Ward_3
=> LISTEN Ward_3

LISTEN "a.b(c)""'"
=> LISTEN "a.b(c)""'"

LISTEN secrets
=> refused 42501 channel: channel "secrets" is not open for role "clerk" in mission "writing"

LISTEN "WARD_3"
=> refused 42501 channel: channel "WARD_3" is not open for role "clerk" in mission "writing"

UNLISTEN ward_3
=> UNLISTEN ward_3

UNLISTEN *
=> UNLISTEN *

NOTIFY ward_3, 'x'
=> NOTIFY ward_3, 'x'

NOTIFY secrets
=> refused 42501 channel: channel "secrets" is not open for role "clerk" in mission "writing"

SELECT pg_notify('lab_results', 'x'), pg_catalog.pg_notify('ward_' , upper('y'))
=> SELECT pg_catalog.pg_notify('lab_results', 'x'), pg_catalog.pg_notify('ward_' , pg_catalog.upper('y'))

SELECT pg_notify($1, $2)
=> SELECT pg_catalog.pg_notify((pg_catalog.regexp_match($1 , E'^(lab_results|ward_.*|a\\.b\\(c\\)\\"\\'')$'))[1], $2)

SELECT pg_notify(/* a */upper('X'), concat('a', ',', 'b')), pg_notify(CASE WHEN (1, 2) = (1, 2) THEN 'a' END , 'x')
=> SELECT pg_catalog.pg_notify(/* a */ (pg_catalog.regexp_match(pg_catalog.upper('X') , E'^(lab_results|ward_.*|a\\.b\\(c\\)\\"\\'')$'))[1], pg_catalog.concat('a', ',', 'b')), pg_catalog.pg_notify((pg_catalog.regexp_match(CASE WHEN (1, 2) = (1, 2) THEN 'a' END , E'^(lab_results|ward_.*|a\\.b\\(c\\)\\"\\'')$'))[1], 'x')

SELECT pg_notify((SELECT label FROM devices WHERE id = 1), (SELECT label FROM devices WHERE id = 2)) FROM pg_notify(upper(upper('x')), 'y')
=> SELECT pg_catalog.pg_notify((pg_catalog.regexp_match((SELECT label FROM "G:"."public.devices" AS "devices" WHERE id = 1) , E'^(lab_results|ward_.*|a\\.b\\(c\\)\\"\\'')$'))[1], (SELECT label FROM "G:"."public.devices" AS "devices" WHERE id = 2)) FROM pg_catalog.pg_notify((pg_catalog.regexp_match(pg_catalog.upper(pg_catalog.upper('x')) , E'^(lab_results|ward_.*|a\\.b\\(c\\)\\"\\'')$'))[1], 'y')
-- public.devices(id label)

SELECT pg_notify('secrets', 'x')
=> refused 42501 channel: channel "secrets" is not open for role "clerk" in mission "writing"

SELECT pg_notify('lab_results')
=> refused 42883 function: function pg_notify does not exist in this form

SELECT pg_notify(VARIADIC ARRAY['a', 'b'])
=> refused 42883 function: function pg_notify does not exist in this form

SELECT pg_notify(channel => 'lab_results', payload => 'x')
=> refused 42883 function: function pg_notify does not exist in this form

SELECT * FROM pg_listening_channels()
=> SELECT * FROM pg_catalog.pg_listening_channels()

PREPARE TRANSACTION 'a'
=> PREPARE TRANSACTION 'pgv/ae250bb21581b33e/a'

PREPARE TRANSACTION $$it's$$ ; SELECT 1
=> PREPARE TRANSACTION 'pgv/ae250bb21581b33e/it''s'; SELECT 1

COMMIT PREPARED E'a\'b' -- c
=> COMMIT PREPARED 'pgv/ae250bb21581b33e/a''b'

ROLLBACK PREPARED U&'!0061' UESCAPE '!'
=> ROLLBACK PREPARED 'pgv/ae250bb21581b33e/a'

EXPLAIN SELECT * FROM stays
=> EXPLAIN (COSTS off)  SELECT * FROM "G:"."public.stays" AS "stays"
-- public.stays(id patient_id admitted_at reason)

EXPLAIN (COSTS, FORMAT text) (TABLE stays)
=> EXPLAIN (COSTS off) (SELECT * FROM "G:"."public.stays" AS "stays")
-- public.stays(id patient_id admitted_at reason)

EXPLAIN(COSTS off)WITH s AS (SELECT * FROM stays) DELETE FROM devices USING s
=> EXPLAIN (COSTS off) WITH s AS (SELECT * FROM "G:"."public.stays" AS "stays") DELETE FROM "G:"."public.devices" AS "devices" USING s
-- public.stays(id patient_id admitted_at reason) public.devices()

EXPLAIN SELECT * FROM jobs WHERE state = 'a' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
=> EXPLAIN (COSTS off)  SELECT "jobs".* FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'a' ORDER BY id 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'a' 
) IS TRUE) OFFSET 0) AS "jobs" LIMIT 1 FOR UPDATE OF "jobs" SKIP LOCKED
-- public.jobs(id ward_id state priority)

EXPLAIN/**/SELECT upper('x')
=> EXPLAIN (COSTS off) /**/SELECT pg_catalog.upper('x')

EXPLAIN ANALYZE SELECT 1
=> refused 0A000 statement: EXPLAIN with analyze is not supported for role "clerk" in mission "writing"

EXPLAIN (FORMAT json) SELECT 1
=> refused 0A000 statement: EXPLAIN with format is not supported for role "clerk" in mission "writing"

EXPLAIN SELECT * FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "clerk" in mission "writing"

EXPLAIN EXPLAIN SELECT 1
=> refused 42601 syntax: syntax error at or near "EXPLAIN"

# nurse care
SELECT pg_notify('lab_results', 'x')
=> refused 42501 function: function "pg_notify" is not available for role "nurse" in mission "care"

SELECT * FROM pg_listening_channels()
=> refused 42501 function: function "pg_listening_channels" is not available for role "nurse" in mission "care"

UNLISTEN *
=> refused 42501 statement: UNLISTEN is not allowed for role "nurse" in mission "care"

# dba maintenance
LISTEN secrets; LOCK stays; PREPARE TRANSACTION 'a'
=> LISTEN secrets; LOCK stays; PREPARE TRANSACTION 'a'
-- public.stays()

# clerk writing
SELECT 1
=> SELECT 1
