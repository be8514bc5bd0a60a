/*
 * recover.h: where a chain left off.
 *
 * A crash, a power failure or a full disk can leave bytes after the last whole line. They cover
 * nothing that was ever released (a result leaves after its record's whole write), so they are cut,
 * and the cut becomes a record. A whole line that is not one of ours is different: it is evidence,
 * stays, and the chain goes on behind it.
 */
#ifndef PGVIGIL_AUDIT_RECOVER_H
#define PGVIGIL_AUDIT_RECOVER_H

#include "chain.h"

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdint.h>

struct recovered {
    uint64_t number;    /* last file that holds a line; 0: the chain is new */
    uint64_t size;      /* bytes of its whole lines */
    uint64_t cut_bytes; /* bytes after them */
    char cut_hash[CHAIN_HASH_HEX + 1];
    uint64_t empty;              /* a later file without a whole line, to be made anew; 0: none */
    uint64_t empty_bytes;        /* bytes in it */
    bool packed;                 /* the last file was compressed: it cannot be continued */
    bool same_key;               /* its header names our key: it can be continued */
    char key[KEY_FINGERPRINT];   /* that its header names; empty: none */
    char opened[CHAIN_TIME + 1]; /* when the file was begun; empty: it does not say */
    struct chain chain;
};

NODISCARD enum status recover_chain(int dir_fd, unsigned chain_number, const char *fingerprint,
                                    struct hasher *hasher, struct recovered *out);

#endif
