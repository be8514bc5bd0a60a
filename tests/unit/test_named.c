/*
 * test_named.c: whom a value names, in the forms in which clients send it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/named.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All that `subjects` holds, which is cleared: "7,9,abc". */
static const char *told(struct subjects *subjects)
{
    static char out[512];
    struct audit_patients all;
    size_t len = 0;
    subjects_list(subjects, &all);
    out[0] = '\0';
    for (size_t i = 0; i < all.number_count; i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%lld", len > 0 ? "," : "",
                                (long long)all.numbers[i]);
    for (size_t i = 0; i < all.text_count; i++)
        len +=
            (size_t)snprintf(out + len, sizeof out - len, "%s%s", len > 0 ? "," : "", all.texts[i]);
    subjects_clear(subjects);
    return out;
}

static void texts_are_read_as_postgresql_reads_them(void **state)
{
    static const struct {
        enum named_kind kind;
        bool list;
        const char *text;
        const char *named;
    } cases[] = {
        {NAMED_INTEGER, false, "7", "7"},
        {NAMED_INTEGER, false, " \t+007\n", "7"},
        {NAMED_INTEGER, false, "-0", "0"},
        {NAMED_INTEGER, false, "-12", "-12"},
        {NAMED_INTEGER, false, "9223372036854775807", "9223372036854775807"},
        {NAMED_INTEGER, false, "", ""},
        {NAMED_INTEGER, false, "-", ""},
        {NAMED_INTEGER, false, "7x", ""},
        {NAMED_INTEGER, false, "7 8", ""},
        {NAMED_INTEGER, false, "12345678901234567890", ""},
        {NAMED_TEXT, false, "A-12 ", "A-12 "},
        {NAMED_PADDED, false, "A-12  ", "A-12"},
        {NAMED_UUID, false, "{A0EEBC99-9C0B4EF8BB6D6BB9BD380A11}",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {NAMED_UUID, false, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", ""},
        {NAMED_UUID, false, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a110", ""},
        {NAMED_UUID, false, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", ""},
        {NAMED_INTEGER, true, "{1, 2,NULL,\"03\"}", "1,2,3"},
        {NAMED_TEXT, true, "{a,\"b c\"}", "a,b c"},
        {NAMED_TEXT, true, " { Room 2 , \"Room 3\" , null, NULL, \"null\", x\\ y\\ }",
         "Room 2,Room 3,null,x y "},
        {NAMED_INTEGER, true, "{{7,8},{9,10}}", "7,8,9,10"},
        {NAMED_INTEGER, true, "[0:1]={7,8}", "7,8"},
        {NAMED_INTEGER, true, "{7,8", "7"},
        {NAMED_INTEGER, true, "{7,\"8", "7"},
        {NAMED_INTEGER, true, "{7\\", ""},
        {NAMED_INTEGER, true, "[", ""},
        {NAMED_INTEGER, true, "{,,{}}", ""},
        {NAMED_INTEGER, true, "1,2", ""},
        {NAMED_INTEGER, true, "", ""},
    };
    (void)state;
    struct subjects *subjects = subjects_new();
    assert_non_null(subjects);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct verdict_named named = {.kind = cases[i].kind, .list = cases[i].list};
        assert_int_equal(named_add_text(subjects, &named, cases[i].text, strlen(cases[i].text)),
                         OK);
        assert_string_equal(told(subjects), cases[i].named);
    }
    const struct verdict_named text = {.kind = NAMED_TEXT};
    static char longest[2000];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(named_add_text(subjects, &text, longest, sizeof longest), OK);
    assert_int_equal(named_add_text(subjects, &text, "a\0b", 3), OK);
    assert_string_equal(told(subjects), "");
    subjects_free(subjects);
}

static void binary_values_are_read_by_their_type(void **state)
{
    static const struct {
        enum named_kind kind;
        uint32_t type;
        const char *bytes;
        size_t len;
        const char *named;
    } cases[] = {
        {NAMED_INTEGER, 21, "\0\7", 2, "7"},
        {NAMED_INTEGER, 23, "\0\0\1\0", 4, "256"},
        {NAMED_INTEGER, 20, "\377\377\377\377\377\377\377\376", 8, "-2"},
        {NAMED_INTEGER, 0, "\0\0\0\11", 4, "9"},
        {NAMED_INTEGER, 23, "\0\0\1", 3, ""},
        {NAMED_INTEGER, 1700, "\0\1\0\0\0\0\0\0\0\7", 10, ""}, /* numeric */
        {NAMED_INTEGER, 25, "12", 2, "12"},
        {NAMED_TEXT, 25, "ab", 2, "ab"},
        {NAMED_TEXT, 0, "ab", 2, "ab"},
        {NAMED_UUID, 2950, "\240\356\274\231\234\13\116\370\273\155\153\271\275\70\12\21", 16,
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {NAMED_UUID, 0, "\240\356", 2, ""},
    };
    (void)state;
    struct subjects *subjects = subjects_new();
    assert_non_null(subjects);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct verdict_named named = {.kind = cases[i].kind};
        assert_int_equal(named_add_binary(subjects, &named, cases[i].type,
                                          (const unsigned char *)cases[i].bytes, cases[i].len),
                         OK);
        assert_string_equal(told(subjects), cases[i].named);
    }
    /* What a cast made of it is not known. */
    const struct verdict_named cast = {.kind = NAMED_INTEGER, .cast = true};
    assert_int_equal(named_add_binary(subjects, &cast, 0, (const unsigned char *)"\0\0\0\7", 4),
                     OK);
    assert_string_equal(told(subjects), "");
    assert_int_equal(named_add_binary(subjects, &cast, 23, (const unsigned char *)"\0\0\0\7", 4),
                     OK);
    assert_string_equal(told(subjects), "7");
    subjects_free(subjects);
}

static void binary_arrays_are_read_as_far_as_they_go(void **state)
{
    static const unsigned char array[] = {0,   0,   0,   1,   0, 0, 0, 1, 0, 0, 0, 23, 0, 0,
                                          0,   3,   0,   0,   0, 1, 0, 0, 0, 4, 0, 0,  0, 7,
                                          255, 255, 255, 255, 0, 0, 0, 4, 0, 0, 0, 9};
    static const unsigned char empty[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23};
    const struct verdict_named named = {.kind = NAMED_INTEGER, .list = true};
    (void)state;
    struct subjects *subjects = subjects_new();
    assert_non_null(subjects);
    assert_int_equal(named_add_binary(subjects, &named, 1007, array, sizeof array), OK);
    assert_string_equal(told(subjects), "7,9");
    assert_int_equal(named_add_binary(subjects, &named, 1007, empty, sizeof empty), OK);
    assert_string_equal(told(subjects), "");
    for (size_t len = 0; len < sizeof array; len++) {
        unsigned char *cut = malloc(len + 1); /* of that size: what is read behind it is found */
        assert_non_null(cut);
        memcpy(cut, array, len);
        assert_int_equal(named_add_binary(subjects, &named, 1007, cut, len), OK);
        assert_string_equal(told(subjects), len < 28 ? "" : "7");
        free(cut);
    }
    subjects_free(subjects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_as_postgresql_reads_them),
        cmocka_unit_test(binary_values_are_read_by_their_type),
        cmocka_unit_test(binary_arrays_are_read_as_far_as_they_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
