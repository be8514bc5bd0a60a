/*
 * text.c: small things said once about SQL text and bytes (see text.h).
 *
 * Trust boundary: quoting is what keeps a name or a value from being read as SQL, so it never looks
 * at whether quoting is "needed".
 */
#define XXH_INLINE_ALL /* libpg_query exports XXH symbols of another version */
#include <xxhash.h>

#include <pgvigil/text.h>

#include <string.h>

static void quote_doubled(struct buf *out, const char *text, char quote, bool backslashes)
{
    const char *from = text;
    for (const char *p = text; *p; p++) {
        if (*p != quote && !(backslashes && *p == '\\'))
            continue;
        buf_append(out, from, (size_t)(p - from) + 1);
        from = p; /* the byte itself goes out once more with the next run */
    }
    buf_str(out, from);
}

void text_quote_ident(struct buf *out, const char *name)
{
    buf_byte(out, '"');
    quote_doubled(out, name, '"', false);
    buf_byte(out, '"');
}

void text_quote_config(struct buf *out, const char *text)
{
    buf_byte(out, '"');
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            buf_printf(out, "\\%c", byte);
        else if (byte == '\n')
            buf_str(out, "\\n");
        else if (byte < 0x20 || byte == 0x7f)
            buf_printf(out, "\\x%02x", byte);
        else
            buf_byte(out, byte);
    }
    buf_byte(out, '"');
}

void text_quote_literal(struct buf *out, const char *value)
{
    bool escaped = strchr(value, '\\') != NULL;
    buf_str(out, escaped ? "E'" : "'");
    quote_doubled(out, value, '\'', escaped);
    buf_byte(out, '\'');
}

void text_quote_array(struct buf *out, const char *const *values, size_t count)
{
    buf_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        buf_str(out, i == 0 ? "\"" : ",\"");
        for (const char *p = values[i]; *p; p++) {
            if (*p == '"' || *p == '\\')
                buf_byte(out, '\\');
            buf_byte(out, (unsigned char)*p);
        }
        buf_byte(out, '"');
    }
    buf_byte(out, '}');
}

char *text_take(struct buf *text, struct arena *arena)
{
    buf_byte(text, '\0');
    char *copy = text->failed ? NULL : arena_strdup(arena, (const char *)buf_head(text));
    buf_free(text);
    return copy;
}

char *text_ident(struct arena *arena, const char *name)
{
    struct buf text;
    buf_init(&text, 0);
    text_quote_ident(&text, name);
    return text_take(&text, arena);
}

char *text_literal(struct arena *arena, const char *value)
{
    struct buf text;
    buf_init(&text, 0);
    text_quote_literal(&text, value);
    return text_take(&text, arena);
}

char *text_qualified(struct arena *arena, const char *schema, const char *name)
{
    struct buf text;
    buf_init(&text, 0);
    text_quote_ident(&text, schema);
    buf_byte(&text, '.');
    text_quote_ident(&text, name);
    return text_take(&text, arena);
}

bool text_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

size_t text_characters(const char *text, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

bool text_is_uuid(const char *text, size_t len)
{
    bool good = len == 36;
    for (size_t i = 0; good && i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char lower = (char)(text[i] | 0x20);
        good = dash ? text[i] == '-'
                    : (text[i] >= '0' && text[i] <= '9') || (lower >= 'a' && lower <= 'f');
    }
    return good;
}

bool text_matches(const char *pattern, const char *text)
{
    /* One star to go back to is enough: a later star makes the earlier ones' choice final. */
    const char *star = NULL;
    const char *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

#define NEAREST_MAX 63U

/* Optimal string alignment (a swap of neighbours counts 1); above 2 the exact number does not
 * matter. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAREST_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                size_t swapped = rows[(i - 2) % 3][j - 2] + 1;
                if (swapped < best)
                    best = swapped;
            }
            row[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *text_nearest(const char *name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = 3;
    size_t len = strlen(name);
    if (len > NEAREST_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t other = names[i] ? strlen(names[i]) : NEAREST_MAX + 1;
        if (other > NEAREST_MAX || other > len + 2 || len > other + 2)
            continue;
        size_t d = distance(name, len, names[i], other);
        /* Two edits make any two-letter word out of any other: that is no likeness. */
        if (d < best_distance && d < (len > other ? len : other)) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

void text_hex(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}

void text_hash64(const void *bytes, size_t len, char out[17])
{
    XXH64_canonical_t canonical;
    XXH64_canonicalFromHash(&canonical, XXH3_64bits(bytes, len));
    text_hex(canonical.digest, sizeof canonical.digest, out);
}

void text_hash128(const void *bytes, size_t len, char out[33])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, len));
    text_hex(canonical.digest, sizeof canonical.digest, out);
}

/* Length of the valid character at p (1 to 4), 0 when it is not one. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    if (lead == 0)
        return 0;
    if (lead < 0x80)
        return 1;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || left < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f) ||
        (lead == 0xf0 && p[1] < 0x90) || (lead == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

bool text_is_utf8(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len;) {
        size_t one = utf8_length(p + i, len - i);
        if (!one)
            return false;
        i += one;
    }
    return true;
}
