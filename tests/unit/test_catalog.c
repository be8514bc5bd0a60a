/*
 * test_catalog.c: the snapshot's builder and lookups.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pgvigil/catalog.h>
#include <string.h>

static void add_relation(struct catalog_builder *builder, uint32_t oid, const char *schema,
                         const char *name, char kind)
{
    char column_name[] = "id";
    struct catalog_column columns[] = {
        {.name = column_name,
         .attnum = 1,
         .type_oid = 23,
         .type = "integer",
         .base_type = "integer"},
        {.name = "name", .attnum = 3, .type_oid = 25, .type = "text", .base_type = "text"},
    };
    int16_t key[] = {1};
    struct catalog_relation relation = {
        .oid = oid,
        .schema = schema,
        .name = name,
        .kind = kind,
        .columns = columns,
        .column_count = 2,
        .primary_key = key,
        .primary_key_count = 1,
        .owner = "owner",
    };
    catalog_add_relation(builder, &relation);
    /* The builder must have copied: what the caller had may change. */
    column_name[0] = 'x';
}

static struct catalog *sample(void)
{
    struct catalog_builder *builder = catalog_builder_new();
    assert_non_null(builder);
    add_relation(builder, 100, "public", "patients", 'r');
    add_relation(builder, 101, "ehr", "patients", 'r');
    add_relation(builder, 1259, "pg_catalog", "pg_class", 'r');
    add_relation(builder, 102, "public", "pg_class", 'r');
    add_relation(builder, 110, "public", "obs", 'p');
    add_relation(builder, 111, "public", "obs_2024", 'r');
    add_relation(builder, 112, "public", "both", 'r');
    catalog_set_parent(builder, 111, 110);
    catalog_set_parent(builder, 112, 110);
    catalog_set_parent(builder, 112, 100);
    const char *const names[] = {"id"};
    const int16_t attnums[] = {1};
    struct catalog_guard guard = {.pair = "pgvigil:nurse/care@00000000",
                                  .view = "public.patients",
                                  .oid = 900,
                                  .base_oid = 100,
                                  .columns = names,
                                  .base_attnums = attnums,
                                  .column_count = 1};
    catalog_add_guard(builder, &guard);
    guard.oid = 901;
    guard.variant = GUARD_ONLY;
    guard.view = "public.patients!only";
    catalog_add_guard(builder, &guard);
    struct catalog_function function = {.schema = "public", .name = "bmi"};
    catalog_add_function(builder, &function);
    function.security_definer = true;
    catalog_add_function(builder, &function);
    function = (struct catalog_function){.schema = "public", .name = "next", .is_volatile = true};
    catalog_add_function(builder, &function);
    function.is_volatile = false;
    catalog_add_function(builder, &function);
    catalog_add_type(builder, "public", "nir", 70001, 70001);
    catalog_add_operator(builder, "===");
    catalog_add_operator(builder, "===");
    catalog_add_schema(builder, "public");
    catalog_set_database(builder, "clinic", 150020, "0123456789abcdef0123456789abcdef");
    struct catalog *catalog = NULL;
    assert_int_equal(catalog_finish(builder, &catalog), OK);
    assert_non_null(catalog);
    return catalog;
}

static void catalog_find_known_and_unknown_names(void **state)
{
    (void)state;
    struct catalog *catalog = sample();
    const struct catalog_relation *relation = catalog_find(catalog, "public", "patients");
    assert_non_null(relation);
    assert_int_equal(relation->oid, 100);
    assert_string_equal(relation->columns[0].name, "id");
    assert_ptr_equal(relation, catalog_find_oid(catalog, 100));
    assert_null(catalog_find(catalog, "public", "Patients"));
    assert_null(catalog_find(catalog, "public", ""));
    assert_null(catalog_find(catalog, "", "public.patients"));
    assert_null(catalog_find_oid(catalog, 0));
    assert_non_null(catalog_column(relation, "name"));
    assert_null(catalog_column(relation, "ctid"));
    char name[1000];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_null(catalog_find(catalog, "public", name));
    catalog_unref(catalog);
}

static void catalog_resolve_follows_the_path_with_pg_catalog_first(void **state)
{
    (void)state;
    struct catalog *catalog = sample();
    const char *const path[] = {"ehr", "public"};
    assert_int_equal(catalog_resolve(catalog, path, 2, "patients")->oid, 101);
    assert_int_equal(catalog_resolve(catalog, path + 1, 1, "patients")->oid, 100);
    assert_int_equal(catalog_resolve(catalog, path, 2, "pg_class")->oid, 1259);
    const char *const last[] = {"public", "pg_catalog"};
    assert_int_equal(catalog_resolve(catalog, last, 2, "pg_class")->oid, 102);
    assert_null(catalog_resolve(catalog, path, 0, "patients"));
    assert_null(catalog_resolve(catalog, path, 1, "obs"));
    catalog_unref(catalog);
}

static void catalog_parent_of_one_is_known_of_two_is_not(void **state)
{
    (void)state;
    struct catalog *catalog = sample();
    const struct catalog_relation *child = catalog_find(catalog, "public", "obs_2024");
    assert_true(child->parent >= 0);
    assert_string_equal(catalog->relations[child->parent].name, "obs");
    assert_true(catalog->relations[child->parent].has_children);
    assert_false(child->has_children);
    assert_int_equal(catalog_find(catalog, "public", "both")->parent, -1);
    assert_true(catalog_find(catalog, "public", "patients")->has_children);
    assert_int_equal(catalog_find(catalog, "public", "patients")->parent, -1);
    catalog_unref(catalog);
}

static void catalog_guards_are_found_by_pair_base_and_variant(void **state)
{
    (void)state;
    struct catalog *catalog = sample();
    const char *pair = "pgvigil:nurse/care@00000000";
    assert_int_equal(catalog_guard_for(catalog, pair, 100, false)->oid, 900);
    assert_int_equal(catalog_guard_for(catalog, pair, 100, true)->oid, 901);
    assert_null(catalog_guard_for(catalog, pair, 101, false));
    assert_null(catalog_guard_for(catalog, "pgvigil:nurse/care@00000001", 100, false));
    assert_string_equal(catalog_guard_oid(catalog, 901)->view, "public.patients!only");
    assert_null(catalog_guard_oid(catalog, 100));
    catalog_unref(catalog);
}

static void catalog_functions_types_operators_only_known_ones(void **state)
{
    (void)state;
    struct catalog *catalog = sample();
    const char *const path[] = {"ehr", "public"};
    assert_non_null(catalog_function_on_path(catalog, path, 2, "bmi"));
    assert_null(catalog_function_on_path(catalog, path, 1, "bmi"));
    assert_null(catalog_function_on_path(catalog, path, 2, "lower"));
    /* One overload with its owner's rights marks the name. */
    assert_true(catalog_function_find(catalog, "public", "bmi")->security_definer);
    assert_false(catalog_function_find(catalog, "public", "bmi")->is_volatile);
    assert_true(catalog_function_find(catalog, "public", "next")->is_volatile);
    assert_true(catalog_has_type(catalog, "public", "nir"));
    assert_false(catalog_has_type(catalog, "ehr", "nir"));
    assert_true(catalog_has_operator(catalog, "==="));
    assert_false(catalog_has_operator(catalog, "="));
    assert_int_equal(catalog->operator_count, 1);
    assert_string_equal(catalog->generation_digest, "0123456789abcdef0123456789abcdef");
    catalog_unref(catalog);
}

static void catalog_references_keep_it_alive(void **state)
{
    (void)state;
    struct catalog *first = sample();
    struct catalog *second = sample();
    assert_true(second->id > first->id);
    struct catalog *kept = catalog_ref(first);
    catalog_unref(first);
    assert_non_null(catalog_find(kept, "public", "patients"));
    catalog_unref(kept);
    catalog_unref(second);
    catalog_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(catalog_find_known_and_unknown_names),
        cmocka_unit_test(catalog_resolve_follows_the_path_with_pg_catalog_first),
        cmocka_unit_test(catalog_parent_of_one_is_known_of_two_is_not),
        cmocka_unit_test(catalog_guards_are_found_by_pair_base_and_variant),
        cmocka_unit_test(catalog_functions_types_operators_only_known_ones),
        cmocka_unit_test(catalog_references_keep_it_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
