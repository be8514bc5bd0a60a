/*
 * progress.h: how far a long reading is, as a line on stderr, where that is a terminal.
 */
#ifndef PGVIGIL_TOOLS_PROGRESS_H
#define PGVIGIL_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool terminal;
    bool drawn;
};

void progress_begin(struct progress *progress);
/* Bytes. */
void progress_draw(struct progress *progress, uint64_t done, uint64_t total);
/* Things of a kind, in the plural: "tables". */
void progress_count(struct progress *progress, size_t done, size_t total, const char *things);
/* Takes the line away, before something else is printed to the terminal. */
void progress_clear(struct progress *progress);

#endif
