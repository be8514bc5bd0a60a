/*
 * unseen.h: what the policy says is about persons and no command that takes rows away looks at:
 * materialized views, foreign tables, views, and tables that are not there.
 *
 * Whoever erases must know of it: a materialized view keeps what it has read.
 */
#ifndef PGVIGIL_TOOLS_UNSEEN_H
#define PGVIGIL_TOOLS_UNSEEN_H

#include <jansson.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>

enum unseen_kind { UNSEEN_MISSING = 0, UNSEEN_MATERIALIZED, UNSEEN_FOREIGN, UNSEEN_VIEW };

struct unseen {
    const char *told; /* public.totals */
    enum unseen_kind kind;
};

/* A list in `arena`, ordered as the catalog and then as the policy. Tables of retention.except are
 * left out unless `all`. ERR_MEMORY. */
NODISCARD enum status unseen_find(const struct policy *policy, const struct catalog *catalog,
                                  bool all, struct arena *arena, struct unseen **list,
                                  size_t *count);
/* Could something of the person stand there still? Not in a view: its rows are its tables'. */
bool unseen_holds(const struct unseen *one);
/* To the standard output; nothing where there is none. */
void unseen_print(const struct unseen *list, size_t count, bool french);
/* "public.totals (materialized view), ..." of those that may hold something; NULL: no memory. */
const char *unseen_names(const struct unseen *list, size_t count, bool french, struct arena *arena);
/* [{"table", "is"}] */
json_t *unseen_json(const struct unseen *list, size_t count);

#endif
