/*
 * cells_file.c: the file of a person's answers (see cells_file.h).
 *
 * The file is the header, the rows, the patients, the sets (each its length, and roaring's portable
 * form) and the XXH3 of all that, in the machine's own byte order: it belongs to this machine's
 * trail. Written whole under another name and renamed, so
 * that wherever pgvigil or the machine ends there is the state before an answer or the one after
 * it. Trust boundary: the file, which is whoever's who may write in the trail's directory. A
 * damaged one is refused, as an empty one in its place would forget what was answered.
 */
#include "proxy/cells_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pgvigil/log.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "pgvcell1"

/* ---- the file ---- */

struct header {
    char magic[8];
    int64_t since, day;
    uint64_t spent, rows, patients, sets;
};

struct stored {
    uint64_t hash, patient, number;
};

#define HASH_CHARS 16

char *cells_file_path(const char *directory, const char *key, size_t len)
{
    char name[33];
    text_hash128(key, len, name);
    size_t size = strlen(directory) + sizeof name + sizeof "/aggregate-.cells.new";
    char *path = malloc(size);
    if (path != NULL)
        (void)snprintf(path, size, "%s/aggregate-%s.cells", directory, name);
    return path;
}

static enum status failed(const char *path, const char *what)
{
    char name[512];
    log_event(LOG_LEVEL_ERROR, "event=%s path=%s error=\"%s\"", what,
              log_quote(path, name, sizeof name), strerror(errno));
    return ERR_IO;
}

static enum status damaged(const char *path)
{
    char name[512];
    log_event(LOG_LEVEL_ERROR,
              "event=aggregate-state-damaged path=%s hint=\"what was answered is not known: bring "
              "it back from a backup, or remove it knowing that earlier answers are forgotten\"",
              log_quote(path, name, sizeof name));
    return ERR_INVALID;
}

/* Numbers up to `last`, which is set. */
static enum status take_table(struct cells_table *table, const struct stored *rows, uint64_t count,
                              uint64_t *last)
{
    enum status status = cells_table_reserve(table, count);
    for (size_t i = 0; i < count && status == OK; i++) {
        if (rows[i].number == 0 || rows[i].number > CELLS_ROWS_MAX)
            return ERR_INVALID;
        *last = rows[i].number > *last ? rows[i].number : *last;
        cells_table_put(table, rows[i].hash, rows[i].patient, (uint32_t)rows[i].number);
    }
    return status;
}

static enum status take_cells(struct cells_state *state, uint64_t cells)
{
    enum status status = cells_state_reserve(state, cells);
    for (size_t i = 0; i < state->rows.cap && status == OK; i++)
        if (state->rows.kept[i].number != 0)
            state->sizes[state->rows.kept[i].number]++;
    state->cells = (uint32_t)cells;
    return status;
}

static enum status take_sets(struct cells_state *state, const unsigned char *bytes, size_t len,
                             uint64_t count)
{
    enum status status = OK;
    for (uint64_t i = 0; i < count && status == OK; i++) {
        uint64_t size = 0;
        if (len < sizeof size)
            return ERR_INVALID;
        memcpy(&size, bytes, sizeof size);
        bytes += sizeof size;
        len -= sizeof size;
        roaring_bitmap_t *set =
            size > len ? NULL : roaring_bitmap_portable_deserialize_safe((const char *)bytes, size);
        if (set == NULL)
            return ERR_INVALID;
        status = cells_state_add_set(state, set);
        bytes += size;
        len -= size;
    }
    return status == OK && len != 0 ? ERR_INVALID : status;
}

static enum status take(struct cells_state *state, const struct header *header,
                        const unsigned char *bytes, size_t len)
{
    uint64_t cells = 0;
    uint64_t patients = 0;
    if (header->rows > CELLS_ROWS_MAX || header->patients > CELLS_ROWS_MAX ||
        (header->rows + header->patients) * sizeof(struct stored) > len)
        return ERR_INVALID;
    const struct stored *stored = (const struct stored *)(const void *)bytes;
    enum status status = take_table(&state->rows, stored, header->rows, &cells);
    if (status == OK)
        status = take_table(&state->patients, stored + header->rows, header->patients, &patients);
    if (status == OK)
        status = take_cells(state, cells);
    size_t tables = (header->rows + header->patients) * sizeof(struct stored);
    if (status == OK)
        status = take_sets(state, bytes + tables, len - tables, header->sets);
    state->since = header->since;
    state->day = header->day;
    state->spent = header->spent;
    return status;
}

static enum status parse(const char *path, const unsigned char *bytes, size_t len,
                         struct cells_state *state)
{
    struct header header;
    char hash[HASH_CHARS + 1];
    if (len < sizeof header + HASH_CHARS)
        return damaged(path);
    memcpy(&header, bytes, sizeof header);
    size_t body = len - HASH_CHARS;
    text_hash64(bytes, body, hash);
    if (memcmp(header.magic, MAGIC, sizeof header.magic) != 0 ||
        memcmp(hash, bytes + body, HASH_CHARS) != 0)
        return damaged(path);
    enum status status = take(state, &header, bytes + sizeof header, body - sizeof header);
    return status == ERR_INVALID || status == ERR_LIMIT ? damaged(path) : status;
}

static enum status read_all(int fd, unsigned char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = read(fd, bytes + at, len - at);
        if (got == 0 || (got < 0 && errno != EINTR))
            return ERR_IO;
        at += got > 0 ? (size_t)got : 0;
    }
    return OK;
}

enum status cells_file_read(const char *path, struct cells_state *state)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : failed(path, "aggregate-state-unreadable");
    enum status status = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) ? OK : ERR_IO;
    size_t len = status == OK ? (size_t)about.st_size : 0;
    unsigned char *bytes = status == OK ? malloc(len + 1) : NULL;
    if (status == OK && bytes == NULL)
        status = ERR_MEMORY;
    if (status == OK)
        status = read_all(fd, bytes, len);
    if (status == ERR_IO)
        (void)failed(path, "aggregate-state-unreadable");
    (void)close(fd);
    if (status == OK)
        status = parse(path, bytes, len, state);
    free(bytes);
    return status;
}

static enum status write_all(int fd, const unsigned char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t put = write(fd, bytes + at, len - at);
        if (put < 0 && errno != EINTR)
            return ERR_IO;
        at += put > 0 ? (size_t)put : 0;
    }
    return OK;
}

static unsigned char *put_table(unsigned char *at, const struct cells_table *table,
                                uint32_t *numbers)
{
    uint32_t last = 0;
    for (size_t i = 0; i < table->cap; i++) {
        const struct cells_kept *kept = &table->kept[i];
        if (kept->number == 0)
            continue;
        /* Cells are numbered anew, as splitting leaves numbers of none. */
        if (numbers != NULL && numbers[kept->number] == 0)
            numbers[kept->number] = ++last;
        const struct stored stored = {kept->hash, kept->patient,
                                      numbers == NULL ? kept->number : numbers[kept->number]};
        memcpy(at, &stored, sizeof stored);
        at += sizeof stored;
    }
    return at;
}

static size_t fill(const struct cells_state *state, unsigned char *bytes, uint32_t *numbers)
{
    struct header header = {.since = state->since,
                            .day = state->day,
                            .spent = state->spent,
                            .rows = state->rows.count,
                            .patients = state->patients.count,
                            .sets = state->set_count};
    memcpy(header.magic, MAGIC, sizeof header.magic);
    memcpy(bytes, &header, sizeof header);
    unsigned char *at = put_table(bytes + sizeof header, &state->rows, numbers);
    at = put_table(at, &state->patients, NULL);
    for (size_t i = 0; i < state->set_count; i++) {
        uint64_t size = roaring_bitmap_portable_size_in_bytes(state->sets[i]);
        memcpy(at, &size, sizeof size);
        (void)roaring_bitmap_portable_serialize(state->sets[i], (char *)at + sizeof size);
        at += sizeof size + size;
    }
    char hash[HASH_CHARS + 1];
    text_hash64(bytes, (size_t)(at - bytes), hash);
    memcpy(at, hash, HASH_CHARS);
    return (size_t)(at - bytes) + HASH_CHARS;
}

static enum status put(const char *path, const unsigned char *bytes, size_t len, bool sync)
{
    char fresh[4096];
    int size = snprintf(fresh, sizeof fresh, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof fresh)
        return ERR_IO;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ERR_IO;
    enum status status = write_all(fd, bytes, len);
    if (status == OK && sync && fdatasync(fd) != 0)
        status = ERR_IO;
    if (close(fd) != 0)
        status = ERR_IO;
    return status == OK && rename(fresh, path) == 0 ? OK : ERR_IO;
}

enum status cells_file_write(const char *path, const struct cells_state *state, bool sync)
{
    size_t room = sizeof(struct header) + HASH_CHARS + 1 +
                  (state->rows.count + state->patients.count) * sizeof(struct stored) +
                  state->set_count * sizeof(uint64_t) + state->set_bytes;
    unsigned char *bytes = malloc(room);
    uint32_t *numbers = calloc((size_t)state->cells + 1, sizeof *numbers);
    enum status status = bytes == NULL || numbers == NULL ? ERR_MEMORY : OK;
    if (status == OK && put(path, bytes, fill(state, bytes, numbers), sync) != OK)
        status = failed(path, "aggregate-state-unwritable");
    free(bytes);
    free(numbers);
    return status;
}
