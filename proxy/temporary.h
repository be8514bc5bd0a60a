/*
 * temporary.h: a session's own temporary tables on its server connection.
 *
 * The judge must know them, since they hide relations of the database, and they come and go with
 * transactions, savepoints and ON COMMIT. So nothing is guessed: whatever may have changed them
 * makes what is known stale, and before the next statement is judged the server is asked, on the
 * session's own connection and inside its transaction (query_settle_temporary waits for it).
 *
 * They end with the mission and with the identity: when either changes, what is there is `ended`,
 * and dropped before anything else runs. A rollback may bring dropped ones back; they are known by
 * their OIDs and dropped again. While there may be some, the connection is the session's alone, and
 * it is reset before somebody else gets it.
 *
 * A struct temporary is plain data of a session; one thread.
 */
#ifndef PGVIGIL_PROXY_TEMPORARY_H
#define PGVIGIL_PROXY_TEMPORARY_H

#include <pgvigil/catalog.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct session;
struct statement;
struct wire_message;
struct temporary_list;

struct temporary {
    bool made;    /* some may be on the server */
    bool stale;   /* `known` may not be what is there */
    bool open;    /* the transaction at hand has changed what is there, and its end may again */
    bool ended;   /* what is there is not of this mission and identity */
    bool cleaned; /* since the session has this connection, what others left has been dropped */
    bool ahead;   /* the server is being asked though no statement waits for it */
    struct temporary_list *known;   /* NULL: none */
    struct temporary_list *reading; /* the answer so far */
    uint32_t *ended_oids; /* dropped in the transaction at hand, of a mission that ended */
    size_t ended_count;
};

void temporary_free(struct temporary *temporary);
/* What the judge has to know, borrowed until the next answer. */
const struct catalog_relation *temporary_relations(const struct temporary *temporary,
                                                   size_t *count);
/* Their server connection is the session's while this is true. */
bool temporary_keeps(const struct temporary *temporary);
/* Nothing may be judged or sent before the server has been asked, or made to drop them. */
bool temporary_unsettled(const struct temporary *temporary);
/* Is the type the row type of one of them, or the array of it? */
bool temporary_row_type(const struct temporary *temporary, uint32_t oid, bool *array);

/* ---- what happens ---- */

/* A statement that makes them is about to be sent: what others have left on the connection, by
 * functions, must go first. */
void temporary_begin(struct session *session, const struct statement *statement);
/* A text was sent. */
void temporary_sent(struct session *session, const struct statement *statement);
/* The server reported an error; it may have undone something. */
void temporary_failed(struct temporary *temporary);
/* ReadyForQuery, with its status. */
void temporary_ready(struct temporary *temporary, unsigned char tx);
/* Mission, role, identity or policy is another one. */
void temporary_end(struct temporary *temporary);
/* The server connection is not the session's any more. */
void temporary_gone(struct temporary *temporary);

/* ---- asking the server: by server.c, before it makes an identity its own ---- */

extern const char temporary_question[];
/* A DataRow of the answer. ERR_LIMIT: too many; ERR_PROTOCOL, ERR_MEMORY. */
NODISCARD enum status temporary_row(struct temporary *temporary,
                                    const struct wire_message *message);
/* The answer is complete; `discarded`: and what it tells of was dropped. */
NODISCARD enum status temporary_answered(struct session *session, bool discarded);
/* It failed. */
void temporary_unanswered(struct temporary *temporary);

#endif
