/*
 * minimise_still.c: would the statements that ran still run? (see minimise.h)
 *
 * The trail keeps each statement's text without its constants. Under both policies, with the guards
 * that `deploy` would make over the catalog, judge() is asked what it makes of them: what it let
 * through before must go through now, with the same columns behind every name and every `*`. A text
 * that does not parse without its constants says nothing, and neither does one that the policy of
 * today refuses.
 */
#include "tools/minimise.h"

#include <pgvigil/observe.h>
#include <string.h>

struct bench {
    struct observer *observer;
    struct catalog *planned;
};

static enum status make_bench(struct policy *policy, const struct catalog *catalog,
                              struct bench *bench)
{
    struct buf why;
    buf_init(&why, 0);
    enum status status = observe_plan(policy, catalog, &bench->planned, &why);
    buf_free(&why); /* what cannot be deployed has no guard, and statements on it are refused */
    return status == OK ? observer_new(policy, bench->planned, &bench->observer) : status;
}

static void free_bench(struct bench *bench)
{
    observer_free(bench->observer);
    catalog_unref(bench->planned);
}

/* Somebody of the role, with as many attributes as there are. */
static const struct policy_user *somebody(const struct policy *policy, int role)
{
    const struct policy_user *found = NULL;
    for (size_t i = 0; i < policy->user_count; i++) {
        const struct policy_user *user = &policy->users[i];
        if (policy_user_has_role(user, role) &&
            (found == NULL || user->attribute_count > found->attribute_count))
            found = user;
    }
    return found;
}

static bool same_names(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

static bool same_relation(const struct observed_relation *a, const struct observed_relation *b)
{
    return strcmp(a->schema, b->schema) == 0 && strcmp(a->name, b->name) == 0 &&
           a->writes == b->writes && a->filtered == b->filtered &&
           same_names(a->shown, a->shown_count, b->shown, b->shown_count) &&
           same_names(a->masked, a->masked_count, b->masked, b->masked_count) &&
           same_names(a->hidden, a->hidden_count, b->hidden, b->hidden_count) &&
           same_names(a->written, a->written_count, b->written, b->written_count);
}

/* A text may run and mean another column than before: what a name, a place or `*` came to must be
 * the same. */
static bool same(const struct observation *a, const struct observation *b)
{
    if (a->statement_count != b->statement_count ||
        (a->statements == NULL) != (b->statements == NULL))
        return false;
    for (size_t i = 0; a->statements != NULL && i < a->statement_count; i++) {
        const struct observed_statement *one = &a->statements[i];
        const struct observed_statement *other = &b->statements[i];
        if (one->relation_count != other->relation_count)
            return false;
        for (size_t k = 0; k < one->relation_count; k++)
            if (!same_relation(&one->relations[k], &other->relations[k]))
                return false;
    }
    return true;
}

static void look(const struct bench *bench, const struct policy *policy,
                 const struct pair_use *pair, const char *sql, struct arena *arena,
                 struct observation *seen)
{
    static const char *const path[] = {"public"};
    static const char *const settings[] = {"patient", "reason"};
    int role = policy_find_role(policy, pair->role);
    const struct judge_request request = {.policy = policy,
                                          .user = somebody(policy, role),
                                          .role = role,
                                          .mission = policy_find_mission(policy, pair->mission),
                                          .path = path,
                                          .path_count = 1,
                                          .session_settings = settings,
                                          .session_setting_count = 2,
                                          .sql = sql,
                                          .len = strlen(sql),
                                          .extended = true};
    *seen = (struct observation){0};
    if (request.user != NULL)
        observe(bench->observer, &request, arena, seen);
}

static const char *first_lost(const struct minimise *minimise, const struct bench *old,
                              const struct bench *new, const struct policy *smaller,
                              const struct pair_use *pair, struct arena *arena)
{
    for (size_t i = 0; i < pair->ran_count; i++) {
        struct observation was;
        struct observation is;
        const char *sql = pair->ran[i].sql;
        arena_reset(arena);
        look(old, minimise->policy, pair, sql, arena, &was);
        if (!was.allowed || was.foretold)
            continue;
        look(new, smaller, pair, sql, arena, &is);
        if (!is.allowed || is.foretold || !same(&was, &is))
            return arena_printf(minimise->arena, "what %s/%s ran would not run as before: %s",
                                pair->role, pair->mission, sql);
    }
    return NULL;
}

enum status minimise_still_runs(struct minimise *minimise, struct policy *smaller, const char **why)
{
    struct bench old = {0};
    struct bench new = {0};
    struct arena *arena = arena_new(0);
    enum status status = arena == NULL ? ERR_MEMORY : OK;
    /* Observers count references, which is all that they change of a policy. */
    if (status == OK)
        status = make_bench((struct policy *)(uintptr_t)minimise->policy, minimise->catalog, &old);
    if (status == OK)
        status = make_bench(smaller, minimise->catalog, &new);
    for (size_t i = 0; i < minimise->pair_count && status == OK && *why == NULL; i++) {
        const struct pair *pair = &minimise->pairs[i];
        if (pair->use != NULL)
            *why = first_lost(minimise, &old, &new, smaller, pair->use, arena);
    }
    free_bench(&old);
    free_bench(&new);
    arena_free(arena);
    return status;
}
