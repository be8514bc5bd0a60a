/*
 * result.h: what a server answers, on its way to the client.
 *
 * Each backend message belongs to the request at the head of the session's queue. Rows are passed
 * on as they are; what describes or explains them (RowDescription, errors, notices) is made to
 * speak of tables, not guards (scrub.h). A result is held until the record that covers it is
 * appended (outbox.h).
 */
#ifndef PGVIGIL_PROXY_RESULT_H
#define PGVIGIL_PROXY_RESULT_H

#include "proxy/query.h"

/* One whole message. OK; ERR_PROTOCOL: not what the server owed: the caller closes it. ERR_MEMORY,
 * ERR_AUDIT. */
NODISCARD enum status result_message(struct session *session, struct wire_message *message);
/* The whole DataRows (or CopyData) at the start of what a server said, in one run, where nothing
 * looks into them; *taken bytes are done, 0: message by message, please. `len` is not 0.
 * ERR_MEMORY, ERR_AUDIT. */
NODISCARD enum status result_rows(struct session *session, const unsigned char *bytes, size_t len,
                                  size_t *taken);
/* Part of a long DataRow or CopyData, the first with its header; `left` bytes are still to come. */
NODISCARD enum status result_piece(struct session *session, unsigned char type, const void *bytes,
                                   size_t len, size_t left, bool first);
/* Is enough of a long DataRow there for the first part, its header and what else has come of it? */
bool result_subjects_are_in(const struct session *session, const unsigned char *bytes, size_t len);
/* Delivers canned answers that have come to the head of the queue. */
NODISCARD enum status result_pump(struct session *session);
/* An error in an extended group, or a mute: drops what the client's message at hand was to be. */
void result_drop_pending(struct session *session);

/* ---- records (record.c) ---- */

/* Appends the begin record of a statement; `statement` NULL: one that pgvigil has no text of.
 * `use`: what it reads by another's name, or NULL. */
NODISCARD enum status result_audit_begin(struct session *session, struct statement *statement,
                                         size_t index, const struct use *use, uint64_t *id);
/* Appends the record of a refusal. */
NODISCARD enum status result_audit_refusal(struct session *session,
                                           const struct statement *statement,
                                           const struct refusal *refusal);
/* Appends the record (whole, or end) of a request's current statement. sqlstate NULL: success. */
NODISCARD enum status result_audit_done(struct session *session, struct request *request,
                                        const char *sqlstate, const char *tag, bool unfinished);
/* Appends begin or more, so that what is held may leave. */
NODISCARD enum status result_audit_more(struct session *session, struct request *request);
/* Statements of a request that were begun and will not run. */
NODISCARD enum status result_audit_not_run(struct session *session, struct request *request,
                                           const char *sqlstate);
/* The session or its server ended: records the outcome of what was under way. */
void result_abandon(struct session *session);

#endif
