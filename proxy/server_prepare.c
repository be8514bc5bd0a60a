/*
 * server_prepare.c: a connection becomes its session's: role, person, settings (see server.h).
 *
 * Trust boundary: the server's bytes, here the answers to pgvigil's own statements; one that was
 * not asked for closes the connection.
 */
#include "proxy/server_prepare.h"

#include "proxy/notification.h"
#include "proxy/session.h"

#include <pgvigil/log.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers to pgvigil's own statements ---- */

/* What the client hears of it. */
static void explain_failure(const struct server *server, const char **sqlstate,
                            const char **message)
{
    /* The guards' role may be gone: a newer generation was deployed and the old one pruned. */
    reload_catalogs(server->worker->process->reload);
    *sqlstate = server->own_sqlstate;
    *message = server->own_message;
    /* Clients hear nothing of guards' names; what ails is for the administrator. */
    if (strstr(server->own_message, "pgvigil:") == NULL)
        return;
    *sqlstate = "55000";
    *message = "the policy in force is not deployed in this database: the administrator runs "
               "\"pgvigil deploy\"";
}

static void preparing_failed(struct server *server)
{
    const char *sqlstate;
    const char *message;
    explain_failure(server, &sqlstate, &message);
    if (!server->own_in_transaction) {
        server_lost(server, sqlstate, message);
        return;
    }
    /* The transaction has failed there, as with any other error in it; nothing runs in it. */
    server->doubtful = true;
    temporary_unanswered(&server->session->temporary);
    server_identity_forget(&server->applying);
    server_enter(server, SERVER_ACTIVE);
    session_follow_failed(server->session, sqlstate, message);
}

/* What was to be in force is. */
static void take_identity(struct server *server)
{
    struct server_identity *applied = &server->applied;
    struct server_identity *applying = &server->applying;
    if (!identity_text_same(&applied->person, &applying->person))
        meter_count(&server->worker->meters[server->pool->database_index], FIGURE_TURN);
    identity_text_free(&applied->person);
    applied->person = applying->person;
    memset(&applying->person, 0, sizeof applying->person);
    if (applying->preferences != NULL) {
        server_identity_forget_preferences(applied);
        applied->preferences = applying->preferences;
        applied->names = applying->names;
        applied->name_count = applying->name_count;
        memset(applying, 0, sizeof *applying);
    }
    server->doubtful = false;
}

static void own_error(struct server *server, const struct wire_message *message)
{
    struct wire_report report;
    if (wire_parse_report(message, &report) != OK)
        return;
    server->own_failed = true;
    snprintf(server->own_sqlstate, sizeof server->own_sqlstate, "%s",
             report.sqlstate == NULL ? "XX000" : report.sqlstate);
    snprintf(server->own_message, sizeof server->own_message, "%s",
             report.message == NULL ? "" : report.message);
    char quoted[300];
    log_event(LOG_LEVEL_WARNING,
              "server=%lu state=%s event=own-statement-failed sqlstate=%s message=%s",
              (unsigned long)server->id, server_state_name(server->state), server->own_sqlstate,
              log_quote(server->own_message, quoted, sizeof quoted));
}

static void own_answer_complete(struct server *server)
{
    if (server->state != SERVER_PREPARING) {
        if (server->own_failed)
            server_close(server, "own-statement-failed");
        else
            server_become_idle(server);
        return;
    }
    if (server->own_failed) {
        preparing_failed(server);
        return;
    }
    take_identity(server);
    if (server->asks_temporary &&
        temporary_answered(server->session, server->drops_temporary) != OK) {
        server_lost(server, "53200", "out of memory");
        return;
    }
    server_enter(server, SERVER_ACTIVE);
    session_server_ready(server->session, server);
}

enum status server_turn_answer(struct server *server, const struct wire_message *message,
                               bool *turned)
{
    *turned = message->type == 'C';
    if (*turned)
        take_identity(server);
    return *turned || strchr("123D", message->type) != NULL ? OK : ERR_PROTOCOL;
}

void server_turn_failed(struct server *server, const struct wire_message *message,
                        const char **sqlstate, const char **why)
{
    own_error(server, message);
    explain_failure(server, sqlstate, why);
    server_close(server, "turn-failed");
}

static void own_row(struct server *server, const struct wire_message *message)
{
    if (!server->hears_temporary)
        return; /* an identity's */
    enum status status = temporary_row(&server->session->temporary, message);
    if (status == ERR_LIMIT)
        server_lost(server, "54000", "the session has too many temporary tables");
    else if (status != OK)
        server_lost(server, "08P01", "the database server broke the protocol");
}

void server_own_message(struct server *server, const struct wire_message *message)
{
    const char *name;
    const char *value;
    switch (message->type) {
    case 'S':
        if (wire_parse_parameter_status(message, &name, &value) == OK)
            server_remember_parameter(server, name, value);
        return;
    case 'A':
        /* While it follows its session to another mission, say. */
        if (server->state == SERVER_PREPARING && server->session->listening &&
            notification_message(server->session, message) != OK)
            server_lost(server, "53200", "the database server's answer could not be handled");
        return;
    case 'N':
        return;
    case 'E':
        own_error(server, message);
        if (server->state == SERVER_IDLE)
            server_close(server, "ended-by-server");
        else if (server->own_closes > 0)
            own_answer_complete(server); /* it is deaf up to the client's Sync */
        return;
    case '3':
        if (server->own_closes > 0 && --server->own_closes == 0) {
            own_answer_complete(server);
            return;
        }
        if (server->state == SERVER_PREPARING)
            return;
        break;
    case '1':
    case '2':
        if (server->state == SERVER_PREPARING)
            return;
        break;
    case 'D':
        if (server->state == SERVER_PREPARING) {
            own_row(server, message);
            return;
        }
        if (server->state == SERVER_RESETTING)
            return;
        break;
    case 'C':
        server->hears_temporary = false;
        if (server->state == SERVER_PREPARING || server->state == SERVER_RESETTING)
            return;
        break;
    case 'T':
    case 'I':
        if (server->state == SERVER_PREPARING || server->state == SERVER_RESETTING)
            return;
        break;
    case 'Z':
        if (server->state != SERVER_IDLE && server->own_closes == 0) {
            own_answer_complete(server);
            return;
        }
        break;
    default:
        break;
    }
    /* Also what libpq left unread: only S, N and Z may come before the answer to our first Sync. */
    server_lost(server, "08P01", "the database server broke the protocol");
}

/* ---- what the session needs ---- */

/* Whom the server has to be for the session; NULL: out of memory. */
static const struct identity_text *wanted_person(const struct pool *pool, struct session *session)
{
    static const struct identity_text none = {0};
    return pool->kind == POOL_PAIRS ? session_person_text(session) : &none;
}

/* In observe mode the connection was opened with them, see pool.c. */
static bool wants_preferences(const struct session *session)
{
    return session->identity.setting_count > 0 && !session_observed(session);
}

/* What the server has to become for its session, with its settings or without; false: out of
 * memory. */
static bool wanted_identity(const struct server *server, bool settings, struct server_identity *out)
{
    struct session *session = server->session;
    memset(out, 0, sizeof *out);
    const struct identity_text *person = wanted_person(server->pool, session);
    if (person == NULL || !identity_text_copy(person, &out->person))
        return false;
    if (!settings)
        return true;
    struct buf preferences;
    buf_init(&preferences, 0);
    enum status status = OK;
    if (wants_preferences(session))
        status = identity_preferences(&session->identity, &preferences);
    out->preferences = server_identity_take_text(&preferences);
    return status == OK && out->preferences != NULL &&
           server_identity_copy_names(&session->identity, out);
}

static bool same_text(const char *applied, const char *wanted)
{
    return strcmp(applied == NULL ? "" : applied, wanted) == 0;
}

/* Cursors of a mission that has ended are closed before anything runs; not once the session has new
 * ones that last, which would go with them. What is left then is unknown by name, and ends with the
 * connection's reset. */
static bool closes_cursors(const struct server *server)
{
    return server->stale_cursors && !cursors_hold(server->session->cursors);
}

/*
 * currval and lastval answer what the connection drew: another session's key, or another person's
 * of a login that acts for many. A session's own stands there only while nobody else had the
 * connection, and then the pool gives it back to her (choose_idle), so it is her latest.
 */
static bool forgets_sequences(const struct server *server)
{
    return server->drew != 0 && server->pool->kind == POOL_PAIRS &&
           (server->drew != server->session->id || server->doubtful ||
            identity_text_differs(&server->applied.person, &server->applying.person));
}

void server_draws(struct server *server)
{
    server->drew = server->session->id;
}

/* Sends what makes an idle connection the session's; false: out of memory. */
static bool prepare(struct server *server, bool preferences)
{
    struct buf sql;
    buf_init(&sql, 0);
    if (closes_cursors(server)) {
        buf_str(&sql, "CLOSE ALL;");
        server->stale_cursors = false;
    }
    if (forgets_sequences(server)) {
        buf_str(&sql, "DISCARD SEQUENCES;");
        server->drew = 0;
    }
    for (size_t i = 0; preferences && i < server->applied.name_count; i++) {
        buf_str(&sql, "RESET ");
        text_quote_ident(&sql, server->applied.names[i]);
        buf_str(&sql, ";");
    }
    identity_text_sql(&server->applying.person, &sql);
    buf_byte(&sql, ';');
    if (preferences)
        buf_str(&sql, server->applying.preferences);
    else
        server_identity_forget_preferences(&server->applying);
    bool good = !sql.failed;
    if (good) {
        wire_put_query(&server->out, (const char *)buf_head(&sql), buf_len(&sql));
        good = !server->out.failed;
    }
    buf_free(&sql);
    server_forget_unnamed(server);
    return good;
}

static void begin_preparing(struct server *server, bool in_transaction)
{
    server_enter(server, SERVER_PREPARING);
    server->own_failed = false;
    server->own_closes = 0;
    server->asks_temporary = server->drops_temporary = server->hears_temporary = false;
    server->own_in_transaction = in_transaction;
    server_read(server, true); /* it may have been held back for a slow client */
    worker_touch_server(server->worker, server);
}

bool server_is_like(const struct server *server, struct session *session)
{
    const struct identity_text *person = wanted_person(server->pool, session);
    return person != NULL && !server->doubtful &&
           identity_text_same(&server->applied.person, person);
}

/* Nothing has to be sent: it is the session's already, in all that it does. */
static bool is_the_sessions(const struct server *server, struct session *session)
{
    return server_is_like(server, session) && !wants_preferences(session) &&
           same_text(server->applied.preferences, "") && server->drew == 0 &&
           !server->stale_cursors;
}

/* A login and what has settings or leftovers to be taken away waits for the answer, as do the
 * statements that query_is_plain leaves out. */
static bool may_go_ahead(const struct server *server)
{
    const struct session *session = server->session;
    return session->state == SESSION_WAIT_SERVER && session->ahead != AHEAD_NEVER &&
           server->pool->kind == POOL_PAIRS && server->policy_id == session->world->policy_id &&
           session->requests.count == 0 && !session->temporary.made && !session->listening;
}

#define TURN_NAME "pgvigil identity"

/*
 * The statement with parameters, which is the same for all of a policy's people. By a name of its
 * own, since the unnamed one is the client's, and may be the next one's too. It is prepared each
 * time, though it could stay there: whoever got a DEALLOCATE and a PREPARE past the judge would
 * decide who the next person is.
 */
static bool make_turn_parse(struct server *server, const struct identity_text *person)
{
    if (buf_len(&server->turn_parse) > 0 && identity_text_alike(&server->turn_names, person))
        return true;
    identity_text_free(&server->turn_names);
    buf_free(&server->turn_parse);
    struct buf sql;
    buf_init(&sql, 0);
    identity_text_statement(person, &sql);
    bool good = !sql.failed && identity_text_copy(person, &server->turn_names);
    if (good) {
        wire_put_close(&server->turn_parse, 'S', TURN_NAME);
        wire_put_parse(&server->turn_parse, TURN_NAME, (const char *)buf_head(&sql), buf_len(&sql),
                       NULL, 0);
    }
    buf_free(&sql);
    return good && !server->turn_parse.failed;
}

/* The unnamed portal is free: no group has begun. */
static bool put_turn(struct server *server)
{
    const struct identity_text *person = &server->applying.person;
    struct wire_bind bind = {.portal = "", .statement = TURN_NAME};
    struct buf values;
    buf_init(&values, 0);
    bind.value_count = identity_text_values(person, &values);
    bind.values = buf_head(&values);
    bind.values_len = buf_len(&values);
    bool good = !values.failed && make_turn_parse(server, person);
    buf_append(&server->out, buf_head(&server->turn_parse), buf_len(&server->turn_parse));
    wire_put_bind(&server->out, &bind);
    wire_put_execute(&server->out, bind.portal, 0);
    buf_free(&values);
    return good && !server->out.failed;
}

/*
 * In a transaction of its own, with a Sync. Ahead of BEGIN alone: that may run as whoever had the
 * connection before, and nothing else is sent until the identity is answered. One that fails closes
 * the connection, and with it what was begun.
 */
static bool end_turn_ahead(struct server *server)
{
    struct session *session = server->session;
    struct request *sync = requests_add(&session->requests, REQUEST_SYNC);
    if (sync == NULL)
        return false;
    sync->own = true;
    sync->group = session->group++;
    session->group_forwarded = false;
    session->unsettled = session->begins = true;
    wire_put_sync(&server->out);
    return !server->out.failed;
}

/*
 * The identity goes first, in the implicit transaction of what the session sends next. No Sync
 * stands between: after an error PostgreSQL skips everything up to one, queries too, so nothing of
 * the client's runs when the identity fails. The attack with a Sync: a cancel request that hits the
 * identity would have the statement run as whoever had the connection before.
 *
 * The price (AHEAD_SHARED): an error of the statement's takes the identity back. The transaction is
 * `touched`, so nothing more is sent before its end is known (query_unsettle), and the connection
 * is doubtful after an error.
 */
static bool go_ahead(struct server *server)
{
    struct session *session = server->session;
    struct request *request = requests_add(&session->requests, REQUEST_IDENTITY);
    server_identity_forget_preferences(&server->applying);
    server_enter(server, SERVER_ACTIVE);
    if (request == NULL)
        return false;
    request->own = request->in_group = true;
    request->group = session->group;
    session->group_forwarded = session->transaction.touched = true;
    bool good = put_turn(server);
    worker_touch_server(server->worker, server);
    return good && (session->ahead == AHEAD_SHARED || end_turn_ahead(server));
}

void server_bind(struct server *server, struct session *session)
{
    server->session = session;
    session->server = server;
    server->cancelled = false;
    server->applied_session = session->id;
    server_identity_forget(&server->applying);
    if (is_the_sessions(server, session)) {
        server_enter(server, SERVER_ACTIVE);
        session_server_ready(session, server);
        return;
    }
    bool settings = wants_preferences(session) || !same_text(server->applied.preferences, "");
    bool good = wanted_identity(server, settings, &server->applying);
    bool person = good && (server->doubtful ||
                           !identity_text_same(&server->applied.person, &server->applying.person));
    bool preferences =
        good && settings && !same_text(server->applied.preferences, server->applying.preferences);
    bool more = preferences || closes_cursors(server) || forgets_sequences(server);
    if (good && !person && !more) {
        server_identity_forget(&server->applying);
        server_enter(server, SERVER_ACTIVE);
        session_server_ready(session, server);
        return;
    }
    if (good && !more && may_go_ahead(server)) {
        if (go_ahead(server))
            session_server_ready(session, server);
        else
            server_lost(server, "53200", "out of memory");
        return;
    }
    begin_preparing(server, false);
    if (!good || !prepare(server, preferences))
        server_lost(server, "53200", "out of memory");
}

/* The extended protocol, since a simple query would end the transaction of an open group; by a name
 * of its own, since the unnamed statement and portal are the client's. What an exchange that failed
 * has left goes first: it would have every later one fail, of whoever has the connection then. */
static void put_exchange(struct server *server, const char *sql)
{
    static const char name[] = TURN_NAME;
    const struct wire_bind bind = {.portal = name, .statement = name};
    wire_put_close(&server->out, 'P', name);
    wire_put_close(&server->out, 'S', name);
    wire_put_parse(&server->out, name, sql, strlen(sql), NULL, 0);
    wire_put_bind(&server->out, &bind);
    wire_put_execute(&server->out, name, 0);
    wire_put_close(&server->out, 'P', name);
    wire_put_close(&server->out, 'S', name);
    server->own_closes += 4;
}

static void put_identity(struct server *server)
{
    struct buf sql;
    buf_init(&sql, 0);
    identity_text_sql(&server->applying.person, &sql);
    buf_byte(&sql, '\0');
    if (sql.failed)
        server->out.failed = true;
    else
        put_exchange(server, (const char *)buf_head(&sql));
    buf_free(&sql);
}

static const char objects_are_open[] =
    "DO $pgvigil$ BEGIN RAISE EXCEPTION 'large objects have been used in this transaction: role, "
    "mission and person cannot change before its end' USING ERRCODE = '25001'; END $pgvigil$";

void server_follow(struct server *server)
{
    struct session *session = server->session;
    server_identity_forget(&server->applying);
    if (!wanted_identity(server, false, &server->applying)) {
        server_lost(server, "53200", "out of memory");
        return;
    }
    bool closes = closes_cursors(server);
    bool asks = temporary_unsettled(&session->temporary);
    if (!closes && !asks && !server->doubtful &&
        identity_text_same(&server->applied.person, &server->applying.person)) {
        server_identity_forget(&server->applying);
        session_server_ready(session, server);
        return;
    }
    bool group = session->group_forwarded;
    begin_preparing(server, group || session->tx != 'I');
    /* The end of the transaction may take it back, whether a setting was changed in it or before.
     */
    if (server->own_in_transaction)
        session->transaction.touched = true;
    bool another = identity_text_differs(&server->applied.person, &server->applying.person);
    /* First, so that it is known whose rows come. */
    server->asks_temporary = server->hears_temporary = asks;
    server->drops_temporary = asks && session->temporary.ended;
    if (asks)
        put_exchange(server, temporary_question);
    /* A descriptor that was opened is read without a question of rights, by whoever comes: it ends
     * with the transaction only, so that must end. */
    if (another && session->objects_open && server->own_in_transaction)
        put_exchange(server, objects_are_open);
    if (forgets_sequences(server)) {
        put_exchange(server, "DISCARD SEQUENCES");
        server->drew = server->own_in_transaction ? server->drew : 0;
    }
    if (closes || another)
        put_exchange(server, "CLOSE ALL");
    if (server->drops_temporary)
        put_exchange(server, "DISCARD TEMP");
    /* In a transaction an error of the client's may have it skipped: it is asked for once more. */
    server->stale_cursors = server->stale_cursors && server->own_in_transaction;
    put_identity(server);
    if (group) {
        wire_put_flush(&server->out);
    } else {
        server->own_closes = 0;
        wire_put_sync(&server->out);
    }
    if (server->out.failed)
        server_lost(server, "53200", "out of memory");
}
