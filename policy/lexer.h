/*
 * lexer.h: PostgreSQL's lexical rules, as far as one must know them to tell code from strings and
 * comments.
 *
 * Works on any bytes; never reads past the NUL. The rules are those of scan.l with
 * standard_conforming_strings = on, which deploy and every server connection set.
 */
#ifndef PGVIGIL_POLICY_LEXER_H
#define PGVIGIL_POLICY_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum lexeme {
    LEXEME_END = 0,
    LEXEME_SPACE,
    LEXEME_COMMENT,  /* -- to the end of the line, or nested slash-star */
    LEXEME_WORD,     /* identifier, key word or number */
    LEXEME_QUOTED,   /* string of any kind, or quoted identifier, closed */
    LEXEME_UNCLOSED, /* string, quoted identifier or comment without an end: reaches to the NUL */
    LEXEME_CAST,     /* :: */
    LEXEME_ASSIGN,   /* := */
    LEXEME_COLON,    /* a colon by itself */
    LEXEME_OTHER     /* one byte of anything else */
};

/* The lexeme that starts at text[*at]; *at moves to its end. */
enum lexeme lexer_next(const char *text, size_t *at);

bool lexer_is_word_start(char byte);
bool lexer_is_word(char byte); /* letters, digits, _, $ and all bytes over 127 */

#endif
