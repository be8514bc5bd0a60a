/* The day's statements, in a file that outlives the process. */
#include "proxy/budget.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER 64
#define ENTRY  64

/* A disk that is held up or fails, and file systems that cannot do everything. The names are the
 * linker's. NOLINTBEGIN(readability-identifier-naming) */

int __real_fdatasync(int fd);
int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);

static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_changed = PTHREAD_COND_INITIALIZER;
static unsigned disk_begun, disk_ended, disk_on_caller;
static bool disk_held, disk_failing;
static pthread_t disk_caller;
static int no_rename, no_link; /* errno */

int __wrap_fdatasync(int fd)
{
    pthread_mutex_lock(&disk_lock);
    disk_begun++;
    disk_on_caller += pthread_equal(disk_caller, pthread_self()) != 0 ? 1 : 0;
    pthread_cond_broadcast(&disk_changed);
    while (disk_held)
        pthread_cond_wait(&disk_changed, &disk_lock);
    bool failing = disk_failing;
    disk_ended++;
    pthread_cond_broadcast(&disk_changed);
    pthread_mutex_unlock(&disk_lock);
    errno = EIO;
    return failing ? -1 : __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
    return __wrap_fdatasync(fd);
}

int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    errno = no_rename;
    return no_rename != 0 ? -1 : __real_renameat2(from_fd, from, to_fd, to, flags);
}

int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    errno = no_link;
    return no_link != 0 ? -1 : __real_linkat(from_fd, from, to_fd, to, flags);
}

/* NOLINTEND(readability-identifier-naming) */

static void set_disk(bool held, bool failing)
{
    pthread_mutex_lock(&disk_lock);
    disk_held = held;
    disk_failing = failing;
    pthread_cond_broadcast(&disk_changed);
    pthread_mutex_unlock(&disk_lock);
}

/* Waits until so many syncs have begun, or ended, and tells how many have. */
static unsigned wait_disk(const unsigned *count, unsigned least)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&disk_lock);
    int waited = 0;
    while (*count < least && waited == 0)
        waited = pthread_cond_timedwait(&disk_changed, &disk_lock, &until);
    unsigned now = *count;
    pthread_mutex_unlock(&disk_lock);
    return now;
}

static char folder[64];
static char path[128];
static uint64_t today;

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/pgvigil-budget-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/%s", folder, BUDGET_FILE);
    today = (uint64_t)time(NULL) / 86400;
    disk_caller = pthread_self();
    disk_begun = disk_ended = disk_on_caller = 0;
    set_disk(false, false);
    no_rename = no_link = 0;
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    const struct dirent *entry = NULL;
    char name[512];
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        (void)snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
        (void)unlink(name);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return rmdir(folder);
}

static struct budget *open_on(uint64_t day)
{
    struct budget *budget = NULL;
    const char *why = NULL;
    assert_int_equal(budget_open(folder, false, day, &budget, &why), OK);
    return budget;
}

static enum status ask(struct budget *budget, const char *person, uint64_t day)
{
    return budget_take(budget, person, "stats", "records", 5, 1, day);
}

static unsigned ask_all(struct budget *budget, const char *person, uint64_t day)
{
    unsigned count = 0;
    enum status status;
    while ((status = ask(budget, person, day)) == OK)
        count++;
    assert_int_equal(status, DENIED);
    return count;
}

static off_t size_of(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0 ? st.st_size : -1;
}

static void put_byte(off_t at, char byte)
{
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static void day_is_used_up_and_the_next_one_is_there(void **state)
{
    (void)state;
    struct budget *budget = open_on(today);
    assert_int_equal(size_of(path), -1);
    assert_int_equal(ask_all(budget, "anna", today), 5);
    assert_int_equal(ask_all(budget, "anna", today + 1), 5);
    assert_int_equal(ask_all(budget, "anna", today), 0); /* a clock that is set back */
    assert_int_equal(ask_all(budget, "bert", today), 5);
    assert_int_equal(budget_take(budget, "cleo", "stats", "records", 5, 6, today), DENIED);
    assert_int_equal(budget_take(budget, "cleo", "stats", "records", 5, 5, today), OK);
    assert_int_equal(ask(budget, "cleo", today), DENIED);
    assert_int_equal(budget_take(budget, "cleo", "stats", "records", 5, UINT64_MAX, today), DENIED);
    budget_close(budget);
}

static void names_are_told_apart(void **state)
{
    (void)state;
    struct budget *budget = open_on(today);
    assert_int_equal(budget_take(budget, "ab", "c", "d", 1, 1, today), OK);
    assert_int_equal(budget_take(budget, "ab", "c", "d", 1, 1, today), DENIED);
    assert_int_equal(budget_take(budget, "a", "bc", "d", 1, 1, today), OK);
    assert_int_equal(budget_take(budget, "ab", "", "cd", 1, 1, today), OK);
    assert_int_equal(budget_take(budget, "ab", "cd", "", 1, 1, today), OK);
    assert_int_equal(budget_take(budget, "ab", "c", "e", 1, 1, today), OK);
    budget_close(budget);
    char bytes[1024] = "";
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    assert_int_equal(len, HEADER + 5 * ENTRY);
    budget = open_on(today);
    assert_int_equal(budget_take(budget, "nurse.dupont", "stats", "records", 1, 1, today), OK);
    budget_close(budget);
    fd = open(path, O_RDONLY);
    len = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    assert_null(memmem(bytes, (size_t)len, "dupont", 6));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void counts_outlive_the_process(void **state)
{
    (void)state;
    struct budget *budget = open_on(today);
    assert_int_equal(ask(budget, "anna", today), OK);
    assert_int_equal(ask_all(budget, "bert", today), 5);
    budget_close(budget);
    budget = open_on(today);
    assert_int_equal(ask_all(budget, "anna", today), 4);
    assert_int_equal(ask_all(budget, "bert", today), 0);
    assert_int_equal(ask_all(budget, "cleo", today), 5);
    budget_close(budget);
    budget = open_on(today - 1); /* started with a clock that is set back */
    assert_int_equal(ask_all(budget, "bert", today - 1), 0);
    assert_int_equal(ask_all(budget, "bert", today + 1), 5);
    budget_close(budget);
}

/* Killed at any moment, nothing that was granted is forgotten, and nothing is damaged. */
static void counts_outlive_a_kill(void **state)
{
    (void)state;
    uint64_t granted = 0;
    for (unsigned round = 0; round < 20; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct budget *budget = NULL;
            const char *why = NULL;
            if (budget_open(folder, false, today, &budget, &why) != OK)
                _exit(1);
            while (budget_take(budget, "anna", "stats", "records", UINT64_MAX, 1, today) == OK)
                (void)!write(ends[1], "x", 1);
            _exit(2);
        }
        (void)close(ends[1]);
        char bytes[256];
        for (unsigned i = 0; i < 10 + round * 7; i++) {
            ssize_t len = read(ends[0], bytes, sizeof bytes);
            assert_true(len > 0);
            granted += (uint64_t)len;
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        ssize_t len;
        while ((len = read(ends[0], bytes, sizeof bytes)) > 0)
            granted += (uint64_t)len;
        (void)close(ends[0]);
        struct budget *budget = open_on(today);
        assert_int_equal(budget_take(budget, "anna", "stats", "records", granted, 1, today),
                         DENIED);
        /* Of each kill one statement may count that was not sent any more. */
        assert_int_equal(budget_take(budget, "anna", "stats", "records",
                                     granted + 2 * (uint64_t)round + 2, 1, today),
                         OK);
        granted++;
        budget_close(budget);
    }
}

static void damage_is_a_day_that_is_used_up(void **state)
{
    (void)state;
    char aside[128];
    (void)snprintf(aside, sizeof aside, "%s/%s", folder, BUDGET_FILE_ASIDE);
    const off_t places[] = {0, 20, HEADER, HEADER + 32, HEADER + 40, HEADER + 63, HEADER + ENTRY};
    for (size_t i = 0; i < sizeof places / sizeof places[0] + 3; i++) {
        (void)unlink(path);
        struct budget *budget = open_on(today);
        assert_int_equal(ask(budget, "anna", today), OK);
        assert_int_equal(ask(budget, "bert", today), OK);
        budget_close(budget);
        if (i < sizeof places / sizeof places[0])
            put_byte(places[i], '\xff');
        else
            assert_int_equal(truncate(path, i % 3 == 0   ? 0
                                            : i % 3 == 1 ? HEADER + ENTRY + 7
                                                         : HEADER + 3 * ENTRY),
                             0);
        for (unsigned start = 0; start < 2; start++) {
            budget = open_on(today);
            assert_int_equal(ask(budget, "anna", today), ERR_INVALID);
            assert_int_equal(ask(budget, "cleo", today), ERR_INVALID);
            assert_int_equal(ask(budget, "cleo", today - 1), ERR_INVALID);
            budget_close(budget);
        }
        assert_int_equal(size_of(aside), -1);
        budget = open_on(today);
        assert_int_equal(ask_all(budget, "anna", today + 1), 5);
        assert_int_equal(ask_all(budget, "bert", today + 1), 5);
        budget_close(budget);
        assert_true(size_of(aside) >= 0);
        assert_int_equal(unlink(aside), 0);
    }
}

static void damage_of_yesterday_costs_nothing(void **state)
{
    (void)state;
    struct budget *budget = open_on(today);
    assert_int_equal(ask_all(budget, "anna", today), 5);
    budget_close(budget);
    put_byte(HEADER + 40, '\xff');
    budget = open_on(today + 1);
    assert_int_equal(ask_all(budget, "anna", today + 1), 5);
    budget_close(budget);
    budget = open_on(today + 1);
    assert_int_equal(ask_all(budget, "anna", today + 1), 0);
    budget_close(budget);
}

static void an_entry_in_another_place_is_damage(void **state)
{
    (void)state;
    unsigned char bytes[2 * ENTRY];
    struct budget *budget = open_on(today);
    assert_int_equal(ask_all(budget, "anna", today), 5);
    assert_int_equal(ask(budget, "bert", today), OK);
    budget_close(budget);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, bytes, sizeof bytes, HEADER), sizeof bytes);
    assert_int_equal(pwrite(fd, bytes + ENTRY, ENTRY, HEADER), ENTRY);
    (void)close(fd);
    budget = open_on(today);
    assert_int_equal(ask(budget, "anna", today), ERR_INVALID);
    budget_close(budget);
}

static void two_processes_do_not_count_in_one_file(void **state)
{
    (void)state;
    struct budget *second = NULL;
    const char *why = NULL;
    struct budget *budget = open_on(today);
    assert_int_equal(ask(budget, "anna", today), OK);
    assert_int_equal(budget_open(folder, false, today, &second, &why), ERR_INVALID);
    assert_non_null(strstr(why, "another process"));
    budget_close(budget);
    budget_close(open_on(today));
    /* Both began when there was no file. */
    assert_int_equal(unlink(path), 0);
    budget = open_on(today);
    second = open_on(today);
    assert_int_equal(ask(budget, "anna", today), OK);
    assert_int_equal(ask(second, "anna", today), ERR_IO);
    budget_close(second);
    budget_close(budget);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct budget *budget = NULL;
    const char *why = NULL;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_not_equal(budget_open(folder, false, today, &budget, &why), OK);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(budget_open(folder, false, today, &budget, &why), ERR_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(budget_open(folder, false, today, &budget, &why), ERR_INVALID);
    assert_int_equal(budget_open("/nonexistent", false, today, &budget, &why), ERR_IO);
}

static void a_file_that_is_taken_away_is_written_again(void **state)
{
    (void)state;
    struct budget *budget = open_on(today);
    assert_int_equal(ask(budget, "anna", today), OK);
    assert_int_equal(ask_all(budget, "bert", today), 5);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ask(budget, "anna", today), OK);
    budget_close(budget);
    budget = open_on(today);
    assert_int_equal(ask_all(budget, "anna", today), 3);
    assert_int_equal(ask_all(budget, "bert", today), 0);
    budget_close(budget);
}

/* The file cannot grow, as on a full disk: who is in it may ask on, nobody else; nothing of it is
 * damage. */
static void nobody_is_answered_who_cannot_be_counted(void **state)
{
    (void)state;
    struct rlimit old;
    struct budget *budget = open_on(today);
    assert_int_equal(ask(budget, "anna", today), OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    const rlim_t rooms[] = {HEADER + ENTRY, HEADER + ENTRY + 10};
    for (size_t i = 0; i < 2; i++) {
        const struct rlimit none = {rooms[i], old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        assert_int_equal(ask(budget, "bert", today), ERR_IO);
        assert_int_equal(ask(budget, "bert", today), ERR_IO);
        assert_int_equal(ask(budget, "anna", today), OK);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(size_of(path), HEADER + ENTRY);
    }
    assert_int_equal(ask_all(budget, "bert", today), 5);
    budget_close(budget);
    budget = open_on(today);
    assert_int_equal(ask_all(budget, "anna", today), 2);
    budget_close(budget);
    /* Nor where there is no file yet. */
    assert_int_equal(unlink(path), 0);
    const struct rlimit none = {0, old.rlim_max};
    budget = open_on(today);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(ask(budget, "anna", today), ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(size_of(path), -1);
    assert_int_equal(ask_all(budget, "anna", today), 5);
    budget_close(budget);
}

static void days_that_are_over_make_room(void **state)
{
    (void)state;
    char name[32];
    struct budget *budget = open_on(today);
    for (unsigned day = 0; day < 4; day++) {
        for (unsigned i = 0; i < 3000; i++) {
            (void)snprintf(name, sizeof name, "person %u of %u", i, day);
            assert_int_equal(ask(budget, name, today + day), OK);
        }
        assert_int_equal(size_of(path), HEADER + 3000 * ENTRY);
        if (day == 1) {
            budget_close(budget);
            budget = open_on(today + 1);
        }
    }
    assert_int_equal(ask_all(budget, "person 7 of 3", today + 3), 4);
    /* Forgotten with their day, which a clock that is set back does not bring back either. */
    assert_int_equal(ask_all(budget, "person 7 of 0", today + 3), 5);
    budget_close(budget);
}

static void the_file_is_bounded(void **state)
{
    (void)state;
    char name[32];
    struct budget *budget = open_on(today);
    for (unsigned i = 0; i < BUDGET_ENTRIES_MAX; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        assert_int_equal(ask(budget, name, today), OK);
    }
    assert_int_equal(ask(budget, "one more", today), ERR_LIMIT);
    assert_int_equal(ask(budget, "77", today), OK);
    assert_int_equal(size_of(path), HEADER + (off_t)BUDGET_ENTRIES_MAX * ENTRY);
    assert_int_equal(ask_all(budget, "one more", today + 1), 5);
    budget_close(budget);
    budget = open_on(today + 1);
    assert_int_equal(ask_all(budget, "one more", today + 1), 0);
    budget_close(budget);
}

struct asker {
    struct budget *budget;
    unsigned got;
};

static void *ask_on(void *context)
{
    struct asker *asker = context;
    while (budget_take(asker->budget, "anna", "stats", "records", 2000, 1, today) == OK)
        asker->got++;
    return NULL;
}

static void threads_have_the_day_together(void **state)
{
    (void)state;
    struct budget *budget = open_on(today);
    struct asker askers[4];
    pthread_t threads[4];
    unsigned sum = 0;
    for (size_t i = 0; i < 4; i++) {
        askers[i] = (struct asker){.budget = budget};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &askers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        sum += askers[i].got;
    }
    assert_int_equal(sum, 2000);
    budget_close(budget);
}

/* What the kernel has not, from whatever process: read past our own descriptor. */
static uint64_t count_in_file(size_t place)
{
    unsigned char bytes[8];
    uint64_t count = 0;
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, bytes, sizeof bytes, HEADER + (off_t)(ENTRY * place) + 40),
                     sizeof bytes);
    (void)close(fd);
    for (size_t i = 8; i-- > 0;)
        count = count << 8 | bytes[i];
    return count;
}

static struct budget *open_synced(bool synced)
{
    struct budget *budget = NULL;
    const char *why = NULL;
    assert_int_equal(budget_open(folder, synced, today, &budget, &why), OK);
    return budget;
}

static void nobody_waits_for_the_disk(void **state)
{
    (void)state;
    struct budget *budget = open_synced(true);
    set_disk(true, false);
    assert_int_equal(ask_all(budget, "anna", today), 5); /* would hang here */
    assert_true(wait_disk(&disk_begun, 1) == 1);
    assert_int_equal(ask_all(budget, "bert", today), 5);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ask_all(budget, "cleo", today), 5); /* nor when the file is made again */
    for (size_t place = 0; place < 3; place++)
        assert_int_equal(count_in_file(place), 5);
    assert_int_equal(disk_ended, 0);
    set_disk(false, false);
    /* The first; once more for all that came meanwhile; the directory. */
    assert_int_equal(wait_disk(&disk_ended, 3), 3);
    assert_int_equal(disk_on_caller, 0);
    budget_close(budget);
    assert_int_equal(disk_begun, 3);
}

static void what_is_written_only_is_not_synced_but_a_new_file_is(void **state)
{
    (void)state;
    struct budget *budget = open_synced(false);
    assert_int_equal(ask(budget, "anna", today), OK);
    assert_int_equal(wait_disk(&disk_ended, 2), 2);
    assert_int_equal(ask_all(budget, "anna", today), 4);
    budget_close(budget);
    assert_int_equal(disk_begun, 2);
    budget = open_synced(true);
    assert_int_equal(ask_all(budget, "bert", today), 5);
    budget_close(budget);
    assert_true(disk_begun > 2);
}

/* After a sync that failed the kernel takes the pages for clean. */
static void what_did_not_come_to_the_disk_is_written_again(void **state)
{
    (void)state;
    struct budget *budget = open_synced(true);
    assert_int_equal(ask_all(budget, "anna", today), 5);
    assert_int_equal(ask(budget, "bert", today), OK);
    unsigned before = wait_disk(&disk_ended, 2);
    set_disk(true, true);
    assert_int_equal(ask(budget, "bert", today), OK);
    assert_true(wait_disk(&disk_begun, before + 1) > before);
    put_byte(HEADER + 40, '\0'); /* anna's count, as a lost page would have it */
    set_disk(false, true);
    (void)wait_disk(&disk_ended, disk_begun);
    for (unsigned i = 0; i < 5000 && count_in_file(0) == 0; i++) {
        assert_int_equal(budget_take(budget, "dora", "stats", "records", UINT64_MAX, 1, today), OK);
        (void)usleep(1000);
    }
    assert_int_equal(count_in_file(0), 5);
    set_disk(false, false);
    budget_close(budget);
    budget = open_synced(true);
    assert_int_equal(ask(budget, "anna", today), DENIED);
    assert_int_equal(ask_all(budget, "bert", today), 3);
    budget_close(budget);
}

static void file_systems_name_it_as_they_can(void **state)
{
    (void)state;
    const struct {
        int rename, link;
        enum status status;
    } kinds[] = {{0, EPERM, OK},
                 {EINVAL, 0, OK},
                 {ENOSYS, 0, OK},
                 {EINVAL, EPERM, ERR_IO},
                 {EROFS, 0, ERR_IO}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct budget *budget = open_on(today);
        no_rename = kinds[i].rename;
        no_link = kinds[i].link;
        assert_int_equal(ask(budget, "anna", today), kinds[i].status);
        assert_int_equal(size_of(path), kinds[i].status == OK ? HEADER + ENTRY : -1);
        no_rename = no_link = 0;
        assert_int_equal(ask_all(budget, "anna", today), kinds[i].status == OK ? 4 : 5);
        budget_close(budget);
        budget = open_on(today);
        assert_int_equal(ask_all(budget, "anna", today), 0);
        budget_close(budget);
        (void)unlink(path);
    }
}

/* Whichever way it is named, another one that stands there stays. */
static void another_file_is_not_replaced(void **state)
{
    (void)state;
    for (unsigned linking = 0; linking < 2; linking++) {
        no_rename = linking == 0 ? 0 : EINVAL;
        struct budget *budget = open_on(today);
        assert_int_equal(ask(budget, "anna", today), OK);
        assert_int_equal(unlink(path), 0);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(write(fd, "x", 1), 1);
        (void)close(fd);
        assert_int_equal(ask(budget, "anna", today), ERR_IO);
        assert_int_equal(size_of(path), 1);
        budget_close(budget);
        assert_int_equal(unlink(path), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(day_is_used_up_and_the_next_one_is_there),
        TEST(names_are_told_apart),
        TEST(counts_outlive_the_process),
        TEST(counts_outlive_a_kill),
        TEST(damage_is_a_day_that_is_used_up),
        TEST(damage_of_yesterday_costs_nothing),
        TEST(an_entry_in_another_place_is_damage),
        TEST(two_processes_do_not_count_in_one_file),
        TEST(what_is_no_file_is_refused),
        TEST(a_file_that_is_taken_away_is_written_again),
        TEST(nobody_is_answered_who_cannot_be_counted),
        TEST(days_that_are_over_make_room),
        TEST(the_file_is_bounded),
        TEST(threads_have_the_day_together),
        TEST(nobody_waits_for_the_disk),
        TEST(what_is_written_only_is_not_synced_but_a_new_file_is),
        TEST(what_did_not_come_to_the_disk_is_written_again),
        TEST(file_systems_name_it_as_they_can),
        TEST(another_file_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
