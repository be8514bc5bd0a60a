/*
 * sync.h: fdatasync on a thread of its own, so that the loop goes on while the disk is at work.
 *
 * One sync at a time. The file stays open until it has ended: syncer_wait before closing it.
 */
#ifndef PGVIGIL_AUDIT_SYNC_H
#define PGVIGIL_AUDIT_SYNC_H

#include <pgvigil/audit.h>
#include <stdbool.h>

struct syncer;

/* `done` is called from the syncer's thread when a sync has ended. NULL: no thread could be had. */
struct syncer *syncer_new(audit_synced_fn *done, void *context);
/* Waits for what is under way. Accepts NULL. */
void syncer_free(struct syncer *syncer);
/* Not while one is under way. Borrows `fd` until it has ended. */
void syncer_start(struct syncer *syncer, int fd);
/* Waits for its end. Returns 0 or the errno of it; once for each start. */
int syncer_wait(struct syncer *syncer);
/* It has ended, and syncer_wait will not wait. */
bool syncer_ended(struct syncer *syncer);

#endif
