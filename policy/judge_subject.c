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
#include "judge_subject.h"

#include <stdlib.h>
#include <string.h>

/* Hidden columns of one statement. */
#define SUBJECTS_MAX 16
/* Constants in the place of others' subjects, of one set operation. */
#define PADDING_MAX ((size_t)4000)
/* Of a text with window functions or lists in GROUP BY: what these sort and group by counts for
 * PostgreSQL's limit of columns, too. */
#define LISTS_TOKENS_MAX ((size_t)1500)

static bool is_plain_distinct(const PgQuery__SelectStmt *select)
{
    return select->n_distinct_clause == 1 &&
           select->distinct_clause[0]->node_case == PG_QUERY__NODE__NODE__NOT_SET;
}

/* May the rows reach an aggregate that minds in another order? On their way into groups they are
 * sorted; from PostgreSQL 16 on for other aggregates of the level, too. */
static bool order_matters(const struct judge *judge, const struct level *level,
                          const PgQuery__SelectStmt *select)
{
    return level->ordered &&
           (select->n_group_clause > 0 || judge->request->catalog->server_version >= 160000);
}

static enum carry_kind kind_of(const struct judge *judge, const struct level *level,
                               const PgQuery__SelectStmt *select)
{
    bool groups = select->n_group_clause > 0 || select->having_clause != NULL || level->groups;
    if (select->n_target_list == 0 || select->n_values_lists > 0 || select->into_clause != NULL ||
        level->natural)
        return CARRY_NOTHING;
    if (select->n_locking_clause > 0 && (groups || level->aggregates || level->windows))
        return CARRY_NOTHING; /* an error of PostgreSQL's */
    /* DISTINCT ON gives rows of those that there are, and drops others. */
    if (groups)
        return !is_plain_distinct(select) && !order_matters(judge, level, select) ? CARRY_GROUPS
                                                                                  : CARRY_NOTHING;
    if (level->aggregates)
        return CARRY_NOTHING; /* of which level is not said */
    if (!is_plain_distinct(select))
        return CARRY_ROWS;
    return !level->windows && select->n_window_clause == 0 ? CARRY_DISTINCT : CARRY_NOTHING;
}

static bool may_be_padded(const PgQuery__SelectStmt *select)
{
    return select->n_target_list > 0 && select->n_values_lists == 0 && select->into_clause == NULL;
}

enum status subject_note(struct judge *judge, PgQuery__SelectStmt *select,
                         const struct level *level)
{
    struct carry *carry = arena_alloc(judge->arena, sizeof(*carry));
    if (carry == NULL)
        return judge_no_memory(judge);
    *carry = (struct carry){.kind = kind_of(judge, level, select),
                            .select = select,
                            .targets = &select->target_list,
                            .target_count = &select->n_target_list,
                            .items = level->items,
                            .item_count = level->item_count,
                            .merges = level->merges,
                            .windows = level->windows || select->n_window_clause > 0,
                            .pads = may_be_padded(select)};
    judge->carried = carry;
    return OK;
}

enum status subject_note_copy(struct judge *judge, PgQuery__SelectStmt *select,
                              const struct level *level, size_t edit, const char *columns)
{
    enum status status = subject_note(judge, select, level);
    if (status == OK) {
        judge->carried->edit = edit;
        judge->carried->columns = columns;
    }
    return status;
}

enum status subject_note_set(struct judge *judge, PgQuery__SelectStmt *select,
                             struct carry *const arms[2])
{
    bool told = select->n_locking_clause == 0 && arms[0] != NULL && arms[1] != NULL;
    struct carry *carry = arena_alloc(judge->arena, sizeof(*carry));
    if (carry == NULL)
        return judge_no_memory(judge);
    *carry = (struct carry){
        .kind = told ? CARRY_SET : CARRY_NOTHING, .select = select, .arms = {arms[0], arms[1]}};
    judge->carried = carry;
    return OK;
}

enum status subject_note_write(struct judge *judge, PgQuery__Node ***returning, size_t *count,
                               const struct level *level)
{
    struct carry *carry = arena_alloc(judge->arena, sizeof(*carry));
    if (carry == NULL)
        return judge_no_memory(judge);
    bool rows = !level->natural && !level->aggregates && !level->overfull;
    /* The row that met a conflict has the guard's columns, as a whole the added one too. */
    for (size_t i = 0; i < level->item_count; i++)
        rows = rows && !(level->items[i].excluded && level->items[i].wholes > 0);
    *carry = (struct carry){.kind = rows ? CARRY_ROWS : CARRY_NOTHING,
                            .targets = returning,
                            .target_count = count,
                            .items = level->items,
                            .item_count = level->item_count,
                            .merges = level->merges,
                            .writes = true};
    judge->carried = carry;
    return OK;
}

/* ---- who gives subjects ---- */

uint64_t subject_bound(const struct judge *judge)
{
    const struct judge_request *request = judge->request;
    return request->mission < 0 ? 0 : request->policy->missions[request->mission].group_subjects;
}

bool subject_is_exact(const struct judge *judge)
{
    const struct judge_request *request = judge->request;
    return request->mission >= 0 && request->policy->missions[request->mission].exact_subjects;
}

static size_t given(struct judge *judge, struct carry *carry);

/* How many columns more the item may have; 0: none. */
static size_t item_gives(struct judge *judge, const struct carry *carry,
                         const struct range_item *item)
{
    bool own = item->subject != NULL;
    bool below = item->below != NULL && item->below->references == 1 &&
                 (!item->below->writes || subject_loses_nothing(carry));
    if ((!own && !below) || item->hidden || item->aliased || item->emitted == NULL)
        return 0;
    size_t stars = subject_stars_over(carry, item);
    /* Every other use of the whole item would show the column. */
    if (item->wholes != stars || (stars > 0 && !subject_stars_can_be_told(judge, carry, item)))
        return 0;
    size_t gives = own ? 1 : given(judge, item->below);
    bool groups = carry->kind == CARRY_GROUPS || carry->kind == CARRY_DISTINCT;
    /* Of lists of lists nobody could say how long they get. */
    bool lists = own ? item->subject_lists : item->below->lists != 0;
    return groups && lists && subject_is_exact(judge) ? 0 : gives;
}

/* May something be put in front of its first column? */
static bool has_place(const struct carry *carry)
{
    const PgQuery__Node *first = *carry->target_count == 0 ? NULL : (*carry->targets)[0];
    if (carry->columns != NULL)
        return first != NULL;
    return first == NULL ? carry->select == NULL
                         : first->node_case == PG_QUERY__NODE__NODE_RES_TARGET &&
                               first->res_target->location >= 0;
}

/* What can be hashed but not sorted stands in PostgreSQL's own catalogs (xid, aclitem): groups of
 * it would fail, since to collect each subject once is to sort. */
static bool reads_catalogs(const struct judge *judge)
{
    for (size_t i = 0; i < judge->use_count; i++)
        if (strcmp(judge->uses[i]->shown.schema, "pg_catalog") == 0)
            return true;
    return false;
}

static bool can_have_more(const struct judge *judge, const struct carry *carry)
{
    bool collects = carry->kind == CARRY_GROUPS || carry->kind == CARRY_DISTINCT;
    return carry->kind != CARRY_NOTHING && has_place(carry) && subject_clauses_are_plain(carry) &&
           (!collects || (subject_bound(judge) > 0 && !reads_catalogs(judge))) &&
           (carry->kind != CARRY_DISTINCT || subject_distinct_is_told(judge, carry));
}

static void give_nothing(struct carry *carry)
{
    carry->count = 0;
    carry->lists = 0;
    for (size_t i = 0; i < carry->item_count; i++)
        carry->items[i].gives = 0;
}

/* Which of them are lists: of a group's rows all, of others what the items have. */
static uint32_t lists_of(const struct carry *carry)
{
    uint32_t lists = 0;
    size_t at = 0;
    for (size_t i = 0; i < carry->item_count; i++) {
        const struct range_item *item = &carry->items[i];
        if (item->gives > 0)
            lists |= (item->below == NULL ? (uint32_t)item->subject_lists : item->below->lists)
                     << at;
        at += item->gives;
    }
    return carry->kind == CARRY_ROWS ? lists : ((uint32_t)1 << carry->count) - 1;
}

/* How many columns more PostgreSQL takes: what rows are sorted and grouped by counts as well. */
static size_t room_in(const struct judge *judge, const struct carry *carry, size_t shown)
{
    bool more = carry->windows;
    for (size_t i = 0; carry->select != NULL && i < carry->select->n_group_clause; i++)
        more = more || subject_is_nested(carry->select->group_clause[i]);
    size_t taken = shown + (carry->select == NULL
                                ? 0
                                : carry->select->n_sort_clause + carry->select->n_group_clause +
                                      carry->select->n_distinct_clause);
    /* Windows and lists in GROUP BY have more, which only the text's length bounds. */
    return taken > TARGETS_MAX || (more && judge->tokens.count > LISTS_TOKENS_MAX)
               ? 0
               : TARGETS_MAX - taken;
}

/* A group of groups: each of those below may bring a short list only, or what is collected of them
 * would be as long as both together. */
static void narrow(struct carry *carry)
{
    carry->narrow = true;
    for (size_t i = 0; i < 2 && carry->kind == CARRY_SET; i++)
        narrow(carry->arms[i]);
    for (size_t i = 0; i < carry->item_count; i++)
        if (carry->items[i].gives > 0 && carry->items[i].below != NULL)
            narrow(carry->items[i].below);
}

static size_t level_gives(struct judge *judge, struct carry *carry)
{
    bool star = false;
    /* First: what follows looks at each item once for each star. */
    size_t shown = subject_shown_columns(carry, &star);
    size_t room = room_in(judge, carry, shown);
    give_nothing(carry);
    carry->pads =
        carry->pads && room >= SUBJECTS_MAX && has_place(carry) && subject_clauses_are_plain(carry);
    if (shown >= TARGETS_MAX || !can_have_more(judge, carry))
        return 0;
    for (size_t i = 0; i < carry->item_count; i++) {
        struct range_item *item = &carry->items[i];
        item->gives = item_gives(judge, carry, item);
        carry->count += item->gives;
        if (carry->kind != CARRY_ROWS && item->gives > 0 && item->below != NULL)
            narrow(item->below);
    }
    judge->told += star && carry->count > 0 ? shown : 0;
    if (carry->count > SUBJECTS_MAX || carry->count > room || judge->told > SUBJECT_COLUMNS_MAX)
        give_nothing(carry);
    carry->lists = lists_of(carry);
    return carry->count;
}

/* Is what it gives collected once more in a set operation above it? Not of one right below: for
 * each of its rows there is one above it, but for what types tell apart. */
static bool collects_lists(const struct carry *arm)
{
    return arm->lists != 0 && !arm->once;
}

/* Of rows that are there once only, subjects are collected as of groups. */
static bool may_be_collected(struct judge *judge, struct carry *carry)
{
    if (carry->select->all)
        return false; /* INTERSECT ALL, EXCEPT ALL: as often as the arms have them */
    for (size_t i = 0; i < 2; i++)
        if (collects_lists(carry->arms[i]) && subject_is_exact(judge))
            return false; /* as item_gives has it */
    return subject_bound(judge) > 0 && !reads_catalogs(judge) && subject_set_is_told(judge, carry);
}

/* Its rows are of nobody's, as far as is told: guards stay those without a subject. */
static void keep_silent(struct carry *carry)
{
    carry->once = false;
    give_nothing(carry);
    for (size_t i = 0; i < 2 && carry->kind == CARRY_SET; i++)
        keep_silent(carry->arms[i]);
}

/* A constant goes in front of its columns where the other arm gives something: without a place for
 * it, none of the set operation does. */
static size_t set_gives(struct judge *judge, struct carry *carry)
{
    size_t left = given(judge, carry->arms[0]);
    size_t right = given(judge, carry->arms[1]);
    /* A row of EXCEPT tells who is not among the second arm's, and none of those tells it. */
    if (carry->select->op == PG_QUERY__SET_OPERATION__SETOP_EXCEPT) {
        keep_silent(carry->arms[1]);
        right = 0;
    }
    bool all = carry->select->op == PG_QUERY__SET_OPERATION__SETOP_UNION && carry->select->all;
    carry->count = 0;
    carry->lists = 0;
    carry->once = false;
    carry->leaves = carry->arms[0]->leaves + carry->arms[1]->leaves;
    carry->pads = carry->arms[0]->pads && carry->arms[1]->pads &&
                  subject_clauses_are_plain(carry) && left + right <= SUBJECTS_MAX &&
                  carry->leaves * (left + right) <= PADDING_MAX;
    if (!carry->pads || left + right == 0)
        return 0;
    carry->count = left + right;
    carry->lists = carry->arms[0]->lists | (right == 0 ? 0 : carry->arms[1]->lists << left);
    if (all)
        return carry->count;
    if (!may_be_collected(judge, carry)) {
        carry->pads = false;
        carry->count = 0;
        return 0;
    }
    carry->once = true;
    carry->lists = ((uint32_t)1 << carry->count) - 1;
    for (size_t i = 0; i < 2; i++)
        if (collects_lists(carry->arms[i]))
            narrow(carry->arms[i]);
    return carry->count;
}

static size_t given(struct judge *judge, struct carry *carry)
{
    size_t gives = carry->kind == CARRY_SET ? set_gives(judge, carry)
                   : carry->targets != NULL ? level_gives(judge, carry)
                                            : 0; /* of a set operation that locks */
    carry->leaves = carry->kind == CARRY_SET ? carry->leaves : 1;
    carry->first = 0;
    carry->total = gives;
    return gives;
}

/* A mission may ask that every record names exactly whose rows were read. */
static enum status accept_open(struct judge *judge)
{
    bool exact =
        subject_is_exact(judge) && !judge->verdict->unrestricted && !judge->request->sketch;
    return exact ? judge_unsupported(judge, "subject",
                                     "a statement that reads rows without telling whose they are",
                                     "The mission asks for exact_subjects: read the rows "
                                     "themselves, without an EXCEPT of patients or a sub-query in "
                                     "an expression that is not of the same patient, and without "
                                     "aggregates, GROUP BY, DISTINCT, UNION and INTERSECT "
                                     "unless it has group_subjects.")
                 : OK;
}

static void write_for_copy(struct carry *carry)
{
    carry->copies = true;
    for (size_t i = 0; i < 2 && carry->kind == CARRY_SET && !carry->once; i++)
        write_for_copy(carry->arms[i]);
}

/* COPY wants rows: what writes and has no RETURNING is PostgreSQL's to refuse. And where CSV has
 * one column only, its end-of-data mark is quoted, which it would not be with another column. */
static bool may_be_copied(const struct carry *top, const struct copy_shape *shape)
{
    const struct carry *first = subject_first_arm(top);
    if (first->targets == NULL || *first->target_count == 0)
        return false;
    size_t shown = shape->format == COPY_CSV ? subject_shown(first) : 2;
    return shown > 1 && shown != SIZE_MAX;
}

/* By a function that somebody made: an implicit cast is nowhere in the text. */
static bool may_cast(const struct judge *judge)
{
    const struct catalog *catalog = judge->request->catalog;
    enum catalog_casts casts = catalog == NULL ? CATALOG_CASTS_NONE : catalog->casts;
    return casts == CATALOG_CASTS_ANY || (casts == CATALOG_CASTS_OWN && judge->castable);
}

enum status judge_subjects(struct judge *judge, struct verdict_statement *out)
{
    struct carry *top = judge->carried;
    enum status status = OK;
    bool copies = top != NULL && out->kind == STATEMENT_COPY_TO;
    if (copies && !may_be_copied(top, &out->copy))
        top = NULL;
    if (top != NULL)
        top->top = true;
    if (top != NULL && !judge->request->sketch && given(judge, top) > 0) {
        if (copies)
            write_for_copy(top);
        out->subjects = top->count;
        out->subject_lists = top->lists;
        out->subjects_only = top->targets != NULL && *top->target_count == 0;
        status = subject_carry_out(judge, top, out->start + out->len);
    }
    /* What the database's own functions read is not in the statement's text. */
    out->subjects_open = judge->calls_foreign_function || may_cast(judge) ||
                         judge->subjects_read > judge->subjects_carried + judge_tied(judge) ||
                         (judge->subjects_mixed && judge->subjects_read > 0) ||
                         /* Its rows are all read at COMMIT, whose error may quote one. */
                         (out->hold && judge->subjects_read > 0);
    judge_named_finish(judge, out);
    return status == OK && out->subjects_open ? accept_open(judge) : status;
}
