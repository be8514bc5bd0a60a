/*
 * syslog.c: a line of the trail as RFC 5424 messages (see syslog.h).
 *
 * Trust boundary: the line's text came from clients in parts, but is JSON that we wrote: one line
 * of valid UTF-8 without control bytes. The length stands before the message, so nothing in it can
 * end it early or begin another.
 */
#include "syslog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BOM           "\xef\xbb\xbf"
#define HEAD_MAX      1024U
#define SEVERITY_WARN 4U
#define SEVERITY_NOTE 5U
#define SEVERITY_INFO 6U

/* A quote in a value is escaped, so these can only stand where we wrote them. */
static bool has(const struct tail_line *line, const char *words)
{
    return memmem(line->bytes, line->len, words, strlen(words)) != NULL;
}

static unsigned severity(const struct tail_line *line)
{
    if (has(line, "\"event\":\"break-glass-begin\"") || has(line, "\"event\":\"auth-failed\""))
        return SEVERITY_WARN;
    if (has(line, "\"decision\":\"deny\"") || has(line, "\"break_glass\":true"))
        return SEVERITY_NOTE;
    return SEVERITY_INFO;
}

/* What stands before the text of part `part` of `parts`. */
static size_t head(char out[HEAD_MAX], const struct syslog_form *form, const struct tail_line *line,
                   size_t part, size_t parts)
{
    char more[64] = "";
    if (parts > 1)
        (void)snprintf(more, sizeof more, " part=\"%zu\" parts=\"%zu\"", part, parts);
    int len = snprintf(out, HEAD_MAX,
                       "<%u>1 %s %s pgvigil - %s [" SYSLOG_ELEMENT " chain=\"%u\" seq=\"%" PRIu64
                       "\" hash=\"%s\"%s] " BOM,
                       form->facility * 8 + severity(line), line->head.time, form->site,
                       line->head.type, line->at.chain, line->head.seq, line->hash, more);
    return len < 0 ? 0 : (size_t)len < HEAD_MAX ? (size_t)len : HEAD_MAX - 1;
}

/* Of `left` bytes of text, how many go into a part: never half a character. */
static size_t piece(const char *text, size_t left, size_t room)
{
    if (left <= room)
        return left;
    size_t len = room;
    while (len > 0 && ((unsigned char)text[len] & 0xc0U) == 0x80U)
        len--;
    return len ? len : room;
}

static size_t count_parts(const char *text, size_t len, size_t room)
{
    size_t parts = 0;
    do {
        size_t size = piece(text, len, room);
        text += size;
        len -= size;
        parts++;
    } while (len > 0);
    return parts;
}

void syslog_put(struct buf *out, const struct syslog_form *form, const struct tail_line *line)
{
    char opening[HEAD_MAX];
    const char *text = line->bytes;
    size_t left = line->len - 1; /* without the line end */
    size_t room = form->max_message_bytes - head(opening, form, line, 1, 1);
    size_t parts = 1;
    if (left > room) {
        /* The longest opening that any part can have, so that each has the same room. */
        room = form->max_message_bytes - head(opening, form, line, SIZE_MAX, SIZE_MAX);
        parts = count_parts(text, left, room);
    }
    for (size_t part = 1; part <= parts; part++) {
        size_t size = piece(text, left, room);
        size_t before = head(opening, form, line, part, parts);
        buf_printf(out, "%zu ", before + size);
        buf_append(out, opening, before);
        buf_append(out, text, size);
        text += size;
        left -= size;
    }
}
