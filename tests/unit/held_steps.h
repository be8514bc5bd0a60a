/*
 * held_steps.h: the process ends, or a system call fails, at a chosen one of those that change a
 * directory or a file: as SIGKILL, a power failure and a full disk do.
 *
 * Included by the one .c of a test that is linked with --wrap for each of HELD_STEPS_CALLS (see
 * tests/CMakeLists.txt).
 */
#ifndef PGVIGIL_TESTS_HELD_STEPS_H
#define PGVIGIL_TESTS_HELD_STEPS_H

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#define HELD_STEPS_DEATH 9

static unsigned held_left; /* 0: nothing is held */
static bool held_dies;
static bool held_reached;
static int held_error;

static inline void held_steps_die_at(unsigned step)
{
    held_left = step;
    held_dies = true;
}

static inline void held_steps_fail_at(unsigned step, int error)
{
    held_left = step;
    held_dies = false;
    held_reached = false;
    held_error = error;
}

/* Whether it came to that. */
static inline bool held_steps_end(void)
{
    held_left = 0;
    return held_reached;
}

static inline bool held_step(void)
{
    if (held_left == 0 || --held_left > 0)
        return false;
    if (held_dies)
        _exit(HELD_STEPS_DEATH);
    held_reached = true;
    errno = held_error;
    return true;
}

#define HELD_CALL(name, declared, passed)                                                          \
    int __real_##name declared;                                                                    \
    int __wrap_##name declared;                                                                    \
    int __wrap_##name declared                                                                     \
    {                                                                                              \
        return held_step() ? -1 : __real_##name passed;                                            \
    }

HELD_CALL(linkat, (int a, const char *b, int c, const char *d, int e), (a, b, c, d, e))
HELD_CALL(renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
HELD_CALL(unlinkat, (int a, const char *b, int c), (a, b, c))
HELD_CALL(fsync, (int a), (a))
HELD_CALL(fdatasync, (int a), (a))

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

/* Half of it gets there. */
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (held_left == 1 && held_dies)
        (void)!__real_write(fd, bytes, len / 2);
    return held_step() ? -1 : __real_write(fd, bytes, len);
}

ssize_t __real_pwrite(int fd, const void *bytes, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at);

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    if (held_left == 1 && held_dies)
        (void)!__real_pwrite(fd, bytes, len / 2, at);
    return held_step() ? -1 : __real_pwrite(fd, bytes, len, at);
}

#endif
