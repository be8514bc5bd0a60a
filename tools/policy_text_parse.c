/*
 * policy_text_parse.c: tokens of a policy's files into settings (see policy_text.h).
 *
 * The grammar is libconfig's, and the text was accepted before: what does not fit is a mistake of
 * this reader, and ERR_SYNTAX stops whoever relies on it.
 */
#include "tools/policy_text.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 64U

struct parse {
    struct policy_text *text;
    const struct text_token *at, *end;
};

static const char *bytes_of(const struct parse *parse, const struct text_token *token)
{
    return parse->text->files[token->file].bytes + token->start;
}

static char mark(const struct parse *parse)
{
    return parse->at < parse->end ? parse->at->mark : '\0';
}

static void decode(struct buf *out, const char *text, size_t len)
{
    static const char from[] = "nrtf";
    static const char to[] = "\n\r\t\f";
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\\' || i + 1 >= len) {
            buf_byte(out, (unsigned char)text[i]);
            continue;
        }
        char second = text[++i];
        const char *known = strchr(from, second);
        if (second == 'x' && i + 2 < len) {
            const char digits[3] = {text[i + 1], text[i + 2], '\0'};
            buf_byte(out, (unsigned char)strtoul(digits, NULL, 16));
            i += 2;
        } else {
            buf_byte(out, (unsigned char)(known == NULL ? second : to[known - from]));
        }
    }
}

static struct text_node *new_node(struct parse *parse, enum text_kind kind)
{
    struct text_node *node = arena_zalloc(parse->text->arena, 1, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
        node->begin = node->first = node->last = parse->at;
    }
    return node;
}

/* Strings one behind the other are one, where they are a setting's value. */
static enum status parse_string(struct parse *parse, bool joined, struct text_node **out)
{
    struct text_node *node = new_node(parse, NODE_STRING);
    struct buf value;
    if (node == NULL)
        return ERR_MEMORY;
    buf_init(&value, 0);
    do {
        decode(&value, bytes_of(parse, parse->at) + 1, parse->at->end - parse->at->start - 2);
        node->last = parse->at++;
    } while (joined && mark(parse) == TEXT_STRING);
    node->value = text_take(&value, parse->text->arena);
    *out = node;
    return node->value == NULL ? ERR_MEMORY : OK;
}

static enum status add(struct parse *parse, struct text_node *to, struct text_node *item)
{
    struct text_node **items = arena_grow(parse->text->arena, (void *)to->items, to->count,
                                          &to->cap, sizeof(struct text_node *));
    if (items == NULL)
        return ERR_MEMORY;
    to->items = items;
    items[to->count++] = item;
    return OK;
}

static enum status parse_value(struct parse *parse, bool joined, unsigned depth,
                               struct text_node **out);

/* name = value; up to a closing bracket or the end. */
static enum status parse_settings(struct parse *parse, struct text_node *group, unsigned depth)
{
    enum status status = OK;
    while (status == OK && parse->at < parse->end && mark(parse) != '}') {
        const struct text_token *name = parse->at;
        struct text_node *item = NULL;
        if (mark(parse) != TEXT_WORD)
            return ERR_SYNTAX;
        parse->at++;
        if (mark(parse) != '=' && mark(parse) != ':')
            return ERR_SYNTAX;
        parse->at++;
        status = parse_value(parse, true, depth, &item);
        if (status != OK)
            return status;
        item->begin = name;
        item->name =
            arena_strndup(parse->text->arena, bytes_of(parse, name), name->end - name->start);
        if (mark(parse) == ';' || mark(parse) == ',')
            item->separator = parse->at++;
        status = item->name == NULL ? ERR_MEMORY : add(parse, group, item);
    }
    return status;
}

static enum status parse_elements(struct parse *parse, struct text_node *list, char close,
                                  unsigned depth)
{
    enum status status = OK;
    while (status == OK && parse->at < parse->end && mark(parse) != close) {
        struct text_node *item = NULL;
        status = parse_value(parse, false, depth, &item);
        if (status != OK)
            return status;
        if (mark(parse) == ',')
            item->separator = parse->at++;
        else if (mark(parse) != close)
            return ERR_SYNTAX;
        status = add(parse, list, item);
    }
    return status;
}

static enum status parse_brackets(struct parse *parse, unsigned depth, struct text_node **out)
{
    char open = mark(parse);
    char close = open == '{' ? '}' : open == '[' ? ']' : ')';
    struct text_node *node = new_node(parse, open == '{'   ? NODE_GROUP
                                             : open == '[' ? NODE_ARRAY
                                                           : NODE_LIST);
    if (node == NULL)
        return ERR_MEMORY;
    if (depth == DEPTH)
        return ERR_SYNTAX;
    parse->at++;
    enum status status = open == '{' ? parse_settings(parse, node, depth + 1)
                                     : parse_elements(parse, node, close, depth + 1);
    if (status == OK && mark(parse) != close)
        return ERR_SYNTAX;
    node->last = parse->at++;
    *out = node;
    return status;
}

static enum status parse_value(struct parse *parse, bool joined, unsigned depth,
                               struct text_node **out)
{
    char now = mark(parse);
    if (now == TEXT_STRING)
        return parse_string(parse, joined, out);
    if (now == '{' || now == '[' || now == '(')
        return parse_brackets(parse, depth, out);
    if (now != TEXT_WORD)
        return ERR_SYNTAX;
    struct text_node *node = new_node(parse, NODE_SCALAR);
    if (node == NULL)
        return ERR_MEMORY;
    node->value = arena_strndup(parse->text->arena, bytes_of(parse, parse->at),
                                parse->at->end - parse->at->start);
    parse->at++;
    *out = node;
    return node->value == NULL ? ERR_MEMORY : OK;
}

enum status policy_text_parse(struct policy_text *text, const struct text_tokens *tokens,
                              struct text_node **root)
{
    struct parse parse = {.text = text, .at = tokens->items, .end = tokens->items + tokens->count};
    struct text_node *node = new_node(&parse, NODE_GROUP);
    if (node == NULL)
        return ERR_MEMORY;
    *root = node;
    enum status status = tokens->count == 0 ? OK : parse_settings(&parse, node, 0);
    return status == OK && parse.at < parse.end ? ERR_SYNTAX : status;
}
