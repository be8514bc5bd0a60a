# doctor care
SELECT family_name FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", family_name FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(family_name)
-- subjects: 1

SELECT * FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", "patients"."ward_id", "patients"."family_name", "patients"."phone" FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(ward_id family_name phone)
-- subjects: 1

SELECT p.*, s.reason FROM patients p JOIN stays s ON s.patient_id = 7 ORDER BY 2, 1 DESC LIMIT 3
=> SELECT "p"."pgvigil subject" AS "pgvigil subject 1", "s"."pgvigil subject" AS "pgvigil subject 2", "p"."ward_id", "p"."family_name", "p"."phone", s.reason FROM "G:"."public.patients!subject" p JOIN "G:"."public.stays!subject" s ON s.patient_id = 7 ORDER BY 4, 3 DESC LIMIT 3
-- public.patients(ward_id family_name phone) public.stays(patient_id reason)
-- subjects: 2 $0=7

SELECT * FROM patients p, team t, stays
=> SELECT "p"."pgvigil subject" AS "pgvigil subject 1", "stays"."pgvigil subject" AS "pgvigil subject 2", "p"."ward_id", "p"."family_name", "p"."phone", "t".*, "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason" FROM "G:"."public.patients!subject" p, "G:"."public.team" t, "G:"."public.stays!subject" AS "stays"
-- public.patients(ward_id family_name phone) public.team(patient_id practitioner part) public.stays(id patient_id admitted_at reason)
-- subjects: 2

SELECT q.family_name FROM (SELECT family_name, ward_id FROM patients) q ORDER BY q.ward_id
=> SELECT "q"."pgvigil subject 1" AS "pgvigil subject 1", q.family_name FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", family_name, ward_id FROM "G:"."public.patients!subject" AS "patients") q ORDER BY q.ward_id
-- public.patients(ward_id family_name)
-- subjects: 1

SELECT * FROM (SELECT * FROM patients) q
=> SELECT "q"."pgvigil subject 1" AS "pgvigil subject 1", "q"."ward_id", "q"."family_name", "q"."phone" FROM (SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", "patients"."ward_id", "patients"."family_name", "patients"."phone" FROM "G:"."public.patients!subject" AS "patients") q
-- public.patients(ward_id family_name phone)
-- subjects: 1

WITH q AS (SELECT id, patient_id FROM stays) SELECT q.id FROM q
=> WITH q AS (SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", id, patient_id FROM "G:"."public.stays!subject" AS "stays") SELECT "q"."pgvigil subject 1" AS "pgvigil subject 1", q.id FROM q
-- public.stays(id patient_id)
-- subjects: 1

WITH q AS (SELECT id FROM stays) SELECT a.id FROM q a, q b
=> WITH q AS (SELECT id FROM "G:"."public.stays" AS "stays") SELECT a.id FROM q a, q b
-- public.stays(id)
-- subjects: 0, open

SELECT part FROM team
=> SELECT part FROM "G:"."public.team" AS "team"
-- public.team(part)
-- subjects: 0

SELECT count(*) FROM patients
=> SELECT pg_catalog.count(*) FROM "G:"."public.patients" AS "patients"
-- public.patients()
-- subjects: 0, open

SELECT ward_id, count(*) FROM patients GROUP BY ward_id
=> SELECT ward_id, pg_catalog.count(*) FROM "G:"."public.patients" AS "patients" GROUP BY ward_id
-- public.patients(ward_id)
-- subjects: 0, open

SELECT DISTINCT ward_id FROM patients
=> SELECT DISTINCT ward_id FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id)
-- subjects: 0, open

SELECT p FROM patients p
=> SELECT p FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT p.family_name, row(p.*) FROM patients p
=> SELECT p.family_name, row(p.*) FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT * FROM patients NATURAL JOIN stays
=> SELECT * FROM "G:"."public.patients" AS "patients" NATURAL JOIN "G:"."public.stays" AS "stays"
-- public.patients(ward_id family_name phone) public.stays(id patient_id admitted_at reason)
-- subjects: 0, open

SELECT s.id FROM stays s JOIN stays t USING (id)
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", "t"."pgvigil subject" AS "pgvigil subject 2", s.id FROM "G:"."public.stays!subject" s JOIN "G:"."public.stays!subject" t USING (id)
-- public.stays(id)
-- subjects: 2

SELECT * FROM stays s JOIN stays t USING (id)
=> SELECT * FROM "G:"."public.stays" s JOIN "G:"."public.stays" t USING (id)
-- public.stays(id patient_id admitted_at reason)
-- subjects: 0, open

SELECT p.a FROM patients AS p(a, b, c)
=> SELECT p.a FROM "G:"."public.patients" AS p(a, b, c)
-- public.patients(ward_id)
-- subjects: 0, open

SELECT p.d FROM patients AS p(a, b, c, d)
=> SELECT p.d FROM "G:"."public.patients" AS p(a, b, c, d)
-- public.patients()
-- subjects: 0, open

SELECT family_name FROM patients WHERE EXISTS (SELECT * FROM stays)
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", family_name FROM "G:"."public.patients!subject" AS "patients" WHERE EXISTS (SELECT * FROM "G:"."public.stays" AS "stays")
-- public.patients(family_name) public.stays(id patient_id admitted_at reason)
-- subjects: 1, open

SELECT (SELECT count(p.ward_id)) FROM patients p
=> SELECT (SELECT pg_catalog.count(p.ward_id)) FROM "G:"."public.patients" p
-- public.patients(ward_id)
-- subjects: 0, open

SELECT (SELECT count(*) FROM stays WHERE stays.id = p.ward_id) FROM patients p
=> SELECT "p"."pgvigil subject" AS "pgvigil subject 1", (SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays" WHERE stays.id = p.ward_id) FROM "G:"."public.patients!subject" p
-- public.patients(ward_id) public.stays(id)
-- subjects: 1, open

SELECT j.id FROM (stays s JOIN team t ON true) AS j
=> SELECT j.id FROM ("G:"."public.stays" s JOIN "G:"."public.team" t ON true) AS j
-- public.stays(id patient_id admitted_at reason) public.team(patient_id practitioner part)
-- subjects: 0, open

SELECT p.family_name FROM patients p LEFT JOIN LATERAL (SELECT * FROM stays WHERE stays.id = p.ward_id LIMIT 1) s ON true
=> SELECT "p"."pgvigil subject" AS "pgvigil subject 1", "s"."pgvigil subject 1" AS "pgvigil subject 2", p.family_name FROM "G:"."public.patients!subject" p LEFT JOIN LATERAL (SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason" FROM "G:"."public.stays!subject" AS "stays" WHERE stays.id = p.ward_id LIMIT 1) s ON true
-- public.patients(ward_id family_name) public.stays(id patient_id admitted_at reason)
-- subjects: 2

SELECT id FROM stays UNION ALL SELECT ward_id FROM patients
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", NULL::pg_catalog.text AS "pgvigil subject 2", id FROM "G:"."public.stays!subject" AS "stays" UNION ALL SELECT NULL::pg_catalog.text AS "pgvigil subject 1", "patients"."pgvigil subject" AS "pgvigil subject 2", ward_id FROM "G:"."public.patients!subject" AS "patients"
-- public.stays(id) public.patients(ward_id)
-- subjects: 2

SELECT id FROM stays FOR UPDATE
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", id FROM "G:"."public.stays!subject" AS "stays" FOR UPDATE
-- public.stays(id)
-- subjects: 1

SELECT "pgvigil subject" FROM patients
=> refused 42703 column: column "pgvigil subject" does not exist

SELECT p."pgvigil subject" FROM patients p
=> refused 42703 column: column "pgvigil subject" does not exist

SELECT "pgvigil subject" FROM patients, generate_series(1, 1) g
=> refused 42703 column: column "pgvigil subject" does not exist

SELECT (p)."pgvigil subject" FROM patients p
=> refused 42703 column: column "pgvigil subject" does not exist

SELECT p.ward_id FROM patients p JOIN stays s USING ("pgvigil subject")
=> refused 42703 column: column "pgvigil subject" does not exist

SELECT p.ward_id FROM patients p ORDER BY "pgvigil subject"
=> refused 42703 column: column "pgvigil subject" does not exist

SELECT "pgvigil subject 1" FROM (SELECT ward_id FROM patients) q
=> refused 42703 column: column "pgvigil subject 1" does not exist

SELECT id, row_number() OVER (ORDER BY admitted_at) FROM stays ORDER BY 1
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", id, pg_catalog.row_number() OVER (ORDER BY admitted_at) FROM "G:"."public.stays!subject" AS "stays" ORDER BY 2
-- public.stays(id admitted_at)
-- subjects: 1

SELECT patients.* FROM public.patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", "patients"."ward_id", "patients"."family_name", "patients"."phone" FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(ward_id family_name phone)
-- subjects: 1

SELECT public.patients.* FROM patients
=> SELECT "patients".* FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

TABLE patients
=> SELECT * FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT FROM patients
=> SELECT FROM "G:"."public.patients" AS "patients"
-- public.patients()
-- subjects: 0, open

VALUES (1)
=> VALUES (1)
-- subjects: 0

SELECT ward_id FROM patients WHERE ward_id IN (SELECT id FROM team)
=> refused 42703 column: column "id" does not exist

SELECT family_name, (SELECT reason FROM stays LIMIT 1) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", family_name, (SELECT reason FROM "G:"."public.stays" AS "stays" LIMIT 1) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(family_name) public.stays(reason)
-- subjects: 1, open

SELECT * FROM stays s, generate_series(1, 2) g
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", "s"."id", "s"."patient_id", "s"."admitted_at", "s"."reason", "g".* FROM "G:"."public.stays!subject" s, pg_catalog.generate_series(1, 2) g
-- public.stays(id patient_id admitted_at reason)
-- subjects: 1

SELECT * FROM stays s, (SELECT 1, 2) q
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", "s"."id", "s"."patient_id", "s"."admitted_at", "s"."reason", "q".* FROM "G:"."public.stays!subject" s, (SELECT 1, 2) q
-- public.stays(id patient_id admitted_at reason)
-- subjects: 1

SELECT s.* FROM stays s, (SELECT 1 AS a, 2 AS a) q
=> SELECT "s"."pgvigil subject" AS "pgvigil subject 1", "s"."id", "s"."patient_id", "s"."admitted_at", "s"."reason" FROM "G:"."public.stays!subject" s, (SELECT 1 AS a, 2 AS a) q
-- public.stays(id patient_id admitted_at reason)
-- subjects: 1

INSERT INTO team SELECT id FROM stays
=> refused 42501 write: rows of relation "public.team" may not be inserted for role "doctor" in mission "care"

EXPLAIN SELECT id FROM stays
=> refused 42501 statement: EXPLAIN is not allowed for role "doctor" in mission "care"

SELECT ward_id FROM patients ORDER BY ward_id + 1, 1
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", ward_id FROM "G:"."public.patients!subject" AS "patients" ORDER BY ward_id + 1, 2
-- public.patients(ward_id)
-- subjects: 1

INSERT INTO stays (id, patient_id) VALUES (1, 2)
=> INSERT INTO "G:"."public.stays!subject" AS "stays" (id, patient_id) VALUES (1, 2) 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.stays(id+ patient_id+)
-- subjects: 1

INSERT INTO stays (id, patient_id) VALUES (1, 2) -- a comment
=> INSERT INTO "G:"."public.stays!subject" AS "stays" (id, patient_id) VALUES (1, 2) -- a comment 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.stays(id+ patient_id+)
-- subjects: 1

INSERT INTO stays (id, patient_id) SELECT id, patient_id FROM stays RETURNING id
=> INSERT INTO "G:"."public.stays!subject" AS "stays" (id, patient_id) SELECT id, patient_id FROM "G:"."public.stays" AS "stays" RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1", id
-- public.stays(id& patient_id&)
-- subjects: 1, open

INSERT INTO stays AS s (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded.reason RETURNING s.*, s.id + 1
=> INSERT INTO "G:"."public.stays!subject" AS s (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded.reason RETURNING "s"."pgvigil subject" AS "pgvigil subject 1", "s"."id", "s"."patient_id", "s"."admitted_at", "s"."reason", s.id + 1
-- public.stays(id& patient_id admitted_at reason&)
-- subjects: 1

INSERT INTO stays (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded::text
=> INSERT INTO "G:"."public.stays" AS "stays" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded:: pg_catalog.text
-- public.stays(id& reason+)
-- subjects: 0, open

UPDATE stays SET reason = 'x' WHERE id = 3; DELETE FROM stays;
=> UPDATE "G:"."public.stays!subject" AS "stays" SET reason = 'x' WHERE id = 3 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"; DELETE FROM "G:"."public.stays!subject" AS "stays" 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1";
-- public.stays(id reason+) public.stays()
-- subjects: 1
-- subjects: 1

UPDATE stays s SET reason = p.family_name FROM patients p WHERE p.ward_id = s.id RETURNING *
=> UPDATE "G:"."public.stays!subject" s SET reason = p.family_name FROM "G:"."public.patients!subject" p WHERE p.ward_id = s.id RETURNING "s"."pgvigil subject" AS "pgvigil subject 1", "p"."pgvigil subject" AS "pgvigil subject 2", "s"."id", "s"."patient_id", "s"."admitted_at", "s"."reason", "p"."ward_id", "p"."family_name", "p"."phone"
-- public.stays(id patient_id admitted_at reason&) public.patients(ward_id family_name phone)
-- subjects: 2

DELETE FROM stays s USING team t WHERE t.patient_id = s.id RETURNING s.*
=> DELETE FROM "G:"."public.stays!subject" s USING "G:"."public.team" t WHERE t.patient_id = s.id RETURNING "s"."pgvigil subject" AS "pgvigil subject 1", "s"."id", "s"."patient_id", "s"."admitted_at", "s"."reason"
-- public.stays(id patient_id admitted_at reason) public.team(patient_id)
-- subjects: 1

WITH q AS (DELETE FROM stays RETURNING id) SELECT id FROM q
=> WITH q AS (DELETE FROM "G:"."public.stays!subject" AS "stays" RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1", id) SELECT "q"."pgvigil subject 1" AS "pgvigil subject 1", id FROM q
-- public.stays(id)
-- subjects: 1

UPDATE stays SET "pgvigil subject" = 'x'
=> refused 42703 column: column "pgvigil subject" of relation "stays" does not exist

INSERT INTO stays ("pgvigil subject") VALUES ('x')
=> refused 42703 column: column "pgvigil subject" of relation "stays" does not exist

UPDATE stays SET reason = "pgvigil subject"
=> refused 42703 column: column "pgvigil subject" does not exist

INSERT INTO stays (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded."pgvigil subject"
=> refused 42703 column: column "pgvigil subject" does not exist

INSERT INTO stays (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded.reason RETURNING *
=> INSERT INTO "G:"."public.stays!subject" AS "stays" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded.reason RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1", "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason"
-- public.stays(id& patient_id admitted_at reason&)
-- subjects: 1

SELECT patients.to_json FROM patients
=> SELECT patients.to_json FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT q.to_json FROM (SELECT phone FROM patients) q
=> SELECT q.to_json FROM (SELECT phone FROM "G:"."public.patients" AS "patients") q
-- public.patients(phone)
-- subjects: 0, open

SELECT s.id FROM stays s WHERE EXISTS (SELECT s.to_json)
=> SELECT s.id FROM "G:"."public.stays" s WHERE EXISTS (SELECT s.to_json)
-- public.stays(id patient_id admitted_at reason)
-- subjects: 0, open

SELECT p.count FROM patients p
=> SELECT p.count FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT (SELECT p.count) FROM patients p
=> SELECT (SELECT p.count) FROM "G:"."public.patients" p
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT (q.x).count FROM (SELECT row(1, 2) AS x, s.id FROM stays s) q
=> SELECT (q.x).count FROM (SELECT row(1, 2) AS x, s.id FROM "G:"."public.stays" s) q
-- public.stays(id)
-- subjects: 0, open

SELECT rank(5) WITHIN GROUP (ORDER BY id) FROM stays
=> SELECT pg_catalog.rank(5) WITHIN GROUP (ORDER BY id) FROM "G:"."public.stays" AS "stays"
-- public.stays(id)
-- subjects: 0, open

SELECT id FROM stays ORDER BY 0
=> SELECT id FROM "G:"."public.stays" AS "stays" ORDER BY 0
-- public.stays(id)
-- subjects: 0, open

SELECT id FROM stays ORDER BY -1
=> SELECT id FROM "G:"."public.stays" AS "stays" ORDER BY -1
-- public.stays(id)
-- subjects: 0, open

SELECT id FROM stays ORDER BY 2
=> SELECT id FROM "G:"."public.stays" AS "stays" ORDER BY 2
-- public.stays(id)
-- subjects: 0, open

SELECT * FROM stays ORDER BY 4
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", "stays"."id", "stays"."patient_id", "stays"."admitted_at", "stays"."reason" FROM "G:"."public.stays!subject" AS "stays" ORDER BY 5
-- public.stays(id patient_id admitted_at reason)
-- subjects: 1

SELECT id FROM stays ORDER BY 2147483647
=> SELECT id FROM "G:"."public.stays" AS "stays" ORDER BY 2147483647
-- public.stays(id)
-- subjects: 0, open

SELECT q.x FROM (VALUES (1)) AS g("pgvigil subject"), LATERAL (SELECT "pgvigil subject" AS x FROM patients p) q
=> refused 42939 column: "pgvigil subject" is a reserved name

WITH q("pgvigil subject 1") AS (SELECT 1) SELECT * FROM q
=> refused 42939 column: "pgvigil subject 1" is a reserved name

SELECT * FROM generate_series(1, 2) AS g("pgvigil subject")
=> refused 42939 column: "pgvigil subject" is a reserved name

SELECT * FROM json_to_record('{}') AS g("pgvigil subject" text)
=> refused 42939 column: "pgvigil subject" is a reserved name

SELECT * FROM ROWS FROM (json_to_record('{}') AS ("pgvigil subject" text)) AS g
=> refused 42939 column: "pgvigil subject" is a reserved name

SELECT * FROM xmltable('/a' PASSING '<a/>' COLUMNS "pgvigil subject" text) AS x
=> refused 42939 column: "pgvigil subject" is a reserved name

WITH RECURSIVE q AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM q WHERE n < 3) SEARCH DEPTH FIRST BY n SET "pgvigil subject" SELECT * FROM q
=> refused 42939 column: "pgvigil subject" is a reserved name

WITH RECURSIVE q AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM q WHERE n < 3) CYCLE n SET "pgvigil subject" USING path SELECT * FROM q
=> refused 42939 column: "pgvigil subject" is a reserved name

INSERT INTO stays VALUES (1, 2, NULL, 'x', 3)
=> INSERT INTO "G:"."public.stays" AS "stays" VALUES (1, 2, NULL, 'x', 3)
-- public.stays(id+ patient_id+ admitted_at+ reason+)
-- subjects: 0, open

INSERT INTO stays SELECT *, 3 FROM stays
=> INSERT INTO "G:"."public.stays" AS "stays" SELECT *, 3 FROM "G:"."public.stays" AS "stays"
-- public.stays(id& patient_id& admitted_at& reason&)
-- subjects: 0, open

INSERT INTO stays VALUES (1, 2, NULL, 'x')
=> INSERT INTO "G:"."public.stays!subject" AS "stays" VALUES (1, 2, NULL, 'x') 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.stays(id+ patient_id+ admitted_at+ reason+)
-- subjects: 1

INSERT INTO stays (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded.to_json
=> INSERT INTO "G:"."public.stays" AS "stays" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET reason = excluded.to_json
-- public.stays(id& reason+)
-- subjects: 0, open

SELECT * FROM generate_series(1, 2) AS "pgvigil subject"
=> refused 42939 column: "pgvigil subject" is a reserved name

SELECT row_number() OVER (ORDER BY id), id FROM stays
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", pg_catalog.row_number() OVER (ORDER BY id), id FROM "G:"."public.stays!subject" AS "stays"
-- public.stays(id)
-- subjects: 1

SELECT lag(reason) OVER (ORDER BY id), id FROM stays
=> SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", pg_catalog.lag(reason) OVER (ORDER BY id), id FROM "G:"."public.stays!subject" AS "stays"
-- public.stays(id reason)
-- subjects: 1, open

SELECT q.id, q.c FROM (SELECT id, count(*) OVER () AS c FROM stays) q
=> SELECT "q"."pgvigil subject 1" AS "pgvigil subject 1", q.id, q.c FROM (SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", id, pg_catalog.count(*) OVER () AS c FROM "G:"."public.stays!subject" AS "stays") q
-- public.stays(id)
-- subjects: 1, open

UPDATE stays SET patient_id = 3 WHERE id = 1
=> UPDATE "G:"."public.stays!subject" AS "stays" SET patient_id = 3 WHERE id = 1 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.stays(id patient_id+)
-- subjects: 1, open

INSERT INTO stays (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET patient_id = 3
=> INSERT INTO "G:"."public.stays!subject" AS "stays" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET patient_id = 3 
RETURNING "stays"."pgvigil subject" AS "pgvigil subject 1"
-- public.stays(id& patient_id+)
-- subjects: 1, open

DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT id, reason FROM stays ORDER BY 1
=> DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", id, reason FROM "G:"."public.stays!subject" AS "stays" ORDER BY 2
-- public.stays(id reason)
-- subjects: 1, open

DECLARE c CURSOR FOR SELECT id FROM stays
=> DECLARE c CURSOR FOR SELECT "stays"."pgvigil subject" AS "pgvigil subject 1", id FROM "G:"."public.stays!subject" AS "stays"
-- public.stays(id)
-- subjects: 1

DECLARE c CURSOR FOR SELECT count(*) FROM stays
=> DECLARE c CURSOR FOR SELECT pg_catalog.count(*) FROM "G:"."public.stays" AS "stays"
-- public.stays()
-- subjects: 0, open
