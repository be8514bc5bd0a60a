/*
 * use.h: what a statement reads that names another one.
 *
 * FETCH names a cursor or a portal, EXECUTE a prepared statement: the query is not in their text.
 * Before it is sent, the name is looked up here, as the server will look it up; the record then
 * tells what is read, its rows count against the limit of what was declared, and a name that the
 * session does not know is refused with PostgreSQL's own error, so that nothing that somebody left
 * on a server connection can be read.
 *
 * A struct uses belongs to one text that is sent (to its request, and before that to the session as
 * `pending_uses`), counted by reference.
 */
#ifndef PGVIGIL_PROXY_USE_H
#define PGVIGIL_PROXY_USE_H

#include "proxy/cursor.h"

struct session;
struct request;
struct refusal;

enum use_kind {
    USE_NONE = 0, /* the statement says itself what it reads */
    USE_DECLARES, /* DECLARE: `cursor` becomes the session's when it succeeds */
    USE_CURSOR,   /* reads `cursor` */
    USE_PORTAL,   /* reads a portal that Bind made of `statement` */
    USE_PREPARED  /* EXECUTE: runs `statement` */
};

struct use {
    enum use_kind kind;
    struct statement *statement; /* what is read, a reference; NULL: none */
    size_t index;
    struct cursor *cursor;    /* a reference, or NULL */
    struct portal_rows *rows; /* PORTAL: what it has given; a reference, or NULL */
};

struct uses {
    unsigned refs;
    bool read; /* a FETCH has run: what it reads is the server's from there on */
    size_t count;
    struct use items[]; /* for each statement of the text */
};

struct uses *uses_ref(struct uses *uses);
void uses_unref(struct uses *uses); /* accepts NULL */
/* Of statement `index`; NULL: there is none, or USE_NONE. Accepts NULL. */
const struct use *uses_at(const struct uses *uses, size_t index);
/* May what it reads write? Accepts NULL. */
bool use_writes(const struct use *use);
/* Does it draw from a sequence, or ask what was drawn? Accepts NULL. */
bool use_sequences(const struct use *use);
/* Does it call a function of large objects? Accepts NULL. */
bool use_objects(const struct use *use);

/* Makes session->pending_uses for a text that is to be sent. OK (also when it uses nothing);
 * NEED_MORE: earlier requests must be answered first; DENIED with *refusal, whose texts live in the
 * statement; ERR_MEMORY. */
NODISCARD enum status use_plan(struct session *session, struct statement *statement,
                               struct refusal *refusal);
/* For a text that is bound: of a FETCH what it would read, if there is anything. NEED_MORE,
 * ERR_MEMORY. */
NODISCARD enum status use_plan_bind(struct session *session, struct statement *statement);
/* The same as use_plan for a portal that is executed. A FETCH must find what it found when it was
 * bound, and once it has run it keeps that, as the server does. */
NODISCARD enum status use_plan_portal(struct session *session, const char *portal,
                                      struct statement *statement, struct refusal *refusal);
/* The cursor that a portal name of the protocol means, borrowed, or NULL. NEED_MORE: earlier
 * requests must be answered first. */
NODISCARD enum status use_find_cursor(struct session *session, const char *name,
                                      struct cursor **cursor);
/* Makes session->pending_uses for the execution of that cursor by the protocol. ERR_MEMORY. */
NODISCARD enum status use_cursor(struct session *session, struct cursor *cursor);

/* The server says that the current statement of a request is done: the names follow. ERR_MEMORY,
 * ERR_LIMIT: they cannot, the server connection must go. */
NODISCARD enum status use_done(struct session *session, const struct request *request,
                               const char *tag);
/* The protocol's Close of that name is done. */
void use_closed(struct session *session, const char *name);
/* Mission, role or identity has changed: what was declared before is read no more. */
void use_end(struct session *session);

#endif
