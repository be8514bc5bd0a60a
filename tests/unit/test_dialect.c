/*
 * test_dialect.c: which texts hold strings, which settings read constants, and who shares a name on
 * the server.
 */
#include "proxy/dialect.h"
#include "proxy/statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgvigil/judge.h>

static bool has(const char *sql)
{
    return dialect_has_strings(sql, strlen(sql));
}

static void strings_are_found_and_parameters_are_none(void **state)
{
    (void)state;
    assert_false(has(""));
    assert_false(has("SELECT 1, 2.5 FROM \"a table\" WHERE id = $1 AND x < $23"));
    assert_false(has("SELECT $0"));
    assert_true(has("SELECT ''"));
    assert_true(has("SELECT E'x'"));
    assert_true(has("SELECT DATE '2020-01-01'"));
    assert_true(has("SELECT $$x$$"));
    assert_true(has("SELECT $1, $tag$x$tag$"));
    assert_true(has("SELECT a$"));
    assert_false(dialect_has_strings("SELECT 1'", 8));
}

static void what_is_not_known_to_be_harmless_reads_constants(void **state)
{
    (void)state;
    static const char *const reads[] = {"TimeZone",           "datestyle",   "INTERVALSTYLE",
                                        "lc_monetary",        "xmloption",   "something.new",
                                        "extra_float_digits", "bytea_output"};
    static const char *const others[] = {"application_name", "Statement_Timeout", "jit",
                                         "pgvigil.mission", "transaction"};
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
        assert_true(setting_reads_constants(reads[i]));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(setting_reads_constants(others[i]));
}

static struct statement *named(const char *sql, const struct dialect *dialect)
{
    struct statement *statement = statement_new("q", sql, strlen(sql), NULL, 0, 0);
    assert_non_null(statement);
    struct verdict *verdict = arena_zalloc(statement->arena, 1, sizeof *verdict);
    assert_non_null(verdict);
    verdict->sql = statement->sql;
    verdict->sql_len = statement->len;
    statement->verdict = verdict;
    statement_take_dialect(statement, dialect);
    statement_name_upstream(statement);
    assert_int_equal(strlen(statement->server_name), 36);
    return statement;
}

static void names_are_of_a_dialect(void **state)
{
    (void)state;
    static const struct dialect dialects[3] = {{{0}}, {{1}}, {{0, 1}}};
    static const char *const texts[2] = {"SELECT $1", "SELECT '1'"};
    for (size_t t = 0; t < 2; t++) {
        struct statement *made[3];
        for (size_t i = 0; i < 3; i++)
            made[i] = named(texts[t], &dialects[i]);
        for (size_t i = 0; i < 3; i++) {
            for (size_t k = 0; k < 3; k++) {
                bool same = strcmp(made[i]->server_name, made[k]->server_name) == 0;
                assert_int_equal(same, i == k);
            }
        }
        statement_take_dialect(made[2], &dialects[1]);
        assert_string_equal(made[2]->server_name, made[1]->server_name);
        for (size_t i = 0; i < 3; i++)
            statement_unref(made[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_found_and_parameters_are_none),
        cmocka_unit_test(what_is_not_known_to_be_harmless_reads_constants),
        cmocka_unit_test(names_are_of_a_dialect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
