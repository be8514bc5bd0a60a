/*
 * constants.c: plain numbers and strings of a text (see constants.h).
 *
 * Trust boundary: any bytes. The attack: a text that reads otherwise here than in PostgreSQL's
 * scanner, so that what is taken for a constant is code. So each byte must be one of a few kinds
 * that the two read alike; everything that could begin something else ends the search.
 */
#include <pgvigil/constants.h>
#include <pgvigil/text.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)

enum byte_kind {
    OTHER = 0, /* not for us */
    SPACE,
    LETTER, /* or _ */
    DIGIT,
    MARK, /* a byte of an operator, or punctuation */
    STRING_QUOTE,
    NAME_QUOTE
};

static enum byte_kind kind_of(char byte)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_')
        return LETTER;
    if (byte >= '0' && byte <= '9')
        return DIGIT;
    switch (byte) {
    case ' ':
    case '\t':
    case '\n':
    case '\r':
        return SPACE;
    case '\'':
        return STRING_QUOTE;
    case '"':
        return NAME_QUOTE;
    case '(':
    case ')':
    case '[':
    case ']':
    case ',':
    case '.':
    case ':':
    case ';':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '<':
    case '>':
    case '=':
    case '~':
    case '!':
    case '@':
    case '#':
    case '^':
    case '&':
    case '|':
    case '?':
        return MARK;
    default:
        break;
    }
    return OTHER;
}

struct finder {
    const char *sql;
    size_t len;
    size_t at;
    struct constants *out;
};

static char byte_at(const struct finder *finder, size_t at)
{
    return at < finder->len ? finder->sql[at] : '\0';
}

static bool add(struct finder *finder, size_t start, enum constant_class class)
{
    struct constants *out = finder->out;
    if (out->count == CONSTANTS_MAX)
        return false;
    out->list[out->count++] = (struct constant){
        .at = (uint32_t)start, .len = (uint32_t)(finder->at - start), .class = class};
    return true;
}

/* What may not stand directly behind a number or a word: it would belong to it, or be junk. */
static bool runs_on(char byte)
{
    return kind_of(byte) == LETTER || kind_of(byte) == DIGIT || (unsigned char)byte >= 0x80 ||
           byte == '$';
}

static size_t digits(struct finder *finder)
{
    size_t start = finder->at;
    while (kind_of(byte_at(finder, finder->at)) == DIGIT)
        finder->at++;
    return finder->at - start;
}

static bool number(struct finder *finder)
{
    size_t start = finder->at;
    size_t whole = digits(finder);
    if (byte_at(finder, finder->at) != '.')
        return whole <= 9 && !runs_on(byte_at(finder, finder->at)) &&
               add(finder, start, CONSTANT_INTEGER);
    finder->at++;
    size_t fraction = digits(finder);
    char next = byte_at(finder, finder->at);
    return fraction > 0 && whole + fraction <= 30 && next != '.' && !runs_on(next) &&
           add(finder, start, CONSTANT_NUMERIC);
}

/* A word that a quote follows may be what kind of string it is; `u&'` likewise. */
static bool word(struct finder *finder)
{
    while (kind_of(byte_at(finder, finder->at)) == LETTER ||
           kind_of(byte_at(finder, finder->at)) == DIGIT)
        finder->at++;
    char next = byte_at(finder, finder->at);
    return next != '\'' && next != '"' && next != '&' && !runs_on(next);
}

static bool quoted(struct finder *finder, char quote)
{
    size_t start = finder->at++;
    bool plain = true;
    for (;;) {
        const char *end = memchr(finder->sql + finder->at, quote, finder->len - finder->at);
        if (end == NULL)
            return false;
        finder->at = (size_t)(end - finder->sql) + 1;
        if (byte_at(finder, finder->at) != quote)
            break;
        finder->at++;
    }
    for (size_t i = start; i < finder->at && plain; i++)
        plain = finder->sql[i] != '\\' && finder->sql[i] != '\0';
    if (!plain || !text_is_utf8(finder->sql + start, finder->at - start))
        return false;
    return quote == '"'
               ? byte_at(finder, finder->at) != '\'' && !runs_on(byte_at(finder, finder->at))
               : add(finder, start, CONSTANT_STRING);
}

/* 'a' 'b' on two lines is one string, and an error on one line. */
static bool string(struct finder *finder)
{
    if (!quoted(finder, '\''))
        return false;
    size_t next = finder->at;
    while (kind_of(byte_at(finder, next)) == SPACE)
        next++;
    return byte_at(finder, next) != '\'' && !runs_on(byte_at(finder, finder->at));
}

static bool mark(struct finder *finder)
{
    char byte = finder->sql[finder->at++];
    char next = byte_at(finder, finder->at);
    if ((byte == '-' && next == '-') || (byte == '/' && next == '*'))
        return false;
    /* `.5` is a number, `1..5` two. */
    if (byte == '.' && kind_of(next) == DIGIT)
        return false;
    if (byte != ';')
        return true;
    for (size_t i = finder->at; i < finder->len; i++)
        if (kind_of(finder->sql[i]) != SPACE)
            return false;
    return true;
}

bool constants_find(const char *sql, size_t len, struct constants *out)
{
    struct finder finder = {.sql = sql, .len = len, .out = out};
    bool good = len <= TEXT_MAX;
    out->count = 0;
    while (good && finder.at < len) {
        switch (kind_of(sql[finder.at])) {
        case SPACE:
            finder.at++;
            break;
        case LETTER:
            good = word(&finder);
            break;
        case DIGIT:
            good = number(&finder);
            break;
        case MARK:
            good = mark(&finder);
            break;
        case STRING_QUOTE:
            good = string(&finder);
            break;
        case NAME_QUOTE:
            good = quoted(&finder, '"');
            break;
        case OTHER:
            good = false;
            break;
        }
    }
    return good;
}
