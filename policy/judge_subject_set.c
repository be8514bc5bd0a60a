/*
 * judge_subject_set.c: whose rows a UNION, INTERSECT or EXCEPT gives.
 *
 * UNION ALL: a row is of one arm; each arm has the other's subjects as constants. What keeps each
 * row once,
 *
 *     A UNION B ORDER BY 1
 *
 * is sent as groups of what both arms give, whose subjects are collected:
 *
 *     SELECT <collected>, q."pgvigil 1" AS id FROM (A' UNION ALL B')
 *         AS q("pgvigil subject 1", ..., "pgvigil 1")
 *     GROUP BY 2 ORDER BY 2
 *
 * A row of INTERSECT is in both arms, one of EXCEPT in the first only: each arm tells which it is,
 * and HAVING asks for that. Of the second arm of EXCEPT nothing is carried: the rows that are left
 * tell who is not in it.
 *
 * A UNION in a UNION is written anew by itself, as the outer one's types may tell apart what the
 * inner one's call equal. Which comes of those that are equal and yet not the same (1.0, 1.00)
 * PostgreSQL leaves open in either form.
 *
 * Where a set operation begins and ends is told by its words and parentheses, which verify.c holds
 * against the tree.
 */
#include "judge_subject.h"

#include <pgvigil/text.h>
#include <string.h>

/* Of one statement: each is looked for in the text. */
#define SETS_MAX ((size_t)8)
/* Elements of ORDER BY times columns. */
#define SORTS_MAX ((size_t)20000)
/* No client can write such names: LIMIT, which looks at FROM, finds none. */
#define COLUMN "pgvigil %zu"
#define ROWS   "\"" GUARD_SUBJECT_COLUMN " rows\""

/* ---- its place ---- */

static int kind_at(const struct judge *judge, size_t index)
{
    return judge->tokens.tokens[index].kind;
}

static bool opens(int kind)
{
    return kind == PG_QUERY__TOKEN__ASCII_40 || kind == PG_QUERY__TOKEN__ASCII_91;
}

static bool closes(int kind)
{
    return kind == PG_QUERY__TOKEN__ASCII_41 || kind == PG_QUERY__TOKEN__ASCII_93;
}

static int word_of(const struct carry *carry)
{
    return carry->select->op == PG_QUERY__SET_OPERATION__SETOP_UNION ? PG_QUERY__TOKEN__UNION
           : carry->select->op == PG_QUERY__SET_OPERATION__SETOP_EXCEPT
               ? PG_QUERY__TOKEN__EXCEPT
               : PG_QUERY__TOKEN__INTERSECT;
}

static const struct carry *last_arm(const struct carry *carry)
{
    while (carry->kind == CARRY_SET)
        carry = carry->arms[1];
    return carry;
}

/* The word SELECT of a level; SIZE_MAX: it is written in another form. */
static size_t select_of(const struct judge *judge, const struct carry *level)
{
    if (level->select == NULL || level->targets == NULL || *level->target_count == 0 ||
        level->columns != NULL)
        return SIZE_MAX;
    size_t index = scan_find(&judge->tokens, (size_t)(*level->targets)[0]->res_target->location);
    size_t depth = 0;
    while (index != SIZE_MAX && index > 0) {
        int kind = kind_at(judge, --index);
        if (depth == 0 && kind == PG_QUERY__TOKEN__SELECT)
            return index;
        if (opens(kind) && depth == 0)
            return SIZE_MAX;
        depth += closes(kind) ? 1 : 0;
        depth -= opens(kind) ? 1 : 0;
    }
    return SIZE_MAX;
}

/* The word between the arms. */
static bool find_word(const struct judge *judge, struct carry *carry)
{
    size_t index = select_of(judge, subject_first_arm(carry->arms[1]));
    size_t depth = 0;
    /* Outwards, through the parentheses and the WITH in them that the second arm may stand in. */
    while (index != SIZE_MAX && index > 0) {
        int kind = kind_at(judge, --index);
        if (depth == 0 && subject_is_word(&judge->tokens, index, word_of(carry))) {
            carry->word = index;
            return true;
        }
        if (closes(kind))
            depth++;
        else if (opens(kind) && depth > 0)
            depth--;
    }
    return false;
}

/* From the word outwards, as deep as it stands. */
static bool find_extent(const struct judge *judge, struct carry *carry)
{
    const struct token_list *list = &judge->tokens;
    size_t first = select_of(judge, subject_first_arm(carry));
    size_t last = select_of(judge, last_arm(carry));
    size_t depth = 0;
    if (first == SIZE_MAX || last == SIZE_MAX || first >= carry->word || last <= carry->word)
        return false;
    carry->begin = carry->word;
    while (carry->begin > 0 && (carry->begin > first || depth > 0)) {
        int kind = kind_at(judge, --carry->begin);
        if (opens(kind) && depth == 0)
            return false;
        depth += closes(kind) ? 1 : 0;
        depth -= opens(kind) ? 1 : 0;
    }
    size_t index = carry->word + 1;
    for (; index < list->count; index++) {
        int kind = kind_at(judge, index);
        if (depth == 0 && (closes(kind) || (index > last && subject_ends_level(list, index))))
            break;
        depth += opens(kind) ? 1 : 0;
        depth -= closes(kind) ? 1 : 0;
    }
    carry->end = index;
    return depth == 0 && carry->begin <= first && index > last;
}

/* ---- what its columns are called ---- */

/* As PostgreSQL calls the columns of a set operation: as those of its first arm. */
static const char **names_of(struct judge *judge, const struct carry *carry, size_t count)
{
    const struct carry *first = subject_first_arm(carry);
    const char **names = arena_zalloc(judge->arena, count + 1, sizeof(*names));
    size_t at = 0;
    for (size_t i = 0; names != NULL && i < *first->target_count; i++) {
        const PgQuery__ResTarget *target = (*first->targets)[i]->res_target;
        const PgQuery__ColumnRef *star = subject_star((*first->targets)[i]);
        for (size_t k = 0; star != NULL && k < first->item_count; k++) {
            const struct column_list *columns = &first->items[k].columns;
            for (size_t c = 0; subject_covers(star, &first->items[k]) && c < columns->count; c++)
                names[at++] = columns->names[c];
        }
        if (star != NULL)
            continue;
        const char *name = target->name[0] != '\0' ? target->name : judge_output_name(target->val);
        names[at++] = name == NULL ? "?column?" : name;
    }
    return names;
}

/* PostgreSQL sorts a set operation by its columns only, and what else stands there is its to
 * refuse. */
static bool sorts_by_columns(const struct carry *carry, size_t shown)
{
    const PgQuery__SelectStmt *select = carry->select;
    if (select->n_sort_clause * shown > SORTS_MAX)
        return false; /* each is looked for among all */
    for (size_t i = 0; i < select->n_sort_clause; i++) {
        const PgQuery__Node *element = select->sort_clause[i];
        const PgQuery__Node *by =
            element->node_case == PG_QUERY__NODE__NODE_SORT_BY ? element->sort_by->node : NULL;
        const PgQuery__ColumnRef *ref =
            by != NULL && by->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? by->column_ref : NULL;
        const char *name = ref != NULL && ref->n_fields == 1 ? tree_string(ref->fields[0]) : NULL;
        bool found = subject_number(element) != NULL;
        for (size_t k = 0; name != NULL && k < shown && !found; k++)
            found = strcmp(carry->names[k], name) == 0;
        if (!found)
            return false;
    }
    return true;
}

bool subject_set_is_told(struct judge *judge, struct carry *carry)
{
    size_t shown = subject_shown(subject_first_arm(carry));
    /* What PostgreSQL says of arms that do not match, and of collations that differ, it would say
     * of UNION ALL and of GROUP BY. */
    if (subject_shown(subject_first_arm(carry->arms[1])) != shown ||
        tree_holds(&carry->select->base, &pg_query__collate_clause__descriptor))
        return false;
    if (++judge->sets > SETS_MAX || shown == SIZE_MAX || shown == 0 ||
        shown + carry->count + 1 + carry->select->n_sort_clause > TARGETS_MAX)
        return false;
    judge->told += shown;
    if (judge->told > SUBJECT_COLUMNS_MAX)
        return false;
    carry->names = names_of(judge, carry, shown);
    return carry->names != NULL && find_word(judge, carry) && find_extent(judge, carry) &&
           sorts_by_columns(carry, shown);
}

/* ---- in other words ---- */

/* Its columns: those that the client does not see, and the client's. */
static void put_list(struct buf *text, struct judge *judge, const struct carry *carry, size_t shown)
{
    uint32_t lists = carry->arms[0]->lists;
    if (carry->arms[1]->count > 0)
        lists |= carry->arms[1]->lists << carry->arms[0]->count;
    buf_str(text, "SELECT ");
    for (size_t i = 0; i < carry->total; i++) {
        const char *name = subject_column_name(judge, i + 1);
        bool own = i >= carry->first && i < carry->first + carry->count;
        size_t at = i - carry->first;
        const char *below = own ? subject_column_name(judge, at + 1) : "";
        const char *column = below == NULL ? NULL : judge_format(judge, ROWS ".\"%s\"", below);
        const char *expression =
            !own             ? subject_padding(carry)
            : column == NULL ? NULL
                             : subject_collected(judge, carry, column, (lists >> at & 1) != 0);
        if (own && expression != NULL && carry->copies)
            expression = subject_for_copy(judge, expression);
        text->failed = text->failed || name == NULL || expression == NULL;
        buf_printf(text, "%s AS \"%s\", ", expression == NULL ? "" : expression,
                   name == NULL ? "" : name);
    }
    if (carry->tagged)
        buf_printf(text, "%s AS \"" SUBJECT_ARM "\", ", carry->left ? "true" : "false");
    for (size_t i = 0; i < shown; i++) {
        buf_printf(text, "%s" ROWS ".\"" COLUMN "\" AS ", i == 0 ? "" : ", ", i + 1);
        text_quote_ident(text, carry->names[i]);
    }
    buf_str(text, " FROM (");
}

static void put_groups(struct buf *text, struct judge *judge, const struct carry *carry,
                       size_t shown)
{
    bool tags = carry->select->op != PG_QUERY__SET_OPERATION__SETOP_UNION;
    buf_str(text, "\n) AS " ROWS "("); /* a comment may stand before it */
    for (size_t i = 0; i < carry->count; i++) {
        const char *name = subject_column_name(judge, i + 1);
        text->failed = text->failed || name == NULL;
        buf_printf(text, "\"%s\", ", name == NULL ? "" : name);
    }
    buf_str(text, tags ? "\"" SUBJECT_ARM "\", " : "");
    for (size_t i = 0; i < shown; i++)
        buf_printf(text, "%s\"" COLUMN "\"", i == 0 ? "" : ", ", i + 1);
    for (size_t i = 0; i < shown; i++)
        buf_printf(text, "%s%zu", i == 0 ? ") GROUP BY " : ", ", subject_hidden(carry) + i + 1);
    if (carry->select->op == PG_QUERY__SET_OPERATION__SETOP_INTERSECT)
        buf_str(text, " HAVING pg_catalog.bool_or(" ROWS ".\"" SUBJECT_ARM
                      "\") AND NOT pg_catalog.bool_and(" ROWS ".\"" SUBJECT_ARM "\")");
    else if (tags)
        buf_str(text, " HAVING pg_catalog.bool_and(" ROWS ".\"" SUBJECT_ARM "\")");
    buf_byte(text, ' ');
}

/* The level's own node becomes the SELECT, with its WITH, ORDER BY and LIMIT; its arms go below. */
static enum status change_tree(struct judge *judge, const struct carry *carry, const char *open,
                               const char *close)
{
    PgQuery__SelectStmt *select = carry->select;
    PgQuery__SelectStmt *made =
        subject_parsed(judge, judge_format(judge, "%sSELECT 1%s", open, close));
    if (made == NULL)
        return judge_no_memory(judge);
    PgQuery__SelectStmt *below = made->from_clause[0]->range_subselect->subquery->select_stmt;
    below->target_list = NULL;
    below->n_target_list = 0;
    below->op = PG_QUERY__SET_OPERATION__SETOP_UNION;
    below->all = true;
    below->larg = select->larg;
    below->rarg = select->rarg;
    select->op = PG_QUERY__SET_OPERATION__SETOP_NONE;
    select->all = false;
    select->larg = select->rarg = NULL;
    select->target_list = made->target_list;
    select->n_target_list = made->n_target_list;
    select->from_clause = made->from_clause;
    select->n_from_clause = made->n_from_clause;
    select->group_clause = made->group_clause;
    select->n_group_clause = made->n_group_clause;
    select->having_clause = made->having_clause;
    return OK;
}

/* UNION, INTERSECT DISTINCT... become UNION ALL. */
static enum status keep_all(struct judge *judge, const struct carry *carry)
{
    const struct token *word = &judge->tokens.tokens[carry->word];
    bool distinct = word[1].kind == PG_QUERY__TOKEN__DISTINCT;
    size_t length = 0;
    if (word->kind == PG_QUERY__TOKEN__UNION)
        length = strlen("UNION");
    else
        length = word->kind == PG_QUERY__TOKEN__EXCEPT ? strlen("EXCEPT") : strlen("INTERSECT");
    enum status status = rewrite_edit(judge, word->start, length, "UNION ALL");
    if (status == OK && distinct)
        status = rewrite_edit(judge, word[1].start, strlen("DISTINCT"), "");
    return status;
}

static enum status carry_arms(struct judge *judge, struct carry *carry, size_t end)
{
    bool tags = carry->once && carry->select->op != PG_QUERY__SET_OPERATION__SETOP_UNION;
    size_t first = carry->once ? 0 : carry->first;
    enum status status = OK;
    for (size_t i = 0; i < 2 && status == OK; i++) {
        struct carry *arm = carry->arms[i];
        arm->first = first;
        first += arm->count;
        arm->total = carry->once ? carry->count : carry->total;
        arm->tagged = carry->once ? tags : carry->tagged;
        arm->left = tags ? i == 0 : carry->left;
        status = subject_carry_out(judge, arm, end);
    }
    return status;
}

static enum status wrap(struct judge *judge, struct carry *carry, size_t end)
{
    size_t shown = subject_shown(subject_first_arm(carry));
    struct buf text;
    buf_init(&text, 0);
    put_list(&text, judge, carry, shown);
    const struct piece open = {.text = text_take(&text, judge->arena)};
    buf_init(&text, 0);
    put_groups(&text, judge, carry, shown);
    const struct piece close = {.text = text_take(&text, judge->arena)};
    if (open.text == NULL || close.text == NULL)
        return judge_no_memory(judge);
    /* What begins with it, begins in it; and ends. */
    size_t at = judge->tokens.tokens[carry->begin].start;
    size_t to =
        carry->end < judge->tokens.count ? judge->tokens.tokens[carry->end].start : SIZE_MAX;
    enum status status = rewrite_frame(judge, at, 0, true, &open, 1);
    if (status == OK)
        status = carry_arms(judge, carry, end);
    if (status == OK)
        status = keep_all(judge, carry);
    if (status == OK)
        status = rewrite_frame(judge, to < end ? to : end, 0, false, &close, 1);
    return status == OK ? change_tree(judge, carry, open.text, close.text) : status;
}

enum status subject_set_carry_out(struct judge *judge, struct carry *carry, size_t end)
{
    enum status status = subject_shift_numbers(judge, carry);
    if (status != OK)
        return status;
    return carry->once ? wrap(judge, carry, end) : carry_arms(judge, carry, end);
}
