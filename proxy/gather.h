/*
 * gather.h: asking every worker for its part of a view, and bringing the parts to who asked.
 *
 * Sessions and server connections are their worker's alone, so each worker fills a part of its own
 * in its own loop; the last one sends the whole to the asker's loop. The session that asked may be
 * gone by then: it is named by number, never by pointer.
 */
#ifndef PGVIGIL_PROXY_GATHER_H
#define PGVIGIL_PROXY_GATHER_H

#include "proxy/view.h"

struct gather {
    uint64_t session; /* who asked... */
    uint64_t serial;  /* ...and for which time */
    enum view_name view;
    struct view_part *parts; /* one for each worker */
};

/* In the asker's loop, once, when all have answered; `gather` is freed behind it. Not called when
 * pgvigil ends meanwhile. */
typedef void gather_done_fn(struct worker *worker, const struct gather *gather);

/* In the loop of `asker`. ERR_MEMORY: nobody will call. */
NODISCARD enum status gather_start(struct worker *asker, uint64_t session, uint64_t serial,
                                   enum view_name view, gather_done_fn *done);

#endif
