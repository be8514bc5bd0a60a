/*
 * expression_check.h: is this text one SQL expression that may stand in a guard?
 */
#ifndef PGVIGIL_POLICY_EXPRESSION_CHECK_H
#define PGVIGIL_POLICY_EXPRESSION_CHECK_H

#include <pgvigil/arena.h>
#include <pgvigil/policy.h>
#include <pgvigil/status.h>

enum expression_kind {
    EXPRESSION_FILTER,  /* `rows` and `filters` */
    EXPRESSION_SUBJECT, /* `subject` of a table: no :subject in it, nothing of the user's */
    EXPRESSION_MASK,    /* over :col alone */
    EXPRESSION_PERSON   /* of `retention`: no placeholders, it holds whoever asks */
};

/* OK, or ERR_INVALID with *what (arena): the first thing that is wrong. *subject tells whether
 * :subject is used. Runs libpg_query. */
NODISCARD enum status expression_check(const struct policy *policy, const char *expression,
                                       enum expression_kind kind, struct arena *arena,
                                       bool *subject, const char **what);
/* The column, if the expression is nothing else than one of that table; or NULL. Borrowed from the
 * arena. */
const char *expression_column(const char *expression, const char *table, struct arena *arena);
/* Is this the name of a type, usable behind `::`? *is_list tells whether it is an array, *base is
 * the type's own name ("int4", "text") when it is a built-in one, else "". */
NODISCARD enum status expression_check_type(const char *type, struct arena *arena, bool *is_list,
                                            const char **base, const char **what);

/* builtin.c: is it a type of PostgreSQL 15's pg_catalog? */
bool builtin_type(const char *name);

#endif
