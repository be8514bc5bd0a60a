/*
 * cells.h: what the answers that one person was given tell together.
 *
 * In an aggregate_only mission each answer is over many patients. The attack: two answers whose
 * difference is one of them (all but those born on that day in that village), or three or more that
 * sum up to one (trackers). So the rows that a person's answers were over are kept apart as her
 * answers tell them apart: rows that were always counted together, and as often, are one cell. An
 * answer that would leave a cell with rows of fewer than k patients is not given. What can be
 * computed from answers by adding and subtracting is then always about whole cells, of k patients
 * or more each.
 *
 * Rows, and not only patients, as one stay of a patient who has two can be told by a difference,
 * too; whether a join has a row once or more often counts; and so does in which of its columns
 * there is a value, as sum(x) of rows without an x is about others than these.
 *
 * What one row, or one table, says of a patient others mostly say as well. So an answer over the
 * patients of an earlier one but for 1 to k - 1 of them, or with 1 to k - 1 more, is not given
 * either, whatever rows of theirs it is over.
 *
 * All sessions and workers of a process share it. Kept in a file for each person, mission and
 * database beside the trail, which holds hashes only: a restart forgets nothing. Any thread.
 */
#ifndef PGVIGIL_PROXY_CELLS_H
#define PGVIGIL_PROXY_CELLS_H

#include <pgvigil/policy.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cells;
struct cells_person;

/* Rows that are kept apart for one person and mission; past that she is refused. */
#define CELLS_ROWS_MAX ((size_t)4000000)

/* `directory` is borrowed; `sync`: the disk has what was saved. NULL when out of memory. */
struct cells *cells_new(const char *directory, bool sync);
void cells_free(struct cells *cells);

/* Borrowed, as long as `cells` lives. ERR_MEMORY. ERR_IO, ERR_INVALID: her file cannot be read, or
 * is damaged; it was logged. What it held would be forgotten, so nothing is answered until somebody
 * has looked at it. */
NODISCARD enum status cells_open(struct cells *cells, const char *person, const char *mission,
                                 const char *database, struct cells_person **out);

/* A row that an answer is over. The same row may come several times: a join has it as often. */
struct cells_row {
    uint64_t row;
    uint64_t patient;
    uint8_t columns; /* bit by bit: which of the aggregated columns have a value */
};

/* What of answers_per_day is left on that day (seconds since 1970). */
uint64_t cells_left(struct cells_person *person, const struct policy_aggregate *bounds,
                    int64_t now);
void cells_charge(struct cells_person *person, uint64_t answers, int64_t now);
/* May an answer over these rows be given? OK: yes, and it is kept; *fresh: it tells something apart
 * that was not before. DENIED: it, or what it would tell together with earlier ones, is about fewer
 * than k. ERR_LIMIT: too many rows. ERR_MEMORY. `rows` is sorted anew. */
NODISCARD enum status cells_admit(struct cells_person *person,
                                  const struct policy_aggregate *bounds, struct cells_row *rows,
                                  size_t count, int64_t now, bool *fresh);
/* Before an answer leaves: what was admitted and charged is in the file. ERR_IO, logged. */
NODISCARD enum status cells_save(struct cells_person *person);

#endif
