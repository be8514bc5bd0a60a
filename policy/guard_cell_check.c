/*
 * guard_cell_check.c: what deploy asks PostgreSQL about the cells of a cube (see guard_cell.h).
 *
 * Purpose: what a client may set must not change cells: a mask that cuts a timestamptz by years
 * cuts it otherwise in another time zone, and a number before and one after tell of who was born
 * that night. So the expressions of a cube may call nothing that PostgreSQL itself does not call
 * immutable, but for the time and what pgvigil sets; nor turn values into texts, or back, by what a
 * setting says. And no row may be in two tables of the cube, where it would be in the cells of
 * both.
 *
 * How: a view of the expressions is made, its tree is read as PostgreSQL has understood it, and the
 * view is gone again at once: three statements in deploy's transaction, of which the second fails
 * and takes the deploy with it.
 *
 * Trust boundary: names come from the policy and the database, and are quoted here. A cast that is
 * not understood in the tree is refused.
 *
 * Ownership: the statements stand in the caller's arena.
 */
#include "guard_cell.h"

#include <pgvigil/text.h>

static const char cube_check[] =
    "DECLARE tree pg_catalog.text; found pg_catalog.text;\n"
    "BEGIN\n"
    /* With what views below it say. */
    "WITH RECURSIVE v(oid) AS (SELECT %s::pg_catalog.regclass::pg_catalog.oid UNION SELECT c.oid "
    "FROM v JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid CROSS JOIN LATERAL "
    "pg_catalog.regexp_matches(r.ev_action::pg_catalog.text, ':relid ([0-9]+)', 'g') m JOIN "
    "pg_catalog.pg_class c ON c.oid = m[1]::pg_catalog.oid AND c.relkind = 'v')\n"
    "SELECT pg_catalog.string_agg(r.ev_action::pg_catalog.text, ' ') INTO tree FROM v JOIN "
    "pg_catalog.pg_rewrite r ON r.ev_class = v.oid;\n"
    "WITH RECURSIVE called AS (SELECT m[1]::pg_catalog.oid AS oid FROM "
    "pg_catalog.regexp_matches(tree, "
    "':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') m\n"
    "    UNION SELECT o.oprcode FROM pg_catalog.regexp_matches(tree, ':opno ([0-9]+)', 'g') m "
    "JOIN pg_catalog.pg_operator o ON o.oid = m[1]::pg_catalog.oid),\n"
    "cast_from AS (SELECT m[1]::pg_catalog.oid AS oid FROM pg_catalog.regexp_matches(tree, "
    "'COERCEVIAIO :arg [{](?:VAR :varno [0-9]+ :varattno -?[0-9]+ :vartype|FUNCEXPR :funcid [0-9]+ "
    ":funcresulttype|OPEXPR :opno [0-9]+ :opfuncid [0-9]+ :opresulttype|CONST :consttype) "
    "([0-9]+)', 'g') m),\n"
    "cast_to AS (SELECT m[1]::pg_catalog.oid AS oid FROM pg_catalog.regexp_matches(tree, "
    "':resulttype ([0-9]+) :resultcollid [0-9]+ :coerceformat', 'g') m),\n"
    /* Arrays and domains are what they are made of. */
    "made(of, oid, way) AS (SELECT c.oid, c.oid, 'out' FROM cast_from c UNION SELECT c.oid, c.oid, "
    "'in' FROM cast_to c UNION SELECT made.of, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE "
    "t.typelem END, made.way FROM made JOIN pg_catalog.pg_type t ON t.oid = made.oid WHERE "
    "t.typtype = 'd' OR t.typcategory = 'A'),\n"
    "types AS (SELECT made.of, CASE WHEN made.way = 'out' THEN t.typoutput ELSE t.typinput END AS "
    "via, t.typname FROM made JOIN pg_catalog.pg_type t ON t.oid = made.oid WHERE t.typtype NOT IN "
    "('d', 'e') AND t.typcategory <> 'A')\n"
    "SELECT pg_catalog.string_agg(what, ', ') INTO found FROM (\n"
    "    SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text AS what FROM called c JOIN "
    "pg_catalog.pg_proc p ON p.oid = c.oid WHERE p.provolatile <> 'i' AND NOT (p.pronamespace = "
    "'pg_catalog'::pg_catalog.regnamespace AND (p.proname IN ('current_setting', 'now', "
    "'transaction_timestamp', 'statement_timestamp', 'convert_to', 'convert_from') OR (p.proname = "
    "'date_trunc' AND p.pronargs = 3)))\n"
    "    UNION SELECT 'a cast by the text of ' || t.of::pg_catalog.regtype::pg_catalog.text FROM "
    "types t JOIN pg_catalog.pg_proc p ON p.oid = t.via WHERE p.provolatile <> 'i' OR t.typname IN "
    "('float4', 'float8', 'interval', 'bytea', 'money')\n"
    "    UNION SELECT 'a cast by a text' WHERE (SELECT count(*) FROM "
    "pg_catalog.regexp_matches(tree, 'COERCEVIAIO', 'g')) > (SELECT count(*) FROM cast_from)\n"
    "    UNION SELECT 'current_date, current_time, localtime or localtimestamp' FROM "
    "pg_catalog.regexp_matches(tree, 'SQLVALUEFUNCTION :op ([0-9]+)', 'g') m WHERE m[1]::int IN "
    "(0, 1, 2, 5, 6, 7, 8)\n"
    "    UNION SELECT 'a comparison of rows' WHERE tree ~ '[{]ROWCOMPAREEXPR'\n"
    "    UNION SELECT 'XML' WHERE tree ~ '[{]XMLEXPR') f;\n"
    "IF found IS NOT NULL THEN RAISE EXCEPTION USING MESSAGE = %s || found, HINT = %s; END IF;\n"
    /* A child of two tables is in the cells of both. */
    "WITH RECURSIVE below(oid) AS (SELECT m[1]::pg_catalog.oid FROM "
    "pg_catalog.regexp_matches(tree, ':relid ([0-9]+)', 'g') m UNION SELECT i.inhrelid FROM below "
    "b JOIN pg_catalog.pg_inherits i ON i.inhparent = b.oid)\n"
    "SELECT pg_catalog.string_agg(DISTINCT b.oid::pg_catalog.regclass::pg_catalog.text, ', ') INTO "
    "found FROM below b WHERE (SELECT count(*) FROM pg_catalog.pg_inherits i WHERE i.inhrelid = "
    "b.oid) > 1;\n"
    "IF found IS NOT NULL THEN RAISE EXCEPTION USING MESSAGE = %s || found; END IF;\n"
    "END";

static const char hint[] =
    "Say in the masks, filters and rights of the mission which time zone and which format are "
    "meant: (:col AT TIME ZONE 'Europe/Paris'), extract(year from ...), make_date(...).";

/* "TABLE is read in mission M, which is aggregate_only, and WHAT", as a literal. */
static const char *told(const struct policy *policy, const struct guard_view *view,
                        const char *what, struct arena *arena)
{
    const char *text = arena_printf(
        arena, "%s.%s is read in mission \"%s\", which is aggregate_only, and %s",
        view->relation->schema, view->relation->name, policy->missions[view->mission].name, what);
    return text == NULL ? NULL : text_literal(arena, text);
}

static const char *block(const struct policy *policy, const struct guard_view *view,
                         const char *name, struct arena *arena)
{
    const char *cells = text_literal(arena, name);
    const char *settings =
        told(policy, view, "what is said of it follows settings that a client can change: ", arena);
    const char *advice = text_literal(arena, hint);
    const char *children =
        told(policy, view, "has below it what is a child of several tables: ", arena);
    if (cells == NULL || settings == NULL || advice == NULL || children == NULL)
        return NULL;
    const char *body = arena_printf(arena, cube_check, cells, settings, advice, children);
    const char *quoted = body == NULL ? NULL : text_literal(arena, body);
    return quoted == NULL ? NULL : arena_printf(arena, "DO %s", quoted);
}

enum status guard_cell_check(const struct policy *policy, const struct catalog *catalog,
                             const struct guard_view *view, struct arena *arena,
                             const char *sql[GUARD_CELL_CHECK])
{
    const char *body = NULL;
    const char *why = NULL;
    enum status status = guard_cube_definition(policy, catalog, view->role, view->mission,
                                               view->relation, arena, &body, &why);
    if (status != OK)
        return status;
    const char *cells = arena_printf(arena, "%s!cells", view->relation->name);
    const char *name = cells == NULL ? NULL : text_qualified(arena, view->pair, cells);
    if (name == NULL)
        return ERR_MEMORY;
    sql[0] = arena_printf(arena, "CREATE VIEW %s AS\n%s", name, body);
    sql[1] = block(policy, view, name, arena);
    sql[2] = arena_printf(arena, "DROP VIEW %s", name);
    return sql[0] == NULL || sql[1] == NULL || sql[2] == NULL ? ERR_MEMORY : OK;
}
