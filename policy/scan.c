/*
 * scan.c: tokens of a statement, and the bound on its depth.
 *
 * The attack: libpg_query's serialiser, protobuf-c's unpacking and our walkers recurse on the tree;
 * `1+1+...`, as many UNIONs, casts or JOINs, a few dozen kilobytes of text, overflow an 8 MiB stack
 * and would take the proxy with them. The scanner itself does not recurse (flex), nor does the
 * parser (bison, on the heap), so the tree's depth is bounded here, from the tokens, before
 * anything recursive runs. What is flat in the tree (AND, OR, lists of any kind) is not counted.
 */
#include "scan.h"

#include <pg_query.h>
#include <pg_query.pb-c.h>
#include <stdlib.h>
#include <string.h>

/* Steps of the scanner that all runs together may cost. A run of 5,000 is still fine. */
#define RUN_BUDGET 25000000u

/*
 * The attack: for each operator, and for each slash-star inside a comment, the scanner reads the
 * whole run of operator characters that follows and puts back all but one or two. Half a megabyte
 * of them holds a thread for minutes, and nobody else on it is served. Strings are not told apart:
 * they may hold shorter runs as well.
 */
enum status scan_runs(const char *sql, size_t len, size_t *at)
{
    size_t cost = 0;
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        if (sql[i] == '\0' || strchr("~!@#^&|`?+-*/%<>=", sql[i]) == NULL) {
            run = 0;
            continue;
        }
        cost += 2 * run++; /* the sum of the squares */
        if (cost > RUN_BUDGET) {
            *at = i;
            return ERR_LIMIT;
        }
    }
    return OK;
}

/* One varint; false at the end of the bytes. */
static bool varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

static bool keyword(uint64_t kind)
{
    return kind >= PG_QUERY__TOKEN__ABORT_P && kind <= PG_QUERY__TOKEN__ZONE;
}

/* A ScanToken message. Unpacking it with protobuf-c would take over 50 bytes and an allocation a
 * token. */
static bool token_read(const uint8_t *at, const uint8_t *end, struct token *token)
{
    uint64_t start = 0;
    uint64_t kind = 0;
    while (at < end) {
        uint64_t tag = 0;
        uint64_t value = 0;
        if (!varint(&at, end, &tag) || (tag & 7) != 0 || !varint(&at, end, &value))
            return false;
        if (tag >> 3 == 1)
            start = value;
        else if (tag >> 3 == 4)
            kind = value;
    }
    token->start = (uint32_t)start;
    token->kind = (uint16_t)kind;
    token->name =
        kind == PG_QUERY__TOKEN__IDENT || kind == PG_QUERY__TOKEN__UIDENT || keyword(kind);
    return start <= UINT32_MAX && kind <= UINT16_MAX;
}

static enum status tokens_read(const uint8_t *at, const uint8_t *end, struct arena *arena,
                               struct token_list *out)
{
    size_t cap = 0;
    while (at < end) {
        uint64_t tag = 0;
        uint64_t value = 0;
        if (!varint(&at, end, &tag) || !varint(&at, end, &value))
            return ERR_INTERNAL;
        if ((tag & 7) == 0)
            continue;
        struct token token;
        if ((tag & 7) != 2 || value > (uint64_t)(end - at) || !token_read(at, at + value, &token))
            return ERR_INTERNAL;
        at += value;
        if (token.kind == PG_QUERY__TOKEN__SQL_COMMENT || token.kind == PG_QUERY__TOKEN__C_COMMENT)
            continue;
        if (token.start >= out->len ||
            (out->count > 0 && token.start <= out->tokens[out->count - 1].start))
            return ERR_INTERNAL;
        struct token *tokens = arena_grow(arena, out->tokens, out->count, &cap, sizeof(token));
        if (tokens == NULL)
            return ERR_MEMORY;
        out->tokens = tokens;
        out->tokens[out->count++] = token;
    }
    return OK;
}

enum status scan_tokens(const char *sql, size_t len, struct arena *arena, struct token_list *out)
{
    *out = (struct token_list){.sql = sql, .len = len};
    PgQueryScanResult result = pg_query_scan(sql);
    enum status status = ERR_SYNTAX;
    if (result.error == NULL) {
        const uint8_t *bytes = (const uint8_t *)result.pbuf.data;
        status = tokens_read(bytes, bytes + result.pbuf.len, arena, out);
    }
    pg_query_free_scan_result(result);
    return status;
}

/* One pair of parentheses, brackets or CASE ... END. */
struct nest {
    unsigned base;      /* depth of what is round it */
    unsigned operators; /* in the element that is being read */
    unsigned joins;     /* in this FROM */
    unsigned unions;
    unsigned betweens; /* whose AND is still to come */
    bool is_case;
};

enum effect {
    EFFECT_NONE = 0,
    EFFECT_OPEN,
    EFFECT_CLOSE,
    EFFECT_CASE,
    EFFECT_END,
    EFFECT_OPERATOR,
    EFFECT_BETWEEN,
    EFFECT_AND,
    EFFECT_ELEMENT, /* a new list element, OR operand, CASE branch */
    EFFECT_JOIN,
    EFFECT_UNION,
    EFFECT_STATEMENT
};

static enum effect effect_of(uint16_t kind)
{
    switch (kind) {
    case PG_QUERY__TOKEN__ASCII_40:
    case PG_QUERY__TOKEN__ASCII_91:
        return EFFECT_OPEN;
    case PG_QUERY__TOKEN__ASCII_41:
    case PG_QUERY__TOKEN__ASCII_93:
        return EFFECT_CLOSE;
    case PG_QUERY__TOKEN__CASE:
        return EFFECT_CASE;
    case PG_QUERY__TOKEN__END_P:
        return EFFECT_END;
    case PG_QUERY__TOKEN__AND:
        return EFFECT_AND;
    case PG_QUERY__TOKEN__BETWEEN:
        return EFFECT_BETWEEN;
    case PG_QUERY__TOKEN__ASCII_44:
    case PG_QUERY__TOKEN__OR:
    case PG_QUERY__TOKEN__WHEN:
    case PG_QUERY__TOKEN__THEN:
    case PG_QUERY__TOKEN__ELSE:
        return EFFECT_ELEMENT;
    case PG_QUERY__TOKEN__JOIN:
        return EFFECT_JOIN;
    case PG_QUERY__TOKEN__UNION:
    case PG_QUERY__TOKEN__INTERSECT:
    case PG_QUERY__TOKEN__EXCEPT:
        return EFFECT_UNION;
    case PG_QUERY__TOKEN__ASCII_59:
        return EFFECT_STATEMENT;
    case PG_QUERY__TOKEN__ASCII_37:
    case PG_QUERY__TOKEN__ASCII_42:
    case PG_QUERY__TOKEN__ASCII_43:
    case PG_QUERY__TOKEN__ASCII_45:
    case PG_QUERY__TOKEN__ASCII_47:
    case PG_QUERY__TOKEN__ASCII_60:
    case PG_QUERY__TOKEN__ASCII_61:
    case PG_QUERY__TOKEN__ASCII_62:
    case PG_QUERY__TOKEN__ASCII_63:
    case PG_QUERY__TOKEN__ASCII_94:
    case PG_QUERY__TOKEN__Op:
    case PG_QUERY__TOKEN__TYPECAST:
    case PG_QUERY__TOKEN__LESS_EQUALS:
    case PG_QUERY__TOKEN__GREATER_EQUALS:
    case PG_QUERY__TOKEN__NOT_EQUALS:
    case PG_QUERY__TOKEN__COLLATE:
    case PG_QUERY__TOKEN__AT:
    case PG_QUERY__TOKEN__IS:
    case PG_QUERY__TOKEN__ISNULL:
    case PG_QUERY__TOKEN__NOTNULL:
    case PG_QUERY__TOKEN__LIKE:
    case PG_QUERY__TOKEN__ILIKE:
    case PG_QUERY__TOKEN__SIMILAR:
    case PG_QUERY__TOKEN__IN_P:
    case PG_QUERY__TOKEN__NOT:
    case PG_QUERY__TOKEN__OVERLAPS:
    case PG_QUERY__TOKEN__OPERATOR:
        return EFFECT_OPERATOR;
    default: /* nothing that nests: names, constants, the other key words */
        return EFFECT_NONE;
    }
}

static unsigned nest_depth(const struct nest *nest)
{
    return nest->base + 1 + nest->operators + nest->joins + nest->unions;
}

/* Everything but opening and closing. */
static void nest_apply(struct nest *nest, enum effect effect)
{
    if (effect == EFFECT_OPERATOR || effect == EFFECT_BETWEEN) {
        nest->operators++;
        nest->betweens += effect == EFFECT_BETWEEN;
    } else if (effect == EFFECT_AND && nest->betweens > 0) {
        nest->betweens--; /* `a BETWEEN 1 AND 2 IS TRUE BETWEEN ...` is a chain: not a new operand
                           */
    } else if (effect == EFFECT_AND || effect == EFFECT_ELEMENT) {
        nest->operators = 0;
    } else if (effect == EFFECT_JOIN) {
        nest->joins++;
        nest->operators = 0;
    } else if (effect == EFFECT_UNION) {
        nest->unions++;
        nest->joins = 0;
        nest->operators = 0;
    } else if (effect == EFFECT_STATEMENT) {
        *nest = (struct nest){.base = nest->base, .is_case = nest->is_case};
    }
}

/*
 * END closes a CASE only where one is innermost: as a label (`(SELECT a end`) it must not close
 * parentheses. A parenthesis closes what CASE words, being labels too, opened inside it.
 */
static size_t nest_close(const struct nest *stack, size_t top, bool end)
{
    if (end)
        return stack[top].is_case ? top - 1 : top;
    while (top > 0 && stack[top].is_case)
        top--;
    return top > 0 ? top - 1 : 0;
}

static enum effect effect_at(const struct token_list *list, size_t index)
{
    enum effect effect = effect_of(list->tokens[index].kind);
    bool attribute = index > 0 && list->tokens[index - 1].kind == PG_QUERY__TOKEN__ASCII_46;
    /* t.case and t.end are columns. */
    return attribute && (effect == EFFECT_CASE || effect == EFFECT_END) ? EFFECT_NONE : effect;
}

enum status scan_depth(const struct token_list *list, unsigned limit, size_t *at)
{
    struct nest *stack = calloc((size_t)limit + 2, sizeof(*stack));
    if (stack == NULL)
        return ERR_MEMORY;
    size_t top = 0;
    enum status status = OK;
    for (size_t i = 0; i < list->count && status == OK; i++) {
        enum effect effect = effect_at(list, i);
        if (effect == EFFECT_NONE)
            continue;
        if (effect == EFFECT_OPEN || effect == EFFECT_CASE) {
            stack[top + 1] =
                (struct nest){.base = nest_depth(&stack[top]), .is_case = effect == EFFECT_CASE};
            top++;
        } else if (effect == EFFECT_CLOSE || effect == EFFECT_END) {
            top = nest_close(stack, top, effect == EFFECT_END);
        } else {
            nest_apply(&stack[top], effect);
        }
        if (nest_depth(&stack[top]) > limit) {
            *at = list->tokens[i].start;
            status = ERR_LIMIT;
        }
    }
    free(stack);
    return status;
}

size_t scan_from(const struct token_list *list, size_t at)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->tokens[middle].start < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t scan_find(const struct token_list *list, size_t at)
{
    size_t index = scan_from(list, at);
    return index < list->count && list->tokens[index].start == at ? index : SIZE_MAX;
}

/* One past the quote that closes the one at sql[at]; a doubled quote stands for itself. */
static size_t quote_end(const struct token_list *list, size_t at)
{
    char quote = list->sql[at];
    for (size_t i = at + 1; i < list->len; i++) {
        if (list->sql[i] != quote)
            continue;
        if (list->sql[i + 1] != quote)
            return i + 1;
        i++;
    }
    return 0;
}

static bool word_byte(char byte)
{
    unsigned char c = (unsigned char)byte;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c >= 0x80;
}

size_t scan_name_end(const struct token_list *list, size_t index, size_t *next)
{
    if (index >= list->count || !list->tokens[index].name)
        return 0;
    const struct token *token = &list->tokens[index];
    *next = index + 1;
    if (token->kind == PG_QUERY__TOKEN__UIDENT) {
        size_t end = quote_end(list, token->start + 2);
        bool escape = index + 2 < list->count &&
                      list->tokens[index + 1].kind == PG_QUERY__TOKEN__UESCAPE &&
                      list->tokens[index + 2].kind == PG_QUERY__TOKEN__SCONST;
        if (end == 0 || !escape)
            return end;
        /* Only '...' of one character may stand there; anything else is left to the parser to
         * refuse. */
        *next = index + 3;
        return list->sql[list->tokens[index + 2].start] == '\''
                   ? quote_end(list, list->tokens[index + 2].start)
                   : 0;
    }
    if (list->sql[token->start] == '"')
        return quote_end(list, token->start);
    size_t end = token->start;
    while (end < list->len && word_byte(list->sql[end]))
        end++;
    return end;
}

size_t scan_dotted_end(const struct token_list *list, size_t index, size_t parts, size_t *next)
{
    size_t end = 0;
    for (size_t i = 0; i < parts; i++) {
        if (i > 0) {
            if (index >= list->count || list->tokens[index].kind != PG_QUERY__TOKEN__ASCII_46)
                return 0;
            index++;
        }
        if (i + 1 == parts && i > 0 && index < list->count &&
            list->tokens[index].kind == PG_QUERY__TOKEN__ASCII_42) {
            *next = index + 1;
            return list->tokens[index].start + 1;
        }
        end = scan_name_end(list, index, next);
        if (end == 0)
            return 0;
        index = *next;
    }
    return end;
}
