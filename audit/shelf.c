/*
 * shelf.c: the files of a trail (see shelf.h).
 *
 * Trust boundary: the directory may be a forger's: links are not followed, and a name is ours only
 * in the one spelling that the writer makes.
 */
#include "shelf.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status add(void *context, const struct file_named *found)
{
    struct shelf *shelf = context;
    struct shelf_file file = {
        .chain = found->chain, .number = found->number, .compressed = found->packed};
    struct stat st;
    memcpy(file.name, found->name, strlen(found->name) + 1);
    if (fstatat(shelf->dir_fd, file.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? OK : ERR_IO; /* compressed, or purged, this very moment */
    if (!S_ISREG(st.st_mode))
        return OK;
    file.size = (uint64_t)st.st_size;
    if (shelf->count == shelf->cap) {
        size_t more = shelf->cap ? shelf->cap * 2 : 64;
        struct shelf_file *grown = realloc(shelf->files, more * sizeof *grown);
        if (!grown)
            return ERR_MEMORY;
        shelf->files = grown;
        shelf->cap = more;
    }
    shelf->files[shelf->count++] = file;
    return OK;
}

static int compare(const void *left, const void *right)
{
    const struct shelf_file *a = left;
    const struct shelf_file *b = right;
    int order = file_order(a->chain, a->number, b->chain, b->number);
    return order != 0 ? order : (int)a->compressed - (int)b->compressed;
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
    memset(shelf, 0, sizeof *shelf);
    shelf->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = shelf->dir_fd < 0 ? ERR_IO : file_each(shelf->dir_fd, add, shelf);
    int error = errno;
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
