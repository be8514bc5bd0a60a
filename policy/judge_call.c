/*
 * judge_call.c: the FunctionCall message, judged as a call of that function.
 *
 * The message names a function by its OID and no text. It becomes the SELECT that would call it,
 * and that is judged and recorded like one a client wrote; what PostgreSQL then gets is the message
 * itself, by the same OID.
 *
 * The attacks: an OID that is not what it seems, so it is looked up among PostgreSQL's own
 * functions and those that the policy names, and anything else is as if it were not there; a
 * function that a guard stands for, which the message would reach past it; an argument whose input
 * function looks a name up (regclass) or reads a row type.
 */
#include "judge_private.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <string.h>

static enum status refused(const struct judge_request *request, struct arena *arena,
                           const char *sqlstate, const char *object, const char *message,
                           const char *hint, struct verdict **verdict)
{
    const struct policy *policy = request->policy;
    struct verdict *made = arena_zalloc(arena, 1, sizeof(*made));
    *verdict = made;
    if (made == NULL)
        return ERR_MEMORY;
    made->refusal = (struct verdict_refusal){
        .sqlstate = sqlstate,
        .reason = "function",
        .object = object,
        .hint = hint,
        .message = arena_printf(arena, "%s for role \"%s\" in mission \"%s\"", message,
                                policy->roles[request->role].name,
                                policy->missions[request->mission].name)};
    if (object == NULL || message == NULL || made->refusal.message == NULL) {
        *verdict = NULL;
        return ERR_MEMORY;
    }
    return DENIED;
}

static char *call_text(const struct catalog_callable *callable, struct arena *arena)
{
    struct buf text;
    buf_init(&text, 0);
    buf_str(&text, "SELECT ");
    if (strcmp(callable->schema, "pg_catalog") == 0) {
        buf_str(&text, "pg_catalog");
    } else {
        text_quote_ident(&text, callable->schema);
    }
    buf_byte(&text, '.');
    text_quote_ident(&text, callable->name);
    buf_byte(&text, '(');
    for (size_t i = 0; i < callable->type_count; i++)
        buf_printf(&text, "%s$%zu", i == 0 ? "" : ", ", i + 1);
    buf_byte(&text, ')');
    return text_take(&text, arena);
}

static enum status check_arguments(const struct judge_request *request,
                                   const struct catalog_callable *callable, size_t count,
                                   struct arena *arena, struct verdict **verdict)
{
    const char *pair = guard_pair_name(request->policy, request->role, request->mission, arena);
    if (pair == NULL)
        return ERR_MEMORY;
    if (count != callable->type_count)
        return refused(request, arena, "08P01", callable->name,
                       arena_printf(arena,
                                    "function call message contains %zu arguments but function "
                                    "requires %zu",
                                    count, callable->type_count),
                       NULL, verdict);
    for (size_t i = 0; i < count; i++) {
        if (!judge_parameter_type(request->catalog, pair, callable->types[i]))
            return refused(request, arena, "42501", callable->name,
                           arena_printf(arena,
                                        "function \"%s.%s\" cannot be called by the function-call "
                                        "message",
                                        callable->schema, callable->name),
                           "One of its arguments is of a type that parameters may not have: call "
                           "it in a SELECT.",
                           verdict);
    }
    return OK;
}

enum status judge_call(const struct judge_request *request, uint32_t function, size_t count,
                       struct arena *arena, const char **sql, struct verdict **verdict)
{
    *verdict = NULL;
    *sql = "";
    const struct catalog_callable *callable =
        request->catalog == NULL ? NULL : catalog_find_callable(request->catalog, function);
    bool named = callable != NULL &&
                 (strcmp(callable->schema, "pg_catalog") == 0 ||
                  policy_function_allowed(request->policy, request->role, request->mission,
                                          callable->schema, callable->name));
    if (!named)
        return refused(request, arena, "42501", arena_printf(arena, "OID %u", function),
                       arena_printf(arena, "function with OID %u is not available", function),
                       "The function-call message reaches functions of pgvigil's reviewed list and "
                       "those that `functions` in the policy names.",
                       verdict);
    struct judge_request call = *request;
    call.sql = call_text(callable, arena);
    call.extended = true;
    if (call.sql == NULL)
        return ERR_MEMORY;
    call.len = strlen(call.sql);
    *sql = call.sql;
    enum status status = judge(&call, arena, verdict);
    return status == OK ? check_arguments(request, callable, count, arena, verdict) : status;
}
