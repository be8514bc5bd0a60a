-- The DBA's whole preparation for pgvigil, in the records database, as a superuser or the tables' owner with CREATEROLE.
-- Takes two psql variables: login_password and dba_password.

\set ON_ERROR_STOP on

-- Owns the guard views, and has the rights that the policy's widest rule needs: nothing logs in as it.
CREATE ROLE pgvigil_owner NOLOGIN;
GRANT USAGE ON SCHEMA public, app TO pgvigil_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgvigil_owner;
REVOKE SELECT ON public.staff_salaries FROM pgvigil_owner;
GRANT UPDATE (phone, email, address, postcode, city) ON public.patients TO pgvigil_owner;
GRANT UPDATE (starts_at, minutes, status) ON public.appointments TO pgvigil_owner;
GRANT INSERT ON public.observations, public.prescriptions TO pgvigil_owner;
-- A partition that is named itself is asked for its own rights.
GRANT INSERT ON public.observations_2022, public.observations_2023, public.observations_2024, public.observations_2025,
    public.observations_other TO pgvigil_owner;
GRANT UPDATE (dose, route, ends_on) ON public.prescriptions TO pgvigil_owner;

-- What pgvigil logs in as. It has no rights at all; `pgvigil deploy` gives it the roles of the pairs.
CREATE ROLE pgvigil LOGIN NOINHERIT PASSWORD :'login_password';

-- For unrestricted roles (it-admin) only: leave it out, and out of pgvigil.cfg, where there are none.
CREATE ROLE pgvigil_dba LOGIN PASSWORD :'dba_password';
GRANT clinic TO pgvigil_dba;
-- So that DDL sent through pgvigil can take guards away and make them again.
GRANT pgvigil_owner TO pgvigil_dba;
