# nurse writing
SELECT nextval('patients_id_seq')
=> SELECT pg_catalog.nextval('"public"."patients_id_seq"')
-- public.patients_id_seq()

SELECT nextval('public.patients_id_seq')
=> SELECT pg_catalog.nextval('"public"."patients_id_seq"')
-- public.patients_id_seq()

SELECT currval( 'PATIENTS_ID_SEQ' ), 1
=> SELECT pg_catalog.currval( '"public"."patients_id_seq"'), 1
-- public.patients_id_seq()

SELECT nextval('patients_id_seq'::regclass) AS n
=> SELECT pg_catalog.nextval('"public"."patients_id_seq"') AS n
-- public.patients_id_seq()

SELECT pg_catalog.nextval(CAST('public . "patients_id_seq"' AS pg_catalog.regclass) /* c */)
=> SELECT pg_catalog.nextval('"public"."patients_id_seq"')
-- public.patients_id_seq()

SELECT nextval('patients_id_seq'::text::regclass)
=> SELECT pg_catalog.nextval('"public"."patients_id_seq"')
-- public.patients_id_seq()

SELECT nextval(E'patients\x5fid_seq')
=> SELECT pg_catalog.nextval('"public"."patients_id_seq"')
-- public.patients_id_seq()

SELECT nextval('clinic.public.patients_id_seq')
=> SELECT pg_catalog.nextval('"public"."patients_id_seq"')
-- public.patients_id_seq()

SELECT nextval('other.public.patients_id_seq')
=> refused 42P01 sequence: relation "public.patients_id_seq" does not exist

SELECT currval(pg_get_serial_sequence('patients', 'id'))
=> SELECT pg_catalog.currval('"public"."patients_id_seq"')
-- public.patients_id_seq()

SELECT currval(pg_get_serial_sequence('public.patients', 'nir'))
=> refused 42501 sequence: this form of function "currval" is not available for role "nurse" in mission "writing"

SELECT currval(pg_get_serial_sequence('secrets', 'id'))
=> refused 42P01 sequence: relation "secrets" does not exist

SELECT currval(pg_get_serial_sequence($1, 'id'))
=> refused 42501 sequence: this form of function "currval" is not available for role "nurse" in mission "writing"

SELECT nextval('tickets')
=> SELECT pg_catalog.nextval('"public"."tickets"')
-- public.tickets()

SELECT nextval('"Odd Seq"')
=> SELECT pg_catalog.nextval('"public"."Odd Seq"')
-- public.Odd Seq()

SELECT nextval('odd seq')
=> refused 42602 sequence: invalid name syntax

SELECT nextval('ehr.tickets')
=> refused 42P01 sequence: relation "ehr.tickets" does not exist

SELECT nextval('lost')
=> refused 42P01 sequence: relation "lost" does not exist

SELECT nextval('nosuch')
=> refused 42P01 sequence: relation "nosuch" does not exist

SELECT nextval('nosuch.tickets')
=> refused 42P01 sequence: relation "nosuch.tickets" does not exist

SELECT nextval('patients_nir_seq')
=> refused 42P01 sequence: relation "patients_nir_seq" does not exist

SELECT nextval('patients_name_seq')
=> refused 42501 sequence: sequence "public.patients_name_seq" may not be drawn from for role "nurse" in mission "writing"

SELECT nextval('secrets_id_seq')
=> refused 42P01 sequence: relation "secrets_id_seq" does not exist

SELECT nextval('patients')
=> refused 42809 sequence: "patients" is not a sequence

SELECT nextval('secrets')
=> refused 42P01 sequence: relation "secrets" does not exist

SELECT nextval('pg_class')
=> refused 42809 sequence: "pg_class" is not a sequence

SELECT nextval('12345')
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval(12345)
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval(12345::regclass)
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval('-')
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval('')
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval('a..b')
=> refused 42602 sequence: invalid name syntax

SELECT nextval('"unclosed')
=> refused 42602 sequence: invalid name syntax

SELECT nextval($1)
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval('patients_' || 'id_seq')
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval(phone::regclass) FROM patients
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval(NULL)
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval()
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval('tickets', 1)
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval(regclass => 'tickets')
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval(VARIADIC 'tickets')
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT nextval('tickets') OVER ()
=> refused 42501 sequence: this form of function "nextval" is not available for role "nurse" in mission "writing"

SELECT setval('tickets', 5)
=> refused 42501 function: function "setval" is not available for role "nurse" in mission "writing"

SELECT lastval()
=> SELECT "C:"."lastval"()

SELECT lastval(1)
=> refused 42501 sequence: this form of function "lastval" is not available for role "nurse" in mission "writing"

SELECT ('tickets').nextval
=> refused 42501 function: "nextval" could be a call of the function of that name, which is not available for role "nurse" in mission "writing"

SELECT 'tickets'::text::public.nextval
=> refused 42501 type: type "nextval" is not available for role "nurse" in mission "writing"

SELECT last_value FROM tickets
=> refused 42501 sequence: sequence "tickets" cannot be read for role "nurse" in mission "writing"

SELECT last_value FROM lost
=> refused 42P01 relation: relation "lost" does not exist

SELECT * FROM patients_id_seq
=> refused 42501 sequence: sequence "patients_id_seq" cannot be read for role "nurse" in mission "writing"

SELECT * FROM nextval('tickets') AS n(x)
=> SELECT * FROM pg_catalog.nextval('"public"."tickets"') AS n(x)
-- public.tickets()

SELECT id FROM patients WHERE id = nextval('tickets')
=> SELECT id FROM "G:"."public.patients" AS "patients" WHERE id = pg_catalog.nextval('"public"."tickets"')
-- public.patients(id) public.tickets()

SELECT nextval('"pgvigil:catalog@00000000".x')
=> refused 42P01 sequence: relation "pgvigil:catalog@00000000.x" does not exist

INSERT INTO patients (id, phone) VALUES (nextval('patients_id_seq'), currval('tickets')::text) RETURNING id
=> INSERT INTO "G:"."public.patients" AS "patients" (id, phone) VALUES (pg_catalog.nextval('"public"."patients_id_seq"'), pg_catalog.currval('"public"."tickets"'):: pg_catalog.text) RETURNING id
-- public.patients_id_seq() public.tickets() public.patients(id& phone+)

UPDATE patients SET phone = nextval('tickets')
=> UPDATE "G:"."public.patients" AS "patients" SET phone = pg_catalog.nextval('"public"."tickets"')
-- public.patients(phone+) public.tickets()

SELECT * FROM jobs WHERE ward_id = nextval('tickets') ORDER BY id FOR UPDATE
=> refused 0A000 lock: FOR UPDATE of filtered rows of relation "public.jobs" with the volatile function "nextval" in WHERE is not supported for role "nurse" in mission "writing"

SELECT nextval('tickets'); SELECT 1
=> SELECT pg_catalog.nextval('"public"."tickets"'); SELECT 1
-- public.tickets()

# nurse care
SELECT nextval('patients_id_seq')
=> refused 42501 sequence: sequence "public.patients_id_seq" may not be drawn from for role "nurse" in mission "care"

SELECT nextval('tickets'), lastval()
=> SELECT pg_catalog.nextval('"public"."tickets"'), "C:"."lastval"()
-- public.tickets()

SELECT nextval('"Odd Seq"')
=> refused 42P01 sequence: relation "Odd Seq" does not exist

# nurse care path=ehr,public
SELECT nextval('tickets')
=> SELECT pg_catalog.nextval('"public"."tickets"')
-- public.tickets()

# nurse billing
SELECT nextval('patients_id_seq')
=> refused 42P01 sequence: relation "patients_id_seq" does not exist

SELECT nextval('tickets')
=> refused 42P01 sequence: relation "tickets" does not exist
