/*
 * heights.c: how far each chain has got (see heights.h and audit.h).
 *
 * At a start the directory's chains are looked at once, those of commands and of more workers than
 * now too, and compared with what the last checkpoints name: what was taken away since is on record
 * before the chains grow over it.
 *
 * Trust boundary: what stands in the files may be a forger's; a checkpoint counts when it is
 * signed.
 */
#include "heights.h"
#include "chain.h"
#include "encode.h"
#include "file.h"
#include "recover.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW ((size_t)4 << 20) /* in which a file's last checkpoint is looked for */

struct height {
    unsigned chain;
    _Atomic uint64_t seq;
    uint64_t had;   /* when they were looked at */
    uint64_t named; /* by the last checkpoint of another */
    unsigned by;
};

struct audit_heights {
    size_t count;
    struct height list[HEIGHTS_MAX]; /* by chain */
};

static struct height *find(struct audit_heights *heights, unsigned chain)
{
    for (size_t i = 0; heights != NULL && i < heights->count; i++)
        if (heights->list[i].chain == chain)
            return &heights->list[i];
    return NULL;
}

_Atomic uint64_t *heights_place(struct audit_heights *heights, unsigned chain)
{
    struct height *height = find(heights, chain);
    return height == NULL ? NULL : &height->seq;
}

void heights_append(const struct audit_heights *heights, unsigned chain, struct buf *out)
{
    bool first = true;
    for (size_t i = 0; heights != NULL && i < heights->count; i++) {
        const struct height *height = &heights->list[i];
        uint64_t seq = atomic_load_explicit(&height->seq, memory_order_acquire);
        if (height->chain == chain || seq == 0)
            continue;
        buf_str(out, first ? ",\"beside\":[[" : ",[");
        encode_digits(out, height->chain);
        buf_byte(out, ',');
        encode_digits(out, seq);
        buf_byte(out, ']');
        first = false;
    }
    if (!first)
        buf_byte(out, ']');
}

bool heights_read(const char *line, size_t len, heights_fn *take, void *context)
{
    static const char words[] = ",\"beside\":[";
    json_t *record = memmem(line, len, words, sizeof words - 1) == NULL
                         ? NULL
                         : json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(record, "beside");
    size_t taken = 0;
    for (size_t i = 0; i < json_array_size(list) && i < HEIGHTS_MAX; i++) {
        const json_t *pair = json_array_get(list, i);
        json_int_t chain = json_integer_value(json_array_get(pair, 0));
        json_int_t seq = json_integer_value(json_array_get(pair, 1));
        if (chain < 0 || chain > (json_int_t)UINT32_MAX || seq <= 0)
            continue;
        take((unsigned)chain, (uint64_t)seq, context);
        taken++;
    }
    json_decref(record);
    return taken > 0;
}

/* ---- what is there at a start ---- */

struct look {
    struct audit_heights *heights;
    int dir_fd;
    struct key_ring *ring;
    struct hasher *hasher;
    unsigned by;
};

static int by_chain(const void *left, const void *right)
{
    const struct height *a = left;
    const struct height *b = right;
    return (a->chain > b->chain) - (a->chain < b->chain);
}

static void add(struct audit_heights *heights, unsigned chain)
{
    if (heights->count < HEIGHTS_MAX && find(heights, chain) == NULL)
        heights->list[heights->count++] = (struct height){.chain = chain};
}

static enum status add_found(void *context, const struct file_named *file)
{
    add(context, file->chain);
    return OK;
}

static void take_named(unsigned chain, uint64_t seq, void *context)
{
    struct look *look = context;
    /* One that has no file any more is not in the list. */
    add(look->heights, chain);
    struct height *height = find(look->heights, chain);
    if (height == NULL || seq <= height->named)
        return;
    height->named = seq;
    height->by = look->by;
}

/* The last line that is a checkpoint of ours. */
static void look_back(struct look *look, const char *bytes, size_t len)
{
    const char *end = bytes + len;
    while (end > bytes) {
        const char *newline = memrchr(bytes, '\n', (size_t)(end - bytes));
        if (newline == NULL)
            return;
        const char *before =
            newline == bytes ? NULL : memrchr(bytes, '\n', (size_t)(newline - bytes));
        const char *start = before == NULL ? bytes : before + 1;
        size_t line_len = (size_t)(newline - start);
        struct chain_line line;
        if (chain_line_parse(start, line_len, &line) && strcmp(line.type, "checkpoint") == 0 &&
            chain_checkpoint_verify(start, line_len, look->ring)) {
            (void)heights_read(start, line_len, take_named, look);
            return;
        }
        end = start;
    }
}

static void look_into(struct look *look, unsigned chain, uint64_t number)
{
    char name[FILE_NAME_MAX];
    struct stat st;
    file_name(chain, number, name);
    int fd = openat(look->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        size_t len = (uint64_t)st.st_size > WINDOW ? WINDOW : (size_t)st.st_size;
        char *bytes = malloc(len);
        look->by = chain;
        if (bytes != NULL && file_read_at(fd, bytes, len, (uint64_t)st.st_size - len) == OK)
            look_back(look, bytes, len);
        free(bytes);
    }
    (void)close(fd);
}

static bool look_up(const struct look *look, struct height *height, struct recovered *found)
{
    if (recover_chain(look->dir_fd, height->chain, "", look->hasher, found) != OK)
        return false;
    height->had = found->chain.next_seq - 1;
    atomic_store(&height->seq, height->had);
    return true;
}

static void look_at(struct look *look, struct height *height)
{
    struct recovered found;
    if (!look_up(look, height, &found))
        return;
    if (look->ring == NULL || height->chain >= AUDIT_CHAIN_BY_HAND)
        return;
    look_into(look, height->chain, found.number);
    if (found.number > 1) /* a new file may not have one yet */
        look_into(look, height->chain, found.number - 1);
}

static void load_ring(struct look *look, const char *directory)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/public.pem", directory);
    if (len < 0 || (size_t)len >= sizeof path || key_ring_load(path, &look->ring) != OK)
        look->ring = NULL;
}

enum status audit_heights_new(const char *directory, unsigned chains, struct audit_heights **out)
{
    struct audit_heights *heights = calloc(1, sizeof *heights);
    struct look look = {.heights = heights, .hasher = hasher_new()};
    if (heights == NULL || look.hasher == NULL) {
        hasher_free(look.hasher);
        free(heights);
        return ERR_MEMORY;
    }
    for (unsigned i = 0; i < chains; i++)
        add(heights, i);
    look.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (look.dir_fd >= 0) { /* else it is still to be made */
        load_ring(&look, directory);
        (void)!file_each(look.dir_fd, add_found, heights);
        size_t there = heights->count;
        for (size_t i = 0; i < there; i++)
            look_at(&look, &heights->list[i]);
        /* Another server that runs here, which this one will not get past, has written on since. */
        for (size_t i = 0; i < heights->count; i++) {
            struct recovered again;
            if (heights->list[i].named > heights->list[i].had)
                (void)look_up(&look, &heights->list[i], &again);
        }
        (void)close(look.dir_fd);
    }
    qsort(heights->list, heights->count, sizeof *heights->list, by_chain);
    key_ring_free(look.ring);
    hasher_free(look.hasher);
    *out = heights;
    return OK;
}

void audit_heights_free(struct audit_heights *heights)
{
    free(heights);
}

bool audit_heights_behind(const struct audit_heights *heights, size_t *cursor,
                          struct audit_behind *behind)
{
    for (; *cursor < heights->count; ++*cursor) {
        const struct height *height = &heights->list[*cursor];
        if (height->named <= height->had)
            continue;
        *behind = (struct audit_behind){
            .chain = height->chain, .had = height->had, .named = height->named, .by = height->by};
        ++*cursor;
        return true;
    }
    return false;
}
