/*
 * heights.h: how far each chain of a directory has got, for the checkpoints of the others.
 *
 * A chain cannot tell that its end, or all of it, was taken away: nothing is left that could. So
 * each checkpoint of a server signs, beside its own chain, which record every other one has last
 * ("beside": [[chain, number, hash], ...]). Whoever takes records away then has to take those
 * checkpoints away as well, that is the end of every chain since; and whoever fills the place up
 * again with records of their own has to make one with that hash.
 *
 * Of the hash the first 32 hex digits stand there: to find another line for 128 given bits is out
 * of reach, as for the gaps that a tombstone signs (chain.h). Two lines of one's own choice with
 * the same 128 bits would be 2^64 steps, but the one that is signed is not of a forger's choice: it
 * holds the hash of the line before and the microsecond it was written in.
 *
 * "since" is when the server started whose checkpoint it is: in one run the last one of a chain
 * says all that the earlier ones said, since the writers link from record to record in memory.
 */
#ifndef PGVIGIL_AUDIT_HEIGHTS_H
#define PGVIGIL_AUDIT_HEIGHTS_H

#include "chain.h"

#include <pgvigil/audit.h>
#include <pgvigil/buf.h>
#include <stddef.h>
#include <stdint.h>

/* Chains that one checkpoint names: what it signs is bounded. */
#define HEIGHTS_MAX     400U
#define HEIGHTS_ONE_MAX 70U /* bytes of one */
#define HEIGHTS_HASH    32U /* hex digits */

/* Where the chain's writer keeps its last record that stands; NULL: nowhere. Heights may be NULL.
 */
struct height;
struct height *heights_place(struct audit_heights *heights, unsigned chain);
/* Accepts NULL. Any thread. */
void height_set(struct height *height, uint64_t seq, const char *hash);
/* Appends ,"since":"...","beside":[...] of all chains but that one; nothing when there is none. */
void heights_append(struct audit_heights *heights, unsigned chain, struct buf *out);

/* What a checkpoint (without its line end) names. */
struct heights_named {
    unsigned chain;
    uint64_t seq;
    char hash[HEIGHTS_HASH + 1]; /* empty: of an older version, which did not name it */
};
typedef void heights_fn(const struct heights_named *named, void *context);
/* Calls `take` for each. False: it is no JSON, or one of those that it names is nonsense: not all
 * of them were told. */
bool heights_read(const char *line, size_t len, heights_fn *take, void *context);

#endif
