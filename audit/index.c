/*
 * index.c: which blocks of a closed trail file can hold what is asked for (see index.h): looking
 * things up.
 *
 * Trust boundary: the file may be anybody's. Its parts are read only behind their checksums, every
 * number in it is checked against its size before it is used, and what does not fit makes it
 * useless, never wrong.
 */
#include "index.h"
#include "chain.h"
#include "encode.h"
#include "file.h"
#include "index_file.h"
#include "query.h"

#include <errno.h>
#include <fcntl.h>
#include <pgvigil/buf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

struct index {
    int fd;
    struct index_head head;
    struct index_block *blocks; /* owned */
    struct index_range *ranges; /* owned */
    uint64_t pages_at;
    uint64_t page_count;
    bool whole; /* the text goes no further */
};

uint64_t index_key(enum index_kind kind, const void *text, size_t len)
{
    return XXH3_64bits_withSeed(text, len, (uint64_t)kind) >> INDEX_BLOCK_BITS << INDEX_BLOCK_BITS;
}

uint64_t index_checksum(const struct index_head *head, const struct index_block *blocks,
                        const struct index_range *ranges)
{
    struct index_head copy = *head;
    copy.checksum = 0;
    uint64_t sum = XXH3_64bits(&copy, sizeof copy);
    sum = XXH3_64bits_withSeed(blocks, head->block_count * sizeof *blocks, sum);
    return XXH3_64bits_withSeed(ranges, head->range_count * sizeof *ranges, sum);
}

uint64_t index_page_checksum(const struct index_page *page)
{
    return XXH3_64bits_withSeed(page->keys, sizeof page->keys, INDEX_VERSION);
}

/* ---- is it this file's ---- */

static bool blocks_are_sound(const struct index *index)
{
    for (size_t i = 0; i < index->head.block_count; i++) {
        const struct index_block *block = &index->blocks[i];
        if (block->offset >= index->head.text_size || block->first_line == 0 ||
            block->from[27] != '\0' || block->to[27] != '\0' ||
            (i == 0 ? block->offset != 0 : block->offset <= index->blocks[i - 1].offset))
            return false;
    }
    for (size_t i = 0; i < index->head.range_count; i++) {
        if (index->ranges[i].block >= index->head.block_count)
            return false;
    }
    return true;
}

static enum status read_parts(struct index *index, const char **why)
{
    struct stat st;
    const struct index_head *head = &index->head;
    *why = "its index is damaged";
    enum status status = file_read_at(index->fd, &index->head, sizeof index->head, 0);
    if (status != OK || fstat(index->fd, &st) != 0)
        return status != OK ? status : ERR_IO;
    if (memcmp(head->magic, INDEX_MAGIC, sizeof head->magic) != 0 ||
        head->version != INDEX_VERSION) {
        *why = "its index is of another version";
        return ERR_INVALID;
    }
    uint64_t size = (uint64_t)st.st_size;
    if (head->block_count == 0 || head->block_count > INDEX_BLOCKS_MAX ||
        head->range_count > INDEX_KEYS_MAX || head->key_count > INDEX_KEYS_MAX)
        return ERR_INVALID;
    index->page_count = (head->key_count + INDEX_PAGE_KEYS - 1) / INDEX_PAGE_KEYS;
    index->pages_at = sizeof *head + head->block_count * sizeof *index->blocks +
                      head->range_count * sizeof *index->ranges;
    if (size != index->pages_at + index->page_count * sizeof(struct index_page))
        return ERR_INVALID;
    index->blocks = malloc(head->block_count * sizeof *index->blocks);
    index->ranges = malloc(head->range_count * sizeof *index->ranges + 1);
    if (!index->blocks || !index->ranges)
        return ERR_MEMORY;
    status = file_read_at(index->fd, index->blocks, head->block_count * sizeof *index->blocks,
                          sizeof *head);
    if (status == OK && head->range_count > 0)
        status = file_read_at(index->fd, index->ranges, head->range_count * sizeof *index->ranges,
                              sizeof *head + head->block_count * sizeof *index->blocks);
    if (status == OK && (index_checksum(head, index->blocks, index->ranges) != head->checksum ||
                         !blocks_are_sound(index)))
        status = ERR_INVALID;
    return status;
}

static enum status line_is(struct lines *lines, struct hasher *hasher, const char *wanted)
{
    const char *line = NULL;
    size_t len = 0;
    char hash[CHAIN_HASH_HEX + 1];
    enum status status = lines_next(lines, &line, &len);
    if (status != OK)
        return status == ERR_MEMORY || status == ERR_IO ? status : ERR_INVALID;
    status = hasher_line(hasher, line, len, hash);
    return status == OK && memcmp(hash, wanted, CHAIN_HASH_HEX) != 0 ? ERR_INVALID : status;
}

static enum status check_file(struct index *index, struct lines *lines, const char **why)
{
    struct hasher *hasher = hasher_new();
    const char *line = NULL;
    size_t len = 0;
    *why = "its index is of another file";
    if (!hasher)
        return ERR_MEMORY;
    enum status status = line_is(lines, hasher, index->head.first);
    if (status == OK)
        status = lines_seek(lines, index->head.last_offset);
    if (status == OK)
        status = line_is(lines, hasher, index->head.last);
    if (status == OK && lines_offset(lines) != index->head.text_size)
        status = ERR_INVALID;
    index->whole = status == OK && lines_next(lines, &line, &len) == CLOSED;
    hasher_free(hasher);
    enum status back = lines_seek(lines, 0);
    return status != OK ? status : back;
}

enum status index_open(int dir_fd, const char *name, struct lines *lines, struct index **index,
                       const char **why)
{
    struct index *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return ERR_MEMORY;
    fresh->fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum status status = OK;
    if (fresh->fd < 0)
        status = errno == ENOENT ? CLOSED : ERR_IO;
    if (status == OK)
        status = read_parts(fresh, why);
    if (status == OK)
        status = check_file(fresh, lines, why);
    if (status != OK) {
        index_close(fresh);
        return status;
    }
    *index = fresh;
    return OK;
}

void index_close(struct index *index)
{
    if (!index)
        return;
    if (index->fd >= 0)
        (void)close(index->fd);
    free(index->blocks);
    free(index->ranges);
    free(index);
}

size_t index_block_count(const struct index *index)
{
    return index->head.block_count;
}

const struct index_block *index_block(const struct index *index, size_t block)
{
    return &index->blocks[block];
}

uint64_t index_text_size(const struct index *index)
{
    return index->head.text_size;
}

bool index_is_whole(const struct index *index)
{
    return index->whole;
}

uint64_t index_lines(const struct index *index)
{
    return index->head.lines;
}

uint64_t index_damaged(const struct index *index)
{
    return index->head.damaged;
}

/* ---- sets ---- */

enum status index_set_new(const struct index *index, bool full, struct index_set *set)
{
    set->count = index->head.block_count;
    set->bits = calloc(set->count / 8 + 1, 1);
    if (!set->bits)
        return ERR_MEMORY;
    if (full)
        memset(set->bits, 0xff, set->count / 8 + 1);
    return OK;
}

void index_set_free(struct index_set *set)
{
    free(set->bits);
    set->bits = NULL;
    set->count = 0;
}

void index_set_meet(struct index_set *set, const struct index_set *other)
{
    for (size_t i = 0; i < set->count / 8 + 1; i++)
        set->bits[i] = set->bits[i] & other->bits[i];
}

/* ---- keys ---- */

static enum status read_page(const struct index *index, uint64_t number, struct index_page *page)
{
    enum status status =
        file_read_at(index->fd, page, sizeof *page, index->pages_at + number * sizeof *page);
    return status == OK && index_page_checksum(page) != page->checksum ? ERR_INVALID : status;
}

/* Keys are hashes: where one stands can be guessed from its value. The guesses are bounded; then
 * the interval is halved. */
static uint64_t guess(uint64_t key, uint64_t low, uint64_t high, uint64_t pages, unsigned tries)
{
    uint64_t at = (uint64_t)((double)key / 18446744073709551616.0 * (double)pages);
    if (tries > 1 || at < low || at > high)
        return low + (high - low) / 2;
    return at;
}

static enum status find_key(const struct index *index, uint64_t key, struct index_set *set)
{
    struct index_page page;
    uint64_t low = 0; /* the first page whose last key is not below */
    uint64_t high = index->page_count;
    enum status status = OK;
    for (unsigned tries = 0; low < high && status == OK; tries++) {
        uint64_t at = guess(key, low, high - 1, index->page_count, tries);
        status = read_page(index, at, &page);
        if (status == OK && page.keys[INDEX_PAGE_KEYS - 1] < key)
            low = at + 1;
        else
            high = at;
    }
    for (; low < index->page_count && status == OK; low++) {
        status = read_page(index, low, &page);
        for (size_t i = 0; i < INDEX_PAGE_KEYS && status == OK; i++) {
            uint64_t block = page.keys[i] & INDEX_BLOCK_MASK;
            if (page.keys[i] < key || page.keys[i] == INDEX_NO_KEY)
                continue;
            if (page.keys[i] - block != key)
                return OK;
            if (block >= set->count)
                return ERR_INVALID;
            index_set_add(set, block);
        }
    }
    return status;
}

static void find_ranges(const struct index *index, int64_t number, struct index_set *set)
{
    for (size_t i = 0; i < index->head.range_count; i++) {
        const struct index_range *range = &index->ranges[i];
        if (range->first <= number && number <= range->last)
            index_set_add(set, range->block);
    }
}

enum status index_find(const struct index *index, enum index_kind kind, const char *text,
                       struct index_set *set)
{
    struct buf spelled;
    int64_t number = 0;
    buf_init(&spelled, 0);
    (void)encode_string(&spelled, text, ENCODE_VALUE_MAX);
    if (spelled.failed) {
        buf_free(&spelled);
        return ERR_MEMORY;
    }
    enum status status =
        find_key(index, index_key(kind, buf_head(&spelled) + 1, buf_len(&spelled) - 2), set);
    buf_free(&spelled);
    if (status != OK || kind != INDEX_SUBJECT)
        return status;
    if (query_number(text, &number))
        find_ranges(index, number, set);
    return find_key(index, index_key(INDEX_WILD, "", 0), set);
}
