/*
 * check_rights.c: holes in the second wall.
 *
 * The guards hold only while nobody gets round them: what PUBLIC or pgvigil's login may do on the
 * tables themselves, memberships of the login, functions that run with their owner's rights, and,
 * for the admin to know, other logins that read the tables without pgvigil.
 */
#include "tools/check_database.h"

#include <stdlib.h>
#include <string.h>

static void check_login(struct check *check)
{
    PGresult *result =
        check_query(check,
                    "SELECT rolsuper, rolbypassrls, rolcreaterole, rolinherit, rolreplication\n"
                    "FROM pg_catalog.pg_roles WHERE rolname = $1",
                    1, &check->login);
    if (result == NULL) {
        return;
    }
    if (PQntuples(result) == 0) {
        check_say(check, CHECK_ERROR, NULL, "the login %s does not exist", check->login);
        PQclear(result);
        return;
    }
    static const struct {
        const char *word;
        enum check_level level;
    } flags[] = {{"SUPERUSER", CHECK_ERROR},
                 {"BYPASSRLS", CHECK_ERROR},
                 {"CREATEROLE", CHECK_ERROR},
                 {"INHERIT", CHECK_WARNING},
                 {"REPLICATION", CHECK_ERROR}};
    for (int i = 0; i < 5; i++) {
        if (PQgetvalue(result, 0, i)[0] == 't') {
            check_say(check, flags[i].level, NULL, "the login %s is %s: ALTER ROLE \"%s\" NO%s",
                      check->login, flags[i].word, check->login, flags[i].word);
        }
    }
    PQclear(result);
}

/* Any role but the pairs': SET ROLE reaches it even from a NOINHERIT login. */
static void check_memberships(struct check *check)
{
    PGresult *result =
        check_query(check,
                    "WITH RECURSIVE up(oid) AS (\n"
                    "    SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN "
                    "pg_catalog.pg_roles l ON l.oid = m.member\n"
                    "    WHERE l.rolname = $1\n"
                    "    UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN up ON up.oid "
                    "= m.member)\n"
                    "SELECT r.rolname FROM up JOIN pg_catalog.pg_roles r ON r.oid = up.oid\n"
                    "WHERE NOT (r.rolname LIKE 'pgvigil:%' AND pg_catalog.starts_with(\n"
                    "    pg_catalog.shobj_description(r.oid, 'pg_authid'), 'pgvigil ')) ORDER BY 1",
                    1, &check->login);
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        check_say(
            check, CHECK_ERROR, NULL,
            "the login %s is a member of %s, which it can SET ROLE to: REVOKE \"%s\" FROM \"%s\"",
            check->login, PQgetvalue(result, row, 0), PQgetvalue(result, row, 0), check->login);
    }
    PQclear(result);
}

static const char direct_sql[] =
    "SELECT c.oid, g.who FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
    "c.relnamespace\n"
    "CROSS JOIN (VALUES ('public'), ($1)) g(who)\n"
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> "
    "'information_schema'\n"
    "AND n.nspname NOT LIKE 'pgvigil:%'\n"
    "AND (pg_catalog.has_any_column_privilege(g.who, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')\n"
    "    OR pg_catalog.has_table_privilege(g.who, c.oid, 'DELETE, TRUNCATE, TRIGGER')) ORDER BY "
    "n.nspname, c.relname, 2 DESC";

/* What PUBLIC has the login has too: said once. */
static void check_direct(struct check *check)
{
    PGresult *result = check_query(check, direct_sql, 1, &check->login);
    uint32_t public_oid = 0;
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        uint32_t oid = (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10);
        const char *who = PQgetvalue(result, row, 1);
        const struct catalog_relation *relation = catalog_find_oid(check->catalog, oid);
        bool everyone = strcmp(who, "public") == 0;
        if (relation == NULL || (!everyone && oid == public_oid)) {
            continue;
        }
        public_oid = everyone ? oid : public_oid;
        const struct policy_table *table =
            policy_table_for(check->policy, relation->schema, relation->name);
        check_say(check, check_governed(check, relation) ? CHECK_ERROR : CHECK_WARNING,
                  table == NULL ? NULL : &table->place,
                  "%s has rights of its own on %s.%s, past the guards: REVOKE ALL ON "
                  "\"%s\".\"%s\" FROM %s",
                  everyone ? "PUBLIC" : who, relation->schema, relation->name, relation->schema,
                  relation->name, everyone ? "PUBLIC" : who);
    }
    PQclear(result);
}

static void check_others(struct check *check)
{
    static const char sql[] =
        "SELECT r.rolname, r.rolsuper, c.oid FROM pg_catalog.pg_roles r CROSS JOIN "
        "pg_catalog.pg_class c\n"
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
        "WHERE r.rolcanlogin AND r.rolname <> $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')\n"
        "AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND n.nspname NOT "
        "LIKE 'pgvigil:%'\n"
        "AND pg_catalog.has_any_column_privilege(r.oid, c.oid, 'SELECT') ORDER BY 1";
    PGresult *result = check_query(check, sql, 1, &check->login);
    for (int row = 0; result != NULL && row < PQntuples(result);) {
        const char *name = PQgetvalue(result, row, 0);
        bool super = PQgetvalue(result, row, 1)[0] == 't';
        size_t governed = 0;
        for (; row < PQntuples(result) && strcmp(PQgetvalue(result, row, 0), name) == 0; row++) {
            const struct catalog_relation *relation = catalog_find_oid(
                check->catalog, (uint32_t)strtoul(PQgetvalue(result, row, 2), NULL, 10));
            governed += relation != NULL && check_governed(check, relation) ? 1 : 0;
        }
        if (governed > 0) {
            check_say(check, CHECK_INFO, NULL, "%s %s reads %zu governed tables without pgvigil",
                      super ? "the superuser" : "the login", name, governed);
        }
    }
    PQclear(result);
}

static void check_functions(struct check *check)
{
    PGresult *result = check_query(
        check,
        "SELECT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc p\n"
        "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace\n"
        "WHERE p.prosecdef AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'\n"
        "AND n.nspname NOT LIKE 'pgvigil:%' AND p.prorettype <> "
        "'pg_catalog.trigger'::pg_catalog.regtype\n"
        "AND pg_catalog.has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1::text",
        0, NULL);
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        check_say(check, CHECK_WARNING, NULL,
                  "%s is SECURITY DEFINER and PUBLIC may call it: with its owner's rights it "
                  "passes the guards; REVOKE "
                  "EXECUTE ON FUNCTION %s FROM PUBLIC",
                  PQgetvalue(result, row, 0), PQgetvalue(result, row, 0));
    }
    PQclear(result);
    result = check_query(
        check,
        "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname NOT LIKE 'pg\\_%'\n"
        "AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pgvigil:%'\n"
        "AND (pg_catalog.has_schema_privilege('public', n.oid, 'CREATE')\n"
        "    OR pg_catalog.has_schema_privilege($1, n.oid, 'CREATE')) ORDER BY 1",
        1, &check->login);
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        check_say(check, CHECK_WARNING, NULL,
                  "PUBLIC or the login may create objects in schema %s: REVOKE CREATE ON SCHEMA "
                  "\"%s\" FROM PUBLIC",
                  PQgetvalue(result, row, 0), PQgetvalue(result, row, 0));
    }
    PQclear(result);
}

/* Guards read and write with their owner's rights: what a rule gives and the owner lacks ends in
 * "permission denied" at the first statement. */
static const char owner_sql[] =
    "SELECT pg_catalog.has_any_column_privilege($1::pg_catalog.name, c.oid, 'SELECT'),\n"
    "    pg_catalog.has_any_column_privilege($1::pg_catalog.name, c.oid, 'INSERT'),\n"
    "    pg_catalog.has_any_column_privilege($1::pg_catalog.name, c.oid, 'UPDATE'),\n"
    "    pg_catalog.has_table_privilege($1::pg_catalog.name, c.oid, 'DELETE')\n"
    "FROM pg_catalog.pg_class c WHERE c.oid = $2::pg_catalog.oid AND EXISTS (\n"
    "    SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = $1)";

static void check_owner_of(struct check *check, const struct catalog_relation *relation,
                           const struct policy_rule *rule)
{
    static const char *const rights[] = {"SELECT", "INSERT", "UPDATE", "DELETE"};
    char oid[16];
    (void)snprintf(oid, sizeof oid, "%u", relation->oid);
    const char *values[] = {check->owner, oid};
    PGresult *result = check_query(check, owner_sql, 2, values);
    const bool wanted[] = {true, rule->insert_count > 0, rule->update_count > 0, rule->delete_rows};
    for (int i = 0; i < 4 && PQntuples(result) == 1; i++) {
        if (wanted[i] && PQgetvalue(result, 0, i)[0] != 't') {
            check_say(check, CHECK_ERROR, &rule->place,
                      "the owner of the guards may not %s %s.%s, which this rule needs: GRANT %s "
                      "ON \"%s\".\"%s\" TO \"%s\"",
                      rights[i], relation->schema, relation->name, rights[i], relation->schema,
                      relation->name, check->owner);
        }
    }
    PQclear(result);
}

static void check_owner(struct check *check)
{
    const struct policy *policy = check->policy;
    for (size_t k = 0; check->owner != NULL && k < check->catalog->relation_count; k++) {
        const struct catalog_relation *relation = &check->catalog->relations[k];
        const struct policy_rule *said = NULL;
        for (size_t i = 0; i < policy->role_count; i++) {
            for (size_t j = 0; j < policy->roles[i].mission_count; j++) {
                const struct policy_rule *rule =
                    policy_rule_for(policy, (int)i, (int)policy->roles[i].missions[j],
                                    relation->schema, relation->name);
                if (rule != NULL && rule != said && !policy->roles[i].unrestricted) {
                    check_owner_of(check, relation, rule);
                    said = rule;
                }
            }
        }
    }
}

/* Functions inside deployed guards run with the pair's rights, and triggers of tables that may be
 * written too. */
static void check_would_fail(struct check *check)
{
    PGresult *result = check_query(
        check,
        "SELECT DISTINCT pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I', "
        "p.oid::pg_catalog.regprocedure,\n"
        "    n.nspname) FROM pg_catalog.pg_namespace n\n"
        "JOIN pg_catalog.pg_class v ON v.relnamespace = n.oid AND v.relkind = 'v'\n"
        "JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid\n"
        "JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass\n"
        "    AND d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass\n"
        "JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid JOIN pg_catalog.pg_roles r ON r.rolname = "
        "n.nspname\n"
        "WHERE pg_catalog.obj_description(n.oid, 'pg_namespace') = 'pgvigil ' || $1\n"
        "AND NOT pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE') ORDER BY 1",
        1, (const char *const[]){check->policy->digest});
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        check_say(check, CHECK_ERROR, NULL,
                  "a guard calls a function that its role may not call: %s",
                  PQgetvalue(result, row, 0));
    }
    PQclear(result);
    result = check_query(
        check,
        "SELECT t.tgrelid, t.tgname, p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_trigger t\n"
        "JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND NOT "
        "p.prosecdef\n"
        "AND t.tgenabled <> 'D' ORDER BY 1, 2",
        0, NULL);
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        const struct catalog_relation *relation = catalog_find_oid(
            check->catalog, (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10));
        const struct policy_rule *writes = NULL;
        for (size_t i = 0; relation != NULL && i < check->policy->role_count; i++) {
            const struct policy_role *role = &check->policy->roles[i];
            for (size_t j = 0; j < role->mission_count; j++) {
                const struct policy_rule *rule =
                    policy_rule_for(check->policy, (int)i, (int)role->missions[j], relation->schema,
                                    relation->name);
                writes = rule != NULL && rule->insert_count + rule->update_count +
                                                 (rule->delete_rows || rule->truncate ? 1 : 0) >
                                             0
                             ? rule
                             : writes;
            }
        }
        if (writes != NULL) {
            check_say(check, CHECK_WARNING, &writes->place,
                      "the trigger \"%s\" of %s.%s runs %s with the rights of the pair that "
                      "writes: it fails where it "
                      "reads or writes another table",
                      PQgetvalue(result, row, 1), relation->schema, relation->name,
                      PQgetvalue(result, row, 2));
        }
    }
    PQclear(result);
}

/* DDL through pgvigil takes guards away and makes them again, as their owner. */
static void check_unrestricted(struct check *check)
{
    if (check->unrestricted == NULL) {
        return;
    }
    const char *values[] = {check->unrestricted, check->owner};
    PGresult *result = check_query(
        check,
        "SELECT pg_catalog.pg_has_role(l.oid, o.oid, 'MEMBER') FROM pg_catalog.pg_roles "
        "l, pg_catalog.pg_roles o WHERE l.rolname = $1 AND o.rolname = $2",
        2, values);
    if (result != NULL && PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] != 't') {
        check_say(check, CHECK_WARNING, NULL,
                  "the unrestricted login %s is no member of %s: its DDL on governed tables meets "
                  "the guards and fails: GRANT \"%s\" TO \"%s\"",
                  check->unrestricted, check->owner, check->owner, check->unrestricted);
    }
    PQclear(result);
}

/* With it PostgreSQL asks for no right on any large object. */
static void check_objects(struct check *check)
{
    PGresult *result =
        check_query(check, "SELECT pg_catalog.current_setting('lo_compat_privileges')", 0, NULL);
    if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "on") == 0)
        check_say(check, CHECK_WARNING, NULL,
                  "lo_compat_privileges is on: every role reads and writes every large object; "
                  "switch it off");
    PQclear(result);
}

static bool allows_temporary(const struct policy *policy)
{
    bool allows = false;
    for (size_t i = 0; i < policy->role_count; i++)
        allows = allows || policy_role_allows(policy, (int)i, ALLOW_TEMPORARY);
    return allows;
}

/* A temporary table hides tables of its name from functions that do not put pg_temp last. */
static const char hidden_from_sql[] =
    "SELECT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc p\n"
    "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace\n"
    "WHERE p.prosecdef AND p.prosqlbody IS NULL AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> "
    "'information_schema'\n"
    "AND n.nspname NOT LIKE 'pgvigil:%' AND NOT EXISTS (SELECT FROM "
    "pg_catalog.unnest(p.proconfig) c\n"
    "    WHERE c IN ('search_path=', 'search_path=\"\"') OR c ~ '^search_path=.*pg_temp\"?$') "
    "ORDER "
    "BY 1::text";

/* What roles whose `allow` has "temporary" need, and what they could make use of. */
static void check_temporary(struct check *check)
{
    if (!allows_temporary(check->policy)) {
        return;
    }
    PGresult *result = check_query(
        check,
        "SELECT pg_catalog.current_database(), pg_catalog.has_database_privilege('public',\n"
        "    pg_catalog.current_database(), 'TEMPORARY') OR COALESCE((SELECT "
        "pg_catalog.bool_and(\n"
        "        pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), "
        "'TEMPORARY'))\n"
        "    FROM pg_catalog.pg_roles r WHERE r.rolname LIKE 'pgvigil:%'\n"
        "    AND pg_catalog.shobj_description(r.oid, 'pg_authid') = 'pgvigil ' || $1), false)",
        1, (const char *const[]){check->policy->digest});
    if (result != NULL && PQntuples(result) == 1 && PQgetvalue(result, 0, 1)[0] != 't') {
        check_say(check, CHECK_WARNING, NULL,
                  "roles whose \"allow\" has \"temporary\" may not make temporary tables in this "
                  "database: GRANT TEMPORARY ON DATABASE \"%s\" TO PUBLIC",
                  PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    result = check_query(check, hidden_from_sql, 0, NULL);
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        check_say(check, CHECK_WARNING, NULL,
                  "%s is SECURITY DEFINER and its search_path does not end with pg_temp: a "
                  "temporary table could stand in for a table that it names; ALTER FUNCTION %s SET "
                  "search_path = ..., pg_temp",
                  PQgetvalue(result, row, 0), PQgetvalue(result, row, 0));
    }
    PQclear(result);
}

void check_rights(struct check *check)
{
    check_objects(check);
    check_login(check);
    check_memberships(check);
    check_direct(check);
    check_functions(check);
    check_owner(check);
    check_would_fail(check);
    check_temporary(check);
    check_unrestricted(check);
    check_others(check);
}
