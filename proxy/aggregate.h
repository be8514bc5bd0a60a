/*
 * aggregate.h: groups of patients on their way to the client (docs/aggregate-missions.md).
 *
 * The statement asks for no group of fewer than k patients (policy/judge_aggregate_text.c). Here
 * each row is looked at once more: whether the rows that it is of, which stand in front of it, are
 * of k patients, and whether it would tell of fewer together with what the person was told before
 * (cells.h). One that would is withheld. What is told, and what is withheld, counts against
 * answers_per_day.
 *
 * Trust boundary: the server's bytes. What cannot be read is no answer.
 */
#ifndef PGVIGIL_PROXY_AGGREGATE_H
#define PGVIGIL_PROXY_AGGREGATE_H

#include "proxy/query.h"

/* Are answers left for what the text asks of groups? OK. DENIED with *refusal, whose texts live in
 * the statement. ERR_MEMORY. */
NODISCARD enum status aggregate_may_ask(struct session *session, const struct statement *statement,
                                        struct refusal *refusal);
/* Does the request's current statement give groups of an aggregate_only mission? */
bool aggregate_runs(const struct request *request);
/* A DataRow of such, whole, with its hidden columns. *shown: it may be told. DENIED with a
 * sentence: neither it nor what follows may. ERR_PROTOCOL, ERR_MEMORY. */
NODISCARD enum status aggregate_row(struct session *session, struct request *head,
                                    const struct wire_message *message, bool *shown, char *why,
                                    size_t size);
/* It is complete, or failed on the server (`late`: while it ran). */
void aggregate_done(struct session *session, struct request *head, bool failed);
/* Before what was admitted leaves. ERR_IO, ERR_MEMORY: it may not. */
NODISCARD enum status aggregate_save(struct session *session);

#endif
