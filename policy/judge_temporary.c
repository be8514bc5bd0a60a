/*
 * judge_temporary.c: CREATE TEMPORARY TABLE, CREATE TEMPORARY TABLE ... AS, SELECT INTO TEMPORARY.
 *
 * What such a table holds is what the session has seen through its guards or has written itself.
 * The dangers are elsewhere: a table is kept, so an expression in it (DEFAULT, CHECK, GENERATED, of
 * an index) must hold nothing that belongs to the pair or to the policy, only PostgreSQL's own
 * functions; and its name hides others, so what a later statement of the text means by the name
 * must be known: struct judge keeps the session's temporary relations as the text has left them.
 * LIKE, INHERITS, OF and foreign keys name other tables, whose shape or rows they would tell.
 *
 * The name of a new table is sent as it stands: TEMPORARY puts it into pg_temp, wherever the path
 * points.
 */
#include "judge_private.h"

#include <string.h>

/* ---- the session's own ---- */

bool judge_is_temporary(const struct catalog_relation *relation)
{
    return relation != NULL && strcmp(relation->schema, JUDGE_TEMPORARY_SCHEMA) == 0;
}

bool judge_temporary_allowed(const struct judge *judge)
{
    return policy_role_allows(judge->request->policy, judge->request->role, ALLOW_TEMPORARY);
}

const struct catalog_relation *judge_temporary(const struct judge *judge, const char *name)
{
    for (size_t i = judge->temporary_count; i-- > 0;) {
        if (strcmp(judge->temporary[i]->name, name) == 0)
            return judge->temporary[i];
    }
    return NULL;
}

void judge_temporary_forget(struct judge *judge, const char *name)
{
    size_t left = 0;
    for (size_t i = 0; i < judge->temporary_count; i++) {
        if (name != NULL && strcmp(judge->temporary[i]->name, name) != 0)
            judge->temporary[left++] = judge->temporary[i];
    }
    judge->temporary_count = left;
}

enum status judge_temporary_note(struct judge *judge, const struct catalog_relation *relation)
{
    if (judge_temporary(judge, relation->name) != NULL)
        return OK; /* IF NOT EXISTS; else PostgreSQL says so, and nothing that follows runs */
    const struct catalog_relation **grown =
        arena_grow(judge->arena, judge->temporary, judge->temporary_count, &judge->temporary_cap,
                   sizeof(const struct catalog_relation *));
    if (grown == NULL)
        return judge_no_memory(judge);
    judge->temporary = grown;
    judge->temporary[judge->temporary_count++] = relation;
    return OK;
}

/* ---- what is refused by name ---- */

static enum status refuse_part(struct judge *judge, const char *what, const char *hint)
{
    return judge_unsupported(judge, "statement",
                             judge_format(judge, "%s of a temporary table", what), hint);
}

enum status judge_own_name(struct judge *judge, const char *name)
{
    if (strncmp(name, "pgvigil ", 8) != 0 && strncmp(name, "pgvigil:", 8) != 0)
        return OK;
    return judge_refuse(judge, DENIED, "42602", "statement", name, SIZE_MAX,
                        judge_format(judge, "\"%s\" is a reserved name", name));
}

enum status judge_not_stored(struct judge *judge, const char *what)
{
    if (!judge->stored)
        return OK;
    return judge_unsupported(
        judge, "function", judge_format(judge, "\"%s\" in an expression that a table keeps", what),
        "DEFAULT, CHECK, GENERATED and indexes of a temporary table may call PostgreSQL's own "
        "functions, but not those that answer for the session or that the policy allows.");
}

enum status judge_stored(struct judge *judge, PgQuery__Node *expression)
{
    if (expression == NULL)
        return OK;
    judge->stored = true;
    enum status status = judge_walk(judge, expression);
    judge->stored = false;
    return status;
}

enum status judge_storage(struct judge *judge, PgQuery__Node **options, size_t count)
{
    static const char *const known[] = {"fillfactor", "autovacuum_enabled", "parallel_workers",
                                        "fastupdate", "pages_per_range"};
    for (size_t i = 0; i < count; i++) {
        const PgQuery__DefElem *option =
            options[i]->node_case == PG_QUERY__NODE__NODE_DEF_ELEM ? options[i]->def_elem : NULL;
        bool found = false;
        for (size_t k = 0; option != NULL && k < sizeof(known) / sizeof(known[0]); k++)
            found = found ||
                    (strcmp(known[k], option->defname) == 0 && option->defnamespace[0] == '\0');
        if (!found)
            return refuse_part(
                judge,
                judge_format(judge, "the option \"%s\"", option == NULL ? "" : option->defname),
                NULL);
    }
    return OK;
}

/* CREATE TABLE of a role that may not, or of a table that is none of the session's. */
static enum status check_target(struct judge *judge, const PgQuery__RangeVar *var, const char *tag)
{
    bool own = strcmp(var->schemaname, JUDGE_TEMPORARY_SCHEMA) == 0;
    size_t at = var->location < 0 ? SIZE_MAX : (size_t)var->location;
    if (var->relpersistence[0] != 't' && !(own && var->relpersistence[0] == 'p'))
        return judge_unsupported(
            judge, "statement", tag,
            judge_temporary_allowed(judge)
                ? "Only temporary tables: CREATE TEMPORARY TABLE, SELECT ... "
                  "INTO TEMPORARY."
                : "Changes of the database itself are for unrestricted roles.");
    bool into = strcmp(tag, "SELECT INTO") == 0;
    enum status status = judge_allows(judge, ALLOW_TEMPORARY,
                                      into ? "SELECT INTO TEMPORARY" : "CREATE TEMPORARY TABLE");
    if (status != OK)
        return status;
    if (var->catalogname[0] != '\0' &&
        strcmp(var->catalogname, judge->request->catalog->database) != 0)
        return judge_refuse(
            judge, DENIED, "0A000", "relation", var->catalogname, SIZE_MAX,
            judge_format(judge, "cross-database references are not implemented: \"%s.%s.%s\"",
                         var->catalogname, var->schemaname, var->relname));
    if (var->schemaname[0] != '\0' && !own)
        return judge_refuse(judge, DENIED, "42P16", "relation", var->schemaname, at,
                            "cannot create temporary relation in non-temporary schema");
    /* PostgreSQL looks for types in pg_temp first too, and its row type would stand in for the
     * builtin in every function whose text names it: the guards' own, those behind defaults. */
    if (judge_builtin_type(var->relname))
        return judge_unsupported(
            judge, "statement",
            judge_format(judge, "a temporary table named as the type \"%s\"", var->relname),
            "Give it another name.");
    return judge_own_name(judge, var->relname);
}

/* The table as what follows in the text sees it. */
static struct catalog_relation *new_relation(struct judge *judge, const char *name, size_t columns)
{
    struct catalog_relation *relation = arena_zalloc(judge->arena, 1, sizeof(*relation));
    struct catalog_column *list = arena_zalloc(judge->arena, columns + 1, sizeof(*list));
    if (relation == NULL || list == NULL)
        return NULL;
    *relation = (struct catalog_relation){.schema = JUDGE_TEMPORARY_SCHEMA,
                                          .name = arena_strdup(judge->arena, name),
                                          .kind = 'r',
                                          .columns = list,
                                          .parent = -1};
    return relation->name == NULL ? NULL : relation;
}

static void add_column(struct catalog_relation *relation, const char *name)
{
    struct catalog_column *list = (struct catalog_column *)(uintptr_t)relation->columns;
    struct catalog_column *column = &list[relation->column_count++];
    column->name = name;
    column->attnum = (int16_t)relation->column_count;
    column->operand = true; /* its type is not looked at */
}

/* ---- columns and constraints ---- */

/* An identity's sequence. */
static enum status sequence_options(struct judge *judge, const PgQuery__Constraint *constraint)
{
    static const char *const known[] = {"start",    "increment", "minvalue",
                                        "maxvalue", "cache",     "cycle"};
    for (size_t i = 0; i < constraint->n_options; i++) {
        const PgQuery__Node *node = constraint->options[i];
        const char *name =
            node->node_case == PG_QUERY__NODE__NODE_DEF_ELEM ? node->def_elem->defname : "";
        bool found = false;
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
            found = found || strcmp(known[k], name) == 0;
        if (!found)
            return refuse_part(judge, judge_format(judge, "the sequence option \"%s\"", name),
                               NULL);
    }
    return OK;
}

static enum status one_constraint(struct judge *judge, PgQuery__Constraint *constraint)
{
    if (constraint->indexspace[0] != '\0')
        return refuse_part(judge, "a tablespace", NULL);
    if (constraint->indexname[0] != '\0')
        return refuse_part(judge, "USING INDEX", NULL);
    switch ((int)constraint->contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_NULL:
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRABLE:
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_NOT_DEFERRABLE:
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRED:
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_IMMEDIATE:
        return OK;
    case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
    case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
        return judge_stored(judge, constraint->raw_expr);
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
        return judge_storage(judge, constraint->options, constraint->n_options);
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
        return sequence_options(judge, constraint);
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
        return refuse_part(judge, "a foreign key", "Its check would read another table.");
    case PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION:
        return refuse_part(judge, "EXCLUDE", NULL);
    default:
        return refuse_part(judge, "this constraint", NULL);
    }
}

/* To the grammar of CREATE TABLE these are words, not types: a sequence beside the table. */
static bool is_serial(const PgQuery__TypeName *type)
{
    static const char *const words[] = {"smallserial", "serial2",   "serial",
                                        "serial4",     "bigserial", "serial8"};
    const char *name = type->n_names == 1 && !type->pct_type && !type->setof &&
                               type->n_array_bounds == 0 && type->n_typmods == 0
                           ? tree_string(type->names[0])
                           : NULL;
    for (size_t i = 0; name != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], name) == 0)
            return true;
    }
    return false;
}

static enum status one_column(struct judge *judge, PgQuery__ColumnDef *column)
{
    if (column->type_name == NULL)
        return refuse_part(judge, "a column without a type", NULL);
    if (column->compression[0] != '\0' || column->storage[0] != '\0' || column->n_fdwoptions > 0 ||
        column->raw_default != NULL || column->cooked_default != NULL ||
        column->identity_sequence != NULL)
        return refuse_part(judge, "COMPRESSION, STORAGE or OPTIONS", NULL);
    enum status status = judge_new_name(judge, column->colname);
    if (status == OK && !is_serial(column->type_name))
        status = judge_type(judge, column->type_name);
    if (status == OK && column->coll_clause != NULL)
        status = judge_collation(judge, column->coll_clause);
    for (size_t i = 0; i < column->n_constraints && status == OK; i++) {
        PgQuery__Node *node = column->constraints[i];
        status = node->node_case == PG_QUERY__NODE__NODE_CONSTRAINT
                     ? one_constraint(judge, node->constraint)
                     : refuse_part(judge, "this constraint", NULL);
    }
    return status;
}

static enum status one_element(struct judge *judge, PgQuery__Node *node)
{
    if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_DEF)
        return one_column(judge, node->column_def);
    if (node->node_case == PG_QUERY__NODE__NODE_CONSTRAINT)
        return one_constraint(judge, node->constraint);
    return refuse_part(judge, "LIKE", "CREATE TEMPORARY TABLE ... AS SELECT ... WITH NO DATA.");
}

static bool is_generated(const PgQuery__ColumnDef *column)
{
    for (size_t i = 0; i < column->n_constraints; i++) {
        const PgQuery__Node *node = column->constraints[i];
        if (node->node_case == PG_QUERY__NODE__NODE_CONSTRAINT &&
            node->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED)
            return true;
    }
    return false;
}

static struct catalog_relation *defined(struct judge *judge, const PgQuery__CreateStmt *create)
{
    struct catalog_relation *relation =
        new_relation(judge, create->relation->relname, create->n_table_elts);
    for (size_t i = 0; relation != NULL && i < create->n_table_elts; i++) {
        const PgQuery__Node *node = create->table_elts[i];
        if (node->node_case != PG_QUERY__NODE__NODE_COLUMN_DEF)
            continue;
        add_column(relation, node->column_def->colname);
        struct catalog_column *list = (struct catalog_column *)(uintptr_t)relation->columns;
        list[relation->column_count - 1].generated = is_generated(node->column_def);
    }
    return relation;
}

/* Its expressions see its columns, by their names and by the table's. */
static enum status elements(struct judge *judge, PgQuery__CreateStmt *create,
                            const struct catalog_relation *relation)
{
    struct level level;
    const char **names = arena_zalloc(judge->arena, relation->column_count + 1, sizeof(*names));
    if (names == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < relation->column_count; i++)
        names[i] = relation->columns[i].name;
    scope_enter(judge, &level, NULL);
    struct range_item *item = scope_add(judge);
    enum status status = item == NULL ? judge_no_memory(judge) : OK;
    if (item != NULL) {
        item->name = item->emitted = relation->name;
        item->columns =
            (struct column_list){.names = names, .count = relation->column_count, .known = true};
        level.clause = CLAUSE_WHERE;
        level.high = 1;
    }
    for (size_t i = 0; i < create->n_table_elts && status == OK; i++)
        status = one_element(judge, create->table_elts[i]);
    scope_leave(judge);
    return status;
}

static enum status refuse_form(struct judge *judge, const PgQuery__CreateStmt *create)
{
    if (create->n_inh_relations > 0 || create->partbound != NULL)
        return refuse_part(judge, "INHERITS or PARTITION OF", NULL);
    if (create->partspec != NULL)
        return refuse_part(judge, "PARTITION BY", NULL);
    if (create->of_typename != NULL)
        return refuse_part(judge, "OF", NULL);
    if (create->tablespacename[0] != '\0')
        return refuse_part(judge, "a tablespace", NULL);
    if (create->access_method[0] != '\0')
        return refuse_part(judge, "an access method", NULL);
    if (create->n_constraints > 0)
        return refuse_part(judge, "this constraint", NULL);
    return judge_storage(judge, create->options, create->n_options);
}

enum status judge_create_table(struct judge *judge, PgQuery__CreateStmt *create,
                               struct verdict_statement *out)
{
    out->kind = STATEMENT_TEMPORARY;
    out->tag = "CREATE TABLE";
    out->writes = true;
    enum status status = check_target(judge, create->relation, out->tag);
    if (status == OK)
        status = refuse_form(judge, create);
    if (status != OK)
        return status;
    struct catalog_relation *relation = defined(judge, create);
    if (relation == NULL)
        return judge_no_memory(judge);
    status = elements(judge, create, relation);
    if (status == OK)
        status = judge_temporary_written(judge, relation);
    return status == OK ? judge_temporary_note(judge, relation) : status;
}

/* ---- of a query ---- */

PgQuery__SelectStmt *judge_into(PgQuery__SelectStmt *select)
{
    while (select->larg != NULL && select->into_clause == NULL)
        select = select->larg;
    return select->into_clause == NULL ? NULL : select;
}

/* What PostgreSQL calls the output columns that have no name: before the query is judged, which
 * changes some of them. */
static enum status unnamed(struct judge *judge, const PgQuery__SelectStmt *select,
                           const char ***names, size_t *count)
{
    *count = 0;
    while (select->larg != NULL)
        select = select->larg;
    const char **list = arena_zalloc(judge->arena, select->n_target_list + 1, sizeof(*list));
    if (list == NULL)
        return judge_no_memory(judge);
    for (size_t i = 0; i < select->n_target_list; i++) {
        const PgQuery__Node *node = select->target_list[i];
        const PgQuery__ResTarget *target =
            node->node_case == PG_QUERY__NODE__NODE_RES_TARGET ? node->res_target : NULL;
        if (target == NULL || target->name[0] != '\0' || target->val == NULL ||
            target->val->node_case == PG_QUERY__NODE__NODE_COLUMN_REF)
            continue;
        const char *name = judge_output_name(target->val);
        list[*count] = arena_strdup(judge->arena, name == NULL ? "?column?" : name);
        if (list[(*count)++] == NULL)
            return judge_no_memory(judge);
    }
    *names = list;
    return OK;
}

static bool has_column(const struct catalog_relation *relation, const char *name)
{
    for (size_t i = 0; i < relation->column_count; i++) {
        if (strcmp(relation->columns[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Its columns, where they can be told; else what follows in the text may not use it. A name that
 * comes twice is one that a join merges, in an order of its own. */
static enum status result_columns(struct judge *judge, const PgQuery__IntoClause *into,
                                  const struct column_list *columns, const char **names,
                                  size_t name_count, struct catalog_relation *relation)
{
    bool told = columns->count >= into->n_col_names && !columns->partly && columns->count > 0;
    size_t next = 0;
    enum status status = judge_work(judge, columns->count * columns->count / 8);
    for (size_t i = 0; i < columns->count && told && status == OK; i++) {
        const char *name = columns->names[i];
        if (name[0] == '\0')
            name = names != NULL && next < name_count ? names[next++] : NULL;
        if (i < into->n_col_names)
            name = tree_string(into->col_names[i]);
        told = name != NULL && !has_column(relation, name);
        if (told && status == OK)
            status = judge_new_name(judge, name);
        if (told)
            add_column(relation, name);
    }
    if (!told) {
        relation->columns = NULL;
        relation->column_count = 0;
    }
    return status;
}

static enum status of_query(struct judge *judge, const PgQuery__IntoClause *into,
                            PgQuery__SelectStmt *select)
{
    if (into->access_method[0] != '\0')
        return refuse_part(judge, "an access method", NULL);
    if (into->table_space_name[0] != '\0')
        return refuse_part(judge, "a tablespace", NULL);
    if (into->view_query != NULL)
        return refuse_part(judge, "this form", NULL);
    const char **names = NULL;
    size_t name_count = 0;
    struct column_list columns;
    enum status status = judge_storage(judge, into->options, into->n_options);
    if (status == OK)
        status = unnamed(judge, select, &names, &name_count);
    if (status == OK)
        status = judge_select(judge, select, &columns);
    if (status != OK)
        return status;
    struct catalog_relation *relation = new_relation(judge, into->rel->relname, columns.count);
    if (relation == NULL)
        return judge_no_memory(judge);
    status = result_columns(judge, into, &columns, names, name_count, relation);
    if (status == OK)
        status = judge_temporary_written(judge, relation);
    return status == OK ? judge_temporary_note(judge, relation) : status;
}

enum status judge_create_table_as(struct judge *judge, PgQuery__CreateTableAsStmt *create,
                                  struct verdict_statement *out)
{
    if (create->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE)
        return judge_unsupported(judge, "statement", out->tag,
                                 "Changes of the database itself are for unrestricted roles.");
    out->kind = STATEMENT_TEMPORARY;
    out->writes = true;
    enum status status = check_target(judge, create->into->rel, out->tag);
    out->tag = "CREATE TABLE AS";
    if (status != OK)
        return status;
    if (create->query == NULL || create->query->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return refuse_part(judge, "AS EXECUTE", "Write the query itself.");
    return of_query(judge, create->into, create->query->select_stmt);
}

enum status judge_select_into(struct judge *judge, PgQuery__SelectStmt *select,
                              struct verdict_statement *out)
{
    PgQuery__SelectStmt *arm = judge_into(select);
    PgQuery__IntoClause *into = arm->into_clause;
    out->kind = STATEMENT_TEMPORARY;
    out->tag = "SELECT INTO";
    out->writes = true;
    enum status status = check_target(judge, into->rel, out->tag);
    arm->into_clause = NULL; /* the query, as it is without it */
    if (status == OK)
        status = of_query(judge, into, select);
    arm->into_clause = into;
    return status;
}
