/*
 * logread_prefix.c: PostgreSQL's stderr log, with its log_line_prefix (see logread.h).
 *
 * The prefix is taken apart as PostgreSQL puts it together. What an escape stands for ends where
 * the rest of the prefix begins, at the first place where all of it fits: names are the client's,
 * and a user called "a@b" can only be told from another one by what follows. The lines behind an
 * entry's first begin with a tab.
 */
#include "tools/logread.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 64

struct part {
    char escape; /* 0: `literal` */
    const char *literal;
    size_t len;
};

struct logread_prefix {
    char *text;
    struct part parts[PARTS_MAX];
    size_t count;
};

static bool known_escape(char c)
{
    return c != '\0' && strchr("abcdehilmnpqrstuvxPQ", c) != NULL;
}

/* "%-10u" is "%u" with blanks. */
static enum status add_escape(struct logread_prefix *prefix, const char **at, const char **why)
{
    const char *c = *at + 1;
    if (*c == '%') {
        prefix->parts[prefix->count++] = (struct part){.literal = c, .len = 1};
        *at = c + 1;
        return OK;
    }
    c += strspn(c, "-0123456789");
    if (!known_escape(*c)) {
        *why = "an escape that log_line_prefix does not have";
        return ERR_INVALID;
    }
    prefix->parts[prefix->count++] = (struct part){.escape = *c};
    *at = c + 1;
    return OK;
}

enum status logread_prefix_new(const char *text, struct logread_prefix **out, const char **why)
{
    struct logread_prefix *prefix = calloc(1, sizeof(*prefix));
    if (prefix == NULL || (prefix->text = strdup(text)) == NULL) {
        free(prefix);
        return ERR_MEMORY;
    }
    enum status status = OK;
    const char *at = prefix->text;
    while (*at != '\0' && status == OK) {
        if (prefix->count + 1 >= PARTS_MAX) {
            *why = "too many escapes";
            status = ERR_INVALID;
        } else if (*at == '%') {
            status = add_escape(prefix, &at, why);
        } else {
            size_t len = strcspn(at, "%");
            prefix->parts[prefix->count++] = (struct part){.literal = at, .len = len};
            at += len;
        }
    }
    /* What comes behind the prefix of every entry that can be one of ours. */
    prefix->parts[prefix->count++] = (struct part){.literal = "LOG:  ", .len = 6};
    if (status != OK) {
        logread_prefix_free(prefix);
        return status;
    }
    *out = prefix;
    return OK;
}

void logread_prefix_free(struct logread_prefix *prefix)
{
    if (prefix == NULL)
        return;
    free(prefix->text);
    free(prefix);
}

/* ---- matching ---- */

struct match {
    const char *start[PARTS_MAX];
    size_t len[PARTS_MAX];
    unsigned work;
};

/* A prefix of forty escapes without anything between them could be matched in as many ways as there
 * are. */
#define MATCH_WORK 100000u

/* A date, a time, a zone. */
static bool is_time(const char *value, size_t len)
{
    size_t blanks = 0;
    for (size_t i = 0; i < len; i++)
        blanks += value[i] == ' ';
    return len > 20 && blanks == 2 && value[4] == '-' && value[10] == ' ' && value[13] == ':' &&
           value[len - 1] != ' ';
}

/* What a value can look like, where that is known: it keeps the first fit from being a wrong one.
 */
static bool fits(char escape, const char *value, size_t len)
{
    const char *allowed = NULL;
    switch (escape) {
    case 'p':
    case 'P':
    case 'l':
        allowed = "0123456789 ";
        break;
    case 'Q':
        allowed = "-0123456789 ";
        break;
    case 'n':
        allowed = "0123456789. ";
        break;
    case 'c':
        allowed = "0123456789abcdef. ";
        break;
    case 'm':
    case 't':
    case 's':
        return is_time(value, len);
    case 'q':
        return len == 0;
    default:
        return true;
    }
    for (size_t i = 0; i < len; i++)
        if (strchr(allowed, value[i]) == NULL)
            return false;
    return true;
}

/* Where the text behind the prefix begins, or NULL. */
static const char *match_parts(const struct logread_prefix *prefix, size_t index, const char *at,
                               struct match *match)
{
    if (index == prefix->count)
        return at;
    if (match->work++ > MATCH_WORK)
        return NULL;
    const struct part *part = &prefix->parts[index];
    if (part->escape == 0)
        return strncmp(at, part->literal, part->len) == 0
                   ? match_parts(prefix, index + 1, at + part->len, match)
                   : NULL;
    size_t most = part->escape == 'q' ? 0 : strnlen(at, LOGREAD_NAME_MAX);
    for (size_t len = 0; len <= most; len++) {
        if (!fits(part->escape, at, len))
            continue;
        match->start[index] = at;
        match->len[index] = len;
        const char *end = match_parts(prefix, index + 1, at + len, match);
        if (end != NULL)
            return end;
    }
    return NULL;
}

static enum logread_field place_of(char escape)
{
    switch (escape) {
    case 'a':
        return LOGREAD_APPLICATION;
    case 'u':
        return LOGREAD_USER;
    case 'd':
        return LOGREAD_DATABASE;
    case 'm':
    case 't':
    case 'n':
        return LOGREAD_TIME;
    case 'c':
    case 'p':
        return LOGREAD_SESSION;
    default:
        return LOGREAD_FIELDS;
    }
}

/* Padding is blanks on either side. */
static void put_value(struct logread *reader, enum logread_field field, const char *value,
                      size_t len)
{
    while (len > 0 && value[len - 1] == ' ')
        len--;
    while (len > 0 && *value == ' ') {
        value++;
        len--;
    }
    /* A session's number beats the process's, whichever comes first. */
    if (buf_len(&reader->fields[field]) == 0 && !(len == 9 && memcmp(value, "[unknown]", 9) == 0))
        logread_put(reader, field, value, len);
}

static bool begins_entry(struct logread *reader)
{
    struct match match = {.work = 0};
    const char *line = (const char *)buf_head(&reader->line);
    const struct logread_prefix *prefix = reader->prefix;
    const char *message = match_parts(prefix, 0, line, &match);
    if (message == NULL)
        return false;
    logread_clear(reader);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < prefix->count; i++) {
            char escape = prefix->parts[i].escape;
            enum logread_field field = escape == 0 ? LOGREAD_FIELDS : place_of(escape);
            if (field < LOGREAD_FIELDS && (escape == 'p') == (round == 1))
                put_value(reader, field, match.start[i], match.len[i]);
        }
    }
    logread_put(reader, LOGREAD_MESSAGE, message, strlen(message));
    return true;
}

enum status logread_stderr(struct logread *reader, struct logread_entry *entry)
{
    bool open = false; /* an entry is being read, its further lines may come */
    bool whole = false;
    for (;;) {
        enum status status = reader->pushed ? OK : logread_line(reader, &whole);
        if (status != OK)
            return open && status == CLOSED ? logread_finish(reader, entry) : status;
        reader->pushed = false;
        const char *line = (const char *)buf_head(&reader->line);
        if (open && line[0] == '\t') {
            logread_put(reader, LOGREAD_MESSAGE, "\n", 1);
            logread_put(reader, LOGREAD_MESSAGE, line + 1, strlen(line + 1));
            continue;
        }
        if (open) {
            reader->pushed = true;
            return logread_finish(reader, entry);
        }
        open = begins_entry(reader);
    }
}
