/*
 * judge_walk.c: the table of nodes that a query may hold.
 *
 * Closed by default: the table is indexed by the node's number in libpg_query's own schema; what
 * has no row is refused by its name, so that a node of a later grammar cannot slip through. A row
 * without a handler means: harmless in itself, look into every sub-message. No field is ever left
 * out, as children come from the descriptor and not from a list written here.
 */
#include "judge_private.h"

/* Own levels, each some frames deep; scan_depth has bounded them before. */
#define WALK_MAX_DEPTH (4 * JUDGE_MAX_DEPTH)

typedef enum status node_handler(struct judge *judge, ProtobufCMessage *message,
                                 PgQuery__Node *node);

struct node_rule {
    bool allowed;
    node_handler *handler; /* NULL: children only */
};

static enum status walk_a_expr(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    PgQuery__AExpr *expr = (PgQuery__AExpr *)message;
    (void)node;
    /* BETWEEN's name is no operator: its comparisons are checked as the = they imply, see below. */
    bool between = expr->kind >= PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN &&
                   expr->kind <= PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
    size_t at = expr->location < 0 ? SIZE_MAX : (size_t)expr->location;
    enum status status = OK;
    if (between) {
        static const char *const implied[] = {"<=", ">=", "<", ">"};
        for (size_t i = 0; i < 4 && status == OK; i++) {
            PgQuery__Node *name = tree_new_string(judge->arena, implied[i]);
            status = name == NULL ? judge_no_memory(judge) : judge_operator(judge, &name, 1, at);
        }
    } else {
        status = judge_operator(judge, expr->name, expr->n_name, at);
    }
    if (status == OK)
        status = judge_named(judge, expr);
    if (status == OK)
        status = judge_reg_compare(judge, expr);
    return status == OK ? judge_walk_children(judge, message) : status;
}

static enum status implied_equal(struct judge *judge, int location)
{
    PgQuery__Node *name = tree_new_string(judge->arena, "=");
    if (name == NULL)
        return judge_no_memory(judge);
    return judge_operator(judge, &name, 1, location < 0 ? SIZE_MAX : (size_t)location);
}

static enum status walk_sub_link(struct judge *judge, ProtobufCMessage *message,
                                 PgQuery__Node *node)
{
    PgQuery__SubLink *link = (PgQuery__SubLink *)message;
    (void)node;
    enum status status = OK;
    if (link->n_oper_name > 0)
        status = judge_operator(judge, link->oper_name, link->n_oper_name,
                                link->location < 0 ? SIZE_MAX : (size_t)link->location);
    else if (link->testexpr != NULL)
        status = implied_equal(judge, link->location);
    struct range_item *outer = status == OK ? judge_tie_outer(judge, link) : NULL;
    if (status == OK)
        status = judge_walk_children(judge, message);
    return status == OK ? judge_tie_in(judge, outer) : status;
}

static enum status walk_case(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    PgQuery__CaseExpr *expr = (PgQuery__CaseExpr *)message;
    (void)node;
    enum status status = expr->arg == NULL ? OK : implied_equal(judge, expr->location);
    return status == OK ? judge_walk_children(judge, message) : status;
}

static enum status walk_sort_by(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    PgQuery__SortBy *sort = (PgQuery__SortBy *)message;
    (void)node;
    enum status status = OK;
    if (sort->n_use_op > 0)
        status = judge_operator(judge, sort->use_op, sort->n_use_op,
                                sort->location < 0 ? SIZE_MAX : (size_t)sort->location);
    return status == OK ? judge_walk_children(judge, message) : status;
}

static enum status walk_select(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    struct column_list columns;
    (void)node;
    return judge_select(judge, (PgQuery__SelectStmt *)message, &columns);
}

static enum status walk_column_ref(struct judge *judge, ProtobufCMessage *message,
                                   PgQuery__Node *node)
{
    return judge_column_ref(judge, (PgQuery__ColumnRef *)message, node);
}

static enum status walk_function(struct judge *judge, ProtobufCMessage *message,
                                 PgQuery__Node *node)
{
    (void)node;
    return judge_function(judge, (PgQuery__FuncCall *)message);
}

static enum status walk_value_function(struct judge *judge, ProtobufCMessage *message,
                                       PgQuery__Node *node)
{
    return judge_value_function(judge, (PgQuery__SQLValueFunction *)message, node);
}

static enum status walk_type(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    (void)node;
    return judge_type(judge, (PgQuery__TypeName *)message);
}

static enum status walk_cast(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    return judge_cast(judge, (PgQuery__TypeCast *)message, node);
}

static enum status walk_target(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    (void)node;
    return judge_reg_target(judge, (PgQuery__ResTarget *)message);
}

static enum status walk_collate(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    (void)node;
    return judge_collation(judge, (PgQuery__CollateClause *)message);
}

/* (expression).name may be a function call. */
static enum status walk_indirection(struct judge *judge, ProtobufCMessage *message,
                                    PgQuery__Node *node)
{
    PgQuery__AIndirection *indirection = (PgQuery__AIndirection *)message;
    (void)node;
    for (size_t i = 0; i < indirection->n_indirection; i++) {
        const char *field = tree_string(indirection->indirection[i]);
        enum status status = field == NULL ? OK : judge_field(judge, field, SIZE_MAX);
        if (status == OK && field != NULL && i == 0)
            status = judge_field_of(judge, indirection->arg, field);
        if (status != OK)
            return status;
    }
    return judge_walk_children(judge, message);
}

static enum status walk_param(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    PgQuery__ParamRef *param = (PgQuery__ParamRef *)message;
    (void)node;
    if (param->number >= 1)
        return OK;
    return judge_refuse(judge, DENIED, "42P02", "node", "parameter",
                        param->location < 0 ? SIZE_MAX : (size_t)param->location,
                        judge_format(judge, "there is no parameter $%d", param->number));
}

/* Names of columns that FROM and WITH make without an alias. */
static enum status walk_column_def(struct judge *judge, ProtobufCMessage *message,
                                   PgQuery__Node *node)
{
    (void)node;
    enum status status = judge_new_name(judge, ((PgQuery__ColumnDef *)message)->colname);
    return status == OK ? judge_walk_children(judge, message) : status;
}

static enum status walk_table_column(struct judge *judge, ProtobufCMessage *message,
                                     PgQuery__Node *node)
{
    (void)node;
    enum status status = judge_new_name(judge, ((PgQuery__RangeTableFuncCol *)message)->colname);
    return status == OK ? judge_walk_children(judge, message) : status;
}

static enum status walk_search(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    (void)node;
    enum status status =
        judge_new_name(judge, ((PgQuery__CTESearchClause *)message)->search_seq_column);
    return status == OK ? judge_walk_children(judge, message) : status;
}

static enum status walk_cycle(struct judge *judge, ProtobufCMessage *message, PgQuery__Node *node)
{
    const PgQuery__CTECycleClause *cycle = (const PgQuery__CTECycleClause *)message;
    (void)node;
    enum status status = judge_new_name(judge, cycle->cycle_mark_column);
    if (status == OK)
        status = judge_new_name(judge, cycle->cycle_path_column);
    return status == OK ? judge_walk_children(judge, message) : status;
}

#define CASE(name) [PG_QUERY__NODE__NODE_##name]
#define CHILDREN                                                                                   \
    {                                                                                              \
        true, NULL                                                                                 \
    }
#define HANDLED(method)                                                                            \
    {                                                                                              \
        true, method                                                                               \
    }

/* FROM's nodes (RANGE_VAR, JOIN_EXPR...) are judge_from.c's; SELECT calls it for them. */
static const struct node_rule rules[] = {
    CASE(SELECT_STMT) = HANDLED(walk_select),
    CASE(COLUMN_REF) = HANDLED(walk_column_ref),
    CASE(FUNC_CALL) = HANDLED(walk_function),
    CASE(SQLVALUE_FUNCTION) = HANDLED(walk_value_function),
    CASE(TYPE_NAME) = HANDLED(walk_type),
    CASE(TYPE_CAST) = HANDLED(walk_cast),
    CASE(RES_TARGET) = HANDLED(walk_target),
    CASE(COLLATE_CLAUSE) = HANDLED(walk_collate),
    CASE(A_EXPR) = HANDLED(walk_a_expr),
    CASE(SUB_LINK) = HANDLED(walk_sub_link),
    CASE(CASE_EXPR) = HANDLED(walk_case),
    CASE(SORT_BY) = HANDLED(walk_sort_by),
    CASE(A_INDIRECTION) = HANDLED(walk_indirection),
    CASE(PARAM_REF) = HANDLED(walk_param),
    CASE(A_ARRAY_EXPR) = CHILDREN,
    CASE(A_CONST) = CHILDREN,
    CASE(A_INDICES) = CHILDREN,
    CASE(A_STAR) = CHILDREN,
    CASE(ALIAS) = CHILDREN,
    CASE(BIT_STRING) = CHILDREN,
    CASE(BOOL_EXPR) = CHILDREN,
    CASE(BOOLEAN) = CHILDREN,
    CASE(BOOLEAN_TEST) = CHILDREN,
    CASE(CASE_WHEN) = CHILDREN,
    CASE(COALESCE_EXPR) = CHILDREN,
    CASE(COLUMN_DEF) = HANDLED(walk_column_def),
    CASE(CTESEARCH_CLAUSE) = HANDLED(walk_search),
    CASE(CTECYCLE_CLAUSE) = HANDLED(walk_cycle),
    CASE(FLOAT) = CHILDREN,
    CASE(GROUPING_FUNC) = CHILDREN,
    CASE(GROUPING_SET) = CHILDREN,
    CASE(INTEGER) = CHILDREN,
    CASE(LIST) = CHILDREN,
    CASE(MIN_MAX_EXPR) = CHILDREN,
    CASE(NAMED_ARG_EXPR) = CHILDREN,
    CASE(NULL_TEST) = CHILDREN,
    CASE(RANGE_TABLE_FUNC_COL) = HANDLED(walk_table_column),
    CASE(ROW_EXPR) = CHILDREN,
    CASE(SET_TO_DEFAULT) = CHILDREN, /* where it may not stand PostgreSQL says so */
    CASE(STRING) = CHILDREN,
    CASE(WINDOW_DEF) = CHILDREN,
    CASE(XML_EXPR) = CHILDREN,
    CASE(XML_SERIALIZE) = CHILDREN,
};

/* What a node is called in SQL, where its own name says little. */
static const struct {
    int node;
    const char *name;
} spoken[] = {
    {PG_QUERY__NODE__NODE_INSERT_STMT, "INSERT"},
    {PG_QUERY__NODE__NODE_UPDATE_STMT, "UPDATE"},
    {PG_QUERY__NODE__NODE_DELETE_STMT, "DELETE"},
    {PG_QUERY__NODE__NODE_MERGE_STMT, "MERGE"},
    {PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE, "TABLESAMPLE"},
    {PG_QUERY__NODE__NODE_CURRENT_OF_EXPR, "WHERE CURRENT OF"},
    {PG_QUERY__NODE__NODE_LOCKING_CLAUSE, "FOR UPDATE/SHARE"},
    {PG_QUERY__NODE__NODE_INTO_CLAUSE, "SELECT INTO"},
};

static enum status refuse_node(struct judge *judge, int node, const ProtobufCMessage *message)
{
    const char *name = message->descriptor->short_name;
    for (size_t i = 0; i < sizeof(spoken) / sizeof(spoken[0]); i++) {
        if (spoken[i].node == node)
            name = spoken[i].name;
    }
    return judge_refuse(judge, DENIED, "0A000", "node", name, SIZE_MAX,
                        judge_format(judge,
                                     "%s is not supported here for role \"%s\" in mission \"%s\"",
                                     name, judge->role, judge->mission));
}

static enum status walk_case_of(struct judge *judge, int node_case, ProtobufCMessage *message,
                                PgQuery__Node *node)
{
    if (node_case <= 0 || (size_t)node_case >= sizeof(rules) / sizeof(rules[0]) ||
        !rules[node_case].allowed)
        return refuse_node(judge, node_case, message);
    if (judge->depth >= WALK_MAX_DEPTH)
        return judge_refuse(judge, ERR_LIMIT, "54001", "depth", "depth", SIZE_MAX,
                            "the statement is nested too deeply");
    judge->depth++;
    const struct node_rule *rule = &rules[node_case];
    enum status status = rule->handler == NULL ? judge_walk_children(judge, message)
                                               : rule->handler(judge, message, node);
    judge->depth--;
    return status;
}

enum status judge_walk(struct judge *judge, PgQuery__Node *node)
{
    ProtobufCMessage *message = tree_content(node);
    /* An empty Node is a NIL in PostgreSQL's lists: DISTINCT without ON. */
    return message == NULL ? OK : walk_case_of(judge, (int)node->node_case, message, node);
}

enum status judge_walk_message(struct judge *judge, ProtobufCMessage *message)
{
    if (message->descriptor == &pg_query__node__descriptor)
        return judge_walk(judge, (PgQuery__Node *)message);
    return walk_case_of(judge, tree_case(message->descriptor), message, NULL);
}

enum status judge_walk_list(struct judge *judge, PgQuery__Node **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = judge_walk(judge, nodes[i]);
        if (status != OK)
            return status;
    }
    return OK;
}

static enum status visit(void *context, ProtobufCMessage *message)
{
    return judge_walk_message(context, message);
}

enum status judge_walk_children(struct judge *judge, ProtobufCMessage *message)
{
    return tree_children(message, visit, judge);
}
