/*
 * transaction.h: what a transaction may take back of who acts and why.
 *
 * pgvigil's own settings (mission, role, reason, patient, search path, application name) live in a
 * session's struct identity and behave as PostgreSQL's: SET counts from a commit on, SET LOCAL ends
 * with the transaction, ROLLBACK and ROLLBACK TO undo. This is the stack that undoing needs: the
 * transaction's start and its savepoints, each with the identity as it was then.
 *
 * It follows the *server's* answers (CommandComplete, errors, ReadyForQuery), so that it is true
 * whenever nothing is owed any more; it never looks at the client's text. Nothing is copied until a
 * setting is changed: transactions that change none pay nothing. Owned by a session; one thread.
 */
#ifndef PGVIGIL_PROXY_TRANSACTION_H
#define PGVIGIL_PROXY_TRANSACTION_H

#include "proxy/identity.h"

struct transaction_snapshot;

struct transaction_level {
    char *name;    /* of the savepoint; NULL: the transaction's start */
    bool captured; /* false: nothing was changed since, it is as it is now */
    struct transaction_snapshot *state;
    struct transaction_snapshot *kept;
};

struct transaction {
    bool block;   /* BEGIN was done and is not ended; else each group or query is a transaction */
    bool aborted; /* an error came; only meaningful in a block */
    bool touched; /* an own setting was changed in it, or the server was given an identity in it */
    struct transaction_level *levels; /* [0]: the start */
    size_t count;
    size_t room;
    struct transaction_snapshot *kept; /* what a commit leaves, where SET LOCAL made it differ from
                                          what is; NULL: what is */
};

void transaction_free(struct transaction *transaction);
/* Nothing of it would have to be undone. */
bool transaction_clean(const struct transaction *transaction);
/* It may have to be undone on the server, but the session itself is what it was. */
bool transaction_keeps_nothing(const struct transaction *transaction);

/* Before `identity` is changed, by SET LOCAL or otherwise. ERR_MEMORY. */
NODISCARD enum status transaction_touch(struct transaction *transaction,
                                        const struct identity *identity, bool local);
/* What a change that is not LOCAL must be made to as well: NULL when there is nothing. *failed: out
 * of memory. */
struct identity *transaction_kept(struct transaction *transaction, bool *failed);

/* The server has done it. */
void transaction_begin(struct transaction *transaction);
NODISCARD enum status transaction_savepoint(struct transaction *transaction, const char *name);
void transaction_release(struct transaction *transaction, const char *name);
NODISCARD enum status transaction_rollback_to(struct transaction *transaction, const char *name,
                                              struct identity *identity);
NODISCARD enum status transaction_rollback(struct transaction *transaction,
                                           struct identity *identity);
NODISCARD enum status transaction_commit(struct transaction *transaction,
                                         struct identity *identity);
/* An error: PostgreSQL undoes at once up to the last savepoint, or all of it outside a block. */
NODISCARD enum status transaction_abort(struct transaction *transaction, struct identity *identity);

/* Calls `visit` for every identity that an undo or a commit could bring back. */
typedef void transaction_visit_fn(struct identity *identity, void *context);
void transaction_visit(struct transaction *transaction, transaction_visit_fn *visit, void *context);

#endif
