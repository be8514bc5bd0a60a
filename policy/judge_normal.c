/*
 * judge_normal.c: constants out of what goes on record.
 *
 * libpg_query's normaliser replaces the constants of queries. What the grammar of other statements
 * keeps as a bare string it leaves in place: the arguments of EXECUTE, the text inside PREPARE, an
 * option of COPY, the text of a COMMENT. Each may be a value of a row, so they are found by their
 * tokens and replaced as well.
 */
#include "judge_private.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

static bool is_string(uint16_t kind)
{
    return kind == PG_QUERY__TOKEN__SCONST || kind == PG_QUERY__TOKEN__USCONST ||
           kind == PG_QUERY__TOKEN__BCONST || kind == PG_QUERY__TOKEN__XCONST;
}

static bool is_number(uint16_t kind)
{
    return kind == PG_QUERY__TOKEN__ICONST || kind == PG_QUERY__TOKEN__FCONST;
}

/* The highest $n that is there already. */
static unsigned long highest(const struct token_list *list)
{
    unsigned long most = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->tokens[i].kind != PG_QUERY__TOKEN__PARAM)
            continue;
        unsigned long number = strtoul(list->sql + list->tokens[i].start + 1, NULL, 10);
        most = number > most ? number : most;
    }
    return most;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r' || byte == '\f';
}

/* Everything from a constant's start to the next token's is the constant, and comments. */
static void put_masked(struct buf *out, const struct token_list *list, bool numbers)
{
    unsigned long number = highest(list);
    buf_append(out, list->sql, list->count == 0 ? list->len : list->tokens[0].start);
    for (size_t i = 0; i < list->count; i++) {
        size_t start = list->tokens[i].start;
        size_t end = i + 1 < list->count ? list->tokens[i + 1].start : list->len;
        uint16_t kind = list->tokens[i].kind;
        if (!is_string(kind) && !(numbers && is_number(kind))) {
            buf_append(out, list->sql + start, end - start);
            continue;
        }
        buf_printf(out, "$%lu", ++number);
        if (is_space(list->sql[end - 1]))
            buf_byte(out, ' ');
    }
}

/* EXPLAIN and CREATE TABLE AS have it inside. */
static bool executes(const PgQuery__Node *node)
{
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_EXECUTE_STMT:
    case PG_QUERY__NODE__NODE_PREPARE_STMT:
        return true;
    case PG_QUERY__NODE__NODE_EXPLAIN_STMT:
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
        return tree_holds(&node->base, &pg_query__execute_stmt__descriptor);
    default:
        return false;
    }
}

const char *judge_mask_constants(struct judge *judge, const char *sql, const PgQuery__Node *node)
{
    switch ((int)(node == NULL ? 0 : node->node_case)) {
    case 0:
    case PG_QUERY__NODE__NODE_SELECT_STMT:
    case PG_QUERY__NODE__NODE_INSERT_STMT:
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
    case PG_QUERY__NODE__NODE_DELETE_STMT:
    case PG_QUERY__NODE__NODE_MERGE_STMT:
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
        return sql; /* queries: done */
    default:
        break;
    }
    bool numbers = executes(node);
    if (!numbers && strpbrk(sql, "'$") == NULL)
        return sql;
    struct token_list list;
    if (scan_tokens(sql, strlen(sql), judge->arena, &list) != OK)
        return "...";
    struct buf out;
    buf_init(&out, 0);
    put_masked(&out, &list, numbers);
    return text_take(&out, judge->arena);
}
