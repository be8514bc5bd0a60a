/*
 * frames.c: closed files of the trail, compressed (see frames.h).
 *
 * Trust boundary: a table that is read may be a forger's. It is believed only when its sizes add up
 * to the file's, and then it only says where to look: what is found there must decompress, and the
 * hash chain judges it.
 */
#include "frames.h"
#include "file.h"

#include <errno.h>
#include <pgvigil/buf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define LEVEL          3
#define SKIPPABLE      0x184D2A5EU
#define SUM_FRAME      0x184D2A50U
#define SEEKABLE       0x8F92EAB1U
#define SKIPPABLE_HEAD 8U
#define FOOTER         9U
#define ENTRY          8U

static uint32_t read_le32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void write_le32(struct buf *out, uint32_t value)
{
    for (unsigned shift = 0; shift < 32; shift += 8)
        buf_byte(out, (unsigned char)(value >> shift));
}

/* The entries must lie side by side and end where the table begins. */
static enum status take_entries(const unsigned char *table, struct frames *frames)
{
    uint64_t packed = 0;
    for (size_t i = 0; i < frames->count; i++) {
        struct frame *frame = &frames->at[i];
        frame->packed = read_le32(table + i * ENTRY);
        frame->text = read_le32(table + i * ENTRY + 4);
        if (frame->packed == 0 || frame->text > FRAMES_TEXT_MAX)
            return ERR_INVALID;
        packed += frame->packed;
        frames->text += frame->text;
    }
    return packed == frames->table ? OK : ERR_INVALID;
}

enum status frames_read(int fd, uint64_t size, struct frames *frames)
{
    unsigned char head[SKIPPABLE_HEAD];
    unsigned char footer[FOOTER];
    unsigned char *table = NULL;
    memset(frames, 0, sizeof *frames);
    if (size < SKIPPABLE_HEAD + FOOTER)
        return ERR_INVALID;
    enum status status = file_read_at(fd, footer, sizeof footer, size - FOOTER);
    if (status != OK)
        return status;
    uint64_t entries = (uint64_t)read_le32(footer) * ENTRY;
    uint64_t whole = SKIPPABLE_HEAD + entries + FOOTER;
    if (read_le32(footer + 5) != SEEKABLE || footer[4] != 0 || whole > size)
        return ERR_INVALID;
    frames->table = size - whole;
    frames->count = read_le32(footer);
    status = file_read_at(fd, head, sizeof head, frames->table);
    if (status != OK || read_le32(head) != SKIPPABLE || read_le32(head + 4) != entries + FOOTER)
        return status != OK ? status : ERR_INVALID;
    table = malloc(entries + 1);
    frames->at = calloc(frames->count + 1, sizeof *frames->at);
    status = table && frames->at ? file_read_at(fd, table, entries, size - whole + SKIPPABLE_HEAD)
                                 : ERR_MEMORY;
    if (status == OK)
        status = take_entries(table, frames);
    free(table);
    if (status != OK)
        frames_free(frames);
    return status;
}

void frames_free(struct frames *frames)
{
    free(frames->at);
    memset(frames, 0, sizeof *frames);
}

static void put_sum(uint64_t sum, unsigned char out[FRAMES_SUM])
{
    const uint32_t words[4] = {SUM_FRAME, 8, (uint32_t)sum, (uint32_t)(sum >> 32)};
    for (size_t i = 0; i < FRAMES_SUM; i++)
        out[i] = (unsigned char)(words[i / 4] >> (i % 4 * 8));
}

bool frames_sum_is(const void *bytes, uint64_t sum)
{
    unsigned char wanted[FRAMES_SUM];
    put_sum(sum, wanted);
    return memcmp(bytes, wanted, sizeof wanted) == 0;
}

struct packer {
    int fd; /* borrowed */
    ZSTD_CCtx *context;
    struct buf text;       /* of the frame in hand */
    struct buf table;      /* entries so far */
    unsigned char *packed; /* owned */
    size_t packed_cap;
    uint32_t count;
    XXH3_state_t *sum; /* of what was written */
};

enum status packer_new(int fd, struct packer **packer)
{
    struct packer *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return ERR_MEMORY;
    fresh->fd = fd;
    buf_init(&fresh->text, 0);
    buf_init(&fresh->table, 0);
    fresh->context = ZSTD_createCCtx();
    fresh->sum = XXH3_createState();
    if (!fresh->context || !fresh->sum || XXH3_64bits_reset(fresh->sum) != XXH_OK ||
        ZSTD_isError(ZSTD_CCtx_setParameter(fresh->context, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(fresh->context, ZSTD_c_checksumFlag, 1))) {
        packer_free(fresh);
        return ERR_MEMORY;
    }
    *packer = fresh;
    return OK;
}

void packer_free(struct packer *packer)
{
    if (!packer)
        return;
    ZSTD_freeCCtx(packer->context);
    (void)XXH3_freeState(packer->sum);
    buf_free(&packer->text);
    buf_free(&packer->table);
    free(packer->packed);
    free(packer);
}

static enum status write_all(int fd, const unsigned char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            errno = done == 0 ? ENOSPC : errno;
            return ERR_IO;
        }
        bytes += done;
        len -= (size_t)done;
    }
    return OK;
}

static enum status put_frame(struct packer *packer, const void *bytes, size_t len, size_t text)
{
    write_le32(&packer->table, (uint32_t)len);
    write_le32(&packer->table, (uint32_t)text);
    packer->count++;
    (void)XXH3_64bits_update(packer->sum, bytes, len);
    return packer->table.failed ? ERR_MEMORY : write_all(packer->fd, bytes, len);
}

static enum status end_frame(struct packer *packer)
{
    size_t len = buf_len(&packer->text);
    size_t most = ZSTD_compressBound(len);
    if (len == 0)
        return OK;
    if (len > FRAMES_TEXT_MAX)
        return ERR_LIMIT;
    if (most > packer->packed_cap) {
        free(packer->packed);
        packer->packed = malloc(most);
        packer->packed_cap = packer->packed ? most : 0;
        if (!packer->packed)
            return ERR_MEMORY;
    }
    size_t packed =
        ZSTD_compress2(packer->context, packer->packed, most, buf_head(&packer->text), len);
    if (ZSTD_isError(packed))
        return ERR_MEMORY;
    buf_clear(&packer->text);
    return put_frame(packer, packer->packed, packed, len);
}

enum status packer_bytes(struct packer *packer, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    const unsigned char *end = at + len;
    enum status status = OK;
    while (status == OK && at < end) {
        size_t have = buf_len(&packer->text);
        size_t take = (size_t)(end - at);
        const unsigned char *newline = NULL;
        if (take > FRAMES_TEXT)
            take = FRAMES_TEXT;
        if (have < FRAMES_TEXT && take > FRAMES_TEXT - have)
            take = FRAMES_TEXT - have;
        else if (have >= FRAMES_TEXT && (newline = memchr(at, '\n', take)) != NULL)
            take = (size_t)(newline - at) + 1;
        buf_append(&packer->text, at, take);
        at += take;
        have += take;
        if (packer->text.failed)
            return ERR_MEMORY;
        /* Bytes without any line end are no lines of ours; they are kept all the same. */
        if ((have >= FRAMES_TEXT && at[-1] == '\n') || have >= FRAMES_TEXT_MAX - FRAMES_TEXT)
            status = end_frame(packer);
    }
    return status;
}

enum status packer_end(struct packer *packer)
{
    struct buf out;
    unsigned char sum[FRAMES_SUM];
    enum status status = end_frame(packer);
    put_sum(XXH3_64bits_digest(packer->sum), sum);
    if (status == OK)
        status = put_frame(packer, sum, sizeof sum, 0);
    if (status != OK)
        return status;
    buf_init(&out, 0);
    size_t entries = buf_len(&packer->table);
    write_le32(&out, SKIPPABLE);
    write_le32(&out, (uint32_t)(entries + FOOTER));
    if (entries > 0)
        buf_append(&out, buf_head(&packer->table), entries);
    write_le32(&out, packer->count);
    buf_byte(&out, 0);
    write_le32(&out, SEEKABLE);
    status = out.failed ? ERR_MEMORY : write_all(packer->fd, buf_head(&out), buf_len(&out));
    buf_free(&out);
    return status;
}
