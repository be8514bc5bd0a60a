/*
 * copy.h: the rows among the messages of a COPY.
 */
#ifndef PGVIGIL_PROXY_COPY_H
#define PGVIGIL_PROXY_COPY_H

#include "proxy/request.h"
#include "proxy/wire.h"

/* CopyOutResponse for the request at the head: its data begins. */
void copy_out_begin(struct request *request, const struct wire_message *message);
/* Is this whole CopyData one row? Not the line of column names, not the trailer of the binary
 * format. */
bool copy_out_row(struct request *request, const unsigned char *body, size_t len);

#endif
