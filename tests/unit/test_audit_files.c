/*
 * test_audit_files.c: files of the trail end with their day, closed ones are compressed, and a
 * process that is killed at any step on the way has lost nothing.
 */
#include "audit/closed.h"
#include "audit_fixture.h"
#include "held_steps.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#define DAY ((time_t)86400)

/* The names are the linker's. NOLINTBEGIN(readability-identifier-naming) */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

static time_t ahead; /* seconds that the wall clock is put forward */

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += ahead;
    return result;
}
/* NOLINTEND(readability-identifier-naming) */

static unsigned count_files(const struct fixture *fixture, const char *suffix)
{
    unsigned count = 0;
    DIR *dir = opendir(fixture->directory);
    struct dirent *entry = NULL;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);
        size_t suffix_len = strlen(suffix);
        if (len > suffix_len && strcmp(entry->d_name + len - suffix_len, suffix) == 0)
            count++;
    }
    (void)closedir(dir);
    return count;
}

static struct audit_verify_result expect_whole(const struct fixture *fixture)
{
    struct findings findings;
    struct audit_verify_result result = fixture_verify(fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(findings.count, 0);
    return result;
}

static void pack(const struct fixture *fixture, unsigned files)
{
    struct audit_pack_result result;
    const char *why = NULL;
    assert_int_equal(audit_pack(fixture->directory, NULL, NULL, &result, &why), OK);
    assert_int_equal(result.failed, 0);
    assert_int_equal(result.files, files);
}

/* A trail of several files. */
static void start_trail(struct fixture *fixture, unsigned records)
{
    ahead = 0;
    fixture_start(fixture);
    fixture->options.file_bytes = 20000;
    struct audit *audit = fixture_open(fixture, 0);
    fixture_append(audit, records);
    audit_close(audit);
}

static void files_of_a_new_day_begin_with_its_first_tick(void **state)
{
    (void)state;
    struct fixture fixture;
    ahead = 0;
    fixture_start(&fixture);
    fixture.options.daily = true;
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    assert_int_equal(audit_tick(audit), OK);
    assert_int_equal(count_files(&fixture, ".jsonl"), 1);
    ahead = DAY;
    assert_int_equal(audit_tick(audit), OK);
    assert_int_equal(count_files(&fixture, ".jsonl"), 2);
    /* Nobody uses it: no file each day. */
    ahead = 3 * DAY;
    assert_int_equal(audit_tick(audit), OK);
    assert_int_equal(count_files(&fixture, ".jsonl"), 2);
    fixture_append(audit, 1);
    ahead = 4 * DAY;
    fixture_append(audit, 1);
    assert_int_equal(count_files(&fixture, ".jsonl"), 3);
    /* A clock that is put back begins none. */
    ahead = 0;
    fixture_append(audit, 1);
    assert_int_equal(audit_tick(audit), OK);
    assert_int_equal(count_files(&fixture, ".jsonl"), 3);
    audit_close(audit);
    /* A server that was off at midnight. */
    ahead = 6 * DAY;
    audit = fixture_open(&fixture, 0);
    assert_int_equal(count_files(&fixture, ".jsonl"), 4);
    fixture_append(audit, 1);
    audit_close(audit);
    struct findings findings;
    (void)fixture_verify(&fixture, &findings);
    /* Only what the clock did: days without a checkpoint. */
    for (size_t i = 0; i < findings.count; i++)
        assert_memory_equal(findings.at[i].message, "unsigned", 8);
    fixture_end(&fixture);
    ahead = 0;
}

static void files_by_size_alone_do_not_mind_the_day(void **state)
{
    (void)state;
    struct fixture fixture;
    ahead = 0;
    fixture_start(&fixture);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 3);
    ahead = 2 * DAY;
    assert_int_equal(audit_tick(audit), OK);
    fixture_append(audit, 3);
    assert_int_equal(count_files(&fixture, ".jsonl"), 1);
    audit_close(audit);
    fixture_end(&fixture);
    ahead = 0;
}

static void files_closed_are_packed_and_say_the_same(void **state)
{
    (void)state;
    struct fixture fixture;
    start_trail(&fixture, 120);
    struct audit_verify_result before = expect_whole(&fixture);
    assert_true(before.files > 3);
    pack(&fixture, (unsigned)before.files - 1);
    assert_int_equal(count_files(&fixture, ".zst"), before.files - 1);
    assert_int_equal(count_files(&fixture, ".jsonl"), 1);
    struct audit_verify_result after = expect_whole(&fixture);
    assert_int_equal(after.files, before.files);
    assert_int_equal(after.records, before.records);
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(after.checkpoints, before.checkpoints);
    pack(&fixture, 0);
    /* The chain goes on. */
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 40);
    audit_close(audit);
    after = expect_whole(&fixture);
    assert_true(after.records > before.records + 40);
    fixture_end(&fixture);
}

/* Somebody took away the file that was being written: the chain goes on behind the packed one. */
static void files_packed_may_be_the_last_that_are_left(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[512];
    start_trail(&fixture, 120);
    struct audit_verify_result before = expect_whole(&fixture);
    pack(&fixture, (unsigned)before.files - 1);
    (void)snprintf(path, sizeof path, "%s/audit-0-%08u.jsonl", fixture.directory,
                   (unsigned)before.files);
    assert_int_equal(unlink(path), 0);
    struct audit *audit = fixture_open(&fixture, 0);
    fixture_append(audit, 5);
    audit_close(audit);
    /* What stood in it was the chain's end: nothing but a copy of its checkpoints can show that. */
    struct audit_verify_result after = expect_whole(&fixture);
    assert_int_equal(after.files, before.files);
    fixture_end(&fixture);
}

static void files_in_both_forms_that_differ_are_a_finding(void **state)
{
    (void)state;
    struct fixture fixture;
    struct findings findings;
    size_t len = 0;
    size_t packed_len = 0;
    start_trail(&fixture, 120);
    struct audit_verify_result before = expect_whole(&fixture);
    char *plain = fixture_read(&fixture, "audit-0-00000002.jsonl", &len);
    pack(&fixture, (unsigned)before.files - 1);
    char *packed = fixture_read(&fixture, "audit-0-00000002.jsonl.zst", &packed_len);
    char *other = fixture_read(&fixture, "audit-0-00000001.jsonl.zst", &packed_len);
    assert_non_null(plain);
    assert_non_null(packed);
    /* Both, and the same: what a crash leaves. */
    fixture_write(&fixture, "audit-0-00000002.jsonl", plain, len);
    assert_int_equal(expect_whole(&fixture).records, before.records);
    pack(&fixture, 1);
    assert_int_equal(count_files(&fixture, ".jsonl"), 1);
    /* The plain one is sound, the packed one another file's. */
    fixture_write(&fixture, "audit-0-00000002.jsonl", plain, len);
    fixture_write(&fixture, "audit-0-00000002.jsonl.zst", other, packed_len);
    (void)fixture_verify(&fixture, &findings);
    assert_true(findings.count > 0);
    for (size_t i = 0; i < findings.count; i++)
        assert_string_equal(findings.at[i].file, "audit-0-00000002.jsonl.zst");
    /* Evidence: packing leaves it where it is. */
    struct audit_pack_result result;
    const char *why = NULL;
    assert_int_equal(audit_pack(fixture.directory, NULL, NULL, &result, &why), OK);
    assert_int_equal(result.failed, 1);
    assert_int_equal(count_files(&fixture, ".jsonl"), 2);
    free(plain);
    free(packed);
    free(other);
    fixture_end(&fixture);
}

static void files_are_packed_by_one_process_at_a_time(void **state)
{
    (void)state;
    struct fixture fixture;
    struct closed closed;
    struct audit_pack_result result;
    const char *why = NULL;
    start_trail(&fixture, 60);
    assert_int_equal(closed_open(fixture.directory, &closed), OK);
    assert_int_equal(audit_pack(fixture.directory, NULL, NULL, &result, &why), DENIED);
    assert_non_null(strstr(why, "another process"));
    closed_close(&closed);
    assert_int_equal(audit_pack(fixture.directory, NULL, NULL, &result, &why), OK);
    assert_true(result.files > 0);
    fixture_end(&fixture);
}

static void files_packing_killed_at_any_step_leaves_the_trail_whole(void **state)
{
    (void)state;
    struct fixture fixture;
    unsigned step = 1;
    int ended = 0;
    do {
        start_trail(&fixture, 70);
        struct audit_verify_result before = expect_whole(&fixture);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct audit_pack_result result;
            const char *why = NULL;
            held_steps_die_at(step);
            _exit(audit_pack(fixture.directory, NULL, NULL, &result, &why) == OK ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_true(WIFEXITED(ended));
        assert_int_not_equal(WEXITSTATUS(ended), 1);
        assert_int_equal(expect_whole(&fixture).records, before.records);
        /* The next run finishes it, and leaves nothing behind. */
        struct audit_pack_result result;
        const char *why = NULL;
        assert_int_equal(audit_pack(fixture.directory, NULL, NULL, &result, &why), OK);
        assert_int_equal(result.failed, 0);
        assert_int_equal(count_files(&fixture, ".jsonl"), 1);
        assert_int_equal(count_files(&fixture, ".zst"), before.files - 1);
        assert_int_equal(count_files(&fixture, ".tmp"), 0);
        struct audit_verify_result after = expect_whole(&fixture);
        assert_int_equal(after.records, before.records);
        assert_int_equal(after.bytes, before.bytes);
        fixture_end(&fixture);
        step++;
    } while (WEXITSTATUS(ended) == HELD_STEPS_DEATH);
    assert_true(step > 10);
}

static void files_packing_that_fails_at_any_step_leaves_the_trail_whole(void **state)
{
    (void)state;
    struct fixture fixture;
    unsigned step = 1;
    bool failed = true;
    while (failed) {
        start_trail(&fixture, 70);
        struct audit_verify_result before = expect_whole(&fixture);
        struct audit_pack_result result;
        const char *why = NULL;
        held_steps_fail_at(step++, ENOSPC);
        enum status status = audit_pack(fixture.directory, NULL, NULL, &result, &why);
        failed = held_steps_end();
        assert_true(failed || status == OK);
        assert_int_equal(expect_whole(&fixture).records, before.records);
        assert_int_equal(audit_pack(fixture.directory, NULL, NULL, &result, &why), OK);
        assert_int_equal(count_files(&fixture, ".jsonl"), 1);
        assert_int_equal(expect_whole(&fixture).records, before.records);
        fixture_end(&fixture);
    }
    assert_true(step > 10);
}

struct busy {
    struct fixture *fixture;
    struct audit *audit;
    atomic_bool stopping;
    unsigned packed; /* files */
    bool failed;
};

static void *write_busily(void *context)
{
    struct busy *busy = context;
    for (unsigned i = 0; i < 2000 && !busy->failed; i++) {
        busy->failed =
            audit_whole(busy->audit, &some_session, &some_statement, &some_outcome) != OK ||
            audit_flush(busy->audit) != OK;
    }
    atomic_store(&busy->stopping, true);
    return NULL;
}

static void *pack_busily(void *context)
{
    struct busy *busy = context;
    struct audit_pack_result result;
    const char *why = NULL;
    while (!atomic_load(&busy->stopping)) {
        if (audit_pack(busy->fixture->directory, NULL, NULL, &result, &why) != OK || result.failed)
            return busy;
        busy->packed += (unsigned)result.files;
    }
    return NULL;
}

static void verify_beside_writing_and_packing_is_whole(void **state)
{
    (void)state;
    struct fixture fixture;
    pthread_t writer;
    pthread_t packer;
    void *failed = NULL;
    ahead = 0;
    fixture_start(&fixture);
    fixture.options.file_bytes = 30000;
    struct busy busy = {.fixture = &fixture, .audit = fixture_open(&fixture, 0)};
    assert_int_equal(pthread_create(&writer, NULL, write_busily, &busy), 0);
    assert_int_equal(pthread_create(&packer, NULL, pack_busily, &busy), 0);
    unsigned times = 0;
    while (!atomic_load(&busy.stopping)) {
        (void)expect_whole(&fixture);
        times++;
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(pthread_join(packer, &failed), 0);
    assert_null(failed);
    assert_false(busy.failed);
    audit_close(busy.audit);
    assert_true(busy.packed > 10 && times > 2);
    assert_true(expect_whole(&fixture).records > 2000);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_a_new_day_begin_with_its_first_tick),
        cmocka_unit_test(files_by_size_alone_do_not_mind_the_day),
        cmocka_unit_test(files_closed_are_packed_and_say_the_same),
        cmocka_unit_test(files_packed_may_be_the_last_that_are_left),
        cmocka_unit_test(files_in_both_forms_that_differ_are_a_finding),
        cmocka_unit_test(files_are_packed_by_one_process_at_a_time),
        cmocka_unit_test(verify_beside_writing_and_packing_is_whole),
        cmocka_unit_test(files_packing_killed_at_any_step_leaves_the_trail_whole),
        cmocka_unit_test(files_packing_that_fails_at_any_step_leaves_the_trail_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
