/*
 * ship.h: sending the records of the trail elsewhere.
 *
 * Each receiver has a thread of its own and follows the trail by itself: one that is away, or
 * slow, holds up nobody. The files of the trail are the spool: what a receiver has not confirmed is
 * read again from there, so nothing is lost while it is away.
 */
#ifndef PGVIGIL_TOOLS_SHIP_H
#define PGVIGIL_TOOLS_SHIP_H

#include "audit/tail.h"

#include <pgvigil/config.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Sent and confirmed in one go. More is more to send again after a broken connection. */
#define SHIP_BATCH_BYTES ((size_t)4 << 20)
#define SHIP_PAUSE_MS    1000U

struct ship {
    const struct config_ship *to;
    const char *directory; /* of the trail */
    const char *label;     /* for the log */
    atomic_bool *stop;
    bool once;         /* ends when all that is there is confirmed */
    bool refused;      /* a chain does not go on: told */
    uint64_t records;  /* confirmed */
    unsigned failures; /* in a row */
};

/*
 * From the last confirmed place on, until `stop` or, with `once`, the end. Whatever else it
 * returns has been told in the log, and the caller begins again: ERR_INVALID is the trail's fault
 * (or the saved place's), the rest the receiver's or the machine's.
 */
NODISCARD enum status ship_syslog(struct ship *ship);
NODISCARD enum status ship_table(struct ship *ship);

/* event=ship-failed, with the sentence; returns `status`. */
enum status ship_failed(struct ship *ship, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A batch is confirmed. */
void ship_confirmed(struct ship *ship, uint64_t records);
/* Sleeps; ends early on stop. */
void ship_pause(const struct ship *ship, unsigned milliseconds);
/* What tail_next said when it was neither OK nor NEED_MORE: told; OK where other chains go on. */
NODISCARD enum status ship_tail_said(struct ship *ship, const struct tail *tail,
                                     enum status status);

#endif
