/*
 * held_disk.c: a disk that a test can hold up, or let fail; for tests of group commit only.
 *
 * Linked with --wrap=fdatasync into pgvigil-held-disk, which is built beside the tests and never
 * installed. In the folder HELD_DISK: `count` gets a byte for each sync that begins, `hold` makes
 * each wait for as long as it is there (but for the first so many that the number in it says),
 * `fail` has them fail as a disk does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The names are the linker's. NOLINTBEGIN(readability-identifier-naming) */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static const char *path(const char *name, char *out, size_t size)
{
    const char *folder = getenv("HELD_DISK");
    (void)snprintf(out, size, "%s/%s", folder == NULL ? "/nonexistent" : folder, name);
    return out;
}

/* The sync with this number waits. */
static int is_held(long number)
{
    char name[512];
    long passed = 0;
    FILE *hold = fopen(path("hold", name, sizeof name), "r");
    if (hold == NULL)
        return 0;
    char line[32];
    if (fgets(line, sizeof line, hold) != NULL)
        passed = strtol(line, NULL, 10);
    (void)fclose(hold);
    return number > passed;
}

int __wrap_fdatasync(int fd)
{
    char name[512];
    long number = 1;
    int count = open(path("count", name, sizeof name), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (count >= 0) {
        ssize_t put = write(count, ".", 1);
        (void)put;
        number = (long)lseek(count, 0, SEEK_END);
        close(count);
    }
    while (is_held(number))
        usleep(5000);
    if (access(path("fail", name, sizeof name), F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

/* NOLINTEND(readability-identifier-naming) */
