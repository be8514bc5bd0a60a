/*
 * cmd_diff.c: `pgvigil diff`: who gains and who loses what between two policies. Reads files only.
 */
#include "tools/catalog_file.h"
#include "tools/cli.h"
#include "tools/diff.h"

#include <string.h>

struct options {
    const char *catalog;
    bool only;
    bool json;
};

static struct options options;

static const struct cli_option option_table[] = {
    {0, "catalog", "FILE", "a saved catalog, for what patterns match", &options.catalog, NULL},
    {0, "gains-only", NULL, "leave out losses, and what gives nobody more or less", NULL,
     &options.only},
    {0, "json", NULL, "print JSON, every difference by itself", NULL, &options.json},
    {.name = NULL}};

static const struct cli_command command = {
    .name = "diff",
    .operands = "OLD NEW",
    .about = "Tells who gains and who loses what when the policy NEW (a directory or a file) takes "
             "the place of\nOLD: relations opened and closed, columns, conditions on rows, writes, "
             "functions, missions, users,\nlimits. Compared is what takes effect, not the text. "
             "Gains come first: they are what must be\nlooked at. Without --catalog columns are "
             "those that the policies name, and patterns stand for\nwhat they match. Reads files "
             "only.",
    .exits = "Exit status: 0 no difference, 1 differences (with --gains-only: gains or changes), "
             "2 wrong usage or\na file is wrong, 3 cannot be done.",
    .options = option_table,
    .min_operands = 2,
    .max_operands = 2};

static int load(const char *path, struct policy **policy)
{
    int code = cli_load_policy(path, policy, stderr);
    return code == CLI_FINE ? CLI_FINE : CLI_USAGE;
}

static int load_catalog(const char *path, struct catalog **catalog)
{
    bool fine = path == NULL || catalog_file_open(&command, path, catalog) == CLI_FINE;
    return fine ? CLI_FINE : CLI_USAGE;
}

static void plural(size_t count, const char *one, const char *many)
{
    printf("%zu %s", count, count == 1 ? one : many);
}

static void print_all(struct diff *diff)
{
    size_t gains = diff_count(diff, DIFF_GAIN);
    size_t changes = diff_count(diff, DIFF_CHANGE);
    size_t losses = diff_count(diff, DIFF_LOSS);
    printf("%s -> %s: ", diff->old->path, diff->new->path);
    plural(gains, "gain, ", "gains, ");
    plural(changes, "change, ", "changes, ");
    plural(losses, "loss, ", "losses, ");
    printf("%zu other\n\n", diff_count(diff, DIFF_OTHER));
    diff_print(diff, options.only, stdout);
    if (strcmp(diff->old->digest, diff->new->digest) != 0)
        printf("generation %s -> %s: NEW needs other guards (pgvigil deploy)\n",
               diff->old->generation, diff->new->generation);
}

static int compare(struct diff *diff)
{
    enum status status = diff_make(diff);
    if (status == OK && options.json)
        status = diff_print_json(diff, options.only, stdout);
    else if (status == OK)
        print_all(diff);
    if (status != OK || diff->failed)
        return cli_fail(&command, CLI_CANNOT, "%s",
                        status_name(status == OK ? ERR_MEMORY : status));
    size_t found =
        options.only ? diff_count(diff, DIFF_GAIN) + diff_count(diff, DIFF_CHANGE) : diff->count;
    return found > 0 ? CLI_FINDINGS : CLI_FINE;
}

int cmd_diff(int argc, char **argv)
{
    char **paths = NULL;
    options = (struct options){0};
    int code = cli_parse(&command, argc, argv, &paths, NULL);
    if (code != CLI_CONTINUE)
        return code;
    struct policy *old = NULL;
    struct policy *new = NULL;
    struct catalog *catalog = NULL;
    code = load(paths[0], &old);
    int other = load(paths[1], &new); /* everything that is wrong, at once */
    code = code == CLI_FINE ? other : code;
    other = load_catalog(options.catalog, &catalog);
    code = code == CLI_FINE ? other : code;
    struct diff diff = {.arena = arena_new(0), .old = old, .new = new, .catalog = catalog};
    if (code == CLI_FINE)
        code =
            diff.arena == NULL ? cli_fail(&command, CLI_CANNOT, "out of memory") : compare(&diff);
    arena_free(diff.arena);
    catalog_unref(catalog);
    policy_unref(old);
    policy_unref(new);
    return code;
}
