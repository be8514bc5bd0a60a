/*
 * judge_operator.c: operators and collations.
 *
 * Server connections run under search_path = '', so an operator without a schema can only be
 * pg_catalog's: nothing in the database stands in for a builtin. Where an operator of the same name
 * exists elsewhere, the client may have meant that one; it would silently get another: refused. One
 * that is only over types of its own (hstore's ||) can have been meant only where such a type is in
 * the statement: a column of it, a cast to a type outside pg_catalog, a function of the policy's.
 */
#include "judge_private.h"

#include <string.h>

static enum status refuse_foreign(struct judge *judge, const char *text, size_t at)
{
    enum status status = judge_deny(
        judge, "operator", text, at,
        judge_format(judge, "operator %s also exists outside pg_catalog and is not available",
                     text));
    judge_hint(judge,
               judge_format(judge, "Write OPERATOR(pg_catalog.%s) for PostgreSQL's own.", text));
    return status;
}

enum status judge_operator(struct judge *judge, PgQuery__Node **name, size_t count, size_t at)
{
    const char *text = count == 0 ? NULL : tree_string(name[count - 1]);
    const char *schema = count < 2 ? NULL : tree_string(name[count - 2]);
    if (text == NULL || count > 2 || (count == 2 && schema == NULL))
        return judge_refuse(judge, DENIED, "0A000", "operator", "operator", at,
                            "this operator is not supported");
    if (schema != NULL) {
        if (strcmp(schema, "pg_catalog") == 0)
            return OK;
        return judge_deny(judge, "operator", text, at,
                          judge_format(judge, "operator \"%s\".%s is not available", schema, text));
    }
    if (!catalog_has_operator(judge->request->catalog, text)) {
        if (judge->foreign_operator == NULL &&
            catalog_has_typed_operator(judge->request->catalog, text)) {
            judge->foreign_operator = text;
            judge->foreign_at = at;
        }
        return OK;
    }
    return refuse_foreign(judge, text, at);
}

enum status judge_foreign_operator(struct judge *judge)
{
    return judge->foreign_operator == NULL ||
                   (!judge->foreign_type && !judge->calls_foreign_function)
               ? OK
               : refuse_foreign(judge, judge->foreign_operator, judge->foreign_at);
}

enum status judge_collation(struct judge *judge, PgQuery__CollateClause *collate)
{
    size_t at = collate->location < 0 ? SIZE_MAX : (size_t)collate->location;
    const char *first = collate->n_collname == 0 ? NULL : tree_string(collate->collname[0]);
    if (first == NULL || collate->n_collname > 2 ||
        (collate->n_collname == 2 && strcmp(first, "pg_catalog") != 0))
        return judge_deny(judge, "collation", first, at,
                          judge_format(judge,
                                       "a collation outside pg_catalog (\"%s\") is not available",
                                       first == NULL ? "" : first));
    if (collate->n_collname == 1) {
        size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
        if (index == SIZE_MAX || index + 1 >= judge->tokens.count ||
            judge->tokens.tokens[index].kind != PG_QUERY__TOKEN__COLLATE)
            return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "collation", at,
                                "a collation was not found in the text");
        enum status status =
            rewrite_edit(judge, judge->tokens.tokens[index + 1].start, 0, "pg_catalog.");
        if (status != OK)
            return status;
        status = tree_insert(judge->arena, &collate->collname, &collate->n_collname, 0,
                             tree_new_string(judge->arena, "pg_catalog"));
        if (status != OK)
            return judge_no_memory(judge);
    }
    return collate->arg == NULL ? OK : judge_walk(judge, collate->arg);
}
