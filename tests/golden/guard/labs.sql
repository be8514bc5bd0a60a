SELECT
    "labs"."id" AS "id",
    "labs"."stay_id" AS "stay_id",
    pg_catalog.left(pg_catalog.encode(pg_catalog.sha256((SELECT pg_catalog.decode(CASE WHEN pg_catalog.length(k) = 256 THEN pg_catalog.substr(k, 129, 128) ELSE '!' END, 'hex') FROM (SELECT pg_catalog.current_setting('pgvigil.key_care') AS k) AS k) || pg_catalog.sha256((SELECT pg_catalog.decode(CASE WHEN pg_catalog.length(k) = 256 THEN pg_catalog.substr(k, 1, 128) ELSE '!' END, 'hex') FROM (SELECT pg_catalog.current_setting('pgvigil.key_care') AS k) AS k) || pg_catalog.convert_to("labs"."value"::text, 'UTF8'))), 'hex'), 32)::text AS "value"
FROM "public"."labs"
WHERE (
EXISTS (SELECT 1 FROM public.stays t WHERE t.patient_id =  ((SELECT s.patient_id FROM public.stays s WHERE s.id = "labs".stay_id)
)  AND t.ward = ANY( ((SELECT pg_catalog.current_setting('pgvigil.u_wards')::int[])::int[]) ))
)
