/*
 * result_rows.h: between result.c and its rows; result.h has what others call.
 */
#ifndef PGVIGIL_PROXY_RESULT_ROWS_H
#define PGVIGIL_PROXY_RESULT_ROWS_H

#include "proxy/result.h"
#include "proxy/subjects.h"

/* A DataRow or CopyData of the request at the head. As result_message. */
NODISCARD enum status result_row(struct session *session, struct request *head,
                                 const struct wire_message *message);

/* The columns of the head's rows that tell whose they are: not the client's. */
struct subjects_shape result_subjects(const struct request *head);
/* session->subjects, which is made if there is none; NULL when out of memory. */
struct subjects *result_kept_subjects(struct session *session);
/* The client asked for none: RETURNING was added for the record. */
bool result_hides_rows(const struct request *head);
/* One more row, for the record and the limits. */
NODISCARD enum status result_count_row(struct session *session, struct request *head);

/* The message goes to the client, unless its answers are dropped. */
void result_emit(struct session *session, const struct wire_message *message);
/* What has been given so far has its record; `audited` not OK: it has not, and is withheld. */
NODISCARD enum status result_cover(struct session *session, enum status audited);

#endif
