/*
 * guard_catalog_views.c: the built-in guards' texts.
 */
#include "guard_catalog.h"

static const struct guard_catalog_view views[] = {
    {"pg_catalog", "pg_class", "", ""},
    {"pg_catalog", "pg_attribute", "", ""},
    {"pg_catalog", "pg_namespace", "", ""},
    {"pg_catalog", "pg_type", "", ""},
    {"pg_catalog", "pg_proc", "", ""},
    {"pg_catalog", "pg_database", "", ""},
    {"pg_catalog", "pg_index", "", ""},
    {"pg_catalog", "pg_constraint", "", ""},
    {"pg_catalog", "pg_attrdef", "", ""},
    {"pg_catalog", "pg_inherits", "", ""},
    {"pg_catalog", "pg_description", "", ""},
    {"pg_catalog", "pg_shdescription", "", ""},
    {"pg_catalog", "pg_trigger", "", ""},
    {"pg_catalog", "pg_rewrite", "", ""},
    {"pg_catalog", "pg_policy", "", ""},
    {"pg_catalog", "pg_policies", "", ""},
    {"pg_catalog", "pg_sequence", "", ""},
    {"pg_catalog", "pg_sequences", "", ""},
    {"pg_catalog", "pg_partitioned_table", "", ""},
    {"pg_catalog", "pg_enum", "", ""},
    {"pg_catalog", "pg_language", "", ""},
    {"pg_catalog", "pg_tablespace", "", ""},
    {"pg_catalog", "pg_roles", "", ""},
    {"pg_catalog", "pg_user", "", ""},
    {"pg_catalog", "pg_group", "", ""},
    {"pg_catalog", "pg_auth_members", "", ""},
    {"pg_catalog", "pg_settings", "", ""},
    {"pg_catalog", "pg_tables", "", ""},
    {"pg_catalog", "pg_views", "", ""},
    {"pg_catalog", "pg_matviews", "", ""},
    {"pg_catalog", "pg_indexes", "", ""},
    {"pg_catalog", "pg_rules", "", ""},
    {"pg_catalog", "pg_extension", "", ""},
    {"pg_catalog", "pg_statistic_ext", "", ""},
    {"pg_catalog", "pg_publication", "", ""},
    {"pg_catalog", "pg_publication_rel", "", ""},
    {"pg_catalog", "pg_publication_namespace", "", ""},
    {"pg_catalog", "pg_publication_tables", "", ""},
    {"pg_catalog", "pg_foreign_table", "", ""},
    {"pg_catalog", "pg_foreign_server", "", ""},
    {"pg_catalog", "pg_foreign_data_wrapper", "", ""},
    {"pg_catalog", "pg_depend", "", ""},
    {"pg_catalog", "pg_event_trigger", "", ""},
    {"pg_catalog", "pg_default_acl", "", ""},
    {"information_schema", "tables", "", ""},
    {"information_schema", "columns", "", ""},
    {"information_schema", "schemata", "", ""},
    {"information_schema", "views", "", ""},
    {"information_schema", "key_column_usage", "", ""},
    {"information_schema", "table_constraints", "", ""},
    {"information_schema", "referential_constraints", "", ""},
    {"information_schema", "constraint_column_usage", "", ""},
    {"information_schema", "sequences", "", ""},
    {"information_schema", "routines", "", ""},
    {"information_schema", "information_schema_catalog_name", "", ""},
};

const struct guard_catalog_view *guard_catalog_views(size_t *count)
{
    *count = sizeof(views) / sizeof(views[0]);
    return views;
}
