/*
 * Start-up packets: each kind, options by PostgreSQL's rules, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/startup.h"

static struct arena *arena;
static struct buf out;
static struct startup startup;
static const char *sqlstate;
static const char *why;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 0);
    arena = arena_new(1 << 20);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&out);
    arena_free(arena);
    return 0;
}

static enum status parse_bytes(uint32_t code, const void *bytes, size_t len)
{
    buf_clear(&out);
    size_t mark = wire_begin(&out, 0);
    buf_u32(&out, code);
    buf_append(&out, bytes, len);
    wire_finish(&out, mark);
    struct wire_message message;
    assert_int_equal(wire_next_startup(&out, &message), OK);
    return startup_parse(&message, arena, &startup, &sqlstate, &why);
}

/* A literal's bytes without the NUL that C adds. */
#define PARSE(code, literal) parse_bytes((code), (literal), sizeof(literal) - 1)
#define V3                   0x00030000U

static const char *setting(const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < startup.setting_count; i++) {
        if (strcmp(startup.settings[i].name, name) == 0)
            value = startup.settings[i].value;
    }
    return value;
}

static void requests_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(PARSE(80877103, ""), OK);
    assert_int_equal(startup.kind, STARTUP_SSL_REQUEST);
    assert_int_equal(PARSE(80877104, ""), OK);
    assert_int_equal(startup.kind, STARTUP_GSS_REQUEST);
    assert_int_equal(PARSE(80877102, "\0\0\1\2\xff\xff\xff\xfe"), OK);
    assert_int_equal(startup.kind, STARTUP_CANCEL);
    assert_int_equal(startup.process_id, 258);
    assert_int_equal(startup.secret_key, 0xfffffffe);
    assert_int_equal(PARSE(V3, "user\0nurse1\0\0"), OK);
    assert_int_equal(startup.kind, STARTUP_SESSION);
}

static void requests_of_a_wrong_length_are_refused(void **state)
{
    (void)state;
    assert_int_equal(PARSE(80877103, "\0\0\0\0"), ERR_PROTOCOL);
    assert_int_equal(PARSE(80877104, "x"), ERR_PROTOCOL);
    assert_int_equal(PARSE(80877102, "\0\0\1\2"), ERR_PROTOCOL);
    assert_int_equal(PARSE(80877102, "\0\0\1\2\0\0\0\0\0"), ERR_PROTOCOL);
}

static void session_fields_are_read(void **state)
{
    (void)state;
    assert_int_equal(PARSE(V3, "user\0nurse1\0database\0records\0application_name\0psql\0"
                               "client_encoding\0UTF8\0\0"),
                     OK);
    assert_string_equal(startup.user, "nurse1");
    assert_string_equal(startup.database, "records");
    assert_string_equal(setting("application_name"), "psql");
    assert_string_equal(setting("client_encoding"), "UTF8");
    assert_int_equal(startup.setting_count, 2);
    assert_false(startup.negotiate);
    assert_false(startup.replication);
}

static void database_defaults_to_the_user(void **state)
{
    (void)state;
    assert_int_equal(PARSE(V3, "user\0nurse1\0\0"), OK);
    assert_string_equal(startup.database, "nurse1");
    assert_int_equal(PARSE(V3, "user\0nurse1\0database\0\0\0"), OK);
    assert_string_equal(startup.database, "nurse1");
}

static void packets_without_a_user_are_refused(void **state)
{
    (void)state;
    assert_int_equal(PARSE(V3, "\0"), ERR_PROTOCOL);
    assert_string_equal(sqlstate, "28000");
    assert_int_equal(PARSE(V3, "user\0\0\0"), ERR_PROTOCOL);
    assert_string_equal(sqlstate, "28000");
    assert_int_equal(PARSE(V3, "database\0records\0\0"), ERR_PROTOCOL);
}

static void unterminated_and_lengthened_packets_are_refused(void **state)
{
    (void)state;
    static const char whole[] = "user\0nurse1\0database\0records\0\0";
    for (size_t len = 0; len < sizeof whole - 1; len++)
        assert_int_equal(parse_bytes(V3, whole, len), ERR_PROTOCOL);
    assert_int_equal(parse_bytes(V3, whole, sizeof whole - 1), OK);
    assert_int_equal(parse_bytes(V3, whole, sizeof whole), ERR_PROTOCOL);
}

static void names_given_twice_are_refused(void **state)
{
    (void)state;
    assert_int_equal(PARSE(V3, "user\0nurse1\0user\0admin\0\0"), ERR_PROTOCOL);
    assert_non_null(strstr(why, "twice"));
    assert_int_equal(PARSE(V3, "user\0u\0database\0a\0database\0b\0\0"), ERR_PROTOCOL);
    assert_int_equal(PARSE(V3, "user\0u\0options\0-ca=1\0options\0-ca=2\0\0"), ERR_PROTOCOL);
}

static void other_protocol_versions_are_refused(void **state)
{
    (void)state;
    assert_int_equal(PARSE(0x00020000, "user\0nurse1\0\0"), ERR_PROTOCOL);
    assert_string_equal(sqlstate, "0A000");
    assert_int_equal(PARSE(0x00040000, "user\0nurse1\0\0"), ERR_PROTOCOL);
    assert_int_equal(PARSE(0x16030100, "user\0nurse1\0\0"), ERR_PROTOCOL);
}

static void newer_minors_and_options_are_negotiated(void **state)
{
    (void)state;
    assert_int_equal(PARSE(0x00030002, "user\0nurse1\0_pq_.command_progress\0on\0\0"), OK);
    assert_true(startup.negotiate);
    assert_int_equal(startup.minor, 2);
    assert_int_equal(startup.setting_count, 0);
    buf_clear(&out);
    startup_put_negotiate(&out, &startup);
    static const char expected[] = "v\0\0\0\x22\0\0\0\0\0\0\0\1_pq_.command_progress";
    assert_int_equal(buf_len(&out), sizeof expected);
    assert_memory_equal(buf_head(&out), expected, sizeof expected);
}

static void replication_is_recognised(void **state)
{
    (void)state;
    assert_int_equal(PARSE(V3, "user\0u\0replication\0database\0\0"), OK);
    assert_true(startup.replication);
    assert_int_equal(PARSE(V3, "user\0u\0replication\0maybe\0\0"), OK);
    assert_true(startup.replication);
    assert_int_equal(PARSE(V3, "user\0u\0replication\0off\0\0"), OK);
    assert_false(startup.replication);
}

static enum status parse_options(const char *text)
{
    struct startup_setting *list = NULL;
    size_t cap = 0;
    startup.setting_count = 0;
    enum status status =
        startup_parse_options(text, arena, &list, &startup.setting_count, &cap, &why);
    startup.settings = list;
    return status;
}

static void options_follow_postgresqls_rules(void **state)
{
    (void)state;
    assert_int_equal(
        parse_options("-c pgvigil.mission=care --search-path=a,b  -cDateStyle=ISO\\ YMD\t"
                      "-c\ta.b=\\\\x=\\-y"),
        OK);
    assert_int_equal(startup.setting_count, 4);
    assert_string_equal(setting("pgvigil.mission"), "care");
    assert_string_equal(setting("search_path"), "a,b");
    assert_string_equal(setting("DateStyle"), "ISO YMD");
    assert_string_equal(setting("a.b"), "\\x=-y");
    assert_int_equal(parse_options(""), OK);
    assert_int_equal(startup.setting_count, 0);
    assert_int_equal(parse_options(" \t\n"), OK);
    assert_int_equal(parse_options("-c a="), OK);
    assert_string_equal(setting("a"), "");
    assert_int_equal(parse_options("-ca=b\\"), OK);
    assert_string_equal(setting("a"), "b");
}

static void options_that_are_not_settings_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"-c",    "-c a",  "-ca",       "--a",      "-d 5", "-s",
                                        "-W 10", "-c =1", "--=1",      "a=b",      "--",   "-",
                                        "-c ",   "-O",    "-c a=1 -e", "-c a=1 b", "-r x", "\\"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (parse_options(texts[i]) != ERR_PROTOCOL)
            fail_msg("accepted: %s", texts[i]);
        assert_true(strlen(why) > 10);
    }
}

static void the_last_setting_of_a_name_wins_and_options_come_first(void **state)
{
    (void)state;
    assert_int_equal(PARSE(V3,
                           "user\0u\0application_name\0direct\0options\0-c application_name=option "
                           "-c application_name=second\0\0"),
                     OK);
    assert_int_equal(startup.setting_count, 3);
    assert_string_equal(startup.settings[0].value, "option");
    assert_string_equal(setting("application_name"), "direct");
}

static void too_many_settings_are_refused(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 0);
    for (unsigned i = 0; i < STARTUP_MAX_SETTINGS; i++)
        buf_printf(&text, "-ca.n%u=1 ", i);
    buf_byte(&text, 0);
    assert_int_equal(parse_options((char *)buf_head(&text)), OK);
    buf_clear(&text);
    for (unsigned i = 0; i <= STARTUP_MAX_SETTINGS; i++)
        buf_printf(&text, "-ca.n%u=1 ", i);
    buf_byte(&text, 0);
    assert_int_equal(parse_options((char *)buf_head(&text)), ERR_LIMIT);
    buf_free(&text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(requests_are_told_apart),
        TEST(requests_of_a_wrong_length_are_refused),
        TEST(session_fields_are_read),
        TEST(database_defaults_to_the_user),
        TEST(packets_without_a_user_are_refused),
        TEST(unterminated_and_lengthened_packets_are_refused),
        TEST(names_given_twice_are_refused),
        TEST(other_protocol_versions_are_refused),
        TEST(newer_minors_and_options_are_negotiated),
        TEST(replication_is_recognised),
        TEST(options_follow_postgresqls_rules),
        TEST(options_that_are_not_settings_are_refused),
        TEST(the_last_setting_of_a_name_wins_and_options_come_first),
        TEST(too_many_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
