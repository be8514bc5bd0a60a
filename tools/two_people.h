/*
 * two_people.h: what nobody may do alone.
 *
 * Two different people of the policy, each in one of the roles that are named for it, prove who
 * they are with their passwords (auth "scram", and no other: a certificate is not asked for). A
 * login that acts for others (on_behalf) is no person. Passwords are asked for on the terminal, or
 * taken line by line from the standard input, the first person's first.
 */
#ifndef PGVIGIL_TOOLS_TWO_PEOPLE_H
#define PGVIGIL_TOOLS_TWO_PEOPLE_H

#include "tools/cli.h"

/* CLI_FINE: both are who they say. CLI_FINDINGS: they are not, or may not; CLI_USAGE, CLI_CANNOT.
 * Told, in French too; `what` is in that language: "destroy", "détruire". */
int two_people_ask(const struct cli_command *command, const struct policy *policy,
                   const uint32_t *roles, size_t role_count, const char *what, const char *by,
                   const char *and_by, bool french);

#endif
