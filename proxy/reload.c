/*
 * reload.c: the service thread and the worlds it makes (see reload.h).
 *
 * Trust boundary: policy files, certificates, keys (the administrator's); the catalog (the
 * database's). The thread has a large stack, for policies are parsed on it, and may block: nothing
 * else waits for it.
 */
#include "proxy/reload.h"

#include "proxy/scram.h"
#include "proxy/tls.h"
#include "proxy/world.h"

#include <errno.h>
#include <pgvigil/audit.h>
#include <pgvigil/judge.h>
#include <pgvigil/log.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REFRESH_SECONDS 60
/* While a database has no catalog (unreachable, guards not deployed) it is looked at more often. */
#define RETRY_SECONDS 2
/* Requests for catalogs that come with every failing statement are answered at most so often. */
#define CATALOG_PAUSE_SECONDS 2

struct reload {
    const struct config *config;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t wake;
    struct world *world;
    bool wants_all;
    bool wants_catalogs;
    bool wants_now;      /* at once: somebody waits */
    pthread_cond_t read; /* `reads` has grown */
    uint64_t asked;      /* by those who wait */
    uint64_t reads;      /* what had been asked when the catalogs were read last */
    bool stopping;
    bool first_done;
    enum status first_status;
    atomic_ulong world_id;
    pthread_mutex_t audit_lock;
    struct audit *audit;
    struct audit_heights *heights; /* of its chain and the workers' */
};

struct world *reload_world(struct reload *reload)
{
    pthread_mutex_lock(&reload->lock);
    struct world *world = world_ref(reload->world);
    pthread_mutex_unlock(&reload->lock);
    return world;
}

uint64_t reload_world_id(const struct reload *reload)
{
    return atomic_load_explicit(&reload->world_id, memory_order_acquire);
}

static void ask(struct reload *reload, bool *flag)
{
    pthread_mutex_lock(&reload->lock);
    *flag = true;
    pthread_cond_signal(&reload->wake);
    pthread_mutex_unlock(&reload->lock);
}

void reload_request(struct reload *reload)
{
    ask(reload, &reload->wants_all);
}

void reload_catalogs(struct reload *reload)
{
    ask(reload, &reload->wants_catalogs);
}

bool reload_catalogs_now(struct reload *reload, unsigned seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&reload->lock);
    uint64_t mine = ++reload->asked;
    int waited = 0;
    reload->wants_now = true;
    pthread_cond_signal(&reload->wake);
    while (reload->reads < mine && !reload->stopping && waited == 0)
        waited = pthread_cond_timedwait(&reload->read, &reload->lock, &until);
    bool done = reload->reads >= mine;
    pthread_mutex_unlock(&reload->lock);
    return done;
}

void reload_audit_event(struct reload *reload, const char *event, const char *detail)
{
    pthread_mutex_lock(&reload->audit_lock);
    if (reload->audit != NULL &&
        (audit_event(reload->audit, event, NULL, detail) != OK || audit_flush(reload->audit) != OK))
        log_event(LOG_LEVEL_ERROR, "event=audit-failed chain=service");
    pthread_mutex_unlock(&reload->audit_lock);
}

static void publish(struct reload *reload, struct world *world)
{
    pthread_mutex_lock(&reload->lock);
    struct world *old = reload->world;
    reload->world = world;
    pthread_mutex_unlock(&reload->lock);
    atomic_store_explicit(&reload->world_id, world->id, memory_order_release);
    world_unref(old);
}

static void report(struct reload *reload, bool good, const char *text)
{
    char quoted[1024];
    log_event(good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "event=%s detail=%s",
              good ? "reload" : "reload-failed", log_quote(text, quoted, sizeof quoted));
    reload_audit_event(reload, good ? "reload" : "reload-failed", text);
}

/* Everything again. A part that cannot be used leaves the one in force, and says so. */
static void reload_all(struct reload *reload)
{
    struct buf why;
    buf_init(&why, 0);
    struct world *now = reload_world(reload);
    struct world *next = NULL;
    enum status status = world_make(reload->config, now, true, &next, &why);
    buf_byte(&why, '\0');
    const char *text = why.failed ? "out of memory" : (const char *)buf_head(&why);
    if (status == OK) {
        char detail[96];
        snprintf(detail, sizeof detail, "policy generation %s in force", next->policy->generation);
        publish(reload, next);
        if (text[0] != '\0')
            report(reload, false, text);
        report(reload, true, detail);
    } else {
        report(reload, false, text);
    }
    buf_free(&why);
    world_unref(now);
}

static void refresh_catalogs(struct reload *reload)
{
    struct buf why;
    buf_init(&why, 0);
    struct world *now = reload_world(reload);
    struct world *next = NULL;
    enum status status = world_make(reload->config, now, false, &next, &why);
    buf_byte(&why, '\0');
    if (status == OK && next != NULL) {
        log_event(LOG_LEVEL_INFO, "event=catalogs-refreshed world=%lu", (unsigned long)next->id);
        publish(reload, next);
    } else if (status != OK) {
        char quoted[512];
        log_event(LOG_LEVEL_WARNING, "event=catalogs-not-refreshed why=%s",
                  log_quote(why.failed ? "" : (const char *)buf_head(&why), quoted, sizeof quoted));
    }
    buf_free(&why);
    world_unref(now);
}

static void first_world(struct reload *reload)
{
    struct buf why;
    buf_init(&why, 0);
    struct world *world = NULL;
    enum status status = world_make(reload->config, NULL, true, &world, &why);
    buf_byte(&why, '\0');
    log_lines(LOG_LEVEL_ERROR, status == OK ? "database-not-ready" : "start-failed",
              why.failed ? "out of memory" : (const char *)buf_head(&why));
    buf_free(&why);
    pthread_mutex_lock(&reload->lock);
    reload->first_done = true;
    reload->first_status = status;
    if (status == OK) {
        reload->world = world;
        atomic_store(&reload->world_id, world->id);
    }
    pthread_cond_broadcast(&reload->wake);
    pthread_mutex_unlock(&reload->lock);
}

static bool complete(const struct world *world)
{
    for (size_t i = 0; i < world->database_count; i++)
        if (world->databases[i].catalog == NULL)
            return false;
    return true;
}

/* Under the lock. */
static void wait_for_work(struct reload *reload, unsigned seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    int woken = 0;
    while (!reload->stopping && !reload->wants_all && !reload->wants_catalogs &&
           !reload->wants_now && woken == 0)
        woken = pthread_cond_timedwait(&reload->wake, &reload->lock, &until);
    if (woken == ETIMEDOUT)
        reload->wants_catalogs = true;
}

static void audit_tick_locked(struct reload *reload)
{
    pthread_mutex_lock(&reload->audit_lock);
    if (reload->audit != NULL && audit_tick(reload->audit) != OK)
        log_event(LOG_LEVEL_ERROR, "event=audit-checkpoint-failed chain=service");
    pthread_mutex_unlock(&reload->audit_lock);
}

static void *service_main(void *context)
{
    struct reload *reload = context;
    first_world(reload);
    pthread_mutex_lock(&reload->lock);
    uint64_t last = 0;
    while (!reload->stopping && reload->world != NULL) {
        wait_for_work(reload, complete(reload->world) ? REFRESH_SECONDS : RETRY_SECONDS);
        bool all = reload->wants_all;
        bool catalogs = reload->wants_catalogs && !reload->wants_now;
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        bool early = !all && catalogs && (uint64_t)now.tv_sec < last + CATALOG_PAUSE_SECONDS;
        if (reload->stopping)
            break;
        if (early) {
            struct timespec pause = {0, 200000000};
            pthread_mutex_unlock(&reload->lock);
            nanosleep(&pause, NULL);
            pthread_mutex_lock(&reload->lock);
            continue;
        }
        reload->wants_all = reload->wants_catalogs = reload->wants_now = false;
        uint64_t asked = reload->asked;
        last = (uint64_t)now.tv_sec;
        pthread_mutex_unlock(&reload->lock);
        if (all)
            reload_all(reload);
        else
            refresh_catalogs(reload);
        audit_tick_locked(reload);
        pthread_mutex_lock(&reload->lock);
        reload->reads = asked;
        pthread_cond_broadcast(&reload->read);
    }
    pthread_mutex_unlock(&reload->lock);
    return NULL;
}

static enum status start_thread(struct reload *reload)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    int failed = pthread_attr_setstacksize(&attr, JUDGE_STACK_BYTES);
    if (failed == 0)
        failed = pthread_create(&reload->thread, &attr, service_main, reload);
    pthread_attr_destroy(&attr);
    reload->started = failed == 0;
    if (failed != 0)
        return ERR_MEMORY;
    pthread_mutex_lock(&reload->lock);
    while (!reload->first_done)
        pthread_cond_wait(&reload->wake, &reload->lock);
    pthread_mutex_unlock(&reload->lock);
    return reload->first_status;
}

struct audit_heights *reload_heights(const struct reload *reload)
{
    return reload->heights;
}

/* Before the chains grow over the place: whoever cut one off and started pgvigil again would leave
 * no trace of it. */
static void tell_behind(struct reload *reload)
{
    struct audit_behind behind;
    size_t cursor = 0;
    char detail[300];
    while (audit_heights_behind(reload->heights, &cursor, &behind)) {
        audit_behind_text(&behind, detail, sizeof detail);
        log_event(LOG_LEVEL_ERROR, "event=audit-behind detail=\"%s\"", detail);
        reload_audit_event(reload, "audit-behind", detail);
    }
}

static enum status open_audit(struct reload *reload, const struct config *config)
{
    const char *why = "out of memory";
    /* Chains 0 .. workers-1 are the workers'. */
    struct audit_options options = config->audit;
    options.chains = config->workers + 1;
    enum status status =
        audit_heights_new(config->audit.directory, options.chains, &reload->heights);
    options.heights = reload->heights;
    if (status == OK)
        status = audit_open(&options, config->workers, &reload->audit, &why);
    if (status == OK) {
        tell_behind(reload);
        return OK;
    }
    char directory[512];
    char quoted[512];
    log_event(LOG_LEVEL_ERROR,
              "event=audit-open-failed chain=service directory=%s status=%s why=%s",
              log_quote(config->audit.directory, directory, sizeof directory), status_name(status),
              log_quote(why, quoted, sizeof quoted));
    reload->audit = NULL;
    return status;
}

enum status reload_start(const struct config *config, struct reload **out)
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (reload == NULL)
        return ERR_MEMORY;
    reload->config = config;
    pthread_mutex_init(&reload->lock, NULL);
    pthread_mutex_init(&reload->audit_lock, NULL);
    pthread_cond_init(&reload->wake, NULL);
    pthread_cond_init(&reload->read, NULL);
    enum status status = open_audit(reload, config);
    if (status == OK)
        status = start_thread(reload);
    if (status != OK) {
        reload_stop(reload);
        return status;
    }
    *out = reload;
    return OK;
}

void reload_stop(struct reload *reload)
{
    if (reload == NULL)
        return;
    if (reload->started) {
        pthread_mutex_lock(&reload->lock);
        reload->stopping = true;
        pthread_cond_broadcast(&reload->wake);
        pthread_cond_broadcast(&reload->read);
        pthread_mutex_unlock(&reload->lock);
        pthread_join(reload->thread, NULL);
    }
    world_unref(reload->world);
    audit_close(reload->audit);
    audit_heights_free(reload->heights);
    pthread_mutex_destroy(&reload->lock);
    pthread_mutex_destroy(&reload->audit_lock);
    pthread_cond_destroy(&reload->wake);
    pthread_cond_destroy(&reload->read);
    free(reload);
}
