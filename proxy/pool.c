/*
 * pool.c: who gets a server connection, and when one is opened (see pool.h).
 */
#include "proxy/pool.h"

#include "proxy/connector.h"
#include "proxy/observed.h"
#include "proxy/pool_share.h"
#include "proxy/server.h"
#include "proxy/session.h"

#include <pgvigil/log.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MICROSECONDS 1000000u
/* So much longer somebody must have waited elsewhere before a connection moves there from those who
 * wait here: moving wakes a thread. */
#define SLACK_MICROSECONDS 5000u

/* One that has been idle for longer may have ended since: its socket is looked at. */
#define DOUBTFUL_MICROSECONDS 2000u
#define LOOKED_AT_ONCE        64

static const char unreachable[] = "the database server cannot be reached";

struct opening {
    struct pool *pool;
    uint64_t policy_id;
    uint64_t session_id; /* observe mode: whose it will be; 0: anybody's */
};

static void serve_waiting(struct pool *pool);
static void leave(struct pool *pool);
static bool nobody_open(const struct pool *pool);

static bool is_own(const struct pool *pool)
{
    return pool->kind == POOL_UNRESTRICTED && pool->database->observe;
}

void pool_init(struct pool *pool, struct worker *worker, size_t database_index, enum pool_kind kind)
{
    memset(pool, 0, sizeof *pool);
    pool->worker = worker;
    pool->database = &worker->config->databases[database_index];
    pool->database_index = database_index;
    pool->kind = kind;
    pool->index = database_index * 2 + (kind == POOL_PAIRS ? 0 : 1);
    pool->limit = is_own(pool) ? worker->config->limits.connections : pool->database->pool;
    TAILQ_INIT(&pool->idle);
    TAILQ_INIT(&pool->all);
    TAILQ_INIT(&pool->waiting);
}

static struct pool_shares *shares(const struct pool *pool)
{
    return pool->worker->process->shares;
}

/* A place for one more; observe mode counts for itself. */
static bool enter(struct pool *pool)
{
    return is_own(pool) ? pool->open + pool->opening < pool->limit
                        : pool_share_enter(shares(pool), pool->index, pool->limit);
}

static void tell_waits(struct pool *pool)
{
    const struct session *first = TAILQ_FIRST(&pool->waiting);
    if (!is_own(pool))
        pool_share_waits(shares(pool), pool->index, pool->worker->index,
                         first == NULL ? 0 : first->waiting_since);
}

static void tell_idle(struct pool *pool)
{
    if (!is_own(pool))
        pool_share_idle(shares(pool), pool->index, pool->worker->index, pool->idle_count);
}

void pool_take_idle(struct pool *pool, struct server *server)
{
    TAILQ_REMOVE(&pool->idle, server, link);
    pool->idle_count--;
    tell_idle(pool);
}

static struct session *find_waiting(const struct pool *pool, uint64_t id)
{
    struct session *session;
    TAILQ_FOREACH(session, &pool->waiting, wait_link)
    if (session->id == id)
        return session;
    return NULL;
}

/* What the server says of the client's own settings is the client's to hear; the rest names hosts
 * and is in the log. */
static void tell_owner(struct pool *pool, uint64_t id)
{
    static const struct {
        const char *words;
        const char *sqlstate;
    } known[] = {{"invalid value for parameter", "22023"},
                 {"unrecognized configuration parameter", "42704"},
                 {"permission denied to set parameter", "42501"},
                 {"too many clients", "53300"},
                 {"too many connections", "53300"},
                 {"remaining connection slots", "53300"}};
    struct session *session = find_waiting(pool, id);
    if (session == NULL)
        return;
    const char *sqlstate = "08006";
    const char *message = unreachable;
    const char *fatal = strstr(pool->error, "FATAL:  ");
    for (size_t i = 0; fatal != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (strstr(fatal, known[i].words) == NULL)
            continue;
        sqlstate = known[i].sqlstate;
        message = fatal + strlen("FATAL:  ");
        char *more = strstr(pool->error, " DETAIL:  ");
        if (more != NULL)
            *more = '\0';
    }
    pool_forget(pool, session);
    session->server_asked = false;
    session_server_lost(session, sqlstate, message);
}

/* With no connection to hope for, who logs in is told so at once, as PostgreSQL would. A session
 * waits: the database may be restarting. */
static void refuse_logins(struct pool *pool)
{
    struct session *session = TAILQ_FIRST(&pool->waiting);
    while (session != NULL) {
        struct session *next = TAILQ_NEXT(session, wait_link);
        if (session->state == SESSION_LOGIN) {
            pool_forget(pool, session);
            session_server_lost(session, "08006", unreachable);
        }
        session = next;
    }
}

static void opened(struct worker *worker, PGconn *conn, const char *error, void *context)
{
    struct opening *opening = context;
    struct pool *pool = opening->pool;
    uint64_t policy_id = opening->policy_id;
    uint64_t session_id = opening->session_id;
    free(opening);
    pool->opening--;
    struct server *server = NULL;
    if (conn != NULL && worker->stopping) {
        leave(pool);
        PQfinish(conn);
        return;
    }
    if (conn != NULL)
        server = server_new(pool, conn, policy_id);
    meter_count(&worker->meters[pool->database_index],
                server != NULL ? FIGURE_SERVER_OPENED : FIGURE_SERVER_OPEN_FAILED);
    if (server != NULL) {
        server->made_for = session_id;
        pool->retry_at = 0;
        return;
    }
    leave(pool);
    snprintf(pool->error, sizeof pool->error, "%s", conn != NULL ? "out of memory" : error);
    char name[200];
    char quoted[320];
    log_event(LOG_LEVEL_ERROR, "worker=%u database=%s event=server-open-failed why=%s",
              worker->index, log_quote(pool->database->name, name, sizeof name),
              log_quote(pool->error, quoted, sizeof quoted));
    if (session_id != 0) {
        tell_owner(pool, session_id);
        return;
    }
    pool->retry_at = worker->now + RETRY_MICROSECONDS;
    if (pool->opening == 0 && nobody_open(pool))
        refuse_logins(pool);
}

/* `session` NULL: for whoever comes. There is a place for it. */
static void open_one(struct pool *pool, const struct session *session)
{
    struct worker *worker = pool->worker;
    struct opening *opening = calloc(1, sizeof *opening);
    if (opening == NULL) {
        leave(pool);
        return;
    }
    opening->pool = pool;
    opening->policy_id = worker->world->policy_id;
    opening->session_id = session == NULL ? 0 : session->id;
    struct buf options;
    buf_init(&options, 0);
    struct connector_open open = {.timeout_seconds = worker->config->limits.connect_seconds};
    if (pool->kind == POOL_PAIRS) {
        open.conninfo = pool->database->conninfo;
        open.options = worker->world->databases[pool->database_index].keys;
        open.digest = worker->world->policy->digest;
    } else {
        open.conninfo = pool->database->unrestricted;
        open.set_role = session == NULL ? pool->database->owner : NULL;
        open.plain = session != NULL;
    }
    if (session != NULL) {
        observed_options(session, &options);
        buf_byte(&options, '\0');
        open.options = (const char *)options.data;
    }
    if (options.failed ||
        connector_open(worker->process->connector, worker, &open, opened, opening) != OK) {
        leave(pool);
        free(opening);
    } else {
        pool->opening++;
    }
    buf_free(&options);
}

/* In observe mode: one for each session that waits. */
static void open_own(struct pool *pool)
{
    struct session *session;
    TAILQ_FOREACH(session, &pool->waiting, wait_link)
    {
        size_t before = pool->opening;
        if (session->server_asked || !enter(pool))
            continue;
        open_one(pool, session);
        session->server_asked = pool->opening > before;
    }
}

/* ---- from worker to worker ---- */

/* One that is asked for, or given. */
struct move {
    struct pool *asks; /* the asker's pool */
    bool asked;        /* rather than given unasked */
    struct server *server;
};

static void take_move(struct worker *worker, void *context)
{
    struct move *move = context;
    struct pool *pool = move->asks;
    struct server *server = move->server;
    if (move->asked)
        pool->asked--;
    free(move);
    if (server != NULL && server_join(server, pool) && !worker->stopping)
        pool_server_idle(pool, server);
    else if (server != NULL)
        server_close(server, "shutdown");
    else
        serve_waiting(pool);
}

/* The longest unused one; false: it stays here. */
static bool give(struct pool *pool, struct move *move)
{
    struct server *server = TAILQ_LAST(&pool->idle, server_list);
    if (server == NULL || !server_leave(server))
        return false;
    move->server = server;
    if (worker_post(move->asks->worker, take_move, move) == OK)
        return true;
    move->server = NULL;
    if (server_join(server, pool))
        server_close(server, "out of memory");
    return false;
}

static void answer_ask(struct worker *worker, void *context)
{
    struct move *move = context;
    struct pool *pool = &worker->pools[move->asks->index];
    if (worker->stopping) {
        free(move);
        return;
    }
    if (TAILQ_EMPTY(&pool->waiting) && give(pool, move))
        return;
    /* Nothing: it is told so, and may open one. Without memory for that it asks again in a second.
     */
    if (worker_post(move->asks->worker, take_move, move) != OK)
        free(move);
}

/* Of a worker that has an idle one. */
static bool ask_another(struct pool *pool)
{
    unsigned other = pool_share_with_idle(shares(pool), pool->index, pool->worker->index);
    struct move *move = other == POOL_SHARE_NOBODY ? NULL : calloc(1, sizeof *move);
    if (move == NULL)
        return false;
    *move = (struct move){.asks = pool, .asked = true};
    if (worker_post(&pool->worker->process->workers[other], answer_ask, move) != OK) {
        free(move);
        return false;
    }
    pool->asked++;
    return true;
}

/* Where somebody has waited for longer than anybody here. */
static unsigned needier(const struct pool *pool)
{
    const struct session *first = TAILQ_FIRST(&pool->waiting);
    uint64_t since = 0;
    if (first != NULL)
        since = first->waiting_since > SLACK_MICROSECONDS
                    ? first->waiting_since - SLACK_MICROSECONDS
                    : 1;
    return pool_share_needier(shares(pool), pool->index, pool->worker->index, since);
}

/* False: nobody needs one more than those who are here. */
static bool give_to_needier(struct pool *pool)
{
    unsigned other = needier(pool);
    struct move *move = other == POOL_SHARE_NOBODY ? NULL : calloc(1, sizeof *move);
    if (move == NULL)
        return false;
    move->asks = &pool->worker->process->workers[other].pools[pool->index];
    if (give(pool, move))
        return true;
    free(move);
    return false;
}

void pool_end_turn(struct pool *pool)
{
    if (!pool->gives)
        return;
    pool->gives = false;
    while (!pool->worker->stopping && pool->idle_count > 0 && give_to_needier(pool))
        continue;
    serve_waiting(pool);
}

static void look_again(struct worker *worker, void *context)
{
    (void)worker;
    serve_waiting(context);
}

/* A place is free: whoever has waited for longest may open one. */
static void leave(struct pool *pool)
{
    if (is_own(pool))
        return;
    pool_share_leave(shares(pool), pool->index);
    const struct session *first = TAILQ_FIRST(&pool->waiting);
    unsigned other = pool_share_needier(shares(pool), pool->index, pool->worker->index,
                                        first == NULL ? 0 : first->waiting_since);
    if (other == POOL_SHARE_NOBODY || pool->worker->stopping)
        return;
    struct worker *workers = pool->worker->process->workers;
    if (worker_post(&workers[other], look_again, &workers[other].pools[pool->index]) != OK)
        return; /* it looks once a second */
}

/* With no connection but those that are being opened here. */
static bool nobody_open(const struct pool *pool)
{
    return is_own(pool) ? pool->open == 0
                        : pool_share_open(shares(pool), pool->index) == pool->opening;
}

static size_t waiting_count(const struct pool *pool)
{
    size_t count = 0;
    struct session *session;
    TAILQ_FOREACH(session, &pool->waiting, wait_link)
    count++;
    return count;
}

static void open_where_needed(struct pool *pool)
{
    if (pool->worker->now < pool->retry_at || pool->worker->stopping)
        return;
    if (is_own(pool)) {
        open_own(pool);
        return;
    }
    tell_waits(pool);
    size_t wanted = waiting_count(pool);
    /* While the last attempt has failed one tries for all: hundreds that wait for a database that
     * starts would keep it from that, and fill the log. */
    if (pool->retry_at != 0 && wanted > 1)
        wanted = 1;
    while (pool->opening + pool->asked + pool->checking < wanted) {
        size_t before = pool->opening + pool->asked;
        if (!ask_another(pool) && enter(pool))
            open_one(pool, NULL);
        if (pool->opening + pool->asked == before)
            return;
    }
}

/* The idle server that served this session last needs nothing set, nor does one that served the
 * same person in the same mission; else the most recently used. */
static struct server *choose_idle(struct pool *pool, struct session *session)
{
    struct server *server;
    TAILQ_FOREACH(server, &pool->idle, link)
    if (server->applied_session == session->id)
        return server;
    TAILQ_FOREACH(server, &pool->idle, link)
    if (server_is_like(server, session))
        return server;
    return TAILQ_FIRST(&pool->idle);
}

/* What answers is there. One whose host is gone, or that hangs, would keep the session that gets it
 * for as long as TCP hopes: it is asked while nobody has it, and given up by server_tick. */
static bool asked_now(struct pool *pool, struct server *server, uint64_t now)
{
    uint64_t every = (uint64_t)pool->worker->config->limits.server_check_seconds * 1000000u;
    if (every == 0 || server->idle_since + every >= now || server->checked + every >= now)
        return false;
    server_check(server);
    pool->checking++;
    return true;
}

/* One look for all that are idle: one for each that is given out would be a call a statement. */
static void look_at_idle(struct pool *pool)
{
    struct pollfd sockets[LOOKED_AT_ONCE];
    struct server *servers[LOOKED_AT_ONCE];
    nfds_t count = 0;
    struct server *server;
    TAILQ_FOREACH(server, &pool->idle, link)
    {
        if (count == LOOKED_AT_ONCE)
            break;
        sockets[count] = (struct pollfd){.fd = PQsocket(server->conn), .events = POLLIN};
        servers[count++] = server;
    }
    if (poll(sockets, count, 0) < 0)
        return;
    for (nfds_t i = 0; i < count; i++) {
        servers[i]->looked = pool->worker->turn;
        if (sockets[i].revents != 0 && servers[i]->state == SERVER_IDLE)
            (void)server_is_there(servers[i]);
    }
}

/* One that was idle long before its session came may have ended since: the event that tells of its
 * end may be in this very turn, behind the session's. False: it is in the idle list no more. */
static bool is_there(struct pool *pool, struct server *server, const struct session *session)
{
    uint64_t now = session->waiting_since;
    if (server->idle_since + DOUBTFUL_MICROSECONDS > now)
        return true;
    if (server->looked != pool->worker->turn)
        look_at_idle(pool);
    if (server->state == SERVER_IDLE && server->looked != pool->worker->turn)
        (void)server_is_there(server);
    return server->state == SERVER_IDLE && !asked_now(pool, server, now);
}

static void close_old(struct pool *pool)
{
    struct server *server = TAILQ_FIRST(&pool->idle);
    while (server != NULL) {
        struct server *next = TAILQ_NEXT(server, link);
        if (server->policy_id != pool->worker->world->policy_id)
            server_close(server, "old-policy");
        else if (!is_own(pool) && server_is_old(server))
            server_close(server, "lifetime");
        server = next;
    }
}

static void serve_own(struct pool *pool)
{
    struct server *server = TAILQ_FIRST(&pool->idle);
    while (server != NULL) {
        struct server *next = TAILQ_NEXT(server, link);
        struct session *session = find_waiting(pool, server->made_for);
        if (session == NULL) {
            server_close(server, "session-ended");
        } else {
            pool_forget(pool, session);
            session->server_asked = false;
            pool_take_idle(pool, server);
            server_bind(server, session);
        }
        server = next;
    }
    open_where_needed(pool);
}

static void serve_waiting(struct pool *pool)
{
    if (is_own(pool)) {
        serve_own(pool);
        return;
    }
    close_old(pool);
    struct session *session;
    while ((session = TAILQ_FIRST(&pool->waiting)) != NULL && !TAILQ_EMPTY(&pool->idle)) {
        struct server *server = choose_idle(pool, session);
        if (!is_there(pool, server, session))
            continue;
        pool_forget(pool, session);
        pool_take_idle(pool, server);
        server_bind(server, session);
    }
    open_where_needed(pool);
}

void pool_wait(struct pool *pool, struct session *session)
{
    if (pool->kind == POOL_UNRESTRICTED && pool->database->unrestricted == NULL) {
        session_server_lost(
            session, "42501",
            "this database has no \"unrestricted\" login: unrestricted roles cannot be used on it");
        return;
    }
    session->waiting_in = pool;
    /* The turn's time may be a second old here, and is compared with other workers'. */
    session->waiting_since = clock_microseconds();
    TAILQ_INSERT_TAIL(&pool->waiting, session, wait_link);
    serve_waiting(pool);
    session_begin_wait(session);
}

void pool_forget(struct pool *pool, struct session *session)
{
    if (session->waiting_in != pool)
        return;
    TAILQ_REMOVE(&pool->waiting, session, wait_link);
    session->waiting_in = NULL;
    tell_waits(pool);
    session_end_wait(session);
}

void pool_server_idle(struct pool *pool, struct server *server)
{
    server->idle_since = pool->worker->now;
    server->moving = false;
    TAILQ_INSERT_HEAD(&pool->idle, server, link);
    pool->idle_count++;
    tell_idle(pool);
    /* Not now: whoever calls has the server at hand. */
    pool->gives = !is_own(pool) && !pool->worker->stopping && needier(pool) != POOL_SHARE_NOBODY;
    if (!pool->gives)
        serve_waiting(pool);
}

void pool_server_checked(struct pool *pool, struct server *server)
{
    struct server *before = TAILQ_FIRST(&pool->idle);
    while (before != NULL && before->idle_since > server->idle_since)
        before = TAILQ_NEXT(before, link);
    if (before != NULL)
        TAILQ_INSERT_BEFORE(before, server, link);
    else
        TAILQ_INSERT_TAIL(&pool->idle, server, link);
    server->checked = clock_microseconds();
    pool->checking -= pool->checking > 0;
    pool->idle_count++;
    tell_idle(pool);
    pool->gives = !pool->worker->stopping && needier(pool) != POOL_SHARE_NOBODY;
    if (!pool->gives)
        serve_waiting(pool);
}

void pool_server_gone(struct pool *pool, struct server *server)
{
    TAILQ_REMOVE(&pool->all, server, all_link);
    pool->open--;
    leave(pool);
    if (!pool->worker->stopping)
        open_where_needed(pool);
}

static void tell_late(struct pool *pool)
{
    uint64_t limit = (uint64_t)pool->worker->config->limits.connect_seconds * 1000000u;
    struct session *session;
    while ((session = TAILQ_FIRST(&pool->waiting)) != NULL &&
           session->waiting_since + limit < pool->worker->now) {
        bool away = nobody_open(pool);
        pool_forget(pool, session);
        session_server_lost(
            session, away ? "08006" : "53300",
            away ? unreachable
                 : "no server connection became free in time; all of the pool are in use");
    }
}

static void give_up_silent(struct pool *pool)
{
    struct server *server = TAILQ_FIRST(&pool->all);
    while (server != NULL) {
        struct server *next = TAILQ_NEXT(server, all_link);
        server_tick(server);
        server = next;
    }
}

static void ask_unused(struct pool *pool)
{
    /* Of those that were asked before nobody hopes any more to hear at once. */
    pool->checking = 0;
    struct server *server = is_own(pool) ? NULL : TAILQ_FIRST(&pool->idle);
    while (server != NULL) {
        struct server *next = TAILQ_NEXT(server, link);
        (void)asked_now(pool, server, pool->worker->now);
        server = next;
    }
}

void pool_tick(struct pool *pool)
{
    tell_late(pool);
    give_up_silent(pool);
    close_old(pool);
    uint64_t unused = (uint64_t)pool->worker->config->limits.server_idle_seconds * 1000000u;
    struct server *server;
    while (unused > 0 && (server = TAILQ_LAST(&pool->idle, server_list)) != NULL &&
           server->idle_since + unused < pool->worker->now)
        server_close(server, "unused");
    ask_unused(pool);
    serve_waiting(pool);
}

void pool_close(struct pool *pool)
{
    struct server *server = TAILQ_FIRST(&pool->all);
    while (server != NULL) {
        struct server *next = TAILQ_NEXT(server, all_link); /* one that is lent stays for now */
        server_close(server, "shutdown");
        server = next;
    }
}
