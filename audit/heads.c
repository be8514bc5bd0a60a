/*
 * heads.c: checkpoints that were kept elsewhere, compared with the trail (see heads.h).
 *
 * Trust boundary: both files may be a forger's. A checkpoint counts when one of the public keys has
 * signed it; whoever can take lines out of what syslog has kept as well leaves nothing to compare.
 */
#include "heads.h"
#include "chain.h"
#include "file.h"
#include "lines.h"
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 512U

struct head {
    unsigned chain;
    uint64_t seq;
    char hash[CHAIN_HASH_HEX + 1];
    char time[CHAIN_TIME + 1];
    uint64_t line; /* in the heads file */
    bool settled;  /* it is in the trail, or was purged, or something was said of it */
};

struct trail_file {
    char name[FILE_NAME_MAX];
    unsigned chain;
    uint64_t number;
};

struct heads {
    const char *path;
    struct key_ring *ring;
    struct hasher *hasher;
    struct head *list; /* by chain and number */
    size_t count;
    size_t cap;
    struct trail_file *files; /* by chain and number */
    size_t file_count;
    size_t file_cap;
    audit_finding_fn *on_finding;
    void *context;
    struct heads_result *result;
};

static void find(struct heads *heads, const char *file, uint64_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void find(struct heads *heads, const char *file, uint64_t line, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const struct audit_finding finding = {.file = file, .line = line, .message = message};
    heads->result->findings++;
    if (heads->on_finding)
        heads->on_finding(&finding, heads->context);
}

/* ---- what was kept ---- */

static enum status hash_text(struct heads *heads, const char *text, size_t len,
                             char hash[CHAIN_HASH_HEX + 1])
{
    char *line = malloc(len + 1);
    if (!line)
        return ERR_MEMORY;
    memcpy(line, text, len);
    line[len] = '\n';
    enum status status = hasher_line(heads->hasher, line, len + 1, hash);
    free(line);
    return status;
}

/* A checkpoint's text, without a line end. */
static enum status take_head(struct heads *heads, const char *text, size_t len, uint64_t number,
                             const struct chain_line *line)
{
    /* A number that is too great stands in what an older version signed, beside these two. */
    json_t *record = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    double chain = -1;
    const char *key = NULL;
    bool read = record && json_unpack(record, "{s:F, s:s}", "chain", &chain, "key", &key) == 0 &&
                chain >= 0 && chain <= (double)UINT32_MAX;
    bool ours = read && key_ring_holds(heads->ring, key);
    json_decref(record);
    if (read && !ours) {
        heads->result->others++;
        return OK;
    }
    if (!read || !chain_checkpoint_verify(text, len, heads->ring)) {
        find(heads, heads->path, number,
             "bad signature: this checkpoint is not what the key that it names has signed");
        return OK;
    }
    enum status status =
        verify_grow((void **)&heads->list, heads->count, &heads->cap, sizeof *heads->list);
    if (status != OK)
        return status;
    struct head *head = &heads->list[heads->count];
    *head = (struct head){.chain = (unsigned)chain, .seq = line->seq, .line = number};
    memcpy(head->time, line->time, sizeof head->time);
    status = hash_text(heads, text, len, head->hash);
    if (status == OK)
        heads->count++;
    return status;
}

static enum status read_kept_line(struct heads *heads, const char *bytes, size_t len,
                                  uint64_t number)
{
    static const char opening[] = "{\"seq\":";
    struct chain_line line;
    const char *text = memmem(bytes, len, opening, sizeof opening - 1);
    const char *end = text ? memrchr(text, '}', (size_t)(bytes + len - text)) : NULL;
    if (!end)
        return OK;
    size_t size = (size_t)(end - text) + 1;
    if (!chain_line_parse(text, size, &line) || strcmp(line.type, "checkpoint") != 0)
        return OK;
    return take_head(heads, text, size, number, &line);
}

static int compare_heads(const void *left, const void *right)
{
    const struct head *a = left;
    const struct head *b = right;
    if (a->chain != b->chain)
        return a->chain < b->chain ? -1 : 1;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return a->line < b->line ? -1 : a->line > b->line;
}

/* Of those that came twice one is enough. Two that differ are two histories. */
static void drop_repetitions(struct heads *heads)
{
    size_t kept = 0;
    struct head *list = heads->list;
    heads->result->heads = 0;
    if (!list)
        return;
    qsort(list, heads->count, sizeof *list, compare_heads);
    for (size_t i = 0; i < heads->count; i++) {
        const struct head *last = kept ? &list[kept - 1] : NULL;
        bool same = last && last->chain == list[i].chain && last->seq == list[i].seq;
        if (same && strcmp(last->hash, list[i].hash) != 0)
            find(heads, heads->path, list[i].line,
                 "changed: record %" PRIu64 " of chain %u was another checkpoint in line %" PRIu64
                 ": the trail was cut and written anew in between",
                 last->seq, last->chain, last->line);
        if (!same)
            list[kept++] = list[i];
    }
    heads->count = kept;
    heads->result->heads = kept;
}

static enum status read_kept(struct heads *heads)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    uint64_t number = 0;
    enum status status = lines_open(heads->path, &lines, &why);
    while (status == OK) {
        const char *bytes = NULL;
        size_t len = 0;
        status = lines_next(lines, &bytes, &len);
        if (status != OK && status != NEED_MORE && status != ERR_LIMIT)
            break;
        number++;
        bool last = status == NEED_MORE;
        status = read_kept_line(heads, bytes, len, number);
        if (last)
            break;
    }
    lines_close(lines);
    if (status == CLOSED)
        status = OK;
    if (status == OK)
        drop_repetitions(heads);
    return status;
}

/* ---- the trail ---- */

static int compare_files(const void *left, const void *right)
{
    const struct trail_file *a = left;
    const struct trail_file *b = right;
    int order = file_order(a->chain, a->number, b->chain, b->number);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static enum status add_file(void *context, const struct file_named *found)
{
    struct heads *heads = context;
    struct trail_file file = {.chain = found->chain, .number = found->number};
    memcpy(file.name, found->name, strlen(found->name) + 1);
    enum status status = verify_grow((void **)&heads->files, heads->file_count, &heads->file_cap,
                                     sizeof *heads->files);
    if (status == OK)
        heads->files[heads->file_count++] = file;
    return status;
}

static enum status list_files(struct heads *heads, int dir_fd)
{
    enum status status = file_each(dir_fd, add_file, heads);
    if (heads->file_count)
        qsort(heads->files, heads->file_count, sizeof *heads->files, compare_files);
    return status;
}

static struct head *head_of(struct heads *heads, unsigned chain, uint64_t seq)
{
    size_t low = 0;
    size_t high = heads->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct head *head = &heads->list[middle];
        if (head->chain < chain || (head->chain == chain && head->seq < seq))
            low = middle + 1;
        else
            high = middle;
    }
    return low < heads->count ? &heads->list[low] : NULL;
}

static enum status compare_line(struct heads *heads, const struct trail_file *file, uint64_t number,
                                const char *bytes, size_t len, uint64_t seq)
{
    char hash[CHAIN_HASH_HEX + 1];
    struct head *head = head_of(heads, file->chain, seq);
    if (!head || head->chain != file->chain || head->seq != seq || head->settled)
        return OK;
    enum status status = hasher_line(heads->hasher, bytes, len, hash);
    if (status == OK && strcmp(hash, head->hash) != 0)
        find(heads, file->name, number,
             "changed: record %" PRIu64 " is not the checkpoint that was sent (line %" PRIu64
             " of the heads): the trail was cut and written anew",
             seq, head->line);
    head->settled = true;
    return status;
}

/* What the key has signed as purged is not missing. */
static void take_tombstone(struct heads *heads, const struct trail_file *file, const char *bytes,
                           size_t len)
{
    struct chain_tombstone stone;
    if (!chain_tombstone_parse(bytes, len, &stone) ||
        !chain_tombstone_verify(bytes, len - 1, heads->ring))
        return;
    struct head *head = head_of(heads, file->chain, stone.first);
    const struct head *end = heads->list + heads->count;
    for (; head && head < end && head->chain == file->chain && head->seq <= stone.last; head++)
        head->settled = true;
}

static enum status read_trail_file(struct heads *heads, int dir_fd, const struct trail_file *file,
                                   uint64_t *first, uint64_t *last)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    uint64_t number = 0;
    enum status status = lines_open_at(dir_fd, file->name, &lines, &why);
    /* Taken away since the directory was read: compressed, and read as such. */
    if (status == ERR_IO && errno == ENOENT)
        return OK;
    while (status == OK) {
        const char *bytes = NULL;
        size_t len = 0;
        struct chain_line line;
        status = lines_next(lines, &bytes, &len);
        number++;
        /* What cannot be read is verify's to tell. */
        if (status == ERR_LIMIT || status == ERR_INVALID) {
            status = OK;
            continue;
        }
        if (status != OK || !chain_line_parse(bytes, len, &line))
            continue;
        if (!*first)
            *first = line.seq;
        if (line.seq > *last)
            *last = line.seq;
        if (strcmp(line.type, "checkpoint") == 0)
            status = compare_line(heads, file, number, bytes, len, line.seq);
        else if (strcmp(line.type, "tombstone") == 0)
            take_tombstone(heads, file, bytes, len);
    }
    lines_close(lines);
    return status == CLOSED || status == NEED_MORE ? OK : status;
}

/* ---- what is not there ---- */

/* The heads of one chain, in [from, to), of which the directory has records first to last. */
static void judge_chain(struct heads *heads, size_t from, size_t to, const char *last_file,
                        uint64_t first, uint64_t last)
{
    char name[FILE_NAME_MAX];
    const struct head *newest = &heads->list[to - 1];
    if (!last_file) {
        file_name(newest->chain, 1, name);
        find(heads, name, 0,
             "missing: chain %u has no file, but a checkpoint of its record %" PRIu64
             " was sent at %s",
             newest->chain, newest->seq, newest->time);
        return;
    }
    for (size_t i = from; i < to; i++) {
        const struct head *head = &heads->list[i];
        if (head->settled || head->seq > last)
            continue;
        if (head->seq < first)
            heads->result->archived++;
        else
            find(heads, last_file, 0,
                 "missing: the checkpoint of record %" PRIu64 " of chain %u that was sent at %s",
                 head->seq, head->chain, head->time);
    }
    if (newest->seq > last && !newest->settled)
        find(heads, last_file, 0,
             "truncated: chain %u ends with record %" PRIu64 ", but a checkpoint of record %" PRIu64
             " was sent at %s: what was written in between is gone",
             newest->chain, last, newest->seq, newest->time);
}

static enum status judge(struct heads *heads, int dir_fd)
{
    enum status status = OK;
    size_t file = 0;
    for (size_t from = 0; status == OK && from < heads->count;) {
        unsigned chain = heads->list[from].chain;
        size_t to = from;
        while (to < heads->count && heads->list[to].chain == chain)
            to++;
        uint64_t first = 0;
        uint64_t last = 0;
        const char *last_file = NULL;
        while (file < heads->file_count && heads->files[file].chain < chain)
            file++;
        for (; status == OK && file < heads->file_count && heads->files[file].chain == chain;
             file++) {
            last_file = heads->files[file].name;
            status = read_trail_file(heads, dir_fd, &heads->files[file], &first, &last);
        }
        if (status == OK)
            judge_chain(heads, from, to, last_file, first, last);
        from = to;
    }
    return status;
}

enum status heads_compare(const char *directory, const char *public_key_file,
                          const char *heads_file, audit_finding_fn *on_finding, void *context,
                          struct heads_result *result)
{
    struct heads heads = {
        .path = heads_file, .on_finding = on_finding, .context = context, .result = result};
    memset(result, 0, sizeof *result);
    int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = dir_fd < 0 ? ERR_IO : key_ring_load(public_key_file, &heads.ring);
    if (status == OK && !(heads.hasher = hasher_new()))
        status = ERR_MEMORY;
    if (status == OK)
        status = read_kept(&heads);
    if (status == OK)
        status = list_files(&heads, dir_fd);
    if (status == OK)
        status = judge(&heads, dir_fd);
    int error = errno;
    free(heads.list);
    free(heads.files);
    hasher_free(heads.hasher);
    key_ring_free(heads.ring);
    if (dir_fd >= 0)
        (void)close(dir_fd);
    errno = error;
    return status;
}
