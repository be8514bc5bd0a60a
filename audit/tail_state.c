/*
 * tail_state.c: places of a tail in a file (see tail.h).
 *
 * Trust boundary: the file is written by us and may be damaged: what does not read back exactly is
 * refused, since a wrong place would skip records or send them again.
 */
#include "tail.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_FORMAT 1

static json_t *encode(const struct tail_position *positions, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        json_t *one =
            json_pack("{s:I, s:I, s:I, s:I, s:s}", "chain", (json_int_t)positions[i].chain, "file",
                      (json_int_t)positions[i].file, "offset", (json_int_t)positions[i].offset,
                      "seq", (json_int_t)positions[i].seq, "hash", positions[i].hash);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list ? json_pack("{s:i, s:o}", "format", STATE_FORMAT, "positions", list) : NULL;
}

/* Puts the whole text into a new file; 0 or an errno. */
static int write_new(const char *path, const char *text, size_t len)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return errno;
    int error = 0;
    while (len > 0 && !error) {
        ssize_t done = write(fd, text, len);
        if (done < 0 && errno != EINTR)
            error = errno;
        else if (done > 0) {
            text += done;
            len -= (size_t)done;
        }
    }
    if (!error && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && !error)
        error = errno;
    return error;
}

static void sync_directory(const char *path)
{
    char *name = strdup(path);
    char *slash = name ? strrchr(name, '/') : NULL;
    if (slash)
        slash[slash == name ? 1 : 0] = '\0';
    int fd = open(slash ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(name);
}

enum status tail_save(const char *path, const struct tail_position *positions, size_t count)
{
    json_t *state = encode(positions, count);
    char *text = state ? json_dumps(state, JSON_INDENT(1)) : NULL;
    char *temporary = NULL;
    enum status status = text && asprintf(&temporary, "%s.new", path) >= 0 ? OK : ERR_MEMORY;
    if (status == OK) {
        int error = write_new(temporary, text, strlen(text));
        if (!error && rename(temporary, path) != 0)
            error = errno;
        if (error) {
            (void)unlink(temporary);
            errno = error;
            status = ERR_IO;
        } else {
            sync_directory(path);
        }
    }
    int error = errno;
    free(temporary);
    free(text);
    json_decref(state);
    errno = error;
    return status;
}

static bool is_hash(const char *text)
{
    return strlen(text) == CHAIN_HASH_HEX && strspn(text, "0123456789abcdef") == CHAIN_HASH_HEX;
}

static bool decode(json_t *one, struct tail_position *out)
{
    json_int_t chain = -1;
    json_int_t file = -1;
    json_int_t offset = -1;
    json_int_t seq = -1;
    const char *hash = NULL;
    if (json_unpack_ex(one, NULL, JSON_STRICT, "{s:I, s:I, s:I, s:I, s:s}", "chain", &chain, "file",
                       &file, "offset", &offset, "seq", &seq, "hash", &hash) != 0 ||
        chain < 0 || chain > (json_int_t)UINT32_MAX || file < 1 || offset < 0 || seq < 1 ||
        !is_hash(hash))
        return false;
    *out = (struct tail_position){.chain = (unsigned)chain,
                                  .file = (uint64_t)file,
                                  .offset = (uint64_t)offset,
                                  .seq = (uint64_t)seq};
    memcpy(out->hash, hash, CHAIN_HASH_HEX + 1);
    return true;
}

enum status tail_load(const char *path, struct tail_position **positions, size_t *count)
{
    *positions = NULL;
    *count = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? OK : ERR_IO;
    json_t *state = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
    (void)close(fd);
    int format = 0;
    json_t *list = NULL;
    bool fine = state &&
                json_unpack_ex(state, NULL, JSON_STRICT, "{s:i, s:o}", "format", &format,
                               "positions", &list) == 0 &&
                format == STATE_FORMAT && json_is_array(list);
    size_t found = fine ? json_array_size(list) : 0;
    struct tail_position *out = calloc(found + 1, sizeof *out);
    enum status status = !out ? ERR_MEMORY : fine ? OK : ERR_INVALID;
    for (size_t i = 0; status == OK && i < found; i++) {
        if (!decode(json_array_get(list, i), &out[i]))
            status = ERR_INVALID;
        for (size_t j = 0; status == OK && j < i; j++) {
            if (out[j].chain == out[i].chain)
                status = ERR_INVALID;
        }
    }
    json_decref(state);
    if (status != OK) {
        free(out);
        return status;
    }
    *positions = out;
    *count = found;
    return OK;
}
