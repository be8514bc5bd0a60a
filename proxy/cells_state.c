/*
 * cells_state.c: tables of hashes, cells and sets (see cells_state.h).
 */
#include "proxy/cells_state.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP ((size_t)1024)

void cells_state_free(struct cells_state *state)
{
    for (size_t i = 0; i < state->set_count; i++)
        roaring_bitmap_free(state->sets[i]);
    free(state->sets);
    free(state->rows.kept);
    free(state->patients.kept);
    free(state->sizes);
    *state = (struct cells_state){.sets = NULL};
}

void cells_state_forget(struct cells_state *state)
{
    struct cells_state fresh = {.day = state->day, .spent = state->spent};
    cells_state_free(state);
    *state = fresh;
}

/* ---- tables ---- */

/* The hashes are PostgreSQL's own: mixed well, but nobody's secret. */
static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93ULL;
    return hash ^ hash >> 32;
}

size_t cells_table_place(const struct cells_table *table, uint64_t hash)
{
    size_t at = mix(hash) & (table->cap - 1);
    while (table->kept[at].number != 0 && table->kept[at].hash != hash)
        at = (at + 1) & (table->cap - 1);
    return at;
}

uint32_t cells_table_find(const struct cells_table *table, uint64_t hash)
{
    return table->cap == 0 ? 0 : table->kept[cells_table_place(table, hash)].number;
}

enum status cells_table_reserve(struct cells_table *table, size_t more)
{
    struct cells_table larger = *table;
    if (more > CELLS_ROWS_MAX || table->count + more > CELLS_ROWS_MAX)
        return ERR_LIMIT;
    if (larger.cap == 0)
        larger.cap = FIRST_CAP;
    while ((table->count + more) * 2 > larger.cap)
        larger.cap *= 2;
    if (larger.cap == table->cap)
        return OK;
    larger.kept = calloc(larger.cap, sizeof *larger.kept);
    if (larger.kept == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < table->cap; i++)
        if (table->kept[i].number != 0)
            larger.kept[cells_table_place(&larger, table->kept[i].hash)] = table->kept[i];
    free(table->kept);
    *table = larger;
    return OK;
}

void cells_table_put(struct cells_table *table, uint64_t hash, uint64_t patient, uint32_t number)
{
    struct cells_kept *kept = &table->kept[cells_table_place(table, hash)];
    table->count += kept->number == 0 ? 1 : 0;
    *kept = (struct cells_kept){.hash = hash, .patient = patient, .number = number};
}

/* ---- cells ---- */

enum status cells_state_reserve(struct cells_state *state, size_t more)
{
    size_t cells = state->cells + more + 1;
    if (more > CELLS_ROWS_MAX || cells >= UINT32_MAX)
        return ERR_LIMIT;
    if (cells <= state->sizes_cap)
        return OK;
    size_t cap = cells + cells / 2;
    uint32_t *sizes = realloc(state->sizes, cap * sizeof *sizes);
    if (sizes == NULL)
        return ERR_MEMORY;
    memset(sizes + state->sizes_cap, 0, (cap - state->sizes_cap) * sizeof *sizes);
    state->sizes = sizes;
    state->sizes_cap = cap;
    return OK;
}

void cells_state_split(struct cells_state *state, uint32_t cell, size_t rows)
{
    state->cells++;
    state->sizes[state->cells] = (uint32_t)rows;
    if (cell != 0)
        state->sizes[cell] -= (uint32_t)rows;
}

/* ---- sets ---- */

enum status cells_state_add_set(struct cells_state *state, roaring_bitmap_t *set)
{
    (void)roaring_bitmap_run_optimize(set);
    size_t bytes = roaring_bitmap_portable_size_in_bytes(set);
    enum status status =
        state->set_count >= CELLS_SETS_MAX || state->set_bytes + bytes > CELLS_SETS_BYTES_MAX
            ? ERR_LIMIT
            : OK;
    if (status == OK && state->set_count == state->set_cap) {
        size_t cap = state->set_cap == 0 ? 64 : state->set_cap * 2;
        /* Pointers. NOLINTNEXTLINE(bugprone-sizeof-expression) */
        roaring_bitmap_t **grown = realloc((void *)state->sets, cap * sizeof *grown);
        status = grown == NULL ? ERR_MEMORY : OK;
        state->sets = grown == NULL ? state->sets : grown;
        state->set_cap = grown == NULL ? state->set_cap : cap;
    }
    if (status != OK) {
        roaring_bitmap_free(set);
        return status;
    }
    state->sets[state->set_count++] = set;
    state->set_bytes += bytes;
    return OK;
}
