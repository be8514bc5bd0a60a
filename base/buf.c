/*
 * buf.c: a byte buffer that grows (see buf.h).
 *
 * Trust boundary: lengths come from peers; every sum is checked and the limit is a hard one. The
 * bytes are the buffer's own; a pointer from buf_head or buf_reserve lives until the next append.
 */
#include <pgvigil/buf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256U

void buf_init(struct buf *buf, size_t limit)
{
    memset(buf, 0, sizeof *buf);
    buf->limit = limit;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->limit);
}

void buf_clear(struct buf *buf)
{
    buf->head = 0;
    buf->tail = 0;
    buf->failed = false;
}

static bool grow(struct buf *buf, size_t needed)
{
    if (buf->limit && needed > buf->limit)
        return false;
    size_t cap = buf->cap ? buf->cap : FIRST_SIZE;
    while (cap < needed) {
        if (cap > SIZE_MAX / 2)
            return false;
        cap *= 2;
    }
    if (buf->limit && cap > buf->limit)
        cap = buf->limit;
    unsigned char *data = realloc(buf->data, cap);
    if (!data)
        return false;
    buf->data = data;
    buf->cap = cap;
    return true;
}

unsigned char *buf_make_room(struct buf *buf, size_t size)
{
    if (buf->failed)
        return NULL;
    size_t len = buf_len(buf);
    size_t needed = 0;
    if (__builtin_add_overflow(len, size, &needed)) {
        buf->failed = true;
        return NULL;
    }
    if (buf->data && buf->head > 0) {
        memmove(buf->data, buf->data + buf->head, len);
        buf->head = 0;
        buf->tail = len;
    }
    if ((!buf->data || buf->cap < needed) && !grow(buf, needed)) {
        buf->failed = true;
        return NULL;
    }
    return buf->data + buf->tail;
}

void buf_commit(struct buf *buf, size_t size)
{
    buf->tail += size;
}

void buf_consume(struct buf *buf, size_t size)
{
    buf->head += size;
    if (buf->head == buf->tail) {
        buf->head = 0;
        buf->tail = 0;
    }
}

void buf_str(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_cstr(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text) + 1);
}

void buf_byte(struct buf *buf, unsigned char byte)
{
    buf_append(buf, &byte, 1);
}

void buf_u16(struct buf *buf, uint16_t value)
{
    unsigned char bytes[2] = {(unsigned char)(value >> 8), (unsigned char)value};
    buf_append(buf, bytes, sizeof bytes);
}

void buf_u32(struct buf *buf, uint32_t value)
{
    unsigned char bytes[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                              (unsigned char)(value >> 8), (unsigned char)value};
    buf_append(buf, bytes, sizeof bytes);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args); /* NOLINT(clang-analyzer-valist.Uninitialized) */
    va_end(args);
    unsigned char *place = len < 0 ? NULL : buf_reserve(buf, (size_t)len + 1);
    if (!place) {
        buf->failed = true;
        return;
    }
    va_start(args, format);
    (void)vsnprintf((char *)place, (size_t)len + 1, format, args);
    va_end(args);
    buf->tail += (size_t)len;
}
