/*
 * Counting: buckets' borders, sums of several workers, and that readers in other threads see
 * figures that only grow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/meter.h"
#include <pthread.h>

static void bucket_holds_up_to_its_border(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(0), 0);
    for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t border = (uint64_t)1 << (HISTOGRAM_FIRST_BIT + i);
        assert_int_equal(histogram_bucket(border - 1), i == 0 ? 0 : i);
        assert_int_equal(histogram_bucket(border), i);
        assert_int_equal(histogram_bucket(border + 1), i + 1);
    }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void meters_share_no_cache_line(void **state)
{
    (void)state;
    struct meter *meters = meters_new(3);
    assert_non_null(meters);
    assert_int_equal(sizeof *meters % 64, 0);
    assert_int_equal((uintptr_t)meters % 64, 0);
    free(meters);
}

static void sum_is_of_all_that_was_counted(void **state)
{
    (void)state;
    struct meter *meters = meters_new(2);
    struct meter_sum sum;
    memset(&sum, 0, sizeof sum);
    meter_count(&meters[0], FIGURE_STATEMENT);
    meter_add(&meters[1], FIGURE_STATEMENT, 4);
    meter_observe(&meters[0], HISTOGRAM_STATEMENT, 10);
    meter_observe(&meters[1], HISTOGRAM_STATEMENT, 20);
    meter_observe(&meters[1], HISTOGRAM_STATEMENT, UINT32_MAX);
    meter_sum(&meters[0], &sum);
    assert_int_equal(sum.figures[FIGURE_STATEMENT], 1);
    meter_sum(&meters[1], &sum);
    assert_int_equal(sum.figures[FIGURE_STATEMENT], 5);
    assert_int_equal(sum.figures[FIGURE_REFUSAL], 0);
    assert_int_equal(sum.histograms[HISTOGRAM_STATEMENT].count, 3);
    assert_int_equal(sum.histograms[HISTOGRAM_STATEMENT].microseconds, (uint64_t)30 + UINT32_MAX);
    assert_int_equal(sum.histograms[HISTOGRAM_STATEMENT].buckets[0], 1);
    assert_int_equal(sum.histograms[HISTOGRAM_STATEMENT].buckets[1], 1);
    assert_int_equal(sum.histograms[HISTOGRAM_STATEMENT].buckets[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(sum.histograms[HISTOGRAM_WAIT].count, 0);
    free(meters);
}

#define ROUNDS 200000u

static void *owner(void *context)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        meter_count(context, FIGURE_ROW);
        meter_observe(context, HISTOGRAM_WAIT, i);
    }
    return NULL;
}

static void reader_sees_figures_that_only_grow(void **state)
{
    (void)state;
    struct meter *meter = meters_new(1);
    pthread_t thread;
    uint64_t rows = 0;
    uint64_t waits = 0;
    assert_int_equal(pthread_create(&thread, NULL, owner, meter), 0);
    while (rows < ROUNDS || waits < ROUNDS) {
        struct meter_sum sum;
        memset(&sum, 0, sizeof sum);
        meter_sum(meter, &sum);
        assert_true(sum.figures[FIGURE_ROW] >= rows);
        assert_true(sum.histograms[HISTOGRAM_WAIT].count >= waits);
        rows = sum.figures[FIGURE_ROW];
        waits = sum.histograms[HISTOGRAM_WAIT].count;
    }
    pthread_join(thread, NULL);
    assert_int_equal(rows, ROUNDS);
    assert_int_equal(waits, ROUNDS);
    free(meter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_holds_up_to_its_border),
        cmocka_unit_test(meters_share_no_cache_line),
        cmocka_unit_test(sum_is_of_all_that_was_counted),
        cmocka_unit_test(reader_sees_figures_that_only_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
