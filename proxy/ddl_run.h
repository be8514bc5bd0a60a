/*
 * ddl_run.h: one text of an unrestricted role that may change what guards stand on, run on its
 * server connection with libpq, which blocks: on a thread of its own (ddl.h).
 *
 * Before the text the guards that depend on what it names are taken away, behind it those that the
 * policy asks for are made again, over the database as the transaction now sees it; all in the
 * client's transaction, or in one around the text where there is none. What the client is to hear
 * is left as the server would have said it, message by message.
 */
#ifndef PGVIGIL_PROXY_DDL_RUN_H
#define PGVIGIL_PROXY_DDL_RUN_H

#include <libpq-fe.h>
#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <pgvigil/ddl.h>
#include <pgvigil/policy.h>
#include <stdbool.h>
#include <stddef.h>

struct ddl_run {
    PGconn *conn; /* quiet: nothing is owed on it */
    struct arena *arena;
    const struct policy *policy; /* whose guards are deployed */
    const char *owner;           /* of the guards */
    const struct ddl *ddl;       /* NULL: only run it (the end of a transaction) */
    const char *sql;
    bool extended; /* an Execute's answer is wanted: no ReadyForQuery */

    struct buf answer;    /* the server's messages for the client */
    bool lost;            /* the connection is of no use any more */
    bool committed;       /* what it did stands */
    bool redeployed;      /* the guards were looked after */
    size_t removed, made; /* guards */

    /* While it runs */
    bool listening; /* notices are the client's */
    size_t last;    /* where the last CommandComplete begins in `answer` */
    const char *role, *settings;
};

/* Needs JUDGE_STACK_BYTES of stack. */
void ddl_run(struct ddl_run *run);

#endif
