/*
 * rows.h: persons' rows on one connection: locked, counted and hashed, copied, taken away.
 *
 * A struct rows is a database that records are moved from, to, or destroyed in. Every function
 * answers OK, or ERR_UPSTREAM, ERR_INVALID or ERR_MEMORY with a sentence in `why` that holds no
 * value of a row.
 */
#ifndef PGVIGIL_TOOLS_ROWS_H
#define PGVIGIL_TOOLS_ROWS_H

#include "tools/records.h"

#include <libpq-fe.h>
#include <pgvigil/policy.h>
#include <stdint.h>

struct rows {
    PGconn *conn; /* borrowed */
    const struct policy *policy;
    const struct records *records; /* as this database has them */
    struct arena *arena;           /* of the batch: the caller resets it */
    struct buf *why;
    char *state; /* ROWS_STATE bytes for the SQLSTATE of what failed, or NULL */
    bool picked; /* rows_sum and rows_delete: of the rows that ROWS_PICKED names, whatever the list
                  */
    bool french; /* the language of `why` */
};
/* (n, t, c, k): index of the table, where the row stands, in this transaction, and its primary key
 * as a text, by which it is found again when a trigger has made it move; NULL where there is none.
 */
#define ROWS_PICKED "pg_temp.\"pgvigil picked\""
#define ROWS_STATE  6U

/* What a table has of some persons. */
struct rows_sum {
    uint64_t count;
    char sha256[65]; /* of the rows' own SHA-256, sorted; "" for none */
};

#define ROWS_SCHEMA "pgvigil_retention" /* what pgvigil keeps here for itself */

/* Settings, and ROWS_SCHEMA with its tables. */
NODISCARD enum status rows_prepare(const struct rows *rows);
NODISCARD enum status rows_run(const struct rows *rows, const char *sql);
/* The same; how many rows that was. */
NODISCARD enum status rows_change(const struct rows *rows, const char *sql, uint64_t *count);
/* Begins a transaction in which no table or key can come that was not looked at: ERR_INVALID when
 * one came since records_find. */
NODISCARD enum status rows_begin(const struct rows *rows);
/* Deferred constraints and triggers fire now, before it is on record that rows go. */
NODISCARD enum status rows_check_constraints(const struct rows *rows);
/* OK: it is committed. */
NODISCARD enum status rows_commit(const struct rows *rows);
/* After a failure: does nothing of the transaction stand, for sure? Not when the connection was
 * lost. */
bool rows_undone(const struct rows *rows);
/* Puts a signed certificate beside what it is of, in one transaction with it. */
NODISCARD enum status rows_certify(const struct rows *rows, const char *id, const char *body,
                                   const char *signature);
/* One column of text; *keys in the arena. */
NODISCARD enum status rows_keys(const struct rows *rows, const char *sql, const char ***keys,
                                size_t *count);

/* Those of `keys` that are of an age now, locked. */
NODISCARD enum status rows_lock(const struct rows *rows, enum policy_age age,
                                const char *const *keys, size_t count, const char ***locked,
                                size_t *locked_count);
/* How many stay, since rows that do not go belong to theirs, and what held the first. */
struct rows_ties {
    uint64_t left;
    char told[256];
};
/* Takes those out of `keys` whose rows something else refers to, that would be left behind or torn
 * along; *list is of those that remain. */
NODISCARD enum status rows_untie(const struct rows *rows, const char **keys, size_t *count,
                                 const char **list, struct rows_ties *ties);
/* Takes `out` out of `keys`; how many remain. */
size_t rows_without(const char **keys, size_t count, const char *const *out, size_t out_count);
NODISCARD enum status rows_sum(const struct rows *rows, const struct records_table *table,
                               const char *list, struct rows_sum *sum);
/* Takes their rows away, table by table; `sums` is what must have been there: another number is an
 * error, and the caller rolls back. */
NODISCARD enum status rows_delete(const struct rows *rows, const char *list,
                                  const struct rows_sum *sums);

/* A temporary table "pgvigil N" on `to` with the rows that `from` has of them. */
NODISCARD enum status rows_stage(const struct rows *from, const struct rows *to, size_t table,
                                 size_t to_table, const char *list);
/* From the temporary table into the table itself: a row that is there already becomes the newer
 * one. ERR_INVALID: one that is there is of none of the persons in `list`. */
NODISCARD enum status rows_unstage(const struct rows *to, size_t table, const char *list);
/* Of the rows that stand in the temporary table, as the table itself has them. */
NODISCARD enum status rows_staged_sum(const struct rows *to, size_t table, struct rows_sum *sum);
NODISCARD enum status rows_drop_stages(const struct rows *to);

#endif
