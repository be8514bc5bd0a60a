/*
 * doc_time.c: moments, read and written (see doc_time.h).
 */
#include "tools/doc_time.h"

#include <ctype.h>
#include <pgvigil/organisation.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_SECONDS 86400L

static const char form[] =
    "a time is 2026-03-28, 2026-03-28T14:30 or 2026-03-28T14:30:00, with Z or +01:00 behind it "
    "where it is not local";

static bool two_digits(const char *text, int most, int *number)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]))
        return false;
    *number = (text[0] - '0') * 10 + (text[1] - '0');
    return *number <= most;
}

/* "14:30" or "14:30:05"; *text moves behind it. */
static bool read_clock(const char **text, long *seconds)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    const char *at = *text;
    if (strlen(at) < 5 || !two_digits(at, 23, &hour) || at[2] != ':' ||
        !two_digits(at + 3, 59, &minute))
        return false;
    at += 5;
    if (*at == ':') {
        if (strlen(at) < 3 || !two_digits(at + 1, 59, &second))
            return false;
        at += 3;
    }
    *seconds = hour * 3600L + minute * 60L + second;
    *text = at;
    return true;
}

/* "Z", "+01:00". */
static bool read_offset(const char *text, long *offset)
{
    int hour = 0;
    int minute = 0;
    *offset = 0;
    if (strcmp(text, "Z") == 0)
        return true;
    if ((text[0] != '+' && text[0] != '-') || strlen(text) != 6 ||
        !two_digits(text + 1, 15, &hour) || text[3] != ':' || !two_digits(text + 4, 59, &minute))
        return false;
    *offset = (hour * 3600L + minute * 60L) * (text[0] == '-' ? -1 : 1);
    return true;
}

static long offset_at(time_t when)
{
    struct tm tm;
    return localtime_r(&when, &tm) ? tm.tm_gmtoff : 0;
}

/* The moment at which the zone's clocks show it. They change at most once within two days, so the
 * offsets of the day before and the day after are all that it can have. */
static bool from_local(time_t shown, time_t *when, const char **why)
{
    long offsets[2] = {offset_at(shown - DAY_SECONDS), offset_at(shown + DAY_SECONDS)};
    unsigned found = 0;
    for (size_t i = 0; i < 2; i++) {
        time_t candidate = shown - offsets[i];
        if ((i == 1 && offsets[1] == offsets[0]) || offset_at(candidate) != offsets[i])
            continue;
        *when = candidate;
        found++;
    }
    if (found == 0)
        *why = "the clocks of this time zone never show that time: they go forward over it; give "
               "the offset, as +01:00";
    if (found > 1)
        *why = "the clocks of this time zone show that time twice, as they go back: say which by "
               "its offset, as +02:00";
    return found == 1;
}

bool doc_time_parse(const char *text, time_t *when, const char **why)
{
    char date[11] = "";
    long day = 0;
    long seconds = 0;
    long offset = 0;
    *why = form;
    (void)snprintf(date, sizeof date, "%.10s", text);
    if (!config_read_day(date, &day))
        return false;
    const char *at = text + 10;
    if (*at == 'T' || *at == ' ') {
        at++;
        if (!read_clock(&at, &seconds))
            return false;
    }
    time_t shown = (time_t)(day * DAY_SECONDS + seconds);
    if (!*at)
        return from_local(shown, when, why);
    if (!read_offset(at, &offset))
        return false;
    *when = shown - offset;
    return true;
}

void doc_time_local(time_t when, char out[DOC_TIME_BYTES])
{
    struct tm tm;
    char text[DOC_TIME_BYTES] = "";
    out[0] = '\0';
    if (!localtime_r(&when, &tm))
        return;
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    long minutes = labs(tm.tm_gmtoff) / 60;
    (void)snprintf(out, DOC_TIME_BYTES, "%.19s%c%02ld:%02ld", text, tm.tm_gmtoff < 0 ? '-' : '+',
                   minutes / 60 % 100, minutes % 60);
}

void doc_time_utc(time_t when, char out[DOC_TIME_BYTES])
{
    struct tm tm;
    out[0] = '\0';
    if (gmtime_r(&when, &tm))
        (void)strftime(out, DOC_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
