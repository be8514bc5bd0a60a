/*
 * judge_function.c: function calls.
 *
 * A builtin is one that stands in the reviewed list and that nothing on the session's path could
 * stand in for; it is written as pg_catalog's. What answers about relations, roles and settings is
 * replaced by the built-in guard function of that name. Everything else needs the policy's word and
 * is written with its schema: under the server's empty path nothing is found by a bare name.
 */
#include "judge_cube.h"

#include <string.h>

static enum status not_in_text(struct judge *judge, size_t at)
{
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "function", at,
                        "the name of a function was not found in the text");
}

static enum status refuse(struct judge *judge, const char *name, const char *reason, size_t at)
{
    enum status status = judge_deny(judge, "function", name, at,
                                    judge_format(judge, "function \"%s\" is not available", name));
    if (status == DENIED && reason != NULL)
        judge_hint(judge, judge_format(judge, "Reason: %s (docs/sql-support.md).", reason));
    else if (status == DENIED)
        judge_hint(judge, "Functions outside pg_catalog are allowed by `functions` in the policy.");
    return status;
}

/* The call gets the name "schema"."name": the `parts` names at `at` are replaced. */
static enum status rename_call(struct judge *judge, PgQuery__FuncCall *call, const char *schema,
                               const char *name, size_t at)
{
    size_t next = 0;
    size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
    size_t end =
        index == SIZE_MAX ? 0 : scan_dotted_end(&judge->tokens, index, call->n_funcname, &next);
    if (end == 0)
        return not_in_text(judge, at);
    PgQuery__Node **names = tree_new_names(judge->arena, schema, name);
    const char *quoted_schema = rewrite_quote(judge, schema);
    const char *quoted_name = rewrite_quote(judge, name);
    if (names == NULL || quoted_schema == NULL || quoted_name == NULL)
        return judge_no_memory(judge);
    call->funcname = names;
    call->n_funcname = 2;
    return rewrite_edit(judge, at, end - at,
                        judge_format(judge, "%s.%s", quoted_schema, quoted_name));
}

/* Functions of the list that do what a statement does which the role's `allow` names. */
static bool allowed_by_word(const struct judge *judge, const char *name)
{
    static const struct {
        const char *name;
        enum policy_allow allow;
    } functions[] = {{"pg_notify", ALLOW_NOTIFY}, {"pg_listening_channels", ALLOW_LISTEN}};
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (strcmp(functions[i].name, name) == 0)
            return policy_role_allows(judge->request->policy, judge->request->role,
                                      functions[i].allow);
    return false;
}

static enum status builtin(struct judge *judge, PgQuery__FuncCall *call, const char *name,
                           size_t at)
{
    const char *reason = NULL;
    enum function_class class = functions_class(name, &reason);
    enum status status = OK;
    if ((class == FUNCTION_GUARDED || allowed_by_word(judge, name) ||
         judge_is_sequence_function(name)) &&
        judge_not_stored(judge, name) != OK)
        return DENIED;
    if (allowed_by_word(judge, name)) {
        class = FUNCTION_ALLOWED;
        if (strcmp(name, "pg_notify") == 0)
            status = judge_notify_call(judge, call);
    }
    if (status != OK)
        return status;
    if (judge_is_sequence_function(name)) {
        status = judge_sequence(judge, call, name, at);
        if (status != OK)
            return status;
        class = class == FUNCTION_GUARDED ? class : FUNCTION_ALLOWED;
    }
    bool large = false;
    status = judge_large_object(judge, name, at, &large);
    if (status != OK)
        return status;
    class = large ? FUNCTION_ALLOWED : class;
    if (class == FUNCTION_GUARDED)
        return rename_call(judge, call, judge->catalog_schema, name, at);
    if (class != FUNCTION_ALLOWED)
        return refuse(judge, name, class == FUNCTION_DENIED ? reason : NULL, at);
    if (call->n_funcname == 2)
        return OK;
    /* The grammar's own unnest(a, b) exists by the bare name only, which becomes pg_catalog's
     * there. */
    if (strcmp(name, "unnest") == 0 && call->n_args > 1)
        return OK;
    if (at == SIZE_MAX || scan_find(&judge->tokens, at) == SIZE_MAX)
        return not_in_text(judge, at);
    status = rewrite_edit(judge, at, 0, "pg_catalog.");
    if (status == OK && tree_insert(judge->arena, &call->funcname, &call->n_funcname, 0,
                                    tree_new_string(judge->arena, "pg_catalog")) != OK)
        return judge_no_memory(judge);
    return status;
}

static bool policy_allows(const struct judge *judge, const char *schema, const char *name)
{
    const struct judge_request *request = judge->request;
    /* Whatever the policy says: guard schemas and temporary ones are not the database's. */
    return strncmp(schema, "pgvigil:", 8) != 0 && strncmp(schema, "pg_", 3) != 0 &&
           policy_function_allowed(request->policy, request->role, request->mission, schema, name);
}

static enum status named(struct judge *judge, PgQuery__FuncCall *call, size_t at)
{
    const struct judge_request *request = judge->request;
    const char *name =
        call->n_funcname == 0 ? NULL : tree_string(call->funcname[call->n_funcname - 1]);
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : NULL;
    if (name == NULL || call->n_funcname > 2 || (call->n_funcname == 2 && schema == NULL))
        return refuse(judge, name == NULL ? "function" : name, NULL, at);
    if (schema != NULL && strcmp(schema, "pg_catalog") == 0)
        return builtin(judge, call, name, at);
    if (schema != NULL) {
        /* JDBC's own catalog queries unnest index keys with it: it looks at its argument only. */
        if (strcmp(schema, "information_schema") == 0 && strcmp(name, "_pg_expandarray") == 0)
            return OK;
        if (!policy_allows(judge, schema, name))
            return refuse(judge, judge_format(judge, "%s.%s", schema, name), NULL, at);
        judge->calls_foreign_function = true;
        return judge_not_stored(judge, name);
    }
    const struct catalog_function *other =
        catalog_function_on_path(request->catalog, request->path, request->path_count, name);
    if (other == NULL)
        return builtin(judge, call, name, at);
    if (!policy_allows(judge, other->schema, name)) {
        enum status status =
            refuse(judge, judge_format(judge, "%s.%s", other->schema, name), NULL, at);
        const char *reason = NULL;
        if (functions_class(name, &reason) == FUNCTION_ALLOWED)
            judge_hint(
                judge,
                judge_format(judge, "Write pg_catalog.%s for PostgreSQL's own function.", name));
        return status;
    }
    judge->calls_foreign_function = true;
    if (judge_not_stored(judge, name) != OK)
        return DENIED;
    return rename_call(judge, call, other->schema, name, at);
}

/* Arguments of an aggregate may name columns that are not grouped. */
static bool is_aggregate(const PgQuery__FuncCall *call)
{
    const char *name = tree_string(call->funcname[call->n_funcname - 1]);
    return call->over == NULL && name != NULL && functions_aggregate(name);
}

/* Of PostgreSQL's own, which are nothing else, and where an aggregate may stand. */
static bool groups_level(const struct judge *judge, const PgQuery__FuncCall *call)
{
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : NULL;
    return schema != NULL && strcmp(schema, "pg_catalog") == 0 &&
           judge->level->clause == CLAUSE_OUTPUT && judge->level->aggregate_depth == 0;
}

/* Does its answer hang on the order in which rows come? What the database's own do is not known.
 * ORDER BY settles it, but from PostgreSQL 16 on rows that are equal by it may come in the order
 * that another aggregate of the level asks for: of the collected subjects. */
static bool follows_order(const struct judge *judge, const PgQuery__FuncCall *call)
{
    static const char *const names[] = {"array_agg", "json_agg",         "json_object_agg",
                                        "jsonb_agg", "jsonb_object_agg", "string_agg",
                                        "xmlagg"};
    const char *name = tree_string(call->funcname[call->n_funcname - 1]);
    bool follows = name == NULL || !functions_aggregate(name);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !follows; i++)
        follows = strcmp(name, names[i]) == 0;
    const struct catalog *catalog = judge->request->catalog;
    return follows &&
           (call->n_agg_order == 0 || catalog == NULL || catalog->server_version >= 160000);
}

/* One that the policy allows; its name is qualified by now. */
static bool foreign_aggregate(const struct judge *judge, const PgQuery__FuncCall *call)
{
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : NULL;
    const char *name = call->n_funcname == 2 ? tree_string(call->funcname[1]) : NULL;
    const struct catalog_function *function =
        schema == NULL || name == NULL || judge->request->catalog == NULL
            ? NULL
            : catalog_function_on_path(judge->request->catalog, &schema, 1, name);
    return function != NULL && function->aggregate;
}

/* A window function that tells of no row but its own, and how many stand before it. The others
 * (lag, first_value, every aggregate) put what other rows hold into a row that is somebody's. */
static bool only_counts(const PgQuery__FuncCall *call)
{
    static const char *const names[] = {"cume_dist",    "dense_rank", "ntile",
                                        "percent_rank", "rank",       "row_number"};
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : NULL;
    const char *name = call->n_funcname == 2 ? tree_string(call->funcname[1]) : NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (schema != NULL && name != NULL && strcmp(schema, "pg_catalog") == 0 &&
            strcmp(name, names[i]) == 0)
            return true;
    return false;
}

enum status judge_function(struct judge *judge, PgQuery__FuncCall *call)
{
    size_t at = call->location < 0 ? SIZE_MAX : (size_t)call->location;
    enum status status = named(judge, call, at);
    if (status != OK)
        return status;
    bool aggregate = judge->level != NULL && is_aggregate(call);
    if (judge->level != NULL && call->over == NULL &&
        (aggregate || foreign_aggregate(judge, call))) {
        judge->level->aggregates = true;
        judge->level->ordered = judge->level->ordered || follows_order(judge, call);
    }
    if (aggregate && groups_level(judge, call))
        judge->level->groups = true;
    if (judge->level != NULL && call->over != NULL)
        judge->level->windows = true;
    judge->subjects_mixed = judge->subjects_mixed || (call->over != NULL && !only_counts(call));
    struct cube_argument before;
    status = judge_cube_call(judge, call, &before);
    if (status != OK)
        return status;
    if (aggregate)
        judge->level->aggregate_depth++;
    status = judge_walk_children(judge, &call->base);
    if (aggregate)
        judge->level->aggregate_depth--;
    judge->argument = before;
    return status;
}

static const char *value_function_name(PgQuery__SQLValueFunctionOp op)
{
    switch ((int)op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_ROLE:
        return "current_role";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_USER:
        return "current_user";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_USER:
        return "user";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_SESSION_USER:
        return "session_user";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_CATALOG:
        return "current_catalog";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_SCHEMA:
        return "current_schema";
    default:
        return NULL;
    }
}

static bool tells_time(PgQuery__SQLValueFunctionOp op)
{
    return op >= PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE &&
           op <= PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N;
}

/* current_user and the like: the login of the server connection is nobody's business. The call that
 * takes its place gives its column the same name. */
enum status judge_value_function(struct judge *judge, PgQuery__SQLValueFunction *function,
                                 PgQuery__Node *node)
{
    size_t at = function->location < 0 ? SIZE_MAX : (size_t)function->location;
    const char *name = value_function_name(function->op);
    if (tells_time(function->op))
        return OK;
    if (judge_not_stored(judge, name == NULL ? "this function" : name) != OK)
        return DENIED;
    size_t next = 0;
    size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
    size_t end = index == SIZE_MAX ? 0 : scan_name_end(&judge->tokens, index, &next);
    if (name == NULL || node == NULL || end == 0 || !guard_catalog_function(name))
        return refuse(judge, name == NULL ? "SQL value function" : name, "setting", at);
    PgQuery__FuncCall *call =
        tree_new_call(judge->arena, judge->catalog_schema, name, NULL, function->location);
    const char *schema = rewrite_quote(judge, judge->catalog_schema);
    if (call == NULL || schema == NULL)
        return judge_no_memory(judge);
    node->node_case = PG_QUERY__NODE__NODE_FUNC_CALL;
    node->func_call = call;
    return rewrite_edit(judge, at, end - at, judge_format(judge, "%s.\"%s\"()", schema, name));
}
