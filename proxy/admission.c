/*
 * admission.c: counting connections and failed logins (see admission.h).
 *
 * Addresses and user names are keys in maps with a seeded hash; an entry lives while it counts
 * something.
 */
#include "proxy/admission.h"

#include <pgvigil/map.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_MICROSECONDS (60ull * 1000000u)
#define DELAY_MAX_MS        8000u
/* Past this many remembered addresses the oldest failures are forgotten all at once. */
#define ADDRESSES_MAX 65536

struct counter {
    unsigned connections;
    unsigned failures;
    uint64_t last_failure;
};

struct admission {
    pthread_mutex_t lock;
    const struct config_limits *limits;
    unsigned total;
    struct map *addresses;
    struct map *users;
};

struct admission *admission_new(const struct config_limits *limits)
{
    struct admission *admission = calloc(1, sizeof *admission);
    if (admission == NULL)
        return NULL;
    admission->limits = limits;
    admission->addresses = map_new();
    admission->users = map_new();
    pthread_mutex_init(&admission->lock, NULL);
    if (admission->addresses == NULL || admission->users == NULL) {
        admission_free(admission);
        return NULL;
    }
    return admission;
}

static void free_counters(struct map *map)
{
    size_t cursor = 0;
    const char *key;
    size_t key_len;
    void *value;
    while (map != NULL && map_next(map, &cursor, &key, &key_len, &value))
        free(value);
    map_free(map);
}

void admission_free(struct admission *admission)
{
    if (admission == NULL)
        return;
    free_counters(admission->addresses);
    free_counters(admission->users);
    pthread_mutex_destroy(&admission->lock);
    free(admission);
}

static struct counter *counter_for(struct map *map, const char *key)
{
    struct counter *counter = map_get_str(map, key);
    if (counter != NULL)
        return counter;
    counter = calloc(1, sizeof *counter);
    if (counter != NULL && map_put_str(map, key, counter) != OK) {
        free(counter);
        return NULL;
    }
    return counter;
}

static void drop_if_unused(struct map *map, const char *key)
{
    struct counter *counter = map_get_str(map, key);
    if (counter != NULL && counter->connections == 0 && counter->failures == 0) {
        map_remove_str(map, key);
        free(counter);
    }
}

bool admission_enter(struct admission *admission, const char *address, bool *total)
{
    pthread_mutex_lock(&admission->lock);
    *total = admission->total >= admission->limits->connections;
    bool entered = false;
    if (!*total) {
        struct counter *counter = counter_for(admission->addresses, address);
        unsigned limit = admission->limits->connections_per_address;
        if (counter != NULL && (limit == 0 || counter->connections < limit)) {
            counter->connections++;
            admission->total++;
            entered = true;
        }
    }
    pthread_mutex_unlock(&admission->lock);
    return entered;
}

void admission_leave(struct admission *admission, const char *address)
{
    pthread_mutex_lock(&admission->lock);
    struct counter *counter = map_get_str(admission->addresses, address);
    if (counter != NULL && counter->connections > 0) {
        counter->connections--;
        admission->total--;
    }
    drop_if_unused(admission->addresses, address);
    pthread_mutex_unlock(&admission->lock);
}

bool admission_user_enter(struct admission *admission, const char *user)
{
    pthread_mutex_lock(&admission->lock);
    struct counter *counter = counter_for(admission->users, user);
    unsigned limit = admission->limits->connections_per_user;
    bool entered = counter != NULL && (limit == 0 || counter->connections < limit);
    if (entered)
        counter->connections++;
    pthread_mutex_unlock(&admission->lock);
    return entered;
}

void admission_user_leave(struct admission *admission, const char *user)
{
    pthread_mutex_lock(&admission->lock);
    struct counter *counter = map_get_str(admission->users, user);
    if (counter != NULL && counter->connections > 0)
        counter->connections--;
    drop_if_unused(admission->users, user);
    pthread_mutex_unlock(&admission->lock);
}

static bool forget_one(struct map *map, uint64_t now)
{
    size_t cursor = 0;
    const char *key;
    size_t key_len;
    void *value;
    while (map_next(map, &cursor, &key, &key_len, &value)) {
        struct counter *counter = value;
        if (counter->connections > 0 || counter->last_failure + FORGET_MICROSECONDS > now)
            continue;
        map_remove(map, key, key_len);
        free(counter);
        return true;
    }
    return false;
}

unsigned admission_failed(struct admission *admission, const char *address, uint64_t now)
{
    unsigned delay = 0;
    pthread_mutex_lock(&admission->lock);
    if (map_count(admission->addresses) > ADDRESSES_MAX)
        while (forget_one(admission->addresses, now))
            continue;
    struct counter *counter = counter_for(admission->addresses, address);
    if (counter != NULL) {
        if (counter->last_failure + FORGET_MICROSECONDS < now)
            counter->failures = 0;
        counter->failures++;
        counter->last_failure = now;
        if (counter->failures > admission->limits->failed_logins) {
            unsigned over = counter->failures - admission->limits->failed_logins;
            delay = over > 3 ? DELAY_MAX_MS : 1000u << (over - 1);
        }
    }
    pthread_mutex_unlock(&admission->lock);
    return delay;
}

void admission_succeeded(struct admission *admission, const char *address)
{
    pthread_mutex_lock(&admission->lock);
    struct counter *counter = map_get_str(admission->addresses, address);
    if (counter != NULL)
        counter->failures = 0;
    pthread_mutex_unlock(&admission->lock);
}
