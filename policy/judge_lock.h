/*
 * judge_lock.h: SELECT ... FOR UPDATE and its like. Private to policy/.
 */
#ifndef PGVIGIL_JUDGE_LOCK_H
#define PGVIGIL_JUDGE_LOCK_H

#include "judge_private.h"

/* What the tree no longer tells once its level was walked. */
struct lock {
    const bool *labelled; /* for each output column: the client's text names it */
};

/* One element of ORDER BY in the text: tokens [first, suffix) are the expression, what follows
 * (ASC, NULLS LAST...) ends before `end`. */
struct lock_element {
    size_t first, suffix, end;
};

/* Where the clauses of a level stand: indexes of tokens. */
struct lock_text {
    size_t relation; /* the first token behind FROM */
    size_t where;    /* the word, or SIZE_MAX */
    size_t order;    /* the word, or SIZE_MAX */
    size_t tail;     /* the first token behind WHERE and ORDER BY */
    size_t *clauses; /* FOR, of each locking clause */
};

/* judge_lock.c */

/* "FOR NO KEY UPDATE" */
const char *judge_lock_name(const PgQuery__SelectStmt *select);
/* Refuses what PostgreSQL would. Nothing happens where the level locks nothing. */
NODISCARD enum status judge_lock_begin(struct judge *judge, const PgQuery__SelectStmt *select,
                                       struct lock *lock);
/* The level was walked: may its rows be locked, and are they exactly those it returns? */
NODISCARD enum status judge_lock(struct judge *judge, PgQuery__SelectStmt *select,
                                 const struct lock *lock);
/* `FOR UPDATE of filtered rows of relation "x" <what> is not supported...`, 0A000. */
NODISCARD enum status judge_lock_refuse(struct judge *judge, const PgQuery__SelectStmt *select,
                                        const struct range_item *item, const char *what,
                                        const char *hint);

/* judge_lock_keys.c: the keys first, then row after row. */
NODISCARD enum status judge_lock_keys(struct judge *judge, PgQuery__SelectStmt *select,
                                      const struct lock *lock, struct range_item *item);
/* `node` will be evaluated twice: refuses what must not be. `where`: "WHERE" or "ORDER BY". */
NODISCARD enum status judge_lock_twice(struct judge *judge, const PgQuery__SelectStmt *select,
                                       const struct range_item *item, PgQuery__Node *node,
                                       const char *where);

/* judge_lock_text.c */

NODISCARD enum status judge_lock_find(struct judge *judge, const PgQuery__SelectStmt *select,
                                      const struct range_item *item, struct lock_text *text);
/* Calls nothing beyond text->tail. ERR_INTERNAL when text and tree differ. */
NODISCARD enum status judge_lock_elements(struct judge *judge, const PgQuery__SelectStmt *select,
                                          const struct lock_text *text,
                                          struct lock_element *elements);
/* The bytes of an output column's expression. */
NODISCARD enum status judge_lock_target(struct judge *judge, const PgQuery__SelectStmt *select,
                                        const struct lock *lock, const struct lock_text *text,
                                        size_t index, struct piece *piece);

/* judge_lock_order.c: ORDER BY as it must read where there are no output columns to name. */
NODISCARD enum status judge_lock_order(struct judge *judge, const PgQuery__SelectStmt *select,
                                       const struct lock *lock, const struct lock_text *text,
                                       struct range_item *item);

#endif
