/*
 * judge_write.c: INSERT, UPDATE and DELETE, alone or in WITH.
 *
 * The target is a guard like any other relation; what may be written is asked here, column by
 * column, so that a refusal names the column and the rule, and once more by PostgreSQL, from the
 * grants on the guard. What the new rows must satisfy is the guard's CHECK OPTION. Names are
 * resolved in PostgreSQL's own order (analyze.c): WITH, then for INSERT the query before the target
 * is known, for the others the target first; a CTE never stands for the target.
 *
 * ON CONFLICT is judge_conflict.c's.
 */
#include "judge_write.h"

#include <string.h>

static const char *const verbs[] = {
    [WRITE_INSERT] = "inserted", [WRITE_UPDATE] = "updated", [WRITE_DELETE] = "deleted"};
static const char *const keys[] = {
    [WRITE_INSERT] = "insert", [WRITE_UPDATE] = "update", [WRITE_DELETE] = "delete"};

static enum status refuse_rule(struct judge *judge, const struct relation_use *use,
                               enum write_kind kind, const char *object, size_t at,
                               const char *what)
{
    enum status status = judge_deny(judge, "write", object, at, what);
    const struct policy_place *place = &use->shown.rule->place;
    judge_hint(judge,
               judge_format(judge, "What may be written stands in `%s` of the rule at %s:%u.",
                            keys[kind], judge_file_name(place->file), place->line));
    return status;
}

/* ---- the target ---- */

static bool writable(const struct policy_rule *rule, enum write_kind kind)
{
    switch (kind) {
    case WRITE_INSERT:
        return rule->insert_count > 0;
    case WRITE_UPDATE:
        return rule->update_count > 0;
    case WRITE_DELETE:
        return rule->delete_rows;
    }
    return false;
}

/* Adds the target to the level, and says whether the pair may do this to any of its rows. */
enum status judge_write_target(struct judge *judge, PgQuery__RangeVar *var, enum write_kind kind)
{
    size_t at = var->location < 0 ? SIZE_MAX : (size_t)var->location;
    enum status status = judge_from_target(judge, var);
    if (status != OK)
        return status;
    struct relation_use *use = judge->level->items[0].use;
    const char *name = judge_format(judge, "%s.%s", use->shown.schema, use->shown.name);
    if (name == NULL)
        return judge_no_memory(judge);
    if (judge_is_temporary(use->shown.relation)) {
        use->shown.writes = true; /* the session's own */
        return OK;
    }
    if (use->guard == NULL)
        return judge_deny(judge, "write", name, at,
                          judge_format(judge, "system catalog \"%s\" cannot be written", name));
    if (use->shown.rule == NULL || strchr("rp", use->shown.relation->kind) == NULL) {
        status =
            judge_deny(judge, "write", name, at,
                       judge_format(judge, "\"%s\" is not a table and cannot be written", name));
        judge_hint(judge, "Write to the tables below it.");
        return status;
    }
    if (!writable(use->shown.rule, kind))
        return refuse_rule(
            judge, use, kind, name, at,
            judge_format(judge, "rows of relation \"%s\" may not be %s", name, verbs[kind]));
    use->shown.writes = true;
    return OK;
}

enum status judge_write_column(struct judge *judge, enum write_kind kind, const char *name,
                               size_t at)
{
    const struct range_item *item = &judge->level->items[0];
    struct relation_use *use = item->use;
    size_t column = 0;
    enum status status = judge_work(judge, use->column_count + 1);
    if (status != OK)
        return status;
    while (column < use->column_count && strcmp(use->columns[column], name) != 0)
        column++;
    if (column == use->column_count)
        return judge_hidden_column(judge, use->shown.relation, name, at,
                                   judge_format(judge,
                                                "column \"%s\" of relation \"%s\" does not exist",
                                                name, use->shown.name));
    if (judge_is_temporary(use->shown.relation)) {
        use->written[column] = true;
        return OK;
    }
    bool may = kind == WRITE_INSERT ? policy_may_insert(use->shown.table, use->shown.rule, name)
                                    : policy_may_update(use->shown.table, use->shown.rule, name);
    if (!may)
        return refuse_rule(judge, use, kind, name, at,
                           judge_format(judge, "column \"%s\" of relation \"%s.%s\" may not be %s",
                                        name, use->shown.schema, use->shown.name, verbs[kind]));
    use->written[column] = true;
    return OK;
}

/* ---- what is assigned ---- */

/* column[index].field: the subscripts are expressions. */
static enum status subscripts(struct judge *judge, const PgQuery__ResTarget *entry)
{
    for (size_t i = 0; i < entry->n_indirection; i++) {
        PgQuery__Node *node = entry->indirection[i];
        /* A field of a composite value; it is no call on this side of the assignment. */
        if (node->node_case == PG_QUERY__NODE__NODE_STRING)
            continue;
        enum status status = judge_walk(judge, node);
        if (status != OK)
            return status;
    }
    return OK;
}

static enum status odd_target(struct judge *judge)
{
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "target", SIZE_MAX,
                        "the list of columns to write is not understood");
}

/*
 * (a, b) = (SELECT ...): the tree holds the right side once for each column, the text once. It is
 * judged once, and the copies become the one that was.
 */
static enum status multiple(struct judge *judge, PgQuery__MultiAssignRef *ref,
                            PgQuery__Node **source)
{
    if (ref->source == NULL || ref->colno < 1 || ref->colno > ref->ncolumns)
        return odd_target(judge);
    if (ref->colno > 1) {
        if (*source == NULL)
            return odd_target(judge);
        ref->source = *source;
        return OK;
    }
    *source = ref->source;
    return judge_walk(judge, ref->source);
}

enum status judge_assignments(struct judge *judge, PgQuery__Node **list, size_t count)
{
    PgQuery__Node *source = NULL;
    for (size_t i = 0; i < count; i++) {
        if (list[i]->node_case != PG_QUERY__NODE__NODE_RES_TARGET)
            return odd_target(judge);
        PgQuery__ResTarget *entry = list[i]->res_target;
        PgQuery__Node *value = entry->val;
        size_t at = entry->location < 0 ? SIZE_MAX : (size_t)entry->location;
        enum status status = judge_write_column(judge, WRITE_UPDATE, entry->name, at);
        /* RETURNING tells whose the row is now, not whose it was. */
        judge->subjects_mixed =
            judge->subjects_mixed ||
            (status == OK && judge_decides_subject(judge->level->items[0].use, entry->name));
        if (status == OK)
            status = subscripts(judge, entry);
        if (status == OK && value == NULL)
            status = odd_target(judge);
        else if (status == OK && value->node_case == PG_QUERY__NODE__NODE_MULTI_ASSIGN_REF)
            status = multiple(judge, value->multi_assign_ref, &source);
        else if (status == OK)
            status = judge_walk(judge, value);
        if (status != OK)
            return status;
    }
    return OK;
}

/* ---- INSERT ---- */

/* How many columns an INSERT without a list fills: the longest row's, or the query's. */
static size_t filled(const PgQuery__SelectStmt *select, const struct column_list *columns,
                     size_t all)
{
    size_t longest = 0;
    if (select->n_values_lists == 0)
        return columns->known && columns->count < all ? columns->count : all;
    for (size_t i = 0; i < select->n_values_lists; i++) {
        const PgQuery__Node *row = select->values_lists[i];
        bool told = row->node_case == PG_QUERY__NODE__NODE_LIST && !columns->partly;
        size_t count = told ? row->list->n_items : all; /* (a.*) is as many as there are */
        longest = count > longest ? count : longest;
    }
    return longest < all ? longest : all;
}

static enum status insert_columns(struct judge *judge, const PgQuery__InsertStmt *insert,
                                  const struct column_list *columns)
{
    const struct relation_use *use = judge->level->items[0].use;
    for (size_t i = 0; i < insert->n_cols; i++) {
        if (insert->cols[i]->node_case != PG_QUERY__NODE__NODE_RES_TARGET)
            return odd_target(judge);
        const PgQuery__ResTarget *entry = insert->cols[i]->res_target;
        size_t at = entry->location < 0 ? SIZE_MAX : (size_t)entry->location;
        enum status status = judge_write_column(judge, WRITE_INSERT, entry->name, at);
        if (status == OK)
            status = subscripts(judge, entry);
        if (status != OK)
            return status;
    }
    size_t count = insert->n_cols > 0 || insert->select_stmt == NULL
                       ? 0
                       : filled(insert->select_stmt->select_stmt, columns, use->column_count);
    for (size_t i = 0; i < count; i++) {
        enum status status = judge_write_column(judge, WRITE_INSERT, use->columns[i], SIZE_MAX);
        if (status != OK) {
            judge_hint(judge, "Without a list of columns INSERT fills them all, in order: name "
                              "those that are meant.");
            return status;
        }
    }
    return OK;
}

/* More values than columns are an error of PostgreSQL's, and must not find the one that the guard
 * with subjects has more. */
static bool may_overfill(const PgQuery__InsertStmt *insert, const struct column_list *columns,
                         const struct relation_use *use)
{
    const PgQuery__SelectStmt *select =
        insert->select_stmt == NULL ? NULL : insert->select_stmt->select_stmt;
    if (insert->n_cols > 0 || select == NULL)
        return false;
    if (select->n_values_lists == 0)
        return columns->partly || columns->count == 0 || columns->count > use->column_count;
    for (size_t i = 0; i < select->n_values_lists; i++) {
        const PgQuery__Node *row = select->values_lists[i];
        if (row->node_case != PG_QUERY__NODE__NODE_LIST || columns->partly ||
            row->list->n_items > use->column_count)
            return true;
    }
    return false;
}

static enum status insert_statement(struct judge *judge, PgQuery__InsertStmt *insert)
{
    struct column_list columns = {.known = false};
    enum status status = OK;
    if (insert->select_stmt != NULL) {
        if (insert->select_stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
            return odd_target(judge);
        status = judge_select(judge, insert->select_stmt->select_stmt, &columns);
    }
    if (status == OK)
        status = judge_write_target(judge, insert->relation, WRITE_INSERT);
    if (status == OK)
        status = insert_columns(judge, insert, &columns);
    if (status == OK)
        judge->level->overfull = may_overfill(insert, &columns, judge->level->items[0].use);
    if (status == OK && insert->on_conflict_clause != NULL)
        status = judge_conflict(judge, insert->on_conflict_clause);
    return status;
}

/* ---- UPDATE, DELETE ---- */

static enum status from_list(struct judge *judge, PgQuery__Node **nodes, size_t count)
{
    enum status status = OK;
    judge->level->clause = CLAUSE_FROM;
    for (size_t i = 0; i < count && status == OK; i++)
        status = judge_from(judge, nodes[i]);
    judge->level->clause = CLAUSE_WHERE;
    judge->level->low = 0;
    judge->level->high = judge->level->item_count;
    return status;
}

static enum status update_statement(struct judge *judge, PgQuery__UpdateStmt *update)
{
    enum status status = judge_write_target(judge, update->relation, WRITE_UPDATE);
    if (status == OK)
        status = from_list(judge, update->from_clause, update->n_from_clause);
    if (status == OK && update->where_clause != NULL)
        status = judge_walk(judge, update->where_clause);
    return status == OK ? judge_assignments(judge, update->target_list, update->n_target_list)
                        : status;
}

static enum status delete_statement(struct judge *judge, PgQuery__DeleteStmt *delete)
{
    enum status status = judge_write_target(judge, delete->relation, WRITE_DELETE);
    if (status == OK)
        status = from_list(judge, delete->using_clause, delete->n_using_clause);
    return status == OK && delete->where_clause != NULL ? judge_walk(judge, delete->where_clause)
                                                        : status;
}

/* ---- all of them ---- */

static enum status returning(struct judge *judge, PgQuery__Node **list, size_t count,
                             struct column_list *out)
{
    const char *limit = judge_row_limit(judge);
    if (count > 0 && limit != NULL)
        return judge_unsupported(judge, "write",
                                 judge_format(judge, "RETURNING in a mission with %s", limit),
                                 "Read the rows with SELECT when they are written.");
    judge->level->clause = CLAUSE_WHERE;
    enum status status = judge_walk_list(judge, list, count);
    return status == OK ? judge_output_columns(judge, list, count, out) : status;
}

const char *judge_row_limit(const struct judge *judge)
{
    if (judge->request->mission < 0) /* observe mode */
        return NULL;
    const struct policy_mission *mission =
        &judge->request->policy->missions[judge->request->mission];
    return mission->max_rows > 0 ? "max_rows" : mission->rows_per_hour > 0 ? "rows_per_hour" : NULL;
}

static bool writes_rows(const struct verdict_statement *statement)
{
    for (size_t i = 0; i < statement->relation_count; i++) {
        /* A temporary table is nobody's record: it does not matter who thinks it unchanged. */
        if (statement->relations[i].writes &&
            strcmp(statement->relations[i].schema, JUDGE_TEMPORARY_SCHEMA) != 0)
            return true;
    }
    return false;
}

enum status judge_rows_or_writes(struct judge *judge, const struct verdict_statement *statements,
                                 size_t count)
{
    bool rows = false;
    bool writes = false;
    for (size_t i = 0; i < count; i++) {
        enum statement_kind kind = statements[i].kind;
        bool executes = kind == STATEMENT_EXECUTE;
        rows = rows || kind == STATEMENT_SELECT || kind == STATEMENT_COPY_TO ||
               kind == STATEMENT_FETCH || (executes && !statements[i].writes);
        writes = writes || writes_rows(&statements[i]) || (executes && statements[i].writes);
    }
    const char *limit = judge_row_limit(judge);
    if (!rows || !writes || judge->verdict->unrestricted || limit == NULL)
        return OK;
    return judge_unsupported(
        judge, "write",
        judge_format(judge, "a text that writes and returns rows, in a mission with %s", limit),
        "Send what writes by itself.");
}

bool judge_is_write(const PgQuery__Node *node)
{
    return node->node_case == PG_QUERY__NODE__NODE_INSERT_STMT ||
           node->node_case == PG_QUERY__NODE__NODE_UPDATE_STMT ||
           node->node_case == PG_QUERY__NODE__NODE_DELETE_STMT;
}

enum status judge_write(struct judge *judge, PgQuery__Node *node, struct column_list *out)
{
    struct level level;
    PgQuery__InsertStmt *insert =
        node->node_case == PG_QUERY__NODE__NODE_INSERT_STMT ? node->insert_stmt : NULL;
    PgQuery__UpdateStmt *update =
        node->node_case == PG_QUERY__NODE__NODE_UPDATE_STMT ? node->update_stmt : NULL;
    PgQuery__DeleteStmt *delete =
        node->node_case == PG_QUERY__NODE__NODE_DELETE_STMT ? node->delete_stmt : NULL;
    PgQuery__WithClause *with = insert   ? insert->with_clause
                                : update ? update->with_clause
                                : delete ? delete->with_clause
                                         : NULL;
    *out = (struct column_list){.known = false};
    judge->writes = true;
    scope_enter(judge, &level, NULL);
    enum status status = with == NULL ? OK : judge_with(judge, with);
    if (status == OK && insert != NULL)
        status = insert_statement(judge, insert);
    else if (status == OK && update != NULL)
        status = update_statement(judge, update);
    else if (status == OK && delete != NULL)
        status = delete_statement(judge, delete);
    else if (status == OK)
        status = odd_target(judge);
    PgQuery__Node ***list = insert   ? &insert->returning_list
                            : update ? &update->returning_list
                            : delete ? &delete->returning_list
                                     : NULL;
    size_t *count = insert   ? &insert->n_returning_list
                    : update ? &update->n_returning_list
                    : delete ? &delete->n_returning_list
                             : NULL;
    if (status == OK && list != NULL)
        status = returning(judge, *list, *count, out);
    if (status == OK && list != NULL)
        status = subject_note_write(judge, list, count, &level);
    scope_leave(judge);
    return status;
}
