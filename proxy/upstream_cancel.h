/*
 * upstream_cancel.h: cancelling what a server connection runs, as private as the connection itself.
 *
 * libpq 15's PQcancel sends the cancel key in clear, and whoever reads it can cancel that
 * connection's statements for as long as it lives. So a connection with TLS is cancelled by
 * pg_cancel_backend on a second connection of the same login to the same server, opened and
 * verified by libpq with the same conninfo; one without TLS by PQcancel.
 */
#ifndef PGVIGIL_PROXY_UPSTREAM_CANCEL_H
#define PGVIGIL_PROXY_UPSTREAM_CANCEL_H

#include <libpq-fe.h>
#include <pgvigil/status.h>
#include <stddef.h>

struct upstream_cancel;

/* Notes where `conn` leads (borrows it for the call; does not touch its socket). NULL: out of
 * memory. */
struct upstream_cancel *upstream_cancel_new(PGconn *conn);
/* Wipes the password it holds. Accepts NULL. */
void upstream_cancel_free(struct upstream_cancel *cancel);
/* Blocks, for connector threads. OK: the server has been told. ERR_UPSTREAM with libpq's words in
 * `error`. */
NODISCARD enum status upstream_cancel_run(const struct upstream_cancel *cancel, char *error,
                                          size_t size);

#endif
