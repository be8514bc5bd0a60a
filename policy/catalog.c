/*
 * catalog.c: the snapshot's memory and lookups.
 *
 * Purpose: one immutable picture of the database that many threads read. The builder copies
 * everything into an arena that the catalog then owns; catalog_finish makes the maps, and nothing
 * is written afterwards, so readers need no lock.
 *
 * Trust boundary: the names come from the database's own catalogs, where anyone with CREATE can put
 * one. They are data: keys here are (schema, NUL, name), which no name can forge, since
 * PostgreSQL's names hold no NUL.
 *
 * Ownership: catalog_finish takes the builder and gives one reference; the last catalog_unref frees
 * the arena and maps.
 */
#include <pgvigil/catalog.h>
#include <pgvigil/map.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 512 /* keys of two or three names of at most 63 bytes fit well */

struct catalog_private {
    struct arena *arena;
    atomic_uint references;
    struct map *relations;      /* schema NUL name -> catalog_relation */
    struct map *relation_oids;  /* oid -> catalog_relation */
    struct map *guards;         /* variant, base oid, pair -> catalog_guard */
    struct map *guard_oids;     /* oid -> catalog_guard */
    struct map *functions;      /* schema NUL name -> catalog_function */
    struct map *function_names; /* name -> the first catalog_function of that name: a quick no */
    struct map *sequences;      /* schema NUL name -> catalog_sequence */
    struct map *types;          /* schema NUL name -> the string */
    struct map *operators;      /* name -> the string */
    struct map *typed_operators;
};

struct parent_link {
    uint32_t child;
    uint32_t parent;
};

struct catalog_builder {
    struct arena *arena;
    bool failed;
    struct catalog_relation *relations;
    size_t relation_count, relation_cap;
    size_t constraint_cap; /* of the last relation */
    struct parent_link *parents;
    size_t parent_count, parent_cap;
    struct catalog_guard *guards;
    size_t guard_count, guard_cap;
    struct catalog_function *functions;
    size_t function_count, function_cap;
    struct catalog_sequence *sequences;
    size_t sequence_count, sequence_cap;
    struct catalog_callable *callables;
    size_t callable_count, callable_cap;
    const char **types;
    size_t type_count, type_cap;
    uint32_t *type_oids;
    uint32_t *type_roots;
    size_t type_oid_cap, type_root_cap;
    const char **operators;
    size_t operator_count, operator_cap;
    const char **typed_operators;
    size_t typed_operator_count, typed_operator_cap;
    const char **schemas;
    size_t schema_count, schema_cap;
    const char *database;
    const char *digest;
    size_t stale_count;
    const char *stale;
    size_t unread_count;
    const char *unread;
    uint32_t version;
    enum catalog_casts casts;
};

static atomic_uint_fast64_t next_id = 1;

/* schema NUL name in `key`; 0 when the names are longer than any PostgreSQL name can be. */
static size_t name_key(char key[NAME_MAX_BYTES], const char *schema, const char *name)
{
    size_t schema_len = strlen(schema);
    size_t name_len = strlen(name);
    if (schema_len > 250 || name_len > 250) {
        return 0;
    }
    memcpy(key, schema, schema_len + 1);
    memcpy(key + schema_len + 1, name, name_len + 1);
    return schema_len + 1 + name_len;
}

static size_t guard_key(char key[NAME_MAX_BYTES], const char *pair, uint32_t base_oid,
                        enum guard_variant variant)
{
    static const char keys[] = {[GUARD_PLAIN] = ' ', [GUARD_ONLY] = '!', [GUARD_SUBJECT] = '$'};
    size_t pair_len = strlen(pair);
    if (pair_len > 250) {
        return 0;
    }
    key[0] = keys[variant];
    memcpy(key + 1, &base_oid, sizeof(base_oid));
    memcpy(key + 1 + sizeof(base_oid), pair, pair_len + 1);
    return 1 + sizeof(base_oid) + pair_len;
}

/* ---- builder ---- */

struct catalog_builder *catalog_builder_new(void)
{
    struct arena *arena = arena_new(0);
    if (arena == NULL) {
        return NULL;
    }
    struct catalog_builder *builder = arena_zalloc(arena, 1, sizeof(*builder));
    if (builder == NULL) {
        arena_free(arena);
        return NULL;
    }
    builder->arena = arena;
    return builder;
}

struct arena *catalog_builder_arena(struct catalog_builder *builder)
{
    return builder->arena;
}

static const char *keep(struct catalog_builder *builder, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    const char *copy = arena_strdup(builder->arena, text);
    if (copy == NULL) {
        builder->failed = true;
    }
    return copy;
}

static void *keep_bytes(struct catalog_builder *builder, const void *bytes, size_t count,
                        size_t size)
{
    void *copy = arena_zalloc(builder->arena, count > 0 ? count : 1, size);
    if (copy == NULL) {
        builder->failed = true;
    } else if (count > 0 && bytes != NULL) {
        memcpy(copy, bytes, count * size);
    }
    return copy;
}

/* Room for one more element, or NULL with the builder failed. */
static void *more(struct catalog_builder *builder, void *array, size_t count, size_t *cap,
                  size_t size)
{
    void *grown = builder->failed ? NULL : arena_grow(builder->arena, array, count, cap, size);
    if (grown == NULL) {
        builder->failed = true;
    }
    return grown;
}

static void add_name(struct catalog_builder *builder, const char ***array, size_t *count,
                     size_t *cap, const char *name)
{
    const char **grown = more(builder, (void *)*array, *count, cap, sizeof(**array));
    if (grown == NULL) {
        return;
    }
    *array = grown;
    grown[(*count)++] = keep(builder, name);
}

void catalog_add_relation(struct catalog_builder *builder, const struct catalog_relation *relation)
{
    struct catalog_relation *grown = more(builder, builder->relations, builder->relation_count,
                                          &builder->relation_cap, sizeof(*grown));
    if (grown == NULL) {
        return;
    }
    builder->relations = grown;
    struct catalog_relation *copy = &grown[builder->relation_count];
    *copy = *relation;
    copy->schema = keep(builder, relation->schema);
    copy->name = keep(builder, relation->name);
    copy->owner = keep(builder, relation->owner != NULL ? relation->owner : "");
    copy->definition = keep(builder, relation->definition);
    copy->parent = -1;
    copy->constraints = NULL;
    copy->constraint_count = 0;
    builder->constraint_cap = 0;
    struct catalog_column *columns =
        keep_bytes(builder, relation->columns, relation->column_count, sizeof(*columns));
    copy->columns = columns;
    copy->primary_key = keep_bytes(builder, relation->primary_key, relation->primary_key_count,
                                   sizeof(*relation->primary_key));
    if (builder->failed) {
        return;
    }
    for (size_t i = 0; i < relation->column_count; i++) {
        columns[i].name = keep(builder, columns[i].name);
        columns[i].type = keep(builder, columns[i].type);
        columns[i].base_type = keep(builder, columns[i].base_type);
        columns[i].default_expression = keep(builder, columns[i].default_expression);
    }
    builder->relation_count++;
    for (size_t i = 0; i < relation->constraint_count; i++) {
        catalog_add_constraint(builder, &relation->constraints[i]);
    }
}

void catalog_add_constraint(struct catalog_builder *builder,
                            const struct catalog_constraint *constraint)
{
    struct catalog_relation *relation =
        builder->relation_count == 0 ? NULL : &builder->relations[builder->relation_count - 1];
    if (relation == NULL || builder->failed) {
        builder->failed = true;
        return;
    }
    struct catalog_constraint *grown =
        more(builder, (void *)relation->constraints, relation->constraint_count,
             &builder->constraint_cap, sizeof(*grown));
    if (grown == NULL) {
        return;
    }
    relation->constraints = grown;
    grown[relation->constraint_count++] = (struct catalog_constraint){
        .name = keep(builder, constraint->name),
        .kind = constraint->kind,
        .columns = keep_bytes(builder, constraint->columns, constraint->column_count,
                              sizeof(*constraint->columns)),
        .column_count = constraint->column_count};
}

void catalog_set_parent(struct catalog_builder *builder, uint32_t child_oid, uint32_t parent_oid)
{
    struct parent_link *grown = more(builder, builder->parents, builder->parent_count,
                                     &builder->parent_cap, sizeof(*grown));
    if (grown == NULL) {
        return;
    }
    builder->parents = grown;
    grown[builder->parent_count++] = (struct parent_link){.child = child_oid, .parent = parent_oid};
}

void catalog_add_guard(struct catalog_builder *builder, const struct catalog_guard *guard)
{
    struct catalog_guard *grown =
        more(builder, builder->guards, builder->guard_count, &builder->guard_cap, sizeof(*grown));
    if (grown == NULL) {
        return;
    }
    builder->guards = grown;
    struct catalog_guard *copy = &grown[builder->guard_count];
    *copy = *guard;
    copy->pair = keep(builder, guard->pair);
    copy->view = keep(builder, guard->view);
    const char **columns =
        keep_bytes(builder, (const void *)guard->columns, guard->column_count, sizeof(*columns));
    copy->columns = columns;
    copy->base_attnums =
        keep_bytes(builder, guard->base_attnums, guard->column_count, sizeof(*guard->base_attnums));
    if (builder->failed) {
        return;
    }
    for (size_t i = 0; i < guard->column_count; i++) {
        columns[i] = keep(builder, columns[i]);
    }
    builder->guard_count++;
}

void catalog_add_function(struct catalog_builder *builder, const struct catalog_function *function)
{
    struct catalog_function *grown = more(builder, builder->functions, builder->function_count,
                                          &builder->function_cap, sizeof(*grown));
    if (grown == NULL) {
        return;
    }
    builder->functions = grown;
    grown[builder->function_count++] =
        (struct catalog_function){.schema = keep(builder, function->schema),
                                  .name = keep(builder, function->name),
                                  .security_definer = function->security_definer,
                                  .aggregate = function->aggregate,
                                  .is_volatile = function->is_volatile};
}

void catalog_add_sequence(struct catalog_builder *builder, const struct catalog_sequence *sequence)
{
    struct catalog_sequence *grown = more(builder, builder->sequences, builder->sequence_count,
                                          &builder->sequence_cap, sizeof(*grown));
    if (grown == NULL) {
        return;
    }
    builder->sequences = grown;
    struct catalog_sequence *copy = &grown[builder->sequence_count++];
    *copy = *sequence;
    copy->schema = keep(builder, sequence->schema);
    copy->name = keep(builder, sequence->name);
}

void catalog_add_callable(struct catalog_builder *builder, const struct catalog_callable *callable)
{
    struct catalog_callable *grown = more(builder, builder->callables, builder->callable_count,
                                          &builder->callable_cap, sizeof(*grown));
    if (grown == NULL) {
        return;
    }
    builder->callables = grown;
    struct catalog_callable *copy = &grown[builder->callable_count++];
    *copy = *callable;
    copy->schema = keep(builder, callable->schema);
    copy->name = keep(builder, callable->name);
    copy->types =
        keep_bytes(builder, callable->types, callable->type_count, sizeof(*callable->types));
}

void catalog_add_type(struct catalog_builder *builder, const char *schema, const char *name,
                      uint32_t oid, uint32_t root)
{
    const char *joined = arena_printf(builder->arena, "%s.%s", schema, name);
    uint32_t *oids = more(builder, builder->type_oids, builder->type_count, &builder->type_oid_cap,
                          sizeof(*oids));
    uint32_t *roots = more(builder, builder->type_roots, builder->type_count,
                           &builder->type_root_cap, sizeof(*roots));
    if (oids != NULL)
        builder->type_oids = oids;
    if (roots != NULL)
        builder->type_roots = roots;
    if (joined == NULL || oids == NULL || roots == NULL) {
        builder->failed = true;
        return;
    }
    oids[builder->type_count] = oid;
    roots[builder->type_count] = root;
    add_name(builder, &builder->types, &builder->type_count, &builder->type_cap, joined);
}

void catalog_add_operator(struct catalog_builder *builder, const char *name)
{
    add_name(builder, &builder->operators, &builder->operator_count, &builder->operator_cap, name);
}

void catalog_add_typed_operator(struct catalog_builder *builder, const char *name)
{
    add_name(builder, &builder->typed_operators, &builder->typed_operator_count,
             &builder->typed_operator_cap, name);
}

void catalog_add_schema(struct catalog_builder *builder, const char *name)
{
    add_name(builder, &builder->schemas, &builder->schema_count, &builder->schema_cap, name);
}

void catalog_set_casts(struct catalog_builder *builder, enum catalog_casts casts)
{
    builder->casts = casts;
}

void catalog_set_database(struct catalog_builder *builder, const char *database,
                          uint32_t server_version, const char *generation_digest)
{
    builder->database = keep(builder, database);
    builder->version = server_version;
    builder->digest = keep(builder, generation_digest != NULL ? generation_digest : "");
}

void catalog_set_stale(struct catalog_builder *builder, size_t count, const char *example)
{
    builder->stale_count = count;
    builder->stale = keep(builder, example);
}

void catalog_set_unread(struct catalog_builder *builder, size_t count, const char *names)
{
    builder->unread_count = count;
    builder->unread = keep(builder, names);
}

/* ---- finish ---- */

/* The first of equal keys stays: overloaded functions are one entry unless a SECURITY DEFINER one
 * comes along. */
static enum status put_new(struct map *map, const char *key, size_t len, const void *value)
{
    if (len == 0 || map_get(map, key, len) != NULL) {
        return len == 0 ? ERR_INVALID : OK;
    }
    return map_put(map, key, len, (void *)value);
}

static enum status index_relations(struct catalog_builder *builder, struct catalog_private *private)
{
    char key[NAME_MAX_BYTES];
    for (size_t i = 0; i < builder->relation_count; i++) {
        struct catalog_relation *relation = &builder->relations[i];
        size_t len = name_key(key, relation->schema, relation->name);
        enum status status = put_new(private->relations, key, len, relation);
        if (status == OK) {
            status =
                map_put(private->relation_oids, &relation->oid, sizeof(relation->oid), relation);
        }
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

/* A child of two tables has no single parent whose rule could stand for it: it is closed unless it
 * has its own. */
static void link_parents(struct catalog_builder *builder, struct catalog_private *private)
{
    for (size_t i = 0; i < builder->parent_count; i++) {
        const struct parent_link *link = &builder->parents[i];
        struct catalog_relation *child =
            map_get(private->relation_oids, &link->child, sizeof(link->child));
        struct catalog_relation *parent =
            map_get(private->relation_oids, &link->parent, sizeof(link->parent));
        if (parent != NULL) {
            parent->has_children = true;
        }
        if (child == NULL) {
            continue;
        }
        bool second = false;
        for (size_t j = 0; j < i; j++) {
            second = second || builder->parents[j].child == link->child;
        }
        child->parent = parent == NULL || second ? -1 : (int)(parent - builder->relations);
    }
}

static enum status index_guards(struct catalog_builder *builder, struct catalog_private *private)
{
    char key[NAME_MAX_BYTES];
    for (size_t i = 0; i < builder->guard_count; i++) {
        struct catalog_guard *guard = &builder->guards[i];
        enum status status = map_put(private->guard_oids, &guard->oid, sizeof(guard->oid), guard);
        if (status == OK && guard->base_oid != 0) {
            size_t len = guard_key(key, guard->pair, guard->base_oid, guard->variant);
            status = put_new(private->guards, key, len, guard);
        }
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

static enum status index_functions(struct catalog_builder *builder, struct catalog_private *private)
{
    char key[NAME_MAX_BYTES];
    for (size_t i = 0; i < builder->function_count; i++) {
        struct catalog_function *function = &builder->functions[i];
        size_t len = name_key(key, function->schema, function->name);
        if (len == 0) {
            return ERR_INVALID;
        }
        struct catalog_function *known = map_get(private->functions, key, len);
        if (known != NULL) {
            /* One overload that runs with its owner's rights makes the name dangerous; one that is
             * volatile makes the name so. */
            known->security_definer = known->security_definer || function->security_definer;
            known->aggregate = known->aggregate || function->aggregate;
            known->is_volatile = known->is_volatile || function->is_volatile;
            continue;
        }
        enum status status = map_put(private->functions, key, len, function);
        if (status == OK) {
            status =
                put_new(private->function_names, function->name, strlen(function->name), function);
        }
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

static enum status index_sequences(struct catalog_builder *builder, struct catalog_private *private)
{
    char key[NAME_MAX_BYTES];
    enum status status = OK;
    for (size_t i = 0; i < builder->sequence_count && status == OK; i++) {
        struct catalog_sequence *sequence = &builder->sequences[i];
        size_t len = name_key(key, sequence->schema, sequence->name);
        status = put_new(private->sequences, key, len, sequence);
    }
    return status;
}

/* Names into a map; a name that is there twice is dropped from the list. */
static enum status put_names(struct map *map, const char **names, size_t *count)
{
    enum status status = OK;
    size_t kept = 0;
    for (size_t i = 0; i < *count && status == OK; i++) {
        if (map_get_str(map, names[i]) == NULL) {
            status = map_put_str(map, names[i], (void *)names[i]);
            names[kept++] = names[i];
        }
    }
    *count = status == OK ? kept : *count;
    return status;
}

static enum status index_names(struct catalog_builder *builder, struct catalog_private *private)
{
    enum status status = OK;
    for (size_t i = 0; i < builder->type_count && status == OK; i++) {
        const char *type = builder->types[i];
        status = put_new(private->types, type, strlen(type), type);
    }
    if (status == OK) {
        status = put_names(private->operators, builder->operators, &builder->operator_count);
    }
    if (status == OK) {
        status = put_names(private->typed_operators, builder->typed_operators,
                           &builder->typed_operator_count);
    }
    return status;
}

static void private_free(struct catalog_private *private)
{
    struct arena *arena = private->arena;
    map_free(private->relations);
    map_free(private->relation_oids);
    map_free(private->guards);
    map_free(private->guard_oids);
    map_free(private->functions);
    map_free(private->function_names);
    map_free(private->sequences);
    map_free(private->types);
    map_free(private->operators);
    map_free(private->typed_operators);
    arena_free(arena); /* holds `private` and the catalog too */
}

static bool make_maps(struct catalog_private *private)
{
    private->relations = map_new();
    private->relation_oids = map_new();
    private->guards = map_new();
    private->guard_oids = map_new();
    private->functions = map_new();
    private->function_names = map_new();
    private->sequences = map_new();
    private->types = map_new();
    private->operators = map_new();
    private->typed_operators = map_new();
    return private->relations != NULL && private->relation_oids != NULL &&
           private->guards != NULL && private->guard_oids != NULL && private->functions != NULL &&
           private->function_names != NULL && private->sequences != NULL &&
           private->types != NULL && private->operators != NULL && private->typed_operators != NULL;
}

static struct catalog *fill(const struct catalog_builder *builder, struct catalog_private *private)
{
    struct catalog *catalog = arena_zalloc(builder->arena, 1, sizeof(*catalog));
    if (catalog == NULL) {
        return NULL;
    }
    *catalog = (struct catalog){
        .relations = builder->relations,
        .relation_count = builder->relation_count,
        .guards = builder->guards,
        .guard_count = builder->guard_count,
        .functions = builder->functions,
        .function_count = builder->function_count,
        .sequences = builder->sequences,
        .sequence_count = builder->sequence_count,
        .callables = builder->callables,
        .callable_count = builder->callable_count,
        .types = builder->types,
        .type_count = builder->type_count,
        .type_oids = builder->type_oids,
        .type_roots = builder->type_roots,
        .operators = builder->operators,
        .operator_count = builder->operator_count,
        .typed_operators = builder->typed_operators,
        .typed_operator_count = builder->typed_operator_count,
        .schemas = builder->schemas,
        .schema_count = builder->schema_count,
        .database = builder->database != NULL ? builder->database : "",
        .generation_digest = builder->digest != NULL ? builder->digest : "",
        .stale_count = builder->stale_count,
        .stale = builder->stale,
        .unread_count = builder->unread_count,
        .unread = builder->unread,
        .server_version = builder->version,
        .casts = builder->casts,
        .id = atomic_fetch_add(&next_id, 1),
        .private = private,
    };
    return catalog;
}

enum status catalog_finish(struct catalog_builder *builder, struct catalog **catalog)
{
    *catalog = NULL;
    struct arena *arena = builder->arena;
    struct catalog_private *private = arena_zalloc(arena, 1, sizeof(*private));
    if (private == NULL) {
        arena_free(arena);
        return ERR_MEMORY;
    }
    private->arena = arena;
    atomic_init(&private->references, 1);
    enum status status = !builder->failed && make_maps(private) ? OK : ERR_MEMORY;
    if (status == OK) {
        status = index_relations(builder, private);
    }
    if (status == OK) {
        link_parents(builder, private);
        status = index_guards(builder, private);
    }
    if (status == OK) {
        status = index_functions(builder, private);
    }
    if (status == OK) {
        status = index_sequences(builder, private);
    }
    if (status == OK) {
        status = index_names(builder, private);
    }
    struct catalog *made = status == OK ? fill(builder, private) : NULL;
    if (made == NULL) {
        private_free(private);
        return status == OK ? ERR_MEMORY : status;
    }
    *catalog = made;
    return OK;
}

struct catalog *catalog_ref(struct catalog *catalog)
{
    atomic_fetch_add(&catalog->private->references, 1);
    return catalog;
}

void catalog_unref(struct catalog *catalog)
{
    if (catalog != NULL && atomic_fetch_sub(&catalog->private->references, 1) == 1) {
        private_free(catalog->private);
    }
}

/* ---- lookups ---- */

const struct catalog_relation *catalog_find(const struct catalog *catalog, const char *schema,
                                            const char *name)
{
    char key[NAME_MAX_BYTES];
    size_t len = name_key(key, schema, name);
    return len == 0 ? NULL : map_get(catalog->private->relations, key, len);
}

const struct catalog_relation *catalog_find_oid(const struct catalog *catalog, uint32_t oid)
{
    return map_get(catalog->private->relation_oids, &oid, sizeof(oid));
}

static bool path_names(const char *const *path, size_t path_count, const char *schema)
{
    for (size_t i = 0; i < path_count; i++) {
        if (strcmp(path[i], schema) == 0) {
            return true;
        }
    }
    return false;
}

const struct catalog_relation *catalog_resolve(const struct catalog *catalog,
                                               const char *const *path, size_t path_count,
                                               const char *name)
{
    const struct catalog_relation *found = NULL;
    if (!path_names(path, path_count, "pg_catalog")) {
        found = catalog_find(catalog, "pg_catalog", name);
    }
    for (size_t i = 0; i < path_count && found == NULL; i++) {
        found = catalog_find(catalog, path[i], name);
    }
    return found;
}

bool catalog_type_is(const char *type, const char *name)
{
    const char *length = strchr(type, '(');
    const char *rest = length == NULL ? NULL : strchr(length, ')');
    if (rest == NULL)
        return strcmp(type, name) == 0;
    size_t head = (size_t)(length - type);
    return strncmp(type, name, head) == 0 && strcmp(rest + 1, name + head) == 0;
}

const struct catalog_column *catalog_column(const struct catalog_relation *relation,
                                            const char *name)
{
    for (size_t i = 0; i < relation->column_count; i++) {
        if (strcmp(relation->columns[i].name, name) == 0) {
            return &relation->columns[i];
        }
    }
    return NULL;
}

const struct catalog_constraint *catalog_constraint(const struct catalog_relation *relation,
                                                    const char *name)
{
    for (size_t i = 0; i < relation->constraint_count; i++) {
        if (strcmp(relation->constraints[i].name, name) == 0) {
            return &relation->constraints[i];
        }
    }
    return NULL;
}

const struct catalog_guard *catalog_guard_for(const struct catalog *catalog, const char *pair,
                                              uint32_t base_oid, enum guard_variant variant)
{
    char key[NAME_MAX_BYTES];
    size_t len = guard_key(key, pair, base_oid, variant);
    return len == 0 ? NULL : map_get(catalog->private->guards, key, len);
}

const struct catalog_guard *catalog_guard_oid(const struct catalog *catalog, uint32_t oid)
{
    return map_get(catalog->private->guard_oids, &oid, sizeof(oid));
}

bool catalog_has_operator(const struct catalog *catalog, const char *name)
{
    return map_get_str(catalog->private->operators, name) != NULL;
}

bool catalog_has_typed_operator(const struct catalog *catalog, const char *name)
{
    return map_get_str(catalog->private->typed_operators, name) != NULL;
}

const struct catalog_function *catalog_function_find(const struct catalog *catalog,
                                                     const char *schema, const char *name)
{
    char key[NAME_MAX_BYTES];
    size_t len = name_key(key, schema, name);
    return len == 0 ? NULL : map_get(catalog->private->functions, key, len);
}

const struct catalog_sequence *catalog_find_sequence(const struct catalog *catalog,
                                                     const char *schema, const char *name)
{
    char key[NAME_MAX_BYTES];
    size_t len = name_key(key, schema, name);
    return len == 0 ? NULL : map_get(catalog->private->sequences, key, len);
}

static int callable_compare(const void *key, const void *entry)
{
    uint32_t oid = *(const uint32_t *)key;
    const struct catalog_callable *callable = entry;
    return oid < callable->oid ? -1 : oid > callable->oid;
}

const struct catalog_callable *catalog_find_callable(const struct catalog *catalog, uint32_t oid)
{
    return catalog->callable_count == 0 ? NULL
                                        : bsearch(&oid, catalog->callables, catalog->callable_count,
                                                  sizeof(*catalog->callables), callable_compare);
}

const struct catalog_function *catalog_function_on_path(const struct catalog *catalog,
                                                        const char *const *path, size_t path_count,
                                                        const char *name)
{
    const struct catalog_function *found = NULL;
    if (map_get_str(catalog->private->function_names, name) == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < path_count && found == NULL; i++) {
        found = catalog_function_find(catalog, path[i], name);
    }
    return found;
}

/* The map's keys are "schema.name" joined as the loader gave them; a dot in a name could make two
 * of them equal, which only makes more names "outside pg_catalog": the closed side. */
bool catalog_has_type(const struct catalog *catalog, const char *schema, const char *name)
{
    char key[NAME_MAX_BYTES];
    size_t schema_len = strlen(schema);
    size_t len = name_key(key, schema, name);
    if (len == 0) {
        return true;
    }
    key[schema_len] = '.';
    return map_get(catalog->private->types, key, len) != NULL;
}

uint32_t catalog_type_oid(const struct catalog *catalog, const char *schema, const char *name)
{
    size_t schema_len = strlen(schema);
    for (size_t i = 0; i < catalog->type_count; i++) {
        const char *type = catalog->types[i];
        if (strncmp(type, schema, schema_len) == 0 && type[schema_len] == '.' &&
            strcmp(type + schema_len + 1, name) == 0) {
            return catalog->type_oids[i];
        }
    }
    return 0;
}

/* What a type is made of; a builtin type is not in the snapshot: its own OID. */
static uint32_t type_root(const struct catalog *catalog, uint32_t oid)
{
    for (size_t i = 0; i < catalog->type_count; i++) {
        if (catalog->type_oids[i] == oid)
            return catalog->type_roots[i];
    }
    return oid;
}

static bool guard_shows_type(const struct catalog *catalog, const struct catalog_guard *guard,
                             uint32_t root)
{
    const struct catalog_relation *base = catalog_find_oid(catalog, guard->base_oid);
    for (size_t i = 0; base != NULL && i < base->column_count; i++) {
        const struct catalog_column *column = &base->columns[i];
        if (column->type_oid < 16384 || type_root(catalog, column->type_oid) != root)
            continue;
        for (size_t k = 0; k < guard->column_count; k++) {
            if (guard->base_attnums[k] == column->attnum)
                return true;
        }
    }
    return false;
}

bool catalog_pair_has_type_oid(const struct catalog *catalog, const char *pair, uint32_t oid)
{
    bool known = false;
    for (size_t i = 0; i < catalog->type_count && !known; i++)
        known = catalog->type_oids[i] == oid;
    uint32_t root = type_root(catalog, oid);
    for (size_t i = 0; known && i < catalog->guard_count; i++) {
        if (strcmp(catalog->guards[i].pair, pair) == 0 &&
            guard_shows_type(catalog, &catalog->guards[i], root))
            return true;
    }
    return false;
}

bool catalog_pair_has_type(const struct catalog *catalog, const char *pair, const char *schema,
                           const char *name)
{
    uint32_t oid = catalog_type_oid(catalog, schema, name);
    return oid != 0 && catalog_pair_has_type_oid(catalog, pair, oid);
}
