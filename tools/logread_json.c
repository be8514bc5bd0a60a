/*
 * logread_json.c: lines of JSON: PostgreSQL's jsonlog and pgvigil's own trail (see logread.h).
 */
#include "tools/logread.h"

#include <string.h>

/* The next line that is an object, as reader->record. */
static enum status next_object(struct logread *reader)
{
    for (;;) {
        bool whole = false;
        enum status status = logread_line(reader, &whole);
        if (status != OK)
            return status;
        json_decref(reader->record);
        reader->record = NULL;
        size_t len = buf_len(&reader->line) - 1;
        if (whole && len == 0)
            continue;
        if (whole)
            reader->record = json_loadb((const char *)buf_head(&reader->line), len, 0, NULL);
        if (json_is_object(reader->record))
            return OK;
        reader->counts.broken++;
    }
}

static const char *text_of(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

static void put(struct logread *reader, enum logread_field field, const char *text)
{
    if (text != NULL)
        logread_put(reader, field, text, strlen(text));
}

/* ---- PostgreSQL's ---- */

enum status logread_json(struct logread *reader, struct logread_entry *entry)
{
    enum status status = next_object(reader);
    if (status != OK)
        return status;
    const json_t *record = reader->record;
    if (json_object_get(record, "seq") != NULL && json_object_get(record, "prev") != NULL) {
        /* The first line tells: it is pgvigil's. */
        reader->format = LOGREAD_AUDIT;
        *entry = (struct logread_entry){.kind = LOGREAD_OTHER};
        return OK;
    }
    logread_clear(reader);
    put(reader, LOGREAD_TIME, text_of(record, "timestamp"));
    put(reader, LOGREAD_USER, text_of(record, "user"));
    put(reader, LOGREAD_DATABASE, text_of(record, "dbname"));
    put(reader, LOGREAD_APPLICATION, text_of(record, "application_name"));
    put(reader, LOGREAD_SESSION, text_of(record, "session_id"));
    put(reader, LOGREAD_MESSAGE, text_of(record, "message"));
    return logread_finish(reader, entry);
}

/* ---- pgvigil's ---- */

static bool is_statement(const json_t *record)
{
    const char *type = text_of(record, "type");
    return type != NULL && (strcmp(type, "whole") == 0 || strcmp(type, "begin") == 0);
}

/* What stands in for a text: of one that was unreadable, or too long to keep whole. */
static bool is_clipped(const json_t *record, const char *sql)
{
    return sql == NULL || strncmp(sql, "...", 3) == 0 ||
           json_object_get(record, "sql_bytes") != NULL;
}

enum status logread_audit(struct logread *reader, struct logread_entry *entry)
{
    enum status status = next_object(reader);
    if (status != OK)
        return status;
    const json_t *record = reader->record;
    *entry = (struct logread_entry){.time = text_of(record, "time"),
                                    .user = text_of(record, "person"),
                                    .database = text_of(record, "database"),
                                    .application = text_of(record, "application"),
                                    .role = text_of(record, "role"),
                                    .mission = text_of(record, "mission"),
                                    .normalized = true,
                                    .record = record};
    if (!is_statement(record))
        return OK;
    const char *sql = text_of(record, "sql");
    if (is_clipped(record, sql)) {
        reader->counts.clipped++;
        return OK;
    }
    entry->kind = LOGREAD_STATEMENT;
    entry->text = sql;
    entry->len = strlen(sql);
    return OK;
}
