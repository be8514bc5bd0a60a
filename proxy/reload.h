/*
 * reload.h: the world that statements are judged by, and its replacement while the proxy runs.
 *
 * A struct world is immutable and shared by reference count: the policy in force, the catalog
 * snapshot of each database, the listener's certificates. The service thread (large stack: policies
 * are parsed there; blocking libpq: catalogs are loaded there) makes the next world and publishes
 * it; each worker takes it up at the start of a turn, each session at its next statement outside a
 * transaction. A policy that does not load, or whose guards are not deployed, is never published:
 * the one in force stays.
 *
 * Trust boundary: policy files and certificates come from the administrator, catalog rows from the
 * database.
 */
#ifndef PGVIGIL_PROXY_RELOAD_H
#define PGVIGIL_PROXY_RELOAD_H

#include <pgvigil/catalog.h>
#include <pgvigil/config.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct observer;
struct token_ring;

struct world_database {
    struct catalog *catalog;   /* a reference, or NULL: restricted roles are refused, `why` tells */
    char *why;                 /* owned sentence, or NULL */
    struct observer *observer; /* owned; of a database in observe mode, whose catalog it holds; NULL
                                  where there is none */
    char *keys; /* owned: "-c pgvigil.key_care=... ", the start-up options of pair connections;
                   secret */
};

struct world {
    atomic_uint refs;
    uint64_t id; /* grows with each world */
    struct policy *policy;
    uint64_t policy_id; /* changes with the policy only: server connections are kept as long as it
                           stays */
    struct token_ring *tokens; /* the keys of its logins that take tokens; a reference */
    struct tls_context *tls;   /* NULL: plaintext only */
    uint32_t scram_iterations; /* the commonest count, for users that do not exist */
    size_t database_count;
    struct world_database databases[];
};

struct world *world_ref(struct world *world);
void world_unref(struct world *world); /* accepts NULL */

struct reload;

/* How far the chains of the trail have got, for those of the workers. Lives as long as this. */
struct audit_heights *reload_heights(const struct reload *reload);

/* Makes the first world, on the calling thread's business but a thread with a large stack of its
 * own, and starts the service thread. ERR_INVALID: the policy or a certificate does not load (said
 * on stderr). A database that cannot be reached yet is not an error: it is tried again. Borrows the
 * configuration. */
NODISCARD enum status reload_start(const struct config *config, struct reload **reload);
/* Stops and joins the service thread, frees. Accepts NULL. */
void reload_stop(struct reload *reload);

/* A new reference to the world in force. */
struct world *reload_world(struct reload *reload);
/* Its id, without a lock: for "has it changed?". */
uint64_t reload_world_id(const struct reload *reload);
/* Asks for everything to be read again (SIGHUP); `reload_catalogs` only for catalogs (an unknown
 * guard, DDL). */
void reload_request(struct reload *reload);
void reload_catalogs(struct reload *reload);
/* The same, and waits until they have been read after this call; at most so long. False: they have
 * not. Not for a worker's thread. */
bool reload_catalogs_now(struct reload *reload, unsigned seconds);
/* The trail for events of no session ("start", "stop", "reload"); thread-safe, flushes. */
void reload_audit_event(struct reload *reload, const char *event, const char *detail);

#endif
