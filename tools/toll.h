/*
 * toll.h: what a transaction has really taken from every table of the database.
 *
 * What was decided to go is compared with what PostgreSQL itself counted, of all tables and not of
 * those that somebody thought of: a cascade, a trigger or a key that was overlooked ends in an
 * error and not in the loss of another person's rows.
 */
#ifndef PGVIGIL_TOOLS_TOLL_H
#define PGVIGIL_TOOLS_TOLL_H

#include "tools/rows.h"

/* Both inside one transaction of REPEATABLE READ; ERR_UPSTREAM, ERR_INVALID or ERR_MEMORY with a
 * sentence in rows->why, and the caller rolls back. */
/* Before anything goes. ERR_INVALID: the server does not count. */
NODISCARD enum status toll_begin(const struct rows *rows);
/* When all is gone, and deferred constraints were asked: `sums` is what was to go, as rows_delete
 * has it. ERR_INVALID: something else is gone, or was torn loose. */
NODISCARD enum status toll_check(const struct rows *rows, const struct rows_sum *sums);

#endif
