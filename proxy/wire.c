/*
 * wire.c: cutting messages off a buffer and reading their fields (see wire.h).
 *
 * Trust boundary: every byte comes from a peer that may be an attacker. A length is checked against
 * its type's bound before anything waits for it or is allocated for it, and no read goes past the
 * message it is in. Owns nothing: messages lie in the caller's buffer.
 */
#include "proxy/wire.h"

#include <string.h>

/* What PostgreSQL's libpq accepts for server messages that are not in its list of long ones. */
#define SERVER_SMALL_MAX 30000U

static uint32_t load_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static size_t client_limit(unsigned char type, size_t max_len)
{
    switch (type) {
    case 'Q':
    case 'P':
    case 'B':
    case 'F':
    case 'd':
        return max_len;
    case 'E':
    case 'D':
    case 'C':
    case 'S':
    case 'H':
    case 'X':
    case 'c':
    case 'f':
        return WIRE_SMALL_MAX < max_len ? WIRE_SMALL_MAX : max_len;
    default:
        return 0;
    }
}

static size_t server_limit(unsigned char type, size_t max_len)
{
    switch (type) {
    case 'T':
    case 'D':
    case 'd':
    case 'V':
    case 'E':
    case 'N':
    case 'A':
    case 't':
        return max_len;
    case 'C':
    case 'G':
    case 'H':
    case 'I':
    case 'K':
    case 'R':
    case 'S':
    case 'W':
    case 'Z':
    case 'c':
    case 'n':
    case 's':
    case 'v':
    case '1':
    case '2':
    case '3':
        return SERVER_SMALL_MAX < max_len ? SERVER_SMALL_MAX : max_len;
    default:
        return 0;
    }
}

/* The longest body a type may have; 0: there is no such type (no known type is bounded by 0). */
static size_t type_limit(enum wire_from from, unsigned char type, size_t max_len)
{
    if (max_len == 0 || max_len > WIRE_LARGE_MAX)
        max_len = WIRE_LARGE_MAX;
    switch (from) {
    case WIRE_FROM_CLIENT:
        return client_limit(type, max_len);
    case WIRE_FROM_CLIENT_AUTH:
        return type == 'p' ? WIRE_AUTH_MAX : 0;
    case WIRE_FROM_SERVER:
        return server_limit(type, max_len);
    }
    return 0;
}

enum status wire_peek(const struct buf *buf, enum wire_from from, size_t max_len,
                      unsigned char *type, size_t *len)
{
    size_t have = buf_len(buf);
    if (have == 0)
        return NEED_MORE;
    const unsigned char *head = buf_head(buf);
    size_t limit = type_limit(from, head[0], max_len);
    if (limit == 0)
        return ERR_PROTOCOL;
    if (have < WIRE_HEADER_BYTES)
        return NEED_MORE;
    uint32_t length = load_u32(head + 1);
    if (length < 4 || length > INT32_MAX)
        return ERR_PROTOCOL;
    if (length - 4 > limit)
        return ERR_LIMIT;
    *type = head[0];
    *len = length - 4;
    return OK;
}

bool wire_row_size(const unsigned char *bytes, size_t len, unsigned char type, size_t *size)
{
    if (len < WIRE_HEADER_BYTES || bytes[0] != type)
        return false;
    uint32_t length = load_u32(bytes + 1);
    if (length < 4 || length >= len)
        return false;
    *size = (size_t)length + 1;
    return true;
}

enum status wire_next(struct buf *buf, enum wire_from from, size_t max_len,
                      struct wire_message *message)
{
    unsigned char type = 0;
    size_t len = 0;
    enum status status = wire_peek(buf, from, max_len, &type, &len);
    if (status != OK)
        return status;
    if (buf_len(buf) - WIRE_HEADER_BYTES < len)
        return NEED_MORE;
    message->type = type;
    message->body = buf_head(buf) + WIRE_HEADER_BYTES;
    message->len = len;
    buf_consume(buf, WIRE_HEADER_BYTES + len);
    return OK;
}

enum status wire_next_startup(struct buf *buf, struct wire_message *message)
{
    size_t have = buf_len(buf);
    if (have < 4)
        return NEED_MORE;
    uint32_t length = load_u32(buf_head(buf));
    if (length < 8 || length > WIRE_STARTUP_MAX)
        return ERR_PROTOCOL;
    if (have < length)
        return NEED_MORE;
    message->type = 0;
    message->body = buf_head(buf) + 4;
    message->len = length - 4;
    buf_consume(buf, length);
    return OK;
}

void wire_cursor_init(struct wire_cursor *cursor, const void *bytes, size_t len)
{
    cursor->at = bytes;
    cursor->end = cursor->at + len;
    cursor->failed = false;
}

void wire_cursor_message(struct wire_cursor *cursor, const struct wire_message *message)
{
    wire_cursor_init(cursor, message->body, message->len);
}

size_t wire_left(const struct wire_cursor *cursor)
{
    return cursor->failed ? 0 : (size_t)(cursor->end - cursor->at);
}

const unsigned char *wire_get_bytes(struct wire_cursor *cursor, size_t len)
{
    if (cursor->failed || (size_t)(cursor->end - cursor->at) < len) {
        cursor->failed = true;
        return NULL;
    }
    const unsigned char *bytes = cursor->at;
    cursor->at += len;
    return bytes;
}

unsigned char wire_get_byte(struct wire_cursor *cursor)
{
    const unsigned char *bytes = wire_get_bytes(cursor, 1);
    return bytes ? bytes[0] : 0;
}

uint16_t wire_get_u16(struct wire_cursor *cursor)
{
    const unsigned char *bytes = wire_get_bytes(cursor, 2);
    if (!bytes)
        return 0;
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

uint32_t wire_get_u32(struct wire_cursor *cursor)
{
    const unsigned char *bytes = wire_get_bytes(cursor, 4);
    return bytes ? load_u32(bytes) : 0;
}

int16_t wire_get_int16(struct wire_cursor *cursor)
{
    return (int16_t)wire_get_u16(cursor);
}

int32_t wire_get_int32(struct wire_cursor *cursor)
{
    return (int32_t)wire_get_u32(cursor);
}

const char *wire_get_cstr(struct wire_cursor *cursor)
{
    size_t left = wire_left(cursor);
    const unsigned char *nul = left ? memchr(cursor->at, 0, left) : NULL;
    if (!nul) {
        cursor->failed = true;
        return "";
    }
    const char *text = (const char *)cursor->at;
    cursor->at = nul + 1;
    return text;
}

const unsigned char *wire_get_value(struct wire_cursor *cursor, int32_t *len)
{
    *len = wire_get_int32(cursor);
    if (cursor->failed || *len == -1) {
        *len = -1;
        return NULL;
    }
    const unsigned char *value = NULL;
    if (*len < 0)
        cursor->failed = true;
    else
        value = wire_get_bytes(cursor, (size_t)*len);
    if (!value)
        *len = -1;
    return value;
}

enum status wire_end(const struct wire_cursor *cursor)
{
    return !cursor->failed && cursor->at == cursor->end ? OK : ERR_PROTOCOL;
}
