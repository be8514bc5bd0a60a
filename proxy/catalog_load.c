/*
 * catalog_load.c: pg_catalog into a struct catalog.
 *
 * Purpose: what the resolver believes of the database. All queries see one snapshot, and run under
 * an empty search path so that pg_get_viewdef and format_type qualify every name that is not
 * pg_catalog's.
 *
 * Trust boundary: the server is trusted to tell the truth; the names it tells are anyone's choice
 * and are only data here. Numbers are parsed strictly.
 *
 * Ownership: results are cleared here; the builder copies.
 */
#include "proxy/catalog_load.h"

#include <pgvigil/guard.h>
#include <pgvigil/judge.h>
#include <pgvigil/text.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS "10"

#define OURS "n.nspname LIKE 'pgvigil:%'"
#define REAL "n.nspname !~ '^pg_(toast|temp)' AND NOT (" OURS ")"

/* Casts by functions that may read tables: FirstNormalObjectId is 16384. */
#define CASTS                                                                                      \
    "pg_catalog.pg_cast k JOIN pg_catalog.pg_proc p ON p.oid = k.castfunc\n"                       \
    "    JOIN pg_catalog.pg_language l ON l.oid = p.prolang\n"                                     \
    "    WHERE p.oid >= 16384 AND l.lanname NOT IN ('c', 'internal')"

/*
 * pg_get_viewdef waits for whoever alters the view or what it reads, for as long as her transaction
 * takes: nobody's look at the catalogs shall. Such a view has no definition for now.
 */
static const char relations_sql[] =
    "WITH locked AS MATERIALIZED (SELECT DISTINCT l.relation FROM pg_catalog.pg_locks l\n"
    "    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> "
    "pg_catalog.pg_backend_pid()\n"
    "    AND l.database = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = "
    "pg_catalog.current_database())),\n"
    "busy AS MATERIALIZED (SELECT l.relation AS oid FROM locked l UNION SELECT r.ev_class FROM "
    "pg_catalog.pg_rewrite r\n"
    "    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass "
    "AND d.objid = r.oid\n"
    "    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
    "    JOIN locked l ON l.relation = d.refobjid)\n"
    "SELECT c.oid, c.reltype, n.nspname, c.relname, c.relkind, c.relispartition, "
    "c.relhassubclass,\n"
    "    pg_catalog.pg_get_userbyid(c.relowner),\n"
    "    CASE WHEN v.readable AND NOT $1::pg_catalog.bool THEN pg_catalog.pg_get_viewdef(c.oid) "
    "END,\n"
    "    (SELECT pg_catalog.array_to_string(k.conkey, ',') FROM pg_catalog.pg_constraint k\n"
    "     WHERE k.conrelid = c.oid AND k.contype = 'p' AND NOT k.condeferrable),\n"
    "    COALESCE((SELECT y.typarray FROM pg_catalog.pg_type y WHERE y.oid = c.reltype), 0),\n"
    /* tgtype: ROW 1, BEFORE 2, UPDATE 16 */
    "    EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT "
    "t.tgisinternal\n"
    "        AND t.tgenabled <> 'D' AND t.tgtype::pg_catalog.int4 & 19 = 19),\n"
    "    (SELECT pg_catalog.count(DISTINCT d.refobjid) FROM pg_catalog.pg_rewrite r JOIN "
    "pg_catalog.pg_depend d\n"
    "        ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid\n"
    "        AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass\n"
    "        WHERE r.ev_class = c.oid AND c.relkind = 'v'),\n"
    "    v.defined, v.readable\n"
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "CROSS JOIN LATERAL (SELECT c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', "
    "'information_schema') AS defined) w\n"
    "CROSS JOIN LATERAL (SELECT w.defined, w.defined AND NOT EXISTS (SELECT FROM busy y WHERE "
    "y.oid = c.oid) AS readable) v\n"
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND " REAL "\n"
    "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

static const char columns_sql[] =
    "WITH RECURSIVE base(oid, typid, typmod) AS (\n"
    "    SELECT y.oid, y.typbasetype, y.typtypmod FROM pg_catalog.pg_type y WHERE y.typtype = 'd'\n"
    "    UNION ALL SELECT b.oid, y.typbasetype, y.typtypmod FROM base b JOIN pg_catalog.pg_type y\n"
    "    ON y.oid = b.typid WHERE y.typtype = 'd'),\n"
    "operand(oid) AS (\n"
    "    SELECT DISTINCT y.oid FROM pg_catalog.pg_operator o\n"
    "    JOIN pg_catalog.pg_type y ON y.oid IN (o.oprleft, o.oprright)\n"
    "    WHERE o.oprnamespace <> 'pg_catalog'::pg_catalog.regnamespace\n"
    "    AND y.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace),\n"
    /* and all that such a value may be taken out of, or put into */
    "castable(oid) AS (\n"
    "    SELECT u.oid FROM (SELECT k.castsource, k.casttarget FROM " CASTS ") c,\n"
    "    pg_catalog.unnest(ARRAY[c.castsource, c.casttarget]) AS u(oid) WHERE u.oid >= 16384\n"
    "    UNION SELECT d.oid FROM castable x CROSS JOIN LATERAL (\n"
    "        SELECT t.oid FROM pg_catalog.pg_type t WHERE x.oid IN (t.typelem, t.typbasetype)\n"
    "        UNION ALL SELECT pg_catalog.unnest(ARRAY[t.typelem, t.typbasetype]) FROM "
    "pg_catalog.pg_type t WHERE t.oid = x.oid\n"
    "        UNION ALL SELECT pg_catalog.unnest(ARRAY[r.rngsubtype, r.rngtypid, m.oid]) FROM "
    "pg_catalog.pg_range r\n"
    "            CROSS JOIN LATERAL (SELECT "
    "(pg_catalog.to_jsonb(r)->>'rngmultitypid')::pg_catalog.oid AS oid) m\n"
    "            WHERE x.oid IN (r.rngsubtype, r.rngtypid, m.oid)\n"
    "        UNION ALL SELECT t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_attribute a ON "
    "a.attrelid = t.typrelid\n"
    "            WHERE a.atttypid = x.oid AND a.attnum > 0) d WHERE d.oid >= 16384)\n"
    "SELECT a.attrelid, a.attname, a.attnum, a.atttypid, pg_catalog.format_type(a.atttypid, "
    "a.atttypmod),\n"
    "    COALESCE((SELECT pg_catalog.format_type(b.typid, b.typmod) FROM base b\n"
    "        JOIN pg_catalog.pg_type y ON y.oid = b.typid\n"
    "        WHERE b.oid = a.atttypid AND y.typtype <> 'd'),\n"
    "        pg_catalog.format_type(a.atttypid, a.atttypmod)),\n"
    "    a.attnotnull, a.atthasdef, a.attgenerated <> '', a.attidentity <> '',\n"
    "    EXISTS (SELECT 1 FROM operand) AND EXISTS (SELECT 1 FROM pg_catalog.pg_type t\n"
    "        LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typlen = -1\n"
    "        WHERE (t.oid = a.atttypid OR t.oid IN (SELECT b.typid FROM base b WHERE b.oid = "
    "a.atttypid))\n"
    "        AND (t.typtype = 'c' OR e.typtype = 'c'\n"
    "            OR t.oid IN (SELECT oid FROM operand) OR e.oid IN (SELECT oid FROM operand))),\n"
    "    EXISTS (SELECT 1 FROM castable) AND EXISTS (SELECT 1 FROM pg_catalog.pg_type t\n"
    "        WHERE (t.oid = a.atttypid OR t.oid IN (SELECT b.typid FROM base b WHERE b.oid = "
    "a.atttypid))\n"
    "        AND t.oid IN (SELECT oid FROM castable)),\n"
    "    (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d\n"
    "        WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = '')\n"
    "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid\n"
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND " REAL
    "\n"
    "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\", a.attnum";

/*
 * ON CONFLICT (columns) takes every unique index on just these columns, in any order, so a
 * constraint that is not the only one is not what its columns mean. Partial and invalid ones count
 * as well: one may become valid, and what a predicate implies is PostgreSQL's to say.
 */
static const char constraints_sql[] =
    "SELECT k.conrelid, k.conname, CASE WHEN k.contype = 'x' THEN 'x' WHEN EXISTS (\n"
    "        SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = k.conrelid\n"
    "        AND i.indexrelid <> k.conindid AND i.indisunique AND\n"
    "        (SELECT pg_catalog.array_agg(DISTINCT u.n ORDER BY u.n) FROM\n"
    "            pg_catalog.unnest((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]) AS u(n)) =\n"
    "        (SELECT pg_catalog.array_agg(DISTINCT u.n ORDER BY u.n) FROM\n"
    "            pg_catalog.unnest(k.conkey) AS u(n))) THEN 's' ELSE 'u' END,\n"
    "    pg_catalog.array_to_string(k.conkey, ',')\n"
    "FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid\n"
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "WHERE k.contype IN ('p', 'u', 'x') AND c.relkind IN ('r', 'p')\n"
    "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND " REAL "\n"
    "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\", k.conname COLLATE \"C\"";

static const char parents_sql[] =
    "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits ORDER BY 1, inhseqno, 2";

/* The comment names the base table; only schemas of the policy's digest count. */
static const char guards_sql[] =
    "SELECT n.nspname, v.relname, v.oid, v.reltype, COALESCE(b.oid, 0),\n"
    "    CASE WHEN d.description LIKE '% only' THEN 1 WHEN d.description LIKE '% subject' THEN 2 "
    "ELSE 0 END,\n"
    "    a.attname, COALESCE((SELECT k.attnum FROM pg_catalog.pg_attribute k WHERE k.attrelid = "
    "b.oid\n"
    "        AND k.attname = a.attname AND k.attnum > 0 AND NOT k.attisdropped), 0),\n"
    "    COALESCE((SELECT y.typarray FROM pg_catalog.pg_type y WHERE y.oid = v.reltype), 0)\n"
    "FROM pg_catalog.pg_namespace n\n"
    "JOIN pg_catalog.pg_class v ON v.relnamespace = n.oid AND v.relkind = 'v'\n"
    "JOIN pg_catalog.pg_description d ON d.objoid = v.oid AND d.objsubid = 0\n"
    "    AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
    "CROSS JOIN LATERAL (SELECT pg_catalog.parse_ident(d.description, false) AS names) i\n"
    "LEFT JOIN pg_catalog.pg_namespace bn ON bn.nspname = i.names[1]\n"
    "LEFT JOIN pg_catalog.pg_class b ON b.relnamespace = bn.oid AND b.relname = i.names[2]\n"
    "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0 AND NOT "
    "a.attisdropped\n"
    "WHERE " OURS
    " AND pg_catalog.split_part(pg_catalog.obj_description(n.oid, 'pg_namespace'), ' ', 2) = $1\n"
    "AND pg_catalog.starts_with(pg_catalog.obj_description(n.oid, 'pg_namespace'), 'pgvigil ')\n"
    "ORDER BY n.nspname COLLATE \"C\", v.relname COLLATE \"C\", a.attnum";

/* Those among them that no longer read what they were made of. */
static const char stale_sql[] =
    "SELECT v.oid, n.nspname || '.' || v.relname FROM pg_catalog.pg_namespace n\n"
    "JOIN pg_catalog.pg_class v ON v.relnamespace = n.oid AND v.relkind = 'v'\n"
    "JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'\n"
    "WHERE " OURS
    " AND pg_catalog.split_part(pg_catalog.obj_description(n.oid, 'pg_namespace'), ' ', 2) = $1\n"
    "AND pg_catalog.starts_with(pg_catalog.obj_description(n.oid, 'pg_namespace'), 'pgvigil ')\n"
    "AND n.nspname NOT LIKE 'pgvigil:catalog@%'\n"
    "AND pg_catalog.obj_description(r.oid, 'pg_rewrite') IS DISTINCT FROM " GUARD_READS_SQL
    " ORDER BY v.oid";

/* Of pg_catalog only what the reviewed list does not speak of: what an extension put there, and
 * what came with a newer server. (x).f would call either. */
static const char functions_sql[] =
    "SELECT n.nspname, p.proname, pg_catalog.bool_or(p.prosecdef),\n"
    "    n.nspname = 'pg_catalog' AND NOT pg_catalog.bool_or(p.oid >= 16384),\n"
    "    pg_catalog.bool_or(p.provolatile = 'v'),\n"
    "    pg_catalog.bool_or(p.prokind = 'a') FROM pg_catalog.pg_proc p\n"
    "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace\n"
    "WHERE n.nspname <> 'information_schema' AND " REAL "\n"
    "GROUP BY n.nspname, p.proname ORDER BY n.nspname COLLATE \"C\", p.proname COLLATE \"C\"";

/* Owned by a column: by a dependency of kind a (serial, OWNED BY) or i (identity). */
static const char sequences_sql[] =
    "SELECT n.nspname, c.relname, COALESCE(d.refobjid, 0), COALESCE(d.refobjsubid, 0)\n"
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
    "LEFT JOIN LATERAL (SELECT d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d\n"
    "    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid\n"
    "    AND d.objsubid = 0 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
    "    AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') LIMIT 1) d ON true\n"
    "WHERE c.relkind = 'S' AND " REAL " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

/* For FunctionCall. Of pg_catalog only PostgreSQL's own. */
static const char callables_sql[] =
    "SELECT p.oid, n.nspname, p.proname, pg_catalog.array_to_string(p.proargtypes, ',')\n"
    "FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace\n"
    "WHERE p.prokind = 'f' AND NOT p.proretset AND p.pronargs <= 32 AND n.nspname <> "
    "'information_schema'\n"
    "AND (n.nspname <> 'pg_catalog' OR p.oid < 16384) AND " REAL " ORDER BY p.oid";

/* Domains, enums, ranges and base types, and arrays of them. Never a row type, nor its array:
 * ((NULL
 * ::_t)[1]).* lists the columns of a hidden table. Nor a domain over such, or over reg* types. */
static const char types_sql[] =
    "WITH RECURSIVE y AS (SELECT y.oid, y.typnamespace, y.typname, y.typtype FROM "
    "pg_catalog.pg_type y\n"
    "    WHERE y.typtype IN ('b', 'e', 'r', 'm') AND (y.typelem = 0 OR y.typlen <> -1) AND "
    "y.typname !~ '^reg'\n"
    "    UNION SELECT d.oid, d.typnamespace, d.typname, d.typtype FROM y JOIN pg_catalog.pg_type "
    "d\n"
    /* One key, so that it can be hashed: thousands of row types stand there, those of guards. */
    "    ON CASE WHEN d.typtype = 'd' THEN d.typbasetype WHEN d.typlen = -1 THEN d.typelem END = "
    "y.oid)\n"
    "SELECT n.nspname, y.typname, y.oid, COALESCE(\n"
    "    (SELECT CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN COALESCE((SELECT r.rngtypid FROM "
    "pg_catalog.pg_range r\n"
    "        WHERE r.rngmultitypid = t.typelem), t.typelem) END FROM pg_catalog.pg_type t WHERE "
    "t.oid = y.oid),\n"
    "    (SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = y.oid), y.oid)\n"
    "FROM y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace\n"
    "WHERE n.nspname <> 'pg_catalog' AND " REAL
    " ORDER BY n.nspname COLLATE \"C\", y.typname COLLATE \"C\"";

static const char operators_sql[] =
    "SELECT DISTINCT o.oprname COLLATE \"C\", NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type y\n"
    "    WHERE y.oid IN (o.oprleft, o.oprright)\n"
    "    AND y.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)\n"
    "FROM pg_catalog.pg_operator o WHERE o.oprnamespace <> 'pg_catalog'::pg_catalog.regnamespace\n"
    "ORDER BY 1, 2";

static const char schemas_sql[] = "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE " REAL
                                  " ORDER BY n.nspname COLLATE \"C\"";

struct loader {
    PGconn *conn;
    struct catalog_builder *builder;
    struct buf *why;
    bool locked_out; /* somebody alters what is read */
    bool apart;      /* definitions are read one by one (read_definition) */
    size_t unread_count;
    struct buf unread; /* names of views without one, some */
};

#define UNREAD_BYTES 200 /* about */

/* `result` may be NULL. */
static enum status upstream_failed(struct loader *loader, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    loader->locked_out = sqlstate != NULL && strcmp(sqlstate, "55P03") == 0;
    const char *message = PQerrorMessage(loader->conn);
    size_t len = strcspn(message, "\n");
    buf_append(loader->why, message, len);
    return ERR_UPSTREAM;
}

/* *result is the caller's to clear, on OK only. */
static enum status query(struct loader *loader, const char *sql, const char *parameter,
                         PGresult **result)
{
    *result = PQexecParams(loader->conn, sql, parameter == NULL ? 0 : 1, NULL,
                           parameter == NULL ? NULL : &parameter, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        return OK;
    }
    enum status failed = upstream_failed(loader, *result);
    PQclear(*result);
    *result = NULL;
    return failed;
}

static enum status command(struct loader *loader, const char *sql)
{
    PGresult *result = NULL;
    enum status status = query(loader, sql, NULL, &result);
    PQclear(result);
    return status;
}

static uint32_t oid_at(const PGresult *result, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static bool true_at(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static const char *text_at(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

/* "1,3" to numbers; a primary key has at most 32 columns. */
static size_t parse_key(const char *text, int16_t key[32])
{
    size_t count = 0;
    while (text != NULL && *text != '\0' && count < 32) {
        char *end = NULL;
        key[count++] = (int16_t)strtol(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return count;
}

/* The columns of the relation, which stand at *row and after; *row moves behind them. */
static size_t collect_columns(const PGresult *columns, uint32_t oid, int *row,
                              struct catalog_column *out, size_t cap)
{
    size_t count = 0;
    for (; *row < PQntuples(columns) && oid_at(columns, *row, 0) == oid && count < cap; (*row)++) {
        out[count++] = (struct catalog_column){
            .name = PQgetvalue(columns, *row, 1),
            .attnum = (int16_t)strtol(PQgetvalue(columns, *row, 2), NULL, 10),
            .type_oid = oid_at(columns, *row, 3),
            .type = PQgetvalue(columns, *row, 4),
            .base_type = PQgetvalue(columns, *row, 5),
            .not_null = true_at(columns, *row, 6),
            .has_default = true_at(columns, *row, 7),
            .generated = true_at(columns, *row, 8),
            .identity = true_at(columns, *row, 9),
            .operand = true_at(columns, *row, 10),
            .castable = true_at(columns, *row, 11),
            .default_expression = text_at(columns, *row, 12),
        };
    }
    return count;
}

/* The same for its constraints. */
static void add_constraints(struct loader *loader, const PGresult *constraints, uint32_t oid,
                            int *row)
{
    for (; *row < PQntuples(constraints) && oid_at(constraints, *row, 0) == oid; (*row)++) {
        int16_t key[32];
        char kind = PQgetvalue(constraints, *row, 2)[0];
        struct catalog_constraint constraint = {.name = PQgetvalue(constraints, *row, 1),
                                                .kind = kind == 'x'   ? CONSTRAINT_EXCLUSION
                                                        : kind == 'u' ? CONSTRAINT_UNIQUE
                                                                      : CONSTRAINT_SHARED,
                                                .columns = key,
                                                .column_count =
                                                    parse_key(text_at(constraints, *row, 3), key)};
        catalog_add_constraint(loader->builder, &constraint);
    }
}

/*
 * Where views are altered again and again, by many short transactions, each reading would meet one
 * of them. Under a savepoint a definition costs two messages, is given up for itself when its view
 * is locked, and leaves no lock behind: so such a reading ends, without the views that were locked
 * when it came to them. They are read again the next time. *result is the caller's to clear; NULL
 * where the definition could not be had.
 */
static enum status read_definition(struct loader *loader, const char *oid, PGresult **result)
{
    *result = PQexecParams(loader->conn, "SELECT pg_catalog.pg_get_viewdef($1::pg_catalog.oid)", 1,
                           NULL, &oid, NULL, NULL, 0);
    if (PQresultStatus(*result) != PGRES_TUPLES_OK) {
        PQclear(*result);
        *result = NULL;
    }
    enum status status = command(loader, "ROLLBACK TO SAVEPOINT definition");
    if (status != OK) {
        PQclear(*result);
        *result = NULL;
    }
    return status;
}

static void note_unread(struct loader *loader, const struct catalog_relation *relation)
{
    if (buf_len(&loader->unread) < UNREAD_BYTES) {
        buf_printf(&loader->unread, "%s%s.%s", loader->unread_count == 0 ? "" : ", ",
                   relation->schema, relation->name);
    }
    loader->unread_count++;
}

/* Adds it with what `relation` has so far; a view whose definition cannot be had has none. */
static enum status add_relation(struct loader *loader, const PGresult *relations, int row,
                                struct catalog_relation *relation)
{
    PGresult *result = NULL;
    enum status status = OK;
    if (loader->apart && true_at(relations, row, 14)) {
        status = read_definition(loader, PQgetvalue(relations, row, 0), &result);
        if (result != NULL && PQntuples(result) == 1) {
            relation->definition = text_at(result, 0, 0);
        }
    }
    if (status == OK && true_at(relations, row, 13) && relation->definition == NULL) {
        note_unread(loader, relation);
    }
    if (status == OK) {
        catalog_add_relation(loader->builder, relation);
    }
    PQclear(result);
    return status;
}

#define COLUMNS_MAX                                                                                \
    1664 /* PostgreSQL's own limits are 1600 for tables and 1664 for target lists                  \
          */

static enum status load_relations(struct loader *loader)
{
    PGresult *relations = NULL;
    PGresult *columns = NULL;
    PGresult *constraints = NULL;
    struct catalog_column *room = calloc(COLUMNS_MAX, sizeof(*room));
    enum status status = room == NULL
                             ? ERR_MEMORY
                             : query(loader, relations_sql, loader->apart ? "t" : "f", &relations);
    if (status == OK) {
        status = query(loader, columns_sql, NULL, &columns);
    }
    if (status == OK) {
        status = query(loader, constraints_sql, NULL, &constraints);
    }
    if (status == OK && loader->apart) {
        status = command(loader, "SAVEPOINT definition");
    }
    int at = 0;
    int constraint_at = 0;
    for (int row = 0; status == OK && row < PQntuples(relations); row++) {
        int16_t key[32];
        struct catalog_relation relation = {
            .oid = oid_at(relations, row, 0),
            .row_type_oid = oid_at(relations, row, 1),
            .row_array_oid = oid_at(relations, row, 10),
            .schema = PQgetvalue(relations, row, 2),
            .name = PQgetvalue(relations, row, 3),
            .kind = PQgetvalue(relations, row, 4)[0],
            .partition = true_at(relations, row, 5),
            .owner = PQgetvalue(relations, row, 7),
            .update_trigger = true_at(relations, row, 11),
            .function_count = oid_at(relations, row, 12),
            .definition = text_at(relations, row, 8),
            .columns = room,
            .primary_key = key,
            .primary_key_count = parse_key(text_at(relations, row, 9), key),
        };
        relation.column_count = collect_columns(columns, relation.oid, &at, room, COLUMNS_MAX);
        status = add_relation(loader, relations, row, &relation);
        add_constraints(loader, constraints, relation.oid, &constraint_at);
    }
    /* The queries have one order, so what is left over was read of a relation that is not there:
     * impossible. */
    if (status == OK && (at != PQntuples(columns) || constraint_at != PQntuples(constraints))) {
        buf_str(loader->why, "the catalog's columns do not match its relations");
        status = ERR_UPSTREAM;
    }
    if (status == OK && loader->unread_count > 0) {
        buf_byte(&loader->unread, '\0');
        catalog_set_unread(loader->builder, loader->unread_count,
                           loader->unread.failed ? "" : (const char *)buf_head(&loader->unread));
    }
    PQclear(relations);
    PQclear(columns);
    PQclear(constraints);
    free(room);
    return status;
}

/* There are few, if any. */
static bool is_stale(const PGresult *stale, uint32_t oid)
{
    for (int row = 0; row < PQntuples(stale); row++) {
        if (oid_at(stale, row, 0) == oid) {
            return true;
        }
    }
    return false;
}

static enum status load_guards(struct loader *loader, const char *digest)
{
    PGresult *result = NULL;
    PGresult *stale = NULL;
    const char **names = calloc(COLUMNS_MAX, sizeof(*names));
    int16_t *attnums = calloc(COLUMNS_MAX, sizeof(*attnums));
    enum status status = names == NULL || attnums == NULL ? ERR_MEMORY : OK;
    if (status == OK) {
        status = query(loader, guards_sql, digest, &result);
    }
    if (status == OK) {
        status = query(loader, stale_sql, digest, &stale);
    }
    if (status == OK && PQntuples(stale) > 0) {
        catalog_set_stale(loader->builder, (size_t)PQntuples(stale), PQgetvalue(stale, 0, 1));
    }
    for (int row = 0; status == OK && row < PQntuples(result);) {
        struct catalog_guard guard = {
            .pair = PQgetvalue(result, row, 0),
            .view = PQgetvalue(result, row, 1),
            .oid = oid_at(result, row, 2),
            .row_type_oid = oid_at(result, row, 3),
            .row_array_oid = oid_at(result, row, 8),
            .base_oid = oid_at(result, row, 4),
            .variant = (enum guard_variant)(PQgetvalue(result, row, 5)[0] - '0'),
            .columns = names,
            .base_attnums = attnums,
        };
        for (; row < PQntuples(result) && oid_at(result, row, 2) == guard.oid; row++) {
            if (text_at(result, row, 6) != NULL && guard.column_count < COLUMNS_MAX) {
                names[guard.column_count] = PQgetvalue(result, row, 6);
                attnums[guard.column_count++] =
                    (int16_t)strtol(PQgetvalue(result, row, 7), NULL, 10);
            }
        }
        if (!is_stale(stale, guard.oid)) {
            catalog_add_guard(loader->builder, &guard);
        }
    }
    PQclear(result);
    PQclear(stale);
    free(names);
    free(attnums);
    return status;
}

static enum status load_parents(struct loader *loader)
{
    PGresult *result = NULL;
    enum status status = query(loader, parents_sql, NULL, &result);
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        catalog_set_parent(loader->builder, oid_at(result, row, 0), oid_at(result, row, 1));
    }
    PQclear(result);
    return status;
}

static enum status load_names(struct loader *loader)
{
    PGresult *result = NULL;
    enum status status = query(loader, functions_sql, NULL, &result);
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        struct catalog_function function = {.schema = PQgetvalue(result, row, 0),
                                            .name = PQgetvalue(result, row, 1),
                                            .security_definer = true_at(result, row, 2),
                                            .aggregate = true_at(result, row, 5),
                                            .is_volatile = true_at(result, row, 4)};
        if (!true_at(result, row, 3) || !guard_function_listed(function.name))
            catalog_add_function(loader->builder, &function);
    }
    PQclear(result);
    result = NULL;
    if (status == OK) {
        status = query(loader, types_sql, NULL, &result);
    }
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        catalog_add_type(loader->builder, PQgetvalue(result, row, 0), PQgetvalue(result, row, 1),
                         oid_at(result, row, 2), oid_at(result, row, 3));
    }
    PQclear(result);
    result = NULL;
    if (status == OK) {
        status = query(loader, operators_sql, NULL, &result);
    }
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        if (true_at(result, row, 1)) {
            catalog_add_operator(loader->builder, PQgetvalue(result, row, 0));
        } else {
            catalog_add_typed_operator(loader->builder, PQgetvalue(result, row, 0));
        }
    }
    PQclear(result);
    result = NULL;
    if (status == OK) {
        status = query(loader, schemas_sql, NULL, &result);
    }
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        catalog_add_schema(loader->builder, PQgetvalue(result, row, 0));
    }
    PQclear(result);
    return status;
}

static bool named_by(const struct policy *policy, const char *schema, const char *name)
{
    for (size_t i = 0; i < policy->function_count; i++)
        if (strcmp(policy->functions[i].schema, schema) == 0 &&
            strcmp(policy->functions[i].name, name) == 0)
            return true;
    return false;
}

static enum status load_callables(struct loader *loader, const struct policy *policy)
{
    PGresult *result = NULL;
    enum status status = query(loader, callables_sql, NULL, &result);
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        uint32_t types[32];
        struct catalog_callable callable = {.oid = oid_at(result, row, 0),
                                            .schema = PQgetvalue(result, row, 1),
                                            .name = PQgetvalue(result, row, 2),
                                            .types = types};
        bool ours = strcmp(callable.schema, "pg_catalog") == 0;
        if (ours ? !judge_callable(callable.name)
                 : !named_by(policy, callable.schema, callable.name))
            continue;
        const char *at = PQgetvalue(result, row, 3);
        while (*at != '\0' && callable.type_count < 32) {
            char *end = NULL;
            types[callable.type_count++] = (uint32_t)strtoul(at, &end, 10);
            at = *end == ',' ? end + 1 : end;
        }
        catalog_add_callable(loader->builder, &callable);
    }
    PQclear(result);
    return status;
}

static enum status load_sequences(struct loader *loader)
{
    PGresult *result = NULL;
    enum status status = query(loader, sequences_sql, NULL, &result);
    for (int row = 0; status == OK && row < PQntuples(result); row++) {
        struct catalog_sequence sequence = {
            .schema = PQgetvalue(result, row, 0),
            .name = PQgetvalue(result, row, 1),
            .owner_oid = oid_at(result, row, 2),
            .owner_attnum = (int16_t)strtol(PQgetvalue(result, row, 3), NULL, 10)};
        catalog_add_sequence(loader->builder, &sequence);
    }
    PQclear(result);
    return status;
}

/* The generation stands when the catalog schema, which is finished last, says this policy's digest.
 */
static enum status load_generation(struct loader *loader, const struct policy *policy)
{
    struct arena *arena = catalog_builder_arena(loader->builder);
    const char *schema = guard_catalog_schema(policy, arena);
    PGresult *result = NULL;
    enum status status =
        schema == NULL ? ERR_MEMORY
                       : query(loader,
                               "SELECT pg_catalog.current_database(), "
                               "pg_catalog.current_setting('server_version_num'),\n"
                               "    (SELECT pg_catalog.obj_description(n.oid, 'pg_namespace')\n"
                               "     FROM pg_catalog.pg_namespace n WHERE n.nspname = $1),\n"
                               "    COALESCE((SELECT pg_catalog.max(CASE WHEN k.castsource < 16384 "
                               "AND k.casttarget < 16384 THEN 2 ELSE 1 END)\n"
                               "     FROM " CASTS "), 0)",
                               schema, &result);
    if (status != OK) {
        return status;
    }
    const char *comment = text_at(result, 0, 2);
    bool deployed = comment != NULL && strncmp(comment, "pgvigil ", 8) == 0 &&
                    strncmp(comment + 8, policy->digest, strlen(policy->digest)) == 0;
    catalog_set_database(loader->builder, PQgetvalue(result, 0, 0), oid_at(result, 0, 1),
                         deployed ? policy->digest : "");
    catalog_set_casts(loader->builder, (enum catalog_casts)oid_at(result, 0, 3));
    PQclear(result);
    return deployed ? load_guards(loader, policy->digest) : OK;
}

/*
 * pg_get_viewdef locks what the view reads, to the end of the transaction, and a migration locks
 * one table after the other: each may wait for the other, and PostgreSQL ends one of the two, who
 * must never be the migration. So a reading waits for far less than deadlock_timeout (1 s), gives
 * up all its locks, and begins again without the views of what is altered (`busy`); from the third
 * time on it reads each definition for itself (read_definition).
 */
static const char lock_timeout_sql[] = "SET LOCAL lock_timeout = '20ms'";
#define READINGS 20
#define APART    2 /* from this one on definitions are read one by one */

/* In a transaction, which it does not end. */
static enum status load_all(struct loader *loader, const struct policy *policy)
{
    enum status status = command(loader, "SET LOCAL search_path = ''");
    if (status == OK) {
        /* As it was when the guards were made: names in what they read are compared. */
        status = command(loader, "SET LOCAL quote_all_identifiers = off");
    }
    if (status == OK) {
        status = load_relations(loader);
    }
    if (status == OK) {
        status = load_parents(loader);
    }
    if (status == OK) {
        status = load_names(loader);
    }
    if (status == OK) {
        status = load_sequences(loader);
    }
    if (status == OK) {
        status = load_callables(loader, policy);
    }
    if (status == OK) {
        status = load_generation(loader, policy);
    }
    return status;
}

static enum status load_once(struct loader *loader, const struct policy *policy,
                             struct catalog **catalog)
{
    *catalog = NULL;
    loader->locked_out = false;
    loader->builder = catalog_builder_new();
    if (loader->builder == NULL) {
        buf_str(loader->why, "out of memory");
        return ERR_MEMORY;
    }
    loader->unread_count = 0;
    buf_clear(&loader->unread);
    bool own = PQtransactionStatus(loader->conn) == PQTRANS_IDLE;
    enum status status = OK;
    if (own) {
        status = command(loader, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        if (status == OK) {
            status = command(loader, lock_timeout_sql);
        }
    }
    if (status == OK) {
        status = load_all(loader, policy);
    }
    if (own) {
        /* Nothing was changed; a failure here is a lost connection, which the next use will tell.
         */
        PQclear(PQexec(loader->conn, "ROLLBACK"));
    } else {
        loader->locked_out = false; /* the transaction has failed, and is not ours to begin again */
    }
    struct catalog *made = NULL;
    enum status finished = catalog_finish(loader->builder, &made);
    if (status == OK && finished != OK) {
        buf_str(loader->why, "out of memory");
        status = finished;
    }
    if (status != OK) {
        catalog_unref(made);
        return status;
    }
    *catalog = made;
    return OK;
}

enum status catalog_load_conn(PGconn *conn, const struct policy *policy, struct catalog **catalog,
                              struct buf *why)
{
    struct buf told;
    buf_init(&told, 0);
    struct loader loader = {.conn = conn, .why = &told};
    buf_init(&loader.unread, 0);
    enum status status = load_once(&loader, policy, catalog);
    for (int reading = 1; loader.locked_out && reading < READINGS; reading++) {
        buf_clear(&told);
        loader.apart = reading >= APART;
        status = load_once(&loader, policy, catalog);
    }
    buf_append(why, buf_head(&told), buf_len(&told));
    buf_free(&told);
    buf_free(&loader.unread);
    return status;
}

enum status catalog_load(const char *conninfo, const struct policy *policy,
                         struct catalog **catalog, struct buf *why)
{
    *catalog = NULL;
    /* Before the conninfo, whose own beats it. A host that does not answer would hold the thread
     * that also takes up a new policy, and the end of the process. */
    static const char *const keywords[] = {"connect_timeout", "dbname", NULL};
    const char *values[] = {CONNECT_SECONDS, conninfo, NULL};
    PGconn *conn = PQconnectdbParams(keywords, values, 1);
    enum status status = ERR_UPSTREAM;
    if (conn == NULL) {
        buf_str(why, "out of memory");
        return ERR_MEMORY;
    }
    if (PQstatus(conn) != CONNECTION_OK) {
        const char *message = PQerrorMessage(conn);
        buf_append(why, message, strcspn(message, "\n"));
    } else {
        status = catalog_load_conn(conn, policy, catalog, why);
        /* Names are read as they are at this moment, the rest as of the snapshot: a guard that was
         * made again meanwhile looks stale. */
        if (status == OK && (*catalog)->stale_count > 0) {
            catalog_unref(*catalog);
            *catalog = NULL;
            status = catalog_load_conn(conn, policy, catalog, why);
        }
    }
    PQfinish(conn);
    return status;
}
