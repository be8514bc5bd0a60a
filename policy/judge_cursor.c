/*
 * judge_cursor.c: DECLARE, FETCH, MOVE, CLOSE.
 *
 * The query of a DECLARE is judged and rewritten like any other. What FETCH reads is not in its
 * text: the proxy knows what the name was declared for, records it, and refuses names that the
 * session did not declare (proxy/use.c).
 */
#include "judge_private.h"

#include <string.h>

/* PostgreSQL's CURSOR_OPT_*. */
#define OPTION_HOLD 0x0020
#define OPTIONS_KNOW                                                                               \
    0x013f /* BINARY, SCROLL, NO SCROLL, (A|IN)SENSITIVE, HOLD, and the parser's own */

/* A refused statement is made to fail upstream by executing a portal that nobody has. */
static enum status check_name(struct judge *judge, const char *name)
{
    static const char reserved[] = "pgvigil ";
    if (strncmp(name, reserved, strlen(reserved)) != 0)
        return OK;
    return judge_refuse(judge, DENIED, "42602", "statement", name, SIZE_MAX,
                        judge_format(judge, "cursor \"%s\" is a reserved name", name));
}

/* FOR cannot be a name unless it is quoted: the first one is the word before the query. */
static enum status query_start(struct judge *judge, size_t start, size_t *query)
{
    const struct token_list *list = &judge->tokens;
    size_t at = scan_from(list, start);
    while (at < list->count && list->tokens[at].kind != PG_QUERY__TOKEN__FOR)
        at++;
    if (at + 1 >= list->count)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "DECLARE", SIZE_MAX,
                            "the query of DECLARE was not found in the text");
    *query = list->tokens[at + 1].start;
    return OK;
}

enum status judge_declare(struct judge *judge, PgQuery__DeclareCursorStmt *declare,
                          struct verdict_statement *out)
{
    size_t query = 0;
    out->kind = STATEMENT_DECLARE;
    out->tag = "DECLARE CURSOR";
    out->target = arena_strdup(judge->arena, declare->portalname);
    out->hold = (declare->options & OPTION_HOLD) != 0;
    if (out->target == NULL)
        return judge_no_memory(judge);
    if ((declare->options & ~OPTIONS_KNOW) != 0)
        return judge_unsupported(judge, "statement", "this form of DECLARE CURSOR", NULL);
    enum status status = check_name(judge, declare->portalname);
    if (status == OK)
        status = query_start(judge, out->start, &query);
    return status == OK ? judge_held(judge, declare->query, query, out) : status;
}

enum status judge_fetch(struct judge *judge, const PgQuery__FetchStmt *fetch,
                        struct verdict_statement *out)
{
    out->kind = STATEMENT_FETCH;
    out->tag = fetch->ismove ? "MOVE" : "FETCH";
    out->target = arena_strdup(judge->arena, fetch->portalname);
    return out->target == NULL ? judge_no_memory(judge) : OK;
}

enum status judge_close(struct judge *judge, const PgQuery__ClosePortalStmt *close,
                        struct verdict_statement *out)
{
    bool all = close->portalname[0] == '\0'; /* no name can be empty */
    out->kind = STATEMENT_CLOSE;
    out->tag = all ? "CLOSE CURSOR ALL" : "CLOSE CURSOR";
    out->target = all ? NULL : arena_strdup(judge->arena, close->portalname);
    return out->target == NULL && !all ? judge_no_memory(judge) : OK;
}
