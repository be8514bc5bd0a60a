/*
 * shelf.h: the files of a trail, chain by chain, for those who read it.
 *
 * A listing of one moment: a file that begins later is not in it. Names that are not the trail's
 * own are passed over; so is a compressed file beside the plain one that it was made of, which
 * `twice` counts.
 */
#ifndef PGVIGIL_AUDIT_SHELF_H
#define PGVIGIL_AUDIT_SHELF_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHELF_NAME_MAX 72U

struct shelf_file {
    char name[SHELF_NAME_MAX];
    unsigned chain;
    uint64_t number;
    bool compressed;
    bool last;     /* of its chain: it may still grow */
    uint64_t size; /* on the disk */
};

struct shelf {
    int dir_fd;               /* owned */
    struct shelf_file *files; /* owned; by chain, then number */
    size_t cap;
    size_t count;
    uint64_t bytes; /* of all of them */
    size_t twice;
};

/* ERR_IO (errno), ERR_MEMORY. On failure there is nothing to close. */
NODISCARD enum status shelf_open(const char *directory, struct shelf *shelf);
void shelf_close(struct shelf *shelf);
/* The name without ".jsonl" and what follows it: "audit-0-00000001". */
void shelf_stem(const struct shelf_file *file, char out[SHELF_NAME_MAX]);

#endif
