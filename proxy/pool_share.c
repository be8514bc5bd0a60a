/*
 * pool_share.c: numbers of the workers' pools (see pool_share.h).
 */
#include "proxy/pool_share.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A cache line each: they are written by different threads. */
struct part {
    _Alignas(64) atomic_size_t idle;
    atomic_uint_fast64_t waits;
};

struct share {
    _Alignas(64) atomic_size_t open;
    struct part *parts; /* of the workers */
};

struct pool_shares {
    size_t pools;
    unsigned workers;
    struct share *list;
    struct part *parts;
};

struct pool_shares *pool_shares_new(size_t pools, unsigned workers)
{
    struct pool_shares *shares = calloc(1, sizeof *shares);
    if (shares == NULL)
        return NULL;
    shares->pools = pools;
    shares->workers = workers;
    shares->list = aligned_alloc(64, (pools + 1) * sizeof *shares->list);
    shares->parts = aligned_alloc(64, (pools * workers + 1) * sizeof *shares->parts);
    if (shares->list == NULL || shares->parts == NULL) {
        pool_shares_free(shares);
        return NULL;
    }
    for (size_t i = 0; i < pools; i++) {
        atomic_init(&shares->list[i].open, 0);
        shares->list[i].parts = shares->parts + i * workers;
    }
    for (size_t i = 0; i < pools * workers; i++) {
        atomic_init(&shares->parts[i].idle, 0);
        atomic_init(&shares->parts[i].waits, 0);
    }
    return shares;
}

void pool_shares_free(struct pool_shares *shares)
{
    if (shares == NULL)
        return;
    free(shares->list);
    free(shares->parts);
    free(shares);
}

bool pool_share_enter(struct pool_shares *shares, size_t pool, size_t limit)
{
    atomic_size_t *open = &shares->list[pool].open;
    size_t count = atomic_load(open);
    while (count < limit)
        if (atomic_compare_exchange_weak(open, &count, count + 1))
            return true;
    return false;
}

void pool_share_leave(struct pool_shares *shares, size_t pool)
{
    atomic_fetch_sub(&shares->list[pool].open, 1);
}

size_t pool_share_open(struct pool_shares *shares, size_t pool)
{
    return atomic_load(&shares->list[pool].open);
}

void pool_share_idle(struct pool_shares *shares, size_t pool, unsigned worker, size_t count)
{
    atomic_store(&shares->list[pool].parts[worker].idle, count);
}

/* Nobody waits nearly always: the store is spared then. */
void pool_share_waits(struct pool_shares *shares, size_t pool, unsigned worker, uint64_t since)
{
    atomic_uint_fast64_t *waits = &shares->list[pool].parts[worker].waits;
    if (atomic_load_explicit(waits, memory_order_relaxed) != since)
        atomic_store(waits, since);
}

unsigned pool_share_with_idle(struct pool_shares *shares, size_t pool, unsigned worker)
{
    unsigned best = POOL_SHARE_NOBODY;
    size_t most = 0;
    for (unsigned i = 0; i < shares->workers; i++) {
        size_t idle = i == worker ? 0 : atomic_load(&shares->list[pool].parts[i].idle);
        if (idle <= most)
            continue;
        most = idle;
        best = i;
    }
    return best;
}

unsigned pool_share_needier(struct pool_shares *shares, size_t pool, unsigned worker,
                            uint64_t since)
{
    unsigned best = POOL_SHARE_NOBODY;
    uint64_t oldest = since == 0 ? UINT64_MAX : since;
    for (unsigned i = 0; i < shares->workers; i++) {
        uint64_t waits = i == worker ? 0 : atomic_load(&shares->list[pool].parts[i].waits);
        if (waits == 0 || waits >= oldest)
            continue;
        oldest = waits;
        best = i;
    }
    return best;
}
