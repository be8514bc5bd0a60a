SELECT
    "obs"."id" AS "id",
    "obs"."patient_id" AS "patient_id"
FROM "public"."obs_other" AS "obs"
WHERE (
obs.patient_id > 0 AND  ((SELECT pg_catalog.current_setting('pgvigil.u_name')::text)::text)  <>  ((SELECT pg_catalog.current_setting('pgvigil.address')::inet)::inet) ::text
)
