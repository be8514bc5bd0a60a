# doctor groups
SELECT count(*) FROM patients
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", pg_catalog.count(*) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients()
-- subjects: 1, lists 1

SELECT ward_id, count(*) FROM patients GROUP BY 1 ORDER BY 2 DESC, ward_id LIMIT 3
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", ward_id, pg_catalog.count(*) FROM "G:"."public.patients!subject" AS "patients" GROUP BY 2 ORDER BY 3 DESC, ward_id LIMIT 3
-- public.patients(ward_id)
-- subjects: 1, lists 1

SELECT p.ward_id, max(s.reason) FROM patients p LEFT JOIN stays s ON s.patient_id = 7 GROUP BY p.ward_id HAVING count(*) > 1
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "p"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "p"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "p"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "p"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "s"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "s"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "s"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "s"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", p.ward_id, pg_catalog.max(s.reason) FROM "G:"."public.patients!subject" p LEFT JOIN "G:"."public.stays!subject" s ON s.patient_id = 7 GROUP BY p.ward_id HAVING pg_catalog.count(*) > 1
-- public.patients(ward_id) public.stays(patient_id reason)
-- subjects: 2, lists 1 1 $0=7

SELECT DISTINCT ward_id FROM patients -- all of them
=> SELECT  CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", ward_id FROM "G:"."public.patients!subject" AS "patients" -- all of them 
GROUP BY 2 
-- public.patients(ward_id)
-- subjects: 1, lists 1

SELECT DISTINCT * FROM patients WHERE ward_id = 1 ORDER BY ward_id, 2
=> SELECT  CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", "patients"."ward_id", "patients"."family_name", "patients"."phone" FROM "G:"."public.patients!subject" AS "patients" WHERE ward_id = 1 
GROUP BY 2, 3, 4 ORDER BY ward_id, 3
-- public.patients(ward_id family_name phone)
-- subjects: 1, lists 1

SELECT DISTINCT(ward_id) FROM patients LIMIT 2
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", (ward_id) FROM "G:"."public.patients!subject" AS "patients" 
GROUP BY 2 LIMIT 2
-- public.patients(ward_id)
-- subjects: 1, lists 1

SELECT DISTINCT p.ward_id AS "order", (SELECT 1) FROM patients p WHERE phone = 'x' ORDER BY "order" OFFSET 1
=> SELECT  CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "p"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "p"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "p"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "p"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", p.ward_id AS "order", (SELECT 1) FROM "G:"."public.patients!subject" p WHERE phone = 'x' 
GROUP BY 2, 3 ORDER BY "order" OFFSET 1
-- public.patients(ward_id phone)
-- subjects: 1, lists 1

SELECT DISTINCT ward_id FROM patients ORDER BY ward_id + 1
=> SELECT DISTINCT ward_id FROM "G:"."public.patients" AS "patients" ORDER BY ward_id + 1
-- public.patients(ward_id)
-- subjects: 0, open

SELECT DISTINCT ward_id FROM patients ORDER BY phone
=> SELECT DISTINCT ward_id FROM "G:"."public.patients" AS "patients" ORDER BY phone
-- public.patients(ward_id phone)
-- subjects: 0, open

SELECT DISTINCT ON (ward_id) ward_id, phone FROM patients
=> SELECT DISTINCT ON (ward_id) "patients"."pgvigil subject" AS "pgvigil subject 1", ward_id, phone FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(ward_id phone)
-- subjects: 1

SELECT DISTINCT (p).* FROM patients p
=> SELECT DISTINCT (p).* FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT DISTINCT rank() OVER (ORDER BY ward_id) FROM patients
=> SELECT DISTINCT pg_catalog.rank() OVER (ORDER BY ward_id) FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id)
-- subjects: 0, open

SELECT DISTINCT count(*) FROM patients GROUP BY ward_id
=> SELECT DISTINCT pg_catalog.count(*) FROM "G:"."public.patients" AS "patients" GROUP BY ward_id
-- public.patients(ward_id)
-- subjects: 0, open

SELECT id FROM stays UNION ALL SELECT ward_id FROM patients ORDER BY 1
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "patients"."pgvigil subject" AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients" ORDER BY 3
-- public.stays(id) public.patients(ward_id)
-- subjects: 2

SELECT ward_id FROM patients UNION ALL SELECT DISTINCT id FROM stays UNION ALL SELECT practitioner FROM team UNION ALL SELECT count(*) FROM stays
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", NULL::pg_catalog.text AS "pgvigil subject 3", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT  NULL::pg_catalog.text AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", NULL::pg_catalog.text AS "pgvigil subject 3", id FROM "G:"."public.stays!subject" AS "stays" 
GROUP BY 4 UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", NULL::pg_catalog.text AS "pgvigil subject 3", practitioner FROM "G:"."public.team" AS "team" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 3", pg_catalog.count(*) FROM "G:"."public.stays!subject" AS "stays"
-- public.patients(ward_id) public.stays(id) public.team(practitioner)
-- subjects: 3, lists 0 1 1

SELECT ward_id FROM patients UNION ALL VALUES (1)
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION ALL VALUES (1)
-- public.patients(ward_id)
-- subjects: 0, open

SELECT ward_id FROM patients UNION SELECT id FROM stays
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "stays"."pgvigil subject" AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays" 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject 2", "pgvigil 1") GROUP BY 3 
-- public.patients(ward_id) public.stays(id)
-- subjects: 2, lists 1 1

(SELECT ward_id FROM patients UNION SELECT 1) UNION ALL SELECT id FROM stays
=> (SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", 1 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil 1") GROUP BY 3 ) UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "stays"."pgvigil subject" AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays"
-- public.patients(ward_id) public.stays(id)
-- subjects: 2, lists 1 0

SELECT ward_id FROM patients UNION ALL SELECT DISTINCT practitioner FROM team ORDER BY 0
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" UNION ALL SELECT DISTINCT practitioner FROM "G:"."public.team" AS "team" ORDER BY 0
-- public.patients(ward_id) public.team(practitioner)
-- subjects: 0, open

SELECT q.n, p.family_name FROM patients p JOIN (SELECT patient_id, count(*) AS n FROM stays GROUP BY patient_id) q ON q.patient_id = p.ward_id
=> SELECT "p"."pgvigil subject" AS "pgvigil subject 1", "q"."pgvigil subject 1" AS "pgvigil subject 2", q.n, p.family_name FROM "G:"."public.patients!subject" p JOIN (SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", patient_id, pg_catalog.count(*) AS n FROM "G:"."public.stays!subject" AS "stays" GROUP BY patient_id) q ON q.patient_id = p.ward_id
-- public.patients(ward_id family_name) public.stays(patient_id)
-- subjects: 2, lists 0 1

SELECT avg(q.n) FROM (SELECT patient_id, count(*) AS n FROM stays GROUP BY patient_id) q
=> SELECT CASE WHEN pg_catalog.length(pg_catalog.string_agg(DISTINCT "q"."pgvigil subject 1" COLLATE pg_catalog."C", '')) OPERATOR(pg_catalog.>) 6400 THEN '!' ELSE pg_catalog.string_agg(DISTINCT "q"."pgvigil subject 1" COLLATE pg_catalog."C", '') END AS "pgvigil subject 1", pg_catalog.avg(q.n) FROM (SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 16 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", patient_id, pg_catalog.count(*) AS n FROM "G:"."public.stays!subject" AS "stays" GROUP BY patient_id) q
-- public.stays(patient_id)
-- subjects: 1, lists 1

WITH u AS (SELECT id FROM stays UNION ALL SELECT ward_id FROM patients) SELECT u.id, count(*) FROM u GROUP BY id
=> WITH u AS (SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "patients"."pgvigil subject" AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients") SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "u"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "u"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "u"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "u"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "u"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "u"."pgvigil subject 2" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "u"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "u"."pgvigil subject 2" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 2", u.id, pg_catalog.count(*) FROM u GROUP BY id
-- public.stays(id) public.patients(ward_id)
-- subjects: 2, lists 1 1

SELECT * FROM (SELECT DISTINCT reason FROM stays) q, (SELECT ward_id FROM patients UNION ALL SELECT 3) r
=> SELECT "q"."pgvigil subject 1" AS "pgvigil subject 1", "r"."pgvigil subject 1" AS "pgvigil subject 2", "q"."reason", "r"."ward_id" FROM (SELECT  CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", reason FROM "G:"."public.stays!subject" AS "stays" 
GROUP BY 2 ) q, (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", 3) r
-- public.stays(reason) public.patients(ward_id)
-- subjects: 2, lists 1 0

SELECT ward_id FROM patients GROUP BY ROLLUP (ward_id), GROUPING SETS ((1))
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" GROUP BY ROLLUP (ward_id), GROUPING SETS ((1))
-- public.patients(ward_id)
-- subjects: 0, open

SELECT ward_id, phone FROM patients GROUP BY ROLLUP (ward_id, phone)
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", ward_id, phone FROM "G:"."public.patients!subject" AS "patients" GROUP BY ROLLUP (ward_id, phone)
-- public.patients(ward_id phone)
-- subjects: 1, lists 1

SELECT ward_id FROM patients GROUP BY 2
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" GROUP BY 2
-- public.patients(ward_id)
-- subjects: 0, open

SELECT 1 FROM patients HAVING true
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", 1 FROM "G:"."public.patients!subject" AS "patients" HAVING true
-- public.patients()
-- subjects: 1, lists 1

SELECT (SELECT count(p.ward_id)) FROM patients p
=> SELECT (SELECT pg_catalog.count(p.ward_id)) FROM "G:"."public.patients" p
-- public.patients(ward_id)
-- subjects: 0, open

SELECT p.count FROM patients p
=> SELECT p.count FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ward_id) FROM patients
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", pg_catalog.percentile_disc(0.5) WITHIN GROUP (ORDER BY ward_id) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(ward_id)
-- subjects: 1, lists 1

SELECT ward_id, sum(count(*)) OVER () FROM patients GROUP BY ward_id
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", ward_id, pg_catalog.sum(pg_catalog.count(*)) OVER () FROM "G:"."public.patients!subject" AS "patients" GROUP BY ward_id
-- public.patients(ward_id)
-- subjects: 1, lists 1, open

SELECT count(*) FROM patients NATURAL JOIN stays
=> SELECT pg_catalog.count(*) FROM "G:"."public.patients" AS "patients" NATURAL JOIN "G:"."public.stays" AS "stays"
-- public.patients() public.stays()
-- subjects: 0, open

DECLARE c CURSOR FOR SELECT count(*) FROM stays
=> DECLARE c CURSOR FOR SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", pg_catalog.count(*) FROM "G:"."public.stays!subject" AS "stays"
-- public.stays()
-- subjects: 1, lists 1

SELECT array_agg(p) FROM patients p
=> SELECT pg_catalog.array_agg(p) FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT array_agg(p.*) FROM patients p
=> SELECT pg_catalog.array_agg(p.*) FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT count(*) FROM team
=> SELECT pg_catalog.count(*) FROM "G:"."public.team" AS "team"
-- public.team()
-- subjects: 0

SELECT DISTINCT practitioner FROM team
=> SELECT DISTINCT practitioner FROM "G:"."public.team" AS "team"
-- public.team(practitioner)
-- subjects: 0

INSERT INTO stays (id) SELECT count(*) FROM stays
=> INSERT INTO "G:"."public.stays!subject" AS "stays" (id) SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays" 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.stays(id+)
-- subjects: 1, open

# doctor exact
SELECT count(*) FROM patients
=> SELECT pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text AS "pgvigil subject 1", pg_catalog.count(*) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients()
-- subjects: 1, lists 1

SELECT avg(q.n) FROM (SELECT count(*) AS n FROM stays) q
=> refused 0A000 subject: a statement that reads rows without telling whose they are is not supported for role "doctor" in mission "exact"

SELECT ward_id FROM patients UNION SELECT id FROM stays
=> SELECT pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text AS "pgvigil subject 1", pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)::pg_catalog.text AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "ward_id" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "stays"."pgvigil subject" AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays" 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject 2", "pgvigil 1") GROUP BY 3 
-- public.patients(ward_id) public.stays(id)
-- subjects: 2, lists 1 1

# doctor care
SELECT count(*) FROM stays WHERE patient_id = '7' AND id = '8'
=> SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays" WHERE patient_id = '7' AND id = '8'
-- public.stays(id patient_id)
-- subjects: 0, open $0=7

SELECT count(*) FROM stays s WHERE '7' = s.patient_id OR s.patient_id IN ('8', $2, upper('9')) OR s.patient_id = ANY($1) OR s.patient_id = ANY('{1}') OR patient_id <> ALL('{2}')
=> SELECT pg_catalog.count(*) FROM "G:"."public.stays" s WHERE '7' = s.patient_id OR s.patient_id IN ('8', $2, pg_catalog.upper('9')) OR s.patient_id = ANY($1) OR s.patient_id = ANY('{1}') OR patient_id <> ALL('{2}')
-- public.stays(patient_id)
-- subjects: 0, open $0=7 $0=8 any $0={1} any $1 $2

SELECT reason FROM stays WHERE patient_id = '7'
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", reason FROM "G:"."public.stays!subject" AS "stays" WHERE patient_id = '7'
-- public.stays(patient_id reason)
-- subjects: 1 $0=7

SELECT practitioner FROM team t WHERE t.patient_id = '7' AND EXISTS (SELECT 1 FROM stays s WHERE s.patient_id = t.patient_id AND s.patient_id = '8')
=> SELECT practitioner FROM "G:"."public.team" t WHERE t.patient_id = '7' AND EXISTS (SELECT 1 FROM "G:"."public.stays" s WHERE s.patient_id = t.patient_id AND s.patient_id = '8')
-- public.team(patient_id practitioner) public.stays(patient_id)
-- subjects: 0, open $0=8

SELECT count(*) FROM stays WHERE (patient_id, id) = ('7', '8') OR patient_id LIKE '9' OR patient_id || 'x' = '10'
=> SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays" WHERE (patient_id, id) = ('7', '8') OR patient_id LIKE '9' OR patient_id || 'x' = '10'
-- public.stays(id patient_id)
-- subjects: 0, open

PREPARE p AS SELECT count(*) FROM stays WHERE patient_id = $1::text
=> PREPARE p AS SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays" WHERE patient_id = $1:: pg_catalog.text
-- public.stays(patient_id)
-- subjects: 0, open $1

# doctor groups
SELECT (p.*) FROM patients p
=> SELECT (p.*) FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT p.* AS x, 1 FROM patients p
=> SELECT p.* AS x, 1 FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT DISTINCT (p.*) FROM patients p
=> SELECT DISTINCT (p.*) FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT * FROM patients ORDER BY 4
=> SELECT * FROM "G:"."public.patients" AS "patients" ORDER BY 4
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT p.* FROM patients p UNION ALL SELECT p.* FROM patients p ORDER BY 3
=> SELECT "p"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", "p"."ward_id", "p"."family_name", "p"."phone" FROM "G:"."public.patients!subject" p UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "p"."pgvigil subject" AS "pgvigil subject 2", "p"."ward_id", "p"."family_name", "p"."phone" FROM "G:"."public.patients!subject" p ORDER BY 5
-- public.patients(ward_id family_name phone)
-- subjects: 2

SELECT ward_id, string_agg(family_name, ',') FROM patients GROUP BY 1
=> SELECT ward_id, pg_catalog.string_agg(family_name, ',') FROM "G:"."public.patients" AS "patients" GROUP BY 1
-- public.patients(ward_id family_name)
-- subjects: 0, open

SELECT ward_id, string_agg(family_name, ',' ORDER BY phone) FROM patients GROUP BY 1
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", ward_id, pg_catalog.string_agg(family_name, ',' ORDER BY phone) FROM "G:"."public.patients!subject" AS "patients" GROUP BY 2
-- public.patients(ward_id family_name phone)
-- subjects: 1, lists 1

SELECT c.relfrozenxid, count(*) FROM pg_class c, patients p GROUP BY 1
=> SELECT c.relfrozenxid, pg_catalog.count(*) FROM "C:"."pg_catalog.pg_class" c, "G:"."public.patients" p GROUP BY 1
-- pg_catalog.pg_class(oid relname relnamespace relkind reltuples) public.patients()
-- subjects: 0, open

SELECT DISTINCT ward_id, GROUPING(ward_id) FROM patients
=> SELECT DISTINCT ward_id, GROUPING(ward_id) FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id)
-- subjects: 0, open

SELECT max(m) FROM (SELECT max(n) AS m FROM (SELECT count(*) AS n FROM stays GROUP BY id) q GROUP BY n) r
=> SELECT CASE WHEN pg_catalog.length(pg_catalog.string_agg(DISTINCT "r"."pgvigil subject 1" COLLATE pg_catalog."C", '')) OPERATOR(pg_catalog.>) 6400 THEN '!' ELSE pg_catalog.string_agg(DISTINCT "r"."pgvigil subject 1" COLLATE pg_catalog."C", '') END AS "pgvigil subject 1", pg_catalog.max(m) FROM (SELECT CASE WHEN pg_catalog.length(pg_catalog.string_agg(DISTINCT "q"."pgvigil subject 1" COLLATE pg_catalog."C", '')) OPERATOR(pg_catalog.>) 1024 THEN '!' ELSE pg_catalog.string_agg(DISTINCT "q"."pgvigil subject 1" COLLATE pg_catalog."C", '') END AS "pgvigil subject 1", pg_catalog.max(n) AS m FROM (SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 16 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", pg_catalog.count(*) AS n FROM "G:"."public.stays!subject" AS "stays" GROUP BY id) q GROUP BY n) r
-- public.stays(id)
-- subjects: 1, lists 1

# doctor exact
SELECT max(m) FROM (SELECT max(n) AS m FROM (SELECT count(*) AS n FROM stays GROUP BY id) q GROUP BY n) r
=> refused 0A000 subject: a statement that reads rows without telling whose they are is not supported for role "doctor" in mission "exact"

# doctor groups
COPY stays TO STDOUT
=> COPY (SELECT COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.convert_to("stays"."pgvigil subject", 'UTF8'), 'hex'), '') AS "pgvigil subject 1", "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason" FROM "G:"."public.stays!subject" AS "stays" ) TO STDOUT
-- public.stays(id patient_id admitted_at reason)
-- subjects: 1

COPY public.stays (reason, id) TO STDOUT WITH (FORMAT csv, HEADER)
=> COPY (SELECT COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.convert_to("stays"."pgvigil subject", 'UTF8'), 'hex'), '') AS "pgvigil subject 1", "stays"."reason", "stays"."id" FROM "G:"."public.stays!subject" AS "stays" ) TO STDOUT WITH (FORMAT csv, HEADER)
-- public.stays(id reason)
-- subjects: 1

COPY BINARY stays (id) TO STDOUT
=> COPY (SELECT COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.convert_to("stays"."pgvigil subject", 'UTF8'), 'hex'), '') AS "pgvigil subject 1", "stays"."id" FROM "G:"."public.stays!subject" AS "stays" ) TO STDOUT BINARY
-- public.stays(id)
-- subjects: 1

COPY (SELECT id, reason FROM stays ORDER BY 2) TO STDOUT (DELIMITER ';')
=> COPY (SELECT COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.convert_to("stays"."pgvigil subject", 'UTF8'), 'hex'), '') AS "pgvigil subject 1", id, reason FROM "G:"."public.stays!subject" AS "stays" ORDER BY 3) TO STDOUT (DELIMITER ';')
-- public.stays(id reason)
-- subjects: 1

COPY (SELECT ward_id, count(*) FROM patients GROUP BY 1 UNION ALL SELECT 1, 2) TO STDOUT
=> COPY (SELECT COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.convert_to(CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END, 'UTF8'), 'hex'), '') AS "pgvigil subject 1", ward_id, pg_catalog.count(*) FROM "G:"."public.patients!subject" AS "patients" GROUP BY 2 UNION ALL SELECT ''::pg_catalog.text AS "pgvigil subject 1", 1, 2) TO STDOUT
-- public.patients(ward_id)
-- subjects: 1, lists 1

COPY (SELECT id FROM stays) TO STDOUT (FORMAT csv, DELIMITER 'a')
=> COPY (SELECT id FROM "G:"."public.stays" AS "stays") TO STDOUT (FORMAT csv, DELIMITER 'a')
-- public.stays(id)
-- subjects: 0, open

COPY (SELECT id FROM stays UNION SELECT id FROM stays) TO STDOUT
=> COPY (SELECT COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.convert_to(CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 1" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 1" IS NOT NULL)::pg_catalog.text END, 'UTF8'), 'hex'), '') AS "pgvigil subject 1", COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.convert_to(CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "pgvigil subject rows"."pgvigil subject 2" COLLATE pg_catalog."C") FILTER (WHERE "pgvigil subject rows"."pgvigil subject 2" IS NOT NULL)::pg_catalog.text END, 'UTF8'), 'hex'), '') AS "pgvigil subject 2", "pgvigil subject rows"."pgvigil 1" AS "id" FROM (SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "stays"."pgvigil subject" AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays" 
) AS "pgvigil subject rows"("pgvigil subject 1", "pgvigil subject 2", "pgvigil 1") GROUP BY 3 ) TO STDOUT
-- public.stays(id)
-- subjects: 2, lists 1 1

# doctor care
SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = s.patient_id AND o.id <> s.id)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = s.patient_id AND o.id <> s.id)
-- public.stays(id patient_id reason)
-- subjects: 1

SELECT s.reason, (SELECT count(*) FROM stays o WHERE o.reason = 'x' AND s.patient_id = o.patient_id) FROM stays s
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason, (SELECT pg_catalog.count(*) FROM "G:"."public.stays" o WHERE o.reason = 'x' AND s.patient_id = o.patient_id) FROM "G:"."public.stays!subject" s
-- public.stays(patient_id reason)
-- subjects: 1

SELECT s.reason FROM stays s WHERE s.patient_id IN (SELECT o.patient_id FROM stays o WHERE o.reason = 'x')
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE s.patient_id IN (SELECT o.patient_id FROM "G:"."public.stays" o WHERE o.reason = 'x')
-- public.stays(patient_id reason)
-- subjects: 1

SELECT s.reason FROM stays s WHERE s.patient_id NOT IN (SELECT patient_id FROM stays WHERE id = '3') AND s.patient_id = ANY (SELECT patient_id FROM stays)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE s.patient_id NOT IN (SELECT patient_id FROM "G:"."public.stays" AS "stays" WHERE id = '3') AND s.patient_id = ANY (SELECT patient_id FROM "G:"."public.stays" AS "stays")
-- public.stays(id patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o, stays u WHERE o.patient_id = u.patient_id AND u.patient_id = s.patient_id)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o, "G:"."public.stays" u WHERE o.patient_id = u.patient_id AND u.patient_id = s.patient_id)
-- public.stays(patient_id reason)
-- subjects: 1

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = s.patient_id AND EXISTS (SELECT 1 FROM stays u WHERE u.patient_id = o.patient_id))
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = s.patient_id AND EXISTS (SELECT 1 FROM "G:"."public.stays" u WHERE u.patient_id = o.patient_id))
-- public.stays(patient_id reason)
-- subjects: 1

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = s.patient_id OR o.id = '1')
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = s.patient_id OR o.id = '1')
-- public.stays(id patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE NOT (o.patient_id = s.patient_id))
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE NOT (o.patient_id = s.patient_id))
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id >= s.patient_id)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id >= s.patient_id)
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE o.id = s.patient_id)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.id = s.patient_id)
-- public.stays(id patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o, stays u WHERE o.patient_id = s.patient_id)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o, "G:"."public.stays" u WHERE o.patient_id = s.patient_id)
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE s.patient_id IN (SELECT patient_id FROM stays ORDER BY id LIMIT 3)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE s.patient_id IN (SELECT patient_id FROM "G:"."public.stays" AS "stays" ORDER BY id LIMIT 3)
-- public.stays(id patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE s.patient_id IN (SELECT max(patient_id) FROM stays)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE s.patient_id IN (SELECT pg_catalog.max(patient_id) FROM "G:"."public.stays" AS "stays")
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE s.patient_id IN (SELECT DISTINCT patient_id FROM stays)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE s.patient_id IN (SELECT DISTINCT patient_id FROM "G:"."public.stays" AS "stays")
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE s.patient_id = ALL (SELECT patient_id FROM stays)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE s.patient_id = ALL (SELECT patient_id FROM "G:"."public.stays" AS "stays")
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE s.patient_id > ANY (SELECT patient_id FROM stays)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE s.patient_id > ANY (SELECT patient_id FROM "G:"."public.stays" AS "stays")
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE s.patient_id IN (SELECT id FROM stays)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE s.patient_id IN (SELECT id FROM "G:"."public.stays" AS "stays")
-- public.stays(id patient_id reason)
-- subjects: 1, open

SELECT count(*) FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = s.patient_id)
=> SELECT pg_catalog.count(*) FROM "G:"."public.stays" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = s.patient_id)
-- public.stays(patient_id)
-- subjects: 0, open

SELECT t.practitioner FROM team t WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = t.patient_id)
=> SELECT t.practitioner FROM "G:"."public.team" t WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = t.patient_id)
-- public.team(patient_id practitioner) public.stays(patient_id)
-- subjects: 0, open

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM (SELECT patient_id FROM stays) o WHERE o.patient_id = s.patient_id)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM (SELECT patient_id FROM "G:"."public.stays" AS "stays") o WHERE o.patient_id = s.patient_id)
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s.reason FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = s.patient_id UNION SELECT 1 FROM stays)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", s.reason FROM "G:"."public.stays!subject" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = s.patient_id UNION SELECT 1 FROM "G:"."public.stays" AS "stays")
-- public.stays(patient_id reason)
-- subjects: 1, open

SELECT s FROM stays s WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = s.patient_id)
=> SELECT s FROM "G:"."public.stays" s WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = s.patient_id)
-- public.stays(id patient_id admitted_at reason)
-- subjects: 0, open

UPDATE stays SET reason = 'x' WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = stays.patient_id)
=> UPDATE "G:"."public.stays!subject" AS "stays" SET reason = 'x' WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = stays.patient_id) 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.stays(patient_id reason+)
-- subjects: 1

SELECT p.family_name FROM patients p WHERE EXISTS (SELECT 1 FROM stays o WHERE o.patient_id = p.ward_id)
=> SELECT "p"."pgvigil subject" AS "pgvigil subject 1", p.family_name FROM "G:"."public.patients!subject" p WHERE EXISTS (SELECT 1 FROM "G:"."public.stays" o WHERE o.patient_id = p.ward_id)
-- public.patients(ward_id family_name) public.stays(patient_id)
-- subjects: 1, open

COPY (UPDATE stays SET reason = 'x' WHERE id = '1') TO STDOUT
=> COPY (UPDATE "G:"."public.stays" AS "stays" SET reason = 'x' WHERE id = '1') TO STDOUT
-- public.stays(id reason+)
-- subjects: 0, open

COPY (UPDATE stays SET reason = 'x' WHERE id = '1' RETURNING id) TO STDOUT
=> COPY (UPDATE "G:"."public.stays!subject" AS "stays" SET reason = 'x' WHERE id = '1' RETURNING COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.convert_to("stays"."pgvigil subject", 'UTF8'), 'hex'), '') AS "pgvigil subject 1", id) TO STDOUT
-- public.stays(id reason+)
-- subjects: 1

# doctor groups
SELECT app.count(ward_id), family_name FROM patients
=> SELECT app.count(ward_id), family_name FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id family_name)
-- subjects: 0, open

SELECT count(ward_id) FROM patients
=> SELECT CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 100 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END AS "pgvigil subject 1", pg_catalog.count(ward_id) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(ward_id)
-- subjects: 1, lists 1

