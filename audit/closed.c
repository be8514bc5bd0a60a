/*
 * closed.c: the closed files of a trail (see closed.h).
 *
 * Trust boundary: the directory is ours, but names are opened with O_NOFOLLOW, and a file that is
 * made has no name of the trail's until it is whole and on the disk.
 */
#include "closed.h"
#include "chain.h"
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK "audit.lock"

static int compare_files(const void *left, const void *right)
{
    const struct closed_file *a = left;
    const struct closed_file *b = right;
    return file_order(a->chain, a->number, b->chain, b->number);
}

static enum status add(void *context, const struct file_named *found)
{
    struct closed *closed = context;
    if (closed->count == closed->cap) {
        size_t wanted = closed->cap ? closed->cap * 2 : 64;
        struct closed_file *grown = realloc(closed->files, wanted * sizeof *grown);
        if (!grown)
            return ERR_MEMORY;
        closed->files = grown;
        closed->cap = wanted;
    }
    closed->files[closed->count++] = (struct closed_file){.chain = found->chain,
                                                          .number = found->number,
                                                          .plain = !found->packed,
                                                          .packed = found->packed};
    return OK;
}

/* Both forms of a file are one. */
static void merge_forms(struct closed *closed)
{
    size_t kept = 0;
    qsort(closed->files, closed->count, sizeof *closed->files, compare_files);
    for (size_t i = 0; i < closed->count; i++) {
        struct closed_file *last = kept ? &closed->files[kept - 1] : NULL;
        if (last && compare_files(last, &closed->files[i]) == 0) {
            last->plain = last->plain || closed->files[i].plain;
            last->packed = last->packed || closed->files[i].packed;
        } else {
            closed->files[kept++] = closed->files[i];
        }
    }
    closed->count = kept;
}

/* A server that finds a file without a whole line goes on in the one before. */
static bool is_begun(const struct closed *closed, const struct closed_file *file)
{
    char name[FILE_NAME_MAX];
    char bytes[256];
    struct chain_line line;
    if (file->packed)
        return true;
    file_name(file->chain, file->number, name);
    int fd = openat(closed->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got = fd < 0 ? -1 : pread(fd, bytes, sizeof bytes, 0);
    if (fd >= 0)
        (void)close(fd);
    return got > 0 && chain_line_parse(bytes, (size_t)got, &line);
}

/* Leaves out what a worker writes, or would go on in. */
static void keep_closed(struct closed *closed)
{
    size_t kept = 0;
    for (size_t first = 0, end = 0; first < closed->count; first = end) {
        while (end < closed->count && closed->files[end].chain == closed->files[first].chain)
            end++;
        size_t newest = end - 1;
        while (newest > first && !is_begun(closed, &closed->files[newest]))
            newest--;
        for (size_t i = first; i < newest; i++)
            closed->files[kept++] = closed->files[i];
    }
    closed->count = kept;
}

enum status closed_open(const char *directory, struct closed *closed)
{
    memset(closed, 0, sizeof *closed);
    closed->lock_fd = -1;
    closed->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = closed->dir_fd < 0 ? ERR_IO : OK;
    if (status == OK) {
        closed->lock_fd = openat(closed->dir_fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                                 S_IRUSR | S_IWUSR);
        status = closed->lock_fd < 0 ? ERR_IO : OK;
    }
    if (status == OK && flock(closed->lock_fd, LOCK_EX | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK ? DENIED : ERR_IO;
    if (status == OK) {
        (void)unlinkat(closed->dir_fd, CLOSED_TEMPORARY, 0);
        (void)unlinkat(closed->dir_fd, CLOSED_TEMPORARY_PACKED, 0);
        status = file_each(closed->dir_fd, add, closed);
    }
    if (status == OK && closed->count > 0) {
        merge_forms(closed);
        keep_closed(closed);
    }
    int error = errno;
    if (status != OK)
        closed_close(closed);
    errno = error;
    return status;
}

void closed_close(struct closed *closed)
{
    if (closed->lock_fd >= 0)
        (void)close(closed->lock_fd);
    if (closed->dir_fd >= 0)
        (void)close(closed->dir_fd);
    free(closed->files);
    memset(closed, 0, sizeof *closed);
    closed->lock_fd = -1;
    closed->dir_fd = -1;
}

enum status closed_create(const struct closed *closed, const char *temporary, int *fd)
{
    (void)unlinkat(closed->dir_fd, temporary, 0);
    *fd = openat(closed->dir_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                 S_IRUSR | S_IWUSR);
    return *fd < 0 ? ERR_IO : OK;
}

enum status closed_publish(const struct closed *closed, const char *temporary, int fd,
                           const char *name, bool over)
{
    if (fsync(fd) != 0)
        return ERR_IO;
    if (over) {
        if (renameat(closed->dir_fd, temporary, closed->dir_fd, name) != 0)
            return ERR_IO;
        return fsync(closed->dir_fd) == 0 ? OK : ERR_IO;
    }
    /* Unlike a rename, a link never takes the place of a file that is there. */
    if (linkat(closed->dir_fd, temporary, closed->dir_fd, name, 0) != 0)
        return ERR_IO;
    (void)unlinkat(closed->dir_fd, temporary, 0);
    return fsync(closed->dir_fd) == 0 ? OK : ERR_IO;
}

enum status closed_remove(const struct closed *closed, const char *name)
{
    if (unlinkat(closed->dir_fd, name, 0) != 0)
        return ERR_IO;
    return fsync(closed->dir_fd) == 0 ? OK : ERR_IO;
}

/* CLOSED and NEED_MORE are ends: bytes without a line end are compared like any others. */
static bool is_end(enum status status)
{
    return status == CLOSED || status == NEED_MORE;
}

enum status closed_compare(int dir_fd, const char *plain, const char *packed, uint64_t *bytes)
{
    struct lines *left = NULL;
    struct lines *right = NULL;
    const char *why = NULL;
    *bytes = 0;
    enum status status = lines_open_at(dir_fd, plain, &left, &why);
    if (status == OK)
        status = lines_open_at(dir_fd, packed, &right, &why);
    while (status == OK) {
        const char *line[2] = {NULL, NULL};
        size_t len[2] = {0, 0};
        status = lines_next(left, &line[0], &len[0]);
        enum status other = lines_next(right, &line[1], &len[1]);
        if (status == ERR_IO || status == ERR_MEMORY)
            break;
        if (other == ERR_IO || other == ERR_MEMORY) {
            status = other;
            break;
        }
        /* A line too long for either is lost for both: then they cannot be told to be the same. */
        if (status != other || status == ERR_INVALID || status == ERR_LIMIT || len[0] != len[1] ||
            memcmp(line[0], line[1], len[0]) != 0) {
            status = DENIED;
            break;
        }
        *bytes = lines_offset(left) + (status == NEED_MORE ? len[0] : 0);
    }
    lines_close(left);
    lines_close(right);
    return is_end(status) ? OK : status;
}
