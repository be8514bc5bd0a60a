/*
 * catalog.h: what the database holds, as one immutable snapshot.
 *
 * Loaded by proxy/catalog_load.c over libpq (with the pgvigil login, under search_path = ''), read
 * by the policy library, shared by reference count. Tests build one from a text file
 * (catalog_parse). All strings in its arena. Lookups are by exact, already folded name, as
 * PostgreSQL's catalogs store it.
 */
#ifndef PGVIGIL_CATALOG_H
#define PGVIGIL_CATALOG_H

#include <pgvigil/arena.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalog_column {
    const char *name;
    int16_t attnum;
    uint32_t type_oid;
    const char
        *type; /* format_type() under search_path '': "character varying(20)", "public.nir" */
    const char *base_type; /* the same with a domain replaced by its base type; what a mask's result
                              is cast to */
    bool not_null;
    bool has_default;
    const char *default_expression; /* pg_get_expr() under search_path ''; NULL: none */
    bool generated;                 /* GENERATED ALWAYS AS (...) STORED */
    bool identity;
    bool operand;  /* of a type that has operators of its own outside pg_catalog */
    bool castable; /* of a type that has a cast as in catalog_casts */
};

/* A constraint that has an index: ON CONFLICT ON CONSTRAINT can name it. */
enum catalog_constraint_kind {
    CONSTRAINT_SHARED = 0, /* UNIQUE or PRIMARY KEY, and another unique index has its columns too:
                              these alone would not say which is meant */
    CONSTRAINT_UNIQUE,     /* UNIQUE or PRIMARY KEY: ON CONFLICT (its columns) takes its index and
                              no other */
    CONSTRAINT_EXCLUSION
};

struct catalog_constraint {
    const char *name;
    enum catalog_constraint_kind kind;
    const int16_t *columns; /* attnums; 0 for an expression */
    size_t column_count;
};

struct catalog_relation {
    uint32_t oid;
    uint32_t row_type_oid;
    uint32_t row_array_oid; /* the type of arrays of rows, or 0 */
    const char *schema;
    const char *name;
    char kind;                            /* pg_class.relkind: r p v m f (others are not loaded) */
    const struct catalog_column *columns; /* attnum > 0, not dropped, in order */
    size_t column_count;
    const int16_t *primary_key; /* attnums; count 0: none, or a deferrable one */
    size_t primary_key_count;
    const struct catalog_constraint *constraints; /* of its own */
    size_t constraint_count;
    int parent; /* index of the relation it is a partition or the (single) inheritance child of, or
                   -1 */
    bool partition;      /* pg_class.relispartition */
    bool has_children;   /* partitions or inheritance children: ONLY means something */
    bool update_trigger; /* a trigger may change its rows before an UPDATE of them */
    size_t
        function_count; /* of a view: functions that are not PostgreSQL's own which its definition
                           calls, by name or as a cast, which its text does not show */
    const char *owner;
    const char *definition; /* pg_get_viewdef for v and m, else NULL; also while somebody alters
                               what the view reads */
    /* The guard of each pair stands in struct catalog_guard. */
};

/* A relation's guards beside its own: of ONLY it, and one that also tells whose a row is. */
enum guard_variant { GUARD_PLAIN = 0, GUARD_ONLY, GUARD_SUBJECT };
/* What the last column of a GUARD_SUBJECT is called: the rule's `subject` as text; of a view
 * without a rule, that of the one relation which tells it, or NULL. To clients there is no such
 * name, and no column that begins like it ("pgvigil "). */
#define GUARD_SUBJECT_COLUMN "pgvigil subject"
/* The same of a list (proxy/subjects.h): of a view of several that tell. */
#define GUARD_SUBJECTS_COLUMN GUARD_SUBJECT_COLUMN "s"

/* A guard view that is deployed: (pair, relation) -> view. Only those of generations whose digest
 * is known. */
struct catalog_guard {
    const char *pair; /* schema and role name: pgvigil:nurse/care@3f2a91c0 */
    const char *view; /* the view's name in that schema */
    uint32_t oid;
    uint32_t row_type_oid;
    uint32_t row_array_oid; /* the type of arrays of rows, or 0 */
    uint32_t base_oid;      /* 0 when the base relation is gone */
    enum guard_variant variant;
    const char *const *columns;  /* the guard's own columns, in order */
    const int16_t *base_attnums; /* of the same-named base column; 0 if there is none */
    size_t column_count;
};

struct catalog_function {
    const char *schema; /* pg_catalog only for what the reviewed list does not know: an extension's,
                           a newer server's */
    const char *name;
    bool security_definer;
    bool aggregate;   /* one of that name is */
    bool is_volatile; /* may answer otherwise each time, or change something */
};

/* What a FunctionCall message may mean: neither aggregate nor set-returning, of pg_catalog or named
 * by the policy. Loaded from a database only: a saved catalog has none. */
struct catalog_callable {
    uint32_t oid;
    const char *schema;
    const char *name;
    const uint32_t *types; /* of its arguments */
    size_t type_count;
};

struct catalog_sequence {
    const char *schema;
    const char *name;
    uint32_t owner_oid;   /* of the relation whose column owns it (serial, identity), or 0 */
    int16_t owner_attnum; /* that column */
};

/* Casts that somebody made of a function in SQL or another language that may read tables: of the
 * database's own types, or (a superuser's) even of PostgreSQL's. */
enum catalog_casts { CATALOG_CASTS_NONE = 0, CATALOG_CASTS_OWN, CATALOG_CASTS_ANY };

struct catalog {
    const struct catalog_relation *relations;
    size_t relation_count;
    const struct catalog_guard *guards;
    size_t guard_count;
    const struct catalog_function *functions; /* not of the reviewed list */
    size_t function_count;
    const struct catalog_sequence *sequences;
    size_t sequence_count;
    const struct catalog_callable *callables; /* by OID */
    size_t callable_count;
    /* "schema.name" (raw names) outside pg_catalog of what holds values: domains, enums, ranges,
     * arrays of them; never the row type of a relation or an array of it. */
    const char *const *types;
    size_t type_count;
    const uint32_t *type_oids;    /* of each, its OID */
    const uint32_t *type_roots;   /* and that of what it is made of: an array's element, a
                                     multirange's range, else its own */
    const char *const *operators; /* names of operators that exist outside pg_catalog over types of
                                     pg_catalog alone (pg_trgm's %), once each */
    size_t operator_count;
    const char *const *typed_operators; /* those over types of their own (hstore's ||) */
    size_t typed_operator_count;
    const char *const *schemas;
    size_t schema_count;
    const char *database;
    const char *generation_digest; /* 32 hex of the generation these guards are of, "" when none is
                                      deployed */
    /* Guards that stand and are not among `guards`: what they read has another name than when they
     * were made (guard.h: GUARD_READS_SQL). `stale` is one of them. */
    size_t stale_count;
    const char *stale;
    /* Views whose definition could not be read, as somebody altered what they read: NULL. `unread`
     * names some. */
    size_t unread_count;
    const char *unread;
    uint32_t server_version; /* as server_version_num */
    enum catalog_casts casts;
    uint64_t id; /* grows with each load: verdicts remember it */
    struct catalog_private *private;
};

struct catalog *catalog_ref(struct catalog *catalog);
void catalog_unref(struct catalog *catalog);

/* NULL when there is none. pg_catalog and information_schema relations are in the snapshot like any
 * other. */
const struct catalog_relation *catalog_find(const struct catalog *catalog, const char *schema,
                                            const char *name);
const struct catalog_relation *catalog_find_oid(const struct catalog *catalog, uint32_t oid);
/* First match along the path, as PostgreSQL does: pg_catalog first unless the path names it. */
const struct catalog_relation *catalog_resolve(const struct catalog *catalog,
                                               const char *const *path, size_t path_count,
                                               const char *name);
/* Is a type by format_type() that one, whatever its length: "timestamp(3) without time zone"? */
bool catalog_type_is(const char *type, const char *name);
const struct catalog_column *catalog_column(const struct catalog_relation *relation,
                                            const char *name);
/* The relation's own constraint of that name, or NULL. */
const struct catalog_constraint *catalog_constraint(const struct catalog_relation *relation,
                                                    const char *name);
const struct catalog_guard *catalog_guard_for(const struct catalog *catalog, const char *pair,
                                              uint32_t base_oid, enum guard_variant variant);
/* The guard whose view has this OID (RowDescription, errors), or NULL. */
const struct catalog_guard *catalog_guard_oid(const struct catalog *catalog, uint32_t oid);
bool catalog_has_operator(const struct catalog *catalog, const char *name);
bool catalog_has_typed_operator(const struct catalog *catalog, const char *name);
/* A function of that name outside pg_catalog in one of the path's schemas, or NULL. */
const struct catalog_function *catalog_function_on_path(const struct catalog *catalog,
                                                        const char *const *path, size_t path_count,
                                                        const char *name);
const struct catalog_function *catalog_function_find(const struct catalog *catalog,
                                                     const char *schema, const char *name);
const struct catalog_callable *catalog_find_callable(const struct catalog *catalog, uint32_t oid);
const struct catalog_sequence *catalog_find_sequence(const struct catalog *catalog,
                                                     const char *schema, const char *name);
bool catalog_has_type(const struct catalog *catalog, const char *schema, const char *name);
/* The same, if a column that the pair sees is of that type, or of an array of it. */
bool catalog_pair_has_type(const struct catalog *catalog, const char *pair, const char *schema,
                           const char *name);
bool catalog_pair_has_type_oid(const struct catalog *catalog, const char *pair, uint32_t oid);
/* 0: not known. */
uint32_t catalog_type_oid(const struct catalog *catalog, const char *schema, const char *name);

/* Builder, used by the loader and by tests: fill the plain structs (copied into the catalog's arena
 * by the add calls), then catalog_finish makes the lookups. ERR_MEMORY is sticky until finish. */
struct catalog_builder;
struct catalog_builder *catalog_builder_new(void);
struct arena *
catalog_builder_arena(struct catalog_builder *builder); /* strings put here need no copy */
void catalog_add_relation(struct catalog_builder *builder, const struct catalog_relation *relation);
/* One more of the relation that was added last. */
void catalog_add_constraint(struct catalog_builder *builder,
                            const struct catalog_constraint *constraint);
/* Parents are given by OID once all relations are in. */
void catalog_set_parent(struct catalog_builder *builder, uint32_t child_oid, uint32_t parent_oid);
void catalog_add_guard(struct catalog_builder *builder, const struct catalog_guard *guard);
void catalog_add_function(struct catalog_builder *builder, const struct catalog_function *function);
/* In the order of their OIDs. */
void catalog_add_callable(struct catalog_builder *builder, const struct catalog_callable *callable);
void catalog_add_sequence(struct catalog_builder *builder, const struct catalog_sequence *sequence);
void catalog_add_type(struct catalog_builder *builder, const char *schema, const char *name,
                      uint32_t oid, uint32_t root);
void catalog_add_operator(struct catalog_builder *builder, const char *name);
void catalog_add_typed_operator(struct catalog_builder *builder, const char *name);
void catalog_add_schema(struct catalog_builder *builder, const char *name);
void catalog_set_casts(struct catalog_builder *builder, enum catalog_casts casts);
void catalog_set_database(struct catalog_builder *builder, const char *database,
                          uint32_t server_version, const char *generation_digest);
void catalog_set_stale(struct catalog_builder *builder, size_t count, const char *example);
void catalog_set_unread(struct catalog_builder *builder, size_t count, const char *names);
/* Takes the builder in every case. */
NODISCARD enum status catalog_finish(struct catalog_builder *builder, struct catalog **catalog);

#endif
