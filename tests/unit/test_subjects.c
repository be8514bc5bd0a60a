/*
 * test_subjects.c: whose rows a record names, compared with a table of flags.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/subjects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE 700

/* The same numbers each time. */
static int draw(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return (int)(*seed >> 9);
}

static void add(struct subjects *subjects, bool *flags, int number)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", number - RANGE / 2);
    assert_int_equal(subjects_add(subjects, text, (size_t)len), OK);
    flags[number] = true;
}

/* Exactly those of the flags, in order, each once. */
static void lists(struct subjects *subjects, const bool *flags)
{
    struct audit_patients listed;
    size_t at = 0;
    subjects_list(subjects, &listed);
    assert_false(listed.failed);
    assert_int_equal(listed.text_count, 0);
    for (int i = 0; i < RANGE; i++) {
        if (!flags[i])
            continue;
        assert_true(at < listed.number_count);
        assert_int_equal(listed.numbers[at], i - RANGE / 2);
        at++;
    }
    assert_int_equal(at, listed.number_count);
}

/* Rising, falling, equal and mixed stretches of them, listed at any time, and cleared in between.
 */
static void subjects_listed_in_any_order_are_sorted_each_once(void **state)
{
    (void)state;
    uint32_t seed = 11;
    struct subjects *subjects = subjects_new();
    assert_non_null(subjects);
    for (int round = 0; round < 400; round++) {
        bool flags[RANGE] = {false};
        int stretches = draw(&seed) % 12;
        for (int i = 0; i < stretches; i++) {
            int at = draw(&seed) % RANGE;
            int step = draw(&seed) % 4 - 1;
            bool mixed = draw(&seed) % 4 == 0;
            for (int more = draw(&seed) % 90; more > 0 && at >= 0 && at < RANGE; more--, at += step)
                add(subjects, flags, mixed ? draw(&seed) % RANGE : at);
            if (draw(&seed) % 3 == 0)
                lists(subjects, flags);
        }
        lists(subjects, flags);
        subjects_clear(subjects);
    }
    subjects_free(subjects);
}

/* More than a record's worth of rows about few patients is not full; of many it is, once. */
static void subjects_full_counts_patients_not_rows(void **state)
{
    (void)state;
    char text[24];
    struct subjects *subjects = subjects_new();
    assert_non_null(subjects);
    for (size_t i = 0; i < 10 * SUBJECTS_RECORD_MAX; i++) {
        int len = snprintf(text, sizeof text, "%zu", i * 7919 % 3001);
        assert_int_equal(subjects_add(subjects, text, (size_t)len), OK);
    }
    struct audit_patients listed;
    subjects_list(subjects, &listed);
    assert_int_equal(listed.number_count, 3001);
    assert_false(subjects_full(subjects));
    subjects_clear(subjects);
    for (size_t i = 0; i < SUBJECTS_RECORD_MAX; i++) {
        assert_false(subjects_full(subjects));
        int len = snprintf(text, sizeof text, "-%zu", i + 1);
        assert_int_equal(subjects_add(subjects, text, (size_t)len), OK);
    }
    assert_true(subjects_full(subjects));
    subjects_list(subjects, &listed);
    assert_int_equal(listed.number_count, SUBJECTS_RECORD_MAX);
    assert_true(listed.numbers[0] == -(int64_t)SUBJECTS_RECORD_MAX);
    subjects_free(subjects);
}

/* Only what is written as PostgreSQL writes a number is one: others are somebody else. */
static void subjects_texts_that_look_like_numbers_stay_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "-0", "007", "+7", " 7", "7 ", "1e3", "", "-", "1234567890123456789"};
    size_t count = sizeof texts / sizeof texts[0];
    struct subjects *subjects = subjects_new();
    assert_non_null(subjects);
    for (size_t i = 0; i < 2 * count; i++)
        assert_int_equal(subjects_add(subjects, texts[i % count], strlen(texts[i % count])), OK);
    assert_int_equal(subjects_add(subjects, "7", 1), OK);
    assert_int_equal(subjects_add(subjects, "a\0b", 3), ERR_PROTOCOL);
    struct audit_patients listed;
    subjects_list(subjects, &listed);
    assert_int_equal(listed.number_count, 1);
    assert_int_equal(listed.text_count, count);
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(listed.texts[i - 1], listed.texts[i]) < 0);
    subjects_free(subjects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects_listed_in_any_order_are_sorted_each_once),
        cmocka_unit_test(subjects_full_counts_patients_not_rows),
        cmocka_unit_test(subjects_texts_that_look_like_numbers_stay_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
