/*
 * test_identity.c: what makes a server connection one person's, and how the server is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/identity.h"
#include "tests/golden/judge_fixture.h"

/* The text for nurse1 in the mission care. */
static char *person_text(const char *reason)
{
    struct identity identity;
    struct identity_text person = {0};
    struct buf out;
    buf_init(&out, 0);
    assert_int_equal(
        identity_init(&identity, fixture_policy, policy_find_user(fixture_policy, "nurse1")), OK);
    assert_int_equal(identity_replace(&identity.reason, reason), OK);
    assert_int_equal(identity_person(&identity, fixture_policy, "pgvigil:nurse/care@00000000",
                                     "127.0.0.1", &person),
                     OK);
    assert_in_range(person.path_at, 1, person.len);
    identity_text_sql(&person, &out);
    identity_text_free(&person);
    buf_byte(&out, '\0');
    char *text = strdup((const char *)buf_head(&out));
    assert_non_null(text);
    buf_free(&out);
    identity_free(&identity);
    return text;
}

/* Whoever had the connection before may have had one: nothing of it may be left. */
static void person_without_an_attribute_sets_it_empty(void **state)
{
    (void)state;
    char *text = person_text(NULL);
    assert_non_null(strstr(text, "'pgvigil.u_wards','{\"1\"}'"));
    assert_non_null(strstr(text, "'pgvigil.u_rpps',''"));
    assert_non_null(strstr(text, "'pgvigil.s_reason',''"));
    assert_non_null(strstr(text, "'pgvigil.s_patient',''"));
    free(text);
}

static void person_value_that_ends_its_literal_is_quoted(void **state)
{
    (void)state;
    char *text = person_text("x',false); DROP TABLE patients; SELECT ('");
    assert_non_null(strstr(text, "'x'',false); DROP TABLE patients; SELECT ('''"));
    free(text);
}

/* Name and value by turns. */
static void make(struct identity_text *text, size_t path_at, size_t len, const char *bytes)
{
    struct buf buf;
    buf_init(&buf, 0);
    buf_append(&buf, bytes, len);
    assert_true(identity_text_take(text, &buf, path_at));
}

static void statement_has_parameters_in_the_place_of_values(void **state)
{
    (void)state;
    struct identity_text text;
    struct buf sql;
    struct buf values;
    buf_init(&sql, 0);
    buf_init(&values, 0);
    make(&text, 7, 13, "role\0x\0p\0a'b\0");
    identity_text_statement(&text, &sql);
    buf_byte(&sql, '\0');
    assert_string_equal(
        buf_head(&sql),
        "SELECT 1,pg_catalog.set_config('role',$1,false),pg_catalog.set_config('p',$2,false)");
    assert_int_equal(identity_text_values(&text, &values), 2);
    static const unsigned char expected[] = {0, 0, 0, 1, 'x', 0, 0, 0, 3, 'a', '\'', 'b'};
    assert_int_equal(buf_len(&values), sizeof expected);
    assert_memory_equal(buf_head(&values), expected, sizeof expected);
    buf_free(&sql);
    buf_free(&values);
    identity_text_free(&text);
}

static void nothing_is_no_statement(void **state)
{
    (void)state;
    static const struct identity_text nothing = {0};
    struct buf sql;
    buf_init(&sql, 0);
    identity_text_sql(&nothing, &sql);
    assert_int_equal(buf_len(&sql), 0);
    assert_true(identity_text_same(&nothing, &nothing));
    assert_true(identity_text_differs(&nothing, &nothing)); /* of what is not known */
    buf_free(&sql);
}

static void texts_are_compared_by_values_and_by_names(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool same;
        bool differs;
        bool alike;
    } others[] = {{"r\0x\0p\0y\0", true, false, true},
                  {"r\0z\0p\0y\0", false, true, true},
                  {"r\0x\0p\0z\0", false, false, true},
                  {"q\0x\0p\0y\0", false, true, false},
                  {"r\0x\0q\0y\0", false, false, false}};
    struct identity_text text;
    make(&text, 4, 8, "r\0x\0p\0y\0");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct identity_text other;
        make(&other, 4, 8, others[i].bytes);
        assert_int_equal(identity_text_same(&text, &other), others[i].same);
        assert_int_equal(identity_text_differs(&text, &other), others[i].differs);
        assert_int_equal(identity_text_alike(&text, &other), others[i].alike);
        assert_int_equal(identity_text_alike(&other, &text), others[i].alike);
        identity_text_free(&other);
    }
    struct identity_text shorter;
    make(&shorter, 4, 4, "r\0x\0");
    assert_false(identity_text_same(&text, &shorter));
    assert_false(identity_text_alike(&text, &shorter));
    assert_false(identity_text_alike(&shorter, &text));
    identity_text_free(&shorter);
    identity_text_free(&text);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statement_has_parameters_in_the_place_of_values),
        cmocka_unit_test(nothing_is_no_statement),
        cmocka_unit_test(texts_are_compared_by_values_and_by_names),
        cmocka_unit_test(person_without_an_attribute_sets_it_empty),
        cmocka_unit_test(person_value_that_ends_its_literal_is_quoted),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

int main(void)
{
    return fixture_main(run);
}
