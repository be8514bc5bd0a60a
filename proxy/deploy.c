/*
 * deploy.c: bringing a generation of guards into being.
 *
 * A generation that stands and has the same built-in guards is brought up to date view by view:
 * each has a hash in the registry ("relations" in the catalog schema) of all that makes it.
 * Anything else is dropped and made whole.
 *
 * Trust boundary: SQL from guard_plan_make, which quotes; a schema of our name that does not say it
 * is pgvigil's is never touched.
 */
#include "proxy/deploy.h"

#include <pgvigil/log.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* ---- running ---- */

static void show_progress(struct deploy *deploy, const char *about)
{
    deploy->done++;
    if (deploy->progress && deploy->total > 0) {
        (void)fprintf(stderr, "\r\033[K[%zu/%zu] %s",
                      deploy->done < deploy->total ? deploy->done : deploy->total, deploy->total,
                      about);
        (void)fflush(stderr);
    }
}

static void keep_failure(struct deploy *deploy, const PGresult *result, const char *about)
{
    struct deploy_failure *failure = deploy->failure;
    if (failure->message != NULL) {
        return;
    }
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    failure->message =
        arena_strdup(deploy->arena, message == NULL ? PQerrorMessage(deploy->conn) : message);
    failure->sqlstate = state == NULL ? NULL : arena_strdup(deploy->arena, state);
    failure->about = about;
}

static void print_error(struct deploy *deploy, const PGresult *result, const char *about)
{
    if (deploy->failure != NULL) {
        keep_failure(deploy, result, about);
        return;
    }
    const char *message =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *hint = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    (void)fprintf(stderr, "%s%s: %s\n", deploy->progress ? "\r\033[K" : "", about,
                  message == NULL ? PQerrorMessage(deploy->conn) : message);
    if (state != NULL && strcmp(state, "53200") == 0) {
        hint = "every guard takes a few locks until the end of the transaction: raise "
               "max_locks_per_transaction";
    } else if (state != NULL && strcmp(state, "55P03") == 0) {
        hint = "a session has held a guard for 20 seconds: try again";
    }
    if (hint != NULL) {
        (void)fprintf(stderr, "hint: %s\n", hint);
    }
}

static void warn(struct deploy *deploy, const char *text)
{
    char quoted[600];
    deploy->warnings++;
    if (deploy->failure == NULL) {
        (void)fprintf(stderr, "warning: %s\n", text == NULL ? "out of memory" : text);
        return;
    }
    log_event(LOG_LEVEL_WARNING, "event=guards-warning detail=%s",
              log_quote(text == NULL ? "out of memory" : text, quoted, sizeof quoted));
}

enum status deploy_run(struct deploy *deploy, const char *sql, const char *about)
{
    if (deploy->dry_run) {
        printf("%s;\n", sql);
        return OK;
    }
    PGresult *result = PQexec(deploy->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    bool fine = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!fine) {
        print_error(deploy, result, about);
    }
    PQclear(result);
    return fine ? OK : ERR_UPSTREAM;
}

enum status deploy_query(struct deploy *deploy, const char *sql, int count,
                         const char *const *values, PGresult **result)
{
    *result = PQexecParams(deploy->conn, sql, count, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(*result) == PGRES_TUPLES_OK) {
        return OK;
    }
    print_error(deploy, *result, "reading the catalog");
    PQclear(*result);
    *result = NULL;
    return ERR_UPSTREAM;
}

const char *deploy_quoted(struct deploy *deploy, const char *name)
{
    const char *quoted = text_ident(deploy->arena, name);
    return quoted == NULL ? "" : quoted;
}

/* ---- rights ---- */

static const char rights_sql[] =
    "SELECT o.oid IS NOT NULL, l.oid IS NOT NULL, m.rolsuper OR m.rolcreaterole,\n"
    "    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),\n"
    "    o.oid IS NOT NULL AND pg_catalog.pg_has_role(o.oid, 'MEMBER'), m.rolname,\n"
    "    o.oid IS NOT NULL AND l.oid IS NOT NULL AND pg_catalog.pg_has_role(l.oid, o.oid, "
    "'MEMBER')\n"
    "FROM pg_catalog.pg_roles m LEFT JOIN pg_catalog.pg_roles o ON o.rolname = $1\n"
    "LEFT JOIN pg_catalog.pg_roles l ON l.rolname = $2 WHERE m.rolname = current_user";

static bool lacks(bool fine, const char *format, const char *name)
{
    if (!fine) {
        (void)fputs("error: ", stderr);
        (void)fprintf(stderr, "%s", format);
        (void)fprintf(stderr, "%s\n", name);
    }
    return !fine;
}

enum status deploy_rights(struct deploy *deploy)
{
    PGresult *result = NULL;
    const char *values[] = {deploy->owner, deploy->login};
    enum status status = deploy_query(deploy, rights_sql, 2, values, &result);
    if (status != OK) {
        return status;
    }
    bool yes[7] = {false};
    for (int i = 0; i < 7 && PQntuples(result) == 1; i++) {
        yes[i] = PQgetvalue(result, 0, i)[0] == 't';
    }
    bool missing = lacks(yes[0], "the owner of the guards does not exist: CREATE ROLE NOLOGIN ",
                         deploy->owner);
    missing =
        lacks(yes[1], "the login does not exist: CREATE ROLE LOGIN NOINHERIT ", deploy->login) ||
        missing;
    missing = lacks(yes[2], "the DBA's login needs CREATEROLE", "") || missing;
    missing = lacks(yes[3], "the DBA's login needs CREATE on the database", "") || missing;
    missing =
        (yes[0] && lacks(yes[4], "the DBA's login must be a member of ", deploy->owner)) || missing;
    missing =
        lacks(!yes[6], "the login must not be a member of the owner of the guards: REVOKE it: ",
              deploy->owner) ||
        missing;
    PQclear(result);
    return missing ? ERR_INVALID : OK;
}

/* ---- what is there ---- */

struct present {
    bool schema;  /* one of the plan's schemas stands */
    bool foreign; /* and is not ours */
    bool whole;   /* all stand, with this digest and these built-in guards */
};

static enum status look(struct deploy *deploy, const struct guard_plan *plan,
                        struct present *present)
{
    memset(present, 0, sizeof(*present));
    size_t whole = 0;
    for (size_t i = 0; i <= plan->pair_count; i++) {
        bool catalog = i == plan->pair_count;
        const char *name = catalog ? plan->catalog_schema : plan->pairs[i];
        PGresult *result = NULL;
        enum status status =
            deploy_query(deploy,
                         "SELECT COALESCE(pg_catalog.obj_description(n.oid, 'pg_namespace'), ''),\n"
                         "    pg_catalog.pg_get_userbyid(n.nspowner) FROM pg_catalog.pg_namespace "
                         "n WHERE n.nspname = $1",
                         1, &name, &result);
        if (status != OK) {
            return status;
        }
        if (PQntuples(result) == 1) {
            const char *expected =
                arena_printf(deploy->arena, "pgvigil %s%s%s", plan->digest, catalog ? " " : "",
                             catalog ? plan->catalog_hash : "");
            const char *comment = PQgetvalue(result, 0, 0);
            bool ours = strncmp(comment, "pgvigil ", 8) == 0 &&
                        strcmp(PQgetvalue(result, 0, 1), deploy->owner) == 0;
            present->schema = true;
            if (!ours) {
                present->foreign = true;
                if (deploy->failure != NULL) {
                    deploy->failure->message = "a schema of the guards' name is not pgvigil's";
                    deploy->failure->about = name;
                    PQclear(result);
                    return ERR_INVALID;
                }
                (void)fprintf(stderr,
                              "error: the schema \"%s\" exists and is not pgvigil's (its owner is "
                              "%s): drop it first\n",
                              name, PQgetvalue(result, 0, 1));
            }
            whole += expected != NULL && strcmp(expected, comment) == 0 ? 1 : 0;
        }
        PQclear(result);
    }
    present->whole = whole == plan->pair_count + 1;
    return present->foreign ? ERR_INVALID : OK;
}

/* ---- making ---- */

static enum status as_owner(struct deploy *deploy)
{
    const char *sql =
        arena_printf(deploy->arena, "SET LOCAL ROLE %s", deploy_quoted(deploy, deploy->owner));
    return sql == NULL ? ERR_MEMORY : deploy_run(deploy, sql, "acting as the owner");
}

/* Who it was before. */
static enum status as_before(struct deploy *deploy)
{
    return deploy_run(deploy, deploy->failure == NULL ? "RESET ROLE" : deploy->back,
                      "acting as the DBA");
}

static enum status run_all(struct deploy *deploy, const struct guard_statement *statements,
                           size_t count)
{
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++) {
        show_progress(deploy, statements[i].about);
        status = deploy_run(deploy, statements[i].sql, statements[i].about);
    }
    return status;
}

/* Cancelled, deadlocks, time-outs, memory, shutdown: nothing that is wrong with the statement. */
bool deploy_passing(const char *sqlstate)
{
    static const char *const classes[] = {"57", "40", "53", "55", "25", "08"};
    for (size_t i = 0; sqlstate != NULL && i < sizeof classes / sizeof classes[0]; i++) {
        if (strncmp(sqlstate, classes[i], 2) == 0) {
            return true;
        }
    }
    return false;
}

/* One of those that make the guard of a view without a rule. PostgreSQL may not want it over
 * guards, or the view may stand in a schema that the owner may not use. */
static enum status try_statement(struct deploy *deploy, const struct guard_statement *statement,
                                 bool quietly, bool *fine)
{
    PGresult *result = PQexec(deploy->conn, statement->sql);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    *fine = PQresultStatus(result) == PGRES_COMMAND_OK;
    enum status status = OK;
    if (!*fine && (state == NULL || deploy_passing(state))) {
        print_error(deploy, result, statement->about);
        status = ERR_UPSTREAM;
    } else if (!*fine && quietly) {
        status = OK;
    } else if (!*fine && strcmp(state, "42501") == 0) {
        warn(deploy,
             arena_printf(deploy->arena,
                          "%s is left out, restricted roles are refused the view: as %s "
                          "PostgreSQL says: %s",
                          statement->about, deploy->owner, message == NULL ? "nothing" : message));
    } else if (!*fine) {
        warn(deploy, arena_printf(deploy->arena,
                                  "%s is left out, it needs its own rule: over guards PostgreSQL "
                                  "says: %s",
                                  statement->about, message == NULL ? "nothing" : message));
    }
    PQclear(result);
    return status;
}

/* A view of the database that PostgreSQL will not have over guards is left out; everything else
 * must work. */
static enum status make_view(struct deploy *deploy, const struct guard_view *view)
{
    show_progress(deploy, view->count > 0 ? view->statements[0].about : "");
    if (!view->expansion || deploy->dry_run) {
        for (size_t i = 0; i < view->count; i++) {
            enum status status =
                deploy_run(deploy, view->statements[i].sql, view->statements[i].about);
            if (status != OK) {
                if (deploy->failure != NULL && deploy->failure->view == NULL) {
                    deploy->failure->view = view;
                }
                return status;
            }
        }
        deploy->made++;
        return OK;
    }
    enum status status = deploy_run(deploy, "SAVEPOINT guard", "savepoint");
    bool fine = true;
    for (size_t i = 0; i < view->count && status == OK && fine; i++) {
        /* Without the one that tells whose rows they are, the plain one is read. */
        bool quietly = view->variant == GUARD_SUBJECT;
        status = try_statement(deploy, &view->statements[i], quietly, &fine);
    }
    if (status != OK) {
        return status;
    }
    deploy->made += fine ? 1 : 0;
    return deploy_run(deploy, fine ? "RELEASE SAVEPOINT guard" : "ROLLBACK TO SAVEPOINT guard",
                      "savepoint");
}

static enum status make_whole(struct deploy *deploy, const struct guard_plan *plan)
{
    deploy->total = plan->role_count + plan->built_in_count + plan->view_count + plan->finish_count;
    enum status status = run_all(deploy, plan->roles, plan->role_count);
    if (status == OK) {
        status = as_owner(deploy);
    }
    if (status == OK) {
        status = run_all(deploy, plan->built_in, plan->built_in_count);
    }
    for (size_t i = 0; i < plan->view_count && status == OK; i++) {
        status = make_view(deploy, &plan->views[i]);
    }
    if (status == OK) {
        status = run_all(deploy, plan->finish, plan->finish_count);
    }
    return status == OK ? as_before(deploy) : status;
}

/* ---- bringing up to date ---- */

/* A line of the registry: which guard, whether it still stands, and of what; the hash is "" of one
 * that no longer reads what it was made of. Also of a base that is gone: one of that name may have
 * taken its place, and the guard of the old one would go on standing in the new one's way. */
static enum status read_registry(struct deploy *deploy, const struct guard_plan *plan,
                                 PGresult **result)
{
    const char *sql = arena_printf(
        deploy->arena,
        "SELECT s.pair, v.relname, CASE WHEN pg_catalog.obj_description(r.oid, 'pg_rewrite') = %s "
        "THEN s.hash ELSE '' END, s.base::pg_catalog.oid FROM %s.\"relations\" s JOIN "
        "pg_catalog.pg_class v ON "
        "v.oid = s.guard\n"
        "JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'\n"
        "JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace AND n.nspname = s.pair",
        GUARD_READS_SQL, deploy_quoted(deploy, plan->catalog_schema));
    return sql == NULL ? ERR_MEMORY : deploy_query(deploy, sql, 0, NULL, result);
}

/* Of the relation that has the name now. */
static bool is_base(const char *base, const struct guard_view *view)
{
    return strtoul(base, NULL, 10) == view->relation->oid;
}

static const char *registered_hash(const PGresult *registry, const struct guard_view *view)
{
    for (int row = 0; row < PQntuples(registry); row++) {
        if (strcmp(PQgetvalue(registry, row, 0), view->pair) == 0 &&
            strcmp(PQgetvalue(registry, row, 1), view->view) == 0 &&
            is_base(PQgetvalue(registry, row, 3), view)) {
            return PQgetvalue(registry, row, 2);
        }
    }
    return NULL;
}

static bool planned(const struct guard_plan *plan, const PGresult *registry, int row)
{
    const char *pair = PQgetvalue(registry, row, 0);
    const char *view = PQgetvalue(registry, row, 1);
    const char *hash = PQgetvalue(registry, row, 2);
    for (size_t i = 0; i < plan->view_count; i++) {
        if (strcmp(plan->views[i].pair, pair) == 0 && strcmp(plan->views[i].view, view) == 0) {
            return strcmp(plan->views[i].hash, hash) == 0 &&
                   is_base(PQgetvalue(registry, row, 3), &plan->views[i]);
        }
    }
    return false;
}

/* Of a view that somebody is altering, whose definition nobody can tell: its guard stays. */
static bool undefined(const struct deploy *deploy, const char *base)
{
    const struct catalog_relation *relation =
        deploy->catalog == NULL
            ? NULL
            : catalog_find_oid(deploy->catalog, (uint32_t)strtoul(base, NULL, 10));
    return relation != NULL && relation->kind == 'v' && relation->definition == NULL;
}

/* Guards that are no longer wanted so. CASCADE: guards over views stand on others, and are made
 * again. */
static enum status drop_stale(struct deploy *deploy, const struct guard_plan *plan,
                              const PGresult *registry)
{
    enum status status = OK;
    for (int row = 0; row < PQntuples(registry) && status == OK; row++) {
        const char *pair = PQgetvalue(registry, row, 0);
        const char *view = PQgetvalue(registry, row, 1);
        if (planned(plan, registry, row) || undefined(deploy, PQgetvalue(registry, row, 3))) {
            continue;
        }
        const char *sql = arena_printf(deploy->arena, "DROP VIEW IF EXISTS %s.%s CASCADE",
                                       deploy_quoted(deploy, pair), deploy_quoted(deploy, view));
        deploy->dropped++;
        status =
            sql == NULL ? ERR_MEMORY : deploy_run(deploy, sql, "dropping a guard that has changed");
    }
    return status;
}

/* Lines whose guard or base is gone: both are still OIDs, of nothing. */
static enum status forget_gone(struct deploy *deploy, const struct guard_plan *plan)
{
    const char *sql =
        arena_printf(deploy->arena,
                     "DELETE FROM %s.\"relations\" r WHERE NOT EXISTS (SELECT FROM "
                     "pg_catalog.pg_class v WHERE v.oid = r.guard)\n"
                     "OR NOT EXISTS (SELECT FROM pg_catalog.pg_class b WHERE b.oid = r.base)",
                     deploy_quoted(deploy, plan->catalog_schema));
    return sql == NULL ? ERR_MEMORY : deploy_run(deploy, sql, "the registry of guards");
}

static enum status make_missing(struct deploy *deploy, const struct guard_plan *plan)
{
    PGresult *registry = NULL;
    enum status status = read_registry(deploy, plan, &registry);
    for (size_t i = 0; i < plan->view_count && status == OK; i++) {
        const char *hash = registered_hash(registry, &plan->views[i]);
        /* What would be dropped is still there. */
        bool gone = hash == NULL || (deploy->dry_run && strcmp(hash, plan->views[i].hash) != 0);
        if (gone) {
            status = make_view(deploy, &plan->views[i]);
        }
    }
    PQclear(registry);
    return status;
}

static enum status update(struct deploy *deploy, const struct guard_plan *plan)
{
    PGresult *registry = NULL;
    bool within = deploy->failure != NULL;
    /* Who works in the transaction may not read the registry. */
    enum status status = within ? as_owner(deploy) : OK;
    if (status == OK) {
        status = read_registry(deploy, plan, &registry);
    }
    if (status != OK) {
        return status;
    }
    bool same = true;
    for (int row = 0; row < PQntuples(registry); row++) {
        same = same && planned(plan, registry, row);
    }
    for (size_t i = 0; i < plan->view_count; i++) {
        /* One that PostgreSQL refused the last time is tried again, quietly, each time. */
        same = same && registered_hash(registry, &plan->views[i]) != NULL;
    }
    if (!same || within) {
        status = as_owner(deploy);
        if (status == OK) {
            status = drop_stale(deploy, plan, registry);
        }
        if (status == OK) {
            status = forget_gone(deploy, plan);
        }
        if (status == OK) {
            status = make_missing(deploy, plan);
        }
        /* Several transactions may be doing this at a time: nothing that they would wait for. */
        if (status == OK && !within) {
            status = run_all(deploy, plan->finish, plan->finish_count);
        }
        if (status == OK) {
            status = as_before(deploy);
        }
        size_t both = deploy->made < deploy->dropped ? deploy->made : deploy->dropped;
        deploy->replaced += both;
        deploy->made -= both;
        deploy->dropped -= both;
    }
    PQclear(registry);
    return status;
}

/* ---- schemas and functions that the pairs name ---- */

/* Types of shown columns and functions that the policy allows stand in schemas that the pair must
 * be able to name. */
static enum status grant_one(struct deploy *deploy, const char *sql)
{
    enum status status = deploy_run(deploy, "SAVEPOINT usage", "savepoint");
    PGresult *result = status == OK ? PQexec(deploy->conn, sql) : NULL;
    bool fine = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (status != OK) {
        return status;
    }
    return deploy_run(deploy, fine ? "RELEASE SAVEPOINT usage" : "ROLLBACK TO SAVEPOINT usage",
                      "savepoint");
}

static enum status missing_names(struct deploy *deploy, const char *sql, PGresult **wanted)
{
    enum status status = as_owner(deploy);
    if (status == OK) {
        status = deploy_query(deploy, sql, 0, NULL, wanted);
    }
    return status == OK ? as_before(deploy) : status;
}

/* Eight times the catalog schema. */
static const char grants_sql[] =
    /* nextval: of a column that the pair may insert, and by the policy's name. */
    "WITH drawn(pair, sequence) AS (\n"
    "    SELECT r.pair, p.objid FROM %s.\"relations\" r\n"
    "    JOIN pg_catalog.pg_depend p ON p.refobjid = r.base AND p.refobjsubid > 0\n"
    "        AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.objsubid = 0\n"
    "        AND p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.deptype IN ('a', "
    "'i')\n"
    "    JOIN pg_catalog.pg_class s ON s.oid = p.objid AND s.relkind = 'S'\n"
    "    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.base AND a.attnum = p.refobjsubid\n"
    "    JOIN pg_catalog.pg_attribute g ON g.attrelid = r.guard AND g.attname = a.attname\n"
    "    WHERE pg_catalog.has_column_privilege(r.pair, r.guard, g.attnum, 'INSERT')\n"
    "    UNION SELECT q.pair, s.oid FROM %s.\"sequences\" q JOIN pg_catalog.pg_namespace n "
    "ON n.nspname = q.schema\n"
    "    JOIN pg_catalog.pg_class s ON s.relnamespace = n.oid AND s.relname = q.name AND "
    "s.relkind = 'S')\n"
    "SELECT DISTINCT pg_catalog.format('GRANT USAGE ON SCHEMA %%I TO %%I', w.schema, w.pair) "
    "FROM (\n"
    "    SELECT r.pair, tn.nspname AS schema FROM %s.\"relations\" r\n"
    "    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.guard AND a.attnum > 0\n"
    "    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid\n"
    "    JOIN pg_catalog.pg_namespace tn ON tn.oid = y.typnamespace\n"
    "    UNION SELECT r.pair, n.nspname FROM %s.\"relations\" r\n"
    "    JOIN pg_catalog.pg_class c ON c.oid = r.base\n"
    "    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "    WHERE pg_catalog.has_table_privilege(r.pair, r.guard, 'TRUNCATE')\n"
    "    UNION SELECT f.pair, n.nspname FROM %s.\"functions\" f JOIN pg_catalog.pg_namespace n "
    "ON n.nspname = f.schema\n"
    "    UNION SELECT s.pair, n.nspname FROM drawn s JOIN pg_catalog.pg_class c ON c.oid = "
    "s.sequence\n"
    "    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    ") w WHERE NOT pg_catalog.has_schema_privilege(w.pair, w.schema, 'USAGE')\n"
    "UNION ALL SELECT pg_catalog.format('GRANT EXECUTE ON ROUTINE %%s TO %%I', "
    "p.oid::pg_catalog.regprocedure, f.pair)\n"
    "FROM %s.\"functions\" f JOIN pg_catalog.pg_namespace n ON n.nspname = f.schema\n"
    "JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid AND p.proname = f.name\n"
    "WHERE NOT pg_catalog.has_function_privilege(f.pair, p.oid, 'EXECUTE')\n"
    /* TRUNCATE is of the table itself; the guard of who may has the right too, as a mark. */
    "UNION ALL SELECT pg_catalog.format('GRANT TRUNCATE ON TABLE %%s TO %%I', r.base, r.pair)\n"
    "FROM %s.\"relations\" r WHERE r.variant = 0\n"
    "AND pg_catalog.has_table_privilege(r.pair, r.guard, 'TRUNCATE')\n"
    "AND NOT pg_catalog.has_table_privilege(r.pair, r.base, 'TRUNCATE')\n"
    "UNION SELECT pg_catalog.format('GRANT USAGE ON SEQUENCE %%s TO %%I', "
    "d.sequence::pg_catalog.regclass, d.pair)\n"
    "FROM drawn d WHERE NOT pg_catalog.has_sequence_privilege(d.pair, d.sequence, 'USAGE')\n"
    /* The default of a column that the guard does not show runs with the pair's rights. */
    "UNION SELECT pg_catalog.format('GRANT USAGE ON SEQUENCE %%s TO %%I', "
    "s.oid::pg_catalog.regclass, r.pair)\n"
    "FROM %s.\"relations\" r JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.base\n"
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum\n"
    "JOIN pg_catalog.pg_depend p ON p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass "
    "AND p.objid = d.oid\n"
    "    AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
    "JOIN pg_catalog.pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'\n"
    "WHERE pg_catalog.has_any_column_privilege(r.pair, r.guard, 'INSERT')\n"
    "AND NOT pg_catalog.has_sequence_privilege(r.pair, s.oid, 'USAGE')\n"
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = r.guard\n"
    "    AND g.attname = a.attname AND g.atthasdef) ORDER BY 1";

static enum status grant_names(struct deploy *deploy, const struct guard_plan *plan)
{
    const char *schema = deploy_quoted(deploy, plan->catalog_schema);
    const char *sql = arena_printf(deploy->arena, grants_sql, schema, schema, schema, schema,
                                   schema, schema, schema, schema);
    if (sql == NULL) {
        return ERR_MEMORY;
    }
    /* A dry run has made nothing to ask about: whoever runs its script has it asked then. The only
     * name in it from outside is the catalog schema's, "pgvigil:catalog@" and hexadecimal digits.
     */
    if (deploy->dry_run) {
        printf(
            "DO $pgvigil$ DECLARE wanted pg_catalog.text; BEGIN FOR wanted IN\n%s\n"
            "LOOP BEGIN EXECUTE wanted; EXCEPTION WHEN insufficient_privilege THEN\n"
            "    RAISE WARNING 'the owner must run: %%', wanted; END; END LOOP; END $pgvigil$;\n",
            sql);
        return OK;
    }
    PGresult *wanted = NULL;
    enum status status = missing_names(deploy, sql, &wanted);
    for (int row = 0; status == OK && row < PQntuples(wanted); row++) {
        status = grant_one(deploy, PQgetvalue(wanted, row, 0));
    }
    int asked = PQntuples(wanted);
    PQclear(wanted);
    if (status != OK || asked == 0) {
        return status;
    }
    /* Who may not grant gets a mere warning from PostgreSQL, or an error: look again. */
    wanted = NULL;
    status = missing_names(deploy, sql, &wanted);
    for (int row = 0; status == OK && row < PQntuples(wanted); row++) {
        warn(deploy,
             arena_printf(deploy->arena, "the owner must run: %s;", PQgetvalue(wanted, row, 0)));
    }
    deploy->granted += status == OK ? (size_t)(asked - PQntuples(wanted)) : 0;
    PQclear(wanted);
    return status;
}

enum status deploy_make(struct deploy *deploy, const struct guard_plan *plan)
{
    struct present present;
    enum status status = deploy_time_zone(deploy);
    if (status == OK) {
        status = deploy_register(deploy);
    }
    if (status == OK) {
        status = look(deploy, plan, &present);
    }
    if (status != OK) {
        return status;
    }
    if (present.whole) {
        status = update(deploy, plan);
        status = status == OK ? grant_names(deploy, plan) : status;
        return status == OK ? deploy_objects(deploy) : status;
    }
    /* Left over from another version of the built-in guards, or with fewer pairs: made again as a
     * whole. */
    for (size_t i = 0; present.schema && i <= plan->pair_count && status == OK; i++) {
        const char *name = i == plan->pair_count ? plan->catalog_schema : plan->pairs[i];
        const char *sql = arena_printf(deploy->arena, "DROP SCHEMA IF EXISTS %s CASCADE",
                                       deploy_quoted(deploy, name));
        status =
            sql == NULL ? ERR_MEMORY : deploy_run(deploy, sql, "dropping an unfinished generation");
    }
    if (status == OK) {
        status = make_whole(deploy, plan);
    }
    status = status == OK ? grant_names(deploy, plan) : status;
    return status == OK ? deploy_objects(deploy) : status;
}

enum status deploy_again(struct deploy *deploy, const struct guard_plan *plan)
{
    struct present present;
    enum status status = look(deploy, plan, &present);
    if (status == OK && !present.whole) {
        deploy->failure->message = "the policy in force is not deployed in this database";
        deploy->failure->about = plan->catalog_schema;
        return ERR_INVALID;
    }
    if (status == OK) {
        status = update(deploy, plan);
    }
    return status == OK ? grant_names(deploy, plan) : status;
}
