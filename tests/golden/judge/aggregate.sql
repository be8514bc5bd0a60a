# doctor stats
SELECT ward_id, count(*) FROM patients GROUP BY ward_id
=> SELECT (CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 1000 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END) OPERATOR(pg_catalog.||) CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 1000000 THEN '#!' ELSE '#'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.hash_record_extended("patients".*, 0)) OPERATOR(pg_catalog.||) pg_catalog.int8send(pg_catalog.hashtextextended("patients"."pgvigil subject", 0)) OPERATOR(pg_catalog.||) pg_catalog.decode('00', 'hex'), pg_catalog.decode('', 'hex')), 'hex') END AS "pgvigil subject 1", ward_id, pg_catalog.count(*) FROM "G:"."public.patients!subject" AS "patients" GROUP BY ward_id 
HAVING pg_catalog.count(DISTINCT "patients"."pgvigil subject") OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count("patients"."pgvigil subject") 
-- public.patients(ward_id)
-- subjects: 1, lists 1

SELECT count(*) FROM patients
=> SELECT (CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 1000 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "patients"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "patients"."pgvigil subject" IS NOT NULL)::pg_catalog.text END) OPERATOR(pg_catalog.||) CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 1000000 THEN '#!' ELSE '#'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.hash_record_extended("patients".*, 0)) OPERATOR(pg_catalog.||) pg_catalog.int8send(pg_catalog.hashtextextended("patients"."pgvigil subject", 0)) OPERATOR(pg_catalog.||) pg_catalog.decode('00', 'hex'), pg_catalog.decode('', 'hex')), 'hex') END AS "pgvigil subject 1", pg_catalog.count(*) FROM "G:"."public.patients!subject" AS "patients" 
HAVING pg_catalog.count(DISTINCT "patients"."pgvigil subject") OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count("patients"."pgvigil subject") 
-- public.patients()
-- subjects: 1, lists 1

SELECT s.reason, count(DISTINCT r.patient_id), avg(r.reason) AS "mean" FROM stays s JOIN stays r ON r.patient_id = s.patient_id AND s.id = r.id WHERE s.reason = 'x' AND NOT r.admitted_at > DATE '2020-01-01' GROUP BY 1 ORDER BY 2 DESC, mean LIMIT 5 -- why
=> SELECT (CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "s"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "s"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 1000 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "s"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "s"."pgvigil subject" IS NOT NULL)::pg_catalog.text END) OPERATOR(pg_catalog.||) CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 500000 THEN '#!' ELSE '#'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.hash_record_extended("s".*, 0)) OPERATOR(pg_catalog.||) pg_catalog.int8send(pg_catalog.hashtextextended("s"."pgvigil subject", 0)) OPERATOR(pg_catalog.||) pg_catalog.decode('00', 'hex'), pg_catalog.decode('', 'hex')), 'hex') END AS "pgvigil subject 1", (CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "r"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "r"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 1000 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "r"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "r"."pgvigil subject" IS NOT NULL)::pg_catalog.text END) OPERATOR(pg_catalog.||) CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 500000 THEN '#!' ELSE '#'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.hash_record_extended("r".*, 0)) OPERATOR(pg_catalog.||) pg_catalog.int8send(pg_catalog.hashtextextended("r"."pgvigil subject", 0)) OPERATOR(pg_catalog.||) pg_catalog.set_byte(pg_catalog.decode('00', 'hex'), 0, CASE WHEN "r"."patient_id" IS NULL THEN 0 ELSE 1 END OPERATOR(pg_catalog.+) CASE WHEN "r"."reason" IS NULL THEN 0 ELSE 2 END), pg_catalog.decode('', 'hex')), 'hex') END AS "pgvigil subject 2", s.reason, CASE WHEN pg_catalog.count(DISTINCT "r"."pgvigil subject") FILTER (WHERE "r"."patient_id" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND (pg_catalog.count(DISTINCT "r"."pgvigil subject") FILTER (WHERE "r"."patient_id" IS NULL) OPERATOR(pg_catalog.=) 0 OR pg_catalog.count(DISTINCT "r"."pgvigil subject") FILTER (WHERE "r"."patient_id" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(DISTINCT "r"."pgvigil subject") FILTER (WHERE "r"."patient_id" IS NULL) OPERATOR(pg_catalog.>=) 11) THEN pg_catalog.count(DISTINCT r.patient_id) END AS "count", CASE WHEN pg_catalog.count(DISTINCT "r"."pgvigil subject") FILTER (WHERE "r"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND (pg_catalog.count(DISTINCT "r"."pgvigil subject") FILTER (WHERE "r"."reason" IS NULL) OPERATOR(pg_catalog.=) 0 OR pg_catalog.count(DISTINCT "r"."pgvigil subject") FILTER (WHERE "r"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(DISTINCT "r"."pgvigil subject") FILTER (WHERE "r"."reason" IS NULL) OPERATOR(pg_catalog.>=) 11) THEN pg_catalog.avg(r.reason) END AS "mean" FROM "G:"."public.stays!subject" s JOIN "G:"."public.stays!subject" r ON r.patient_id = s.patient_id AND s.id = r.id WHERE s.reason = 'x' AND NOT r.admitted_at > pg_catalog.DATE '2020-01-01' GROUP BY 3 
HAVING pg_catalog.count(DISTINCT "s"."pgvigil subject") OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count("s"."pgvigil subject") AND pg_catalog.count(DISTINCT "r"."pgvigil subject") OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count("r"."pgvigil subject") ORDER BY 4 DESC, mean LIMIT 5 -- why
-- public.stays(id patient_id admitted_at reason)
-- subjects: 2, lists 1 1

select Sum ( reason ) , "count" (reason) n from stays where reason in ('a','b') or admitted_at is null;
=> select (CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 1000 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END) OPERATOR(pg_catalog.||) CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 1000000 THEN '#!' ELSE '#'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.hash_record_extended("stays".*, 0)) OPERATOR(pg_catalog.||) pg_catalog.int8send(pg_catalog.hashtextextended("stays"."pgvigil subject", 0)) OPERATOR(pg_catalog.||) pg_catalog.set_byte(pg_catalog.decode('00', 'hex'), 0, CASE WHEN "stays"."reason" IS NULL THEN 0 ELSE 1 END), pg_catalog.decode('', 'hex')), 'hex') END AS "pgvigil subject 1", CASE WHEN pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND (pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NULL) OPERATOR(pg_catalog.=) 0 OR pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NULL) OPERATOR(pg_catalog.>=) 11) THEN pg_catalog.Sum ( reason ) END AS "sum" , CASE WHEN pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND (pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NULL) OPERATOR(pg_catalog.=) 0 OR pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NULL) OPERATOR(pg_catalog.>=) 11) THEN pg_catalog."count" (reason) END n from "G:"."public.stays!subject" AS "stays" where reason in ('a','b') or admitted_at is null 
HAVING pg_catalog.count(DISTINCT "stays"."pgvigil subject") OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count("stays"."pgvigil subject") ;
-- public.stays(admitted_at reason)
-- subjects: 1, lists 1

SELECT reason, count(*) FROM stays WHERE admitted_at = $1 GROUP BY reason OFFSET $2
=> SELECT (CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 1000 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END) OPERATOR(pg_catalog.||) CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 1000000 THEN '#!' ELSE '#'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.hash_record_extended("stays".*, 0)) OPERATOR(pg_catalog.||) pg_catalog.int8send(pg_catalog.hashtextextended("stays"."pgvigil subject", 0)) OPERATOR(pg_catalog.||) pg_catalog.decode('00', 'hex'), pg_catalog.decode('', 'hex')), 'hex') END AS "pgvigil subject 1", reason, pg_catalog.count(*) FROM "G:"."public.stays!subject" AS "stays" WHERE admitted_at = $1 GROUP BY reason 
HAVING pg_catalog.count(DISTINCT "stays"."pgvigil subject") OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count("stays"."pgvigil subject") OFFSET $2
-- public.stays(admitted_at reason)
-- subjects: 1, lists 1

SELECT * FROM team
=> SELECT * FROM "G:"."public.team" AS "team"
-- public.team(patient_id practitioner part)
-- subjects: 0

TABLE team
=> SELECT * FROM "G:"."public.team" AS "team"
-- public.team(patient_id practitioner part)
-- subjects: 0

PREPARE q AS SELECT count(*) FROM patients
=> PREPARE q AS SELECT pg_catalog.count(*) FROM "G:"."public.patients" AS "patients"
-- public.patients()
-- subjects: 0, open

SELECT ward_id FROM patients
=> refused 0A000 aggregate: reading rows of patients is not supported for role "doctor" in mission "stats"

SELECT patient_id, count(*) FROM stays GROUP BY patient_id
=> refused 0A000 aggregate: an output column of "patient_id", which stands for one patient or one row, is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM stays WHERE patient_id = 5
=> refused 0A000 aggregate: a condition on "patient_id", which stands for one patient or one row, is not supported for role "doctor" in mission "stats"

SELECT max(reason) FROM stays
=> refused 0A000 aggregate: max() is not supported for role "doctor" in mission "stats"

SELECT sum(CASE WHEN reason = 'x' THEN 1 END) FROM stays
=> refused 0A000 aggregate: sum() of something that is no column is not supported for role "doctor" in mission "stats"

SELECT count(*) FILTER (WHERE reason = 'x') FROM stays
=> refused 0A000 aggregate: FILTER is not supported for role "doctor" in mission "stats"

SELECT count(*) OVER () FROM stays
=> refused 0A000 aggregate: OVER is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM stays WHERE 1/(reason::int - 5) > 0
=> refused 0A000 aggregate: a condition on something that is no column is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM stays WHERE reason = $1::int
=> refused 0A000 aggregate: a condition other than a comparison with constants is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM stays WHERE EXISTS (SELECT FROM patients)
=> refused 0A000 aggregate: a condition other than a comparison with constants is not supported for role "doctor" in mission "stats"

SELECT reason, count(*) FROM stays GROUP BY reason HAVING sum(admitted_at) > 5
=> refused 0A000 aggregate: HAVING is not supported for role "doctor" in mission "stats"

SELECT reason, count(*) FROM stays GROUP BY reason ORDER BY sum(admitted_at)
=> refused 0A000 aggregate: ORDER BY anything but an output column is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM stays, patients
=> refused 0A000 aggregate: a FROM of several entries is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM stays LEFT JOIN patients ON true
=> refused 0A000 aggregate: a join other than JOIN ... ON is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM team JOIN stays ON team.part = stays.reason AND stays.reason = 'x'
=> refused 0A000 aggregate: a join on something that is no column is not supported for role "doctor" in mission "stats"

SELECT sum(team.part) FROM team JOIN stays ON team.part = stays.reason
=> refused 0A000 aggregate: sum() of a column that is of no patient is not supported for role "doctor" in mission "stats"

WITH q AS (SELECT * FROM stays) SELECT count(*) FROM q
=> refused 0A000 aggregate: WITH is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM (SELECT * FROM stays) s
=> refused 0A000 aggregate: "s" together with patients is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM stays UNION ALL SELECT 1
=> refused 0A000 aggregate: a set operation is not supported for role "doctor" in mission "stats"

SELECT DISTINCT reason FROM stays
=> refused 0A000 aggregate: SELECT DISTINCT is not supported for role "doctor" in mission "stats"

INSERT INTO stays (id) VALUES (1)
=> refused 0A000 aggregate: INSERT is not supported for role "doctor" in mission "stats"

DECLARE c CURSOR FOR SELECT count(*) FROM stays
=> refused 0A000 aggregate: DECLARE is not supported for role "doctor" in mission "stats"

COPY (SELECT count(*) FROM stays) TO STDOUT
=> refused 0A000 aggregate: COPY is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM patient_stays
=> refused 0A000 aggregate: "patient_stays" together with patients is not supported for role "doctor" in mission "stats"

SELECT count(*) FROM "pgvigil subject"
=> refused 42P01 relation: relation "pgvigil subject" does not exist

SELECT count(*) FROM scans
=> refused 0A000 aggregate: a group of "scans", whose column "body" has a type without a hash, is not supported for role "doctor" in mission "stats"

SELECT pg_catalog.avg (reason), count(/* ( */ reason) FROM stays
=> SELECT (CASE WHEN pg_catalog.cardinality(pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)) OPERATOR(pg_catalog.>) 1000 THEN '!' ELSE pg_catalog.array_agg(DISTINCT "stays"."pgvigil subject" COLLATE pg_catalog."C") FILTER (WHERE "stays"."pgvigil subject" IS NOT NULL)::pg_catalog.text END) OPERATOR(pg_catalog.||) CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 1000000 THEN '#!' ELSE '#'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.hash_record_extended("stays".*, 0)) OPERATOR(pg_catalog.||) pg_catalog.int8send(pg_catalog.hashtextextended("stays"."pgvigil subject", 0)) OPERATOR(pg_catalog.||) pg_catalog.set_byte(pg_catalog.decode('00', 'hex'), 0, CASE WHEN "stays"."reason" IS NULL THEN 0 ELSE 1 END), pg_catalog.decode('', 'hex')), 'hex') END AS "pgvigil subject 1", CASE WHEN pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND (pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NULL) OPERATOR(pg_catalog.=) 0 OR pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NULL) OPERATOR(pg_catalog.>=) 11) THEN pg_catalog.avg (reason) END AS "avg", CASE WHEN pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND (pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NULL) OPERATOR(pg_catalog.=) 0 OR pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NOT NULL) OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(DISTINCT "stays"."pgvigil subject") FILTER (WHERE "stays"."reason" IS NULL) OPERATOR(pg_catalog.>=) 11) THEN pg_catalog.count(/* ( */ reason) END AS "count" FROM "G:"."public.stays!subject" AS "stays" 
HAVING pg_catalog.count(DISTINCT "stays"."pgvigil subject") OPERATOR(pg_catalog.>=) 11 AND pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count("stays"."pgvigil subject") 
-- public.stays(reason)
-- subjects: 1, lists 1

SELECT count(*) FROM stays s JOIN patients p ON s.patient_id = p.ward_id
=> refused 0A000 aggregate: a join of a patient's or a row's number with another value is not supported for role "doctor" in mission "stats"

# analyst stats
SELECT count(*) INTO TEMPORARY t FROM patients
=> refused 0A000 aggregate: SELECT INTO is not supported for role "analyst" in mission "stats"

SELECT 1 INTO TEMPORARY t
=> refused 0A000 aggregate: SELECT INTO is not supported for role "analyst" in mission "stats"

CREATE TEMPORARY TABLE t (a int)
=> refused 0A000 aggregate: CREATE TABLE is not supported for role "analyst" in mission "stats"
