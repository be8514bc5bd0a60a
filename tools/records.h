/*
 * records.h: which tables hold a person's rows, and in which order they can be taken away.
 *
 * From the policy (whose `subject` says whose a row is) and the database (which tables there are,
 * which keys refer to which). What moves or destroys records stands on it.
 */
#ifndef PGVIGIL_TOOLS_RECORDS_H
#define PGVIGIL_TOOLS_RECORDS_H

#include "tools/unseen.h"

#include <libpq-fe.h>
#include <pgvigil/buf.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <stdbool.h>

/* A table of persons' rows. All texts are SQL, names quoted. */
struct records_table {
    const struct catalog_relation *relation;
    const char *told;    /* for people: public.stays */
    const char *name;    /* "public"."stays" */
    const char *from;    /* name, with ONLY where children are tables of their own, AS its alias */
    const char *alias;   /* quoted */
    const char *subject; /* whose a row is, over that alias */
    const char *columns; /* those that can be written, as a list */
    const char *updates; /* all of them but the key's, column = EXCLUDED.column, ...; "" */
    const char *changed; /* ON CONFLICT: is the row that is there another one? */
    const char *row;     /* every column as one text, over `from` */
    const char *key;     /* of the primary key, as a list; NULL: it has none */
    const char *place;   /* the same over `from`, as one text; NULL: it has none */
    bool erasable;       /* the policy says so, of its partitions too */
    bool excepted;       /* keeps another time: retention->excepted */
    size_t rank;         /* a table that refers to another has a lower one */
    size_t found;        /* in which place of the catalog's order, while they are sorted */
};

/* A foreign key to one of the tables. */
struct records_link {
    size_t parent;    /* index of the table that is referred to */
    int child;        /* index of the one that refers, or -1: it holds no person's rows */
    const char *name; /* of the latter, quoted */
    const char *told;
    const char *matches; /* SQL: "pgvigil child" refers to "pgvigil parent" */
};

struct records {
    struct records_table *tables; /* those that refer to others first */
    size_t count;
    struct records_link *links;
    size_t link_count;
    size_t people;         /* index of retention->table; count: there is none */
    struct unseen *unseen; /* what is about persons and is none of the tables */
    size_t unseen_count;
    const char *state; /* of the tables and of all keys, before they were read */
};

/*
 * Tables that keep another time (retention->excepted) are left out unless `all`. Everything stands
 * in `arena` and borrows from policy and catalog. ERR_INVALID, ERR_UPSTREAM, ERR_MEMORY, with a
 * sentence in `why`.
 */
NODISCARD enum status records_find(const struct policy *policy, const struct catalog *catalog,
                                   PGconn *conn, bool all, struct arena *arena,
                                   struct records *records, struct buf *why);

/* SQL that gives `state` as it is now; NULL: no memory. */
const char *records_state(const struct records *records, struct arena *arena);

/* "{...}" as a literal, for subject = ANY(...); NULL: no memory. */
const char *records_list(const char *const *keys, size_t count, struct arena *arena);

/* Settings under which the same row has the same text on every server. */
extern const char records_settings[];

#endif
