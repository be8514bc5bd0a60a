/*
 * unjudged.c: a pgvigil whose own judgement is switched off, for tests of the second wall only.
 *
 * Linked with --wrap=judge into pgvigil-unjudged, which is built beside the tests and never
 * installed: whatever a restricted session sends goes to PostgreSQL as it is, on a real server
 * connection with the session's role and identity in force. What PostgreSQL then refuses, it
 * refuses by itself (design, promise 3). Everything else of the product (authentication, pooling,
 * scrubbing, audit) is the real thing.
 */
#include <pgvigil/guard.h>
#include <pgvigil/judge.h>
#include <string.h>

/* The names are the linker's. NOLINTBEGIN(readability-identifier-naming) */

enum status __real_judge(const struct judge_request *request, struct arena *arena,
                         struct verdict **verdict);
enum status __wrap_judge(const struct judge_request *request, struct arena *arena,
                         struct verdict **verdict);

/* pgvigil's own SET and SHOW still work, so that sessions can choose their mission. */
static bool speaks_to_pgvigil(const char *sql)
{
    return strncmp(sql, "SET pgvigil.", 12) == 0 || strncmp(sql, "SHOW pgvigil.", 13) == 0;
}

enum status __wrap_judge(const struct judge_request *request, struct arena *arena,
                         struct verdict **verdict)
{
    if (request->policy->roles[request->role].unrestricted || speaks_to_pgvigil(request->sql)) {
        return __real_judge(request, arena, verdict);
    }
    struct verdict *passed = arena_zalloc(arena, 1, sizeof(*passed));
    struct verdict_statement *statement = arena_zalloc(arena, 1, sizeof(*statement));
    char *sql = arena_strndup(arena, request->sql, request->len);
    *verdict = NULL;
    if (passed == NULL || statement == NULL || sql == NULL) {
        return ERR_MEMORY;
    }
    statement->kind = STATEMENT_SELECT;
    statement->tag = "SELECT";
    statement->len = request->len;
    statement->normalized = "unjudged";
    passed->allowed = true;
    passed->statements = statement;
    passed->statement_count = 1;
    passed->sql = sql;
    passed->sql_len = request->len;
    passed->pair = guard_pair_name(request->policy, request->role, request->mission, arena);
    *verdict = passed;
    return passed->pair == NULL ? ERR_MEMORY : OK;
}
/* NOLINTEND(readability-identifier-naming) */
