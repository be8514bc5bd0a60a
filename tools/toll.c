/*
 * toll.c: what a transaction has really taken from every table (toll.h).
 *
 * The numbers are PostgreSQL's own (pg_stat_get_xact_tuples_deleted): of this backend, whoever of
 * it deletes, a cascade, a trigger, a rule. From version 13 to 17 they are sent away between
 * transactions only, so that some of the transaction before may still be among them: what stood
 * there at the beginning is taken off. They are too high, and never too low, where a part of the
 * transaction was rolled back. Three things they do not tell, and each is looked for: TRUNCATE sets
 * them back, but gives the table another file; a table that is dropped is not there; and where
 * nothing is counted (track_counts, a storage of another make) the rows that were to go are missing
 * from the count as well, which is an error too.
 *
 * Keys with SET NULL and SET DEFAULT take no row; those that they tear loose were written by this
 * transaction and have an empty key.
 *
 * Trust boundary: as rows.c. What another connection does (dblink) is not of this transaction.
 */
#include "tools/toll.h"

#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLL "pg_temp.\"pgvigil toll\""

/* Of tables with rows of their own: t, told, name, f (its file), d and u (deleted, updated). */
#define COUNTED                                                                                    \
    "SELECT c.oid AS t, n.nspname || '.' || c.relname AS told, pg_catalog.quote_ident(n.nspname) " \
    "|| '.' || pg_catalog.quote_ident(c.relname) AS name, c.relfilenode AS f, "                    \
    "pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) AS d, "                                     \
    "pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) AS u\n"                                     \
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"        \
    "WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND "         \
    "n.oid <> pg_catalog.pg_my_temp_schema() AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)"

/* The difference. What is of this transaction alone has nothing to be taken off. */
#define WITH_TAKEN                                                                                 \
    "taken AS (SELECT COALESCE(a.t, b.t) AS t, COALESCE(a.told, b.told) AS told, a.name, "         \
    "a.t IS NULL OR a.f <> b.f AS lost, a.d - COALESCE(b.d, 0) AS d, a.u - COALESCE(b.u, 0) AS u " \
    "FROM (" COUNTED ") AS a FULL JOIN " TOLL " AS b ON b.t = a.t)"

static enum status start_counting(const struct rows *rows)
{
    const char **now = NULL;
    size_t count = 0;
    enum status status =
        rows_keys(rows, "SELECT pg_catalog.current_setting('track_counts')", &now, &count);
    if (status != OK || (count == 1 && strcmp(now[0], "on") == 0))
        return status;
    if (rows_run(rows, "SET LOCAL track_counts = on") == OK)
        return OK;
    buf_clear(rows->why);
    buf_printf(rows->why,
               rows->french
                   ? "la base %s ne compte pas les lignes supprimées (track_counts = off) : ce "
                     "qu’une suppression en cascade emporte ne se verrait pas ; rien n’est "
                     "modifié ; un superutilisateur peut l’activer (ALTER ROLE ... SET "
                     "track_counts = on)"
                   : "database %s does not count the rows that go (track_counts = off): what a "
                     "cascade takes along would not be seen; nothing is changed; a superuser can "
                     "switch it on (ALTER ROLE ... SET track_counts = on)",
               PQdb(rows->conn));
    return ERR_INVALID;
}

enum status toll_begin(const struct rows *rows)
{
    enum status status = start_counting(rows);
    return status == OK ? rows_run(rows, "CREATE TEMPORARY TABLE \"pgvigil toll\" ON COMMIT DROP "
                                         "AS " COUNTED)
                        : status;
}

/* ---- rows that are gone ---- */

/* "(16384, 12), ...": how many were to go of each of the tables; NULL: no memory. */
static const char *meant(const struct rows *rows, const struct rows_sum *sums)
{
    const char *all = "(0::pg_catalog.oid, 0::pg_catalog.int8)";
    for (size_t i = 0; all != NULL && i < rows->records->count; i++)
        all = arena_printf(rows->arena, "%s, (%u, %llu)", all,
                           (unsigned)rows->records->tables[i].relation->oid,
                           (unsigned long long)sums[i].count);
    return all;
}

/* Counts of partitions are their parent's. One line at most: how many were to go, how many went
 * (-1: nobody knows, the table was emptied or dropped), which table. */
static const char *difference_sql(const struct rows *rows, const struct rows_sum *sums)
{
    const char *list = meant(rows, sums);
    if (list == NULL)
        return NULL;
    return arena_printf(
        rows->arena,
        "WITH meant(root, n) AS (VALUES %s),\n"
        "leaf AS (SELECT root, n, root AS t FROM meant UNION SELECT m.root, m.n, "
        "p.relid::pg_catalog.oid FROM meant m, LATERAL "
        "pg_catalog.pg_partition_tree(m.root::pg_catalog.regclass) AS p WHERE m.root <> "
        "0),\n" WITH_TAKEN "\n"
        "SELECT '0 -1 ' || told FROM taken WHERE lost UNION ALL\n"
        "SELECT '0 ' || k.d || ' ' || k.told FROM taken k WHERE k.d <> 0 AND NOT EXISTS (SELECT "
        "FROM leaf l WHERE l.t = k.t) UNION ALL\n"
        "SELECT l.n || ' ' || pg_catalog.sum(k.d) || ' ' || l.root::pg_catalog.regclass FROM leaf "
        "l JOIN taken k ON k.t = l.t GROUP BY l.root, l.n HAVING pg_catalog.sum(k.d) <> l.n\n"
        "LIMIT 1",
        list);
}

static void tell_gone(const struct rows *rows, const char *table, long long meant_rows,
                      long long gone)
{
    bool french = rows->french;
    if (gone < 0)
        buf_printf(rows->why,
                   french ? "la table %s serait vidée (TRUNCATE), réécrite ou supprimée en même "
                            "temps, ce que personne n’a décidé : rien n’est modifié ; examinez les "
                            "déclencheurs"
                          : "table %s would be emptied (TRUNCATE), written anew or dropped, which "
                            "nobody has decided: nothing is changed; look at triggers",
                   table);
    else if (meant_rows == 0)
        buf_printf(rows->why,
                   french ? "%lld ligne(s) de %s seraient supprimées aussi, ce que personne n’a "
                            "décidé : rien n’est modifié ; examinez les clés étrangères (ON DELETE "
                            "CASCADE), les déclencheurs et les règles qui y suppriment des lignes"
                          : "%lld rows of %s would go as well, which nobody has decided: nothing "
                            "is changed; look at keys with ON DELETE CASCADE, triggers and rules "
                            "that delete from it",
                   gone, table);
    else
        buf_printf(rows->why,
                   french ? "%lld ligne(s) de %s devaient être supprimées, PostgreSQL en a compté "
                            "%lld : rien n’est modifié ; examinez ses déclencheurs, les clés "
                            "étrangères (ON DELETE CASCADE) et, s’il en manque, track_counts et "
                            "le stockage de la table"
                          : "%lld rows of %s were to go, and PostgreSQL counted %lld: nothing is "
                            "changed; look at its triggers, at keys with ON DELETE CASCADE and, "
                            "where some are missing, at track_counts and how the table is stored",
                   meant_rows, table, gone);
}

static enum status check_gone(const struct rows *rows, const struct rows_sum *sums)
{
    const char **found = NULL;
    size_t count = 0;
    enum status status = rows_keys(rows, difference_sql(rows, sums), &found, &count);
    if (status != OK || count == 0)
        return status;
    char *end = NULL;
    long long meant_rows = strtoll(found[0], &end, 10);
    long long gone = strtoll(end, &end, 10);
    tell_gone(rows, *end == ' ' ? end + 1 : end, meant_rows, gone);
    return ERR_INVALID;
}

/* ---- rows that are torn loose ---- */

/* SQL, one text each, that tells whether a row was: of the tables in which rows were updated that
 * have such a key to one that lost rows. Which rows a trigger has written for reasons of its own
 * nobody can say: those whose key is empty now are taken for torn loose. */
static const char loose_sql[] =
    "WITH " WITH_TAKEN "\n"
    "SELECT DISTINCT 'SELECT ' || pg_catalog.quote_literal(c.told) || ' FROM ONLY ' || c.name || "
    "' AS t WHERE pg_catalog.age(t.xmin) <= 0' || CASE WHEN k.confdeltype = 'd' THEN '' ELSE ' AND "
    "(' || (SELECT pg_catalog.string_agg('t.' || pg_catalog.quote_ident(a.attname) || ' IS NULL', "
    "' OR ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = k.conrelid AND "
    "a.attnum = ANY (k.conkey)) || ')' END || ' LIMIT 1'\n"
    "FROM pg_catalog.pg_constraint k JOIN taken c ON c.t = k.conrelid\n"
    "WHERE k.contype = 'f' AND k.confdeltype IN ('n', 'd') AND c.u > 0 AND EXISTS (SELECT FROM "
    "taken p WHERE p.d > 0 AND (p.t = k.confrelid OR p.t IN (SELECT r.relid::pg_catalog.oid FROM "
    "pg_catalog.pg_partition_tree(k.confrelid::pg_catalog.regclass) AS r)))";

static enum status check_loose(const struct rows *rows)
{
    const char **asked = NULL;
    size_t count = 0;
    enum status status = rows_keys(rows, loose_sql, &asked, &count);
    for (size_t i = 0; status == OK && i < count; i++) {
        const char **found = NULL;
        size_t found_count = 0;
        status = rows_keys(rows, asked[i], &found, &found_count);
        if (status != OK || found_count == 0)
            continue;
        buf_printf(rows->why,
                   rows->french
                       ? "des lignes de %s resteraient sans ce à quoi elles se rapportent (clé "
                         "étrangère ON DELETE SET NULL ou SET DEFAULT, ou déclencheur), ce que "
                         "personne n’a décidé : rien n’est modifié"
                       : "rows of %s would lose what they refer to (a key with ON DELETE SET NULL "
                         "or SET DEFAULT, or a trigger), which nobody has decided: nothing is "
                         "changed",
                   found[0]);
        status = ERR_INVALID;
    }
    return status;
}

enum status toll_check(const struct rows *rows, const struct rows_sum *sums)
{
    enum status status = check_gone(rows, sums);
    return status == OK ? check_loose(rows) : status;
}
