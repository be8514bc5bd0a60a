/*
 * encode.c: JSON text written straight into a buffer (see encode.h).
 *
 * Trust boundary: application names, reasons and SQL are the client's bytes. The escaper validates
 * UTF-8 itself, so that a forged record cannot be hidden behind a broken sequence that swallows a
 * quote.
 */
#include "encode.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Length of the valid character at p, 0 when there is none. The text is NUL-terminated: a sequence
 * cut short ends at the NUL, which is no continuation byte. */
static size_t character(const unsigned char *p)
{
    unsigned char lead = p[0];
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    if ((p[1] & 0xc0) != 0x80)
        return 0;
    if (lead < 0xe0)
        return 2;
    if ((p[2] & 0xc0) != 0x80)
        return 0;
    if (lead < 0xf0)
        return (lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f) ? 0 : 3;
    if ((p[3] & 0xc0) != 0x80)
        return 0;
    return (lead == 0xf0 && p[1] < 0x90) || (lead == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

static unsigned char *escape_byte(unsigned char *at, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    *at++ = '\\';
    switch (byte) {
    case '"':
    case '\\':
        *at++ = byte;
        return at;
    case '\n':
        *at++ = 'n';
        return at;
    case '\t':
        *at++ = 't';
        return at;
    case '\r':
        *at++ = 'r';
        return at;
    default:
        *at++ = 'u';
        *at++ = '0';
        *at++ = '0';
        *at++ = (unsigned char)hex[byte >> 4];
        *at++ = (unsigned char)hex[byte & 15];
        return at;
    }
}

static const unsigned char replacement[3] = {0xef, 0xbf, 0xbd}; /* U+FFFD */
static const unsigned char ellipsis[3] = {0xe2, 0x80, 0xa6};    /* U+2026 */

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* The same of eight at once: nearly all text is. A borrow or carry from one byte into the next
 * comes of a byte that is not plain itself. */
static bool are_plain(const unsigned char *p)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word;
    memcpy(&word, p, sizeof word);
    uint64_t quote = word ^ ones * '"';
    uint64_t slash = word ^ ones * '\\';
    uint64_t below = (word - ones * 0x20) | (quote - ones) | (slash - ones);
    return ((below | word | (word + ones)) & ones * 0x80) == 0;
}

size_t encode_string(struct buf *out, const char *text, size_t max)
{
    size_t len = strlen(text);
    size_t limit = len > max ? max : len;
    /* A byte makes six at most; then two quotes and the mark of a cut. */
    unsigned char *start = limit > SIZE_MAX / 8 ? NULL : buf_reserve(out, limit * 6 + 8);
    if (!start) {
        out->failed = true;
        return 0;
    }
    unsigned char *at = start;
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + limit;
    *at++ = '"';
    while (p < end) {
        if (end - p >= 8 && are_plain(p)) {
            memcpy(at, p, 8);
            at += 8;
            p += 8;
        } else if (is_plain(*p)) {
            *at++ = *p++;
        } else if (*p < 0x80) {
            at = escape_byte(at, *p++);
        } else {
            size_t size = character(p);
            if (size > (size_t)(end - p))
                break;
            if (size) {
                memcpy(at, p, size);
                at += size;
                p += size;
            } else {
                memcpy(at, replacement, sizeof replacement);
                at += 3;
                p++;
            }
        }
    }
    if (limit < len) {
        memcpy(at, ellipsis, sizeof ellipsis);
        at += 3;
    }
    *at++ = '"';
    buf_commit(out, (size_t)(at - start));
    return (size_t)(p - (const unsigned char *)text);
}

static void key_part(struct buf *out, const char *key)
{
    size_t len = strlen(key);
    unsigned char *at = buf_reserve(out, len + 4);
    if (!at)
        return;
    at[0] = ',';
    at[1] = '"';
    for (size_t i = 0; i < len; i++)
        at[2 + i] = (unsigned char)key[i];
    at[len + 2] = '"';
    at[len + 3] = ':';
    buf_commit(out, len + 4);
}

void encode_field(struct buf *out, const char *key, const char *value)
{
    if (!value)
        return;
    key_part(out, key);
    (void)encode_string(out, value, ENCODE_VALUE_MAX);
}

void encode_digits(struct buf *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_append(out, digits + at, sizeof digits - at);
}

void encode_number(struct buf *out, const char *key, uint64_t value)
{
    key_part(out, key);
    encode_digits(out, value);
}

void encode_true(struct buf *out, const char *key)
{
    key_part(out, key);
    buf_append(out, "true", 4);
}
