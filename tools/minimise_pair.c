/*
 * minimise_pair.c: the pairs of role and mission: which are left as they are, which may go (see
 * minimise.h).
 */
#include "tools/minimise.h"

#include <string.h>

struct pair *minimise_pair(const struct minimise *minimise, int role, int mission)
{
    for (size_t i = 0; i < minimise->pair_count; i++)
        if (minimise->pairs[i].role == role && minimise->pairs[i].mission == mission)
            return &minimise->pairs[i];
    return NULL;
}

/* "role", "role/mission" or "/mission" in a list with commas. */
static bool asked_to_keep(const char *list, const char *role, const char *mission)
{
    size_t role_len = strlen(role);
    for (const char *at = list; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        const char *slash = memchr(at, '/', len);
        size_t head = slash == NULL ? len : (size_t)(slash - at);
        size_t tail = slash == NULL ? 0 : len - head - 1;
        bool same_role = head == 0 || (head == role_len && strncmp(at, role, head) == 0);
        bool same_mission =
            tail == 0 || (tail == strlen(mission) && strncmp(slash + 1, mission, tail) == 0);
        if (len > 0 && same_role && same_mission)
            return true;
        at += len + (at[len] == ',' ? 1 : 0);
    }
    return false;
}

static bool is_destroyer(const struct policy *policy, int role)
{
    for (size_t i = 0; policy->retention != NULL && i < policy->retention->destroyer_count; i++)
        if (policy->retention->destroyers[i] == (uint32_t)role)
            return true;
    return false;
}

/* A right that holds everywhere but there: what is restricted may be needed for a claim. */
static bool is_excepted(const struct policy *policy, int mission)
{
    for (size_t i = 0; i < policy->right_count; i++)
        for (size_t k = 0; policy->rights[i].but && k < policy->rights[i].mission_count; k++)
            if (policy->rights[i].missions[k] == (uint32_t)mission)
                return true;
    return false;
}

/* Rarely, and rightly: control of access, legal, emergencies. */
static bool rare_purpose(const char *purpose)
{
    static const char *const rare[] = {"HCOMPL", "HLEGAL", "ETREAT", "BTG", "ERTREAT", "DISASTER"};
    for (size_t i = 0; purpose != NULL && i < sizeof(rare) / sizeof(rare[0]); i++)
        if (strcmp(purpose, rare[i]) == 0)
            return true;
    return false;
}

static bool was_there(const struct policy *was, const char *role, const char *mission)
{
    return policy_role_has_mission(was, policy_find_role(was, role),
                                   policy_find_mission(was, mission));
}

static void look_at_pair(struct minimise *minimise, struct pair *pair)
{
    const struct policy *policy = minimise->policy;
    const struct policy_mission *mission = &policy->missions[pair->mission];
    const char *role = policy->roles[pair->role].name;
    char key[2 * MINIMISE_NAME + 2];
    int len = snprintf(key, sizeof key, "%s\x1f%s", role, mission->name);
    pair->use =
        len < 0 || len >= (int)sizeof key ? NULL : map_get(minimise->pairs_used, key, (size_t)len);
    if (mission->break_glass != NULL)
        pair->keep = KEEP_GLASS;
    else if (asked_to_keep(minimise->keep, role, mission->name))
        pair->keep = KEEP_ASKED;
    else if (mission->ages != AGE_ACTIVE)
        pair->keep = KEEP_RETENTION;
    else if (is_excepted(policy, pair->mission))
        pair->keep = KEEP_RIGHTS;
    else if (is_destroyer(policy, pair->role))
        pair->keep = KEEP_DESTROYER;
    else if (rare_purpose(mission->purpose))
        pair->keep = KEEP_PURPOSE;
    else if (minimise->was != NULL && !was_there(minimise->was, role, mission->name))
        pair->keep = KEEP_YOUNG;
    else if (pair->use != NULL && pair->use->frozen != NULL)
        pair->keep = KEEP_FROZEN;
    if (pair->keep == KEEP_PURPOSE)
        pair->detail = mission->purpose;
    else if (pair->keep == KEEP_FROZEN && pair->use != NULL)
        pair->detail = pair->use->frozen;
}

static bool role_seen(const struct minimise *minimise, int role)
{
    for (size_t i = 0; i < minimise->pair_count; i++)
        if (minimise->pairs[i].role == role && minimise->pairs[i].use != NULL)
            return true;
    return false;
}

/* May the mission be taken from the role: never entered, and nothing else would change? */
static void decide_gone(struct minimise *minimise, struct pair *pair)
{
    const struct policy_role *role = &minimise->policy->roles[pair->role];
    size_t left = 0;
    if (pair->keep != KEEP_NOT || pair->use != NULL)
        return;
    for (size_t i = 0; i < minimise->pair_count; i++)
        left += minimise->pairs[i].role == pair->role && !minimise->pairs[i].gone ? 1 : 0;
    if (!role_seen(minimise, pair->role))
        pair->stays = STAY_ROLE;
    else if (role->default_mission == pair->mission)
        pair->stays = STAY_DEFAULT;
    else if (left < 2 || (left == 2 && role->default_mission < 0))
        pair->stays = STAY_LAST; /* one that is left alone would become the default */
    else
        pair->gone = true;
}

enum status minimise_pairs(struct minimise *minimise)
{
    const struct policy *policy = minimise->policy;
    size_t count = 0;
    for (size_t r = 0; r < policy->role_count; r++)
        count += policy->roles[r].mission_count;
    minimise->pairs = arena_zalloc(minimise->arena, count + 1, sizeof(*minimise->pairs));
    if (minimise->pairs == NULL)
        return ERR_MEMORY;
    for (size_t r = 0; r < policy->role_count; r++)
        for (size_t m = 0; m < policy->roles[r].mission_count; m++) {
            struct pair *pair = &minimise->pairs[minimise->pair_count];
            *pair = (struct pair){.role = (int)r, .mission = (int)policy->roles[r].missions[m]};
            if (policy->roles[r].unrestricted)
                continue;
            look_at_pair(minimise, pair);
            minimise->pair_count++;
        }
    for (size_t i = 0; i < minimise->pair_count; i++)
        decide_gone(minimise, &minimise->pairs[i]);
    return OK;
}
