/*
 * tail.h: the lines of all chains of a directory, each once and in its chain's order, from a saved
 * place on and as they are written.
 *
 * For what follows the trail: it goes to other machines, or to a terminal. Files may be rotated,
 * compressed and, when all of their lines were taken, removed meanwhile. Only whole lines are
 * handed out, and only when each goes on where the one before ended ("seq" and "prev"): what was
 * removed, changed or added stops the tail there, with a sentence, instead of being passed over. A
 * tombstone is a line like any other, whose signature is for verify to judge.
 *
 * The writer is not disturbed: nothing is locked, and nobody is woken by a write (it is looked at,
 * five times a second). One thread.
 */
#ifndef PGVIGIL_AUDIT_TAIL_H
#define PGVIGIL_AUDIT_TAIL_H

#include "chain.h"

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last line of a chain that was taken. Plain data. */
struct tail_position {
    unsigned chain;
    uint64_t file;                 /* its file's number; 0: no line yet */
    uint64_t offset;               /* where it begins, in uncompressed bytes */
    uint64_t seq;                  /* its own; of a tombstone, the last of those it stands for */
    char hash[CHAIN_HASH_HEX + 1]; /* what the next line's "prev" is */
};

struct tail_line {
    struct tail_position at;       /* this line's */
    struct chain_line head;        /* its first four fields */
    char hash[CHAIN_HASH_HEX + 1]; /* of it, line end included */
    const char *bytes;             /* with its '\n'; borrowed until the next call */
    size_t len;
};

struct tail;

/* ERR_IO, ERR_MEMORY: *why is a sentence that lives until the thread's next tail_open. */
NODISCARD enum status tail_open(const char *directory, struct tail **tail, const char **why);
void tail_close(struct tail *tail); /* accepts NULL */

/*
 * Goes on behind these, one for each chain, all of them at once and before the first tail_next. A
 * chain that is not among them begins with its first line; without any, with the first line that is
 * there. ERR_INVALID: where a position says that a line was, there is another one, or none.
 */
NODISCARD enum status tail_resume(struct tail *tail, const struct tail_position *positions,
                                  size_t count);
/* To the ends of all chains: only what comes from now on. */
NODISCARD enum status tail_to_end(struct tail *tail);

/*
 * The next line of any chain; chains take turns. NEED_MORE: there is none now. ERR_INVALID: a chain
 * does not go on where it should (tail_why); the others do, at the next call. ERR_IO, ERR_MEMORY.
 */
NODISCARD enum status tail_next(struct tail *tail, struct tail_line *line);
/* Waits until there may be another line, at most so long. */
void tail_wait(unsigned milliseconds);
/*
 * What was taken is on this machine's disk, and stands. Before lines go to where they cannot be
 * called back from: the end of a file that its writer could not write is cut off again, and what a
 * power failure takes away is written anew, as other records. ERR_INVALID: a line that was taken is
 * not there any more; ERR_IO: the disk fails. Begin again behind what was settled before.
 */
NODISCARD enum status tail_settle(struct tail *tail);

/* The chains' places, as they are now; borrowed until the next call of tail_next. */
const struct tail_position *tail_positions(struct tail *tail, size_t *count);
/* What the last failure was about: the chain, the file, what to do. */
const char *tail_why(const struct tail *tail);

/*
 * Positions in a file, which is replaced at once or not at all and is on the disk when tail_save
 * returns. tail_load: *positions is malloc'ed; OK with none when there is no file. ERR_IO (errno),
 * ERR_INVALID (not such a file), ERR_MEMORY.
 */
NODISCARD enum status tail_save(const char *path, const struct tail_position *positions,
                                size_t count);
NODISCARD enum status tail_load(const char *path, struct tail_position **positions, size_t *count);

#endif
