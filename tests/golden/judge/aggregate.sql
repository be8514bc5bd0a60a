# doctor stats
SELECT ward_id, count(*) FROM patients GROUP BY ward_id
=> SELECT ward_id, pg_catalog.count(*) FROM "G:"."public.patients" AS "patients" GROUP BY ward_id
-- public.patients(ward_id)
-- subjects: 0, open

SELECT p.diagnosis, sum(p.phone), "count"(phone) AS phone FROM patients p WHERE upper(p.diagnosis) > 'A' OR ward_id / 2 = 1 GROUP BY 1 ORDER BY phone, 2 LIMIT 5
=> SELECT p.diagnosis, pg_catalog.sum(p.phone), pg_catalog."count"(phone) AS phone FROM "G:"."public.patients" p WHERE pg_catalog.upper(p.diagnosis) > 'A' OR ward_id / 2 = 1 GROUP BY 1 ORDER BY phone, 2 LIMIT 5
-- public.patients(ward_id phone diagnosis*)
-- subjects: 0, open

SELECT DISTINCT ward_id FROM patients
=> SELECT DISTINCT ward_id FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id)
-- subjects: 0, open

SELECT count(*) FILTER (WHERE ward_id = 1), max(ward_id) FROM patients
=> SELECT pg_catalog.count(*) FILTER (WHERE ward_id = 1), pg_catalog.max(ward_id) FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id)
-- subjects: 0, open

SELECT max(ward_id) FILTER (WHERE true) FROM patients
=> SELECT pg_catalog.max(ward_id) FILTER (WHERE true) FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id)
-- subjects: 0, open

SELECT count(DISTINCT id) FROM patients GROUP BY ward_id, 2 HAVING count(*) > 3
=> refused 0A000 aggregate: a number of patients without GROUP BY "diagnosis" (and all other dimensions of public.patients; patients of several cells cannot be told apart) is not supported for role "doctor" in mission "stats"

SELECT diagnosis, ward_id, count(DISTINCT p.id) FROM patients p GROUP BY 1, p.ward_id
=> refused 0A000 aggregate: a number of patients of public.patients, whose measure "phone" may be missing, so that a group may be of two cells, is not supported for role "doctor" in mission "stats"

SELECT m.label, count(*) FROM marks m JOIN patients p ON p.ward_id = m.id GROUP BY m.label
=> SELECT m.label, pg_catalog.count(*) FROM "G:"."public.marks" m JOIN "G:"."public.patients" p ON p.ward_id = m.id GROUP BY m.label
-- public.marks(id label) public.patients(ward_id)
-- subjects: 0, open

SELECT * FROM marks
=> SELECT * FROM "G:"."public.marks" AS "marks"
-- public.marks(id label)
-- subjects: 0

SELECT q.a + 1 FROM (SELECT count(*) AS a FROM stays GROUP BY admitted_at) q
=> SELECT q.a + 1 FROM (SELECT pg_catalog.count(*) AS a FROM "G:"."public.stays" AS "stays" GROUP BY admitted_at) q
-- public.stays(admitted_at)
-- subjects: 0, open

SELECT (SELECT count(*) FROM stays s WHERE s.admitted_at::text = p.diagnosis) FROM patients p GROUP BY p.diagnosis
=> SELECT (SELECT pg_catalog.count(*) FROM "G:"."public.stays" s WHERE s.admitted_at:: pg_catalog.text = p.diagnosis) FROM "G:"."public.patients" p GROUP BY p.diagnosis
-- public.patients(diagnosis*) public.stays(admitted_at)
-- subjects: 0, open

WITH t AS (SELECT avg(reason) AS a FROM stays) SELECT a.a FROM t a, t b
=> WITH t AS (SELECT pg_catalog.avg(reason) AS a FROM "G:"."public.stays" AS "stays") SELECT a.a FROM t a, t b
-- public.stays(reason)
-- subjects: 0, open

SELECT rank() OVER (ORDER BY count(*)) FROM patients GROUP BY ward_id
=> SELECT pg_catalog.rank() OVER (ORDER BY pg_catalog.count(*)) FROM "G:"."public.patients" AS "patients" GROUP BY ward_id
-- public.patients(ward_id)
-- subjects: 0, open

PREPARE q AS SELECT count(*) FROM stays
=> PREPARE q AS SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays"
-- public.stays()
-- subjects: 0, open

DECLARE c CURSOR FOR SELECT count(*) FROM stays
=> DECLARE c CURSOR FOR SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays"
-- public.stays()
-- subjects: 0, open

COPY (SELECT count(*) FROM stays) TO STDOUT
=> COPY (SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays") TO STDOUT
-- public.stays()
-- subjects: 0, open

SELECT count(*) FROM patients JOIN patients q USING (ward_id)
=> SELECT pg_catalog.count(*) FROM "G:"."public.patients" AS "patients" JOIN "G:"."public.patients" q USING (ward_id)
-- public.patients(ward_id)
-- subjects: 0, open

SELECT ward_id FROM patients
=> refused 0A000 aggregate: reading rows of patients one by one, without an aggregate or GROUP BY, is not supported for role "doctor" in mission "stats"

SELECT 1 FROM patients
=> refused 0A000 aggregate: reading rows of patients one by one, without an aggregate or GROUP BY, is not supported for role "doctor" in mission "stats"

SELECT * FROM patients
=> refused 0A000 aggregate: a whole row of public.patients is not supported for role "doctor" in mission "stats"

SELECT patients FROM patients
=> refused 0A000 aggregate: a whole row of public.patients is not supported for role "doctor" in mission "stats"

SELECT count(patients) FROM patients
=> refused 0A000 aggregate: a whole row of public.patients is not supported for role "doctor" in mission "stats"

SELECT count(p.*) FROM patients p
=> refused 0A000 aggregate: a whole row of public.patients is not supported for role "doctor" in mission "stats"

SELECT p.count FROM patients p
=> refused 0A000 aggregate: a whole row of public.patients is not supported for role "doctor" in mission "stats"

SELECT (p).ward_id FROM patients p GROUP BY 1
=> refused 0A000 aggregate: a whole row of public.patients is not supported for role "doctor" in mission "stats"

SELECT phone FROM patients GROUP BY phone
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT max(phone) FROM patients
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT sum(phone || '') FROM patients
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT sum(phone ORDER BY ward_id) FROM patients
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT sum(DISTINCT phone) FROM patients
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT count(DISTINCT phone) FROM patients
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM patients WHERE phone = 'x'
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT count(*) FILTER (WHERE phone = 'x') FROM patients
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM patients ORDER BY phone
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT sum(phone) OVER () FROM patients
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT family_name, count(*) FROM patients GROUP BY family_name
=> refused 0A000 aggregate: column "family_name" of public.patients is not supported for role "doctor" in mission "stats"

SELECT count(family_name) FROM patients
=> refused 0A000 aggregate: column "family_name" of public.patients is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM patients WHERE id = 5
=> refused 0A000 aggregate: column "id" of public.patients is not supported for role "doctor" in mission "stats"

SELECT count(id) FROM patients
=> refused 0A000 aggregate: column "id" of public.patients is not supported for role "doctor" in mission "stats"

SELECT count(DISTINCT id) FROM patients
=> refused 0A000 aggregate: a number of patients without GROUP BY "ward_id" (and all other dimensions of public.patients; patients of several cells cannot be told apart) is not supported for role "doctor" in mission "stats"

SELECT count(DISTINCT id) FROM patients GROUP BY ROLLUP (ward_id, diagnosis)
=> refused 0A000 aggregate: a number of patients in GROUPING SETS, ROLLUP or CUBE is not supported for role "doctor" in mission "stats"

SELECT array_agg(ward_id) FROM patients
=> refused 0A000 aggregate: array_agg() over patients is not supported for role "doctor" in mission "stats"

SELECT mode() WITHIN GROUP (ORDER BY ward_id) FROM patients
=> refused 0A000 aggregate: mode() over patients is not supported for role "doctor" in mission "stats"

SELECT DISTINCT ON (ward_id) ward_id FROM patients
=> refused 0A000 aggregate: reading rows of patients one by one, without an aggregate or GROUP BY, is not supported for role "doctor" in mission "stats"

SELECT DISTINCT row_number() OVER () FROM patients
=> refused 0A000 aggregate: reading rows of patients one by one, without an aggregate or GROUP BY, is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM patients WHERE random() < 0.5
=> refused 0A000 aggregate: random(), which may answer otherwise for each row, is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM patients WHERE pg_column_size(ward_id) > 3
=> refused 0A000 aggregate: pg_column_size(), which may answer otherwise for each row, is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM patients WHERE nextval('s') > 1
=> refused 42P01 sequence: relation "s" does not exist

SELECT count(*) FROM patients NATURAL JOIN marks
=> refused 0A000 aggregate: column "id" of public.patients is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM (patients JOIN marks ON true) j
=> refused 0A000 aggregate: a join with an alias of its own is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM patients JOIN stays USING (id)
=> refused 0A000 aggregate: column "id" of public.patients is not supported for role "doctor" in mission "stats"

SELECT (SELECT sum(p.phone) FROM marks) FROM patients p
=> refused 0A000 aggregate: an aggregate of a sub-query that takes columns of an outer one is not supported for role "doctor" in mission "stats"

SELECT (SELECT sum(p.phone) FILTER (WHERE m.id > 0) FROM marks m) FROM patients p GROUP BY p.ward_id
=> refused 0A000 aggregate: an aggregate of a sub-query that takes columns of an outer one is not supported for role "doctor" in mission "stats"

SELECT (SELECT array_agg(p.ward_id) FROM marks) FROM patients p
=> refused 0A000 aggregate: an aggregate of a sub-query that takes columns of an outer one is not supported for role "doctor" in mission "stats"

SELECT (SELECT q.ward_id FROM patients q LIMIT 1)
=> refused 0A000 aggregate: reading rows of patients one by one, without an aggregate or GROUP BY, is not supported for role "doctor" in mission "stats"

SELECT x.* FROM marks m, LATERAL (SELECT p.phone FROM patients p WHERE p.ward_id = m.id) x
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

VALUES ((SELECT phone FROM patients LIMIT 1))
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

SELECT ward_id FROM patients GROUP BY ward_id FOR UPDATE
=> refused 0A000 lock: FOR UPDATE is not allowed with GROUP BY clause

COPY stays TO STDOUT
=> refused 0A000 aggregate: reading rows of patients one by one is not supported for role "doctor" in mission "stats"

COPY stays (admitted_at) TO STDOUT
=> refused 0A000 aggregate: reading rows of patients one by one is not supported for role "doctor" in mission "stats"

PREPARE r AS SELECT phone FROM patients
=> refused 0A000 aggregate: column "phone" of public.patients other than in count(phone), sum(phone) and their kin is not supported for role "doctor" in mission "stats"

DECLARE d CURSOR FOR SELECT ward_id FROM patients
=> refused 0A000 aggregate: reading rows of patients one by one, without an aggregate or GROUP BY, is not supported for role "doctor" in mission "stats"

UPDATE marks SET label = 'x' FROM patients
=> refused 42501 write: rows of relation "public.marks" may not be updated for role "doctor" in mission "stats"

INSERT INTO marks SELECT 1, max(ward_id)::text FROM patients
=> refused 42501 write: rows of relation "public.marks" may not be inserted for role "doctor" in mission "stats"

DELETE FROM patients
=> refused 42501 write: rows of relation "public.patients" may not be deleted for role "doctor" in mission "stats"

SELECT (SELECT count(*) FROM marks m WHERE m.id = p.ward_id) FROM patients p
=> refused 0A000 aggregate: reading rows of patients one by one, without an aggregate or GROUP BY, is not supported for role "doctor" in mission "stats"
