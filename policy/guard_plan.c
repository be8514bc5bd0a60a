/*
 * guard_plan.c: everything that makes a generation, in order.
 *
 * Purpose: one list that deploy runs or prints and check explains. Three kinds of statements: what
 * only a DBA may do (roles, schemas), the guards over the system catalogs, and the guards over
 * relations, each of these with a hash so that a second deploy touches only what changed.
 *
 * Trust boundary: names from the policy and the database are quoted here; nothing of a client's
 * reaches this file. PUBLIC loses every right on every object made, since ALTER DEFAULT PRIVILEGES
 * may have given it some.
 *
 * Ownership: the plan stands in the caller's arena and borrows relations from the catalog.
 */
#include "conditions.h"
#include "guard_catalog.h"
#include "guard_cell.h"
#include "guard_default.h"
#include "guard_tree.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct guard_statement *items;
    size_t count, cap;
};

struct planner {
    const struct policy *policy;
    const struct catalog *catalog;
    struct arena *arena;
    const char *owner;
    const char *login;
    const char *schema; /* of the built-in guards, quoted */
    struct list roles;
    struct list built_in;
    struct list finish;
    struct guard_view *views;
    size_t view_count, view_cap;
    struct guard_finding *findings;
    size_t finding_count, finding_cap, error_count;
    const char **pairs;
    size_t pair_count, pair_cap;
    int *ranks; /* of each relation of the catalog: how many views stand below */
    bool failed;
};

/* A text that was made in the arena; "" when there was no memory, and the plan fails. */
static const char *kept(struct planner *planner, const char *text)
{
    planner->failed = planner->failed || text == NULL;
    return text == NULL ? "" : text;
}

static const char *quoted(struct planner *planner, const char *name)
{
    return kept(planner, text_ident(planner->arena, name));
}

static const char *literal(struct planner *planner, const char *value)
{
    return kept(planner, text_literal(planner->arena, value));
}

__attribute__((format(printf, 4, 5))) static void add(struct planner *planner, struct list *list,
                                                      const char *about, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *sql = arena_vprintf(planner->arena, format, args);
    va_end(args);
    struct guard_statement *grown =
        arena_grow(planner->arena, list->items, list->count, &list->cap, sizeof(*grown));
    if (sql == NULL || grown == NULL) {
        planner->failed = true;
        return;
    }
    list->items = grown;
    grown[list->count++] = (struct guard_statement){.sql = sql, .about = about};
}

static void add_finding(struct planner *planner, bool error, const struct policy_rule *rule,
                        const char *message)
{
    struct guard_finding *grown =
        arena_grow(planner->arena, planner->findings, planner->finding_count, &planner->finding_cap,
                   sizeof(*grown));
    if (grown == NULL || message == NULL) {
        planner->failed = true;
        return;
    }
    planner->findings = grown;
    grown[planner->finding_count] = (struct guard_finding){.error = error, .message = message};
    if (rule != NULL) {
        grown[planner->finding_count].place = rule->place;
    }
    planner->finding_count++;
    planner->error_count += error ? 1 : 0;
}

/* ---- roles and schemas ---- */

static void plan_schema(struct planner *planner, const char *name, const char *about)
{
    add(planner, &planner->roles, about, "CREATE SCHEMA %s AUTHORIZATION %s", quoted(planner, name),
        quoted(planner, planner->owner));
}

static void plan_pair(struct planner *planner, int role, int mission)
{
    const char *pair = guard_pair_name(planner->policy, role, mission, planner->arena);
    const char **grown = arena_grow(planner->arena, planner->pairs, planner->pair_count,
                                    &planner->pair_cap, sizeof(*grown));
    const char *about =
        arena_printf(planner->arena, "role %s/%s", planner->policy->roles[role].name,
                     planner->policy->missions[mission].name);
    if (pair == NULL || grown == NULL || about == NULL) {
        planner->failed = true;
        return;
    }
    planner->pairs = grown;
    grown[planner->pair_count++] = pair;
    /*
     * Roles belong to the cluster: another of its databases may have made this one. It must be what
     * we would have made; a role that someone prepared under our name, with rights of its own, is
     * an attack.
     */
    const char *name = literal(planner, pair);
    const char *body = arena_printf(
        planner->arena,
        "BEGIN\n"
        "IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %s) THEN\n"
        "    CREATE ROLE %s NOLOGIN NOINHERIT;\n"
        "    COMMENT ON ROLE %s IS %s;\n"
        "ELSIF EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = %s AND (r.rolsuper OR "
        "r.rolcanlogin\n"
        "        OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls\n"
        "        OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid))) "
        "THEN\n"
        "    RAISE EXCEPTION 'a role with the name of a guard exists already and has rights of its "
        "own: %%', %s;\n"
        "END IF;\n"
        "END",
        name, quoted(planner, pair), quoted(planner, pair),
        literal(planner, arena_printf(planner->arena, "pgvigil %s", planner->policy->digest)), name,
        name);
    add(planner, &planner->roles, about, "DO %s", literal(planner, body == NULL ? "" : body));
    add(planner, &planner->roles, about, "GRANT %s TO %s", quoted(planner, pair),
        quoted(planner, planner->login));
    plan_schema(planner, pair, about);
    add(planner, &planner->built_in, about, "GRANT USAGE ON SCHEMA %s TO %s", quoted(planner, pair),
        quoted(planner, pair));
    add(planner, &planner->built_in, about, "GRANT USAGE ON SCHEMA %s TO %s", planner->schema,
        quoted(planner, pair));
}

/* ---- guards over the system catalogs ---- */

/* "name" or "name=expression" for one column; false when the server has no such column. */
static bool catalog_column_sql(struct planner *planner, struct buf *out,
                               const struct catalog_relation *relation, const char *line,
                               size_t len)
{
    const char *equals = memchr(line, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - line);
    const char *name = arena_strndup(planner->arena, line, name_len);
    const struct catalog_column *column = name == NULL ? NULL : catalog_column(relation, name);
    if (column == NULL) {
        planner->failed = planner->failed || name == NULL;
        return false;
    }
    if (equals == NULL) {
        buf_str(out, "t.");
        text_quote_ident(out, name);
    } else {
        /* No value of a regtype: beside it a client's number becomes a type's name. */
        const char *type = strcmp(column->type, "regtype") == 0 ? "text" : column->type;
        buf_printf(out, "(%.*s)::%s", (int)(len - name_len - 1), equals + 1, type);
    }
    buf_str(out, " AS ");
    text_quote_ident(out, name);
    return true;
}

/* Puts the schema's name where the text has an @ before a quote. */
static const char *with_schema(struct planner *planner, const char *text)
{
    struct buf out;
    buf_init(&out, 0);
    for (const char *at = text; *at != '\0'; at++) {
        if (at[0] == '@' && at[1] == '.') {
            buf_str(&out, planner->schema);
        } else {
            buf_byte(&out, (unsigned char)*at);
        }
    }
    return kept(planner, text_take(&out, planner->arena));
}

static const char *catalog_view_body(struct planner *planner, const struct guard_catalog_view *view,
                                     const struct catalog_relation *relation)
{
    struct buf out;
    buf_init(&out, 0);
    const char *separator = "SELECT ";
    if (strcmp(view->columns, "*") == 0) {
        buf_str(&out, "SELECT t.*");
    }
    for (const char *line = view->columns; *line != '\0' && strcmp(view->columns, "*") != 0;) {
        size_t len = strcspn(line, "\n");
        size_t before = buf_len(&out);
        buf_str(&out, separator);
        if (catalog_column_sql(planner, &out, relation, line, len)) {
            separator = ", ";
        } else {
            out.tail = out.head + before;
        }
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    if (strncmp(view->from, "FROM", 4) != 0) {
        buf_printf(&out, "\nFROM %s.%s t", view->schema, view->name);
    }
    buf_byte(&out, '\n');
    buf_str(&out, view->from);
    return text_take(&out, planner->arena);
}

static void plan_catalog_view(struct planner *planner, const struct guard_catalog_view *view)
{
    const struct catalog_relation *relation =
        catalog_find(planner->catalog, view->schema, view->name);
    if (relation == NULL) {
        return; /* not in this version of PostgreSQL */
    }
    const char *body = catalog_view_body(planner, view, relation);
    const char *name = guard_view_name(view->schema, view->name, GUARD_PLAIN, planner->arena);
    const char *comment = text_qualified(planner->arena, view->schema, view->name);
    if (body == NULL || name == NULL || comment == NULL) {
        planner->failed = true;
        return;
    }
    const char *about =
        arena_printf(planner->arena, "catalog guard %s.%s", view->schema, view->name);
    add(planner, &planner->built_in, about, "CREATE VIEW %s.%s WITH (security_barrier=true) AS\n%s",
        planner->schema, quoted(planner, name), with_schema(planner, body));
    add(planner, &planner->built_in, about, "COMMENT ON VIEW %s.%s IS %s", planner->schema,
        quoted(planner, name), literal(planner, comment));
}

typedef bool allowed_fn(const struct policy *policy, int role, int mission, const char *schema,
                        const char *name);

/* What the policy allows by name, so that \df and \ds show those and no others. */
static void plan_registry(struct planner *planner, const char *table,
                          const struct policy_function *list, size_t count, allowed_fn *allowed)
{
    const struct policy *policy = planner->policy;
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < policy->role_count; r++) {
            for (size_t m = 0; m < policy->roles[r].mission_count && !policy->roles[r].unrestricted;
                 m++) {
                int mission = (int)policy->roles[r].missions[m];
                const char *pair = guard_pair_name(policy, (int)r, mission, planner->arena);
                if (pair != NULL &&
                    allowed(policy, (int)r, mission, list[i].schema, list[i].name)) {
                    add(planner, &planner->built_in, "catalog guards",
                        "INSERT INTO %s.\"%s\" VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                        planner->schema, table, literal(planner, pair),
                        literal(planner, list[i].schema), literal(planner, list[i].name));
                }
            }
        }
    }
}

static const char *pair_list(struct planner *planner)
{
    const char *all = NULL;
    for (size_t i = 0; i < planner->pair_count; i++) {
        all = all == NULL
                  ? quoted(planner, planner->pairs[i])
                  : arena_printf(planner->arena, "%s, %s", all, quoted(planner, planner->pairs[i]));
    }
    planner->failed = planner->failed || (all == NULL && planner->pair_count > 0);
    return all;
}

static void plan_built_in(struct planner *planner)
{
    const char *about = "catalog guards";
    size_t count = 0;
    const char *const *helpers = guard_catalog_helpers(&count);
    for (size_t i = 0; i < count; i++) {
        add(planner, &planner->built_in, about, "%s", with_schema(planner, helpers[i]));
    }
    const struct policy *policy = planner->policy;
    plan_registry(planner, "functions", policy->functions, policy->function_count,
                  policy_function_allowed);
    plan_registry(planner, "sequences", policy->sequences, policy->sequence_count,
                  policy_sequence_allowed);
    /* Views and functions stand on each other: the bodies are looked at when they are called (and
     * by the tests). */
    add(planner, &planner->built_in, about, "SET LOCAL check_function_bodies = off");
    const char *const *functions = guard_catalog_functions(&count);
    for (size_t i = 0; i < count; i++) {
        add(planner, &planner->built_in, about, "%s", with_schema(planner, functions[i]));
    }
    const struct guard_catalog_view *views = guard_catalog_views(&count);
    for (size_t i = 0; i < count; i++) {
        plan_catalog_view(planner, &views[i]);
    }
    add(planner, &planner->built_in, about, "REVOKE ALL ON ALL TABLES IN SCHEMA %s FROM PUBLIC",
        planner->schema);
    add(planner, &planner->built_in, about, "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %s FROM PUBLIC",
        planner->schema);
    const char *pairs = pair_list(planner);
    if (pairs == NULL) {
        return;
    }
    add(planner, &planner->built_in, about, "GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s",
        planner->schema, pairs);
    /* The registries tell of other pairs: only the views over them are read. */
    add(planner, &planner->built_in, about,
        "REVOKE ALL ON %s.\"relations\", %s.\"functions\", %s.\"sequences\" FROM %s",
        planner->schema, planner->schema, planner->schema, pairs);
    add(planner, &planner->built_in, about, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %s TO %s",
        planner->schema, pairs);
}

/* ---- guards over relations ---- */

static const char *column_list(struct planner *planner, const struct policy_table *table,
                               const struct policy_rule *rule, const struct guard_view *view,
                               bool insert)
{
    const char *all = NULL;
    for (size_t i = 0; i < view->column_count; i++) {
        const char *name = view->columns[i];
        if (insert ? policy_may_insert(table, rule, name) : policy_may_update(table, rule, name)) {
            all = all == NULL ? quoted(planner, name)
                              : arena_printf(planner->arena, "%s, %s", all, quoted(planner, name));
        }
    }
    return all;
}

/* Defaults that need the owner's rights: by a function of the guard's where it shows the column as
 * it is; else the INSERT will fail, and the admin hears it now. */
static void plan_defaults(struct planner *planner, struct list *list, const struct guard_view *view,
                          const struct policy_table *table, const struct policy_rule *rule)
{
    const struct catalog_relation *relation = view->relation;
    const char *pair = quoted(planner, view->pair);
    const char *about = list->items[0].about;
    for (size_t i = 0; i < relation->column_count; i++) {
        const struct catalog_column *column = &relation->columns[i];
        if (!guard_default_needs_owner(column, planner->arena)) {
            continue;
        }
        if (policy_mask_for(planner->policy, table, rule, column->name)->kind != MASK_SHOW) {
            if (!guard_default_calls(column, planner->arena) || view->variant == GUARD_SUBJECT) {
                continue; /* deploy grants the sequence; of a variant it is said already */
            }
            add_finding(planner, false, rule,
                        arena_printf(planner->arena,
                                     "%s/%s: an INSERT into %s.%s may fail: the default of column "
                                     "\"%s\", %s, would run with the pair's rights, as the column "
                                     "is not shown: show it, or make the function SECURITY DEFINER",
                                     planner->policy->roles[view->role].name,
                                     planner->policy->missions[view->mission].name,
                                     relation->schema, relation->name, column->name,
                                     column->default_expression));
            continue;
        }
        const char *name = quoted(
            planner, kept(planner, guard_default_name(view->view, column->name, planner->arena)));
        /* One of another type may be left of a guard that is gone. */
        add(planner, list, about, "DROP FUNCTION IF EXISTS %s.%s()", pair, name);
        add(planner, list, about,
            "CREATE FUNCTION %s.%s() RETURNS %s LANGUAGE sql SECURITY DEFINER "
            "SET search_path = '' AS %s",
            pair, name, column->type,
            literal(planner,
                    kept(planner, arena_printf(planner->arena, "SELECT (%s)::%s",
                                               column->default_expression, column->type))));
        add(planner, list, about, "REVOKE ALL ON FUNCTION %s.%s() FROM PUBLIC", pair, name);
        add(planner, list, about, "GRANT EXECUTE ON FUNCTION %s.%s() TO %s", pair, name, pair);
        add(planner, list, about, "ALTER VIEW %s.%s ALTER COLUMN %s SET DEFAULT %s.%s()", pair,
            quoted(planner, view->view), quoted(planner, column->name), pair, name);
    }
}

/* What the guard reads is known once it is there. */
static void plan_reads(struct planner *planner, struct list *list, const struct guard_view *view)
{
    const char *guard = kept(planner, text_qualified(planner->arena, view->pair, view->view));
    const char *body = kept(
        planner, arena_printf(planner->arena,
                              "BEGIN EXECUTE (SELECT pg_catalog.format('COMMENT ON RULE "
                              "\"_RETURN\" ON %%s IS %%L', %s, %s) FROM pg_catalog.pg_rewrite r\n"
                              "WHERE r.ev_class = %s::pg_catalog.regclass); END",
                              literal(planner, guard), GUARD_READS_SQL, literal(planner, guard)));
    add(planner, list, list->items[0].about, "DO %s", literal(planner, body));
}

static void plan_cell_check(struct planner *planner, struct list *list,
                            const struct guard_view *view)
{
    const char *sql[GUARD_CELL_CHECK] = {NULL};
    enum status status =
        guard_cell_check(planner->policy, planner->catalog, view, planner->arena, sql);
    planner->failed = planner->failed || status == ERR_MEMORY;
    for (size_t i = 0; i < GUARD_CELL_CHECK && status == OK; i++)
        add(planner, list, list->items[0].about, "%s", sql[i]);
}

static const char *const variant_abouts[] = {
    [GUARD_PLAIN] = "", [GUARD_ONLY] = " (only)", [GUARD_SUBJECT] = " (subject)"};
static const char *const variant_comments[] = {
    [GUARD_PLAIN] = "", [GUARD_ONLY] = " only", [GUARD_SUBJECT] = " subject"};

/* The statements that make one guard. */
static void plan_view_statements(struct planner *planner, struct guard_view *view,
                                 const struct policy_table *table, const struct policy_rule *rule)
{
    struct list list = {0};
    const char *about =
        arena_printf(planner->arena, "guard %s/%s %s.%s%s", planner->policy->roles[view->role].name,
                     planner->policy->missions[view->mission].name, view->relation->schema,
                     view->relation->name, variant_abouts[view->variant]);
    const char *pair = quoted(planner, view->pair);
    const char *name = quoted(planner, view->view);
    const char *base = text_qualified(planner->arena, view->relation->schema, view->relation->name);
    bool may_write = rule != NULL && strchr("rp", view->relation->kind) != NULL;
    bool may_insert = may_write && view->variant != GUARD_ONLY; /* there is no INSERT INTO ONLY */
    bool twin = view->variant == GUARD_SUBJECT; /* what is wrong was said of the plain one */
    if (rule != NULL && !may_write && !twin &&
        (rule->insert_count > 0 || rule->update_count > 0 || rule->delete_rows || rule->truncate)) {
        add_finding(
            planner, false, rule,
            arena_printf(planner->arena,
                         "%s/%s: %s.%s is not a table: it can be read only, whatever "
                         "insert, update, delete and truncate say; write to the tables below it",
                         planner->policy->roles[view->role].name,
                         planner->policy->missions[view->mission].name, view->relation->schema,
                         view->relation->name));
    }
    const char *insert = may_insert ? column_list(planner, table, rule, view, true) : NULL;
    const char *update = may_write ? column_list(planner, table, rule, view, false) : NULL;
    bool delete_rows = may_write && rule->delete_rows && view->column_count > 0;
    bool truncate =
        may_insert && !twin && rule->truncate && rule->rows == NULL && view->column_count > 0;
    /*
     * The barrier keeps predicates that could tell of a row behind the row filter. Where every row
     * exists it would only cost indexes: a predicate then sees masked values of rows that are there
     * for everyone to read.
     */
    bool barrier = rule != NULL &&
                   (rule->rows != NULL || guard_is_cube(planner->policy, view->mission, table));
    bool check = insert != NULL || update != NULL;
    const char *options = barrier && check ? " WITH (security_barrier=true, check_option=cascaded)"
                          : barrier        ? " WITH (security_barrier=true)"
                          : check          ? " WITH (check_option=cascaded)"
                                           : "";
    add(planner, &list, about, "CREATE VIEW %s.%s%s AS\n%s", pair, name, options, view->body);
    const char *comment =
        base == NULL ? NULL
                     : arena_printf(planner->arena, "%s%s", base, variant_comments[view->variant]);
    add(planner, &list, about, "COMMENT ON VIEW %s.%s IS %s", pair, name,
        literal(planner, comment == NULL ? "" : comment));
    plan_reads(planner, &list, view);
    if (rule != NULL && !twin && guard_is_cube(planner->policy, view->mission, table))
        plan_cell_check(planner, &list, view);
    add(planner, &list, about, "REVOKE ALL ON %s.%s FROM PUBLIC", pair, name);
    add(planner, &list, about, "GRANT SELECT ON %s.%s TO %s", pair, name, pair);
    if (insert != NULL) {
        add(planner, &list, about, "GRANT INSERT (%s) ON %s.%s TO %s", insert, pair, name, pair);
    }
    if (update != NULL) {
        add(planner, &list, about, "GRANT UPDATE (%s) ON %s.%s TO %s", update, pair, name, pair);
    }
    if (delete_rows) {
        add(planner, &list, about, "GRANT DELETE ON %s.%s TO %s", pair, name, pair);
    }
    /* A view cannot be truncated: this marks the table below it, which deploy grants by it. */
    if (truncate) {
        add(planner, &list, about, "GRANT TRUNCATE ON %s.%s TO %s", pair, name, pair);
    }
    if (insert != NULL) {
        plan_defaults(planner, &list, view, table, rule);
    }
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0; i < list.count; i++) {
        buf_str(&text, list.items[i].sql);
        buf_str(&text, ";\n");
    }
    char hash[33];
    text_hash128(buf_head(&text), buf_len(&text), hash);
    planner->failed =
        planner->failed || text.failed || base == NULL || about == NULL || comment == NULL;
    buf_free(&text);
    view->hash = arena_strdup(planner->arena, hash);
    const char *guard = text_qualified(planner->arena, view->pair, view->view);
    add(planner, &list, about,
        "INSERT INTO %s.\"relations\" (pair, base, guard, variant, hash) VALUES (%s, "
        "%s::pg_catalog.regclass, "
        "%s::pg_catalog.regclass, %d, '%s')",
        planner->schema, literal(planner, view->pair), literal(planner, base == NULL ? "" : base),
        literal(planner, guard == NULL ? "" : guard), (int)view->variant, hash);
    view->statements = list.items;
    view->count = list.count;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/*
 * What hides rows of a table hides them of its partitions and children too, also of one that has
 * an entry and a rule of its own: where that one does not get the same conditions, its rows would
 * be another way to them.
 */
static void check_parents(struct planner *planner, int role, int mission,
                          const struct catalog_relation *relation, const struct policy_rule *rule)
{
    const struct catalog_relation *parent = relation;
    for (int depth = 0; rule != NULL && parent->parent >= 0 && depth < 64; depth++) {
        parent = &planner->catalog->relations[parent->parent];
        const struct policy_table *table =
            policy_table_for(planner->policy, parent->schema, parent->name);
        struct conditions conditions = {0};
        if (table != NULL &&
            !conditions_of(planner->policy, role, mission, table, planner->arena, &conditions))
            planner->failed = true;
        for (size_t i = 0; i < conditions.count; i++)
            if (!has_name(rule->conditions, rule->condition_count, conditions.names[i]))
                add_finding(planner, true, rule,
                            arena_printf(planner->arena,
                                         "%s/%s: %s hides rows of %s.%s, and not of %s.%s below "
                                         "it, which has an entry of its own: give that one the "
                                         "\"subject\" too, and name it in the right's \"tables\"",
                                         planner->policy->roles[role].name,
                                         planner->policy->missions[mission].name,
                                         conditions.names[i], parent->schema, parent->name,
                                         relation->schema, relation->name));
    }
}

/* Values that a client's settings write in more than one way cannot be compared as texts. */
static bool one_text(const char *type)
{
    static const char *const types[] = {"smallint", "integer", "bigint", "text", "uuid", "numeric"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return strncmp(type, "character", 9) == 0;
}

static void check_registered(struct planner *planner)
{
    bool registered = false;
    for (size_t i = 0; i < planner->policy->right_count; i++)
        registered = registered || planner->policy->rights[i].registered;
    for (size_t i = 0; registered && i < planner->policy->table_count; i++) {
        const struct policy_table *table = &planner->policy->tables[i];
        const struct catalog_relation *relation =
            catalog_find(planner->catalog, table->schema, table->name);
        const struct catalog_column *column = relation == NULL || table->subject_column == NULL
                                                  ? NULL
                                                  : catalog_column(relation, table->subject_column);
        if (column != NULL && !one_text(column->base_type))
            add_finding(planner, true, NULL,
                        arena_printf(planner->arena,
                                     "%s.%s: its subject is of type %s, and pgvigil's register of "
                                     "rights compares numbers, texts and uuids",
                                     table->schema, table->name, column->base_type));
    }
}

static void check_people(struct planner *planner)
{
    const struct policy_retention *retention = planner->policy->retention;
    if (retention == NULL || guard_people_unique(planner->policy, planner->catalog))
        return;
    add_finding(planner, true, NULL,
                arena_printf(planner->arena,
                             "%s:%u: retention: the subject of %s needs a primary key or a UNIQUE "
                             "constraint of its own, and must be there: of a person who stands "
                             "there twice nobody can say where the record stands",
                             retention->place.file, retention->place.line, retention->table));
}

/* Was there something to make, and can it be made? */
static bool plan_view(struct planner *planner, int role, int mission,
                      const struct catalog_relation *relation, enum guard_variant variant)
{
    struct arena *arena = planner->arena;
    struct guard_view view = {
        .role = role, .mission = mission, .relation = relation, .variant = variant};
    const char *why = NULL;
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    view.expansion = !guard_governing(planner->policy, planner->catalog, role, mission, relation,
                                      &table, &rule, &as);
    if (variant == GUARD_PLAIN && !view.expansion && as == relation)
        check_parents(planner, role, mission, relation, rule);
    enum status status =
        guard_definition(planner->policy, planner->catalog, role, mission, relation, variant, arena,
                         &view.body, &view.columns, &view.column_count, &why);
    if (status == DENIED) {
        return false;
    }
    if (status != OK) {
        planner->failed = planner->failed || status == ERR_MEMORY;
        add_finding(planner, !view.expansion, rule,
                    arena_printf(
                        arena, "%s/%s: %s %s.%s %s: %s", planner->policy->roles[role].name,
                        planner->policy->missions[mission].name,
                        relation->kind == 'v' ? "view" : "table", relation->schema, relation->name,
                        view.expansion ? "is left out, it needs its own rule" : "cannot be guarded",
                        why == NULL ? status_name(status) : why));
        return false;
    }
    view.pair = guard_pair_name(planner->policy, role, mission, arena);
    view.view = guard_view_name(relation->schema, relation->name, variant, arena);
    struct guard_view *grown =
        arena_grow(arena, planner->views, planner->view_count, &planner->view_cap, sizeof(*grown));
    if (view.pair == NULL || view.view == NULL || grown == NULL) {
        planner->failed = true;
        return false;
    }
    planner->views = grown;
    plan_view_statements(planner, &view, table, rule);
    grown[planner->view_count++] = view;
    return true;
}

/* ---- which view stands on which ---- */

struct rank {
    struct planner *planner;
    int depth;
    int below; /* highest rank of what is read */
};

static int rank_of(struct planner *planner, const struct catalog_relation *relation, int depth);

static bool rank_visit(const ProtobufCMessage *message, void *data)
{
    struct rank *rank = data;
    if (!guard_tree_is(message, &pg_query__range_var__descriptor)) {
        return true;
    }
    const PgQuery__RangeVar *range = (const PgQuery__RangeVar *)message;
    const struct catalog_relation *relation =
        range->schemaname == NULL
            ? NULL
            : catalog_find(rank->planner->catalog, range->schemaname, range->relname);
    int below = relation == NULL ? 0 : rank_of(rank->planner, relation, rank->depth + 1);
    rank->below = below > rank->below ? below : rank->below;
    return false;
}

static int rank_of(struct planner *planner, const struct catalog_relation *relation, int depth)
{
    int *known = &planner->ranks[relation - planner->catalog->relations];
    if (relation->kind != 'v' || relation->definition == NULL || depth > 64) {
        return 0;
    }
    if (*known == 0) {
        PgQuery__ParseResult *tree = NULL;
        const char *why = NULL;
        struct rank rank = {.planner = planner, .depth = depth};
        *known = 1;
        if (guard_tree_parse(relation->definition, planner->arena, &tree, &why) == OK &&
            guard_tree_walk(&tree->base, rank_visit, &rank) == OK) {
            *known = rank.below + 1;
        }
    }
    return *known;
}

static bool system_relation(const struct catalog_relation *relation)
{
    return strncmp(relation->schema, "pg_", 3) == 0 ||
           strcmp(relation->schema, "information_schema") == 0 ||
           strncmp(relation->schema, "pgvigil:", 8) == 0;
}

/* Guards that follow a rule need no other guard; expansions come after, the deepest last. */
static void plan_pair_views(struct planner *planner, int role, int mission, int highest)
{
    const struct catalog *catalog = planner->catalog;
    for (int rank = 0; rank <= highest; rank++) {
        for (size_t i = 0; i < catalog->relation_count; i++) {
            const struct catalog_relation *relation = &catalog->relations[i];
            if (planner->ranks[i] != rank || system_relation(relation)) {
                continue;
            }
            bool plain = plan_view(planner, role, mission, relation, GUARD_PLAIN);
            if (relation->has_children) {
                (void)plan_view(planner, role, mission, relation, GUARD_ONLY);
            }
            if (plain) {
                (void)plan_view(planner, role, mission, relation, GUARD_SUBJECT);
            }
        }
    }
}

static void check_cubes(struct planner *planner, int role, int mission)
{
    const char *what = NULL;
    enum status status =
        guard_check_cubes(planner->policy, planner->catalog, role, mission, planner->arena, &what);
    planner->failed = planner->failed || status == ERR_MEMORY;
    if (what != NULL)
        add_finding(planner, true, NULL,
                    arena_printf(planner->arena, "%s:%u: %s/%s: aggregate_only: %s",
                                 planner->policy->missions[mission].place.file,
                                 planner->policy->missions[mission].place.line,
                                 planner->policy->roles[role].name,
                                 planner->policy->missions[mission].name, what));
}

static void plan_views(struct planner *planner)
{
    const struct policy *policy = planner->policy;
    int highest = 0;
    for (size_t i = 0; i < planner->catalog->relation_count; i++) {
        const struct catalog_relation *relation = &planner->catalog->relations[i];
        int rank = system_relation(relation) ? 0 : rank_of(planner, relation, 0);
        highest = rank > highest ? rank : highest;
    }
    for (size_t i = 0; i < policy->role_count; i++) {
        for (size_t j = 0; j < policy->roles[i].mission_count && !policy->roles[i].unrestricted;
             j++) {
            check_cubes(planner, (int)i, (int)policy->roles[i].missions[j]);
            plan_pair_views(planner, (int)i, (int)policy->roles[i].missions[j], highest);
        }
    }
}

/* ---- the whole ---- */

static void hash_built_in(struct planner *planner, struct guard_plan *plan)
{
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0; i < planner->built_in.count; i++) {
        buf_cstr(&text, planner->built_in.items[i].sql);
    }
    char hash[33];
    text_hash128(buf_head(&text), buf_len(&text), hash);
    planner->failed = planner->failed || text.failed;
    buf_free(&text);
    plan->catalog_hash = arena_strdup(planner->arena, hash);
}

static void plan_finish(struct planner *planner, const char *catalog_hash)
{
    const char *digest = planner->policy->digest;
    /* Without its size the planner takes the registry for a table of one row: catalog queries of
     * drivers, joins over many guards, took seconds. */
    add(planner, &planner->finish, "statistics", "ANALYZE %s.\"relations\"", planner->schema);
    for (size_t i = 0; i < planner->pair_count; i++) {
        add(planner, &planner->finish, "comments", "COMMENT ON SCHEMA %s IS 'pgvigil %s'",
            quoted(planner, planner->pairs[i]), digest);
    }
    add(planner, &planner->finish, "comments", "COMMENT ON SCHEMA %s IS 'pgvigil %s %s'",
        planner->schema, digest, catalog_hash == NULL ? "" : catalog_hash);
}

enum status guard_plan_make(const struct policy *policy, const struct catalog *catalog,
                            const char *owner, const char *login, struct arena *arena,
                            struct guard_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    struct planner planner = {
        .policy = policy, .catalog = catalog, .arena = arena, .owner = owner, .login = login};
    plan->catalog_schema = guard_catalog_schema(policy, arena);
    planner.ranks = arena_zalloc(arena, catalog->relation_count + 1, sizeof(*planner.ranks));
    if (plan->catalog_schema == NULL || planner.ranks == NULL) {
        return ERR_MEMORY;
    }
    planner.schema = quoted(&planner, plan->catalog_schema);
    plan_schema(&planner, plan->catalog_schema, "catalog guards");
    for (size_t i = 0; i < policy->role_count; i++) {
        for (size_t j = 0; j < policy->roles[i].mission_count && !policy->roles[i].unrestricted;
             j++) {
            plan_pair(&planner, (int)i, (int)policy->roles[i].missions[j]);
        }
    }
    plan_built_in(&planner);
    plan_views(&planner);
    check_people(&planner);
    check_registered(&planner);
    hash_built_in(&planner, plan);
    plan_finish(&planner, plan->catalog_hash);
    if (planner.failed) {
        return ERR_MEMORY;
    }
    plan->digest = policy->digest;
    plan->roles = planner.roles.items;
    plan->role_count = planner.roles.count;
    plan->built_in = planner.built_in.items;
    plan->built_in_count = planner.built_in.count;
    plan->views = planner.views;
    plan->view_count = planner.view_count;
    plan->finish = planner.finish.items;
    plan->finish_count = planner.finish.count;
    plan->findings = planner.findings;
    plan->finding_count = planner.finding_count;
    plan->error_count = planner.error_count;
    plan->pairs = planner.pairs;
    plan->pair_count = planner.pair_count;
    return OK;
}
