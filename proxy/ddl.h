/*
 * ddl.h: DDL of unrestricted roles, which meets the guards.
 *
 * Guards are views over the governed tables: PostgreSQL would refuse to alter or drop what they
 * read, and would follow renames silently. So a text that may do such a thing is not forwarded but
 * run by a thread of its own (ddl_run.h), which takes the guards concerned away before and makes
 * them again behind, in the same transaction; its answer comes back as the server's. Once it is
 * committed the catalogs are read again before the client hears of it, so that no statement of
 * anyone's that begins afterwards is judged by what the database was.
 *
 * What cannot be seen beforehand (DO blocks, functions) is left to PostgreSQL, and to the look at
 * the guards whenever the catalogs are read.
 */
#ifndef PGVIGIL_PROXY_DDL_H
#define PGVIGIL_PROXY_DDL_H

#include "proxy/query.h"

/* Is it run here rather than forwarded? */
bool ddl_wanted(const struct session *session, struct statement *statement);
/* A text of several statements that must be taken apart at its BEGIN and COMMIT. */
bool ddl_splits(const struct session *session, struct statement *statement);
/* Why a text that is wanted cannot be run here: DENIED with *refusal, else OK. */
NODISCARD enum status ddl_check(struct statement *statement, struct refusal *refusal);
/* Runs it, with nothing owed to the session; the request for its answer is the last of the queue.
 * DENIED: not now, it is to be forwarded. The session waits when OK is returned, and its message is
 * done with. ERR_MEMORY. */
NODISCARD enum status ddl_start(struct session *session, struct statement *statement,
                                bool extended);
/* Something was done to an unrestricted session's statement: the catalogs may be others now. */
void ddl_completed(struct session *session, const struct verdict_statement *statement);
/* The server is ready: in or outside a transaction. */
void ddl_ready(struct session *session);
/* Waits for all that run: their workers' mailboxes have the rest. */
void ddl_join(void);
/* For an error that a guard is the reason of: what can be done about it, or NULL. */
const char *ddl_hint(const struct wire_report *report);

#endif
