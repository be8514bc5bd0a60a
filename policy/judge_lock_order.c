/*
 * judge_lock_order.c: ORDER BY of a level that is to lock its rows by key.
 *
 * There it orders a sub-select whose output is the key. So what names an output column, by its
 * place or by its name, becomes that column's expression. PostgreSQL's rule (SQL92, in
 * parse_clause.c): a bare name is an output column's if there is one of that name, else a column's;
 * an expression never holds an output name.
 *
 * PostgreSQL checks the outer SELECT, which has no ORDER BY any more, for what cannot be combined
 * with row locks. A window is refused here; a function that returns a set is refused by PostgreSQL,
 * in the CASE that is put round it: there it may not stand, and anything else passes unchanged.
 */
#include "judge_lock.h"

#include <string.h>

#define CASE_OPEN  "CASE WHEN true THEN ("
#define CASE_CLOSE "\n) END "

struct order {
    struct judge *judge;
    const PgQuery__SelectStmt *select;
    const struct lock *lock;
    const struct lock_text *text;
    struct range_item *item;
    const PgQuery__CaseExpr *wrapping; /* as the parser reads it, or NULL yet */
};

/* What an element names: an output column, or a column of the relation that stands in a star. */
struct meaning {
    size_t target; /* SIZE_MAX: none */
    long column;   /* -1: none */
};

/* ---- the CASE ---- */

static enum status read_wrapping(struct order *order)
{
    static const char text[] = "SELECT " CASE_OPEN "NULL" CASE_CLOSE;
    PgQuery__ParseResult *tree = NULL;
    const char *message = NULL;
    size_t position = 0;
    enum status status = tree_parse(text, order->judge->arena, &tree, &message, &position);
    if (status == ERR_MEMORY)
        return judge_no_memory(order->judge);
    const PgQuery__Node *value =
        status != OK ? NULL : tree->stmts[0]->stmt->select_stmt->target_list[0]->res_target->val;
    if (value == NULL || value->node_case != PG_QUERY__NODE__NODE_CASE_EXPR ||
        value->case_expr->n_args != 1 ||
        value->case_expr->args[0]->node_case != PG_QUERY__NODE__NODE_CASE_WHEN)
        return judge_refuse(order->judge, ERR_INTERNAL, "XX000", "internal", "lock", SIZE_MAX,
                            "CASE does not read as it was written");
    order->wrapping = value->case_expr;
    return OK;
}

/* *node becomes CASE WHEN true THEN (*node) END. */
static enum status wrap_node(struct order *order, PgQuery__Node **node)
{
    struct arena *arena = order->judge->arena;
    enum status status = order->wrapping == NULL ? read_wrapping(order) : OK;
    PgQuery__Node *made = arena_alloc(arena, sizeof(*made));
    PgQuery__CaseExpr *expr = arena_alloc(arena, sizeof(*expr));
    PgQuery__Node **args = arena_zalloc(arena, 1, sizeof(PgQuery__Node *));
    PgQuery__Node *arg = arena_alloc(arena, sizeof(*arg));
    PgQuery__CaseWhen *when = arena_alloc(arena, sizeof(*when));
    if (made == NULL || expr == NULL || args == NULL || arg == NULL || when == NULL)
        return judge_no_memory(order->judge);
    if (status != OK || order->wrapping == NULL)
        return status;
    pg_query__node__init(made);
    *arg = *order->wrapping->args[0];
    *when = *arg->case_when;
    *expr = *order->wrapping;
    made->node_case = PG_QUERY__NODE__NODE_CASE_EXPR;
    made->case_expr = expr;
    expr->args = args;
    args[0] = arg;
    arg->case_when = when;
    when->result = *node;
    *node = made;
    return OK;
}

struct calls {
    bool any;
    bool window;
};

/* Of this level: what a sub-select calls is its own. */
static enum status calls_visit(void *context, ProtobufCMessage *message)
{
    struct calls *calls = context;
    if (message->descriptor == &pg_query__select_stmt__descriptor)
        return OK;
    if (message->descriptor == &pg_query__func_call__descriptor) {
        calls->any = true;
        calls->window = calls->window || ((const PgQuery__FuncCall *)message)->over != NULL;
    }
    return tree_children(message, calls_visit, context);
}

static enum status refuse_window(const struct order *order)
{
    return judge_refuse(order->judge, DENIED, "0A000", "lock", "window function", SIZE_MAX,
                        judge_format(order->judge, "%s is not allowed with window functions",
                                     judge_lock_name(order->select)));
}

/* An expression stays where it stands. */
static enum status expression(struct order *order, PgQuery__SortBy *sort,
                              const struct lock_element *element)
{
    struct judge *judge = order->judge;
    const struct token *tokens = judge->tokens.tokens;
    struct calls calls = {false, false};
    const struct piece open = {.text = CASE_OPEN};
    const struct piece close = {.text = CASE_CLOSE};
    enum status status = calls_visit(&calls, &sort->node->base);
    if (status != OK || !calls.any)
        return status;
    if (calls.window)
        return refuse_window(order);
    status = rewrite_frame(judge, tokens[element->first].start, 0, true, &open, 1);
    if (status == OK)
        status = rewrite_frame(judge, tokens[element->suffix].start, 0, false, &close, 1);
    return status == OK ? wrap_node(order, &sort->node) : status;
}

/* ---- output columns ---- */

static const PgQuery__ColumnRef *column_ref(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? node->column_ref
                                                                              : NULL;
}

/* `*` or `t.*` of the one relation; *foreign: of another level's. */
static bool is_star(const struct order *order, const PgQuery__ColumnRef *ref, bool *foreign)
{
    *foreign = false;
    if (ref == NULL || ref->n_fields == 0 ||
        ref->fields[ref->n_fields - 1]->node_case != PG_QUERY__NODE__NODE_A_STAR)
        return false;
    const char *qualifier = ref->n_fields == 1 ? order->item->emitted : tree_string(ref->fields[0]);
    *foreign =
        ref->n_fields > 2 || qualifier == NULL || strcmp(qualifier, order->item->emitted) != 0;
    return true;
}

/* Is that target nothing but the relation's column of that name? The name then means it by itself.
 */
static bool same_column(const struct order *order, const PgQuery__ColumnRef *ref, const char *name)
{
    const char *last =
        ref == NULL || ref->n_fields == 0 ? NULL : tree_string(ref->fields[ref->n_fields - 1]);
    const char *qualifier = last != NULL && ref->n_fields == 2 ? tree_string(ref->fields[0]) : NULL;
    bool here =
        last != NULL && ref->n_fields <= 2 &&
        (qualifier == NULL ? ref->n_fields == 1 : strcmp(qualifier, order->item->emitted) == 0);
    return here && strcmp(last, name) == 0 && scope_column(order->item, name) >= 0;
}

static enum status refuse_foreign_star(struct order *order)
{
    return judge_lock_refuse(order->judge, order->select, order->item,
                             "with ORDER BY beside another query's columns as *",
                             "Name the columns.");
}

/* ORDER BY 2 */
static enum status by_place(struct order *order, long place, struct meaning *meaning)
{
    long left = place;
    for (size_t i = 0; i < order->select->n_target_list && place > 0; i++) {
        bool foreign = false;
        bool star =
            is_star(order, column_ref(order->select->target_list[i]->res_target->val), &foreign);
        long width = star ? (long)order->item->columns.count : 1;
        if (foreign)
            return refuse_foreign_star(order);
        if (left <= width) {
            if (star)
                meaning->column = left - 1;
            else
                meaning->target = i;
            return OK;
        }
        left -= width;
    }
    return judge_refuse(
        order->judge, DENIED, "42P10", "lock", "ORDER BY", SIZE_MAX,
        judge_format(order->judge, "ORDER BY position %ld is not in select list", place));
}

static const char *output_name(const PgQuery__ResTarget *target)
{
    const char *name = target->name[0] != '\0' ? target->name : judge_output_name(target->val);
    return name == NULL ? "?column?" : name;
}

/* ORDER BY name */
static enum status by_name(struct order *order, const char *name, struct meaning *meaning)
{
    const PgQuery__SelectStmt *select = order->select;
    bool plain = false; /* the relation's own column is among the output */
    for (size_t i = 0; i < select->n_target_list; i++) {
        const PgQuery__ResTarget *target = select->target_list[i]->res_target;
        const PgQuery__ColumnRef *ref = column_ref(target->val);
        bool foreign = false;
        if (is_star(order, ref, &foreign)) {
            if (foreign)
                return refuse_foreign_star(order);
            plain = plain || scope_column(order->item, name) >= 0;
            continue;
        }
        if (strcmp(output_name(target), name) != 0)
            continue;
        if (same_column(order, ref, name)) {
            plain = true;
            continue;
        }
        bool other = meaning->target != SIZE_MAX &&
                     !tree_equal(&select->target_list[meaning->target]->res_target->val->base,
                                 &target->val->base);
        meaning->target = i;
        plain = plain || other;
        if (other)
            break;
    }
    if (plain && meaning->target != SIZE_MAX)
        return judge_refuse(order->judge, DENIED, "42702", "lock", name, SIZE_MAX,
                            judge_format(order->judge, "ORDER BY \"%s\" is ambiguous", name));
    return OK;
}

static enum status resolve(struct order *order, const PgQuery__SortBy *sort,
                           struct meaning *meaning)
{
    const PgQuery__Node *node = sort->node;
    const PgQuery__ColumnRef *ref = column_ref(node);
    const char *name = ref != NULL && ref->n_fields == 1 ? tree_string(ref->fields[0]) : NULL;
    *meaning = (struct meaning){SIZE_MAX, -1};
    enum status status =
        judge_work(order->judge, order->select->n_target_list + order->item->columns.count + 1);
    if (status == OK && node->node_case == PG_QUERY__NODE__NODE_A_CONST &&
        node->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL && !node->a_const->isnull)
        return by_place(order, node->a_const->ival->ival, meaning);
    return status == OK && name != NULL ? by_name(order, name, meaning) : status;
}

/* The element gives way to what it names. */
static enum status replace(struct order *order, PgQuery__SortBy *sort,
                           const struct lock_element *element, const struct meaning *meaning)
{
    struct judge *judge = order->judge;
    const struct token *tokens = judge->tokens.tokens;
    size_t at = tokens[element->first].start;
    size_t removed = tokens[element->suffix].start - at;
    if (meaning->target == SIZE_MAX) {
        const char *column = order->item->columns.names[meaning->column];
        const char *name = rewrite_quote(judge, order->item->emitted);
        const char *quoted = rewrite_quote(judge, column);
        sort->node = tree_new_column(judge->arena, order->item->emitted, column);
        if (name == NULL || quoted == NULL || sort->node == NULL)
            return judge_no_memory(judge);
        return rewrite_edit(judge, at, removed, judge_format(judge, "%s.%s ", name, quoted));
    }
    struct piece pieces[3] = {{.text = CASE_OPEN}, {.text = NULL}, {.text = CASE_CLOSE}};
    struct calls calls = {false, false};
    sort->node = order->select->target_list[meaning->target]->res_target->val;
    /* Once for the order, once for the output. */
    enum status status =
        judge_lock_twice(judge, order->select, order->item, sort->node, "ORDER BY");
    if (status == OK)
        status = calls_visit(&calls, &sort->node->base);
    if (status == OK && calls.window)
        return refuse_window(order);
    if (status == OK)
        status = judge_lock_target(judge, order->select, order->lock, order->text, meaning->target,
                                   &pieces[1]);
    if (status == OK)
        status = rewrite_frame(judge, at, removed, false, pieces, 3);
    return status == OK ? wrap_node(order, &sort->node) : status;
}

enum status judge_lock_order(struct judge *judge, const PgQuery__SelectStmt *select,
                             const struct lock *lock, const struct lock_text *text,
                             struct range_item *item)
{
    struct order order = {judge, select, lock, text, item, NULL};
    struct lock_element *elements =
        arena_zalloc(judge->arena, select->n_sort_clause + 1, sizeof(*elements));
    if (elements == NULL)
        return judge_no_memory(judge);
    enum status status = judge_lock_elements(judge, select, text, elements);
    for (size_t i = 0; i < select->n_sort_clause && status == OK; i++) {
        PgQuery__SortBy *sort = select->sort_clause[i]->sort_by;
        struct meaning meaning;
        status = resolve(&order, sort, &meaning);
        if (status == OK && (meaning.target != SIZE_MAX || meaning.column >= 0))
            status = replace(&order, sort, &elements[i], &meaning);
        else if (status == OK)
            status = expression(&order, sort, &elements[i]);
    }
    return status;
}
