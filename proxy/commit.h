/*
 * commit.h: group commit, for an audit whose records are to be on the disk ("synced").
 *
 * A turn's records are written, another thread has the disk take them, and what they cover is held
 * until it has. Meanwhile the loop goes on: statements are judged and sent, answers come, and what
 * needs a record waits for the next flush, which begins when this one ends. So a disk that takes
 * milliseconds costs each statement one or two of its turns, not every session of the worker all of
 * them.
 */
#ifndef PGVIGIL_PROXY_COMMIT_H
#define PGVIGIL_PROXY_COMMIT_H

#include "proxy/worker.h"

/* Lets go on whoever was touched, as far as the disk is not needed. */
void commit_round(struct worker *worker);
/* Begins a flush when something waits for one and none is under way. */
void commit_flush(struct worker *worker);
/* The end of one, when the disk has told of it. */
void commit_take_up(struct worker *worker);
/* The end of group commit: waits for the disk, and from here on the loop does so itself. */
void commit_end(struct worker *worker);
/* A session that is to be freed. */
void commit_forget(struct worker *worker, struct session *session);

#endif
