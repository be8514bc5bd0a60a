/*
 * test_identity.c: the text that makes a server connection one person's.
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

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(person_without_an_attribute_sets_it_empty),
        cmocka_unit_test(person_value_that_ends_its_literal_is_quoted),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

int main(void)
{
    return fixture_main(run);
}
