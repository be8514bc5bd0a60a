/*
 * spans.h: statements of one chain that have begun and not ended, with the patients seen so far.
 *
 * A statement's begin, more and end records stand apart in the trail, with other sessions' between
 * them. What is kept of an open one is its begin record and its lists of patients: in memory up to
 * a bound, then in a file without a name, so that a statement that read a whole country stays one
 * line's worth of memory.
 */
#ifndef PGVIGIL_AUDIT_SPANS_H
#define PGVIGIL_AUDIT_SPANS_H

#include "chain.h"

#include <jansson.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    uint64_t seq;                  /* of its begin line */
    char hash[CHAIN_HASH_HEX + 1]; /* of that line */
    unsigned chain;
    json_t *begin; /* owned */
    uint64_t rows; /* released, by the last more record */
    bool aggregate;
    struct span_lists *lists; /* owned; of more and end records */
    struct span *next;        /* in a list of those left over */
};

struct spans;

struct spans *spans_new(void); /* NULL when out of memory */
void spans_free(struct spans *spans);
/* Takes a reference to `begin`. ERR_MEMORY. */
NODISCARD enum status spans_begin(struct spans *spans, unsigned chain, uint64_t seq,
                                  const char *hash, json_t *begin);
/* NULL: no statement with this begin line is open. */
struct span *spans_find(const struct spans *spans, uint64_t seq);
/* ERR_IO (errno: the temporary file), ERR_MEMORY. */
NODISCARD enum status span_more(struct span *span, const json_t *more);
/* Out of the table: the caller frees it. */
void spans_take(struct spans *spans, struct span *span);
void span_free(struct span *span);
/* All that are still open, taken out of the table: a list by `next`, oldest first. */
struct span *spans_leftover(struct spans *spans);

/* The patients of a span, or of a record that stands alone, in the order of the trail. */
struct patients {
    const json_t *first; /* "patients" of the record, or NULL */
    size_t at;
    struct span_lists *lists; /* or NULL */
    json_t *current;          /* owned: a list that was read back */
    size_t read;              /* bytes of the lists' memory that were taken */
};
/* An integer run, or one text. */
struct patient {
    const char *text; /* NULL: a run; borrowed until the next call */
    int64_t first;
    int64_t last;
};
void patients_of(struct patients *patients, const json_t *record, const struct span *span);
/* CLOSED at the end; ERR_INVALID: an element that is no patient; ERR_IO, ERR_MEMORY. */
NODISCARD enum status patients_next(struct patients *patients, struct patient *patient);
void patients_end(struct patients *patients);

#endif
