/*
 * fhir_string.c: texts as FHIR wants them (see fhir_string.h).
 *
 * Trust boundary: the text is valid UTF-8 (Jansson made it), and otherwise anyone's.
 */
#include "fhir_string.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t decode(const unsigned char *at, size_t *size)
{
    if (at[0] < 0x80) {
        *size = 1;
        return at[0];
    }
    if (at[0] < 0xe0) {
        *size = 2;
        return (uint32_t)(at[0] & 0x1f) << 6 | (at[1] & 0x3fU);
    }
    if (at[0] < 0xf0) {
        *size = 3;
        return (uint32_t)(at[0] & 0x0f) << 12 | (uint32_t)(at[1] & 0x3f) << 6 | (at[2] & 0x3fU);
    }
    *size = 4;
    return (uint32_t)(at[0] & 0x07) << 18 | (uint32_t)(at[1] & 0x3f) << 12 |
           (uint32_t)(at[2] & 0x3f) << 6 | (at[3] & 0x3fU);
}

/* White space that some engine's \s takes, beyond ASCII's. */
static bool is_other_space(uint32_t c)
{
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff;
}

json_t *fhir_string(const char *text)
{
    if (!text)
        return NULL;
    size_t len = strlen(text);
    /* A control character of one byte becomes three. */
    char *clean = malloc(len * 3 + 1);
    size_t used = 0;
    bool any = false;
    if (!clean)
        return NULL;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t size = 0;
        uint32_t c = decode(at, &size);
        if (is_other_space(c)) {
            clean[used++] = ' ';
        } else if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
            static const unsigned char replacement[] = {0xef, 0xbf, 0xbd}; /* U+FFFD */
            memcpy(clean + used, replacement, sizeof replacement);
            used += 3;
            any = true;
        } else {
            memcpy(clean + used, at, size);
            used += size;
            any = any || c > 0x20;
        }
        at += size;
    }
    json_t *string = any ? json_stringn(clean, used) : NULL;
    free(clean);
    return string;
}

bool fhir_is_code(const char *text)
{
    bool space = true; /* none at the start */
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at > 0x7e || *at < 0x20 || (*at == ' ' && space))
            return false;
        space = *at == ' ';
    }
    return !space;
}

bool fhir_is_id(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.");
    return len > 0 && len <= 64 && text[len] == '\0';
}
