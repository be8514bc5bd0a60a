/*
 * judge_conflict.c: INSERT ... ON CONFLICT.
 *
 * The attack: PostgreSQL does not apply a view's WHERE to the row that is in the way. DO UPDATE
 * would evaluate its expressions over that row, hidden or not ("SET phone = (name::int)::text"
 * prints the name), and could change the very column that the row filter asks for, so that the
 * CHECK OPTION passes and the row is captured. No grant stands against it: where rows are
 * filtered, this file is the only wall, so it asks for the form that cannot tell: no reference to
 * the row that is there, and no change to anything the filter may depend on. What is left then ends
 * in the CHECK OPTION's error for a hidden row, which tells no more than the unique constraint
 * itself does.
 */
#include "judge_write.h"
#include "lexer.h"

#include <string.h>
#include <strings.h>

static enum status refuse(struct judge *judge, const char *what, const char *hint)
{
    return judge_unsupported(judge, "write", what, hint);
}

/* ---- what a filter depends on ---- */

/* PostgreSQL cuts a longer identifier off, at a character's end: it is the column whose name it
 * begins with. */
#define NAME_BYTES_MAX ((size_t)63)
#define CUT_NAME_BYTES (NAME_BYTES_MAX - 3)

static bool word_is(const char *text, size_t len, const char *name)
{
    size_t own = strlen(name);
    return strncasecmp(text, name, own) == 0 &&
           (len == own || (len > NAME_BYTES_MAX && own >= CUT_NAME_BYTES));
}

/* A quoted identifier's name against `name`; an escaped one (U&"...") is taken for any name. */
static bool quoted_is(const char *text, size_t len, const char *name)
{
    if (text[0] == 'U' || text[0] == 'u')
        return memchr(text, '"', len) != NULL;
    if (text[0] != '"')
        return false;
    size_t used = 0;
    for (size_t i = 1; i + 1 < len; i++) {
        if (text[i] == '"')
            i++; /* doubled */
        if (name[used] == '\0')
            return used >= CUT_NAME_BYTES;
        if (text[i] != name[used])
            return false;
        used++;
    }
    return name[used] == '\0';
}

struct mention {
    const char *name;
    bool found; /* at all */
    bool whole; /* with no column's name behind it: as a value of its own, or as name.* */
};

/* What stands behind a name: a dot and one more name. A dot, space and a name count as less. */
static bool has_field(const char *behind)
{
    return behind[0] == '.' && strchr("* \t\r\n\f\v", behind[1]) == NULL;
}

static void mention_in(const char *expression, struct mention *mention)
{
    size_t at = 0;
    for (enum lexeme kind = LEXEME_SPACE; kind != LEXEME_END;) {
        size_t start = at;
        kind = lexer_next(expression, &at);
        size_t len = at - start;
        bool word = kind == LEXEME_WORD && word_is(expression + start, len, mention->name);
        bool quoted = kind == LEXEME_QUOTED && quoted_is(expression + start, len, mention->name);
        if (!word && !quoted && kind != LEXEME_UNCLOSED)
            continue;
        mention->found = true;
        mention->whole = mention->whole || !has_field(expression + at);
        if (kind == LEXEME_UNCLOSED)
            return;
    }
}

/* By the words of the filter, not by its tree: too much is safe here, too little is not. */
static struct mention mentioned(const struct relation_use *use, const char *name)
{
    const struct policy_rule *rule = use->shown.rule;
    const struct policy_table *table = use->shown.table;
    struct mention mention = {.name = name};
    mention_in(rule->rows, &mention);
    if (table != NULL && table->subject != NULL && strstr(rule->rows, ":subject") != NULL)
        mention_in(table->subject, &mention);
    return mention;
}

bool judge_decides_subject(const struct relation_use *use, const char *name)
{
    struct mention mention = {.name = name};
    if (use->shown.table == NULL || use->shown.table->subject == NULL)
        return false;
    mention_in(use->shown.table->subject, &mention);
    return mention.found;
}

/* A trigger of it, or of a partition or child where its rows stand, may set any column. */
static bool has_trigger(const struct judge *judge, const struct catalog_relation *relation)
{
    const struct catalog *catalog = judge->request->catalog;
    for (size_t i = 0; i < catalog->relation_count; i++) {
        const struct catalog_relation *at = &catalog->relations[i];
        if (!at->update_trigger)
            continue;
        while (at != relation && at->parent >= 0)
            at = &catalog->relations[at->parent];
        if (at == relation)
            return true;
    }
    return false;
}

/* The whole row in the filter, a column that PostgreSQL computes from others, or a trigger. */
static bool depends_on_anything(const struct judge *judge, const struct relation_use *use)
{
    const struct catalog_relation *relation = use->shown.relation;
    const struct catalog *catalog = judge->request->catalog;
    for (int at = (int)(relation - catalog->relations); at >= 0;
         at = catalog->relations[at].parent) {
        if (mentioned(use, catalog->relations[at].name).whole)
            return true;
    }
    for (size_t i = 0; i < relation->column_count; i++) {
        const struct catalog_column *column = &relation->columns[i];
        if (column->generated && mentioned(use, column->name).found)
            return true;
    }
    return has_trigger(judge, relation);
}

static enum status check_filter(struct judge *judge, const PgQuery__OnConflictClause *conflict)
{
    const struct relation_use *use = judge->level->items[0].use;
    static const char hint[] =
        "A conflict may be with a row that is hidden, and the column decides "
        "which rows are: use UPDATE.";
    if (depends_on_anything(judge, use))
        return refuse(judge, "ON CONFLICT DO UPDATE of this relation", hint);
    for (size_t i = 0; i < conflict->n_target_list; i++) {
        const char *name = conflict->target_list[i]->res_target->name;
        if (mentioned(use, name).found)
            return refuse(judge, judge_format(judge, "ON CONFLICT DO UPDATE SET \"%s\"", name),
                          hint);
    }
    return OK;
}

/* ---- ON CONSTRAINT ---- */

/* The answer for a constraint that is there and has a hidden column is the same: its name would
 * tell of it. */
static enum status no_constraint(struct judge *judge, const PgQuery__InferClause *infer,
                                 const struct relation_use *use, const char *hint)
{
    size_t at = infer->location < 0 ? SIZE_MAX : (size_t)infer->location;
    enum status status =
        judge_refuse(judge, DENIED, "42704", "constraint", infer->conname, at,
                     judge_format(judge, "constraint \"%s\" for table \"%s\" does not exist",
                                  infer->conname, use->shown.relation->name));
    if (hint != NULL)
        judge_hint(judge, hint);
    return status;
}

/* The name of a column that the guard shows as it is. PostgreSQL looks for an index on what the
 * guard computes, and of a masked column finds none, or another one. */
static const char *plain_column(const struct judge *judge, const struct relation_use *use,
                                int16_t attnum)
{
    const struct catalog_relation *relation = use->shown.relation;
    for (size_t i = 0; i < relation->column_count; i++) {
        const struct catalog_column *column = &relation->columns[i];
        if (column->attnum == attnum &&
            policy_mask_for(judge->request->policy, use->shown.table, use->shown.rule, column->name)
                    ->kind == MASK_SHOW)
            return column->name;
    }
    return NULL;
}

static PgQuery__Node *new_element(struct judge *judge, const char *name)
{
    PgQuery__Node *node = arena_zalloc(judge->arena, 1, sizeof(*node));
    PgQuery__IndexElem *element = arena_zalloc(judge->arena, 1, sizeof(*element));
    if (node == NULL || element == NULL)
        return NULL;
    pg_query__node__init(node);
    pg_query__index_elem__init(element);
    element->name = arena_strdup(judge->arena, name);
    element->ordering = PG_QUERY__SORT_BY_DIR__SORTBY_DEFAULT;
    element->nulls_ordering = PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_DEFAULT;
    node->node_case = PG_QUERY__NODE__NODE_INDEX_ELEM;
    node->index_elem = element;
    return element->name == NULL ? NULL : node;
}

/* ON CONSTRAINT name becomes (columns): bytes of the text, and the tree. */
static enum status write_columns(struct judge *judge, PgQuery__InferClause *infer,
                                 const char *const *names, size_t count)
{
    size_t at = infer->location < 0 ? SIZE_MAX : (size_t)infer->location;
    size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
    size_t next = 0;
    size_t end = index == SIZE_MAX || index + 2 >= judge->tokens.count
                     ? 0
                     : scan_name_end(&judge->tokens, index + 2, &next);
    if (end == 0 || judge->tokens.tokens[index].kind != PG_QUERY__TOKEN__ON ||
        judge->tokens.tokens[index + 1].kind != PG_QUERY__TOKEN__CONSTRAINT)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "constraint", at,
                            "the name of a constraint was not found in the text");
    const char *text = "";
    PgQuery__Node **elements = arena_zalloc(judge->arena, count + 1, sizeof(PgQuery__Node *));
    for (size_t i = 0; i < count && elements != NULL && text != NULL; i++) {
        const char *quoted = rewrite_quote(judge, names[i]);
        elements[i] = new_element(judge, names[i]);
        text = quoted == NULL || elements[i] == NULL
                   ? NULL
                   : judge_format(judge, "%s%s%s", text, i == 0 ? "" : ", ", quoted);
    }
    if (elements == NULL || text == NULL)
        return judge_no_memory(judge);
    infer->conname = (char *)protobuf_c_empty_string;
    infer->index_elems = elements;
    infer->n_index_elems = count;
    return rewrite_edit(judge, at, end - at, judge_format(judge, "(%s)", text));
}

/*
 * A view has no constraints: the name becomes the columns, for which PostgreSQL looks up the index
 * again. It must be that one: PostgreSQL takes every unique index on just these columns, and a
 * conflict with another one is an error where ON CONSTRAINT names one of two.
 */
static enum status on_constraint(struct judge *judge, PgQuery__InferClause *infer)
{
    const struct relation_use *use = judge->level->items[0].use;
    const struct catalog_constraint *constraint =
        catalog_constraint(use->shown.relation, infer->conname);
    const char *names[32];
    if (constraint == NULL || constraint->column_count > 32)
        return no_constraint(judge, infer, use, NULL);
    for (size_t i = 0; i < constraint->column_count; i++) {
        names[i] = plain_column(judge, use, constraint->columns[i]);
        if (names[i] == NULL)
            return no_constraint(judge, infer, use,
                                 "The policy hides or masks one of its columns.");
    }
    if (constraint->kind == CONSTRAINT_EXCLUSION)
        return refuse(judge,
                      judge_format(judge,
                                   "ON CONFLICT ON CONSTRAINT \"%s\", an exclusion constraint,",
                                   infer->conname),
                      "ON CONFLICT DO NOTHING without a constraint asks all of them.");
    if (constraint->kind != CONSTRAINT_UNIQUE)
        return refuse(judge,
                      judge_format(judge,
                                   "ON CONFLICT ON CONSTRAINT \"%s\", which is not the only unique "
                                   "index on its columns,",
                                   infer->conname),
                      "Name the columns instead: PostgreSQL then asks all of these indexes.");
    return write_columns(judge, infer, names, constraint->column_count);
}

/* ---- the clause ---- */

static enum status infer(struct judge *judge, PgQuery__InferClause *infer)
{
    /* A guard has no constraints; a temporary table has its own. */
    bool own = judge_is_temporary(judge->level->items[0].use->shown.relation);
    enum status named = infer->conname[0] == '\0' || own ? OK : on_constraint(judge, infer);
    if (named != OK)
        return named;
    for (size_t i = 0; i < infer->n_index_elems; i++) {
        PgQuery__IndexElem *element =
            infer->index_elems[i]->node_case == PG_QUERY__NODE__NODE_INDEX_ELEM
                ? infer->index_elems[i]->index_elem
                : NULL;
        if (element == NULL || element->n_collation > 0 || element->n_opclass > 0 ||
            element->n_opclassopts > 0)
            return refuse(judge, "a collation or operator class in ON CONFLICT", NULL);
        struct range_item *item = &judge->level->items[0];
        long column = element->name[0] == '\0' ? -1 : scope_column(item, element->name);
        if (column >= 0)
            scope_use(judge->level, item, column);
        enum status status = element->expr == NULL ? OK : judge_walk(judge, element->expr);
        if (status != OK)
            return status;
    }
    return infer->where_clause == NULL ? OK : judge_walk(judge, infer->where_clause);
}

static enum status do_update(struct judge *judge, PgQuery__OnConflictClause *conflict)
{
    struct level *level = judge->level;
    const struct policy_rule *rule = level->items[0].use->shown.rule;
    bool filtered = rule != NULL && rule->rows != NULL;
    struct range_item *excluded = scope_add(judge);
    if (excluded == NULL)
        return judge_no_memory(judge);
    excluded->name = excluded->emitted = "excluded";
    excluded->columns = level->items[0].columns;
    excluded->excluded = true;
    level->high = level->item_count;
    level->items[0].touched = false;
    enum status status = judge_assignments(judge, conflict->target_list, conflict->n_target_list);
    if (status == OK && conflict->where_clause != NULL)
        status = judge_walk(judge, conflict->where_clause);
    if (status == OK && filtered && level->items[0].touched)
        status = refuse(judge, "a reference to the existing row in ON CONFLICT DO UPDATE",
                        "The row may be a hidden one: use excluded's columns, or UPDATE.");
    if (status == OK && filtered)
        status = check_filter(judge, conflict);
    level->high = 1; /* RETURNING does not know excluded */
    return status;
}

enum status judge_conflict(struct judge *judge, PgQuery__OnConflictClause *conflict)
{
    enum status status = conflict->infer == NULL ? OK : infer(judge, conflict->infer);
    if (status != OK)
        return status;
    switch ((int)conflict->action) {
    case PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_NOTHING:
        return OK;
    case PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_UPDATE:
        return do_update(judge, conflict);
    default:
        return refuse(judge, "this ON CONFLICT", NULL);
    }
}
