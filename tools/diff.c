/*
 * diff.c: what policies that are compared share: items, texts, sets of names (see diff.h).
 */
#include "tools/diff.h"

#include "policy/lexer.h"

#include <ctype.h>
#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[DIFF_KINDS] = {
    "unrestricted",   "role",           "role_mission",   "relation",      "column",  "rows",
    "insert",         "update",         "delete",         "truncate",      "channel", "allow",
    "function",       "sequence",       "max_rows",       "rows_per_hour", "hours",   "addresses",
    "exact_subjects", "group_subjects", "aggregate_only", "break_glass",   "user",    "user_role",
    "user_attribute", "user_login",     "attribute",      "mission",       "default", "subject",
    "cells"};
static const char *const direction_names[DIFF_DIRECTIONS] = {"gain", "change", "loss", "other"};

const char *diff_kind_name(enum diff_kind kind)
{
    return kind_names[kind];
}

const char *diff_direction_name(enum diff_direction direction)
{
    return direction_names[direction];
}

void diff_add(struct diff *diff, const struct diff_item *item)
{
    struct diff_item *grown =
        arena_grow(diff->arena, diff->items, diff->count, &diff->cap, sizeof(*grown));
    if (grown == NULL) {
        diff->failed = true;
        return;
    }
    diff->items = grown;
    grown[diff->count++] = *item;
}

size_t diff_count(const struct diff *diff, enum diff_direction direction)
{
    size_t count = 0;
    for (size_t i = 0; i < diff->count; i++)
        count += diff->items[i].direction == direction ? 1 : 0;
    return count;
}

const char *diff_format(struct diff *diff, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(diff->arena, format, args);
    va_end(args);
    diff->failed = diff->failed || text == NULL;
    return text == NULL ? "" : text;
}

/* ---- texts ---- */

static bool is_operator(char byte)
{
    return byte != '\0' && strchr("+-*/<>=~!@#%^&|`?", byte) != NULL;
}

/* Blanks part words from words and operators from operators, and nothing else. */
static bool blank_counts(char before, char after)
{
    bool word_before = lexer_is_word(before) || before == '\'' || before == '"';
    bool word_after = lexer_is_word(after) || after == '\'' || after == '"';
    return (word_before && word_after) || (is_operator(before) && is_operator(after));
}

const char *diff_meaning(struct diff *diff, const char *expression)
{
    struct buf out;
    size_t at = 0;
    bool blank = false;
    char last = '\0';
    if (expression == NULL)
        return NULL;
    buf_init(&out, 0);
    for (;;) {
        size_t start = at;
        enum lexeme lexeme = lexer_next(expression, &at);
        if (lexeme == LEXEME_END)
            break;
        if (lexeme == LEXEME_SPACE || lexeme == LEXEME_COMMENT) {
            blank = true;
            continue;
        }
        if (blank && blank_counts(last, expression[start]))
            buf_byte(&out, ' ');
        blank = false;
        for (size_t i = start; i < at; i++) {
            unsigned char byte = (unsigned char)expression[i];
            buf_byte(&out,
                     lexeme == LEXEME_WORD && byte < 0x80 ? (unsigned char)tolower(byte) : byte);
        }
        last = expression[at - 1];
    }
    const char *text = text_take(&out, diff->arena);
    diff->failed = diff->failed || text == NULL;
    return text;
}

const char *diff_one_line(struct diff *diff, const char *expression)
{
    struct buf out;
    size_t at = 0;
    bool blank = false;
    if (expression == NULL)
        return NULL;
    buf_init(&out, 0);
    for (;;) {
        size_t start = at;
        enum lexeme lexeme = lexer_next(expression, &at);
        if (lexeme == LEXEME_END)
            break;
        if (lexeme == LEXEME_SPACE) {
            blank = true;
            continue;
        }
        if (blank && buf_len(&out) > 0)
            buf_byte(&out, ' ');
        blank = false;
        buf_append(&out, expression + start, at - start);
    }
    const char *text = text_take(&out, diff->arena);
    diff->failed = diff->failed || text == NULL;
    return text == NULL ? "" : text;
}

/* ---- names ---- */

void diff_names_add(struct diff *diff, struct diff_names *names, const char *name)
{
    const char **grown =
        arena_grow(diff->arena, names->items, names->count, &names->cap, sizeof(*grown));
    if (grown == NULL || name == NULL) {
        diff->failed = true;
        return;
    }
    names->items = grown;
    grown[names->count++] = name;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void diff_names_sort(struct diff_names *names)
{
    size_t kept = 0;
    if (names->count == 0)
        return;
    qsort((void *)names->items, names->count, sizeof(*names->items), by_text);
    for (size_t i = 0; i < names->count; i++)
        if (i == 0 || strcmp(names->items[i], names->items[kept - 1]) != 0)
            names->items[kept++] = names->items[i];
    names->count = kept;
}

/* ---- the whole ---- */

static int compare_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

static int by_place(const void *a, const void *b)
{
    const struct diff_item *one = a;
    const struct diff_item *other = b;
    if (one->direction != other->direction)
        return one->direction < other->direction ? -1 : 1;
    if (one->kind != other->kind)
        return one->kind < other->kind ? -1 : 1;
    const char *const ones[] = {one->role,   one->mission, one->user, one->object,
                                one->column, one->from,    one->to};
    const char *const others[] = {other->role,   other->mission, other->user, other->object,
                                  other->column, other->from,    other->to};
    for (size_t i = 0; i < sizeof(ones) / sizeof(ones[0]); i++) {
        int order = compare_text(ones[i], others[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

enum status diff_make(struct diff *diff)
{
    diff->items = NULL;
    diff->count = diff->cap = 0;
    diff->failed = false;
    diff_people(diff);
    diff_pairs(diff);
    if (diff->failed || arena_failed(diff->arena))
        return ERR_MEMORY;
    if (diff->count > 0)
        qsort(diff->items, diff->count, sizeof(*diff->items), by_place);
    return OK;
}
