/*
 * notification.h: LISTEN, and what comes of it.
 *
 * A session that listens keeps its server connection until the end of UNLISTEN * or its own; the
 * connection is reset before anybody else gets it. What arrives is passed on by the policy of the
 * moment: the role that the session has now must list the channel, and its mission must be open.
 * So a change of role or mission does not end LISTEN, which PostgreSQL has no mission for, but
 * decides what is heard. Each notification is on record before it leaves.
 */
#ifndef PGVIGIL_PROXY_NOTIFICATION_H
#define PGVIGIL_PROXY_NOTIFICATION_H

#include "proxy/session.h"

/* A statement goes upstream. */
void notification_sent(struct session *session, const struct verdict_statement *statement);
/* It has completed with that tag. */
void notification_done(struct session *session, const struct verdict_statement *statement,
                       const char *tag);
/* Something failed: what it had undone is not. */
void notification_failed(struct session *session);
/* Nothing is owed and no transaction is open: is UNLISTEN * for good? */
void notification_settle(struct session *session);
/* The connection is given up, and LISTEN with it. */
void notification_end(struct session *session);
/* A NotificationResponse of the session's server. */
NODISCARD enum status notification_message(struct session *session,
                                           const struct wire_message *message);

#endif
