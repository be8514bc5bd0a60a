/*
 * back.c: the lines of a chain from its end on (see back.h).
 *
 * Trust boundary: the files may be a forger's. Windows are bounded by the longest line, the number
 * of files by the caller, and a file that cannot be read is told as not reached.
 */
#include "back.h"
#include "file.h"
#include "frames.h"
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <pgvigil/buf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW ((size_t)1 << 20)

struct back {
    back_fn *take;
    void *context;
    bool enough;
};

/* Whole lines. */
static void walk(struct back *back, const char *bytes, size_t len)
{
    const char *end = bytes + len;
    while (end > bytes && !back->enough) {
        const char *before = memrchr(bytes, '\n', (size_t)(end - bytes) - 1);
        const char *start = before ? before + 1 : bytes;
        back->enough = back->take(start, (size_t)(end - start), back->context);
        end = start;
    }
}

/* The whole lines of a window, of which the file has more before. Returns where the next window
 * ends, in this one; `len`: it must be longer. */
static size_t walk_window(struct back *back, const char *bytes, size_t len, bool more)
{
    const char *last = memrchr(bytes, '\n', len);
    const char *newline = more ? memchr(bytes, '\n', len) : NULL;
    if (!last)
        return more ? len : 0;
    const char *first = more ? newline + 1 : bytes;
    if (first <= last)
        walk(back, first, (size_t)(last + 1 - first));
    return (size_t)(first - bytes);
}

static enum status back_plain(struct back *back, int fd, uint64_t size)
{
    char *bytes = NULL;
    size_t room = WINDOW;
    enum status status = OK;
    while (status == OK && size > 0 && !back->enough) {
        size_t len = size < room ? (size_t)size : room;
        char *grown = realloc(bytes, len);
        status = grown ? OK : ERR_MEMORY;
        if (status != OK)
            break;
        bytes = grown;
        status = file_read_at(fd, bytes, len, size - len);
        if (status != OK)
            break;
        size_t left = walk_window(back, bytes, len, size > len);
        size -= len - left;
        room = left == len ? room * 2 : WINDOW;
        if (room > 2 * LINES_LINE_MAX)
            status = ERR_LIMIT;
    }
    free(bytes);
    return status;
}

/* One frame's lines. What does not decompress is verify's to tell. */
static enum status back_frame(struct back *back, struct lines *lines, uint64_t from, uint64_t to,
                              struct buf *block)
{
    enum status status = lines_seek(lines, from);
    buf_clear(block);
    while (status == OK && lines_offset(lines) < to) {
        const char *line = NULL;
        size_t len = 0;
        status = lines_next(lines, &line, &len);
        if (status == OK)
            buf_append(block, line, len);
        else if (status == ERR_LIMIT)
            status = OK;
    }
    if (block->failed)
        return ERR_MEMORY;
    walk(back, (const char *)buf_head(block), buf_len(block));
    return status == CLOSED || status == NEED_MORE ? OK : status;
}

static enum status back_packed(struct back *back, int dir_fd, const char *name, int fd,
                               uint64_t size)
{
    struct frames frames = {0};
    struct lines *lines = NULL;
    const char *why = NULL;
    struct buf block;
    buf_init(&block, 2 * FRAMES_TEXT_MAX);
    enum status status = frames_read(fd, size, &frames);
    if (status == OK)
        status = lines_open_at(dir_fd, name, &lines, &why);
    uint64_t end = frames.text;
    for (size_t i = frames.count; status == OK && i > 0 && !back->enough; i--) {
        uint64_t from = end - frames.at[i - 1].text;
        status = back_frame(back, lines, from, end, &block);
        end = from;
    }
    lines_close(lines);
    frames_free(&frames);
    buf_free(&block);
    return status;
}

static enum status back_file(struct back *back, int dir_fd, unsigned chain, uint64_t number)
{
    char name[FILE_NAME_MAX];
    struct stat st;
    bool packed = false;
    file_name(chain, number, name);
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        packed = true;
        file_name_packed(chain, number, name);
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0)
        return ERR_IO;
    enum status status = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? OK : ERR_IO;
    uint64_t size = status == OK ? (uint64_t)st.st_size : 0;
    if (status == OK && packed)
        status = back_packed(back, dir_fd, name, fd, size);
    else if (status == OK)
        status = back_plain(back, fd, size);
    (void)close(fd);
    return status;
}

struct below {
    unsigned chain;
    uint64_t limit;  /* 0: none */
    uint64_t number; /* the highest below it; 0: there is none */
};

static enum status look_below(void *context, const struct file_named *file)
{
    struct below *below = context;
    if (file->chain == below->chain && file->number > below->number &&
        (below->limit == 0 || file->number < below->limit))
        below->number = file->number;
    return OK;
}

/* Numbers may be missing: a file that somebody puts behind a hole hides nothing before it. */
enum status back_chain(int dir_fd, unsigned chain, unsigned files, back_fn *take, void *context,
                       bool *all)
{
    struct back back = {.take = take, .context = context};
    struct below below = {.chain = chain};
    bool failed = false;
    enum status status = file_each(dir_fd, look_below, &below);
    while (status == OK && below.number > 0 && !back.enough && files-- > 0) {
        status = back_file(&back, dir_fd, chain, below.number);
        failed = failed || status == ERR_IO || status == ERR_INVALID || status == ERR_LIMIT;
        if (failed && status != ERR_MEMORY)
            status = OK;
        below = (struct below){.chain = chain, .limit = below.number};
        if (status == OK)
            status = file_each(dir_fd, look_below, &below);
    }
    *all = back.enough || (!failed && below.number == 0);
    return status;
}
