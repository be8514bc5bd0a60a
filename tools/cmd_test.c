/*
 * cmd_test.c: `pgvigil test`: what a policy gives and refuses, tested like code.
 *
 * Decisions need files only; with --database the statements run, and are rolled back. One line a
 * test, or TAP for machines.
 */
#include "proxy/world.h"
#include "tools/catalog_file.h"
#include "tools/cli.h"
#include "tools/policy_test.h"

#include <stdlib.h>
#include <string.h>

struct options {
    const char *config;
    const char *policy;
    const char *catalog;
    const char *database;
    const char *as;
    bool tap;
};

static struct options options;

static const struct cli_option option_table[] = {
    {'c', "config", "FILE", "the configuration; default " CLI_DEFAULT_CONFIG ", when it is needed",
     &options.config, NULL},
    {'p', "policy", "PATH", "this policy, not the configuration's or the test file's",
     &options.policy, NULL},
    {0, "catalog", "FILE", "this saved catalog, not the test file's", &options.catalog, NULL},
    {'d', "database", "NAME", "run the statements in this database, and look at rows",
     &options.database, NULL},
    {0, "as", "CONNINFO", "who sees the tables without guards, for \"differs\"", &options.as, NULL},
    {0, "tap", NULL, "print TAP (Test Anything Protocol)", NULL, &options.tap},
    {.name = NULL}};

static const struct cli_command command = {
    .name = "test",
    .operands = "TESTFILE...",
    .about =
        "Runs tests of a policy: each names a person, a role, a mission and a statement, and says "
        "what must\ncome of it: the relations and columns, shown or masked, that it gives, or why "
        "it is refused. Without\n--database nothing but files is read: policy, tests and a catalog "
        "that `pgvigil check --save-catalog`\nhas written. With it the statements run as serve "
        "would run them, in transactions that are rolled back,\nand counts and values are "
        "compared. No value of a row is ever printed.",
    .exits = "Exit status: 0 all tests are ok, 1 a test failed, 2 wrong usage or a file is wrong, "
             "3 cannot be done.",
    .options = option_table,
    .min_operands = 1,
    .max_operands = 4096};

/* ---- counting and telling ---- */

struct run {
    struct config *config;
    struct world *world; /* with --database: policy, catalog and keys as serve has them */
    struct test_database database;
    struct test_bench bench; /* of the file before, kept while policy and catalog stay */
    struct policy *policy;
    char *bench_policy;
    char *bench_catalog;
    struct arena *arena;
    size_t done, failed, rowless;
};

/* A test's name or a finding may hold what TAP or a terminal would take for its own. */
static void print_line(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        (void)putchar(byte < 0x20 || byte == 0x7f || (options.tap && byte == '#') ? ' ' : byte);
    }
}

static void print_wrong(const struct buf *wrong)
{
    const char *at = buf_len(wrong) == 0 ? "" : (const char *)buf_head(wrong);
    size_t left = buf_len(wrong);
    while (left > 0) {
        const char *end = memchr(at, '\n', left);
        size_t len = end == NULL ? left : (size_t)(end - at);
        printf(options.tap ? "# " : "        ");
        print_line(at, len);
        (void)putchar('\n');
        at += len + (end == NULL ? 0 : 1);
        left -= len + (end == NULL ? 0 : 1);
    }
}

static void print_test(struct run *run, const struct test_case *test, const struct buf *wrong)
{
    bool fine = buf_len(wrong) == 0 && !wrong->failed;
    run->done++;
    run->failed += fine ? 0 : 1;
    if (options.tap)
        printf("%s %zu - ", fine ? "ok" : "not ok", run->done);
    else
        printf("%s", fine ? "ok      " : "FAILED  ");
    print_line(test->name, strlen(test->name));
    if (!fine && options.tap)
        printf("\n# %s:%u", test->place.file, test->place.line);
    else if (!fine)
        printf(" (%s:%u)", test->place.file, test->place.line);
    (void)putchar('\n');
    if (wrong->failed)
        printf(options.tap ? "# out of memory\n" : "        out of memory\n");
    print_wrong(wrong);
}

static int one_test(struct run *run, const struct test_case *test)
{
    struct test_outcome outcome;
    struct buf wrong;
    bool rows = run->database.guarded != NULL;
    buf_init(&wrong, (size_t)1 << 20);
    enum status status = test_judge(&run->bench, test, &outcome);
    if (status == OK && rows)
        status = test_run_rows(&run->bench, &run->database, test, &outcome, &wrong);
    if (status == OK) {
        test_compare(&run->bench, test, &outcome, rows, &wrong);
        print_test(run, test, &wrong);
        run->rowless += !rows && test_wants_rows(test) ? 1 : 0;
    } else {
        (void)fflush(stdout);
        (void)cli_fail(&command, CLI_CANNOT, "%s:%u: %s: %.*s", test->place.file, test->place.line,
                       status_name(status), (int)buf_len(&wrong),
                       buf_len(&wrong) ? (const char *)buf_head(&wrong) : "");
    }
    buf_free(&wrong);
    arena_reset(run->arena);
    return status == OK ? CLI_FINE : CLI_CANNOT;
}

/* ---- what tests are judged by ---- */

static int print_errors(struct policy_errors *errors, enum status status, const char *path)
{
    struct buf text;
    buf_init(&text, (size_t)64 << 20);
    policy_errors_print(errors, &text);
    policy_errors_free(errors);
    if (buf_len(&text) > 0)
        (void)fwrite(buf_head(&text), 1, buf_len(&text), stderr);
    else if (status != OK)
        (void)cli_fail(&command, CLI_CANNOT, "%s: %s", path, status_name(status));
    buf_free(&text);
    if (status == OK)
        return CLI_FINE;
    return status == ERR_MEMORY ? CLI_CANNOT : CLI_USAGE;
}

static int load_config(struct run *run)
{
    if (run->config != NULL)
        return CLI_FINE;
    const char *path = options.config == NULL ? CLI_DEFAULT_CONFIG : options.config;
    return cli_load_config(path, &run->config, stderr) == CLI_FINE ? CLI_FINE : CLI_USAGE;
}

static bool equal(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static int remember(char **place, const char *text)
{
    free(*place);
    *place = strdup(text);
    return *place == NULL ? cli_fail(&command, CLI_CANNOT, "out of memory") : CLI_FINE;
}

/* The command line beats the test file, which beats a configuration that nobody named. */
static int policy_path(struct run *run, const struct test_file *file, const char **path)
{
    *path = options.policy;
    if (*path == NULL && options.config == NULL)
        *path = file->policy;
    if (*path != NULL)
        return CLI_FINE;
    int code = load_config(run);
    *path = code == CLI_FINE ? run->config->policy : NULL;
    return code;
}

static int make_bench(struct run *run, const char *policy, const char *saved)
{
    struct policy_errors errors;
    struct catalog *catalog = NULL;
    struct buf why;
    test_bench_free(&run->bench);
    policy_unref(run->policy);
    run->policy = NULL;
    enum status status = policy_load(policy, &run->policy, &errors);
    int code = print_errors(&errors, status, policy);
    if (code != CLI_FINE)
        return code;
    status = catalog_file_read(saved, &catalog, &errors);
    code = print_errors(&errors, status, saved);
    buf_init(&why, (size_t)1 << 20);
    if (code == CLI_FINE) {
        status = test_bench_make(run->policy, catalog, run->arena, &run->bench, &why);
        if (status == ERR_INVALID)
            code =
                cli_fail(&command, CLI_USAGE, "%s cannot be deployed over %s:\n%.*s", policy, saved,
                         (int)buf_len(&why), buf_len(&why) ? (const char *)buf_head(&why) : "");
        else if (status != OK)
            code = cli_fail(&command, CLI_CANNOT, "%s", status_name(status));
    }
    buf_free(&why);
    catalog_unref(catalog);
    return code;
}

static int bench_for(struct run *run, const char *path, const struct test_file *file)
{
    const char *policy = NULL;
    const char *saved = options.catalog == NULL ? file->catalog : options.catalog;
    if (run->database.guarded != NULL)
        return CLI_FINE; /* all files are tested against what is deployed there */
    int code = policy_path(run, file, &policy);
    if (code != CLI_FINE)
        return code;
    if (saved == NULL)
        return cli_fail(&command, CLI_USAGE,
                        "%s names no catalog: --catalog FILE (pgvigil check --save-catalog writes "
                        "one), or --database NAME",
                        path);
    if (equal(policy, run->bench_policy) && equal(saved, run->bench_catalog))
        return CLI_FINE;
    code = remember(&run->bench_policy, policy);
    if (code == CLI_FINE)
        code = remember(&run->bench_catalog, saved);
    return code == CLI_FINE ? make_bench(run, policy, saved) : code;
}

/* ---- the database ---- */

/* The conninfo's own options and serve's start-up options, which hold the pseudonym keys. */
static PGconn *connect_guarded(const char *conninfo, const char *keys)
{
    struct buf own;
    buf_init(&own, 0);
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
    for (const PQconninfoOption *at = parsed; at != NULL && at->keyword != NULL; at++)
        if (at->val != NULL && strcmp(at->keyword, "options") == 0)
            buf_printf(&own, "%s ", at->val);
    PQconninfoFree(parsed);
    buf_cstr(&own, keys == NULL ? "" : keys);
    const char *keywords[] = {"dbname", "client_encoding", "application_name", "options", NULL};
    const char *values[] = {conninfo, "UTF8", "pgvigil test",
                            own.failed ? "" : (const char *)buf_head(&own), NULL};
    PGconn *conn = own.failed ? NULL : PQconnectdbParams(keywords, values, 1);
    if (own.data != NULL)
        explicit_bzero(own.data, own.cap);
    buf_free(&own);
    return conn;
}

static void quiet(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static int connected(PGconn *conn, const char *what)
{
    if (PQstatus(conn) == CONNECTION_OK) {
        (void)PQsetNoticeReceiver(conn, quiet, NULL);
        return CLI_FINE;
    }
    return cli_fail(&command, CLI_CANNOT, "cannot connect%s: %s", what,
                    conn == NULL ? "out of memory" : PQerrorMessage(conn));
}

/* Policy, catalog and keys as serve would have them. */
static int make_world(struct run *run, const struct config_database *database)
{
    struct config one = *run->config;
    struct buf why;
    one.databases = database;
    one.database_count = 1;
    one.listen.certificate = NULL; /* clients' business, not that of tests */
    if (options.policy != NULL)
        one.policy = options.policy;
    buf_init(&why, (size_t)1 << 20);
    enum status status = world_make(&one, NULL, true, &run->world, &why);
    int code = CLI_FINE;
    if (status != OK || buf_len(&why) > 0)
        code = cli_fail(&command, status == ERR_INVALID ? CLI_USAGE : CLI_CANNOT, "%.*s",
                        (int)buf_len(&why), buf_len(&why) ? (const char *)buf_head(&why) : "");
    buf_free(&why);
    return code;
}

static int connect_database(struct run *run)
{
    int code = load_config(run);
    if (code != CLI_FINE)
        return code;
    const struct config_database *database = cli_database(&command, run->config, options.database);
    code = database == NULL ? CLI_USAGE : make_world(run, database);
    if (code != CLI_FINE)
        return code;
    struct catalog *catalog = run->world->databases[0].catalog;
    if (catalog == NULL)
        return cli_fail(&command, CLI_CANNOT, "the policy has unrestricted roles only");
    test_bench_live(run->world->policy, catalog, run->arena, &run->bench);
    run->database.guarded = connect_guarded(database->conninfo, run->world->databases[0].keys);
    code = connected(run->database.guarded, "");
    if (code == CLI_FINE && database->unrestricted != NULL) {
        run->database.unrestricted = PQconnectdb(database->unrestricted);
        code = connected(run->database.unrestricted, " for unrestricted roles");
    }
    if (code == CLI_FINE && options.as != NULL)
        code = cli_connect_dba(&command, database, options.as, &run->database.plain);
    if (code == CLI_FINE && run->database.plain != NULL)
        (void)PQsetNoticeReceiver(run->database.plain, quiet, NULL);
    return code;
}

/* ---- the work ---- */

static int read_files(char **paths, size_t count, struct test_file *files)
{
    int worst = CLI_FINE;
    for (size_t i = 0; i < count; i++) {
        struct policy_errors errors;
        enum status status = test_file_read(paths[i], &files[i], &errors);
        int code = print_errors(&errors, status, paths[i]);
        if (code == CLI_FINE && files[i].count == 0)
            code =
                cli_fail(&command, CLI_USAGE, "%s: no tests here: tests = ( { ... } );", paths[i]);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int run_files(struct run *run, char **paths, size_t count, const struct test_file *files)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += files[i].count;
    int code = options.database == NULL ? CLI_FINE : connect_database(run);
    for (size_t i = 0; i < count && code == CLI_FINE; i++) {
        code = bench_for(run, paths[i], &files[i]);
        if (code == CLI_FINE && options.tap && i == 0)
            printf("TAP version 13\n1..%zu\n", total);
        for (size_t k = 0; k < files[i].count && code == CLI_FINE; k++)
            code = one_test(run, &files[i].cases[k]);
    }
    if (code != CLI_FINE && options.tap && run->done > 0)
        printf("Bail out!\n");
    if (code != CLI_FINE)
        return code;
    if (!options.tap) {
        printf("%zu tests: %zu ok, %zu failed\n", run->done, run->done - run->failed, run->failed);
        if (run->rowless > 0)
            printf("the rows of %zu were not looked at: that needs --database\n", run->rowless);
    }
    return run->failed > 0 ? CLI_FINDINGS : CLI_FINE;
}

int cmd_test(int argc, char **argv)
{
    char **paths = NULL;
    size_t count = 0;
    options = (struct options){0};
    int code = cli_parse(&command, argc, argv, &paths, &count);
    if (code != CLI_CONTINUE)
        return code;
    if (options.as != NULL && options.database == NULL)
        return cli_fail(&command, CLI_USAGE, "--as needs --database");
    struct run run = {.arena = arena_new((size_t)1 << 30)};
    struct test_file *files = calloc(count, sizeof *files);
    if (run.arena == NULL || files == NULL)
        code = cli_fail(&command, CLI_CANNOT, "out of memory");
    else if ((code = read_files(paths, count, files)) == CLI_FINE)
        code = run_files(&run, paths, count, files);
    PQfinish(run.database.guarded);
    PQfinish(run.database.plain);
    PQfinish(run.database.unrestricted);
    test_bench_free(&run.bench);
    policy_unref(run.policy);
    world_unref(run.world);
    config_free(run.config);
    for (size_t i = 0; files != NULL && i < count; i++)
        test_file_free(&files[i]);
    free(files);
    free(run.bench_policy);
    free(run.bench_catalog);
    arena_free(run.arena);
    return code;
}
