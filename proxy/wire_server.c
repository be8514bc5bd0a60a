/*
 * wire_server.c: the messages a database server sends, taken apart (see wire.h).
 *
 * Trust boundary: the server is believed about data and distrusted about form: one that was
 * replaced or broken into must not be able to do more than fail its own sessions.
 */
#include "proxy/wire.h"

#include <stdlib.h>
#include <string.h>

static const char **report_field(struct wire_report *report, unsigned char code)
{
    switch (code) {
    case 'S':
        return &report->severity;
    case 'V':
        return &report->severity_raw;
    case 'C':
        return &report->sqlstate;
    case 'M':
        return &report->message;
    case 'D':
        return &report->detail;
    case 'H':
        return &report->hint;
    case 'P':
        return &report->position;
    case 'p':
        return &report->internal_position;
    case 'q':
        return &report->internal_query;
    case 'W':
        return &report->where;
    case 's':
        return &report->schema;
    case 't':
        return &report->table;
    case 'c':
        return &report->column;
    case 'd':
        return &report->data_type;
    case 'n':
        return &report->constraint;
    case 'F':
        return &report->file;
    case 'L':
        return &report->line;
    case 'R':
        return &report->routine;
    default:
        return NULL;
    }
}

enum status wire_parse_report(const struct wire_message *message, struct wire_report *report)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    memset(report, 0, sizeof *report);
    for (unsigned char code; (code = wire_get_byte(&cursor)) != 0;) {
        const char *text = wire_get_cstr(&cursor);
        const char **field = report_field(report, code);
        if (field)
            *field = text;
    }
    return wire_end(&cursor);
}

void wire_get_column(struct wire_cursor *cursor, struct wire_column *column)
{
    column->name = wire_get_cstr(cursor);
    column->table_oid = wire_get_u32(cursor);
    column->attnum = wire_get_int16(cursor);
    column->type_oid = wire_get_u32(cursor);
    column->type_len = wire_get_int16(cursor);
    column->type_mod = wire_get_int32(cursor);
    column->format = wire_get_u16(cursor);
}

static void store_origin(unsigned char *at, uint32_t table_oid, int16_t attnum)
{
    at[0] = (unsigned char)(table_oid >> 24);
    at[1] = (unsigned char)(table_oid >> 16);
    at[2] = (unsigned char)(table_oid >> 8);
    at[3] = (unsigned char)table_oid;
    at[4] = (unsigned char)((uint16_t)attnum >> 8);
    at[5] = (unsigned char)attnum;
}

enum status wire_rewrite_origins(unsigned char *body, size_t len, wire_origin_fn *rewrite,
                                 void *context)
{
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, body, len);
    uint16_t count = wire_get_u16(&cursor);
    for (size_t i = 0; i < count && !cursor.failed; i++) {
        struct wire_column column;
        wire_get_column(&cursor, &column);
        if (cursor.failed)
            break;
        /* 18 fixed bytes end a column; origin is the first six of them. */
        unsigned char *origin = body + (cursor.at - body) - 18;
        rewrite(&column.table_oid, &column.attnum, context);
        store_origin(origin, column.table_oid, column.attnum);
    }
    return wire_end(&cursor);
}

enum status wire_parse_ready(const struct wire_message *message, unsigned char *status)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    *status = wire_get_byte(&cursor);
    if (*status != 'I' && *status != 'T' && *status != 'E')
        return ERR_PROTOCOL;
    return wire_end(&cursor);
}

enum status wire_parse_parameter_status(const struct wire_message *message, const char **name,
                                        const char **value)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    *name = wire_get_cstr(&cursor);
    *value = wire_get_cstr(&cursor);
    return wire_end(&cursor);
}

uint64_t wire_tag_rows(const char *tag)
{
    const char *space = strrchr(tag, ' ');
    if (!space || space[1] < '0' || space[1] > '9')
        return 0;
    char *end = NULL;
    unsigned long long rows = strtoull(space + 1, &end, 10);
    return *end ? 0 : rows;
}
