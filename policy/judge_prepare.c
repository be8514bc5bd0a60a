/*
 * judge_prepare.c: PREPARE and EXECUTE.
 *
 * The proxy does what PREPARE says by the protocol's Parse, with the statement inside as a text of
 * its own that is judged by itself; here it is judged in its place, so that a refusal points into
 * what the client wrote. EXECUTE goes upstream with the name that the server has for the statement:
 * the client's names are the session's, and a server connection is shared.
 */
#include "judge_private.h"

#include <string.h>

#define TYPES_MAX 65535

static enum status lost(struct judge *judge, const char *what)
{
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", what, SIZE_MAX,
                        judge_format(judge, "%s was not found in the text", what));
}

static enum status parameter_types(struct judge *judge, const PgQuery__PrepareStmt *prepare,
                                   struct verdict_statement *out)
{
    uint32_t *types = arena_zalloc(judge->arena, prepare->n_argtypes + 1, sizeof(*types));
    if (types == NULL)
        return judge_no_memory(judge);
    if (prepare->n_argtypes > TYPES_MAX)
        return judge_refuse(judge, ERR_LIMIT, "54023", "type", "types", SIZE_MAX,
                            "the statement has too many parameters");
    enum status status = OK;
    for (size_t i = 0; i < prepare->n_argtypes && status == OK; i++) {
        PgQuery__Node *node = prepare->argtypes[i];
        if (node->node_case != PG_QUERY__NODE__NODE_TYPE_NAME)
            return judge_unsupported(judge, "type", "this form of type", NULL);
        status = judge_type(judge, node->type_name);
        if (status == OK)
            status = judge_type_oid(judge, node->type_name, &types[i]);
    }
    out->types = types;
    out->type_count = prepare->n_argtypes;
    return status;
}

/* Behind the name and the types stands AS, which neither can hold at this depth. */
static enum status held_start(struct judge *judge, const struct verdict_statement *out,
                              size_t *start)
{
    const struct token_list *list = &judge->tokens;
    size_t depth = 0;
    for (size_t i = scan_from(list, out->start); i + 1 < list->count; i++) {
        uint16_t kind = list->tokens[i].kind;
        if (kind == PG_QUERY__TOKEN__ASCII_40)
            depth++;
        else if (kind == PG_QUERY__TOKEN__ASCII_41 && depth > 0)
            depth--;
        else if (kind == PG_QUERY__TOKEN__AS && depth == 0) {
            *start = list->tokens[i + 1].start;
            return OK;
        }
    }
    return lost(judge, "AS");
}

enum status judge_prepare(struct judge *judge, PgQuery__PrepareStmt *prepare,
                          struct verdict_statement *out)
{
    out->kind = STATEMENT_PREPARE;
    out->tag = "PREPARE";
    out->target = arena_strdup(judge->arena, prepare->name);
    if (out->target == NULL)
        return judge_no_memory(judge);
    enum status status = parameter_types(judge, prepare, out);
    if (status == OK)
        status = held_start(judge, out, &out->held);
    return status == OK ? judge_held(judge, prepare->query, out->held, out) : status;
}

static enum status rename_target(struct judge *judge, PgQuery__ExecuteStmt *execute, size_t start,
                                 const char *server_name)
{
    size_t next = 0;
    size_t word = scan_from(&judge->tokens, start);
    size_t end = word + 1 < judge->tokens.count &&
                         judge->tokens.tokens[word].kind == PG_QUERY__TOKEN__EXECUTE
                     ? scan_name_end(&judge->tokens, word + 1, &next)
                     : 0;
    if (end == 0)
        return lost(judge, "the name of EXECUTE");
    size_t at = judge->tokens.tokens[word + 1].start;
    execute->name = arena_strdup(judge->arena, server_name);
    if (execute->name == NULL)
        return judge_no_memory(judge);
    return rewrite_edit(judge, at, end - at, rewrite_quote(judge, server_name));
}

enum status judge_execute(struct judge *judge, PgQuery__ExecuteStmt *execute,
                          struct verdict_statement *out)
{
    const struct judge_request *request = judge->request;
    struct level level;
    out->kind = STATEMENT_EXECUTE;
    out->tag = "EXECUTE";
    out->target = arena_strdup(judge->arena, execute->name);
    if (out->target == NULL)
        return judge_no_memory(judge);
    const char *server_name = request->prepared == NULL
                                  ? NULL
                                  : request->prepared(request->context, out->target, &out->writes);
    if (server_name == NULL)
        return judge_refuse(
            judge, DENIED, "26000", "statement", out->target, SIZE_MAX,
            judge_format(judge, "prepared statement \"%s\" does not exist", out->target));
    struct verdict_named *arguments =
        arena_zalloc(judge->arena, execute->n_params + 1, sizeof(*arguments));
    if (arguments == NULL)
        return judge_no_memory(judge);
    enum status status = rename_target(judge, execute, out->start, server_name);
    for (size_t i = 0; i < execute->n_params && status == OK; i++)
        status = judge_value(judge, execute->params[i], &arguments[i]);
    out->arguments = arguments;
    out->argument_count = execute->n_params;
    scope_enter(judge, &level, NULL);
    level.clause = CLAUSE_OUTPUT;
    if (status == OK)
        status = judge_walk_list(judge, execute->params, execute->n_params);
    scope_leave(judge);
    return status;
}
