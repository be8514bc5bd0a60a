/*
 * index_make.c: making an index (see index.h).
 *
 * Trust boundary: the trail's lines may be anybody's. What is not spelled as the writer spells it
 * gets no key of its own but a mark that its block is always to be read; what the keys take is
 * bounded.
 */
#include "chain.h"
#include "index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANGE_EXPANDED 64U /* numbers: a wider pair is kept as a pair */

struct array {
    void *items; /* owned */
    size_t count;
    size_t cap;
};

struct maker {
    struct index_head head;
    struct array blocks; /* struct index_block */
    struct array keys;   /* uint64_t, of the blocks that are done, each once */
    struct array ranges; /* struct index_range */
    struct array fresh;  /* uint64_t, of the block at hand */
    size_t fresh_ranges; /* where those of the block at hand begin */
    struct hasher *hasher;
    enum status status; /* sticky */
};

static void *grow(struct maker *maker, struct array *array, size_t size)
{
    if (maker->status == OK && array->count >= INDEX_KEYS_MAX)
        maker->status = ERR_LIMIT;
    if (maker->status != OK)
        return NULL;
    if (array->count == array->cap) {
        size_t cap = array->cap ? array->cap * 2 : 1024;
        void *grown = realloc(array->items, cap * size);
        if (!grown) {
            maker->status = ERR_MEMORY;
            return NULL;
        }
        array->items = grown;
        array->cap = cap;
    }
    return (char *)array->items + array->count++ * size;
}

static void add_key(struct maker *maker, enum index_kind kind, const char *text, size_t len)
{
    uint64_t *key = grow(maker, &maker->fresh, sizeof *key);
    if (key)
        *key = index_key(kind, text, len) | (maker->blocks.count - 1);
}

static void add_number(struct maker *maker, enum index_kind kind, long long number)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", number);
    add_key(maker, kind, digits, (size_t)len);
}

/* ---- a block's end ---- */

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static int compare_ranges(const void *left, const void *right)
{
    const struct index_range *a = left;
    const struct index_range *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->last > b->last) - (a->last < b->last);
}

static void end_block(struct maker *maker)
{
    uint64_t *fresh = maker->fresh.items;
    if (maker->fresh.count > 0)
        qsort(fresh, maker->fresh.count, sizeof *fresh, compare_keys);
    for (size_t i = 0; i < maker->fresh.count; i++) {
        if (i > 0 && fresh[i] == fresh[i - 1])
            continue;
        uint64_t *key = grow(maker, &maker->keys, sizeof *key);
        if (!key)
            return;
        *key = fresh[i];
    }
    maker->fresh.count = 0;
    /* Pairs that touch become one. */
    struct index_range *ranges = maker->ranges.items;
    size_t kept = maker->fresh_ranges;
    if (maker->ranges.count > kept)
        qsort(ranges + kept, maker->ranges.count - kept, sizeof *ranges, compare_ranges);
    for (size_t i = kept; i < maker->ranges.count; i++) {
        struct index_range *before = kept > maker->fresh_ranges ? &ranges[kept - 1] : NULL;
        if (before && ranges[i].first <= before->last) {
            if (ranges[i].last > before->last)
                before->last = ranges[i].last;
            continue;
        }
        ranges[kept++] = ranges[i];
    }
    maker->ranges.count = kept;
    maker->fresh_ranges = kept;
}

static void begin_block(struct maker *maker, uint64_t offset)
{
    struct index_block *block = grow(maker, &maker->blocks, sizeof *block);
    if (!block)
        return;
    memset(block, 0, sizeof *block);
    block->offset = offset;
    block->first_line = maker->head.lines + 1;
    memcpy(block->from, "9999-99-99T99:99:99.999999Z", sizeof block->from);
}

/* ---- a line ---- */

static const char *behind(const char *line, size_t len, const char *key)
{
    size_t key_len = strlen(key);
    const char *at = memmem(line, len, key, key_len);
    return at ? at + key_len : NULL;
}

/* The end of a string that begins at `at`, behind its first quote; NULL: it has none. */
static const char *string_end(const char *at, const char *end)
{
    for (; at < end && *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    return at < end ? at : NULL;
}

static void add_string(struct maker *maker, enum index_kind kind, const char *line, size_t len,
                       const char *key)
{
    const char *at = behind(line, len, key);
    const char *end = at ? string_end(at, line + len) : NULL;
    if (end)
        add_key(maker, kind, at, (size_t)(end - at));
}

static void add_pair(struct maker *maker, long long first, long long last)
{
    if (first > last)
        return;
    if ((uint64_t)last - (uint64_t)first < RANGE_EXPANDED) {
        for (long long i = 0; i <= last - first; i++)
            add_number(maker, INDEX_SUBJECT, first + i);
        return;
    }
    struct index_range *range = grow(maker, &maker->ranges, sizeof *range);
    if (range)
        *range = (struct index_range){first, last, maker->blocks.count - 1};
}

/* "[5,9]": the place behind it, or NULL. The line ends with a line end, where strtoll stops. */
static const char *take_pair(struct maker *maker, const char *at)
{
    char *end = NULL;
    errno = 0;
    long long first = strtoll(at + 1, &end, 10);
    if (end == at + 1 || *end != ',')
        return NULL;
    at = end;
    long long last = strtoll(at + 1, &end, 10);
    if (end == at + 1 || *end != ']' || errno != 0)
        return NULL;
    add_pair(maker, first, last);
    return end + 1;
}

static void add_subjects(struct maker *maker, const char *line, size_t len)
{
    const char *end = line + len;
    const char *at = behind(line, len, ",\"patients\":[");
    while (at && *at != ']') {
        if (*at == '"') {
            const char *start = at + 1;
            at = string_end(start, end);
            if (at)
                add_key(maker, INDEX_SUBJECT, start, (size_t)(at++ - start));
        } else if (*at == '[') {
            at = take_pair(maker, at);
        } else {
            at = NULL;
        }
        if (!at)
            add_key(maker, INDEX_WILD, "", 0);
        else if (*at == ',')
            at++;
    }
}

static void add_line(struct maker *maker, const struct chain_line *parsed, const char *line,
                     size_t len)
{
    struct index_block *block =
        (struct index_block *)maker->blocks.items + (maker->blocks.count - 1);
    if (block->first_seq == 0)
        block->first_seq = parsed->seq;
    if (strcmp(parsed->time, block->from) < 0)
        memcpy(block->from, parsed->time, sizeof block->from);
    if (strcmp(parsed->time, block->to) > 0)
        memcpy(block->to, parsed->time, sizeof block->to);
    if (strcmp(parsed->type, "header") == 0 || strcmp(parsed->type, "checkpoint") == 0)
        return;
    if (strcmp(parsed->type, "begin") == 0)
        add_number(maker, INDEX_BEGUN, (long long)parsed->seq);
    const char *begin = behind(line, len, ",\"begin\":");
    if (begin)
        add_key(maker, INDEX_BEGUN, begin, strspn(begin, "0123456789"));
    add_string(maker, INDEX_PERSON, line, len, ",\"person\":\"");
    add_string(maker, INDEX_SUBJECT, line, len, ",\"patient\":\"");
    if (behind(line, len, ",\"subjects\":\"aggregate\""))
        add_key(maker, INDEX_INEXACT, "", 0);
    add_subjects(maker, line, len);
}

static void take_line(struct maker *maker, uint64_t offset, const char *line, size_t len,
                      enum status kind)
{
    struct chain_line parsed;
    const struct index_block *blocks = maker->blocks.items;
    size_t count = maker->blocks.count;
    if (count == 0 || offset - blocks[count - 1].offset >= INDEX_BLOCK_SIZE) {
        end_block(maker);
        begin_block(maker, offset);
    }
    maker->head.lines++;
    maker->head.last_offset = offset;
    if (maker->status != OK)
        return;
    if (kind == OK && len > 2 && line[len - 2] == '}' && chain_line_parse(line, len, &parsed))
        add_line(maker, &parsed, line, len);
    else
        maker->head.damaged++;
}

static void read_lines(struct maker *maker, struct lines *lines)
{
    char hash[CHAIN_HASH_HEX + 1] = "";
    enum status status = OK;
    while (maker->status == OK) {
        const char *line = NULL;
        size_t len = 0;
        uint64_t offset = lines_offset(lines);
        maker->head.text_size = offset;
        status = lines_next(lines, &line, &len);
        /* Half a line is being written, or was cut: it is read without the index. */
        if (status == CLOSED || status == NEED_MORE || status == ERR_IO || status == ERR_MEMORY)
            break;
        /* A frame that does not decompress: such a file is searched without an index, which tells
         * what is wrong with it. */
        if (status != OK) {
            maker->status = ERR_INVALID;
            return;
        }
        take_line(maker, offset, line, len, status);
        if (maker->head.lines == 1 && maker->status == OK) {
            maker->status = hasher_line(maker->hasher, line, len, hash);
            memcpy(maker->head.first, hash, sizeof maker->head.first);
        }
    }
    if (maker->status == OK && status != CLOSED && status != NEED_MORE)
        maker->status = status;
}

/* The last line is hashed when it is known to be that. */
static void read_last(struct maker *maker, struct lines *lines)
{
    const char *line = NULL;
    size_t len = 0;
    char hash[CHAIN_HASH_HEX + 1] = "";
    if (maker->status == OK && maker->head.lines == 0)
        maker->status = ERR_INVALID;
    if (maker->status == OK)
        maker->status = lines_seek(lines, maker->head.last_offset);
    if (maker->status == OK)
        maker->status = lines_next(lines, &line, &len);
    if (maker->status == OK)
        maker->status = hasher_line(maker->hasher, line, len, hash);
    memcpy(maker->head.last, hash, sizeof maker->head.last);
}

static void finish(struct maker *maker)
{
    end_block(maker);
    memcpy(maker->head.magic, INDEX_MAGIC, sizeof maker->head.magic);
    maker->head.version = INDEX_VERSION;
    maker->head.block_count = maker->blocks.count;
    maker->head.range_count = maker->ranges.count;
    maker->head.key_count = maker->keys.count;
    if (maker->keys.count > 0)
        qsort(maker->keys.items, maker->keys.count, sizeof(uint64_t), compare_keys);
    maker->head.checksum = index_checksum(&maker->head, maker->blocks.items, maker->ranges.items);
}

/* ---- the file ---- */

typedef bool part_fn(FILE *file, const void *bytes, size_t len);

static bool write_part(FILE *file, const void *bytes, size_t len)
{
    return len == 0 || fwrite(bytes, 1, len, file) == len;
}

static bool same_part(FILE *file, const void *bytes, size_t len)
{
    char there[4096];
    for (const char *at = bytes; len > 0;) {
        size_t part = len > sizeof there ? sizeof there : len;
        if (fread(there, 1, part, file) != part || memcmp(there, at, part) != 0)
            return false;
        at += part;
        len -= part;
    }
    return true;
}

static bool each_part(const struct maker *maker, FILE *file, part_fn *part)
{
    const uint64_t *keys = maker->keys.items;
    if (!part(file, &maker->head, sizeof maker->head) ||
        !part(file, maker->blocks.items, maker->blocks.count * sizeof(struct index_block)) ||
        !part(file, maker->ranges.items, maker->ranges.count * sizeof(struct index_range)))
        return false;
    for (size_t at = 0; at < maker->keys.count; at += INDEX_PAGE_KEYS) {
        struct index_page page;
        for (size_t i = 0; i < INDEX_PAGE_KEYS; i++)
            page.keys[i] = at + i < maker->keys.count ? keys[at + i] : INDEX_NO_KEY;
        page.checksum = index_page_checksum(&page);
        if (!part(file, &page, sizeof page))
            return false;
    }
    return true;
}

/* What root makes belongs to whom the directory belongs to: they must be able to read it. */
static void give_to_owner(int dir_fd, int fd)
{
    struct stat st;
    if (geteuid() == 0 && fstat(dir_fd, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
        errno = 0;
}

static enum status write_index(const struct maker *maker, int dir_fd, const char *name)
{
    char temporary[256];
    int len = snprintf(temporary, sizeof temporary, "%s.new", name);
    if (len < 0 || (size_t)len >= sizeof temporary)
        return ERR_INVALID;
    (void)unlinkat(dir_fd, temporary, 0);
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    S_IRUSR | S_IWUSR);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        if (fd >= 0)
            (void)close(fd);
        return ERR_IO;
    }
    give_to_owner(dir_fd, fd);
    bool written = each_part(maker, file, write_part) && fflush(file) == 0 && fsync(fd) == 0;
    int error = errno;
    if (fclose(file) != 0 && written) {
        written = false;
        error = errno;
    }
    if (written && renameat(dir_fd, temporary, dir_fd, name) != 0) {
        written = false;
        error = errno;
    }
    if (!written)
        (void)unlinkat(dir_fd, temporary, 0);
    errno = error;
    return written ? OK : ERR_IO;
}

static enum status compare_index(const struct maker *maker, int dir_fd, const char *name,
                                 bool *same)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    *same = false;
    if (!file) {
        enum status status = errno == ENOENT ? CLOSED : ERR_IO;
        if (fd >= 0)
            (void)close(fd);
        return status;
    }
    *same = each_part(maker, file, same_part) && fgetc(file) == EOF;
    (void)fclose(file);
    return OK;
}

enum status index_make(struct lines *lines, int dir_fd, const char *name, const char *compare,
                       bool *same)
{
    struct maker maker = {.status = OK};
    maker.hasher = hasher_new();
    if (!maker.hasher)
        maker.status = ERR_MEMORY;
    read_lines(&maker, lines);
    read_last(&maker, lines);
    if (maker.status == OK)
        finish(&maker);
    enum status status = maker.status;
    if (status == OK)
        status =
            name ? write_index(&maker, dir_fd, name) : compare_index(&maker, dir_fd, compare, same);
    int error = errno;
    hasher_free(maker.hasher);
    free(maker.blocks.items);
    free(maker.keys.items);
    free(maker.ranges.items);
    free(maker.fresh.items);
    errno = error;
    return status;
}
