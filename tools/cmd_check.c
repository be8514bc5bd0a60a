/*
 * cmd_check.c: `pgvigil check`: everything that is wrong, without changing anything.
 *
 * Files alone: configuration, policy, certificates and keys. With --database also what only a live
 * catalog tells (check_database.c). Findings go to stdout, one a line, as file:line where they
 * stand in a file.
 */
#include "audit/key.h"
#include "proxy/catalog_load.h"
#include "proxy/tls.h"
#include "proxy/token_keys.h"
#include "tools/catalog_file.h"
#include "tools/check_database.h"
#include "tools/check_organisation.h"
#include "tools/cli.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void print_why(const char *place, const struct buf *why)
{
    printf("%s: %.*s\n", place, (int)buf_len(why), buf_len(why) ? (const char *)buf_head(why) : "");
}

/* Certificate, key and CA as serve would load them. */
static int check_tls(const struct config *config)
{
    struct tls_context *context = NULL;
    struct buf why;
    if (!config->listen.certificate)
        return CLI_FINE;
    buf_init(&why, 65536);
    enum status status = tls_context_new(&config->listen, &context, &why);
    if (status != OK) {
        char place[512];
        (void)snprintf(place, sizeof place, "%s:%u", config->listen.place.file,
                       config->listen.place.line);
        print_why(place, &why);
    }
    tls_context_unref(context);
    buf_free(&why);
    return status == OK ? CLI_FINE : CLI_FINDINGS;
}

static int check_audit_key(const struct config *config)
{
    struct key *key = NULL;
    enum status status = key_load(config->audit.key_file, &key);
    key_free(key);
    if (status == OK)
        return CLI_FINE;
    printf("%s: not an Ed25519 private key in PEM; certs/make writes one\n",
           config->audit.key_file);
    return CLI_FINDINGS;
}

/* Without verification anybody between here and the database can be the database. Told, not
 * counted: a loopback or a Unix socket may be fine. */
static void advise_conninfo(const struct config_database *database, const char *key,
                            const char *conninfo)
{
    PQconninfoOption *options = conninfo ? PQconninfoParse(conninfo, NULL) : NULL;
    const char *mode = "prefer";
    const char *host = "";
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (option->val && strcmp(option->keyword, "sslmode") == 0)
            mode = option->val;
        else if (option->val && strcmp(option->keyword, "host") == 0)
            host = option->val;
    }
    if (options && host[0] != '/' && host[0] && strcmp(mode, "verify-full") != 0)
        printf("%s:%u: warning: %s of \"%s\" has sslmode=%s; only verify-full proves that the "
               "server is yours\n",
               database->place.file, database->place.line, key, database->name, mode);
    PQconninfoFree(options);
}

static void advise(const struct config *config)
{
    struct stat about;
    if (stat(config->path, &about) == 0 && (about.st_mode & 0004) != 0)
        printf("%s: warning: everybody can read it; chmod 640 when it holds passwords\n",
               config->path);
    if (config->listen.plaintext)
        printf("%s:%u: warning: plaintext = true lets clients send records unencrypted; for tests "
               "only\n",
               config->listen.place.file, config->listen.place.line);
    if (config->admin.unauthenticated)
        printf("%s:%u: warning: admin.unauthenticated = true lets everybody who reaches %s:%u read "
               "the figures\n",
               config->admin.place.file, config->admin.place.line, config->admin.address,
               config->admin.port);
    for (size_t i = 0; i < config->database_count; i++) {
        const struct config_database *database = &config->databases[i];
        if (database->observe)
            printf("%s:%u: warning: \"%s\" is in observe mode: NOTHING IS ENFORCED, every client "
                   "has all rights of the unrestricted login\n",
                   database->place.file, database->place.line, database->name);
        advise_conninfo(database, "conninfo", database->conninfo);
        advise_conninfo(database, "unrestricted", database->unrestricted);
    }
}

static int worse(int one, int other)
{
    return one > other ? one : other;
}

/* Of logins that act for others: serve would not start without them. */
static int check_token_keys(const struct policy *policy)
{
    struct token_ring *ring = NULL;
    struct buf why;
    buf_init(&why, 0);
    enum status status = token_ring_read(policy, &ring, &why);
    if (status != OK)
        printf("%.*s", (int)buf_len(&why), buf_len(&why) ? (const char *)buf_head(&why) : "");
    buf_free(&why);
    token_ring_unref(ring);
    return status == OK ? CLI_FINE : status == ERR_INVALID ? CLI_FINDINGS : CLI_CANNOT;
}

static int complain_admin(const struct config *config, const char *name, const char *why)
{
    printf("%s:%u: admin.users: \"%s\" %s\n", config->admin.place.file, config->admin.place.line,
           name, why);
    return CLI_FINDINGS;
}

/* Who may see the figures logs in as everybody does: as a user of the policy, and as herself. */
static int check_admin(const struct config *config, const struct policy *policy)
{
    int code = CLI_FINE;
    for (size_t i = 0; i < config->admin.user_count; i++) {
        const char *name = config->admin.users[i];
        const struct policy_user *user = policy_find_user(policy, name);
        if (user == NULL)
            code = complain_admin(config, name, "is no user of the policy");
        else if (user->auth == AUTH_NONE)
            code = complain_admin(config, name, "cannot log in: auth = \"none\"");
        else if (user->on_behalf != NULL)
            code = complain_admin(config, name,
                                  "is a login that acts for others, and would be anybody's");
    }
    return code;
}

/* A part of the medical record that somebody has declared erasable would go on request. Told, not
 * counted: a table may hold health data and be no part of it. */
static void advise_erasable(const struct policy *policy, const struct policy_table *table)
{
    for (size_t i = 0; table->erasable && i < table->category_count + table->columns_like_count;
         i++) {
        const char *name = i < table->category_count
                               ? table->categories[i].name
                               : table->columns_like[i - table->category_count].category;
        const struct policy_category_text *text = policy_category_text(policy, name);
        if (text == NULL || !text->sensitive)
            continue;
        printf("%s:%u: warning: %s.%s is erasable, and its category \"%s\" is sensitive: what is "
               "part of the medical record is kept by law, whoever asks\n",
               table->place.file, table->place.line, table->schema, table->name, name);
        return;
    }
}

static int check_policy(const char *path, struct policy **policy)
{
    int code = cli_load_policy(path, policy, stdout);
    if (code == CLI_FINE)
        code = check_token_keys(*policy);
    for (size_t i = 0; code == CLI_FINE && i < (*policy)->table_count; i++)
        advise_erasable(*policy, &(*policy)->tables[i]);
    if (code == CLI_FINE)
        printf("policy %s: fine; generation %s, %zu tables, %zu roles, %zu missions, %zu rules, "
               "%zu users\n",
               (*policy)->path, (*policy)->generation, (*policy)->table_count,
               (*policy)->role_count, (*policy)->mission_count, (*policy)->rule_count,
               (*policy)->user_count);
    return code;
}

struct check_request {
    const char *config_path;
    const char *policy_path; /* instead of the configuration's, or NULL */
    const char *database;    /* NULL: files alone */
    const char *as;          /* a DBA's conninfo for the database, or NULL: the proxy's own */
    const char *save;        /* where the database's catalog is written, or NULL */
};

/* The login that the proxy uses; config_load has made sure that the conninfo names it. */
static void read_login(const char *conninfo, char *login, size_t size)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    login[0] = '\0';
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (option->val && strcmp(option->keyword, "user") == 0)
            (void)snprintf(login, size, "%s", option->val);
    }
    PQconninfoFree(options);
}

/* What the database holds, for `test` and `diff` to be asked where there is none. */
static int save_catalog(const struct cli_command *command, PGconn *conn,
                        const struct policy *policy, const char *path)
{
    struct buf why;
    struct catalog *catalog = NULL;
    if (PQstatus(conn) != CONNECTION_OK)
        return CLI_CANNOT; /* check_database says why */
    buf_init(&why, 65536);
    enum status status = catalog_load_conn(conn, policy, &catalog, &why);
    if (status == OK)
        status = catalog_file_write(catalog, path, &why);
    if (status == OK)
        printf("catalog %s: written; %zu relations\n", path, catalog->relation_count);
    else
        (void)cli_fail(command, CLI_CANNOT, "%.*s", (int)buf_len(&why),
                       buf_len(&why) ? (const char *)buf_head(&why) : "");
    catalog_unref(catalog);
    buf_free(&why);
    return status == OK ? CLI_FINE : CLI_CANNOT;
}

static int check_live(const struct cli_command *command, const struct check_request *request,
                      const struct config *config, const struct policy *policy)
{
    char login[256];
    char unrestricted[256] = "";
    const struct config_database *database = cli_database(command, config, request->database);
    if (!database)
        return CLI_CANNOT;
    read_login(database->conninfo, login, sizeof login);
    if (database->unrestricted != NULL && !database->observe)
        read_login(database->unrestricted, unrestricted, sizeof unrestricted);
    PGconn *conn = NULL;
    int code = CLI_FINE;
    if (request->as)
        code = cli_connect_dba(command, database, request->as, &conn);
    else
        conn = PQconnectdb(database->conninfo);
    if (code != CLI_FINE)
        return code;
    if (request->save)
        code = save_catalog(command, conn, policy, request->save);
    return worse(code, check_database(policy, database->name, conn, database->owner, login,
                                      unrestricted[0] == '\0' ? NULL : unrestricted, stdout));
}

static int check_all(const struct cli_command *command, const struct check_request *request)
{
    struct config *config = NULL;
    struct policy *policy = NULL;
    int code = cli_load_config(request->config_path, &config, stdout);
    if (code == CLI_FINE) {
        code = worse(check_tls(config), check_audit_key(config));
        if (code == CLI_FINE)
            printf("configuration %s: fine\n", config->path);
        advise(config);
        advise_hosting(config, time(NULL));
        code =
            worse(code, check_policy(request->policy_path ? request->policy_path : config->policy,
                                     &policy));
    }
    if (policy)
        code = worse(code, worse(check_admin(config, policy), check_staff(config, policy)));
    if (policy && request->database)
        code = worse(code, check_live(command, request, config, policy));
    policy_unref(policy);
    config_free(config);
    return code;
}

int cmd_check(int argc, char **argv)
{
    struct check_request request = {.config_path = CLI_DEFAULT_CONFIG};
    const struct cli_option options[] = {
        {'c', "config", "FILE", "the configuration; default " CLI_DEFAULT_CONFIG,
         &request.config_path, NULL},
        {'d', "database", "NAME", "also compare with the live catalog of this database",
         &request.database, NULL},
        {0, "as", "CONNINFO", "connect as a DBA, to try expressions and the owner's rights too",
         &request.as, NULL},
        {'p', "policy", "PATH", "this policy; without --database nothing else is read",
         &request.policy_path, NULL},
        {0, "save-catalog", "FILE", "write what the database holds there, for test and diff",
         &request.save, NULL},
        {.name = NULL}};
    const struct cli_command command = {
        .name = "check",
        .about =
            "Reads configuration, policy, certificates and keys as serve would, and tells "
            "everything "
            "that is\nwrong at once. With --database it also finds what the policy names and the "
            "database has not, what\nthe database has and the policy leaves open, expressions that "
            "PostgreSQL rejects, and rights that go\nround the guards. Changes nothing.",
        .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    if (request.as && !request.database)
        return cli_fail(&command, CLI_USAGE, "--as needs --database");
    if (request.save && !request.database)
        return cli_fail(&command, CLI_USAGE, "--save-catalog needs --database");
    if (!request.policy_path || request.database)
        return check_all(&command, &request);
    struct policy *policy = NULL;
    code = check_policy(request.policy_path, &policy);
    policy_unref(policy);
    return code;
}
