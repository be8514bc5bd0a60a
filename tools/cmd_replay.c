/*
 * cmd_replay.c: `pgvigil replay`: what enforcing would have done to the statements of a log.
 *
 * Reads logs of PostgreSQL's and pgvigil's own trail, judges what was sent, and reports; or reports
 * what a trail says was observed. Nothing is sent anywhere but the catalog's queries of --database,
 * and no constant of a statement is printed.
 */
#include "audit/file.h"
#include "proxy/catalog_load.h"
#include "tools/catalog_file.h"
#include "tools/cli.h"
#include "tools/replay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct options {
    const char *config;
    const char *policy;
    const char *catalog;
    const char *database;
    const char *user, *role, *mission;
    const char *map;
    const char *skip;
    const char *path;
    const char *settings;
    const char *log_database;
    const char *format;
    const char *prefix;
    bool observed;
    bool each;
    bool json;
};

static struct options options;

static const struct cli_option option_table[] = {
    {'c', "config", "FILE", "the configuration; default " CLI_DEFAULT_CONFIG ", when it is needed",
     &options.config, NULL},
    {'p', "policy", "PATH", "this policy, not the configuration's", &options.policy, NULL},
    {0, "catalog", "FILE", "judge over this saved catalog", &options.catalog, NULL},
    {'d', "database", "NAME", "judge over the live catalog of this database", &options.database,
     NULL},
    {'u', "user", "NAME", "all statements are this user's; default the log's own", &options.user,
     NULL},
    {'r', "role", "NAME", "with --user: in this role; default the first", &options.role, NULL},
    {'m', "mission", "NAME", "with --user: in this mission; default the role's", &options.mission,
     NULL},
    {0, "map", "LIST", "whose statements a login's are: LOGIN=USER[/ROLE[/MISSION]],...",
     &options.map, NULL},
    {0, "skip", "LIST", "logins of the log to leave out, with commas: pgvigil's own, backups",
     &options.skip, NULL},
    {0, "path", "LIST", "search_path of sessions, names with commas; default public", &options.path,
     NULL},
    {'s', "settings", "LIST", "pgvigil.* settings that sessions have given", &options.settings,
     NULL},
    {0, "log-database", "NAME", "the database's name in the log; default the catalog's; * any",
     &options.log_database, NULL},
    {0, "format", "NAME", "csv, json, stderr or audit; default by the file's first bytes",
     &options.format, NULL},
    {0, "prefix", "TEXT", "PostgreSQL's log_line_prefix: it is a stderr log", &options.prefix,
     NULL},
    {0, "observed", NULL, "report what a trail says was observed, and judge nothing", NULL,
     &options.observed},
    {0, "each", NULL, "print each statement's verdict as a line of JSON, and no report", NULL,
     &options.each},
    {0, "json", NULL, "print the report as JSON", NULL, &options.json},
    {.name = NULL}};

static const struct cli_command command = {
    .name = "replay",
    .operands = "LOG...",
    .about =
        "Judges the statements of logs by a policy, without running them, and reports what would "
        "be "
        "refused,\nhidden, masked and filtered: by application and user, with the rule to change, "
        "how often, when, and a\nsample without constants. LOG is a csvlog, jsonlog or stderr log "
        "of PostgreSQL's (log_statement,\nlog_min_duration_statement), a file of pgvigil's trail, "
        "a directory of them, or - for standard input.\nWith --observed the trail of a database in "
        "observe mode is reported as it is.",
    .exits =
        "Exit status: 0 nothing would be refused, 1 something would, 2 wrong usage, 3 cannot be "
        "done.",
    .options = option_table,
    .min_operands = 1,
    .max_operands = 4096};

struct run {
    struct config *config;
    struct policy *policy;
    struct catalog *catalog;
    struct observer *observer;
    struct arena *arena;
    struct replay_options replay_options;
    struct replay *replay;
    struct report *report;
    struct report_left_out left_out;
    uint64_t total;  /* bytes of all files, 0: not known */
    uint64_t before; /* of the files that are done */
    bool terminal;
    bool drawn;
    struct timespec drawn_at;
};

/* ---- progress ---- */

static void clear_progress(struct run *run)
{
    if (run->drawn)
        (void)fputs("\r\033[K", stderr);
    run->drawn = false;
}

static void draw_progress(struct run *run, const struct logread *reader)
{
    struct timespec now;
    if (!run->terminal || clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return;
    int64_t passed = (now.tv_sec - run->drawn_at.tv_sec) * 1000 +
                     (now.tv_nsec - run->drawn_at.tv_nsec) / 1000000;
    if (run->drawn && passed < 200)
        return;
    run->drawn_at = now;
    run->drawn = true;
    uint64_t done = run->before + logread_bytes(reader);
    if (run->total > 0)
        (void)fprintf(stderr, "\r%3" PRIu64 "%% of %" PRIu64 " MiB, ",
                      done >= run->total ? 100 : done * 100 / run->total, run->total >> 20);
    else
        (void)fprintf(stderr, "\r%" PRIu64 " MiB, ", done >> 20);
    (void)fprintf(stderr, "%" PRIu64 " statements, %" PRIu64 " would be refused",
                  report_statements(run->report), report_refused(run->report));
}

/* ---- one statement ---- */

static bool put_text(json_t *object, const char *key, const char *text)
{
    return text == NULL || json_object_set_new(object, key, json_string(text)) == 0;
}

static enum status print_each(const struct replay_case *one)
{
    json_t *object = json_object();
    json_t *findings = json_array();
    bool whole = object != NULL && findings != NULL && put_text(object, "time", one->report.time) &&
                 put_text(object, "application", one->who.application) &&
                 put_text(object, "user", one->who.user) &&
                 put_text(object, "role", one->who.role) &&
                 put_text(object, "mission", one->who.mission) &&
                 put_text(object, "decision", one->allowed ? "allow" : "deny") &&
                 put_text(object, "sqlstate", one->sqlstate);
    for (size_t i = 0; i < one->report.count && whole; i++)
        whole = json_array_append_new(findings, report_finding_json(&one->report.findings[i])) == 0;
    if (object == NULL)
        json_decref(findings);
    else
        whole = json_object_set_new(object, "findings", findings) == 0 && whole;
    whole = whole && put_text(object, "fingerprint", one->fingerprint) &&
            put_text(object, "sql", one->report.sql);
    enum status status = whole ? OK : ERR_MEMORY;
    if (whole &&
        json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII) != 0)
        status = ERR_IO;
    if (status == OK)
        (void)putchar('\n');
    json_decref(object);
    return status;
}

static enum status take_entry(struct run *run, const struct logread_entry *entry)
{
    struct replay_case one;
    enum status status = options.observed
                             ? replay_observed(run->replay, entry, &run->left_out, &one)
                             : replay_judge(run->replay, entry, &run->left_out, &one);
    if (status != OK)
        return status == DENIED ? OK : status;
    status = report_add(run->report, &one.who, &one.report);
    return status == OK && options.each ? print_each(&one) : status;
}

/* ---- files ---- */

static int read_log(struct run *run, const char *path, enum logread_format format)
{
    struct logread *reader = NULL;
    const char *why = NULL;
    enum status status = logread_open(path, format, options.prefix, &reader, &why);
    if (status == ERR_INVALID)
        return cli_fail(&command, CLI_USAGE, "--prefix \"%s\": %s", options.prefix, why);
    if (status != OK)
        return cli_fail(&command, CLI_CANNOT, "cannot read \"%s\": %s", path,
                        status == ERR_IO ? strerror(errno) : status_name(status));
    struct logread_entry entry;
    uint64_t count = 0;
    while (status == OK && (status = logread_next(reader, &entry)) == OK) {
        status = take_entry(run, &entry);
        if ((++count & 255) == 0)
            draw_progress(run, reader);
    }
    run->left_out.broken += logread_count(reader)->broken;
    if (!options.observed)
        run->left_out.clipped += logread_count(reader)->clipped;
    run->before += logread_bytes(reader);
    logread_close(reader);
    if (status == CLOSED)
        return CLI_FINE;
    clear_progress(run);
    return cli_fail(&command, CLI_CANNOT, "\"%s\": %s", path, status_name(status));
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Plain, or closed and compressed: of a file that a crash left in both forms, the plain one. */
static bool is_trail_file(int folder, const char *name)
{
    unsigned chain = 0;
    uint64_t number = 0;
    bool packed = false;
    char plain[FILE_NAME_MAX];
    if (!file_name_parse_any(name, &chain, &number, &packed))
        return false;
    file_name(chain, number, plain);
    return !packed || faccessat(folder, plain, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
}

/* The files of a trail, each chain in order. */
static int list_trail(struct run *run, const char *path, const char ***files, size_t *count)
{
    DIR *folder = opendir(path);
    size_t cap = 0;
    if (folder == NULL)
        return cli_fail(&command, CLI_CANNOT, "cannot read \"%s\": %s", path, strerror(errno));
    const struct dirent *entry;
    bool whole = true;
    while (whole && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (!is_trail_file(dirfd(folder), name))
            continue;
        const char **grown = arena_grow(run->arena, *files, *count, &cap, sizeof(char *));
        whole = grown != NULL;
        if (whole) {
            *files = grown;
            grown[*count] = arena_printf(run->arena, "%s/%s", path, name);
            whole = grown[(*count)++] != NULL;
        }
    }
    (void)closedir(folder);
    if (!whole)
        return cli_fail(&command, CLI_CANNOT, "out of memory");
    if (*count == 0)
        return cli_fail(&command, CLI_CANNOT, "%s holds no audit file", path);
    qsort(*files, *count, sizeof(char *), by_name);
    return CLI_FINE;
}

static int read_trail(struct run *run, const char *path)
{
    const char **files = NULL;
    size_t count = 0;
    int code = list_trail(run, path, &files, &count);
    for (size_t i = 0; i < count && code == CLI_FINE; i++)
        code = read_log(run, files[i], LOGREAD_AUDIT);
    return code;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static void add_size(struct run *run, const char *path)
{
    struct stat about;
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
        run->total += (uint64_t)about.st_size;
}

static int read_all(struct run *run, char **paths, size_t count, enum logread_format format)
{
    int code = CLI_FINE;
    for (size_t i = 0; i < count && code == CLI_FINE; i++) {
        if (is_folder(paths[i])) {
            const char **files = NULL;
            size_t files_count = 0;
            code = list_trail(run, paths[i], &files, &files_count);
            for (size_t k = 0; k < files_count; k++)
                add_size(run, files[k]);
        } else {
            add_size(run, paths[i]);
        }
    }
    for (size_t i = 0; i < count && code == CLI_FINE; i++)
        code = is_folder(paths[i]) ? read_trail(run, paths[i]) : read_log(run, paths[i], format);
    clear_progress(run);
    return code;
}

/* ---- what to judge by ---- */

static int load_policy(struct run *run)
{
    bool config = options.policy == NULL || options.database != NULL;
    const char *path = options.config == NULL ? CLI_DEFAULT_CONFIG : options.config;
    if (config && cli_load_config(path, &run->config, stderr) != CLI_FINE)
        return CLI_CANNOT;
    const char *policy = options.policy == NULL ? run->config->policy : options.policy;
    return cli_load_policy(policy, &run->policy, stderr) == CLI_FINE ? CLI_FINE : CLI_CANNOT;
}

static int load_live(struct run *run)
{
    const struct config_database *database = cli_database(&command, run->config, options.database);
    struct buf why;
    if (database == NULL)
        return CLI_CANNOT;
    buf_init(&why, 65536);
    int code = CLI_FINE;
    if (catalog_load(database->conninfo, run->policy, &run->catalog, &why) != OK)
        code = cli_fail(&command, CLI_CANNOT, "cannot read the catalog of \"%s\": %.*s",
                        database->name, (int)buf_len(&why),
                        buf_len(&why) ? (const char *)buf_head(&why) : "");
    buf_free(&why);
    return code;
}

/* Guards that stand are used; else those that deploy would make. */
static int make_observer(struct run *run)
{
    struct buf why;
    struct catalog *planned = NULL;
    buf_init(&why, 0);
    bool deployed = strcmp(run->catalog->generation_digest, run->policy->digest) == 0;
    enum status status = deployed ? OK : observe_plan(run->policy, run->catalog, &planned, &why);
    if (status == OK && buf_len(&why) > 0)
        (void)fprintf(stderr,
                      "pgvigil replay: the policy could not be deployed as it is; what follows has "
                      "no guard, and is refused:\n%.*s",
                      (int)buf_len(&why), (const char *)buf_head(&why));
    if (status == OK)
        status = observer_new(run->policy, deployed ? run->catalog : planned, &run->observer);
    catalog_unref(planned);
    buf_free(&why);
    return status == OK ? CLI_FINE : cli_fail(&command, CLI_CANNOT, "%s", status_name(status));
}

/* ---- lists of options ---- */

/* "a,b" into the arena. */
static const char **split(struct run *run, const char *text, size_t *count)
{
    const char **list = arena_zalloc(run->arena, REPLAY_LIST_MAX, sizeof(*list));
    *count = 0;
    for (const char *at = text;
         list != NULL && at != NULL && *at != '\0' && *count < REPLAY_LIST_MAX;) {
        size_t len = strcspn(at, ",");
        if (len > 0)
            list[(*count)++] = arena_strndup(run->arena, at, len);
        at += len + (at[len] == ',');
    }
    return list;
}

/* LOGIN=USER[/ROLE[/MISSION]] */
static bool read_login(char *text, struct replay_login *login)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0')
        return false;
    *equals = '\0';
    char *role = strchr(equals + 1, '/');
    char *mission = role == NULL ? NULL : strchr(role + 1, '/');
    if (role != NULL)
        *role++ = '\0';
    if (mission != NULL)
        *mission++ = '\0';
    *login = (struct replay_login){text, equals + 1, role, mission};
    return true;
}

static int read_logins(struct run *run)
{
    size_t count = 0;
    size_t cap = 0;
    struct replay_login *logins = NULL;
    char *list = arena_strdup(run->arena, options.map == NULL ? "" : options.map);
    char *save = NULL;
    for (char *one = list == NULL ? NULL : strtok_r(list, ",", &save); one != NULL;
         one = strtok_r(NULL, ",", &save)) {
        logins = arena_grow(run->arena, logins, count, &cap, sizeof(*logins));
        if (logins == NULL)
            return cli_fail(&command, CLI_CANNOT, "out of memory");
        if (!read_login(one, &logins[count++]))
            return cli_fail(&command, CLI_USAGE,
                            "--map wants LOGIN=USER[/ROLE[/MISSION]],..., not \"%s\"", options.map);
    }
    if (options.user != NULL) {
        logins = arena_grow(run->arena, logins, count, &cap, sizeof(*logins));
        if (logins == NULL)
            return cli_fail(&command, CLI_CANNOT, "out of memory");
        logins[count++] = (struct replay_login){NULL, options.user, options.role, options.mission};
    }
    run->replay_options.logins = logins;
    run->replay_options.login_count = count;
    return CLI_FINE;
}

/* A name that the policy does not have is the command line's mistake, and not one finding for each
 * line of the log. */
static int check_logins(const struct run *run)
{
    const struct replay_options *replay = &run->replay_options;
    for (size_t i = 0; i < replay->login_count; i++) {
        const struct replay_login *login = &replay->logins[i];
        if (policy_find_user(run->policy, login->user) == NULL)
            return cli_fail(&command, CLI_USAGE, "the policy has no user \"%s\"", login->user);
        if (login->role != NULL && policy_find_role(run->policy, login->role) < 0)
            return cli_fail(&command, CLI_USAGE, "the policy has no role \"%s\"", login->role);
        if (login->mission != NULL && policy_find_mission(run->policy, login->mission) < 0)
            return cli_fail(&command, CLI_USAGE, "the policy has no mission \"%s\"",
                            login->mission);
    }
    return CLI_FINE;
}

static int read_format(enum logread_format *format)
{
    static const char *const names[] = {"", "csv", "json", "stderr", "audit"};
    *format = LOGREAD_GUESS;
    if (options.format == NULL)
        return CLI_FINE;
    for (int i = LOGREAD_CSV; i <= LOGREAD_AUDIT; i++) {
        if (strcmp(options.format, names[i]) == 0) {
            *format = (enum logread_format)i;
            return CLI_FINE;
        }
    }
    return cli_fail(&command, CLI_USAGE, "--format is csv, json, stderr or audit, not \"%s\"",
                    options.format);
}

/* ---- the command ---- */

static int check_usage(void)
{
    bool judges = options.catalog != NULL || options.database != NULL;
    if (options.observed && judges)
        return cli_fail(&command, CLI_USAGE,
                        "--observed judges nothing: leave out --catalog and --database");
    if (!options.observed && !judges)
        return cli_fail(&command, CLI_USAGE,
                        "which catalog? --catalog FILE (pgvigil check --save-catalog writes one) "
                        "or --database NAME");
    if (options.catalog != NULL && options.database != NULL)
        return cli_fail(&command, CLI_USAGE, "--catalog or --database, not both");
    if (options.user == NULL && (options.role != NULL || options.mission != NULL))
        return cli_fail(&command, CLI_USAGE, "--role and --mission need --user");
    if (options.each && options.json)
        return cli_fail(&command, CLI_USAGE, "--each prints no report: leave out --json");
    return CLI_FINE;
}

static int prepare(struct run *run)
{
    struct replay_options *replay = &run->replay_options;
    replay->path = split(run, options.path == NULL ? "public" : options.path, &replay->path_count);
    replay->settings = split(run, options.settings, &replay->setting_count);
    replay->skipped = split(run, options.skip, &replay->skipped_count);
    int code = read_logins(run);
    if (code == CLI_FINE && !options.observed)
        code = load_policy(run);
    if (code == CLI_FINE && !options.observed)
        code = check_logins(run);
    if (code == CLI_FINE && options.catalog != NULL)
        code = catalog_file_open(&command, options.catalog, &run->catalog);
    if (code == CLI_FINE && options.database != NULL)
        code = load_live(run);
    if (code == CLI_FINE && !options.observed)
        code = make_observer(run);
    if (code != CLI_FINE)
        return code;
    replay->database = options.log_database != NULL ? options.log_database
                       : run->catalog == NULL       ? NULL
                                                    : run->catalog->database;
    if (replay->database != NULL && strcmp(replay->database, "*") == 0)
        replay->database = NULL;
    replay->trail_database = options.log_database != NULL ? replay->database : options.database;
    run->replay = replay_new(run->policy, run->observer, replay);
    run->report = report_new();
    run->terminal = isatty(STDERR_FILENO) == 1;
    return run->replay == NULL || run->report == NULL || arena_failed(run->arena)
               ? cli_fail(&command, CLI_CANNOT, "out of memory")
               : CLI_FINE;
}

static int print_report(struct run *run)
{
    enum status status = OK;
    if (options.json)
        status = report_print_json(run->report, &run->left_out, stdout);
    else if (!options.each)
        report_print(run->report, &run->left_out, stdout);
    if (status != OK || fflush(stdout) != 0)
        return cli_fail(&command, CLI_CANNOT, "the report cannot be written");
    return report_refused(run->report) > 0 ? CLI_FINDINGS : CLI_FINE;
}

int cmd_replay(int argc, char **argv)
{
    char **paths = NULL;
    size_t count = 0;
    enum logread_format format = LOGREAD_GUESS;
    int code = cli_parse(&command, argc, argv, &paths, &count);
    if (code != CLI_CONTINUE)
        return code;
    code = check_usage();
    if (code == CLI_FINE)
        code = read_format(&format);
    if (code != CLI_FINE)
        return code;
    struct run run = {.arena = arena_new(0)};
    code = run.arena == NULL ? CLI_CANNOT : prepare(&run);
    if (code == CLI_FINE)
        code = read_all(&run, paths, count, format);
    if (code == CLI_FINE)
        code = print_report(&run);
    report_free(run.report);
    replay_free(run.replay);
    observer_free(run.observer);
    catalog_unref(run.catalog);
    policy_unref(run.policy);
    config_free(run.config);
    arena_free(run.arena);
    return code;
}
