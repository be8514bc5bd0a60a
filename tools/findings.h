/*
 * findings.h: what a scan makes of a database: a category for each column, whose rows a table
 * holds.
 */
#ifndef PGVIGIL_TOOLS_FINDINGS_H
#define PGVIGIL_TOOLS_FINDINGS_H

#include "tools/sample.h"

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdio.h>

/* Fills `finding` of columns and `subject` of tables. ERR_MEMORY. */
NODISCARD enum status findings_make(struct sampling *sampling);

struct findings_count {
    size_t columns;
    size_t proposed;
    size_t unread; /* tables whose values PostgreSQL did not give us */
};
struct findings_count findings_count(const struct sampling *sampling);

const char *findings_confidence(enum confidence confidence, bool french);
/* What speaks for it, as a sentence without its end; never a value. */
void findings_evidence(const struct sampled_column *column, bool french, FILE *out);
/* Why there are no values: "" where there are. */
const char *findings_unread(const struct sampled_table *table, bool french);

#endif
