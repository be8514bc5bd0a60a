/*
 * meter.c: counting (see meter.h).
 *
 * Trust boundary: none; numbers of our own.
 */
#include "proxy/meter.h"

#include <stdlib.h>
#include <string.h>

struct meter *meters_new(size_t count)
{
    /* Whole cache lines: its alignment makes the size of a meter a multiple of 64. */
    struct meter *meters = aligned_alloc(_Alignof(struct meter), count * sizeof *meters);
    if (meters != NULL)
        memset(meters, 0, count * sizeof *meters);
    return meters;
}

size_t histogram_bucket(uint64_t microseconds)
{
    uint64_t above = microseconds == 0 ? 0 : (microseconds - 1) >> HISTOGRAM_FIRST_BIT;
    size_t bits = above == 0 ? 0 : 64u - (size_t)__builtin_clzll(above);
    return bits < HISTOGRAM_BUCKETS ? bits : HISTOGRAM_BUCKETS - 1;
}

static void add(_Atomic uint64_t *place, uint64_t by)
{
    uint64_t value = atomic_load_explicit(place, memory_order_relaxed);
    atomic_store_explicit(place, value + by, memory_order_relaxed);
}

void meter_observe(struct meter *meter, enum histogram_name name, uint64_t microseconds)
{
    struct histogram *histogram = &meter->histograms[name];
    add(&histogram->buckets[histogram_bucket(microseconds)], 1);
    add(&histogram->microseconds, microseconds);
}

void meter_sum(const struct meter *meter, struct meter_sum *sum)
{
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        sum->figures[i] += meter_read(meter, (enum figure)i);
    for (size_t i = 0; i < HISTOGRAM_COUNT; i++) {
        const struct histogram *histogram = &meter->histograms[i];
        for (size_t j = 0; j < HISTOGRAM_BUCKETS; j++) {
            uint64_t in = atomic_load_explicit(&histogram->buckets[j], memory_order_relaxed);
            sum->histograms[i].buckets[j] += in;
            sum->histograms[i].count += in;
        }
        sum->histograms[i].microseconds +=
            atomic_load_explicit(&histogram->microseconds, memory_order_relaxed);
    }
}
