/*
 * verify.h: the parts of verification: files, runs of lines, findings.
 *
 * A chain is read line by line into *runs*: stretches in which each line holds the hash of the one
 * before and the next number. An untouched chain is one run, whatever its length; each tampering
 * makes a few more. Only runs are kept, so memory follows the damage, not the trail.
 */
#ifndef PGVIGIL_AUDIT_VERIFY_H
#define PGVIGIL_AUDIT_VERIFY_H

#include "chain.h"
#include "file.h"
#include "heights.h"
#include "key.h"

#include <pgvigil/audit.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verify_file {
    char name[FILE_NAME_MAX];
    uint64_t size;
    unsigned chain; /* what name and header agree on, or the header's when it is intact */
    uint64_t number;
    unsigned name_chain;
    uint64_t name_number;
    bool has_header; /* the next six come from it */
    unsigned header_chain;
    uint64_t header_number;
    unsigned checkpoint_seconds;
    unsigned chains; /* of the server; 0: it does not tell */
    char key[KEY_FINGERPRINT];
    bool header_linked; /* the second line holds the first one's hash: it is as it was written */
    bool unknown_key;
    bool packed;
    bool duplicate;               /* another file is this number */
    bool twin;                    /* the other form of the file before it, with the same lines */
    uint64_t first_seq, last_seq; /* of its records; 0: none was read */
};

enum run_place { RUN_BACKBONE, RUN_STRAY, RUN_MOVED };

/* What is no record, yet may stand for any number of them. */
enum run_fault {
    RUN_SOUND,
    RUN_DAMAGED, /* compressed bytes that do not decompress */
    RUN_FORGED   /* a tombstone or a gap that none of the keys signed, or of another place */
};

struct run {
    size_t file; /* of the first line; index into files */
    uint64_t line;
    size_t last_file;
    uint64_t last_line;
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t lines;
    char prev[CHAIN_HASH_HEX + 1]; /* of the first line */
    char hash[CHAIN_HASH_HEX + 1]; /* of the last line */
    bool parsed;                   /* false: one line that is none of ours */
    bool partial;                  /* no line end: the file stops in the middle of it */
    bool header;                   /* its first line is a header */
    bool sealed; /* ends where an earlier run ends: the next line may be either's */
    enum run_fault fault;
    enum run_place place;
    size_t before; /* moved: index of the run that it belongs before */
};

struct bad_signature {
    size_t file;
    uint64_t line;
    uint64_t more; /* checkpoints after it that do not verify either */
};

/* What a signed checkpoint says of another chain. */
struct claim {
    unsigned chain;
    uint64_t seq;
    char hash[HEIGHTS_HASH + 1]; /* empty: of an older version, which did not name it */
    size_t file;                 /* where it stands */
    uint64_t line;
    char time[CHAIN_TIME + 1];
};

struct chain_end {
    unsigned chain;
    uint64_t last_seq;
};

struct verify {
    const char *directory;
    bool copy; /* of an archive, or made while the server wrote: the ends are elsewhere */
    int dir_fd;
    struct key_ring *ring;
    struct hasher *hasher;
    struct verify_file *files; /* sorted by chain and number */
    size_t file_count;
    size_t file_cap;
    struct run *runs; /* of the chain in hand */
    size_t run_count;
    size_t run_cap;
    struct bad_signature *bad; /* of the chain in hand */
    size_t bad_count;
    size_t bad_cap;
    struct finding *findings; /* of the chain in hand */
    size_t finding_count;
    size_t finding_cap;
    bool previous_bad;      /* the last checkpoint did not verify */
    struct chain_seal seal; /* of the file in hand */
    bool overflow;          /* more runs than are kept */
    uint64_t bytes_done;
    uint64_t bytes_total;
    char first_time[CHAIN_TIME + 1];      /* of the chain's first line, purged ones among them */
    char last_time[CHAIN_TIME + 1];       /* of the chain's last line */
    char checkpoint_time[CHAIN_TIME + 1]; /* of its last good checkpoint, or its first line */
    size_t last_file;
    uint64_t last_line;
    uint64_t last_seq;    /* of the chain in hand */
    struct claim *claims; /* one for each chain that is named: the highest of all */
    size_t claim_count;
    size_t claim_cap;
    struct claim *named; /* with a hash: of each chain the last one in each run of a server */
    size_t named_count;
    size_t named_cap;
    size_t run_named;           /* where those of the run in hand begin */
    char since[CHAIN_TIME + 1]; /* of that run; empty: not known */
    struct chain_end *ends;
    size_t end_count;
    size_t end_cap;
    audit_finding_fn *on_finding;
    audit_progress_fn *on_progress;
    void *context;
    struct audit_verify_result *result;
};

/* A finding of the chain in hand; they are sorted and reported at its end. */
struct finding {
    size_t file;
    uint64_t line;
    char *message; /* owned */
    char *name;    /* owned: a file that is not there; NULL: files[file] */
    bool note;
};

struct lines;

/* verify_read.c */
NODISCARD enum status verify_open(const struct verify *verify, struct verify_file *file,
                                  struct lines **lines);
NODISCARD enum status verify_list(struct verify *verify);
NODISCARD enum status verify_read_file(struct verify *verify, size_t index);
/* verify_runs.c: judges the runs of the chain in hand. */
NODISCARD enum status verify_judge(struct verify *verify);
/* verify_beside.c: the chains together. Findings are reported at once. */
void verify_missing_chains(struct verify *verify);
/* A good checkpoint, an event: what they say of other chains. */
NODISCARD enum status verify_take_beside(struct verify *verify, size_t file, uint64_t number,
                                         const char *line, size_t len, const char *time);
NODISCARD enum status verify_take_event(struct verify *verify, size_t file, uint64_t number,
                                        const char *line, size_t len);
NODISCARD enum status verify_end_chain(struct verify *verify, unsigned chain);
void verify_judge_beside(struct verify *verify);
/* verify_named.c: the same, of the records that are there. */
NODISCARD enum status verify_judge_named(struct verify *verify);
/* verify.c */
NODISCARD enum status verify_find(struct verify *verify, size_t file, uint64_t line,
                                  const char *format, ...) __attribute__((format(printf, 4, 5)));
NODISCARD enum status verify_find_missing(struct verify *verify, size_t near, const char *name,
                                          uint64_t lines);
/* What was found last is a note. */
void verify_note_last(struct verify *verify);
/* A finding, or a note, at once. */
void verify_tell(struct verify *verify, const char *name, uint64_t line, bool note,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Doubles an array when it is full. */
NODISCARD enum status verify_grow(void **array, size_t count, size_t *cap, size_t element);

#endif
