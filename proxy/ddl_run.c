/*
 * ddl_run.c: a text, and the guards around it (see ddl_run.h).
 *
 * Trust boundary: the text is an unrestricted client's and runs with the rights of her login, in
 * the settings and as the role that she has chosen; pgvigil's own statements run in settings of
 * their own, and as the owner of the guards where they change guards. All of that is SET LOCAL and
 * set back before anything of the client's runs again.
 *
 * Where something is wrong with the guards the transaction fails, as after any error: the database
 * is then as it was, and the guards with it.
 */
#include "proxy/ddl_run.h"

#include "proxy/catalog_load.h"
#include "proxy/deploy.h"
#include "proxy/wire.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the client hears ---- */

static void put_result_report(struct ddl_run *run, unsigned char type, const PGresult *result)
{
    struct wire_report report = {
        .severity = PQresultErrorField(result, PG_DIAG_SEVERITY),
        .severity_raw = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED),
        .sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE),
        .message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
        .detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL),
        .hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT),
        .position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION),
        .internal_position = PQresultErrorField(result, PG_DIAG_INTERNAL_POSITION),
        .internal_query = PQresultErrorField(result, PG_DIAG_INTERNAL_QUERY),
        .where = PQresultErrorField(result, PG_DIAG_CONTEXT),
        .schema = PQresultErrorField(result, PG_DIAG_SCHEMA_NAME),
        .table = PQresultErrorField(result, PG_DIAG_TABLE_NAME),
        .column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME),
        .data_type = PQresultErrorField(result, PG_DIAG_DATATYPE_NAME),
        .constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME),
        .file = PQresultErrorField(result, PG_DIAG_SOURCE_FILE),
        .line = PQresultErrorField(result, PG_DIAG_SOURCE_LINE),
        .routine = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION)};
    if (report.sqlstate == NULL)
        run->lost = true; /* libpq's own: the connection */
    else
        wire_put_report(&run->answer, type, &report);
}

static void on_notice(void *context, const PGresult *result)
{
    struct ddl_run *run = context;
    if (run != NULL && run->listening)
        put_result_report(run, 'N', result);
}

static void put_rows(struct ddl_run *run, const PGresult *result)
{
    size_t count = (size_t)PQnfields(result);
    struct wire_column *columns = arena_zalloc(run->arena, count + 1, sizeof *columns);
    const char **values = arena_zalloc(run->arena, count + 1, sizeof *values);
    if (columns == NULL || values == NULL) {
        run->answer.failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        columns[i] = (struct wire_column){.name = PQfname(result, (int)i),
                                          .table_oid = PQftable(result, (int)i),
                                          .attnum = (int16_t)PQftablecol(result, (int)i),
                                          .type_oid = PQftype(result, (int)i),
                                          .type_len = (int16_t)PQfsize(result, (int)i),
                                          .type_mod = PQfmod(result, (int)i)};
    }
    if (!run->extended)
        wire_put_row_description(&run->answer, columns, count);
    for (int row = 0; row < PQntuples(result); row++) {
        for (size_t i = 0; i < count; i++)
            values[i] = PQgetisnull(result, row, (int)i) ? NULL : PQgetvalue(result, row, (int)i);
        wire_put_data_row(&run->answer, values, count);
    }
}

/* False: it was an error. */
static bool put_result(struct ddl_run *run, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        put_rows(run, result);
        run->last = buf_len(&run->answer);
        wire_put_command_complete(&run->answer, PQcmdStatus(result));
        return true;
    case PGRES_COMMAND_OK:
        run->last = buf_len(&run->answer);
        wire_put_command_complete(&run->answer, PQcmdStatus(result));
        return true;
    case PGRES_EMPTY_QUERY:
        run->last = buf_len(&run->answer);
        wire_put_empty_query(&run->answer);
        return true;
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
        put_result_report(run, 'E', result);
        return false;
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        break;
    }
    run->lost = true;
    return false;
}

/* The client's text. */
static bool run_text(struct ddl_run *run)
{
    bool good = true;
    run->listening = true;
    if (PQsendQuery(run->conn, run->sql) != 1) {
        run->lost = true;
        return false;
    }
    PGresult *result;
    while (!run->lost && (result = PQgetResult(run->conn)) != NULL) {
        good = put_result(run, result) && good;
        PQclear(result);
    }
    run->listening = false;
    return good && !run->lost;
}

/* Takes back that the last statement had succeeded, and gives an error in its place. */
static void put_instead(struct ddl_run *run, const char *sqlstate, const char *message,
                        const char *hint)
{
    run->answer.tail = run->answer.head + run->last;
    wire_put_error(&run->answer, "ERROR", sqlstate, message, hint, 0);
}

/* ---- pgvigil's own ---- */

/* An own statement that fails speaks for the client's. */
static bool own(struct ddl_run *run, const char *sql, PGresult **rows)
{
    PGresult *result = sql == NULL ? NULL : PQexec(run->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good) {
        run->answer.tail = run->answer.head + run->last;
        put_result_report(run, 'E', result);
    }
    if (good && rows != NULL)
        *rows = result;
    else
        PQclear(result);
    return good;
}

static const char *const settings[] = {"search_path",
                                       "quote_all_identifiers",
                                       "standard_conforming_strings",
                                       "transform_null_equals",
                                       "DateStyle",
                                       "IntervalStyle",
                                       "TimeZone",
                                       "check_function_bodies",
                                       "role"};
#define SETTINGS (sizeof settings / sizeof settings[0])

/* What guards are made in: as `pgvigil deploy` does. The path comes later: the targets are looked
 * up along the client's. */
static const char own_settings[] =
    "SET LOCAL quote_all_identifiers = off; SET LOCAL standard_conforming_strings = on; "
    "SET LOCAL transform_null_equals = off; SET LOCAL DateStyle TO DEFAULT; "
    "SET LOCAL IntervalStyle TO DEFAULT; SET LOCAL TimeZone TO DEFAULT";

/* Reads the client's settings; *member: the login may act as the owner. */
static bool read_settings(struct ddl_run *run, bool *member)
{
    struct buf sql;
    struct buf back;
    buf_init(&sql, 0);
    buf_init(&back, 0);
    buf_str(&sql, "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = ");
    text_quote_literal(&sql, run->owner);
    buf_str(&sql, " AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER'))");
    for (size_t i = 0; i < SETTINGS; i++)
        buf_printf(&sql, ", pg_catalog.current_setting('%s')", settings[i]);
    const char *text = text_take(&sql, run->arena);
    PGresult *result = text == NULL ? NULL : PQexec(run->conn, text);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    *member = good && PQgetvalue(result, 0, 0)[0] == 't';
    for (size_t i = 0; good && i < SETTINGS; i++) {
        buf_printf(&back, "%spg_catalog.set_config('%s', ", i == 0 ? "SELECT " : ", ", settings[i]);
        text_quote_literal(&back, PQgetvalue(result, 0, (int)i + 1));
        buf_str(&back, ", true)");
    }
    if (good)
        run->role =
            arena_printf(run->arena, "SET LOCAL ROLE %s",
                         strcmp(PQgetvalue(result, 0, (int)SETTINGS), "none") == 0
                             ? "NONE"
                             : text_ident(run->arena, PQgetvalue(result, 0, (int)SETTINGS)));
    run->settings = text_take(&back, run->arena);
    PQclear(result);
    return good && run->settings != NULL && run->role != NULL;
}

/* Takes away what depends on what the text names. */
static bool remove_guards(struct ddl_run *run)
{
    const char *sql = ddl_guards_sql(run->ddl, run->arena);
    PGresult *guards = NULL;
    if (run->ddl->target_count == 0)
        return true;
    if (!own(run, sql, &guards))
        return false;
    const char *owner = text_ident(run->arena, run->owner);
    bool good = PQntuples(guards) == 0 ||
                own(run, arena_printf(run->arena, "SET LOCAL ROLE %s", owner), NULL);
    for (int row = 0; good && row < PQntuples(guards); row++) {
        good = own(run, PQgetvalue(guards, row, 0), NULL);
        run->removed += good ? 1 : 0;
    }
    PQclear(guards);
    return good;
}

/* 1886221926 is `pgvigil deploy`'s own lock; those who only replace guards share it. */
static const char lock_sql[] = "SELECT pg_catalog.pg_advisory_xact_lock_shared(1886221926, 1)";

static bool before(struct ddl_run *run)
{
    return own(run, own_settings, NULL) && own(run, lock_sql, NULL) && remove_guards(run) &&
           own(run, run->settings, NULL);
}

/* ---- behind it ---- */

static const char *place_of(const struct ddl_run *run, const struct policy_place *place)
{
    if (place == NULL || place->file == NULL)
        return "the policy";
    const char *slash = strrchr(place->file, '/');
    const char *text =
        arena_printf(run->arena, "%s:%u", slash == NULL ? place->file : slash + 1, place->line);
    return text == NULL ? "the policy" : text;
}

/* Of the guard that could not be made; an expansion has no rule. */
static const struct policy_place *rule_of(const struct ddl_run *run, const struct catalog *catalog,
                                          const struct guard_view *view)
{
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    return view != NULL && guard_governing(run->policy, catalog, view->role, view->mission,
                                           view->relation, &table, &rule, &as)
               ? &rule->place
               : NULL;
}

/* Has the transaction fail, whatever its state. */
static void fail_transaction(struct ddl_run *run)
{
    if (PQtransactionStatus(run->conn) == PQTRANS_INTRANS)
        PQclear(PQexec(run->conn, "DO $$ BEGIN RAISE EXCEPTION 'pgvigil refused the statement "
                                  "before this one'; END $$"));
}

static void refuse(struct ddl_run *run, const struct policy_place *place, const char *about,
                   const char *message)
{
    const char *where = place_of(run, place);
    const char *text = arena_printf(run->arena,
                                    "the policy cannot be enforced on the database as it would be "
                                    "after this statement: %s (%s): %s",
                                    about == NULL ? "guards" : about, where,
                                    message == NULL ? "out of memory" : message);
    const char *hint = arena_printf(
        run->arena,
        "Nothing was changed. What %s asks for would be gone: change the policy so that it fits "
        "both before and after, deploy and reload it, and try again; or run \"pgvigil deploy "
        "--remove\", this statement, and \"pgvigil deploy\" with the changed policy.",
        where);
    fail_transaction(run);
    put_instead(run, "2BP01", text == NULL ? "out of memory" : text, hint);
}

static bool deploy_over(struct ddl_run *run, const struct catalog *catalog)
{
    struct guard_plan plan;
    struct deploy_failure failure = {0};
    if (guard_plan_make(run->policy, catalog, run->owner, "", run->arena, &plan) != OK) {
        refuse(run, NULL, NULL, NULL);
        return false;
    }
    for (size_t i = 0; i < plan.finding_count; i++) {
        if (!plan.findings[i].error)
            continue;
        refuse(run, &plan.findings[i].place, NULL, plan.findings[i].message);
        return false;
    }
    struct deploy deploy = {.conn = run->conn,
                            .arena = run->arena,
                            .policy = run->policy,
                            .catalog = catalog,
                            .database = "",
                            .owner = run->owner,
                            .login = "",
                            .failure = &failure,
                            .back = run->role};
    enum status status = deploy_again(&deploy, &plan);
    run->made = deploy.made + deploy.replaced;
    run->removed += deploy.dropped + deploy.replaced;
    run->lost = run->lost || PQstatus(run->conn) != CONNECTION_OK;
    if (status == OK)
        return true;
    if (deploy_passing(failure.sqlstate))
        put_instead(run, failure.sqlstate, failure.message, NULL);
    else
        refuse(run, rule_of(run, catalog, failure.view), failure.about, failure.message);
    return false;
}

static bool after(struct ddl_run *run)
{
    struct buf why;
    struct catalog *catalog = NULL;
    if (!own(run, own_settings, NULL))
        return false;
    buf_init(&why, 0);
    enum status status = catalog_load_conn(run->conn, run->policy, &catalog, &why);
    buf_byte(&why, '\0');
    bool good = status == OK;
    if (!good)
        refuse(run, NULL, "reading the catalog",
               why.failed ? NULL : arena_strdup(run->arena, (const char *)buf_head(&why)));
    buf_free(&why);
    good = good && deploy_over(run, catalog);
    catalog_unref(catalog);
    run->redeployed = good;
    return good && own(run, run->settings, NULL);
}

/* ---- the whole ---- */

/* Cannot run in a transaction, so it stands when the guards are looked after: they are left as they
 * are where that fails, and the judge goes by the catalogs. */
static void run_alone(struct ddl_run *run)
{
    if (!run_text(run))
        return;
    run->committed = true;
    size_t whole = buf_len(&run->answer);
    run->last = whole;
    if (own(run, "BEGIN", NULL) && after(run) && own(run, "COMMIT", NULL)) {
        run->last = whole;
        return;
    }
    PQclear(PQexec(run->conn, "ROLLBACK"));
    run->answer.tail = run->answer.head + whole;
    wire_put_notice(&run->answer, "WARNING", "01000",
                    "the guards could not be made again: run \"pgvigil deploy\"");
}

static void run_around(struct ddl_run *run, bool block)
{
    bool good = (block || own(run, "BEGIN", NULL)) && before(run);
    if (good) {
        good = run_text(run) && after(run);
        if (good && !block)
            good = own(run, "COMMIT", NULL);
    }
    run->committed = good && !block;
    if (!good && !block && !run->lost)
        PQclear(PQexec(run->conn, "ROLLBACK"));
}

/* Settings whose changes PostgreSQL reports, told on where the text made one. */
static const char *const reported[] = {"application_name",
                                       "client_encoding",
                                       "DateStyle",
                                       "default_transaction_read_only",
                                       "in_hot_standby",
                                       "IntervalStyle",
                                       "is_superuser",
                                       "session_authorization",
                                       "standard_conforming_strings",
                                       "TimeZone"};
#define REPORTED (sizeof reported / sizeof reported[0])

static void put_changes(struct ddl_run *run, char *const *values)
{
    for (size_t i = 0; i < REPORTED; i++) {
        const char *now = PQparameterStatus(run->conn, reported[i]);
        if (now != NULL && (values[i] == NULL || strcmp(values[i], now) != 0))
            wire_put_parameter_status(&run->answer, reported[i], now);
    }
    PGnotify *notify;
    while ((notify = PQnotifies(run->conn)) != NULL) {
        wire_put_notification(&run->answer, (uint32_t)notify->be_pid, notify->relname,
                              notify->extra);
        PQfreemem(notify);
    }
}

static void put_ready(struct ddl_run *run)
{
    PGTransactionStatusType status = PQtransactionStatus(run->conn);
    wire_put_ready(&run->answer, status == PQTRANS_IDLE      ? 'I'
                                 : status == PQTRANS_INTRANS ? 'T'
                                                             : 'E');
}

void ddl_run(struct ddl_run *run)
{
    char *values[REPORTED];
    bool member = false;
    (void)PQsetNoticeReceiver(run->conn, on_notice, run);
    for (size_t i = 0; i < REPORTED; i++) {
        const char *value = PQparameterStatus(run->conn, reported[i]);
        values[i] = value == NULL ? NULL : arena_strdup(run->arena, value);
    }
    /* In a failed transaction nothing can be asked, and PostgreSQL says what is to be said. */
    bool known = run->ddl != NULL && read_settings(run, &member) && member;
    bool block = PQtransactionStatus(run->conn) != PQTRANS_IDLE;
    if (!known)
        run->committed = run_text(run) && !block;
    else if (run->ddl->alone && !block)
        run_alone(run);
    else
        run_around(run, block);
    if (run->ddl == NULL) /* COMMIT */
        run->committed = PQtransactionStatus(run->conn) == PQTRANS_IDLE;
    run->lost = run->lost || PQstatus(run->conn) != CONNECTION_OK;
    put_changes(run, values);
    if (!run->extended && !run->lost)
        put_ready(run);
    run->lost = run->lost || run->answer.failed;
    (void)PQsetNoticeReceiver(run->conn, on_notice, NULL);
}
