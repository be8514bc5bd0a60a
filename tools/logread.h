/*
 * logread.h: statements out of logs: PostgreSQL's csvlog, jsonlog and stderr log, and pgvigil's own
 * trail.
 *
 * Trust boundary: whoever may send a statement writes into such a log, and names, texts and whole
 * lines are theirs. Nothing here is longer than a bound, so a log of any size is read in the memory
 * of its longest kept entry; what is broken is left out and counted, and the next line is tried.
 *
 * A reader owns what an entry points to, until the next one is read.
 */
#ifndef PGVIGIL_TOOLS_LOGREAD_H
#define PGVIGIL_TOOLS_LOGREAD_H

#include <jansson.h>
#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum logread_format {
    LOGREAD_GUESS = 0, /* by the first bytes; a prefix says stderr */
    LOGREAD_CSV,
    LOGREAD_JSON,
    LOGREAD_STDERR,
    LOGREAD_AUDIT /* pgvigil's own */
};

enum logread_kind {
    LOGREAD_OTHER = 0, /* says nothing of a statement */
    LOGREAD_STATEMENT,
    LOGREAD_FUNCTION /* the function-call message of the protocol: there is no text */
};

/* NULL: the log does not say. */
struct logread_entry {
    enum logread_kind kind;
    const char *time; /* as it is written */
    const char *user;
    const char *database;
    const char *application;
    const char *session; /* what tells sessions apart */
    const char *text;    /* of LOGREAD_STATEMENT, NUL-terminated at text[len] */
    size_t len;
    bool normalized; /* constants are $n */
    /* Of the trail. */
    const char *role;
    const char *mission;
    const json_t *record;
};

struct logread_counts {
    uint64_t lines;
    uint64_t broken;  /* lines that are not of the format */
    uint64_t clipped; /* statements whose text the trail does not hold whole */
};

struct logread;

/* `path` "-": standard input. `prefix`: PostgreSQL's log_line_prefix, for LOGREAD_STDERR, or NULL.
 * ERR_IO with errno; ERR_INVALID: `why` (static) says what is wrong with the prefix; ERR_MEMORY. */
NODISCARD enum status logread_open(const char *path, enum logread_format format, const char *prefix,
                                   struct logread **reader, const char **why);
/* OK; CLOSED at the end; ERR_IO, ERR_MEMORY. */
NODISCARD enum status logread_next(struct logread *reader, struct logread_entry *entry);
void logread_close(struct logread *reader); /* accepts NULL */
/* So far. */
const struct logread_counts *logread_count(const struct logread *reader);
uint64_t logread_bytes(const struct logread *reader);

/* ---- between the files that do it ---- */

/* Longer than any text that is judged: more of one is not kept, and is not needed to refuse it. */
#define LOGREAD_TEXT_MAX (((size_t)1 << 20) + 1024)
/* A line of JSON may need six bytes for each of a text's. */
#define LOGREAD_LINE_MAX ((size_t)8 << 20)
#define LOGREAD_NAME_MAX 1024

enum logread_field {
    LOGREAD_TIME,
    LOGREAD_USER,
    LOGREAD_DATABASE,
    LOGREAD_APPLICATION,
    LOGREAD_SESSION,
    LOGREAD_MESSAGE,
    LOGREAD_FIELDS
};

struct logread {
    FILE *file;
    uint64_t bytes;
    enum logread_format format;
    struct logread_counts counts;
    struct buf fields[LOGREAD_FIELDS]; /* of the entry at hand, each ended by a NUL */
    struct buf line;
    bool pushed; /* stderr: `line` was read already, and is the next entry's */
    struct logread_prefix *prefix;
    json_t *record;
};

/* A byte, or EOF; counted. */
int logread_byte(struct logread *reader);
/* The next line into reader->line, without its end, NUL-terminated; *whole false: it was longer
 * than the bound. OK, CLOSED, ERR_IO, ERR_MEMORY. */
NODISCARD enum status logread_line(struct logread *reader, bool *whole);
/* Empties the fields of an entry. */
void logread_clear(struct logread *reader);
/* Appends, up to the field's bound. */
void logread_put(struct logread *reader, enum logread_field field, const void *bytes, size_t len);
/* A field as text; NULL when it is empty. */
const char *logread_text(struct logread *reader, enum logread_field field);
/* The entry that the fields make: what the message says, in PostgreSQL's words. ERR_MEMORY. */
NODISCARD enum status logread_finish(struct logread *reader, struct logread_entry *entry);
/* What a message of the server says: LOGREAD_OTHER, or where the statement's text begins in it. */
enum logread_kind logread_message(const char *message, const char **text);

NODISCARD enum status logread_csv(struct logread *reader, struct logread_entry *entry);
NODISCARD enum status logread_json(struct logread *reader, struct logread_entry *entry);
NODISCARD enum status logread_audit(struct logread *reader, struct logread_entry *entry);
NODISCARD enum status logread_stderr(struct logread *reader, struct logread_entry *entry);
struct logread_prefix;
NODISCARD enum status logread_prefix_new(const char *text, struct logread_prefix **prefix,
                                         const char **why);
void logread_prefix_free(struct logread_prefix *prefix);

#endif
