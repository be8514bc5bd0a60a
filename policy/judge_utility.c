/*
 * judge_utility.c: statements that a role may send when its `allow` names them.
 *
 * What they do is not in the rules on tables, so each asks for its word first; then for what the
 * rules say of the relations it names, which are resolved and replaced as in a query.
 */
#include "judge_write.h"

#include <pgvigil/text.h>
#include <string.h>

enum status judge_allows(struct judge *judge, enum policy_allow allow, const char *what)
{
    const struct judge_request *request = judge->request;
    const char *word = "";
    if (policy_role_allows(request->policy, request->role, allow))
        return OK;
    for (size_t i = 0; policy_allow_word(i) != NULL; i++)
        if (policy_allow_find(policy_allow_word(i)) == allow)
            word = policy_allow_word(i);
    enum status status = judge_deny(judge, "statement", what, SIZE_MAX,
                                    judge_format(judge, "%s is not allowed", what));
    const struct policy_place *place = &request->policy->roles[request->role].place;
    judge_hint(judge, judge_format(judge, "It takes \"%s\" in `allow` of the role at %s:%u.", word,
                                   judge_file_name(place->file), place->line));
    return status;
}

/* LOCK and TRUNCATE take no aliases: where there is one, judge_relation puts none. Errors have no
 * position, as PostgreSQL's. */
static enum status plain_relation(struct judge *judge, PgQuery__RangeVar *var,
                                  struct range_item *item)
{
    PgQuery__Alias none = PG_QUERY__ALIAS__INIT;
    memset(item, 0, sizeof(*item));
    var->alias = &none;
    enum status status = judge_relation(judge, var, item);
    var->alias = NULL;
    if (status == DENIED)
        judge->verdict->refusal.position = 0;
    if (status == OK && item->use == NULL)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", var->relname, SIZE_MAX,
                            "the relation was not resolved");
    return status;
}

/* ---- LOCK TABLE ---- */

#define MODE_ACCESS_SHARE 1

/* An expression of the policy's can read a relation only by a sub-select. Placeholders are no SQL:
 * it is looked at token by token. */
static bool reads_relations(struct judge *judge, const char *expression)
{
    struct token_list list;
    if (expression == NULL)
        return false;
    if (scan_tokens(expression, strlen(expression), judge->arena, &list) != OK)
        return true;
    for (size_t i = 0; i < list.count; i++)
        if (list.tokens[i].kind == PG_QUERY__TOKEN__SELECT ||
            list.tokens[i].kind == PG_QUERY__TOKEN__TABLE)
            return true;
    return false;
}

/* PostgreSQL locks every table of a view's definition, those of its sub-selects too. */
static bool guard_reads_others(struct judge *judge, const struct relation_use *use)
{
    const struct policy *policy = judge->request->policy;
    const struct policy_rule *rule = use->shown.rule;
    const struct policy_table *table = use->shown.table;
    if (reads_relations(judge, rule->rows) ||
        (table != NULL && rule->rows != NULL && strstr(rule->rows, ":subject") != NULL &&
         reads_relations(judge, table->subject)))
        return true;
    for (size_t i = 0; i < rule->column_count; i++)
        if (reads_relations(judge, policy->masks[rule->columns[i].mask].expression))
            return true;
    return false;
}

static enum status may_lock(struct judge *judge, const struct relation_use *use, int mode,
                            size_t at)
{
    const char *name = judge_format(judge, "%s.%s", use->shown.schema, use->shown.name);
    const struct policy_rule *rule = use->shown.rule;
    enum status status = OK;
    if (name == NULL)
        return judge_no_memory(judge);
    if (use->guard == NULL || rule == NULL || strchr("rp", use->shown.relation->kind) == NULL) {
        status =
            judge_deny(judge, "write", name, at,
                       judge_format(judge, "\"%s\" is not a table and cannot be locked", name));
        judge_hint(judge, "Lock the tables below it.");
        return status;
    }
    if (mode == MODE_ACCESS_SHARE)
        return OK;
    if (!rule->delete_rows) {
        status = judge_deny(
            judge, "write", name, at,
            judge_format(judge, "relation \"%s\" may not be locked but in ACCESS SHARE MODE",
                         name));
        judge_hint(judge, judge_format(judge,
                                       "As PostgreSQL does, it takes a right on the whole table: "
                                       "`delete` of the rule at %s:%u; rights on columns do not "
                                       "count.",
                                       judge_file_name(rule->place.file), rule->place.line));
        return status;
    }
    if (guard_reads_others(judge, use)) {
        status = judge_deny(
            judge, "write", name, at,
            judge_format(judge, "relation \"%s\" may not be locked but in ACCESS SHARE MODE",
                         name));
        judge_hint(judge, judge_format(judge,
                                       "The rule at %s:%u reads other tables, and PostgreSQL would "
                                       "lock them as well.",
                                       judge_file_name(rule->place.file), rule->place.line));
    }
    return status;
}

enum status judge_lock_table(struct judge *judge, PgQuery__LockStmt *lock,
                             struct verdict_statement *out)
{
    struct level level;
    out->kind = STATEMENT_UTILITY;
    out->tag = "LOCK TABLE";
    out->writes = true; /* recorded before it waits */
    enum status status = judge_allows(judge, ALLOW_LOCK, "LOCK");
    scope_enter(judge, &level, NULL);
    for (size_t i = 0; status == OK && i < lock->n_relations; i++) {
        struct range_item item;
        if (lock->relations[i]->node_case != PG_QUERY__NODE__NODE_RANGE_VAR) {
            status = judge_unsupported(judge, "statement", "this form of LOCK", NULL);
            break;
        }
        PgQuery__RangeVar *var = lock->relations[i]->range_var;
        size_t at = var->location < 0 ? SIZE_MAX : (size_t)var->location;
        status = plain_relation(judge, var, &item);
        if (status == OK)
            status = may_lock(judge, item.use, lock->mode, at);
    }
    scope_leave(judge);
    return status;
}

/* ---- TRUNCATE ---- */

static enum status may_truncate(struct judge *judge, struct relation_use *use)
{
    const struct policy_rule *rule = use->shown.rule;
    const char *name = judge_format(judge, "%s.%s", use->shown.schema, use->shown.name);
    if (name == NULL)
        return judge_no_memory(judge);
    if (judge_is_temporary(use->shown.relation)) {
        use->shown.writes = true;
        return OK;
    }
    if (use->guard != NULL && rule != NULL && strchr("rp", use->shown.relation->kind) != NULL &&
        rule->truncate && rule->rows == NULL) {
        use->shown.writes = true;
        return OK;
    }
    enum status status =
        judge_deny(judge, "write", name, SIZE_MAX,
                   judge_format(judge, "relation \"%s\" may not be truncated", name));
    if (rule != NULL)
        judge_hint(judge, judge_format(judge,
                                       "It takes `truncate` of the rule at %s:%u, which must show "
                                       "every row.",
                                       judge_file_name(rule->place.file), rule->place.line));
    return status;
}

/* A view cannot be truncated. The pair has that one right on the table itself, see deploy. */
static enum status truncate_one(struct judge *judge, PgQuery__RangeVar *var)
{
    struct range_item item;
    size_t edits = judge->edit_count;
    enum status status = plain_relation(judge, var, &item);
    if (status == OK)
        status = may_truncate(judge, item.use);
    if (status != OK)
        return status;
    const struct verdict_relation *shown = &item.use->shown;
    const char *name = text_qualified(judge->arena, shown->schema, shown->name);
    var->schemaname = arena_strdup(judge->arena, shown->schema);
    var->relname = arena_strdup(judge->arena, shown->name);
    if (name == NULL || var->schemaname == NULL || var->relname == NULL)
        return judge_no_memory(judge);
    if (judge->edit_count != edits + 1)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", var->relname, SIZE_MAX,
                            "the name of the relation was not replaced");
    return rewrite_amend(judge, edits, name);
}

enum status judge_truncate(struct judge *judge, PgQuery__TruncateStmt *truncate,
                           struct verdict_statement *out)
{
    struct level level;
    enum status status = OK;
    out->kind = STATEMENT_UTILITY;
    out->tag = "TRUNCATE TABLE";
    out->writes = true;
    if (truncate->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE)
        return judge_unsupported(judge, "statement", "TRUNCATE ... CASCADE",
                                 "It would take tables that the statement does not name.");
    if (truncate->restart_seqs)
        return judge_unsupported(judge, "statement", "TRUNCATE ... RESTART IDENTITY",
                                 "It is for the owner of the sequence.");
    scope_enter(judge, &level, NULL);
    for (size_t i = 0; status == OK && i < truncate->n_relations; i++)
        status = truncate->relations[i]->node_case == PG_QUERY__NODE__NODE_RANGE_VAR
                     ? truncate_one(judge, truncate->relations[i]->range_var)
                     : judge_unsupported(judge, "statement", "this form of TRUNCATE", NULL);
    scope_leave(judge);
    return status;
}
