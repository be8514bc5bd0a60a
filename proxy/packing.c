/*
 * packing.c: the thread that compresses closed files of the trail (see packing.h).
 *
 * Trust boundary: none of its own; audit/pack.c says what it makes of the files.
 */
#include "proxy/packing.h"

#include <inttypes.h>
#include <pgvigil/audit.h>
#include <pgvigil/log.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LOOK_SECONDS 60
#define LOWEST       19

struct packing {
    const char *directory; /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stopping;
};

static bool is_stopping(void *context)
{
    const struct packing *packing = context;
    return atomic_load(&packing->stopping);
}

static void look(struct packing *packing)
{
    struct audit_pack_result result;
    const char *why = NULL;
    char quoted[512];
    enum status status = audit_pack(packing->directory, is_stopping, packing, &result, &why);
    /* A purge by hand has the directory: the next look comes. */
    if (status != OK && status != DENIED)
        log_event(LOG_LEVEL_ERROR, "event=audit-pack-failed why=%s",
                  log_quote(why, quoted, sizeof quoted));
    else if (status == OK && result.files > 0)
        log_event(LOG_LEVEL_INFO,
                  "event=audit-packed files=%" PRIu64 " bytes=%" PRIu64 " packed_bytes=%" PRIu64,
                  result.files, result.bytes, result.packed_bytes);
}

static void *packing_main(void *context)
{
    struct packing *packing = context;
    /* On Linux a thread has a priority of its own. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST);
    pthread_mutex_lock(&packing->lock);
    while (!atomic_load(&packing->stopping)) {
        struct timespec until;
        pthread_mutex_unlock(&packing->lock);
        look(packing);
        pthread_mutex_lock(&packing->lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_SECONDS;
        int woken = 0;
        while (!atomic_load(&packing->stopping) && woken == 0)
            woken = pthread_cond_timedwait(&packing->wake, &packing->lock, &until);
    }
    pthread_mutex_unlock(&packing->lock);
    return NULL;
}

enum status packing_start(const char *directory, struct packing **packing)
{
    pthread_condattr_t attr;
    struct packing *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return ERR_MEMORY;
    fresh->directory = directory;
    atomic_init(&fresh->stopping, false);
    pthread_mutex_init(&fresh->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&fresh->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&fresh->thread, NULL, packing_main, fresh) != 0) {
        pthread_cond_destroy(&fresh->wake);
        pthread_mutex_destroy(&fresh->lock);
        free(fresh);
        return ERR_MEMORY;
    }
    *packing = fresh;
    return OK;
}

void packing_stop(struct packing *packing)
{
    if (packing == NULL)
        return;
    pthread_mutex_lock(&packing->lock);
    atomic_store(&packing->stopping, true);
    pthread_cond_signal(&packing->wake);
    pthread_mutex_unlock(&packing->lock);
    pthread_join(packing->thread, NULL);
    pthread_cond_destroy(&packing->wake);
    pthread_mutex_destroy(&packing->lock);
    free(packing);
}
