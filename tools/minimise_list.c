/*
 * minimise_list.c: what is given and was not used, and what becomes of it (see minimise.h).
 *
 * Whether something is cut is asked of the smaller policy itself, not of what was meant to be cut.
 */
#include "tools/minimise.h"

#include <ctype.h>
#include <pgvigil/guard.h>
#include <string.h>

struct list {
    struct minimise *minimise;
    struct rule_column **columns; /* of each rule */
    size_t *column_counts;
};

static enum status add(struct minimise *minimise, const struct unused *one)
{
    struct unused *unused = arena_grow(minimise->arena, minimise->unused, minimise->unused_count,
                                       &minimise->unused_cap, sizeof(*unused));
    if (unused == NULL)
        return ERR_MEMORY;
    minimise->unused = unused;
    unused[minimise->unused_count++] = *one;
    return OK;
}

/* Does the smaller policy still give it? */
static bool still_given(const struct minimise *minimise, const struct target *target,
                        enum use_how how, const char *column)
{
    const struct policy *smaller = minimise->smaller;
    const struct catalog_relation *as = NULL;
    const struct policy_rule *rule = NULL;
    if (smaller == NULL)
        return true;
    if (!policy_role_has_mission(smaller, target->role, target->mission))
        return false;
    const struct policy_table *table = policy_table_for(smaller, target->schema, target->name);
    rule = policy_rule_for(smaller, target->role, target->mission, target->schema, target->name);
    if (target->relation != NULL &&
        !guard_governing(smaller, minimise->catalog, target->role, target->mission,
                         target->relation, &table, &rule, &as))
        return false;
    return table != NULL && rule != NULL && minimise_given(smaller, table, rule, how, column);
}

static bool given_now(const struct minimise *minimise, const struct target *target,
                      enum use_how how, const char *column)
{
    return minimise_given(minimise->policy, target->table, &minimise->policy->rules[target->rule],
                          how, column);
}

static const struct rule_column *column_of(const struct list *list, const struct target *target,
                                           const char *column)
{
    for (size_t i = 0; column != NULL && i < list->column_counts[target->rule]; i++)
        if (strcmp(list->columns[target->rule][i].name, column) == 0)
            return &list->columns[target->rule][i];
    return NULL;
}

static bool used_how(const struct minimise *minimise, const struct target *target, enum use_how how,
                     const char *column)
{
    if (how == USE_TOUCH)
        return target->touched ||
               minimise_pair(minimise, target->role, target->mission)->keep != KEEP_NOT;
    return minimise_target_used(minimise, target, how, column == NULL ? "" : column) ||
           (how == USE_READ && (minimise_target_used(minimise, target, USE_INSERT, column) ||
                                minimise_target_used(minimise, target, USE_UPDATE, column)));
}

/* Another relation or pair of the rule that uses it. */
static const struct target *who_uses(const struct minimise *minimise, const struct unused *one)
{
    const struct rule_use *rule = &minimise->rules[one->target->rule];
    for (size_t i = 0; i < rule->target_count; i++) {
        const struct target *other = rule->targets[i];
        if (other != one->target && used_how(minimise, other, one->how, one->column))
            return other;
    }
    return NULL;
}

static const char *refusal_of(const struct minimise *minimise, size_t rule)
{
    size_t group = minimise_group(minimise, rule);
    for (size_t i = 0; i < minimise->refusal_count; i++)
        if (minimise->refusals[i].group == group || minimise->refusals[i].group == rule + 1)
            return minimise->refusals[i].why;
    return NULL;
}

static bool is_key(const char *name)
{
    return isalpha((unsigned char)name[0]) &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
               '\0';
}

/* The nearest reason first. */
static void explain(const struct list *list, struct unused *one)
{
    const struct minimise *minimise = list->minimise;
    const struct rule_column *column = column_of(list, one->target, one->column);
    one->detail = refusal_of(minimise, one->target->rule);
    one->user = who_uses(minimise, one);
    if (one->detail != NULL)
        one->why = HAND_REFUSED;
    else if (one->user != NULL)
        one->why = HAND_SHARED;
    else if (one->how == USE_TOUCH && minimise->catalog == NULL)
        one->why = HAND_CATALOG;
    else if (one->how == USE_TOUCH)
        one->why = HAND_OPENED;
    else if (one->how == USE_READ && column != NULL && (column->insert || column->update))
        one->why = HAND_WRITTEN;
    else if (one->column != NULL && !is_key(one->column))
        one->why = HAND_NAME;
    else
        one->why = HAND_TEXT;
}

static enum status add_one(struct list *list, const struct pair *pair, const struct target *target,
                           enum use_how how, const char *column)
{
    struct unused one = {
        .pair = pair,
        .target = target,
        .column = column,
        .how = how,
        .cut = !still_given(list->minimise, target, how, column == NULL ? "" : column)};
    if (!one.cut)
        explain(list, &one);
    return add(list->minimise, &one);
}

/* A relation that nobody touched is told as one, unless only a part of it goes. */
static bool as_one(const struct minimise *minimise, const struct target *target, bool *cut)
{
    size_t given = 0;
    size_t left = 0;
    for (size_t i = 0; i < target->column_count; i++) {
        if (!given_now(minimise, target, USE_READ, target->columns[i]))
            continue;
        given++;
        left += still_given(minimise, target, USE_READ, target->columns[i]) ? 1 : 0;
    }
    *cut = left == 0;
    return left == 0 || left == given;
}

static enum status add_whole(struct list *list, const struct pair *pair,
                             const struct target *target, bool cut)
{
    struct unused one = {.pair = pair, .target = target, .how = USE_TOUCH, .cut = cut};
    if (!cut)
        explain(list, &one);
    return add(list->minimise, &one);
}

static enum status list_target(struct list *list, const struct pair *pair,
                               const struct target *target)
{
    static const enum use_how hows[] = {USE_READ, USE_INSERT, USE_UPDATE};
    static const enum use_how flags[] = {USE_DELETE, USE_TRUNCATE};
    const struct minimise *minimise = list->minimise;
    enum status status = OK;
    bool any = false;
    bool cut = false;
    for (size_t i = 0; i < target->column_count; i++)
        any = any || given_now(minimise, target, USE_READ, target->columns[i]);
    if (!any)
        return OK;
    bool young = minimise->was != NULL &&
                 minimise_target_used(minimise, target, USE_READ, target->columns[0]);
    if (!target->touched && !young && as_one(minimise, target, &cut))
        return add_whole(list, pair, target, cut);
    for (size_t h = 0; h < sizeof(hows) / sizeof(hows[0]); h++)
        for (size_t i = 0; i < target->column_count && status == OK; i++)
            if (given_now(minimise, target, hows[h], target->columns[i]) &&
                !used_how(minimise, target, hows[h], target->columns[i]))
                status = add_one(list, pair, target, hows[h], target->columns[i]);
    for (size_t h = 0; h < sizeof(flags) / sizeof(flags[0]) && status == OK; h++)
        if (given_now(minimise, target, flags[h], "") &&
            !minimise_target_used(minimise, target, flags[h], ""))
            status = add_one(list, pair, target, flags[h], NULL);
    return status;
}

enum status minimise_list(struct minimise *minimise)
{
    size_t rules = minimise->policy->rule_count;
    struct list list = {.minimise = minimise,
                        .columns =
                            arena_zalloc(minimise->arena, rules + 1, sizeof(struct rule_column *)),
                        .column_counts = arena_zalloc(minimise->arena, rules + 1, sizeof(size_t))};
    enum status status = list.columns == NULL || list.column_counts == NULL ? ERR_MEMORY : OK;
    for (size_t i = 0; i < rules && status == OK; i++) {
        list.columns[i] = minimise_rule_columns(minimise, i, &list.column_counts[i]);
        status = list.columns[i] == NULL ? ERR_MEMORY : OK;
    }
    for (size_t p = 0; p < minimise->pair_count && status == OK; p++) {
        const struct pair *pair = &minimise->pairs[p];
        const struct unused whole = {.pair = pair,
                                     .how = USE_ALL,
                                     .cut = pair->gone && minimise->smaller != NULL,
                                     .why = HAND_STAYS};
        if (pair->keep != KEEP_NOT)
            continue;
        if (pair->use == NULL)
            status = add(minimise, &whole);
        for (size_t i = 0; i < minimise->target_count && status == OK && !whole.cut; i++) {
            const struct target *target = minimise->targets[i];
            if (target->role == pair->role && target->mission == pair->mission && !target->part)
                status = list_target(&list, pair, target);
        }
    }
    return status;
}
