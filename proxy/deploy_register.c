/*
 * deploy_register.c: the schema in which pgvigil keeps who has which right, for databases that have
 * no table for it.
 *
 * `entries` is what happened, a signed chain (tools/register.h); `active` what holds now, which the
 * guards read; `requests` what patients have asked for, with its clock. Guards' owner may read
 * `active`, nobody else anything.
 *
 * It is data, not a guard: --remove leaves it and says so.
 */
#include "proxy/deploy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char is_there[] =
    "SELECT COALESCE(pg_catalog.has_schema_privilege(o.oid, n.oid, 'USAGE')\n"
    "    AND pg_catalog.has_table_privilege(o.oid, c.oid, 'SELECT'), false)\n"
    "FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND "
    "c.relname = 'active'\n"
    "CROSS JOIN pg_catalog.pg_roles o WHERE n.nspname = '" POLICY_REGISTER_SCHEMA
    "' AND o.rolname = $1";

/* One that somebody has made beforehand would be somebody's to change. */
static const char foreign_sql[] =
    "SELECT pg_catalog.quote_ident(o.rolname) FROM (SELECT n.nspowner AS owner FROM "
    "pg_catalog.pg_namespace n WHERE n.nspname = '" POLICY_REGISTER_SCHEMA "'\n"
    "    UNION SELECT c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
    "n.oid "
    "= c.relnamespace WHERE n.nspname = '" POLICY_REGISTER_SCHEMA "') w\n"
    "JOIN pg_catalog.pg_roles o ON o.oid = w.owner WHERE o.rolname <> current_user AND NOT "
    "o.rolsuper";

static const char *const made[] = {
    "CREATE SCHEMA IF NOT EXISTS " POLICY_REGISTER_SCHEMA,
    "REVOKE ALL ON SCHEMA " POLICY_REGISTER_SCHEMA " FROM PUBLIC",
    "CREATE TABLE IF NOT EXISTS " POLICY_REGISTER_SCHEMA
    ".entries (seq bigint PRIMARY KEY, body text NOT NULL, signature text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS " POLICY_REGISTER_SCHEMA
    ".active (name text NOT NULL, subject text NOT NULL, seq bigint NOT NULL "
    "REFERENCES " POLICY_REGISTER_SCHEMA ".entries, PRIMARY KEY (name, subject))",
    "CREATE TABLE IF NOT EXISTS " POLICY_REGISTER_SCHEMA
    ".requests (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, subject text NOT NULL, kind "
    "text NOT NULL, received date NOT NULL, due date NOT NULL, extended text, closed date, outcome "
    "text, opened_by text NOT NULL, closed_by text)",
    "REVOKE ALL ON ALL TABLES IN SCHEMA " POLICY_REGISTER_SCHEMA " FROM PUBLIC",
    "COMMENT ON SCHEMA " POLICY_REGISTER_SCHEMA
    " IS 'Objections, restrictions and requests of patients, kept by pgvigil'",
};

static bool is_wanted(const struct policy *policy)
{
    for (size_t i = 0; i < policy->right_count; i++)
        if (policy->rights[i].registered)
            return true;
    return false;
}

enum status deploy_time_zone(struct deploy *deploy)
{
    const struct policy_retention *retention = deploy->policy->retention;
    PGresult *result = NULL;
    if (retention == NULL)
        return OK;
    const char *values[] = {retention->time_zone};
    enum status status = deploy_query(
        deploy, "SELECT FROM pg_catalog.pg_timezone_names WHERE name = $1", 1, values, &result);
    if (status == OK && PQntuples(result) == 0) {
        (void)fprintf(stderr, "error: %s:%u: retention: PostgreSQL knows no time zone \"%s\"\n",
                      retention->place.file, retention->place.line, retention->time_zone);
        status = ERR_INVALID;
    }
    PQclear(result);
    return status;
}

enum status deploy_register(struct deploy *deploy)
{
    PGresult *result = NULL;
    const char *about = "the register of rights";
    const char *values[] = {deploy->owner};
    if (!is_wanted(deploy->policy))
        return OK;
    enum status status = deploy_query(deploy, foreign_sql, 0, NULL, &result);
    if (status != OK)
        return status;
    if (PQntuples(result) > 0) {
        (void)fprintf(stderr,
                      "error: schema " POLICY_REGISTER_SCHEMA
                      " or a table in it belongs to %s, who could change rights there: give it to "
                      "the role that deploys\n",
                      PQgetvalue(result, 0, 0));
        PQclear(result);
        return ERR_INVALID;
    }
    PQclear(result);
    status = deploy_query(deploy, is_there, 1, values, &result);
    if (status != OK)
        return status;
    bool there = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]) && status == OK && !there; i++)
        status = deploy_run(deploy, made[i], about);
    const char *owner = deploy_quoted(deploy, deploy->owner);
    const char *grant =
        arena_printf(deploy->arena,
                     "GRANT USAGE ON SCHEMA " POLICY_REGISTER_SCHEMA
                     " TO %s; GRANT SELECT ON " POLICY_REGISTER_SCHEMA ".active TO %s",
                     owner, owner);
    if (status == OK && !there)
        status = grant == NULL ? ERR_MEMORY : deploy_run(deploy, grant, about);
    return status;
}
