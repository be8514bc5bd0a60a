/*
 * purge.h: one closed file without the records that are due. Private to purge*.c.
 */
#ifndef PGVIGIL_AUDIT_PURGE_H
#define PGVIGIL_AUDIT_PURGE_H

#include "chain.h"
#include "closed.h"
#include "key.h"

#include <pgvigil/audit.h>
#include <pgvigil/status.h>

/* What is due, and what a tombstone says. */
struct purge_terms {
    char technical[CHAIN_TIME + 1]; /* records from before this are; empty: none */
    char care[CHAIN_TIME + 1];
    const char *why;
    const char *who;
    const struct key *key;
    const struct key_ring *ring;
    struct hasher *hasher;
};

/* Reads a closed file and counts what is due in it. `next` is the file behind it, whose first line
 * vouches for the last one here. file->refused: it is not what was written. ERR_IO, ERR_MEMORY. */
NODISCARD enum status purge_look(const struct closed *closed, const struct purge_terms *terms,
                                 const char *next, struct audit_purge_file *file);
/* Replaces it by one that holds tombstones in their places. ERR_IO, ERR_MEMORY; ERR_INTERNAL: the
 * new one did not read back, and the old one stays. */
NODISCARD enum status purge_write(const struct closed *closed, const struct purge_terms *terms,
                                  const struct closed_file *which, const char *next,
                                  const struct audit_purge_file *file);

#endif
