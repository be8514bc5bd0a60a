/* The queue that joins the two halves of a pipelined session. */
#include "proxy/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void requests_keep_their_order_and_count_what_is_owed(void **state)
{
    (void)state;
    struct request_spares *spares = request_spares_new();
    assert_non_null(spares);
    struct requests queue;
    requests_init(&queue, spares);
    assert_null(requests_head(&queue));
    assert_non_null(requests_add(&queue, REQUEST_PARSE));
    assert_non_null(requests_add_canned(&queue, REQUEST_LOCAL, "abc", 3));
    assert_non_null(requests_add(&queue, REQUEST_SYNC));
    assert_int_equal(queue.count, 3);
    assert_int_equal(queue.remote, 2);
    requests_pop(&queue);
    assert_int_equal(requests_head(&queue)->kind, REQUEST_LOCAL);
    assert_memory_equal(requests_head(&queue)->canned, "abc", 3);
    requests_pop(&queue);
    assert_int_equal(requests_head(&queue)->kind, REQUEST_SYNC);
    requests_clear(&queue);
    request_spares_free(spares);
    assert_int_equal(queue.count, 0);
    assert_int_equal(queue.remote, 0);
}

static void note(struct request *request, void *context)
{
    char *seen = context;
    size_t len = strlen(seen);
    seen[len] = (char)('a' + (int)request->kind);
    seen[len + 1] = '\0';
}

static void skip_group_drops_newest_first_up_to_its_sync(void **state)
{
    (void)state;
    struct request_spares *spares = request_spares_new();
    assert_non_null(spares);
    struct requests queue;
    requests_init(&queue, spares);
    char seen[16] = "";
    assert_non_null(requests_add(&queue, REQUEST_BIND));
    assert_non_null(requests_add_canned(&queue, REQUEST_LOCAL, "", 0));
    assert_non_null(requests_add(&queue, REQUEST_EXECUTE));
    assert_non_null(requests_add(&queue, REQUEST_SYNC));
    assert_non_null(requests_add(&queue, REQUEST_PARSE));
    requests_skip_group(&queue, note, seen);
    const char expected[] = {'a' + REQUEST_EXECUTE, 'a' + REQUEST_LOCAL, 'a' + REQUEST_BIND, 0};
    assert_string_equal(seen, expected);
    assert_int_equal(requests_head(&queue)->kind, REQUEST_SYNC);
    assert_int_equal(queue.count, 2);
    requests_clear(&queue);
    request_spares_free(spares);
}

static void skip_group_without_sync_drops_everything(void **state)
{
    (void)state;
    struct request_spares *spares = request_spares_new();
    assert_non_null(spares);
    struct requests queue;
    requests_init(&queue, spares);
    char seen[16] = "";
    assert_non_null(requests_add(&queue, REQUEST_BIND));
    assert_non_null(requests_add(&queue, REQUEST_EXECUTE));
    requests_skip_group(&queue, note, seen);
    assert_int_equal(strlen(seen), 2);
    assert_int_equal(queue.count, 0);
    requests_skip_group(&queue, note, seen);
    assert_int_equal(strlen(seen), 2);
    request_spares_free(spares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_keep_their_order_and_count_what_is_owed),
        cmocka_unit_test(skip_group_drops_newest_first_up_to_its_sync),
        cmocka_unit_test(skip_group_without_sync_drops_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
