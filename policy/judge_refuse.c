/*
 * judge_refuse.c: the one place where a statement is refused.
 *
 * Texts name the object, the role and the mission (promise 4), never a value: messages go to logs
 * and to the audit.
 */
#include "judge_private.h"

#include <stdarg.h>

size_t judge_position(const char *sql, size_t at)
{
    size_t position = 1;
    for (size_t i = 0; i < at && sql[i] != '\0'; i++)
        position += ((unsigned char)sql[i + 1] & 0xc0) != 0x80;
    return position;
}

const char *judge_format(struct judge *judge, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(judge->arena, format, args);
    va_end(args);
    return text;
}

enum status judge_no_memory(struct judge *judge)
{
    judge->verdict->refusal = (struct verdict_refusal){
        .sqlstate = "53200",
        .message = "the statement needs more memory than a session may use",
        .reason = "memory",
        .object = "memory",
    };
    return ERR_MEMORY;
}

enum status judge_refuse(struct judge *judge, enum status status, const char *sqlstate,
                         const char *reason, const char *object, size_t at, const char *message)
{
    if (message == NULL)
        return judge_no_memory(judge);
    judge->verdict->refusal = (struct verdict_refusal){
        .sqlstate = sqlstate,
        .message = message,
        .reason = reason,
        .object = object == NULL ? reason : object,
        .position = at == SIZE_MAX ? 0 : judge_position(judge->request->sql, at),
    };
    return status;
}

enum status judge_work(struct judge *judge, size_t steps)
{
    judge->work += steps;
    if (judge->work <= JUDGE_MAX_WORK)
        return OK;
    return judge_refuse(judge, ERR_LIMIT, "54001", "work", "work", SIZE_MAX,
                        "the statement names too many columns of too many relations");
}

void judge_hint(struct judge *judge, const char *hint)
{
    judge->verdict->refusal.hint = hint;
}

enum status judge_deny(struct judge *judge, const char *reason, const char *object, size_t at,
                       const char *what)
{
    if (what == NULL)
        return judge_no_memory(judge);
    return judge_refuse(judge, DENIED, "42501", reason, object, at,
                        judge_format(judge, "%s for role \"%s\" in mission \"%s\"", what,
                                     judge->role, judge->mission));
}

enum status judge_unsupported(struct judge *judge, const char *reason, const char *what,
                              const char *hint)
{
    enum status status =
        judge_refuse(judge, DENIED, "0A000", reason, what, SIZE_MAX,
                     judge_format(judge, "%s is not supported for role \"%s\" in mission \"%s\"",
                                  what, judge->role, judge->mission));
    if (status == DENIED)
        judge_hint(judge, hint);
    return status;
}
