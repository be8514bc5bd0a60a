/*
 * console.h: what a client gets who asks for the database "pgvigil": figures by SQL, as PgBouncer's
 * users expect.
 *
 * For users that admin.users names; they prove who they are as for any database, over the same
 * port. Anybody else is told that there is no such database, as of any other. The console answers
 * SHOW and a word (view.h) in the simple and the extended protocol, and nothing else: it has no
 * role, no mission and no server connection, and no SQL of any kind reaches a database from here.
 * Its connections, each SHOW and each refusal are on record.
 */
#ifndef PGVIGIL_PROXY_CONSOLE_H
#define PGVIGIL_PROXY_CONSOLE_H

#include "proxy/session.h"

struct console;

/* Of an authenticated session: asks for the console and may have it. */
bool console_opens(const struct session *session, const struct policy_user *user);
/* Welcomes it: READY. Another status: the session has ended. */
NODISCARD enum status console_start(struct session *session);
/* The next message. NEED_MORE, or CLOSED after the session's end. */
NODISCARD enum status console_next(struct session *session);
/* Once a second: a worker that does not answer is not waited for any longer. */
void console_tick(struct session *session);
void console_free(struct console *console); /* accepts NULL */

#endif
