/*
 * test_observe.c: what enforcing would do, foretold: hidden columns by every way to name them, what
 * `*` would lose, what is masked and filtered, and that nothing makes observing fail.
 *
 * nurse in care over public.patients: nir and preferences are hidden, family_name is masked, rows
 * are filtered.
 */
#include "tests/golden/judge_fixture.h"

#include <pgvigil/observe.h>

static struct observer *observer;

static int setup(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    return observer_new(fixture_policy, fixture_catalog, &observer) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    observer_free(observer);
    return fixture_teardown(state);
}

static struct observation look_as(const char *role, const char *mission, const char *sql,
                                  struct arena *arena)
{
    static const char *const path[] = {"public"};
    struct judge_request request = {
        .policy = fixture_policy,
        .user = policy_find_user(fixture_policy, "nurse1"),
        .role = policy_find_role(fixture_policy, role),
        .mission = mission == NULL ? -1 : policy_find_mission(fixture_policy, mission),
        .path = path,
        .path_count = 1,
        .sql = sql,
        .len = strlen(sql)};
    struct observation seen;
    observe(observer, &request, arena, &seen);
    return seen;
}

static struct observation look(const char *sql, struct arena *arena)
{
    return look_as("nurse", "care", sql, arena);
}

static bool in_list(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static void hidden_column_is_foretold(void **state)
{
    static const char *const missed[] = {
        "SELECT nir FROM patients",
        "SELECT p.nir FROM patients p",
        "SELECT public.patients.nir FROM patients",
        "SELECT (p).nir FROM patients p",
        "SELECT (p.*).nir FROM patients p",
        "SELECT *, nir FROM patients",
        "SELECT p.*, p.nir FROM patients p",
        "SELECT x.nir FROM (SELECT * FROM patients) x",
        "SELECT x.nir FROM (SELECT p.*, count(*) OVER () FROM patients p) x",
        "WITH x AS (SELECT * FROM patients) SELECT id FROM x WHERE nir IS NULL",
        "SELECT a.id FROM patients a JOIN patients b USING (nir)",
        "SELECT id FROM patients ORDER BY nir",
        "SELECT id AS nir FROM patients ORDER BY nir || 'x', patients.nir",
        "SELECT count(*) FROM patients GROUP BY nir",
        "SELECT id FROM patients p WHERE EXISTS (SELECT 1 WHERE p.nir = '1')",
        "SELECT id FROM stays s WHERE (SELECT nir FROM patients p WHERE p.id = s.id) = '1'",
        "SELECT max(nir) FILTER (WHERE nir > '2') FROM patients",
        "SELECT 1; SELECT nir FROM patients",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(missed) / sizeof(missed[0]); i++) {
        struct arena *arena = arena_new(0);
        struct observation seen = look(missed[i], arena);
        if (seen.allowed || strcmp(seen.object, "public.patients.nir") != 0)
            print_error("%s: %s\n", missed[i], seen.allowed ? "allowed" : seen.object);
        assert_false(seen.allowed);
        assert_string_equal(seen.sqlstate, "42703");
        assert_string_equal(seen.reason, "column");
        assert_string_equal(seen.object, "public.patients.nir");
        assert_non_null(strstr(seen.hint, "policy.cfg:"));
        arena_free(arena);
    }
}

/* The twins: the same forms, where nothing hidden is named; or where PostgreSQL finds another
 * column of that name. */
static void what_is_there_is_not_missed(void **state)
{
    static const char *const fine[] = {
        "SELECT phone FROM patients",
        "SELECT (p).phone FROM patients p",
        "SELECT (p.*).phone FROM patients p",
        "SELECT *, phone FROM patients",
        "SELECT x.phone FROM (SELECT * FROM patients) x",
        "SELECT a.id FROM patients a JOIN patients b USING (phone)",
        "SELECT id AS nir FROM patients ORDER BY nir",
        "SELECT ward_id AS nir, count(*) FROM patients GROUP BY nir",
        "SELECT DISTINCT ON (nir) id AS nir FROM patients",
        "SELECT x.nir FROM (SELECT phone AS nir FROM patients) x",
        "WITH patients AS (SELECT 1 AS nir) SELECT nir FROM patients",
        "SELECT o.nir FROM (SELECT 'a' AS nir) o, LATERAL (SELECT nir FROM patients) p",
        "SELECT count(*) FROM patients",
        "SELECT count(p) FROM patients p",
        "SELECT nosuch FROM patients", /* PostgreSQL refuses it with a policy and without one */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        struct arena *arena = arena_new(0);
        struct observation seen = look(fine[i], arena);
        if (!seen.allowed)
            print_error("%s: %s %s\n", fine[i], seen.reason, seen.object);
        assert_true(seen.allowed);
        arena_free(arena);
    }
}

static void relation_tells_what_becomes_of_its_columns(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct observation seen = look("SELECT * FROM patients p JOIN stays s ON true", arena);
    assert_true(seen.allowed);
    assert_true(seen.rewritten);
    assert_int_equal(seen.statement_count, 1);
    assert_int_equal(seen.statements[0].relation_count, 2);
    const struct observed_relation *patients = &seen.statements[0].relations[0];
    assert_string_equal(patients->name, "patients");
    assert_true(patients->filtered);
    assert_true(in_list(patients->shown, patients->shown_count, "phone"));
    assert_true(in_list(patients->masked, patients->masked_count, "family_name"));
    assert_false(in_list(patients->shown, patients->shown_count, "family_name"));
    assert_int_equal(patients->hidden_count, 2);
    assert_true(in_list(patients->hidden, patients->hidden_count, "nir"));
    assert_true(in_list(patients->hidden, patients->hidden_count, "preferences"));
    assert_non_null(strstr(patients->rule, "policy.cfg:"));
    const struct observed_relation *stays = &seen.statements[0].relations[1];
    assert_false(stays->filtered);
    assert_int_equal(stays->hidden_count, 0);
    assert_int_equal(stays->masked_count, 0);
    arena_free(arena);
}

static void relation_tells_what_is_written(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct observation seen =
        look_as("nurse", "writing", "UPDATE patients SET phone = '1' WHERE id = 2", arena);
    assert_true(seen.allowed);
    const struct observed_relation *patients = &seen.statements[0].relations[0];
    assert_true(patients->writes);
    assert_int_equal(patients->written_count, 1);
    assert_string_equal(patients->written[0], "phone");
    assert_int_equal(patients->hidden_count, 0);
    seen = look_as("nurse", "writing", "UPDATE patients SET nir = '1'", arena);
    assert_false(seen.allowed);
    assert_string_equal(seen.sqlstate, "42703");
    arena_free(arena);
}

static void what_needs_no_change_is_not_rewritten(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_false(look("BEGIN", arena).rewritten);
    assert_false(look("SELECT 1", arena).rewritten);
    assert_true(look("SELECT id FROM stays", arena).rewritten);
    struct observation seen = look_as("dba", "maintenance", "SELECT nir FROM patients", arena);
    assert_true(seen.allowed);
    assert_false(seen.rewritten);
    arena_free(arena);
}

static void refusal_is_the_judges(void **state)
{
    static const struct {
        const char *sql;
        const char *sqlstate;
        const char *reason;
        const char *object;
    } cases[] = {
        {"SELECT * FROM secrets", "42501", "relation", "public.secrets"},
        {"SELECT pg_read_file('x')", "42501", "function", "pg_read_file"},
        {"SELECT FROM WHERE", "42601", "syntax", "syntax"},
        {"DROP TABLE patients", "0A000", "statement", "DROP TABLE"},
        {"SELECT '\xff'", "22021", "encoding", "encoding"},
        {"SELECT id FROM undeployed", "55000", "guard", "undeployed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_new(0);
        struct observation seen = look(cases[i].sql, arena);
        assert_false(seen.allowed);
        assert_false(seen.foretold);
        assert_string_equal(seen.sqlstate, cases[i].sqlstate);
        assert_string_equal(seen.reason, cases[i].reason);
        assert_string_equal(seen.object, cases[i].object);
        arena_free(arena);
    }
}

static void session_without_a_mission_is_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct observation seen = look_as("nurse", NULL, "SELECT id FROM stays", arena);
    assert_false(seen.allowed);
    assert_string_equal(seen.reason, "mission");
    assert_true(look_as("nurse", NULL, "SET pgvigil.mission = 'care'", arena).allowed);
    arena_free(arena);
}

/* Guards that deploy would make: what is not deployed in the catalog is there. */
static void planned_guards_are_used_where_none_stand(void **state)
{
    (void)state;
    struct buf why;
    struct observer *planned = NULL;
    buf_init(&why, 0);
    struct catalog *catalog = NULL;
    assert_int_equal(observe_plan(fixture_policy, fixture_catalog, &catalog, &why), OK);
    assert_int_equal(observer_new(fixture_policy, catalog, &planned), OK);
    catalog_unref(catalog);
    struct observer *deployed = observer;
    observer = planned;
    struct arena *arena = arena_new(0);
    assert_true(look("SELECT id FROM undeployed", arena).allowed);
    struct observation seen = look("SELECT nir FROM patients", arena);
    assert_string_equal(seen.object, "public.patients.nir");
    seen = look("SELECT (p).nir FROM patients p", arena);
    assert_true(seen.foretold);
    seen = look("SELECT id FROM secrets", arena);
    assert_string_equal(seen.reason, "relation");
    observer = deployed;
    observer_free(planned);
    buf_free(&why);
    arena_free(arena);
}

static void nothing_makes_observing_fail(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct buf deep;
    buf_init(&deep, 0);
    buf_str(&deep, "SELECT 1");
    for (int i = 0; i < 20000; i++)
        buf_str(&deep, "+1");
    buf_byte(&deep, '\0');
    struct observation seen = look((const char *)buf_head(&deep), arena);
    assert_string_equal(seen.sqlstate, "54001");
    buf_free(&deep);
    arena_free(arena);
    /* An arena that is too small for any of it. */
    arena = arena_new(64);
    seen = look("SELECT * FROM patients", arena);
    assert_false(seen.allowed);
    assert_string_equal(seen.reason, "memory");
    arena_free(arena);
    /* No catalog. */
    struct observer *known = observer;
    observer = NULL;
    arena = arena_new(0);
    seen = look("SELECT 1", arena);
    assert_string_equal(seen.reason, "catalog");
    assert_true(look_as("dba", "maintenance", "SELECT 1", arena).allowed);
    observer = known;
    arena_free(arena);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_column_is_foretold),
        cmocka_unit_test(what_is_there_is_not_missed),
        cmocka_unit_test(relation_tells_what_becomes_of_its_columns),
        cmocka_unit_test(relation_tells_what_is_written),
        cmocka_unit_test(what_needs_no_change_is_not_rewritten),
        cmocka_unit_test(refusal_is_the_judges),
        cmocka_unit_test(session_without_a_mission_is_refused),
        cmocka_unit_test(planned_guards_are_used_where_none_stand),
        cmocka_unit_test(nothing_makes_observing_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
    return fixture_main(run);
}
