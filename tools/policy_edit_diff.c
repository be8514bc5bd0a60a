/*
 * policy_edit_diff.c: edits as a unified diff.
 *
 * Which lines change is known from the edits themselves, so nothing is searched for: each edit
 * takes the lines that it touches, neighbours are joined, and three lines stand round them.
 */
#include "tools/policy_edit_private.h"

#include <pgvigil/buf.h>
#include <string.h>

#define CONTEXT ((size_t)3)

/* Lines of the old file, and the text in their place. */
struct change {
    size_t from, to; /* lines, from 0; `to` is behind the last */
    const char *with;
    size_t len;
};

struct lines {
    const struct text_file *file;
    size_t *starts; /* of each line, and the file's end */
    size_t count;
};

struct changes {
    struct change *items;
    size_t count;
};

static enum status find_lines(const struct text_file *file, struct arena *arena,
                              struct lines *lines)
{
    size_t count = 1;
    for (size_t i = 0; i < file->len; i++)
        count += file->bytes[i] == '\n' ? 1 : 0;
    *lines =
        (struct lines){.file = file, .starts = arena_alloc(arena, (count + 2) * sizeof(size_t))};
    if (lines->starts == NULL)
        return ERR_MEMORY;
    for (size_t at = 0; at < file->len;) {
        const char *end = memchr(file->bytes + at, '\n', file->len - at);
        lines->starts[lines->count++] = at;
        at = end == NULL ? file->len : (size_t)(end - file->bytes) + 1;
    }
    lines->starts[lines->count] = file->len;
    return OK;
}

static size_t line_of(const struct lines *lines, size_t at)
{
    size_t low = 0;
    size_t high = lines->count;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        if (lines->starts[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The edits from list[first] on that touch the same lines become one change. */
static enum status make_change(const struct lines *lines, const struct policy_edit *list,
                               size_t count, size_t *next, struct arena *arena,
                               struct change *change)
{
    const char *bytes = lines->file->bytes;
    struct buf out;
    size_t first = *next;
    *change = (struct change){.from = line_of(lines, list[first].start)};
    size_t at = lines->starts[change->from];
    buf_init(&out, 0);
    do {
        const struct policy_edit *edit = &list[*next];
        buf_append(&out, bytes + at, edit->start - at);
        buf_str(&out, edit->with);
        at = edit->end;
        /* Only an edit that began with a line takes a line's end away: none is joined to the next.
         */
        change->to = line_of(lines, edit->end > edit->start ? edit->end - 1 : edit->end) + 1;
        ++*next;
    } while (*next < count && line_of(lines, list[*next].start) < change->to);
    buf_append(&out, bytes + at, lines->starts[change->to] - at);
    change->len = buf_len(&out);
    buf_byte(&out, '\0');
    change->with =
        out.failed ? NULL : arena_strndup(arena, (const char *)buf_head(&out), change->len);
    buf_free(&out);
    return change->with == NULL ? ERR_MEMORY : OK;
}

static size_t line_len(const char *text, size_t left)
{
    const char *end = memchr(text, '\n', left);
    return end == NULL ? left : (size_t)(end - text) + 1;
}

/* Lines at both ends that are what they were. */
static void trim(const struct lines *lines, struct change *change)
{
    const char *bytes = lines->file->bytes;
    while (change->from < change->to && change->len > 0) {
        size_t len = line_len(change->with, change->len);
        const char *old = bytes + lines->starts[change->from];
        if (len != lines->starts[change->from + 1] - lines->starts[change->from] ||
            memcmp(old, change->with, len) != 0)
            break;
        change->with += len;
        change->len -= len;
        change->from++;
    }
    while (change->from < change->to && change->len > 0) {
        size_t len = lines->starts[change->to] - lines->starts[change->to - 1];
        if (len > change->len ||
            memcmp(bytes + lines->starts[change->to - 1], change->with + change->len - len, len) !=
                0 ||
            (len < change->len && change->with[change->len - len - 1] != '\n'))
            break;
        change->len -= len;
        change->to--;
    }
}

static void put_lines(FILE *out, char mark, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t one = line_len(text + at, len - at);
        (void)fputc(mark, out);
        (void)fwrite(text + at, 1, one, out);
        if (text[at + one - 1] != '\n')
            (void)fputs("\n\\ No newline at end of file\n", out);
        at += one;
    }
}

static size_t count_lines(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t at = 0; at < len; count++)
        at += line_len(text + at, len - at);
    return count;
}

static void put_old(FILE *out, const struct lines *lines, char mark, size_t from, size_t to)
{
    put_lines(out, mark, lines->file->bytes + lines->starts[from],
              lines->starts[to] - lines->starts[from]);
}

/* As diff: a count of one is left out, and an empty side stands behind the line before it. */
static void put_range(FILE *out, char mark, size_t from, size_t count)
{
    if (count == 1)
        (void)fprintf(out, " %c%zu", mark, from + 1);
    else
        (void)fprintf(out, " %c%zu,%zu", mark, count == 0 ? from : from + 1, count);
}

/* Changes whose contexts meet are one hunk; `shift`: how many lines more the new file has so far.
 */
static size_t put_hunk(FILE *out, const struct lines *lines, const struct changes *changes,
                       size_t first, long *shift)
{
    const struct change *items = changes->items;
    size_t last = first;
    while (last + 1 < changes->count && items[last + 1].from - items[last].to <= 2 * CONTEXT)
        last++;
    size_t from = items[first].from > CONTEXT ? items[first].from - CONTEXT : 0;
    size_t to = items[last].to + CONTEXT < lines->count ? items[last].to + CONTEXT : lines->count;
    long more = 0;
    for (size_t i = first; i <= last; i++)
        more +=
            (long)count_lines(items[i].with, items[i].len) - (long)(items[i].to - items[i].from);
    (void)fputs("@@", out);
    put_range(out, '-', from, to - from);
    put_range(out, '+', (size_t)((long)from + *shift), (size_t)((long)(to - from) + more));
    (void)fputs(" @@\n", out);
    *shift += more;
    size_t at = from;
    for (size_t i = first; i <= last;) {
        size_t run = i; /* changes without a line between them */
        while (run < last && items[run + 1].from == items[run].to)
            run++;
        put_old(out, lines, ' ', at, items[i].from);
        put_old(out, lines, '-', items[i].from, items[run].to);
        at = items[run].to;
        for (; i <= run; i++)
            put_lines(out, '+', items[i].with, items[i].len);
    }
    put_old(out, lines, ' ', at, to);
    return last + 1;
}

static enum status diff_file(const struct policy_edits *edits, size_t index, FILE *out)
{
    const struct text_file *file = &edits->text->files[index];
    struct arena *arena = edits->text->arena;
    struct policy_edit *list = NULL;
    struct lines lines = {0};
    struct changes changes = {0};
    size_t count = 0;
    enum status status = policy_edit_settle(edits, index, &list, &count);
    if (status != OK || count == 0)
        return status;
    changes.items = arena_alloc(arena, count * sizeof(*changes.items));
    status = changes.items == NULL ? ERR_MEMORY : find_lines(file, arena, &lines);
    for (size_t i = 0; i < count && status == OK;) {
        struct change *change = &changes.items[changes.count];
        status = make_change(&lines, list, count, &i, arena, change);
        if (status == OK) {
            trim(&lines, change);
            changes.count++;
        }
    }
    if (status != OK)
        return status;
    /* A name with blanks ends at the tab, as diff and patch have it. */
    const char *tab = strchr(file->name, ' ') == NULL ? "" : "\t";
    long shift = 0;
    (void)fprintf(out, "--- a/%s%s\n+++ b/%s%s\n", file->name, tab, file->name, tab);
    for (size_t i = 0; i < changes.count;)
        i = put_hunk(out, &lines, &changes, i, &shift);
    return OK;
}

enum status policy_edit_diff(const struct policy_edits *edits, FILE *out)
{
    enum status status = OK;
    for (size_t i = 0; i < edits->text->file_count && status == OK; i++)
        status = diff_file(edits, i, out);
    return status;
}
