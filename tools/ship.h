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

#include <pgvigil/buf.h>
#include <pgvigil/config.h>
#include <stdatomic.h>
#include <stdbool.h>

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

/* What is sent and confirmed in one go, in the receiver's form. */
struct ship_batch {
    struct buf bytes;
    uint64_t records;
};

struct ship_receiver {
    /* Puts the line into the batch and counts it, or leaves it out. */
    enum status (*put)(void *context, const struct tail_line *line);
    /* All of the batch, which is not empty, up to where the tail is now. */
    enum status (*send)(void *context, struct tail *tail);
    void *context;
};
/* Batch after batch, until `stop` or, with `once`, the end; a failure has been told. */
NODISCARD enum status ship_follow(struct ship *ship, struct tail *tail, struct ship_batch *batch,
                                  const struct ship_receiver *receiver);

#endif
