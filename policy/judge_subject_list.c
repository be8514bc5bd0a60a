/*
 * judge_subject_list.c: what of a level's list and clauses allows a column more in front.
 *
 * Stars are to be written out, so that they do not show it; numbers of columns in ORDER BY and
 * GROUP BY are to mean the client's columns; DISTINCT is to mean the same once it is GROUP BY.
 */
#include "functions.h"
#include "judge_subject.h"

#include <pgvigil/map.h>
#include <string.h>

/* Of one item: what a star may be written out as. */
#define STAR_COLUMNS_MAX ((size_t)500)
/* Elements of ORDER BY times columns, with DISTINCT. */
#define SORTS_MAX ((size_t)20000)

/* ---- stars ---- */

const PgQuery__ColumnRef *subject_star(const PgQuery__Node *target)
{
    const PgQuery__Node *value =
        target->node_case == PG_QUERY__NODE__NODE_RES_TARGET ? target->res_target->val : NULL;
    if (value == NULL || value->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return NULL;
    const PgQuery__ColumnRef *ref = value->column_ref;
    return ref->n_fields > 0 &&
                   ref->fields[ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR
               ? ref
               : NULL;
}

bool subject_covers(const PgQuery__ColumnRef *star, const struct range_item *item)
{
    const char *name = star->n_fields == 2 ? tree_string(star->fields[0]) : NULL;
    if (item->excluded || item->hidden)
        return false;
    return star->n_fields == 1 ||
           (name != NULL && item->emitted != NULL && strcmp(item->emitted, name) == 0);
}

/* How often the select list asks for all that the item has. */
size_t subject_stars_over(const struct carry *carry, const struct range_item *item)
{
    size_t count = 0;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *star = subject_star((*carry->targets)[i]);
        count += star != NULL && subject_covers(star, item) ? 1 : 0;
    }
    return count;
}

/* A row lock may have qualified it: `*` stands for two names in the tree then. */
bool subject_star_place(const struct judge *judge, const PgQuery__ColumnRef *star,
                        struct star_place *place)
{
    size_t next = 0;
    if (star->location < 0 || star->n_fields > 2)
        return false;
    *place = (struct star_place){.at = (size_t)star->location, .edit = SIZE_MAX};
    size_t index = scan_find(&judge->tokens, place->at);
    if (index == SIZE_MAX)
        return false;
    bool bare = judge->tokens.tokens[index].kind == PG_QUERY__TOKEN__ASCII_42;
    if (bare)
        place->end = place->at + 1;
    else if (star->n_fields == 2)
        place->end = scan_dotted_end(&judge->tokens, index, star->n_fields, &next);
    for (size_t i = 0; i < judge->edit_count; i++) {
        const struct edit *edit = &judge->edits[i];
        if (edit->at < place->at || edit->at >= place->end)
            continue;
        if (!edit->star)
            return false;
        place->edit = i;
    }
    return place->end != 0 && (star->n_fields == 1 || !bare || place->edit != SIZE_MAX);
}

/* Each has a name of its own. */
static bool names_are_plain(const struct column_list *columns)
{
    bool plain = columns->known && !columns->partly && columns->count > 0 &&
                 columns->count <= STAR_COLUMNS_MAX;
    struct map *met = plain ? map_new() : NULL;
    for (size_t i = 0; met != NULL && plain && i < columns->count; i++) {
        const char *name = columns->names[i];
        plain =
            name[0] != '\0' && map_get_str(met, name) == NULL && map_put_str(met, name, met) == OK;
    }
    plain = plain && met != NULL;
    map_free(met);
    return plain;
}

/* (item.*) and item.* AS x are what item.* is; written out they would not be. */
static bool star_is_bare(const PgQuery__ResTarget *target)
{
    return target->name[0] == '\0' && target->location == target->val->column_ref->location;
}

/* Can each star of the list that covers it be written out? */
bool subject_stars_can_be_told(const struct judge *judge, const struct carry *carry,
                               const struct range_item *item)
{
    struct star_place place;
    if (carry->merges || !names_are_plain(&item->columns))
        return false;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *star = subject_star((*carry->targets)[i]);
        if (star == NULL || !subject_covers(star, item))
            continue;
        if (!star_is_bare((*carry->targets)[i]->res_target) ||
            !subject_star_place(judge, star, &place))
            return false;
        for (size_t k = 0; k < carry->item_count; k++) {
            if (subject_covers(star, &carry->items[k]) && carry->items[k].emitted == NULL)
                return false;
        }
    }
    return true;
}

/* ---- how many columns ---- */

/* How many columns the client sees: of what is not known, one each. */
size_t subject_shown_columns(const struct carry *carry, bool *star)
{
    size_t shown = 0;
    *star = false;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *ref = subject_star((*carry->targets)[i]);
        shown += ref == NULL ? 1 : 0;
        *star = *star || ref != NULL;
        for (size_t k = 0; ref != NULL && k < carry->item_count; k++) {
            size_t count = carry->items[k].columns.count;
            shown += !subject_covers(ref, &carry->items[k]) ? 0 : count > 0 ? count : 1;
        }
    }
    return shown;
}

/* ---- what counts columns, or names them ---- */

PgQuery__AConst *subject_number(const PgQuery__Node *element)
{
    const PgQuery__Node *by =
        element->node_case == PG_QUERY__NODE__NODE_SORT_BY ? element->sort_by->node : element;
    bool number = by != NULL && by->node_case == PG_QUERY__NODE__NODE_A_CONST &&
                  by->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL;
    return number ? by->a_const : NULL;
}

/* ORDER BY 0 is an error of PostgreSQL's: counted on it would sort by what the client does not see.
 * So would any number that is none of the client's columns. */
static bool numbers_are_plain(PgQuery__Node **elements, size_t count, size_t last)
{
    for (size_t i = 0; i < count; i++) {
        const PgQuery__AConst *number = subject_number(elements[i]);
        if (number != NULL && (number->ival->ival < 1 || (size_t)number->ival->ival > last))
            return false;
    }
    return true;
}

bool subject_is_nested(const PgQuery__Node *element)
{
    return element->node_case == PG_QUERY__NODE__NODE_GROUPING_SET ||
           element->node_case == PG_QUERY__NODE__NODE_ROW_EXPR ||
           element->node_case == PG_QUERY__NODE__NODE_LIST;
}

/* Of GROUPING SETS and lists the numbers in them are not looked for: there are to be none. */
static bool groups_are_plain(const PgQuery__SelectStmt *select, size_t last)
{
    for (size_t i = 0; i < select->n_group_clause; i++) {
        PgQuery__Node *element = select->group_clause[i];
        if (subject_is_nested(element) &&
            tree_holds(&element->base, &pg_query__a__const__descriptor))
            return false;
    }
    return numbers_are_plain(select->group_clause, select->n_group_clause, last);
}

/* (value).*, of a type whose columns are not known here. */
static bool is_wide(const PgQuery__Node *target)
{
    const PgQuery__Node *value = target->res_target->val;
    const PgQuery__AIndirection *of =
        value != NULL && value->node_case == PG_QUERY__NODE__NODE_A_INDIRECTION
            ? value->a_indirection
            : NULL;
    return of != NULL && of->n_indirection > 0 &&
           of->indirection[of->n_indirection - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
}

size_t subject_shown(const struct carry *carry)
{
    size_t shown = 0;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *star = subject_star((*carry->targets)[i]);
        if (is_wide((*carry->targets)[i]) ||
            (star != NULL && (carry->merges || star->n_fields > 2)))
            return SIZE_MAX;
        shown += star == NULL ? 1 : 0;
        for (size_t k = 0; star != NULL && k < carry->item_count; k++) {
            const struct column_list *columns = &carry->items[k].columns;
            if (!subject_covers(star, &carry->items[k]))
                continue;
            if (!columns->known || columns->partly)
                return SIZE_MAX;
            shown += columns->count;
        }
    }
    return shown;
}

const struct carry *subject_first_arm(const struct carry *carry)
{
    while (carry->kind == CARRY_SET)
        carry = carry->arms[0];
    return carry;
}

/* How many columns there are is to be known where one of them is meant by number, or the error
 * about a number that is none would count on. */
bool subject_clauses_are_plain(const struct carry *carry)
{
    const PgQuery__SelectStmt *select = carry->select;
    if (select == NULL ||
        select->n_sort_clause + select->n_group_clause + select->n_distinct_clause == 0)
        return true;
    size_t last = subject_shown(subject_first_arm(carry));
    last = last == SIZE_MAX ? 0 : last;
    return numbers_are_plain(select->sort_clause, select->n_sort_clause, last) &&
           numbers_are_plain(select->distinct_clause, select->n_distinct_clause, last) &&
           groups_are_plain(select, last);
}

/* ---- what is written in WITH ---- */

/* A column, a constant, a number of a column; an aggregate of such. No function that gives a set:
 * of an empty one the row is lost. */
static bool keeps_rows(const PgQuery__Node *node)
{
    const PgQuery__Node *value = node;
    if (value != NULL && value->node_case == PG_QUERY__NODE__NODE_RES_TARGET)
        value = value->res_target->val;
    if (value != NULL && value->node_case == PG_QUERY__NODE__NODE_SORT_BY)
        value = value->sort_by->node;
    if (value == NULL)
        return false;
    if (value->node_case != PG_QUERY__NODE__NODE_FUNC_CALL)
        return value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ||
               value->node_case == PG_QUERY__NODE__NODE_A_CONST;
    const PgQuery__FuncCall *call = value->func_call;
    const char *name =
        call->n_funcname == 0 ? NULL : tree_string(call->funcname[call->n_funcname - 1]);
    const char *schema = call->n_funcname == 2 ? tree_string(call->funcname[0]) : NULL;
    bool aggregate = schema != NULL && strcmp(schema, "pg_catalog") == 0 && name != NULL &&
                     functions_aggregate(name) && call->over == NULL && call->n_agg_order == 0 &&
                     call->agg_filter == NULL;
    for (size_t i = 0; aggregate && i < call->n_args; i++)
        aggregate = call->args[i]->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ||
                    call->args[i]->node_case == PG_QUERY__NODE__NODE_A_CONST;
    return aggregate;
}

static bool all_keep_rows(PgQuery__Node *const *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!keeps_rows(nodes[i]))
            return false;
    return true;
}

/* INSERT, UPDATE and DELETE in WITH write their rows whether or not anybody reads them. */
bool subject_loses_nothing(const struct carry *carry)
{
    const PgQuery__SelectStmt *select = carry->select;
    bool all = carry->top && select != NULL && carry->item_count == 1 &&
               carry->kind != CARRY_NOTHING && select->where_clause == NULL &&
               select->having_clause == NULL && select->limit_count == NULL &&
               select->limit_offset == NULL &&
               (select->n_distinct_clause == 0 || carry->kind == CARRY_DISTINCT);
    return all && all_keep_rows(*carry->targets, *carry->target_count) &&
           all_keep_rows(select->group_clause, select->n_group_clause) &&
           all_keep_rows(select->sort_clause, select->n_sort_clause);
}

/* ---- DISTINCT ---- */

/* Does a star of the list bring a column of that name, of that item or (NULL) of any? */
static bool star_brings(const struct carry *carry, const char *item, const char *column)
{
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *star = subject_star((*carry->targets)[i]);
        for (size_t k = 0; star != NULL && k < carry->item_count; k++) {
            const struct range_item *one = &carry->items[k];
            if (subject_covers(star, one) && scope_column(one, column) >= 0 &&
                (item == NULL || (one->emitted != NULL && strcmp(one->emitted, item) == 0)))
                return true;
        }
    }
    return false;
}

static bool is_output(const struct carry *carry, const PgQuery__Node *by)
{
    const PgQuery__ColumnRef *ref =
        by->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? by->column_ref : NULL;
    const char *name = ref == NULL ? NULL : tree_string(ref->fields[ref->n_fields - 1]);
    const char *item = ref != NULL && ref->n_fields == 2 ? tree_string(ref->fields[0]) : NULL;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ResTarget *target = (*carry->targets)[i]->res_target;
        if (target->val != NULL && tree_equal(&target->val->base, &by->base))
            return true;
        if (ref != NULL && ref->n_fields == 1 && name != NULL && strcmp(target->name, name) == 0)
            return true;
    }
    return name != NULL && ref->n_fields <= 2 && star_brings(carry, item, name);
}

/* With DISTINCT PostgreSQL sorts by what is output only; with GROUP BY by more, which is refused
 * here as there. */
static bool sorts_by_output(const struct carry *carry)
{
    const PgQuery__SelectStmt *select = carry->select;
    if (select->n_sort_clause * (*carry->target_count + subject_shown(carry)) > SORTS_MAX)
        return false; /* each is looked for among all */
    for (size_t i = 0; i < select->n_sort_clause; i++) {
        const PgQuery__Node *element = select->sort_clause[i];
        const PgQuery__Node *by =
            element->node_case == PG_QUERY__NODE__NODE_SORT_BY ? element->sort_by->node : NULL;
        if (by == NULL || (subject_number(element) == NULL && !is_output(carry, by)))
            return false;
    }
    return true;
}

/* Words that are reserved are names there only. */
static bool is_name(const struct token_list *list, size_t index)
{
    int before = index == 0 ? 0 : list->tokens[index - 1].kind;
    return before == PG_QUERY__TOKEN__AS || before == PG_QUERY__TOKEN__ASCII_46;
}

bool subject_is_word(const struct token_list *list, size_t index, int word)
{
    return list->tokens[index].kind == word && !is_name(list, index);
}

bool subject_ends_level(const struct token_list *list, size_t index)
{
    int kind = list->tokens[index].kind;
    int next = index + 1 < list->count ? list->tokens[index + 1].kind : 0;
    static const int ends[] = {
        PG_QUERY__TOKEN__ASCII_59, PG_QUERY__TOKEN__UNION, PG_QUERY__TOKEN__INTERSECT,
        PG_QUERY__TOKEN__EXCEPT,   PG_QUERY__TOKEN__ORDER, PG_QUERY__TOKEN__LIMIT,
        PG_QUERY__TOKEN__OFFSET,   PG_QUERY__TOKEN__FETCH, PG_QUERY__TOKEN__FOR};
    if (is_name(list, index) ||
        (kind == PG_QUERY__TOKEN__FOR && next == PG_QUERY__TOKEN__ASCII_40)) /* COLLATION FOR ( */
        return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (kind == ends[i])
            return true;
    return false;
}

size_t subject_tail(const struct judge *judge, const struct carry *carry, size_t end)
{
    const struct token_list *list = &judge->tokens;
    size_t index = scan_find(list, (size_t)(*carry->targets)[0]->res_target->location);
    size_t depth = 0;
    for (; index < list->count && list->tokens[index].start < end; index++) {
        int kind = list->tokens[index].kind;
        if (depth == 0 && (kind == PG_QUERY__TOKEN__ASCII_41 || subject_ends_level(list, index)))
            return list->tokens[index].start;
        if (kind == PG_QUERY__TOKEN__ASCII_40 || kind == PG_QUERY__TOKEN__ASCII_91)
            depth++;
        else if (kind == PG_QUERY__TOKEN__ASCII_41 || kind == PG_QUERY__TOKEN__ASCII_93)
            depth--;
    }
    return index == SIZE_MAX ? SIZE_MAX : end;
}

/* The word stands right before the first column. GROUPING(...) asks about GROUP BY. */
bool subject_distinct_is_told(const struct judge *judge, const struct carry *carry)
{
    for (size_t i = 0; i < *carry->target_count; i++)
        if (tree_holds(&(*carry->targets)[i]->base, &pg_query__grouping_func__descriptor))
            return false;
    size_t at = (size_t)(*carry->targets)[0]->res_target->location;
    size_t index = scan_find(&judge->tokens, at);
    return index != SIZE_MAX && index > 0 &&
           judge->tokens.tokens[index - 1].kind == PG_QUERY__TOKEN__DISTINCT &&
           subject_shown(carry) < TARGETS_MAX && sorts_by_output(carry);
}
