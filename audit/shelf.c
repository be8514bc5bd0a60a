/*
 * shelf.c: the files of a trail (see shelf.h).
 *
 * Trust boundary: the directory may be a forger's: links are not followed, and a name is ours only
 * in the one spelling that the writer makes.
 */
#include "shelf.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool parse(const char *name, struct shelf_file *file)
{
    static const char suffix[] = ".zst";
    size_t len = strlen(name);
    if (len >= sizeof file->name)
        return false;
    memcpy(file->name, name, len + 1);
    char plain[SHELF_NAME_MAX];
    memcpy(plain, name, len + 1);
    file->compressed = len > sizeof suffix && strcmp(name + len - (sizeof suffix - 1), suffix) == 0;
    if (file->compressed)
        plain[len - (sizeof suffix - 1)] = '\0';
    return file_name_parse(plain, &file->chain, &file->number);
}

static enum status add(struct shelf *shelf, size_t *cap, const char *name)
{
    struct shelf_file file = {0};
    struct stat st;
    if (!parse(name, &file))
        return OK;
    if (fstatat(shelf->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? OK : ERR_IO; /* compressed, or purged, this very moment */
    if (!S_ISREG(st.st_mode))
        return OK;
    file.size = (uint64_t)st.st_size;
    if (shelf->count == *cap) {
        size_t more = *cap ? *cap * 2 : 64;
        struct shelf_file *grown = realloc(shelf->files, more * sizeof *grown);
        if (!grown)
            return ERR_MEMORY;
        shelf->files = grown;
        *cap = more;
    }
    shelf->files[shelf->count++] = file;
    return OK;
}

static int compare(const void *left, const void *right)
{
    const struct shelf_file *a = left;
    const struct shelf_file *b = right;
    if (a->chain != b->chain)
        return a->chain < b->chain ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (int)a->compressed - (int)b->compressed;
}

static void arrange(struct shelf *shelf)
{
    size_t kept = 0;
    if (shelf->count)
        qsort(shelf->files, shelf->count, sizeof *shelf->files, compare);
    for (size_t i = 0; i < shelf->count; i++) {
        struct shelf_file *file = &shelf->files[i];
        const struct shelf_file *before = kept ? &shelf->files[kept - 1] : NULL;
        if (before && before->chain == file->chain && before->number == file->number) {
            shelf->twice++;
            continue;
        }
        shelf->bytes += file->size;
        shelf->files[kept++] = *file;
    }
    shelf->count = kept;
    for (size_t i = 0; i < kept; i++)
        shelf->files[i].last = i + 1 == kept || shelf->files[i + 1].chain != shelf->files[i].chain;
}

enum status shelf_open(const char *directory, struct shelf *shelf)
{
    size_t cap = 0;
    memset(shelf, 0, sizeof *shelf);
    shelf->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd =
        shelf->dir_fd < 0 ? -1 : openat(shelf->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int error = errno;
        if (fd >= 0)
            (void)close(fd);
        shelf_close(shelf);
        errno = error;
        return ERR_IO;
    }
    enum status status = OK;
    const struct dirent *entry = NULL;
    errno = 0;
    /* One thread reads this DIR. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (status == OK && (entry = readdir(dir)) != NULL) {
        status = add(shelf, &cap, entry->d_name);
        if (status == OK)
            errno = 0;
    }
    if (status == OK && errno)
        status = ERR_IO;
    int error = errno;
    (void)closedir(dir);
    if (status == OK)
        arrange(shelf);
    else
        shelf_close(shelf);
    errno = error;
    return status;
}

void shelf_close(struct shelf *shelf)
{
    if (shelf->dir_fd >= 0)
        (void)close(shelf->dir_fd);
    free(shelf->files);
    memset(shelf, 0, sizeof *shelf);
    shelf->dir_fd = -1;
}

void shelf_stem(const struct shelf_file *file, char out[SHELF_NAME_MAX])
{
    const char *dot = strchr(file->name, '.');
    size_t len = dot ? (size_t)(dot - file->name) : strlen(file->name);
    memcpy(out, file->name, len);
    out[len] = '\0';
}
