/*
 * pack.c: compresses closed files (see audit.h and closed.h).
 *
 * At any point at which the process or the machine may end, one of the two forms is there, whole:
 * the new one is written under another name, read back and compared with the plain one, synced, and
 * only when it has its name, and the disk has that, the plain one goes. Both may be there after a
 * crash; the next run compares them and takes the plain one away. Two that differ are evidence:
 * they stay, and verify tells of them.
 */
#include "closed.h"
#include "frames.h"

#include <errno.h>
#include <fcntl.h>
#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 << 10)
/* The disk gets what there is now and then: one large sync would hold up the records that are
 * being written meanwhile. */
#define SYNC_BYTES ((uint64_t)32 << 20)

static _Thread_local char why_text[512];

struct packing {
    const struct closed *closed;
    audit_stop_fn *stop;
    void *context;
    struct audit_pack_result *result;
};

static bool is_stopped(const struct packing *packing)
{
    return packing->stop && packing->stop(packing->context);
}

static enum status copy(const struct packing *packing, int from, int to)
{
    struct packer *packer = NULL;
    char *bytes = malloc(READ_BYTES);
    uint64_t done = 0;
    enum status status = bytes ? packer_new(to, &packer) : ERR_MEMORY;
    while (status == OK) {
        ssize_t got = read(from, bytes, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = ERR_IO;
        if (got <= 0)
            break;
        status = is_stopped(packing) ? CLOSED : packer_bytes(packer, bytes, (size_t)got);
        uint64_t before = done / SYNC_BYTES;
        done += (uint64_t)got;
        if (status == OK && done / SYNC_BYTES != before && fdatasync(to) != 0)
            status = ERR_IO;
    }
    if (status == OK)
        status = packer_end(packer);
    packer_free(packer);
    free(bytes);
    return status;
}

/* The times are the plain file's: whoever archives by age finds it where it was. */
static enum status make_packed(const struct packing *packing, const char *plain, const char *packed)
{
    struct stat st;
    int to = -1;
    uint64_t bytes = 0;
    int from = openat(packing->closed->dir_fd, plain, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return ERR_IO;
    enum status status = fstat(from, &st) == 0
                             ? closed_create(packing->closed, CLOSED_TEMPORARY_PACKED, &to)
                             : ERR_IO;
    if (status == OK)
        status = copy(packing, from, to);
    if (status == OK) {
        const struct timespec times[2] = {st.st_atim, st.st_mtim};
        (void)futimens(to, times);
        status = closed_compare(packing->closed->dir_fd, plain, CLOSED_TEMPORARY_PACKED, &bytes);
    }
    if (status == OK)
        status = closed_publish(packing->closed, CLOSED_TEMPORARY_PACKED, to, packed, false);
    /* Its pages were wanted once. */
    (void)posix_fadvise(from, 0, 0, POSIX_FADV_DONTNEED);
    int error = errno;
    if (to >= 0)
        (void)close(to);
    (void)close(from);
    if (status != OK)
        (void)unlinkat(packing->closed->dir_fd, CLOSED_TEMPORARY_PACKED, 0);
    errno = error;
    return status;
}

static enum status pack_file(const struct packing *packing, const struct closed_file *file)
{
    char plain[FILE_NAME_MAX];
    char packed[FILE_NAME_MAX];
    struct stat st;
    uint64_t bytes = 0;
    file_name(file->chain, file->number, plain);
    file_name_packed(file->chain, file->number, packed);
    enum status status = file->packed
                             ? closed_compare(packing->closed->dir_fd, plain, packed, &bytes)
                             : make_packed(packing, plain, packed);
    if (status == OK && fstatat(packing->closed->dir_fd, plain, &st, AT_SYMLINK_NOFOLLOW) == 0)
        bytes = (uint64_t)st.st_size;
    if (status == OK)
        status = closed_remove(packing->closed, plain);
    if (status != OK)
        return status;
    packing->result->files++;
    packing->result->bytes += bytes;
    if (fstatat(packing->closed->dir_fd, packed, &st, AT_SYMLINK_NOFOLLOW) == 0)
        packing->result->packed_bytes += (uint64_t)st.st_size;
    return OK;
}

static void tell_failed(const struct closed_file *file, enum status status)
{
    char name[FILE_NAME_MAX];
    char text[128];
    file_name(file->chain, file->number, name);
    log_event(LOG_LEVEL_ERROR, "event=audit-pack-failed file=%s error=\"%s\"", name,
              status == DENIED
                  ? "its compressed form is there and is not the same: verify tells more"
              : status == ERR_IO ? strerror_r(errno, text, sizeof text)
                                 : status_name(status));
}

enum status audit_pack(const char *directory, audit_stop_fn *stop, void *context,
                       struct audit_pack_result *result, const char **why)
{
    struct closed closed;
    const struct packing packing = {&closed, stop, context, result};
    memset(result, 0, sizeof *result);
    *why = NULL;
    enum status status = closed_open(directory, &closed);
    if (status != OK) {
        char text[128];
        (void)snprintf(why_text, sizeof why_text, "%s: %s", directory,
                       status == DENIED ? "another process compresses or purges here"
                                        : strerror_r(errno, text, sizeof text));
        *why = why_text;
        return status;
    }
    for (size_t i = 0; i < closed.count && !is_stopped(&packing); i++) {
        if (!closed.files[i].plain)
            continue;
        status = pack_file(&packing, &closed.files[i]);
        if (status == CLOSED || status == OK)
            continue;
        result->failed++;
        tell_failed(&closed.files[i], status);
    }
    closed_close(&closed);
    return OK;
}
