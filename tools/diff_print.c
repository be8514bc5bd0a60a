/*
 * diff_print.c: differences of two policies for people (see diff.h).
 *
 * A reviewer must see all of it and read little: what a rule gives to forty tables is one
 * paragraph. Items become lines (heading, who, what, of which thing); things with the same what are
 * listed together, then people with the same whole. Nothing is cut off: what is not told is not
 * reviewed.
 */
#include "tools/diff.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 112

/* How a line reads. */
enum style {
    STYLE_COLUMNS = 1, /* "nir, medical of public.patients" */
    STYLE_THINGS,      /* "app.bmi, app.age" */
    STYLE_TEXT,        /* "public.patients: shown: id; every row" */
    STYLE_CHANGE       /* the thing, then how it was and how it is, each in a line of its own */
};

struct heading {
    enum style style;
    const char *texts[DIFF_DIRECTIONS]; /* NULL: does not occur */
};

static const struct heading headings[DIFF_KINDS] = {
    [DIFF_UNRESTRICTED] = {STYLE_THINGS,
                           {"roles without any restriction", NULL,
                            "roles that were without any restriction", NULL}},
    [DIFF_ROLE] = {STYLE_THINGS, {"new roles", NULL, "roles that are gone", NULL}},
    [DIFF_ROLE_MISSION] = {STYLE_THINGS,
                           {"missions that a role may take", NULL,
                            "missions that a role may no longer take", NULL}},
    [DIFF_RELATION] = {STYLE_TEXT, {"relations opened", NULL, "relations closed", NULL}},
    [DIFF_COLUMN] = {STYLE_COLUMNS, {"columns", "columns", "columns", NULL}},
    [DIFF_ROWS] = {STYLE_CHANGE,
                   {"every row, where there was a condition", "another condition on rows",
                    "a condition on rows, where there was none", NULL}},
    [DIFF_INSERT] = {STYLE_COLUMNS,
                     {"columns that may be written in new rows", NULL,
                      "columns that may no longer be written in new rows", NULL}},
    [DIFF_UPDATE] = {STYLE_COLUMNS,
                     {"columns that may be changed", NULL, "columns that may no longer be changed",
                      NULL}},
    [DIFF_DELETE] = {STYLE_THINGS,
                     {"rows that may be deleted", NULL, "rows that may no longer be deleted",
                      NULL}},
    [DIFF_TRUNCATE] = {STYLE_THINGS,
                       {"tables that may be truncated", NULL,
                        "tables that may no longer be truncated", NULL}},
    [DIFF_CHANNEL] = {STYLE_THINGS,
                      {"channels that a role may use", NULL,
                       "channels that a role may no longer use", NULL}},
    [DIFF_ALLOW] = {STYLE_THINGS,
                    {"statements that a role may send", NULL,
                     "statements that a role may no longer send", NULL}},
    [DIFF_FUNCTION] = {STYLE_THINGS,
                       {"functions that may be called", NULL,
                        "functions that may no longer be called", NULL}},
    [DIFF_SEQUENCE] = {STYLE_THINGS,
                       {"sequences that may be drawn from", NULL,
                        "sequences that may no longer be drawn from", NULL}},
    [DIFF_MAX_ROWS] = {STYLE_CHANGE,
                       {"more rows for a statement", NULL, "fewer rows for a statement", NULL}},
    [DIFF_ROWS_PER_HOUR] = {STYLE_CHANGE,
                            {"more rows in an hour", NULL, "fewer rows in an hour", NULL}},
    [DIFF_HOURS] = {STYLE_CHANGE,
                    {"missions that may be used at any time now", "when missions may be used",
                     "missions that may no longer be used at any time", NULL}},
    [DIFF_ADDRESSES] = {STYLE_CHANGE,
                        {"missions that may be used from everywhere now",
                         "from where missions may be used",
                         "missions that may no longer be used from everywhere", NULL}},
    [DIFF_EXACT_SUBJECTS] = {STYLE_CHANGE,
                             {"statements that do not tell whose rows they read may run", NULL,
                              "statements that do not tell whose rows they read are refused",
                              NULL}},
    [DIFF_GROUP_SUBJECTS] = {STYLE_CHANGE,
                             {"groups may be asked for that name their patients", NULL,
                              "groups may no longer be asked for",
                              "how many patients a row of groups names in the record"}},
    [DIFF_AGGREGATE_ONLY] = {STYLE_CHANGE,
                             {"rows of patients, or groups of fewer, may be read",
                              "what bounds groups of patients",
                              "only groups of patients, or of more, may be read", NULL}},
    [DIFF_BREAK_GLASS] = {STYLE_CHANGE,
                          {"less is asked for before the glass is broken",
                           "something else is asked for before the glass is broken",
                           "more is asked for before the glass is broken", NULL}},
    [DIFF_USER] = {STYLE_TEXT, {"new users", NULL, "users that are gone", NULL}},
    [DIFF_USER_ROLE] = {STYLE_THINGS,
                        {"roles that a user has", NULL, "roles that a user has no longer", NULL}},
    [DIFF_USER_ATTRIBUTE] = {STYLE_CHANGE,
                             {"attributes that a user lacked", "attributes of users",
                              "attributes that a user now lacks", NULL}},
    [DIFF_USER_LOGIN] = {STYLE_CHANGE, {NULL, "how users log in", NULL, NULL}},
    [DIFF_ATTRIBUTE] = {STYLE_CHANGE, {NULL, "types of attributes", NULL, "attributes"}},
    [DIFF_MISSION] = {STYLE_CHANGE, {NULL, NULL, NULL, "missions"}},
    [DIFF_DEFAULT] = {STYLE_CHANGE, {NULL, NULL, NULL, "what a session begins with"}},
    [DIFF_SUBJECT] = {STYLE_CHANGE, {NULL, NULL, NULL, "which patient a row is about"}},
    [DIFF_CELLS] = {STYLE_CHANGE, {NULL, "what groups of patients are made of", NULL, NULL}},
};

struct line {
    const struct diff_item *item; /* the first of those it stands for */
    const char *heading;
    const char *who;
    const char *label;
    const char *thing; /* with the others of the same label: all of them */
};

struct lines {
    struct line *items;
    size_t count;
};

/* ---- items to lines ---- */

static const char *heading_of(struct diff *diff, const struct diff_item *item)
{
    const char *text = headings[item->kind].texts[item->direction];
    if (item->kind == DIFF_COLUMN)
        return diff_format(diff, "columns: %s -> %s", item->from, item->to);
    return text == NULL ? diff_kind_name(item->kind) : text;
}

static const char *who_of(struct diff *diff, const struct diff_item *item)
{
    switch (item->kind) {
    case DIFF_UNRESTRICTED:
    case DIFF_ROLE:
    case DIFF_SUBJECT:
    case DIFF_CELLS:
    case DIFF_ATTRIBUTE:
        return "";
    case DIFF_ROLE_MISSION:
    case DIFF_ALLOW:
    case DIFF_CHANNEL:
        return item->role;
    case DIFF_MAX_ROWS:
    case DIFF_ROWS_PER_HOUR:
    case DIFF_HOURS:
    case DIFF_ADDRESSES:
    case DIFF_EXACT_SUBJECTS:
    case DIFF_GROUP_SUBJECTS:
    case DIFF_AGGREGATE_ONLY:
    case DIFF_BREAK_GLASS:
    case DIFF_MISSION:
        return item->mission;
    case DIFF_USER:
    case DIFF_USER_ROLE:
    case DIFF_USER_ATTRIBUTE:
    case DIFF_USER_LOGIN:
        return item->user;
    case DIFF_DEFAULT:
        return item->user == NULL ? diff_format(diff, "role %s", item->role)
                                  : diff_format(diff, "user %s", item->user);
    case DIFF_RELATION:
    case DIFF_COLUMN:
    case DIFF_ROWS:
    case DIFF_INSERT:
    case DIFF_UPDATE:
    case DIFF_DELETE:
    case DIFF_TRUNCATE:
    case DIFF_FUNCTION:
    case DIFF_SEQUENCE:
        return diff_format(diff, "%s/%s", item->role, item->mission);
    case DIFF_KINDS:
        break;
    }
    return "";
}

static const char *thing_of(const struct diff_item *item)
{
    switch (item->kind) {
    case DIFF_UNRESTRICTED:
    case DIFF_ROLE:
    case DIFF_USER_ROLE:
        return item->role;
    case DIFF_ROLE_MISSION:
        return item->mission;
    case DIFF_MAX_ROWS:
    case DIFF_ROWS_PER_HOUR:
    case DIFF_HOURS:
    case DIFF_ADDRESSES:
    case DIFF_EXACT_SUBJECTS:
    case DIFF_GROUP_SUBJECTS:
    case DIFF_AGGREGATE_ONLY:
    case DIFF_BREAK_GLASS:
    case DIFF_MISSION:
    case DIFF_USER:
    case DIFF_USER_LOGIN:
    case DIFF_DEFAULT:
        return "";
    case DIFF_RELATION:
    case DIFF_COLUMN:
    case DIFF_ROWS:
    case DIFF_INSERT:
    case DIFF_UPDATE:
    case DIFF_DELETE:
    case DIFF_TRUNCATE:
    case DIFF_ALLOW:
    case DIFF_CHANNEL:
    case DIFF_FUNCTION:
    case DIFF_SEQUENCE:
    case DIFF_USER_ATTRIBUTE:
    case DIFF_ATTRIBUTE:
    case DIFF_SUBJECT:
    case DIFF_CELLS:
        return item->object;
    case DIFF_KINDS:
        break;
    }
    return "";
}

static const char *label_of(struct diff *diff, const struct diff_item *item)
{
    switch (headings[item->kind].style) {
    case STYLE_COLUMNS:
        return item->category == NULL ? item->column : item->category;
    case STYLE_TEXT:
        return item->to == NULL ? item->from : item->to;
    case STYLE_CHANGE:
        return diff_format(diff, "  was: %s\n  now: %s", item->from == NULL ? "-" : item->from,
                           item->to == NULL ? "-" : item->to);
    case STYLE_THINGS:
        break;
    }
    return "";
}

static struct lines lines_of(struct diff *diff, enum diff_direction direction)
{
    struct lines lines = {.items = arena_zalloc(diff->arena, diff->count + 1, sizeof(struct line))};
    diff->failed = diff->failed || lines.items == NULL;
    for (size_t i = 0; lines.items != NULL && i < diff->count; i++) {
        const struct diff_item *item = &diff->items[i];
        if (item->direction == direction)
            lines.items[lines.count++] = (struct line){.item = item,
                                                       .heading = heading_of(diff, item),
                                                       .who = who_of(diff, item),
                                                       .label = label_of(diff, item),
                                                       .thing = thing_of(item)};
    }
    return lines;
}

/* ---- lines that go together ---- */

static int by_heading(const struct line *one, const struct line *other)
{
    if (one->item->kind != other->item->kind)
        return one->item->kind < other->item->kind ? -1 : 1;
    return strcmp(one->heading, other->heading);
}

static int by_thing(const void *a, const void *b)
{
    const struct line *one = a;
    const struct line *other = b;
    int order = by_heading(one, other);
    order = order == 0 ? strcmp(one->who, other->who) : order;
    order = order == 0 ? strcmp(one->thing, other->thing) : order;
    return order == 0 ? strcmp(one->label, other->label) : order;
}

static int by_label(const void *a, const void *b)
{
    const struct line *one = a;
    const struct line *other = b;
    int order = by_heading(one, other);
    order = order == 0 ? strcmp(one->who, other->who) : order;
    order = order == 0 ? strcmp(one->label, other->label) : order;
    return order == 0 ? strcmp(one->thing, other->thing) : order;
}

static int by_whole(const void *a, const void *b)
{
    const struct line *one = a;
    const struct line *other = b;
    int order = by_heading(one, other);
    order = order == 0 ? strcmp(one->label, other->label) : order;
    return order == 0 ? strcmp(one->who, other->who) : order;
}

static void sort(struct lines *lines, int (*order)(const void *, const void *))
{
    if (lines->count > 0)
        qsort(lines->items, lines->count, sizeof(*lines->items), order);
}

static bool together(const struct line *one, const struct line *other, bool who, bool label,
                     bool thing)
{
    return by_heading(one, other) == 0 && (!who || strcmp(one->who, other->who) == 0) &&
           (!label || strcmp(one->label, other->label) == 0) &&
           (!thing || strcmp(one->thing, other->thing) == 0);
}

/* Which field of a line is listed. */
enum field { FIELD_WHO, FIELD_LABEL, FIELD_THING };

static const char **field_of(struct line *line, enum field field)
{
    if (field == FIELD_WHO)
        return &line->who;
    return field == FIELD_LABEL ? &line->label : &line->thing;
}

/* Lines that differ in one field alone become one, with all of that field. Sorted beforehand, so
 * that they stand together. */
static void merge(struct diff *diff, struct lines *lines, enum field field, const char *separator)
{
    size_t kept = 0;
    for (size_t i = 0; i < lines->count;) {
        struct buf all;
        size_t end = i;
        const char *last = NULL;
        buf_init(&all, 0);
        for (; end < lines->count &&
               together(&lines->items[i], &lines->items[end], field != FIELD_WHO,
                        field != FIELD_LABEL, field != FIELD_THING);
             end++) {
            const char *text = *field_of(&lines->items[end], field);
            if (last == NULL || strcmp(last, text) != 0)
                buf_printf(&all, "%s%s", last == NULL ? "" : separator, text);
            last = text;
        }
        struct line merged = lines->items[i];
        *field_of(&merged, field) = text_take(&all, diff->arena);
        if (*field_of(&merged, field) == NULL) {
            diff->failed = true;
            *field_of(&merged, field) = "";
        }
        lines->items[kept++] = merged;
        i = end;
    }
    lines->count = kept;
}

/* ---- on paper ---- */

/* Breaks at ", " and "; " where the line gets too long; a newline of the text begins a new one. */
static void print_wrapped(FILE *out, const char *text, size_t indent)
{
    size_t column = indent;
    (void)fprintf(out, "%*s", (int)indent, "");
    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, " \n");
        if (*at == '\n') {
            (void)fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            at++;
            continue;
        }
        if (*at == ' ') {
            size_t next = strcspn(at + 1, " \n");
            if (column + 1 + next > WIDTH && column > indent + 4) {
                (void)fprintf(out, "\n%*s", (int)indent + 4, "");
                column = indent + 4;
            } else {
                (void)fputc(' ', out);
                column++;
            }
            at++;
            continue;
        }
        (void)fwrite(at, 1, len, out);
        column += len;
        at += len;
    }
    (void)fputc('\n', out);
}

static const char *text_of(struct diff *diff, const struct line *line)
{
    switch (headings[line->item->kind].style) {
    case STYLE_COLUMNS:
        return diff_format(diff, "%s of %s", line->label, line->thing);
    case STYLE_TEXT:
        return line->thing[0] == '\0' ? line->label
                                      : diff_format(diff, "%s: %s", line->thing, line->label);
    case STYLE_CHANGE:
        return line->thing[0] == '\0' ? line->label
                                      : diff_format(diff, "%s\n%s", line->thing, line->label);
    case STYLE_THINGS:
        break;
    }
    return line->thing;
}

static void print_lines(struct diff *diff, struct lines *lines, FILE *out)
{
    /* Columns of one relation, relations with the same columns, all of a pair's, pairs with the
     * same of it all. */
    sort(lines, by_thing);
    merge(diff, lines, FIELD_LABEL, ", ");
    sort(lines, by_label);
    merge(diff, lines, FIELD_THING, ", ");
    for (size_t i = 0; i < lines->count; i++) {
        lines->items[i].label = text_of(diff, &lines->items[i]);
        lines->items[i].thing = "";
    }
    sort(lines, by_label);
    merge(diff, lines, FIELD_LABEL, "\n");
    sort(lines, by_whole);
    merge(diff, lines, FIELD_WHO, ", ");
    sort(lines, by_label);
    for (size_t i = 0; i < lines->count; i++) {
        const struct line *line = &lines->items[i];
        if (i == 0 || by_heading(line, &lines->items[i - 1]) != 0)
            (void)fprintf(out, "\n  %s\n", line->heading);
        if (line->who[0] != '\0')
            print_wrapped(out, line->who, 4);
        print_wrapped(out, line->label, line->who[0] == '\0' ? 4 : 8);
    }
}

void diff_print(struct diff *diff, bool only, FILE *out)
{
    static const char *const titles[DIFF_DIRECTIONS] = {
        "GAINS: somebody may see or do more",
        "CHANGES: more for some, perhaps less for others; look at each",
        "LOSSES: somebody may see or do less", "OTHER: nobody may see or do more or less"};
    for (int direction = DIFF_GAIN; direction < (only ? DIFF_LOSS : DIFF_DIRECTIONS); direction++) {
        struct lines lines = lines_of(diff, (enum diff_direction)direction);
        if (lines.count == 0)
            continue;
        (void)fprintf(out, "%s\n", titles[direction]);
        print_lines(diff, &lines, out);
        (void)fputc('\n', out);
    }
}
