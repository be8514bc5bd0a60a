/*
 * test_judge.c: the decision about a test's statement, without a database (see policy_test.h).
 *
 * judge() asks for guards that stand in the database. Here they are those that `deploy` would make
 * of the policy over a saved catalog, so a policy can be tested before it is deployed.
 */
#include "tools/policy_test.h"

#include "tools/catalog_file.h"

#include <pgvigil/observe.h>
#include <stdlib.h>
#include <string.h>

void test_bench_live(const struct policy *policy, struct catalog *catalog, struct arena *arena,
                     struct test_bench *bench)
{
    *bench = (struct test_bench){.policy = policy, .catalog = catalog_ref(catalog), .arena = arena};
}

enum status test_bench_make(const struct policy *policy, const struct catalog *saved,
                            struct arena *arena, struct test_bench *bench, struct buf *why)
{
    *bench = (struct test_bench){.policy = policy, .arena = arena};
    struct catalog *planned = NULL;
    enum status status = observe_plan(policy, saved, &planned, why);
    /* Here a policy that could not be deployed is wrong as a whole. */
    if (status == OK && buf_len(why) > 0)
        status = ERR_INVALID;
    if (status == OK)
        test_bench_live(policy, planned, arena, bench);
    catalog_unref(planned);
    return status;
}

void test_bench_free(struct test_bench *bench)
{
    catalog_unref(bench->catalog);
    *bench = (struct test_bench){0};
}

/* ---- the session ---- */

static void refuse(struct test_outcome *outcome, const char *reason, const char *object,
                   const char *sqlstate, const char *message)
{
    outcome->allowed = false;
    outcome->reason = reason;
    outcome->object = object;
    outcome->sqlstate = sqlstate;
    outcome->message = message;
}

/* Whose session it is, as serve would find it; NULL when there cannot be one. */
static const struct policy_user *begin_session(const struct policy *policy,
                                               const struct test_case *test,
                                               struct test_outcome *outcome)
{
    const struct policy_user *user = policy_find_user(policy, test->user);
    if (user == NULL) {
        refuse(outcome, "user", test->user, "28P01", "the policy has no such user");
        return NULL;
    }
    if (user->on_behalf != NULL && user->on_behalf->absent < 0) {
        refuse(outcome, "person", test->user, "42501",
               "the login acts for others and may do nothing by itself: the test's user is the "
               "person");
        return NULL;
    }
    outcome->role = test->role == NULL ? (int)user->roles[0] : policy_find_role(policy, test->role);
    if (outcome->role < 0 || !policy_user_has_role(user, outcome->role)) {
        refuse(outcome, "role", test->role, "42501", "the user does not have this role");
        return NULL;
    }
    outcome->mission = test->mission == NULL ? policy->roles[outcome->role].default_mission
                                             : policy_find_mission(policy, test->mission);
    if (test->mission != NULL &&
        !policy_role_has_mission(policy, outcome->role, outcome->mission)) {
        refuse(outcome, "mission", test->mission, "42501", "the role may not take this mission");
        return NULL;
    }
    return user;
}

#define PATH_MAX_NAMES 32

static enum status judge_with(const struct test_bench *bench, const struct catalog *catalog,
                              const struct test_case *test, const struct policy_user *user,
                              const struct test_outcome *session, struct verdict **verdict)
{
    const char *path[PATH_MAX_NAMES] = {"public"};
    const char *settings[2];
    struct judge_request request = {.policy = bench->policy,
                                    .catalog = catalog,
                                    .user = user,
                                    .role = session->role,
                                    .mission = session->mission,
                                    .path = path,
                                    .path_count = 1,
                                    .session_settings = settings,
                                    .sql = test->sql,
                                    .len = strlen(test->sql)};
    if (test->path.place.file != NULL) {
        request.path_count = 0;
        for (size_t i = 0; i < test->path.count && request.path_count < PATH_MAX_NAMES; i++)
            if (strcmp(test->path.items[i].text, "$user") != 0)
                path[request.path_count++] = test->path.items[i].text;
    }
    if (test->reason != NULL)
        settings[request.session_setting_count++] = "reason";
    if (test->patient != NULL)
        settings[request.session_setting_count++] = "patient";
    return judge(&request, bench->arena, verdict);
}

enum status test_judge(const struct test_bench *bench, const struct test_case *test,
                       struct test_outcome *outcome)
{
    struct verdict *verdict = NULL;
    *outcome = (struct test_outcome){.role = -1, .mission = -1};
    const struct policy_user *user = begin_session(bench->policy, test, outcome);
    if (user == NULL)
        return OK;
    enum status status = judge_with(bench, bench->catalog, test, user, outcome, &verdict);
    if (verdict == NULL)
        return ERR_MEMORY;
    outcome->verdict = verdict;
    if (status != OK || !verdict->allowed) {
        const struct verdict_refusal *refusal = &verdict->refusal;
        refuse(outcome, refusal->reason, refusal->object,
               refusal->sqlstate == NULL ? "42501" : refusal->sqlstate, refusal->message);
        return OK;
    }
    outcome->allowed = true;
    return OK;
}
