/*
 * judge_statement.c: the allow-list of statements.
 *
 * Restricted roles: what has a case here; the rest is refused by its name. Unrestricted roles: the
 * text is not changed and everything that parses is allowed; what the audit wants to know is read
 * off the tree as well as it can be.
 */
#include "judge_write.h"

#include <string.h>

static enum status refuse_statement(struct judge *judge, const char *name, const char *hint)
{
    return judge_unsupported(judge, "statement", name, hint);
}

static bool second_word_counts(const char *first)
{
    static const char *const words[] = {"CREATE",   "ALTER",   "DROP",     "COMMENT",
                                        "SECURITY", "REFRESH", "IMPORT",   "REASSIGN",
                                        "PREPARE",  "COMMIT",  "ROLLBACK", "DISCARD"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], first) == 0)
            return true;
    }
    return false;
}

static bool noise_word(const char *word)
{
    static const char *const words[] = {
        "OR",      "REPLACE",    "TEMP",     "TEMPORARY",  "GLOBAL",    "LOCAL", "UNIQUE",
        "TRUSTED", "PROCEDURAL", "UNLOGGED", "CONSTRAINT", "RECURSIVE", "ON",    "DEFAULT"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], word) == 0)
            return true;
    }
    return false;
}

static const char *token_upper(struct judge *judge, size_t index)
{
    const struct token_list *list = &judge->tokens;
    size_t next = 0;
    size_t end = index < list->count && list->tokens[index].kind != PG_QUERY__TOKEN__IDENT
                     ? scan_name_end(list, index, &next)
                     : 0;
    if (end == 0)
        return NULL;
    size_t start = list->tokens[index].start;
    char *word = arena_strndup(judge->arena, list->sql + start, end - start);
    for (char *at = word; at != NULL && *at != '\0'; at++)
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 32) : *at;
    return word;
}

/* "INSERT", "CREATE TABLE", "ALTER ROLE": what the client wrote. */
static const char *tag_of(struct judge *judge, size_t start)
{
    const struct token_list *list = &judge->tokens;
    size_t index = scan_from(list, start);
    while (index < list->count && list->tokens[index].kind == PG_QUERY__TOKEN__ASCII_40)
        index++;
    const char *first = token_upper(judge, index);
    if (first == NULL)
        return "statement";
    if (!second_word_counts(first))
        return first;
    for (index++; index < list->count; index++) {
        const char *second = token_upper(judge, index);
        if (second == NULL)
            return first;
        if (!noise_word(second))
            return judge_format(judge, "%s %s", first, second);
    }
    return first;
}

static enum status transaction_options(struct judge *judge,
                                       const PgQuery__TransactionStmt *statement)
{
    for (size_t i = 0; i < statement->n_options; i++) {
        const PgQuery__Node *node = statement->options[i];
        const char *name =
            node->node_case == PG_QUERY__NODE__NODE_DEF_ELEM ? node->def_elem->defname : "";
        if (strcmp(name, "transaction_isolation") != 0 &&
            strcmp(name, "transaction_read_only") != 0 &&
            strcmp(name, "transaction_deferrable") != 0)
            return refuse_statement(judge, "this transaction mode", NULL);
    }
    return OK;
}

static enum status transaction(struct judge *judge, PgQuery__TransactionStmt *statement,
                               struct verdict_statement *out)
{
    switch ((int)statement->kind) {
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
        out->kind = STATEMENT_BEGIN;
        out->tag = statement->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN
                       ? "BEGIN"
                       : "START TRANSACTION";
        return transaction_options(judge, statement);
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
        out->kind = STATEMENT_COMMIT;
        out->tag = "COMMIT";
        out->chain = statement->chain;
        return OK;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
        out->kind = STATEMENT_ROLLBACK;
        out->tag = "ROLLBACK";
        out->chain = statement->chain;
        return OK;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
        out->kind = STATEMENT_SAVEPOINT;
        out->tag = "SAVEPOINT";
        break;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
        out->kind = STATEMENT_RELEASE;
        out->tag = "RELEASE";
        break;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
        out->kind = STATEMENT_ROLLBACK_TO;
        out->tag = "ROLLBACK";
        break;
    default:
        if (judge->verdict->unrestricted) {
            out->writes = true;
            return OK;
        }
        return judge_two_phase(judge, statement, out);
    }
    out->target = arena_strdup(judge->arena, statement->savepoint_name);
    return out->target == NULL ? judge_no_memory(judge) : OK;
}

static enum status select_statement(struct judge *judge, PgQuery__SelectStmt *select,
                                    struct verdict_statement *out)
{
    struct column_list columns;
    out->kind = STATEMENT_SELECT;
    out->tag = "SELECT";
    enum status status = judge_select(judge, select, &columns);
    out->writes = judge->calls_foreign_function || judge->writes;
    return status;
}

static enum status write_statement(struct judge *judge, PgQuery__Node *node,
                                   struct verdict_statement *out)
{
    struct column_list columns;
    out->kind = STATEMENT_WRITE;
    out->tag = node->node_case == PG_QUERY__NODE__NODE_INSERT_STMT   ? "INSERT"
               : node->node_case == PG_QUERY__NODE__NODE_UPDATE_STMT ? "UPDATE"
                                                                     : "DELETE";
    out->writes = true;
    return judge_write(judge, node, &columns);
}

/* What is the same for both kinds of role; *done false: nothing of it. */
static enum status common(struct judge *judge, PgQuery__Node *node, struct verdict_statement *out,
                          bool *done)
{
    *done = true;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
        return transaction(judge, node->transaction_stmt, out);
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
        return judge_set(judge, node->variable_set_stmt, out);
    case PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT:
        return judge_show(judge, node->variable_show_stmt, out);
    case PG_QUERY__NODE__NODE_DISCARD_STMT:
        if (node->discard_stmt->target == PG_QUERY__DISCARD_MODE__DISCARD_ALL) {
            out->kind = STATEMENT_DISCARD;
            out->tag = "DISCARD ALL";
            return OK;
        }
        *done = false;
        return OK;
    case PG_QUERY__NODE__NODE_DEALLOCATE_STMT:
        out->kind = STATEMENT_DEALLOCATE;
        out->tag = node->deallocate_stmt->name[0] == '\0' ? "DEALLOCATE ALL" : "DEALLOCATE";
        out->target = node->deallocate_stmt->name[0] == '\0'
                          ? NULL
                          : arena_strdup(judge->arena, node->deallocate_stmt->name);
        return OK;
    default:
        *done = false;
        return OK;
    }
}

/* What a role may do with temporary tables; *done false: nothing of it. */
static enum status temporary(struct judge *judge, PgQuery__Node *node,
                             struct verdict_statement *out, bool *done)
{
    *done = true;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_CREATE_STMT:
        return judge_create_table(judge, node->create_stmt, out);
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
        return judge_create_table_as(judge, node->create_table_as_stmt, out);
    case PG_QUERY__NODE__NODE_DROP_STMT:
        return judge_drop(judge, node->drop_stmt, out);
    case PG_QUERY__NODE__NODE_INDEX_STMT:
        return judge_create_index(judge, node->index_stmt, out);
    case PG_QUERY__NODE__NODE_VACUUM_STMT:
        return judge_analyze(judge, node->vacuum_stmt, out);
    case PG_QUERY__NODE__NODE_DISCARD_STMT:
        if (node->discard_stmt->target == PG_QUERY__DISCARD_MODE__DISCARD_TEMP)
            return judge_discard_temporary(judge, out);
        break;
    default:
        break;
    }
    *done = false;
    return OK;
}

static enum statement_kind outline_transaction(const PgQuery__TransactionStmt *statement)
{
    switch ((int)statement->kind) {
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
        return STATEMENT_BEGIN;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
        return STATEMENT_COMMIT;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
        return STATEMENT_ROLLBACK;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
        return STATEMENT_SAVEPOINT;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
        return STATEMENT_RELEASE;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
        return STATEMENT_ROLLBACK_TO;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE:
        return STATEMENT_PREPARE_TRANSACTION;
    default:
        return STATEMENT_OTHER;
    }
}

enum status judge_outline(struct judge *judge, const PgQuery__Node *node,
                          struct verdict_statement *out)
{
    out->kind = STATEMENT_OTHER;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
        out->kind = outline_transaction(node->transaction_stmt);
        out->chain = node->transaction_stmt->chain;
        return OK;
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
        if (node->variable_set_stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_MULTI)
            return OK;
        out->kind = STATEMENT_SET;
        return judge_outline_setting(judge, node->variable_set_stmt->name, out);
    case PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT:
        out->kind = STATEMENT_SHOW;
        return judge_outline_setting(judge, node->variable_show_stmt->name, out);
    case PG_QUERY__NODE__NODE_DISCARD_STMT:
        if (node->discard_stmt->target == PG_QUERY__DISCARD_MODE__DISCARD_ALL)
            out->kind = STATEMENT_DISCARD;
        return OK;
    case PG_QUERY__NODE__NODE_DEALLOCATE_STMT:
        out->kind = STATEMENT_DEALLOCATE;
        return OK;
    case PG_QUERY__NODE__NODE_PREPARE_STMT:
        out->kind = STATEMENT_PREPARE;
        return OK;
    case PG_QUERY__NODE__NODE_SELECT_STMT:
        if (judge_into(node->select_stmt) != NULL)
            out->kind = STATEMENT_TEMPORARY;
        return OK;
    case PG_QUERY__NODE__NODE_CREATE_STMT:
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
    case PG_QUERY__NODE__NODE_DROP_STMT:
        out->kind = STATEMENT_TEMPORARY;
        return OK;
    default:
        return OK;
    }
}

static const char *why_not(int node_case)
{
    switch (node_case) {
    case PG_QUERY__NODE__NODE_MERGE_STMT:
        return "PostgreSQL before 17 cannot MERGE into a view, and guards are views: use INSERT "
               "... ON CONFLICT, or UPDATE and INSERT.";
    default:
        return "Changes of the database itself are for unrestricted roles.";
    }
}

enum status judge_statement(struct judge *judge, PgQuery__Node *node, struct verdict_statement *out)
{
    bool done = false;
    out->tag = tag_of(judge, out->start);
    if (out->tag == NULL)
        return judge_no_memory(judge);
    enum status status = common(judge, node, out, &done);
    if (status != OK || done)
        return status;
    if (node->node_case == PG_QUERY__NODE__NODE_SELECT_STMT)
        return judge_into(node->select_stmt) == NULL
                   ? select_statement(judge, node->select_stmt, out)
                   : judge_select_into(judge, node->select_stmt, out);
    status = temporary(judge, node, out, &done);
    if (status != OK || done)
        return status;
    if (judge_is_write(node))
        return write_statement(judge, node, out);
    if (node->node_case == PG_QUERY__NODE__NODE_COPY_STMT)
        return judge_copy(judge, node->copy_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_DECLARE_CURSOR_STMT)
        return judge_declare(judge, node->declare_cursor_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_FETCH_STMT)
        return judge_fetch(judge, node->fetch_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_CLOSE_PORTAL_STMT)
        return judge_close(judge, node->close_portal_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_PREPARE_STMT)
        return judge_prepare(judge, node->prepare_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_EXECUTE_STMT)
        return judge_execute(judge, node->execute_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_EXPLAIN_STMT)
        return judge_explain(judge, node->explain_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_LISTEN_STMT)
        return judge_listen(judge, node->listen_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_UNLISTEN_STMT)
        return judge_unlisten(judge, node->unlisten_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_NOTIFY_STMT)
        return judge_notify(judge, node->notify_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_TRUNCATE_STMT)
        return judge_truncate(judge, node->truncate_stmt, out);
    if (node->node_case == PG_QUERY__NODE__NODE_LOCK_STMT)
        return judge_lock_table(judge, node->lock_stmt, out);
    return refuse_statement(judge, out->tag, why_not((int)node->node_case));
}

enum status judge_held(struct judge *judge, PgQuery__Node *query, size_t start,
                       struct verdict_statement *out)
{
    struct verdict_statement held = {.start = start};
    switch ((int)(query == NULL ? 0 : query->node_case)) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
    case PG_QUERY__NODE__NODE_INSERT_STMT:
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
    case PG_QUERY__NODE__NODE_DELETE_STMT:
    case PG_QUERY__NODE__NODE_MERGE_STMT:
        break;
    default:
        return refuse_statement(judge, judge_format(judge, "%s of this", out->tag), NULL);
    }
    if (query->node_case == PG_QUERY__NODE__NODE_SELECT_STMT &&
        judge_into(query->select_stmt) != NULL)
        return refuse_statement(judge, judge_format(judge, "%s of SELECT INTO", out->tag), NULL);
    enum status status = judge_statement(judge, query, &held);
    out->writes = out->writes || held.writes;
    return status;
}

/* What an unrestricted statement touches, best-effort: names as written, CTE names left out. */
enum survey_round { SURVEY_CTES = 0, SURVEY_RELATIONS, SURVEY_NAMED };

struct survey {
    struct judge *judge;
    enum survey_round round;
    bool writes;
    unsigned depth;
};

/* Whose rows a view without an entry gives is not known; PostgreSQL's own are about nobody. */
static bool may_tell(const struct policy_table *table, const struct catalog_relation *relation)
{
    if (table != NULL)
        return table->subject != NULL;
    return relation != NULL && (relation->kind == 'v' || relation->kind == 'm') &&
           strcmp(relation->schema, "pg_catalog") != 0 &&
           strcmp(relation->schema, "information_schema") != 0;
}

static enum status note_relation(struct judge *judge, const PgQuery__RangeVar *var)
{
    const struct judge_request *request = judge->request;
    const struct catalog_relation *relation = NULL;
    if (request->catalog != NULL)
        relation = var->schemaname[0] != '\0'
                       ? catalog_find(request->catalog, var->schemaname, var->relname)
                       : catalog_resolve(request->catalog, request->path, request->path_count,
                                         var->relname);
    const char *schema = relation == NULL ? var->schemaname : relation->schema;
    const struct policy_table *table =
        relation != NULL ? guard_table(request->policy, request->catalog, relation)
                         : policy_table_for(judge->request->policy, schema, var->relname);
    enum status status = judge_named_relation(judge, var, relation, table);
    if (status != OK)
        return status;
    for (size_t i = 0; i < judge->use_count; i++) {
        if (strcmp(judge->uses[i]->shown.schema, schema) == 0 &&
            strcmp(judge->uses[i]->shown.name, var->relname) == 0)
            return OK;
    }
    struct relation_use *use = arena_zalloc(judge->arena, 1, sizeof(*use));
    struct relation_use **uses =
        arena_grow(judge->arena, judge->uses, judge->use_count, &judge->use_cap, sizeof(void *));
    if (use == NULL || uses == NULL)
        return judge_no_memory(judge);
    judge->subjects_read += may_tell(table, relation) ? 1 : 0;
    use->shown.relation = relation;
    use->shown.schema = schema;
    use->shown.name = var->relname;
    judge->uses = uses;
    judge->uses[judge->use_count++] = use;
    return OK;
}

static bool may_write(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (type == &pg_query__func_call__descriptor) {
        const PgQuery__FuncCall *call = (const PgQuery__FuncCall *)message;
        const char *reason = NULL;
        const char *name =
            call->n_funcname == 0 ? NULL : tree_string(call->funcname[call->n_funcname - 1]);
        return name == NULL || functions_class(name, &reason) == FUNCTION_DENIED ||
               functions_class(name, &reason) == FUNCTION_UNKNOWN;
    }
    return type == &pg_query__insert_stmt__descriptor ||
           type == &pg_query__update_stmt__descriptor ||
           type == &pg_query__delete_stmt__descriptor ||
           type == &pg_query__merge_stmt__descriptor ||
           type == &pg_query__into_clause__descriptor ||
           type == &pg_query__locking_clause__descriptor;
}

static enum status survey_visit(void *context, ProtobufCMessage *message)
{
    struct survey *survey = context;
    if (survey->depth > 8 * JUDGE_MAX_DEPTH)
        return judge_refuse(survey->judge, ERR_LIMIT, "54001", "depth", "depth", SIZE_MAX,
                            "the statement is nested too deeply");
    survey->depth++;
    survey->writes = survey->writes || may_write(message);
    enum status status = OK;
    bool relations = survey->round == SURVEY_RELATIONS;
    if (survey->round == SURVEY_CTES &&
        message->descriptor == &pg_query__common_table_expr__descriptor) {
        static const struct column_list unknown = {.known = false};
        status = scope_push_cte(survey->judge, ((PgQuery__CommonTableExpr *)message)->ctename,
                                &unknown, NULL);
    } else if (survey->round == SURVEY_NAMED &&
               message->descriptor == &pg_query__a__expr__descriptor) {
        status = judge_named(survey->judge, (const PgQuery__AExpr *)message);
    } else if (relations && message->descriptor == &pg_query__range_var__descriptor) {
        const PgQuery__RangeVar *var = (const PgQuery__RangeVar *)message;
        const struct cte *cte = NULL;
        if (var->schemaname[0] == '\0')
            status = scope_cte(survey->judge, var->relname, &cte);
        if (status == OK)
            status = cte == NULL ? note_relation(survey->judge, var)
                                 : judge_named_other(survey->judge, var->alias, var->relname);
    } else if (relations && message->descriptor == &pg_query__range_subselect__descriptor) {
        status = judge_named_other(survey->judge, ((const PgQuery__RangeSubselect *)message)->alias,
                                   NULL);
    } else if (relations && message->descriptor == &pg_query__range_function__descriptor) {
        status = judge_named_other(survey->judge, ((const PgQuery__RangeFunction *)message)->alias,
                                   NULL);
    } else if (relations && (message->descriptor == &pg_query__execute_stmt__descriptor ||
                             message->descriptor == &pg_query__fetch_stmt__descriptor)) {
        survey->judge->subjects_read++; /* what that reads is not in the text */
    }
    if (status == OK)
        status = tree_children(message, survey_visit, survey);
    survey->depth--;
    return status;
}

enum status judge_unrestricted(struct judge *judge, PgQuery__Node *node,
                               struct verdict_statement *out)
{
    bool done = false;
    out->kind = STATEMENT_OTHER;
    out->tag = tag_of(judge, out->start);
    if (out->tag == NULL)
        return judge_no_memory(judge);
    /* What they read is not in their text. */
    if (node->node_case == PG_QUERY__NODE__NODE_EXECUTE_STMT ||
        node->node_case == PG_QUERY__NODE__NODE_FETCH_STMT)
        judge->subjects_read++;
    enum status status = common(judge, node, out, &done);
    if (status != OK || done)
        return status;
    struct level level;
    struct survey survey = {.judge = judge};
    scope_enter(judge, &level, NULL);
    for (; survey.round <= SURVEY_NAMED && status == OK; survey.round++) {
        level.high = level.item_count;
        /* Nobody is named where no relation tells of anybody. */
        if (survey.round != SURVEY_NAMED || judge->subjects_read > 0)
            status = survey_visit(&survey, &node->base);
    }
    scope_leave(judge);
    bool select = node->node_case == PG_QUERY__NODE__NODE_SELECT_STMT &&
                  node->select_stmt->into_clause == NULL;
    if (select)
        out->tag = "SELECT";
    out->kind = select ? STATEMENT_SELECT : STATEMENT_OTHER;
    out->writes = !select || survey.writes;
    return status;
}
