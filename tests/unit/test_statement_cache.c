/*
 * test_statement_cache.c: what is found is what was judged for just that, and no more is kept than
 * fits.
 */
#include "proxy/statement_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT ((size_t)256 << 10)

static struct statement_key key_of(uint64_t context, const char *sql)
{
    return (struct statement_key){.context = context, .sql = sql, .len = strlen(sql)};
}

/* As if it had been judged. The caller's reference. */
static struct statement *judged(const char *sql)
{
    struct statement *statement = statement_new("", sql, strlen(sql), NULL, 0, 0);
    assert_non_null(statement);
    statement->verdict = arena_zalloc(statement->arena, 1, sizeof *statement->verdict);
    assert_non_null(statement->verdict);
    statement->verdict->sql = statement->sql;
    statement->verdict->sql_len = statement->len;
    return statement;
}

static void put(struct statement_cache *cache, const struct statement_key *key)
{
    struct statement *statement = judged(key->sql);
    assert_true(statement_cache_put(cache, key, statement));
    statement_unref(statement);
}

static void same_everything_is_found(void **state)
{
    (void)state;
    struct statement_cache *cache = statement_cache_new(LIMIT);
    uint64_t nurse = statement_cache_context(cache, "nurse", 5);
    assert_int_not_equal(nurse, 0);
    assert_int_equal(statement_cache_context(cache, "nurse", 5), nurse);
    struct statement_key key = key_of(nurse, "SELECT 1");
    assert_null(statement_cache_find(cache, &key));
    put(cache, &key);
    struct statement *found = statement_cache_find(cache, &key);
    assert_non_null(found);
    assert_string_equal(found->sql, "SELECT 1");
    assert_int_equal(statement_cache_count(cache), 1);
    statement_cache_free(cache);
}

static void anything_else_is_not_found(void **state)
{
    (void)state;
    struct statement_cache *cache = statement_cache_new(LIMIT);
    uint64_t nurse = statement_cache_context(cache, "nurse", 5);
    uint64_t medic = statement_cache_context(cache, "nurse\0", 6);
    assert_int_not_equal(nurse, medic);
    static const uint32_t types[] = {23, 25};
    struct statement_key key = key_of(nurse, "SELECT $1");
    key.types = types;
    key.type_count = 1;
    put(cache, &key);
    struct statement_key other = key;
    other.context = medic;
    assert_null(statement_cache_find(cache, &other));
    other = key;
    other.extended = true;
    assert_null(statement_cache_find(cache, &other));
    other = key;
    other.type_count = 0;
    assert_null(statement_cache_find(cache, &other));
    other.type_count = 2;
    assert_null(statement_cache_find(cache, &other));
    other = key;
    other.types = types + 1;
    assert_null(statement_cache_find(cache, &other));
    other = key;
    other.len--;
    assert_null(statement_cache_find(cache, &other));
    other = key_of(0, "SELECT $1");
    assert_null(statement_cache_find(cache, &other));
    struct statement *statement = judged("SELECT $1");
    assert_false(statement_cache_put(cache, &other, statement));
    statement_unref(statement);
    assert_non_null(statement_cache_find(cache, &key));
    statement_cache_free(cache);
}

static void least_recently_used_goes_first(void **state)
{
    (void)state;
    struct statement_cache *cache = statement_cache_new(LIMIT);
    uint64_t context = statement_cache_context(cache, "x", 1);
    char sql[40];
    struct statement_key first = key_of(context, "SELECT 'first'");
    struct statement_key second = key_of(context, "SELECT 'second'");
    put(cache, &first);
    put(cache, &second);
    for (int i = 0; statement_cache_find(cache, &first) != NULL && i < 10000; i++) {
        snprintf(sql, sizeof sql, "SELECT %d", i);
        struct statement_key key = key_of(context, sql);
        put(cache, &key);
        assert_true(statement_cache_bytes(cache) <= LIMIT);
        /* `first` is used all the time, `second` never. */
        if (i == 1000)
            break;
    }
    assert_non_null(statement_cache_find(cache, &first));
    assert_null(statement_cache_find(cache, &second));
    assert_true(statement_cache_count(cache) > 5);
    statement_cache_free(cache);
}

static void too_large_is_not_kept(void **state)
{
    (void)state;
    static char text[LIMIT / 4];
    memset(text, ' ', sizeof text - 1);
    struct statement_cache *cache = statement_cache_new(LIMIT);
    struct statement_key key = key_of(statement_cache_context(cache, "x", 1), text);
    struct statement *statement = judged(text);
    assert_false(statement_cache_put(cache, &key, statement));
    assert_int_equal(statement_cache_bytes(cache), 0);
    statement_unref(statement);
    statement_cache_free(cache);
    cache = statement_cache_new(0);
    key = key_of(statement_cache_context(cache, "x", 1), "SELECT 1");
    statement = judged("SELECT 1");
    assert_false(statement_cache_put(cache, &key, statement));
    statement_unref(statement);
    statement_cache_free(cache);
}

static void context_number_is_never_given_again(void **state)
{
    (void)state;
    struct statement_cache *cache = statement_cache_new(LIMIT);
    uint64_t before = statement_cache_context(cache, "x", 1);
    struct statement_key key = key_of(before, "SELECT 1");
    put(cache, &key);
    struct statement *used = statement_ref(statement_cache_find(cache, &key));
    statement_cache_clear(cache);
    assert_null(statement_cache_find(cache, &key));
    assert_int_not_equal(statement_cache_context(cache, "x", 1), before);
    assert_string_equal(used->sql, "SELECT 1"); /* a session still has it */
    statement_unref(used);
    statement_cache_free(cache);
}

static void again_shares_the_verdict_and_nothing_else(void **state)
{
    (void)state;
    struct statement *first = judged("SELECT 1");
    struct statement *again = statement_again(first, "name");
    assert_non_null(again);
    assert_true(statement_same(first, again));
    assert_string_equal(again->name, "name");
    assert_ptr_not_equal(again->arena, first->arena);
    struct statement *third = statement_again(again, "");
    assert_ptr_equal(third->origin, first);
    struct statement *other = judged("SELECT 1");
    assert_false(statement_same(first, other));
    assert_false(statement_same(first, NULL));
    statement_name_upstream(again);
    statement_name_upstream(third);
    statement_name_upstream(other);
    assert_int_equal(strlen(again->server_name), 36);
    assert_string_equal(third->server_name, "");
    assert_string_equal(other->server_name, "");
    struct statement *named = statement_again(other, "x");
    statement_name_upstream(named);
    assert_string_equal(named->server_name, again->server_name);
    statement_unref(named);
    statement_unref(other);
    statement_unref(first);
    statement_unref(again);
    assert_string_equal(third->sql, "SELECT 1");
    statement_unref(third);
}

/* What a verdict may take from the session beside the context must not be kept. */
static void personal_kinds_do_not_fit(void **state)
{
    (void)state;
    static const enum statement_kind kept[] = {
        STATEMENT_SELECT,     STATEMENT_WRITE,    STATEMENT_COPY_TO,   STATEMENT_DECLARE,
        STATEMENT_FETCH,      STATEMENT_CLOSE,    STATEMENT_EXPLAIN,   STATEMENT_BEGIN,
        STATEMENT_COMMIT,     STATEMENT_ROLLBACK, STATEMENT_SAVEPOINT, STATEMENT_RELEASE,
        STATEMENT_ROLLBACK_TO};
    for (int kind = STATEMENT_EMPTY; kind <= STATEMENT_OTHER; kind++) {
        bool fits = false;
        for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
            fits = fits || (int)kept[i] == kind;
        struct verdict_statement statements[2] = {{.kind = STATEMENT_SELECT},
                                                  {.kind = (enum statement_kind)kind}};
        struct verdict verdict = {.allowed = true, .statements = statements, .statement_count = 2};
        assert_int_equal(statement_cache_fits(&verdict), fits);
        verdict.allowed = false;
        assert_false(statement_cache_fits(&verdict));
    }
    const struct verdict nothing = {.allowed = true};
    assert_false(statement_cache_fits(&nothing));
}

/* The first constant may be another, the second not. */
static struct statement *with_constants(const char *sql, struct constants *constants)
{
    static const bool free[] = {true, false};
    assert_true(constants_find(sql, strlen(sql), constants));
    assert_int_equal(constants->count, 2);
    struct statement *statement = judged(sql);
    struct verdict_statement *one = arena_zalloc(statement->arena, 1, sizeof *one);
    assert_non_null(one);
    one->len = statement->len;
    statement->verdict->statements = one;
    statement->verdict->statement_count = 1;
    statement->verdict->constants = free;
    statement->verdict->constant_count = 2;
    return statement;
}

static struct statement *find_alike(struct statement_cache *cache, uint64_t context,
                                    const char *sql)
{
    const struct statement_key key = key_of(context, sql);
    struct constants constants;
    assert_true(constants_find(sql, strlen(sql), &constants));
    return statement_cache_find_alike(cache, &key, &constants);
}

static void other_constants_are_found_where_they_may_be_others(void **state)
{
    (void)state;
    struct statement_cache *cache = statement_cache_new(LIMIT);
    uint64_t context = statement_cache_context(cache, "x", 1);
    struct statement_key key = key_of(context, "SELECT a FROM t WHERE b = 5 ORDER BY 1");
    struct constants constants;
    struct statement *statement = with_constants(key.sql, &constants);
    assert_true(statement_cache_put_alike(cache, &key, &constants, statement));
    statement_unref(statement);
    struct statement *found =
        find_alike(cache, context, "SELECT a FROM t WHERE b = 123456 ORDER BY 1");
    assert_non_null(found);
    assert_string_equal(found->verdict->sql, "SELECT a FROM t WHERE b = 123456 ORDER BY 1");
    assert_int_equal(found->verdict->statements[0].len, found->len);
    statement_unref(found);
    static const char *const others[] = {
        "SELECT a FROM t WHERE b = 5 ORDER BY 2",   "SELECT a FROM t WHERE b = '5' ORDER BY 1",
        "SELECT a FROM t WHERE b = 5.5 ORDER BY 1", "SELECT a FROM t WHERE b = 5  ORDER BY 1",
        "SELECT a FROM t WHERE b = 5 ORDER BY '1'", "select a FROM t WHERE b = 5 ORDER BY 1",
        "SELECT a FROM t WHERE b = -5 ORDER BY 1",  "SELECT a FROM t WHERE b = 5 ORDER BY 11"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_null(find_alike(cache, context, others[i]));
    assert_null(find_alike(cache, statement_cache_context(cache, "y", 1), key.sql));
    /* The shape is known; another ordinal is judged by itself, and both are kept. */
    key = key_of(context, "SELECT a FROM t WHERE b = 5 ORDER BY 2");
    statement = with_constants(key.sql, &constants);
    assert_true(statement_cache_put_alike(cache, &key, &constants, statement));
    statement_unref(statement);
    for (int i = 1; i < 3; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT a FROM t WHERE b = 99 ORDER BY %d", i);
        found = find_alike(cache, context, sql);
        assert_non_null(found);
        assert_string_equal(found->verdict->sql, sql);
        statement_unref(found);
    }
    key.extended = true;
    assert_null(statement_cache_find_alike(cache, &key, &constants));
    statement_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_everything_is_found),
        cmocka_unit_test(anything_else_is_not_found),
        cmocka_unit_test(least_recently_used_goes_first),
        cmocka_unit_test(too_large_is_not_kept),
        cmocka_unit_test(context_number_is_never_given_again),
        cmocka_unit_test(again_shares_the_verdict_and_nothing_else),
        cmocka_unit_test(personal_kinds_do_not_fit),
        cmocka_unit_test(other_constants_are_found_where_they_may_be_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
