/*
 * guard_expr.h: the expressions inside guards. Private to policy/.
 *
 * A policy's filter, subject or mask becomes SQL over one relation: placeholders become settings,
 * :subject and :col become the relation's own columns. Results in the arena; ERR_INVALID with *why,
 * a sentence.
 */
#ifndef PGVIGIL_GUARD_EXPR_H
#define PGVIGIL_GUARD_EXPR_H

#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>

struct guard_expr_context {
    const struct policy *policy;
    const struct catalog *catalog;
    const struct catalog_relation *relation; /* whose columns are there */
    const char *alias;                       /* the name it has in FROM */
    const struct policy_table *table;
    const struct policy_rule *rule;
    int mission;
    struct arena *arena;
};

/* A rule's row filter, in parentheses; "" when it has none. */
NODISCARD enum status guard_expr_rows(const struct guard_expr_context *context, const char **sql,
                                      const char **why);
/* The table's subject, in parentheses, with bare column names qualified; NULL when it has none. */
NODISCARD enum status guard_expr_subject(const struct guard_expr_context *context, const char **sql,
                                         const char **why);
/* What stands for a column under a mask (anything but hide), without AS. */
NODISCARD enum status guard_expr_column(const struct guard_expr_context *context,
                                        const struct catalog_column *column,
                                        const struct policy_mask *mask, const char **sql,
                                        const char **why);

#endif
