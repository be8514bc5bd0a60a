/*
 * stats.h: the meters of all workers added up, with how much they grew in the last whole minute.
 *
 * PgBouncer's averages: of a period, not of all time. Thread-safe.
 */
#ifndef PGVIGIL_PROXY_STATS_H
#define PGVIGIL_PROXY_STATS_H

#include "proxy/meter.h"
#include "proxy/worker.h"

struct stats;

struct stats *stats_new(const struct config *config); /* NULL when out of memory */
void stats_free(struct stats *stats);                 /* accepts NULL */
/* Once a second, by one thread (`now`: monotonic microseconds). */
void stats_tick(struct stats *stats, const struct process *process, uint64_t now);

struct stats_line {
    struct meter_sum total;
    struct meter_sum grown; /* in the last whole period; zeros in the first one */
    double seconds;         /* its length; 0 in the first one */
};
void stats_read(struct stats *stats, const struct process *process, size_t database,
                struct stats_line *line);

#endif
