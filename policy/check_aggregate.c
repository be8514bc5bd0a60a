/*
 * check_aggregate.c: what may stand beside a mission that is aggregate_only.
 *
 * Such a mission's answers hang on nothing but the cells of a table (guard_cell.c). So nothing may
 * cut the cells that somebody can turn as she likes between two questions: a filter that follows a
 * setting of the session's would give a large cell with one patient, and then without.
 *
 * Comes last: it needs missions, rules and rights.
 */
#include "load.h"

#include <string.h>

static const struct policy_mission *aggregate_mission(const struct loader *loader,
                                                      const uint32_t *missions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (loader->policy->missions[missions[i]].aggregate_only != NULL)
            return &loader->policy->missions[missions[i]];
    return NULL;
}

/* What the person can turn: a setting, or the address she comes from. NULL: nothing. */
static const char *turnable(struct loader *loader, const char *expression)
{
    if (expression != NULL && strcasestr(expression, "current_setting") != NULL)
        return "current_setting()";
    struct policy_placeholder *list = NULL;
    size_t count = 0;
    const char *what = NULL;
    if (expression == NULL ||
        policy_placeholders(loader->policy, expression, loader->arena, &list, &count, &what) != OK)
        return NULL; /* said where the expression was checked */
    for (size_t i = 0; i < count; i++) {
        if (list[i].kind == PLACEHOLDER_SESSION)
            return arena_printf(loader->arena, ":session.%s", list[i].name);
        if (list[i].kind == PLACEHOLDER_CLIENT_ADDRESS)
            return ":client.address";
    }
    return NULL;
}

static void check_turnable(struct loader *loader, struct policy_place place, const char *about,
                           const char *expression, const struct policy_mission *mission)
{
    const char *found = turnable(loader, expression);
    if (found != NULL)
        load_report(loader, place,
                    "%s uses %s, and mission \"%s\" is \"aggregate_only\": who changes it between "
                    "two questions would see one patient in the difference; use what the policy "
                    "says of the user, or a mission of its own",
                    about, found, mission->name);
}

static void check_rule(struct loader *loader, const struct policy_rule *rule)
{
    const struct policy_mission *mission =
        aggregate_mission(loader, rule->missions, rule->mission_count);
    if (mission == NULL)
        return;
    if (rule->insert_count > 0 || rule->update_count > 0 || rule->delete_rows || rule->truncate)
        load_report(loader, rule->place,
                    "a rule of mission \"%s\", which is \"aggregate_only\", lets rows be written: "
                    "such a mission only reads; give writing a mission of its own",
                    mission->name);
    check_turnable(loader, rule->place, "\"rows\" of this rule", rule->rows, mission);
    for (size_t i = 0; i < rule->column_count; i++) {
        const struct policy_mask *mask = &loader->policy->masks[rule->columns[i].mask];
        const char *about = arena_printf(loader->arena, "mask \"%s\"", mask->name);
        if (about != NULL)
            check_turnable(loader, rule->columns[i].place, about, mask->expression, mission);
    }
}

static void check_right(struct loader *loader, const struct policy_right *right)
{
    const struct policy *policy = loader->policy;
    for (size_t i = 0; i < policy->mission_count; i++) {
        bool listed = false;
        for (size_t k = 0; k < right->mission_count; k++)
            listed = listed || right->missions[k] == i;
        bool holds = right->mission_count == 0 || listed != right->but;
        if (policy->missions[i].aggregate_only == NULL || !holds)
            continue;
        const char *about = arena_printf(loader->arena, "right \"%s\"", right->name);
        if (about != NULL)
            check_turnable(loader, right->place, about, right->hide, &policy->missions[i]);
        return;
    }
}

/* Of whom a number is cannot be on record by name: rows are made of many. */
static void check_mission(struct loader *loader, const struct policy_mission *mission)
{
    if (mission->aggregate_only == NULL)
        return;
    if (mission->exact_subjects || mission->group_subjects > 0)
        load_report(loader, mission->place,
                    "mission \"%s\" is \"aggregate_only\", and has \"%s\": its records say that "
                    "groups were asked for, and name nobody; leave it out",
                    mission->name, mission->exact_subjects ? "exact_subjects" : "group_subjects");
    for (size_t i = 0; i < loader->policy->table_count; i++) {
        const struct policy_table *table = &loader->policy->tables[i];
        const char *about =
            arena_printf(loader->arena, "subject of %s.%s", table->schema, table->name);
        if (about != NULL)
            check_turnable(loader, table->place, about, table->subject, mission);
    }
}

void check_aggregates(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    for (size_t i = 0; i < policy->mission_count; i++) {
        const struct policy_mission *mission = &policy->missions[i];
        if (mission->aggregate_only != NULL && mission->break_glass != NULL)
            load_report(loader, mission->place,
                        "mission \"%s\" has both \"aggregate_only\" and \"break_glass\": one is "
                        "for groups of patients, the other for a single one; make two of it",
                        mission->name);
    }
    for (size_t i = 0; i < policy->role_count; i++) {
        const struct policy_role *role = &policy->roles[i];
        const struct policy_mission *mission =
            aggregate_mission(loader, role->missions, role->mission_count);
        if (role->unrestricted && mission != NULL)
            load_report(loader, role->place,
                        "role \"%s\" is unrestricted, and mission \"%s\" is \"aggregate_only\": "
                        "its statements pass unchanged, so nothing would bound them; give the "
                        "role another mission",
                        role->name, mission->name);
    }
    for (size_t i = 0; i < policy->rule_count; i++)
        check_rule(loader, &policy->rules[i]);
    for (size_t i = 0; i < policy->right_count; i++)
        check_right(loader, &policy->rights[i]);
    for (size_t i = 0; i < policy->mission_count; i++)
        check_mission(loader, &policy->missions[i]);
}
