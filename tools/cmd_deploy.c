/*
 * cmd_deploy.c: `pgvigil deploy`: the guards of a policy in a database.
 *
 * Everything happens in one transaction under an advisory lock, so that two deploys wait for each
 * other and a failure leaves nothing half done. Deploying what stands already changes nothing and
 * says so.
 *
 * Trust boundary: the DBA's conninfo is used for this run only and is never stored or printed.
 */
#include "proxy/catalog_load.h"
#include "proxy/deploy.h"
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *config;
    const char *database;
    const char *as;
    bool dry_run;
    bool prune;
    bool remove;
};

static struct options options;

static const struct cli_option option_table[] = {
    {'c', "config", "FILE", "configuration (" CLI_DEFAULT_CONFIG ")", &options.config, NULL},
    {'d', "database", "NAME", "database of the configuration; not needed when there is one",
     &options.database, NULL},
    {0, "as", "CONNINFO", "connection string of a DBA, for this run; dbname may be left out",
     &options.as, NULL},
    {'n', "dry-run", NULL, "print the SQL, change nothing", NULL, &options.dry_run},
    {0, "prune", NULL, "then drop older generations that no session uses", NULL, &options.prune},
    {0, "remove", NULL, "drop everything that pgvigil has made, and make nothing", NULL,
     &options.remove},
    {0, NULL, NULL, NULL, NULL, NULL},
};

static const struct cli_command command = {
    .name = "deploy",
    .about = "Makes the guards that the policy asks for: for each role and mission a NOLOGIN role "
             "and a schema\n"
             "with one view for each relation, and the guards over the system catalogs. One "
             "transaction; a second\n"
             "run changes only what differs. A new policy stands beside the old until --prune.\n\n"
             "The DBA's login needs CREATEROLE, CREATE on the database and membership in the owner "
             "of the guards;\n"
             "a superuser has all that. Where an allowed function or a column's type stands in a "
             "schema that\n"
             "PUBLIC may not use, give the owner of the guards USAGE there WITH GRANT OPTION, or "
             "the GRANT is left\nto you and printed.\n\n"
             "Exit status: 0 done or nothing to do, 1 the policy cannot be deployed here, 2 wrong "
             "usage,\n"
             "3 the database cannot be reached or refused.",
    .options = option_table,
};

/* The user that the proxy logs in as: written in its conninfo, or what libpq would take. */
static const char *login_of(const char *conninfo, struct arena *arena)
{
    const char *login = NULL;
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
    for (PQconninfoOption *at = parsed; at != NULL && at->keyword != NULL; at++) {
        if (strcmp(at->keyword, "user") == 0 && at->val != NULL) {
            login = arena_strdup(arena, at->val);
        }
    }
    PQconninfoFree(parsed);
    if (login == NULL) {
        parsed = PQconndefaults();
        for (PQconninfoOption *at = parsed; at != NULL && at->keyword != NULL; at++) {
            if (strcmp(at->keyword, "user") == 0 && at->val != NULL) {
                login = arena_strdup(arena, at->val);
            }
        }
        PQconninfoFree(parsed);
    }
    return login;
}

static void quiet(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static void print_findings(const struct guard_plan *plan)
{
    for (size_t i = 0; i < plan->finding_count; i++) {
        const struct guard_finding *finding = &plan->findings[i];
        if (finding->place.file != NULL) {
            (void)fprintf(stderr, "%s:%u: ", finding->place.file, finding->place.line);
        }
        (void)fprintf(stderr, "%s: %s\n", finding->error ? "error" : "warning", finding->message);
    }
}

static enum status make(struct deploy *deploy)
{
    struct buf why;
    struct catalog *catalog = NULL;
    struct guard_plan plan;
    buf_init(&why, 0);
    enum status status = catalog_load_conn(deploy->conn, deploy->policy, &catalog, &why);
    if (status != OK) {
        (void)cli_fail(&command, CLI_CANNOT, "%.*s", (int)buf_len(&why),
                       (const char *)buf_head(&why));
    } else {
        status = guard_plan_make(deploy->policy, catalog, deploy->owner, deploy->login,
                                 deploy->arena, &plan);
    }
    buf_free(&why);
    if (status == OK) {
        print_findings(&plan);
        deploy->catalog = catalog;
        status = plan.error_count > 0 ? ERR_INVALID : deploy_make(deploy, &plan);
        deploy->catalog = NULL;
    }
    catalog_unref(catalog);
    return status;
}

/* 1886221926 is "pnvf": any constant that is ours. Held to the end of the transaction. */
static const char lock_sql[] = "SELECT pg_catalog.pg_advisory_xact_lock(1886221926, 1)";

static enum status in_transaction(struct deploy *deploy)
{
    bool dry_run = deploy->dry_run;
    deploy->dry_run = false;
    enum status status = deploy_run(deploy, "BEGIN", "begin");
    if (status == OK) {
        status = deploy_run(deploy, "SET LOCAL search_path = ''", "search_path");
    }
    if (status == OK) {
        status = deploy_run(deploy, "SET LOCAL quote_all_identifiers = off", "settings");
    }
    if (status == OK) {
        /* A session in the middle of a transaction holds its guard; everyone else would queue
         * behind us. */
        status = deploy_run(deploy, "SET LOCAL lock_timeout = '20s'", "lock_timeout");
    }
    if (status == OK) {
        status = deploy_run(deploy, lock_sql, "waiting for another deploy");
    }
    if (status == OK) {
        status = deploy_rights(deploy);
    }
    deploy->dry_run = dry_run;
    if (status == OK && dry_run) {
        printf("BEGIN;\nSET LOCAL search_path = '';\n");
    }
    if (status == OK && !options.remove) {
        status = make(deploy);
    }
    if (status == OK && (options.remove || options.prune)) {
        status =
            deploy_drop(deploy, options.remove ? NULL : deploy->policy->digest, !options.remove);
    }
    if (status == OK && dry_run) {
        printf("COMMIT;\n");
    }
    deploy->dry_run = false;
    enum status ended =
        deploy_run(deploy, status == OK && !dry_run ? "COMMIT" : "ROLLBACK", "the end");
    deploy->dry_run = dry_run;
    return status == OK ? ended : status;
}

static int report(const struct deploy *deploy, enum status status)
{
    if (deploy->progress) {
        (void)fputs("\r\033[K", stderr);
    }
    if (status == ERR_INVALID) {
        (void)fprintf(stderr, "pgvigil deploy: nothing was changed in database \"%s\"\n",
                      deploy->database);
        return CLI_FINDINGS;
    }
    if (status != OK) {
        return cli_fail(&command, CLI_CANNOT, "failed (%s); nothing was changed in database \"%s\"",
                        status_name(status), deploy->database);
    }
    if (deploy->dry_run) {
        return CLI_FINE;
    }
    if (deploy->made + deploy->replaced + deploy->dropped == 0) {
        if (deploy->granted > 0) {
            printf("database \"%s\": the guards stand; %zu rights granted\n", deploy->database,
                   deploy->granted);
            return CLI_FINE;
        }
        printf("database \"%s\": nothing to do\n", deploy->database);
        return CLI_FINE;
    }
    if (options.remove) {
        printf("database \"%s\": removed, %zu roles and schemas dropped; schemas "
               "pgvigil_rights and pgvigil_retention stay, where there are any: they are data\n",
               deploy->database, deploy->dropped);
        return CLI_FINE;
    }
    printf("database \"%s\", generation %s: %zu guards made, %zu replaced, %zu things dropped\n",
           deploy->database, deploy->policy->generation, deploy->made, deploy->replaced,
           deploy->dropped);
    return CLI_FINE;
}

static int deploy_database(const struct config *config, struct policy *policy)
{
    const struct config_database *database = cli_database(&command, config, options.database);
    if (database == NULL) {
        return CLI_USAGE;
    }
    struct arena *arena = arena_new(0);
    PGconn *conn = NULL;
    int code = arena == NULL ? cli_fail(&command, CLI_CANNOT, "out of memory")
                             : cli_connect_dba(&command, database, options.as, &conn);
    if (code != CLI_FINE) {
        arena_free(arena);
        return code;
    }
    (void)PQsetNoticeReceiver(conn, quiet, NULL);
    struct deploy deploy = {.conn = conn,
                            .arena = arena,
                            .policy = policy,
                            .database = database->name,
                            .owner = database->owner,
                            .login = login_of(database->conninfo, arena),
                            .dry_run = options.dry_run,
                            .progress = isatty(STDERR_FILENO) == 1 && !options.dry_run};
    code = deploy.login == NULL
               ? cli_fail(&command, CLI_CANNOT, "the database's conninfo names no user")
               : report(&deploy, in_transaction(&deploy));
    PQfinish(conn);
    arena_free(arena);
    return code;
}

int cmd_deploy(int argc, char **argv)
{
    char **operands = NULL;
    size_t count = 0;
    options = (struct options){.config = CLI_DEFAULT_CONFIG};
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code != CLI_CONTINUE) {
        return code;
    }
    if (options.as == NULL) {
        return cli_fail(&command, CLI_USAGE,
                        "--as CONNINFO is needed: guards are made with a DBA's rights");
    }
    if (options.remove && options.prune) {
        return cli_fail(&command, CLI_USAGE, "--remove and --prune do not go together");
    }
    struct config *config = NULL;
    struct policy *policy = NULL;
    code = cli_load_config(options.config, &config, stderr);
    /* What is to go is found by its names: a policy that no longer loads must not stand in the way.
     */
    if (code == 0 && !options.remove) {
        code = cli_load_policy(config->policy, &policy, stderr);
    }
    if (code == 0) {
        code = deploy_database(config, policy);
    }
    policy_unref(policy);
    config_free(config);
    return code;
}
