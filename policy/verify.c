/*
 * verify.c: what runs is what was judged (promise 5).
 *
 * The text that would be sent is parsed again; its tree must equal the judged one, which took the
 * same changes as the text, in everything but locations. Quoting that went wrong, an edit in the
 * wrong place, a comment that swallows what follows: all of them end here, as ERR_INTERNAL.
 */
#include "judge_private.h"

enum status verify(struct judge *judge, PgQuery__ParseResult *judged)
{
    if (judge->edit_count == 0)
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
