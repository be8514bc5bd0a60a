SELECT
    "part"."id" AS "id",
    "part"."pgvigil subject" AS "pgvigil subject"
FROM (
 SELECT NULL::pg_catalog.text AS "pgvigil subject", o.id FROM "pgvigil:nurse/care@xxxxxxxx"."public.obs_2024" o
) AS "part"("pgvigil subject", "id")
