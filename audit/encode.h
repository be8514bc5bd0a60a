/*
 * encode.h: JSON text written straight into a buffer, without allocation (not "json_": Jansson
 * exports that).
 *
 * Values come from clients: whatever their bytes are, what is written is valid JSON and valid UTF-8
 * on one line. A byte that is not part of a valid character becomes U+FFFD.
 */
#ifndef PGVIGIL_AUDIT_ENCODE_H
#define PGVIGIL_AUDIT_ENCODE_H

#include <pgvigil/buf.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a value that are kept; longer ones are cut at a character and end with U+2026. */
#define ENCODE_VALUE_MAX 8192U

/* Appends a quoted string of at most `max` bytes of text. Returns the bytes that were read: less
 * than strlen(text) when it was cut. */
size_t encode_string(struct buf *out, const char *text, size_t max);
/* Appends ,"key":"value"; nothing when the value is NULL. Keys are our own words. */
void encode_field(struct buf *out, const char *key, const char *value);
/* Appends ,"key":number. */
void encode_number(struct buf *out, const char *key, uint64_t value);
/* Appends ,"key":true. */
void encode_true(struct buf *out, const char *key);
/* Appends decimal digits. */
void encode_digits(struct buf *out, uint64_t value);

#endif
