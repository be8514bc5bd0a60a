/*
 * guard_cell.h: tables of patients in missions that are aggregate_only. Private to policy/.
 *
 * A cube is a table with a `subject`, read in such a mission. Its rows fall into cells: those that
 * agree in every dimension, and in which measures have a value. The guard of a cube shows no row of
 * the table. It shows rows that are made of cells: of each cell of k patients or more as many as it
 * has, with its dimensions, with values of measures that add up to what the cell's do, and with
 * patients who are as many as the cell's and nobody. So whatever is asked of it, by whatever
 * statement, is made of numbers about whole cells.
 */
#ifndef PGVIGIL_POLICY_GUARD_CELL_H
#define PGVIGIL_POLICY_GUARD_CELL_H

#include "guard_expr.h"

#include <pgvigil/guard.h>

/* Are groups of the table's patients all that the mission gives? */
bool guard_is_cube(const struct policy *policy, int mission, const struct policy_table *table);

/* The guard's SELECT; `rows`: what guard_expr_rows made; `columns`: those that it shows, in order.
 * ERR_INVALID with *why. */
NODISCARD enum status guard_cell(const struct guard_expr_context *context, const char *rows,
                                 const char *const *columns, size_t count, const char **sql,
                                 const char **why);

/* What is wrong with the tables of patients that a pair of such a mission reads: two that show the
 * same rows, a view that does not say whose it shows. ERR_INVALID with *what, a sentence in the
 * arena. */
NODISCARD enum status guard_check_cubes(const struct policy *policy, const struct catalog *catalog,
                                        int role, int mission, struct arena *arena,
                                        const char **what);

/* How many statements ask PostgreSQL about a cube's cells. */
#define GUARD_CELL_CHECK 3

/* guard_cell_check.c: these, for deploy to run behind the guard's own. They fail where what a
 * client may set would change cells, and where a row is in the cells of several tables. DENIED,
 * ERR_INVALID: there is no such guard, which was said of the guard itself. */
NODISCARD enum status guard_cell_check(const struct policy *policy, const struct catalog *catalog,
                                       const struct guard_view *view, struct arena *arena,
                                       const char *sql[GUARD_CELL_CHECK]);

#endif
