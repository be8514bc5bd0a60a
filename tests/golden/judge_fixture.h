/*
 * judge_fixture.h: a policy and a catalog with its guards, from tests/golden/judge/, for tests of
 * judge().
 */
#ifndef PGVIGIL_TESTS_JUDGE_FIXTURE_H
#define PGVIGIL_TESTS_JUDGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef JUDGE_FIXTURE_PLAIN /* the fuzzer has no cmocka */
#include <stdio.h>
#include <stdlib.h>
#define assert_true(what)      ((what) ? (void)0 : abort())
#define assert_non_null(what)  assert_true((what) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#define print_error(...)       (void)fprintf(stderr, __VA_ARGS__)
#else
#include <cmocka.h>
#endif
#include <pgvigil/catalog.h>
#include <pgvigil/guard.h>
#include <pgvigil/judge.h>
#include <pgvigil/policy.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JUDGE_FOLDER TEST_SOURCE_DIR "/tests/golden/judge/"

static struct policy *fixture_policy;
static struct catalog *fixture_catalog;

static void fixture_unescape(char *text)
{
    char *found = strstr(text, "%20");
    if (found != NULL) {
        *found = ' ';
        memmove(found + 1, found + 3, strlen(found + 3) + 1);
    }
}

/* relation OID schema.name kind[+] pk=a,b column[:type]...; + has children */
static void fixture_relation(struct catalog_builder *builder, char *line, bool parent)
{
    struct catalog_column columns[16];
    int16_t key[4];
    struct catalog_relation relation = {.columns = columns, .primary_key = key, .owner = "owner"};
    char *save = NULL;
    (void)strtok_r(line, " \n", &save);
    relation.oid = (uint32_t)strtoul(strtok_r(NULL, " \n", &save), NULL, 10);
    relation.row_type_oid = relation.oid + 100000;
    char *name = strtok_r(NULL, " \n", &save);
    fixture_unescape(name);
    char *dot = strchr(name, '.');
    *dot = '\0';
    relation.schema = name;
    relation.name = dot + 1;
    const char *kind = strtok_r(NULL, " \n", &save);
    relation.kind = kind[0];
    relation.has_children = parent || kind[1] == '+';
    char *keys = strtok_r(NULL, " \n", &save) + 3;
    for (char *at = keys; *at != '\0'; at += *at == ',') {
        key[relation.primary_key_count++] = (int16_t)strtol(at, &at, 10);
    }
    for (char *word = strtok_r(NULL, " \n", &save); word != NULL;
         word = strtok_r(NULL, " \n", &save)) {
        char *type = strchr(word, ':'); /* name:type, or name:OID of a type of the database */
        uint32_t oid = type == NULL ? 25 : 1700;
        if (type != NULL)
            *type++ = '\0';
        if (type != NULL && strspn(type, "0123456789") == strlen(type)) {
            oid = (uint32_t)strtoul(type, NULL, 10);
            type = NULL;
        }
        columns[relation.column_count] =
            (struct catalog_column){.name = word,
                                    .attnum = (int16_t)(relation.column_count + 1),
                                    .type_oid = oid,
                                    .type = type == NULL ? "text" : type,
                                    .base_type = type == NULL ? "text" : type};
        relation.column_count++;
    }
    catalog_add_relation(builder, &relation);
}

/* constraint name unique|shared|exclusion a,b: of the relation above it */
static void fixture_constraint(struct catalog_builder *builder, char *line)
{
    int16_t key[4];
    char *save = NULL;
    (void)strtok_r(line, " \n", &save);
    struct catalog_constraint constraint = {.name = strtok_r(NULL, " \n", &save), .columns = key};
    char kind = strtok_r(NULL, " \n", &save)[0];
    constraint.kind = kind == 'u'   ? CONSTRAINT_UNIQUE
                      : kind == 'e' ? CONSTRAINT_EXCLUSION
                                    : CONSTRAINT_SHARED;
    for (char *at = strtok_r(NULL, " \n", &save); *at != '\0'; at += *at == ',')
        key[constraint.column_count++] = (int16_t)strtol(at, &at, 10);
    catalog_add_constraint(builder, &constraint);
}

static struct catalog_builder *fixture_read(void)
{
    struct catalog_builder *builder = catalog_builder_new();
    FILE *file = fopen(JUDGE_FOLDER "catalog.txt", "r");
    char line[512];
    assert_non_null(builder);
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        char a[128];
        unsigned child = 0;
        unsigned up = 0;
        if (strncmp(line, "relation ", 9) == 0) {
            fixture_relation(builder, line, strstr(line, " p pk=") != NULL);
        } else if (strncmp(line, "constraint ", 11) == 0) {
            fixture_constraint(builder, line);
        } else if (strncmp(line, "sequence ", 9) == 0) {
            struct catalog_sequence sequence = {0};
            int column = 0;
            assert_true(sscanf(line, "sequence %127s %u %d", a, &child, &column) == 3);
            fixture_unescape(a);
            *strchr(a, '.') = '\0';
            sequence = (struct catalog_sequence){.schema = a,
                                                 .name = a + strlen(a) + 1,
                                                 .owner_oid = child,
                                                 .owner_attnum = (int16_t)column};
            catalog_add_sequence(builder, &sequence);
        } else if (sscanf(line, "parent %u %u", &child, &up) == 2) {
            catalog_set_parent(builder, child, up);
        } else if (sscanf(line, "function %127s", a) == 1) {
            *strchr(a, '.') = '\0';
            struct catalog_function function = {.schema = a, .name = a + strlen(a) + 1};
            catalog_add_function(builder, &function);
        } else if (sscanf(line, "volatile %127s", a) == 1) {
            *strchr(a, '.') = '\0';
            struct catalog_function function = {
                .schema = a, .name = a + strlen(a) + 1, .is_volatile = true};
            catalog_add_function(builder, &function);
        } else if (sscanf(line, "type %127s %u %u", a, &child, &up) == 3) {
            *strchr(a, '.') = '\0';
            catalog_add_type(builder, a, a + strlen(a) + 1, child, up);
        } else if (sscanf(line, "operator %127s", a) == 1) {
            catalog_add_operator(builder, a);
        } else if (sscanf(line, "own-operator %127s", a) == 1) {
            catalog_add_typed_operator(builder, a);
        } else if (sscanf(line, "schema %127s", a) == 1) {
            catalog_add_schema(builder, a);
        }
    }
    (void)fclose(file);
    catalog_set_database(builder, "clinic", 150015, fixture_policy->digest);
    return builder;
}

static void fixture_guard(struct catalog_builder *builder, int role, int mission,
                          const struct catalog_relation *relation, enum guard_variant variant)
{
    struct arena *arena = arena_new(0);
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    const char *names[16];
    int16_t attnums[16];
    bool governed = guard_governing(fixture_policy, fixture_catalog, role, mission, relation,
                                    &table, &rule, &as);
    struct catalog_guard guard = {
        .pair = guard_pair_name(fixture_policy, role, mission, arena),
        .view = guard_view_name(relation->schema, relation->name, variant, arena),
        .oid = relation->oid + 10000 + 1000 * (uint32_t)variant,
        .base_oid = relation->oid,
        .variant = variant,
        .columns = names,
        .base_attnums = attnums};
    for (size_t i = 0; i < relation->column_count; i++) {
        if (governed &&
            policy_mask_for(fixture_policy, table, rule, relation->columns[i].name)->kind ==
                MASK_HIDE)
            continue;
        names[guard.column_count] = relation->columns[i].name;
        attnums[guard.column_count++] = relation->columns[i].attnum;
    }
    if (variant == GUARD_SUBJECT) {
        names[guard.column_count] = GUARD_SUBJECT_COLUMN;
        attnums[guard.column_count++] = 0;
        governed = governed && table->subject != NULL;
    }
    bool deployed = governed || (relation->kind == 'v' && variant == GUARD_PLAIN);
    if (deployed && strcmp(relation->name, "undeployed") != 0 &&
        strcmp(relation->schema, "information_schema") != 0)
        catalog_add_guard(builder, &guard);
    arena_free(arena);
}

/* The catalog is read twice: guards need the relations' lookups. */
static int fixture_setup(void **state)
{
    struct policy_errors errors;
    (void)state;
    if (policy_load(JUDGE_FOLDER "policy.cfg", &fixture_policy, &errors) != OK) {
        for (size_t i = 0; i < errors.count; i++)
            print_error("%s:%u: %s\n", errors.errors[i].place.file, errors.errors[i].place.line,
                        errors.errors[i].message);
        return -1;
    }
    policy_errors_free(&errors);
    assert_int_equal(catalog_finish(fixture_read(), &fixture_catalog), OK);
    struct catalog_builder *builder = fixture_read();
    int nurse = policy_find_role(fixture_policy, "nurse");
    int clerk = policy_find_role(fixture_policy, "clerk");
    int analyst = policy_find_role(fixture_policy, "analyst");
    int doctor = policy_find_role(fixture_policy, "doctor");
    const int doctors[] = {0, policy_find_mission(fixture_policy, "groups"),
                           policy_find_mission(fixture_policy, "exact"),
                           policy_find_mission(fixture_policy, "stats")};
    for (size_t i = 0; i < fixture_catalog->relation_count; i++) {
        fixture_guard(builder, analyst, 0, &fixture_catalog->relations[i], GUARD_PLAIN);
        for (size_t k = 0; k < sizeof(doctors) / sizeof(doctors[0]); k++) {
            fixture_guard(builder, doctor, doctors[k], &fixture_catalog->relations[i], GUARD_PLAIN);
            fixture_guard(builder, doctor, doctors[k], &fixture_catalog->relations[i],
                          GUARD_SUBJECT);
        }
        for (int mission = 0; mission < 3; mission++) {
            const struct catalog_relation *relation = &fixture_catalog->relations[i];
            fixture_guard(builder, nurse, mission, relation, GUARD_PLAIN);
            if (relation->has_children)
                fixture_guard(builder, nurse, mission, relation, GUARD_ONLY);
        }
        int writing = policy_find_mission(fixture_policy, "writing");
        fixture_guard(builder, clerk, writing, &fixture_catalog->relations[i], GUARD_PLAIN);
        if (fixture_catalog->relations[i].has_children)
            fixture_guard(builder, clerk, writing, &fixture_catalog->relations[i], GUARD_ONLY);
    }
    struct catalog *whole = NULL;
    assert_int_equal(catalog_finish(builder, &whole), OK);
    catalog_unref(fixture_catalog);
    fixture_catalog = whole;
    return 0;
}

__attribute__((unused)) static int fixture_teardown(void **state)
{
    (void)state;
    catalog_unref(fixture_catalog);
    policy_unref(fixture_policy);
    return 0;
}

/* Who asks. */
struct fixture_session {
    char role[32];
    char mission[32];
    const char *path[4];
    size_t path_count;
    bool patient; /* pgvigil.patient is set */
    bool extended;
    bool temporary; /* it has made some, below */
    bool constants; /* wants to know which may be others */
};

static const struct catalog_column fixture_mine[] = {
    {.name = "id", .attnum = 1},
    {.name = "Name", .attnum = 2},
    {.name = "twice", .attnum = 3, .generated = true}};
static const struct catalog_relation fixture_temporary[] = {
    {.schema = "pg_temp",
     .name = "mine",
     .kind = 'r',
     .columns = fixture_mine,
     .column_count = 3,
     .parent = -1},
    {.schema = "pg_temp",
     .name = "patients",
     .kind = 'r',
     .columns = fixture_mine,
     .column_count = 1,
     .parent = -1},
    {.schema = "pg_temp", .name = "mine_idx", .kind = 'i', .parent = -1}};

/* What the session has prepared begins with a q, and writes when it begins with a Q. */
__attribute__((unused)) static const char *fixture_prepared(void *context, const char *name,
                                                            bool *writes)
{
    (void)context;
    *writes = name[0] == 'Q';
    return name[0] == 'q' || name[0] == 'Q' ? "pgv_00112233445566778899aabbccddeeff" : NULL;
}

__attribute__((unused)) static enum status fixture_judge(const struct fixture_session *session,
                                                         const char *sql, size_t len,
                                                         struct arena *arena,
                                                         struct verdict **verdict)
{
    static const char *const settings[] = {"patient"};
    const struct judge_request request = {
        .policy = fixture_policy,
        .catalog = fixture_catalog,
        .user =
            policy_find_user(fixture_policy, strcmp(session->role, "dba") == 0 ? "dba1" : "nurse1"),
        .role = policy_find_role(fixture_policy, session->role),
        .mission = policy_find_mission(fixture_policy, session->mission),
        .path = session->path,
        .path_count = session->path_count,
        .session_settings = settings,
        .session_setting_count = session->patient ? 1 : 0,
        .sql = sql,
        .len = len,
        .extended = session->extended,
        .temporary = fixture_temporary,
        .temporary_count = session->temporary ? 3 : 0,
        .prepared = fixture_prepared,
        .wants_constants = session->constants,
    };
    return judge(&request, arena, verdict);
}

/* `# role mission [patient] [extended] [temporary] [path=a,b]` */
__attribute__((unused)) static void fixture_read_session(struct fixture_session *session,
                                                         char *line)
{
    static char paths[4][32];
    char *save = NULL;
    *session = (struct fixture_session){.path = {"public"}, .path_count = 1};
    char *word = strtok_r(line + 1, " \n", &save);
    assert_non_null(word);
    (void)snprintf(session->role, sizeof(session->role), "%s", word);
    word = strtok_r(NULL, " \n", &save);
    assert_non_null(word);
    (void)snprintf(session->mission, sizeof(session->mission), "%s", word);
    while ((word = strtok_r(NULL, " \n", &save)) != NULL) {
        session->patient = session->patient || strcmp(word, "patient") == 0;
        session->extended = session->extended || strcmp(word, "extended") == 0;
        session->temporary = session->temporary || strcmp(word, "temporary") == 0;
        if (strncmp(word, "path=", 5) != 0)
            continue;
        session->path_count = 0;
        char *rest = NULL;
        for (char *part = strtok_r(word + 5, ",", &rest); part != NULL;
             part = strtok_r(NULL, ",", &rest)) {
            (void)snprintf(paths[session->path_count], sizeof(paths[0]), "%s", part);
            session->path[session->path_count] = paths[session->path_count];
            session->path_count++;
        }
    }
}

struct fixture_run {
    int (*main)(void);
    int result;
};

static void *fixture_thread(void *argument)
{
    struct fixture_run *run = argument;
    run->result = run->main();
    return NULL;
}

/* Tests run on a thread with the stack that judge() asks for. */
__attribute__((unused)) static int fixture_main(int (*main_function)(void))
{
    struct fixture_run run = {.main = main_function};
    pthread_attr_t attributes;
    pthread_t thread;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, JUDGE_STACK_BYTES);
    if (pthread_create(&thread, &attributes, fixture_thread, &run) != 0)
        return 1;
    (void)pthread_join(thread, NULL);
    (void)pthread_attr_destroy(&attributes);
    return run.result;
}

#endif
