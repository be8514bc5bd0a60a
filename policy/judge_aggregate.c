/*
 * judge_aggregate.c: what may be asked of patients in a mission that is aggregate_only.
 *
 * Purpose: such a mission gives groups, each over at least k patients, and nothing else of them.
 * The closed list below is of what can be asked of a group without asking about one of it; all
 * else is refused by its name. judge_aggregate_text.c then writes the bounds into the statement,
 * and the proxy looks once more at each row (proxy/aggregate.h).
 *
 * Trust boundary: the client's text. The attacks: an aggregate that prints one person's value
 * (max, array_agg), or of an expression that is zero for all but one (sum(CASE ...)); a condition
 * that fails for some rows only (1/(age-41)) and so answers by its error, below every threshold; a
 * sub-query that asks about one patient in front of thousands of rows; HAVING and ORDER BY of an
 * aggregate that is not told; and the numbers by which one patient is found at once.
 *
 * Called when the statement was judged: names are resolved and qualified by then, and what an
 * ordinary mission refuses is refused. The tree is read only.
 */
#include "judge_aggregate.h"

#include <string.h>
#include <strings.h>

#define HINT                                                                                       \
    "The mission is aggregate_only: of patients it gives count, sum, avg, stddev and variance of " \
    "columns, grouped by columns, under conditions that compare columns with constants."

struct asked {
    struct judge *judge;
    const struct carry *carry;
    const PgQuery__SelectStmt *select;
    size_t aggregates;
    unsigned depth;
};

static enum status refuse(struct judge *judge, const char *what)
{
    return what == NULL ? judge_no_memory(judge)
                        : judge_unsupported(judge, "aggregate", what, HINT);
}

const struct policy_aggregate *aggregate_only(const struct judge *judge)
{
    const struct judge_request *request = judge->request;
    return request->mission < 0 || judge->verdict->unrestricted
               ? NULL
               : request->policy->missions[request->mission].aggregate_only;
}

/* ---- columns ---- */

struct range_item *aggregate_item(const struct carry *carry, const PgQuery__Node *node,
                                  long *column)
{
    const PgQuery__ColumnRef *ref =
        node != NULL && node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? node->column_ref
                                                                           : NULL;
    if (ref == NULL || ref->n_fields < 1 || ref->n_fields > 2)
        return NULL;
    const char *name = tree_string(ref->fields[ref->n_fields - 1]);
    const char *qualifier = ref->n_fields == 2 ? tree_string(ref->fields[0]) : NULL;
    if (name == NULL || (ref->n_fields == 2 && qualifier == NULL))
        return NULL;
    for (size_t i = 0; i < carry->item_count; i++) {
        struct range_item *item = &carry->items[i];
        *column = qualifier == NULL || strcmp(item->emitted, qualifier) == 0
                      ? scope_column(item, name)
                      : -1;
        if (*column >= 0)
            return item;
    }
    return NULL;
}

static const struct catalog_column *base_column(const struct range_item *item, long column)
{
    const struct catalog_relation *relation = item->use->shown.relation;
    int16_t attnum = item->use->guard->base_attnums[column];
    for (size_t i = 0; i < relation->column_count; i++)
        if (attnum != 0 && relation->columns[i].attnum == attnum)
            return &relation->columns[i];
    return NULL;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80) != 0;
}

/* As a word of it, in whatever case: too often is on the safe side. */
static bool names(const char *expression, const char *column)
{
    size_t len = strlen(column);
    for (const char *at = expression; (at = strcasestr(at, column)) != NULL; at++)
        if ((at == expression || !is_name_byte(at[-1])) && !is_name_byte(at[len]))
            return true;
    return false;
}

/* Does a value of the column mean one patient, or one row? */
static bool is_key(const struct range_item *item, long column)
{
    const struct verdict_relation *shown = &item->use->shown;
    const struct catalog_column *base = base_column(item, column);
    if (shown->table->subject == NULL)
        return false;
    if (base == NULL || names(shown->table->subject, base->name))
        return true;
    for (size_t i = 0; i < shown->relation->primary_key_count; i++)
        if (shown->relation->primary_key_count == 1 &&
            shown->relation->primary_key[i] == base->attnum)
            return true;
    for (size_t i = 0; i < shown->relation->constraint_count; i++) {
        const struct catalog_constraint *constraint = &shown->relation->constraints[i];
        if (constraint->kind != CONSTRAINT_EXCLUSION && constraint->column_count == 1 &&
            constraint->columns[0] == base->attnum)
            return true;
    }
    return false;
}

/* Types whose comparisons answer for every value: some of PostgreSQL's own, and those of the
 * database's that have no operators and casts of their own (enumerations, mostly). */
static bool compares(const struct catalog_column *column)
{
    const char *type = column->base_type;
    static const char *const known[] = {"smallint",
                                        "integer",
                                        "bigint",
                                        "numeric",
                                        "real",
                                        "double precision",
                                        "text",
                                        "character varying",
                                        "character",
                                        "date",
                                        "timestamp without",
                                        "timestamp with",
                                        "time without",
                                        "boolean",
                                        "uuid"};
    for (size_t i = 0; type != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        size_t len = strlen(known[i]);
        if (strncmp(type, known[i], len) == 0 && strstr(type, "[]") == NULL &&
            (type[len] == '\0' || type[len] == '(' || type[len] == ' '))
            return true;
    }
    return type != NULL && strchr(type, '.') != NULL && strstr(type, "[]") == NULL &&
           !column->operand && !column->castable;
}

/* `what`: "a condition on", for the refusal. */
static enum status plain_column(struct asked *asked, const PgQuery__Node *node, const char *what,
                                bool keys)
{
    long column = -1;
    struct judge *judge = asked->judge;
    const struct range_item *item = aggregate_item(asked->carry, node, &column);
    if (item == NULL)
        return refuse(judge, judge_format(judge, "%s something that is no column", what));
    const char *name = item->columns.names[column];
    const struct catalog_column *base = base_column(item, column);
    if (!keys && is_key(item, column))
        return refuse(
            judge,
            judge_format(judge, "%s \"%s\", which stands for one patient or one row,", what, name));
    return base != NULL && compares(base)
               ? OK
               : refuse(judge,
                        judge_format(judge, "%s \"%s\", whose type has no plain comparisons,", what,
                                     name));
}

/* ---- FROM ---- */

static bool is_equality(PgQuery__Node *const *name, size_t count, const char *const *operators)
{
    const char *text = count == 0 || count > 2 ? NULL : tree_string(name[count - 1]);
    const char *schema = count == 2 ? tree_string(name[0]) : "pg_catalog";
    if (text == NULL || schema == NULL || strcmp(schema, "pg_catalog") != 0)
        return false;
    for (; *operators != NULL; operators++)
        if (strcmp(*operators, text) == 0)
            return true;
    return false;
}

static const char *const equal[] = {"=", NULL};
static const char *const unequal[] = {"=", "<>", NULL};
static const char *const comparing[] = {"=", "<>", "!=", "<", ">", "<=", ">=", NULL};

static enum status check_on(struct asked *asked, const PgQuery__Node *node)
{
    if (node != NULL && node->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR &&
        node->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
        for (size_t i = 0; i < node->bool_expr->n_args; i++) {
            enum status status = check_on(asked, node->bool_expr->args[i]);
            if (status != OK)
                return status;
        }
        return OK;
    }
    const PgQuery__AExpr *expr =
        node != NULL && node->node_case == PG_QUERY__NODE__NODE_A_EXPR ? node->a_expr : NULL;
    if (expr == NULL || expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP ||
        !is_equality(expr->name, expr->n_name, equal))
        return refuse(asked->judge, "a join on anything but columns that are equal");
    enum status status = plain_column(asked, expr->lexpr, "a join on", true);
    if (status == OK)
        status = plain_column(asked, expr->rexpr, "a join on", true);
    if (status != OK)
        return status;
    /* Equal to a ward's number, a patient's would be chosen by it. */
    long column = -1;
    const struct range_item *item = aggregate_item(asked->carry, expr->lexpr, &column);
    bool key = is_key(item, column);
    item = aggregate_item(asked->carry, expr->rexpr, &column);
    return key == is_key(item, column)
               ? OK
               : refuse(asked->judge, "a join of a patient's or a row's number with another value");
}

static enum status check_from(struct asked *asked, const PgQuery__Node *node)
{
    if (node->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
        return node->range_var->inh ? OK : refuse(asked->judge, "ONLY");
    if (node->node_case != PG_QUERY__NODE__NODE_JOIN_EXPR)
        return refuse(asked->judge, "anything in FROM but tables and joins of them");
    const PgQuery__JoinExpr *join = node->join_expr;
    if (join->jointype != PG_QUERY__JOIN_TYPE__JOIN_INNER || join->is_natural ||
        join->n_using_clause > 0 || join->alias != NULL || join->join_using_alias != NULL ||
        join->quals == NULL)
        return refuse(asked->judge, "a join other than JOIN ... ON");
    enum status status = check_from(asked, join->larg);
    if (status == OK)
        status = check_from(asked, join->rarg);
    return status == OK ? check_on(asked, join->quals) : status;
}

/* Rows are told apart by PostgreSQL's own hash of records, which fails for some of its types, and
 * then only where there is a row: that would be an answer. */
static const char *without_hash(const struct range_item *item)
{
    static const char *const known[] = {
        "json",      "xml",      "point",   "lseg",     "path",         "box",
        "polygon",   "line",     "circle",  "money",    "bit",          "bit varying",
        "refcursor", "tsvector", "tsquery", "jsonpath", "txid_snapshot"};
    for (size_t i = 0; i < item->use->guard->column_count; i++) {
        const struct catalog_column *base = base_column(item, (long)i);
        size_t len = base == NULL ? 0 : strcspn(base->base_type, "([");
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]) && base != NULL; k++)
            if (strlen(known[k]) == len && strncmp(known[k], base->base_type, len) == 0)
                return base->name;
    }
    return NULL;
}

static enum status check_items(struct asked *asked)
{
    struct judge *judge = asked->judge;
    if (judge->request->catalog->server_version > 0 &&
        judge->request->catalog->server_version < 140000)
        return refuse(judge, "an aggregate_only mission before PostgreSQL 14");
    for (size_t i = 0; i < asked->carry->item_count; i++) {
        const struct range_item *item = &asked->carry->items[i];
        if (item->use == NULL || item->use->guard == NULL || item->use->shown.table == NULL ||
            item->use->shown.rule == NULL || item->subject_lists)
            return refuse(judge, judge_format(judge, "\"%s\" together with patients",
                                              item->name == NULL ? "FROM" : item->name));
        const char *column = without_hash(item);
        if (column != NULL)
            return judge_unsupported(
                judge, "aggregate",
                judge_format(judge,
                             "a group of \"%s\", whose column \"%s\" has a type without a hash,",
                             item->name, column),
                "The mission is aggregate_only, and tells rows apart by hashes: hide the column in "
                "its rules.");
        if (item->aliased || item->wholes > 0)
            return refuse(judge, "whole rows and lists of column aliases");
    }
    return OK;
}

/* ---- WHERE ---- */

static bool plain_type(const PgQuery__TypeName *type)
{
    static const char *const known[] = {"date",   "timestamp", "timestamptz", "time", "int2",
                                        "int4",   "int8",      "numeric",     "text", "float4",
                                        "float8", "varchar",   "bpchar",      "uuid", "bool"};
    const char *name =
        type == NULL || type->n_names == 0 ? NULL : tree_string(type->names[type->n_names - 1]);
    const char *schema = name != NULL && type->n_names == 2 ? tree_string(type->names[0]) : NULL;
    if (schema == NULL || strcmp(schema, "pg_catalog") != 0 || type->n_array_bounds > 0)
        return false;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

/* What is the same for every row, and fails, if at all, before any is read. A parameter under a
 * cast is not: it may be cast for each row. */
static bool is_value(const PgQuery__Node *node)
{
    if (node == NULL)
        return false;
    if (node->node_case == PG_QUERY__NODE__NODE_A_CONST ||
        node->node_case == PG_QUERY__NODE__NODE_PARAM_REF)
        return true;
    return node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST && node->type_cast->arg != NULL &&
           node->type_cast->arg->node_case == PG_QUERY__NODE__NODE_A_CONST &&
           plain_type(node->type_cast->type_name);
}

static bool are_values(const PgQuery__Node *node)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_LIST)
        return false;
    for (size_t i = 0; i < node->list->n_items; i++)
        if (!is_value(node->list->items[i]))
            return false;
    return true;
}

static enum status check_comparison(struct asked *asked, const PgQuery__AExpr *expr)
{
    const PgQuery__Node *column = expr->lexpr;
    bool plain = false;
    switch ((int)expr->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
        plain = is_equality(expr->name, expr->n_name, comparing);
        if (plain && is_value(column))
            column = expr->rexpr;
        else
            plain = plain && is_value(expr->rexpr);
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
        plain = is_equality(expr->name, expr->n_name, equal) && is_value(expr->rexpr);
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
        plain = is_equality(expr->name, expr->n_name, unequal) && are_values(expr->rexpr);
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
        plain = are_values(expr->rexpr);
        break;
    default:
        break;
    }
    return plain ? plain_column(asked, column, "a condition on", false)
                 : refuse(asked->judge, "a condition other than a comparison with constants");
}

static enum status check_condition(struct asked *asked, const PgQuery__Node *node)
{
    enum status status = OK;
    if (++asked->depth > JUDGE_MAX_DEPTH)
        return judge_refuse(asked->judge, ERR_LIMIT, "54001", "depth", "depth", SIZE_MAX,
                            "the statement is nested too deeply");
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        for (size_t i = 0; i < node->bool_expr->n_args && status == OK; i++)
            status = check_condition(asked, node->bool_expr->args[i]);
        break;
    case PG_QUERY__NODE__NODE_A_EXPR:
        status = check_comparison(asked, node->a_expr);
        break;
    case PG_QUERY__NODE__NODE_NULL_TEST:
        status = plain_column(asked, node->null_test->arg, "a condition on", false);
        break;
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        status = plain_column(asked, node->boolean_test->arg, "a condition on", false);
        break;
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        status = plain_column(asked, node, "a condition on", false);
        break;
    default:
        status = refuse(asked->judge, "a condition other than a comparison with constants");
        break;
    }
    asked->depth--;
    return status;
}

/* ---- the select list, GROUP BY, ORDER BY ---- */

bool aggregate_is_star(const PgQuery__FuncCall *call)
{
    return call->agg_star;
}

const PgQuery__FuncCall *aggregate_call(const PgQuery__Node *target)
{
    const PgQuery__Node *value =
        target != NULL && target->node_case == PG_QUERY__NODE__NODE_RES_TARGET
            ? target->res_target->val
            : NULL;
    return value != NULL && value->node_case == PG_QUERY__NODE__NODE_FUNC_CALL ? value->func_call
                                                                               : NULL;
}

static enum status check_call(struct asked *asked, const PgQuery__FuncCall *call)
{
    static const char *const known[] = {"count",    "sum",         "avg",
                                        "stddev",   "stddev_samp", "stddev_pop",
                                        "variance", "var_samp",    "var_pop"};
    struct judge *judge = asked->judge;
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : NULL;
    const char *name = call->n_funcname == 2 ? tree_string(call->funcname[1]) : NULL;
    bool counts = name != NULL && strcmp(name, "count") == 0;
    bool found = false;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && name != NULL; i++)
        found = found || strcmp(known[i], name) == 0;
    if (!found || schema == NULL || strcmp(schema, "pg_catalog") != 0)
        return refuse(judge, judge_format(judge, "%s()", name == NULL ? "the function" : name));
    if (call->over != NULL)
        return refuse(judge, "OVER");
    if (call->agg_filter != NULL)
        return refuse(judge, "FILTER");
    if (call->n_agg_order > 0 || call->agg_within_group || call->func_variadic ||
        (call->agg_distinct && !counts) || (call->agg_star && !counts))
        return refuse(judge, judge_format(judge, "this form of %s()", name));
    asked->aggregates++;
    if (call->agg_star)
        return call->n_args == 0 ? OK : refuse(judge, "this form of count()");
    if (call->n_args != 1)
        return refuse(judge, judge_format(judge, "this form of %s()", name));
    enum status status =
        plain_column(asked, call->args[0], judge_format(judge, "%s() of", name), counts);
    long column = -1;
    if (status == OK && aggregate_item(asked->carry, call->args[0], &column)->subject == NULL)
        return refuse(judge, judge_format(judge, "%s() of a column that is of no patient", name));
    return status;
}

static enum status check_targets(struct asked *asked)
{
    const PgQuery__SelectStmt *select = asked->select;
    if (select->n_target_list == 0)
        return refuse(asked->judge, "an empty select list");
    for (size_t i = 0; i < select->n_target_list; i++) {
        const PgQuery__Node *target = select->target_list[i];
        const PgQuery__FuncCall *call = aggregate_call(target);
        bool plain = target->node_case == PG_QUERY__NODE__NODE_RES_TARGET &&
                     target->res_target->n_indirection == 0;
        enum status status = !plain         ? refuse(asked->judge, "this select list")
                             : call != NULL ? check_call(asked, call)
                                            : plain_column(asked, target->res_target->val,
                                                           "an output column of", false);
        if (status != OK)
            return status;
    }
    return OK;
}

static bool is_output_name(const PgQuery__SelectStmt *select, const char *name)
{
    for (size_t i = 0; i < select->n_target_list; i++) {
        const PgQuery__ResTarget *target = select->target_list[i]->res_target;
        const char *called =
            target->name[0] != '\0' ? target->name : judge_output_name(target->val);
        if (called != NULL && strcmp(called, name) == 0)
            return true;
    }
    return false;
}

static bool is_number(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_A_CONST &&
           node->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL;
}

/* By a number or the name of an output column: PostgreSQL refuses to group by an aggregate. */
static enum status check_group(struct asked *asked)
{
    const PgQuery__SelectStmt *select = asked->select;
    for (size_t i = 0; i < select->n_group_clause; i++) {
        const PgQuery__Node *node = select->group_clause[i];
        bool bare =
            node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && node->column_ref->n_fields == 1;
        const char *name = bare ? tree_string(node->column_ref->fields[0]) : NULL;
        long column = -1;
        bool output = name != NULL && aggregate_item(asked->carry, node, &column) == NULL &&
                      is_output_name(select, name);
        enum status status =
            is_number(node) || output ? OK : plain_column(asked, node, "a group by", false);
        if (status != OK)
            return status;
    }
    return OK;
}

static enum status check_order(struct asked *asked)
{
    const PgQuery__SelectStmt *select = asked->select;
    for (size_t i = 0; i < select->n_sort_clause; i++) {
        const PgQuery__Node *node = select->sort_clause[i];
        const PgQuery__SortBy *sort =
            node->node_case == PG_QUERY__NODE__NODE_SORT_BY ? node->sort_by : NULL;
        const PgQuery__Node *by = sort == NULL || sort->n_use_op > 0 ? NULL : sort->node;
        bool bare = by != NULL && by->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
                    by->column_ref->n_fields == 1;
        const char *name = bare ? tree_string(by->column_ref->fields[0]) : NULL;
        if (!is_number(by) && (name == NULL || !is_output_name(select, name)))
            return refuse(asked->judge, "ORDER BY anything but an output column");
    }
    bool limits = (select->limit_count == NULL || is_value(select->limit_count)) &&
                  (select->limit_offset == NULL || is_value(select->limit_offset));
    return limits ? OK : refuse(asked->judge, "this LIMIT");
}

/* What no query of a group needs. */
static const char *beyond(const PgQuery__SelectStmt *select)
{
    return select->with_clause != NULL                         ? "WITH"
           : select->op != PG_QUERY__SET_OPERATION__SETOP_NONE ? "a set operation"
           : select->n_values_lists > 0                        ? "VALUES"
           : select->into_clause != NULL                       ? "SELECT INTO"
           : select->n_distinct_clause > 0                     ? "SELECT DISTINCT"
           : select->having_clause != NULL                     ? "HAVING"
           : select->n_window_clause > 0                       ? "WINDOW"
           : select->n_locking_clause > 0                      ? "FOR UPDATE/SHARE"
           : select->group_distinct                            ? "GROUP BY DISTINCT"
           : select->n_from_clause != 1                        ? "a FROM of several entries"
                                                               : NULL;
}

enum status judge_aggregate(struct judge *judge, const PgQuery__SelectStmt *select)
{
    const struct policy_aggregate *aggregate = aggregate_only(judge);
    if (aggregate == NULL)
        return OK;
    if (judge->calls_foreign_function)
        return refuse(judge, "a function of the database's own");
    if (judge->subjects_read == 0)
        return OK;
    struct asked asked = {.judge = judge, .carry = judge->carried, .select = select};
    if (beyond(select) != NULL)
        return refuse(judge, beyond(select));
    if (asked.carry == NULL || asked.carry->select != select)
        return refuse(judge, "this statement");
    enum status status = check_items(&asked);
    if (status == OK)
        status = check_from(&asked, select->from_clause[0]);
    if (status == OK)
        status = check_targets(&asked);
    if (status == OK)
        status = check_group(&asked);
    if (status == OK && select->where_clause != NULL)
        status = check_condition(&asked, select->where_clause);
    if (status == OK)
        status = check_order(&asked);
    if (status == OK && asked.aggregates == 0 && select->n_group_clause == 0)
        status = refuse(judge, "reading rows of patients");
    if (status == OK)
        status = aggregate_check_columns(judge, asked.carry);
    judge->aggregate = status == OK ? aggregate : NULL;
    return status;
}

enum status judge_aggregate_kind(struct judge *judge, const PgQuery__Node *node, const char *tag)
{
    if (aggregate_only(judge) == NULL)
        return OK;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
        return judge_into(node->select_stmt) == NULL ? OK : refuse(judge, "SELECT INTO");
    case PG_QUERY__NODE__NODE_PREPARE_STMT:
    case PG_QUERY__NODE__NODE_EXECUTE_STMT:
        return OK;
    default:
        return refuse(judge, tag);
    }
}
