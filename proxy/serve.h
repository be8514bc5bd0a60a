/*
 * serve.h: `pgvigil serve`: workers, listener, signals, from start to end.
 */
#ifndef PGVIGIL_PROXY_SERVE_H
#define PGVIGIL_PROXY_SERVE_H

#include <pgvigil/config.h>
#include <pgvigil/status.h>

/*
 * Serves until SIGTERM or SIGINT. SIGHUP reloads policy, certificates and catalogs. Borrows the
 * configuration until it returns. OK: a clean end. ERR_INVALID: the policy, a certificate or the
 * audit's key is not usable (said in the log and on stderr). ERR_IO: cannot listen, cannot open the
 * audit. ERR_MEMORY.
 */
NODISCARD enum status serve_run(const struct config *config);

#endif
