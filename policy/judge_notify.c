/*
 * judge_notify.c: LISTEN, UNLISTEN, NOTIFY and pg_notify().
 *
 * A channel is a way from one session to others, whatever their roles and missions, and a trigger
 * may send there what it sees: the policy lists the channels of each role. What is heard is asked
 * once more when it comes (proxy/notification.c).
 */
#include "judge_private.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <string.h>

static enum status channel_open(struct judge *judge, const char *channel, size_t at)
{
    const struct judge_request *request = judge->request;
    if (policy_channel_open(request->policy, request->role, channel))
        return OK;
    enum status status = judge_deny(judge, "channel", channel, at,
                                    judge_format(judge, "channel \"%s\" is not open", channel));
    const struct policy_place *place = &request->policy->roles[request->role].place;
    judge_hint(judge, judge_format(judge, "The role's `channels` stand in the policy at %s:%u.",
                                   judge_file_name(place->file), place->line));
    return status;
}

enum status judge_listen(struct judge *judge, const PgQuery__ListenStmt *listen,
                         struct verdict_statement *out)
{
    out->kind = STATEMENT_LISTEN;
    out->writes = true; /* recorded before anything can be heard */
    out->target = arena_strdup(judge->arena, listen->conditionname);
    if (out->target == NULL)
        return judge_no_memory(judge);
    enum status status = judge_allows(judge, ALLOW_LISTEN, "LISTEN");
    return status == OK ? channel_open(judge, out->target, SIZE_MAX) : status;
}

enum status judge_unlisten(struct judge *judge, const PgQuery__UnlistenStmt *unlisten,
                           struct verdict_statement *out)
{
    bool all = unlisten->conditionname[0] == '\0'; /* no name can be empty */
    out->kind = STATEMENT_UNLISTEN;
    out->target = all ? NULL : arena_strdup(judge->arena, unlisten->conditionname);
    if (out->target == NULL && !all)
        return judge_no_memory(judge);
    return judge_allows(judge, ALLOW_LISTEN, "UNLISTEN");
}

enum status judge_notify(struct judge *judge, const PgQuery__NotifyStmt *notify,
                         struct verdict_statement *out)
{
    out->kind = STATEMENT_UTILITY;
    out->writes = true;
    enum status status = judge_allows(judge, ALLOW_NOTIFY, "NOTIFY");
    return status == OK ? channel_open(judge, notify->conditionname, SIZE_MAX) : status;
}

/* ---- pg_notify() ---- */

/* The role's channels as a regular expression of PostgreSQL's. */
static const char *channels_regexp(struct judge *judge)
{
    const struct judge_request *request = judge->request;
    const struct policy_role *role = &request->policy->roles[request->role];
    struct buf out;
    buf_init(&out, 0);
    buf_str(&out, "^(");
    for (size_t i = 0; i < role->channel_count; i++) {
        buf_str(&out, i == 0 ? "" : "|");
        for (const char *at = role->channels[i]; *at != '\0'; at++) {
            unsigned char byte = (unsigned char)*at;
            bool plain = byte >= 0x80 || (byte >= '0' && byte <= '9') ||
                         ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || byte == '_';
            if (*at == '*')
                buf_str(&out, ".*");
            else if (*at == '?')
                buf_byte(&out, '.');
            else if (plain)
                buf_byte(&out, byte);
            else
                buf_printf(&out, "\\%c", *at);
        }
    }
    buf_str(&out, ")$");
    return text_take(&out, judge->arena);
}

/* Where the call's first argument begins, and the comma behind it. */
static bool first_argument(const struct judge *judge, const PgQuery__FuncCall *call, size_t *start,
                           size_t *comma)
{
    const struct token_list *list = &judge->tokens;
    size_t next = 0;
    size_t index = call->location < 0 ? SIZE_MAX : scan_find(list, (size_t)call->location);
    size_t end = index == SIZE_MAX ? 0 : scan_dotted_end(list, index, call->n_funcname, &next);
    if (end == 0 || next + 1 >= list->count || list->tokens[next].kind != PG_QUERY__TOKEN__ASCII_40)
        return false;
    *start = list->tokens[next + 1].start;
    size_t depth = 0;
    for (size_t i = next + 1; i < list->count; i++) {
        uint16_t kind = list->tokens[i].kind;
        if (kind == PG_QUERY__TOKEN__ASCII_40 || kind == PG_QUERY__TOKEN__ASCII_91)
            depth++;
        else if ((kind == PG_QUERY__TOKEN__ASCII_41 || kind == PG_QUERY__TOKEN__ASCII_93) &&
                 depth-- == 0)
            return false;
        else if (kind == PG_QUERY__TOKEN__ASCII_44 && depth == 0) {
            *comma = list->tokens[i].start;
            return true;
        }
    }
    return false;
}

/* The expression becomes (regexp_match(expression, '^(channels)$'))[1]: itself, or NULL, which
 * PostgreSQL refuses as a channel. */
static enum status guard_channel(struct judge *judge, PgQuery__FuncCall *call)
{
    static const char head[] = "(pg_catalog.regexp_match(";
    PgQuery__ParseResult *tree = NULL;
    const char *message = NULL;
    size_t position = 0;
    size_t start = 0;
    size_t comma = 0;
    const char *regexp = channels_regexp(judge);
    const char *quoted = regexp == NULL ? NULL : text_literal(judge->arena, regexp);
    const char *tail = quoted == NULL ? NULL : judge_format(judge, ", %s))[1]", quoted);
    const char *sql = tail == NULL ? NULL : judge_format(judge, "SELECT %sNULL%s", head, tail);
    if (sql == NULL)
        return judge_no_memory(judge);
    if (!first_argument(judge, call, &start, &comma) ||
        tree_parse(sql, judge->arena, &tree, &message, &position) != OK || tree->n_stmts != 1)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "pg_notify", SIZE_MAX,
                            "the channel of pg_notify was not found in the text");
    PgQuery__Node *guard = tree->stmts[0]->stmt->select_stmt->target_list[0]->res_target->val;
    guard->a_indirection->arg->func_call->args[0] = call->args[0];
    call->args[0] = guard;
    enum status status = rewrite_edit(judge, start, 0, head);
    return status == OK ? rewrite_edit(judge, comma, 0, tail) : status;
}

enum status judge_notify_call(struct judge *judge, PgQuery__FuncCall *call)
{
    size_t at = call->location < 0 ? SIZE_MAX : (size_t)call->location;
    if (call->n_args != 2 || call->func_variadic || call->agg_distinct || call->agg_star ||
        call->n_agg_order > 0 || call->agg_filter != NULL || call->over != NULL ||
        call->args[0]->node_case == PG_QUERY__NODE__NODE_NAMED_ARG_EXPR)
        return judge_refuse(judge, DENIED, "42883", "function", "pg_notify", at,
                            "function pg_notify does not exist in this form");
    judge->writes = true;
    const PgQuery__Node *first = call->args[0];
    bool constant = first->node_case == PG_QUERY__NODE__NODE_A_CONST &&
                    first->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL;
    return constant ? channel_open(judge, first->a_const->sval->sval, at)
                    : guard_channel(judge, call);
}
