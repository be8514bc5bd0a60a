/*
 * guard_cell.c: which cells of a table of patients exist (see guard_cell.h).
 *
 * The condition stands in the guard, so PostgreSQL holds to it whatever a statement says, and
 * behind the guard's barrier, so that no expression of a client's sees a row that is left out.
 *
 * The attacks: two questions whose answers differ by one patient, or many that do when put together
 * (trackers); values that count as equal and can be told apart all the same (1.0 and 1.00, letters
 * under a collation), by which a cell could be cut once more; a missing value, which is told by
 * count(x) beside count(*); the same rows through a view or a partition, cut otherwise.
 */
#include "guard_cell.h"

#include "guard_tree.h"

#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <string.h>

bool guard_is_cube(const struct policy *policy, int mission, const struct policy_table *table)
{
    return mission >= 0 && policy->missions[mission].aggregate_only != NULL && table != NULL &&
           table->subject != NULL;
}

/* ---- the condition ---- */

struct parts {
    const struct guard_expr_context *context;
    const char *list;   /* with commas between; NULL: none yet */
    const char *places; /* "1, 2, 3" */
    size_t count;
};

static enum status add_part(struct parts *parts, const char *part)
{
    struct arena *arena = parts->context->arena;
    if (part == NULL)
        return ERR_MEMORY;
    parts->count++;
    parts->list =
        parts->list == NULL ? part : arena_printf(arena, "%s,\n    %s", parts->list, part);
    parts->places =
        parts->places == NULL ? "1" : arena_printf(arena, "%s, %zu", parts->places, parts->count);
    return parts->list == NULL || parts->places == NULL ? ERR_MEMORY : OK;
}

/* In an array NULL equals NULL. And as the bytes of its text: what is equal only, or under a
 * collation, is one value here and two to whoever asks. */
static enum status add_dimension(struct parts *parts, const char *value)
{
    struct arena *arena = parts->context->arena;
    enum status status = add_part(parts, arena_printf(arena, "ARRAY[%s]", value));
    return status == OK ? add_part(parts, arena_printf(arena,
                                                       "ARRAY[(%s)::pg_catalog.text COLLATE "
                                                       "pg_catalog.\"C\"]",
                                                       value))
                        : status;
}

static enum status add_column(struct parts *parts, const char *name, const char **why)
{
    const struct guard_expr_context *context = parts->context;
    const struct catalog_column *column = catalog_column(context->relation, name);
    enum policy_part part = policy_part_of(context->table, name);
    if (column == NULL) {
        *why = arena_printf(context->arena, "it has no column \"%s\", which is among its %s", name,
                            part == PART_DIMENSION ? "\"dimensions\"" : "\"measures\"");
        return *why == NULL ? ERR_MEMORY : ERR_INVALID;
    }
    const struct policy_mask *mask =
        policy_mask_for(context->policy, context->table, context->rule, name);
    if (mask->kind == MASK_HIDE || mask->kind == MASK_NULL)
        return OK; /* nothing can be asked by it */
    const char *value = NULL;
    enum status status = guard_expr_column(context, column, mask, &value, why);
    if (status != OK)
        return status;
    return part == PART_DIMENSION
               ? add_dimension(parts, value)
               : add_part(parts, arena_printf(context->arena, "(%s) IS NULL", value));
}

enum status guard_cell(const struct guard_expr_context *context, const char *rows, const char **sql,
                       const char **why)
{
    const struct policy_table *table = context->table;
    struct arena *arena = context->arena;
    const char *subject = NULL;
    *sql = NULL;
    if (context->bare || !guard_is_cube(context->policy, context->mission, table))
        return OK;
    struct parts parts = {.context = context};
    enum status status = guard_expr_subject(context, &subject, why);
    for (size_t i = 0; i < table->dimension_count && status == OK; i++)
        status = add_column(&parts, table->dimensions[i], why);
    for (size_t i = 0; i < table->measure_count && status == OK; i++)
        status = add_column(&parts, table->measures[i], why);
    if (status != OK)
        return status;
    const struct policy_aggregate *aggregate =
        context->policy->missions[context->mission].aggregate_only;
    const char *from = text_qualified(arena, context->relation->schema, context->relation->name);
    const char *alias = text_ident(arena, context->alias);
    if (from == NULL || alias == NULL)
        return ERR_MEMORY;
    bool renamed = strcmp(context->alias, context->relation->name) != 0;
    from = arena_printf(arena, "\nFROM %s%s%s%s%s", from, renamed ? " AS " : "",
                        renamed ? alias : "", rows[0] == '\0' ? "" : "\nWHERE ", rows);
    const char *enough = arena_printf(arena, "pg_catalog.count(DISTINCT %s) >= %llu", subject,
                                      (unsigned long long)aggregate->k);
    if (from == NULL || enough == NULL)
        return ERR_MEMORY;
    /* Rows of nobody are in no cell: of whom they are, nobody could count. */
    *sql = parts.count == 0
               ? arena_printf(arena, "%s IS NOT NULL AND (SELECT %s%s)", subject, enough, from)
               : arena_printf(arena,
                              "%s IS NOT NULL AND\n(%s) IN (SELECT %s%s\nGROUP BY %s\nHAVING %s)",
                              subject, parts.list, parts.list, from, parts.places, enough);
    return *sql == NULL ? ERR_MEMORY : OK;
}

/* ---- whose rows a relation shows ---- */

#define BASES_DEPTH 64 /* views over views */

struct bases {
    const struct policy *policy;
    const struct catalog *catalog;
    struct arena *arena;
    size_t *stamps; /* of each relation: for which one it was looked at last, from 1 on */
    size_t *cubes;  /* of each table of patients: which cube shows its rows, from 1 on */
    size_t stamp;
    const struct catalog_relation **patients; /* tables of patients below the relation */
    size_t count;
    int depth;
    enum status status;
};

static void read_base(struct bases *bases, const struct catalog_relation *relation);

static bool base_visit(const ProtobufCMessage *message, void *data)
{
    struct bases *bases = data;
    if (!guard_tree_is(message, &pg_query__range_var__descriptor))
        return bases->status == OK;
    const PgQuery__RangeVar *range = (const PgQuery__RangeVar *)message;
    const struct catalog_relation *relation =
        range->schemaname == NULL || range->schemaname[0] == '\0'
            ? NULL /* a WITH of its own: the definition qualifies the rest */
            : catalog_find(bases->catalog, range->schemaname, range->relname);
    if (relation != NULL)
        read_base(bases, relation);
    return false;
}

static void read_definition(struct bases *bases, const struct catalog_relation *relation)
{
    PgQuery__ParseResult *tree = NULL;
    const char *why = NULL;
    bool readable =
        relation->definition != NULL && relation->function_count == 0 && bases->depth < BASES_DEPTH;
    bases->depth++;
    if (!readable || guard_tree_parse(relation->definition, bases->arena, &tree, &why) != OK ||
        guard_tree_walk(&tree->base, base_visit, bases) != OK)
        bases->status = bases->status == OK ? ERR_INVALID : bases->status;
    bases->depth--;
}

/* A table that the policy does not know may be of patients; one that it knows without a `subject`
 * is not. */
static void read_base(struct bases *bases, const struct catalog_relation *relation)
{
    while (relation->parent >= 0)
        relation = &bases->catalog->relations[relation->parent];
    size_t *stamp = &bases->stamps[relation - bases->catalog->relations];
    if (*stamp == bases->stamp || bases->status != OK)
        return;
    *stamp = bases->stamp;
    if (strncmp(relation->schema, "pg_", 3) == 0 ||
        strcmp(relation->schema, "information_schema") == 0)
        return;
    const struct policy_table *table =
        policy_table_for(bases->policy, relation->schema, relation->name);
    if (relation->kind == 'v' || relation->kind == 'm')
        read_definition(bases, relation);
    else if (table == NULL || table->subject != NULL)
        bases->patients[bases->count++] = relation;
}

static enum status untold(const struct bases *bases, const struct catalog_relation *relation,
                          const char **what)
{
    *what = arena_printf(bases->arena,
                         "which tables view %s.%s reads cannot be told (it calls functions of the "
                         "database, or somebody is changing it), so neither which patients it is "
                         "about: give it no rule in this mission",
                         relation->schema, relation->name);
    return *what == NULL ? ERR_MEMORY : ERR_INVALID;
}

/* A view without a `subject` would be read row by row. */
static enum status check_view(const struct bases *bases, const struct catalog_relation *relation,
                              const char **what)
{
    if (bases->count == 0)
        return OK;
    *what = arena_printf(bases->arena,
                         "view %s.%s reads %s.%s, and has no \"subject\": its rows would be read "
                         "one by one; say whose they are, or give it no rule in this mission",
                         relation->schema, relation->name, bases->patients[0]->schema,
                         bases->patients[0]->name);
    return *what == NULL ? ERR_MEMORY : ERR_INVALID;
}

static enum status check_cube(const struct bases *bases, const struct catalog_relation *relation,
                              const char **what)
{
    for (size_t i = 0; i < bases->count; i++) {
        const struct catalog_relation *base = bases->patients[i];
        size_t *cube = &bases->cubes[base - bases->catalog->relations];
        const struct catalog_relation *other =
            *cube == 0 ? NULL : &bases->catalog->relations[*cube - 1];
        *cube = bases->stamp;
        if (other == NULL)
            continue;
        *what = arena_printf(bases->arena,
                             "%s.%s and %s.%s both show rows of %s.%s, each in cells of its own: "
                             "what is left out in one could be found by the other; give one of "
                             "the two no rule in this mission",
                             other->schema, other->name, relation->schema, relation->name,
                             base->schema, base->name);
        return *what == NULL ? ERR_MEMORY : ERR_INVALID;
    }
    return OK;
}

static enum status check_relation(struct bases *bases, const struct catalog_relation *relation,
                                  bool cube, const char **what)
{
    bases->stamp = (size_t)(relation - bases->catalog->relations) + 1;
    bases->count = 0;
    read_base(bases, relation);
    if (bases->status != OK)
        return untold(bases, relation, what);
    bool view = relation->kind == 'v' || relation->kind == 'm';
    return cube ? check_cube(bases, relation, what) : view ? check_view(bases, relation, what) : OK;
}

enum status guard_check_cubes(const struct policy *policy, const struct catalog *catalog, int role,
                              int mission, struct arena *arena, const char **what)
{
    struct bases bases = {.policy = policy, .catalog = catalog, .arena = arena};
    size_t room = catalog->relation_count + 1;
    *what = NULL;
    if (policy->missions[mission].aggregate_only == NULL)
        return OK;
    bases.stamps = arena_zalloc(arena, room, sizeof(*bases.stamps));
    bases.cubes = arena_zalloc(arena, room, sizeof(*bases.cubes));
    bases.patients = arena_zalloc(arena, room, sizeof(void *));
    if (bases.stamps == NULL || bases.cubes == NULL || bases.patients == NULL)
        return ERR_MEMORY;
    enum status status = OK;
    for (size_t i = 0; i < catalog->relation_count && status == OK; i++) {
        const struct catalog_relation *relation = &catalog->relations[i];
        const struct policy_table *table = NULL;
        const struct policy_rule *rule = NULL;
        const struct catalog_relation *as = NULL;
        if (relation->parent < 0 &&
            guard_governing(policy, catalog, role, mission, relation, &table, &rule, &as))
            status = check_relation(&bases, relation, guard_is_cube(policy, mission, table), what);
    }
    return status;
}
