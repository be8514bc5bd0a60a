/* What a server says, in the client's own terms. */
#include "proxy/scrub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names(const char *from, const char *to)
{
    struct arena *arena = arena_new(0);
    assert_string_equal(scrub_names(from, true, arena), to);
    arena_free(arena);
}

static void scrub_names_guards_become_tables(void **state)
{
    (void)state;
    names("permission denied for view public.patients",
          "permission denied for view public.patients");
    names("relation \"pgvigil:nurse/care@3f2a91c0.public.patients\" does not exist",
          "relation \"patients\" does not exist");
    names("relation \"pgvigil:nurse/care@3f2a91c0\".\"public.patients\" does not exist",
          "relation patients does not exist");
    names("new row violates check option for view \"public.patients\"",
          "new row violates check option for view \"patients\"");
    names("cannot read \"public.patients!only\"", "cannot read \"patients\"");
    names("schema \"pgvigil:nurse/care@3f2a91c0\" does not exist",
          "schema \"public\" does not exist");
    names("function pgvigil:catalog@3f2a91c0.pg_table_is_visible(integer) does not exist",
          "function pg_table_is_visible(integer) does not exist");
}

static void scrub_names_other_texts_stay(void **state)
{
    (void)state;
    names("", "");
    names("invalid input syntax for type integer: \"1.5 and more\"",
          "invalid input syntax for type integer: \"1.5 and more\"");
    names("column \"nir\" does not exist", "column \"nir\" does not exist");
    names("an open \"quote", "an open \"quote");
}

static void scrub_report_drops_what_can_hold_values(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct wire_report report = {.severity = "ERROR",
                                 .severity_raw = "ERROR",
                                 .sqlstate = "23514",
                                 .message =
                                     "new row for relation \"t\" violates check constraint \"c\"",
                                 .detail = "Failing row contains (1, secret).",
                                 .hint = "The secret is 7.",
                                 .where = "PL/pgSQL function f(secret)",
                                 .internal_query = "SELECT secret",
                                 .internal_position = "4",
                                 .schema = "pgvigil:nurse/care@3f2a91c0",
                                 .table = "public.t",
                                 .file = "execMain.c",
                                 .line = "2000",
                                 .routine = "ExecConstraints"};
    assert_int_equal(scrub_report(&report, NULL, arena), OK);
    assert_null(report.detail);
    assert_null(report.hint);
    assert_null(report.where);
    assert_null(report.internal_query);
    assert_null(report.internal_position);
    assert_null(report.file);
    assert_null(report.line);
    assert_null(report.routine);
    assert_null(report.schema);
    assert_string_equal(report.sqlstate, "23514");
    assert_string_equal(report.message,
                        "new row for relation \"t\" violates check constraint \"c\"");
    arena_free(arena);
}

static void scrub_report_keeps_the_values_of_data_exceptions(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    static const char text[] = "invalid input syntax for type date: \"01.02.2020\"";
    struct wire_report report = {.severity = "ERROR", .sqlstate = "22007", .message = text};
    assert_int_equal(scrub_report(&report, NULL, arena), OK);
    assert_string_equal(report.message, text);
    report = (struct wire_report){
        .severity = "ERROR",
        .sqlstate = "22023",
        .message = "\"pgvigil:nurse/care@3f2a91c0.public.patients\" and \"public.t\""};
    assert_int_equal(scrub_report(&report, NULL, arena), OK);
    assert_string_equal(report.message, "\"patients\" and \"public.t\"");
    report = (struct wire_report){
        .severity = "ERROR", .sqlstate = "44000", .message = "of \"public.t\""};
    assert_int_equal(scrub_report(&report, NULL, arena), OK);
    assert_string_equal(report.message, "of \"t\"");
    arena_free(arena);
}

static void scrub_report_keeps_the_parsers_hints(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    static const char hint[] = "No function matches the given name and argument types. You might "
                               "need to add explicit type casts.";
    struct wire_report report = {
        .severity = "ERROR", .sqlstate = "42883", .message = "m", .hint = hint};
    assert_int_equal(scrub_report(&report, NULL, arena), OK);
    assert_string_equal(report.hint, hint);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scrub_names_guards_become_tables),
        cmocka_unit_test(scrub_names_other_texts_stay),
        cmocka_unit_test(scrub_report_keeps_the_values_of_data_exceptions),
        cmocka_unit_test(scrub_report_drops_what_can_hold_values),
        cmocka_unit_test(scrub_report_keeps_the_parsers_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
