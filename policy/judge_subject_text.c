/*
 * judge_subject_text.c: subjects are written into a statement's text and tree.
 *
 * What judge_subject.c decided is done here, from the top down: guards with a subject take the
 * place of those without, each level's list begins with the subjects, stars are written out and
 * numbers of columns move. That text and tree say the same is verify.c's to show.
 *
 * Rows of groups: the subjects of a group are collected, each once, into one text that the proxy
 * reads (proxy/subjects.h): PostgreSQL's own form of an array, {7,8,"a b"}; where what is collected
 * are such lists already, one behind the other; OVER where there are more than the policy's bound.
 * A text, so that it is the same in binary formats.
 */
#include "judge_subject.h"

#include <pgvigil/text.h>
#include <string.h>

/* Characters of a list of lists for each patient that the bound allows; and what a list may hold
 * that becomes part of one. */
#define LIST_CHARACTERS 64ULL
#define NARROW_MAX      16ULL
#define OVER            "!"

const char *subject_column_name(struct judge *judge, size_t index)
{
    return judge_format(judge, "%s %zu", GUARD_SUBJECT_COLUMN, index);
}

enum status subject_lost(struct judge *judge, const char *what, size_t at)
{
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "subject", at,
                        judge_format(judge, "%s was not found in the text", what));
}

/* ---- lists of columns ---- */

static PgQuery__Node *target_of(struct judge *judge, const char *item, const char *column,
                                const char *name)
{
    PgQuery__Node *target =
        tree_new_target(judge->arena, tree_new_column(judge->arena, item, column));
    if (target != NULL && name[0] != '\0')
        target->res_target->name = (char *)name;
    return target;
}

/* "item".* */
static PgQuery__Node *star_target(struct judge *judge, const char *item)
{
    PgQuery__Node *target = target_of(judge, item, "", "");
    PgQuery__AStar *star = arena_alloc(judge->arena, sizeof(*star));
    if (target == NULL || star == NULL)
        return NULL;
    pg_query__a__star__init(star);
    PgQuery__Node *field = target->res_target->val->column_ref->fields[1];
    pg_query__node__init(field);
    field->node_case = PG_QUERY__NODE__NODE_A_STAR;
    field->a_star = star;
    return target;
}

/* The new list of a level, and what of it is put into the text. */
struct writing {
    struct judge *judge;
    const struct carry *carry;
    PgQuery__Node **targets;
    size_t count, cap;
    struct buf text;
    bool failed;
};

static void put_target(struct writing *writing, PgQuery__Node *target)
{
    PgQuery__Node **grown = arena_grow(writing->judge->arena, writing->targets, writing->count,
                                       &writing->cap, sizeof(PgQuery__Node *));
    if (grown == NULL || target == NULL) {
        writing->failed = true;
        return;
    }
    writing->targets = grown;
    writing->targets[writing->count++] = target;
}

static void put_column(struct writing *writing, const char *item, const char *column,
                       const char *name)
{
    if (column == NULL || name == NULL) {
        writing->failed = true;
        return;
    }
    put_target(writing, target_of(writing->judge, item, column, name));
    text_quote_ident(&writing->text, item);
    buf_byte(&writing->text, '.');
    text_quote_ident(&writing->text, column);
    if (name[0] != '\0') {
        buf_str(&writing->text, " AS ");
        text_quote_ident(&writing->text, name);
    }
}

/* What was put since the last one; NULL: no memory. */
static const char *written(struct writing *writing)
{
    const char *text = text_take(&writing->text, writing->judge->arena);
    return writing->failed ? NULL : text;
}

static bool gives_under(const struct carry *carry, const PgQuery__ColumnRef *star)
{
    for (size_t i = 0; i < carry->item_count; i++) {
        if (carry->items[i].gives > 0 && subject_covers(star, &carry->items[i]))
            return true;
    }
    return false;
}

/* A star becomes what it stands for, without the subjects. */
static enum status tell_star(struct writing *writing, const PgQuery__ColumnRef *star)
{
    struct judge *judge = writing->judge;
    const char *separator = "";
    struct star_place place;
    if (!subject_star_place(judge, star, &place))
        return subject_lost(judge, "a star", SIZE_MAX);
    buf_init(&writing->text, 0);
    for (size_t i = 0; i < writing->carry->item_count && !writing->failed; i++) {
        const struct range_item *item = &writing->carry->items[i];
        if (!subject_covers(star, item))
            continue;
        for (size_t k = 0; k < item->columns.count && item->gives > 0; k++) {
            buf_str(&writing->text, separator);
            put_column(writing, item->emitted, item->columns.names[k], "");
            separator = ", ";
        }
        if (item->gives > 0)
            continue;
        buf_str(&writing->text, separator);
        text_quote_ident(&writing->text, item->emitted);
        buf_str(&writing->text, ".*");
        put_target(writing, star_target(judge, item->emitted));
        separator = ", ";
    }
    const char *text = written(writing);
    if (place.edit != SIZE_MAX && text != NULL)
        return rewrite_amend(judge, place.edit, text);
    return rewrite_edit(judge, place.at, place.end - place.at, text);
}

/* ---- what is more than a column's name ---- */

PgQuery__SelectStmt *subject_parsed(struct judge *judge, const char *sql)
{
    PgQuery__ParseResult *tree = NULL;
    const char *message = NULL;
    size_t position = 0;
    bool one = sql != NULL && tree_parse(sql, judge->arena, &tree, &message, &position) == OK &&
               tree->n_stmts == 1 &&
               tree->stmts[0]->stmt->node_case == PG_QUERY__NODE__NODE_SELECT_STMT;
    if (!one)
        return NULL;
    /* Or judge_constants.c would look for a constant of this text in the client's. */
    tree_forget_places(&tree->stmts[0]->stmt->base);
    return tree->stmts[0]->stmt->select_stmt;
}

/* `expression` AS name */
static void put_expression(struct writing *writing, const char *expression, const char *name)
{
    struct judge *judge = writing->judge;
    const char *quoted = name == NULL ? NULL : rewrite_quote(judge, name);
    const char *text = expression == NULL || quoted == NULL
                           ? NULL
                           : judge_format(judge, "%s AS %s", expression, quoted);
    const PgQuery__SelectStmt *select =
        text == NULL ? NULL : subject_parsed(judge, judge_format(judge, "SELECT %s", text));
    if (select == NULL || select->n_target_list != 1) {
        writing->failed = true;
        return;
    }
    put_target(writing, select->target_list[0]);
    buf_str(&writing->text, text);
}

/* The subjects of a group's rows, of one column. Without an order of the database's own: to sort by
 * bytes is cheaper, and told apart by it are the same. */
const char *subject_collected(struct judge *judge, const struct carry *carry, const char *column,
                              bool lists)
{
    const char *all =
        lists
            ? judge_format(judge, "pg_catalog.string_agg(DISTINCT %s COLLATE pg_catalog.\"C\", '')",
                           column)
            : judge_format(judge,
                           "pg_catalog.array_agg(DISTINCT %s COLLATE pg_catalog.\"C\") "
                           "FILTER (WHERE %s IS NOT NULL)",
                           column, column);
    unsigned long long bound = subject_bound(judge);
    if (all == NULL || subject_is_exact(judge))
        return all == NULL ? NULL
                           : judge_format(judge, "%s%s", all, lists ? "" : "::pg_catalog.text");
    if (carry->narrow && bound > NARROW_MAX)
        bound = NARROW_MAX;
    return judge_format(
        judge,
        "CASE WHEN pg_catalog.%s(%s) OPERATOR(pg_catalog.>) %llu THEN '" OVER "' ELSE %s%s END",
        lists ? "length" : "cardinality", all, bound * (lists ? LIST_CHARACTERS : 1), all,
        lists ? "" : "::pg_catalog.text");
}

/* As judge.h says of COPY. */
const char *subject_for_copy(struct judge *judge, const char *expression)
{
    return judge_format(judge,
                        "COALESCE('x'::pg_catalog.text OPERATOR(pg_catalog.||) "
                        "pg_catalog.encode(pg_catalog.convert_to(%s, 'UTF8'), 'hex'), '')",
                        expression);
}

/* What is more than a column as it is. */
static void put_made(struct writing *writing, const char *item, const char *column, bool lists,
                     const char *name)
{
    struct judge *judge = writing->judge;
    const char *of = rewrite_quote(judge, item);
    const char *what = column == NULL ? NULL : rewrite_quote(judge, column);
    const char *expression =
        of == NULL || what == NULL ? NULL : judge_format(judge, "%s.%s", of, what);
    if (expression != NULL && writing->carry->kind != CARRY_ROWS)
        expression = subject_collected(judge, writing->carry, expression, lists);
    if (expression != NULL && writing->carry->copies)
        expression = subject_for_copy(judge, expression);
    put_expression(writing, expression, name);
}

/* ---- a level ---- */

/* ORDER BY 2, GROUP BY 2, DISTINCT ON (2): it means another column now. */
static enum status shift(struct judge *judge, const struct carry *carry, PgQuery__Node **elements,
                         size_t count)
{
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++) {
        PgQuery__AConst *number = subject_number(elements[i]);
        if (number == NULL)
            continue;
        size_t at = number->location < 0 ? SIZE_MAX : (size_t)number->location;
        size_t digits = at == SIZE_MAX ? 0 : strspn(judge->request->sql + at, "0123456789");
        if (digits == 0)
            return subject_lost(judge, "the number of a column", at);
        number->ival->ival += (int32_t)subject_hidden(carry);
        status = rewrite_edit(judge, at, digits, judge_format(judge, "%d", number->ival->ival));
    }
    return status;
}

enum status subject_shift_numbers(struct judge *judge, const struct carry *carry)
{
    PgQuery__SelectStmt *select = carry->select;
    if (select == NULL)
        return OK;
    enum status status = shift(judge, carry, select->sort_clause, select->n_sort_clause);
    if (status == OK)
        status = shift(judge, carry, select->group_clause, select->n_group_clause);
    return status == OK ? shift(judge, carry, select->distinct_clause, select->n_distinct_clause)
                        : status;
}

static enum status read_subject(struct judge *judge, struct range_item *item)
{
    const char *name = text_qualified(judge->arena, item->subject->pair, item->subject->view);
    const char *text =
        name == NULL ? NULL : judge_format(judge, "%s%s", name, item->emitted_suffix);
    item->var->relname = arena_strdup(judge->arena, item->subject->view);
    if (text == NULL || item->var->relname == NULL)
        return judge_no_memory(judge);
    judge->subjects_carried++;
    item->carried = true;
    return rewrite_amend(judge, item->emitted_edit, text);
}

const char *subject_padding(const struct carry *carry)
{
    return carry->copies ? "''::pg_catalog.text" : "NULL::pg_catalog.text";
}

/* What is not this arm's own: nobody, of which one tree does for all. */
static void put_padding(struct writing *writing, size_t from, size_t to)
{
    struct judge *judge = writing->judge;
    bool copies = writing->carry->copies;
    const char *padding = subject_padding(writing->carry);
    PgQuery__Node **tree = &judge->padding[copies ? 1 : 0];
    if (from < to && *tree == NULL) {
        const PgQuery__SelectStmt *select =
            subject_parsed(judge, judge_format(judge, "SELECT %s", padding));
        *tree = select == NULL ? NULL : select->target_list[0]->res_target->val;
    }
    for (size_t index = from; index < to && !writing->failed; index++) {
        const char *name = subject_column_name(judge, index + 1);
        PgQuery__Node *target =
            name == NULL || *tree == NULL ? NULL : tree_new_target(judge->arena, *tree);
        if (target != NULL)
            target->res_target->name = (char *)name;
        put_target(writing, target);
        buf_printf(&writing->text, "%s AS ", padding);
        text_quote_ident(&writing->text, name == NULL ? "" : name);
        buf_str(&writing->text, ", ");
    }
}

static void put_own(struct writing *writing)
{
    struct judge *judge = writing->judge;
    const struct carry *carry = writing->carry;
    bool none = *carry->target_count == 0;
    size_t index = carry->first;
    for (size_t i = 0; i < carry->item_count; i++) {
        const struct range_item *item = &carry->items[i];
        for (size_t k = 0; k < item->gives; k++) {
            const char *column = item->below != NULL   ? subject_column_name(judge, k + 1)
                                 : item->subject_lists ? GUARD_SUBJECTS_COLUMN
                                                       : GUARD_SUBJECT_COLUMN;
            bool lists =
                item->below == NULL ? item->subject_lists : (item->below->lists >> k & 1) != 0;
            const char *name = subject_column_name(judge, ++index);
            if (carry->kind == CARRY_ROWS && !carry->copies)
                put_column(writing, item->emitted, column, name);
            else
                put_made(writing, item->emitted, column, lists, name);
            buf_str(&writing->text, none && index == carry->total ? "" : ", ");
        }
    }
}

/* What is put in front of the client's columns; NULL: no memory. */
static const char *put_subjects(struct writing *writing)
{
    const struct carry *carry = writing->carry;
    buf_init(&writing->text, 0);
    /* On a line of its own: a comment may be the last that stands there. */
    buf_str(&writing->text, *carry->target_count == 0 ? "\nRETURNING " : "");
    put_padding(writing, 0, carry->first);
    put_own(writing);
    put_padding(writing, carry->first + carry->count, carry->total);
    if (carry->tagged) {
        put_expression(writing, carry->left ? "true" : "false", SUBJECT_ARM);
        buf_str(&writing->text, ", ");
    }
    return written(writing);
}

/* DISTINCT becomes GROUP BY of all the client's columns, by their numbers. */
static enum status group_by_all(struct judge *judge, const struct carry *carry, size_t end)
{
    PgQuery__SelectStmt *select = carry->select;
    size_t first = (size_t)(*carry->targets)[0]->res_target->location;
    size_t word = judge->tokens.tokens[scan_find(&judge->tokens, first) - 1].start;
    size_t tail = subject_tail(judge, carry, end);
    size_t shown = subject_shown(carry);
    struct buf text;
    if (tail == SIZE_MAX)
        return subject_lost(judge, "the end of SELECT DISTINCT", first);
    buf_init(&text, 0);
    buf_str(&text, "\nGROUP BY "); /* a comment may stand before it */
    for (size_t i = 0; i < shown; i++)
        buf_printf(&text, "%s%zu", i == 0 ? "" : ", ", subject_hidden(carry) + i + 1);
    buf_byte(&text, ' ');
    const char *clause = text_take(&text, judge->arena);
    const PgQuery__SelectStmt *made =
        clause == NULL ? NULL : subject_parsed(judge, judge_format(judge, "SELECT%s", clause));
    if (made == NULL)
        return judge_no_memory(judge);
    select->n_distinct_clause = 0;
    select->distinct_clause = NULL;
    select->group_clause = made->group_clause;
    select->n_group_clause = made->n_group_clause;
    enum status status = rewrite_edit(judge, word, strlen("DISTINCT"), "");
    return status == OK ? rewrite_edit(judge, tail, 0, clause) : status;
}

static enum status write_targets(struct judge *judge, struct carry *carry, size_t end)
{
    struct writing writing = {.judge = judge, .carry = carry};
    const struct piece piece = {.text = put_subjects(&writing)};
    bool none = *carry->target_count == 0;
    size_t at = none ? end : (size_t)(*carry->targets)[0]->res_target->location;
    enum status status = OK;
    for (size_t i = 0; i < *carry->target_count && status == OK; i++) {
        PgQuery__Node *target = (*carry->targets)[i];
        const PgQuery__ColumnRef *star = subject_star(target);
        if (star != NULL && gives_under(carry, star))
            status = tell_star(&writing, star);
        else
            put_target(&writing, target);
    }
    if (status == OK && (writing.failed || piece.text == NULL))
        status = judge_no_memory(judge);
    if (status != OK)
        return status;
    *carry->targets = writing.targets;
    *carry->target_count = writing.count;
    if (carry->columns != NULL)
        return rewrite_amend(judge, carry->edit,
                             judge_format(judge, "(SELECT %s%s FROM", piece.text, carry->columns));
    return rewrite_frame(judge, at, 0, !none, &piece, 1);
}

static enum status carry_level(struct judge *judge, struct carry *carry, size_t end)
{
    enum status status = OK;
    for (size_t i = 0; i < carry->item_count && status == OK; i++) {
        struct range_item *item = &carry->items[i];
        if (item->gives > 0)
            status = item->below == NULL ? read_subject(judge, item)
                                         : subject_carry_out(judge, item->below, end);
    }
    if (status == OK)
        status = subject_shift_numbers(judge, carry);
    if (status == OK && carry->kind == CARRY_DISTINCT && carry->count > 0)
        status = group_by_all(judge, carry, end);
    return status == OK ? write_targets(judge, carry, end) : status;
}

enum status subject_carry_out(struct judge *judge, struct carry *carry, size_t end)
{
    return carry->kind == CARRY_SET ? subject_set_carry_out(judge, carry, end)
                                    : carry_level(judge, carry, end);
}
