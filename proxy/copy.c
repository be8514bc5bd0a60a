/*
 * copy.c: the rows among the messages of a COPY (see copy.h).
 *
 * PostgreSQL sends one CopyData for each row; the binary format's file header stands before the
 * first row in the same message, its trailer in one of its own. Other servers may cut the stream
 * elsewhere: rows are then counted as messages, which errs by little, and CommandComplete tells the
 * true number for the record.
 */
#include "proxy/copy.h"

/* "PGCOPY\n\377\r\n\0", flags, length of the header's extension, which is always empty. */
#define BINARY_HEADER ((size_t)19)

void copy_out_begin(struct request *request, const struct wire_message *message)
{
    request->copy_out = true;
    request->copy_begun = false;
    request->copy_binary = message->len > 0 && message->body[0] == 1;
}

static bool has_header(const struct request *request)
{
    const struct statement *statement = request->statement;
    return statement != NULL && request->index < statement->verdict->statement_count &&
           statement->verdict->statements[request->index].copy_header;
}

bool copy_out_row(struct request *request, const unsigned char *body, size_t len)
{
    bool first = !request->copy_begun;
    request->copy_begun = true;
    if (!request->copy_binary)
        return !first || !has_header(request);
    size_t at = first ? BINARY_HEADER : 0;
    bool trailer = len < at + 2 || (body[at] == 0xff && body[at + 1] == 0xff);
    return !trailer;
}
