/*
 * test_buf.c: appends, reads, the limit and the sticky failure of the byte buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgvigil/buf.h>

static void buf_append_and_consume_is_a_queue(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 0);
    unsigned char next_in = 0;
    unsigned char next_out = 0;
    for (size_t round = 0; round < 2000; round++) {
        for (size_t i = 0; i < round % 37; i++)
            buf_byte(&buf, next_in++);
        size_t take = buf_len(&buf) < round % 29 ? buf_len(&buf) : round % 29;
        for (size_t i = 0; i < take; i++)
            assert_int_equal(buf_head(&buf)[i], next_out++);
        buf_consume(&buf, take);
    }
    while (buf_len(&buf)) {
        assert_int_equal(*buf_head(&buf), next_out++);
        buf_consume(&buf, 1);
    }
    assert_int_equal(next_in, next_out);
    assert_false(buf.failed);
    buf_free(&buf);
}

static void buf_append_within_limit_works(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++)
        buf_append(&buf, "0123456789", 10);
    assert_false(buf.failed);
    assert_int_equal(buf_len(&buf), 1000);
    /* Room that was read is room again. */
    buf_consume(&buf, 10);
    buf_append(&buf, "abcdefghij", 10);
    assert_false(buf.failed);
    assert_memory_equal(buf_head(&buf) + 990, "abcdefghij", 10);
    buf_free(&buf);
}

static void buf_append_over_limit_fails_and_stays_failed(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++)
        buf_append(&buf, "0123456789", 10);
    buf_byte(&buf, 'x');
    assert_true(buf.failed);
    assert_int_equal(buf_len(&buf), 1000);
    buf_consume(&buf, 500);
    buf_byte(&buf, 'x');
    assert_int_equal(buf_len(&buf), 500);
    assert_null(buf_reserve(&buf, 1));
    buf_clear(&buf);
    buf_byte(&buf, 'x');
    assert_false(buf.failed);
    assert_int_equal(buf_len(&buf), 1);
    buf_free(&buf);
}

static void buf_reserve_huge_fails(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 0);
    buf_byte(&buf, 'x');
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    buf_free(&buf);
}

static void buf_numbers_in_network_order(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 0);
    buf_u16(&buf, 0x0102);
    buf_u32(&buf, 0xa1b2c3d4);
    buf_cstr(&buf, "z");
    assert_int_equal(buf_len(&buf), 8);
    assert_memory_equal(buf_head(&buf), "\x01\x02\xa1\xb2\xc3\xd4z\0", 8);
    buf_free(&buf);
}

static void buf_printf_appends_without_nul(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 0);
    buf_str(&buf, "a=");
    buf_printf(&buf, "%d %0300d", 7, 1);
    buf_str(&buf, "!");
    assert_int_equal(buf_len(&buf), 2 + 2 + 300 + 1);
    assert_memory_equal(buf_head(&buf), "a=7 000", 7);
    assert_int_equal(buf_head(&buf)[304], '!');
    buf_free(&buf);
}

static void buf_printf_over_limit_fails(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    buf_printf(&buf, "%020d", 1);
    assert_true(buf.failed);
    assert_int_equal(buf_len(&buf), 0);
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_append_and_consume_is_a_queue),
        cmocka_unit_test(buf_append_within_limit_works),
        cmocka_unit_test(buf_append_over_limit_fails_and_stays_failed),
        cmocka_unit_test(buf_reserve_huge_fails),
        cmocka_unit_test(buf_numbers_in_network_order),
        cmocka_unit_test(buf_printf_appends_without_nul),
        cmocka_unit_test(buf_printf_over_limit_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
