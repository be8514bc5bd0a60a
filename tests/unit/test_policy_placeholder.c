/*
 * Placeholders and SQL's lexical rules: what is one, what is text, and what libpg_query thinks of
 * it.
 */
#include "policy/lexer.h"

#include <pgvigil/arena.h>
#include <pgvigil/expression.h>
#include <pgvigil/policy.h>

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct policy_attribute attributes[] = {
    {.name = "rpps", .type = "text"},
    {.name = "wards", .type = "int[]"},
    {.name = "staff-id", .type = "int"},
    {.name = "age", .type = "int"},
};
static const struct policy policy = {.attributes = attributes, .attribute_count = 4};

/* "user.rpps subject": the placeholders found; "! message" when refused. */
static const char *found(struct arena *arena, const char *expression)
{
    struct policy_placeholder *list = NULL;
    size_t count = 0;
    const char *what = NULL;
    enum status status = policy_placeholders(&policy, expression, arena, &list, &count, &what);
    if (status != OK) {
        assert_int_equal(status, ERR_INVALID);
        assert_non_null(what);
        return arena_printf(arena, "! %s", what);
    }
    const char *text = "";
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(expression[list[i].start], ':');
        text = arena_printf(arena, "%s%s%.*s", text, i == 0 ? "" : " ",
                            (int)(list[i].end - list[i].start - 1), expression + list[i].start + 1);
    }
    return text;
}

static void placeholder_in_code_is_found(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"x = :user.rpps", "user.rpps"},
        {":user.name", "user.name"},
        {"a=:session.patient::int", "session.patient"},
        {"inet :client.address <<= net", "client.address"},
        {":subject=:subject", "subject subject"},
        {"left(:col, 1) || '.'", "col"},
        {"x = ANY(:user.wards)", "user.wards"},
        {":user.staff-id", "user.staff-id"},
        {":user.age-1", "user.age"},
        {":user.age-id", "user.age"},
        {"x::text = :user.rpps", "user.rpps"},
        {"x::text::text", ""},
        {"f(a := 1)", ""},
        {"x[1 : 2]", ""},
        {"x[1:2]", ""},
        {"x[lower(a) : :user.age]", "user.age"},
        {"'a':col'b'", "col"},
        {"$q$ $q$:col", "col"},
        {"$1:col", "col"},
        {"a$b$:col", "col"},
        {"1$b$:subject$b$", ""},
        {"/* /* */ :user.x */ :col", "col"},
        {"-- :user.x\n:col", "col"},
        {"-- :user.x\r:col", "col"},
        {"a - -:col", "col"},
        {"\xC3\xA9:col", "col"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_new(0);
        assert_string_equal(found(arena, cases[i][0]), cases[i][1]);
        arena_free(arena);
    }
}

static void placeholder_in_text_is_text(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "':user.nobody'",
        "'it''s :user.nobody'",
        "E'\\':user.nobody'",
        "e'\\\\\\':x'",
        "E'a'\n'\\':x'",
        "E'a' -- why\n -- and\n '\\':x'",
        "'\\'",
        "\":x\"",
        "\"a\"\":x\"",
        "U&\":x\"",
        "U&'\\':x",
        "u&':x'",
        "N':x'",
        "B':x'",
        "X':x'",
        "$$:x$$",
        "$$ $ :x $$",
        "$tag$ $$ :x $tag$",
        "$t1$:x$t2$:y$t1$",
        "/* :x */ 1",
        "/* /* :x */ :y */ 1",
        "/*/ :x */",
        "1 -- :x",
        "1 + -- :x",
        "1 *//* :x */ 2",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_new(0);
        const char *text = found(arena, cases[i]);
        if (strcmp(cases[i], "U&'\\':x") == 0)
            assert_int_equal(text[0], '!'); /* a backslash escapes no quote there: :x is code */
        else
            assert_string_equal(text, "");
        arena_free(arena);
    }
}

static void placeholder_unknown_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"x = :user.rps", "! unknown placeholder :user.rps (did you mean :user.rpps?)"},
        {":user.naem", "! unknown placeholder :user.naem (did you mean :user.name?)"},
        {":users.name", "! unknown placeholder :users.name (did you mean :user.name?)"},
        {":User.name", "! unknown placeholder :User.name (did you mean :user.name?)"},
        {":user.rpps2", "! unknown placeholder :user.rpps2 (did you mean :user.rpps?)"},
        {":cols", "! unknown placeholder :cols (did you mean :col?)"},
        {":col\xC3\xA9", NULL},
        {":subject.id", NULL},
        {":user", NULL},
        {":user.", NULL},
        {":user.\"rpps\"", NULL},
        {":session.", NULL},
        {":session.1a", NULL},
        {":session.a$b", NULL},
        {":session.a.b", NULL},
        {"x[1:n]", NULL},
        {"'a'\n':x':y", NULL},
        {"E'a' ':x':y", NULL},
        {"x:::col", "col"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_new(0);
        const char *text = found(arena, cases[i][0]);
        if (cases[i][1] != NULL)
            assert_string_equal(text, cases[i][1]);
        else
            assert_int_equal(text[0], '!');
        arena_free(arena);
    }
}

static void placeholder_kinds_carry_their_names(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct policy_placeholder *list = NULL;
    size_t count = 0;
    const char *what = NULL;
    assert_int_equal(
        policy_placeholders(&policy,
                            ":user.name :user.staff-id :session.Patient :client.address "
                            ":subject :col",
                            arena, &list, &count, &what),
        OK);
    assert_int_equal(count, 6);
    assert_int_equal(list[0].kind, PLACEHOLDER_USER_NAME);
    assert_null(list[0].name);
    assert_int_equal(list[1].kind, PLACEHOLDER_USER_ATTRIBUTE);
    assert_int_equal(list[1].attribute, 2);
    assert_string_equal(list[2].name, "patient");
    assert_string_equal(policy_placeholder_setting(&list[0], arena), "pgvigil.u_name");
    assert_string_equal(policy_placeholder_setting(&list[1], arena), "pgvigil.u_staff$id");
    assert_string_equal(policy_placeholder_setting(&list[2], arena), "pgvigil.s_patient");
    assert_string_equal(policy_placeholder_setting(&list[3], arena), "pgvigil.address");
    assert_null(policy_placeholder_setting(&list[4], arena));
    assert_null(policy_placeholder_setting(&list[5], arena));
    arena_free(arena);
}

static const char *replace(void *context, const struct policy_placeholder *placeholder)
{
    if (placeholder->kind == PLACEHOLDER_COLUMN)
        return NULL;
    return context;
}

static void substitute_replaces_code_only(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    const char *out = NULL;
    const char *what = NULL;
    char text[] = "'v'";
    assert_int_equal(expression_substitute(&policy,
                                           "a = :user.rpps AND b = ':user.rpps'||E:subject", arena,
                                           replace, text, &out, &what),
                     OK);
    /* The space keeps E and 'v' from becoming E'v'. */
    assert_string_equal(out, "a =  'v'  AND b = ':user.rpps'||E 'v' ");
    assert_int_equal(
        expression_substitute(&policy, "no placeholder", arena, replace, text, &out, &what), OK);
    assert_string_equal(out, "no placeholder");
    arena_free(arena);
}

static void substitute_refused_placeholder_is_invalid(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    const char *out = NULL;
    const char *what = NULL;
    char text[] = "x";
    assert_int_equal(expression_substitute(&policy, "f(:col)", arena, replace, text, &out, &what),
                     ERR_INVALID);
    assert_null(out);
    assert_string_equal(what, ":col cannot be used here");
    assert_int_equal(expression_substitute(&policy, ":user.x", arena, replace, text, &out, &what),
                     ERR_INVALID);
    arena_free(arena);
}

/* Where libpg_query's scanner sees a colon by itself, in text without errors. -1: it reports one.
 */
static long colons_of_postgresql(const char *text, size_t *at, size_t cap)
{
    PgQueryScanResult result = pg_query_scan(text);
    long count = -1;
    if (result.error == NULL) {
        PgQuery__ScanResult *scan =
            pg_query__scan_result__unpack(NULL, result.pbuf.len, (const uint8_t *)result.pbuf.data);
        assert_non_null(scan);
        count = 0;
        for (size_t i = 0; i < scan->n_tokens; i++) {
            if (scan->tokens[i]->token == PG_QUERY__TOKEN__ASCII_58) {
                assert_true((size_t)count < cap);
                at[count++] = (size_t)scan->tokens[i]->start;
            }
        }
        pg_query__scan_result__free_unpacked(scan, NULL);
    }
    pg_query_free_scan_result(result);
    return count;
}

static bool comment_follows_quote(const char *text)
{
    for (const char *quote = text; (quote = strchr(quote, '\'')) != NULL; quote++)
        if (strncmp(quote + 1 + strspn(quote + 1, " \t\r\n\f"), "--", 2) == 0)
            return true;
    return false;
}

static void lexer_sees_colons_where_postgresql_does(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "'",  "''",       "\"", "\"\"", "E'",   "e'",     "\\", "\\'", "\\\\", "$$",  "$a$",  "$",
        "--", "\n",       "\r", "/*",   "*/",   ":",      "::", ":=",  ":a",   "U&'", "U&\"", "N'",
        "B'", "X'",       "a",  "aE'",  "1",    "1e5",    "$1", " ",   "\t",   "/",   "*",    "-",
        "+",  "\xC3\xA9", "u&", "&",    "'\n'", "'--\n'", "_",  ".",   "E",    "=",   "[",    "]"};
    const size_t piece_count = sizeof(pieces) / sizeof(pieces[0]);
    uint32_t seed = 20240229;
    size_t compared = 0;
    size_t with_colons = 0;
    for (int round = 0; round < 150000; round++) {
        char text[256] = "";
        char *end = text;
        size_t expected[256];
        seed = seed * 1664525U + 1013904223U;
        size_t length = 1 + (seed >> 16) % 14;
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1664525U + 1013904223U;
            end = stpcpy(end, pieces[(seed >> 12) % piece_count]); /* 14 pieces of up to 5 bytes */
        }
        /* PostgreSQL lets a string go on after a line comment (E'a' -- x \n 'b'), and so do we;
         * libpg_query, which makes tokens of comments, does not, and calls the two strings a syntax
         * error. */
        if (comment_follows_quote(text))
            continue;
        long count = colons_of_postgresql(text, expected, 256);
        if (count < 0)
            continue;
        compared++;
        with_colons += count > 0;
        size_t at = 0;
        long seen = 0;
        for (;;) {
            size_t start = at;
            enum lexeme lexeme = lexer_next(text, &at);
            if (lexeme == LEXEME_END)
                break;
            if (lexeme == LEXEME_UNCLOSED)
                print_error("unclosed only here: [%s]\n", text);
            assert_int_not_equal(lexeme, LEXEME_UNCLOSED);
            if (lexeme != LEXEME_COLON)
                continue;
            if (seen >= count || expected[seen] != start)
                print_error("a colon only here: [%s] at %zu\n", text, start);
            assert_true(seen < count && expected[seen] == start);
            seen++;
        }
        if (seen != count)
            print_error("a colon only there: [%s]\n", text);
        assert_int_equal(seen, count);
    }
    assert_true(compared > 20000);
    assert_true(with_colons > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placeholder_in_code_is_found),
        cmocka_unit_test(placeholder_in_text_is_text),
        cmocka_unit_test(placeholder_unknown_is_refused),
        cmocka_unit_test(placeholder_kinds_carry_their_names),
        cmocka_unit_test(substitute_replaces_code_only),
        cmocka_unit_test(substitute_refused_placeholder_is_invalid),
        cmocka_unit_test(lexer_sees_colons_where_postgresql_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
