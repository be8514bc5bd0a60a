/*
 * grammar.c: what may follow what in a policy file.
 *
 * Trust boundary: an administrator's file, any bytes. Messages never quote a string's text; a word
 * is quoted up to 40 bytes (a secret without its quotes does not look like a word: it holds $ and
 * :).
 */
#include "grammar.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void grammar_report(struct grammar *grammar, struct policy_place place, const char *message)
{
    grammar->broken = true;
    load_report(grammar->loader, place, "%s", message);
}

/* The structure cannot be followed any further. */
static void lose(struct grammar *grammar, struct policy_place place, const char *message)
{
    if (!grammar->lost)
        grammar_report(grammar, place, message);
    grammar->lost = true;
}

static char context(const struct grammar *grammar)
{
    return grammar->depth == 0 ? '{' : grammar->stack[grammar->depth - 1].open;
}

static const char *expected(const struct grammar *grammar)
{
    switch (grammar->expect) {
    case EXPECT_NAME:
        return "a key is missing: name = value;";
    case EXPECT_ASSIGN:
        return "\"=\" is missing behind the key: name = value;";
    case EXPECT_VALUE:
    case EXPECT_FIRST:
        return "a value is missing: \"text\", true, 1, [ array ], ( list ) or { group }";
    case EXPECT_END:
        return context(grammar) == '{' ? "a semicolon is missing, or this does not belong here"
                                       : "a comma or a closing bracket is missing";
    }
    return "this does not belong here";
}

static void value_done(struct grammar *grammar, struct policy_place place, bool string)
{
    grammar->expect = EXPECT_END;
    grammar->after_string = string;
    grammar->value_place = place;
}

/* A scalar or an opening bracket is about to stand here: may it? */
static bool begin_value(struct grammar *grammar, struct policy_place place)
{
    if (grammar->expect == EXPECT_END && context(grammar) != '{') {
        grammar_report(grammar, grammar->value_place, "a comma is missing behind this");
        return true;
    }
    if (grammar->expect == EXPECT_VALUE || grammar->expect == EXPECT_FIRST)
        return true;
    lose(grammar, place, expected(grammar));
    return false;
}

static void scalar(struct grammar *grammar, struct policy_place place, enum grammar_scalar type)
{
    if (!begin_value(grammar, place))
        return;
    if (context(grammar) == '[') {
        struct grammar_bracket *array = &grammar->stack[grammar->depth - 1];
        if (array->type != SCALAR_NONE && array->type != type)
            grammar_report(grammar, place,
                           "the values of an array must be of one type: put all of them in quotes");
        array->type = array->type == SCALAR_NONE ? type : array->type;
    }
    struct policy_place *scalar_place =
        load_push(grammar->loader->arena, &grammar->scalars, sizeof(*scalar_place));
    if (scalar_place != NULL)
        *scalar_place = place;
    value_done(grammar, place, type == SCALAR_STRING);
}

void grammar_string(struct grammar *grammar, struct policy_place place)
{
    if (grammar->lost)
        return;
    /* Joined to the string before it: meant in a long expression, a forgotten comma in a list of
     * names. */
    if (grammar->expect == EXPECT_END && grammar->after_string && context(grammar) == '{')
        return;
    scalar(grammar, place, SCALAR_STRING);
}

static size_t digits(const char *text, size_t at, bool hex)
{
    while (hex ? isxdigit((unsigned char)text[at]) : isdigit((unsigned char)text[at]))
        at++;
    return at;
}

/* [+-]digits.digits[e[+-]digits] */
static bool is_float(const char *text)
{
    size_t start = text[0] == '-' || text[0] == '+' ? 1 : 0;
    size_t at = digits(text, start, false);
    if (at == start || text[at] != '.' || !isdigit((unsigned char)text[at + 1]))
        return false;
    at = digits(text, at + 1, false);
    if (text[at] == 'e' || text[at] == 'E') {
        at += text[at + 1] == '-' || text[at + 1] == '+' ? 2 : 1;
        if (!isdigit((unsigned char)text[at]))
            return false;
        at = digits(text, at, false);
    }
    return text[at] == '\0';
}

/* Whole numbers; libconfig would cut what does not fit without a word. */
static enum grammar_scalar integer(struct grammar *grammar, struct policy_place place,
                                   const char *text)
{
    size_t start = text[0] == '-' || text[0] == '+' ? 1 : 0;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    size_t at = digits(text, hex ? 2 : start, hex);
    bool wide = text[at] == 'L';
    if (at == (hex ? 2 : start) || text[at + (wide ? 1 : 0)] != '\0')
        return SCALAR_NONE;
    errno = 0;
    long long value = strtoll(text, NULL, hex ? 16 : 10);
    if (errno == ERANGE)
        grammar_report(grammar, place, "this number is too large");
    else if (!wide && (value < INT_MIN || value > INT_MAX))
        grammar_report(grammar, place,
                       "this number does not fit 32 bits: write an L behind it (5000000000L)");
    return wide ? SCALAR_INT64 : SCALAR_INT;
}

static bool is_boolean(const char *text)
{
    return strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0;
}

static bool is_name(const char *text)
{
    size_t at = 0;
    if (!isalpha((unsigned char)text[0]) && text[0] != '*')
        return false;
    while (isalnum((unsigned char)text[at]) ||
           (text[at] != '\0' && strchr("-_*", text[at]) != NULL))
        at++;
    return text[at] == '\0' && !is_boolean(text);
}

static void key(struct grammar *grammar, struct policy_place place, const char *text)
{
    grammar->expect = EXPECT_ASSIGN;
    if (!is_name(text))
        lose(grammar, place, "this cannot be a key: a letter, then letters, digits, _ and -");
}

void grammar_word(struct grammar *grammar, struct policy_place place, const char *text, size_t len)
{
    if (grammar->lost)
        return;
    char *word = arena_strndup(grammar->loader->arena, text, len);
    if (word == NULL)
        return;
    bool group = context(grammar) == '{';
    if (group && (grammar->expect == EXPECT_NAME || grammar->expect == EXPECT_END)) {
        key(grammar, place, word);
        return;
    }
    enum grammar_scalar type = is_boolean(word) ? SCALAR_BOOL : integer(grammar, place, word);
    if (type == SCALAR_NONE && is_float(word))
        type = SCALAR_FLOAT;
    if (type != SCALAR_NONE) {
        scalar(grammar, place, type);
        return;
    }
    lose(grammar, place,
         grammar->expect == EXPECT_ASSIGN
             ? expected(grammar)
             : "this is no value: text stands in double quotes, \"...\"");
}

static char closing(char open)
{
    if (open == '(')
        return ')';
    return open == '[' ? ']' : '}';
}

static void open_bracket(struct grammar *grammar, struct policy_place place, char mark)
{
    if (!begin_value(grammar, place))
        return;
    if (context(grammar) == '[')
        lose(grammar, place,
             "an array [ ... ] holds texts, numbers or booleans; groups stand in a list ( ... )");
    else if (grammar->depth == GRAMMAR_DEPTH)
        lose(grammar, place, "brackets are nested too deeply");
    else
        grammar->stack[grammar->depth++] = (struct grammar_bracket){.open = mark, .place = place};
    grammar->expect = mark == '{' ? EXPECT_NAME : EXPECT_FIRST;
}

static void close_bracket(struct grammar *grammar, struct policy_place place, char mark)
{
    if (grammar->depth == 0) {
        lose(grammar, place, "this bracket closes nothing");
        return;
    }
    struct grammar_bracket top = grammar->stack[grammar->depth - 1];
    if (closing(top.open) != mark) {
        const char *message = arena_printf(
            grammar->loader->arena, "'%c' does not close the '%c' of line %u: '%c' is missing",
            mark, top.open, top.place.line, closing(top.open));
        lose(grammar, place, message == NULL ? "out of memory" : message);
        return;
    }
    if (top.open == '{' ? grammar->expect == EXPECT_ASSIGN || grammar->expect == EXPECT_VALUE
                        : false) {
        lose(grammar, place, expected(grammar));
        return;
    }
    if (grammar->expect == EXPECT_VALUE)
        grammar_report(grammar, grammar->value_place,
                       "there must be no comma before a closing bracket: remove it");
    grammar->depth--;
    value_done(grammar, place, false);
}

static void separator(struct grammar *grammar, struct policy_place place, char mark)
{
    bool group = context(grammar) == '{';
    if (grammar->expect != EXPECT_END) {
        lose(grammar, place,
             grammar->expect == EXPECT_NAME ? "one semicolon too many: remove it"
                                            : expected(grammar));
        return;
    }
    if (!group && mark == ';') {
        lose(grammar, place, "between the elements of a list or array stands a comma");
        return;
    }
    grammar->expect = group ? EXPECT_NAME : EXPECT_VALUE;
    grammar->value_place = place;
}

void grammar_mark(struct grammar *grammar, struct policy_place place, char mark)
{
    if (grammar->lost)
        return;
    if (mark == '(' || mark == '[' || mark == '{')
        open_bracket(grammar, place, mark);
    else if (mark == ')' || mark == ']' || mark == '}')
        close_bracket(grammar, place, mark);
    else if (mark == ',' || mark == ';')
        separator(grammar, place, mark);
    else if ((mark == '=' || mark == ':') && grammar->expect == EXPECT_ASSIGN)
        grammar->expect = EXPECT_VALUE;
    else if (mark == '=' || mark == ':')
        lose(grammar, place, expected(grammar));
    else if (mark == '\'')
        lose(grammar, place, "text stands in double quotes, \"...\"");
    else
        lose(grammar, place,
             "this character does not belong here: texts stand in double quotes, also names with "
             "accents; a key before \"=\" has letters without accents, digits, _ and - only");
}

void grammar_finish(struct grammar *grammar, struct policy_place place)
{
    if (grammar->lost)
        return;
    if (grammar->depth > 0) {
        for (size_t i = grammar->depth; i-- > 0;) {
            const char *message = arena_printf(grammar->loader->arena, "this '%c' is never closed",
                                               grammar->stack[i].open);
            grammar_report(grammar, grammar->stack[i].place,
                           message == NULL ? "out of memory" : message);
        }
    } else if (grammar->expect != EXPECT_NAME && grammar->expect != EXPECT_END) {
        grammar_report(grammar, place, expected(grammar));
    }
}

bool grammar_is_top(const struct grammar *grammar)
{
    return grammar->depth == 0 && (grammar->expect == EXPECT_NAME || grammar->expect == EXPECT_END);
}
