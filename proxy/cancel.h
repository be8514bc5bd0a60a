/*
 * cancel.h: from a cancel key to the session it belongs to.
 *
 * A CancelRequest comes on a connection of its own, before any authentication: the key is all its
 * sender proves. Keys are drawn from the system's randomness and compared in constant time; what is
 * sent upstream is the server connection's own cancel, and only while that session has a statement
 * there.
 */
#ifndef PGVIGIL_PROXY_CANCEL_H
#define PGVIGIL_PROXY_CANCEL_H

#include <pgvigil/status.h>
#include <stdint.h>

struct cancel_registry;
struct session;

struct cancel_registry *cancel_registry_new(void);
void cancel_registry_free(struct cancel_registry *registry);
/* Draws the session's key_id and key_secret, and borrows the session until cancel_unregister: its
 * number, worker and key do not change meanwhile. ERR_TLS: no randomness. ERR_MEMORY. */
NODISCARD enum status cancel_register(struct cancel_registry *registry, struct session *session);
void cancel_unregister(struct cancel_registry *registry, const struct session *session);
/* Any thread: tells the owning worker. Silent when the key is not known, as PostgreSQL is. */
void cancel_request(struct cancel_registry *registry, uint32_t id, uint32_t secret);

#endif
