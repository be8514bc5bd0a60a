/*
 * server.c: the upstream leg (see server.h).
 *
 * Trust boundary: the server's bytes. Lengths and types are bounded by wire.c before anything is
 * believed; an answer that was not asked for closes the connection. Owns the PGconn, whose socket
 * and SSL the transport borrows.
 */
#include "proxy/server.h"

#include "proxy/connector.h"
#include "proxy/disused.h"
#include "proxy/lookup.h"
#include "proxy/notification.h"
#include "proxy/result.h"
#include "proxy/server_prepare.h"
#include "proxy/session.h"
#include "proxy/upstream_cancel.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BUDGET ((size_t)64 << 10)
/* A row longer than this is passed on while it arrives. Shorter ones are whole or not at all, so
 * that an error can follow when the server dies in the middle of one. */
#define PIECE_BYTES ((size_t)1 << 20)
#define PIECE_FIRST ((size_t)16 << 10)
/* Nothing else from a server may be longer: it would be held in memory whole. */
#define SERVER_MESSAGE_MAX ((size_t)64 << 20)

const char *server_state_name(enum server_state state)
{
    static const char *const names[] = {"syncing", "idle", "checking",  "preparing",
                                        "active",  "lent", "resetting", "closed"};
    return names[state];
}

/* Is it pgvigil itself that waits for an answer, rather than a client for that of its statement? */
static bool owes_own_answer(const struct server *server)
{
    return server->state == SERVER_SYNCING || server->state == SERVER_CHECKING ||
           server->state == SERVER_PREPARING || server->state == SERVER_RESETTING;
}

void server_enter(struct server *server, enum server_state state)
{
    static const unsigned char allowed[] = {
        [SERVER_SYNCING] = 1u << SERVER_IDLE | 1u << SERVER_CLOSED,
        [SERVER_IDLE] = 1u << SERVER_CHECKING | 1u << SERVER_PREPARING | 1u << SERVER_ACTIVE |
                        1u << SERVER_CLOSED,
        [SERVER_CHECKING] = 1u << SERVER_IDLE | 1u << SERVER_CLOSED,
        [SERVER_PREPARING] = 1u << SERVER_ACTIVE | 1u << SERVER_CLOSED,
        [SERVER_ACTIVE] = 1u << SERVER_PREPARING | 1u << SERVER_IDLE | 1u << SERVER_LENT |
                          1u << SERVER_RESETTING | 1u << SERVER_CLOSED,
        [SERVER_LENT] = 1u << SERVER_ACTIVE | 1u << SERVER_CLOSED,
        [SERVER_RESETTING] = 1u << SERVER_IDLE | 1u << SERVER_CLOSED,
        [SERVER_CLOSED] = 0,
    };
    log_event(LOG_LEVEL_DEBUG, "server=%lu state=%s from=%s", (unsigned long)server->id,
              server_state_name(state), server_state_name(server->state));
    if ((allowed[server->state] & 1u << state) == 0) {
        log_event(LOG_LEVEL_ERROR, "server=%lu event=bug state=%s from=%s",
                  (unsigned long)server->id, server_state_name(state),
                  server_state_name(server->state));
        abort();
    }
    server->state = state;
    if (owes_own_answer(server))
        server->asked_since = clock_microseconds();
}

void server_lost(struct server *server, const char *sqlstate, const char *message)
{
    struct session *session = server->session;
    server_close(server, message);
    if (session != NULL)
        session_server_lost(session, sqlstate, message);
}

void server_forget_unnamed(struct server *server)
{
    statement_unref(server->unnamed);
    server->unnamed = NULL;
}

void server_become_idle(struct server *server)
{
    bool checked = server->state == SERVER_CHECKING;
    server_enter(server, SERVER_IDLE);
    if (checked)
        pool_server_checked(server->pool, server);
    else
        pool_server_idle(server->pool, server);
}

static void active_message(struct server *server, struct wire_message *message)
{
    const char *name;
    const char *value;
    if (message->type == 'S' && wire_parse_parameter_status(message, &name, &value) == OK)
        server_remember_parameter(server, name, value);
    enum status status = result_message(server->session, message);
    if (status == OK || server->state == SERVER_CLOSED)
        return;
    log_event(LOG_LEVEL_ERROR, "server=%lu event=answer-failed status=%s type=%c",
              (unsigned long)server->id, status_name(status), message->type);
    server_lost(server, "08P01", "the database server's answer could not be handled");
}

/* Passes on what is there of a long row. False: wait for more. */
static bool pass_piece(struct server *server, bool first)
{
    size_t size = buf_len(&server->in);
    size_t whole = server->piece_left + (first ? WIRE_HEADER_BYTES : 0);
    if (size == 0)
        return false;
    if (size > whole)
        size = whole;
    const unsigned char *bytes = buf_head(&server->in);
    buf_consume(&server->in, size);
    size_t left = whole - size;
    server->piece_left = left;
    if (result_piece(server->session, server->piece_type, bytes, size, left, first) != OK &&
        server->state != SERVER_CLOSED)
        server_lost(server, "53200", "out of memory");
    return true;
}

/* Passes on a run of rows. False: there is none. */
static bool pass_rows(struct server *server)
{
    size_t taken = 0;
    const unsigned char *bytes = buf_head(&server->in);
    enum status status = result_rows(server->session, bytes, buf_len(&server->in), &taken);
    buf_consume(&server->in, taken);
    if (status != OK && server->state != SERVER_CLOSED)
        server_lost(server, "08P01", "the database server's answer could not be handled");
    return taken > 0 || status != OK;
}

static bool process_one(struct server *server)
{
    if (server->piece_left > 0)
        return pass_piece(server, false);
    if (server->state == SERVER_ACTIVE && buf_len(&server->in) > 0 && pass_rows(server))
        return true;
    unsigned char type;
    size_t len;
    enum status status = wire_peek(&server->in, WIRE_FROM_SERVER, WIRE_LARGE_MAX, &type, &len);
    if (status == NEED_MORE)
        return false;
    bool row = type == 'D' || type == 'd';
    if (status == OK && row && server->state == SERVER_ACTIVE && len > PIECE_BYTES &&
        buf_len(&server->in) < len + WIRE_HEADER_BYTES) {
        /* What stands in front of the client's columns must be in the first piece. */
        size_t have = buf_len(&server->in);
        if (have < PIECE_FIRST ||
            (have < SERVER_MESSAGE_MAX &&
             !result_subjects_are_in(server->session, buf_head(&server->in), have)))
            return false;
        server->piece_type = type;
        server->piece_left = len;
        return pass_piece(server, true);
    }
    struct wire_message message;
    if (status == OK)
        status = wire_next(&server->in, WIRE_FROM_SERVER, SERVER_MESSAGE_MAX, &message);
    if (status == NEED_MORE)
        return false;
    if (status != OK) {
        server_lost(server, "08P01", "the database server broke the protocol");
        return false;
    }
    if (server->state == SERVER_ACTIVE)
        active_message(server, &message);
    else
        server_own_message(server, &message);
    return true;
}

void server_process(struct server *server)
{
    while (server->state != SERVER_CLOSED) {
        if (server->state == SERVER_ACTIVE && !server->reading)
            return;
        if (!process_one(server))
            return;
        if (server->state == SERVER_ACTIVE)
            session_balance(server->session);
    }
}

static void on_read(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct server *server = context;
    if (server->state == SERVER_CLOSED || server->state == SERVER_LENT)
        return;
    struct worker *worker = server->worker;
    buffer_take(&worker->spare_in, &server->in);
    enum status status = transport_read(server->transport, &server->in, READ_BUDGET);
    if (server->session != NULL)
        buffer_take(&worker->spare_out, &server->session->out.bytes);
    server_process(server);
    buffer_give(&worker->spare_in, &server->in);
    if (server->state == SERVER_CLOSED || !server->reading)
        return;
    if (status == OK) {
        if (transport_pending(server->transport))
            event_active(server->read_event, EV_READ, 0);
        return;
    }
    if (status == NEED_MORE) {
        if (transport_want(server->transport) == TRANSPORT_WANT_WRITE)
            event_add(server->write_event, NULL);
        return;
    }
    log_event(server->state == SERVER_IDLE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
              "server=%lu state=%s event=server-gone status=%s why=\"%s\"",
              (unsigned long)server->id, server_state_name(server->state), status_name(status),
              transport_error(server->transport));
    server_lost(server, "08006", "the connection to the database server was lost");
}

static void on_write(evutil_socket_t fd, short what, void *context)
{
    struct server *server = context;
    if (server->state == SERVER_CLOSED || server->state == SERVER_LENT)
        return;
    server_write(server);
    if (server->state != SERVER_CLOSED && server->reading)
        on_read(fd, what, context);
}

void server_write(struct server *server)
{
    if (server->out.failed) {
        server_lost(server, "53200", "out of memory");
        return;
    }
    if (buf_len(&server->out) == 0)
        return;
    enum status status = transport_flush(server->transport, &server->out);
    if (status == NEED_MORE) {
        if (transport_want(server->transport) == TRANSPORT_WANT_WRITE)
            event_add(server->write_event, NULL);
    } else if (status != OK) {
        server_lost(server, "08006", "the connection to the database server was lost");
        return;
    }
    if (server->session != NULL)
        session_balance(server->session);
}

void server_read(struct server *server, bool on)
{
    if (server->reading == on || server->state == SERVER_CLOSED)
        return;
    server->reading = on;
    if (!on) {
        event_del(server->read_event);
        return;
    }
    event_add(server->read_event, NULL);
    if (buf_len(&server->in) > 0 || transport_pending(server->transport))
        event_active(server->read_event, EV_READ, 0);
}

struct server *server_new(struct pool *pool, PGconn *conn, uint64_t policy_id)
{
    static atomic_ulong numbers;
    struct server *server = calloc(1, sizeof *server);
    SSL *ssl = PQsslInUse(conn) ? PQsslStruct(conn, "OpenSSL") : NULL;
    if (server == NULL || (PQsslInUse(conn) && ssl == NULL)) {
        free(server);
        PQfinish(conn);
        return NULL;
    }
    server->id = atomic_fetch_add(&numbers, 1) + 1;
    server->state = SERVER_SYNCING;
    server->opened = server->asked_since = clock_microseconds();
    server->pool = pool;
    server->worker = pool->worker;
    server->conn = conn;
    server->policy_id = policy_id;
    buf_init(&server->in, 0);
    buf_init(&server->out, 0);
    buf_init(&server->turn_parse, 0);
    server->prepared = map_new();
    server->transport = transport_upstream(PQsocket(conn), ssl);
    transport_meter(server->transport, &pool->worker->meters[pool->database_index],
                    FIGURE_SERVER_RECEIVED, FIGURE_SERVER_SENT);
    struct event_base *base = pool->worker->base;
    server->read_event = event_new(base, PQsocket(conn), EV_READ | EV_PERSIST, on_read, server);
    server->write_event = event_new(base, PQsocket(conn), EV_WRITE, on_write, server);
    if (server->prepared == NULL || server->transport == NULL || server->read_event == NULL ||
        server->write_event == NULL) {
        server_free(server);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&pool->all, server, all_link);
    pool->open++;
    char quoted[200];
    log_event(LOG_LEVEL_INFO, "server=%lu worker=%u database=%s kind=%s event=server-open tls=%s",
              (unsigned long)server->id, pool->worker->index,
              log_quote(pool->database->name, quoted, sizeof quoted),
              pool->kind == POOL_PAIRS ? "pairs" : "unrestricted",
              ssl == NULL ? "no" : SSL_get_version(ssl));
    wire_put_sync(&server->out);
    worker_touch_server(server->worker, server);
    server_read(server, true);
    return server;
}

void server_release(struct server *server, bool reset)
{
    struct session *session = server->session;
    /* An answer that is still owed would be given to the next session. */
    bool owes = session->requests.remote > 0 || session->tx != 'I' || session->group_forwarded ||
                server->piece_left > 0;
    reset = reset || server->stale_cursors || server->listened || server->had_temporary ||
            server->reread || cursors_held(session->cursors) || lookup_wants_places(server);
    cursors_clear(session->cursors);
    notification_end(session);
    temporary_gone(&session->temporary);
    session->server = NULL;
    session->served = false;
    server->session = NULL;
    server->disused_at = 0;
    server_read(server, true);
    if (owes || server->state != SERVER_ACTIVE || server->pool->kind == POOL_UNRESTRICTED ||
        server_is_old(server) || server->cancels > 0 ||
        server->policy_id != server->worker->world->policy_id || buf_len(&server->in) > 0) {
        server_close(server, "released");
        return;
    }
    if (!reset && map_count(server->prepared) < PREPARED_MAX) {
        server_become_idle(server);
        return;
    }
    server_enter(server, SERVER_RESETTING);
    server->own_failed = server->stale_cursors = server->listened = server->had_temporary = false;
    server->reread = false;
    server->drew = 0;
    static const char discard[] = "DISCARD ALL";
    wire_put_query(&server->out, discard, sizeof discard - 1);
    map_clear(server->prepared);
    server->lookups = server->lookups_missed = 0;
    server_forget_unnamed(server);
    server_identity_forget(&server->applied);
    worker_touch_server(server->worker, server);
}

/* What it holds of the worker's: events of its loop, and a statement, whose references are counted
 * by its thread. */
bool server_leave(struct server *server)
{
    if (server->state != SERVER_IDLE || server->dirty || server->cancels > 0 ||
        buf_len(&server->in) > 0 || buf_len(&server->out) > 0)
        return false;
    event_free(server->read_event);
    event_free(server->write_event);
    server->read_event = server->write_event = NULL;
    server->reading = false;
    server_forget_unnamed(server);
    server->applied_session = 0; /* numbers of sessions are the worker's own */
    pool_take_idle(server->pool, server);
    TAILQ_REMOVE(&server->pool->all, server, all_link);
    server->pool->open--;
    server->moving = true;
    server->pool = NULL;
    server->worker = NULL;
    return true;
}

bool server_join(struct server *server, struct pool *pool)
{
    server->pool = pool;
    server->worker = pool->worker;
    server->looked = 0; /* turns are a worker's own */
    TAILQ_INSERT_TAIL(&pool->all, server, all_link);
    pool->open++;
    int fd = PQsocket(server->conn);
    server->read_event = event_new(pool->worker->base, fd, EV_READ | EV_PERSIST, on_read, server);
    server->write_event = event_new(pool->worker->base, fd, EV_WRITE, on_write, server);
    if (server->read_event == NULL || server->write_event == NULL)
        return false;
    transport_meter(server->transport, &pool->worker->meters[pool->database_index],
                    FIGURE_SERVER_RECEIVED, FIGURE_SERVER_SENT);
    log_event(LOG_LEVEL_DEBUG, "server=%lu worker=%u event=server-move", (unsigned long)server->id,
              pool->worker->index);
    server_read(server, true);
    return true;
}

bool server_lend(struct server *server)
{
    if (server->state == SERVER_ACTIVE)
        server_write(server);
    if (server->state != SERVER_ACTIVE || buf_len(&server->out) > 0 || buf_len(&server->in) > 0 ||
        !transport_lend(server->transport))
        return false;
    server_read(server, false);
    event_del(server->write_event);
    server_enter(server, SERVER_LENT);
    return true;
}

void server_take_back(struct server *server)
{
    bool abandoned = server->abandoned;
    bool open = PQstatus(server->conn) == CONNECTION_OK;
    transport_take_back(server->transport, open);
    server_enter(server, SERVER_ACTIVE);
    server->abandoned = false;
    if (abandoned) {
        server_close(server, "released");
        return;
    }
    server_forget_unnamed(server);
    /* The event is of a number that is no longer this connection's, when it is lost. */
    if (open)
        server_read(server, true);
}

bool server_is_there(struct server *server)
{
    unsigned char byte;
    if (transport_peek(server->transport, &byte) != NEED_MORE)
        on_read(PQsocket(server->conn), EV_READ, server);
    return server->state == SERVER_IDLE;
}

void server_check(struct server *server)
{
    pool_take_idle(server->pool, server);
    server_enter(server, SERVER_CHECKING);
    server->own_failed = false;
    wire_put_sync(&server->out);
    worker_touch_server(server->worker, server);
}

bool server_is_old(const struct server *server)
{
    uint64_t limit = (uint64_t)server->worker->config->limits.server_lifetime_seconds * 1000000u;
    return limit > 0 && server->opened + limit < server->worker->now;
}

void server_tick(struct server *server)
{
    uint64_t limit = (uint64_t)server->worker->config->limits.connect_seconds * 1000000u;
    if (!owes_own_answer(server) || server->asked_since + limit >= server->worker->now)
        return;
    log_event(LOG_LEVEL_WARNING, "server=%lu state=%s event=server-silent seconds=%u",
              (unsigned long)server->id, server_state_name(server->state),
              server->worker->config->limits.connect_seconds);
    server_lost(server, "08006", "the database server did not answer in time");
}

void server_close(struct server *server, const char *reason)
{
    if (server->state == SERVER_CLOSED)
        return;
    if (server->state == SERVER_LENT) {
        /* libpq waits for its socket: that ends now. */
        server->abandoned = true;
        if (server->session != NULL)
            server->session->server = NULL;
        server->session = NULL;
        transport_abort(server->transport);
        return;
    }
    char quoted[300];
    log_event(LOG_LEVEL_INFO, "server=%lu event=server-close state=%s reason=%s",
              (unsigned long)server->id, server_state_name(server->state),
              log_quote(reason, quoted, sizeof quoted));
    if (server->state == SERVER_IDLE && !server->moving)
        pool_take_idle(server->pool, server);
    /* Goodbye where it can be said between messages; the server's log stays quiet. */
    if (buf_len(&server->out) == 0) {
        wire_put_terminate(&server->out);
        enum status ignored = transport_flush(server->transport, &server->out);
        (void)ignored;
    }
    server_enter(server, SERVER_CLOSED);
    if (server->read_event != NULL)
        event_del(server->read_event);
    if (server->write_event != NULL)
        event_del(server->write_event);
    if (server->session != NULL)
        session_server_gone(server->session);
    server->session = NULL;
    transport_abort(server->transport);
    TAILQ_INSERT_TAIL(&server->worker->dead_servers, server, link);
    pool_server_gone(server->pool, server);
}

void server_free(struct server *server)
{
    if (server->read_event != NULL)
        event_free(server->read_event);
    if (server->write_event != NULL)
        event_free(server->write_event);
    transport_free(server->transport);
    PQfinish(server->conn);
    buf_free(&server->in);
    buf_free(&server->out);
    map_free(server->prepared);
    identity_text_free(&server->turn_names);
    buf_free(&server->turn_parse);
    statement_unref(server->unnamed);
    server_identity_forget(&server->applied);
    server_identity_forget(&server->applying);
    for (size_t i = 0; i < server->parameter_count; i++) {
        free(server->parameters[i].name);
        free(server->parameters[i].value);
    }
    free(server->parameters);
    free(server);
}

static void cancel_done(struct worker *worker, void *context)
{
    (void)worker;
    struct server *server = context;
    server->cancels--;
}

void server_cancel(struct server *server)
{
    struct upstream_cancel *cancel = upstream_cancel_new(server->conn);
    if (cancel == NULL)
        return;
    if (connector_cancel(server->worker->process->connector, server->worker, cancel, cancel_done,
                         server) == OK) {
        server->cancels++;
        server->cancelled = true;
    }
}
