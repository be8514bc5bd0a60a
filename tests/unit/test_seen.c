/*
 * test_seen.c: sets of patients, compared with a table of flags.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "audit/seen.h"

#include <stdlib.h>
#include <string.h>

#define RANGE 300

/* Goes through the gaps of first..last as an export does; marks them. */
static void take(struct seen *seen, bool *flags, int first, int last)
{
    struct seen_run gap;
    int at = first;
    while (seen_gap(seen, first, last, &gap)) {
        assert_true(gap.first >= at && gap.first <= gap.last && gap.last <= last);
        for (; at < gap.first; at++)
            assert_true(flags[at]);
        for (; at <= gap.last; at++) {
            assert_false(flags[at]);
            flags[at] = true;
        }
        assert_int_equal(seen_add(seen, gap.first, gap.last), OK);
    }
    for (; at <= last; at++)
        assert_true(flags[at]);
}

/* The same numbers each time. */
static int draw(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return (int)(*seed >> 9);
}

static void seen_runs_random_are_given_once(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int round = 0; round < 200; round++) {
        struct seen seen = {0};
        bool flags[RANGE] = {false};
        for (int i = 0; i < 60; i++) {
            int first = draw(&seed) % RANGE;
            int last = first + draw(&seed) % 12;
            take(&seen, flags, first, last < RANGE ? last : RANGE - 1);
        }
        for (size_t i = 1; i < seen.count; i++)
            assert_true(seen.runs[i - 1].last + 1 < seen.runs[i].first);
        seen_free(&seen);
    }
}

static void seen_runs_extreme_do_not_overflow(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct seen_run gap;
    assert_int_equal(seen_add(&seen, INT64_MAX, INT64_MAX), OK);
    assert_int_equal(seen_add(&seen, INT64_MIN, INT64_MIN), OK);
    assert_false(seen_gap(&seen, INT64_MIN, INT64_MIN, &gap));
    assert_false(seen_gap(&seen, INT64_MAX, INT64_MAX, &gap));
    assert_true(seen_gap(&seen, INT64_MIN, INT64_MAX, &gap));
    assert_true(gap.first == INT64_MIN + 1 && gap.last == INT64_MAX - 1);
    assert_int_equal(seen_add(&seen, gap.first, gap.last), OK);
    assert_false(seen_gap(&seen, INT64_MIN, INT64_MAX, &gap));
    assert_int_equal(seen.count, 1);
    seen_free(&seen);
}

static void seen_text_again_is_not_fresh(void **state)
{
    (void)state;
    struct seen seen = {0};
    bool fresh = false;
    assert_int_equal(seen_text(&seen, "A-17", &fresh), OK);
    assert_true(fresh);
    assert_int_equal(seen_text(&seen, "A-17", &fresh), OK);
    assert_false(fresh);
    assert_int_equal(seen_text(&seen, "a-17", &fresh), OK);
    assert_true(fresh);
    seen_free(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seen_runs_random_are_given_once),
        cmocka_unit_test(seen_runs_extreme_do_not_overflow),
        cmocka_unit_test(seen_text_again_is_not_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
