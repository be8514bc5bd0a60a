/*
 * query.h: what a client asks: the only place where judging, auditing and forwarding meet.
 *
 * A message is dispatched by a table row (code, handler). A handler either finishes with its
 * message or leaves the session in a WAIT state, to be called again for the same message (judged
 * once: session->pending keeps the verdict).
 */
#ifndef PGVIGIL_PROXY_QUERY_H
#define PGVIGIL_PROXY_QUERY_H

#include "proxy/session.h"

/* A portal that nobody has: executing it is the cheapest way to make a transaction fail on the
 * server. */
#define QUERY_FAILING_PORTAL "pgvigil refused"
/* How the names of pgvigil's own portals begin: no client's do. */
#define QUERY_OWN_PORTALS "pgvigil "

/* The next message of a session in READY, SKIPPING or COPY_IN. OK: handled, go on. NEED_MORE: no
 * whole message, or the session waits (its state says for what) and the message stands in `in`
 * still. Others: it was failed. */
NODISCARD enum status query_next(struct session *session);

struct refusal {
    const char *sqlstate;
    const char *message;
    const char *hint;     /* or NULL */
    size_t position;      /* 0: none */
    bool failed_upstream; /* the server's transaction has failed with this already */
};
/* Gives the client an error in its place in the queue and has the server's transaction fail with
 * it. Extended protocol: skips to Sync; else ReadyForQuery follows. ERR_MEMORY. */
NODISCARD enum status query_refuse(struct session *session, const struct refusal *refusal,
                                   bool extended);
/* Canned bytes in their place in the queue. */
NODISCARD enum status query_answer(struct session *session, const struct buf *bytes, bool ready);
/* The same for the end of a simple query; it ends the implicit transaction of an open group too. */
NODISCARD enum status query_finish(struct session *session, const struct buf *bytes);
/* Sends a judged simple query, or refuses it. `more`: another part of the client's text follows. OK
 * with *done: nothing may follow. NEED_MORE. */
NODISCARD enum status query_forward(struct session *session, struct statement *statement, bool more,
                                    bool *done);
/* Forgets session->pending when it was judged for what the session is no longer. */
void query_drop_stale(struct session *session);
/* Does it end a transaction, or go back in one? Who acts may be another one afterwards, and a
 * failed transaction takes nothing else. */
bool query_goes_back(enum statement_kind kind);
/* Only what is free without a mission too: transaction control, pgvigil's own statements. */
bool query_harmless(const struct session *session, const struct verdict *verdict);
/* A break-glass mission has ended since the last statement: says so, once, in *refusal. */
bool query_glass_over(struct session *session, struct refusal *refusal);
/* Once a second. Results that are under way finish when the mission's time is over; the statements
 * that stand behind in the same text are not run any more, and no more rows are taken for a COPY.
 */
void query_end_overdue(struct session *session);
/* What was just sent may undo an own setting that the transaction has changed. */
void query_unsettle(struct session *session);

/* May it share its implicit transaction with the identity that is sent ahead of it? A SELECT or
 * write that is the only one of its text and leaves nothing on the connection: BEGIN would take its
 * isolation level too late, DECLARE and LOCK find a transaction that the client has not begun. */
bool query_is_plain(const struct statement *statement);
/* OK: a server is bound, and whatever is sent to it runs under the session's identity or not at
 * all. `ahead`: what the first thing that is sent allows. NEED_MORE: the session waits for one.
 * DENIED: none can be had, *refusal says why (its texts live in the session). */
NODISCARD enum status query_need_server(struct session *session, enum ahead ahead,
                                        struct refusal *refusal);
/* Before anything is judged that may name temporary tables: what there are is known, and none is of
 * a mission that has ended. OK; NEED_MORE; DENIED: it could not be, and the client was told. */
NODISCARD enum status query_settle_temporary(struct session *session, bool extended);
/* Waits until every earlier request is answered: OK, or NEED_MORE. */
NODISCARD enum status query_drain(struct session *session);
/* The begin record of a statement that may write, or of any while the audit is unwell. OK: it is
 * flushed (or not needed), *id is 1 + its number or 0; NEED_MORE: waits for the flush; DENIED: it
 * could not be written. */
NODISCARD enum status query_begin_record(struct session *session, struct statement *statement,
                                         size_t index, bool needed, uint64_t *id,
                                         struct refusal *refusal);
/* Judges a new statement. OK: *statement is allowed (one reference). DENIED: *refusal, whose texts
 * live in *statement, which is given too. ERR_MEMORY. */
struct statement_source {
    const char *name;
    const char *sql;
    size_t len;
    const uint32_t *types;
    size_t type_count;
    size_t skipped; /* characters of the client's text in front of `sql` */
    bool extended;
};
NODISCARD enum status query_judge(struct session *session, const struct statement_source *source,
                                  struct statement **statement, struct refusal *refusal);
/* The same for a restricted role's FunctionCall, as the statement that it is. */
NODISCARD enum status query_judge_call(struct session *session, const struct wire_call *call,
                                       struct statement **statement, struct refusal *refusal);
/* What of the session a verdict depends on; the text is the caller's to add. `settings`, which the
 * request points to, are the caller's too. Without a mission it names the role's first. */
#define QUERY_JUDGE_SETTINGS 2
struct judge_request query_judge_request(const struct session *session,
                                         const char *settings[QUERY_JUDGE_SETTINGS]);
/* A statement that goes upstream and leaves a setting on the server connection keeps that
 * connection for the session, until it ends or discards all: the next person must not inherit it.
 * What drops prepared statements there makes their names unknown here. */
void query_note_settings(struct session *session, const struct statement *statement);
/* Does the server at hand know the statement, by the name that is sent? (extended.c) */
bool extended_is_prepared(const struct session *session, const struct statement *statement);
/*
 * Before it is bound: what is prepared may come to be read by another dialect than its name says:
 * here, where the server lacks it, or by PostgreSQL itself, which reads a text anew when something
 * it stands on has changed (its plan cache, RevalidateCachedQuery). The attack, or the accident:
 * SET LOCAL, EXECUTE, COMMIT, and whoever has the connection next finds other dates under that
 * name. So nobody has it next before it is reset.
 */
void extended_note_reread(const struct session *session, const struct statement *statement);
/* Is a Parse in flight that may fail, and leave the server without it? */
bool extended_in_doubt(const struct session *session, const struct statement *statement);
/* Sends its Parse; `own`: the answer is not the client's. ERR_MEMORY. */
NODISCARD enum status extended_send_parse(struct session *session, struct statement *statement,
                                          bool own);
/* Nothing is in flight but the newest request, and the identity that went ahead of it. */
bool query_nothing_before(const struct session *session);
/* In a transaction block, or in the implicit transaction of a group that went upstream in part. */
bool query_in_transaction(const struct session *session);

/* The extended protocol's handlers (extended.c). */
NODISCARD enum status extended_parse(struct session *session, const struct wire_message *message);
NODISCARD enum status extended_bind(struct session *session, const struct wire_message *message);
NODISCARD enum status extended_describe(struct session *session,
                                        const struct wire_message *message);
NODISCARD enum status extended_execute(struct session *session, const struct wire_message *message);
NODISCARD enum status extended_close(struct session *session, const struct wire_message *message);
NODISCARD enum status extended_sync(struct session *session, const struct wire_message *message);
NODISCARD enum status extended_flush(struct session *session, const struct wire_message *message);

#endif
