/*
 * check_people.c: missions, roles, functions and sequences: from raw entries to the policy's lists.
 */
#include "load.h"
#include "private.h"

#include <pgvigil/text.h>

#include <string.h>
#include <strings.h>

/* Settings that sessions have, see proxy/mission.c; a reason is always asked for. */
static void check_break_glass(struct loader *loader, const struct policy_mission *mission)
{
    static const char *const known[] = {"patient"};
    const struct policy_break_glass *glass = mission->break_glass;
    for (size_t i = 0; glass != NULL && i < glass->require_count; i++)
        if (strcmp(glass->require[i], known[0]) != 0)
            load_report(loader, mission->place,
                        "mission \"%s\": break_glass requires \"%s\", which sessions cannot give: "
                        "\"%s\" is what they can (a reason is always asked for)",
                        mission->name, glass->require[i], known[0]);
}

/* Whose records a mission reaches: the active ones, if it does not say otherwise. */
static void check_ages(struct loader *loader, const struct raw_names *words,
                       struct policy_mission *mission)
{
    mission->ages = words->place.file == NULL ? AGE_ACTIVE : AGE_NONE;
    for (size_t i = 0; i < words->count; i++) {
        enum policy_age age = policy_age_find(words->items[i].text);
        if (age == AGE_NONE)
            load_report(loader, words->items[i].place,
                        "mission \"%s\": retention is a list of \"active\", \"archived\", "
                        "\"expired\", and \"%s\" is none of them",
                        mission->name, words->items[i].text);
        mission->ages |= (unsigned)age;
    }
    if (words->place.file != NULL && words->count == 0)
        load_report(loader, words->place,
                    "mission \"%s\": retention is empty, and nobody's records would be there: "
                    "leave it out for the active ones",
                    mission->name);
    if (words->place.file != NULL && loader->retention.count == 0)
        load_report(loader, words->place,
                    "mission \"%s\" says whose records it reaches, but the policy has no "
                    "\"retention\" that tells them apart",
                    mission->name);
}

static void check_missions(struct loader *loader, struct map *seen)
{
    struct raw_mission *raw = loader->missions.items;
    struct policy_mission *missions =
        arena_alloc(loader->arena, (loader->missions.count + 1) * sizeof(*missions));
    size_t count = 0;
    for (size_t i = 0; missions != NULL && i < loader->missions.count; i++) {
        struct policy_mission mission = raw[i].mission;
        if (mission.name == NULL || !check_name(loader, mission.place, "a mission", mission.name) ||
            check_duplicate(loader, "mission", mission.name, mission.place, seen))
            continue;
        for (size_t k = 0; k < count; k++)
            if (strcasecmp(missions[k].name, mission.name) == 0)
                load_report(loader, mission.place,
                            "mission \"%s\" differs from \"%s\" only in case: name it otherwise",
                            mission.name, missions[k].name);
        check_break_glass(loader, &mission);
        check_ages(loader, &raw[i].ages, &mission);
        missions[count++] = mission;
    }
    loader->policy->missions = missions;
    loader->policy->mission_count = count;
}

const char **check_mission_names(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    const char **names = arena_alloc(loader->arena, (policy->mission_count + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < policy->mission_count; i++)
        names[i] = policy->missions[i].name;
    return names;
}

const char **check_role_names(struct loader *loader)
{
    const struct policy *policy = loader->policy;
    const char **names = arena_alloc(loader->arena, (policy->role_count + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < policy->role_count; i++)
        names[i] = policy->roles[i].name;
    return names;
}

uint32_t *check_indexes(struct loader *loader, const struct raw_names *raw, const char *what,
                        const char *const *names, size_t count, size_t *found)
{
    uint32_t *indexes = arena_alloc(loader->arena, (raw->count + 1) * sizeof(*indexes));
    *found = 0;
    for (size_t i = 0; indexes != NULL && i < raw->count; i++) {
        int index = check_find(loader, &raw->items[i], what, names, count);
        if (index >= 0)
            indexes[(*found)++] = (uint32_t)index;
    }
    return indexes;
}

/* Nobody gets into a break-glass mission without asking for it. */
static void check_default(struct loader *loader, struct raw_role *raw, const char *const *names)
{
    const struct policy_mission *missions = loader->policy->missions;
    struct policy_role *role = &raw->role;
    bool single = role->mission_count == 1 && missions[role->missions[0]].break_glass == NULL;
    role->default_mission = single ? (int)role->missions[0] : -1;
    if (raw->fallback.text == NULL)
        return;
    for (size_t i = 0; i < role->mission_count; i++) {
        if (strcmp(names[role->missions[i]], raw->fallback.text) != 0)
            continue;
        if (missions[role->missions[i]].break_glass != NULL)
            load_report(loader, raw->fallback.place,
                        "default \"%s\" of role \"%s\" is a break-glass mission, which must be "
                        "entered with a reason: choose another, or none",
                        raw->fallback.text, role->name);
        else
            role->default_mission = (int)role->missions[i];
        return;
    }
    load_report(
        loader, raw->fallback.place,
        "default \"%s\" is not among the missions of role \"%s\": add it there, or choose one "
        "of them",
        raw->fallback.text, role->name);
}

static void check_allow(struct loader *loader, const struct raw_names *words,
                        struct policy_role *role)
{
    const char *known = "";
    for (size_t i = 0; known != NULL && policy_allow_word(i) != NULL; i++)
        known = arena_printf(loader->arena, "%s%s\"%s\"", known, i == 0 ? "" : ", ",
                             policy_allow_word(i));
    if (role->unrestricted && words->place.file != NULL)
        load_report(loader, words->place,
                    "role \"%s\" is unrestricted: \"allow\" would add nothing to it, leave it out",
                    role->name);
    for (size_t i = 0; known != NULL && !role->unrestricted && i < words->count; i++) {
        enum policy_allow allow = policy_allow_find(words->items[i].text);
        if (allow == ALLOW_NONE)
            load_report(loader, words->items[i].place,
                        "role \"%s\" allows \"%s\", which is no statement that can be allowed: "
                        "those are %s",
                        role->name, words->items[i].text, known);
        role->allows |= (unsigned)allow;
    }
}

/* PostgreSQL cuts longer names off, and compares what is left. */
#define CHANNEL_MAX 63

static void check_channels(struct loader *loader, const struct raw_names *names,
                           struct policy_role *role)
{
    bool heard = (role->allows & (ALLOW_LISTEN | ALLOW_NOTIFY)) != 0;
    const char **channels = arena_alloc(loader->arena, (names->count + 1) * sizeof(*channels));
    for (size_t i = 0; channels != NULL && i < names->count; i++) {
        const char *name = names->items[i].text;
        if (name[0] == '\0' || strlen(name) > CHANNEL_MAX)
            load_report(loader, names->items[i].place,
                        "\"%s\" of role \"%s\" is no name of a channel: it has 1 to %d bytes", name,
                        role->name, CHANNEL_MAX);
        channels[role->channel_count++] = name;
    }
    role->channels = channels;
    if (heard && names->count == 0)
        load_report(loader, names->place.file != NULL ? names->place : role->place,
                    "role \"%s\" allows \"listen\" or \"notify\" on no channel: name them, "
                    "channels = [ \"lab_results\" ]",
                    role->name);
    if (!heard && names->place.file != NULL)
        load_report(
            loader, names->place,
            "role \"%s\" has channels and may use none: add \"listen\" or \"notify\" to its "
            "\"allow\", or leave them out",
            role->name);
}

static void check_roles(struct loader *loader, struct map *seen)
{
    struct policy *policy = loader->policy;
    struct raw_role *raw = loader->roles.items;
    struct policy_role *roles =
        arena_alloc(loader->arena, (loader->roles.count + 1) * sizeof(*roles));
    const char **missions = check_mission_names(loader);
    size_t count = 0;
    for (size_t i = 0; roles != NULL && missions != NULL && i < loader->roles.count; i++) {
        struct policy_role *role = &raw[i].role;
        if (role->name == NULL || !check_name(loader, role->place, "a role", role->name) ||
            check_duplicate(loader, "role", role->name, role->place, seen))
            continue;
        role->missions = check_indexes(loader, &raw[i].missions, "mission", missions,
                                       policy->mission_count, &role->mission_count);
        if (raw[i].missions.place.file != NULL && raw[i].missions.count == 0)
            load_report(loader, raw[i].missions.place,
                        "role \"%s\" has no mission: nobody could work under it", role->name);
        check_default(loader, &raw[i], missions);
        check_allow(loader, &raw[i].allow, role);
        check_channels(loader, &raw[i].channels, role);
        roles[count++] = *role;
    }
    policy->roles = roles;
    policy->role_count = count;
}

/* Functions, or sequences: `word`. */
static void check_named(struct loader *loader, const struct pile *pile, const char *word,
                        const struct policy_function **out, size_t *out_count)
{
    struct policy *policy = loader->policy;
    struct raw_function *raw = pile->items;
    struct policy_function *functions =
        arena_alloc(loader->arena, (pile->count + 1) * sizeof(*functions));
    const char *what = arena_printf(loader->arena, "a %s", word);
    const char **roles = check_role_names(loader);
    const char **missions = check_mission_names(loader);
    size_t count = 0;
    if (functions == NULL || roles == NULL || missions == NULL || what == NULL)
        return;
    for (size_t i = 0; i < pile->count; i++) {
        struct policy_function *function = &functions[count];
        *function = (struct policy_function){.place = raw[i].name.place};
        function->roles = check_indexes(loader, &raw[i].roles, "role", roles, policy->role_count,
                                        &function->role_count);
        function->missions = check_indexes(loader, &raw[i].missions, "mission", missions,
                                           policy->mission_count, &function->mission_count);
        /* [ ] would read as "no role" and mean "every role": closed is to leave it out of the file.
         */
        if (raw[i].roles.place.file != NULL && raw[i].roles.count == 0)
            load_report(loader, raw[i].roles.place,
                        "\"roles\" is empty: leave it out to allow every role, or the %s to "
                        "allow none",
                        word);
        if (raw[i].missions.place.file != NULL && raw[i].missions.count == 0)
            load_report(loader, raw[i].missions.place,
                        "\"missions\" is empty: leave it out to allow every mission, or the %s "
                        "to allow none",
                        word);
        const char *name = raw[i].name.text;
        if (name == NULL || !check_relation_name(loader, function->place, what, name))
            continue;
        if (policy_is_pattern(name) || strchr(name, '(') != NULL) {
            load_report(loader, function->place,
                        "\"%s\": name one %s, without arguments; patterns are for tables only",
                        name, word);
            continue;
        }
        const char *dot = strchr(name, '.');
        function->schema = arena_strndup(loader->arena, name, (size_t)(dot - name));
        function->name = dot + 1;
        if (function->schema != NULL && strcmp(function->schema, "pg_catalog") == 0)
            load_report(loader, function->place,
                        "\"%s\" is built in: pgvigil's own list decides on pg_catalog %ss", name,
                        word);
        count++;
    }
    *out = functions;
    *out_count = count;
}

void check_people(struct loader *loader)
{
    struct map *seen = map_new();
    if (seen == NULL) {
        load_report(loader, (struct policy_place){.file = loader->policy->path}, "out of memory");
        return;
    }
    check_missions(loader, seen);
    map_clear(seen);
    check_roles(loader, seen);
    struct policy *policy = loader->policy;
    check_named(loader, &loader->functions, "function", &policy->functions,
                &policy->function_count);
    check_named(loader, &loader->sequences, "sequence", &policy->sequences,
                &policy->sequence_count);
    map_free(seen);
}
