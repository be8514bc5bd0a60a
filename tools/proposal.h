/*
 * proposal.h: a scan's findings as a policy to edit, as text for people, as JSON and CSV.
 */
#ifndef PGVIGIL_TOOLS_PROPOSAL_H
#define PGVIGIL_TOOLS_PROPOSAL_H

#include "tools/findings.h"

#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdio.h>

struct proposal_format {
    const char *name; /* --format */
    /* ERR_MEMORY. Nothing is written of which `out` would not be told by ferror. */
    enum status (*print)(const struct sampling *sampling, bool french, FILE *out);
};
/* NULL when there is none of that name. */
const struct proposal_format *proposal_format_find(const char *name);

/* proposal_policy.c: `tables = ( ... )`, which `pgvigil check` takes. */
NODISCARD enum status proposal_policy(const struct sampling *sampling, bool french, FILE *out);

/*
 * proposal_check.c: what the live database has and the policy does not classify, or calls something
 * weaker than its values are. One line a column; *found is how many.
 */
NODISCARD enum status proposal_check(const struct sampling *sampling, const struct policy *policy,
                                     const struct catalog *catalog, bool french, FILE *out,
                                     size_t *found);

#endif
