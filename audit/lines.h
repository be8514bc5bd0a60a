/*
 * lines.h: the lines of one file of the trail, plain or compressed.
 *
 * A compressed file (.jsonl.zst, see frames.h) has the same lines at the same offsets as the plain
 * one that it was made of: an index holds for both.
 */
#ifndef PGVIGIL_AUDIT_LINES_H
#define PGVIGIL_AUDIT_LINES_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line that is longer is none of ours. */
#define LINES_LINE_MAX ((size_t)16 << 20)

struct lines;

/* By suffix: .zst is a compressed file. A link is not followed. ERR_IO, ERR_MEMORY; *why is a
 * sentence that lives until the thread's next lines_open, NULL on success. */
NODISCARD enum status lines_open(const char *path, struct lines **lines, const char **why);
/* The same, of a name in a directory that is open. */
NODISCARD enum status lines_open_at(int dir_fd, const char *name, struct lines **lines,
                                    const char **why);
/*
 * The next line with its '\n'; `*len` counts it; borrowed until the next call.
 *   CLOSED       the end.
 *   NEED_MORE    bytes without a line end are left, in *line and *len: a file that is being
 *                written, or one that is cut. The next call looks again.
 *   ERR_LIMIT    a line longer than LINES_LINE_MAX was skipped; *line is its end.
 *   ERR_INVALID  compressed bytes that do not decompress, or a table that is not this file's, were
 *                skipped; the next call goes on behind them, as far as the table says where that
 * is. ERR_IO (errno), ERR_MEMORY.
 */
NODISCARD enum status lines_next(struct lines *lines, const char **line, size_t *len);
/* Of the next line, in uncompressed bytes. */
uint64_t lines_offset(const struct lines *lines);
/* To a place that lines_offset told. ERR_INVALID (beyond the end), ERR_IO, ERR_MEMORY. */
NODISCARD enum status lines_seek(struct lines *lines, uint64_t offset);
/* Bytes read from the file so far, for a progress bar: at the end, its size. */
uint64_t lines_read(const struct lines *lines);
void lines_close(struct lines *lines);

#endif
