/*
 * cells_state.h: what is kept of a person's answers: rows and their cells, patients, and the sets
 * of patients that answers were over. Private to cells*.c; cells.c's lock holds for all of it.
 */
#ifndef PGVIGIL_PROXY_CELLS_STATE_H
#define PGVIGIL_PROXY_CELLS_STATE_H

#include "proxy/cells.h"

#include <roaring/roaring.h>

/* Sets that are kept, and the bytes of all of them. */
#define CELLS_SETS_MAX       ((size_t)20000)
#define CELLS_SETS_BYTES_MAX ((size_t)64 << 20)

struct cells_kept {
    uint64_t hash;
    uint64_t patient;
    uint32_t number; /* from 1; 0: the place is empty */
};

/* Open addressing; cap is a power of two, or 0. */
struct cells_table {
    struct cells_kept *kept;
    size_t count, cap;
};

struct cells_state {
    struct cells_table rows;     /* number: the cell */
    struct cells_table patients; /* number: 1 + the patient's in sets */
    uint32_t *sizes;             /* of each cell: its rows */
    uint32_t cells;              /* numbers given so far */
    size_t sizes_cap;
    roaring_bitmap_t **sets; /* each once */
    size_t set_count, set_cap, set_bytes;
    int64_t since; /* day of the first answer that is kept */
    int64_t day;   /* of `spent` */
    uint64_t spent;
};

void cells_state_free(struct cells_state *state);
/* All answers; what was spent stays. */
void cells_state_forget(struct cells_state *state);

/* Room for as many more. ERR_LIMIT, ERR_MEMORY: nothing is changed that counts. */
NODISCARD enum status cells_table_reserve(struct cells_table *table, size_t more);
/* Where it is, or would be. cap is not 0. */
size_t cells_table_place(const struct cells_table *table, uint64_t hash);
/* Its number, or 0. */
uint32_t cells_table_find(const struct cells_table *table, uint64_t hash);
/* There is room. */
void cells_table_put(struct cells_table *table, uint64_t hash, uint64_t patient, uint32_t number);

/* Room for as many cells more. ERR_MEMORY, ERR_LIMIT. */
NODISCARD enum status cells_state_reserve(struct cells_state *state, size_t more);
/* A new cell, the last, takes as many rows from `cell` (0: from none). */
void cells_state_split(struct cells_state *state, uint32_t cell, size_t rows);
/* Takes the set. ERR_LIMIT, ERR_MEMORY: it is freed. */
NODISCARD enum status cells_state_add_set(struct cells_state *state, roaring_bitmap_t *set);

#endif
