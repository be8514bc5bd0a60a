/*
 * ddl.c: handing a server connection to a thread and taking its answer (see ddl.h).
 *
 * Trust boundary: none of its own; the text was judged (an unrestricted role's runs unchanged) and
 * its begin record is on file. While a connection is lent the loop touches nothing of it; when its
 * session ends meanwhile it is cut off, and closed once the thread lets go.
 */
#include "proxy/ddl.h"

#include "proxy/ddl_run.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After a commit nobody is answered before the catalogs have been read; but not for ever. */
#define CATALOG_SECONDS 30

struct job {
    struct ddl_run run;
    struct worker *worker;
    struct server *server;
    struct statement *statement; /* a reference, given back by the worker */
    struct world *world;         /* a reference */
    struct reload *reload;
};

/* The threads that run. */
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t jobs_done = PTHREAD_COND_INITIALIZER;
static size_t jobs_running;

static void count_job(bool more)
{
    pthread_mutex_lock(&jobs_lock);
    jobs_running += more ? 1 : (size_t)-1;
    pthread_cond_broadcast(&jobs_done);
    pthread_mutex_unlock(&jobs_lock);
}

void ddl_join(void)
{
    pthread_mutex_lock(&jobs_lock);
    while (jobs_running > 0)
        pthread_cond_wait(&jobs_done, &jobs_lock);
    pthread_mutex_unlock(&jobs_lock);
}

/* ---- which ---- */

/* Read once for each statement. NULL: no guard can mind it. */
static const struct ddl *ddl_of(struct statement *statement)
{
    const struct verdict *verdict = statement->verdict;
    bool tagged = false;
    if (statement->ddl_known)
        return statement->ddl;
    statement->ddl_known = true;
    for (size_t i = 0; verdict != NULL && i < verdict->statement_count; i++)
        tagged = tagged || (verdict->statements[i].kind == STATEMENT_OTHER &&
                            ddl_tag(verdict->statements[i].tag));
    struct ddl *ddl = tagged ? arena_alloc(statement->arena, sizeof *ddl) : NULL;
    if (ddl != NULL && ddl_read(statement->sql, statement->arena, ddl) == OK && ddl->changes)
        statement->ddl = ddl;
    return statement->ddl;
}

static bool ends_transaction(const struct statement *statement)
{
    return statement->verdict->statement_count == 1 &&
           statement->verdict->statements[0].kind == STATEMENT_COMMIT;
}

/* Where there are guards, and the role is unrestricted by itself. */
static bool minds(const struct session *session)
{
    return session_unrestricted(session) && !session_observed(session) &&
           session->world->databases[session->database_index].catalog != NULL;
}

bool ddl_wanted(const struct session *session, struct statement *statement)
{
    if (statement == NULL || !minds(session))
        return false;
    return ddl_of(statement) != NULL || (session->guards_changed && ends_transaction(statement));
}

bool ddl_splits(const struct session *session, struct statement *statement)
{
    return minds(session) && ddl_of(statement) != NULL && ddl_of(statement)->controls;
}

enum status ddl_check(struct statement *statement, struct refusal *refusal)
{
    if (ddl_of(statement) == NULL || !ddl_of(statement)->copies)
        return OK;
    *refusal = (struct refusal){
        .sqlstate = "0A000",
        .message = "COPY from or to the client may not stand in one text with DDL that meets the "
                   "guards",
        .hint = "Send it as a statement of its own."};
    return DENIED;
}

/* ---- the end, in the worker's loop ---- */

static enum status tell(struct session *session, const struct job *job)
{
    char detail[160];
    const struct ddl_run *run = &job->run;
    if (!run->redeployed || run->removed + run->made == 0)
        return OK;
    const struct verdict *verdict = job->statement->verdict;
    snprintf(detail, sizeof detail, "%s: %zu guards taken away, %zu made, %s",
             verdict->statement_count == 1 ? verdict->statements[0].tag : "several statements",
             run->removed, run->made,
             run->committed ? "committed" : "in a transaction that is still open");
    log_event(LOG_LEVEL_INFO, "session=%lu event=guards-redeployed detail=\"%s\"",
              (unsigned long)session->id, detail);
    return audit_event(session->worker->audit, "guards-redeployed", &session->who, detail);
}

static void job_free(struct job *job)
{
    statement_unref(job->statement);
    world_unref(job->world);
    buf_free(&job->run.answer);
    arena_free(job->run.arena);
    free(job);
}

static void answer(struct session *session, struct job *job)
{
    struct server *server = job->server;
    struct ddl_run *run = &job->run;
    if (run->committed)
        session->guards_changed = session->schema_changed = false;
    else
        session->guards_changed = session->guards_changed || run->redeployed;
    if (tell(session, job) != OK) {
        session_fail(session, ERR_AUDIT, NULL, "the audit record could not be written");
        return;
    }
    if (!run->answer.failed)
        buf_append(&server->in, buf_head(&run->answer), buf_len(&run->answer));
    /* Handled as what was read: the connection's end, too, when it is lost. */
    server_process(server);
    if (run->lost && server->state == SERVER_ACTIVE) {
        server_close(server, "lost");
        session_server_lost(session, "08006", "the connection to the database server was lost");
    }
}

static void finished(struct worker *worker, void *context)
{
    struct job *job = context;
    (void)worker;
    server_take_back(job->server);
    /* NULL: it ended meanwhile. */
    if (job->server->session != NULL)
        answer(job->server->session, job);
    job_free(job);
}

/* ---- the thread ---- */

static void *job_main(void *context)
{
    struct job *job = context;
    ddl_run(&job->run);
    if (job->run.committed && !reload_catalogs_now(job->reload, CATALOG_SECONDS))
        log_event(LOG_LEVEL_WARNING, "event=catalogs-not-refreshed why=\"not in time after DDL\"");
    if (worker_post(job->worker, finished, job) != OK)
        log_event(LOG_LEVEL_ERROR, "event=ddl-answer-lost");
    count_job(false);
    return NULL;
}

static bool start_thread(struct job *job)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    count_job(true);
    bool started = pthread_attr_setstacksize(&attr, JUDGE_STACK_BYTES) == 0 &&
                   pthread_create(&thread, &attr, job_main, job) == 0;
    pthread_attr_destroy(&attr);
    if (!started)
        count_job(false);
    return started;
}

enum status ddl_start(struct session *session, struct statement *statement, bool extended)
{
    struct server *server = session->server;
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL || (job->run.arena = arena_new(0)) == NULL) {
        free(job);
        return ERR_MEMORY;
    }
    job->worker = session->worker;
    job->server = server;
    job->reload = session->worker->process->reload;
    job->statement = statement_ref(statement);
    /* The guards of the policy in force, whatever the one that the transaction began with: a newer
     * one's, deployed meanwhile, are taken away too. */
    worker_refresh_world(session->worker);
    job->world = world_ref(session->worker->world);
    job->run.conn = server->conn;
    job->run.policy = job->world->policy;
    job->run.owner = session->database->owner;
    job->run.ddl = ddl_of(statement);
    job->run.sql = statement->verdict->sql;
    job->run.extended = extended;
    buf_init(&job->run.answer, 0);
    session_enter(session, SESSION_WAIT_DRAIN);
    if (start_thread(job))
        return OK;
    server_take_back(server);
    job_free(job);
    return ERR_MEMORY;
}

/* ---- what is not run here ---- */

void ddl_completed(struct session *session, const struct verdict_statement *statement)
{
    if (statement != NULL && minds(session) && statement->kind == STATEMENT_OTHER &&
        ddl_tag(statement->tag))
        session->schema_changed = true;
}

void ddl_ready(struct session *session)
{
    if (session->tx != 'I')
        return;
    /* An end that was not run here: COMMIT in the middle of a text. */
    if (session->schema_changed || session->guards_changed)
        reload_catalogs(session->worker->process->reload);
    session->schema_changed = session->guards_changed = false;
}

const char *ddl_hint(const struct wire_report *report)
{
    const char *state = report->sqlstate == NULL ? "" : report->sqlstate;
    bool dependency = strcmp(state, "2BP01") == 0 || strcmp(state, "0A000") == 0;
    bool guard = report->detail != NULL && strstr(report->detail, "pgvigil:") != NULL;
    if (!dependency || !guard)
        return NULL;
    return "pgvigil's guards depend on it. Run \"pgvigil deploy --remove\", this statement, and "
           "\"pgvigil deploy\" again; or make the unrestricted login a member of the owner of the "
           "guards: DDL that names what it changes then takes them away and makes them again by "
           "itself.";
}
