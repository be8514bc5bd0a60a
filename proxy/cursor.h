/*
 * cursor.h: the cursors that SQL has declared on a session's server connection.
 *
 * FETCH names a cursor and not what it reads. So the session keeps, for each name, the judged text
 * that declared it, in the way PostgreSQL keeps its portals: a name comes when DECLARE has
 * succeeded and goes with CLOSE, with the transaction, or with ROLLBACK TO; WITH HOLD outlives the
 * transaction that commits. What is written here follows the server's answers and never runs
 * ahead of them; to know what a text would find that is still to be sent, apply it to a copy.
 *
 * Everything belongs to one thread.
 */
#ifndef PGVIGIL_PROXY_CURSOR_H
#define PGVIGIL_PROXY_CURSOR_H

#include "proxy/statement.h"

struct cursor {
    unsigned refs;
    char *name;
    struct statement *statement; /* the text that declares it, a reference */
    size_t index;                /* which of its statements */
    bool hold;                   /* WITH HOLD */
    uint64_t rows;               /* given so far, against the mission's max_rows */
};

/* One reference. NULL when out of memory. */
struct cursor *cursor_new(const char *name, struct statement *statement, size_t index, bool hold);
struct cursor *cursor_ref(struct cursor *cursor);
void cursor_unref(struct cursor *cursor); /* accepts NULL */

/* NULL: none was declared; only cursors_apply makes one of it. */
struct cursors;

struct cursors *cursors_new(void);                           /* NULL when out of memory */
struct cursors *cursors_copy(const struct cursors *cursors); /* NULL when out of memory */
void cursors_free(struct cursors *cursors);                  /* accepts NULL */

/* Borrowed; NULL when there is none. */
struct cursor *cursors_find(const struct cursors *cursors, const char *name);
/* A statement has succeeded: DECLARE (`declared`, of which a reference is taken), CLOSE, or one
 * that begins or ends a transaction or a part of it; others change nothing. `rolled_back`: a COMMIT
 * that was answered with ROLLBACK. ERR_MEMORY, ERR_LIMIT: what is on the server is not known any
 * more. */
NODISCARD enum status cursors_apply(struct cursors **cursors, const struct verdict_statement *done,
                                    bool rolled_back, struct cursor *declared);
/* The protocol's Close has succeeded. */
void cursors_remove(struct cursors *cursors, const char *name);
/* The server has reported an error: an implicit transaction will not commit. */
void cursors_failed(struct cursors *cursors);
/* ReadyForQuery, with its status. */
void cursors_ready(struct cursors *cursors, unsigned char tx);
/* The server connection is gone, or all its cursors were closed. */
void cursors_clear(struct cursors *cursors);

/* Is there one that outlives transactions? */
bool cursors_hold(const struct cursors *cursors);
/* Was one declared WITH HOLD since the last cursors_clear? Whoever has the connection next must not
 * find it. */
bool cursors_held(const struct cursors *cursors);

#endif
