/*
 * guard_name.c: what guards are called, and which rule governs a relation.
 *
 * Purpose: the one place where names of pairs, guard schemas and guard views are made, so that
 * deploy, judge and check cannot disagree. Names are at most 63 bytes, PostgreSQL's limit: a longer
 * one would be cut silently, and two pairs could then become one.
 *
 * Trust boundary: relation names come from the database, where anyone with CREATE TABLE can choose
 * one; a name that could be read as another's guard ("a.b" . "c" and "a" . "b.c", or one that ends
 * in "!only" or "!subject") gets a hash instead.
 *
 * Ownership: results stand in the caller's arena.
 */
#include <pgvigil/guard.h>
#include <pgvigil/text.h>
#include <string.h>

#define NAME_BYTES 63
#define HASH_BYTES 17 /* '~' and 16 hex digits */

/* The readable start of `name`, whole UTF-8 characters only, and a hash over `key`. */
static const char *hashed(struct arena *arena, const char *name, const void *key, size_t key_len)
{
    char hash[17];
    text_hash64(key, key_len, hash);
    size_t len = strlen(name);
    if (len > NAME_BYTES - HASH_BYTES) {
        len = NAME_BYTES - HASH_BYTES;
        while (len > 0 && ((unsigned char)name[len] & 0xC0U) == 0x80U) {
            len--;
        }
    }
    return arena_printf(arena, "%.*s~%s", (int)len, name, hash);
}

const char *guard_pair(const struct policy *policy, int role, int mission)
{
    return policy->names->pairs[(size_t)role * policy->mission_count + (size_t)mission];
}

const char *guard_pair_name(const struct policy *policy, int role, int mission, struct arena *arena)
{
    const char *name = arena_printf(arena, "pgvigil:%s/%s@%s", policy->roles[role].name,
                                    policy->missions[mission].name, policy->generation);
    if (name == NULL || strlen(name) <= NAME_BYTES) {
        return name;
    }
    return hashed(arena, name, name, strlen(name));
}

const char *guard_catalog_schema(const struct policy *policy, struct arena *arena)
{
    return arena_printf(arena, "pgvigil:catalog@%s", policy->generation);
}

/* What a variant's name ends in, and what tells it from the others where the name is hashed. */
static const struct {
    const char *suffix;
    char key;
} variants[] = {
    [GUARD_PLAIN] = {"", ' '}, [GUARD_ONLY] = {"!only", '!'}, [GUARD_SUBJECT] = {"!subject", '$'}};

const char *guard_view_name(const char *schema, const char *name, enum guard_variant variant,
                            struct arena *arena)
{
    const char *joined = arena_printf(arena, "%s.%s%s", schema, name, variants[variant].suffix);
    if (joined == NULL) {
        return NULL;
    }
    bool plain = strchr(schema, '.') == NULL && strchr(name, '.') == NULL &&
                 strchr(name, '!') == NULL && strchr(name, '~') == NULL &&
                 strchr(schema, '~') == NULL;
    if (plain && strlen(joined) <= NAME_BYTES) {
        return joined;
    }
    size_t schema_len = strlen(schema) + 1;
    size_t name_len = strlen(name) + 1;
    char *key = arena_alloc(arena, schema_len + name_len + 1);
    if (key == NULL) {
        return NULL;
    }
    memcpy(key, schema, schema_len);
    memcpy(key + schema_len, name, name_len);
    key[schema_len + name_len] = variants[variant].key;
    return hashed(arena, joined, key, schema_len + name_len + 1);
}

/* A rule that names the relation itself rather than by a pattern. */
static bool rule_is_exact(const struct policy_rule *rule, const struct catalog_relation *relation)
{
    size_t schema_len = strlen(relation->schema);
    for (size_t i = 0; i < rule->table_count; i++) {
        const char *table = rule->tables[i];
        if (strncmp(table, relation->schema, schema_len) == 0 && table[schema_len] == '.' &&
            strcmp(table + schema_len + 1, relation->name) == 0) {
            return true;
        }
    }
    return false;
}

static bool system_schema(const char *schema)
{
    return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0 ||
           strncmp(schema, "pgvigil:", 8) == 0;
}

#define MAX_DEPTH                                                                                  \
    64 /* levels of partitioning; a cycle cannot exist, but nothing here depends on that */

const struct policy_table *guard_table(const struct policy *policy, const struct catalog *catalog,
                                       const struct catalog_relation *relation)
{
    const struct policy_table *table = NULL;
    for (int depth = 0; relation != NULL && table == NULL && depth < MAX_DEPTH; depth++) {
        table = policy_table_for(policy, relation->schema, relation->name);
        relation = relation->parent < 0 ? NULL : &catalog->relations[relation->parent];
    }
    return table;
}

static bool governing(const struct policy *policy, const struct catalog *catalog, int role,
                      int mission, const struct catalog_relation *relation, int depth,
                      const struct policy_table **table, const struct policy_rule **rule,
                      const struct catalog_relation **as)
{
    if (depth > MAX_DEPTH || system_schema(relation->schema)) {
        return false;
    }
    const struct policy_table *own_table =
        policy_table_for(policy, relation->schema, relation->name);
    const struct policy_rule *own_rule =
        policy_rule_for(policy, role, mission, relation->schema, relation->name);
    bool own = own_table != NULL && own_rule != NULL;
    /*
     * A pattern ("public.*") that happens to match a partition must not open what an exact rule
     * over its parent closes: only a rule that names the child beats the parent's.
     */
    if (!(own && rule_is_exact(own_rule, relation)) && relation->parent >= 0 &&
        governing(policy, catalog, role, mission, &catalog->relations[relation->parent], depth + 1,
                  table, rule, as)) {
        return true;
    }
    if (own) {
        *table = own_table;
        *rule = own_rule;
        *as = relation;
    }
    return own;
}

bool guard_governing(const struct policy *policy, const struct catalog *catalog, int role,
                     int mission, const struct catalog_relation *relation,
                     const struct policy_table **table, const struct policy_rule **rule,
                     const struct catalog_relation **as)
{
    *table = NULL;
    *rule = NULL;
    *as = NULL;
    return governing(policy, catalog, role, mission, relation, 0, table, rule, as);
}
