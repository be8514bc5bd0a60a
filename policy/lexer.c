/*
 * lexer.c: where SQL strings, quoted identifiers and comments begin and end.
 *
 * Trust boundary: reads text from policy files. A mistake here would take part of a string for a
 * placeholder or miss one, so load compares the outcome with libpg_query's own scanner
 * (expression.c). Owns nothing.
 */
#include "lexer.h"

#include <string.h>

bool lexer_is_word_start(char byte)
{
    unsigned char c = (unsigned char)byte;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

bool lexer_is_word(char byte)
{
    return lexer_is_word_start(byte) || (byte >= '0' && byte <= '9') || byte == '$';
}

static bool is_newline(char byte)
{
    return byte == '\n' || byte == '\r';
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\f' || is_newline(byte);
}

static size_t line_comment_end(const char *text, size_t at)
{
    while (text[at] != '\0' && !is_newline(text[at]))
        at++;
    return at;
}

/* A string goes on after its closing quote when white space with a newline and another quote
 * follow; line comments count as white space there. It matters for E'': the next part has backslash
 * escapes as well. */
static size_t continued_quote(const char *text, size_t at)
{
    bool newline = false;
    for (;;) {
        if (is_space(text[at])) {
            newline = newline || is_newline(text[at]);
            at++;
        } else if (text[at] == '-' && text[at + 1] == '-') {
            at = line_comment_end(text, at);
        } else {
            break;
        }
    }
    return newline && text[at] == '\'' ? at : 0;
}

/* text[at] is the opening quote. */
static enum lexeme quoted(const char *text, size_t *at, bool backslash)
{
    char quote = text[*at];
    size_t i = *at + 1;
    for (;;) {
        if (text[i] == '\0') {
            *at = i;
            return LEXEME_UNCLOSED;
        }
        if ((backslash && text[i] == '\\' && text[i + 1] != '\0') ||
            (text[i] == quote && text[i + 1] == quote)) {
            i += 2;
        } else if (text[i] != quote) {
            i++;
        } else {
            size_t next = quote == '\'' ? continued_quote(text, i + 1) : 0;
            if (next == 0)
                break;
            i = next + 1;
        }
    }
    *at = i + 1;
    return LEXEME_QUOTED;
}

static enum lexeme block_comment(const char *text, size_t *at)
{
    size_t i = *at + 2;
    size_t depth = 1;
    while (text[i] != '\0') {
        if (text[i] == '/' && text[i + 1] == '*') {
            depth++;
            i += 2;
        } else if (text[i] == '*' && text[i + 1] == '/') {
            i += 2;
            if (--depth == 0) {
                *at = i;
                return LEXEME_COMMENT;
            }
        } else {
            i++;
        }
    }
    *at = i;
    return LEXEME_UNCLOSED;
}

/* $tag$ ... $tag$; a dollar that opens none ($1) is one byte of its own. */
static enum lexeme dollar(const char *text, size_t *at)
{
    size_t i = *at + 1;
    if (lexer_is_word_start(text[i]))
        while (lexer_is_word(text[i]) && text[i] != '$')
            i++;
    if (text[i] != '$') {
        *at += 1;
        return LEXEME_OTHER;
    }
    size_t tag = i + 1 - *at;
    const char *open = text + *at;
    for (i++; text[i] != '\0'; i++) {
        if (text[i] == '$' && strncmp(text + i, open, tag) == 0) {
            *at = i + tag;
            return LEXEME_QUOTED;
        }
    }
    *at = i;
    return LEXEME_UNCLOSED;
}

/* Identifiers, numbers, and the prefixed strings E'' B'' X'' N'' U&'' U&"". */
static enum lexeme word(const char *text, size_t *at)
{
    char first = text[*at];
    char second = text[*at + 1];
    if (second == '\'' && strchr("eEbBxXnN", first) != NULL) {
        *at += 1;
        return quoted(text, at, first == 'e' || first == 'E');
    }
    if ((first == 'u' || first == 'U') && second == '&' &&
        (text[*at + 2] == '\'' || text[*at + 2] == '"')) {
        *at += 2;
        return quoted(text, at, false);
    }
    while (lexer_is_word(text[*at]))
        *at += 1;
    return LEXEME_WORD;
}

/* Digits by themselves: unlike in an identifier, a dollar after them opens a dollar-quoted string.
 */
static enum lexeme number(const char *text, size_t *at)
{
    while (text[*at] >= '0' && text[*at] <= '9')
        *at += 1;
    while (lexer_is_word(text[*at]) && text[*at] != '$')
        *at += 1;
    return LEXEME_WORD;
}

static enum lexeme colon(const char *text, size_t *at)
{
    char second = text[*at + 1];
    *at += second == ':' || second == '=' ? 2 : 1;
    if (second == ':')
        return LEXEME_CAST;
    return second == '=' ? LEXEME_ASSIGN : LEXEME_COLON;
}

enum lexeme lexer_next(const char *text, size_t *at)
{
    char first = text[*at];
    char second = first == '\0' ? '\0' : text[*at + 1];
    if (first == '\0')
        return LEXEME_END;
    if (is_space(first)) {
        while (is_space(text[*at]))
            *at += 1;
        return LEXEME_SPACE;
    }
    if (first == '-' && second == '-') {
        *at = line_comment_end(text, *at);
        return LEXEME_COMMENT;
    }
    if (first == '/' && second == '*')
        return block_comment(text, at);
    if (first == '\'' || first == '"')
        return quoted(text, at, false);
    if (first == '$')
        return dollar(text, at);
    if (lexer_is_word_start(first))
        return word(text, at);
    if (first >= '0' && first <= '9')
        return number(text, at);
    if (first == ':')
        return colon(text, at);
    *at += 1;
    return LEXEME_OTHER;
}
