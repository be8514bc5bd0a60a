/*
 * judge_select.c: SELECT, VALUES and TABLE, set operations, WITH.
 *
 * Every field of SelectStmt is visited here, in PostgreSQL's own order (WITH, FROM, then the rest),
 * as the order decides which names exist when. Row locks are judge_lock.c's.
 */
#include "judge_cube.h"
#include "judge_lock.h"
#include "judge_write.h"

#include <string.h>

static enum status refuse_clause(struct judge *judge, const char *name, const char *hint)
{
    return judge_unsupported(judge, "node", name, hint);
}

static bool is_select(const PgQuery__Node *query)
{
    return query != NULL && query->node_case == PG_QUERY__NODE__NODE_SELECT_STMT;
}

static enum status with_query(struct judge *judge, PgQuery__CommonTableExpr *cte,
                              struct column_list *columns)
{
    PgQuery__Node *query = cte->ctequery;
    bool select = is_select(query);
    if (query == NULL || (!select && !judge_is_write(query))) {
        enum status status =
            query == NULL ? OK : judge_walk(judge, query); /* refused by its name */
        return status != OK ? status
                            : judge_refuse(judge, DENIED, "0A000", "node", "WITH", SIZE_MAX,
                                           "WITH holds something that is not supported there");
    }
    enum status status = select ? judge_select(judge, query->select_stmt, columns)
                                : judge_write(judge, query, columns);
    if (status == OK && cte->search_clause != NULL)
        status = judge_walk_message(judge, &cte->search_clause->base);
    if (status == OK && cte->cycle_clause != NULL)
        status = judge_walk_message(judge, &cte->cycle_clause->base);
    if (cte->search_clause != NULL || cte->cycle_clause != NULL)
        columns->known = false; /* they add columns */
    return status;
}

/* Fields that the parser leaves empty; a tree that fills them is not one we know. */
static bool with_is_raw(const PgQuery__CommonTableExpr *cte)
{
    return cte->n_ctecolnames == 0 && cte->n_ctecoltypes == 0 && cte->n_ctecoltypmods == 0 &&
           cte->n_ctecolcollations == 0;
}

enum status judge_with(struct judge *judge, PgQuery__WithClause *with)
{
    static const struct column_list unknown = {.known = false};
    for (size_t i = 0; i < with->n_ctes; i++) {
        PgQuery__Node *node = with->ctes[i];
        if (node->node_case != PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR ||
            !with_is_raw(node->common_table_expr))
            return refuse_clause(judge, "WITH", NULL);
        /* RECURSIVE: each of them sees all of them, itself included. */
        if (with->recursive) {
            enum status status =
                scope_push_cte(judge, node->common_table_expr->ctename, &unknown, NULL);
            if (status != OK)
                return status;
        }
    }
    for (size_t i = 0; i < with->n_ctes; i++) {
        PgQuery__CommonTableExpr *cte = with->ctes[i]->common_table_expr;
        struct column_list columns = unknown;
        enum status status = with_query(judge, cte, &columns);
        if (status == OK)
            status = scope_rename(judge, &columns, cte->aliascolnames, cte->n_aliascolnames);
        /* RECURSIVE: it may be its own, by way of others. */
        struct carry *carry = with->recursive || cte->n_aliascolnames > 0 ? NULL : judge->carried;
        if (status == OK)
            status = scope_push_cte(judge, cte->ctename, &columns, carry);
        if (status != OK)
            return status;
    }
    return OK;
}

static enum status list_add(struct judge *judge, struct column_list *list, size_t *cap,
                            const char *name)
{
    const char **names = arena_grow(judge->arena, list->names, list->count, cap, sizeof(*names));
    if (names == NULL)
        return judge_no_memory(judge);
    list->names = names;
    list->names[list->count++] = name;
    return OK;
}

/* What `*` or `item.*` stands for. */
static enum status star_columns(struct judge *judge, const PgQuery__ColumnRef *ref,
                                struct column_list *list, size_t *cap)
{
    const char *qualifier = ref->n_fields == 2 ? tree_string(ref->fields[0]) : NULL;
    if (ref->n_fields > 2) {
        list->partly = true;
        list->known = false;
    }
    /*
     * USING and NATURAL have a column once that both sides have, and what `AS` calls it is none.
     * The attack: a list of aliases takes the first names away, and those that are left over here
     * would be columns that PostgreSQL does not have, and looks for further out.
     */
    bool merged = judge->level->merges || judge->level->natural;
    bool found = qualifier == NULL;
    if (merged)
        list->known = false;
    for (size_t i = 0; i < judge->level->item_count; i++) {
        const struct range_item *item = &judge->level->items[i];
        if (item->hidden ||
            (qualifier != NULL && (item->name == NULL || strcmp(item->name, qualifier) != 0)))
            continue;
        found = true;
        list->known = list->known && item->columns.known;
        list->partly = list->partly || !item->columns.known;
        if (judge_work(judge, item->columns.count + 1) != OK)
            return ERR_LIMIT;
        for (size_t k = 0; k < item->columns.count; k++) {
            enum status status = list_add(judge, list, cap, item->columns.names[k]);
            if (status != OK)
                return status;
        }
    }
    /* Of an outer query's: what it has is not in sight here. */
    if (!found) {
        list->partly = true;
        list->known = false;
    }
    return OK;
}

static bool is_star(const PgQuery__ColumnRef *ref)
{
    return ref->n_fields > 0 &&
           ref->fields[ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
}

/* (a.b).*: as many columns as it has. */
static bool is_expansion(const PgQuery__Node *value)
{
    const PgQuery__AIndirection *indirection =
        value != NULL && value->node_case == PG_QUERY__NODE__NODE_A_INDIRECTION
            ? value->a_indirection
            : NULL;
    return indirection != NULL && indirection->n_indirection > 0 &&
           indirection->indirection[indirection->n_indirection - 1]->node_case ==
               PG_QUERY__NODE__NODE_A_STAR;
}

enum status judge_output_columns(struct judge *judge, PgQuery__Node **nodes, size_t count,
                                 struct column_list *list)
{
    size_t cap = 0;
    enum status status = OK;
    *list = (struct column_list){.known = true};
    for (size_t i = 0; i < count && status == OK; i++) {
        const PgQuery__Node *node = nodes[i];
        const PgQuery__ResTarget *target =
            node->node_case == PG_QUERY__NODE__NODE_RES_TARGET ? node->res_target : NULL;
        const PgQuery__Node *value = target == NULL ? NULL : target->val;
        const PgQuery__ColumnRef *ref =
            value != NULL && value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? value->column_ref
                                                                                 : NULL;
        if (target != NULL && judge_new_name(judge, target->name) != OK)
            return DENIED;
        /* First: of `a.* AS x` PostgreSQL drops the name. To who believes in a column x there would
         * be one, and a reference to it would go further out, unseen. */
        if (ref != NULL && is_star(ref)) {
            status = star_columns(judge, ref, list, &cap);
        } else if (is_expansion(value)) {
            list->known = false;
            list->partly = true;
        } else if (target != NULL && target->name[0] != '\0') {
            status = list_add(judge, list, &cap, target->name);
        } else if (ref != NULL) {
            status = list_add(judge, list, &cap, tree_string(ref->fields[ref->n_fields - 1]));
        } else {
            list->known = false; /* PostgreSQL makes a name; we need not */
            status = list_add(judge, list, &cap, "");
        }
    }
    return status;
}

/* VALUES (a.*): as many columns as it has, or none. */
static bool has_star(const PgQuery__Node *row)
{
    const PgQuery__List *list = row->node_case == PG_QUERY__NODE__NODE_LIST ? row->list : NULL;
    for (size_t i = 0; list != NULL && i < list->n_items; i++) {
        const PgQuery__Node *item = list->items[i];
        if ((item->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && is_star(item->column_ref)) ||
            item->node_case == PG_QUERY__NODE__NODE_A_INDIRECTION)
            return true; /* (a.b).* as well */
    }
    return false;
}

static enum status values_columns(struct judge *judge, const PgQuery__SelectStmt *select,
                                  struct column_list *list)
{
    size_t cap = 0;
    const PgQuery__Node *row = select->values_lists[0];
    size_t count = row->node_case == PG_QUERY__NODE__NODE_LIST ? row->list->n_items : 0;
    enum status status = OK;
    *list = (struct column_list){.known = true};
    for (size_t i = 0; i < select->n_values_lists; i++) {
        if (has_star(select->values_lists[i])) {
            *list = (struct column_list){.known = false, .partly = true};
            return OK;
        }
    }
    for (size_t i = 0; i < count && status == OK; i++) {
        const char *name = judge_format(judge, "column%zu", i + 1);
        status = name == NULL ? judge_no_memory(judge) : list_add(judge, list, &cap, name);
    }
    return status;
}

static enum status output_columns(struct judge *judge, const PgQuery__SelectStmt *select,
                                  struct column_list *list)
{
    return select->n_values_lists > 0
               ? values_columns(judge, select, list)
               : judge_output_columns(judge, select->target_list, select->n_target_list, list);
}

static enum status set_operation(struct judge *judge, PgQuery__SelectStmt *select,
                                 struct column_list *out, struct carry *arms[2])
{
    struct column_list right;
    if (select->larg == NULL || select->rarg == NULL)
        return refuse_clause(judge, "this set operation", NULL);
    if (judge->depth >= 4 * JUDGE_MAX_DEPTH)
        return judge_refuse(judge, ERR_LIMIT, "54001", "depth", "depth", SIZE_MAX,
                            "the statement is nested too deeply");
    judge->depth++;
    enum status status = judge_select(judge, select->larg, out);
    arms[0] = judge->carried;
    if (status == OK)
        status = judge_select(judge, select->rarg, &right);
    arms[1] = judge->carried;
    judge->depth--;
    return status;
}

static enum status clause(struct judge *judge, enum clause name, PgQuery__Node **nodes,
                          size_t count)
{
    judge->level->clause = name;
    return judge_walk_list(judge, nodes, count);
}

/* Where PostgreSQL takes a bare name for an output column too. */
static enum status sorting(struct judge *judge, enum clause name, PgQuery__Node **nodes,
                           size_t count)
{
    judge->level->sorts = true;
    enum status status = clause(judge, name, nodes, count);
    judge->level->sorts = false;
    return status;
}

static enum status one(struct judge *judge, enum clause name, PgQuery__Node *node)
{
    return node == NULL ? OK : clause(judge, name, &node, 1);
}

static enum status plain(struct judge *judge, PgQuery__SelectStmt *select)
{
    enum status status = OK;
    for (size_t i = 0; i < select->n_from_clause && status == OK; i++) {
        judge->level->clause = CLAUSE_FROM;
        status = judge_from(judge, select->from_clause[i]);
    }
    judge->level->low = 0;
    judge->level->high = judge->level->item_count;
    if (status == OK)
        status = clause(judge, CLAUSE_OUTPUT, select->target_list, select->n_target_list);
    if (status == OK)
        status = clause(judge, CLAUSE_OUTPUT, select->values_lists, select->n_values_lists);
    if (status == OK)
        status = judge_tie_where(judge, select->where_clause);
    if (status == OK)
        status = one(judge, CLAUSE_WHERE, select->where_clause);
    if (status == OK)
        status = sorting(judge, CLAUSE_GROUP, select->group_clause, select->n_group_clause);
    if (status == OK)
        status = one(judge, CLAUSE_OUTPUT, select->having_clause);
    if (status == OK)
        status = clause(judge, CLAUSE_OUTPUT, select->window_clause, select->n_window_clause);
    if (status == OK)
        status = sorting(judge, CLAUSE_OUTPUT, select->distinct_clause, select->n_distinct_clause);
    return status;
}

/* What set operations and plain queries have in common. */
static enum status tail(struct judge *judge, PgQuery__SelectStmt *select)
{
    enum status status = OK;
    for (size_t i = 0; i < select->n_sort_clause && status == OK; i++)
        if (!judge_cube_sorts_output(judge, select->sort_clause[i]))
            status = sorting(judge, CLAUSE_OUTPUT, &select->sort_clause[i], 1);
    if (status == OK)
        status = one(judge, CLAUSE_OUTPUT, select->limit_offset);
    if (status == OK)
        status = one(judge, CLAUSE_OUTPUT, select->limit_count);
    return status;
}

enum status judge_select(struct judge *judge, PgQuery__SelectStmt *select, struct column_list *out)
{
    *out = (struct column_list){.known = false};
    if (select->into_clause != NULL)
        return refuse_clause(judge, "SELECT INTO", "It would make a table.");
    struct lock lock;
    struct level level;
    enum status status = judge_lock_begin(judge, select, &lock);
    if (status != OK)
        return status;
    scope_enter(judge, &level, select);
    status = select->with_clause == NULL ? OK : judge_with(judge, select->with_clause);
    if (status == OK && select->op == PG_QUERY__SET_OPERATION__SETOP_NONE) {
        if (select->larg != NULL || select->rarg != NULL)
            status = refuse_clause(judge, "this SELECT", NULL);
        else
            status = plain(judge, select);
        if (status == OK)
            status = tail(judge, select);
        if (status == OK)
            status = judge_group(judge, select);
        if (status == OK)
            status = judge_cube_select(judge, select);
        if (status == OK)
            status = output_columns(judge, select, out);
        if (status == OK)
            status = judge_lock(judge, select, &lock);
        if (status == OK)
            status = subject_note(judge, select, &level);
    } else if (status == OK) {
        bool empty = select->n_target_list == 0 && select->n_from_clause == 0 &&
                     select->n_values_lists == 0 && select->n_group_clause == 0 &&
                     select->n_window_clause == 0 && select->n_distinct_clause == 0 &&
                     select->where_clause == NULL && select->having_clause == NULL;
        struct carry *arms[2] = {NULL, NULL};
        status = empty ? set_operation(judge, select, out, arms)
                       : refuse_clause(judge, "this set operation", NULL);
        if (status == OK)
            status = tail(judge, select);
        if (status == OK)
            status = subject_note_set(judge, select, arms);
    }
    scope_leave(judge);
    return status;
}
