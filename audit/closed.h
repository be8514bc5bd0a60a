/*
 * closed.h: the closed files of a trail, and the right to touch them.
 *
 * The file that a chain is being written to belongs to its worker, all earlier ones to whoever
 * holds the directory's audit.lock: compressing and purging take turns, and neither ever waits for
 * a worker or makes one wait. A file is closed when its chain has a later one that begins with a
 * record.
 */
#ifndef PGVIGIL_AUDIT_CLOSED_H
#define PGVIGIL_AUDIT_CLOSED_H

#include "file.h"

#include <pgvigil/audit.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct closed_file {
    unsigned chain;
    uint64_t number;
    bool plain, packed; /* the forms that are there; a crash may leave both */
};

struct closed {
    int dir_fd;
    int lock_fd;
    struct closed_file *files; /* owned; by chain and number */
    size_t count;
    size_t cap;
};

/* Locks the directory and lists its closed files. What an earlier holder of the lock left
 * unfinished (.tmp) is removed. ERR_IO, ERR_MEMORY; DENIED: another process has the lock. */
NODISCARD enum status closed_open(const char *directory, struct closed *closed);
void closed_close(struct closed *closed);

#define CLOSED_TEMPORARY        "audit.tmp"
#define CLOSED_TEMPORARY_PACKED "audit.tmp" FILE_PACKED
/* The file to write into: CLOSED_TEMPORARY or CLOSED_TEMPORARY_PACKED. ERR_IO. */
NODISCARD enum status closed_create(const struct closed *closed, const char *temporary, int *fd);
/* Gives it its name: in place of what has it, where `over`. All is on the disk then. ERR_IO. */
NODISCARD enum status closed_publish(const struct closed *closed, const char *temporary, int fd,
                                     const char *name, bool over);
/* OK: both forms hold the same text, and *bytes is its length. DENIED: they do not. */
NODISCARD enum status closed_compare(int dir_fd, const char *plain, const char *packed,
                                     uint64_t *bytes);
/* Takes a file away, and that is on the disk then. */
NODISCARD enum status closed_remove(const struct closed *closed, const char *name);

#endif
