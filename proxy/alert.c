/*
 * alert.c: queue, thread and children of the alert program (see alert.h).
 *
 * Attacks kept in mind: a reason is the client's text, so it travels in an environment variable and
 * is never part of a command line; somebody who breaks the glass in a loop, or a program that
 * hangs, fills neither the process table nor the memory.
 */
#include "proxy/alert.h"

#include <errno.h>
#include <fcntl.h>
#include <pgvigil/log.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <time.h>

#define QUEUE_MAX    64
#define RUNNING_MAX  4
#define RUN_SECONDS  60
#define LOOK_SECONDS 1
#define VARIABLES    20

struct alert_job {
    STAILQ_ENTRY(alert_job) link;
    char *variables[VARIABLES + 1];
    size_t count;
};

struct child {
    pid_t pid; /* 0: free */
    time_t begun;
    bool ended;
};

struct alert {
    char *command;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    STAILQ_HEAD(alert_jobs, alert_job) jobs;
    size_t waiting;
    bool stopping;
    struct child children[RUNNING_MAX]; /* the thread's alone */
};

static void job_free(struct alert_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        free(job->variables[i]);
    free(job);
}

static bool add(struct alert_job *job, const char *name, const char *value)
{
    if (value == NULL || job->count == VARIABLES)
        return true;
    size_t size = strlen(name) + strlen(value) + 2;
    char *text = malloc(size);
    if (text == NULL)
        return false;
    snprintf(text, size, "%s=%s", name, value);
    job->variables[job->count++] = text;
    return true;
}

static struct alert_job *job_new(const struct alert_facts *facts)
{
    struct alert_job *job = calloc(1, sizeof *job);
    char session[24];
    char minutes[16];
    snprintf(session, sizeof session, "%lu", (unsigned long)facts->session);
    snprintf(minutes, sizeof minutes, "%u", facts->minutes);
    /* Nothing of pgvigil's own environment: it may hold PGPASSWORD. */
    if (job != NULL && add(job, "PATH", "/usr/local/bin:/usr/bin:/bin") &&
        add(job, "PGVIGIL_EVENT", facts->event) && add(job, "PGVIGIL_SESSION", session) &&
        add(job, "PGVIGIL_PERSON", facts->person) && add(job, "PGVIGIL_LOGIN", facts->login) &&
        add(job, "PGVIGIL_IDENTITY", facts->identity) && add(job, "PGVIGIL_ROLE", facts->role) &&
        add(job, "PGVIGIL_MISSION", facts->mission) &&
        add(job, "PGVIGIL_PURPOSE", facts->purpose) && add(job, "PGVIGIL_REASON", facts->reason) &&
        add(job, "PGVIGIL_PATIENT", facts->patient) &&
        add(job, "PGVIGIL_DATABASE", facts->database) &&
        add(job, "PGVIGIL_ADDRESS", facts->address) &&
        add(job, "PGVIGIL_APPLICATION", facts->application) && add(job, "PGVIGIL_MINUTES", minutes))
        return job;
    if (job != NULL)
        job_free(job);
    return NULL;
}

void alert_post(struct alert *alert, const struct alert_facts *facts)
{
    if (alert == NULL)
        return;
    struct alert_job *job = job_new(facts);
    bool queued = false;
    if (job != NULL) {
        pthread_mutex_lock(&alert->lock);
        queued = alert->waiting < QUEUE_MAX && !alert->stopping;
        if (queued) {
            STAILQ_INSERT_TAIL(&alert->jobs, job, link);
            alert->waiting++;
            pthread_cond_signal(&alert->changed);
        }
        pthread_mutex_unlock(&alert->lock);
    }
    if (queued)
        return;
    log_event(LOG_LEVEL_ERROR, "session=%lu event=alert-dropped why=\"%s\"",
              (unsigned long)facts->session,
              job == NULL ? "out of memory" : "too many alerts are waiting");
    if (job != NULL)
        job_free(job);
}

/* ---- children ---- */

static int spawn(const char *command, char *const *variables, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    char *arguments[] = {(char *)command, NULL};
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* Its own process group: what ends pgvigil from a terminal does not end it. No descriptor of a
     * client's or a server's. */
    int failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (failed == 0)
        failed = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (failed == 0)
        failed = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (failed == 0)
        failed = posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (failed == 0)
        failed = posix_spawnattr_setsigmask(&attributes, &none);
    if (failed == 0)
        failed = posix_spawnattr_setsigdefault(&attributes, &all);
    if (failed == 0)
        failed = posix_spawn(pid, command, &actions, &attributes, arguments, variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static time_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void log_end(const struct child *child, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    if (WIFEXITED(status))
        log_event(LOG_LEVEL_ERROR, "event=alert-failed pid=%d exit=%d", (int)child->pid,
                  WEXITSTATUS(status));
    else
        log_event(LOG_LEVEL_ERROR, "event=alert-failed pid=%d signal=%d why=\"%s\"",
                  (int)child->pid, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                  child->ended ? "it took too long" : "ended by a signal");
}

/* Collects those that have ended; true: there is room for another one. */
static bool look_after(struct alert *alert)
{
    bool room = false;
    for (size_t i = 0; i < RUNNING_MAX; i++) {
        struct child *child = &alert->children[i];
        int status = 0;
        if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid) {
            log_end(child, status);
            memset(child, 0, sizeof *child);
        }
        if (child->pid != 0 && !child->ended && child->begun + RUN_SECONDS < seconds()) {
            child->ended = true;
            kill(child->pid, SIGKILL);
        }
        room = room || child->pid == 0;
    }
    return room;
}

static void run(struct alert *alert, struct alert_job *job)
{
    struct child *child = alert->children;
    while (child->pid != 0)
        child++;
    pid_t pid = 0;
    int failed = spawn(alert->command, job->variables, &pid);
    if (failed != 0) {
        char why[128];
        char quoted[160];
        log_event(LOG_LEVEL_ERROR, "event=alert-failed why=%s",
                  log_quote(strerror_r(failed, why, sizeof why), quoted, sizeof quoted));
        return;
    }
    *child = (struct child){.pid = pid, .begun = seconds()};
}

static bool any_running(const struct alert *alert)
{
    for (size_t i = 0; i < RUNNING_MAX; i++)
        if (alert->children[i].pid != 0)
            return true;
    return false;
}

static void wait_for_change(struct alert *alert)
{
    if (!any_running(alert)) {
        pthread_cond_wait(&alert->changed, &alert->lock);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOOK_SECONDS;
    pthread_cond_timedwait(&alert->changed, &alert->lock, &until);
}

static void *alert_main(void *context)
{
    struct alert *alert = context;
    pthread_mutex_lock(&alert->lock);
    for (;;) {
        pthread_mutex_unlock(&alert->lock);
        bool room = look_after(alert);
        pthread_mutex_lock(&alert->lock);
        struct alert_job *job = room ? STAILQ_FIRST(&alert->jobs) : NULL;
        if (job != NULL) {
            STAILQ_REMOVE_HEAD(&alert->jobs, link);
            alert->waiting--;
            pthread_mutex_unlock(&alert->lock);
            run(alert, job);
            job_free(job);
            pthread_mutex_lock(&alert->lock);
        } else if (alert->stopping) {
            break;
        } else {
            wait_for_change(alert);
        }
    }
    pthread_mutex_unlock(&alert->lock);
    return NULL;
}

enum status alert_start(const char *command, struct alert **out)
{
    struct alert *alert = calloc(1, sizeof *alert);
    if (alert == NULL)
        return ERR_MEMORY;
    alert->command = strdup(command);
    STAILQ_INIT(&alert->jobs);
    pthread_mutex_init(&alert->lock, NULL);
    pthread_cond_init(&alert->changed, NULL);
    if (alert->command == NULL || pthread_create(&alert->thread, NULL, alert_main, alert) != 0) {
        pthread_cond_destroy(&alert->changed);
        pthread_mutex_destroy(&alert->lock);
        free(alert->command);
        free(alert);
        return ERR_MEMORY;
    }
    *out = alert;
    return OK;
}

void alert_stop(struct alert *alert)
{
    if (alert == NULL)
        return;
    pthread_mutex_lock(&alert->lock);
    alert->stopping = true;
    pthread_cond_signal(&alert->changed);
    pthread_mutex_unlock(&alert->lock);
    pthread_join(alert->thread, NULL);
    if (alert->waiting > 0)
        log_event(LOG_LEVEL_ERROR, "event=alert-dropped count=%lu why=\"pgvigil ends\"",
                  (unsigned long)alert->waiting);
    struct alert_job *job;
    while ((job = STAILQ_FIRST(&alert->jobs)) != NULL) {
        STAILQ_REMOVE_HEAD(&alert->jobs, link);
        job_free(job);
    }
    pthread_cond_destroy(&alert->changed);
    pthread_mutex_destroy(&alert->lock);
    free(alert->command);
    free(alert);
}
