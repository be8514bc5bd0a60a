/*
 * judge_copy_from.c: COPY FROM STDIN, as the INSERT that it means.
 *
 * PostgreSQL copies into no view, and guards are views. So the rows go into a temporary table with
 * the guard's columns, and from there into the guard: one text of four statements,
 *
 *     CREATE TEMPORARY TABLE pg_temp."pgvigil copy" ON COMMIT DROP AS SELECT ... FROM guard
 *         WITH NO DATA;
 *     COPY pg_temp."pgvigil copy" (...) FROM STDIN ...;        what the client wrote, edited
 *     INSERT INTO guard (...) SELECT ... FROM pg_temp."pgvigil copy" [RETURNING its subject];
 *     DROP TABLE pg_temp."pgvigil copy"
 *
 * of which the client sees one. What the rule lets be inserted is asked for each column, as for
 * INSERT, and once more by PostgreSQL when the rows go into the guard.
 *
 * The other three hold nothing of the client's, only quoted names of the catalog's. They are parsed
 * by themselves and put beside the client's in the judged tree, so that verify.c proves of the
 * whole text what it proves of every other.
 */
#include "judge_copy.h"
#include "judge_write.h"

#include <pgvigil/buf.h>
#include <pgvigil/text.h>
#include <string.h>

#define INSERTED "\"pgvigil rows\""
#define TABLE    JUDGE_TEMPORARY_SCHEMA ".\"" JUDGE_COPY_TABLE "\""

/* The name of the guard, noted as an edit like any other target's, becomes the temporary table's.
 */
static enum status take_table(struct judge *judge, PgQuery__RangeVar *var, size_t edits,
                              const char *table)
{
    if (judge->edit_count != edits + 1)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "COPY", SIZE_MAX,
                            "the table of COPY was not found in the text");
    const char *quoted = rewrite_quote(judge, table);
    const char *text =
        quoted == NULL ? NULL : judge_format(judge, JUDGE_TEMPORARY_SCHEMA ".%s", quoted);
    if (text == NULL)
        return judge_no_memory(judge);
    enum status status = rewrite_amend(judge, edits, text);
    if (status != OK)
        return status;
    var->alias = NULL;
    var->schemaname = arena_strdup(judge->arena, JUDGE_TEMPORARY_SCHEMA);
    var->relname = arena_strdup(judge->arena, table);
    return var->schemaname == NULL || var->relname == NULL ? judge_no_memory(judge) : OK;
}

struct filled {
    const struct catalog_relation *relation;
    struct buf names; /* "a", "b" */
    bool identity;    /* one of them is an identity column: COPY takes the value that is given */
};

static enum status fill(struct judge *judge, struct filled *filled, const char *name)
{
    enum status status = judge_write_column(judge, WRITE_INSERT, name, SIZE_MAX);
    const struct catalog_column *column = catalog_column(filled->relation, name);
    filled->identity = filled->identity || (column != NULL && column->identity);
    buf_str(&filled->names, buf_len(&filled->names) == 0 ? "" : ", ");
    text_quote_ident(&filled->names, name);
    return status;
}

static enum status fill_columns(struct judge *judge, const PgQuery__CopyStmt *copy,
                                struct filled *filled)
{
    const struct relation_use *use = judge->level->items[0].use;
    enum status status = OK;
    filled->relation = use->shown.relation;
    for (size_t i = 0; i < copy->n_attlist && status == OK; i++) {
        const char *name = tree_string(copy->attlist[i]);
        status = name == NULL ? judge_no_memory(judge) : fill(judge, filled, name);
        if (status == OK)
            status = judge_copy_column(judge, filled->relation, copy->attlist, i);
    }
    for (size_t i = 0; i < use->column_count && copy->n_attlist == 0 && status == OK; i++) {
        if (!judge_copy_lists(filled->relation, use->columns[i]))
            continue;
        status = fill(judge, filled, use->columns[i]);
        if (status == DENIED)
            judge_hint(judge, "Without a list of columns COPY fills them all, in order: name those "
                              "that are meant.");
    }
    return status;
}

/* The temporary table has the columns of the COPY only: what PostgreSQL says of the table's others
 * is said here. */
static enum status forced_column(struct judge *judge, const PgQuery__CopyStmt *copy,
                                 const struct filled *filled, const char *option, const char *name)
{
    const struct relation_use *use = judge->level->items[0].use;
    if (scope_column(&judge->level->items[0], name) < 0)
        return judge_hidden_column(judge, filled->relation, name, SIZE_MAX,
                                   judge_format(judge,
                                                "column \"%s\" of relation \"%s\" does not exist",
                                                name, use->shown.name));
    bool listed = copy->n_attlist == 0 && judge_copy_lists(filled->relation, name);
    for (size_t i = 0; i < copy->n_attlist && !listed; i++)
        listed = strcmp(tree_string(copy->attlist[i]), name) == 0;
    if (listed)
        return judge_work(judge, copy->n_attlist);
    return judge_refuse(
        judge, DENIED, "42P10", "column", name, SIZE_MAX,
        judge_format(judge, "%s column \"%s\" not referenced by COPY", option, name));
}

static enum status forced_columns(struct judge *judge, const PgQuery__CopyStmt *copy,
                                  const struct filled *filled)
{
    enum status status = OK;
    for (size_t i = 0; i < copy->n_options && status == OK; i++) {
        const PgQuery__DefElem *option = copy->options[i]->def_elem;
        const char *word = strcmp(option->defname, "force_null") == 0       ? "FORCE_NULL"
                           : strcmp(option->defname, "force_not_null") == 0 ? "FORCE_NOT_NULL"
                                                                            : NULL;
        bool list = word != NULL && option->arg != NULL &&
                    option->arg->node_case == PG_QUERY__NODE__NODE_LIST;
        for (size_t k = 0; list && k < option->arg->list->n_items && status == OK; k++) {
            const char *name = tree_string(option->arg->list->items[k]);
            if (name != NULL)
                status = forced_column(judge, copy, filled, word, name);
        }
    }
    return status;
}

/* One statement of pgvigil's own, read by the same parser as the whole text will be. */
static enum status add_own(struct judge *judge, const char *sql, PgQuery__RawStmt **own)
{
    PgQuery__ParseResult *tree = NULL;
    const char *message = NULL;
    size_t position = 0;
    enum status status =
        sql == NULL ? ERR_MEMORY : tree_parse(sql, judge->arena, &tree, &message, &position);
    if (status == ERR_MEMORY)
        return judge_no_memory(judge);
    if (status != OK || tree->n_stmts != 1)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "COPY", SIZE_MAX,
                            "a statement that COPY needs does not read as one");
    *own = tree->stmts[0];
    return OK;
}

/* INSERT, which gives whose rows they are where that is told: to the record alone. */
static const char *insert_text(struct judge *judge, struct verdict_statement *out,
                               const char *names, bool identity)
{
    const struct range_item *item = &judge->level->items[0];
    bool told = item->subject != NULL;
    const char *guard = told
                            ? text_qualified(judge->arena, item->subject->pair, item->subject->view)
                            : item->use->shown.guard;
    out->subjects = told ? 1 : 0;
    out->subjects_only = told;
    judge->subjects_carried += told ? 1 : 0;
    return guard == NULL ? NULL
                         : judge_format(judge, "INSERT INTO %s%s (%s)%s SELECT %s FROM " TABLE "%s",
                                        guard, told ? " AS " INSERTED : "", names,
                                        identity ? " OVERRIDING SYSTEM VALUE" : "", names,
                                        told ? " RETURNING " INSERTED ".\"" GUARD_SUBJECT_COLUMN
                                               "\" AS \"" GUARD_SUBJECT_COLUMN " 1\""
                                             : "");
}

static enum status add_statements(struct judge *judge, struct verdict_statement *out,
                                  const char *names, bool identity)
{
    const char *guard = judge->level->items[0].use->shown.guard;
    const char *create =
        judge_format(judge,
                     "CREATE TEMPORARY TABLE " TABLE " ON COMMIT DROP AS SELECT %s FROM %s WITH NO "
                     "DATA",
                     names, guard);
    const char *insert = insert_text(judge, out, names, identity);
    const char *drop = "DROP TABLE " TABLE;
    enum status status = add_own(judge, create, &judge->around[0]);
    if (status == OK)
        status = add_own(judge, insert, &judge->around[1]);
    if (status == OK)
        status = add_own(judge, drop, &judge->around[2]);
    if (status == OK)
        status = rewrite_edit(judge, out->start, 0, judge_format(judge, "%s; ", create));
    /* On a line of its own, behind any comment. */
    if (status == OK)
        status = rewrite_edit(judge, out->start + out->len, 0,
                              judge_format(judge, "\n; %s; %s", insert, drop));
    return status;
}

enum status judge_copy_around(struct judge *judge, PgQuery__ParseResult *tree)
{
    if (judge->around[0] == NULL)
        return OK;
    PgQuery__RawStmt **stmts = arena_zalloc(judge->arena, 4, sizeof(PgQuery__RawStmt *));
    if (stmts == NULL)
        return judge_no_memory(judge);
    stmts[0] = judge->around[0];
    stmts[1] = tree->stmts[0];
    stmts[2] = judge->around[1];
    stmts[3] = judge->around[2];
    tree->stmts = stmts;
    tree->n_stmts = 4;
    return OK;
}

enum status judge_copy_from(struct judge *judge, PgQuery__CopyStmt *copy,
                            struct verdict_statement *out)
{
    struct level level;
    struct filled filled = {.identity = false};
    out->kind = STATEMENT_COPY_FROM;
    out->tag = "COPY FROM";
    out->writes = true;
    if (judge->request->extended)
        return judge_unsupported(judge, "statement", "COPY FROM in the extended protocol",
                                 "Send it as a simple query, as psql and the COPY functions of "
                                 "drivers do.");
    size_t edits = judge->edit_count;
    buf_init(&filled.names, 0);
    scope_enter(judge, &level, NULL);
    enum status status = judge_write_target(judge, copy->relation, WRITE_INSERT);
    if (status == OK)
        status = fill_columns(judge, copy, &filled);
    if (status == OK)
        status = forced_columns(judge, copy, &filled);
    /* A temporary table is copied into as it is. */
    bool direct = status == OK && judge_is_temporary(filled.relation);
    if (status == OK)
        status = take_table(judge, copy->relation, edits,
                            direct ? filled.relation->name : JUDGE_COPY_TABLE);
    const char *names = text_take(&filled.names, judge->arena);
    if (status == OK && !direct)
        status = names == NULL ? judge_no_memory(judge)
                               : add_statements(judge, out, names, filled.identity);
    scope_leave(judge);
    return status;
}
