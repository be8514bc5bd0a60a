/*
 * tail.c: the lines of all chains, as they are written (see tail.h).
 *
 * Trust boundary: whoever can write the directory can put anything there. Names are ours or
 * ignored, links are not followed, and a line is believed to be the next one only when it says so
 * and holds the hash of the one before.
 */
#include "tail.h"
#include "file.h"
#include "lines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SCAN_SECONDS 1U
#define TURN_LINES   256U
#define LOOK_MS      200U
#define COMPRESSED   ".zst"
#define MORE_ADVICE  "see what \"pgvigil audit verify\" says of the directory"
#define FORGET_ADVICE                                                                              \
    "if it is to begin again there all the same, remove the saved position, and expect records "   \
    "twice"

struct tailed {
    struct tail_position at;
    uint64_t first; /* lowest number of a file in the directory */
    uint64_t last;  /* highest */
    size_t len;     /* of the line at `at`, and its own hash */
    char hash[CHAIN_HASH_HEX + 1];
    uint64_t settled;    /* the file that tail_settle has to begin with; 0: nothing was taken */
    struct lines *lines; /* of file `open`; owned */
    uint64_t open;
    bool plain;    /* file `open` may still grow */
    bool finished; /* a later file was there before this one's end was seen */
    bool broken;   /* told; it stays where it is */
};

struct tail {
    int dir_fd;
    struct hasher *hasher;
    struct tailed *chains;        /* by number */
    struct tail_position *places; /* room for as many */
    size_t count;
    size_t turn; /* whose it is */
    unsigned taken;
    bool resumed; /* a chain that is new begins with its first file */
    bool scanned;
    uint64_t scanned_at;
    char why[768];
};

static enum status complain(struct tail *tail, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum status complain(struct tail *tail, enum status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(tail->why, sizeof tail->why, format, args);
    va_end(args);
    return status;
}

const char *tail_why(const struct tail *tail)
{
    return tail->why;
}

/* ---- which files there are ---- */

static struct tailed *find_chain(struct tail *tail, unsigned chain)
{
    for (size_t i = 0; i < tail->count; i++) {
        if (tail->chains[i].at.chain == chain)
            return &tail->chains[i];
    }
    return NULL;
}

static struct tailed *add_chain(struct tail *tail, unsigned chain)
{
    struct tailed *grown = realloc(tail->chains, (tail->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    tail->chains = grown;
    struct tail_position *places = realloc(tail->places, (tail->count + 1) * sizeof *places);
    if (!places)
        return NULL;
    tail->places = places;
    size_t at = tail->count;
    for (; at > 0 && grown[at - 1].at.chain > chain; at--)
        grown[at] = grown[at - 1];
    grown[at] = (struct tailed){.at = {.chain = chain}};
    tail->count++;
    return &grown[at];
}

static enum status take_name(struct tail *tail, const char *name)
{
    unsigned number_of_chain = 0;
    uint64_t number = 0;
    bool packed = false;
    if (!file_name_parse_any(name, &number_of_chain, &number, &packed))
        return OK;
    struct tailed *chain = find_chain(tail, number_of_chain);
    if (!chain)
        chain = add_chain(tail, number_of_chain);
    if (!chain)
        return complain(tail, ERR_MEMORY, "out of memory");
    if (!chain->first || number < chain->first)
        chain->first = number;
    if (number > chain->last)
        chain->last = number;
    return OK;
}

static enum status scan(struct tail *tail)
{
    int fd = openat(tail->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            (void)close(fd);
        return complain(tail, ERR_IO, "the directory cannot be read: %s", strerror(errno));
    }
    for (size_t i = 0; i < tail->count; i++)
        tail->chains[i].first = tail->chains[i].last = 0;
    enum status status = OK;
    const struct dirent *entry = NULL;
    errno = 0;
    /* One thread reads this DIR. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (status == OK && (entry = readdir(dir)) != NULL)
        status = take_name(tail, entry->d_name);
    int error = status == OK ? errno : 0;
    (void)closedir(dir);
    tail->scanned = status == OK && !error;
    tail->scanned_at = chain_monotonic_seconds();
    return error ? complain(tail, ERR_IO, "the directory cannot be read: %s", strerror(error))
                 : status;
}

static enum status scan_when_due(struct tail *tail)
{
    if (tail->scanned && chain_monotonic_seconds() - tail->scanned_at < SCAN_SECONDS)
        return OK;
    return scan(tail);
}

/* ---- one file of a chain ---- */

static void close_file(struct tailed *chain)
{
    lines_close(chain->lines);
    chain->lines = NULL;
    chain->open = 0;
    chain->finished = false;
}

static bool there(const struct tail *tail, const struct tailed *chain, uint64_t number)
{
    char name[FILE_NAME_MAX];
    struct stat st;
    file_name(chain->at.chain, number, name);
    if (fstatat(tail->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    file_name_packed(chain->at.chain, number, name);
    return fstatat(tail->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* NEED_MORE: it is not there, in neither form. */
static enum status open_file(struct tail *tail, struct tailed *chain, uint64_t number)
{
    char name[FILE_NAME_MAX];
    const char *why = NULL;
    close_file(chain);
    /* Compressing puts the one before it takes away the other: who misses both looks again. */
    for (unsigned tries = 0; tries < 2; tries++) {
        for (unsigned form = 0; form < 2; form++) {
            if (form == 0)
                file_name(chain->at.chain, number, name);
            else
                file_name_packed(chain->at.chain, number, name);
            errno = 0;
            enum status status = lines_open_at(tail->dir_fd, name, &chain->lines, &why);
            if (status == OK) {
                chain->open = number;
                chain->plain = form == 0;
                return OK;
            }
            chain->lines = NULL;
            if (status != ERR_IO || errno != ENOENT)
                return complain(tail, status, "%s: %s", name, why ? why : status_name(status));
        }
    }
    return NEED_MORE;
}

/* The next line of the open file. NEED_MORE: none now, or half of one. */
static enum status read_line(struct tail *tail, struct tailed *chain, const char **bytes,
                             size_t *len)
{
    uint64_t before = lines_offset(chain->lines);
    enum status status = lines_next(chain->lines, bytes, len);
    if (status == CLOSED || status == NEED_MORE)
        return status;
    if (status != OK) {
        char name[FILE_NAME_MAX];
        file_name(chain->at.chain, chain->open, name);
        return complain(tail, status == ERR_MEMORY || status == ERR_IO ? status : ERR_INVALID,
                        "%s cannot be read behind byte %" PRIu64 " (%s); " MORE_ADVICE, name,
                        before, status_name(status));
    }
    return OK;
}

/* ---- taking a line ---- */

/* What a line leaves behind: its number and hash, or those that a tombstone stands for. */
static enum status read_end(struct tail *tail, const char *bytes, size_t len,
                            struct tail_line *line)
{
    struct chain_tombstone stone;
    line->at.seq = line->head.seq;
    enum status status = hasher_line(tail->hasher, bytes, len, line->hash);
    memcpy(line->at.hash, line->hash, sizeof line->hash);
    if (status == OK && chain_tombstone_parse(bytes, len, &stone)) {
        line->at.seq = stone.last;
        memcpy(line->at.hash, stone.hash, sizeof stone.hash);
    }
    return status;
}

/* Does it go on where the chain is? A tombstone may begin among what was taken. */
static enum status check_link(struct tail *tail, const struct tailed *chain,
                              const struct tail_line *line, uint64_t offset)
{
    char name[FILE_NAME_MAX];
    uint64_t wanted = chain->at.seq + 1;
    file_name(chain->at.chain, chain->open, name);
    /* Without any place to go on from the first line that is there begins, whichever it is. */
    if (chain->at.seq == 0 && !tail->resumed)
        return OK;
    if (line->at.seq < wanted || line->head.seq > wanted)
        return complain(tail, ERR_INVALID,
                        "%s: record %" PRIu64 " of chain %u stands at byte %" PRIu64
                        ", where %" PRIu64
                        " was to come: records were removed, moved or added; " MORE_ADVICE,
                        name, line->head.seq, chain->at.chain, offset, wanted);
    if (chain->at.seq != 0 && line->head.seq == wanted &&
        strcmp(line->head.prev, chain->at.hash) != 0)
        return complain(tail, ERR_INVALID,
                        "%s: record %" PRIu64 " of chain %u, at byte %" PRIu64
                        ", does not hold the hash of the record that was read before it: one of "
                        "them was changed; " MORE_ADVICE,
                        name, line->head.seq, chain->at.chain, offset);
    return OK;
}

static enum status take_line(struct tail *tail, struct tailed *chain, uint64_t offset,
                             const char *bytes, size_t len, struct tail_line *line)
{
    char name[FILE_NAME_MAX];
    file_name(chain->at.chain, chain->open, name);
    if (!chain_line_parse(bytes, len, &line->head))
        return complain(tail, ERR_INVALID,
                        "%s: at byte %" PRIu64
                        " stands a line that is none of a trail's; " MORE_ADVICE,
                        name, offset);
    line->at =
        (struct tail_position){.chain = chain->at.chain, .file = chain->open, .offset = offset};
    enum status status = read_end(tail, bytes, len, line);
    if (status != OK)
        return complain(tail, status, "a record cannot be hashed");
    status = check_link(tail, chain, line, offset);
    if (status != OK)
        return status;
    line->bytes = bytes;
    line->len = len;
    if (!chain->settled)
        chain->settled = chain->open;
    chain->at = line->at;
    chain->len = len;
    memcpy(chain->hash, line->hash, sizeof chain->hash);
    return OK;
}

/* The file that comes next; OK when it is open. */
static enum status next_file(struct tail *tail, struct tailed *chain)
{
    uint64_t number = chain->at.file ? chain->at.file + 1 : tail->resumed ? 1 : chain->first;
    if (chain->open)
        number = chain->open + 1;
    if (!chain->last || number > chain->last)
        return NEED_MORE;
    enum status status = open_file(tail, chain, number);
    if (status != NEED_MORE)
        return status;
    char name[FILE_NAME_MAX];
    file_name(chain->at.chain, number, name);
    return complain(tail, ERR_INVALID,
                    "%s is not there, and a later file of the chain is: what stood in it cannot "
                    "be read any more. Put it back from the archive; " MORE_ADVICE,
                    name);
}

static enum status chain_next(struct tail *tail, struct tailed *chain, struct tail_line *line)
{
    for (;;) {
        enum status status = chain->lines ? OK : next_file(tail, chain);
        if (status != OK)
            return status;
        const char *bytes = NULL;
        size_t len = 0;
        uint64_t offset = lines_offset(chain->lines);
        status = read_line(tail, chain, &bytes, &len);
        if (status == OK)
            return take_line(tail, chain, offset, bytes, len, line);
        if (status != CLOSED && status != NEED_MORE)
            return status;
        /* A file is over when a later one was there before its end was looked at: its writer had
         * gone on by then. */
        if (!chain->finished) {
            chain->finished =
                !chain->plain || there(tail, chain, chain->open + 1) || chain->last > chain->open;
            if (!chain->finished)
                return NEED_MORE;
            continue;
        }
        if (status == NEED_MORE) {
            char name[FILE_NAME_MAX];
            file_name(chain->at.chain, chain->open, name);
            return complain(tail, ERR_INVALID, "%s ends within a line; " MORE_ADVICE, name);
        }
        if (chain->last <= chain->open && !there(tail, chain, chain->open + 1))
            return NEED_MORE;
        if (chain->last <= chain->open)
            chain->last = chain->open + 1;
        status = next_file(tail, chain);
        if (status != OK)
            return status;
    }
}

enum status tail_next(struct tail *tail, struct tail_line *line)
{
    enum status status = scan_when_due(tail);
    if (status != OK)
        return status;
    for (size_t tried = 0; tried < tail->count; tried++) {
        struct tailed *chain = &tail->chains[tail->turn % tail->count];
        status = chain->broken ? NEED_MORE : chain_next(tail, chain, line);
        if (status == OK && ++tail->taken < TURN_LINES)
            return OK;
        if (status == ERR_INVALID)
            chain->broken = true;
        tail->taken = 0;
        tail->turn = (tail->turn + 1) % tail->count;
        if (status != NEED_MORE)
            return status;
    }
    return NEED_MORE;
}

/* ---- places ---- */

enum found {
    FOUND_OTHER,
    FOUND_IT,       /* the line that the position tells of, or a tombstone that ends with it */
    FOUND_TOMBSTONE /* one that stands for it and for others behind it, which were not taken */
};

/* Compares the next line of the open file. */
static enum status check_line(struct tail *tail, struct tailed *chain,
                              const struct tail_position *at, enum found *found)
{
    *found = FOUND_OTHER;
    const char *bytes = NULL;
    size_t len = 0;
    struct tail_line line = {0};
    enum status status = lines_next(chain->lines, &bytes, &len);
    if (status == OK && chain_line_parse(bytes, len, &line.head))
        status = read_end(tail, bytes, len, &line);
    if (status != OK)
        return status;
    if (line.at.seq == at->seq && strcmp(line.at.hash, at->hash) == 0)
        *found = FOUND_IT;
    else if (line.head.seq <= at->seq && line.at.seq > at->seq)
        *found = FOUND_TOMBSTONE;
    return OK;
}

/* A purge has put shorter lines in the place of others: it stands elsewhere. */
static enum status find_line(struct tail *tail, struct tailed *chain,
                             const struct tail_position *at)
{
    enum found found = FOUND_OTHER;
    enum status status = lines_seek(chain->lines, 0);
    while (status == OK) {
        uint64_t offset = lines_offset(chain->lines);
        status = check_line(tail, chain, at, &found);
        if (status == OK && found == FOUND_IT) {
            chain->at.offset = offset;
            return OK;
        }
        if (status == OK && found == FOUND_TOMBSTONE)
            return lines_seek(chain->lines, offset);
    }
    return status;
}

/* Is the line there that the position tells of? Leaves the file open behind it. */
static enum status check_position(struct tail *tail, struct tailed *chain,
                                  const struct tail_position *at)
{
    char name[FILE_NAME_MAX];
    file_name(at->chain, at->file, name);
    enum status status = open_file(tail, chain, at->file);
    /* Archived since. What comes next must hold the hash of what was taken. */
    if (status == NEED_MORE && at->file < chain->first)
        return OK;
    if (status == NEED_MORE)
        return complain(
            tail, ERR_INVALID,
            "%s, in which record %" PRIu64
            " was the last that was taken, is not there, and no later file of its "
            "chain either: this is another trail, or its end was removed; " FORGET_ADVICE,
            name, at->seq);
    if (status != OK)
        return status;
    enum found found = FOUND_OTHER;
    status = lines_seek(chain->lines, at->offset);
    if (status == OK)
        status = check_line(tail, chain, at, &found);
    if (found != FOUND_IT && status != ERR_MEMORY && status != ERR_IO)
        status = find_line(tail, chain, at);
    if (status == OK)
        return OK;
    if (status == ERR_MEMORY || status == ERR_IO || status == ERR_INTERNAL)
        return complain(tail, status, "%s cannot be read: %s", name, status_name(status));
    return complain(tail, ERR_INVALID,
                    "%s does not hold record %" PRIu64
                    " that was taken from there: the file was changed or cut, or this is another "
                    "trail; " FORGET_ADVICE,
                    name, at->seq);
}

enum status tail_resume(struct tail *tail, const struct tail_position *positions, size_t count)
{
    enum status status = scan(tail);
    tail->resumed = tail->resumed || count > 0;
    for (size_t i = 0; status == OK && i < count; i++) {
        struct tailed *chain = find_chain(tail, positions[i].chain);
        if (!chain)
            chain = add_chain(tail, positions[i].chain);
        if (!chain)
            return complain(tail, ERR_MEMORY, "out of memory");
        chain->at = positions[i];
        if (positions[i].file)
            status = check_position(tail, chain, &positions[i]);
        /* Its next file is the first that is there, when its own is gone. */
        if (status == OK && positions[i].file && !chain->lines && chain->first)
            status = open_file(tail, chain, chain->first);
    }
    return status;
}

enum status tail_to_end(struct tail *tail)
{
    enum status status = scan(tail);
    tail->resumed = true;
    for (size_t i = 0; status == OK && i < tail->count; i++) {
        struct tailed *chain = &tail->chains[i];
        if (!chain->last)
            continue;
        /* Whatever came before, the last line of the last file is believed to be the chain's. */
        const char *bytes = NULL;
        size_t len = 0;
        status = open_file(tail, chain, chain->last);
        while (status == OK) {
            uint64_t offset = lines_offset(chain->lines);
            struct tail_line line;
            status = lines_next(chain->lines, &bytes, &len);
            if (status != OK || !chain_line_parse(bytes, len, &line.head))
                continue;
            chain->at.file = chain->last;
            chain->at.offset = offset;
            chain->at.seq = line.head.seq;
            status = hasher_line(tail->hasher, bytes, len, chain->at.hash);
        }
        if (status == CLOSED || status == NEED_MORE)
            status = OK;
    }
    return status;
}

const struct tail_position *tail_positions(struct tail *tail, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < tail->count; i++) {
        if (tail->chains[i].at.file)
            tail->places[(*count)++] = tail->chains[i].at;
    }
    return tail->places;
}

/* ---- what stands ---- */

/* The last line that was taken is where it was: so are all before it, by their hashes. */
static bool stands(struct tail *tail, const struct tailed *chain, int fd)
{
    char hash[CHAIN_HASH_HEX + 1] = "";
    char *bytes = malloc(chain->len ? chain->len : 1);
    ssize_t got = bytes ? pread(fd, bytes, chain->len, (off_t)chain->at.offset) : -1;
    bool same = got == (ssize_t)chain->len &&
                hasher_line(tail->hasher, bytes, chain->len, hash) == OK &&
                strcmp(hash, chain->hash) == 0;
    free(bytes);
    return same;
}

static enum status sync_file(struct tail *tail, const struct tailed *chain, uint64_t number)
{
    char name[FILE_NAME_MAX];
    file_name(chain->at.chain, number, name);
    int fd = openat(tail->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return OK; /* compressed, archived or purged: it was closed, and synced, before that */
    int error = fdatasync(fd) == 0 ? 0 : errno;
    bool gone = number == chain->at.file && !stands(tail, chain, fd);
    (void)close(fd);
    if (error)
        return complain(tail, ERR_IO, "%s: the disk does not take it: %s", name, strerror(error));
    if (gone)
        return complain(tail, ERR_INVALID,
                        "%s: record %" PRIu64 " of chain %u was cut off again, as "
                        "one that its writer could not write",
                        name, chain->at.seq, chain->at.chain);
    return OK;
}

enum status tail_settle(struct tail *tail)
{
    enum status status = OK;
    for (size_t i = 0; status == OK && i < tail->count; i++) {
        struct tailed *chain = &tail->chains[i];
        for (uint64_t number = chain->settled; status == OK && number && number <= chain->at.file;
             number++)
            status = sync_file(tail, chain, number);
        if (status == OK)
            chain->settled = 0;
    }
    return status;
}

/* ---- opening ---- */

enum status tail_open(const char *directory, struct tail **out, const char **why)
{
    static _Thread_local char reason[512];
    struct tail *tail = calloc(1, sizeof *tail);
    *out = NULL;
    *why = "out of memory";
    if (!tail)
        return ERR_MEMORY;
    tail->hasher = hasher_new();
    tail->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = tail->hasher ? OK : ERR_MEMORY;
    if (status == OK && tail->dir_fd < 0) {
        (void)snprintf(reason, sizeof reason, "%s cannot be read: %s", directory, strerror(errno));
        *why = reason;
        status = ERR_IO;
    }
    if (status != OK) {
        tail_close(tail);
        return status;
    }
    *why = NULL;
    *out = tail;
    return OK;
}

void tail_close(struct tail *tail)
{
    if (!tail)
        return;
    for (size_t i = 0; i < tail->count; i++)
        lines_close(tail->chains[i].lines);
    free(tail->chains);
    free(tail->places);
    hasher_free(tail->hasher);
    if (tail->dir_fd >= 0)
        (void)close(tail->dir_fd);
    free(tail);
}

void tail_wait(unsigned milliseconds)
{
    unsigned ms = milliseconds < LOOK_MS ? milliseconds : LOOK_MS;
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&pause, NULL);
}
