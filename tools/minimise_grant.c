/*
 * minimise_grant.c: what the policy gives each pair, and which part of which rule serves what was
 * used (see minimise.h).
 *
 * Relations are those that `tables` names, those of the catalog, and those that the trail has: what
 * a pattern matches is known by them.
 */
#include "tools/minimise.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* ---- targets ---- */

static size_t rule_index(const struct policy *policy, const struct policy_rule *rule)
{
    /* policy_rule_for may answer a copy that holds more conditions, with the same lists. */
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].tables == rule->tables)
            return i;
    return SIZE_MAX;
}

static bool full_matches(const char *pattern, const char *full)
{
    const char *dot = strchr(full, '.');
    const char *other = strchr(pattern, '.');
    char head[2][256];
    if (dot == NULL || other == NULL || (size_t)(dot - full) >= sizeof head[0] ||
        (size_t)(other - pattern) >= sizeof head[0])
        return false;
    (void)snprintf(head[0], sizeof head[0], "%.*s", (int)(other - pattern), pattern);
    (void)snprintf(head[1], sizeof head[1], "%.*s", (int)(dot - full), full);
    return text_matches(head[0], head[1]) && text_matches(other + 1, dot + 1);
}

/* The exact name beats the pattern, as in the policy. */
static size_t find_via(const struct policy_rule *rule, const char *full)
{
    for (size_t i = 0; i < rule->table_count; i++)
        if (strcmp(rule->tables[i], full) == 0)
            return i;
    for (size_t i = 0; i < rule->table_count; i++)
        if (strpbrk(rule->tables[i], "*?") != NULL && full_matches(rule->tables[i], full))
            return i;
    return SIZE_MAX;
}

static enum status add_column(struct minimise *minimise, struct target *target, size_t *cap,
                              const char *column)
{
    for (size_t i = 0; i < target->column_count; i++)
        if (strcmp(target->columns[i], column) == 0)
            return OK;
    const char **columns = arena_grow(minimise->arena, (void *)target->columns,
                                      target->column_count, cap, sizeof(const char *));
    if (columns == NULL)
        return ERR_MEMORY;
    target->columns = columns;
    columns[target->column_count++] = column;
    return OK;
}

/* Those that the files name, the catalog's, and those that the trail has. */
static enum status find_columns(struct minimise *minimise, struct target *target)
{
    const struct policy_table *table = target->table;
    const char *role = minimise->policy->roles[target->role].name;
    const char *mission = minimise->policy->missions[target->mission].name;
    enum status status = OK;
    size_t cap = 0;
    size_t cursor = 0;
    const char *key = NULL;
    size_t len = 0;
    void *value = NULL;
    char prefix[4096];
    for (size_t i = 0; i < table->category_count; i++)
        for (size_t k = 0; k < table->categories[i].column_count && status == OK; k++)
            if (target->relation == NULL ||
                catalog_column(target->relation, table->categories[i].columns[k]) != NULL)
                status = add_column(minimise, target, &cap, table->categories[i].columns[k]);
    for (size_t i = 0; target->relation != NULL && i < target->relation->column_count; i++)
        if (status == OK)
            status = add_column(minimise, target, &cap, target->relation->columns[i].name);
    /* The files name them all, unless a pattern of theirs puts columns into categories. */
    if (target->relation != NULL || !target->touched || table->columns_like_count == 0)
        return status;
    int prefix_len = snprintf(prefix, sizeof prefix, "%s\x1f%s\x1f%s\x1f%s\x1f", role, mission,
                              target->schema, target->name);
    while (prefix_len > 0 && prefix_len < (int)sizeof prefix && status == OK &&
           map_next(minimise->used, &cursor, &key, &len, &value))
        if (len > (size_t)prefix_len + 2 && memcmp(key, prefix, (size_t)prefix_len) == 0)
            status = add_column(
                minimise, target, &cap,
                arena_strndup(minimise->arena, key + prefix_len + 2, len - (size_t)prefix_len - 2));
    return status;
}

static enum status add_target(struct minimise *minimise, const struct pair *pair,
                              const char *schema, const char *name, struct map *seen)
{
    const struct policy *policy = minimise->policy;
    char key[1024];
    int len = snprintf(key, sizeof key, "%s\x1f%s", schema, name);
    if (len < 0 || len >= (int)sizeof key || map_get(seen, key, (size_t)len) != NULL)
        return OK;
    if (map_put(seen, key, (size_t)len, minimise) != OK)
        return ERR_MEMORY;
    struct target *target = arena_zalloc(minimise->arena, 1, sizeof(*target));
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    if (target == NULL)
        return ERR_MEMORY;
    *target = (struct target){.role = pair->role, .mission = pair->mission};
    if (minimise->catalog != NULL)
        target->relation = catalog_find(minimise->catalog, schema, name);
    if (target->relation != NULL) {
        if (!guard_governing(policy, minimise->catalog, pair->role, pair->mission, target->relation,
                             &target->table, &rule, &as))
            return OK;
    } else {
        target->table = policy_table_for(policy, schema, name);
        rule = policy_rule_for(policy, pair->role, pair->mission, schema, name);
    }
    if (rule == NULL || target->table == NULL)
        return OK;
    target->schema = arena_strdup(minimise->arena, schema);
    target->name = arena_strdup(minimise->arena, name);
    target->full = arena_printf(minimise->arena, "%s.%s", schema, name);
    target->part = as != NULL && as != target->relation;
    target->rule = rule_index(policy, rule);
    const char *ruled =
        target->part ? arena_printf(minimise->arena, "%s.%s", as->schema, as->name) : target->full;
    if (ruled == NULL || target->schema == NULL || target->name == NULL)
        return ERR_MEMORY;
    target->via =
        target->rule == SIZE_MAX ? SIZE_MAX : find_via(&policy->rules[target->rule], ruled);
    if (target->via == SIZE_MAX) {
        minimise->why = arena_printf(minimise->arena, "no rule names %s that governs it", ruled);
        return ERR_INTERNAL;
    }
    target->touched =
        minimise_used(minimise, policy->roles[pair->role].name,
                      policy->missions[pair->mission].name, schema, name, USE_TOUCH, "");
    enum status status = find_columns(minimise, target);
    struct target **targets =
        arena_grow(minimise->arena, (void *)minimise->targets, minimise->target_count,
                   &minimise->target_cap, sizeof(struct target *));
    if (status != OK || targets == NULL)
        return status != OK ? status : ERR_MEMORY;
    minimise->targets = targets;
    targets[minimise->target_count++] = target;
    struct rule_use *use = &minimise->rules[target->rule];
    targets = arena_grow(minimise->arena, (void *)use->targets, use->target_count, &use->target_cap,
                         sizeof(struct target *));
    if (targets == NULL)
        return ERR_MEMORY;
    use->targets = targets;
    targets[use->target_count++] = target;
    return OK;
}

static enum status pair_targets(struct minimise *minimise, const struct pair *pair)
{
    const struct policy *policy = minimise->policy;
    const char *role = policy->roles[pair->role].name;
    const char *mission = policy->missions[pair->mission].name;
    struct map *seen = map_new();
    enum status status = seen == NULL ? ERR_MEMORY : OK;
    for (size_t i = 0; i < policy->table_count && status == OK; i++)
        if (!policy->tables[i].pattern)
            status =
                add_target(minimise, pair, policy->tables[i].schema, policy->tables[i].name, seen);
    for (size_t i = 0; minimise->catalog != NULL && i < minimise->catalog->relation_count; i++)
        if (status == OK)
            status = add_target(minimise, pair, minimise->catalog->relations[i].schema,
                                minimise->catalog->relations[i].name, seen);
    for (size_t i = 0; i < minimise->relation_count && status == OK; i++) {
        const struct use_relation *relation = &minimise->relations[i];
        if (strcmp(relation->pair->role, role) == 0 &&
            strcmp(relation->pair->mission, mission) == 0)
            status = add_target(minimise, pair, relation->schema, relation->name, seen);
    }
    map_free(seen);
    return status;
}

/* ---- what serves what ---- */

bool minimise_speaks(const struct policy_table *table, const char *name, const char *column)
{
    const char *category = policy_category_of(table, column);
    if (category == NULL)
        return false;
    return strcmp(name, category) == 0 ||
           (strcmp(name, column) == 0 && !policy_is_category(table, column));
}

size_t minimise_entry(const struct policy_table *table, const struct policy_rule *rule,
                      const char *column)
{
    const char *category = policy_category_of(table, column);
    bool by_name = !policy_is_category(table, column);
    size_t found = SIZE_MAX;
    for (size_t i = 0; category != NULL && i < rule->column_count; i++) {
        if (by_name && strcmp(rule->columns[i].name, column) == 0)
            return i;
        if (strcmp(rule->columns[i].name, category) == 0)
            found = i;
    }
    return found;
}

bool minimise_given(const struct policy *policy, const struct policy_table *table,
                    const struct policy_rule *rule, enum use_how how, const char *column)
{
    switch (how) {
    case USE_READ:
        return policy_mask_for(policy, table, rule, column)->kind != MASK_HIDE;
    case USE_INSERT:
        return policy_may_insert(table, rule, column);
    case USE_UPDATE:
        return policy_may_update(table, rule, column);
    case USE_DELETE:
        return rule->delete_rows;
    case USE_TRUNCATE:
        return rule->truncate;
    case USE_TOUCH:
    case USE_ALL:
        break;
    }
    return true;
}

/* Was it given when the period began? */
static bool is_young(const struct minimise *minimise, const struct target *target, enum use_how how,
                     const char *column)
{
    const struct policy *was = minimise->was;
    if (was == NULL)
        return false;
    int role = policy_find_role(was, minimise->policy->roles[target->role].name);
    int mission = policy_find_mission(was, minimise->policy->missions[target->mission].name);
    const struct policy_table *table = policy_table_for(was, target->schema, target->name);
    const struct policy_rule *rule =
        policy_rule_for(was, role, mission, target->schema, target->name);
    return table == NULL || rule == NULL || !minimise_given(was, table, rule, how, column);
}

bool minimise_target_used(const struct minimise *minimise, const struct target *target,
                          enum use_how how, const char *column)
{
    const struct pair *pair = minimise_pair(minimise, target->role, target->mission);
    if (pair != NULL && pair->keep != KEEP_NOT)
        return true;
    if (how == USE_READ && target->kept != NULL && strcmp(target->kept, column) == 0)
        return true;
    if (minimise_used(minimise, minimise->policy->roles[target->role].name,
                      minimise->policy->missions[target->mission].name, target->schema,
                      target->name, how, column))
        return true;
    return (pair == NULL || !pair->gone) && is_young(minimise, target, how, column);
}

static bool inserts(const struct minimise *minimise, const struct target *target)
{
    const char *role = minimise->policy->roles[target->role].name;
    const char *mission = minimise->policy->missions[target->mission].name;
    for (size_t i = 0; i < target->column_count; i++)
        if (minimise_used(minimise, role, mission, target->schema, target->name, USE_INSERT,
                          target->columns[i]))
            return true;
    return false;
}

/* What a statement needs that does not name it: a default that only the guard can give stays where
 * rows are inserted; of a table whose rows were only counted one column stays. */
static enum status keep_unnamed(struct minimise *minimise, struct target *target)
{
    const struct policy *policy = minimise->policy;
    const struct policy_rule *rule = &policy->rules[target->rule];
    const char *first = NULL;
    bool any = false;
    for (size_t i = 0; i < target->column_count; i++) {
        const char *column = target->columns[i];
        if (!minimise_given(policy, target->table, rule, USE_READ, column))
            continue;
        first = first == NULL ? column : first;
        any = any || minimise_target_used(minimise, target, USE_READ, column) ||
              minimise_target_used(minimise, target, USE_INSERT, column) ||
              minimise_target_used(minimise, target, USE_UPDATE, column);
    }
    if (target->touched && !any)
        target->kept = first;
    return OK;
}

static bool needs_default(const struct target *target, const char *column)
{
    if (target->relation == NULL)
        return true; /* not known */
    const struct catalog_column *known = catalog_column(target->relation, column);
    return known == NULL || known->has_default || known->identity || known->generated;
}

static enum status keep_defaults(struct minimise *minimise, struct target *target)
{
    enum status status = OK;
    char key[4096];
    if (!inserts(minimise, target))
        return OK;
    for (size_t i = 0; i < target->column_count && status == OK; i++) {
        if (!needs_default(target, target->columns[i]))
            continue;
        int len = snprintf(key, sizeof key, "%s\x1f%s\x1f%s\x1f%s\x1f%c\x1f%s",
                           minimise->policy->roles[target->role].name,
                           minimise->policy->missions[target->mission].name, target->schema,
                           target->name, (char)USE_READ, target->columns[i]);
        if (len > 0 && len < (int)sizeof key)
            status = map_put(minimise->used, key, (size_t)len, minimise);
    }
    return status;
}

static size_t index_of(const uint32_t *list, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == (uint32_t)value)
            return i;
    return count;
}

static void mark_pair(const struct minimise *minimise, size_t index, int role, int mission)
{
    const struct policy_rule *rule = &minimise->policy->rules[index];
    struct rule_use *use = &minimise->rules[index];
    use->roles[index_of(rule->roles, rule->role_count, role)] = true;
    use->missions[index_of(rule->missions, rule->mission_count, mission)] = true;
    use->any = true;
}

static void mark_names(const struct target *target, const char *const *names, size_t count,
                       const char *column, bool *marks)
{
    for (size_t i = 0; i < count; i++)
        marks[i] = marks[i] || minimise_speaks(target->table, names[i], column);
}

static void mark_column(const struct minimise *minimise, const struct target *target,
                        const char *column, bool *touched)
{
    const struct policy_rule *rule = &minimise->policy->rules[target->rule];
    struct rule_use *use = &minimise->rules[target->rule];
    bool read = minimise_target_used(minimise, target, USE_READ, column);
    bool insert = minimise_target_used(minimise, target, USE_INSERT, column);
    bool update = minimise_target_used(minimise, target, USE_UPDATE, column);
    size_t entry = minimise_entry(target->table, rule, column);
    if ((read || insert || update) && entry != SIZE_MAX)
        use->columns[entry] = true;
    if (insert)
        mark_names(target, rule->insert, rule->insert_count, column, use->insert);
    if (update)
        mark_names(target, rule->update, rule->update_count, column, use->update);
    *touched = *touched || read || insert || update;
}

static void mark_target(const struct minimise *minimise, const struct target *target)
{
    const struct policy_rule *rule = &minimise->policy->rules[target->rule];
    struct rule_use *use = &minimise->rules[target->rule];
    bool touched = target->touched;
    for (size_t i = 0; i < target->column_count; i++)
        if (minimise_given(minimise->policy, target->table, rule, USE_READ, target->columns[i]))
            mark_column(minimise, target, target->columns[i], &touched);
    use->delete_rows = use->delete_rows || (rule->delete_rows &&
                                            minimise_target_used(minimise, target, USE_DELETE, ""));
    use->truncate = use->truncate ||
                    (rule->truncate && minimise_target_used(minimise, target, USE_TRUNCATE, ""));
    if (!touched)
        return;
    use->tables[target->via] = true;
    mark_pair(minimise, target->rule, target->role, target->mission);
}

/* Of a pair that is kept every rule stays whole, known relations or not. */
static void mark_kept(const struct minimise *minimise, const struct pair *pair)
{
    const struct policy *policy = minimise->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        struct rule_use *use = &minimise->rules[i];
        if (index_of(rule->roles, rule->role_count, pair->role) == rule->role_count ||
            index_of(rule->missions, rule->mission_count, pair->mission) == rule->mission_count)
            continue;
        mark_pair(minimise, i, pair->role, pair->mission);
        memset(use->tables, true, rule->table_count);
        memset(use->columns, true, rule->column_count);
        memset(use->insert, true, rule->insert_count);
        memset(use->update, true, rule->update_count);
        use->delete_rows = use->truncate = true;
    }
}

static enum status make_rules(struct minimise *minimise)
{
    const struct policy *policy = minimise->policy;
    struct arena *arena = minimise->arena;
    minimise->rules = arena_zalloc(arena, policy->rule_count + 1, sizeof(*minimise->rules));
    for (size_t i = 0; minimise->rules != NULL && i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        minimise->rules[i] =
            (struct rule_use){.roles = arena_zalloc(arena, rule->role_count + 1, 1),
                              .missions = arena_zalloc(arena, rule->mission_count + 1, 1),
                              .tables = arena_zalloc(arena, rule->table_count + 1, 1),
                              .columns = arena_zalloc(arena, rule->column_count + 1, 1),
                              .insert = arena_zalloc(arena, rule->insert_count + 1, 1),
                              .update = arena_zalloc(arena, rule->update_count + 1, 1)};
    }
    return arena_failed(arena) || minimise->rules == NULL ? ERR_MEMORY : OK;
}

enum status minimise_grants(struct minimise *minimise)
{
    enum status status = minimise_pairs(minimise);
    if (status == OK)
        status = make_rules(minimise);
    for (size_t i = 0; i < minimise->pair_count && status == OK; i++)
        status = pair_targets(minimise, &minimise->pairs[i]);
    for (size_t i = 0; i < minimise->target_count && status == OK; i++)
        status = keep_defaults(minimise, minimise->targets[i]);
    for (size_t i = 0; i < minimise->target_count && status == OK; i++)
        status = keep_unnamed(minimise, minimise->targets[i]);
    for (size_t i = 0; i < minimise->target_count && status == OK; i++)
        mark_target(minimise, minimise->targets[i]);
    for (size_t i = 0; i < minimise->pair_count && status == OK; i++)
        if (minimise->pairs[i].keep != KEEP_NOT)
            mark_kept(minimise, &minimise->pairs[i]);
    return status;
}

/* ---- columns of a rule ---- */

static struct rule_column *find_column(struct rule_column *columns, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(columns[i].name, name) == 0)
            return &columns[i];
    return NULL;
}

static void note_column(const struct minimise *minimise, const struct target *target,
                        struct rule_column *column)
{
    const struct policy *policy = minimise->policy;
    const struct policy_rule *rule = &policy->rules[target->rule];
    column->given = true;
    column->insert = column->insert || policy_may_insert(target->table, rule, column->name);
    column->update = column->update || policy_may_update(target->table, rule, column->name);
    bool read = minimise_target_used(minimise, target, USE_READ, column->name);
    bool insert = minimise_target_used(minimise, target, USE_INSERT, column->name);
    bool update = minimise_target_used(minimise, target, USE_UPDATE, column->name);
    column->read_used = column->read_used || read;
    column->insert_used = column->insert_used || insert;
    column->update_used = column->update_used || update;
    if (column->user == NULL && (read || insert || update))
        column->user = target;
}

struct rule_column *minimise_rule_columns(struct minimise *minimise, size_t rule, size_t *count)
{
    const struct policy *policy = minimise->policy;
    struct rule_column *columns = NULL;
    size_t cap = 0;
    *count = 0;
    for (size_t t = 0; t < minimise->rules[rule].target_count; t++) {
        const struct target *target = minimise->rules[rule].targets[t];
        for (size_t i = 0; i < target->column_count; i++) {
            const char *name = target->columns[i];
            if (!minimise_given(policy, target->table, &policy->rules[rule], USE_READ, name))
                continue;
            struct rule_column *column = find_column(columns, *count, name);
            if (column == NULL) {
                struct rule_column *grown =
                    arena_grow(minimise->arena, columns, *count, &cap, sizeof(*columns));
                if (grown == NULL)
                    return NULL;
                columns = grown;
                column = &columns[(*count)++];
                *column = (struct rule_column){.name = name};
            }
            note_column(minimise, target, column);
        }
    }
    if (columns == NULL)
        columns = arena_zalloc(minimise->arena, 1, sizeof(*columns));
    return columns;
}
