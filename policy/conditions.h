/*
 * conditions.h: what hides rows beside the rules. Private to policy/.
 */
#ifndef PGVIGIL_POLICY_CONDITIONS_H
#define PGVIGIL_POLICY_CONDITIONS_H

#include <pgvigil/arena.h>
#include <pgvigil/policy.h>

/* Conditions of one (role, mission, table): SQL as `rows` may be, and what they are called. */
struct conditions {
    const char **texts;
    const char **names;
    size_t count;
};

/* All that hold there. False: out of memory. */
bool conditions_of(const struct policy *policy, int role, int mission,
                   const struct policy_table *table, struct arena *arena, struct conditions *out);

/* retention.c: rows of the records that are of an age in `mask`, which is not AGE_ALL. NULL: no
 * memory. */
const char *retention_condition(const struct policy_retention *retention,
                                const struct policy_table *table, unsigned mask,
                                struct arena *arena);
/* "retention (active, archived)" */
const char *retention_told(unsigned mask, struct arena *arena);

#endif
