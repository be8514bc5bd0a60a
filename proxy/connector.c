/*
 * connector.c: blocking libpq work on threads of its own (see connector.h).
 *
 * Trust boundary: the conninfo is the administrator's; the server is not trusted yet while libpq
 * authenticates it. Options hold pseudonym keys: nothing here logs them.
 */
#include "proxy/connector.h"

#include "proxy/upstream_cancel.h"
#include "proxy/worker.h"

#include <pgvigil/guard.h>
#include <pgvigil/log.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

/* What ran for sessions when the server is told to stop is cancelled first: a statement that waits
 * for a lock would otherwise go on waiting, with everybody else behind it, for nobody. */
#define STOP_SECONDS 5

enum job_kind { JOB_OPEN, JOB_CANCEL };

struct job {
    STAILQ_ENTRY(job) link;
    enum job_kind kind;
    struct worker *worker;
    char *conninfo;
    char *options;
    char *set_role;
    char *digest;
    unsigned timeout_seconds;
    bool plain;
    connector_opened_fn *opened;
    connector_cancelled_fn *cancelled;
    void *context;
    struct upstream_cancel *cancel;
    PGconn *conn;
    char error[256];
};

STAILQ_HEAD(job_list, job);

struct connector {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job_list jobs;
    uint64_t stop_by; /* 0: it is not to stop; else cancels not under way by then are given up */
    unsigned thread_count;
    pthread_t threads[];
};

static void job_free(struct job *job)
{
    if (job->options != NULL)
        explicit_bzero(job->options, strlen(job->options));
    free(job->conninfo);
    free(job->options);
    free(job->set_role);
    free(job->digest);
    free(job);
}

const char *connector_error_line(const char *message, char *out, size_t size)
{
    size_t used = 0;
    for (; message != NULL && *message != '\0' && used + 1 < size; message++) {
        bool space = *message == '\n' || *message == '\t';
        if (space && (used == 0 || out[used - 1] == ' '))
            continue;
        out[used++] = space ? ' ' : *message;
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
    return out;
}

/* The administrator's own is kept where it is shorter: with several hosts it counts for each, and a
 * session waits for all of them. */
static unsigned timeout_of(const struct job *job)
{
    unsigned long seconds = job->timeout_seconds;
    PQconninfoOption *options = PQconninfoParse(job->conninfo, NULL);
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++) {
        bool given = strcmp(option->keyword, "connect_timeout") == 0 && option->val != NULL;
        unsigned long own = given ? strtoul(option->val, NULL, 10) : 0;
        if (own > 0 && own < seconds)
            seconds = own;
    }
    PQconninfoFree(options);
    return seconds < 2 ? 2 : (unsigned)seconds;
}

/* Overrides that make the socket safe to take over and the texts readable: the last one of a
 * keyword wins. */
static PGconn *open_with_options(struct job *job, const char *own_options)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%u", timeout_of(job));
    const char *keywords[] = {"dbname",
                              "gssencmode",
                              "connect_timeout",
                              "options",
                              job->plain ? NULL : "application_name",
                              "client_encoding",
                              NULL};
    const char *values[] = {job->conninfo, "disable", timeout, own_options,
                            "pgvigil",     "UTF8",    NULL};
    return PQconnectdbParams(keywords, values, 1);
}

static bool be_role(PGconn *conn, const char *role)
{
    const char *values[] = {role};
    PGresult *result =
        PQexecParams(conn,
                     "SELECT pg_catalog.count(*) FROM pg_catalog.pg_roles r WHERE rolname = $1 AND "
                     "pg_catalog.pg_has_role(session_user, oid, 'MEMBER')\n"
                     /* One that owns the guards and nothing else is nobody to work as. */
                     "AND EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
                     "ON n.oid = c.relnamespace\n"
                     "    WHERE c.relowner = r.oid AND n.nspname NOT LIKE 'pgvigil:%'\n"
                     "    AND n.nspname !~ '^pg_')",
                     1, NULL, values, NULL, NULL, 0);
    bool member =
        PQresultStatus(result) == PGRES_TUPLES_OK && strcmp(PQgetvalue(result, 0, 0), "1") == 0;
    PQclear(result);
    if (!member)
        return true;
    struct buf sql;
    buf_init(&sql, 0);
    buf_str(&sql, "SET ROLE ");
    text_quote_ident(&sql, role);
    buf_byte(&sql, '\0');
    result = sql.failed ? NULL : PQexec(conn, (const char *)sql.data);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    buf_free(&sql);
    return done;
}

/* Says for the whole life of the connection which guards it works with, so that `deploy --prune`
 * leaves them in place. */
static bool hold_generation(PGconn *conn, const char *digest)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "SELECT pg_catalog.pg_advisory_lock_shared(%d, ('x%.8s')::bit(32)::int)",
                   GUARD_LOCK_CLASS, digest);
    PGresult *result = PQexec(conn, sql);
    bool done = PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    return done;
}

/* The conninfo's own `options` and ours as one text. NULL: out of memory or a conninfo that does
 * not parse. */
static char *join_options(const struct job *job)
{
    struct buf out;
    buf_init(&out, 0);
    PQconninfoOption *options = PQconninfoParse(job->conninfo, NULL);
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++)
        if (strcmp(option->keyword, "options") == 0 && option->val != NULL)
            buf_printf(&out, "%s ", option->val);
    PQconninfoFree(options);
    if (job->options != NULL)
        buf_str(&out, job->options);
    buf_byte(&out, '\0');
    if (out.failed || options == NULL) {
        buf_free(&out);
        return NULL;
    }
    return (char *)out.data;
}

static void run_open(struct job *job)
{
    char *own_options = join_options(job);
    if (own_options == NULL) {
        snprintf(job->error, sizeof job->error, "the conninfo cannot be used");
        return;
    }
    job->conn = open_with_options(job, own_options);
    explicit_bzero(own_options, strlen(own_options));
    free(own_options);
    bool usable = PQstatus(job->conn) == CONNECTION_OK;
    if (usable && job->set_role != NULL)
        usable = be_role(job->conn, job->set_role);
    if (usable && job->digest != NULL)
        usable = hold_generation(job->conn, job->digest);
    if (!usable) {
        connector_error_line(job->conn == NULL ? "out of memory" : PQerrorMessage(job->conn),
                             job->error, sizeof job->error);
        PQfinish(job->conn);
        job->conn = NULL;
    }
}

static void answer_open(struct worker *worker, void *context)
{
    struct job *job = context;
    job->opened(worker, job->conn, job->error, job->context);
    job_free(job);
}

static void answer_cancel(struct worker *worker, void *context)
{
    struct job *job = context;
    job->cancelled(worker, job->context);
    job_free(job);
}

static void run_job(struct job *job, uint64_t stop_by)
{
    bool stopping = stop_by != 0;
    bool late = stopping && clock_microseconds() > stop_by;
    char error[256] = "pgvigil is stopping";
    char quoted[300];
    switch (job->kind) {
    case JOB_OPEN:
        if (stopping)
            snprintf(job->error, sizeof job->error, "pgvigil is stopping");
        else
            run_open(job);
        if (worker_post(job->worker, answer_open, job) != OK) {
            log_event(LOG_LEVEL_ERROR, "event=connector-answer-lost");
            PQfinish(job->conn);
            job_free(job);
        }
        return;
    case JOB_CANCEL:
        if (late || upstream_cancel_run(job->cancel, error, sizeof error) != OK)
            log_event(LOG_LEVEL_WARNING, "event=cancel-failed why=%s",
                      log_quote(error, quoted, sizeof quoted));
        upstream_cancel_free(job->cancel);
        if (worker_post(job->worker, answer_cancel, job) != OK) {
            log_event(LOG_LEVEL_ERROR, "event=connector-answer-lost");
            job_free(job);
        }
        return;
    }
}

static void *connector_main(void *context)
{
    struct connector *connector = context;
    pthread_mutex_lock(&connector->lock);
    for (;;) {
        struct job *job = STAILQ_FIRST(&connector->jobs);
        if (job == NULL) {
            if (connector->stop_by != 0)
                break;
            pthread_cond_wait(&connector->wake, &connector->lock);
            continue;
        }
        STAILQ_REMOVE_HEAD(&connector->jobs, link);
        uint64_t stop_by = connector->stop_by;
        pthread_mutex_unlock(&connector->lock);
        run_job(job, stop_by);
        pthread_mutex_lock(&connector->lock);
    }
    pthread_mutex_unlock(&connector->lock);
    return NULL;
}

enum status connector_start(unsigned threads, struct connector **out)
{
    struct connector *connector = calloc(1, sizeof *connector + threads * sizeof(pthread_t));
    if (connector == NULL)
        return ERR_MEMORY;
    pthread_mutex_init(&connector->lock, NULL);
    pthread_cond_init(&connector->wake, NULL);
    STAILQ_INIT(&connector->jobs);
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&connector->threads[i], NULL, connector_main, connector) != 0)
            break;
        connector->thread_count++;
    }
    if (connector->thread_count == 0) {
        connector_stop(connector);
        return ERR_MEMORY;
    }
    *out = connector;
    return OK;
}

void connector_stop(struct connector *connector)
{
    if (connector == NULL)
        return;
    pthread_mutex_lock(&connector->lock);
    connector->stop_by = clock_microseconds() + STOP_SECONDS * 1000000ull;
    pthread_cond_broadcast(&connector->wake);
    pthread_mutex_unlock(&connector->lock);
    for (unsigned i = 0; i < connector->thread_count; i++)
        pthread_join(connector->threads[i], NULL);
    pthread_mutex_destroy(&connector->lock);
    pthread_cond_destroy(&connector->wake);
    free(connector);
}

static void submit(struct connector *connector, struct job *job)
{
    pthread_mutex_lock(&connector->lock);
    STAILQ_INSERT_TAIL(&connector->jobs, job, link);
    pthread_cond_signal(&connector->wake);
    pthread_mutex_unlock(&connector->lock);
}

static bool copy_text(const char *text, char **copy)
{
    *copy = text == NULL ? NULL : strdup(text);
    return text == NULL || *copy != NULL;
}

enum status connector_open(struct connector *connector, struct worker *worker,
                           const struct connector_open *open, connector_opened_fn *done,
                           void *context)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return ERR_MEMORY;
    job->kind = JOB_OPEN;
    job->worker = worker;
    job->timeout_seconds = open->timeout_seconds;
    job->plain = open->plain;
    job->opened = done;
    job->context = context;
    if (!copy_text(open->conninfo, &job->conninfo) || !copy_text(open->options, &job->options) ||
        !copy_text(open->set_role, &job->set_role) || !copy_text(open->digest, &job->digest)) {
        job_free(job);
        return ERR_MEMORY;
    }
    submit(connector, job);
    return OK;
}

enum status connector_cancel(struct connector *connector, struct worker *worker,
                             struct upstream_cancel *cancel, connector_cancelled_fn *done,
                             void *context)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL || cancel == NULL) {
        free(job);
        upstream_cancel_free(cancel);
        return ERR_MEMORY;
    }
    job->kind = JOB_CANCEL;
    job->worker = worker;
    job->cancel = cancel;
    job->cancelled = done;
    job->context = context;
    submit(connector, job);
    return OK;
}
