/*
 * logread.c: files, lines and fields of logs (see logread.h).
 */
#include "tools/logread.h"

#include "audit/lines.h"

#include <errno.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes ---- */

int logread_byte(struct logread *reader)
{
    int byte = getc_unlocked(reader->file);
    reader->bytes += byte != EOF;
    return byte;
}

enum status logread_line(struct logread *reader, bool *whole)
{
    struct buf *line = &reader->line;
    buf_clear(line);
    *whole = true;
    int byte = logread_byte(reader);
    if (byte == EOF)
        return ferror(reader->file) ? ERR_IO : CLOSED;
    for (; byte != EOF && byte != '\n'; byte = logread_byte(reader)) {
        *whole = *whole && buf_len(line) < LOGREAD_LINE_MAX;
        if (*whole)
            buf_byte(line, (unsigned char)byte);
    }
    reader->counts.lines++;
    if (buf_len(line) > 0 && line->data[line->tail - 1] == '\r')
        line->tail--;
    buf_byte(line, '\0');
    return line->failed ? ERR_MEMORY : OK;
}

/* ---- fields ---- */

void logread_clear(struct logread *reader)
{
    for (size_t i = 0; i < LOGREAD_FIELDS; i++)
        buf_clear(&reader->fields[i]);
}

void logread_put(struct logread *reader, enum logread_field field, const void *bytes, size_t len)
{
    struct buf *buf = &reader->fields[field];
    size_t most = field == LOGREAD_MESSAGE ? LOGREAD_TEXT_MAX : LOGREAD_NAME_MAX;
    size_t room = most > buf_len(buf) ? most - buf_len(buf) : 0;
    buf_append(buf, bytes, len < room ? len : room);
}

const char *logread_text(struct logread *reader, enum logread_field field)
{
    struct buf *buf = &reader->fields[field];
    if (buf_len(buf) == 0)
        return NULL;
    buf_byte(buf, '\0');
    if (buf->failed)
        return NULL;
    buf->tail--;
    return (const char *)buf_head(buf);
}

/* A cluster may hold databases of any encoding, and a name of one of them be no UTF-8. */
static void make_readable(struct buf *buf)
{
    if (text_is_utf8(buf_len(buf) == 0 ? (const void *)"" : buf_head(buf), buf_len(buf)))
        return;
    for (size_t i = buf->head; i < buf->tail; i++)
        if (buf->data[i] >= 0x80 || buf->data[i] == 0)
            buf->data[i] = '?';
}

enum status logread_finish(struct logread *reader, struct logread_entry *entry)
{
    const char *text = NULL;
    for (size_t i = 0; i < LOGREAD_FIELDS; i++)
        if (i != LOGREAD_MESSAGE)
            make_readable(&reader->fields[i]);
    *entry = (struct logread_entry){.time = logread_text(reader, LOGREAD_TIME),
                                    .user = logread_text(reader, LOGREAD_USER),
                                    .database = logread_text(reader, LOGREAD_DATABASE),
                                    .application = logread_text(reader, LOGREAD_APPLICATION),
                                    .session = logread_text(reader, LOGREAD_SESSION)};
    const char *message = logread_text(reader, LOGREAD_MESSAGE);
    for (size_t i = 0; i < LOGREAD_FIELDS; i++)
        if (reader->fields[i].failed)
            return ERR_MEMORY;
    if (message == NULL)
        return OK;
    entry->kind = logread_message(message, &text);
    if (entry->kind == LOGREAD_STATEMENT) {
        entry->text = text;
        entry->len = strlen(text);
    }
    return OK;
}

/* ---- readers ---- */

struct packed {
    struct lines *lines;
    const char *line; /* what is left of the line at hand */
    size_t left;
};

/* JSON is one of two; what is no JSON and was given no prefix must be CSV. */
static enum status guess(struct logread *reader)
{
    int byte = getc(reader->file);
    if (byte == EOF)
        return ferror(reader->file) ? ERR_IO : OK;
    (void)ungetc(byte, reader->file);
    reader->format = byte == '{' ? LOGREAD_JSON : LOGREAD_CSV;
    return OK;
}

/* A file of the trail that is closed and compressed, as if it were a plain one. */
static ssize_t read_packed(void *context, char *out, size_t size)
{
    struct packed *packed = context;
    if (packed->left == 0) {
        enum status status = lines_next(packed->lines, &packed->line, &packed->left);
        if (status == CLOSED)
            return 0;
        if (status != OK && status != NEED_MORE) {
            errno = EIO;
            return -1;
        }
    }
    size_t len = packed->left < size ? packed->left : size;
    memcpy(out, packed->line, len);
    packed->line += len;
    packed->left -= len;
    return (ssize_t)len;
}

static int close_packed(void *context)
{
    struct packed *packed = context;
    lines_close(packed->lines);
    free(packed);
    return 0;
}

static FILE *open_packed(const char *path)
{
    const char *why = NULL;
    struct packed *packed = calloc(1, sizeof *packed);
    if (packed == NULL || lines_open(path, &packed->lines, &why) != OK) {
        free(packed);
        return NULL;
    }
    const cookie_io_functions_t calls = {.read = read_packed, .close = close_packed};
    FILE *file = fopencookie(packed, "r", calls);
    if (file == NULL)
        (void)close_packed(packed);
    return file;
}

static FILE *open_file(const char *path)
{
    size_t len = strlen(path);
    if (strcmp(path, "-") == 0)
        return stdin;
    return len > 4 && strcmp(path + len - 4, ".zst") == 0 ? open_packed(path) : fopen(path, "re");
}

enum status logread_open(const char *path, enum logread_format format, const char *prefix,
                         struct logread **out, const char **why)
{
    *out = NULL;
    *why = NULL;
    struct logread *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return ERR_MEMORY;
    buf_init(&reader->line, 0);
    for (size_t i = 0; i < LOGREAD_FIELDS; i++)
        buf_init(&reader->fields[i], 0);
    reader->format = format == LOGREAD_GUESS && prefix != NULL ? LOGREAD_STDERR : format;
    enum status status = OK;
    if (reader->format == LOGREAD_STDERR)
        status = logread_prefix_new(prefix == NULL ? "" : prefix, &reader->prefix, why);
    if (status == OK) {
        errno = 0;
        reader->file = open_file(path);
        status = reader->file == NULL ? ERR_IO : OK;
    }
    if (status == OK && reader->format == LOGREAD_GUESS)
        status = guess(reader);
    if (status != OK) {
        int error = errno;
        logread_close(reader);
        errno = error;
        return status;
    }
    *out = reader;
    return OK;
}

enum status logread_next(struct logread *reader, struct logread_entry *entry)
{
    switch (reader->format) {
    case LOGREAD_CSV:
        return logread_csv(reader, entry);
    case LOGREAD_JSON:
        return logread_json(reader, entry);
    case LOGREAD_STDERR:
        return logread_stderr(reader, entry);
    case LOGREAD_AUDIT:
        return logread_audit(reader, entry);
    case LOGREAD_GUESS:
        break;
    }
    return CLOSED; /* an empty file */
}

void logread_close(struct logread *reader)
{
    if (reader == NULL)
        return;
    if (reader->file != NULL && reader->file != stdin)
        (void)fclose(reader->file);
    buf_free(&reader->line);
    for (size_t i = 0; i < LOGREAD_FIELDS; i++)
        buf_free(&reader->fields[i]);
    logread_prefix_free(reader->prefix);
    json_decref(reader->record);
    free(reader);
}

const struct logread_counts *logread_count(const struct logread *reader)
{
    return &reader->counts;
}

uint64_t logread_bytes(const struct logread *reader)
{
    return reader->bytes;
}
