/*
 * The wire protocol as bytes: every message split at every byte, lengths that lie, fields that are
 * cut, and what is encoded read back by the parsers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/wire.h"

static struct buf out;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

/* One message cut off `out`, which must then be empty. */
static struct wire_message only_message(enum wire_from from)
{
    struct wire_message message = {0};
    assert_int_equal(wire_next(&out, from, 0, &message), OK);
    assert_int_equal(buf_len(&out), 0);
    return message;
}

static void put_client_messages(struct buf *to)
{
    static const unsigned char formats[] = {0, 0, 0, 1};
    static const unsigned char values[] = {0, 0, 0, 2, 'h', 'i', 255, 255, 255, 255};
    static const unsigned char result_formats[] = {0, 1};
    static const uint32_t types[] = {23, 25};
    struct wire_bind bind = {"portal", "stmt",        2, formats,       2,
                             values,   sizeof values, 1, result_formats};
    wire_put_query(to, "SELECT 1", 8);
    wire_put_parse(to, "stmt", "SELECT $1", 9, types, 2);
    wire_put_bind(to, &bind);
    wire_put_describe(to, 'S', "stmt");
    wire_put_execute(to, "portal", 50);
    wire_put_close(to, 'P', "portal");
    wire_put_flush(to);
    wire_put_sync(to);
    wire_put_terminate(to);
}

static void put_server_messages(struct buf *to)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"};
    static const char *const row[] = {"1", NULL, ""};
    static const uint32_t types[] = {23};
    static const struct wire_column columns[] = {{"id", 16384, 1, 23, 4, -1, 0},
                                                 {"name", 16384, -2, 25, -1, 24, 1}};
    wire_put_auth_sasl(to, mechanisms, 2);
    wire_put_auth_sasl_continue(to, "r=x", 3);
    wire_put_auth_sasl_final(to, "v=x", 3);
    wire_put_auth_ok(to);
    wire_put_negotiate(to, 0, mechanisms, 2);
    wire_put_parameter_status(to, "server_version", "15.4");
    wire_put_key_data(to, 7, 0xfffffffe);
    wire_put_ready(to, 'I');
    wire_put_error(to, "ERROR", "42501", "no", "ask", 3);
    static const struct wire_report notice = {
        .severity = "NOTICE", .sqlstate = "00000", .message = "well"};
    wire_put_report(to, 'N', &notice);
    wire_put_parse_complete(to);
    wire_put_bind_complete(to);
    wire_put_close_complete(to);
    wire_put_no_data(to);
    wire_put_portal_suspended(to);
    wire_put_empty_query(to);
    wire_put_parameter_description(to, types, 1);
    wire_put_row_description(to, columns, 2);
    wire_put_data_row(to, row, 3);
    wire_put_command_complete(to, "SELECT 1");
}

/* Feeds `all` in two pieces, cut at `split`; the messages read must be the same ones. */
static void check_split(const struct buf *all, size_t split, enum wire_from from, const char *types)
{
    struct buf in;
    buf_init(&in, 0);
    size_t at = 0;
    for (size_t part = 0; part < 2; part++) {
        size_t end = part == 0 ? split : buf_len(all);
        buf_append(&in, buf_head(all) + at, end - at);
        at = end;
        struct wire_message message;
        enum status status;
        while ((status = wire_next(&in, from, 0, &message)) == OK)
            assert_int_equal(message.type, *types++);
        assert_int_equal(status, NEED_MORE);
    }
    assert_int_equal(*types, '\0');
    assert_int_equal(buf_len(&in), 0);
    buf_free(&in);
}

static void client_messages_split_at_every_byte_are_read(void **state)
{
    (void)state;
    put_client_messages(&out);
    for (size_t split = 0; split <= buf_len(&out); split++)
        check_split(&out, split, WIRE_FROM_CLIENT, "QPBDECHSX");
}

static void server_messages_split_at_every_byte_are_read(void **state)
{
    (void)state;
    put_server_messages(&out);
    for (size_t split = 0; split <= buf_len(&out); split++)
        check_split(&out, split, WIRE_FROM_SERVER, "RRRRvSKZEN123nsItTDC");
}

static enum status header(unsigned char type, uint32_t length, enum wire_from from, size_t max_len)
{
    buf_clear(&out);
    buf_byte(&out, type);
    buf_u32(&out, length);
    struct wire_message message;
    return wire_next(&out, from, max_len, &message);
}

static void lengths_that_lie_are_refused_before_the_body(void **state)
{
    (void)state;
    for (uint32_t length = 0; length < 4; length++) {
        assert_int_equal(header('Q', length, WIRE_FROM_CLIENT, 0), ERR_PROTOCOL);
        assert_int_equal(header('S', length, WIRE_FROM_CLIENT, 0), ERR_PROTOCOL);
        assert_int_equal(header('D', length, WIRE_FROM_SERVER, 0), ERR_PROTOCOL);
    }
    assert_int_equal(header('Q', UINT32_MAX, WIRE_FROM_CLIENT, 0), ERR_PROTOCOL);
    assert_int_equal(header('Q', 0x80000000U, WIRE_FROM_CLIENT, 0), ERR_PROTOCOL);
    assert_int_equal(header('Q', INT32_MAX, WIRE_FROM_CLIENT, 0), ERR_LIMIT);
    assert_int_equal(header('Q', 1004, WIRE_FROM_CLIENT, 1000), NEED_MORE);
    assert_int_equal(header('Q', 1005, WIRE_FROM_CLIENT, 1000), ERR_LIMIT);
}

static void small_types_have_small_limits(void **state)
{
    (void)state;
    static const char small[] = "EDCSHXcf";
    static const char large[] = "QPBFd";
    for (const char *type = small; *type; type++) {
        assert_int_equal(header((unsigned char)*type, 10004, WIRE_FROM_CLIENT, 0), NEED_MORE);
        assert_int_equal(header((unsigned char)*type, 10005, WIRE_FROM_CLIENT, 0), ERR_LIMIT);
    }
    for (const char *type = large; *type; type++)
        assert_int_equal(header((unsigned char)*type, 10005, WIRE_FROM_CLIENT, 0), NEED_MORE);
    assert_int_equal(header('Z', 40000, WIRE_FROM_SERVER, 0), ERR_LIMIT);
    assert_int_equal(header('D', 40000, WIRE_FROM_SERVER, 0), NEED_MORE);
    assert_int_equal(header('p', 65539, WIRE_FROM_CLIENT_AUTH, 0), NEED_MORE);
    assert_int_equal(header('p', 65540, WIRE_FROM_CLIENT_AUTH, 0), ERR_LIMIT);
}

static void unknown_types_are_refused_at_their_first_byte(void **state)
{
    (void)state;
    size_t known[3] = {0};
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned from = WIRE_FROM_CLIENT; from <= WIRE_FROM_SERVER; from++) {
            buf_clear(&out);
            buf_byte(&out, (unsigned char)type);
            struct wire_message message;
            enum status status = wire_next(&out, (enum wire_from)from, 0, &message);
            assert_true(status == NEED_MORE || status == ERR_PROTOCOL);
            known[from] += status == NEED_MORE;
        }
    }
    assert_int_equal(known[WIRE_FROM_CLIENT], 13);
    assert_int_equal(known[WIRE_FROM_CLIENT_AUTH], 1);
    assert_int_equal(known[WIRE_FROM_SERVER], 24);
}

static void startup_packets_are_bounded(void **state)
{
    (void)state;
    static const struct {
        uint32_t length;
        enum status status;
    } cases[] = {{0, ERR_PROTOCOL},        {4, ERR_PROTOCOL},         {7, ERR_PROTOCOL},
                 {8, NEED_MORE},           {10000, NEED_MORE},        {10001, ERR_PROTOCOL},
                 {1U << 31, ERR_PROTOCOL}, {UINT32_MAX, ERR_PROTOCOL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_message message;
        buf_clear(&out);
        buf_u32(&out, cases[i].length);
        assert_int_equal(wire_next_startup(&out, &message), cases[i].status);
    }
    buf_clear(&out);
    buf_u32(&out, 8);
    buf_u32(&out, 80877103);
    struct wire_message message;
    assert_int_equal(wire_next_startup(&out, &message), OK);
    assert_int_equal(message.len, 4);
    assert_int_equal(buf_len(&out), 0);
}

static void a_header_is_peeked_and_nothing_consumed(void **state)
{
    (void)state;
    unsigned char type = 0;
    size_t len = 0;
    assert_int_equal(wire_peek(&out, WIRE_FROM_SERVER, 0, &type, &len), NEED_MORE);
    buf_byte(&out, 'D');
    buf_u32(&out, 104);
    assert_int_equal(wire_peek(&out, WIRE_FROM_SERVER, 0, &type, &len), OK);
    assert_int_equal(type, 'D');
    assert_int_equal(len, 100);
    assert_int_equal(buf_len(&out), 5);
}

/* The message at the head of `out` with its body cut to each shorter length must be refused by
 * `parse`. */
typedef enum status parse_fn(const struct wire_message *message);

static void check_cut(struct wire_message whole, parse_fn *parse)
{
    assert_int_equal(parse(&whole), OK);
    for (size_t len = 0; len < whole.len; len++) {
        /* In memory of its own, so that a sanitizer sees a read behind the end. */
        unsigned char *copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, whole.body, len);
        struct wire_message cut = {whole.type, copy, len};
        assert_int_equal(parse(&cut), ERR_PROTOCOL);
        free(copy);
    }
    unsigned char *longer = malloc(whole.len + 1);
    assert_non_null(longer);
    memcpy(longer, whole.body, whole.len);
    longer[whole.len] = 0;
    struct wire_message more = {whole.type, longer, whole.len + 1};
    assert_int_equal(parse(&more), ERR_PROTOCOL);
    free(longer);
}

static enum status parse_client(const struct wire_message *message)
{
    const char *text = NULL;
    size_t len = 0;
    uint32_t number = 0;
    unsigned char kind = 0;
    struct wire_parse parse;
    struct wire_bind bind;
    switch (message->type) {
    case 'Q':
        return wire_parse_query(message, &text, &len);
    case 'P':
        return wire_parse_parse(message, &parse);
    case 'B':
        return wire_parse_bind(message, &bind);
    case 'D':
    case 'C':
        return wire_parse_target(message, &kind, &text);
    case 'E':
        return wire_parse_execute(message, &text, &number);
    default:
        return wire_parse_empty(message);
    }
}

static void client_messages_cut_or_lengthened_are_refused(void **state)
{
    (void)state;
    struct wire_message message;
    put_client_messages(&out);
    while (buf_len(&out) > 0) {
        assert_int_equal(wire_next(&out, WIRE_FROM_CLIENT, 0, &message), OK);
        check_cut(message, parse_client);
    }
}

static enum status parse_server(const struct wire_message *message)
{
    struct wire_report report;
    const char *name = NULL;
    const char *value = NULL;
    unsigned char byte = 0;
    switch (message->type) {
    case 'E':
    case 'N':
        return wire_parse_report(message, &report);
    case 'S':
        return wire_parse_parameter_status(message, &name, &value);
    case 'Z':
        return wire_parse_ready(message, &byte);
    default:
        return ERR_INTERNAL;
    }
}

static void server_messages_cut_or_lengthened_are_refused(void **state)
{
    (void)state;
    struct wire_message message;
    put_server_messages(&out);
    size_t checked = 0;
    while (buf_len(&out) > 0) {
        assert_int_equal(wire_next(&out, WIRE_FROM_SERVER, 0, &message), OK);
        if (!strchr("ENSZ", message.type))
            continue;
        check_cut(message, parse_server);
        checked++;
    }
    assert_int_equal(checked, 4);
}

static void query_with_a_nul_inside_is_refused(void **state)
{
    (void)state;
    static const char sql[] = "SELECT 1\0; DROP TABLE x";
    const char *text = NULL;
    size_t len = 0;
    wire_put_query(&out, sql, sizeof sql - 1);
    struct wire_message message = only_message(WIRE_FROM_CLIENT);
    assert_int_equal(wire_parse_query(&message, &text, &len), ERR_PROTOCOL);

    wire_put_query(&out, sql, 8);
    message = only_message(WIRE_FROM_CLIENT);
    assert_int_equal(wire_parse_query(&message, &text, &len), OK);
    assert_string_equal(text, "SELECT 1");
    assert_int_equal(len, 8);
}

static void parse_gives_its_fields(void **state)
{
    (void)state;
    static const uint32_t types[] = {23, 0x01020304};
    struct wire_parse parse;
    wire_put_parse(&out, "s1", "SELECT $1, $2", 13, types, 2);
    struct wire_message message = only_message(WIRE_FROM_CLIENT);
    assert_int_equal(wire_parse_parse(&message, &parse), OK);
    assert_string_equal(parse.statement, "s1");
    assert_string_equal(parse.sql, "SELECT $1, $2");
    assert_int_equal(parse.sql_len, 13);
    assert_int_equal(parse.type_count, 2);
    assert_memory_equal(parse.types, "\0\0\0\x17\1\2\3\4", 8);

    struct buf again;
    buf_init(&again, 0);
    wire_put_parse_raw(&again, parse.statement, parse.sql, parse.sql_len, parse.types,
                       parse.type_count);
    assert_int_equal(buf_len(&again), message.len + 5);
    assert_memory_equal(buf_head(&again) + 5, message.body, message.len);
    buf_free(&again);
}

static void bind_gives_its_fields_and_comes_back_the_same(void **state)
{
    (void)state;
    static const unsigned char values[] = {0, 0, 0, 1, 'x', 255, 255, 255, 255};
    static const unsigned char results[] = {0, 0, 0, 1};
    struct wire_bind sent = {"", "s1", 0, values, 2, values, sizeof values, 2, results};
    struct wire_bind bind;
    wire_put_bind(&out, &sent);
    struct wire_message message = only_message(WIRE_FROM_CLIENT);
    assert_int_equal(wire_parse_bind(&message, &bind), OK);
    assert_string_equal(bind.statement, "s1");
    assert_int_equal(bind.value_count, 2);
    assert_int_equal(bind.values_len, sizeof values);
    assert_int_equal(wire_bind_result_format(&bind, 0), 0);
    assert_int_equal(wire_bind_result_format(&bind, 1), 1);
    assert_int_equal(wire_bind_result_format(&bind, 2), 0);
    struct buf again;
    buf_init(&again, 0);
    wire_put_bind(&again, &bind);
    assert_memory_equal(buf_head(&again) + 5, message.body, message.len);
    buf_free(&again);
}

static enum status bind_status(uint16_t format_count, const void *formats, uint16_t value_count,
                               const void *values, size_t values_len)
{
    struct wire_bind bind;
    struct wire_bind sent = {"",         "", format_count, formats, value_count, values,
                             values_len, 0,  NULL};
    buf_clear(&out);
    wire_put_bind(&out, &sent);
    struct wire_message message = only_message(WIRE_FROM_CLIENT);
    return wire_parse_bind(&message, &bind);
}

static void bind_with_wrong_formats_or_lengths_is_refused(void **state)
{
    (void)state;
    assert_int_equal(bind_status(1, "\0\1", 1, "\0\0\0\0", 4), OK);
    assert_int_equal(bind_status(1, "\0\2", 1, "\0\0\0\0", 4), ERR_PROTOCOL);
    assert_int_equal(bind_status(1, "\1\0", 1, "\0\0\0\0", 4), ERR_PROTOCOL);
    assert_int_equal(bind_status(2, "\0\0\0\0", 1, "\0\0\0\0", 4), ERR_PROTOCOL);
    assert_int_equal(bind_status(0, "", 1, "\xff\xff\xff\xfe", 4), ERR_PROTOCOL);
    assert_int_equal(bind_status(0, "", 1, "\x7f\xff\xff\xff", 4), ERR_PROTOCOL);
    assert_int_equal(bind_status(0, "", 65535, "\0\0\0\0", 4), ERR_PROTOCOL);
    assert_int_equal(bind_status(0, "", 0, "\0\0\0\0", 4), ERR_PROTOCOL);
}

static void describe_of_an_unknown_kind_is_refused(void **state)
{
    (void)state;
    unsigned char kind = 0;
    const char *name = NULL;
    wire_put_describe(&out, 'T', "x");
    struct wire_message message = only_message(WIRE_FROM_CLIENT);
    assert_int_equal(wire_parse_target(&message, &kind, &name), ERR_PROTOCOL);
    wire_put_describe(&out, 'P', "x");
    message = only_message(WIRE_FROM_CLIENT);
    assert_int_equal(wire_parse_target(&message, &kind, &name), OK);
    assert_string_equal(name, "x");
}

static void execute_with_a_negative_row_limit_means_all(void **state)
{
    (void)state;
    const char *portal = NULL;
    uint32_t rows = 1;
    wire_put_execute(&out, "p", 0xffffffff);
    struct wire_message message = only_message(WIRE_FROM_CLIENT);
    assert_int_equal(wire_parse_execute(&message, &portal, &rows), OK);
    assert_int_equal(rows, 0);
}

static void report_fields_are_read_replaced_and_dropped(void **state)
{
    (void)state;
    static const char raw[] =
        "SERROR\0VERROR\0C23514\0Mbad \"guard\"\0DFailing row contains (1, secret)\0"
        "xunknown\0P12\0sguards\0n1\0";
    size_t mark = wire_begin(&out, 'E');
    buf_append(&out, raw, sizeof raw);
    wire_finish(&out, mark);
    struct wire_message message = only_message(WIRE_FROM_SERVER);
    struct wire_report report;
    assert_int_equal(wire_parse_report(&message, &report), OK);
    assert_string_equal(report.sqlstate, "23514");
    assert_string_equal(report.position, "12");
    assert_string_equal(report.schema, "guards");
    assert_null(report.hint);
    report.detail = NULL;
    report.message = "bad \"patients\"";
    report.schema = "public";

    struct buf again;
    buf_init(&again, 0);
    wire_put_report(&again, 'E', &report);
    assert_int_equal(wire_next(&again, WIRE_FROM_SERVER, 0, &message), OK);
    assert_null(memmem(message.body, message.len, "secret", 6));
    assert_null(memmem(message.body, message.len, "unknown", 7));
    assert_null(memmem(message.body, message.len, "guard", 5));
    assert_int_equal(wire_parse_report(&message, &report), OK);
    assert_string_equal(report.message, "bad \"patients\"");
    assert_string_equal(report.constraint, "1");
    buf_free(&again);
}

static void to_table(uint32_t *table_oid, int16_t *attnum, void *context)
{
    unsigned *calls = context;
    (*calls)++;
    if (*table_oid == 16384) {
        *table_oid = 0x0a0b0c0d;
        *attnum = (int16_t)(*attnum + 1);
    }
}

static void origins_are_rewritten_in_place(void **state)
{
    (void)state;
    static const struct wire_column columns[] = {{"id", 16384, 1, 23, 4, -1, 0},
                                                 {"other", 99, 7, 25, -1, 24, 1}};
    unsigned calls = 0;
    wire_put_row_description(&out, columns, 2);
    unsigned char *body = buf_head(&out) + 5;
    size_t len = buf_len(&out) - 5;
    assert_int_equal(wire_rewrite_origins(body, len, to_table, &calls), OK);
    assert_int_equal(calls, 2);
    struct wire_cursor cursor;
    struct wire_column column;
    wire_cursor_init(&cursor, body, len);
    assert_int_equal(wire_get_u16(&cursor), 2);
    wire_get_column(&cursor, &column);
    assert_int_equal(column.table_oid, 0x0a0b0c0d);
    assert_int_equal(column.attnum, 2);
    assert_int_equal(column.type_oid, 23);
    wire_get_column(&cursor, &column);
    assert_int_equal(column.table_oid, 99);
    assert_int_equal(column.type_mod, 24);
    assert_int_equal(wire_end(&cursor), OK);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(wire_rewrite_origins(body, cut, to_table, &calls), ERR_PROTOCOL);
}

static void a_cursor_that_failed_stays_failed(void **state)
{
    (void)state;
    struct wire_cursor cursor;
    wire_cursor_init(&cursor, "\0\1\2", 3);
    assert_int_equal(wire_get_u32(&cursor), 0);
    assert_true(cursor.failed);
    assert_int_equal(wire_get_byte(&cursor), 0);
    assert_string_equal(wire_get_cstr(&cursor), "");
    assert_null(wire_get_bytes(&cursor, 0));
    assert_int_equal(wire_left(&cursor), 0);
    assert_int_equal(wire_end(&cursor), ERR_PROTOCOL);
}

static void tags_tell_their_rows(void **state)
{
    (void)state;
    assert_int_equal(wire_tag_rows("SELECT 5"), 5);
    assert_int_equal(wire_tag_rows("INSERT 0 17"), 17);
    assert_int_equal(wire_tag_rows("CREATE TABLE"), 0);
    assert_int_equal(wire_tag_rows("BEGIN"), 0);
    assert_int_equal(wire_tag_rows("SELECT 5x"), 0);
}

static void an_encoder_over_the_limit_fails_for_good(void **state)
{
    (void)state;
    struct buf small;
    buf_init(&small, 16);
    wire_put_ready(&small, 'I');
    assert_false(small.failed);
    wire_put_command_complete(&small, "a tag that is longer than the limit");
    assert_true(small.failed);
    wire_put_ready(&small, 'I');
    assert_true(small.failed);
    buf_free(&small);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(client_messages_split_at_every_byte_are_read),
        TEST(server_messages_split_at_every_byte_are_read),
        TEST(lengths_that_lie_are_refused_before_the_body),
        TEST(small_types_have_small_limits),
        TEST(unknown_types_are_refused_at_their_first_byte),
        TEST(startup_packets_are_bounded),
        TEST(a_header_is_peeked_and_nothing_consumed),
        TEST(client_messages_cut_or_lengthened_are_refused),
        TEST(server_messages_cut_or_lengthened_are_refused),
        TEST(query_with_a_nul_inside_is_refused),
        TEST(parse_gives_its_fields),
        TEST(bind_gives_its_fields_and_comes_back_the_same),
        TEST(bind_with_wrong_formats_or_lengths_is_refused),
        TEST(describe_of_an_unknown_kind_is_refused),
        TEST(execute_with_a_negative_row_limit_means_all),
        TEST(report_fields_are_read_replaced_and_dropped),
        TEST(origins_are_rewritten_in_place),
        TEST(a_cursor_that_failed_stays_failed),
        TEST(tags_tell_their_rows),
        TEST(an_encoder_over_the_limit_fails_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
