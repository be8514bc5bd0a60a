/*
 * audit_tally.c: groups of records, and tables of groups (see audit_tally.h).
 */
#include "tools/audit_tally.h"
#include "tools/audit_cells.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)128 << 20)
#define NAMES_MAX   1000U /* of a set */
#define SEPARATOR   '\x1f'

enum status tally_start(struct tally *tally)
{
    tally->arena = arena_new(ARENA_BYTES);
    tally->groups = map_new();
    tally->members = map_new();
    tally->open = map_new();
    return tally->arena && tally->groups && tally->members && tally->open ? OK : ERR_MEMORY;
}

void tally_end(struct tally *tally)
{
    map_free(tally->groups);
    map_free(tally->members);
    map_free(tally->open);
    arena_free(tally->arena);
}

/* ---- groups ---- */

struct tally_group *tally_new_group(struct tally *tally)
{
    struct tally_group *group = arena_zalloc(tally->arena, 1, sizeof *group);
    struct tally_group **list = arena_grow(tally->arena, tally->list, tally->count, &tally->cap,
                                           sizeof(struct tally_group *));
    if (!group || !list)
        return NULL;
    tally->list = list;
    tally->list[tally->count++] = group;
    return group;
}

struct tally_group *tally_group(struct tally *tally, const char *const cells[TALLY_CELLS])
{
    char key[8192];
    size_t len = 0;
    for (size_t i = 0; i < TALLY_CELLS; i++) {
        const char *cell = cells[i] ? cells[i] : "";
        int more = snprintf(key + len, sizeof key - len, "%s%c", cell, SEPARATOR);
        /* Texts that are longer than this are grouped by what of them is here. */
        len = more < 0 || (size_t)more >= sizeof key - len ? sizeof key - 1 : len + (size_t)more;
    }
    struct tally_group *group = map_get(tally->groups, key, len);
    if (group)
        return group;
    group = tally_new_group(tally);
    if (!group)
        return NULL;
    for (size_t i = 0; i < TALLY_CELLS; i++)
        group->cells[i] = arena_strdup(tally->arena, cells[i]);
    if (arena_failed(tally->arena) || map_put(tally->groups, key, len, group) != OK)
        return NULL;
    return group;
}

void tally_time(struct tally_group *group, const char *time)
{
    if (!time)
        return;
    if (!group->first[0] || strcmp(time, group->first) < 0)
        (void)snprintf(group->first, sizeof group->first, "%s", time);
    if (strcmp(time, group->last) > 0)
        (void)snprintf(group->last, sizeof group->last, "%s", time);
}

enum status tally_name(struct tally *tally, struct tally_group *group, unsigned set,
                       const char *name)
{
    char key[4096];
    struct tally_names *names = &group->sets[set];
    int len =
        snprintf(key, sizeof key, "%p%c%u%c%s", (void *)group, SEPARATOR, set, SEPARATOR, name);
    size_t key_len = len < 0 || (size_t)len >= sizeof key ? sizeof key - 1 : (size_t)len;
    if (names->count > NAMES_MAX || map_get(tally->members, key, key_len))
        return OK;
    const char **items =
        arena_grow(tally->arena, names->items, names->count, &names->cap, sizeof *items);
    if (!items)
        return ERR_LIMIT;
    names->items = items;
    items[names->count] = names->count == NAMES_MAX ? "..." : arena_strdup(tally->arena, name);
    if (!items[names->count])
        return ERR_LIMIT;
    names->count++;
    return map_put(tally->members, key, key_len, group);
}

enum status tally_relations(struct tally *tally, struct tally_group *group, unsigned set,
                            const json_t *answer)
{
    const json_t *relations = json_object_get(answer, "relations");
    enum status status = OK;
    for (size_t i = 0; i < json_array_size(relations) && status == OK; i++) {
        const json_t *relation = json_array_get(relations, i);
        const char *schema = tally_text(relation, "schema");
        const char *name = tally_text(relation, "name");
        char full[1024];
        (void)snprintf(full, sizeof full, "%s%s%s", schema ? schema : "",
                       schema && *schema ? "." : "", name ? name : "?");
        status = tally_name(tally, group, set, full);
    }
    return status;
}

const char *tally_text(const json_t *answer, const char *key)
{
    return json_string_value(json_object_get(answer, key));
}

const char *tally_yes(const struct tally *tally, bool yes)
{
    return !yes ? NULL : tally->lang == TALLY_FR ? "oui" : "yes";
}

/* ---- order ---- */

static int compare_time(const void *left, const void *right)
{
    const struct tally_group *a = *(struct tally_group *const *)left;
    const struct tally_group *b = *(struct tally_group *const *)right;
    int order = strcmp(a->first, b->first);
    for (size_t i = 0; i < TALLY_CELLS && order == 0; i++)
        order = strcmp(a->cells[i] ? a->cells[i] : "", b->cells[i] ? b->cells[i] : "");
    return order;
}

static int compare_count(const void *left, const void *right)
{
    const struct tally_group *a = *(struct tally_group *const *)left;
    const struct tally_group *b = *(struct tally_group *const *)right;
    if (a->numbers[0] != b->numbers[0])
        return a->numbers[0] > b->numbers[0] ? -1 : 1;
    return compare_time(left, right);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* ---- printing ---- */

static const char *cell_text(const struct tally_group *group, const struct tally_column *column,
                             struct buf *room)
{
    const struct tally_names *names = &group->sets[column->index % TALLY_SETS];
    buf_clear(room);
    switch (column->source) {
    case TALLY_CELL:
        return group->cells[column->index] ? group->cells[column->index] : "";
    case TALLY_FIRST:
        return group->first;
    case TALLY_LAST:
        return group->last;
    case TALLY_NUMBER:
        buf_printf(room, "%" PRIu64, group->numbers[column->index]);
        break;
    case TALLY_SET:
        for (size_t i = 0; i < names->count; i++)
            buf_printf(room, "%s%s", i ? ", " : "", names->items[i]);
        break;
    }
    return cells_string(room);
}

static json_t *cell_json(const struct tally_group *group, const struct tally_column *column,
                         struct buf *room)
{
    if (column->source == TALLY_NUMBER)
        return json_integer((json_int_t)group->numbers[column->index]);
    if (column->source != TALLY_SET) {
        const char *text = cell_text(group, column, room);
        return *text ? json_string(text) : json_null();
    }
    json_t *list = json_array();
    const struct tally_names *names = &group->sets[column->index];
    for (size_t i = 0; i < names->count; i++)
        (void)json_array_append_new(list, json_string(names->items[i]));
    return list;
}

static void print_json(struct tally *tally, struct buf *room, FILE *out)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < tally->count; i++) {
        json_t *row = json_object();
        for (size_t c = 0; c < tally->kind->column_count; c++)
            (void)json_object_set_new(row, tally->kind->columns[c].key,
                                      cell_json(tally->list[i], &tally->kind->columns[c], room));
        (void)json_array_append_new(rows, row);
    }
    json_t *whole =
        json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:I, s:s, s:s, s:o}", "report", tally->kind->name,
                  "patient", tally->query->patient, "user", tally->query->text[QUERY_USER], "from",
                  tally->query->from, "to", tally->query->to, "records", (json_int_t)tally->records,
                  "first", tally->first, "last", tally->last, "rows", rows);
    (void)json_dumpf(whole, out, JSON_INDENT(1));
    (void)fputc('\n', out);
    json_decref(whole);
}

static void print_csv(const struct tally *tally, struct buf *room, FILE *out)
{
    const struct tally_kind *kind = tally->kind;
    for (size_t c = 0; c < kind->column_count; c++)
        cells_csv(kind->columns[c].heading[tally->lang], c == 0, out);
    cells_csv_end(out);
    for (size_t i = 0; i < tally->count; i++) {
        for (size_t c = 0; c < kind->column_count; c++)
            cells_csv(cell_text(tally->list[i], &kind->columns[c], room), c == 0, out);
        cells_csv_end(out);
    }
}

static void print_padded(const char *text, size_t width, bool right, FILE *out)
{
    size_t used = cells_width(text);
    for (size_t i = used; right && i < width; i++)
        (void)fputc(' ', out);
    cells_text(text, out);
    for (size_t i = used; !right && i < width; i++)
        (void)fputc(' ', out);
}

static void print_line(const struct tally *tally, const struct tally_group *group,
                       const size_t *widths, struct buf *room, FILE *out)
{
    const struct tally_kind *kind = tally->kind;
    for (size_t c = 0; c < kind->column_count; c++) {
        const struct tally_column *column = &kind->columns[c];
        const char *text = group ? cell_text(group, column, room) : column->heading[tally->lang];
        bool last = c + 1 == kind->column_count;
        (void)fputs(c ? "  " : "", out);
        print_padded(text, last ? 0 : widths[c], column->source == TALLY_NUMBER, out);
    }
    (void)fputc('\n', out);
}

static void print_about(const struct tally *tally, FILE *out)
{
    bool french = tally->lang == TALLY_FR;
    const struct query *query = tally->query;
    cells_text(tally->kind->title[tally->lang], out);
    if (query->patient) {
        (void)fputs(french ? "\nPatient : " : "\nPatient: ", out);
        cells_text(query->patient, out);
    }
    if (query->text[QUERY_USER]) {
        (void)fputs(french ? "\nPersonne : " : "\nPerson: ", out);
        cells_text(query->text[QUERY_USER], out);
    }
    if (query->from || query->to)
        (void)fprintf(out,
                      french ? "\nPériode demandée (UTC) : %s - %s"
                             : "\nPeriod asked for (UTC): %s - %s",
                      query->from ? query->from : "", query->to ? query->to : "");
    if (tally->records)
        (void)fprintf(out,
                      french ? "\nEnregistrements retenus : %" PRIu64 ", du %s au %s\n\n"
                             : "\nRecords counted: %" PRIu64 ", from %s to %s\n\n",
                      tally->records, tally->first, tally->last);
    else
        (void)fputs(french ? "\nAucun enregistrement.\n" : "\nNo record.\n", out);
}

static void print_text(const struct tally *tally, struct buf *room, FILE *out)
{
    size_t widths[TALLY_CELLS + TALLY_NUMBERS + TALLY_SETS + 2] = {0};
    const struct tally_kind *kind = tally->kind;
    print_about(tally, out);
    for (size_t c = 0; c < kind->column_count; c++) {
        widths[c] = cells_width(kind->columns[c].heading[tally->lang]);
        for (size_t i = 0; i < tally->count; i++) {
            size_t width = cells_width(cell_text(tally->list[i], &kind->columns[c], room));
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    if (tally->count > 0)
        print_line(tally, NULL, widths, room, out);
    for (size_t i = 0; i < tally->count; i++)
        print_line(tally, tally->list[i], widths, room, out);
    if (kind->note[tally->lang])
        (void)fprintf(out, "\n%s\n", kind->note[tally->lang]);
}

void tally_print(struct tally *tally, enum audit_format format, FILE *out)
{
    struct buf room;
    buf_init(&room, 0);
    if (tally->count > 0)
        qsort(tally->list, tally->count, sizeof(struct tally_group *),
              tally->kind->by_count ? compare_count : compare_time);
    for (size_t i = 0; i < tally->count; i++) {
        for (size_t k = 0; k < TALLY_SETS; k++) {
            struct tally_names *names = &tally->list[i]->sets[k];
            if (names->count > 1)
                qsort(names->items, names->count, sizeof *names->items, compare_names);
        }
    }
    switch (format) {
    case AUDIT_TEXT:
        print_text(tally, &room, out);
        break;
    case AUDIT_JSON:
        print_json(tally, &room, out);
        break;
    case AUDIT_CSV:
        print_csv(tally, &room, out);
        break;
    }
    buf_free(&room);
}
