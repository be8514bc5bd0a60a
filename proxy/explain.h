/*
 * explain.h: what of a plan a restricted session is shown.
 *
 * Of each line the type of the node that it begins, with its place in the tree; other lines, which
 * hold conditions, keys and names, are not shown at all.
 */
#ifndef PGVIGIL_PROXY_EXPLAIN_H
#define PGVIGIL_PROXY_EXPLAIN_H

#include "proxy/request.h"
#include "proxy/wire.h"

/* Is what the request gives a plan? */
bool explain_runs(const struct request *head);
/* What is shown of a line, appended to `out`; false: nothing. */
bool explain_line(const char *line, size_t len, struct buf *out);
/* The same of a DataRow: *shown, whose body stands in `room`. False: the row is not shown. */
bool explain_row(const struct wire_message *message, struct buf *room, struct wire_message *shown);

#endif
