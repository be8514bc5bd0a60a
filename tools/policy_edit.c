/*
 * policy_edit.c: changes to a policy's files, in bytes (see policy_edit.h); policy_edit_diff.c
 * tells them in lines.
 */
#include "tools/policy_edit_private.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

void policy_edit_add(struct policy_edits *edits, size_t file, size_t start, size_t end,
                     const char *with)
{
    struct policy_edit *items =
        arena_grow(edits->text->arena, edits->items, edits->count, &edits->cap, sizeof(*items));
    if (items == NULL || with == NULL) {
        edits->failed = true;
        return;
    }
    edits->items = items;
    items[edits->count++] =
        (struct policy_edit){.file = file, .start = start, .end = end, .with = with};
}

void policy_edit_value(struct policy_edits *edits, const struct text_node *node, const char *with)
{
    policy_edit_add(edits, node->first->file, node->first->start, node->last->end, with);
}

void policy_edit_cut_setting(struct policy_edits *edits, const struct text_node *setting)
{
    policy_edit_add(edits, setting->begin->file, setting->begin->start, setting->last->end, "");
    if (setting->separator != NULL)
        policy_edit_add(edits, setting->separator->file, setting->separator->start,
                        setting->separator->end, "");
}

void policy_edit_cut_elements(struct policy_edits *edits, const struct text_node *list,
                              const bool *cut)
{
    size_t last_kept = SIZE_MAX;
    for (size_t i = 0; i < list->count; i++)
        last_kept = cut[i] ? last_kept : i;
    for (size_t i = 0; i < list->count; i++) {
        const struct text_node *item = list->items[i];
        if (cut[i])
            policy_edit_add(edits, item->begin->file, item->begin->start, item->last->end, "");
        /* Behind the last that stays there is nothing left to part it from. */
        if ((cut[i] || i == last_kept) && item->separator != NULL)
            policy_edit_add(edits, item->separator->file, item->separator->start,
                            item->separator->end, "");
    }
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static size_t line_start(const struct text_file *file, size_t at)
{
    while (at > 0 && file->bytes[at - 1] != '\n')
        at--;
    return at;
}

static size_t skip_blanks(const struct text_file *file, size_t at)
{
    while (at < file->len && is_blank(file->bytes[at]))
        at++;
    return at;
}

/* From `at` to the end of the line there is nothing, or a comment to its end. */
static bool rest_is_comment(const struct text_file *file, size_t at)
{
    at = skip_blanks(file, at);
    return at >= file->len || file->bytes[at] == '\n' || file->bytes[at] == '#' ||
           (file->bytes[at] == '/' && file->bytes[at + 1] == '/');
}

void policy_edit_put_settings(struct policy_edits *edits, const struct text_node *behind,
                              const char *const *names, size_t count, const char *value)
{
    const struct text_token *last = behind->separator != NULL ? behind->separator : behind->last;
    const struct text_file *file = &edits->text->files[last->file];
    size_t start = line_start(file, behind->begin->start);
    bool own_line = skip_blanks(file, start) == behind->begin->start &&
                    rest_is_comment(file, last->end) && behind->begin->file == last->file;
    size_t at = last->end;
    struct buf out;
    buf_init(&out, 0);
    while (own_line && at < file->len && file->bytes[at] != '\n')
        at++;
    if (behind->separator == NULL && at > last->end)
        policy_edit_add(edits, last->file, last->end, last->end, ";");
    else if (behind->separator == NULL)
        buf_byte(&out, ';');
    for (size_t i = 0; i < count; i++) {
        if (own_line)
            buf_printf(&out, "\n%.*s", (int)(behind->begin->start - start), file->bytes + start);
        else
            buf_byte(&out, ' ');
        buf_printf(&out, "%s = \"%s\";", names[i], value);
    }
    policy_edit_add(edits, last->file, at, at, text_take(&out, edits->text->arena));
}

static int by_start(const void *a, const void *b)
{
    const struct policy_edit *one = a;
    const struct policy_edit *two = b;
    if (one->start != two->start)
        return one->start < two->start ? -1 : 1;
    return (one->end > two->end) - (one->end < two->end);
}

/* What is between two that are taken away: nothing but blanks. */
static bool blanks_between(const struct text_file *file, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++)
        if (!is_blank(file->bytes[at]) && file->bytes[at] != '\n')
            return false;
    return true;
}

/* The blanks, and perhaps the line, that would be left over. */
static void tidy(const struct text_file *file, struct policy_edit *edit)
{
    size_t before = edit->start;
    size_t after = skip_blanks(file, edit->end);
    while (before > 0 && is_blank(file->bytes[before - 1]))
        before--;
    bool first = before == 0 || file->bytes[before - 1] == '\n';
    bool last = after >= file->len || file->bytes[after] == '\n';
    if (first && last) {
        edit->start = before;
        edit->end = after < file->len ? after + 1 : after;
    } else if (last) {
        edit->start = before;
    } else if (first || before < edit->start) {
        edit->end = after;
    }
}

static bool is_cut(const struct policy_edit *edit)
{
    return edit->with[0] == '\0';
}

enum status policy_edit_settle(const struct policy_edits *edits, size_t file,
                               struct policy_edit **out, size_t *count)
{
    const struct text_file *text = &edits->text->files[file];
    struct policy_edit *list = arena_alloc(edits->text->arena, (edits->count + 1) * sizeof(*list));
    size_t used = 0;
    *count = 0;
    if (list == NULL || edits->failed)
        return ERR_MEMORY;
    for (size_t i = 0; i < edits->count; i++)
        if (edits->items[i].file == file)
            list[used++] = edits->items[i];
    if (used > 0)
        qsort(list, used, sizeof(*list), by_start);
    for (size_t i = 0; i < used; i++) {
        struct policy_edit *last = *count > 0 ? &list[*count - 1] : NULL;
        if (last != NULL && list[i].start < last->end)
            return ERR_INTERNAL;
        if (last != NULL && is_cut(last) && is_cut(&list[i]) &&
            blanks_between(text, last->end, list[i].start))
            last->end = list[i].end;
        else
            list[(*count)++] = list[i];
    }
    for (size_t i = 0; i < *count; i++) {
        struct policy_edit tidied = list[i];
        if (is_cut(&tidied))
            tidy(text, &tidied);
        /* Never into what another one changes. */
        bool free_before = i == 0 || list[i - 1].end <= tidied.start;
        bool free_after = i + 1 >= *count || tidied.end <= list[i + 1].start;
        if (free_before && free_after)
            list[i] = tidied;
    }
    *out = list;
    return OK;
}

enum status policy_edit_apply(const struct policy_edits *edits, size_t file, const char **bytes,
                              size_t *len)
{
    const struct text_file *text = &edits->text->files[file];
    struct policy_edit *list = NULL;
    size_t count = 0;
    enum status status = policy_edit_settle(edits, file, &list, &count);
    *bytes = text->bytes;
    *len = text->len;
    if (status != OK || count == 0)
        return status;
    struct buf out;
    size_t at = 0;
    buf_init(&out, 0);
    for (size_t i = 0; i < count; i++) {
        buf_append(&out, text->bytes + at, list[i].start - at);
        buf_str(&out, list[i].with);
        at = list[i].end;
    }
    buf_append(&out, text->bytes + at, text->len - at);
    *len = buf_len(&out);
    *bytes = text_take(&out, edits->text->arena);
    return *bytes == NULL ? ERR_MEMORY : OK;
}
