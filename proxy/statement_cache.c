/*
 * statement_cache.c: judged statements by text and context (see statement_cache.h).
 *
 * Trust boundary: texts are the client's and only ever keys. A key is written out as bytes, fields
 * of fixed length first, so that no two are written alike.
 */
#include "proxy/statement_cache.h"

#include <pgvigil/buf.h>
#include <pgvigil/map.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* A session that sets its search path anew for each statement makes a context each time. */
#define CONTEXTS_MAX 4096
/* Longer texts are rare, and one would push out a hundred others. */
#define TEXT_BYTES_MAX ((size_t)64 << 10)
/* What an entry takes beside its statement's arena: itself, its place in the map, malloc's own. */
#define ENTRY_OVERHEAD ((size_t)512)
/* In keys: where an exact one says whether it is of the extended protocol, and in shapes. */
#define SHAPE  2
#define VALUES 3

struct entry {
    TAILQ_ENTRY(entry) link;
    struct statement *statement; /* NULL: a shape, of which only `free` is known */
    bool *free;                  /* of each constant: any value may stand there; NULL: exact */
    size_t bytes;
    size_t key_len;
    unsigned char key[];
};

TAILQ_HEAD(entry_list, entry);

struct statement_cache {
    struct map *contexts; /* to numbers, as pointers */
    uint64_t next_context;
    struct map *entries;
    struct entry_list used; /* the latest first */
    size_t bytes;
    size_t limit;
    struct buf scratch;
};

struct statement_cache *statement_cache_new(size_t limit)
{
    struct statement_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    TAILQ_INIT(&cache->used);
    buf_init(&cache->scratch, 0);
    cache->limit = limit;
    cache->next_context = 1;
    cache->contexts = map_new();
    cache->entries = map_new();
    if (cache->contexts != NULL && cache->entries != NULL)
        return cache;
    statement_cache_free(cache);
    return NULL;
}

static void drop(struct statement_cache *cache, struct entry *entry)
{
    map_remove(cache->entries, entry->key, entry->key_len);
    TAILQ_REMOVE(&cache->used, entry, link);
    cache->bytes -= entry->bytes;
    statement_unref(entry->statement);
    free(entry->free);
    free(entry);
}

void statement_cache_clear(struct statement_cache *cache)
{
    struct entry *entry;
    while ((entry = TAILQ_FIRST(&cache->used)) != NULL)
        drop(cache, entry);
    map_clear(cache->contexts);
}

void statement_cache_free(struct statement_cache *cache)
{
    if (cache == NULL)
        return;
    if (cache->contexts != NULL && cache->entries != NULL)
        statement_cache_clear(cache);
    map_free(cache->contexts);
    map_free(cache->entries);
    buf_free(&cache->scratch);
    free(cache);
}

uint64_t statement_cache_context(struct statement_cache *cache, const void *bytes, size_t len)
{
    uintptr_t known = (uintptr_t)map_get(cache->contexts, bytes, len);
    if (known != 0)
        return known;
    if (map_count(cache->contexts) >= CONTEXTS_MAX)
        statement_cache_clear(cache);
    /* Never one that was given before: a session may still have it. */
    uint64_t number = cache->next_context++;
    return map_put(cache->contexts, bytes, len, (void *)(uintptr_t)number) == OK ? number : 0;
}

static bool write_key(struct statement_cache *cache, const struct statement_key *key)
{
    struct buf *out = &cache->scratch;
    if (key->context == 0 || key->len > TEXT_BYTES_MAX)
        return false;
    buf_clear(out);
    buf_append(out, &key->context, sizeof key->context);
    buf_byte(out, key->extended ? 1 : 0);
    buf_append(out, &key->type_count, sizeof key->type_count);
    buf_append(out, key->types, key->type_count * sizeof *key->types);
    buf_append(out, key->sql, key->len);
    return !out->failed;
}

/* By what stands in the scratch. */
static struct entry *find(struct statement_cache *cache)
{
    struct entry *entry =
        map_get(cache->entries, buf_head(&cache->scratch), buf_len(&cache->scratch));
    if (entry != NULL && entry != TAILQ_FIRST(&cache->used)) {
        TAILQ_REMOVE(&cache->used, entry, link);
        TAILQ_INSERT_HEAD(&cache->used, entry, link);
    }
    return entry;
}

/* The same; takes `own` (malloc'ed, or NULL) and a reference to the statement (NULL: a shape). */
static bool put(struct statement_cache *cache, struct statement *statement, bool *own,
                size_t own_bytes)
{
    size_t key_len = buf_len(&cache->scratch);
    size_t bytes = 2 * key_len + own_bytes + ENTRY_OVERHEAD;
    if (statement != NULL)
        bytes += arena_size(statement->arena);
    struct entry *entry = bytes > cache->limit / 8 ? NULL : malloc(sizeof *entry + key_len);
    if (entry == NULL) {
        free(own);
        return false;
    }
    struct entry *old = map_get(cache->entries, buf_head(&cache->scratch), key_len);
    if (old != NULL)
        drop(cache, old);
    entry->key_len = key_len;
    entry->bytes = bytes;
    entry->free = own;
    entry->statement = NULL;
    memcpy(entry->key, buf_head(&cache->scratch), key_len);
    if (map_put(cache->entries, entry->key, key_len, entry) != OK) {
        free(own);
        free(entry);
        return false;
    }
    entry->statement = statement_ref(statement);
    TAILQ_INSERT_HEAD(&cache->used, entry, link);
    cache->bytes += bytes;
    while (cache->bytes > cache->limit && (old = TAILQ_LAST(&cache->used, entry_list)) != entry)
        drop(cache, old);
    return true;
}

struct statement *statement_cache_find(struct statement_cache *cache,
                                       const struct statement_key *key)
{
    const struct entry *entry = write_key(cache, key) ? find(cache) : NULL;
    return entry == NULL ? NULL : entry->statement;
}

bool statement_cache_put(struct statement_cache *cache, const struct statement_key *key,
                         struct statement *statement)
{
    return write_key(cache, key) && put(cache, statement, NULL, 0);
}

/* ---- other constants ---- */

/* The text with classes in the place of constants: it holds no byte below a space but white space,
 * so that a class cannot be text. */
static bool write_shape(struct statement_cache *cache, const struct statement_key *key,
                        const struct constants *constants)
{
    struct buf *out = &cache->scratch;
    if (key->context == 0 || key->extended || key->len > TEXT_BYTES_MAX)
        return false;
    buf_clear(out);
    buf_append(out, &key->context, sizeof key->context);
    buf_byte(out, SHAPE);
    size_t at = 0;
    for (size_t i = 0; i < constants->count; i++) {
        const struct constant *constant = &constants->list[i];
        buf_append(out, key->sql + at, constant->at - at);
        buf_byte(out, SHAPE);
        buf_byte(out, (unsigned char)constant->class);
        at = constant->at + constant->len;
    }
    buf_append(out, key->sql + at, key->len - at);
    return !out->failed;
}

/* Behind the shape: the values that matter, each with its length. */
static bool write_values(struct statement_cache *cache, const struct statement_key *key,
                         const struct constants *constants, const bool *free)
{
    struct buf *out = &cache->scratch;
    buf_byte(out, VALUES);
    for (size_t i = 0; i < constants->count; i++) {
        const struct constant *constant = &constants->list[i];
        if (free[i])
            continue;
        buf_append(out, &constant->len, sizeof constant->len);
        buf_append(out, key->sql + constant->at, constant->len);
    }
    return !out->failed;
}

struct statement *statement_cache_find_alike(struct statement_cache *cache,
                                             const struct statement_key *key,
                                             const struct constants *constants)
{
    if (!write_shape(cache, key, constants))
        return NULL;
    const struct entry *shape = find(cache);
    if (shape == NULL || !write_values(cache, key, constants, shape->free))
        return NULL;
    const struct entry *entry = find(cache);
    return entry == NULL ? NULL : statement_alike(entry->statement, key->sql, key->len, constants);
}

bool statement_cache_put_alike(struct statement_cache *cache, const struct statement_key *key,
                               const struct constants *constants, struct statement *statement)
{
    const struct verdict *verdict = statement->verdict;
    bool any = false;
    for (size_t i = 0; i < verdict->constant_count; i++)
        any = any || verdict->constants[i];
    if (!any || verdict->constant_count != constants->count ||
        !statement_keep_constants(statement, constants) || !write_shape(cache, key, constants))
        return false;
    bool *copy = malloc(constants->count * sizeof *copy);
    if (copy == NULL)
        return false;
    memcpy(copy, verdict->constants, constants->count * sizeof *copy);
    return put(cache, NULL, copy, constants->count * sizeof *copy) &&
           write_values(cache, key, constants, verdict->constants) &&
           put(cache, statement, NULL, 0);
}

static bool kind_fits(enum statement_kind kind)
{
    switch (kind) {
    case STATEMENT_SELECT:
    case STATEMENT_WRITE:
    case STATEMENT_COPY_TO:
    case STATEMENT_DECLARE:
    case STATEMENT_FETCH:
    case STATEMENT_CLOSE:
    case STATEMENT_EXPLAIN:
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_RELEASE:
    case STATEMENT_ROLLBACK_TO:
        return true;
    case STATEMENT_EMPTY:
    case STATEMENT_COPY_FROM:           /* four statements, one of them pgvigil's own */
    case STATEMENT_PREPARE:             /* pgvigil's own names */
    case STATEMENT_EXECUTE:             /* names of the session's */
    case STATEMENT_PREPARE_TRANSACTION: /* the person's name */
    case STATEMENT_LISTEN:
    case STATEMENT_UNLISTEN:
    case STATEMENT_UTILITY: /* COMMIT PREPARED: the person's name */
    case STATEMENT_TEMPORARY:
    case STATEMENT_SET:
    case STATEMENT_RESET: /* settings of the session's start */
    case STATEMENT_SHOW:
    case STATEMENT_DISCARD:
    case STATEMENT_DEALLOCATE:
    case STATEMENT_OTHER:
        break;
    }
    return false;
}

bool statement_cache_fits(const struct verdict *verdict)
{
    if (!verdict->allowed || verdict->statement_count == 0)
        return false;
    for (size_t i = 0; i < verdict->statement_count; i++)
        if (!kind_fits(verdict->statements[i].kind))
            return false;
    return true;
}

size_t statement_cache_count(const struct statement_cache *cache)
{
    return map_count(cache->entries);
}

size_t statement_cache_bytes(const struct statement_cache *cache)
{
    return cache->bytes;
}
