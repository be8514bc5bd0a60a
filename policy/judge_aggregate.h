/*
 * judge_aggregate.h: what judge_aggregate.c (what may be asked of groups) and
 * judge_aggregate_text.c (how the bounds are written) know together, and judge_subject_text.c of
 * them. Private to policy/.
 */
#ifndef PGVIGIL_JUDGE_AGGREGATE_H
#define PGVIGIL_JUDGE_AGGREGATE_H

#include "judge_subject.h"

/* Columns of one relation that a statement aggregates: bits of one byte, see proxy/aggregate.h. */
#define AGGREGATE_COLUMNS_MAX ((size_t)8)
/* Rows that an answer may be over, of all relations together: their list is one value of a row. */
#define AGGREGATE_ROWS_MAX ((size_t)1000000)

/* The bounds of the mission at hand; NULL: it gives rows too. */
const struct policy_aggregate *aggregate_only(const struct judge *judge);
/* The item that a plain reference means, or NULL. */
struct range_item *aggregate_item(const struct carry *carry, const PgQuery__Node *node,
                                  long *column);
/* The aggregate that an output column is, or NULL. */
const PgQuery__FuncCall *aggregate_call(const PgQuery__Node *target);
bool aggregate_is_star(const PgQuery__FuncCall *call);

/* judge_aggregate_text.c */
/* Whether they are not too many. */
NODISCARD enum status aggregate_check_columns(struct judge *judge, const struct carry *carry);
/* `collected`, and behind it the rows that a group is of; NULL: no memory. */
const char *aggregate_collected(struct judge *judge, const struct carry *carry, const char *item,
                                const char *collected);
/* HAVING, and the bounds of single cells. The subjects stand in front of the list by now. */
NODISCARD enum status aggregate_write(struct judge *judge, const struct carry *carry, size_t end);

#endif
