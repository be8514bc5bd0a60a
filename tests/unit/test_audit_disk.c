/*
 * test_audit_disk.c: a disk that is full refuses records whole, and service returns by itself.
 *
 * Two ways to be full: a tmpfs of 64 kB (needs root; skipped where mounting is not permitted) and
 * RLIMIT_FSIZE, under which a write is cut short in the middle of a line (works everywhere).
 */
#include "audit_fixture.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define FIRST_FILE "audit-0-00000001.jsonl"

static bool mount_small(struct fixture *fixture)
{
    assert_int_equal(mkdir(fixture->directory, 0700), 0);
    if (mount("tmpfs", fixture->directory, "tmpfs", 0, "size=64k") == 0)
        return true;
    print_message("mounting a tmpfs is not permitted here (%s): only RLIMIT_FSIZE is tried\n",
                  strerror(errno));
    fixture_end(fixture);
    return false;
}

static void unmount_small(struct fixture *fixture)
{
    fixture_remove_files(fixture->directory);
    assert_int_equal(umount(fixture->directory), 0);
    fixture_end(fixture);
}

/* Fills what is left; returns the bytes. */
static void fill(const struct fixture *fixture)
{
    char path[512];
    char block[512] = {1};
    (void)snprintf(path, sizeof path, "%s/filler", fixture->directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0) {
    }
    assert_int_equal(close(fd), 0);
}

static void unfill(const struct fixture *fixture)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/filler", fixture->directory);
    assert_int_equal(unlink(path), 0);
}

static void expect_whole(const struct fixture *fixture, uint64_t records)
{
    struct findings findings;
    struct audit_verify_result result = fixture_verify(fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.records, records);
}

/* Appends until not even a short record fits; returns how many lines were written. */
static uint64_t append_until_refused(struct fixture *fixture, struct audit *audit)
{
    struct findings findings;
    enum status status = OK;
    unsigned refused = 0;
    for (unsigned i = 0; i < 100000 && refused < 3; i++) {
        if (refused == 0)
            assert_int_equal(audit_whole(audit, &some_session, &some_statement, &some_outcome), OK);
        else
            assert_int_equal(audit_event(audit, "x", NULL, NULL), OK);
        status = audit_flush(audit);
        if (status != OK)
            assert_int_equal(status, ERR_AUDIT);
        refused += status != OK;
    }
    assert_int_equal(status, ERR_AUDIT);
    return fixture_verify(fixture, &findings).records;
}

static void refuse_and_return(struct fixture *fixture)
{
    struct audit *audit = fixture_open(fixture, 0);
    fixture_append(audit, 3);
    fill(fixture);
    uint64_t written = append_until_refused(fixture, audit);
    uint64_t flushed = audit_flushed(audit);
    assert_true(audit_failed(audit) >= 3);
    assert_false(audit_healthy(audit));
    assert_false(audit_pending(audit));
    /* Nothing half-written, nothing of the refused record. */
    expect_whole(fixture, written);
    /* Several at once are refused together, again and again. */
    for (unsigned i = 0; i < 5; i++) {
        uint64_t id = 0;
        assert_int_equal(audit_begin(audit, &some_session, &some_statement, &id), OK);
        assert_int_equal(audit_whole(audit, &some_session, &some_statement, &some_outcome), OK);
        assert_int_equal(audit_flush(audit), ERR_AUDIT);
        expect_whole(fixture, written);
    }
    assert_int_equal(audit_flushed(audit), flushed);
    assert_int_equal(audit_tick(audit), ERR_AUDIT);
    /* Somebody makes room: the next record simply succeeds, after a notice of what was refused. */
    unfill(fixture);
    assert_int_equal(audit_whole(audit, &some_session, &some_statement, &some_outcome), OK);
    assert_int_equal(audit_flush(audit), OK);
    assert_true(audit_healthy(audit));
    assert_int_equal(audit_flushed(audit), flushed + 1);
    expect_whole(fixture, written + 2);
    size_t len = 0;
    char *bytes = fixture_read(fixture, FIRST_FILE, &len);
    char *notice = strstr(bytes, "\"event\":\"audit-restored\",\"refused_records\":");
    assert_non_null(notice);
    assert_true(
        strtoul(strrchr(strtok(strstr(notice, "refused_records"), ","), ':') + 1, NULL, 10) >= 11);
    free(bytes);
    audit_close(audit);
    expect_whole(fixture, written + 3);
}

static void flush_on_full_tmpfs_refused_and_returns(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    if (!mount_small(&fixture))
        return;
    refuse_and_return(&fixture);
    unmount_small(&fixture);
}

static void flush_on_full_tmpfs_synced_refused_and_returns(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    if (!mount_small(&fixture))
        return;
    fixture.options.durability = AUDIT_SYNCED;
    refuse_and_return(&fixture);
    unmount_small(&fixture);
}

static void tick_after_full_tmpfs_returns_without_traffic(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    if (!mount_small(&fixture))
        return;
    struct audit *audit = fixture_open(&fixture, 0);
    fill(&fixture);
    uint64_t written = append_until_refused(&fixture, audit);
    assert_int_equal(audit_tick(audit), ERR_AUDIT);
    assert_false(audit_healthy(audit));
    unfill(&fixture);
    assert_int_equal(audit_tick(audit), OK);
    assert_true(audit_healthy(audit));
    expect_whole(&fixture, written + 1);
    audit_close(audit);
    unmount_small(&fixture);
}

#define RESERVE_BYTES 8192U

static bool reserve_is_there(const struct fixture *fixture)
{
    char path[512];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/audit-0.reserve", fixture->directory);
    return stat(path, &st) == 0 && st.st_size == RESERVE_BYTES &&
           st.st_blocks * 512 >= RESERVE_BYTES;
}

static bool trail_tells(const struct fixture *fixture, const char *event)
{
    char wanted[64];
    size_t len = 0;
    (void)snprintf(wanted, sizeof wanted, "\"event\":\"%s\"", event);
    char *bytes = fixture_read(fixture, FIRST_FILE, &len);
    bool told = memmem(bytes, len, wanted, strlen(wanted)) != NULL;
    free(bytes);
    return told;
}

static enum status write_whole(struct audit *audit)
{
    assert_int_equal(audit_whole(audit, &some_session, &some_statement, &some_outcome), OK);
    return audit_flush(audit);
}

static enum status write_begin(struct audit *audit)
{
    uint64_t id = 0;
    enum status status = audit_begin(audit, &some_session, &some_statement, &id);
    return status == OK ? audit_flush(audit) : status;
}

/* The disk is full: what is on its way is still written, nothing new begins, refusals have their
 * records, until the reserve is full, too. */
static void use_reserve(struct fixture *fixture)
{
    fixture->options.reserve_bytes = RESERVE_BYTES;
    struct audit *audit = fixture_open(fixture, 0);
    assert_true(reserve_is_there(fixture));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(write_begin(audit), OK);
        fill(fixture);
        for (unsigned i = 0; i < 100 && audit_healthy(audit); i++)
            assert_int_equal(write_whole(audit), OK);
        assert_false(audit_healthy(audit));
        assert_false(reserve_is_there(fixture));
        assert_int_equal(audit_failed(audit), round);
        assert_int_equal(write_begin(audit), ERR_AUDIT);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(write_whole(audit), OK);
        assert_true(trail_tells(fixture, "audit-reserve"));
        assert_int_equal(audit_tick(audit), ERR_AUDIT);
        assert_false(audit_healthy(audit));
        assert_int_equal(write_begin(audit), ERR_AUDIT);
        enum status status = OK;
        for (unsigned i = 0; i < 1000 && status == OK && round == 0; i++)
            status = write_whole(audit);
        assert_int_equal(status, round == 0 ? ERR_AUDIT : OK);
        struct findings findings;
        assert_int_equal(fixture_verify(fixture, &findings).findings, 0);
        unfill(fixture);
        assert_int_equal(audit_tick(audit), OK);
        assert_true(audit_healthy(audit));
        assert_true(reserve_is_there(fixture));
        assert_true(trail_tells(fixture, "audit-restored"));
    }
    assert_int_equal(write_begin(audit), OK);
    audit_close(audit);
    struct findings findings;
    assert_int_equal(fixture_verify(fixture, &findings).findings, 0);
}

static void full_tmpfs_with_a_reserve_records_refusals(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct fixture fixture;
        fixture_start(&fixture);
        if (!mount_small(&fixture))
            return;
        fixture.options.durability = i ? AUDIT_SYNCED : AUDIT_WRITTEN;
        use_reserve(&fixture);
        unmount_small(&fixture);
    }
}

/* No room for it at the start: as if it were in use. */
static void open_without_room_for_the_reserve_begins_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    if (!mount_small(&fixture))
        return;
    fixture.options.reserve_bytes = (size_t)1 << 20;
    struct audit *audit = fixture_open(&fixture, 0);
    assert_false(audit_healthy(audit));
    assert_int_equal(write_begin(audit), ERR_AUDIT);
    assert_int_equal(write_whole(audit), OK);
    audit_close(audit);
    fixture.options.reserve_bytes = RESERVE_BYTES;
    audit = fixture_open(&fixture, 0);
    assert_true(audit_healthy(audit));
    assert_int_equal(write_begin(audit), OK);
    audit_close(audit);
    unmount_small(&fixture);
}

/* What stands in the reserve's way, and is no full disk, is told and does not stop anything. */
static void reserve_that_cannot_be_taken_is_done_without(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[512];
    fixture_start(&fixture);
    assert_int_equal(mkdir(fixture.directory, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/audit-0.reserve", fixture.directory);
    assert_int_equal(symlink("/nowhere/else", path), 0);
    fixture.options.reserve_bytes = RESERVE_BYTES;
    struct audit *audit = fixture_open(&fixture, 0);
    assert_true(audit_healthy(audit));
    assert_int_equal(write_begin(audit), OK);
    assert_int_equal(audit_tick(audit), OK);
    audit_close(audit);
    assert_int_equal(unlink(path), 0);
    fixture_end(&fixture);
}

static void rotation_on_full_tmpfs_keeps_the_old_file(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    if (!mount_small(&fixture))
        return;
    fixture.options.file_bytes = 6000;
    struct audit *audit = fixture_open(&fixture, 0);
    uint64_t written = append_until_refused(&fixture, audit);
    assert_true(written > 20);
    struct findings findings;
    struct audit_verify_result result = fixture_verify(&fixture, &findings);
    fixture_print(&findings);
    assert_int_equal(result.findings, 0);
    uint64_t files = result.files;
    /* The oldest file is archived: room again, also for new files. */
    char path[512];
    (void)snprintf(path, sizeof path, "%s/" FIRST_FILE, fixture.directory);
    assert_int_equal(unlink(path), 0);
    (void)usleep(1100000);
    fixture_append(audit, 2);
    audit_close(audit);
    result = fixture_verify(&fixture, &findings);
    assert_int_equal(result.findings, 1);
    assert_string_equal(findings.at[0].file, FIRST_FILE);
    assert_true(result.files >= files - 1);
    unmount_small(&fixture);
}

static void open_on_full_tmpfs_refused_then_works(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    if (!mount_small(&fixture))
        return;
    struct audit *audit = NULL;
    const char *why = NULL;
    fill(&fixture);
    assert_int_equal(audit_open(&fixture.options, 0, &audit, &why), ERR_IO);
    assert_non_null(strstr(why, "No space left"));
    unfill(&fixture);
    audit = fixture_open(&fixture, 0);
    fixture_append(audit, 1);
    audit_close(audit);
    expect_whole(&fixture, 3);
    unmount_small(&fixture);
}

static void set_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void flush_cut_short_at_every_byte_leaves_whole_lines(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct audit *audit = fixture_open(&fixture, 0);
    size_t len = 0;
    for (unsigned i = 0; i < 200; i++) {
        char *bytes = fixture_read(&fixture, FIRST_FILE, &len);
        free(bytes);
        set_limit(len + (size_t)i * 7);
        assert_int_equal(audit_whole(audit, &some_session, &some_statement, &some_outcome), OK);
        assert_int_equal(audit_whole(audit, &some_session, &some_statement, &some_outcome), OK);
        assert_int_equal(audit_flush(audit), ERR_AUDIT);
        set_limit(RLIM_INFINITY);
        size_t after = 0;
        bytes = fixture_read(&fixture, FIRST_FILE, &after);
        free(bytes);
        assert_int_equal(after, len);
        if (i % 10 == 0)
            fixture_append(audit, 1);
    }
    audit_close(audit);
    struct findings findings;
    assert_int_equal(fixture_verify(&fixture, &findings).findings, 0);
    fixture_end(&fixture);
}

int main(void)
{
    /* Mounts of our own: they go with the process, even when a test fails. */
    if (unshare(CLONE_NEWNS) == 0)
        (void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flush_on_full_tmpfs_refused_and_returns),
        cmocka_unit_test(flush_on_full_tmpfs_synced_refused_and_returns),
        cmocka_unit_test(tick_after_full_tmpfs_returns_without_traffic),
        cmocka_unit_test(full_tmpfs_with_a_reserve_records_refusals),
        cmocka_unit_test(open_without_room_for_the_reserve_begins_nothing),
        cmocka_unit_test(reserve_that_cannot_be_taken_is_done_without),
        cmocka_unit_test(rotation_on_full_tmpfs_keeps_the_old_file),
        cmocka_unit_test(open_on_full_tmpfs_refused_then_works),
        cmocka_unit_test(flush_cut_short_at_every_byte_leaves_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
