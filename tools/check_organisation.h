/*
 * check_organisation.h: what `check` says of who hosts the records.
 */
#ifndef PGVIGIL_TOOLS_CHECK_ORGANISATION_H
#define PGVIGIL_TOOLS_CHECK_ORGANISATION_H

#include <pgvigil/config.h>
#include <time.h>

/* Warns, on stdout, of an HDS certificate that expires within 90 days, or has. */
void advise_hosting(const struct config *config, time_t now);
/* The host's people are users of the policy. CLI_FINE, or CLI_FINDINGS after telling who is not. */
int check_staff(const struct config *config, const struct policy *policy);

#endif
