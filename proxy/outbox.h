/*
 * outbox.h: what is on its way to a client, and how much of it may leave.
 *
 * The product's promise is that no byte of a result leaves before the record that covers it is
 * written. An outbox keeps that promise in one place: its bytes are in three runs, oldest first,
 *
 *     [ safe: may be written to the socket | covered: a record is appended, not yet flushed |
 * uncovered ]
 *
 * outbox_cover moves the second border to the end (the caller appended a record for everything so
 * far, or nothing so far needs one), outbox_release moves the first border up to the second after a
 * flush that returned OK, outbox_withdraw replaces what a failed flush was to cover by an error.
 *
 * Plain data owned by a session; the bytes are whole backend messages except while `open` counts
 * down the rest of a long one. Not thread-safe.
 */
#ifndef PGVIGIL_PROXY_OUTBOX_H
#define PGVIGIL_PROXY_OUTBOX_H

#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

struct outbox {
    struct buf bytes;
    size_t safe;    /* bytes from the head that may leave */
    size_t covered; /* bytes from the head whose record is appended; never below safe */
    size_t marked;  /* bytes from the head that a flush under way covers; safe to covered, or 0 */
    size_t open;    /* bytes still to come of the message at the tail */
    bool recorded_notifications; /* NotificationResponses stand for a record too */
    bool cut;                    /* the last byte that became safe was in the middle of a message */
    bool marked_cut;             /* the last marked one is */
};

void outbox_init(struct outbox *outbox, size_t limit);
void outbox_free(struct outbox *outbox);

static inline size_t outbox_len(const struct outbox *outbox)
{
    return buf_len(&outbox->bytes);
}
static inline size_t outbox_uncovered(const struct outbox *outbox)
{
    return buf_len(&outbox->bytes) - outbox->covered;
}
static inline bool outbox_holds_covered(const struct outbox *outbox)
{
    return outbox->covered > outbox->safe;
}

/* Everything appended so far has its record (appended, not necessarily flushed) or needs none. */
void outbox_cover(struct outbox *outbox);
/* The flush that covers it succeeded. */
void outbox_release(struct outbox *outbox);
/* The same in two steps, for a flush during which more may come: it begins; it succeeded. */
void outbox_mark(struct outbox *outbox);
void outbox_release_marked(struct outbox *outbox);
/* `size` safe bytes were written to the socket. */
void outbox_written(struct outbox *outbox, size_t size);
/* Forgets the bytes that no record covers (an answer that is replaced by an error). Must stand at a
 * message border, which it does while nothing of the answer was covered: ERR_PROTOCOL otherwise. */
NODISCARD enum status outbox_drop_uncovered(struct outbox *outbox);

/*
 * The flush failed: what it was to cover must not be seen. Every answer in the covered run becomes
 * `error` (a whole ErrorResponse), ReadyForQuery messages stay in their place with a status of T
 * turned into E, for the caller fails the transaction too. The run is safe afterwards: it holds
 * nothing any more. *in_group says that the run ended between an answer and its ReadyForQuery: the
 * error is given, and the caller must drop everything up to the next ReadyForQuery; the uncovered
 * bytes are gone too then. *in_transaction says that a T was seen or that the group is still open.
 * ERR_PROTOCOL: part of a message has left already, only closing helps. ERR_MEMORY.
 */
NODISCARD enum status outbox_withdraw(struct outbox *outbox, const void *error, size_t error_len,
                                      bool *in_group, bool *in_transaction);

#endif
