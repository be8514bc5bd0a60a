/*
 * begun.h: statements of one chain that have begun and not ended, as a reader goes along it.
 *
 * One is kept as the bytes of its `begin` line until somebody wants it; one that the query has
 * ruled out is kept as a number only, so that its `more` and `end` are known when they come. What
 * the subjects of a long result take is bounded: beyond BEGUN_PATIENTS elements (or what the query
 * asks for) they are counted.
 */
#ifndef PGVIGIL_AUDIT_BEGUN_H
#define PGVIGIL_AUDIT_BEGUN_H

#include "query.h"
#include "shelf.h"

#include <jansson.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BEGUN_PATIENTS 10000U

struct begun_statement {
    uint64_t seq;
    char *line; /* owned: its begin, or the first that was found of it; NULL: ruled out */
    size_t len;
    bool headless;  /* `line` is no begin: that one is missing */
    bool met;       /* one of its records is in the period and names who is asked for */
    bool announced; /* a follower has been told that it has begun */
    bool has_rows;  /* of the last `more` */
    uint64_t rows, bytes;
    json_t *patients; /* owned: of its parts, or NULL */
    uint64_t patients_left_out;
    bool aggregate;            /* a part says that its list is not exact */
    char file[SHELF_NAME_MAX]; /* where `line` stands */
};

struct begun {
    struct begun_statement *items; /* owned; by seq */
    size_t count;
    size_t cap;
    size_t bytes; /* of lines and subjects, roughly */
};

void begun_clear(struct begun *begun);
/* NULL: none of that number. */
struct begun_statement *begun_find(struct begun *begun, uint64_t seq);
/* A zeroed one; there is none of that number yet. NULL: no memory. Moves the others. */
struct begun_statement *begun_add(struct begun *begun, uint64_t seq);
/* Keeps a copy of the line. ERR_MEMORY. */
NODISCARD enum status begun_keep(struct begun *begun, struct begun_statement *statement,
                                 const char *line, size_t len);
/* Takes over the subjects of a `more` or an `end`. With a patient asked for, only that one's
 * elements are kept.
 */
NODISCARD enum status begun_more(struct begun *begun, struct begun_statement *statement,
                                 const struct query *query, const json_t *more);
/* Frees what it holds and forgets it. */
void begun_remove(struct begun *begun, struct begun_statement *statement);
/* Forgets all that are ruled out or have not met the query yet: they may end in lines that are not
 * read. */
void begun_prune(struct begun *begun);

#endif
