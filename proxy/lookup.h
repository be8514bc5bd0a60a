/*
 * lookup.h: simple queries that pick a row by its primary key, ever another one.
 *
 * PostgreSQL parses, analyses and plans such a text each time, with the guard in it: most of what
 * it costs there. Once a worker has seen one a few times, it goes as Bind and Execute of a
 * statement that is prepared once on each server connection, with the key's values as parameters.
 * The client is told what a simple query tells: RowDescription, rows, CommandComplete,
 * ReadyForQuery, and errors with their place in the client's own text. Which statements may go so,
 * and why it makes no difference to them, is in policy/judge_lookup.c; texts with other strings
 * than the key's do not, since settings may read those (dialect.h).
 *
 * A struct lookup belongs to the statement that was judged (statement.h: origin).
 */
#ifndef PGVIGIL_PROXY_LOOKUP_H
#define PGVIGIL_PROXY_LOOKUP_H

#include "proxy/session.h"

struct constant;
struct constants;
struct lookup;

/* In the statement's arena, once its constants are kept. NULL: it cannot go so, or out of memory.
 */
struct lookup *lookup_new(const struct statement *statement);
/* `statement` stands for the same text with other constants: it may go so, if only the key's
 * differ. */
void lookup_take(struct statement *statement, const struct statement *origin,
                 const struct constants *constants);
/* The text with its parameters, and the constants of statement->sql that they stand for; for tests.
 */
const char *lookup_text(const struct lookup *lookup, size_t *len);
const struct constant *lookup_constants(const struct statement *statement);

/* Sends it. `request` is its own, the newest. False: it is to be sent as a text. */
bool lookup_send(struct session *session, const struct statement *statement,
                 struct request *request);
/* So many have found all places taken, by texts of long ago or of one client's, that the connection
 * had better be reset and its places given anew. */
bool lookup_wants_places(const struct server *server);
/* ParseComplete, BindComplete or CloseComplete: the client has not asked for it. */
NODISCARD enum status lookup_acknowledged(struct session *session, struct request *request,
                                          unsigned char type);
/* An error came instead of what is still owed. A position in the text that was prepared becomes one
 * in the text that would have been sent; `room` holds it. */
#define LOOKUP_POSITION_BYTES 24
void lookup_failed(struct request *request, const char **position,
                   char room[LOOKUP_POSITION_BYTES]);
/* ReadyForQuery without an error: nothing is owed any more. */
NODISCARD enum status lookup_ready(const struct request *request);

#endif
