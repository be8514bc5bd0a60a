/*
 * cells.c: the cells that a person's answers tell apart (see cells.h).
 *
 * A row is found by its hash in an open-addressed table, which tells its cell; cells have numbers
 * from 1, and 0 is an empty place. An answer is checked as a whole before anything is changed.
 */
#include "proxy/cells.h"

#include "proxy/cells_file.h"

#include <pgvigil/map.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cells_person {
    pthread_mutex_t lock;
    struct cells_state state;
    char *path;
    bool sync;
    bool dirty;
};

struct cells {
    pthread_mutex_t lock;
    const char *directory;
    bool sync;
    struct map *people; /* person, a byte 1, mission, a byte 1, database */
};

struct cells *cells_new(const char *directory, bool sync)
{
    struct cells *cells = calloc(1, sizeof *cells);
    if (cells == NULL)
        return NULL;
    cells->directory = directory;
    cells->sync = sync;
    cells->people = map_new();
    if (cells->people == NULL) {
        free(cells);
        return NULL;
    }
    pthread_mutex_init(&cells->lock, NULL);
    return cells;
}

static void person_free(struct cells_person *person)
{
    if (person == NULL)
        return;
    cells_state_free(&person->state);
    free(person->path);
    pthread_mutex_destroy(&person->lock);
    free(person);
}

void cells_free(struct cells *cells)
{
    if (cells == NULL)
        return;
    size_t cursor = 0;
    const char *key;
    size_t key_len;
    void *value;
    while (map_next(cells->people, &cursor, &key, &key_len, &value))
        person_free(value);
    map_free(cells->people);
    pthread_mutex_destroy(&cells->lock);
    free(cells);
}

static enum status person_open(const struct cells *cells, const char *key, size_t len,
                               struct cells_person **out)
{
    struct cells_person *person = calloc(1, sizeof *person);
    if (person == NULL)
        return ERR_MEMORY;
    pthread_mutex_init(&person->lock, NULL);
    person->sync = cells->sync;
    person->path = cells_file_path(cells->directory, key, len);
    enum status status =
        person->path == NULL ? ERR_MEMORY : cells_file_read(person->path, &person->state);
    if (status == OK)
        *out = person;
    else
        person_free(person);
    return status;
}

enum status cells_open(struct cells *cells, const char *person, const char *mission,
                       const char *database, struct cells_person **out)
{
    size_t len = strlen(person) + strlen(mission) + strlen(database) + 2;
    char *key = malloc(len + 1);
    if (key == NULL)
        return ERR_MEMORY;
    (void)snprintf(key, len + 1, "%s\001%s\001%s", person, mission, database);
    pthread_mutex_lock(&cells->lock);
    enum status status = OK;
    *out = map_get(cells->people, key, len);
    if (*out == NULL) {
        status = person_open(cells, key, len, out);
        if (status == OK && map_put(cells->people, key, len, *out) != OK) {
            person_free(*out);
            status = ERR_MEMORY;
        }
    }
    pthread_mutex_unlock(&cells->lock);
    free(key);
    return status;
}

/* ---- the day's answers ---- */

static int64_t day_of(int64_t now)
{
    return now / 86400;
}

/* A clock that is put back gives no second day. */
static void turn_day(struct cells_state *state, int64_t now)
{
    if (day_of(now) <= state->day)
        return;
    state->day = day_of(now);
    state->spent = 0;
}

uint64_t cells_left(struct cells_person *person, const struct policy_aggregate *bounds, int64_t now)
{
    pthread_mutex_lock(&person->lock);
    turn_day(&person->state, now);
    uint64_t spent = person->state.spent;
    pthread_mutex_unlock(&person->lock);
    return spent >= bounds->answers_per_day ? 0 : bounds->answers_per_day - spent;
}

void cells_charge(struct cells_person *person, uint64_t answers, int64_t now)
{
    pthread_mutex_lock(&person->lock);
    turn_day(&person->state, now);
    person->state.spent += answers;
    person->dirty = true;
    pthread_mutex_unlock(&person->lock);
}

/* ---- an answer ---- */

/* A row of an answer, and in which cell it is. */
struct entry {
    uint64_t row;
    uint64_t patient;
    uint64_t label; /* once or more often, and which columns have a value */
    uint32_t cell;  /* 0: in none yet */
};

static int by_row(const void *a, const void *b)
{
    const struct cells_row *x = a;
    const struct cells_row *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_patient(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    return (x->patient > y->patient) - (x->patient < y->patient);
}

static int by_part(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return by_patient(a, b);
}

#define ONCE ((uint64_t)1 << 8)

/* Each row once; the label holds whether it was there more than once, and its columns. */
static size_t gather(const struct cells_state *state, struct cells_row *rows, size_t count,
                     struct entry *entries)
{
    size_t found = 0;
    qsort(rows, count, sizeof *rows, by_row);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && rows[i].row == rows[i - 1].row) {
            entries[found - 1].label |= ONCE << 1;
            continue;
        }
        entries[found++] = (struct entry){.row = rows[i].row,
                                          .patient = rows[i].patient,
                                          .label = ONCE | rows[i].columns,
                                          .cell = cells_table_find(&state->rows, rows[i].row)};
    }
    return found;
}

/* A column that fewer than k have a value in, or 1 to k - 1 none, is not told (the statement makes
 * NULL of it): it tells nobody apart. Returns how many patients there are. */
static size_t drop_untold(struct entry *entries, size_t count, uint64_t k)
{
    size_t patients = 0;
    size_t with[8] = {0};
    size_t without[8] = {0};
    qsort(entries, count, sizeof *entries, by_patient);
    for (size_t i = 0; i < count;) {
        unsigned any = 0;
        unsigned all = 0xff;
        uint64_t patient = entries[i].patient;
        for (; i < count && entries[i].patient == patient; i++) {
            any |= (unsigned)(entries[i].label & 0xff);
            all &= (unsigned)(entries[i].label & 0xff);
        }
        patients++;
        for (unsigned bit = 0; bit < 8; bit++) {
            with[bit] += any >> bit & 1;
            without[bit] += (~all >> bit) & 1;
        }
    }
    uint64_t told = ~(uint64_t)0xff;
    for (unsigned bit = 0; bit < 8; bit++)
        if (with[bit] >= k && (without[bit] == 0 || without[bit] >= k))
            told |= (uint64_t)1 << bit;
    for (size_t i = 0; i < count; i++)
        entries[i].label &= told;
    return patients;
}

/* Behind `from`: the end of the run of one cell, and of one label if asked. */
static size_t run_end(const struct entry *entries, size_t count, size_t from, bool label)
{
    size_t i = from;
    while (i < count && entries[i].cell == entries[from].cell &&
           (!label || entries[i].label == entries[from].label))
        i++;
    return i;
}

static size_t patients_in(const struct entry *entries, size_t from, size_t to)
{
    size_t patients = 0;
    for (size_t i = from; i < to; i++)
        patients += i == from || entries[i].patient != entries[i - 1].patient ? 1 : 0;
    return patients;
}

static bool is_whole(const struct cells_state *state, const struct entry *entries, size_t from,
                     size_t to)
{
    uint32_t cell = entries[from].cell;
    return cell != 0 && to - from == state->sizes[cell] &&
           entries[from].label == entries[to - 1].label;
}

/* Each part that is told apart; *rests: how many cells are left with rows that the answer has not.
 */
static enum status check_parts(const struct cells_state *state, const struct entry *entries,
                               size_t count, uint64_t k, size_t *rests)
{
    for (size_t i = 0; i < count;) {
        size_t end = run_end(entries, count, i, false);
        uint32_t cell = entries[i].cell;
        bool whole = is_whole(state, entries, i, end);
        *rests += cell != 0 && end - i < state->sizes[cell] ? 1 : 0;
        for (size_t part = i; part < end && !whole;) {
            size_t part_end = run_end(entries, end, part, true);
            if (patients_in(entries, part, part_end) < k)
                return DENIED;
            part = part_end;
        }
        i = end;
    }
    return OK;
}

/* What is left of cells that are told apart. */
static enum status check_rests(const struct cells_state *state, const struct entry *entries,
                               size_t count, uint64_t k)
{
    unsigned char *left = calloc(state->cells + 1, 1);
    unsigned char *taken = calloc(state->rows.cap + 1, 1);
    struct entry *rest = malloc((state->rows.count + 1) * sizeof *rest);
    enum status status = left == NULL || taken == NULL || rest == NULL ? ERR_MEMORY : OK;
    size_t found = 0;
    for (size_t i = 0; i < count && status == OK; i++) {
        size_t end = run_end(entries, count, i, false);
        uint32_t cell = entries[i].cell;
        left[cell] = cell != 0 && end - i < state->sizes[cell];
        for (; left[cell] && i < end; i++)
            taken[cells_table_place(&state->rows, entries[i].row)] = 1;
        i = end - 1;
    }
    for (size_t i = 0; i < state->rows.cap && status == OK; i++) {
        const struct cells_kept *kept = &state->rows.kept[i];
        if (kept->number != 0 && left[kept->number] && !taken[i])
            rest[found++] = (struct entry){.patient = kept->patient, .cell = kept->number};
    }
    if (status == OK)
        qsort(rest, found, sizeof *rest, by_part);
    for (size_t i = 0; i < found && status == OK;) {
        size_t end = run_end(rest, found, i, false);
        status = patients_in(rest, i, end) < k ? DENIED : OK;
        i = end;
    }
    free(left);
    free(taken);
    free(rest);
    return status;
}

/* Nothing can fail any more but for want of memory, which was asked for before. */
static bool keep(struct cells_state *state, const struct entry *entries, size_t count)
{
    bool fresh = false;
    for (size_t i = 0; i < count;) {
        size_t end = run_end(entries, count, i, false);
        bool whole = is_whole(state, entries, i, end);
        for (size_t part = i; part < end && !whole;) {
            size_t part_end = run_end(entries, end, part, true);
            cells_state_split(state, entries[part].cell, part_end - part);
            for (; part < part_end; part++)
                cells_table_put(&state->rows, entries[part].row, entries[part].patient,
                                state->cells);
            fresh = true;
        }
        i = end;
    }
    return fresh;
}

/* ---- its patients ---- */

/* Of an answer, sorted by patient. */
struct patients {
    roaring_bitmap_t *known; /* by their numbers, in order of appearance */
    size_t count;            /* with those that were in no answer yet */
};

static enum status number_patients(const struct cells_state *state, const struct entry *entries,
                                   size_t count, struct patients *patients)
{
    patients->count = 0;
    patients->known = roaring_bitmap_create();
    if (patients->known == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && entries[i].patient == entries[i - 1].patient)
            continue;
        uint32_t number = cells_table_find(&state->patients, entries[i].patient);
        patients->count++;
        if (number != 0)
            roaring_bitmap_add(patients->known, number);
    }
    return OK;
}

static bool few(uint64_t count, uint64_t k)
{
    return count > 0 && count < k;
}

/* What one table says of a patient another mostly says as well, and so does another row: an answer
 * over all patients of an earlier one but a few, or over them and a few more, tells of these few.
 * *same: there was one over just these. */
static enum status check_sets(const struct cells_state *state, const struct patients *patients,
                              uint64_t k, bool *same)
{
    *same = false;
    for (size_t i = 0; i < state->set_count; i++) {
        uint64_t both = roaring_bitmap_and_cardinality(state->sets[i], patients->known);
        uint64_t less = roaring_bitmap_get_cardinality(state->sets[i]) - both;
        uint64_t more = patients->count - both;
        if (few(less, k) || few(more, k))
            return DENIED;
        *same = *same || (less == 0 && more == 0);
    }
    return OK;
}

/* There is room for all patients. */
static enum status keep_set(struct cells_state *state, const struct entry *entries, size_t count,
                            struct patients *patients)
{
    for (size_t i = 0; i < count; i++) {
        if (cells_table_find(&state->patients, entries[i].patient) != 0)
            continue;
        uint32_t number = (uint32_t)state->patients.count + 1;
        cells_table_put(&state->patients, entries[i].patient, entries[i].patient, number);
        roaring_bitmap_add(patients->known, number);
    }
    roaring_bitmap_t *set = patients->known;
    patients->known = NULL;
    return cells_state_add_set(state, set);
}

/* ---- both ---- */

static enum status check_all(const struct cells_state *state, struct entry *entries, size_t count,
                             uint64_t k, struct patients *patients, bool *same)
{
    if (drop_untold(entries, count, k) < k)
        return DENIED;
    enum status status = number_patients(state, entries, count, patients);
    if (status == OK)
        status = check_sets(state, patients, k, same);
    if (status != OK)
        return status;
    size_t rests = 0;
    qsort(entries, count, sizeof *entries, by_part);
    status = check_parts(state, entries, count, k, &rests);
    return status == OK && rests > 0 ? check_rests(state, entries, count, k) : status;
}

static enum status reserve(struct cells_state *state, size_t count)
{
    enum status status = cells_state_reserve(state, count);
    if (status == OK)
        status = cells_table_reserve(&state->rows, count);
    return status == OK ? cells_table_reserve(&state->patients, count) : status;
}

static enum status admit(struct cells_person *person, const struct policy_aggregate *bounds,
                         struct cells_row *rows, size_t count, struct entry *entries, bool *fresh)
{
    struct cells_state *state = &person->state;
    struct patients patients = {.known = NULL};
    bool same = false;
    size_t found = gather(state, rows, count, entries);
    enum status status = check_all(state, entries, found, bounds->k, &patients, &same);
    if (status == OK)
        status = reserve(state, found);
    /* The set first, which may still find no room. */
    if (status == OK && !same)
        status = keep_set(state, entries, found, &patients);
    if (status == OK)
        *fresh = keep(state, entries, found) || !same;
    person->dirty = person->dirty || *fresh;
    if (patients.known != NULL)
        roaring_bitmap_free(patients.known);
    return status;
}

enum status cells_admit(struct cells_person *person, const struct policy_aggregate *bounds,
                        struct cells_row *rows, size_t count, int64_t now, bool *fresh)
{
    *fresh = false;
    if (count == 0)
        return DENIED;
    struct entry *entries = malloc(count * sizeof *entries);
    if (entries == NULL)
        return ERR_MEMORY;
    pthread_mutex_lock(&person->lock);
    struct cells_state *state = &person->state;
    if (state->rows.count > 0 && day_of(now) - state->since >= (int64_t)bounds->remember_days)
        cells_state_forget(state);
    if (state->rows.count == 0)
        state->since = day_of(now);
    enum status status = admit(person, bounds, rows, count, entries, fresh);
    pthread_mutex_unlock(&person->lock);
    free(entries);
    return status;
}

enum status cells_save(struct cells_person *person)
{
    pthread_mutex_lock(&person->lock);
    enum status status =
        person->dirty ? cells_file_write(person->path, &person->state, person->sync) : OK;
    person->dirty = person->dirty && status != OK;
    pthread_mutex_unlock(&person->lock);
    return status;
}
