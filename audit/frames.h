/*
 * frames.h: closed files of the trail, compressed: the zstd "seekable format".
 *
 * A .zst of ours is a row of independent zstd frames, each of some MiB of text and whole lines,
 * each with a checksum, then two skippable frames: a checksum of all the compressed bytes (some
 * bits of a frame mean nothing, and a change of those is a change, too), and a table of sizes.
 * `zstd -d` reads it like any other, and a reader that wants one place decompresses one frame.
 */
#ifndef PGVIGIL_AUDIT_FRAMES_H
#define PGVIGIL_AUDIT_FRAMES_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame is cut at the first line end past this many bytes of text. */
#define FRAMES_TEXT ((size_t)1 << 20)
#define FRAMES_TEXT_MAX                                                                            \
    ((size_t)20 << 20) /* no frame of ours holds more: the longest line, and some */

/* The frame of the checksum: head, and XXH3 of everything before it. */
#define FRAMES_SUM ((size_t)16)

struct frame {
    uint32_t packed; /* bytes in the file */
    uint32_t text;   /* bytes of the trail */
};

/* True when the FRAMES_SUM bytes are the checksum's frame, with this checksum. */
bool frames_sum_is(const void *bytes, uint64_t sum);

struct frames {
    struct frame *at; /* owned */
    size_t count;
    uint64_t table; /* where the table begins in the file: behind the last frame */
    uint64_t text;  /* bytes of the trail in all of them */
};

/* Reads the table at the end of a file. ERR_INVALID: there is none, or it is not this file's;
 * ERR_IO, ERR_MEMORY. */
NODISCARD enum status frames_read(int fd, uint64_t size, struct frames *frames);
void frames_free(struct frames *frames);

/* Writes such a file. */
struct packer;
/* Borrows `fd`, which is empty. */
NODISCARD enum status packer_new(int fd, struct packer **packer);
void packer_free(struct packer *packer);
/* Bytes of the trail, in order; line ends may stand anywhere in them. ERR_IO (errno), ERR_MEMORY.
 */
NODISCARD enum status packer_bytes(struct packer *packer, const void *bytes, size_t len);
/* The last frame and the table. */
NODISCARD enum status packer_end(struct packer *packer);

#endif
