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

#include <string.h>

#define MAX_DEPTH 2000

static void *tree_alloc(void *context, size_t size)
{
    return arena_alloc(context, size);
}

static void tree_free(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

enum status guard_tree_parse(const char *sql, struct arena *arena, PgQuery__ParseResult **tree,
                             const char **why)
{
    *tree = NULL;
    *why = NULL;
    PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql);
    enum status status = OK;
    if (parsed.error != NULL) {
        *why = arena_strdup(arena, parsed.error->message);
        status = *why == NULL ? ERR_MEMORY : ERR_SYNTAX;
    } else {
        ProtobufCAllocator allocator = {
            .alloc = tree_alloc, .free = tree_free, .allocator_data = arena};
        *tree = pg_query__parse_result__unpack(&allocator, parsed.parse_tree.len,
                                               (const uint8_t *)parsed.parse_tree.data);
        status = *tree == NULL ? ERR_MEMORY : OK;
    }
    pg_query_free_protobuf_parse_result(parsed);
    return status;
}

const PgQuery__SelectStmt *guard_tree_select(const PgQuery__ParseResult *tree)
{
    if (tree->n_stmts != 1 || tree->stmts[0]->stmt == NULL ||
        tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return NULL;
    }
    return tree->stmts[0]->stmt->select_stmt;
}

static enum status walk(const ProtobufCMessage *message, guard_tree_visit *visit, void *context,
                        int depth);

static enum status walk_field(const ProtobufCMessage *message,
                              const ProtobufCFieldDescriptor *field, guard_tree_visit *visit,
                              void *context, int depth)
{
    const char *base = (const char *)message;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = 0;
        const ProtobufCMessage *const *items = NULL;
        memcpy(&count, base + field->quantifier_offset, sizeof(count));
        memcpy((void *)&items, base + field->offset, sizeof(void *));
        for (size_t i = 0; i < count; i++) {
            enum status status = walk(items[i], visit, context, depth);
            if (status != OK) {
                return status;
            }
        }
        return OK;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t which = 0;
        memcpy(&which, base + field->quantifier_offset, sizeof(which));
        if (which != field->id) {
            return OK;
        }
    }
    const ProtobufCMessage *child = NULL;
    memcpy((void *)&child, base + field->offset, sizeof(void *));
    return child == NULL ? OK : walk(child, visit, context, depth);
}

static enum status walk(const ProtobufCMessage *message, guard_tree_visit *visit, void *context,
                        int depth)
{
    if (depth > MAX_DEPTH) {
        return ERR_LIMIT;
    }
    if (!visit(message, context)) {
        return OK;
    }
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (type->fields[i].type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        enum status status = walk_field(message, &type->fields[i], visit, context, depth + 1);
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

enum status guard_tree_walk(const ProtobufCMessage *message, guard_tree_visit *visit, void *context)
{
    return walk(message, visit, context, 0);
}

const char *guard_tree_field(const PgQuery__ColumnRef *ref, size_t index)
{
    if (index >= ref->n_fields || ref->fields[index]->node_case != PG_QUERY__NODE__NODE_STRING) {
        return NULL;
    }
    return ref->fields[index]->string->sval;
}

static size_t identifier_len(const char *text, size_t at)
{
    size_t end = at;
    if (text[end] != '"') {
        while ((unsigned char)text[end] >= 0x80 || (text[end] >= '0' && text[end] <= '9') ||
               (text[end] >= 'a' && text[end] <= 'z') || (text[end] >= 'A' && text[end] <= 'Z') ||
               text[end] == '_' || text[end] == '$') {
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
