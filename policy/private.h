/*
 * private.h: what a policy carries besides its lists: memory, references, and the maps of its
 * lookups.
 */
#ifndef PGVIGIL_POLICY_PRIVATE_H
#define PGVIGIL_POLICY_PRIVATE_H

#include <pgvigil/arena.h>
#include <pgvigil/map.h>
#include <pgvigil/policy.h>

#include <stdatomic.h>

/* A rule's pattern, for one (role, mission). */
struct rule_pattern {
    const char *pattern; /* "schema.name" */
    const struct policy_rule *rule;
};
struct rule_patterns {
    struct rule_pattern *items;
    size_t count;
    size_t cap;
};

struct policy_private {
    struct arena *arena;
    atomic_uint references;
    struct map *users;
    struct map *tables;             /* exact name -> struct policy_table */
    struct map *rules;              /* (role, mission, exact name) -> struct policy_rule */
    struct rule_patterns *patterns; /* [role * mission_count + mission] */
    struct map *governed; /* (rule, role, mission, table) -> the rule with what else hides rows;
                             NULL where nothing does */
};

/* Fills the maps from the finished lists. ERR_MEMORY only: doubles were reported before, the first
 * stays. */
NODISCARD enum status policy_index_tables(struct policy *policy);
NODISCARD enum status policy_index_rules(struct policy *policy);
NODISCARD enum status policy_index_users(struct policy *policy);

/* conditions.c: fills `governed`, once everything else is there. ERR_MEMORY only. */
NODISCARD enum status policy_index_conditions(struct policy *policy);
/* The rule as it is for that table: with what retention and rights hide of it. */
const struct policy_rule *policy_conditioned(const struct policy *policy,
                                             const struct policy_rule *rule, int role, int mission,
                                             const struct policy_table *table);

/* The patterns that match a relation, for messages. *second is NULL unless there are two. */
void policy_rule_matches(const struct policy *policy, int role, int mission, const char *schema,
                         const char *name, const struct rule_pattern **first,
                         const struct rule_pattern **second);
void policy_table_matches(const struct policy *policy, const char *schema, const char *name,
                          const struct policy_table **first, const struct policy_table **second);

/* A name that holds * or ?. */
bool policy_is_pattern(const char *name);
/* "schema.name" against a pattern of that form, part by part: '*' does not cross the dot. */
bool policy_pattern_matches(const char *pattern, const char *schema, const char *name);
/* Fills generation and digest. */
NODISCARD enum status policy_digest(struct policy *policy);
/* policy->names, once the generation is known. ERR_MEMORY. */
NODISCARD enum status policy_make_names(struct policy *policy, struct arena *arena);

#endif
