SELECT
    "in_exists"."id" AS "id"
FROM (
 SELECT p.id FROM "pgvigil:nurse/care@xxxxxxxx"."public.patients" p WHERE (EXISTS ( SELECT 1 FROM "pgvigil:nurse/care@xxxxxxxx"."public.stays" s WHERE (s.patient_id = p.id)))
) AS "in_exists"("id")
