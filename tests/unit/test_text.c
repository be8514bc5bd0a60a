/*
 * test_text.c: quoting, patterns, likeness, hashes and UTF-8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgvigil/text.h>

static void expect(struct buf *buf, const char *text)
{
    buf_byte(buf, '\0');
    assert_false(buf->failed);
    assert_string_equal((const char *)buf_head(buf), text);
    buf_clear(buf);
}

static void text_quote_hostile_names_stay_inside(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 0);
    text_quote_ident(&buf, "ward");
    expect(&buf, "\"ward\"");
    text_quote_ident(&buf, "a\"; DROP TABLE x; --\"");
    expect(&buf, "\"a\"\"; DROP TABLE x; --\"\"\"");
    text_quote_ident(&buf, "\"\"");
    expect(&buf, "\"\"\"\"\"\"");
    text_quote_literal(&buf, "it's");
    expect(&buf, "'it''s'");
    text_quote_literal(&buf, "\\'; DROP");
    expect(&buf, "E'\\\\''; DROP'");
    text_quote_literal(&buf, "");
    expect(&buf, "''");
    buf_free(&buf);
}

static void text_qualified_quotes_both(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_string_equal(text_qualified(arena, "public", "patients"), "\"public\".\"patients\"");
    assert_string_equal(text_qualified(arena, "a\"b", "c.d"), "\"a\"\"b\".\"c.d\"");
    arena_free(arena);
}

static void text_quote_array_elements_stay_elements(void **state)
{
    (void)state;
    const char *const values[] = {"1", "NULL", "a,b}", "\"\\"};
    struct buf buf;
    buf_init(&buf, 0);
    text_quote_array(&buf, values, 4);
    expect(&buf, "{\"1\",\"NULL\",\"a,b}\",\"\\\"\\\\\"}");
    text_quote_array(&buf, values, 0);
    expect(&buf, "{}");
    buf_free(&buf);
}

static void text_take_keeps_or_fails_whole(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_string_equal(text_ident(arena, "a\"b"), "\"a\"\"b\"");
    assert_string_equal(text_literal(arena, "it's"), "'it''s'");
    struct buf buf;
    buf_init(&buf, 0);
    assert_string_equal(text_take(&buf, arena), "");
    buf_init(&buf, 8);
    buf_str(&buf, "more than it may hold");
    assert_null(text_take(&buf, arena));
    assert_null(buf.data);
    arena_free(arena);
}

static void text_matches_patterns(void **state)
{
    (void)state;
    assert_true(text_matches("ehr.*", "ehr.stays"));
    assert_true(text_matches("*", ""));
    assert_true(text_matches("*_nir", "mother_nir"));
    assert_true(text_matches("a*b*c", "aXbXbXc"));
    assert_true(text_matches("t?b", "tab"));
    assert_true(text_matches("a**", "a"));
    assert_false(text_matches("ehr.*", "public.ehr.x"));
    assert_false(text_matches("*_nir", "nir"));
    assert_false(text_matches("t?b", "tb"));
    assert_false(text_matches("a*b", "abc"));
    assert_false(text_matches("", "a"));
    assert_false(text_matches("A", "a"));
}

static void text_nearest_finds_slips_only(void **state)
{
    (void)state;
    const char *const names[] = {"nurse", "physician", "receptionist", "biller", "it"};
    assert_string_equal(text_nearest("nures", names, 5), "nurse");
    assert_string_equal(text_nearest("fysician", names, 5), "physician");
    assert_string_equal(text_nearest("physicia", names, 5), "physician");
    assert_null(text_nearest("janitor", names, 5));
    assert_null(text_nearest("xy", names, 5));
    assert_null(text_nearest("nurse", names, 0));
}

static void text_hash_known_values(void **state)
{
    (void)state;
    char hex[33];
    /* XXH3 of nothing, as the reference implementation prints it. */
    text_hash64("", 0, hex);
    assert_string_equal(hex, "2d06800538d394c2");
    text_hash128("", 0, hex);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
    char other[33];
    text_hash128("a", 1, hex);
    text_hash128("b", 1, other);
    assert_string_not_equal(hex, other);
}

static void text_is_utf8_valid_accepted(void **state)
{
    (void)state;
    assert_true(text_is_utf8("", 0));
    assert_true(text_is_utf8("plain", 5));
    assert_true(text_is_utf8("h\xc3\xa9"
                             "l\xe2\x82\xac\xf0\x9f\x98\x80",
                             11));
    assert_true(text_is_utf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 10));
}

static void text_is_utf8_invalid_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"a\0b", 3},         {"\x80", 1},         {"\xc0\x80", 2},         {"\xc1\xbf", 2},
        {"\xe0\x9f\xbf", 3}, {"\xed\xa0\x80", 3}, {"\xf0\x8f\xbf\xbf", 4}, {"\xf4\x90\x80\x80", 4},
        {"\xf5\x80", 2},     {"\xff", 1},         {"\xe2\x82", 2},         {"\xe2\x28\xa1", 3},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(text_is_utf8(bad[i].bytes, bad[i].len));
}

static void text_hex_writes_lower_case(void **state)
{
    (void)state;
    char out[7];
    text_hex("\x00\xab\xff", 3, out);
    assert_string_equal(out, "00abff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_quote_hostile_names_stay_inside),
        cmocka_unit_test(text_qualified_quotes_both),
        cmocka_unit_test(text_quote_array_elements_stay_elements),
        cmocka_unit_test(text_take_keeps_or_fails_whole),
        cmocka_unit_test(text_matches_patterns),
        cmocka_unit_test(text_nearest_finds_slips_only),
        cmocka_unit_test(text_hash_known_values),
        cmocka_unit_test(text_is_utf8_valid_accepted),
        cmocka_unit_test(text_is_utf8_invalid_refused),
        cmocka_unit_test(text_hex_writes_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
