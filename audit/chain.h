/*
 * chain.h: the hash chain: what a line begins with, how it is hashed, what a checkpoint signs.
 *
 * A line is {"seq":N,"prev":"<64 hex>","time":"<27>","type":"<word>",...}\n. Its hash is the
 * SHA-256 of all its bytes with the line end, so that `sed -n 7p FILE | sha256sum` prints the
 * "prev" of line 8. The order and spelling of these first four fields is fixed; the reader accepts
 * no other.
 */
#ifndef PGVIGIL_AUDIT_CHAIN_H
#define PGVIGIL_AUDIT_CHAIN_H

#include "key.h"

#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_FORMAT   1
#define CHAIN_HASH_HEX 64U
#define CHAIN_TIME     27U /* 2026-01-31T12:00:00.000000Z */
#define CHAIN_TYPE_MAX 15U

/* Plain data: a copy is a point to fall back to. */
struct chain {
    uint64_t next_seq;             /* of the next line; the first line of a chain is 1 */
    char prev[CHAIN_HASH_HEX + 1]; /* hash of the last line; 64 zeros before the first */
    uint64_t unsigned_lines;       /* since the last checkpoint */
    uint64_t unsigned_since;       /* monotonic seconds of the first of them */
};

struct audit_heights;

/* SHA-256 with a context that is reused. */
struct hasher;
struct hasher *hasher_new(void); /* NULL when out of memory */
void hasher_free(struct hasher *hasher);
NODISCARD enum status hasher_line(struct hasher *hasher, const void *bytes, size_t len,
                                  char hex[CHAIN_HASH_HEX + 1]);

void chain_start(struct chain *chain);
/* The system clock's time, as in a line. */
void chain_time(char out[CHAIN_TIME + 1]);
/* Appends the opening of a line, up to and with its type. The time is the system clock's. */
void chain_line_begin(const struct chain *chain, struct buf *out, const char *type);
/* Appends }\n, hashes the line that began at `start` (an offset from out->data) and moves the chain
 * on. */
NODISCARD enum status chain_line_end(struct chain *chain, struct hasher *hasher, struct buf *out,
                                     size_t start);
/* Appends a whole checkpoint line: `reason` is "interval", "rotate" or "close". It names the other
 * chains of `heights`, which may be NULL. */
NODISCARD enum status chain_checkpoint(struct chain *chain, struct hasher *hasher,
                                       const struct key *key, unsigned chain_number,
                                       uint64_t file_number, const char *reason,
                                       struct audit_heights *heights, struct buf *out);

/* What a reader takes from a line. */
struct chain_line {
    uint64_t seq;
    char prev[CHAIN_HASH_HEX + 1];
    char time[CHAIN_TIME + 1];
    char type[CHAIN_TYPE_MAX + 1];
};
/* False when the bytes (with or without the line end) do not begin like a line. */
bool chain_line_parse(const char *bytes, size_t len, struct chain_line *line);
/* True when a checkpoint line (without its line end) is signed by a key of the ring. */
bool chain_checkpoint_verify(const char *bytes, size_t len, const struct key_ring *ring);
/* True when a checkpoint line says that it is one of that chain. */
bool chain_checkpoint_is_of(const char *bytes, size_t len, unsigned chain);

/*
 * A tombstone stands for records that were purged: {"seq":FIRST,"prev":"..","time":"..",
 * "type":"tombstone","last":LAST,"hash":"..",...,"signature":".."}. `seq` and `prev` are the first
 * purged line's, `last` and `hash` the last one's number and hash: so the lines before and behind
 * fit to it as they did to those. It is signed by itself, and vouches for the *gaps* behind it in
 * its file: lines of the same kind without a signature, whose hashes ("marks") stand in it. So a
 * file of many short stretches needs few signatures.
 */
struct chain_tombstone {
    bool gap;             /* not signed itself */
    uint64_t first, last; /* numbers of the lines it stands for */
    char prev[CHAIN_HASH_HEX + 1];
    char hash[CHAIN_HASH_HEX + 1];
    uint64_t technical, care, other; /* how many of each class; other: of the chain itself */
    unsigned chain;                  /* of a gap: 0, as the next */
    uint64_t file;
    char from[CHAIN_TIME + 1]; /* of the first purged line, and of the last */
    char to[CHAIN_TIME + 1];
};

#define CHAIN_MARK  32U /* hex digits of a gap's hash */
#define CHAIN_MARKS 127U

/* What the last tombstone of a file vouches for. All zeros at the file's beginning. */
struct chain_seal {
    bool open;   /* there was one */
    bool broken; /* and it was not signed as it should be: nothing is known of the gaps behind it */
    size_t count;
    size_t next;
    char marks[CHAIN_MARKS][CHAIN_MARK];
};

/* False when the bytes (with or without the line end) are no tombstone and no gap, whoever made it.
 */
bool chain_tombstone_parse(const char *bytes, size_t len, struct chain_tombstone *stone);
/* True when a tombstone (without its line end) is signed by a key of the ring. */
bool chain_tombstone_verify(const char *bytes, size_t len, const struct key_ring *ring);
/* The same; the seal is what it vouches for then, and broken otherwise. */
bool chain_seal_open(struct chain_seal *seal, const char *bytes, size_t len,
                     const struct key_ring *ring);
/* True when the seal vouches for the gap whose line has this hash. */
bool chain_seal_covers(struct chain_seal *seal, const char *hash);
/* Appends a whole tombstone: `why` and `who` are sentences; the marks are those of the gaps that
 * will follow, CHAIN_MARKS at most. */
NODISCARD enum status chain_tombstone(const struct chain_tombstone *stone, const struct key *key,
                                      const char *why, const char *who,
                                      const char (*marks)[CHAIN_MARK], size_t mark_count,
                                      struct buf *out);
/* Appends a whole gap. */
void chain_gap(const struct chain_tombstone *stone, struct buf *out);

uint64_t chain_monotonic_seconds(void);

#endif
