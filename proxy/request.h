/*
 * request.h: the questions a client has asked and not yet been answered, in order.
 *
 * Pipelining separates the two halves of a session: query.c judges and forwards messages while
 * answers to earlier ones are still to come; this queue joins the halves again. Each entry stands
 * for one answer (or group of answers) that the client waits for, or that the server owes pgvigil
 * (`own`: swallowed). What pgvigil answers by itself (LOCAL) waits in the same queue, so that order
 * is kept.
 *
 * An entry owns its canned bytes and holds references to its statements. One thread.
 */
#ifndef PGVIGIL_PROXY_REQUEST_H
#define PGVIGIL_PROXY_REQUEST_H

#include "proxy/use.h"

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum request_kind {
    REQUEST_LOCAL = 0, /* canned bytes, ready */
    REQUEST_QUERY,     /* simple query: anything up to ReadyForQuery */
    REQUEST_PARSE,     /* ParseComplete */
    REQUEST_BIND,      /* BindComplete */
    REQUEST_DESCRIBE,  /* ParameterDescription (statements only), RowDescription or NoData */
    REQUEST_EXECUTE,   /* rows, then CommandComplete, PortalSuspended or EmptyQueryResponse */
    REQUEST_CLOSE,     /* CloseComplete */
    REQUEST_FUNCTION,  /* FunctionCallResponse, ReadyForQuery */
    REQUEST_FAIL,      /* an ErrorResponse that pgvigil provoked; the client gets the canned one */
    REQUEST_IDENTITY,  /* own: makes the server connection the session's, ahead of the first message
                          of  its group (server_prepare.c) */
    REQUEST_DISUSED,   /* own: CloseComplete, `closes` of them, then, unless it is in_group,
                          ReadyForQuery (disused.c) */
    REQUEST_SYNC       /* ReadyForQuery */
};

struct request {
    TAILQ_ENTRY(request) link;
    enum request_kind kind;
    bool ready;    /* LOCAL: a ReadyForQuery with the status of its moment follows */
    bool ahead;    /* an own Parse before a simple query, which gives no answer when it fails */
    bool own;      /* pgvigil's: the answer is swallowed */
    bool in_group; /* extended protocol: skipped by the server when an earlier one of its group
                      fails */
    bool
        over_limit; /* the mission's max_rows was passed: an error was given, the rest is dropped */
    bool inexact; /* of a group of its rows not everybody was named: the record does not name all */
    bool late;    /* its error has no place in the text: it came of running it */
    bool named;   /* those that the statement names are with the subjects of its records */
    bool failed;  /* an ErrorResponse was seen */
    bool more;    /* QUERY: another part of the client's text follows, so no ReadyForQuery */
    bool lookup;  /* QUERY: it went as lookup.h says... */
    unsigned char owes; /* ...and what is still to be acknowledged */
    bool copy_in;
    unsigned copy_stage;         /* COPY FROM: how many of its statements are complete */
    uint64_t copied;             /* COPY FROM: rows that went into the table */
    bool copy_out;               /* CopyData of the current statement is on its way to the client */
    bool copy_binary;            /* it is in binary format */
    bool copy_begun;             /* the first of it has been seen */
    struct statement *statement; /* a reference, or NULL */
    struct statement *displaced; /* what a Parse or Close took out of the name space: put back when
                                    it is skipped */
    char *name; /* BIND, CLOSE: the portal, unless it is the unnamed one; a lookup whose statement
                   is being prepared: its name there; else NULL */
    struct uses *uses;               /* what its statements read by others' names, or NULL */
    struct portal_rows *portal_rows; /* EXECUTE: of the portal; a reference, or NULL */
    uint64_t group;
    size_t index; /* QUERY: which of the verdict's statements is running */
    uint64_t
        audit_id; /* 1 + the number of its begin record, or 0; of a QUERY see statement->begun */
    uint64_t rows;
    uint64_t bytes;
    size_t closes;         /* DISUSED: those still to come */
    uint64_t started;      /* monotonic microseconds */
    unsigned char *canned; /* owned */
    size_t canned_len;
};

TAILQ_HEAD(request_list, request);

struct request_spares;

struct requests {
    struct request_list list;
    size_t count;
    size_t remote;                 /* entries that the server owes */
    size_t parses;                 /* PARSE entries among them */
    struct request_spares *spares; /* borrowed */
};

/* Entries that are kept for the next, for all queues of a worker: thousands of queues are empty.
 * NULL: out of memory. */
struct request_spares *request_spares_new(void);
/* With those that are kept. Accepts NULL. */
void request_spares_free(struct request_spares *spares);

void requests_init(struct requests *requests, struct request_spares *spares);
/* Removes all entries. */
void requests_clear(struct requests *requests);
/* A new entry at the tail, or NULL when out of memory. */
struct request *requests_add(struct requests *requests, enum request_kind kind);
/* A LOCAL entry (or FAIL) with a copy of bytes. */
struct request *requests_add_canned(struct requests *requests, enum request_kind kind,
                                    const void *bytes, size_t len);
struct request *requests_head(const struct requests *requests);
/* Removes and frees the head. */
void requests_pop(struct requests *requests);
/* Removes and frees any entry. */
void requests_remove(struct requests *requests, struct request *request);

/* The end of a group or query that the server will not tell: pgvigil says ReadyForQuery itself. */
void requests_end_here(struct requests *requests, struct request *request);

/* Called for each entry that is skipped, newest first, so that undoing restores what was there. */
typedef void request_skip_fn(struct request *request, void *context);
/* The server reported an error in a group: drops the entries that it skips, up to (not including)
 * the group's SYNC. */
void requests_skip_group(struct requests *requests, request_skip_fn *skip, void *context);

#endif
