/*
 * wire_client.c: the messages a client sends, taken apart (see wire.h).
 *
 * Trust boundary: an attacker's bytes. Each parser reads every field through a cursor and ends in
 * wire_end, so that a message is either understood to its last byte or refused; what is passed on
 * is what was read here.
 */
#include "proxy/wire.h"

enum status wire_parse_query(const struct wire_message *message, const char **sql, size_t *len)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    *sql = wire_get_cstr(&cursor);
    *len = message->len ? message->len - 1 : 0;
    return wire_end(&cursor);
}

enum status wire_parse_parse(const struct wire_message *message, struct wire_parse *parse)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    parse->statement = wire_get_cstr(&cursor);
    parse->sql = wire_get_cstr(&cursor);
    parse->sql_len = cursor.failed ? 0 : (size_t)((const char *)cursor.at - parse->sql) - 1;
    parse->type_count = wire_get_u16(&cursor);
    parse->types = wire_get_bytes(&cursor, (size_t)parse->type_count * 4);
    return wire_end(&cursor);
}

/* `count` format codes, each of them text or binary: PostgreSQL refuses others, and so do we,
 * before anything that counts on them. */
static const unsigned char *get_formats(struct wire_cursor *cursor, uint16_t *count)
{
    *count = wire_get_u16(cursor);
    const unsigned char *formats = wire_get_bytes(cursor, (size_t)*count * 2);
    for (size_t i = 0; formats && i < *count; i++) {
        if (formats[2 * i] != 0 || formats[2 * i + 1] > 1)
            cursor->failed = true;
    }
    return formats;
}

enum status wire_parse_bind(const struct wire_message *message, struct wire_bind *bind)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    bind->portal = wire_get_cstr(&cursor);
    bind->statement = wire_get_cstr(&cursor);
    bind->formats = get_formats(&cursor, &bind->format_count);
    bind->value_count = wire_get_u16(&cursor);
    bind->values = cursor.at;
    for (size_t i = 0; i < bind->value_count && !cursor.failed; i++) {
        int32_t len = 0;
        (void)wire_get_value(&cursor, &len);
    }
    bind->values_len = (size_t)(cursor.at - bind->values);
    bind->result_formats = get_formats(&cursor, &bind->result_format_count);
    if (bind->format_count > 1 && bind->format_count != bind->value_count)
        return ERR_PROTOCOL;
    return wire_end(&cursor);
}

uint16_t wire_bind_result_format(const struct wire_bind *bind, size_t index)
{
    if (bind->result_format_count == 0)
        return 0;
    if (bind->result_format_count == 1)
        index = 0;
    return index < bind->result_format_count ? bind->result_formats[2 * index + 1] : 0;
}

enum status wire_parse_target(const struct wire_message *message, unsigned char *kind,
                              const char **name)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    *kind = wire_get_byte(&cursor);
    *name = wire_get_cstr(&cursor);
    if (*kind != 'S' && *kind != 'P')
        return ERR_PROTOCOL;
    return wire_end(&cursor);
}

enum status wire_parse_execute(const struct wire_message *message, const char **portal,
                               uint32_t *max_rows)
{
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    *portal = wire_get_cstr(&cursor);
    int32_t rows = wire_get_int32(&cursor);
    /* PostgreSQL takes every number below one for "all". */
    *max_rows = rows > 0 ? (uint32_t)rows : 0;
    return wire_end(&cursor);
}

enum status wire_parse_call(const struct wire_message *message, struct wire_call *call)
{
    struct wire_cursor cursor;
    uint16_t format_count = 0;
    wire_cursor_message(&cursor, message);
    call->function = (uint32_t)wire_get_int32(&cursor);
    (void)get_formats(&cursor, &format_count);
    call->value_count = wire_get_u16(&cursor);
    for (size_t i = 0; i < call->value_count && !cursor.failed; i++) {
        int32_t len = 0;
        (void)wire_get_value(&cursor, &len);
    }
    uint16_t result_format = wire_get_u16(&cursor);
    if ((format_count > 1 && format_count != call->value_count) || result_format > 1)
        return ERR_PROTOCOL;
    return wire_end(&cursor);
}

enum status wire_parse_empty(const struct wire_message *message)
{
    return message->len == 0 ? OK : ERR_PROTOCOL;
}
