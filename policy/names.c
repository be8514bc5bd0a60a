/*
 * names.c: what a server connection is told a person by, made when a policy is loaded.
 *
 * Ownership: all of it is the policy's, in its arena.
 */
#include "private.h"

#include <pgvigil/guard.h>

static const char *setting(enum policy_placeholder_kind kind, const char *name, struct arena *arena)
{
    const struct policy_placeholder placeholder = {.kind = kind, .name = name};
    return policy_placeholder_setting(&placeholder, arena);
}

static const char *const *pairs(const struct policy *policy, struct arena *arena)
{
    const char **names =
        arena_zalloc(arena, policy->role_count * policy->mission_count, sizeof(*names));
    for (size_t i = 0; names != NULL && i < policy->role_count; i++) {
        const struct policy_role *role = &policy->roles[i];
        for (size_t k = 0; k < role->mission_count; k++) {
            unsigned mission = role->missions[k];
            names[i * policy->mission_count + mission] =
                guard_pair_name(policy, (int)i, (int)mission, arena);
        }
    }
    return names;
}

static const char *const *attributes(const struct policy *policy, struct arena *arena)
{
    const char **names = arena_zalloc(arena, policy->attribute_count, sizeof(*names));
    for (size_t i = 0; names != NULL && i < policy->attribute_count; i++)
        names[i] = setting(PLACEHOLDER_USER_ATTRIBUTE, policy->attributes[i].name, arena);
    return names;
}

enum status policy_make_names(struct policy *policy, struct arena *arena)
{
    struct policy_names *names = arena_zalloc(arena, 1, sizeof(*names));
    if (names == NULL)
        return ERR_MEMORY;
    names->pairs = pairs(policy, arena);
    names->attributes = attributes(policy, arena);
    names->user_name = setting(PLACEHOLDER_USER_NAME, NULL, arena);
    names->address = setting(PLACEHOLDER_CLIENT_ADDRESS, NULL, arena);
    names->reason = setting(PLACEHOLDER_SESSION, "reason", arena);
    names->patient = setting(PLACEHOLDER_SESSION, "patient", arena);
    policy->names = names;
    return arena_failed(arena) ? ERR_MEMORY : OK;
}
