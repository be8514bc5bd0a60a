/*
 * type_oid.c: the OIDs of types that SQL names.
 *
 * SQL's PREPARE gives its parameters types by name, the protocol's Parse by OID; what is prepared
 * by SQL goes to the server as a Parse. Builtin types have the same OIDs in every PostgreSQL, those
 * of the database are in the snapshot.
 */
#include "judge_private.h"

#include <stdlib.h>
#include <string.h>

/* Those of types.c, by name. */
static const struct builtin {
    const char *name;
    uint32_t oid;
    uint32_t array; /* 0: there is none */
} builtins[] = {
    {"bit", 1560, 1561},
    {"bool", 16, 1000},
    {"box", 603, 1020},
    {"bpchar", 1042, 1014},
    {"bytea", 17, 1001},
    {"char", 18, 1002},
    {"cidr", 650, 651},
    {"circle", 718, 719},
    {"date", 1082, 1182},
    {"datemultirange", 4535, 6155},
    {"daterange", 3912, 3913},
    {"float4", 700, 1021},
    {"float8", 701, 1022},
    {"inet", 869, 1041},
    {"int2", 21, 1005},
    {"int2vector", 22, 1006},
    {"int4", 23, 1007},
    {"int4multirange", 4451, 6150},
    {"int4range", 3904, 3905},
    {"int8", 20, 1016},
    {"int8multirange", 4536, 6157},
    {"int8range", 3926, 3927},
    {"interval", 1186, 1187},
    {"json", 114, 199},
    {"jsonb", 3802, 3807},
    {"jsonpath", 4072, 4073},
    {"line", 628, 629},
    {"lseg", 601, 1018},
    {"macaddr", 829, 1040},
    {"macaddr8", 774, 775},
    {"money", 790, 791},
    {"name", 19, 1003},
    {"numeric", 1700, 1231},
    {"nummultirange", 4532, 6151},
    {"numrange", 3906, 3907},
    {"oid", 26, 1028},
    {"oidvector", 30, 1013},
    {"path", 602, 1019},
    {"pg_lsn", 3220, 3221},
    {"point", 600, 1017},
    {"polygon", 604, 1027},
    {"record", 2249, 2287},
    {"regconfig", 3734, 3735},
    {"regdictionary", 3769, 3770},
    {"text", 25, 1009},
    {"time", 1083, 1183},
    {"timestamp", 1114, 1115},
    {"timestamptz", 1184, 1185},
    {"timetz", 1266, 1270},
    {"tsmultirange", 4533, 6152},
    {"tsquery", 3615, 3645},
    {"tsrange", 3908, 3909},
    {"tstzmultirange", 4534, 6153},
    {"tstzrange", 3910, 3911},
    {"tsvector", 3614, 3643},
    {"unknown", 705, 0},
    {"uuid", 2950, 2951},
    {"varbit", 1562, 1563},
    {"varchar", 1043, 1015},
    {"void", 2278, 0},
    {"xml", 142, 143},
};

static int compare(const void *key, const void *entry)
{
    return strcmp(key, ((const struct builtin *)entry)->name);
}

static uint32_t builtin_oid(const char *name, bool array)
{
    bool underscore = name[0] == '_'; /* _int4 is int4[] */
    const struct builtin *found =
        bsearch(underscore ? name + 1 : name, builtins, sizeof(builtins) / sizeof(builtins[0]),
                sizeof(builtins[0]), compare);
    if (found == NULL)
        return 0;
    return array || underscore ? found->array : found->oid;
}

enum status judge_type_oid(struct judge *judge, const PgQuery__TypeName *type, uint32_t *oid)
{
    const struct catalog *catalog = judge->request->catalog;
    size_t at = type->location < 0 ? SIZE_MAX : (size_t)type->location;
    const char *schema = type->n_names == 2 ? tree_string(type->names[0]) : NULL;
    const char *name = type->n_names == 2 ? tree_string(type->names[1]) : NULL;
    bool array = type->n_array_bounds > 0;
    *oid = 0;
    if (schema != NULL && name != NULL && strcmp(schema, "pg_catalog") == 0)
        *oid = builtin_oid(name, array);
    else if (schema != NULL && name != NULL)
        *oid = catalog_type_oid(catalog, schema, array ? judge_format(judge, "_%s", name) : name);
    if (*oid != 0 && judge_parameter_type(catalog, judge->verdict->pair, *oid))
        return OK;
    return judge_deny(judge, "type", name == NULL ? "type" : name, at,
                      judge_format(judge, "a parameter of type \"%s%s\" is not available",
                                   name == NULL ? "" : name, array ? "[]" : ""));
}
