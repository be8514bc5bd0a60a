/*
 * census.c: counting sessions and server connections by what they do (see census.h).
 */
#include "proxy/census.h"

#include "proxy/meter.h"
#include "proxy/pool.h"
#include "proxy/server.h"
#include "proxy/session.h"

#include <string.h>

const char *census_client_state(const struct session *session)
{
    switch (session->state) {
    case SESSION_ACCEPTED:
    case SESSION_TLS_HANDSHAKE:
    case SESSION_STARTUP:
    case SESSION_AUTHENTICATING:
    case SESSION_DELAYED:
        return "login";
    case SESSION_CLOSING:
    case SESSION_DEAD:
        return "closing";
    case SESSION_LOGIN:
    case SESSION_READY:
    case SESSION_SKIPPING:
    case SESSION_WAIT_SERVER:
    case SESSION_WAIT_DRAIN:
    case SESSION_WAIT_AUDIT:
    case SESSION_COPY_IN:
    case SESSION_WAIT_ROWS:
    case SESSION_STATE_COUNT:
        break;
    }
    if (session->waiting_in != NULL)
        return "waiting";
    return session->server != NULL ? "active" : "idle";
}

const char *census_server_state(const struct server *server)
{
    switch (server->state) {
    case SERVER_SYNCING:
        return "new";
    case SERVER_IDLE:
        return "idle";
    case SERVER_PREPARING:
    case SERVER_ACTIVE:
    case SERVER_LENT:
        return "active";
    case SERVER_CHECKING:
    case SERVER_RESETTING:
        return "tested";
    case SERVER_CLOSED:
        break;
    }
    return "closed";
}

static void count_servers(const struct pool *pool, struct census *census)
{
    const struct server *server;
    TAILQ_FOREACH(server, &pool->all, all_link)
    {
        switch (server->state) {
        case SERVER_SYNCING:
            census->servers_opening++;
            break;
        case SERVER_IDLE:
            census->servers_idle++;
            break;
        case SERVER_PREPARING:
        case SERVER_ACTIVE:
        case SERVER_LENT:
            census->servers_active++;
            break;
        case SERVER_CHECKING:
        case SERVER_RESETTING:
            census->servers_resetting++;
            break;
        case SERVER_CLOSED:
            break;
        }
    }
    census->servers_opening += pool->opening;
}

static void count_client(const struct session *session, struct census *census)
{
    const char *state = census_client_state(session);
    census->clients_active += strcmp(state, "active") == 0;
    census->clients_idle += strcmp(state, "idle") == 0;
    census->clients_waiting += strcmp(state, "waiting") == 0;
}

static void count_longest(const struct pool *pool, struct census *census)
{
    const struct session *first = TAILQ_FIRST(&pool->waiting);
    uint64_t now = pool->worker->now;
    if (first != NULL && first->wait_began != 0 && first->wait_began < now)
        census->longest_wait = now - first->wait_began;
}

void census_take(const struct worker *worker, size_t pool, struct census *census)
{
    const struct session *session;
    memset(census, 0, sizeof *census);
    count_servers(&worker->pools[pool], census);
    count_longest(&worker->pools[pool], census);
    TAILQ_FOREACH(session, &worker->sessions, link)
    {
        if (session->database != NULL && session_pool(session) == &worker->pools[pool])
            count_client(session, census);
    }
}

static void set_figures(struct meter *meter, const struct census *census)
{
    meter_set(meter, FIGURE_CLIENTS_ACTIVE, census->clients_active);
    meter_set(meter, FIGURE_CLIENTS_IDLE, census->clients_idle);
    meter_set(meter, FIGURE_CLIENTS_WAITING, census->clients_waiting);
    meter_set(meter, FIGURE_SERVERS_ACTIVE, census->servers_active);
    meter_set(meter, FIGURE_SERVERS_IDLE, census->servers_idle);
    meter_set(meter, FIGURE_SERVERS_OPENING, census->servers_opening);
    meter_set(meter, FIGURE_SERVERS_RESETTING, census->servers_resetting);
}

void census_add(struct census *sum, const struct census *more)
{
    sum->clients_active += more->clients_active;
    sum->clients_idle += more->clients_idle;
    sum->clients_waiting += more->clients_waiting;
    sum->servers_active += more->servers_active;
    sum->servers_idle += more->servers_idle;
    sum->servers_opening += more->servers_opening;
    sum->servers_resetting += more->servers_resetting;
    if (sum->longest_wait < more->longest_wait)
        sum->longest_wait = more->longest_wait;
}

/* Sessions of no database: they log in, or are the console's. */
static void count_others(struct worker *worker, struct meter *own)
{
    size_t login = 0;
    size_t idle = 0;
    const struct session *session;
    TAILQ_FOREACH(session, &worker->sessions, link)
    {
        if (session->database != NULL)
            continue;
        if (strcmp(census_client_state(session), "login") == 0)
            login++;
        else
            idle++;
    }
    meter_set(own, FIGURE_CLIENTS_LOGIN, login);
    meter_set(own, FIGURE_CLIENTS_IDLE, idle);
}

void census_tick(struct worker *worker)
{
    size_t count = worker->config->database_count;
    for (size_t i = 0; i < count; i++) {
        struct census pairs;
        struct census unrestricted;
        census_take(worker, i * 2 + POOL_PAIRS, &pairs);
        census_take(worker, i * 2 + POOL_UNRESTRICTED, &unrestricted);
        census_add(&pairs, &unrestricted);
        set_figures(&worker->meters[i], &pairs);
    }
    count_others(worker, &worker->meters[count]);
    meter_set(&worker->meters[count], FIGURE_TURNED, worker->now);
}
