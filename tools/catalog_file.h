/*
 * catalog_file.h: what a database holds, as a file: for decisions where there is no database.
 *
 * `pgvigil check --save-catalog` writes one, `test` and `diff` read it. Names, types and view
 * definitions, no row, no OID and no guard: the file of a database stays the same when the policy
 * changes, and when the database is made anew from the same schema. It is libconfig's syntax, one
 * column a line, so that version control shows what has changed.
 */
#ifndef PGVIGIL_TOOLS_CATALOG_FILE_H
#define PGVIGIL_TOOLS_CATALOG_FILE_H

#include "tools/cli.h"
#include <pgvigil/buf.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>

/* Replaces the file in one step. ERR_IO, ERR_MEMORY, with a sentence appended to `why`. */
NODISCARD enum status catalog_file_write(const struct catalog *catalog, const char *path,
                                         struct buf *why);
/*
 * *catalog has one reference, on OK only, and no guards; its OIDs are made up. ERR_INVALID, ERR_IO,
 * ERR_MEMORY with everything that is wrong in `errors`, which the caller frees in any case.
 */
NODISCARD enum status catalog_file_read(const char *path, struct catalog **catalog,
                                        struct policy_errors *errors);
/* The same for a command: what is wrong is told on stderr. CLI_FINE, or CLI_CANNOT. */
int catalog_file_open(const struct cli_command *command, const char *path,
                      struct catalog **catalog);
/* What a reader of OIDs must know: none is read from a file, all are at least this. */
#define CATALOG_FILE_OID 1000000U

#endif
