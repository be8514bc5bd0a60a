/*
 * search_chain.h: a search within one chain, between search.c and search_chain.c.
 */
#ifndef PGVIGIL_AUDIT_SEARCH_CHAIN_H
#define PGVIGIL_AUDIT_SEARCH_CHAIN_H

#include "begun.h"
#include "index.h"
#include "lines.h"
#include "search.h"
#include "shelf.h"

struct search {
    struct shelf shelf;
    const struct query *query;
    struct search_events events;
    struct search_counts counts;
    const char *index_directory;
    bool indexed;
    int index_fd; /* the directory; -1: none */
    struct search_chain *chains;
    size_t chain_count;
    uint64_t bytes_done; /* of files that are done */
    json_t *answer;      /* the one that is lent */
};

/* One chain: the files from `first` up to `end` of the shelf. */
struct search_chain {
    struct search *search;
    size_t first, end;
    size_t at;               /* the file at hand */
    struct lines *lines;     /* NULL: none is open */
    struct index *index;     /* of it, or NULL */
    struct index_set wanted; /* blocks of it that are to be read */
    size_t block;            /* the next of them */
    uint64_t block_end;
    uint64_t line; /* number of the last one */
    bool skipped;  /* something of the chain was not read */
    struct begun begun;
    json_t *answer; /* the next one; NULL: there is none any more */
    char time[28];  /* its end's */
    char last[28];  /* of the last line */
};

/* Makes the next answer. OK also at the end, where there is none. ERR_MEMORY. */
NODISCARD enum status search_chain_next(struct search_chain *chain);
/* The next line of a chain that is being written, whose file is the only one of the shelf: what it
 * makes an answer of, which may be none. A statement that has begun is one, too (`outcome` begun).
 */
NODISCARD enum status search_chain_feed(struct search_chain *chain, const char *line, size_t len);
void search_chain_close(struct search_chain *chain);

#endif
