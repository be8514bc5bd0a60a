/*
 * verify.c: what runs is what was judged (promise 5).
 *
 * The text that would be sent is parsed again; its tree must equal the judged one, which took the
 * same changes as the text, in everything but locations. Quoting that went wrong, an edit in the
 * wrong place, a comment that swallows what follows: all of them end here, as ERR_INTERNAL.
 */
#include "judge_private.h"

/* Statements of these kinds hold no expression and no relation: nothing in their trees is ever
 * changed. */
static bool holds_query(const struct verdict_statement *statement)
{
    static const enum statement_kind without[] = {
        STATEMENT_EMPTY,   STATEMENT_BEGIN,       STATEMENT_COMMIT,  STATEMENT_ROLLBACK,
        STATEMENT_RELEASE, STATEMENT_ROLLBACK_TO, STATEMENT_DISCARD, STATEMENT_SAVEPOINT,
        STATEMENT_SET,     STATEMENT_DEALLOCATE,  STATEMENT_RESET,   STATEMENT_SHOW};
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        if (statement->kind == without[i])
            return false;
    }
    return true;
}

/* Could the tree have been changed? A query without an edit is parsed again too: its tree may have
 * taken a change that its text has not. */
static bool may_differ(const struct judge *judge)
{
    const struct verdict *verdict = judge->verdict;
    if (judge->edit_count > 0)
        return true;
    for (size_t i = 0; i < verdict->statement_count; i++) {
        if (!verdict->unrestricted && holds_query(&verdict->statements[i]))
            return true;
    }
    return false;
}

enum status verify(struct judge *judge, PgQuery__ParseResult *judged)
{
    if (!may_differ(judge))
        return OK; /* the very bytes that were parsed */
    PgQuery__ParseResult *again = NULL;
    const char *message = NULL;
    size_t position = 0;
    enum status status = tree_parse(judge->verdict->sql, judge->arena, &again, &message, &position);
    if (status == ERR_MEMORY)
        return judge_no_memory(judge);
    if (status == OK && tree_equal(&judged->base, &again->base))
        return OK;
    judge->verdict->sql = NULL;
    judge->verdict->sql_len = 0;
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "verification", SIZE_MAX,
                        "the rewritten statement does not read as it was judged; it was not sent");
}
