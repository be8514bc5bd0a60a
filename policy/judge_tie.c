/*
 * judge_tie.c: sub-queries in expressions that read rows of the same patient only.
 *
 * Purpose: EXISTS (SELECT 1 FROM stays s WHERE s.patient_id = p.id AND ...) reads rows that no
 * column can carry out, but only rows of the patient whose row p is: where p's patient is told, so
 * are they. A tie is an equality of two relations' subjects, both plain columns that the session
 * sees as they are: a term of the sub-query's WHERE that every row must meet, or IN, whose answer
 * for one value hangs on the rows that hold it alone.
 *
 * Trust boundary: the client's text. The attack: a tie that does not hold for every row that is
 * read, so that rows of others go unsaid. Terms under OR or NOT, other operators, outer references
 * that are not the relation's own column, IN over rows that are counted, sorted out or cut off:
 * none of them is a tie.
 */
#include "judge_private.h"

#include <string.h>

/* Of one statement; further ones are not noted, and its record is not exact. */
#define TIES_MAX ((size_t)200)

struct tie {
    struct range_item *a, *b;
};

static enum status add(struct judge *judge, struct range_item *a, struct range_item *b)
{
    if (a == NULL || b == NULL || a == b || judge->tie_count == TIES_MAX)
        return OK;
    struct tie *grown =
        arena_grow(judge->arena, judge->ties, judge->tie_count, &judge->tie_cap, sizeof(*grown));
    if (grown == NULL)
        return judge_no_memory(judge);
    judge->ties = grown;
    judge->ties[judge->tie_count++] = (struct tie){a, b};
    return OK;
}

/* ---- WHERE ---- */

static enum status term(struct judge *judge, const PgQuery__Node *node)
{
    const PgQuery__AExpr *expr =
        node->node_case == PG_QUERY__NODE__NODE_A_EXPR ? node->a_expr : NULL;
    if (expr == NULL || expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP ||
        !judge_is_equal(expr->name, expr->n_name))
        return OK;
    return add(judge, judge_subject_item(judge, expr->lexpr),
               judge_subject_item(judge, expr->rexpr));
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

struct range_item *judge_tie_outer(struct judge *judge, const PgQuery__SubLink *link)
{
    bool in = link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK &&
              (link->n_oper_name == 0 || judge_is_equal(link->oper_name, link->n_oper_name));
    return in && judge->level != NULL ? judge_subject_item(judge, link->testexpr) : NULL;
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
    const struct carry *carry = judge->carried;
    struct range_item *inner = outer == NULL ? NULL : given_item(carry);
    const PgQuery__Node *value = inner == NULL ? NULL : (*carry->targets)[0]->res_target->val;
    if (inner == NULL)
        return OK;
    const char *name = tree_string(value->column_ref->fields[value->column_ref->n_fields - 1]);
    return judge_shows_subject(judge, inner, scope_column(inner, name)) ? add(judge, outer, inner)
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
            struct range_item *const ends[] = {judge->ties[i].a, judge->ties[i].b};
            for (size_t k = 0; k < 2; k++) {
                bool told = ends[k]->carried || ends[k]->tied;
                struct range_item *other = ends[1 - k];
                if (!told || other->carried || other->tied)
                    continue;
                other->tied = more = true;
                tied++;
            }
        }
    }
    return tied;
}
