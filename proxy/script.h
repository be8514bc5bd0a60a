/*
 * script.h: simple queries in which pgvigil has something to do itself.
 *
 * A text of several statements is one message to PostgreSQL. Where pgvigil's own statements (SET
 * pgvigil.mission...) stand among others, or where an identity that the transaction changed goes
 * back in the middle of it, the text is run in parts, each judged when its turn has come: an error
 * ends the rest. That is what PostgreSQL would do inside a block and in front of a text; in the
 * middle of a text that is a transaction by itself the parts would not be one, and it is refused.
 */
#ifndef PGVIGIL_PROXY_SCRIPT_H
#define PGVIGIL_PROXY_SCRIPT_H

#include "proxy/query.h"

/* Must it be run in parts? `statement` may have been refused as a whole. */
bool script_needed(const struct session *session, struct statement *statement);
/* Makes session->script of it, taking the caller's reference. ERR_MEMORY: the reference stays. */
NODISCARD enum status script_begin(struct session *session, struct statement *statement);
/* An error came: if there is one, its rest is not run. */
void script_fail(struct session *session);
/* It is over, if there is one. */
void script_end(struct session *session);
/* Goes on with session->script. OK: it is answered to its end; NEED_MORE: waits. */
NODISCARD enum status script_step(struct session *session);
/* A single statement that is pgvigil's own. As above. */
NODISCARD enum status script_local(struct session *session, struct statement *statement);

#endif
