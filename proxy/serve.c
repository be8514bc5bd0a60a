/*
 * serve.c: start, signals and end of `pgvigil serve` (see serve.h).
 *
 * Only the main thread takes signals; all others are started with every signal blocked.
 */
#include "proxy/serve.h"

#include "proxy/admin.h"
#include "proxy/admission.h"
#include "proxy/alert.h"
#include "proxy/break_glass.h"
#include "proxy/budget.h"
#include "proxy/cancel.h"
#include "proxy/connector.h"
#include "proxy/ddl.h"
#include "proxy/figures.h"
#include "proxy/listener.h"
#include "proxy/packing.h"
#include "proxy/pool_share.h"
#include "proxy/quota.h"
#include "proxy/reload.h"
#include "proxy/scram.h"
#include "proxy/stats.h"
#include "proxy/worker.h"

#include <errno.h>
#include <pgvigil/log.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTOR_THREADS 4
#define SECONDS_A_DAY     86400

struct service {
    struct process process;
    struct worker *workers;
    unsigned opened; /* of the workers */
    struct event_base *base;
    struct event *signals[3];
    struct listener *listener;
    struct admin *admin;
    struct packing *packing;
    sigset_t old_mask;
};

static void on_signal(evutil_socket_t signal_number, short what, void *context)
{
    (void)what;
    struct service *service = context;
    if (signal_number == SIGHUP) {
        log_event(LOG_LEVEL_INFO, "event=signal name=HUP");
        reload_request(service->process.reload);
        return;
    }
    log_event(LOG_LEVEL_INFO, "event=signal name=%s", signal_number == SIGINT ? "INT" : "TERM");
    event_base_loopbreak(service->base);
}

static enum status watch_signals(struct service *service)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
    for (size_t i = 0; i < 3; i++) {
        service->signals[i] = evsignal_new(service->base, numbers[i], on_signal, service);
        if (service->signals[i] == NULL || event_add(service->signals[i], NULL) != 0)
            return ERR_MEMORY;
    }
    return OK;
}

/* Behind the audit, which makes the directory and keeps a second pgvigil out of it. */
static enum status open_budget(struct process *process)
{
    const struct audit_options *audit = &process->config->audit;
    const char *why = NULL;
    enum status status = budget_open(audit->directory, audit->durability == AUDIT_SYNCED,
                                     (uint64_t)time(NULL) / SECONDS_A_DAY, &process->budget, &why);
    int error = errno;
    char directory[512];
    char quoted[512];
    char text[128];
    if (status != OK)
        log_event(LOG_LEVEL_ERROR, "event=day-budget-failed directory=%s why=%s error=\"%s\"",
                  log_quote(audit->directory, directory, sizeof directory),
                  log_quote(why, quoted, sizeof quoted),
                  status == ERR_IO ? strerror_r(error, text, sizeof text) : status_name(status));
    return status;
}

static enum status open_shared(struct service *service, const struct config *config)
{
    struct process *process = &service->process;
    process->config = config;
    enum status status = scram_init();
    if (status == OK)
        status = reload_start(config, &process->reload);
    if (status == OK)
        status = open_budget(process);
    if (status == OK)
        status = connector_start(CONNECTOR_THREADS, &process->connector);
    if (status != OK)
        return status;
    process->cancels = cancel_registry_new();
    process->admission = admission_new(&config->limits);
    process->reasons = break_glass_registry_new();
    process->quota = quota_new();
    process->figures = figures_new();
    process->shares = pool_shares_new(config->database_count * 2, config->workers);
    process->stats = stats_new(config);
    if (config->alert_command != NULL) {
        status = alert_start(config->alert_command, &process->alert);
        if (status != OK)
            return status;
    }
    service->workers = calloc(config->workers, sizeof *service->workers);
    process->workers = service->workers;
    service->base = event_base_new();
    bool complete = process->cancels != NULL && process->admission != NULL &&
                    process->reasons != NULL && process->quota != NULL &&
                    process->figures != NULL && process->shares != NULL && process->stats != NULL &&
                    service->workers != NULL && service->base != NULL;
    return complete ? OK : ERR_MEMORY;
}

static enum status start_workers(struct service *service)
{
    for (unsigned i = 0; i < service->process.config->workers; i++) {
        enum status status = worker_open(&service->workers[i], i, &service->process);
        service->opened++;
        if (status != OK)
            return status;
    }
    for (unsigned i = 0; i < service->opened; i++) {
        enum status status = worker_start(&service->workers[i]);
        if (status != OK)
            return status;
    }
    return OK;
}

static void stop(struct service *service)
{
    admin_stopping(service->admin);
    listener_close(service->listener);
    for (unsigned i = 0; i < service->opened; i++)
        worker_stop(&service->workers[i]);
    for (unsigned i = 0; i < service->opened; i++)
        worker_join(&service->workers[i]);
    admin_stop(service->admin); /* it reads the workers' meters */
    packing_stop(service->packing);
    ddl_join();
    /* Its last answers go to the mailboxes of workers that have ended: worker_close reads them. */
    connector_stop(service->process.connector);
    for (unsigned i = 0; i < service->opened; i++)
        worker_close(&service->workers[i]);
    free(service->workers);
    if (service->process.reload != NULL)
        reload_audit_event(service->process.reload, "stop", NULL);
    reload_stop(service->process.reload);
    cancel_registry_free(service->process.cancels);
    admission_free(service->process.admission);
    alert_stop(service->process.alert);
    break_glass_registry_free(service->process.reasons);
    quota_free(service->process.quota);
    budget_close(service->process.budget);
    figures_free(service->process.figures);
    pool_shares_free(service->process.shares);
    stats_free(service->process.stats);
    for (size_t i = 0; i < 3; i++)
        if (service->signals[i] != NULL)
            event_free(service->signals[i]);
    if (service->base != NULL)
        event_base_free(service->base);
}

/* With the policy, as a reload tells it: since when it is in force is asked of the trail later. */
static void tell_start(struct service *service)
{
    char detail[96];
    struct world *world = reload_world(service->process.reload);
    snprintf(detail, sizeof detail, "%s, policy generation %s in force", PGVIGIL_VERSION,
             world->policy->generation);
    world_unref(world);
    reload_audit_event(service->process.reload, "start", detail);
}

/* Loudly: whoever reads the log or the trail must not take observing for enforcing. */
static void tell_observe_mode(struct service *service, const struct config *config)
{
    for (size_t i = 0; i < config->database_count; i++) {
        char name[200];
        char detail[320];
        if (!config->databases[i].observe)
            continue;
        log_event(LOG_LEVEL_WARNING,
                  "event=observe-mode database=%s detail=\"nothing is enforced: every client has "
                  "all rights of the unrestricted login\"",
                  log_quote(config->databases[i].name, name, sizeof name));
        snprintf(detail, sizeof detail, "database %s: nothing is enforced",
                 config->databases[i].name);
        reload_audit_event(service->process.reload, "observe-mode", detail);
    }
}

static enum status run(struct service *service, const struct config *config)
{
    enum status status = open_shared(service, config);
    if (status == OK)
        status = start_workers(service);
    if (status == OK)
        status = watch_signals(service);
    if (status == OK)
        status =
            listener_open(service->base, &service->process, service->workers, &service->listener);
    if (status == OK && config->admin.port != 0)
        status = admin_start(&service->process, &service->admin);
    if (status == OK && config->audit.compress)
        status = packing_start(config->audit.directory, &service->packing);
    if (status != OK)
        return status;
    tell_start(service);
    tell_observe_mode(service, config);
    pthread_sigmask(SIG_SETMASK, &service->old_mask, NULL);
    log_event(LOG_LEVEL_INFO, "event=ready address=%s port=%u workers=%u version=%s",
              config->listen.address, config->listen.port, config->workers, PGVIGIL_VERSION);
    return event_base_dispatch(service->base) < 0 ? ERR_INTERNAL : OK;
}

enum status serve_run(const struct config *config)
{
    struct service service;
    memset(&service, 0, sizeof service);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a bound on the size of files is an error of the audit's */
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &service.old_mask);
    enum status status = run(&service, config);
    stop(&service);
    pthread_sigmask(SIG_SETMASK, &service.old_mask, NULL);
    log_event(LOG_LEVEL_INFO, "event=end status=%s", status_name(status));
    return status;
}
