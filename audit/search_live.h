/*
 * search_live.h: a search (search.h) of lines as they are written: what `tail.h` hands out.
 */
#ifndef PGVIGIL_AUDIT_SEARCH_LIVE_H
#define PGVIGIL_AUDIT_SEARCH_LIVE_H

#include "search.h"

#include <pgvigil/status.h>
#include <stddef.h>
#include <stdint.h>

struct search_live;

/* `query` is prepared and outlives it, `directory` is where a statement's begin is looked for that
 * was written before. ERR_IO (errno), ERR_MEMORY. */
NODISCARD enum status search_live_open(const char *directory, const struct query *query,
                                       const struct search_events *events,
                                       struct search_live **live);
/*
 * The next line of a chain. *answer is borrowed until the next call, NULL when the line makes none.
 * A statement that has begun is an answer (`outcome` is "begun"), and another when it ends.
 * ERR_MEMORY.
 */
NODISCARD enum status search_live_line(struct search_live *live, unsigned chain, uint64_t file,
                                       const char *line, size_t len, const json_t **answer);
uint64_t search_live_damaged(const struct search_live *live);
void search_live_close(struct search_live *live); /* accepts NULL */

#endif
