/*
 * judge_reg.c: casts to reg* types.
 *
 * The attack: 'name'::regclass tells whether a relation exists, 16384::regclass what it is called,
 * past every guard. So such a cast becomes a call of a guard function: regclass_in(text) for text
 * that names something, regclass_out(oid) for a number that is to be shown; both know only what
 * exists for the pair. The other reg* types have no guard and are refused.
 *
 * A cast is rewritten before its argument is walked, so that edits at one place stay in order.
 */
#include "judge_private.h"

#include <string.h>

/* The reg* type that a cast is to, or NULL. */
static const char *reg_name(const PgQuery__TypeName *type)
{
    static const char *const guarded[] = {"regclass",     "regtype", "regproc",    "regprocedure",
                                          "regnamespace", "regrole", "regoperator"};
    const char *name = type->n_names == 0 ? NULL : tree_string(type->names[type->n_names - 1]);
    const char *schema = type->n_names == 2 ? tree_string(type->names[0]) : NULL;
    bool plain = name != NULL && type->n_names <= 2 && type->n_typmods == 0 &&
                 type->n_array_bounds == 0 && !type->setof && !type->pct_type &&
                 (type->n_names == 1 || (schema != NULL && strcmp(schema, "pg_catalog") == 0));
    for (size_t i = 0; plain && i < sizeof(guarded) / sizeof(guarded[0]); i++) {
        if (strcmp(guarded[i], name) == 0)
            return guarded[i];
    }
    return NULL;
}

/* Does the argument hold a name, rather than a number? By its form; a wrong guess is an error, not
 * a leak. */
static bool is_text(const PgQuery__Node *node)
{
    if (node->node_case == PG_QUERY__NODE__NODE_PARAM_REF)
        return true;
    if (node->node_case == PG_QUERY__NODE__NODE_A_CONST)
        return node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL || node->a_const->isnull;
    if (node->node_case == PG_QUERY__NODE__NODE_A_EXPR) {
        const char *name = node->a_expr->n_name == 1 ? tree_string(node->a_expr->name[0]) : NULL;
        return name != NULL && strcmp(name, "||") == 0;
    }
    const PgQuery__Node *last = NULL;
    if (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST &&
        node->type_cast->type_name->n_names > 0)
        last = node->type_cast->type_name->names[node->type_cast->type_name->n_names - 1];
    if (node->node_case == PG_QUERY__NODE__NODE_FUNC_CALL && node->func_call->n_funcname > 0)
        last = node->func_call->funcname[node->func_call->n_funcname - 1];
    static const char *const texts[] = {
        "text",        "varchar", "name",   "bpchar",
        "quote_ident", "format",  "concat", "pg_get_serial_sequence",
        "concat_ws",   "lower"};
    const char *name = tree_string(last);
    for (size_t i = 0; name != NULL && i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i], name) == 0)
            return true;
    }
    return false;
}

/* The first byte that any node of a tree names. */
static enum status lowest(void *context, ProtobufCMessage *message)
{
    int *low = context;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "location");
    if (field != NULL && field->type == PROTOBUF_C_TYPE_INT32) {
        int at = -1;
        memcpy(&at, (const char *)message + field->offset, sizeof(at));
        if (at >= 0 && (*low < 0 || at < *low))
            *low = at;
    }
    return tree_children(message, lowest, context);
}

static enum status not_found(struct judge *judge, size_t at)
{
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "cast", at,
                        "a cast was not found in the text");
}

static int kind_at(const struct judge *judge, size_t index)
{
    return index < judge->tokens.count ? judge->tokens.tokens[index].kind : 0;
}

/* First token of the operand of the `::` at token `cast`: its first node, and the parentheses round
 * that. */
static size_t operand_start(const struct judge *judge, PgQuery__Node *argument, size_t cast)
{
    int low = -1;
    if (lowest(&low, &argument->base) != OK || low < 0)
        return SIZE_MAX;
    size_t start = scan_find(&judge->tokens, (size_t)low);
    long depth = 0;
    long missing = 0;
    for (size_t i = start; i != SIZE_MAX && i < cast; i++) {
        int kind = kind_at(judge, i);
        depth += kind == PG_QUERY__TOKEN__ASCII_40 || kind == PG_QUERY__TOKEN__ASCII_91;
        depth -= kind == PG_QUERY__TOKEN__ASCII_41 || kind == PG_QUERY__TOKEN__ASCII_93;
        missing = -depth > missing ? -depth : missing;
    }
    for (; start != SIZE_MAX && missing > 0; missing--) {
        if (start == 0 || kind_at(judge, start - 1) != PG_QUERY__TOKEN__ASCII_40)
            return SIZE_MAX;
        start--;
    }
    return start < cast ? start : SIZE_MAX;
}

/* Everything that depends on how the cast is written: name '...' | CAST(... AS name) | ...::name */
static enum status edit_cast(struct judge *judge, PgQuery__TypeCast *cast, const char *call)
{
    const struct token *tokens = judge->tokens.tokens;
    size_t next = 0;
    size_t type_at = cast->type_name->location < 0 ? SIZE_MAX : (size_t)cast->type_name->location;
    size_t type = type_at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, type_at);
    size_t end = type == SIZE_MAX || type == 0
                     ? 0
                     : scan_dotted_end(&judge->tokens, type, cast->type_name->n_names, &next);
    if (end == 0)
        return not_found(judge, type_at);
    if (kind_at(judge, type - 1) == PG_QUERY__TOKEN__TYPECAST) {
        size_t start = operand_start(judge, cast->arg, type - 1);
        if (start == SIZE_MAX)
            return not_found(judge, type_at);
        size_t at = tokens[type - 1].start;
        enum status status = rewrite_edit(judge, tokens[start].start, 0, call);
        return status == OK ? rewrite_edit(judge, at, end - at, ")") : status;
    }
    size_t word = cast->location < 0 ? SIZE_MAX : scan_find(&judge->tokens, (size_t)cast->location);
    if (word != SIZE_MAX && kind_at(judge, word) == PG_QUERY__TOKEN__CAST &&
        kind_at(judge, word + 1) == PG_QUERY__TOKEN__ASCII_40 &&
        kind_at(judge, type - 1) == PG_QUERY__TOKEN__AS) {
        size_t at = tokens[word].start;
        size_t as = tokens[type - 1].start;
        enum status status = rewrite_edit(judge, at, tokens[word + 1].start + 1 - at, call);
        return status == OK ? rewrite_edit(judge, as, end - as, "") : status;
    }
    return not_found(judge, type_at); /* name '...' */
}

static enum status become_call(struct judge *judge, PgQuery__TypeCast *cast, PgQuery__Node *node,
                               const char *name)
{
    PgQuery__FuncCall *call =
        tree_new_call(judge->arena, judge->catalog_schema, name, cast->arg, cast->location);
    if (call == NULL)
        return judge_no_memory(judge);
    node->node_case = PG_QUERY__NODE__NODE_FUNC_CALL;
    node->func_call = call;
    judge->reg_casts++;
    return OK;
}

static const PgQuery__TypeCast *number_cast(const PgQuery__Node *node, const char **type)
{
    const PgQuery__TypeCast *cast =
        node != NULL && node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST ? node->type_cast : NULL;
    *type = cast == NULL || cast->type_name == NULL ? NULL : reg_name(cast->type_name);
    return *type != NULL && cast->arg != NULL && !is_text(cast->arg) ? cast : NULL;
}

/* a::regclass = b::regclass compares numbers; what is shown as text could not be compared with one.
 */
enum status judge_reg_compare(struct judge *judge, const PgQuery__AExpr *expr)
{
    const PgQuery__Node *sides[] = {expr->lexpr, expr->rexpr};
    const char *types[2] = {NULL, NULL};
    const PgQuery__TypeCast *casts[2];
    for (size_t i = 0; i < 2; i++)
        casts[i] = number_cast(sides[i], &types[i]);
    if (types[0] == NULL || types[1] == NULL || strcmp(types[0], types[1]) != 0)
        return OK;
    for (size_t i = 0; i < 2; i++) {
        PgQuery__TypeName *type = casts[i] == NULL ? NULL : casts[i]->type_name;
        size_t next = 0;
        if (type == NULL)
            continue;
        size_t at = type->location < 0 ? SIZE_MAX : (size_t)type->location;
        size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
        size_t end =
            index == SIZE_MAX ? 0 : scan_dotted_end(&judge->tokens, index, type->n_names, &next);
        PgQuery__Node **names = tree_new_names(judge->arena, "pg_catalog", "oid");
        if (end == 0)
            return not_found(judge, at);
        if (names == NULL)
            return judge_no_memory(judge);
        type->names = names;
        type->n_names = 2;
        enum status status = rewrite_edit(judge, at, end - at, "pg_catalog.oid");
        if (status != OK)
            return status;
    }
    return OK;
}

enum status judge_reg_cast(struct judge *judge, PgQuery__TypeCast *cast, PgQuery__Node *node,
                           bool *done)
{
    const char *type = cast->type_name == NULL ? NULL : reg_name(cast->type_name);
    *done = type != NULL && node != NULL && cast->arg != NULL && cast->location >= 0;
    if (!*done)
        return OK; /* another type; or a form that judge_type then refuses */
    if (judge_not_stored(judge, type) != OK)
        return DENIED;
    const char *name = judge_format(judge, "%s_%s", type, is_text(cast->arg) ? "in" : "out");
    const char *schema = rewrite_quote(judge, judge->catalog_schema);
    if (name == NULL || schema == NULL)
        return judge_no_memory(judge);
    enum status status = edit_cast(judge, cast, judge_format(judge, "%s.\"%s\"(", schema, name));
    if (status == OK)
        status = become_call(judge, cast, node, name);
    return status == OK ? judge_walk(judge, cast->arg) : status;
}

/* The token behind an output expression that starts at token `index`. */
static size_t output_end(const struct judge *judge, size_t index)
{
    long depth = 0;
    for (; index < judge->tokens.count; index++) {
        int kind = kind_at(judge, index);
        if (kind == PG_QUERY__TOKEN__ASCII_40 || kind == PG_QUERY__TOKEN__ASCII_91)
            depth++;
        if (kind == PG_QUERY__TOKEN__ASCII_41 || kind == PG_QUERY__TOKEN__ASCII_93) {
            if (depth-- == 0)
                return index;
        }
        static const int ends[] = {
            PG_QUERY__TOKEN__ASCII_44, PG_QUERY__TOKEN__ASCII_59, PG_QUERY__TOKEN__FROM,
            PG_QUERY__TOKEN__WHERE,    PG_QUERY__TOKEN__GROUP_P,  PG_QUERY__TOKEN__HAVING,
            PG_QUERY__TOKEN__WINDOW,   PG_QUERY__TOKEN__ORDER,    PG_QUERY__TOKEN__LIMIT,
            PG_QUERY__TOKEN__OFFSET,   PG_QUERY__TOKEN__FETCH,    PG_QUERY__TOKEN__UNION,
            PG_QUERY__TOKEN__EXCEPT,   PG_QUERY__TOKEN__INTERSECT};
        for (size_t i = 0; depth == 0 && i < sizeof(ends) / sizeof(ends[0]); i++) {
            if (kind == ends[i])
                return index;
        }
    }
    return index;
}

/* Output columns of SELECT: one whose name the rewriting would change keeps it by AS. */
enum status judge_reg_target(struct judge *judge, PgQuery__ResTarget *target)
{
    unsigned before = judge->reg_casts;
    const char *name = target->name[0] == '\0' ? judge_output_name(target->val) : NULL;
    enum status status = judge_walk_children(judge, &target->base);
    if (status != OK || name == NULL || judge->reg_casts == before)
        return status;
    const char *now = judge_output_name(target->val);
    if (now != NULL && strcmp(now, name) == 0)
        return OK;
    size_t at = target->location < 0 ? SIZE_MAX : (size_t)target->location;
    size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
    const char *quoted = rewrite_quote(judge, name);
    target->name = arena_strdup(judge->arena, name);
    if (index == SIZE_MAX)
        return not_found(judge, at);
    if (quoted == NULL || target->name == NULL)
        return judge_no_memory(judge);
    size_t end = output_end(judge, index);
    return end < judge->tokens.count ? rewrite_edit(judge, judge->tokens.tokens[end].start, 0,
                                                    judge_format(judge, " AS %s ", quoted))
                                     : rewrite_edit(judge, judge->request->len, 0,
                                                    judge_format(judge, "\n AS %s", quoted));
}
