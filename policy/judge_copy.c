/*
 * judge_copy.c: COPY TO STDOUT, and what it shares with COPY FROM.
 *
 * A query is judged like any other. A table is read as PostgreSQL's COPY does: itself, without its
 * children, its generated columns left out; `COPY t (a) TO STDOUT` becomes
 * `COPY (SELECT t.a FROM guard AS t) TO STDOUT`, for COPY takes no view.
 *
 * The attack: COPY also writes files and starts programs of the server, and its tree cannot tell
 * COPY TO '' from COPY TO STDOUT. So the word STDOUT (or STDIN, which means the same to the
 * grammar) must stand in the text; options are an allow-list.
 */
#include "judge_copy.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <string.h>
#include <strings.h>

static bool is_token(const struct judge *judge, size_t index, int kind)
{
    return index < judge->tokens.count && judge->tokens.tokens[index].kind == kind;
}

static size_t start_of(const struct judge *judge, size_t index)
{
    return judge->tokens.tokens[index].start;
}

static enum status lost(struct judge *judge, const char *what)
{
    return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", what, SIZE_MAX,
                        judge_format(judge, "%s was not found in the text", what));
}

/* The parenthesis that closes the one at `open`, or SIZE_MAX. */
static size_t closing(const struct judge *judge, size_t open)
{
    size_t depth = 0;
    for (size_t i = open; i < judge->tokens.count; i++) {
        if (is_token(judge, i, PG_QUERY__TOKEN__ASCII_40))
            depth++;
        else if (is_token(judge, i, PG_QUERY__TOKEN__ASCII_41) && --depth == 0)
            return i;
    }
    return SIZE_MAX;
}

/* Behind COPY: the name and its columns, or the query. *next is what follows. */
static enum status find_source(struct judge *judge, const PgQuery__CopyStmt *copy,
                               struct copy_words *words, size_t *next)
{
    const PgQuery__RangeVar *var = copy->relation;
    *next = words->copy + 1;
    if (var != NULL) {
        size_t parts =
            1U + (var->schemaname[0] != '\0' ? 1U : 0U) + (var->catalogname[0] != '\0' ? 1U : 0U);
        words->name =
            var->location < 0 ? SIZE_MAX : scan_find(&judge->tokens, (size_t)var->location);
        if (words->name == words->copy + 2 &&
            is_token(judge, words->copy + 1, PG_QUERY__TOKEN__BINARY))
            words->binary = words->copy + 1;
        else if (words->name != words->copy + 1)
            return lost(judge, "the table of COPY");
        if (scan_dotted_end(&judge->tokens, words->name, parts, next) == 0)
            return lost(judge, "the table of COPY");
    }
    if (!is_token(judge, *next, PG_QUERY__TOKEN__ASCII_40))
        return var == NULL ? lost(judge, "the query of COPY") : OK;
    words->open = *next;
    words->close = closing(judge, *next);
    *next = words->close == SIZE_MAX ? SIZE_MAX : words->close + 1;
    return *next == SIZE_MAX ? lost(judge, "the end of a list of COPY") : OK;
}

static enum status find_words(struct judge *judge, const PgQuery__CopyStmt *copy, size_t start,
                              struct copy_words *words)
{
    size_t next = 0;
    *words = (struct copy_words){.copy = scan_from(&judge->tokens, start),
                                 .binary = SIZE_MAX,
                                 .name = SIZE_MAX,
                                 .open = SIZE_MAX,
                                 .close = SIZE_MAX};
    if (!is_token(judge, words->copy, PG_QUERY__TOKEN__COPY))
        return lost(judge, "COPY");
    enum status status = find_source(judge, copy, words, &next);
    if (status != OK)
        return status;
    if (!is_token(judge, next, copy->is_from ? PG_QUERY__TOKEN__FROM : PG_QUERY__TOKEN__TO))
        return lost(judge, copy->is_from ? "FROM" : "TO");
    words->stream = next + 1;
    words->end = next + 2;
    bool stream = is_token(judge, words->stream, PG_QUERY__TOKEN__STDIN) ||
                  is_token(judge, words->stream, PG_QUERY__TOKEN__STDOUT);
    if (stream && !copy->is_program && copy->filename[0] == '\0')
        return OK;
    status = judge_deny(judge, "statement", "COPY", start_of(judge, words->stream),
                        judge_format(judge, "COPY %s of the server is not available",
                                     copy->is_program ? "with a program" : "with a file"));
    judge_hint(judge, "COPY to STDOUT and from STDIN, and psql's \\copy, use the client's files.");
    return status;
}

/* ---- options ---- */

static enum status refuse_option(struct judge *judge, const char *name, const char *how)
{
    return judge_unsupported(judge, "option",
                             judge_format(judge, "the option \"%s\" of COPY%s", name, how), NULL);
}

static bool one_of(const char *name, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(name, *list) == 0)
            return true;
    }
    return false;
}

/* HEADER without a value, on, true, 1. What is none of PostgreSQL's words PostgreSQL refuses. */
static bool is_on(const PgQuery__Node *value)
{
    if (value == NULL || value->node_case == PG_QUERY__NODE__NODE__NOT_SET)
        return true;
    if (value->node_case == PG_QUERY__NODE__NODE_BOOLEAN)
        return value->boolean->boolval != 0;
    if (value->node_case == PG_QUERY__NODE__NODE_INTEGER)
        return value->integer->ival == 1;
    const char *word = tree_string(value);
    return word != NULL && (strcasecmp(word, "true") == 0 || strcasecmp(word, "on") == 0);
}

/* FORCE_QUOTE names columns: not pgvigil's. */
static enum status quoted_columns(struct judge *judge, const PgQuery__Node *list)
{
    for (size_t i = 0;
         list != NULL && list->node_case == PG_QUERY__NODE__NODE_LIST && i < list->list->n_items;
         i++) {
        const char *name = tree_string(list->list->items[i]);
        if (name != NULL && judge_is_own_name(name))
            return judge_refuse(judge, DENIED, "42703", "column", name, SIZE_MAX,
                                judge_format(judge, "column \"%s\" does not exist", name));
    }
    return OK;
}

static enum status one_option(struct judge *judge, const PgQuery__DefElem *option, bool from,
                              struct verdict_statement *out)
{
    static const char *const to_names[] = {"format", "delimiter", "null",        "header", "quote",
                                           "escape", "encoding",  "force_quote", NULL};
    static const char *const from_names[] = {
        "format", "delimiter", "null",           "header",     "quote",
        "escape", "encoding",  "force_not_null", "force_null", NULL};
    const char *name = option->defname;
    bool known = one_of(name, from ? from_names : to_names);
    if (!known || option->defnamespace[0] != '\0' ||
        option->defaction != PG_QUERY__DEF_ELEM_ACTION__DEFELEM_UNSPEC)
        return refuse_option(judge, name, "");
    const char *value = tree_string(option->arg);
    if (strcmp(name, "encoding") == 0 &&
        (value == NULL || !setting_value_allowed("client_encoding", value)))
        return refuse_option(judge, name, " with another encoding than UTF8");
    if (strcmp(name, "header") == 0)
        out->copy_header = is_on(option->arg);
    return strcmp(name, "force_quote") == 0 ? quoted_columns(judge, option->arg) : OK;
}

/* ---- how its lines are read ---- */

/* The one byte of the value, if it stands in no subject as COPY writes it, nor in the name of its
 * column; else '\0'. `letters`: PostgreSQL takes none there. */
static char separator(const char *value, bool letters)
{
    char byte = value == NULL || value[0] == '\0' || value[1] != '\0' ? '\0' : value[0];
    bool letter = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                  (byte >= 'A' && byte <= 'Z') || byte == ' ';
    return letter && !letters ? '\0' : byte;
}

/* *shape stays unknown where a line could be read otherwise than it is meant. */
static void note_shape(const PgQuery__CopyStmt *copy, struct copy_shape *shape)
{
    const char *format = "text";
    const char *delimiter = NULL;
    const char *quote = "\"";
    const char *escape = "\"";
    for (size_t i = 0; i < copy->n_options; i++) {
        const PgQuery__DefElem *option = copy->options[i]->def_elem;
        const char *value = tree_string(option->arg);
        if (value == NULL && strcmp(option->defname, "header") != 0 &&
            strcmp(option->defname, "force_quote") != 0)
            return;
        format = strcmp(option->defname, "format") == 0 ? value : format;
        delimiter = strcmp(option->defname, "delimiter") == 0 ? value : delimiter;
        quote = strcmp(option->defname, "quote") == 0 ? value : quote;
        escape = strcmp(option->defname, "escape") == 0 ? value : escape;
    }
    bool csv = format != NULL && strcmp(format, "csv") == 0;
    const char *between = delimiter != NULL ? delimiter : csv ? "," : "\t";
    struct copy_shape found = {.delimiter = separator(between, !csv),
                               .quote = separator(quote, false)};
    if (csv && found.delimiter != '\0' && found.quote != '\0' && separator(escape, false) != '\0')
        found.format = COPY_CSV;
    else if (format != NULL && strcmp(format, "binary") == 0)
        found.format = COPY_BINARY;
    else if (format != NULL && strcmp(format, "text") == 0 && found.delimiter != '\0')
        found.format = COPY_TEXT;
    *shape = found;
}

static enum status options(struct judge *judge, const PgQuery__CopyStmt *copy,
                           struct verdict_statement *out)
{
    enum status status = OK;
    for (size_t i = 0; i < copy->n_options && status == OK; i++) {
        const PgQuery__Node *node = copy->options[i];
        status = node->node_case == PG_QUERY__NODE__NODE_DEF_ELEM
                     ? one_option(judge, node->def_elem, copy->is_from, out)
                     : refuse_option(judge, "option", "");
    }
    return status;
}

/* ---- COPY BINARY t, USING DELIMITERS 'x' ---- */

/* These forms of old exist for a table only: for the query that takes its place they become the
 * options that they are. */
static enum status modernise(struct judge *judge, const struct copy_words *words)
{
    size_t at = words->end;
    bool using = is_token(judge, at, PG_QUERY__TOKEN__USING);
    bool delimiters = is_token(judge, at + (using ? 1 : 0), PG_QUERY__TOKEN__DELIMITERS);
    if (words->binary == SIZE_MAX && !delimiters)
        return OK;
    enum status status = OK;
    bool out = is_token(judge, words->stream, PG_QUERY__TOKEN__STDOUT);
    if (words->binary != SIZE_MAX)
        status = rewrite_edit(judge, start_of(judge, words->stream),
                              out ? strlen("STDOUT") : strlen("STDIN"), "STDOUT BINARY");
    if (status == OK && using)
        status = rewrite_edit(judge, start_of(judge, at++), strlen("USING"), "");
    if (status == OK && delimiters) {
        status = rewrite_edit(judge, start_of(judge, at), strlen("DELIMITERS"), "DELIMITER");
        at += 2;
    }
    bool with = is_token(judge, at, PG_QUERY__TOKEN__WITH);
    if (is_token(judge, at + (with ? 1 : 0), PG_QUERY__TOKEN__ASCII_40))
        return judge_unsupported(judge, "option", "COPY BINARY or DELIMITERS with options in ()",
                                 "Write (FORMAT binary) or (DELIMITER ...) among the options.");
    return status == OK && with ? rewrite_edit(judge, start_of(judge, at), strlen("WITH"), "")
                                : status;
}

/* ---- a table's columns ---- */

struct copied {
    const struct catalog_relation *relation;
    struct range_item *item;
    const char *alias;
    struct buf *text; /* "t"."a", "t"."b" */
    PgQuery__SelectStmt *select;
};

enum status judge_copy_column(struct judge *judge, const struct catalog_relation *relation,
                              PgQuery__Node **list, size_t index)
{
    const char *name = tree_string(list[index]);
    if (!judge_copy_lists(relation, name)) {
        enum status status =
            judge_refuse(judge, DENIED, "42P10", "column", name, SIZE_MAX,
                         judge_format(judge, "column \"%s\" is a generated column", name));
        judge_hint(judge, "Generated columns cannot be used in COPY.");
        return status;
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(tree_string(list[i]), name) == 0)
            return judge_refuse(
                judge, DENIED, "42701", "column", name, SIZE_MAX,
                judge_format(judge, "column \"%s\" specified more than once", name));
    }
    return judge_work(judge, index + 1);
}

bool judge_copy_lists(const struct catalog_relation *relation, const char *name)
{
    const struct catalog_column *column = catalog_column(relation, name);
    return column == NULL || !column->generated;
}

static enum status check_column(struct judge *judge, const struct copied *copied,
                                PgQuery__Node **list, size_t index)
{
    const char *name = tree_string(list[index]);
    if (name == NULL)
        return lost(judge, "the name of a column");
    if (scope_column(copied->item, name) < 0)
        return judge_hidden_column(judge, copied->relation, name, SIZE_MAX,
                                   judge_format(judge,
                                                "column \"%s\" of relation \"%s\" does not exist",
                                                name, copied->relation->name));
    return judge_copy_column(judge, copied->relation, list, index);
}

static enum status add_target(struct judge *judge, struct copied *copied, PgQuery__Node *value)
{
    PgQuery__SelectStmt *select = copied->select;
    return tree_insert(judge->arena, &select->target_list, &select->n_target_list,
                       select->n_target_list, tree_new_target(judge->arena, value)) == OK
               ? OK
               : judge_no_memory(judge);
}

static enum status add_column(struct judge *judge, struct copied *copied, const char *name)
{
    long column = scope_column(copied->item, name);
    scope_use(judge->level, copied->item, column);
    buf_str(copied->text, buf_len(copied->text) == 0 ? "" : ", ");
    text_quote_ident(copied->text, copied->alias);
    buf_byte(copied->text, '.');
    text_quote_ident(copied->text, name);
    return add_target(judge, copied, tree_new_column(judge->arena, copied->alias, name));
}

static enum status add_star(struct judge *judge, struct copied *copied)
{
    PgQuery__Node *value = tree_new_column(judge->arena, copied->alias, "");
    PgQuery__AStar *star = arena_alloc(judge->arena, sizeof(*star));
    if (value == NULL || star == NULL)
        return judge_no_memory(judge);
    pg_query__a__star__init(star);
    PgQuery__Node *last = value->column_ref->fields[1];
    last->node_case = PG_QUERY__NODE__NODE_A_STAR;
    last->a_star = star;
    scope_use(judge->level, copied->item, -1);
    text_quote_ident(copied->text, copied->alias);
    buf_str(copied->text, ".*");
    return add_target(judge, copied, value);
}

static enum status add_columns(struct judge *judge, struct copied *copied,
                               const PgQuery__CopyStmt *copy)
{
    enum status status = OK;
    for (size_t i = 0; i < copy->n_attlist && status == OK; i++) {
        status = check_column(judge, copied, copy->attlist, i);
        if (status == OK)
            status = add_column(judge, copied, tree_string(copy->attlist[i]));
    }
    const struct column_list *all = &copied->item->columns;
    if (copy->n_attlist == 0 && copied->item->use->guard == NULL &&
        !judge_is_temporary(copied->relation))
        return add_star(judge, copied); /* a system catalog: its guard knows its columns */
    for (size_t i = 0; copy->n_attlist == 0 && i < all->count && status == OK; i++) {
        if (judge_copy_lists(copied->relation, all->names[i]))
            status = add_column(judge, copied, all->names[i]);
    }
    return status;
}

static enum status check_kind(struct judge *judge, const struct catalog_relation *relation)
{
    const char *kind = relation->kind == 'v'   ? "view"
                       : relation->kind == 'm' ? "materialized view"
                       : relation->kind == 'f' ? "foreign table"
                       : relation->kind == 'p' ? "partitioned table"
                                               : NULL;
    if (kind == NULL)
        return OK;
    enum status status =
        judge_refuse(judge, DENIED, "42809", "relation", relation->name, SIZE_MAX,
                     judge_format(judge, "cannot copy from %s \"%s\"", kind, relation->name));
    judge_hint(judge, "Try the COPY (SELECT ...) TO variant.");
    return status;
}

static PgQuery__SelectStmt *new_select(struct judge *judge, PgQuery__RangeVar *var)
{
    PgQuery__SelectStmt *select = arena_alloc(judge->arena, sizeof(*select));
    PgQuery__Node *from = arena_alloc(judge->arena, sizeof(*from));
    if (select == NULL || from == NULL)
        return NULL;
    pg_query__select_stmt__init(select);
    pg_query__node__init(from);
    from->node_case = PG_QUERY__NODE__NODE_RANGE_VAR;
    from->range_var = var;
    select->op = PG_QUERY__SET_OPERATION__SETOP_NONE;
    select->limit_option = PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_DEFAULT;
    return tree_insert(judge->arena, &select->from_clause, &select->n_from_clause, 0, from) == OK
               ? select
               : NULL;
}

/* `(SELECT ... FROM` in front of the name: before the change of the name itself is noted, as both
 * may be in one place. The columns are not known yet. */
static enum status open_select(struct judge *judge, const struct copy_words *words, size_t *edit)
{
    size_t at = start_of(judge, words->copy) + strlen("COPY");
    size_t binary =
        words->binary == SIZE_MAX ? 0 : start_of(judge, words->binary) + strlen("BINARY") - at;
    *edit = judge->edit_count;
    return rewrite_edit(judge, at, binary, "");
}

/* The columns, and `)` in the place of the list. */
static enum status close_select(struct judge *judge, const struct copy_words *words, size_t edit,
                                const char *columns)
{
    const char *text = columns == NULL ? NULL : judge_format(judge, "(SELECT %s FROM", columns);
    if (text == NULL)
        return judge_no_memory(judge);
    enum status status = rewrite_amend(judge, edit, text);
    if (status != OK)
        return status;
    if (words->open != SIZE_MAX)
        return rewrite_edit(judge, start_of(judge, words->open),
                            start_of(judge, words->close) + 1 - start_of(judge, words->open), ")");
    return rewrite_edit(judge, start_of(judge, words->stream - 1), 0, ") ");
}

static enum status copy_table(struct judge *judge, PgQuery__CopyStmt *copy,
                              const struct copy_words *words)
{
    struct level level;
    struct buf text;
    PgQuery__RangeVar *var = copy->relation;
    struct copied copied = {.text = &text, .select = new_select(judge, var)};
    PgQuery__Node *query = arena_alloc(judge->arena, sizeof(*query));
    if (copied.select == NULL || query == NULL)
        return judge_no_memory(judge);
    buf_init(&text, 0);
    size_t edit = 0;
    scope_enter(judge, &level, NULL);
    enum status status = open_select(judge, words, &edit);
    var->inh = false; /* for the choice of the guard */
    if (status == OK)
        status = judge_from(judge, copied.select->from_clause[0]);
    var->inh = true;
    if (status == OK) {
        copied.item = &level.items[0];
        copied.relation = copied.item->use->shown.relation;
        copied.alias = copied.item->emitted;
        level.high = level.item_count;
        status = check_kind(judge, copied.relation);
    }
    if (status == OK)
        status = add_columns(judge, &copied, copy);
    const char *columns = text_take(&text, judge->arena);
    if (status == OK)
        status = close_select(judge, words, edit, columns);
    if (status == OK)
        status = subject_note_copy(judge, copied.select, &level, edit, columns);
    scope_leave(judge);
    if (status == OK)
        status = modernise(judge, words);
    pg_query__node__init(query);
    query->node_case = PG_QUERY__NODE__NODE_SELECT_STMT;
    query->select_stmt = copied.select;
    copy->relation = NULL;
    copy->n_attlist = 0;
    copy->query = query;
    return status;
}

/* ---- the statement ---- */

enum status judge_copy(struct judge *judge, PgQuery__CopyStmt *copy, struct verdict_statement *out)
{
    struct copy_words words;
    out->kind = STATEMENT_COPY_TO;
    enum status status = find_words(judge, copy, out->start, &words);
    if (status == OK && copy->where_clause != NULL)
        status = judge_unsupported(judge, "statement", "COPY with WHERE", NULL);
    if (status == OK)
        status = options(judge, copy, out);
    if (status != OK)
        return status;
    if (copy->is_from)
        return judge_copy_from(judge, copy, out);
    note_shape(copy, &out->copy);
    if (copy->relation != NULL)
        return copy_table(judge, copy, &words);
    return judge_held(judge, copy->query, start_of(judge, words.open), out);
}
