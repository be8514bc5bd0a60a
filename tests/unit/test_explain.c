/* What of a plan's lines is shown. */
#include "proxy/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *line, const char *shown)
{
    struct buf out;
    buf_init(&out, 0);
    bool kept = explain_line(line, strlen(line), &out);
    assert_int_equal(kept, shown != NULL);
    assert_int_equal(buf_len(&out), shown == NULL ? 0 : strlen(shown));
    if (shown != NULL)
        assert_memory_equal(buf_head(&out), shown, strlen(shown));
    buf_free(&out);
}

static void nodes_are_shown_by_their_type_alone(void **state)
{
    (void)state;
    check("Result", "Result");
    check("Seq Scan on patients p", "Seq Scan");
    check("  ->  Index Only Scan Backward using patients_nir on patients",
          "  ->  Index Only Scan Backward");
    check("        ->  Nested Loop Left Join", "        ->  Nested Loop Left Join");
    check("Finalize GroupAggregate", "Finalize GroupAggregate");
    check("->  Custom Scan (secret) on x", "->  Custom Scan");
    check("HashSetOp Except All", "HashSetOp Except All");
    check("->  Seq Scan on \"Scan\"", "->  Seq Scan");
}

static void other_lines_are_not_shown(void **state)
{
    (void)state;
    check("", NULL);
    check(" ", NULL);
    check("->", NULL);
    check("->  ", NULL);
    check("  Sort Key: nir", NULL);
    check("  Filter: (ward_id = 7)", NULL);
    check("  Hash Cond: (a = b)", NULL);
    check("  SubPlan 1", NULL);
    check("  CTE secret", NULL);
    check("  Index", NULL);
    check("SECRET on x", NULL);
    check("->  SECRET Scan", NULL);
    check("->   Scan", NULL);
    check("Planning Time: 1.2 ms", NULL);
    check("Sorted", NULL);
    check("Sort\tKey", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_shown_by_their_type_alone),
        cmocka_unit_test(other_lines_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
