/*
 * judge_aggregate_text.c: the bounds of an aggregate_only mission are written into a statement.
 *
 * Three things: HAVING leaves out groups of fewer than k patients, of each relation that tells of
 * some; a CASE makes NULL of an aggregate whose column has a value for fewer than k of them, or has
 * none for 1 to k - 1; and behind the subjects in front of each row stand the rows that it is of,
 * so that the proxy can tell what the row, together with earlier answers, would say of fewer
 * (proxy/aggregate.h). That text and tree say the same is verify.c's to show.
 *
 * Such a list is '#' and for each row 17 bytes in hexadecimal digits: which row it is, as far as
 * the session can see it; whose it is; and, a bit each, which of the columns that are aggregated
 * have a value in it. Hashes of PostgreSQL's own, which follow no setting that a client may change.
 */
#include "judge_aggregate.h"

#include <pgvigil/text.h>
#include <string.h>

/* ---- which columns ---- */

/* Those of the item that are aggregated, each once: the first is bit 0. */
static size_t aggregated(const struct carry *carry, const char *item, const char **columns,
                         size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < *carry->target_count; i++) {
        const PgQuery__FuncCall *call = aggregate_call((*carry->targets)[i]);
        long column = -1;
        const struct range_item *of = call == NULL || call->n_args != 1
                                          ? NULL
                                          : aggregate_item(carry, call->args[0], &column);
        if (of == NULL || strcmp(of->emitted, item) != 0)
            continue;
        bool found = false;
        for (size_t k = 0; k < count && k < max; k++)
            found = found || strcmp(columns[k], of->columns.names[column]) == 0;
        if (!found && count < max)
            columns[count] = of->columns.names[column];
        count += found ? 0 : 1;
    }
    return count;
}

enum status aggregate_check_columns(struct judge *judge, const struct carry *carry)
{
    const char *columns[AGGREGATE_COLUMNS_MAX];
    for (size_t i = 0; i < carry->item_count; i++)
        if (aggregated(carry, carry->items[i].emitted, columns, AGGREGATE_COLUMNS_MAX) >
            AGGREGATE_COLUMNS_MAX)
            return judge_unsupported(judge, "aggregate",
                                     "aggregates of more than 8 columns of one table",
                                     "Ask for them in several statements.");
    return OK;
}

/* ---- the rows of a group ---- */

static const char *flags(struct judge *judge, const struct carry *carry, const char *item,
                         const char *quoted)
{
    const char *columns[AGGREGATE_COLUMNS_MAX];
    size_t count = aggregated(carry, item, columns, AGGREGATE_COLUMNS_MAX);
    if (count == 0)
        return "pg_catalog.decode('00', 'hex')";
    struct buf text;
    buf_init(&text, 0);
    buf_str(&text, "pg_catalog.set_byte(pg_catalog.decode('00', 'hex'), 0, ");
    for (size_t i = 0; i < count && i < AGGREGATE_COLUMNS_MAX; i++) {
        buf_printf(&text, "%sCASE WHEN %s.", i == 0 ? "" : " OPERATOR(pg_catalog.+) ", quoted);
        text_quote_ident(&text, columns[i]);
        buf_printf(&text, " IS NULL THEN 0 ELSE %u END", 1U << i);
    }
    buf_byte(&text, ')');
    return text_take(&text, judge->arena);
}

static size_t told(const struct carry *carry)
{
    size_t count = 0;
    for (size_t i = 0; i < carry->item_count; i++)
        count += carry->items[i].gives;
    return count == 0 ? 1 : count;
}

const char *aggregate_collected(struct judge *judge, const struct carry *carry, const char *item,
                                const char *collected)
{
    const char *of = rewrite_quote(judge, item);
    const char *bits = of == NULL ? NULL : flags(judge, carry, item, of);
    if (bits == NULL || collected == NULL)
        return NULL;
    return judge_format(
        judge,
        "(%s) OPERATOR(pg_catalog.||) CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) %zu "
        "THEN '#!' ELSE '#'::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.encode("
        "pg_catalog.string_agg(pg_catalog.int8send(pg_catalog.hash_record_extended(%s.*, 0)) "
        "OPERATOR(pg_catalog.||) pg_catalog.int8send(pg_catalog.hashtextextended(%s.\"%s\", 0)) "
        "OPERATOR(pg_catalog.||) %s, pg_catalog.decode('', 'hex')), 'hex') END",
        collected, AGGREGATE_ROWS_MAX / told(carry), of, of, GUARD_SUBJECT_COLUMN, bits);
}

/* ---- bounds ---- */

static const char *having(struct judge *judge, const struct carry *carry)
{
    struct buf text;
    bool first = true;
    buf_init(&text, 0);
    buf_str(&text, "\nHAVING "); /* a comment may stand before it */
    for (size_t i = 0; i < carry->item_count; i++) {
        if (carry->items[i].gives == 0)
            continue;
        const char *of = rewrite_quote(judge, carry->items[i].emitted);
        if (of == NULL)
            return NULL;
        /* A row of nobody's would be in the answer and in no list. */
        buf_printf(&text,
                   "%spg_catalog.count(DISTINCT %s.\"%s\") OPERATOR(pg_catalog.>=) %llu AND "
                   "pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count(%s.\"%s\")",
                   first ? "" : " AND ", of, GUARD_SUBJECT_COLUMN,
                   (unsigned long long)judge->aggregate->k, of, GUARD_SUBJECT_COLUMN);
        first = false;
    }
    buf_byte(&text, ' ');
    return text_take(&text, judge->arena);
}

static enum status write_having(struct judge *judge, const struct carry *carry, size_t end)
{
    PgQuery__Node **own = *carry->targets + carry->count;
    struct carry without = *carry;
    without.targets = &own;
    size_t tail = subject_tail(judge, &without, end);
    const char *text = having(judge, carry);
    const PgQuery__SelectStmt *made =
        text == NULL ? NULL : subject_parsed(judge, judge_format(judge, "SELECT%s", text));
    if (tail == SIZE_MAX)
        return subject_lost(judge, "the end of the groups", SIZE_MAX);
    if (made == NULL)
        return judge_no_memory(judge);
    carry->select->having_clause = made->having_clause;
    return rewrite_edit(judge, tail, 0, text);
}

/* One past the parenthesis that closes the call. */
static size_t call_end(const struct token_list *list, size_t start)
{
    size_t depth = 0;
    for (size_t index = scan_find(list, start); index < list->count; index++) {
        if (list->tokens[index].kind == PG_QUERY__TOKEN__ASCII_40)
            depth++;
        if (list->tokens[index].kind == PG_QUERY__TOKEN__ASCII_41 && --depth == 0)
            return list->tokens[index].start + 1;
    }
    return SIZE_MAX;
}

/* What stands before an aggregate of a column, and behind it. */
static enum status cell_texts(struct judge *judge, const struct carry *carry,
                              const PgQuery__ResTarget *target, const char **before,
                              const char **behind)
{
    long column = -1;
    const struct range_item *item = aggregate_item(carry, target->val->func_call->args[0], &column);
    const char *of = item == NULL ? NULL : rewrite_quote(judge, item->emitted);
    const char *what = of == NULL ? NULL : rewrite_quote(judge, item->columns.names[column]);
    const char *called = target->name[0] != '\0' ? NULL : judge_output_name(target->val);
    const char *name = called == NULL ? NULL : rewrite_quote(judge, called);
    if (what == NULL || (called != NULL && name == NULL))
        return judge_no_memory(judge);
    unsigned long long k = judge->aggregate->k;
    const char *patients =
        judge_format(judge, "pg_catalog.count(DISTINCT %s.\"%s\") FILTER (WHERE %s.%s", of,
                     GUARD_SUBJECT_COLUMN, of, what);
    *before =
        patients == NULL
            ? NULL
            : judge_format(judge,
                           "CASE WHEN %s IS NOT NULL) OPERATOR(pg_catalog.>=) %llu AND (%s IS "
                           "NULL) OPERATOR(pg_catalog.=) 0 OR %s IS NOT NULL) "
                           "OPERATOR(pg_catalog.>=) %llu AND %s IS NULL) "
                           "OPERATOR(pg_catalog.>=) %llu) THEN ",
                           patients, k, patients, patients, k, patients, k);
    *behind = name == NULL ? " END" : judge_format(judge, " END AS %s", name);
    return *before == NULL || *behind == NULL ? judge_no_memory(judge) : OK;
}

static enum status bound_cell(struct judge *judge, const struct carry *carry,
                              PgQuery__ResTarget *target)
{
    PgQuery__FuncCall *call = target->val->func_call;
    const char *before = NULL;
    const char *behind = NULL;
    enum status status = cell_texts(judge, carry, target, &before, &behind);
    if (status != OK)
        return status;
    size_t at = call->location < 0 ? SIZE_MAX : (size_t)call->location;
    size_t end = at == SIZE_MAX ? SIZE_MAX : call_end(&judge->tokens, at);
    if (end == SIZE_MAX)
        return subject_lost(judge, "an aggregate", at);
    PgQuery__SelectStmt *made =
        subject_parsed(judge, judge_format(judge, "SELECT %s0%s", before, behind));
    if (made == NULL || made->n_target_list != 1)
        return judge_no_memory(judge);
    PgQuery__ResTarget *bounded = made->target_list[0]->res_target;
    PgQuery__CaseExpr *test = bounded->val->case_expr;
    test->args[0]->case_when->result = target->val;
    if (target->name[0] == '\0')
        target->name = bounded->name;
    target->val = bounded->val;
    const struct piece piece = {.text = before};
    status = rewrite_frame(judge, at, 0, true, &piece, 1);
    return status == OK ? rewrite_edit(judge, end, 0, behind) : status;
}

enum status aggregate_write(struct judge *judge, const struct carry *carry, size_t end)
{
    enum status status = write_having(judge, carry, end);
    for (size_t i = carry->count; i < *carry->target_count && status == OK; i++) {
        PgQuery__Node *target = (*carry->targets)[i];
        const PgQuery__FuncCall *call = aggregate_call(target);
        if (call != NULL && !aggregate_is_star(call))
            status = bound_cell(judge, carry, target->res_target);
    }
    return status;
}
