/*
 * judge_cube.c: what may be asked of tables of patients in a mission that is aggregate_only.
 *
 * What stands behind such a table (a cube, guard_cell.h) are no rows of it: whatever a statement
 * does, it computes from numbers about whole cells. What is left to do here is that the answers are
 * what they say: groups only, sums that are those of the table's rows, and no single value, which
 * would be none of anybody's. So dimensions are used like any value, and every other column stands
 * only as the one argument of an aggregate that adds.
 *
 * It is the first wall, too. The attacks: whole rows and system columns; what tells rows apart
 * without naming a column, as random() or the order in which they come (LIMIT, DISTINCT ON,
 * row_number() and array_agg before anything is grouped); an aggregate in a sub-query that is one
 * of an outer query, by a call or by its name behind a dot; min and max, which print one person's
 * value; count(DISTINCT patient) over this ward, that ward and both.
 */
#include "judge_cube.h"

#include "guard_cell.h"

#include <string.h>

#define HINT                                                                                       \
    "The mission is aggregate_only: a table of patients is grouped by its \"dimensions\", and of " \
    "its \"measures\" count, sum and avg are given "                                               \
    "(docs/aggregate-missions.md)."

static enum status refuse(struct judge *judge, const char *what)
{
    return what == NULL ? judge_no_memory(judge)
                        : judge_unsupported(judge, "aggregate", what, HINT);
}

void judge_cube_note(struct judge *judge, struct relation_use *use)
{
    const struct judge_request *request = judge->request;
    use->cube = !judge->verdict->unrestricted &&
                guard_is_cube(request->policy, request->mission, use->shown.table);
    judge->cubes = judge->cubes || use->cube;
}

static bool is_cube(const struct range_item *item)
{
    return item->use != NULL && item->use->cube;
}

enum status judge_cube_item(struct judge *judge, const struct range_item *item)
{
    if (!is_cube(item))
        return OK;
    judge->level->cube = true;
    bool only = item->var != NULL && !item->var->inh && item->use->shown.relation->has_children;
    return only ? refuse(judge, "ONLY") : OK;
}

/* ---- columns ---- */

/* An aggregate further in that takes a column of `level` is one of that level's own, however it
 * looks: it may be any, and the inner query then groups nothing. */
static bool reaches_out(const struct judge *judge, const struct level *level)
{
    for (const struct level *at = judge->level; at != level; at = at->parent)
        if (at->aggregate_depth > 0)
            return true;
    return false;
}

void judge_cube_hint(struct judge *judge, const struct range_item *item, const char *name)
{
    const struct relation_use *use = item->use;
    const struct policy *policy = judge->request->policy;
    if (!is_cube(item) || catalog_column(use->shown.relation, name) == NULL ||
        policy_mask_for(policy, use->shown.table, use->shown.rule, name)->kind == MASK_HIDE)
        return;
    judge_hint(
        judge,
        judge_format(judge,
                     "The mission is aggregate_only, and the policy has \"%s\" neither among "
                     "the \"dimensions\" of %s.%s nor among its \"measures\" (%s:%u).",
                     name, use->shown.schema, use->shown.name,
                     judge_file_name(use->shown.table->place.file), use->shown.table->place.line));
}

static enum status refuse_column(struct judge *judge, const struct range_item *item,
                                 const char *name, enum policy_part part)
{
    const struct relation_use *use = item->use;
    if (part == PART_MEASURE)
        return refuse(judge, judge_format(judge,
                                          "column \"%s\" of %s.%s other than in count(%s), sum(%s) "
                                          "and their kin",
                                          name, use->shown.schema, use->shown.name, name, name));
    return refuse(judge, judge_format(judge, "column \"%s\" of %s.%s", name, use->shown.schema,
                                      use->shown.name));
}

enum status judge_cube_column(struct judge *judge, struct level *level, struct range_item *item,
                              long column, const PgQuery__ColumnRef *ref)
{
    if (level->cube && reaches_out(judge, level))
        return refuse(judge, "an aggregate of a sub-query that takes columns of an outer one");
    if (!is_cube(item))
        return OK;
    const struct relation_use *use = item->use;
    if (column < 0 || (size_t)column >= use->column_count)
        return refuse(
            judge, judge_format(judge, "a whole row of %s.%s", use->shown.schema, use->shown.name));
    const char *name = use->columns[column];
    enum policy_part part = policy_part_of(use->shown.table, name);
    bool argument = ref != NULL && ref == judge->argument.ref && level == judge->level;
    if (part == PART_DIMENSION)
        return OK;
    const char *subject = use->shown.table->subject_column;
    if (argument && judge->argument.distinct && subject != NULL && strcmp(subject, name) == 0) {
        item->people = true;
        return OK;
    }
    return argument && judge->argument.adds && part == PART_MEASURE
               ? OK
               : refuse_column(judge, item, name, part);
}

/* ---- calls ---- */

static bool is_listed(const char *const *names, const char *name)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* What rows of a cell have together, and how many they are. */
static const char *const adding[] = {"avg", "count", "sum", NULL};
/* Of dimensions, which are the same for a whole cell: whatever does not hang on the rows' order. */
static const char *const orderless[] = {"bit_and", "bit_or", "bit_xor", "bool_and", "bool_or",
                                        "every",   "max",    "min",     NULL};

/* Its name is qualified by now; what has another schema is the database's own. */
static const char *builtin_name(const PgQuery__FuncCall *call)
{
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : NULL;
    return schema != NULL && strcmp(schema, "pg_catalog") == 0 ? tree_string(call->funcname[1])
                                                               : NULL;
}

/* count(*), count(1) and sum(1) are of the level they stand in, unless a FILTER or an ORDER BY
 * names outer columns only. */
static bool counts_rows(const PgQuery__FuncCall *call)
{
    bool constant = call->n_args == 1 && call->args[0]->node_case == PG_QUERY__NODE__NODE_A_CONST;
    return (call->agg_star || constant) && call->over == NULL && call->agg_filter == NULL &&
           call->n_agg_order == 0;
}

static void note_argument(struct judge *judge, const PgQuery__FuncCall *call, const char *name)
{
    const PgQuery__Node *first = call->n_args == 1 ? call->args[0] : NULL;
    bool plain = first != NULL && first->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
                 call->over == NULL && call->n_agg_order == 0 && !call->agg_within_group &&
                 !call->func_variadic;
    if (!plain || !is_listed(adding, name))
        return;
    judge->argument =
        (struct cube_argument){.ref = first->column_ref,
                               .adds = !call->agg_distinct,
                               .distinct = call->agg_distinct && strcmp(name, "count") == 0};
}

enum status judge_cube_call(struct judge *judge, const PgQuery__FuncCall *call,
                            struct cube_argument *before)
{
    const char *name = builtin_name(call);
    struct level *level = judge->level;
    *before = judge->argument;
    judge->argument = (struct cube_argument){.ref = NULL};
    /* How a value lies on the disk is not the same for all that are equal. */
    if (name != NULL && (functions_volatile(name) || strcmp(name, "pg_column_size") == 0))
        judge->changing = name;
    if (level == NULL || name == NULL || !functions_aggregate(name))
        return OK;
    if (counts_rows(call))
        level->told = true;
    note_argument(judge, call, name);
    return level->cube && call->over == NULL && !is_listed(adding, name) &&
                   !is_listed(orderless, name)
               ? refuse(judge, judge_format(judge, "%s() over patients", name))
               : OK;
}

/* ---- a SELECT ---- */

static bool is_plain_distinct(const PgQuery__SelectStmt *select)
{
    return select->n_distinct_clause == 1 && tree_content(select->distinct_clause[0]) == NULL;
}

/* Types in which what is equal has one text: of others a group may be of several cells. */
static bool has_one_text(const struct catalog_column *column)
{
    static const char *const types[] = {"smallint",          "integer", "bigint",
                                        "boolean",           "date",    "text",
                                        "character varying", "uuid",    NULL};
    const char *type = column->base_type;
    size_t len = strcspn(type, "(");
    if (strncmp(type, "timestamp", strlen("timestamp")) == 0)
        return strstr(type, "[]") == NULL;
    if (strchr(type, '.') != NULL) /* an enumeration, mostly */
        return !column->operand && !column->castable && strstr(type, "[]") == NULL;
    for (size_t i = 0; types[i] != NULL; i++)
        if (strlen(types[i]) == len && strncmp(types[i], type, len) == 0 &&
            strstr(type, "[]") == NULL)
            return true;
    return false;
}

/* A patient who is in two cells is two patients (guard_cell.c): so each group must be one cell. */
static enum status check_single(struct judge *judge, const struct relation_use *use)
{
    const struct policy *policy = judge->request->policy;
    for (size_t i = 0; i < use->column_count; i++) {
        const char *name = use->columns[i];
        enum policy_part part = policy_part_of(use->shown.table, name);
        const struct catalog_column *column = catalog_column(use->shown.relation, name);
        bool there =
            column != NULL && column->not_null &&
            policy_mask_for(policy, use->shown.table, use->shown.rule, name)->kind == MASK_SHOW;
        if (part == PART_MEASURE && !there)
            return refuse(judge,
                          judge_format(judge,
                                       "a number of patients of %s.%s, whose measure \"%s\" may be "
                                       "missing, so that a group may be of two cells,",
                                       use->shown.schema, use->shown.name, name));
        if (part == PART_DIMENSION && (column == NULL || !has_one_text(column)))
            return refuse(judge,
                          judge_format(judge,
                                       "a number of patients of %s.%s, of whose dimension \"%s\" "
                                       "equal values may be of two cells,",
                                       use->shown.schema, use->shown.name, name));
    }
    return OK;
}

static enum status check_people(struct judge *judge, const PgQuery__SelectStmt *select,
                                const struct range_item *item)
{
    const struct relation_use *use = item->use;
    for (size_t i = 0; i < select->n_group_clause; i++)
        if (select->group_clause[i]->node_case == PG_QUERY__NODE__NODE_GROUPING_SET)
            return refuse(judge, "a number of patients in GROUPING SETS, ROLLUP or CUBE");
    for (size_t i = 0; i < use->column_count; i++)
        if (policy_part_of(use->shown.table, use->columns[i]) == PART_DIMENSION &&
            !item->grouped[i])
            return refuse(
                judge, judge_format(judge,
                                    "a number of patients without GROUP BY \"%s\" (and all other "
                                    "dimensions of %s.%s; patients of several cells cannot be "
                                    "told apart)",
                                    use->columns[i], use->shown.schema, use->shown.name));
    return check_single(judge, use);
}

enum status judge_cube_select(struct judge *judge, const PgQuery__SelectStmt *select)
{
    const struct level *level = judge->level;
    if (!level->cube)
        return OK;
    if (level->natural)
        return refuse(judge, "NATURAL JOIN");
    if (select->n_locking_clause > 0)
        return refuse(judge, "FOR UPDATE");
    bool grouped =
        level->told || select->n_group_clause > 0 || (is_plain_distinct(select) && !level->windows);
    if (!grouped)
        return refuse(judge, "reading rows of patients one by one, without an aggregate or GROUP "
                             "BY,");
    for (size_t i = 0; i < level->item_count; i++) {
        const struct range_item *item = &level->items[i];
        if (!is_cube(item))
            continue;
        if (item->hidden)
            return refuse(judge, "a join with an alias of its own");
        item->use->grouped = true;
        enum status status = item->people ? check_people(judge, select, item) : OK;
        if (status != OK)
            return status;
    }
    return OK;
}

bool judge_cube_sorts_output(const struct judge *judge, const PgQuery__Node *node)
{
    const struct level *level = judge->level;
    const PgQuery__SortBy *sort =
        node->node_case == PG_QUERY__NODE__NODE_SORT_BY ? node->sort_by : NULL;
    const PgQuery__Node *value = sort == NULL || sort->n_use_op > 0 ? NULL : sort->node;
    const char *name = value != NULL && value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
                               value->column_ref->n_fields == 1
                           ? tree_string(value->column_ref->fields[0])
                           : NULL;
    for (size_t i = 0;
         name != NULL && level->cube && level->select != NULL && i < level->select->n_target_list;
         i++) {
        const PgQuery__Node *target = level->select->target_list[i];
        if (target->node_case == PG_QUERY__NODE__NODE_RES_TARGET &&
            strcmp(target->res_target->name, name) == 0)
            return true;
    }
    return false;
}

/* ---- the statement ---- */

static bool is_asking(const struct verdict_statement *out)
{
    return out->kind == STATEMENT_SELECT || out->kind == STATEMENT_DECLARE ||
           out->kind == STATEMENT_COPY_TO || out->kind == STATEMENT_PREPARE;
}

enum status judge_cube_statement(struct judge *judge, struct verdict_statement *out)
{
    if (!judge->cubes)
        return OK;
    out->aggregate = true;
    if (!is_asking(out) || judge->writes)
        return refuse(judge, judge_format(judge, "%s of patients", out->tag));
    if (judge->calls_foreign_function)
        return refuse(judge, "a function of the database's own beside patients");
    if (judge->changing != NULL || judge->sequences || judge->objects || judge->changes)
        return refuse(judge,
                      judge_format(judge, "%s(), which may answer otherwise for each row,",
                                   judge->changing == NULL ? "a function" : judge->changing));
    /* COPY of a table and the like read without a SELECT that was looked at. */
    for (size_t i = 0; i < judge->use_count; i++)
        if (judge->uses[i]->cube && !judge->uses[i]->grouped)
            return refuse(judge, "reading rows of patients one by one");
    return OK;
}
