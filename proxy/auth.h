/*
 * auth.h: start-up packets and authentication.
 *
 * Before the end of this the client is nobody: everything is bounded in size and time, an unknown
 * user costs the same work and hears the same words as a known one with a wrong password.
 */
#ifndef PGVIGIL_PROXY_AUTH_H
#define PGVIGIL_PROXY_AUTH_H

#include "proxy/session.h"

/* ACCEPTED, STARTUP: the packets before the session. NEED_MORE: wait for more bytes; OK: go on;
 * other: the session was failed or ended. */
NODISCARD enum status auth_startup(struct session *session);
/* AUTHENTICATING: the next message. Same results. */
NODISCARD enum status auth_step(struct session *session);
/* LOGIN: a server is bound or known: ParameterStatus, BackendKeyData, ReadyForQuery. */
void auth_welcome(struct session *session, struct server *server);

#endif
