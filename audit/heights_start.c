/*
 * heights_start.c: the chains of a directory as a server finds them (see heights.h and audit.h).
 *
 * All of them are looked at once, those of commands and of more workers than now too, and compared
 * with what the last checkpoint of each names: what was taken away or exchanged since is on record
 * before the chains grow over it.
 *
 * Trust boundary: what stands in the files may be a forger's; a checkpoint counts when it is
 * signed. Of a chain that this server does not write it names what such a checkpoint covers: what
 * it signs of a file that somebody has put there would be missing for ever when they take it away
 * again.
 */
#include "back.h"
#include "file.h"
#include "heights_list.h"
#include "key.h"
#include "recover.h"
#include "verify.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of one chain, newest first, until a checkpoint is found, which ends each file that a server has
 * closed: more is read only of what somebody has put there. */
#define FILES_MAX 16U
#define TEXT_MAX  160U

struct found {
    unsigned *chains; /* owned */
    size_t count;
    size_t cap;
};

/* What the last checkpoint of a chain says of another. */
struct said {
    struct heights_named named;
    unsigned by;
    char time[CHAIN_TIME + 1];
};

struct look {
    struct audit_heights *heights;
    struct said *said; /* owned */
    size_t said_count;
    size_t said_cap;
    enum status status;
    char time[CHAIN_TIME + 1]; /* of the checkpoint in hand */
    int dir_fd;
    struct key_ring *ring;
    struct hasher *hasher;
    unsigned chain; /* in hand */
    uint64_t seq;   /* of its last good checkpoint; 0: none */
    char hash[CHAIN_HASH_HEX + 1];
    const struct height *height; /* whose named record is looked for */
    bool other;
    bool full; /* more chains than are kept */
};

static struct height *add(struct look *look, unsigned chain)
{
    struct audit_heights *heights = look->heights;
    struct height *height = heights_find(heights, chain);
    if (height == NULL && heights->count < HEIGHTS_MAX) {
        height = &heights->list[heights->count++];
        *height = (struct height){.chain = chain};
    }
    look->full = look->full || height == NULL;
    return height;
}

static void say_not_reached(unsigned chain, const char *what)
{
    log_event(LOG_LEVEL_ERROR,
              "event=audit-not-compared chain=%u detail=\"%s in its last %u file(s), or one of "
              "them cannot be read: run pgvigil audit verify\"",
              chain, what, FILES_MAX);
}

/* ---- the last checkpoint of each ---- */

static void take_named(const struct heights_named *named, void *context)
{
    struct look *look = context;
    if (look->status == OK)
        look->status = verify_grow((void **)&look->said, look->said_count, &look->said_cap,
                                   sizeof *look->said);
    if (look->status != OK)
        return;
    struct said *said = &look->said[look->said_count++];
    *said = (struct said){.named = *named, .by = look->chain};
    memcpy(said->time, look->time, sizeof said->time);
}

static bool take_checkpoint(const char *bytes, size_t len, void *context)
{
    struct look *look = context;
    struct chain_line line;
    if (!chain_line_parse(bytes, len, &line) || strcmp(line.type, "checkpoint") != 0 ||
        !chain_checkpoint_is_of(bytes, len, look->chain) ||
        !chain_checkpoint_verify(bytes, len - 1, look->ring))
        return false;
    if (look->seq == 0 && hasher_line(look->hasher, bytes, len, look->hash) == OK)
        look->seq = line.seq;
    memcpy(look->time, line.time, sizeof look->time);
    if (heights_read(bytes, len - 1, take_named, look))
        return true;
    log_event(LOG_LEVEL_ERROR,
              "event=audit-not-compared chain=%u detail=\"record %" PRIu64
              " is signed, and what it names of other chains cannot be read: the one before is "
              "asked\"",
              look->chain, line.seq);
    return false;
}

static void look_at(struct look *look, unsigned chain)
{
    bool all = true;
    look->chain = chain;
    look->seq = 0;
    if (back_chain(look->dir_fd, chain, FILES_MAX, take_checkpoint, look, &all) != OK || !all)
        say_not_reached(chain, "no signed checkpoint");
    struct height *height = heights_find(look->heights, chain);
    if (look->seq == 0 || (height != NULL && height->writes))
        return;
    height = add(look, chain);
    if (height == NULL)
        return;
    height->seq = look->seq;
    memcpy(height->hash, look->hash, sizeof height->hash);
}

static int by_number(const void *left, const void *right)
{
    unsigned a = *(const unsigned *)left;
    unsigned b = *(const unsigned *)right;
    return (a > b) - (a < b);
}

static enum status add_found(void *context, const struct file_named *file)
{
    struct found *found = context;
    enum status status =
        verify_grow((void **)&found->chains, found->count, &found->cap, sizeof *found->chains);
    if (status == OK)
        found->chains[found->count++] = file->chain;
    return status;
}

static enum status look_at_all(struct look *look)
{
    struct found found = {0};
    enum status status = file_each(look->dir_fd, add_found, &found);
    if (found.count > 0)
        qsort(found.chains, found.count, sizeof *found.chains, by_number);
    if (look->ring == NULL && found.count > 0)
        log_event(LOG_LEVEL_ERROR, "event=audit-not-compared detail=\"public.pem is not there, or "
                                   "holds no key: the chains are not compared with each other\"");
    for (size_t i = 0; status == OK && look->ring != NULL && i < found.count; i++)
        if (i == 0 || found.chains[i] != found.chains[i - 1])
            look_at(look, found.chains[i]);
    free(found.chains);
    return status == ERR_MEMORY ? status : OK;
}

/* ---- what they have, and what of it is another's ---- */

/* After the checkpoints: another server that runs here, which this one will not get past, may write
 * on meanwhile. */
static void look_up(const struct look *look, struct height *height)
{
    struct recovered found;
    if (recover_chain(look->dir_fd, height->chain, "", look->hasher, &found) != OK)
        return;
    height->had = found.chain.next_seq - 1;
    if (!height->writes)
        return;
    height->seq = height->had;
    memcpy(height->hash, found.chain.prev, sizeof height->hash);
}

/* Of all that name it, the one that names the most; and when the last of those signed that name
 * what is gone. */
static void hear(const struct look *look, struct height *height)
{
    for (size_t i = 0; i < look->said_count; i++) {
        const struct heights_named *named = &look->said[i].named;
        if (named->chain != height->chain || named->seq < height->named ||
            (named->seq == height->named && height->named_hash[0] != '\0'))
            continue;
        height->named = named->seq;
        height->by = look->said[i].by;
        memcpy(height->named_hash, named->hash, sizeof height->named_hash);
    }
    for (size_t i = 0; i < look->said_count; i++) {
        const struct said *said = &look->said[i];
        uint64_t seq = said->named.seq;
        if (said->named.chain == height->chain && (seq > height->had || seq == height->named) &&
            strcmp(said->time, height->latest) > 0)
            memcpy(height->latest, said->time, sizeof height->latest);
    }
}

/* Of a purged stretch only the last line's hash is known. */
static bool take_record(const char *bytes, size_t len, void *context)
{
    struct look *look = context;
    const struct height *height = look->height;
    struct chain_line line;
    struct chain_tombstone stone;
    char hash[CHAIN_HASH_HEX + 1];
    if (!chain_line_parse(bytes, len, &line) || line.seq > height->named)
        return false;
    bool is_stone = chain_tombstone_parse(bytes, len, &stone);
    uint64_t last = is_stone ? stone.last : line.seq;
    if (last != height->named)
        return true;
    if (is_stone)
        memcpy(hash, stone.hash, sizeof hash);
    else if (hasher_line(look->hasher, bytes, len, hash) != OK)
        return true;
    look->other = memcmp(hash, height->named_hash, HEIGHTS_HASH) != 0;
    return true;
}

static void compare(struct look *look, struct height *height)
{
    bool all = true;
    if (height->had < height->named || height->named_hash[0] == '\0')
        return;
    look->height = height;
    look->other = false;
    if (back_chain(look->dir_fd, height->chain, FILES_MAX, take_record, look, &all) != OK || !all)
        say_not_reached(height->chain, "the record that other chains name is not");
    height->other = look->other;
}

/* ---- what was told before ---- */

static bool is_behind(const struct height *height)
{
    return height->named > height->had || height->other;
}

static struct audit_behind behind_of(const struct height *height)
{
    return (struct audit_behind){.chain = height->chain,
                                 .by = height->by,
                                 .had = height->had,
                                 .named = height->named,
                                 .other = height->other};
}

void audit_behind_text(const struct audit_behind *behind, char *out, size_t size)
{
    if (behind->other)
        (void)snprintf(out, size,
                       "chain %u has another record %" PRIu64
                       " than the last signature of chain %u names: it was cut off before, and "
                       "written anew",
                       behind->chain, behind->named, behind->by);
    else
        (void)snprintf(out, size,
                       "chain %u has %" PRIu64 " record(s), and the last signature of chain %u "
                       "names its record %" PRIu64 ": what was written behind is gone",
                       behind->chain, behind->had, behind->by, behind->named);
}

/* Does an event's sentence say this, or more? The chain that says it may be another each time, and
 * one with another record has grown since it was told. */
static bool says(const char *detail, const struct height *height)
{
    static const char names[] = " names its record ";
    char before[TEXT_MAX];
    (void)snprintf(before, sizeof before,
                   height->other ? "chain %u has another record %" PRIu64 " than "
                                 : "chain %u has %" PRIu64 " record(s), and ",
                   height->chain, height->other ? height->named : height->had);
    if (strncmp(detail, before, strlen(before)) != 0)
        return false;
    const char *at = strstr(detail, names);
    return height->other ||
           (at != NULL && strtoull(at + sizeof names - 1, NULL, 10) >= height->named);
}

/* An event that is younger than all that name what is gone. */
static bool take_event(const char *bytes, size_t len, void *context)
{
    static const char words[] = "\"type\":\"event\",\"event\":\"audit-behind\",\"detail\":\"";
    struct look *look = context;
    char detail[2 * TEXT_MAX] = "";
    struct chain_line line;
    const char *at = memmem(bytes, len, words, sizeof words - 1);
    if (at == NULL || !chain_line_parse(bytes, len, &line))
        return false;
    (void)snprintf(detail, sizeof detail, "%.*s", (int)(bytes + len - at) - (int)sizeof words + 1,
                   at + sizeof words - 1);
    bool left = false;
    for (size_t i = 0; i < look->heights->count; i++) {
        struct height *height = &look->heights->list[i];
        height->told = height->told || (is_behind(height) && says(detail, height) &&
                                        strcmp(line.time, height->latest) > 0);
        left = left || (is_behind(height) && !height->told);
    }
    return !left;
}

/* Until those that named it have signed again, each start would tell the same loss. */
static void look_for_told(struct look *look, unsigned service)
{
    bool any = false;
    bool all = true;
    for (size_t i = 0; i < look->heights->count; i++)
        any = any || is_behind(&look->heights->list[i]);
    if (any) /* what is not reached is told once more */
        (void)!back_chain(look->dir_fd, service, FILES_MAX, take_event, look, &all);
}

/* ---- all of it ---- */

static int by_chain(const void *left, const void *right)
{
    return by_number(&((const struct height *)left)->chain, &((const struct height *)right)->chain);
}

static void load_ring(struct look *look, const char *directory)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/public.pem", directory);
    if (len < 0 || (size_t)len >= sizeof path || key_ring_load(path, &look->ring) != OK)
        look->ring = NULL;
}

static enum status look_around(struct look *look, const char *directory, unsigned chains)
{
    load_ring(look, directory);
    enum status status = look_at_all(look);
    if (status == OK)
        status = look->status;
    /* One that has no file any more is in no list yet. */
    for (size_t i = 0; status == OK && i < look->said_count; i++)
        (void)add(look, look->said[i].named.chain);
    for (size_t i = 0; status == OK && i < look->heights->count; i++) {
        look_up(look, &look->heights->list[i]);
        hear(look, &look->heights->list[i]);
        compare(look, &look->heights->list[i]);
    }
    if (status == OK && chains > 0)
        look_for_told(look, chains - 1);
    if (look->full)
        log_event(LOG_LEVEL_ERROR,
                  "event=audit-not-compared detail=\"more than %u chains: checkpoints do not name "
                  "all of them\"",
                  HEIGHTS_MAX);
    return status;
}

enum status audit_heights_new(const char *directory, unsigned chains, struct audit_heights **out)
{
    struct audit_heights *heights = calloc(1, sizeof *heights);
    struct look look = {.heights = heights, .hasher = hasher_new()};
    enum status status = heights != NULL && look.hasher != NULL ? OK : ERR_MEMORY;
    if (status != OK)
        goto done;
    chain_time(heights->since);
    for (unsigned i = 0; i < chains; i++) {
        struct height *height = add(&look, i);
        if (height != NULL)
            height->writes = true;
    }
    look.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (look.dir_fd >= 0) { /* else it is still to be made */
        status = look_around(&look, directory, chains);
        (void)close(look.dir_fd);
    }
    qsort(heights->list, heights->count, sizeof *heights->list, by_chain);
    for (size_t i = 0; i < heights->count; i++)
        (void)pthread_mutex_init(&heights->list[i].lock, NULL);
done:
    free(look.said);
    key_ring_free(look.ring);
    hasher_free(look.hasher);
    if (status != OK)
        free(heights);
    else
        *out = heights;
    return status;
}

void audit_heights_free(struct audit_heights *heights)
{
    for (size_t i = 0; heights != NULL && i < heights->count; i++)
        (void)pthread_mutex_destroy(&heights->list[i].lock);
    free(heights);
}

bool audit_heights_behind(const struct audit_heights *heights, size_t *cursor,
                          struct audit_behind *behind)
{
    for (; *cursor < heights->count; ++*cursor) {
        const struct height *height = &heights->list[*cursor];
        if (!is_behind(height) || height->told)
            continue;
        *behind = behind_of(height);
        ++*cursor;
        return true;
    }
    return false;
}
