/*
 * rectification_effect.c: what a rectification would do beside what it was asked for
 * (rectification_effect.h).
 *
 * Two nets, since neither is enough. PostgreSQL itself says which columns the `subject` expressions
 * read, through views too: none of them may change, whoever's rows they decide about. What a
 * function reads it does not say; so her rows are compared by their keys, and what was hers must
 * still be, and what is hers now and was not, must be new.
 *
 * Trust boundary: as rectification.c. A trigger's own insertions are the application's.
 */
#include "tools/rectification_effect.h"

#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

#define READS "pgvigil reads "
#define HERS  "pg_temp.\"pgvigil hers\""

/* *result on CLI_FINE only. What PostgreSQL says comes without DETAIL, which prints rows. */
static int ask(struct subject *subject, const char *sql, const char *value, PGresult **result)
{
    *result =
        sql ? PQexecParams(subject->conn, sql, value ? 1 : 0, NULL, &value, NULL, NULL, 0) : NULL;
    ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return CLI_FINE;
    const char *primary = PQresultErrorField(*result, PG_DIAG_MESSAGE_PRIMARY);
    int code = cli_fail(subject->command, CLI_CANNOT,
                        subject->french
                            ? "on ne peut voir ce qui changerait d’autre : %s : rien n’est modifié"
                            : "what else would change cannot be seen: %s: nothing is changed",
                        !sql              ? subject->french ? "mémoire épuisée" : "out of memory"
                        : primary         ? primary
                        : subject->french ? "la connexion est perdue"
                                          : "the connection was lost");
    PQclear(*result);
    *result = NULL;
    return code;
}

static int run(struct subject *subject, const char *sql)
{
    PGresult *result = NULL;
    int code = ask(subject, sql, NULL, &result);
    PQclear(result);
    return code;
}

/* ---- what the subjects read ---- */

/* Of the views READS n, and of those that they read, the first that reads column $1 of the table or
 * of one that is a part of it. A table of which no column is named is read as a whole. */
static const char *reads_sql(struct subject *subject, const struct catalog_relation *relation)
{
    return arena_printf(
        subject->arena,
        "WITH RECURSIVE family(oid) AS (SELECT %u::pg_catalog.oid UNION SELECT CASE WHEN "
        "i.inhparent = f.oid THEN i.inhrelid ELSE i.inhparent END FROM family f JOIN "
        "pg_catalog.pg_inherits i ON f.oid IN (i.inhparent, i.inhrelid)),\n"
        "read(first, view, relation, attnum) AS (SELECT c.relname, c.oid, d.refobjid, "
        "d.refobjsubid "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid JOIN "
        "pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND "
        "d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
        "WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND "
        "pg_catalog.starts_with(c.relname::pg_catalog.text, '" READS "')\n"
        "UNION SELECT r.first, r.relation, d.refobjid, d.refobjsubid FROM read r JOIN "
        "pg_catalog.pg_rewrite w ON w.ev_class = r.relation JOIN pg_catalog.pg_depend d ON "
        "d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid AND "
        "d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)\n"
        "SELECT pg_catalog.substr(r.first::pg_catalog.text, %zu) FROM read r JOIN family f ON "
        "f.oid = r.relation LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.relation AND "
        "a.attnum = r.attnum AND r.attnum <> 0\n"
        "WHERE r.attnum = 0 OR a.attname = $1::pg_catalog.name LIMIT 1",
        relation->oid, sizeof READS);
}

static int check_reads(struct subject *subject, const struct rectification_change *one)
{
    PGresult *result = NULL;
    int code = ask(subject, reads_sql(subject, one->found->relation), one->column, &result);
    if (code == CLI_FINE && PQntuples(result) == 1) {
        size_t n = strtoul(PQgetvalue(result, 0, 0), NULL, 10);
        code = cli_fail(subject->command, CLI_USAGE,
                        subject->french
                            ? "%s.%s dit de qui sont les lignes de %s (le « subject » de la "
                              "politique la lit) : une ligne serait celle d’une autre personne ; "
                              "c’est à l’application de la changer"
                            : "%s.%s says whose the rows of %s are (the policy's \"subject\" reads "
                              "it): a row would be another person's; the application changes it",
                        one->table, one->column,
                        n < subject->records.count ? subject->records.tables[n].told : "a table");
    }
    PQclear(result);
    return code;
}

/* Views of the subjects, that are gone again with the savepoint. */
static int check_all_reads(struct subject *subject, const struct rectification *all)
{
    int code = run(subject, "SAVEPOINT reads");
    for (size_t i = 0; code == CLI_FINE && i < subject->records.count; i++) {
        const struct records_table *table = &subject->records.tables[i];
        code = run(subject, arena_printf(subject->arena,
                                         "CREATE TEMPORARY VIEW \"" READS "%zu\" AS SELECT (%s) AS "
                                         "\"subject\" FROM %s",
                                         i, table->subject, table->from));
    }
    for (size_t i = 0; code == CLI_FINE && i < all->count; i++)
        code = check_reads(subject, &all->changes[i]);
    return code == CLI_FINE ? run(subject, "ROLLBACK TO SAVEPOINT reads") : code;
}

/* ---- which rows are hers ---- */

/* What a row is known by: its key, or, where there is none, all of it. */
static const char *name_of(struct subject *subject, const struct records_table *table)
{
    return table->key
               ? arena_printf(subject->arena, "ROW(%s)::pg_catalog.text COLLATE pg_catalog.\"C\"",
                              table->key)
               : arena_printf(subject->arena, "(%s) COLLATE pg_catalog.\"C\"", table->row);
}

static int note_rows(struct subject *subject, const char *list)
{
    int code = run(subject, "CREATE TEMPORARY TABLE \"pgvigil hers\" (n pg_catalog.int8, name "
                            "pg_catalog.text COLLATE pg_catalog.\"C\") ON COMMIT DROP");
    for (size_t i = 0; code == CLI_FINE && i < subject->records.count; i++) {
        const struct records_table *table = &subject->records.tables[i];
        const char *name = name_of(subject, table);
        code = run(subject, name ? arena_printf(subject->arena,
                                                "INSERT INTO " HERS " SELECT %zu, %s FROM %s WHERE "
                                                "(%s) = ANY (%s)",
                                                i, name, table->from, table->subject, list)
                                 : NULL);
    }
    return code;
}

/* A row that is hers now and was not is new when this transaction wrote it: what it had not
 * written was there before, and somebody else's. */
static int compare_rows(struct subject *subject, size_t n, const char *list)
{
    const struct records_table *table = &subject->records.tables[n];
    const char *name = name_of(subject, table);
    PGresult *result = NULL;
    const char *sql =
        name ? arena_printf(
                   subject->arena,
                   "SELECT EXISTS (SELECT h.name FROM " HERS " h WHERE h.n = %zu EXCEPT SELECT %s "
                   "FROM %s WHERE (%s) = ANY (%s)) OR EXISTS (SELECT FROM %s WHERE (%s) = ANY (%s) "
                   "AND pg_catalog.age(%s.xmin) > 0 AND %s NOT IN (SELECT h.name FROM " HERS
                   " h WHERE h.n = %zu))",
                   n, name, table->from, table->subject, list, table->from, table->subject, list,
                   table->alias, name, n)
             : NULL;
    int code = ask(subject, sql, NULL, &result);
    if (code == CLI_FINE && PQgetvalue(result, 0, 0)[0] != 'f')
        code = cli_fail(
            subject->command, CLI_USAGE,
            subject->french
                ? "des lignes de %s disparaîtraient, ou changeraient de personne : rien n’est "
                  "modifié ; c’est à l’application de changer ce qui dit de qui elles sont"
                : "rows of %s would go, or change hands: nothing is changed; the application "
                  "changes what decides whose they are",
            table->told);
    PQclear(result);
    return code;
}

/* ---- until when they are kept ---- */

static int read_term(struct subject *subject, const char *list, const char **term)
{
    const struct records *records = &subject->records;
    PGresult *result = NULL;
    *term = NULL;
    if (!subject->policy->retention || records->people >= records->count)
        return CLI_FINE;
    const struct records_table *people = &records->tables[records->people];
    const char *reckoned =
        policy_retention_reckoned(subject->policy->retention, NULL, subject->arena);
    const char *sql =
        reckoned
            ? arena_printf(subject->arena,
                           "SELECT pg_catalog.concat(pg_catalog.string_agg(ROW(w.age, "
                           "w.active_until, w.until, w.held)::pg_catalog.text, ' ' ORDER BY "
                           "ROW(w.age, w.active_until, w.until, w.held)::pg_catalog.text))\nFROM "
                           "%s, LATERAL %s AS w WHERE (%s) = ANY (%s)",
                           people->from, reckoned, people->subject, list)
            : NULL;
    int code = ask(subject, sql, NULL, &result);
    if (code == CLI_FINE && !(*term = arena_strdup(subject->arena, PQgetvalue(result, 0, 0))))
        code = cli_fail(subject->command, CLI_CANNOT,
                        subject->french ? "mémoire épuisée" : "out of memory");
    PQclear(result);
    return code;
}

/* ---- the whole ---- */

int rectification_effect_before(struct subject *subject, const struct rectification *all,
                                const char *list, struct rectification_effect *effect)
{
    *effect = (struct rectification_effect){.list = list};
    int code = check_all_reads(subject, all);
    if (code == CLI_FINE)
        code = note_rows(subject, list);
    return code == CLI_FINE ? read_term(subject, list, &effect->term) : code;
}

int rectification_effect_after(struct subject *subject, const struct rectification_effect *effect)
{
    const char *term = NULL;
    int code = CLI_FINE;
    for (size_t i = 0; code == CLI_FINE && i < subject->records.count; i++)
        code = compare_rows(subject, i, effect->list);
    if (code == CLI_FINE)
        code = read_term(subject, effect->list, &term);
    if (code == CLI_FINE && effect->term && strcmp(effect->term, term) != 0)
        code = cli_fail(
            subject->command, CLI_USAGE,
            subject->french
                ? "la date jusqu’à laquelle le dossier est gardé, ou son gel, changerait : rien "
                  "n’est modifié ; personne ne fait cela seul : c’est à l’application de le faire"
                : "until when the record is kept, or whether it is held, would change: nothing is "
                  "changed; no one person does that alone: the application does");
    return code;
}
