/*
 * expression.h: the SQL expressions of a policy (filters, rows, subjects, masks), with their
 * placeholders.
 *
 * Policy files are trusted to say what may be seen, not to be free of slips: an expression is taken
 * as exactly one SQL expression, and its text never gets a meaning by what stands round it. Pure
 * text.
 */
#ifndef PGVIGIL_EXPRESSION_H
#define PGVIGIL_EXPRESSION_H

#include <pgvigil/arena.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>

/*
 * Gives the SQL text that stands in for one use of a placeholder: "patients.id", "((SELECT
 * ...)::int[])". Called in the order of the text, once for every use. NULL refuses:
 * expression_substitute answers ERR_INVALID.
 */
typedef const char *(*expression_replace)(void *context,
                                          const struct policy_placeholder *placeholder);

/*
 * *out is the expression with every placeholder replaced, in the arena. A space is put on either
 * side of a replacement, so that E:col or U&:col cannot glue a prefix to a quote. All else is
 * copied byte by byte. Whoever puts the result into SQL writes "(" before and "\n)" after it.
 *
 * ERR_INVALID with *what set (arena) for an unknown placeholder or one that `replace` refused;
 * ERR_MEMORY.
 */
NODISCARD enum status expression_substitute(const struct policy *policy, const char *expression,
                                            struct arena *arena, expression_replace replace,
                                            void *context, const char **out, const char **what);

#endif
