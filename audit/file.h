/*
 * file.h: the file that a chain is being written to.
 *
 * Files of a chain stand in one directory: audit-<chain>-<number>.jsonl, numbers from 1, eight
 * digits at least. audit-<chain>.lock is locked (flock) for as long as a process has the chain
 * open, so that two processes cannot fork a chain. Writes go to the end of the last whole write and
 * nowhere else: a failed write is cut off, and when even that fails, before the next one.
 * audit-<chain>.reserve is room that is kept for when the disk is full.
 */
#ifndef PGVIGIL_AUDIT_FILE_H
#define PGVIGIL_AUDIT_FILE_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILE_NAME_MAX 64U

struct file {
    int dir_fd;  /* the directory; -1: not open. Owned. */
    int lock_fd; /* the chain's lock. Owned. */
    int fd;      /* the file being written; -1: none. Owned. */
    unsigned chain;
    uint64_t number; /* of the file being written; 0: none yet */
    uint64_t size;   /* bytes that stand: whole lines only */
    bool synced;     /* fdatasync after each write */
    bool dirty_tail; /* bytes beyond `size` could not be cut off yet */
    int error;       /* errno of the last failure */
    dev_t device;
    ino_t inode;
};

void file_init(struct file *file);
/* Makes the directory (0700) if missing, opens it and locks the chain. ERR_IO; ERR_INVALID when
 * another process has the chain. */
NODISCARD enum status file_open_directory(struct file *file, const char *directory, unsigned chain);
/* Opens an existing file of the chain for appending at `size`. */
NODISCARD enum status file_resume(struct file *file, uint64_t number, uint64_t size);
/* Creates file `number` with these first bytes and makes it the one being written. On failure
 * nothing is left behind and the old file stays in use. `over` permits an existing empty file. */
NODISCARD enum status file_create(struct file *file, uint64_t number, const void *bytes, size_t len,
                                  bool over);
/* All of it or, on ERR_IO, none of it. */
NODISCARD enum status file_write(struct file *file, const void *bytes, size_t len);
/* The same in two halves: the bytes stand when they are synced, too. ERR_IO: none of them does. */
NODISCARD enum status file_write_ahead(struct file *file, const void *bytes, size_t len);
/* `error`: 0, or what the sync said. */
NODISCARD enum status file_stand(struct file *file, size_t len, int error);
/* All `len` bytes from there. ERR_INVALID: the file ends before. ERR_IO (errno). */
NODISCARD enum status file_read_at(int fd, void *bytes, size_t len, uint64_t offset);
/* True when the name still leads to the file we write: false after someone moved or removed it. */
bool file_in_place(const struct file *file);
/* True when the disk has that many bytes left for us, as far as it tells. */
bool file_has_room(const struct file *file, uint64_t bytes);
/* Takes that much of the disk into reserve. ERR_IO (errno): nothing is kept. */
NODISCARD enum status file_reserve(struct file *file, uint64_t bytes);
/* Gives it back to the disk; false: there was none. */
bool file_release(struct file *file);
void file_close(struct file *file);

/* A closed file that was compressed has this behind its name. */
#define FILE_PACKED ".zst"

void file_name(unsigned chain, uint64_t number, char out[FILE_NAME_MAX]);
void file_name_packed(unsigned chain, uint64_t number, char out[FILE_NAME_MAX]);
/* Reads a name back; false when it is none of ours. The second takes either form. */
bool file_name_parse(const char *name, unsigned *chain, uint64_t *number);
bool file_name_parse_any(const char *name, unsigned *chain, uint64_t *number, bool *packed);

/* Files by chain and number: below 0, 0 or above, as qsort wants it. */
int file_order(unsigned chain, uint64_t number, unsigned other_chain, uint64_t other_number);

/* Calls `found` for each name of ours in a directory, in no order, until one is not OK. ERR_IO
 * (errno), or what `found` said, with its errno. */
struct file_named {
    const char *name;
    unsigned chain;
    uint64_t number;
    bool packed;
};
typedef enum status file_found_fn(void *context, const struct file_named *file);
NODISCARD enum status file_each(int dir_fd, file_found_fn *found, void *context);
/* The highest number that the chain has in the directory, in either form; 0 when it has none. */
NODISCARD enum status file_last_number(int dir_fd, unsigned chain, uint64_t *number);

#endif
