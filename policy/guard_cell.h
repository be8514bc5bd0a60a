/*
 * guard_cell.h: tables of patients in missions that are aggregate_only. Private to policy/.
 *
 * A cube is a table with a `subject`, read in such a mission. Its rows fall into cells: those that
 * agree in every dimension, and in which measures have a value. A cell of fewer than k patients
 * does not exist. Since the judge lets nothing out of a cube but what is the same for all rows of a
 * cell, and sums over cells (judge_cube.c), whatever is computed of answers, by adding and
 * subtracting as many as one likes, is about whole cells: of k patients or more.
 */
#ifndef PGVIGIL_POLICY_GUARD_CELL_H
#define PGVIGIL_POLICY_GUARD_CELL_H

#include "guard_expr.h"

/* Are groups of the table's patients all that the mission gives? */
bool guard_is_cube(const struct policy *policy, int mission, const struct policy_table *table);

/* The condition that a row is of a cell that exists; `rows`: what guard_expr_rows made. *sql NULL:
 * the table is no cube. ERR_INVALID with *why. */
NODISCARD enum status guard_cell(const struct guard_expr_context *context, const char *rows,
                                 const char **sql, const char **why);

/* What is wrong with the tables of patients that a pair of such a mission reads: two that show the
 * same rows, a view that does not say whose it shows. ERR_INVALID with *what, a sentence in the
 * arena. */
NODISCARD enum status guard_check_cubes(const struct policy *policy, const struct catalog *catalog,
                                        int role, int mission, struct arena *arena,
                                        const char **what);

#endif
