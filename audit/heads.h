/*
 * heads.h: checkpoints that were kept elsewhere, compared with the trail.
 *
 * The end of a trail can be cut off without a trace in what is left. Its checkpoints were sent to
 * syslog when they were written: one that is not in the trail any more tells.
 */
#ifndef PGVIGIL_AUDIT_HEADS_H
#define PGVIGIL_AUDIT_HEADS_H

#include <pgvigil/audit.h>
#include <pgvigil/status.h>
#include <stdint.h>

struct heads_result {
    uint64_t heads;    /* checkpoints of our keys in the file */
    uint64_t others;   /* of other keys: another proxy's */
    uint64_t archived; /* of records before the first that the directory has */
    uint64_t findings;
};

/*
 * `heads_file` is what a syslog server has kept, whatever stands before the records in its lines.
 * Findings name a file of the trail, or the heads file and a line of it. OK; ERR_IO (a file cannot
 * be read, errno), ERR_INVALID (no public key in the key file), ERR_MEMORY.
 */
NODISCARD enum status heads_compare(const char *directory, const char *public_key_file,
                                    const char *heads_file, audit_finding_fn *on_finding,
                                    void *context, struct heads_result *result);

#endif
