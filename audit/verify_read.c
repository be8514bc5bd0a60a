/*
 * verify_read.c: the files of a trail and their lines (see verify.h).
 *
 * Trust boundary: every byte may be a forger's. Lines are bounded, names are ours or ignored, links
 * are not followed, and a header is believed only while the line after it vouches for it.
 */
#include "closed.h"
#include "lines.h"
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_BYTES     ((size_t)4 << 20)
#define RUNS_MAX           200000U
#define PARTIAL_TRIES      3U
#define LIST_TRIES         3U
#define COPIES_LOOKED_BACK 16U

enum line_kind { LINE_WHOLE, LINE_PARTIAL, LINE_TOO_LONG };

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
    json_int_t chains = 0;
    const char *key = NULL;
    file->has_header = header &&
                       json_unpack(header, "{s:I, s:I, s:I, s:I, s:s, s?I}", "chain", &chain,
                                   "file", &number, "checkpoint_seconds", &seconds, "format",
                                   &format, "key", &key, "chains", &chains) == 0 &&
                       format == CHAIN_FORMAT && chain >= 0 && chain <= (json_int_t)UINT32_MAX &&
                       number > 0 && seconds > 0 && seconds <= (json_int_t)UINT32_MAX &&
                       strlen(key) < KEY_FINGERPRINT;
    if (file->has_header) {
        file->header_chain = (unsigned)chain;
        file->header_number = (uint64_t)number;
        file->checkpoint_seconds = (unsigned)seconds;
        if (chains > 0 && chains <= (json_int_t)AUDIT_CHAIN_BY_HAND)
            file->chains = (unsigned)chains;
        memcpy(file->key, key, strlen(key) + 1);
    }
    json_decref(header);
}

/* While we look, a running server may compress a file: then it goes on under its other name. */
static bool is_packed_since(struct verify_file *file)
{
    if (errno != ENOENT || file->packed)
        return false;
    file_name_packed(file->name_chain, file->name_number, file->name);
    file->packed = true;
    return true;
}

enum status verify_open(const struct verify *verify, struct verify_file *file, struct lines **lines)
{
    const char *why = NULL;
    enum status status = lines_open_at(verify->dir_fd, file->name, lines, &why);
    if (status == ERR_IO && is_packed_since(file))
        status = lines_open_at(verify->dir_fd, file->name, lines, &why);
    return status;
}

/* Reads the first two lines: what the file says it is, and whether that was changed. */
static enum status read_header(struct verify *verify, struct verify_file *file)
{
    struct lines *lines = NULL;
    const char *line = NULL;
    size_t len = 0;
    char hash[CHAIN_HASH_HEX + 1] = "";
    enum status status = verify_open(verify, file, &lines);
    if (status != OK)
        return status;
    status = lines_next(lines, &line, &len);
    if (status == OK) {
        take_header(line, len, file);
        status = hasher_line(verify->hasher, line, len, hash);
    }
    if (status == OK && file->has_header)
        status = lines_next(lines, &line, &len);
    bool has_second = status == OK && file->has_header;
    struct chain_line second;
    file->header_linked =
        has_second && chain_line_parse(line, len, &second) && strcmp(second.prev, hash) == 0;
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
    lines_close(lines);
    return status == ERR_IO || status == ERR_MEMORY || status == ERR_INTERNAL ? status : OK;
}

static bool is_named(const struct verify_file *file)
{
    return file->name_number == file->number && file->name_chain == file->chain;
}

/* Compressing leaves both forms of a file when it is interrupted before its last step. */
static enum status compare_forms(struct verify *verify, struct verify_file *file,
                                 const struct verify_file *plain)
{
    uint64_t bytes = 0;
    if (strcmp(plain->name, file->name) == 0) {
        file->twin = true;
        return OK;
    }
    enum status status = closed_compare(verify->dir_fd, plain->name, file->name, &bytes);
    /* The plain one has gone meanwhile: it is read in this form. */
    if (status == ERR_IO && errno == ENOENT)
        status = OK;
    file->twin = status == OK;
    return status == DENIED ? OK : status;
}

static int compare_files(const void *left, const void *right)
{
    const struct verify_file *a = left;
    const struct verify_file *b = right;
    int order = file_order(a->chain, a->number, b->chain, b->number);
    if (order != 0)
        return order;
    /* Of two with one number the rightly named one is the file, the other a copy. */
    if (is_named(a) != is_named(b))
        return is_named(a) ? -1 : 1;
    return strcmp(a->name, b->name);
}

static enum status add_file(void *context, const struct file_named *found)
{
    struct verify *verify = context;
    struct verify_file file = {
        .name_chain = found->chain, .name_number = found->number, .packed = found->packed};
    struct stat st;
    memcpy(file.name, found->name, strlen(found->name) + 1);
    int failed = fstatat(verify->dir_fd, file.name, &st, AT_SYMLINK_NOFOLLOW);
    if (failed && is_packed_since(&file))
        failed = fstatat(verify->dir_fd, file.name, &st, AT_SYMLINK_NOFOLLOW);
    if (failed || !S_ISREG(st.st_mode))
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

static enum status list_once(struct verify *verify)
{
    verify->file_count = 0;
    verify->bytes_total = 0;
    enum status status = file_each(verify->dir_fd, add_file, verify);
    if (status == OK && verify->file_count > 0)
        qsort(verify->files, verify->file_count, sizeof *verify->files, compare_files);
    return status;
}

static bool has_gap(const struct verify *verify)
{
    for (size_t i = 1; i < verify->file_count; i++) {
        const struct verify_file *file = &verify->files[i];
        if (file->chain == file[-1].chain && file->number > file[-1].number + 1)
            return true;
    }
    return false;
}

enum status verify_list(struct verify *verify)
{
    enum status status = OK;
    /* A file that is compressed while the directory is read may be met in neither form. */
    for (unsigned tries = 0; tries < LIST_TRIES; tries++) {
        status = list_once(verify);
        if (status != OK || !has_gap(verify))
            break;
    }
    for (size_t i = 1; status == OK && i < verify->file_count; i++) {
        struct verify_file *file = &verify->files[i];
        const struct verify_file *other = &verify->files[i - 1];
        file->duplicate = file->chain == other->chain && file->number == other->number;
        if (file->duplicate && file->packed && is_named(file) && is_named(other))
            status = compare_forms(verify, file, other);
    }
    return status;
}

static enum status check_signature(struct verify *verify, size_t index, uint64_t number,
                                   const char *line, size_t len, const char *time)
{
    verify->result->checkpoints++;
    if (chain_checkpoint_verify(line, len, verify->ring)) {
        verify->previous_bad = false;
        memcpy(verify->checkpoint_time, time, sizeof verify->checkpoint_time);
        return verify_take_beside(verify, index, number, line, len, time);
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

/* Bytes that do not decompress: whatever records they held. */
static enum status add_damage(struct verify *verify, size_t index, uint64_t number)
{
    const struct run fresh = {.file = index,
                              .line = number + 1,
                              .last_file = index,
                              .last_line = number,
                              .lines = UINT64_MAX,
                              .fault = RUN_DAMAGED};
    return add_run(verify, &fresh);
}

/* Signed for this place, or vouched for by the last tombstone that was. Behind one that was not,
 * nothing is known of the gaps: that is told once, at its place. */
static bool is_signed(struct verify *verify, const struct verify_file *file, const char *line,
                      size_t len, const struct chain_tombstone *stone, const char *hash)
{
    struct chain_seal *seal = &verify->seal;
    if (!stone->gap) {
        bool good = chain_seal_open(seal, line, len - 1, verify->ring) &&
                    stone->chain == file->chain && stone->file == file->number;
        seal->broken = !good;
        return good;
    }
    if (chain_seal_covers(seal, hash) || seal->broken)
        return true;
    /* Gaps without any tombstone before them: the first one is told. */
    seal->broken = !seal->open;
    seal->open = true;
    return false;
}

/* A tombstone stands for lines: the run goes on behind it as if they were there. */
static bool take_stone(struct verify *verify, size_t index, const char *line, size_t len,
                       struct run *fresh, struct chain_line *parsed)
{
    const struct verify_file *file = &verify->files[index];
    struct chain_tombstone stone;
    if (!chain_tombstone_parse(line, len, &stone) ||
        !is_signed(verify, file, line, len, &stone, fresh->hash))
        return false;
    fresh->last_seq = stone.last;
    fresh->lines = stone.last - stone.first + 1;
    memcpy(fresh->hash, stone.hash, sizeof fresh->hash);
    memcpy(parsed->time, stone.to, sizeof parsed->time);
    if (!stone.gap)
        memcpy(verify->checkpoint_time, stone.to, sizeof verify->checkpoint_time);
    verify->result->tombstones += stone.gap ? 0 : 1;
    verify->result->purged_technical += stone.technical;
    verify->result->purged_care += stone.care;
    if (verify->first_time[0] == '\0')
        memcpy(verify->first_time, stone.from, sizeof verify->first_time);
    if (stone.care > 0 && file->chain < AUDIT_CHAIN_BY_HAND &&
        strcmp(stone.to, verify->result->purged_care_to) > 0)
        memcpy(verify->result->purged_care_to, stone.to, sizeof stone.to);
    return true;
}

/* The hash and the numbers of a line that is one record. */
static enum status judge_line(struct verify *verify, const char *line, size_t len,
                              struct chain_line *parsed, struct run *fresh)
{
    fresh->first_seq = parsed->seq;
    fresh->last_seq = parsed->seq;
    memcpy(fresh->prev, parsed->prev, sizeof fresh->prev);
    enum status status = hasher_line(verify->hasher, line, len, fresh->hash);
    if (status == OK &&
        (strcmp(parsed->type, "tombstone") == 0 || strcmp(parsed->type, "gap") == 0)) {
        fresh->parsed = take_stone(verify, fresh->file, line, len, fresh, parsed);
        fresh->fault = fresh->parsed ? RUN_SOUND : RUN_FORGED;
        fresh->lines = fresh->parsed ? fresh->lines : UINT64_MAX;
        return OK;
    }
    if (status == OK && strcmp(parsed->type, "checkpoint") == 0)
        status = check_signature(verify, fresh->file, fresh->line, line, len - 1, parsed->time);
    else if (status == OK && strcmp(parsed->type, "event") == 0)
        status = verify_take_event(verify, fresh->file, fresh->line, line, len);
    return status;
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
    enum status status = judge_line(verify, line, len, &parsed, &fresh);
    if (status != OK || !fresh.parsed)
        return status != OK ? status : add_run(verify, &fresh);
    memcpy(verify->last_time, parsed.time, sizeof verify->last_time);
    if (fresh.last_seq > verify->last_seq)
        verify->last_seq = fresh.last_seq;
    struct verify_file *file = &verify->files[index];
    if (file->first_seq == 0)
        file->first_seq = fresh.first_seq;
    if (fresh.last_seq > file->last_seq)
        file->last_seq = fresh.last_seq;
    if (verify->first_time[0] == '\0')
        memcpy(verify->first_time, parsed.time, sizeof verify->first_time);
    /* A chain without any good checkpoint is unsigned from its first line on. */
    if (!verify->checkpoint_time[0])
        memcpy(verify->checkpoint_time, parsed.time, sizeof verify->checkpoint_time);
    verify->last_file = index;
    verify->last_line = number;
    struct run *run = verify->run_count ? &verify->runs[verify->run_count - 1] : NULL;
    if (run && run->parsed && !run->sealed && !verify->overflow &&
        fresh.first_seq == run->last_seq + 1 && strcmp(fresh.prev, run->hash) == 0) {
        run->last_seq = fresh.last_seq;
        run->last_file = index;
        run->last_line = number;
        run->lines += fresh.lines;
        memcpy(run->hash, fresh.hash, sizeof run->hash);
        run->sealed = ends_like_earlier(verify, run, verify->run_count - 1);
        return OK;
    }
    fresh.header = number == 1 && strcmp(parsed.type, "header") == 0;
    fresh.sealed = ends_like_earlier(verify, &fresh, verify->run_count);
    return add_run(verify, &fresh);
}

struct reading {
    struct lines *lines;
    uint64_t number; /* of the last line */
    unsigned tries;
    bool ended;
};

static enum status read_line(struct verify *verify, size_t index, struct reading *reading)
{
    const char *line = NULL;
    size_t len = 0;
    enum line_kind kind = LINE_WHOLE;
    enum status status = lines_next(reading->lines, &line, &len);
    if (status == CLOSED) {
        reading->ended = true;
        return OK;
    }
    if (status == ERR_INVALID)
        return add_damage(verify, index, reading->number);
    if (status == NEED_MORE && !verify->files[index].packed && reading->tries++ < PARTIAL_TRIES) {
        /* Perhaps a running server is in the middle of a write. */
        const struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
        return OK;
    }
    reading->ended = status == NEED_MORE;
    if (status == NEED_MORE)
        kind = LINE_PARTIAL;
    else if (status == ERR_LIMIT)
        kind = LINE_TOO_LONG;
    else if (status != OK)
        return status;
    verify->result->bytes += len;
    return add_line(verify, index, ++reading->number, line, len, kind);
}

enum status verify_read_file(struct verify *verify, size_t index)
{
    struct reading reading = {0};
    memset(&verify->seal, 0, sizeof verify->seal);
    enum status status = verify_open(verify, &verify->files[index], &reading.lines);
    if (status != OK)
        return status;
    uint64_t before = verify->bytes_done;
    uint64_t reported = before;
    while (status == OK && !reading.ended) {
        status = read_line(verify, index, &reading);
        verify->bytes_done = before + lines_read(reading.lines);
        if (verify->on_progress && verify->bytes_done - reported >= PROGRESS_BYTES) {
            reported = verify->bytes_done;
            verify->on_progress(verify->bytes_done, verify->bytes_total, verify->context);
        }
    }
    lines_close(reading.lines);
    return status;
}
