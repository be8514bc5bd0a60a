/*
 * seen.c: sets of patients (see seen.h).
 *
 * Trust boundary: the runs are a file's: any two integers, the least and the greatest too.
 */
#include "seen.h"

#include <stdlib.h>
#include <string.h>

void seen_free(struct seen *seen)
{
    map_free(seen->texts);
    free(seen->runs);
    memset(seen, 0, sizeof *seen);
}

enum status seen_text(struct seen *seen, const char *text, bool *fresh)
{
    if (!seen->texts)
        seen->texts = map_new();
    if (!seen->texts)
        return ERR_MEMORY;
    *fresh = map_get_str(seen->texts, text) == NULL;
    return *fresh ? map_put_str(seen->texts, text, seen) : OK;
}

/* The first run that ends at or behind `value`. */
static size_t from(const struct seen *seen, int64_t value)
{
    size_t low = 0;
    size_t high = seen->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (seen->runs[middle].last < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool seen_gap(const struct seen *seen, int64_t first, int64_t last, struct seen_run *gap)
{
    size_t at = from(seen, first);
    if (at < seen->count && seen->runs[at].first <= first) {
        if (seen->runs[at].last >= last)
            return false;
        first = seen->runs[at].last + 1; /* less than last: no overflow */
        at++;
    }
    gap->first = first;
    gap->last = at < seen->count && seen->runs[at].first <= last ? seen->runs[at].first - 1 : last;
    return true;
}

enum status seen_add(struct seen *seen, int64_t first, int64_t last)
{
    /* With those that touch it, it becomes one. */
    size_t start = from(seen, first == INT64_MIN ? first : first - 1);
    size_t end = start;
    while (end < seen->count && (last == INT64_MAX || seen->runs[end].first <= last + 1)) {
        if (seen->runs[end].first < first)
            first = seen->runs[end].first;
        if (seen->runs[end].last > last)
            last = seen->runs[end].last;
        end++;
    }
    if (start == end && seen->count == seen->cap) {
        size_t cap = seen->cap ? seen->cap * 2 : 16;
        struct seen_run *grown = realloc(seen->runs, cap * sizeof *grown);
        if (!grown)
            return ERR_MEMORY;
        seen->runs = grown;
        seen->cap = cap;
    }
    memmove(seen->runs + start + 1, seen->runs + end, (seen->count - end) * sizeof *seen->runs);
    seen->count = seen->count - (end - start) + 1;
    seen->runs[start] = (struct seen_run){first, last};
    return OK;
}
