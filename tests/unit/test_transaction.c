/* What a transaction takes back of who acts and why. */
#include "proxy/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct identity identity;
static struct transaction transaction;

static int set_up(void **state)
{
    (void)state;
    static const char *const path[] = {"public"};
    memset(&identity, 0, sizeof identity);
    memset(&transaction, 0, sizeof transaction);
    assert_int_equal(identity_set_path(&identity, path, 1), OK);
    assert_int_equal(identity_set(&identity, "TimeZone", "UTC"), OK);
    assert_int_equal(identity_replace(&identity.patient, "0"), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    transaction_free(&transaction);
    identity_free(&identity);
    return 0;
}

static void set(const char *patient, bool local)
{
    assert_int_equal(transaction_touch(&transaction, &identity, local), OK);
    assert_int_equal(identity_replace(&identity.patient, patient), OK);
    bool failed = false;
    struct identity *kept = local ? NULL : transaction_kept(&transaction, &failed);
    assert_false(failed);
    if (kept != NULL)
        assert_int_equal(identity_replace(&kept->patient, patient), OK);
}

static void savepoint(const char *name)
{
    assert_int_equal(transaction_savepoint(&transaction, name), OK);
}

static void rollback_to(const char *name, const char *expected)
{
    assert_int_equal(transaction_rollback_to(&transaction, name, &identity), OK);
    assert_string_equal(identity.patient, expected);
}

static void commit(const char *expected)
{
    assert_int_equal(transaction_commit(&transaction, &identity), OK);
    assert_string_equal(identity.patient, expected);
    assert_true(transaction_clean(&transaction));
    assert_int_equal(transaction.count, 0);
    assert_int_equal(identity.setting_count, 1);
}

static void rollback(const char *expected)
{
    assert_int_equal(transaction_rollback(&transaction, &identity), OK);
    assert_string_equal(identity.patient, expected);
    assert_true(transaction_clean(&transaction));
    assert_int_equal(identity.setting_count, 1);
}

static void commit_keeps_set_and_ends_local(void **state)
{
    (void)state;
    transaction_begin(&transaction);
    set("1", false);
    commit("1");
    transaction_begin(&transaction);
    set("2", true);
    commit("1");
    set("3", true);
    set("4", false);
    commit("4");
    set("5", false);
    set("6", true);
    commit("5");
}

static void rollback_undoes_both(void **state)
{
    (void)state;
    transaction_begin(&transaction);
    set("1", false);
    set("2", true);
    rollback("0");
    rollback("0");
    commit("0");
}

static void rollback_to_undoes_what_came_after(void **state)
{
    (void)state;
    transaction_begin(&transaction);
    savepoint("a");
    set("1", true);
    savepoint("b");
    savepoint("c");
    set("2", false);
    rollback_to("b", "1");
    set("3", true);
    rollback_to("b", "1");
    rollback_to("a", "0");
    assert_int_equal(transaction_rollback_to(&transaction, "b", &identity), ERR_INTERNAL);
    set("4", false);
    commit("4");
}

static void release_merges(void **state)
{
    (void)state;
    transaction_begin(&transaction);
    set("1", true);
    savepoint("a");
    set("2", false);
    transaction_release(&transaction, "a");
    transaction_release(&transaction, "nobody");
    savepoint("a");
    set("3", true);
    transaction_release(&transaction, "a");
    assert_string_equal(identity.patient, "3");
    commit("2");
}

static void what_commit_leaves_is_undone_too(void **state)
{
    (void)state;
    transaction_begin(&transaction);
    set("1", true);
    savepoint("a");
    set("2", false);
    savepoint("b");
    set("3", false);
    rollback_to("b", "2");
    rollback_to("a", "1");
    commit("0");
}

static void abort_undoes_to_the_last_savepoint_of_a_block(void **state)
{
    (void)state;
    transaction_begin(&transaction);
    set("1", false);
    savepoint("a");
    set("2", false);
    assert_int_equal(transaction_abort(&transaction, &identity), OK);
    assert_true(transaction.aborted);
    assert_string_equal(identity.patient, "1");
    assert_int_equal(transaction_abort(&transaction, &identity), OK);
    rollback_to("a", "1");
    assert_false(transaction.aborted);
    commit("1");
}

static void abort_outside_a_block_undoes_everything(void **state)
{
    (void)state;
    set("1", false);
    set("2", true);
    assert_int_equal(transaction_abort(&transaction, &identity), OK);
    assert_string_equal(identity.patient, "0");
    assert_true(transaction_clean(&transaction));
}

static void count(struct identity *found, void *context)
{
    (void)found;
    ++*(int *)context;
}

static void visit_finds_all_that_may_come_back(void **state)
{
    (void)state;
    int found = 0;
    transaction_begin(&transaction);
    savepoint("a");
    transaction_visit(&transaction, count, &found);
    assert_int_equal(found, 0);
    set("1", true);
    savepoint("b");
    set("2", true);
    transaction_visit(&transaction, count, &found);
    assert_int_equal(found, 5); /* start, a, b, b's kept, kept */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(commit_keeps_set_and_ends_local),
        CASE(rollback_undoes_both),
        CASE(rollback_to_undoes_what_came_after),
        CASE(release_merges),
        CASE(what_commit_leaves_is_undone_too),
        CASE(abort_undoes_to_the_last_savepoint_of_a_block),
        CASE(abort_outside_a_block_undoes_everything),
        CASE(visit_finds_all_that_may_come_back),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
