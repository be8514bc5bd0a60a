/*
 * test_audit_purge.c: what is due goes, what is not stays, the chain still verifies, and a process
 * that is killed at any step leaves a trail that is whole.
 */
#include "audit/class.h"
#include "audit/lines.h"
#include "audit_fixture.h"
#include "held_steps.h"

#include <sys/wait.h>
#include <time.h>

#define DAY ((time_t)86400)

/* The names are the linker's. NOLINTBEGIN(readability-identifier-naming) */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

static time_t ahead;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += ahead;
    return result;
}
/* NOLINTEND(readability-identifier-naming) */

struct census {
    uint64_t technical, care, chain, stones, gaps;
};

static struct census count(const struct fixture *fixture)
{
    struct census census = {0};
    DIR *dir = opendir(fixture->directory);
    struct dirent *entry = NULL;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct lines *lines = NULL;
        const char *why = NULL;
        const char *line = NULL;
        size_t len = 0;
        char path[512];
        /* Not those of purging itself. */
        if (strncmp(entry->d_name, "audit-0-", 8) != 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, entry->d_name);
        assert_int_equal(lines_open(path, &lines, &why), OK);
        while (lines_next(lines, &line, &len) == OK) {
            struct chain_line parsed;
            assert_true(chain_line_parse(line, len, &parsed));
            enum record_class class = record_class_of(line, len, &parsed);
            census.technical += class == RECORD_TECHNICAL;
            census.care += class == RECORD_CARE;
            census.chain += class == RECORD_CHAIN;
            census.stones += strcmp(parsed.type, "tombstone") == 0;
            census.gaps += strcmp(parsed.type, "gap") == 0;
        }
        lines_close(lines);
    }
    (void)closedir(dir);
    return census;
}

static struct audit_verify_result expect_whole(const struct fixture *fixture)
{
    struct findings findings;
    struct audit_verify_result result = fixture_verify(fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(findings.count, 0);
    return result;
}

/* Files of `days` days, each with connections, statements on data and some that are not, beginning
 * at `ahead`. */
static void write_days(struct fixture *fixture, unsigned days)
{
    static const struct audit_statement commit = {
        .kind = "COMMIT", .sql = "COMMIT", .fingerprint = "0", .decision = "allow"};
    for (unsigned day = 0; day < days; day++, ahead += DAY) {
        struct audit *audit = fixture_open(fixture, 0);
        for (unsigned i = 0; i < 8; i++) {
            uint64_t id = 0;
            assert_int_equal(audit_event(audit, "connect", &some_session, NULL), OK);
            assert_int_equal(audit_event(audit, "disconnect", &some_session, NULL), OK);
            if (i % 3 == 0)
                fixture_append(audit, 2);
            assert_int_equal(audit_whole(audit, &some_session, &commit, &some_outcome), OK);
            assert_int_equal(audit_begin(audit, &some_session, &some_statement, &id), OK);
            assert_int_equal(audit_more(audit, &some_session, id, 5, 100, NULL), OK);
            assert_int_equal(audit_end(audit, &some_session, id, &some_outcome), OK);
            assert_int_equal(audit_flush(audit), OK);
            assert_int_equal(audit_tick(audit), OK);
        }
        audit_close(audit);
    }
}

static void start(struct fixture *fixture, unsigned days, unsigned technical, unsigned care)
{
    fixture_start(fixture);
    fixture->options.daily = true;
    fixture->options.retention.technical_days = technical;
    fixture->options.retention.care_years = care;
    ahead = -(time_t)days * DAY;
    write_days(fixture, days);
    ahead = 0;
    audit_close(fixture_open(fixture, 0));
}

static struct audit_purge_result purge(const struct fixture *fixture, bool apply)
{
    struct audit_purge_result result;
    const char *why = NULL;
    enum status status =
        audit_purge(&fixture->options, apply, "anna@test", NULL, NULL, &result, &why);
    if (status != OK)
        fail_msg("audit_purge: %s", why);
    return result;
}

static void purge_takes_technical_records_and_leaves_care(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, 6, 3, 0);
    struct census before = count(&fixture);
    struct audit_verify_result whole = expect_whole(&fixture);
    assert_int_equal(whole.tombstones, 0);
    assert_true(before.technical > 0 && before.care > 0);
    /* It says so, and does nothing, unless told. */
    struct audit_purge_result due = purge(&fixture, false);
    assert_true(due.technical > 0);
    assert_int_equal(due.care, 0);
    struct census same = count(&fixture);
    assert_memory_equal(&same, &before, sizeof same);
    struct audit_purge_result done = purge(&fixture, true);
    assert_int_equal(done.technical, due.technical);
    assert_int_equal(done.files, due.files);
    assert_int_equal(done.refused, 0);
    assert_true(done.bytes_left < done.bytes);
    struct census after = count(&fixture);
    assert_int_equal(after.technical, before.technical - done.technical);
    assert_int_equal(after.care, before.care);
    assert_true(after.stones > 0 && after.gaps > after.stones);
    whole = expect_whole(&fixture);
    assert_int_equal(whole.tombstones, after.stones);
    assert_int_equal(whole.purged_technical, done.technical);
    assert_int_equal(whole.purged_care, 0);
    /* Nothing is due twice; the chain goes on. */
    assert_int_equal(purge(&fixture, true).files, 0);
    write_days(&fixture, 1);
    (void)expect_whole(&fixture);
    fixture_end(&fixture);
}

/* Compressed files stay compressed; later the rest is due, and the tombstones become one. */
static void purge_of_compressed_files_goes_on_years_later(void **state)
{
    (void)state;
    struct fixture fixture;
    struct audit_pack_result packed;
    const char *why = NULL;
    start(&fixture, 4, 2, 1);
    assert_int_equal(audit_pack(fixture.directory, NULL, NULL, &packed, &why), OK);
    struct census before = count(&fixture);
    struct audit_purge_result first = purge(&fixture, true);
    assert_true(first.technical > 0);
    assert_int_equal(first.care, 0);
    struct census between = count(&fixture);
    assert_int_equal(expect_whole(&fixture).purged_technical, first.technical);
    ahead = 366 * DAY;
    audit_close(fixture_open(&fixture, 0));
    struct audit_purge_result second = purge(&fixture, true);
    assert_true(second.care > 0);
    struct census after = count(&fixture);
    assert_int_equal(after.care, between.care - second.care);
    assert_int_equal(after.care + after.technical + first.technical + second.technical +
                         second.care,
                     before.care + before.technical);
    assert_true(after.stones + after.gaps < between.stones + between.gaps);
    struct findings findings;
    struct audit_verify_result whole = fixture_verify(&fixture, &findings);
    /* The year that the clock went ahead has no checkpoint. */
    for (size_t i = 0; i < findings.count; i++)
        assert_memory_equal(findings.at[i].message, "unsigned", 8);
    assert_int_equal(whole.purged_technical, first.technical + second.technical);
    assert_int_equal(whole.purged_care, second.care);
    fixture_end(&fixture);
    ahead = 0;
}

static void purge_is_on_record_with_who_and_why(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t len = 0;
    start(&fixture, 5, 2, 0);
    fixture.options.retention.justification = "a reason that is long enough";
    (void)purge(&fixture, true);
    char *text = fixture_read(&fixture, "audit-1000-00000001.jsonl", &len);
    assert_non_null(text);
    const char *begin =
        strstr(text, "\"event\":\"purge-begin\",\"session\":0,\"person\":\"anna@test\"");
    assert_non_null(begin);
    assert_non_null(strstr(begin, "\"event\":\"purge-end\""));
    assert_non_null(strstr(begin, "a reason that is long enough"));
    free(text);
    text = fixture_read(&fixture, "audit-0-00000001.jsonl", &len);
    const char *stone = strstr(text, "\"type\":\"tombstone\"");
    assert_non_null(stone);
    assert_non_null(strstr(stone, "\"who\":\"anna@test\""));
    assert_non_null(strstr(stone, "(2 days: a reason that is long enough)"));
    free(text);
    fixture_end(&fixture);
}

static void purge_leaves_a_changed_file_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t len = 0;
    start(&fixture, 6, 2, 0);
    char *text = fixture_read(&fixture, "audit-0-00000002.jsonl", &len);
    char *byte = strstr(text, "\"disconnect\"");
    assert_non_null(byte);
    byte[3] = 'X';
    fixture_write(&fixture, "audit-0-00000002.jsonl", text, len);
    struct audit_purge_result result = purge(&fixture, true);
    assert_int_equal(result.refused, 1);
    assert_true(result.files > 0);
    size_t again_len = 0;
    char *again = fixture_read(&fixture, "audit-0-00000002.jsonl", &again_len);
    assert_int_equal(again_len, len);
    assert_memory_equal(again, text, len);
    struct findings findings;
    (void)fixture_verify(&fixture, &findings);
    assert_int_equal(findings.count, 1);
    assert_string_equal(findings.at[0].file, "audit-0-00000002.jsonl");
    free(text);
    free(again);
    fixture_end(&fixture);
}

static void purge_under_a_new_key_verifies_with_both(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, 5, 2, 0);
    fixture_make_key(fixture.key);
    struct audit_purge_result result = purge(&fixture, true);
    assert_true(result.technical > 0);
    assert_int_equal(expect_whole(&fixture).purged_technical, result.technical);
    audit_close(fixture_open(&fixture, 0));
    struct audit_verify_result whole = expect_whole(&fixture);
    assert_int_equal(whole.key_changes, 1);
    fixture_end(&fixture);
}

/* Somebody with another key: their tombstones are findings, each one, with what is gone. */
static void purge_by_another_key_is_found(void **state)
{
    (void)state;
    struct fixture fixture;
    char mine[128];
    char command[1200];
    struct findings findings;
    start(&fixture, 5, 2, 0);
    (void)snprintf(mine, sizeof mine, "%s/mine.pem", fixture.base);
    (void)snprintf(command, sizeof command, "cp %s %s", fixture.public_key, mine);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): files of our own
    fixture_make_key(fixture.key);
    struct audit_purge_result result = purge(&fixture, true);
    assert_true(result.technical > 0);
    (void)snprintf(fixture.public_key, sizeof fixture.public_key, "%s", mine);
    (void)fixture_verify(&fixture, &findings);
    assert_true(findings.count > 0);
    size_t forged = 0;
    for (size_t i = 0; i < findings.count && i < FINDINGS_MAX; i++)
        forged += strncmp(findings.at[i].message, "bad signature: this tombstone", 29) == 0;
    assert_true(forged > 0);
    fixture_end(&fixture);
}

static void purge_without_retention_says_so(void **state)
{
    (void)state;
    struct fixture fixture;
    struct audit_purge_result result;
    const char *why = NULL;
    start(&fixture, 2, 0, 0);
    assert_int_equal(audit_purge(&fixture.options, true, "a", NULL, NULL, &result, &why),
                     ERR_INVALID);
    assert_non_null(strstr(why, "audit.retention"));
    fixture_end(&fixture);
}

static void purge_killed_at_any_step_leaves_the_trail_whole(void **state)
{
    (void)state;
    unsigned step = 1;
    int ended = 0;
    do {
        struct fixture fixture;
        struct audit_pack_result packed;
        const char *why = NULL;
        start(&fixture, 4, 1, 0);
        /* Both forms in one trail. */
        if (step % 2)
            assert_int_equal(audit_pack(fixture.directory, NULL, NULL, &packed, &why), OK);
        struct census before = count(&fixture);
        uint64_t due = purge(&fixture, false).technical;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct audit_purge_result result;
            held_steps_die_at(step);
            _exit(audit_purge(&fixture.options, true, "a", NULL, NULL, &result, &why) == OK ? 0
                                                                                            : 1);
        }
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_true(WIFEXITED(ended));
        assert_int_not_equal(WEXITSTATUS(ended), 1);
        /* The chain that purging writes its own record in may end in the middle of a line. */
        audit_close(fixture_open(&fixture, AUDIT_CHAIN_BY_HAND));
        uint64_t done = expect_whole(&fixture).purged_technical;
        assert_true(done <= due);
        assert_int_equal(count(&fixture).care, before.care);
        assert_int_equal(purge(&fixture, true).technical, due - done);
        assert_int_equal(expect_whole(&fixture).purged_technical, due);
        assert_int_equal(count(&fixture).care, before.care);
        fixture_end(&fixture);
        step++;
    } while (WEXITSTATUS(ended) == HELD_STEPS_DEATH);
    assert_true(step > 15);
}

static void purge_that_fails_at_any_step_leaves_the_trail_whole(void **state)
{
    (void)state;
    unsigned step = 1;
    bool failed = true;
    while (failed) {
        struct fixture fixture;
        struct audit_purge_result result;
        const char *why = NULL;
        start(&fixture, 4, 1, 0);
        uint64_t due = purge(&fixture, false).technical;
        held_steps_fail_at(step++, ENOSPC);
        enum status status = audit_purge(&fixture.options, true, "a", NULL, NULL, &result, &why);
        failed = held_steps_end();
        assert_true(failed || status == OK);
        audit_close(fixture_open(&fixture, AUDIT_CHAIN_BY_HAND));
        uint64_t done = expect_whole(&fixture).purged_technical;
        assert_int_equal(purge(&fixture, true).technical, due - done);
        assert_int_equal(expect_whole(&fixture).purged_technical, due);
        fixture_end(&fixture);
    }
    assert_true(step > 15);
}

static void class_of(const char *rest, enum record_class wanted)
{
    char line[1024];
    struct chain_line parsed;
    int len = snprintf(line, sizeof line,
                       "{\"seq\":1,\"prev\":\"%064d\",\"time\":\"2026-01-31T12:00:"
                       "00.000000Z\",\"type\":%s}\n",
                       0, rest);
    assert_true(chain_line_parse(line, (size_t)len, &parsed));
    assert_int_equal(record_class_of(line, (size_t)len, &parsed), wanted);
}

static void class_of_what_is_not_known_is_care(void **state)
{
    (void)state;
    class_of("\"event\",\"event\":\"connect\"", RECORD_TECHNICAL);
    class_of("\"event\",\"event\":\"connected\"", RECORD_CARE);
    class_of("\"event\",\"event\":\"break-glass-begin\"", RECORD_CARE);
    class_of("\"event\",\"event\":\"mission\"", RECORD_CARE);
    class_of("\"event\",\"event\":\"key-changed\"", RECORD_CHAIN);
    class_of("\"event\",\"detail\":\"x\",\"event\":\"connect\"", RECORD_CARE);
    class_of("\"checkpoint\"", RECORD_CHAIN);
    class_of("\"tomorrow\"", RECORD_CARE);
    class_of("\"begin\",\"statement\":\"COMMIT\",\"decision\":\"allow\"", RECORD_CARE);
    class_of("\"whole\",\"statement\":\"COMMIT\",\"decision\":\"allow\"", RECORD_TECHNICAL);
    class_of("\"whole\",\"statement\":\"COMMIT\",\"decision\":\"deny\"", RECORD_CARE);
    class_of("\"whole\",\"break_glass\":true,\"statement\":\"COMMIT\",\"decision\":\"allow\"",
             RECORD_CARE);
    class_of("\"whole\",\"statement\":\"SHOW\",\"decision\":\"allow\",\"relations\":[{}]",
             RECORD_CARE);
    class_of("\"whole\",\"statement\":\"SELECT\",\"decision\":\"allow\"", RECORD_CARE);
    /* A value cannot be a field. */
    class_of("\"whole\",\"application\":\"\\\",\\\"statement\\\":\\\"COMMIT\\\"\",\"statement\":"
             "\"SELECT\",\"decision\":\"allow\"",
             RECORD_CARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_of_what_is_not_known_is_care),
        cmocka_unit_test(purge_takes_technical_records_and_leaves_care),
        cmocka_unit_test(purge_of_compressed_files_goes_on_years_later),
        cmocka_unit_test(purge_is_on_record_with_who_and_why),
        cmocka_unit_test(purge_leaves_a_changed_file_alone),
        cmocka_unit_test(purge_under_a_new_key_verifies_with_both),
        cmocka_unit_test(purge_by_another_key_is_found),
        cmocka_unit_test(purge_without_retention_says_so),
        cmocka_unit_test(purge_killed_at_any_step_leaves_the_trail_whole),
        cmocka_unit_test(purge_that_fails_at_any_step_leaves_the_trail_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
