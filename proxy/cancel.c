/*
 * cancel.c: cancel keys (see cancel.h). A mutex guards the map; nothing slow is done under it.
 */
#include "proxy/cancel.h"

#include "proxy/server.h"
#include "proxy/session.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pgvigil/log.h>
#include <pgvigil/map.h>
#include <stdlib.h>

/* On its way to the session's thread. */
struct cancel_key {
    uint32_t id;
    uint32_t secret;
    struct worker *worker;
};

struct cancel_registry {
    pthread_mutex_t lock;
    struct map *keys; /* id -> struct session */
};

struct cancel_registry *cancel_registry_new(void)
{
    struct cancel_registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL)
        return NULL;
    registry->keys = map_new();
    if (registry->keys == NULL) {
        free(registry);
        return NULL;
    }
    pthread_mutex_init(&registry->lock, NULL);
    return registry;
}

void cancel_registry_free(struct cancel_registry *registry)
{
    if (registry == NULL)
        return;
    map_free(registry->keys);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

enum status cancel_register(struct cancel_registry *registry, struct session *session)
{
    uint32_t id = 0;
    uint32_t secret = 0;
    enum status status = OK;
    pthread_mutex_lock(&registry->lock);
    do {
        if (RAND_bytes((unsigned char *)&id, sizeof id) != 1 ||
            RAND_bytes((unsigned char *)&secret, sizeof secret) != 1) {
            status = ERR_TLS;
            break;
        }
        id &= 0x7fffffffu;
    } while (id == 0 || map_get(registry->keys, &id, sizeof id) != NULL);
    if (status == OK)
        status = map_put(registry->keys, &id, sizeof id, session);
    if (status == OK) {
        session->key_id = id;
        session->key_secret = secret;
    }
    pthread_mutex_unlock(&registry->lock);
    return status;
}

void cancel_unregister(struct cancel_registry *registry, const struct session *session)
{
    pthread_mutex_lock(&registry->lock);
    (void)map_remove(registry->keys, &session->key_id, sizeof session->key_id);
    pthread_mutex_unlock(&registry->lock);
}

/* In the owner's loop. */
static void cancel_task(struct worker *worker, void *context)
{
    struct cancel_key *key = context;
    struct session *session;
    TAILQ_FOREACH(session, &worker->sessions, link)
    if (session->key_id == key->id && session->key_secret == key->secret)
        break;
    free(key);
    if (session == NULL || session->server == NULL ||
        (session->server->state != SERVER_ACTIVE && session->server->state != SERVER_LENT) ||
        session->requests.remote == 0)
        return;
    log_event(LOG_LEVEL_INFO, "session=%lu server=%lu event=cancel", (unsigned long)session->id,
              (unsigned long)session->server->id);
    if (audit_event(worker->audit, "cancel", &session->who, NULL) != OK)
        log_event(LOG_LEVEL_ERROR, "session=%lu event=audit-failed", (unsigned long)session->id);
    server_cancel(session->server);
}

void cancel_request(struct cancel_registry *registry, uint32_t id, uint32_t secret)
{
    struct cancel_key *copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        return;
    bool known = false;
    pthread_mutex_lock(&registry->lock);
    const struct session *session = map_get(registry->keys, &id, sizeof id);
    if (session != NULL && CRYPTO_memcmp(&session->key_secret, &secret, sizeof secret) == 0) {
        *copy = (struct cancel_key){id, session->key_secret, session->worker};
        known = true;
    }
    pthread_mutex_unlock(&registry->lock);
    if (!known)
        log_event(LOG_LEVEL_INFO, "event=cancel-unknown-key");
    if (!known || worker_post(copy->worker, cancel_task, copy) != OK)
        free(copy);
}
