/*
 * identity_text.c: settings in one text, and how a server is told (see identity_text.h).
 *
 * Trust boundary: names are pgvigil's own, values anybody's; they are quoted as literals, or are
 * parameters.
 */
#include "proxy/identity_text.h"

#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void identity_text_free(struct identity_text *text)
{
    free(text->bytes);
    memset(text, 0, sizeof *text);
}

bool identity_text_take(struct identity_text *text, struct buf *buf, size_t path_at)
{
    size_t len = buf_len(buf);
    char *bytes = buf->failed ? NULL : malloc(len + 1);
    if (bytes != NULL) {
        if (len > 0)
            memcpy(bytes, buf_head(buf), len);
        *text = (struct identity_text){.bytes = bytes, .len = len, .path_at = path_at};
    }
    buf_free(buf);
    return bytes != NULL;
}

bool identity_text_copy(const struct identity_text *from, struct identity_text *to)
{
    char *bytes = malloc(from->len + 1);
    if (bytes == NULL)
        return false;
    if (from->len > 0)
        memcpy(bytes, from->bytes, from->len);
    *to = (struct identity_text){.bytes = bytes, .len = from->len, .path_at = from->path_at};
    return true;
}

bool identity_text_same(const struct identity_text *a, const struct identity_text *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0);
}

bool identity_text_differs(const struct identity_text *a, const struct identity_text *b)
{
    return a->bytes == NULL || b->bytes == NULL || a->path_at != b->path_at ||
           memcmp(a->bytes, b->bytes, a->path_at) != 0;
}

/* Takes the next name and value off the text; false: there is none. */
static bool next(const struct identity_text *text, size_t *at, const char **name,
                 const char **value)
{
    if (*at >= text->len)
        return false;
    *name = text->bytes + *at;
    *value = *name + strlen(*name) + 1;
    *at = (size_t)(*value - text->bytes) + strlen(*value) + 1;
    return true;
}

bool identity_text_alike(const struct identity_text *a, const struct identity_text *b)
{
    const char *name;
    const char *other;
    const char *value;
    size_t at = 0;
    size_t at_other = 0;
    while (next(a, &at, &name, &value))
        if (!next(b, &at_other, &other, &value) || strcmp(name, other) != 0)
            return false;
    return !next(b, &at_other, &other, &value);
}

static void put_setting(struct buf *out, const char *name, const char *value, unsigned number)
{
    char parameter[16];
    buf_str(out, ",pg_catalog.set_config(");
    text_quote_literal(out, name);
    buf_byte(out, ',');
    if (number == 0) {
        text_quote_literal(out, value);
    } else {
        snprintf(parameter, sizeof parameter, "$%u", number);
        buf_str(out, parameter);
    }
    buf_str(out, ",false)");
}

static void put_statement(const struct identity_text *text, bool parameters, struct buf *out)
{
    const char *name;
    const char *value;
    unsigned number = 0;
    size_t at = 0;
    if (text->len > 0)
        buf_str(out, "SELECT 1");
    while (next(text, &at, &name, &value))
        put_setting(out, name, value, parameters ? ++number : 0);
}

void identity_text_sql(const struct identity_text *text, struct buf *out)
{
    put_statement(text, false, out);
}

void identity_text_statement(const struct identity_text *text, struct buf *out)
{
    put_statement(text, true, out);
}

uint16_t identity_text_values(const struct identity_text *text, struct buf *out)
{
    const char *name;
    const char *value;
    uint16_t count = 0;
    for (size_t at = 0; next(text, &at, &name, &value); count++) {
        size_t len = strlen(value);
        buf_u32(out, (uint32_t)len);
        buf_append(out, value, len);
    }
    return count;
}
