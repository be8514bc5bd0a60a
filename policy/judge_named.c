/*
 * judge_named.c: patients that a statement names by a constant or a parameter: `patient_id = 7`,
 * `id IN (7, 8)`, `patient_id = ANY($1)`.
 *
 * Purpose: the record of a statement whose rows do not tell whose they are ("aggregate") says at
 * least who was asked about (design section 7). Only where the policy's `subject` is a plain column
 * of the relation, and the guard shows it as it is: what a pseudonym is compared with is nobody's
 * number. What is compared counts, whatever is made of the comparison: it is named, not read.
 *
 * Trust boundary: the client's text. Nothing is decided by what is found here.
 */
#include "judge_private.h"

#include <stdlib.h>
#include <string.h>

/* Of one statement; further ones are not noted, nor are any when so many columns were compared. */
#define NAMED_MAX ((size_t)1000)
#define WORK_MAX  ((size_t)2000000)

/* By format_type() of the column. False: values of the type are not compared here. */
static bool kind_of(const char *type, enum named_kind *kind)
{
    static const struct {
        const char *type;
        enum named_kind kind;
    } kinds[] = {
        {"smallint", NAMED_INTEGER}, {"integer", NAMED_INTEGER},        {"bigint", NAMED_INTEGER},
        {"text", NAMED_TEXT},        {"character varying", NAMED_TEXT}, {"character", NAMED_PADDED},
        {"uuid", NAMED_UUID}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        *kind = kinds[i].kind;
        if (catalog_type_is(type, kinds[i].type))
            return true;
    }
    return false;
}

/* ---- which column ---- */

/* Whatever level it is of: only what one relation of the statement has, when all are known. */
static struct range_item *only(struct judge *judge, const char *name, long *column)
{
    struct range_item *found = NULL;
    for (size_t i = 0; i < judge->level->item_count; i++) {
        struct range_item *item = &judge->level->items[i];
        long at = scope_column(item, name);
        judge->named_work += item->columns.count + 1;
        if (!item->columns.known || (at >= 0 && found != NULL))
            return NULL;
        if (at >= 0) {
            found = item;
            *column = at;
        }
    }
    return found;
}

/* What is not known of an inner level may be what is meant. `strictly`: nothing else than this
 * column can be: after JOIN ... USING a bare name is of neither side. */
static struct range_item *bare(struct judge *judge, const char *name, bool strictly, long *column)
{
    if (judge->verdict->unrestricted)
        return only(judge, name, column);
    for (const struct level *level = judge->level; level != NULL; level = level->parent) {
        bool known = !strictly || (!level->merges && !level->natural);
        struct range_item *found = NULL;
        size_t count = 0;
        for (size_t i = level->low; i < level->high; i++) {
            struct range_item *item = &level->items[i];
            judge->named_work += item->columns.count + 1;
            known = known && (item->hidden || (item->columns.known && !item->columns.partly));
            long at = item->hidden ? -1 : scope_column(item, name);
            if (at < 0)
                continue;
            count++;
            if (found == NULL)
                *column = at;
            found = found == NULL ? item : found;
        }
        if (found != NULL)
            return strictly && (!known || count > 1) ? NULL : found;
        if (!known)
            return NULL;
    }
    return NULL;
}

static struct range_item *item_of(struct judge *judge, const PgQuery__ColumnRef *ref, bool strictly,
                                  long *column)
{
    const char *names[3] = {NULL};
    struct level *level = NULL;
    size_t matches = 0;
    for (size_t i = 0; i < ref->n_fields && i < 3; i++)
        names[i] = tree_string(ref->fields[i]);
    const char *name = ref->n_fields > 0 && ref->n_fields <= 3 ? names[ref->n_fields - 1] : NULL;
    if (name == NULL)
        return NULL;
    if (ref->n_fields == 1)
        return bare(judge, name, strictly, column);
    judge->named_work += scope_size(judge);
    const char *schema = ref->n_fields == 3 ? names[0] : NULL;
    const char *called = names[ref->n_fields - 2];
    struct range_item *item =
        called == NULL ? NULL : scope_item(judge, schema, called, &level, &matches);
    *column = item == NULL ? -1 : scope_column(item, name);
    return matches == 1 && *column >= 0 ? item : NULL;
}

bool judge_shows_subject(const struct judge *judge, const struct range_item *item, long column,
                         enum named_kind *kind)
{
    const struct relation_use *use = item->use;
    if (use == NULL || use->shown.table == NULL || use->shown.table->subject_column == NULL ||
        column < 0 || (size_t)column >= use->column_count)
        return false;
    const char *name = use->columns[column];
    const struct catalog_column *of = catalog_column(use->shown.relation, name);
    if (strcmp(name, use->shown.table->subject_column) != 0 || of == NULL ||
        !kind_of(of->base_type, kind))
        return false;
    return judge->verdict->unrestricted ||
           (use->guard != NULL && use->shown.rule != NULL &&
            policy_mask_for(judge->request->policy, use->shown.table, use->shown.rule, name)
                    ->kind == MASK_SHOW);
}

static struct range_item *subject_item(struct judge *judge, const PgQuery__Node *node,
                                       bool strictly, enum named_kind *kind)
{
    long column = -1;
    bool reference = node != NULL && node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF;
    struct range_item *item =
        reference ? item_of(judge, node->column_ref, strictly, &column) : NULL;
    return item != NULL && judge_shows_subject(judge, item, column, kind) ? item : NULL;
}

struct range_item *judge_subject_item(struct judge *judge, const PgQuery__Node *node)
{
    enum named_kind kind;
    return judge->named_work > WORK_MAX ? NULL : subject_item(judge, node, true, &kind);
}

enum status judge_named_other(struct judge *judge, const PgQuery__Alias *alias, const char *name)
{
    if (judge->level == NULL || judge->level->item_count >= JUDGE_MAX_ITEMS)
        return OK;
    struct range_item *item = scope_add(judge);
    if (item == NULL)
        return judge_no_memory(judge);
    item->name = alias != NULL && alias->aliasname[0] != '\0' ? alias->aliasname : name;
    return OK;
}

enum status judge_named_relation(struct judge *judge, const PgQuery__RangeVar *var,
                                 const struct catalog_relation *relation,
                                 const struct policy_table *table)
{
    if (relation == NULL || (var->alias != NULL && var->alias->n_colnames > 0))
        return judge_named_other(judge, var->alias, var->relname);
    if (judge->level == NULL || judge->level->item_count >= JUDGE_MAX_ITEMS)
        return OK;
    size_t count = relation->column_count;
    struct relation_use *use = arena_zalloc(judge->arena, 1, sizeof(*use));
    const char **names = arena_zalloc(judge->arena, count + 1, sizeof(*names));
    struct range_item *item = scope_add(judge);
    if (use == NULL || names == NULL || item == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < count; i++)
        names[i] = relation->columns[i].name;
    use->shown.relation = relation;
    use->shown.table = table;
    use->columns = names;
    use->column_count = count;
    bool called = var->alias != NULL && var->alias->aliasname[0] != '\0';
    *item = (struct range_item){.name = called ? var->alias->aliasname : var->relname,
                                .schema = called ? NULL : relation->schema,
                                .use = use,
                                .columns = {.names = names, .count = count, .known = true}};
    return OK;
}

/* ---- which values ---- */

/* Behind a cast that leaves the value as it is: not to varchar(9). */
static const PgQuery__Node *uncast(const PgQuery__Node *node)
{
    bool cast = node != NULL && node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST &&
                node->type_cast->type_name != NULL && node->type_cast->type_name->n_typmods == 0;
    return cast ? node->type_cast->arg : node;
}

enum status judge_value(struct judge *judge, const PgQuery__Node *value, struct verdict_named *out)
{
    const PgQuery__Node *node = uncast(value);
    const PgQuery__AConst *constant =
        node->node_case == PG_QUERY__NODE__NODE_A_CONST ? node->a_const : NULL;
    *out = (struct verdict_named){.at = SIZE_MAX, .constant = SIZE_MAX, .cast = node != value};
    if (node->node_case == PG_QUERY__NODE__NODE_PARAM_REF && node->param_ref->number > 0) {
        out->parameter = (uint32_t)node->param_ref->number;
        return OK;
    }
    if (constant == NULL || constant->isnull)
        return OK;
    if (constant->location >= 0)
        out->at = (size_t)constant->location;
    if (constant->val_case == PG_QUERY__A__CONST__VAL_IVAL)
        out->text = judge_format(judge, "%d", constant->ival->ival);
    else if (constant->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        out->text = arena_strdup(judge->arena, constant->sval->sval);
    else if (constant->val_case == PG_QUERY__A__CONST__VAL_FVAL)
        out->text = arena_strdup(judge->arena, constant->fval->fval);
    else
        return OK;
    return out->text == NULL ? judge_no_memory(judge) : OK;
}

/* A parameter is looked at once, however often it is compared. */
static bool is_noted(const struct judge *judge, const struct verdict_named *found)
{
    for (size_t i = 0; found->parameter > 0 && i < judge->named_count; i++) {
        const struct verdict_named *one = &judge->named[i];
        if (one->parameter == found->parameter && one->kind == found->kind &&
            one->list == found->list)
            return true;
    }
    return false;
}

static enum status note(struct judge *judge, const PgQuery__Node *node, enum named_kind kind,
                        bool list)
{
    struct verdict_named found;
    enum status status = judge_value(judge, node, &found);
    found.kind = kind;
    found.list = list;
    if (status != OK || (found.text == NULL && found.parameter == 0) ||
        judge->named_count == NAMED_MAX || is_noted(judge, &found))
        return status;
    struct verdict_named *grown = arena_grow(judge->arena, judge->named, judge->named_count,
                                             &judge->named_cap, sizeof(*grown));
    if (grown == NULL)
        return judge_no_memory(judge);
    judge->named = grown;
    judge->named[judge->named_count++] = found;
    return OK;
}

static int by_parameter(const void *a, const void *b)
{
    const struct verdict_named *x = a;
    const struct verdict_named *y = b;
    if (x->parameter != y->parameter)
        return x->parameter < y->parameter ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

void judge_named_finish(struct judge *judge, struct verdict_statement *out)
{
    if (judge->named_count > 0)
        qsort(judge->named, judge->named_count, sizeof(*judge->named), by_parameter);
    out->named = judge->named;
    out->named_count = judge->named_count;
}

static enum status note_all(struct judge *judge, PgQuery__Node *const *nodes, size_t count,
                            enum named_kind kind)
{
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++)
        status = note(judge, nodes[i], kind, false);
    return status;
}

/* IN (...), or = ANY (...) of an array in one of its forms. */
static enum status note_list(struct judge *judge, const PgQuery__Node *list, enum named_kind kind)
{
    const PgQuery__Node *of = uncast(list);
    if (of->node_case == PG_QUERY__NODE__NODE_LIST)
        return note_all(judge, of->list->items, of->list->n_items, kind);
    if (of->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR)
        return note_all(judge, of->a_array_expr->elements, of->a_array_expr->n_elements, kind);
    return note(judge, list, kind, true);
}

static bool holds_value(const PgQuery__Node *node)
{
    const PgQuery__Node *of = uncast(node);
    return of != NULL && (of->node_case == PG_QUERY__NODE__NODE_A_CONST ||
                          of->node_case == PG_QUERY__NODE__NODE_PARAM_REF ||
                          of->node_case == PG_QUERY__NODE__NODE_LIST ||
                          of->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR);
}

bool judge_is_equal(PgQuery__Node *const *names, size_t count)
{
    const char *name = count == 0 ? NULL : tree_string(names[count - 1]);
    const char *schema = count == 2 ? tree_string(names[0]) : "pg_catalog";
    return name != NULL && schema != NULL && count <= 2 && strcmp(name, "=") == 0 &&
           strcmp(schema, "pg_catalog") == 0;
}

enum status judge_named(struct judge *judge, const PgQuery__AExpr *expr)
{
    bool one = expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP;
    bool many = expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN ||
                expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY;
    const PgQuery__Node *column = expr->lexpr;
    const PgQuery__Node *value = expr->rexpr;
    enum named_kind kind;
    if (judge->level == NULL || (!one && !many) || !judge_is_equal(expr->name, expr->n_name) ||
        judge->named_work > WORK_MAX)
        return OK;
    if (one && !holds_value(value)) {
        column = expr->rexpr;
        value = expr->lexpr;
    }
    if (!holds_value(value) || subject_item(judge, column, false, &kind) == NULL)
        return OK;
    return many ? note_list(judge, value, kind) : note(judge, value, kind, false);
}
