/*
 * test_guard.c: names of guards, which rule governs, and what guards' texts say.
 *
 * Texts are compared with files in tests/golden/guard/; whether they mean what they should is
 * tested against PostgreSQL (tests/e2e/test_deploy.py). PGVIGIL_WRITE_GOLDEN=1 writes the files
 * anew, to be read before they are committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pgvigil/guard.h>
#include <pgvigil/judge.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN TEST_SOURCE_DIR "/tests/golden/guard/"

static struct policy *policy;
static struct catalog *catalog;
static struct arena *arena;

static void add(struct catalog_builder *builder, uint32_t oid, const char *name, char kind,
                const char *columns, const char *definition)
{
    struct catalog_column list[16];
    char text[256];
    char *save = NULL;
    struct catalog_relation relation = {.oid = oid,
                                        .schema = "public",
                                        .name = name,
                                        .kind = kind,
                                        .columns = list,
                                        .owner = "clinic",
                                        .definition = definition};
    (void)snprintf(text, sizeof(text), "%s", columns);
    for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        char *colon = strchr(word, ':');
        *colon = '\0';
        list[relation.column_count] =
            (struct catalog_column){.name = word,
                                    .attnum = (int16_t)(relation.column_count + 1),
                                    .type_oid = 25,
                                    .type = colon + 1,
                                    .base_type = colon + 1};
        relation.column_count++;
    }
    catalog_add_relation(builder, &relation);
}

static int setup(void **state)
{
    (void)state;
    struct policy_errors errors = {0};
    enum status status = policy_load(GOLDEN "policy.cfg", &policy, &errors);
    for (size_t i = 0; i < errors.count; i++) {
        print_message("%s:%u: %s\n", errors.errors[i].place.file, errors.errors[i].place.line,
                      errors.errors[i].message);
    }
    policy_errors_free(&errors);
    assert_int_equal(status, OK);
    struct catalog_builder *builder = catalog_builder_new();
    add(builder, 1, "patients", 'r',
        "id:bigint ward:integer nir:text name:text born:date token:uuid later:text", NULL);
    add(builder, 2, "stays", 'r', "id:bigint patient_id:bigint ward:integer", NULL);
    add(builder, 3, "labs", 'r', "id:bigint stay_id:bigint value:text", NULL);
    add(builder, 4, "obs", 'p', "id:bigint patient_id:bigint", NULL);
    add(builder, 5, "obs_2024", 'r', "patient_id:bigint id:bigint", NULL);
    add(builder, 6, "obs_other", 'r', "id:bigint patient_id:bigint", NULL);
    add(builder, 7, "secret", 'r', "id:bigint", NULL);
    catalog_set_parent(builder, 5, 4);
    catalog_set_parent(builder, 6, 4);
    add(builder, 20, "joined", 'v', "pid:bigint nir:text name:text stay:bigint",
        " SELECT p.id AS pid,\n    p.nir,\n    upper(p.name) AS name,\n    s.id AS stay\n   FROM "
        "(public.patients p\n"
        "     JOIN public.stays s ON ((s.patient_id = p.id)))\n  WHERE (p.name <> ''::text);");
    add(builder, 21, "bare", 'v', "id:bigint n:text",
        " SELECT patients.id,\n    (patients.nir || 'x'::text) AS n\n   FROM public.patients\n  "
        "ORDER BY patients.id;");
    add(builder, 22, "over", 'v', "n:text", " SELECT bare.n\n   FROM public.bare;");
    add(builder, 23, "filtered", 'v', "id:bigint",
        " SELECT patients.id FROM public.patients WHERE (patients.nir = '1'::text);");
    add(builder, 24, "ordered", 'v', "id:bigint",
        " SELECT patients.id FROM public.patients ORDER BY patients.nir;");
    add(builder, 25, "grouped", 'v', "n:bigint",
        " SELECT count(*) AS n FROM public.patients GROUP BY patients.nir;");
    add(builder, 26, "distincted", 'v', "nir:text id:bigint",
        " SELECT DISTINCT patients.nir, patients.id FROM public.patients;");
    add(builder, 27, "closed", 'v', "id:bigint", " SELECT secret.id FROM public.secret;");
    add(builder, 28, "whole", 'v', "p:text",
        " SELECT p.*::public.patients AS p FROM public.patients p;");
    add(builder, 29, "called", 'v', "x:text",
        " SELECT public.leak(patients.name) AS x FROM public.patients;");
    add(builder, 30, "asked", 'v', "x:text",
        " SELECT current_setting('a'::text) AS x FROM public.patients;");
    add(builder, 31, "me", 'v', "id:bigint",
        " SELECT patients.id FROM public.patients WHERE (patients.name = CURRENT_USER);");
    add(builder, 32, "custom", 'v', "id:bigint",
        " SELECT patients.id FROM public.patients WHERE (patients.name OPERATOR(public.===) "
        "''::text);");
    add(builder, 33, "using_hidden", 'v', "id:bigint",
        " SELECT p.id FROM (public.patients p JOIN public.patients q USING (nir));");
    add(builder, 34, "lateral_sub", 'v', "id:bigint",
        " SELECT p.id FROM public.patients p, LATERAL ( SELECT s.id FROM public.stays s) x;");
    add(builder, 35, "in_exists", 'v', "id:bigint",
        " SELECT p.id FROM public.patients p WHERE (EXISTS ( SELECT 1 FROM public.stays s WHERE "
        "(s.patient_id = p.id)));");
    add(builder, 36, "in_exists_hidden", 'v', "id:bigint",
        " SELECT p.id FROM public.patients p WHERE (EXISTS ( SELECT 1 FROM public.stays s WHERE "
        "(p.nir = ''::text)));");
    add(builder, 37, "mat", 'm', "id:bigint", " SELECT patients.id FROM public.patients;");
    add(builder, 38, "nested", 'v', "pid:bigint id:bigint nir:text",
        " SELECT j.pid, s.id, p.nir FROM ((public.joined j JOIN public.stays s ON ((s.id = "
        "j.stay)))"
        " LEFT JOIN public.patients p ON ((p.id = j.pid))) LIMIT 5;");
    add(builder, 39, "part", 'v', "id:bigint", " SELECT o.id FROM public.obs_2024 o;");
    add(builder, 40, "counted", 'v', "n:bigint", " SELECT count(*) AS n FROM public.stays;");
    add(builder, 41, "ranked", 'v', "n:bigint",
        " SELECT rank() OVER (ORDER BY stays.id) AS n FROM public.stays;");
    add(builder, 42, "distinct_ids", 'v', "id:bigint",
        " SELECT DISTINCT stays.id FROM public.stays;");
    add(builder, 43, "over_counted", 'v', "n:bigint", " SELECT counted.n FROM public.counted;");
    add(builder, 45, "runs_sql", 'v', "id:bigint x:text",
        " SELECT p.id, (query_to_xml('SELECT 1'::text, true, false, ''::text))::text AS x FROM "
        "public.patients p;");
    add(builder, 47, "chain0", 'v', "id:bigint", " SELECT p.id FROM public.patients p;");
    for (uint32_t i = 1; i < 16; i++) {
        char name[20];
        char definition[160];
        (void)snprintf(name, sizeof(name), "chain%u", i);
        (void)snprintf(definition, sizeof(definition),
                       " SELECT a.id FROM (public.chain%u a JOIN public.chain%u b ON ((a.id = "
                       "b.id)));",
                       i - 1, i - 1);
        add(builder, 47 + i, name, 'v', "id:bigint", definition);
    }
    add(builder, 44, "of_one", 'v', "id:bigint",
        " SELECT obs.id FROM ONLY public.obs WHERE (obs.id > 0);");
    assert_int_equal(catalog_finish(builder, &catalog), OK);
    arena = arena_new(0);
    return arena == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    catalog_unref(catalog);
    policy_unref(policy);
    return 0;
}

static enum status define(const char *name, enum guard_variant variant, const char **sql,
                          const char **why)
{
    const char *const *columns = NULL;
    size_t count = 0;
    return guard_definition(policy, catalog, 0, 0, catalog_find(catalog, "public", name), variant,
                            arena, sql, &columns, &count, why);
}

static void golden(const char *file, const char *made)
{
    char path[512];
    char *text = arena_strdup(arena, made);
    assert_non_null(text);
    /* The generation is a hash over the whole policy. */
    for (char *at = strstr(text, policy->generation); at != NULL;
         at = strstr(at, policy->generation)) {
        memset(at, 'x', 8);
    }
    (void)snprintf(path, sizeof(path), GOLDEN "%s", file);
    if (getenv("PGVIGIL_WRITE_GOLDEN") != NULL) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        (void)fprintf(out, "%s\n", text);
        (void)fclose(out);
    }
    static char known[16384];
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    size_t len = fread(known, 1, sizeof(known) - 1, in);
    (void)fclose(in);
    known[len] = '\0';
    if (len > 0 && known[len - 1] == '\n') {
        known[len - 1] = '\0';
    }
    assert_string_equal(text, known);
}

static void defines(const char *name, enum guard_variant variant, const char *file)
{
    const char *sql = NULL;
    const char *why = NULL;
    enum status status = define(name, variant, &sql, &why);
    if (status != OK) {
        print_message("%s: %s\n", name, why == NULL ? "closed" : why);
    }
    assert_int_equal(status, OK);
    golden(file, sql);
}

static void refuses(const char *name, const char *word)
{
    const char *sql = NULL;
    const char *why = NULL;
    assert_int_equal(define(name, GUARD_PLAIN, &sql, &why), ERR_INVALID);
    assert_null(sql);
    if (strstr(why, word) == NULL) {
        print_message("%s: %s\n", name, why);
    }
    assert_non_null(strstr(why, word));
}

static void pair_name_of_any_length_fits_and_differs(void **state)
{
    (void)state;
    const char *plain = guard_pair_name(policy, 0, 0, arena);
    char expected[80];
    (void)snprintf(expected, sizeof(expected), "pgvigil:nurse/care@%s", policy->generation);
    assert_string_equal(plain, expected);
    const char *one = guard_pair_name(policy, 1, 0, arena);
    const char *other = guard_pair_name(policy, 2, 0, arena);
    assert_true(strlen(one) <= 63 && strlen(other) <= 63);
    assert_string_not_equal(one, other);
    assert_int_equal(strncmp(one, "pgvigil:", 8), 0);
}

static void view_name_that_could_be_anothers_is_hashed(void **state)
{
    (void)state;
    assert_string_equal(guard_view_name("public", "patients", false, arena), "public.patients");
    assert_string_equal(guard_view_name("public", "patients", true, arena), "public.patients!only");
    assert_string_not_equal(guard_view_name("a.b", "c", false, arena),
                            guard_view_name("a", "b.c", false, arena));
    assert_string_not_equal(guard_view_name("a", "b!only", false, arena),
                            guard_view_name("a", "b", true, arena));
    char name[64];
    memset(name, 'x', 63);
    name[63] = '\0';
    const char *one = guard_view_name("public", name, false, arena);
    name[62] = 'y';
    assert_string_not_equal(one, guard_view_name("public", name, false, arena));
    assert_true(strlen(one) <= 63);
    /* No half of a UTF-8 character at the cut. */
    const char *wide = guard_view_name("public", "éééééééééééééééééééééééééééééééé", false, arena);
    assert_true(strlen(wide) <= 63);
    const char *tilde = strchr(wide, '~');
    assert_non_null(tilde);
    assert_int_equal((tilde - wide - 7) % 2, 0);
}

static void governing_child_follows_its_parent_unless_a_rule_names_it(void **state)
{
    (void)state;
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    /* "public.obs_*" matches both partitions, but the parent has a rule with a filter. */
    assert_true(guard_governing(policy, catalog, 0, 0, catalog_find(catalog, "public", "obs_other"),
                                &table, &rule, &as));
    assert_string_equal(as->name, "obs");
    assert_non_null(rule->rows);
    /* Named itself, it has its own. */
    assert_true(guard_governing(policy, catalog, 0, 0, catalog_find(catalog, "public", "obs_2024"),
                                &table, &rule, &as));
    assert_string_equal(as->name, "obs_2024");
    assert_false(guard_governing(policy, catalog, 0, 0, catalog_find(catalog, "public", "secret"),
                                 &table, &rule, &as));
    assert_null(rule);
}

static void definition_of_a_table_shows_masks_and_filters(void **state)
{
    (void)state;
    defines("patients", GUARD_PLAIN, "patients.sql");
    defines("stays", GUARD_PLAIN, "stays.sql");
    defines("labs", GUARD_PLAIN, "labs.sql");
    defines("obs", GUARD_ONLY, "obs_only.sql");
    defines("obs_other", GUARD_PLAIN, "obs_other.sql");
}

static void definition_of_a_column_added_later_is_not_there(void **state)
{
    (void)state;
    const char *sql = NULL;
    const char *why = NULL;
    assert_int_equal(define("patients", GUARD_PLAIN, &sql, &why), OK);
    assert_null(strstr(sql, "later"));
}

static void definition_of_a_view_is_expanded_over_guards(void **state)
{
    (void)state;
    defines("joined", GUARD_PLAIN, "joined.sql");
    defines("bare", GUARD_PLAIN, "bare.sql");
    defines("in_exists", GUARD_PLAIN, "in_exists.sql");
}

/* Of a view without a rule: all that its row is made of. */
static void definition_of_a_view_tells_whose_a_row_is(void **state)
{
    (void)state;
    defines("joined", GUARD_SUBJECT, "joined_subject.sql");
    defines("bare", GUARD_SUBJECT, "bare_subject.sql");
    defines("nested", GUARD_SUBJECT, "nested_subject.sql");
    defines("part", GUARD_SUBJECT, "part_subject.sql");
    static const char *const untold[] = {"in_exists", "counted",      "ranked", "distinct_ids",
                                         "grouped",   "over_counted", "of_one", "closed"};
    for (size_t i = 0; i < sizeof(untold) / sizeof(untold[0]); i++) {
        const char *sql = NULL;
        const char *why = NULL;
        assert_int_equal(define(untold[i], GUARD_SUBJECT, &sql, &why), DENIED);
        assert_null(sql);
    }
}

static void definition_of_a_view_by_something_hidden_is_refused_by_name(void **state)
{
    (void)state;
    refuses("filtered", "\"nir\"");
    refuses("ordered", "\"nir\"");
    refuses("grouped", "\"nir\"");
    refuses("distincted", "\"nir\"");
    refuses("using_hidden", "\"nir\"");
    refuses("in_exists_hidden", "\"nir\"");
    refuses("whole", "whole row");
    refuses("called", "public.leak");
    refuses("runs_sql", "query_to_xml");
    refuses("asked", "current_setting");
    refuses("me", "current_user");
    refuses("custom", "operator");
    refuses("lateral_sub", "FROM");
}

static void definition_of_what_has_no_rule_is_denied(void **state)
{
    (void)state;
    const char *sql = NULL;
    const char *why = NULL;
    assert_int_equal(define("secret", GUARD_PLAIN, &sql, &why), DENIED);
    assert_int_equal(define("closed", GUARD_PLAIN, &sql, &why), DENIED);
    assert_int_equal(define("mat", GUARD_PLAIN, &sql, &why), DENIED);
    /* Its only column is computed from a hidden one. */
    assert_int_equal(define("over", GUARD_PLAIN, &sql, &why), DENIED);
    assert_null(sql);
}

/* Each of them once: read twice by each that stands on it, they would be 65,536. */
static void definition_of_views_over_views_takes_no_time(void **state)
{
    (void)state;
    const char *sql = NULL;
    const char *why = NULL;
    assert_int_equal(define("chain15", GUARD_PLAIN, &sql, &why), OK);
    assert_int_equal(define("chain15", GUARD_SUBJECT, &sql, &why), OK);
    assert_non_null(strstr(sql, "AS \"pgvigil subjects\", a.id FROM"));
}

static void definition_of_a_view_with_a_cast_by_a_function_is_refused(void **state)
{
    (void)state;
    struct catalog_relation cast = *catalog_find(catalog, "public", "joined");
    const char *sql = NULL;
    const char *why = NULL;
    const char *const *columns = NULL;
    size_t count = 0;
    cast.function_count = 1; /* nothing of the text shows it */
    assert_int_equal(guard_definition(policy, catalog, 0, 0, &cast, GUARD_PLAIN, arena, &sql,
                                      &columns, &count, &why),
                     ERR_INVALID);
    assert_non_null(strstr(why, "cast"));
    assert_int_equal(guard_definition(policy, catalog, 0, 0, &cast, GUARD_SUBJECT, arena, &sql,
                                      &columns, &count, &why),
                     DENIED);
}

/* Its rows would be cut. */
static void definition_of_what_is_called_like_a_subject_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"bare", "patients"};
    for (size_t i = 0; i < 2; i++) {
        struct catalog_relation odd = *catalog_find(catalog, "public", names[i]);
        struct catalog_column columns[16];
        const char *sql = NULL;
        const char *why = NULL;
        const char *const *shown = NULL;
        size_t count = 0;
        memcpy(columns, odd.columns, odd.column_count * sizeof(columns[0]));
        columns[0].name = "pgvigil subject 1";
        odd.columns = columns;
        enum status status = guard_definition(policy, catalog, 0, 0, &odd, GUARD_PLAIN, arena, &sql,
                                              &shown, &count, &why);
        /* What the rule does not show is not in the guard. */
        assert_int_equal(status, i == 0 ? ERR_INVALID : OK);
        assert_true(i == 0 ? strstr(why, "begins with") != NULL : strstr(sql, "subject") == NULL);
    }
}

/* The roles other, capture and bare stand for slips that must stop a deploy. */
static void definition_that_would_change_its_meaning_is_refused(void **state)
{
    (void)state;
    struct guard_plan plan;
    assert_int_equal(guard_plan_make(policy, catalog, "owner", "login", arena, &plan), OK);
    size_t capture = 0;
    size_t narrow = 0;
    for (size_t i = 0; i < plan.finding_count; i++) {
        if (plan.findings[i].error) {
            capture += strstr(plan.findings[i].message, "hides the table") != NULL ? 1 : 0;
            narrow +=
                strstr(plan.findings[i].message, "needs text, uuid or bigint") != NULL ? 1 : 0;
        }
    }
    assert_int_equal(plan.error_count, 2);
    assert_int_equal(capture, 1);
    assert_int_equal(narrow, 1);
}

static void plan_is_the_same_each_time(void **state)
{
    (void)state;
    struct guard_plan one;
    struct guard_plan two;
    assert_int_equal(guard_plan_make(policy, catalog, "owner", "login", arena, &one), OK);
    assert_int_equal(guard_plan_make(policy, catalog, "owner", "login", arena, &two), OK);
    assert_int_equal(one.view_count, two.view_count);
    assert_true(one.view_count > 8);
    for (size_t i = 0; i < one.view_count; i++) {
        assert_string_equal(one.views[i].hash, two.views[i].hash);
    }
    assert_string_equal(one.catalog_hash, two.catalog_hash);
    /* What is read stands before what reads it. */
    size_t bare = 0;
    size_t patients = 0;
    for (size_t i = 0; i < one.view_count && one.views[i].role == 0; i++) {
        bare = strcmp(one.views[i].relation->name, "bare") == 0 ? i : bare;
        patients = strcmp(one.views[i].relation->name, "patients") == 0 ? i : patients;
    }
    assert_true(patients < bare);
}

static void catalog_access_is_closed_unless_listed(void **state)
{
    (void)state;
    assert_int_equal(guard_catalog_access("pg_catalog", "pg_class"), CATALOG_GUARDED);
    assert_int_equal(guard_catalog_access("pg_catalog", "pg_am"), CATALOG_OPEN);
    assert_int_equal(guard_catalog_access("public", "pg_am"), CATALOG_CLOSED);
    static const char *const closed[] = {"pg_authid",           "pg_shadow",
                                         "pg_statistic",        "pg_stats",
                                         "pg_stat_activity",    "pg_locks",
                                         "pg_cursors",          "pg_prepared_statements",
                                         "pg_largeobject",      "pg_replication_slots",
                                         "pg_user_mapping",     "pg_hba_file_rules",
                                         "pg_stat_user_tables", "pg_statistic_ext_data",
                                         "pg_file_settings"};
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        assert_int_equal(guard_catalog_access("pg_catalog", closed[i]), CATALOG_CLOSED);
    }
    assert_int_equal(guard_catalog_access("information_schema", "view_column_usage"),
                     CATALOG_CLOSED);
    assert_true(guard_catalog_function("current_user"));
    assert_false(guard_catalog_function("lower"));
}

/* libpg_query needs room. */
static void *run(void *result)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair_name_of_any_length_fits_and_differs),
        cmocka_unit_test(view_name_that_could_be_anothers_is_hashed),
        cmocka_unit_test(governing_child_follows_its_parent_unless_a_rule_names_it),
        cmocka_unit_test(definition_of_a_table_shows_masks_and_filters),
        cmocka_unit_test(definition_of_a_column_added_later_is_not_there),
        cmocka_unit_test(definition_of_a_view_is_expanded_over_guards),
        cmocka_unit_test(definition_of_a_view_tells_whose_a_row_is),
        cmocka_unit_test(definition_of_views_over_views_takes_no_time),
        cmocka_unit_test(definition_of_a_view_with_a_cast_by_a_function_is_refused),
        cmocka_unit_test(definition_of_what_is_called_like_a_subject_is_refused),
        cmocka_unit_test(definition_of_a_view_by_something_hidden_is_refused_by_name),
        cmocka_unit_test(definition_of_what_has_no_rule_is_denied),
        cmocka_unit_test(definition_that_would_change_its_meaning_is_refused),
        cmocka_unit_test(plan_is_the_same_each_time),
        cmocka_unit_test(catalog_access_is_closed_unless_listed),
    };
    *(int *)result = cmocka_run_group_tests(tests, setup, teardown);
    return NULL;
}

int main(void)
{
    int failed = 1;
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstacksize(&attributes, JUDGE_STACK_BYTES) != 0 ||
        pthread_create(&thread, &attributes, run, &failed) != 0) {
        return 1;
    }
    (void)pthread_join(thread, NULL);
    return failed;
}
