SELECT
    "joined"."pid" AS "pid",
    "joined"."name" AS "name",
    "joined"."stay" AS "stay",
    "joined"."pgvigil subjects" AS "pgvigil subjects"
FROM (
 SELECT ARRAY["p"."pgvigil subject", "s"."pgvigil subject"]::pg_catalog.text AS "pgvigil subjects", p.id AS pid,
    NULL::text,
    upper(p.name) AS name,
    s.id AS stay
   FROM ("pgvigil:nurse/care@xxxxxxxx"."public.patients!subject" p
     JOIN "pgvigil:nurse/care@xxxxxxxx"."public.stays!subject" s ON ((s.patient_id = p.id)))
  WHERE (p.name <> ''::text)
) AS "joined"("pgvigil subjects", "pid", "nir", "name", "stay")
