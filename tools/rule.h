/*
 * rule.h: what decided which rows of a person may go, as it stood when they went.
 *
 * The policy's digest does not cover which tables are erasable, and nobody can read out of it what
 * a term was or whose a row. These stand in the certificate itself, and their hash in the trail, so
 * that nobody can say later that the policy was another.
 */
#ifndef PGVIGIL_TOOLS_RULE_H
#define PGVIGIL_TOOLS_RULE_H

#include "tools/records.h"

#include <jansson.h>

#define RULE_DIGEST 65U /* SHA-256 in hex, and a NUL */

/* {active_years, archive_years, minor_years, death_years, people, last, birth, death, hold,
 * time_zone, except, erasable, subjects}: numbers and expressions of "retention" (absent where the
 * policy has none), the tables that are excepted, those that are erasable, and the `subject` of
 * each that is looked at. NULL: no memory. */
json_t *rule_json(const struct policy *policy, const struct records *records);
/* SHA-256 of it as Jansson writes it compact and with sorted keys. False: no memory. */
bool rule_digest(const json_t *rule, char digest[RULE_DIGEST]);
/* Both at once. */
bool rule_digest_of(const struct policy *policy, const struct records *records,
                    char digest[RULE_DIGEST]);

#endif
