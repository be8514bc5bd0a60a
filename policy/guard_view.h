/*
 * guard_view.h: a view of the database that has no rule, as a guard. Private to policy/.
 */
#ifndef PGVIGIL_GUARD_VIEW_H
#define PGVIGIL_GUARD_VIEW_H

#include <pgvigil/arena.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

#define GUARD_VIEW_DEPTH 16 /* views over views */

/* A view that was expanded. */
struct guard_known {
    const struct catalog_relation *relation;
    enum guard_variant variant;
    enum status status;
    const char *sql;
    const char *const *columns;
    size_t count;
    const char *why;
    struct guard_known *next;
};

struct guard_request {
    const struct policy *policy;
    const struct catalog *catalog;
    int role;
    int mission;
    struct arena *arena;
    int depth;                  /* of views over views */
    struct guard_known **known; /* for this pair */
};

/* Is that a name of the column that tells whose a row is? */
bool guard_is_subject_name(const char *name);

/* The columns that a relation has for the pair, by its rule or by expansion. DENIED: none, closed.
 * ERR_INVALID with *why (or NULL). */
NODISCARD enum status guard_visible_columns(const struct guard_request *request,
                                            const struct catalog_relation *relation,
                                            const char *const **columns, size_t *count,
                                            const char **why);

/* guard_definition, within a request: by the relation's rule or by expansion. */
NODISCARD enum status guard_select(const struct guard_request *request,
                                   const struct catalog_relation *relation,
                                   enum guard_variant variant, const char **sql,
                                   const char *const **columns, size_t *count, const char **why);

/* The same contract, for a view without a rule. Of a GUARD_SUBJECT the last
 * column is GUARD_SUBJECT_COLUMN or GUARD_SUBJECTS_COLUMN; DENIED where not every row tells whose
 * it is. */
NODISCARD enum status guard_view_expand(const struct guard_request *request,
                                        const struct catalog_relation *relation,
                                        enum guard_variant variant, const char **sql,
                                        const char *const **columns, size_t *count,
                                        const char **why);

#endif
