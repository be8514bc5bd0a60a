/*
 * begun.c: statements that have begun and not ended (see begun.h).
 */
#include "begun.h"

#include <stdlib.h>
#include <string.h>

#define ELEMENT_BYTES 160U /* of a subject in Jansson's form */

static void release(struct begun *begun, struct begun_statement *statement)
{
    begun->bytes -= statement->len + json_array_size(statement->patients) * ELEMENT_BYTES;
    free(statement->line);
    json_decref(statement->patients);
    statement->line = NULL;
    statement->len = 0;
    statement->patients = NULL;
}

void begun_clear(struct begun *begun)
{
    for (size_t i = 0; i < begun->count; i++)
        release(begun, &begun->items[i]);
    free(begun->items);
    memset(begun, 0, sizeof *begun);
}

/* Of the first whose number is not below. */
static size_t place(const struct begun *begun, uint64_t seq)
{
    size_t low = 0;
    size_t high = begun->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (begun->items[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct begun_statement *begun_find(struct begun *begun, uint64_t seq)
{
    size_t at = place(begun, seq);
    return at < begun->count && begun->items[at].seq == seq ? &begun->items[at] : NULL;
}

struct begun_statement *begun_add(struct begun *begun, uint64_t seq)
{
    if (begun->count == begun->cap) {
        size_t cap = begun->cap ? begun->cap * 2 : 64;
        struct begun_statement *grown = realloc(begun->items, cap * sizeof *grown);
        if (!grown)
            return NULL;
        begun->items = grown;
        begun->cap = cap;
    }
    size_t at = place(begun, seq);
    memmove(&begun->items[at + 1], &begun->items[at], (begun->count - at) * sizeof *begun->items);
    begun->count++;
    begun->items[at] = (struct begun_statement){.seq = seq};
    return &begun->items[at];
}

enum status begun_keep(struct begun *begun, struct begun_statement *statement, const char *line,
                       size_t len)
{
    statement->line = malloc(len);
    if (!statement->line)
        return ERR_MEMORY;
    memcpy(statement->line, line, len);
    statement->len = len;
    begun->bytes += len;
    return OK;
}

enum status begun_more(struct begun *begun, struct begun_statement *statement,
                       const struct query *query, const json_t *more)
{
    const json_t *list = json_object_get(more, "patients");
    size_t most = query->patients_max ? query->patients_max : BEGUN_PATIENTS;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *element = json_array_get(list, i);
        if (query->patient && !query_is_patient(query, element))
            continue;
        if (!statement->patients)
            statement->patients = json_array();
        if (json_array_size(statement->patients) >= most) {
            statement->patients_left_out++;
            continue;
        }
        if (json_array_append(statement->patients, element) != 0)
            return ERR_MEMORY;
        begun->bytes += ELEMENT_BYTES;
    }
    return OK;
}

void begun_remove(struct begun *begun, struct begun_statement *statement)
{
    size_t at = (size_t)(statement - begun->items);
    release(begun, statement);
    begun->count--;
    memmove(&begun->items[at], &begun->items[at + 1], (begun->count - at) * sizeof *begun->items);
}

void begun_prune(struct begun *begun)
{
    size_t kept = 0;
    for (size_t i = 0; i < begun->count; i++) {
        struct begun_statement *statement = &begun->items[i];
        if (statement->line && statement->met) {
            begun->items[kept++] = *statement;
            continue;
        }
        release(begun, statement);
    }
    begun->count = kept;
}
