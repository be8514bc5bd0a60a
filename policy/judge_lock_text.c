/*
 * judge_lock_text.c: where the clauses of a level that locks stand in the client's text.
 *
 * The tree has no places for clauses, only for some of what is in them; so they are found by their
 * words, outside of parentheses. All of these words are reserved: a name can be one of them only
 * quoted or behind a dot. Whatever is found wrongly ends in verify.c: the text is then not sent.
 */
#include "judge_lock.h"

static int kind_at(const struct judge *judge, size_t index)
{
    return index < judge->tokens.count ? judge->tokens.tokens[index].kind : 0;
}

static enum status not_found(struct judge *judge)
{
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "lock", SIZE_MAX,
                        "a clause of a statement that locks rows was not found in the text");
}

/* The depth behind a token. */
static long deeper(const struct judge *judge, size_t index, long depth)
{
    int kind = kind_at(judge, index);
    if (kind == PG_QUERY__TOKEN__ASCII_40 || kind == PG_QUERY__TOKEN__ASCII_91)
        return depth + 1;
    return kind == PG_QUERY__TOKEN__ASCII_41 || kind == PG_QUERY__TOKEN__ASCII_93 ? depth - 1
                                                                                  : depth;
}

/* The key word at a token; 0 for a name behind a dot. */
static int word_at(const struct judge *judge, size_t index)
{
    return index > 0 && kind_at(judge, index - 1) == PG_QUERY__TOKEN__ASCII_46
               ? 0
               : kind_at(judge, index);
}

static bool ends_keys(int word)
{
    return word == PG_QUERY__TOKEN__LIMIT || word == PG_QUERY__TOKEN__OFFSET ||
           word == PG_QUERY__TOKEN__FETCH || word == PG_QUERY__TOKEN__FOR ||
           word == PG_QUERY__TOKEN__ASCII_59;
}

/* `(SELECT ... FROM t) LIMIT 1 FOR UPDATE` is one level: its clauses may follow parentheses. */
enum status judge_lock_find(struct judge *judge, const PgQuery__SelectStmt *select,
                            const struct range_item *item, struct lock_text *text)
{
    const PgQuery__RangeVar *var = select->from_clause[0]->range_var;
    size_t index = var->location < 0 ? SIZE_MAX : scan_find(&judge->tokens, (size_t)var->location);
    size_t found = 0;
    long depth = 0;
    *text = (struct lock_text){SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, NULL};
    text->clauses = arena_zalloc(judge->arena, select->n_locking_clause, sizeof(*text->clauses));
    if (text->clauses == NULL)
        return judge_no_memory(judge);
    for (text->relation = index; index != SIZE_MAX && text->relation > 0; text->relation--) {
        int before = kind_at(judge, text->relation - 1);
        if (before != PG_QUERY__TOKEN__ONLY && before != PG_QUERY__TOKEN__ASCII_40)
            break;
    }
    if (index == SIZE_MAX || kind_at(judge, text->relation - 1) != PG_QUERY__TOKEN__FROM)
        return judge_lock_refuse(judge, select, item, "by TABLE", "Write SELECT * FROM.");
    for (index = text->relation;
         index < judge->tokens.count && (depth > 0 || found < select->n_locking_clause); index++) {
        int word = depth == 0 ? word_at(judge, index) : 0;
        bool closes = depth == 0 && kind_at(judge, index) == PG_QUERY__TOKEN__ASCII_41;
        if (text->tail == SIZE_MAX && (closes || ends_keys(word)))
            text->tail = index;
        if (word == PG_QUERY__TOKEN__FOR)
            text->clauses[found++] = index;
        else if (word == PG_QUERY__TOKEN__WHERE && text->tail == SIZE_MAX)
            text->where = index;
        else if (word == PG_QUERY__TOKEN__ORDER && text->tail == SIZE_MAX)
            text->order = index;
        depth = closes ? 0 : deeper(judge, index, depth);
    }
    if (found != select->n_locking_clause || text->tail == SIZE_MAX ||
        (text->where == SIZE_MAX) != (select->where_clause == NULL))
        return not_found(judge);
    if ((text->order == SIZE_MAX) != (select->n_sort_clause == 0))
        return judge_lock_refuse(judge, select, item, "with ORDER BY behind parentheses",
                                 "Put the whole SELECT into the parentheses, or take them away.");
    return OK;
}

/* The token at which what follows the expression begins: ASC, DESC, USING, NULLS. */
static size_t suffix_of(const struct judge *judge, const PgQuery__SortBy *sort, size_t first,
                        size_t end)
{
    size_t at = end;
    if (sort->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST ||
        sort->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST)
        at -= 2;
    if (sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_ASC ||
        sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC)
        at -= 1;
    if (sort->sortby_dir != PG_QUERY__SORT_BY_DIR__SORTBY_USING)
        return at;
    size_t using = SIZE_MAX;
    long depth = 0;
    for (size_t i = first; i < at; i++) {
        if (depth == 0 && word_at(judge, i) == PG_QUERY__TOKEN__USING)
            using = i;
        depth = deeper(judge, i, depth);
    }
    return using;
}

enum status judge_lock_elements(struct judge *judge, const PgQuery__SelectStmt *select,
                                const struct lock_text *text, struct lock_element *elements)
{
    size_t count = 0;
    size_t first = text->order + 2;
    long depth = 0;
    for (size_t i = first; i <= text->tail && select->n_sort_clause > 0; i++) {
        bool comma = depth == 0 && kind_at(judge, i) == PG_QUERY__TOKEN__ASCII_44;
        if (i < text->tail && !comma) {
            depth = deeper(judge, i, depth);
            continue;
        }
        if (count == select->n_sort_clause ||
            select->sort_clause[count]->node_case != PG_QUERY__NODE__NODE_SORT_BY)
            return not_found(judge);
        struct lock_element *element = &elements[count];
        *element = (struct lock_element){
            first, suffix_of(judge, select->sort_clause[count]->sort_by, first, i), i};
        if (element->suffix <= first || element->suffix > i)
            return not_found(judge);
        first = i + 1;
        count++;
    }
    return count == select->n_sort_clause ? OK : not_found(judge);
}

enum status judge_lock_target(struct judge *judge, const PgQuery__SelectStmt *select,
                              const struct lock *lock, const struct lock_text *text, size_t index,
                              struct piece *piece)
{
    const PgQuery__ResTarget *target = select->target_list[index]->res_target;
    size_t start =
        target->location < 0 ? SIZE_MAX : scan_find(&judge->tokens, (size_t)target->location);
    size_t end = text->relation - 1; /* FROM */
    if (index + 1 < select->n_target_list) {
        int next = select->target_list[index + 1]->res_target->location;
        end = next < 0 ? SIZE_MAX : scan_find(&judge->tokens, (size_t)next);
        end = end == SIZE_MAX || end == 0 ? SIZE_MAX : end - 1; /* the comma */
    }
    if (start == SIZE_MAX || end == SIZE_MAX || start >= end)
        return not_found(judge);
    if (lock->labelled[index]) {
        bool escaped = end - start > 3 && kind_at(judge, end - 2) == PG_QUERY__TOKEN__UESCAPE &&
                       kind_at(judge, end - 3) == PG_QUERY__TOKEN__UIDENT;
        end -= escaped ? 3 : 1;
        /* Not of a column that is called so. */
        end -= end > start + 1 && kind_at(judge, end - 1) == PG_QUERY__TOKEN__AS &&
               kind_at(judge, end - 2) != PG_QUERY__TOKEN__ASCII_46;
    }
    if (start >= end)
        return not_found(judge);
    *piece = (struct piece){.from = judge->tokens.tokens[start].start,
                            .to = judge->tokens.tokens[end].start};
    return OK;
}
