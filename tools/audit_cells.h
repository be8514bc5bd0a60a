/*
 * audit_cells.h: what stands in records, written where people and spreadsheets read it.
 *
 * Names, reasons and application names are whatever a client sent. On a terminal a control
 * character can hide or forge lines, and in a spreadsheet a text that begins with "=" is run:
 * neither leaves here. JSON is the form that changes nothing.
 */
#ifndef PGVIGIL_TOOLS_AUDIT_CELLS_H
#define PGVIGIL_TOOLS_AUDIT_CELLS_H

#include <jansson.h>
#include <pgvigil/buf.h>
#include <stdbool.h>
#include <stdio.h>

/* The text with control characters, and those that turn the direction of writing, as \u{1b}. */
void cells_text(const char *text, FILE *out);
/* One cell of CSV (RFC 4180), a comma before it unless it is the first: always quoted, escaped as
 * above, and with an apostrophe before what a spreadsheet would take for a formula. */
void cells_csv(const char *text, bool first, FILE *out);
void cells_csv_end(FILE *out);

/* How many columns of a terminal the escaped text takes, a character for each. */
size_t cells_width(const char *text);

/* "17, 20-25, A-3": what `patients` lists; appends. */
void cells_subjects(const json_t *patients, size_t max, struct buf *out);
/* "public.patients, public.stays". */
void cells_relations(const json_t *relations, struct buf *out);
/* "public.patients (id; masked birth_date; written phone)". */
void cells_columns(const json_t *relations, struct buf *out);
/* The buffer's text; "" when nothing could be appended. */
const char *cells_string(struct buf *text);

#endif
