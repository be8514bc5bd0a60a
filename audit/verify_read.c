/*
 * verify_read.c: the files of a trail and their lines (see verify.h).
 *
 * Trust boundary: every byte may be a forger's. Lines are bounded, names are ours or ignored, links
 * are not followed, and a header is believed only while the line after it vouches for it.
 */
#include "verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES     ((size_t)16 << 20)
#define READ_BYTES         ((size_t)128 << 10)
#define PROGRESS_BYTES     ((size_t)4 << 20)
#define RUNS_MAX           200000U
#define PARTIAL_TRIES      3U
#define COPIES_LOOKED_BACK 16U

/* Reads lines from a file; the line stays valid until the next call. */
struct reader {
    int fd;
    char *bytes; /* owned */
    size_t cap;
    size_t head;
    size_t tail;
    bool ended;
    bool skipping; /* inside a line that is longer than any of ours */
};

enum line_kind { LINE_NONE, LINE_WHOLE, LINE_PARTIAL, LINE_TOO_LONG };

static enum status reader_open(struct reader *reader, int dir_fd, const char *name)
{
    memset(reader, 0, sizeof *reader);
    reader->fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (reader->fd < 0)
        return ERR_IO;
    reader->cap = READ_BYTES;
    reader->bytes = malloc(reader->cap);
    if (!reader->bytes) {
        (void)close(reader->fd);
        return ERR_MEMORY;
    }
    return OK;
}

static void reader_close(struct reader *reader)
{
    free(reader->bytes);
    (void)close(reader->fd);
}

static enum status reader_fill(struct reader *reader)
{
    if (reader->head > 0) {
        memmove(reader->bytes, reader->bytes + reader->head, reader->tail - reader->head);
        reader->tail -= reader->head;
        reader->head = 0;
    }
    if (reader->tail == reader->cap) {
        char *grown = realloc(reader->bytes, reader->cap * 2);
        if (!grown)
            return ERR_MEMORY;
        reader->bytes = grown;
        reader->cap *= 2;
    }
    ssize_t got = 0;
    do {
        got = read(reader->fd, reader->bytes + reader->tail, reader->cap - reader->tail);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return ERR_IO;
    reader->ended = got == 0;
    reader->tail += (size_t)got;
    return OK;
}

static enum status reader_line(struct reader *reader, const char **line, size_t *len,
                               enum line_kind *kind)
{
    size_t searched = 0;
    for (;;) {
        size_t have = reader->tail - reader->head;
        const char *start = reader->bytes + reader->head;
        const char *newline =
            have > searched ? memchr(start + searched, '\n', have - searched) : NULL;
        if (newline || reader->ended) {
            *line = start;
            *len = newline ? (size_t)(newline - start) + 1 : have;
            *kind = newline ? LINE_WHOLE : have ? LINE_PARTIAL : LINE_NONE;
            if (reader->skipping)
                *kind = LINE_TOO_LONG;
            reader->skipping = false;
            reader->head += *len;
            return OK;
        }
        searched = have;
        if (have > LINE_MAX_BYTES) {
            reader->skipping = true;
            reader->head = reader->tail;
            searched = 0;
        }
        enum status status = reader_fill(reader);
        if (status != OK)
            return status;
    }
}

static void take_header(const char *line, size_t len, struct verify_file *file)
{
    struct chain_line parsed;
    if (!chain_line_parse(line, len, &parsed) || strcmp(parsed.type, "header") != 0)
        return;
    json_t *header = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    json_int_t chain = -1;
    json_int_t number = 0;
    json_int_t seconds = 0;
    json_int_t format = 0;
    const char *key = NULL;
    file->has_header =
        header &&
        json_unpack(header, "{s:I, s:I, s:I, s:I, s:s}", "chain", &chain, "file", &number,
                    "checkpoint_seconds", &seconds, "format", &format, "key", &key) == 0 &&
        format == CHAIN_FORMAT && chain >= 0 && chain <= (json_int_t)UINT32_MAX && number > 0 &&
        seconds > 0 && seconds <= (json_int_t)UINT32_MAX && strlen(key) < KEY_FINGERPRINT;
    if (file->has_header) {
        file->header_chain = (unsigned)chain;
        file->header_number = (uint64_t)number;
        file->checkpoint_seconds = (unsigned)seconds;
        memcpy(file->key, key, strlen(key) + 1);
    }
    json_decref(header);
}

/* Reads the first two lines: what the file says it is, and whether that was changed. */
static enum status read_header(struct verify *verify, struct verify_file *file)
{
    struct reader reader;
    const char *line = NULL;
    size_t len = 0;
    enum line_kind kind = LINE_NONE;
    char hash[CHAIN_HASH_HEX + 1] = "";
    enum status status = reader_open(&reader, verify->dir_fd, file->name);
    if (status != OK)
        return status;
    status = reader_line(&reader, &line, &len, &kind);
    if (status == OK && kind == LINE_WHOLE) {
        take_header(line, len, file);
        status = hasher_line(verify->hasher, line, len, hash);
    }
    if (status == OK && file->has_header)
        status = reader_line(&reader, &line, &len, &kind);
    bool has_second = status == OK && file->has_header && kind == LINE_WHOLE;
    if (has_second) {
        struct chain_line second;
        file->header_linked =
            chain_line_parse(line, len, &second) && strcmp(second.prev, hash) == 0;
    }
    file->chain = file->name_chain;
    file->number = file->name_number;
    if (file->header_linked) {
        file->chain = file->header_chain;
        file->number = file->header_number;
    }
    /* A key that the next line does not vouch for is a change like any other, and must not be a way
     * to leave the file's signatures unchecked. */
    file->unknown_key = file->has_header && (file->header_linked || !has_second) &&
                        !key_ring_holds(verify->ring, file->key);
    reader_close(&reader);
    return status;
}

static int compare_files(const void *left, const void *right)
{
    const struct verify_file *a = left;
    const struct verify_file *b = right;
    if (a->chain != b->chain)
        return a->chain < b->chain ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    /* Of two with one number the rightly named one is the file, the other a copy. */
    bool a_named = a->name_number == a->number && a->name_chain == a->chain;
    bool b_named = b->name_number == b->number && b->name_chain == b->chain;
    if (a_named != b_named)
        return a_named ? -1 : 1;
    return strcmp(a->name, b->name);
}

static enum status add_file(struct verify *verify, const char *name)
{
    struct verify_file file = {0};
    struct stat st;
    if (!file_name_parse(name, &file.name_chain, &file.name_number))
        return OK;
    memcpy(file.name, name, strlen(name) + 1);
    if (fstatat(verify->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return ERR_IO;
    file.size = (uint64_t)st.st_size;
    verify->bytes_total += file.size;
    enum status status = read_header(verify, &file);
    if (status == OK)
        status = verify_grow((void **)&verify->files, verify->file_count, &verify->file_cap,
                             sizeof *verify->files);
    if (status == OK)
        verify->files[verify->file_count++] = file;
    return status;
}

enum status verify_list(struct verify *verify)
{
    int fd = openat(verify->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            (void)close(fd);
        return ERR_IO;
    }
    enum status status = OK;
    const struct dirent *entry = NULL;
    errno = 0;
    /* One thread reads this DIR. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (status == OK && (entry = readdir(dir)) != NULL) {
        status = add_file(verify, entry->d_name);
        if (status == OK)
            errno = 0;
    }
    if (status == OK && errno)
        status = ERR_IO;
    int error = errno;
    (void)closedir(dir);
    errno = error;
    if (status != OK || verify->file_count == 0)
        return status;
    qsort(verify->files, verify->file_count, sizeof *verify->files, compare_files);
    for (size_t i = 1; i < verify->file_count; i++) {
        struct verify_file *file = &verify->files[i];
        const struct verify_file *other = &verify->files[i - 1];
        file->duplicate = file->chain == other->chain && file->number == other->number;
    }
    return OK;
}

static enum status check_signature(struct verify *verify, size_t index, uint64_t number,
                                   const char *line, size_t len, const char *time)
{
    verify->result->checkpoints++;
    if (chain_checkpoint_verify(line, len, verify->ring)) {
        verify->previous_bad = false;
        memcpy(verify->checkpoint_time, time, sizeof verify->checkpoint_time);
        return OK;
    }
    if (verify->files[index].unknown_key)
        return OK;
    if (verify->previous_bad && verify->bad_count > 0) {
        verify->bad[verify->bad_count - 1].more++;
        return OK;
    }
    verify->previous_bad = true;
    enum status status = verify_grow((void **)&verify->bad, verify->bad_count, &verify->bad_cap,
                                     sizeof *verify->bad);
    if (status == OK)
        verify->bad[verify->bad_count++] =
            (struct bad_signature){.file = index, .line = number, .more = 0};
    return status;
}

static enum status add_run(struct verify *verify, const struct run *run)
{
    if (verify->run_count >= RUNS_MAX) {
        verify->overflow = true;
        return OK;
    }
    enum status status = verify_grow((void **)&verify->runs, verify->run_count, &verify->run_cap,
                                     sizeof *verify->runs);
    if (status == OK)
        verify->runs[verify->run_count++] = *run;
    return status;
}

/* How many records are in the bytes: a line end taken away makes one line of two. Inside a value
 * the quotes are escaped, so this cannot stand there. */
static uint64_t count_records(const char *line, size_t len)
{
    static const char opening[] = "{\"seq\":";
    uint64_t count = 0;
    const char *end = line + len;
    while (line < end &&
           (line = memmem(line, (size_t)(end - line), opening, sizeof opening - 1)) != NULL) {
        count++;
        line += sizeof opening - 1;
    }
    return count;
}

/* A block that was copied in ends with the line that an earlier run ends with, and what follows
 * links to both. It must not become one run with the copy, or the original would be the stray. */
static bool ends_like_earlier(const struct verify *verify, const struct run *run, size_t earlier)
{
    for (size_t i = verify->runs ? earlier : 0; i > 0 && earlier - i < COPIES_LOOKED_BACK; i--) {
        const struct run *other = &verify->runs[i - 1];
        if (other->last_seq == run->last_seq && strcmp(other->hash, run->hash) == 0)
            return true;
    }
    return false;
}

static enum status add_line(struct verify *verify, size_t index, uint64_t number, const char *line,
                            size_t len, enum line_kind kind)
{
    struct chain_line parsed = {0};
    struct run fresh = {
        .file = index, .line = number, .last_file = index, .last_line = number, .lines = 1};
    verify->result->records++;
    fresh.partial = kind == LINE_PARTIAL;
    uint64_t records = count_records(line, len);
    fresh.parsed = kind == LINE_WHOLE && records == 1 && chain_line_parse(line, len, &parsed);
    if (!fresh.parsed) {
        fresh.lines = records ? records : 1;
        return add_run(verify, &fresh);
    }
    enum status status = hasher_line(verify->hasher, line, len, fresh.hash);
    if (status == OK && strcmp(parsed.type, "checkpoint") == 0)
        status = check_signature(verify, index, number, line, len - 1, parsed.time);
    if (status != OK)
        return status;
    memcpy(verify->last_time, parsed.time, sizeof verify->last_time);
    /* A chain without any good checkpoint is unsigned from its first line on. */
    if (!verify->checkpoint_time[0])
        memcpy(verify->checkpoint_time, parsed.time, sizeof verify->checkpoint_time);
    verify->last_file = index;
    verify->last_line = number;
    struct run *run = verify->run_count ? &verify->runs[verify->run_count - 1] : NULL;
    if (run && run->parsed && !run->sealed && !verify->overflow &&
        parsed.seq == run->last_seq + 1 && strcmp(parsed.prev, run->hash) == 0) {
        run->last_seq = parsed.seq;
        run->last_file = index;
        run->last_line = number;
        run->lines++;
        memcpy(run->hash, fresh.hash, sizeof run->hash);
        run->sealed = ends_like_earlier(verify, run, verify->run_count - 1);
        return OK;
    }
    fresh.first_seq = parsed.seq;
    fresh.last_seq = parsed.seq;
    fresh.header = number == 1 && strcmp(parsed.type, "header") == 0;
    memcpy(fresh.prev, parsed.prev, sizeof fresh.prev);
    fresh.sealed = ends_like_earlier(verify, &fresh, verify->run_count);
    return add_run(verify, &fresh);
}

enum status verify_read_file(struct verify *verify, size_t index)
{
    struct reader reader;
    enum status status = reader_open(&reader, verify->dir_fd, verify->files[index].name);
    if (status != OK)
        return status;
    uint64_t number = 0;
    uint64_t reported = verify->bytes_done;
    unsigned tries = 0;
    enum line_kind kind = LINE_NONE;
    do {
        const char *line = NULL;
        size_t len = 0;
        status = reader_line(&reader, &line, &len, &kind);
        if (status == OK && kind == LINE_PARTIAL && tries++ < PARTIAL_TRIES) {
            /* Perhaps a running server is in the middle of a write. */
            const struct timespec pause = {.tv_nsec = 10000000};
            (void)nanosleep(&pause, NULL);
            reader.head -= len;
            reader.ended = false;
            continue;
        }
        if (status == OK && kind != LINE_NONE)
            status = add_line(verify, index, ++number, line, len, kind);
        verify->bytes_done += len;
        verify->result->bytes += len;
        if (verify->on_progress && verify->bytes_done - reported >= PROGRESS_BYTES) {
            reported = verify->bytes_done;
            verify->on_progress(verify->bytes_done, verify->bytes_total, verify->context);
        }
    } while (status == OK && kind != LINE_NONE);
    reader_close(&reader);
    return status;
}
