/*
 * rows.c: persons' rows on one connection (rows.h).
 *
 * Trust boundary: names and keys are quoted; expressions are the policy's. Rows pass through as
 * COPY gives them and are looked at by nobody; what PostgreSQL says of an error is cut to its first
 * line, since DETAIL prints values.
 */
#include "tools/rows.h"

#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* Classes whose messages hold no value of a row: connection, syntax and names, resources, locks,
 * shutdown. What triggers raise may. */
static bool is_plain(const char *state)
{
    static const char *const classes[] = {"08", "42", "53", "55", "57"};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(state, classes[i], 2) == 0)
            return true;
    return false;
}

/* Two were at the same rows, or waited for each other: nothing is wrong with either. */
static bool is_again(const char *state)
{
    return strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
}

static enum status failed(const struct rows *rows, const PGresult *result)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *table = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_TABLE_NAME);
    const char *constraint =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    bool french = rows->french;
    const char *said =
        state == NULL ? (french ? "la connexion est perdue" : "the connection was lost")
        : is_again(state)
            ? (french ? "quelqu’un d’autre y travaillait au même moment : relancez la commande"
                      : "somebody else was at it at the same moment: run it again")
        : !is_plain(state) ? (french ? "refusé" : "it was refused")
        : primary == NULL  ? (french ? "échec" : "it failed")
                           : primary;
    buf_printf(rows->why, french ? "%s (%s%s%s%s%s), base %s" : "%s (%s%s%s%s%s) in database %s",
               said, state == NULL ? "?" : state, table == NULL ? "" : ", table ",
               table == NULL ? "" : table,
               constraint == NULL ? ""
               : french           ? ", contrainte "
                                  : ", constraint ",
               constraint == NULL ? "" : constraint, PQdb(rows->conn));
    if (rows->state != NULL)
        (void)snprintf(rows->state, ROWS_STATE, "%s", state == NULL ? "" : state);
    return ERR_UPSTREAM;
}

/* *result on OK only, to be cleared. */
static enum status ask(const struct rows *rows, const char *sql, ExecStatusType wanted,
                       PGresult **result)
{
    *result = NULL;
    if (sql == NULL)
        return ERR_MEMORY;
    PGresult *got = PQexec(rows->conn, sql);
    if (PQresultStatus(got) != wanted) {
        enum status status = failed(rows, got);
        PQclear(got);
        return status;
    }
    *result = got;
    return OK;
}

enum status rows_run(const struct rows *rows, const char *sql)
{
    PGresult *result = NULL;
    enum status status = ask(rows, sql, PGRES_COMMAND_OK, &result);
    PQclear(result);
    return status;
}

enum status rows_change(const struct rows *rows, const char *sql, uint64_t *count)
{
    PGresult *result = NULL;
    enum status status = ask(rows, sql, PGRES_COMMAND_OK, &result);
    *count = status == OK ? strtoull(PQcmdTuples(result), NULL, 10) : 0;
    PQclear(result);
    return status;
}

/* Who waits for two people's passwords has time enough to be given a key with ON DELETE CASCADE.
 * The locks are those that deleting takes; with them nobody can add a key to these tables. */
enum status rows_begin(const struct rows *rows)
{
    const struct records *records = rows->records;
    const char **now = NULL;
    size_t count = 0;
    const char *names = "";
    for (size_t i = 0; names != NULL && i < records->count; i++)
        names =
            arena_printf(rows->arena, "%s%s%s", names, i == 0 ? "" : ", ", records->tables[i].name);
    enum status status =
        names == NULL ? ERR_MEMORY : rows_run(rows, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    if (status == OK && records->count > 0)
        status =
            rows_run(rows, arena_printf(rows->arena, "LOCK TABLE %s IN ROW EXCLUSIVE MODE", names));
    if (status == OK)
        status = rows_keys(rows, records_state(records, rows->arena), &now, &count);
    if (status == OK && (count != 1 || strcmp(now[0], records->state) != 0)) {
        buf_printf(rows->why,
                   rows->french
                       ? "une table ou une clé étrangère de la base %s a changé depuis qu’elle a "
                         "été examinée : rien n’est modifié ; relancez la commande"
                       : "a table or a foreign key of database %s has changed since it was looked "
                         "at: nothing is changed; run it again",
                   PQdb(rows->conn));
        status = ERR_INVALID;
    }
    return status;
}

enum status rows_check_constraints(const struct rows *rows)
{
    return rows_run(rows, "SET CONSTRAINTS ALL IMMEDIATE");
}

enum status rows_commit(const struct rows *rows)
{
    PGresult *result = NULL;
    enum status status = ask(rows, "COMMIT", PGRES_COMMAND_OK, &result);
    /* Of a transaction that had failed PostgreSQL says ROLLBACK, and no error. */
    if (status == OK && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        buf_printf(rows->why,
                   rows->french ? "la transaction avait échoué dans la base %s"
                                : "the transaction had failed in database %s",
                   PQdb(rows->conn));
        status = ERR_UPSTREAM;
    }
    PQclear(result);
    return status;
}

bool rows_undone(const struct rows *rows)
{
    PGTransactionStatusType now = PQtransactionStatus(rows->conn);
    /* A refused COMMIT leaves it idle. */
    return PQstatus(rows->conn) == CONNECTION_OK &&
           (now == PQTRANS_INTRANS || now == PQTRANS_INERROR || now == PQTRANS_IDLE);
}

enum status rows_certify(const struct rows *rows, const char *id, const char *body,
                         const char *signature)
{
    const char *literal = text_literal(rows->arena, body);
    return literal == NULL
               ? ERR_MEMORY
               : rows_run(rows, arena_printf(rows->arena,
                                             "INSERT INTO " ROWS_SCHEMA
                                             ".certificates (id, body, signature) VALUES ('%s', "
                                             "%s, '%s')",
                                             id, literal, signature));
}

enum status rows_prepare(const struct rows *rows)
{
    enum status status = rows_run(rows, "SET client_min_messages = warning");
    if (status == OK)
        status = rows_run(rows, records_settings);
    if (status == OK)
        status = rows_run(
            rows, "CREATE SCHEMA IF NOT EXISTS " ROWS_SCHEMA ";\n"
                  "REVOKE ALL ON SCHEMA " ROWS_SCHEMA " FROM PUBLIC;\n"
                  "CREATE TABLE IF NOT EXISTS " ROWS_SCHEMA ".open (subject text PRIMARY KEY, "
                  "since timestamptz NOT NULL DEFAULT pg_catalog.now());\n"
                  "CREATE TABLE IF NOT EXISTS " ROWS_SCHEMA ".archive_of (source text NOT NULL);\n"
                  "CREATE TABLE IF NOT EXISTS " ROWS_SCHEMA ".certificates (id text PRIMARY KEY, "
                  "body text NOT NULL, signature text NOT NULL, at timestamptz NOT NULL DEFAULT "
                  "pg_catalog.now())");
    return status;
}

enum status rows_keys(const struct rows *rows, const char *sql, const char ***keys, size_t *count)
{
    PGresult *result = NULL;
    *count = 0;
    *keys = NULL;
    enum status status = ask(rows, sql, PGRES_TUPLES_OK, &result);
    if (status != OK)
        return status;
    size_t most = (size_t)PQntuples(result);
    const char **list = arena_alloc(rows->arena, (most + 1) * sizeof(*list));
    for (size_t i = 0; list != NULL && i < most; i++)
        list[i] = arena_strdup(rows->arena, PQgetvalue(result, (int)i, 0));
    PQclear(result);
    if (list == NULL || arena_failed(rows->arena))
        return ERR_MEMORY;
    *keys = list;
    *count = most;
    return OK;
}

static const struct records_table *people_of(const struct rows *rows)
{
    return &rows->records->tables[rows->records->people];
}

enum status rows_lock(const struct rows *rows, enum policy_age age, const char *const *keys,
                      size_t count, const char ***locked, size_t *locked_count)
{
    const struct records_table *people = people_of(rows);
    const char *list = records_list(keys, count, rows->arena);
    const char *reckoned = policy_retention_reckoned(rows->policy->retention, NULL, rows->arena);
    if (list == NULL || reckoned == NULL)
        return ERR_MEMORY;
    const char *sql = arena_printf(
        rows->arena,
        "SELECT (%s)::pg_catalog.text FROM %s\nWHERE (%s) = ANY (%s) AND (SELECT w.age "
        "FROM %s AS w) = '%s'\nORDER BY 1 FOR UPDATE OF %s",
        people->subject, people->from, people->subject, list, reckoned, policy_age_word(age),
        people->alias);
    return rows_keys(rows, sql, locked, locked_count);
}

/* Rows of a table that holds persons' rows, but not theirs; of another table, all. */
static const char *others(const struct rows *rows, const struct records_link *link,
                          const char *list)
{
    if (link->child < 0)
        return "";
    const struct records_table *child = &rows->records->tables[link->child];
    /* The row itself, found again by its place, so that the subject is over its own name. */
    return arena_printf(
        rows->arena,
        " AND NOT EXISTS (SELECT FROM %s WHERE %s.ctid = \"pgvigil child\".ctid AND "
        "%s.tableoid = \"pgvigil child\".tableoid AND (%s) = ANY (%s))",
        child->from, child->alias, child->alias, child->subject, list);
}

static enum status rows_tied(const struct rows *rows, const char *list, const char ***tied,
                             size_t *tied_count, const char **told)
{
    const struct records *records = rows->records;
    *tied = NULL;
    *tied_count = 0;
    *told = NULL;
    for (size_t i = 0; i < records->link_count; i++) {
        const struct records_link *link = &records->links[i];
        const struct records_table *parent = &records->tables[link->parent];
        const char *but = others(rows, link, list);
        if (but == NULL)
            return ERR_MEMORY;
        const char *sql = arena_printf(
            rows->arena,
            "SELECT DISTINCT (%s)::pg_catalog.text FROM %s WHERE (%s) = ANY (%s)\n"
            "AND EXISTS (SELECT FROM %s AS \"pgvigil child\", (SELECT %s.*) AS \"pgvigil parent\" "
            "WHERE %s%s)",
            parent->subject, parent->from, parent->subject, list, link->name, parent->alias,
            link->matches, but);
        enum status status = rows_keys(rows, sql, tied, tied_count);
        if (status != OK)
            return status;
        if (*tied_count > 0) {
            *told =
                arena_printf(rows->arena, rows->french ? "%s se rapporte à %s" : "%s refers to %s",
                             link->told, parent->told);
            return *told == NULL ? ERR_MEMORY : OK;
        }
    }
    return OK;
}

size_t rows_without(const char **keys, size_t count, const char *const *out, size_t out_count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_out = false;
        for (size_t k = 0; k < out_count && !is_out; k++)
            is_out = strcmp(out[k], keys[i]) == 0;
        if (!is_out)
            keys[kept++] = keys[i];
    }
    return kept;
}

enum status rows_untie(const struct rows *rows, const char **keys, size_t *count, const char **list,
                       struct rows_ties *ties)
{
    for (;;) {
        const char **tied = NULL;
        size_t tied_count = 0;
        const char *told = NULL;
        *list = records_list(keys, *count, rows->arena);
        if (*list == NULL)
            return ERR_MEMORY;
        if (*count == 0)
            return OK;
        enum status status = rows_tied(rows, *list, &tied, &tied_count, &told);
        if (status != OK || tied_count == 0)
            return status;
        if (ties->left == 0)
            (void)snprintf(ties->told, sizeof(ties->told), "%s", told);
        size_t kept = rows_without(keys, *count, tied, tied_count);
        if (kept == *count) {
            buf_printf(rows->why,
                       rows->french ? "%s, et l’on ne peut dire de qui sont ces lignes"
                                    : "%s, and whose rows those are cannot be told",
                       told);
            return ERR_INVALID;
        }
        ties->left += *count - kept;
        *count = kept;
    }
}

/* `rows_sql` gives one text a row, named t. */
static enum status sum_of(const struct rows *rows, const char *rows_sql, struct rows_sum *sum)
{
    PGresult *result = NULL;
    const char *sql =
        rows_sql == NULL
            ? NULL
            : arena_printf(rows->arena,
                           "SELECT pg_catalog.count(*), pg_catalog.encode(pg_catalog.sha256("
                           "pg_catalog.string_agg(h, ''::pg_catalog.bytea ORDER BY h)), 'hex')\n"
                           "FROM (SELECT pg_catalog.sha256(pg_catalog.convert_to(t, 'UTF8')) AS h "
                           "FROM (%s) AS x (t)) AS y",
                           rows_sql);
    enum status status = ask(rows, sql, PGRES_TUPLES_OK, &result);
    if (status != OK)
        return status;
    sum->count = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    (void)snprintf(sum->sha256, sizeof(sum->sha256), "%s", PQgetvalue(result, 0, 1));
    PQclear(result);
    return OK;
}

/* Which rows are meant, as a condition over table->from. By ctid twice: the first finds the row,
 * the second tells partitions apart. */
static const char *meant(const struct rows *rows, const struct records_table *table,
                         const char *list)
{
    size_t n = (size_t)(table - rows->records->tables);
    if (!rows->picked)
        return arena_printf(rows->arena, "(%s) = ANY (%s)", table->subject, list);
    return arena_printf(rows->arena,
                        "%s.ctid = ANY (ARRAY(SELECT c FROM " ROWS_PICKED " WHERE n = %zu)) AND "
                        "(%s.tableoid, %s.ctid) IN (SELECT t, c FROM " ROWS_PICKED
                        " WHERE n = %zu)",
                        table->alias, n, table->alias, table->alias, n);
}

enum status rows_sum(const struct rows *rows, const struct records_table *table, const char *list,
                     struct rows_sum *sum)
{
    const char *which = meant(rows, table, list);
    return which == NULL ? ERR_MEMORY
                         : sum_of(rows,
                                  arena_printf(rows->arena, "SELECT %s FROM %s WHERE %s",
                                               table->row, table->from, which),
                                  sum);
}

/* A trigger that counts a row's children, or a key with ON DELETE SET NULL, writes the row anew
 * while they go, at another place. It is the same one as long as its key and whose it is are. */
static enum status find_again(const struct rows *rows, const struct records_table *table,
                              const char *list)
{
    if (!rows->picked || table->place == NULL)
        return OK;
    return rows_run(rows,
                    arena_printf(rows->arena,
                                 "UPDATE " ROWS_PICKED
                                 " AS \"pgvigil there\" SET t = %s.tableoid, c = %s.ctid FROM %s "
                                 "WHERE \"pgvigil there\".n = %zu AND (%s) = ANY (%s) AND "
                                 "\"pgvigil there\".k = %s AND (\"pgvigil there\".t, \"pgvigil "
                                 "there\".c) IS DISTINCT FROM (%s.tableoid, %s.ctid)",
                                 table->alias, table->alias, table->from,
                                 (size_t)(table - rows->records->tables), table->subject, list,
                                 table->place, table->alias, table->alias));
}

static enum status delete_table(const struct rows *rows, const struct records_table *table,
                                const char *list, uint64_t wanted)
{
    const char *which = meant(rows, table, list);
    uint64_t gone = 0;
    enum status status = which == NULL ? ERR_MEMORY : OK;
    if (status == OK && wanted > 0)
        status = find_again(rows, table, list);
    if (status == OK)
        status = rows_change(
            rows, arena_printf(rows->arena, "DELETE FROM %s WHERE %s", table->from, which), &gone);
    if (status != OK || gone == wanted)
        return status;
    /* A trigger or a cascade did something that nobody reckoned with. */
    buf_printf(
        rows->why,
        rows->french
            ? "%llu ligne(s) de %s devaient être supprimées, %llu l’ont été : rien n’est modifié ; "
              "examinez ses déclencheurs, les clés étrangères (ON DELETE CASCADE), et si elle a "
              "une clé primaire, par laquelle une ligne qu’un déclencheur modifie est retrouvée"
            : "%llu rows of %s were to go, and %llu went: nothing is changed; look at its "
              "triggers, at keys with ON DELETE CASCADE, and whether it has a primary key, by "
              "which a row is found again that a trigger changes",
        (unsigned long long)wanted, table->told, (unsigned long long)gone);
    return ERR_INVALID;
}

enum status rows_delete(const struct rows *rows, const char *list, const struct rows_sum *sums)
{
    enum status status = OK;
    for (size_t i = 0; status == OK && i < rows->records->count; i++)
        status = delete_table(rows, &rows->records->tables[i], list, sums[i].count);
    return status;
}

/* ---- from one database to another ---- */

static enum status pump(const struct rows *from, const struct rows *to)
{
    char *data = NULL;
    int len = 0;
    while ((len = PQgetCopyData(from->conn, &data, 0)) > 0) {
        int put = PQputCopyData(to->conn, data, len);
        PQfreemem(data);
        if (put != 1)
            return failed(to, NULL);
    }
    PGresult *result = PQgetResult(from->conn);
    bool fine = len == -1 && PQresultStatus(result) == PGRES_COMMAND_OK;
    enum status status = fine ? OK : failed(from, result);
    while (result != NULL) {
        PQclear(result);
        result = PQgetResult(from->conn);
    }
    return status;
}

static enum status end_copy(const struct rows *to, enum status status)
{
    (void)PQputCopyEnd(to->conn, status == OK ? NULL : "the other side failed");
    PGresult *result = PQgetResult(to->conn);
    if (status == OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        status = failed(to, result);
    while (result != NULL) {
        PQclear(result);
        result = PQgetResult(to->conn);
    }
    return status;
}

enum status rows_stage(const struct rows *from, const struct rows *to, size_t table,
                       size_t to_table, const char *list)
{
    const struct records_table *source = &from->records->tables[table];
    const struct records_table *target = &to->records->tables[to_table];
    PGresult *result = NULL;
    enum status status = rows_run(
        to, arena_printf(to->arena,
                         "DROP TABLE IF EXISTS pg_temp.\"pgvigil %zu\";\n"
                         "CREATE TEMPORARY TABLE \"pgvigil %zu\" AS SELECT %s FROM %s WITH NO DATA",
                         to_table, to_table, source->columns, target->name));
    if (status == OK)
        status = ask(to,
                     arena_printf(to->arena, "COPY pg_temp.\"pgvigil %zu\" (%s) FROM STDIN",
                                  to_table, source->columns),
                     PGRES_COPY_IN, &result);
    PQclear(result);
    if (status != OK)
        return status;
    status =
        ask(from,
            arena_printf(from->arena, "COPY (SELECT %s FROM %s WHERE (%s) = ANY (%s)) TO STDOUT",
                         source->columns, source->from, source->subject, list),
            PGRES_COPY_OUT, &result);
    PQclear(result);
    if (status == OK)
        status = pump(from, to);
    return end_copy(to, status);
}

/* A key that stands there with another person's row: it was used again since. */
static enum status check_keys(const struct rows *to, size_t table, const char *list)
{
    const struct records_table *target = &to->records->tables[table];
    const char **found = NULL;
    size_t count = 0;
    enum status status = rows_keys(
        to,
        arena_printf(to->arena,
                     "SELECT '' FROM %s WHERE (%s) IN (SELECT %s FROM pg_temp.\"pgvigil %zu\") AND "
                     "((%s) = ANY (%s)) IS NOT TRUE LIMIT 1",
                     target->from, target->key, target->key, table, target->subject, list),
        &found, &count);
    if (status != OK || count == 0)
        return status;
    buf_printf(
        to->why,
        to->french
            ? "%s : les archives ont sous cette clé, réutilisée ici, la ligne d’une autre personne "
              ": rien n’est déplacé ; une clé doit désigner la même ligne pour toujours"
            : "%s: the archive has another person's row under a key that is used again here: "
              "nothing is moved; its rows cannot share a key that is not for ever",
        target->told);
    return ERR_INVALID;
}

enum status rows_unstage(const struct rows *to, size_t table, const char *list)
{
    const struct records_table *target = &to->records->tables[table];
    enum status status = check_keys(to, table, list);
    if (status != OK)
        return status;
    /* A row that is the same is not touched: a trigger that notes when it was changed would make
     * it another one. */
    const char *then =
        target->updates[0] == '\0'
            ? "NOTHING"
            : arena_printf(to->arena, "UPDATE SET %s WHERE %s", target->updates, target->changed);
    return then == NULL
               ? ERR_MEMORY
               : rows_run(to, arena_printf(to->arena,
                                           "INSERT INTO %s AS %s (%s) OVERRIDING SYSTEM VALUE "
                                           "SELECT %s FROM pg_temp.\"pgvigil %zu\" ON CONFLICT "
                                           "(%s) DO %s",
                                           target->name, target->alias, target->columns,
                                           target->columns, table, target->key, then));
}

enum status rows_staged_sum(const struct rows *to, size_t table, struct rows_sum *sum)
{
    const struct records_table *target = &to->records->tables[table];
    return sum_of(to,
                  arena_printf(to->arena,
                               "SELECT %s FROM %s WHERE (%s) IN (SELECT %s FROM pg_temp.\"pgvigil "
                               "%zu\")",
                               target->row, target->from, target->key, target->key, table),
                  sum);
}

enum status rows_drop_stages(const struct rows *to)
{
    return rows_run(to, "DISCARD TEMPORARY");
}
