/*
 * statement_cache.h: what a worker has judged lately.
 *
 * Judging is a pure function of the text, the parameter types and what judge.h's request holds. All
 * of the latter but the text is a "context": world (policy and catalog), database, role, mission,
 * search path, which attributes the person has and which session settings. It has a number, the
 * same for all people of a pair, so all nurses share one entry. What a verdict may depend on beside
 * that (names of prepared statements, temporary tables, settings of the start, the person's name)
 * makes a statement that is not kept; see statement_cache_fits.
 *
 * The attack: two texts of one hash. Entries are found by the whole text and all of the rest, byte
 * by byte; the hash only says where to look, and its seed is the process's secret (map.h).
 *
 * Memory is bounded; the least recently used goes first. One thread.
 */
#ifndef PGVIGIL_PROXY_STATEMENT_CACHE_H
#define PGVIGIL_PROXY_STATEMENT_CACHE_H

#include "proxy/statement.h"

#include <pgvigil/constants.h>

struct statement_cache;

/* What stands in the cache is found by all of it. */
struct statement_key {
    uint64_t context;
    bool extended;
    const char *sql;
    size_t len;
    const uint32_t *types;
    size_t type_count;
};

/* Keeps up to `limit` bytes of judged statements. NULL when out of memory. */
struct statement_cache *statement_cache_new(size_t limit);
void statement_cache_free(struct statement_cache *cache); /* accepts NULL */
/* Forgets all; contexts made before find nothing any more. */
void statement_cache_clear(struct statement_cache *cache);

/* The number of a context, from all that makes it one. 0: out of memory, nothing is found under it.
 */
uint64_t statement_cache_context(struct statement_cache *cache, const void *bytes, size_t len);

/* Borrowed until the next call that is not this one; NULL: not there. */
struct statement *statement_cache_find(struct statement_cache *cache,
                                       const struct statement_key *key);
/* Takes a reference. False: it is too large, or there is no memory. */
bool statement_cache_put(struct statement_cache *cache, const struct statement_key *key,
                         struct statement *statement);

/*
 * A simple query's text, whose constants may be others than those of the one that was judged: what
 * holds for the one holds for the other where they differ only in constants on which nothing
 * depends (verdict->constants). `key` is the text's, `constants` what constants_find found in it,
 * at least one.
 *
 * A new statement, not yet noted as a session's: the client's text, and the text to send with the
 * same values in it. NULL: not there, or out of memory.
 */
struct statement *statement_cache_find_alike(struct statement_cache *cache,
                                             const struct statement_key *key,
                                             const struct constants *constants);
/* False: nothing can stand for another, it is too large, or there is no memory. */
bool statement_cache_put_alike(struct statement_cache *cache, const struct statement_key *key,
                               const struct constants *constants, struct statement *statement);

/* Whether the verdict depends on nothing but text, types and context. */
bool statement_cache_fits(const struct verdict *verdict);

size_t statement_cache_count(const struct statement_cache *cache);
size_t statement_cache_bytes(const struct statement_cache *cache);

#endif
