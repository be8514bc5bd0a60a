/*
 * detect_numbers.c: numbers that prove themselves by a check digit (see detect.h).
 *
 * A check digit lets one wrong number in ten through, a key modulo 97 one in ninety-seven: that is
 * why a column is judged by many different values, never by one.
 */
#include "tools/detect.h"

#include <string.h>

/* Digits and letters of a number that people write with blanks, dots and hyphens between. The
 * length, or 0 when there is anything else, or too much. */
static size_t squeeze(const char *text, size_t len, char *out, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == ' ' || c == '.' || c == '-')
            continue;
        bool digit = c >= '0' && c <= '9';
        bool small = c >= 'a' && c <= 'z';
        if ((!digit && !small && !(c >= 'A' && c <= 'Z')) || count + 1 >= size)
            return 0;
        out[count++] = small ? (char)(c - 'a' + 'A') : c;
    }
    out[count] = '\0';
    return count;
}

/* The same of digits alone, exactly `wanted` of them, and not all the same: 000000000 passes every
 * check digit. */
static bool digits(const char *text, size_t len, char *out, size_t wanted)
{
    char number[40];
    if (squeeze(text, len, number, sizeof number) != wanted)
        return false;
    if (strspn(number, "0123456789") != wanted || strspn(number, (char[]){number[0], 0}) == wanted)
        return false;
    memcpy(out, number, wanted + 1);
    return true;
}

static int two(const char *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

static unsigned luhn_sum(const char *number, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(number[len - 1 - i] - '0');
        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum;
}

static bool luhn(const char *number, size_t len)
{
    return luhn_sum(number, len) % 10 == 0;
}

static unsigned modulo97(const char *number, size_t len, unsigned before)
{
    for (size_t i = 0; i < len; i++)
        before = (before * 10 + (unsigned)(number[i] - '0')) % 97;
    return before;
}

/* ---- the number of the social security ---- */

/* Department 01 to 95, 2A, 2B, 96 to 99: overseas, and born abroad. Writes 19 and 18 for Corsica,
 * as the key counts. */
static bool nir_department(char *number)
{
    if (number[5] == '2' && (number[6] == 'A' || number[6] == 'B')) {
        number[6] = number[6] == 'A' ? '9' : '8';
        number[5] = '1';
        return true;
    }
    return two(number + 5) >= 1;
}

/* 13 characters: sex, year, month, department, commune, order. */
static bool nir_body(char *number, bool odd_months)
{
    char corsica = number[6];
    if (corsica == 'A' || corsica == 'B')
        number[6] = '0'; /* one letter at one place, and no other */
    bool plain = strspn(number, "0123456789") == strlen(number);
    number[6] = corsica;
    if (!plain || strchr("12378", number[0]) == NULL)
        return false;
    int month = two(number + 3);
    /* A month that nobody knows is 20, 30 to 42, or 50 and more. */
    bool known = month >= 1 && month <= 12;
    bool unknown = month == 20 || (month >= 30 && month <= 42) || month >= 50;
    if (!known && !(odd_months && unknown))
        return false;
    return nir_department(number) && strncmp(number + 10, "000", 3) != 0;
}

bool detect_nir(const char *text, size_t len, int today)
{
    char number[24];
    (void)today;
    if (squeeze(text, len, number, sizeof number) != 15 || !nir_body(number, true))
        return false;
    return two(number + 13) == 97 - (int)modulo97(number, 13, 0);
}

bool detect_nir_without_key(const char *text, size_t len, int today)
{
    char number[24];
    (void)today;
    return squeeze(text, len, number, sizeof number) == 13 && nir_body(number, false);
}

/* .8 INS-NIR, .9 INS-NIA, .10 and .11 those of tests and demonstrations. */
bool detect_ins(const char *text, size_t len, int today)
{
    static const char oid[] = "1.2.250.1.213.1.4.";
    size_t number = strspn(text, "0123456789AB ");
    return number < len && strstr(text + number, oid) != NULL && detect_nir(text, number, today);
}

/* ---- professionals and houses ---- */

bool detect_rpps(const char *text, size_t len, int today)
{
    char number[12];
    (void)today;
    return digits(text, len, number, 11) && number[0] == '1' && luhn(number, 11);
}

/* Department, profession, order and a check digit that few files have right: the shape only. */
bool detect_adeli(const char *text, size_t len, int today)
{
    char number[10];
    (void)today;
    return digits(text, len, number, 9) && two(number) >= 1;
}

/* Under which the health insurance knows a physician: department, one digit, order, key. */
bool detect_am_number(const char *text, size_t len, int today)
{
    char number[10];
    (void)today;
    return digits(text, len, number, 9) && two(number) >= 1 && two(number) <= 98;
}

bool detect_siren(const char *text, size_t len, int today)
{
    char number[10];
    (void)today;
    return digits(text, len, number, 9) && luhn(number, 9);
}

/* The post office has more houses than check digits: its digits add up to a multiple of five. */
bool detect_siret(const char *text, size_t len, int today)
{
    char number[15];
    unsigned sum = 0;
    (void)today;
    if (!digits(text, len, number, 14))
        return false;
    for (size_t i = 0; i < 14; i++)
        sum += (unsigned)(number[i] - '0');
    return luhn(number, 14) || (strncmp(number, "356000000", 9) == 0 && sum % 5 == 0);
}

/* Luhn, where the letters of 2A and 2B count as 1 and 2. */
bool detect_finess(const char *text, size_t len, int today)
{
    char number[16];
    (void)today;
    if (squeeze(text, len, number, sizeof number) != 9)
        return false;
    if (number[0] == '2' && (number[1] == 'A' || number[1] == 'B'))
        number[1] = number[1] == 'A' ? '1' : '2';
    char plain[10];
    return digits(number, 9, plain, 9) && two(plain) >= 1 && luhn(plain, 9);
}

/* ---- codes ---- */

/* "2345-7": up to seven digits, a hyphen, and Luhn's digit. */
bool detect_loinc(const char *text, size_t len, int today)
{
    char number[9];
    (void)today;
    if (len < 3 || len > 9 || text[len - 2] != '-')
        return false;
    memcpy(number, text, len - 2);
    number[len - 2] = text[len - 1];
    number[len - 1] = '\0';
    return strspn(number, "0123456789") == len - 1 && number[0] != '0' && luhn(number, len - 1);
}

bool detect_cip13(const char *text, size_t len, int today)
{
    char number[14];
    unsigned sum = 0;
    (void)today;
    if (!digits(text, len, number, 13) || strncmp(number, "34009", 5) != 0)
        return false;
    for (size_t i = 0; i < 13; i++)
        sum += (unsigned)(number[i] - '0') * (i % 2 == 0 ? 1 : 3);
    return sum % 10 == 0;
}

/* Six digits by their places from 2 to 7, modulo 11; no code has the key 10. */
bool detect_cip7(const char *text, size_t len, int today)
{
    char number[8];
    unsigned sum = 0;
    (void)today;
    if (!digits(text, len, number, 7))
        return false;
    for (unsigned i = 0; i < 6; i++)
        sum += (unsigned)(number[i] - '0') * (i + 2);
    return sum % 11 == (unsigned)(number[6] - '0');
}

/* Country, key, account: the first four characters go behind, letters count as 10 to 35. */
bool detect_iban(const char *text, size_t len, int today)
{
    char number[40];
    unsigned rest = 0;
    (void)today;
    size_t count = squeeze(text, len, number, sizeof number);
    if (count < 15 || count > 34 || number[0] < 'A' || number[1] < 'A' ||
        strspn(number + 2, "0123456789") < 2)
        return false;
    for (size_t i = 0; i < count; i++) {
        char c = number[(i + 4) % count];
        if (c >= 'A')
            rest = (rest * 100 + (unsigned)(c - 'A') + 10) % 97;
        else
            rest = modulo97(&c, 1, rest);
    }
    return rest == 1;
}
