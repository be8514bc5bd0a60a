/*
 * listener.h: the socket that clients connect to.
 *
 * Runs in the loop of the thread that opened it (serve's main thread); accepted sockets go to the
 * first worker that is neither filled (worker_fill) nor busy, or else to the one with the fewest
 * sessions. Limits on connections are kept here, before a byte is read.
 */
#ifndef PGVIGIL_PROXY_LISTENER_H
#define PGVIGIL_PROXY_LISTENER_H

#include "proxy/worker.h"

#include <event2/event.h>

struct listener;

/* ERR_IO: cannot listen there (logged). Borrows the workers. */
NODISCARD enum status listener_open(struct event_base *base, const struct process *process,
                                    struct worker *workers, struct listener **listener);
void listener_close(struct listener *listener); /* accepts NULL */

#endif
