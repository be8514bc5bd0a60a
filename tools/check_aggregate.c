/*
 * check_aggregate.c: what missions that are aggregate_only read all the same, row by row.
 *
 * Such a mission gives groups of patients: of the rows of tables with a `subject`. A table without
 * one is about nobody and is read as it is. Where it is about patients after all, nothing else says
 * so; so each is told, once for a mission. And a table of patients of which nothing can be asked
 * but its number of rows is told, too.
 */
#include "tools/check_database.h"

#include <pgvigil/guard.h>

/* The first role that reads it; false: none does. */
static bool reads(const struct check *check, int mission, const struct catalog_relation *relation,
                  const struct policy_table **table, const struct policy_rule **rule,
                  const char **role)
{
    for (size_t i = 0; i < check->policy->role_count; i++) {
        const struct catalog_relation *as = NULL;
        if (!guard_governing(check->policy, check->catalog, (int)i, mission, relation, table, rule,
                             &as))
            continue;
        *role = check->policy->roles[i].name;
        return true;
    }
    return false;
}

static void tell(struct check *check, const struct policy_mission *mission,
                 const struct catalog_relation *relation, const struct policy_table *table,
                 const struct policy_rule *rule, const char *role)
{
    if (table->subject == NULL)
        check_say(check, CHECK_INFO, &rule->place,
                  "mission \"%s\" is aggregate_only, and role \"%s\" reads %s.%s in it row by row, "
                  "as it has no \"subject\": is it about nobody?",
                  mission->name, role, relation->schema, relation->name);
    else if (table->dimension_count == 0)
        check_say(check, CHECK_INFO, &table->place,
                  "mission \"%s\" is aggregate_only, and %s.%s has no \"dimensions\": role \"%s\" "
                  "gets totals of it, and no groups",
                  mission->name, relation->schema, relation->name, role);
}

void check_aggregate(struct check *check)
{
    for (size_t i = 0; i < check->policy->mission_count; i++) {
        const struct policy_mission *mission = &check->policy->missions[i];
        if (mission->aggregate_only == NULL)
            continue;
        for (size_t k = 0; k < check->catalog->relation_count; k++) {
            const struct catalog_relation *relation = &check->catalog->relations[k];
            const struct policy_table *table = NULL;
            const struct policy_rule *rule = NULL;
            const char *role = NULL;
            if (!relation->partition && reads(check, (int)i, relation, &table, &rule, &role))
                tell(check, mission, relation, table, rule, role);
        }
    }
}
