/*
 * named.c: the patients that a statement names in its conditions (see named.h).
 *
 * Trust boundary: the client's bytes, whose lengths are checked. PostgreSQL may refuse what is read
 * here, or take for a number what is not read as one: nobody is named then.
 */
#include "proxy/named.h"

#include <pgvigil/constants.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Longer ones are no patient's. */
#define NAME_MAX_BYTES   ((size_t)1000)
#define LIST_MAX_BYTES   ((size_t)64 << 10)
#define DIMENSIONS_MAX   6
#define UUID_DIGITS      32
#define TYPE_INT8        20
#define TYPE_INT2        21
#define TYPE_INT4        23
#define TYPE_TEXT        25
#define TYPE_UNKNOWN     705
#define TYPE_CHARACTER   1042
#define TYPE_VARYING     1043
#define TYPE_UUID        2950
#define BINARY_UUID_SIZE 16

/* ---- one value, as PostgreSQL would write it back ---- */

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static enum status add_integer(struct subjects *subjects, const char *text, size_t len)
{
    char digits[24];
    while (len > 0 && is_blank(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    bool minus = len > 0 && text[0] == '-';
    if (len > 0 && (text[0] == '-' || text[0] == '+')) {
        text++;
        len--;
    }
    bool any = len > 0;
    while (len > 1 && text[0] == '0') {
        text++;
        len--;
    }
    for (size_t i = 0; i < len; i++)
        any = any && text[i] >= '0' && text[i] <= '9';
    if (!any || len > 19)
        return OK;
    minus = minus && text[0] != '0';
    int size = snprintf(digits, sizeof digits, "%s%.*s", minus ? "-" : "", (int)len, text);
    return subjects_add(subjects, digits, (size_t)size);
}

static enum status add_uuid(struct subjects *subjects, const char *text, size_t len)
{
    char plain[UUID_DIGITS + 5];
    size_t digits = 0;
    size_t size = 0;
    for (size_t i = 0; i < len; i++) {
        char byte = text[i];
        bool upper = byte >= 'A' && byte <= 'F';
        if (byte == '-' || byte == '{' || byte == '}')
            continue;
        if (digits == UUID_DIGITS ||
            !(upper || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f')))
            return OK;
        if (digits == 8 || digits == 12 || digits == 16 || digits == 20)
            plain[size++] = '-';
        plain[size++] = upper ? (char)(byte - 'A' + 'a') : byte;
        digits++;
    }
    return digits == UUID_DIGITS ? subjects_add(subjects, plain, size) : OK;
}

static enum status add_one(struct subjects *subjects, enum named_kind kind, const char *text,
                           size_t len)
{
    if (len > NAME_MAX_BYTES || memchr(text, '\0', len) != NULL)
        return OK;
    if (kind == NAMED_INTEGER)
        return add_integer(subjects, text, len);
    if (kind == NAMED_UUID)
        return add_uuid(subjects, text, len);
    while (kind == NAMED_PADDED && len > 0 && text[len - 1] == ' ')
        len--;
    return subjects_add(subjects, text, len);
}

/* ---- arrays ---- */

static bool separates(char byte)
{
    return byte == ',' || byte == '{' || byte == '}';
}

/* One element, unescaped, from *at on; *at comes to stand behind it. False: it does not end. */
static bool read_element(char *text, size_t len, size_t *at, size_t *size, bool *quoted)
{
    char *element = text + *at;
    *size = 0;
    *quoted = text[*at] == '"';
    *at += *quoted ? 1 : 0;
    size_t solid = 0; /* what is not blanks at the end */
    while (*at < len && (*quoted ? text[*at] != '"' : !separates(text[*at]))) {
        bool escaped = text[*at] == '\\';
        *at += escaped ? 1 : 0;
        if (*at == len)
            return false;
        char byte = text[(*at)++];
        element[(*size)++] = byte;
        solid = escaped || *quoted || !is_blank(byte) ? *size : solid;
    }
    *size = solid;
    if (*at == len)
        return false;
    *at += *quoted ? 1 : 0;
    return true;
}

/* As PostgreSQL's array_in reads it (PostgreSQL documentation, 8.15.6): blanks around elements,
 * quotes, backslashes, braces in braces, bounds in front. What is broken PostgreSQL refuses. */
static enum status add_array(struct subjects *subjects, enum named_kind kind, char *text,
                             size_t len)
{
    const char *equals = len > 0 && text[0] == '[' ? memchr(text, '=', len) : NULL;
    size_t at = equals == NULL ? 0 : (size_t)(equals - text) + 1;
    enum status status = OK;
    while (at < len && status == OK) {
        if (is_blank(text[at]) || separates(text[at])) {
            at++;
            continue;
        }
        char *element = text + at;
        size_t size = 0;
        bool quoted = false;
        if (!read_element(text, len, &at, &size, &quoted))
            break;
        bool nobody = !quoted && size == 4 && strncasecmp(element, "null", 4) == 0;
        status = nobody ? OK : add_one(subjects, kind, element, size);
    }
    return status;
}

static enum status add_array_text(struct subjects *subjects, enum named_kind kind, const char *text,
                                  size_t len)
{
    while (len > 0 && is_blank(text[0])) {
        text++;
        len--;
    }
    if (len == 0 || (text[0] != '{' && text[0] != '['))
        return OK;
    char *room = malloc(len);
    if (room == NULL)
        return ERR_MEMORY;
    memcpy(room, text, len);
    enum status status = add_array(subjects, kind, room, len);
    free(room);
    return status;
}

static enum status add_scalar(struct subjects *subjects, enum named_kind kind, uint32_t type,
                              const unsigned char *value, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * BINARY_UUID_SIZE + 1];
    bool number = type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8 ||
                  (type == 0 && kind == NAMED_INTEGER);
    bool uuid = type == TYPE_UUID || (type == 0 && kind == NAMED_UUID);
    bool words = type == TYPE_TEXT || type == TYPE_VARYING || type == TYPE_CHARACTER ||
                 type == TYPE_UNKNOWN || (type == 0 && !number && !uuid);
    if (words)
        return add_one(subjects, kind, (const char *)value, len);
    if (uuid && len == BINARY_UUID_SIZE) {
        for (size_t i = 0; i < len; i++) {
            text[2 * i] = digits[value[i] >> 4];
            text[2 * i + 1] = digits[value[i] & 15];
        }
        return add_one(subjects, kind, text, 2 * len);
    }
    if (!number || (len != 2 && len != 4 && len != 8))
        return OK;
    uint64_t all = (value[0] & 0x80) != 0 ? UINT64_MAX : 0; /* the sign goes on to the left */
    for (size_t i = 0; i < len; i++)
        all = all << 8 | value[i];
    int size = snprintf(text, sizeof text, "%lld", (long long)all);
    return add_one(subjects, kind, text, (size_t)size);
}

/* PostgreSQL's array_send: dimensions, whether there are NULLs, the elements' type; of each
 * dimension its length and first index; elements. */
static enum status add_array_binary(struct subjects *subjects, enum named_kind kind,
                                    const unsigned char *value, size_t len)
{
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, value, len);
    int32_t dimensions = wire_get_int32(&cursor);
    (void)wire_get_int32(&cursor);
    uint32_t type = (uint32_t)wire_get_int32(&cursor);
    for (int32_t i = 0; i < dimensions && i < DIMENSIONS_MAX; i++)
        (void)wire_get_bytes(&cursor, 8);
    enum status status = OK;
    while (dimensions > 0 && status == OK && !cursor.failed && wire_left(&cursor) > 0) {
        int32_t size = 0;
        const unsigned char *element = wire_get_value(&cursor, &size);
        if (element != NULL)
            status = add_scalar(subjects, kind, type, element, (size_t)size);
    }
    return status;
}

enum status named_add_text(struct subjects *subjects, const struct verdict_named *named,
                           const char *text, size_t len)
{
    return named->list ? add_array_text(subjects, named->kind, text,
                                        len > LIST_MAX_BYTES ? LIST_MAX_BYTES : len)
                       : add_one(subjects, named->kind, text, len);
}

enum status named_add_binary(struct subjects *subjects, const struct verdict_named *named,
                             uint32_t type, const unsigned char *value, size_t len)
{
    if (named->list)
        return add_array_binary(subjects, named->kind, value,
                                len > LIST_MAX_BYTES ? LIST_MAX_BYTES : len);
    /* Of a type that nobody declared it is the subject's, unless a cast stands between. */
    bool known = type != 0 || !named->cast;
    return len > 0 && known ? add_scalar(subjects, named->kind, type, value, len) : OK;
}

/* ---- parameters ---- */

static bool is_binary(const struct wire_bind *bind, uint32_t number)
{
    size_t index = bind->format_count == 1 ? 0 : number - 1;
    return bind->format_count > 0 && bind->formats[2 * index + 1] == 1;
}

static enum status add_bound(struct subjects *subjects, const struct statement *statement,
                             const struct wire_bind *bind, const struct verdict_named *named,
                             const unsigned char *value, size_t len)
{
    uint32_t type =
        named->parameter <= statement->type_count ? statement->types[named->parameter - 1] : 0;
    return is_binary(bind, named->parameter)
               ? named_add_binary(subjects, named, type, value, len)
               : named_add_text(subjects, named, (const char *)value, len);
}

/* In the parameters' order, which is that of `named`: each is walked over once. */
enum status named_bound(const struct statement *statement, const struct wire_bind *bind,
                        struct subjects **subjects)
{
    const struct verdict_statement *one = statement_at(statement, 0);
    struct wire_cursor cursor;
    const unsigned char *value = NULL;
    int32_t size = 0;
    uint32_t number = 0;
    size_t bytes = 0;
    enum status status = OK;
    *subjects = NULL;
    wire_cursor_init(&cursor, bind->values, bind->values_len);
    for (size_t i = 0; one != NULL && i < one->named_count && status == OK; i++) {
        const struct verdict_named *named = &one->named[i];
        if (named->parameter == 0)
            continue;
        for (; number < named->parameter && number < bind->value_count; number++)
            value = wire_get_value(&cursor, &size);
        if (number < named->parameter || cursor.failed || bytes > LIST_MAX_BYTES)
            break; /* portals keep no more than that */
        if (value == NULL)
            continue;
        bytes += (size_t)size;
        if (*subjects == NULL)
            *subjects = subjects_new();
        status = *subjects == NULL
                     ? ERR_MEMORY
                     : add_bound(*subjects, statement, bind, named, value, (size_t)size);
    }
    return status;
}

/* ---- texts ---- */

bool named_any(const struct statement *statement, size_t index)
{
    const struct verdict_statement *one = statement_at(statement, index);
    return one != NULL && one->named_count > 0;
}

/* A constant as it stands in the text. */
static enum status add_constant(struct subjects *subjects, const struct verdict_named *named,
                                const char *sql, const struct constant *token)
{
    size_t size = 0;
    bool quoted = token->class == CONSTANT_STRING;
    size_t end = token->at + token->len - (quoted ? 1 : 0);
    size_t start = token->at + (quoted ? 1 : 0);
    while (token->class == CONSTANT_INTEGER && start + 1 < end && sql[start] == '0')
        start++;
    char *text = malloc(token->len + 1);
    if (text == NULL)
        return ERR_MEMORY;
    for (size_t i = start; i < end; i++) {
        text[size++] = sql[i];
        if (quoted && sql[i] == '\'')
            i++; /* doubled */
    }
    enum status status = named_add_text(subjects, named, text, size);
    free(text);
    return status;
}

/* A text that was judged as another one, which differs in such constants. */
static bool stands_for_another(const struct statement *statement)
{
    return statement->origin != NULL && !statement_same(statement->origin, statement);
}

enum status named_add(struct subjects *subjects, const struct statement *statement, size_t index,
                      const struct verdict_statement *arguments)
{
    const struct verdict_statement *one = statement_at(statement, index);
    struct constants constants;
    bool again = one != NULL && stands_for_another(statement) &&
                 constants_find(statement->sql, statement->len, &constants);
    enum status status = OK;
    for (size_t i = 0; one != NULL && i < one->named_count && status == OK; i++) {
        const struct verdict_named *named = &one->named[i];
        const char *text = named->text;
        if (named->parameter > 0 && arguments != NULL &&
            named->parameter <= arguments->argument_count)
            text = arguments->arguments[named->parameter - 1].text;
        if (text == NULL)
            continue;
        if (again && named->constant < constants.count)
            status =
                add_constant(subjects, named, statement->sql, &constants.list[named->constant]);
        else
            status = named_add_text(subjects, named, text, strlen(text));
    }
    return status;
}
