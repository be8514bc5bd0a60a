# doctor groups
SELECT ward_id FROM patients UNION DISTINCT SELECT id FROM stays ORDER BY ward_id, 1 LIMIT 3
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL  SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "stays"."pgvigil subject" AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays" 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject 2", "pgvigil 1") GROUP BY 3 ORDER BY ward_id, 3 LIMIT 3
-- public.patients(ward_id) public.stays(id)
-- subjects: 2, lists 1 1

SELECT ward_id FROM patients INTERSECT SELECT id FROM stays -- the end
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", true AS "pgvigil subject arm", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "stays"."pgvigil subject" AS "pgvigil subject 2", false AS "pgvigil subject arm", id FROM "G:"."public.stays!subject" AS "stays" -- the end 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject 2", "pgvigil subject arm", "pgvigil 1") GROUP BY 3 HAVING pg_catalog.bool_or("pgvigil subject rows"."pgvigil subject arm") AND NOT pg_catalog.bool_and("pgvigil subject rows"."pgvigil subject arm") 
-- public.patients(ward_id) public.stays(id)
-- subjects: 2, lists 1 1

SELECT count(*), ward_id AS "union" FROM patients GROUP BY 2 EXCEPT (SELECT 1, id FROM stays) ORDER BY "union"
=> SELECT CASE WHEN pg_catalog.length(pg_catalog.string_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C", '')) OPERATOR(pg_catalog.>) 6400 THEN '!' ELSE pg_catalog.string_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C", '') END AS "pgvigil subject 1", "pgvigil subject rows"."pgvigil 1" AS "count", "pgvigil subject rows"."pgvigil 2" AS "union" FROM (SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 16 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", true AS "pgvigil subject arm", pg_catalog.count(*), ward_id AS "union" FROM "G:"."public.patients!subject" AS "patients" GROUP BY 4 UNION ALL (SELECT NULL::pg_catalog.text AS "pgvigil subject 1", false AS "pgvigil subject arm", 1, id FROM "G:"."public.stays" AS "stays") 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject arm", "pgvigil 1", "pgvigil 2") GROUP BY 2, 3 HAVING pg_catalog.bool_and("pgvigil subject rows"."pgvigil subject arm") ORDER BY "union"
-- public.patients(ward_id) public.stays(id)
-- subjects: 1, lists 1, open

SELECT ward_id FROM patients UNION SELECT id FROM stays INTERSECT SELECT 3
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", CASE WHEN pg_catalog.length(pg_catalog.string_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C", '')) OPERATOR(pg_catalog.>) 6400 THEN '!' ELSE pg_catalog.string_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C", '') END AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "id" FROM (SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", true AS "pgvigil subject arm", id FROM "G:"."public.stays!subject" AS "stays" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", false AS "pgvigil subject arm", 3 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject arm", "pgvigil 1") GROUP BY 3 HAVING pg_catalog.bool_or("pgvigil subject rows"."pgvigil subject arm") AND NOT pg_catalog.bool_and("pgvigil subject rows"."pgvigil subject arm") 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject 2", "pgvigil 1") GROUP BY 3 
-- public.patients(ward_id) public.stays(id)
-- subjects: 2, lists 1 1

((SELECT ward_id FROM patients) UNION (SELECT 1 UNION SELECT id FROM stays)) UNION ALL SELECT 2 ORDER BY 1
=> (SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", CASE WHEN pg_catalog.length(pg_catalog.string_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C", '')) OPERATOR(pg_catalog.>) 6400 THEN '!' ELSE pg_catalog.string_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C", '') END AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM ((SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients") UNION ALL (SELECT NULL::pg_catalog.text AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "?column?" FROM (SELECT NULL::pg_catalog.text AS "pgvigil subject 1", 1 UNION ALL SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", id FROM "G:"."public.stays!subject" AS "stays" 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil 1") GROUP BY 3 ) 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject 2", "pgvigil 1") GROUP BY 3 ) UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", 2 ORDER BY 3
-- public.patients(ward_id) public.stays(id)
-- subjects: 2, lists 1 1

WITH q AS (SELECT id FROM stays UNION SELECT 1) SELECT q.* FROM q EXCEPT (WITH r AS (SELECT 2 UNION SELECT 3) SELECT * FROM r)
=> WITH q AS (SELECT id FROM "G:"."public.stays" AS "stays" UNION SELECT 1) SELECT q.* FROM q EXCEPT (WITH r AS (SELECT 2 UNION SELECT 3) SELECT * FROM r)
-- public.stays(id)
-- subjects: 0, open

SELECT q.ward_id FROM (SELECT * FROM patients INTERSECT SELECT * FROM patients WHERE ward_id = 7) q JOIN stays s ON true
=> SELECT "q"."pgvigil subject 1" AS "pgvigil subject 1", "q"."pgvigil subject 2" AS "pgvigil subject 2", "s"."pgvigil subject" AS "pgvigil subject 3", q.ward_id FROM (SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "ward_id", "pgvigil subject rows"."pgvigil 2" AS "family_name", "pgvigil subject rows"."pgvigil 3" AS "phone" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", true AS "pgvigil subject arm", "patients"."ward_id", "patients"."family_name", "patients"."phone" FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "patients"."pgvigil subject" AS "pgvigil subject 2", false AS "pgvigil subject arm", "patients"."ward_id", "patients"."family_name", "patients"."phone" FROM "G:"."public.patients!subject" AS "patients" WHERE ward_id = 7 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject 2", "pgvigil subject arm", "pgvigil 1", "pgvigil 2", "pgvigil 3") GROUP BY 3, 4, 5 HAVING pg_catalog.bool_or("pgvigil subject rows"."pgvigil subject arm") AND NOT pg_catalog.bool_and("pgvigil subject rows"."pgvigil subject arm") ) q JOIN "G:"."public.stays!subject" s ON true
-- public.patients(ward_id family_name phone) public.stays()
-- subjects: 3, lists 1 1 0

(SELECT ward_id FROM patients UNION SELECT 1 LIMIT 2) UNION SELECT 3
=> SELECT CASE WHEN pg_catalog.length(pg_catalog.string_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C", '')) OPERATOR(pg_catalog.>) 6400 THEN '!' ELSE pg_catalog.string_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C", '') END AS "pgvigil subject 1", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM ((SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", 1 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil 1") GROUP BY 2 LIMIT 2) UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", 3 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil 1") GROUP BY 2 
-- public.patients(ward_id)
-- subjects: 1, lists 1

SELECT ward_id FROM patients UNION SELECT id FROM stays ORDER BY ward_id + 1
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION SELECT id FROM "G:"."public.stays" AS "stays" ORDER BY ward_id + 1
-- public.patients(ward_id) public.stays(id)
-- subjects: 0, open

SELECT ward_id FROM patients UNION SELECT id FROM stays ORDER BY "1"
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION SELECT id FROM "G:"."public.stays" AS "stays" ORDER BY "1"
-- public.patients(ward_id) public.stays(id)
-- subjects: 0, open

SELECT ward_id FROM patients UNION SELECT id FROM stays ORDER BY 2
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION SELECT id FROM "G:"."public.stays" AS "stays" ORDER BY 2
-- public.patients(ward_id) public.stays(id)
-- subjects: 0, open

SELECT ward_id FROM patients INTERSECT ALL SELECT id FROM stays
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" INTERSECT ALL SELECT id FROM "G:"."public.stays" AS "stays"
-- public.patients(ward_id) public.stays(id)
-- subjects: 0, open

SELECT ward_id FROM patients UNION VALUES (1)
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION VALUES (1)
-- public.patients(ward_id)
-- subjects: 0, open

TABLE patients UNION TABLE patients
=> SELECT * FROM "G:"."public.patients" AS "patients" UNION SELECT * FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT u FROM (SELECT ward_id FROM patients UNION SELECT id FROM stays) u
=> SELECT u FROM (SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION SELECT id FROM "G:"."public.stays" AS "stays") u
-- public.patients(ward_id) public.stays(id)
-- subjects: 0, open

WITH RECURSIVE t AS (SELECT ward_id FROM patients UNION SELECT ward_id + 1 FROM t) SELECT * FROM t
=> WITH RECURSIVE t AS (SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION SELECT ward_id + 1 FROM t) SELECT * FROM t
-- public.patients(ward_id)
-- subjects: 0, open

SELECT 1 FROM patients WHERE ward_id IN (SELECT 1 UNION SELECT id FROM stays)
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", 1 FROM "G:"."public.patients!subject" AS "patients" WHERE ward_id IN (SELECT 1 UNION SELECT id FROM "G:"."public.stays" AS "stays")
-- public.patients(ward_id) public.stays(id)
-- subjects: 1, open

SELECT ward_id FROM patients EXCEPT SELECT 1 EXCEPT SELECT 2 EXCEPT SELECT 3 EXCEPT SELECT 4 EXCEPT SELECT 5 EXCEPT SELECT 6 EXCEPT SELECT 7 EXCEPT SELECT 8 EXCEPT SELECT 9
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" EXCEPT SELECT 1 EXCEPT SELECT 2 EXCEPT SELECT 3 EXCEPT SELECT 4 EXCEPT SELECT 5 EXCEPT SELECT 6 EXCEPT SELECT 7 EXCEPT SELECT 8 EXCEPT SELECT 9
-- public.patients(ward_id)
-- subjects: 0, open

INSERT INTO stays (id) SELECT ward_id FROM patients UNION SELECT 1
=> INSERT INTO "G:"."public.stays!subject" AS "stays" (id) SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION SELECT 1 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.patients(ward_id) public.stays(id+)
-- subjects: 1, open

SELECT ward_id FROM patients UNION SELECT 1 ORDER BY "pgvigil subject arm"
=> refused 42703 column: column "pgvigil subject arm" does not exist

SELECT DISTINCT ON (2, phone) family_name, ward_id FROM patients ORDER BY 2, patients.phone
=> SELECT DISTINCT ON (3, phone) "patients"."pgvigil subject" AS "pgvigil subject 1", family_name, ward_id FROM "G:"."public.patients!subject" AS "patients" ORDER BY 3, patients.phone
-- public.patients(ward_id family_name phone)
-- subjects: 1

SELECT DISTINCT ON (3) family_name, ward_id FROM patients
=> SELECT DISTINCT ON (3) family_name, ward_id FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id family_name)
-- subjects: 0, open

SELECT DISTINCT ON (ward_id) ward_id, count(*) FROM patients GROUP BY ward_id ORDER BY 1, 2
=> SELECT DISTINCT ON (ward_id) CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", ward_id, pg_catalog.count(*) FROM "G:"."public.patients!subject" AS "patients" GROUP BY ward_id ORDER BY 2, 3
-- public.patients(ward_id)
-- subjects: 1, lists 1

# doctor care
SELECT ward_id FROM patients UNION SELECT id FROM stays WHERE patient_id = 7
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION SELECT id FROM "G:"."public.stays" AS "stays" WHERE patient_id = 7
-- public.patients(ward_id) public.stays(id patient_id)
-- subjects: 0, open $0=7

SELECT practitioner FROM team UNION SELECT 1
=> SELECT practitioner FROM "G:"."public.team" AS "team" UNION SELECT 1
-- public.team(practitioner)
-- subjects: 0

(SELECT practitioner FROM team UNION SELECT 1) UNION ALL SELECT id FROM stays
=> (SELECT NULL::pg_catalog.text AS "pgvigil subject 1", practitioner FROM "G:"."public.team" AS "team" UNION SELECT NULL::pg_catalog.text AS "pgvigil subject 1", 1) UNION ALL SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", id FROM "G:"."public.stays!subject" AS "stays"
-- public.team(practitioner) public.stays(id)
-- subjects: 1

SELECT ward_id FROM patients UNION ALL SELECT DISTINCT ON (1) id FROM stays
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT DISTINCT ON (3) NULL::pg_catalog.text AS "pgvigil subject 1", "stays"."pgvigil subject" AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays"
-- public.patients(ward_id) public.stays(id)
-- subjects: 2

SELECT s.*, 1 FROM stays s WHERE s.id = 3 FOR UPDATE
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", "s"."id", "s"."patient_id", "s"."admitted_at", "s"."reason", 1 FROM "G:"."public.stays!subject" s WHERE s.id = 3 FOR UPDATE
-- public.stays(id patient_id admitted_at reason)
-- subjects: 1

SELECT * FROM stays ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason" FROM "G:"."public.stays!subject" AS "stays" ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
-- public.stays(id patient_id admitted_at reason)
-- subjects: 1

SELECT count(*) FROM stays FOR UPDATE
=> SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays" FOR UPDATE
-- public.stays()
-- subjects: 0, open

# doctor exact
SELECT ward_id FROM patients UNION (SELECT DISTINCT id FROM stays)
=> refused 0A000 subject: a statement that reads rows without telling whose they are is not supported for role "doctor" in mission "exact"

SELECT ward_id FROM patients INTERSECT ALL SELECT 1
=> refused 0A000 subject: a statement that reads rows without telling whose they are is not supported for role "doctor" in mission "exact"

# doctor groups
WITH w AS (UPDATE stays SET reason = 'x' WHERE id < 9 RETURNING id, reason) SELECT * FROM w ORDER BY id
=> WITH w AS (UPDATE "G:"."public.stays!subject" AS "stays" SET reason = 'x' WHERE id < 9 RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1", id, reason) SELECT "w"."pgvigil subject 1" AS "pgvigil subject 1", "w"."id", "w"."reason" FROM w ORDER BY id
-- public.stays(id reason&)
-- subjects: 1

WITH w AS (DELETE FROM stays WHERE id < 9 RETURNING *) SELECT count(*), w.reason FROM w GROUP BY 2
=> WITH w AS (DELETE FROM "G:"."public.stays!subject" AS "stays" WHERE id < 9 RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1", "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason") SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "w"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "w"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "w"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "w"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", pg_catalog.count(*), w.reason FROM w GROUP BY 3
-- public.stays(id patient_id admitted_at reason)
-- subjects: 1, lists 1

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT DISTINCT id FROM w
=> WITH w AS (UPDATE "G:"."public.stays!subject" AS "stays" SET reason = 'x' RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1", id) SELECT  CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "w"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "w"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "w"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "w"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", id FROM w 
GROUP BY 2 
-- public.stays(id reason+)
-- subjects: 1, lists 1

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT id FROM w WHERE id < 3
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT id FROM w WHERE id < 3
-- public.stays(id reason+)
-- subjects: 0, open

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT id FROM w OFFSET 1
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT id FROM w OFFSET 1
-- public.stays(id reason+)
-- subjects: 0, open

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT count(*) FILTER (WHERE id < 3) FROM w
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT pg_catalog.count(*) FILTER (WHERE id < 3) FROM w
-- public.stays(id reason+)
-- subjects: 0, open

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT id, generate_series(1, 0) FROM w
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT id, pg_catalog.generate_series(1, 0) FROM w
-- public.stays(id reason+)
-- subjects: 0, open

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT w.id FROM w, patients p
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT "p"."pgvigil subject" AS "pgvigil subject 1", w.id FROM w, "G:"."public.patients!subject" p
-- public.stays(id reason+) public.patients()
-- subjects: 1, open

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT id FROM (SELECT id FROM w) q
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT id FROM (SELECT id FROM w) q
-- public.stays(id reason+)
-- subjects: 0, open

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT id FROM w UNION ALL SELECT 1
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT id FROM w UNION ALL SELECT 1
-- public.stays(id reason+)
-- subjects: 0, open

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT id FROM w ORDER BY (SELECT 1)
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT id FROM w ORDER BY (SELECT 1)
-- public.stays(id reason+)
-- subjects: 0, open

WITH w AS (UPDATE stays SET reason = 'x' WHERE patient_id = 7) SELECT 1
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' WHERE patient_id = 7) SELECT 1
-- public.stays(patient_id reason+)
-- subjects: 0, open $0=7

WITH w AS (DELETE FROM stays WHERE id < 9 RETURNING *) INSERT INTO stays SELECT * FROM w
=> WITH w AS (DELETE FROM "G:"."public.stays" AS "stays" WHERE id < 9 RETURNING *) INSERT INTO "G:"."public.stays!subject" AS "stays" SELECT * FROM w 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.stays(id& patient_id& admitted_at& reason&)
-- subjects: 1, open

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id), v AS (DELETE FROM stays RETURNING id) SELECT id FROM w
=> WITH w AS (UPDATE "G:"."public.stays!subject" AS "stays" SET reason = 'x' RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1", id), v AS (DELETE FROM "G:"."public.stays" AS "stays" RETURNING id) SELECT "w"."pgvigil subject 1" AS "pgvigil subject 1", id FROM w
-- public.stays(id reason+)
-- subjects: 1, open

# doctor care
WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT w.* FROM w
=> WITH w AS (UPDATE "G:"."public.stays!subject" AS "stays" SET reason = 'x' RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1", id) SELECT "w"."pgvigil subject 1" AS "pgvigil subject 1", "w"."id" FROM w
-- public.stays(id reason+)
-- subjects: 1

WITH w AS (UPDATE stays SET reason = 'x' RETURNING id) SELECT count(*) FROM w
=> WITH w AS (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' RETURNING id) SELECT pg_catalog.count(*) FROM w
-- public.stays(id reason+)
-- subjects: 0, open

