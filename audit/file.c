/*
 * file.c: the file that a chain is being written to (see file.h).
 *
 * Trust boundary: the directory is ours, but names are opened with O_NOFOLLOW and new files with
 * O_EXCL, so that a link planted there cannot send the trail elsewhere.
 */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pgvigil/log.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

void file_init(struct file *file)
{
    memset(file, 0, sizeof *file);
    file->dir_fd = -1;
    file->lock_fd = -1;
    file->fd = -1;
}

void file_name(unsigned chain, uint64_t number, char out[FILE_NAME_MAX])
{
    (void)snprintf(out, FILE_NAME_MAX, "audit-%u-%08" PRIu64 ".jsonl", chain, number);
}

void file_name_packed(unsigned chain, uint64_t number, char out[FILE_NAME_MAX])
{
    (void)snprintf(out, FILE_NAME_MAX, "audit-%u-%08" PRIu64 ".jsonl" FILE_PACKED, chain, number);
}

static const char *read_number(const char *at, uint64_t *number)
{
    uint64_t value = 0;
    const char *start = at;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (at - start >= 18)
            return NULL;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    *number = value;
    return at > start ? at : NULL;
}

bool file_name_parse_any(const char *name, unsigned *chain, uint64_t *number, bool *packed)
{
    uint64_t wide = 0;
    if (strncmp(name, "audit-", 6) != 0)
        return false;
    const char *at = read_number(name + 6, &wide);
    if (!at || *at != '-' || wide > UINT32_MAX)
        return false;
    at = read_number(at + 1, number);
    if (!at || *number == 0)
        return false;
    /* Only the spelling that file_name makes: "audit-00-1.jsonl" is not a second name of a file. */
    char again[FILE_NAME_MAX];
    *chain = (unsigned)wide;
    file_name_packed(*chain, *number, again);
    *packed = strcmp(name, again) == 0;
    file_name(*chain, *number, again);
    return *packed || strcmp(name, again) == 0;
}

bool file_name_parse(const char *name, unsigned *chain, uint64_t *number)
{
    bool packed = false;
    return file_name_parse_any(name, chain, number, &packed) && !packed;
}

int file_order(unsigned chain, uint64_t number, unsigned other_chain, uint64_t other_number)
{
    if (chain != other_chain)
        return chain < other_chain ? -1 : 1;
    return number < other_number ? -1 : number > other_number;
}

enum status file_each(int dir_fd, file_found_fn *found, void *context)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int error = errno;
        if (fd >= 0)
            (void)close(fd);
        errno = error;
        return ERR_IO;
    }
    enum status status = OK;
    int error = 0;
    while (status == OK) {
        struct file_named file = {0};
        errno = 0;
        /* One thread reads this DIR. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const struct dirent *entry = readdir(dir);
        error = errno;
        if (!entry) {
            status = error ? ERR_IO : OK;
            break;
        }
        file.name = entry->d_name;
        if (file_name_parse_any(file.name, &file.chain, &file.number, &file.packed)) {
            status = found(context, &file);
            error = errno;
        }
    }
    (void)closedir(dir);
    errno = error;
    return status;
}

struct last_number {
    unsigned chain;
    uint64_t number;
};

static enum status take_last(void *context, const struct file_named *file)
{
    struct last_number *last = context;
    if (file->chain == last->chain && file->number > last->number)
        last->number = file->number;
    return OK;
}

enum status file_last_number(int dir_fd, unsigned chain, uint64_t *number)
{
    struct last_number last = {.chain = chain};
    enum status status = file_each(dir_fd, take_last, &last);
    *number = last.number;
    return status;
}

static enum status lock_chain(struct file *file)
{
    char name[FILE_NAME_MAX];
    (void)snprintf(name, sizeof name, "audit-%u.lock", file->chain);
    file->lock_fd =
        openat(file->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (file->lock_fd < 0)
        return ERR_IO;
    if (flock(file->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return OK;
    return errno == EWOULDBLOCK ? ERR_INVALID : ERR_IO;
}

enum status file_open_directory(struct file *file, const char *directory, unsigned chain)
{
    struct stat st;
    char quoted[512];
    file->chain = chain;
    if (mkdir(directory, S_IRWXU) != 0 && errno != EEXIST)
        return ERR_IO;
    file->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->dir_fd < 0)
        return ERR_IO;
    if (fstat(file->dir_fd, &st) == 0 && (st.st_mode & 022) != 0)
        log_event(LOG_LEVEL_WARNING, "event=audit-directory-writable directory=%s mode=%04o",
                  log_quote(directory, quoted, sizeof quoted), (unsigned)(st.st_mode & 07777));
    return lock_chain(file);
}

/* Takes ownership of fd. */
static enum status adopt(struct file *file, int fd, uint64_t number, uint64_t size)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        file->error = errno;
        (void)close(fd);
        return ERR_IO;
    }
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = fd;
    file->number = number;
    file->size = size;
    file->dirty_tail = false;
    file->device = st.st_dev;
    file->inode = st.st_ino;
    return OK;
}

enum status file_resume(struct file *file, uint64_t number, uint64_t size)
{
    char name[FILE_NAME_MAX];
    file_name(file->chain, number, name);
    int fd = openat(file->dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        file->error = errno;
        return ERR_IO;
    }
    return adopt(file, fd, number, size);
}

/* Returns 0 or an errno. */
static int write_all(int fd, const unsigned char *bytes, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t done = pwrite(fd, bytes, len, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        if (done == 0)
            return ENOSPC;
        bytes += done;
        offset += (uint64_t)done;
        len -= (size_t)done;
    }
    return 0;
}

static int cut(int fd, uint64_t size)
{
    int result = 0;
    do {
        result = ftruncate(fd, (off_t)size);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

/* The file gets its name when it is whole: a crash leaves no empty file in the chain. */
static int give_name(const struct file *file, const char *temporary, const char *name, bool over)
{
    if (over)
        return renameat(file->dir_fd, temporary, file->dir_fd, name) == 0 ? 0 : errno;
    /* Unlike a rename, a link never takes the place of a file that is there. */
    if (linkat(file->dir_fd, temporary, file->dir_fd, name, 0) != 0)
        return errno;
    (void)unlinkat(file->dir_fd, temporary, 0);
    return 0;
}

enum status file_create(struct file *file, uint64_t number, const void *bytes, size_t len,
                        bool over)
{
    char name[FILE_NAME_MAX];
    char temporary[FILE_NAME_MAX];
    file_name(file->chain, number, name);
    (void)snprintf(temporary, sizeof temporary, "audit-%u.new", file->chain);
    (void)unlinkat(file->dir_fd, temporary, 0);
    int fd =
        openat(file->dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        file->error = errno;
        return ERR_IO;
    }
    int error = write_all(fd, bytes, len, 0);
    if (!error && fsync(fd) != 0)
        error = errno;
    if (!error)
        error = give_name(file, temporary, name, over);
    if (error) {
        file->error = error;
        (void)unlinkat(file->dir_fd, temporary, 0);
        (void)close(fd);
        return ERR_IO;
    }
    /* A name that a power failure takes away would look like a removed file. From here on the file
     * is there, so it is used, whatever this says. */
    (void)fsync(file->dir_fd);
    return adopt(file, fd, number, len);
}

static enum status write_failed(struct file *file, int error)
{
    file->error = error;
    if (!file->dirty_tail)
        file->dirty_tail = cut(file->fd, file->size) != 0;
    return ERR_IO;
}

enum status file_write_ahead(struct file *file, const void *bytes, size_t len)
{
    if (file->fd < 0) {
        file->error = EBADF;
        return ERR_IO;
    }
    /* Bytes that could not be cut are written over, then the rest of them is cut: so the record
     * that tells of them takes their place, or they stay for the next try. */
    int error = write_all(file->fd, bytes, len, file->size);
    if (!error && file->dirty_tail)
        error = cut(file->fd, file->size + len);
    return error ? write_failed(file, error) : OK;
}

enum status file_stand(struct file *file, size_t len, int error)
{
    if (error)
        return write_failed(file, error);
    file->dirty_tail = false;
    file->size += len;
    return OK;
}

enum status file_write(struct file *file, const void *bytes, size_t len)
{
    enum status status = file_write_ahead(file, bytes, len);
    if (status != OK)
        return status;
    int error = file->synced && fdatasync(file->fd) != 0 ? errno : 0;
    return file_stand(file, len, error);
}

enum status file_read_at(int fd, void *bytes, size_t len, uint64_t offset)
{
    unsigned char *at = bytes;
    while (len > 0) {
        ssize_t got = pread(fd, at, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        if (got == 0)
            return ERR_INVALID;
        at += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return OK;
}

bool file_in_place(const struct file *file)
{
    char name[FILE_NAME_MAX];
    struct stat st;
    file_name(file->chain, file->number, name);
    return file->fd >= 0 && fstatat(file->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_dev == file->device && st.st_ino == file->inode;
}

bool file_has_room(const struct file *file, uint64_t bytes)
{
    struct statvfs st;
    return fstatvfs(file->dir_fd, &st) != 0 ||
           (uint64_t)st.f_bavail >= (bytes + st.f_frsize - 1) / st.f_frsize;
}

static void reserve_name(const struct file *file, char out[FILE_NAME_MAX])
{
    (void)snprintf(out, FILE_NAME_MAX, "audit-%u.reserve", file->chain);
}

enum status file_reserve(struct file *file, uint64_t bytes)
{
    char name[FILE_NAME_MAX];
    reserve_name(file, name);
    /* To be read, too: where the file system has no fallocate, the C library reads each block and
     * writes it. */
    int fd =
        openat(file->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return ERR_IO;
    /* What a shorter setting leaves over goes back. */
    int error = cut(fd, bytes);
    if (!error)
        error = posix_fallocate(fd, 0, (off_t)bytes);
    (void)close(fd);
    if (error)
        (void)unlinkat(file->dir_fd, name, 0);
    errno = error;
    return error ? ERR_IO : OK;
}

bool file_release(struct file *file)
{
    char name[FILE_NAME_MAX];
    reserve_name(file, name);
    return unlinkat(file->dir_fd, name, 0) == 0;
}

void file_close(struct file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    if (file->lock_fd >= 0)
        (void)close(file->lock_fd);
    if (file->dir_fd >= 0)
        (void)close(file->dir_fd);
    file_init(file);
}
