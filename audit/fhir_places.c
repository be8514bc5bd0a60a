/*
 * fhir_places.c: positions as text (see fhir_places.h).
 *
 * Trust boundary: the text comes from a command line; anything but the exact form is refused.
 */
#include "fhir_places.h"

#include <inttypes.h>
#include <pgvigil/buf.h>
#include <stdlib.h>
#include <string.h>

static bool take_number(const char **at, uint64_t *value)
{
    *value = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (*value > (UINT64_MAX - 9) / 10)
            return false;
        *value = *value * 10 + (uint64_t)(**at - '0');
    }
    return *at > start;
}

static enum status take_place(const char **at, struct places *places)
{
    uint64_t chain = 0;
    uint64_t seq = 0;
    if (!take_number(at, &chain) || chain > UINT32_MAX || **at != ':' ||
        places_find(places, (unsigned)chain))
        return ERR_INVALID;
    (*at)++;
    if (!take_number(at, &seq))
        return ERR_INVALID;
    struct place *place = places_add(places, (unsigned)chain);
    if (!place)
        return ERR_MEMORY;
    place->last = seq;
    while (**at == '+') {
        (*at)++;
        if (!take_number(at, &seq) || seq > place->last)
            return ERR_INVALID;
        if (place_open(place, seq) != OK)
            return ERR_MEMORY;
    }
    return OK;
}

enum status places_parse(const char *text, struct places *places)
{
    memset(places, 0, sizeof *places);
    enum status status = OK;
    const char *at = text;
    while (status == OK && *at) {
        status = take_place(&at, places);
        if (status == OK && *at)
            status = *at == ',' && at[1] ? OK : ERR_INVALID;
        at += status == OK && *at ? 1 : 0;
    }
    if (status != OK)
        places_free(places);
    return status;
}

char *places_text(const struct places *places)
{
    struct buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < places->count; i++) {
        const struct place *place = &places->at[i];
        buf_printf(&out, "%s%u:%" PRIu64, i ? "," : "", place->chain, place->last);
        for (size_t j = 0; j < place->open_count; j++)
            buf_printf(&out, "+%" PRIu64, place->open[j]);
    }
    buf_byte(&out, '\0');
    char *text = out.failed ? NULL : strdup((const char *)buf_head(&out));
    buf_free(&out);
    return text;
}

void places_free(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free(places->at[i].open);
    free(places->at);
    memset(places, 0, sizeof *places);
}

struct place *places_find(const struct places *places, unsigned chain)
{
    for (size_t i = 0; i < places->count; i++) {
        if (places->at[i].chain == chain)
            return &places->at[i];
    }
    return NULL;
}

struct place *places_add(struct places *places, unsigned chain)
{
    struct place *place = places_find(places, chain);
    if (place)
        return place;
    struct place *grown = realloc(places->at, (places->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    places->at = grown;
    place = &grown[places->count++];
    memset(place, 0, sizeof *place);
    place->chain = chain;
    return place;
}

enum status place_open(struct place *place, uint64_t seq)
{
    uint64_t *grown = realloc(place->open, (place->open_count + 1) * sizeof *grown);
    if (!grown)
        return ERR_MEMORY;
    place->open = grown;
    grown[place->open_count++] = seq;
    return OK;
}

bool place_has(const struct place *place, uint64_t seq)
{
    for (size_t i = 0; i < place->open_count; i++) {
        if (place->open[i] == seq)
            return true;
    }
    return false;
}
