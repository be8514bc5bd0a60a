/*
 * result.c: backend messages against the queue of requests (see result.h).
 *
 * Trust boundary: the server's bytes, bounded by wire.c. A message that the request at the head
 * cannot be answered with ends the server connection: an answer given to the wrong request would be
 * someone's data in the wrong place.
 */
#include "proxy/result.h"

#include "proxy/copy.h"
#include "proxy/ddl.h"
#include "proxy/explain.h"
#include "proxy/lookup.h"
#include "proxy/mission.h"
#include "proxy/mission_limits.h"
#include "proxy/notification.h"
#include "proxy/observed.h"
#include "proxy/parameter.h"
#include "proxy/pool.h"
#include "proxy/result_rows.h"
#include "proxy/script.h"
#include "proxy/scrub.h"
#include "proxy/subjects.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- giving ---- */

void result_emit(struct session *session, const struct wire_message *message)
{
    if (session->muted)
        return;
    wire_put_message(&session->out.bytes, message);
    worker_touch(session->worker, session);
}

/* Something that needs no record leaves as soon as what stands before it may. */
static void cover_if_clear(struct session *session, size_t uncovered_before)
{
    if (uncovered_before == 0)
        outbox_cover(&session->out);
    worker_touch(session->worker, session);
}

static void emit_plain(struct session *session, const struct wire_message *message)
{
    size_t before = outbox_uncovered(&session->out);
    result_emit(session, message);
    cover_if_clear(session, before);
}

/* As PostgreSQL does, before ReadyForQuery and however the value came to change. */
static void show_application(struct session *session)
{
    const char *value = session->identity.application == NULL ? "" : session->identity.application;
    const char *shown = session->shown_application;
    if (shown == NULL)
        shown = mission_start(session)->application;
    if (session_unrestricted(session) || strcmp(shown == NULL ? "" : shown, value) == 0)
        return;
    wire_put_parameter_status(&session->out.bytes, "application_name", value);
    if (identity_replace(&session->shown_application, value) != OK)
        session->out.bytes.failed = true;
}

/* What a request has ready instead of the server's answer. */
static void emit_canned(struct session *session, const struct request *request)
{
    size_t before = outbox_uncovered(&session->out);
    if (!request->own && !session->muted)
        buf_append(&session->out.bytes, request->canned, request->canned_len);
    cover_if_clear(session, before);
}

static void emit_ready(struct session *session)
{
    unsigned char shown = session->tx;
    session->answer_waits = false;
    if (session->poisoned && shown == 'T')
        shown = 'E';
    session->muted = false;
    show_application(session);
    if (session->reset_parameters)
        parameters_reset(&session->parameters, &session->out.bytes);
    session->reset_parameters = false;
    wire_put_ready(&session->out.bytes, shown);
    outbox_cover(&session->out);
    worker_touch(session->worker, session);
}

/* The record of what is held could not be made: the client gets an error for it. */
static enum status withhold(struct session *session)
{
    if (outbox_drop_uncovered(&session->out) != OK)
        return ERR_AUDIT;
    if (!session->muted)
        wire_put_error(&session->out.bytes, "ERROR", "58030",
                       "the audit record could not be made: the result is withheld", NULL, 0);
    outbox_cover(&session->out);
    session->muted = true;
    worker_touch(session->worker, session);
    return OK;
}

enum status result_cover(struct session *session, enum status audited)
{
    if (audited != OK)
        return withhold(session);
    outbox_cover(&session->out);
    worker_touch(session->worker, session);
    return OK;
}

enum status result_pump(struct session *session)
{
    struct request *head;
    while ((head = requests_head(&session->requests)) != NULL && head->kind == REQUEST_LOCAL) {
        size_t before = outbox_uncovered(&session->out);
        if (!session->muted)
            buf_append(&session->out.bytes, head->canned, head->canned_len);
        bool ready = head->ready;
        uint64_t group = head->group;
        session->answer_waits = true;
        requests_pop(&session->requests);
        if (ready) {
            enum status status = mission_ready(session, session->tx, session->muted);
            if (status != OK)
                return status;
            emit_ready(session);
            if (session->tx == 'I')
                statements_end_portals(session->statements, group);
        }
        cover_if_clear(session, before);
    }
    if (head == NULL)
        session_maybe_release(session);
    return session->out.bytes.failed ? ERR_MEMORY : OK;
}

static enum status finish_head(struct session *session)
{
    requests_pop(&session->requests);
    return result_pump(session);
}

/* ---- errors ---- */

void result_drop_pending(struct session *session)
{
    if (session->pending_begun) {
        const struct audit_outcome outcome = {.sqlstate = "57014"};
        if (audit_end(session->worker->audit, &session->who, session->pending_audit - 1,
                      &outcome) != OK)
            log_event(LOG_LEVEL_ERROR, "session=%lu event=audit-failed",
                      (unsigned long)session->id);
    }
    session->pending_begun = session->pending_asked = false;
    statement_unref(session->pending);
    uses_unref(session->pending_uses);
    statement_unref(session->preparing);
    session->pending = session->preparing = NULL;
    session->pending_uses = NULL;
}

static void forget_prepared(struct session *session, const struct request *request)
{
    struct server *server = session->server;
    const struct statement *statement = request->statement;
    if (server == NULL || request->kind != REQUEST_PARSE || statement == NULL ||
        statement->names_own)
        return;
    if (server->unnamed == statement)
        server_forget_unnamed(server);
    const char *name = statement->names_own ? statement->name : statement->server_name;
    if (name[0] != '\0')
        map_remove_str(server->prepared, name);
}

/* What a Parse added is taken out of the session's names. */
static void forget_name(struct session *session, const struct request *request)
{
    const struct statement *statement = request->statement;
    bool parse = request->kind == REQUEST_PARSE || request->kind == REQUEST_LOCAL;
    if (parse && !request->own && statement != NULL &&
        statements_find(session->statements, statement->name) == statement)
        statements_remove(session->statements, statement->name);
}

/* It was skipped, or failed: names are put back as they were; but the unnamed statement that a
 * Parse was to replace is gone when the Parse fails. */
static enum status undo_names(struct session *session, const struct request *request)
{
    forget_prepared(session, request);
    forget_name(session, request);
    struct statement *displaced = request->displaced;
    if (displaced == NULL || (request->failed && displaced->name[0] == '\0') ||
        statements_find(session->statements, displaced->name) != NULL)
        return OK;
    return statements_put(&session->statements, displaced);
}

static void skip_request(struct request *request, void *context)
{
    struct session *session = context;
    if (undo_names(session, request) != OK)
        log_event(LOG_LEVEL_ERROR, "session=%lu event=statement-lost", (unsigned long)session->id);
    if (result_audit_not_run(session, request, "57014") != OK)
        log_event(LOG_LEVEL_ERROR, "session=%lu event=audit-failed", (unsigned long)session->id);
}

/* To the client's next Sync, nothing of its group being on its way. */
static void skip_to_sync(struct session *session)
{
    result_drop_pending(session);
    if (session->state != SESSION_READY && session->state != SESSION_COPY_IN)
        session_enter(session, SESSION_READY);
    session_enter(session, SESSION_SKIPPING);
}

/* After an error the server drops everything up to Sync: so do the queue and the session. */
static enum status skip_group(struct session *session)
{
    const struct request *head = requests_head(&session->requests);
    const struct request failed = {.kind = head->kind,
                                   .own = head->own,
                                   .failed = true,
                                   .statement = statement_ref(head->statement),
                                   .displaced = statement_ref(head->displaced)};
    requests_pop(&session->requests);
    /* What came last is undone first: a Close behind a Parse that failed gives back what the Parse
     * is to take out. */
    requests_skip_group(&session->requests, skip_request, session);
    enum status status = undo_names(session, &failed);
    statement_unref(failed.statement);
    statement_unref(failed.displaced);
    if (status != OK)
        return status;
    struct request *next = requests_head(&session->requests);
    if (next != NULL && next->more) { /* a part of a text: the others are not run */
        next->more = false;
        script_fail(session);
    }
    bool synced = requests_head(&session->requests) != NULL;
    if (!synced && session->state != SESSION_SKIPPING) {
        skip_to_sync(session);
    } else if (session->state == SESSION_COPY_IN) {
        session_enter(session, SESSION_READY);
    }
    worker_touch(session->worker, session);
    return result_pump(session);
}

static enum status put_report(struct session *session, const struct request *head,
                              struct wire_report *report, unsigned char type)
{
    struct arena *arena = NULL;
    enum status status = OK;
    if (!session_unrestricted(session)) {
        arena = arena_new(0);
        status = arena == NULL ? ERR_MEMORY
                               : scrub_report(report, head == NULL ? NULL : head->statement, arena);
    }
    if (status == OK && !session->muted)
        wire_put_report(&session->out.bytes, type, report);
    arena_free(arena);
    return status;
}

static bool is_fatal(const struct wire_report *report)
{
    const char *severity = report->severity_raw == NULL ? report->severity : report->severity_raw;
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static enum status audited_error(struct session *session, struct request *head,
                                 const char *sqlstate)
{
    if (head->kind == REQUEST_FUNCTION || head->kind == REQUEST_EXECUTE ||
        head->kind == REQUEST_QUERY || head->kind == REQUEST_PARSE || head->kind == REQUEST_BIND ||
        head->kind == REQUEST_DESCRIBE)
        return result_audit_done(session, head, sqlstate, NULL, false);
    return OK;
}

/* The guard is not there: another generation was deployed, or this one removed. */
static void watch_guards(struct session *session, const struct wire_report *report)
{
    if (report->sqlstate != NULL && report->message != NULL &&
        (strcmp(report->sqlstate, "42P01") == 0 || strcmp(report->sqlstate, "3F000") == 0) &&
        strstr(report->message, "pgvigil:") != NULL)
        reload_catalogs(session->worker->process->reload);
}

/* What is prepared does not fit its tables any more: somebody took the guards away, altered them
 * and deployed the same again, and no statement was refused in the meantime. Lookups go as texts
 * until that is known, since who sends a text cannot understand it. */
static void watch_plans(const struct session *session, const struct wire_report *report)
{
    if (report->sqlstate == NULL || strcmp(report->sqlstate, "0A000") != 0 ||
        report->routine == NULL || strcmp(report->routine, "RevalidateCachedQuery") != 0)
        return;
    session->worker->stale_world = session->world->id;
    reload_catalogs(session->worker->process->reload);
}

/* What the client hears of it for: what would have run behind the identity, else the first of the
 * group; NULL: nothing that went upstream. */
static struct request *behind(struct request *identity)
{
    struct request *first = NULL;
    struct request *request = identity;
    while ((request = TAILQ_NEXT(request, link)) != NULL && request->kind != REQUEST_SYNC) {
        if (request->own || request->kind == REQUEST_LOCAL)
            continue;
        if (request->kind == REQUEST_EXECUTE)
            return request;
        first = first == NULL ? request : first;
    }
    return first;
}

/* The error is told in the place of what was sent with the identity. */
static enum status tell_turn_failed(struct session *session, struct request *first,
                                    const char *sqlstate, const char *why)
{
    if (!session->muted)
        wire_put_error(&session->out.bytes, "ERROR", sqlstate, why, NULL, 0);
    enum status status = OK;
    if (first != NULL)
        status = result_cover(session, audited_error(session, first, sqlstate));
    else
        cover_if_clear(session, 0);
    return status;
}

/*
 * The server could not be made the session's, and skips what was sent behind: none of it has run.
 * The connection is closed, so the rest of the answers is given here. What is not sent yet, or
 * still waits for its record, is refused when its turn comes.
 */
static enum status on_turn_failed(struct session *session, struct request *identity,
                                  const struct wire_message *message, bool fatal)
{
    const char *sqlstate;
    const char *why;
    server_turn_failed(session->server, message, &sqlstate, &why);
    if (fatal) {
        sqlstate = "08006";
        why = "the connection to the database server was lost";
    }
    session->group_forwarded = session->pinned = false;
    struct request *sync = TAILQ_NEXT(identity, link);
    if (sync != NULL && sync->own && sync->kind == REQUEST_SYNC)
        requests_remove(&session->requests, sync);
    struct request *first = behind(identity);
    bool alone = TAILQ_NEXT(identity, link) == NULL;
    enum status status = mission_failed(session);
    if (status == OK && !alone)
        status = tell_turn_failed(session, first, sqlstate, why);
    if (status != OK) {
        /* Nothing is left that would end it. */
        session_fail(session, status, NULL, "the statement could not be handled");
        return OK;
    }
    if (first == NULL || first->kind != REQUEST_QUERY)
        requests_skip_group(&session->requests, skip_request, session); /* with the identity */
    else
        requests_pop(&session->requests);
    struct request *end = requests_head(&session->requests);
    if (alone) {
        result_drop_pending(session);
        session_lose(session, sqlstate, why);
    } else if (end != NULL) {
        requests_end_here(&session->requests, end);
        session_count_transaction(session);
    } else if (session->state != SESSION_SKIPPING) {
        skip_to_sync(session);
    }
    worker_touch(session->worker, session);
    return result_pump(session);
}

static enum status on_error(struct session *session, struct request *head,
                            const struct wire_message *message)
{
    struct wire_report report;
    if (wire_parse_report(message, &report) != OK)
        return ERR_PROTOCOL;
    /* Nothing is in its transaction that could fail. */
    if (head->kind == REQUEST_SYNC && head->own)
        return ERR_PROTOCOL;
    if (head->kind == REQUEST_IDENTITY)
        return on_turn_failed(session, head, message, is_fatal(&report));
    if (is_fatal(&report)) {
        session_fail(session, ERR_UPSTREAM, report.sqlstate,
                     report.message == NULL ? "the database server ended the connection"
                                            : report.message);
        return OK;
    }
    if (head->kind == REQUEST_DISUSED)
        return ERR_PROTOCOL; /* a Close gives none */
    watch_guards(session, &report);
    watch_plans(session, &report);
    cursors_failed(session->cursors);
    notification_failed(session);
    temporary_failed(&session->temporary);
    char sqlstate[6];
    head->late = report.position == NULL;
    char position[LOOKUP_POSITION_BYTES];
    lookup_failed(head, &report.position, position);
    snprintf(sqlstate, sizeof sqlstate, "%s", report.sqlstate == NULL ? "XX000" : report.sqlstate);
    enum status status = OK;
    if (head->kind == REQUEST_FAIL) {
        emit_canned(session, head);
    } else if (!head->failed) {
        const char *hint =
            session_unrestricted(session) && !session_observed(session) ? ddl_hint(&report) : NULL;
        report.hint = hint == NULL ? report.hint : hint;
        status = put_report(session, head, &report, 'E');
        if (status == OK)
            status = result_cover(session, audited_error(session, head, sqlstate));
        session->muted = session->muted || head->ahead;
    }
    if (status == OK)
        status = mission_failed(session);
    if (status != OK)
        return status;
    head->failed = true;
    undone_failed(session, sqlstate);
    if (head->kind == REQUEST_QUERY || head->kind == REQUEST_FUNCTION) {
        head->index++;
        if (head->kind == REQUEST_QUERY && result_audit_not_run(session, head, "57014") != OK)
            return ERR_AUDIT;
        if (session->state == SESSION_COPY_IN)
            session_enter(session, SESSION_READY);
        return OK;
    }
    /* The commit that Sync stands for: nothing is skipped, ReadyForQuery follows. */
    if (head->kind == REQUEST_SYNC)
        return OK;
    return skip_group(session);
}

static enum status on_row_description(struct session *session, const struct request *head,
                                      struct wire_message *message, size_t *hidden, size_t *left)
{
    *hidden = *left = 0;
    if (session_unrestricted(session) || head->statement == NULL)
        return OK;
    const struct catalog *catalog =
        head->statement->world->databases[session->database_index].catalog;
    unsigned char *body = (unsigned char *)message->body; /* in the server's own buffer */
    enum status status = subjects_undescribe(&body, &message->len, hidden, left);
    message->body = body;
    return status != OK || catalog == NULL
               ? status
               : scrub_row_description(body, message->len, catalog, &session->temporary);
}

/* ---- endings ---- */

static enum status on_complete(struct session *session, struct request *head,
                               const struct wire_message *message, const char *tag)
{
    result_emit(session, message);
    enum status status = tag == NULL ? OK : use_done(session, head, tag);
    const struct verdict_statement *statement = statement_at(head->statement, head->index);
    if (status == OK && !head->failed) {
        status = result_cover(session, result_audit_done(session, head, NULL, tag, false));
        head->rows = head->bytes = 0;
        head->inexact = head->named = false;
        head->copy_out = false;
        head->index++;
    }
    /* Behind the record: it is of who did it, not of who is there when it is done. */
    if (status == OK && tag != NULL)
        status = mission_completed(session, statement, tag);
    if (tag != NULL && !head->failed)
        undone_completed(session, statement);
    if (status == OK && tag != NULL)
        notification_done(session, statement, tag);
    if (tag != NULL)
        ddl_completed(session, statement);
    if (status == OK && tag != NULL && !head->failed)
        status = observed_done(session, head->statement, statement);
    return status;
}

/* RESET to what the client asked for at its start is sent as SET. */
static bool resets(const struct request *head)
{
    const struct verdict_statement *statement = statement_at(head->statement, head->index);
    return statement != NULL && statement->kind == STATEMENT_RESET;
}

static enum status on_command_complete(struct session *session, struct request *head,
                                       const struct wire_message *message)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    const char *tag = wire_get_cstr(&cursor);
    if (wire_end(&cursor) != OK)
        return ERR_PROTOCOL;
    char room[COPY_TAG_MAX];
    struct wire_message last = *message;
    if (copy_from_runs(head)) {
        if (!copy_from_step(head, &tag, room))
            return OK; /* one of pgvigil's own */
        last.body = (const unsigned char *)tag;
        last.len = strlen(tag) + 1;
    }
    if (strcmp(tag, "SET") == 0 && resets(head)) {
        tag = "RESET";
        last.body = (const unsigned char *)tag;
        last.len = strlen(tag) + 1;
    }
    if (head->rows == 0 || head->copy_out)
        head->rows = wire_tag_rows(tag);
    enum status status = on_complete(session, head, &last, tag);
    if (status != OK || head->kind == REQUEST_QUERY)
        return status;
    return finish_head(session);
}

static enum status on_ready(struct session *session, struct request *head,
                            const struct wire_message *message)
{
    unsigned char tx;
    if (wire_parse_ready(message, &tx) != OK)
        return ERR_PROTOCOL;
    session->tx = tx;
    enum status told = undone_ready(session);
    if (told != OK)
        return told;
    session_count_transaction(session);
    cursors_ready(session->cursors, tx);
    ddl_ready(session);
    temporary_ready(&session->temporary, tx);
    bool own = head->own;
    bool failed = head->failed || session->muted;
    bool part = head->more && !failed;
    bool inner = head->kind == REQUEST_SYNC && (head->ahead || part);
    bool disagrees = tx == 'T' && session->muted && !session->poisoned;
    uint64_t group = head->group;
    if (own)
        session->poisoned = false;
    if (head->more && failed)
        script_fail(session);
    requests_pop(&session->requests);
    /* What is still in flight may have opened one. */
    if (tx == 'I' && session->requests.count == 0) {
        session->objects_open = false;
        dialect_settled(session);
    }
    /* A Sync of pgvigil's own in the middle of a text ends nothing that the client has begun. */
    enum status status = inner && tx == 'I' ? OK : mission_ready(session, tx, failed);
    if (status != OK)
        return status;
    /* The client was given an error that the server knows nothing of. */
    if (disagrees)
        session_poison(session);
    if (!own && !part)
        emit_ready(session);
    if (tx != 'T')
        statements_end_portals(session->statements, group);
    status = result_pump(session);
    if (status == OK)
        session_settle_ahead(session);
    return status;
}

/* COPY FROM STDIN in the extended protocol: a Sync that was sent already is read and ignored by the
 * server. */
static enum status on_copy_in(struct session *session, struct request *head,
                              const struct wire_message *message)
{
    head->copy_in = true;
    if (head->kind == REQUEST_EXECUTE) {
        struct request *next = TAILQ_NEXT(head, link);
        if (next != NULL && next->kind == REQUEST_SYNC) {
            requests_remove(&session->requests, next);
            session->group_forwarded = true;
        }
    }
    result_emit(session, message);
    enum status status = OK;
    if (head->kind != REQUEST_QUERY ? head->audit_id == 0 : head->statement->begun == NULL)
        status = result_audit_more(session, head);
    if (status == OK && (session->state == SESSION_READY || session->state == SESSION_WAIT_DRAIN)) {
        session_enter(session, SESSION_COPY_IN);
        worker_touch(session->worker, session);
    }
    return result_cover(session, status);
}

/* ---- dispatch ---- */

/* Of what runs: the rows begin with as many subjects as their description, or somebody's would be
 * shown. */
static enum status on_running_description(struct session *session, const struct request *head,
                                          struct wire_message *message)
{
    size_t hidden;
    size_t left;
    enum status status = on_row_description(session, head, message, &hidden, &left);
    if (status != OK || hidden != result_subjects(head).count)
        return ERR_PROTOCOL;
    if (!result_hides_rows(head))
        result_emit(session, message);
    return OK;
}

static enum status on_copy_out(struct session *session, struct request *head,
                               struct wire_message *message)
{
    struct subjects_shape hidden = result_subjects(head);
    unsigned char *body = (unsigned char *)message->body; /* in the server's own buffer */
    if (hidden.count > 0 && copy_undescribe(hidden, &body, &message->len) != OK)
        return ERR_PROTOCOL;
    message->body = body;
    copy_out_begin(head, message);
    result_emit(session, message);
    return OK;
}

static enum status running(struct session *session, struct request *head,
                           struct wire_message *message)
{
    bool query = head->kind == REQUEST_QUERY;
    switch (message->type) {
    case 'T':
        return query ? on_running_description(session, head, message) : ERR_PROTOCOL;
    case 'D':
    case 'd':
        return result_row(session, head, message);
    case 'H':
        return on_copy_out(session, head, message);
    case 'c':
        result_emit(session, message);
        return OK;
    case 'G':
        return on_copy_in(session, head, message);
    case 'C':
        return on_command_complete(session, head, message);
    case 'I':
        emit_plain(session, message);
        return query ? OK : finish_head(session);
    case 's':
        if (query || on_complete(session, head, message, NULL) != OK)
            return ERR_PROTOCOL;
        return finish_head(session);
    case '1':
    case '2':
    case '3':
        return head->lookup ? lookup_acknowledged(session, head, message->type) : ERR_PROTOCOL;
    case 'Z':
        if (!query || lookup_ready(head) != OK)
            return ERR_PROTOCOL;
        return on_ready(session, head, message);
    default:
        return ERR_PROTOCOL;
    }
}

static enum status acknowledged(struct session *session, const struct request *head,
                                const struct wire_message *message, unsigned char expected)
{
    if (message->type != expected)
        return ERR_PROTOCOL;
    if (head->canned != NULL)
        emit_canned(session, head);
    else if (!head->own)
        emit_plain(session, message);
    if (head->kind == REQUEST_CLOSE && head->name != NULL)
        use_closed(session, head->name);
    return finish_head(session);
}

static enum status described(struct session *session, const struct request *head,
                             struct wire_message *message)
{
    size_t hidden = 0;
    size_t left = 0;
    if (message->type == 'T' && on_row_description(session, head, message, &hidden, &left) != OK)
        return ERR_PROTOCOL;
    if (message->type != 'T' && message->type != 'n' && message->type != 't')
        return ERR_PROTOCOL;
    const struct wire_message none = {.type = 'n', .body = message->body, .len = 0};
    /* All that it gives was asked for by pgvigil. */
    emit_plain(session, hidden > 0 && left == 0 ? &none : message);
    return message->type == 't' ? OK : finish_head(session);
}

static enum status called(struct session *session, struct request *head,
                          const struct wire_message *message)
{
    if (message->type == 'V') {
        head->bytes += message->len + WIRE_HEADER_BYTES;
        enum status status = head->statement == NULL ? OK : result_count_row(session, head);
        return status == OK ? on_complete(session, head, message, "FUNCTION CALL") : status;
    }
    return message->type == 'Z' ? on_ready(session, head, message) : ERR_PROTOCOL;
}

static enum status turning(struct session *session, const struct wire_message *message)
{
    bool turned;
    enum status status = server_turn_answer(session->server, message, &turned);
    return status == OK && turned ? finish_head(session) : status;
}

/* No transaction of the client's ends with it. */
static enum status closed_disused(struct session *session, struct request *head,
                                  const struct wire_message *message)
{
    unsigned char tx;
    if (message->type == '3' && head->closes > 0) {
        head->closes--;
        if (head->closes > 0 || !head->in_group)
            return OK;
    } else if (head->closes > 0 || wire_parse_ready(message, &tx) != OK || tx != session->tx) {
        return ERR_PROTOCOL;
    }
    enum status status = finish_head(session);
    if (status == OK)
        session_settle_ahead(session);
    /* An answer given here may have waited for it, and no other comes of the server's. */
    worker_touch(session->worker, session);
    return status;
}

static enum status answer(struct session *session, struct request *head,
                          struct wire_message *message)
{
    if (message->type == 'E')
        return on_error(session, head, message);
    switch (head->kind) {
    case REQUEST_QUERY:
    case REQUEST_EXECUTE:
        return running(session, head, message);
    case REQUEST_PARSE:
        return acknowledged(session, head, message, '1');
    case REQUEST_BIND:
        return acknowledged(session, head, message, '2');
    case REQUEST_CLOSE:
        return acknowledged(session, head, message, '3');
    case REQUEST_DESCRIBE:
        return described(session, head, message);
    case REQUEST_FUNCTION:
        return called(session, head, message);
    case REQUEST_SYNC:
        return message->type == 'Z' ? on_ready(session, head, message) : ERR_PROTOCOL;
    case REQUEST_IDENTITY:
        return turning(session, message);
    case REQUEST_DISUSED:
        return closed_disused(session, head, message);
    case REQUEST_LOCAL:
    case REQUEST_FAIL:
        break;
    }
    return ERR_PROTOCOL;
}

/* Said between answers, whatever becomes of them. */
static void tell(struct session *session, const struct wire_message *message)
{
    size_t before = outbox_uncovered(&session->out);
    wire_put_message(&session->out.bytes, message);
    cover_if_clear(session, before);
}

static enum status on_parameter(struct session *session, const struct wire_message *message)
{
    const char *name;
    const char *value;
    if (wire_parse_parameter_status(message, &name, &value) != OK)
        return ERR_PROTOCOL;
    if (session_unrestricted(session) || parameter_passes(name)) {
        tell(session, message);
        parameters_told(&session->parameters, name, value);
    }
    return observed_parameter(session, name, value);
}

static enum status on_notice(struct session *session, const struct wire_message *message)
{
    struct wire_report report;
    if (wire_parse_report(message, &report) != OK)
        return ERR_PROTOCOL;
    const struct request *head = requests_head(&session->requests);
    if (head != NULL && head->kind == REQUEST_IDENTITY)
        return OK; /* of a statement that the client knows nothing of */
    size_t before = outbox_uncovered(&session->out);
    enum status status = put_report(session, head, &report, 'N');
    cover_if_clear(session, before);
    return status;
}

/* Only a server that is going away speaks unasked: its own word and SQLSTATE (57P01, 25P03) go to a
 * session that ends with it. */
static enum status on_farewell(struct session *session, const struct wire_message *message)
{
    struct wire_report report;
    if (message->type != 'E' || wire_parse_report(message, &report) != OK)
        return ERR_PROTOCOL;
    if (!is_fatal(&report) || report.sqlstate == NULL || report.message == NULL)
        return OK;
    server_close(session->server, "ended-by-server");
    session_server_lost(session, report.sqlstate, report.message);
    return OK;
}

enum status result_message(struct session *session, struct wire_message *message)
{
    struct request *head = requests_head(&session->requests);
    enum status status;
    session->answer_waits = false;
    switch (message->type) {
    case 'S':
        status = on_parameter(session, message);
        break;
    case 'N':
        status = on_notice(session, message);
        break;
    case 'A':
        status = notification_message(session, message);
        break;
    default:
        if (head == NULL)
            return on_farewell(session, message);
        status = answer(session, head, message);
        break;
    }
    if (status == OK && session->out.bytes.failed)
        status = ERR_MEMORY;
    return status;
}
