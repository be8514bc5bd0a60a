/*
 * identity_text.h: what makes a server connection one person's, as settings in one text.
 *
 * Name and value by turns, each with its NUL: what is compared with what is in force, and the only
 * thing that either way of sending it is made from, so that the two cannot differ. A text is plain
 * data with one owner.
 */
#ifndef PGVIGIL_PROXY_IDENTITY_TEXT_H
#define PGVIGIL_PROXY_IDENTITY_TEXT_H

#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity_text {
    char *bytes; /* owned; NULL: nothing is known, or is to be set */
    size_t len;
    size_t path_at; /* where the search path begins; what stands before says who acts and why */
};

/* Frees what it holds; it is nothing then. */
void identity_text_free(struct identity_text *text);
/* Takes the bytes of `buf`, and frees it. False: out of memory. */
bool identity_text_take(struct identity_text *text, struct buf *buf, size_t path_at);
/* Into one that holds nothing. False: out of memory. */
bool identity_text_copy(const struct identity_text *from, struct identity_text *to);
bool identity_text_same(const struct identity_text *a, const struct identity_text *b);
/* The same names in the same order. */
bool identity_text_alike(const struct identity_text *a, const struct identity_text *b);
/* Who acts and why is another, not the search path alone. */
bool identity_text_differs(const struct identity_text *a, const struct identity_text *b);

/* One statement, no values in it but as literals; "" for nothing. */
void identity_text_sql(const struct identity_text *text, struct buf *out);
/* The same with $1, $2... for the values. */
void identity_text_statement(const struct identity_text *text, struct buf *out);
/* The values as in Bind; how many. */
uint16_t identity_text_values(const struct identity_text *text, struct buf *out);

#endif
