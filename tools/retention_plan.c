/*
 * retention_plan.c: `pgvigil retention plan`: whose records stand where, and what is due.
 *
 * Reads only. What it prints names persons by their subject alone; it is for those who keep the
 * records.
 */
#include "tools/audit_cells.h"
#include "tools/retention.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum plan_column { PLAN_SUBJECT, PLAN_AGE, PLAN_LAST, PLAN_ACTIVE, PLAN_UNTIL, PLAN_HELD };

static const char *const keys[] = {"subject", "age", "last", "active_until", "until", "held"};
#define PLAN_COLUMNS 6

struct totals {
    size_t active, archived, expired, held, unknown;
};

static const char *plan_sql(struct retention *retention, const struct retention_side *side)
{
    const struct records_table *people = &side->records.tables[side->records.people];
    const char *reckoned =
        policy_retention_reckoned(retention->policy->retention, retention->on, retention->arena);
    if (reckoned == NULL)
        return NULL;
    return arena_printf(retention->arena,
                        "SELECT (%s)::pg_catalog.text, w.age, w.last, w.active_until, w.until, "
                        "w.held\nFROM %s, LATERAL %s AS w WHERE (%s) IS NOT NULL ORDER BY "
                        "w.until, (%s)",
                        people->subject, people->from, reckoned, people->subject, people->subject);
}

static void count_row(struct totals *totals, const PGresult *result, int row)
{
    const char *age = PQgetvalue(result, row, PLAN_AGE);
    totals->active += strcmp(age, "active") == 0 ? 1 : 0;
    totals->archived += strcmp(age, "archived") == 0 ? 1 : 0;
    totals->expired += strcmp(age, "expired") == 0 ? 1 : 0;
    totals->held += PQgetvalue(result, row, PLAN_HELD)[0] == 't' ? 1 : 0;
    totals->unknown += PQgetisnull(result, row, PLAN_LAST) ? 1 : 0;
}

static json_t *row_json(const PGresult *result, int row)
{
    json_t *object = json_object();
    for (int i = 0; i < PLAN_COLUMNS; i++) {
        json_t *value = i == PLAN_HELD ? json_boolean(PQgetvalue(result, row, i)[0] == 't')
                        : PQgetisnull(result, row, i) ? json_null()
                                                      : json_string(PQgetvalue(result, row, i));
        (void)json_object_set_new(object, keys[i], value);
    }
    return object;
}

/* Does this side have something to do for the row? Active records are nobody's business here. */
static bool is_due(const struct retention_side *side, const struct retention *retention,
                   const char *age)
{
    return strcmp(age, "expired") == 0 ||
           (strcmp(age, "archived") == 0 && side == &retention->live);
}

static void print_csv(const struct retention *retention, const struct retention_side *side,
                      const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        if (!is_due(side, retention, PQgetvalue(result, row, PLAN_AGE)))
            continue;
        cells_csv(side == &retention->live ? "database" : "archive", true, stdout);
        for (int i = 0; i < PLAN_COLUMNS; i++)
            cells_csv(PQgetvalue(result, row, i), false, stdout);
        cells_csv_end(stdout);
    }
}

static void print_text(const struct retention *retention, const struct retention_side *side,
                       const PGresult *result, const struct totals *totals, bool french)
{
    printf(french ? "%s : %d dossiers\n" : "%s: %d records\n",
           side == &retention->live ? (french ? "Base" : "Database") : "Archive",
           PQntuples(result));
    printf(french ? "  actifs %zu, à archiver %zu, à détruire %zu, dont gelés %zu, sans date de "
                    "dernière consultation %zu\n"
                  : "  active %zu, archived %zu, expired %zu, held among them %zu, without a last "
                    "consultation %zu\n",
           totals->active, totals->archived, totals->expired, totals->held, totals->unknown);
    size_t shown = 0;
    for (int row = 0; row < PQntuples(result); row++) {
        const char *age = PQgetvalue(result, row, PLAN_AGE);
        if (!is_due(side, retention, age))
            continue;
        if (shown++ == 0)
            printf("  %-20s %-12s %-12s %s\n", french ? "dossier" : "subject",
                   french ? "vu le" : "last seen", french ? "gardé jusqu'au" : "kept until",
                   french ? "à faire" : "what is due");
        const char *what = strcmp(age, "expired") == 0 ? (french ? "détruire" : "destroy")
                                                       : (french ? "archiver" : "archive");
        printf("  %-20s %-12s %-12s %s\n", PQgetvalue(result, row, PLAN_SUBJECT),
               PQgetvalue(result, row, PLAN_LAST), PQgetvalue(result, row, PLAN_UNTIL), what);
    }
}

static int plan_side(struct retention *retention, struct retention_side *side, json_t *all,
                     bool french, size_t *due)
{
    const char *sql = plan_sql(retention, side);
    PGresult *result = sql == NULL ? NULL : PQexec(side->conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char *why = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        int code = cli_fail(retention->command, CLI_CANNOT,
                            french ? "%s : %s ; last, birth et death de « retention » (%s:%u) sont "
                                     "de type date, hold est booléen"
                                   : "%s: %s; last, birth and death of \"retention\" (%s:%u) are "
                                     "of type date, hold is boolean",
                            retention_side_told(retention, side), why ? why : "out of memory",
                            retention->policy->retention->place.file,
                            retention->policy->retention->place.line);
        PQclear(result);
        return code;
    }
    struct totals totals = {0};
    json_t *list = json_array();
    for (int row = 0; row < PQntuples(result); row++) {
        count_row(&totals, result, row);
        if (is_due(side, retention, PQgetvalue(result, row, PLAN_AGE))) {
            (*due)++;
            (void)json_array_append_new(list, row_json(result, row));
        }
    }
    if (all)
        (void)json_object_set_new(
            all, side == &retention->live ? "database" : "archive",
            json_pack("{s:i, s:i, s:i, s:i, s:i, s:o}", "active", (int)totals.active, "archived",
                      (int)totals.archived, "expired", (int)totals.expired, "held",
                      (int)totals.held, "without_last", (int)totals.unknown, "due", list));
    else
        json_decref(list);
    if (!all && retention->format && strcmp(retention->format, "csv") == 0)
        print_csv(retention, side, result);
    else if (!all)
        print_text(retention, side, result, &totals, french);
    PQclear(result);
    return CLI_FINE;
}

int retention_plan(struct retention *retention)
{
    bool french = retention->french;
    const char *format = retention->format ? retention->format : "text";
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "text") != 0 && strcmp(format, "csv") != 0)
        return cli_fail(retention->command, CLI_USAGE,
                        french ? "--format est text, json ou csv, pas « %s »"
                               : "--format is text, json or csv, not '%s'",
                        format);
    json_t *all = json ? json_object() : NULL;
    size_t due = 0;
    if (strcmp(format, "csv") == 0)
        puts("where,subject,age,last,active_until,until,held");
    int code = plan_side(retention, &retention->live, all, french, &due);
    if (code == CLI_FINE && retention->archive.conn)
        code = plan_side(retention, &retention->archive, all, french, &due);
    if (code == CLI_FINE && all && json_dumpf(all, stdout, JSON_INDENT(1)) == 0)
        (void)putchar('\n');
    json_decref(all);
    if (code == CLI_FINE && fflush(stdout) != 0)
        code = cli_fail(retention->command, CLI_CANNOT, "cannot write");
    return code == CLI_FINE && due > 0 ? CLI_FINDINGS : code;
}
