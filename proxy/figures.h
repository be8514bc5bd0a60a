/*
 * figures.h: how often what was observed, in the log.
 *
 * Sums for each database, application, person, role and mission of databases in observe mode, told
 * once a minute and at the end (event=observed); and each thing that enforcing would refuse, told
 * once (event=observed-refusal). The records hold every case; this is for whoever watches the log.
 *
 * Names of applications are the client's, so both tables are bounded: what comes after is summed as
 * "(others)". Shared by all threads.
 */
#ifndef PGVIGIL_PROXY_FIGURES_H
#define PGVIGIL_PROXY_FIGURES_H

#include <pgvigil/audit.h>
#include <stdint.h>

struct figures;

struct figures *figures_new(void); /* NULL when out of memory */
/* Tells what has not been told. Accepts NULL. */
void figures_free(struct figures *figures);
void figures_count(struct figures *figures, const struct audit_session *who,
                   const struct audit_observed *observed);
/* Once a second, by one thread (`now`: monotonic microseconds): tells the sums that have moved,
 * once a minute. */
void figures_tick(struct figures *figures, uint64_t now);

#endif
