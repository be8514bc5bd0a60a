/*
 * census.h: how many sessions and server connections a worker has, by what they do.
 *
 * In the worker's own loop only.
 */
#ifndef PGVIGIL_PROXY_CENSUS_H
#define PGVIGIL_PROXY_CENSUS_H

#include <stddef.h>
#include <stdint.h>

struct worker;
struct session;
struct server;

struct census {
    size_t clients_active, clients_idle, clients_waiting;
    size_t servers_active, servers_idle, servers_opening, servers_resetting;
    uint64_t longest_wait; /* microseconds */
};

/* "login", "active", "idle", "waiting", "closing". */
const char *census_client_state(const struct session *session);
/* "active", "idle", "tested" (resetting), "new". */
const char *census_server_state(const struct server *server);

/* Of one of the worker's pools: two for each database. */
void census_take(const struct worker *worker, size_t pool, struct census *census);
void census_add(struct census *sum, const struct census *more);
/* Once a second: the figures of the moment, into the worker's meters. */
void census_tick(struct worker *worker);

#endif
