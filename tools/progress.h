/*
 * progress.h: how far a long reading is, as a line on stderr, where that is a terminal.
 */
#ifndef PGVIGIL_TOOLS_PROGRESS_H
#define PGVIGIL_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool terminal;
    bool drawn;
};

void progress_begin(struct progress *progress);
/* Bytes. */
void progress_draw(struct progress *progress, uint64_t done, uint64_t total);
/* Takes the line away, before something else is printed to the terminal. */
void progress_clear(struct progress *progress);

#endif
