/*
 * constants.h: the constants of a text, found without parsing it.
 *
 * A client of the simple protocol sends the same statement with ever other values; judged once, it
 * need not be judged again when only constants differ in which nothing depends on their value. This
 * finds them by a subset of PostgreSQL's lexical rules (PostgreSQL documentation, 4.1 Lexical
 * Structure; standard_conforming_strings is on): plain numbers and plain strings. Whatever else is
 * in the text makes it one that has to be judged: comments, E'' and its kin, dollar quotes,
 * backslashes, parameters, long numbers, more than one statement.
 *
 * Two texts that are alike but for constants of the same class at the same places are the same
 * sequence of tokens to PostgreSQL's grammar (ICONST, FCONST, SCONST), so their trees have the same
 * shape, and differ in those values alone.
 */
#ifndef PGVIGIL_CONSTANTS_H
#define PGVIGIL_CONSTANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSTANTS_MAX 256

enum constant_class {
    CONSTANT_INTEGER = 'i', /* up to nine digits: fits int4 */
    CONSTANT_NUMERIC = 'n', /* digits, a dot, digits */
    CONSTANT_STRING = 's'   /* '...', with quotes doubled in it */
};

struct constant {
    uint32_t at; /* byte offset */
    uint32_t len;
    enum constant_class class;
};

struct constants {
    struct constant list[CONSTANTS_MAX];
    size_t count;
};

/* False: the text must be judged as it is. Strings are valid UTF-8 where it is true. */
bool constants_find(const char *sql, size_t len, struct constants *out);

#endif
