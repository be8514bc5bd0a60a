/*
 * report.c: findings summed by application and person (see report.h).
 */
#include "tools/report.h"

#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <pgvigil/map.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 10000
#define LINES_MAX  100000
#define SAMPLE_MAX 2000

struct report {
    struct arena *arena;
    struct map *groups;
    struct map *lines;
    struct report_group **list;
    size_t count, cap;
    struct report_group *others; /* of applications and people beyond the bound */
    uint64_t statements, refused, untold;
    const char *first, *last;
};

const char *report_kind_name(enum report_kind kind)
{
    static const char *const names[REPORT_KINDS] = {"refused", "hidden", "masked", "filtered"};
    return (size_t)kind < REPORT_KINDS ? names[kind] : "unknown";
}

struct report *report_new(void)
{
    struct report *report = calloc(1, sizeof(*report));
    if (report == NULL)
        return NULL;
    report->arena = arena_new(0);
    report->groups = map_new();
    report->lines = map_new();
    if (report->arena == NULL || report->groups == NULL || report->lines == NULL) {
        report_free(report);
        return NULL;
    }
    return report;
}

void report_free(struct report *report)
{
    if (report == NULL)
        return;
    map_free(report->groups);
    map_free(report->lines);
    arena_free(report->arena);
    free(report);
}

static const char *text(const char *value)
{
    return value == NULL ? "" : value;
}

static const char *copy(struct report *report, const char *value)
{
    return arena_strdup(report->arena, value);
}

static struct report_group *add_group(struct report *report, const struct report_who *who)
{
    struct report_group *group = arena_zalloc(report->arena, 1, sizeof(*group));
    struct report_group **list = arena_grow(report->arena, report->list, report->count,
                                            &report->cap, sizeof(struct report_group *));
    if (group == NULL || list == NULL)
        return NULL;
    group->who = (struct report_who){copy(report, who->application), copy(report, who->user),
                                     copy(report, who->role), copy(report, who->mission)};
    report->list = list;
    report->list[report->count++] = group;
    return arena_failed(report->arena) ? NULL : group;
}

/* Names with NULs between: no name can be taken for another's end. */
static struct report_group *group_of(struct report *report, const struct report_who *who,
                                     struct buf *key)
{
    static const struct report_who others = {"(others)", "(others)", NULL, NULL};
    buf_cstr(key, text(who->application));
    buf_cstr(key, text(who->user));
    buf_cstr(key, text(who->role));
    buf_cstr(key, text(who->mission));
    if (key->failed)
        return NULL;
    struct report_group *group = map_get(report->groups, buf_head(key), buf_len(key));
    if (group != NULL)
        return group;
    if (map_count(report->groups) >= GROUPS_MAX) {
        if (report->others == NULL)
            report->others = add_group(report, &others);
        return report->others;
    }
    group = add_group(report, who);
    return group != NULL && map_put(report->groups, buf_head(key), buf_len(key), group) == OK
               ? group
               : NULL;
}

/* Not in the middle of a character. */
static size_t sample_len(const char *sql)
{
    size_t len = strnlen(sql, SAMPLE_MAX);
    while (len > 0 && ((unsigned char)sql[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static struct report_line *add_line(struct report *report, struct report_group *group,
                                    const struct report_finding *finding, const char *sql)
{
    struct report_line *line = arena_zalloc(report->arena, 1, sizeof(*line));
    struct report_line **lines = arena_grow(report->arena, group->lines, group->line_count,
                                            &group->line_cap, sizeof(struct report_line *));
    if (line == NULL || lines == NULL)
        return NULL;
    line->finding = (struct report_finding){
        finding->kind, copy(report, finding->reason), copy(report, finding->object),
        copy(report, finding->columns), copy(report, finding->hint)};
    line->sql = sql == NULL ? NULL : arena_strndup(report->arena, sql, sample_len(sql));
    group->lines = lines;
    group->lines[group->line_count++] = line;
    return arena_failed(report->arena) ? NULL : line;
}

/* A time is kept as text: those of one log compare as they stand. */
static enum status note_time(struct report *report, const char *time, const char **first,
                             const char **last)
{
    if (time == NULL)
        return OK;
    if (*first == NULL || *last == NULL) {
        *first = *last = copy(report, time);
        return *first == NULL ? ERR_MEMORY : OK;
    }
    bool before = strcmp(time, *first) < 0;
    bool after = strcmp(time, *last) > 0;
    if (!before && !after)
        return OK;
    /* Most are later than the last one: its room is used again, or the report would grow with the
     * log. */
    size_t size = strlen(time) + 1;
    if (after && !before && *last != *first && strlen(*last) + 1 == size) {
        memcpy((char *)*last, time, size);
        return OK;
    }
    const char *kept = copy(report, time);
    *first = before ? kept : *first;
    *last = after ? kept : *last;
    return kept == NULL ? ERR_MEMORY : OK;
}

static enum status add_finding(struct report *report, struct report_group *group, struct buf *key,
                               const struct report_finding *finding, const struct report_case *one)
{
    size_t len = buf_len(key);
    buf_byte(key, (unsigned char)finding->kind);
    buf_cstr(key, text(finding->reason));
    buf_cstr(key, text(finding->object));
    buf_cstr(key, text(finding->columns));
    if (key->failed)
        return ERR_MEMORY;
    struct report_line *line = map_get(report->lines, buf_head(key), buf_len(key));
    if (line == NULL && (map_count(report->lines) >= LINES_MAX || group == report->others)) {
        report->untold++;
        key->tail = key->head + len;
        return OK;
    }
    if (line == NULL) {
        line = add_line(report, group, finding, one->sql);
        if (line == NULL || map_put(report->lines, buf_head(key), buf_len(key), line) != OK)
            return ERR_MEMORY;
    }
    key->tail = key->head + len;
    line->count++;
    return note_time(report, one->time, &line->first, &line->last);
}

enum status report_add(struct report *report, const struct report_who *who,
                       const struct report_case *one)
{
    bool kinds[REPORT_KINDS] = {false};
    struct buf key;
    buf_init(&key, 0);
    struct report_group *group = group_of(report, who, &key);
    enum status status = group == NULL ? ERR_MEMORY : OK;
    for (size_t i = 0; i < one->count && status == OK; i++) {
        status = add_finding(report, group, &key, &one->findings[i], one);
        kinds[one->findings[i].kind] = true;
    }
    buf_free(&key);
    if (status != OK)
        return status;
    group->statements++;
    report->statements++;
    for (size_t i = 0; i < REPORT_KINDS; i++)
        group->counts[i] += kinds[i];
    report->refused += kinds[REPORT_REFUSED];
    return note_time(report, one->time, &report->first, &report->last);
}

uint64_t report_statements(const struct report *report)
{
    return report->statements;
}

uint64_t report_refused(const struct report *report)
{
    return report->refused;
}

uint64_t report_untold(const struct report *report)
{
    return report->untold;
}

void report_span(const struct report *report, const char **first, const char **last)
{
    *first = report->first;
    *last = report->last;
}

/* ---- order ---- */

static int more_first(uint64_t a, uint64_t b)
{
    return a == b ? 0 : a > b ? -1 : 1;
}

static int compare_groups(const void *left, const void *right)
{
    const struct report_group *a = *(struct report_group *const *)left;
    const struct report_group *b = *(struct report_group *const *)right;
    int order = more_first(a->counts[REPORT_REFUSED], b->counts[REPORT_REFUSED]);
    if (order == 0)
        order = more_first(a->statements, b->statements);
    if (order == 0)
        order = strcmp(text(a->who.application), text(b->who.application));
    if (order == 0)
        order = strcmp(text(a->who.user), text(b->who.user));
    if (order == 0)
        order = strcmp(text(a->who.role), text(b->who.role));
    return order == 0 ? strcmp(text(a->who.mission), text(b->who.mission)) : order;
}

static int compare_lines(const void *left, const void *right)
{
    const struct report_line *a = *(struct report_line *const *)left;
    const struct report_line *b = *(struct report_line *const *)right;
    int order = (int)a->finding.kind - (int)b->finding.kind;
    if (order == 0)
        order = more_first(a->count, b->count);
    if (order == 0)
        order = strcmp(text(a->finding.object), text(b->finding.object));
    if (order == 0)
        order = strcmp(text(a->finding.reason), text(b->finding.reason));
    return order == 0 ? strcmp(text(a->finding.columns), text(b->finding.columns)) : order;
}

struct report_group *const *report_sorted(struct report *report, size_t *count)
{
    *count = report->count;
    if (report->count > 0)
        qsort(report->list, report->count, sizeof(struct report_group *), compare_groups);
    for (size_t i = 0; i < report->count; i++)
        if (report->list[i]->line_count > 0)
            qsort(report->list[i]->lines, report->list[i]->line_count, sizeof(struct report_line *),
                  compare_lines);
    return report->list;
}
