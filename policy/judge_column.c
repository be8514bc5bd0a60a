/*
 * judge_column.c: column references.
 *
 * The attack: to PostgreSQL `p.f` is a column of p, or else the call f(p), and so is `(row).f`. So
 * whatever has that form must either be a column that we know of, or a name that no refused
 * function has. What is neither goes upstream and gets PostgreSQL's own "column does not exist",
 * which the proxy's hint then completes for hidden columns.
 */
#include "judge_cube.h"

#include <string.h>

static bool system_column(const char *name)
{
    static const char *const names[] = {"ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static enum status refuse_system(struct judge *judge, const char *name, size_t at)
{
    enum status status =
        judge_deny(judge, "column", name, at,
                   judge_format(judge, "system column \"%s\" is not available", name));
    judge_hint(judge, "System columns tell of rows that the policy hides.");
    return status;
}

/* x.regrole is a cast as well, where the name is a type's: to one of these it would turn numbers
 * into names or text into objects, as no cast that is written out may. `_name` is its array. */
static bool closed_type(const char *name)
{
    static const char *const names[] = {
        "aclitem",      "cid",      "cstring",      "pg_node_tree",  "pg_snapshot",
        "refcursor",    "regclass", "regcollation", "regconfig",     "regdictionary",
        "regnamespace", "regoper",  "regoperator",  "regproc",       "regprocedure",
        "regrole",      "regtype",  "tid",          "txid_snapshot", "xid",
        "xid8"};
    const char *element = name[0] == '_' ? name + 1 : name;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], element) == 0)
            return true;
    }
    return false;
}

/* A function that the reviewed list does not know (an extension's, a newer server's), in the one
 * schema that is always searched. */
static bool added_builtin(const struct judge_request *request, const char *name)
{
    static const char *const path[] = {"pg_catalog"};
    return request->catalog != NULL &&
           catalog_function_on_path(request->catalog, path, 1, name) != NULL;
}

/* Names that row locks (judge_lock_keys.c) and subjects (judge_subject.c) bring into a level: to
 * the client they do not exist. */
bool judge_is_own_name(const char *name)
{
    return strncmp(name, "pgvigil ", strlen("pgvigil ")) == 0;
}

static enum status no_column(struct judge *judge, const char *name, size_t at)
{
    return judge_refuse(judge, DENIED, "42703", "column", name, at,
                        judge_format(judge, "column \"%s\" does not exist", name));
}

/* Whatever stands for a column gets no such name, nor can one be referred to: where a client's own
 * column had it in an outer level, PostgreSQL would still find pgvigil's in an inner one. */
enum status judge_new_name(struct judge *judge, const char *name)
{
    return name != NULL && judge_is_own_name(name)
               ? judge_refuse(judge, DENIED, "42939", "column", name, SIZE_MAX,
                              judge_format(judge, "\"%s\" is a reserved name", name))
               : OK;
}

/* `name` has the form of a call and is not known to be a column. */
enum status judge_field(struct judge *judge, const char *name, size_t at)
{
    if (judge_is_own_name(name))
        return no_column(judge, name, at);
    const char *reason = NULL;
    const struct judge_request *request = judge->request;
    enum function_class class = functions_class(name, &reason);
    bool foreign =
        request->catalog != NULL && catalog_function_on_path(request->catalog, request->path,
                                                             request->path_count, name) != NULL;
    if (class == FUNCTION_DENIED || class == FUNCTION_GUARDED || foreign || closed_type(name) ||
        added_builtin(request, name))
        return judge_deny(
            judge, "function", name, at,
            judge_format(judge,
                         "\"%s\" could be a call of the function of that name, which is not "
                         "available",
                         name));
    if (functions_aggregate(name) || functions_volatile(name) ||
        strcmp(name, "pg_column_size") == 0)
        judge->changing = name;
    /* x.count is count(x), of the level that x is of. */
    for (struct level *level = judge->level; level != NULL && functions_aggregate(name);
         level = level->parent)
        level->aggregates = true;
    return system_column(name) ? refuse_system(judge, name, at) : OK;
}

enum status judge_unknown(struct judge *judge, const char *name, size_t at)
{
    if (judge_is_own_name(name))
        return no_column(judge, name, at);
    if (!judge->request->wants_unknown || judge->unknown_count >= JUDGE_MAX_UNKNOWN)
        return OK;
    struct verdict_unknown *grown = arena_grow(judge->arena, judge->unknown, judge->unknown_count,
                                               &judge->unknown_cap, sizeof(*grown));
    if (grown == NULL)
        return judge_no_memory(judge);
    judge->unknown = grown;
    judge->unknown[judge->unknown_count++] = (struct verdict_unknown){name, at};
    return OK;
}

/* The parts of a reference: [[database.]schema.]item.column, [item.]column, or with a star. */
struct reference {
    const char *database;
    const char *schema;
    const char *item;
    const char *column; /* NULL: star */
    size_t at;
    const PgQuery__ColumnRef *tree;
};

static enum status read_reference(struct judge *judge, const PgQuery__ColumnRef *ref,
                                  struct reference *out)
{
    const char *names[4] = {NULL};
    size_t count = ref->n_fields;
    *out =
        (struct reference){.at = ref->location < 0 ? SIZE_MAX : (size_t)ref->location, .tree = ref};
    if (count == 0 || count > 4)
        return judge_refuse(judge, DENIED, "42601", "column", "reference", out->at,
                            "improper qualified name (too many dotted names)");
    for (size_t i = 0; i < count; i++) {
        names[i] = tree_string(ref->fields[i]);
        bool star = ref->fields[i]->node_case == PG_QUERY__NODE__NODE_A_STAR;
        if (names[i] == NULL && !(star && i + 1 == count))
            return judge_refuse(judge, DENIED, "0A000", "node", "ColumnRef", out->at,
                                "this column reference is not supported");
    }
    out->column = names[count - 1];
    out->item = count > 1 ? names[count - 2] : NULL;
    out->schema = count > 2 ? names[count - 3] : NULL;
    out->database = count > 3 ? names[0] : NULL;
    return OK;
}

enum status judge_hidden_column(struct judge *judge, const struct catalog_relation *relation,
                                const char *name, size_t at, const char *message)
{
    bool hidden = catalog_column(relation, name) != NULL;
    const char *object =
        hidden ? judge_format(judge, "%s.%s.%s", relation->schema, relation->name, name) : name;
    enum status status = judge_refuse(judge, DENIED, "42703", "column", object, at, message);
    if (status == DENIED && hidden)
        judge_hint(judge, judge_format(
                              judge,
                              "The policy hides column \"%s\" of %s.%s from the role %s in "
                              "the mission %s.",
                              name, relation->schema, relation->name, judge->role, judge->mission));
    return status;
}

/* Is it the table's, and hidden? PostgreSQL would say that there is none, and so is it said here:
 * the record then tells a refusal from a slip of the pen. */
static bool hides(const struct range_item *item, const char *name)
{
    return item->use != NULL && item->use->guard != NULL && !item->hidden &&
           catalog_column(item->use->shown.relation, name) != NULL;
}

/* ORDER BY and GROUP BY may mean an output column of that name. */
static bool is_output(const struct level *level, const char *name)
{
    for (size_t i = 0; level->select != NULL && i < level->select->n_target_list; i++) {
        const PgQuery__Node *node = level->select->target_list[i];
        if (node->node_case == PG_QUERY__NODE__NODE_RES_TARGET &&
            strcmp(node->res_target->name, name) == 0)
            return true;
    }
    return false;
}

static const struct range_item *hiding_item(const struct judge *judge, const char *name)
{
    if (is_output(judge->level, name))
        return NULL;
    for (const struct level *level = judge->level; level != NULL; level = level->parent) {
        for (size_t i = level->low; i < level->high; i++) {
            if (hides(&level->items[i], name))
                return &level->items[i];
        }
    }
    return NULL;
}

/* An aggregate below that takes the item's columns is one of the item's own level. */
static enum status use_item(struct judge *judge, struct level *level, struct range_item *item,
                            long column, const PgQuery__ColumnRef *ref)
{
    scope_use(level, item, column);
    for (const struct level *at = judge->level; at != level; at = at->parent)
        level->aggregates = level->aggregates || at->aggregate_depth > 0;
    /* And one that takes a column of its own level is of that level. */
    level->told = level->told || (level == judge->level && level->aggregate_depth > 0);
    return judge_cube_column(judge, level, item, column, ref);
}

/* `*`, alone. */
static enum status use_everything(struct judge *judge)
{
    struct level *level = judge->level;
    enum status status = OK;
    for (size_t i = level->low; i < level->high && status == OK; i++) {
        status = judge_work(judge, level->items[i].columns.count + 1);
        if (level->items[i].hidden)
            continue;
        scope_use(level, &level->items[i], -1);
        if (status == OK)
            status = judge_cube_column(judge, level, &level->items[i], -1, NULL);
    }
    return status;
}

static enum status bare_column(struct judge *judge, const struct reference *ref)
{
    bool unsure = false;
    for (struct level *level = judge->level; level != NULL; level = level->parent) {
        bool found = false;
        for (size_t i = level->low; i < level->high; i++) {
            struct range_item *item = &level->items[i];
            enum status status = judge_work(judge, item->columns.count + 1);
            if (status != OK)
                return status;
            long column = item->hidden ? -1 : scope_column(item, ref->column);
            if (column >= 0)
                status = use_item(judge, level, item, column, ref->tree);
            if (status != OK)
                return status;
            found = found || column >= 0;
            unsure = unsure || (!item->hidden && !item->columns.known);
        }
        if (found)
            return OK;
    }
    struct level *level = NULL;
    size_t matches = 0;
    struct range_item *item = scope_item(judge, NULL, ref->column, &level, &matches);
    if (item != NULL) { /* the whole row */
        enum status status = use_item(judge, level, item, -1, NULL);
        return status != OK || item->emitted == item->name
                   ? status
                   : judge_refuse(
                         judge, DENIED, "42P09", "column", ref->column, ref->at,
                         judge_format(judge, "table reference \"%s\" is ambiguous", ref->column));
    }
    if (unsure)
        return judge_unknown(judge, ref->column, ref->at);
    if (system_column(ref->column))
        return refuse_system(judge, ref->column, ref->at);
    const struct range_item *hiding = hiding_item(judge, ref->column);
    if (hiding != NULL) {
        enum status status =
            judge_hidden_column(judge, hiding->use->shown.relation, ref->column, ref->at,
                                judge_format(judge, "column \"%s\" does not exist", ref->column));
        judge_cube_hint(judge, hiding, ref->column);
        return status;
    }
    level = judge->level;
    return level != NULL && level->sorts && is_output(level, ref->column)
               ? OK
               : judge_unknown(judge, ref->column, ref->at);
}

/* Writes the item's name in place of the qualifier, in the text and in the tree. */
static enum status requalify(struct judge *judge, PgQuery__ColumnRef *ref,
                             const struct range_item *item, size_t at)
{
    size_t next = 0;
    size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
    size_t end =
        index == SIZE_MAX ? 0 : scan_dotted_end(&judge->tokens, index, ref->n_fields - 1, &next);
    PgQuery__Node **fields = arena_zalloc(judge->arena, 2, sizeof(PgQuery__Node *));
    PgQuery__Node *name = tree_new_string(judge->arena, item->emitted);
    if (fields == NULL || name == NULL)
        return judge_no_memory(judge);
    if (end == 0)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "reference", at,
                            "a qualified column was not found in the text");
    fields[0] = name;
    fields[1] = ref->fields[ref->n_fields - 1];
    ref->fields = fields;
    ref->n_fields = 2;
    return rewrite_edit(judge, at, end - at, rewrite_quote(judge, item->emitted));
}

/* tableoid of a system catalog is that catalog's own OID: a constant, and psql joins by it. */
static enum status catalog_oid(struct judge *judge, PgQuery__ColumnRef *ref, PgQuery__Node *node,
                               const struct range_item *item, size_t at)
{
    size_t next = 0;
    size_t index = at == SIZE_MAX ? SIZE_MAX : scan_find(&judge->tokens, at);
    size_t end =
        index == SIZE_MAX ? 0 : scan_dotted_end(&judge->tokens, index, ref->n_fields, &next);
    const char *text = judge_format(judge, "%u", item->use->shown.relation->oid);
    PgQuery__TypeCast *cast = arena_alloc(judge->arena, sizeof(*cast));
    PgQuery__TypeName *type = arena_alloc(judge->arena, sizeof(*type));
    PgQuery__Node *argument = text == NULL ? NULL : tree_new_text(judge->arena, text);
    PgQuery__Node **names = tree_new_names(judge->arena, "pg_catalog", "oid");
    if (cast == NULL || type == NULL || argument == NULL || names == NULL)
        return judge_no_memory(judge);
    if (end == 0)
        return judge_refuse(judge, ERR_INTERNAL, "XX000", "internal", "reference", at,
                            "a qualified column was not found in the text");
    pg_query__type_cast__init(cast);
    pg_query__type_name__init(type);
    type->names = names;
    type->n_names = 2;
    type->typemod = -1;
    cast->arg = argument;
    cast->type_name = type;
    node->node_case = PG_QUERY__NODE__NODE_TYPE_CAST;
    node->type_cast = cast;
    judge->reg_casts++; /* the output column keeps its name */
    return rewrite_edit(judge, at, end - at, judge_format(judge, "'%s'::pg_catalog.oid", text));
}

static enum status no_item(struct judge *judge, const struct reference *ref)
{
    /*
     * PostgreSQL says it itself, if it does not know the item either. It may: what stands in FROM
     * without an alias gets a name that is not always ours to guess. FROM CAST('x' AS text) is
     * called "text", and "text".current_setting is a call.
     */
    if (ref->schema == NULL && !judge_is_own_name(ref->item))
        return ref->column == NULL ? OK : judge_field(judge, ref->column, ref->at);
    return judge_refuse(
        judge, DENIED, "42P01", "column", ref->item, ref->at,
        judge_format(judge, "missing FROM-clause entry for table \"%s\"", ref->item));
}

/* item.f may be f(item), which sees the whole row. */
static enum status use_field(struct judge *judge, struct level *level, struct range_item *item,
                             const struct reference *ref)
{
    bool aggregate = functions_aggregate(ref->column);
    bool told = level->told; /* it may be a column that is called so */
    level->aggregate_depth += aggregate ? 1 : 0;
    enum status status = use_item(judge, level, item, -1, NULL);
    level->aggregate_depth -= aggregate ? 1 : 0;
    level->told = told;
    return status == OK ? judge_field(judge, ref->column, ref->at) : status;
}

static enum status qualified_column(struct judge *judge, PgQuery__ColumnRef *tree,
                                    PgQuery__Node *node, const struct reference *ref)
{
    struct level *level = NULL;
    size_t matches = 0;
    if (ref->database != NULL && strcmp(ref->database, judge->request->catalog->database) != 0)
        return judge_refuse(judge, DENIED, "0A000", "column", ref->database, ref->at,
                            judge_format(judge,
                                         "cross-database references are not implemented: %s.%s.%s",
                                         ref->database, ref->schema, ref->item));
    enum status status = judge_work(judge, scope_size(judge));
    if (status != OK)
        return status;
    struct range_item *item = scope_item(judge, ref->schema, ref->item, &level, &matches);
    if (item == NULL)
        return no_item(judge, ref);
    if (matches > 1)
        return judge_refuse(judge, DENIED, "42P09", "column", ref->item, ref->at,
                            judge_format(judge, "table reference \"%s\" is ambiguous", ref->item));
    status = judge_work(judge, item->columns.count);
    if (status != OK)
        return status;
    long column = ref->column == NULL ? -1 : scope_column(item, ref->column);
    if (column < 0 && ref->column != NULL && strcmp(ref->column, "tableoid") == 0 && node != NULL &&
        item->use != NULL && item->use->guard == NULL &&
        !judge_is_temporary(item->use->shown.relation))
        return catalog_oid(judge, tree, node, item, ref->at);
    if (ref->column == NULL || column >= 0)
        status = use_item(judge, level, item, column, ref->tree);
    else
        status = use_field(judge, level, item, ref);
    if (status == OK && ref->column != NULL && column < 0 && item->use != NULL &&
        hides(item, ref->column)) {
        status = judge_hidden_column(
            judge, item->use->shown.relation, ref->column, ref->at,
            judge_format(judge, "column %s.%s does not exist", ref->item, ref->column));
        judge_cube_hint(judge, item, ref->column);
        return status;
    }
    if (status == OK && ref->column != NULL && column < 0)
        status = judge_unknown(judge, ref->column, ref->at);
    bool renamed = ref->schema != NULL || item->emitted != item->name;
    return status == OK && renamed ? requalify(judge, tree, item, ref->at) : status;
}

enum status judge_column_ref(struct judge *judge, PgQuery__ColumnRef *tree, PgQuery__Node *node)
{
    struct reference ref;
    enum status status = read_reference(judge, tree, &ref);
    if (status != OK || judge->level == NULL)
        return status;
    if (ref.column != NULL && judge_is_own_name(ref.column))
        return no_column(judge, ref.column, ref.at);
    if (ref.item != NULL)
        return qualified_column(judge, tree, node, &ref);
    if (ref.column != NULL)
        return bare_column(judge, &ref);
    return use_everything(judge);
}

/* Only (item).field and (item.*).field can be told: of other expressions the type is not known. */
enum status judge_field_of(struct judge *judge, const PgQuery__Node *argument, const char *field)
{
    const PgQuery__ColumnRef *ref =
        argument != NULL && argument->node_case == PG_QUERY__NODE__NODE_COLUMN_REF
            ? argument->column_ref
            : NULL;
    bool star = ref != NULL && ref->n_fields == 2 &&
                ref->fields[1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
    const char *name =
        ref != NULL && (ref->n_fields == 1 || star) ? tree_string(ref->fields[0]) : NULL;
    if (name == NULL || judge->level == NULL)
        return OK;
    for (struct level *level = judge->level; !star && level != NULL; level = level->parent)
        for (size_t i = level->low; i < level->high; i++)
            if (!level->items[i].hidden && scope_column(&level->items[i], name) >= 0)
                return OK; /* a column of a composite type */
    struct level *level = NULL;
    size_t matches = 0;
    const struct range_item *item = scope_item(judge, NULL, name, &level, &matches);
    return item == NULL || scope_column(item, field) >= 0
               ? OK
               : judge_unknown(judge, field, ref->location < 0 ? SIZE_MAX : (size_t)ref->location);
}
