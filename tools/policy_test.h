/*
 * policy_test.h: tests of a policy: what a file of them says, and what comes of one.
 *
 * A test is a person in a role and a mission with a statement, and what must come of it: relations
 * and columns, rows, or a refusal. Decisions come from judge(), with the guards that `deploy` would
 * make (test_judge.c); rows from a database with the guards deployed there (test_rows.c).
 *
 * Ownership: what a file says stands in the file's arena, what came of a test in the bench's.
 */
#ifndef PGVIGIL_TOOLS_POLICY_TEST_H
#define PGVIGIL_TOOLS_POLICY_TEST_H

#include "policy/load.h"

#include <libpq-fe.h>
#include <pgvigil/arena.h>
#include <pgvigil/buf.h>
#include <pgvigil/catalog.h>
#include <pgvigil/judge.h>
#include <pgvigil/policy.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what a file says (test_file.c) ---- */

#define TEST_ANY UINT64_MAX /* of a count: nothing was said */

/* One row, by names of columns: { id = "1"; bed = "12"; } */
struct test_row {
    const char **columns;
    const char **values;
    size_t count;
    struct policy_place place;
};

struct test_rows {
    struct test_row *items;
    size_t count;
};

struct test_gives {
    /* From the decision. file NULL in `place`: not said. */
    struct raw_names relations; /* exactly these */
    struct raw_names shown;     /* exactly these of those that the statement reads */
    struct raw_names masked;
    struct raw_names written;
    struct raw_names hidden; /* of its relations: these do not exist */
    /* From the rows. */
    uint64_t rows;
    uint64_t rows_at_least;
    uint64_t rows_at_most;
    struct raw_names nulls;   /* NULL in every row */
    struct raw_names differs; /* holds no value that the same statement gives without guards */
    struct test_rows contains;
    struct test_rows lacks;
};

struct test_refused {
    const char *reason;
    const char *object;
    const char *sqlstate;
};

struct test_case {
    const char *name;
    const char *user;
    const char *role;
    const char *mission;
    const char *address;
    const char *reason;
    const char *patient;
    struct raw_names path;
    const char *sql;
    struct test_gives gives;
    bool has_gives;
    struct test_refused refused;
    bool has_refused;
    struct policy_place place;
};

struct test_file {
    const char *policy; /* relative to the file that says it, resolved; or NULL */
    const char *catalog;
    struct test_case *cases;
    size_t count;
    struct arena *arena;
};

/* ERR_INVALID, ERR_IO, ERR_MEMORY with everything that is wrong in `errors` (the caller's to free);
 * test_file_free in any case. */
NODISCARD enum status test_file_read(const char *path, struct test_file *file,
                                     struct policy_errors *errors);
void test_file_free(struct test_file *file);
/* Does it say anything that only rows can tell? */
bool test_wants_rows(const struct test_case *test);

/* ---- what comes of it ---- */

struct test_outcome {
    bool allowed;
    bool from_database; /* the refusal is PostgreSQL's own */
    const char *reason;
    const char *object;
    const char *sqlstate;
    const char *message;
    const struct verdict *verdict; /* NULL: it did not come to that */
    int role;
    int mission; /* -1: none */
};

/* What tests are judged by. */
struct test_bench {
    const struct policy *policy;
    struct catalog *catalog; /* with guards */
    struct arena *arena;
};

/* The guards that deploy would make. Takes nothing: the results have references of their own.
 * ERR_INVALID with sentences, a line each, in `why` when the policy could not be deployed there. */
NODISCARD enum status test_bench_make(const struct policy *policy, const struct catalog *saved,
                                      struct arena *arena, struct test_bench *bench,
                                      struct buf *why);
/* With the guards that are deployed: `catalog` has them. */
void test_bench_live(const struct policy *policy, struct catalog *catalog, struct arena *arena,
                     struct test_bench *bench);
void test_bench_free(struct test_bench *bench);

/* ERR_MEMORY only. */
NODISCARD enum status test_judge(const struct test_bench *bench, const struct test_case *test,
                                 struct test_outcome *outcome);
/* What is not as the test says, a line each, into `wrong`; nothing: it is. `rows`: they were looked
 * at, so that a refusal that is PostgreSQL's own is one. */
void test_compare(const struct test_bench *bench, const struct test_case *test,
                  const struct test_outcome *outcome, bool rows, struct buf *wrong);

/* ---- rows ---- */

struct test_database {
    PGconn *guarded; /* as serve's connections, with the pseudonym keys */
    PGconn *plain;   /* without guards; NULL: none was given */
    PGconn *unrestricted;
};

/* Runs what was allowed, in a transaction that is rolled back, and compares; a refusal of the
 * server's becomes the outcome. ERR_MEMORY; ERR_UPSTREAM with a sentence in `wrong`: no test can be
 * run any more. */
NODISCARD enum status test_run_rows(const struct test_bench *bench,
                                    const struct test_database *database,
                                    const struct test_case *test, struct test_outcome *outcome,
                                    struct buf *wrong);

#endif
