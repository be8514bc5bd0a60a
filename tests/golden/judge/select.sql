# nurse care
select 1
=> select 1

SELECT id, family_name FROM patients
=> SELECT id, family_name FROM "G:"."public.patients" AS "patients"
-- public.patients(id family_name*)

SELECT id, family_name FROM patients WHERE nir = '1'
=> refused 42703 column: column "nir" does not exist

SELECT * FROM public.patients
=> SELECT * FROM "G:"."public.patients" AS "patients"
-- public.patients(id ward_id family_name* phone diagnosis notes)

TABLE patients
=> SELECT * FROM "G:"."public.patients" AS "patients"
-- public.patients(id ward_id family_name* phone diagnosis notes)

TABLE ONLY patients ORDER BY patients.id
=> SELECT * FROM ONLY "G:"."public.patients" AS "patients" ORDER BY patients.id
-- public.patients(id ward_id family_name* phone diagnosis notes)

table public . "patients" order by patients.id limit 3
=> SELECT * FROM "G:"."public.patients" AS "patients" order by patients.id limit 3
-- public.patients(id ward_id family_name* phone diagnosis notes)

SELECT p.* FROM patients p JOIN stays AS s ON s.patient_id = p.id
=> SELECT p.* FROM "G:"."public.patients" p JOIN "G:"."public.stays" AS s ON s.patient_id = p.id
-- public.patients(id ward_id family_name* phone diagnosis notes) public.stays(patient_id)

SELECT public.patients.id, clinic.public.patients.ward_id, public.patients.* FROM patients
=> SELECT "patients".id, "patients".ward_id, "patients".* FROM "G:"."public.patients" AS "patients"
-- public.patients(id ward_id family_name* phone diagnosis notes)

SELECT patients.id FROM public.patients
=> SELECT patients.id FROM "G:"."public.patients" AS "patients"
-- public.patients(id)

SELECT id FROM clinic.public.patients
=> SELECT id FROM "G:"."public.patients" AS "patients"
-- public.patients(id)

SELECT id FROM otherdb.public.patients
=> refused 0A000 relation: cross-database references are not implemented: "otherdb.public.patients"

SELECT id FROM patients *
=> SELECT id FROM "G:"."public.patients" * AS "patients"
-- public.patients(id)

SELECT id FROM patients * AS x
=> SELECT id FROM "G:"."public.patients" * AS x
-- public.patients(id)

SELECT id FROM ONLY patients
=> SELECT id FROM ONLY "G:"."public.patients" AS "patients"
-- public.patients(id)

SELECT id FROM ONLY (patients)
=> SELECT id FROM ONLY ("G:"."public.patients") AS "patients"
-- public.patients(id)

SELECT o.id FROM ONLY (observations) o
=> SELECT o.id FROM ONLY ("G:"."public.observations!only") o
-- public.observations(id)

SELECT id FROM ONLY(observations)WHERE id=1
=> SELECT id FROM ONLY("G:"."public.observations!only") AS "observations"WHERE id=1
-- public.observations(id)

SELECT id FROM observations_2026
=> SELECT id FROM "G:"."public.observations_2026" AS "observations_2026"
-- public.observations_2026(id)

SELECT public.patients.id, ehr.patients.id FROM public.patients, ehr.patients
=> SELECT "patients".id, "ehr.patients".id FROM "G:"."public.patients" AS "patients", "G:"."ehr.patients" AS "ehr.patients"
-- public.patients(id) ehr.patients(id)

SELECT patients.id FROM public.patients, ehr.patients
=> refused 42P09 column: table reference "patients" is ambiguous

SELECT ward_id FROM public.patients JOIN ehr.patients USING (id)
=> SELECT ward_id FROM "G:"."public.patients" AS "patients" JOIN "G:"."ehr.patients" AS "ehr.patients" USING (id)
-- public.patients(id ward_id) ehr.patients(id ward_id)

WITH patients AS (SELECT 1 AS id) SELECT id FROM patients
=> WITH patients AS (SELECT 1 AS id) SELECT id FROM patients

WITH patients AS (SELECT id FROM patients) SELECT id FROM patients
=> WITH patients AS (SELECT id FROM "G:"."public.patients" AS "patients") SELECT id FROM patients
-- public.patients(id)

WITH RECURSIVE patients AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM patients WHERE id < 3) SELECT id FROM patients
=> WITH RECURSIVE patients AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM patients WHERE id < 3) SELECT id FROM patients

WITH patients AS (SELECT 1 AS id) SELECT public.patients.id FROM public.patients
=> WITH patients AS (SELECT 1 AS id) SELECT "patients".id FROM "G:"."public.patients" AS "patients"
-- public.patients(id)

WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT (SELECT count(*) FROM b), s.id FROM stays s
=> WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT (SELECT pg_catalog.count(*) FROM b), s.id FROM "G:"."public.stays" s
-- public.stays(id)

SELECT lower(family_name) FROM patients
=> refused 42501 function: function "public.lower" is not available for role "nurse" in mission "care"

SELECT pg_catalog.lower(family_name) FROM patients
=> SELECT pg_catalog.lower(family_name) FROM "G:"."public.patients" AS "patients"
-- public.patients(family_name*)

SELECT upper(family_name), count(*), left(phone, 2) FROM patients GROUP BY 1, 3
=> SELECT pg_catalog.upper(family_name), pg_catalog.count(*), pg_catalog.left(phone, 2) FROM "G:"."public.patients" AS "patients" GROUP BY 1, 3
-- public.patients(family_name* phone)

SELECT shout(phone), app.bmi(1, 2), public.shout(phone) FROM patients
=> SELECT "public"."shout"(phone), app.bmi(1, 2), public.shout(phone) FROM "G:"."public.patients" AS "patients"
-- public.patients(phone)

SELECT extract(year from now()), position('a' in 'b'), substring('abc' from 1 for 2), substring('abc', 2), trim(both 'x' from 'xax'), overlay('abc' placing 'x' from 1), now() at time zone 'UTC'
=> SELECT extract(year from pg_catalog.now()), position('a' in 'b'), substring('abc' from 1 for 2), pg_catalog.substring('abc', 2), trim(both 'x' from 'xax'), overlay('abc' placing 'x' from 1), pg_catalog.now() at time zone 'UTC'

SELECT current_user, session_user, user, current_role, current_schema, current_catalog, current_date, current_timestamp(3), localtime
=> SELECT "C:"."current_user"(), "C:"."session_user"(), "C:"."user"(), "C:"."current_role"(), "C:"."current_schema"(), "C:"."current_catalog"(), current_date, current_timestamp(3), localtime

SELECT current_setting('search_path'), current_schemas(true), current_schema(), pg_table_is_visible(1), current_database(), version()
=> SELECT "C:"."current_setting"('search_path'), "C:"."current_schemas"(true), "C:"."current_schema"(), "C:"."pg_table_is_visible"(1), pg_catalog.current_database(), pg_catalog.version()

SELECT id::text, CAST(ward_id AS int4[]), date '2020-01-01', interval '1' day, '1'::double precision, 'x'::"char", 'a'::varchar(3), '1'::numeric(10,2), '1'::pg_catalog.int8 FROM patients
=> SELECT id:: pg_catalog.text, CAST(ward_id AS pg_catalog.int4[]), pg_catalog.date '2020-01-01', interval '1' day, '1'::double precision, 'x':: pg_catalog."char", 'a'::varchar(3), '1'::numeric(10,2), '1'::pg_catalog.int8 FROM "G:"."public.patients" AS "patients"
-- public.patients(id ward_id)

SELECT 'x'::nir, 'y'::public.nir
=> SELECT 'x':: "public".nir, 'y'::public.nir

SELECT timestamp with time zone '2020-01-01', bit varying '101', national character varying '1', time '10:00', float8 '1'
=> SELECT timestamp with time zone '2020-01-01', bit varying '101', national character varying '1', time '10:00', pg_catalog.float8 '1'

SELECT family_name COLLATE "C", family_name COLLATE pg_catalog."fr-x-icu" FROM patients ORDER BY 1 COLLATE "C"
=> SELECT family_name COLLATE pg_catalog."C", family_name COLLATE pg_catalog."fr-x-icu" FROM "G:"."public.patients" AS "patients" ORDER BY 1 COLLATE pg_catalog."C"
-- public.patients(family_name*)

SELECT p.id, p.family_name, p.phone FROM patients p GROUP BY p.id
=> SELECT p.id, p.family_name, p.phone FROM "G:"."public.patients" p GROUP BY "p"."family_name", "p"."phone", p.id
-- public.patients(id family_name* phone)

SELECT p.id, max(p.phone), p.ward_id FROM patients p JOIN stays s ON s.patient_id = p.id GROUP BY p.id HAVING count(*) > 1 AND p.phone IS NOT NULL ORDER BY p.family_name
=> SELECT p.id, pg_catalog.max(p.phone), p.ward_id FROM "G:"."public.patients" p JOIN "G:"."public.stays" s ON s.patient_id = p.id GROUP BY "p"."ward_id", "p"."family_name", "p"."phone", p.id HAVING pg_catalog.count(*) > 1 AND p.phone IS NOT NULL ORDER BY p.family_name
-- public.patients(id ward_id family_name* phone) public.stays(patient_id)

SELECT id, family_name FROM patients GROUP BY 1
=> SELECT id, family_name FROM "G:"."public.patients" AS "patients" GROUP BY "patients"."family_name", 1
-- public.patients(id family_name*)

SELECT p.id AS key, p.* FROM patients p GROUP BY key
=> SELECT p.id AS key, p.* FROM "G:"."public.patients" p GROUP BY "p"."ward_id", "p"."family_name", "p"."phone", "p"."diagnosis", "p"."notes", key
-- public.patients(id ward_id family_name* phone diagnosis notes)

SELECT p.ward_id, count(*) FROM patients p GROUP BY p.ward_id
=> SELECT p.ward_id, pg_catalog.count(*) FROM "G:"."public.patients" p GROUP BY p.ward_id
-- public.patients(ward_id)

SELECT id, taken_at, value FROM observations GROUP BY id, taken_at
=> SELECT id, taken_at, value FROM "G:"."public.observations" AS "observations" GROUP BY "observations"."value", id, taken_at
-- public.observations(id taken_at value)

SELECT id, value FROM observations GROUP BY id
=> SELECT id, value FROM "G:"."public.observations" AS "observations" GROUP BY id
-- public.observations(id value)

SELECT p.id, (SELECT count(*) FROM stays s WHERE s.patient_id = p.id AND s.reason = p.diagnosis) FROM patients p GROUP BY DISTINCT p.id
=> SELECT p.id, (SELECT pg_catalog.count(*) FROM "G:"."public.stays" s WHERE s.patient_id = p.id AND s.reason = p.diagnosis) FROM "G:"."public.patients" p GROUP BY DISTINCT "p"."diagnosis", p.id
-- public.patients(id diagnosis) public.stays(patient_id reason)

SELECT p.ward_id, p.id, count(*) FROM patients p GROUP BY ROLLUP (p.ward_id, p.id)
=> SELECT p.ward_id, p.id, pg_catalog.count(*) FROM "G:"."public.patients" p GROUP BY ROLLUP (p.ward_id, p.id)
-- public.patients(id ward_id)

SELECT "Id", "select" FROM "Weird Name" w
=> SELECT "Id", "select" FROM "G:"."public.Weird Name" w
-- public.Weird Name(Id select)

SELECT "Weird Name"."Id" FROM "Weird Name"
=> SELECT "Weird Name"."Id" FROM "G:"."public.Weird Name" AS "Weird Name"
-- public.Weird Name(Id)

SELECT U&"\0070atients".id FROM U&"\0070atients"
=> SELECT U&"\0070atients".id FROM "G:"."public.patients" AS "patients"
-- public.patients(id)

SELECT id FROM U&"!0070atients" UESCAPE '!' WHERE id > 0
=> SELECT id FROM "G:"."public.patients" AS "patients" WHERE id > 0
-- public.patients(id)

SELECT id FROM public/* c */ . -- d
 patients/**/WHERE id=1
=> SELECT id FROM "G:"."public.patients" AS "patients"/**/WHERE id=1
-- public.patients(id)

SELECT id FROM patients"p"
=> SELECT id FROM "G:"."public.patients" "p"
-- public.patients(id)

SELECT id FROM patients, LATERAL (SELECT s.id AS sid FROM stays s WHERE s.patient_id = patients.id) l
=> SELECT id FROM "G:"."public.patients" AS "patients", LATERAL (SELECT s.id AS sid FROM "G:"."public.stays" s WHERE s.patient_id = patients.id) l
-- public.patients(id) public.stays(id patient_id)

SELECT g, u.n FROM generate_series(1, 3) g, unnest(ARRAY[1]) WITH ORDINALITY AS u(a, n), ROWS FROM (generate_series(1,2), json_to_recordset('[]') AS (a int, b text)) r
=> SELECT g, u.n FROM pg_catalog.generate_series(1, 3) g, pg_catalog.unnest(ARRAY[1]) WITH ORDINALITY AS u(a, n), ROWS FROM (pg_catalog.generate_series(1,2), pg_catalog.json_to_recordset('[]') AS (a int, b pg_catalog.text)) r

SELECT id, row_number() OVER w, sum(ward_id) FILTER (WHERE ward_id > 0) OVER (PARTITION BY id ORDER BY ward_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM patients WINDOW w AS (ORDER BY id)
=> SELECT id, pg_catalog.row_number() OVER w, pg_catalog.sum(ward_id) FILTER (WHERE ward_id > 0) OVER (PARTITION BY id ORDER BY ward_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM "G:"."public.patients" AS "patients" WINDOW w AS (ORDER BY id)
-- public.patients(id ward_id)

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ward_id), string_agg(DISTINCT phone, ',' ORDER BY phone) FROM patients
=> SELECT pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY ward_id), pg_catalog.string_agg(DISTINCT phone, ',' ORDER BY phone) FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id phone)

SELECT id FROM patients WHERE ward_id IN (1, 2) AND id = ANY (ARRAY[1,2]) AND id BETWEEN 1 AND 3 AND phone LIKE '0%' ESCAPE '!' AND EXISTS (SELECT FROM stays WHERE stays.patient_id = patients.id)
=> SELECT id FROM "G:"."public.patients" AS "patients" WHERE ward_id IN (1, 2) AND id = ANY (ARRAY[1,2]) AND id BETWEEN 1 AND 3 AND phone LIKE '0%' ESCAPE '!' AND EXISTS (SELECT FROM "G:"."public.stays" AS "stays" WHERE stays.patient_id = patients.id)
-- public.patients(id ward_id phone) public.stays(patient_id)

SELECT id FROM patients UNION ALL SELECT patient_id FROM stays UNION (SELECT id FROM ehr.patients ORDER BY 1 LIMIT 1) ORDER BY id
=> SELECT id FROM "G:"."public.patients" AS "patients" UNION ALL SELECT patient_id FROM "G:"."public.stays" AS "stays" UNION (SELECT id FROM "G:"."ehr.patients" AS "patients" ORDER BY 1 LIMIT 1) ORDER BY id
-- public.patients(id) public.stays(patient_id) ehr.patients(id)

VALUES (1, lower('a')), ($1, $2::int)
=> refused 42501 function: function "public.lower" is not available for role "nurse" in mission "care"

VALUES (1, upper('a')), ($1, $2::int)
=> VALUES (1, pg_catalog.upper('a')), ($1, $2::int)

SELECT DISTINCT ON (ward_id) ward_id, id FROM patients ORDER BY ward_id, id DESC NULLS LAST LIMIT ALL OFFSET 1
=> SELECT DISTINCT ON (ward_id) ward_id, id FROM "G:"."public.patients" AS "patients" ORDER BY ward_id, id DESC NULLS LAST LIMIT ALL OFFSET 1
-- public.patients(id ward_id)

SELECT patients FROM patients
=> SELECT patients FROM "G:"."public.patients" AS "patients"
-- public.patients(id ward_id family_name* phone diagnosis notes)

SELECT row_to_json(p), (p).id, (p).* FROM patients p
=> SELECT pg_catalog.row_to_json(p), (p).id, (p).* FROM "G:"."public.patients" p
-- public.patients(id ward_id family_name* phone diagnosis notes)

SELECT CASE ward_id WHEN 1 THEN 'a' ELSE coalesce(phone, nullif('b', '')) END, greatest(1, 2), phone IS NULL, (ward_id > 1) IS TRUE, ROW(1, 2) FROM patients
=> SELECT CASE ward_id WHEN 1 THEN 'a' ELSE coalesce(phone, nullif('b', '')) END, greatest(1, 2), phone IS NULL, (ward_id > 1) IS TRUE, ROW(1, 2) FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id phone)

SELECT xmlelement(name a, xmlattributes(id as b), phone), xmlforest(id), xmlserialize(content '<a/>'::xml as text), xmlparse(document '<a/>') FROM patients
=> SELECT xmlelement(name a, xmlattributes(id as b), phone), xmlforest(id), xmlserialize(content '<a/>':: pg_catalog.xml as pg_catalog.text), xmlparse(document '<a/>') FROM "G:"."public.patients" AS "patients"
-- public.patients(id phone)

SELECT x.* FROM XMLTABLE('/a' PASSING ('<a/>'::xml) COLUMNS b int PATH 'b', n FOR ORDINALITY) x
=> SELECT x.* FROM XMLTABLE('/a' PASSING ('<a/>':: pg_catalog.xml) COLUMNS b int PATH 'b', n FOR ORDINALITY) x

SELECT ('{"a":1}'::jsonb)['a'], (ARRAY[1,2])[1:2], jsonb_path_query('{}', '$.a')
=> SELECT ('{"a":1}':: pg_catalog.jsonb)['a'], (ARRAY[1,2])[1:2], pg_catalog.jsonb_path_query('{}', '$.a')

SELECT j.id FROM (patients JOIN stays USING (id)) AS j
=> SELECT j.id FROM ("G:"."public.patients" AS "patients" JOIN "G:"."public.stays" AS "stays" USING (id)) AS j
-- public.patients(id ward_id family_name* phone diagnosis notes) public.stays(id patient_id admitted_at reason)

SELECT u.id, stays.reason FROM patients JOIN stays USING (id) AS u
=> SELECT u.id, stays.reason FROM "G:"."public.patients" AS "patients" JOIN "G:"."public.stays" AS "stays" USING (id) AS u
-- public.patients(id) public.stays(id reason)

SELECT * FROM patients NATURAL JOIN stays
=> SELECT * FROM "G:"."public.patients" AS "patients" NATURAL JOIN "G:"."public.stays" AS "stays"
-- public.patients(id ward_id family_name* phone diagnosis notes) public.stays(id patient_id admitted_at reason)

SELECT relname FROM pg_class
=> SELECT relname FROM "C:"."pg_catalog.pg_class" AS "pg_class"
-- pg_catalog.pg_class(relname)

SELECT c.relname, pg_class.oid FROM pg_catalog.pg_class c, pg_class
=> SELECT c.relname, pg_class.oid FROM "C:"."pg_catalog.pg_class" c, "C:"."pg_catalog.pg_class" AS "pg_class"
-- pg_catalog.pg_class(oid relname)

SELECT amname FROM pg_am
=> SELECT amname FROM "pg_catalog"."pg_am" AS "pg_am"
-- pg_catalog.pg_am(amname)

SELECT pg_am.amname, a.oid FROM pg_catalog.pg_am, pg_am a
=> SELECT pg_am.amname, a.oid FROM "pg_catalog"."pg_am" AS "pg_am", "pg_catalog"."pg_am" a
-- pg_catalog.pg_am(oid amname)

SELECT table_name FROM information_schema.tables
=> SELECT table_name FROM "C:"."information_schema.tables" AS "tables"
-- information_schema.tables(table_name)

SELECT patient_id FROM patient_stays
=> SELECT patient_id FROM "G:"."public.patient_stays" AS "patient_stays"
-- public.patient_stays(patient_id)

SELECT -lower('a'), ward_id-upper('b')::int FROM patients
=> refused 42501 function: function "public.lower" is not available for role "nurse" in mission "care"

SELECT "max"(id), "pg_catalog"."max"(id) FROM patients
=> SELECT pg_catalog."max"(id), "pg_catalog"."max"(id) FROM "G:"."public.patients" AS "patients"
-- public.patients(id)

SELECT id OPERATOR(pg_catalog.=) 1, box '(1,1),(0,0)' OPERATOR(pg_catalog.<->) box '(1,1),(0,0)' FROM patients
=> SELECT id OPERATOR(pg_catalog.=) 1, pg_catalog.box '(1,1),(0,0)' OPERATOR(pg_catalog.<->) pg_catalog.box '(1,1),(0,0)' FROM "G:"."public.patients" AS "patients"
-- public.patients(id)

WITH t(a) AS MATERIALIZED (SELECT id FROM patients) SEARCH DEPTH FIRST BY a SET o SELECT a FROM t
=> WITH t(a) AS MATERIALIZED (SELECT id FROM "G:"."public.patients" AS "patients") SEARCH DEPTH FIRST BY a SET o SELECT a FROM t
-- public.patients(id)

WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t WHERE a < 5) SEARCH DEPTH FIRST BY a SET o CYCLE a SET c USING p SELECT a, o FROM t
=> WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t WHERE a < 5) SEARCH DEPTH FIRST BY a SET o CYCLE a SET c USING p SELECT a, o FROM t

SELECT s.x FROM (SELECT id AS x FROM patients) s WHERE s.x > 0
=> SELECT s.x FROM (SELECT id AS x FROM "G:"."public.patients" AS "patients") s WHERE s.x > 0
-- public.patients(id)

SELECT (SELECT p.phone) FROM patients p
=> SELECT (SELECT p.phone) FROM "G:"."public.patients" p
-- public.patients(phone)

SELECT e'\'', $$ from secrets $$, 'a' FROM patients -- from secrets
=> SELECT e'\'', $$ from secrets $$, 'a' FROM "G:"."public.patients" AS "patients" -- from secrets
-- public.patients()

SELECT id FROM patients; SELECT id FROM stays;
=> SELECT id FROM "G:"."public.patients" AS "patients"; SELECT id FROM "G:"."public.stays" AS "stays";
-- public.patients(id) public.stays(id)

;;
=> ;;

# nurse care path=ehr,public
SELECT id, ward_id FROM patients
=> SELECT id, ward_id FROM "G:"."ehr.patients" AS "patients"
-- ehr.patients(id ward_id)

SELECT public.patients.id FROM patients
=> refused 42P01 column: missing FROM-clause entry for table "patients"

SELECT ehr.patients.id FROM patients
=> SELECT "patients".id FROM "G:"."ehr.patients" AS "patients"
-- ehr.patients(id)

# nurse billing patient
SELECT ward_id FROM patients
=> SELECT ward_id FROM "G:"."public.patients" AS "patients"
-- public.patients(ward_id)

# nurse care path=pg_catalog
SELECT id FROM patients
=> refused 42P01 relation: relation "patients" does not exist

# nurse care path=public,pg_catalog
SELECT id FROM pg_class
=> refused 42501 relation: relation "public.pg_class" is not open for role "nurse" in mission "care"

# dba maintenance
SELECT * FROM secrets, pg_authid WHERE lower(value) = 'x'
=> SELECT * FROM secrets, pg_authid WHERE lower(value) = 'x'
-- public.secrets() pg_catalog.pg_authid()

CREATE TABLE t (id int); INSERT INTO t VALUES (1)
=> CREATE TABLE t (id int); INSERT INTO t VALUES (1)
-- .t() .t()

ALTER ROLE x PASSWORD 'y'
=> ALTER ROLE x PASSWORD 'y'

SET search_path = pg_temp, foo
=> SET search_path = pg_temp, foo

SET pgvigil.mission = 'maintenance'
=> SET pgvigil.mission = 'maintenance'

WITH x AS (DELETE FROM secrets RETURNING id) SELECT * FROM x
=> WITH x AS (DELETE FROM secrets RETURNING id) SELECT * FROM x
-- public.secrets()

SELECT FROM
=> refused 42601 syntax: syntax error at end of input

# nurse care
SELECT 'patients'::regclass, oid::regclass FROM pg_class
=> SELECT "C:"."regclass_in"('patients' ) AS "regclass" , "C:"."regclass_out"(oid )  AS "oid" FROM "C:"."pg_catalog.pg_class" AS "pg_class"
-- pg_catalog.pg_class(oid)

SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c
=> SELECT "C:"."regclass_out"(c.oid )  AS "oid" FROM "C:"."pg_catalog.pg_class" c
-- pg_catalog.pg_class(oid)

SELECT c.oid::pg_catalog.regclass::pg_catalog.text, ((c.oid))::regclass AS x, -(1)::regclass FROM pg_catalog.pg_class c WHERE c.oid = 'pg_class'::regclass::oid
=> SELECT "C:"."regclass_out"(c.oid )::pg_catalog.text AS "oid" , "C:"."regclass_out"(((c.oid)) ) AS x, - "C:"."regclass_out"((1) ) FROM "C:"."pg_catalog.pg_class" c WHERE c.oid = "C:"."regclass_in"('pg_class' ):: pg_catalog.oid
-- pg_catalog.pg_class(oid)

SELECT CAST('x' AS pg_catalog.regrole), CAST(c.oid AS regclass) FROM pg_class c
=> SELECT "C:"."regrole_in"('x' ) AS "regrole" , "C:"."regclass_out"(c.oid )  AS "oid" FROM "C:"."pg_catalog.pg_class" c
-- pg_catalog.pg_class(oid)

SELECT $1::regclass, (quote_ident('a') || '.b')::regclass, (SELECT 1)::regtype, pg_class.oid::regproc::text FROM pg_class
=> SELECT "C:"."regclass_in"($1 ) AS "regclass" , "C:"."regclass_in"((pg_catalog.quote_ident('a') || '.b') ) AS "regclass" , "C:"."regtype_out"((SELECT 1) ) AS "regtype" , "C:"."regproc_out"(pg_class.oid ):: pg_catalog.text  AS "oid" FROM "C:"."pg_catalog.pg_class" AS "pg_class"
-- pg_catalog.pg_class(oid)

SELECT relname FROM pg_class WHERE oid = 'public.patients'::regclass -- comment
=> SELECT relname FROM "C:"."pg_catalog.pg_class" AS "pg_class" WHERE oid = "C:"."regclass_in"('public.patients' ) -- comment
-- pg_catalog.pg_class(oid relname)

SELECT 'x'::regclass -- comment
=> SELECT "C:"."regclass_in"('x' ) -- comment 
 AS "regclass"

SELECT to_tsvector('english'::regconfig, 'a'), 'x'::regtype::oid
=> SELECT pg_catalog.to_tsvector('english':: pg_catalog.regconfig, 'a'), "C:"."regtype_in"('x' ):: pg_catalog.oid 
 AS "oid"

SELECT * FROM unnest(ARRAY[1,2], ARRAY['a']) AS u (n, t), unnest(ARRAY[1]) v
=> SELECT * FROM unnest(ARRAY[1,2], ARRAY['a']) AS u (n, t), pg_catalog.unnest(ARRAY[1]) v

SELECT a.tableoid, a.tableoid AS x FROM pg_am a, pg_class c WHERE c.tableoid = pg_catalog.pg_am.tableoid
=> refused 42P01 column: missing FROM-clause entry for table "pg_am"

SELECT c.tableoid, a.amname FROM pg_am a, pg_class c WHERE c.tableoid = a.tableoid
=> SELECT '1259'::pg_catalog.oid AS "tableoid" , a.amname FROM "pg_catalog"."pg_am" a, "C:"."pg_catalog.pg_class" c WHERE '1259'::pg_catalog.oid = '2601'::pg_catalog.oid
-- pg_catalog.pg_am(amname) pg_catalog.pg_class()

SELECT oid FROM pg_class WHERE oid::regclass = 'pg_class'::regclass AND oid::regclass <> CAST(oid AS regclass) AND oid::regclass = 'x'
=> SELECT oid FROM "C:"."pg_catalog.pg_class" AS "pg_class" WHERE oid:: pg_catalog.oid = "C:"."regclass_in"('pg_class' ) AND oid:: pg_catalog.oid <> CAST(oid AS pg_catalog.oid) AND "C:"."regclass_out"(oid ) = 'x'
-- pg_catalog.pg_class(oid)

SELECT information_schema._pg_expandarray('{1}'), CAST(pg_get_serial_sequence('a', 'b') AS REGCLASS)
=> SELECT information_schema._pg_expandarray('{1}'), "C:"."regclass_in"("C:"."pg_get_serial_sequence"('a', 'b') ) 
 AS "pg_get_serial_sequence"

SELECT family_name || 'x' FROM patients
=> SELECT family_name || 'x' FROM "G:"."public.patients" AS "patients"
-- public.patients(family_name*)

SELECT family_name OPERATOR(pg_catalog.||) 'x', public.nir 'y' FROM patients
=> SELECT family_name OPERATOR(pg_catalog.||) 'x', public.nir 'y' FROM "G:"."public.patients" AS "patients"
-- public.patients(family_name*)
