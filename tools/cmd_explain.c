/*
 * cmd_explain.c: `pgvigil explain`: what a statement may see, why, and what would run.
 *
 * Judges with the same library as serve, against the live catalog and the policy files as they are
 * now; nothing is sent but the catalog's own queries. It prints policy and SQL, never a row.
 */
#include "proxy/catalog_load.h"
#include "tools/cli.h"

#include <pgvigil/guard.h>
#include <pgvigil/judge.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LIST 32

struct explain {
    const struct cli_command *command;
    const char *config_path;
    const char *database;
    const char *user;
    const char *role;
    const char *mission;
    const char *path;
    const char *settings;
    struct config *config;
    struct policy *policy;
    struct catalog *catalog;
    struct arena *arena;
};

/* ---- who ---- */

static int choose_role(const struct explain *explain, const struct policy_user *user)
{
    const struct policy *policy = explain->policy;
    for (size_t i = 0; i < user->role_count; i++) {
        if (!explain->role || strcmp(policy->roles[user->roles[i]].name, explain->role) == 0)
            return (int)user->roles[i];
    }
    (void)cli_fail(explain->command, CLI_CANNOT,
                   "user \"%s\" has no role \"%s\"; it has:", user->name, explain->role);
    for (size_t i = 0; i < user->role_count; i++)
        (void)fprintf(stderr, "  %s\n", policy->roles[user->roles[i]].name);
    return -1;
}

static int choose_mission(const struct explain *explain, int role)
{
    const struct policy *policy = explain->policy;
    const struct policy_role *entry = &policy->roles[role];
    if (!explain->mission && entry->default_mission >= 0)
        return entry->default_mission;
    if (!explain->mission && entry->mission_count > 0)
        return (int)entry->missions[0];
    int mission = explain->mission ? policy_find_mission(policy, explain->mission) : -1;
    if (mission >= 0 && policy_role_has_mission(policy, role, mission))
        return mission;
    (void)cli_fail(explain->command, CLI_CANNOT,
                   "role \"%s\" has no mission \"%s\"; it has:", entry->name,
                   explain->mission ? explain->mission : "");
    for (size_t i = 0; i < entry->mission_count; i++)
        (void)fprintf(stderr, "  %s\n", policy->missions[entry->missions[i]].name);
    return -1;
}

/* "a,b" into the arena. */
static size_t split_list(struct explain *explain, const char *text, const char **list)
{
    size_t count = 0;
    for (const char *at = text; at && *at && count < MAX_LIST;) {
        size_t len = strcspn(at, ",");
        if (len > 0)
            list[count++] = arena_strndup(explain->arena, at, len);
        at += len + (at[len] == ',');
    }
    return count;
}

/* ---- printing ---- */

/* Continuation lines stand under the first one. */
static void print_text(const char *label, const char *text)
{
    printf("%-12s", label);
    for (const char *at = text; *at; at++) {
        (void)putchar(*at);
        if (*at == '\n' && at[1])
            printf("%-12s", "");
    }
    if (!*text || text[strlen(text) - 1] != '\n')
        (void)putchar('\n');
}

static void print_written(const struct verdict_relation *relation)
{
    size_t printed = 0;
    for (size_t i = 0; i < relation->column_count; i++) {
        if (relation->columns[i].written)
            printf("%s%s", printed++ == 0 ? "  written   " : ", ", relation->columns[i].name);
    }
    if (printed > 0)
        (void)putchar('\n');
}

static void print_columns(const struct explain *explain, const struct verdict_relation *relation,
                          bool masked)
{
    size_t printed = 0;
    for (size_t i = 0; i < relation->column_count; i++) {
        const struct verdict_column *column = &relation->columns[i];
        if (!column->read || column->masked != masked)
            continue;
        if (printed++ == 0)
            printf("  %-10s", masked ? "masked" : "shown");
        else
            printf(", ");
        printf("%s", column->name);
        if (masked && relation->table && relation->rule)
            printf(" (%s)",
                   policy_mask_for(explain->policy, relation->table, relation->rule, column->name)
                       ->name);
    }
    if (printed > 0)
        (void)putchar('\n');
}

static void print_definition(const struct explain *explain, const struct verdict_relation *relation,
                             int role, int mission)
{
    const char *sql = NULL;
    const char *why = NULL;
    const char *const *columns = NULL;
    size_t count = 0;
    if (!relation->relation || !relation->guard)
        return;
    enum status status =
        guard_definition(explain->policy, explain->catalog, role, mission, relation->relation,
                         GUARD_PLAIN, explain->arena, &sql, &columns, &count, &why);
    if (status == OK)
        print_text("  view", sql);
    else if (why)
        print_text("  no guard", why);
}

/* What the rule hides of the relation: a statement that names one of these fails as if it were not
 * there. */
static void print_hidden(const struct explain *explain, const struct verdict_relation *relation)
{
    size_t printed = 0;
    if (!relation->relation || !relation->rule || !relation->table)
        return;
    for (size_t i = 0; i < relation->relation->column_count; i++) {
        const char *name = relation->relation->columns[i].name;
        if (policy_mask_for(explain->policy, relation->table, relation->rule, name)->kind !=
            MASK_HIDE)
            continue;
        if (printed++ == 0)
            printf("  %-10s", "hidden");
        else
            printf(", ");
        printf("%s", name);
    }
    if (printed > 0)
        (void)putchar('\n');
}

static void print_relation(const struct explain *explain, const struct verdict_relation *relation,
                           int role, int mission)
{
    printf("%-12s%s.%s\n", "relation", relation->schema ? relation->schema : "", relation->name);
    if (relation->rule)
        printf("  %-10s%s:%u\n", "rule", relation->rule->place.file, relation->rule->place.line);
    if (relation->rule && relation->rule->filter_name)
        printf("  %-10s%s\n", "filter", relation->rule->filter_name);
    for (size_t i = 0; relation->rule && i < relation->rule->condition_count; i++)
        printf("%s%s", i == 0 ? "  also      " : ", ", relation->rule->conditions[i]);
    if (relation->rule && relation->rule->condition_count > 0)
        (void)putchar('\n');
    print_columns(explain, relation, false);
    print_columns(explain, relation, true);
    print_written(relation);
    print_hidden(explain, relation);
    if (relation->guard)
        printf("  %-10s%s\n", "guard", relation->guard);
    print_definition(explain, relation, role, mission);
}

static void print_refusal(const struct verdict_refusal *refusal)
{
    print_text("decision", "refused");
    printf("%-12s%s: %s\n", "error", refusal->sqlstate ? refusal->sqlstate : "42501",
           refusal->message ? refusal->message : "refused");
    if (refusal->hint)
        print_text("hint", refusal->hint);
    if (refusal->reason)
        printf("%-12s%s %s\n", "reason", refusal->reason, refusal->object ? refusal->object : "");
    if (refusal->position)
        printf("%-12scharacter %zu\n", "position", refusal->position);
}

static void print_verdict(const struct explain *explain, const struct verdict *verdict, int role,
                          int mission)
{
    if (!verdict->allowed) {
        print_refusal(&verdict->refusal);
        return;
    }
    print_text("decision",
               verdict->unrestricted ? "allowed, unrestricted: runs unchanged" : "allowed");
    for (size_t i = 0; i < verdict->statement_count; i++) {
        const struct verdict_statement *statement = &verdict->statements[i];
        printf("%-12s%s\n", "statement", statement->tag ? statement->tag : "");
        for (size_t j = 0; j < statement->relation_count; j++)
            print_relation(explain, &statement->relations[j], role, mission);
    }
    if (verdict->pair)
        printf("%-12s%s\n", "runs as", verdict->pair);
    print_text("sql", verdict->sql ? verdict->sql : "");
}

/* ---- the work ---- */

static int load(struct explain *explain)
{
    int code = cli_load_config(explain->config_path, &explain->config, stderr);
    if (code != CLI_FINE)
        return CLI_CANNOT;
    if (cli_load_policy(explain->config->policy, &explain->policy, stderr) != CLI_FINE)
        return CLI_CANNOT;
    const struct config_database *database =
        cli_database(explain->command, explain->config, explain->database);
    if (!database)
        return explain->database ? CLI_CANNOT : CLI_USAGE;
    struct buf why;
    buf_init(&why, 65536);
    if (catalog_load(database->conninfo, explain->policy, &explain->catalog, &why) != OK)
        code = cli_fail(explain->command, CLI_CANNOT, "cannot read the catalog of \"%s\": %.*s",
                        database->name, (int)buf_len(&why),
                        buf_len(&why) ? (const char *)buf_head(&why) : "");
    buf_free(&why);
    return code;
}

static int judge_it(struct explain *explain, const char *sql)
{
    const struct policy_user *user = policy_find_user(explain->policy, explain->user);
    if (!user)
        return cli_fail(explain->command, CLI_CANNOT, "the policy has no user \"%s\"",
                        explain->user);
    if (user->on_behalf && user->on_behalf->absent < 0)
        return cli_fail(explain->command, CLI_CANNOT,
                        "\"%s\" acts for others and may do nothing by itself: --user is the person",
                        user->name);
    int role = choose_role(explain, user);
    int mission = role < 0 ? -1 : choose_mission(explain, role);
    if (mission < 0)
        return CLI_CANNOT;
    const char *path[MAX_LIST];
    const char *settings[MAX_LIST];
    struct judge_request request = {.policy = explain->policy,
                                    .catalog = explain->catalog,
                                    .user = user,
                                    .role = role,
                                    .mission = mission,
                                    .path = path,
                                    .path_count = split_list(explain, explain->path, path),
                                    .session_settings = settings,
                                    .session_setting_count =
                                        split_list(explain, explain->settings, settings),
                                    .sql = sql,
                                    .len = strlen(sql)};
    printf("%-12s%s as %s, mission %s\n", "user", user->name, explain->policy->roles[role].name,
           explain->policy->missions[mission].name);
    bool deployed = strcmp(explain->catalog->generation_digest, explain->policy->digest) == 0;
    printf("%-12s%s%s\n", "generation", explain->policy->generation,
           deployed ? ", deployed"
                    : ", NOT deployed: serve would not take it into force; run pgvigil deploy");
    struct verdict *verdict = NULL;
    enum status status = judge(&request, explain->arena, &verdict);
    if (!verdict)
        return cli_fail(explain->command, CLI_CANNOT, "cannot judge (%s)", status_name(status));
    print_verdict(explain, verdict, role, mission);
    return status == OK && verdict->allowed ? CLI_FINE : CLI_FINDINGS;
}

int cmd_explain(int argc, char **argv)
{
    struct explain explain = {.config_path = CLI_DEFAULT_CONFIG, .path = "public"};
    const struct cli_option options[] = {
        {'c', "config", "FILE", "the configuration; default " CLI_DEFAULT_CONFIG,
         &explain.config_path, NULL},
        {'d', "database", "NAME", "which database; not needed when there is one", &explain.database,
         NULL},
        {'u', "user", "NAME", "whose session", &explain.user, NULL},
        {'r', "role", "NAME", "one of the user's roles; default the first", &explain.role, NULL},
        {'m', "mission", "NAME", "one of the role's missions; default the role's", &explain.mission,
         NULL},
        {'p', "path", "LIST", "search_path, names with commas; default public", &explain.path,
         NULL},
        {'s', "settings", "LIST", "pgvigil.* settings the session has given", &explain.settings,
         NULL},
        {.name = NULL}};
    const struct cli_command command = {
        .name = "explain",
        .operands = "'SQL'",
        .about = "Tells what a statement may see in a session of a user: the decision, the rule "
                 "that makes it, relations,\n"
                 "columns shown and masked, the guards' definitions, and the SQL that would run. "
                 "Runs nothing of it.",
        .options = options,
        .min_operands = 1,
        .max_operands = 1};
    char **operands = NULL;
    int code = cli_parse(&command, argc, argv, &operands, NULL);
    if (code != CLI_CONTINUE)
        return code;
    explain.command = &command;
    if (!explain.user)
        return cli_fail(&command, CLI_USAGE, "whose session? --user NAME");
    explain.arena = arena_new((size_t)256 << 20);
    code = explain.arena ? load(&explain) : CLI_CANNOT;
    if (code == CLI_FINE)
        code = judge_it(&explain, operands[0]);
    catalog_unref(explain.catalog);
    policy_unref(explain.policy);
    config_free(explain.config);
    arena_free(explain.arena);
    return code;
}
