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

static enum status add_list(struct subjects *subjects, const char *text, size_t len)
{
    char *room = malloc(len + 1); /* of that size: what is read behind it is found */
    assert_non_null(room);
    memcpy(room, text, len);
    enum status status = subjects_add_list(subjects, room, len);
    free(room);
    return status;
}

static void subjects_of_groups_are_read_as_postgresql_writes_arrays(void **state)
{
    static const char list[] = "{7,12,\"a b\",\"c\\\"d\\\\\",NULL,\"NULL\",\"\"}{9}";
    static const char *const texts[] = {"", "NULL", "a b", "c\"d\\"};
    static const int64_t numbers[] = {7, 9, 12};
    struct audit_patients listed;
    (void)state;
    struct subjects *subjects = subjects_new();
    assert_non_null(subjects);
    assert_int_equal(add_list(subjects, list, sizeof list - 1), OK);
    assert_false(subjects_over(subjects));
    subjects_list(subjects, &listed);
    assert_int_equal(listed.number_count, 3);
    assert_memory_equal(listed.numbers, numbers, sizeof numbers);
    assert_int_equal(listed.text_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(listed.texts[i], texts[i]);
    assert_int_equal(add_list(subjects, "{1}!{2}", 7), OK);
    assert_true(subjects_over(subjects));
    subjects_clear(subjects);
    assert_false(subjects_over(subjects));
    assert_int_equal(add_list(subjects, "", 0), OK);
    /* Cut anywhere but behind an array, it is none. */
    for (size_t len = 1; len < sizeof list - 1; len++)
        assert_int_equal(add_list(subjects, list, len),
                         len == sizeof list - 1 - strlen("{9}") ? OK : ERR_PROTOCOL);
    static const char *const broken[] = {"7",    "{}",    "{7",       "{7}8",  "{7,}",
                                         "{,7}", "{\"7}", "{\"7\"8}", "{\"7\\"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_int_equal(add_list(subjects, broken[i], strlen(broken[i])), ERR_PROTOCOL);
    subjects_free(subjects);
}

static void subjects_of_one_list_go_into_as_many_records_as_they_need(void **state)
{
    char text[32];
    size_t parts = 0;
    size_t named = 0;
    (void)state;
    struct subjects *subjects = subjects_new();
    assert_non_null(subjects);
    for (size_t i = 0; i < 2 * SUBJECTS_RECORD_MAX + 5; i++) {
        int len = snprintf(text, sizeof text, i % 2 == 0 ? "%zu" : "p%zu", 3 * i);
        assert_int_equal(subjects_add(subjects, text, (size_t)len), OK);
    }
    struct audit_patients rest;
    subjects_list(subjects, &rest);
    while (rest.number_count + rest.text_count > 0) {
        struct audit_patients part = subjects_part(&rest);
        assert_in_range(part.number_count + part.text_count, 1, SUBJECTS_RECORD_MAX);
        named += part.number_count + part.text_count;
        parts++;
    }
    assert_int_equal(named, 2 * SUBJECTS_RECORD_MAX + 5);
    assert_in_range(parts, 3, 4);
    subjects_free(subjects);
}

static void a_row_is_whole_enough_with_its_subjects(void **state)
{
    /* Two columns, of 1 and 3 bytes. */
    static const unsigned char row[] = {0, 2, 0, 0, 0, 1, '7', 0, 0, 0, 3, 'a', 'b', 'c'};
    (void)state;
    for (size_t len = 2; len <= sizeof row; len++) {
        assert_true(subjects_are_in((struct subjects_shape){0}, row, len));
        assert_int_equal(subjects_are_in((struct subjects_shape){.count = 1}, row, len), len >= 7);
        assert_int_equal(subjects_are_in((struct subjects_shape){.count = 2}, row, len),
                         len == sizeof row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects_of_groups_are_read_as_postgresql_writes_arrays),
        cmocka_unit_test(subjects_of_one_list_go_into_as_many_records_as_they_need),
        cmocka_unit_test(a_row_is_whole_enough_with_its_subjects),
        cmocka_unit_test(subjects_listed_in_any_order_are_sorted_each_once),
        cmocka_unit_test(subjects_full_counts_patients_not_rows),
        cmocka_unit_test(subjects_texts_that_look_like_numbers_stay_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
