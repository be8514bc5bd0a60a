/*
 * audit_filter.h: what `pgvigil audit search`, `report` and `follow` share: the filters as options,
 * and what is told on stderr while a trail is read.
 */
#ifndef PGVIGIL_TOOLS_AUDIT_FILTER_H
#define PGVIGIL_TOOLS_AUDIT_FILTER_H

#include "audit/query.h"
#include "audit/search.h"
#include "tools/cli.h"
#include "tools/progress.h"

#define AUDIT_FILTER_OPTIONS 18U

/* Puts AUDIT_FILTER_OPTIONS rows there. */
void audit_filter_options(struct query *query, struct cli_option *options);

/* Where indexes are, and whether they are used. */
struct audit_index {
    const char *directory; /* NULL: beside the files */
    bool off;
};

#define AUDIT_INDEX_OPTIONS 2U

/* Puts AUDIT_INDEX_OPTIONS rows there. */
void audit_index_options(struct audit_index *index, struct cli_option *options);

/* Progress and damage. */
struct audit_teller {
    struct progress progress;
    uint64_t told;     /* damages */
    uint64_t no_index; /* indexes that were not used */
};

void audit_teller_events(struct audit_teller *teller, struct search_events *events);
/* What of the trail was not read as it should be. CLI_FINE, or CLI_CANNOT: answers may lack. */
int audit_teller_end(struct audit_teller *teller, const struct cli_command *command,
                     const struct search_counts *counts);

/* Says on stderr that whole chains are not there, if so. */
void audit_tell_absent(const struct cli_command *command, const char *directory);
/* search_open, with its failure told, and what is absent. CLI_FINE, CLI_CANNOT. */
int audit_search_open(const struct cli_command *command, const char *directory,
                      const struct audit_index *index, const struct query *query,
                      const struct search_events *events, struct search **search);

#endif
