/*
 * guard_default.c: defaults of columns that an INSERT through a guard leaves out.
 *
 * Purpose: PostgreSQL evaluates a table's default with the rights of whoever inserts, here the
 * pair's, which has none on sequences and may not call every function: a serial column would fail.
 * A column that the guard shows gets a default of its own there, a function with the owner's rights
 * that is the table's default and nothing else. It takes no argument: calling it directly gives
 * what INSERT ... DEFAULT gives.
 *
 * Trust boundary: default expressions come from the catalog, where the tables' owner wrote them;
 * whoever inserts past pgvigil runs them too.
 */
#include "guard_default.h"

#include "guard_tree.h"

#include <pgvigil/text.h>
#include <string.h>

struct calls {
    bool own;      /* a function outside pg_catalog, or one that is not understood */
    bool sequence; /* nextval and its kin */
};

static bool visit(const ProtobufCMessage *message, void *context)
{
    static const char *const sequences[] = {"nextval", "currval", "setval", "lastval"};
    struct calls *calls = context;
    if (!guard_tree_is(message, &pg_query__func_call__descriptor))
        return true;
    const PgQuery__FuncCall *call = (const PgQuery__FuncCall *)message;
    const char *names[2] = {"pg_catalog", ""};
    for (size_t i = 0; i < call->n_funcname && i < 2; i++) {
        const PgQuery__Node *node = call->funcname[call->n_funcname - 1 - i];
        names[1 - i] = node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval : "";
    }
    if (call->n_funcname > 2 || strcmp(names[0], "pg_catalog") != 0)
        calls->own = true;
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
        calls->sequence = calls->sequence || strcmp(names[1], sequences[i]) == 0;
    return true;
}

static struct calls calls_of(const struct catalog_column *column, struct arena *arena)
{
    struct calls calls = {false, false};
    if (column->default_expression == NULL || column->generated || column->identity)
        return calls;
    const char *sql = arena_printf(arena, "SELECT (%s)", column->default_expression);
    PgQuery__ParseResult *tree = NULL;
    const char *why = NULL;
    if (sql == NULL || guard_tree_parse(sql, arena, &tree, &why) != OK ||
        guard_tree_walk(&tree->base, visit, &calls) != OK)
        calls.own = true; /* what does not parse here PostgreSQL wrote itself */
    return calls;
}

bool guard_default_calls(const struct catalog_column *column, struct arena *arena)
{
    return calls_of(column, arena).own;
}

bool guard_default_needs_owner(const struct catalog_column *column, struct arena *arena)
{
    struct calls calls = calls_of(column, arena);
    return calls.own || calls.sequence;
}

const char *guard_default_name(const char *view, const char *column, struct arena *arena)
{
    const char *key = arena_printf(arena, "%s %s", view, column);
    char hash[17];
    if (key == NULL)
        return NULL;
    text_hash64(key, strlen(key), hash);
    return arena_printf(arena, "default %s", hash);
}
