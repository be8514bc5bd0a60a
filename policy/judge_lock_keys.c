/*
 * judge_lock_keys.c: exact row locks under a row filter, with WHERE, ORDER BY or LIMIT.
 *
 *     SELECT <targets> FROM t WHERE <p> ORDER BY <o> LIMIT n FOR UPDATE SKIP LOCKED
 *
 * is sent as
 *
 *     SELECT <targets> FROM (SELECT t.key AS "pgvigil 1" FROM guard AS t WHERE <p> ORDER BY <o>
 *         OFFSET 0) AS "pgvigil keys",
 *     LATERAL (SELECT * FROM guard AS t WHERE t.key = "pgvigil keys"."pgvigil 1"
 *         AND ((<p>) IS TRUE) OFFSET 0) AS t LIMIT n FOR UPDATE OF t SKIP LOCKED
 *
 * The keys come in order and without a lock. For each of them the second sub-select finds one row,
 * waits for it or skips it, and asks <p> again of what it found, as PostgreSQL does after a wait.
 * LIMIT stops the loop when it has enough. What this stands on:
 *
 * - A lateral sub-select can only be the inner side of a nested loop, so the order of the keys is
 *   the order of the rows. It is not asked for once more outside: where <p> fixes a sort key
 *   (WHERE state = 'ready' ORDER BY state, id), the planner would not know the order for the same,
 *   sort again, and lock everything before that.
 * - OFFSET 0 keeps either sub-select from being merged into what is round it: a key could then be
 *   joined by hash, with every row of the guard locked first. And nothing else stands in the outer
 *   FROM and WHERE: a sub-select of <p> would become a join above the locks.
 * - `IS TRUE` keeps the sub-selects of the second <p> what they are, instead of a join for each
 * row.
 * - The comparison of keys passes the guard's security barrier, below its lock, as its operator is
 *   leakproof. With any other type each row would lock every permitted one: refused.
 * - A primary key names one row. Not where a table has children that may hold the same one.
 * - <p> answers alike when asked twice: refused where it calls a volatile function.
 *
 * PostgreSQL pushes the lock of the outer clause down into the second sub-select, and checks there
 * and in the outer SELECT what it always checks: aggregates, windows, sets in the output, rights.
 * What differs from a table: a row whose key changes while it is waited for is left out.
 */
#include "judge_lock.h"

#include <string.h>

#define KEYS "\"pgvigil keys\""

/* ---- the key ---- */

/* Types whose equality PostgreSQL marks as leakproof and btree indexes use. A test asks it. */
static const char *const leakproof[] = {
    "\"char\"",
    "bigint",
    "boolean",
    "bytea",
    "character",
    "character varying",
    "cidr",
    "date",
    "double precision",
    "inet",
    "integer",
    "macaddr",
    "name",
    "oid",
    "real",
    "smallint",
    "text",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
};

static bool compares_leakproof(const struct catalog_column *column)
{
    for (size_t i = 0; i < sizeof(leakproof) / sizeof(leakproof[0]); i++) {
        if (catalog_type_is(column->base_type, leakproof[i]))
            return true;
    }
    return false;
}

/* The guard's column that is this part of the key, unmasked. */
static size_t key_part(const struct judge *judge, const struct relation_use *use, int16_t attnum)
{
    for (size_t i = 0; i < use->column_count; i++) {
        if (use->guard->base_attnums[i] == attnum &&
            policy_mask_for(judge->request->policy, use->shown.table, use->shown.rule,
                            use->columns[i])
                    ->kind == MASK_SHOW)
            return i;
    }
    return SIZE_MAX;
}

static enum status no_key(struct judge *judge, const PgQuery__SelectStmt *select,
                          const struct range_item *item, const char *what)
{
    const struct policy_place *place = &item->use->shown.rule->place;
    return judge_lock_refuse(
        judge, select, item, what,
        judge_format(judge,
                     "They are locked by primary key, which the rule at %s:%u must show as it is. "
                     "Without WHERE, ORDER BY and LIMIT all rows can be locked.",
                     judge_file_name(place->file), place->line));
}

/* Where the guard's columns stand that are the key; as many as the relation has. */
static enum status find_key(struct judge *judge, const PgQuery__SelectStmt *select,
                            const struct range_item *item, size_t *parts)
{
    const struct relation_use *use = item->use;
    const struct catalog_relation *relation = use->shown.relation;
    if (relation->primary_key_count == 0)
        return no_key(judge, select, item, "without a primary key");
    if (relation->has_children && relation->kind != 'p' && select->from_clause[0]->range_var->inh)
        return judge_lock_refuse(judge, select, item, "while it has child tables",
                                 "A key may be there and in a child as well: lock FROM ONLY, and "
                                 "the children by themselves.");
    for (size_t i = 0; i < relation->primary_key_count; i++) {
        enum status status = judge_work(judge, use->column_count + 1);
        if (status != OK)
            return status;
        parts[i] = key_part(judge, use, relation->primary_key[i]);
        if (parts[i] == SIZE_MAX)
            return no_key(judge, select, item, "without its primary key shown");
        const struct catalog_column *column = catalog_column(relation, use->columns[parts[i]]);
        if (column == NULL || !compares_leakproof(column))
            return judge_lock_refuse(
                judge, select, item,
                judge_format(judge, "by a primary key of type %s",
                             column == NULL ? "unknown" : column->base_type),
                "PostgreSQL looks for such a key only behind the row filter, and would lock every "
                "permitted row. Without WHERE, ORDER BY and LIMIT all rows can be locked.");
    }
    return OK;
}

/* ---- what is evaluated twice ---- */

struct twice {
    struct judge *judge;
    const PgQuery__SelectStmt *select;
    const struct range_item *item;
    const char *where;
};

/* Names are those that are sent: whoever may stand in for whom was settled before. */
static bool is_volatile(const struct judge *judge, const PgQuery__FuncCall *call)
{
    const char *name =
        call->n_funcname == 0 ? NULL : tree_string(call->funcname[call->n_funcname - 1]);
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : "pg_catalog";
    if (name == NULL || schema == NULL)
        return true;
    if (strcmp(schema, "pg_catalog") == 0)
        return functions_volatile(name);
    if (strcmp(schema, judge->catalog_schema) == 0)
        return false;
    const struct catalog_function *function =
        catalog_function_find(judge->request->catalog, schema, name);
    return function == NULL || function->is_volatile;
}

static enum status twice_visit(void *context, ProtobufCMessage *message)
{
    const struct twice *twice = context;
    struct judge *judge = twice->judge;
    if (message->descriptor == &pg_query__locking_clause__descriptor)
        return judge_lock_refuse(judge, twice->select, twice->item,
                                 judge_format(judge, "with another row lock in %s", twice->where),
                                 "It would be asked for twice: lock in a statement of its own.");
    if (message->descriptor == &pg_query__func_call__descriptor) {
        const PgQuery__FuncCall *call = (const PgQuery__FuncCall *)message;
        if (is_volatile(judge, call)) {
            const char *name =
                call->n_funcname == 0 ? NULL : tree_string(call->funcname[call->n_funcname - 1]);
            return judge_lock_refuse(
                judge, twice->select, twice->item,
                judge_format(judge, "with the volatile function \"%s\" in %s",
                             name == NULL ? "" : name, twice->where),
                "It would be called twice: pass what it returns as a parameter.");
        }
    }
    return tree_children(message, twice_visit, context);
}

enum status judge_lock_twice(struct judge *judge, const PgQuery__SelectStmt *select,
                             const struct range_item *item, PgQuery__Node *node, const char *where)
{
    struct twice twice = {judge, select, item, where};
    return node == NULL ? OK : twice_visit(&twice, &node->base);
}

/* ---- the text ---- */

struct frame {
    const char *name;     /* of the relation here, quoted */
    const char *open;     /* in front of the relation */
    const char *middle;   /* behind ORDER BY: up to the relation's second place */
    const char *match;    /* behind that: up to WHERE's second place */
    const char *close;    /* behind that */
    const char *skeleton; /* the whole, with an x for the relation and `true` for WHERE */
};

static enum status make_frame(struct judge *judge, const struct range_item *item,
                              const size_t *parts, bool where, struct frame *frame)
{
    const char *name = rewrite_quote(judge, item->emitted);
    const char *keys = "";
    const char *match = "";
    for (size_t i = 0; i < item->use->shown.relation->primary_key_count; i++) {
        const char *column = rewrite_quote(judge, item->columns.names[parts[i]]);
        if (name == NULL || column == NULL || keys == NULL || match == NULL)
            return judge_no_memory(judge);
        keys = judge_format(judge, "%s%s%s.%s AS \"pgvigil %zu\"", keys, i == 0 ? "" : ", ", name,
                            column, i + 1);
        match = judge_format(judge, "%s%s%s.%s = " KEYS ".\"pgvigil %zu\"", match,
                             i == 0 ? "" : " AND ", name, column, i + 1);
    }
    if (name == NULL || keys == NULL || match == NULL)
        return judge_no_memory(judge);
    frame->name = name;
    frame->open = judge_format(judge, "(SELECT %s FROM ", keys);
    frame->middle = "\nOFFSET 0) AS " KEYS ", LATERAL (SELECT * FROM ";
    frame->match = judge_format(judge, "\nWHERE %s%s", match, where ? " AND ((" : "");
    frame->close = judge_format(judge, "%s OFFSET 0) AS %s ", where ? "\n) IS TRUE)" : "", name);
    frame->skeleton =
        frame->open == NULL || frame->match == NULL || frame->close == NULL
            ? NULL
            : judge_format(judge, "SELECT FROM %sx%sx%s%s%sFOR UPDATE OF %s", frame->open,
                           frame->middle, frame->match, where ? "true" : "", frame->close, name);
    return frame->skeleton == NULL ? judge_no_memory(judge) : OK;
}

static enum status edit_frame(struct judge *judge, const struct lock_text *text,
                              const struct frame *frame)
{
    const struct token *tokens = judge->tokens.tokens;
    size_t start = tokens[text->relation].start;
    size_t tail = tokens[text->tail].start;
    bool where = text->where != SIZE_MAX;
    size_t order = text->order == SIZE_MAX ? tail : tokens[text->order].start;
    const struct piece open = {.text = frame->open};
    const struct piece pieces[] = {
        {.text = frame->middle},
        /* The alias it was given may stand at its very end: `FROM t*WHERE`. */
        {.from = start, .to = where ? tokens[text->where].start : order, .with_end = true},
        {.text = frame->match},
        {.text = frame->close},
    };
    enum status status = rewrite_frame(judge, start, 0, true, &open, 1);
    if (status != OK || !where)
        return status != OK ? status : rewrite_frame(judge, tail, 0, false, pieces, 4);
    const struct piece with_where[] = {
        pieces[0], pieces[1], pieces[2], {.from = tokens[text->where + 1].start, .to = order},
        pieces[3],
    };
    return rewrite_frame(judge, tail, 0, false, with_where, 5);
}

/* FOR UPDATE without OF would lock the keys' rows, all of them. */
static enum status edit_clauses(struct judge *judge, PgQuery__SelectStmt *select,
                                const struct lock_text *text, const struct frame *frame,
                                const PgQuery__LockingClause *named)
{
    for (size_t i = 0; i < select->n_locking_clause; i++) {
        PgQuery__LockingClause *clause = select->locking_clause[i]->locking_clause;
        if (clause->n_locked_rels > 0)
            continue;
        size_t index = text->clauses[i] + 1;
        while (index + 1 < judge->tokens.count &&
               judge->tokens.tokens[index].kind != PG_QUERY__TOKEN__UPDATE &&
               judge->tokens.tokens[index].kind != PG_QUERY__TOKEN__SHARE)
            index++;
        const char *of = judge_format(judge, " OF %s", frame->name);
        if (index >= judge->tokens.count || named == NULL)
            return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "lock", SIZE_MAX,
                                "a row lock was not found in the text");
        size_t word = judge->tokens.tokens[index].kind == PG_QUERY__TOKEN__UPDATE ? strlen("UPDATE")
                                                                                  : strlen("SHARE");
        enum status status = rewrite_edit(judge, judge->tokens.tokens[index].start + word, 0, of);
        if (status != OK)
            return status;
        clause->locked_rels = named->locked_rels;
        clause->n_locked_rels = named->n_locked_rels;
    }
    return OK;
}

/* `*` would be the keys too. */
static enum status edit_stars(struct judge *judge, PgQuery__SelectStmt *select,
                              const struct range_item *item, const struct frame *frame)
{
    for (size_t i = 0; i < select->n_target_list; i++) {
        const PgQuery__Node *value = select->target_list[i]->res_target->val;
        PgQuery__ColumnRef *ref =
            value != NULL && value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? value->column_ref
                                                                                 : NULL;
        if (ref == NULL || ref->n_fields != 1 || ref->location < 0 ||
            ref->fields[0]->node_case != PG_QUERY__NODE__NODE_A_STAR)
            continue;
        enum status status =
            rewrite_edit(judge, (size_t)ref->location, 1, judge_format(judge, "%s.*", frame->name));
        if (status != OK)
            return status;
        judge->edits[judge->edit_count - 1].star = true;
        if (tree_insert(judge->arena, &ref->fields, &ref->n_fields, 0,
                        tree_new_string(judge->arena, item->emitted)) != OK)
            return judge_no_memory(judge);
    }
    return OK;
}

/* ---- the tree ---- */

static PgQuery__SelectStmt *sub_select(const PgQuery__Node *node)
{
    const PgQuery__RangeSubselect *range =
        node->node_case == PG_QUERY__NODE__NODE_RANGE_SUBSELECT ? node->range_subselect : NULL;
    return range != NULL && range->subquery->node_case == PG_QUERY__NODE__NODE_SELECT_STMT
               ? range->subquery->select_stmt
               : NULL;
}

/* The place of WHERE in the second sub-select, or NULL. */
static PgQuery__BooleanTest *second_where(const PgQuery__SelectStmt *row)
{
    const PgQuery__Node *node = row->where_clause;
    const PgQuery__BoolExpr *both =
        node != NULL && node->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR ? node->bool_expr : NULL;
    const PgQuery__Node *last = both == NULL ? NULL : both->args[both->n_args - 1];
    return last != NULL && last->node_case == PG_QUERY__NODE__NODE_BOOLEAN_TEST ? last->boolean_test
                                                                                : NULL;
}

/* The skeleton is parsed, and the level's own nodes take their places in it. */
static enum status change_tree(struct judge *judge, PgQuery__SelectStmt *select,
                               const struct frame *frame, const PgQuery__LockingClause **named)
{
    PgQuery__ParseResult *tree = NULL;
    const char *message = NULL;
    size_t position = 0;
    enum status status = tree_parse(frame->skeleton, judge->arena, &tree, &message, &position);
    const PgQuery__SelectStmt *made =
        status == OK && tree->n_stmts == 1 &&
                tree->stmts[0]->stmt->node_case == PG_QUERY__NODE__NODE_SELECT_STMT
            ? tree->stmts[0]->stmt->select_stmt
            : NULL;
    PgQuery__SelectStmt *keys =
        made == NULL || made->n_from_clause != 2 ? NULL : sub_select(made->from_clause[0]);
    PgQuery__SelectStmt *row = keys == NULL ? NULL : sub_select(made->from_clause[1]);
    PgQuery__BooleanTest *test = row == NULL ? NULL : second_where(row);
    if (status == ERR_MEMORY)
        return judge_no_memory(judge);
    if (row == NULL || (test == NULL) != (select->where_clause == NULL))
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "lock", SIZE_MAX,
                            "the frame of a row lock does not read as it was written");
    keys->from_clause[0] = row->from_clause[0] = select->from_clause[0];
    keys->where_clause = select->where_clause;
    keys->sort_clause = select->sort_clause;
    keys->n_sort_clause = select->n_sort_clause;
    if (test != NULL)
        test->arg = select->where_clause;
    select->from_clause = made->from_clause;
    select->n_from_clause = made->n_from_clause;
    select->where_clause = NULL;
    select->sort_clause = NULL;
    select->n_sort_clause = 0;
    *named = made->locking_clause[0]->locking_clause;
    return OK;
}

enum status judge_lock_keys(struct judge *judge, PgQuery__SelectStmt *select,
                            const struct lock *lock, struct range_item *item)
{
    size_t parts[32] = {0}; /* PostgreSQL's own limit */
    struct frame frame = {.name = NULL};
    struct lock_text text = {0};
    const PgQuery__LockingClause *named = NULL;
    if (item->use->shown.relation->primary_key_count > sizeof(parts) / sizeof(parts[0]))
        return judge_lock_refuse(judge, select, item, "by a key of so many columns", NULL);
    if (select->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES)
        return judge_lock_refuse(judge, select, item, "WITH TIES", "Use LIMIT.");
    if (select->n_window_clause > 0)
        return judge_lock_refuse(judge, select, item, "with WINDOW", NULL);
    if (strncmp(item->emitted, "pgvigil ", strlen("pgvigil ")) == 0)
        return judge_lock_refuse(judge, select, item, "under a name of pgvigil's",
                                 "Choose another alias.");
    enum status status = find_key(judge, select, item, parts);
    if (status == OK)
        status = judge_lock_twice(judge, select, item, select->where_clause, "WHERE");
    if (status == OK)
        status = judge_lock_find(judge, select, item, &text);
    if (status == OK)
        status = make_frame(judge, item, parts, select->where_clause != NULL, &frame);
    if (status == OK)
        status = judge_lock_order(judge, select, lock, &text, item);
    if (status == OK)
        status = edit_frame(judge, &text, &frame);
    if (status == OK)
        status = edit_stars(judge, select, item, &frame);
    if (status == OK)
        status = change_tree(judge, select, &frame, &named);
    return status == OK ? edit_clauses(judge, select, &text, &frame, named) : status;
}
