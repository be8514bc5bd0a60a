/*
 * catalog_equal.c: are two readings of a database the same (see catalog_load.h)?
 *
 * Purpose: a reading that found nothing new makes no new world. What is compared is all that
 * judging or planning looks at: a difference that is missed would leave the old catalog in force.
 */
#include "proxy/catalog_load.h"

#include <pgvigil/text.h>
#include <string.h>

static bool same_names(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++) {
        same = strcmp(a[i], b[i]) == 0;
    }
    return same;
}

static bool same_oids(const uint32_t *a, const uint32_t *b, size_t count)
{
    return count == 0 || memcmp(a, b, count * sizeof(*a)) == 0;
}

static bool same_columns(const struct catalog_relation *a, const struct catalog_relation *b)
{
    bool same = a->column_count == b->column_count;
    for (size_t i = 0; same && i < a->column_count; i++) {
        const struct catalog_column *x = &a->columns[i];
        const struct catalog_column *y = &b->columns[i];
        same = strcmp(x->name, y->name) == 0 && x->attnum == y->attnum &&
               x->type_oid == y->type_oid && strcmp(x->type, y->type) == 0 &&
               strcmp(x->base_type, y->base_type) == 0 && x->not_null == y->not_null &&
               x->has_default == y->has_default && x->generated == y->generated &&
               x->identity == y->identity && x->operand == y->operand &&
               x->castable == y->castable &&
               text_same(x->default_expression, y->default_expression);
    }
    return same;
}

static bool same_constraints(const struct catalog_relation *a, const struct catalog_relation *b)
{
    bool same = a->constraint_count == b->constraint_count;
    for (size_t i = 0; same && i < a->constraint_count; i++) {
        const struct catalog_constraint *x = &a->constraints[i];
        const struct catalog_constraint *y = &b->constraints[i];
        same = strcmp(x->name, y->name) == 0 && x->kind == y->kind &&
               x->column_count == y->column_count &&
               memcmp(x->columns, y->columns, x->column_count * sizeof(*x->columns)) == 0;
    }
    return same;
}

static bool same_relation(const struct catalog_relation *a, const struct catalog_relation *b)
{
    return a->oid == b->oid && a->row_type_oid == b->row_type_oid &&
           a->row_array_oid == b->row_array_oid && strcmp(a->schema, b->schema) == 0 &&
           strcmp(a->name, b->name) == 0 && a->kind == b->kind && a->parent == b->parent &&
           a->partition == b->partition && a->has_children == b->has_children &&
           a->update_trigger == b->update_trigger && a->function_count == b->function_count &&
           strcmp(a->owner, b->owner) == 0 && text_same(a->definition, b->definition) &&
           a->primary_key_count == b->primary_key_count &&
           memcmp(a->primary_key, b->primary_key, a->primary_key_count * sizeof(*a->primary_key)) ==
               0 &&
           same_constraints(a, b) && same_columns(a, b);
}

static bool same_guard(const struct catalog_guard *a, const struct catalog_guard *b)
{
    return strcmp(a->pair, b->pair) == 0 && strcmp(a->view, b->view) == 0 && a->oid == b->oid &&
           a->row_type_oid == b->row_type_oid && a->row_array_oid == b->row_array_oid &&
           a->base_oid == b->base_oid && a->variant == b->variant &&
           same_names(a->columns, a->column_count, b->columns, b->column_count) &&
           memcmp(a->base_attnums, b->base_attnums, a->column_count * sizeof(*a->base_attnums)) ==
               0;
}

static bool same_callables(const struct catalog *a, const struct catalog *b)
{
    bool same = a->callable_count == b->callable_count;
    for (size_t i = 0; same && i < a->callable_count; i++) {
        const struct catalog_callable *x = &a->callables[i];
        const struct catalog_callable *y = &b->callables[i];
        same = x->oid == y->oid && x->type_count == y->type_count &&
               strcmp(x->name, y->name) == 0 && strcmp(x->schema, y->schema) == 0 &&
               same_oids(x->types, y->types, x->type_count);
    }
    return same;
}

bool catalog_load_equal(const struct catalog *a, const struct catalog *b)
{
    bool same = a->relation_count == b->relation_count && a->guard_count == b->guard_count &&
                a->stale_count == b->stale_count && text_same(a->stale, b->stale) &&
                a->function_count == b->function_count && a->sequence_count == b->sequence_count &&
                same_callables(a, b) && a->server_version == b->server_version &&
                a->casts == b->casts && strcmp(a->database, b->database) == 0 &&
                strcmp(a->generation_digest, b->generation_digest) == 0 &&
                same_names(a->types, a->type_count, b->types, b->type_count) &&
                same_oids(a->type_oids, b->type_oids, a->type_count) &&
                same_oids(a->type_roots, b->type_roots, a->type_count) &&
                same_names(a->operators, a->operator_count, b->operators, b->operator_count) &&
                same_names(a->typed_operators, a->typed_operator_count, b->typed_operators,
                           b->typed_operator_count) &&
                same_names(a->schemas, a->schema_count, b->schemas, b->schema_count);
    for (size_t i = 0; same && i < a->relation_count; i++) {
        same = same_relation(&a->relations[i], &b->relations[i]);
    }
    for (size_t i = 0; same && i < a->guard_count; i++) {
        same = same_guard(&a->guards[i], &b->guards[i]);
    }
    for (size_t i = 0; same && i < a->sequence_count; i++) {
        same = strcmp(a->sequences[i].schema, b->sequences[i].schema) == 0 &&
               strcmp(a->sequences[i].name, b->sequences[i].name) == 0 &&
               a->sequences[i].owner_oid == b->sequences[i].owner_oid &&
               a->sequences[i].owner_attnum == b->sequences[i].owner_attnum;
    }
    for (size_t i = 0; same && i < a->function_count; i++) {
        same = strcmp(a->functions[i].schema, b->functions[i].schema) == 0 &&
               strcmp(a->functions[i].name, b->functions[i].name) == 0 &&
               a->functions[i].security_definer == b->functions[i].security_definer &&
               a->functions[i].aggregate == b->functions[i].aggregate &&
               a->functions[i].is_volatile == b->functions[i].is_volatile;
    }
    return same;
}
