/*
 * sample.c: the catalog, and a few rows of each table (see sample.h).
 */
#include "tools/sample.h"

#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

/* What others wrote is not run: see the trust boundary. Parallel workers would take more of the
 * server than one connection is meant to. */
static const char settings_sql[] =
    "SET application_name = 'pgvigil scan'; SET search_path = ''; SET row_security = off;"
    "SET default_transaction_read_only = on; SET statement_timeout = '5s'; SET lock_timeout = "
    "'500ms';"
    "SET idle_in_transaction_session_timeout = '60s'; SET max_parallel_workers_per_gather = 0;"
    "SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET client_encoding = 'UTF8';"
    "SET synchronize_seqscans = on";

/* Relations that hold rows of their own: partitions follow their parent, guards are ours. */
static const char tables_sql[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind,"
    " c.relhassubclass AND c.relkind <> 'p',"
    " c.relkind = 'f' OR c.relkind = 'p' AND EXISTS (SELECT FROM "
    "pg_catalog.pg_partition_tree(c.oid) t"
    " JOIN pg_catalog.pg_class p ON p.oid = t.relid WHERE p.relkind = 'f')"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'"
    " AND n.nspname !~ '^(pg_|pgvigil:)' AND n.nspname <> 'information_schema'"
    " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

static const char views_sql[] =
    "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v'"
    " AND n.nspname !~ '^(pg_|pgvigil:)' AND n.nspname <> 'information_schema'";

/* The class of a column is that of what its domain stands on. Types that others made are not read:
 * a cast of theirs would run. 16384 is the first OID that is not PostgreSQL's own. */
static const char columns_sql[] =
    "WITH RECURSIVE root(oid, base) AS (SELECT t.oid, t.oid FROM pg_catalog.pg_type t"
    " UNION ALL SELECT r.oid, t.typbasetype FROM root r JOIN pg_catalog.pg_type t ON t.oid = r.base"
    " WHERE t.typtype = 'd')"
    " SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnum, CASE"
    " WHEN b.oid IN (18, 19, 25, 1042, 1043) OR b.typname = 'citext' AND EXISTS (SELECT"
    " FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
    " WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = b.oid"
    " AND d.deptype = 'e' AND e.extname = 'citext') THEN 1"
    " WHEN b.oid IN (20, 21, 23, 1700) THEN 2 WHEN b.oid IN (1082, 1114, 1184) THEN 3"
    " WHEN b.oid = 16 THEN 4 WHEN b.oid = 2950 THEN 5 WHEN b.oid IN (650, 869) THEN 6"
    " WHEN b.oid IN (114, 142, 3802) OR b.oid < 16384 AND b.typcategory = 'A' THEN 7"
    " WHEN b.typtype = 'e' THEN 8 ELSE 0 END"
    " FROM pg_catalog.pg_attribute a JOIN root ON root.oid = a.atttypid"
    " JOIN pg_catalog.pg_type b ON b.oid = root.base AND b.typtype <> 'd'"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm', 'f')"
    " AND NOT c.relispartition ORDER BY a.attrelid, a.attnum";

static const char keys_sql[] =
    "SELECT o.conrelid, k.attnum, o.contype, o.confrelid,"
    " CASE WHEN pg_catalog.array_length(o.conkey, 1) = 1 THEN o.confkey[1] ELSE 0 END"
    " FROM pg_catalog.pg_constraint o, LATERAL pg_catalog.unnest(o.conkey) AS k(attnum)"
    " WHERE o.contype IN ('p', 'f') ORDER BY o.conrelid, o.oid";

/* PostgreSQL's primary message tells names; only for the catalog, where no value is near. */
static enum status told(PGresult *result, const char *what, struct buf *why)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    buf_printf(why, "%s: %s", what, message == NULL ? "the connection is lost" : message);
    PQclear(result);
    return ERR_UPSTREAM;
}

static enum status ask(PGconn *conn, const char *sql, PGresult **result, struct buf *why)
{
    *result = PQexec(conn, sql);
    if (PQresultStatus(*result) == PGRES_TUPLES_OK || PQresultStatus(*result) == PGRES_COMMAND_OK)
        return OK;
    enum status status = told(*result, "the catalog could not be read", why);
    *result = NULL;
    return status;
}

static uint32_t number(const PGresult *result, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static bool truth(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

/* ---- the catalog ---- */

static enum status take_tables(PGconn *conn, struct sampling *sampling, struct buf *why)
{
    PGresult *result = NULL;
    enum status status = ask(conn, tables_sql, &result, why);
    if (status != OK)
        return status;
    size_t count = (size_t)PQntuples(result);
    sampling->tables = arena_zalloc(sampling->arena, count, sizeof *sampling->tables);
    for (size_t i = 0; i < count && sampling->tables != NULL; i++) {
        struct sampled_table *table = &sampling->tables[i];
        table->oid = number(result, (int)i, 0);
        table->schema = arena_strdup(sampling->arena, PQgetvalue(result, (int)i, 1));
        table->name = arena_strdup(sampling->arena, PQgetvalue(result, (int)i, 2));
        table->kind = PQgetvalue(result, (int)i, 3)[0];
        table->inherited = truth(result, (int)i, 4);
        table->remote = truth(result, (int)i, 5);
    }
    sampling->table_count = count;
    PQclear(result);
    return arena_failed(sampling->arena) ? ERR_MEMORY : OK;
}

struct sampled_table *sample_find(const struct sampling *sampling, uint32_t oid)
{
    for (size_t i = 0; i < sampling->table_count; i++)
        if (sampling->tables[i].oid == oid)
            return &sampling->tables[i];
    return NULL;
}

/* Rows of one table stand together. */
static enum status take_columns(PGconn *conn, struct sampling *sampling, struct buf *why)
{
    PGresult *result = NULL;
    enum status status = ask(conn, columns_sql, &result, why);
    if (status != OK)
        return status;
    int count = PQntuples(result);
    for (int from = 0, to = 0; from < count; from = to) {
        uint32_t oid = number(result, from, 0);
        while (to < count && number(result, to, 0) == oid)
            to++;
        struct sampled_table *table = sample_find(sampling, oid);
        if (table == NULL)
            continue;
        table->column_count = (size_t)(to - from);
        table->columns = arena_zalloc(sampling->arena, table->column_count, sizeof *table->columns);
        for (int i = from; i < to && table->columns != NULL; i++) {
            struct sampled_column *column = &table->columns[i - from];
            column->name = arena_strdup(sampling->arena, PQgetvalue(result, i, 1));
            column->type = arena_strdup(sampling->arena, PQgetvalue(result, i, 2));
            column->attnum = (int16_t)number(result, i, 3);
            column->class = (enum value_class)number(result, i, 4);
        }
    }
    PQclear(result);
    return arena_failed(sampling->arena) ? ERR_MEMORY : OK;
}

static struct sampled_column *column_of(const struct sampled_table *table, uint32_t attnum)
{
    for (size_t i = 0; table != NULL && i < table->column_count; i++)
        if ((uint32_t)table->columns[i].attnum == attnum)
            return &table->columns[i];
    return NULL;
}

static enum status take_keys(PGconn *conn, struct sampling *sampling, struct buf *why)
{
    PGresult *result = NULL;
    enum status status = ask(conn, keys_sql, &result, why);
    for (int i = 0; status == OK && i < PQntuples(result); i++) {
        struct sampled_column *column =
            column_of(sample_find(sampling, number(result, i, 0)), number(result, i, 1));
        if (column == NULL)
            continue;
        bool foreign = PQgetvalue(result, i, 2)[0] == 'f';
        column->foreign = column->foreign || foreign;
        column->primary = column->primary || !foreign;
        if (foreign && number(result, i, 4) != 0) {
            column->refers_to = number(result, i, 3);
            column->refers_attnum = (int16_t)number(result, i, 4);
        }
    }
    PQclear(result);
    return status;
}

enum status sample_catalog(PGconn *conn, struct arena *arena, struct sampling *sampling,
                           struct buf *why)
{
    PGresult *result = NULL;
    *sampling = (struct sampling){.arena = arena};
    enum status status = ask(conn, settings_sql, &result, why);
    PQclear(result);
    if (status == OK)
        status =
            ask(conn, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", &result, why);
    if (status != OK)
        return status;
    PQclear(result);
    sampling->database = arena_strdup(arena, PQdb(conn));
    status = take_tables(conn, sampling, why);
    if (status == OK)
        status = take_columns(conn, sampling, why);
    if (status == OK)
        status = take_keys(conn, sampling, why);
    if (status == OK)
        status = ask(conn, views_sql, &result, why);
    if (status == OK) {
        sampling->view_count = number(result, 0, 0);
        PQclear(result);
    }
    PQclear(PQexec(conn, "COMMIT"));
    return status;
}

/* ---- rows ---- */

/* The whole of small tables would be read by LIMIT alone; of larger ones LIMIT would show the
 * oldest rows only, so pages are drawn. */
#define SMALL_PAGES     64.0
#define COLUMNS_AT_ONCE 32
#define VALUES_AT_ONCE  32000 /* 32 MB at most, were all of them of the longest characters */

static const char size_sql[] =
    "SELECT pg_catalog.sum(pg_catalog.pg_relation_size(t.relid)) / 8192,"
    " pg_catalog.sum(CASE WHEN p.reltuples > 0 THEN p.reltuples ELSE 0 END)"
    " FROM (SELECT relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.regclass)"
    " UNION SELECT $1::pg_catalog.oid) t JOIN pg_catalog.pg_class p ON p.oid = t.relid"
    " WHERE p.relkind IN ('r', 'm')";

/* Of pages, in percent; 100: no drawing. Twice the rows that are wanted, since pages are never
 * equally full. */
static double drawn(const PGresult *result, size_t rows)
{
    double pages = strtod(PQgetvalue(result, 0, 0), NULL);
    double tuples = strtod(PQgetvalue(result, 0, 1), NULL);
    if (pages <= SMALL_PAGES)
        return 100;
    double wanted = tuples > 0 ? 2.0 * (double)rows / tuples * 100
                               : SMALL_PAGES / pages * 100; /* never analysed */
    double least = 8 / pages * 100;
    double most = 20.0 * SMALL_PAGES / pages * 100;
    wanted = wanted < least ? least : wanted;
    wanted = wanted > most ? most : wanted;
    return wanted > 100 ? 100 : wanted;
}

static bool readable(const struct sampled_column *column)
{
    return column->class != VALUE_OTHER && column->class != VALUE_BOOLEAN &&
           column->class != VALUE_ENUM;
}

/* A document is written out whole before it is cut, so a large one is left out. */
static void put_column(struct buf *sql, const struct sampled_column *column)
{
    if (column->class == VALUE_DOCUMENT) {
        buf_str(sql, "CASE WHEN pg_catalog.pg_column_size(s.");
        text_quote_ident(sql, column->name);
        buf_str(sql, ") <= 8192 THEN ");
    }
    buf_str(sql, "pg_catalog.left(s.");
    text_quote_ident(sql, column->name);
    buf_printf(sql, "::pg_catalog.text, %d)", SAMPLE_BYTES / 2);
    if (column->class == VALUE_DOCUMENT)
        buf_str(sql, " END");
}

static void put_select(struct buf *sql, const struct sampled_table *table,
                       struct sampled_column *const *columns, size_t count, double percent,
                       size_t rows)
{
    buf_str(sql, "SELECT ");
    for (size_t i = 0; i < count; i++) {
        buf_str(sql, i == 0 ? "" : ", ");
        put_column(sql, columns[i]);
    }
    buf_str(sql, table->inherited ? " FROM ONLY " : " FROM ");
    text_quote_ident(sql, table->schema);
    buf_byte(sql, '.');
    text_quote_ident(sql, table->name);
    buf_str(sql, " AS s");
    if (percent < 100)
        buf_printf(sql, " TABLESAMPLE SYSTEM (%.6f) REPEATABLE (20)", percent);
    buf_printf(sql, " LIMIT %zu", rows);
    buf_byte(sql, '\0');
}

/* Nothing of PostgreSQL's message is kept: it may quote a value. */
static void refused(struct sampled_table *table, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    (void)snprintf(table->sqlstate, sizeof table->sqlstate, "%s", state == NULL ? "" : state);
    bool slow = strcmp(table->sqlstate, "57014") == 0 || strcmp(table->sqlstate, "55P03") == 0;
    table->state = slow ? SAMPLED_SLOW : SAMPLED_REFUSED;
}

static enum status count_column(const PGresult *result, int at, int today,
                                struct sampled_column *column)
{
    struct traits_work *work = traits_begin(column->class);
    enum status status = work == NULL ? ERR_MEMORY : OK;
    for (int row = 0; status == OK && row < PQntuples(result); row++)
        if (!PQgetisnull(result, row, at))
            status =
                traits_add(work, PQgetvalue(result, row, at), (size_t)PQgetlength(result, row, at));
    enum status ended = traits_end(work, today, &column->traits);
    return status == OK ? ended : status;
}

/* Up to COLUMNS_AT_ONCE columns; *rows is how many rows came. */
static enum status read_columns(PGconn *conn, struct sampled_table *table,
                                struct sampled_column *const *columns, size_t count, double percent,
                                size_t limit, int today)
{
    struct buf sql;
    buf_init(&sql, 0);
    put_select(&sql, table, columns, count, percent, limit);
    PGresult *result = sql.failed ? NULL : PQexec(conn, (const char *)buf_head(&sql));
    enum status status = sql.failed ? ERR_MEMORY : OK;
    buf_free(&sql);
    if (status == OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        refused(table, result);
    } else if (status == OK) {
        table->rows = (size_t)PQntuples(result);
        table->state = table->rows > 0 ? SAMPLED_ROWS : SAMPLED_EMPTY;
        for (size_t i = 0; i < count && status == OK; i++)
            status = count_column(result, (int)i, today, columns[i]);
    }
    PQclear(result);
    return status;
}

/* Pages may be empty: then the first rows, wherever they are, as long as that takes. */
static enum status read_some(PGconn *conn, struct sampled_table *table,
                             struct sampled_column *const *columns, size_t count, double percent,
                             size_t limit, int today)
{
    enum status status = read_columns(conn, table, columns, count, percent, limit, today);
    bool too_few = table->state == SAMPLED_EMPTY ||
                   (table->state == SAMPLED_ROWS && table->rows < CLASSIFY_VALUES);
    return status == OK && percent < 100 && too_few
               ? read_columns(conn, table, columns, count, 100, limit, today)
               : status;
}

static enum status read_rows(PGconn *conn, struct sampled_table *table, size_t rows, int today,
                             double percent)
{
    struct sampled_column *chosen[COLUMNS_AT_ONCE];
    size_t count = 0;
    enum status status = OK;
    for (size_t i = 0; i < table->column_count && status == OK; i++) {
        if (readable(&table->columns[i]))
            chosen[count++] = &table->columns[i];
        if (count == COLUMNS_AT_ONCE || count * rows >= VALUES_AT_ONCE ||
            (count > 0 && i + 1 == table->column_count)) {
            status = read_some(conn, table, chosen, count, percent, rows, today);
            count = 0;
        }
        if (table->state == SAMPLED_REFUSED || table->state == SAMPLED_SLOW)
            break;
    }
    return status;
}

enum status sample_table(PGconn *conn, struct sampled_table *table, size_t rows, int today,
                         struct buf *why)
{
    char oid[16];
    const char *const values[] = {oid};
    table->state = SAMPLED_NOT;
    if (table->remote)
        return OK;
    (void)snprintf(oid, sizeof oid, "%u", table->oid);
    PQclear(PQexec(conn, "BEGIN READ ONLY"));
    PGresult *result = PQexecParams(conn, size_sql, 1, NULL, values, NULL, NULL, 0);
    enum status status = OK;
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        status = read_rows(conn, table, rows, today, drawn(result, rows));
    else
        refused(table, result);
    PQclear(result);
    PQclear(PQexec(conn, "ROLLBACK"));
    if (PQstatus(conn) != CONNECTION_OK) {
        buf_str(why, "the connection was lost");
        return ERR_UPSTREAM;
    }
    if (status != OK)
        buf_str(why, status_name(status));
    return status;
}
