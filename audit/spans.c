/*
 * spans.c: open statements (see spans.h).
 *
 * Trust boundary: the records are a file's, which may be a forger's: lists are what they are, and
 * an element that is neither a text nor a pair of integers is said to be wrong.
 */
#include "spans.h"

#include <errno.h>
#include <pgvigil/buf.h>
#include <pgvigil/map.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one statement, in memory. */
#define LISTS_MEMORY ((size_t)256 << 10)

/* Lists of patients, one JSON array a line: those in memory first, then those in the file. */
struct span_lists {
    struct buf memory;
    FILE *spill; /* NULL: all are in memory */
    char *line;  /* getline's */
    size_t line_cap;
};

struct spans {
    struct map *open; /* by seq */
};

struct spans *spans_new(void)
{
    struct spans *spans = calloc(1, sizeof *spans);
    if (!spans)
        return NULL;
    spans->open = map_new();
    if (!spans->open) {
        free(spans);
        return NULL;
    }
    return spans;
}

static void lists_free(struct span_lists *lists)
{
    if (!lists)
        return;
    buf_free(&lists->memory);
    if (lists->spill)
        (void)fclose(lists->spill);
    free(lists->line);
    free(lists);
}

void span_free(struct span *span)
{
    if (!span)
        return;
    json_decref(span->begin);
    lists_free(span->lists);
    free(span);
}

void spans_free(struct spans *spans)
{
    if (!spans)
        return;
    for (struct span *span = spans_leftover(spans); span;) {
        struct span *next = span->next;
        span_free(span);
        span = next;
    }
    map_free(spans->open);
    free(spans);
}

static bool is_aggregate(const json_t *record)
{
    const char *subjects = json_string_value(json_object_get(record, "subjects"));
    return subjects && strcmp(subjects, "aggregate") == 0;
}

enum status spans_begin(struct spans *spans, unsigned chain, uint64_t seq, const char *hash,
                        json_t *begin)
{
    struct span *span = calloc(1, sizeof *span);
    if (!span)
        return ERR_MEMORY;
    span->seq = seq;
    span->chain = chain;
    span->aggregate = is_aggregate(begin);
    (void)snprintf(span->hash, sizeof span->hash, "%s", hash);
    /* A copied line makes two with one number: the first stands. */
    if (spans_find(spans, seq) || map_put(spans->open, &seq, sizeof seq, span) != OK) {
        free(span);
        return ERR_INVALID;
    }
    span->begin = json_incref(begin);
    return OK;
}

struct span *spans_find(const struct spans *spans, uint64_t seq)
{
    return map_get(spans->open, &seq, sizeof seq);
}

void spans_take(struct spans *spans, struct span *span)
{
    (void)map_remove(spans->open, &span->seq, sizeof span->seq);
}

static enum status spill(struct span_lists *lists, const char *text)
{
    if (!lists->spill)
        lists->spill = tmpfile();
    if (!lists->spill || fputs(text, lists->spill) < 0 || putc('\n', lists->spill) == EOF)
        return ERR_IO;
    return OK;
}

enum status span_more(struct span *span, const json_t *more)
{
    const json_t *patients = json_object_get(more, "patients");
    const json_t *rows = json_object_get(more, "rows");
    if (json_is_integer(rows) && json_integer_value(rows) > 0)
        span->rows = (uint64_t)json_integer_value(rows);
    span->aggregate = span->aggregate || is_aggregate(more);
    if (json_array_size(patients) == 0)
        return OK;
    if (!span->lists) {
        span->lists = calloc(1, sizeof *span->lists);
        if (!span->lists)
            return ERR_MEMORY;
        buf_init(&span->lists->memory, 0);
    }
    char *text = json_dumps(patients, JSON_COMPACT);
    if (!text)
        return ERR_MEMORY;
    enum status status = OK;
    size_t len = strlen(text);
    if (span->lists->spill || buf_len(&span->lists->memory) + len > LISTS_MEMORY) {
        status = spill(span->lists, text);
    } else {
        buf_append(&span->lists->memory, text, len);
        buf_byte(&span->lists->memory, '\n');
        status = span->lists->memory.failed ? ERR_MEMORY : OK;
    }
    free(text);
    return status;
}

static int by_seq(const void *left, const void *right)
{
    const struct span *a = *(struct span *const *)left;
    const struct span *b = *(struct span *const *)right;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

struct span *spans_leftover(struct spans *spans)
{
    size_t count = map_count(spans->open);
    struct span **all = count ? malloc(count * sizeof(struct span *)) : NULL;
    struct span *list = NULL;
    size_t cursor = 0;
    size_t at = 0;
    void *value = NULL;
    while (map_next(spans->open, &cursor, NULL, NULL, &value)) {
        struct span *span = value;
        if (all) {
            all[at++] = span;
        } else { /* out of memory: in any order */
            span->next = list;
            list = span;
        }
    }
    map_clear(spans->open);
    if (all)
        qsort(all, at, sizeof(struct span *), by_seq);
    for (size_t i = at; i > 0; i--) {
        all[i - 1]->next = list;
        list = all[i - 1];
    }
    free(all);
    return list;
}

void patients_of(struct patients *patients, const json_t *record, const struct span *span)
{
    memset(patients, 0, sizeof *patients);
    patients->first = json_object_get(record, "patients");
    patients->lists = span ? span->lists : NULL;
    if (patients->lists && patients->lists->spill)
        rewind(patients->lists->spill);
}

/* The next list into `current`. */
static enum status next_list(struct patients *patients)
{
    struct span_lists *lists = patients->lists;
    if (!lists)
        return CLOSED;
    size_t left = buf_len(&lists->memory) - patients->read;
    const char *start = left ? (const char *)buf_head(&lists->memory) + patients->read : NULL;
    const char *newline = left ? memchr(start, '\n', left) : NULL;
    if (newline) {
        size_t len = (size_t)(newline - start);
        patients->current = json_loadb(start, len, 0, NULL);
        patients->read += len + 1;
        return patients->current ? OK : ERR_MEMORY;
    }
    if (!lists->spill)
        return CLOSED;
    errno = 0;
    ssize_t len = getline(&lists->line, &lists->line_cap, lists->spill);
    if (len < 0)
        return ferror(lists->spill) || errno ? ERR_IO : CLOSED;
    patients->current = json_loadb(lists->line, (size_t)len, 0, NULL);
    return patients->current ? OK : ERR_MEMORY;
}

static enum status take(const json_t *element, struct patient *patient)
{
    memset(patient, 0, sizeof *patient);
    patient->text = json_string_value(element);
    if (patient->text)
        return OK;
    const json_t *first = json_array_get(element, 0);
    const json_t *last = json_array_get(element, 1);
    if (json_array_size(element) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
        json_integer_value(first) > json_integer_value(last))
        return ERR_INVALID;
    patient->first = json_integer_value(first);
    patient->last = json_integer_value(last);
    return OK;
}

enum status patients_next(struct patients *patients, struct patient *patient)
{
    for (;;) {
        const json_t *list = patients->current ? patients->current : patients->first;
        if (patients->at < json_array_size(list))
            return take(json_array_get(list, patients->at++), patient);
        json_decref(patients->current);
        patients->current = NULL;
        patients->first = NULL;
        patients->at = 0;
        enum status status = next_list(patients);
        if (status != OK)
            return status;
    }
}

void patients_end(struct patients *patients)
{
    json_decref(patients->current);
    memset(patients, 0, sizeof *patients);
}
