/*
 * guard_expr.c: filters, subjects, masks and pseudonyms as SQL.
 *
 * Purpose: an expression of the policy keeps the meaning it had in the policy file wherever it is
 * put. Two things could change it: a name that is captured by a sub-select it is put into (then
 * `p.id = :subject` compares a row with itself and is always true), and a placeholder that is
 * evaluated weakly when its setting is missing. The first is refused or qualified here, the second
 * is an error when the guard is read.
 *
 * Trust boundary: expressions come from policy files, which are trusted in intent, not in form.
 *
 * Ownership: results stand in the context's arena.
 */
#include "guard_expr.h"

#include "guard_tree.h"

#include <pgvigil/expression.h>
#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

#define WRAP_LEAD 8 /* strlen("SELECT (") */

/* ---- what may capture a name ---- */

/* An expression as a statement, so that it can be parsed: locations are WRAP_LEAD further on. */
static enum status parse_expression(struct arena *arena, const char *expression,
                                    PgQuery__ParseResult **tree, const char **why)
{
    const char *sql = arena_printf(arena, "SELECT (%s\n)", expression);
    return sql == NULL ? ERR_MEMORY : guard_tree_parse(sql, arena, tree, why);
}

/* What stands for a placeholder while an expression is looked at. */
#define MARKER "pgvigil placeholder"

struct capture {
    const char *alias;
    const ProtobufCMessage *root;
    bool named;  /* something is called by the alias there */
    bool marked; /* :subject or :col stands there */
    bool found;
};

/* A function in FROM without an alias: its rows are called what it is. */
static const char *function_name(const PgQuery__RangeFunction *range)
{
    const PgQuery__Node *first = range->n_functions == 0 ? NULL : range->functions[0];
    if (range->alias != NULL || first == NULL || first->node_case != PG_QUERY__NODE__NODE_LIST ||
        first->list->n_items == 0 ||
        first->list->items[0]->node_case != PG_QUERY__NODE__NODE_FUNC_CALL)
        return NULL;
    const PgQuery__FuncCall *call = first->list->items[0]->func_call;
    const PgQuery__Node *last = call->n_funcname == 0 ? NULL : call->funcname[call->n_funcname - 1];
    return last == NULL || last->node_case != PG_QUERY__NODE__NODE_STRING ? NULL
                                                                          : last->string->sval;
}

static const char *name_given(const ProtobufCMessage *message)
{
    if (guard_tree_is(message, &pg_query__range_var__descriptor)) {
        const PgQuery__RangeVar *range = (const PgQuery__RangeVar *)message;
        return range->alias != NULL ? range->alias->aliasname : range->relname;
    }
    if (guard_tree_is(message, &pg_query__alias__descriptor))
        return ((const PgQuery__Alias *)message)->aliasname;
    if (guard_tree_is(message, &pg_query__common_table_expr__descriptor))
        return ((const PgQuery__CommonTableExpr *)message)->ctename;
    if (guard_tree_is(message, &pg_query__range_function__descriptor))
        return function_name((const PgQuery__RangeFunction *)message);
    return NULL;
}

static bool named_visit(const ProtobufCMessage *message, void *context)
{
    struct capture *capture = context;
    const char *name = name_given(message);
    capture->named = capture->named || (name != NULL && strcmp(name, capture->alias) == 0);
    return !capture->named;
}

/* The same of one SELECT's own FROM and WITH: what a sub-select calls something is not seen
 * outside. */
static bool own_visit(const ProtobufCMessage *message, void *context)
{
    struct capture *capture = context;
    if (message != capture->root && guard_tree_is(message, &pg_query__select_stmt__descriptor))
        return false;
    return named_visit(message, context);
}

static bool marked_visit(const ProtobufCMessage *message, void *context)
{
    struct capture *capture = context;
    if (guard_tree_is(message, &pg_query__column_ref__descriptor)) {
        const char *name = guard_tree_field((const PgQuery__ColumnRef *)message, 0);
        capture->marked = capture->marked || (name != NULL && strcmp(name, MARKER) == 0);
    }
    return !capture->marked;
}

static bool capture_visit(const ProtobufCMessage *message, void *context)
{
    struct capture *capture = context;
    if (!guard_tree_is(message, &pg_query__select_stmt__descriptor))
        return !capture->found;
    struct capture one = {.alias = capture->alias, .root = message};
    if (guard_tree_walk(message, own_visit, &one) != OK ||
        guard_tree_walk(message, marked_visit, &one) != OK || (one.named && one.marked))
        capture->found = true;
    return !capture->found;
}

/*
 * Whether something in the expression is called by the guarded relation's name where a placeholder
 * stands in its scope: what is put in for :subject or :col would then mean that one. Of a subject,
 * whose bare names are qualified, any such name is too many.
 */
static enum status check_capture(const struct guard_expr_context *context, const char *expression,
                                 bool anywhere, const char **why)
{
    PgQuery__ParseResult *tree = NULL;
    enum status status = parse_expression(context->arena, expression, &tree, why);
    struct capture capture = {.alias = context->alias};
    if (status == OK)
        status = guard_tree_walk(&tree->base, anywhere ? named_visit : capture_visit, &capture);
    if (status == OK && (capture.found || capture.named)) {
        *why = arena_printf(
            context->arena,
            "the expression reads something under the name \"%s\", which hides the table it is "
            "about: give it another alias",
            context->alias);
        return *why == NULL ? ERR_MEMORY : ERR_INVALID;
    }
    return status;
}

/* ---- qualifying a subject's bare names ---- */

struct scope {
    const PgQuery__SelectStmt *select;
    const struct scope *outer;
};

struct qualify {
    const struct guard_expr_context *context;
    const struct scope *scope;
    size_t *places; /* offsets in the expression where the qualifier goes */
    size_t count, cap;
    enum status status;
    const char **why;
};

struct from_search {
    const struct guard_expr_context *context;
    const char *name;
    bool has;     /* a relation of this FROM has a column of that name */
    bool unclear; /* something whose columns are not known here */
};

static bool from_visit(const ProtobufCMessage *message, void *data)
{
    struct from_search *search = data;
    if (guard_tree_is(message, &pg_query__range_var__descriptor)) {
        const PgQuery__RangeVar *range = (const PgQuery__RangeVar *)message;
        const struct catalog_relation *relation =
            range->schemaname != NULL && range->schemaname[0] != '\0'
                ? catalog_find(search->context->catalog, range->schemaname, range->relname)
                : NULL;
        if (relation == NULL || (range->alias != NULL && range->alias->n_colnames > 0)) {
            search->unclear = true;
        } else if (catalog_column(relation, search->name) != NULL) {
            search->has = true;
        }
        return false;
    }
    if (guard_tree_is(message, &pg_query__join_expr__descriptor)) {
        const PgQuery__JoinExpr *join = (const PgQuery__JoinExpr *)message;
        enum status status = guard_tree_walk(&join->larg->base, from_visit, search);
        if (status == OK) {
            status = guard_tree_walk(&join->rarg->base, from_visit, search);
        }
        search->unclear = search->unclear || status != OK;
        return false;
    }
    if (!guard_tree_is(message, &pg_query__node__descriptor)) {
        search->unclear =
            true; /* a sub-select, a function, VALUES: its columns are not looked up */
        return false;
    }
    return true;
}

static void qualify_ref(struct qualify *qualify, const PgQuery__ColumnRef *ref)
{
    const struct guard_expr_context *context = qualify->context;
    const char *name = guard_tree_field(ref, 0);
    if (ref->n_fields != 1 || name == NULL || catalog_column(context->relation, name) == NULL ||
        ref->location < WRAP_LEAD) {
        return;
    }
    for (const struct scope *scope = qualify->scope; scope != NULL; scope = scope->outer) {
        struct from_search search = {.context = context, .name = name};
        for (size_t i = 0; i < scope->select->n_from_clause; i++) {
            enum status status =
                guard_tree_walk(&scope->select->from_clause[i]->base, from_visit, &search);
            search.unclear = search.unclear || status != OK;
        }
        if (search.has) {
            return;
        }
        if (search.unclear) {
            *qualify->why = arena_printf(
                context->arena,
                "the subject uses the bare name \"%s\" in a sub-select: write \"%s.%s\" "
                "or the alias it belongs to",
                name, context->alias, name);
            qualify->status = ERR_INVALID;
            return;
        }
    }
    size_t *places =
        arena_grow(context->arena, qualify->places, qualify->count, &qualify->cap, sizeof(*places));
    if (places == NULL) {
        qualify->status = ERR_MEMORY;
        return;
    }
    qualify->places = places;
    places[qualify->count++] = (size_t)ref->location - WRAP_LEAD;
}

static bool qualify_visit(const ProtobufCMessage *message, void *data);

/* The children of a SELECT, with its FROM as the innermost scope. */
static void qualify_select(struct qualify *qualify, const PgQuery__SelectStmt *select)
{
    struct scope scope = {.select = select, .outer = qualify->scope};
    struct qualify inner = *qualify;
    inner.scope = &scope;
    PgQuery__Node *const *lists[] = {
        select->target_list, select->from_clause,   select->group_clause, select->distinct_clause,
        select->sort_clause, select->window_clause, select->values_lists};
    const size_t counts[] = {select->n_target_list,  select->n_from_clause,
                             select->n_group_clause, select->n_distinct_clause,
                             select->n_sort_clause,  select->n_window_clause,
                             select->n_values_lists};
    enum status status = OK;
    for (size_t list = 0; list < sizeof(counts) / sizeof(counts[0]); list++) {
        for (size_t i = 0; i < counts[list] && status == OK; i++) {
            status = guard_tree_walk(&lists[list][i]->base, qualify_visit, &inner);
        }
    }
    PgQuery__Node *const single[] = {select->where_clause, select->having_clause,
                                     select->limit_offset, select->limit_count};
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]) && status == OK; i++) {
        if (single[i] != NULL) {
            status = guard_tree_walk(&single[i]->base, qualify_visit, &inner);
        }
    }
    if (select->with_clause != NULL || select->larg != NULL || select->rarg != NULL) {
        *qualify->why =
            arena_strdup(qualify->context->arena, "a subject may not use WITH or set operations");
        status = ERR_INVALID;
    }
    const struct scope *outer = qualify->scope;
    *qualify = inner;
    qualify->scope = outer;
    if (qualify->status == OK) {
        qualify->status = status;
    }
}

static bool qualify_visit(const ProtobufCMessage *message, void *data)
{
    struct qualify *qualify = data;
    if (qualify->status != OK) {
        return false;
    }
    if (guard_tree_is(message, &pg_query__column_ref__descriptor)) {
        qualify_ref(qualify, (const PgQuery__ColumnRef *)message);
        return false;
    }
    if (guard_tree_is(message, &pg_query__select_stmt__descriptor)) {
        qualify_select(qualify, (const PgQuery__SelectStmt *)message);
        return false;
    }
    return true;
}

static int compare_places(const void *left, const void *right)
{
    size_t a = *(const size_t *)left;
    size_t b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

static const char *insert_qualifier(const struct guard_expr_context *context,
                                    const char *expression, size_t *places, size_t count)
{
    struct buf out;
    buf_init(&out, 0);
    if (count > 1)
        qsort(places, count, sizeof(*places), compare_places);
    size_t done = 0;
    buf_byte(&out, '(');
    for (size_t i = 0; i < count; i++) {
        buf_append(&out, expression + done, places[i] - done);
        text_quote_ident(&out, context->alias);
        buf_byte(&out, '.');
        done = places[i];
    }
    buf_str(&out, expression + done);
    buf_str(&out, "\n)");
    return text_take(&out, context->arena);
}

/* ---- placeholders ---- */

struct replace {
    const struct guard_expr_context *context;
    const struct catalog_column *column; /* for :col, or NULL */
    const char *subject;                 /* for :subject, or NULL */
    bool relation_used;                  /* :subject or :col stood there */
};

static const char *replace_setting(const struct guard_expr_context *context,
                                   const struct policy_placeholder *placeholder, const char *type)
{
    const char *setting = policy_placeholder_setting(placeholder, context->arena);
    if (setting == NULL) {
        return NULL;
    }
    const char *literal = text_literal(context->arena, setting);
    /*
     * The inner cast inside the sub-select makes it one evaluation; the outer one makes `=
     * ANY(...)` an array comparison rather than PostgreSQL's ANY (SELECT ...). A setting that is
     * not there is an error, and so is an empty one where the type is not text.
     */
    return literal == NULL
               ? NULL
               : arena_printf(context->arena, "((SELECT pg_catalog.current_setting(%s)::%s)::%s)",
                              literal, type, type);
}

static const char *replace_one(void *data, const struct policy_placeholder *placeholder)
{
    struct replace *replace = data;
    const struct guard_expr_context *context = replace->context;
    switch (placeholder->kind) {
    case PLACEHOLDER_USER_NAME:
    case PLACEHOLDER_SESSION:
        return replace_setting(context, placeholder, "text");
    case PLACEHOLDER_USER_ATTRIBUTE:
        return replace_setting(context, placeholder,
                               context->policy->attributes[placeholder->attribute].type);
    case PLACEHOLDER_CLIENT_ADDRESS:
        return replace_setting(context, placeholder, "inet");
    case PLACEHOLDER_SUBJECT:
        replace->relation_used = true;
        return replace->subject;
    case PLACEHOLDER_COLUMN: {
        replace->relation_used = true;
        return replace->column == NULL
                   ? NULL
                   : text_qualified(context->arena, context->alias, replace->column->name);
    }
    }
    return NULL;
}

/* The same with a name of ours, to look at what the expression itself reads. */
static const char *replace_neutral(void *data, const struct policy_placeholder *placeholder)
{
    (void)data;
    bool ours = placeholder->kind == PLACEHOLDER_SUBJECT || placeholder->kind == PLACEHOLDER_COLUMN;
    return ours ? "\"" MARKER "\"" : "NULL";
}

static enum status substitute(struct replace *replace, const char *expression, const char **sql,
                              const char **why)
{
    const struct guard_expr_context *context = replace->context;
    enum status status = expression_substitute(context->policy, expression, context->arena,
                                               replace_one, replace, sql, why);
    if (status != OK || !replace->relation_used) {
        return status;
    }
    const char *neutral = NULL;
    status = expression_substitute(context->policy, expression, context->arena, replace_neutral,
                                   NULL, &neutral, why);
    return status == OK ? check_capture(context, neutral, false, why) : status;
}

enum status guard_expr_subject(const struct guard_expr_context *context, const char **sql,
                               const char **why)
{
    *sql = NULL;
    *why = NULL;
    if (context->table == NULL || context->table->subject == NULL) {
        return OK;
    }
    struct replace replace = {.context = context};
    const char *expression = NULL;
    enum status status = substitute(&replace, context->table->subject, &expression, why);
    PgQuery__ParseResult *tree = NULL;
    if (status == OK) {
        status = parse_expression(context->arena, expression, &tree, why);
    }
    if (status == OK) {
        status = check_capture(context, expression, true, why);
    }
    if (status != OK) {
        return status;
    }
    struct qualify qualify = {.context = context, .why = why};
    const PgQuery__SelectStmt *select = guard_tree_select(tree);
    if (select == NULL || select->n_target_list != 1) {
        *why = "the subject is not one expression";
        return ERR_INVALID;
    }
    status = guard_tree_walk(&select->target_list[0]->base, qualify_visit, &qualify);
    if (status == OK) {
        status = qualify.status;
    }
    if (status != OK) {
        return status;
    }
    *sql = insert_qualifier(context, expression, qualify.places, qualify.count);
    return *sql == NULL ? ERR_MEMORY : OK;
}

enum status guard_expr_rows(const struct guard_expr_context *context, const char **sql,
                            const char **why)
{
    *sql = "";
    *why = NULL;
    if (context->rule->rows == NULL) {
        return OK;
    }
    struct replace replace = {.context = context};
    enum status status = guard_expr_subject(context, &replace.subject, why);
    const char *expression = NULL;
    if (status == OK) {
        status = substitute(&replace, context->rule->rows, &expression, why);
    }
    if (status == ERR_INVALID && replace.relation_used && replace.subject == NULL) {
        *why = "the filter uses :subject, and the table has no subject";
    }
    if (status != OK) {
        return status;
    }
    *sql = arena_printf(context->arena, "(\n%s\n)", expression);
    return *sql == NULL ? ERR_MEMORY : OK;
}

/* ---- columns ---- */

const char *guard_key_setting(const char *mission, struct arena *arena)
{
    char *setting = arena_printf(arena, "pgvigil.key_%s", mission);
    for (char *at = setting == NULL ? NULL : setting + 8; at != NULL && *at != '\0'; at++) {
        /* What the name of a setting may hold; the result stands between quotes in SQL too. */
        bool plain =
            (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        *at = plain || *at == '_' ? *at : '$';
    }
    return setting;
}

/* Half a key: 64 bytes. Anything but 256 digits in the setting makes decode() fail: never a weak
 * key. */
static const char *key_half(struct arena *arena, const char *setting, int from)
{
    return arena_printf(arena,
                        "(SELECT pg_catalog.decode(CASE WHEN pg_catalog.length(k) = 256 THEN "
                        "pg_catalog.substr(k, %d, 128) ELSE '!' END, 'hex') FROM "
                        "(SELECT pg_catalog.current_setting('%s') AS k) AS k)",
                        from, setting);
}

/* 32 hex digits must fit: a pseudonym that is cut would make different people one. */
static bool holds_pseudonym_text(const char *type)
{
    if (strcmp(type, "text") == 0 || strcmp(type, "character varying") == 0) {
        return true;
    }
    static const char limited[] = "character varying(";
    return strncmp(type, limited, sizeof(limited) - 1) == 0 &&
           strtol(type + sizeof(limited) - 1, NULL, 10) >= 32;
}

static const char *pseudonym_sql(const char *type, const char *column, const char *inner,
                                 const char *outer, struct arena *arena)
{
    if (holds_pseudonym_text(type)) {
        /* 128 bits are enough for a name and fit most columns. */
        return arena_printf(
            arena,
            "pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(%s || pg_catalog.sha256(%s || "
            "pg_catalog.convert_to(%s::text, 'UTF8'))), 'hex'), 32)::%s",
            outer, inner, column, type);
    }
    if (strcmp(type, "uuid") == 0) {
        return arena_printf(
            arena,
            "pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(%s || pg_catalog.sha256(%s || "
            "pg_catalog.uuid_send(%s))), 'hex'), 32)::uuid",
            outer, inner, column);
    }
    if (strcmp(type, "bigint") == 0) {
        /* 63 bits: never negative, which some clients take for an error. */
        return arena_printf(
            arena,
            "((('x' || pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(%s || "
            "pg_catalog.sha256(%s || pg_catalog.int8send(%s))), 'hex'), 16))::bit(64)::bigint) & "
            "9223372036854775807)",
            outer, inner, column);
    }
    return NULL;
}

static enum status pseudonym(const struct guard_expr_context *context,
                             const struct catalog_column *column, const char **sql,
                             const char **why)
{
    struct arena *arena = context->arena;
    const char *type = column->base_type;
    const char *setting =
        guard_key_setting(context->policy->missions[context->mission].name, arena);
    const char *qualified = text_qualified(arena, context->alias, column->name);
    if (setting == NULL || qualified == NULL) {
        return ERR_MEMORY;
    }
    if (!holds_pseudonym_text(type) && strcmp(type, "uuid") != 0 && strcmp(type, "bigint") != 0) {
        *why = arena_printf(
            arena,
            "column \"%s\" has type %s, and a pseudonym needs text, uuid or bigint: use \"hide\", "
            "\"null\" or a mask",
            column->name, type);
        return *why == NULL ? ERR_MEMORY : ERR_INVALID;
    }
    const char *inner = key_half(arena, setting, 1);
    const char *outer = key_half(arena, setting, 129);
    *sql =
        inner == NULL || outer == NULL ? NULL : pseudonym_sql(type, qualified, inner, outer, arena);
    return *sql == NULL ? ERR_MEMORY : OK;
}

static enum status masked(const struct guard_expr_context *context,
                          const struct catalog_column *column, const struct policy_mask *mask,
                          const char **sql, const char **why)
{
    struct replace replace = {.context = context, .column = column};
    const char *expression = NULL;
    enum status status = substitute(&replace, mask->expression, &expression, why);
    if (status != OK) {
        return status;
    }
    *sql = arena_printf(context->arena, "(\n%s\n)::%s", expression, column->base_type);
    return *sql == NULL ? ERR_MEMORY : OK;
}

enum status guard_expr_column(const struct guard_expr_context *context,
                              const struct catalog_column *column, const struct policy_mask *mask,
                              const char **sql, const char **why)
{
    *sql = NULL;
    *why = NULL;
    switch (mask->kind) {
    case MASK_SHOW:
        *sql = text_qualified(context->arena, context->alias, column->name);
        break;
    case MASK_NULL:
        *sql = arena_printf(context->arena, "NULL::%s", column->base_type);
        break;
    case MASK_PSEUDONYM:
        return pseudonym(context, column, sql, why);
    case MASK_EXPRESSION:
        return masked(context, column, mask, sql, why);
    case MASK_HIDE:
        return ERR_INTERNAL;
    }
    return *sql == NULL ? ERR_MEMORY : OK;
}
