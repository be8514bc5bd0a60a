## What is locked is what is returned: rows of a guard with a filter are locked by key.
# nurse writing
SELECT * FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
=> SELECT "jobs".* FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'ready' ORDER BY id 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'ready' 
) IS TRUE) OFFSET 0) AS "jobs" LIMIT 1 FOR UPDATE OF "jobs" SKIP LOCKED
-- public.jobs(id ward_id state priority)

SELECT id, state FROM jobs FOR UPDATE
=> SELECT id, state FROM "G:"."public.jobs" AS "jobs" FOR UPDATE
-- public.jobs(id state)

TABLE jobs FOR SHARE
=> SELECT * FROM "G:"."public.jobs" AS "jobs" FOR SHARE
-- public.jobs(id ward_id state priority)

SELECT j.id FROM jobs AS j WHERE pg_catalog.lower(j.state) = $1 AND priority > 1 FOR NO KEY UPDATE OF j NOWAIT
=> SELECT j.id FROM (SELECT "j"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS j WHERE pg_catalog.lower(j.state) = $1 AND priority > 1 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS j 
WHERE "j"."id" = "pgvigil keys"."pgvigil 1" AND ((pg_catalog.lower(j.state) = $1 AND priority > 1 
) IS TRUE) OFFSET 0) AS "j" FOR NO KEY UPDATE OF j NOWAIT
-- public.jobs(id state priority)

SELECT id FROM jobs ORDER BY priority DESC NULLS LAST, id FOR KEY SHARE
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY priority DESC NULLS LAST, id 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" FOR KEY SHARE OF "jobs"
-- public.jobs(id priority)

SELECT id FROM public.jobs WHERE jobs.state = 'a' AND public.jobs.id > '1' FETCH FIRST 2 ROWS ONLY FOR SHARE SKIP LOCKED
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE jobs.state = 'a' AND "jobs".id > '1' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((jobs.state = 'a' AND "jobs".id > '1' 
) IS TRUE) OFFSET 0) AS "jobs" FETCH FIRST 2 ROWS ONLY FOR SHARE OF "jobs" SKIP LOCKED
-- public.jobs(id state)

SELECT id FROM jobs WHERE state = 'a' FOR UPDATE LIMIT 1 OFFSET 2
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'a' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'a' 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs" LIMIT 1 OFFSET 2
-- public.jobs(id state)

SELECT id FROM jobs OFFSET 1 LIMIT 2 FOR UPDATE
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" OFFSET 1 LIMIT 2 FOR UPDATE OF "jobs"
-- public.jobs(id)

SELECT id FROM jobs WHERE state = 'a' FOR UPDATE FOR SHARE OF jobs NOWAIT;
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'a' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'a' 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs" FOR SHARE OF jobs NOWAIT;
-- public.jobs(id state)

SELECT id FROM jobs -- a comment
WHERE state = 'a' -- another
ORDER BY id -- and one more
FOR UPDATE -- the last
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" -- a comment
WHERE state = 'a' -- another
ORDER BY id -- and one more
 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" -- a comment
 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'a' -- another
 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs" -- the last
-- public.jobs(id state)

(SELECT id FROM jobs WHERE state = 'a' ORDER BY id) LIMIT 1 FOR UPDATE
=> (SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'a' ORDER BY id 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'a' 
) IS TRUE) OFFSET 0) AS "jobs" ) LIMIT 1 FOR UPDATE OF "jobs"
-- public.jobs(id state)

## Names of output columns, in ORDER BY
SELECT id, upper(state) AS s FROM jobs ORDER BY s DESC LIMIT 1 FOR UPDATE
=> SELECT id, pg_catalog.upper(state) AS s FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY CASE WHEN true THEN (pg_catalog.upper(state) 
) END DESC 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" LIMIT 1 FOR UPDATE OF "jobs"
-- public.jobs(id state)

SELECT upper(state), pg_catalog.lower(state) "a b", state::varchar FROM jobs ORDER BY upper, 2 USING <, state LIMIT 1 FOR UPDATE
=> SELECT pg_catalog.upper(state), pg_catalog.lower(state) "a b", state::varchar FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY CASE WHEN true THEN (pg_catalog.upper(state) 
) END , CASE WHEN true THEN (pg_catalog.lower(state) 
) END USING <, CASE WHEN true THEN (state::varchar 
) END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" LIMIT 1 FOR UPDATE OF "jobs"
-- public.jobs(state)

SELECT *, id || '!' FROM jobs ORDER BY 2, 5, priority LIMIT 1 FOR UPDATE
=> SELECT "jobs".*, id || '!' FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY "jobs"."ward_id" , CASE WHEN true THEN (id || '!' 
) END , priority 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" LIMIT 1 FOR UPDATE OF "jobs"
-- public.jobs(id ward_id state priority)

SELECT state AS id, id FROM jobs ORDER BY id FOR UPDATE
=> refused 42702 lock: ORDER BY "id" is ambiguous

SELECT jobs.id, id FROM jobs ORDER BY id FOR UPDATE
=> SELECT jobs.id, id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY id 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id)

SELECT 1 AS one FROM jobs ORDER BY one, 1 FOR UPDATE
=> SELECT 1 AS one FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY CASE WHEN true THEN (1 
) END , CASE WHEN true THEN (1 
) END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs()

SELECT id AS U&"\0061" FROM jobs ORDER BY a FOR UPDATE
=> SELECT id AS U&"\0061" FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY CASE WHEN true THEN (id 
) END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id)

SELECT id x, state AS U&"!0061" UESCAPE '!' FROM jobs ORDER BY a, x FOR UPDATE
=> SELECT id x, state AS U&"!0061" UESCAPE '!' FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY CASE WHEN true THEN (state 
) END , CASE WHEN true THEN (id 
) END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id state)

SELECT id FROM jobs ORDER BY upper(state) COLLATE "C" NULLS FIRST, random(), CASE WHEN priority = '1' THEN 1 END FOR UPDATE
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY CASE WHEN true THEN (pg_catalog.upper(state) COLLATE pg_catalog."C" 
) END NULLS FIRST, CASE WHEN true THEN (pg_catalog.random() 
) END , CASE WHEN priority = '1' THEN 1 END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id state priority)

SELECT id FROM jobs ORDER BY 2 FOR UPDATE
=> refused 42P10 lock: ORDER BY position 2 is not in select list

SELECT id FROM jobs ORDER BY 0 FOR UPDATE
=> refused 42P10 lock: ORDER BY position 0 is not in select list

SELECT id FROM jobs ORDER BY row_number() OVER () FOR UPDATE
=> refused 0A000 lock: FOR UPDATE is not allowed with window functions

SELECT random() AS r FROM jobs ORDER BY r FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" with the volatile function "random" in ORDER BY is not supported for role "nurse" in mission "writing"

## Where else a SELECT may stand
UPDATE jobs SET state = 'taken' WHERE id = (SELECT id FROM jobs WHERE state = 'ready' ORDER BY priority LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *
=> UPDATE "G:"."public.jobs" AS "jobs" SET state = 'taken' WHERE id = (SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'ready' ORDER BY priority 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'ready' 
) IS TRUE) OFFSET 0) AS "jobs" LIMIT 1 FOR UPDATE OF "jobs" SKIP LOCKED) RETURNING *
-- public.jobs(id ward_id state& priority)

WITH n AS (SELECT id FROM jobs WHERE state = 'ready' LIMIT 2 FOR UPDATE SKIP LOCKED) UPDATE jobs SET state = 'x' FROM n WHERE n.id = jobs.id
=> WITH n AS (SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'ready' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'ready' 
) IS TRUE) OFFSET 0) AS "jobs" LIMIT 2 FOR UPDATE OF "jobs" SKIP LOCKED) UPDATE "G:"."public.jobs" AS "jobs" SET state = 'x' FROM n WHERE n.id = jobs.id
-- public.jobs(id state&)

INSERT INTO stays (id) SELECT id FROM jobs WHERE state = 'x' FOR SHARE
=> INSERT INTO "G:"."public.stays" AS "stays" (id) SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'x' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'x' 
) IS TRUE) OFFSET 0) AS "jobs" FOR SHARE OF "jobs"
-- public.jobs(id state) public.stays(id+)

SELECT s.id, (SELECT j.id FROM jobs j WHERE j.ward_id = s.patient_id AND s.reason = state ORDER BY s.id, j.id LIMIT 1 FOR UPDATE) FROM stays s
=> SELECT s.id, (SELECT j.id FROM (SELECT "j"."id" AS "pgvigil 1" FROM "G:"."public.jobs" j WHERE j.ward_id = s.patient_id AND s.reason = state ORDER BY s.id, j.id 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" j 
WHERE "j"."id" = "pgvigil keys"."pgvigil 1" AND ((j.ward_id = s.patient_id AND s.reason = state 
) IS TRUE) OFFSET 0) AS "j" LIMIT 1 FOR UPDATE OF "j") FROM "G:"."public.stays" s
-- public.stays(id patient_id reason) public.jobs(id ward_id state)

(SELECT id FROM jobs WHERE state = 'a' FOR UPDATE) UNION ALL (SELECT id FROM jobs ORDER BY id LIMIT 1 FOR UPDATE)
=> (SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = 'a' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'a' 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs") UNION ALL (SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY id 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" LIMIT 1 FOR UPDATE OF "jobs")
-- public.jobs(id state)

SELECT id FROM jobs j WHERE EXISTS (SELECT 1 FROM stays WHERE stays.id = j.id) AND id IN (SELECT id FROM jobs) FOR UPDATE
=> SELECT id FROM (SELECT "j"."id" AS "pgvigil 1" FROM "G:"."public.jobs" j WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" AS "stays" WHERE stays.id = j.id) AND id IN (SELECT id FROM "G:"."public.jobs" AS "jobs") 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" j 
WHERE "j"."id" = "pgvigil keys"."pgvigil 1" AND ((EXISTS (SELECT 1 FROM "G:"."public.stays" AS "stays" WHERE stays.id = j.id) AND id IN (SELECT id FROM "G:"."public.jobs" AS "jobs") 
) IS TRUE) OFFSET 0) AS "j" FOR UPDATE OF "j"
-- public.jobs(id) public.stays(id)

SELECT x.i, x.s FROM jobs AS x(i, w, s) WHERE x.w = '1' ORDER BY i FOR UPDATE
=> SELECT x.i, x.s FROM (SELECT "x"."i" AS "pgvigil 1" FROM "G:"."public.jobs" AS x(i, w, s) WHERE x.w = '1' ORDER BY i 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS x(i, w, s) 
WHERE "x"."i" = "pgvigil keys"."pgvigil 1" AND ((x.w = '1' 
) IS TRUE) OFFSET 0) AS "x" FOR UPDATE OF "x"
-- public.jobs(id ward_id state)

SELECT who FROM shifts WHERE who LIKE 'a%' ORDER BY day FOR UPDATE
=> SELECT who FROM (SELECT "shifts"."day" AS "pgvigil 1", "shifts"."ward_id" AS "pgvigil 2" FROM "G:"."public.shifts" AS "shifts" WHERE who LIKE 'a%' ORDER BY day 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.shifts" AS "shifts" 
WHERE "shifts"."day" = "pgvigil keys"."pgvigil 1" AND "shifts"."ward_id" = "pgvigil keys"."pgvigil 2" AND ((who LIKE 'a%' 
) IS TRUE) OFFSET 0) AS "shifts" FOR UPDATE OF "shifts"
-- public.shifts(day who)

SELECT who FROM ONLY (shifts) WHERE who LIKE 'a%' FOR UPDATE
=> SELECT who FROM (SELECT "shifts"."day" AS "pgvigil 1", "shifts"."ward_id" AS "pgvigil 2" FROM ONLY ("G:"."public.shifts!only") AS "shifts" WHERE who LIKE 'a%' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM ONLY ("G:"."public.shifts!only") AS "shifts" 
WHERE "shifts"."day" = "pgvigil keys"."pgvigil 1" AND "shifts"."ward_id" = "pgvigil keys"."pgvigil 2" AND ((who LIKE 'a%' 
) IS TRUE) OFFSET 0) AS "shifts" FOR UPDATE OF "shifts"
-- public.shifts(who)

SELECT label FROM ONLY devices WHERE label LIKE 'a%' FOR UPDATE
=> SELECT label FROM (SELECT "devices"."id" AS "pgvigil 1" FROM ONLY "G:"."public.devices!only" AS "devices" WHERE label LIKE 'a%' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM ONLY "G:"."public.devices!only" AS "devices" 
WHERE "devices"."id" = "pgvigil keys"."pgvigil 1" AND ((label LIKE 'a%' 
) IS TRUE) OFFSET 0) AS "devices" FOR UPDATE OF "devices"
-- public.devices(label)

## A guard without a filter is no barrier: PostgreSQL locks as on the table
SELECT reason FROM stays WHERE reason LIKE 'a%' ORDER BY admitted_at LIMIT 1 FOR UPDATE SKIP LOCKED
=> SELECT reason FROM "G:"."public.stays" AS "stays" WHERE reason LIKE 'a%' ORDER BY admitted_at LIMIT 1 FOR UPDATE SKIP LOCKED
-- public.stays(admitted_at reason)

SELECT s.id FROM stays s JOIN observations o ON o.patient_id = s.patient_id WHERE s.reason LIKE 'a%' FOR UPDATE
=> SELECT s.id FROM "G:"."public.stays" s JOIN "G:"."public.observations" o ON o.patient_id = s.patient_id WHERE s.reason LIKE 'a%' FOR UPDATE
-- public.stays(id patient_id reason) public.observations(patient_id)

SELECT s.id FROM stays s JOIN jobs j ON j.id = s.id WHERE s.reason LIKE 'a%' ORDER BY j.priority LIMIT 1 FOR UPDATE OF s
=> SELECT s.id FROM "G:"."public.stays" s JOIN "G:"."public.jobs" j ON j.id = s.id WHERE s.reason LIKE 'a%' ORDER BY j.priority LIMIT 1 FOR UPDATE OF s
-- public.stays(id reason) public.jobs(id priority)

SELECT 1 FROM stays, (SELECT 1) AS x FOR UPDATE OF stays
=> SELECT 1 FROM "G:"."public.stays" AS "stays", (SELECT 1) AS x FOR UPDATE OF stays
-- public.stays()

## Refused: what cannot be made exact
SELECT s.id FROM stays s JOIN jobs j ON j.id = s.id FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" beside other entries of FROM is not supported for role "nurse" in mission "writing"

SELECT s.id FROM stays s, jobs j FOR UPDATE OF j
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" beside other entries of FROM is not supported for role "nurse" in mission "writing"

SELECT id FROM bills WHERE state = 'a' FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.bills" by a primary key of type numeric(10,2) is not supported for role "nurse" in mission "writing"

SELECT id FROM bills FOR UPDATE
=> SELECT id FROM "G:"."public.bills" AS "bills" FOR UPDATE
-- public.bills(id)

SELECT label FROM devices WHERE label LIKE 'a%' FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.devices" while it has child tables is not supported for role "nurse" in mission "writing"

SELECT id FROM marks LIMIT 1 FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.marks" without a primary key is not supported for role "nurse" in mission "writing"

SELECT id FROM jobs ORDER BY id FETCH FIRST 1 ROWS WITH TIES FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" WITH TIES is not supported for role "nurse" in mission "writing"

SELECT id FROM jobs WHERE random() < 0.5 FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" with the volatile function "random" in WHERE is not supported for role "nurse" in mission "writing"

SELECT id FROM jobs WHERE id = next_number() FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" with the volatile function "next_number" in WHERE is not supported for role "nurse" in mission "writing"

SELECT id FROM jobs WHERE state = shout(state) FOR UPDATE
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state = "public"."shout"(state) 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = "public"."shout"(state) 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id state)

SELECT id FROM jobs WHERE id IN (SELECT id FROM stays FOR UPDATE) FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" with another row lock in WHERE is not supported for role "nurse" in mission "writing"

TABLE jobs ORDER BY id LIMIT 1 FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" by TABLE is not supported for role "nurse" in mission "writing"

(SELECT id FROM jobs WHERE state = 'a') ORDER BY id FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" with ORDER BY behind parentheses is not supported for role "nurse" in mission "writing"

SELECT 1 FROM (SELECT id FROM jobs) AS x FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of a sub-select is not supported for role "nurse" in mission "writing"

SELECT id FROM jobs WHERE state = 'a' WINDOW w AS () FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" with WINDOW is not supported for role "nurse" in mission "writing"

SELECT id FROM jobs FOR UPDATE OF stays
=> refused 42P01 lock: relation "stays" in FOR UPDATE clause not found among the tables of FROM

SELECT id FROM jobs WHERE state = 'a' FOR UPDATE OF "pgvigil keys"
=> refused 42P01 lock: relation "pgvigil keys" in FOR UPDATE clause not found among the tables of FROM

SELECT id FROM jobs FOR UPDATE OF public.jobs
=> refused 42601 lock: FOR UPDATE must specify unqualified relation names

SELECT DISTINCT id FROM jobs FOR UPDATE
=> refused 0A000 lock: FOR UPDATE is not allowed with DISTINCT clause

SELECT id FROM jobs GROUP BY id FOR UPDATE
=> refused 0A000 lock: FOR UPDATE is not allowed with GROUP BY clause

SELECT id FROM jobs HAVING true FOR SHARE
=> refused 0A000 lock: FOR SHARE is not allowed with HAVING clause

SELECT id FROM jobs UNION SELECT id FROM jobs FOR UPDATE
=> refused 0A000 lock: FOR UPDATE is not allowed with UNION/INTERSECT/EXCEPT

VALUES (1) FOR UPDATE
=> refused 0A000 lock: FOR UPDATE cannot be applied to VALUES

## Refused: no right to
SELECT practitioner FROM team FOR UPDATE
=> refused 42501 lock: rows of relation "public.team" may not be locked for role "nurse" in mission "writing"

SELECT relname FROM pg_class FOR UPDATE
=> refused 42501 lock: rows of system catalog "pg_catalog.pg_class" cannot be locked for role "nurse" in mission "writing"

SELECT * FROM patient_stays FOR UPDATE
=> refused 42501 lock: "public.patient_stays" is not a table and its rows cannot be locked for role "nurse" in mission "writing"

# nurse care
SELECT id FROM jobs WHERE state = 'a' FOR UPDATE
=> refused 42501 lock: rows of relation "public.jobs" may not be locked for role "nurse" in mission "care"

SELECT id FROM stays FOR SHARE
=> refused 42501 lock: rows of relation "public.stays" may not be locked for role "nurse" in mission "care"

# nurse billing
SELECT state FROM jobs FOR UPDATE
=> SELECT state FROM "G:"."public.jobs" AS "jobs" FOR UPDATE
-- public.jobs(state)

SELECT state FROM jobs WHERE state = 'a' FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" without its primary key shown is not supported for role "nurse" in mission "billing"

# nurse writing
SELECT "pgvigil 1" FROM jobs LIMIT 1 FOR UPDATE
=> refused 42703 column: column "pgvigil 1" does not exist

SELECT "pgvigil keys" FROM jobs LIMIT 1 FOR UPDATE
=> refused 42703 column: column "pgvigil keys" does not exist

SELECT "pgvigil keys"."pgvigil 1" FROM jobs LIMIT 1 FOR UPDATE
=> refused 42703 column: column "pgvigil 1" does not exist

SELECT "pgvigil keys".* FROM jobs ORDER BY id FOR UPDATE
=> refused 42P01 column: missing FROM-clause entry for table "pgvigil keys"

SELECT (SELECT "pgvigil 1") FROM jobs ORDER BY "pgvigil 1" FOR UPDATE
=> refused 42703 column: column "pgvigil 1" does not exist

SELECT id FROM jobs AS "pgvigil keys" ORDER BY "pgvigil keys".id FOR UPDATE
=> refused 42939 column: "pgvigil keys" is a reserved name

SELECT "order", x."limit" FROM jobs x("order", "limit", state) WHERE x.limit = '1' AND "order" IS DISTINCT FROM 'a' ORDER BY x.order FOR UPDATE
=> SELECT "order", x."limit" FROM (SELECT "x"."order" AS "pgvigil 1" FROM "G:"."public.jobs" x("order", "limit", state) WHERE x.limit = '1' AND "order" IS DISTINCT FROM 'a' ORDER BY x.order 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" x("order", "limit", state) 
WHERE "x"."order" = "pgvigil keys"."pgvigil 1" AND ((x.limit = '1' AND "order" IS DISTINCT FROM 'a' 
) IS TRUE) OFFSET 0) AS "x" FOR UPDATE OF "x"
-- public.jobs(id ward_id)

SELECT substring(state from 1 for 2) FROM jobs WHERE substring(state for 1) = 'a' ORDER BY substring(state from 2), (priority) DESC FOR UPDATE
=> SELECT substring(state from 1 for 2) FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE substring(state for 1) = 'a' ORDER BY CASE WHEN true THEN (substring(state from 2) 
) END , (priority) DESC 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((substring(state for 1) = 'a' 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(state priority)

SELECT id FROM jobs WHERE state='a'FOR UPDATE;SELECT id FROM jobs ORDER BY(1)LIMIT 1 FOR UPDATE
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE state='a' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state='a' 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs";SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY CASE WHEN true THEN (id 
) END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" LIMIT 1 FOR UPDATE OF "jobs"
-- public.jobs(id state) public.jobs(id)

SELECT id FROM jobs *WHERE state = 'a' FOR UPDATE
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" * AS "jobs"WHERE state = 'a' 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" * AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((state = 'a' 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id state)

SELECT id FROM jobs*ORDER BY id FOR UPDATE
=> SELECT id FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs"* AS "jobs"ORDER BY id 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs"* AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id)

SELECT id, state FROM jobs ORDER BY ("state"), (2) FOR UPDATE
=> SELECT id, state FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" ORDER BY ("state"), CASE WHEN true THEN (state 
) END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id state)

SELECT id, state .AS U&"!0061" UESCAPE '!' FROM jobs WHERE id = 1 ORDER BY a FOR NO KEY UPDATE OF jobs NOWAIT
=> SELECT id, state .AS U&"!0061" UESCAPE '!' FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE id = 1 ORDER BY CASE WHEN true THEN (state .AS 
) END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((id = 1 
) IS TRUE) OFFSET 0) AS "jobs" FOR NO KEY UPDATE OF jobs NOWAIT
-- public.jobs(id)

SELECT jobs.as x, jobs . AS AS y, id as z FROM jobs WHERE id = 1 ORDER BY 1 FOR UPDATE
=> SELECT jobs.as x, jobs . AS AS y, id as z FROM (SELECT "jobs"."id" AS "pgvigil 1" FROM "G:"."public.jobs" AS "jobs" WHERE id = 1 ORDER BY CASE WHEN true THEN (jobs.as 
) END 
OFFSET 0) AS "pgvigil keys", LATERAL (SELECT * FROM "G:"."public.jobs" AS "jobs" 
WHERE "jobs"."id" = "pgvigil keys"."pgvigil 1" AND ((id = 1 
) IS TRUE) OFFSET 0) AS "jobs" FOR UPDATE OF "jobs"
-- public.jobs(id ward_id state priority)
