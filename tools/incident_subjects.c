/*
 * incident_subjects.c: whose data: patients as numbers in ranges, and as texts (see incident.h).
 *
 * Ranges are put together when their number has doubled, so that a trail that names the same
 * hundred thousand patients a thousand times takes the room of a hundred thousand.
 */
#include "audit/query.h"
#include "tools/incident.h"

#include <stdlib.h>
#include <string.h>

#define RANGES_LEAST 1024U

static int by_first(const void *left, const void *right)
{
    const struct subject_range *a = left;
    const struct subject_range *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return 0;
}

/* Sorted, and none touches the next. */
static void settle(struct subject_set *set)
{
    size_t kept = 0;
    if (!set->loose)
        return;
    qsort(set->ranges, set->count, sizeof *set->ranges, by_first);
    for (size_t i = 0; i < set->count; i++) {
        struct subject_range range = set->ranges[i];
        struct subject_range *before = kept ? &set->ranges[kept - 1] : NULL;
        if (before && (before->last == INT64_MAX || range.first <= before->last + 1))
            before->last = range.last > before->last ? range.last : before->last;
        else
            set->ranges[kept++] = range;
    }
    set->count = kept;
    set->settled = kept;
    set->loose = false;
}

static enum status add_range(struct subject_set *set, int64_t first, int64_t last)
{
    if (last < first)
        return OK;
    if (set->count >= RANGES_LEAST && set->count >= 2 * set->settled)
        settle(set);
    if (set->count == set->cap) {
        size_t cap = set->cap ? set->cap * 2 : 16;
        struct subject_range *grown = realloc(set->ranges, cap * sizeof *grown);
        if (!grown)
            return ERR_MEMORY;
        set->ranges = grown;
        set->cap = cap;
    }
    set->ranges[set->count++] = (struct subject_range){first, last};
    set->loose = true;
    return OK;
}

enum status subject_set_add(struct subject_set *set, const json_t *element)
{
    const char *text = json_string_value(element);
    int64_t number = 0;
    if (!text)
        return json_array_size(element) == 2
                   ? add_range(set, json_integer_value(json_array_get(element, 0)),
                               json_integer_value(json_array_get(element, 1)))
                   : OK;
    /* "17" is 17, as it is to a search for the patient. */
    if (query_number(text, &number))
        return add_range(set, number, number);
    if (!set->texts)
        set->texts = json_object();
    return json_object_set_new(set->texts, text, json_true()) == 0 ? OK : ERR_MEMORY;
}

uint64_t subject_set_count(struct subject_set *set)
{
    uint64_t count = json_object_size(set->texts);
    settle(set);
    for (size_t i = 0; i < set->count; i++)
        count += (uint64_t)set->ranges[i].last - (uint64_t)set->ranges[i].first + 1;
    return count;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

json_t *subject_set_list(struct subject_set *set)
{
    json_t *list = json_array();
    size_t count = json_object_size(set->texts);
    const char **texts = calloc(count + 1, sizeof *texts);
    const char *text = NULL;
    json_t *unused = NULL;
    size_t at = 0;
    settle(set);
    for (size_t i = 0; i < set->count; i++)
        (void)json_array_append_new(list, json_pack("[I, I]", (json_int_t)set->ranges[i].first,
                                                    (json_int_t)set->ranges[i].last));
    if (!texts)
        return list;
    json_object_foreach(set->texts, text, unused) texts[at++] = text;
    qsort(texts, count, sizeof *texts, by_text);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(texts[i]));
    free((void *)texts);
    return list;
}

bool subject_set_have_number(const struct subject_set *set, int64_t number)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->ranges[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->ranges[low].first <= number;
}

bool subject_set_have_text(const struct subject_set *set, const char *text)
{
    return json_object_get(set->texts, text) != NULL;
}

void subject_set_free(struct subject_set *set)
{
    free(set->ranges);
    json_decref(set->texts);
    *set = (struct subject_set){.ranges = NULL};
}
