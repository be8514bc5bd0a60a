/*
 * quota.c: counters by person, mission and minute (see quota.h).
 */
#include "proxy/quota.h"

#include <pgvigil/map.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60000000u
#define HOUR   60

struct counter {
    uint64_t minute; /* of the newest entry */
    uint64_t total;
    uint64_t counts[HOUR];
};

struct quota {
    pthread_mutex_t lock;
    struct map *counters; /* struct counter by person, a byte 1, mission */
};

struct quota *quota_new(void)
{
    struct quota *quota = calloc(1, sizeof *quota);
    if (quota == NULL)
        return NULL;
    quota->counters = map_new();
    if (quota->counters == NULL) {
        free(quota);
        return NULL;
    }
    pthread_mutex_init(&quota->lock, NULL);
    return quota;
}

static void free_all(struct map *map)
{
    size_t cursor = 0;
    const char *key;
    size_t key_len;
    void *value;
    while (map_next(map, &cursor, &key, &key_len, &value))
        free(value);
    map_free(map);
}

void quota_free(struct quota *quota)
{
    if (quota == NULL)
        return;
    free_all(quota->counters);
    pthread_mutex_destroy(&quota->lock);
    free(quota);
}

/* Forgets what is an hour old. */
static void advance(struct counter *counter, uint64_t minute)
{
    if (minute >= counter->minute + HOUR) {
        memset(counter, 0, sizeof *counter);
        counter->minute = minute;
    }
    while (counter->minute < minute) {
        counter->minute++;
        uint64_t *oldest = &counter->counts[counter->minute % HOUR];
        counter->total -= *oldest;
        *oldest = 0;
    }
}

/* What stands under a key, made of zeroes where there is none. Under the lock. NULL: out of memory.
 */
static void *entry(struct map *map, const char *key, size_t size)
{
    void *found = map_get_str(map, key);
    if (found != NULL)
        return found;
    void *made = calloc(1, size);
    if (made != NULL && map_put_str(map, key, made) != OK) {
        free(made);
        made = NULL;
    }
    return made;
}

static struct counter *find(struct quota *quota, const char *person, const char *mission)
{
    size_t size = strlen(person) + strlen(mission) + 2;
    char *key = malloc(size);
    if (key == NULL)
        return NULL;
    snprintf(key, size, "%s\001%s", person, mission);
    struct counter *counter = entry(quota->counters, key, sizeof(*counter));
    free(key);
    return counter;
}

enum status quota_take(struct quota *quota, const char *person, const char *mission, uint64_t limit,
                       uint64_t wanted, uint64_t now, struct quota_portion *portion)
{
    *portion = (struct quota_portion){.rows = 0};
    pthread_mutex_lock(&quota->lock);
    struct counter *counter = find(quota, person, mission);
    if (counter != NULL) {
        /* Workers' clocks are read at different moments: never backwards. */
        advance(counter, now / MINUTE);
        uint64_t left = counter->total < limit ? limit - counter->total : 0;
        /* The less is left the smaller, so that hardly any lies about in other sessions unused. */
        uint64_t most = left / 16 + (left > 0);
        *portion = (struct quota_portion){.rows = wanted < most ? wanted : most,
                                          .minute = counter->minute};
        counter->counts[counter->minute % HOUR] += portion->rows;
        counter->total += portion->rows;
    }
    pthread_mutex_unlock(&quota->lock);
    return counter == NULL ? ERR_MEMORY : OK;
}

bool quota_is_fresh(const struct quota_portion *portion, uint64_t now)
{
    return portion->rows > 0 && portion->minute >= now / MINUTE;
}

/* The attack: portions are held for an hour by results that nobody reads, are forgotten meanwhile
 * as everything is that is an hour old, and are given back for rows that were read since. So a
 * portion goes back to the minute that it came from, or nowhere. */
void quota_give_back(struct quota *quota, const char *person, const char *mission,
                     struct quota_portion *portion, uint64_t now)
{
    pthread_mutex_lock(&quota->lock);
    struct counter *counter = find(quota, person, mission);
    if (counter != NULL) {
        advance(counter, now / MINUTE);
        uint64_t *at = &counter->counts[portion->minute % HOUR];
        uint64_t rows = portion->minute + HOUR <= counter->minute ? 0
                        : portion->rows < *at                     ? portion->rows
                                                                  : *at;
        *at -= rows;
        counter->total -= rows;
    }
    pthread_mutex_unlock(&quota->lock);
    portion->rows = 0;
}
