/*
 * class.h: how long a record is wanted for: its class.
 *
 * Care: who did what with whose data, and why. Technical: that somebody connected, that the server
 * ran. Chain: what the trail itself needs to be checked; it names nobody and is kept. Whatever is
 * not known to be technical is care: it is kept for longer.
 */
#ifndef PGVIGIL_AUDIT_CLASS_H
#define PGVIGIL_AUDIT_CLASS_H

#include "chain.h"

#include <stddef.h>

enum record_class { RECORD_CARE, RECORD_TECHNICAL, RECORD_CHAIN };

/* Of a line that chain_line_parse accepted. */
enum record_class record_class_of(const char *line, size_t len, const struct chain_line *parsed);

#endif
