/*
 * purge_file.c: one closed file without the records that are due (see purge.h).
 *
 * Records that are due, and what stands between them of the chain's own lines, become one tombstone
 * or gap for each such stretch (chain.h). The file's header stays, and so does the checkpoint at
 * its end. The file is read twice: a tombstone names the gaps behind it.
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

static enum status take_stone(const struct purge_terms *terms, struct chain_seal *seal,
                              const char *line, size_t len, struct piece *piece)
{
    char hash[CHAIN_HASH_HEX + 1];
    memcpy(hash, piece->stone.hash, sizeof hash);
    piece->is_stone = true;
    if (!chain_tombstone_parse(line, len, &piece->stone))
        return ERR_INVALID;
    bool good = piece->stone.gap ? chain_seal_covers(seal, hash)
                                 : chain_seal_open(seal, line, len - 1, terms->ring);
    return good ? OK : ERR_INVALID;
}

/* ERR_INVALID: it is no record, or is not signed as it should be. */
static enum status take_piece(const struct purge_terms *terms, struct chain_seal *seal,
                              const char *line, size_t len, struct piece *piece)
{
    struct chain_line parsed;
    memset(piece, 0, sizeof *piece);
    if (!chain_line_parse(line, len, &parsed))
        return ERR_INVALID;
    enum status status = hasher_line(terms->hasher, line, len, piece->stone.hash);
    if (status != OK)
        return status;
    if (strcmp(parsed.type, "tombstone") == 0 || strcmp(parsed.type, "gap") == 0)
        return take_stone(terms, seal, line, len, piece);
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
    return OK;
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
    struct chain_seal seal = {0};
    enum status status = lines_open_at(closed->dir_fd, file->name, &lines, &why);
    while (status == OK) {
        const char *line = NULL;
        size_t len = 0;
        struct piece piece;
        status = lines_next(lines, &line, &len);
        if (status == OK)
            status = take_piece(terms, &seal, line, len, &piece);
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

/* What is known of a stretch before the new file is written. */
struct stretch {
    char mark[CHAIN_MARK]; /* of its gap */
    bool absorbs;          /* lines of the chain's own: it is signed itself */
};

/* The stretch in hand, and where its lines go. */
struct writing {
    const struct purge_terms *terms;
    const struct closed_file *which;
    bool counting;         /* nothing is written: the stretches are looked at */
    int fd;                /* borrowed */
    struct packer *packer; /* NULL: a plain file */
    struct buf out;        /* on the way to the file */
    struct chain_tombstone stone;
    bool open;       /* a stretch is */
    struct buf held; /* checkpoints behind the stretch, which join it when it goes on */
    struct chain_tombstone held_stone;
    struct buf stretches; /* struct stretch, all of the file's */
    size_t next;          /* of them */
    size_t covered;       /* gaps that the last tombstone still vouches for */
};

static enum status put(struct writing *writing, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    if (writing->counting)
        return OK;
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

static enum status count_stretch(struct writing *writing)
{
    char hash[CHAIN_HASH_HEX + 1];
    struct stretch stretch = {.absorbs = writing->stone.other > 0};
    chain_gap(&writing->stone, &writing->out);
    if (writing->out.failed)
        return ERR_MEMORY;
    enum status status =
        hasher_line(writing->terms->hasher, buf_head(&writing->out), buf_len(&writing->out), hash);
    memcpy(stretch.mark, hash, sizeof stretch.mark);
    buf_append(&writing->stretches, &stretch, sizeof stretch);
    return status == OK && writing->stretches.failed ? ERR_MEMORY : status;
}

/* A gap where the last tombstone vouches for it, or a tombstone, which vouches for the next ones.
 */
static enum status write_stretch(struct writing *writing)
{
    char marks[CHAIN_MARKS][CHAIN_MARK];
    const struct stretch *all = (const struct stretch *)(const void *)buf_head(&writing->stretches);
    size_t count = buf_len(&writing->stretches) / sizeof *all;
    size_t this = writing->next++;
    if (writing->covered > 0) {
        writing->covered--;
        chain_gap(&writing->stone, &writing->out);
        return OK;
    }
    for (size_t i = this + 1; i < count && !all[i].absorbs && writing->covered < CHAIN_MARKS; i++)
        memcpy(marks[writing->covered++], all[i].mark, CHAIN_MARK);
    writing->stone.chain = writing->which->chain;
    writing->stone.file = writing->which->number;
    return chain_tombstone(&writing->stone, writing->terms->key, writing->terms->why,
                           writing->terms->who, (const char(*)[CHAIN_MARK])marks, writing->covered,
                           &writing->out);
}

/* Ends the stretch: its line, then the checkpoints that stood behind it. */
static enum status end_stretch(struct writing *writing)
{
    if (!writing->open)
        return OK;
    writing->open = false;
    buf_clear(&writing->out);
    enum status status = writing->counting ? count_stretch(writing) : write_stretch(writing);
    if (buf_len(&writing->held) > 0)
        buf_append(&writing->out, buf_head(&writing->held), buf_len(&writing->held));
    buf_clear(&writing->held);
    if (status == OK && (writing->out.failed || writing->held.failed))
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

static enum status write_piece(struct writing *writing, const struct piece *piece, const char *line,
                               size_t len)
{
    bool goes = piece->due || piece->is_stone;
    if (goes && writing->open) {
        if (buf_len(&writing->held) > 0)
            join(&writing->stone, &writing->held_stone);
        buf_clear(&writing->held);
        join(&writing->stone, &piece->stone);
        return OK;
    }
    if (goes) {
        writing->open = true;
        writing->stone = piece->stone;
        return OK;
    }
    if (writing->open && piece->is_checkpoint) {
        hold(writing, piece, line, len);
        return writing->held.failed ? ERR_MEMORY : OK;
    }
    enum status status = end_stretch(writing);
    return status == OK ? put(writing, line, len) : status;
}

static enum status write_lines(struct writing *writing, const struct closed *closed,
                               const struct audit_purge_file *file)
{
    struct lines *lines = NULL;
    const char *why = NULL;
    struct chain_seal seal = {0};
    enum status status = lines_open_at(closed->dir_fd, file->name, &lines, &why);
    for (uint64_t number = 1; status == OK && number <= file->lines; number++) {
        const char *line = NULL;
        size_t len = 0;
        struct piece piece;
        status = lines_next(lines, &line, &len);
        if (status == OK)
            status = take_piece(writing->terms, &seal, line, len, &piece);
        if (status == OK)
            status = write_piece(writing, &piece, line, len);
    }
    lines_close(lines);
    return status == OK ? end_stretch(writing) : status;
}

static enum status write_new(const struct closed *closed, const struct purge_terms *terms,
                             const struct closed_file *which, const struct audit_purge_file *file,
                             int fd)
{
    struct writing writing = {.terms = terms, .which = which, .counting = true, .fd = fd};
    buf_init(&writing.out, 0);
    buf_init(&writing.held, 0);
    buf_init(&writing.stretches, 0);
    enum status status = write_lines(&writing, closed, file);
    writing.counting = false;
    if (status == OK && which->packed)
        status = packer_new(fd, &writing.packer);
    if (status == OK)
        status = write_lines(&writing, closed, file);
    if (status == OK && writing.packer)
        status = packer_end(writing.packer);
    packer_free(writing.packer);
    buf_free(&writing.out);
    buf_free(&writing.held);
    buf_free(&writing.stretches);
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
