/*
 * disused.h: what a server connection has prepared and nobody has a name for.
 *
 * A client's Close and DEALLOCATE end nothing at the server, since other sessions may run the same
 * text there; between two sessions a connection that has prepared much is reset (server_release).
 * One that a session keeps (after SET, in a transaction, with a cursor WITH HOLD) is not, and a
 * client that prepares and closes all day would have PostgreSQL keep each of its statements, about
 * 14 kB apiece, where without pgvigil it would keep none.
 */
#ifndef PGVIGIL_PROXY_DISUSED_H
#define PGVIGIL_PROXY_DISUSED_H

struct session;

/* Statements that a server connection may have prepared before this is looked into. */
#define PREPARED_MAX 500

/*
 * For a session that keeps its server, or is in the middle of a group (a client that sends Flush
 * and no Sync), with nothing in flight: closes there what the session has no name for, when much is
 * prepared. What it has a name for stays, and with it what PostgreSQL read when it was prepared
 * (dialect.h). Lookups (lookup.h) have no name: those still asked for are prepared again, those of
 * a policy or catalog that is gone are not. The session stays as it is when memory runs out.
 */
void disused_close(struct session *session);

#endif
