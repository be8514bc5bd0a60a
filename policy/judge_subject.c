/*
 * judge_subject.c: whose rows a SELECT gives, carried to its top as columns that the client does
 * not see.
 *
 * Purpose: a record names the patients of the rows that left (design section 7). Each relation with
 * a `subject` has a second guard with one more column (GUARD_SUBJECT_COLUMN). Where nothing stands
 * in the way, a query reads that one, and its output begins with the subjects, which the proxy
 * takes off and notes. In front, not behind: they are found in a row without looking at what the
 * client asked for, and how many there are is known before the server has described anything.
 *
 * How: judging a level leaves a note of it (struct carry). When a whole statement is judged, the
 * notes are gone through from the top: a level gives subjects if a column more changes nothing in
 * what it answers, and if all that it reads from can be told from the outside by name. Everything
 * else stays as it is, and the statement is marked: its record then cannot say exactly whose rows
 * it read.
 *
 * Trust boundary: the client's text. The attack: to have the added column shown, sorted by or
 * joined on, since a subject may be hidden from the one who asks. No client can name it
 * (judge_column.c); whole rows, stars in expressions, NATURAL JOIN and lists of column aliases,
 * which would meet it without naming it, keep their level without it.
 */
#include "judge_private.h"

#include <pgvigil/map.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* Hidden columns of one statement. */
#define SUBJECTS_MAX 16
/* Of one item, and of one statement: what stars may be written out as. */
#define STAR_COLUMNS_MAX  ((size_t)500)
#define STARS_COLUMNS_MAX ((size_t)10000)

/* Has the answer as many rows as what it is read from, each of them of certain rows below? */
static bool is_open(const struct level *level, const PgQuery__SelectStmt *select)
{
    return select->n_target_list > 0 && select->n_values_lists == 0 &&
           select->n_distinct_clause == 0 && select->n_group_clause == 0 &&
           select->having_clause == NULL && select->n_locking_clause == 0 &&
           select->into_clause == NULL && !level->aggregates && !level->natural;
}

enum status subject_note(struct judge *judge, PgQuery__SelectStmt *select,
                         const struct level *level)
{
    struct carry *carry = arena_alloc(judge->arena, sizeof(*carry));
    if (carry == NULL)
        return judge_no_memory(judge);
    *carry = (struct carry){.targets = &select->target_list,
                            .target_count = &select->n_target_list,
                            .sort = select->sort_clause,
                            .sort_count = select->n_sort_clause,
                            .items = level->items,
                            .item_count = level->item_count,
                            .merges = level->merges,
                            .open = is_open(level, select)};
    judge->carried = carry;
    return OK;
}

enum status subject_note_write(struct judge *judge, PgQuery__Node ***returning, size_t *count,
                               const struct level *level)
{
    struct carry *carry = arena_alloc(judge->arena, sizeof(*carry));
    if (carry == NULL)
        return judge_no_memory(judge);
    *carry = (struct carry){.targets = returning,
                            .target_count = count,
                            .items = level->items,
                            .item_count = level->item_count,
                            .merges = level->merges,
                            .writes = true,
                            .open = !level->natural && !level->aggregates && !level->overfull};
    /* The row that met a conflict has the guard's columns, as a whole the added one too. */
    for (size_t i = 0; i < level->item_count; i++) {
        const struct range_item *item = &level->items[i];
        carry->open = carry->open && !(item->excluded && item->wholes > 0);
    }
    judge->carried = carry;
    return OK;
}

/* ---- stars ---- */

static const PgQuery__ColumnRef *star_of(const PgQuery__Node *target)
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

static bool covers(const PgQuery__ColumnRef *star, const struct range_item *item)
{
    const char *name = star->n_fields == 2 ? tree_string(star->fields[0]) : NULL;
    if (item->excluded || item->hidden)
        return false;
    return star->n_fields == 1 ||
           (name != NULL && item->emitted != NULL && strcmp(item->emitted, name) == 0);
}

/* How often the select list asks for all that the item has. */
static size_t stars_over(const struct carry *carry, const struct range_item *item)
{
    size_t count = 0;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *star = star_of((*carry->targets)[i]);
        count += star != NULL && covers(star, item) ? 1 : 0;
    }
    return count;
}

/* The star's place in the text; false: it has none, or something else is changed there. */
static bool star_place(const struct judge *judge, const PgQuery__ColumnRef *star, size_t *at,
                       size_t *end)
{
    size_t next = 0;
    if (star->location < 0 || star->n_fields > 2)
        return false;
    *at = (size_t)star->location;
    size_t index = scan_find(&judge->tokens, *at);
    if (index == SIZE_MAX)
        return false;
    if (star->n_fields == 1)
        *end = judge->tokens.tokens[index].kind == PG_QUERY__TOKEN__ASCII_42 ? *at + 1 : 0;
    else
        *end = scan_dotted_end(&judge->tokens, index, star->n_fields, &next);
    for (size_t i = 0; i < judge->edit_count; i++) {
        if (judge->edits[i].at >= *at && judge->edits[i].at < *end)
            return false;
    }
    return *end != 0;
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

/* Can each star of the list that covers it be written out? */
static bool stars_can_be_told(const struct judge *judge, const struct carry *carry,
                              const struct range_item *item)
{
    size_t at = 0;
    size_t end = 0;
    if (carry->merges || !names_are_plain(&item->columns))
        return false;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *star = star_of((*carry->targets)[i]);
        if (star == NULL || !covers(star, item))
            continue;
        if (!star_place(judge, star, &at, &end))
            return false;
        for (size_t k = 0; k < carry->item_count; k++) {
            if (covers(star, &carry->items[k]) && carry->items[k].emitted == NULL)
                return false;
        }
    }
    return true;
}

/* ---- who gives subjects ---- */

/* PostgreSQL's own limit of a select list. */
#define TARGETS_MAX ((size_t)1664)

/* How many columns the client sees: of what is not known, one each. */
static size_t shown_columns(const struct carry *carry, bool *star)
{
    size_t shown = 0;
    *star = false;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *ref = star_of((*carry->targets)[i]);
        shown += ref == NULL ? 1 : 0;
        *star = *star || ref != NULL;
        for (size_t k = 0; ref != NULL && k < carry->item_count; k++) {
            size_t count = carry->items[k].columns.count;
            shown += !covers(ref, &carry->items[k]) ? 0 : count > 0 ? count : 1;
        }
    }
    return shown;
}

/* The number of a column in ORDER BY; false: none stands there. */
static bool order_number(const PgQuery__Node *node, PgQuery__AConst **constant)
{
    const PgQuery__Node *by =
        node->node_case == PG_QUERY__NODE__NODE_SORT_BY ? node->sort_by->node : NULL;
    bool number = by != NULL && by->node_case == PG_QUERY__NODE__NODE_A_CONST &&
                  by->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL;
    *constant = number ? by->a_const : NULL;
    return number;
}

/* ORDER BY 0 is an error of PostgreSQL's: counted on it would sort by what the client does not see.
 * So would any number that is none of the client's columns. */
static bool order_is_plain(const struct carry *carry, bool star)
{
    size_t last = star ? TARGETS_MAX : *carry->target_count;
    for (size_t i = 0; i < carry->sort_count; i++) {
        PgQuery__AConst *constant = NULL;
        if (order_number(carry->sort[i], &constant) &&
            (constant->ival->ival < 1 || (size_t)constant->ival->ival > last))
            return false;
    }
    return true;
}

static size_t given(struct judge *judge, struct carry *carry);

/* How many columns more the item may have; 0: none. */
static size_t item_gives(struct judge *judge, const struct carry *carry,
                         const struct range_item *item)
{
    bool own = item->subject != NULL;
    bool below = item->below != NULL && item->below->references == 1;
    if ((!own && !below) || item->hidden || item->aliased || item->emitted == NULL)
        return 0;
    size_t stars = stars_over(carry, item);
    /* Every other use of the whole item would show the column. */
    if (item->wholes != stars || (stars > 0 && !stars_can_be_told(judge, carry, item)))
        return 0;
    return own ? 1 : given(judge, item->below);
}

static bool can_have_more(const struct carry *carry, bool star)
{
    const PgQuery__Node *first = *carry->target_count == 0 ? NULL : (*carry->targets)[0];
    if (!carry->open || !order_is_plain(carry, star))
        return false;
    return first == NULL ? carry->writes
                         : first->node_case == PG_QUERY__NODE__NODE_RES_TARGET &&
                               first->res_target->location >= 0;
}

static size_t given(struct judge *judge, struct carry *carry)
{
    bool star = false;
    /* First: what follows looks at each item once for each star. */
    size_t shown = shown_columns(carry, &star);
    carry->count = 0;
    if (shown >= TARGETS_MAX || !can_have_more(carry, star))
        return 0;
    for (size_t i = 0; i < carry->item_count; i++) {
        carry->items[i].gives = item_gives(judge, carry, &carry->items[i]);
        carry->count += carry->items[i].gives;
    }
    judge->told += star && carry->count > 0 ? shown : 0;
    if (carry->count > SUBJECTS_MAX || carry->count + shown > TARGETS_MAX ||
        judge->told > STARS_COLUMNS_MAX)
        carry->count = 0;
    return carry->count;
}

/* ---- changing text and tree ---- */

static const char *name_of(struct judge *judge, size_t index)
{
    return judge_format(judge, "%s %zu", GUARD_SUBJECT_COLUMN, index);
}

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
        if (carry->items[i].gives > 0 && covers(star, &carry->items[i]))
            return true;
    }
    return false;
}

/* A star becomes what it stands for, without the subjects. */
static enum status tell_star(struct writing *writing, const PgQuery__ColumnRef *star)
{
    struct judge *judge = writing->judge;
    const char *separator = "";
    size_t at = 0;
    size_t end = 0;
    if (!star_place(judge, star, &at, &end))
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "star", SIZE_MAX,
                            "a star was not found in the text");
    buf_init(&writing->text, 0);
    for (size_t i = 0; i < writing->carry->item_count && !writing->failed; i++) {
        const struct range_item *item = &writing->carry->items[i];
        if (!covers(star, item))
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
    return rewrite_edit(judge, at, end - at, written(writing));
}

/* ORDER BY 2 means another column now. */
static enum status shift_order(struct judge *judge, struct carry *carry)
{
    enum status status = OK;
    for (size_t i = 0; i < carry->sort_count && status == OK; i++) {
        PgQuery__AConst *constant = NULL;
        if (!order_number(carry->sort[i], &constant))
            continue;
        size_t at = constant->location < 0 ? SIZE_MAX : (size_t)constant->location;
        size_t digits = at == SIZE_MAX ? 0 : strspn(judge->request->sql + at, "0123456789");
        if (digits == 0)
            return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "order", at,
                                "a number in ORDER BY was not found in the text");
        constant->ival->ival += (int32_t)carry->count;
        status = rewrite_edit(judge, at, digits, judge_format(judge, "%d", constant->ival->ival));
    }
    return status;
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
    return rewrite_amend(judge, item->emitted_edit, text);
}

/* What is put in front of the client's columns; NULL: no memory. */
static const char *put_subjects(struct writing *writing)
{
    struct judge *judge = writing->judge;
    const struct carry *carry = writing->carry;
    bool none = *carry->target_count == 0;
    size_t index = 0;
    buf_init(&writing->text, 0);
    /* On a line of its own: a comment may be the last that stands there. */
    buf_str(&writing->text, none ? "\nRETURNING " : "");
    for (size_t i = 0; i < carry->item_count; i++) {
        const struct range_item *item = &carry->items[i];
        for (size_t k = 0; k < item->gives; k++) {
            const char *column = item->below == NULL ? GUARD_SUBJECT_COLUMN : name_of(judge, k + 1);
            index++;
            put_column(writing, item->emitted, column, name_of(judge, index));
            buf_str(&writing->text, none && index == carry->count ? "" : ", ");
        }
    }
    return written(writing);
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
        const PgQuery__ColumnRef *star = star_of(target);
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
    return rewrite_frame(judge, at, 0, !none, &piece, 1);
}

/* `end`: where the statement ends. */
static enum status carry_out(struct judge *judge, struct carry *carry, size_t end)
{
    enum status status = OK;
    for (size_t i = 0; i < carry->item_count && status == OK; i++) {
        struct range_item *item = &carry->items[i];
        if (item->gives > 0)
            status = item->below == NULL ? read_subject(judge, item)
                                         : carry_out(judge, item->below, end);
    }
    if (status == OK)
        status = shift_order(judge, carry);
    return status == OK ? write_targets(judge, carry, end) : status;
}

/* A mission may ask that every record names exactly whose rows were read. */
static enum status accept_open(struct judge *judge)
{
    const struct judge_request *request = judge->request;
    bool exact = request->mission >= 0 && !judge->verdict->unrestricted && !request->sketch &&
                 request->policy->missions[request->mission].exact_subjects;
    return exact ? judge_unsupported(judge, "subject",
                                     "a statement that reads rows without telling whose they are",
                                     "The mission asks for exact_subjects: read the rows "
                                     "themselves, without aggregates, GROUP BY, DISTINCT, UNION, "
                                     "COPY or a sub-query in an expression.")
                 : OK;
}

enum status judge_subjects(struct judge *judge, struct verdict_statement *out)
{
    struct carry *top = judge->carried;
    enum status status = OK;
    if (top != NULL && !judge->request->sketch && given(judge, top) > 0) {
        out->subjects = top->count;
        out->subjects_only = *top->target_count == 0;
        status = carry_out(judge, top, out->start + out->len);
    }
    /* What the database's own functions read is not in the statement's text. */
    out->subjects_open = judge->calls_foreign_function ||
                         judge->subjects_read > judge->subjects_carried ||
                         (judge->subjects_mixed && judge->subjects_read > 0) ||
                         /* Its rows are all read at COMMIT, whose error may quote one. */
                         (out->hold && judge->subjects_read > 0);
    return status == OK && out->subjects_open ? accept_open(judge) : status;
}
