/*
 * judge_two_phase.c: PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED.
 *
 * Names of prepared transactions are the whole server's. PostgreSQL lets the role finish one that
 * prepared it, and that role is the pair's, which many people share: so the name that is sent
 * begins with a hash of person, role and mission, and nobody can name another's, or learn that it
 * exists. A prepared transaction is finished by the same person in the same role and mission.
 */
#include "judge_private.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <string.h>

/* PostgreSQL's GIDSIZE, with the byte that ends it. */
#define GID_SIZE  200
#define HASH_USED 16

static const char *prefix(struct judge *judge)
{
    const struct policy_user *user = judge->request->user;
    struct buf text;
    char hash[33];
    buf_init(&text, 0);
    buf_cstr(&text, user == NULL ? "" : user->name);
    buf_cstr(&text, judge->role);
    buf_cstr(&text, judge->mission);
    bool failed = text.failed;
    text_hash128(buf_head(&text), buf_len(&text), hash);
    buf_free(&text);
    return failed ? NULL : judge_format(judge, "pgv/%.*s/", HASH_USED, hash);
}

/* One that would become too long is known by its hash; one that is too long stays so. */
static const char *server_gid(struct judge *judge, const char *gid)
{
    const char *head = prefix(judge);
    size_t len = strlen(gid);
    char hash[33];
    if (head == NULL)
        return NULL;
    if (len >= GID_SIZE || strlen(head) + len < GID_SIZE)
        return judge_format(judge, "%s%s", head, gid);
    text_hash128(gid, len, hash);
    return judge_format(judge, "%s#%s", head, hash);
}

/* The name is the last thing in the statement, in any of the forms that a string has. */
static enum status rename_transaction(struct judge *judge, PgQuery__TransactionStmt *statement,
                                      const struct verdict_statement *out)
{
    const struct token_list *list = &judge->tokens;
    size_t word = scan_from(list, out->start);
    size_t end = out->start + out->len;
    const char *gid = server_gid(judge, statement->gid);
    const char *quoted = gid == NULL ? NULL : text_literal(judge->arena, gid);
    if (quoted == NULL)
        return judge_no_memory(judge);
    if (word + 2 >= list->count || list->tokens[word + 2].start >= end)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "transaction", SIZE_MAX,
                            "the name of the transaction was not found in the text");
    statement->gid = arena_strdup(judge->arena, gid);
    if (statement->gid == NULL)
        return judge_no_memory(judge);
    size_t at = list->tokens[word + 2].start;
    return rewrite_edit(judge, at, end - at, quoted);
}

enum status judge_two_phase(struct judge *judge, PgQuery__TransactionStmt *statement,
                            struct verdict_statement *out)
{
    bool prepares = statement->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE;
    bool finishes =
        statement->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT_PREPARED ||
        statement->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_PREPARED;
    if (!prepares && !finishes)
        return judge_unsupported(judge, "statement", out->tag, NULL);
    enum status status = judge_allows(judge, ALLOW_PREPARED_TRANSACTIONS, out->tag);
    if (status != OK)
        return status;
    out->kind = prepares ? STATEMENT_PREPARE_TRANSACTION : STATEMENT_UTILITY;
    out->writes = true;
    out->target = arena_strdup(judge->arena, statement->gid);
    return out->target == NULL ? judge_no_memory(judge) : rename_transaction(judge, statement, out);
}
