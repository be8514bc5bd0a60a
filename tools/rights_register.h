/*
 * rights_register.h: pgvigil's own register of who has which right (POLICY_REGISTER_SCHEMA).
 *
 * `entries` is a chain: each is JSON text that holds the SHA-256 of the one before and is signed
 * with the trail's key; `active` is what they come to, which the guards read. Both change in one
 * transaction, so a change holds from the next statement on.
 */
#ifndef PGVIGIL_TOOLS_RIGHTS_REGISTER_H
#define PGVIGIL_TOOLS_RIGHTS_REGISTER_H

#include "audit/key.h"

#include <libpq-fe.h>
#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdint.h>

struct rights_entry {
    bool lift; /* else it is set */
    const char *name;
    const char *subject;
    const char *by;
    const char *database; /* the configuration's name of it */
    const char *note;     /* or NULL */
};

/*
 * Appends inside a transaction that it begins and leaves open: the caller writes its record, then
 * commits. *seq and sha256 name the entry. DENIED: it holds already, or there is nothing to lift.
 * ERR_UPSTREAM, ERR_MEMORY; a sentence in `why`.
 */
NODISCARD enum status rights_append(PGconn *conn, const struct key *key,
                                    const struct rights_entry *entry, uint64_t *seq,
                                    char sha256[65], struct buf *why);

struct rights_verdict {
    uint64_t entries, active, findings;
};
typedef void rights_finding_fn(const char *what, void *context);
/* Each entry that is there; its own context. */
struct rights_listener {
    void (*entry)(uint64_t seq, const char *sha256, void *context);
    void *context;
};
/* Is the chain what was written, and `active` what it comes to? ERR_UPSTREAM, ERR_MEMORY. */
NODISCARD enum status rights_verify(PGconn *conn, const struct key_ring *ring, const char *database,
                                    rights_finding_fn *tell, void *context,
                                    const struct rights_listener *listener,
                                    struct rights_verdict *verdict, struct buf *why);

#endif
