/*
 * test_map.c: the hash map against a plain array, with many removals (tombstones).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pgvigil/map.h>

#define KEYS 3000

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void map_random_operations_match_array(void **state)
{
    (void)state;
    static int values[KEYS];
    static void *expected[KEYS];
    struct map *map = map_new();
    assert_non_null(map);
    uint32_t seed = 42;
    size_t count = 0;
    for (int i = 0; i < 200000; i++) {
        size_t n = next_random(&seed) % KEYS;
        char key[32];
        (void)snprintf(key, sizeof key, "key-%zu", n);
        if (next_random(&seed) % 2) {
            void *value = &values[next_random(&seed) % KEYS];
            assert_int_equal(map_put_str(map, key, value), OK);
            count += !expected[n];
            expected[n] = value;
        } else {
            assert_ptr_equal(map_remove_str(map, key), expected[n]);
            count -= expected[n] != NULL;
            expected[n] = NULL;
        }
        assert_int_equal(map_count(map), count);
    }
    for (size_t n = 0; n < KEYS; n++) {
        char key[32];
        (void)snprintf(key, sizeof key, "key-%zu", n);
        assert_ptr_equal(map_get_str(map, key), expected[n]);
    }
    map_free(map);
}

static void map_many_adds_and_removes_of_new_keys_ends(void **state)
{
    (void)state;
    /* Tombstones alone must not fill the table: an unsuccessful search would never end. */
    struct map *map = map_new();
    int value = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_equal(map_put(map, &i, sizeof i, &value), OK);
        assert_ptr_equal(map_remove(map, &i, sizeof i), &value);
        assert_null(map_get(map, &i, sizeof i));
    }
    assert_int_equal(map_count(map), 0);
    map_free(map);
}

static void map_keys_with_nul_and_empty_are_distinct(void **state)
{
    (void)state;
    struct map *map = map_new();
    int a = 1;
    int b = 2;
    int c = 3;
    assert_int_equal(map_put(map, "a\0b", 3, &a), OK);
    assert_int_equal(map_put(map, "a\0c", 3, &b), OK);
    assert_int_equal(map_put(map, "", 0, &c), OK);
    assert_ptr_equal(map_get(map, "a\0b", 3), &a);
    assert_ptr_equal(map_get(map, "a\0c", 3), &b);
    assert_ptr_equal(map_get(map, NULL, 0), &c);
    assert_null(map_get_str(map, "a"));
    map_free(map);
}

/* Short keys stand in their slot, long ones elsewhere: both through growth, removal and the walk.
 */
static void map_keys_of_every_length_come_back(void **state)
{
    (void)state;
    struct map *map = map_new();
    char text[40];
    memset(text, 'k', sizeof text);
    for (size_t len = 0; len < sizeof text; len++)
        assert_int_equal(map_put(map, text, len, &text[len]), OK);
    for (size_t len = 0; len < sizeof text; len++)
        assert_ptr_equal(map_get(map, text, len), &text[len]);
    size_t cursor = 0;
    size_t visited = 0;
    const char *key;
    size_t key_len;
    void *value;
    while (map_next(map, &cursor, &key, &key_len, &value)) {
        assert_ptr_equal(value, &text[key_len]);
        assert_memory_equal(key, text, key_len);
        assert_int_equal(key[key_len], '\0');
        visited++;
    }
    assert_int_equal(visited, sizeof text);
    for (size_t len = 0; len < sizeof text; len += 2)
        assert_ptr_equal(map_remove(map, text, len), &text[len]);
    for (size_t len = 0; len < sizeof text; len++)
        assert_ptr_equal(map_get(map, text, len), len % 2 == 0 ? NULL : &text[len]);
    map_free(map);
}

static void map_that_is_not_there_holds_nothing(void **state)
{
    (void)state;
    size_t cursor = 0;
    assert_int_equal(map_count(NULL), 0);
    assert_null(map_get(NULL, "a", 1));
    assert_null(map_remove_str(NULL, "a"));
    assert_false(map_next(NULL, &cursor, NULL, NULL, NULL));
    map_clear(NULL);
}

static void map_put_null_value_refused(void **state)
{
    (void)state;
    struct map *map = map_new();
    assert_int_equal(map_put_str(map, "a", NULL), ERR_INVALID);
    assert_int_equal(map_count(map), 0);
    map_free(map);
}

static void map_next_visits_each_once(void **state)
{
    (void)state;
    static unsigned char seen[1000];
    struct map *map = map_new();
    for (size_t i = 0; i < sizeof seen; i++)
        assert_int_equal(map_put(map, &i, sizeof i, &seen[i]), OK);
    for (size_t i = 0; i < sizeof seen; i += 3)
        assert_non_null(map_remove(map, &i, sizeof i));
    size_t cursor = 0;
    const char *key = NULL;
    size_t key_len = 0;
    void *value = NULL;
    while (map_next(map, &cursor, &key, &key_len, &value)) {
        size_t i = 0;
        assert_int_equal(key_len, sizeof i);
        memcpy(&i, key, sizeof i);
        assert_ptr_equal(value, &seen[i]);
        seen[i]++;
    }
    for (size_t i = 0; i < sizeof seen; i++)
        assert_int_equal(seen[i], i % 3 != 0);
    map_clear(map);
    cursor = 0;
    assert_false(map_next(map, &cursor, &key, &key_len, &value));
    assert_int_equal(map_count(map), 0);
    map_free(map);
    map_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_random_operations_match_array),
        cmocka_unit_test(map_many_adds_and_removes_of_new_keys_ends),
        cmocka_unit_test(map_keys_with_nul_and_empty_are_distinct),
        cmocka_unit_test(map_keys_of_every_length_come_back),
        cmocka_unit_test(map_that_is_not_there_holds_nothing),
        cmocka_unit_test(map_put_null_value_refused),
        cmocka_unit_test(map_next_visits_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
