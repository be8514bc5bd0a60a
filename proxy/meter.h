/*
 * meter.h: what a worker has done, for those who watch it (metrics.h, console.h).
 *
 * Each worker has one meter for each database and one more for what belongs to none (logins that
 * fail, its audit). A meter is written by its worker alone and read by anyone: a count is a relaxed
 * load and a relaxed store, without a lock and without a cache line that another worker writes. A
 * reader may see one figure newer than another; none ever goes back.
 *
 * Nothing in it names a person or holds a text: the port that shows it has no authentication.
 */
#ifndef PGVIGIL_PROXY_METER_H
#define PGVIGIL_PROXY_METER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum figure {
    /* Sums since the start. */
    FIGURE_STATEMENT = 0,    /* the database answered: each has its record */
    FIGURE_STATEMENT_FAILED, /* of those, with an error, or not to the end */
    FIGURE_REFUSAL,          /* refused by pgvigil: each has its record, too */
    FIGURE_TRANSACTION,
    FIGURE_TRANSACTION_MICROSECONDS, /* from the first statement to the last answer */
    FIGURE_ROW,                      /* of the answers */
    FIGURE_CACHE_HIT,                /* texts whose verdict was there already... */
    FIGURE_CACHE_MISS,               /* ...and that had to be judged */
    FIGURE_LOOKUP,                   /* simple queries that went as lookup.h says */
    FIGURE_WAIT,                     /* times a session found no server connection free */
    FIGURE_TURN,                     /* times a server connection became another person's */
    FIGURE_SERVER_OPENED,
    FIGURE_SERVER_OPEN_FAILED,
    FIGURE_CLIENT_RECEIVED, /* bytes, without TLS's own */
    FIGURE_CLIENT_SENT,
    FIGURE_SERVER_RECEIVED,
    FIGURE_SERVER_SENT,
    FIGURE_LOGIN,
    FIGURE_LOGIN_FAILED,
    FIGURE_AUDIT_FAILED, /* flushes that failed: what they covered was refused */
    /* Of the moment; looked at once a second. */
    FIGURE_CLIENTS_ACTIVE, /* have a server connection */
    FIGURE_CLIENTS_IDLE,
    FIGURE_CLIENTS_WAITING, /* for a server connection */
    FIGURE_CLIENTS_LOGIN,   /* not yet known: of no database */
    FIGURE_SERVERS_ACTIVE,
    FIGURE_SERVERS_IDLE,
    FIGURE_SERVERS_OPENING,   /* being opened or taken over */
    FIGURE_SERVERS_RESETTING, /* being made ready for the next session */
    FIGURE_AUDIT_SINCE,       /* monotonic microseconds: records wait to be written since then, or
                                 cannot be written; 0: none */
    FIGURE_AUDIT_BROKEN,      /* 1: the last flush failed, and none has succeeded since */
    FIGURE_TURNED,            /* monotonic microseconds of the last look */
    FIGURE_COUNT
};

enum histogram_name {
    HISTOGRAM_STATEMENT = 0, /* from the client's message to the end of the answer */
    HISTOGRAM_WAIT,          /* for a server connection, 0 where one was free */
    HISTOGRAM_AUDIT_FLUSH,
    HISTOGRAM_COUNT
};

/* Bucket i holds what took at most 2^(i + 4) microseconds: 16 us, 32 us... 67 s; the last one is
 * for whatever took longer. */
#define HISTOGRAM_FIRST_BIT 4u
#define HISTOGRAM_BUCKETS   24u

struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS]; /* each its own, not those below it too */
    _Atomic uint64_t microseconds;               /* sum of all */
};

struct meter {
    _Alignas(64) _Atomic uint64_t figures[FIGURE_COUNT];
    struct histogram histograms[HISTOGRAM_COUNT];
};

/* `count` meters, all zero; freed by free(). NULL: out of memory. */
struct meter *meters_new(size_t count);

static inline uint64_t meter_read(const struct meter *meter, enum figure figure)
{
    return atomic_load_explicit(&meter->figures[figure], memory_order_relaxed);
}

/* The owner alone. */
static inline void meter_set(struct meter *meter, enum figure figure, uint64_t value)
{
    atomic_store_explicit(&meter->figures[figure], value, memory_order_relaxed);
}

/* The owner alone; so need not be one indivisible step. */
static inline void meter_add(struct meter *meter, enum figure figure, uint64_t by)
{
    meter_set(meter, figure, meter_read(meter, figure) + by);
}

static inline void meter_count(struct meter *meter, enum figure figure)
{
    meter_add(meter, figure, 1);
}

/* The owner alone. */
void meter_observe(struct meter *meter, enum histogram_name name, uint64_t microseconds);
/* Which bucket; for tests, too. */
size_t histogram_bucket(uint64_t microseconds);

/* Any thread: a copy, or the sum of several. */
struct meter_sum {
    uint64_t figures[FIGURE_COUNT];
    struct {
        uint64_t buckets[HISTOGRAM_BUCKETS];
        uint64_t microseconds;
        uint64_t count;
    } histograms[HISTOGRAM_COUNT];
};
/* Adds what the meter shows now; `sum` begins as zeros. Figures of the moment are added up as well,
 * which has a meaning for numbers of connections only. */
void meter_sum(const struct meter *meter, struct meter_sum *sum);

#endif
