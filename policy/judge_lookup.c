/*
 * judge_lookup.c: constants that pick a row by its primary key.
 *
 * What they are for: PostgreSQL plans a statement that comes as a text each time, the guard's
 * filter included. Where such constants alone differ from one text to the next, it may be given the
 * statement once and the values as parameters (proxy/lookup.h). That must make no difference but
 * in time, so this finds only constants of which all of the following is true:
 *
 * - It is compared by `=` with a column. Either it is an integer that fits int4, and the column's
 *   type is smallint, integer or bigint: a parameter of type int4 finds the same operator and has
 *   the same value. Or it is a string, which PostgreSQL reads as what it is compared with, where
 *   that is one of these, uuid, text or varchar (whose operators are text's): so is the parameter.
 * - The comparison is a condition of the top WHERE that must be true by itself (of an AND). There
 *   no expression is compared with another as a tree: GROUP BY, DISTINCT, ORDER BY and the select
 *   list keep their constants. And nothing is computed from constants alone, which would fail when
 *   the statement is planned, and for a parameter when a row is met.
 * - Nothing in it tells how it came: statement_timestamp() is now() in a statement that came alone
 *   as a text, and the time of Execute here. Functions that the policy allows may call it.
 * - FROM is one table, without children, and the conditions name all of its primary key, which the
 *   guard shows as it is: at most one row, by whatever value. A plan for any value is as good as
 *   one for this one, which for other conditions the values' frequencies decide.
 */
#include "judge_private.h"

#include <string.h>

/* PostgreSQL's own INDEX_MAX_KEYS. */
#define KEY_MAX ((size_t)32)

struct lookup {
    const struct judge *judge;
    const struct constants *tokens;
    const struct range_item *item;
    const bool *free;
    unsigned char *keyed; /* of the tokens: enum verdict_key */
    size_t found;
    bool named[KEY_MAX]; /* of the key's columns */
};

/* ERR_INVALID: found. */
static enum status find_moment(void *context, ProtobufCMessage *message)
{
    if (message->descriptor == &pg_query__func_call__descriptor) {
        const PgQuery__FuncCall *call = (const PgQuery__FuncCall *)message;
        const char *name =
            call->n_funcname > 0 ? tree_string(call->funcname[call->n_funcname - 1]) : NULL;
        if (name == NULL || strcmp(name, "statement_timestamp") == 0)
            return ERR_INVALID;
    }
    return tree_children(message, find_moment, context);
}

static const PgQuery__SelectStmt *the_select(const PgQuery__ParseResult *tree)
{
    const PgQuery__Node *node = tree->n_stmts == 1 ? tree->stmts[0]->stmt : NULL;
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return NULL;
    const PgQuery__SelectStmt *select = node->select_stmt;
    bool plain = select->op == PG_QUERY__SET_OPERATION__SETOP_NONE && select->with_clause == NULL &&
                 select->into_clause == NULL && select->n_values_lists == 0 &&
                 select->n_locking_clause == 0 && select->n_from_clause == 1;
    return plain ? select : NULL;
}

/* The table; NULL: it is not one, or one row is not what its key names. */
static const struct range_item *the_table(const struct judge *judge,
                                          const PgQuery__SelectStmt *select)
{
    const struct carry *carry = judge->carried;
    if (carry == NULL || carry->select != select || carry->item_count != 1)
        return NULL;
    const struct range_item *item = &carry->items[0];
    if (item->use == NULL || item->use->guard == NULL || item->aliased)
        return NULL;
    const struct catalog_relation *relation = item->use->shown.relation;
    return relation != NULL && relation->kind == 'r' && !relation->has_children &&
                   relation->primary_key_count > 0 && relation->primary_key_count <= KEY_MAX
               ? item
               : NULL;
}

/* KEY_NONE: constants of that class are not for columns of that type, by format_type(). */
static enum verdict_key key_of(const char *type, enum constant_class class)
{
    static const struct {
        const char *type;
        enum verdict_key number, string;
    } keys[] = {{"smallint", KEY_NUMBER, KEY_SMALLINT}, {"integer", KEY_NUMBER, KEY_INTEGER},
                {"bigint", KEY_NUMBER, KEY_BIGINT},     {"uuid", KEY_NONE, KEY_UUID},
                {"text", KEY_NONE, KEY_TEXT},           {"character varying", KEY_NONE, KEY_TEXT}};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (catalog_type_is(type, keys[i].type))
            return class == CONSTANT_INTEGER  ? keys[i].number
                   : class == CONSTANT_STRING ? keys[i].string
                                              : KEY_NONE;
    }
    return KEY_NONE;
}

/* Which part of the key it is, shown as it is; SIZE_MAX: none. */
static size_t part_of_key(const struct lookup *lookup, const PgQuery__ColumnRef *ref,
                          const char **type)
{
    const struct judge *judge = lookup->judge;
    const struct relation_use *use = lookup->item->use;
    const struct catalog_relation *relation = use->shown.relation;
    const char *name = ref->n_fields > 0 ? tree_string(ref->fields[ref->n_fields - 1]) : NULL;
    const struct catalog_column *column = name == NULL ? NULL : catalog_column(relation, name);
    if (column == NULL ||
        policy_mask_for(judge->request->policy, use->shown.table, use->shown.rule, name)->kind !=
            MASK_SHOW)
        return SIZE_MAX;
    *type = column->type;
    for (size_t i = 0; i < relation->primary_key_count; i++) {
        if (relation->primary_key[i] == column->attnum)
            return i;
    }
    return SIZE_MAX;
}

/* Without a sign, which would be the constant's to the grammar and stays in the text. */
static size_t token_at(const struct lookup *lookup, const PgQuery__AConst *constant)
{
    if (constant->isnull || (constant->val_case != PG_QUERY__A__CONST__VAL_IVAL &&
                             constant->val_case != PG_QUERY__A__CONST__VAL_SVAL))
        return SIZE_MAX;
    for (size_t i = 0; i < lookup->tokens->count; i++) {
        const struct constant *token = &lookup->tokens->list[i];
        if (constant->location >= 0 && token->at == (uint32_t)constant->location)
            return lookup->free[i] ? i : SIZE_MAX;
    }
    return SIZE_MAX;
}

static void condition(struct lookup *lookup, const PgQuery__Node *node)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_A_EXPR)
        return;
    const PgQuery__AExpr *expr = node->a_expr;
    const PgQuery__Node *left = expr->lexpr;
    const PgQuery__Node *right = expr->rexpr;
    const char *name = expr->n_name == 1 ? tree_string(expr->name[0]) : NULL;
    if (expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || name == NULL || strcmp(name, "=") != 0 ||
        left == NULL || right == NULL)
        return;
    if (left->node_case == PG_QUERY__NODE__NODE_A_CONST) {
        left = expr->rexpr;
        right = expr->lexpr;
    }
    if (left->node_case != PG_QUERY__NODE__NODE_COLUMN_REF ||
        right->node_case != PG_QUERY__NODE__NODE_A_CONST)
        return;
    const char *type = NULL;
    size_t part = part_of_key(lookup, left->column_ref, &type);
    size_t token = token_at(lookup, right->a_const);
    if (part == SIZE_MAX || token == SIZE_MAX || lookup->keyed[token] != KEY_NONE)
        return;
    enum verdict_key key = key_of(type, lookup->tokens->list[token].class);
    if (key == KEY_NONE)
        return;
    lookup->keyed[token] = (unsigned char)key;
    lookup->named[part] = true;
    lookup->found++;
}

static void conditions(struct lookup *lookup, const PgQuery__Node *node)
{
    condition(lookup, node);
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_BOOL_EXPR ||
        node->bool_expr->boolop != PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR)
        return;
    for (size_t i = 0; i < node->bool_expr->n_args; i++)
        condition(lookup, node->bool_expr->args[i]);
}

/* What a view calls is not in the text. */
static bool reads_tables(const struct judge *judge)
{
    bool tables = true;
    for (size_t i = 0; tables && i < judge->use_count; i++) {
        const struct catalog_relation *relation = judge->uses[i]->shown.relation;
        tables = relation != NULL && (relation->kind == 'r' || relation->kind == 'p');
    }
    return tables;
}

enum status judge_lookup(struct judge *judge, const PgQuery__ParseResult *tree,
                         const struct constants *tokens, const bool *free)
{
    struct lookup lookup = {.judge = judge, .tokens = tokens, .free = free};
    const PgQuery__SelectStmt *select = the_select(tree);
    lookup.item = select == NULL ? NULL : the_table(judge, select);
    if (lookup.item == NULL || judge->calls_foreign_function || !reads_tables(judge) ||
        find_moment(NULL, (ProtobufCMessage *)(uintptr_t)&tree->base) != OK)
        return OK;
    lookup.keyed = arena_zalloc(judge->arena, tokens->count, sizeof(*lookup.keyed));
    if (lookup.keyed == NULL)
        return judge_no_memory(judge);
    conditions(&lookup, select->where_clause);
    const struct catalog_relation *relation = lookup.item->use->shown.relation;
    for (size_t i = 0; i < relation->primary_key_count; i++) {
        if (!lookup.named[i])
            return OK;
    }
    judge->verdict->keyed = lookup.keyed;
    judge->verdict->keyed_count = lookup.found;
    return OK;
}
