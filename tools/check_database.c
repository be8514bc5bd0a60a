/*
 * check_database.c: a policy against the database that it speaks of.
 *
 * Unknown tables and columns, what is hidden because nobody has classified it, what each pattern
 * matched, expressions that PostgreSQL rejects and masks that a client's settings could change.
 * Everything is tried in a transaction that is rolled back.
 *
 * Trust boundary: none of its own; it prints names and PostgreSQL's messages, never a value of a
 * row.
 */
#include "tools/check_database.h"

#include "policy/guard_expr.h"
#include "proxy/catalog_load.h"
#include "tools/cli.h"

#include <pgvigil/guard.h>
#include <pgvigil/map.h>
#include <pgvigil/text.h>
#include <stdarg.h>
#include <string.h>

void check_say(struct check *check, enum check_level level, const struct policy_place *place,
               const char *format, ...)
{
    static const char *const words[] = {"error", "warning", "info"};
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(check->arena, format, args);
    va_end(args);
    if (place != NULL && place->file != NULL) {
        (void)fprintf(check->out, "%s:%u: ", place->file, place->line);
    } else {
        (void)fprintf(check->out, "database %s: ", check->name);
    }
    (void)fprintf(check->out, "%s: %s\n", words[level],
                  message == NULL ? "out of memory" : message);
    check->errors += level == CHECK_ERROR ? 1 : 0;
    check->warnings += level == CHECK_WARNING ? 1 : 0;
}

PGresult *check_query(struct check *check, const char *sql, int count, const char *const *values)
{
    PGresult *result = PQexecParams(check->conn, sql, count, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK) {
        return result;
    }
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    check_say(check, CHECK_ERROR, NULL, "the catalog could not be read: %s",
              message == NULL ? "the connection is lost" : message);
    check->failed = true;
    PQclear(result);
    return NULL;
}

static bool system_schema(const char *schema)
{
    return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;
}

bool check_governed(const struct check *check, const struct catalog_relation *relation)
{
    return guard_table(check->policy, check->catalog, relation) != NULL;
}

/* ---- names ---- */

static void check_exact_table(struct check *check, const struct policy_table *table)
{
    const struct catalog_relation *relation =
        catalog_find(check->catalog, table->schema, table->name);
    if (relation == NULL) {
        check_say(check, CHECK_ERROR, &table->place, "there is no table %s.%s in the database",
                  table->schema, table->name);
        return;
    }
    for (size_t i = 0; i < table->category_count; i++) {
        const struct policy_category *category = &table->categories[i];
        for (size_t j = 0; j < category->column_count; j++) {
            if (catalog_column(relation, category->columns[j]) == NULL) {
                check_say(check, CHECK_ERROR, &category->place, "%s.%s has no column \"%s\"",
                          table->schema, table->name, category->columns[j]);
            }
        }
    }
}

static void check_pattern(struct check *check, const struct policy_table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < check->catalog->relation_count; i++) {
        const struct catalog_relation *relation = &check->catalog->relations[i];
        if (!system_schema(relation->schema) &&
            policy_table_for(check->policy, relation->schema, relation->name) == table) {
            check_say(check, CHECK_INFO, &table->place, "%s.%s matches %s.%s", table->schema,
                      table->name, relation->schema, relation->name);
            count++;
        }
    }
    if (count == 0) {
        check_say(check, CHECK_WARNING, &table->place, "%s.%s matches no table", table->schema,
                  table->name);
    }
}

static bool has_rule(const struct check *check, const struct catalog_relation *relation)
{
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    for (size_t role = 0; role < check->policy->role_count; role++) {
        const struct policy_role *known = &check->policy->roles[role];
        for (size_t i = 0; i < known->mission_count && !known->unrestricted; i++) {
            if (guard_governing(check->policy, check->catalog, (int)role, (int)known->missions[i],
                                relation, &table, &rule, &as)) {
                return true;
            }
        }
    }
    return false;
}

/* That two patterns match one relation shows only here: no file holds both names. */
static void check_rule_patterns(struct check *check, const struct catalog_relation *relation)
{
    const struct policy_table *table = NULL;
    const struct policy_rule *rule = NULL;
    const struct catalog_relation *as = NULL;
    const char *why = NULL;
    for (size_t role = 0; role < check->policy->role_count; role++) {
        const struct policy_role *known = &check->policy->roles[role];
        for (size_t i = 0; i < known->mission_count && !known->unrestricted; i++) {
            int mission = (int)known->missions[i];
            if (!guard_governing(check->policy, check->catalog, (int)role, mission, relation,
                                 &table, &rule, &as) &&
                policy_is_ambiguous(check->policy, (int)role, mission, relation->schema,
                                    relation->name, check->arena, &why)) {
                check_say(check, CHECK_ERROR, NULL, "%s", why == NULL ? "out of memory" : why);
            }
        }
    }
}

static void check_relation(struct check *check, const struct catalog_relation *relation)
{
    const struct policy_table *table =
        policy_table_for(check->policy, relation->schema, relation->name);
    const char *why = NULL;
    if (!check_governed(check, relation) &&
        policy_is_ambiguous(check->policy, -1, -1, relation->schema, relation->name, check->arena,
                            &why)) {
        check_say(check, CHECK_ERROR, NULL, "%s", why == NULL ? "out of memory" : why);
        return;
    }
    check_rule_patterns(check, relation);
    if (!check_governed(check, relation)) {
        /* A view without an entry is what its tables are. */
        if (relation->kind != 'v') {
            check_say(check, CHECK_INFO, NULL,
                      "%s.%s is in no file: it exists for nobody but unrestricted roles",
                      relation->schema, relation->name);
        }
        return;
    }
    if (!has_rule(check, relation)) {
        check_say(check, CHECK_INFO, table == NULL ? NULL : &table->place,
                  "no rule speaks of %s.%s: it exists for nobody", relation->schema,
                  relation->name);
    }
    for (size_t i = 0; table != NULL && i < relation->column_count; i++) {
        if (policy_category_of(table, relation->columns[i].name) == NULL) {
            check_say(check, CHECK_INFO, &table->place,
                      "column \"%s\" of %s.%s is in no category: it is hidden",
                      relation->columns[i].name, relation->schema, relation->name);
        }
    }
}

static void check_names(struct check *check)
{
    for (size_t i = 0; i < check->policy->table_count; i++) {
        const struct policy_table *table = &check->policy->tables[i];
        if (table->pattern) {
            check_pattern(check, table);
        } else {
            check_exact_table(check, table);
        }
    }
    for (size_t i = 0; i < check->catalog->relation_count; i++) {
        if (!system_schema(check->catalog->relations[i].schema)) {
            check_relation(check, &check->catalog->relations[i]);
        }
    }
    for (size_t i = 0; i < check->policy->function_count; i++) {
        const struct policy_function *function = &check->policy->functions[i];
        const struct catalog_function *known =
            catalog_function_find(check->catalog, function->schema, function->name);
        if (known == NULL) {
            check_say(check, CHECK_ERROR, &function->place,
                      "there is no function %s.%s in the database", function->schema,
                      function->name);
        } else if (known->security_definer) {
            check_say(
                check, CHECK_WARNING, &function->place,
                "%s.%s is SECURITY DEFINER: it reads with its owner's rights, past every guard",
                function->schema, function->name);
        }
    }
    for (size_t i = 0; i < check->policy->sequence_count; i++) {
        const struct policy_function *sequence = &check->policy->sequences[i];
        if (catalog_find_sequence(check->catalog, sequence->schema, sequence->name) == NULL)
            check_say(check, CHECK_ERROR, &sequence->place,
                      "there is no sequence %s.%s in the database", sequence->schema,
                      sequence->name);
    }
}

/* ---- expressions ---- */

/* Runs `sql` inside a savepoint that is rolled back; NULL when it worked, else PostgreSQL's message
 * (arena). */
static const char *try_sql(struct check *check, const char *sql)
{
    PQclear(PQexec(check->conn, "SAVEPOINT try"));
    PGresult *result = PQexec(check->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    const char *message = NULL;
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        message = arena_strdup(check->arena, said == NULL ? "the connection is lost" : said);
        check->failed = check->failed || said == NULL || message == NULL;
    }
    PQclear(result);
    PQclear(PQexec(check->conn, "ROLLBACK TO SAVEPOINT try; RELEASE SAVEPOINT try"));
    return message;
}

/* One rule fails alike for all its roles and missions: said once. */
static bool already_said(struct check *check, struct map *said, const void *rule,
                         const char *relation, const char *message)
{
    const char *key = arena_printf(check->arena, "%p %s %s", rule, relation, message);
    bool known = key != NULL && map_get_str(said, key) != NULL;
    if (key == NULL || (!known && map_put_str(said, key, said) != OK)) {
        check->failed = true;
    }
    return known;
}

/* PostgreSQL's message shows a name in small letters when somebody forgot its quotes. */
static const char *quotes_hint(struct check *check, const char *message, const char *relation)
{
    bool name = strstr(message, "FROM-clause") != NULL || strstr(message, "does not exist") != NULL;
    if (!name || strpbrk(relation, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL) {
        return "";
    }
    const char *hint = arena_printf(check->arena,
                                    " (in an expression a name with capitals needs SQL's quotes: "
                                    "\\\"%s\\\")",
                                    relation);
    check->failed = check->failed || hint == NULL;
    return hint == NULL ? "" : hint;
}

static void try_guards(struct check *check, const struct guard_plan *plan)
{
    struct map *said = map_new();
    for (size_t i = 0; said != NULL && i < plan->view_count; i++) {
        const struct guard_view *view = &plan->views[i];
        if (view->expansion) {
            continue; /* stands over guards, which are perhaps not there yet */
        }
        const struct policy_table *table = NULL;
        const struct policy_rule *rule = NULL;
        const struct catalog_relation *as = NULL;
        (void)guard_governing(check->policy, check->catalog, view->role, view->mission,
                              view->relation, &table, &rule, &as);
        const char *sql = arena_printf(check->arena, "EXPLAIN %s", view->body);
        const char *message = sql == NULL ? NULL : try_sql(check, sql);
        if (message != NULL && rule != NULL &&
            !already_said(check, said, rule, view->relation->name, message)) {
            check_say(check, CHECK_ERROR, &rule->place,
                      "the guard of %s.%s for %s/%s does not work as %s: %s%s",
                      view->relation->schema, view->relation->name,
                      check->policy->roles[view->role].name,
                      check->policy->missions[view->mission].name, check->owner, message,
                      quotes_hint(check, message, view->relation->name));
        }
    }
    check->failed = check->failed || said == NULL;
    map_free(said);
}

/* A generated column takes immutable expressions only: PostgreSQL's own judgement. */
static void try_mask(struct check *check, const struct guard_expr_context *context,
                     const struct catalog_column *column, const struct policy_mask *mask,
                     struct map *said)
{
    const char *expression = NULL;
    const char *why = NULL;
    if (guard_expr_column(context, column, mask, &expression, &why) != OK) {
        return; /* the plan's findings tell */
    }
    struct buf sql;
    buf_init(&sql, 0);
    buf_str(&sql, "CREATE TEMPORARY TABLE ");
    text_quote_ident(&sql, context->alias);
    buf_str(&sql, " (");
    text_quote_ident(&sql, column->name);
    buf_printf(&sql, " %s, \"pgvigil:mask\" %s GENERATED ALWAYS AS (%s) STORED)", column->type,
               column->base_type, expression);
    buf_byte(&sql, '\0');
    const char *message = sql.failed ? NULL : try_sql(check, (const char *)buf_head(&sql));
    buf_free(&sql);
    if (message != NULL && !already_said(check, said, mask, column->type, message)) {
        bool changeable = strstr(message, "immutable") != NULL;
        check_say(check, CHECK_ERROR, &mask->place, "mask \"%s\" over %s.%s.%s (%s): %s%s",
                  mask->name, context->relation->schema, context->relation->name, column->name,
                  column->type, message,
                  changeable ? ": it depends on settings that a client may change (the time zone, "
                               "the date style)"
                             : "");
    }
}

static void try_masks(struct check *check, const struct guard_plan *plan)
{
    struct map *said = map_new();
    for (size_t i = 0; said != NULL && i < plan->view_count; i++) {
        const struct guard_view *view = &plan->views[i];
        struct guard_expr_context context = {.policy = check->policy,
                                             .catalog = check->catalog,
                                             .relation = view->relation,
                                             .mission = view->mission,
                                             .arena = check->arena};
        const struct catalog_relation *as = NULL;
        if (view->variant != GUARD_PLAIN ||
            !guard_governing(check->policy, check->catalog, view->role, view->mission,
                             view->relation, &context.table, &context.rule, &as)) {
            continue;
        }
        context.alias = as->name;
        for (size_t j = 0; j < view->relation->column_count; j++) {
            const struct catalog_column *column = &view->relation->columns[j];
            const struct policy_mask *mask =
                policy_mask_for(check->policy, context.table, context.rule, column->name);
            if (mask->kind == MASK_EXPRESSION) {
                try_mask(check, &context, column, mask, said);
            }
        }
    }
    check->failed = check->failed || said == NULL;
    map_free(said);
}

static void check_expressions(struct check *check)
{
    struct guard_plan plan;
    if (guard_plan_make(check->policy, check->catalog, check->owner, check->login, check->arena,
                        &plan) != OK) {
        check->failed = true;
        return;
    }
    for (size_t i = 0; i < plan.finding_count; i++) {
        check_say(check, plan.findings[i].error ? CHECK_ERROR : CHECK_WARNING,
                  &plan.findings[i].place, "%s", plan.findings[i].message);
    }
    struct buf sql;
    buf_init(&sql, 0);
    buf_str(&sql, "SET LOCAL ROLE ");
    text_quote_ident(&sql, check->owner);
    buf_byte(&sql, '\0');
    try_masks(check, &plan);
    PGresult *result = sql.failed ? NULL : PQexec(check->conn, "SAVEPOINT owner");
    PQclear(result);
    result = sql.failed ? NULL : PQexec(check->conn, (const char *)buf_head(&sql));
    buf_free(&sql);
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        try_guards(check, &plan);
    } else {
        check_say(check, CHECK_INFO, NULL,
                  "filters and the rights of %s were not tried: this connection may not act as it "
                  "(use a DBA's: --as)",
                  check->owner);
    }
    PQclear(result);
    PQclear(PQexec(check->conn, "ROLLBACK TO SAVEPOINT owner"));
    if (strcmp(check->catalog->generation_digest, check->policy->digest) != 0) {
        check_say(check, CHECK_INFO, NULL, "this policy (generation %s) is not deployed",
                  check->policy->generation);
    }
}

static void quiet(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static int run(struct check *check)
{
    struct buf why;
    struct catalog *catalog = NULL;
    buf_init(&why, 0);
    PQclear(PQexec(check->conn, "BEGIN"));
    PQclear(PQexec(check->conn, "SET LOCAL search_path = ''"));
    enum status status = catalog_load_conn(check->conn, check->policy, &catalog, &why);
    if (status != OK) {
        check_say(check, CHECK_ERROR, NULL, "the catalog could not be read: %.*s",
                  (int)buf_len(&why), (const char *)buf_head(&why));
        buf_free(&why);
        return CLI_CANNOT;
    }
    buf_free(&why);
    check->catalog = catalog;
    check_names(check);
    check_expressions(check);
    check_rights(check);
    check_subjects(check);
    check_aggregate(check);
    PQclear(PQexec(check->conn, "ROLLBACK"));
    catalog_unref(catalog);
    if (check->failed) {
        return CLI_CANNOT;
    }
    if (check->errors == 0) {
        (void)fprintf(check->out, "database %s: no errors, %zu warnings\n", check->name,
                      check->warnings);
    }
    return check->errors > 0 ? CLI_FINDINGS : CLI_FINE;
}

int check_database(const struct policy *policy, const char *name, PGconn *conn, const char *owner,
                   const char *login, const char *unrestricted, FILE *out)
{
    struct check check = {.policy = policy,
                          .name = name,
                          .owner = owner,
                          .login = login,
                          .unrestricted = unrestricted,
                          .arena = arena_new(0),
                          .out = out};
    int code = CLI_CANNOT;
    check.conn = conn;
    if (check.conn == NULL || check.arena == NULL || PQstatus(check.conn) != CONNECTION_OK) {
        (void)fprintf(out, "database %s: error: cannot connect: %s", name,
                      check.conn == NULL || check.arena == NULL ? "out of memory\n"
                                                                : PQerrorMessage(check.conn));
    } else {
        (void)PQsetNoticeReceiver(check.conn, quiet, NULL);
        code = run(&check);
    }
    PQfinish(check.conn);
    arena_free(check.arena);
    return code;
}
