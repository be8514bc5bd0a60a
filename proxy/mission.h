/*
 * mission.h: who acts and why, as it changes: the session's side of SET, RESET and DISCARD of
 * pgvigil's own settings, and of transactions that take such a change back.
 *
 * identity.h has the values, transaction.h the stack that undoing needs; here is what a change
 * means to a session: verdicts, portals and the server's identity are of yesterday, the audit gets
 * a "mission" event, a role of the other kind needs a server of the other kind.
 */
#ifndef PGVIGIL_PROXY_MISSION_H
#define PGVIGIL_PROXY_MISSION_H

#include "proxy/query.h"

/* What RESET goes back to: the session after its start-up settings. Kept apart once it is about to
 * become another, which whoever changes session->identity says before. ERR_MEMORY. */
NODISCARD enum status mission_keep_start(struct session *session);
const struct identity *mission_start(const struct session *session);
void mission_free_start(struct session *session);
/* SET, SET LOCAL or RESET of one of pgvigil's own settings, of search_path or application_name;
 * setting NULL: all of them. Nothing may be owed. DENIED with *refusal (texts in the arena):
 * nothing was changed. ERR_MEMORY, ERR_AUDIT. */
NODISCARD enum status mission_set(struct session *session,
                                  const struct verdict_statement *statement, struct arena *arena,
                                  struct refusal *refusal);

/* Only says whether that would be refused. */
NODISCARD enum status mission_try(const struct session *session,
                                  const struct verdict_statement *statement, struct arena *arena,
                                  struct refusal *refusal);

/* A person's token that is over ends her, a break-glass mission whose time has come is left: OK
 * (nothing was due, or it is done: what comes next is refused once), NEED_MORE (answers are owed
 * first), ERR_MEMORY, ERR_AUDIT. */
NODISCARD enum status mission_check_time(struct session *session);
/* The flush of an entry's record succeeded: the alert goes out; or failed: the mission is left. */
NODISCARD enum status mission_confirm(struct session *session, bool flushed);
/* The session ends, or its policy changes, while the glass is broken: the record of that. */
NODISCARD enum status mission_glass_over(struct session *session, const char *how);

/* The server completed a statement; `statement` NULL: one that pgvigil has no text of. */
NODISCARD enum status mission_completed(struct session *session,
                                        const struct verdict_statement *statement, const char *tag);
/* An error of the server's, or one that the client was given in its place outside a block. */
NODISCARD enum status mission_failed(struct session *session);
/* ReadyForQuery. `failed`: the client was given an error for what it asked since the last one. */
NODISCARD enum status mission_ready(struct session *session, unsigned char tx, bool failed);

#endif
