# nurse care
SELECT count(*) OVER "w,min(nir)over w FROM patients WINDOW w AS()LIMIT 1--" FROM stays WINDOW "w,min(nir)over w FROM patients WINDOW w AS()LIMIT 1--" AS ()
=> SELECT pg_catalog.count(*) OVER "w,min(nir)over w FROM patients WINDOW w AS()LIMIT 1--" FROM "G:"."public.stays" AS "stays" WINDOW "w,min(nir)over w FROM patients WINDOW w AS()LIMIT 1--" AS ()
-- public.stays()

SELECT id FROM stays WHERE id=99 AND ((id<0 OR id>0) IS TRUE)
=> SELECT id FROM "G:"."public.stays" AS "stays" WHERE id=99 AND ((id<0 OR id>0) IS TRUE)
-- public.stays(id)

SELECT make_interval("days => 1, x" => 1)
=> SELECT pg_catalog.make_interval("days => 1, x" => 1)

SELECT 1 AS "a"" FROM secrets --"
=> SELECT 1 AS "a"" FROM secrets --"

SELECT id AS "); DROP TABLE patients; --" FROM patients AS "p"" , secrets AS ""x"
=> SELECT id AS "); DROP TABLE patients; --" FROM "G:"."public.patients" AS "p"" , secrets AS ""x"
-- public.patients(id)

SELECT "p"" , secrets".id FROM patients AS "p"" , secrets"
=> SELECT "p"" , secrets".id FROM "G:"."public.patients" AS "p"" , secrets"
-- public.patients(id)

SELECT id FROM patients AS "$1"
=> SELECT id FROM "G:"."public.patients" AS "$1"
-- public.patients(id)

SELECT "Patients".id FROM "Patients"
=> refused 42P01 relation: relation "Patients" does not exist

SELECT id FROM PATIENTS
=> SELECT id FROM "G:"."public.patients" AS "patients"
-- public.patients(id)

SELECT id FROM "patients "
=> refused 42P01 relation: relation "patients " does not exist

SELECT id FROM public.patients.id
=> refused 0A000 relation: cross-database references are not implemented: "public.patients.id"

SELECT id FROM U&"s\0065crets"
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT id FROM U&"s!0065crets" UESCAPE '!'
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT id FROM U&"pgvigil\003anurse"."x"
=> refused 42501 relation: schema "pgvigil:nurse" is not available for role "nurse" in mission "care"

SELECT U&"pg\005fsleep"(1)
=> refused 42501 function: function "pg_sleep" is not available for role "nurse" in mission "care"

SELECT "pg_sleep" (1)
=> refused 42501 function: function "pg_sleep" is not available for role "nurse" in mission "care"

SELECT pg_catalog . pg_sleep /* x */ (1)
=> refused 42501 function: function "pg_sleep" is not available for role "nurse" in mission "care"

SELECT pg_catalog."pg_read_file"('x')
=> refused 42501 function: function "pg_read_file" is not available for role "nurse" in mission "care"

SELECT PG_SLEEP(1)
=> refused 42501 function: function "pg_sleep" is not available for role "nurse" in mission "care"

WITH secrets AS (SELECT 1 AS id) SELECT id FROM public.secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

WITH x AS (SELECT * FROM secrets), secrets AS (SELECT 1 AS id) SELECT * FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

WITH RECURSIVE x AS (SELECT * FROM secrets), secrets AS (SELECT 1 AS id) SELECT * FROM x
=> WITH RECURSIVE x AS (SELECT * FROM secrets), secrets AS (SELECT 1 AS id) SELECT * FROM x

SELECT * FROM (WITH secrets AS (SELECT 1 AS id) SELECT * FROM secrets) a, secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT (WITH secrets AS (SELECT 1) SELECT count(*) FROM secrets), (SELECT count(*) FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

(WITH secrets AS (SELECT 1 AS id) SELECT * FROM secrets) UNION SELECT id FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

WITH pg_authid AS (SELECT 1) SELECT * FROM pg_catalog.pg_authid
=> refused 42501 relation: system catalog "pg_catalog.pg_authid" is not available for role "nurse" in mission "care"

WITH a AS (WITH secrets AS (SELECT 1) SELECT 1) SELECT * FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM patients WHERE id IN (SELECT id FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM patients ORDER BY (SELECT value FROM secrets LIMIT 1)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM patients LIMIT (SELECT count(*) FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM patients OFFSET (SELECT count(*) FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM secrets)) FROM patients
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT sum(id) OVER (ORDER BY (SELECT 1 FROM secrets)) FROM patients
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT sum(id) OVER (ROWS (SELECT 1 FROM secrets)::int PRECEDING) FROM patients
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT string_agg(phone, ',' ORDER BY (SELECT 1 FROM secrets)) FROM patients
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT 1 FROM patients GROUP BY (SELECT 1 FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT 1 FROM patients GROUP BY CUBE ((SELECT 1 FROM secrets), id)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT 1 FROM patients HAVING EXISTS (SELECT FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT DISTINCT ON ((SELECT 1 FROM secrets)) id FROM patients
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT 1 FROM patients WINDOW w AS (PARTITION BY (SELECT 1 FROM secrets))
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT 1 FROM patients p JOIN stays s ON EXISTS (SELECT FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM generate_series(1, (SELECT count(*) FROM secrets))
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY(SELECT value FROM secrets))) x
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM XMLTABLE('/a' PASSING (SELECT value::xml FROM secrets) COLUMNS a text PATH 'a')
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT * FROM XMLTABLE('/a' PASSING ('<a/>'::xml) COLUMNS a text PATH 'a' DEFAULT (SELECT value FROM secrets))
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

VALUES ((SELECT value FROM secrets))
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT ARRAY(SELECT value FROM secrets), ROW((SELECT 1 FROM secrets)), (SELECT 1 FROM secrets)[1]
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT CASE WHEN EXISTS (TABLE secrets) THEN 1 END
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT (ARRAY[1,2])[(SELECT 1 FROM secrets)]
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT xmlelement(name a, (SELECT value FROM secrets))
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT coalesce((SELECT value FROM secrets), ''), greatest((SELECT 1 FROM secrets), 1), nullif((SELECT 1 FROM secrets), 1)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT ((SELECT s FROM secrets s)).value
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT 1 WHERE (1, 2) = ANY (SELECT id, id FROM secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT 1 WHERE 1 OPERATOR(pg_catalog.=) ALL (TABLE secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

WITH RECURSIVE t AS (SELECT 1 AS a UNION SELECT a FROM t) CYCLE a SET c TO (SELECT true FROM secrets) DEFAULT false USING p SELECT * FROM t
=> refused 42601 syntax: syntax error at or near "("

SELECT 'x'::varchar((SELECT 1 FROM secrets))
=> refused 42601 syntax: syntax error at or near "("

SELECT * FROM patients p, LATERAL (SELECT * FROM secrets WHERE secrets.id = p.id) x
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT s.* FROM ONLY secrets s
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

TABLE secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

TABLE ONLY (secrets)
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT database_to_xml(true, true, ''), 1
=> refused 42501 function: function "database_to_xml" is not available for role "nurse" in mission "care"

SELECT ts_stat('SELECT value FROM secrets')
=> refused 42501 function: function "ts_stat" is not available for role "nurse" in mission "care"

SELECT * FROM ts_stat('SELECT value FROM secrets')
=> refused 42501 function: function "ts_stat" is not available for role "nurse" in mission "care"

SELECT lo_import('/etc/passwd')
=> refused 42501 function: function "lo_import" is not available for role "nurse" in mission "care"

SELECT pg_ls_dir('.')
=> refused 42501 function: function "pg_ls_dir" is not available for role "nurse" in mission "care"

SELECT nextval('s'), pg_advisory_lock(1)
=> refused 42P01 sequence: relation "s" does not exist

SELECT txid_current()
=> refused 42501 function: function "txid_current" is not available for role "nurse" in mission "care"

SELECT record_out(p) FROM patients p
=> refused 42501 function: function "record_out" is not available for role "nurse" in mission "care"

SELECT textin('x')
=> refused 42501 function: function "textin" is not available for role "nurse" in mission "care"

SELECT has_sequence_privilege('x', 'usage')
=> refused 42501 function: function "has_sequence_privilege" is not available for role "nurse" in mission "care"

SELECT inet_server_addr()
=> refused 42501 function: function "inet_server_addr" is not available for role "nurse" in mission "care"

SELECT pg_stat_get_live_tuples(1001)
=> refused 42501 function: function "pg_stat_get_live_tuples" is not available for role "nurse" in mission "care"

SELECT c.reltuples.pg_sleep FROM pg_class c
=> refused 42P01 column: missing FROM-clause entry for table "reltuples"

SELECT (SELECT p).set_config FROM patients p
=> refused 42501 function: "set_config" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT ((p)).pg_column_compression FROM patients p
=> refused 42501 function: "pg_column_compression" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT p.* FROM (SELECT 1 AS pg_sleep) p
=> SELECT p.* FROM (SELECT 1 AS pg_sleep) p

SELECT p.pg_sleep FROM (SELECT 1 AS pg_sleep) p
=> SELECT p.pg_sleep FROM (SELECT 1 AS pg_sleep) p

SELECT p.pg_sleep FROM generate_series(1, 2) p
=> refused 42501 function: "pg_sleep" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT p.pg_sleep FROM stays p, LATERAL (SELECT 1 AS pg_sleep) q
=> refused 42501 function: "pg_sleep" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT (SELECT p.pg_sleep FROM (SELECT 1 AS pg_sleep) p) FROM patients p
=> SELECT (SELECT p.pg_sleep FROM (SELECT 1 AS pg_sleep) p) FROM "G:"."public.patients" p
-- public.patients()

SELECT x.pg_sleep FROM patients p, (SELECT p.*) x
=> refused 42501 function: "pg_sleep" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT id FROM patients;;SELECT value FROM secrets
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT id FROM patients; DROP TABLE patients
=> refused 0A000 statement: DROP TABLE is not supported for role "nurse" in mission "care"

SELECT id FROM patients -- ; DROP TABLE patients
=> SELECT id FROM "G:"."public.patients" AS "patients" -- ; DROP TABLE patients
-- public.patients(id)

SELECT id /* /* nested */ FROM secrets */ FROM patients
=> SELECT id /* /* nested */ FROM secrets */ FROM "G:"."public.patients" AS "patients"
-- public.patients(id)

SELECT id FROM patients /*
=> refused 42601 syntax: unterminated /* comment at or near "/*"

SELECT id FROM patients WHERE phone = E'\'; SELECT value FROM secrets --'
=> SELECT id FROM "G:"."public.patients" AS "patients" WHERE phone = E'\'; SELECT value FROM secrets --'
-- public.patients(id phone)

SELECT id FROM patients WHERE phone = '\'; SELECT value FROM secrets --'
=> refused 42501 relation: relation "public.secrets" is not open for role "nurse" in mission "care"

SELECT $x$ $y$ FROM secrets $x$ FROM patients
=> SELECT $x$ $y$ FROM secrets $x$ FROM "G:"."public.patients" AS "patients"
-- public.patients()

SELECT current_setting('pgvigil.u_wards')
=> SELECT "C:"."current_setting"('pgvigil.u_wards')

SELECT pg_catalog.current_setting('pgvigil.key_care')
=> SELECT "C:"."current_setting"('pgvigil.key_care')

SELECT s.setting FROM pg_show_all_settings() s
=> refused 42501 function: function "pg_show_all_settings" is not available for role "nurse" in mission "care"

SELECT "current_user"(), "user"()
=> SELECT "C:"."current_user"(), "C:"."user"()

SELECT * FROM "current_user"() u
=> SELECT * FROM "C:"."current_user"() u

SELECT * FROM current_user
=> SELECT * FROM "C:"."current_user"()

SELECT id FROM patients FOR NO KEY UPDATE OF patients SKIP LOCKED
=> refused 42501 lock: rows of relation "public.patients" may not be locked for role "nurse" in mission "care"

SELECT '{}'::json::patients
=> refused 42501 type: type "patients" is not available for role "nurse" in mission "care"

SELECT json_populate_record(null::public.patients, '{}')
=> refused 42501 type: type "patients" is not available for role "nurse" in mission "care"

SELECT 'x'::patients.nir%TYPE
=> refused 42501 type: type "nir" is not available for role "nurse" in mission "care"

SELECT CAST(ROW(1) AS pg_catalog.pg_class)
=> refused 42501 type: type "pg_class" is not available for role "nurse" in mission "care"

SELECT pg_class 'x'
=> refused 42501 type: type "pg_class" is not available for role "nurse" in mission "care"

SELECT interval(6) '1', timestamp(3) 'now', char(3) 'x', bit(3) '101'
=> SELECT interval(6) '1', timestamp(3) 'now', char(3) 'x', bit(3) '101'

SELECT 1 ORDER BY 1 USING <->
=> refused 42501 operator: operator <-> also exists outside pg_catalog and is not available for role "nurse" in mission "care"

SELECT CASE 1 WHEN 1 THEN 2 END, 1 IN (1), 1 BETWEEN SYMMETRIC 1 AND 2, 1 IS DISTINCT FROM 2, 'a' SIMILAR TO 'b', 'a' NOT ILIKE 'b'
=> SELECT CASE 1 WHEN 1 THEN 2 END, 1 IN (1), 1 BETWEEN SYMMETRIC 1 AND 2, 1 IS DISTINCT FROM 2, 'a' SIMILAR TO 'b', 'a' NOT ILIKE 'b'

EXPLAIN (ANALYZE, FORMAT json) SELECT 1
=> refused 42501 statement: EXPLAIN is not allowed for role "nurse" in mission "care"

SELECT * FROM pg_stat_activity
=> refused 42P01 relation: relation "pg_stat_activity" does not exist

SELECT * FROM pg_prepared_statements
=> refused 42P01 relation: relation "pg_prepared_statements" does not exist

SELECT * FROM pg_locks
=> refused 42P01 relation: relation "pg_locks" does not exist

SELECT * FROM information_schema.column_udt_usage
=> refused 42P01 relation: relation "information_schema.column_udt_usage" does not exist

SELECT public.patients FROM patients
=> SELECT public.patients FROM "G:"."public.patients" AS "patients"
-- public.patients()

SELECT public.patients.pg_sleep FROM patients
=> refused 42501 function: "pg_sleep" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SELECT ehr.patients.ctid FROM ehr.patients
=> refused 42501 column: system column "ctid" is not available for role "nurse" in mission "care"

SELECT patients.id FROM ehr.patients p
=> SELECT patients.id FROM "G:"."ehr.patients" p
-- ehr.patients()

SELECT id FROM patients GROUP BY id, (SELECT 1), "GROUP BY"
=> SELECT id FROM "G:"."public.patients" AS "patients" GROUP BY id, (SELECT 1), "GROUP BY"
-- public.patients(id)

SELECT p.id, p.phone, count(*) FILTER (WHERE p.notes IS NULL) AS within, (SELECT max(s.id) FROM stays s GROUP BY s.patient_id) FROM patients p GROUP BY (p.id)
=> SELECT p.id, p.phone, pg_catalog.count(*) FILTER (WHERE p.notes IS NULL) AS within, (SELECT pg_catalog.max(s.id) FROM "G:"."public.stays" s GROUP BY s.patient_id) FROM "G:"."public.patients" p GROUP BY "p"."phone", (p.id)
-- public.patients(id phone notes) public.stays(id patient_id)

SELECT 1 FROM stays, stays
=> refused 42712 relation: table name "stays" specified more than once

SELECT 1 FROM patients, stays patients
=> SELECT 1 FROM "G:"."public.patients" AS "patients", "G:"."public.stays" patients
-- public.patients() public.stays()

SELECT 1 FROM stays patients, patients
=> refused 42712 relation: table name "patients" specified more than once

SELECT 1 FROM patients, ehr.patients, public.patients
=> refused 42712 relation: table name "patients" specified more than once

SELECT 1 FROM (patients JOIN stays USING (id)) AS j, patients
=> SELECT 1 FROM ("G:"."public.patients" AS "patients" JOIN "G:"."public.stays" AS "stays" USING (id)) AS j, "G:"."public.patients" AS "patients"
-- public.patients(id ward_id family_name* phone diagnosis notes) public.stays(id patient_id admitted_at reason)

# doctor care
SELECT (SELECT phone FROM (SELECT * FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id)) AS q(x, y)) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM (SELECT * FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id)) AS q(x, y)) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

SELECT (SELECT phone FROM (SELECT * FROM (SELECT 1 AS id) a NATURAL JOIN (SELECT 1 AS id, 2 AS phone) b) AS q(x, y)) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM (SELECT * FROM (SELECT 1 AS id) a NATURAL JOIN (SELECT 1 AS id, 2 AS phone) b) AS q(x, y)) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

SELECT (SELECT phone FROM (SELECT * FROM (SELECT 1 AS phone) a JOIN (SELECT 1 AS phone) b USING (phone) AS j) AS q(x)) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM (SELECT * FROM (SELECT 1 AS phone) a JOIN (SELECT 1 AS phone) b USING (phone) AS j) AS q(x)) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

WITH q(x, y) AS (SELECT * FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id)) SELECT (SELECT phone FROM q) FROM patients
=> WITH q(x, y) AS (SELECT * FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id)) SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM q) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

SELECT (SELECT phone FROM (SELECT * FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id) UNION SELECT 3, 4) AS q(x, y)) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM (SELECT * FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id) UNION SELECT 3, 4) AS q(x, y)) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

SELECT (SELECT phone FROM (SELECT j.* FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id) AS j) AS q(x)) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM (SELECT j.* FROM (SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id) AS j) AS q(x)) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

SELECT (SELECT phone FROM (SELECT a.* AS phone FROM (SELECT 1 AS xx) a) q) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM (SELECT a.* AS phone FROM (SELECT 1 AS xx) a) q) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

SELECT (SELECT phone FROM (SELECT (a.r).* AS phone FROM (SELECT ROW(1) AS r) a) q) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM (SELECT (a.r).* AS phone FROM (SELECT ROW(1) AS r) a) q) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

INSERT INTO stays SELECT a.* AS x FROM (SELECT 1, 2, now(), 'x') a
=> INSERT INTO "G:"."public.stays" AS "stays" SELECT a.* AS x FROM (SELECT 1, 2, pg_catalog.now(), 'x') a
-- public.stays(id+ patient_id+ admitted_at+ reason+)
-- subjects: 0, open

SELECT (SELECT phone FROM (SELECT k.* FROM ((SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id)) AS k) AS q(x, y)) FROM patients
=> SELECT "patients"."pgvigil subject" AS "pgvigil subject 1", (SELECT phone FROM (SELECT k.* FROM ((SELECT 1 AS id) a JOIN (SELECT 1 AS id, 2 AS phone) b USING (id)) AS k) AS q(x, y)) FROM "G:"."public.patients!subject" AS "patients"
-- public.patients(phone)
-- subjects: 1

SELECT (SELECT column1 FROM (SELECT) z, LATERAL (VALUES (z.*)) v) FROM patients AS p(a, b, column1)
=> SELECT (SELECT column1 FROM (SELECT) z, LATERAL (VALUES (z.*)) v) FROM "G:"."public.patients" AS p(a, b, column1)
-- public.patients(phone)
-- subjects: 0, open

SELECT ward_id FROM patients NATURAL JOIN json_to_record('{"family_name":"Martin"}') AS r(family_name text)
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" NATURAL JOIN pg_catalog.json_to_record('{"family_name":"Martin"}') AS r(family_name pg_catalog.text)
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT ward_id FROM patients NATURAL JOIN unnest(ARRAY['Martin']) AS family_name
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" NATURAL JOIN pg_catalog.unnest(ARRAY['Martin']) AS family_name
-- public.patients(ward_id family_name phone)
-- subjects: 0, open

SELECT o.family_name, (SELECT count(*) FROM patients NATURAL JOIN LATERAL (SELECT o.*) q) FROM (VALUES ('Martin'), ('Durand')) o(family_name)
=> SELECT o.family_name, (SELECT pg_catalog.count(*) FROM "G:"."public.patients" AS "patients" NATURAL JOIN LATERAL (SELECT o.*) q) FROM (VALUES ('Martin'), ('Durand')) o(family_name)
-- public.patients(ward_id family_name phone)
-- subjects: 0, open
