/*
 * test_judge.c: the decision about a test's statement, without a database (see policy_test.h).
 *
 * judge() asks for guards that stand in the database. Here they are those that `deploy` would make
 * of the policy over a saved catalog, so a policy can be tested before it is deployed.
 */
#include "tools/policy_test.h"

#include "tools/catalog_file.h"

#include <pgvigil/guard.h>
#include <stdlib.h>
#include <string.h>

/* ---- guards ---- */

/* All of a catalog but its guards. */
static struct catalog_builder *copy_catalog(const struct catalog *from, const char *digest)
{
    struct catalog_builder *builder = catalog_builder_new();
    if (builder == NULL)
        return NULL;
    for (size_t i = 0; i < from->relation_count; i++)
        catalog_add_relation(builder, &from->relations[i]);
    for (size_t i = 0; i < from->relation_count; i++)
        if (from->relations[i].parent >= 0)
            catalog_set_parent(builder, from->relations[i].oid,
                               from->relations[from->relations[i].parent].oid);
    for (size_t i = 0; i < from->function_count; i++)
        catalog_add_function(builder, &from->functions[i]);
    for (size_t i = 0; i < from->type_count; i++) {
        const char *dot = strchr(from->types[i], '.');
        char *schema = dot == NULL ? NULL
                                   : arena_strndup(catalog_builder_arena(builder), from->types[i],
                                                   (size_t)(dot - from->types[i]));
        if (schema != NULL)
            catalog_add_type(builder, schema, dot + 1, from->type_oids[i], from->type_roots[i]);
    }
    for (size_t i = 0; i < from->operator_count; i++)
        catalog_add_operator(builder, from->operators[i]);
    for (size_t i = 0; i < from->typed_operator_count; i++)
        catalog_add_typed_operator(builder, from->typed_operators[i]);
    for (size_t i = 0; i < from->schema_count; i++)
        catalog_add_schema(builder, from->schemas[i]);
    catalog_set_database(builder, from->database, from->server_version, digest);
    return builder;
}

#define GUARD_OID 3000000000U

static enum status add_planned(struct catalog_builder *builder, const struct guard_view *view,
                               size_t index, struct arena *arena)
{
    int16_t *attnums = arena_zalloc(arena, view->column_count + 1, sizeof(*attnums));
    if (attnums == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < view->column_count; i++) {
        const struct catalog_column *column = catalog_column(view->relation, view->columns[i]);
        attnums[i] = column == NULL ? 0 : column->attnum;
    }
    struct catalog_guard guard = {.pair = view->pair,
                                  .view = view->view,
                                  .oid = GUARD_OID + 2 * (uint32_t)index,
                                  .row_type_oid = GUARD_OID + 2 * (uint32_t)index + 1,
                                  .base_oid = view->relation->oid,
                                  .only = view->only,
                                  .columns = view->columns,
                                  .base_attnums = attnums,
                                  .column_count = view->column_count};
    catalog_add_guard(builder, &guard);
    return OK;
}

void test_bench_live(const struct policy *policy, struct catalog *catalog, struct arena *arena,
                     struct test_bench *bench)
{
    *bench = (struct test_bench){.policy = policy, .catalog = catalog_ref(catalog), .arena = arena};
}

static void tell_findings(const struct guard_plan *plan, struct buf *why)
{
    for (size_t i = 0; i < plan->finding_count; i++) {
        const struct guard_finding *finding = &plan->findings[i];
        if (!finding->error)
            continue;
        if (finding->place.file != NULL)
            buf_printf(why, "%s:%u: ", finding->place.file, finding->place.line);
        buf_printf(why, "%s\n", finding->message);
    }
}

enum status test_bench_make(const struct policy *policy, const struct catalog *saved,
                            struct arena *arena, struct test_bench *bench, struct buf *why)
{
    *bench = (struct test_bench){.policy = policy, .arena = arena};
    struct guard_plan plan;
    struct arena *scratch = arena_new(0);
    struct catalog_builder *builder = NULL;
    struct catalog *whole = NULL;
    enum status status = scratch == NULL ? ERR_MEMORY
                                         : guard_plan_make(policy, saved, "pgvigil_owner",
                                                           "pgvigil", scratch, &plan);
    if (status == OK && plan.error_count > 0) {
        tell_findings(&plan, why);
        status = ERR_INVALID;
    }
    if (status == OK) {
        builder = copy_catalog(saved, policy->digest);
        status = builder == NULL ? ERR_MEMORY : OK;
        for (size_t i = 0; status == OK && i < plan.view_count; i++)
            status = add_planned(builder, &plan.views[i], i, scratch);
        enum status finished = builder == NULL ? OK : catalog_finish(builder, &whole);
        status = status == OK ? finished : status;
    }
    if (status == OK)
        test_bench_live(policy, whole, arena, bench);
    catalog_unref(whole);
    arena_free(scratch);
    return status;
}

void test_bench_free(struct test_bench *bench)
{
    catalog_unref(bench->catalog);
    *bench = (struct test_bench){0};
}

/* ---- the session ---- */

static bool user_has_role(const struct policy_user *user, int role)
{
    for (size_t i = 0; i < user->role_count; i++)
        if ((int)user->roles[i] == role)
            return true;
    return false;
}

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
    outcome->role = test->role == NULL ? (int)user->roles[0] : policy_find_role(policy, test->role);
    if (outcome->role < 0 || !user_has_role(user, outcome->role)) {
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
