/*
 * grammar.h: libconfig's grammar, checked before libconfig sees the text.
 *
 * libconfig stops at its first error and says "syntax error"; on some it also leaks. Here the
 * words, strings and marks of a document go through a small automaton that says what is missing,
 * goes on after a forgotten or superfluous comma, and gives up the document's structure (`lost`)
 * after anything worse.
 */
#ifndef PGVIGIL_POLICY_GRAMMAR_H
#define PGVIGIL_POLICY_GRAMMAR_H

#include "load.h"

#define GRAMMAR_DEPTH 64

enum grammar_expect {
    EXPECT_NAME = 0, /* of a setting, or the end of its group */
    EXPECT_ASSIGN,   /* = or : */
    EXPECT_VALUE,
    EXPECT_END,  /* behind a value: , or ; or a closing bracket, or the next name */
    EXPECT_FIRST /* the first value of a list or array, or its end */
};

enum grammar_scalar {
    SCALAR_NONE = 0,
    SCALAR_STRING,
    SCALAR_BOOL,
    SCALAR_INT,
    SCALAR_INT64,
    SCALAR_FLOAT
};

struct grammar_bracket {
    char open;
    enum grammar_scalar type; /* of an array's elements */
    struct policy_place place;
};

struct grammar {
    struct loader *loader;
    struct grammar_bracket stack[GRAMMAR_DEPTH];
    size_t depth;
    enum grammar_expect expect;
    bool after_string; /* the value that ended is a string: another one would be joined to it */
    struct policy_place value_place;
    struct pile scalars; /* struct policy_place: every scalar value, in the order of the text */
    bool broken;         /* something was reported: libconfig is not asked */
    bool lost;           /* the structure is unknown from here on */
};

void grammar_report(struct grammar *grammar, struct policy_place place, const char *message);
void grammar_word(struct grammar *grammar, struct policy_place place, const char *text, size_t len);
void grammar_string(struct grammar *grammar, struct policy_place place);
void grammar_mark(struct grammar *grammar, struct policy_place place, char mark);
void grammar_finish(struct grammar *grammar, struct policy_place place);
/* Between settings at the top level: an included file stands by itself there. */
bool grammar_is_top(const struct grammar *grammar);

#endif
