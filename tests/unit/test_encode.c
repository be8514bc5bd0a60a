/*
 * test_encode.c: JSON strings against Jansson's own reading of them, byte by byte and place by
 * place: eight plain bytes are copied at once, and none of another kind may pass as one.
 */
#include "audit/encode.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What Jansson reads in what was written for `text`; the caller frees. */
static char *read_back(const char *text, size_t max)
{
    struct buf out;
    buf_init(&out, 0);
    (void)encode_string(&out, text, max);
    assert_false(out.failed);
    json_error_t error;
    json_t *value = json_loadb((const char *)buf_head(&out), buf_len(&out),
                               JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        fail_msg("%s: %.*s", error.text, (int)buf_len(&out), (const char *)buf_head(&out));
    for (size_t i = 0; i < buf_len(&out); i++)
        assert_true(buf_head(&out)[i] >= 0x20 && buf_head(&out)[i] != 0x7f);
    char *copy = strdup(json_string_value(value));
    assert_non_null(copy);
    json_decref(value);
    buf_free(&out);
    return copy;
}

static void every_byte_in_every_place_comes_back(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 20; len++) {
        for (size_t place = 0; place < len; place++) {
            for (unsigned byte = 1; byte < 0x80; byte++) {
                char text[24] = "";
                memset(text, 'x', len);
                text[place] = (char)byte;
                char *back = read_back(text, 1000);
                assert_string_equal(back, text);
                free(back);
            }
        }
    }
}

static void bytes_that_are_no_text_become_the_replacement(void **state)
{
    (void)state;
    for (size_t place = 0; place < 17; place++) {
        for (unsigned byte = 0x80; byte < 0x100; byte++) {
            char text[24] = "";
            char expected[32] = "";
            memset(text, 'x', 17);
            text[place] = (char)byte;
            (void)snprintf(expected, sizeof expected, "%.*s\xef\xbf\xbd%s", (int)place, text,
                           text + place + 1);
            char *back = read_back(text, 1000);
            assert_string_equal(back, expected);
            free(back);
        }
    }
}

static void whole_characters_come_back_and_a_cut_splits_none(void **state)
{
    (void)state;
    static const char text[] = "aé€\xf0\x9f\x98\x80 \"Hélène\"\\ aaaaaaaaé";
    char *whole = read_back(text, sizeof text);
    assert_string_equal(whole, text);
    free(whole);
    for (size_t max = 0; max < sizeof text - 1; max++) {
        char *back = read_back(text, max);
        size_t kept = strlen(back) - 3; /* the ellipsis */
        assert_true(kept <= max);
        assert_memory_equal(back, text, kept);
        assert_string_equal(back + kept, "\xe2\x80\xa6");
        free(back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_in_every_place_comes_back),
        cmocka_unit_test(bytes_that_are_no_text_become_the_replacement),
        cmocka_unit_test(whole_characters_come_back_and_a_cut_splits_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
