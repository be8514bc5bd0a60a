/*
 * report_print.c: the report, for people and for machines (see report.h).
 *
 * Names and statements are the clients': nothing of them may move a terminal's cursor.
 */
#include "tools/report.h"

#include <inttypes.h>
#include <string.h>

#define SAMPLE_WIDTH 300

/* One line of it; white space and control bytes are blanks. */
static void put_text(FILE *out, const char *text, size_t most)
{
    bool blank = false;
    size_t put = 0;
    for (; *text != '\0' && put < most; text++) {
        unsigned char byte = (unsigned char)*text;
        /* U+0080 to U+009F are control characters as well. */
        bool control = byte <= 0x20 || byte == 0x7f ||
                       (byte == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80);
        text += byte == 0xc2 && control;
        if (control) {
            blank = true;
            continue;
        }
        if (blank && put > 0)
            (void)fputc(' ', out);
        blank = false;
        (void)fputc(byte, out);
        put++;
    }
    /* Never in the middle of a character. */
    for (; *text != '\0' && ((unsigned char)*text & 0xc0) == 0x80; text++)
        (void)fputc(*text, out);
    if (*text != '\0')
        (void)fputs(" ...", out);
}

static void put_line(FILE *out, const char *front, const char *text)
{
    (void)fputs(front, out);
    put_text(out, text, SAMPLE_WIDTH);
    (void)fputc('\n', out);
}

static void print_finding(const struct report_line *line, FILE *out)
{
    const struct report_finding *finding = &line->finding;
    (void)fprintf(out, "  %-8s %8" PRIu64 "x  ", report_kind_name(finding->kind), line->count);
    if (finding->reason != NULL && strcmp(finding->reason, finding->object) != 0) {
        put_text(out, finding->reason, SAMPLE_WIDTH);
        (void)fputc(' ', out);
    }
    put_text(out, finding->object == NULL ? "" : finding->object, SAMPLE_WIDTH);
    if (finding->columns != NULL) {
        (void)fputs(": ", out);
        put_text(out, finding->columns, SAMPLE_WIDTH);
    }
    (void)fputc('\n', out);
    if (finding->hint != NULL)
        put_line(out, "             change: ", finding->hint);
    if (line->first != NULL) {
        (void)fputs("             seen:   ", out);
        put_text(out, line->first, 64);
        if (strcmp(line->first, line->last) != 0) {
            (void)fputs(" to ", out);
            put_text(out, line->last, 64);
        }
        (void)fputc('\n', out);
    }
    if (line->sql != NULL)
        put_line(out, "             sql:    ", line->sql);
}

static void put_name(FILE *out, const char *what, const char *name)
{
    (void)fprintf(out, "%s", what);
    put_text(out, name == NULL || *name == '\0' ? "(none)" : name, SAMPLE_WIDTH);
}

static void print_group(const struct report_group *group, FILE *out)
{
    put_name(out, "\napplication ", group->who.application);
    put_name(out, ", user ", group->who.user);
    if (group->who.role != NULL)
        put_name(out, ", role ", group->who.role);
    if (group->who.mission != NULL)
        put_name(out, ", mission ", group->who.mission);
    (void)fprintf(out, ": %" PRIu64 " statement(s)", group->statements);
    for (size_t i = 0; i < REPORT_KINDS; i++)
        if (group->counts[i] > 0)
            (void)fprintf(out, ", %" PRIu64 " %s", group->counts[i],
                          report_kind_name((enum report_kind)i));
    (void)fputc('\n', out);
    for (size_t i = 0; i < group->line_count; i++)
        print_finding(group->lines[i], out);
}

static const struct {
    const char *key;
    const char *text;
} left_out_texts[] = {{"broken", "line(s) are not of the format"},
                      {"clipped", "statement(s) whose text is not on record, or not whole"},
                      {"unparsed", "normalised text(s) do not read as SQL any more"},
                      {"elsewhere", "statement(s) are of other databases"},
                      {"skipped", "statement(s) are of logins that --skip leaves out"}};

static uint64_t left_out_count(const struct report_left_out *left_out, size_t index)
{
    const uint64_t counts[] = {left_out->broken, left_out->clipped, left_out->unparsed,
                               left_out->elsewhere, left_out->skipped};
    return counts[index];
}

void report_print(struct report *report, const struct report_left_out *left_out, FILE *out)
{
    size_t count = 0;
    const char *first = NULL;
    const char *last = NULL;
    struct report_group *const *groups = report_sorted(report, &count);
    report_span(report, &first, &last);
    (void)fprintf(out, "%" PRIu64 " statement(s), %" PRIu64 " would be refused",
                  report_statements(report), report_refused(report));
    if (first != NULL) {
        put_name(out, "; from ", first);
        put_name(out, " to ", last);
    }
    (void)fputc('\n', out);
    for (size_t i = 0; i < sizeof(left_out_texts) / sizeof(left_out_texts[0]); i++)
        if (left_out_count(left_out, i) > 0)
            (void)fprintf(out, "not judged: %" PRIu64 " %s\n", left_out_count(left_out, i),
                          left_out_texts[i].text);
    if (report_untold(report) > 0)
        (void)fprintf(out, "not told apart: %" PRIu64 " finding(s), beyond the report's bounds\n",
                      report_untold(report));
    for (size_t i = 0; i < count; i++)
        print_group(groups[i], out);
}

/* ---- JSON ---- */

/* Takes `value`. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool put_string(json_t *object, const char *key, const char *text)
{
    return text == NULL || put(object, key, json_string(text));
}

static bool put_count(json_t *object, const char *key, uint64_t count)
{
    return put(object, key, json_integer((json_int_t)count));
}

json_t *report_finding_json(const struct report_finding *finding)
{
    json_t *object = json_object();
    bool whole = object != NULL && put_string(object, "kind", report_kind_name(finding->kind)) &&
                 put_string(object, "reason", finding->reason) &&
                 put_string(object, "object", finding->object) &&
                 put_string(object, "columns", finding->columns) &&
                 put_string(object, "hint", finding->hint);
    if (!whole) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *line_json(const struct report_line *line)
{
    json_t *object = report_finding_json(&line->finding);
    bool whole = object != NULL && put_count(object, "count", line->count) &&
                 put_string(object, "first", line->first) &&
                 put_string(object, "last", line->last) && put_string(object, "sql", line->sql);
    if (!whole) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *group_json(const struct report_group *group)
{
    json_t *object = json_object();
    json_t *findings = json_array();
    bool whole = object != NULL && findings != NULL &&
                 put_string(object, "application", group->who.application) &&
                 put_string(object, "user", group->who.user) &&
                 put_string(object, "role", group->who.role) &&
                 put_string(object, "mission", group->who.mission) &&
                 put_count(object, "statements", group->statements);
    for (size_t i = 0; i < REPORT_KINDS && whole; i++)
        whole = put_count(object, report_kind_name((enum report_kind)i), group->counts[i]);
    for (size_t i = 0; i < group->line_count && whole; i++)
        whole = json_array_append_new(findings, line_json(group->lines[i])) == 0;
    /* json_object_set_new takes its value also when it fails. */
    if (object == NULL) {
        json_decref(findings);
        return NULL;
    }
    whole = put(object, "findings", findings) && whole;
    if (!whole) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static bool fill(struct report *report, const struct report_left_out *left_out, json_t *all)
{
    size_t count = 0;
    const char *first = NULL;
    const char *last = NULL;
    struct report_group *const *groups = report_sorted(report, &count);
    report_span(report, &first, &last);
    json_t *list = json_array();
    json_t *left = json_object();
    bool whole = put_count(all, "statements", report_statements(report)) &&
                 put_count(all, "refused", report_refused(report)) &&
                 put_string(all, "first", first) && put_string(all, "last", last) &&
                 put_count(all, "untold", report_untold(report));
    for (size_t i = 0; i < sizeof(left_out_texts) / sizeof(left_out_texts[0]) && whole; i++)
        whole = put_count(left, left_out_texts[i].key, left_out_count(left_out, i));
    for (size_t i = 0; i < count && whole; i++)
        whole = json_array_append_new(list, group_json(groups[i])) == 0;
    bool put_left = put(all, "not_judged", left);
    return put(all, "groups", list) && put_left && whole;
}

enum status report_print_json(struct report *report, const struct report_left_out *left_out,
                              FILE *out)
{
    json_t *all = json_object();
    enum status status = all != NULL && fill(report, left_out, all) ? OK : ERR_MEMORY;
    if (status == OK &&
        json_dumpf(all, out, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII) != 0)
        status = ERR_IO;
    if (status == OK)
        (void)fputc('\n', out);
    json_decref(all);
    return status;
}
