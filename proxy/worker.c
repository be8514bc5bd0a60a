/*
 * worker.c: the event loop of a worker and the end of each of its turns (see worker.h).
 *
 * Trust boundary: none of its own; what arrives in the mailbox comes from other threads of this
 * process.
 */
#include "proxy/worker.h"

#include "proxy/census.h"
#include "proxy/commit.h"
#include "proxy/figures.h"
#include "proxy/meter.h"
#include "proxy/pool.h"
#include "proxy/session.h"
#include "proxy/statement_cache.h"
#include "proxy/stats.h"
#include "proxy/subjects.h"
#include "proxy/texts.h"

#include <errno.h>
#include <pgvigil/judge.h>
#include <pgvigil/log.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Sessions that were let go on at the end of a turn may append and touch again; after so many
 * rounds the sockets get their turn first. */
#define TURN_ROUNDS       8
#define TICK_MICROSECONDS 1000000u
/* What one long message has made larger goes back to the system. */
#define SPARE_BYTES_MAX ((size_t)256 << 10)

struct worker_task {
    STAILQ_ENTRY(worker_task) link;
    worker_task_fn *fn;
    void *context;
};

uint64_t clock_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void buffer_take(struct buf *spare, struct buf *buf)
{
    if (buf->data != NULL || spare->data == NULL)
        return;
    buf->data = spare->data;
    buf->cap = spare->cap;
    buf->head = buf->tail = 0;
    spare->data = NULL;
    spare->cap = 0;
}

void buffer_give(struct buf *spare, struct buf *buf)
{
    if (buf->data == NULL || buf_len(buf) > 0 || buf->failed)
        return;
    if (spare->data != NULL || buf->cap > SPARE_BYTES_MAX) {
        buf_free(buf);
        return;
    }
    spare->data = buf->data;
    spare->cap = buf->cap;
    buf->data = NULL;
    buf->cap = buf->head = buf->tail = 0;
}

/* Any thread. The counter cannot overflow: the loop empties it; EAGAIN would mean that it is awake
 * already. */
static void wake(void *context)
{
    const struct worker *worker = context;
    uint64_t one = 1;
    ssize_t written = write(worker->wake_fd, &one, sizeof one);
    (void)written;
}

enum status worker_post(struct worker *worker, worker_task_fn *fn, void *context)
{
    struct worker_task *task = malloc(sizeof *task);
    if (task == NULL)
        return ERR_MEMORY;
    task->fn = fn;
    task->context = context;
    pthread_mutex_lock(&worker->lock);
    STAILQ_INSERT_TAIL(&worker->tasks, task, link);
    pthread_mutex_unlock(&worker->lock);
    wake(worker);
    return OK;
}

static void run_tasks(struct worker *worker)
{
    struct worker_task_list tasks = STAILQ_HEAD_INITIALIZER(tasks);
    pthread_mutex_lock(&worker->lock);
    STAILQ_CONCAT(&tasks, &worker->tasks);
    pthread_mutex_unlock(&worker->lock);
    struct worker_task *task;
    while ((task = STAILQ_FIRST(&tasks)) != NULL) {
        STAILQ_REMOVE_HEAD(&tasks, link);
        task->fn(worker, task->context);
        free(task);
    }
}

void worker_refresh_world(struct worker *worker)
{
    if (reload_world_id(worker->process->reload) == worker->world->id)
        return;
    struct world *world = reload_world(worker->process->reload);
    statement_cache_clear(worker->statements);
    world_unref(worker->world);
    worker->world = world;
    log_event(LOG_LEVEL_DEBUG, "worker=%u event=world id=%lu", worker->index,
              (unsigned long)world->id);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct worker *worker = context;
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got;
    worker->now = clock_microseconds();
    worker_refresh_world(worker);
    run_tasks(worker);
}

void worker_touch(struct worker *worker, struct session *session)
{
    if (session->touched || session->state == SESSION_DEAD)
        return;
    session->touched = true;
    TAILQ_INSERT_TAIL(&worker->touched, session, touched_link);
}

void worker_touch_server(struct worker *worker, struct server *server)
{
    if (server->dirty || server->state == SERVER_CLOSED)
        return;
    server->dirty = true;
    TAILQ_INSERT_TAIL(&worker->dirty_servers, server, dirty_link);
}

struct meter *worker_meter(const struct worker *worker)
{
    return &worker->meters[worker->config->database_count];
}

/* Seen from outside while it is being done: a disk that hangs is what this is for. */
void worker_flushing(struct worker *worker)
{
    struct meter *meter = worker_meter(worker);
    worker->flush_began = clock_microseconds();
    if (meter_read(meter, FIGURE_AUDIT_SINCE) == 0)
        meter_set(meter, FIGURE_AUDIT_SINCE, worker->flush_began);
}

bool worker_flushed(struct worker *worker, enum status status)
{
    struct meter *meter = worker_meter(worker);
    meter_observe(meter, HISTOGRAM_AUDIT_FLUSH, clock_microseconds() - worker->flush_began);
    /* In its reserve refusals are written, and nothing is restored. */
    bool healthy = status == OK && audit_healthy(worker->audit);
    meter_set(meter, FIGURE_AUDIT_BROKEN, !healthy);
    if (healthy) {
        meter_set(meter, FIGURE_AUDIT_SINCE, 0);
        if (worker->audit_error_logged != 0)
            log_event(LOG_LEVEL_INFO, "worker=%u event=audit-restored", worker->index);
        worker->audit_error_logged = 0;
    }
    if (status == OK)
        return true;
    meter_count(meter, FIGURE_AUDIT_FAILED);
    if (worker->audit_error_logged == 0)
        log_event(LOG_LEVEL_ERROR, "worker=%u event=audit-failed status=%s", worker->index,
                  status_name(status));
    worker->audit_error_logged++;
    return false;
}

bool worker_flush(struct worker *worker)
{
    if (!audit_pending(worker->audit) && !audit_flushing(worker->audit))
        return true;
    worker_flushing(worker);
    return worker_flushed(worker, audit_flush(worker->audit));
}

/*
 * One flush, then what it covered is released everywhere, and only then is anyone let go on: a
 * record that is appended while a session goes on is not covered by this flush, and its bytes must
 * wait for the next round.
 */
static void settle_round(struct worker *worker)
{
    bool flushed = worker_flush(worker);
    size_t count = 0;
    struct session *session;
    TAILQ_FOREACH(session, &worker->touched, touched_link)
    {
        session_settle(session, flushed);
        count++;
    }
    while (count-- > 0) {
        session = TAILQ_FIRST(&worker->touched);
        TAILQ_REMOVE(&worker->touched, session, touched_link);
        session->touched = false;
        if (session->state != SESSION_DEAD)
            session_write(session);
        if (session->state != SESSION_DEAD)
            session_resume(session, flushed);
    }
}

static void write_servers(struct worker *worker)
{
    struct server *server;
    while ((server = TAILQ_FIRST(&worker->dirty_servers)) != NULL) {
        TAILQ_REMOVE(&worker->dirty_servers, server, dirty_link);
        server->dirty = false;
        if (server->state != SERVER_CLOSED)
            server_write(server);
    }
}

static void free_dead(struct worker *worker)
{
    struct session *session;
    while ((session = TAILQ_FIRST(&worker->dead)) != NULL) {
        TAILQ_REMOVE(&worker->dead, session, link);
        if (session->touched)
            TAILQ_REMOVE(&worker->touched, session, touched_link);
        commit_forget(worker, session);
        session_free(session);
    }
    struct server *server;
    struct server_list keep = TAILQ_HEAD_INITIALIZER(keep);
    while ((server = TAILQ_FIRST(&worker->dead_servers)) != NULL) {
        TAILQ_REMOVE(&worker->dead_servers, server, link);
        if (server->dirty)
            TAILQ_REMOVE(&worker->dirty_servers, server, dirty_link);
        server->dirty = false;
        /* A cancel request on its way still names it. */
        if (server->cancels > 0)
            TAILQ_INSERT_TAIL(&keep, server, link);
        else
            server_free(server);
    }
    TAILQ_CONCAT(&worker->dead_servers, &keep, link);
}

static void end_turn(struct worker *worker)
{
    unsigned rounds = 0;
    if (worker->group_commit)
        commit_take_up(worker);
    while ((!TAILQ_EMPTY(&worker->touched) || !TAILQ_EMPTY(&worker->dirty_servers)) &&
           rounds++ < TURN_ROUNDS) {
        if (!TAILQ_EMPTY(&worker->touched) && worker->group_commit)
            commit_round(worker);
        else if (!TAILQ_EMPTY(&worker->touched))
            settle_round(worker);
        write_servers(worker);
        if (worker->group_commit)
            commit_flush(worker);
    }
    for (size_t i = 0; worker->pools != NULL && i < worker->config->database_count * 2; i++)
        pool_end_turn(&worker->pools[i]);
    /* Records without output: disconnects, refused logins. */
    if (worker->group_commit)
        commit_flush(worker);
    else
        (void)worker_flush(worker);
    free_dead(worker);
    if (!TAILQ_EMPTY(&worker->touched) || !TAILQ_EMPTY(&worker->dirty_servers))
        event_active(worker->wake_event, EV_READ, 0);
}

/* audit_tick tries the disk, too. */
static void note_audit(struct worker *worker)
{
    struct meter *meter = worker_meter(worker);
    bool healthy = audit_healthy(worker->audit);
    if (audit_flushing(worker->audit))
        return;
    meter_set(meter, FIGURE_AUDIT_BROKEN, !healthy);
    if (healthy)
        meter_set(meter, FIGURE_AUDIT_SINCE, 0);
    else if (meter_read(meter, FIGURE_AUDIT_SINCE) == 0)
        meter_set(meter, FIGURE_AUDIT_SINCE, worker->now);
}

static void tick(struct worker *worker)
{
    if (worker->now < worker->next_tick)
        return;
    worker->next_tick = worker->now + TICK_MICROSECONDS;
    if (worker->index == 0) {
        figures_tick(worker->process->figures, worker->now);
        stats_tick(worker->process->stats, worker->process, worker->now);
    }
    if (audit_tick(worker->audit) != OK)
        log_event(LOG_LEVEL_ERROR, "worker=%u event=audit-checkpoint-failed", worker->index);
    struct session *session = TAILQ_FIRST(&worker->sessions);
    while (session != NULL) {
        struct session *next = TAILQ_NEXT(session, link);
        session_tick(session);
        session = next;
    }
    for (size_t i = 0; i < worker->config->database_count * 2; i++)
        pool_tick(&worker->pools[i]);
    note_audit(worker);
    census_tick(worker);
}

static void end_all(struct worker *worker)
{
    struct session *session;
    while ((session = TAILQ_FIRST(&worker->sessions)) != NULL) {
        session_fail(session, CLOSED, "57P01",
                     "terminating connection due to administrator command");
        if (session->state != SESSION_DEAD) {
            session_settle(session, worker_flush(worker));
            session_write(session);
        }
        if (session->state != SESSION_DEAD)
            session_end(session, "shutdown");
    }
    for (size_t i = 0; i < worker->config->database_count * 2; i++)
        pool_close(&worker->pools[i]);
    end_turn(worker);
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    while (!worker->stopping) {
        if (event_base_loop(worker->base, EVLOOP_ONCE) < 0) {
            log_event(LOG_LEVEL_ERROR, "worker=%u event=loop-failed", worker->index);
            break;
        }
        worker->now = clock_microseconds();
        worker_refresh_world(worker);
        tick(worker);
        end_turn(worker);
        worker->turn++;
    }
    worker->stopping = true;
    if (worker->group_commit)
        commit_end(worker);
    end_all(worker);
    statement_free_spares();
    return NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    ((struct worker *)context)->now = clock_microseconds();
}

enum status worker_open(struct worker *worker, unsigned index, const struct process *process)
{
    memset(worker, 0, sizeof *worker);
    worker->process = process;
    worker->config = process->config;
    worker->index = index;
    worker->wake_fd = -1;
    pthread_mutex_init(&worker->lock, NULL);
    STAILQ_INIT(&worker->tasks);
    TAILQ_INIT(&worker->sessions);
    TAILQ_INIT(&worker->touched);
    TAILQ_INIT(&worker->unflushed);
    TAILQ_INIT(&worker->syncing);
    TAILQ_INIT(&worker->dead);
    TAILQ_INIT(&worker->dirty_servers);
    TAILQ_INIT(&worker->dead_servers);
    worker->now = clock_microseconds();
    worker->turn = 1;
    const char *why = NULL;
    struct audit_options options = process->config->audit;
    options.chains = process->config->workers + 1; /* and the service's */
    options.heights = reload_heights(process->reload);
    enum status status = audit_open(&options, index, &worker->audit, &why);
    if (status != OK) {
        char quoted[512];
        log_event(LOG_LEVEL_ERROR, "event=audit-open-failed chain=%u status=%s why=%s", index,
                  status_name(status), log_quote(why, quoted, sizeof quoted));
        worker->audit = NULL;
        return status;
    }
    worker->world = reload_world(process->reload);
    worker->statements = statement_cache_new(process->config->limits.statement_cache_bytes);
    worker->spare_requests = request_spares_new();
    worker->texts = texts_new(process->config->workers);
    worker->base = event_base_new();
    worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    worker->pools = calloc(process->config->database_count * 2, sizeof *worker->pools);
    worker->meters = meters_new(process->config->database_count + 1);
    if (worker->base == NULL || worker->wake_fd < 0 || worker->pools == NULL ||
        worker->statements == NULL || worker->spare_requests == NULL || worker->texts == NULL ||
        worker->meters == NULL)
        return ERR_MEMORY;
    worker->group_commit = process->config->audit.durability == AUDIT_SYNCED;
    if (worker->group_commit && audit_sync_apart(worker->audit, wake, worker) != OK)
        return ERR_MEMORY;
    meter_set(worker_meter(worker), FIGURE_TURNED, worker->now);
    for (size_t i = 0; i < process->config->database_count * 2; i++)
        pool_init(&worker->pools[i], worker, i / 2, i % 2 == 0 ? POOL_PAIRS : POOL_UNRESTRICTED);
    worker->wake_event =
        event_new(worker->base, worker->wake_fd, EV_READ | EV_PERSIST, on_wake, worker);
    if (worker->wake_event == NULL || event_add(worker->wake_event, NULL) != 0)
        return ERR_MEMORY;
    return OK;
}

enum status worker_start(struct worker *worker)
{
    struct timeval second = {1, 0};
    struct event *timer = event_new(worker->base, -1, EV_PERSIST, on_timer, worker);
    if (timer == NULL || event_add(timer, &second) != 0)
        return ERR_MEMORY;
    worker->timer_event = timer;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    int failed = pthread_attr_setstacksize(&attr, JUDGE_STACK_BYTES);
    if (failed == 0)
        failed = pthread_create(&worker->thread, &attr, worker_main, worker);
    pthread_attr_destroy(&attr);
    worker->started = failed == 0;
    return failed == 0 ? OK : ERR_MEMORY;
}

static void stop_task(struct worker *worker, void *context)
{
    (void)context;
    worker->stopping = true;
}

void worker_stop(struct worker *worker)
{
    if (worker->started && worker_post(worker, stop_task, NULL) != OK)
        log_event(LOG_LEVEL_ERROR, "worker=%u event=stop-not-posted", worker->index);
}

void worker_join(struct worker *worker)
{
    if (worker->started)
        pthread_join(worker->thread, NULL);
    worker->started = false;
}

void worker_close(struct worker *worker)
{
    /* Answers that the connector posted after the loop had ended own connections: let them be
     * closed. */
    run_tasks(worker);
    if (worker->base != NULL)
        end_turn(worker);
    if (worker->wake_event != NULL)
        event_free(worker->wake_event);
    if (worker->timer_event != NULL)
        event_free(worker->timer_event);
    if (worker->base != NULL)
        event_base_free(worker->base);
    audit_close(worker->audit); /* its thread wakes the loop */
    if (worker->wake_fd >= 0)
        close(worker->wake_fd);
    free(worker->pools);
    buf_free(&worker->spare_in);
    buf_free(&worker->spare_out);
    subjects_free(worker->spare_subjects);
    parameter_values_unref(worker->parameter_values);
    texts_free(worker->texts);
    request_spares_free(worker->spare_requests);
    statement_cache_free(worker->statements);
    statement_free_spares();
    free(worker->meters);
    world_unref(worker->world);
    pthread_mutex_destroy(&worker->lock);
    memset(worker, 0, sizeof *worker);
    worker->wake_fd = -1;
}
