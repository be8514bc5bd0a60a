/*
 * test_pool_share.c: places are never given twice, and whoever waits or has one is found.
 */
#include "proxy/pool_share.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PLACES  7
#define THREADS 4
#define ROUNDS  20000

static struct pool_shares *made;
static size_t held[THREADS];

static void places_are_bounded(void **state)
{
    (void)state;
    struct pool_shares *shares = pool_shares_new(2, 3);
    for (int i = 0; i < PLACES; i++)
        assert_true(pool_share_enter(shares, 1, PLACES));
    assert_false(pool_share_enter(shares, 1, PLACES));
    assert_int_equal(pool_share_open(shares, 1), PLACES);
    assert_int_equal(pool_share_open(shares, 0), 0);
    pool_share_leave(shares, 1);
    assert_true(pool_share_enter(shares, 1, PLACES));
    assert_false(pool_share_enter(shares, 1, PLACES));
    pool_shares_free(shares);
}

static void *enter_and_leave(void *argument)
{
    size_t *count = argument;
    for (int i = 0; i < ROUNDS; i++) {
        if (pool_share_enter(made, 0, PLACES)) {
            if (pool_share_open(made, 0) > PLACES)
                return argument;
            (*count)++;
            pool_share_leave(made, 0);
        }
    }
    return NULL;
}

static void places_are_bounded_for_all_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    made = pool_shares_new(1, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave, &held[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
        assert_true(held[i] > 0);
    }
    assert_int_equal(pool_share_open(made, 0), 0);
    pool_shares_free(made);
}

static void idle_is_found_elsewhere_only(void **state)
{
    (void)state;
    struct pool_shares *shares = pool_shares_new(2, 3);
    assert_int_equal(pool_share_with_idle(shares, 0, 0), POOL_SHARE_NOBODY);
    pool_share_idle(shares, 0, 0, 5);
    assert_int_equal(pool_share_with_idle(shares, 0, 0), POOL_SHARE_NOBODY);
    assert_int_equal(pool_share_with_idle(shares, 0, 1), 0);
    assert_int_equal(pool_share_with_idle(shares, 1, 1), POOL_SHARE_NOBODY);
    pool_share_idle(shares, 0, 2, 6);
    assert_int_equal(pool_share_with_idle(shares, 0, 1), 2);
    pool_share_idle(shares, 0, 2, 0);
    assert_int_equal(pool_share_with_idle(shares, 0, 1), 0);
    pool_shares_free(shares);
}

static void longest_waiter_elsewhere_is_found(void **state)
{
    (void)state;
    struct pool_shares *shares = pool_shares_new(1, 3);
    assert_int_equal(pool_share_needier(shares, 0, 0, 0), POOL_SHARE_NOBODY);
    pool_share_waits(shares, 0, 1, 2000);
    pool_share_waits(shares, 0, 2, 1000);
    assert_int_equal(pool_share_needier(shares, 0, 0, 0), 2);
    assert_int_equal(pool_share_needier(shares, 0, 2, 0), 1);
    assert_int_equal(pool_share_needier(shares, 0, 0, 1500), 2);
    assert_int_equal(pool_share_needier(shares, 0, 0, 1000), POOL_SHARE_NOBODY);
    assert_int_equal(pool_share_needier(shares, 0, 0, 1), POOL_SHARE_NOBODY);
    pool_share_waits(shares, 0, 2, 0);
    assert_int_equal(pool_share_needier(shares, 0, 0, 0), 1);
    pool_shares_free(shares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(places_are_bounded),
                                       cmocka_unit_test(places_are_bounded_for_all_threads),
                                       cmocka_unit_test(idle_is_found_elsewhere_only),
                                       cmocka_unit_test(longest_waiter_elsewhere_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
