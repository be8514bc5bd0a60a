/*
 * source.c: files into documents: reading, @include, and what libconfig would let pass in silence.
 *
 * libconfig 1.5 looks @include up from the working directory, cuts integers to 32 bits, drops \x00,
 * ignores all that follows an unclosed comment, joins two strings where a comma is missing, and
 * stops at its first error with "syntax error". So the text is read here: includes are put in place
 * (relative to the file that names them; at the top level as documents of their own, so that their
 * lists add to the others'), every line keeps its place, and each of the above is an error with its
 * reason.
 *
 * Trust boundary: the files are an administrator's, bytes nevertheless: bounded in size and depth,
 * UTF-8 without NUL. A document's text is malloc'ed and freed here; its places stay in the policy's
 * arena.
 */
#include "grammar.h"
#include "load.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES    ((size_t)64 << 20)
#define INCLUDE_DEPTH 16

struct document {
    struct buf text;
    struct pile lines; /* struct policy_place */
    struct grammar grammar;
};

/* Where we are in one file. */
struct cursor {
    struct loader *loader;
    struct document *document;
    const char *text;
    size_t at;
    struct policy_place place;
    bool line_start; /* only blanks so far */
};

struct policy_place document_place(const struct document *document, unsigned line)
{
    const struct policy_place *lines = document->lines.items;
    if (document->lines.count == 0)
        return (struct policy_place){0};
    size_t index = line == 0 ? 0 : line - 1;
    return lines[index < document->lines.count ? index : document->lines.count - 1];
}

static void broken(struct cursor *cursor, struct policy_place place, const char *message)
{
    grammar_report(&cursor->document->grammar, place, message);
}

static void begin_line(struct cursor *cursor)
{
    struct policy_place *place =
        load_push(cursor->loader->arena, &cursor->document->lines, sizeof(*place));
    if (place != NULL)
        *place = cursor->place;
    cursor->line_start = true;
}

/* Copies one byte; keeps count of lines. */
static void take(struct cursor *cursor)
{
    char byte = cursor->text[cursor->at++];
    buf_byte(&cursor->document->text, (unsigned char)byte);
    if (byte == '\n') {
        cursor->place.line++;
        begin_line(cursor);
    }
}

static void take_line_comment(struct cursor *cursor)
{
    while (cursor->text[cursor->at] != '\0' && cursor->text[cursor->at] != '\n')
        take(cursor);
}

static void take_block_comment(struct cursor *cursor)
{
    struct policy_place start = cursor->place;
    take(cursor);
    take(cursor);
    while (cursor->text[cursor->at] != '\0') {
        if (cursor->text[cursor->at] == '*' && cursor->text[cursor->at + 1] == '/') {
            take(cursor);
            take(cursor);
            return;
        }
        take(cursor);
    }
    broken(cursor, start, "this comment has no end: */ is missing");
    cursor->document->grammar.lost = true;
}

static void check_escape(struct cursor *cursor)
{
    const char *escape = cursor->text + cursor->at + 1;
    if (*escape == 'x' && escape[1] == '0' && escape[2] == '0')
        broken(cursor, cursor->place, "a string cannot hold \\x00");
    else if (*escape == 'a' || *escape == 'b' || *escape == 'v' || *escape == 'f')
        broken(cursor, cursor->place,
               "\\a, \\b, \\v and \\f are control characters here: write \\\\ for one backslash");
}

static void take_string(struct cursor *cursor)
{
    struct policy_place start = cursor->place;
    take(cursor);
    while (cursor->text[cursor->at] != '\0' && cursor->text[cursor->at] != '"') {
        if (cursor->text[cursor->at] == '\\') {
            check_escape(cursor);
            take(cursor);
            if (cursor->text[cursor->at] == '\0')
                break;
        }
        take(cursor);
    }
    if (cursor->text[cursor->at] == '\0') {
        broken(cursor, start, "this string has no end: a quote is missing");
        cursor->document->grammar.lost = true;
        return;
    }
    take(cursor);
    grammar_string(&cursor->document->grammar, start);
}

static void take_word(struct cursor *cursor)
{
    size_t start = cursor->at;
    const char *text = cursor->text;
    while (isalnum((unsigned char)text[cursor->at]) ||
           (text[cursor->at] != '\0' && strchr("_-+.*", text[cursor->at]) != NULL))
        take(cursor);
    grammar_word(&cursor->document->grammar, cursor->place, text + start, cursor->at - start);
}

static void take_mark(struct cursor *cursor)
{
    grammar_mark(&cursor->document->grammar, cursor->place, cursor->text[cursor->at]);
    take(cursor);
}

static void flatten(struct loader *loader, struct document *document, const char *path,
                    struct policy_place from);

/* `@include "path"` on a line of its own; the cursor stands on the @. */
static void take_include(struct cursor *cursor)
{
    struct document *document = cursor->document;
    const char *line = cursor->text + cursor->at;
    size_t len = strcspn(line, "\r\n");
    const char *open = memchr(line, '"', len);
    const char *close =
        open == NULL ? NULL : memchr(open + 1, '"', len - (size_t)(open + 1 - line));
    bool good = strncmp(line, "@include", 8) == 0 && close != NULL && close > open + 1 &&
                memchr(open, '\\', (size_t)(close - open)) == NULL;
    for (const char *c = line + 8; good && c < open; c++)
        good = *c == ' ' || *c == '\t';
    for (const char *c = good ? close + 1 : line + len; c < line + len && *c != '#'; c++)
        good = good && (*c == ' ' || *c == '\t');
    if (!good || !cursor->line_start) {
        broken(cursor, cursor->place,
               "@include stands on a line of its own, with one path: @include \"more.cfg\"");
        take_line_comment(cursor);
        return;
    }
    cursor->at += len;
    const char *slash = strrchr(cursor->place.file, '/');
    int folder = slash == NULL || open[1] == '/' ? 0 : (int)(slash + 1 - cursor->place.file);
    char *path = arena_printf(cursor->loader->arena, "%.*s%.*s", folder, cursor->place.file,
                              (int)(close - open - 1), open + 1);
    if (path == NULL)
        return;
    if (grammar_is_top(&document->grammar)) {
        source_read(cursor->loader, path, cursor->place);
        return;
    }
    flatten(cursor->loader, document, path, cursor->place);
    buf_byte(&document->text, '\n');
    begin_line(cursor);
}

static void scan(struct cursor *cursor)
{
    /* Included text begins on the line that its @include stands on: that line is this file's now.
     */
    struct policy_place *lines = cursor->document->lines.items;
    if (cursor->document->lines.count == 0)
        begin_line(cursor);
    else
        lines[cursor->document->lines.count - 1] = cursor->place;
    cursor->line_start = true;
    for (char byte; (byte = cursor->text[cursor->at]) != '\0';) {
        char second = cursor->text[cursor->at + 1];
        if (byte == '@') {
            take_include(cursor);
            continue;
        }
        if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f') {
            take(cursor);
            continue;
        }
        cursor->line_start = false;
        if (byte == '#' || (byte == '/' && second == '/'))
            take_line_comment(cursor);
        else if (byte == '/' && second == '*')
            take_block_comment(cursor);
        else if (byte == '"')
            take_string(cursor);
        else if (isalnum((unsigned char)byte) || strchr("_-+.*", byte) != NULL)
            take_word(cursor);
        else
            take_mark(cursor);
    }
}

/* The whole file, NUL-terminated and malloc'ed; NULL after a report. */
static char *read_bytes(struct loader *loader, const char *path, struct policy_place from,
                        struct loader_file *file)
{
    struct policy_place place = from.file != NULL ? from : (struct policy_place){.file = path};
    struct stat info;
    char *text = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        load_report(loader, place, "cannot read %s: %s", path, strerror(errno));
        goto failed;
    }
    if (!S_ISREG(info.st_mode) || (size_t)info.st_size > FILE_BYTES) {
        load_report(loader, place, "%s is not a regular file of at most 64 MiB", path);
        goto failed;
    }
    file->device = info.st_dev;
    file->inode = info.st_ino;
    text = malloc((size_t)info.st_size + 1);
    while (text != NULL && size < (size_t)info.st_size) {
        ssize_t got = read(fd, text + size, (size_t)info.st_size - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            load_report(loader, place, "cannot read %s: %s", path, strerror(errno));
        if (got < 0)
            goto failed;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    if (text == NULL)
        goto failed;
    text[size] = '\0';
    (void)close(fd);
    if (text_is_utf8(text, size))
        return text;
    load_report(loader, (struct policy_place){.file = path, .line = 1},
                "this file is not UTF-8 text, or holds a NUL byte");
    free(text);
    return NULL;
failed:
    loader->io_failed = true;
    free(text);
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

static bool is_open(struct loader *loader, const struct loader_file *file, bool or_read)
{
    const struct loader_file *files = loader->files.items;
    for (size_t i = 0; i < loader->files.count; i++)
        if (files[i].device == file->device && files[i].inode == file->inode &&
            (files[i].open || or_read))
            return true;
    return false;
}

static void flatten(struct loader *loader, struct document *document, const char *path,
                    struct policy_place from)
{
    struct loader_file file = {.name = path, .open = true};
    if (loader->include_depth == INCLUDE_DEPTH) {
        load_report(loader, from, "@include goes deeper than %d files", INCLUDE_DEPTH);
        return;
    }
    char *text = read_bytes(loader, path, from, &file);
    if (text == NULL) {
        document->grammar.broken = true;
        return;
    }
    bool whole = document->lines.count == 0;
    if (is_open(loader, &file, whole)) {
        load_report(
            loader, from.file != NULL ? from : (struct policy_place){.file = path},
            "%s is read already: name an included file other than *.cfg, and include it once",
            path);
        document->grammar.broken = true;
        free(text);
        return;
    }
    struct loader_file *entry = load_push(loader->arena, &loader->files, sizeof(*entry));
    size_t index = loader->files.count - 1;
    if (entry != NULL) {
        *entry = file;
        loader->include_depth++;
        struct cursor cursor = {.loader = loader,
                                .document = document,
                                .text = text,
                                .place = {.file = path, .line = 1}};
        scan(&cursor);
        loader->include_depth--;
        ((struct loader_file *)loader->files.items)[index].open = false;
    }
    free(text);
}

/* libconfig gives an element of an array the line of what follows it. Its tree holds the scalars in
 * the order of the text, as the grammar saw them: that gives each its own place. */
static void place_scalars(config_setting_t *setting, struct pile *scalars, size_t *next)
{
    if (config_setting_is_aggregate(setting)) {
        for (int i = 0; i < config_setting_length(setting); i++)
            place_scalars(config_setting_get_elem(setting, (unsigned)i), scalars, next);
        return;
    }
    if (*next < scalars->count && config_setting_name(setting) == NULL)
        config_setting_set_hook(setting, (struct policy_place *)scalars->items + *next);
    *next += 1;
}

static void parse(struct loader *loader, struct document *document)
{
    config_t config;
    config_init(&config);
    if (config_read_string(&config, (const char *)document->text.data) == CONFIG_TRUE) {
        size_t next = 0;
        place_scalars(config_root_setting(&config), &document->grammar.scalars, &next);
        loader->read(loader, document, config_root_setting(&config));
    } else {
        int line = config_error_line(&config);
        const char *text = config_error_text(&config);
        if (text == NULL || strcmp(text, "syntax error") == 0)
            text = "syntax error here or just before";
        else if (strcmp(text, "duplicate setting name") == 0)
            text = "this key is there twice in the same group: keep one";
        load_report(loader, document_place(document, line < 1 ? 1 : (unsigned)line), "%s", text);
    }
    config_destroy(&config);
}

void source_read(struct loader *loader, const char *path, struct policy_place from)
{
    struct document *document = arena_zalloc(loader->arena, 1, sizeof(*document));
    if (document == NULL)
        return;
    document->grammar.loader = loader;
    buf_init(&document->text, 0);
    flatten(loader, document, path, from);
    const struct policy_place *lines = document->lines.items;
    if (document->lines.count > 0)
        grammar_finish(&document->grammar, lines[document->lines.count - 1]);
    buf_byte(&document->text, '\0');
    if (document->text.failed)
        load_report(loader, (struct policy_place){.file = path}, "out of memory");
    else if (!document->grammar.broken)
        parse(loader, document);
    buf_free(&document->text);
}
