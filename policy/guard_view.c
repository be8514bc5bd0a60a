/*
 * guard_view.c: a view of the database over guards.
 *
 * Purpose: a view without a rule is, for a pair, its own definition with every table replaced by
 * the pair's guard. An output column computed from a hidden column is hidden too. Where hiding
 * would change which rows come out (a filter, a join, a group, an order or a distinct by a hidden
 * column), or where the definition uses anything that is not understood here, the view is left out
 * until a rule says what it may show.
 *
 * How: pg_get_viewdef's text under an empty search path qualifies every relation, and every column
 * once there is more than one relation. It is parsed, and edited at the tree's locations: relations
 * become guards, hidden columns become NULLs of their type, and an outer SELECT leaves out the
 * outputs that were computed from one. PostgreSQL judges the result again when the guard is made: a
 * mistake ends in an error there, and the guards below it still hold.
 *
 * Whose rows it shows: a second guard (GUARD_SUBJECT) reads the second guards of what the
 * definition reads, and shows their subjects as one list. Only of a plain definition, where each
 * row is of one row of each of these; of any other there is none, and who reads the view is
 * recorded without the patients.
 *
 * Trust boundary: anyone who may create a view writes these definitions.
 *
 * Ownership: results stand in the request's arena.
 */
#include "guard_view.h"

#include "functions.h"
#include "guard_tree.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* Of one definition. */
#define FUNCTIONS_MAX 50

struct edit {
    size_t at;
    size_t len;
    const char *text;
};

struct item {
    const char *name; /* what the FROM entry is called */
    const struct catalog_relation *relation;
    const char *const *columns; /* that exist for the pair */
    size_t column_count;
    bool tells; /* its guard tells whose a row is */
    bool lists; /* of several */
};

struct scope {
    struct item *items;
    size_t count, cap;
    const struct scope *outer;
};

struct expansion {
    const struct guard_request *request;
    const char *text;
    const struct scope *scope;
    struct edit *edits;
    size_t edit_count, edit_cap;
    bool tainted;                         /* what was walked reads a hidden column */
    const char *hidden;                   /* the last one, for the message */
    bool subject;                         /* for GUARD_SUBJECT */
    const char *told;                     /* what it shows more then */
    const char *functions[FUNCTIONS_MAX]; /* not PostgreSQL's own, by name */
    size_t function_count;
    enum status status;
    const char *why; /* with ERR_INVALID */
};

static void fail(struct expansion *expansion, enum status status, const char *why)
{
    if (expansion->status == OK) {
        expansion->status = status;
        expansion->why = why;
    }
}

static void not_understood(struct expansion *expansion, const char *what)
{
    const char *why = arena_printf(expansion->request->arena, "its definition uses %s", what);
    fail(expansion, why == NULL ? ERR_MEMORY : ERR_INVALID, why);
}

static void add_edit(struct expansion *expansion, size_t at, size_t len, const char *text)
{
    struct edit *grown = arena_grow(expansion->request->arena, expansion->edits,
                                    expansion->edit_count, &expansion->edit_cap, sizeof(*grown));
    if (grown == NULL || text == NULL) {
        fail(expansion, ERR_MEMORY, NULL);
        return;
    }
    expansion->edits = grown;
    grown[expansion->edit_count++] = (struct edit){.at = at, .len = len, .text = text};
}

static bool item_shows(const struct item *item, const char *column)
{
    for (size_t i = 0; i < item->column_count; i++) {
        if (strcmp(item->columns[i], column) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- FROM ---- */

/* Whose rows the item's guard tells of. DENIED: they are somebody's, and it cannot tell. */
static enum status tells(const struct guard_request *below, const struct catalog_relation *relation,
                         struct item *item)
{
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    const char *sql = NULL;
    const char *why = NULL;
    const char *const *columns = NULL;
    size_t count = 0;
    if (guard_governing(below->policy, below->catalog, below->role, below->mission, relation,
                        &table, &rule, &as) &&
        table->subject == NULL) {
        return OK; /* about nobody */
    }
    item->tells = true;
    enum status status = guard_select(below, relation, GUARD_SUBJECT, &sql, &columns, &count, &why);
    item->lists = status == OK && strcmp(columns[count - 1], GUARD_SUBJECTS_COLUMN) == 0;
    return status;
}

static void add_relation(struct expansion *expansion, struct scope *scope,
                         const PgQuery__RangeVar *range)
{
    const struct guard_request *request = expansion->request;
    struct arena *arena = request->arena;
    const struct catalog_relation *relation =
        range->schemaname == NULL || range->schemaname[0] == '\0'
            ? NULL
            : catalog_find(request->catalog, range->schemaname, range->relname);
    if (relation == NULL || range->location < 0) {
        fail(expansion, DENIED, NULL);
        return;
    }
    if (range->alias != NULL && range->alias->n_colnames > 0) {
        not_understood(expansion, "a list of column aliases");
        return;
    }
    struct guard_request below = *request;
    below.depth++;
    struct item item = {.name = range->alias != NULL ? range->alias->aliasname : range->relname,
                        .relation = relation};
    const char *why = NULL;
    enum status status =
        guard_visible_columns(&below, relation, &item.columns, &item.column_count, &why);
    if (status != OK) {
        /* A table below that cannot be a guard has its own finding; this view is then just not
         * there. */
        fail(expansion, status == ERR_INVALID ? DENIED : status, NULL);
        return;
    }
    bool only = !range->inh && relation->has_children;
    if (expansion->subject) {
        status = tells(&below, relation, &item);
        if (status != OK || (only && item.tells)) {
            fail(expansion, status == ERR_MEMORY ? status : DENIED, NULL);
            return;
        }
    }
    struct item *grown = arena_grow(arena, scope->items, scope->count, &scope->cap, sizeof(*grown));
    if (grown == NULL) {
        fail(expansion, ERR_MEMORY, NULL);
        return;
    }
    scope->items = grown;
    grown[scope->count++] = item;
    enum guard_variant variant = item.tells ? GUARD_SUBJECT : only ? GUARD_ONLY : GUARD_PLAIN;
    const char *pair = guard_pair_name(request->policy, request->role, request->mission, arena);
    const char *view = guard_view_name(relation->schema, relation->name, variant, arena);
    const char *guard = pair == NULL || view == NULL ? NULL : text_qualified(arena, pair, view);
    if (guard != NULL && range->alias == NULL) {
        struct buf name;
        buf_init(&name, 0);
        text_quote_ident(&name, range->relname);
        buf_byte(&name, '\0');
        guard = name.failed ? NULL
                            : arena_printf(arena, "%s AS %s", guard, (const char *)buf_head(&name));
        buf_free(&name);
    }
    size_t at = (size_t)range->location;
    add_edit(expansion, at, guard_tree_name_len(expansion->text, at), guard);
}

static bool visit(const ProtobufCMessage *message, void *data);

static void walk(struct expansion *expansion, const PgQuery__Node *node)
{
    if (node == NULL || expansion->status != OK) {
        return;
    }
    enum status status = guard_tree_walk(&node->base, visit, expansion);
    if (status != OK) {
        fail(expansion, ERR_INVALID, "its definition is too deep");
    }
}

static void walk_all(struct expansion *expansion, PgQuery__Node *const *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        walk(expansion, nodes[i]);
    }
}

/* A join by name reads that column of every relation below it that has one. */
static void check_using(struct expansion *expansion, const struct scope *scope,
                        const PgQuery__JoinExpr *join)
{
    for (size_t i = 0; i < join->n_using_clause; i++) {
        const char *name = join->using_clause[i]->node_case == PG_QUERY__NODE__NODE_STRING
                               ? join->using_clause[i]->string->sval
                               : "";
        for (size_t j = 0; j < scope->count; j++) {
            const struct item *item = &scope->items[j];
            if (catalog_column(item->relation, name) != NULL && !item_shows(item, name)) {
                expansion->tainted = true;
                expansion->hidden = name;
            }
        }
    }
}

/* Relations first, all of them, since a lateral or join condition may name any; then the
 * conditions. */
static void add_from(struct expansion *expansion, struct scope *scope, const PgQuery__Node *node,
                     int depth)
{
    if (expansion->status != OK) {
        return;
    }
    if (depth > 200) {
        not_understood(expansion, "too many joins");
    } else if (node->node_case == PG_QUERY__NODE__NODE_RANGE_VAR) {
        add_relation(expansion, scope, node->range_var);
    } else if (node->node_case == PG_QUERY__NODE__NODE_JOIN_EXPR) {
        const PgQuery__JoinExpr *join = node->join_expr;
        if (join->is_natural || join->alias != NULL || join->join_using_alias != NULL) {
            not_understood(expansion, "an alias for a join");
            return;
        }
        add_from(expansion, scope, join->larg, depth + 1);
        add_from(expansion, scope, join->rarg, depth + 1);
    } else {
        not_understood(expansion, "something other than tables and views in FROM");
    }
}

static void walk_conditions(struct expansion *expansion, const struct scope *scope,
                            const PgQuery__Node *node)
{
    if (node->node_case != PG_QUERY__NODE__NODE_JOIN_EXPR || expansion->status != OK) {
        return;
    }
    walk_conditions(expansion, scope, node->join_expr->larg);
    walk_conditions(expansion, scope, node->join_expr->rarg);
    check_using(expansion, scope, node->join_expr);
    walk(expansion, node->join_expr->quals);
}

/* ---- expressions ---- */

static void use_column(struct expansion *expansion, const struct item *item, const char *column,
                       size_t at)
{
    const struct catalog_column *known = catalog_column(item->relation, column);
    if (known == NULL) {
        /* ctid, tableoid, xmin: a view has none. */
        not_understood(expansion, "a system column or a whole row");
        return;
    }
    /* Made before the cast, the view does without; its guard, made of its text, would not. */
    if (known->castable) {
        not_understood(expansion, "a column that a function of the database's may cast");
    }
    if (item_shows(item, column)) {
        return;
    }
    expansion->tainted = true;
    expansion->hidden = known->name;
    add_edit(expansion, at, guard_tree_name_len(expansion->text, at),
             arena_printf(expansion->request->arena, "NULL::%s", known->base_type));
}

static void use_ref(struct expansion *expansion, const PgQuery__ColumnRef *ref)
{
    const char *first = guard_tree_field(ref, 0);
    const char *second = guard_tree_field(ref, 1);
    const struct scope *scope = expansion->scope;
    if (first == NULL || ref->n_fields > 2 || (ref->n_fields == 2 && second == NULL) ||
        ref->location < 0) {
        not_understood(expansion, "a whole row");
        return;
    }
    size_t at = (size_t)ref->location;
    if (ref->n_fields == 1) {
        /* Written bare only where one relation is all there is. */
        if (scope->outer != NULL || scope->count != 1) {
            not_understood(expansion, "a column without its table");
            return;
        }
        use_column(expansion, &scope->items[0], first, at);
        return;
    }
    for (; scope != NULL; scope = scope->outer) {
        for (size_t i = 0; i < scope->count; i++) {
            if (strcmp(scope->items[i].name, first) == 0) {
                use_column(expansion, &scope->items[i], second, at);
                return;
            }
        }
    }
    not_understood(expansion, "a name that is not a column of its tables");
}

/* To be held against what PostgreSQL knows of. */
static void note_function(struct expansion *expansion, const char *schema, const char *name)
{
    const char *full = text_qualified(expansion->request->arena, schema, name);
    if (full == NULL) {
        fail(expansion, ERR_MEMORY, NULL);
        return;
    }
    for (size_t i = 0; i < expansion->function_count; i++) {
        if (strcmp(expansion->functions[i], full) == 0) {
            return;
        }
    }
    if (expansion->function_count == FUNCTIONS_MAX) {
        not_understood(expansion, "too many functions");
        return;
    }
    expansion->functions[expansion->function_count++] = full;
}

static void check_function(struct expansion *expansion, const PgQuery__FuncCall *call)
{
    const struct guard_request *request = expansion->request;
    const char *names[2] = {NULL, NULL};
    for (size_t i = 0; i < call->n_funcname && i < 2; i++) {
        if (call->funcname[i]->node_case == PG_QUERY__NODE__NODE_STRING) {
            names[i] = call->funcname[i]->string->sval;
        }
    }
    if (call->n_funcname == 0 || call->n_funcname > 2 || names[0] == NULL ||
        (call->n_funcname == 2 && names[1] == NULL)) {
        not_understood(expansion, "a function call that is not understood");
        return;
    }
    bool builtin = call->n_funcname == 1 || strcmp(names[0], "pg_catalog") == 0;
    const char *name = call->n_funcname == 1 ? names[0] : names[1];
    const char *reason = NULL;
    bool allowed = builtin ? functions_class(name, &reason) == FUNCTION_ALLOWED
                           : policy_function_allowed(request->policy, request->role,
                                                     request->mission, names[0], names[1]);
    /* A row that is of many; what a function of the database's reads is not in the text. */
    if (expansion->subject && (!builtin || functions_aggregate(name) || call->over != NULL)) {
        fail(expansion, DENIED, NULL);
    }
    if (!builtin) {
        note_function(expansion, names[0], names[1]);
    }
    /* A client may not call it, and a view is not to do it for her: query_to_xml runs any text. */
    if (!allowed) {
        const char *what = arena_printf(request->arena, "the function %s%s%s",
                                        builtin ? "" : names[0], builtin ? "" : ".", name);
        not_understood(expansion, what == NULL ? "a function" : what);
    }
}

static void check_operator(struct expansion *expansion, PgQuery__Node *const *names, size_t count)
{
    const char *schema = count > 1 && names[0]->node_case == PG_QUERY__NODE__NODE_STRING
                             ? names[0]->string->sval
                             : "pg_catalog";
    if (count > 2 || strcmp(schema, "pg_catalog") != 0) {
        not_understood(expansion, "an operator that is not PostgreSQL's own");
    }
}

/* Of such a type a cast may make something of its own. */
static void check_type(struct expansion *expansion, const PgQuery__TypeName *type)
{
    bool own = type->n_names > 1 && type->names[0]->node_case == PG_QUERY__NODE__NODE_STRING &&
               strcmp(type->names[0]->string->sval, "pg_catalog") != 0;
    if (own && expansion->request->catalog->casts != CATALOG_CASTS_NONE) {
        not_understood(expansion, "a type that a function of the database's may cast");
    }
}

static void walk_select(struct expansion *expansion, const PgQuery__SelectStmt *select,
                        bool *hidden);

static bool visit(const ProtobufCMessage *message, void *data)
{
    struct expansion *expansion = data;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (expansion->status != OK) {
        return false;
    }
    if (type == &pg_query__column_ref__descriptor) {
        use_ref(expansion, (const PgQuery__ColumnRef *)message);
        return false;
    }
    if (type == &pg_query__select_stmt__descriptor) {
        if (expansion->subject) {
            fail(expansion, DENIED, NULL); /* it reads rows that no output tells of */
            return false;
        }
        walk_select(expansion, (const PgQuery__SelectStmt *)message, NULL);
        return false;
    }
    if (type == &pg_query__func_call__descriptor) {
        check_function(expansion, (const PgQuery__FuncCall *)message);
    } else if (type == &pg_query__a__expr__descriptor) {
        const PgQuery__AExpr *expr = (const PgQuery__AExpr *)message;
        check_operator(expansion, expr->name, expr->n_name);
    } else if (type == &pg_query__sub_link__descriptor) {
        const PgQuery__SubLink *link = (const PgQuery__SubLink *)message;
        check_operator(expansion, link->oper_name, link->n_oper_name);
    } else if (type == &pg_query__sqlvalue_function__descriptor) {
        const PgQuery__SQLValueFunction *value = (const PgQuery__SQLValueFunction *)message;
        if (value->op >= PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_ROLE) {
            not_understood(expansion, "current_user or the like");
        }
    } else if (type == &pg_query__type_name__descriptor) {
        check_type(expansion, (const PgQuery__TypeName *)message);
    } else if (type == &pg_query__with_clause__descriptor ||
               type == &pg_query__range_var__descriptor ||
               type == &pg_query__a__indirection__descriptor) {
        not_understood(expansion, "WITH, or a field of a row");
    }
    return expansion->status == OK;
}

static void check_shape(struct expansion *expansion, const PgQuery__SelectStmt *select)
{
    if (select->op != PG_QUERY__SET_OPERATION__SETOP_NONE || select->larg != NULL ||
        select->rarg != NULL) {
        not_understood(expansion, "UNION, INTERSECT or EXCEPT");
    } else if (select->with_clause != NULL) {
        not_understood(expansion, "WITH");
    } else if (select->n_values_lists > 0 || select->into_clause != NULL ||
               select->n_locking_clause > 0) {
        not_understood(expansion, "VALUES or FOR UPDATE");
    }
    /* ORDER BY 2 would name an output by its place. */
    for (size_t i = 0; i < select->n_sort_clause; i++) {
        const PgQuery__Node *node = select->sort_clause[i];
        if (node->node_case != PG_QUERY__NODE__NODE_SORT_BY || node->sort_by->node == NULL ||
            node->sort_by->node->node_case == PG_QUERY__NODE__NODE_A_CONST) {
            not_understood(expansion, "ORDER BY a number");
        }
    }
    for (size_t i = 0; i < select->n_group_clause; i++) {
        if (select->group_clause[i]->node_case == PG_QUERY__NODE__NODE_A_CONST) {
            not_understood(expansion, "GROUP BY a number");
        }
    }
}

/* `"a"."pgvigil subject", "b"."pgvigil subject"` of those that are lists, or of those that are not.
 */
static const char *subjects_of(struct expansion *expansion, const struct scope *scope, bool lists,
                               size_t *count)
{
    struct buf out;
    buf_init(&out, 0);
    *count = 0;
    for (size_t i = 0; i < scope->count; i++) {
        const struct item *item = &scope->items[i];
        if (!item->tells || item->lists != lists) {
            continue;
        }
        buf_str(&out, (*count)++ == 0 ? "" : ", ");
        text_quote_ident(&out, item->name);
        buf_printf(&out, ".\"%s\"", lists ? GUARD_SUBJECTS_COLUMN : GUARD_SUBJECT_COLUMN);
    }
    return text_take(&out, expansion->request->arena);
}

/* What all of them tell: one, none (NULL), or a list in the form that the proxy reads
 * (proxy/subjects.h). */
static const char *put_together(struct expansion *expansion, const struct scope *scope)
{
    struct arena *arena = expansion->request->arena;
    size_t list_count = 0;
    size_t plain_count = 0;
    const char *lists = subjects_of(expansion, scope, true, &list_count);
    const char *plain = subjects_of(expansion, scope, false, &plain_count);
    if (lists == NULL || plain == NULL) {
        return NULL;
    }
    expansion->told =
        list_count == 0 && plain_count <= 1 ? GUARD_SUBJECT_COLUMN : GUARD_SUBJECTS_COLUMN;
    if (list_count + plain_count <= 1) {
        return list_count + plain_count == 0 ? "NULL::pg_catalog.text"
               : list_count == 1             ? lists
                                             : plain;
    }
    const char *array = plain_count == 0 ? "NULL::pg_catalog.text"
                                         : arena_printf(arena, "ARRAY[%s]::pg_catalog.text", plain);
    return array == NULL || list_count == 0
               ? array
               : arena_printf(arena, "pg_catalog.concat(%s, %s)", lists, array);
}

/* In front of the first column. */
static void put_subjects(struct expansion *expansion, const struct scope *scope,
                         const PgQuery__SelectStmt *select)
{
    const PgQuery__Node *first = select->n_target_list == 0 ? NULL : select->target_list[0];
    if (first == NULL || first->node_case != PG_QUERY__NODE__NODE_RES_TARGET ||
        first->res_target->location < 0 || select->n_group_clause > 0 ||
        select->having_clause != NULL || select->n_distinct_clause > 0 ||
        select->n_window_clause > 0) {
        fail(expansion, DENIED, NULL);
        return;
    }
    const char *all = put_together(expansion, scope);
    add_edit(expansion, (size_t)first->res_target->location, 0,
             all == NULL
                 ? NULL
                 : arena_printf(expansion->request->arena, "%s AS \"%s\", ", all, expansion->told));
}

/*
 * One SELECT. With `hidden` (the view's own), each output column is judged alone and everything
 * else must not read a hidden column; without (a sub-select), all counts for the expression that it
 * stands in.
 */
static void walk_select(struct expansion *expansion, const PgQuery__SelectStmt *select,
                        bool *hidden)
{
    struct scope scope = {.outer = expansion->scope};
    check_shape(expansion, select);
    for (size_t i = 0; i < select->n_from_clause; i++) {
        add_from(expansion, &scope, select->from_clause[i], 0);
    }
    if (expansion->status != OK) {
        return;
    }
    expansion->scope = &scope;
    if (expansion->subject) {
        put_subjects(expansion, &scope, select);
    }
    bool any_hidden = false;
    for (size_t i = 0; i < select->n_target_list; i++) {
        bool before = expansion->tainted;
        expansion->tainted = false;
        walk(expansion, select->target_list[i]);
        if (hidden != NULL) {
            hidden[i] = expansion->tainted;
            any_hidden = any_hidden || expansion->tainted;
            expansion->tainted = before;
        } else {
            expansion->tainted = before || expansion->tainted;
        }
    }
    for (size_t i = 0; i < select->n_from_clause; i++) {
        walk_conditions(expansion, &scope, select->from_clause[i]);
    }
    walk(expansion, select->where_clause);
    walk_all(expansion, select->group_clause, select->n_group_clause);
    walk(expansion, select->having_clause);
    walk_all(expansion, select->window_clause, select->n_window_clause);
    walk_all(expansion, select->sort_clause, select->n_sort_clause);
    walk(expansion, select->limit_offset);
    walk(expansion, select->limit_count);
    for (size_t i = 0; i < select->n_distinct_clause; i++) {
        if (select->distinct_clause[i]->node_case != PG_QUERY__NODE__NODE__NOT_SET) {
            walk(expansion, select->distinct_clause[i]);
        }
    }
    expansion->scope = scope.outer;
    if (hidden != NULL && (expansion->tainted || (any_hidden && select->n_distinct_clause > 0))) {
        const char *why = arena_printf(expansion->request->arena,
                                       "its definition filters, joins, groups, orders or distincts "
                                       "by the hidden column \"%s\"",
                                       expansion->hidden);
        fail(expansion, why == NULL ? ERR_MEMORY : ERR_INVALID, why);
    }
}

/* ---- putting it together ---- */

static int compare_edits(const void *left, const void *right)
{
    const struct edit *a = left;
    const struct edit *b = right;
    if (a->at != b->at) {
        return a->at < b->at ? -1 : 1;
    }
    return a->len < b->len ? -1 : a->len > b->len; /* what is put in stands before */
}

static const char *compose(struct expansion *expansion, const struct catalog_relation *relation,
                           const bool *hidden)
{
    struct buf out;
    buf_init(&out, 0);
    const char *separator = "SELECT\n    ";
    for (size_t i = 0; i < relation->column_count; i++) {
        if (hidden[i]) {
            continue;
        }
        buf_str(&out, separator);
        text_quote_ident(&out, relation->name);
        buf_byte(&out, '.');
        text_quote_ident(&out, relation->columns[i].name);
        buf_str(&out, " AS ");
        text_quote_ident(&out, relation->columns[i].name);
        separator = ",\n    ";
    }
    if (expansion->subject) {
        buf_str(&out, separator);
        text_quote_ident(&out, relation->name);
        buf_printf(&out, ".\"%s\" AS \"%s\"", expansion->told, expansion->told);
    }
    buf_str(&out, "\nFROM (\n");
    if (expansion->edit_count > 0) {
        qsort(expansion->edits, expansion->edit_count, sizeof(*expansion->edits), compare_edits);
    }
    size_t done = 0;
    size_t len = strlen(expansion->text);
    for (size_t i = 0; i < expansion->edit_count; i++) {
        const struct edit *edit = &expansion->edits[i];
        if (edit->at < done || edit->at + edit->len > len) {
            buf_free(&out);
            fail(expansion, ERR_INVALID, "its definition could not be edited");
            return NULL;
        }
        buf_append(&out, expansion->text + done, edit->at - done);
        buf_str(&out, edit->text);
        done = edit->at + edit->len;
    }
    buf_append(&out, expansion->text + done, len - done);
    buf_str(&out, "\n) AS ");
    text_quote_ident(&out, relation->name);
    if (expansion->subject) {
        buf_printf(&out, "(\"%s\"", expansion->told);
    }
    for (size_t i = 0; i < relation->column_count; i++) {
        buf_str(&out, i == 0 && !expansion->subject ? "(" : ", ");
        text_quote_ident(&out, relation->columns[i].name);
    }
    buf_str(&out, ")");
    const char *sql = text_take(&out, expansion->request->arena);
    if (sql == NULL) {
        fail(expansion, ERR_MEMORY, NULL);
    }
    return sql;
}

struct reach {
    const struct guard_request *request;
    enum status status;
};

/* Any relation that does not exist for the pair, wherever it stands: then the view does not either.
 */
static bool reach_visit(const ProtobufCMessage *message, void *data)
{
    struct reach *reach = data;
    if (!guard_tree_is(message, &pg_query__range_var__descriptor)) {
        return reach->status == OK;
    }
    const PgQuery__RangeVar *range = (const PgQuery__RangeVar *)message;
    if (range->schemaname == NULL || range->schemaname[0] == '\0') {
        return false; /* a WITH's name */
    }
    struct guard_request below = *reach->request;
    const struct catalog_relation *relation =
        catalog_find(below.catalog, range->schemaname, range->relname);
    const char *const *columns = NULL;
    const char *why = NULL;
    size_t count = 0;
    below.depth++;
    enum status status =
        relation == NULL ? DENIED : guard_visible_columns(&below, relation, &columns, &count, &why);
    if (status != OK) {
        reach->status = status == ERR_MEMORY ? ERR_MEMORY : DENIED;
    }
    return false;
}

static enum status expand(struct expansion *expansion, const struct catalog_relation *relation,
                          const char **sql, const char *const **columns, size_t *count)
{
    struct arena *arena = expansion->request->arena;
    PgQuery__ParseResult *tree = NULL;
    const char *why = NULL;
    enum status status = guard_tree_parse(expansion->text, arena, &tree, &why);
    if (status != OK) {
        fail(expansion, status == ERR_MEMORY ? status : ERR_INVALID,
             "its definition is not understood");
        return expansion->status;
    }
    struct reach reach = {.request = expansion->request};
    status = guard_tree_walk(&tree->base, reach_visit, &reach);
    if (status != OK || reach.status != OK) {
        return status == OK ? reach.status : DENIED;
    }
    const PgQuery__SelectStmt *select = guard_tree_select(tree);
    bool *hidden = arena_zalloc(arena, relation->column_count + 1, sizeof(*hidden));
    const char **names = arena_zalloc(arena, relation->column_count + 2, sizeof(*names));
    if (hidden == NULL || names == NULL) {
        return ERR_MEMORY;
    }
    if (select != NULL) {
        check_shape(expansion, select);
    }
    if (select == NULL || select->n_target_list != relation->column_count) {
        not_understood(expansion, "something other than one SELECT");
        return expansion->status;
    }
    for (size_t i = 0; i < relation->column_count; i++) {
        if (guard_is_subject_name(relation->columns[i].name)) {
            not_understood(expansion, "a name that begins with \"" GUARD_SUBJECT_COLUMN "\"");
        }
    }
    walk_select(expansion, select, hidden);
    /* A cast is not in the text, where it is implicit. */
    if (relation->function_count > expansion->function_count) {
        not_understood(expansion, "a cast by a function of the database's, or two functions of one "
                                  "name");
    }
    if (expansion->status != OK) {
        return expansion->status;
    }
    for (size_t i = 0; i < relation->column_count; i++) {
        if (!hidden[i]) {
            names[(*count)++] = relation->columns[i].name;
        }
    }
    if (*count == 0) {
        return DENIED; /* nothing of it is left */
    }
    if (expansion->subject) {
        names[(*count)++] = expansion->told;
    }
    *columns = names;
    *sql = compose(expansion, relation, hidden);
    return expansion->status;
}

static enum status expand_new(const struct guard_request *request,
                              const struct catalog_relation *relation, struct guard_known *known)
{
    size_t len = strlen(relation->definition);
    while (len > 0 &&
           (relation->definition[len - 1] == ';' || relation->definition[len - 1] == '\n' ||
            relation->definition[len - 1] == ' ')) {
        len--;
    }
    const char *text = arena_strndup(request->arena, relation->definition, len);
    if (text == NULL) {
        return ERR_MEMORY;
    }
    struct expansion expansion = {
        .request = request, .text = text, .subject = known->variant == GUARD_SUBJECT};
    enum status status = expand(&expansion, relation, &known->sql, &known->columns, &known->count);
    /* What is wrong with it was said of the plain one. */
    if (status == ERR_INVALID && expansion.subject) {
        return DENIED;
    }
    known->why = status == ERR_INVALID ? expansion.why : NULL;
    return status;
}

/* Views that read views that read views: each is expanded once. */
static struct guard_known *known_of(const struct guard_request *request,
                                    const struct catalog_relation *relation,
                                    enum guard_variant variant)
{
    struct guard_known *known = *request->known;
    while (known != NULL && (known->relation != relation || known->variant != variant)) {
        known = known->next;
    }
    if (known != NULL) {
        return known;
    }
    known = arena_zalloc(request->arena, 1, sizeof(*known));
    if (known == NULL) {
        return NULL;
    }
    known->relation = relation;
    known->variant = variant;
    known->status = expand_new(request, relation, known);
    known->next = *request->known;
    *request->known = known;
    return known;
}

enum status guard_view_expand(const struct guard_request *request,
                              const struct catalog_relation *relation, enum guard_variant variant,
                              const char **sql, const char *const **columns, size_t *count,
                              const char **why)
{
    *sql = NULL;
    *columns = NULL;
    *count = 0;
    *why = NULL;
    if (relation->kind != 'v' || relation->definition == NULL || variant == GUARD_ONLY ||
        strncmp(relation->schema, "pg_", 3) == 0 ||
        strcmp(relation->schema, "information_schema") == 0 || request->depth > GUARD_VIEW_DEPTH) {
        return DENIED;
    }
    /* What it makes of its tables' rows would not be groups. */
    if (request->policy->missions[request->mission].aggregate_only != NULL) {
        return DENIED;
    }
    const struct guard_known *known = known_of(request, relation, variant);
    if (known == NULL) {
        return ERR_MEMORY;
    }
    *why = known->why;
    if (known->status == OK) {
        *sql = known->sql;
        *columns = known->columns;
        *count = known->count;
    }
    return known->status;
}
