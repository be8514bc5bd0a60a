/*
 * back.h: the lines of a chain from its end on, newest first.
 *
 * For a start, which wants what was written last, and may not read the trail for it.
 */
#ifndef PGVIGIL_AUDIT_BACK_H
#define PGVIGIL_AUDIT_BACK_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

/* A line with its '\n', whoever wrote it; borrowed. True: that is enough. */
typedef bool back_fn(const char *line, size_t len, void *context);

/* Through the newest `files` files of a chain, plain and compressed, until `take` has enough. *all:
 * it had, or all files of the chain that are there were read. ERR_IO (errno), ERR_MEMORY. */
NODISCARD enum status back_chain(int dir_fd, unsigned chain, unsigned files, back_fn *take,
                                 void *context, bool *all);

#endif
