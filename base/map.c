/*
 * map.c: a hash map from byte strings to pointers (see map.h).
 *
 * Open addressing with linear probing over a power-of-two table; the 64-bit hash stands in the
 * slot, so that keys are compared only when the hashes are equal. A removed slot becomes a
 * tombstone (it keeps probe runs whole) unless the next slot is free; tombstones count towards the
 * load and go when the table is rehashed.
 *
 * Trust boundary: keys are chosen by clients. The seed is drawn once per process from the kernel; a
 * map made when the kernel gives none does not exist (NULL), rather than one with a seed to be
 * guessed.
 */
#define XXH_INLINE_ALL /* libpg_query exports XXH symbols of another version */
#include <xxhash.h>

#include <pgvigil/map.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_SLOTS 16U

struct slot {
    uint64_t hash;
    union {
        char *far;    /* owned */
        char near[8]; /* a key that fits, with its NUL */
    } key;
    size_t len;
    void *value; /* borrowed; NULL: free, TOMBSTONE: was removed */
};

struct map {
    struct slot *slots;
    size_t mask;  /* slots - 1 */
    size_t count; /* live */
    size_t used;  /* live and tombstones */
};

/* Of a map that holds nothing yet, and most never do: never written. */
static struct slot no_slots[1];

static char tombstone_place;
#define TOMBSTONE (&tombstone_place)

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed;
static bool seeded;

static void draw_seed(void)
{
    ssize_t got = 0;
    do {
        got = getrandom(&seed, sizeof seed, 0);
    } while (got < 0 && errno == EINTR);
    seeded = got == (ssize_t)sizeof seed;
}

struct map *map_new(void)
{
    (void)pthread_once(&seed_once, draw_seed);
    if (!seeded)
        return NULL;
    struct map *map = calloc(1, sizeof *map);
    if (!map)
        return NULL;
    map->slots = no_slots;
    return map;
}

static bool is_live(const struct slot *slot)
{
    return slot->value && slot->value != TOMBSTONE;
}

static bool is_near(size_t len)
{
    return len < sizeof((struct slot *)NULL)->key.near;
}

static const char *key_of(const struct slot *slot)
{
    return is_near(slot->len) ? slot->key.near : slot->key.far;
}

static void free_key(struct slot *slot)
{
    if (!is_near(slot->len))
        free(slot->key.far);
}

void map_clear(struct map *map)
{
    if (!map || map->slots == no_slots)
        return;
    for (size_t i = 0; i <= map->mask; i++) {
        if (is_live(&map->slots[i]))
            free_key(&map->slots[i]);
    }
    memset(map->slots, 0, (map->mask + 1) * sizeof *map->slots);
    map->count = 0;
    map->used = 0;
}

void map_free(struct map *map)
{
    if (!map)
        return;
    map_clear(map);
    if (map->slots != no_slots)
        free(map->slots);
    free(map);
}

size_t map_count(const struct map *map)
{
    return map ? map->count : 0;
}

static uint64_t hash_key(const void *key, size_t len)
{
    return XXH3_64bits_withSeed(key, len, seed);
}

static struct slot *find(const struct map *map, const void *key, size_t len, uint64_t hash)
{
    /* Ends: the load stays under 3/4, so a free slot exists. */
    for (size_t i = (size_t)hash & map->mask;; i = (i + 1) & map->mask) {
        struct slot *slot = &map->slots[i];
        if (!slot->value)
            return NULL;
        if (slot->value != TOMBSTONE && slot->hash == hash && slot->len == len &&
            (len == 0 || memcmp(key_of(slot), key, len) == 0))
            return slot;
    }
}

void *map_get(const struct map *map, const void *key, size_t key_len)
{
    struct slot *slot = map ? find(map, key, key_len, hash_key(key, key_len)) : NULL;
    return slot ? slot->value : NULL;
}

void *map_get_str(const struct map *map, const char *key)
{
    return map_get(map, key, strlen(key));
}

static enum status rehash(struct map *map)
{
    size_t slots = map->mask + 1;
    /* Mostly tombstones: the same size again is enough. */
    if (map->count * 2 >= slots)
        slots *= 2;
    if (slots < FIRST_SLOTS)
        slots = FIRST_SLOTS;
    struct slot *fresh = calloc(slots, sizeof *fresh);
    if (!fresh)
        return ERR_MEMORY;
    for (size_t i = 0; i <= map->mask; i++) {
        if (!is_live(&map->slots[i]))
            continue;
        size_t j = (size_t)map->slots[i].hash & (slots - 1);
        while (fresh[j].value)
            j = (j + 1) & (slots - 1);
        fresh[j] = map->slots[i];
    }
    if (map->slots != no_slots)
        free(map->slots);
    map->slots = fresh;
    map->mask = slots - 1;
    map->used = map->count;
    return OK;
}

enum status map_put(struct map *map, const void *key, size_t key_len, void *value)
{
    if (!value)
        return ERR_INVALID;
    uint64_t hash = hash_key(key, key_len);
    struct slot *slot = find(map, key, key_len, hash);
    if (slot) {
        slot->value = value;
        return OK;
    }
    if ((map->used + 1) * 4 > (map->mask + 1) * 3 && rehash(map) != OK)
        return ERR_MEMORY;
    struct slot fresh = {.hash = hash, .len = key_len, .value = value};
    char *copy = fresh.key.near;
    if (!is_near(key_len))
        copy = fresh.key.far = key_len < SIZE_MAX ? malloc(key_len + 1) : NULL;
    if (!copy)
        return ERR_MEMORY;
    if (key_len)
        memcpy(copy, key, key_len);
    copy[key_len] = '\0';
    size_t i = (size_t)hash & map->mask;
    while (is_live(&map->slots[i]))
        i = (i + 1) & map->mask;
    if (!map->slots[i].value)
        map->used++;
    map->slots[i] = fresh;
    map->count++;
    return OK;
}

enum status map_put_str(struct map *map, const char *key, void *value)
{
    return map_put(map, key, strlen(key), value);
}

void *map_remove(struct map *map, const void *key, size_t key_len)
{
    struct slot *slot = map ? find(map, key, key_len, hash_key(key, key_len)) : NULL;
    if (!slot)
        return NULL;
    void *value = slot->value;
    free_key(slot);
    size_t next = ((size_t)(slot - map->slots) + 1) & map->mask;
    memset(slot, 0, sizeof *slot);
    if (map->slots[next].value)
        slot->value = TOMBSTONE;
    else
        map->used--;
    map->count--;
    return value;
}

void *map_remove_str(struct map *map, const char *key)
{
    return map_remove(map, key, strlen(key));
}

bool map_next(const struct map *map, size_t *cursor, const char **key, size_t *key_len,
              void **value)
{
    for (; map && *cursor <= map->mask; (*cursor)++) {
        const struct slot *slot = &map->slots[*cursor];
        if (!is_live(slot))
            continue;
        if (key)
            *key = key_of(slot);
        if (key_len)
            *key_len = slot->len;
        if (value)
            *value = slot->value;
        (*cursor)++;
        return true;
    }
    return false;
}
