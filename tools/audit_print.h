/*
 * audit_print.h: answers of a search (audit/search.h) as text, JSON or CSV.
 */
#ifndef PGVIGIL_TOOLS_AUDIT_PRINT_H
#define PGVIGIL_TOOLS_AUDIT_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum audit_format { AUDIT_TEXT, AUDIT_JSON, AUDIT_CSV };

/* "text", "json", "csv"; NULL is text. False: another word. */
bool audit_format_parse(const char *word, enum audit_format *format);
/* The line of headings that CSV begins with. */
void audit_print_head(enum audit_format format, FILE *out);
void audit_print_answer(enum audit_format format, const json_t *answer, FILE *out);

#endif
