/*
 * budget.c: the day's statements of each person, in a file (see budget.h).
 *
 * Loops call this: they write, which a kill cannot undo, and never wait for the disk. What is
 * written is brought there by a thread, once for all that was written while it was at work.
 *
 * Trust boundary: the directory is ours; links are not followed, and nothing in the file is
 * believed that does not fit its own hash.
 */
#include "proxy/budget.h"

#include "audit/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <pgvigil/log.h>
#include <pgvigil/map.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY     BUDGET_FILE ".new"
#define KEY           32U
#define CHECK         16U
#define ENTRY         64U /* bytes, of the header too */
#define SECONDS_A_DAY 86400

static const char header[ENTRY] = "pgvigil statements of the day 1\n";

struct entry {
    unsigned char key[KEY];
    uint64_t day, count;
};

struct budget {
    pthread_mutex_t lock;
    int dir_fd;
    int fd; /* -1: there is none yet */
    struct syncer *syncer;
    int syncing;                /* a descriptor of its own, -1: no sync is under way */
    bool synced;                /* entries are, too, and not only a new file */
    bool file_dirty, dir_dirty; /* written since the last sync began */
    bool lost;                  /* a sync failed, and its pages count as clean: they are not */
    bool unsynced;              /* said in the log */
    bool closing;
    struct entry *entries;
    size_t count, cap;
    struct map *places; /* of a key: a pointer whose value is its place plus one */
    size_t over;        /* entries before it are of `searched` or later */
    uint64_t searched;
    bool failing; /* said in the log */
    bool damaged;
    uint64_t damaged_on; /* nobody has anything left on this day */
};

/* ---- bytes ---- */

static void put_number(unsigned char *out, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (unsigned char)(number >> (8 * i));
}

static uint64_t get_number(const unsigned char *bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < 8; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    return number;
}

struct part {
    const void *bytes;
    size_t len;
};

static enum status digest(const struct part *parts, size_t count, unsigned char out[KEY])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned int len = 0;
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < count && good; i++)
        good = EVP_DigestUpdate(ctx, parts[i].bytes, parts[i].len) == 1;
    good = good && EVP_DigestFinal_ex(ctx, out, &len) == 1 && len == KEY;
    EVP_MD_CTX_free(ctx);
    return good ? OK : ERR_MEMORY;
}

/* With their ends: "ab" and "c" are not "a" and "bc". */
static enum status make_key(const char *person, const char *mission, const char *database,
                            unsigned char key[KEY])
{
    const struct part parts[] = {{person, strlen(person) + 1},
                                 {mission, strlen(mission) + 1},
                                 {database, strlen(database) + 1}};
    return digest(parts, 3, key);
}

/* The place belongs to it: an entry that stands elsewhere is damage, too. */
static enum status encode(const struct entry *entry, size_t place, unsigned char out[ENTRY])
{
    unsigned char number[8];
    unsigned char hash[KEY];
    memcpy(out, entry->key, KEY);
    put_number(out + KEY, entry->day);
    put_number(out + KEY + 8, entry->count);
    put_number(number, place);
    const struct part parts[] = {{number, sizeof number}, {out, ENTRY - CHECK}};
    enum status status = digest(parts, 2, hash);
    if (status == OK)
        memcpy(out + ENTRY - CHECK, hash, CHECK);
    return status;
}

static int write_at(int fd, const void *bytes, size_t len, uint64_t offset)
{
    ssize_t done = 0;
    do {
        done = pwrite(fd, bytes, len, (off_t)offset);
    } while (done < 0 && errno == EINTR);
    return done < 0 ? errno : (size_t)done == len ? 0 : ENOSPC;
}

/* ---- to the disk ---- */

/* One at a time. What is written while it runs waits for the next. */
static void sync_behind(struct budget *budget)
{
    if (budget->syncing >= 0 || budget->closing || (!budget->file_dirty && !budget->dir_dirty))
        return;
    bool file = budget->file_dirty && budget->fd >= 0;
    /* The file may be closed before its sync has ended. Where there is no descriptor left, whoever
     * asks next tries again. */
    budget->syncing = fcntl(file ? budget->fd : budget->dir_fd, F_DUPFD_CLOEXEC, 0);
    if (budget->syncing < 0)
        return;
    if (file)
        budget->file_dirty = false;
    else
        budget->file_dirty = budget->dir_dirty = false;
    syncer_start(budget->syncer, budget->syncing);
}

/* Nothing is refused for it: statements are counted, and only a power failure would give them back.
 */
static void sync_failed(struct budget *budget, int error)
{
    char text[128];
    if (!budget->unsynced)
        log_event(LOG_LEVEL_ERROR,
                  "event=day-budget-not-synced file=" BUDGET_FILE
                  " error=\"%s\" detail=\"a power failure may give the day's statements back\"",
                  strerror_r(error, text, sizeof text));
    budget->lost = budget->dir_dirty = budget->unsynced = true;
}

/* On the syncer's thread. */
static void sync_ended(void *context)
{
    struct budget *budget = context;
    pthread_mutex_lock(&budget->lock);
    int error = syncer_wait(budget->syncer);
    (void)close(budget->syncing);
    budget->syncing = -1;
    if (error == 0 && budget->unsynced && !budget->lost) {
        log_event(LOG_LEVEL_WARNING, "event=day-budget-restored file=" BUDGET_FILE);
        budget->unsynced = false;
    }
    /* A disk that fails is tried again when somebody asks, not at once and for ever. */
    if (error != 0)
        sync_failed(budget, error);
    else
        sync_behind(budget);
    pthread_mutex_unlock(&budget->lock);
}

/* ---- the file ---- */

/* Not every file system has links, nor every one this way of renaming. */
static int put_name(const struct budget *budget)
{
    if (renameat2(budget->dir_fd, TEMPORARY, budget->dir_fd, BUDGET_FILE, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    return linkat(budget->dir_fd, TEMPORARY, budget->dir_fd, BUDGET_FILE, 0) == 0 ? 0 : errno;
}

static int write_all(const struct budget *budget, int fd)
{
    unsigned char bytes[ENTRY];
    int error = write_at(fd, header, ENTRY, 0);
    for (size_t i = 0; i < budget->count && error == 0; i++)
        error = encode(&budget->entries[i], i, bytes) != OK
                    ? ENOMEM
                    : write_at(fd, bytes, ENTRY, ENTRY * (i + 1));
    return error;
}

/* Named when it is whole, and never in the place of one that is there. */
static enum status create(struct budget *budget)
{
    (void)unlinkat(budget->dir_fd, TEMPORARY, 0);
    int fd = openat(budget->dir_fd, TEMPORARY, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    S_IRUSR | S_IWUSR);
    int error = fd < 0 ? errno : write_all(budget, fd);
    if (error == 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        error = errno;
    if (error == 0)
        error = put_name(budget);
    (void)unlinkat(budget->dir_fd, TEMPORARY, 0);
    if (error != 0) {
        if (fd >= 0)
            (void)close(fd);
        errno = error;
        return ERR_IO;
    }
    if (budget->fd >= 0)
        (void)close(budget->fd);
    budget->fd = fd;
    budget->file_dirty = budget->dir_dirty = true;
    budget->lost = false;
    return OK;
}

/* Somebody took the file away: what is known goes into a new one, unless another stands there. */
static bool is_gone(const struct budget *budget)
{
    struct stat ours;
    struct stat named;
    return budget->fd < 0 || fstat(budget->fd, &ours) != 0 ||
           fstatat(budget->dir_fd, BUDGET_FILE, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
           ours.st_dev != named.st_dev || ours.st_ino != named.st_ino;
}

static enum status write_entry(struct budget *budget, const struct entry *entry, size_t place)
{
    unsigned char bytes[ENTRY];
    uint64_t offset = ENTRY * ((uint64_t)place + 1);
    enum status status = is_gone(budget) ? create(budget) : OK;
    if (status == OK)
        status = encode(entry, place, bytes);
    if (status != OK)
        return status;
    int error = budget->lost ? write_all(budget, budget->fd) : 0;
    if (error == 0)
        error = write_at(budget->fd, bytes, ENTRY, offset);
    if (error == 0) {
        budget->file_dirty = budget->file_dirty || budget->synced || budget->lost;
        budget->lost = false;
        sync_behind(budget);
        return OK;
    }
    /* Half an entry would be damage at the next start. One that counts a statement which was not
     * sent is none. */
    if (place >= budget->count)
        (void)!ftruncate(budget->fd, (off_t)offset);
    errno = error;
    return ERR_IO;
}

static enum status remember(struct budget *budget, const unsigned char key[KEY], size_t place)
{
    /* Never followed. NOLINTNEXTLINE(performance-no-int-to-ptr) */
    return map_put(budget->places, key, KEY, (void *)(uintptr_t)(place + 1));
}

static enum status grow(struct budget *budget)
{
    if (budget->count < budget->cap)
        return OK;
    size_t cap = budget->cap == 0 ? 64 : budget->cap * 2;
    struct entry *entries = realloc(budget->entries, cap * sizeof *entries);
    if (entries == NULL)
        return ERR_MEMORY;
    budget->entries = entries;
    budget->cap = cap;
    return OK;
}

/* ERR_INVALID: this is not what was written. */
static enum status add_entry(struct budget *budget, const unsigned char bytes[ENTRY])
{
    unsigned char again[ENTRY];
    struct entry entry = {.day = get_number(bytes + KEY), .count = get_number(bytes + KEY + 8)};
    memcpy(entry.key, bytes, KEY);
    enum status status = encode(&entry, budget->count, again);
    if (status == OK &&
        (memcmp(bytes, again, ENTRY) != 0 || map_get(budget->places, entry.key, KEY) != NULL))
        status = ERR_INVALID;
    if (status == OK)
        status = grow(budget);
    if (status == OK)
        status = remember(budget, entry.key, budget->count);
    if (status == OK)
        budget->entries[budget->count++] = entry;
    return status;
}

/* ERR_INVALID: damaged. */
static enum status read_entries(struct budget *budget, uint64_t size)
{
    unsigned char bytes[ENTRY];
    enum status status = OK;
    if (size < ENTRY || size % ENTRY != 0 || size / ENTRY - 1 > BUDGET_ENTRIES_MAX)
        return ERR_INVALID;
    for (uint64_t at = 0; at < size && status == OK; at += ENTRY) {
        if (pread(budget->fd, bytes, ENTRY, (off_t)at) != (ssize_t)ENTRY)
            return ERR_IO;
        if (at > 0)
            status = add_entry(budget, bytes);
        else if (memcmp(bytes, header, ENTRY) != 0)
            status = ERR_INVALID;
    }
    return status;
}

static void forget(struct budget *budget)
{
    map_clear(budget->places);
    budget->count = 0;
    budget->over = 0;
}

/* What cannot be read is kept for whoever wants to know what came over it. */
static enum status set_aside(struct budget *budget)
{
    if (renameat(budget->dir_fd, BUDGET_FILE, budget->dir_fd, BUDGET_FILE_ASIDE) != 0 &&
        errno != ENOENT)
        return ERR_IO;
    log_event(LOG_LEVEL_WARNING, "event=day-budget-set-aside file=" BUDGET_FILE_ASIDE);
    forget(budget);
    (void)close(budget->fd);
    budget->fd = -1;
    budget->damaged = false;
    return OK;
}

static enum status found_damaged(struct budget *budget, const struct stat *st, uint64_t today)
{
    forget(budget);
    /* It was last written before today: nothing of today is in it. */
    if (st->st_mtime / SECONDS_A_DAY < (int64_t)today)
        return set_aside(budget);
    budget->damaged = true;
    budget->damaged_on = today;
    log_event(LOG_LEVEL_ERROR,
              "event=day-budget-damaged file=" BUDGET_FILE
              " detail=\"the statements_per_day of everybody count as used up until midnight, UTC; "
              "to give them back today, move the file away and restart\"");
    return OK;
}

static void tell_ahead(const struct budget *budget, uint64_t today)
{
    uint64_t ahead = 0;
    for (size_t i = 0; i < budget->count; i++)
        ahead += budget->entries[i].day > today ? 1 : 0;
    if (ahead > 0)
        log_event(LOG_LEVEL_WARNING,
                  "event=day-budget-ahead file=" BUDGET_FILE " entries=%" PRIu64
                  " detail=\"counts of days that are still to come: was the clock wrong? They hold "
                  "until then, or until the file is moved away and pgvigil restarted\"",
                  ahead);
}

static enum status open_file(struct budget *budget, uint64_t today, const char **why)
{
    struct stat st;
    *why = "the file " BUDGET_FILE " in the audit directory cannot be opened";
    budget->fd = openat(budget->dir_fd, BUDGET_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (budget->fd < 0)
        return errno == ENOENT ? OK : ERR_IO;
    if (fstat(budget->fd, &st) != 0)
        return ERR_IO;
    *why = BUDGET_FILE " in the audit directory is no file";
    if (!S_ISREG(st.st_mode))
        return ERR_INVALID;
    *why = "another process counts in the file " BUDGET_FILE " of the audit directory";
    if (flock(budget->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? ERR_INVALID : ERR_IO;
    *why = "the file " BUDGET_FILE " in the audit directory cannot be read";
    if ((st.st_mode & 077) != 0 && fchmod(budget->fd, S_IRUSR | S_IWUSR) != 0)
        return ERR_IO;
    enum status status = read_entries(budget, (uint64_t)st.st_size);
    if (status == ERR_INVALID)
        status = found_damaged(budget, &st, today);
    else if (status == OK)
        tell_ahead(budget, today);
    return status;
}

enum status budget_open(const char *directory, bool synced, uint64_t today, struct budget **out,
                        const char **why)
{
    struct budget *budget = calloc(1, sizeof *budget);
    *why = "out of memory";
    if (budget == NULL)
        return ERR_MEMORY;
    budget->fd = budget->syncing = -1;
    budget->synced = synced;
    pthread_mutex_init(&budget->lock, NULL);
    budget->places = map_new();
    budget->syncer = syncer_new(sync_ended, budget);
    budget->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = budget->places == NULL || budget->syncer == NULL ? ERR_MEMORY : OK;
    if (status == OK && budget->dir_fd < 0) {
        *why = "the audit directory cannot be opened";
        status = ERR_IO;
    }
    if (status == OK)
        status = open_file(budget, today, why);
    if (status != OK) {
        int error = errno;
        budget_close(budget);
        errno = error;
        return status;
    }
    *out = budget;
    *why = NULL;
    return OK;
}

/* The last of it, when no loop waits any more. */
static void sync_rest(struct budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    budget->closing = true;
    pthread_mutex_unlock(&budget->lock);
    syncer_free(budget->syncer);
    int error = 0;
    if (budget->fd >= 0 && budget->lost)
        error = write_all(budget, budget->fd);
    if (error == 0 && budget->fd >= 0 && (budget->file_dirty || budget->lost) &&
        fdatasync(budget->fd) != 0)
        error = errno;
    if (error == 0 && budget->dir_dirty && fdatasync(budget->dir_fd) != 0)
        error = errno;
    if (error != 0)
        sync_failed(budget, error);
}

void budget_close(struct budget *budget)
{
    if (budget == NULL)
        return;
    sync_rest(budget);
    if (budget->fd >= 0)
        (void)close(budget->fd);
    if (budget->dir_fd >= 0)
        (void)close(budget->dir_fd);
    map_free(budget->places);
    free(budget->entries);
    pthread_mutex_destroy(&budget->lock);
    free(budget);
}

/* ---- counting ---- */

/* A place for somebody new: one of a day that is over, or behind the last. Each is looked at once a
 * day. */
static enum status find_place(struct budget *budget, uint64_t day, size_t *place)
{
    if (day > budget->searched) {
        budget->searched = day;
        budget->over = 0;
    }
    while (budget->over < budget->count && budget->entries[budget->over].day >= day)
        budget->over++;
    *place = budget->over;
    if (budget->over < budget->count)
        return OK;
    return budget->count < BUDGET_ENTRIES_MAX ? grow(budget) : ERR_LIMIT;
}

/* Puts an entry into its place, in the file first. */
static enum status settle(struct budget *budget, const struct entry *entry, size_t place,
                          bool known)
{
    enum status status = write_entry(budget, entry, place);
    if (status != OK)
        return status;
    if (!known) {
        status = remember(budget, entry->key, place);
        if (status != OK) {
            /* It counts for nobody here, and at the next start for her. */
            if (place < budget->count)
                (void)write_entry(budget, &budget->entries[place], place);
            return status;
        }
        if (place < budget->count)
            (void)map_remove(budget->places, budget->entries[place].key, KEY);
    }
    budget->entries[place] = *entry;
    budget->count += place == budget->count ? 1 : 0;
    return OK;
}

static enum status take(struct budget *budget, const unsigned char key[KEY], uint64_t limit,
                        uint64_t count, uint64_t day)
{
    enum status status = OK;
    if (budget->damaged && day <= budget->damaged_on)
        return ERR_INVALID;
    if (budget->damaged)
        status = set_aside(budget);
    if (status != OK)
        return status;
    size_t place = (size_t)(uintptr_t)map_get(budget->places, key, KEY);
    bool known = place > 0;
    struct entry entry = {.day = day};
    if (known)
        entry = budget->entries[--place];
    memcpy(entry.key, key, KEY);
    /* A clock that is set back gives nothing back. */
    if (day > entry.day) {
        entry.day = day;
        entry.count = 0;
    }
    if (entry.count > limit || count > limit - entry.count)
        return DENIED;
    if (!known)
        status = find_place(budget, day, &place);
    entry.count += count;
    return status == OK ? settle(budget, &entry, place, known) : status;
}

/* Once, and once when it is over: whoever asks again and again fills no log. */
static void tell_failing(struct budget *budget, enum status status)
{
    char text[128];
    bool failing = status == ERR_IO;
    if (failing != budget->failing && failing)
        log_event(LOG_LEVEL_ERROR, "event=day-budget-failed file=" BUDGET_FILE " error=\"%s\"",
                  strerror_r(errno, text, sizeof text));
    else if (failing != budget->failing && status == OK)
        log_event(LOG_LEVEL_WARNING, "event=day-budget-restored file=" BUDGET_FILE);
    if (failing || status == OK)
        budget->failing = failing;
}

enum status budget_take(struct budget *budget, const char *person, const char *mission,
                        const char *database, uint64_t limit, uint64_t count, uint64_t day)
{
    unsigned char key[KEY];
    enum status status = make_key(person, mission, database, key);
    if (status != OK)
        return status;
    pthread_mutex_lock(&budget->lock);
    status = take(budget, key, limit, count, day);
    tell_failing(budget, status);
    pthread_mutex_unlock(&budget->lock);
    return status;
}
