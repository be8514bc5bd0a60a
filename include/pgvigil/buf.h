/*
 * buf.h: a byte buffer that grows, with a read position and a sticky failure.
 *
 * Appends go to the tail, reads take from the head (`data + head`, buf_len bytes). A failed append
 * (out of memory, over the limit) sets `failed` and makes all later ones do nothing, so an encoder
 * checks once at its end. The struct is plain data; the bytes are malloc'ed and owned by the
 * buffer.
 */
#ifndef PGVIGIL_BUF_H
#define PGVIGIL_BUF_H

#include <pgvigil/status.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    unsigned char *data; /* NULL until the first append */
    size_t head;         /* first unread byte */
    size_t tail;         /* one past the last byte */
    size_t cap;
    size_t limit; /* 0: none */
    bool failed;
};

void buf_init(struct buf *buf, size_t limit);
/* Frees the bytes; the buffer is empty and usable afterwards. */
void buf_free(struct buf *buf);
/* Empties; keeps the memory. Clears `failed`. */
void buf_clear(struct buf *buf);

static inline size_t buf_len(const struct buf *buf)
{
    return buf->tail - buf->head;
}
static inline unsigned char *buf_head(const struct buf *buf)
{
    return buf->data + buf->head;
}

/* Makes room for `size` more bytes at the tail (compacting first) and returns the place, or NULL.
 * The caller writes there and then calls buf_commit. */
unsigned char *buf_make_room(struct buf *buf, size_t size); /* the same, where there is none */
static inline unsigned char *buf_reserve(struct buf *buf, size_t size)
{
    if (buf->data && !buf->failed && buf->cap - buf->tail >= size)
        return buf->data + buf->tail;
    return buf_make_room(buf, size);
}
void buf_commit(struct buf *buf, size_t size);
/* Takes `size` bytes (at most buf_len) from the head. */
void buf_consume(struct buf *buf, size_t size);

static inline void buf_append(struct buf *buf, const void *bytes, size_t size)
{
    unsigned char *place = buf_reserve(buf, size);
    if (!place || size == 0)
        return;
    memcpy(place, bytes, size);
    buf->tail += size;
}
void buf_str(struct buf *buf, const char *text);  /* without the NUL */
void buf_cstr(struct buf *buf, const char *text); /* with the NUL */
void buf_byte(struct buf *buf, unsigned char byte);
void buf_u16(struct buf *buf, uint16_t value); /* network order */
void buf_u32(struct buf *buf, uint32_t value); /* network order */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
