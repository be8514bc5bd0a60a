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

#include <pgvigil/map.h>
#include <stdlib.h>
#include <string.h>

/* Hidden columns of one statement. */
#define SUBJECTS_MAX 16
/* Of one item, and of one statement: what stars may be written out as. */
#define STAR_COLUMNS_MAX  ((size_t)500)
#define STARS_COLUMNS_MAX ((size_t)10000)
/* Elements of ORDER BY times columns, with DISTINCT. */
#define SORTS_MAX ((size_t)20000)
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
    if (select->n_target_list == 0 || select->n_values_lists > 0 || select->n_locking_clause > 0 ||
        select->into_clause != NULL || level->natural)
        return CARRY_NOTHING;
    if (groups)
        return select->n_distinct_clause == 0 && !order_matters(judge, level, select)
                   ? CARRY_GROUPS
                   : CARRY_NOTHING;
    if (level->aggregates)
        return CARRY_NOTHING; /* of which level is not said */
    if (select->n_distinct_clause == 0)
        return CARRY_ROWS;
    return is_plain_distinct(select) && !level->windows && select->n_window_clause == 0
               ? CARRY_DISTINCT
               : CARRY_NOTHING;
}

/* DISTINCT ON (2) counts columns, too, and is not counted on. */
static bool may_be_padded(const PgQuery__SelectStmt *select)
{
    return select->n_target_list > 0 && select->n_values_lists == 0 &&
           select->n_locking_clause == 0 && select->into_clause == NULL &&
           (select->n_distinct_clause == 0 || is_plain_distinct(select));
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

enum status subject_note_union(struct judge *judge, PgQuery__SelectStmt *select,
                               struct carry *const arms[2])
{
    bool all = select->op == PG_QUERY__SET_OPERATION__SETOP_UNION && select->all &&
               select->n_locking_clause == 0 && arms[0] != NULL && arms[1] != NULL;
    struct carry *carry = arena_alloc(judge->arena, sizeof(*carry));
    if (carry == NULL)
        return judge_no_memory(judge);
    *carry = (struct carry){
        .kind = all ? CARRY_UNION : CARRY_NOTHING, .select = select, .arms = {arms[0], arms[1]}};
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
                            .merges = level->merges};
    judge->carried = carry;
    return OK;
}

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
static size_t stars_over(const struct carry *carry, const struct range_item *item)
{
    size_t count = 0;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__ColumnRef *star = subject_star((*carry->targets)[i]);
        count += star != NULL && subject_covers(star, item) ? 1 : 0;
    }
    return count;
}

bool subject_star_place(const struct judge *judge, const PgQuery__ColumnRef *star, size_t *at,
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

/* (item.*) and item.* AS x are what item.* is; written out they would not be. */
static bool star_is_bare(const PgQuery__ResTarget *target)
{
    return target->name[0] == '\0' && target->location == target->val->column_ref->location;
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
        const PgQuery__ColumnRef *star = subject_star((*carry->targets)[i]);
        if (star == NULL || !subject_covers(star, item))
            continue;
        if (!star_is_bare((*carry->targets)[i]->res_target) ||
            !subject_star_place(judge, star, &at, &end))
            return false;
        for (size_t k = 0; k < carry->item_count; k++) {
            if (subject_covers(star, &carry->items[k]) && carry->items[k].emitted == NULL)
                return false;
        }
    }
    return true;
}

/* ---- how many columns ---- */

/* PostgreSQL's own limit of a select list. */
#define TARGETS_MAX ((size_t)1664)

/* How many columns the client sees: of what is not known, one each. */
static size_t shown_columns(const struct carry *carry, bool *star)
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

struct find {
    const ProtobufCMessageDescriptor *type;
    bool found;
};

static enum status find(void *context, ProtobufCMessage *message)
{
    struct find *wanted = context;
    wanted->found = wanted->found || message->descriptor == wanted->type;
    return wanted->found ? OK : tree_children(message, find, wanted);
}

static bool holds(PgQuery__Node *node, const ProtobufCMessageDescriptor *type)
{
    struct find wanted = {.type = type};
    return find(&wanted, &node->base) != OK || wanted.found;
}

static bool is_nested(const PgQuery__Node *element)
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
        if (is_nested(element) && holds(element, &pg_query__a__const__descriptor))
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

static const struct carry *first_arm(const struct carry *carry)
{
    while (carry->kind == CARRY_UNION)
        carry = carry->arms[0];
    return carry;
}

/* How many columns there are is to be known where one of them is meant by number, or the error
 * about a number that is none would count on. */
static bool clauses_are_plain(const struct carry *carry)
{
    const PgQuery__SelectStmt *select = carry->select;
    if (select == NULL || select->n_sort_clause + select->n_group_clause == 0)
        return true;
    size_t last = subject_shown(first_arm(carry));
    last = last == SIZE_MAX ? 0 : last;
    return numbers_are_plain(select->sort_clause, select->n_sort_clause, last) &&
           groups_are_plain(select, last);
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

static bool ends_level(int kind)
{
    static const int ends[] = {PG_QUERY__TOKEN__ASCII_59,  PG_QUERY__TOKEN__UNION,
                               PG_QUERY__TOKEN__INTERSECT, PG_QUERY__TOKEN__EXCEPT,
                               PG_QUERY__TOKEN__ORDER,     PG_QUERY__TOKEN__LIMIT,
                               PG_QUERY__TOKEN__OFFSET,    PG_QUERY__TOKEN__FETCH};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (kind == ends[i])
            return true;
    return false;
}

/* Reserved words all: they are names behind AS and behind a dot only. */
size_t subject_tail(const struct judge *judge, const struct carry *carry, size_t end)
{
    const struct token_list *list = &judge->tokens;
    size_t index = scan_find(list, (size_t)(*carry->targets)[0]->res_target->location);
    size_t depth = 0;
    int before = 0;
    for (; index < list->count && list->tokens[index].start < end; index++) {
        int kind = list->tokens[index].kind;
        bool name = before == PG_QUERY__TOKEN__AS || before == PG_QUERY__TOKEN__ASCII_46;
        if (depth == 0 && (kind == PG_QUERY__TOKEN__ASCII_41 || (ends_level(kind) && !name)))
            return list->tokens[index].start;
        if (kind == PG_QUERY__TOKEN__ASCII_40 || kind == PG_QUERY__TOKEN__ASCII_91)
            depth++;
        else if (kind == PG_QUERY__TOKEN__ASCII_41 || kind == PG_QUERY__TOKEN__ASCII_93)
            depth--;
        before = kind;
    }
    return index == SIZE_MAX ? SIZE_MAX : end;
}

/* The word stands right before the first column. GROUPING(...) asks about GROUP BY. */
static bool distinct_is_told(const struct judge *judge, const struct carry *carry)
{
    for (size_t i = 0; i < *carry->target_count; i++)
        if (holds((*carry->targets)[i], &pg_query__grouping_func__descriptor))
            return false;
    size_t at = (size_t)(*carry->targets)[0]->res_target->location;
    size_t index = scan_find(&judge->tokens, at);
    return index != SIZE_MAX && index > 0 &&
           judge->tokens.tokens[index - 1].kind == PG_QUERY__TOKEN__DISTINCT &&
           subject_shown(carry) < TARGETS_MAX && sorts_by_output(carry);
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
    bool below = item->below != NULL && item->below->references == 1;
    if ((!own && !below) || item->hidden || item->aliased || item->emitted == NULL)
        return 0;
    size_t stars = stars_over(carry, item);
    /* Every other use of the whole item would show the column. */
    if (item->wholes != stars || (stars > 0 && !stars_can_be_told(judge, carry, item)))
        return 0;
    size_t gives = own ? 1 : given(judge, item->below);
    bool groups = carry->kind == CARRY_GROUPS || carry->kind == CARRY_DISTINCT;
    /* Of lists of lists nobody could say how long they get. */
    return groups && !own && item->below->lists != 0 && subject_is_exact(judge) ? 0 : gives;
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
    return carry->kind != CARRY_NOTHING && has_place(carry) && clauses_are_plain(carry) &&
           (!collects || (subject_bound(judge) > 0 && !reads_catalogs(judge))) &&
           (carry->kind != CARRY_DISTINCT || distinct_is_told(judge, carry));
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
        if (item->gives > 0 && item->below != NULL)
            lists |= item->below->lists << at;
        at += item->gives;
    }
    return carry->kind == CARRY_ROWS ? lists : ((uint32_t)1 << carry->count) - 1;
}

/* How many columns more PostgreSQL takes: what rows are sorted and grouped by counts as well. */
static size_t room_in(const struct judge *judge, const struct carry *carry, size_t shown)
{
    bool more = carry->windows;
    for (size_t i = 0; carry->select != NULL && i < carry->select->n_group_clause; i++)
        more = more || is_nested(carry->select->group_clause[i]);
    size_t taken =
        shown +
        (carry->select == NULL ? 0 : carry->select->n_sort_clause + carry->select->n_group_clause);
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
    for (size_t i = 0; i < 2 && carry->kind == CARRY_UNION; i++)
        narrow(carry->arms[i]);
    for (size_t i = 0; i < carry->item_count; i++)
        if (carry->items[i].gives > 0 && carry->items[i].below != NULL)
            narrow(carry->items[i].below);
}

static size_t level_gives(struct judge *judge, struct carry *carry)
{
    bool star = false;
    /* First: what follows looks at each item once for each star. */
    size_t shown = shown_columns(carry, &star);
    size_t room = room_in(judge, carry, shown);
    give_nothing(carry);
    carry->pads =
        carry->pads && room >= SUBJECTS_MAX && has_place(carry) && clauses_are_plain(carry);
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
    if (carry->count > SUBJECTS_MAX || carry->count > room || judge->told > STARS_COLUMNS_MAX)
        give_nothing(carry);
    carry->lists = lists_of(carry);
    return carry->count;
}

/* A constant goes in front of its columns where the other arm gives something: without a place for
 * it, none of the union does. */
static size_t union_gives(struct judge *judge, struct carry *carry)
{
    size_t left = given(judge, carry->arms[0]);
    size_t right = given(judge, carry->arms[1]);
    carry->count = 0;
    carry->pads = carry->arms[0]->pads && carry->arms[1]->pads && clauses_are_plain(carry) &&
                  left + right <= SUBJECTS_MAX;
    if (!carry->pads)
        return 0;
    carry->count = left + right;
    carry->lists = carry->arms[0]->lists | (right == 0 ? 0 : carry->arms[1]->lists << left);
    return carry->count;
}

static size_t given(struct judge *judge, struct carry *carry)
{
    carry->first = 0;
    carry->total = carry->kind == CARRY_UNION ? union_gives(judge, carry)
                   : carry->targets != NULL   ? level_gives(judge, carry)
                                              : 0; /* another set operation */
    return carry->total;
}

/* A mission may ask that every record names exactly whose rows were read. */
static enum status accept_open(struct judge *judge)
{
    bool exact =
        subject_is_exact(judge) && !judge->verdict->unrestricted && !judge->request->sketch;
    return exact ? judge_unsupported(judge, "subject",
                                     "a statement that reads rows without telling whose they are",
                                     "The mission asks for exact_subjects: read the rows "
                                     "themselves, without UNION, COPY FROM or a sub-query in an "
                                     "expression, and without aggregates, GROUP BY and DISTINCT "
                                     "unless it has group_subjects.")
                 : OK;
}

static void write_for_copy(struct carry *carry)
{
    carry->copies = true;
    for (size_t i = 0; i < 2 && carry->kind == CARRY_UNION; i++)
        write_for_copy(carry->arms[i]);
}

enum status judge_subjects(struct judge *judge, struct verdict_statement *out)
{
    struct carry *top = judge->carried;
    enum status status = OK;
    if (top != NULL && out->kind == STATEMENT_COPY_TO)
        write_for_copy(top);
    if (top != NULL && !judge->request->sketch && given(judge, top) > 0) {
        out->subjects = top->count;
        out->subject_lists = top->lists;
        out->subjects_only = top->targets != NULL && *top->target_count == 0;
        status = subject_carry_out(judge, top, out->start + out->len);
    }
    /* What the database's own functions read is not in the statement's text. */
    out->subjects_open = judge->calls_foreign_function ||
                         judge->subjects_read > judge->subjects_carried ||
                         (judge->subjects_mixed && judge->subjects_read > 0) ||
                         /* Its rows are all read at COMMIT, whose error may quote one. */
                         (out->hold && judge->subjects_read > 0);
    judge_named_finish(judge, out);
    return status == OK && out->subjects_open ? accept_open(judge) : status;
}
