/*
 * judge_lock.c: SELECT ... FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE and FOR KEY SHARE.
 *
 * A session may lock the rows that it may update: PostgreSQL asks for UPDATE on a column of the
 * guard, and so does this file, by the rule's name. What gets locked must be what the statement
 * returns. A guard without a row filter is no security barrier; PostgreSQL pulls it up, and locks
 * as on the table itself. A guard with one is planned by itself, lock and all: every permitted row
 * that its own plan lets through is locked before the statement's ORDER BY, LIMIT, joins and
 * predicates that are not leakproof see it, and one worker with SKIP LOCKED would take a whole
 * queue. There judge_lock_keys.c makes the lock exact, or the statement is refused.
 *
 * A row that the filter hides is never locked: the lock stands above the filter in every form.
 */
#include "judge_lock.h"

#include <string.h>

static const char *strength_name(int strength)
{
    switch (strength) {
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORKEYSHARE:
        return "FOR KEY SHARE";
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORSHARE:
        return "FOR SHARE";
    case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORNOKEYUPDATE:
        return "FOR NO KEY UPDATE";
    default:
        return "FOR UPDATE";
    }
}

const char *judge_lock_name(const PgQuery__SelectStmt *select)
{
    const PgQuery__Node *first = select->locking_clause[0];
    return first->node_case == PG_QUERY__NODE__NODE_LOCKING_CLAUSE
               ? strength_name((int)first->locking_clause->strength)
               : strength_name(0);
}

enum status judge_lock_refuse(struct judge *judge, const PgQuery__SelectStmt *select,
                              const struct range_item *item, const char *what, const char *hint)
{
    const struct verdict_relation *shown = &item->use->shown;
    const char *text = judge_format(judge, "%s of filtered rows of relation \"%s.%s\" %s",
                                    judge_lock_name(select), shown->schema, shown->name, what);
    return text == NULL || what == NULL ? judge_no_memory(judge)
                                        : judge_unsupported(judge, "lock", text, hint);
}

/* ---- what PostgreSQL itself does not lock ---- */

/* In its own words: the clause may stand elsewhere when PostgreSQL gets to see it. */
static enum status not_allowed(struct judge *judge, const PgQuery__SelectStmt *select,
                               const char *what)
{
    const char *name = judge_lock_name(select);
    return judge_refuse(judge, DENIED, "0A000", "lock", name, SIZE_MAX,
                        judge_format(judge, "%s %s", name, what));
}

enum status judge_lock_begin(struct judge *judge, const PgQuery__SelectStmt *select,
                             struct lock *lock)
{
    *lock = (struct lock){.labelled = NULL};
    if (select->n_locking_clause == 0)
        return OK;
    if (select->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
        return not_allowed(judge, select, "is not allowed with UNION/INTERSECT/EXCEPT");
    if (select->n_values_lists > 0)
        return not_allowed(judge, select, "cannot be applied to VALUES");
    if (select->n_distinct_clause > 0)
        return not_allowed(judge, select, "is not allowed with DISTINCT clause");
    if (select->n_group_clause > 0)
        return not_allowed(judge, select, "is not allowed with GROUP BY clause");
    if (select->having_clause != NULL)
        return not_allowed(judge, select, "is not allowed with HAVING clause");
    bool *labelled = arena_zalloc(judge->arena, select->n_target_list + 1, sizeof(*labelled));
    if (labelled == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < select->n_target_list; i++) {
        const PgQuery__Node *target = select->target_list[i];
        labelled[i] = target->node_case == PG_QUERY__NODE__NODE_RES_TARGET &&
                      target->res_target->name[0] != '\0';
    }
    lock->labelled = labelled;
    return OK;
}

/* ---- which rows ---- */

/* A sub-select in FROM would be locked from outside, past what is said here of its own level. */
static bool has_sub_select(const PgQuery__Node *node)
{
    if (node == NULL)
        return false;
    if (node->node_case == PG_QUERY__NODE__NODE_JOIN_EXPR)
        return has_sub_select(node->join_expr->larg) || has_sub_select(node->join_expr->rarg);
    return node->node_case == PG_QUERY__NODE__NODE_RANGE_SUBSELECT;
}

static enum status mark_all(struct judge *judge, const PgQuery__SelectStmt *select, bool *locked)
{
    enum status status = judge_work(judge, select->n_from_clause + 2 * judge->level->item_count);
    if (status != OK)
        return status;
    for (size_t i = 0; i < select->n_from_clause; i++) {
        if (has_sub_select(select->from_clause[i]))
            return judge_unsupported(
                judge, "lock", judge_format(judge, "%s of a sub-select", judge_lock_name(select)),
                "Name the tables that are meant by OF, or lock inside the sub-select.");
    }
    for (size_t i = 0; i < judge->level->item_count; i++)
        locked[i] = locked[i] || judge->level->items[i].use != NULL;
    return OK;
}

/* OF name: a table of this level, by the name it has here. */
static enum status mark_named(struct judge *judge, const PgQuery__SelectStmt *select,
                              const PgQuery__Node *node, bool *locked)
{
    const struct level *level = judge->level;
    const PgQuery__RangeVar *var =
        node->node_case == PG_QUERY__NODE__NODE_RANGE_VAR ? node->range_var : NULL;
    const char *name = judge_lock_name(select);
    size_t found = SIZE_MAX;
    size_t matches = 0;
    size_t at = var == NULL || var->location < 0 ? SIZE_MAX : (size_t)var->location;
    if (var == NULL || var->schemaname[0] != '\0' || var->catalogname[0] != '\0')
        return judge_refuse(
            judge, DENIED, "42601", "lock", name, at,
            judge_format(judge, "%s must specify unqualified relation names", name));
    enum status status = judge_work(judge, level->item_count + 1);
    for (size_t i = 0; status == OK && i < level->item_count; i++) {
        const struct range_item *item = &level->items[i];
        bool match = !item->hidden && item->use != NULL && item->name != NULL &&
                     strcmp(item->name, var->relname) == 0;
        found = match ? i : found;
        matches += match;
    }
    if (status == OK && matches == 0)
        return judge_refuse(
            judge, DENIED, "42P01", "lock", var->relname, at,
            judge_format(judge, "relation \"%s\" in %s clause not found among the tables of FROM",
                         var->relname, name));
    if (status == OK && matches > 1)
        return judge_refuse(
            judge, DENIED, "42P09", "lock", var->relname, at,
            judge_format(judge, "table reference \"%s\" is ambiguous", var->relname));
    if (status == OK)
        locked[found] = true;
    return status;
}

static enum status mark(struct judge *judge, const PgQuery__SelectStmt *select, bool *locked)
{
    enum status status = OK;
    for (size_t i = 0; i < select->n_locking_clause && status == OK; i++) {
        const PgQuery__Node *node = select->locking_clause[i];
        if (node->node_case != PG_QUERY__NODE__NODE_LOCKING_CLAUSE)
            return judge_unsupported(judge, "lock", judge_lock_name(select), NULL);
        const PgQuery__LockingClause *clause = node->locking_clause;
        if (clause->n_locked_rels == 0)
            status = mark_all(judge, select, locked);
        for (size_t k = 0; k < clause->n_locked_rels && status == OK; k++)
            status = mark_named(judge, select, clause->locked_rels[k], locked);
    }
    return status;
}

/* ---- may they be ---- */

static enum status may_lock(struct judge *judge, const struct relation_use *use)
{
    const char *name = judge_format(judge, "%s.%s", use->shown.schema, use->shown.name);
    const struct policy_rule *rule = use->shown.rule;
    if (name == NULL)
        return judge_no_memory(judge);
    if (judge_is_temporary(use->shown.relation))
        return OK;
    if (use->guard == NULL)
        return judge_deny(
            judge, "lock", name, SIZE_MAX,
            judge_format(judge, "rows of system catalog \"%s\" cannot be locked", name));
    if (rule == NULL || strchr("rp", use->shown.relation->kind) == NULL) {
        enum status status = judge_deny(
            judge, "lock", name, SIZE_MAX,
            judge_format(judge, "\"%s\" is not a table and its rows cannot be locked", name));
        judge_hint(judge, "Lock rows of the tables below it.");
        return status;
    }
    enum status status = judge_work(judge, use->column_count + 1);
    for (size_t i = 0; status == OK && i < use->column_count; i++) {
        if (policy_may_update(use->shown.table, rule, use->columns[i]))
            return OK;
    }
    if (status != OK)
        return status;
    status = judge_deny(judge, "lock", name, SIZE_MAX,
                        judge_format(judge, "rows of relation \"%s\" may not be locked", name));
    judge_hint(judge, judge_format(judge,
                                   "A row lock needs the right to update a column, as in "
                                   "PostgreSQL: `update` of the rule at %s:%u gives none.",
                                   judge_file_name(rule->place.file), rule->place.line));
    return status;
}

enum status judge_lock(struct judge *judge, PgQuery__SelectStmt *select, const struct lock *lock)
{
    if (select->n_locking_clause == 0)
        return OK;
    struct level *level = judge->level;
    struct range_item *filtered = NULL;
    bool *locked = arena_zalloc(judge->arena, level->item_count + 1, sizeof(*locked));
    if (locked == NULL)
        return judge_no_memory(judge);
    judge->writes = true; /* to PostgreSQL it is one: 25006 in a transaction that is read-only */
    enum status status = mark(judge, select, locked);
    for (size_t i = 0; i < level->item_count && status == OK; i++) {
        if (!locked[i])
            continue;
        status = may_lock(judge, level->items[i].use);
        const struct policy_rule *rule = level->items[i].use->shown.rule;
        if (status == OK && rule != NULL && rule->rows != NULL)
            filtered = &level->items[i];
    }
    if (status != OK || filtered == NULL)
        return status;
    if (select->n_from_clause != 1 ||
        select->from_clause[0]->node_case != PG_QUERY__NODE__NODE_RANGE_VAR)
        return judge_lock_refuse(judge, select, filtered, "beside other entries of FROM",
                                 "Lock them in a statement of its own, by primary key, and join "
                                 "afterwards.");
    /* All of them are asked for: what is locked is what is returned. */
    if (select->where_clause == NULL && select->n_sort_clause == 0 && select->limit_count == NULL &&
        select->limit_offset == NULL)
        return OK;
    return judge_lock_keys(judge, select, lock, filtered);
}
