/*
 * quota.h: how many rows a person has read under a mission in the last hour, over all sessions and
 * workers.
 *
 * Rows are taken in small portions before they are passed on, and what is left of a portion is
 * given back, so the sum of what all sessions pass on is never above the limit. Counted by the
 * minute; forgotten when the process ends. Any thread.
 */
#ifndef PGVIGIL_PROXY_QUOTA_H
#define PGVIGIL_PROXY_QUOTA_H

#include <pgvigil/status.h>
#include <stdbool.h>
#include <stdint.h>

struct quota;

struct quota *quota_new(void); /* NULL when out of memory */
void quota_free(struct quota *quota);

struct quota_portion {
    uint64_t rows;
    uint64_t minute; /* under which they are counted */
};

/* Up to `wanted` of what `limit` leaves in the hour before `now` (monotonic microseconds). No rows:
 * nothing is left. ERR_MEMORY. */
NODISCARD enum status quota_take(struct quota *quota, const char *person, const char *mission,
                                 uint64_t limit, uint64_t wanted, uint64_t now,
                                 struct quota_portion *portion);
/* Are rows left in it, counted under this minute? Later ones would be counted too early. */
bool quota_is_fresh(const struct quota_portion *portion, uint64_t now);
/* What is left of a portion, in which nothing is left then. */
void quota_give_back(struct quota *quota, const char *person, const char *mission,
                     struct quota_portion *portion, uint64_t now);

#endif
