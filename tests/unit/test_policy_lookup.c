/*
 * Lookups of a loaded policy: which entry and rule govern a relation, what they make of a column,
 * and the digest that names a generation. Each "allowed" stands beside its "denied".
 */
#include <pgvigil/buf.h>
#include <pgvigil/policy.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum status load_text(const char *text, struct policy **policy, char *messages, size_t size)
{
    char path[] = "/tmp/pgvigil-policy-XXXXXX";
    struct policy_errors errors = {0};
    struct buf out;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    write_text(path, text);
    enum status status = policy_load(path, policy, &errors);
    buf_init(&out, 0);
    policy_errors_print(&errors, &out);
    buf_byte(&out, '\0');
    if (messages != NULL)
        (void)snprintf(messages, size, "%s", (const char *)out.data);
    else if (status != OK)
        print_error("%s", (const char *)out.data);
    buf_free(&out);
    policy_errors_free(&errors);
    assert_int_equal(unlink(path), 0);
    return status;
}

static struct policy *load(const char *text)
{
    struct policy *policy = NULL;
    assert_int_equal(load_text(text, &policy, NULL, 0), OK);
    return policy;
}

#define SECRET                                                                                     \
    "SCRAM-SHA-256$4096:0kgqt5d6Nbb9GV1Vhwxvsw==$D6rx0Gb6n2RsyH0NCnkkT2xJpEDc1Hc2P5Bqqzq1Cb4="     \
    ":5JtXFdvKzdGdvAYZ8yuvV5kKVIkGVc8Wkp7cRvXyW3M="

static const char clinic[] =
    "tables = (\n"
    "  { name = \"public.patients\"; subject = \"id\"; columns = {\n"
    "      admin = [ \"id\" ]; identifier = [ \"nir\", \"name\" ]; contact = [ \"phone\" ]; }; },\n"
    "  { name = \"ehr.*\"; except = [ \"ehr.tmp_*\" ]; columns = { admin = [ \"id\" ]; };\n"
    "    columns_like = ( { match = \"*_nir\"; category = \"identifier\"; },\n"
    "                     { match = \"x_*\"; category = \"medical\"; } ); },\n"
    "  { name = \"e?r.double\"; }, { name = \"*.double\"; }\n"
    ");\n"
    "masks = { initial = \"left(:col, 1)\"; };\n"
    "attributes = ( { name = \"rpps\"; type = \"text\"; }, { name = \"wards\"; type = \"int[]\"; } "
    ");\n"
    "missions = ( { name = \"care\"; }, { name = \"billing\"; max_rows = 5000000000L; } );\n"
    "roles = ( { name = \"nurse\"; missions = [ \"care\" ]; },\n"
    "          { name = \"clerk\"; missions = [ \"billing\", \"care\" ]; default = \"billing\"; "
    "},\n"
    "          { name = \"free\"; missions = [ \"billing\", \"care\" ]; } );\n"
    "filters = { own = \"ward = ANY(:user.wards)\"; };\n"
    "rules = (\n"
    "  { roles = [ \"nurse\", \"clerk\" ]; missions = [ \"care\" ]; tables = [ \"public.patients\" "
    "];\n"
    "    filter = \"own\"; columns = { admin = \"show\"; identifier = \"initial\"; nir = "
    "\"null\";\n"
    "      contact = \"show\"; }; insert = [ \"phone\" ]; update = [ \"contact\", \"id\" ]; delete "
    "= true; },\n"
    "  { roles = [ \"nurse\" ]; missions = [ \"care\" ]; tables = [ \"ehr.*\" ];\n"
    "    columns = { identifier = \"pseudonym\"; }; },\n"
    "  { roles = [ \"nurse\" ]; missions = [ \"care\" ]; tables = [ \"e?r.tw*\" ];\n"
    "    columns = { identifier = \"pseudonym\"; }; },\n"
    "  { roles = [ \"nurse\" ]; missions = [ \"care\" ]; tables = [ \"ehr.twice\" ];\n"
    "    columns = { identifier = \"show\"; medical = \"show\"; }; }\n"
    ");\n"
    "functions = ( { name = \"app.f\"; roles = [ \"nurse\" ]; missions = [ \"care\" ]; }, { name = "
    "\"app.g\"; } );\n"
    "users = (\n"
    "  { name = \"Ann O'Nurse\"; auth = \"cert+scram\"; secret = \"" SECRET "\";\n"
    "    certificate_cn = \"ann.example\"; roles = [ \"nurse\", \"clerk\" ];\n"
    "    attributes = { rpps = 10000000017L; wards = [ 1, 2 ]; }; },\n"
    "  { name = \"none\"; auth = \"cert\"; certificate_cn = \"none.example\"; roles = [ \"clerk\" "
    "];\n"
    "    attributes = { wards = [ ]; rpps = \"a\\\"b\\\\c\"; }; }\n"
    ");\n";

static void find_known_names_gives_indexes(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    int nurse = policy_find_role(policy, "nurse");
    int care = policy_find_mission(policy, "care");
    int billing = policy_find_mission(policy, "billing");
    assert_int_equal(nurse, 0);
    assert_int_equal(policy_find_role(policy, "Nurse"), -1);
    assert_int_equal(policy_find_mission(policy, ""), -1);
    assert_true(policy_role_has_mission(policy, nurse, care));
    assert_false(policy_role_has_mission(policy, nurse, billing));
    assert_false(policy_role_has_mission(policy, -1, care));
    assert_false(policy_role_has_mission(policy, 99, care));
    assert_int_equal(policy->roles[0].default_mission, care); /* the only one */
    assert_int_equal(policy->roles[1].default_mission, billing);
    assert_int_equal(policy->roles[2].default_mission, -1);
    assert_true(policy->missions[billing].max_rows == 5000000000U);
    policy_unref(policy);
}

static void find_user_by_name(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    const struct policy_user *user = policy_find_user(policy, "Ann O'Nurse");
    assert_non_null(user);
    assert_string_equal(user->certificate_cn, "ann.example");
    assert_null(policy_find_user(policy, "ann o'nurse"));
    assert_int_equal(user->auth, AUTH_CERT_AND_SCRAM);
    assert_string_equal(user->secret, SECRET);
    assert_int_equal(user->attribute_count, 2);
    assert_string_equal(user->attributes[0].setting, "10000000017");
    assert_false(user->attributes[0].is_list);
    assert_string_equal(user->attributes[1].setting, "{\"1\",\"2\"}");
    assert_true(user->attributes[1].is_list);
    user = policy_find_user(policy, "none");
    assert_null(user->secret);
    assert_string_equal(user->attributes[0].setting, "{}");
    assert_string_equal(user->attributes[1].setting, "a\"b\\c");
    policy_unref(policy);
}

static void table_exact_beats_pattern(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    const struct policy_table *table = policy_table_for(policy, "public", "patients");
    assert_non_null(table);
    assert_false(table->pattern);
    assert_null(policy_table_for(policy, "public", "Patients"));
    assert_null(policy_table_for(policy, "public", "patient"));
    table = policy_table_for(policy, "ehr", "visits");
    assert_non_null(table);
    assert_true(table->pattern);
    assert_null(policy_table_for(policy, "ehr", "tmp_visits"));   /* excepted */
    assert_null(policy_table_for(policy, "ehr.x", "visits"));     /* * does not cross the dot */
    assert_null(policy_table_for(policy, "ehr", "double"));       /* two patterns: closed */
    assert_non_null(policy_table_for(policy, "other", "double")); /* one */
    policy_unref(policy);
}

static void rule_for_pair_and_relation(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    int nurse = policy_find_role(policy, "nurse");
    int clerk = policy_find_role(policy, "clerk");
    int care = policy_find_mission(policy, "care");
    int billing = policy_find_mission(policy, "billing");
    const struct policy_rule *rule = policy_rule_for(policy, nurse, care, "public", "patients");
    assert_ptr_equal(rule, &policy->rules[0]);
    assert_string_equal(rule->filter_name, "own");
    assert_string_equal(rule->rows, "ward = ANY(:user.wards)");
    assert_ptr_equal(policy_rule_for(policy, clerk, care, "public", "patients"), rule);
    assert_null(policy_rule_for(policy, clerk, billing, "public", "patients"));
    assert_null(policy_rule_for(policy, nurse, billing, "public", "patients"));
    assert_null(policy_rule_for(policy, -1, care, "public", "patients"));
    assert_null(policy_rule_for(policy, 77, care, "public", "patients"));
    assert_null(policy_rule_for(policy, nurse, 77, "public", "patients"));
    assert_null(policy_rule_for(policy, nurse, care, "PUBLIC", "patients"));
    assert_null(policy_rule_for(policy, nurse, care, "ehr.x", "visits"));
    assert_ptr_equal(policy_rule_for(policy, nurse, care, "ehr", "visits"), &policy->rules[1]);
    assert_null(policy_rule_for(policy, clerk, care, "ehr", "visits"));
    assert_ptr_equal(policy_rule_for(policy, nurse, care, "ehr", "twice"), &policy->rules[3]);
    assert_null(policy_rule_for(policy, nurse, care, "ehr", "two")); /* two patterns: closed */
    policy_unref(policy);
}

static void ambiguous_relation_tells_both_patterns(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    struct arena *arena = arena_new(0);
    const char *why = NULL;
    assert_true(policy_is_ambiguous(policy, -1, -1, "ehr", "double", arena, &why));
    assert_non_null(strstr(why, "e?r.double"));
    assert_false(policy_is_ambiguous(policy, -1, -1, "ehr", "visits", arena, &why));
    assert_null(why);
    assert_false(policy_is_ambiguous(policy, -1, -1, "nowhere", "x", arena, &why));
    assert_true(policy_is_ambiguous(policy, 0, 0, "ehr", "two", arena, &why));
    assert_non_null(strstr(why, "nurse/care"));
    assert_false(policy_is_ambiguous(policy, 0, 0, "ehr", "twice", arena, &why));
    assert_false(policy_is_ambiguous(policy, 1, 0, "ehr", "two", arena, &why));
    assert_false(policy_is_ambiguous(policy, 9, 9, "ehr", "two", arena, &why));
    arena_free(arena);
    policy_unref(policy);
}

static enum policy_mask_kind mask_of(const struct policy *policy, const char *schema,
                                     const char *name, const char *column)
{
    const struct policy_rule *rule = policy_rule_for(policy, 0, 0, schema, name);
    const struct policy_table *table = policy_table_for(policy, schema, name);
    assert_non_null(rule);
    assert_non_null(table);
    return policy_mask_for(policy, table, rule, column)->kind;
}

static void mask_of_column_beats_its_category(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    assert_int_equal(mask_of(policy, "public", "patients", "id"), MASK_SHOW);
    assert_int_equal(mask_of(policy, "public", "patients", "name"), MASK_EXPRESSION);
    assert_int_equal(mask_of(policy, "public", "patients", "nir"), MASK_NULL);
    assert_int_equal(mask_of(policy, "public", "patients", "secret"), MASK_HIDE);
    assert_int_equal(mask_of(policy, "public", "patients", "admin"), MASK_HIDE);
    assert_int_equal(mask_of(policy, "ehr", "visits", "patient_nir"), MASK_PSEUDONYM);
    assert_int_equal(mask_of(policy, "ehr", "visits", "nir"), MASK_HIDE);
    assert_int_equal(mask_of(policy, "ehr", "visits", "id"), MASK_HIDE);
    assert_int_equal(mask_of(policy, "ehr", "twice", "x_a"), MASK_SHOW);
    assert_int_equal(mask_of(policy, "ehr", "twice", "x_nir"),
                     MASK_HIDE); /* two categories claim it */
    policy_unref(policy);
}

/* A pattern's columns are not known at load: one that bears a category's name is not that category.
 */
static void mask_of_column_named_like_a_category_is_not_its_mask(void **state)
{
    (void)state;
    struct policy *policy = load(
        "tables = ( { name = \"ehr.*\"; columns_like = ( { match = \"m*\"; category = \"medical\"; "
        "},\n"
        "  { match = \"a*\"; category = \"admin\"; } ); } );\n"
        "missions = ( { name = \"care\"; } ); roles = ( { name = \"r\"; missions = [ \"care\" ]; } "
        ");\n"
        "rules = ( { roles = [ \"r\" ]; missions = [ \"care\" ]; tables = [ \"ehr.x\" ];\n"
        "  columns = { admin = \"show\"; medical = \"null\"; }; insert = [ \"admin\" ]; } );\n");
    assert_int_equal(mask_of(policy, "ehr", "x", "admin"), MASK_SHOW); /* by its own category */
    assert_int_equal(mask_of(policy, "ehr", "x", "medical"), MASK_NULL);
    policy_unref(policy);
    policy =
        load("tables = ( { name = \"ehr.*\"; columns_like = ( { match = \"med*\"; category = "
             "\"admin\"; },\n"
             "  { match = \"x*\"; category = \"medical\"; } ); } );\n"
             "missions = ( { name = \"care\"; } ); roles = ( { name = \"r\"; missions = [ \"care\" "
             "]; } );\n"
             "rules = ( { roles = [ \"r\" ]; missions = [ \"care\" ]; tables = [ \"ehr.x\" ];\n"
             "  columns = { medical = \"show\"; }; update = [ \"medical\" ]; } );\n");
    assert_int_equal(mask_of(policy, "ehr", "x", "xray"), MASK_SHOW);
    assert_int_equal(mask_of(policy, "ehr", "x", "medical"), MASK_HIDE); /* it is in admin */
    assert_true(policy_may_update(&policy->tables[0], &policy->rules[0], "xray"));
    assert_false(policy_may_update(&policy->tables[0], &policy->rules[0], "medical"));
    policy_unref(policy);
}

static void write_only_listed_and_shown_columns(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    const struct policy_rule *rule = &policy->rules[0];
    const struct policy_table *table = &policy->tables[0];
    assert_true(policy_may_insert(table, rule, "phone"));
    assert_false(policy_may_insert(table, rule, "id"));
    assert_true(policy_may_update(table, rule, "phone"));
    assert_true(policy_may_update(table, rule, "id"));
    assert_false(policy_may_update(table, rule, "nir"));
    assert_false(policy_may_update(table, rule, "unknown"));
    assert_false(policy_may_update(table, rule, "contact"));
    assert_true(rule->delete_rows);
    assert_false(policy->rules[1].delete_rows);
    policy_unref(policy);
}

/* Load refuses such rules; were one to come through, nothing could be written all the same. */
static void write_masked_column_is_refused(void **state)
{
    (void)state;
    static const char *const columns[] = {"phone"};
    static const char *const written[] = {"contact"};
    static const struct policy_category category = {
        .name = "contact", .columns = columns, .column_count = 1};
    static const struct policy_table table = {
        .schema = "s", .name = "t", .categories = &category, .category_count = 1};
    struct policy_column_rule column = {.name = "contact", .mask = MASK_SHOW};
    struct policy_rule rule = {.columns = &column,
                               .column_count = 1,
                               .insert = written,
                               .insert_count = 1,
                               .update = written,
                               .update_count = 1};
    assert_true(policy_may_insert(&table, &rule, "phone"));
    assert_true(policy_may_update(&table, &rule, "phone"));
    for (uint32_t mask = 0; mask < 9; mask++) {
        column.mask = mask;
        assert_int_equal(policy_may_insert(&table, &rule, "phone"), mask == MASK_SHOW);
        assert_int_equal(policy_may_update(&table, &rule, "phone"), mask == MASK_SHOW);
    }
    rule.column_count = 0;
    assert_false(policy_may_insert(&table, &rule, "phone"));
}

static void rule_for_mission_that_the_role_lacks_is_none(void **state)
{
    (void)state;
    struct policy *policy = load("tables = ( { name = \"a.x\"; columns = { c = [ \"p\" ]; }; } );"
                                 "missions = ( { name = \"m\"; }, { name = \"n\"; } );"
                                 "roles = ( { name = \"r\"; missions = [ \"m\" ]; }, { name = "
                                 "\"q\"; missions = [ \"m\", \"n\" ]; } );"
                                 "rules = ( { roles = [ \"r\", \"q\" ]; missions = [ \"m\", \"n\" "
                                 "]; tables = [ \"a.x\", \"a.x*\" ];"
                                 "  columns = { c = \"show\"; }; } );");
    assert_non_null(policy_rule_for(policy, 0, 0, "a", "x"));
    assert_null(policy_rule_for(policy, 0, 1, "a", "x"));
    assert_non_null(policy_rule_for(policy, 1, 1, "a", "x"));
    assert_non_null(policy_rule_for(policy, 1, 1, "a", "xy"));
    assert_null(policy_rule_for(policy, 0, 1, "a", "xy"));
    policy_unref(policy);
}

/* An element cannot end its quotes, and so not the literal. */
static void user_list_elements_are_escaped(void **state)
{
    (void)state;
    struct policy *policy = load(
        "attributes = ( { name = \"units\"; type = \"text[]\"; } );"
        "missions = ( { name = \"m\"; } ); roles = ( { name = \"r\"; missions = [ \"m\" ]; } );"
        "users = ( { name = \"u\"; auth = \"cert\"; certificate_cn = \"u\"; roles = [ \"r\" ];"
        "  attributes = { units = [ \"a,b\", \"}\", \"NULL\", \"\", \"q\\\"x\", \"back\\\\\" ]; }; "
        "} );");
    assert_string_equal(policy->users[0].attributes[0].setting,
                        "{\"a,b\",\"}\",\"NULL\",\"\",\"q\\\"x\",\"back\\\\\"}");
    policy_unref(policy);
}

static void function_allowed_for_its_pairs(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    assert_true(policy_function_allowed(policy, 0, 0, "app", "f"));
    assert_false(policy_function_allowed(policy, 1, 0, "app", "f"));
    assert_false(policy_function_allowed(policy, 0, 1, "app", "f"));
    assert_true(policy_function_allowed(policy, 1, 1, "app", "g"));
    assert_false(policy_function_allowed(policy, 1, 1, "app", "h"));
    assert_false(policy_function_allowed(policy, 1, 1, "public", "g"));
    assert_false(policy_function_allowed(policy, -1, 0, "app", "g"));
    policy_unref(policy);
}

static void digest_ignores_form_and_order(void **state)
{
    (void)state;
    static const char one[] =
        "tables = ( { name = \"a.x\"; columns = { c = [ \"p\", \"q\" ]; d = [ \"r\" ]; }; }, { "
        "name = \"a.y\"; } );\n"
        "missions = ( { name = \"m\"; }, { name = \"n\"; title = \"N\"; } );\n"
        "roles = ( { name = \"r\"; missions = [ \"m\", \"n\" ]; } );\n"
        "rules = ( { roles = [ \"r\" ]; missions = [ \"m\" ]; tables = [ \"a.x\" ]; columns = { c "
        "= \"show\"; d = \"null\"; }; },\n"
        "          { roles = [ \"r\" ]; missions = [ \"n\" ]; tables = [ \"a.x\" ]; columns = { c "
        "= \"show\"; }; } );\n";
    static const char two[] =
        "# the same\nusers = ( { name = \"u\"; auth = \"cert\"; certificate_cn = \"u\"; roles = [ "
        "\"r\" ]; } );\n"
        "rules = ( { columns = { c = \"show\"; }; roles = [ \"r\" ]; tables = [ \"a.x\" ]; "
        "missions = [ \"n\" ]; },\n"
        "  { roles = [ \"r\" ]; missions = [ \"m\" ]; tables = [ \"a.x\" ]; columns = { d = "
        "\"null\"; c = \"show\"; };\n"
        "    delete = false; insert = [ ]; } );\n"
        "roles = ( { default = \"n\"; name = \"r\"; missions = [ \"n\", \"m\" ]; } );\n"
        "missions = ( { name = \"n\"; max_rows = 3; }, { name = \"m\"; purpose = \"TREAT\"; } );\n"
        "tables = ( { name = \"a.y\"; }, { columns = { d = [ \"r\" ]; c = [ \"q\", \"p\" ]; }; "
        "name = \"a.x\"; } );\n";
    struct policy *first = load(one);
    struct policy *second = load(two);
    assert_string_equal(first->digest, second->digest);
    assert_int_equal(strlen(first->digest), 32);
    assert_int_equal(strlen(first->generation), 8);
    assert_memory_equal(first->generation, first->digest, 8);
    policy_unref(first);
    policy_unref(second);
}

/* Each change of what may be seen is another generation. */
static void digest_changes_with_every_meaning(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"\"phone\" ]; }; }", "\"phone\", \"fax\" ]; }; }"},
        {"subject = \"id\"", "subject = \"name\""},
        {"ehr.tmp_*", "ehr.tm_*"},
        {"left(:col, 1)", "left(:col, 2)"},
        {"\"text\"", "\"varchar\""},
        {"ANY(:user.wards)", "ALL(:user.wards)"},
        {"nir = \\\"null\\\"", ""},
        {"contact = [", "kontakt = ["},
        {"match = \"*_nir\"", "match = \"*nir\""},
        {"delete = true", "delete = false"},
        {"insert = [ \"phone\" ]", "insert = [ ]"},
        {"update = [ \"contact\", \"id\" ]", "update = [ \"contact\" ]"},
        {"missions = [ \"care\" ]; tables = [ \"ehr.twice\" ]",
         "missions = [ \"care\" ]; tables = [ \"ehr.thrice\" ]"},
        {"{ name = \"app.g\"; }", "{ name = \"app.h\"; }"},
        {"{ name = \"free\";", "{ name = \"freed\";"},
        {"identifier = \"initial\"", "identifier = \"hide\""},
    };
    struct policy *before = load(clinic);
    size_t tried = 0;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const char *at = strstr(clinic, changes[i][0]);
        if (at == NULL)
            continue;
        char text[8192];
        char messages[2048];
        struct policy *after = NULL;
        (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - clinic), clinic, changes[i][1],
                       at + strlen(changes[i][0]));
        if (load_text(text, &after, messages, sizeof(messages)) != OK)
            continue; /* a change that other parts do not follow */
        if (strcmp(before->digest, after->digest) == 0)
            print_error("the same after %s\n", changes[i][1]);
        assert_string_not_equal(before->digest, after->digest);
        policy_unref(after);
        tried++;
    }
    assert_true(tried >= 13);
    policy_unref(before);
}

static void *share(void *argument)
{
    struct policy *policy = argument;
    for (int i = 0; i < 1000; i++) {
        assert_non_null(policy_find_user(policy_ref(policy), "none"));
        policy_unref(policy);
    }
    policy_unref(policy);
    return NULL;
}

static void reference_last_one_frees(void **state)
{
    (void)state;
    struct policy *policy = load(clinic);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, share, policy_ref(policy)), 0);
    policy_unref(policy);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    policy_unref(NULL);
}

struct deep {
    const char *text;
    enum status status;
    char messages[512];
};

static void *load_deep(void *argument)
{
    struct deep *deep = argument;
    struct policy *policy = NULL;
    deep->status = load_text(deep->text, &policy, deep->messages, sizeof(deep->messages));
    policy_unref(policy);
    return NULL;
}

/* Deep expressions are bounded, on the stack that judge.h asks for and well below it. */
static void expression_depth_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        const char *last;
        size_t count;
        enum status status;
    } cases[] = {
        {"1+", "1 = 1", 1900, OK},      {"1+", "1 = 1", 2500, ERR_INVALID},
        {"- ", "1 = 1", 3900, OK},      {"- ", "1 = 1", 9000, ERR_INVALID},
        {"NOT ", "true", 3900, OK},     {"(", "true", 3000, ERR_INVALID},
        {"true OR ", "true", 1900, OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf text;
        buf_init(&text, 0);
        buf_str(&text, "filters = { f = \"");
        pthread_attr_t attributes;
        pthread_t thread;
        for (size_t k = 0; k < cases[i].count; k++)
            buf_str(&text, cases[i].unit);
        buf_str(&text, cases[i].last);
        buf_cstr(&text, "\"; };\n");
        struct deep deep = {.text = (const char *)text.data};
        assert_int_equal(pthread_attr_init(&attributes), 0);
        assert_int_equal(pthread_attr_setstacksize(&attributes, (size_t)64 << 20), 0);
        assert_int_equal(pthread_create(&thread, &attributes, load_deep, &deep), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(pthread_attr_destroy(&attributes), 0);
        if (deep.status != cases[i].status)
            print_error("%zu times %s: %s", cases[i].count, cases[i].unit, deep.messages);
        assert_int_equal(deep.status, cases[i].status);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_known_names_gives_indexes),
        cmocka_unit_test(find_user_by_name),
        cmocka_unit_test(table_exact_beats_pattern),
        cmocka_unit_test(rule_for_pair_and_relation),
        cmocka_unit_test(ambiguous_relation_tells_both_patterns),
        cmocka_unit_test(mask_of_column_beats_its_category),
        cmocka_unit_test(mask_of_column_named_like_a_category_is_not_its_mask),
        cmocka_unit_test(write_only_listed_and_shown_columns),
        cmocka_unit_test(write_masked_column_is_refused),
        cmocka_unit_test(rule_for_mission_that_the_role_lacks_is_none),
        cmocka_unit_test(user_list_elements_are_escaped),
        cmocka_unit_test(function_allowed_for_its_pairs),
        cmocka_unit_test(digest_ignores_form_and_order),
        cmocka_unit_test(digest_changes_with_every_meaning),
        cmocka_unit_test(reference_last_one_frees),
        cmocka_unit_test(expression_depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
