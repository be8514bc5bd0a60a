/*
 * guard_cell.c: what stands in for the rows of a table of patients (see guard_cell.h).
 *
 * The attacks: two questions whose answers differ by one patient, or many that do when put together
 * (trackers); values that count as equal and can be told apart all the same (1.0 and 1.00, letters
 * under a collation, blanks), by which a cell could be cut once more; a missing value, which is
 * told by count(x) beside count(*); the order in which rows lie, which is the order in which they
 * came; how many digits a value has; patients who are in several cells; the same rows through a
 * view or a partition, cut otherwise; and whatever the judge of statements overlooks.
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

/* ---- the rows that are shown ---- */

struct cells {
    const struct guard_expr_context *context;
    const char *subject;
    struct buf keys;  /* what makes a cell, with commas between */
    struct buf inner; /* columns of the SELECT that makes cells */
    struct buf outer; /* and of the one that makes rows of them */
    size_t key_count;
    const char **why;
};

static void add_key(struct cells *cells, const char *before, const char *value, const char *behind)
{
    buf_printf(&cells->keys, "%s%s%s%s", cells->key_count++ == 0 ? "" : ",\n        ", before,
               value, behind);
}

/* By its text as well, blanks and all: what is equal only, or under a collation, is one value here
 * and two to whoever asks. */
static void add_dimension(struct cells *cells, const char *name, const char *value)
{
    add_key(cells, "", value, "");
    add_key(cells, "pg_catalog.concat(", value, ") COLLATE pg_catalog.\"C\"");
    buf_printf(&cells->inner, ",\n        %s AS %s", value, name);
    buf_printf(&cells->outer, "c.%s AS %s", name, name);
}

enum number { NUMBER_NONE = 0, NUMBER_INTEGER, NUMBER_NUMERIC, NUMBER_FLOAT };

static enum number number_of(const char *type)
{
    static const struct {
        const char *type;
        enum number number;
    } numbers[] = {{"smallint", NUMBER_INTEGER}, {"integer", NUMBER_INTEGER},
                   {"bigint", NUMBER_INTEGER},   {"numeric", NUMBER_NUMERIC},
                   {"real", NUMBER_FLOAT},       {"double precision", NUMBER_FLOAT}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        size_t len = strlen(numbers[i].type);
        if (strncmp(numbers[i].type, type, len) == 0 && (type[len] == '\0' || type[len] == '('))
            return numbers[i].number;
    }
    return NUMBER_NONE;
}

/*
 * Whole numbers are dealt out evenly, so that each is one of the type; of others the first row gets
 * all. Sums are of numerics, whose order does not matter, and have no digits that are zero: how
 * many some value has is not told.
 */
static enum status add_measure(struct cells *cells, const struct catalog_column *column,
                               const char *name, const char *value)
{
    struct arena *arena = cells->context->arena;
    enum number number = number_of(column->base_type);
    if (number == NUMBER_NONE) {
        *cells->why = arena_printf(arena,
                                   "\"%s\" is among its \"measures\" and of type %s: only numbers "
                                   "(smallint, integer, bigint, numeric, real, double precision) "
                                   "can be summed",
                                   column->name, column->base_type);
        return *cells->why == NULL ? ERR_MEMORY : ERR_INVALID;
    }
    const char *sum = arena_printf(arena, "c.%s", name);
    if (sum == NULL)
        return ERR_MEMORY;
    add_key(cells, "(", value, ") IS NULL");
    /* By way of double precision: of a real its numeric has six digits. */
    buf_printf(&cells->inner,
               ",\n        pg_catalog.trim_scale(pg_catalog.sum((%s)%s::pg_catalog.numeric)) AS %s",
               value, number == NUMBER_FLOAT ? "::pg_catalog.float8" : "", name);
    if (number == NUMBER_INTEGER)
        buf_printf(&cells->outer,
                   "(pg_catalog.div(%s, c.\"pgvigil rows\") + CASE WHEN i.i <= "
                   "pg_catalog.abs(pg_catalog.mod(%s, c.\"pgvigil rows\")) THEN "
                   "pg_catalog.sign(%s) ELSE 0 END)::%s AS %s",
                   sum, sum, sum, column->base_type, name);
    else if (number == NUMBER_NUMERIC)
        buf_printf(&cells->outer,
                   "CASE WHEN %s IS NOT NULL THEN CASE WHEN i.i = 1 THEN %s ELSE 0 END END AS %s",
                   sum, sum, name);
    else /* a sum beyond the type is infinite, as PostgreSQL's own is an error */
        buf_printf(
            &cells->outer,
            "CASE WHEN i.i > 1 AND %s IS NOT NULL THEN 0 WHEN %s = 'NaN' THEN 'NaN' WHEN %s > "
            "1.7e308 THEN 'Infinity' WHEN %s < -1.7e308 THEN '-Infinity' ELSE "
            "%s::pg_catalog.float8 END AS %s",
            sum, sum, sum, sum, sum, name);
    return OK;
}

/* As many as the cell has, and no others' in another cell: of whom they are is not told. */
static void add_patient(struct cells *cells, const char *name)
{
    buf_printf(&cells->outer,
               "pg_catalog.concat(c.\"pgvigil cell\", '.', 1 + (i.i - 1) %% c.\"pgvigil "
               "patients\") AS %s",
               name);
}

static enum status add_column(struct cells *cells, const char *column_name)
{
    const struct guard_expr_context *context = cells->context;
    const struct catalog_column *column = catalog_column(context->relation, column_name);
    const struct policy_mask *mask =
        policy_mask_for(context->policy, context->table, context->rule, column_name);
    const char *name = text_ident(context->arena, column_name);
    const char *value = NULL;
    if (name == NULL)
        return ERR_MEMORY;
    if (policy_part_of(context->table, column_name) == PART_NONE) {
        add_patient(cells, name);
        return OK;
    }
    enum status status = guard_expr_column(context, column, mask, &value, cells->why);
    if (status != OK)
        return status;
    if (policy_part_of(context->table, column_name) == PART_MEASURE)
        return add_measure(cells, column, name, value);
    add_dimension(cells, name, value);
    return OK;
}

/* Names that are no columns. */
static enum status check_names(const struct guard_expr_context *context, const char *const *names,
                               size_t count, const char *key, const char **why)
{
    for (size_t i = 0; i < count; i++) {
        if (catalog_column(context->relation, names[i]) != NULL)
            continue;
        *why = arena_printf(context->arena, "it has no column \"%s\", which is among its \"%s\"",
                            names[i], key);
        return *why == NULL ? ERR_MEMORY : ERR_INVALID;
    }
    return OK;
}

static enum status add_columns(struct cells *cells, const char *const *columns, size_t count)
{
    const struct policy_table *table = cells->context->table;
    enum status status = check_names(cells->context, table->dimensions, table->dimension_count,
                                     "dimensions", cells->why);
    if (status == OK)
        status = check_names(cells->context, table->measures, table->measure_count, "measures",
                             cells->why);
    for (size_t i = 0; i < count && status == OK; i++) {
        buf_str(&cells->outer, i == 0 ? "\n    " : ",\n    ");
        status = add_column(cells, columns[i]);
    }
    return status;
}

/* Cells in the order of what makes them: nothing hangs on how the table's rows lie. */
static const char *whole(struct cells *cells, const char *rows)
{
    const struct guard_expr_context *context = cells->context;
    struct arena *arena = context->arena;
    const char *from = text_qualified(arena, context->relation->schema, context->relation->name);
    const char *alias = text_ident(arena, context->alias);
    const char *keys = text_take(&cells->keys, arena);
    const char *inner = text_take(&cells->inner, arena);
    const char *outer = text_take(&cells->outer, arena);
    if (from == NULL || alias == NULL || keys == NULL || inner == NULL || outer == NULL)
        return NULL;
    bool renamed = strcmp(context->alias, context->relation->name) != 0;
    const char *order = cells->key_count == 0 ? "" : arena_printf(arena, "ORDER BY %s", keys);
    unsigned long long k =
        (unsigned long long)context->policy->missions[context->mission].aggregate_only->k;
    return order == NULL
               ? NULL
               : arena_printf(
                     arena,
                     "SELECT%s\nFROM (SELECT pg_catalog.row_number() OVER (%s) AS "
                     "\"pgvigil cell\",\n        pg_catalog.count(*) AS \"pgvigil rows\", "
                     "pg_catalog.count(DISTINCT %s) AS \"pgvigil patients\"%s\n    FROM "
                     "%s%s%s\n    WHERE %s%s%s IS NOT NULL\n    GROUP BY %s\n    HAVING "
                     "pg_catalog.count(DISTINCT %s) >= %llu\n    %s) c\nCROSS JOIN LATERAL "
                     "pg_catalog.generate_series(1, c.\"pgvigil rows\") i(i)",
                     outer, order, cells->subject, inner, from, renamed ? " AS " : "",
                     renamed ? alias : "", rows, rows[0] == '\0' ? "" : " AND ", cells->subject,
                     cells->key_count == 0 ? "()" : keys, cells->subject, k, order);
}

enum status guard_cell(const struct guard_expr_context *context, const char *rows,
                       const char *const *columns, size_t count, const char **sql, const char **why)
{
    struct cells cells = {.context = context, .why = why};
    *sql = NULL;
    buf_init(&cells.keys, 0);
    buf_init(&cells.inner, 0);
    buf_init(&cells.outer, 0);
    enum status status = guard_expr_subject(context, &cells.subject, why);
    if (status == OK)
        status = add_columns(&cells, columns, count);
    if (status == OK) {
        *sql = whole(&cells, rows);
        status = *sql == NULL ? ERR_MEMORY : OK;
    }
    buf_free(&cells.keys);
    buf_free(&cells.inner);
    buf_free(&cells.outer);
    return status;
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
