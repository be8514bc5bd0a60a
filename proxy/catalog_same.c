/*
 * catalog_same.c: comparing snapshots (see catalog_same.h). Both come from the same loader, in the
 * same order; a difference in order counts as a difference, which costs a new judgement and nothing
 * else.
 */
#include "proxy/catalog_same.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_texts(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!same_text(a[i], b[i]))
            return false;
    return true;
}

static bool same_column(const struct catalog_column *a, const struct catalog_column *b)
{
    return a->attnum == b->attnum && a->type_oid == b->type_oid && a->not_null == b->not_null &&
           a->has_default == b->has_default && a->generated == b->generated &&
           a->identity == b->identity && same_text(a->name, b->name) &&
           same_text(a->type, b->type) && same_text(a->base_type, b->base_type);
}

static bool same_relation(const struct catalog_relation *a, const struct catalog_relation *b)
{
    if (a->oid != b->oid || a->row_type_oid != b->row_type_oid || a->kind != b->kind ||
        a->parent != b->parent || a->partition != b->partition ||
        a->has_children != b->has_children || a->column_count != b->column_count ||
        a->primary_key_count != b->primary_key_count || !same_text(a->schema, b->schema) ||
        !same_text(a->name, b->name) || !same_text(a->owner, b->owner) ||
        !same_text(a->definition, b->definition))
        return false;
    for (size_t i = 0; i < a->primary_key_count; i++)
        if (a->primary_key[i] != b->primary_key[i])
            return false;
    for (size_t i = 0; i < a->column_count; i++)
        if (!same_column(&a->columns[i], &b->columns[i]))
            return false;
    return true;
}

static bool same_guard(const struct catalog_guard *a, const struct catalog_guard *b)
{
    return a->oid == b->oid && a->row_type_oid == b->row_type_oid && a->base_oid == b->base_oid &&
           a->only == b->only && same_text(a->pair, b->pair) && same_text(a->view, b->view) &&
           same_texts(a->columns, a->column_count, b->columns, b->column_count) &&
           (a->column_count == 0 || memcmp(a->base_attnums, b->base_attnums,
                                           a->column_count * sizeof *a->base_attnums) == 0);
}

bool catalog_same(const struct catalog *a, const struct catalog *b)
{
    if (a->relation_count != b->relation_count || a->guard_count != b->guard_count ||
        a->function_count != b->function_count || a->server_version != b->server_version ||
        !same_text(a->database, b->database) ||
        !same_text(a->generation_digest, b->generation_digest) ||
        !same_texts(a->types, a->type_count, b->types, b->type_count) ||
        !same_texts(a->operators, a->operator_count, b->operators, b->operator_count) ||
        !same_texts(a->schemas, a->schema_count, b->schemas, b->schema_count))
        return false;
    for (size_t i = 0; i < a->relation_count; i++)
        if (!same_relation(&a->relations[i], &b->relations[i]))
            return false;
    for (size_t i = 0; i < a->guard_count; i++)
        if (!same_guard(&a->guards[i], &b->guards[i]))
            return false;
    for (size_t i = 0; i < a->function_count; i++)
        if (a->functions[i].security_definer != b->functions[i].security_definer ||
            !same_text(a->functions[i].schema, b->functions[i].schema) ||
            !same_text(a->functions[i].name, b->functions[i].name))
            return false;
    return true;
}
