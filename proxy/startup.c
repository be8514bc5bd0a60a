/*
 * startup.c: the packets before a session (see startup.h).
 *
 * Trust boundary: anybody who reaches the port. A packet is at most 10,000 bytes
 * (wire_next_startup), and nothing of it is remembered but copies in the caller's arena. What
 * PostgreSQL reads leniently in two ways (a name given twice, switches other than settings) is
 * refused here, so that pgvigil and the server can never disagree about it.
 */
#include "proxy/startup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CODE_CANCEL 80877102U
#define CODE_SSL    80877103U
#define CODE_GSS    80877104U

struct reader {
    struct arena *arena;
    struct startup *startup;
    const char **sqlstate;
    const char **why;
    struct startup_setting *settings;
    size_t setting_cap;
    const char **unknown;
    size_t unknown_cap;
};

static enum status refuse(struct reader *reader, const char *sqlstate, const char *why)
{
    *reader->sqlstate = sqlstate;
    *reader->why = why;
    return ERR_PROTOCOL;
}

static enum status add_setting(struct arena *arena, struct startup_setting **list, size_t *count,
                               size_t *cap, const char *name, const char *value, const char **why)
{
    if (*count >= STARTUP_MAX_SETTINGS) {
        *why = "too many settings in the start-up packet";
        return ERR_LIMIT;
    }
    struct startup_setting *grown = arena_grow(arena, *list, *count, cap, sizeof **list);
    if (!grown)
        return ERR_MEMORY;
    *list = grown;
    grown[*count].name = arena_strdup(arena, name);
    grown[*count].value = arena_strdup(arena, value);
    if (!grown[*count].name || !grown[*count].value)
        return ERR_MEMORY;
    (*count)++;
    return OK;
}

/* The next word of `options`, unescaped, in `word` (as long as the rest of the text); NULL at the
 * end. */
static const char *next_word(const char *at, char *word)
{
    while (isspace((unsigned char)*at))
        at++;
    if (!*at)
        return NULL;
    bool escaped = false;
    for (; *at; at++) {
        if (!escaped && *at == '\\') {
            escaped = true;
            continue;
        }
        if (!escaped && isspace((unsigned char)*at))
            break;
        *word++ = *at;
        escaped = false;
    }
    *word = '\0';
    return at;
}

/* "name=value" split at the first '='; '-' in the name is '_', as PostgreSQL's ParseLongOption has
 * it. */
static enum status split_setting(char *text, struct arena *arena, struct startup_setting **list,
                                 size_t *count, size_t *cap, const char **why)
{
    char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        *why = "a setting in the start-up options is not of the form name=value";
        return ERR_PROTOCOL;
    }
    *equals = '\0';
    for (char *at = text; *at; at++) {
        if (*at == '-')
            *at = '_';
    }
    return add_setting(arena, list, count, cap, text, equals + 1, why);
}

enum status startup_parse_options(const char *options, struct arena *arena,
                                  struct startup_setting **list, size_t *count, size_t *cap,
                                  const char **why)
{
    char *word = arena_alloc(arena, strlen(options) + 1);
    if (!word)
        return ERR_MEMORY;
    const char *at = options;
    while ((at = next_word(at, word)) != NULL) {
        char *setting = NULL;
        if (strcmp(word, "-c") == 0) {
            at = next_word(at, word);
            setting = at ? word : NULL;
        } else if (strncmp(word, "-c", 2) == 0 || strncmp(word, "--", 2) == 0) {
            setting = word + 2;
        }
        if (!setting) {
            *why = "only -c name=value and --name=value are allowed in the start-up options";
            return ERR_PROTOCOL;
        }
        enum status status = split_setting(setting, arena, list, count, cap, why);
        if (status != OK)
            return status;
    }
    return OK;
}

static bool is_false(const char *value)
{
    static const char *const words[] = {"false", "f", "off", "of", "no", "n", "0", ""};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(value, words[i]) == 0)
            return true;
    }
    return false;
}

static enum status add_unknown(struct reader *reader, const char *name)
{
    size_t count = reader->startup->unknown_option_count;
    if (count >= STARTUP_MAX_SETTINGS) {
        *reader->why = "too many protocol options in the start-up packet";
        return ERR_LIMIT;
    }
    const char **grown =
        arena_grow(reader->arena, reader->unknown, count, &reader->unknown_cap, sizeof *grown);
    char *copy = arena_strdup(reader->arena, name);
    if (!grown || !copy)
        return ERR_MEMORY;
    reader->unknown = grown;
    grown[count] = copy;
    reader->startup->unknown_option_count = count + 1;
    return OK;
}

struct names {
    const char *user;
    const char *database;
    const char *options;
    const char *replication;
};

static const char **named_place(struct names *names, const char *name)
{
    if (strcmp(name, "user") == 0)
        return &names->user;
    if (strcmp(name, "database") == 0)
        return &names->database;
    if (strcmp(name, "options") == 0)
        return &names->options;
    return strcmp(name, "replication") == 0 ? &names->replication : NULL;
}

/* First pass: the names that are not settings. Second pass (with settings wanted): the others. */
static enum status read_pairs(struct reader *reader, struct wire_cursor cursor, struct names *names,
                              bool settings)
{
    for (;;) {
        const char *name = wire_get_cstr(&cursor);
        if (cursor.failed)
            return refuse(reader, "08P01", "the start-up packet is not terminated");
        if (!*name)
            break;
        const char *value = wire_get_cstr(&cursor);
        if (cursor.failed)
            return refuse(reader, "08P01", "the start-up packet is not terminated");
        const char **place = named_place(names, name);
        enum status status = OK;
        if (place && !settings) {
            if (*place)
                return refuse(reader, "08P01", "the start-up packet gives a name twice");
            *place = value;
        } else if (settings && strncmp(name, "_pq_.", 5) == 0) {
            status = add_unknown(reader, name);
        } else if (settings && !place) {
            status = add_setting(reader->arena, &reader->settings, &reader->startup->setting_count,
                                 &reader->setting_cap, name, value, reader->why);
        }
        if (status != OK)
            return status;
    }
    if (wire_end(&cursor) != OK)
        return refuse(reader, "08P01", "the start-up packet goes on behind its end");
    return OK;
}

static enum status read_session(struct reader *reader, struct wire_cursor cursor)
{
    struct startup *startup = reader->startup;
    struct names names = {0};
    enum status status = read_pairs(reader, cursor, &names, false);
    if (status == OK && names.options)
        status = startup_parse_options(names.options, reader->arena, &reader->settings,
                                       &startup->setting_count, &reader->setting_cap, reader->why);
    if (status == OK)
        status = read_pairs(reader, cursor, &names, true);
    if (status != OK)
        return status;
    if (!names.user || !*names.user)
        return refuse(reader, "28000", "no PostgreSQL user name specified in startup packet");
    if (!names.database || !*names.database)
        names.database = names.user;
    startup->kind = STARTUP_SESSION;
    startup->user = arena_strdup(reader->arena, names.user);
    startup->database = arena_strdup(reader->arena, names.database);
    startup->replication = names.replication && !is_false(names.replication);
    startup->settings = reader->settings;
    startup->unknown_options = reader->unknown;
    startup->negotiate = startup->minor > 0 || startup->unknown_option_count > 0;
    return startup->user && startup->database ? OK : ERR_MEMORY;
}

enum status startup_parse(const struct wire_message *message, struct arena *arena,
                          struct startup *startup, const char **sqlstate, const char **why)
{
    struct reader reader = {.arena = arena, .startup = startup, .sqlstate = sqlstate, .why = why};
    memset(startup, 0, sizeof *startup);
    *sqlstate = "08P01";
    *why = "invalid start-up packet";
    struct wire_cursor cursor;
    wire_cursor_message(&cursor, message);
    uint32_t code = wire_get_u32(&cursor);
    switch (code) {
    case CODE_SSL:
        startup->kind = STARTUP_SSL_REQUEST;
        return wire_end(&cursor);
    case CODE_GSS:
        startup->kind = STARTUP_GSS_REQUEST;
        return wire_end(&cursor);
    case CODE_CANCEL:
        startup->kind = STARTUP_CANCEL;
        startup->process_id = wire_get_u32(&cursor);
        startup->secret_key = wire_get_u32(&cursor);
        return wire_end(&cursor);
    default:
        break;
    }
    if (code >> 16 != 3)
        return refuse(&reader, "0A000", "unsupported frontend protocol: server supports 3.0");
    startup->minor = (uint16_t)code;
    return read_session(&reader, cursor);
}

void startup_put_negotiate(struct buf *out, const struct startup *startup)
{
    wire_put_negotiate(out, 0, startup->unknown_options, startup->unknown_option_count);
}
