/*
 * session_settle.c: what a flush of the audit means for a session (see session.h, commit.h).
 *
 * The promise is kept here: what a flush covered leaves, and what one that failed was to cover is
 * replaced by an error.
 */
#include "proxy/mission.h"
#include "proxy/session.h"

static void withdraw(struct session *session)
{
    struct buf error;
    buf_init(&error, 0);
    wire_put_error(&error, "ERROR", "58030",
                   "the audit record could not be written: the result is withheld",
                   "The audit trail's disk may be full. Nothing is answered without a record.", 0);
    bool in_group = false;
    bool in_transaction = false;
    enum status status = error.failed
                             ? ERR_MEMORY
                             : outbox_withdraw(&session->out, buf_head(&error), buf_len(&error),
                                               &in_group, &in_transaction);
    buf_free(&error);
    if (status != OK) {
        session_end(session, "audit record could not be written");
        return;
    }
    if (in_group)
        session->muted = true;
    if (in_transaction)
        session_poison(session);
}

/* What a failed flush was to cover is taken back. */
static void refuse_covered(struct session *session)
{
    if (session->glass_entered != NULL && mission_confirm(session, false) != OK) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return;
    }
    if (!outbox_holds_covered(&session->out))
        return;
    if (session->connected && !session->welcomed) {
        session->out.bytes.tail = session->out.bytes.head + session->out.safe;
        session->out.covered = session->out.safe;
        session->out.marked = 0;
        session_fail(session, ERR_AUDIT, NULL,
                     "the audit record of this connection could not be written");
    }
    /* What a session says on its way out holds no data. */
    if (session->state == SESSION_CLOSING)
        outbox_release(&session->out);
    else
        withdraw(session);
}

void session_settle(struct session *session, bool flushed)
{
    session_hold(session);
    session_settle_held(session, flushed);
}

bool session_waits_flush(const struct session *session)
{
    return outbox_holds_covered(&session->out) || session->state == SESSION_WAIT_AUDIT ||
           session->glass_entered != NULL || (session->connected && !session->welcomed);
}

void session_hold(struct session *session)
{
    outbox_mark(&session->out);
    session->held.glass = session->glass_entered != NULL;
    session->held.waits = session->state == SESSION_WAIT_AUDIT;
    session->held.welcome = session->connected;
}

void session_settle_held(struct session *session, bool flushed)
{
    if (session->state == SESSION_DEAD)
        return;
    if (!flushed) {
        refuse_covered(session);
        return;
    }
    if (session->held.glass && session->glass_entered != NULL &&
        mission_confirm(session, true) != OK) {
        session_fail(session, ERR_MEMORY, NULL, "out of memory");
        return;
    }
    outbox_release_marked(&session->out);
    session->welcomed = session->welcomed || session->held.welcome;
}
