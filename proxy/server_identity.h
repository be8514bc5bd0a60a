/*
 * server_identity.h: whose a server connection is, as the texts that made it so.
 *
 * Owned by a struct server, which compares what is in force with what its session needs.
 */
#ifndef PGVIGIL_PROXY_SERVER_IDENTITY_H
#define PGVIGIL_PROXY_SERVER_IDENTITY_H

#include "proxy/identity.h"

#include <pgvigil/buf.h>
#include <stdbool.h>
#include <stddef.h>

/* Texts that make a connection somebody's; NULL: unknown, or (preferences) none. */
struct server_identity {
    struct identity_text person;
    char *preferences;
    char **names; /* of the session settings in `preferences`, to be reset for the next one */
    size_t name_count;
};

/* Frees what it holds; it is unknown then. */
void server_identity_forget(struct server_identity *identity);
/* The session's own settings only. */
void server_identity_forget_preferences(struct server_identity *identity);
/* Names of the session settings that are set. False: out of memory. */
bool server_identity_copy_names(const struct identity *identity, struct server_identity *out);
/* The buffer's bytes as a malloc'ed text; frees the buffer. NULL: out of memory. */
char *server_identity_take_text(struct buf *buf);

#endif
