/*
 * judge_name.c: the name that PostgreSQL gives to an output column that has none of its own.
 *
 * It is parse_target.c's FigureColnameInternal(), of PostgreSQL 15: what a column is called when it
 * is sent must be what the client's own text would have called it, and ORDER BY may name it.
 */
#include "judge_private.h"

/* A name of one of these is taken before another; NULL with NONE. */
enum strength { NAME_NONE, NAME_WEAK, NAME_STRONG };

static const char *last_field(PgQuery__Node *const *nodes, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        const char *name = tree_string(nodes[i]);
        if (name != NULL)
            return name;
    }
    return NULL;
}

static const char *value_function(int op)
{
    switch (op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
        return "current_date";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME_N:
        return "current_time";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP_N:
        return "current_timestamp";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME_N:
        return "localtime";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N:
        return "localtimestamp";
    default:
        return NULL; /* the others have become calls */
    }
}

static const char *xml_expression(int op)
{
    switch (op) {
    case PG_QUERY__XML_EXPR_OP__IS_XMLCONCAT:
        return "xmlconcat";
    case PG_QUERY__XML_EXPR_OP__IS_XMLELEMENT:
        return "xmlelement";
    case PG_QUERY__XML_EXPR_OP__IS_XMLFOREST:
        return "xmlforest";
    case PG_QUERY__XML_EXPR_OP__IS_XMLPARSE:
        return "xmlparse";
    case PG_QUERY__XML_EXPR_OP__IS_XMLPI:
        return "xmlpi";
    case PG_QUERY__XML_EXPR_OP__IS_XMLROOT:
        return "xmlroot";
    default:
        return NULL;
    }
}

static enum strength figure(const PgQuery__Node *node, const char **name);

static enum strength sub_link(const PgQuery__SubLink *link, const char **name)
{
    if (link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK)
        *name = "exists";
    if (link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK)
        *name = "array";
    if (*name != NULL)
        return NAME_STRONG;
    const PgQuery__SelectStmt *select =
        link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK && link->subselect != NULL &&
                link->subselect->node_case == PG_QUERY__NODE__NODE_SELECT_STMT
            ? link->subselect->select_stmt
            : NULL;
    const PgQuery__Node *first =
        select == NULL || select->n_target_list == 0 ? NULL : select->target_list[0];
    if (first == NULL || first->node_case != PG_QUERY__NODE__NODE_RES_TARGET)
        return NAME_NONE;
    if (first->res_target->name[0] == '\0')
        return figure(first->res_target->val, name);
    *name = first->res_target->name;
    return NAME_STRONG;
}

/* What is called after a part of it, or after itself where that part has no strong name. */
static enum strength part(const PgQuery__Node *inner, const char *own, const char **name)
{
    const char *found = NULL;
    enum strength strength = figure(inner, &found);
    if (strength == NAME_STRONG || own == NULL) {
        *name = found;
        return strength;
    }
    *name = own;
    return NAME_WEAK;
}

static enum strength figure(const PgQuery__Node *node, const char **name)
{
    const PgQuery__TypeName *type = NULL;
    if (node == NULL)
        return NAME_NONE;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        *name = last_field(node->column_ref->fields, node->column_ref->n_fields);
        break;
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
        *name = last_field(node->a_indirection->indirection, node->a_indirection->n_indirection);
        if (*name == NULL)
            return figure(node->a_indirection->arg, name);
        break;
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        *name = last_field(node->func_call->funcname, node->func_call->n_funcname);
        break;
    case PG_QUERY__NODE__NODE_A_EXPR:
        *name = node->a_expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF ? "nullif" : NULL;
        break;
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        type = node->type_cast->type_name;
        return part(node->type_cast->arg,
                    type == NULL ? NULL : last_field(type->names, type->n_names), name);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return figure(node->collate_clause->arg, name);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return part(node->case_expr->defresult, "case", name);
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return sub_link(node->sub_link, name);
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
        *name = "grouping";
        break;
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        *name = "array";
        break;
    case PG_QUERY__NODE__NODE_ROW_EXPR:
        *name = "row";
        break;
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        *name = "coalesce";
        break;
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        *name = node->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? "greatest" : "least";
        break;
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        *name = value_function((int)node->sqlvalue_function->op);
        break;
    case PG_QUERY__NODE__NODE_XML_EXPR:
        *name = xml_expression((int)node->xml_expr->op);
        break;
    case PG_QUERY__NODE__NODE_XML_SERIALIZE:
        *name = "xmlserialize";
        break;
    default:
        break;
    }
    return *name == NULL ? NAME_NONE : NAME_STRONG;
}

const char *judge_output_name(const PgQuery__Node *node)
{
    const char *name = NULL;
    (void)figure(node, &name);
    return name;
}
