/*
 * notification.c: LISTEN, and what comes of it (see notification.h).
 *
 * Trust boundary: channel and payload are another client's, or a trigger's, and may hold what the
 * policy hides from this session: whoever names a channel in the policy answers for what is sent
 * there. A function of the database's may have listened to others on a connection that is shared.
 *
 * Unlistening is believed late: a session that is thought to listen holds a connection for nothing,
 * one that is thought not to would miss what it waits for.
 */
#include "proxy/notification.h"

#include "proxy/break_glass.h"
#include "proxy/mission_limits.h"
#include "proxy/person.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <string.h>

void notification_sent(struct session *session, const struct verdict_statement *statement)
{
    if (statement->kind != STATEMENT_LISTEN)
        return;
    session->listening = true;
    if (session->server != NULL)
        session->server->listened = true;
}

void notification_done(struct session *session, const struct verdict_statement *statement,
                       const char *tag)
{
    bool undone = statement != NULL &&
                  (statement->kind == STATEMENT_ROLLBACK_TO || strcmp(tag, "ROLLBACK") == 0);
    if (statement != NULL && statement->kind == STATEMENT_UNLISTEN && statement->target == NULL)
        session->unlistens = true;
    else if (undone || (statement != NULL && statement->kind == STATEMENT_LISTEN))
        session->unlistens = false;
}

void notification_failed(struct session *session)
{
    session->unlistens = false;
}

void notification_settle(struct session *session)
{
    if (session->unlistens)
        session->listening = false;
    session->unlistens = false;
}

void notification_end(struct session *session)
{
    session->listening = session->unlistens = false;
}

/* May it be heard now? */
static bool passes(struct session *session, const char *channel)
{
    const struct policy *policy = session->world->policy;
    const struct identity *identity = &session->identity;
    const char *message = NULL;
    const char *hint = NULL;
    if (!session->listening || identity_is_nobody(identity) || person_is_over(identity) ||
        identity->mission < 0 || !policy_role_allows(policy, identity->role, ALLOW_LISTEN) ||
        !policy_channel_open(policy, identity->role, channel))
        return false;
    if (identity->glass != NULL && session->worker->now >= identity->glass->until)
        return false;
    struct arena *arena = arena_new(0);
    bool open = arena != NULL && mission_limits_place(session, identity->role, identity->mission,
                                                      arena, &message, &hint) == OK;
    arena_free(arena);
    return open;
}

static enum status record(struct session *session, const char *channel, size_t payload)
{
    char detail[160];
    snprintf(detail, sizeof detail, "channel %s, %zu bytes", channel, payload);
    if (audit_event(session->worker->audit, "notification", &session->who, detail) == OK)
        return OK;
    log_event(LOG_LEVEL_ERROR, "session=%lu event=audit-failed", (unsigned long)session->id);
    return ERR_AUDIT;
}

/* The client knows itself by the number it was given when it logged in; the others of a restricted
 * session are processes of a database server that it does not see. */
static uint32_t shown_pid(const struct session *session, uint32_t pid)
{
    bool own = session->server != NULL && pid == (uint32_t)PQbackendPID(session->server->conn);
    if (own)
        return session->key_id;
    return session_unrestricted(session) ? pid : 0;
}

enum status notification_message(struct session *session, const struct wire_message *message)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    uint32_t pid = wire_get_u32(&cursor);
    const char *channel = wire_get_cstr(&cursor);
    const char *payload = wire_get_cstr(&cursor);
    if (wire_end(&cursor) != OK)
        return ERR_PROTOCOL;
    if (!session_unrestricted(session)) {
        /* Without a record it is as if it had not been sent. */
        if (!passes(session, channel) || record(session, channel, strlen(payload)) != OK)
            return OK;
        session->out.recorded_notifications = true;
    }
    size_t before = outbox_uncovered(&session->out);
    struct buf body;
    buf_init(&body, 0);
    buf_u32(&body, shown_pid(session, pid));
    buf_append(&body, message->body + 4, message->len - 4);
    struct wire_message shown = *message;
    shown.body = buf_head(&body);
    if (!body.failed)
        wire_put_message(&session->out.bytes, &shown);
    enum status status = body.failed ? ERR_MEMORY : OK;
    buf_free(&body);
    if (before == 0)
        outbox_cover(&session->out);
    worker_touch(session->worker, session);
    return status;
}
