/*
 * purge.c: records that are not wanted any longer (see audit.h and purge.h).
 *
 * Closed files one after the other, each replaced by one rename: wherever the process ends, a file
 * is the old one or the new one, and the next run does the rest. What is about to be done is on
 * record before the first file changes, and what was done behind the last.
 */
#include "purge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_SECONDS 10U /* for another command that writes there */

static _Thread_local char why_text[512];

struct purge {
    const struct audit_options *options;
    struct closed closed;
    struct purge_terms terms;
    char why[1400];
    struct key *key;
    struct key_ring *ring;
    bool apply;
    audit_purge_fn *on_file;
    void *context;
    struct audit_purge_result *result;
};

/* Midnight, UTC: the same all day long, whenever it is asked. */
static void midnight(const struct tm *day, char out[CHAIN_TIME + 1])
{
    (void)strftime(out, CHAIN_TIME + 1, "%Y-%m-%dT00:00:00.000000Z", day);
}

static void set_limits(struct purge *purge)
{
    const struct audit_retention *retention = &purge->options->retention;
    struct timespec now = {0};
    struct tm tm = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (retention->technical_days > 0) {
        time_t at = now.tv_sec - (time_t)retention->technical_days * 86400;
        (void)gmtime_r(&at, &tm);
        midnight(&tm, purge->terms.technical);
    }
    if (retention->care_years > 0) {
        (void)gmtime_r(&now.tv_sec, &tm);
        tm.tm_year -= (int)retention->care_years;
        (void)timegm(&tm); /* 29 February of no leap year is 1 March */
        midnight(&tm, purge->terms.care);
    }
    int len = snprintf(purge->why, sizeof purge->why,
                       "technical records from before %.10s (%u days%s%s)", purge->terms.technical,
                       retention->technical_days, retention->justification ? ": " : "",
                       retention->justification ? retention->justification : "");
    if (retention->care_years > 0 && len > 0 && (size_t)len < sizeof purge->why)
        (void)snprintf(purge->why + len, sizeof purge->why - (size_t)len,
                       ", records of care from before %.10s (%u years)", purge->terms.care,
                       retention->care_years);
    purge->terms.why = purge->why;
}

static enum status open_parts(struct purge *purge, const char **step)
{
    const struct audit_options *options = purge->options;
    *step = "audit.retention says that nothing is to be purged";
    if (options->retention.technical_days == 0 && options->retention.care_years == 0)
        return ERR_INVALID;
    *step = "cannot be opened";
    enum status status = closed_open(options->directory, &purge->closed);
    if (status == DENIED)
        *step = "another process compresses or purges here";
    if (status != OK)
        return status;
    *step = "the private key cannot be read";
    status = key_load(options->key_file, &purge->key);
    if (status != OK)
        return status;
    *step = "out of memory";
    purge->terms.hasher = hasher_new();
    *step = "its public.pem cannot be read";
    return purge->terms.hasher ? OK : ERR_MEMORY;
}

/* The keys that signed what is there. */
static enum status load_ring(struct purge *purge)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/public.pem", purge->options->directory);
    if (len < 0 || (size_t)len >= sizeof path)
        return ERR_LIMIT;
    key_ring_free(purge->ring);
    purge->ring = NULL;
    enum status status = key_ring_load(path, &purge->ring);
    purge->terms.ring = purge->ring;
    return status;
}

static void name_of(const struct closed_file *file, char out[FILE_NAME_MAX])
{
    if (file->packed)
        file_name_packed(file->chain, file->number, out);
    else
        file_name(file->chain, file->number, out);
}

/* The file behind it, in the form that is there. */
static void next_of(const struct purge *purge, const struct closed_file *file,
                    char out[FILE_NAME_MAX])
{
    file_name_packed(file->chain, file->number + 1, out);
    if (faccessat(purge->closed.dir_fd, out, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        file_name(file->chain, file->number + 1, out);
}

/* Of a file that is there in both forms one goes, or the purged records would stay in it. */
static enum status settle(struct purge *purge, struct closed_file *file,
                          struct audit_purge_file *told)
{
    char plain[FILE_NAME_MAX];
    char packed[FILE_NAME_MAX];
    uint64_t bytes = 0;
    if (!file->plain || !file->packed)
        return OK;
    file_name(file->chain, file->number, plain);
    file_name_packed(file->chain, file->number, packed);
    enum status status = closed_compare(purge->closed.dir_fd, plain, packed, &bytes);
    if (status == DENIED) {
        told->refused = "is there in two forms that are not the same: see what verify says";
        return OK;
    }
    if (status == OK && purge->apply)
        status = closed_remove(&purge->closed, plain);
    return status;
}

static uint64_t size_of(const struct purge *purge, const char *name)
{
    struct stat st;
    bool known = fstatat(purge->closed.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return known ? (uint64_t)st.st_size : 0;
}

static enum status purge_one(struct purge *purge, struct closed_file *file, bool apply)
{
    char name[FILE_NAME_MAX];
    char next[FILE_NAME_MAX];
    struct audit_purge_file told = {.name = name};
    struct audit_purge_result *result = purge->result;
    name_of(file, name);
    next_of(purge, file, next);
    enum status status = settle(purge, file, &told);
    if (status == OK && !told.refused)
        status = purge_look(&purge->closed, &purge->terms, next, &told);
    if (status != OK)
        return status;
    if (!told.refused && told.technical + told.care == 0)
        return OK;
    uint64_t bytes = size_of(purge, name);
    if (!told.refused && apply)
        status = purge_write(&purge->closed, &purge->terms, file, next, &told);
    if (status != OK)
        return status;
    if (purge->on_file)
        purge->on_file(&told, purge->context);
    if (told.refused) {
        result->refused++;
        return OK;
    }
    result->files++;
    result->technical += told.technical;
    result->care += told.care;
    result->bytes += bytes;
    result->bytes_left += size_of(purge, name);
    return OK;
}

static enum status purge_all(struct purge *purge, bool apply)
{
    enum status status = OK;
    memset(purge->result, 0, sizeof *purge->result);
    for (size_t i = 0; status == OK && i < purge->closed.count; i++)
        status = purge_one(purge, &purge->closed.files[i], apply);
    return status;
}

static enum status record(const struct purge *purge, const char *event, const char **why)
{
    char detail[2048];
    const struct audit_purge_result *result = purge->result;
    const struct audit_session session = {.person = purge->terms.who};
    (void)snprintf(detail, sizeof detail,
                   "%" PRIu64 " technical and %" PRIu64 " care record(s) of %" PRIu64
                   " file(s), %" PRIu64 " file(s) left alone: %s",
                   result->technical, result->care, result->files, result->refused, purge->why);
    return audit_by_hand(purge->options, AUDIT_CHAIN_BY_HAND, WAIT_SECONDS, event, &session, detail,
                         why);
}

static enum status run(struct purge *purge, const char **why)
{
    audit_purge_fn *told = purge->on_file;
    bool apply = purge->apply;
    purge->apply = false;
    if (apply)
        purge->on_file = NULL;
    enum status status = purge_all(purge, false);
    purge->apply = apply;
    purge->on_file = told;
    if (status != OK || !apply || purge->result->files == 0)
        return status;
    status = record(purge, "purge-begin", why);
    /* With that our own key is among them, if it was not. */
    if (status == OK)
        status = load_ring(purge);
    if (status == OK)
        status = purge_all(purge, true);
    if (status == OK)
        status = record(purge, "purge-end", why);
    return status;
}

enum status audit_purge(const struct audit_options *options, bool apply, const char *who,
                        audit_purge_fn *on_file, void *context, struct audit_purge_result *result,
                        const char **why)
{
    struct purge purge = {.options = options,
                          .closed = {.dir_fd = -1, .lock_fd = -1},
                          .apply = apply,
                          .on_file = on_file,
                          .context = context,
                          .result = result};
    const char *step = NULL;
    char text[128];
    memset(result, 0, sizeof *result);
    *why = NULL;
    errno = 0;
    enum status status = open_parts(&purge, &step);
    if (status == OK)
        status = load_ring(&purge);
    if (status == OK) {
        set_limits(&purge);
        purge.terms.who = who;
        purge.terms.key = purge.key;
        step = "a file cannot be read or written";
        status = run(&purge, why);
    }
    if (status != OK && !*why) {
        (void)snprintf(why_text, sizeof why_text, "%s: %s: %s", options->directory, step,
                       errno ? strerror_r(errno, text, sizeof text) : status_name(status));
        *why = why_text;
    }
    key_free(purge.key);
    key_ring_free(purge.ring);
    hasher_free(purge.terms.hasher);
    closed_close(&purge.closed);
    return status;
}
