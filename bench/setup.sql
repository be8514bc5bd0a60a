-- The benchmark's database, after the clinic and `pgbench -i`: a table to stream, pgvigil's rights, and a login that goes past
-- pgvigil with the rights that nurses have through it. :secret is bench1's SCRAM secret, the policy's own; :samples the table's rows.
\set ON_ERROR_STOP on
CREATE TABLE public.samples (id bigint NOT NULL, ward_id int NOT NULL, label text NOT NULL, taken_at timestamptz NOT NULL, value numeric(10, 2));
INSERT INTO public.samples
    SELECT n, 1 + n % 12, 'sample ' || n % 1000 || ' of the day', '2026-01-01 08:00+01'::timestamptz + n * interval '1 second', n % 5000 + n % 100 / 100.0
    FROM generate_series(1, :samples) AS n;
GRANT SELECT, INSERT, UPDATE ON public.samples, public.pgbench_accounts, public.pgbench_branches, public.pgbench_tellers, public.pgbench_history
    TO pgvigil_owner;
GRANT SELECT, UPDATE ON public.pgbench_accounts TO pgvigil_dba;
CREATE ROLE bench1 LOGIN PASSWORD :'secret';
GRANT SELECT (id, ward_id, family_name, given_name, birth_date) ON public.patients TO bench1;
GRANT SELECT, INSERT, UPDATE ON public.samples, public.pgbench_accounts, public.pgbench_branches, public.pgbench_tellers, public.pgbench_history
    TO bench1;
VACUUM ANALYZE;
CHECKPOINT;
