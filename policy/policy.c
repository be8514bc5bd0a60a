/*
 * policy.c: a policy's life, and the lookups of people, roles and missions.
 *
 * Ownership: the last policy_unref frees the arena and the maps. Nothing changes after policy_load,
 * so threads share a policy by its reference count alone.
 */
#include "private.h"

#include <pgvigil/buf.h>

#include <stdlib.h>
#include <string.h>

struct policy *policy_ref(struct policy *policy)
{
    atomic_fetch_add_explicit(&policy->private->references, 1, memory_order_relaxed);
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (policy == NULL)
        return;
    struct policy_private *private = policy->private;
    if (atomic_fetch_sub_explicit(&private->references, 1, memory_order_acq_rel) != 1)
        return;
    map_free(private->users);
    map_free(private->tables);
    map_free(private->rules);
    map_free(private->governed);
    arena_free(private->arena); /* policy and private live in it */
}

void policy_errors_free(struct policy_errors *errors)
{
    arena_free(errors->arena);
    *errors = (struct policy_errors){0};
}

void policy_errors_print(const struct policy_errors *errors, struct buf *out)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct policy_error *error = &errors->errors[i];
        if (error->place.line > 0)
            buf_printf(out, "%s:%u: %s\n", error->place.file, error->place.line, error->message);
        else
            buf_printf(out, "%s: %s\n", error->place.file, error->message);
    }
}

int policy_find_role(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->role_count; i++)
        if (strcmp(policy->roles[i].name, name) == 0)
            return (int)i;
    return -1;
}

int policy_find_mission(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->mission_count; i++)
        if (strcmp(policy->missions[i].name, name) == 0)
            return (int)i;
    return -1;
}

enum status policy_index_users(struct policy *policy)
{
    struct policy_private *private = policy->private;
    for (size_t i = 0; i < policy->user_count; i++) {
        const struct policy_user *user = &policy->users[i];
        void *value = (void *)(uintptr_t)user;
        if (user->name != NULL && map_get_str(private->users, user->name) == NULL &&
            map_put_str(private->users, user->name, value) != OK)
            return ERR_MEMORY;
    }
    return OK;
}

const struct policy_user *policy_find_user(const struct policy *policy, const char *name)
{
    return map_get_str(policy->private->users, name);
}

bool policy_user_has_role(const struct policy_user *user, int role)
{
    for (size_t i = 0; i < user->role_count; i++)
        if ((int)user->roles[i] == role)
            return true;
    return false;
}

bool policy_may_act(const struct policy_user *login, const struct policy_user *person, int role)
{
    const struct policy_on_behalf *on_behalf = login->on_behalf;
    /* A shared login is nobody: acting for it would be a way to rights that it has as itself. */
    if (on_behalf == NULL || person->on_behalf != NULL || !policy_user_has_role(person, role))
        return false;
    for (size_t i = 0; i < on_behalf->role_count; i++)
        if ((int)on_behalf->roles[i] == role)
            return true;
    return false;
}

bool policy_role_has_mission(const struct policy *policy, int role, int mission)
{
    if (role < 0 || mission < 0 || (size_t)role >= policy->role_count)
        return false;
    for (size_t i = 0; i < policy->roles[role].mission_count; i++)
        if (policy->roles[role].missions[i] == (uint32_t)mission)
            return true;
    return false;
}
