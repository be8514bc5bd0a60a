/*
 * traits.c: counting what values of a column are like (see traits.h).
 */
#include "tools/traits.h"

#include <pgvigil/arena.h>
#include <pgvigil/map.h>
#include <string.h>

#define ORDERED_PAIRS 20

struct traits_work {
    enum value_class class;
    struct arena *arena;
    struct map *counts; /* value -> size_t */
    const char *last;
    size_t values, pairs, rises, falls;
};

static void work_free(struct traits_work *work)
{
    if (work != NULL) {
        map_free(work->counts);
        arena_free(work->arena);
    }
}

struct traits_work *traits_begin(enum value_class class)
{
    struct arena *arena = arena_new(0);
    struct traits_work *work =
        arena == NULL ? NULL : arena_zalloc(arena, 1, sizeof(struct traits_work));
    if (work == NULL) {
        arena_free(arena);
        return NULL;
    }
    work->class = class;
    work->arena = arena;
    work->counts = map_new();
    if (work->counts == NULL) {
        work_free(work);
        return NULL;
    }
    return work;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Numbers of unequal length by their length: 9 before 10. */
static int compare(enum value_class class, const char *one, const char *other)
{
    size_t a = strlen(one);
    size_t b = strlen(other);
    if (class == VALUE_NUMBER && a != b)
        return a < b ? -1 : 1;
    return strcmp(one, other);
}

enum status traits_add(struct traits_work *work, const char *value, size_t len)
{
    while (len > 0 && blank(value[0])) {
        value++;
        len--;
    }
    while (len > 0 && blank(value[len - 1]))
        len--;
    if (len == 0)
        return OK;
    const char *copy = arena_strndup(work->arena, value, len);
    size_t *count = copy == NULL ? NULL : map_get(work->counts, copy, len);
    if (copy == NULL)
        return ERR_MEMORY;
    if (count == NULL) {
        count = arena_zalloc(work->arena, 1, sizeof *count);
        if (count == NULL || map_put(work->counts, copy, len, count) != OK)
            return ERR_MEMORY;
    }
    (*count)++;
    work->values++;
    int order = work->last == NULL ? 0 : compare(work->class, work->last, copy);
    work->pairs += work->last == NULL ? 0 : 1;
    work->rises += order < 0 ? 1 : 0;
    work->falls += order > 0 ? 1 : 0;
    work->last = copy;
    return OK;
}

static bool name_like(const char *text, size_t len)
{
    if (len < 2 || len > 60)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
        if (!letter && (i == 0 || strchr(" -'.,", c) == NULL))
            return false;
    }
    return true;
}

static void count_holds(const struct traits_work *work, const char *text, size_t len, size_t count,
                        struct traits *traits)
{
    bool prose = detect_is_prose(text, len);
    traits->prose += prose ? count : 0;
    if (!prose && work->class != VALUE_DOCUMENT)
        return;
    unsigned holds = detect_holds(text, len);
    for (size_t i = 0; i < HOLDS_COUNT; i++)
        traits->holds[i] += (holds & (1u << i)) != 0 ? count : 0;
    traits->holding += holds != 0 ? count : 0;
}

static void count_value(const struct traits_work *work, const char *text, size_t len, size_t count,
                        int today, struct traits *traits)
{
    size_t rows = 0;
    const struct detector *table = detect_table(&rows);
    for (size_t i = 0; i < rows; i++) {
        if ((table[i].classes & CLASS_BIT(work->class)) != 0 && table[i].valid(text, len, today)) {
            traits->valid[table[i].kind] += count;
            traits->distinct_valid[table[i].kind]++;
        }
    }
    bool text_like = work->class == VALUE_TEXT || work->class == VALUE_DOCUMENT;
    int year = detect_date(text, len) / 10000;
    if (year > 0 && (traits->first_year == 0 || year < traits->first_year))
        traits->first_year = year;
    if (year > traits->last_year)
        traits->last_year = year;
    if (text_like) {
        traits->name_like += name_like(text, len) ? count : 0;
        count_holds(work, text, len, count, traits);
    }
}

enum status traits_end(struct traits_work *work, int today, struct traits *traits)
{
    size_t cursor = 0;
    const char *key = NULL;
    size_t len = 0;
    void *count = NULL;
    *traits = (struct traits){0};
    if (work == NULL)
        return ERR_MEMORY;
    while (map_next(work->counts, &cursor, &key, &len, &count)) {
        /* The map's keys have no NUL behind them. */
        const char *text = arena_strndup(work->arena, key, len);
        if (text == NULL) {
            work_free(work);
            return ERR_MEMORY;
        }
        count_value(work, text, len, *(size_t *)count, today, traits);
    }
    traits->values = work->values;
    traits->distinct = map_count(work->counts);
    traits->ordered = work->pairs >= ORDERED_PAIRS && (work->rises * 100 >= work->pairs * 95 ||
                                                       work->falls * 100 >= work->pairs * 95);
    work_free(work);
    return OK;
}
