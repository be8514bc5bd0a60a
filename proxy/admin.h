/*
 * admin.h: the admin port: figures for Prometheus and health for whoever watches, over HTTP.
 *
 * GET /metrics and GET /healthz, nothing else: 404 for other paths, 405 for other methods. There is
 * no authentication and no TLS, so the configuration allows loopback addresses only, unless told
 * otherwise; and nothing is said here that names a person, a table or an application.
 *
 * A thread and event loop of its own: a client that is slow or hostile costs statements nothing.
 */
#ifndef PGVIGIL_PROXY_ADMIN_H
#define PGVIGIL_PROXY_ADMIN_H

#include "proxy/worker.h"

#include <pgvigil/status.h>

struct admin;

/* Listens on config->admin. Borrows `process`. ERR_IO: cannot listen (said in the log). ERR_MEMORY.
 */
NODISCARD enum status admin_start(const struct process *process, struct admin **admin);
/* From now on it says that it is not healthy. Accepts NULL, as the next. */
void admin_stopping(struct admin *admin);
/* Joins the thread, frees. Before worker_close of any worker. */
void admin_stop(struct admin *admin);

#endif
