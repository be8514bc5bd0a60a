/*
 * transaction.c: the stack of savepoints and what was in force at each (see transaction.h).
 *
 * Trust boundary: none; savepoint names come from judged statements that the server has accepted.
 * Owns its copies of the identity; snapshots are shared between levels by reference count.
 */
#include "proxy/transaction.h"

#include <stdlib.h>
#include <string.h>

struct transaction_snapshot {
    unsigned refs;
    struct identity identity;
};

static struct transaction_snapshot *snapshot_new(const struct identity *identity)
{
    struct transaction_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot != NULL && identity_copy(identity, &snapshot->identity) == OK) {
        snapshot->refs = 1;
        return snapshot;
    }
    free(snapshot);
    return NULL;
}

static struct transaction_snapshot *snapshot_ref(struct transaction_snapshot *snapshot)
{
    if (snapshot != NULL)
        snapshot->refs++;
    return snapshot;
}

static void snapshot_unref(struct transaction_snapshot *snapshot)
{
    if (snapshot == NULL || --snapshot->refs > 0)
        return;
    identity_free(&snapshot->identity);
    free(snapshot);
}

static void level_free(struct transaction_level *level)
{
    free(level->name);
    snapshot_unref(level->state);
    snapshot_unref(level->kept);
    memset(level, 0, sizeof *level);
}

static void drop_levels(struct transaction *transaction, size_t left)
{
    while (transaction->count > left)
        level_free(&transaction->levels[--transaction->count]);
}

/* Over: the next one begins with what is in force now. */
static void end(struct transaction *transaction)
{
    drop_levels(transaction, 0);
    snapshot_unref(transaction->kept);
    transaction->kept = NULL;
    transaction->block = transaction->aborted = transaction->touched = false;
}

void transaction_free(struct transaction *transaction)
{
    end(transaction);
    free(transaction->levels);
    transaction->levels = NULL;
    transaction->room = 0;
}

bool transaction_clean(const struct transaction *transaction)
{
    return !transaction->touched;
}

bool transaction_keeps_nothing(const struct transaction *transaction)
{
    return transaction->count == 0 && transaction->kept == NULL;
}

static enum status push(struct transaction *transaction, const char *name)
{
    if (transaction->count == transaction->room) {
        size_t room = transaction->room == 0 ? 4 : transaction->room * 2;
        struct transaction_level *grown = realloc(transaction->levels, room * sizeof *grown);
        if (grown == NULL)
            return ERR_MEMORY;
        transaction->levels = grown;
        transaction->room = room;
    }
    char *copy = name == NULL ? NULL : strdup(name);
    if (name != NULL && copy == NULL)
        return ERR_MEMORY;
    transaction->levels[transaction->count++] = (struct transaction_level){.name = copy};
    return OK;
}

enum status transaction_touch(struct transaction *transaction, const struct identity *identity,
                              bool local)
{
    if (transaction->count == 0 && push(transaction, NULL) != OK)
        return ERR_MEMORY;
    bool needed = !transaction->levels[transaction->count - 1].captured;
    struct transaction_snapshot *now =
        needed || (local && transaction->kept == NULL) ? snapshot_new(identity) : NULL;
    if (now == NULL && (needed || (local && transaction->kept == NULL)))
        return ERR_MEMORY;
    /* Those that were made since the last change: the lower ones have theirs. */
    for (size_t i = transaction->count; i-- > 0 && !transaction->levels[i].captured;) {
        transaction->levels[i].captured = true;
        transaction->levels[i].state = snapshot_ref(now);
        transaction->levels[i].kept = snapshot_ref(transaction->kept);
    }
    if (local && transaction->kept == NULL)
        transaction->kept = snapshot_ref(now);
    snapshot_unref(now);
    transaction->touched = true;
    return OK;
}

struct identity *transaction_kept(struct transaction *transaction, bool *failed)
{
    struct transaction_snapshot *kept = transaction->kept;
    *failed = false;
    if (kept == NULL)
        return NULL;
    if (kept->refs > 1) {
        /* A level holds it as it was. */
        struct transaction_snapshot *own = snapshot_new(&kept->identity);
        *failed = own == NULL;
        if (own == NULL)
            return NULL;
        snapshot_unref(kept);
        transaction->kept = kept = own;
    }
    return &kept->identity;
}

void transaction_begin(struct transaction *transaction)
{
    transaction->block = true;
}

enum status transaction_savepoint(struct transaction *transaction, const char *name)
{
    if (transaction->count == 0 && push(transaction, NULL) != OK)
        return ERR_MEMORY;
    return push(transaction, name);
}

/* The innermost savepoint of a name; 0: there is none. */
static size_t find(const struct transaction *transaction, const char *name)
{
    size_t i = transaction->count;
    while (i-- > 1)
        if (strcmp(transaction->levels[i].name, name) == 0)
            return i;
    return 0;
}

void transaction_release(struct transaction *transaction, const char *name)
{
    size_t level = find(transaction, name);
    if (level > 0)
        drop_levels(transaction, level);
}

static enum status restore(struct transaction *transaction, const struct transaction_level *level,
                           struct identity *identity)
{
    if (!level->captured)
        return OK;
    struct identity copy;
    if (identity_copy(&level->state->identity, &copy) != OK)
        return ERR_MEMORY;
    identity_take(identity, &copy);
    struct transaction_snapshot *kept = snapshot_ref(level->kept);
    snapshot_unref(transaction->kept);
    transaction->kept = kept;
    return OK;
}

enum status transaction_rollback_to(struct transaction *transaction, const char *name,
                                    struct identity *identity)
{
    size_t level = find(transaction, name);
    /* The server knows a savepoint that is not known here. */
    if (level == 0)
        return ERR_INTERNAL;
    drop_levels(transaction, level + 1);
    transaction->aborted = false;
    return restore(transaction, &transaction->levels[level], identity);
}

enum status transaction_rollback(struct transaction *transaction, struct identity *identity)
{
    enum status status =
        transaction->count == 0 ? OK : restore(transaction, &transaction->levels[0], identity);
    end(transaction);
    return status;
}

enum status transaction_commit(struct transaction *transaction, struct identity *identity)
{
    enum status status = OK;
    if (transaction->kept != NULL) {
        struct identity copy;
        status = identity_copy(&transaction->kept->identity, &copy);
        if (status == OK)
            identity_take(identity, &copy);
    }
    end(transaction);
    return status;
}

enum status transaction_abort(struct transaction *transaction, struct identity *identity)
{
    if (!transaction->block)
        return transaction_rollback(transaction, identity);
    transaction->aborted = true;
    return transaction->count == 0
               ? OK
               : restore(transaction, &transaction->levels[transaction->count - 1], identity);
}

void transaction_visit(struct transaction *transaction, transaction_visit_fn *visit, void *context)
{
    for (size_t i = 0; i < transaction->count; i++) {
        if (transaction->levels[i].state != NULL)
            visit(&transaction->levels[i].state->identity, context);
        if (transaction->levels[i].kept != NULL)
            visit(&transaction->levels[i].kept->identity, context);
    }
    if (transaction->kept != NULL)
        visit(&transaction->kept->identity, context);
}
