/*
 * ddl.c: which statements of an unrestricted role meet the guards (see ddl.h).
 *
 * What is not listed runs as it is: at worst PostgreSQL refuses it because a guard depends on
 * something, or a guard is found stale when the catalogs are read the next time. Nothing here
 * decides about anyone's access.
 *
 * Trust boundary: the text is an unrestricted client's; it is only read. Names from it are quoted.
 */
#include "tree.h"

#include <pgvigil/ddl.h>
#include <pgvigil/text.h>
#include <string.h>

struct reading {
    struct arena *arena;
    struct ddl *ddl;
    struct ddl_target *targets;
    size_t count, cap;
    bool failed;
};

bool ddl_tag(const char *tag)
{
    static const char *const words[] = {"ALTER", "CREATE", "DROP", "DO", "CALL", "IMPORT"};
    size_t len = strcspn(tag, " ");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == len && strncmp(tag, words[i], len) == 0)
            return true;
    return false;
}

/* ---- targets ---- */

static void target(struct reading *reading, enum ddl_object object, const char *schema,
                   const char *name)
{
    struct ddl_target *grown =
        arena_grow(reading->arena, reading->targets, reading->count, &reading->cap, sizeof(*grown));
    if (grown == NULL) {
        reading->failed = true;
        return;
    }
    reading->targets = grown;
    grown[reading->count++] =
        (struct ddl_target){.object = object,
                            .schema = schema == NULL || *schema == '\0' ? NULL : schema,
                            .name = name};
}

static void range(struct reading *reading, const PgQuery__RangeVar *relation)
{
    if (relation != NULL)
        target(reading, DDL_RELATION, relation->schemaname, relation->relname);
}

/* The last two of a qualified name; another database's name before them is PostgreSQL's to refuse.
 */
static void names(struct reading *reading, enum ddl_object object, PgQuery__Node *const *nodes,
                  size_t count)
{
    const char *name = count == 0 ? NULL : tree_string(nodes[count - 1]);
    if (name != NULL)
        target(reading, object, count < 2 ? NULL : tree_string(nodes[count - 2]), name);
}

static void object_name(struct reading *reading, enum ddl_object object, const PgQuery__Node *node)
{
    if (node == NULL)
        return;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_LIST:
        names(reading, object, node->list->items, node->list->n_items);
        break;
    case PG_QUERY__NODE__NODE_TYPE_NAME:
        names(reading, object, node->type_name->names, node->type_name->n_names);
        break;
    case PG_QUERY__NODE__NODE_OBJECT_WITH_ARGS:
        names(reading, object, node->object_with_args->objname, node->object_with_args->n_objname);
        break;
    case PG_QUERY__NODE__NODE_STRING:
        target(reading, object, NULL, tree_string(node));
        break;
    default:
        break;
    }
}

/* What kind of object a guard can depend on is that? false: none. With *known false it can, and is
 * not looked up beforehand (operators, collations: PostgreSQL's own error stands). */
static bool guarded_object(int type, enum ddl_object *object, bool *known)
{
    *known = true;
    switch (type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
    case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN:
    case PG_QUERY__OBJECT_TYPE__OBJECT_ATTRIBUTE:
        *object = DDL_RELATION;
        return true;
    case PG_QUERY__OBJECT_TYPE__OBJECT_TYPE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN:
        *object = DDL_TYPE;
        return true;
    case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION:
    case PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE:
        *object = DDL_FUNCTION;
        return true;
    case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA:
        *object = DDL_SCHEMA;
        return true;
    case PG_QUERY__OBJECT_TYPE__OBJECT_EXTENSION:
        *object = DDL_EXTENSION;
        return true;
    case PG_QUERY__OBJECT_TYPE__OBJECT_CAST:
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLLATION:
    case PG_QUERY__OBJECT_TYPE__OBJECT_FDW:
    case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_SERVER:
    case PG_QUERY__OBJECT_TYPE__OBJECT_LANGUAGE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_OPERATOR:
        *known = false;
        return true;
    default:
        return false;
    }
}

/* ---- statements ---- */

/* Does it change what a guard is made of, or may be one's column? Constraints, triggers, storage,
 * owners are none of that. */
static bool alters_guards(int subtype)
{
    switch (subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ColumnDefault:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddInherit:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropInherit:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartitionFinalize:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddIdentity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetIdentity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropIdentity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropExpression:
        return true;
    default:
        return false;
    }
}

static void read_alter_table(struct reading *reading, const PgQuery__AlterTableStmt *statement)
{
    bool changes = false;
    for (size_t i = 0; i < statement->n_cmds; i++) {
        const PgQuery__Node *node = statement->cmds[i];
        if (node->node_case != PG_QUERY__NODE__NODE_ALTER_TABLE_CMD ||
            !alters_guards((int)node->alter_table_cmd->subtype))
            continue;
        changes = true;
        const PgQuery__Node *def = node->alter_table_cmd->def;
        if (def == NULL)
            continue;
        if (def->node_case == PG_QUERY__NODE__NODE_PARTITION_CMD) {
            reading->ddl->alone = reading->ddl->alone || def->partition_cmd->concurrent;
            range(reading, def->partition_cmd->name);
        } else if (def->node_case == PG_QUERY__NODE__NODE_RANGE_VAR) {
            range(reading, def->range_var); /* INHERIT */
        }
    }
    if (!changes)
        return;
    reading->ddl->changes = true;
    range(reading, statement->relation);
}

static void read_rename(struct reading *reading, const PgQuery__RenameStmt *statement)
{
    enum ddl_object object;
    bool known;
    if (!guarded_object((int)statement->rename_type, &object, &known))
        return;
    reading->ddl->changes = true;
    if (!known)
        return;
    if (object == DDL_SCHEMA)
        target(reading, object, NULL, statement->subname);
    else if (statement->relation != NULL)
        range(reading, statement->relation);
    else
        object_name(reading, object, statement->object);
}

static void read_set_schema(struct reading *reading,
                            const PgQuery__AlterObjectSchemaStmt *statement)
{
    enum ddl_object object;
    bool known;
    if (!guarded_object((int)statement->object_type, &object, &known))
        return;
    reading->ddl->changes = true;
    if (known && statement->relation != NULL)
        range(reading, statement->relation);
    else if (known)
        object_name(reading, object, statement->object);
}

static void read_drop(struct reading *reading, const PgQuery__DropStmt *statement)
{
    enum ddl_object object;
    bool known;
    if (!guarded_object((int)statement->remove_type, &object, &known))
        return;
    reading->ddl->changes = true;
    for (size_t i = 0; known && i < statement->n_objects; i++)
        object_name(reading, object, statement->objects[i]);
}

static void read_drop_owned(struct reading *reading, const PgQuery__DropOwnedStmt *statement)
{
    reading->ddl->changes = true;
    for (size_t i = 0; i < statement->n_roles; i++) {
        const PgQuery__Node *node = statement->roles[i];
        if (node->node_case != PG_QUERY__NODE__NODE_ROLE_SPEC)
            continue;
        bool named = (int)node->role_spec->roletype == PG_QUERY__ROLE_SPEC_TYPE__ROLESPEC_CSTRING;
        target(reading, DDL_OWNED, NULL, named ? node->role_spec->rolename : NULL);
    }
}

static bool temporary(const PgQuery__RangeVar *relation)
{
    return relation != NULL && relation->relpersistence != NULL &&
           strcmp(relation->relpersistence, "t") == 0;
}

static void read_create(struct reading *reading, const PgQuery__CreateStmt *statement)
{
    reading->ddl->changes = reading->ddl->changes || !temporary(statement->relation);
}

static void read_statement(struct reading *reading, const PgQuery__Node *node)
{
    struct ddl *ddl = reading->ddl;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_ALTER_TABLE_STMT:
        read_alter_table(reading, node->alter_table_stmt);
        break;
    case PG_QUERY__NODE__NODE_RENAME_STMT:
        read_rename(reading, node->rename_stmt);
        break;
    case PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT:
        read_set_schema(reading, node->alter_object_schema_stmt);
        break;
    case PG_QUERY__NODE__NODE_DROP_STMT:
        read_drop(reading, node->drop_stmt);
        break;
    case PG_QUERY__NODE__NODE_DROP_OWNED_STMT:
        read_drop_owned(reading, node->drop_owned_stmt);
        break;
    case PG_QUERY__NODE__NODE_VIEW_STMT:
        ddl->changes = ddl->changes || !temporary(node->view_stmt->view);
        if (node->view_stmt->replace)
            range(reading, node->view_stmt->view);
        break;
    case PG_QUERY__NODE__NODE_CREATE_STMT:
        read_create(reading, node->create_stmt);
        break;
    case PG_QUERY__NODE__NODE_CREATE_FOREIGN_TABLE_STMT:
        ddl->changes = true;
        break;
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
        ddl->changes = ddl->changes || node->create_table_as_stmt->into == NULL ||
                       !temporary(node->create_table_as_stmt->into->rel);
        break;
    case PG_QUERY__NODE__NODE_ALTER_ENUM_STMT:
    case PG_QUERY__NODE__NODE_ALTER_EXTENSION_STMT:
    case PG_QUERY__NODE__NODE_IMPORT_FOREIGN_SCHEMA_STMT:
        ddl->changes = true;
        break;
    case PG_QUERY__NODE__NODE_CREATE_SCHEMA_STMT:
        ddl->changes = ddl->changes || node->create_schema_stmt->n_schema_elts > 0;
        break;
    case PG_QUERY__NODE__NODE_COPY_STMT:
        ddl->copies = ddl->copies || node->copy_stmt->filename == NULL ||
                      node->copy_stmt->filename[0] == '\0';
        break;
    case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
        ddl->controls = true;
        break;
    default:
        break;
    }
}

enum status ddl_read(const char *sql, struct arena *arena, struct ddl *ddl)
{
    PgQuery__ParseResult *tree = NULL;
    const char *why = NULL;
    size_t position = 0;
    memset(ddl, 0, sizeof(*ddl));
    enum status status = tree_parse(sql, arena, &tree, &why, &position);
    if (status != OK)
        return status;
    struct reading reading = {.arena = arena, .ddl = ddl};
    for (size_t i = 0; i < tree->n_stmts; i++)
        if (tree->stmts[i]->stmt != NULL)
            read_statement(&reading, tree->stmts[i]->stmt);
    ddl->targets = reading.targets;
    ddl->target_count = reading.count;
    return reading.failed ? ERR_MEMORY : OK;
}

/* ---- the guards that depend on them ---- */

static void put_name(struct buf *out, const struct ddl_target *target)
{
    struct buf name;
    buf_init(&name, 0);
    if (target->schema != NULL) {
        text_quote_ident(&name, target->schema);
        buf_byte(&name, '.');
    }
    text_quote_ident(&name, target->name);
    buf_byte(&name, '\0');
    out->failed = out->failed || name.failed;
    if (!name.failed)
        text_quote_literal(out, (const char *)buf_head(&name));
    buf_free(&name);
}

static void put_owned(struct buf *out, const struct ddl_target *target)
{
    static const struct {
        const char *catalog, *owner;
    } owned[] = {{"pg_class", "relowner"},
                 {"pg_type", "typowner"},
                 {"pg_proc", "proowner"},
                 {"pg_namespace", "nspowner"}};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        buf_printf(out,
                   "%sSELECT 'pg_catalog.%s'::pg_catalog.regclass::pg_catalog.oid, o.oid FROM "
                   "pg_catalog.%s o JOIN pg_catalog.pg_roles u ON u.oid = o.%s AND u.rolname = ",
                   i == 0 ? "" : "\n    UNION ALL ", owned[i].catalog, owned[i].catalog,
                   owned[i].owner);
        if (target->name == NULL)
            buf_str(out, "current_user");
        else
            text_quote_literal(out, target->name);
    }
}

static void put_target(struct buf *out, const struct ddl_target *target)
{
    switch (target->object) {
    case DDL_RELATION:
        buf_str(out, "SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, "
                     "pg_catalog.to_regclass(");
        put_name(out, target);
        buf_str(out, ")::pg_catalog.oid");
        return;
    case DDL_TYPE:
        buf_str(out, "SELECT 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid, "
                     "pg_catalog.to_regtype(");
        put_name(out, target);
        buf_str(out, ")::pg_catalog.oid");
        return;
    case DDL_FUNCTION:
        buf_str(out, "SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid, p.oid FROM "
                     "pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = "
                     "p.pronamespace WHERE p.proname = ");
        text_quote_literal(out, target->name);
        if (target->schema != NULL) {
            buf_str(out, " AND n.nspname = ");
            text_quote_literal(out, target->schema);
        }
        return;
    case DDL_SCHEMA:
        buf_str(out, "SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid, n.oid "
                     "FROM pg_catalog.pg_namespace n WHERE n.nspname = ");
        text_quote_literal(out, target->name);
        return;
    case DDL_EXTENSION:
        buf_str(out, "SELECT 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid, e.oid "
                     "FROM pg_catalog.pg_extension e WHERE e.extname = ");
        text_quote_literal(out, target->name);
        return;
    case DDL_OWNED:
        put_owned(out, target);
        return;
    }
}

/* Views depend through their rules; a partition, an index and a row type depend on their table, the
 * members of an extension on it. */
static const char dependents_sql[] =
    "), hit(classid, objid) AS (\n"
    "    SELECT t.classid, t.objid FROM target t WHERE t.objid IS NOT NULL\n"
    "    UNION SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE "
    "'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid END,\n"
    "        COALESCE(r.ev_class, d.objid) FROM hit h\n"
    "    JOIN pg_catalog.pg_depend d ON d.refclassid = h.classid AND d.refobjid = h.objid\n"
    "    LEFT JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid\n"
    "        AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass)\n"
    "SELECT pg_catalog.format('DROP VIEW IF EXISTS %I.%I CASCADE', n.nspname, v.relname), "
    "pg_catalog.format('%I.%I', n.nspname, v.relname)\n"
    "FROM hit JOIN pg_catalog.pg_class v ON v.oid = hit.objid AND v.relkind = 'v'\n"
    "    AND hit.classid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
    "JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace\n"
    "WHERE n.nspname LIKE 'pgvigil:%' AND n.nspname NOT LIKE 'pgvigil:catalog@%'\n"
    "    AND pg_catalog.starts_with(pg_catalog.obj_description(n.oid, 'pg_namespace'), 'pgvigil "
    "')\n"
    /* Defaults of serial columns: of the column's type. */
    "UNION ALL SELECT pg_catalog.format('DROP FUNCTION IF EXISTS %I.%I() CASCADE', n.nspname, "
    "p.proname), pg_catalog.format('%I.%I()', n.nspname, p.proname)\n"
    "FROM hit JOIN pg_catalog.pg_proc p ON p.oid = hit.objid\n"
    "    AND hit.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.pronargs = 0\n"
    "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace\n"
    "WHERE n.nspname LIKE 'pgvigil:%' AND n.nspname NOT LIKE 'pgvigil:catalog@%'\n"
    "    AND pg_catalog.starts_with(pg_catalog.obj_description(n.oid, 'pg_namespace'), 'pgvigil "
    "')\n"
    "ORDER BY 2";

const char *ddl_guards_sql(const struct ddl *ddl, struct arena *arena)
{
    struct buf out;
    if (ddl->target_count == 0)
        return NULL;
    buf_init(&out, 0);
    buf_str(&out, "WITH RECURSIVE target(classid, objid) AS (\n    ");
    for (size_t i = 0; i < ddl->target_count; i++) {
        if (i > 0)
            buf_str(&out, "\n    UNION ALL ");
        put_target(&out, &ddl->targets[i]);
    }
    buf_str(&out, dependents_sql);
    return text_take(&out, arena);
}
