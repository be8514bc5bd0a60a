/*
 * copy.c: COPY on its way through (see copy.h).
 *
 * PostgreSQL sends one CopyData for each row; the binary format's file header stands before the
 * first row in the same message, its trailer in one of its own. Other servers may cut the stream
 * elsewhere: rows are then counted as messages, which errs by little, and CommandComplete tells the
 * true number for the record.
 */
#include "proxy/copy.h"

#include <stdio.h>
#include <string.h>

void copy_out_begin(struct request *request, const struct wire_message *message)
{
    request->copy_out = true;
    request->copy_begun = false;
    request->copy_binary = message->len > 0 && message->body[0] == 1;
}

static bool has_header(const struct request *request)
{
    const struct verdict_statement *one = statement_at(request->statement, request->index);
    return one != NULL && one->copy_header;
}

bool copy_out_data(const struct request *request, const unsigned char *body, size_t len,
                   enum copy_data *data)
{
    bool first = !request->copy_begun;
    *data = !first                 ? COPY_DATA_ROW
            : request->copy_binary ? COPY_DATA_FIRST
            : has_header(request)  ? COPY_DATA_NAMES
                                   : COPY_DATA_ROW;
    return !request->copy_binary || !copy_is_trailer(first, body, len);
}

bool copy_out_row(struct request *request, const unsigned char *body, size_t len)
{
    enum copy_data data;
    bool there = copy_out_data(request, body, len, &data);
    request->copy_begun = true;
    return there && data != COPY_DATA_NAMES;
}

/* ---- COPY FROM ---- */

enum stage { STAGE_CREATE, STAGE_COPY, STAGE_INSERT, STAGE_DROP };

static const struct verdict_statement *copy_from_of(const struct statement *statement, size_t index)
{
    const struct verdict_statement *one = statement_at(statement, index);
    bool wrapped = one != NULL && one->kind == STATEMENT_COPY_FROM && one->relation_count > 0 &&
                   strcmp(one->relations[0].schema, JUDGE_TEMPORARY_SCHEMA) != 0;
    return wrapped ? one : NULL; /* a temporary table is copied into as it is */
}

bool copy_from_runs(const struct request *request)
{
    return copy_from_of(request->statement, request->index) != NULL;
}

bool copy_from_step(struct request *request, const char **tag, char room[COPY_TAG_MAX])
{
    unsigned stage = request->copy_stage++;
    if (stage == STAGE_INSERT)
        request->copied = wire_tag_rows(*tag);
    if (stage < STAGE_DROP)
        return false;
    snprintf(room, COPY_TAG_MAX, "COPY %lu", (unsigned long)request->copied);
    *tag = room;
    return true;
}

static const char *replace(const char *text, const char *old, const char *new, struct arena *arena)
{
    const char *at = text == NULL ? NULL : strstr(text, old);
    if (at == NULL)
        return text;
    return arena_printf(arena, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

/* The column that a context names: ", column a", before the value, which may look like anything. */
static const char *context_column(const char *rest, const struct verdict_relation *relation)
{
    static const char word[] = ", column ";
    const char *found = NULL;
    if (strncmp(rest, word, strlen(word)) != 0)
        return NULL;
    rest += strlen(word);
    for (size_t i = 0; i < relation->column_count; i++) {
        const char *name = relation->columns[i].name;
        size_t len = strlen(name);
        bool ends = strncmp(rest, name, len) == 0 &&
                    (rest[len] == '\0' || rest[len] == ':' || rest[len] == '\n');
        if (ends && (found == NULL || strlen(found) < len))
            found = name;
    }
    return found;
}

/* `COPY pgvigil copy, line 3, column a: "value"` -> `COPY t, line 3, column a`; other lines of a
 * context may quote anything. */
static const char *place_in_data(const char *where, const struct verdict_relation *relation,
                                 struct arena *arena)
{
    static const char word[] = "COPY " JUDGE_COPY_TABLE ", line ";
    const char *at = where;
    while (at != NULL && strncmp(at, word, strlen(word)) != 0) {
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    if (at == NULL)
        return NULL;
    at += strlen(word);
    size_t digits = strspn(at, "0123456789");
    const char *column = context_column(at + digits, relation);
    return arena_printf(arena, "COPY %s, line %.*s%s%s", relation->name, (int)digits, at,
                        column == NULL ? "" : ", column ", column == NULL ? "" : column);
}

enum status copy_from_report(struct wire_report *report, const struct statement *statement,
                             const char **where, struct arena *arena)
{
    static const char *const commands[] = {"cannot execute CREATE TABLE AS ",
                                           "cannot execute INSERT ", "cannot execute DROP TABLE "};
    const struct verdict_statement *one = copy_from_of(statement, 0);
    *where = NULL;
    if (one == NULL)
        return OK;
    const struct verdict_relation *relation = &one->relations[0];
    *where = place_in_data(report->where, relation, arena);
    report->message = replace(report->message, "\"" JUDGE_COPY_TABLE "\"",
                              arena_printf(arena, "\"%s\"", relation->name), arena);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        report->message = replace(report->message, commands[i], "cannot execute COPY FROM ", arena);
    if (report->message != NULL &&
        (strstr(report->message, "permission denied to create temporary tables") != NULL ||
         strstr(report->message, "permission denied for schema pg_temp") != NULL))
        report->message = "COPY FROM needs the right to create temporary tables, which this "
                          "database does not give";
    if (report->table != NULL && strcmp(report->table, JUDGE_COPY_TABLE) == 0)
        report->schema = report->table = NULL;
    return arena_failed(arena) ? ERR_MEMORY : OK;
}
