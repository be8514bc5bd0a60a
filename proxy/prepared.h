/*
 * prepared.h: SQL's PREPARE and EXECUTE.
 *
 * They share one name space with the protocol's named statements, as in PostgreSQL: PREPARE is a
 * Parse of the statement inside it, whose parameters' types have names instead of OIDs; EXECUTE
 * runs what the session knows by the name, under the name that the server at hand has for it. So
 * pooling, and judging anew when mission, path or policy have changed, are the same for both.
 */
#ifndef PGVIGIL_PROXY_PREPARED_H
#define PGVIGIL_PROXY_PREPARED_H

#include "proxy/query.h"

/* What the judge asks while it judges `statement`; it keeps what it found (statement->executes). */
struct prepared_lookup {
    struct session *session;
    struct statement *statement;
    bool denied; /* a name was found and may not be used: */
    struct refusal refusal;
};
/* For struct judge_request: `context` is a struct prepared_lookup. */
const char *prepared_name(void *context, const char *name, bool *writes);

/* Is what a text executes still what the session knows by those names, and judged for it as it is
 * now? */
bool prepared_is_current(const struct session *session, const struct statement *statement);
/* A named statement that was judged for another epoch, judged again and put in its place. DENIED
 * with *refusal, whose texts live in *again. *again is one reference, to be given back. */
NODISCARD enum status prepared_judge_again(struct session *session,
                                           const struct statement *statement,
                                           struct statement **again, struct refusal *refusal);
/* How a PREPARE came: as a portal, as a text or the last of one, with more of the text behind it.
 */
enum prepared_way { PREPARED_EXTENDED, PREPARED_ALONE, PREPARED_PART };
/* Runs it. OK: *done tells whether the message is over; NEED_MORE: waits. */
NODISCARD enum status prepared_run(struct session *session, struct statement *statement,
                                   enum prepared_way way, bool *done);
/* Sends ahead of a simple query what it executes and the server at hand lacks. OK, or NEED_MORE:
 * the session waits for it. */
NODISCARD enum status prepared_ahead(struct session *session, const struct statement *statement);

#endif
