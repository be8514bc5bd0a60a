/*
 * worker.h: one event loop, one thread, and everything that belongs to it.
 *
 * A worker owns its sessions, its share of the server connections and its audit chain; nothing of
 * that is ever touched by another thread. Others reach it through worker_post only. A turn is one
 * pass of libevent's loop and then worker_end_turn: the audit is flushed once, what it covered is
 * released, sockets are written, the dead are freed. So "no access without a record" is kept in one
 * place, and a write costs one flush for all sessions of a turn.
 *
 * The struct is plain data for the modules that live in the loop (session, query, result, server,
 * pool).
 */
#ifndef PGVIGIL_PROXY_WORKER_H
#define PGVIGIL_PROXY_WORKER_H

#include "proxy/reload.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <pgvigil/audit.h>
#include <pgvigil/buf.h>
#include <pgvigil/config.h>
#include <pgvigil/status.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct session;
struct server;
struct request_spares;
struct texts;
struct parameter_values;
struct pool;
struct connector;
struct cancel_registry;
struct statement_cache;
struct admission;
struct break_glass_registry;
struct quota;
struct alert;
struct figures;
struct pool_shares;
struct meter;
struct stats;
struct worker;

TAILQ_HEAD(session_list, session);
TAILQ_HEAD(server_list, server);

/* What the whole process shares; immutable pointers. */
struct process {
    const struct config *config;
    struct reload *reload;
    struct connector *connector;
    struct cancel_registry *cancels;
    struct admission *admission;
    struct break_glass_registry *reasons;
    struct quota *quota;   /* rows_per_hour */
    struct budget *budget; /* statements_per_day */
    struct alert *alert;   /* NULL: none configured */
    struct figures *figures;
    struct pool_shares *shares;
    struct stats *stats;
    struct worker *workers; /* config->workers of them */
};

typedef void worker_task_fn(struct worker *worker, void *context);

struct worker_task;
STAILQ_HEAD(worker_task_list, worker_task);

struct worker {
    const struct process *process;
    const struct config *config;
    unsigned index;
    pthread_t thread;
    struct event_base *base;
    struct audit *audit;
    struct world *world; /* a reference to the newest one seen */
    struct pool *pools;  /* two for each database: pairs, unrestricted */
    struct statement_cache *statements;
    uint64_t
        stale_world; /* what is prepared for the world of that number fits its tables no more */
    struct meter *meters; /* one for each database, and behind them the worker's own */
    struct session_list sessions;
    struct session_list
        touched; /* have something to release, write or resume at the end of the turn */
    struct session_list unflushed; /* group commit: see commit.h */
    struct session_list syncing;
    struct session_list dead;         /* freed at the end of the turn */
    struct server_list dirty_servers; /* have something to write */
    struct server_list dead_servers;
    uint64_t now;  /* monotonic microseconds, once a turn */
    uint64_t turn; /* how many there were, and this one */
    uint64_t next_tick;
    uint64_t next_session;
    uint64_t audit_error_logged;
    uint64_t flush_began;
    bool group_commit;    /* records are synced while the loop goes on */
    struct buf spare_in;  /* read into by whichever connection's turn it is */
    struct buf spare_out; /* the same for what is written */
    struct texts *texts;
    struct request_spares *spare_requests;
    struct parameter_values *parameter_values; /* see parameters_start; or NULL */
    struct subjects *spare_subjects;           /* the last that a session gave back, or NULL */
    bool started;
    bool stopping;
    atomic_uint load; /* sessions, read by the acceptor */

    /* mailbox */
    pthread_mutex_t lock;
    struct worker_task_list tasks;
    int wake_fd;
    struct event *wake_event;
    struct event *timer_event;
};

/* Opens the audit chain and the loop; borrows `process`. */
NODISCARD enum status worker_open(struct worker *worker, unsigned index,
                                  const struct process *process);
/* Starts the thread (with JUDGE_STACK_BYTES of stack). */
NODISCARD enum status worker_start(struct worker *worker);
/* Any thread: asks for the end; worker_join waits for it. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);
/* After the join: closes the audit, frees. */
void worker_close(struct worker *worker);

/* Any thread: runs fn(worker, context) in the worker's loop. ERR_MEMORY: not queued, the context
 * stays the caller's. */
NODISCARD enum status worker_post(struct worker *worker, worker_task_fn *fn, void *context);

/* In the loop: takes up the world in force, which is one atomic load when it has not changed. */
void worker_refresh_world(struct worker *worker);
/* In the loop: have it looked at in worker_end_turn. */
void worker_touch(struct worker *worker, struct session *session);
void worker_touch_server(struct worker *worker, struct server *server);
/* A flush of the audit that the loop waits for; true: it succeeded, or there was nothing to do. */
bool worker_flush(struct worker *worker);
/* The accounts of one: before, and after it (true for OK). */
void worker_flushing(struct worker *worker);
bool worker_flushed(struct worker *worker, enum status status);
/* Of what belongs to no database. */
struct meter *worker_meter(const struct worker *worker);

/*
 * Thousands of idle connections would keep a buffer each that only the few at work need. One that
 * has none takes the worker's spare, and gives back what is empty when it has been handled.
 */
void buffer_take(struct buf *spare, struct buf *buf);
void buffer_give(struct buf *spare, struct buf *buf);

uint64_t clock_microseconds(void); /* monotonic */

#endif
