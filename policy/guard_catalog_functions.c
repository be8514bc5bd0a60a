/*
 * guard_catalog_functions.c: the system information functions as a pair may call them.
 *
 * Purpose: pg_table_is_visible(), current_user, pg_get_constraintdef() and their like look past
 * views: they take any OID, or answer about the login. Those of the same name here answer for the
 * pair: what does not exist for it gives NULL (or the error that PostgreSQL gives for what does not
 * exist), names follow the session's own search path, and definitions that can quote values are
 * NULL.
 *
 * They run with the caller's rights and name everything in full, so a caller's search path means
 * nothing to them. Where a client may pass a table by name, there are forms for oid and for text,
 * never for regclass: turning a literal into a regclass would look the name up before the function
 * could say no. Nor does any of them return a reg* type: beside such a value, in CASE, UNION or an
 * array, a number that the client wrote becomes that type too and is shown as the name of whatever
 * has that OID.
 *
 * Trust boundary: clients call these with anything.
 */
#include "guard_catalog.h"

#define FUNCTION(signature, returns, body)                                                         \
    "CREATE FUNCTION @.\"" signature " RETURNS " returns                                           \
    " LANGUAGE sql STABLE PARALLEL SAFE AS $f$\n" body "\n$f$"
/* A scalar look-up. PL/pgSQL keeps its plan for the session; an SQL function that another one calls
 * is planned anew at each call, which took longer than everything else. */
#define LOOKUP(signature, returns, body)                                                           \
    PROCEDURAL(signature, returns, "BEGIN RETURN (\n" body "\n); END")
#define PROCEDURAL(signature, returns, body)                                                       \
    "CREATE FUNCTION @.\"" signature " RETURNS " returns " LANGUAGE plpgsql STABLE AS $f$\n" body  \
    "\n$f$"

#define PERSON     "pg_catalog.current_setting('pgvigil.u_name')::name"
#define IS_CLASS   "@.\"is_class\"($1)"
#define IS_TYPE    "@.\"is_type\"($1)"
#define IS_ROUTINE "(SELECT true FROM @.\"procedures\" k WHERE k.oid = $1 LIMIT 1)"
/* By place on the path alone: these kinds of objects hold nothing of anyone's. */
#define ON_PATH(name, catalog, schema_column)                                                      \
    LOOKUP(name "\"(oid)", "boolean",                                                              \
           "SELECT EXISTS (SELECT FROM @.\"path\" p WHERE p.oid = o." schema_column ")\n"          \
           "FROM pg_catalog." catalog " o WHERE o.oid = $1")
/* Is it the first of its name along the path, among what exists for the pair? In steps: what comes
 * of pg_catalog, by far the most, is answered without a look at the rest. */
#define IS_VISIBLE(name, catalog, schema_column, name_column, exists)                              \
    PROCEDURAL(name "\"(oid)", "boolean",                                                          \
               "DECLARE place pg_catalog.oid; called pg_catalog.name; mine bigint;\n"              \
               "BEGIN\n"                                                                           \
               "IF @.\"" exists "\"($1) IS NULL THEN RETURN NULL; END IF;\n"                       \
               "SELECT o." schema_column ", o." name_column " INTO place, called\n"                \
               "    FROM pg_catalog." catalog " o WHERE o.oid = $1;\n"                             \
               "mine := (SELECT p.pos FROM @.\"path\" p WHERE p.oid = place);\n"                   \
               "IF mine IS NULL OR mine = 0 THEN RETURN mine IS NOT NULL; END IF;\n"               \
               "RETURN NOT EXISTS (SELECT FROM @.\"path\" p JOIN pg_catalog." catalog " o\n"       \
               "    ON o." schema_column " = p.oid AND o." name_column " = called\n"               \
               "    WHERE p.pos < mine AND @.\"" exists "\"(o.oid));\n"                            \
               "END")
/* Of an expression that is text already, since a cast within it became a guard: nullif(x::regclass,
 * y::regclass)::regclass. What it names must exist for the pair. */
#define OUT_OF_TEXT(type)                                                                          \
    LOOKUP(type "_out\"(text)", "text", "SELECT @.\"" type "_out\"(@.\"" type "_in\"($1))")
#define ALWAYS_NULL(signature, returns) FUNCTION(signature, returns, "SELECT NULL::" returns)
/* One argument by OID and by name, both resolved for the pair. */
#define BY_OID_AND_NAME(name, returns)                                                             \
    ALWAYS_NULL(name "\"(oid)", returns), ALWAYS_NULL(name "\"(text)", returns)

/* The forms that say for whom: the person, or nobody. `object` is the type of what the right is on;
 * COLUMN also takes a column. */
#define FOR_WHOM(name, object)                                                                     \
    LOOKUP(name "\"(name, " object ", text)", "boolean",                                           \
           "SELECT @.\"" name "\"($2, $3) WHERE $1 = " PERSON),                                    \
        LOOKUP(name "\"(oid, " object ", text)", "boolean",                                        \
               "SELECT @.\"" name "\"($2, $3) WHERE @.\"pg_get_userbyid\"($1) = " PERSON)
#define FOR_WHOM_COLUMN(object, column)                                                            \
    LOOKUP("has_column_privilege\"(name, " object ", " column ", text)", "boolean",                \
           "SELECT @.\"has_column_privilege\"($2, $3, $4) WHERE $1 = " PERSON),                    \
        LOOKUP("has_column_privilege\"(oid, " object ", " column ", text)", "boolean",             \
               "SELECT @.\"has_column_privilege\"($2, $3, $4) WHERE @.\"pg_get_userbyid\"($1) "    \
               "= " PERSON)

static const char *const functions[] = {
    /* Does it exist for the pair? The views "classes" and "types" for one OID: true or NULL. */
    PROCEDURAL("is_class\"(oid)", "boolean",
               "DECLARE kind \"char\"; place pg_catalog.oid;\n"
               "BEGIN\n"
               "SELECT c.relkind, c.relnamespace INTO kind, place FROM pg_catalog.pg_class c WHERE "
               "c.oid = $1;\n"
               "IF kind IS NULL THEN RETURN NULL; END IF;\n"
               "IF kind IN ('r', 'v') AND place IN ('pg_catalog'::regnamespace, "
               "'information_schema'::regnamespace) THEN\n"
               "    RETURN true;\n"
               "END IF;\n"
               "IF kind IN ('r', 'p', 'v', 'm', 'f') THEN\n"
               "    RETURN (SELECT true FROM @.\"visible\" v WHERE v.oid = $1 LIMIT 1);\n"
               "END IF;\n"
               "RETURN (SELECT true FROM @.\"classes\" k WHERE k.oid = $1 LIMIT 1);\n"
               "END"),
    PROCEDURAL("is_type\"(oid)", "boolean",
               "DECLARE place pg_catalog.oid;\n"
               "BEGIN\n"
               "place := (SELECT y.typnamespace FROM pg_catalog.pg_type y WHERE y.oid = $1);\n"
               "IF place IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) THEN\n"
               "    RETURN true;\n"
               "END IF;\n"
               "RETURN (SELECT true FROM @.\"types\" k WHERE k.oid = $1 LIMIT 1);\n"
               "END"),

    /* Who and where */
    FUNCTION("current_user\"()", "name", "SELECT " PERSON),
    FUNCTION("session_user\"()", "name", "SELECT " PERSON),
    FUNCTION("user\"()", "name", "SELECT " PERSON),
    FUNCTION("current_role\"()", "name", "SELECT " PERSON),
    FUNCTION("current_catalog\"()", "name", "SELECT pg_catalog.current_database()"),
    LOOKUP("current_schemas\"(boolean)", "name[]",
           "SELECT ARRAY(SELECT p.nspname FROM @.\"path\" p JOIN @.\"schemas\" s ON s.oid = p.oid\n"
           "    WHERE p.pos > 0 OR $1 ORDER BY p.pos)"),
    LOOKUP("current_schema\"()", "name",
           "SELECT p.nspname FROM @.\"path\" p JOIN @.\"schemas\" s ON s.oid = p.oid\n"
           "WHERE p.pos > 0 ORDER BY p.pos LIMIT 1"),

    /* What was drawn last may be of a sequence that does not exist for the pair: PostgreSQL's own
     * refusal would name it. */
    "CREATE FUNCTION @.\"lastval\"() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $f$\n"
    "BEGIN RETURN pg_catalog.lastval();\n"
    "EXCEPTION WHEN insufficient_privilege THEN\n"
    "    RAISE EXCEPTION 'lastval is not yet defined in this session' USING ERRCODE = '55000';\n"
    "END $f$",

    /* Settings */
    PROCEDURAL("current_setting\"(text, boolean)", "text",
               "BEGIN\n"
               "CASE pg_catalog.lower($1)\n"
               "WHEN 'search_path' THEN RETURN (SELECT "
               "pg_catalog.string_agg(pg_catalog.quote_ident(u.name), ', ' ORDER BY u.pos)\n"
               "    FROM unnest(COALESCE(NULLIF(pg_catalog.current_setting('pgvigil.search_path', "
               "true), ''),\n"
               "    '{}')::text[]) WITH ORDINALITY u(name, pos));\n"
               "WHEN 'role', 'session_authorization' THEN RETURN " PERSON ";\n"
               "WHEN 'is_superuser' THEN RETURN 'off';\n"
               "ELSE NULL;\n"
               "END CASE;\n"
               "IF EXISTS (SELECT FROM @.\"settings\" s WHERE s.name = pg_catalog.lower($1)) THEN\n"
               "    RETURN pg_catalog.current_setting($1, $2);\n"
               "ELSIF $2 OR $1 IS NULL THEN\n"
               "    RETURN NULL;\n"
               "END IF;\n"
               "RAISE EXCEPTION 'unrecognized configuration parameter \"%\"', $1 USING ERRCODE = "
               "'42704';\n"
               "END"),
    LOOKUP("current_setting\"(text)", "text", "SELECT @.\"current_setting\"($1, false)"),

    /* Names of roles: the person, owners; never pgvigil's own */
    FUNCTION("pg_get_userbyid\"(oid)", "name",
             "SELECT CASE WHEN r.name = current_user THEN " PERSON "\n"
             "    WHEN r.name LIKE 'pgvigil%' THEN ('unknown (OID=' || $1::text || ')')::name\n"
             "    ELSE r.name END FROM (SELECT pg_catalog.pg_get_userbyid($1) AS name) r"),

    /* What a value is; not for a literal without a type. A whole row's type is the guard's own: its
     * number would tell how much was made in the database before it. */
    FUNCTION("pg_typeof\"(anyelement)", "text",
             "SELECT COALESCE(NULLIF(@.\"format_type\"(pg_catalog.pg_typeof($1)::pg_catalog.oid, "
             "NULL), '?\?\?'), 'record')"),

    /* Without the form for xid, which counts everybody's transactions. */
    FUNCTION("age\"(timestamptz)", "interval", "SELECT pg_catalog.age($1)"),
    FUNCTION("age\"(timestamp)", "interval", "SELECT pg_catalog.age($1)"),
    FUNCTION("age\"(timestamptz, timestamptz)", "interval", "SELECT pg_catalog.age($1, $2)"),
    FUNCTION("age\"(timestamp, timestamp)", "interval", "SELECT pg_catalog.age($1, $2)"),

    /* What is visible along the path */
    IS_VISIBLE("pg_table_is_visible", "pg_class", "relnamespace", "relname", "is_class"),
    IS_VISIBLE("pg_type_is_visible", "pg_type", "typnamespace", "typname", "is_type"),
    LOOKUP("pg_function_is_visible\"(oid)", "boolean",
           "SELECT COALESCE((SELECT p.pos FROM @.\"path\" p WHERE p.oid = f.pronamespace) = "
           "(SELECT min(p.pos)\n"
           "    FROM @.\"path\" p JOIN pg_catalog.pg_proc o ON o.pronamespace = p.oid AND "
           "o.proname = f.proname\n"
           "    AND o.proargtypes = f.proargtypes\n"
           "    WHERE (SELECT true FROM @.\"procedures\" k WHERE k.oid = o.oid LIMIT 1)), false)\n"
           "FROM pg_catalog.pg_proc f WHERE f.oid = $1 AND " IS_ROUTINE),
    ON_PATH("pg_operator_is_visible", "pg_operator", "oprnamespace"),
    ON_PATH("pg_opclass_is_visible", "pg_opclass", "opcnamespace"),
    ON_PATH("pg_opfamily_is_visible", "pg_opfamily", "opfnamespace"),
    ON_PATH("pg_conversion_is_visible", "pg_conversion", "connamespace"),
    ON_PATH("pg_collation_is_visible", "pg_collation", "collnamespace"),
    ON_PATH("pg_ts_parser_is_visible", "pg_ts_parser", "prsnamespace"),
    ON_PATH("pg_ts_dict_is_visible", "pg_ts_dict", "dictnamespace"),
    ON_PATH("pg_ts_template_is_visible", "pg_ts_template", "tmplnamespace"),
    ON_PATH("pg_ts_config_is_visible", "pg_ts_config", "cfgnamespace"),
    FUNCTION("pg_statistics_obj_is_visible\"(oid)", "boolean", "SELECT NULL::boolean"),

    /* Who else has temporary tables is nobody's business. */
    FUNCTION("pg_is_other_temp_schema\"(oid)", "boolean", "SELECT false WHERE $1 IS NOT NULL"),

    /* Names to OIDs and back: reg* casts */
    LOOKUP(
        "format_type\"(oid, integer)", "text",
        "SELECT CASE WHEN $1 IS NULL THEN NULL WHEN $1 = 0 THEN '-'\n"
        "    WHEN " IS_TYPE " IS NULL THEN '?\?\?'\n"
        "    ELSE (SELECT CASE WHEN n.nspname <> 'pg_catalog' AND @.\"pg_type_is_visible\"(e.oid)\n"
        "        THEN pg_catalog.substr(pg_catalog.format_type($1, $2),\n"
        "            pg_catalog.length(pg_catalog.quote_ident(n.nspname)) + 2)\n"
        "        ELSE pg_catalog.format_type($1, $2) END\n"
        "        FROM pg_catalog.pg_type y JOIN pg_catalog.pg_type e\n"
        "            ON e.oid = CASE WHEN y.typelem <> 0 AND y.typlen = -1 THEN y.typelem ELSE "
        "y.oid END\n"
        "        JOIN pg_catalog.pg_namespace n ON n.oid = e.typnamespace WHERE y.oid = $1) END"),
    LOOKUP("oidvectortypes\"(oidvector)", "text",
           "SELECT CASE WHEN $1 IS NOT NULL THEN (SELECT COALESCE(pg_catalog.string_agg(\n"
           "    @.\"format_type\"(a.t, NULL), ', ' ORDER BY a.pos), '')\n"
           "    FROM unnest($1::pg_catalog.oid[]) WITH ORDINALITY a(t, pos)) END"),
    LOOKUP("to_regclass\"(text)", "oid",
           "SELECT CASE pg_catalog.array_length(i.names, 1)\n"
           "WHEN 1 THEN (SELECT c.oid FROM @.\"path\" p JOIN "
           "pg_catalog.pg_class c\n"
           "    ON c.relnamespace = p.oid AND c.relname = i.names[1]\n"
           "    WHERE @.\"is_class\"(c.oid) ORDER BY p.pos "
           "LIMIT 1)\n"
           "WHEN 2 THEN (SELECT c.oid FROM pg_catalog.pg_namespace n JOIN "
           "pg_catalog.pg_class c\n"
           "    ON c.relnamespace = n.oid AND c.relname = i.names[2]\n"
           "    WHERE n.nspname = i.names[1] AND @.\"is_class\"(c.oid)) END\n"
           "FROM (SELECT pg_catalog.parse_ident($1) AS names) i"),
    PROCEDURAL("regclass_in\"(text)", "oid",
               "DECLARE found pg_catalog.oid;\n"
               "BEGIN\n"
               "IF $1 = '-' THEN RETURN 0::pg_catalog.oid; END IF;\n"
               "IF $1 ~ '^[0-9]+$' THEN RETURN $1::pg_catalog.oid; END IF;\n"
               "found := @.\"to_regclass\"($1);\n"
               "IF found IS NULL AND $1 IS NOT NULL THEN\n"
               "    RAISE EXCEPTION 'relation \"%\" does not exist',\n"
               "        pg_catalog.array_to_string(pg_catalog.parse_ident($1), '.') USING ERRCODE "
               "= '42P01';\n"
               "END IF;\n"
               "RETURN found;\n"
               "END"),
    LOOKUP(
        "regclass_out\"(oid)", "text",
        "SELECT CASE WHEN $1 = 0 THEN '-' ELSE COALESCE((SELECT CASE WHEN "
        "@.\"pg_table_is_visible\"($1) THEN ''\n"
        "    ELSE pg_catalog.quote_ident(n.nspname) || '.' END || "
        "pg_catalog.quote_ident(c.relname)\n"
        "    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
        "    WHERE c.oid = $1 AND " IS_CLASS "), $1::text) END"),
    PROCEDURAL(
        "to_regtype\"(text)", "oid",
        "DECLARE found pg_catalog.oid; place pg_catalog.name;\n"
        "BEGIN\n"
        "found := pg_catalog.to_regtype($1);\n"
        "FOR place IN SELECT p.nspname FROM @.\"path\" p WHERE p.pos > 0 ORDER BY p.pos LOOP\n"
        "    EXIT WHEN found IS NOT NULL;\n"
        "    found := pg_catalog.to_regtype(pg_catalog.quote_ident(place) || '.' || $1);\n"
        "END LOOP;\n"
        "RETURN (SELECT found WHERE @.\"is_type\"(found));\n"
        "END"),
    PROCEDURAL("regtype_in\"(text)", "oid",
               "DECLARE found pg_catalog.oid;\n"
               "BEGIN\n"
               "IF $1 = '-' THEN RETURN 0::pg_catalog.oid; END IF;\n"
               "IF $1 ~ '^[0-9]+$' THEN RETURN $1::pg_catalog.oid; END IF;\n"
               "found := @.\"to_regtype\"($1);\n"
               "IF found IS NULL AND $1 IS NOT NULL THEN\n"
               "    RAISE EXCEPTION 'type \"%\" does not exist', $1 USING ERRCODE = '42704';\n"
               "END IF;\n"
               "RETURN found;\n"
               "END"),
    LOOKUP("regtype_out\"(oid)", "text",
           "SELECT CASE WHEN @.\"format_type\"($1, NULL) = '?\?\?' THEN $1::text ELSE "
           "@.\"format_type\"($1, NULL) END"),
    PROCEDURAL(
        "regproc_in\"(text)", "oid",
        "DECLARE found pg_catalog.oid; place pg_catalog.name;\n"
        "BEGIN\n"
        "IF $1 = '-' THEN RETURN 0::pg_catalog.oid; END IF;\n"
        "IF $1 ~ '^[0-9]+$' THEN RETURN $1::pg_catalog.oid; END IF;\n"
        "found := pg_catalog.to_regproc($1);\n"
        "FOR place IN SELECT p.nspname FROM @.\"path\" p WHERE p.pos > 0 ORDER BY p.pos LOOP\n"
        "    EXIT WHEN found IS NOT NULL;\n"
        "    found := pg_catalog.to_regproc(pg_catalog.quote_ident(place) || '.' || $1);\n"
        "END LOOP;\n"
        "found := (SELECT k.oid FROM @.\"procedures\" k WHERE k.oid = found LIMIT 1);\n"
        "IF found IS NULL AND $1 IS NOT NULL THEN\n"
        "    RAISE EXCEPTION 'function \"%\" does not exist', $1 USING ERRCODE = '42883';\n"
        "END IF;\n"
        "RETURN found;\n"
        "END"),
    LOOKUP(
        "regproc_out\"(oid)", "text",
        "SELECT CASE WHEN $1 = 0 THEN '-' ELSE COALESCE((SELECT CASE WHEN "
        "@.\"pg_function_is_visible\"($1) THEN ''\n"
        "    ELSE pg_catalog.quote_ident(n.nspname) || '.' END || "
        "pg_catalog.quote_ident(f.proname)\n"
        "    FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace\n"
        "    WHERE f.oid = $1 AND " IS_ROUTINE "), $1::text) END"),
    LOOKUP(
        "regprocedure_out\"(oid)", "text",
        "SELECT CASE WHEN " IS_ROUTINE
        " THEN @.\"regproc_out\"($1) || '(' || (SELECT COALESCE(pg_catalog.string_agg(\n"
        "    @.\"format_type\"(a.t, NULL), ',' ORDER BY a.pos), '') FROM pg_catalog.pg_proc f\n"
        "    CROSS JOIN LATERAL unnest(f.proargtypes::pg_catalog.oid[]) WITH ORDINALITY a(t, pos)\n"
        "    WHERE f.oid = $1) || ')' ELSE $1::text END"),
    PROCEDURAL(
        "regprocedure_in\"(text)", "oid",
        "DECLARE found pg_catalog.oid; place pg_catalog.name;\n"
        "BEGIN\n"
        "IF $1 = '-' THEN RETURN 0::pg_catalog.oid; END IF;\n"
        "IF $1 ~ '^[0-9]+$' THEN RETURN $1::pg_catalog.oid; END IF;\n"
        /* Whether a type of its arguments exists must not be told from whether it does. */
        "BEGIN\n"
        "found := pg_catalog.to_regprocedure($1);\n"
        "FOR place IN SELECT p.nspname FROM @.\"path\" p WHERE p.pos > 0 ORDER BY p.pos LOOP\n"
        "    EXIT WHEN found IS NOT NULL;\n"
        "    found := pg_catalog.to_regprocedure(pg_catalog.quote_ident(place) || '.' || $1);\n"
        "END LOOP;\n"
        "EXCEPTION WHEN OTHERS THEN found := NULL;\n"
        "END;\n"
        "found := (SELECT k.oid FROM @.\"procedures\" k WHERE k.oid = found LIMIT 1);\n"
        "IF found IS NULL AND $1 IS NOT NULL THEN\n"
        "    RAISE EXCEPTION 'function \"%\" does not exist', $1 USING ERRCODE = '42883';\n"
        "END IF;\n"
        "RETURN found;\n"
        "END"),
    PROCEDURAL("regoperator_in\"(text)", "oid",
               "DECLARE found pg_catalog.oid;\n"
               "BEGIN\n"
               "IF $1 = '0' THEN RETURN 0::pg_catalog.oid; END IF;\n"
               "IF $1 ~ '^[0-9]+$' THEN RETURN $1::pg_catalog.oid; END IF;\n"
               "BEGIN found := pg_catalog.to_regoperator($1);\n"
               "EXCEPTION WHEN OTHERS THEN found := NULL;\n"
               "END;\n"
               "IF found IS NULL AND $1 IS NOT NULL THEN\n"
               "    RAISE EXCEPTION 'operator does not exist: %', $1 USING ERRCODE = '42883';\n"
               "END IF;\n"
               "RETURN found;\n"
               "END"),
    LOOKUP(
        "regoperator_out\"(oid)", "text",
        "SELECT CASE WHEN $1 = 0 THEN '0' ELSE COALESCE((SELECT CASE WHEN "
        "@.\"pg_operator_is_visible\"($1) THEN ''\n"
        "    ELSE pg_catalog.quote_ident(n.nspname) || '.' END || o.oprname || '('\n"
        "    || CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE @.\"format_type\"(o.oprleft, NULL) END "
        "|| ','\n"
        "    || CASE WHEN o.oprright = 0 THEN 'NONE' ELSE @.\"format_type\"(o.oprright, NULL) END "
        "|| ')'\n"
        "    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = "
        "o.oprnamespace\n"
        "    WHERE o.oid = $1), $1::text) END"),
    LOOKUP("to_regnamespace\"(text)", "oid",
           "SELECT s.oid FROM @.\"schemas\" s JOIN "
           "pg_catalog.pg_namespace n ON n.oid = s.oid\n"
           "WHERE ARRAY[n.nspname::text] = pg_catalog.parse_ident($1)"),
    PROCEDURAL("regnamespace_in\"(text)", "oid",
               "DECLARE found pg_catalog.oid;\n"
               "BEGIN\n"
               "IF $1 = '-' THEN RETURN 0::pg_catalog.oid; END IF;\n"
               "IF $1 ~ '^[0-9]+$' THEN RETURN $1::pg_catalog.oid; END IF;\n"
               "found := @.\"to_regnamespace\"($1);\n"
               "IF found IS NULL AND $1 IS NOT NULL THEN\n"
               "    RAISE EXCEPTION 'schema \"%\" does not exist', $1 USING ERRCODE = '3F000';\n"
               "END IF;\n"
               "RETURN found;\n"
               "END"),
    LOOKUP(
        "regnamespace_out\"(oid)", "text",
        "SELECT CASE WHEN $1 = 0 THEN '-' ELSE COALESCE((SELECT pg_catalog.quote_ident(n.nspname)\n"
        "    FROM @.\"schemas\" s JOIN pg_catalog.pg_namespace n ON n.oid = s.oid WHERE s.oid = "
        "$1), $1::text) END"),
    PROCEDURAL(
        "regrole_in\"(text)", "oid",
        "BEGIN\n"
        "IF $1 = '-' THEN RETURN 0::pg_catalog.oid; END IF;\n"
        "IF $1 ~ '^[0-9]+$' THEN RETURN $1::pg_catalog.oid; END IF;\n"
        "IF $1 IS NULL THEN RETURN NULL; END IF;\n"
        "IF pg_catalog.parse_ident($1) = ARRAY[" PERSON "::text] THEN\n"
        "    RETURN (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user);\n"
        "END IF;\n"
        "RAISE EXCEPTION 'role \"%\" does not exist', $1 USING ERRCODE = '42704';\n"
        "END"),
    LOOKUP("regrole_out\"(oid)", "text",
           "SELECT CASE WHEN $1 = 0 THEN '-' WHEN @.\"pg_get_userbyid\"($1) LIKE 'unknown "
           "(OID=%' THEN $1::text\n"
           "    ELSE pg_catalog.quote_ident(@.\"pg_get_userbyid\"($1)) END"),

    OUT_OF_TEXT("regclass"),
    OUT_OF_TEXT("regtype"),
    OUT_OF_TEXT("regproc"),
    OUT_OF_TEXT("regprocedure"),
    OUT_OF_TEXT("regoperator"),
    OUT_OF_TEXT("regnamespace"),
    OUT_OF_TEXT("regrole"),

    /* Definitions */
    LOOKUP(
        "pg_get_expr\"(pg_node_tree, oid, boolean)", "text",
        "SELECT CASE WHEN pg_catalog.pg_get_expr($1, $2) ~ '^nextval\\(''[^'']*''::regclass\\)$'\n"
        "    AND "
        "(SELECT true FROM @.\"visible\" k WHERE k.oid = $2 LIMIT 1)"
        "\n"
        "    THEN pg_catalog.pg_get_expr($1, $2, $3) END"),
    LOOKUP("pg_get_expr\"(pg_node_tree, oid)", "text", "SELECT @.\"pg_get_expr\"($1, $2, false)"),
    LOOKUP("pg_get_indexdef\"(oid, integer, boolean)", "text",
           "SELECT pg_catalog.pg_get_indexdef($1, $2, $3) WHERE (SELECT true FROM @.\"indexes\" "
           "i WHERE i.oid = $1 LIMIT 1)"),
    LOOKUP("pg_get_indexdef\"(oid)", "text",
           "SELECT pg_catalog.pg_get_indexdef($1) WHERE (SELECT true FROM @.\"indexes\" i WHERE "
           "i.oid = $1 LIMIT 1)"),
    LOOKUP(
        "pg_get_constraintdef\"(oid, boolean)", "text",
        "SELECT CASE WHEN k.confrelid = 0 THEN pg_catalog.pg_get_constraintdef($1, $2)\n"
        "    ELSE pg_catalog.replace(pg_catalog.pg_get_constraintdef($1, $2),\n"
        "        ' REFERENCES ' || pg_catalog.quote_ident(n.nspname) || '.' || "
        "pg_catalog.quote_ident(c.relname) || '(',\n"
        "        ' REFERENCES ' || @.\"regclass_out\"(c.oid) || '(') END\n"
        "FROM pg_catalog.pg_constraint k LEFT JOIN pg_catalog.pg_class c ON c.oid = k.confrelid\n"
        "LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
        "WHERE k.oid = $1 AND (SELECT true FROM @.\"constraints\" x WHERE x.oid = $1 LIMIT 1)"),
    LOOKUP("pg_get_constraintdef\"(oid)", "text", "SELECT @.\"pg_get_constraintdef\"($1, false)"),
    LOOKUP("pg_get_partkeydef\"(oid)", "text",
           "SELECT pg_catalog.pg_get_partkeydef($1)\n"
           "WHERE EXISTS (SELECT FROM @.\"pg_catalog.pg_partitioned_table\" p WHERE p.partrelid "
           "= $1)"),
    LOOKUP("pg_get_serial_sequence\"(text, text)", "text",
           "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(q.relname)\n"
           "FROM @.\"columns\" c JOIN pg_catalog.pg_depend d ON d.classid = "
           "'pg_catalog.pg_class'::pg_catalog.regclass\n"
           "    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = "
           "c.relid\n"
           "    AND d.refobjsubid = c.attnum AND d.deptype IN ('a', 'i')\n"
           "JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S'\n"
           "JOIN pg_catalog.pg_namespace n ON n.oid = q.relnamespace\n"
           "WHERE c.relid = @.\"regclass_in\"($1) AND c.attname = $2 LIMIT 1"),
    /* Of the system's own views and functions only. */
    LOOKUP("pg_get_viewdef\"(oid)", "text",
           "SELECT pg_catalog.pg_get_viewdef($1) WHERE $1 < 16384"),
    LOOKUP("pg_get_viewdef\"(oid, boolean)", "text",
           "SELECT pg_catalog.pg_get_viewdef($1, $2) WHERE $1 < 16384"),
    LOOKUP("pg_get_viewdef\"(oid, integer)", "text",
           "SELECT pg_catalog.pg_get_viewdef($1, $2) WHERE $1 < 16384"),
    LOOKUP("pg_get_viewdef\"(text)", "text",
           "SELECT @.\"pg_get_viewdef\"(@.\"regclass_in\"($1)::pg_catalog.oid)"),
    LOOKUP("pg_get_viewdef\"(text, boolean)", "text",
           "SELECT @.\"pg_get_viewdef\"(@.\"regclass_in\"($1)::pg_catalog.oid, $2)"),
    ALWAYS_NULL("pg_get_triggerdef\"(oid)", "text"),
    ALWAYS_NULL("pg_get_triggerdef\"(oid, boolean)", "text"),
    ALWAYS_NULL("pg_get_ruledef\"(oid)", "text"),
    ALWAYS_NULL("pg_get_ruledef\"(oid, boolean)", "text"),
    LOOKUP("pg_get_functiondef\"(oid)", "text",
           "SELECT pg_catalog.pg_get_functiondef($1) WHERE $1 < 16384 AND " IS_ROUTINE),
    ALWAYS_NULL("pg_get_function_sqlbody\"(oid)", "text"),
    ALWAYS_NULL("pg_get_partition_constraintdef\"(oid)", "text"),
    ALWAYS_NULL("pg_describe_object\"(oid, oid, integer)", "text"),
    ALWAYS_NULL("pg_tablespace_location\"(oid)", "text"),
    ALWAYS_NULL("pg_get_statisticsobjdef\"(oid)", "text"),
    ALWAYS_NULL("pg_get_statisticsobjdef_columns\"(oid)", "text"),
    FUNCTION("pg_get_function_result\"(oid)", "text",
             "SELECT pg_catalog.pg_get_function_result($1) WHERE " IS_ROUTINE),
    /* Without the defaults, which quote values. */
    FUNCTION("pg_get_function_arguments\"(oid)", "text",
             "SELECT pg_catalog.pg_get_function_identity_arguments($1) WHERE " IS_ROUTINE),
    FUNCTION("pg_get_function_identity_arguments\"(oid)", "text",
             "SELECT pg_catalog.pg_get_function_identity_arguments($1) WHERE " IS_ROUTINE),

    /* Descriptions */
    LOOKUP(
        "obj_description\"(oid, name)", "text",
        "SELECT CASE WHEN CASE $2\n"
        "    WHEN 'pg_class' THEN " IS_CLASS "\n"
        "    WHEN 'pg_type' THEN " IS_TYPE "\n"
        "    WHEN 'pg_proc' THEN (SELECT true FROM @.\"procedures\" k WHERE k.oid = $1 LIMIT 1)\n"
        "    WHEN 'pg_namespace' THEN (SELECT true FROM @.\"schemas\" k WHERE k.oid = $1 LIMIT 1)\n"
        "    WHEN 'pg_constraint' THEN (SELECT true FROM @.\"constraints\" k WHERE k.oid = $1 "
        "LIMIT 1)\n"
        "    ELSE $1 < 16384 END THEN pg_catalog.obj_description($1, $2) END"),
    LOOKUP(
        "obj_description\"(oid)", "text",
        "SELECT @.\"obj_description\"($1, c.relname) FROM pg_catalog.pg_description d\n"
        "JOIN pg_catalog.pg_class c ON c.oid = d.classoid WHERE d.objoid = $1 AND d.objsubid = 0\n"
        "ORDER BY @.\"obj_description\"($1, c.relname) LIMIT 1"),
    LOOKUP("col_description\"(oid, integer)", "text",
           "SELECT pg_catalog.col_description($1, $2)\n"
           "WHERE (SELECT true FROM @.\"columns\" k WHERE k.relid = $1 AND k.attnum = $2 LIMIT 1)\n"
           "OR (SELECT true FROM @.\"classes\" k WHERE k.oid = $1 AND k.what <> 'r' LIMIT 1)"),
    LOOKUP("shobj_description\"(oid, name)", "text",
           "SELECT d.description FROM @.\"pg_catalog.pg_shdescription\" d JOIN "
           "pg_catalog.pg_class k ON k.oid = "
           "d.classoid\n"
           "WHERE d.objoid = $1 AND k.relname = $2"),

    /* Partitions */
    FUNCTION("pg_partition_ancestors\"(oid)", "TABLE (relid oid)",
             "SELECT a.relid::pg_catalog.oid FROM pg_catalog.pg_partition_ancestors($1) a(relid)\n"
             "WHERE @.\"is_class\"(a.relid) AND " IS_CLASS),
    FUNCTION("pg_partition_ancestors\"(text)", "TABLE (relid oid)",
             "SELECT a.relid FROM "
             "@.\"pg_partition_ancestors\"(@.\"regclass_in\"($1)::pg_catalog.oid) a"),
    FUNCTION("pg_partition_tree\"(oid)",
             "TABLE (relid oid, parentrelid oid, isleaf boolean, level integer)",
             "SELECT a.relid::pg_catalog.oid, CASE WHEN @.\"is_class\"(a.parentrelid) THEN "
             "a.parentrelid::pg_catalog.oid END, a.isleaf, a.level\n"
             "FROM pg_catalog.pg_partition_tree($1) a WHERE @.\"is_class\"(a.relid) AND " IS_CLASS),
    FUNCTION("pg_partition_tree\"(text)",
             "TABLE (relid oid, parentrelid oid, isleaf boolean, level integer)",
             "SELECT a.* FROM @.\"pg_partition_tree\"(@.\"regclass_in\"($1)::pg_catalog.oid) a"),
    LOOKUP("pg_partition_root\"(oid)", "oid",
           "SELECT pg_catalog.pg_partition_root($1)::pg_catalog.oid WHERE " IS_CLASS
           " AND @.\"is_class\"(pg_catalog.pg_partition_root($1)::pg_catalog.oid)"),
    LOOKUP("pg_partition_root\"(text)", "oid",
           "SELECT @.\"pg_partition_root\"(@.\"regclass_in\"($1)::pg_catalog.oid)"),
    FUNCTION("pg_relation_is_publishable\"(oid)", "boolean", "SELECT false"),
    FUNCTION("pg_relation_is_publishable\"(text)", "boolean", "SELECT false"),

    /* Sizes do not exist */
    BY_OID_AND_NAME("pg_relation_size", "bigint"),
    ALWAYS_NULL("pg_relation_size\"(oid, text)", "bigint"),
    ALWAYS_NULL("pg_relation_size\"(text, text)", "bigint"),
    BY_OID_AND_NAME("pg_table_size", "bigint"),
    BY_OID_AND_NAME("pg_indexes_size", "bigint"),
    BY_OID_AND_NAME("pg_total_relation_size", "bigint"),
    BY_OID_AND_NAME("pg_database_size", "bigint"),
    BY_OID_AND_NAME("pg_tablespace_size", "bigint"),

    /* Rights: the guard's are the table's */
    LOOKUP("has_table_privilege\"(oid, text)", "boolean",
           "SELECT pg_catalog.has_table_privilege(COALESCE(v.guard, k.oid), $2)\n"
           "FROM @.\"classes\" k LEFT JOIN @.\"visible\" v ON v.oid = k.oid WHERE k.oid = $1 AND "
           "k.what IN ('r', 's')"),
    LOOKUP("has_table_privilege\"(text, text)", "boolean",
           "SELECT @.\"has_table_privilege\"(@.\"regclass_in\"($1)::pg_catalog.oid, $2)"),
    FOR_WHOM("has_table_privilege", "text"),
    FOR_WHOM("has_table_privilege", "oid"),
    LOOKUP("has_any_column_privilege\"(oid, text)", "boolean",
           "SELECT pg_catalog.has_any_column_privilege(v.guard, $2) FROM @.\"visible\" v WHERE "
           "v.oid = $1"),
    LOOKUP("has_any_column_privilege\"(text, text)", "boolean",
           "SELECT @.\"has_any_column_privilege\"(@.\"regclass_in\"($1)::pg_catalog.oid, $2)"),
    FOR_WHOM("has_any_column_privilege", "text"),
    FOR_WHOM("has_any_column_privilege", "oid"),
    LOOKUP(
        "has_column_privilege\"(oid, smallint, text)", "boolean",
        "SELECT pg_catalog.has_column_privilege(c.guard, c.guard_attnum, $3) FROM @.\"columns\" c\n"
        "WHERE c.relid = $1 AND c.attnum = $2"),
    LOOKUP(
        "has_column_privilege\"(oid, text, text)", "boolean",
        "SELECT pg_catalog.has_column_privilege(c.guard, c.guard_attnum, $3) FROM @.\"columns\" c\n"
        "WHERE c.relid = $1 AND c.attname = $2"),
    LOOKUP("has_column_privilege\"(text, text, text)", "boolean",
           "SELECT @.\"has_column_privilege\"(@.\"regclass_in\"($1)::pg_catalog.oid, $2, $3)"),
    LOOKUP("has_column_privilege\"(text, smallint, text)", "boolean",
           "SELECT @.\"has_column_privilege\"(@.\"regclass_in\"($1)::pg_catalog.oid, $2, $3)"),
    FOR_WHOM_COLUMN("text", "text"),
    FOR_WHOM_COLUMN("text", "smallint"),
    FOR_WHOM_COLUMN("oid", "text"),
    FOR_WHOM_COLUMN("oid", "smallint"),
    LOOKUP("has_schema_privilege\"(oid, text)", "boolean",
           "SELECT pg_catalog.upper($2) = 'USAGE' FROM @.\"schemas\" s WHERE s.oid = $1"),
    LOOKUP("has_schema_privilege\"(text, text)", "boolean",
           "SELECT @.\"has_schema_privilege\"(@.\"regnamespace_in\"($1)::pg_catalog.oid, $2)"),
    FOR_WHOM("has_schema_privilege", "text"),
    FOR_WHOM("has_schema_privilege", "oid"),
    FUNCTION(
        "has_database_privilege\"(oid, text)", "boolean",
        "SELECT pg_catalog.upper($2) = 'CONNECT' FROM pg_catalog.pg_database d WHERE d.oid = $1\n"
        "AND d.datname = pg_catalog.current_database()"),
    FUNCTION("has_database_privilege\"(text, text)", "boolean",
             "SELECT pg_catalog.upper($2) = 'CONNECT' WHERE $1 = pg_catalog.current_database()"),
    FOR_WHOM("has_database_privilege", "text"),
    FOR_WHOM("has_database_privilege", "oid"),
    FUNCTION("has_function_privilege\"(oid, text)", "boolean",
             "SELECT pg_catalog.has_function_privilege($1, $2) WHERE " IS_ROUTINE),
    LOOKUP("has_function_privilege\"(text, text)", "boolean",
           "SELECT @.\"has_function_privilege\"(@.\"regprocedure_in\"($1)::pg_catalog.oid, $2)"),
    FOR_WHOM("has_function_privilege", "text"),
    FOR_WHOM("has_function_privilege", "oid"),
    FUNCTION("pg_has_role\"(name, text)", "boolean", "SELECT $1 = " PERSON),
    LOOKUP("pg_has_role\"(oid, text)", "boolean", "SELECT @.\"pg_get_userbyid\"($1) = " PERSON),
    FUNCTION("pg_has_role\"(name, name, text)", "boolean",
             "SELECT $1 = " PERSON " AND $2 = " PERSON),
    LOOKUP("pg_has_role\"(name, oid, text)", "boolean",
           "SELECT $1 = " PERSON " AND @.\"pg_get_userbyid\"($2) = " PERSON),
    LOOKUP("pg_has_role\"(oid, name, text)", "boolean",
           "SELECT @.\"pg_get_userbyid\"($1) = " PERSON " AND $2 = " PERSON),
    LOOKUP("pg_has_role\"(oid, oid, text)", "boolean",
           "SELECT @.\"pg_get_userbyid\"($1) = " PERSON " AND @.\"pg_get_userbyid\"($2) = " PERSON),
};

const char *const *guard_catalog_functions(size_t *count)
{
    *count = sizeof(functions) / sizeof(functions[0]);
    return functions;
}
