/*
 * subject_requests.c: `pgvigil subject request | requests | extend | settle`: what patients have
 * asked for, and by when they must have an answer.
 *
 * The clock: one month from receipt (RGPD, article 12.3), to the day of the same number, or the
 * last of a shorter month (règlement 1182/71, article 3); two months more where that is told, with
 * its reason, within the first.
 *
 * Trust boundary: as rights_register.c; the trail tells of every step.
 */
#include "tools/audit_cells.h"
#include "tools/operator.h"
#include "tools/subject.h"

#include <stdio.h>
#include <string.h>

#define REQUESTS POLICY_REGISTER_SCHEMA ".requests"
#define TODAY    "(pg_catalog.timezone('Europe/Paris', pg_catalog.now()))::pg_catalog.date"

static const char *const kinds[] = {"access",      "rectification", "erasure",
                                    "restriction", "portability",   "objection"};

static bool is_kind(const char *word)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i], word) == 0)
            return true;
    return false;
}

/* *result on CLI_FINE only. */
static int ask(struct subject *subject, const char *sql, int count, const char *const *values,
               PGresult **result)
{
    *result = PQexecParams(subject->conn, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return CLI_FINE;
    const char *state = PQresultErrorField(*result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(*result, PG_DIAG_MESSAGE_PRIMARY);
    int code =
        cli_fail(subject->command, CLI_CANNOT, "%s",
                 state && strcmp(state, "42P01") == 0
                     ? subject->french ? "la base n’a pas de registre : un droit avec register = "
                                         "true et pgvigil deploy le créent"
                                       : "the database has no register: a right with register = "
                                         "true, and pgvigil deploy, make it"
                 : state && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
                     ? subject->french
                           ? "quelqu’un d’autre y travaillait au même moment : relancez la commande"
                           : "somebody else was at it at the same moment: run it again"
                 : state && strncmp(state, "22", 2) == 0
                     ? subject->french ? "une valeur n’est pas de celles qui conviennent"
                                       : "a value is none that it could be"
                 : message         ? message
                 : subject->french ? "la connexion est perdue"
                                   : "the connection was lost");
    PQclear(*result);
    *result = NULL;
    return code;
}

static int step(struct subject *subject, const char *sql)
{
    PGresult *result = NULL;
    int code = ask(subject, sql, 0, NULL, &result);
    PQclear(result);
    return code;
}

/* YYYY-MM-DD, and nothing else that PostgreSQL takes for a day. */
static bool is_day(const char *text)
{
    return strlen(text) == 10 && strspn(text, "0123456789-") == 10 && text[4] == '-' &&
           text[7] == '-';
}

/* Changes one row in a transaction that holds its record too: one of its own, or the caller's, who
 * commits. The SQL returns id, subject, due. `told`: to the standard output as well. */
static int change(struct subject *subject, const char *event, const char *what, const char *sql,
                  int count, const char *const *values, const char *none, bool told)
{
    PGresult *result = NULL;
    bool own = PQtransactionStatus(subject->conn) == PQTRANS_IDLE;
    int code = own ? step(subject, "BEGIN") : CLI_FINE;
    if (code == CLI_FINE)
        code = ask(subject, sql, count, values, &result);
    if (code != CLI_FINE)
        return code;
    if (PQntuples(result) != 1) {
        PQclear(result);
        return cli_fail(subject->command, CLI_FINDINGS, "%s", none);
    }
    const char *detail = arena_printf(subject->arena, "request %s %s, due %s",
                                      PQgetvalue(result, 0, 0), what, PQgetvalue(result, 0, 2));
    code = detail ? subject_record(subject, event, PQgetvalue(result, 0, 1), detail)
                  : cli_fail(subject->command, CLI_CANNOT, "out of memory");
    if (code == CLI_FINE && own)
        code = step(subject, "COMMIT");
    if (code == CLI_FINE && own && told)
        printf("%s\n", detail);
    PQclear(result);
    return code;
}

int subject_request(struct subject *subject)
{
    struct operator by;
    operator_find(&by);
    if (!subject->patient || !subject->kind || !is_kind(subject->kind))
        return cli_fail(subject->command, CLI_USAGE,
                        "--patient and --kind are needed: access, rectification, erasure, "
                        "restriction, portability or objection");
    if (subject->received && !is_day(subject->received))
        return cli_fail(subject->command, CLI_USAGE, "--received is a day, YYYY-MM-DD");
    int code = subject_open(subject, true);
    if (code == CLI_FINE)
        code = subject_find(subject);
    if (code != CLI_FINE)
        return code;
    const char *values[] = {subject->patient, subject->kind, subject->received, by.person};
    return change(subject, "request-received", subject->kind,
                  "INSERT INTO " REQUESTS " (subject, kind, received, due, opened_by)\n"
                  "SELECT $1, $2, r.day, (r.day + interval '1 month')::date, $4\n"
                  "FROM (SELECT COALESCE($3::date, " TODAY ") AS day) r WHERE r.day <= " TODAY
                  " RETURNING id, subject, due",
                  4, values, "--received lies in the future", true);
}

int subject_extend(struct subject *subject)
{
    if (!subject->id || !subject->reason)
        return cli_fail(subject->command, CLI_USAGE,
                        "--id and --reason are needed: the patient is told both");
    int code = subject_open(subject, false);
    const char *values[] = {subject->id, subject->reason};
    if (code != CLI_FINE)
        return code;
    return change(
        subject, "request-extended", "extended",
        "UPDATE " REQUESTS " SET due = (received + interval '3 months')::date, extended = $2\n"
        "WHERE id = $1::bigint AND closed IS NULL AND extended IS NULL AND due >= " TODAY
        " RETURNING id, subject, due",
        2, values, "there is no such open request, or it was extended before, or its month is over",
        true);
}

static const char settle_sql[] =
    "UPDATE " REQUESTS " SET closed = " TODAY ", outcome = $2, closed_by = $3\n"
    "WHERE id = $1::bigint AND closed IS NULL RETURNING id, subject, "
    "due";

int subject_settle(struct subject *subject)
{
    struct operator by;
    operator_find(&by);
    if (!subject->id || !subject->outcome)
        return cli_fail(subject->command, CLI_USAGE, "--id and --outcome are needed");
    int code = subject_open(subject, false);
    const char *values[] = {subject->id, subject->outcome, by.person};
    if (code != CLI_FINE)
        return code;
    return change(subject, "request-settled", "settled", settle_sql, 3, values,
                  "there is no such open request", true);
}

int subject_check_request(struct subject *subject, const char *kind, bool *open)
{
    PGresult *result = NULL;
    const char *values[] = {subject->request};
    int code = ask(
        subject, "SELECT subject, kind, closed IS NULL, id FROM " REQUESTS " WHERE id = $1::bigint",
        1, values, &result);
    if (code != CLI_FINE)
        return code;
    if (PQntuples(result) != 1)
        code = cli_fail(subject->command, CLI_USAGE,
                        subject->french ? "il n’y a pas de demande %s" : "there is no request %s",
                        subject->request);
    else if (strcmp(PQgetvalue(result, 0, 0), subject->patient) != 0 ||
             strcmp(PQgetvalue(result, 0, 1), kind) != 0)
        code = cli_fail(subject->command, CLI_USAGE,
                        subject->french
                            ? "la demande %s est de type %s, pour le patient %s : ce n’est pas ce "
                              "que l’on fait ici"
                            : "request %s is one of %s, for patient %s: not what is done here",
                        subject->request, PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 0));
    /* As the register writes it: certificates are searched for it. */
    else if ((subject->request = arena_strdup(subject->arena, PQgetvalue(result, 0, 3))) == NULL)
        code = cli_fail(subject->command, CLI_CANNOT, "out of memory");
    else
        *open = PQgetvalue(result, 0, 2)[0] == 't';
    PQclear(result);
    return code;
}

int subject_settle_request(struct subject *subject, const char *outcome)
{
    struct operator by;
    operator_find(&by);
    const char *values[] = {subject->request, outcome, by.person};
    return change(subject, "request-settled", "settled", settle_sql, 3, values,
                  subject->french ? "la demande est déjà close" : "the request is settled already",
                  false);
}

int subject_note_request(struct subject *subject, const char *outcome)
{
    const char *values[] = {subject->request, outcome};
    return change(subject, "request-noted", "noted",
                  "UPDATE " REQUESTS " SET outcome = $2 WHERE id = $1::bigint AND closed IS NULL "
                  "RETURNING id, subject, due",
                  2, values,
                  subject->french ? "la demande est déjà close" : "the request is settled already",
                  false);
}

enum list_column {
    LIST_ID,
    LIST_SUBJECT,
    LIST_KIND,
    LIST_RECEIVED,
    LIST_DUE,
    LIST_LEFT,
    LIST_CLOSED,
    LIST_OUTCOME
};

static void print_request(const PGresult *result, int row, bool french)
{
    const char *closed = PQgetvalue(result, row, LIST_CLOSED);
    int left = (int)strtol(PQgetvalue(result, row, LIST_LEFT), NULL, 10);
    char state[64] = "";
    if (*closed)
        (void)snprintf(state, sizeof state, french ? "close le %s" : "settled %s", closed);
    else if (left < 0)
        (void)snprintf(state, sizeof state, french ? "EN RETARD de %d j" : "LATE by %d days",
                       -left);
    else
        (void)snprintf(state, sizeof state, french ? "reste %d j" : "%d days left", left);
    printf("%-6s %-16s %-14s %-11s %-11s %s\n", PQgetvalue(result, row, LIST_ID),
           PQgetvalue(result, row, LIST_SUBJECT), PQgetvalue(result, row, LIST_KIND),
           PQgetvalue(result, row, LIST_RECEIVED), PQgetvalue(result, row, LIST_DUE), state);
    if (!PQgetisnull(result, row, LIST_OUTCOME)) {
        (void)fputs("       ", stdout);
        cells_text(PQgetvalue(result, row, LIST_OUTCOME), stdout);
        (void)putchar('\n');
    }
}

int subject_requests(struct subject *subject)
{
    bool french = false;
    PGresult *result = NULL;
    int code = cli_read_lang(subject->command, subject->doc_options.lang, &french);
    if (code != CLI_CONTINUE)
        return code;
    code = subject_open(subject, false);
    if (code == CLI_FINE)
        code = subject_record(subject, "requests-listed", subject->patient, NULL);
    const char *values[] = {subject->all ? "t" : "f", subject->patient};
    if (code == CLI_FINE)
        code = ask(subject,
                   "SELECT id, subject, kind, received, due, due - " TODAY
                   ", closed, outcome FROM " REQUESTS
                   "\nWHERE (closed IS NULL OR $1::boolean) AND ($2::text IS NULL OR subject = $2) "
                   "ORDER BY closed IS NOT NULL, due, id",
                   2, values, &result);
    if (code != CLI_FINE)
        return code;
    if (PQntuples(result) > 0)
        printf("%-6s %-16s %-14s %-11s %s\n", french ? "no" : "id", "patient",
               french ? "demande" : "request", french ? "reçue le" : "received",
               french ? "réponse avant le" : "answer by");
    for (int row = 0; row < PQntuples(result); row++) {
        print_request(result, row, french);
        if (PQgetisnull(result, row, LIST_CLOSED) && PQgetvalue(result, row, LIST_LEFT)[0] == '-')
            code = CLI_FINDINGS;
    }
    PQclear(result);
    return code;
}
