/*
 * server_prepare.h: what server.c (the connection) and server_prepare.c (whose it is) have of each
 * other.
 */
#ifndef PGVIGIL_PROXY_SERVER_PREPARE_H
#define PGVIGIL_PROXY_SERVER_PREPARE_H

#include "proxy/server.h"

const char *server_state_name(enum server_state state);
/* The one setter: logs old -> new, asserts the table. */
void server_enter(struct server *server, enum server_state state);
/* Closes it; its session, if any, hears of it. */
void server_lost(struct server *server, const char *sqlstate, const char *message);
/* Into the pool's idle list. */
void server_become_idle(struct server *server);
/* An answer to pgvigil's own statement, or what a server says unasked. */
void server_own_message(struct server *server, const struct wire_message *message);

#endif
