/*
 * pool_share.h: what the workers' pools of one database have in common.
 *
 * Server connections are counted for the whole process, since a pool that was cut into shares would
 * let sessions of one worker wait while another worker's connections are idle. A connection belongs
 * to one worker at a time and moves as a whole, by worker_post (pool.c): here are only the numbers
 * by which a worker learns whether that is worth asking, written by their own worker and read by
 * all.
 *
 * No lost wake-up: who waits says so first and looks for idle connections then; who has one says so
 * first and looks for those who wait then. All are sequentially consistent, so one of the two sees
 * the other.
 */
#ifndef PGVIGIL_PROXY_POOL_SHARE_H
#define PGVIGIL_PROXY_POOL_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_SHARE_NOBODY ((unsigned)-1)

struct pool_shares;

/* For as many pools as each worker has. NULL: out of memory. */
struct pool_shares *pool_shares_new(size_t pools, unsigned workers);
void pool_shares_free(struct pool_shares *shares); /* accepts NULL */

/* Takes one of `limit` places for a connection, open or being opened. False: there is none. */
bool pool_share_enter(struct pool_shares *shares, size_t pool, size_t limit);
void pool_share_leave(struct pool_shares *shares, size_t pool);
size_t pool_share_open(struct pool_shares *shares, size_t pool);

/* Of the worker itself: how many are idle; since when its longest waiter waits (monotonic
 * microseconds, 0: nobody does). */
void pool_share_idle(struct pool_shares *shares, size_t pool, unsigned worker, size_t count);
void pool_share_waits(struct pool_shares *shares, size_t pool, unsigned worker, uint64_t since);

/* Another worker that has an idle one. */
unsigned pool_share_with_idle(struct pool_shares *shares, size_t pool, unsigned worker);
/* Another worker whose longest waiter waits since before `since` (0: since ever). */
unsigned pool_share_needier(struct pool_shares *shares, size_t pool, unsigned worker,
                            uint64_t since);

#endif
