/*
 * session.c: a client's socket, states and end (see session.h).
 *
 * Trust boundary: the client's bytes enter here and are handed on to auth.c and query.c message by
 * message. Owns everything in struct session; servers are borrowed from the pool.
 */
#include "proxy/session.h"

#include "proxy/admission.h"
#include "proxy/auth.h"
#include "proxy/break_glass.h"
#include "proxy/cancel.h"
#include "proxy/console.h"
#include "proxy/disused.h"
#include "proxy/mission.h"
#include "proxy/mission_limits.h"
#include "proxy/notification.h"
#include "proxy/person.h"
#include "proxy/pool.h"
#include "proxy/query.h"
#include "proxy/result.h"
#include "proxy/script.h"
#include "proxy/subjects.h"
#include "proxy/texts.h"
#include "proxy/tls.h"

#include <pgvigil/guard.h>
#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BUDGET ((size_t)64 << 10)
/* Unsent bytes above which the other leg is not read. */
#define HIGH_WATER ((size_t)256 << 10)
/* Requests a client may have open. Each holds its judged statement (some 5 kB) for a message of
 * perhaps 20 bytes, so the bounds on bytes do not stop one that asks for ever and never reads. */
#define PIPELINE_MAX 1000
/* After so long without a message a session counts as idle. */
#define IDLE_MICROSECONDS 10000000ull
/* A session that waits is still read so far, to notice that its client has gone. */
#define WAITING_READ ((size_t)64 << 10)

static const char *const state_names[SESSION_STATE_COUNT] = {
    "accepted",   "tls-handshake", "startup",   "authenticating", "delayed",
    "login",      "ready",         "skipping",  "wait-server",    "wait-drain",
    "wait-audit", "copy-in",       "wait-rows", "closing",        "dead",
};

#define TO(state) (1u << (state))
static const unsigned transitions[SESSION_STATE_COUNT] = {
    [SESSION_ACCEPTED] = TO(SESSION_TLS_HANDSHAKE) | TO(SESSION_AUTHENTICATING) |
                         TO(SESSION_LOGIN) | TO(SESSION_DELAYED),
    [SESSION_TLS_HANDSHAKE] = TO(SESSION_STARTUP),
    [SESSION_STARTUP] = TO(SESSION_AUTHENTICATING) | TO(SESSION_LOGIN) | TO(SESSION_DELAYED),
    [SESSION_AUTHENTICATING] = TO(SESSION_LOGIN) | TO(SESSION_DELAYED),
    [SESSION_DELAYED] = 0,
    [SESSION_LOGIN] = TO(SESSION_READY),
    [SESSION_READY] = TO(SESSION_SKIPPING) | TO(SESSION_WAIT_SERVER) | TO(SESSION_WAIT_DRAIN) |
                      TO(SESSION_WAIT_AUDIT) | TO(SESSION_COPY_IN) | TO(SESSION_WAIT_ROWS),
    [SESSION_SKIPPING] = TO(SESSION_READY),
    [SESSION_WAIT_SERVER] = TO(SESSION_READY) | TO(SESSION_SKIPPING),
    [SESSION_WAIT_DRAIN] = TO(SESSION_READY) | TO(SESSION_SKIPPING) | TO(SESSION_COPY_IN),
    [SESSION_WAIT_AUDIT] = TO(SESSION_READY) | TO(SESSION_SKIPPING) | TO(SESSION_COPY_IN),
    [SESSION_COPY_IN] = TO(SESSION_READY) | TO(SESSION_SKIPPING),
    [SESSION_WAIT_ROWS] = TO(SESSION_READY),
    [SESSION_CLOSING] = 0,
    [SESSION_DEAD] = 0,
};

void session_enter(struct session *session, enum session_state state)
{
    if (session->state == state)
        return;
    log_event(LOG_LEVEL_DEBUG, "session=%lu state=%s from=%s", (unsigned long)session->id,
              state_names[state], state_names[session->state]);
    unsigned allowed = transitions[session->state] | TO(SESSION_DEAD);
    if (session->state != SESSION_DEAD)
        allowed |= TO(SESSION_CLOSING);
    if (session->state == SESSION_DEAD || (allowed & TO(state)) == 0) {
        log_event(LOG_LEVEL_ERROR, "session=%lu event=bug state=%s from=%s",
                  (unsigned long)session->id, state_names[state], state_names[session->state]);
        abort();
    }
    session->state = state;
}

/* ---- end ---- */

static void let_go_of_server(struct session *session)
{
    struct server *server = session->server;
    if (session->waiting_in != NULL)
        pool_forget(session->waiting_in, session);
    if (server == NULL)
        return;
    bool quiet = server->state == SERVER_ACTIVE && session->tx == 'I' &&
                 session->requests.remote == 0 && !session->group_forwarded;
    if (quiet) {
        server_release(server, session->pinned);
        return;
    }
    /* Nobody waits for what runs there. */
    if (session->requests.remote > 0)
        server_cancel(server);
    server_close(server, "session-ended");
}

static void audit_disconnect(struct session *session, const char *reason)
{
    if (!session->connected)
        return;
    session->connected = false;
    if (undone_lost(session) != OK ||
        mission_glass_over(session, ", the session has ended") != OK ||
        audit_event(session->worker->audit, "disconnect", &session->who, reason) != OK)
        log_event(LOG_LEVEL_ERROR, "session=%lu event=audit-failed", (unsigned long)session->id);
}

void session_end(struct session *session, const char *reason)
{
    if (session->state == SESSION_DEAD)
        return;
    /* First: only while the queue still tells what is owed may the server be given to someone else.
     */
    let_go_of_server(session);
    result_abandon(session);
    mission_limits_settle(session);
    audit_disconnect(session, reason);
    char quoted[512];
    log_event(LOG_LEVEL_INFO, "session=%lu event=end reason=%s state=%s",
              (unsigned long)session->id, log_quote(reason, quoted, sizeof quoted),
              state_names[session->state]);
    session_enter(session, SESSION_DEAD);
    struct worker *worker = session->worker;
    if (session->read_event != NULL)
        event_del(session->read_event);
    if (session->write_event != NULL)
        event_del(session->write_event);
    if (session->key_id != 0)
        cancel_unregister(worker->process->cancels, session);
    if (session->counted)
        admission_user_leave(worker->process->admission, session->identity.login->name);
    if (session->admitted)
        admission_leave(worker->process->admission, session->address);
    TAILQ_REMOVE(&worker->sessions, session, link);
    TAILQ_INSERT_TAIL(&worker->dead, session, link);
    atomic_fetch_sub(&worker->load, 1);
}

void session_logged_in(struct session *session)
{
    login_free(session->login);
    session->login = NULL;
}

void session_free(struct session *session)
{
    texts_forget(session->worker->texts, session);
    if (session->read_event != NULL)
        event_free(session->read_event);
    if (session->write_event != NULL)
        event_free(session->write_event);
    transport_free(session->transport);
    buf_free(&session->in);
    subjects_free(session->subjects);
    free(session->glass_notice);
    free(session->lost_message);
    outbox_free(&session->out);
    requests_clear(&session->requests);
    statements_free(session->statements);
    statement_unref(session->pending);
    uses_unref(session->pending_uses);
    statement_unref(session->preparing);
    cursors_free(session->cursors);
    temporary_free(&session->temporary);
    script_end(session);
    free(session->rows_taken);
    console_free(session->console);
    transaction_free(&session->transaction);
    identity_free(&session->identity);
    mission_free_start(session);
    free(session->shown_application);
    break_glass_unref(session->glass_entered);
    login_free(session->login);
    parameters_free(&session->parameters);
    world_unref(session->world);
    arena_free(session->arena);
    free(session);
}

static const char *status_sqlstate(enum status status)
{
    switch (status) {
    case ERR_MEMORY:
        return "53200";
    case ERR_LIMIT:
        return "54000";
    case ERR_PROTOCOL:
        return "08P01";
    case ERR_AUTH:
        return "28P01";
    case ERR_UPSTREAM:
        return "08006";
    case ERR_AUDIT:
        return "58030";
    case CLOSED:
        return "57P01";
    case OK:
    case NEED_MORE:
    case DENIED:
    case NEED_CATALOG:
    case ERR_SYNTAX:
    case ERR_INVALID:
    case ERR_TLS:
    case ERR_IO:
    case ERR_INTERNAL:
    case STATUS_COUNT:
        break;
    }
    return "XX000";
}

void session_fail(struct session *session, enum status status, const char *sqlstate,
                  const char *reason)
{
    if (session->state == SESSION_DEAD || session->state == SESSION_CLOSING)
        return;
    if (sqlstate == NULL)
        sqlstate = status_sqlstate(status);
    char quoted[512]; /* a reason may quote the name that the client gave */
    log_event(LOG_LEVEL_INFO, "session=%lu event=fail status=%s sqlstate=%s state=%s reason=%s",
              (unsigned long)session->id, status_name(status), sqlstate,
              state_names[session->state], log_quote(reason, quoted, sizeof quoted));
    bool speakable = session->state != SESSION_TLS_HANDSHAKE &&
                     outbox_drop_uncovered(&session->out) == OK && !session->out.bytes.failed;
    let_go_of_server(session);
    result_abandon(session);
    if (!speakable) {
        session_end(session, reason);
        return;
    }
    audit_disconnect(session, reason);
    session_enter(session, SESSION_CLOSING);
    wire_put_error(&session->out.bytes, "FATAL", sqlstate, reason, NULL, 0);
    outbox_cover(&session->out);
    session_balance(session);
    worker_touch(session->worker, session);
}

/* ---- reading ---- */

static bool state_reads(enum session_state state)
{
    return state == SESSION_READY || state == SESSION_SKIPPING || state == SESSION_COPY_IN ||
           state == SESSION_ACCEPTED || state == SESSION_STARTUP ||
           state == SESSION_AUTHENTICATING || state == SESSION_TLS_HANDSHAKE;
}

static bool clogged(const struct session *session)
{
    return outbox_len(&session->out) >= HIGH_WATER ||
           (session->server != NULL && buf_len(&session->server->out) >= HIGH_WATER);
}

static void read_client(struct session *session, bool on)
{
    if (session->reading == on || session->read_event == NULL)
        return;
    session->reading = on;
    if (!on) {
        event_del(session->read_event);
        return;
    }
    event_add(session->read_event, NULL);
    if (transport_pending(session->transport))
        event_active(session->read_event, EV_READ, 0);
    /* What was read before the stop is handled at the end of this turn. */
    if (buf_len(&session->in) > 0)
        worker_touch(session->worker, session);
}

void session_balance(struct session *session)
{
    if (session->state == SESSION_DEAD)
        return;
    bool wanted = session->state != SESSION_CLOSING && !clogged(session) &&
                  (state_reads(session->state) || buf_len(&session->in) < WAITING_READ);
    read_client(session, wanted);
    if (session->server != NULL && session->server->state == SERVER_ACTIVE)
        server_read(session->server, outbox_len(&session->out) < HIGH_WATER);
}

void session_process(struct session *session)
{
    enum status status = OK;
    while (status == OK) {
        switch (session->state) {
        case SESSION_ACCEPTED:
        case SESSION_STARTUP:
            status = auth_startup(session);
            break;
        case SESSION_AUTHENTICATING:
            status = auth_step(session);
            break;
        case SESSION_READY:
        case SESSION_SKIPPING:
        case SESSION_COPY_IN:
            if (clogged(session))
                status = NEED_MORE;
            else if (session->console != NULL)
                status = console_next(session);
            else if (session->state == SESSION_READY && session->requests.count >= PIPELINE_MAX)
                status = query_drain(session);
            else
                status = query_next(session);
            break;
        case SESSION_TLS_HANDSHAKE:
        case SESSION_DELAYED:
        case SESSION_LOGIN:
        case SESSION_WAIT_SERVER:
        case SESSION_WAIT_DRAIN:
        case SESSION_WAIT_AUDIT:
        case SESSION_WAIT_ROWS:
        case SESSION_CLOSING:
        case SESSION_DEAD:
        case SESSION_STATE_COUNT:
            status = NEED_MORE;
            break;
        }
    }
    session_balance(session);
}

static void on_write(evutil_socket_t fd, short what, void *context);

/* Few ever have to. */
static void wait_writable(struct session *session)
{
    if (session->write_event == NULL)
        session->write_event = event_new(session->worker->base, event_get_fd(session->read_event),
                                         EV_WRITE, on_write, session);
    if (session->write_event == NULL || event_add(session->write_event, NULL) != 0)
        session_end(session, "out of memory");
}

static void handshake(struct session *session)
{
    enum status status = transport_handshake(session->transport);
    if (status == NEED_MORE) {
        if (transport_want(session->transport) == TRANSPORT_WANT_WRITE)
            wait_writable(session);
        return;
    }
    if (status != OK) {
        log_event(LOG_LEVEL_INFO, "session=%lu event=handshake-failed why=\"%s\"",
                  (unsigned long)session->id, transport_error(session->transport));
        session_end(session, "TLS handshake failed");
        return;
    }
    session_enter(session, SESSION_STARTUP);
    if (transport_pending(session->transport))
        event_active(session->read_event, EV_READ, 0);
}

bool session_start_tls(struct session *session, bool direct)
{
    session->login->tls = tls_context_ref(session->world->tls);
    if (transport_start_tls(session->transport, session->login->tls, direct) != OK) {
        session_end(session, "TLS cannot be started");
        return false;
    }
    session_enter(session, SESSION_TLS_HANDSHAKE);
    return true;
}

/* A client that starts with TLS at once shows it by its first byte. False: wait, or it ended. */
static bool direct_tls(struct session *session)
{
    unsigned char byte;
    enum status status = transport_peek(session->transport, &byte);
    if (status == NEED_MORE)
        return false;
    if (status != OK) {
        session_end(session, "client closed the connection");
        return false;
    }
    if (byte != 0x16 || session->world->tls == NULL)
        return true;
    return session_start_tls(session, true);
}

static void on_read(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *session = context;
    if (session->state == SESSION_DEAD)
        return;
    if (session->state == SESSION_ACCEPTED && transport_bytes_in(session->transport) == 0 &&
        !direct_tls(session))
        return;
    if (session->state == SESSION_TLS_HANDSHAKE) {
        handshake(session);
        return;
    }
    buffer_take(&session->worker->spare_in, &session->in);
    enum status status = transport_read(session->transport, &session->in, READ_BUDGET);
    session_process(session);
    buffer_give(&session->worker->spare_in, &session->in);
    if (session->state == SESSION_DEAD || session->state == SESSION_CLOSING)
        return;
    if (status == OK) {
        if (session->reading && transport_pending(session->transport))
            event_active(session->read_event, EV_READ, 0);
    } else if (status == NEED_MORE) {
        if (transport_want(session->transport) == TRANSPORT_WANT_WRITE)
            wait_writable(session);
    } else if (status == ERR_MEMORY) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
    } else {
        session_end(session, "client closed the connection");
    }
}

static void on_write(evutil_socket_t fd, short what, void *context)
{
    struct session *session = context;
    if (session->state == SESSION_DEAD)
        return;
    if (session->state == SESSION_TLS_HANDSHAKE) {
        handshake(session);
        return;
    }
    session_write(session);
    if (session->state != SESSION_DEAD && session->state != SESSION_CLOSING && session->reading)
        on_read(fd, what, context);
}

void session_accept(struct worker *worker, int fd, const char *address, uint16_t port)
{
    size_t size = strlen(address) + 1;
    size_t whole = offsetof(struct session, address) + size;
    struct session *session = calloc(1, whole < sizeof *session ? sizeof *session : whole);
    if (session != NULL)
        session->transport = transport_accepted(fd);
    if (session == NULL || session->transport == NULL) {
        close(fd);
        free(session);
        admission_leave(worker->process->admission, address);
        atomic_fetch_sub(&worker->load, 1);
        return;
    }
    session->worker = worker;
    session_use_meter(session, worker_meter(worker));
    session->id = worker->next_session++ * worker->config->workers + worker->index + 1;
    session->admitted = true;
    session->tx = 'I';
    session->identity.role = session->identity.mission = -1;
    memcpy(session->address, address, size);
    session->port = port;
    session->accepted = session->last_active = worker->now;
    buf_init(&session->in, worker->config->limits.message_bytes + 2 * READ_BUDGET);
    outbox_init(&session->out, 0);
    requests_init(&session->requests, worker->spare_requests);
    session->world = world_ref(worker->world);
    TAILQ_INSERT_TAIL(&worker->sessions, session, link);
    session->login = login_new();
    session->read_event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_read, session);
    if (session->login == NULL || session->read_event == NULL) {
        session_end(session, "out of memory");
        return;
    }
    log_event(LOG_LEVEL_INFO, "session=%lu worker=%u event=accept address=%s port=%u",
              (unsigned long)session->id, worker->index, session->address, port);
    session_balance(session);
}

/* ---- the end of a turn ---- */

/* One record, one write and one waking of the client, not two. */
static bool waits_for_rest(const struct session *session)
{
    return session->answer_waits && !session->answer_due && session->requests.remote > 0 &&
           session->server != NULL && session->state != SESSION_CLOSING &&
           session->out.safe < HIGH_WATER / 2;
}

void session_write(struct session *session)
{
    struct outbox *out = &session->out;
    if (session->state == SESSION_TLS_HANDSHAKE)
        return;
    if (out->bytes.failed) {
        session_end(session, "out of memory");
        return;
    }
    if (out->safe > 0 && !waits_for_rest(session)) {
        size_t written = 0;
        enum status status =
            transport_write(session->transport, buf_head(&out->bytes), out->safe, &written);
        outbox_written(out, written);
        session->answer_due = session->answer_due && out->safe > 0;
        if (status == NEED_MORE) {
            if (transport_want(session->transport) == TRANSPORT_WANT_WRITE)
                wait_writable(session);
        } else if (status != OK) {
            session_end(session, "client closed the connection");
            return;
        }
        buffer_give(&session->worker->spare_out, &out->bytes);
    }
    buffer_give(&session->worker->spare_in, &session->in);
    if (session->state == SESSION_CLOSING && outbox_len(out) == 0) {
        transport_shutdown(session->transport);
        session_end(session, "closed");
        return;
    }
    session_balance(session);
}

void session_resume(struct session *session, bool flushed)
{
    if (session->state == SESSION_WAIT_AUDIT) {
        session->pending_failed = !flushed;
        session_enter(session, SESSION_READY);
    }
    session_process(session);
}

/* What only a session at work needs; thousands are not. */
static void give_back(struct session *session)
{
    if (session->last_active + IDLE_MICROSECONDS > session->worker->now)
        return;
    subjects_free(session->subjects);
    session->subjects = NULL;
}

void session_tick(struct session *session)
{
    const struct config_limits *limits = &session->worker->config->limits;
    uint64_t now = session->worker->now;
    query_end_overdue(session);
    give_back(session);
    switch (session->state) {
    case SESSION_ACCEPTED:
    case SESSION_TLS_HANDSHAKE:
    case SESSION_STARTUP:
    case SESSION_AUTHENTICATING:
        if (session->accepted + limits->login_seconds * 1000000ull < now)
            session_end(session, "login took too long");
        return;
    case SESSION_DELAYED:
        if (session->login->delayed_until <= now)
            session_fail(session, ERR_AUTH, session->lost_sqlstate, session_lost_text(session));
        return;
    case SESSION_READY:
        if (limits->idle_seconds > 0 && session->tx == 'I' && session->requests.count == 0 &&
            session->last_active + limits->idle_seconds * 1000000ull < now)
            session_fail(session, CLOSED, "57P05",
                         "terminating connection due to idle-session timeout");
        else if (session->console == NULL && session->requests.count == 0 &&
                 session->pending == NULL && session->script == NULL &&
                 mission_check_time(session) != OK)
            session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return;
    case SESSION_CLOSING:
        /* A client that does not read its own end. */
        if (session->last_active + limits->login_seconds * 1000000ull < now)
            session_end(session, "closed");
        return;
    case SESSION_WAIT_ROWS:
        console_tick(session);
        return;
    case SESSION_LOGIN:
    case SESSION_SKIPPING:
    case SESSION_WAIT_SERVER:
    case SESSION_WAIT_DRAIN:
    case SESSION_WAIT_AUDIT:
    case SESSION_COPY_IN:
    case SESSION_DEAD:
    case SESSION_STATE_COUNT:
        return;
    }
}

/* ---- servers ---- */

/* Something on the server connection is the session's own and lasts. */
static bool keeps_server(const struct session *session)
{
    return session->pinned || session->listening || cursors_hold(session->cursors) ||
           temporary_keeps(&session->temporary);
}

void session_server_ready(struct session *session, struct server *server)
{
    session->served = true;
    session->bound_epoch = session->epoch;
    if (session->state == SESSION_LOGIN) {
        auth_welcome(session, server);
        return;
    }
    if (session->state == SESSION_WAIT_SERVER)
        session_enter(session, SESSION_READY);
    worker_touch(session->worker, session);
    bool ahead = session->temporary.ahead;
    session->temporary.ahead = false;
    if (ahead && !temporary_unsettled(&session->temporary))
        session_maybe_release(session);
}

void session_settle_ahead(struct session *session)
{
    struct server *server = session->server;
    if (!temporary_unsettled(&session->temporary) || session->state != SESSION_READY ||
        session->tx != 'I' || session->group_forwarded || session->requests.count > 0 ||
        session->pending != NULL || session->script != NULL || server == NULL ||
        server->state != SERVER_ACTIVE)
        return;
    session->temporary.ahead = true;
    session_enter(session, SESSION_WAIT_SERVER);
    server_follow(server);
}

char *session_lost_text(struct session *session)
{
    static _Thread_local char nowhere[SESSION_LOST_BYTES];
    if (session->lost_message == NULL)
        session->lost_message = calloc(1, SESSION_LOST_BYTES);
    return session->lost_message == NULL ? nowhere : session->lost_message;
}

void session_lose(struct session *session, const char *sqlstate, const char *message)
{
    snprintf(session->lost_sqlstate, sizeof session->lost_sqlstate, "%s", sqlstate);
    snprintf(session_lost_text(session), SESSION_LOST_BYTES, "%s", message);
}

void session_server_gone(struct session *session)
{
    session->bereft = session->served && keeps_server(session);
    session->served = false;
    cursors_clear(session->cursors);
    temporary_gone(&session->temporary);
    session->server = NULL;
}

void session_server_lost(struct session *session, const char *sqlstate, const char *message)
{
    bool bereft = session->bereft;
    session->bereft = false;
    if (session->state == SESSION_DEAD || session->state == SESSION_CLOSING)
        return;
    if (session->state == SESSION_WAIT_SERVER && session->tx == 'I' && !session->group_forwarded &&
        session->requests.remote == 0 && !bereft) {
        session_lose(session, sqlstate, message);
        session->pinned = false;
        temporary_gone(&session->temporary);
        session_enter(session, SESSION_READY);
        worker_touch(session->worker, session);
        return;
    }
    bool needless = session->state != SESSION_LOGIN && session->tx == 'I' &&
                    session->requests.remote == 0 && !session->group_forwarded && !bereft;
    if (!needless)
        session_fail(session, ERR_UPSTREAM, sqlstate, message);
}

void session_follow_failed(struct session *session, const char *sqlstate, const char *message)
{
    session_lose(session, sqlstate, message);
    session->follow_failed = true;
    if (mission_failed(session) != OK) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return;
    }
    if (session->transaction.block && !session->group_forwarded)
        session->tx = 'E';
    session_enter(session, SESSION_READY);
    worker_touch(session->worker, session);
}

void session_settings_gone(struct session *session)
{
    session->pinned = session_unrestricted(session);
    if (session->settings_sent)
        dialect_start(session);
    session->settings_sent = false;
}

void session_fit_server(struct session *session)
{
    struct server *server = session->server;
    if (server != NULL) {
        bool fits = server->pool == session_pool(session);
        bool quiet = server->state == SERVER_ACTIVE && session->requests.count == 0 &&
                     !query_in_transaction(session);
        if (fits || !quiet)
            return;
        server_release(server, true);
    }
    session_settings_gone(session);
}

void session_maybe_release(struct session *session)
{
    if (session->requests.count > 0)
        return;
    session->unsettled = false;
    mission_limits_settle(session);
    if (session->state == SESSION_WAIT_DRAIN) {
        session_enter(session, SESSION_READY);
        worker_touch(session->worker, session);
    }
    struct server *server = session->server;
    if (server == NULL || server->state != SERVER_ACTIVE)
        return;
    if (session->tx == 'I' && !session->group_forwarded)
        notification_settle(session);
    if (query_in_transaction(session) || keeps_server(session) || session_unrestricted(session))
        disused_close(session);
    else
        server_release(server, false);
}

/* What RESET goes back to, in a newer policy. */
static void move_start(struct session *session, const struct world *world)
{
    struct identity *start = session->start;
    if (start == NULL || identity_move(start, session->world->policy, world->policy) == OK)
        return;
    if (session->identity.login->on_behalf == NULL) {
        mission_free_start(session);
        return;
    }
    /* The person of the start is gone: not the one of now, but nobody. */
    start->login = session->identity.login;
    identity_act_for_nobody(start, world->policy);
}

bool session_refresh_world(struct session *session)
{
    worker_refresh_world(session->worker);
    struct world *world = session->worker->world;
    const struct policy_user *login = session->identity.login;
    if (session->world == world)
        return true;
    /* One whose time is over ends as it would have without a new world. */
    if (mission_check_time(session) != OK) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return false;
    }
    if (session->world->policy != world->policy &&
        identity_move(&session->identity, session->world->policy, world->policy) != OK) {
        session_fail(session, CLOSED, "57P01",
                     "terminating connection: the policy has changed and this user, role or "
                     "mission is gone");
        return false;
    }
    if (session->world->policy != world->policy) {
        use_end(session);
        temporary_end(&session->temporary);
    }
    if (session->world->policy != world->policy) {
        move_start(session, world);
        person_move(&session->identity, login, session->world, world);
        if (session->start != NULL)
            person_move(session->start, login, session->world, world);
    }
    /* A mission that breaks the glass in one of the two policies only is not the one that was
     * entered. */
    if (!break_glass_holds(world->policy, &session->identity, session->worker->now) &&
        mission_glass_over(session, ", the policy has changed") != OK) {
        session_fail(session, ERR_AUDIT, NULL, "the audit record could not be written");
        return false;
    }
    (void)break_glass_settle(world->policy, &session->identity, session->worker->now);
    world_unref(session->world);
    session->world = world_ref(world);
    session_new_epoch(session);
    return true;
}

/* ---- shared ---- */

bool session_observed(const struct session *session)
{
    return session->database != NULL && session->database->observe;
}

bool session_unrestricted(const struct session *session)
{
    return session->identity.role >= 0 &&
           (session_observed(session) ||
            session->world->policy->roles[session->identity.role].unrestricted);
}

struct pool *session_pool(const struct session *session)
{
    size_t kind = session_unrestricted(session) ? POOL_UNRESTRICTED : POOL_PAIRS;
    return &session->worker->pools[session->database_index * 2 + kind];
}

void session_fill_who(const struct session *session, const struct identity *identity,
                      struct audit_session *who)
{
    const struct policy *policy = session->world->policy;
    bool nobody = identity->role < 0 || identity_is_nobody(identity);
    who->person = identity->user->name;
    who->login = identity->login->name;
    who->identity = person_kind(identity);
    who->role = nobody ? NULL : policy->roles[identity->role].name;
    const struct policy_mission *mission =
        identity->mission < 0 ? NULL : &policy->missions[identity->mission];
    who->mission = mission == NULL ? NULL : mission->name;
    who->purpose = mission == NULL ? NULL : mission->purpose;
    who->break_glass = mission != NULL && mission->break_glass != NULL;
    who->patient = who->break_glass ? identity->patient : NULL;
    who->reason = identity->reason;
    who->application = identity->application;
    who->encoded = (struct audit_text){0};
}

void session_update_who(struct session *session)
{
    session_fill_who(session, &session->identity, &session->who);
}

void session_new_epoch(struct session *session)
{
    session->epoch++;
    session_update_who(session);
}

void session_use_meter(struct session *session, struct meter *meter)
{
    session->meter = meter;
    transport_meter(session->transport, meter, FIGURE_CLIENT_RECEIVED, FIGURE_CLIENT_SENT);
}

void session_begin_wait(struct session *session)
{
    if (session->waiting_in == NULL || session->wait_began != 0)
        return;
    session->wait_began = clock_microseconds();
    meter_count(session->meter, FIGURE_WAIT);
}

void session_end_wait(struct session *session)
{
    uint64_t since = session->wait_began;
    session->wait_began = 0;
    meter_observe(session->meter, HISTOGRAM_WAIT, since == 0 ? 0 : clock_microseconds() - since);
}

void session_count_transaction(struct session *session)
{
    if (session->tx != 'I' || session->began == 0)
        return;
    meter_count(session->meter, FIGURE_TRANSACTION);
    if (session->answered > session->began)
        meter_add(session->meter, FIGURE_TRANSACTION_MICROSECONDS,
                  session->answered - session->began);
    session->began = 0;
}

void session_say(struct session *session, const struct buf *bytes)
{
    struct outbox *out = &session->out;
    bool clear = out->safe == outbox_len(out);
    buf_append(&out->bytes, buf_head(bytes), buf_len(bytes));
    outbox_cover(out);
    if (clear)
        outbox_release(out);
    worker_touch(session->worker, session);
}

void session_poison(struct session *session)
{
    struct server *server = session->server;
    if (server == NULL || server->state != SERVER_ACTIVE)
        return;
    struct request *fail = requests_add(&session->requests, REQUEST_FAIL);
    struct request *sync = requests_add(&session->requests, REQUEST_SYNC);
    if (fail == NULL || sync == NULL) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return;
    }
    fail->own = sync->own = fail->in_group = true;
    session->poisoned = true;
    session->unsettled = session->unsettled || session->transaction.touched;
    wire_put_execute(&server->out, QUERY_FAILING_PORTAL, 0);
    wire_put_sync(&server->out);
    worker_touch_server(session->worker, server);
}
