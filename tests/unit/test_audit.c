/*
 * test_audit.c: what a worker's trail holds: records, chain, checkpoints, rotation, restart, locks.
 */
#include "audit_fixture.h"

#include <jansson.h>
#include <pgvigil/text.h>

#define FIRST_FILE "audit-0-00000001.jsonl"

static json_t *line_at(const char *bytes, unsigned line)
{
    for (unsigned i = 1; i < line; i++) {
        bytes = strchr(bytes, '\n');
        assert_non_null(bytes);
        bytes++;
    }
    const char *end = strchr(bytes, '\n');
    assert_non_null(end);
    json_error_t error;
    json_t *value =
        json_loadb(bytes, (size_t)(end - bytes), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!value)
        fail_msg("line %u: %s", line, error.text);
    return value;
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));
    return text ? text : "(none)";
}

static json_int_t number_of(const json_t *line, const char *key)
{
    return json_integer_value(json_object_get(line, key));
}

static unsigned count_lines(const char *bytes)
{
    unsigned count = 0;
    while ((bytes = strchr(bytes, '\n')) != NULL) {
        count++;
        bytes++;
    }
    return count;
}

static void audit_whole_record_holds_every_field(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 1);
    audit_close(audit);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
    json_t *header = line_at(bytes, 1);
    assert_string_equal(text_of(header, "type"), "header");
    assert_int_equal(number_of(header, "format"), 1);
    assert_int_equal(strlen(text_of(header, "key")), 64);
    json_t *line = line_at(bytes, 2);
    assert_int_equal(number_of(line, "seq"), 2);
    assert_string_equal(text_of(line, "type"), "whole");
    assert_int_equal(strlen(text_of(line, "time")), 27);
    assert_int_equal(number_of(line, "session"), 42);
    assert_string_equal(text_of(line, "person"), "nurse1");
    assert_string_equal(text_of(line, "auth"), "scram-sha-256");
    assert_string_equal(text_of(line, "role"), "nurse");
    assert_string_equal(text_of(line, "mission"), "care");
    assert_string_equal(text_of(line, "purpose"), "TREAT");
    assert_null(json_object_get(line, "reason"));
    assert_null(json_object_get(line, "break_glass"));
    assert_string_equal(text_of(line, "address"), "192.0.2.17");
    assert_int_equal(number_of(line, "port"), 50123);
    assert_string_equal(text_of(line, "application"), "psql");
    assert_string_equal(text_of(line, "statement"), "SELECT");
    assert_string_equal(text_of(line, "decision"), "allow");
    assert_string_equal(text_of(line, "rule"), "10-care.cfg:12");
    assert_string_equal(text_of(line, "sql"), some_statement.sql);
    assert_string_equal(text_of(line, "fingerprint"), "50fde20626009aba");
    const json_t *relations = json_object_get(line, "relations");
    assert_int_equal(json_array_size(relations), 2);
    const json_t *patients = json_array_get(relations, 0);
    assert_string_equal(text_of(patients, "name"), "patients");
    assert_int_equal(json_array_size(json_object_get(patients, "shown")), 3);
    assert_int_equal(json_array_size(json_object_get(patients, "masked")), 1);
    assert_string_equal(text_of(line, "tag"), "SELECT 12");
    assert_int_equal(number_of(line, "rows"), 12);
    assert_int_equal(number_of(line, "bytes"), 980);
    assert_int_equal(number_of(line, "microseconds"), 1834);
    json_t *checkpoint = line_at(bytes, 3);
    assert_string_equal(text_of(checkpoint, "type"), "checkpoint");
    assert_string_equal(text_of(checkpoint, "reason"), "close");
    assert_int_equal(count_lines(bytes), 3);
    json_decref(header);
    json_decref(line);
    json_decref(checkpoint);
    free(bytes);
    fixture_end(&fixture);
}

static void audit_each_line_holds_hash_of_the_one_before(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 5);
    audit_close(audit);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
    char expected[65];
    memset(expected, '0', 64);
    expected[64] = '\0';
    const char *start = bytes;
    for (unsigned i = 1; i <= 7; i++) {
        json_t *line = line_at(bytes, i);
        assert_int_equal(number_of(line, "seq"), i);
        assert_string_equal(text_of(line, "prev"), expected);
        json_decref(line);
        const char *end = strchr(start, '\n') + 1;
        unsigned char digest[32];
        unsigned size = 0;
        assert_int_equal(
            EVP_Digest(start, (size_t)(end - start), digest, &size, EVP_sha256(), NULL), 1);
        text_hex(digest, 32, expected);
        start = end;
    }
    free(bytes);
    fixture_end(&fixture);
}

static void audit_begin_more_end_carry_the_same_id(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    uint64_t id = 0;
    struct audit_outcome outcome = some_outcome;
    outcome.sqlstate = "57014";
    outcome.unfinished = true;
    assert_false(audit_pending(audit));
    assert_int_equal(audit_begin(audit, &some_session, &some_statement, &id), OK);
    assert_true(audit_pending(audit));
    assert_int_equal(audit_flushed(audit), 0);
    assert_int_equal(audit_flush(audit), OK);
    assert_int_equal(audit_flushed(audit), 1);
    assert_false(audit_pending(audit));
    assert_int_equal(audit_more(audit, &some_session, id, 100, 32768, NULL), OK);
    assert_int_equal(audit_end(audit, &some_session, id, &outcome), OK);
    assert_int_equal(audit_flush(audit), OK);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
    json_t *begin = line_at(bytes, 2);
    json_t *more = line_at(bytes, 3);
    json_t *end = line_at(bytes, 4);
    assert_string_equal(text_of(begin, "type"), "begin");
    assert_null(json_object_get(begin, "rows"));
    assert_int_equal(number_of(begin, "seq"), id);
    assert_string_equal(text_of(more, "type"), "more");
    assert_int_equal(number_of(more, "begin"), id);
    assert_int_equal(number_of(more, "bytes"), 32768);
    assert_string_equal(text_of(end, "type"), "end");
    assert_int_equal(number_of(end, "begin"), id);
    assert_string_equal(text_of(end, "sqlstate"), "57014");
    assert_true(json_is_true(json_object_get(end, "unfinished")));
    json_decref(begin);
    json_decref(more);
    json_decref(end);
    free(bytes);
    audit_close(audit);
    fixture_end(&fixture);
}

static void audit_hostile_bytes_stay_one_valid_json_line(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    struct audit_session session = some_session;
    session.application = "a\"},\n{\"seq\":1\\\x01\x7f";
    session.person = "\xff\xc0\x80ok\xe2\x82";
    session.reason = "\xed\xa0\x80 caf\xc3\xa9 \xf0\x9f\x98\x80";
    assert_int_equal(audit_event(audit, "connect", &session, NULL), OK);
    /* Every two-byte text. */
    for (unsigned i = 1; i < 256; i++) {
        for (unsigned j = 1; j < 256; j += 3) {
            const char text[4] = {(char)i, (char)j, '"', '\0'};
            session.reason = text;
            assert_int_equal(audit_event(audit, "connect", &session, NULL), OK);
        }
    }
    assert_int_equal(audit_flush(audit), OK);
    audit_close(audit);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
    assert_true(text_is_utf8(bytes, len));
    json_t *line = line_at(bytes, 2);
    assert_string_equal(text_of(line, "application"), "a\"},\n{\"seq\":1\\\x01\x7f");
    assert_string_equal(text_of(line, "person"),
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdok\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(line);
    const char *at = bytes;
    unsigned count = 0;
    for (const char *end = NULL; (end = strchr(at, '\n')) != NULL; at = end + 1, count++) {
        json_t *one = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(one);
        json_decref(one);
    }
    assert_int_equal(count, 1 + 1 + 255 * 85 + 1);
    free(bytes);
    fixture_end(&fixture);
}

static void audit_long_sql_is_cut_at_a_character(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    size_t size = 200001;
    char *sql = malloc(size + 1);
    assert_non_null(sql);
    for (size_t i = 0; i + 1 < size; i += 2)
        memcpy(sql + 1 + i, "\xc3\xa9", 2);
    sql[0] = 'x';
    sql[size] = '\0';
    struct audit_statement statement = some_statement;
    statement.sql = sql;
    assert_int_equal(audit_whole(audit, &some_session, &statement, &some_outcome), OK);
    assert_int_equal(audit_flush(audit), OK);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
    json_t *line = line_at(bytes, 2);
    size_t kept = strlen(text_of(line, "sql"));
    assert_int_equal(kept, 65535 + 3);
    assert_string_equal(text_of(line, "sql") + kept - 3, "\xe2\x80\xa6");
    assert_int_equal(number_of(line, "sql_bytes"), size);
    json_decref(line);
    free(bytes);
    free(sql);
    audit_close(audit);
    fixture_end(&fixture);
}

static void audit_records_over_the_buffer_refused_then_accepted(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    char *sql = malloc(65001);
    assert_non_null(sql);
    memset(sql, '\x01', 65000);
    sql[65000] = '\0';
    struct audit_statement statement = some_statement;
    statement.sql = sql;
    unsigned accepted = 0;
    while (audit_whole(audit, &some_session, &statement, &some_outcome) == OK && accepted < 1000)
        accepted++;
    assert_in_range(accepted, 100, 999);
    /* What was accepted is whole, and the refused one left nothing. */
    assert_int_equal(audit_flush(audit), OK);
    fixture_append(audit, 1);
    audit_close(audit);
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.records, 1 + accepted + 1 + 1);
    free(sql);
    fixture_end(&fixture);
}

static void audit_rotation_keeps_one_chain(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    fixture.options.file_bytes = 5000;
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 50);
    audit_close(audit);
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(result.findings, 0);
    assert_in_range(result.files, 5, 20);
    assert_int_equal(result.checkpoints, result.files);
    assert_int_equal(result.records, 50 + 2 * result.files);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, "audit-0-00000002.jsonl", &len);
    json_t *line = line_at(bytes, 1);
    assert_string_equal(text_of(line, "previous_file"), FIRST_FILE);
    json_decref(line);
    free(bytes);
    fixture_end(&fixture);
}

static void audit_reopen_continues_the_chain(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    for (int i = 0; i < 5; i++) {
        struct audit *audit = fixture_open(&fixture, 0);
        fixture_append(audit, 3);
        audit_close(audit);
    }
    /* Nothing to sign: nothing is added. */
    audit_close(fixture_open(&fixture, 0));
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.files, 1);
    assert_int_equal(result.records, 1 + 5 * 4);
    fixture_end(&fixture);
}

static void audit_reopen_after_half_line_cuts_and_records_it(void **state)
{
    (void)state;
    static const char *const tails[] = {"{", "{\"seq\":99,\"prev\":\"00", "garbage with\0nul"};
    for (size_t i = 0; i < 3; i++) {
        struct fixture fixture;
        fixture_start(&fixture);
        struct audit *audit = fixture_open(&fixture, 0);
        fixture_append(audit, 3);
        audit_close(audit);
        size_t len = 0;
        size_t tail = i == 2 ? 16 : strlen(tails[i]);
        char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
        bytes = realloc(bytes, len + tail + 1);
        assert_non_null(bytes);
        memcpy(bytes + len, tails[i], tail);
        fixture_write(&fixture, FIRST_FILE, bytes, len + tail);
        free(bytes);
        struct findings findings;
        struct audit_verify_result result = fixture_verify(&fixture, &findings);
        assert_int_equal(result.findings, 1);
        assert_int_equal(findings.at[0].line, 6);
        assert_non_null(strstr(findings.at[0].message, "truncated"));
        audit = fixture_open(&fixture, 0);
        audit_close(audit);
        bytes = fixture_read(&fixture, FIRST_FILE, &len);
        json_t *line = line_at(bytes, 6);
        assert_string_equal(text_of(line, "type"), "recovery");
        assert_int_equal(number_of(line, "cut_bytes"), tail);
        json_decref(line);
        free(bytes);
        result = fixture_verify(&fixture, &findings);
        assert_int_equal(result.findings, 0);
        fixture_end(&fixture);
    }
}

static void audit_reopen_after_empty_file_makes_its_header(void **state)
{
    (void)state;
    static const char *const names[] = {FIRST_FILE, "audit-0-00000002.jsonl"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;
        fixture_start(&fixture);
        struct audit *audit = fixture_open(&fixture, 0);
        fixture_append(audit, 3);
        audit_close(audit);
        fixture_write(&fixture, names[i], "{\"seq", i * 5);
        audit = fixture_open(&fixture, 0);
        fixture_append(audit, 1);
        audit_close(audit);
        struct findings findings;
        struct audit_verify_result result = fixture_verify(&fixture, &findings);
        fixture_print(&findings);
        assert_int_equal(result.findings, 0);
        assert_int_equal(result.files, i + 1);
        fixture_end(&fixture);
    }
}

static void audit_reopen_after_damaged_line_keeps_the_evidence(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    audit_close(audit);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
    /* The last line loses its opening. */
    bytes[len - 1] = '\0';
    char *last = strrchr(bytes, '\n');
    assert_non_null(last);
    bytes[len - 1] = '\n';
    last[1] = '#';
    fixture_write(&fixture, FIRST_FILE, bytes, len);
    free(bytes);
    audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    audit_close(audit);
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(result.findings, 1);
    assert_int_equal(findings.at[0].line, 5);
    assert_non_null(strstr(findings.at[0].message, "changed"));
    /* What was there without a checkpoint that stands is signed at the start. */
    assert_int_equal(result.records, 5 + 1 + 4);
    fixture_end(&fixture);
}

static void audit_reopen_after_random_damage_always_serves(void **state)
{
    (void)state;
    struct fixture fixture;
    uint32_t seed = 31;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 5);
    audit_close(audit);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
    char *copy = malloc(len + 64);
    assert_non_null(copy);
    for (unsigned round = 0; round < 100; round++) {
        memcpy(copy, bytes, len);
        seed = seed * 1664525U + 1013904223U;
        size_t keep = (seed >> 8) % (len + 1);
        size_t extra = round % 3 == 0 ? (seed >> 4) % 64 : 0;
        for (size_t i = 0; i < extra; i++)
            copy[keep + i] = (char)(seed >> (i % 24));
        for (unsigned i = 0; keep > 0 && i < round % 5; i++)
            copy[(seed >> (i + 3)) % keep] ^= (char)(1U << (i + round % 3));
        fixture_remove_files(fixture.directory);
        fixture_write(&fixture, FIRST_FILE, copy, keep + extra);
        audit = fixture_open(&fixture, 0);
        fixture_append(audit, 2);
        audit_close(audit);
        /* What is there now ends in two records and a checkpoint that fit together. */
        struct findings findings;
        struct audit_verify_result result = fixture_verify(&fixture, &findings);
        assert_in_range(result.records, 4, 64);
        if (extra == 0 && round % 5 == 0)
            assert_int_equal(result.findings, 0);
        assert_int_equal(result.checkpoints >= 1, 1);
    }
    free(copy);
    free(bytes);
    fixture_end(&fixture);
}

static void audit_tick_signs_when_due_and_not_before(void **state)
{
    (void)state;
    struct fixture fixture;
    struct findings findings;
    fixture_start(&fixture);
    fixture.options.checkpoint_seconds = 1;
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 1);
    assert_int_equal(audit_tick(audit), OK);
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    assert_int_equal(result.findings, 0);
    assert_in_range(result.checkpoints, 0, 1);
    (void)usleep(1200000);
    assert_int_equal(audit_tick(audit), OK);
    result = fixture_verify(&fixture, &findings);
    assert_int_equal(result.findings, 0);
    assert_in_range(result.checkpoints, 1, 2);
    /* Nothing new: no checkpoint for the checkpoint. */
    (void)usleep(1200000);
    uint64_t before = result.records;
    assert_int_equal(audit_tick(audit), OK);
    result = fixture_verify(&fixture, &findings);
    assert_int_equal(result.records, before);
    audit_close(audit);
    fixture_end(&fixture);
}

static void audit_second_opener_of_a_chain_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    struct audit *second = NULL;
    const char *why = NULL;
    assert_int_equal(audit_open(&fixture.options, 0, &second, &why), ERR_INVALID);
    assert_non_null(why);
    assert_null(second);
    /* Another chain beside it is welcome. */
    struct audit *other = fixture_open(&fixture, 1);
    fixture_append(audit, 2);
    fixture_append(other, 3);
    audit_close(audit);
    audit_close(other);
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.files, 2);
    /* And when the first has gone, the chain is free again. */
    audit_close(fixture_open(&fixture, 0));
    fixture_end(&fixture);
}

static void audit_open_with_bad_key_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    FILE *out = fopen(fixture.key, "w");
    assert_non_null(out);
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    assert_int_equal(PEM_write_PrivateKey(out, pkey, NULL, NULL, 0, NULL, NULL), 1);
    EVP_PKEY_free(pkey);
    assert_int_equal(fclose(out), 0);
    struct audit *audit = NULL;
    const char *why = NULL;
    assert_int_equal(audit_open(&fixture.options, 0, &audit, &why), ERR_INVALID);
    assert_non_null(strstr(why, fixture.key));
    (void)unlink(fixture.key);
    assert_int_equal(audit_open(&fixture.options, 0, &audit, &why), ERR_IO);
    assert_null(audit);
    audit_close(NULL);
    fixture_end(&fixture);
}

static void audit_new_key_starts_a_file_and_both_verify(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    audit_close(audit);
    fixture_make_key(fixture.key);
    audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    audit_close(audit);
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.files, 2);
    fixture_end(&fixture);
}

static void audit_file_taken_away_starts_another(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    char path[512];
    (void)snprintf(path, sizeof path, "%s/" FIRST_FILE, fixture.directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(audit_tick(audit), OK);
    fixture_append(audit, 2);
    audit_close(audit);
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    assert_int_equal(result.records, 1 + 2 + 1);
    assert_int_equal(result.findings, 1);
    assert_string_equal(findings.at[0].file, FIRST_FILE);
    assert_non_null(strstr(findings.at[0].message, "missing"));
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audit_whole_record_holds_every_field),
        cmocka_unit_test(audit_each_line_holds_hash_of_the_one_before),
        cmocka_unit_test(audit_begin_more_end_carry_the_same_id),
        cmocka_unit_test(audit_hostile_bytes_stay_one_valid_json_line),
        cmocka_unit_test(audit_long_sql_is_cut_at_a_character),
        cmocka_unit_test(audit_records_over_the_buffer_refused_then_accepted),
        cmocka_unit_test(audit_rotation_keeps_one_chain),
        cmocka_unit_test(audit_reopen_continues_the_chain),
        cmocka_unit_test(audit_reopen_after_half_line_cuts_and_records_it),
        cmocka_unit_test(audit_reopen_after_empty_file_makes_its_header),
        cmocka_unit_test(audit_reopen_after_damaged_line_keeps_the_evidence),
        cmocka_unit_test(audit_reopen_after_random_damage_always_serves),
        cmocka_unit_test(audit_tick_signs_when_due_and_not_before),
        cmocka_unit_test(audit_second_opener_of_a_chain_refused),
        cmocka_unit_test(audit_open_with_bad_key_refused),
        cmocka_unit_test(audit_new_key_starts_a_file_and_both_verify),
        cmocka_unit_test(audit_file_taken_away_starts_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
