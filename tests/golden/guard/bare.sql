SELECT
    "bare"."id" AS "id"
FROM (
 SELECT patients.id,
    (NULL::text || 'x'::text) AS n
   FROM "pgvigil:nurse/care@xxxxxxxx"."public.patients" AS "patients"
  ORDER BY patients.id
) AS "bare"("id", "n")
