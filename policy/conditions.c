/*
 * conditions.c: rules as they are for a table, with what retention and rights hide of it.
 *
 * Purpose: a patient's objection, a restriction, an archived record are facts about rows, whichever
 * rule shows the table; written into every rule's filter by hand, one would be forgotten. So they
 * are said once, and every rule over a table with a `subject` gets them here. What comes out is a
 * rule like any other: guards, judge, explain and diff need not know of this file.
 *
 * Trust boundary: texts of the policy, each checked to be one expression, joined in parentheses.
 *
 * Ownership: everything stands in the policy's arena, made at load and never changed.
 */
#include "conditions.h"

#include "private.h"
#include "tree.h"

#include <pgvigil/expression.h>
#include <string.h>

static bool has_index(const uint32_t *list, size_t count, size_t index)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == index)
            return true;
    return false;
}

static size_t table_index(const struct policy *policy, const struct policy_table *table)
{
    return (size_t)(table - policy->tables);
}

static bool right_holds(const struct policy *policy, const struct policy_right *right, int role,
                        int mission, const struct policy_table *table)
{
    bool listed = has_index(right->missions, right->mission_count, (size_t)mission);
    if (right->mission_count > 0 && listed == right->but)
        return false;
    if (right->role_count > 0 && !has_index(right->roles, right->role_count, (size_t)role))
        return false;
    if (right->table_count > 0)
        return has_index(right->tables, right->table_count, table_index(policy, table));
    return table->subject != NULL;
}

static const char *neutral(void *context, const struct policy_placeholder *placeholder)
{
    (void)context;
    (void)placeholder;
    return "NULL";
}

/* EXISTS is never NULL, and PostgreSQL makes an anti-join of NOT EXISTS, but not of EXISTS IS
 * FALSE. */
static bool never_null(const struct policy *policy, const char *expression, struct arena *arena)
{
    PgQuery__ParseResult *tree = NULL;
    const char *plain = NULL;
    const char *message = NULL;
    size_t position = 0;
    if (expression_substitute(policy, expression, arena, neutral, NULL, &plain, &message) != OK)
        return false;
    const char *sql = arena_printf(arena, "SELECT (%s\n)", plain);
    if (sql == NULL || tree_parse(sql, arena, &tree, &message, &position) != OK ||
        tree->n_stmts != 1 || tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return false;
    const PgQuery__SelectStmt *select = tree->stmts[0]->stmt->select_stmt;
    if (select->n_target_list != 1 ||
        select->target_list[0]->node_case != PG_QUERY__NODE__NODE_RES_TARGET ||
        select->target_list[0]->res_target->val == NULL)
        return false;
    const PgQuery__Node *value = select->target_list[0]->res_target->val;
    return value->node_case == PG_QUERY__NODE__NODE_SUB_LINK &&
           value->sub_link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK;
}

static bool add(struct conditions *out, const char *text, const char *name)
{
    if (text == NULL || name == NULL)
        return false;
    out->texts[out->count] = text;
    out->names[out->count++] = name;
    return true;
}

bool conditions_of(const struct policy *policy, int role, int mission,
                   const struct policy_table *table, struct arena *arena, struct conditions *out)
{
    const struct policy_retention *retention = policy->retention;
    unsigned mask = policy->missions[mission].ages;
    size_t most = policy->right_count + 1;
    *out = (struct conditions){.texts = arena_zalloc(arena, most, sizeof(*out->texts)),
                               .names = arena_zalloc(arena, most, sizeof(*out->names))};
    if (out->texts == NULL || out->names == NULL)
        return false;
    for (size_t i = 0; i < policy->right_count; i++) {
        const struct policy_right *right = &policy->rights[i];
        if (!right_holds(policy, right, role, mission, table))
            continue;
        const char *text = never_null(policy, right->hide, arena)
                               ? arena_printf(arena, "NOT (%s)", right->hide)
                               : arena_printf(arena, "(%s) IS FALSE", right->hide);
        if (!add(out, text, right->name))
            return false;
    }
    if (retention == NULL || table->subject == NULL || mask == AGE_ALL ||
        has_index(retention->excepted, retention->excepted_count, table_index(policy, table)))
        return true;
    return add(out, retention_condition(retention, table, mask, arena),
               retention_told(mask, arena));
}

/* ---- the rules that come of it ---- */

struct governed_key {
    uint32_t rule, role, mission, table;
};

static struct governed_key key_of(const struct policy *policy, const struct policy_rule *rule,
                                  int role, int mission, const struct policy_table *table)
{
    return (struct governed_key){.rule = (uint32_t)(rule - policy->rules),
                                 .role = (uint32_t)role,
                                 .mission = (uint32_t)mission,
                                 .table = (uint32_t)table_index(policy, table)};
}

const struct policy_rule *policy_conditioned(const struct policy *policy,
                                             const struct policy_rule *rule, int role, int mission,
                                             const struct policy_table *table)
{
    if (table == NULL || policy->private->governed == NULL)
        return rule;
    const struct governed_key key = key_of(policy, rule, role, mission, table);
    const struct policy_rule *found = map_get(policy->private->governed, &key, sizeof(key));
    return found == NULL ? rule : found;
}

static const struct policy_rule *join(const struct policy_rule *rule,
                                      const struct conditions *conditions, struct arena *arena)
{
    struct policy_rule *joined = arena_alloc(arena, sizeof(*joined));
    if (joined == NULL)
        return NULL;
    *joined = *rule;
    joined->conditions = conditions->names;
    joined->condition_count = conditions->count;
    for (size_t i = 0; i < conditions->count; i++) {
        const char *text = conditions->texts[i];
        joined->rows = joined->rows == NULL
                           ? arena_printf(arena, "(%s)", text)
                           : arena_printf(arena, "%s%s%s\nAND (%s)", i == 0 ? "(" : "",
                                          joined->rows, i == 0 ? ")" : "", text);
        if (joined->rows == NULL)
            return NULL;
    }
    return joined;
}

/* Could the rule be the one that governs something under this entry? */
static bool reaches(const struct policy_rule *rule, const struct policy_table *table)
{
    for (size_t i = 0; i < rule->table_count; i++) {
        const char *name = rule->tables[i];
        size_t len = strlen(table->schema);
        if (table->pattern || policy_is_pattern(name) ||
            (strncmp(name, table->schema, len) == 0 && name[len] == '.' &&
             strcmp(name + len + 1, table->name) == 0))
            return true;
    }
    return false;
}

static enum status index_table(struct policy *policy, int role, int mission,
                               const struct policy_table *table)
{
    struct arena *arena = policy->private->arena;
    struct conditions conditions;
    if (!conditions_of(policy, role, mission, table, arena, &conditions))
        return ERR_MEMORY;
    for (size_t i = 0; conditions.count > 0 && i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (!has_index(rule->roles, rule->role_count, (size_t)role) ||
            !has_index(rule->missions, rule->mission_count, (size_t)mission) ||
            !reaches(rule, table))
            continue;
        const struct governed_key key = key_of(policy, rule, role, mission, table);
        const struct policy_rule *joined = join(rule, &conditions, arena);
        if (joined == NULL ||
            map_put(policy->private->governed, &key, sizeof(key), (void *)(uintptr_t)joined) != OK)
            return ERR_MEMORY;
    }
    return OK;
}

enum status policy_index_conditions(struct policy *policy)
{
    if (policy->retention == NULL && policy->right_count == 0)
        return OK;
    policy->private->governed = map_new();
    if (policy->private->governed == NULL)
        return ERR_MEMORY;
    enum status status = OK;
    for (size_t r = 0; r < policy->role_count; r++)
        for (size_t m = 0; m < policy->roles[r].mission_count; m++)
            for (size_t t = 0; t < policy->table_count && status == OK; t++)
                status = index_table(policy, (int)r, (int)policy->roles[r].missions[m],
                                     &policy->tables[t]);
    return status;
}
