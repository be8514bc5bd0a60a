/*
 * judge_copy.h: what COPY TO and COPY FROM share. Private to policy/.
 */
#ifndef PGVIGIL_JUDGE_COPY_H
#define PGVIGIL_JUDGE_COPY_H

#include "judge_private.h"

/* Where the words stand: indexes of tokens; SIZE_MAX where there is none. */
struct copy_words {
    size_t copy;
    size_t binary; /* COPY BINARY t */
    size_t name;
    size_t open, close; /* of the column list, or of the query */
    size_t stream;      /* STDIN, STDOUT */
    size_t end;         /* behind it */
};

/* judge_copy.c */

/* Checks a name of the column list as PostgreSQL does: neither generated nor named before. */
NODISCARD enum status judge_copy_column(struct judge *judge,
                                        const struct catalog_relation *relation,
                                        PgQuery__Node **list, size_t index);
/* May a list that is not written hold it? */
bool judge_copy_lists(const struct catalog_relation *relation, const char *name);

/* judge_copy_from.c */
NODISCARD enum status judge_copy_from(struct judge *judge, PgQuery__CopyStmt *copy,
                                      struct verdict_statement *out);

#endif
