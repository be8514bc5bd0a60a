/*
 * undone.c: what the trail says was done, and was not to stay (see undone.h).
 *
 * Trust boundary: the words of the events are pgvigil's; of PostgreSQL's error they hold the
 * SQLSTATE alone, since its message may quote a value.
 */
#include "proxy/undone.h"

#include <stdio.h>

#include "pgvigil/audit.h"
#include "proxy/session.h"
#include "proxy/worker.h"

/* Ends what was done before it, with a record of its own, or takes it into a block. */
static bool controls(enum statement_kind kind)
{
    return kind == STATEMENT_BEGIN || kind == STATEMENT_COMMIT || kind == STATEMENT_ROLLBACK ||
           kind == STATEMENT_PREPARE_TRANSACTION;
}

void undone_completed(struct session *session, const struct verdict_statement *statement)
{
    if (statement != NULL && controls(statement->kind))
        session->undone.writes = 0;
    else if (!session->transaction.block && (statement == NULL || statement->writes))
        session->undone.writes++;
}

void undone_failed(struct session *session, const char *sqlstate)
{
    if (session->undone.writes > 0)
        snprintf(session->undone.sqlstate, sizeof session->undone.sqlstate, "%s", sqlstate);
}

static enum status tell(struct session *session, const char *event, const char *detail)
{
    session->undone = (struct undone){0};
    return audit_event(session->worker->audit, event, &session->who, detail);
}

enum status undone_ready(struct session *session)
{
    struct undone *undone = &session->undone;
    if (undone->writes == 0)
        return OK;
    if (session->tx != 'I' || undone->sqlstate[0] == '\0') {
        *undone = (struct undone){0};
        return OK;
    }
    char detail[160];
    snprintf(detail, sizeof detail,
             "statements that can write, done before this and undone by error %s: %u",
             undone->sqlstate, undone->writes);
    return tell(session, "rolled-back", detail);
}

enum status undone_lost(struct session *session)
{
    if (session->undone.writes == 0)
        return OK;
    char detail[160];
    snprintf(detail, sizeof detail,
             "statements that can write, done before this, of which PostgreSQL has not said that "
             "they are committed: %u",
             session->undone.writes);
    return tell(session, "commit-unknown", detail);
}
