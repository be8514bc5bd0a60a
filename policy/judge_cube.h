/*
 * judge_cube.h: what may be asked of tables of patients in missions that are aggregate_only.
 * Private to policy/.
 */
#ifndef PGVIGIL_POLICY_JUDGE_CUBE_H
#define PGVIGIL_POLICY_JUDGE_CUBE_H

#include "judge_private.h"

/* A relation that judge_relation has found: is it a cube? */
void judge_cube_note(struct judge *judge, struct relation_use *use);
/* Its entry in FROM, once it is complete. */
NODISCARD enum status judge_cube_item(struct judge *judge, const struct range_item *item);
/* A column of an item of `level`, or all of it (-1), is used at judge->level. `ref`: by which
 * reference; NULL: by a star, USING and the like. */
NODISCARD enum status judge_cube_column(struct judge *judge, struct level *level,
                                        struct range_item *item, long column,
                                        const PgQuery__ColumnRef *ref);
/* A column that its guard does not show was refused: says so where the mission is why. */
void judge_cube_hint(struct judge *judge, const struct range_item *item, const char *name);
/* A call, before its arguments are judged; `before` is to be put back afterwards. */
NODISCARD enum status judge_cube_call(struct judge *judge, const PgQuery__FuncCall *call,
                                      struct cube_argument *before);
/* A SELECT that was judged, its GROUP BY too. */
NODISCARD enum status judge_cube_select(struct judge *judge, const PgQuery__SelectStmt *select);
/* ORDER BY `node`, which is an output column's name and nothing else. */
bool judge_cube_sorts_output(const struct judge *judge, const PgQuery__Node *node);
/* The statement, at its end. */
NODISCARD enum status judge_cube_statement(struct judge *judge, struct verdict_statement *out);

#endif
