/*
 * observed.h: sessions of a database in observe mode.
 *
 * Everything that such a session sends runs unchanged, with the rights of the database's
 * `unrestricted` login, whatever the person may do: NOTHING IS ENFORCED. What enforcing would have
 * made of each statement, for the person's own role and mission, is judged and stands in its
 * record. Judging cannot make a statement fail: what cannot be judged is an observation too.
 *
 * Refused are, as ever, what pgvigil itself is asked for and cannot give: a mission that the role
 * does not have, a setting pgvigil.* that there is not.
 */
#ifndef PGVIGIL_PROXY_OBSERVED_H
#define PGVIGIL_PROXY_OBSERVED_H

#include "proxy/query.h"

/* Makes statement->verdict (what runs: the text as it is) and statement->observed. OK; DENIED with
 * *refusal, whose texts live in the statement; ERR_MEMORY. */
NODISCARD enum status observed_judge(struct session *session, struct statement *statement,
                                     const struct statement_source *source,
                                     struct refusal *refusal);
/* Of other sessions nothing: reads what judging needs of the start-up settings, and records those
 * that enforcing would refuse. ERR_MEMORY, ERR_AUDIT. */
NODISCARD enum status observed_startup(struct session *session);
/* Of what there is no text: a portal that SQL made, the function-call message. */
const struct audit_statement *observed_unknown(void);

/* The server says that a statement of a text is done (NULL: of what there is no text), or that a
 * parameter has changed: path, mission and application are what the next observation is for.
 * ERR_MEMORY, ERR_AUDIT. */
NODISCARD enum status observed_done(struct session *session, const struct statement *statement,
                                    const struct verdict_statement *done);
NODISCARD enum status observed_parameter(struct session *session, const char *name,
                                         const char *value);
/* A record of what was observed is made: it counts. */
void observed_count(struct session *session, const struct audit_statement *record);

/* The start-up options of the session's server connection: " -c name=value" for each of its
 * settings, as the client's own start-up packet would have set them, so that RESET goes back to
 * them. */
void observed_options(const struct session *session, struct buf *out);

#endif
