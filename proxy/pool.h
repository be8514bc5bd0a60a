/*
 * pool.h: a worker's server connections to one database, and the sessions that wait for one.
 *
 * First come, first served; who waits longer than limits.connect_seconds is told so. Where the
 * database cannot be reached at all, who is logging in is told at once, and the sessions wait for
 * it to come back: a restart is not noticed by those who have nothing open in it. Connections are
 * counted for the process (pool_share.h): when someone waits and nothing is idle, an idle one is
 * asked for of another worker; where there is none, one is opened if there is room. One that
 * becomes idle goes to another worker when somebody has waited there for longer.
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
    size_t index;    /* among the worker's; the same in all */
    size_t limit;    /* of the process; in observe mode of this one */
    size_t open;     /* servers in any state but CLOSED */
    size_t opening;  /* jobs at the connector */
    size_t asked;    /* of other workers, not answered yet */
    size_t checking; /* were asked at the last tick whether they are there, not answered yet */
    size_t idle_count;
    bool gives;              /* at the end of the turn */
    struct server_list idle; /* most recently used first */
    struct server_list all;
    struct session_list waiting;
    uint64_t retry_at; /* after a failure to open: not before */
    char error[256];   /* the last failure */
};

void pool_init(struct pool *pool, struct worker *worker, size_t database_index,
               enum pool_kind kind);
/* An idle one is bound, closed or moved: out of the list. */
void pool_take_idle(struct pool *pool, struct server *server);
/* Puts the session in the queue (state WAIT_SERVER or LOGIN); server_bind happens now or later, or
 * session_server_lost. */
void pool_wait(struct pool *pool, struct session *session);
/* Takes a session out of the queue. */
void pool_forget(struct pool *pool, struct session *session);
/* A server became idle, or was closed. */
void pool_server_idle(struct pool *pool, struct server *server);
/* One that was asked whether it is still there has answered: it has not been used by that. */
void pool_server_checked(struct pool *pool, struct server *server);
void pool_server_gone(struct pool *pool, struct server *server);
/* Gives idle ones to other workers, where somebody needs them more. */
void pool_end_turn(struct pool *pool);
/* Once a second: waiting limits, idle connections of an old policy or unused for long; those that
 * nobody has used for limits.server_check_seconds are asked whether they are still there. */
void pool_tick(struct pool *pool);
void pool_close(struct pool *pool);

#endif
