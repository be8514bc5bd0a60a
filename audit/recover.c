/*
 * recover.c: where a chain left off (see recover.h).
 *
 * Trust boundary: reads a file that a crash or a person may have damaged; sizes are bounded by the
 * file's, and nothing in it is believed but the first fields of its last line.
 */
#include "recover.h"
#include "file.h"
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW ((size_t)1 << 20)

struct window {
    char *bytes; /* owned */
    size_t len;
    uint64_t offset; /* of bytes[0] in the file */
};

static enum status read_at(int fd, char *bytes, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t got = pread(fd, bytes, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR_IO;
        bytes += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return OK;
}

/* Reads the last `len` bytes before `size`, or all. */
static enum status window_read(int fd, uint64_t size, size_t len, struct window *window)
{
    if (len > size)
        len = (size_t)size;
    char *bytes = realloc(window->bytes, len ? len : 1);
    if (!bytes)
        return ERR_MEMORY;
    window->bytes = bytes;
    window->len = len;
    window->offset = size - len;
    return read_at(fd, bytes, len, window->offset);
}

/* One pass over the window: the last line of ours, and how many whole foreign lines follow it. */
static bool find_last_line(const struct window *window, struct hasher *hasher,
                           struct recovered *out, enum status *status)
{
    const char *end = window->bytes + window->len;
    uint64_t foreign = 0;
    bool hashed = false;
    *status = OK;
    for (;;) {
        const char *newline = end > window->bytes
                                  ? memrchr(window->bytes, '\n', (size_t)(end - window->bytes))
                                  : NULL;
        if (!newline)
            return false;
        const char *before = newline > window->bytes
                                 ? memrchr(window->bytes, '\n', (size_t)(newline - window->bytes))
                                 : NULL;
        if (!before && window->offset > 0)
            return false;
        const char *start = before ? before + 1 : window->bytes;
        size_t len = (size_t)(newline - start) + 1;
        struct chain_line line;
        bool ours = chain_line_parse(start, len, &line);
        end = start;
        /* Blocks of zeros are what a power failure leaves of lines that were on their way. */
        if (!ours && !hashed && memchr(start, '\0', len))
            continue;
        if (!hashed) {
            out->size = window->offset + (uint64_t)(newline + 1 - window->bytes);
            *status = hasher_line(hasher, start, len, out->chain.prev);
            if (*status != OK)
                return false;
            hashed = true;
        }
        if (ours && foreign == 0) {
            /* Of a closed file, whose later ones somebody took away. */
            struct chain_tombstone stone;
            if (chain_tombstone_parse(start, len, &stone)) {
                memcpy(out->chain.prev, stone.hash, sizeof out->chain.prev);
                line.seq = stone.last;
            }
        }
        if (ours) {
            bool closed = foreign == 0 && strcmp(line.type, "checkpoint") == 0;
            out->chain.unsigned_lines = closed ? 0 : 1;
            out->chain.next_seq = line.seq + 1 + foreign;
            return true;
        }
        foreign++;
        if (start == window->bytes) {
            /* Not one line of ours in the file: go on from the count of lines. */
            out->chain.next_seq = 1 + foreign;
            out->chain.unsigned_lines = 1;
            return true;
        }
    }
}

static enum status hash_cut(int fd, uint64_t size, struct hasher *hasher, struct recovered *out)
{
    out->cut_bytes = size - out->size;
    if (out->cut_bytes == 0)
        return OK;
    /* What was cut was never part of the trail; the hash of its first megabyte names it well
     * enough. */
    size_t len = out->cut_bytes > WINDOW ? WINDOW : (size_t)out->cut_bytes;
    char *bytes = malloc(len);
    enum status status = bytes ? read_at(fd, bytes, len, out->size) : ERR_MEMORY;
    if (status == OK)
        status = hasher_line(hasher, bytes, len, out->cut_hash);
    free(bytes);
    return status;
}

static enum status find_end(int fd, uint64_t size, struct hasher *hasher, struct recovered *out,
                            bool *found)
{
    struct window window = {0};
    enum status status = OK;
    *found = false;
    for (size_t len = WINDOW;; len *= 4) {
        status = window_read(fd, size, len, &window);
        if (status != OK)
            break;
        *found = find_last_line(&window, hasher, out, &status);
        if (*found || status != OK || window.offset == 0)
            break;
    }
    free(window.bytes);
    if (status == OK && *found)
        status = hash_cut(fd, size, hasher, out);
    return status;
}

static void take_header(const char *line, size_t len, const char *fingerprint,
                        struct recovered *out)
{
    struct chain_line first;
    json_t *header = json_loadb(line, len, 0, NULL);
    if (chain_line_parse(line, len, &first))
        memcpy(out->opened, first.time, sizeof out->opened);
    const char *type = json_string_value(json_object_get(header, "type"));
    const char *key = json_string_value(json_object_get(header, "key"));
    json_int_t format = json_integer_value(json_object_get(header, "format"));
    bool ours = type && key && strcmp(type, "header") == 0 && format == CHAIN_FORMAT &&
                strlen(key) < sizeof out->key;
    if (ours)
        memcpy(out->key, key, strlen(key) + 1);
    out->same_key = ours && strcmp(key, fingerprint) == 0;
    json_decref(header);
}

static void read_header(int fd, uint64_t size, const char *fingerprint, struct recovered *out)
{
    char bytes[4096];
    size_t len = size < sizeof bytes ? (size_t)size : sizeof bytes;
    const char *newline = read_at(fd, bytes, len, 0) == OK ? memchr(bytes, '\n', len) : NULL;
    if (newline)
        take_header(bytes, (size_t)(newline - bytes), fingerprint, out);
}

/* Only the chain's newest file is ever continued, and that is not compressed: this one is the last
 * only because somebody took away what came after it. */
static enum status read_packed(int dir_fd, const char *name, const char *fingerprint,
                               struct hasher *hasher, struct recovered *out, bool *found)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    enum status status = lines_open_at(dir_fd, name, &lines, &why);
    *found = false;
    while (status == OK || status == ERR_INVALID || status == ERR_LIMIT) {
        const char *bytes = NULL;
        size_t len = 0;
        struct chain_line line;
        struct chain_tombstone stone;
        status = lines_next(lines, &bytes, &len);
        if (status != OK || !chain_line_parse(bytes, len, &line))
            continue;
        if (!*found)
            take_header(bytes, len, fingerprint, out);
        *found = true;
        out->chain.next_seq = line.seq + 1;
        out->chain.unsigned_lines = strcmp(line.type, "checkpoint") == 0 ? 0 : 1;
        if (chain_tombstone_parse(bytes, len, &stone)) {
            out->chain.next_seq = stone.last + 1;
            memcpy(out->chain.prev, stone.hash, sizeof out->chain.prev);
        } else if (hasher_line(hasher, bytes, len, out->chain.prev) != OK) {
            status = ERR_INTERNAL;
        }
    }
    lines_close(lines);
    return status == CLOSED || status == NEED_MORE ? OK : status;
}

enum status recover_chain(int dir_fd, unsigned chain_number, const char *fingerprint,
                          struct hasher *hasher, struct recovered *out)
{
    memset(out, 0, sizeof *out);
    chain_start(&out->chain);
    uint64_t number = 0;
    enum status status = file_last_number(dir_fd, chain_number, &number);
    for (; status == OK && number > 0; number--) {
        char name[FILE_NAME_MAX];
        struct stat st;
        bool found = false;
        file_name(chain_number, number, name);
        int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT) {
            file_name_packed(chain_number, number, name);
            if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
                status = read_packed(dir_fd, name, fingerprint, hasher, out, &found);
                out->number = number;
                out->packed = true;
                return status == OK && !found ? ERR_INVALID : status;
            }
            if (out->empty)
                continue;
        }
        if (fd < 0 || fstat(fd, &st) != 0) {
            if (fd >= 0)
                (void)close(fd);
            return ERR_IO;
        }
        uint64_t size = (uint64_t)st.st_size;
        status = find_end(fd, size, hasher, out, &found);
        if (found)
            read_header(fd, size, fingerprint, out);
        (void)close(fd);
        if (found) {
            out->number = number;
            return status;
        }
        out->empty = number;
        out->empty_bytes = size;
    }
    return status;
}
