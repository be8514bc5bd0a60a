/*
 * ddl.h: what a text of an unrestricted role may do to the guards.
 *
 * Guards are views: PostgreSQL refuses to drop or alter what they read, follows renames of it
 * silently, and knows nothing of a policy that speaks of names. So before such a statement the
 * guards that depend on what it names are taken away, and behind it those that the policy asks for
 * are made again (proxy/ddl.h). Here is which statements, and of what; pure text.
 */
#ifndef PGVIGIL_DDL_H
#define PGVIGIL_DDL_H

#include <pgvigil/arena.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

enum ddl_object {
    DDL_RELATION, /* table, view, sequence, composite type...: what pg_class holds */
    DDL_TYPE,
    DDL_FUNCTION, /* all of that name: overloads are not told apart */
    DDL_SCHEMA,
    DDL_EXTENSION,
    DDL_OWNED /* everything that the role `name` owns; NULL: the current one */
};

struct ddl_target {
    enum ddl_object object;
    const char *schema; /* NULL: found by the search path */
    const char *name;
};

struct ddl {
    bool changes;  /* the guards have to be looked at when it is done */
    bool alone;    /* cannot run inside a transaction */
    bool copies;   /* COPY from or to the client stands in the text */
    bool controls; /* so does transaction control */
    /* What dependent guards are to be taken away before. */
    const struct ddl_target *targets;
    size_t target_count;
};

/* May a statement with this tag ("ALTER TABLE", see judge.h) change what is in the catalogs? */
bool ddl_tag(const char *tag);
/* Reads a text. In the arena. ERR_SYNTAX, ERR_MEMORY, ERR_LIMIT. Needs JUDGE_STACK_BYTES of stack.
 */
NODISCARD enum status ddl_read(const char *sql, struct arena *arena, struct ddl *ddl);
/*
 * A query for the guards of any generation that depend on the targets, directly or through other
 * objects: (DROP statement, "schema"."name"). Targets are looked up along the search path of the
 * moment, as the client's own statement will. NULL: there are no targets, or no memory.
 */
const char *ddl_guards_sql(const struct ddl *ddl, struct arena *arena);

#endif
