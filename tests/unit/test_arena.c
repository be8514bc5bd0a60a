/*
 * test_arena.c: alignment, limit, reset, growth of the arena.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgvigil/arena.h>

#define KIB ((size_t)1024)

static void arena_alloc_many_sizes_aligned_and_apart(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_non_null(arena);
    unsigned char *places[500];
    for (size_t i = 0; i < 500; i++) {
        places[i] = arena_alloc(arena, i * 7 % 1301);
        assert_non_null(places[i]);
        assert_int_equal((uintptr_t)places[i] % 16, 0);
        memset(places[i], (int)(i & 0xff), i * 7 % 1301);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t j = 0; j < i * 7 % 1301; j++)
            assert_int_equal(places[i][j], i & 0xff);
    }
    assert_false(arena_failed(arena));
    arena_free(arena);
}

static void arena_alloc_within_limit_works(void **state)
{
    (void)state;
    struct arena *arena = arena_new(64 * KIB);
    assert_non_null(arena_alloc(arena, 50 * KIB));
    assert_true(arena_size(arena) <= 64 * KIB);
    assert_false(arena_failed(arena));
    arena_free(arena);
}

static void arena_alloc_over_limit_fails_until_reset(void **state)
{
    (void)state;
    struct arena *arena = arena_new(64 * KIB);
    size_t got = 0;
    while (arena_alloc(arena, 1000))
        got += 1000;
    assert_true(got > 32 * KIB);
    assert_true(arena_size(arena) <= 64 * KIB);
    assert_true(arena_failed(arena));
    assert_null(arena_alloc(arena, 1));
    arena_reset(arena);
    assert_false(arena_failed(arena));
    assert_non_null(arena_alloc(arena, 1));
    arena_free(arena);
}

static void arena_alloc_huge_fails(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_null(arena_alloc(arena, SIZE_MAX - 8));
    assert_true(arena_failed(arena));
    arena_reset(arena);
    assert_null(arena_zalloc(arena, SIZE_MAX / 2, 3));
    assert_true(arena_failed(arena));
    arena_reset(arena);
    assert_null(arena_strndup(arena, "x", SIZE_MAX));
    assert_true(arena_failed(arena));
    arena_free(arena);
}

static void arena_reset_after_growth_keeps_one_chunk(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_non_null(arena_alloc(arena, 1));
    size_t first = arena_size(arena);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(arena, 100000));
    assert_true(arena_size(arena) > 10000000);
    arena_reset(arena);
    assert_int_equal(arena_size(arena), first);
    arena_free(arena);
}

static void arena_zalloc_after_reset_is_zero(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    memset(arena_alloc(arena, 1000), 0xff, 1000);
    arena_reset(arena);
    unsigned char *zeros = arena_zalloc(arena, 100, 10);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(zeros[i], 0);
    arena_free(arena);
}

static void arena_text_functions_copy(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_string_equal(arena_strdup(arena, "été"), "été");
    assert_string_equal(arena_strndup(arena, "abcdef", 3), "abc");
    assert_null(arena_strdup(arena, NULL));
    assert_null(arena_strndup(arena, NULL, 3));
    assert_string_equal(arena_printf(arena, "%s-%d", "x", 42), "x-42");
    arena_free(arena);
}

static void arena_grow_array_keeps_elements(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    uint32_t *array = NULL;
    size_t cap = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        array = arena_grow(arena, array, i, &cap, sizeof *array);
        assert_non_null(array);
        assert_true(cap > i);
        array[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    arena_free(arena);
}

static void arena_grow_over_limit_keeps_cap(void **state)
{
    (void)state;
    struct arena *arena = arena_new(8192);
    size_t cap = 4;
    char *array = arena_alloc(arena, 4);
    assert_null(arena_grow(arena, array, 100000, &cap, 1));
    assert_int_equal(cap, 4);
    assert_true(arena_failed(arena));
    arena_free(arena);
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_alloc_many_sizes_aligned_and_apart),
        cmocka_unit_test(arena_alloc_within_limit_works),
        cmocka_unit_test(arena_alloc_over_limit_fails_until_reset),
        cmocka_unit_test(arena_alloc_huge_fails),
        cmocka_unit_test(arena_reset_after_growth_keeps_one_chunk),
        cmocka_unit_test(arena_zalloc_after_reset_is_zero),
        cmocka_unit_test(arena_text_functions_copy),
        cmocka_unit_test(arena_grow_array_keeps_elements),
        cmocka_unit_test(arena_grow_over_limit_keeps_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
