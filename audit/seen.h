/*
 * seen.h: the patients of one statement that were taken already.
 *
 * Each part of a long result tells the patients of its own rows, so that one and the same may stand
 * in many of them. Texts are kept in a map, integers as runs; memory follows the statement's
 * patients.
 */
#ifndef PGVIGIL_AUDIT_SEEN_H
#define PGVIGIL_AUDIT_SEEN_H

#include <pgvigil/map.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen_run {
    int64_t first;
    int64_t last;
};

struct seen {
    struct map *texts;     /* owned; NULL: none yet */
    struct seen_run *runs; /* owned; sorted, disjoint, no two adjacent */
    size_t count;
    size_t cap;
};

/* Zeroed memory is an empty one. */
void seen_free(struct seen *seen);
/* *fresh: it was not there. ERR_MEMORY. */
NODISCARD enum status seen_text(struct seen *seen, const char *text, bool *fresh);
/* Of first..last, the first run that was not there; false: all was. */
bool seen_gap(const struct seen *seen, int64_t first, int64_t last, struct seen_run *gap);
NODISCARD enum status seen_add(struct seen *seen, int64_t first, int64_t last);

#endif
