/*
 * cmd_minimise.c: `pgvigil minimise`: what the policy gives and nobody used, and a smaller policy
 * as a diff.
 *
 * Trust boundary: the trail is evidence that somebody may have changed: it is verified first, and
 * one that is not whole proposes nothing, since what is missing would look unused. Nothing is
 * changed: the diff is for a person to read and to apply.
 */
#include "proxy/catalog_load.h"
#include "tools/audit_filter.h"
#include "tools/audit_reader.h"
#include "tools/catalog_file.h"
#include "tools/cli.h"
#include "tools/doc_time.h"
#include "tools/minimise.h"
#include "tools/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <pgvigil/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_SECONDS  86400
#define DAYS_DEFAULT 90U
#define DAYS_MAX     36500U
#define PATIENTS_MAX 1000000U /* that one statement may name */

static const char about[] =
    "Tells what the policy lets each role do in each mission and nobody did in the last N days: "
    "columns\n"
    "never read or written, tables never touched, missions never entered; and prints a diff of "
    "the\n"
    "policy's files that takes it away, for patch -p1 in the policy's directory. The smaller "
    "policy is\n"
    "loaded and compared first: nothing that was used is lost, and nobody gains anything.\n"
    "\n"
    "With --as PostgreSQL counts how many patients each person's rules let her see today, and how\n"
    "many of these she saw; values of her attributes that she could do without are told.\n"
    "\n"
    "DIRECTORY is the trail; default: the configuration's. Missions that break the glass, reach\n"
    "archived records, or are for control and emergencies are left as they are.";

static const char exits[] =
    "Exit status: 0 nothing to propose, 1 there is a smaller policy, 2 wrong usage, 3 cannot be\n"
    "done: the trail is not whole or not long enough, --until is still to come, a file cannot be\n"
    "read.";

struct options {
    struct audit_reader reader;
    const char *days_text;
    const char *until;
    const char *catalog;
    const char *was;
    const char *keep;
    const char *database, *as;
    const char *public_key;
    const char *lang;
    const char *output;
    bool short_trail, json, diff;
    unsigned days;
    bool french;
};

struct run {
    const struct cli_command *command;
    const struct options *options;
    const char *directory;
    struct config *config;
    struct policy *policy, *was;
    struct catalog *catalog;
    PGconn *conn;             /* of --as */
    struct catalog *live;     /* its database's */
    const char *owner;        /* of its guards */
    char last[MINIMISE_TIME]; /* of the servers' chains the last line, signatures too */
    char due[MINIMISE_TIME];  /* it may not be older */
    struct minimise minimise;
};

/* ---- what is read ---- */

/* The database that --as is about, as it is. */
static int connect_live(struct run *run)
{
    const struct options *options = run->options;
    const struct config_database *database =
        cli_database(run->command, run->config, options->database);
    struct buf why;
    int code = database == NULL ? CLI_CANNOT
                                : cli_connect_dba(run->command, database, options->as, &run->conn);
    if (code != CLI_FINE)
        return code;
    run->minimise.database = database->name;
    run->owner = database->owner;
    buf_init(&why, 0);
    enum status status = catalog_load_conn(run->conn, run->policy, &run->live, &why);
    if (status != OK)
        code = cli_fail(run->command, CLI_CANNOT, "database %s: %.*s", database->name,
                        (int)buf_len(&why), buf_len(&why) ? (const char *)buf_head(&why) : "");
    buf_free(&why);
    return code;
}

static int load_catalog(struct run *run)
{
    int code = run->options->as == NULL ? CLI_FINE : connect_live(run);
    if (code != CLI_FINE)
        return code;
    if (run->options->catalog == NULL) {
        /* What the one database that there is says by itself, no file needs to say. */
        if (run->live != NULL && run->config->database_count == 1)
            run->catalog = catalog_ref(run->live);
        return CLI_FINE;
    }
    /* What is not in it, or is another thing of the same name, may be the other database's. */
    if (run->config->database_count > 1)
        return cli_fail(run->command, CLI_CANNOT,
                        "--catalog tells of one database, and the policy is for %zu: without it "
                        "columns are proposed, and no relation is closed",
                        run->config->database_count);
    return catalog_file_open(run->command, run->options->catalog, &run->catalog);
}

static int load(struct run *run)
{
    const struct options *options = run->options;
    const char *file =
        options->reader.config_file != NULL ? options->reader.config_file : CLI_DEFAULT_CONFIG;
    int code = cli_load_config(file, &run->config, stderr);
    if (code == CLI_FINE)
        code = cli_load_policy(run->config->policy, &run->policy, stderr);
    if (code == CLI_FINE && options->was != NULL)
        code = cli_load_policy(options->was, &run->was, stderr);
    if (code != CLI_FINE)
        return CLI_CANNOT;
    if (run->directory == NULL)
        run->directory = run->config->audit.directory;
    return load_catalog(run);
}

/* What verification found. */
struct check {
    struct progress progress;
    uint64_t archived; /* chains whose first files are elsewhere */
};

/* The first files of a chain, and those after them, were moved: what is left begins later, and
 * check_reach() says from when on it tells. */
static bool begins_later(const struct audit_finding *finding)
{
    static const char words[] = "missing: this file";
    const char *dash = strrchr(finding->file, '-');
    return finding->line == 0 && dash != NULL && strtoul(dash + 1, NULL, 10) == 1 &&
           strncmp(finding->message, words, sizeof words - 1) == 0;
}

static void on_finding(const struct audit_finding *finding, void *context)
{
    struct check *check = context;
    progress_clear(&check->progress);
    if (finding->note)
        return;
    check->archived += begins_later(finding) ? 1 : 0;
    if (finding->line)
        (void)fprintf(stderr, "%s:%llu: %s\n", finding->file, (unsigned long long)finding->line,
                      finding->message);
    else
        (void)fprintf(stderr, "%s: %s\n", finding->file, finding->message);
}

static void on_progress(uint64_t done, uint64_t total, void *context)
{
    progress_draw(&((struct check *)context)->progress, done, total);
}

static int verify(struct run *run)
{
    struct check check = {.archived = 0};
    struct audit_verify_result result;
    char beside[4096];
    const char *key = run->options->public_key;
    int len = snprintf(beside, sizeof beside, "%s/public.pem", run->directory);
    if (key == NULL && (len < 0 || (size_t)len >= sizeof beside))
        return cli_fail(run->command, CLI_USAGE, "the directory's name is too long");
    key = key == NULL ? beside : key;
    progress_begin(&check.progress);
    errno = 0;
    enum status status =
        audit_verify(run->directory, key, on_finding, on_progress, &check, &result);
    int error = errno;
    progress_clear(&check.progress);
    if (status != OK)
        return cli_fail(run->command, CLI_CANNOT, "%s with key %s: %s", run->directory, key,
                        status == ERR_IO && error != 0 ? strerror(error) : status_name(status));
    if (result.files == 0)
        return cli_fail(run->command, CLI_CANNOT, "%s holds no audit file", run->directory);
    memcpy(run->last, result.last, sizeof run->last);
    /* What was purged is missing though the trail is whole, and a chain that begins later than
     * another may have lost its beginning. */
    memcpy(run->minimise.reaches,
           strcmp(result.begins, result.purged_care_to) > 0 ? result.begins : result.purged_care_to,
           sizeof run->minimise.reaches);
    if (result.chains_missing > 0)
        return cli_fail(run->command, CLI_CANNOT,
                        "the trail is not whole: of %u chain(s) no file is there, of chain %u to "
                        "begin with (audit-%u-*). What only their sessions used would look unused, "
                        "so nothing is proposed. Add the files",
                        result.chains_missing, result.first_missing, result.first_missing);
    if (result.findings <= check.archived)
        return CLI_FINE;
    return cli_fail(run->command, CLI_CANNOT,
                    "the trail is not whole: %llu finding(s). What is missing from it would look "
                    "unused, so nothing is proposed (pgvigil audit verify)",
                    (unsigned long long)(result.findings - check.archived));
}

static int read_trail(struct run *run)
{
    struct audit_teller teller;
    struct search_events events;
    struct search *search = NULL;
    struct query query = {.patients_max = PATIENTS_MAX};
    const struct audit_index index = {.off = true};
    const json_t *answer = NULL;
    const char *why = NULL;
    audit_teller_events(&teller, &events);
    enum status status = query_prepare(&query, &why);
    int code =
        status == OK ? CLI_FINE : cli_fail(run->command, CLI_CANNOT, "%s", status_name(status));
    if (code == CLI_FINE)
        code = audit_search_open(run->command, run->directory, &index, &query, &events, &search);
    if (code == CLI_FINE) {
        while (status == OK && (status = search_next(search, &answer)) == OK)
            status = minimise_add(&run->minimise, answer);
        code = audit_teller_end(&teller, run->command, search_count(search));
        search_close(search);
        if (status == CLOSED)
            status = minimise_use_finish(&run->minimise);
        if (status != OK)
            code = cli_fail(run->command, CLI_CANNOT, "%s", status_name(status));
    }
    query_free(&query);
    return code;
}

/* ---- is it enough to judge by? ---- */

/* Was the policy in force all the time? It is loaded at starts and reloads only; a trail that has
 * none of them, or one that names no policy, does not tell which one it was. */
static bool is_old(const struct run *run)
{
    const struct minimise *minimise = &run->minimise;
    return !minimise->other_policy && minimise->in_force[0] != '\0' &&
           strcmp(minimise->in_force, minimise->since) <= 0;
}

/* What was done since the trail's end would look unused: files that were taken away, or a copy of
 * long ago. */
static int check_end(const struct run *run)
{
    if (run->last[0] != '\0' && strcmp(run->last, run->due) >= 0)
        return CLI_FINE;
    return cli_fail(run->command, CLI_CANNOT,
                    "the trail ends at %s, more than a day before the days that you ask for do: "
                    "what was used since would look unused. Add the files that are missing, say "
                    "--until with the trail's end, or, if nobody worked since, --short-trail",
                    run->last[0] == '\0' ? "no record at all" : run->last);
}

static int check_reach(const struct run *run)
{
    const struct minimise *minimise = &run->minimise;
    if (run->options->short_trail)
        return CLI_FINE;
    int code = check_end(run);
    if (code != CLI_FINE)
        return code;
    if (minimise->reaches[0] == '\0' || strcmp(minimise->reaches, minimise->since) > 0)
        return cli_fail(run->command, CLI_CANNOT,
                        "the trail reaches back to %s only, and %u days to %s: what is rare would "
                        "look unused. Take fewer --days, add the files that were archived, or say "
                        "--short-trail",
                        minimise->reaches[0] == '\0' ? "nothing" : minimise->reaches,
                        run->options->days, minimise->since);
    if (is_old(run) || run->was != NULL)
        return CLI_FINE;
    if (minimise->other_policy)
        return cli_fail(run->command, CLI_CANNOT,
                        "the policy that was loaded last is another one than this (generation "
                        "%s): what is new in it would look unused. Give the policy as it was %u "
                        "days ago with --was, or say --short-trail",
                        run->policy->generation, run->options->days);
    return cli_fail(run->command, CLI_CANNOT,
                    "the policy is in force since %s only, as far as the trail tells: what is new "
                    "in it would look unused. Give the policy as it was %u days ago with --was, "
                    "take fewer --days, or say --short-trail",
                    minimise->in_force[0] == '\0' ? "an unknown day" : minimise->in_force,
                    run->options->days);
}

/* ---- the end ---- */

static bool proposes(const struct minimise *minimise)
{
    return minimise->smaller != NULL && minimise->edits.count > 0;
}

static enum status put(const struct run *run, FILE *out)
{
    const struct options *options = run->options;
    enum status status = OK;
    if (options->json) {
        json_t *json = minimise_json(&run->minimise, options->days);
        status = json == NULL                                 ? ERR_MEMORY
                 : json_dumpf(json, out, JSON_INDENT(1)) != 0 ? ERR_IO
                                                              : OK;
        (void)fputc('\n', out);
        json_decref(json);
        return status;
    }
    if (!options->diff)
        minimise_print(&run->minimise, options->french, options->days, out);
    return proposes(&run->minimise) ? policy_edit_diff(&run->minimise.edits, out) : OK;
}

static int write_out(const struct run *run)
{
    const char *path = run->options->output;
    FILE *out = stdout;
    if (path != NULL) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        bool closed = fd >= 0 && fchmod(fd, 0600) == 0;
        out = closed ? fdopen(fd, "w") : NULL;
        if (out == NULL)
            return cli_fail(run->command, CLI_CANNOT, "%s: %s", path, strerror(errno));
    }
    enum status status = put(run, out);
    if (fflush(out) != 0 || ferror(out))
        status = status == OK ? ERR_IO : status;
    if (out != stdout && fclose(out) != 0)
        status = status == OK ? ERR_IO : status;
    if (status != OK)
        return cli_fail(run->command, CLI_CANNOT, "it cannot be written: %s",
                        status == ERR_IO ? strerror(errno) : status_name(status));
    return proposes(&run->minimise) ? CLI_FINDINGS : CLI_FINE;
}

static void on_person(size_t done, size_t total, void *context)
{
    progress_count(context, done, total, "people");
}

/* Through what the rules let people see, by PostgreSQL's own count. */
static enum status ask_reach(struct run *run)
{
    struct progress progress;
    if (run->conn == NULL)
        return OK;
    run->minimise.asked = true;
    progress_begin(&progress);
    enum status status =
        minimise_reach(&run->minimise, run->conn, run->live, run->owner, on_person, &progress);
    progress_clear(&progress);
    return status;
}

static int work_out(struct run *run)
{
    struct minimise *minimise = &run->minimise;
    char *path = realpath(run->config->policy, NULL);
    enum status status = path == NULL ? ERR_IO : minimise_grants(minimise);
    minimise->path = path == NULL ? NULL : arena_strdup(minimise->arena, path);
    free(path);
    if (status == OK)
        status = minimise_find(minimise, minimise->path);
    if (status == OK)
        status = minimise_prove(minimise);
    if (status == OK)
        status = minimise_list(minimise);
    if (status == OK)
        status = ask_reach(run);
    if (status != OK)
        return cli_fail(run->command, CLI_CANNOT, "no smaller policy can be proposed: %s",
                        minimise->why != NULL ? minimise->why : status_name(status));
    return write_out(run);
}

/* As records have it. */
static bool print_time(time_t time, char out[MINIMISE_TIME])
{
    struct tm when;
    return gmtime_r(&time, &when) != NULL &&
           strftime(out, MINIMISE_TIME, "%Y-%m-%dT%H:%M:%S.000000Z", &when) != 0;
}

static int start(struct run *run, time_t until)
{
    struct minimise *minimise = &run->minimise;
    time_t since = until - (time_t)run->options->days * DAY_SECONDS;
    if (until > time(NULL))
        return cli_fail(run->command, CLI_CANNOT,
                        "--until %s is still to come: of days that nobody has worked yet "
                        "everything would look unused",
                        run->options->until);
    int code = load(run);
    if (code != CLI_FINE)
        return code;
    minimise->policy = run->policy;
    minimise->was = run->was;
    minimise->catalog = run->catalog;
    minimise->keep = run->options->keep;
    if (!print_time(since, minimise->since) || !print_time(until - DAY_SECONDS, run->due) ||
        minimise_start(minimise) != OK)
        return cli_fail(run->command, CLI_CANNOT, "out of memory");
    code = audit_reader_record(&run->options->reader, run->command, run->directory, NULL);
    if (code == CLI_FINE)
        code = verify(run);
    if (code == CLI_FINE)
        code = read_trail(run);
    if (code == CLI_FINE)
        code = check_reach(run);
    return code == CLI_FINE ? work_out(run) : code;
}

static int read_options(const struct cli_command *command, struct options *options, time_t *until)
{
    const char *why = NULL;
    char *end = NULL;
    *until = time(NULL);
    options->days = DAYS_DEFAULT;
    if (options->days_text != NULL) {
        unsigned long days = strtoul(options->days_text, &end, 10);
        if (options->days_text[0] < '1' || options->days_text[0] > '9' || *end != '\0' ||
            days > DAYS_MAX)
            return cli_fail(command, CLI_USAGE, "--days is a number of days, 1 to %u, not '%s'",
                            DAYS_MAX, options->days_text);
        options->days = (unsigned)days;
    }
    if (options->until != NULL && !doc_time_parse(options->until, until, &why))
        return cli_fail(command, CLI_USAGE, "--until %s: %s", options->until, why);
    if (options->database != NULL && options->as == NULL)
        return cli_fail(command, CLI_USAGE, "--database says what --as connects to: say --as too");
    if (options->json && options->diff)
        return cli_fail(command, CLI_USAGE, "--json holds the diff: not with --diff");
    return cli_read_lang(command, options->lang, &options->french);
}

int cmd_minimise(int argc, char **argv)
{
    struct options options = {.reader = {.doing = "minimise"}};
    struct cli_option table[13 + AUDIT_READER_OPTIONS] = {
        {0, "days", "N", "unused for so many days; default 90", &options.days_text, NULL},
        {0, "until", "TIME", "the days end there; default: now", &options.until, NULL},
        {0, "catalog", "FILE", "what \"check --save-catalog\" wrote: lets whole tables be closed",
         &options.catalog, NULL},
        {0, "as", "CONNINFO",
         "no superuser, may SET ROLE to the guards' owner: count whom each person reaches",
         &options.as, NULL},
        {0, "database", "NAME", "of the configuration: what --as connects to", &options.database,
         NULL},
        {0, "was", "POLICY", "the policy as it was: what it did not give is too young to be cut",
         &options.was, NULL},
        {0, "keep", "LIST", "leave these as they are: ROLE, ROLE/MISSION, /MISSION, with commas",
         &options.keep, NULL},
        {0, "short-trail", NULL, "though trail or policy do not fill so many days", NULL,
         &options.short_trail},
        {0, "public-key", "FILE", "the key that verifies the trail; default: public.pem in it",
         &options.public_key, NULL},
        {0, "lang", "WORD", "fr or en; default: the locale's", &options.lang, NULL},
        {0, "json", NULL, "print JSON", NULL, &options.json},
        {0, "diff", NULL, "print the diff only", NULL, &options.diff},
        {'o', "output", "FILE", "write there instead of to stdout", &options.output, NULL}};
    audit_reader_options(&options.reader, table + 13);
    const struct cli_command command = {.name = "minimise",
                                        .operands = "[DIRECTORY]",
                                        .about = about,
                                        .exits = exits,
                                        .options = table,
                                        .min_operands = 0,
                                        .max_operands = 1};
    char **operands = NULL;
    size_t count = 0;
    time_t until = 0;
    audit_reader_remember(&options.reader, argc, argv);
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code == CLI_CONTINUE)
        code = read_options(&command, &options, &until);
    if (code != CLI_CONTINUE)
        return code;
    struct run run = {
        .command = &command, .options = &options, .directory = count > 0 ? operands[0] : NULL};
    code = start(&run, until);
    minimise_end(&run.minimise);
    catalog_unref(run.catalog);
    catalog_unref(run.live);
    PQfinish(run.conn);
    policy_unref(run.was);
    policy_unref(run.policy);
    config_free(run.config);
    return code;
}
