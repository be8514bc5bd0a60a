/*
 * text.h: small things said once about SQL text and bytes.
 */
#ifndef PGVIGIL_TEXT_H
#define PGVIGIL_TEXT_H

#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends an identifier, always in double quotes, quotes doubled: safe anywhere an identifier may
 * stand. */
void text_quote_ident(struct buf *out, const char *name);
/* Appends a string constant; E'' form when it holds a backslash, so that it reads the same under
 * any standard_conforming_strings. */
void text_quote_literal(struct buf *out, const char *value);
/* Appends a string of a policy or a configuration, in double quotes, as libconfig reads it back. */
void text_quote_config(struct buf *out, const char *text);
/* Appends {"1","2"}, an array as PostgreSQL reads it: every element quoted, so that no value can be
 * a NULL, a brace or a comma. */
void text_quote_array(struct buf *out, const char *const *values, size_t count);
/* The same in the arena: "name", 'value', "schema"."name". NULL when out of memory. */
char *text_ident(struct arena *arena, const char *name);
char *text_literal(struct arena *arena, const char *value);
char *text_qualified(struct arena *arena, const char *schema, const char *name);
/* What was put into `text`, as a string in the arena; frees the buffer. NULL when the buffer failed
 * or there is no memory. */
char *text_take(struct buf *text, struct arena *arena);
/* The same text, or none on both sides. */
bool text_same(const char *a, const char *b);
/* Of UTF-8, in the first `bytes` of it. */
size_t text_characters(const char *text, size_t bytes);
/* 8-4-4-4-12 hexadecimal digits, in capitals or not: the one form of RFC 9562; PostgreSQL reads
 * others too. */
bool text_is_uuid(const char *text, size_t len);
/* '*' stands for any run of characters, '?' for one; everything else for itself. */
bool text_matches(const char *pattern, const char *text);
/* The nearest of `count` names within edit distance 2 (for "did you mean"), or NULL. */
const char *text_nearest(const char *name, const char *const *names, size_t count);
/* XXH3 of bytes as 16 (64-bit) or 32 (128-bit) lower-case hex digits and a NUL. For naming and
 * caching; not a defence against someone who chooses the bytes: that is SHA-256's work. */
void text_hash64(const void *bytes, size_t len, char out[17]);
void text_hash128(const void *bytes, size_t len, char out[33]);
/* Valid UTF-8 without NUL (RFC 3629: no surrogates, no overlong forms). */
bool text_is_utf8(const void *bytes, size_t len);
void text_hex(const void *bytes, size_t len, char *out); /* out holds 2 * len + 1 */

#endif
