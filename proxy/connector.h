/*
 * connector.h: the threads that may block.
 *
 * Opening a server connection resolves names, shakes hands and hashes passwords on the spot;
 * cancelling blocks as well (libpq 15). Both are done here by libpq, on a few threads of their own,
 * and the outcome is posted to the worker that asked. A job belongs to the connector from its
 * submission to its answer.
 */
#ifndef PGVIGIL_PROXY_CONNECTOR_H
#define PGVIGIL_PROXY_CONNECTOR_H

#include <libpq-fe.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdint.h>

struct connector;
struct worker;
struct upstream_cancel;

/* In the worker's loop. Takes `conn` (open, idle, nothing unread), or NULL with `error` (a
 * sentence; borrowed; it can hold host names, never passwords). */
typedef void connector_opened_fn(struct worker *worker, PGconn *conn, const char *error,
                                 void *context);
typedef void connector_cancelled_fn(struct worker *worker, void *context);

NODISCARD enum status connector_start(unsigned threads, struct connector **connector);
/* Waits for the jobs in hand. Connections that nobody has begun to open are answered with an error:
 * with a host that hangs each could take limits.connect_seconds. Cancels are still sent, those that
 * are begun within five seconds. */
void connector_stop(struct connector *connector);

struct connector_open {
    const char *conninfo;
    const char *options;  /* added to the conninfo's own `options`; secret; or NULL */
    const char *set_role; /* SET ROLE to it where the login is a member; or NULL */
    const char *digest;   /* of the generation it works for (guard.h: GUARD_LOCK_CLASS); or NULL */
    unsigned timeout_seconds;
    bool plain; /* nothing of pgvigil's own: no name, no encoding; the server's defaults hold */
};
/* Strings are copied. ERR_MEMORY: `done` is not called. */
NODISCARD enum status connector_open(struct connector *connector, struct worker *worker,
                                     const struct connector_open *open, connector_opened_fn *done,
                                     void *context);
/* Takes `cancel`. */
NODISCARD enum status connector_cancel(struct connector *connector, struct worker *worker,
                                       struct upstream_cancel *cancel, connector_cancelled_fn *done,
                                       void *context);
/* libpq's message as one line in `out`. */
const char *connector_error_line(const char *message, char *out, size_t size);

#endif
