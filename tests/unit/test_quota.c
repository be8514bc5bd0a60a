/* Rows of an hour, over sessions and workers. */
#include "proxy/quota.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MINUTE UINT64_C(60000000)
#define START  (UINT64_C(1000) * MINUTE)

static uint64_t take(struct quota *quota, const char *person, const char *mission, uint64_t limit,
                     uint64_t now)
{
    struct quota_portion portion;
    assert_int_equal(quota_take(quota, person, mission, limit, 64, now, &portion), OK);
    return portion.rows;
}

static uint64_t take_all(struct quota *quota, const char *person, uint64_t limit, uint64_t now)
{
    uint64_t sum = 0;
    uint64_t part;
    while ((part = take(quota, person, "care", limit, now)) > 0)
        sum += part;
    return sum;
}

static void give_back(struct quota *quota, uint64_t rows, uint64_t taken, uint64_t now)
{
    struct quota_portion portion = {.rows = rows, .minute = taken / MINUTE};
    quota_give_back(quota, "anna", "care", &portion, now);
    assert_int_equal(portion.rows, 0);
}

static void quota_is_never_passed_and_comes_back_with_the_hour(void **state)
{
    (void)state;
    struct quota *quota = quota_new();
    assert_non_null(quota);
    assert_int_equal(take_all(quota, "anna", 1000, START), 1000);
    assert_int_equal(take_all(quota, "anna", 1000, START + 59 * MINUTE), 0);
    assert_int_equal(take_all(quota, "anna", 1000, START + 60 * MINUTE), 1000);
    /* Minutes apart come back minutes apart. */
    assert_int_equal(take_all(quota, "bert", 10, START), 10);
    assert_int_equal(take_all(quota, "bert", 15, START + 30 * MINUTE), 5);
    assert_int_equal(take_all(quota, "bert", 15, START + 60 * MINUTE), 10);
    assert_int_equal(take_all(quota, "bert", 15, START + 89 * MINUTE), 0);
    assert_int_equal(take_all(quota, "bert", 15, START + 90 * MINUTE), 5);
    assert_int_equal(take_all(quota, "bert", 15, START + 100000 * MINUTE), 15);
    /* A clock that was read earlier. */
    assert_int_equal(take_all(quota, "bert", 15, START), 0);
    quota_free(quota);
}

static void quota_is_a_persons_under_a_mission(void **state)
{
    (void)state;
    struct quota *quota = quota_new();
    assert_non_null(quota);
    assert_int_equal(take_all(quota, "anna", 5, START), 5);
    assert_int_equal(take(quota, "anna", "research", 5, START), 1);
    assert_int_equal(take_all(quota, "ann", 5, START), 5);
    assert_int_equal(take(quota, "annac", "are", 5, START), 1);
    quota_free(quota);
}

static void quota_given_back_can_be_taken_again(void **state)
{
    (void)state;
    struct quota *quota = quota_new();
    assert_non_null(quota);
    assert_int_equal(take_all(quota, "anna", 100, START), 100);
    give_back(quota, 7, START, START + MINUTE);
    assert_int_equal(take_all(quota, "anna", 100, START + MINUTE), 7);
    /* Never more than was taken in that minute. */
    give_back(quota, 100000, START, START + 2 * MINUTE);
    assert_int_equal(take_all(quota, "anna", 100, START + 2 * MINUTE), 93);
    quota_free(quota);
}

static void quota_given_back_late_does_not_stand_for_rows_of_others(void **state)
{
    (void)state;
    struct quota *quota = quota_new();
    assert_non_null(quota);
    /* Held by results that nobody reads, until the hour forgets it. */
    assert_int_equal(take_all(quota, "anna", 100, START), 100);
    assert_int_equal(take_all(quota, "anna", 100, START + 60 * MINUTE), 100);
    give_back(quota, 100, START, START + 61 * MINUTE);
    assert_int_equal(take_all(quota, "anna", 100, START + 61 * MINUTE), 0);
    assert_int_equal(take_all(quota, "anna", 100, START + 119 * MINUTE), 0);
    /* Nor, given back within the hour, for younger ones: those of minute 180 count until 240. */
    assert_int_equal(take_all(quota, "anna", 50, START + 150 * MINUTE), 50);
    assert_int_equal(take_all(quota, "anna", 100, START + 180 * MINUTE), 50);
    give_back(quota, 50, START + 150 * MINUTE, START + 181 * MINUTE);
    assert_int_equal(take_all(quota, "anna", 100, START + 181 * MINUTE), 50);
    assert_int_equal(take_all(quota, "anna", 100, START + 239 * MINUTE), 0);
    assert_int_equal(take_all(quota, "anna", 100, START + 240 * MINUTE), 50);
    quota_free(quota);
}

static void quota_taken_in_another_minute_is_not_of_this_one(void **state)
{
    (void)state;
    struct quota *quota = quota_new();
    struct quota_portion portion;
    assert_non_null(quota);
    assert_int_equal(quota_take(quota, "anna", "care", 100, 64, START, &portion), OK);
    assert_true(quota_is_fresh(&portion, START));
    assert_true(quota_is_fresh(&portion, START + MINUTE - 1));
    assert_true(quota_is_fresh(&portion, START - MINUTE)); /* a clock that was read earlier */
    assert_false(quota_is_fresh(&portion, START + MINUTE));
    portion.rows = 0;
    assert_false(quota_is_fresh(&portion, START));
    quota_free(quota);
}

struct reader {
    struct quota *quota;
    uint64_t got;
};

static void *read_rows(void *context)
{
    struct reader *reader = context;
    for (;;) {
        struct quota_portion portion;
        if (quota_take(reader->quota, "anna", "care", 100000, 64, START, &portion) != OK ||
            portion.rows == 0)
            return NULL;
        uint64_t used = portion.rows / 2 + 1;
        reader->got += used;
        portion.rows -= used;
        quota_give_back(reader->quota, "anna", "care", &portion, START);
    }
}

static void quota_holds_for_several_threads_together(void **state)
{
    (void)state;
    struct quota *quota = quota_new();
    assert_non_null(quota);
    struct reader readers[4];
    pthread_t threads[4];
    uint64_t sum = 0;
    for (size_t i = 0; i < 4; i++) {
        readers[i] = (struct reader){.quota = quota};
        assert_int_equal(pthread_create(&threads[i], NULL, read_rows, &readers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        sum += readers[i].got;
    }
    assert_true(sum <= 100000);
    sum += take_all(quota, "anna", 100000, START);
    assert_int_equal(sum, 100000);
    quota_free(quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota_is_never_passed_and_comes_back_with_the_hour),
        cmocka_unit_test(quota_is_a_persons_under_a_mission),
        cmocka_unit_test(quota_given_back_can_be_taken_again),
        cmocka_unit_test(quota_given_back_late_does_not_stand_for_rows_of_others),
        cmocka_unit_test(quota_taken_in_another_minute_is_not_of_this_one),
        cmocka_unit_test(quota_holds_for_several_threads_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
