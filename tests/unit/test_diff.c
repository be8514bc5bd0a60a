/*
 * What `pgvigil diff` compares and files cannot say yet: break-glass (a policy with it is refused
 * at load), and when two expressions mean the same.
 */
#include "tools/diff.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgvigil/judge.h>
#include <pgvigil/text.h>

static struct policy *load(void)
{
    char path[] = "/tmp/pgvigil-diff-XXXXXX";
    struct policy *policy = NULL;
    struct policy_errors errors = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    assert_true(fputs("missions = ( { name = \"emergency\"; } );\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(policy_load(path, &policy, &errors), OK);
    policy_errors_free(&errors);
    assert_int_equal(unlink(path), 0);
    return policy;
}

static void set(struct policy *policy, const struct policy_break_glass *rules)
{
    ((struct policy_mission *)(uintptr_t)policy->missions)[0].break_glass = rules;
}

/* The direction of the one difference, or DIFF_DIRECTIONS when there is none. */
static enum diff_direction compared(const struct policy_break_glass *was,
                                    const struct policy_break_glass *is)
{
    struct policy *old = load();
    struct policy *new = load();
    set(old, was);
    set(new, is);
    struct diff diff = {.arena = arena_new(0), .old = old, .new = new};
    assert_int_equal(diff_make(&diff), OK);
    assert_true(diff.count <= 1);
    enum diff_direction direction = DIFF_DIRECTIONS;
    if (diff.count == 1) {
        assert_int_equal(diff.items[0].kind, DIFF_BREAK_GLASS);
        assert_string_equal(diff.items[0].mission, "emergency");
        assert_string_not_equal(diff.items[0].from, diff.items[0].to);
        direction = diff.items[0].direction;
    }
    arena_free(diff.arena);
    policy_unref(old);
    policy_unref(new);
    return direction;
}

static const char *const patient[] = {"patient"};
static const char *const both[] = {"patient", "place"};
static const char *const turned[] = {"place", "patient"};

static const struct policy_break_glass usual = {20, 60, patient, 1};

static void glass_less_asked_is_gain(void **state)
{
    (void)state;
    const struct policy_break_glass shorter = {10, 60, patient, 1};
    const struct policy_break_glass longer = {20, 90, patient, 1};
    const struct policy_break_glass nobody = {20, 60, NULL, 0};
    assert_int_equal(compared(&usual, NULL), DIFF_GAIN);
    assert_int_equal(compared(&usual, &shorter), DIFF_GAIN);
    assert_int_equal(compared(&usual, &longer), DIFF_GAIN);
    assert_int_equal(compared(&usual, &nobody), DIFF_GAIN);
}

static void glass_more_asked_is_loss(void **state)
{
    (void)state;
    const struct policy_break_glass shorter = {20, 30, patient, 1};
    const struct policy_break_glass more = {20, 60, both, 2};
    assert_int_equal(compared(NULL, &usual), DIFF_LOSS);
    assert_int_equal(compared(&usual, &shorter), DIFF_LOSS);
    assert_int_equal(compared(&usual, &more), DIFF_LOSS);
}

static void glass_less_and_more_asked_is_change(void **state)
{
    (void)state;
    const struct policy_break_glass other = {10, 30, patient, 1};
    assert_int_equal(compared(&usual, &other), DIFF_CHANGE);
    assert_int_equal(compared(&other, &usual), DIFF_CHANGE);
}

static void glass_same_is_nothing(void **state)
{
    (void)state;
    const struct policy_break_glass one = {20, 60, both, 2};
    const struct policy_break_glass other = {20, 60, turned, 2};
    assert_int_equal(compared(&usual, &usual), DIFF_DIRECTIONS);
    assert_int_equal(compared(&one, &other), DIFF_DIRECTIONS);
    assert_int_equal(compared(NULL, NULL), DIFF_DIRECTIONS);
}

static void meaning_differs(const char *a, const char *b, bool wanted)
{
    struct diff diff = {.arena = arena_new(0)};
    assert_int_equal(!text_same(diff_meaning(&diff, a), diff_meaning(&diff, b)), wanted);
    arena_free(diff.arena);
}

static void meaning_without_effect_is_same(void **state)
{
    (void)state;
    meaning_differs("a = 1", "a=1", false);
    meaning_differs("  a AND b -- why\n", "A and\tB", false);
    meaning_differs("f( :user.wards )", "f(:user.wards)", false);
    meaning_differs("a /* x */ + b", "a+b", false);
    meaning_differs("a::int", "a :: int", false);
    meaning_differs(NULL, NULL, false);
}

static void meaning_with_effect_differs(void **state)
{
    (void)state;
    meaning_differs("a b", "ab", true);
    meaning_differs("'A'", "'a'", true);
    meaning_differs("'a  b'", "'a b'", true);
    meaning_differs("\"A\"", "\"a\"", true);
    meaning_differs("a - -b", "a--b", true);
    meaning_differs("a < = b", "a <= b", true);
    meaning_differs("1 2", "12", true);
    meaning_differs("$$A$$", "$$a$$", true);
    meaning_differs("a", NULL, true);
    meaning_differs("a", "a OR true", true);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glass_less_asked_is_gain),
        cmocka_unit_test(glass_more_asked_is_loss),
        cmocka_unit_test(glass_less_and_more_asked_is_change),
        cmocka_unit_test(glass_same_is_nothing),
        cmocka_unit_test(meaning_without_effect_is_same),
        cmocka_unit_test(meaning_with_effect_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static void *on_thread(void *result)
{
    *(int *)result = run();
    return NULL;
}

int main(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int result = 1;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, JUDGE_STACK_BYTES);
    if (pthread_create(&thread, &attributes, on_thread, &result) != 0)
        return 1;
    (void)pthread_join(thread, NULL);
    (void)pthread_attr_destroy(&attributes);
    return result;
}
