/*
 * types.c: names of types.
 *
 * Builtin types from the list below are written with pg_catalog; a type of the database may be
 * named when the snapshot has it as a domain or enum, never the row type of a relation (a cast to
 * one would read its shape). reg* types turn text into relations and roles and back: judged apart.
 * The same holds for the types that Parse gives parameters, which are OIDs and not in the text.
 */
#include "judge_private.h"

#include <stdlib.h>
#include <string.h>

/* Sorted. Values only: nothing that names an object, a role or a transaction. */
static const char *const builtin[] = {
    "bit",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "char",
    "cidr",
    "circle",
    "date",
    "datemultirange",
    "daterange",
    "float4",
    "float8",
    "inet",
    "int2",
    "int2vector",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "oid",
    "oidvector",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "record",
    "regconfig",
    "regdictionary",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "unknown",
    "uuid",
    "varbit",
    "varchar",
    "void",
    "xml",
};

/* The OIDs of the same types and of their arrays, which are the same in every PostgreSQL. Sorted.
 * Not regconfig and regdictionary: a parameter is a value. */
static const uint32_t builtin_oids[] = {
    16,   17,   18,   19,   20,   21,   22,   23,   25,   26,   30,   114,  142,  143,  199,
    600,  601,  602,  603,  604,  628,  629,  650,  651,  700,  701,  705,  718,  719,  774,
    775,  790,  791,  829,  869,  1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1013, 1014,
    1015, 1016, 1017, 1018, 1019, 1020, 1021, 1022, 1027, 1028, 1040, 1041, 1042, 1043, 1082,
    1083, 1114, 1115, 1182, 1183, 1184, 1185, 1186, 1187, 1231, 1266, 1270, 1560, 1561, 1562,
    1563, 1700, 2249, 2278, 2287, 2950, 2951, 3614, 3615, 3643, 3645, 3802, 3807, 3904, 3905,
    3906, 3907, 3908, 3909, 3910, 3911, 3912, 3913, 3926, 3927, 4072, 4073, 4451, 4532, 4533,
    4534, 4535, 4536, 6150, 6151, 6152, 6153, 6155, 6157};

static int compare(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

static bool builtin_allowed(const char *name)
{
    const char *element = name[0] == '_' ? name + 1 : name; /* _int4 is int4[] */
    return bsearch(element, builtin, sizeof(builtin) / sizeof(builtin[0]), sizeof(builtin[0]),
                   compare) != NULL;
}

bool judge_builtin_type(const char *name)
{
    static const char *const others[] = {
        "aclitem",      "anyarray",     "anyelement",  "cid",         "cstring",
        "internal",     "pg_node_tree", "pg_snapshot", "refcursor",   "regclass",
        "regcollation", "regnamespace", "regoper",     "regoperator", "regproc",
        "regprocedure", "regrole",      "regtype",     "tid",         "txid_snapshot",
        "trigger",      "xid",          "xid8"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(others[i], name) == 0)
            return true;
    }
    return builtin_allowed(name);
}

static enum status refuse(struct judge *judge, const char *name, size_t at)
{
    return judge_deny(judge, "type", name, at,
                      judge_format(judge, "type \"%s\" is not available", name));
}

/* The schema of a type of the database along the path, or NULL. */
static const char *schema_of(const struct judge *judge, const char *name)
{
    const struct judge_request *request = judge->request;
    for (size_t i = 0; i < request->path_count; i++) {
        if (catalog_has_type(request->catalog, request->path[i], name))
            return request->path[i];
    }
    return NULL;
}

static bool closed_schema(const char *schema)
{
    return strcmp(schema, "pg_catalog") == 0 || strncmp(schema, "pg_", 3) == 0 ||
           strncmp(schema, "pgvigil:", 8) == 0;
}

/* Puts `prefix` before the type's first name, in the text and in the tree. */
static enum status qualify(struct judge *judge, PgQuery__TypeName *type, const char *schema,
                           size_t at)
{
    if (at == SIZE_MAX || scan_find(&judge->tokens, at) == SIZE_MAX)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "type", at,
                            "the name of a type was not found in the text");
    const char *quoted = strcmp(schema, "pg_catalog") == 0 ? schema : rewrite_quote(judge, schema);
    const char *text = quoted == NULL ? NULL : judge_format(judge, "%s.", quoted);
    enum status status = rewrite_edit(judge, at, 0, text);
    if (status == OK && tree_insert(judge->arena, &type->names, &type->n_names, 0,
                                    tree_new_string(judge->arena, schema)) != OK)
        return judge_no_memory(judge);
    return status;
}

static enum status named(struct judge *judge, PgQuery__TypeName *type, size_t at)
{
    const struct catalog *catalog = judge->request->catalog;
    const char *name = tree_string(type->names[type->n_names - 1]);
    const char *schema = type->n_names == 2 ? tree_string(type->names[0]) : NULL;
    if (name == NULL || type->n_names > 2 || (type->n_names == 2 && schema == NULL))
        return refuse(judge, name == NULL ? "" : name, at);
    bool builtin_schema = schema == NULL || strcmp(schema, "pg_catalog") == 0;
    if (builtin_schema && builtin_allowed(name))
        return schema == NULL ? qualify(judge, type, "pg_catalog", at) : OK;
    const char *where = schema == NULL ? schema_of(judge, name) : schema;
    if (where == NULL || closed_schema(where) || !catalog_has_type(catalog, where, name) ||
        catalog_find(catalog, where, name) != NULL)
        return refuse(judge, name, at);
    /* enum_range(NULL::hidden) lists its labels, 'x'::hidden tells what a domain's CHECK says. */
    if (!catalog_pair_has_type(catalog, judge->verdict->pair, where, name)) {
        enum status status = refuse(judge, name, at);
        judge_hint(judge, "No column that is shown is of that type.");
        return status;
    }
    judge->foreign_type = judge->castable = true;
    return schema == NULL ? qualify(judge, type, where, at) : OK;
}

enum status judge_type(struct judge *judge, PgQuery__TypeName *type)
{
    size_t at = type->location < 0 ? SIZE_MAX : (size_t)type->location;
    if (type->n_names == 0 || type->type_oid != 0 || type->setof || type->pct_type)
        return judge_refuse(judge, DENIED, "0A000", "type", "type", at,
                            "this form of type is not supported");
    enum status status = named(judge, type, at);
    if (status == OK)
        status = judge_walk_list(judge, type->typmods, type->n_typmods);
    return status == OK ? judge_walk_list(judge, type->array_bounds, type->n_array_bounds) : status;
}

enum status judge_cast(struct judge *judge, PgQuery__TypeCast *cast, PgQuery__Node *node)
{
    bool done = false;
    enum status status = judge_reg_cast(judge, cast, node, &done);
    return status != OK || done ? status : judge_walk_children(judge, &cast->base);
}

static int compare_oid(const void *key, const void *entry)
{
    uint32_t a = *(const uint32_t *)key;
    uint32_t b = *(const uint32_t *)entry;
    return a < b ? -1 : a > b;
}

/*
 * Attacks: a parameter of a reg* type is looked up by name; one of a table's row type is expanded
 * by
 * ($1).* into the columns of a table that is hidden; an error tells which OIDs are types.
 */
bool judge_parameter_type(const struct catalog *catalog, const char *pair, uint32_t oid)
{
    return oid == 0 ||
           bsearch(&oid, builtin_oids, sizeof(builtin_oids) / sizeof(builtin_oids[0]),
                   sizeof(builtin_oids[0]), compare_oid) != NULL ||
           (catalog != NULL && pair != NULL && catalog_pair_has_type_oid(catalog, pair, oid));
}
