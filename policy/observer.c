/*
 * observer.c: the catalogs that observing needs (see observe.h).
 *
 * judge() asks for guards that stand in the database. Where nothing is deployed they are those that
 * `deploy` would make of the policy. To tell which columns a statement would miss, it is judged a
 * second time over guards that hide no column.
 *
 * Trust boundary: the catalog is the database's, the definitions of its views too.
 */
#include "observer.h"

#include "guard_tree.h"

#include <pgvigil/guard.h>
#include <stdlib.h>
#include <string.h>

/* No relation of a catalog has one as high, in practice; they are told to nobody. */
#define GUARD_OID 3000000000U

/* ---- catalogs ---- */

/* All of a catalog but its guards. */
static struct catalog_builder *copy_catalog(const struct catalog *from, const char *digest)
{
    struct catalog_builder *builder = catalog_builder_new();
    if (builder == NULL)
        return NULL;
    for (size_t i = 0; i < from->relation_count; i++)
        catalog_add_relation(builder, &from->relations[i]);
    for (size_t i = 0; i < from->relation_count; i++)
        if (from->relations[i].parent >= 0)
            catalog_set_parent(builder, from->relations[i].oid,
                               from->relations[from->relations[i].parent].oid);
    for (size_t i = 0; i < from->function_count; i++)
        catalog_add_function(builder, &from->functions[i]);
    for (size_t i = 0; i < from->sequence_count; i++)
        catalog_add_sequence(builder, &from->sequences[i]);
    for (size_t i = 0; i < from->type_count; i++) {
        const char *dot = strchr(from->types[i], '.');
        char *schema = dot == NULL ? NULL
                                   : arena_strndup(catalog_builder_arena(builder), from->types[i],
                                                   (size_t)(dot - from->types[i]));
        if (schema != NULL)
            catalog_add_type(builder, schema, dot + 1, from->type_oids[i], from->type_roots[i]);
    }
    for (size_t i = 0; i < from->operator_count; i++)
        catalog_add_operator(builder, from->operators[i]);
    for (size_t i = 0; i < from->typed_operator_count; i++)
        catalog_add_typed_operator(builder, from->typed_operators[i]);
    for (size_t i = 0; i < from->schema_count; i++)
        catalog_add_schema(builder, from->schemas[i]);
    catalog_set_casts(builder, from->casts);
    catalog_set_database(builder, from->database, from->server_version, digest);
    return builder;
}

static enum status add_planned(struct catalog_builder *builder, const struct guard_view *view,
                               size_t index, struct arena *arena)
{
    int16_t *attnums = arena_zalloc(arena, view->column_count + 1, sizeof(*attnums));
    if (attnums == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < view->column_count; i++) {
        const struct catalog_column *column = catalog_column(view->relation, view->columns[i]);
        attnums[i] = column == NULL ? 0 : column->attnum;
    }
    struct catalog_guard guard = {.pair = view->pair,
                                  .view = view->view,
                                  .oid = GUARD_OID + 2 * (uint32_t)index,
                                  .row_type_oid = GUARD_OID + 2 * (uint32_t)index + 1,
                                  .base_oid = view->relation->oid,
                                  .variant = view->variant,
                                  .columns = view->columns,
                                  .base_attnums = attnums,
                                  .column_count = view->column_count};
    catalog_add_guard(builder, &guard);
    return OK;
}

/* A guard with every column of its relation. */
static enum status add_opened(struct catalog_builder *builder, const struct catalog *catalog,
                              const struct catalog_guard *guard, struct arena *arena)
{
    const struct catalog_relation *relation = catalog_find_oid(catalog, guard->base_oid);
    if (relation == NULL)
        return OK;
    struct catalog_guard opened = *guard;
    const char **names = arena_zalloc(arena, relation->column_count + 1, sizeof(*names));
    int16_t *attnums = arena_zalloc(arena, relation->column_count + 1, sizeof(*attnums));
    if (names == NULL || attnums == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < relation->column_count; i++) {
        names[i] = relation->columns[i].name;
        attnums[i] = relation->columns[i].attnum;
    }
    opened.columns = names;
    opened.base_attnums = attnums;
    opened.column_count = relation->column_count;
    catalog_add_guard(builder, &opened);
    return OK;
}

static enum status open_guards(const struct policy *policy, const struct catalog *catalog,
                               struct catalog **opened)
{
    struct arena *scratch = arena_new(0);
    struct catalog_builder *builder =
        scratch == NULL ? NULL : copy_catalog(catalog, policy->digest);
    enum status status = builder == NULL ? ERR_MEMORY : OK;
    for (size_t i = 0; status == OK && i < catalog->guard_count; i++)
        status = add_opened(builder, catalog, &catalog->guards[i], scratch);
    enum status finished = builder == NULL ? OK : catalog_finish(builder, opened);
    arena_free(scratch);
    return status == OK ? finished : status;
}

/* ---- views ---- */

struct reading {
    const struct catalog *catalog;
    struct arena *arena;
    struct observer_view *view;
    size_t cap;
    bool failed;
};

/* PostgreSQL writes definitions out under an empty path: what has no schema is of pg_catalog, or a
 * CTE. */
static bool visit_relation(const ProtobufCMessage *message, void *context)
{
    struct reading *reading = context;
    if (!guard_tree_is(message, &pg_query__range_var__descriptor))
        return true;
    const PgQuery__RangeVar *var = (const PgQuery__RangeVar *)message;
    const struct catalog_relation *relation =
        var->schemaname[0] == '\0' ? NULL
                                   : catalog_find(reading->catalog, var->schemaname, var->relname);
    if (relation == NULL)
        return true;
    struct observer_view *view = reading->view;
    const struct catalog_relation **grown =
        arena_grow(reading->arena, view->reads, view->count, &reading->cap, sizeof(void *));
    reading->failed = reading->failed || grown == NULL;
    if (grown != NULL) {
        view->reads = grown;
        view->reads[view->count++] = relation;
    }
    return true;
}

static enum status read_view(struct observer *observer, const struct catalog_relation *relation)
{
    PgQuery__ParseResult *tree = NULL;
    const char *why = NULL;
    struct arena *scratch = arena_new(0);
    struct observer_view *view = arena_zalloc(observer->arena, 1, sizeof(*view));
    struct reading reading = {.catalog = observer->catalog, .arena = observer->arena, .view = view};
    enum status status = scratch == NULL || view == NULL
                             ? ERR_MEMORY
                             : guard_tree_parse(relation->definition, scratch, &tree, &why);
    if (status == OK)
        status = guard_tree_walk(&tree->base, visit_relation, &reading);
    if (status == OK && !reading.failed)
        status = map_put(observer->views, &relation->oid, sizeof(relation->oid), view);
    arena_free(scratch);
    /* A newer server's syntax, or a depth nobody meant: nothing is known of it. */
    return status == ERR_SYNTAX || status == ERR_LIMIT ? OK : reading.failed ? ERR_MEMORY : status;
}

static enum status read_views(struct observer *observer)
{
    const struct catalog *catalog = observer->catalog;
    enum status status = OK;
    for (size_t i = 0; status == OK && i < catalog->relation_count; i++) {
        const struct catalog_relation *relation = &catalog->relations[i];
        bool system = strncmp(relation->schema, "pg_", 3) == 0 ||
                      strcmp(relation->schema, "information_schema") == 0;
        if (relation->kind == 'v' && relation->definition != NULL && !system)
            status = read_view(observer, relation);
    }
    return status;
}

const struct observer_view *observer_view(const struct observer *observer,
                                          const struct catalog_relation *relation)
{
    return map_get(observer->views, &relation->oid, sizeof(relation->oid));
}

/* ---- observers ---- */

enum status observer_new(struct policy *policy, struct catalog *catalog, struct observer **out)
{
    struct observer *observer = calloc(1, sizeof(*observer));
    if (observer == NULL)
        return ERR_MEMORY;
    observer->policy = policy_ref(policy);
    observer->catalog = catalog_ref(catalog);
    observer->views = map_new();
    observer->arena = arena_new(0);
    enum status status = observer->views == NULL || observer->arena == NULL ? ERR_MEMORY : OK;
    if (status == OK)
        status = open_guards(policy, catalog, &observer->opened);
    if (status == OK)
        status = read_views(observer);
    if (status != OK) {
        observer_free(observer);
        return status;
    }
    *out = observer;
    return OK;
}

static void tell_findings(const struct guard_plan *plan, struct buf *why)
{
    for (size_t i = 0; i < plan->finding_count; i++) {
        const struct guard_finding *finding = &plan->findings[i];
        if (!finding->error)
            continue;
        if (finding->place.file != NULL)
            buf_printf(why, "%s:%u: ", finding->place.file, finding->place.line);
        buf_printf(why, "%s\n", finding->message);
    }
}

enum status observe_plan(const struct policy *policy, const struct catalog *catalog,
                         struct catalog **planned, struct buf *why)
{
    struct guard_plan plan;
    struct arena *scratch = arena_new(0);
    enum status status = scratch == NULL ? ERR_MEMORY
                                         : guard_plan_make(policy, catalog, "pgvigil_owner",
                                                           "pgvigil", scratch, &plan);
    if (status == OK) {
        tell_findings(&plan, why);
        struct catalog_builder *builder = copy_catalog(catalog, policy->digest);
        status = builder == NULL ? ERR_MEMORY : OK;
        for (size_t i = 0; status == OK && i < plan.view_count; i++)
            status = add_planned(builder, &plan.views[i], i, scratch);
        enum status finished = builder == NULL ? OK : catalog_finish(builder, planned);
        status = status == OK ? finished : status;
    }
    arena_free(scratch);
    return status;
}

void observer_free(struct observer *observer)
{
    if (observer == NULL)
        return;
    policy_unref(observer->policy);
    if (observer->catalog != NULL)
        catalog_unref(observer->catalog);
    if (observer->opened != NULL)
        catalog_unref(observer->opened);
    map_free(observer->views);
    arena_free(observer->arena);
    free(observer);
}

struct catalog *observer_catalog(const struct observer *observer)
{
    return observer->catalog;
}
