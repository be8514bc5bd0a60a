/* The border between what may leave and what may not. */
#include "proxy/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const unsigned char row[] = {'D', 0, 0, 0, 6, 0, 0};
static const unsigned char complete[] = {'C', 0, 0, 0, 5, 0};
static const unsigned char in_block[] = {'Z', 0, 0, 0, 5, 'T'};
static const unsigned char idle[] = {'Z', 0, 0, 0, 5, 'I'};
static const unsigned char parameter[] = {'S', 0, 0, 0, 8, 'a', 0, 'b', 0};
static const char error[] = "Exxxxxx";

static void add(struct outbox *out, const void *bytes, size_t len)
{
    buf_append(&out->bytes, bytes, len);
}

static void expect(const struct outbox *out, const char *types)
{
    const unsigned char *at = out->bytes.data + out->bytes.head;
    for (; *types != '\0'; types++) {
        assert_int_equal(*at, *types);
        at += *types == 'E'
                  ? sizeof error - 1
                  : 1 + ((size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4]);
    }
    assert_ptr_equal(at, out->bytes.data + out->bytes.tail);
}

static void outbox_uncovered_bytes_are_never_safe(void **state)
{
    (void)state;
    struct outbox out;
    outbox_init(&out, 0);
    add(&out, row, sizeof row);
    outbox_release(&out);
    assert_int_equal(out.safe, 0);
    outbox_cover(&out);
    assert_int_equal(out.safe, 0);
    assert_true(outbox_holds_covered(&out));
    add(&out, row, sizeof row);
    outbox_release(&out);
    assert_int_equal(out.safe, sizeof row);
    assert_int_equal(outbox_uncovered(&out), sizeof row);
    outbox_written(&out, 3);
    assert_int_equal(out.safe, sizeof row - 3);
    assert_int_equal(out.covered, sizeof row - 3);
    outbox_free(&out);
}

static void withdraw_answers_become_one_error_a_group(void **state)
{
    (void)state;
    struct outbox out;
    outbox_init(&out, 0);
    add(&out, row, sizeof row);
    outbox_cover(&out);
    outbox_release(&out);
    add(&out, row, sizeof row);
    add(&out, complete, sizeof complete);
    add(&out, parameter, sizeof parameter);
    add(&out, in_block, sizeof in_block);
    add(&out, row, sizeof row);
    add(&out, idle, sizeof idle);
    outbox_cover(&out);
    bool in_group = true;
    bool in_transaction = false;
    assert_int_equal(outbox_withdraw(&out, error, sizeof error - 1, &in_group, &in_transaction),
                     OK);
    expect(&out, "DESZEZ");
    assert_false(in_group);
    assert_true(in_transaction);
    /* The block that the client was told failed is shown as failed. */
    assert_int_equal(
        out.bytes.data[out.bytes.head + sizeof row + sizeof error - 1 + sizeof parameter + 5], 'E');
    assert_int_equal(out.safe, outbox_len(&out));
    outbox_free(&out);
}

static void withdraw_open_group_drops_what_follows(void **state)
{
    (void)state;
    struct outbox out;
    outbox_init(&out, 0);
    add(&out, row, sizeof row);
    outbox_cover(&out);
    add(&out, row, sizeof row);
    bool in_group = false;
    bool in_transaction = false;
    assert_int_equal(outbox_withdraw(&out, error, sizeof error - 1, &in_group, &in_transaction),
                     OK);
    expect(&out, "E");
    assert_true(in_group);
    outbox_free(&out);
}

static void withdraw_only_ready_keeps_it_as_it_is(void **state)
{
    (void)state;
    struct outbox out;
    outbox_init(&out, 0);
    add(&out, in_block, sizeof in_block);
    outbox_cover(&out);
    bool in_group = true;
    bool in_transaction = true;
    assert_int_equal(outbox_withdraw(&out, error, sizeof error - 1, &in_group, &in_transaction),
                     OK);
    expect(&out, "Z");
    assert_int_equal(out.bytes.data[out.bytes.head + 5], 'T');
    assert_false(in_transaction);
    outbox_free(&out);
}

static void withdraw_in_the_middle_of_a_message_is_refused(void **state)
{
    (void)state;
    struct outbox out;
    outbox_init(&out, 0);
    add(&out, row, sizeof row - 2);
    out.open = 2;
    outbox_cover(&out);
    outbox_release(&out);
    add(&out, row + sizeof row - 2, 2);
    out.open = 0;
    outbox_cover(&out);
    bool in_group;
    bool in_transaction;
    assert_int_equal(outbox_withdraw(&out, error, sizeof error - 1, &in_group, &in_transaction),
                     ERR_PROTOCOL);
    outbox_free(&out);
}

static void drop_uncovered_leaves_the_covered(void **state)
{
    (void)state;
    struct outbox out;
    outbox_init(&out, 0);
    add(&out, complete, sizeof complete);
    outbox_cover(&out);
    add(&out, row, sizeof row);
    assert_int_equal(outbox_drop_uncovered(&out), OK);
    expect(&out, "C");
    out.open = 1;
    assert_int_equal(outbox_drop_uncovered(&out), ERR_PROTOCOL);
    outbox_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outbox_uncovered_bytes_are_never_safe),
        cmocka_unit_test(withdraw_answers_become_one_error_a_group),
        cmocka_unit_test(withdraw_open_group_drops_what_follows),
        cmocka_unit_test(withdraw_only_ready_keeps_it_as_it_is),
        cmocka_unit_test(withdraw_in_the_middle_of_a_message_is_refused),
        cmocka_unit_test(drop_uncovered_leaves_the_covered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
