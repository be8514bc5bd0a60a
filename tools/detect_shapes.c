/*
 * detect_shapes.c: values that are known by how they are written (see detect.h).
 */
#include "tools/detect.h"

#include <arpa/inet.h>
#include <pgvigil/text.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
    return is_upper((char)(c & ~0x20));
}

/* ---- where people are reached ---- */

/* Digits of a telephone number, with what stands between them; 0 when it is none. */
static size_t phone_digits(const char *text, size_t len, size_t *between)
{
    size_t count = 0;
    *between = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_digit(text[i]))
            count++;
        else if (strchr(" .-/()", text[i]) != NULL)
            (*between)++;
        else if (i > 0 || text[i] != '+')
            return 0;
    }
    return count;
}

/* One that nothing else looks like: +33 6 12 34 56 78, 0033..., 06 12 34 56 78 or 06.12.34.56.78.
 */
bool detect_phone(const char *text, size_t len, int today)
{
    size_t between = 0;
    size_t count = phone_digits(text, len, &between);
    (void)today;
    if (len < 10 || len > 24)
        return false;
    if (text[0] == '+')
        return count >= 8 && count <= 15 && is_digit(text[1]) && text[1] != '0';
    if (strncmp(text, "0033", 4) == 0)
        return count == 13;
    return count == 10 && between >= 2 && text[0] == '0' && is_digit(text[1]) && text[1] != '0';
}

/* 0612345678 could be a number of anything, 0341/12345 is another country's. */
bool detect_phone_digits(const char *text, size_t len, int today)
{
    size_t between = 0;
    size_t count = phone_digits(text, len, &between);
    (void)today;
    return len <= 24 && count >= 6 && count <= 15 && between <= 8;
}

static bool email_domain(const char *text, size_t len)
{
    size_t label = 0;
    size_t labels = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.') {
            if (label == 0)
                return false;
            labels++;
            label = 0;
        } else if (is_letter(text[i]) || is_digit(text[i]) || text[i] == '-') {
            label++;
        } else {
            return false;
        }
    }
    return labels > 0 && label >= 2 && is_letter(text[len - 1]);
}

bool detect_email(const char *text, size_t len, int today)
{
    const char *at = memchr(text, '@', len);
    (void)today;
    if (at == NULL || at == text || at - text > 64 || len > 254)
        return false;
    for (const char *c = text; c < at; c++)
        if (!is_letter(*c) && !is_digit(*c) && strchr("._%+-'~&=", *c) == NULL)
            return false;
    return email_domain(at + 1, len - (size_t)(at + 1 - text));
}

/* Any five digits below 99 are one: the name must say so. */
bool detect_postcode(const char *text, size_t len, int today)
{
    (void)today;
    if (len != 5 || (!is_digit(text[0]) || !is_digit(text[1])) || strncmp(text, "00", 2) == 0)
        return false;
    return is_digit(text[2]) && is_digit(text[3]) && is_digit(text[4]) &&
           strncmp(text, "99", 2) != 0;
}

/* ---- dates ---- */

static bool number_at(const char *text, size_t len, size_t at, size_t count, int *value)
{
    *value = 0;
    if (at + count > len)
        return false;
    for (size_t i = at; i < at + count; i++) {
        if (!is_digit(text[i]))
            return false;
        *value = *value * 10 + (text[i] - '0');
    }
    return true;
}

static bool separator(char c)
{
    return c == '-' || c == '/' || c == '.';
}

int detect_date(const char *text, size_t len)
{
    int year = 0;
    int month = 0;
    int day = 0;
    bool iso = len >= 10 && number_at(text, len, 0, 4, &year) && separator(text[4]) &&
               number_at(text, len, 5, 2, &month) && text[7] == text[4] &&
               number_at(text, len, 8, 2, &day) &&
               (len == 10 || text[10] == ' ' || text[10] == 'T');
    bool french = !iso && len == 10 && number_at(text, len, 0, 2, &day) && separator(text[2]) &&
                  number_at(text, len, 3, 2, &month) && text[5] == text[2] &&
                  number_at(text, len, 6, 4, &year);
    if ((!iso && !french) || month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    return year * 10000 + month * 100 + day;
}

/* Somebody who lives, or has lived in this century or the last. */
bool detect_birth_date(const char *text, size_t len, int today)
{
    int date = detect_date(text, len);
    return date >= 18900101 && date <= today;
}

/* ---- codes of medicine ---- */

/* I10, I50.0, M51.18, S72.00+1; Z is the last chapter's letter, U the one for special purposes. */
bool detect_icd10(const char *text, size_t len, int today)
{
    (void)today;
    if (len < 3 || len > 8 || !is_upper(text[0]) || !is_digit(text[1]) || !is_digit(text[2]))
        return false;
    size_t at = len > 3 && text[3] == '.' ? 4 : 3;
    if (at == 4 && len == 4)
        return false;
    for (; at < len; at++)
        if (!is_digit(text[at]) && text[at] != '+' && !(text[at] == 'X' && at >= 3))
            return false;
    return true;
}

/* Region of the body, organ, action, way: four letters; and a number. */
bool detect_ccam(const char *text, size_t len, int today)
{
    (void)today;
    if (len != 7 || strchr("ABCDEFGHJKLMNPQYZ", text[0]) == NULL)
        return false;
    for (size_t i = 0; i < 7; i++)
        if (i < 4 ? !is_upper(text[i]) : !is_digit(text[i]))
            return false;
    return true;
}

/* The main groups that the classification has, each letter's as bits: of 2600 letters with two
 * digits it knows 94. */
static bool atc_group(const char *text)
{
    static const struct {
        char letter;
        const char *groups;
    } known[] = {{'A', "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16"},
                 {'B', "01 02 03 05 06"},
                 {'C', "01 02 03 04 05 07 08 09 10"},
                 {'D', "01 02 03 04 05 06 07 08 09 10 11"},
                 {'G', "01 02 03 04"},
                 {'H', "01 02 03 04 05"},
                 {'J', "01 02 04 05 06 07"},
                 {'L', "01 02 03 04"},
                 {'M', "01 02 03 04 05 09"},
                 {'N', "01 02 03 04 05 06 07"},
                 {'P', "01 02 03"},
                 {'R', "01 02 03 05 06 07"},
                 {'S', "01 02 03"},
                 {'V', "01 03 04 06 07 08 09 10 20"}};
    char group[3] = {text[1], text[2], '\0'};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].letter == text[0])
            return strstr(known[i].groups, group) != NULL;
    return false;
}

bool detect_atc(const char *text, size_t len, int today)
{
    (void)today;
    return len == 7 && is_digit(text[1]) && is_digit(text[2]) && is_upper(text[3]) &&
           is_upper(text[4]) && is_digit(text[5]) && is_digit(text[6]) && atc_group(text);
}

/* ---- machines' ---- */

bool detect_ip_address(const char *text, size_t len, int today)
{
    unsigned char address[16];
    char plain[64];
    (void)today;
    size_t count = strcspn(text, "/");
    if (count > len || count >= sizeof plain)
        return false;
    memcpy(plain, text, count);
    plain[count] = '\0';
    return inet_pton(AF_INET, plain, address) == 1 ||
           (strchr(plain, ':') != NULL && inet_pton(AF_INET6, plain, address) == 1);
}

static bool is_hex(char c)
{
    return is_digit(c) || strchr("abcdefABCDEF", c) != NULL;
}

bool detect_uuid(const char *text, size_t len, int today)
{
    (void)today;
    return text_is_uuid(text, len);
}

/* MD5, SHA-1 and longer ones, in hexadecimal; digits alone are a number. */
bool detect_hash(const char *text, size_t len, int today)
{
    bool letter = false;
    (void)today;
    if (len != 32 && len != 40 && len != 56 && len != 64 && len != 96 && len != 128)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_hex(text[i]))
            return false;
        letter = letter || is_letter(text[i]);
    }
    return letter;
}
