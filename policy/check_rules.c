/*
 * check_rules.c: rules: from raw entries to the policy's list, with names resolved.
 *
 * What depends on several rules at once, or on the tables they reach, is in check_reach.c.
 */
#include "expression_check.h"
#include "load.h"
#include "private.h"

#include <string.h>

struct names {
    const char **roles;
    const char **missions;
    const char **masks;
    const char **filters;
};

static bool gather_names(struct loader *loader, struct names *names)
{
    const struct policy *policy = loader->policy;
    struct arena *arena = loader->arena;
    names->roles = arena_alloc(arena, (policy->role_count + 1) * sizeof(char *));
    names->missions = arena_alloc(arena, (policy->mission_count + 1) * sizeof(char *));
    names->masks = arena_alloc(arena, (policy->mask_count + 1) * sizeof(char *));
    names->filters = arena_alloc(arena, (policy->filter_count + 1) * sizeof(char *));
    if (arena_failed(arena) || names->filters == NULL || names->masks == NULL ||
        names->missions == NULL || names->roles == NULL)
        return false;
    for (size_t i = 0; i < policy->role_count; i++)
        names->roles[i] = policy->roles[i].name;
    for (size_t i = 0; i < policy->mission_count; i++)
        names->missions[i] = policy->missions[i].name;
    for (size_t i = 0; i < policy->mask_count; i++)
        names->masks[i] = policy->masks[i].name;
    for (size_t i = 0; i < policy->filter_count; i++)
        names->filters[i] = policy->filters[i].name;
    return true;
}

static void check_not_empty(struct loader *loader, const struct raw_names *names, const char *key)
{
    if (names->place.file != NULL && names->count == 0)
        load_report(loader, names->place, "\"%s\" of a rule is empty: name at least one", key);
}

/* Every role must have one of the missions, and every mission one of the roles: else the rule says
 * something that never applies. */
static void check_who(struct loader *loader, struct raw_rule *raw, const struct policy_rule *rule)
{
    const struct policy *policy = loader->policy;
    for (size_t r = 0; r < rule->role_count; r++) {
        const struct policy_role *role = &policy->roles[rule->roles[r]];
        bool any = rule->mission_count == 0;
        if (role->unrestricted)
            load_report(
                loader, raw->roles.place,
                "role \"%s\" is unrestricted: no rule may name it, since none is applied to it",
                role->name);
        for (size_t m = 0; m < rule->mission_count; m++)
            any =
                any || policy_role_has_mission(policy, (int)rule->roles[r], (int)rule->missions[m]);
        if (!any)
            load_report(
                loader, raw->missions.place,
                "role \"%s\" has none of this rule's missions: the rule would never apply to it",
                role->name);
    }
    for (size_t m = 0; m < rule->mission_count; m++) {
        bool any = rule->role_count == 0;
        for (size_t r = 0; r < rule->role_count; r++)
            any =
                any || policy_role_has_mission(policy, (int)rule->roles[r], (int)rule->missions[m]);
        if (!any)
            load_report(loader, raw->missions.place,
                        "mission \"%s\" belongs to none of this rule's roles: the rule would never "
                        "apply under it",
                        policy->missions[rule->missions[m]].name);
    }
}

static void resolve_rows(struct loader *loader, struct raw_rule *raw, struct policy_rule *rule,
                         const struct names *names)
{
    const struct policy *policy = loader->policy;
    bool subject = false;
    const char *what = NULL;
    rule->rows = raw->rows.text;
    if (raw->rows.text != NULL && expression_check(policy, raw->rows.text, EXPRESSION_FILTER,
                                                   loader->arena, &subject, &what) != OK)
        load_report(loader, raw->rows.place, "rows: %s", what == NULL ? "out of memory" : what);
    if (raw->filter.text == NULL)
        return;
    if (raw->rows.text != NULL)
        load_report(loader, raw->filter.place,
                    "a rule has \"rows\" or \"filter\", not both: join them with AND in \"rows\"");
    int index = check_find(loader, &raw->filter, "filter", names->filters, policy->filter_count);
    if (index < 0)
        return;
    rule->filter_name = policy->filters[index].name;
    rule->rows = policy->filters[index].expression;
}

static void resolve_columns(struct loader *loader, struct raw_rule *raw, struct policy_rule *rule,
                            const struct names *names)
{
    struct policy_column_rule *columns =
        arena_zalloc(loader->arena, raw->column_count + 1, sizeof(*columns));
    if (columns == NULL)
        return;
    for (size_t i = 0; i < raw->column_count; i++) {
        struct raw_name mask = {.text = raw->columns[i].mask, .place = raw->columns[i].name.place};
        int index = check_find(loader, &mask, "mask", names->masks, loader->policy->mask_count);
        columns[rule->column_count++] =
            (struct policy_column_rule){.name = raw->columns[i].name.text,
                                        .mask = index < 0 ? MASK_HIDE : (uint32_t)index,
                                        .place = raw->columns[i].name.place};
        raw->bad_masks = raw->bad_masks || index < 0;
    }
    rule->columns = columns;
}

static const char *const *texts(struct loader *loader, const struct raw_names *names, size_t *count)
{
    const char **list = arena_alloc(loader->arena, (names->count + 1) * sizeof(*list));
    *count = 0;
    for (size_t i = 0; list != NULL && i < names->count; i++)
        list[(*count)++] = names->items[i].text;
    return list;
}

static const char *const *table_names(struct loader *loader, const struct raw_names *names,
                                      size_t *count)
{
    const char **list = arena_alloc(loader->arena, (names->count + 1) * sizeof(*list));
    *count = 0;
    for (size_t i = 0; list != NULL && i < names->count; i++)
        if (check_relation_name(loader, names->items[i].place, "a table", names->items[i].text))
            list[(*count)++] = names->items[i].text;
    return list;
}

static void resolve_rule(struct loader *loader, struct raw_rule *raw, struct policy_rule *rule,
                         const struct names *names)
{
    const struct policy *policy = loader->policy;
    rule->place = raw->place;
    check_not_empty(loader, &raw->roles, "roles");
    check_not_empty(loader, &raw->missions, "missions");
    check_not_empty(loader, &raw->tables, "tables");
    rule->roles = check_indexes(loader, &raw->roles, "role", names->roles, policy->role_count,
                                &rule->role_count);
    rule->missions = check_indexes(loader, &raw->missions, "mission", names->missions,
                                   policy->mission_count, &rule->mission_count);
    check_who(loader, raw, rule);
    rule->tables = table_names(loader, &raw->tables, &rule->table_count);
    resolve_rows(loader, raw, rule, names);
    resolve_columns(loader, raw, rule, names);
    rule->insert = texts(loader, &raw->insert, &rule->insert_count);
    rule->update = texts(loader, &raw->update, &rule->update_count);
    rule->delete_rows = raw->delete_rows;
    rule->truncate = raw->truncate;
    if (rule->truncate && (raw->rows.text != NULL || raw->filter.text != NULL))
        load_report(loader, raw->truncate_place,
                    "\"truncate\" takes every row of a table, and this rule shows only some: leave "
                    "it out, \"delete\" takes those that are shown");
}

void check_rules(struct loader *loader)
{
    struct policy *policy = loader->policy;
    struct raw_rule *raw = loader->rules.items;
    struct names names = {0};
    struct policy_rule *rules =
        arena_zalloc(loader->arena, loader->rules.count + 1, sizeof(*rules));
    if (rules == NULL || !gather_names(loader, &names))
        return;
    for (size_t i = 0; i < loader->rules.count; i++)
        resolve_rule(loader, &raw[i], &rules[i], &names);
    policy->rules = rules;
    policy->rule_count = loader->rules.count; /* rules[i] is raw[i]: check_reach.c relies on it */
    if (arena_failed(loader->arena))
        return;
    if (policy_index_rules(policy) != OK)
        load_report(loader, (struct policy_place){.file = policy->path}, "out of memory");
    else
        check_rule_pairs(loader);
}
