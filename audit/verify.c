/*
 * verify.c: is the trail what was written? (see audit.h and verify.h)
 *
 * Chains are judged one after the other; findings are collected, sorted by place, told once per
 * line. A finding is never the reason to stop: only a file that cannot be read is.
 */
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What may be unsigned at the end beyond two intervals: a busy second, a clock set right. */
#define UNSIGNED_SLACK 60
#define INTERVAL_MOST  3600U
#define MESSAGE_MAX    600U

enum status verify_grow(void **array, size_t count, size_t *cap, size_t element)
{
    if (count < *cap)
        return OK;
    size_t wanted = *cap ? *cap * 2 : 64;
    size_t bytes = 0;
    if (__builtin_mul_overflow(wanted, element, &bytes))
        return ERR_LIMIT;
    void *grown = realloc(*array, bytes);
    if (!grown)
        return ERR_MEMORY;
    *array = grown;
    *cap = wanted;
    return OK;
}

static struct finding *new_finding(struct verify *verify, size_t file, uint64_t line)
{
    if (verify_grow((void **)&verify->findings, verify->finding_count, &verify->finding_cap,
                    sizeof *verify->findings) != OK)
        return NULL;
    struct finding *finding = &verify->findings[verify->finding_count++];
    *finding = (struct finding){.file = file, .line = line};
    return finding;
}

enum status verify_find(struct verify *verify, size_t file, uint64_t line, const char *format, ...)
{
    struct finding *finding = new_finding(verify, file, line);
    if (!finding)
        return ERR_MEMORY;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&finding->message, format, args);
    va_end(args);
    if (len < 0) {
        verify->finding_count--;
        return ERR_MEMORY;
    }
    return OK;
}

void verify_note_last(struct verify *verify)
{
    verify->findings[verify->finding_count - 1].note = true;
}

void verify_tell(struct verify *verify, const char *name, uint64_t line, bool note,
                 const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const struct audit_finding out = {.file = name, .line = line, .message = message, .note = note};
    verify->result->findings += note ? 0 : 1;
    if (verify->on_finding)
        verify->on_finding(&out, verify->context);
}

enum status verify_find_missing(struct verify *verify, size_t near, const char *name,
                                uint64_t files)
{
    struct finding *finding = new_finding(verify, near, 0);
    if (!finding)
        return ERR_MEMORY;
    finding->name = strdup(name);
    int len = -1;
    if (files == 1)
        len = asprintf(&finding->message, "missing: this file was removed or emptied");
    else
        len = asprintf(&finding->message,
                       "missing: this file and the %" PRIu64
                       " after it were removed, emptied or archived elsewhere",
                       files - 1);
    if (finding->name && len >= 0)
        return OK;
    free(finding->name);
    if (len >= 0)
        free(finding->message);
    verify->finding_count--;
    return ERR_MEMORY;
}

static int compare_findings(const void *left, const void *right)
{
    const struct finding *a = left;
    const struct finding *b = right;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return a->line < b->line ? -1 : a->line > b->line;
}

static void report(struct verify *verify)
{
    if (verify->finding_count)
        qsort(verify->findings, verify->finding_count, sizeof *verify->findings, compare_findings);
    for (size_t i = 0; i < verify->finding_count; i++) {
        struct finding *finding = &verify->findings[i];
        const struct finding *before = i ? finding - 1 : NULL;
        /* A changed checkpoint is also a bad signature: one line, one finding. */
        if (!before || finding->line == 0 || compare_findings(before, finding) != 0) {
            const struct audit_finding out = {
                .file = finding->name ? finding->name : verify->files[finding->file].name,
                .line = finding->line,
                .message = finding->message,
                .note = finding->note,
            };
            verify->result->findings += finding->note ? 0 : 1;
            if (verify->on_finding)
                verify->on_finding(&out, verify->context);
        }
    }
    for (size_t i = 0; i < verify->finding_count; i++) {
        free(verify->findings[i].message);
        free(verify->findings[i].name);
    }
    verify->finding_count = 0;
}

static bool has_finding(const struct verify *verify, size_t file, uint64_t line)
{
    for (size_t i = 0; i < verify->finding_count; i++) {
        if (verify->findings[i].file == file && verify->findings[i].line == line)
            return true;
    }
    return false;
}

static enum status judge_signatures(struct verify *verify)
{
    enum status status = OK;
    for (size_t i = 0; status == OK && i < verify->bad_count; i++) {
        const struct bad_signature *bad = &verify->bad[i];
        if (has_finding(verify, bad->file, bad->line))
            continue;
        status = verify_find(verify, bad->file, bad->line,
                             "bad signature: this checkpoint does not sign the lines before it: "
                             "some since the last good checkpoint were rewritten (%" PRIu64
                             " checkpoint(s) after it fail too)",
                             bad->more);
    }
    return status;
}

/* What a file says of itself against what it is called. */
static enum status judge_file(struct verify *verify, size_t index)
{
    const struct verify_file *file = &verify->files[index];
    enum status status = OK;
    if (file->duplicate && file->packed && !verify->files[index - 1].packed &&
        file->name_number == verify->files[index - 1].name_number)
        return verify_find(verify, index, 0,
                           "changed: this is not the compressed form of %s, which is here, too",
                           verify->files[index - 1].name);
    if (file->duplicate)
        return verify_find(verify, index, 0,
                           "added: a second file that is number %" PRIu64 " of chain %u",
                           file->number, file->chain);
    if (file->number != file->name_number || file->chain != file->name_chain)
        status = verify_find(verify, index, 0,
                             "swapped: under this name stands file number %" PRIu64 " of chain %u",
                             file->number, file->chain);
    if (status == OK && file->size == 0)
        status = verify_find(verify, index, 0, "truncated: the file is empty");
    if (status == OK && file->unknown_key)
        status = verify_find(verify, index, 1,
                             "unknown key: the file says it is signed with key %s, which is not "
                             "among the public keys given; its signatures were not checked",
                             file->key);
    return status;
}

static int64_t seconds_of(const char *time_text)
{
    struct tm tm = {0};
    const char *end = strptime(time_text, "%Y-%m-%dT%H:%M:%S", &tm);
    return end ? (int64_t)timegm(&tm) : -1;
}

/* A server signs every interval. Lines that go on for longer without a checkpoint were not written
 * by one: someone took the checkpoints away to rewrite what they sign. */
static enum status judge_unsigned(struct verify *verify)
{
    if (!verify->last_time[0] || verify->files[verify->last_file].unknown_key)
        return OK;
    unsigned interval = verify->files[verify->last_file].checkpoint_seconds;
    /* The header may itself be among what was rewritten. */
    if (interval > INTERVAL_MOST)
        interval = INTERVAL_MOST;
    const char *from = verify->checkpoint_time;
    if (!from[0] || interval == 0)
        return OK;
    int64_t unsigned_for = seconds_of(verify->last_time) - seconds_of(from);
    if (unsigned_for <= 2 * (int64_t)interval + UNSIGNED_SLACK)
        return OK;
    return verify_find(verify, verify->last_file, verify->last_line,
                       "unsigned: no checkpoint for %" PRId64 " seconds before this last line",
                       unsigned_for);
}

static void start_chain(struct verify *verify)
{
    verify->run_count = 0;
    verify->bad_count = 0;
    verify->previous_bad = false;
    verify->overflow = false;
    verify->first_time[0] = '\0';
    verify->last_time[0] = '\0';
    verify->checkpoint_time[0] = '\0';
    verify->last_seq = 0;
    verify->run_named = verify->named_count;
    verify->since[0] = '\0';
}

/* That a chain goes on under another key is no finding when the key is known, but an auditor wants
 * to know it. */
static void tell_key(struct verify *verify, size_t index, const char **key)
{
    const struct verify_file *file = &verify->files[index];
    char text[256];
    if (!file->has_header || file->duplicate || file->unknown_key)
        return;
    if (*key && strcmp(*key, file->key) != 0) {
        verify->result->key_changes++;
        (void)snprintf(text, sizeof text, "from here on signed with key %s, before with %s",
                       file->key, *key);
        const struct audit_finding note = {
            .file = file->name, .line = 1, .message = text, .note = true};
        if (verify->on_finding)
            verify->on_finding(&note, verify->context);
    }
    *key = file->key;
}

_Static_assert(AUDIT_TIME == CHAIN_TIME + 1, "times are copied");

/* What the chain tells of the time that the trail is about. Those of readers and purges are no
 * server's. */
static void note_times(struct verify *verify, size_t first)
{
    struct audit_verify_result *result = verify->result;
    if (verify->files[first].chain >= AUDIT_CHAIN_BY_HAND)
        return;
    if (strcmp(verify->last_time, result->last) > 0)
        memcpy(result->last, verify->last_time, sizeof result->last);
    if (strcmp(verify->first_time, result->begins) > 0)
        memcpy(result->begins, verify->first_time, sizeof result->begins);
}

static enum status judge_chain(struct verify *verify, size_t first, size_t end)
{
    enum status status = OK;
    const char *key = NULL;
    start_chain(verify);
    for (size_t i = first; status == OK && i < end; i++) {
        if (verify->files[i].twin)
            continue;
        verify->result->files++;
        tell_key(verify, i, &key);
        status = judge_file(verify, i);
        if (status == OK && !verify->files[i].duplicate)
            status = verify_read_file(verify, i);
    }
    if (status == OK && verify->overflow)
        status = verify_find(verify, first, 0,
                             "changed: the chain is in so many pieces that only the first were "
                             "judged");
    if (status == OK)
        status = verify_judge(verify);
    if (status == OK)
        status = judge_signatures(verify);
    if (status == OK)
        status = judge_unsigned(verify);
    note_times(verify, first);
    report(verify);
    return status == OK ? verify_end_chain(verify, verify->files[first].chain) : status;
}

static enum status judge_all(struct verify *verify)
{
    enum status status = verify_list(verify);
    if (status == OK)
        verify_missing_chains(verify);
    for (size_t first = 0; status == OK && first < verify->file_count;) {
        size_t end = first + 1;
        while (end < verify->file_count && verify->files[end].chain == verify->files[first].chain)
            end++;
        status = judge_chain(verify, first, end);
        first = end;
    }
    if (status == OK)
        verify_judge_beside(verify);
    if (status == OK)
        status = verify_judge_named(verify);
    if (status == OK && verify->on_progress)
        verify->on_progress(verify->bytes_total, verify->bytes_total, verify->context);
    return status;
}

static enum status run(bool copy, const char *directory, const char *public_key_file,
                       audit_finding_fn *on_finding, audit_progress_fn *on_progress, void *context,
                       struct audit_verify_result *result)
{
    struct verify verify = {.directory = directory,
                            .copy = copy,
                            .dir_fd = -1,
                            .on_finding = on_finding,
                            .on_progress = on_progress,
                            .context = context,
                            .result = result};
    memset(result, 0, sizeof *result);
    enum status status = key_ring_load(public_key_file, &verify.ring);
    if (status != OK)
        return status;
    verify.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    verify.hasher = hasher_new();
    status = verify.dir_fd < 0 ? ERR_IO : verify.hasher ? OK : ERR_MEMORY;
    if (status == OK)
        status = judge_all(&verify);
    int error = errno;
    key_ring_free(verify.ring);
    hasher_free(verify.hasher);
    if (verify.dir_fd >= 0)
        (void)close(verify.dir_fd);
    free(verify.files);
    free(verify.runs);
    free(verify.bad);
    free(verify.claims);
    free(verify.named);
    free(verify.ends);
    free(verify.findings);
    errno = error;
    return status;
}

enum status audit_verify(const char *directory, const char *public_key_file,
                         audit_finding_fn *on_finding, audit_progress_fn *on_progress,
                         void *context, struct audit_verify_result *result)
{
    return run(false, directory, public_key_file, on_finding, on_progress, context, result);
}

enum status audit_verify_copy(const char *directory, const char *public_key_file,
                              audit_finding_fn *on_finding, audit_progress_fn *on_progress,
                              void *context, struct audit_verify_result *result)
{
    return run(true, directory, public_key_file, on_finding, on_progress, context, result);
}
