/*
 * undone.h: what the trail says was done, and was not to stay.
 *
 * PostgreSQL answers a statement with CommandComplete, which its record is made for, before the
 * transaction commits. In a BEGIN block the record of COMMIT or ROLLBACK tells the rest. Outside
 * one nothing would: a group of the extended protocol, or the text of a simple query, is a
 * transaction that ends without a statement of its own (PostgreSQL documentation 55.2.2.1
 * and 55.2.3), and a deferred constraint, a later statement or the end of the server undoes what
 * came before. So statements that can write are counted until ReadyForQuery, and an event says what
 * has become of them: "rolled-back" where PostgreSQL said so, "commit-unknown" where nobody did.
 *
 * One of each session; one thread.
 */
#ifndef PGVIGIL_PROXY_UNDONE_H
#define PGVIGIL_PROXY_UNDONE_H

#include "pgvigil/judge.h"

struct session;

struct undone {
    unsigned writes;  /* done outside a block, and not known to be committed */
    char sqlstate[6]; /* of the error that has undone them; "": none has come */
};

/* Its CommandComplete has come and has its record. `statement` NULL: a function call. */
void undone_completed(struct session *session, const struct verdict_statement *statement);
/* An ErrorResponse of PostgreSQL's, not FATAL. */
void undone_failed(struct session *session, const char *sqlstate);
/* ReadyForQuery, session->tx being its status: what was done is committed, or appends
 * "rolled-back". As audit_event. */
NODISCARD enum status undone_ready(struct session *session);
/* No ReadyForQuery will come: appends "commit-unknown". As audit_event. */
NODISCARD enum status undone_lost(struct session *session);

#endif
