/* The names of cursors follow what the server says it has done (proxy/cursor.c). */
#include "proxy/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static void done(struct cursors *cursors, enum statement_kind kind, const char *target)
{
    const struct verdict_statement statement = {.kind = kind, .target = target};
    assert_int_equal(cursors_apply(&cursors, &statement, false, NULL), OK);
}

static void declare(struct cursors *cursors, const char *name, bool hold)
{
    const struct verdict_statement statement = {.kind = STATEMENT_DECLARE, .target = name};
    struct cursor *cursor = cursor_new(name, NULL, 0, hold);
    assert_non_null(cursor);
    assert_int_equal(cursors_apply(&cursors, &statement, false, cursor), OK);
    cursor_unref(cursor);
}

static void names_end_with_close_and_transaction(void **state)
{
    struct cursors *cursors = cursors_new();
    (void)state;
    declare(cursors, "a", false);
    declare(cursors, "A", false);
    assert_non_null(cursors_find(cursors, "a"));
    assert_ptr_not_equal(cursors_find(cursors, "a"), cursors_find(cursors, "A"));
    done(cursors, STATEMENT_CLOSE, "a");
    assert_null(cursors_find(cursors, "a"));
    cursors_remove(cursors, "A");
    assert_null(cursors_find(cursors, "A"));
    declare(cursors, "b", false);
    cursors_ready(cursors, 'T');
    assert_non_null(cursors_find(cursors, "b"));
    cursors_ready(cursors, 'E');
    assert_non_null(cursors_find(cursors, "b"));
    cursors_ready(cursors, 'I');
    assert_null(cursors_find(cursors, "b"));
    cursors_free(cursors);
}

/* As a session has it that has declared none. */
static void names_that_are_not_there_are_made_by_the_first(void **state)
{
    (void)state;
    struct cursors *cursors = NULL;
    const struct verdict_statement commit = {.kind = STATEMENT_COMMIT};
    const struct verdict_statement first = {.kind = STATEMENT_SAVEPOINT, .target = "s"};
    assert_null(cursors_find(cursors, "a"));
    assert_false(cursors_hold(cursors));
    assert_false(cursors_held(cursors));
    cursors_remove(cursors, "a");
    cursors_failed(cursors);
    cursors_ready(cursors, 'I');
    cursors_clear(cursors);
    assert_int_equal(cursors_apply(&cursors, &commit, false, NULL), OK);
    assert_null(cursors);
    struct cursors *copy = cursors_copy(cursors);
    assert_non_null(copy);
    cursors_free(copy);
    assert_int_equal(cursors_apply(&cursors, &first, false, NULL), OK);
    assert_non_null(cursors);
    declare(cursors, "a", false);
    done(cursors, STATEMENT_ROLLBACK_TO, "s");
    assert_null(cursors_find(cursors, "a"));
    cursors_free(cursors);
}

static void rollback_to_undoes_declare_and_no_close(void **state)
{
    struct cursors *cursors = cursors_new();
    (void)state;
    declare(cursors, "before", false);
    declare(cursors, "closed", false);
    done(cursors, STATEMENT_SAVEPOINT, "s");
    declare(cursors, "inside", false);
    done(cursors, STATEMENT_CLOSE, "closed");
    done(cursors, STATEMENT_SAVEPOINT, "t");
    declare(cursors, "deeper", false);
    done(cursors, STATEMENT_RELEASE, "t");
    assert_non_null(cursors_find(cursors, "deeper"));
    done(cursors, STATEMENT_ROLLBACK_TO, "s");
    assert_non_null(cursors_find(cursors, "before"));
    assert_null(cursors_find(cursors, "closed"));
    assert_null(cursors_find(cursors, "inside"));
    assert_null(cursors_find(cursors, "deeper")); /* RELEASE gave it to s */
    done(cursors, STATEMENT_ROLLBACK_TO, "nosuch");
    done(cursors, STATEMENT_RELEASE, "nosuch");
    assert_non_null(cursors_find(cursors, "before"));
    cursors_free(cursors);
}

static void hold_outlives_what_commits_only(void **state)
{
    struct cursors *cursors = cursors_new();
    const struct verdict_statement commit = {.kind = STATEMENT_COMMIT};
    (void)state;
    declare(cursors, "kept", true);
    done(cursors, STATEMENT_COMMIT, NULL);
    declare(cursors, "undone", true);
    assert_int_equal(cursors_apply(&cursors, &commit, true, NULL), OK); /* answered ROLLBACK */
    assert_null(cursors_find(cursors, "undone"));
    declare(cursors, "failed", true);
    cursors_failed(cursors);
    cursors_ready(cursors, 'I');
    assert_null(cursors_find(cursors, "failed"));
    declare(cursors, "implicit", true);
    cursors_ready(cursors, 'I');
    done(cursors, STATEMENT_ROLLBACK, NULL);
    assert_non_null(cursors_find(cursors, "implicit"));
    assert_non_null(cursors_find(cursors, "kept"));
    assert_true(cursors_hold(cursors));
    done(cursors, STATEMENT_CLOSE, NULL);
    assert_false(cursors_hold(cursors));
    assert_true(cursors_held(cursors)); /* the connection has had one */
    cursors_clear(cursors);
    assert_false(cursors_held(cursors));
    cursors_free(cursors);
}

static void copy_is_apart_and_full_is_said(void **state)
{
    struct cursors *cursors = cursors_new();
    char name[16];
    (void)state;
    declare(cursors, "c", false);
    done(cursors, STATEMENT_SAVEPOINT, "s");
    struct cursors *copy = cursors_copy(cursors);
    assert_non_null(copy);
    assert_ptr_equal(cursors_find(copy, "c"), cursors_find(cursors, "c"));
    declare(copy, "d", false);
    done(copy, STATEMENT_ROLLBACK_TO, "s");
    assert_null(cursors_find(copy, "d"));
    done(copy, STATEMENT_CLOSE, "c");
    assert_null(cursors_find(copy, "c"));
    assert_non_null(cursors_find(cursors, "c"));
    cursors_free(copy);
    for (unsigned i = 1; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "n%u", i);
        declare(cursors, name, false);
    }
    const struct verdict_statement statement = {.kind = STATEMENT_DECLARE, .target = "more"};
    struct cursor *more = cursor_new("more", NULL, 0, false);
    assert_int_equal(cursors_apply(&cursors, &statement, false, more), ERR_LIMIT);
    cursor_unref(more);
    cursors_free(cursors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_end_with_close_and_transaction),
        cmocka_unit_test(names_that_are_not_there_are_made_by_the_first),
        cmocka_unit_test(rollback_to_undoes_declare_and_no_close),
        cmocka_unit_test(hold_outlives_what_commits_only),
        cmocka_unit_test(copy_is_apart_and_full_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
