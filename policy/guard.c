/*
 * guard.c: the SELECT behind a guard view.
 *
 * Purpose: what design promise 1 calls "the table is a view". Only columns that the rule names are
 * written out, one by one, so a column that the table gets later is not there. Names are always
 * quoted and qualified; nothing depends on a search path.
 *
 * Trust boundary: table and column names come from the database, expressions from the policy; both
 * end up in SQL that a DBA's connection runs at deploy. Names go through text_quote_ident;
 * expressions were checked to be one expression each.
 *
 * Ownership: results stand in the caller's arena.
 */
#include "guard_cell.h"
#include "guard_view.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <string.h>

/* As text: it is compared with nothing, only told. */
bool guard_is_subject_name(const char *name)
{
    return strncmp(name, GUARD_SUBJECT_COLUMN, sizeof GUARD_SUBJECT_COLUMN - 1) == 0;
}

static enum status put_subject(const struct guard_expr_context *context, struct buf *out,
                               bool first, const char **why)
{
    const char *subject = NULL;
    enum status status = guard_expr_subject(context, &subject, why);
    if (status != OK) {
        return status;
    }
    buf_printf(out, "%s%s::pg_catalog.text AS ", first ? "\n    " : ",\n    ", subject);
    text_quote_ident(out, GUARD_SUBJECT_COLUMN);
    return OK;
}

/* Of a cube the guard shows what may be asked by, and no more: were a statement let through that
 * groups nothing, there would be less to read. */
static bool is_shown(const struct policy *policy, int mission, const struct policy_table *table,
                     const struct policy_rule *rule, const char *column)
{
    if (policy_mask_for(policy, table, rule, column)->kind == MASK_HIDE) {
        return false;
    }
    return !guard_is_cube(policy, mission, table) || policy_part_of(table, column) != PART_NONE ||
           (table->subject_column != NULL && strcmp(table->subject_column, column) == 0);
}

/* A rule's SELECT over `relation`, which stands under the name `alias` that the rule's expressions
 * use. */
static enum status rule_definition(const struct guard_expr_context *context,
                                   enum guard_variant variant, const char **sql,
                                   const char *const **columns, size_t *count, const char **why)
{
    const struct catalog_relation *relation = context->relation;
    const char **names = arena_zalloc(context->arena, relation->column_count + 2, sizeof(*names));
    if (names == NULL) {
        return ERR_MEMORY;
    }
    struct buf out;
    buf_init(&out, 0);
    buf_str(&out, "SELECT");
    *count = 0;
    enum status status = OK;
    for (size_t i = 0; i < relation->column_count && status == OK; i++) {
        const struct catalog_column *column = &relation->columns[i];
        const struct policy_mask *mask =
            policy_mask_for(context->policy, context->table, context->rule, column->name);
        if (!is_shown(context->policy, context->mission, context->table, context->rule,
                      column->name)) {
            continue;
        }
        const char *expression = NULL;
        /* Rows would seem to begin with a subject, and be cut. */
        if (guard_is_subject_name(column->name)) {
            *why = "a column that is shown has a name that begins with \"" GUARD_SUBJECT_COLUMN
                   "\": hide it";
            status = ERR_INVALID;
            break;
        }
        status = guard_expr_column(context, column, mask, &expression, why);
        if (status == OK) {
            buf_str(&out, *count == 0 ? "\n    " : ",\n    ");
            buf_str(&out, expression);
            buf_str(&out, " AS ");
            text_quote_ident(&out, column->name);
            names[(*count)++] = column->name;
        }
    }
    if (status == OK && variant == GUARD_SUBJECT) {
        status = put_subject(context, &out, *count == 0, why);
        names[(*count)++] = GUARD_SUBJECT_COLUMN;
    }
    buf_str(&out, variant == GUARD_ONLY ? "\nFROM ONLY " : "\nFROM ");
    text_quote_ident(&out, relation->schema);
    buf_byte(&out, '.');
    text_quote_ident(&out, relation->name);
    /* Without an alias of its own the schema may qualify too: public.patients.id. */
    if (strcmp(context->alias, relation->name) != 0) {
        buf_str(&out, " AS ");
        text_quote_ident(&out, context->alias);
    }
    const char *rows = "";
    if (status == OK) {
        status = guard_expr_rows(context, &rows, why);
    }
    if (status == OK && rows[0] != '\0') {
        buf_printf(&out, "\nWHERE %s", rows);
    }
    if (status != OK) {
        buf_free(&out);
        return status;
    }
    *columns = names;
    *sql = text_take(&out, context->arena);
    return *sql == NULL ? ERR_MEMORY : OK;
}

/* A table of patients in a mission that gives groups only: what is made of its cells. */
static enum status cube_definition(const struct guard_expr_context *context, const char **sql,
                                   const char *const **columns, size_t *count, const char **why)
{
    const struct catalog_relation *relation = context->relation;
    const char **names = arena_zalloc(context->arena, relation->column_count + 1, sizeof(*names));
    const char *rows = "";
    if (names == NULL) {
        return ERR_MEMORY;
    }
    *count = 0;
    for (size_t i = 0; i < relation->column_count; i++) {
        const char *name = relation->columns[i].name;
        if (is_shown(context->policy, context->mission, context->table, context->rule, name)) {
            names[(*count)++] = name;
        }
    }
    *columns = names;
    enum status status = guard_expr_rows(context, &rows, why);
    return status == OK ? guard_cell(context, rows, names, *count, sql, why) : status;
}

enum status guard_visible_columns(const struct guard_request *request,
                                  const struct catalog_relation *relation,
                                  const char *const **columns, size_t *count, const char **why)
{
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    *count = 0;
    *columns = NULL;
    *why = NULL;
    if (!guard_governing(request->policy, request->catalog, request->role, request->mission,
                         relation, &table, &rule, &as)) {
        const char *sql = NULL;
        return guard_view_expand(request, relation, GUARD_PLAIN, &sql, columns, count, why);
    }
    const char **names = arena_zalloc(request->arena, relation->column_count + 1, sizeof(*names));
    if (names == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < relation->column_count; i++) {
        const char *name = relation->columns[i].name;
        if (is_shown(request->policy, request->mission, table, rule, name)) {
            names[(*count)++] = name;
        }
    }
    *columns = names;
    return OK;
}

enum status guard_select(const struct guard_request *request,
                         const struct catalog_relation *relation, enum guard_variant variant,
                         const char **sql, const char *const **columns, size_t *count,
                         const char **why)
{
    *sql = NULL;
    *columns = NULL;
    *count = 0;
    *why = NULL;
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    if (!guard_governing(request->policy, request->catalog, request->role, request->mission,
                         relation, &table, &rule, &as)) {
        return guard_view_expand(request, relation, variant, sql, columns, count, why);
    }
    if (variant == GUARD_SUBJECT && table->subject == NULL) {
        return DENIED;
    }
    /* A part of a cube's rows would be a cube of its own, with other cells; and of whom a row is
     * that was made of many, nobody can tell. */
    bool cube = guard_is_cube(request->policy, request->mission, table);
    if (cube && (variant != GUARD_PLAIN || relation->parent >= 0)) {
        return DENIED;
    }
    struct guard_expr_context context = {.policy = request->policy,
                                         .catalog = request->catalog,
                                         .relation = relation,
                                         .alias = as->name,
                                         .table = table,
                                         .rule = rule,
                                         .mission = request->mission,
                                         .arena = request->arena};
    return cube ? cube_definition(&context, sql, columns, count, why)
                : rule_definition(&context, variant, sql, columns, count, why);
}

enum status guard_definition(const struct policy *policy, const struct catalog *catalog, int role,
                             int mission, const struct catalog_relation *relation,
                             enum guard_variant variant, struct arena *arena, const char **sql,
                             const char *const **columns, size_t *column_count, const char **why)
{
    struct guard_known *known = NULL;
    const struct guard_request request = {.policy = policy,
                                          .catalog = catalog,
                                          .role = role,
                                          .mission = mission,
                                          .arena = arena,
                                          .known = &known};
    return guard_select(&request, relation, variant, sql, columns, column_count, why);
}

enum status guard_cube_definition(const struct policy *policy, const struct catalog *catalog,
                                  int role, int mission, const struct catalog_relation *relation,
                                  struct arena *arena, const char **sql, const char **why)
{
    const struct catalog_relation *as = NULL;
    const char *const *columns = NULL;
    size_t count = 0;
    struct guard_expr_context context = {.policy = policy,
                                         .catalog = catalog,
                                         .relation = relation,
                                         .mission = mission,
                                         .arena = arena};
    *sql = NULL;
    *why = NULL;
    if (!guard_governing(policy, catalog, role, mission, relation, &context.table, &context.rule,
                         &as))
        return DENIED;
    context.alias = as->name;
    return rule_definition(&context, GUARD_SUBJECT, sql, &columns, &count, why);
}

enum status guard_subject(const struct policy *policy, const struct catalog *catalog,
                          const struct catalog_relation *relation, struct arena *arena,
                          const char **sql, const char **alias, const char **why)
{
    const struct catalog_relation *as = relation;
    const struct policy_table *table = policy_table_for(policy, as->schema, as->name);
    *sql = NULL;
    *why = NULL;
    for (int depth = 0; table == NULL && as->parent >= 0 && depth < 64; depth++) {
        as = &catalog->relations[as->parent];
        table = policy_table_for(policy, as->schema, as->name);
    }
    *alias = as->name;
    const struct guard_expr_context context = {.policy = policy,
                                               .catalog = catalog,
                                               .relation = relation,
                                               .alias = as->name,
                                               .table = table,
                                               .arena = arena};
    return guard_expr_subject(&context, sql, why);
}

bool guard_people_unique(const struct policy *policy, const struct catalog *catalog)
{
    const struct policy_table *people = policy->retention->people;
    const struct catalog_relation *relation = catalog_find(catalog, people->schema, people->name);
    const struct catalog_column *column =
        relation == NULL ? NULL : catalog_column(relation, people->subject_column);
    if (column == NULL)
        return false;
    if (relation->primary_key_count == 1 && relation->primary_key[0] == column->attnum)
        return true;
    for (size_t i = 0; i < relation->constraint_count; i++) {
        const struct catalog_constraint *constraint = &relation->constraints[i];
        if (constraint->kind != CONSTRAINT_EXCLUSION && constraint->column_count == 1 &&
            constraint->columns[0] == column->attnum)
            return true;
    }
    return false;
}
