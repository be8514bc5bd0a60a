/*
 * retention.h: `pgvigil retention`: what is past its time, moved and destroyed.
 *
 * The subcommands share a struct retention: configuration, policy, the database that applications
 * use and, where one is given, the archive: another database with the same tables. Both are reached
 * as a DBA, by conninfos that serve one run and are never stored or printed.
 */
#ifndef PGVIGIL_TOOLS_RETENTION_H
#define PGVIGIL_TOOLS_RETENTION_H

#include "tools/cli.h"
#include "tools/rows.h"

#include <pgvigil/arena.h>

/* One of the databases. */
struct retention_side {
    PGconn *conn; /* NULL: none was given */
    struct catalog *catalog;
    struct records records;
};

struct retention {
    const struct cli_command *command;
    /* Of the command line. */
    const char *config_file, *database_name, *as, *archive_as;
    const char *on, *format, *lang, *batch_size, *certificates, *by, *and_by;
    bool apply;
    bool french;  /* of what is told */
    bool reading; /* nothing is changed: tables that could not be moved do not matter */
    bool all;     /* every table with a subject, and a policy without "retention" too */
    /* Opened. */
    PGconn *second; /* to the database that applications use: for what was committed meanwhile */
    char state[ROWS_STATE];
    struct config *config;
    struct policy *policy;
    const struct config_database *database;
    struct retention_side live, archive;
    struct arena *arena;  /* of the whole run */
    struct arena *moment; /* of a batch */
    struct buf why;
    size_t batch;
};

/* Loads and connects; tells what is wrong. CLI_FINE, or the exit code. retention_close in any case.
 */
int retention_open(struct retention *retention);
void retention_close(struct retention *retention);
/* `why` told for a status that is not OK; its exit code. */
int retention_fail(struct retention *retention, enum status status);
/* "the database", "the archive". */
const char *retention_side_told(const struct retention *retention,
                                const struct retention_side *side);
/* The functions of rows.h, on one side. */
struct rows retention_rows(struct retention *retention, struct retention_side *side);
/* Nobody else is at it, in either database. CLI_FINE or CLI_CANNOT, told. */
int retention_lock(struct retention *retention);
/* The database that the archive is of is this one. */
int retention_check_archive(struct retention *retention);
/* One more look, in a moment of its own, at those who are about to go: are they still of that age?
 * OK, or ERR_INVALID with `why`. */
NODISCARD enum status retention_still(struct retention *retention, const char *list, size_t count,
                                      enum policy_age age);
/* Persons of an age on a side, ordered; in `arena`. */
NODISCARD enum status retention_due(struct retention *retention, struct retention_side *side,
                                    enum policy_age age, const char ***keys, size_t *count);

int retention_init(struct retention *retention);
int retention_plan(struct retention *retention);
int retention_archive(struct retention *retention);
int retention_destroy(struct retention *retention);

#endif
