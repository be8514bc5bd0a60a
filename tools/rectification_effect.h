/*
 * rectification_effect.h: what a rectification would do beside what it was asked for.
 *
 * A value of one row may decide about others: whose they are (another table's `subject` reads it),
 * and for how long the record is kept. Neither is one person's to change.
 */
#ifndef PGVIGIL_TOOLS_RECTIFICATION_EFFECT_H
#define PGVIGIL_TOOLS_RECTIFICATION_EFFECT_H

#include "tools/rectification.h"

struct rectification_effect {
    const char *list; /* of the person, as records_list makes it; borrowed */
    const char *term; /* what retention says of her record; NULL: the policy has none */
};

/* In the open transaction of subject->conn (REPEATABLE READ, nothing written yet), before the
 * changes: no `subject` reads what is to change; which rows are hers, and until when they are kept.
 * CLI_FINE, or told. */
int rectification_effect_before(struct subject *subject, const struct rectification *all,
                                const char *list, struct rectification_effect *effect);
/* After them: the same rows are hers, for the same time. CLI_FINE, or told. */
int rectification_effect_after(struct subject *subject, const struct rectification_effect *effect);

#endif
