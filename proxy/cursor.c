/*
 * cursor.c: the cursors that SQL has declared (see cursor.h).
 *
 * Names come from the client and are only compared. PostgreSQL's rules (portalmem.c): ROLLBACK TO
 * drops what was declared since the savepoint and undoes no CLOSE; RELEASE gives what was declared
 * to the level above; the end of a transaction drops all but those WITH HOLD that it commits.
 */
#include "proxy/cursor.h"

#include <stdlib.h>
#include <string.h>

/* As many portals as the protocol's own. */
#define CURSORS_MAX 1000
/* A savepoint costs its name only; more than these the server would not like either. */
#define SAVEPOINTS_MAX 100000

struct entry {
    struct cursor *cursor;
    size_t level; /* savepoints that were open when it was declared */
    bool kept;    /* its transaction has committed */
};

struct cursors {
    struct entry *entries;
    size_t count, cap;
    char **savepoints; /* oldest first */
    size_t level, savepoint_cap;
    bool failed; /* an error since the last ReadyForQuery */
    bool held;
};

struct cursor *cursor_new(const char *name, struct statement *statement, size_t index, bool hold)
{
    struct cursor *cursor = calloc(1, sizeof *cursor);
    char *copy = strdup(name);
    if (cursor == NULL || copy == NULL) {
        free(cursor);
        free(copy);
        return NULL;
    }
    cursor->refs = 1;
    cursor->name = copy;
    cursor->statement = statement_ref(statement);
    cursor->index = index;
    cursor->hold = hold;
    return cursor;
}

struct cursor *cursor_ref(struct cursor *cursor)
{
    if (cursor != NULL)
        cursor->refs++;
    return cursor;
}

void cursor_unref(struct cursor *cursor)
{
    if (cursor == NULL || --cursor->refs > 0)
        return;
    statement_unref(cursor->statement);
    free(cursor->name);
    free(cursor);
}

struct cursors *cursors_new(void)
{
    return calloc(1, sizeof(struct cursors));
}

/* Nearly every session: it has declared none. */
static const struct cursors no_cursors;

static const struct cursors *known(const struct cursors *cursors)
{
    return cursors == NULL ? &no_cursors : cursors;
}

static void drop_entry(struct cursors *cursors, size_t index)
{
    cursor_unref(cursors->entries[index].cursor);
    cursors->entries[index] = cursors->entries[--cursors->count];
}

static void drop_savepoints(struct cursors *cursors, size_t level)
{
    while (cursors->level > level)
        free(cursors->savepoints[--cursors->level]);
}

void cursors_clear(struct cursors *cursors)
{
    if (cursors == NULL)
        return;
    while (cursors->count > 0)
        drop_entry(cursors, cursors->count - 1);
    cursors->held = false;
}

void cursors_free(struct cursors *cursors)
{
    if (cursors == NULL)
        return;
    cursors_clear(cursors);
    drop_savepoints(cursors, 0);
    free(cursors->entries);
    free((void *)cursors->savepoints);
    free(cursors);
}

static bool room(void **array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return true;
    size_t grown = *cap == 0 ? 4 : *cap * 2;
    void *more = realloc(*array, grown * size);
    if (more == NULL)
        return false;
    *array = more;
    *cap = grown;
    return true;
}

static enum status push_savepoint(struct cursors *cursors, const char *name)
{
    if (cursors->level >= SAVEPOINTS_MAX)
        return ERR_LIMIT;
    void *array = (void *)cursors->savepoints;
    bool good = room(&array, cursors->level, &cursors->savepoint_cap, sizeof(char *));
    cursors->savepoints = array;
    char *copy = good ? strdup(name) : NULL;
    if (copy == NULL)
        return ERR_MEMORY;
    cursors->savepoints[cursors->level++] = copy;
    return OK;
}

static enum status add(struct cursors *cursors, struct cursor *cursor, size_t level, bool kept)
{
    if (cursors->count >= CURSORS_MAX)
        return ERR_LIMIT;
    void *array = cursors->entries;
    bool good = room(&array, cursors->count, &cursors->cap, sizeof(struct entry));
    cursors->entries = array;
    if (!good)
        return ERR_MEMORY;
    cursors->entries[cursors->count++] = (struct entry){cursor_ref(cursor), level, kept};
    cursors->held = cursors->held || cursor->hold;
    return OK;
}

struct cursors *cursors_copy(const struct cursors *cursors)
{
    struct cursors *copy = cursors_new();
    cursors = known(cursors);
    enum status status = copy == NULL ? ERR_MEMORY : OK;
    for (size_t i = 0; i < cursors->count && status == OK; i++)
        status = add(copy, cursors->entries[i].cursor, cursors->entries[i].level,
                     cursors->entries[i].kept);
    for (size_t i = 0; i < cursors->level && status == OK; i++)
        status = push_savepoint(copy, cursors->savepoints[i]);
    if (status != OK) {
        cursors_free(copy);
        return NULL;
    }
    copy->failed = cursors->failed;
    return copy;
}

static size_t find(const struct cursors *cursors, const char *name)
{
    size_t i = 0;
    while (i < cursors->count && strcmp(cursors->entries[i].cursor->name, name) != 0)
        i++;
    return i;
}

struct cursor *cursors_find(const struct cursors *cursors, const char *name)
{
    cursors = known(cursors);
    size_t i = find(cursors, name);
    return i < cursors->count ? cursors->entries[i].cursor : NULL;
}

void cursors_remove(struct cursors *cursors, const char *name)
{
    if (cursors == NULL)
        return;
    size_t i = find(cursors, name);
    if (i < cursors->count)
        drop_entry(cursors, i);
}

/* Level of the newest savepoint of that name; 0: none. */
static size_t savepoint(const struct cursors *cursors, const char *name)
{
    size_t level = cursors->level;
    while (level > 0 && strcmp(cursors->savepoints[level - 1], name) != 0)
        level--;
    return level;
}

static void release(struct cursors *cursors, const char *name)
{
    size_t level = savepoint(cursors, name);
    if (level == 0)
        return;
    for (size_t i = 0; i < cursors->count; i++)
        if (cursors->entries[i].level >= level)
            cursors->entries[i].level = level - 1;
    drop_savepoints(cursors, level - 1);
}

static void rollback_to(struct cursors *cursors, const char *name)
{
    size_t level = savepoint(cursors, name);
    if (level == 0)
        return;
    for (size_t i = cursors->count; i > 0; i--)
        if (cursors->entries[i - 1].level >= level)
            drop_entry(cursors, i - 1);
    drop_savepoints(cursors, level);
}

static void end_transaction(struct cursors *cursors, bool committed)
{
    for (size_t i = cursors->count; i > 0; i--) {
        struct entry *entry = &cursors->entries[i - 1];
        entry->level = 0;
        entry->kept = entry->kept || (committed && entry->cursor->hold);
        if (!entry->kept)
            drop_entry(cursors, i - 1);
    }
    drop_savepoints(cursors, 0);
}

static void close_some(struct cursors *cursors, const char *name)
{
    if (name != NULL)
        cursors_remove(cursors, name);
    else
        while (cursors->count > 0)
            drop_entry(cursors, cursors->count - 1);
}

enum status cursors_apply(struct cursors **place, const struct verdict_statement *done,
                          bool rolled_back, struct cursor *declared)
{
    bool adds =
        (done->kind == STATEMENT_DECLARE && declared != NULL) || done->kind == STATEMENT_SAVEPOINT;
    if (*place == NULL && !adds)
        return OK;
    if (*place == NULL)
        *place = cursors_new();
    struct cursors *cursors = *place;
    if (cursors == NULL)
        return ERR_MEMORY;
    switch (done->kind) {
    case STATEMENT_DECLARE:
        if (declared == NULL)
            return OK;
        cursors_remove(cursors, declared->name);
        return add(cursors, declared, cursors->level, false);
    case STATEMENT_CLOSE:
        close_some(cursors, done->target);
        return OK;
    case STATEMENT_COMMIT:
    case STATEMENT_PREPARE_TRANSACTION:
        end_transaction(cursors, !rolled_back);
        return OK;
    case STATEMENT_ROLLBACK:
        end_transaction(cursors, false);
        return OK;
    case STATEMENT_SAVEPOINT:
        return push_savepoint(cursors, done->target);
    case STATEMENT_RELEASE:
        release(cursors, done->target);
        return OK;
    case STATEMENT_ROLLBACK_TO:
        rollback_to(cursors, done->target);
        return OK;
    case STATEMENT_EMPTY:
    case STATEMENT_SELECT:
    case STATEMENT_WRITE:
    case STATEMENT_COPY_TO:
    case STATEMENT_COPY_FROM:
    case STATEMENT_FETCH:
    case STATEMENT_PREPARE:
    case STATEMENT_EXECUTE:
    case STATEMENT_LISTEN:
    case STATEMENT_UNLISTEN:
    case STATEMENT_EXPLAIN:
    case STATEMENT_UTILITY:
    case STATEMENT_TEMPORARY:
    case STATEMENT_BEGIN:
    case STATEMENT_SET:
    case STATEMENT_RESET:
    case STATEMENT_SHOW:
    case STATEMENT_DISCARD:
    case STATEMENT_DEALLOCATE:
    case STATEMENT_OTHER:
        break;
    }
    return OK;
}

void cursors_failed(struct cursors *cursors)
{
    if (cursors != NULL)
        cursors->failed = true;
}

void cursors_ready(struct cursors *cursors, unsigned char tx)
{
    if (cursors == NULL)
        return;
    if (tx == 'I')
        end_transaction(cursors, !cursors->failed);
    cursors->failed = false;
}

bool cursors_hold(const struct cursors *cursors)
{
    for (size_t i = 0; i < known(cursors)->count; i++)
        if (cursors->entries[i].cursor->hold)
            return true;
    return false;
}

bool cursors_held(const struct cursors *cursors)
{
    return known(cursors)->held;
}
