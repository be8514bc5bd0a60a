/*
 * deed.h: what commands do to records, in the trail.
 *
 * Moving and destroying are accesses like any other: nothing is done before its record stands. The
 * chain is one of commands (AUDIT_CHAIN_BY_HAND), held while the command runs.
 */
#ifndef PGVIGIL_TOOLS_DEED_H
#define PGVIGIL_TOOLS_DEED_H

#include "tools/cli.h"

struct deed;

/* Opens the trail of the configuration. `people`: who does it, instead of the system's user (those
 * who gave their passwords), or NULL. CLI_FINE or CLI_CANNOT, told. */
int deed_open(const struct cli_command *command, const struct config *config, const char *database,
              const char *people, struct deed **deed);
/* The reason that every record from here on has; borrowed. */
void deed_because(struct deed *deed, const char *reason);
/* One record, about one person or (subject NULL) none. Appended only. */
NODISCARD enum status deed_append(struct deed *deed, const char *event, const char *subject,
                                  const char *detail);
/* Everything that was appended stands. */
NODISCARD enum status deed_flush(struct deed *deed);
void deed_close(struct deed *deed); /* accepts NULL */

#endif
