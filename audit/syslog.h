/*
 * syslog.h: a line of the trail as RFC 5424 messages, framed for TLS (RFC 5425: octet counting).
 *
 *   <110>1 2026-01-31T12:00:00.000000Z SITE pgvigil - TYPE [pgvigil@32473 chain="0" seq="7"
 *   hash="..."] BOM{"seq":7,...}
 *
 * All of it comes from the line, the time too: a line that is sent again is the same message, byte
 * for byte, so that a receiver can tell. One that is longer than the receiver takes goes in parts
 * (part="1" parts="3"), cut between characters; their texts one behind the other are the line.
 */
#ifndef PGVIGIL_AUDIT_SYSLOG_H
#define PGVIGIL_AUDIT_SYSLOG_H

#include "tail.h"

#include <pgvigil/buf.h>
#include <stddef.h>

/* 32473 is the number that RFC 5612 keeps for texts; pgvigil has none of its own. */
#define SYSLOG_ELEMENT "pgvigil@32473"

struct syslog_form {
    const char *site;         /* HOSTNAME: printable ASCII without spaces, at most 255 */
    unsigned facility;        /* 0 to 23 */
    size_t max_message_bytes; /* of one message, without its frame; at least 2048 */
};

/* Appends what is to be sent for one line; out->failed when there is no memory. */
void syslog_put(struct buf *out, const struct syslog_form *form, const struct tail_line *line);

#endif
