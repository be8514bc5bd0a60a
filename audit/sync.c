/*
 * sync.c: fdatasync on a thread of its own (see sync.h).
 *
 * Trust boundary: the disk, which may take seconds, or fail. What fdatasync says is all that is
 * known: after an error the kernel takes the pages for clean, so that a second one would lie.
 */
#include "sync.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum sync_state { SYNC_IDLE, SYNC_ASKED, SYNC_ENDED };

struct syncer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    audit_synced_fn *done;
    void *context;
    enum sync_state state;
    bool stopping;
    int fd;
    int error;
};

static void *syncer_main(void *context)
{
    struct syncer *syncer = context;
    pthread_mutex_lock(&syncer->lock);
    while (!syncer->stopping) {
        if (syncer->state != SYNC_ASKED) {
            pthread_cond_wait(&syncer->changed, &syncer->lock);
            continue;
        }
        int fd = syncer->fd;
        pthread_mutex_unlock(&syncer->lock);
        int error = fdatasync(fd) == 0 ? 0 : errno;
        pthread_mutex_lock(&syncer->lock);
        syncer->error = error;
        syncer->state = SYNC_ENDED;
        pthread_cond_broadcast(&syncer->changed);
        pthread_mutex_unlock(&syncer->lock);
        syncer->done(syncer->context);
        pthread_mutex_lock(&syncer->lock);
    }
    pthread_mutex_unlock(&syncer->lock);
    return NULL;
}

struct syncer *syncer_new(audit_synced_fn *done, void *context)
{
    struct syncer *syncer = calloc(1, sizeof *syncer);
    if (!syncer)
        return NULL;
    syncer->done = done;
    syncer->context = context;
    (void)pthread_mutex_init(&syncer->lock, NULL);
    (void)pthread_cond_init(&syncer->changed, NULL);
    if (pthread_create(&syncer->thread, NULL, syncer_main, syncer) == 0)
        return syncer;
    (void)pthread_cond_destroy(&syncer->changed);
    (void)pthread_mutex_destroy(&syncer->lock);
    free(syncer);
    return NULL;
}

void syncer_free(struct syncer *syncer)
{
    if (!syncer)
        return;
    (void)syncer_wait(syncer);
    pthread_mutex_lock(&syncer->lock);
    syncer->stopping = true;
    pthread_cond_broadcast(&syncer->changed);
    pthread_mutex_unlock(&syncer->lock);
    (void)pthread_join(syncer->thread, NULL);
    (void)pthread_cond_destroy(&syncer->changed);
    (void)pthread_mutex_destroy(&syncer->lock);
    free(syncer);
}

void syncer_start(struct syncer *syncer, int fd)
{
    pthread_mutex_lock(&syncer->lock);
    syncer->fd = fd;
    syncer->state = SYNC_ASKED;
    pthread_cond_broadcast(&syncer->changed);
    pthread_mutex_unlock(&syncer->lock);
}

int syncer_wait(struct syncer *syncer)
{
    pthread_mutex_lock(&syncer->lock);
    while (syncer->state == SYNC_ASKED)
        pthread_cond_wait(&syncer->changed, &syncer->lock);
    syncer->state = SYNC_IDLE;
    int error = syncer->error;
    pthread_mutex_unlock(&syncer->lock);
    return error;
}

bool syncer_ended(struct syncer *syncer)
{
    pthread_mutex_lock(&syncer->lock);
    bool ended = syncer->state == SYNC_ENDED;
    pthread_mutex_unlock(&syncer->lock);
    return ended;
}
