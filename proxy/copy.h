/*
 * copy.h: COPY on its way through: the rows among its messages, and the four statements that
 * COPY FROM is upstream (policy/judge_copy_from.c).
 */
#ifndef PGVIGIL_PROXY_COPY_H
#define PGVIGIL_PROXY_COPY_H

#include "proxy/copy_subjects.h"
#include "proxy/request.h"
#include "proxy/wire.h"

#include <pgvigil/arena.h>

/* CopyOutResponse for the request at the head: its data begins. */
void copy_out_begin(struct request *request, const struct wire_message *message);
/* What the next CopyData is, by its first bytes. False: the trailer of the binary format. */
bool copy_out_data(const struct request *request, const unsigned char *body, size_t len,
                   enum copy_data *data);
/* Is this whole CopyData one row? Not the line of column names, not the trailer of the binary
 * format. */
bool copy_out_row(struct request *request, const unsigned char *body, size_t len);

/* Is the current statement of the request a COPY FROM of a restricted role? */
bool copy_from_runs(const struct request *request);
/* One of its four statements is complete. True with *tag replaced when it was the last: that is the
 * client's answer. `room` holds the new tag. */
#define COPY_TAG_MAX 32
bool copy_from_step(struct request *request, const char **tag, char room[COPY_TAG_MAX]);
/* What PostgreSQL reports of them, as of a COPY into the table: no temporary table, no other
 * command; of the context only the place in the data, which goes to *where (NULL: none). For other
 * statements nothing is changed. ERR_MEMORY. */
NODISCARD enum status copy_from_report(struct wire_report *report,
                                       const struct statement *statement, const char **where,
                                       struct arena *arena);

#endif
