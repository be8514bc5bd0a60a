/*
 * judge_from.c: the entries of FROM.
 *
 * What is judged while the level is being built sees a part of it only (level->low, ->high): ON its
 * join's two sides, LATERAL and functions what stands to the left, any other sub-query nothing.
 * An item is put together on the stack and added when it is complete, as adding moves the array.
 */
#include "judge_cube.h"

#include <string.h>

static enum status item_add(struct judge *judge, const struct range_item *item)
{
    if (judge->level->item_count >= JUDGE_MAX_ITEMS)
        return judge_refuse(judge, ERR_LIMIT, "54001", "work", "FROM", SIZE_MAX,
                            judge_format(judge, "FROM has more than %zu entries", JUDGE_MAX_ITEMS));
    struct range_item *place = scope_add(judge);
    if (place == NULL)
        return judge_no_memory(judge);
    *place = *item;
    if (place->emitted == NULL)
        place->emitted = place->name;
    if (place->use != NULL) {
        place->ungrouped = arena_zalloc(judge->arena, place->columns.count + 1, sizeof(bool));
        place->grouped = arena_zalloc(judge->arena, place->columns.count + 1, sizeof(bool));
        if (place->ungrouped == NULL || place->grouped == NULL)
            return judge_no_memory(judge);
    }
    return judge_cube_item(judge, place);
}

static enum status item_alias(struct judge *judge, struct range_item *item, PgQuery__Alias *alias)
{
    if (alias == NULL)
        return OK;
    item->name = alias->aliasname;
    item->schema = NULL;
    item->aliased = alias->n_colnames > 0;
    if (judge_new_name(judge, alias->aliasname) != OK) /* of a function it names the column, too */
        return DENIED;
    return scope_rename(judge, &item->columns, alias->colnames, alias->n_colnames);
}

/* TABLESAMPLE and what else there may be: refused by its own name. */
static enum status refuse_entry(struct judge *judge, PgQuery__Node *node)
{
    enum status status = node == NULL ? OK : judge_walk(judge, node);
    return status != OK ? status
                        : judge_refuse(judge, DENIED, "0A000", "node", "FROM", SIZE_MAX,
                                       "FROM holds something that is not supported");
}

static enum status from_relation(struct judge *judge, PgQuery__RangeVar *var)
{
    struct range_item item = {.name = var->relname};
    PgQuery__Alias *alias = var->alias; /* judge_relation adds one where there is none */
    const struct cte *cte = NULL;
    enum status status = OK;
    if (var->schemaname[0] == '\0' && var->catalogname[0] == '\0')
        status = scope_cte(judge, var->relname, &cte);
    if (cte != NULL) {
        item.columns = cte->columns;
        item.below = cte->carry;
        if (item.below != NULL)
            item.below->references++;
    }
    if (cte == NULL && status == OK)
        status = judge_relation(judge, var, &item);
    if (status == OK)
        status = item_alias(judge, &item, alias);
    return status == OK ? item_add(judge, &item) : status;
}

enum status judge_from_target(struct judge *judge, PgQuery__RangeVar *var)
{
    struct range_item item = {.name = var->relname};
    PgQuery__Alias *alias = var->alias;
    enum status status = judge_relation(judge, var, &item);
    if (status == OK)
        status = item_alias(judge, &item, alias);
    if (status == OK)
        status = item_add(judge, &item);
    judge->level->low = 0;
    judge->level->high = judge->level->item_count;
    return status;
}

static void see(struct level *level, bool left)
{
    level->low = 0;
    level->high = left ? level->item_count : 0;
}

static enum status from_subselect(struct judge *judge, PgQuery__RangeSubselect *sub)
{
    struct range_item item = {.name = NULL};
    if (sub->subquery == NULL || sub->subquery->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return refuse_entry(judge, sub->subquery);
    see(judge->level, sub->lateral);
    enum status status = judge_select(judge, sub->subquery->select_stmt, &item.columns);
    item.below = judge->carried;
    if (status == OK && item.below != NULL)
        item.below->references++;
    if (status == OK)
        status = item_alias(judge, &item, sub->alias);
    return status == OK ? item_add(judge, &item) : status;
}

/* The name PostgreSQL gives a function without an alias. */
static const char *function_name(const PgQuery__RangeFunction *range)
{
    const PgQuery__Node *first = range->n_functions > 0 ? range->functions[0] : NULL;
    if (first == NULL || first->node_case != PG_QUERY__NODE__NODE_LIST || first->list->n_items == 0)
        return NULL;
    const PgQuery__Node *call = first->list->items[0];
    if (call->node_case != PG_QUERY__NODE__NODE_FUNC_CALL || call->func_call->n_funcname == 0)
        return NULL;
    return tree_string(call->func_call->funcname[call->func_call->n_funcname - 1]);
}

static enum status from_function(struct judge *judge, PgQuery__RangeFunction *range)
{
    struct range_item item = {.name = NULL};
    see(judge->level, true);
    enum status status = judge_walk_list(judge, range->functions, range->n_functions);
    if (status == OK)
        status = judge_walk_list(judge, range->coldeflist, range->n_coldeflist);
    item.name = function_name(range);
    if (status == OK)
        status = item_alias(judge, &item, range->alias);
    return status == OK ? item_add(judge, &item) : status;
}

static enum status from_table_function(struct judge *judge, PgQuery__RangeTableFunc *range)
{
    struct range_item item = {.name = "xmltable"};
    PgQuery__Node *parts[] = {range->docexpr, range->rowexpr};
    see(judge->level, true);
    enum status status = OK;
    for (size_t i = 0; i < 2 && status == OK; i++)
        status = parts[i] == NULL ? OK : judge_walk(judge, parts[i]);
    if (status == OK)
        status = judge_walk_list(judge, range->namespaces, range->n_namespaces);
    if (status == OK)
        status = judge_walk_list(judge, range->columns, range->n_columns);
    if (status == OK)
        status = item_alias(judge, &item, range->alias);
    return status == OK ? item_add(judge, &item) : status;
}

/* USING and NATURAL read their columns on both sides. */
static enum status use_joined(struct judge *judge, size_t start, const char *name)
{
    struct level *level = judge->level;
    enum status status = OK;
    for (size_t i = start; i < level->item_count && status == OK; i++) {
        long column = level->items[i].hidden ? -1 : scope_column(&level->items[i], name);
        if (column < 0)
            continue;
        scope_use(level, &level->items[i], column);
        status = judge_cube_column(judge, level, &level->items[i], column, NULL);
    }
    return status;
}

static bool any_has(const struct level *level, size_t start, size_t end, const char *name)
{
    for (size_t i = start; i < end; i++) {
        if (!level->items[i].hidden && scope_column(&level->items[i], name) >= 0)
            return true;
    }
    return false;
}

/* Of a side whose columns are not known any may have the other side's names. */
static bool tells_all(const struct level *level, size_t start)
{
    for (size_t i = start; i < level->item_count; i++)
        if (!level->items[i].hidden &&
            (!level->items[i].columns.known || level->items[i].columns.partly))
            return false;
    return true;
}

static enum status use_natural(struct judge *judge, size_t start, size_t middle)
{
    struct level *level = judge->level;
    enum status status = OK;
    if (!tells_all(level, start)) {
        for (size_t i = start; i < level->item_count; i++)
            if (!level->items[i].hidden)
                scope_use(level, &level->items[i], -1);
        return OK;
    }
    for (size_t j = middle; j < level->item_count; j++) {
        const struct range_item *right = &level->items[j];
        for (size_t k = 0; !right->hidden && k < right->columns.count && status == OK; k++) {
            status =
                judge_work(judge, 2 * (level->item_count - start) * (right->columns.count + 1));
            if (status == OK && any_has(level, start, middle, right->columns.names[k]))
                status = use_joined(judge, start, right->columns.names[k]);
        }
    }
    return status;
}

/* The columns of everything that is joined, under the join's own alias. */
static enum status join_columns(struct judge *judge, size_t start, struct column_list *out)
{
    const struct level *level = judge->level;
    size_t total = 0;
    /* What USING and NATURAL merge stands here twice: see star_columns. */
    out->known = !level->merges && !level->natural;
    for (size_t i = start; i < level->item_count; i++) {
        total += level->items[i].hidden ? 0 : level->items[i].columns.count;
        out->known = out->known && (level->items[i].hidden || level->items[i].columns.known);
    }
    out->names = arena_zalloc(judge->arena, total + 1, sizeof(*out->names));
    if (out->names == NULL)
        return judge_no_memory(judge);
    out->count = 0;
    for (size_t i = start; i < level->item_count; i++) {
        for (size_t k = 0; !level->items[i].hidden && k < level->items[i].columns.count; k++)
            out->names[out->count++] = level->items[i].columns.names[k];
    }
    return OK;
}

static enum status join_alias(struct judge *judge, PgQuery__JoinExpr *join, size_t start)
{
    struct level *level = judge->level;
    struct range_item item = {.name = NULL};
    enum status status = join_columns(judge, start, &item.columns);
    /* Renaming is by the join's own order, which merges columns: only the new names are known. One
     * that is gone must not pass for a column, as PostgreSQL would take it for a call. */
    if (status == OK && join->alias->n_colnames > 0)
        item.columns = (struct column_list){.known = false};
    if (status == OK)
        status = item_alias(judge, &item, join->alias);
    for (size_t i = start; i < level->item_count && status == OK; i++) {
        scope_use(level, &level->items[i], -1); /* what the alias is used for is not told apart */
        level->items[i].hidden = true;
    }
    return status == OK ? item_add(judge, &item) : status;
}

static enum status from_join(struct judge *judge, PgQuery__JoinExpr *join)
{
    struct level *level = judge->level;
    size_t start = level->item_count;
    enum status status = judge_from(judge, join->larg);
    size_t middle = level->item_count;
    if (status == OK)
        status = judge_from(judge, join->rarg);
    level->natural = level->natural || join->is_natural;
    level->merges = level->merges || join->n_using_clause > 0;
    if (status == OK && join->is_natural)
        status = use_natural(judge, start, middle);
    for (size_t i = 0; i < join->n_using_clause && status == OK; i++) {
        const char *name = tree_string(join->using_clause[i]);
        if (name == NULL)
            continue;
        status = use_joined(judge, start, name);
        if (status == OK && (!any_has(level, start, middle, name) ||
                             !any_has(level, middle, level->item_count, name)))
            status = judge_unknown(judge, name, SIZE_MAX);
    }
    if (status == OK && join->quals != NULL) {
        level->low = start;
        level->high = level->item_count;
        status = judge_walk(judge, join->quals);
    }
    if (status == OK && join->join_using_alias != NULL) {
        struct range_item item = {.name = NULL};
        status = scope_rename(judge, &item.columns, join->using_clause, join->n_using_clause);
        item.columns.known = true;
        if (status == OK)
            status = item_alias(judge, &item, join->join_using_alias);
        if (status == OK)
            status = item_add(judge, &item);
    }
    return status == OK && join->alias != NULL ? join_alias(judge, join, start) : status;
}

enum status judge_from(struct judge *judge, PgQuery__Node *node)
{
    if (node == NULL)
        return OK;
    if (judge->depth >= 4 * JUDGE_MAX_DEPTH)
        return judge_refuse(judge, ERR_LIMIT, "54001", "depth", "depth", SIZE_MAX,
                            "the statement is nested too deeply");
    judge->depth++;
    enum status status = OK;
    if (node->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
        status = from_relation(judge, node->range_var);
    else if (node->node_case == PG_QUERY__NODE__NODE_JOIN_EXPR)
        status = from_join(judge, node->join_expr);
    else if (node->node_case == PG_QUERY__NODE__NODE_RANGE_SUBSELECT)
        status = from_subselect(judge, node->range_subselect);
    else if (node->node_case == PG_QUERY__NODE__NODE_RANGE_FUNCTION)
        status = from_function(judge, node->range_function);
    else if (node->node_case == PG_QUERY__NODE__NODE_RANGE_TABLE_FUNC)
        status = from_table_function(judge, node->range_table_func);
    else
        status = refuse_entry(judge, node);
    judge->depth--;
    return status;
}
