/*
 * class.c: the class of a record (see class.h; docs/audit.md says what belongs where).
 *
 * Trust boundary: a line may be anybody's, but only lines that the chain vouches for are purged by
 * their class. Fields are found by their exact spelling: inside a value every quote is escaped, so
 * that no client can write one there.
 */
#include "class.h"

#include <stdbool.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const char *const technical_events[] = {
    "start",
    "stop",
    "reload",
    "reload-failed",
    "connect",
    "auth-failed",
    "refused-connection",
    "disconnect",
    "cancel",
    "guards-redeployed",
    "observe-mode",
    "console",
};
static const char *const chain_events[] = {
    "audit-reserve", "audit-restored", "audit-behind", "key-changed", "purge-begin", "purge-end",
};
/* Statements that touch no data. */
static const char *const technical_statements[] = {
    "BEGIN",
    "START TRANSACTION",
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "SAVEPOINT",
    "RELEASE",
    "SHOW",
    "SET",
    "RESET",
    "DISCARD",
    "DEALLOCATE",
    "CLOSE",
    "CLOSE CURSOR",
    "LISTEN",
    "UNLISTEN",
    "EMPTY",
    "STARTUP",
    "SET TRANSACTION",
    "PREPARE TRANSACTION",
};

static const char *find(const char *line, size_t len, const char *text)
{
    const char *at = memmem(line, len, text, strlen(text));
    return at ? at + strlen(text) : NULL;
}

/* True when the value that begins at `at` is one of the words. */
static bool is_one_of(const char *at, const char *end, const char *const *words, size_t count)
{
    for (size_t i = 0; at && i < count; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(end - at) > len && memcmp(at, words[i], len) == 0 && at[len] == '"')
            return true;
    }
    return false;
}

static enum record_class event_class(const char *line, size_t len)
{
    const char *end = line + len;
    const char *event = find(line, len, "\"type\":\"event\",\"event\":\"");
    if (is_one_of(event, end, technical_events, COUNT(technical_events)))
        return RECORD_TECHNICAL;
    return is_one_of(event, end, chain_events, COUNT(chain_events)) ? RECORD_CHAIN : RECORD_CARE;
}

/* A refusal is care, and so is all that is done while a glass is broken. */
static enum record_class whole_class(const char *line, size_t len)
{
    const char *end = line + len;
    const char *statement = find(line, len, ",\"statement\":\"");
    if (!is_one_of(statement, end, technical_statements, COUNT(technical_statements)))
        return RECORD_CARE;
    const char *decision = memchr(statement, '"', (size_t)(end - statement));
    static const char allowed[] = "\",\"decision\":\"allow\"";
    if ((size_t)(end - decision) < sizeof allowed - 1 ||
        memcmp(decision, allowed, sizeof allowed - 1) != 0)
        return RECORD_CARE;
    if (find(line, len, ",\"break_glass\":true") || find(line, len, ",\"relations\":[") ||
        find(line, len, ",\"patients\":["))
        return RECORD_CARE;
    return RECORD_TECHNICAL;
}

enum record_class record_class_of(const char *line, size_t len, const struct chain_line *parsed)
{
    static const char *const own[] = {"header", "checkpoint", "recovery", "tombstone", "gap"};
    for (size_t i = 0; i < COUNT(own); i++) {
        if (strcmp(parsed->type, own[i]) == 0)
            return RECORD_CHAIN;
    }
    if (strcmp(parsed->type, "event") == 0)
        return event_class(line, len);
    return strcmp(parsed->type, "whole") == 0 ? whole_class(line, len) : RECORD_CARE;
}
