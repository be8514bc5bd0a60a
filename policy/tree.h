/*
 * tree.h: libpg_query's syntax trees in an arena, walked and compared by their descriptors. Private
 * to policy/.
 */
#ifndef PGVIGIL_TREE_H
#define PGVIGIL_TREE_H

#include <pg_query.h>
#include <pg_query.pb-c.h>
#include <pgvigil/arena.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

/* ERR_SYNTAX with *message (arena) and *position (1-based, characters, 0: none); ERR_MEMORY. */
NODISCARD enum status tree_parse(const char *sql, struct arena *arena, PgQuery__ParseResult **tree,
                                 const char **message, size_t *position);

/* Equal in everything but locations? Fields that this build does not know make it false. */
bool tree_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);

/* What a Node holds, or NULL. */
ProtobufCMessage *tree_content(const PgQuery__Node *node);
/* The Node case whose member is of that message type, or 0. */
int tree_case(const ProtobufCMessageDescriptor *type);

/* Calls `visit` for each direct sub-message; stops at the first that is not OK. */
typedef enum status tree_visit(void *context, ProtobufCMessage *message);
NODISCARD enum status tree_children(const ProtobufCMessage *message, tree_visit *visit,
                                    void *context);

/* Is a message of that type in it, or it itself? */
bool tree_holds(const ProtobufCMessage *message, const ProtobufCMessageDescriptor *type);
/* What was parsed from another text than the client's stands nowhere in the client's. Of a small
 * tree: it recurses. */
void tree_forget_places(ProtobufCMessage *message);

/* The text of a String node, or NULL when it is none. */
const char *tree_string(const PgQuery__Node *node);
/* New nodes; NULL when out of memory. Strings are borrowed. */
PgQuery__Node *tree_new_string(struct arena *arena, const char *text);
/* A constant of type text. */
PgQuery__Node *tree_new_text(struct arena *arena, const char *text);
PgQuery__Node *tree_new_column(struct arena *arena, const char *item, const char *column);
/* A ResTarget without a name; NULL when `value` is. */
PgQuery__Node *tree_new_target(struct arena *arena, PgQuery__Node *value);
/* The two strings of schema.name. */
PgQuery__Node **tree_new_names(struct arena *arena, const char *schema, const char *name);
/* schema.name(argument) as the parser reads it; `argument` NULL: none. */
PgQuery__FuncCall *tree_new_call(struct arena *arena, const char *schema, const char *name,
                                 PgQuery__Node *argument, int32_t location);
/* *nodes with `node` at `index`, in a new array. ERR_MEMORY, also when node is NULL. */
NODISCARD enum status tree_insert(struct arena *arena, PgQuery__Node ***nodes, size_t *count,
                                  size_t index, PgQuery__Node *node);

#endif
