/*
 * copy_subjects.c: whose rows are on their way to the client by COPY TO (see copy_subjects.h).
 *
 * Trust boundary: the server's bytes; every length is checked. A line that does not begin as it
 * must is not passed on, since what is in front would be shown.
 */
#include "proxy/copy_subjects.h"

#include "proxy/wire.h"

#include <string.h>

/* A field: its value, and where the next begins. */
struct field {
    size_t at, len;
    size_t next;
};

bool copy_is_trailer(bool first, const unsigned char *body, size_t len)
{
    size_t at = first ? COPY_BINARY_HEADER : 0;
    return len < at + 2 || (body[at] == 0xff && body[at + 1] == 0xff);
}

/* Where the byte stands next, or `len`. */
static size_t find(const unsigned char *line, size_t at, size_t len, char byte)
{
    const unsigned char *found = at < len ? memchr(line + at, (unsigned char)byte, len - at) : NULL;
    return found == NULL ? len : (size_t)(found - line);
}

/* In text a backslash takes away what the byte behind it means; there is none in a subject, but in
 * the name of its column, where the delimiter is a blank. */
static enum status text_field(const struct copy_shape *copy, const unsigned char *line, size_t len,
                              struct field *field)
{
    size_t at = find(line, field->next, len, copy->delimiter);
    while (at < len && at > field->next && line[at - 1] == '\\')
        at = find(line, at + 1, len, copy->delimiter);
    if (at == len)
        return NEED_MORE;
    field->at = field->next;
    field->len = at - field->at;
    field->next = at + 1;
    return OK;
}

/* In CSV it may stand in quotes, which are not in it. */
static enum status csv_field(const struct copy_shape *copy, const unsigned char *line, size_t len,
                             struct field *field)
{
    size_t start = field->next;
    bool quoted = start < len && line[start] == (unsigned char)copy->quote;
    start += quoted ? 1 : 0;
    size_t at = find(line, start, len, quoted ? copy->quote : copy->delimiter);
    field->at = start;
    field->len = at - start;
    at += quoted ? 1 : 0;
    if (at >= len)
        return NEED_MORE;
    if (line[at] != (unsigned char)copy->delimiter)
        return ERR_PROTOCOL;
    field->next = at + 1;
    return OK;
}

/* Of a hexadecimal digit, plus 1; 0: it is none. */
static const unsigned char digits[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16};

/* "x" and digits, over which the bytes are written; nothing: nobody. */
static enum status add(struct subjects *subjects, bool list, unsigned char *text, size_t len)
{
    if (len == 0)
        return OK;
    if (text[0] != 'x' || len % 2 == 0)
        return ERR_PROTOCOL;
    size_t size = len / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned high = digits[text[1 + 2 * i]];
        unsigned low = digits[text[2 + 2 * i]];
        if (high == 0 || low == 0)
            return ERR_PROTOCOL;
        text[i] = (unsigned char)((high - 1) << 4 | (low - 1));
    }
    if (subjects == NULL)
        return OK;
    return list ? subjects_add_list(subjects, (char *)text, size)
                : subjects_add(subjects, text, size);
}

static enum status take_line(struct subjects *subjects, struct subjects_shape shape,
                             const struct copy_shape *copy, bool names, unsigned char **body,
                             size_t *len)
{
    struct field fields[32];
    struct field field = {0};
    if (shape.count > sizeof fields / sizeof fields[0])
        return ERR_PROTOCOL;
    for (size_t i = 0; i < shape.count; i++) {
        enum status status = copy->format == COPY_CSV ? csv_field(copy, *body, *len, &field)
                                                      : text_field(copy, *body, *len, &field);
        if (status != OK)
            return status;
        fields[i] = field;
    }
    /* All are there: nothing is written over that is looked at once more. */
    for (size_t i = 0; i < shape.count && !names; i++) {
        enum status status =
            add(subjects, (shape.lists >> i & 1) != 0, *body + fields[i].at, fields[i].len);
        if (status != OK)
            return status;
    }
    *body += field.next;
    *len -= field.next;
    return OK;
}

static enum status take_tuple(struct subjects *subjects, struct subjects_shape shape,
                              unsigned char *tuple, size_t len, size_t *taken)
{
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, tuple, len);
    size_t columns = wire_get_u16(&cursor);
    for (size_t i = 0; i < shape.count && !cursor.failed; i++) {
        int32_t size = 0;
        (void)wire_get_value(&cursor, &size);
    }
    if (cursor.failed)
        return NEED_MORE;
    if (columns < shape.count)
        return ERR_PROTOCOL;
    *taken = len - wire_left(&cursor) - 2;
    wire_cursor_init(&cursor, tuple + 2, len - 2);
    for (size_t i = 0; i < shape.count; i++) {
        int32_t size = 0;
        const unsigned char *value = wire_get_value(&cursor, &size);
        enum status status = value == NULL ? OK
                                           : add(subjects, (shape.lists >> i & 1) != 0,
                                                 (unsigned char *)value, (size_t)size);
        if (status != OK)
            return status;
    }
    size_t left = columns - shape.count;
    tuple[*taken] = (unsigned char)(left >> 8);
    tuple[*taken + 1] = (unsigned char)left;
    return OK;
}

enum status copy_take(struct subjects *subjects, struct subjects_shape shape,
                      const struct copy_shape *copy, enum copy_data data, unsigned char **body,
                      size_t *len)
{
    if (copy->format != COPY_BINARY)
        return take_line(subjects, shape, copy, data == COPY_DATA_NAMES, body, len);
    size_t before = data == COPY_DATA_FIRST ? COPY_BINARY_HEADER : 0;
    size_t taken = 0;
    if (*len < before)
        return NEED_MORE;
    enum status status = take_tuple(subjects, shape, *body + before, *len - before, &taken);
    if (status != OK)
        return status;
    memmove(*body + taken, *body, before);
    *body += taken;
    *len -= taken;
    return OK;
}

bool copy_are_in(struct subjects_shape shape, const struct copy_shape *copy, enum copy_data data,
                 const unsigned char *body, size_t len)
{
    struct field field = {0};
    if (copy->format == COPY_BINARY) {
        size_t before = data == COPY_DATA_FIRST ? COPY_BINARY_HEADER : 0;
        return len >= before && subjects_are_in(shape, body + before, len - before);
    }
    enum status status = OK;
    for (size_t i = 0; i < shape.count && status == OK; i++)
        status = copy->format == COPY_CSV ? csv_field(copy, body, len, &field)
                                          : text_field(copy, body, len, &field);
    return status != NEED_MORE;
}

enum status copy_undescribe(struct subjects_shape shape, unsigned char **body, size_t *len)
{
    if (*len < 3)
        return ERR_PROTOCOL;
    size_t columns = (size_t)(*body)[1] << 8 | (*body)[2];
    if (columns <= shape.count || *len != 3 + 2 * columns)
        return ERR_PROTOCOL;
    size_t taken = 2 * shape.count;
    size_t left = columns - shape.count;
    unsigned char format = (*body)[0];
    *body += taken;
    *len -= taken;
    (*body)[0] = format;
    (*body)[1] = (unsigned char)(left >> 8);
    (*body)[2] = (unsigned char)left;
    return OK;
}
