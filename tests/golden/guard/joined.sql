SELECT
    "joined"."pid" AS "pid",
    "joined"."name" AS "name",
    "joined"."stay" AS "stay"
FROM (
 SELECT p.id AS pid,
    NULL::text,
    upper(p.name) AS name,
    s.id AS stay
   FROM ("pgvigil:nurse/care@xxxxxxxx"."public.patients" p
     JOIN "pgvigil:nurse/care@xxxxxxxx"."public.stays" s ON ((s.patient_id = p.id)))
  WHERE (p.name <> ''::text)
) AS "joined"("pid", "nir", "name", "stay")
