/*
 * test_tail.c: every line of every chain once, from saved places on, across rotation, compression,
 * purge and removal; what does not go on is told and not passed over.
 */
#include "audit/tail.h"
#include "audit_fixture.h"

#include <inttypes.h>

static struct tail *open_tail(const struct fixture *fixture)
{
    struct tail *tail = NULL;
    const char *why = NULL;
    assert_int_equal(tail_open(fixture->directory, &tail, &why), OK);
    return tail;
}

/* Takes what is there, counting on each chain; the status that ends it. */
static enum status drain(struct tail *tail, uint64_t *lines)
{
    struct tail_line line;
    enum status status = OK;
    while ((status = tail_next(tail, &line)) == OK) {
        assert_int_equal(line.bytes[line.len - 1], '\n');
        (*lines)++;
    }
    return status;
}

static uint64_t lines_written(const struct fixture *fixture)
{
    struct findings findings;
    return fixture_verify(fixture, &findings).records;
}

static void tail_hands_out_every_line_of_every_chain_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    fixture.options.file_bytes = 8192;
    struct audit *one = fixture_open(&fixture, 0);
    struct audit *two = fixture_open(&fixture, 1);
    struct tail *tail = open_tail(&fixture);
    uint64_t lines = 0;
    for (unsigned round = 0; round < 40; round++) {
        fixture_append(one, round % 7);
        fixture_append(two, round % 3);
        assert_int_equal(drain(tail, &lines), NEED_MORE);
    }
    audit_close(one);
    audit_close(two);
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    assert_int_equal(lines, lines_written(&fixture));
    size_t count = 0;
    const struct tail_position *places = tail_positions(tail, &count);
    assert_int_equal(count, 2);
    assert_true(places[0].file > 3 && places[1].file > 1);
    tail_close(tail);
    fixture_end(&fixture);
}

static void tail_goes_on_from_saved_places_without_loss_or_repetition(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    fixture.options.file_bytes = 8192;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/state", fixture.base);
    struct audit *audit = fixture_open(&fixture, 0);
    uint64_t lines = 0;
    uint64_t last = 0;
    for (unsigned round = 0; round < 60; round++) {
        fixture_append(audit, 1 + round % 5);
        struct tail_position *saved = NULL;
        size_t count = 0;
        assert_int_equal(tail_load(path, &saved, &count), OK);
        struct tail *tail = open_tail(&fixture);
        assert_int_equal(tail_resume(tail, saved, count), OK);
        free(saved);
        struct tail_line line;
        for (unsigned i = 0; i < 3 && tail_next(tail, &line) == OK; i++) {
            assert_int_equal(line.at.seq, last + 1);
            last = line.at.seq;
            lines++;
        }
        assert_int_equal(tail_settle(tail), OK);
        const struct tail_position *places = tail_positions(tail, &count);
        assert_int_equal(tail_save(path, places, count), OK);
        tail_close(tail);
    }
    audit_close(audit);
    assert_int_equal(lines, last);
    assert_true(lines > 120);
    fixture_end(&fixture);
}

static void tail_waits_for_the_rest_of_a_line(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    audit_close(audit);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, "audit-0-00000001.jsonl", &len);
    fixture_write(&fixture, "audit-0-00000001.jsonl", bytes, len - 100);
    struct tail *tail = open_tail(&fixture);
    uint64_t lines = 0;
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    assert_int_equal(lines, 4); /* the header and three; the checkpoint is cut */
    fixture_write(&fixture, "audit-0-00000001.jsonl", bytes, len);
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    assert_int_equal(lines, 5);
    free(bytes);
    tail_close(tail);
    fixture_end(&fixture);
}

static void tail_refuses_a_place_where_another_line_stands(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 5);
    struct tail *tail = open_tail(&fixture);
    uint64_t lines = 0;
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    size_t count = 0;
    struct tail_position place = *tail_positions(tail, &count);
    tail_close(tail);
    audit_close(audit);
    tail = open_tail(&fixture);
    assert_int_equal(tail_resume(tail, &place, 1), OK);
    tail_close(tail);
    /* The hash of another line. */
    struct tail_position other = place;
    other.hash[0] = place.hash[0] == '0' ? '1' : '0';
    tail = open_tail(&fixture);
    assert_int_equal(tail_resume(tail, &other, 1), ERR_INVALID);
    assert_non_null(strstr(tail_why(tail), "audit-0-00000001.jsonl"));
    tail_close(tail);
    /* The file's end was cut, and another file of the chain was never there. */
    size_t len = 0;
    char *bytes = fixture_read(&fixture, "audit-0-00000001.jsonl", &len);
    fixture_write(&fixture, "audit-0-00000001.jsonl", bytes, (size_t)place.offset);
    free(bytes);
    tail = open_tail(&fixture);
    assert_int_equal(tail_resume(tail, &place, 1), ERR_INVALID);
    tail_close(tail);
    place.file = 7;
    tail = open_tail(&fixture);
    assert_int_equal(tail_resume(tail, &place, 1), ERR_INVALID);
    tail_close(tail);
    fixture_end(&fixture);
}

static void tail_goes_on_when_files_that_were_taken_are_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    fixture.options.file_bytes = 4096;
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    struct tail *tail = open_tail(&fixture);
    uint64_t lines = 0;
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    size_t count = 0;
    struct tail_position place = *tail_positions(tail, &count);
    fixture_append(audit, 1);
    while (tail_positions(tail, &count)->file == place.file) {
        fixture_append(audit, 1);
        assert_int_equal(drain(tail, &lines), NEED_MORE);
    }
    /* `place` is the last line of what stood in its file: taken, then purged. */
    tail_close(tail);
    char name[256];
    (void)snprintf(name, sizeof name, "%s/audit-0-%08" PRIu64 ".jsonl", fixture.directory,
                   place.file);
    struct tail_position end = place;
    tail = open_tail(&fixture);
    struct tail_line line;
    while (tail_next(tail, &line) == OK) {
        if (line.at.file == place.file)
            end = line.at;
    }
    tail_close(tail);
    assert_int_equal(unlink(name), 0);
    tail = open_tail(&fixture);
    assert_int_equal(tail_resume(tail, &end, 1), OK);
    assert_int_equal(tail_next(tail, &line), OK);
    assert_int_equal(line.at.seq, end.seq + 1);
    tail_close(tail);
    /* Lines that were not taken are gone with it: refused. */
    tail = open_tail(&fixture);
    assert_int_equal(tail_resume(tail, &place, 1), OK);
    assert_int_equal(tail_next(tail, &line), ERR_INVALID);
    assert_non_null(strstr(tail_why(tail), "was to come"));
    tail_close(tail);
    audit_close(audit);
    fixture_end(&fixture);
}

static void tail_stops_at_what_was_tampered_with_and_other_chains_go_on(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    for (unsigned chain = 0; chain < 2; chain++) {
        struct audit *audit = fixture_open(&fixture, chain);
        fixture_append(audit, 6);
        audit_close(audit);
    }
    size_t len = 0;
    char *bytes = fixture_read(&fixture, "audit-0-00000001.jsonl", &len);
    char *third = strchr(strchr(bytes, '\n') + 1, '\n') + 1;
    *strstr(third, "nurse1") = 'N';
    fixture_write(&fixture, "audit-0-00000001.jsonl", bytes, len);
    free(bytes);
    struct tail *tail = open_tail(&fixture);
    uint64_t lines = 0;
    assert_int_equal(drain(tail, &lines), ERR_INVALID);
    assert_int_equal(lines, 3);
    assert_non_null(strstr(tail_why(tail), "one of them was changed"));
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    assert_int_equal(lines, 3 + 8);
    tail_close(tail);
    fixture_end(&fixture);
}

static void tail_settle_tells_that_a_taken_line_was_cut_off(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    struct tail *tail = open_tail(&fixture);
    uint64_t lines = 0;
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    assert_int_equal(tail_settle(tail), OK);
    fixture_append(audit, 1);
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    size_t count = 0;
    char name[256];
    (void)snprintf(name, sizeof name, "%s/audit-0-00000001.jsonl", fixture.directory);
    assert_int_equal(truncate(name, (off_t)tail_positions(tail, &count)->offset), 0);
    assert_int_equal(tail_settle(tail), ERR_INVALID);
    tail_close(tail);
    audit_close(audit);
    fixture_end(&fixture);
}

static void tail_to_end_hands_out_only_what_comes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    fixture.options.file_bytes = 8192;
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 30);
    struct tail *tail = open_tail(&fixture);
    assert_int_equal(tail_to_end(tail), OK);
    uint64_t lines = 0;
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    assert_int_equal(lines, 0);
    fixture_append(audit, 2);
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    assert_int_equal(lines, 2);
    tail_close(tail);
    audit_close(audit);
    fixture_end(&fixture);
}

static void tail_goes_on_across_compression(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    fixture.options.file_bytes = 8192;
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 40);
    struct tail *tail = open_tail(&fixture);
    struct tail *reader = open_tail(&fixture);
    struct tail_line line;
    uint64_t lines = 0;
    uint64_t read = 0;
    for (; lines < 15; lines++)
        assert_int_equal(tail_next(tail, &line), OK);
    for (; read < 15; read++)
        assert_int_equal(tail_next(reader, &line), OK);
    struct tail_position place = line.at;
    tail_close(tail);
    struct audit_pack_result result = {0};
    const char *why = NULL;
    assert_int_equal(audit_pack(fixture.directory, NULL, NULL, &result, &why), OK);
    assert_true(result.files >= 3);
    assert_true(place.file <= result.files);
    /* From a place that now is in a compressed file, and with the plain one still open. */
    tail = open_tail(&fixture);
    assert_int_equal(tail_resume(tail, &place, 1), OK);
    fixture_append(audit, 3);
    audit_close(audit);
    assert_int_equal(drain(tail, &lines), NEED_MORE);
    assert_int_equal(drain(reader, &read), NEED_MORE);
    assert_int_equal(lines, lines_written(&fixture));
    assert_int_equal(read, lines);
    assert_int_equal(tail_settle(tail), OK);
    tail_close(tail);
    tail_close(reader);
    fixture_end(&fixture);
}

#define FIRST_GONE 3U
#define LAST_GONE  5U

/* Puts a tombstone in the place of lines FIRST_GONE to LAST_GONE, as a purge does. `places` gets
 * those of all lines before that. */
static void bury(struct fixture *fixture, struct tail_position places[9])
{
    struct tail *tail = open_tail(fixture);
    struct tail_line line;
    struct chain_tombstone stone = {
        .first = FIRST_GONE, .last = LAST_GONE, .technical = 3, .file = 1};
    struct buf out;
    struct key *key = NULL;
    buf_init(&out, 0);
    assert_int_equal(key_load(fixture->key, &key), OK);
    while (tail_next(tail, &line) == OK) {
        places[line.at.seq] = line.at;
        if (line.at.seq == FIRST_GONE) {
            memcpy(stone.prev, line.head.prev, sizeof stone.prev);
            memcpy(stone.from, line.head.time, sizeof stone.from);
        }
        if (line.at.seq == LAST_GONE) {
            memcpy(stone.hash, line.at.hash, sizeof stone.hash);
            memcpy(stone.to, line.head.time, sizeof stone.to);
            assert_int_equal(chain_tombstone(&stone, key, "old", "me", NULL, 0, &out), OK);
        }
        if (line.at.seq < FIRST_GONE || line.at.seq > LAST_GONE)
            buf_append(&out, line.bytes, line.len);
    }
    tail_close(tail);
    fixture_write(fixture, "audit-0-00000001.jsonl", (const char *)buf_head(&out), buf_len(&out));
    buf_free(&out);
    key_free(key);
}

/* From `place` on the next line is number `next`, and all of the rest come. */
static void goes_on(const struct fixture *fixture, const struct tail_position *place, uint64_t next)
{
    struct tail *tail = open_tail(fixture);
    struct tail_line line;
    assert_int_equal(tail_resume(tail, place, place ? 1 : 0), OK);
    assert_int_equal(tail_next(tail, &line), OK);
    assert_int_equal(line.head.seq, next);
    assert_int_equal(strcmp(line.head.type, "tombstone") == 0, next == FIRST_GONE);
    uint64_t last = line.at.seq;
    while (tail_next(tail, &line) == OK)
        last = line.at.seq;
    assert_int_equal(last, 8);
    tail_close(tail);
}

static void tail_goes_on_in_a_file_that_was_purged(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 6);
    audit_close(audit);
    struct tail_position places[9] = {{0}};
    bury(&fixture, places);
    goes_on(&fixture, NULL, 1);
    goes_on(&fixture, &places[1], 2);
    goes_on(&fixture, &places[2], FIRST_GONE);
    goes_on(&fixture, &places[3], FIRST_GONE); /* 4 and 5 were not taken: it tells of them */
    goes_on(&fixture, &places[4], FIRST_GONE);
    goes_on(&fixture, &places[5], 6);
    goes_on(&fixture, &places[6], 7);
    goes_on(&fixture, &places[7], 8);
    /* A line that is in no tombstone, and not what was taken. */
    places[7].hash[5] = places[7].hash[5] == '0' ? '1' : '0';
    struct tail *tail = open_tail(&fixture);
    assert_int_equal(tail_resume(tail, &places[7], 1), ERR_INVALID);
    tail_close(tail);
    fixture_end(&fixture);
}

static void state_file_that_is_damaged_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    assert_int_equal(mkdir(fixture.directory, 0700), 0);
    char path[256];
    (void)snprintf(path, sizeof path, "%s/state", fixture.directory);
    struct tail_position *read = NULL;
    size_t count = 7;
    assert_int_equal(tail_load(path, &read, &count), OK);
    assert_int_equal(count, 0);
    free(read);
    struct tail_position places[2] = {{.chain = 0, .file = 3, .offset = 4096, .seq = 99},
                                      {.chain = 5, .file = 1, .offset = 0, .seq = 1}};
    memset(places[0].hash, 'a', CHAIN_HASH_HEX);
    memset(places[1].hash, '0', CHAIN_HASH_HEX);
    assert_int_equal(tail_save(path, places, 2), OK);
    assert_int_equal(tail_load(path, &read, &count), OK);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read[i].chain, places[i].chain);
        assert_int_equal(read[i].file, places[i].file);
        assert_int_equal(read[i].offset, places[i].offset);
        assert_int_equal(read[i].seq, places[i].seq);
        assert_string_equal(read[i].hash, places[i].hash);
    }
    free(read);
    size_t len = 0;
    char *bytes = fixture_read(&fixture, "state", &len);
    fixture_write(&fixture, "state", bytes, len / 2);
    assert_int_equal(tail_load(path, &read, &count), ERR_INVALID);
    fixture_write(&fixture, "state", "", 0);
    assert_int_equal(tail_load(path, &read, &count), ERR_INVALID);
    *strstr(bytes, "4096") = '-';
    fixture_write(&fixture, "state", bytes, len);
    assert_int_equal(tail_load(path, &read, &count), ERR_INVALID);
    free(bytes);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tail_hands_out_every_line_of_every_chain_once),
        cmocka_unit_test(tail_goes_on_from_saved_places_without_loss_or_repetition),
        cmocka_unit_test(tail_waits_for_the_rest_of_a_line),
        cmocka_unit_test(tail_refuses_a_place_where_another_line_stands),
        cmocka_unit_test(tail_goes_on_when_files_that_were_taken_are_gone),
        cmocka_unit_test(tail_stops_at_what_was_tampered_with_and_other_chains_go_on),
        cmocka_unit_test(tail_settle_tells_that_a_taken_line_was_cut_off),
        cmocka_unit_test(tail_to_end_hands_out_only_what_comes),
        cmocka_unit_test(tail_goes_on_across_compression),
        cmocka_unit_test(tail_goes_on_in_a_file_that_was_purged),
        cmocka_unit_test(state_file_that_is_damaged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
