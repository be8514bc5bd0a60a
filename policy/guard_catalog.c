/*
 * guard_catalog.c: what of the system catalogs exists for a pair.
 *
 * Purpose: the reviewed lists. A relation of pg_catalog or information_schema is closed unless it
 * stands here; OPEN ones hold nothing about anyone's tables or data (access methods, casts,
 * operators, text search); GUARDED ones have a view of the same name in the catalog schema
 * (guard_catalog_views.c) through which only the pair's own relations exist.
 *
 * Trust boundary: clients name these freely. What PostgreSQL adds in a later version is closed
 * until it was reviewed.
 */
#include "guard_catalog.h"

#include <pgvigil/guard.h>
#include <string.h>

/* Sorted; nothing that depends on a table, a role's secret or a statistic may be added. */
static const char *const open_catalogs[] = {
    "pg_aggregate",      "pg_am",          "pg_amop",          "pg_amproc",
    "pg_cast",           "pg_collation",   "pg_conversion",    "pg_opclass",
    "pg_operator",       "pg_opfamily",    "pg_range",         "pg_timezone_abbrevs",
    "pg_timezone_names", "pg_ts_config",   "pg_ts_config_map", "pg_ts_dict",
    "pg_ts_parser",      "pg_ts_template",
};

/*
 * Functions and SQL value functions that answer about relations, roles, settings or definitions:
 * the guard of the same name (guard_catalog_functions.c) answers for the pair. Sorted.
 */
static const char *const guard_functions[] = {
    "age",
    "col_description",
    "current_catalog",
    "current_role",
    "current_schema",
    "current_schemas",
    "current_setting",
    "current_user",
    "format_type",
    "has_any_column_privilege",
    "has_column_privilege",
    "has_database_privilege",
    "has_function_privilege",
    "has_schema_privilege",
    "has_table_privilege",
    "lastval",
    "obj_description",
    "oidvectortypes",
    "pg_collation_is_visible",
    "pg_conversion_is_visible",
    "pg_database_size",
    "pg_describe_object",
    "pg_function_is_visible",
    "pg_get_constraintdef",
    "pg_get_expr",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_partition_constraintdef",
    "pg_get_partkeydef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_statisticsobjdef",
    "pg_get_statisticsobjdef_columns",
    "pg_get_triggerdef",
    "pg_get_userbyid",
    "pg_get_viewdef",
    "pg_has_role",
    "pg_indexes_size",
    "pg_is_other_temp_schema",
    "pg_opclass_is_visible",
    "pg_operator_is_visible",
    "pg_opfamily_is_visible",
    "pg_partition_ancestors",
    "pg_partition_root",
    "pg_partition_tree",
    "pg_relation_is_publishable",
    "pg_relation_size",
    "pg_statistics_obj_is_visible",
    "pg_table_is_visible",
    "pg_table_size",
    "pg_tablespace_location",
    "pg_tablespace_size",
    "pg_total_relation_size",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible",
    "pg_type_is_visible",
    "pg_typeof",
    "session_user",
    "shobj_description",
    "to_regclass",
    "to_regnamespace",
    "to_regtype",
    "user",
};

static bool in_list(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

enum catalog_access guard_catalog_access(const char *schema, const char *relation)
{
    size_t count = 0;
    const struct guard_catalog_view *views = guard_catalog_views(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(views[i].schema, schema) == 0 && strcmp(views[i].name, relation) == 0) {
            return CATALOG_GUARDED;
        }
    }
    if (strcmp(schema, "pg_catalog") == 0 &&
        in_list(open_catalogs, sizeof(open_catalogs) / sizeof(open_catalogs[0]), relation)) {
        return CATALOG_OPEN;
    }
    return CATALOG_CLOSED;
}

bool guard_catalog_function(const char *name)
{
    return in_list(guard_functions, sizeof(guard_functions) / sizeof(guard_functions[0]), name);
}
