/*
 * lines.c: the lines of one file of the trail, plain or compressed (see lines.h).
 *
 * Trust boundary: every byte may be a forger's. What one line or one frame can make us allocate is
 * bounded; sizes in a table or in a frame's header are checked before they are used; a file that is
 * cut while it is read gives an error, not a fault (so it is not mapped).
 */
#include "lines.h"
#include "frames.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define READ_BYTES ((size_t)256 << 10)

struct packed {
    bool is; /* the file is compressed; the rest belongs to it */
    bool has_table;
    bool told;    /* of damage: a table that is missing, a checksum that is not there */
    bool whole;   /* it was read from its beginning on, without a leap: then `sum` counts */
    bool matched; /* its checksum is what was read */
    XXH3_state_t *sum;
    ZSTD_DCtx *context;
    struct frames frames;
    size_t next;    /* frame */
    uint64_t place; /* of the next frame in the file */
    uint64_t size;  /* of the file */
    char *bytes;    /* owned: the frame that is being decompressed */
    size_t cap;
};

struct lines {
    int fd;
    char *bytes; /* owned: text. The next line begins at head */
    size_t cap;
    size_t head;
    size_t tail;
    uint64_t offset; /* of bytes[tail] in the text */
    bool ended;
    bool skipping; /* inside a line that is longer than any of ours */
    struct packed packed;
};

static _Thread_local char why_text[512];

static bool is_packed(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".zst") == 0;
}

static enum status open_packed(struct lines *lines)
{
    struct packed *packed = &lines->packed;
    struct stat st;
    packed->is = true;
    packed->whole = true;
    packed->context = ZSTD_createDCtx();
    packed->sum = XXH3_createState();
    if (!packed->context || !packed->sum || XXH3_64bits_reset(packed->sum) != XXH_OK)
        return ERR_MEMORY;
    if (fstat(lines->fd, &st) != 0)
        return ERR_IO;
    packed->size = (uint64_t)st.st_size;
    enum status status = frames_read(lines->fd, packed->size, &packed->frames);
    packed->has_table = status == OK;
    return status == ERR_INVALID ? OK : status;
}

enum status lines_open_at(int dir_fd, const char *name, struct lines **lines, const char **why)
{
    struct lines *fresh = calloc(1, sizeof *fresh);
    enum status status = fresh ? ERR_IO : ERR_MEMORY;
    if (!fresh)
        goto fail;
    fresh->fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fresh->fd < 0)
        goto fail;
    status = is_packed(name) ? open_packed(fresh) : OK;
    if (status != OK)
        goto fail;
    *lines = fresh;
    *why = NULL;
    return OK;
fail:;
    int error = status == ERR_MEMORY ? ENOMEM : errno;
    char text[128];
    (void)snprintf(why_text, sizeof why_text, "%s: cannot be read: %s", name,
                   strerror_r(error, text, sizeof text));
    *why = why_text;
    lines_close(fresh);
    errno = error;
    return status;
}

enum status lines_open(const char *path, struct lines **lines, const char **why)
{
    return lines_open_at(AT_FDCWD, path, lines, why);
}

void lines_close(struct lines *lines)
{
    if (!lines)
        return;
    ZSTD_freeDCtx(lines->packed.context);
    (void)XXH3_freeState(lines->packed.sum);
    frames_free(&lines->packed.frames);
    free(lines->packed.bytes);
    free(lines->bytes);
    if (lines->fd >= 0)
        (void)close(lines->fd);
    free(lines);
}

/* Room for `len` bytes of text at the tail. */
static enum status make_room(struct lines *lines, size_t len)
{
    if (lines->head > 0) {
        memmove(lines->bytes, lines->bytes + lines->head, lines->tail - lines->head);
        lines->tail -= lines->head;
        lines->head = 0;
    }
    if (lines->cap - lines->tail >= len)
        return OK;
    size_t wanted = lines->cap ? lines->cap : READ_BYTES;
    while (wanted - lines->tail < len)
        wanted *= 2;
    char *grown = realloc(lines->bytes, wanted);
    if (!grown)
        return ERR_MEMORY;
    lines->bytes = grown;
    lines->cap = wanted;
    return OK;
}

static enum status read_some(int fd, char *bytes, size_t len, uint64_t offset, size_t *got)
{
    *got = 0;
    while (*got < len) {
        ssize_t part = pread(fd, bytes + *got, len - *got, (off_t)(offset + *got));
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return ERR_IO;
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return OK;
}

static enum status fill_plain(struct lines *lines)
{
    size_t got = 0;
    enum status status = make_room(lines, READ_BYTES);
    if (status == OK)
        status = read_some(lines->fd, lines->bytes + lines->tail, READ_BYTES, lines->offset, &got);
    if (status != OK)
        return status;
    lines->ended = got == 0;
    lines->tail += got;
    lines->offset += got;
    return OK;
}

static enum status packed_room(struct packed *packed, size_t len)
{
    if (len <= packed->cap)
        return OK;
    char *grown = realloc(packed->bytes, len);
    if (!grown)
        return ERR_MEMORY;
    packed->bytes = grown;
    packed->cap = len;
    return OK;
}

/* Reads the frame at `place`. Without a table its length is found by looking. */
static enum status read_frame(struct lines *lines, size_t *len)
{
    struct packed *packed = &lines->packed;
    const size_t most = ZSTD_compressBound(FRAMES_TEXT_MAX);
    size_t wanted = packed->has_table ? packed->frames.at[packed->next].packed : READ_BYTES;
    for (;; wanted *= 4) {
        if (wanted > most)
            wanted = most;
        size_t got = 0;
        enum status status = packed_room(packed, wanted);
        if (status == OK)
            status = read_some(lines->fd, packed->bytes, wanted, packed->place, &got);
        if (status != OK)
            return status;
        *len = ZSTD_findFrameCompressedSize(packed->bytes, got);
        if (!ZSTD_isError(*len))
            return !packed->has_table || *len == wanted ? OK : ERR_INVALID;
        if (packed->has_table || got < wanted || wanted == most)
            return ERR_INVALID;
    }
}

static enum status unpack(struct lines *lines, size_t len)
{
    struct packed *packed = &lines->packed;
    unsigned long long text = ZSTD_getFrameContentSize(packed->bytes, len);
    if (text > FRAMES_TEXT_MAX ||
        (packed->has_table && text != packed->frames.at[packed->next].text))
        return ERR_INVALID;
    enum status status = make_room(lines, (size_t)text);
    if (status != OK)
        return status;
    size_t made = ZSTD_decompressDCtx(packed->context, lines->bytes + lines->tail,
                                      lines->cap - lines->tail, packed->bytes, len);
    if (ZSTD_isError(made) || made != text)
        return ERR_INVALID;
    if (text == 0 && len == FRAMES_SUM)
        packed->matched = frames_sum_is(packed->bytes, XXH3_64bits_digest(packed->sum));
    (void)XXH3_64bits_update(packed->sum, packed->bytes, len);
    lines->tail += made;
    lines->offset += made;
    packed->place += len;
    packed->next++;
    return OK;
}

/* A frame that is no frame. What was left of a line before it is not one either. */
static enum status skip_frame(struct lines *lines)
{
    struct packed *packed = &lines->packed;
    lines->head = 0;
    lines->tail = 0;
    packed->told = true;
    if (packed->has_table) {
        lines->offset += packed->frames.at[packed->next].text;
        packed->place += packed->frames.at[packed->next].packed;
        packed->next++;
    } else {
        packed->place = packed->size;
    }
    return ERR_INVALID;
}

static enum status fill_packed(struct lines *lines)
{
    struct packed *packed = &lines->packed;
    bool over =
        packed->has_table ? packed->next == packed->frames.count : packed->place >= packed->size;
    if (over) {
        lines->ended = true;
        /* Cut off, or written over: a file of ours has a table and a checksum. */
        bool tell = (!packed->has_table || (packed->whole && !packed->matched)) && !packed->told;
        packed->told = true;
        return tell ? ERR_INVALID : OK;
    }
    size_t len = 0;
    enum status status = read_frame(lines, &len);
    if (status == OK)
        status = unpack(lines, len);
    return status == ERR_INVALID ? skip_frame(lines) : status;
}

static enum status fill(struct lines *lines)
{
    return lines->packed.is ? fill_packed(lines) : fill_plain(lines);
}

/* A plain file may have grown. A server that starts cuts an unfinished line off and writes others
 * in its place: what was read of one is read again. */
static void look_again(struct lines *lines)
{
    if (lines->packed.is || !lines->ended)
        return;
    lines->ended = false;
    lines->offset -= lines->tail - lines->head;
    lines->tail = lines->head;
}

enum status lines_next(struct lines *lines, const char **line, size_t *len)
{
    size_t searched = 0;
    look_again(lines);
    for (;;) {
        size_t have = lines->tail - lines->head;
        const char *start = lines->bytes ? lines->bytes + lines->head : "";
        const char *newline =
            have > searched ? memchr(start + searched, '\n', have - searched) : NULL;
        if (newline || (lines->ended && have > 0)) {
            *line = start;
            *len = newline ? (size_t)(newline - start) + 1 : have;
            bool skipped = lines->skipping || *len > LINES_LINE_MAX;
            if (newline || skipped)
                lines->head += *len;
            lines->skipping = false;
            return skipped ? ERR_LIMIT : newline ? OK : NEED_MORE;
        }
        *line = start;
        *len = 0;
        if (lines->ended) {
            bool skipped = lines->skipping;
            lines->skipping = false;
            return skipped ? ERR_LIMIT : CLOSED;
        }
        searched = have;
        if (have > LINES_LINE_MAX) {
            lines->skipping = true;
            lines->head = lines->tail;
            searched = 0;
        }
        enum status status = fill(lines);
        if (status != OK)
            return status;
    }
}

uint64_t lines_offset(const struct lines *lines)
{
    return lines->offset - (lines->tail - lines->head);
}

uint64_t lines_read(const struct lines *lines)
{
    return lines->packed.is ? lines->packed.place : lines->offset;
}

static void forget(struct lines *lines, uint64_t offset)
{
    lines->head = 0;
    lines->tail = 0;
    lines->offset = offset;
    lines->ended = false;
}

static enum status seek_plain(struct lines *lines, uint64_t offset)
{
    struct stat st;
    if (fstat(lines->fd, &st) != 0)
        return ERR_IO;
    if (offset > (uint64_t)st.st_size)
        return ERR_INVALID;
    forget(lines, offset);
    return OK;
}

static enum status seek_packed(struct lines *lines, uint64_t offset)
{
    struct packed *packed = &lines->packed;
    uint64_t text = 0;
    packed->next = 0;
    packed->place = 0;
    packed->whole = false;
    if (packed->has_table) {
        while (packed->next < packed->frames.count &&
               text + packed->frames.at[packed->next].text <= offset) {
            text += packed->frames.at[packed->next].text;
            packed->place += packed->frames.at[packed->next].packed;
            packed->next++;
        }
    }
    forget(lines, text);
    /* Without a table, everything before the place is decompressed. */
    while (lines->offset <= offset && !lines->ended) {
        if (lines->offset == offset && packed->has_table && packed->next == packed->frames.count)
            return OK;
        lines->head = lines->tail;
        enum status status = fill_packed(lines);
        if (status != OK)
            return status;
    }
    if (lines->offset < offset)
        return ERR_INVALID;
    lines->head = lines->tail - (size_t)(lines->offset - offset);
    return OK;
}

enum status lines_seek(struct lines *lines, uint64_t offset)
{
    uint64_t first = lines->offset - lines->tail;
    lines->skipping = false;
    if (offset >= first && offset < lines->offset) {
        lines->head = (size_t)(offset - first);
        return OK;
    }
    return lines->packed.is ? seek_packed(lines, offset) : seek_plain(lines, offset);
}
