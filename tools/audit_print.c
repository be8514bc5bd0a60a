/*
 * audit_print.c: answers as text, JSON or CSV (see audit_print.h).
 */
#include "tools/audit_print.h"
#include "tools/audit_cells.h"

#include <inttypes.h>
#include <string.h>

#define SUBJECTS_SHOWN 50U /* in text */

bool audit_format_parse(const char *word, enum audit_format *format)
{
    static const char *const words[] = {"text", "json", "csv"};
    *format = AUDIT_TEXT;
    for (size_t i = 0; word && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *format = (enum audit_format)i;
            return true;
        }
    }
    return word == NULL;
}

static const char *text_of(const json_t *answer, const char *key)
{
    return json_string_value(json_object_get(answer, key));
}

/* A value as it stands in a cell: lists are joined. */
static void append_value(const json_t *answer, const char *key, struct buf *out)
{
    const json_t *value = json_object_get(answer, key);
    if (strcmp(key, "tables") == 0)
        cells_relations(json_object_get(answer, "relations"), out);
    else if (strcmp(key, "columns") == 0)
        cells_columns(json_object_get(answer, "relations"), out);
    else if (strcmp(key, "patients") == 0)
        cells_subjects(value, SIZE_MAX, out);
    else if (json_is_string(value))
        buf_str(out, json_string_value(value));
    else if (json_is_integer(value))
        buf_printf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_true(value))
        buf_str(out, "true");
}

static const char *const csv_columns[] = {"time",        "ended",
                                          "type",        "event",
                                          "statement",   "outcome",
                                          "person",      "login",
                                          "identity",    "role",
                                          "mission",     "purpose",
                                          "break_glass", "reason",
                                          "patient",     "database",
                                          "address",     "application",
                                          "decision",    "rule",
                                          "refused",     "tables",
                                          "columns",     "patients",
                                          "subjects",    "patients_left_out",
                                          "rows",        "bytes",
                                          "sqlstate",    "tag",
                                          "detail",      "sql",
                                          "fingerprint", "session",
                                          "chain",       "file",
                                          "seq"};

void audit_print_head(enum audit_format format, FILE *out)
{
    for (size_t i = 0; format == AUDIT_CSV && i < sizeof csv_columns / sizeof csv_columns[0]; i++)
        cells_csv(csv_columns[i], i == 0, out);
    if (format == AUDIT_CSV)
        cells_csv_end(out);
}

static void print_csv(const json_t *answer, FILE *out)
{
    struct buf cell;
    buf_init(&cell, 0);
    for (size_t i = 0; i < sizeof csv_columns / sizeof csv_columns[0]; i++) {
        buf_clear(&cell);
        append_value(answer, csv_columns[i], &cell);
        cells_csv(cells_string(&cell), i == 0, out);
    }
    buf_free(&cell);
    cells_csv_end(out);
}

static void print_json(const json_t *answer, FILE *out)
{
    (void)json_dumpf(answer, out, JSON_COMPACT);
    (void)fputc('\n', out);
}

/* ---- text ---- */

static void print_field(const char *before, const char *text, FILE *out)
{
    if (!text)
        return;
    (void)fputs(before, out);
    cells_text(text, out);
}

static void print_who(const json_t *answer, FILE *out)
{
    const char *person = text_of(answer, "person");
    const char *login = text_of(answer, "login");
    print_field("  ", person ? person : login ? login : "-", out);
    if (person && login && strcmp(person, login) != 0) {
        print_field(" (by ", login, out);
        (void)fputc(')', out);
    }
    print_field(" ", text_of(answer, "role"), out);
    print_field("/", text_of(answer, "mission"), out);
    if (json_is_true(json_object_get(answer, "break_glass")))
        (void)fputs("  BREAK-GLASS", out);
}

static void print_rows(const json_t *answer, FILE *out)
{
    const json_t *rows = json_object_get(answer, "rows");
    if (json_is_integer(rows))
        (void)fprintf(out, ", %" JSON_INTEGER_FORMAT " row(s)", json_integer_value(rows));
}

static void print_list(const char *before, struct buf *text, FILE *out)
{
    if (buf_len(text) > 0)
        print_field(before, cells_string(text), out);
    buf_clear(text);
}

static void print_text(const json_t *answer, FILE *out)
{
    struct buf list;
    buf_init(&list, 0);
    const char *outcome = text_of(answer, "outcome");
    print_field("", text_of(answer, "time"), out);
    print_who(answer, out);
    if (outcome) {
        print_field("  ", text_of(answer, "statement"), out);
        print_field(" ", outcome, out);
        print_field(" ", text_of(answer, "sqlstate"), out);
        print_rows(answer, out);
    } else {
        const char *event = text_of(answer, "event");
        print_field("  ", event ? event : text_of(answer, "type"), out);
    }
    if (json_is_true(json_object_get(answer, "headless")))
        (void)fputs(" (its begin is missing)", out);
    print_field("\n    refused: ", text_of(answer, "refused"), out);
    cells_columns(json_object_get(answer, "relations"), &list);
    print_list("\n    tables: ", &list, out);
    cells_subjects(json_object_get(answer, "patients"), SUBJECTS_SHOWN, &list);
    print_list("\n    patients: ", &list, out);
    if (json_object_get(answer, "subjects"))
        (void)fputs("\n    patients: the list is not exact", out);
    print_field("\n    for patient: ", text_of(answer, "patient"), out);
    print_field("\n    reason: ", text_of(answer, "reason"), out);
    print_field("\n    detail: ", text_of(answer, "detail"), out);
    print_field("\n    from ", text_of(answer, "address"), out);
    print_field(" with ", text_of(answer, "application"), out);
    print_field("\n    ended ", text_of(answer, "ended"), out);
    print_field("\n    ", text_of(answer, "file"), out);
    (void)fprintf(out, " seq %" JSON_INTEGER_FORMAT "\n",
                  json_integer_value(json_object_get(answer, "seq")));
    buf_free(&list);
}

void audit_print_answer(enum audit_format format, const json_t *answer, FILE *out)
{
    switch (format) {
    case AUDIT_JSON:
        print_json(answer, out);
        return;
    case AUDIT_CSV:
        print_csv(answer, out);
        return;
    case AUDIT_TEXT:
        print_text(answer, out);
        return;
    }
}
