/*
 * judge_keep.c: what is left of a judgement when it is over.
 *
 * The attack: a prepared statement keeps its verdict for the length of the session, and the trees
 * that judging needs are two hundred times as large as the text; ten thousand statements of a
 * megabyte each would take the process. So judge() works in an arena of its own, and only the
 * verdict's own values come here. What belongs to the catalog and the policy is borrowed from them,
 * as judge.h says; the text too, where it is sent as it came.
 */
#include "judge_private.h"

#include <string.h>

struct keeper {
    struct arena *arena;
    bool failed;
};

static const char *text(struct keeper *keeper, const char *from)
{
    char *copy = from == NULL ? NULL : arena_strdup(keeper->arena, from);
    keeper->failed = keeper->failed || (from != NULL && copy == NULL);
    return copy;
}

static void *bytes(struct keeper *keeper, const void *from, size_t count, size_t size)
{
    void *copy = count == 0 ? NULL : arena_zalloc(keeper->arena, count, size);
    if (copy != NULL)
        memcpy(copy, from, count * size);
    keeper->failed = keeper->failed || (count > 0 && copy == NULL);
    return copy;
}

static const struct verdict_relation *relations(struct keeper *keeper,
                                                const struct verdict_statement *from)
{
    struct verdict_relation *copy =
        bytes(keeper, from->relations, from->relation_count, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < from->relation_count; i++) {
        copy[i].schema = text(keeper, copy[i].schema);
        copy[i].name = text(keeper, copy[i].name);
        copy[i].guard = text(keeper, copy[i].guard);
        struct verdict_column *columns =
            bytes(keeper, copy[i].columns, copy[i].column_count, sizeof(*columns));
        copy[i].columns = columns;
        if (copy[i].relation == NULL ||
            strcmp(copy[i].relation->schema, JUDGE_TEMPORARY_SCHEMA) != 0)
            continue; /* their names are the catalog's */
        copy[i].relation = NULL;
        for (size_t k = 0; columns != NULL && k < copy[i].column_count; k++)
            columns[k].name = text(keeper, columns[k].name);
    }
    return copy;
}

static const struct verdict_named *named(struct keeper *keeper, const struct verdict_named *from,
                                         size_t count)
{
    struct verdict_named *copy = bytes(keeper, from, count, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < count; i++)
        copy[i].text = text(keeper, copy[i].text);
    return copy;
}

static const struct verdict_statement *
statements(struct keeper *keeper, const struct verdict_statement *from, size_t count)
{
    struct verdict_statement *copy = bytes(keeper, from, count, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < count; i++) {
        struct verdict_statement *one = &copy[i];
        const char **values = bytes(keeper, one->values, one->value_count, sizeof(*values));
        for (size_t k = 0; values != NULL && k < one->value_count; k++)
            values[k] = text(keeper, values[k]);
        one->relations = relations(keeper, one);
        one->types = bytes(keeper, one->types, one->type_count, sizeof(*one->types));
        one->tag = text(keeper, one->tag);
        one->setting = text(keeper, one->setting);
        one->target = text(keeper, one->target);
        one->normalized = text(keeper, one->normalized);
        one->values = values;
        one->named = named(keeper, one->named, one->named_count);
        one->arguments = named(keeper, one->arguments, one->argument_count);
    }
    return copy;
}

static const struct verdict_unknown *unknown(struct keeper *keeper, const struct verdict *from)
{
    struct verdict_unknown *copy = bytes(keeper, from->unknown, from->unknown_count, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < from->unknown_count; i++)
        copy[i].name = text(keeper, copy[i].name);
    return copy;
}

enum status judge_keep(const struct judge_request *request, const struct verdict *from,
                       struct arena *arena, struct verdict **verdict)
{
    struct keeper keeper = {.arena = arena};
    struct verdict *copy = bytes(&keeper, from, 1, sizeof(*copy));
    if (copy == NULL)
        return ERR_MEMORY;
    copy->statements = statements(&keeper, from->statements, from->statement_count);
    copy->outline = statements(&keeper, from->outline, from->outline_count);
    copy->sql = from->sql == request->sql ? request->sql : text(&keeper, from->sql);
    copy->edits = bytes(&keeper, from->edits, from->edit_count, sizeof(*from->edits));
    copy->unknown = unknown(&keeper, from);
    copy->constants =
        bytes(&keeper, from->constants, from->constant_count, sizeof(*from->constants));
    if (from->keyed != NULL)
        copy->keyed = bytes(&keeper, from->keyed, from->constant_count, sizeof(*from->keyed));
    copy->pair = text(&keeper, from->pair);
    copy->refusal.sqlstate = text(&keeper, from->refusal.sqlstate);
    copy->refusal.message = text(&keeper, from->refusal.message);
    copy->refusal.hint = text(&keeper, from->refusal.hint);
    copy->refusal.reason = text(&keeper, from->refusal.reason);
    copy->refusal.object = text(&keeper, from->refusal.object);
    if (keeper.failed)
        return ERR_MEMORY;
    *verdict = copy;
    return OK;
}
