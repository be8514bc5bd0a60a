/*
 * placeholder.c: the :names in a policy's SQL expressions, and what replaces them.
 *
 * Trust boundary: expressions come from policy files. A placeholder inside a string, a quoted
 * identifier or a comment is text; everywhere else a colon before a name must be one that is known,
 * or the expression is refused: an unreplaced :name must never reach a server. Owns nothing;
 * results are in the caller's arena.
 */
#include "lexer.h"

#include <pgvigil/expression.h>
#include <pgvigil/policy.h>
#include <pgvigil/text.h>

#include <ctype.h>
#include <string.h>

static const char *const placeholder_names[] = {"user.name", "client.address", "subject", "col"};

static size_t plain_word(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len;
}

/* The declared attribute that `text` starts with, or -1. Attribute names may hold '-', which is
 * also minus: the longest declared name wins, and load refuses a policy where one name is another
 * plus "-...". */
static int attribute_at(const struct policy *policy, const char *text, size_t *len)
{
    int best = -1;
    for (size_t i = 0; i < policy->attribute_count; i++) {
        size_t size = strlen(policy->attributes[i].name);
        if (strncmp(text, policy->attributes[i].name, size) != 0 || lexer_is_word(text[size]))
            continue;
        if (best < 0 || size > *len) {
            best = (int)i;
            *len = size;
        }
    }
    return best;
}

static enum status unknown_attribute(const struct policy *policy, const char *text,
                                     struct arena *arena, const char **what)
{
    size_t len = 0;
    while (lexer_is_word(text[len]))
        len++;
    char *name = arena_strndup(arena, text, len);
    const char **names = arena_alloc(arena, (policy->attribute_count + 1) * sizeof(*names));
    if (name == NULL || names == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < policy->attribute_count; i++)
        names[i] = policy->attributes[i].name;
    names[policy->attribute_count] = "name";
    const char *nearest = text_nearest(name, names, policy->attribute_count + 1);
    *what =
        nearest == NULL
            ? arena_printf(arena, "unknown placeholder :user.%s: no attribute has that name", name)
            : arena_printf(arena, "unknown placeholder :user.%s (did you mean :user.%s?)", name,
                           nearest);
    return *what == NULL ? ERR_MEMORY : ERR_INVALID;
}

static enum status unknown_placeholder(const char *text, struct arena *arena, const char **what)
{
    size_t len = 0;
    while (lexer_is_word(text[len]) || (text[len] == '.' && lexer_is_word_start(text[len + 1])))
        len++;
    char *name = arena_strndup(arena, text, len);
    if (name == NULL)
        return ERR_MEMORY;
    const char *nearest =
        text_nearest(name, placeholder_names, sizeof(placeholder_names) / sizeof(char *));
    if (nearest != NULL)
        *what = arena_printf(arena, "unknown placeholder :%s (did you mean :%s?)", name, nearest);
    else
        *what = arena_printf(arena,
                             "unknown placeholder :%s: known are :user.name, :user.<attribute>, "
                             ":session.<setting>, :client.address, :subject and, in masks, :col "
                             "(an array slice needs spaces round its colon)",
                             name);
    return *what == NULL ? ERR_MEMORY : ERR_INVALID;
}

static bool is_exactly(const char *text, const char *name, size_t *len)
{
    *len = strlen(name);
    return strncmp(text, name, *len) == 0 && !lexer_is_word(text[*len]);
}

/* `text` stands behind the colon. */
static enum status placeholder_read(const struct policy *policy, const char *text,
                                    struct arena *arena, struct policy_placeholder *found,
                                    size_t *len, const char **what)
{
    if (is_exactly(text, "user.name", len)) {
        found->kind = PLACEHOLDER_USER_NAME;
    } else if (is_exactly(text, "client.address", len)) {
        found->kind = PLACEHOLDER_CLIENT_ADDRESS;
    } else if (is_exactly(text, "subject", len)) {
        found->kind = PLACEHOLDER_SUBJECT;
    } else if (is_exactly(text, "col", len)) {
        found->kind = PLACEHOLDER_COLUMN;
    } else if (strncmp(text, "user.", 5) == 0) {
        int attribute = attribute_at(policy, text + 5, len);
        if (attribute < 0)
            return unknown_attribute(policy, text + 5, arena, what);
        found->kind = PLACEHOLDER_USER_ATTRIBUTE;
        found->attribute = (uint32_t)attribute;
        found->name = policy->attributes[attribute].name;
        *len += 5;
    } else if (strncmp(text, "session.", 8) == 0) {
        size_t size = plain_word(text + 8);
        if (size == 0 || size > 48 || !isalpha((unsigned char)text[8]) ||
            lexer_is_word(text[8 + size]))
            return unknown_placeholder(text, arena, what);
        found->kind = PLACEHOLDER_SESSION;
        char *name = arena_strndup(arena, text + 8, size);
        if (name == NULL)
            return ERR_MEMORY;
        /* Settings know no case. */
        for (char *c = name; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        found->name = name;
        *len = 8 + size;
    } else {
        return unknown_placeholder(text, arena, what);
    }
    /* :subject.x or :col.x would take a field of the replacement; nobody means that. */
    if (text[*len] == '.')
        return unknown_placeholder(text, arena, what);
    return OK;
}

enum status policy_placeholders(const struct policy *policy, const char *expression,
                                struct arena *arena, struct policy_placeholder **list,
                                size_t *count, const char **what)
{
    size_t cap = 0;
    size_t at = 0;
    *list = NULL;
    *count = 0;
    *what = NULL;
    for (;;) {
        size_t start = at;
        enum lexeme lexeme = lexer_next(expression, &at);
        if (lexeme == LEXEME_END)
            return OK;
        if (lexeme != LEXEME_COLON || !lexer_is_word_start(expression[at]))
            continue;
        struct policy_placeholder found = {.start = start};
        size_t len = 0;
        enum status status = placeholder_read(policy, expression + at, arena, &found, &len, what);
        if (status != OK)
            return status;
        at += len;
        found.end = at;
        struct policy_placeholder *room = arena_grow(arena, *list, *count, &cap, sizeof(**list));
        if (room == NULL)
            return ERR_MEMORY;
        *list = room;
        room[(*count)++] = found;
    }
}

const char *policy_placeholder_setting(const struct policy_placeholder *placeholder,
                                       struct arena *arena)
{
    char *setting = NULL;
    switch (placeholder->kind) {
    case PLACEHOLDER_USER_NAME:
        return arena_strdup(arena, "pgvigil.u_name");
    case PLACEHOLDER_CLIENT_ADDRESS:
        return arena_strdup(arena, "pgvigil.address");
    case PLACEHOLDER_USER_ATTRIBUTE:
        setting = arena_printf(arena, "pgvigil.u_%s", placeholder->name);
        break;
    case PLACEHOLDER_SESSION:
        setting = arena_printf(arena, "pgvigil.s_%s", placeholder->name);
        break;
    case PLACEHOLDER_SUBJECT:
    case PLACEHOLDER_COLUMN:
        return NULL;
    }
    /* PostgreSQL allows no '-' in a setting's name, and names allow no '$'. */
    for (char *at = setting; at != NULL && *at != '\0'; at++)
        if (*at == '-')
            *at = '$';
    return setting;
}

enum status expression_substitute(const struct policy *policy, const char *expression,
                                  struct arena *arena, expression_replace replace, void *context,
                                  const char **out, const char **what)
{
    struct policy_placeholder *list = NULL;
    size_t count = 0;
    *out = NULL;
    enum status status = policy_placeholders(policy, expression, arena, &list, &count, what);
    if (status != OK)
        return status;
    const char **texts = arena_alloc(arena, (count + 1) * sizeof(*texts));
    if (texts == NULL)
        return ERR_MEMORY;
    size_t size = strlen(expression) + 1;
    for (size_t i = 0; i < count; i++) {
        texts[i] = replace(context, &list[i]);
        if (texts[i] == NULL) {
            *what = arena_printf(arena, "%.*s cannot be used here",
                                 (int)(list[i].end - list[i].start), expression + list[i].start);
            return *what == NULL ? ERR_MEMORY : ERR_INVALID;
        }
        size += strlen(texts[i]) + 2;
    }
    char *text = arena_alloc(arena, size);
    if (text == NULL)
        return ERR_MEMORY;
    char *to = text;
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        to = mempcpy(to, expression + from, list[i].start - from);
        *to++ = ' ';
        to = stpcpy(to, texts[i]);
        *to++ = ' ';
        from = list[i].end;
    }
    memcpy(to, expression + from, strlen(expression + from) + 1);
    *out = text;
    return OK;
}
