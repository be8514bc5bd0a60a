SELECT
    "patients"."id" AS "id",
    "patients"."ward" AS "ward",
    (
left( "patients"."name" , 1) || '.'
)::text AS "name",
    (
make_date(extract(year from  "patients"."born" )::int, 1, 1)
)::date AS "born",
    pg_catalog.left(pg_catalog.encode(pg_catalog.sha256((SELECT pg_catalog.decode(CASE WHEN pg_catalog.length(k) = 256 THEN pg_catalog.substr(k, 129, 128) ELSE '!' END, 'hex') FROM (SELECT pg_catalog.current_setting('pgvigil.key_care') AS k) AS k) || pg_catalog.sha256((SELECT pg_catalog.decode(CASE WHEN pg_catalog.length(k) = 256 THEN pg_catalog.substr(k, 1, 128) ELSE '!' END, 'hex') FROM (SELECT pg_catalog.current_setting('pgvigil.key_care') AS k) AS k) || pg_catalog.uuid_send("patients"."token"))), 'hex'), 32)::uuid AS "token"
FROM "public"."patients"
WHERE (
EXISTS (SELECT 1 FROM public.stays t WHERE t.patient_id =  ("patients".id
)  AND t.ward = ANY( ((SELECT pg_catalog.current_setting('pgvigil.u_wards')::int[])::int[]) ))
)
