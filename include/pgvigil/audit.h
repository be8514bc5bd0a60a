/*
 * audit.h: the trail. One JSON object a line, one chain of files per worker.
 *
 * Every record holds "prev", the SHA-256 of the line before; signed checkpoints (Ed25519) close
 * each interval and each file. Appending encodes and hashes into a buffer; audit_flush gives the
 * buffer to the kernel in one write (and to the disk with "synced"). The rule of the product: no
 * byte of a result leaves before the flush that covers its record returned OK. Not thread-safe: a
 * worker owns its struct audit.
 *
 * When a write fails or is short (disk full), the file is cut back to its last whole record, the
 * records of that flush are dropped from chain and buffer, and ERR_AUDIT is returned: the caller
 * refuses what they covered. The next flush tries again: service returns by itself, and the first
 * record then tells how many were refused.
 *
 * With a reserve the disk is full earlier: that room is given back then, what was to be written is
 * written there, and from then on audit_begin returns ERR_AUDIT, so that nothing new is run and the
 * refusals have their records. It ends when there is room for the reserve again (audit_tick).
 *
 * A process that sets a file size limit must ignore SIGXFSZ, or the limit ends it instead of the
 * write.
 */
#ifndef PGVIGIL_AUDIT_H
#define PGVIGIL_AUDIT_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum audit_durability { AUDIT_WRITTEN, AUDIT_SYNCED };

/* How long records are kept (audit_purge). */
struct audit_retention {
    unsigned technical_days;   /* 0: they are never purged */
    const char *justification; /* why they are kept for longer than a year, or NULL */
    unsigned care_years;       /* 0: never */
};

/*
 * How far each chain of a directory has got: the chains of one process share it, and each
 * checkpoint of one signs what the others have (audit/heights.h). Any thread.
 */
struct audit_heights;
/* Looks at the chains that are there, and makes room for those from 0 to `chains` - 1, which the
 * server writes; what it could not compare is in the log. ERR_MEMORY. */
NODISCARD enum status audit_heights_new(const char *directory, unsigned chains,
                                        struct audit_heights **heights);
void audit_heights_free(struct audit_heights *heights); /* accepts NULL; after the chains */
/* What was not there any more: record `named` of a chain, which the last checkpoint of chain `by`
 * names, while it had `had`. From *cursor = 0 on, until it is false. What an event of the last of
 * the `chains` has told is left out. */
struct audit_behind {
    unsigned chain, by;
    uint64_t had, named;
    bool other; /* there is a record of that number, and it is another one */
};
bool audit_heights_behind(const struct audit_heights *heights, size_t *cursor,
                          struct audit_behind *behind);
/* The sentence of the event, 300 bytes at most. */
void audit_behind_text(const struct audit_behind *behind, char *out, size_t size);

struct audit_options {
    const char *directory; /* created 0700 if missing */
    const char *key_file;  /* Ed25519 private key, PEM */
    enum audit_durability durability;
    unsigned checkpoint_seconds; /* 0: 60 */
    uint64_t file_bytes;         /* rotate past this; 0: 256 MiB */
    uint64_t reserve_bytes;      /* of the disk, kept for when it is full; 0: none */
    bool daily;                  /* and when the UTC day has changed */
    bool compress;               /* closed files, by whoever runs audit_pack */
    unsigned chains;             /* that a server writes, from 0 on; 0: the header does not tell */
    struct audit_retention retention;
    struct audit_heights *heights; /* borrowed; NULL: checkpoints name no other chain */
};

struct audit;

/* Opens chain number `chain` (the worker's), continuing after its last file: a tail that a crash
 * left half-written is cut at the last whole record and the cut is itself a record. Two processes
 * cannot have one chain open. The public key is put into DIRECTORY/public.pem. ERR_IO, ERR_INVALID
 * (key, or the chain is in use), ERR_MEMORY; *why is a sentence that lives until the thread's next
 * audit_open, NULL on success. */
NODISCARD enum status audit_open(const struct audit_options *options, unsigned chain,
                                 struct audit **audit, const char **why);
/* Flushes, writes a closing checkpoint. Accepts NULL. */
void audit_close(struct audit *audit);

struct buf;

/* Fields as they stand in a record, made once for many (audit_encode_...); len 0: there are none.
 * Borrowed. */
struct audit_text {
    const void *bytes;
    size_t len;
};

/* Who and why: one per session, borrowed for each call. NULL strings are left out. */
struct audit_session {
    uint64_t id;
    const char *person;
    const char *login;
    const char *identity; /* of a login that acts for others: "proven", "asserted", "login" (for
                             itself), "nobody" */
    const char *auth;     /* "scram-sha-256", "scram-sha-256-plus", "cert", "cert+scram-sha-256" */
    const char *database;
    const char *role;
    const char *mission;
    const char *purpose;
    const char *reason;
    const char *patient; /* what a mission that breaks the glass was entered for */
    const char *address; /* client's */
    uint16_t port;
    bool break_glass; /* the mission is one */
    const char *application;
    const char *tls;           /* "TLSv1.3" */
    struct audit_text encoded; /* the above; whoever changes that, empties this */
};

struct audit_relation {
    const char *schema;
    const char *name;
    const char *const *shown;
    size_t shown_count;
    const char *const *masked;
    size_t masked_count;
    const char *const *written; /* columns that get values; NULL: no row of it is written */
    size_t written_count;       /* 0 where rows are only deleted */
};

/* What enforcing would have made of a statement that was only observed. */
struct audit_observed_relation {
    const char *schema;
    const char *name;
    const char *rule; /* or NULL */
    const char *const *shown;
    size_t shown_count;
    const char *const *masked;
    size_t masked_count;
    const char *const *hidden; /* the statement wants them and would not find them */
    size_t hidden_count;
    const char *const *written; /* NULL: no row of it is written */
    size_t written_count;
    bool filtered; /* some rows may not be there */
};

struct audit_observed {
    const char *decision; /* "allow", "deny" */
    const char *sqlstate; /* of a refusal, as the next three */
    const char *reason;
    const char *object;
    const char *hint; /* what to change, or NULL */
    const struct audit_observed_relation *relations;
    size_t relation_count;
    bool rewritten; /* another text would have been sent */
};

/* A statement, for begin and whole records. */
struct audit_statement {
    const char *kind;        /* "SELECT", "BEGIN"... */
    const char *sql;         /* normalised: no literal of the client's */
    const char *fingerprint; /* 16 hex */
    const struct audit_relation *relations;
    size_t relation_count;
    const char *decision; /* "allow", "deny" */
    const char *rule;     /* "clinic.cfg:120", or NULL */
    const char *refused;  /* refusal reason word and object, for deny: "relation public.x" */
    const struct audit_observed *observed; /* NULL: the decision was enforced */
    struct audit_text encoded;             /* the above */
};

/* Whose rows left: sorted, each once. Borrowed. */
struct audit_patients {
    const int64_t *numbers;
    size_t number_count;
    const char *const *texts;
    size_t text_count;
    bool aggregate; /* not exactly those: of what was read, not all can be told by rows */
    bool failed;    /* they could not be listed: there can be no record */
};

struct audit_outcome {
    const char *sqlstate; /* NULL: success */
    const char *tag;      /* CommandComplete's, or NULL */
    uint64_t rows;
    uint64_t bytes;
    uint64_t microseconds;
    bool unfinished;                       /* the session or server ended in the middle */
    const struct audit_patients *patients; /* those no record has named yet; NULL: none */
};

/* Appends the fields, for `encoded`. ERR_MEMORY: nothing of it may be used. */
NODISCARD enum status audit_encode_session(const struct audit_session *session, struct buf *out);
NODISCARD enum status audit_encode_statement(const struct audit_statement *statement,
                                             struct buf *out);

/* Events that are not statements: "start", "stop", "reload", "reload-failed", "connect",
 * "auth-failed", "refused-connection", "disconnect", "mission", "break-glass-begin",
 * "break-glass-end", "cancel", "observe-mode", "console", "audit-behind", "rolled-back",
 * "commit-unknown". `detail` is a sentence without values, or NULL. */
NODISCARD enum status audit_event(struct audit *audit, const char *event,
                                  const struct audit_session *session, const char *detail);
/* One record for a statement that is done (or was refused). */
NODISCARD enum status audit_whole(struct audit *audit, const struct audit_session *session,
                                  const struct audit_statement *statement,
                                  const struct audit_outcome *outcome);
/* begin ... more ... end; *id names the statement within the chain. ERR_AUDIT also while the
 * reserve is in use. */
NODISCARD enum status audit_begin(struct audit *audit, const struct audit_session *session,
                                  const struct audit_statement *statement, uint64_t *id);
NODISCARD enum status audit_more(struct audit *audit, const struct audit_session *session,
                                 uint64_t id, uint64_t rows, uint64_t bytes,
                                 const struct audit_patients *patients);
NODISCARD enum status audit_end(struct audit *audit, const struct audit_session *session,
                                uint64_t id, const struct audit_outcome *outcome);

/* True when something is appended and not yet flushed. */
bool audit_pending(const struct audit *audit);
/* Counts flushes that succeeded: what was appended when it stood at n is safe once it is above n.
 */
uint64_t audit_flushed(const struct audit *audit);
NODISCARD enum status audit_flush(struct audit *audit);

/*
 * The same in two halves, for "synced": the loop goes on while the disk is at work, and what is
 * appended meanwhile waits for the next flush (group commit). `done` is called from another thread
 * when the second half may be called, which does not wait then. One flush at a time.
 */
typedef void audit_synced_fn(void *context);
/* Makes the thread; after it audit_flush_begin is there. Not for "written". ERR_MEMORY. */
NODISCARD enum status audit_sync_apart(struct audit *audit, audit_synced_fn *done, void *context);
/* Writes what is appended, which is something. OK: a sync is under way. ERR_AUDIT as audit_flush.
 */
NODISCARD enum status audit_flush_begin(struct audit *audit);
/* The next flush is to be audit_flush: a new file is due, which needs all lines of the old one. */
bool audit_full(const struct audit *audit);
/* Between audit_flush_begin and the end of its second half. */
bool audit_flushing(const struct audit *audit);
/* The disk has done its part of what is under way: audit_flush_end does not wait. */
bool audit_flush_ended(struct audit *audit);
/* Waits for the disk, if it must. OK: what stood before audit_flush_begin is on it. ERR_AUDIT: that
 * does not exist, and what was appended since does not either. */
NODISCARD enum status audit_flush_end(struct audit *audit);
/* Counts flushes that failed: each refuses everything that was appended since the flush before it,
 * so what waits for audit_flushed to move must be refused when this moves first. */
uint64_t audit_failed(const struct audit *audit);
/* Call about once a second: appends a checkpoint that is due (and flushes it, when nothing else is
 * pending), tries the disk again after a failure, and starts a new file when someone took the old
 * one away. */
NODISCARD enum status audit_tick(struct audit *audit);
/* False after a failed flush, until one succeeds. */
bool audit_healthy(const struct audit *audit);

/*
 * Compresses the directory's closed files (audit/pack.c), each beside itself, then takes the plain
 * one away: a crash at any point leaves one of the two whole. A file is closed when its chain has a
 * later one. It never waits for those who write. `stop` is asked now and then (NULL: nobody is).
 * DENIED: another process is at the directory's closed files. ERR_IO, ERR_MEMORY; *why then says
 * it, until the thread's next call.
 */
struct audit_pack_result {
    uint64_t files;
    uint64_t bytes, packed_bytes;
    uint64_t failed; /* files that stay as they are: said in the log */
};
typedef bool audit_stop_fn(void *context);
NODISCARD enum status audit_pack(const char *directory, audit_stop_fn *stop, void *context,
                                 struct audit_pack_result *result, const char **why);

/* The chain of commands that a person runs: behind those of any number of workers. */
#define AUDIT_CHAIN_BY_HAND 1000U
/* One event in a chain of such commands; waits some seconds for another one that is writing there.
 * ERR_IO, ERR_INVALID, ERR_MEMORY, and *why as audit_open. */
NODISCARD enum status audit_by_hand(const struct audit_options *options, unsigned chain,
                                    unsigned seconds, const char *event,
                                    const struct audit_session *session, const char *detail,
                                    const char **why);

/*
 * Takes the records that options->retention does not want any longer out of closed files
 * (audit/purge.c), and leaves signed tombstones in their places. Each file is replaced by one
 * rename. A file that is not what was written is left alone: it is evidence. Only looks, unless
 * `apply`. `on_file` is told of each file that has something due.
 * DENIED: another process is at the directory's closed files. ERR_IO, ERR_INVALID (no retention, or
 * the key), ERR_MEMORY; *why then says it, until the thread's next call.
 */
struct audit_purge_file {
    const char *name;
    uint64_t technical, care; /* records that are due */
    uint64_t lines;           /* that the file has */
    const char *refused;      /* a sentence: why it is left alone; NULL: it is not */
};
struct audit_purge_result {
    uint64_t files, technical, care;
    uint64_t bytes, bytes_left; /* of these files, on the disk */
    uint64_t refused;           /* files that are left alone */
};
typedef void audit_purge_fn(const struct audit_purge_file *file, void *context);
NODISCARD enum status audit_purge(const struct audit_options *options, bool apply, const char *who,
                                  audit_purge_fn *on_file, void *context,
                                  struct audit_purge_result *result, const char **why);

/* Verification (audit/verify.c) needs only the public key. */
#define AUDIT_TIME 28 /* bytes of a record's time, with the end */
struct audit_finding {
    const char *file;
    uint64_t line; /* 1-based; 0: the file as a whole */
    const char
        *message; /* "changed", "missing", "added", "moved", "truncated", ... as a sentence */
    bool note;    /* worth knowing, and nothing that was done to the trail: another key */
};
struct audit_verify_result {
    uint64_t files, records, checkpoints, bytes;
    uint64_t tombstones, purged_technical, purged_care; /* and the records they stand for */
    uint64_t key_changes;
    uint64_t findings; /* 0: the trail is whole */
    /* Chains of servers of which there is no file, though a later one is there or a header tells of
     * them; and the first of these. Each is a finding (of a copy, a note). */
    unsigned chains_missing, first_missing;
    /* Of the chains of servers: the last line's time, whichever chain has it; "": there is none. */
    char last[AUDIT_TIME];
    char begins[AUDIT_TIME]; /* of their first lines the latest: all chains reach back to it */
    char purged_care_to[AUDIT_TIME]; /* the latest end of a stretch that lost records of care */
};
typedef void audit_finding_fn(const struct audit_finding *finding, void *context);
typedef void audit_progress_fn(uint64_t bytes_done, uint64_t bytes_total, void *context);
NODISCARD enum status audit_verify(const char *directory, const char *public_key_file,
                                   audit_finding_fn *on_finding, audit_progress_fn *on_progress,
                                   void *context, struct audit_verify_result *result);
/* The same of an archive, or of files that were copied while a server wrote: that chains, or their
 * ends, are not there is a note then. */
NODISCARD enum status audit_verify_copy(const char *directory, const char *public_key_file,
                                        audit_finding_fn *on_finding,
                                        audit_progress_fn *on_progress, void *context,
                                        struct audit_verify_result *result);

/* Chains of servers of which the directory has no file, though a later one is there or a header
 * tells of them (audit/absent.c): how many, and the first. Nothing is verified. ERR_IO (errno),
 * ERR_MEMORY.
 */
NODISCARD enum status audit_absent(const char *directory, unsigned *count, unsigned *first);

#endif
