SELECT
    "nested"."pid" AS "pid",
    "nested"."id" AS "id",
    "nested"."pgvigil subjects" AS "pgvigil subjects"
FROM (
 SELECT pg_catalog.concat("j"."pgvigil subjects", ARRAY["s"."pgvigil subject", "p"."pgvigil subject"]::pg_catalog.text) AS "pgvigil subjects", j.pid, s.id, NULL::text FROM (("pgvigil:nurse/care@xxxxxxxx"."public.joined!subject" j JOIN "pgvigil:nurse/care@xxxxxxxx"."public.stays!subject" s ON ((s.id = j.stay))) LEFT JOIN "pgvigil:nurse/care@xxxxxxxx"."public.patients!subject" p ON ((p.id = j.pid))) LIMIT 5
) AS "nested"("pgvigil subjects", "pid", "id", "nir")
