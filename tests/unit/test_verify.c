/*
 * test_verify.c: a text that does not read as it was judged is not sent (promise 5).
 *
 * rewrite_finish, the last step before verification, is wrapped by the linker (--wrap): it leaves
 * edits out, or changes the text that was made, as a mistake in the rewriting or an attack through
 * one would. Everything else is the product: judge() must answer ERR_INTERNAL and give no text.
 */
#include "../golden/judge_fixture.h"
#include "policy/judge_private.h"

#include <pgvigil/text.h>

static struct {
    size_t edits;     /* seen in the last call */
    size_t leave_out; /* index of an edit, in the order they were made; SIZE_MAX: none */
    bool leave_out_all;
    const char *find; /* in the text that was made, to be replaced; NULL: nothing */
    const char *replace;
} tamper;

/* The names are the linker's. NOLINTBEGIN(readability-identifier-naming) */
enum status __real_rewrite_finish(struct judge *judge);
enum status __wrap_rewrite_finish(struct judge *judge);

enum status __wrap_rewrite_finish(struct judge *judge)
{
    tamper.edits = judge->edit_count;
    if (tamper.leave_out < judge->edit_count) {
        judge->edit_count--;
        memmove(&judge->edits[tamper.leave_out], &judge->edits[tamper.leave_out + 1],
                (judge->edit_count - tamper.leave_out) * sizeof(judge->edits[0]));
    }
    if (tamper.leave_out_all)
        judge->edit_count = 0;
    enum status status = __real_rewrite_finish(judge);
    if (status != OK || tamper.find == NULL)
        return status;
    const char *found = strstr(judge->verdict->sql, tamper.find);
    assert_non_null(found);
    judge->verdict->sql =
        judge_format(judge, "%.*s%s%s", (int)(found - judge->verdict->sql), judge->verdict->sql,
                     tamper.replace, found + strlen(tamper.find));
    assert_non_null(judge->verdict->sql);
    judge->verdict->sql_len = strlen(judge->verdict->sql);
    return OK;
}
/* NOLINTEND(readability-identifier-naming) */

static void tamper_nothing(void)
{
    memset(&tamper, 0, sizeof(tamper));
    tamper.leave_out = SIZE_MAX;
}

/* With what is in `tamper`. True: allowed. A refusal must be verification's, or the rewriting's. */
static bool sent(const struct fixture_session *session, const char *sql)
{
    struct arena *arena = arena_new(0);
    struct verdict *verdict = NULL;
    enum status status = fixture_judge(session, sql, strlen(sql), arena, &verdict);
    assert_non_null(verdict);
    assert_int_equal(verdict->allowed, status == OK);
    if (status == OK) {
        assert_non_null(verdict->sql);
    } else {
        assert_int_equal(status, ERR_INTERNAL);
        assert_null(verdict->sql);
        assert_int_equal(verdict->sql_len, 0);
        assert_string_equal(verdict->refusal.sqlstate, "XX000");
        assert_string_equal(verdict->refusal.reason, "internal");
    }
    arena_free(arena);
    return status == OK;
}

static struct fixture_session nurse(void)
{
    return (struct fixture_session){
        .role = "nurse", .mission = "care", .path = {"public"}, .path_count = 1};
}

static bool allowed_untouched(const struct fixture_session *session, const char *sql)
{
    struct arena *arena = arena_new(0);
    struct verdict *verdict = NULL;
    tamper_nothing();
    enum status status = fixture_judge(session, sql, strlen(sql), arena, &verdict);
    arena_free(arena);
    return status == OK;
}

/* Every edit of one statement, left out; and all of them. */
static size_t leave_out_each(const struct fixture_session *session, const char *sql)
{
    if (!allowed_untouched(session, sql))
        return 0;
    size_t edits = tamper.edits;
    for (size_t i = 0; i < edits; i++) {
        tamper_nothing();
        tamper.leave_out = i;
        if (sent(session, sql))
            fail_msg("sent without edit %zu: %s", i, sql);
    }
    tamper_nothing();
    tamper.leave_out_all = true;
    if (edits > 0 && sent(session, sql))
        fail_msg("sent without its edits: %s", sql);
    return edits;
}

/* The statements of the golden cases, under the role and mission that they name. */
static void verify_golden_case_without_an_edit_refused(void **state)
{
    static char sql[65536];
    struct fixture_session session = nurse();
    FILE *file = fopen(JUDGE_FOLDER "select.sql", "r");
    char line[8192];
    bool answered = true;
    size_t edits = 0;
    (void)state;
    assert_non_null(file);
    sql[0] = '\0';
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "# %31s %31s", session.role, session.mission) == 2)
            continue;
        if (strncmp(line, "=>", 2) == 0) {
            edits += leave_out_each(&session, sql);
            sql[0] = '\0';
            answered = true;
        } else if (line[0] == '\n') {
            answered = false;
        } else if (line[0] != '#' && (!answered || strncmp(line, "--", 2) != 0)) {
            size_t len = strlen(sql);
            assert_true(len + strlen(line) < sizeof(sql));
            memcpy(sql + len, line, strlen(line) + 1);
        }
    }
    (void)fclose(file);
    assert_true(edits > 100);
}

struct change {
    const char *sql;
    const char *find;
    const char *replace;
};

static void verify_text_with_another_meaning_refused(void **state)
{
    static const struct change changes[] = {
        /* relations: another guard, another schema, the table itself, one more */
        {"SELECT id FROM patients", "\"public.patients\"", "\"public.stays\""},
        {"SELECT id FROM patients", "\"pgvigil:nurse/", "\"pgvigil:doctor/"},
        {"SELECT id FROM patients", "FROM ", "FROM public.stays, "},
        {"SELECT id FROM ONLY patients", "ONLY ", ""},
        {"SELECT p.id FROM patients p", " p", " q"},
        /* quoting that went wrong, and what comes after it */
        {"SELECT id FROM patients WHERE id = 1", "\" AS", "\"\" AS"},
        {"SELECT id FROM patients WHERE id = 1", "WHERE", "--WHERE"},
        {"SELECT id FROM patients WHERE id = 1", "WHERE id = 1", "/* WHERE id = 1 */"},
        {"SELECT id FROM patients WHERE phone = 'a'", "'a'", "'a' OR ''=''"},
        {"SELECT id FROM patients WHERE phone = 'a'", "'a'", "E'a'||''"},
        /* predicates */
        {"SELECT id FROM patients WHERE id = 1 AND ward_id = 2", "AND", "OR"},
        {"SELECT id FROM patients WHERE id = 1 AND (id = 2 OR id = 3)", "(id = 2 OR id = 3)",
         "id = 2 OR id = 3"},
        {"SELECT id FROM patients WHERE NOT id = 1", "NOT ", ""},
        {"SELECT id FROM patients WHERE id = 1", "=", "<>"},
        {"SELECT id FROM patients WHERE id = 1", "= 1", "= 2"},
        {"SELECT id FROM patients WHERE id = $1", "$1", "$2"},
        {"SELECT id FROM patients WHERE phone LIKE 'a'", "LIKE", "ILIKE"},
        {"SELECT id FROM patients WHERE phone IS NULL", "IS NULL", "IS NOT NULL"},
        {"SELECT id FROM patients WHERE id IN (1, 2)", "(1, 2)", "(1, 2, 3)"},
        {"SELECT id FROM patients WHERE id BETWEEN 1 AND 2", "BETWEEN", "NOT BETWEEN"},
        /* columns, functions, types */
        {"SELECT id FROM patients", "SELECT id", "SELECT nir"},
        {"SELECT id FROM patients", "SELECT id", "SELECT id, nir"},
        {"SELECT id FROM patients", "SELECT id", "SELECT *"},
        {"SELECT upper(phone) FROM patients", "upper", "lower"},
        {"SELECT upper(phone) FROM patients", "pg_catalog", "public"},
        {"SELECT count(phone) FROM patients", "(phone)", "(DISTINCT phone)"},
        {"SELECT id::text FROM patients", "text", "varchar"},
        {"SELECT current_user", "\"()", "\"('x')"},
        /* the other clauses */
        {"SELECT id FROM patients LIMIT 1", "1", "2"},
        {"SELECT id FROM patients ORDER BY id", "BY id", "BY id DESC"},
        {"SELECT id FROM patients", "SELECT", "SELECT DISTINCT"},
        {"SELECT id FROM patients UNION SELECT id FROM patients", "UNION", "UNION ALL"},
        {"SELECT id FROM patients UNION SELECT id FROM patients", "UNION", "EXCEPT"},
        {"SELECT ward_id FROM patients GROUP BY ward_id", "GROUP BY ward_id",
         "GROUP BY ROLLUP (ward_id)"},
        /* statements: one more, none, another, half a one */
        {"SELECT id FROM patients", "SELECT", "SELECT 1; SELECT"},
        {"SELECT id FROM patients", "SELECT", "--"},
        {"SELECT id FROM patients", "SELECT", "DELETE"},
        {"SELECT id FROM patients", "SELECT", "SELECT ("},
        {"SELECT 1; SELECT id FROM patients", "1", "2"},
        /* without an edit of its own */
        {"SELECT 1", "1", "2"},
        {"VALUES (1, 'a')", "'a'", "'b'"},
        {"BEGIN; SELECT 1", "BEGIN", "ROLLBACK"},
    };
    struct fixture_session session = nurse();
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (!allowed_untouched(&session, changes[i].sql))
            fail_msg("not allowed to begin with: %s", changes[i].sql);
        tamper_nothing();
        tamper.find = changes[i].find;
        tamper.replace = changes[i].replace;
        if (sent(&session, changes[i].sql))
            fail_msg("sent with %s for %s: %s", changes[i].replace, changes[i].find,
                     changes[i].sql);
    }
}

/* The twin: what changes nothing but places is the same statement. */
static void verify_text_with_the_same_meaning_sent(void **state)
{
    static const struct change changes[] = {
        {"SELECT id FROM patients", "SELECT", "SELECT  /* ? */\n"},
        {"SELECT id FROM patients", "SELECT id", "select ID"},
        {"SELECT id FROM patients", "SELECT id", "SELECT (\"id\")"},
        {"SELECT id FROM patients WHERE id <> 1", "<>", "!="},
        {"SELECT id::text FROM patients", "id::", "id :: "},
        {"SELECT id FROM patients;", ";", ""},
        {"SELECT 1", "1", " 1 -- one"},
    };
    struct fixture_session session = nurse();
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        tamper_nothing();
        tamper.find = changes[i].find;
        tamper.replace = changes[i].replace;
        if (!sent(&session, changes[i].sql))
            fail_msg("refused with %s for %s: %s", changes[i].replace, changes[i].find,
                     changes[i].sql);
    }
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_golden_case_without_an_edit_refused),
        cmocka_unit_test(verify_text_with_another_meaning_refused),
        cmocka_unit_test(verify_text_with_the_same_meaning_sent),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

int main(void)
{
    return fixture_main(run);
}
