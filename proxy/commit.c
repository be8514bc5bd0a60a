/*
 * commit.c: group commit (see commit.h).
 *
 * The promise is the same as with a flush that the loop waits for: no byte of a result leaves, and
 * no statement that writes is sent, before its record is safe. What was covered when a flush began
 * is marked (session_hold), and its end releases that and nothing that came later.
 */
#include "proxy/commit.h"

#include "proxy/meter.h"
#include "proxy/session.h"

void commit_round(struct worker *worker)
{
    size_t count = 0;
    struct session *session;
    TAILQ_FOREACH(session, &worker->touched, touched_link)
    count++;
    while (count-- > 0) {
        session = TAILQ_FIRST(&worker->touched);
        TAILQ_REMOVE(&worker->touched, session, touched_link);
        session->touched = false;
        if (session->state != SESSION_DEAD)
            session_write(session);
        if (session->state != SESSION_DEAD)
            session_process(session);
        if (session->state == SESSION_DEAD || session->unflushed || !session_waits_flush(session))
            continue;
        session->unflushed = true;
        TAILQ_INSERT_TAIL(&worker->unflushed, session, flush_link);
    }
}

static void go_on(struct session *session, bool flushed, bool waited)
{
    if (session->state != SESSION_DEAD)
        session_write(session);
    if (session->state == SESSION_DEAD)
        return;
    if (waited)
        session_resume(session, flushed);
    else
        session_process(session);
}

/* All that wait, at once: a flush that the loop has waited for, or that failed. */
static void settle_unflushed(struct worker *worker, bool flushed)
{
    struct session_list list = TAILQ_HEAD_INITIALIZER(list);
    TAILQ_CONCAT(&list, &worker->unflushed, flush_link);
    struct session *session;
    TAILQ_FOREACH(session, &list, flush_link)
    session_settle(session, flushed);
    while ((session = TAILQ_FIRST(&list)) != NULL) {
        TAILQ_REMOVE(&list, session, flush_link);
        session->unflushed = false;
        go_on(session, flushed, true);
    }
}

static void settle_syncing(struct worker *worker, bool flushed)
{
    struct session_list list = TAILQ_HEAD_INITIALIZER(list);
    TAILQ_CONCAT(&list, &worker->syncing, sync_link);
    struct session *session;
    TAILQ_FOREACH(session, &list, sync_link)
    session_settle_held(session, flushed);
    while ((session = TAILQ_FIRST(&list)) != NULL) {
        TAILQ_REMOVE(&list, session, sync_link);
        session->syncing = false;
        go_on(session, flushed, session->held.waits || !flushed);
    }
}

static void finish(struct worker *worker)
{
    bool flushed = worker_flushed(worker, audit_flush_end(worker->audit));
    settle_syncing(worker, flushed);
    /* What was appended since is gone with it. */
    if (!flushed)
        settle_unflushed(worker, false);
}

static void begin(struct worker *worker)
{
    if (!audit_pending(worker->audit)) {
        settle_unflushed(worker, true);
        return;
    }
    if (audit_full(worker->audit)) {
        settle_unflushed(worker, worker_flush(worker));
        return;
    }
    worker_flushing(worker);
    if (audit_flush_begin(worker->audit) != OK) {
        settle_unflushed(worker, worker_flushed(worker, ERR_AUDIT));
        return;
    }
    struct session *session;
    while ((session = TAILQ_FIRST(&worker->unflushed)) != NULL) {
        TAILQ_REMOVE(&worker->unflushed, session, flush_link);
        session->unflushed = false;
        if (session->state == SESSION_DEAD)
            continue;
        session_hold(session);
        session->syncing = true;
        TAILQ_INSERT_TAIL(&worker->syncing, session, sync_link);
    }
}

void commit_take_up(struct worker *worker)
{
    if (audit_flush_ended(worker->audit))
        finish(worker);
}

void commit_flush(struct worker *worker)
{
    if (audit_flushing(worker->audit))
        return;
    if (!TAILQ_EMPTY(&worker->unflushed) || audit_pending(worker->audit))
        begin(worker);
}

void commit_end(struct worker *worker)
{
    if (audit_flushing(worker->audit))
        finish(worker);
    settle_unflushed(worker, worker_flush(worker));
    worker->group_commit = false;
}

void commit_forget(struct worker *worker, struct session *session)
{
    if (session->unflushed)
        TAILQ_REMOVE(&worker->unflushed, session, flush_link);
    if (session->syncing)
        TAILQ_REMOVE(&worker->syncing, session, sync_link);
    session->unflushed = session->syncing = false;
}
