/*
 * expression.c: is a text from a policy file one SQL expression that may stand in a guard?
 *
 * Trust boundary: expressions end up inside the views that PostgreSQL enforces, in parentheses. A
 * text that closes the parenthesis ("true) OR (true"), comments the rest away ("id = 1 --") or is
 * more than one expression ("1, secret") would change what the guard means, so it is parsed by
 * libpg_query both as it stands and in parentheses, and each must be SELECT of exactly one target
 * and nothing else. Placeholders are names of the same length meanwhile, and each must come back as
 * a column reference at its place.
 *
 * What only a database can tell (do the columns exist, is the result boolean, is a mask immutable)
 * is left to `check --database` and deploy.
 */
#include "expression_check.h"
#include "functions.h"
#include "lexer.h"
#include "tree.h"

#include <pgvigil/expression.h>
#include <pgvigil/guard.h>
#include <pgvigil/text.h>

#include <string.h>

#define EXPRESSION_BYTES  ((size_t)16 << 10)
#define EXPRESSION_TOKENS 4000
#define TREE_DEPTH        20000
#define PREFIX            "SELECT "

struct check {
    const struct policy *policy;
    enum expression_kind kind;
    struct arena *arena;
    const char *expression;
    struct policy_placeholder *placeholders;
    size_t placeholder_count;
    char *plain;  /* placeholders made names of the same length: " ____" */
    size_t found; /* placeholders met in the tree */
    const char **ctes;
    size_t cte_count;
    size_t cte_cap;
    bool collecting; /* first walk: names of CTEs */
    size_t depth;
    const char *what;
};

static enum status refuse(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum status refuse(struct check *check, const char *format, ...)
{
    va_list args;
    if (check->what == NULL) {
        va_start(args, format);
        check->what = arena_vprintf(check->arena, format, args);
        va_end(args);
    }
    return ERR_INVALID;
}

/* Bounds, strings and comments that do not end, comments at all. */
static enum status check_text(struct check *check)
{
    size_t at = 0;
    size_t tokens = 0;
    if (strlen(check->expression) > EXPRESSION_BYTES)
        return refuse(check, "the expression is longer than %zu bytes", EXPRESSION_BYTES);
    for (;;) {
        switch (lexer_next(check->expression, &at)) {
        case LEXEME_END:
            if (tokens == 0)
                return refuse(check, "the expression is empty");
            return tokens > EXPRESSION_TOKENS
                       ? refuse(check, "the expression has more than %d tokens", EXPRESSION_TOKENS)
                       : OK;
        case LEXEME_COMMENT:
            return refuse(check,
                          "an expression holds no comments: write them outside of the quotes, "
                          "behind a #");
        case LEXEME_UNCLOSED:
            return refuse(check, "a string, quoted name or comment in the expression has no end");
        case LEXEME_SPACE:
            break;
        case LEXEME_WORD:
        case LEXEME_QUOTED:
        case LEXEME_CAST:
        case LEXEME_ASSIGN:
        case LEXEME_COLON:
        case LEXEME_OTHER:
            tokens++;
            break;
        }
    }
}

static bool placeholder_allowed(enum expression_kind kind, enum policy_placeholder_kind placeholder)
{
    switch (placeholder) {
    case PLACEHOLDER_USER_NAME:
    case PLACEHOLDER_USER_ATTRIBUTE:
    case PLACEHOLDER_SESSION:
    case PLACEHOLDER_CLIENT_ADDRESS:
    case PLACEHOLDER_SUBJECT:
        return kind == EXPRESSION_FILTER;
    case PLACEHOLDER_COLUMN:
        return kind == EXPRESSION_MASK;
    }
    return false;
}

static enum status check_placeholders(struct check *check, bool *subject)
{
    enum status status =
        policy_placeholders(check->policy, check->expression, check->arena, &check->placeholders,
                            &check->placeholder_count, &check->what);
    if (status != OK)
        return status;
    check->plain = arena_strdup(check->arena, check->expression);
    if (check->plain == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < check->placeholder_count; i++) {
        const struct policy_placeholder *one = &check->placeholders[i];
        int len = (int)(one->end - one->start);
        const char *name = check->expression + one->start;
        if (one->kind == PLACEHOLDER_COLUMN && check->kind != EXPRESSION_MASK)
            return refuse(check, ":col is for masks only: name the column, table.column");
        if (check->kind == EXPRESSION_MASK && !placeholder_allowed(check->kind, one->kind))
            return refuse(check,
                          "%.*s cannot be used in a mask: a mask is immutable and sees :col alone",
                          len, name);
        if (check->kind == EXPRESSION_PERSON)
            return refuse(check,
                          "%.*s cannot be used here: it is about the person of the row, whoever "
                          "asks",
                          len, name);
        if (!placeholder_allowed(check->kind, one->kind))
            return refuse(
                check,
                "%.*s cannot be used in a subject: it names the patient of a row, whoever "
                "asks",
                len, name);
        *subject = *subject || one->kind == PLACEHOLDER_SUBJECT;
        check->plain[one->start] = ' ';
        memset(check->plain + one->start + 1, '_', one->end - one->start - 1);
    }
    return OK;
}

/* libpg_query's own scanner must see a name at each placeholder: our lexical rules and its agree.
 */
static enum status check_scan(struct check *check)
{
    PgQueryScanResult result = pg_query_scan(check->plain);
    PgQuery__ScanResult *scan = NULL;
    enum status status = OK;
    size_t next = 0;
    if (result.error != NULL) {
        status = refuse(check, "%s", result.error->message);
        goto done;
    }
    scan = pg_query__scan_result__unpack(NULL, result.pbuf.len, (const uint8_t *)result.pbuf.data);
    if (scan == NULL) {
        status = ERR_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < scan->n_tokens && next < check->placeholder_count; i++) {
        const struct policy_placeholder *one = &check->placeholders[next];
        size_t start = (size_t)scan->tokens[i]->start;
        if (start < one->start + 1)
            continue;
        if (start != one->start + 1 || (size_t)scan->tokens[i]->end != one->end ||
            scan->tokens[i]->token != PG_QUERY__TOKEN__IDENT)
            break;
        next++;
    }
    if (next != check->placeholder_count)
        status = refuse(check, "the placeholders of the expression cannot be told from its text");
done:
    if (scan != NULL)
        pg_query__scan_result__free_unpacked(scan, NULL);
    pg_query_free_scan_result(result);
    return status;
}

/* The placeholder that starts at a place of the parsed text, or NULL. */
static const struct policy_placeholder *placeholder_at(const struct check *check, int location)
{
    for (size_t i = 0; i < check->placeholder_count; i++)
        if (location == (int)(sizeof(PREFIX) - 1 + check->placeholders[i].start + 1))
            return &check->placeholders[i];
    return NULL;
}

static enum status check_column(struct check *check, const PgQuery__ColumnRef *column)
{
    if (placeholder_at(check, column->location) != NULL && column->n_fields == 1) {
        check->found++;
        return OK;
    }
    if (check->kind != EXPRESSION_MASK)
        return OK;
    const char *name = column->n_fields > 0 ? tree_string(column->fields[0]) : NULL;
    return refuse(check, "a mask may use :col only, not the column \"%s\"",
                  name == NULL ? "*" : name);
}

static bool is_cte(const struct check *check, const char *name)
{
    for (size_t i = 0; i < check->cte_count; i++)
        if (strcmp(check->ctes[i], name) == 0)
            return true;
    return false;
}

/* A placeholder that libpg_query took for the name of a thing. */
static enum status misplaced(struct check *check, const struct policy_placeholder *one)
{
    return refuse(
        check,
        "%.*s stands where a value cannot: it is no name of a table, function, type or alias",
        (int)(one->end - one->start), check->expression + one->start);
}

static enum status check_range(struct check *check, const PgQuery__RangeVar *range)
{
    if (range->schemaname != NULL && range->schemaname[0] != '\0') {
        if (strncmp(range->schemaname, "pgvigil:", 8) == 0)
            return refuse(check, "guards cannot be read in an expression: name the table itself");
        return OK;
    }
    if (placeholder_at(check, range->location) != NULL)
        return misplaced(check, placeholder_at(check, range->location));
    /* Guards are made under an empty search_path: a name that is no CTE in scope fails there. */
    if (is_cte(check, range->relname))
        return OK;
    return refuse(check, "table \"%s\" must be schema-qualified: write schema.%s", range->relname,
                  range->relname);
}

static enum status check_function(struct check *check, const PgQuery__FuncCall *call)
{
    const char *name = call->n_funcname == 1 ? tree_string(call->funcname[0]) : NULL;
    if (call->n_funcname > 1 || (name != NULL && guard_function_listed(name)))
        return OK;
    if (placeholder_at(check, call->location) != NULL)
        return misplaced(check, placeholder_at(check, call->location));
    return refuse(
        check,
        "function \"%s\" must be schema-qualified, schema.%s(...): pg_catalog has none of "
        "that name in PostgreSQL 15",
        name == NULL ? "?" : name, name == NULL ? "?" : name);
}

static enum status check_type_name(struct check *check, const PgQuery__TypeName *type)
{
    const char *name = type->n_names == 1 ? tree_string(type->names[0]) : NULL;
    if (type->pct_type || type->setof)
        return refuse(check, "%%TYPE and SETOF cannot be used in an expression");
    if (type->n_names != 1 || (name != NULL && builtin_type(name)))
        return OK;
    if (placeholder_at(check, type->location) != NULL)
        return misplaced(check, placeholder_at(check, type->location));
    return refuse(check, "type \"%s\" must be schema-qualified: write schema.%s",
                  name == NULL ? "?" : name, name == NULL ? "?" : name);
}

static enum status check_value_function(struct check *check,
                                        const PgQuery__SQLValueFunction *function)
{
    switch (function->op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_ROLE:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_USER:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_USER:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_SESSION_USER:
        return refuse(check,
                      "current_user and the like are pgvigil's own login here: write :user.name");
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_CATALOG:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_SCHEMA:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME_N:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP_N:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME_N:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N:
        return check->kind == EXPRESSION_MASK
                   ? refuse(check, "a mask is immutable: it cannot use the current time or names")
                   : OK;
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SQLVALUE_FUNCTION_OP_UNDEFINED:
    case _PG_QUERY__SQLVALUE_FUNCTION_OP_IS_INT_SIZE:
        break;
    }
    return refuse(check, "an unknown SQL value function");
}

static enum status collect_cte(struct check *check, const PgQuery__CommonTableExpr *cte)
{
    const char **room = arena_grow(check->arena, (void *)check->ctes, check->cte_count,
                                   &check->cte_cap, sizeof(*room));
    if (room == NULL)
        return ERR_MEMORY;
    check->ctes = room;
    room[check->cte_count] = arena_strdup(check->arena, cte->ctename);
    return room[check->cte_count++] == NULL ? ERR_MEMORY : OK;
}

static enum status check_node(struct check *check, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (check->collecting)
        return type == &pg_query__common_table_expr__descriptor
                   ? collect_cte(check, (const PgQuery__CommonTableExpr *)message)
                   : OK;
    if (type == &pg_query__column_ref__descriptor)
        return check_column(check, (const PgQuery__ColumnRef *)message);
    if (type == &pg_query__range_var__descriptor)
        return check_range(check, (const PgQuery__RangeVar *)message);
    if (type == &pg_query__func_call__descriptor)
        return check_function(check, (const PgQuery__FuncCall *)message);
    if (type == &pg_query__type_name__descriptor)
        return check_type_name(check, (const PgQuery__TypeName *)message);
    if (type == &pg_query__sqlvalue_function__descriptor)
        return check_value_function(check, (const PgQuery__SQLValueFunction *)message);
    if (type == &pg_query__param_ref__descriptor)
        return refuse(check, "$%d: there are no parameters in an expression",
                      ((const PgQuery__ParamRef *)message)->number);
    if (type == &pg_query__sub_link__descriptor && check->kind == EXPRESSION_MASK)
        return refuse(check, "a mask may not read tables: it is an immutable expression over :col");
    if (type == &pg_query__locking_clause__descriptor || type == &pg_query__into_clause__descriptor)
        return refuse(check, "FOR UPDATE, FOR SHARE and INTO cannot be used in an expression");
    if (type == &pg_query__set_to_default__descriptor)
        return refuse(check, "DEFAULT is no value here");
    if (type == &pg_query__insert_stmt__descriptor || type == &pg_query__update_stmt__descriptor ||
        type == &pg_query__delete_stmt__descriptor || type == &pg_query__merge_stmt__descriptor)
        return refuse(check, "an expression reads; it cannot change data");
    return OK;
}

/* Every message of the tree, whatever it is. */
static enum status walk(void *context, ProtobufCMessage *message)
{
    struct check *check = context;
    if (check->depth > TREE_DEPTH)
        return refuse(check, "the expression is nested too deeply");
    check->depth++;
    enum status status = check_node(check, message);
    if (status == OK)
        status = tree_children(message, walk, check);
    check->depth--;
    return status;
}

/* SELECT of one unnamed target and nothing else; NULL when it is anything more. */
static const PgQuery__Node *only_target(const PgQuery__ParseResult *tree)
{
    if (tree == NULL || tree->n_stmts != 1 || tree->stmts[0]->stmt == NULL ||
        tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return NULL;
    const PgQuery__SelectStmt *select = tree->stmts[0]->stmt->select_stmt;
    if (select->n_target_list != 1 || select->n_distinct_clause != 0 ||
        select->into_clause != NULL || select->n_from_clause != 0 || select->where_clause != NULL ||
        select->n_group_clause != 0 || select->group_distinct || select->having_clause != NULL ||
        select->n_window_clause != 0 || select->n_values_lists != 0 || select->n_sort_clause != 0 ||
        select->limit_offset != NULL || select->limit_count != NULL ||
        select->n_locking_clause != 0 || select->with_clause != NULL || select->larg != NULL ||
        select->rarg != NULL || select->all || select->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
        return NULL;
    const PgQuery__Node *target = select->target_list[0];
    if (target->node_case != PG_QUERY__NODE__NODE_RES_TARGET ||
        target->res_target->n_indirection != 0 || target->res_target->val == NULL ||
        (target->res_target->name != NULL && target->res_target->name[0] != '\0'))
        return NULL;
    return target->res_target->val;
}

/* Parses before ++ plain ++ after; the tree stands in `arena`. */
static enum status parse(struct check *check, struct arena *arena, const char *before,
                         const char *after, PgQuery__ParseResult **tree)
{
    const char *message = NULL;
    size_t position = 0;
    char *sql = arena_printf(arena, "%s%s%s", before, check->plain, after);
    if (sql == NULL)
        return ERR_MEMORY;
    enum status status = tree_parse(sql, arena, tree, &message, &position);
    if (status != ERR_SYNTAX)
        return status;
    /* Placeholders are underscores in the parsed text: say their names. */
    const struct policy_placeholder *one = placeholder_at(check, (int)position - 1);
    if (one != NULL)
        return refuse(check, "syntax error at or near \"%.*s\"", (int)(one->end - one->start),
                      check->expression + one->start);
    return refuse(check, "%s", message);
}

static enum status check_tree(struct check *check, struct arena *arena)
{
    PgQuery__ParseResult *bare = NULL;
    PgQuery__ParseResult *enclosed = NULL;
    enum status status = parse(check, arena, PREFIX, "", &bare);
    if (status == OK && only_target(bare) == NULL)
        status =
            refuse(check, "this is not one expression alone: no list, FROM, AS, ; or UNION here");
    if (status == OK)
        status = parse(check, arena, "SELECT (", "\n)", &enclosed);
    if (status == OK && only_target(enclosed) == NULL)
        status = refuse(check, "this is not one expression alone");
    check->collecting = true;
    if (status == OK)
        status = walk(check, &bare->base);
    check->collecting = false;
    if (status == OK)
        status = walk(check, &bare->base);
    if (status == OK && check->found != check->placeholder_count)
        status =
            refuse(check, "a placeholder stands where a value cannot: it is no name of a table, "
                          "function, type or alias");
    return status;
}

enum status expression_check(const struct policy *policy, const char *expression,
                             enum expression_kind kind, struct arena *arena, bool *subject,
                             const char **what)
{
    struct check check = {.policy = policy, .kind = kind, .arena = arena, .expression = expression};
    *subject = false;
    enum status status = check_text(&check);
    if (status == OK)
        status = check_placeholders(&check, subject);
    if (status == OK)
        status = check_scan(&check);
    struct arena *trees = arena_new(0);
    if (status == OK)
        status = trees == NULL ? ERR_MEMORY : check_tree(&check, trees);
    arena_free(trees);
    *what = check.what;
    return status;
}

const char *expression_column(const char *expression, const char *table, struct arena *arena)
{
    struct check check = {
        .arena = arena, .expression = expression, .plain = (char *)(uintptr_t)expression};
    struct arena *trees = arena_new(0);
    PgQuery__ParseResult *tree = NULL;
    const PgQuery__Node *value =
        trees != NULL && parse(&check, trees, PREFIX, "", &tree) == OK ? only_target(tree) : NULL;
    const PgQuery__ColumnRef *ref =
        value != NULL && value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? value->column_ref
                                                                             : NULL;
    const char *name = ref == NULL ? NULL : tree_string(ref->fields[ref->n_fields - 1]);
    const char *of = ref != NULL && ref->n_fields == 2 ? tree_string(ref->fields[0]) : table;
    bool own = name != NULL && ref->n_fields <= 2 && of != NULL && strcmp(of, table) == 0;
    const char *found = own ? arena_strdup(arena, name) : NULL;
    arena_free(trees);
    return found;
}

static const PgQuery__TypeName *cast_type(const PgQuery__ParseResult *tree)
{
    const PgQuery__Node *value = only_target(tree);
    if (value == NULL || value->node_case != PG_QUERY__NODE__NODE_TYPE_CAST)
        return NULL;
    const PgQuery__Node *argument = value->type_cast->arg;
    if (argument == NULL || argument->node_case != PG_QUERY__NODE__NODE_A_CONST ||
        !argument->a_const->isnull)
        return NULL;
    return value->type_cast->type_name;
}

enum status expression_check_type(const char *type, struct arena *arena, bool *is_list,
                                  const char **base, const char **what)
{
    struct check check = {.arena = arena, .expression = type, .plain = (char *)(uintptr_t)type};
    PgQuery__ParseResult *tree = NULL;
    *is_list = false;
    *base = "";
    enum status status = check_text(&check);
    struct arena *trees = arena_new(0);
    if (status == OK)
        status = trees == NULL ? ERR_MEMORY : parse(&check, trees, "SELECT NULL::", "\n", &tree);
    const PgQuery__TypeName *name = status == OK ? cast_type(tree) : NULL;
    if (status == OK && name == NULL)
        status = refuse(&check, "\"%s\" is not the name of a type", type);
    if (status == OK && name != NULL)
        status = check_type_name(&check, name);
    if (status == OK && name != NULL && name->n_array_bounds > 1)
        status = refuse(&check, "\"%s\": arrays have one dimension here", type);
    if (status == OK && name != NULL) {
        const char *last = name->n_names == 0 ? NULL : tree_string(name->names[name->n_names - 1]);
        const char *schema = name->n_names == 2 ? tree_string(name->names[0]) : "pg_catalog";
        *is_list = name->n_array_bounds == 1;
        if (last != NULL && schema != NULL && strcmp(schema, "pg_catalog") == 0)
            *base = arena_strdup(arena, last);
        if (*base == NULL)
            status = ERR_MEMORY;
    } else if (status == ERR_INVALID && tree == NULL) {
        check.what = arena_printf(arena, "\"%s\" is not the name of a type: %s", type,
                                  check.what == NULL ? "" : check.what);
    }
    arena_free(trees);
    *what = check.what;
    return status;
}
