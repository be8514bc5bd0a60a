/*
 * heights.h: how far each chain of a directory has got, for the checkpoints of the others.
 *
 * A chain cannot tell that its end, or all of it, was taken away: nothing is left that could. So
 * each checkpoint of a server signs, beside its own chain, how many records every other one has
 * ("beside": [[chain, number of its last record], ...]). Whoever takes records away then has to
 * take those checkpoints away as well, that is the end of every chain since.
 */
#ifndef PGVIGIL_AUDIT_HEIGHTS_H
#define PGVIGIL_AUDIT_HEIGHTS_H

#include "key.h"

#include <pgvigil/audit.h>
#include <pgvigil/buf.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Chains that one checkpoint names: what it signs is bounded. */
#define HEIGHTS_MAX 400U

/* Where the chain's writer keeps the number of its last record that stands; NULL: nowhere. Heights
 * may be NULL. */
_Atomic uint64_t *heights_place(struct audit_heights *heights, unsigned chain);
/* Appends ,"beside":[...] of all chains but that one; nothing when there is none. */
void heights_append(const struct audit_heights *heights, unsigned chain, struct buf *out);

/* What a checkpoint (without its line end) names. Calls `take` for each pair; false when it names
 * none, or nonsense. */
typedef void heights_fn(unsigned chain, uint64_t seq, void *context);
bool heights_read(const char *line, size_t len, heights_fn *take, void *context);

#endif
