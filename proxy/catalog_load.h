/*
 * catalog_load.h: a snapshot of the catalog, read over libpq.
 *
 * Blocks: for service threads and the command line, never for an event loop. Reads pg_catalog only,
 * which any login may, in one read-only transaction of one snapshot.
 */
#ifndef PGVIGIL_PROXY_CATALOG_LOAD_H
#define PGVIGIL_PROXY_CATALOG_LOAD_H

#include <libpq-fe.h>
#include <pgvigil/buf.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>

/*
 * *catalog has one reference, on OK only. Its guards and generation_digest are those of `policy`
 * when that generation stands in the database, else there are none and the digest is "".
 * ERR_UPSTREAM, ERR_MEMORY, with a sentence (no password in it) appended to `why`.
 */
NODISCARD enum status catalog_load(const char *conninfo, const struct policy *policy,
                                   struct catalog **catalog, struct buf *why);
/* The same on a connection that is idle or in a transaction; borrows it. Inside a transaction it
 * uses that one. */
NODISCARD enum status catalog_load_conn(PGconn *conn, const struct policy *policy,
                                        struct catalog **catalog, struct buf *why);
/* Whether two snapshots say the same: a reload that finds no change keeps the verdicts. */
bool catalog_load_equal(const struct catalog *a, const struct catalog *b);

#endif
