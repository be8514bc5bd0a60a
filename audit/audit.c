/*
 * audit.c: the trail that a worker writes (see audit.h).
 *
 * Two copies of the chain's state stand side by side: `now` counts what is appended, `committed`
 * what is in the file. A failed write throws `now` and the buffer away, so that a record which was
 * never written leaves no hole behind it.
 *
 * Trust boundary: everything in a record may come from a client (encode.c makes it harmless); the
 * disk may be full, the file may be taken away from under us. Whatever happens, ERR_AUDIT means
 * that the records of that flush do not exist.
 */
#include "chain.h"
#include "encode.h"
#include "file.h"
#include "heights.h"
#include "key.h"
#include "record.h"
#include "recover.h"
#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pgvigil/audit.h>
#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PENDING_MAX        ((size_t)64 << 20)
#define PROBE_ROOM         16384U
#define DEFAULT_FILE_BYTES (256ULL * 1024U * 1024U)
#define DEFAULT_CHECKPOINT 60U
#define SECONDS_A_DAY      86400

struct audit {
    struct file file;
    struct key *key;
    struct hasher *hasher;
    struct chain now;
    struct chain committed;
    struct chain written;  /* flushing: `committed` once the disk has it */
    struct buf pending;    /* whole lines after `committed`, or after `written` while flushing */
    struct buf scratch;    /* a header on its way */
    struct syncer *syncer; /* NULL: the loop waits for the disk itself */
    size_t flushing;       /* bytes that are written and not yet synced; 0: none */
    unsigned checkpoint_seconds;
    unsigned chains;               /* of the server; 0: it was not told */
    struct audit_heights *heights; /* borrowed, or NULL */
    struct height *height;         /* this chain's among them; NULL: it has none */
    uint64_t file_bytes;
    uint64_t flushed;
    uint64_t failed;          /* flushes */
    uint64_t refused_records; /* since the last flush that succeeded */
    uint64_t ticked;          /* monotonic second of the last tick */
    uint64_t rotate_after;    /* not before this second, after a rotation that failed */
    int64_t day;              /* UTC, when the file was begun */
    bool daily;               /* a file ends with its day */
    bool used;                /* the file holds more than its header and checkpoints */
    bool misplaced;           /* someone took the file away */
    bool full;                /* the next file is due, and lines stand ready for this one */
    bool healthy;
    uint64_t reserve; /* bytes; 0: none */
    bool spent;       /* the disk is full and has the reserve: nothing new is run */
    bool told;        /* not healthy: a record says so, or that it is over */
};

static _Thread_local char why_text[512];

static const char *error_text(int error, char *out, size_t size)
{
    return strerror_r(error, out, size);
}

/* UTC: a local midnight comes twice, or not at all, when the clocks are put forward or back. */
static int64_t present_day(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec / SECONDS_A_DAY;
}

/* A chain that nobody uses does not make a file each day. */
static bool day_is_over(const struct audit *audit)
{
    return audit->daily && audit->used && present_day() > audit->day;
}

static void append_header(struct audit *audit, struct chain *chain, uint64_t number)
{
    struct buf *out = &audit->scratch;
    buf_clear(out);
    chain_line_begin(chain, out, "header");
    encode_number(out, "format", CHAIN_FORMAT);
    encode_number(out, "chain", audit->file.chain);
    encode_number(out, "file", number);
    if (audit->file.number) {
        char name[FILE_NAME_MAX];
        file_name(audit->file.chain, audit->file.number, name);
        encode_field(out, "previous_file", name);
    }
    encode_field(out, "key", key_fingerprint(audit->key));
    encode_number(out, "checkpoint_seconds", audit->checkpoint_seconds);
    if (audit->chains > 0) /* whoever takes a whole chain away leaves the others' word for it */
        encode_number(out, "chains", audit->chains);
    encode_field(out, "version", PGVIGIL_VERSION);
}

/* What stands in the file now. The other chains' checkpoints may name it from here on, and not
 * before: what they sign must be there, whenever the process ends. */
static void commit(struct audit *audit, const struct chain *chain)
{
    audit->committed = *chain;
    height_set(audit->height, chain->next_seq - 1, chain->prev);
}

/* Starts file `number` with a header. The chain moves on only when the file exists. */
static enum status start_file(struct audit *audit, uint64_t number, bool over)
{
    struct chain chain = audit->committed;
    append_header(audit, &chain, number);
    enum status status = chain_line_end(&chain, audit->hasher, &audit->scratch, 0);
    if (status != OK)
        return status;
    status = file_create(&audit->file, number, audit->scratch.data, buf_len(&audit->scratch), over);
    if (status != OK)
        return status;
    commit(audit, &chain);
    audit->now = chain;
    audit->misplaced = false;
    audit->used = false;
    audit->day = present_day();
    return OK;
}

static void rollback(struct audit *audit)
{
    audit->now = audit->committed;
    buf_clear(&audit->pending);
}

static void write_failed(struct audit *audit)
{
    char text[128];
    uint64_t records = audit->now.next_seq - audit->committed.next_seq;
    audit->failed++;
    audit->refused_records += records;
    if (audit->healthy)
        log_event(LOG_LEVEL_ERROR,
                  "event=audit-failed chain=%u file=%" PRIu64 " records=%" PRIu64 " error=\"%s\"",
                  audit->file.chain, audit->file.number, records,
                  error_text(audit->file.error, text, sizeof text));
    audit->healthy = audit->told = false;
    rollback(audit);
}

static void write_succeeded(struct audit *audit)
{
    if (audit->spent || (!audit->healthy && !audit->told))
        return;
    audit->refused_records = 0;
    if (!audit->healthy)
        log_event(LOG_LEVEL_WARNING, "event=audit-restored chain=%u", audit->file.chain);
    audit->healthy = true;
}

static bool is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

/* False: there is no room for it. What else stands in its way will go on to: it is done without. */
static bool hold_reserve(struct audit *audit)
{
    char text[128];
    if (file_reserve(&audit->file, audit->reserve) == OK)
        return true;
    audit->file.error = errno;
    if (is_full(audit->file.error))
        return false;
    log_event(LOG_LEVEL_ERROR, "event=audit-reserve-failed chain=%u error=\"%s\"",
              audit->file.chain, error_text(audit->file.error, text, sizeof text));
    audit->reserve = 0;
    return true;
}

/* After a write that failed: true when there is room now for what comes. */
static bool spend_reserve(struct audit *audit)
{
    if (!is_full(audit->file.error) || audit->spent || audit->reserve == 0)
        return false;
    log_event(LOG_LEVEL_ERROR, "event=audit-reserve chain=%u file=%" PRIu64 " bytes=%" PRIu64,
              audit->file.chain, audit->file.number, audit->reserve);
    audit->spent = true;
    audit->told = audit->healthy = false;
    return file_release(&audit->file);
}

/* With room for more than the reserve, or its return would fill the disk. */
static void take_reserve(struct audit *audit)
{
    if (file_has_room(&audit->file, audit->reserve + PROBE_ROOM) && hold_reserve(audit))
        audit->spent = audit->told = false;
}

typedef enum status write_fn(struct file *file, const void *bytes, size_t len);

/* What is pending, by one of file.h's two ways. */
static enum status put_pending(struct audit *audit, write_fn *write)
{
    const void *bytes = buf_head(&audit->pending);
    size_t len = buf_len(&audit->pending);
    enum status status = write(&audit->file, bytes, len);
    if (status != OK && spend_reserve(audit))
        status = write(&audit->file, bytes, len);
    if (status == OK)
        return OK;
    write_failed(audit);
    return ERR_AUDIT;
}

static enum status write_pending(struct audit *audit)
{
    if (put_pending(audit, file_write) != OK)
        return ERR_AUDIT;
    commit(audit, &audit->now);
    buf_clear(&audit->pending);
    write_succeeded(audit);
    return OK;
}

static enum status append_checkpoint(struct audit *audit, const char *reason)
{
    struct chain before = audit->now;
    size_t start = audit->pending.tail;
    enum status status =
        chain_checkpoint(&audit->now, audit->hasher, audit->key, audit->file.chain,
                         audit->file.number, reason, audit->heights, &audit->pending);
    if (status == OK)
        return OK;
    audit->now = before;
    audit->pending.tail = start;
    audit->pending.failed = false;
    return ERR_AUDIT;
}

/* Called with nothing pending. Trouble here is not the trouble of what was just written: the old
 * file stays in use and a later flush tries again. */
static void rotate(struct audit *audit)
{
    char text[128];
    uint64_t second = chain_monotonic_seconds();
    if (second < audit->rotate_after)
        return;
    /* Lines that were appended while the disk was at work go on from the last one of this file. */
    audit->full = audit->flushing > 0 || buf_len(&audit->pending) > 0;
    if (audit->full)
        return;
    if (!audit->misplaced && audit->committed.unsigned_lines > 0 &&
        (append_checkpoint(audit, "rotate") != OK || write_pending(audit) != OK)) {
        audit->rotate_after = second + 1;
        return;
    }
    if (start_file(audit, audit->file.number + 1, false) == OK) {
        audit->rotate_after = 0;
        return;
    }
    audit->rotate_after = second + 1;
    log_event(LOG_LEVEL_ERROR, "event=audit-rotate-failed chain=%u file=%" PRIu64 " error=\"%s\"",
              audit->file.chain, audit->file.number + 1,
              error_text(audit->file.error, text, sizeof text));
}

static void flush_succeeded(struct audit *audit)
{
    audit->flushed++;
    if (audit->file.size >= audit->file_bytes || audit->misplaced || day_is_over(audit))
        rotate(audit);
}

enum status audit_sync_apart(struct audit *audit, audit_synced_fn *done, void *context)
{
    if (audit->file.synced)
        audit->syncer = syncer_new(done, context);
    return audit->file.synced && !audit->syncer ? ERR_MEMORY : OK;
}

bool audit_flushing(const struct audit *audit)
{
    return audit->flushing > 0;
}

bool audit_full(const struct audit *audit)
{
    return audit->full;
}

bool audit_flush_ended(struct audit *audit)
{
    return audit->flushing > 0 && syncer_ended(audit->syncer);
}

enum status audit_flush_begin(struct audit *audit)
{
    size_t len = buf_len(&audit->pending);
    if (put_pending(audit, file_write_ahead) != OK)
        return ERR_AUDIT;
    audit->written = audit->now;
    audit->flushing = len;
    buf_clear(&audit->pending);
    syncer_start(audit->syncer, audit->file.fd);
    return OK;
}

enum status audit_flush_end(struct audit *audit)
{
    size_t len = audit->flushing;
    int error = syncer_wait(audit->syncer);
    audit->flushing = 0;
    if (file_stand(&audit->file, len, error) != OK) {
        (void)spend_reserve(audit);
        write_failed(audit);
        return ERR_AUDIT;
    }
    commit(audit, &audit->written);
    write_succeeded(audit);
    flush_succeeded(audit);
    return OK;
}

enum status audit_flush(struct audit *audit)
{
    if (audit->flushing > 0 && audit_flush_end(audit) != OK)
        return ERR_AUDIT;
    if (buf_len(&audit->pending) == 0)
        return OK;
    enum status status = write_pending(audit);
    if (status != OK)
        return status;
    flush_succeeded(audit);
    return OK;
}

/* After refusals the trail itself says that there were some, before anything else; with a reserve,
 * also that there will be some. */
static enum status append_notice(struct audit *audit)
{
    char text[128];
    struct buf *out = &audit->pending;
    if (audit->healthy || audit->told || audit->flushing > 0)
        return OK;
    struct chain before = audit->now;
    size_t start = out->tail;
    chain_line_begin(&audit->now, out, "event");
    encode_field(out, "event", audit->spent ? "audit-reserve" : "audit-restored");
    encode_number(out, "refused_records", audit->refused_records);
    encode_field(out, "error", error_text(audit->file.error, text, sizeof text));
    audit->told = chain_line_end(&audit->now, audit->hasher, out, start) == OK;
    if (audit->told)
        return OK;
    audit->now = before;
    out->tail = start;
    out->failed = false;
    return ERR_AUDIT;
}

struct open_line {
    struct chain before;
    size_t start;
};

static enum status line_begin(struct audit *audit, const char *type, struct open_line *line)
{
    enum status status = append_notice(audit);
    if (status != OK)
        return status;
    line->before = audit->now;
    line->start = audit->pending.tail;
    chain_line_begin(&audit->now, &audit->pending, type);
    return OK;
}

static enum status line_end(struct audit *audit, const struct open_line *line)
{
    /* A file that nobody used until now is this day's. */
    if (!audit->used)
        audit->day = present_day();
    audit->used = true;
    if (chain_line_end(&audit->now, audit->hasher, &audit->pending, line->start) == OK)
        return OK;
    audit->now = line->before;
    audit->pending.tail = line->start;
    audit->pending.failed = false;
    return ERR_AUDIT;
}

enum status audit_event(struct audit *audit, const char *event, const struct audit_session *session,
                        const char *detail)
{
    struct open_line line;
    enum status status = line_begin(audit, "event", &line);
    if (status != OK)
        return status;
    encode_field(&audit->pending, "event", event);
    record_session(&audit->pending, session);
    encode_field(&audit->pending, "detail", detail);
    return line_end(audit, &line);
}

enum status audit_whole(struct audit *audit, const struct audit_session *session,
                        const struct audit_statement *statement,
                        const struct audit_outcome *outcome)
{
    struct open_line line;
    enum status status = line_begin(audit, "whole", &line);
    if (status != OK)
        return status;
    record_session(&audit->pending, session);
    record_statement(&audit->pending, statement);
    record_outcome(&audit->pending, outcome);
    return line_end(audit, &line);
}

enum status audit_begin(struct audit *audit, const struct audit_session *session,
                        const struct audit_statement *statement, uint64_t *id)
{
    struct open_line line;
    enum status status = audit->spent ? ERR_AUDIT : line_begin(audit, "begin", &line);
    if (status != OK)
        return status;
    *id = audit->now.next_seq;
    record_session(&audit->pending, session);
    record_statement(&audit->pending, statement);
    return line_end(audit, &line);
}

enum status audit_more(struct audit *audit, const struct audit_session *session, uint64_t id,
                       uint64_t rows, uint64_t bytes, const struct audit_patients *patients)
{
    struct open_line line;
    enum status status = line_begin(audit, "more", &line);
    if (status != OK)
        return status;
    record_reference(&audit->pending, session, id);
    encode_number(&audit->pending, "rows", rows);
    encode_number(&audit->pending, "bytes", bytes);
    record_patients(&audit->pending, patients);
    return line_end(audit, &line);
}

enum status audit_end(struct audit *audit, const struct audit_session *session, uint64_t id,
                      const struct audit_outcome *outcome)
{
    struct open_line line;
    enum status status = line_begin(audit, "end", &line);
    if (status != OK)
        return status;
    record_reference(&audit->pending, session, id);
    record_outcome(&audit->pending, outcome);
    return line_end(audit, &line);
}

bool audit_pending(const struct audit *audit)
{
    return buf_len(&audit->pending) > 0;
}

uint64_t audit_flushed(const struct audit *audit)
{
    return audit->flushed;
}

uint64_t audit_failed(const struct audit *audit)
{
    return audit->failed;
}

bool audit_healthy(const struct audit *audit)
{
    return audit->healthy;
}

enum status audit_tick(struct audit *audit)
{
    uint64_t second = chain_monotonic_seconds();
    bool others = audit_pending(audit);
    if (second != audit->ticked && !file_in_place(&audit->file)) {
        if (!audit->misplaced)
            log_event(LOG_LEVEL_ERROR, "event=audit-file-gone chain=%u file=%" PRIu64,
                      audit->file.chain, audit->file.number);
        audit->misplaced = true;
        if (!others)
            rotate(audit);
    }
    audit->ticked = second;
    if (audit->spent)
        take_reserve(audit);
    if (!others && audit->flushing == 0 && audit->healthy && day_is_over(audit))
        rotate(audit);
    /* With nothing to write, the notice is the probe that finds the disk writable again: but not
     * when there is room for nothing else, or the notices would eat it up. */
    others = others || audit->flushing > 0;
    if (!audit->healthy && !others && !file_has_room(&audit->file, PROBE_ROOM))
        return ERR_AUDIT;
    if (append_notice(audit) != OK)
        return ERR_AUDIT;
    if (audit->now.unsigned_lines > 0 &&
        second - audit->now.unsigned_since >= audit->checkpoint_seconds &&
        append_checkpoint(audit, "interval") != OK)
        return ERR_AUDIT;
    /* What others appended is flushed by those who wait for it. */
    return others ? OK : audit_flush(audit);
}

/* Reads DIRECTORY/public.pem whole into `out`; an absent file is an empty one. */
static enum status read_public(int dir_fd, struct buf *out)
{
    int fd = openat(dir_fd, "public.pem", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : ERR_IO;
    ssize_t got = 0;
    do {
        unsigned char *place = buf_reserve(out, 4096);
        got = place ? read(fd, place, 4096) : -1;
        if (got > 0)
            buf_commit(out, (size_t)got);
    } while (got > 0);
    (void)close(fd);
    return got == 0 ? OK : ERR_IO;
}

static enum status write_public(int dir_fd, const struct buf *text)
{
    static const char temporary[] = "public.pem.new";
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                    S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
    if (fd < 0)
        return ERR_IO;
    bool written = write(fd, buf_head(text), buf_len(text)) == (ssize_t)buf_len(text) &&
                   fsync(fd) == 0 && renameat(dir_fd, temporary, dir_fd, "public.pem") == 0;
    int error = errno;
    (void)close(fd);
    if (!written)
        (void)unlinkat(dir_fd, temporary, 0);
    errno = error;
    return written ? OK : ERR_IO;
}

/* Puts our public key into DIRECTORY/public.pem if it is not there: a new key stands behind the
 * older ones, whose files stay verifiable. Workers that start together take turns by the
 * directory's lock. */
static enum status publish_key(struct audit *audit)
{
    struct buf text;
    struct buf pem;
    buf_init(&text, (size_t)1 << 20);
    buf_init(&pem, 4096);
    int dir_fd = audit->file.dir_fd;
    enum status status = key_public_pem(audit->key, &pem);
    if (status == OK && flock(dir_fd, LOCK_EX) != 0)
        status = ERR_IO;
    if (status == OK)
        status = read_public(dir_fd, &text);
    if (status == OK && (buf_len(&text) == 0 ||
                         !memmem(buf_head(&text), buf_len(&text), buf_head(&pem), buf_len(&pem)))) {
        if (buf_len(&text) > 0)
            log_event(LOG_LEVEL_WARNING, "event=audit-key-added key=%s",
                      key_fingerprint(audit->key));
        buf_append(&text, buf_head(&pem), buf_len(&pem));
        status = text.failed ? ERR_MEMORY : write_public(dir_fd, &text);
    }
    (void)flock(dir_fd, LOCK_UN);
    buf_free(&text);
    buf_free(&pem);
    return status;
}

static enum status append_recovery(struct audit *audit, const struct recovered *found)
{
    struct open_line line;
    enum status status = line_begin(audit, "recovery", &line);
    if (status != OK)
        return status;
    char name[FILE_NAME_MAX];
    bool in_file = found->cut_bytes > 0;
    file_name(audit->file.chain, in_file ? found->number : found->empty, name);
    encode_field(&audit->pending, "file", name);
    encode_number(&audit->pending, "cut_bytes", in_file ? found->cut_bytes : found->empty_bytes);
    if (in_file)
        encode_field(&audit->pending, "cut_sha256", found->cut_hash);
    encode_field(&audit->pending, "detail", "bytes after the last whole line were cut off");
    return line_end(audit, &line);
}

/* The first record under another key says so: whoever holds the old public key only can tell from
 * what stands before it that the trail went on, and since when. */
static enum status append_key_changed(struct audit *audit, const struct recovered *found)
{
    struct open_line line;
    enum status status = line_begin(audit, "event", &line);
    if (status != OK)
        return status;
    encode_field(&audit->pending, "event", "key-changed");
    encode_field(&audit->pending, "previous_key", found->key);
    encode_field(&audit->pending, "key", key_fingerprint(audit->key));
    encode_field(&audit->pending, "detail",
                 "from here on the checkpoints are signed with this key");
    status = line_end(audit, &line);
    return status == OK ? write_pending(audit) : status;
}

/* Of a chain that has lines: the file to go on in. */
static enum status resume_file(struct audit *audit, const struct recovered *found)
{
    enum status status = OK;
    if (found->packed)
        audit->file.number = found->number;
    else
        status = file_resume(&audit->file, found->number, found->size);
    audit->file.dirty_tail = found->cut_bytes > 0;
    if (status == OK && found->cut_bytes > 0) {
        status = append_recovery(audit, found);
        if (status == OK)
            status = write_pending(audit);
    }
    if (status != OK)
        return status;
    if (found->empty)
        return start_file(audit, found->empty, true);
    if (!found->same_key || found->packed || found->size >= audit->file_bytes || day_is_over(audit))
        return start_file(audit, found->number + 1, false);
    return OK;
}

/* The day a file was begun; one that does not say was begun today. */
static int64_t day_of(const char *time_text)
{
    struct tm tm = {0};
    return strptime(time_text, "%Y-%m-%d", &tm) ? (int64_t)timegm(&tm) / SECONDS_A_DAY
                                                : present_day();
}

/* What the last process left unsigned. At once: one that is killed again and again within the
 * interval would leave ever more of it. */
static void sign_the_rest(struct audit *audit)
{
    if (audit->now.unsigned_lines > 0 && append_checkpoint(audit, "resume") == OK)
        (void)write_pending(audit);
}

/* Goes on where the last process left off, or starts the chain. */
static enum status resume(struct audit *audit)
{
    struct recovered found;
    enum status status = recover_chain(audit->file.dir_fd, audit->file.chain,
                                       key_fingerprint(audit->key), audit->hasher, &found);
    if (status != OK)
        return status;
    audit->now = found.chain;
    if (found.number == 0) {
        audit->committed = audit->now;
        return start_file(audit, found.empty ? found.empty : 1, found.empty > 0);
    }
    audit->now.unsigned_since = chain_monotonic_seconds();
    commit(audit, &audit->now);
    audit->used = true;
    audit->day = day_of(found.opened);
    status = resume_file(audit, &found);
    if (status == OK && !found.same_key && found.key[0])
        status = append_key_changed(audit, &found);
    if (status == OK && found.empty && found.empty_bytes > 0 && found.cut_bytes == 0) {
        status = append_recovery(audit, &found);
        if (status == OK)
            status = write_pending(audit);
    }
    if (status == OK)
        sign_the_rest(audit);
    return status;
}

static enum status open_parts(struct audit *audit, const struct audit_options *options,
                              unsigned chain, const char **step)
{
    *step = "cannot read an Ed25519 private key (PEM, without pass phrase) from";
    enum status status = key_load(options->key_file, &audit->key);
    if (status != OK)
        return status;
    *step = "cannot open, or another process writes this chain in";
    status = file_open_directory(&audit->file, options->directory, chain);
    if (status != OK)
        return status;
    *step = "cannot put the public key into";
    status = publish_key(audit);
    if (status != OK)
        return status;
    *step = "cannot continue the chain in";
    status = resume(audit);
    if (status == OK && audit->reserve > 0 && !audit->spent && !hold_reserve(audit))
        (void)spend_reserve(audit);
    return status;
}

enum status audit_open(const struct audit_options *options, unsigned chain, struct audit **audit,
                       const char **why)
{
    char text[128];
    const char *step = "out of memory for";
    struct audit *fresh = calloc(1, sizeof *fresh);
    enum status status = ERR_MEMORY;
    if (!fresh)
        goto fail;
    file_init(&fresh->file);
    fresh->file.synced = options->durability == AUDIT_SYNCED;
    fresh->chains = options->chains;
    fresh->heights = options->heights;
    fresh->height = heights_place(options->heights, chain);
    fresh->checkpoint_seconds =
        options->checkpoint_seconds ? options->checkpoint_seconds : DEFAULT_CHECKPOINT;
    fresh->daily = options->daily;
    fresh->file_bytes = options->file_bytes ? options->file_bytes : DEFAULT_FILE_BYTES;
    fresh->healthy = true;
    fresh->reserve = options->reserve_bytes;
    buf_init(&fresh->pending, PENDING_MAX);
    buf_init(&fresh->scratch, 0);
    fresh->hasher = hasher_new();
    if (!fresh->hasher)
        goto fail;
    errno = 0;
    status = open_parts(fresh, options, chain, &step);
    if (status != OK)
        goto fail;
    *audit = fresh;
    *why = NULL;
    return OK;
fail:;
    int error = fresh && fresh->file.error ? fresh->file.error : errno;
    (void)snprintf(why_text, sizeof why_text, "audit chain %u: %s %s: %s%s%s", chain, step,
                   fresh && !fresh->key ? options->key_file : options->directory,
                   status_name(status), error ? ": " : "",
                   error ? error_text(error, text, sizeof text) : "");
    *why = why_text;
    if (fresh) {
        /* Nothing is written on this way out: what could not be recovered stays as it is. */
        file_close(&fresh->file);
        audit_close(fresh);
    }
    return status == ERR_AUDIT ? ERR_IO : status;
}

void audit_close(struct audit *audit)
{
    if (!audit)
        return;
    if (audit->file.fd >= 0) {
        bool written = audit_flush(audit) == OK;
        if (written && audit->committed.unsigned_lines > 0 &&
            append_checkpoint(audit, "close") == OK)
            written = write_pending(audit) == OK;
        if (!written)
            log_event(LOG_LEVEL_ERROR, "event=audit-close-failed chain=%u", audit->file.chain);
    }
    syncer_free(audit->syncer);
    file_close(&audit->file);
    key_free(audit->key);
    hasher_free(audit->hasher);
    buf_free(&audit->pending);
    buf_free(&audit->scratch);
    free(audit);
}
