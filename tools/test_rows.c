/*
 * test_rows.c: the rows of a test, from a database (see policy_test.h).
 *
 * What runs is what serve would send, on a connection like serve's: the pair's role, the person's
 * placeholders, the pseudonym keys as start-up options. It runs in a transaction that is rolled
 * back, READ ONLY unless the statement writes.
 *
 * Trust boundary: rows are patients' records, and output of tests goes to terminals, files and
 * mail. Nothing here tells a value: counts, names of columns, numbers of rows and lines of the test
 * file. Of PostgreSQL's messages only those about names (class 42) are told: others quote values.
 */
#include "tools/policy_test.h"

#include "proxy/identity.h"

#include <pgvigil/map.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* The texts of values must not depend on what a login's or a database's own settings are, or equal
 * ones would seem to differ. */
static const char steady_sql[] =
    "SET LOCAL DateStyle = 'ISO, YMD';SET LOCAL TimeZone = 'UTC';"
    "SET LOCAL IntervalStyle = 'postgres';SET LOCAL bytea_output = hex;"
    "SET LOCAL extra_float_digits = 1;SET LOCAL lc_monetary = 'C';"
    "SET LOCAL statement_timeout = '60s'";

static bool command(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* ---- the session ---- */

static enum status set_path(struct identity *identity, const struct test_case *test)
{
    const char *names[32];
    size_t count = 0;
    for (size_t i = 0; i < test->path.count && count < 32; i++)
        names[count++] = test->path.items[i].text;
    return identity_set_path(identity, names, count);
}

static enum status be_person(PGconn *conn, const struct test_bench *bench,
                             const struct test_case *test, const struct test_outcome *outcome,
                             struct buf *wrong)
{
    struct identity identity;
    struct buf sql;
    const struct policy_user *user = policy_find_user(bench->policy, test->user);
    if (user == NULL)
        return ERR_INTERNAL;
    buf_init(&sql, 0);
    enum status status = identity_init(&identity, bench->policy, user);
    identity.role = outcome->role;
    identity.mission = outcome->mission;
    if (status == OK && test->path.place.file != NULL)
        status = set_path(&identity, test);
    if (status == OK)
        status = identity_replace(&identity.reason, test->reason);
    if (status == OK)
        status = identity_replace(&identity.patient, test->patient);
    struct identity_text person = {0};
    if (status == OK && outcome->verdict->pair != NULL)
        status = identity_person(&identity, bench->policy, outcome->verdict->pair,
                                 test->address == NULL ? "127.0.0.1" : test->address, &person);
    identity_text_sql(&person, &sql);
    identity_text_free(&person);
    buf_byte(&sql, '\0');
    if (status == OK && sql.failed)
        status = ERR_MEMORY;
    if (status == OK && outcome->verdict->pair != NULL &&
        !command(conn, (const char *)buf_head(&sql))) {
        buf_printf(wrong, "cannot work as %s: %s", outcome->verdict->pair, PQerrorMessage(conn));
        status = ERR_UPSTREAM;
    }
    identity_free(&identity);
    buf_free(&sql);
    return status;
}

/* ---- values ---- */

/* PQfnumber folds names; these are as the result has them. */
static int column_of(const PGresult *result, const char *name)
{
    for (int i = 0; i < PQnfields(result); i++)
        if (strcmp(PQfname(result, i), name) == 0)
            return i;
    return -1;
}

static void no_column(const char *name, struct buf *wrong)
{
    buf_printf(wrong, "the answer has no column \"%s\"\n", name);
}

static void compare_counts(const struct test_gives *gives, uint64_t rows, struct buf *wrong)
{
    unsigned long long came = rows;
    if (gives->rows != TEST_ANY && rows != gives->rows)
        buf_printf(wrong, "rows: expected %llu; came %llu\n", (unsigned long long)gives->rows,
                   came);
    if (gives->rows_at_least != TEST_ANY && rows < gives->rows_at_least)
        buf_printf(wrong, "rows: expected at least %llu; came %llu\n",
                   (unsigned long long)gives->rows_at_least, came);
    if (gives->rows_at_most != TEST_ANY && rows > gives->rows_at_most)
        buf_printf(wrong, "rows: expected at most %llu; came %llu\n",
                   (unsigned long long)gives->rows_at_most, came);
}

static void compare_nulls(const struct raw_names *names, const PGresult *result, struct buf *wrong)
{
    for (size_t i = 0; i < names->count; i++) {
        int column = column_of(result, names->items[i].text);
        int values = 0;
        if (column < 0) {
            no_column(names->items[i].text, wrong);
            continue;
        }
        for (int row = 0; row < PQntuples(result); row++)
            values += PQgetisnull(result, row, column) ? 0 : 1;
        if (PQntuples(result) == 0)
            buf_printf(wrong,
                       "column %s: expected NULL in every row; there is no row to see it in\n",
                       names->items[i].text);
        else if (values > 0)
            buf_printf(wrong, "column %s: expected NULL in every row; %d of %d have a value\n",
                       names->items[i].text, values, PQntuples(result));
    }
}

static bool row_is(const PGresult *result, int row, const struct test_row *said)
{
    for (size_t i = 0; i < said->count; i++) {
        int column = column_of(result, said->columns[i]);
        if (column < 0 || PQgetisnull(result, row, column) ||
            strcmp(PQgetvalue(result, row, column), said->values[i]) != 0)
            return false;
    }
    return true;
}

static void compare_row(const PGresult *result, const struct test_row *said, bool contains,
                        struct buf *wrong)
{
    int found = -1;
    for (size_t i = 0; i < said->count; i++) {
        if (column_of(result, said->columns[i]) < 0) {
            no_column(said->columns[i], wrong);
            return;
        }
    }
    for (int row = 0; row < PQntuples(result) && found < 0; row++)
        found = row_is(result, row, said) ? row : -1;
    if (contains && found < 0)
        buf_printf(wrong, "contains: none of %d rows is as %s:%u says\n", PQntuples(result),
                   said->place.file, said->place.line);
    else if (!contains && found >= 0)
        buf_printf(wrong, "lacks: row %d is as %s:%u says\n", found + 1, said->place.file,
                   said->place.line);
}

/* ---- without guards ---- */

static bool plain_path(PGconn *conn, const struct test_case *test)
{
    struct buf sql;
    buf_init(&sql, 0);
    buf_str(&sql, "SET LOCAL search_path = ");
    if (test->path.place.file == NULL)
        buf_str(&sql, "public");
    for (size_t i = 0; i < test->path.count; i++) {
        buf_str(&sql, i == 0 ? "" : ", ");
        text_quote_ident(&sql, test->path.items[i].text);
    }
    if (test->path.place.file != NULL && test->path.count == 0)
        buf_str(&sql, "''");
    buf_byte(&sql, '\0');
    bool done = !sql.failed && command(conn, (const char *)buf_head(&sql));
    buf_free(&sql);
    return done;
}

/* The statement as the client wrote it, by somebody who sees everything. NULL: told. */
static PGresult *run_plain(PGconn *conn, const struct test_case *test, struct buf *wrong)
{
    PGresult *result = NULL;
    if (command(conn, "BEGIN READ ONLY") && command(conn, steady_sql) && plain_path(conn, test))
        result = PQexecParams(conn, test->sql, 0, NULL, NULL, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        buf_printf(wrong, "without guards the statement fails: %s\n",
                   code == NULL ? "the connection is lost" : code);
        PQclear(result);
        result = NULL;
    }
    (void)command(conn, "ROLLBACK");
    return result;
}

static void differ(const PGresult *guarded, const PGresult *plain, const char *name,
                   struct buf *wrong)
{
    struct map *values = map_new();
    int column = column_of(guarded, name);
    int other = column_of(plain, name);
    int seen = 0;
    int equal = 0;
    bool whole = values != NULL && column >= 0 && other >= 0;
    for (int row = 0; whole && row < PQntuples(plain); row++)
        if (!PQgetisnull(plain, row, other))
            whole = map_put(values, PQgetvalue(plain, row, other),
                            (size_t)PQgetlength(plain, row, other), values) == OK;
    for (int row = 0; whole && row < PQntuples(guarded); row++) {
        if (PQgetisnull(guarded, row, column))
            continue;
        seen++;
        equal += map_get(values, PQgetvalue(guarded, row, column),
                         (size_t)PQgetlength(guarded, row, column)) != NULL
                     ? 1
                     : 0;
    }
    if (column < 0 || other < 0)
        no_column(name, wrong);
    else if (!whole)
        buf_str(wrong, "out of memory\n");
    else if (equal > 0)
        buf_printf(wrong, "column %s: expected no value as it is in the table; %d of %d are\n",
                   name, equal, seen);
    else if (seen == 0)
        buf_printf(wrong, "column %s: expected no value as it is in the table; there is no value\n",
                   name);
    map_free(values);
}

static void compare_differs(PGconn *conn, const struct test_case *test, const PGresult *guarded,
                            struct buf *wrong)
{
    const struct raw_names *names = &test->gives.differs;
    if (names->count == 0)
        return;
    if (conn == NULL) {
        buf_str(wrong, "\"differs\" needs somebody who sees the tables: --as CONNINFO\n");
        return;
    }
    PGresult *plain = run_plain(conn, test, wrong);
    for (size_t i = 0; plain != NULL && i < names->count; i++)
        differ(guarded, plain, names->items[i].text, wrong);
    PQclear(plain);
}

/* ---- the statement ---- */

static void compare_rows(const struct test_bench *bench, const struct test_database *database,
                         const struct test_case *test, struct test_outcome *outcome,
                         const PGresult *result, struct buf *wrong)
{
    const struct test_gives *gives = &test->gives;
    bool tuples = PQresultStatus(result) == PGRES_TUPLES_OK;
    uint64_t rows = tuples ? (unsigned)PQntuples(result)
                           : strtoul(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
    uint64_t most = outcome->verdict->unrestricted || outcome->mission < 0
                        ? 0
                        : bench->policy->missions[outcome->mission].max_rows;
    outcome->allowed = most == 0 || !tuples || rows <= most;
    if (!outcome->allowed) {
        outcome->reason = "rows";
        outcome->object = bench->policy->missions[outcome->mission].name;
        outcome->sqlstate = "54000";
        outcome->message = "the mission allows fewer rows for a statement";
        return;
    }
    if (!test->has_gives)
        return;
    compare_counts(gives, rows, wrong);
    compare_nulls(&gives->nulls, result, wrong);
    for (size_t i = 0; i < gives->contains.count; i++)
        compare_row(result, &gives->contains.items[i], true, wrong);
    for (size_t i = 0; i < gives->lacks.count; i++)
        compare_row(result, &gives->lacks.items[i], false, wrong);
    compare_differs(database->plain, test, result, wrong);
}

static void refused_by_server(const struct test_bench *bench, const PGresult *result,
                              struct test_outcome *outcome)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool column = code != NULL && strcmp(code, "42703") == 0;
    bool names_only = code != NULL && strncmp(code, "42", 2) == 0;
    outcome->allowed = false;
    outcome->from_database = true;
    outcome->reason = column ? "column" : "database";
    outcome->object = NULL;
    outcome->sqlstate = code == NULL ? NULL : arena_strdup(bench->arena, code);
    outcome->message = names_only && message != NULL ? arena_strdup(bench->arena, message)
                                                     : "PostgreSQL's own refusal";
}

static enum status run(const struct test_bench *bench, const struct test_database *database,
                       PGconn *conn, const struct test_case *test, struct test_outcome *outcome,
                       struct buf *wrong)
{
    bool writes = outcome->verdict->statements[0].writes;
    enum status status = be_person(conn, bench, test, outcome, wrong);
    if (status != OK)
        return status;
    if (!command(conn, writes ? "BEGIN" : "BEGIN READ ONLY") || !command(conn, steady_sql)) {
        buf_printf(wrong, "cannot begin: %s", PQerrorMessage(conn));
        return ERR_UPSTREAM;
    }
    /* The extended protocol takes one statement: nothing can end the transaction behind it. */
    PGresult *result = PQexecParams(conn, outcome->verdict->sql, 0, NULL, NULL, NULL, NULL, 0);
    ExecStatusType came = PQresultStatus(result);
    if (came == PGRES_TUPLES_OK || came == PGRES_COMMAND_OK)
        compare_rows(bench, database, test, outcome, result, wrong);
    else if (PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL)
        refused_by_server(bench, result, outcome);
    else
        buf_str(wrong, "this statement does not answer with rows: it cannot be tested here\n");
    PQclear(result);
    if (!command(conn, "ROLLBACK")) {
        PQreset(conn);
        buf_str(wrong, PQstatus(conn) == CONNECTION_OK ? "" : PQerrorMessage(conn));
    }
    return PQstatus(conn) == CONNECTION_OK ? OK : ERR_UPSTREAM;
}

/* What pgvigil does by itself, and what begins and ends transactions, is not run here. */
static bool runs(const struct verdict *verdict)
{
    return verdict->statement_count == 1 &&
           (verdict->statements[0].kind == STATEMENT_SELECT || verdict->statements[0].writes) &&
           !(verdict->unrestricted && verdict->statements[0].writes);
}

enum status test_run_rows(const struct test_bench *bench, const struct test_database *database,
                          const struct test_case *test, struct test_outcome *outcome,
                          struct buf *wrong)
{
    const struct verdict *verdict = outcome->verdict;
    if (verdict == NULL || !verdict->allowed)
        return OK;
    PGconn *conn = verdict->unrestricted ? database->unrestricted : database->guarded;
    if (runs(verdict) && conn != NULL)
        return run(bench, database, conn, test, outcome, wrong);
    if (!test_wants_rows(test))
        return OK;
    buf_str(wrong, conn == NULL ? "rows: the configuration has no \"unrestricted\" for this role\n"
                                : "rows: only one SELECT is run, or one statement that writes what "
                                  "the policy lets it\n");
    return OK;
}
