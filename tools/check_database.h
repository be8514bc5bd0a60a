/*
 * check_database.h: the part of `pgvigil check` that needs a live database.
 *
 * Reads the catalog and tries expressions in transactions that are rolled back; changes nothing.
 * Findings go to `out`, one a line: "file:line: error: ..." where they stand in a file, "database
 * NAME: ..." otherwise. Errors are what lets values through or makes a statement fail; warnings are
 * holes that may be meant; the rest is information.
 */
#ifndef PGVIGIL_TOOLS_CHECK_DATABASE_H
#define PGVIGIL_TOOLS_CHECK_DATABASE_H

#include <libpq-fe.h>
#include <pgvigil/arena.h>
#include <pgvigil/catalog.h>
#include <pgvigil/policy.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * `login` is the user that the proxy logs in as, `unrestricted` the one for unrestricted roles, or
 * NULL. `conn`, which is taken over and may have failed,
 * may be the proxy's own; expressions and the owner's rights are tried only when it may act as
 * `owner` (a DBA's), and a line says so when it may not. Needs a large stack (judge.h). CLI_FINE,
 * CLI_FINDINGS when there is an error, CLI_CANNOT.
 */
int check_database(const struct policy *policy, const char *name, PGconn *conn, const char *owner,
                   const char *login, const char *unrestricted, FILE *out);

/* Between the two files that do it. */
struct check {
    const struct policy *policy;
    const struct catalog *catalog;
    PGconn *conn;
    const char *name; /* of the database */
    const char *owner;
    const char *login;
    const char *unrestricted; /* login, or NULL */
    struct arena *arena;
    FILE *out;
    size_t errors, warnings;
    bool failed; /* out of memory, or the connection */
};

enum check_level { CHECK_ERROR, CHECK_WARNING, CHECK_INFO };
/* `place` may be NULL or have no file. */
void check_say(struct check *check, enum check_level level, const struct policy_place *place,
               const char *format, ...) __attribute__((format(printf, 4, 5)));
/* NULL: failed, and said. */
PGresult *check_query(struct check *check, const char *sql, int count, const char *const *values);
/* Whether an entry of `tables` covers the relation, by itself or through its parent. */
bool check_governed(const struct check *check, const struct catalog_relation *relation);
void check_rights(struct check *check);
/* check_subjects.c: views of patients that do not say of whom. */
void check_subjects(struct check *check);
/* check_aggregate.c: what is read row by row where only groups should be. */
void check_aggregate(struct check *check);

#endif
