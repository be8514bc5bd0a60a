/*
 * index.h: which blocks of a trail file can hold what is asked for.
 *
 * A file NAME.idx beside NAME.jsonl (or in a directory of the auditor's own), made by
 * `pgvigil audit index`. The text is cut into blocks of whole lines; for each person, subject and
 * begun statement the index has the blocks that name it, as hashes in order. A block too many is
 * read for nothing; none is left out.
 *
 * Files only grow: an index covers the text up to where it was when it was made, and what stands
 * behind that is read without one.
 *
 * Trust: an index is a claim of whoever made it. It is used only when the first line of
 * the file, and the last one that it covers, are those that it was made of, and each part has a
 * checksum, so that neither age nor damage can hide a record. Whoever can write index files can
 * forge one that does: searching without it, or comparing it with a new one (index_same), shows
 * that.
 */
#ifndef PGVIGIL_AUDIT_INDEX_H
#define PGVIGIL_AUDIT_INDEX_H

#include "lines.h"

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_SUFFIX ".idx"

struct index;

/* Blocks of one file: a bit each. */
struct index_set {
    unsigned char *bits; /* owned */
    size_t count;        /* of blocks */
};

struct index_block {
    uint64_t offset; /* in the text; it ends where the next begins */
    uint64_t first_line;
    uint64_t first_seq;
    uint64_t reserved;
    char from[28]; /* the earliest and the latest time in it */
    char to[28];
};

/* Reads `lines` from its start and writes the index as `name` in the directory, in one step.
 * ERR_LIMIT: too many keys; ERR_IO (errno), ERR_MEMORY. `name` NULL: only *same is told: whether
 * the file called `compare` is byte for byte what would be written. */
NODISCARD enum status index_make(struct lines *lines, int dir_fd, const char *name,
                                 const char *compare, bool *same);
/* CLOSED: there is none. ERR_INVALID: it is damaged, or not of this file, *why (static) says so;
 * ERR_IO, ERR_MEMORY. Reads the first and the last line of `lines`, and leaves it at its start. */
NODISCARD enum status index_open(int dir_fd, const char *name, struct lines *lines,
                                 struct index **index, const char **why);
void index_close(struct index *index); /* accepts NULL */

size_t index_block_count(const struct index *index);
const struct index_block *index_block(const struct index *index, size_t block);
/* Of the text that it covers. */
uint64_t index_text_size(const struct index *index);
uint64_t index_lines(const struct index *index);
bool index_is_whole(const struct index *index);    /* there is no more text */
uint64_t index_damaged(const struct index *index); /* lines that are no records */

enum index_kind {
    INDEX_PERSON = 'p',
    INDEX_SUBJECT = 's', /* and what a broken glass was broken for */
    INDEX_BEGUN = 'b',   /* the statement's number, in decimal: begin, more, end */
    INDEX_INEXACT = 'i'  /* lists that are not exact; the text is "" */
};

/* Sets are made empty or full; ERR_MEMORY. */
NODISCARD enum status index_set_new(const struct index *index, bool full, struct index_set *set);
void index_set_free(struct index_set *set);
static inline bool index_set_has(const struct index_set *set, size_t block)
{
    return (set->bits[block >> 3] >> (block & 7) & 1) != 0;
}
static inline void index_set_add(struct index_set *set, size_t block)
{
    set->bits[block >> 3] = (unsigned char)(set->bits[block >> 3] | 1u << (block & 7));
}
/* Adds the blocks that hold the key. ERR_INVALID: that part of the index is damaged: do not use it;
 * ERR_IO. */
NODISCARD enum status index_find(const struct index *index, enum index_kind kind, const char *text,
                                 struct index_set *set);
/* Keeps what is in both. */
void index_set_meet(struct index_set *set, const struct index_set *other);

#endif
