/*
 * guard_default.h: defaults of columns that an INSERT through a guard leaves out. Private to
 * policy/.
 */
#ifndef PGVIGIL_GUARD_DEFAULT_H
#define PGVIGIL_GUARD_DEFAULT_H

#include <pgvigil/arena.h>
#include <pgvigil/catalog.h>
#include <stdbool.h>

/* Does the column's default call a function outside pg_catalog? What that reads or draws from is
 * not known here. */
bool guard_default_calls(const struct catalog_column *column, struct arena *arena);
/* Does the column's default ask for rights that only the owner is sure to have: a sequence, a
 * function outside pg_catalog? Identity columns need none. */
bool guard_default_needs_owner(const struct catalog_column *column, struct arena *arena);
/* The function in the pair's schema that stands for it. NULL: out of memory. */
const char *guard_default_name(const char *view, const char *column, struct arena *arena);

#endif
