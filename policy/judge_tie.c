/*
 * judge_tie.c: sub-queries in expressions that read rows of the same patient only.
 *
 * Purpose: EXISTS (SELECT 1 FROM stays s WHERE s.patient_id = p.id AND ...) reads rows that no
 * column can carry out, but only rows of the patient whose row p is: where p's patient is told, so
 * are they. A tie is an equality of two relations' subjects, both plain columns that the session
 * sees as they are. It tells in one direction: the term is one that all rows of its own level must
 * meet, so it tells of that level's relations, and of no other's.
 *
 * Trust boundary: the client's text. The attack: a tie that does not hold for every row that is
 * read, so that rows of others go unsaid: WHERE true OR EXISTS (SELECT 1 WHERE s.patient_id = p.id)
 * says nothing of s, which is not of that EXISTS. Terms under OR or NOT, other operators, outer
 * references that are not the relation's own column, IN over rows that are counted, sorted out or
 * cut off, and IN elsewhere than as a term of WHERE, where NULL would tell it from false (NOT IN,
 * the select list): none of them is a tie.
 */
#include "judge_private.h"

#include <string.h>

/* Of one statement; further ones are not noted, and its record is not exact. */
#define TIES_MAX ((size_t)200)

#define WORK_MAX ((size_t)2000000)

struct tie {
    const struct range_item *from; /* where its patient is told, */
    struct range_item *to;         /* so is this one's */
};

static enum status add(struct judge *judge, const struct range_item *from, struct range_item *to)
{
    if (judge->tie_count == TIES_MAX)
        return OK;
    struct tie *grown =
        arena_grow(judge->arena, judge->ties, judge->tie_count, &judge->tie_cap, sizeof(*grown));
    if (grown == NULL)
        return judge_no_memory(judge);
    judge->ties = grown;
    judge->ties[judge->tie_count++] = (struct tie){from, to};
    return OK;
}

/* With a budget of its own: what is spent here is not there for names. */
static struct range_item *subject(struct judge *judge, const PgQuery__Node *node)
{
    size_t named = judge->named_work;
    if (judge->tie_work > WORK_MAX)
        return NULL;
    judge->named_work = 0;
    struct range_item *item = judge_subject_item(judge, node);
    judge->tie_work += judge->named_work;
    judge->named_work = named;
    return item;
}

/* ---- WHERE ---- */

static bool is_own(const struct level *level, const struct range_item *item)
{
    return item >= level->items && item < level->items + level->item_count;
}

static enum status term(struct judge *judge, const PgQuery__Node *node)
{
    const PgQuery__AExpr *expr =
        node->node_case == PG_QUERY__NODE__NODE_A_EXPR ? node->a_expr : NULL;
    if (expr == NULL || expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP ||
        !judge_is_equal(expr->name, expr->n_name))
        return OK;
    struct range_item *a = subject(judge, expr->lexpr);
    struct range_item *b = a == NULL ? NULL : subject(judge, expr->rexpr);
    if (b == NULL || a == b)
        return OK;
    enum status status = is_own(judge->level, a) ? add(judge, b, a) : OK;
    return status == OK && is_own(judge->level, b) ? add(judge, a, b) : status;
}

enum status judge_tie_where(struct judge *judge, const PgQuery__Node *where)
{
    const PgQuery__BoolExpr *all =
        where != NULL && where->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR &&
                where->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR
            ? where->bool_expr
            : NULL;
    enum status status = OK;
    if (where == NULL || judge->level->parent == NULL)
        return OK;
    for (size_t i = 0; all != NULL && i < all->n_args && status == OK; i++)
        status = term(judge, all->args[i]);
    return all == NULL ? term(judge, where) : status;
}

/* ---- IN ---- */

/* Is it a term that the level's rows must meet? What is NULL there is as good as false. */
static bool is_term(const struct judge *judge, const PgQuery__SubLink *link)
{
    const PgQuery__SelectStmt *select = judge->level == NULL ? NULL : judge->level->select;
    const PgQuery__Node *where = select == NULL ? NULL : select->where_clause;
    if (where == NULL)
        return false;
    if (where->node_case == PG_QUERY__NODE__NODE_SUB_LINK)
        return where->sub_link == link;
    if (where->node_case != PG_QUERY__NODE__NODE_BOOL_EXPR ||
        where->bool_expr->boolop != PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR)
        return false;
    for (size_t i = 0; i < where->bool_expr->n_args; i++) {
        const PgQuery__Node *one = where->bool_expr->args[i];
        if (one->node_case == PG_QUERY__NODE__NODE_SUB_LINK && one->sub_link == link)
            return true;
    }
    return false;
}

struct range_item *judge_tie_outer(struct judge *judge, const PgQuery__SubLink *link)
{
    bool in = link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK &&
              (link->n_oper_name == 0 || judge_is_equal(link->oper_name, link->n_oper_name));
    return in && is_term(judge, link) ? subject(judge, link->testexpr) : NULL;
}

/* The item whose subject is the one column that the sub-query gives; NULL: another, or not of each
 * row by itself. */
static struct range_item *given_item(const struct carry *carry)
{
    const PgQuery__SelectStmt *select = carry == NULL ? NULL : carry->select;
    if (select == NULL || carry->kind != CARRY_ROWS || carry->windows ||
        select->limit_count != NULL || select->limit_offset != NULL || *carry->target_count != 1)
        return NULL;
    const PgQuery__Node *target = (*carry->targets)[0];
    const PgQuery__Node *value =
        target->node_case == PG_QUERY__NODE__NODE_RES_TARGET ? target->res_target->val : NULL;
    const PgQuery__ColumnRef *ref =
        value != NULL && value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? value->column_ref
                                                                             : NULL;
    const char *name =
        ref == NULL || ref->n_fields > 2 ? NULL : tree_string(ref->fields[ref->n_fields - 1]);
    const char *of = ref != NULL && ref->n_fields == 2 ? tree_string(ref->fields[0]) : NULL;
    struct range_item *found = NULL;
    for (size_t i = 0; name != NULL && i < carry->item_count; i++) {
        struct range_item *item = &carry->items[i];
        bool here = !item->hidden && item->emitted != NULL &&
                    (of == NULL || strcmp(of, item->emitted) == 0);
        if (!item->columns.known)
            return NULL;
        if (!here || scope_column(item, name) < 0)
            continue;
        if (found != NULL)
            return NULL;
        found = item;
    }
    return found;
}

enum status judge_tie_in(struct judge *judge, struct range_item *outer)
{
    enum named_kind kind;
    const struct carry *carry = judge->carried;
    struct range_item *inner = outer == NULL ? NULL : given_item(carry);
    const PgQuery__Node *value = inner == NULL ? NULL : (*carry->targets)[0]->res_target->val;
    if (inner == NULL)
        return OK;
    const char *name = tree_string(value->column_ref->fields[value->column_ref->n_fields - 1]);
    return judge_shows_subject(judge, inner, scope_column(inner, name), &kind)
               ? add(judge, outer, inner)
               : OK;
}

/* ---- who is told ---- */

size_t judge_tied(struct judge *judge)
{
    size_t tied = 0;
    bool more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < judge->tie_count; i++) {
            const struct range_item *from = judge->ties[i].from;
            struct range_item *to = judge->ties[i].to;
            if ((!from->carried && !from->tied) || to->carried || to->tied)
                continue;
            to->tied = more = true;
            tied++;
        }
    }
    return tied;
}
