/*
 * guard_tree.c: parse trees of filters, subjects and view definitions.
 *
 * Trust boundary: the texts come from policy files and from the database's own view definitions;
 * the latter can be made by anyone who may create a view, so depth is bounded here as well as by
 * the caller's large stack.
 *
 * Ownership: everything in the caller's arena; libpg_query's own result is freed before returning.
 */
#include "guard_tree.h"
#include "lexer.h"
#include "tree.h"

#define MAX_DEPTH 2000

enum status guard_tree_parse(const char *sql, struct arena *arena, PgQuery__ParseResult **tree,
                             const char **why)
{
    size_t position = 0;
    *tree = NULL;
    *why = NULL;
    return tree_parse(sql, arena, tree, why, &position);
}

const PgQuery__SelectStmt *guard_tree_select(const PgQuery__ParseResult *tree)
{
    if (tree->n_stmts != 1 || tree->stmts[0]->stmt == NULL ||
        tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return NULL;
    }
    return tree->stmts[0]->stmt->select_stmt;
}

struct walk {
    guard_tree_visit *visit;
    void *context;
    int depth;
};

static enum status walk(void *context, ProtobufCMessage *message)
{
    struct walk *walked = context;
    if (walked->depth > MAX_DEPTH)
        return ERR_LIMIT;
    if (!walked->visit(message, walked->context))
        return OK;
    walked->depth++;
    enum status status = tree_children(message, walk, walked);
    walked->depth--;
    return status;
}

enum status guard_tree_walk(const ProtobufCMessage *message, guard_tree_visit *visit, void *context)
{
    struct walk walked = {.visit = visit, .context = context};
    return visit(message, context) ? tree_children(message, walk, &walked) : OK;
}

const char *guard_tree_field(const PgQuery__ColumnRef *ref, size_t index)
{
    return index < ref->n_fields ? tree_string(ref->fields[index]) : NULL;
}

static size_t identifier_len(const char *text, size_t at)
{
    size_t end = at;
    if (text[end] != '"') {
        while (lexer_is_word(text[end])) {
            end++;
        }
        return end - at;
    }
    for (end++; text[end] != '\0'; end++) {
        if (text[end] != '"') {
            continue;
        }
        if (text[end + 1] != '"') {
            return end + 1 - at;
        }
        end++;
    }
    return end - at;
}

size_t guard_tree_name_len(const char *text, size_t at)
{
    size_t end = at + identifier_len(text, at);
    while (end > at && text[end] == '.') {
        size_t next = identifier_len(text, end + 1);
        if (next == 0) {
            break;
        }
        end += 1 + next;
    }
    return end - at;
}
