/*
 * judge_write.h: statements that write, and what they share. Private to policy/.
 *
 * The level of such a statement holds its target as items[0].
 */
#ifndef PGVIGIL_JUDGE_WRITE_H
#define PGVIGIL_JUDGE_WRITE_H

#include "judge_private.h"

enum write_kind { WRITE_INSERT, WRITE_UPDATE, WRITE_DELETE };

/* judge_write.c */

/* INSERT, UPDATE or DELETE? */
bool judge_is_write(const PgQuery__Node *node);
/* Judges one; *out are the columns of its RETURNING. */
NODISCARD enum status judge_write(struct judge *judge, PgQuery__Node *node,
                                  struct column_list *out);
/* Adds the target to the level, and says whether the pair may do this to any of its rows. */
NODISCARD enum status judge_write_target(struct judge *judge, PgQuery__RangeVar *var,
                                         enum write_kind kind);
/* May the pair write this column of the target? Notes that it is written. */
NODISCARD enum status judge_write_column(struct judge *judge, enum write_kind kind,
                                         const char *name, size_t at);
/* The SET list of UPDATE and of ON CONFLICT DO UPDATE. */
NODISCARD enum status judge_assignments(struct judge *judge, PgQuery__Node **list, size_t count);

/*
 * Has the mission max_rows or rows_per_hour? What writes may then return no rows, nor stand in a
 * text that does: rows come when all is written, and the error that takes their place would say of
 * a write that it failed, to the client and on record, which the server commits.
 */
const char *judge_row_limit(const struct judge *judge); /* which one; NULL: neither */
/* The same for what the statements of a text do together. */
NODISCARD enum status
judge_rows_or_writes(struct judge *judge, const struct verdict_statement *statements, size_t count);

/* judge_conflict.c */
NODISCARD enum status judge_conflict(struct judge *judge, PgQuery__OnConflictClause *conflict);
/* May it depend on this column whose a row is? */
bool judge_decides_subject(const struct relation_use *use, const char *name);

#endif
