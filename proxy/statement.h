/*
 * statement.h: a text that was judged, and the names a session knows it by.
 *
 * A struct statement is one client text with its verdict: made by query.c for a simple query or a
 * Parse, held by reference count, since a request in flight and a portal outlive the name. It owns
 * its arena (the verdict points into it) and a reference to the world it was judged by. `epoch` is
 * the session's judgement number at that moment: when the session's has moved on (role, mission,
 * path, identity or policy changed), query.c judges the text again before it is bound.
 *
 * What was judged once for a role and mission may be another session's too (statement_cache.h): its
 * statement then has an `origin`, whose text, types, verdict and record texts are its own, and only
 * what belongs to a session or to one run of it is new. Those shared parts never change.
 *
 * A struct statements is one session's name space: prepared statements and portals. All of it
 * belongs to one thread.
 */
#ifndef PGVIGIL_PROXY_STATEMENT_H
#define PGVIGIL_PROXY_STATEMENT_H

#include "proxy/dialect.h"

#include <pgvigil/judge.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;
struct world;
struct audit_statement;
struct audit_observed;
struct uses;
struct ddl;
struct constant;
struct constants;
struct lookup;
struct lookup_values;
struct subjects;

#define STATEMENT_SERVER_NAME DIALECT_NAME_BYTES

/* What a portal has given so far, against the mission's max_rows, and whom it names: shared by the
 * portal's name and the requests that are still answered from it, since the name may be another's
 * by then. */
struct portal_rows {
    unsigned refs;
    uint64_t count;
    struct subjects *named; /* whom its statement names by the parameters that were bound; owned, or
                               NULL */
};
struct portal_rows *portal_rows_ref(struct portal_rows *rows); /* accepts NULL */
void portal_rows_unref(struct portal_rows *rows);              /* accepts NULL */

struct statement {
    unsigned refs;
    struct statement *origin; /* a reference; NULL: it was judged itself. Has no origin itself. */
    struct arena *arena;      /* owned */
    struct world *world;      /* a reference; the origin's where there is one */
    uint64_t epoch;           /* the session's, when it was judged */
    const char *name;         /* "" for the unnamed one; in an arena, as all that follows */
    const char *sql;          /* the client's text */
    size_t len;
    size_t skipped;        /* characters in front of it, when it is part of a text */
    const uint32_t *types; /* parameter types given in Parse */
    size_t type_count;
    struct verdict *verdict;
    const struct policy_user *user; /* whom it was judged for, and the pair */
    int role;
    int mission;
    const struct constant *constants; /* verdict->constants's places, where it stands for others */
    struct lookup *lookup; /* it may go so (lookup.h): the origin's, or its own; or NULL */
    const struct lookup_values *values; /* with these; NULL: it may not */
    uint64_t *begun; /* simple query: for each statement 1 + the id of its begin record, or 0; NULL:
                        none */
    const struct audit_statement
        *records; /* what the audit says of each of the verdict's statements; made once, the
                     origin's where there is one */
    struct statement **executes; /* what its EXECUTEs run, in order: owned, with references */
    size_t execute_count;
    const struct audit_observed *observed; /* the same of what enforcing would do; NULL: it does */
    unsigned parsing; /* Parse messages in flight upstream; until they are answered the server may
                         skip them and go on knowing another text by the name */
    uint64_t parse_group;  /* of the last one */
    bool local;            /* pgvigil answers it: nothing of it goes upstream */
    const struct ddl *ddl; /* what it may do to guards; see proxy/ddl.c */
    bool ddl_known;
    unsigned char spare;    /* how its memory is used again; see statement.c */
    bool names_own;         /* unrestricted: the server knows it by the client's name */
    struct dialect dialect; /* by which its constants were read, or will be; see dialect.h */
    char server_name[STATEMENT_SERVER_NAME]; /* "" while it is unnamed there */
    char hashed_name[STATEMENT_SERVER_NAME]; /* what that would be by no dialect; "": not known yet
                                              */
};

/* One reference, an arena limited to `limit` bytes with copies of name, text and types, no verdict
 * yet. NULL when out of memory. Takes no reference to the world: the caller sets it. */
struct statement *statement_new(const char *name, const char *sql, size_t len,
                                const uint32_t *types, size_t type_count, size_t limit);
/* The same text and verdict under that name, for a session that would have it judged so too. `from`
 * is allowed. One reference; NULL when out of memory. */
struct statement *statement_again(struct statement *from, const char *name);
/* Notes where the text's constants are, so that others may stand there. False: out of memory. */
bool statement_keep_constants(struct statement *statement, const struct constants *constants);
/* The same for a text that differs from `from`'s only in constants that verdict->constants calls
 * free: `constants` are the text's own, as many; those of `from` were kept. For an unnamed
 * statement. NULL when out of memory. */
struct statement *statement_alike(struct statement *from, const char *sql, size_t len,
                                  const struct constants *constants);
/* A thread keeps some of these that are gone for the next: frees them. */
void statement_free_spares(void);
/* Where a place of the client's text is in the text that is sent; it is in no edit. */
size_t statement_sent_at(const struct verdict *verdict, size_t at);
/* What the verdict says of its statement `index`; NULL: there is none. Accepts NULL. */
const struct verdict_statement *statement_at(const struct statement *statement, size_t index);
/* Whether they are one text with one verdict. Accepts NULL. */
bool statement_same(const struct statement *a, const struct statement *b);
struct statement *statement_ref(struct statement *statement);
void statement_unref(struct statement *statement); /* accepts NULL */

/*
 * The server's name for a text that is prepared there, by no dialect: `kind` and a hash of text,
 * types and the world's number. That, since what a server prepared before a table's column had
 * another type fails from then on, and is not what a session asks for that prepares the same text
 * afterwards. False: it failed, `out` is as it was.
 */
struct statement_text {
    const char *sql;
    size_t len;
    const uint32_t *types;
    size_t type_count;
};
bool statement_hash(const struct statement *statement, const char *kind,
                    const struct statement_text *text, char out[STATEMENT_SERVER_NAME]);
/* Sets server_name from what goes upstream (text, types), the world it was judged in and the
 * dialect: SHA-256, since a client who could choose a collision could have a text run that was
 * judged for someone else. Unnamed statements and the client's own names (names_own) are left as
 * they are. */
void statement_name_upstream(struct statement *statement);
/* It is to be prepared by that dialect. */
void statement_take_dialect(struct statement *statement, const struct dialect *dialect);
/* The same of one that is judged again: the name of before where the same goes upstream. The client
 * prepared it then, and hears of it from PostgreSQL when its rows have another type now. */
void statement_rename_upstream(struct statement *statement, const struct statement *before);

/* NULL: there are none yet; statements_put and statements_bind make one of it. */
struct statements;

void statements_free(struct statements *statements);
/* Forgets every prepared statement (not portals). */
void statements_clear(struct statements *statements);

/* Borrowed; NULL when there is none. */
struct statement *statements_find(const struct statements *statements, const char *name);
/* Adds or replaces by name; takes a reference of its own. ERR_MEMORY, ERR_LIMIT (too many). */
NODISCARD enum status statements_put(struct statements **statements, struct statement *statement);
void statements_remove(struct statements *statements, const char *name);
/* Adds what they are called at the server to `names`; each value is the statement. False: out of
 * memory. */
bool statements_on_server(const struct statements *statements, struct map *names);

/* Portals by the client's name. `group` is the number of the Sync that ends their implicit
 * transaction. OK: `named` (NULL: nobody) is the portal's. */
NODISCARD enum status statements_bind(struct statements **statements, const char *portal,
                                      uint64_t group, struct statement *statement,
                                      struct subjects *named);
struct statement *statements_portal(const struct statements *statements, const char *portal);
/* Borrowed; NULL: there is no such portal. */
struct portal_rows *statements_portal_rows(struct statements *statements, const char *portal);
/* Bound since that group began. */
bool statements_portal_of_group(const struct statements *statements, const char *portal,
                                uint64_t group);
void statements_close_portal(struct statements *statements, const char *portal);
/* What a portal's FETCH was found to read when it was bound: kept, with a reference. NULL: nothing.
 */
struct uses *statements_portal_uses(struct statements *statements, const char *portal);
void statements_keep_uses(struct statements *statements, const char *portal, struct uses *uses);
/* The transaction of group `group` ended: portals bound up to it are gone. */
void statements_end_portals(struct statements *statements, uint64_t group);

#endif
