/*
 * wire_put.c: one encoder for each message that pgvigil sends, to clients and to servers (see
 * wire.h).
 *
 * Nothing here judges: the caller has decided what may leave. A failed append leaves `failed` set
 * on the buffer and the message cut; the caller looks once, at the end, and sends nothing of a
 * failed buffer.
 */
#include "proxy/wire.h"

#include <stdio.h>
#include <string.h>

/* The mark is counted from the head, since making room may move the unread bytes to the front. */
size_t wire_begin(struct buf *out, unsigned char type)
{
    if (type)
        buf_byte(out, type);
    size_t mark = buf_len(out);
    buf_u32(out, 0);
    return mark;
}

void wire_finish(struct buf *out, size_t mark)
{
    if (out->failed)
        return;
    size_t len = buf_len(out) - mark;
    if (len > INT32_MAX) {
        out->failed = true;
        return;
    }
    unsigned char *at = buf_head(out) + mark;
    at[0] = (unsigned char)(len >> 24);
    at[1] = (unsigned char)(len >> 16);
    at[2] = (unsigned char)(len >> 8);
    at[3] = (unsigned char)len;
}

void wire_put_message(struct buf *out, const struct wire_message *message)
{
    size_t mark = wire_begin(out, message->type);
    buf_append(out, message->body, message->len);
    wire_finish(out, mark);
}

static void put_empty(struct buf *out, unsigned char type)
{
    unsigned char bytes[5] = {type, 0, 0, 0, 4};
    buf_append(out, bytes, sizeof bytes);
}

static void put_auth(struct buf *out, uint32_t code, const void *bytes, size_t len)
{
    size_t mark = wire_begin(out, 'R');
    buf_u32(out, code);
    buf_append(out, bytes, len);
    wire_finish(out, mark);
}

void wire_put_auth_ok(struct buf *out)
{
    put_auth(out, 0, "", 0);
}

void wire_put_auth_sasl(struct buf *out, const char *const *mechanisms, size_t count)
{
    size_t mark = wire_begin(out, 'R');
    buf_u32(out, 10);
    for (size_t i = 0; i < count; i++)
        buf_cstr(out, mechanisms[i]);
    buf_byte(out, 0);
    wire_finish(out, mark);
}

void wire_put_auth_sasl_continue(struct buf *out, const void *bytes, size_t len)
{
    put_auth(out, 11, bytes, len);
}

void wire_put_auth_sasl_final(struct buf *out, const void *bytes, size_t len)
{
    put_auth(out, 12, bytes, len);
}

void wire_put_negotiate(struct buf *out, uint32_t newest_minor, const char *const *unknown,
                        size_t count)
{
    size_t mark = wire_begin(out, 'v');
    buf_u32(out, newest_minor);
    buf_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        buf_cstr(out, unknown[i]);
    wire_finish(out, mark);
}

void wire_put_notification(struct buf *out, uint32_t process_id, const char *channel,
                           const char *payload)
{
    size_t mark = wire_begin(out, 'A');
    buf_u32(out, process_id);
    buf_cstr(out, channel);
    buf_cstr(out, payload);
    wire_finish(out, mark);
}

void wire_put_parameter_status(struct buf *out, const char *name, const char *value)
{
    size_t mark = wire_begin(out, 'S');
    buf_cstr(out, name);
    buf_cstr(out, value);
    wire_finish(out, mark);
}

void wire_put_key_data(struct buf *out, uint32_t process_id, uint32_t secret_key)
{
    size_t mark = wire_begin(out, 'K');
    buf_u32(out, process_id);
    buf_u32(out, secret_key);
    wire_finish(out, mark);
}

void wire_put_ready(struct buf *out, unsigned char status)
{
    unsigned char bytes[6] = {'Z', 0, 0, 0, 5, status};
    buf_append(out, bytes, sizeof bytes);
}

static void put_field(struct buf *out, unsigned char code, const char *text)
{
    if (!text)
        return;
    buf_byte(out, code);
    buf_cstr(out, text);
}

void wire_put_report(struct buf *out, unsigned char type, const struct wire_report *report)
{
    size_t mark = wire_begin(out, type);
    put_field(out, 'S', report->severity);
    put_field(out, 'V', report->severity_raw);
    put_field(out, 'C', report->sqlstate);
    put_field(out, 'M', report->message);
    put_field(out, 'D', report->detail);
    put_field(out, 'H', report->hint);
    put_field(out, 'P', report->position);
    put_field(out, 'p', report->internal_position);
    put_field(out, 'q', report->internal_query);
    put_field(out, 'W', report->where);
    put_field(out, 's', report->schema);
    put_field(out, 't', report->table);
    put_field(out, 'c', report->column);
    put_field(out, 'd', report->data_type);
    put_field(out, 'n', report->constraint);
    put_field(out, 'F', report->file);
    put_field(out, 'L', report->line);
    put_field(out, 'R', report->routine);
    buf_byte(out, 0);
    wire_finish(out, mark);
}

void wire_put_error(struct buf *out, const char *severity, const char *sqlstate,
                    const char *message, const char *hint, size_t position)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%zu", position);
    struct wire_report report = {.severity = severity,
                                 .severity_raw = severity,
                                 .sqlstate = sqlstate,
                                 .message = message,
                                 .hint = hint,
                                 .position = position ? number : NULL};
    wire_put_report(out, 'E', &report);
}

void wire_put_notice(struct buf *out, const char *severity, const char *sqlstate,
                     const char *message)
{
    struct wire_report report = {
        .severity = severity, .severity_raw = severity, .sqlstate = sqlstate, .message = message};
    wire_put_report(out, 'N', &report);
}

void wire_put_parse_complete(struct buf *out)
{
    put_empty(out, '1');
}

void wire_put_bind_complete(struct buf *out)
{
    put_empty(out, '2');
}

void wire_put_close_complete(struct buf *out)
{
    put_empty(out, '3');
}

void wire_put_no_data(struct buf *out)
{
    put_empty(out, 'n');
}

void wire_put_portal_suspended(struct buf *out)
{
    put_empty(out, 's');
}

void wire_put_empty_query(struct buf *out)
{
    put_empty(out, 'I');
}

void wire_put_command_complete(struct buf *out, const char *tag)
{
    size_t mark = wire_begin(out, 'C');
    buf_cstr(out, tag);
    wire_finish(out, mark);
}

void wire_put_parameter_description(struct buf *out, const uint32_t *type_oids, size_t count)
{
    size_t mark = wire_begin(out, 't');
    buf_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        buf_u32(out, type_oids[i]);
    wire_finish(out, mark);
}

void wire_put_row_description(struct buf *out, const struct wire_column *columns, size_t count)
{
    size_t mark = wire_begin(out, 'T');
    buf_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct wire_column *column = &columns[i];
        buf_cstr(out, column->name);
        buf_u32(out, column->table_oid);
        buf_u16(out, (uint16_t)column->attnum);
        buf_u32(out, column->type_oid);
        buf_u16(out, (uint16_t)column->type_len);
        buf_u32(out, (uint32_t)column->type_mod);
        buf_u16(out, column->format);
    }
    wire_finish(out, mark);
}

void wire_put_data_row(struct buf *out, const char *const *values, size_t count)
{
    size_t mark = wire_begin(out, 'D');
    buf_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        if (!values[i]) {
            buf_u32(out, UINT32_MAX);
            continue;
        }
        size_t len = strlen(values[i]);
        buf_u32(out, (uint32_t)len);
        buf_append(out, values[i], len);
    }
    wire_finish(out, mark);
}

/* ---- to the server ---- */

void wire_put_query(struct buf *out, const char *sql, size_t len)
{
    size_t mark = wire_begin(out, 'Q');
    buf_append(out, sql, len);
    buf_byte(out, 0);
    wire_finish(out, mark);
}

void wire_put_parse(struct buf *out, const char *statement, const char *sql, size_t len,
                    const uint32_t *types, uint16_t type_count)
{
    size_t mark = wire_begin(out, 'P');
    buf_cstr(out, statement);
    buf_append(out, sql, len);
    buf_byte(out, 0);
    buf_u16(out, type_count);
    for (size_t i = 0; i < type_count; i++)
        buf_u32(out, types[i]);
    wire_finish(out, mark);
}

void wire_put_parse_raw(struct buf *out, const char *statement, const char *sql, size_t len,
                        const unsigned char *types, uint16_t type_count)
{
    size_t mark = wire_begin(out, 'P');
    buf_cstr(out, statement);
    buf_append(out, sql, len);
    buf_byte(out, 0);
    buf_u16(out, type_count);
    buf_append(out, types, (size_t)type_count * 4);
    wire_finish(out, mark);
}

void wire_put_bind(struct buf *out, const struct wire_bind *bind)
{
    size_t mark = wire_begin(out, 'B');
    buf_cstr(out, bind->portal);
    buf_cstr(out, bind->statement);
    buf_u16(out, bind->format_count);
    buf_append(out, bind->formats, (size_t)bind->format_count * 2);
    buf_u16(out, bind->value_count);
    buf_append(out, bind->values, bind->values_len);
    buf_u16(out, bind->result_format_count);
    buf_append(out, bind->result_formats, (size_t)bind->result_format_count * 2);
    wire_finish(out, mark);
}

static void put_target(struct buf *out, unsigned char type, unsigned char kind, const char *name)
{
    size_t mark = wire_begin(out, type);
    buf_byte(out, kind);
    buf_cstr(out, name);
    wire_finish(out, mark);
}

void wire_put_describe(struct buf *out, unsigned char kind, const char *name)
{
    put_target(out, 'D', kind, name);
}

void wire_put_close(struct buf *out, unsigned char kind, const char *name)
{
    put_target(out, 'C', kind, name);
}

void wire_put_execute(struct buf *out, const char *portal, uint32_t max_rows)
{
    size_t mark = wire_begin(out, 'E');
    buf_cstr(out, portal);
    buf_u32(out, max_rows);
    wire_finish(out, mark);
}

void wire_put_sync(struct buf *out)
{
    put_empty(out, 'S');
}

void wire_put_flush(struct buf *out)
{
    put_empty(out, 'H');
}

void wire_put_terminate(struct buf *out)
{
    put_empty(out, 'X');
}
