/*
 * judge_constants.c: constants on whose values nothing depends that was judged.
 *
 * Only places that this file names: operands of operators, rows of VALUES, what is assigned or
 * output, LIMIT and OFFSET, and such a constant behind a cast to a type of a short list. Elsewhere
 * a value may mean something to the judge or to PostgreSQL's analysis: an ordinal in ORDER BY or
 * GROUP BY, an argument of nextval or set_config, a name cast to regclass, an element's index. What
 * the rewriting touches is left out too, since its value may have become something else's.
 */
#include "judge_private.h"

#include <string.h>

struct finding {
    struct judge *judge;
    uint32_t *list;
    size_t count, cap;
    bool free; /* a constant right here is */
};

/* Of pg_catalog, by the names that the grammar gives them or the client writes. */
static bool plain_type(const PgQuery__TypeName *type)
{
    static const char *const names[] = {"int2",    "int4",   "int8",      "float4",      "float8",
                                        "numeric", "text",   "varchar",   "bpchar",      "date",
                                        "time",    "timetz", "timestamp", "timestamptz", "uuid",
                                        "bool",    "json",   "jsonb"};
    if (type == NULL || type->n_typmods > 0 || type->n_array_bounds > 0 || type->setof ||
        type->pct_type || type->n_names == 0 || type->n_names > 2)
        return false;
    const char *schema = type->n_names == 2 ? tree_string(type->names[0]) : "pg_catalog";
    const char *name = tree_string(type->names[type->n_names - 1]);
    if (schema == NULL || name == NULL || strcmp(schema, "pg_catalog") != 0)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static enum status find(void *context, ProtobufCMessage *message);

static enum status find_below(struct finding *finding, const ProtobufCMessage *message, bool free)
{
    bool before = finding->free;
    finding->free = free;
    enum status status = tree_children(message, find, finding);
    finding->free = before;
    return status;
}

static enum status add(struct finding *finding, const PgQuery__AConst *constant)
{
    if (!finding->free || constant->isnull || constant->location < 0)
        return OK;
    uint32_t *list = arena_grow(finding->judge->arena, finding->list, finding->count, &finding->cap,
                                sizeof(*list));
    if (list == NULL)
        return ERR_MEMORY;
    finding->list = list;
    list[finding->count++] = (uint32_t)constant->location;
    return OK;
}

static enum status find_select(struct finding *finding, const PgQuery__SelectStmt *select)
{
    PgQuery__Node *const limits[] = {select->limit_offset, select->limit_count};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (limits[i] == NULL || limits[i]->node_case != PG_QUERY__NODE__NODE_A_CONST)
            continue;
        finding->free = true;
        enum status status = add(finding, limits[i]->a_const);
        finding->free = false;
        if (status != OK)
            return status;
    }
    for (size_t i = 0; i < select->n_values_lists; i++) {
        const ProtobufCMessage *row = tree_content(select->values_lists[i]);
        enum status status = row == NULL ? OK : find_below(finding, row, true);
        if (status != OK)
            return status;
    }
    return OK;
}

static enum status find(void *context, ProtobufCMessage *message)
{
    struct finding *finding = context;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (type == &pg_query__node__descriptor)
        return tree_children(message, find, finding);
    if (type == &pg_query__a__const__descriptor)
        return add(finding, (const PgQuery__AConst *)message);
    if (type == &pg_query__a__expr__descriptor || type == &pg_query__res_target__descriptor)
        return find_below(finding, message, true);
    /* Of IN and BETWEEN. */
    if (type == &pg_query__list__descriptor)
        return find_below(finding, message, finding->free);
    if (type == &pg_query__type_cast__descriptor)
        return find_below(finding, message,
                          finding->free &&
                              plain_type(((const PgQuery__TypeCast *)message)->type_name));
    if (type == &pg_query__select_stmt__descriptor) {
        const PgQuery__SelectStmt *select = (const PgQuery__SelectStmt *)message;
        enum status status = find_select(finding, select);
        /* Rows of VALUES are found once more, and not free: they are seen there already. */
        return status == OK && select->n_values_lists == 0 ? find_below(finding, message, false)
                                                           : status;
    }
    return find_below(finding, message, false);
}

static bool edited(const struct judge *judge, uint32_t at, size_t len)
{
    for (size_t i = 0; i < judge->verdict->edit_count; i++) {
        const struct verdict_edit *edit = &judge->verdict->edits[i];
        if (edit->at <= at + len && edit->at + edit->removed >= at)
            return true;
    }
    return false;
}

/* The token's own place: a sign before it is the constant's to the grammar. */
static const struct constant *token_of(const struct constants *tokens, const char *sql, uint32_t at)
{
    if (sql[at] == '-' || sql[at] == '+') {
        at++;
        while (sql[at] == ' ' || sql[at] == '\t' || sql[at] == '\n' || sql[at] == '\r')
            at++;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        if (tokens->list[i].at == at)
            return &tokens->list[i];
    }
    return NULL;
}

/* Another value may stand there: whom it names is to be read from the text. With a sign it is none
 * of theirs, and is not looked for. */
static void number_named(struct judge *judge, const struct constants *tokens, const bool *free)
{
    for (size_t i = 0; i < judge->named_count; i++) {
        struct verdict_named *named = &judge->named[i];
        const struct constant *token =
            named->at == SIZE_MAX ? NULL
                                  : token_of(tokens, judge->request->sql, (uint32_t)named->at);
        size_t index = token == NULL ? 0 : (size_t)(token - tokens->list);
        if (token == NULL || !free[index])
            continue;
        named->constant = index;
        if (token->at != named->at)
            named->text = NULL;
    }
}

enum status judge_constants(struct judge *judge, const PgQuery__ParseResult *tree)
{
    struct verdict *verdict = judge->verdict;
    struct constants *tokens = arena_alloc(judge->arena, sizeof(*tokens));
    if (tokens == NULL)
        return judge_no_memory(judge);
    enum statement_kind kind =
        verdict->statement_count == 1 ? verdict->statements[0].kind : STATEMENT_OTHER;
    /* Bytes that are sent twice hold their constants twice. */
    if ((kind != STATEMENT_SELECT && kind != STATEMENT_WRITE) || judge->copied > 0 ||
        !constants_find(judge->request->sql, judge->request->len, tokens) || tokens->count == 0)
        return OK;
    struct finding finding = {.judge = judge};
    if (find_below(&finding, &tree->base, false) != OK)
        return judge_no_memory(judge);
    bool *free = arena_zalloc(judge->arena, tokens->count, sizeof(*free));
    unsigned char *seen = arena_zalloc(judge->arena, tokens->count, 1);
    if (free == NULL || seen == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < finding.count; i++) {
        const struct constant *token = token_of(tokens, judge->request->sql, finding.list[i]);
        if (token == NULL)
            continue;
        size_t index = (size_t)(token - tokens->list);
        free[index] = seen[index] == 0 && !edited(judge, token->at, token->len);
        seen[index] = 1;
    }
    number_named(judge, tokens, free);
    verdict->constants = free;
    verdict->constant_count = tokens->count;
    return judge_lookup(judge, tree, tokens, free);
}
