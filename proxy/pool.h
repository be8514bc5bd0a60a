/*
 * pool.h: a worker's server connections to one database, and the sessions that wait for one.
 *
 * First come, first served; who waits longer than limits.connect_seconds is told so. A connection
 * is opened when someone waits, nothing is idle and the share (pool / workers, rounded up) is not
 * used up.
 *
 * In observe mode a session's connection is opened for it, with its own start-up options, and
 * nobody has it before or after; there is no bound but limits.connections and PostgreSQL's own, as
 * without pgvigil.
 */
#ifndef PGVIGIL_PROXY_POOL_H
#define PGVIGIL_PROXY_POOL_H

#include "proxy/worker.h"

#include <pgvigil/config.h>
#include <stdbool.h>
#include <stddef.h>

enum pool_kind { POOL_PAIRS = 0, POOL_UNRESTRICTED = 1 };

struct pool {
    struct worker *worker;
    const struct config_database *database;
    size_t database_index;
    enum pool_kind kind;
    size_t limit;
    size_t open;             /* servers in any state but CLOSED */
    size_t opening;          /* jobs at the connector */
    struct server_list idle; /* most recently used first */
    struct server_list all;
    struct session_list waiting;
    uint64_t retry_at; /* after a failure to open: not before */
    char error[256];   /* the last failure */
};

void pool_init(struct pool *pool, struct worker *worker, size_t database_index,
               enum pool_kind kind);
/* Puts the session in the queue (state WAIT_SERVER or LOGIN); server_bind happens now or later, or
 * session_server_lost. */
void pool_wait(struct pool *pool, struct session *session);
/* Takes a session out of the queue. */
void pool_forget(struct pool *pool, struct session *session);
/* A server became idle, or was closed. */
void pool_server_idle(struct pool *pool, struct server *server);
void pool_server_gone(struct pool *pool, struct server *server);
/* Once a second: waiting limits, idle connections of an old policy or unused for long. */
void pool_tick(struct pool *pool);
void pool_close(struct pool *pool);

#endif
