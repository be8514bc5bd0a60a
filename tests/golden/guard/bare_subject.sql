SELECT
    "bare"."id" AS "id",
    "bare"."pgvigil subject" AS "pgvigil subject"
FROM (
 SELECT "patients"."pgvigil subject" AS "pgvigil subject", patients.id,
    (NULL::text || 'x'::text) AS n
   FROM "pgvigil:nurse/care@xxxxxxxx"."public.patients!subject" AS "patients"
  ORDER BY patients.id
) AS "bare"("pgvigil subject", "id", "n")
