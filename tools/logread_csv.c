/*
 * logread_csv.c: PostgreSQL's csvlog (see logread.h).
 *
 * Fields by their numbers, which are the same in every version: later ones only added behind. A
 * record may hold line ends in quotes, and a file may begin in the middle of one: a record begins
 * with a time, and until one does whole lines are left out.
 */
#include "tools/logread.h"

#include <ctype.h>
#include <string.h>

#define CSV_TIME        0
#define CSV_USER        1
#define CSV_DATABASE    2
#define CSV_SESSION     5
#define CSV_MESSAGE     13
#define CSV_APPLICATION 22

/* Where a field goes, or LOGREAD_FIELDS. */
static enum logread_field place_of(size_t number)
{
    switch (number) {
    case CSV_TIME:
        return LOGREAD_TIME;
    case CSV_USER:
        return LOGREAD_USER;
    case CSV_DATABASE:
        return LOGREAD_DATABASE;
    case CSV_SESSION:
        return LOGREAD_SESSION;
    case CSV_MESSAGE:
        return LOGREAD_MESSAGE;
    case CSV_APPLICATION:
        return LOGREAD_APPLICATION;
    default:
        return LOGREAD_FIELDS;
    }
}

static bool is_time(const char *text)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd";
    for (size_t i = 0; form[i] != '\0'; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    return true;
}

/* The first field, up to its comma. False: the line is not the beginning of a record. */
static bool read_time(struct logread *reader, int *byte)
{
    char time[64] = "";
    size_t len = 0;
    for (*byte = logread_byte(reader);
         *byte != EOF && *byte != ',' && *byte != '\n' && len + 1 < sizeof(time);
         *byte = logread_byte(reader))
        time[len++] = (char)*byte;
    time[len] = '\0';
    if (*byte != ',' || !is_time(time))
        return false;
    logread_put(reader, LOGREAD_TIME, time, len);
    return true;
}

static void skip_line(struct logread *reader, int byte)
{
    while (byte != EOF && byte != '\n')
        byte = logread_byte(reader);
}

/* Bytes on their way to a field: a call for each would be half of the time. */
struct run {
    struct logread *reader;
    enum logread_field field;
    size_t len;
    char bytes[4096];
};

static void run_flush(struct run *run)
{
    if (run->field < LOGREAD_FIELDS)
        logread_put(run->reader, run->field, run->bytes, run->len);
    run->len = 0;
}

/* The fields behind the first; how many there are in all. */
static size_t read_fields(struct logread *reader)
{
    struct run run = {.reader = reader, .field = place_of(1)};
    size_t number = 1;
    bool quoted = false;
    int byte = logread_byte(reader);
    for (; byte != EOF && (quoted || byte != '\n'); byte = logread_byte(reader)) {
        if (byte == '"') {
            /* "" is one of the field's own; read as an end and a beginning, with one to keep */
            quoted = !quoted;
            int next = quoted ? EOF : getc_unlocked(reader->file);
            if (quoted)
                continue;
            if (next != EOF)
                (void)ungetc(next, reader->file);
            if (next != '"')
                continue;
            (void)logread_byte(reader);
            quoted = true;
        } else if (byte == ',' && !quoted) {
            run_flush(&run);
            run.field = place_of(++number);
            continue;
        } else if (byte == '\r' && !quoted) {
            continue;
        }
        if (run.len == sizeof(run.bytes))
            run_flush(&run);
        run.bytes[run.len++] = (char)byte;
    }
    run_flush(&run);
    return number + 1;
}

enum status logread_csv(struct logread *reader, struct logread_entry *entry)
{
    for (;;) {
        int byte = 0;
        logread_clear(reader);
        bool begins = read_time(reader, &byte);
        if (byte == EOF && !begins)
            return ferror(reader->file) ? ERR_IO : CLOSED;
        reader->counts.lines++;
        if (!begins) {
            skip_line(reader, byte);
            reader->counts.broken++;
            continue;
        }
        if (read_fields(reader) > CSV_MESSAGE)
            return logread_finish(reader, entry);
        reader->counts.broken++;
    }
}
