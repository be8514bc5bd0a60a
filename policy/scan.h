/*
 * scan.h: tokens of a statement, and the bound on its depth. Private to policy/.
 */
#ifndef PGVIGIL_SCAN_H
#define PGVIGIL_SCAN_H

#include <pgvigil/arena.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Comments are left out. Only the start is libpg_query's: its ends are wrong for U&"..." */
struct token {
    uint32_t start;
    uint16_t kind; /* PgQuery__Token */
    uint16_t name; /* 1: may stand for a name or keyword */
};

struct token_list {
    const char *sql;
    size_t len;
    struct token *tokens;
    size_t count;
};

/* ERR_LIMIT with *at: runs of operator characters that would keep the scanner busy for minutes. To
 * be asked before anything else looks at the text. */
NODISCARD enum status scan_runs(const char *sql, size_t len, size_t *at);
/* ERR_SYNTAX: the scanner refuses the text (the parser will say why). ERR_MEMORY. */
NODISCARD enum status scan_tokens(const char *sql, size_t len, struct arena *arena,
                                  struct token_list *out);
/*
 * An upper bound of the syntax tree's depth, from the tokens alone. ERR_LIMIT with *at, the byte
 * where it is passed.
 */
NODISCARD enum status scan_depth(const struct token_list *list, unsigned limit, size_t *at);

/* Index of the first token that starts at or behind that byte; list->count: none. */
size_t scan_from(const struct token_list *list, size_t at);
/* Index of the token that starts at that byte, or SIZE_MAX. */
size_t scan_find(const struct token_list *list, size_t at);
/* One past the last byte of a name (quoted, U&, UESCAPE, key word or plain) that starts at token
 * `index`; *next is the token behind it. 0 when the token is no name. */
size_t scan_name_end(const struct token_list *list, size_t index, size_t *next);
/* The same for `parts` names with dots between them; a star may stand for the last. */
size_t scan_dotted_end(const struct token_list *list, size_t index, size_t parts, size_t *next);

#endif
