/*
 * audit_cells.c: what stands in records, made harmless (see audit_cells.h).
 */
#include "tools/audit_cells.h"

#include <stdint.h>
#include <string.h>

/* The character at `at` and its length; a byte that begins none is 0xfffd, length 1. */
static uint32_t character(const unsigned char *at, size_t *len)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    *len = 1;
    if (at[0] < 0x80)
        return at[0];
    for (size_t i = 0; i < 3; i++) {
        if ((at[0] & forms[i].mask) != forms[i].lead)
            continue;
        uint32_t code = at[0] & (uint32_t)(unsigned char)~forms[i].mask;
        for (size_t k = 1; k <= i + 1; k++) {
            if ((at[k] & 0xc0) != 0x80)
                return 0xfffd;
            code = code << 6 | (at[k] & 0x3f);
        }
        if (code < forms[i].least)
            return 0xfffd;
        *len = i + 2;
        return code;
    }
    return 0xfffd;
}

static bool is_harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0x200e ||
           code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
           (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f);
}

void cells_text(const char *text, FILE *out)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t len = 0;
        uint32_t code = character(at, &len);
        if (is_harmful(code))
            (void)fprintf(out, "\\u{%x}", code);
        else if (code == 0xfffd)
            (void)fputs("\xef\xbf\xbd", out);
        else
            (void)fwrite(at, 1, len, out);
        at += len;
    }
}

size_t cells_width(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t width = 0;
    while (*at) {
        char escaped[16];
        size_t len = 0;
        uint32_t code = character(at, &len);
        width += is_harmful(code) ? (size_t)snprintf(escaped, sizeof escaped, "\\u{%x}", code) : 1;
        at += len;
    }
    return width;
}

/* Spreadsheets pass over blanks, and some take the wide forms of the signs, too. */
static bool is_formula(const char *text)
{
    static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
                                       "\xef\xbc\xa0"};
    text += strspn(text, " \t\r\n\v\f");
    if (*text && strchr("=+-@|%", *text))
        return true;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        if (strncmp(text, wide[i], 3) == 0)
            return true;
    }
    return false;
}

void cells_csv(const char *text, bool first, FILE *out)
{
    (void)fputs(first ? "\"" : ",\"", out);
    if (is_formula(text))
        (void)fputc('\'', out);
    while (*text) {
        size_t len = strcspn(text, "\"");
        char part[512];
        if (len >= sizeof part)
            len = sizeof part - 1;
        /* Not within a character. */
        while (len > 1 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
        memcpy(part, text, len);
        part[len] = '\0';
        cells_text(part, out);
        text += len;
        if (*text == '"') {
            (void)fputs("\"\"", out);
            text++;
        }
    }
    (void)fputc('"', out);
}

void cells_csv_end(FILE *out)
{
    (void)fputs("\r\n", out);
}

void cells_subjects(const json_t *patients, size_t max, struct buf *out)
{
    size_t count = json_array_size(patients);
    for (size_t i = 0; i < count && i < max; i++) {
        const json_t *element = json_array_get(patients, i);
        const char *text = json_string_value(element);
        json_int_t first = json_integer_value(json_array_get(element, 0));
        json_int_t last = json_integer_value(json_array_get(element, 1));
        buf_str(out, i ? ", " : "");
        if (text)
            buf_str(out, text);
        else if (first == last)
            buf_printf(out, "%lld", (long long)first);
        else
            buf_printf(out, "%lld-%lld", (long long)first, (long long)last);
    }
    if (count > max)
        buf_printf(out, ", +%zu", count - max);
}

static void relation_name(const json_t *relation, struct buf *out)
{
    const char *schema = json_string_value(json_object_get(relation, "schema"));
    const char *name = json_string_value(json_object_get(relation, "name"));
    if (schema && *schema) {
        buf_str(out, schema);
        buf_byte(out, '.');
    }
    buf_str(out, name ? name : "?");
}

void cells_relations(const json_t *relations, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(relations); i++) {
        buf_str(out, i ? ", " : "");
        relation_name(json_array_get(relations, i), out);
    }
}

void cells_columns(const json_t *relations, struct buf *out)
{
    static const char *const lists[] = {"shown", "masked", "written"};
    for (size_t i = 0; i < json_array_size(relations); i++) {
        const json_t *relation = json_array_get(relations, i);
        const char *between = " (";
        buf_str(out, i ? ", " : "");
        relation_name(relation, out);
        for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
            const json_t *list = json_object_get(relation, lists[k]);
            if (json_array_size(list) == 0)
                continue;
            buf_str(out, between);
            if (k > 0)
                buf_printf(out, "%s ", lists[k]);
            for (size_t c = 0; c < json_array_size(list); c++) {
                const char *name = json_string_value(json_array_get(list, c));
                buf_printf(out, "%s%s", c ? ", " : "", name ? name : "?");
            }
            between = "; ";
        }
        if (between[0] == ';')
            buf_byte(out, ')');
    }
}

const char *cells_string(struct buf *text)
{
    buf_byte(text, '\0');
    return text->failed ? "" : (const char *)buf_head(text);
}
