/*
 * query.c: the client's messages, judged, recorded and forwarded (see query.h).
 *
 * Trust boundary: SQL text and message fields are hostile; nothing of a restricted session goes
 * upstream but what a verdict holds. The simple protocol is here, the extended one in extended.c.
 */
#include "proxy/query.h"

#include "proxy/command.h"
#include "proxy/ddl.h"
#include "proxy/lookup.h"
#include "proxy/mission.h"
#include "proxy/mission_limits.h"
#include "proxy/notification.h"
#include "proxy/observed.h"
#include "proxy/person.h"
#include "proxy/pool.h"
#include "proxy/prepared.h"
#include "proxy/result.h"
#include "proxy/script.h"

#include <pgvigil/log.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool query_in_transaction(const struct session *session)
{
    return session->tx != 'I' || session->group_forwarded;
}

/* ---- answers of our own ---- */

enum status query_answer(struct session *session, const struct buf *bytes, bool ready)
{
    if (bytes->failed)
        return ERR_MEMORY;
    struct request *request = requests_add_canned(
        &session->requests, REQUEST_LOCAL, bytes->data == NULL ? (const void *)"" : buf_head(bytes),
        buf_len(bytes));
    if (request == NULL)
        return ERR_MEMORY;
    request->in_group = !ready;
    request->ready = ready;
    request->group = session->group;
    return result_pump(session);
}

enum status query_finish(struct session *session, const struct buf *bytes)
{
    if (!session->group_forwarded)
        return query_answer(session, bytes, true);
    enum status status = query_answer(session, bytes, false);
    struct request *sync = status == OK ? requests_add(&session->requests, REQUEST_SYNC) : NULL;
    if (sync == NULL)
        return status == OK ? ERR_MEMORY : status;
    sync->group = session->group++;
    session->group_forwarded = false;
    query_unsettle(session);
    wire_put_sync(&session->server->out);
    worker_touch_server(session->worker, session->server);
    return OK;
}

void query_unsettle(struct session *session)
{
    session->unsettled =
        session->unsettled || session->transaction.touched || session->temporary.open;
    dialect_undone(session);
}

/* The error in its place; upstream the transaction must fail as well, or PostgreSQL and the client
 * would disagree about it. */
static enum status refuse_upstream(struct session *session, const struct buf *error, bool extended)
{
    struct server *server = session->server;
    struct request *fail =
        requests_add_canned(&session->requests, REQUEST_FAIL, buf_head(error), buf_len(error));
    if (fail == NULL)
        return ERR_MEMORY;
    fail->in_group = true;
    fail->group = session->group;
    wire_put_execute(&server->out, QUERY_FAILING_PORTAL, 0);
    session->group_forwarded = true;
    if (!extended) {
        struct request *sync = requests_add(&session->requests, REQUEST_SYNC);
        if (sync == NULL)
            return ERR_MEMORY;
        sync->group = session->group++;
        wire_put_sync(&server->out);
        session->group_forwarded = false;
        query_unsettle(session);
    } else {
        wire_put_flush(&server->out);
    }
    worker_touch_server(session->worker, server);
    return OK;
}

enum status query_refuse(struct session *session, const struct refusal *refusal, bool extended)
{
    struct buf error;
    buf_init(&error, 0);
    wire_put_error(&error, "ERROR", refusal->sqlstate, refusal->message, refusal->hint,
                   refusal->position);
    enum status status;
    const struct server *server = session->server;
    bool upstream = server != NULL && server->state == SERVER_ACTIVE && !refusal->failed_upstream &&
                    (query_in_transaction(session) || session->requests.remote > 0);
    if (error.failed)
        status = ERR_MEMORY;
    else if (upstream)
        status = refuse_upstream(session, &error, extended);
    else if ((status = mission_failed(session)) == OK)
        status = query_answer(session, &error, !extended);
    buf_free(&error);
    if (status == OK && extended)
        session_enter(session, SESSION_SKIPPING);
    return status;
}

/* ---- what a statement needs before it goes ---- */

/* The server at hand is the session's, in all that it does. */
static bool in_step(const struct session *session)
{
    const struct server *server = session->server;
    return server != NULL && server->state == SERVER_ACTIVE && !server->doubtful &&
           session->bound_epoch == session->epoch && server->pool == session_pool(session) &&
           !temporary_unsettled(&session->temporary);
}

static enum status get_server(struct session *session, enum ahead ahead)
{
    bool active = session->server != NULL && session->server->state == SERVER_ACTIVE;
    /* In a failed block nothing runs but its end, and no identity could be set. */
    if (active && session->transaction.block && session->transaction.aborted)
        return OK;
    if (active && session->requests.count > 0)
        return query_drain(session);
    /* It is being asked already, ahead of this. */
    if (session->server != NULL && session->server->state == SERVER_PREPARING) {
        session_enter(session, SESSION_WAIT_SERVER);
        return NEED_MORE;
    }
    session_fit_server(session);
    struct server *server = session->server;
    if (server != NULL && server->pool != session_pool(session))
        return ERR_INTERNAL;
    session_enter(session, SESSION_WAIT_SERVER);
    session->ahead = ahead;
    if (server != NULL)
        server_follow(server);
    else
        pool_wait(session_pool(session), session);
    return session->state == SESSION_READY ? OK : NEED_MORE;
}

bool query_is_plain(const struct statement *statement)
{
    if (statement == NULL || statement->local || statement->execute_count > 0 ||
        statement->verdict->statement_count != 1)
        return false;
    const struct verdict_statement *one = &statement->verdict->statements[0];
    return (one->kind == STATEMENT_SELECT || one->kind == STATEMENT_WRITE) && !one->sequences &&
           !one->objects;
}

enum status query_need_server(struct session *session, enum ahead ahead, struct refusal *refusal)
{
    /* Only BEGIN may follow an identity that is not answered. */
    if (session->begins && ahead != AHEAD_SYNCED && session->requests.count > 0) {
        session->begins = false;
        return query_drain(session);
    }
    if (session->lost_sqlstate[0] == '\0') {
        enum status status = in_step(session) ? OK : get_server(session, ahead);
        if (status != OK || session->lost_sqlstate[0] == '\0')
            return status;
    }
    memcpy(session->refused_sqlstate, session->lost_sqlstate, sizeof session->refused_sqlstate);
    session->lost_sqlstate[0] = '\0';
    *refusal = (struct refusal){.sqlstate = session->refused_sqlstate,
                                .message = session_lost_text(session),
                                .failed_upstream = session->follow_failed};
    session->follow_failed = false;
    return DENIED;
}

enum status query_settle_temporary(struct session *session, bool extended)
{
    if (!temporary_unsettled(&session->temporary))
        return OK;
    enum status status = query_drain(session);
    /* In a failed block nothing runs but its end, which is known by its words. */
    if (status != OK || (session->transaction.block && session->transaction.aborted))
        return status;
    struct refusal refusal = {.sqlstate = "08006",
                              .message = "there is no connection to the database server"};
    status = query_need_server(session, AHEAD_NEVER, &refusal);
    if (status != DENIED)
        return status;
    status = query_refuse(session, &refusal, extended);
    return status == OK ? DENIED : status;
}

enum status query_drain(struct session *session)
{
    if (session->requests.count == 0)
        return OK;
    /* The server keeps answers to itself until a Sync or Flush. */
    if (session->server != NULL && session->server->state == SERVER_ACTIVE) {
        wire_put_flush(&session->server->out);
        worker_touch_server(session->worker, session->server);
    }
    session_enter(session, SESSION_WAIT_DRAIN);
    return NEED_MORE;
}

enum status query_begin_record(struct session *session, struct statement *statement, size_t index,
                               bool needed, uint64_t *id, struct refusal *refusal)
{
    *id = 0;
    if (needed && session->server != NULL && session->server->session == session)
        server_draws(session->server);
    if (!session->pending_begun) {
        if (!needed && audit_healthy(session->worker->audit))
            return OK;
        uint64_t number = 0;
        enum status status = result_audit_begin(session, statement, index,
                                                uses_at(session->pending_uses, index), &number);
        if (status == OK) {
            session->pending_begun = true;
            session->pending_failed = false;
            session->pending_audit = number + 1;
            session_enter(session, SESSION_WAIT_AUDIT);
            worker_touch(session->worker, session);
            return NEED_MORE;
        }
        session->pending_failed = true;
    }
    session->pending_begun = false;
    *id = session->pending_audit;
    if (!session->pending_failed)
        return OK;
    session->pending_failed = false;
    *refusal = (struct refusal){
        .sqlstate = "58030",
        .message = "the audit record could not be written: the statement was not run",
        .hint = "The audit trail's disk may be full. Nothing is run without a record."};
    return DENIED;
}

/* ---- statements ---- */

bool query_goes_back(enum statement_kind kind)
{
    return kind == STATEMENT_COMMIT || kind == STATEMENT_PREPARE_TRANSACTION ||
           kind == STATEMENT_ROLLBACK || kind == STATEMENT_ROLLBACK_TO;
}

/* ---- simple queries ---- */

static enum status refuse_query(struct session *session, const struct statement *statement,
                                const struct refusal *refusal)
{
    if (result_audit_refusal(session, statement, refusal) != OK)
        return ERR_AUDIT;
    return query_refuse(session, refusal, false);
}

static enum status begin_records(struct session *session, struct statement *statement,
                                 struct refusal *refusal)
{
    const struct verdict *verdict = statement->verdict;
    if (statement->begun == NULL) {
        statement->begun =
            arena_zalloc(statement->arena, verdict->statement_count + 1, sizeof *statement->begun);
        if (statement->begun == NULL)
            return ERR_MEMORY;
    }
    for (size_t i = 0; i < verdict->statement_count; i++) {
        if (statement->begun[i] != 0)
            continue;
        bool writes =
            verdict->statements[i].writes || use_writes(uses_at(session->pending_uses, i));
        enum status status =
            query_begin_record(session, statement, i, writes, &statement->begun[i], refusal);
        if (status != OK)
            return status;
    }
    return OK;
}

/* An unrestricted client's names are the server's. The attack: DEALLOCATE, and PREPARE of another
 * text by the name, which a Bind would run under the first one's record. So it is not known here
 * from when DEALLOCATE goes, whether it will succeed or not. */
static void forget_names(struct session *session, const char *name)
{
    if (name == NULL)
        statements_clear(session->statements);
    else
        statements_remove(session->statements, name);
}

void query_note_settings(struct session *session, const struct statement *statement)
{
    if (statement == NULL)
        return;
    temporary_sent(session, statement);
    dialect_sent(session, statement);
    for (size_t i = 0; i < statement->verdict->statement_count; i++) {
        const struct verdict_statement *one = &statement->verdict->statements[i];
        bool sets = one->kind == STATEMENT_SET || one->kind == STATEMENT_RESET;
        session->settings_sent = session->settings_sent || sets;
        if (!session_unrestricted(session))
            notification_sent(session, one);
        session->objects_open =
            session->objects_open || one->objects || use_objects(uses_at(session->pending_uses, i));
        if ((sets && !one->local) || one->sequences ||
            use_sequences(uses_at(session->pending_uses, i)))
            session->pinned = true;
        if (one->kind == STATEMENT_DEALLOCATE || one->kind == STATEMENT_DISCARD)
            forget_names(session, one->target);
    }
}

/* The client's rows come behind the text, which must be done with by then. */
static bool copies_in(const struct statement *statement)
{
    for (size_t i = 0; i < statement->verdict->statement_count; i++) {
        const struct verdict_statement *one = &statement->verdict->statements[i];
        if (one->kind == STATEMENT_COPY_FROM ||
            (one->kind == STATEMENT_OTHER && strcmp(one->tag, "COPY") == 0))
            return true;
    }
    return false;
}

static enum ahead ahead_of(const struct statement *statement)
{
    const struct verdict *verdict = statement->verdict;
    if (verdict->statement_count == 1 && verdict->statements[0].kind == STATEMENT_BEGIN)
        return AHEAD_SYNCED;
    return query_is_plain(statement) ? AHEAD_SHARED : AHEAD_NEVER;
}

bool query_nothing_before(const struct session *session)
{
    const struct request *head = requests_head(&session->requests);
    return session->requests.count == 1 ||
           (session->requests.count == 2 && head->kind == REQUEST_IDENTITY);
}

enum status query_forward(struct session *session, struct statement *statement, bool more,
                          bool *done)
{
    struct refusal refusal;
    *done = true;
    if (statement->local) /* PREPARE */
        return prepared_run(session, statement, more ? PREPARED_PART : PREPARED_ALONE, done);
    if (more && copies_in(statement)) {
        refusal = (struct refusal){
            .sqlstate = "0A000",
            .message = "COPY must be the last statement of a text in which pgvigil has something "
                       "to do itself",
            .hint = "Send it as a statement of its own."};
        return refuse_query(session, statement, &refusal);
    }
    enum status status = mission_limits_statement(session, statement, &refusal);
    if (status == OK)
        status = use_plan(session, statement, &refusal);
    if (status == OK)
        temporary_begin(session, statement);
    enum ahead ahead = more || session->script != NULL ? AHEAD_NEVER : ahead_of(statement);
    if (status == OK)
        status = query_need_server(session, ahead, &refusal);
    bool ddl = status == OK && ddl_wanted(session, statement);
    if (ddl)
        status = query_drain(session);
    if (ddl && status == OK)
        status = ddl_check(statement, &refusal);
    if (status == OK)
        status = begin_records(session, statement, &refusal);
    if (status == DENIED)
        return refuse_query(session, statement, &refusal);
    if (status != OK)
        return status;
    status = prepared_ahead(session, statement);
    if (status != OK)
        return status;
    *done = !more;
    ddl = ddl && server_lend(session->server);
    struct request *request = requests_add(&session->requests, REQUEST_QUERY);
    if (request == NULL)
        return ERR_MEMORY;
    request->statement = statement_ref(statement);
    request->uses = uses_ref(session->pending_uses);
    request->more = more;
    request->group = session->group++;
    request->started = clock_microseconds();
    query_note_settings(session, statement);
    session->group_forwarded = false;
    query_unsettle(session);
    if (ddl)
        return ddl_start(session, statement, false);
    struct server *server = session->server;
    if (!lookup_send(session, statement, request)) {
        server_forget_unnamed(server);
        wire_put_query(&server->out, statement->verdict->sql, statement->verdict->sql_len);
    }
    worker_touch_server(session->worker, server);
    return OK;
}

void query_drop_stale(struct session *session)
{
    if (session->pending != NULL && session->pending->epoch != session->epoch)
        result_drop_pending(session);
}

/* Judges a Query's text into session->pending, or into session->script; neither: it was refused. */
static enum status judge_query(struct session *session, const struct wire_message *message)
{
    const char *sql;
    size_t len;
    if (wire_parse_query(message, &sql, &len) != OK)
        return ERR_PROTOCOL;
    struct refusal refusal;
    struct statement *statement = NULL;
    struct statement_source source = {.name = "", .sql = sql, .len = len};
    enum status status = query_judge(session, &source, &statement, &refusal);
    if (status != OK && status != DENIED)
        return status;
    if (script_needed(session, statement)) {
        status = script_begin(session, statement);
        if (status != OK)
            statement_unref(statement);
        return status;
    }
    if (status == OK) {
        session->pending = statement;
        return OK;
    }
    status = refuse_query(session, statement, &refusal);
    statement_unref(statement);
    return status;
}

static bool is_empty(const struct verdict *verdict)
{
    return verdict->statement_count == 0 ||
           (verdict->statement_count == 1 && verdict->statements[0].kind == STATEMENT_EMPTY);
}

/* Nothing of the client's has gone upstream in the open group. */
static bool only_identity(const struct session *session)
{
    const struct request *head = requests_head(&session->requests);
    return session->requests.count == 1 && head->kind == REQUEST_IDENTITY;
}

static enum status on_query(struct session *session, const struct wire_message *message)
{
    /* In an open group the server skips a query after an error, and goes on skipping until a Sync:
     * were it sent ahead of the answers, the group would be taken for ended by it, and a deaf
     * connection would go back to the pool. One that could not become the session's is closed. */
    if (session->group_forwarded && session->requests.count > 0 && !only_identity(session))
        return query_drain(session);
    if (session->script == NULL) {
        query_drop_stale(session);
        if (session->pending == NULL) {
            enum status status = judge_query(session, message);
            if (status != OK || (session->pending == NULL && session->script == NULL))
                return status;
        }
    }
    if (session->script != NULL)
        return script_step(session);
    struct statement *statement = session->pending;
    if (is_empty(statement->verdict)) {
        struct buf out;
        buf_init(&out, 0);
        wire_put_empty_query(&out);
        enum status status = query_finish(session, &out);
        buf_free(&out);
        return status;
    }
    bool done = false;
    if (statement->local && statement->verdict->statements[0].kind != STATEMENT_PREPARE)
        return script_local(session, statement);
    return query_forward(session, statement, false, &done);
}

static enum status forward_function(struct session *session, const struct wire_message *message,
                                    struct statement *statement, struct refusal *refusal)
{
    bool writes = statement == NULL || statement->verdict->statements[0].writes;
    enum status status = mission_limits_statement(session, statement, refusal);
    if (status == OK)
        status = query_need_server(session, AHEAD_NEVER, refusal);
    uint64_t id = 0;
    if (status == OK)
        status = query_begin_record(session, statement, 0, writes, &id, refusal);
    if (status != OK)
        return status;
    struct request *request = requests_add(&session->requests, REQUEST_FUNCTION);
    if (request == NULL)
        return ERR_MEMORY;
    request->audit_id = id;
    request->statement = statement_ref(statement);
    session->objects_open =
        session->objects_open || (statement != NULL && statement->verdict->statements[0].objects);
    request->group = session->group++;
    request->started = clock_microseconds();
    session->group_forwarded = false;
    query_unsettle(session);
    wire_put_message(&session->server->out, message);
    worker_touch_server(session->worker, session->server);
    return OK;
}

static enum status on_function(struct session *session, const struct wire_message *message)
{
    struct refusal refusal = {0};
    struct wire_call call;
    if (wire_parse_call(message, &call) != OK)
        return ERR_PROTOCOL;
    /* As a query, see there. */
    if (session->group_forwarded && session->requests.count > 0)
        return query_drain(session);
    query_drop_stale(session);
    enum status status = OK;
    if (!session_unrestricted(session) && session->pending == NULL)
        status = query_judge_call(session, &call, &session->pending, &refusal);
    if (status == OK)
        status = forward_function(session, message, session->pending, &refusal);
    return status == DENIED ? refuse_query(session, session->pending, &refusal) : status;
}

static enum status on_copy(struct session *session, const struct wire_message *message)
{
    /* Outside COPY PostgreSQL ignores these: a client may still be sending when the server has
     * given up. Or it has not waited to be asked, and what is on its way is the COPY. */
    if (session->state != SESSION_COPY_IN)
        return query_drain(session);
    if (session->server == NULL)
        return ERR_PROTOCOL;
    struct request *head = requests_head(&session->requests);
    if (head != NULL && message->type == 'd')
        head->bytes += message->len + WIRE_HEADER_BYTES;
    wire_put_message(&session->server->out, message);
    worker_touch_server(session->worker, session->server);
    if (message->type != 'd')
        session_enter(session, SESSION_READY);
    return OK;
}

void query_end_overdue(struct session *session)
{
    struct server *server = session->server;
    const struct request *head = requests_head(&session->requests);
    if (head == NULL || server == NULL || server->state != SERVER_ACTIVE ||
        !mission_limits_over(session))
        return;
    if (session->state == SESSION_COPY_IN) {
        static const char why[] = "the mission's time is over";
        const struct wire_message fail = {
            .type = 'f', .body = (const unsigned char *)why, .len = sizeof why};
        wire_put_message(&server->out, &fail);
        worker_touch_server(session->worker, server);
        session_enter(session, SESSION_READY);
        worker_touch(session->worker, session);
    } else if (head->kind == REQUEST_QUERY && !head->failed && server->cancels == 0 &&
               head->index + 1 < head->statement->verdict->statement_count) {
        server_cancel(server);
    }
}

static enum status on_terminate(struct session *session, const struct wire_message *message)
{
    (void)message;
    session_end(session, "client terminated");
    return CLOSED;
}

/* ---- dispatch ---- */

typedef enum status message_fn(struct session *session, const struct wire_message *message);

static const struct message_row {
    unsigned char code;
    bool when_skipping; /* also between a refused message and its Sync */
    bool in_copy;
    bool settled; /* not before it is known what of the identity was undone */
    bool runs;    /* a statement, or a part of one */
    message_fn *handle;
} message_rows[] = {
    {'Q', false, false, true, true, on_query},
    {'P', false, false, true, false, extended_parse},
    {'B', false, false, true, false, extended_bind},
    {'D', false, false, true, false, extended_describe},
    {'E', false, false, true, true, extended_execute},
    {'C', false, false, true, false, extended_close},
    {'S', true, true, false, false, extended_sync},
    {'H', false, true, false, false, extended_flush},
    {'F', false, false, true, true, on_function},
    {'d', false, true, false, false, on_copy},
    {'c', false, true, false, false, on_copy},
    {'f', false, true, false, false, on_copy},
    {'X', true, true, false, false, on_terminate},
};

static const struct message_row *find_row(unsigned char code)
{
    for (size_t i = 0; i < sizeof message_rows / sizeof message_rows[0]; i++)
        if (message_rows[i].code == code)
            return &message_rows[i];
    return NULL;
}

/* The attack: a minute before the mission ends something slow is sent, and behind it what is to be
 * read in the next hours. So under such a mission one thing is on its way at a time. */
static enum status wait_for_running(struct session *session)
{
    const struct request *request;
    if (!mission_limits_timed(session))
        return OK;
    TAILQ_FOREACH(request, &session->requests.list, link)
    {
        if (request->kind == REQUEST_QUERY || request->kind == REQUEST_EXECUTE ||
            request->kind == REQUEST_FUNCTION)
            return query_drain(session);
    }
    return OK;
}

static bool session_quiet(const struct session *session)
{
    return session->pending == NULL && session->script == NULL && session->requests.count == 0 &&
           transaction_clean(&session->transaction) && !query_in_transaction(session);
}

enum status query_next(struct session *session)
{
    struct wire_message message;
    size_t head = session->in.head;
    size_t tail = session->in.tail;
    enum status status = wire_next(&session->in, WIRE_FROM_CLIENT,
                                   session->worker->config->limits.message_bytes, &message);
    if (status == NEED_MORE)
        return status;
    const struct message_row *row = status == OK ? find_row(message.type) : NULL;
    if (row == NULL) {
        session_fail(session, ERR_PROTOCOL, NULL,
                     status == ERR_LIMIT ? "invalid message length"
                                         : "invalid frontend message type");
        return ERR_PROTOCOL;
    }
    session->last_active = session->worker->now;
    if (session->state == SESSION_SKIPPING && !row->when_skipping)
        return OK;
    if (session->state == SESSION_COPY_IN && !row->in_copy) {
        session_fail(session, ERR_PROTOCOL, NULL, "unexpected message type during COPY from stdin");
        return ERR_PROTOCOL;
    }
    if (session_quiet(session) && !session_refresh_world(session))
        return CLOSED;
    status = row->settled && session->unsettled && !session->begins ? query_drain(session) : OK;
    if (status == OK && row->runs)
        status = wait_for_running(session);
    if (status == OK && row->settled)
        status = mission_check_time(session);
    if (status == OK && row->settled && session->script == NULL)
        status = query_settle_temporary(session, message.type != 'Q' && message.type != 'F');
    if (status == OK)
        status = row->handle(session, &message);
    else if (status == DENIED)
        status = OK;
    if (session->state == SESSION_DEAD || session->state == SESSION_CLOSING)
        return CLOSED;
    if (status == NEED_MORE) {
        /* It waits: the message is handled again, from its start. */
        session->in.head = head;
        session->in.tail = tail;
        return NEED_MORE;
    }
    statement_unref(session->pending);
    script_end(session);
    uses_unref(session->pending_uses);
    statement_unref(session->preparing);
    session->pending = session->preparing = NULL;
    session->pending_uses = NULL;
    session->pending_begun = session->pending_asked = session->begins = false;
    if (status == OK)
        return OK;
    session_fail(session, status, NULL,
                 status == ERR_PROTOCOL ? "invalid message format"
                                        : "the statement could not be handled");
    return status;
}
