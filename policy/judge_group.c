/*
 * judge_group.c: GROUP BY of a primary key.
 *
 * PostgreSQL lets a query that groups by a table's primary key use the table's other columns. A
 * guard is a view and has no key, so the columns that such a query uses ungrouped are added to
 * GROUP BY: grouping by more columns that the key determines makes the same groups. Only where the
 * guard shows the key unmasked; masked values of the others depend on the key like the values
 * themselves.
 */
#include "judge_private.h"

#include <string.h>

/* The expression that an element of GROUP BY means: by ordinal, by output name, or itself. */
static const PgQuery__Node *meant(const struct judge *judge, const PgQuery__SelectStmt *select,
                                  const PgQuery__Node *node)
{
    if (node->node_case == PG_QUERY__NODE__NODE_A_CONST &&
        node->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL) {
        long ordinal = node->a_const->ival->ival;
        if (ordinal < 1 || (size_t)ordinal > select->n_target_list)
            return node;
        const PgQuery__Node *target = select->target_list[ordinal - 1];
        return target->node_case == PG_QUERY__NODE__NODE_RES_TARGET ? target->res_target->val
                                                                    : node;
    }
    if (node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF || node->column_ref->n_fields != 1)
        return node;
    const char *name = tree_string(node->column_ref->fields[0]);
    for (size_t i = 0; name != NULL && i < judge->level->item_count; i++) {
        if (scope_column(&judge->level->items[i], name) >= 0)
            return node; /* a column of FROM beats an output name */
    }
    for (size_t i = 0; name != NULL && i < select->n_target_list; i++) {
        const PgQuery__Node *target = select->target_list[i];
        if (target->node_case == PG_QUERY__NODE__NODE_RES_TARGET &&
            strcmp(target->res_target->name, name) == 0)
            return target->res_target->val;
    }
    return node;
}

/* Marks the column of this level that a reference means. Qualifiers were brought to one name
 * before. */
static void mark_grouped(struct level *level, const PgQuery__Node *node)
{
    const PgQuery__ColumnRef *ref =
        node != NULL && node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? node->column_ref
                                                                           : NULL;
    if (ref == NULL || ref->n_fields > 2)
        return;
    const char *column = tree_string(ref->fields[ref->n_fields - 1]);
    const char *qualifier = ref->n_fields == 2 ? tree_string(ref->fields[0]) : NULL;
    for (size_t i = 0; column != NULL && i < level->item_count; i++) {
        struct range_item *item = &level->items[i];
        bool named =
            qualifier == NULL || (item->emitted != NULL && strcmp(item->emitted, qualifier) == 0);
        long index =
            item->hidden || item->grouped == NULL || !named ? -1 : scope_column(item, column);
        if (index >= 0)
            item->grouped[index] = true;
    }
}

static bool key_grouped(const struct judge *judge, const struct range_item *item)
{
    const struct relation_use *use = item->use;
    if (use == NULL || use->guard == NULL || use->shown.rule == NULL || item->hidden ||
        item->emitted == NULL)
        return false;
    const struct catalog_relation *relation = use->shown.relation;
    for (size_t i = 0; i < relation->primary_key_count; i++) {
        bool found = false;
        for (size_t k = 0; k < use->column_count && !found; k++) {
            const struct policy_mask *mask = policy_mask_for(
                judge->request->policy, use->shown.table, use->shown.rule, use->columns[k]);
            found = use->guard->base_attnums[k] == relation->primary_key[i] && item->grouped[k] &&
                    mask->kind == MASK_SHOW;
        }
        if (!found)
            return false;
    }
    return relation->primary_key_count > 0;
}

/* The byte behind the words GROUP BY [ALL | DISTINCT] of the clause that an element at `at` stands
 * in. */
static size_t clause_start(const struct token_list *list, size_t at)
{
    size_t index = scan_find(list, at);
    long depth = 0;
    for (; index != SIZE_MAX && index > 0; index--) {
        int kind = list->tokens[index].kind;
        if (kind == PG_QUERY__TOKEN__ASCII_41)
            depth++;
        else if (kind == PG_QUERY__TOKEN__ASCII_40)
            depth--;
        else if (kind == PG_QUERY__TOKEN__BY && depth <= 0 &&
                 list->tokens[index - 1].kind == PG_QUERY__TOKEN__GROUP_P)
            break;
    }
    if (index == SIZE_MAX || index == 0)
        return SIZE_MAX;
    size_t end = list->tokens[index].start + strlen("BY");
    int next = index + 1 < list->count ? list->tokens[index + 1].kind : 0;
    if (next == PG_QUERY__TOKEN__ALL)
        end = list->tokens[index + 1].start + strlen("ALL");
    if (next == PG_QUERY__TOKEN__DISTINCT)
        end = list->tokens[index + 1].start + strlen("DISTINCT");
    return end;
}

static size_t location(const PgQuery__Node *node)
{
    int at = -1;
    if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF)
        at = node->column_ref->location;
    else if (node->node_case == PG_QUERY__NODE__NODE_A_CONST)
        at = node->a_const->location;
    return at < 0 ? SIZE_MAX : (size_t)at;
}

static enum status add(struct judge *judge, PgQuery__SelectStmt *select,
                       const struct range_item *item, size_t at, size_t *added)
{
    for (size_t i = 0; i < item->columns.count; i++) {
        if (!item->ungrouped[i] || item->grouped[i])
            continue;
        const char *name = rewrite_quote(judge, item->emitted);
        const char *column = rewrite_quote(judge, item->columns.names[i]);
        if (name == NULL || column == NULL)
            return judge_no_memory(judge);
        enum status status =
            rewrite_edit(judge, at, 0, judge_format(judge, " %s.%s,", name, column));
        if (status == OK &&
            tree_insert(judge->arena, &select->group_clause, &select->n_group_clause, (*added)++,
                        tree_new_column(judge->arena, item->emitted, item->columns.names[i])) != OK)
            return judge_no_memory(judge);
        if (status != OK)
            return status;
        item->grouped[i] = true;
    }
    return OK;
}

enum status judge_group(struct judge *judge, PgQuery__SelectStmt *select)
{
    struct level *level = judge->level;
    size_t at = SIZE_MAX;
    for (size_t i = 0; i < select->n_group_clause; i++) {
        const PgQuery__Node *node = select->group_clause[i];
        if (node->node_case == PG_QUERY__NODE__NODE_GROUPING_SET)
            return OK; /* groups differ from set to set: PostgreSQL's error stands */
        enum status status = judge_work(judge, select->n_target_list + 8 * level->item_count);
        if (status != OK)
            return status;
        mark_grouped(level, meant(judge, select, node));
        if (at == SIZE_MAX)
            at = location(node);
    }
    size_t added = 0;
    size_t start = at == SIZE_MAX ? SIZE_MAX : clause_start(&judge->tokens, at);
    for (size_t i = 0; start != SIZE_MAX && i < level->item_count; i++) {
        if (!key_grouped(judge, &level->items[i]))
            continue;
        enum status status = add(judge, select, &level->items[i], start, &added);
        if (status != OK)
            return status;
    }
    return OK;
}
