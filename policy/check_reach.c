/*
 * check_reach.c: what depends on which rule wins: two rules for one relation, names of columns,
 * writable columns that are not shown, :subject where there is none.
 *
 * A rule that names patterns reaches every known relation that they match (unless another rule has
 * the exact name) and every pattern of `tables` that may match the same relations. What only the
 * database knows (a relation that two patterns match) stays closed, and `check --database` reports
 * it.
 */
#include "load.h"
#include "private.h"

#include <pgvigil/text.h>

#include <string.h>

#define PATTERN_BYTES 256

/* The entries of `tables` that a rule names or matches: those it governs (or may) first, then those
 * where another rule's exact name beats its pattern: they only tell which names of columns make
 * sense. */
struct reach {
    struct loader *loader;
    const struct raw_rule *raw;
    const struct policy_rule *rule;
    const struct policy_table **tables;
    size_t count;
    const struct policy_table **beaten;
    size_t beaten_count;
};

/* Could one text match both patterns? One row of the usual table at a time. */
static bool patterns_meet(const char *a, const char *b)
{
    bool now[PATTERN_BYTES + 1];
    bool next[PATTERN_BYTES + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    if (a_len > PATTERN_BYTES || b_len > PATTERN_BYTES)
        return true; /* perhaps: checked as if */
    now[0] = true;
    for (size_t j = 1; j <= b_len; j++)
        now[j] = now[j - 1] && b[j - 1] == '*';
    for (size_t i = 1; i <= a_len; i++) {
        char x = a[i - 1];
        next[0] = now[0] && x == '*';
        for (size_t j = 1; j <= b_len; j++) {
            char y = b[j - 1];
            if (x == '*' || y == '*')
                next[j] = (x == '*' && (now[j] || next[j - 1])) ||
                          (y == '*' && (now[j] || next[j - 1])) || now[j - 1];
            else
                next[j] = now[j - 1] && (x == y || x == '?' || y == '?');
        }
        memcpy(now, next, b_len + 1);
    }
    return now[b_len];
}

static bool split(const char *full, char schema[PATTERN_BYTES], const char **name)
{
    const char *dot = strchr(full, '.');
    if (dot == NULL || (size_t)(dot - full) >= PATTERN_BYTES)
        return false;
    memcpy(schema, full, (size_t)(dot - full));
    schema[dot - full] = '\0';
    *name = dot + 1;
    return true;
}

/* Does the rule win for this relation, for any of its roles and missions? */
static bool governs(const struct policy *policy, const struct policy_rule *rule, const char *schema,
                    const char *name)
{
    for (size_t r = 0; r < rule->role_count; r++)
        for (size_t m = 0; m < rule->mission_count; m++)
            if (policy_rule_for(policy, (int)rule->roles[r], (int)rule->missions[m], schema,
                                name) == rule)
                return true;
    return false;
}

static void add_table(struct reach *reach, const struct policy_table *table)
{
    for (size_t i = 0; i < reach->count; i++)
        if (reach->tables[i] == table)
            return;
    reach->tables[reach->count++] = table;
}

static void unknown_table(struct reach *reach, const struct raw_name *name)
{
    const struct policy *policy = reach->loader->policy;
    struct arena *arena = reach->loader->arena;
    const char **names = arena_alloc(arena, (policy->table_count + 1) * sizeof(*names));
    size_t count = 0;
    for (size_t i = 0; names != NULL && i < policy->table_count; i++)
        if (!policy->tables[i].pattern)
            names[count++] =
                arena_printf(arena, "%s.%s", policy->tables[i].schema, policy->tables[i].name);
    if (arena_failed(arena) || names == NULL)
        return;
    const char *nearest = text_nearest(name->text, names, count);
    if (nearest != NULL)
        load_report(reach->loader, name->place, "unknown table \"%s\" (did you mean \"%s\"?)",
                    name->text, nearest);
    else
        load_report(reach->loader, name->place,
                    "unknown table \"%s\": no entry of \"tables\" names or matches it", name->text);
}

static void reach_exact(struct reach *reach, const struct raw_name *name)
{
    char schema[PATTERN_BYTES];
    const char *table = NULL;
    const struct policy_table *first = NULL;
    const struct policy_table *second = NULL;
    if (!split(name->text, schema, &table))
        return;
    const struct policy_table *entry = policy_table_for(reach->loader->policy, schema, table);
    if (entry != NULL) {
        add_table(reach, entry);
        return;
    }
    policy_table_matches(reach->loader->policy, schema, table, &first, &second);
    if (second == NULL)
        unknown_table(reach, name);
    else
        load_report(
            reach->loader, second->place,
            "\"%s.%s\" and \"%s.%s\" (%s:%u) both match %s: give it an entry of its own, or an "
            "\"except\"",
            second->schema, second->name, first->schema, first->name, first->place.file,
            first->place.line, name->text);
}

static void reach_pattern(struct reach *reach, const struct raw_name *name)
{
    const struct policy *policy = reach->loader->policy;
    char schema[PATTERN_BYTES];
    const char *table = NULL;
    bool any = false;
    if (!split(name->text, schema, &table))
        return;
    for (size_t i = 0; i < policy->table_count; i++) {
        const struct policy_table *entry = &policy->tables[i];
        if (!patterns_meet(schema, entry->schema) || !patterns_meet(table, entry->name))
            continue;
        any = true;
        if (entry->pattern || governs(policy, reach->rule, entry->schema, entry->name))
            add_table(reach, entry);
        else
            reach->beaten[reach->beaten_count++] = entry;
    }
    if (!any)
        load_report(reach->loader, name->place, "the pattern \"%s\" meets no entry of \"tables\"",
                    name->text);
}

static void add_names(struct arena *arena, const struct policy_table *table, struct pile *names)
{
    const char **room = NULL;
    for (size_t c = 0; c < table->category_count; c++) {
        if ((room = load_push(arena, names, sizeof(*room))) != NULL)
            *room = table->categories[c].name;
        for (size_t k = 0; k < table->categories[c].column_count; k++)
            if ((room = load_push(arena, names, sizeof(*room))) != NULL)
                *room = table->categories[c].columns[k];
    }
    for (size_t k = 0; k < table->columns_like_count; k++)
        if ((room = load_push(arena, names, sizeof(*room))) != NULL)
            *room = table->columns_like[k].category;
}

/* Reports a name that is neither a category nor a column of any table that the rule names or
 * matches. */
static bool check_column_name(struct reach *reach, const struct raw_name *name)
{
    struct arena *arena = reach->loader->arena;
    struct pile names = {0};
    for (size_t i = 0; i < reach->count + reach->beaten_count; i++) {
        const struct policy_table *table =
            i < reach->count ? reach->tables[i] : reach->beaten[i - reach->count];
        if (policy_is_category(table, name->text) || policy_category_of(table, name->text) != NULL)
            return true;
    }
    for (size_t i = 0; i < reach->count + reach->beaten_count; i++)
        add_names(arena, i < reach->count ? reach->tables[i] : reach->beaten[i - reach->count],
                  &names);
    if (arena_failed(arena))
        return false;
    const char *nearest = text_nearest(name->text, names.items, names.count);
    if (nearest != NULL)
        load_report(reach->loader, name->place,
                    "\"%s\" is neither a category nor a column of this rule's tables (did you mean "
                    "\"%s\"?)",
                    name->text, nearest);
    else
        load_report(reach->loader, name->place,
                    "\"%s\" is neither a category nor a classified column of this rule's tables: a "
                    "column in no category is hidden",
                    name->text);
    return false;
}

static bool check_written(struct reach *reach, const struct raw_name *name, const char *key,
                          const struct policy_table *table, const char *column)
{
    const struct policy_mask *mask =
        policy_mask_for(reach->loader->policy, table, reach->rule, column);
    if (mask->kind == MASK_SHOW)
        return true;
    const char *how = mask->kind == MASK_HIDE ? "hidden" : "masked";
    load_report(
        reach->loader, name->place,
        "\"%s\": column \"%s\" of %s.%s is %s by this rule, so it cannot be written: show it, "
        "or name the other columns one by one",
        key, column, table->schema, table->name, how);
    return false;
}

/* What a category shows to columns that are not listed but match a pattern. */
static bool category_shown(const struct policy_rule *rule, const char *category)
{
    for (size_t i = 0; i < rule->column_count; i++)
        if (strcmp(rule->columns[i].name, category) == 0)
            return rule->columns[i].mask == MASK_SHOW;
    return false;
}

static bool check_written_category(struct reach *reach, const struct raw_name *name,
                                   const char *key, const struct policy_table *table)
{
    for (size_t i = 0; i < table->category_count; i++)
        for (size_t k = 0; strcmp(table->categories[i].name, name->text) == 0 &&
                           k < table->categories[i].column_count;
             k++)
            if (!check_written(reach, name, key, table, table->categories[i].columns[k]))
                return false;
    if (category_shown(reach->rule, name->text))
        return true;
    load_report(
        reach->loader, name->place,
        "\"%s\": category \"%s\" is not shown as it is by this rule, so it cannot be written", key,
        name->text);
    return false;
}

static void check_writable(struct reach *reach, const struct raw_names *names, const char *key)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct raw_name *name = &names->items[i];
        bool good = check_column_name(reach, name) && !reach->raw->bad_masks;
        for (size_t k = 0; good && k < reach->count; k++) {
            const struct policy_table *table = reach->tables[k];
            if (policy_is_category(table, name->text))
                good = check_written_category(reach, name, key, table);
            else if (policy_category_of(table, name->text) != NULL)
                good = check_written(reach, name, key, table, name->text);
        }
    }
}

static void check_subject(struct reach *reach)
{
    const struct raw_rule *raw = reach->raw;
    struct policy_placeholder *list = NULL;
    size_t count = 0;
    const char *what = NULL;
    bool used = false;
    if (reach->rule->rows == NULL ||
        policy_placeholders(reach->loader->policy, reach->rule->rows, reach->loader->arena, &list,
                            &count, &what) != OK)
        return; /* reported where the expression stands */
    for (size_t i = 0; i < count; i++)
        used = used || list[i].kind == PLACEHOLDER_SUBJECT;
    for (size_t i = 0; used && i < reach->count; i++)
        if (reach->tables[i]->subject == NULL)
            load_report(
                reach->loader, raw->filter.text != NULL ? raw->filter.place : raw->rows.place,
                "this rule's rows use :subject, but %s.%s has no \"subject\": say there which "
                "patient a row is about",
                reach->tables[i]->schema, reach->tables[i]->name);
}

static void check_reach(struct loader *loader, const struct raw_rule *raw,
                        const struct policy_rule *rule)
{
    struct reach reach = {.loader = loader, .raw = raw, .rule = rule};
    reach.tables =
        arena_alloc(loader->arena, (loader->policy->table_count + raw->tables.count + 1) *
                                       sizeof(struct policy_table *));
    reach.beaten =
        arena_alloc(loader->arena, (loader->policy->table_count * raw->tables.count + 1) *
                                       sizeof(struct policy_table *));
    if (reach.tables == NULL || reach.beaten == NULL)
        return;
    for (size_t i = 0; i < raw->tables.count; i++) {
        if (policy_is_pattern(raw->tables.items[i].text))
            reach_pattern(&reach, &raw->tables.items[i]);
        else
            reach_exact(&reach, &raw->tables.items[i]);
    }
    if (reach.count + reach.beaten_count == 0)
        return;
    for (size_t i = 0; i < raw->column_count; i++)
        (void)check_column_name(&reach, &raw->columns[i].name);
    check_writable(&reach, &raw->insert, "insert");
    check_writable(&reach, &raw->update, "update");
    check_subject(&reach);
}

struct first_rule {
    struct policy_place place;
    size_t rule;
};

/* Two rules that name the same relation or the very same pattern for one role and mission. */
static bool check_twice(struct loader *loader, struct map *seen, size_t index,
                        const struct raw_name *table, uint32_t role, uint32_t mission)
{
    const struct policy *policy = loader->policy;
    const char *role_name = policy->roles[role].name;
    const char *mission_name = policy->missions[mission].name;
    char *key = arena_printf(loader->arena, "%s/%s %s", role_name, mission_name, table->text);
    if (key == NULL)
        return false;
    const struct first_rule *first = map_get_str(seen, key);
    if (first != NULL && first->rule != index) {
        load_report(
            loader, table->place,
            "a second rule for role \"%s\", mission \"%s\" and \"%s\": the first is in %s:%u, and "
            "only one may be",
            role_name, mission_name, table->text, first->place.file, first->place.line);
        return true;
    }
    struct first_rule *copy = arena_alloc(loader->arena, sizeof(*copy));
    if (copy == NULL)
        return false;
    *copy = (struct first_rule){.place = table->place, .rule = index};
    if (map_put_str(seen, key, copy) != OK)
        load_report(loader, table->place, "out of memory");
    return false;
}

static void check_double_rules(struct loader *loader, struct map *seen)
{
    const struct raw_rule *raw = loader->rules.items;
    const struct policy *policy = loader->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        for (size_t t = 0; t < raw[i].tables.count; t++) {
            bool told = false;
            for (size_t r = 0; r < rule->role_count; r++)
                for (size_t m = 0; m < rule->mission_count && !told; m++)
                    told = check_twice(loader, seen, i, &raw[i].tables.items[t], rule->roles[r],
                                       rule->missions[m]);
        }
    }
}

/* A known relation without a rule of its own that two patterns match. */
static void check_double_patterns(struct loader *loader, size_t role, size_t mission)
{
    const struct policy *policy = loader->policy;
    const struct rule_patterns *patterns =
        &policy->private->patterns[role * policy->mission_count + mission];
    if (patterns->count < 2)
        return;
    for (size_t i = 0; i < policy->table_count; i++) {
        const struct policy_table *table = &policy->tables[i];
        const struct rule_pattern *first = NULL;
        const struct rule_pattern *second = NULL;
        if (table->pattern ||
            policy_rule_for(policy, (int)role, (int)mission, table->schema, table->name) != NULL)
            continue;
        policy_rule_matches(policy, (int)role, (int)mission, table->schema, table->name, &first,
                            &second);
        if (second == NULL || strcmp(first->pattern, second->pattern) == 0)
            continue; /* the very same pattern: reported by check_twice */
        load_report(
            loader, second->rule->place,
            "\"%s\" here and \"%s\" in %s:%u both match %s.%s for role \"%s\" and mission \"%s\": "
            "give it a rule that names it, or narrow one",
            second->pattern, first->pattern, first->rule->place.file, first->rule->place.line,
            table->schema, table->name, policy->roles[role].name, policy->missions[mission].name);
        return;
    }
}

void check_rule_pairs(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    const struct raw_rule *raw = loader->rules.items;
    struct map *seen = map_new();
    if (seen == NULL) {
        load_report(loader, (struct policy_place){.file = policy->path}, "out of memory");
        return;
    }
    check_double_rules(loader, seen);
    map_free(seen);
    for (size_t role = 0; role < policy->role_count; role++)
        for (size_t mission = 0; mission < policy->mission_count; mission++)
            check_double_patterns(loader, role, mission);
    for (size_t i = 0; i < policy->rule_count; i++)
        if (!raw[i].bad)
            check_reach(loader, &raw[i], &policy->rules[i]);
}
