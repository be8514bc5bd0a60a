/*
 * mission_limits.h: whether a mission may be used now, from here, and how much more it gives.
 *
 * The policy's hours, addresses, max_rows, rows_per_hour and statements_per_day. Hours and
 * addresses are asked when a mission is chosen and before each statement; rows are counted as they
 * come. Rows of unrestricted roles are not limited.
 */
#ifndef PGVIGIL_PROXY_MISSION_LIMITS_H
#define PGVIGIL_PROXY_MISSION_LIMITS_H

#include "proxy/query.h"

/* May the session's client use the mission under that role now? OK; DENIED with *message (a
 * sentence, in the arena) and *hint; ERR_MEMORY. mission -1: OK. */
NODISCARD enum status mission_limits_place(const struct session *session, int role, int mission,
                                           struct arena *arena, const char **message,
                                           const char **hint);
/* The same for the session's own, before a statement runs; and whether rows are left. Transaction
 * control and what pgvigil answers itself is always free. DENIED: texts live in the statement's
 * arena, or (statement NULL) in the session's. */
NODISCARD enum status mission_limits_statement(struct session *session,
                                               const struct statement *statement,
                                               struct refusal *refusal);
/* An aggregate_only mission's statements of the day: those that this one holds are taken, once,
 * when it is sent, whatever becomes of it: an error, a cancel and no answer at all are answers too.
 */
NODISCARD enum status mission_limits_ask(struct session *session, const struct statement *statement,
                                         struct refusal *refusal);
/* Does its time end, a token's, a broken glass's or the day's? What is sent under it must not wait
 * on the server behind something slow. */
bool mission_limits_timed(const struct session *session);
/* Is that time over? */
bool mission_limits_over(const struct session *session);
/* May a result end because it has too many rows? */
bool mission_limits_rows(const struct session *session);
/* One more row of a statement whose rows so far, with this one, are `rows`. OK; DENIED with a
 * sentence: it must not be passed on. ERR_MEMORY. */
NODISCARD enum status mission_limits_row(struct session *session, uint64_t rows, char *message,
                                         size_t size);
/* Nothing is owed any more: what was taken for rows that did not come is given back. */
void mission_limits_settle(struct session *session);

#endif
