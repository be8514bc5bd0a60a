/*
 * guard_tree.h: parse trees of the small SQL texts that guards are made of. Private to policy/.
 *
 * The trees stand in the caller's arena. Walking is generic (protobuf-c descriptors), so that a
 * node nobody thought of is still looked into: what reads column names must not miss one in a
 * corner of the grammar.
 */
#ifndef PGVIGIL_GUARD_TREE_H
#define PGVIGIL_GUARD_TREE_H

#include <pg_query.h>
#include <pg_query.pb-c.h>
#include <pgvigil/arena.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

/* ERR_SYNTAX with *why, ERR_MEMORY. */
NODISCARD enum status guard_tree_parse(const char *sql, struct arena *arena,
                                       PgQuery__ParseResult **tree, const char **why);
/* The one SELECT that `sql` is, or NULL when it is anything else. */
const PgQuery__SelectStmt *guard_tree_select(const PgQuery__ParseResult *tree);

/* Called before the children; false: they are left out. */
typedef bool guard_tree_visit(const ProtobufCMessage *message, void *context);
/* ERR_LIMIT: deeper than any text we make. */
NODISCARD enum status guard_tree_walk(const ProtobufCMessage *message, guard_tree_visit *visit,
                                      void *context);

static inline bool guard_tree_is(const ProtobufCMessage *message,
                                 const ProtobufCMessageDescriptor *type)
{
    return message->descriptor == type;
}

/* Field `index` of a ColumnRef as a name, or NULL (a star, or none). */
const char *guard_tree_field(const PgQuery__ColumnRef *ref, size_t index);

/* The length of the possibly qualified name ("a"."b".c) that starts at text[at]. */
size_t guard_tree_name_len(const char *text, size_t at);

#endif
