/*
 * heights_list.h: what heights.c keeps, for heights_start.c, which fills it.
 */
#ifndef PGVIGIL_AUDIT_HEIGHTS_LIST_H
#define PGVIGIL_AUDIT_HEIGHTS_LIST_H

#include "heights.h"

#include <pthread.h>
#include <stdbool.h>

struct height {
    unsigned chain;
    bool writes;                       /* a chain of this server's */
    pthread_mutex_t lock;              /* the next two */
    uint64_t seq;                      /* 0: it is not named */
    char hash[CHAIN_HASH_HEX + 1];     /* of that record */
    uint64_t had;                      /* the rest: as it was at the start */
    uint64_t named;                    /* by the last checkpoint of another */
    char named_hash[HEIGHTS_HASH + 1]; /* empty: it does not say */
    unsigned by;
    char latest[CHAIN_TIME + 1]; /* when the last one signed that names what is gone */
    bool other;                  /* record `named` is there, and not that one */
    bool told;                   /* an earlier start has said so */
};

struct audit_heights {
    char since[CHAIN_TIME + 1];
    size_t count;
    struct height list[HEIGHTS_MAX]; /* by chain */
};

/* NULL: it is not in the list. */
struct height *heights_find(struct audit_heights *heights, unsigned chain);

#endif
