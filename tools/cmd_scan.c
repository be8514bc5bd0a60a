/*
 * cmd_scan.c: `pgvigil scan`: what in a database is sensitive, as a policy to edit; --check:
 * whether a policy has kept up with the database.
 *
 * Trust boundary: sample.h's towards the database. Towards whoever reads the output: names, counts
 * and our own words; no value, also not in PostgreSQL's messages.
 */
#include "proxy/catalog_load.h"
#include "tools/audit_cells.h"
#include "tools/cli.h"
#include "tools/progress.h"
#include "tools/proposal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char about[] =
    "Reads the catalog of a database and a few values of each column, and proposes a category for\n"
    "every column, with what speaks for it, as the `tables` of a policy. What it does not know is\n"
    "left to be classified, which means hidden. Bounded and read-only: no table is read for more\n"
    "than five seconds, none that is locked is waited for. No value is printed or logged.\n\n"
    "With --check it compares a policy with the database: columns in no category, and columns "
    "whose\n"
    "values are identifiers or medical and whose category says less.\n\n"
    "Without a configuration, --as alone says which database.";

static const char exits[] =
    "Exit status: 0 done (--check: the policy has everything), 1 --check found something, 2 wrong\n"
    "usage, 3 cannot be done, or --check could not read every table.";

struct scan_request {
    const char *config_path, *policy_path, *database, *as, *format, *output, *lang, *rows;
    bool check, force, french;
    size_t row_count;
    const struct proposal_format *printer;
};

static void quiet(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static int today(void)
{
    time_t now = time(NULL);
    struct tm parts;
    (void)gmtime_r(&now, &parts);
    return (parts.tm_year + 1900) * 10000 + (parts.tm_mon + 1) * 100 + parts.tm_mday;
}

/* ---- reading ---- */

static int read_tables(const struct cli_command *command, const struct scan_request *request,
                       PGconn *conn, struct sampling *sampling)
{
    struct progress progress;
    struct buf why;
    int day = today();
    enum status status = OK;
    buf_init(&why, 65536);
    progress_begin(&progress);
    for (size_t i = 0; i < sampling->table_count && status == OK; i++) {
        progress_count(&progress, i, sampling->table_count, "tables");
        status = sample_table(conn, &sampling->tables[i], request->row_count, day, &why);
    }
    progress_clear(&progress);
    if (status == OK && (status = findings_make(sampling)) != OK)
        buf_str(&why, status_name(status));
    if (status != OK)
        (void)cli_fail(command, CLI_CANNOT, "%.*s", (int)buf_len(&why),
                       buf_len(&why) ? (const char *)buf_head(&why) : "");
    buf_free(&why);
    return status == OK ? CLI_FINE : CLI_CANNOT;
}

static int scan(const struct cli_command *command, const struct scan_request *request, PGconn *conn,
                struct arena *arena, struct sampling *sampling)
{
    struct buf why;
    buf_init(&why, 65536);
    (void)PQsetNoticeReceiver(conn, quiet, NULL);
    enum status status = sample_catalog(conn, arena, sampling, &why);
    if (status != OK)
        (void)cli_fail(command, CLI_CANNOT, "%.*s", (int)buf_len(&why),
                       buf_len(&why) ? (const char *)buf_head(&why) : status_name(status));
    buf_free(&why);
    return status == OK ? read_tables(command, request, conn, sampling) : CLI_CANNOT;
}

/* Tables that were not read, one a line: a check that has not looked must not look fine. */
static bool tell_unread(const struct cli_command *command, const struct sampling *sampling,
                        bool french)
{
    bool any = false;
    for (size_t i = 0; i < sampling->table_count; i++) {
        const struct sampled_table *table = &sampling->tables[i];
        if (table->state != SAMPLED_REFUSED && table->state != SAMPLED_SLOW)
            continue;
        any = true;
        (void)fprintf(stderr, "pgvigil %s: ", command->name);
        cells_text(table->schema, stderr);
        (void)fputc('.', stderr);
        cells_text(table->name, stderr);
        (void)fprintf(stderr, french ? " : %s (SQLSTATE %s)\n" : ": %s (SQLSTATE %s)\n",
                      findings_unread(table, french), table->sqlstate);
    }
    return any;
}

/* ---- writing ---- */

/* Beside the file, so that it is there whole or not at all. */
static int write_beside(const struct cli_command *command, const char *path, bool force,
                        const char *text, size_t size)
{
    char beside[4096];
    if ((size_t)snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= sizeof beside)
        return cli_fail(command, CLI_CANNOT, "%s: the name is too long", path);
    int fd = mkstemp(beside);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL)
        return cli_fail(command, CLI_CANNOT, "%s: %s", path, strerror(errno));
    bool written = fwrite(text, 1, size, file) == size && fflush(file) == 0 &&
                   fchmod(fd, 0640) == 0 && fsync(fd) == 0;
    written = fclose(file) == 0 && written;
    /* link takes no place that somebody has taken meanwhile. */
    if (written)
        written = (force ? rename(beside, path) : link(beside, path)) == 0;
    int error = errno;
    if (!written || !force)
        (void)unlink(beside);
    return written ? CLI_FINE : cli_fail(command, CLI_CANNOT, "%s: %s", path, strerror(error));
}

static int write_out(const struct cli_command *command, const struct scan_request *request,
                     const struct sampling *sampling)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL)
        return cli_fail(command, CLI_CANNOT, "%s", status_name(ERR_MEMORY));
    enum status status = request->printer->print(sampling, request->french, memory);
    bool whole = ferror(memory) == 0;
    whole = fclose(memory) == 0 && whole && status == OK;
    int code = CLI_FINE;
    if (!whole)
        code = cli_fail(command, CLI_CANNOT, "%s", status_name(status == OK ? ERR_MEMORY : status));
    else if (request->output != NULL)
        code = write_beside(command, request->output, request->force, text, size);
    else if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0)
        code = cli_fail(command, CLI_CANNOT, "%s", strerror(errno));
    free(text);
    return code;
}

/* ---- the two uses ---- */

static int propose(const struct cli_command *command, const struct scan_request *request,
                   PGconn *conn)
{
    struct sampling sampling;
    struct arena *arena = arena_new(0);
    int code = arena == NULL ? CLI_CANNOT : scan(command, request, conn, arena, &sampling);
    if (code == CLI_FINE) {
        (void)tell_unread(command, &sampling, request->french);
        code = write_out(command, request, &sampling);
    }
    arena_free(arena);
    return code;
}

static int check_with(const struct cli_command *command, const struct scan_request *request,
                      const struct sampling *sampling, const struct policy *policy, PGconn *conn)
{
    struct catalog *catalog = NULL;
    struct buf why;
    size_t found = 0;
    buf_init(&why, 65536);
    enum status status = catalog_load_conn(conn, policy, &catalog, &why);
    if (status == OK)
        status = proposal_check(sampling, policy, catalog, request->french, stdout, &found);
    if (status != OK)
        (void)cli_fail(command, CLI_CANNOT, "%.*s", (int)buf_len(&why),
                       buf_len(&why) ? (const char *)buf_head(&why) : status_name(status));
    buf_free(&why);
    catalog_unref(catalog);
    if (status != OK)
        return CLI_CANNOT;
    bool unread = tell_unread(command, sampling, request->french);
    if (found > 0)
        return CLI_FINDINGS;
    if (unread)
        return CLI_CANNOT;
    struct findings_count count = findings_count(sampling);
    (void)printf(request->french ? "base %s : %zu colonnes, toutes classées\n"
                                 : "database %s: %zu columns, all classified\n",
                 sampling->database, count.columns);
    return CLI_FINE;
}

static int check(const struct cli_command *command, const struct scan_request *request,
                 const char *policy_path, PGconn *conn)
{
    struct policy *policy = NULL;
    struct sampling sampling;
    int code = cli_load_policy(policy_path, &policy, stdout);
    struct arena *arena = code == CLI_FINE ? arena_new(0) : NULL;
    if (code == CLI_FINE)
        code = arena == NULL ? CLI_CANNOT : scan(command, request, conn, arena, &sampling);
    if (code == CLI_FINE)
        code = check_with(command, request, &sampling, policy, conn);
    arena_free(arena);
    policy_unref(policy);
    return code;
}

static int connect_and_run(const struct cli_command *command, const struct scan_request *request,
                           const struct config *config)
{
    /* Without a configuration any database will do that --as names. */
    const struct config_database any = {.name = "", .conninfo = ""};
    const struct config_database *database =
        config == NULL ? &any : cli_database(command, config, request->database);
    const char *policy_path = request->policy_path != NULL ? request->policy_path
                              : config != NULL             ? config->policy
                                                           : NULL;
    PGconn *conn = NULL;
    if (database == NULL)
        return CLI_CANNOT;
    int code = cli_connect_dba(command, database, request->as, &conn);
    if (code == CLI_FINE)
        code = request->check ? check(command, request, policy_path, conn)
                              : propose(command, request, conn);
    PQfinish(conn);
    return code;
}

static int run(const struct cli_command *command, const struct scan_request *request)
{
    struct config *config = NULL;
    bool without = request->config_path == NULL && request->database == NULL &&
                   (!request->check || request->policy_path != NULL);
    const char *path = request->config_path == NULL ? CLI_DEFAULT_CONFIG : request->config_path;
    int code = without ? CLI_FINE : cli_load_config(path, &config, stderr);
    if (code == CLI_FINE)
        code = connect_and_run(command, request, config);
    config_free(config);
    return code;
}

static int read_request(const struct cli_command *command, struct scan_request *request)
{
    char *end = NULL;
    int code = cli_read_lang(command, request->lang, &request->french);
    if (code != CLI_CONTINUE)
        return code;
    unsigned long rows = strtoul(request->rows, &end, 10);
    if (*end != '\0' || rows < 50 || rows > 10000)
        return cli_fail(command, CLI_USAGE, "--rows is a number from 50 to 10000");
    request->row_count = rows;
    request->printer = proposal_format_find(request->format == NULL ? "policy" : request->format);
    if (request->printer == NULL)
        return cli_fail(command, CLI_USAGE, "--format is policy, text, json or csv, not '%s'",
                        request->format);
    if (request->as == NULL)
        return cli_fail(command, CLI_USAGE,
                        "--as CONNINFO is missing: pgvigil's own login may read no table");
    if (request->check && (request->format != NULL || request->output != NULL))
        return cli_fail(command, CLI_USAGE, "--check has no --format and no --output");
    if (request->policy_path != NULL && !request->check)
        return cli_fail(command, CLI_USAGE, "--policy needs --check");
    if (request->output != NULL && !request->force && access(request->output, F_OK) == 0)
        return cli_fail(command, CLI_CANNOT, "%s is there already: --force replaces it",
                        request->output);
    return CLI_CONTINUE;
}

int cmd_scan(int argc, char **argv)
{
    struct scan_request request = {.rows = "1000"};
    const struct cli_option options[] = {
        {'c', "config", "FILE", "the configuration; not needed when --as says everything",
         &request.config_path, NULL},
        {'d', "database", "NAME", "which of the configuration's databases", &request.database,
         NULL},
        {0, "as", "CONNINFO", "connect as a login that may read the tables", &request.as, NULL},
        {0, "format", "NAME", "policy (default), text, json, csv", &request.format, NULL},
        {'o', "output", "FILE", "write there and not to the terminal", &request.output, NULL},
        {0, "force", NULL, "replace that file", NULL, &request.force},
        {0, "check", NULL, "compare the policy with the database", NULL, &request.check},
        {'p', "policy", "PATH", "with --check: this policy, not the configuration's",
         &request.policy_path, NULL},
        {0, "rows", "N", "rows of each table, 50 to 10000; default 1000", &request.rows, NULL},
        {0, "lang", "LANG", "en or fr; default: the locale's", &request.lang, NULL},
        {.name = NULL}};
    const struct cli_command command = {
        .name = "scan", .about = about, .exits = exits, .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code == CLI_CONTINUE)
        code = read_request(&command, &request);
    return code == CLI_CONTINUE ? run(&command, &request) : code;
}
