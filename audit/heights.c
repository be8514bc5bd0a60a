/*
 * heights.c: how far each chain has got (see heights.h).
 *
 * Trust boundary: what a checkpoint names is read when its signature is good, and its numbers may
 * be nonsense all the same: an older version signed what it found.
 */
#include "heights.h"
#include "encode.h"
#include "heights_list.h"

#include <jansson.h>
#include <string.h>

struct height *heights_find(struct audit_heights *heights, unsigned chain)
{
    for (size_t i = 0; heights != NULL && i < heights->count; i++)
        if (heights->list[i].chain == chain)
            return &heights->list[i];
    return NULL;
}

struct height *heights_place(struct audit_heights *heights, unsigned chain)
{
    return heights_find(heights, chain);
}

/* One lock for all would have the workers wait for each other at each flush: the record is written
 * by one thread, and read by the others once a minute. */
void height_set(struct height *height, uint64_t seq, const char *hash)
{
    if (height == NULL)
        return;
    pthread_mutex_lock(&height->lock);
    height->seq = seq;
    memcpy(height->hash, hash, CHAIN_HASH_HEX);
    pthread_mutex_unlock(&height->lock);
}

static uint64_t get(struct height *height, char hash[HEIGHTS_HASH])
{
    pthread_mutex_lock(&height->lock);
    uint64_t seq = height->seq;
    memcpy(hash, height->hash, HEIGHTS_HASH);
    pthread_mutex_unlock(&height->lock);
    return seq;
}

void heights_append(struct audit_heights *heights, unsigned chain, struct buf *out)
{
    bool first = true;
    for (size_t i = 0; heights != NULL && i < heights->count; i++) {
        struct height *height = &heights->list[i];
        char hash[HEIGHTS_HASH];
        uint64_t seq = height->chain == chain ? 0 : get(height, hash);
        /* Nobody could read a greater number, and with it none of the others. */
        if (seq == 0 || seq > INT64_MAX)
            continue;
        if (first)
            encode_field(out, "since", heights->since);
        buf_str(out, first ? ",\"beside\":[[" : ",[");
        encode_digits(out, height->chain);
        buf_byte(out, ',');
        encode_digits(out, seq);
        buf_str(out, ",\"");
        buf_append(out, hash, sizeof hash);
        buf_str(out, "\"]");
        first = false;
    }
    if (!first)
        buf_byte(out, ']');
}

/* A pair is what an older version wrote. */
static bool read_one(const json_t *one, struct heights_named *named)
{
    const json_t *chain = json_array_get(one, 0);
    const json_t *seq = json_array_get(one, 1);
    const char *hash = json_string_value(json_array_get(one, 2));
    size_t size = json_array_size(one);
    memset(named, 0, sizeof *named);
    if (!json_is_integer(chain) || json_integer_value(chain) < 0 ||
        json_integer_value(chain) > (json_int_t)UINT32_MAX || !json_is_integer(seq) ||
        json_integer_value(seq) <= 0 || size > 3)
        return false;
    named->chain = (unsigned)json_integer_value(chain);
    named->seq = (uint64_t)json_integer_value(seq);
    if (size == 2)
        return true;
    if (hash == NULL || strlen(hash) != HEIGHTS_HASH ||
        strspn(hash, "0123456789abcdef") != HEIGHTS_HASH)
        return false;
    memcpy(named->hash, hash, HEIGHTS_HASH);
    return true;
}

bool heights_read(const char *line, size_t len, heights_fn *take, void *context)
{
    static const char words[] = ",\"beside\":";
    if (memmem(line, len, words, sizeof words - 1) == NULL)
        return true;
    json_t *record = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(record, "beside");
    bool good = json_is_array(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct heights_named named;
        if (read_one(json_array_get(list, i), &named))
            take(&named, context);
        else
            good = false;
    }
    json_decref(record);
    return good;
}
