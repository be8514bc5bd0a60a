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
    uint64_t granted = 0;
    assert_int_equal(quota_take(quota, person, mission, limit, 64, now, &granted), OK);
    return granted;
}

static uint64_t take_all(struct quota *quota, const char *person, uint64_t limit, uint64_t now)
{
    uint64_t sum = 0;
    uint64_t part;
    while ((part = take(quota, person, "care", limit, now)) > 0)
        sum += part;
    return sum;
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
    quota_give_back(quota, "anna", "care", 7, START + MINUTE);
    assert_int_equal(take_all(quota, "anna", 100, START + MINUTE), 7);
    /* Never more than was taken. */
    quota_give_back(quota, "anna", "care", 100000, START + 2 * MINUTE);
    assert_int_equal(take_all(quota, "anna", 100, START + 2 * MINUTE), 100);
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
        uint64_t granted = 0;
        if (quota_take(reader->quota, "anna", "care", 100000, 64, START, &granted) != OK ||
            granted == 0)
            return NULL;
        uint64_t used = granted / 2 + 1;
        reader->got += used;
        quota_give_back(reader->quota, "anna", "care", granted - used, START);
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
        cmocka_unit_test(quota_holds_for_several_threads_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
