/*
 * judge_explain.c: EXPLAIN, reduced.
 *
 * A plan quotes the guard's filter and masks, names what they read, and its estimates count hidden
 * rows. So the statement is sent without costs, and the proxy shows the types of the plan's nodes
 * and nothing else (proxy/explain.c). Which nodes PostgreSQL chooses still follows from statistics
 * over hidden rows: that is what a role's `allow` accepts. ANALYZE would also run the statement.
 */
#include "judge_private.h"

#include <string.h>
#include <strings.h>

static const char head[] = "(COSTS off) ";

/* Off is what it is anyway; FORMAT TEXT too. */
static bool option_known(const PgQuery__DefElem *option)
{
    const PgQuery__Node *value = option->arg;
    const char *text = value == NULL ? NULL : tree_string(value);
    if (strcmp(option->defname, "costs") == 0)
        return true;
    return strcmp(option->defname, "format") == 0 && text != NULL && strcasecmp(text, "text") == 0;
}

static enum status check_options(struct judge *judge, const PgQuery__ExplainStmt *explain)
{
    for (size_t i = 0; i < explain->n_options; i++) {
        const PgQuery__Node *node = explain->options[i];
        if (node->node_case == PG_QUERY__NODE__NODE_DEF_ELEM && option_known(node->def_elem))
            continue;
        const char *name =
            node->node_case == PG_QUERY__NODE__NODE_DEF_ELEM ? node->def_elem->defname : "option";
        return judge_unsupported(judge, "statement", judge_format(judge, "EXPLAIN with %s", name),
                                 "A restricted role sees the types of the plan's nodes: EXPLAIN, "
                                 "COSTS and FORMAT TEXT.");
    }
    return OK;
}

/* Where the statement begins: behind the options' parenthesis, or behind EXPLAIN itself. */
static bool query_token(const struct judge *judge, const PgQuery__ExplainStmt *explain,
                        size_t start, size_t *word, size_t *query)
{
    const struct token_list *list = &judge->tokens;
    size_t depth = 0;
    *word = scan_from(list, start);
    *query = *word + 1;
    if (*query >= list->count || list->tokens[*word].kind != PG_QUERY__TOKEN__EXPLAIN)
        return false;
    if (explain->n_options == 0)
        return true;
    if (list->tokens[*query].kind != PG_QUERY__TOKEN__ASCII_40)
        return false;
    for (; *query < list->count; (*query)++) {
        uint16_t kind = list->tokens[*query].kind;
        if (kind == PG_QUERY__TOKEN__ASCII_40)
            depth++;
        else if (kind == PG_QUERY__TOKEN__ASCII_41 && --depth == 0) {
            (*query)++;
            return *query < list->count;
        }
    }
    return false;
}

static enum status without_costs(struct judge *judge, PgQuery__ExplainStmt *explain, size_t at,
                                 size_t removed)
{
    PgQuery__ParseResult *tree = NULL;
    const char *message = NULL;
    size_t position = 0;
    const char *sql = judge_format(judge, "EXPLAIN %sSELECT 1", head);
    if (sql == NULL)
        return judge_no_memory(judge);
    if (tree_parse(sql, judge->arena, &tree, &message, &position) != OK || tree->n_stmts != 1)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "EXPLAIN", SIZE_MAX,
                            "EXPLAIN could not be reduced");
    explain->options = tree->stmts[0]->stmt->explain_stmt->options;
    explain->n_options = tree->stmts[0]->stmt->explain_stmt->n_options;
    return rewrite_edit(judge, at, removed, head);
}

enum status judge_explain(struct judge *judge, PgQuery__ExplainStmt *explain,
                          struct verdict_statement *out)
{
    size_t word = 0;
    size_t query = 0;
    out->kind = STATEMENT_EXPLAIN;
    out->tag = "EXPLAIN";
    enum status status = judge_allows(judge, ALLOW_EXPLAIN, "EXPLAIN");
    if (status == OK)
        status = check_options(judge, explain);
    if (status != OK)
        return status;
    if (!query_token(judge, explain, out->start, &word, &query))
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "EXPLAIN", SIZE_MAX,
                            "the statement of EXPLAIN was not found in the text");
    const struct token *tokens = judge->tokens.tokens;
    size_t start = tokens[query].start;
    status =
        explain->n_options > 0
            ? without_costs(judge, explain, tokens[word + 1].start, start - tokens[word + 1].start)
            : without_costs(judge, explain, tokens[word].start + strlen("EXPLAIN"), 0);
    return status == OK ? judge_held(judge, explain->query, start, out) : status;
}
