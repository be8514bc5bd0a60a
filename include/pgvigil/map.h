/*
 * map.h: a hash map from byte strings to pointers.
 *
 * Open addressing over XXH3 with a seed drawn at start-up, so that a client who chooses the keys
 * (statement names, SQL texts) cannot choose the collisions. Keys are copied; values are borrowed:
 * the map never frees one. Not thread-safe; a map that is no longer written may be read by many.
 */
#ifndef PGVIGIL_MAP_H
#define PGVIGIL_MAP_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>

/* NULL is a map that holds nothing, for all but map_put. */
struct map;

struct map *map_new(void); /* NULL when out of memory */
void map_free(struct map *map);
void map_clear(struct map *map);
size_t map_count(const struct map *map);

/* The value, or NULL when there is none. */
void *map_get(const struct map *map, const void *key, size_t key_len);
void *map_get_str(const struct map *map, const char *key);
/* Adds or replaces; the value must not be NULL. ERR_MEMORY leaves the map as it was. */
NODISCARD enum status map_put(struct map *map, const void *key, size_t key_len, void *value);
NODISCARD enum status map_put_str(struct map *map, const char *key, void *value);
/* Removes and returns the value, NULL when there was none. */
void *map_remove(struct map *map, const void *key, size_t key_len);
void *map_remove_str(struct map *map, const char *key);

/* Walks in no order: start with *cursor = 0; false at the end. No change during the walk. */
bool map_next(const struct map *map, size_t *cursor, const char **key, size_t *key_len,
              void **value);

#endif
