/*
 * opening.h: the texts of a mission's "hours" and "addresses". Private to policy/; what they answer
 * is in policy.h.
 */
#ifndef PGVIGIL_POLICY_OPENING_H
#define PGVIGIL_POLICY_OPENING_H

#include <pgvigil/policy.h>

/* "08:00-20:00", "mon-fri 08:00-20:00", "sat,sun 22:00-06:00" (over midnight: the day is the one it
 * begins on). ERR_INVALID. Keep `text`. */
NODISCARD enum status opening_read_hours(const char *text, struct policy_hours *hours);
/* "10.0.0.0/8", "192.0.2.7", "2001:db8::/32". ERR_INVALID, also for bits behind the prefix. */
NODISCARD enum status opening_read_network(const char *text, struct policy_network *network);

#endif
