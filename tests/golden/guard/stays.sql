SELECT
    ((('x' || pg_catalog.left(pg_catalog.encode(pg_catalog.sha256((SELECT pg_catalog.decode(CASE WHEN pg_catalog.length(k) = 256 THEN pg_catalog.substr(k, 129, 128) ELSE '!' END, 'hex') FROM (SELECT pg_catalog.current_setting('pgvigil.key_care') AS k) AS k) || pg_catalog.sha256((SELECT pg_catalog.decode(CASE WHEN pg_catalog.length(k) = 256 THEN pg_catalog.substr(k, 1, 128) ELSE '!' END, 'hex') FROM (SELECT pg_catalog.current_setting('pgvigil.key_care') AS k) AS k) || pg_catalog.int8send("stays"."id"))), 'hex'), 16))::bit(64)::bigint) & 9223372036854775807) AS "id",
    "stays"."patient_id" AS "patient_id",
    NULL::integer AS "ward"
FROM "public"."stays"
WHERE (
stays.ward = ANY( ((SELECT pg_catalog.current_setting('pgvigil.u_wards')::int[])::int[]) )
)
