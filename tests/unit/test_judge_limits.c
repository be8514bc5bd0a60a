/*
 * test_judge_limits.c: statements made to exhaust the process: deep, long, malformed.
 *
 * Each shape is tried from harmless to absurd. Nothing may crash (the suite runs under
 * AddressSanitizer too); what is flat in the tree must work at any length, what is deep must be
 * refused with 54001.
 */
#include "tests/golden/judge_fixture.h"

#include <pgvigil/buf.h>
#include <time.h>

static const struct fixture_session nurse = {
    .role = "nurse", .mission = "care", .path = {"public"}, .path_count = 1};
static const struct fixture_session groups = {
    .role = "doctor", .mission = "groups", .path = {"public"}, .path_count = 1};
static const struct fixture_session doctor = {
    .role = "doctor", .mission = "care", .path = {"public"}, .path_count = 1};
static const struct fixture_session dba = {
    .role = "dba", .mission = "maintenance", .path = {"public"}, .path_count = 1};

struct outcome {
    enum status status;
    bool allowed;
    char sqlstate[6];
    size_t position;
};

static struct outcome try(const struct fixture_session *session, const char *sql, size_t len)
{
    struct outcome outcome = {.status = ERR_INTERNAL};
    struct arena *arena = arena_new(0);
    struct verdict *verdict = NULL;
    outcome.status = fixture_judge(session, sql, len, arena, &verdict);
    assert_non_null(verdict);
    outcome.allowed = verdict->allowed;
    if (verdict->refusal.sqlstate != NULL)
        memcpy(outcome.sqlstate, verdict->refusal.sqlstate, 5);
    outcome.position = verdict->refusal.position;
    arena_free(arena);
    return outcome;
}

/* head, then `unit` n times, then middle, then `close` n times, then tail */
struct shape {
    const char *head;
    const char *unit;
    const char *middle;
    const char *close;
    const char *tail;
};

static struct outcome try_shape(const struct fixture_session *session, const struct shape *shape,
                                size_t n)
{
    struct buf sql;
    buf_init(&sql, 0);
    buf_str(&sql, shape->head);
    for (size_t i = 0; i < n; i++)
        buf_str(&sql, shape->unit);
    buf_str(&sql, shape->middle);
    for (size_t i = 0; i < n; i++)
        buf_str(&sql, shape->close);
    buf_str(&sql, shape->tail);
    size_t len = buf_len(&sql);
    buf_byte(&sql, 0);
    assert_false(sql.failed);
    struct outcome outcome = try(session, (const char *)buf_head(&sql), len);
    buf_free(&sql);
    return outcome;
}

static const struct shape deep[] = {
    {"SELECT 1", "+1", "", "", ""},
    {"SELECT 1", " UNION SELECT 1", "", "", ""},
    {"SELECT 1", " UNION ALL SELECT 1", "", "", " ORDER BY 1"},
    {"SELECT 1", " EXCEPT SELECT 1", "", "", ""},
    {"SELECT 1", "::int", "", "", ""},
    {"SELECT 'a'", " COLLATE \"C\"", "", "", ""},
    {"SELECT now()", " AT TIME ZONE 'UTC'", "", "", ""},
    {"SELECT 1 FROM stays", " CROSS JOIN stays", "", "", ""},
    {"SELECT 1 FROM stays a", " JOIN stays b ON true", "", "", ""},
    {"SELECT 1 FROM stays a", " NATURAL JOIN stays", "", "", ""},
    {"SELECT ", "NOT ", "true", "", ""},
    {"SELECT ", "- ", "1", "", ""},
    {"SELECT ", "@ ", "1", "", ""},
    {"SELECT ", "(", "1", ")", ""},
    {"SELECT true", " IS TRUE", "", "", ""},
    {"SELECT true", " ISNULL", "", "", ""},
    {"SELECT 1", " BETWEEN 1 AND 2 IS TRUE", "", "", ""},
    {"SELECT ", "CASE WHEN true THEN ", "1", " END", ""},
    {"SELECT ", "CASE WHEN t.end THEN ", "1", " END", " FROM stays t"},
    {"SELECT ", "CASE WHEN (SELECT true end) THEN (", "1", ") END", ""},
    {"SELECT ", "CASE 1 WHEN (1) THEN ", "1", " END", ""},
    {"SELECT ", "CASE ", "1", " WHEN 1 THEN 2 END", ""},
    {"SELECT ", "CASE WHEN true THEN 1 ELSE ", "1", " END", ""},
    {"SELECT ", "(SELECT ", "1", ")", ""},
    {"SELECT * FROM ", "(SELECT * FROM ", "stays", ") x", ""},
    {"SELECT * FROM ", "(SELECT 1 UNION ", "SELECT 1", ") x", ""},
    {"SELECT ", "upper(", "'a'", ")", ""},
    {"SELECT ", "ARRAY[", "1", "]", ""},
    {"SELECT ARRAY", "[", "1", "]", ""},
    {"SELECT ", "coalesce(1,", "1", ")", ""},
    {"SELECT ", "row(", "1", ")", ""},
    {"", "WITH a AS (", "SELECT 1", ") SELECT 1", ""},
    {"SELECT 1 WHERE ", "EXISTS (SELECT 1 WHERE ", "true", ")", ""},
    {"SELECT 1 WHERE 1 ", "IN (SELECT 1 WHERE 1 ", "= 1", ")", ""},
    {"SELECT 1 FROM ", "(", "stays a JOIN stays b ON true", ")", ""},
    {"SELECT ", "(1 + ", "1", ")", ""},
    {"SELECT ", "(true AND (true OR ", "true", "))", ""},
    {"SELECT 1", " OPERATOR(pg_catalog.+) 1", "", "", ""},
    {"SELECT 'a'", " LIKE 'a'", "", "", ""},
    {"SELECT 'a'", " || 'a'", "", "", ""},
    {"SELECT ", "CAST(", "1", " AS int)", ""},
    {"SELECT (ROW(1))", ".f1", "", "", ""},
    {"SELECT ", "((", "ROW(1)", ").f1)", ""},
    {"SELECT 1 GROUP BY ", "GROUPING SETS (", "1", ")", ""},
    {"SELECT ", "xmlelement(name a, ", "1", ")", ""},
    {"SELECT 1 LIMIT ", "(SELECT 1 LIMIT ", "1", ")", ""},
    {"SELECT '[]'::jsonb", "['a']", "", "", ""},
    {"SELECT 1 FROM stays", ", LATERAL (SELECT 1) x", "", "", ""},
};

static void judge_deep_statements_survive(void **state)
{
    static const size_t sizes[] = {20, 4000, 20000, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof(deep) / sizeof(deep[0]); i++) {
        for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
            struct outcome outcome = try_shape(&nurse, &deep[i], sizes[k]);
            bool known = outcome.status == OK || outcome.status == ERR_LIMIT ||
                         outcome.status == ERR_SYNTAX || outcome.status == DENIED;
            if (!known)
                print_error("shape %zu (%s) at %zu: %s\n", i, deep[i].unit, sizes[k],
                            status_name(outcome.status));
            assert_true(known);
            assert_int_equal(outcome.allowed, outcome.status == OK);
            outcome = try_shape(&dba, &deep[i], sizes[k]);
            assert_int_equal(outcome.allowed, outcome.status == OK);
        }
    }
}

static void judge_chains_of_operators_refused_with_54001(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        struct outcome outcome = try_shape(&nurse, &deep[i], 4000);
        assert_int_equal(outcome.status, ERR_LIMIT);
        assert_string_equal(outcome.sqlstate, "54001");
        assert_true(outcome.position > 0);
        outcome = try_shape(&dba, &deep[i], 4000);
        assert_int_equal(outcome.status, ERR_LIMIT);
    }
}

static void judge_shallow_shapes_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        struct outcome outcome = try_shape(&nurse, &deep[i], 500);
        bool same_name =
            strstr(deep[i].unit, "JOIN stays") != NULL && strstr(deep[i].unit, " b ") == NULL;
        assert_int_equal(outcome.status, same_name ? DENIED : OK);
        assert_string_equal(outcome.sqlstate, same_name ? "42712" : "");
    }
}

static void judge_flat_lists_accepted(void **state)
{
    static const struct shape flat[] = {
        {"SELECT id FROM stays WHERE id = 0", " AND id <> 1", "", "", ""},
        {"SELECT id FROM stays WHERE id = 0", " OR id = 1", "", "", ""},
        {"SELECT id FROM stays WHERE id = 0", " OR id = 1 AND reason = 'x'", "", "", ""},
        {"SELECT id FROM stays WHERE id = 0", " OR (id = 1 AND reason = 'x')", "", "", ""},
        {"SELECT id FROM stays WHERE id BETWEEN 1 AND 2", " OR id BETWEEN 3 AND 4", "", "", ""},
        {"SELECT id FROM stays WHERE id IN (0", ",1", "", "", ")"},
        {"SELECT id FROM stays WHERE id = ANY (ARRAY[0", ",1+1", "", "", "])"},
        {"VALUES (1, 'a')", ", (2, 'b')", "", "", ""},
        {"SELECT 1", ", id + 1", "", "", " FROM stays"},
        {"SELECT concat('a'", ", 'b' || 'c'", "", "", ")"},
        {"SELECT CASE", " WHEN 1 = 2 THEN 3", "", "", " END"},
        {"SELECT 1", "; SELECT 1", "", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(flat) / sizeof(flat[0]); i++) {
        size_t n = i + 1 == sizeof(flat) / sizeof(flat[0]) ? 2000 : 10000;
        struct outcome outcome = try_shape(&nurse, &flat[i], n);
        if (outcome.status != OK)
            print_error("shape %zu: %s %s\n", i, status_name(outcome.status), outcome.sqlstate);
        assert_int_equal(outcome.status, OK);
    }
}

static struct outcome try_lock(size_t shape, size_t n, double *seconds)
{
    static const struct fixture_session writer = {
        .role = "nurse", .mission = "writing", .path = {"public"}, .path_count = 1};
    static const struct shape locks[] = {
        {"SELECT id FROM jobs WHERE id = 'a'", " AND state <> 'b'", "", "", " FOR UPDATE"},
        {"SELECT id FROM jobs WHERE id IN ('0'", ",'1'", "", "", ") ORDER BY id FOR UPDATE"},
        {"SELECT id FROM jobs WHERE 1 = 1", "+1", "", "", " LIMIT 1 FOR UPDATE"},
        {"SELECT id FROM jobs ORDER BY upper(id)", ", upper(id)", "", "", " FOR UPDATE"},
        {"SELECT 1", ", id", "", "", " FROM jobs ORDER BY id, id, 2 FOR UPDATE"},
        {"SELECT 1", "; SELECT id FROM jobs LIMIT 1 FOR UPDATE", "", "", ""},
        {"SELECT ", "(SELECT ", "1", " FROM jobs ORDER BY id LIMIT 1 FOR UPDATE)", ""},
        {"SELECT 1 LIMIT ", "(SELECT 1 FROM jobs LIMIT ", "1", " FOR UPDATE)", ""},
        {"SELECT id FROM jobs LIMIT 1", " FOR UPDATE OF jobs", "", "", ""},
        {"SELECT id FROM jobs ORDER BY ", "(", "1", ")", " FOR UPDATE"},
        {"SELECT id || "
         "'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"
         "yzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz' FROM jobs ORDER BY 1",
         ", 1", "", "", " FOR UPDATE"},
    };
    struct timespec before;
    struct timespec after;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    struct outcome outcome = try_shape(&writer, &locks[shape], n);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    *seconds =
        (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    if (getenv("JUDGE_TIMES") != NULL)
        print_message("lock %zu at %zu: %.3f s %s\n", shape, n, *seconds,
                      status_name(outcome.status));
    return outcome;
}

/* Conditions and sort keys are sent twice: no depth, and no text without end, may come of that. */
static void judge_long_row_locks_end_soon(void **state)
{
    (void)state;
    for (size_t i = 0; i < 11; i++) {
        for (size_t n = 10; n <= 100000; n *= 10) {
            double seconds = 0;
            struct outcome outcome = try_lock(i, n, &seconds);
            if (outcome.status == ERR_INTERNAL || seconds > 10)
                print_error("lock %zu at %zu: %s, %.1f s\n", i, n, status_name(outcome.status),
                            seconds);
            assert_true(seconds < 10);
            assert_int_not_equal(outcome.status, ERR_INTERNAL);
            if (n <= 1000)
                assert_int_equal(outcome.status, OK);
        }
    }
    double seconds = 0;
    assert_int_equal(try_lock(0, 30000, &seconds).status, OK);
    assert_int_equal(try_lock(2, 2900, &seconds).status, OK);
    assert_string_equal(try_lock(2, 4000, &seconds).sqlstate, "54001");
    assert_string_equal(try_lock(10, 50000, &seconds).sqlstate, "54000");
}

static void judge_text_too_long_refused(void **state)
{
    static const struct shape spaces = {"SELECT 1", "          ", "", "", ""};
    (void)state;
    struct outcome outcome = try_shape(&nurse, &spaces, 110000);
    assert_int_equal(outcome.status, ERR_LIMIT);
    assert_string_equal(outcome.sqlstate, "54000");
    assert_int_equal(try_shape(&nurse, &spaces, 100000).status, OK);
}

/* Flat, but more work than a worker may be held by. */
static void ends_soon(const struct fixture_session *session, const struct shape *shape)
{
    struct timespec before;
    struct timespec after;
    for (size_t n = 1000; n <= 100000; n *= 10) {
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        struct outcome outcome = try_shape(session, shape, n);
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        double seconds =
            (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
        if (seconds > 10)
            print_error("%s%s%s%s at %zu: %.1f s\n", shape->head, shape->unit, shape->middle,
                        shape->tail, n, seconds);
        if (getenv("JUDGE_TIMES") != NULL)
            print_message("%s%s%s%s at %zu: %.3f s %s\n", shape->head, shape->unit, shape->middle,
                          shape->tail, n, seconds, status_name(outcome.status));
        assert_true(seconds < 10); /* under sanitizers too; far less in a release build */
        assert_true(outcome.status == OK || outcome.status == ERR_LIMIT ||
                    outcome.status == DENIED);
    }
}

static void judge_costly_statements_end_soon(void **state)
{
    static const struct shape costly[] = {
        {"SELECT 1 FROM stays", ", stays x", "", "", ""},
        {"SELECT 1 FROM stays", " NATURAL JOIN (SELECT 1) x", "", "", ""},
        {"SELECT 1", ", *", "", "", " FROM stays"},
        {"SELECT 1", ", id", "", "", " FROM stays GROUP BY id"},
        {"SELECT id FROM stays GROUP BY id", ", id", "", "", ""},
        {"SELECT 1", "; SELECT id FROM stays", "", "", ""},
        {"WITH a AS (SELECT 1)", ", a AS (SELECT 1 FROM a)", "", "", " SELECT 1"},
        {"SELECT 1 FROM stays a, stays b, stays c, stays d", ", LATERAL (SELECT a.*, b.*, c.*) x",
         "", "", ""},
        {"SELECT 1 WHERE 1 IN (0", ",1", "", "", ")"},
        {"SELECT (SELECT 1 FROM stays GROUP BY id)", ", (SELECT 1 FROM stays GROUP BY id)", "", "",
         ""},
    };
    /* Stars that are written out, to have subjects in front. */
    static const struct shape carried[] = {
        {"SELECT *", ", *", "", "",
         " FROM stays a, stays b, stays c, stays d, stays e, stays f, stays g, stays h"},
        {"SELECT *", ", a.*", "", "", " FROM stays a"},
        {"SELECT * FROM stays", ", stays x", "", "", ""},
        {"", "SELECT * FROM (", "SELECT * FROM stays a, patients b", ") x", ""},
    };
    /* Groups, whose subjects are collected. */
    static const struct shape grouped[] = {
        {"SELECT DISTINCT reason FROM stays ORDER BY reason", ", reason", "", "", ""},
        {"SELECT DISTINCT id", ", id", "", "", " FROM stays ORDER BY reason, id, reason"},
        {"SELECT count(*) FROM stays GROUP BY id", ", id", "", "", ""},
        {"SELECT count(*) FROM stays GROUP BY ROLLUP (id", ", (id, reason)", "", "", ")"},
        {"SELECT id FROM stays", " UNION ALL SELECT 1", "", "", ""},
        {"SELECT id FROM stays", " UNION ALL SELECT DISTINCT id FROM stays", "", "", ""},
        {"", "SELECT DISTINCT id FROM (", "SELECT id FROM stays", ") x", ""},
        {"SELECT count(*) FROM stays WHERE patient_id IN ('0'", ",'1'", "", "", ")"},
        {"SELECT count(*) FROM stays WHERE true", " OR patient_id = '1'", "", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(costly) / sizeof(costly[0]); i++)
        ends_soon(&nurse, &costly[i]);
    for (size_t i = 0; i < sizeof(grouped) / sizeof(grouped[0]); i++)
        ends_soon(&groups, &grouped[i]);
    for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++)
        ends_soon(&doctor, &carried[i]);
}

static void judge_bytes_that_are_no_utf8_refused(void **state)
{
    static const struct {
        const char *sql;
        size_t len;
    } bad[] = {
        {"SELECT '\xff'", 10},         {"SELECT '\xc0\xaf'", 11},
        {"SELECT '\xed\xa0\x80'", 12}, {"SELECT '\xf5\x80\x80\x80'", 13},
        {"SELECT \0 1", 10},           {"SELECT '\xe9'", 10},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct outcome outcome = try(&nurse, bad[i].sql, bad[i].len);
        assert_int_equal(outcome.status, ERR_SYNTAX);
        assert_string_equal(outcome.sqlstate, "22021");
        assert_int_equal(try(&dba, bad[i].sql, bad[i].len).status, ERR_SYNTAX);
    }
    assert_int_equal(try(&nurse, "SELECT '\xc3\xa9'", 11).status, OK);
}

static void judge_arena_too_small_is_memory(void **state)
{
    static const char sql[] =
        "SELECT p.id, upper(p.family_name) FROM patients p JOIN stays s ON s.patient_id = p.id";
    bool allowed = false;
    (void)state;
    for (size_t limit = 256; limit < 300000; limit += limit / 2) {
        struct arena *arena = arena_new(limit);
        struct verdict *verdict = NULL;
        enum status status = fixture_judge(&nurse, sql, sizeof(sql) - 1, arena, &verdict);
        assert_true(status == OK || status == ERR_MEMORY);
        assert_int_equal(status == OK, verdict != NULL && verdict->allowed);
        allowed = status == OK;
        arena_free(arena);
    }
    assert_true(allowed);
}

static void verdict_zeroed_denies(void **state)
{
    const struct verdict verdict = {0};
    (void)state;
    assert_false(verdict.allowed);
    assert_null(verdict.sql);
}

static void map_position(const char *sql, const char *in_sent, const char *in_client)
{
    struct arena *arena = arena_new(0);
    struct verdict *verdict = NULL;
    assert_int_equal(fixture_judge(&nurse, sql, strlen(sql), arena, &verdict), OK);
    const char *sent = strstr(verdict->sql, in_sent);
    const char *client = strstr(sql, in_client);
    assert_non_null(sent);
    assert_non_null(client);
    size_t position = 1;
    size_t expected = 1;
    for (const char *at = verdict->sql; at < sent; at++)
        position += ((unsigned char)*at & 0xc0) != 0x80;
    for (const char *at = sql; at < client; at++)
        expected += ((unsigned char)*at & 0xc0) != 0x80;
    assert_int_equal(verdict_map_position(verdict, sql, position), expected);
    assert_int_equal(verdict_map_position(verdict, sql, 0), 0);
    arena_free(arena);
}

static void map_position_after_edits_is_the_clients(void **state)
{
    (void)state;
    map_position("SELECT 1", "1", "1");
    map_position("SELECT 'é', id FROM patients WHERE phone = 1", "phone", "phone");
    map_position("SELECT 'é', upper(phone) FROM patients", "phone", "phone");
    map_position("SELECT 'é', upper(phone) FROM patients", "upper", "upper");
    map_position("SELECT id FROM public.patients WHERE é = 1", "WHERE", "WHERE");
    map_position("SELECT id FROM public.patients WHERE é = 1", "public.patients",
                 "public.patients");
    map_position("SELECT public.patients.phone FROM public.patients", "phone", "phone");
    map_position("SELECT p.family_name FROM patients p GROUP BY p.id", "p.id", "p.id");
}

static void setting_classes_are_closed_by_default(void **state)
{
    (void)state;
    assert_int_equal(setting_class("TimeZone"), SETTING_FORWARD);
    assert_int_equal(setting_class("SEARCH_PATH"), SETTING_PATH);
    assert_int_equal(setting_class("pgvigil.Mission"), SETTING_PGVIGIL);
    assert_int_equal(setting_class("server_version"), SETTING_READ_ONLY);
    assert_int_equal(setting_class("role"), SETTING_REFUSED);
    assert_int_equal(setting_class("session_authorization"), SETTING_REFUSED);
    assert_int_equal(setting_class("debug_print_plan"), SETTING_REFUSED);
    assert_int_equal(setting_class("log_statement"), SETTING_REFUSED);
    assert_int_equal(setting_class("app.user_id"), SETTING_REFUSED);
    assert_int_equal(setting_class("pgvigil.u_name"), SETTING_REFUSED);
    assert_int_equal(setting_class("pgvigil.address"), SETTING_REFUSED);
    assert_int_equal(setting_class("pgvigil."), SETTING_REFUSED);
    assert_int_equal(setting_class("pgvigil.a.b"), SETTING_REFUSED);
    assert_int_equal(setting_class(""), SETTING_REFUSED);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge_deep_statements_survive),
        cmocka_unit_test(judge_chains_of_operators_refused_with_54001),
        cmocka_unit_test(judge_shallow_shapes_accepted),
        cmocka_unit_test(judge_flat_lists_accepted),
        cmocka_unit_test(judge_long_row_locks_end_soon),
        cmocka_unit_test(judge_text_too_long_refused),
        cmocka_unit_test(judge_costly_statements_end_soon),
        cmocka_unit_test(judge_bytes_that_are_no_utf8_refused),
        cmocka_unit_test(judge_arena_too_small_is_memory),
        cmocka_unit_test(verdict_zeroed_denies),
        cmocka_unit_test(map_position_after_edits_is_the_clients),
        cmocka_unit_test(setting_classes_are_closed_by_default),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

int main(void)
{
    return fixture_main(run);
}
