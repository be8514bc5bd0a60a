/*
 * purge_file.c: one closed file without the records that are due (see purge.h).
 *
 * Records that are due, and what stands between them of the chain's own lines, become one tombstone
 * for each such stretch. The file's header stays, and so does the checkpoint at its end.
 *
 * Trust boundary: what is purged is gone, so nothing is unless the chain holds from the file's
 * first line to the next file's, and every signature in it is good: purging must not be a way to
 * have a change forgotten. The new file is read back and held against the old one before it takes
 * its place.
 */
#include "class.h"
#include "frames.h"
#include "lines.h"
#include "purge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pgvigil/buf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line, or the lines that a tombstone stands for. */
struct piece {
    struct chain_tombstone stone; /* first, last, prev, hash, counts, times */
    bool is_stone;
    bool is_header;
    bool is_checkpoint;
    bool due;
};

static bool is_due(const char *limit, const char *time)
{
    return limit[0] && strcmp(time, limit) < 0;
}

/* ERR_INVALID: it is no record, or is not signed as it should be. */
static enum status take_piece(const struct purge_terms *terms, const char *line, size_t len,
                              struct piece *piece)
{
    struct chain_line parsed;
    memset(piece, 0, sizeof *piece);
    if (!chain_line_parse(line, len, &parsed))
        return ERR_INVALID;
    if (strcmp(parsed.type, "tombstone") == 0) {
        piece->is_stone = true;
        return chain_tombstone_parse(line, len, &piece->stone) &&
                       chain_tombstone_verify(line, len - 1, terms->ring)
                   ? OK
                   : ERR_INVALID;
    }
    piece->is_header = strcmp(parsed.type, "header") == 0;
    piece->is_checkpoint = strcmp(parsed.type, "checkpoint") == 0;
    if (piece->is_checkpoint && !chain_checkpoint_verify(line, len - 1, terms->ring))
        return ERR_INVALID;
    enum record_class class = record_class_of(line, len, &parsed);
    piece->stone.first = parsed.seq;
    piece->stone.last = parsed.seq;
    piece->stone.technical = class == RECORD_TECHNICAL;
    piece->stone.care = class == RECORD_CARE;
    piece->stone.other = class == RECORD_CHAIN;
    piece->due = (class == RECORD_TECHNICAL && is_due(terms->technical, parsed.time)) ||
                 (class == RECORD_CARE && is_due(terms->care, parsed.time));
    memcpy(piece->stone.prev, parsed.prev, sizeof parsed.prev);
    memcpy(piece->stone.from, parsed.time, sizeof parsed.time);
    memcpy(piece->stone.to, parsed.time, sizeof parsed.time);
    return hasher_line(terms->hasher, line, len, piece->stone.hash);
}

static bool follows(const struct piece *last, const struct piece *piece)
{
    return piece->stone.first == last->stone.last + 1 &&
           strcmp(piece->stone.prev, last->stone.hash) == 0;
}

static bool is_vouched_for(const struct closed *closed, const char *next, const struct piece *last)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    const char *line = NULL;
    size_t len = 0;
    struct chain_line parsed;
    bool good = lines_open_at(closed->dir_fd, next, &lines, &why) == OK &&
                lines_next(lines, &line, &len) == OK && chain_line_parse(line, len, &parsed) &&
                parsed.seq == last->stone.last + 1 && strcmp(parsed.prev, last->stone.hash) == 0;
    lines_close(lines);
    return good;
}

enum status purge_look(const struct closed *closed, const struct purge_terms *terms,
                       const char *next, struct audit_purge_file *file)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    struct piece last = {0};
    enum status status = lines_open_at(closed->dir_fd, file->name, &lines, &why);
    while (status == OK) {
        const char *line = NULL;
        size_t len = 0;
        struct piece piece;
        status = lines_next(lines, &line, &len);
        if (status == OK)
            status = take_piece(terms, line, len, &piece);
        if (status == OK && (file->lines > 0 ? !follows(&last, &piece) : !piece.is_header))
            status = ERR_INVALID;
        if (status != OK)
            break;
        /* A file that was begun since then has nothing that is due. */
        if (piece.is_header && !is_due(terms->technical, piece.stone.from) &&
            !is_due(terms->care, piece.stone.from)) {
            lines_close(lines);
            return OK;
        }
        file->technical += piece.due ? piece.stone.technical : 0;
        file->care += piece.due ? piece.stone.care : 0;
        file->lines++;
        last = piece;
    }
    lines_close(lines);
    if (status == NEED_MORE || status == ERR_LIMIT || status == ERR_INVALID ||
        (status == CLOSED && file->lines > 0 && !is_vouched_for(closed, next, &last))) {
        file->refused = "is not what was written: see what verify says";
        return OK;
    }
    return status == CLOSED ? OK : status;
}

/* The stretch in hand, and where its lines go. */
struct writing {
    const struct purge_terms *terms;
    int fd;                /* borrowed */
    struct packer *packer; /* NULL: a plain file */
    struct buf out;        /* on the way to the file */
    struct chain_tombstone stone;
    bool open;         /* a stretch is */
    bool changed;      /* it holds more than one tombstone as it was */
    struct buf single; /* that one */
    struct buf held;   /* checkpoints behind the stretch, which join it when it goes on */
    struct chain_tombstone held_stone;
};

static enum status put(struct writing *writing, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    if (writing->packer)
        return packer_bytes(writing->packer, bytes, len);
    while (len > 0) {
        ssize_t done = write(writing->fd, at, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return ERR_IO;
        at += done;
        len -= (size_t)done;
    }
    return OK;
}

static void join(struct chain_tombstone *stone, const struct chain_tombstone *more)
{
    stone->last = more->last;
    stone->technical += more->technical;
    stone->care += more->care;
    stone->other += more->other;
    memcpy(stone->hash, more->hash, sizeof stone->hash);
    memcpy(stone->to, more->to, sizeof stone->to);
}

/* Ends the stretch: its tombstone, then the checkpoints that stood behind it. */
static enum status end_stretch(struct writing *writing)
{
    enum status status = OK;
    if (!writing->open)
        return OK;
    writing->open = false;
    buf_clear(&writing->out);
    if (writing->changed)
        status = chain_tombstone(&writing->stone, writing->terms->key, writing->terms->why,
                                 writing->terms->who, &writing->out);
    else
        buf_append(&writing->out, buf_head(&writing->single), buf_len(&writing->single));
    if (buf_len(&writing->held) > 0)
        buf_append(&writing->out, buf_head(&writing->held), buf_len(&writing->held));
    buf_clear(&writing->held);
    if (status == OK && (writing->out.failed || writing->held.failed || writing->single.failed))
        status = ERR_MEMORY;
    return status == OK ? put(writing, buf_head(&writing->out), buf_len(&writing->out)) : status;
}

static void hold(struct writing *writing, const struct piece *piece, const char *line, size_t len)
{
    if (buf_len(&writing->held) == 0)
        writing->held_stone = piece->stone;
    else
        join(&writing->held_stone, &piece->stone);
    buf_append(&writing->held, line, len);
}

static void begin_stretch(struct writing *writing, const struct piece *piece, const char *line,
                          size_t len, const struct chain_tombstone *place)
{
    writing->open = true;
    writing->changed = !piece->is_stone;
    writing->stone = piece->stone;
    writing->stone.chain = place->chain;
    writing->stone.file = place->file;
    buf_clear(&writing->single);
    buf_append(&writing->single, line, len);
}

static enum status write_piece(struct writing *writing, const struct piece *piece, const char *line,
                               size_t len, const struct chain_tombstone *place)
{
    bool goes = piece->due || piece->is_stone;
    if (goes && writing->open) {
        if (buf_len(&writing->held) > 0)
            join(&writing->stone, &writing->held_stone);
        buf_clear(&writing->held);
        join(&writing->stone, &piece->stone);
        writing->changed = true;
        return OK;
    }
    if (goes) {
        begin_stretch(writing, piece, line, len, place);
        return OK;
    }
    if (writing->open && piece->is_checkpoint) {
        hold(writing, piece, line, len);
        return writing->held.failed ? ERR_MEMORY : OK;
    }
    enum status status = end_stretch(writing);
    return status == OK ? put(writing, line, len) : status;
}

static enum status write_lines(struct writing *writing, struct lines *lines, uint64_t count,
                               const struct chain_tombstone *place)
{
    enum status status = OK;
    for (uint64_t number = 1; status == OK && number <= count; number++) {
        const char *line = NULL;
        size_t len = 0;
        struct piece piece;
        status = lines_next(lines, &line, &len);
        if (status == OK)
            status = take_piece(writing->terms, line, len, &piece);
        if (status == OK)
            status = write_piece(writing, &piece, line, len, place);
    }
    return status == OK ? end_stretch(writing) : status;
}

static enum status write_new(const struct closed *closed, const struct purge_terms *terms,
                             const struct closed_file *which, const struct audit_purge_file *file,
                             int fd)
{
    struct writing writing = {.terms = terms, .fd = fd};
    const struct chain_tombstone place = {.chain = which->chain, .file = which->number};
    struct lines *lines = NULL;
    const char *why = NULL;
    buf_init(&writing.out, 0);
    buf_init(&writing.single, 0);
    buf_init(&writing.held, 0);
    enum status status = lines_open_at(closed->dir_fd, file->name, &lines, &why);
    if (status == OK && which->packed)
        status = packer_new(fd, &writing.packer);
    if (status == OK)
        status = write_lines(&writing, lines, file->lines, &place);
    if (status == OK && writing.packer)
        status = packer_end(writing.packer);
    packer_free(writing.packer);
    lines_close(lines);
    buf_free(&writing.out);
    buf_free(&writing.single);
    buf_free(&writing.held);
    return status;
}

/* The new file against what the old one was: the same chain up to the next file, nothing due. */
static enum status read_back(const struct closed *closed, const struct purge_terms *terms,
                             const char *temporary, const char *next)
{
    struct audit_purge_file again = {.name = temporary};
    enum status status = purge_look(closed, terms, next, &again);
    if (status != OK)
        return status;
    return again.refused || again.technical + again.care > 0 ? ERR_INTERNAL : OK;
}

enum status purge_write(const struct closed *closed, const struct purge_terms *terms,
                        const struct closed_file *which, const char *next,
                        const struct audit_purge_file *file)
{
    const char *temporary = which->packed ? CLOSED_TEMPORARY_PACKED : CLOSED_TEMPORARY;
    int fd = -1;
    enum status status = closed_create(closed, temporary, &fd);
    if (status == OK)
        status = write_new(closed, terms, which, file, fd);
    if (status == OK)
        status = read_back(closed, terms, temporary, next);
    if (status == OK)
        status = closed_publish(closed, temporary, fd, file->name, true);
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    if (status != OK)
        (void)unlinkat(closed->dir_fd, temporary, 0);
    errno = error;
    return status;
}
