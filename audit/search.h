/*
 * search.h: the records of a trail that meet a query, each statement as one answer.
 *
 * Reads the files of all chains, oldest first, without disturbing who writes them, and hands out
 * answers in the order of their ends. Nothing is verified here: that is audit_verify's work. A line
 * that is none is told, counted and passed over. Memory follows what is begun and not ended, not
 * the trail.
 *
 * With indexes (index.h) only blocks that can hold an answer are read.
 */
#ifndef PGVIGIL_AUDIT_SEARCH_H
#define PGVIGIL_AUDIT_SEARCH_H

#include "query.h"

#include <jansson.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdint.h>

struct search_events {
    /* Something was passed over; line 0: the file as a whole. Not called for what only costs time.
     */
    void (*on_damage)(const char *file, uint64_t line, const char *what, void *context);
    void (*on_index)(const char *file, const char *what, void *context); /* is not used, and why */
    void (*on_progress)(uint64_t bytes, uint64_t total, void *context);  /* of the files */
    void *context;
};

struct search_counts {
    uint64_t files, indexed; /* of them, read through an index */
    uint64_t damaged;        /* lines, or parts of files */
    uint64_t headless;       /* statements whose begin is not there */
    uint64_t answers;
    uint64_t twice; /* compressed files beside their plain ones */
};

struct search;

/* `query` is prepared, and outlives the search. `index_directory` NULL: beside the files; `indexed`
 * false: no index is looked at. ERR_IO (errno), ERR_MEMORY; CLOSED: no file of a trail is there. */
NODISCARD enum status search_open(const char *directory, const char *index_directory, bool indexed,
                                  const struct query *query, const struct search_events *events,
                                  struct search **search);
/*
 * The next answer, borrowed until the next call: the record's own fields behind `time`, `chain`,
 * `file`, `seq`, `type` ("statement", or the record's) and, of a statement, `outcome`:
 *   done        it ran; rows, bytes, tag... are the end's
 *   refused     by the policy
 *   error       by the database: `sqlstate`
 *   unfinished  the session or the server ended in the middle
 *   unknown     there is no end: rows are those of the last part that is known to have left
 * and `ended`, where that is another time. `patients` is all of the statement's, or, where a query
 * asks for one, what names that one; `patients_left_out` counts what is not listed.
 * CLOSED at the end; ERR_MEMORY.
 */
NODISCARD enum status search_next(struct search *search, const json_t **answer);
const struct search_counts *search_count(const struct search *search);
void search_close(struct search *search); /* accepts NULL */

#endif
