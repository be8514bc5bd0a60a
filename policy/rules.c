/*
 * rules.c: which table entry and which rule govern a relation, and what they make of a column.
 *
 * An exact name beats a pattern. Two patterns that match the same relation are an error when the
 * relation is known at load; for one that only the database knows, the answer here is "none":
 * closed. Pure reads of an immutable policy, from any thread.
 */
#include "private.h"

#include <pgvigil/text.h>

#include <string.h>

#define KEY_BYTES 320

bool policy_is_pattern(const char *name)
{
    return strpbrk(name, "*?") != NULL;
}

bool policy_pattern_matches(const char *pattern, const char *schema, const char *name)
{
    char head[256];
    const char *dot = strchr(pattern, '.');
    if (dot == NULL || (size_t)(dot - pattern) >= sizeof(head))
        return false;
    memcpy(head, pattern, (size_t)(dot - pattern));
    head[dot - pattern] = '\0';
    return text_matches(head, schema) && text_matches(dot + 1, name);
}

/* A key of the maps: bytes, without a NUL. `len` past KEY_BYTES: it did not fit. */
struct key {
    char bytes[KEY_BYTES];
    size_t len;
};

static void key_add(struct key *key, const void *bytes, size_t len)
{
    if (key->len <= KEY_BYTES && len <= KEY_BYTES - key->len)
        memcpy(key->bytes + key->len, bytes, len);
    key->len = len > KEY_BYTES ? KEY_BYTES + 1 : key->len + len;
}

/* (role, mission,) schema '.' name. A dot in the schema would make "a.b"."c" and "a"."b.c" one:
 * files cannot name such a schema, nor a name that does not fit, so no map holds either. */
static bool make_key(struct key *key, const uint32_t *pair, const char *schema, const char *name)
{
    key->len = 0;
    if (pair != NULL)
        key_add(key, pair, 2 * sizeof(*pair));
    key_add(key, schema, strlen(schema));
    key_add(key, ".", 1);
    key_add(key, name, strlen(name));
    return key->len <= KEY_BYTES && strchr(schema, '.') == NULL;
}

static enum status put_first(struct map *map, const void *key, size_t len, const void *value)
{
    if (map_get(map, key, len) != NULL)
        return OK;
    return map_put(map, key, len, (void *)(uintptr_t)value);
}

enum status policy_index_tables(struct policy *policy)
{
    struct key key;
    for (size_t i = 0; i < policy->table_count; i++) {
        const struct policy_table *table = &policy->tables[i];
        if (!table->pattern && make_key(&key, NULL, table->schema, table->name) &&
            put_first(policy->private->tables, key.bytes, key.len, table) != OK)
            return ERR_MEMORY;
    }
    return OK;
}

static enum status index_rule(struct policy *policy, const struct policy_rule *rule, uint32_t role,
                              uint32_t mission)
{
    uint32_t pair[2] = {role, mission};
    struct key key;
    struct policy_private *private = policy->private;
    for (size_t i = 0; i < rule->table_count; i++) {
        const char *name = rule->tables[i];
        if (!policy_is_pattern(name)) {
            key.len = 0;
            key_add(&key, pair, sizeof(pair));
            key_add(&key, name, strlen(name));
            if (key.len <= KEY_BYTES && put_first(private->rules, key.bytes, key.len, rule) != OK)
                return ERR_MEMORY;
            continue;
        }
        struct rule_patterns *patterns = &private->patterns[role * policy->mission_count + mission];
        struct rule_pattern *items = arena_grow(private->arena, patterns->items, patterns->count,
                                                &patterns->cap, sizeof(*items));
        if (items == NULL)
            return ERR_MEMORY;
        patterns->items = items;
        items[patterns->count++] = (struct rule_pattern){.pattern = name, .rule = rule};
    }
    return OK;
}

enum status policy_index_rules(struct policy *policy)
{
    struct policy_private *private = policy->private;
    private->patterns = arena_zalloc(private->arena, policy->role_count * policy->mission_count + 1,
                                     sizeof(*private->patterns));
    if (private->patterns == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        for (size_t r = 0; r < rule->role_count; r++)
            for (size_t m = 0; m < rule->mission_count; m++)
                if (policy_role_has_mission(policy, (int)rule->roles[r], (int)rule->missions[m]) &&
                    index_rule(policy, rule, rule->roles[r], rule->missions[m]) != OK)
                    return ERR_MEMORY;
    }
    return OK;
}

static bool is_excepted(const struct policy_table *table, const char *schema, const char *name)
{
    for (size_t i = 0; i < table->except_count; i++)
        if (policy_pattern_matches(table->except[i], schema, name))
            return true;
    return false;
}

void policy_table_matches(const struct policy *policy, const char *schema, const char *name,
                          const struct policy_table **first, const struct policy_table **second)
{
    *first = NULL;
    *second = NULL;
    for (size_t i = 0; i < policy->table_count; i++) {
        const struct policy_table *table = &policy->tables[i];
        if (!table->pattern || !text_matches(table->schema, schema) ||
            !text_matches(table->name, name) || is_excepted(table, schema, name))
            continue;
        if (*first != NULL) {
            *second = table;
            return;
        }
        *first = table;
    }
}

const struct policy_table *policy_table_for(const struct policy *policy, const char *schema,
                                            const char *name)
{
    struct key key;
    if (!make_key(&key, NULL, schema, name))
        return NULL;
    const struct policy_table *exact = map_get(policy->private->tables, key.bytes, key.len);
    if (exact != NULL)
        return exact;
    const struct policy_table *second = NULL;
    policy_table_matches(policy, schema, name, &exact, &second);
    return second == NULL ? exact : NULL;
}

static bool is_pair(const struct policy *policy, int role, int mission)
{
    return role >= 0 && mission >= 0 && (size_t)role < policy->role_count &&
           (size_t)mission < policy->mission_count;
}

void policy_rule_matches(const struct policy *policy, int role, int mission, const char *schema,
                         const char *name, const struct rule_pattern **first,
                         const struct rule_pattern **second)
{
    const struct rule_patterns *patterns =
        &policy->private->patterns[(size_t)role * policy->mission_count + (size_t)mission];
    *first = NULL;
    *second = NULL;
    for (size_t i = 0; i < patterns->count; i++) {
        if (!policy_pattern_matches(patterns->items[i].pattern, schema, name))
            continue;
        if (*first != NULL) {
            *second = &patterns->items[i];
            return;
        }
        *first = &patterns->items[i];
    }
}

static const struct policy_rule *exact_rule(const struct policy *policy, int role, int mission,
                                            const char *schema, const char *name)
{
    uint32_t pair[2] = {(uint32_t)role, (uint32_t)mission};
    struct key key;
    if (!make_key(&key, pair, schema, name))
        return NULL;
    return map_get(policy->private->rules, key.bytes, key.len);
}

static const struct policy_rule *written_rule(const struct policy *policy, int role, int mission,
                                              const char *schema, const char *name)
{
    const struct rule_pattern *first = NULL;
    const struct rule_pattern *second = NULL;
    if (!is_pair(policy, role, mission) || strchr(schema, '.') != NULL)
        return NULL;
    const struct policy_rule *exact = exact_rule(policy, role, mission, schema, name);
    if (exact != NULL)
        return exact;
    policy_rule_matches(policy, role, mission, schema, name, &first, &second);
    return first == NULL || second != NULL ? NULL : first->rule;
}

const struct policy_rule *policy_rule_for(const struct policy *policy, int role, int mission,
                                          const char *schema, const char *name)
{
    const struct policy_rule *rule = written_rule(policy, role, mission, schema, name);
    if (rule == NULL || policy->private->governed == NULL)
        return rule;
    return policy_conditioned(policy, rule, role, mission, policy_table_for(policy, schema, name));
}

bool policy_is_ambiguous(const struct policy *policy, int role, int mission, const char *schema,
                         const char *name, struct arena *arena, const char **why)
{
    *why = NULL;
    if (role < 0) {
        const struct policy_table *first = NULL;
        const struct policy_table *second = NULL;
        if (policy_table_for(policy, schema, name) == NULL)
            policy_table_matches(policy, schema, name, &first, &second);
        if (second != NULL)
            *why = arena_printf(
                arena,
                "%s.%s is closed: \"%s.%s\" (%s:%u) and \"%s.%s\" (%s:%u) both match "
                "it; give it an entry of its own",
                schema, name, first->schema, first->name, first->place.file, first->place.line,
                second->schema, second->name, second->place.file, second->place.line);
        return second != NULL;
    }
    const struct rule_pattern *first = NULL;
    const struct rule_pattern *second = NULL;
    if (!is_pair(policy, role, mission) || exact_rule(policy, role, mission, schema, name) != NULL)
        return false;
    policy_rule_matches(policy, role, mission, schema, name, &first, &second);
    if (first != NULL && second != NULL)
        *why = arena_printf(
            arena,
            "%s.%s is closed for %s/%s: \"%s\" (%s:%u) and \"%s\" (%s:%u) both match it; "
            "give it a rule that names it",
            schema, name, policy->roles[role].name, policy->missions[mission].name, first->pattern,
            first->rule->place.file, first->rule->place.line, second->pattern,
            second->rule->place.file, second->rule->place.line);
    return second != NULL;
}

static bool is_among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

enum policy_part policy_part_of(const struct policy_table *table, const char *column)
{
    return is_among(table->dimensions, table->dimension_count, column) ? PART_DIMENSION
           : is_among(table->measures, table->measure_count, column)   ? PART_MEASURE
                                                                       : PART_NONE;
}

const char *policy_category_of(const struct policy_table *table, const char *column)
{
    for (size_t i = 0; i < table->category_count; i++)
        for (size_t k = 0; k < table->categories[i].column_count; k++)
            if (strcmp(table->categories[i].columns[k], column) == 0)
                return table->categories[i].name;
    const char *category = NULL;
    for (size_t i = 0; i < table->columns_like_count; i++) {
        const struct policy_columns_like *like = &table->columns_like[i];
        if (!text_matches(like->match, column))
            continue;
        if (category != NULL && strcmp(category, like->category) != 0)
            return NULL; /* two categories claim it: closed */
        category = like->category;
    }
    return category;
}

bool policy_is_category(const struct policy_table *table, const char *name)
{
    for (size_t i = 0; i < table->category_count; i++)
        if (strcmp(table->categories[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < table->columns_like_count; i++)
        if (table->columns_like[i].category != NULL &&
            strcmp(table->columns_like[i].category, name) == 0)
            return true;
    return false;
}

const struct policy_mask *policy_mask_for(const struct policy *policy,
                                          const struct policy_table *table,
                                          const struct policy_rule *rule, const char *column)
{
    const char *category = policy_category_of(table, column);
    if (category == NULL)
        return &policy->masks[0];
    /* A name that is also a category here means the category: a column that happens to bear a
     * category's name must not be shown because its neighbours are. */
    bool by_name = !policy_is_category(table, column);
    const struct policy_column_rule *found = NULL;
    for (size_t i = 0; i < rule->column_count; i++) {
        const struct policy_column_rule *entry = &rule->columns[i];
        if (by_name && strcmp(entry->name, column) == 0)
            return &policy->masks[entry->mask];
        if (strcmp(entry->name, category) == 0)
            found = entry;
    }
    return found == NULL ? &policy->masks[0] : &policy->masks[found->mask];
}

/* Listed by its own name or its category's, and shown as it is. */
static bool may_write(const struct policy_table *table, const struct policy_rule *rule,
                      const char *const *names, size_t count, const char *column)
{
    const char *category = policy_category_of(table, column);
    if (category == NULL)
        return false;
    bool by_name = !policy_is_category(table, column);
    bool listed = false;
    for (size_t i = 0; i < count && !listed; i++)
        listed = (by_name && strcmp(names[i], column) == 0) || strcmp(names[i], category) == 0;
    if (!listed)
        return false;
    uint32_t mask = MASK_HIDE;
    for (size_t i = 0; i < rule->column_count; i++) {
        const struct policy_column_rule *entry = &rule->columns[i];
        if (by_name && strcmp(entry->name, column) == 0)
            return entry->mask == MASK_SHOW;
        if (strcmp(entry->name, category) == 0)
            mask = entry->mask;
    }
    return mask == MASK_SHOW; /* built-in masks stand at the index of their kind */
}

bool policy_may_insert(const struct policy_table *table, const struct policy_rule *rule,
                       const char *column)
{
    return may_write(table, rule, rule->insert, rule->insert_count, column);
}

bool policy_may_update(const struct policy_table *table, const struct policy_rule *rule,
                       const char *column)
{
    return may_write(table, rule, rule->update, rule->update_count, column);
}

static bool has_index(const uint32_t *list, size_t count, int index)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == (uint32_t)index)
            return true;
    return count == 0;
}

static bool allowed(const struct policy *policy, const struct policy_function *list, size_t count,
                    int role, int mission, const char *schema, const char *name)
{
    if (!is_pair(policy, role, mission))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].schema, schema) == 0 && strcmp(list[i].name, name) == 0 &&
            has_index(list[i].roles, list[i].role_count, role) &&
            has_index(list[i].missions, list[i].mission_count, mission))
            return true;
    }
    return false;
}

bool policy_function_allowed(const struct policy *policy, int role, int mission, const char *schema,
                             const char *name)
{
    return allowed(policy, policy->functions, policy->function_count, role, mission, schema, name);
}

bool policy_sequence_allowed(const struct policy *policy, int role, int mission, const char *schema,
                             const char *name)
{
    return allowed(policy, policy->sequences, policy->sequence_count, role, mission, schema, name);
}
