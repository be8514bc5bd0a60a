/*
 * progress.c: how far a long reading is (see progress.h).
 */
#include "tools/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void progress_begin(struct progress *progress)
{
    *progress = (struct progress){.terminal = isatty(STDERR_FILENO) == 1};
}

void progress_draw(struct progress *progress, uint64_t done, uint64_t total)
{
    if (!progress->terminal || total == 0)
        return;
    /* A file that is being written may have grown. */
    (void)fprintf(stderr, "\r%3" PRIu64 "%% of %" PRIu64 " MiB",
                  done > total ? 100 : done * 100 / total, total >> 20);
    progress->drawn = true;
}

void progress_count(struct progress *progress, size_t done, size_t total, const char *things)
{
    if (!progress->terminal || total == 0)
        return;
    (void)fprintf(stderr, "\r%zu / %zu %s", done, total, things);
    progress->drawn = true;
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\033[K", stderr);
    progress->drawn = false;
}
